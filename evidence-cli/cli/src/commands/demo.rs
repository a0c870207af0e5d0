//! `cadastre demo`: the whole line on this machine. The bundled broker is deployed, real clients run through
//! it, it is scanned beside the recorded reference account, and the reports are written.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use cadastre_assess::waivers::WaiverFile;
use cadastre_assess::{Options, assess};
use cadastre_collect::kafka::{self, KafkaOptions, KafkaTarget};
use cadastre_drills::target::{Denied, Limits, Workload as Exercised};
use cadastre_drills::{
    Connection, DrillError, DrillName, DrillRecord, Exercise, Hooks, Login, Secret, Target, Topic,
    create_topics,
};
use cadastre_model::declaration::{Cluster, Declaration, SecurityProtocol};
use cadastre_model::drill_target::Attempt;
use cadastre_model::evidence::{Evidence, EvidenceWriter};
use cadastre_model::progress::Progress;
use cadastre_model::{Clock, RecordSink as _, SystemClock};
use cadastre_packet::Signer as _;
use cadastre_server::{Broker, BrokerConfig};
use tokio_util::sync::CancellationToken;

use super::inputs::Judged;
use super::local_cluster::{ADMIN, LocalCluster, MECHANISM, Workload};
use super::{check, documents, output, packet, packet_page, report, signing};
use crate::args::assess::{Inputs, ReportFormat};
use crate::args::broker::Demo;
use crate::exit::Exit;
use crate::terminal::{self, Terminal, stdout_color};

/// What the demo promises of times; its drills end none.
const PATIENCE: Duration = Duration::from_secs(60);

/// The demo cluster's declared name.
const CLUSTER: &str = "demo";

/// The demo's workloads: one writes orders and reads them back, the other may read invoices only.
const WORKLOADS: [Workload<'_>; 2] = [
    Workload { user: "orders-service", reads: &["orders."], writes: &["orders."] },
    Workload { user: "invoice-reader", reads: &["invoices."], writes: &[] },
];

/// The demo's topics.
const TOPICS: [Topic<'_>; 2] = [
    Topic { name: "orders.placed", partitions: 3, configs: &[("retention.ms", "604800000")] },
    Topic { name: "invoices.sent", partitions: 1, configs: &[("retention.ms", "604800000")] },
];

/// A recorded reference account, compiled in.
struct Recorded {
    boundary: &'static str,
    waivers: &'static str,
    manifest: &'static str,
    files: &'static [(&'static str, &'static [u8])],
}

macro_rules! recorded {
    ($variant:literal, $($collector:literal),+) => {
        Recorded {
            boundary: include_str!(concat!("../../../../fixtures/", $variant, "/boundary.yaml")),
            waivers: include_str!(concat!("../../../../fixtures/", $variant, "/waivers.yaml")),
            manifest: include_str!(concat!("../../../../fixtures/", $variant, "/evidence/manifest.json")),
            files: &[$((
                concat!($collector, ".ndjson"),
                include_bytes!(concat!(
                    "../../../../fixtures/",
                    $variant,
                    "/evidence/records/",
                    $collector,
                    ".ndjson"
                )),
            )),+],
        }
    };
}

macro_rules! operating_documents {
    ($folder:literal, $($name:literal),+) => {
        [$((
            concat!($name, ".md"),
            include_str!(concat!("../../../../fixtures/", $folder, "/documents/", $name, ".md")),
        )),+]
    };
}

/// The reference account's operating documents.
const REFERENCE_DOCUMENTS: [(&str, &str); 6] = operating_documents!(
    "clean",
    "certificate-rotation",
    "exit",
    "incident-ownership",
    "migration",
    "upgrade-and-rollback",
    "vendor-access"
);

/// Those of the broker that the demo deploys.
const DEMO_DOCUMENTS: [(&str, &str); 7] = operating_documents!(
    "demo",
    "demo-certificate-rotation",
    "demo-deletion",
    "demo-exit",
    "demo-incident-ownership",
    "demo-migration",
    "demo-upgrade-and-rollback",
    "demo-vendor-access"
);

const CLEAN: Recorded = recorded!("clean", "aws", "documents", "kafka", "logs");
const PLANTED: Recorded = recorded!("planted", "aws", "kafka", "logs");

/// Runs the demo.
pub(super) fn run(arguments: &Demo, terminal: &Terminal) -> anyhow::Result<Exit> {
    output::prepare(&arguments.out, arguments.force)?;
    output::remove_evidence(&arguments.out.join("evidence"))?;
    let recorded = if arguments.planted { PLANTED } else { CLEAN };
    let reference =
        Evidence::read_embedded("the recorded reference account", recorded.manifest, recorded.files)?;

    // Certificates, credentials and data live only as long as the demo: nothing secret is left in the output.
    let state = tempfile::tempdir().context("cannot make a temporary directory")?;
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    let (live, cluster) =
        runtime.block_on(deploy_and_scan(state.path(), &arguments.out, recorded.boundary, terminal))?;

    let boundary = boundary(recorded.boundary, &cluster);
    let declaration = Declaration::parse(&boundary, "the demo's boundary.yaml")?;
    let evidence = reference.join(live);
    evidence.write(&arguments.out.join("evidence"))?;
    terminal.step("evaluating the controls and writing the reports");
    output::write(&arguments.out.join("waivers.yaml"), recorded.waivers)?;
    let waivers = WaiverFile::parse(recorded.waivers, "the recorded waivers")?.waivers;
    let assessment = assess(&evidence, &declaration, &Options { waivers, ..Options::default() })?;
    let judged = Judged { declaration, evidence, assessment };
    let mut formats = vec![ReportFormat::Html, ReportFormat::Md, ReportFormat::Json, ReportFormat::Svg];
    if cadastre_pdf::AVAILABLE {
        formats.push(ReportFormat::Pdf);
    }
    report::write(&judged, &arguments.out, &formats)?;
    let (packet, public) = write_packet(&judged, &arguments.out, terminal)?;
    terminal.finish();
    let mut text = check::by_area(&judged.assessment.checklist, stdout_color());
    text.push_str(&format!("\nreport: {}\n", arguments.out.join("report.html").display()));
    text.push_str(&format!("packet: {}\n", packet.display()));
    text.push_str(&format!(
        "verify: cadastre packet verify {} --public-key {}\n",
        packet.display(),
        public.display()
    ));
    terminal::print(&text)?;
    Ok(Exit::Clean)
}

/// Packs everything, signed by a key that nobody has once the demo ends: only its public half is written.
fn write_packet(judged: &Judged, out: &Path, terminal: &Terminal) -> anyhow::Result<(PathBuf, PathBuf)> {
    let (packet, public) = (out.join("packet.zip"), out.join("packet.pub"));
    output::remove_file(&packet)?;
    output::remove_file(&packet_page::path_beside(&packet))?;
    let key = signing::passing()?;
    let inputs = Inputs {
        evidence: out.join("evidence"),
        boundary: out.join("boundary.yaml"),
        as_of: None,
        policies: None,
        waivers: Some(out.join("waivers.yaml")),
        prices: None,
    };
    let files = packet::files(judged, &inputs)?;
    packet::write_packet(judged, files, &packet, Some(&key), None, terminal)?;
    output::write(&public, signing::pem(key.public_key()))?;
    packet_page::beside(&packet, key.public_key(), terminal)?;
    Ok((packet, public))
}

/// The broker's life: set up, exercised, scanned, stopped. Returns the evidence and the declared cluster.
async fn deploy_and_scan(
    state: &Path,
    out: &Path,
    reference: &str,
    terminal: &Terminal,
) -> anyhow::Result<(Evidence, String)> {
    terminal.step("deploying the broker");
    let cluster = LocalCluster::at(state);
    let users: Vec<&str> = WORKLOADS.iter().map(|workload| workload.user).collect();
    cluster.create(0, &users).await?;
    let broker = Broker::start(BrokerConfig::load(&cluster.config_file())?).await?;
    terminal.say(&format!(
        "broker deployed on {}: SASL_SSL, {MECHANISM}, default-deny ACLs, encrypted log",
        cluster.bootstrap()?
    ));

    let scratch = out.join(".scan");
    output::remove_evidence(&scratch)?;
    let writer = EvidenceWriter::create(
        &scratch,
        env!("CARGO_PKG_VERSION"),
        SystemClock.now().truncated_to_seconds(),
    )?;
    let worked = exercise_and_scan(&cluster, &writer, terminal).await;
    let stopped = broker.shutdown().await;
    worked?;
    stopped?;
    let declared = cluster.declaration(CLUSTER, &WORKLOADS, state)?;
    read_documents(&boundary(reference, &declared), out, &writer, terminal)?;
    writer.close(SystemClock.now().truncated_to_seconds(), true)?;
    let live = Evidence::read(&scratch)?;
    output::remove_evidence(&scratch)?;
    Ok((live, declared))
}

/// Writes the declaration and, where it declares a folder for them, the operating documents beside it, and reads these
/// as a scan does.
fn read_documents(
    boundary: &str,
    out: &Path,
    writer: &EvidenceWriter,
    terminal: &Terminal,
) -> anyhow::Result<()> {
    let file = out.join("boundary.yaml");
    output::write(&file, boundary)?;
    let declaration = Declaration::parse(boundary, "the demo's boundary.yaml")?;
    let Some(rules) = &declaration.documents else { return Ok(()) };
    let folder = out.join(&rules.folder);
    output::create_directory(&folder)?;
    for (name, text) in REFERENCE_DOCUMENTS.iter().chain(&DEMO_DOCUMENTS) {
        output::write(&folder.join(name), text)?;
    }
    let at = SystemClock.now().truncated_to_seconds();
    for observation in documents::observe(&declaration, &file, at, terminal) {
        writer.put(observation)?;
    }
    Ok(())
}

async fn exercise_and_scan(
    cluster: &LocalCluster,
    writer: &EvidenceWriter,
    terminal: &Terminal,
) -> anyhow::Result<()> {
    cluster.administer(&WORKLOADS).await?;
    let connection = |user: &str| connection(cluster, user);
    create_topics(&connection(ADMIN)?, &TOPICS).await?;
    let target = Target {
        cluster: CLUSTER.to_owned(),
        is_bundled: true,
        administrator: connection(ADMIN)?,
        workload: Some(Exercised {
            connection: connection("orders-service")?,
            topic: "orders.placed".to_owned(),
            group: "orders-service".to_owned(),
        }),
        denied: vec![Denied {
            connection: connection("invoice-reader")?,
            must_not: vec![Attempt::Write, Attempt::CreateTopics, Attempt::WrongPassword],
            must_not_read: vec!["orders.placed".to_owned()],
        }],
        prefix: "cadastre-drill-".to_owned(),
        limits: Limits { recovery: PATIENCE, revocation: PATIENCE, deletion: PATIENCE },
        hooks: Hooks::default(),
    };
    terminal.step("producing and consuming with librdkafka, and trying what must be refused");
    let exercise = Exercise {
        target: &target,
        tools: None,
        clock: &SystemClock,
        progress: terminal,
        run: "demo".to_owned(),
        stop: CancellationToken::new(),
    };
    let mut records = Vec::new();
    exercise
        .run::<DrillError>(&[DrillName::Clients, DrillName::Denials], |record| {
            records.push(record);
            Ok(())
        })
        .await?;
    for record in &records {
        tell(record, terminal);
        record.keep(writer)?;
    }

    terminal.step("scanning the broker");
    let declared = declared(&cluster.declaration(CLUSTER, &WORKLOADS, Path::new("/"))?, cluster)?;
    kafka::collect(&KafkaTarget::from(&declared), writer, &KafkaOptions::new(&SystemClock, terminal)).await?;
    Ok(())
}

fn connection(cluster: &LocalCluster, user: &str) -> anyhow::Result<Connection> {
    Ok(Connection {
        bootstrap: cluster.bootstrap()?,
        protocol: SecurityProtocol::SaslSsl,
        ca_file: Some(cluster.ca_file()),
        certificate: None,
        login: Some(Login {
            mechanism: MECHANISM.to_owned(),
            username: user.to_owned(),
            password: Secret::new(cluster.password(user)?),
        }),
    })
}

fn tell(record: &DrillRecord, terminal: &Terminal) {
    for check in &record.checks {
        let mark = match check.kept {
            Some(true) => "kept  ",
            Some(false) => "BROKEN",
            None => "open  ",
        };
        terminal.say(&format!("  {mark} {} ({}, {} ms)", check.promise, check.seen, check.milliseconds));
    }
}

/// The declared cluster, read back from its text, with files named absolutely.
fn declared(text: &str, cluster: &LocalCluster) -> anyhow::Result<Cluster> {
    let whole = format!(
        "schema: cadastre/boundary/v1\nname: demo\noperating-model: self-managed\narchitecture: shared-storage\nclusters:\n{text}"
    );
    let mut declaration = Declaration::parse(&whole, "the demo's cluster")?;
    let mut declared = declaration.clusters.pop().context("the demo declares its cluster")?;
    declared.security.ca_file = Some(cluster.ca_file().display().to_string());
    declared.security.password_file =
        Some(cluster.password_file(super::local_cluster::SCANNER).display().to_string());
    Ok(declared)
}

/// The reference account's declaration with the demo's cluster beside its own. What was recorded stays
/// as old as it is: the demo says so by declaring a long age, and a real boundary should not.
fn boundary(reference: &str, cluster: &str) -> String {
    reference
        .replace(
            "\nlog-sinks:\n",
            &format!(
                "\n  # The broker that the demo deployed on this machine.\n{}\nlog-sinks:\n",
                cluster.trim_start_matches('\n')
            ),
        )
        .replace(
            "maximum-age: 24h",
            "maximum-age: 3650d   # the reference account is a recording, as old as it is",
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recorded_accounts_verify() {
        for recorded in [CLEAN, PLANTED] {
            Evidence::read_embedded("recorded", recorded.manifest, recorded.files).unwrap();
        }
    }

    #[test]
    fn the_demos_boundary_declares_both_clusters() {
        let cluster = "  - name: demo\n    kind: cadastre\n    bootstrap: [\"127.0.0.1:1\"]\n    security: {protocol: PLAINTEXT}\n";
        let declaration = Declaration::parse(&boundary(CLEAN.boundary, cluster), "boundary.yaml").unwrap();
        let names: Vec<&str> = declaration.clusters.iter().map(|cluster| cluster.name.as_str()).collect();
        assert_eq!(names, ["payments", "demo"]);
        assert_eq!(declaration.evidence.maximum_age.to_string(), "3650d");
    }
}
