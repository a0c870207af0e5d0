//! The brokers that stand in for those of the deployment, and the reviewer who scans, exercises and judges both.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::process;
use crate::prove::Programs;
use crate::prove_cluster::{Cluster, Seat, login};
use crate::prove_ground::write_private;
use crate::reference_account::signed_in;

/// The addresses that the deployment gives its brokers with the values of its example.
pub(super) const ADDRESSES: [&str; 3] = ["10.20.1.10", "10.20.2.10", "10.20.3.10"];

/// The image that the declaration beside the deployment names; moto gives another id.
const IMAGE: &str = "ami-0123456789abcdef0";

/// What the stand-in says of itself beside what the deployment declares: who may scan it and with which files, what its topics are, what of it
/// may be exercised and how. Where it is and what listens there are the deployment's own words.
const STAND_INS_OWN: [&str; 6] =
    ["tls", "min-insync-replicas", "scram-iterations", "topics", "environment", "drills"];

/// What is written before the scan, so that there is something to count: more than CST-02 asks for.
const RECORDS: &str = "20000";

/// The main classes of Kafka's tools.
const CONFIGS: &str = "kafka.admin.ConfigCommand";
const ACLS: &str = "org.apache.kafka.tools.AclCommand";
const TOPICS: &str = "org.apache.kafka.tools.TopicCommand";
const PRODUCE: &str = "org.apache.kafka.tools.ProducerPerformance";

const LOG: &str = "Configuration:
  Appenders:
    Console:
      name: err
      target: SYSTEM_ERR
      PatternLayout: {pattern: \"%d %p %m%n\"}
  Loggers:
    Root:
      level: WARN
      AppenderRef: [{ref: err}]
";

/// The reviewer's side: a folder with the declaration, documents, evidence and the stand-in's state.
pub(super) struct Review {
    /// The programs to exercise, and to judge with.
    pub(super) programs: Programs,
    /// A Python with moto.
    pub(super) python: PathBuf,
    /// Kafka's jars.
    pub(super) libraries: PathBuf,
    /// The folder.
    pub(super) directory: PathBuf,
    /// Where the account answers.
    pub(super) endpoint: String,
}

impl Review {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.programs.cadastre);
        command.args(arguments).current_dir(&self.directory).env("NO_COLOR", "1");
        command
    }

    /// The checklist, after a scan and the drills.
    pub(super) fn judge(&self, image: &str, given: &Value) -> anyhow::Result<Value> {
        eprintln!("starting brokers");
        let seat = |host: &str| Seat { host: host.to_owned(), clients: 9093, brokers: Some(9094) };
        let seats = ADDRESSES.map(seat).to_vec();
        let cluster = Cluster::start_at(&self.directory, &self.python, &self.programs, seats)?;
        self.administer(&cluster.bootstrap())?;
        self.declare(image, cluster.declared(&self.python, &self.programs.broker)?)?;
        self.fill_in_documents()?;
        eprintln!("scanning");
        let scan = [
            "--quiet",
            "scan",
            "-b",
            "boundary.yaml",
            "-o",
            "evidence",
            "--aws-endpoint-url",
            &self.endpoint,
        ];
        process::output(signed_in(&mut self.command(&scan), given, "scanner")?)?;
        eprintln!("exercising the stand-in");
        // Which promise was broken, if any, is in the records, and the checklist says so.
        let mut prove = self.command(&["--quiet", "prove", "-b", "boundary.yaml", "-o", "evidence", "--yes"]);
        prove.stdout(Stdio::null()).status().context("cannot run prove")?;
        let check = ["check", "evidence", "-b", "boundary.yaml", "--format", "json", "--fail-on", "never"];
        let checklist = process::output(&mut self.command(&check))?;
        process::output(&mut self.command(&["report", "evidence", "-b", "boundary.yaml", "-o", "report"]))?;
        serde_json::from_str(&checklist).context("check prints JSON")
    }

    /// What an administrator does before workloads come: quotas for everybody, ACLs for the scanner and the declared workloads, a topic, and
    /// some records of the producer's.
    fn administer(&self, bootstrap: &str) -> anyhow::Result<()> {
        eprintln!("administering them");
        write_private(&self.directory.join("log4j2.yaml"), LOG)?;
        for user in ["admin", "payments-producer"] {
            let properties = format!(
                "security.protocol=SASL_SSL\nsasl.mechanism=SCRAM-SHA-512\nssl.truststore.type=PEM\n\
                 ssl.truststore.location={}/ca.pem\nbootstrap.servers={bootstrap}\nsasl.jaas.config=\
                 org.apache.kafka.common.security.scram.ScramLoginModule required username=\"{user}\" \
                 password=\"{user}-secret\";\n",
                self.directory.display()
            );
            write_private(&self.directory.join(format!("{user}.properties")), &properties)?;
        }
        let admin = ["--bootstrap-server", bootstrap, "--command-config", "admin.properties"];
        let kafka = |class: &str, first: &[&str], arguments: &[&str]| {
            let classes = format!("{}/*", self.libraries.display());
            let mut java = Command::new("java");
            java.args(["-Xmx256m", "-cp", &classes, "-Dlog4j2.configurationFile=log4j2.yaml", class]);
            process::output(java.args(first).args(arguments).current_dir(&self.directory)).map(drop)
        };
        let limits = "producer_byte_rate=67108864,consumer_byte_rate=134217728,request_percentage=200";
        let everybody = ["--entity-type", "users", "--entity-default"];
        kafka(CONFIGS, &admin, &[&["--alter", "--add-config", limits][..], &everybody].concat())?;
        let scanner = ["--add", "--force", "--allow-principal", "User:cadastre-scanner"];
        let reads =
            ["--operation", "Describe", "--operation", "DescribeConfigs", "--cluster", "--topic", "*"];
        kafka(ACLS, &admin, &[&scanner[..], &reads].concat())?;
        kafka(ACLS, &admin, &[&scanner[..], &["--operation", "Describe", "--group", "*"]].concat())?;
        let payments = ["--resource-pattern-type", "prefixed", "--topic", "payments."];
        for (user, operation) in [("User:payments-producer", "Write"), ("User:ledger", "Read")] {
            let may = ["--add", "--force", "--allow-principal", user, "--operation", operation];
            kafka(ACLS, &admin, &[&may[..], &payments].concat())?;
        }
        kafka(TOPICS, &admin, &["--create", "--topic", "payments.transfers", "--partitions", "6"])?;
        let amount = ["--num-records", RECORDS, "--record-size", "200", "--throughput", "-1"];
        let topic = ["--topic", "payments.transfers", "--producer.config", "payments-producer.properties"];
        kafka(PRODUCE, &topic, &amount)
    }

    /// The deployment's own declaration, with the image that there is, and of its cluster what can be said of the stand-in alone.
    fn declare(&self, image: &str, stand_in: Value) -> anyhow::Result<()> {
        let declared = fs::read_to_string(process::root().join("broker/deploy/aws/boundary.yaml"))?;
        let mut declared: Value =
            serde_saphyr::from_str(&declared.replace(IMAGE, image)).context("boundary.yaml is no YAML")?;
        let cluster = declared.pointer_mut("/clusters/0").and_then(Value::as_object_mut);
        let cluster = cluster.context("the deployment declares a cluster")?;
        cluster.insert("security".to_owned(), login("cadastre-scanner"));
        for (name, value) in stand_in.as_object().into_iter().flatten() {
            if STAND_INS_OWN.contains(&name.as_str()) {
                cluster.insert(name.clone(), value.clone());
            }
        }
        // JSON is YAML.
        Ok(fs::write(self.directory.join("boundary.yaml"), serde_json::to_string_pretty(&declared)?)?)
    }

    /// `init --documents`, filled in: the same files with the same headings, in the words of the example's owners.
    fn fill_in_documents(&self) -> anyhow::Result<()> {
        process::output(&mut self.command(&["init", "--documents", "documents"]))?;
        let filled_in = process::root().join("fixtures/deployment-aws/documents");
        for entry in fs::read_dir(self.directory.join("documents"))? {
            let begun = entry?.path();
            let name = begun.file_name().unwrap_or_default();
            let text = fs::read_to_string(filled_in.join(name))
                .with_context(|| format!("{} is not filled in", name.to_string_lossy()))?;
            let (blank, own) = (headings(&fs::read_to_string(&begun)?), headings(&text));
            ensure!(blank.is_subset(&own), "{} leaves out {blank:?}", name.to_string_lossy());
            fs::write(&begun, text)?;
        }
        Ok(())
    }
}

/// Its headings of the second level.
fn headings(text: &str) -> BTreeSet<String> {
    text.lines().filter(|line| line.starts_with("## ")).map(str::to_owned).collect()
}
