//! Questions about a graph: who can, the matrix, an explanation, granted against used.

use cadastre_graph::{ExplainError, granted_versus_used};
use cadastre_model::access::Capability::{
    self, AlterLogs, Assume, ChangePolicy, Decrypt, ManageKey, OperateHost, ReadObjects, ReadRecords,
    WriteObjects, WriteRecords,
};
use cadastre_model::access::Decision;
use cadastre_model::refusal::{Obstacle, ObstacleKind, Refusal};
use cadastre_model::usage::{ObservedUse, ObservedUses, UsageState};

use crate::support::*;

const TRAIL: &str = "arn:aws:cloudtrail:eu-central-1:111122223333:trail/audit";

#[track_caller]
fn check(deployment: &Deployment, capability: Capability, target: &str, expected: &[(&str, usize)]) {
    let graph = deployment.graph();
    let answer = deployment.reasoner().who_can(&graph, capability, target).expect("a known target");
    let found: Vec<(&str, usize)> =
        answer.principals.iter().map(|one| (one.principal.as_str(), one.path.len())).collect();
    assert_eq!(found, expected);
}

#[test]
fn who_can_counts_every_way_for_every_kind_of_target() {
    let mut deployment = Deployment::new();
    deployment
        .edge(APP, Assume, BROKER, "sts:AssumeRole", &["trust"])
        .edge(BROKER, WriteObjects, BUCKET, "s3:PutObject", &["write"])
        .edge(BROKER, Decrypt, KEY, "kms:Decrypt", &["decrypt"])
        .edge(AGENT, ManageKey, KEY, "kms:PutKeyPolicy", &["key"])
        .edge(AGENT, ChangePolicy, BUCKET, "s3:PutBucketPolicy", &["bucket"])
        .edge(BROKER, OperateHost, HOST, "ssm:StartSession", &["session"])
        .edge(BROKER, AlterLogs, TRAIL, "cloudtrail:StopLogging", &["stop"])
        .edge("User:ops", ChangePolicy, "cluster:payments", "kafka:Alter", &["alter"])
        .edge("User:writer", WriteRecords, TOPIC, "kafka:Write", &["acl"]);
    check(&deployment, WriteObjects, BUCKET, &[(APP, 2), (BROKER, 1), (AGENT, 2)]);
    check(&deployment, ReadObjects, BUCKET, &[(AGENT, 2)]);
    check(&deployment, Decrypt, "alias/data", &[(APP, 2), (BROKER, 1), (AGENT, 2)]);
    check(&deployment, ManageKey, KEY, &[(AGENT, 1)]);
    check(&deployment, OperateHost, HOST, &[(APP, 2), (BROKER, 1)]);
    check(&deployment, AlterLogs, TRAIL, &[(APP, 2), (BROKER, 1)]);
    check(&deployment, Assume, BROKER, &[(APP, 1)]);
    check(&deployment, ReadObjects, VOLUME, &[(APP, 3), (BROKER, 2)]);
    check(&deployment, WriteRecords, TOPIC, &[("User:ops", 2), ("User:writer", 1)]);
    check(&deployment, ReadRecords, TOPIC, &[("User:ops", 2)]);
    check(&deployment, ChangePolicy, "cluster:payments", &[("User:ops", 1)]);
}

#[test]
fn becoming_somebody_may_take_several_hops_and_nobody_becomes_itself() {
    let mut deployment = Deployment::new();
    deployment
        .edge(AGENT, Assume, APP, "sts:AssumeRole", &["one"])
        .edge(APP, ChangePolicy, BROKER, "iam:UpdateAssumeRolePolicy", &["two"])
        .edge(BROKER, Assume, APP, "sts:AssumeRole", &["back"]);
    check(&deployment, Assume, BROKER, &[(APP, 2), (AGENT, 3)]);
}

#[test]
fn who_can_read_records_says_what_the_paths_of_the_graph_say() {
    let mut deployment = Deployment::new();
    deployment
        .edge(AGENT, Assume, BROKER, "sts:AssumeRole", &["trust"])
        .edge(BROKER, ReadObjects, BUCKET, "s3:GetObject", &["read"])
        .edge(BROKER, ManageKey, KEY, "kms:CreateGrant", &["grant"]);
    let graph = deployment.graph();
    let answer = deployment.reasoner().who_can(&graph, ReadRecords, "data").unwrap();
    let of_graph: Vec<_> = graph
        .paths
        .iter()
        .filter(|path| path.target == BUCKET)
        .map(|path| (&path.principal, &path.steps))
        .collect();
    let of_answer: Vec<_> = answer.principals.iter().map(|one| (&one.principal, &one.path)).collect();
    assert_eq!(of_answer, of_graph);
    assert_eq!(of_answer.len(), 2);
}

#[test]
fn the_matrix_says_what_who_can_says() {
    let mut deployment = Deployment::new();
    deployment
        .edge(AGENT, Assume, BROKER, "sts:AssumeRole", &["trust"])
        .edge(BROKER, ReadObjects, BUCKET, "s3:GetObject", &["read"])
        .decided(BROKER, Decrypt, KEY, "kms:Decrypt", &["key"], Decision::Conditional("x in [y]".into()));
    let graph = deployment.graph();
    let reasoner = deployment.reasoner();
    let matrix = reasoner.matrix();
    assert_eq!(matrix.rows.iter().map(|row| row.principal.as_str()).collect::<Vec<_>>(), [BROKER, AGENT]);
    let mut cells = 0;
    for row in &matrix.rows {
        for cell in &row.cells {
            let answer = reasoner.who_can(&graph, cell.capability, &cell.target).unwrap();
            let one = answer.principals.iter().find(|one| one.principal == row.principal).unwrap();
            assert_eq!(one.path.len(), cell.steps);
            cells += 1;
        }
    }
    // Objects, key and records of the bucket for each of the two, and the key is of two minds.
    assert_eq!(cells, 6);
    let of_agent = &matrix.rows[1].cells;
    let decrypts = of_agent.iter().find(|cell| cell.capability == Decrypt).unwrap();
    assert_eq!((&decrypts.decision, decrypts.steps), (&Decision::Conditional("x in [y]".into()), 2));
}

#[test]
fn an_explanation_reads_as_sentences_and_names_what_closes_every_way() {
    let mut deployment = Deployment::new();
    deployment
        .edge(AGENT, Assume, APP, "sts:AssumeRole", &["trust"])
        .edge(APP, ChangePolicy, BUCKET, "s3:PutBucketPolicy", &["edit"])
        .edge(APP, Decrypt, KEY, "kms:Decrypt", &["key"]);
    let graph = deployment.graph();
    let explained = deployment
        .reasoner()
        .explain(&graph, "agent", ReadRecords, "data", |_, _, _| panic!("there is a way"))
        .unwrap();
    assert_eq!(explained.decision, Decision::Allow);
    let told: Vec<&str> = explained.steps.iter().map(|step| step.told.as_str()).collect();
    assert_eq!(
        told,
        [
            format!("{AGENT} becomes {APP} (sts:AssumeRole)."),
            format!("{APP} changes what is allowed on {BUCKET} (s3:PutBucketPolicy)."),
            format!("So {APP} reads what is stored in {BUCKET} (s3:GetObject)."),
            format!("{APP} decrypts with {KEY} (kms:Decrypt)."),
        ]
    );
    let text = explained.text();
    assert!(text.starts_with(&format!("{AGENT} can read the records of {BUCKET}.\n")), "{text}");
    assert!(text.contains("by `trust`, /response/Statement/0 of record "), "{text}");
    assert!(text.ends_with("One statement suffices.\n"), "{text}");
    let json = serde_json::to_value(&explained).unwrap();
    assert_eq!(json["decision"], "allow");
    assert_eq!(json["steps"][0]["from"], AGENT);
}

#[test]
fn where_there_is_no_way_only_what_is_missing_is_asked_about() {
    let mut deployment = Deployment::new();
    deployment.edge(APP, ReadObjects, BUCKET, "s3:GetObject", &["read"]);
    let graph = deployment.graph();
    let refusal = |capability: Capability, target: &str| Refusal {
        action: format!("some {capability}"),
        resource: target.to_owned(),
        obstacles: vec![Obstacle {
            kind: ObstacleKind::ExplicitDeny,
            told: "a statement denies it".into(),
            needed: "that statement to go".into(),
            statement: Some(statement("deny")),
        }],
    };
    let explained = deployment
        .reasoner()
        .explain(&graph, APP, ReadRecords, BUCKET, |_, capability, on| vec![refusal(capability, on)])
        .unwrap();
    assert_eq!(explained.decision, Decision::Deny);
    assert_eq!(explained.refusals.iter().map(|one| one.resource.as_str()).collect::<Vec<_>>(), [KEY]);
    assert!(explained.evidence.contains(&record("deny")));
    let text = explained.text();
    assert!(
        text.contains("It can read what is stored in arn:aws:s3:::data by itself, which is not enough"),
        "{text}"
    );
    assert!(text.contains("denied: a statement denies it"), "{text}");
    assert!(text.contains("it would need that statement to go"), "{text}");
}

#[test]
fn a_name_that_nobody_or_several_have_is_refused() {
    let mut deployment = Deployment::new();
    deployment.edge(APP, ReadObjects, BUCKET, "s3:GetObject", &["read"]).edge(
        "arn:aws:iam::999988887777:role/app",
        ReadObjects,
        BUCKET,
        "s3:GetObject",
        &["theirs"],
    );
    let graph = deployment.graph();
    let reasoner = deployment.reasoner();
    let ask = |who: &str, what: &str| reasoner.explain(&graph, who, ReadRecords, what, |_, _, _| vec![]);
    assert_eq!(ask("nobody", BUCKET), Err(ExplainError::UnknownPrincipal("nobody".into())));
    assert!(matches!(ask("app", BUCKET), Err(ExplainError::AmbiguousPrincipal { .. })));
    assert_eq!(ask(APP, "nothing"), Err(ExplainError::UnknownTarget("nothing".into())));
}

#[test]
fn without_trails_nothing_is_unused() {
    let mut deployment = Deployment::new();
    deployment.edge(APP, ReadObjects, BUCKET, "s3:GetObject", &["read"]);
    let usages = granted_versus_used(&deployment.access, None);
    assert_eq!(usages.iter().map(|usage| usage.state).collect::<Vec<_>>(), [UsageState::Unobserved]);
}

#[test]
fn what_is_granted_is_set_against_what_trails_saw() {
    let mut deployment = Deployment::new();
    deployment
        .edge(APP, ReadObjects, BUCKET, "s3:GetObject", &["read"])
        .edge(APP, WriteObjects, BUCKET, "s3:PutObject", &["write"])
        .edge(APP, Decrypt, KEY, "kms:Decrypt", &["key"]);
    let used = |principal: &str, capability, target: &str| ObservedUse {
        principal: principal.into(),
        action: "s3:GetObject".into(),
        capability: Some(capability),
        target: target.into(),
        count: 3,
        last: None,
        evidence: [record("trail")].into(),
    };
    let observed = ObservedUses {
        covered: [(ReadObjects, BUCKET.to_owned()), (WriteObjects, BUCKET.to_owned())].into(),
        uses: vec![
            used("arn:aws:sts::111122223333:assumed-role/app/session", ReadObjects, "arn:aws:s3:::data/a/b"),
            used(AGENT, ReadObjects, BUCKET),
        ],
        ..ObservedUses::default()
    };
    let usages = granted_versus_used(&deployment.access, Some(&observed));
    let states: Vec<_> =
        usages.iter().map(|usage| (usage.principal.as_str(), usage.capability, usage.state)).collect();
    assert_eq!(
        states,
        [
            (APP, ReadObjects, UsageState::Used),
            (APP, WriteObjects, UsageState::Unused),
            (APP, Decrypt, UsageState::Unobserved),
            (AGENT, ReadObjects, UsageState::NotGranted),
        ]
    );
    assert_eq!(usages[0].used["s3:GetObject"], 3);
    assert!(usages[0].evidence.contains(&record("trail")));
}
