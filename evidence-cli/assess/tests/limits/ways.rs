//! Accounts with more ways to records than are told one by one: nothing is dropped, and a cut that is called smallest is.

use std::collections::BTreeSet;

use cadastre_model::access::Access;
use cadastre_model::asset::identity::{CloudAccount, Principal, PrincipalKind};
use cadastre_model::asset::keys::Key;
use cadastre_model::asset::stores::{Bucket, BucketEncryption};
use cadastre_model::asset::{PolicyDocument, PolicyKind, StatementRef};
use cadastre_model::declaration::Declaration;
use cadastre_model::graph::{BoundaryGraph, PlaintextPath};
use cadastre_model::inventory::Inventory;
use cadastre_model::reach::Reachability;
use cadastre_model::{Known, Observation, Outcome, RecordId, Scope, Timestamp, record};
use serde_json::{Value, json};

const ACCOUNT: &str = "111122223333";
const ROLE: &str = "arn:aws:iam::111122223333:role/app";
const BUCKET: &str = "arn:aws:s3:::data";
const KEY: &str = "arn:aws:kms:eu-central-1:111122223333:key/1";

/// How many statements of the role read, how many decrypt, and how many of the key's let the account decide.
#[derive(Debug, Clone, Copy)]
struct Counts {
    reading: usize,
    decrypting: usize,
    delegating: usize,
}

fn seal(subject: &str) -> RecordId {
    let observation = Observation {
        collector: "aws".into(),
        operation: "test".into(),
        scope: Scope::account(ACCOUNT),
        subject: subject.into(),
        caller: String::new(),
        observed_at: "2026-11-21T10:00:00Z".parse::<Timestamp>().unwrap(),
        outcome: Outcome::Observed,
        request: Value::Null,
        response: Value::Null,
        problem: None,
        page: record::Page::ONLY,
    };
    observation.seal().unwrap().id().clone()
}

/// A policy with a statement for each of so many numbers, but those that are gone.
fn policy(
    name: &str,
    kind: PolicyKind,
    count: usize,
    gone: &[StatementRef],
    statement: impl Fn(usize) -> Value,
) -> PolicyDocument {
    let is_gone = |at: usize| {
        gone.iter()
            .any(|gone| gone.policy == name && gone.pointer == format!("/response/Policy/Statement/{at}"))
    };
    let silent =
        json!({"Effect": "Allow", "Action": "none:None", "Resource": "*", "Principal": {"AWS": ACCOUNT}});
    let statements: Vec<Value> = (0..count)
        .map(|at| match (is_gone(at), kind) {
            (false, _) => statement(at),
            (true, PolicyKind::Resource) => silent.clone(),
            (true, _) => json!({"Effect": "Allow", "Action": "none:None", "Resource": "*"}),
        })
        .collect();
    PolicyDocument {
        name: name.into(),
        kind,
        record: seal(name),
        pointer: "/response/Policy".into(),
        document: json!({"Version": "2012-10-17", "Statement": statements}).into(),
    }
}

fn account(counts: Counts, gone: &[StatementRef]) -> Inventory {
    let allow =
        |action: &str, resource: &str| json!({"Effect": "Allow", "Action": action, "Resource": resource});
    let reading = policy("reading", PolicyKind::Inline, counts.reading, gone, |at| {
        // Each covers all of the bucket, and is written in its own way.
        allow("s3:GetObject", &format!("{BUCKET}{}", "*".repeat(at + 1)))
    });
    let decrypting = policy("decrypting", PolicyKind::Inline, counts.decrypting, gone, |at| {
        allow("kms:Decrypt", &"*".repeat(at + 1))
    });
    let delegating = policy(
        "key-policy",
        PolicyKind::Resource,
        counts.delegating,
        gone,
        |_| json!({"Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{ACCOUNT}:root")}, "Action": "kms:*", "Resource": "*"}),
    );
    let encrypted = counts.delegating > 0;
    let mut inventory = Inventory::default();
    inventory.accounts.push(CloudAccount {
        id: ACCOUNT.into(),
        service_control: Known::Absent,
        resource_control: Known::Absent,
        management: Known::Observed(false),
        organization: Known::Observed("o-example".into()),
        evidence: [seal(ACCOUNT)].into(),
    });
    inventory.principals.push(Principal {
        arn: ROLE.into(),
        kind: PrincipalKind::Role,
        account: ACCOUNT.into(),
        name: "app".into(),
        policies: Known::Observed(vec![reading, decrypting]),
        boundary: Known::Absent,
        trust: Known::Absent,
        groups: vec![],
        tags: vec![],
        access_keys: Known::Absent,
        console_password: Known::Absent,
        instance_profiles: vec![],
        last_used: Known::Absent,
        maximum_session_seconds: None,
        service_linked: false,
        evidence: [seal(ROLE)].into(),
    });
    inventory.keys.push(Key {
        arn: KEY.into(),
        account: ACCOUNT.into(),
        region: "eu-central-1".into(),
        aliases: vec![],
        manager: Known::Observed("CUSTOMER".into()),
        state: Known::Observed("Enabled".into()),
        origin: Known::Observed("AWS_KMS".into()),
        usage: Known::Observed("ENCRYPT_DECRYPT".into()),
        spec: Known::Observed("SYMMETRIC_DEFAULT".into()),
        multi_region: Known::Observed(false),
        replica_regions: vec![],
        deletion_date: Known::Absent,
        rotation: Known::Absent,
        policy: Known::Observed(delegating),
        grants: Known::Observed(vec![]),
        tags: vec![],
        evidence: [seal(KEY)].into(),
    });
    let key = encrypted.then(|| KEY.to_owned());
    inventory.buckets.push(Bucket {
        arn: BUCKET.into(),
        name: "data".into(),
        account: ACCOUNT.into(),
        region: Known::Observed("eu-central-1".into()),
        encryption: Known::Observed(BucketEncryption {
            algorithm: if encrypted { "aws:kms" } else { "AES256" }.into(),
            key_arn: key.clone(),
            key,
            bucket_key: encrypted,
        }),
        policy: Known::Absent,
        policy_is_public: Known::Observed(false),
        public_access_blocked: Known::Observed(true),
        versioning: Known::Absent,
        lifecycle: Known::Absent,
        object_lock: Known::Absent,
        replication_destinations: Known::Absent,
        acl_grantees: Known::Observed(vec![]),
        tags: vec![],
        evidence: [seal(BUCKET)].into(),
    });
    inventory
}

fn evaluate(counts: Counts, gone: &[StatementRef]) -> (Access, BoundaryGraph) {
    let declaration = Declaration::parse(
        &format!(
            "schema: cadastre/boundary/v1\nname: t\noperating-model: self-managed\narchitecture: shared-storage\naccounts:\n  - {{id: '{ACCOUNT}', provider: aws, purpose: data-plane}}\nstores:\n  - {{arn: '{BUCKET}', holds: records}}\n"
        ),
        "boundary.yaml",
    )
    .unwrap();
    let inventory = account(counts, gone);
    let access = cadastre_assess::access(&inventory, &declaration);
    let graph = cadastre_assess::graph(&inventory, &access, &Reachability::default(), &declaration);
    (access, graph)
}

fn path(graph: &BoundaryGraph) -> Option<&PlaintextPath> {
    graph.paths.iter().find(|path| path.principal == ROLE && path.target == BUCKET)
}

/// What a cut says of itself has to hold: it closes the path, and one that is called smallest has the true size.
#[track_caller]
fn check(counts: Counts, smallest: usize) {
    let (access, graph) = evaluate(counts, &[]);
    let path = path(&graph).expect("the role reads records");
    assert!(path.cut_at_least <= smallest, "no bound is above what suffices: {path:#?}");
    if path.cut_is_minimal {
        assert_eq!(path.cut.len(), smallest);
    }
    if !path.cut.is_empty() {
        let (_, closed) = evaluate(counts, &path.cut);
        assert_eq!(self::path(&closed), None, "the cut closes it");
    }
    let summed_up = access.edges.iter().any(|edge| edge.summary && edge.statements.is_empty());
    let told: BTreeSet<&str> = access.unknown.iter().map(|(subject, _)| subject.as_str()).collect();
    assert_eq!(summed_up, told.contains(BUCKET) || told.contains(KEY), "{told:?}");
}

#[test]
fn a_hundred_ways_are_all_told_and_closed_by_the_smallest_cut() {
    let counts = Counts { reading: 100, decrypting: 0, delegating: 0 };
    let (_, graph) = evaluate(counts, &[]);
    let path = path(&graph).unwrap();
    assert_eq!((path.cut.len(), path.cut_is_minimal), (100, true));
    check(counts, 100);
}

#[test]
fn more_ways_than_are_told_have_a_bound_and_no_cut() {
    let counts = Counts { reading: 400, decrypting: 0, delegating: 0 };
    let (access, graph) = evaluate(counts, &[]);
    let path = path(&graph).unwrap();
    assert!(path.cut.is_empty() && !path.cut_is_minimal);
    assert!((64..=400).contains(&path.cut_at_least), "{}", path.cut_at_least);
    assert!(access.unknown.iter().any(|(subject, what)| subject == BUCKET && what.contains(ROLE)));
    check(counts, 400);
}

#[test]
fn ways_that_multiply_are_closed_by_what_they_share() {
    // 90 x 3 ways to decrypt: taking away the key policy's three statements closes all of them.
    check(Counts { reading: 5, decrypting: 90, delegating: 3 }, 3);
    check(Counts { reading: 2, decrypting: 90, delegating: 3 }, 2);
    check(Counts { reading: 80, decrypting: 3, delegating: 70 }, 3);
}
