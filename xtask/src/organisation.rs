//! `cargo xtask bench organisation`: a generated organization with real policies, evaluated as a whole.
//!
//! The policies are the ones AWS manages, as moto's package lists them (`moto.iam.aws_managed_policies`); everything
//! else is made here from a seed. Each size is measured in a process of its own, so that peaks do not mix.

use std::fmt::Write as _;
use std::fs;
use std::hash::{DefaultHasher, Hasher as _};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, bail};
use cadastre_model::access::Access;
use cadastre_model::asset::identity::{CloudAccount, Principal, PrincipalKind};
use cadastre_model::asset::keys::{Grant, Key};
use cadastre_model::asset::stores::{Bucket, BucketEncryption};
use cadastre_model::asset::{PolicyDocument, PolicyKind, StatementRef};
use cadastre_model::declaration::Declaration;
use cadastre_model::graph::BoundaryGraph;
use cadastre_model::inventory::Inventory;
use cadastre_model::reach::Reachability;
use cadastre_model::{Known, Observation, Outcome, RecordId, Scope, Timestamp, record};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::access_cases::Dice;
use crate::bench::{load, machine, publish};
use crate::parts::Parts;
use crate::process;

const ACCOUNTS: usize = 20;
const POLICIES: usize = 2_000;
const BUCKETS: usize = 500;
const KEYS: usize = 300;
const GRANTS: usize = 3_000;
/// The sizes whose cost per role is compared; the third is the one that is aimed at.
const SIZES: [usize; 4] = [1_250, 2_500, 5_000, 10_000];
const AIMED_AT: usize = 5_000;
/// How many roles an account has in the size that is aimed at.
const ROLES_PER_ACCOUNT: usize = AIMED_AT / ACCOUNTS;
/// How often each size is measured.
const TIMES: usize = 3;
const SEED: u64 = 20_261_121;
const REGION: &str = "eu-central-1";

/// How much is generated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Size {
    roles: usize,
    accounts: usize,
    policies: usize,
    buckets: usize,
    keys: usize,
}

impl Size {
    /// So many roles in so many accounts; policies, buckets, keys and grants grow with the accounts.
    const fn new(roles: usize, accounts: usize) -> Self {
        Self {
            roles,
            accounts,
            policies: POLICIES * accounts / ACCOUNTS,
            buckets: BUCKETS * accounts / ACCOUNTS,
            keys: KEYS * accounts / ACCOUNTS,
        }
    }

    fn account(self, number: usize) -> String {
        format!("1111222233{:02}", number % self.accounts)
    }

    /// A role of an account, given by its number, drawn among as many as there are.
    fn some_role(self, of: usize, dice: &mut Dice) -> String {
        let number = dice.below(self.roles / self.accounts) * self.accounts + of % self.accounts;
        role(&self.account(of), number)
    }
}

/// What one run took.
#[derive(Debug, Serialize, Deserialize)]
struct Run {
    roles: usize,
    accounts: usize,
    access_seconds: f64,
    graph_seconds: f64,
    /// What the process ran on all cores while access and graph were worked out, the kernel's part included.
    processor_seconds: f64,
    inventory_mebibytes: f64,
    peak_mebibytes: f64,
    edges: usize,
    /// Those of the edges whose target is a role.
    over_roles: usize,
    paths: usize,
    exact: usize,
    largest_cut: usize,
    unknown: usize,
    /// What access and graph hash to, where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
}

/// Measures every size and writes `docs/benchmarks/organisation.md`.
pub(crate) fn bench() -> anyhow::Result<()> {
    let parts = Parts::prepare()?;
    let Some(python) = parts.python else {
        bail!("this benchmark needs the AWS-managed policies that moto carries")
    };
    process::run(process::cargo().args(["build", "--release", "--quiet", "--package", "xtask"]))?;
    let policies = process::target_directory().join("aws-managed-policies.json");
    let read = "import sys; from moto.iam.aws_managed_policies import aws_managed_policies_data as d; sys.stdout.write(d)";
    fs::write(&policies, process::output(Command::new(&python).args(["-c", read]))?)?;
    let version =
        process::output(Command::new(&python).args(["-c", "import moto; print(moto.__version__)"]))?;
    let in_as_many = SIZES.map(|roles| Size::new(roles, ACCOUNTS));
    let in_more = SIZES.map(|roles| Size::new(roles, roles / ROLES_PER_ACCOUNT));
    let before = load()?;
    // One size after the other and then again, so that what else the machine does meets all of them.
    let mut measured: Vec<(Size, Vec<Run>)> = Vec::new();
    for _ in 0..TIMES {
        for size in in_as_many.into_iter().chain(in_more) {
            let place = match measured.iter().position(|(known, _)| *known == size) {
                Some(place) => place,
                None => {
                    measured.push((size, Vec::new()));
                    measured.len() - 1
                }
            };
            let Some((_, runs)) = measured.get_mut(place).filter(|(_, runs)| runs.len() < TIMES) else {
                continue;
            };
            let run = measure(size, &policies)?;
            eprintln!("{run:?}");
            runs.push(run);
        }
    }
    let load = (before, load()?);
    let of =
        |sizes: &[Size]| -> Vec<&Run> { sizes.iter().filter_map(|size| median(&measured, *size)).collect() };
    publish("organisation.md", &told(&of(&in_as_many), &of(&in_more), load, version.trim())?)
}

/// Measures one size in a process of its own.
fn measure(size: Size, policies: &Path) -> anyhow::Result<Run> {
    let output = process::output(
        Command::new(process::target_directory().join("release/xtask"))
            .args(["bench", "organisation", "--roles", &size.roles.to_string()])
            .args(["--accounts", &size.accounts.to_string(), "--policies"])
            .arg(policies),
    )?;
    serde_json::from_str(&output).context("a measured run printed something else")
}

/// The run of a size that took neither least nor most processor time.
fn median(measured: &[(Size, Vec<Run>)], size: Size) -> Option<&Run> {
    let (_, runs) = measured.iter().find(|(known, _)| *known == size)?;
    let mut runs: Vec<&Run> = runs.iter().collect();
    runs.sort_by(|a, b| a.processor_seconds.total_cmp(&b.processor_seconds));
    runs.get(runs.len() / 2).copied()
}

fn told(runs: &[&Run], growing: &[&Run], load: (f64, f64), moto: &str) -> anyhow::Result<String> {
    let aimed = runs.iter().find(|run| run.roles == AIMED_AT).context("the size that is aimed at")?;
    let mut text = format!(
        "# An organization of {ACCOUNTS} accounts\n\n`cargo xtask bench organisation`, release build, each size {TIMES} times, each time in a process of its own; the run with the median\nprocessor time counts. {}\nrustc {}, policies of moto {moto}. Load average of the machine over five minutes: {:.1} before and {:.1} after.{}\n\nGenerated from one seed: {ACCOUNTS} accounts under one organization, {POLICIES} customer-managed policies whose documents are drawn from those AWS manages,\none to three of them attached to each role; {BUCKETS} buckets under {KEYS} keys, bucket policies for named roles of their own and of other accounts, {GRANTS} grants.\nEvery bucket is declared to hold records. Measured: every capability of everybody over every target with its statements, escalations included\n(access), then the boundary graph with every plaintext derivation and its smallest cut (graph). Processor time is what the\nprocess ran on all cores, the kernel's part included, for both.\n\n",
        machine(),
        env!("CARGO_PKG_RUST_VERSION"),
        load.0,
        load.1,
        if load.0.max(load.1) > 3.0 {
            "\n**The machine had other work while this ran**, so that seconds by the clock say more about that than about this; processor\ntime is inflated by it too, though far less."
        } else {
            ""
        },
    );
    text.push_str(&table(runs)?);
    text.push_str(
        "\nWhat grows faster than the roles is the capabilities of roles over roles: who may change or pass any role of an account\nmay do so to each, and the accounts stay as many. Capabilities over buckets, keys and grants grow with the roles.\n",
    );
    writeln!(
        text,
        "\nThe same where the accounts grow with the roles, {ROLES_PER_ACCOUNT} roles each, and policies, buckets, keys and grants with the accounts:\n"
    )?;
    text.push_str(&table(growing)?);
    writeln!(
        text,
        "\nAim for {AIMED_AT} roles: under 5 s ({}; {:.2} s of processor time, which two cores share) and 500 MiB ({}) on 2 cores. The peak\nincludes the inventory, which is there before.",
        if aimed.access_seconds + aimed.graph_seconds < 5.0 { "met" } else { "missed by the clock" },
        aimed.processor_seconds,
        if aimed.peak_mebibytes < 500.0 { "met" } else { "missed" },
    )?;
    Ok(text)
}

fn table(runs: &[&Run]) -> anyhow::Result<String> {
    let mut text = String::from(
        "| roles | accounts | access, s | graph, s | together, s | processor, s | processor per role, ms | inventory, MiB | peak, MiB | capabilities | of these over roles | processor per 1,000 capabilities, ms | plaintext paths | cuts proven smallest | largest cut |\n| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
    );
    for run in runs {
        let together = run.access_seconds + run.graph_seconds;
        let processor = run.processor_seconds;
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let (per_role, per_capability) =
            (1_000.0 * processor / run.roles as f64, 1_000_000.0 * processor / run.edges.max(1) as f64);
        writeln!(
            text,
            "| {} | {} | {:.2} | {:.2} | {together:.2} | {processor:.2} | {per_role:.3} | {:.0} | {:.0} | {} | {} | {per_capability:.1} | {} | {} | {} |",
            run.roles,
            run.accounts,
            run.access_seconds,
            run.graph_seconds,
            run.inventory_mebibytes,
            run.peak_mebibytes,
            run.edges,
            run.over_roles,
            run.paths,
            run.exact,
            run.largest_cut,
        )?;
    }
    Ok(text)
}

/// One run, in this process; prints what it took.
fn run(size: Size, policies: &Path, digested: bool) -> anyhow::Result<()> {
    let text =
        fs::read_to_string(policies).with_context(|| format!("cannot read `{}`", policies.display()))?;
    let (inventory, declaration) = generate(size, &text)?;
    drop(text);
    let inventory_mebibytes = mebibytes("VmRSS:")?;
    let processor_before = processor_seconds()?;
    let started = Instant::now();
    let access: Access = cadastre_assess::access(&inventory, &declaration);
    let access_seconds = started.elapsed().as_secs_f64();
    let started = Instant::now();
    let graph: BoundaryGraph =
        cadastre_assess::graph(&inventory, &access, &Reachability::default(), &declaration);
    let graph_seconds = started.elapsed().as_secs_f64();
    let processor_seconds = processor_seconds()? - processor_before;
    let peak_mebibytes = mebibytes("VmHWM:")?;
    let run = Run {
        roles: size.roles,
        accounts: size.accounts,
        access_seconds,
        graph_seconds,
        processor_seconds,
        inventory_mebibytes,
        peak_mebibytes,
        edges: access.edges.len(),
        over_roles: access.edges.iter().filter(|edge| edge.target.contains(":role/")).count(),
        paths: graph.paths.len(),
        exact: graph.paths.iter().filter(|path| path.cut_is_minimal).count(),
        largest_cut: graph.paths.iter().map(|path| path.cut.len()).max().unwrap_or(0),
        unknown: access.unknown.len(),
        digest: digested.then(|| digest(&(&access, &graph))).transpose()?,
    };
    println!("{}", serde_json::to_string(&run)?);
    Ok(())
}

/// What the process has run so far, user and kernel, on all cores: fields 14 and 15 of `/proc/self/stat` (proc(5)), in
/// hundredths of a second.
fn processor_seconds() -> anyhow::Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    // The second field is a name in parentheses, which may hold blanks.
    let (_, fields) = stat.rsplit_once(") ").context("the kernel tells processor time")?;
    let mut times = fields.split_whitespace().skip(11).map(str::parse::<f64>);
    let mut next = || Ok::<f64, anyhow::Error>(times.next().context("a time")??);
    Ok((next()? + next()?) / 100.0)
}

/// What a value's JSON hashes to, so that two versions of the engine can be told to answer the same.
fn digest(value: &impl Serialize) -> anyhow::Result<String> {
    struct Hashing(DefaultHasher);
    impl Write for Hashing {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.write(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut hashing = Hashing(DefaultHasher::new());
    serde_json::to_writer(&mut hashing, value)?;
    Ok(format!("{:016x}", hashing.0.finish()))
}

/// A figure of `/proc/self/status` (proc(5)), which counts in KiB.
fn mebibytes(name: &str) -> anyhow::Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line =
        status.lines().find_map(|line| line.strip_prefix(name)).context("the kernel tells memory use")?;
    let kibibytes: f64 = line.split_whitespace().next().context("a figure")?.parse()?;
    Ok(kibibytes / 1_024.0)
}

fn role(account: &str, number: usize) -> String {
    format!("arn:aws:iam::{account}:role/role-{number}")
}

/// The record of an answer that nobody gave, for accounts that are made up.
pub(crate) fn seal(operation: &str, account: &str, subject: &str) -> anyhow::Result<RecordId> {
    let observation = Observation {
        collector: "aws".into(),
        operation: operation.into(),
        scope: Scope::account(account),
        subject: subject.into(),
        caller: String::new(),
        observed_at: "2026-11-21T10:00:00Z".parse::<Timestamp>()?,
        outcome: Outcome::Observed,
        request: Value::Null,
        response: Value::Null,
        problem: None,
        page: record::Page::ONLY,
    };
    Ok(observation.seal()?.id().clone())
}

/// The organization, and a declaration that says that every bucket holds records.
fn generate(size: Size, managed: &str) -> anyhow::Result<(Inventory, Declaration)> {
    let managed: std::collections::BTreeMap<String, Value> = serde_json::from_str(managed)?;
    let managed: Vec<&Value> = managed.values().filter_map(|policy| policy.get("Document")).collect();
    let mut dice = Dice::new(SEED);
    let mut inventory = Inventory::default();
    let mut declaration = String::from(
        "schema: cadastre/boundary/v1\nname: organization\noperating-model: self-managed\narchitecture: shared-storage\naccounts:\n",
    );
    for number in 0..size.accounts {
        let id = size.account(number);
        writeln!(declaration, "  - {{id: '{id}', provider: aws, purpose: data-plane}}")?;
        inventory.accounts.push(cloud_account(&id)?);
    }
    let mut policies: Vec<Vec<PolicyDocument>> = vec![Vec::new(); size.accounts];
    for number in 0..size.policies {
        let owner = size.account(number);
        let document = managed.get(dice.below(managed.len())).context("policies to draw from")?;
        let list = policies.get_mut(number % size.accounts).context("an account")?;
        list.push(PolicyDocument {
            name: format!("arn:aws:iam::{owner}:policy/policy-{number}"),
            kind: PolicyKind::Managed,
            record: seal("iam:GetAccountAuthorizationDetails", &owner, "")?,
            pointer: format!("/response/Policies/{number}/PolicyVersionList/0/Document"),
            document: (*document).clone().into(),
        });
    }
    for number in 0..size.roles {
        inventory.principals.push(generated_role(number, size, &policies, &mut dice)?);
    }
    for number in 0..size.keys {
        inventory.keys.push(generated_key(number, size, &mut dice)?);
    }
    declaration.push_str("stores:\n");
    for number in 0..size.buckets {
        let bucket = generated_bucket(number, size, &mut dice)?;
        writeln!(declaration, "  - {{arn: '{}', holds: records}}", bucket.arn)?;
        inventory.buckets.push(bucket);
    }
    inventory.principals.sort_by(|a, b| a.arn.cmp(&b.arn));
    inventory.keys.sort_by(|a, b| a.arn.cmp(&b.arn));
    inventory.buckets.sort_by(|a, b| a.arn.cmp(&b.arn));
    Ok((inventory, Declaration::parse(&declaration, "boundary.yaml")?))
}

fn cloud_account(id: &str) -> anyhow::Result<CloudAccount> {
    let record = seal("organizations:ListPoliciesForTarget", id, "")?;
    let policy = |name: &str, statement: Value| PolicyDocument {
        name: name.to_owned(),
        kind: PolicyKind::ServiceControl,
        record: record.clone(),
        pointer: format!("/response/{name}"),
        document: json!({"Version": "2012-10-17", "Statement": [statement]}).into(),
    };
    let root = vec![
        policy("FullAWSAccess", json!({"Effect": "Allow", "Action": "*", "Resource": "*"})),
        policy(
            "StayInside",
            json!({"Effect": "Deny", "Action": "organizations:LeaveOrganization", "Resource": "*"}),
        ),
    ];
    Ok(CloudAccount {
        id: id.to_owned(),
        service_control: Known::Observed(vec![root]),
        resource_control: Known::Absent,
        management: Known::Observed(false),
        organization: Known::Observed("o-exampleorgid".to_owned()),
        evidence: [record].into(),
    })
}

fn generated_role(
    number: usize,
    size: Size,
    policies: &[Vec<PolicyDocument>],
    dice: &mut Dice,
) -> anyhow::Result<Principal> {
    let owner = size.account(number);
    let own = policies.get(number % size.accounts).context("an account")?;
    let mut attached: Vec<PolicyDocument> = Vec::new();
    for _ in 0..=dice.below(3) {
        let drawn = own.get(dice.below(own.len())).context("a policy")?;
        if !attached.iter().any(|known| known.pointer == drawn.pointer) {
            attached.push(drawn.clone());
        }
    }
    // Most roles are for a service, some for anybody in their account whose own policies say so, few for one role
    // of another account.
    let trusted = match dice.below(10) {
        0..=3 => json!({"Service": "ec2.amazonaws.com"}),
        4..=5 => json!({"Service": "lambda.amazonaws.com"}),
        6..=8 => json!({"AWS": format!("arn:aws:iam::{owner}:root")}),
        _ => json!({"AWS": role(&size.account(number + 1), number + 1)}),
    };
    let record = seal("iam:GetAccountAuthorizationDetails", &owner, "")?;
    Ok(Principal {
        arn: role(&owner, number),
        kind: PrincipalKind::Role,
        account: owner,
        name: format!("role-{number}"),
        policies: Known::Observed(attached),
        boundary: Known::Absent,
        trust: Known::Observed(PolicyDocument {
            name: "trust-policy".to_owned(),
            kind: PolicyKind::Trust,
            record: record.clone(),
            pointer: format!("/response/RoleDetailList/{number}/AssumeRolePolicyDocument"),
            document: json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": trusted, "Action": "sts:AssumeRole"}]}).into(),
        }),
        groups: vec![],
        tags: vec![],
        access_keys: Known::Absent,
        console_password: Known::Absent,
        instance_profiles: vec![],
        last_used: Known::Absent,
        maximum_session_seconds: Some(3_600),
        service_linked: false,
        evidence: [record].into(),
    })
}

fn generated_key(number: usize, size: Size, dice: &mut Dice) -> anyhow::Result<Key> {
    let owner = size.account(number);
    let arn = format!("arn:aws:kms:{REGION}:{owner}:key/{number:08x}-0000-4000-8000-000000000000");
    let record = seal("kms:GetKeyPolicy", &owner, &arn)?;
    let listed = seal("kms:ListGrants", &owner, &arn)?;
    let grants = (0..GRANTS / KEYS)
        .map(|at| Grant {
            id: format!("{number:08x}{at:056x}"),
            name: String::new(),
            grantee: size.some_role(if dice.below(10) == 0 { number + 1 } else { number }, dice),
            retiring_principal: None,
            issuing_account: Some(format!("arn:aws:iam::{owner}:root")),
            operations: ["Decrypt", "GenerateDataKey"].map(str::to_owned).to_vec(),
            constrained: false,
            constraints: Value::Null,
            at: StatementRef {
                policy: format!("grant {at}").into(),
                record: listed.clone(),
                pointer: format!("/response/Grants/{at}").into(),
            },
        })
        .collect();
    let administrator = size.some_role(number, dice);
    Ok(Key {
        account: owner.clone(),
        region: REGION.to_owned(),
        aliases: vec![format!("alias/key-{number}")],
        manager: Known::Observed("CUSTOMER".to_owned()),
        state: Known::Observed("Enabled".to_owned()),
        origin: Known::Observed("AWS_KMS".to_owned()),
        usage: Known::Observed("ENCRYPT_DECRYPT".to_owned()),
        spec: Known::Observed("SYMMETRIC_DEFAULT".to_owned()),
        multi_region: Known::Observed(false),
        replica_regions: vec![],
        deletion_date: Known::Absent,
        rotation: Known::Absent,
        policy: Known::Observed(PolicyDocument {
            name: "key-policy".to_owned(),
            kind: PolicyKind::Resource,
            record: record.clone(),
            pointer: "/response/Policy".to_owned(),
            document: json!({"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{owner}:root")}, "Action": "kms:*", "Resource": "*"},
                {"Effect": "Allow", "Principal": {"AWS": administrator}, "Action": ["kms:Create*", "kms:Put*", "kms:Disable*"], "Resource": "*"},
            ]})
            .into(),
        }),
        grants: Known::Observed(grants),
        tags: vec![],
        evidence: [record].into(),
        arn,
    })
}

fn generated_bucket(number: usize, size: Size, dice: &mut Dice) -> anyhow::Result<Bucket> {
    let owner = size.account(number);
    let name = format!("bucket-{number}");
    let arn = format!("arn:aws:s3:::{name}");
    let record = seal("s3:GetBucketPolicy", &owner, &name)?;
    // A key of the same account.
    let key = dice.below(size.keys / size.accounts) * size.accounts + number % size.accounts;
    let key = format!("arn:aws:kms:{REGION}:{owner}:key/{key:08x}-0000-4000-8000-000000000000");
    let (inside, outside) = (size.some_role(number, dice), size.some_role(number + 1, dice));
    let objects = format!("{arn}/*");
    Ok(Bucket {
        name,
        account: owner,
        region: Known::Observed(REGION.to_owned()),
        encryption: Known::Observed(BucketEncryption {
            algorithm: "aws:kms".to_owned(),
            key: Some(key.clone()),
            key_arn: Some(key),
            bucket_key: true,
        }),
        policy: Known::Observed(PolicyDocument {
            name: "bucket-policy".to_owned(),
            kind: PolicyKind::Resource,
            record: record.clone(),
            pointer: "/response/Policy".to_owned(),
            document: json!({"Version": "2012-10-17", "Statement": [
                {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": [&arn, &objects], "Condition": {"Bool": {"aws:SecureTransport": "false"}}},
                {"Effect": "Allow", "Principal": {"AWS": [inside, outside]}, "Action": ["s3:GetObject", "s3:PutObject"], "Resource": &objects},
            ]})
            .into(),
        }),
        policy_is_public: Known::Observed(false),
        public_access_blocked: Known::Observed(true),
        versioning: Known::Absent,
        lifecycle: Known::Absent,
        object_lock: Known::Absent,
        replication_destinations: Known::Absent,
        acl_grantees: Known::Observed(vec![]),
        tags: vec![],
        evidence: [record].into(),
        arn,
    })
}

/// Where the policies lie, for a run by hand.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Measure one size in this process, and print the figures as JSON
    #[arg(long, requires = "policies")]
    roles: Option<usize>,
    /// How many accounts; policies, buckets, keys and grants grow with them
    #[arg(long, default_value_t = ACCOUNTS, requires = "roles")]
    accounts: usize,
    /// The AWS-managed policies as JSON, by name
    #[arg(long)]
    policies: Option<PathBuf>,
    /// Tell as well what access and graph hash to, which two versions that answer the same have in common
    #[arg(long, requires = "roles")]
    digest: bool,
}

impl Options {
    /// Runs what was asked for.
    pub(crate) fn measure(&self) -> anyhow::Result<()> {
        match (self.roles, &self.policies) {
            (Some(roles), Some(policies)) => run(Size::new(roles, self.accounts), policies, self.digest),
            _ => bench(),
        }
    }
}
