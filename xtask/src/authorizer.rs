//! The broker's authorizer beside Apache Kafka's own `StandardAuthorizer`: `cargo xtask differential authorizer` puts
//! the same random cases to both, `cargo xtask bench authorizer` measures both.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use clap::Args;
use serde_json::{Value, json};

use crate::access_cases::Dice;
use crate::bench::machine;
use crate::parts::Parts;
use crate::process;

/// How many requests are made of one set of ACLs.
const REQUESTS: usize = 20;

/// The operations that ACLs of each type of resource are drawn from.
const TYPES: [(&str, &[&str]); 6] = [
    (
        "TOPIC",
        &[
            "ALL",
            "READ",
            "WRITE",
            "CREATE",
            "DELETE",
            "ALTER",
            "DESCRIBE",
            "DESCRIBE_CONFIGS",
            "ALTER_CONFIGS",
        ],
    ),
    ("GROUP", &["ALL", "READ", "DELETE", "DESCRIBE", "DESCRIBE_CONFIGS", "ALTER_CONFIGS"]),
    (
        "CLUSTER",
        &[
            "ALL",
            "CREATE",
            "ALTER",
            "DESCRIBE",
            "CLUSTER_ACTION",
            "DESCRIBE_CONFIGS",
            "ALTER_CONFIGS",
            "IDEMPOTENT_WRITE",
        ],
    ),
    ("TRANSACTIONAL_ID", &["ALL", "WRITE", "DESCRIBE", "TWO_PHASE_COMMIT"]),
    ("DELEGATION_TOKEN", &["ALL", "DESCRIBE"]),
    ("USER", &["ALL", "CREATE_TOKENS", "DESCRIBE_TOKENS"]),
];

/// Names of which some begin with others, one is the wildcard, one the name that Kafka asks about when any will do.
const NAMES: [&str; 14] = [
    "*",
    "a",
    "ab",
    "abc",
    "abd",
    "b",
    "orders",
    "orders-",
    "orders-eu",
    "orders.eu",
    "order",
    "hardcode",
    "hard",
    "ä",
];

const PRINCIPALS: [&str; 8] = [
    "User:alice",
    "User:bob",
    "User:carol",
    "User:*",
    "User:CN=ops,O=Example",
    "Group:alice",
    "Group:*",
    "User:ANONYMOUS",
];

/// Who asks. Nobody is called `User:*`: Apache Kafka's authorizer throws on it.
const ASKING: [&str; 7] = [
    "User:alice",
    "User:bob",
    "User:carol",
    "User:CN=ops,O=Example",
    "Group:alice",
    "Group:*",
    "User:ANONYMOUS",
];

const HOSTS: [&str; 6] =
    ["*", "10.0.0.1", "10.0.0.2", "2001:db8:0:0:0:0:0:1", "2001:db8::1", "client.example.com"];

const CALLERS: [&str; 4] = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "2001:db8::1"];

/// What to compare.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How many requests, 20 to each set of ACLs
    #[arg(long, default_value_t = 400_000)]
    cases: usize,
    /// Where the generator starts
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many differences to print
    #[arg(long, default_value_t = 5)]
    show: usize,
}

/// Generates cases, has both answer them, and writes what came out to `docs/authorizer-differential.md`.
pub(crate) fn differential(options: &Options) -> anyhow::Result<()> {
    let kafka = Kafka::prepare()?;
    let path = process::target_directory().join("authorizer-cases.ndjson");
    let mut dice = Dice::new(options.seed);
    let sets: Vec<Value> = (0..options.cases.div_ceil(REQUESTS)).map(|_| set(&mut dice)).collect();
    write(&path, &sets)?;
    let ours = process::output(ours("dev")?.arg("decide").arg(&path))?;
    let theirs = process::output(kafka.command("decide").arg(&path))?;
    let (ours, theirs): (Vec<&str>, Vec<&str>) = (ours.lines().collect(), theirs.lines().collect());
    if ours.len() != sets.len() || theirs.len() != sets.len() {
        bail!("{} sets, {} answers of ours, {} of theirs", sets.len(), ours.len(), theirs.len());
    }
    let mut tally = Tally::default();
    for ((set, our), their) in sets.iter().zip(ours).zip(theirs) {
        tally.compare(set, our, their, options.show)?;
    }
    let page = format!(
        "# The authorizer beside Apache Kafka's\n\n\
         `cargo xtask differential authorizer --cases {} --seed {}` draws sets of 0 to 24 ACLs and puts {REQUESTS} requests to each set, to\n\
         the broker's authorizer and to `org.apache.kafka.metadata.authorizer.StandardAuthorizer` of Apache Kafka {}.\n\n\
         | requests | of a named resource | of any resource of a type (KIP-679) | allowed | denied | different |\n\
         | ---: | ---: | ---: | ---: | ---: | ---: |\n| {} | {} | {} | {} | {} | {} |\n\n\
         Drawn: every type of resource and operation, literal and prefixed patterns (`*` and names that begin with others included),\n\
         principals of two types, `User:*`, hosts as addresses of both families, as names and as `*`, super users, and\n\
         `allow.everyone.if.no.acl.found` on and off.\n\n\
         Left out: hosts in CIDR notation (KIP-1276), which this version of Apache Kafka compares as text and so never matches; the\n\
         broker matches them as networks.\n",
        options.cases,
        options.seed,
        kafka.version,
        tally.named + tally.any,
        tally.named,
        tally.any,
        tally.allowed,
        tally.named + tally.any - tally.allowed,
        tally.different,
    );
    print!("{page}");
    if tally.different > 0 {
        bail!("{} answers differ", tally.different);
    }
    let page_path = process::root().join("docs/authorizer-differential.md");
    fs::write(&page_path, page).with_context(|| format!("cannot write {}", page_path.display()))
}

/// Measures both on 10,000 ACLs, and returns the page.
pub(crate) fn bench(seconds: u32) -> anyhow::Result<String> {
    let kafka = Kafka::prepare()?;
    let path = process::target_directory().join("authorizer-bench.ndjson");
    write(&path, &[company()])?;
    let rate = |command: &mut Command| -> anyhow::Result<f64> {
        let text = process::output(command.arg(&path).arg(seconds.to_string()))?;
        text.trim().parse().with_context(|| format!("`{}` is no rate", text.trim()))
    };
    let our = rate(ours("release")?.arg("measure"))?;
    let their = rate(&mut kafka.command("measure"))?;
    Ok(format!(
        "# Authorizer decisions a second\n\n\
         `cargo xtask bench authorizer --seconds {seconds}`: 10,000 ACLs (8,000 of literal and 1,000 of prefixed topics, 1,000 of groups;\n\
         1,000 users; one in 50 a DENY), about 1,000 requests decided over and over by one thread, nine in ten of them for what an ACL\n\
         speaks of. Per second of the deciding thread's processor time, one program after the other in one run; the\n\
         Java program is measured after as long a warm-up. {}\n\n\
         | | decisions a second |\n| --- | ---: |\n| ours, release build | {our:.0} |\n\
         | Apache Kafka {}, `StandardAuthorizer` | {their:.0} |\n| ratio | {:.1} |\n",
        machine(),
        kafka.version,
        our / their
    ))
}

/// What came out.
#[derive(Debug, Default)]
struct Tally {
    named: usize,
    any: usize,
    allowed: usize,
    different: usize,
}

impl Tally {
    fn compare(&mut self, set: &Value, our: &str, their: &str, show: usize) -> anyhow::Result<()> {
        let requests = set.get("requests").and_then(Value::as_array).context("a set has requests")?;
        if our.len() != requests.len() || their.len() != requests.len() {
            bail!("{} requests, {} answers of ours, {} of theirs", requests.len(), our.len(), their.len());
        }
        for ((request, our), their) in requests.iter().zip(our.chars()).zip(their.chars()) {
            let is_named = request.get("name").is_some_and(|name| !name.is_null());
            *(if is_named { &mut self.named } else { &mut self.any }) += 1;
            self.allowed += usize::from(their == 'A');
            if our != their {
                self.different += 1;
                if self.different <= show {
                    let acls = set.get("acls").and_then(Value::as_array).into_iter().flatten();
                    let mut text = String::new();
                    for acl in acls {
                        writeln!(text, "  {acl}")?;
                    }
                    eprintln!("ours {our}, theirs {their}: {request} over\n{text}");
                }
            }
        }
        Ok(())
    }
}

/// One set of ACLs and the requests made of it.
fn set(dice: &mut Dice) -> Value {
    // Few sets hold many ACLs of one type, so that default-allow and single rules are decided as often as crowds.
    let count = dice.below(25);
    let narrow = dice.chance(60).then(|| dice.below(TYPES.len()));
    let mut acls: Vec<Value> = Vec::new();
    for _ in 0..count {
        let acl = acl(dice, narrow);
        if !acls.contains(&acl) {
            acls.push(acl);
        }
    }
    let requests: Vec<Value> = (0..REQUESTS).map(|_| request(dice, narrow)).collect();
    let super_users = if dice.chance(20) { "User:carol;User:CN=ops,O=Example" } else { "" };
    json!({
        "super_users": super_users,
        "default_allow": dice.chance(30),
        "acls": acls,
        "requests": requests,
    })
}

fn kind(dice: &mut Dice, narrow: Option<usize>) -> (&'static str, &'static [&'static str]) {
    let any = dice.below(TYPES.len());
    let index = narrow.filter(|_| dice.chance(90)).unwrap_or(any);
    TYPES.get(index).copied().unwrap_or(("TOPIC", &["READ"]))
}

fn name(dice: &mut Dice, kind: &str) -> String {
    if kind == "CLUSTER" { "kafka-cluster".to_owned() } else { dice.one(&NAMES).to_owned() }
}

fn acl(dice: &mut Dice, narrow: Option<usize>) -> Value {
    let (kind, operations) = kind(dice, narrow);
    let host = if dice.chance(60) { "*" } else { dice.one(&HOSTS) };
    json!({
        "resource_type": kind,
        "name": name(dice, kind),
        "pattern_type": dice.one(&["LITERAL", "PREFIXED"]),
        "principal": dice.one(&PRINCIPALS),
        "host": host,
        "operation": dice.one(operations),
        "permission": if dice.chance(30) { "DENY" } else { "ALLOW" },
    })
}

fn request(dice: &mut Dice, narrow: Option<usize>) -> Value {
    let (kind, operations) = kind(dice, narrow);
    // `ALL` is for ACLs; nobody asks for it.
    let operations = operations.get(1..).unwrap_or_default();
    let wanted = if dice.chance(20) { None } else { Some(name(dice, kind)) };
    json!({
        "principal": dice.one(&ASKING),
        "host": dice.one(&CALLERS),
        "operation": dice.one(operations),
        "resource_type": kind,
        "name": wanted,
    })
}

/// A company's 10,000 ACLs, and 1,000 requests of which nine in ten are somebody's everyday ones.
fn company() -> Value {
    let mut dice = Dice::new(1);
    let mut acls = Vec::new();
    let mut requests = Vec::new();
    for index in 0..9_000 {
        let user = format!("User:service-{}", index % 1_000);
        let operation = if index % 2 == 0 { "READ" } else { "WRITE" };
        let (pattern, name, topic) = if index % 9 == 0 {
            let prefix = format!("team-{}.", index / 9 % 500);
            ("PREFIXED", prefix.clone(), format!("{prefix}topic-{}", dice.below(4)))
        } else {
            let topic = format!("team-{}.topic-{}", index % 500, index % 4);
            ("LITERAL", topic.clone(), topic)
        };
        acls.push(json!({
            "resource_type": "TOPIC", "name": name, "pattern_type": pattern, "principal": user, "host": "*",
            "operation": operation, "permission": if index % 50 == 49 { "DENY" } else { "ALLOW" },
        }));
        if index % 9 == dice.below(9) {
            let topic = if dice.chance(10) { "nobodys".to_owned() } else { topic };
            requests.push(json!({
                "principal": user, "host": "10.0.0.1", "operation": dice.one(&[operation, "DESCRIBE"]),
                "resource_type": "TOPIC", "name": topic,
            }));
        }
    }
    for index in 0..1_000 {
        acls.push(json!({
            "resource_type": "GROUP", "name": format!("group-{index}"), "pattern_type": "LITERAL",
            "principal": format!("User:service-{index}"), "host": "*", "operation": "READ", "permission": "ALLOW",
        }));
    }
    json!({ "super_users": "User:admin", "default_allow": false, "acls": acls, "requests": requests })
}

fn write(path: &Path, sets: &[Value]) -> anyhow::Result<()> {
    let mut text = String::new();
    for set in sets {
        writeln!(text, "{set}")?;
    }
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// Our program, built.
fn ours(profile: &str) -> anyhow::Result<Command> {
    process::run(process::cargo().args([
        "build",
        "--profile",
        profile,
        "--package",
        "cadastre-security",
        "--example",
        "authorizer",
    ]))?;
    let directory = if profile == "dev" { "debug" } else { profile };
    Ok(Command::new(process::target_directory().join(directory).join("examples/authorizer")))
}

/// Apache Kafka's libraries.
#[derive(Debug)]
struct Kafka {
    libraries: PathBuf,
    version: String,
}

impl Kafka {
    fn prepare() -> anyhow::Result<Self> {
        let libraries = Parts::prepare()?.kafka_libs.context("Apache Kafka's libraries could not be had")?;
        let entries =
            fs::read_dir(&libraries).with_context(|| format!("cannot list {}", libraries.display()))?;
        for entry in entries {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if let Some(version) =
                name.strip_prefix("kafka-metadata-").and_then(|rest| rest.strip_suffix(".jar"))
            {
                return Ok(Self { libraries, version: version.to_owned() });
            }
        }
        bail!("no kafka-metadata library in {}", libraries.display())
    }

    fn command(&self, verb: &str) -> Command {
        let mut command = Command::new("java");
        command
            .arg("-cp")
            .arg(self.libraries.join("*"))
            .arg(process::root().join("fixtures/authorizer/StandardAuthorizerCases.java"))
            .arg(verb);
        command
    }
}
