//! The AWS collector against a moto server that these tests start themselves, and against a proxy in front
//! of it that answers as clouds do on a bad day.
//!
//! Needs `CADASTRE_PYTHON`, a Python with `moto[server]`; without it each test says that it was skipped.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a helper that fails is a test that fails, and a skipped test says so"
)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use cadastre_collect::aws::{self, AccountTarget, AwsTarget, Credentials, permissions};
use cadastre_model::declaration::Declaration;
use cadastre_model::progress::Progress;
use cadastre_model::record::{MemorySink, Observation, Outcome, Record, RecordId, RecordSink, SinkError};
use cadastre_model::time::SystemClock;
use serde_json::Value;
use support::moto::{self, Moto};
use support::proxy::{Fault, Proxy};
use tokio_util::sync::CancellationToken;

const ACCOUNT: &str = "111122223333";
const REGION: &str = "eu-central-1";

/// Keeps the warnings.
#[derive(Debug, Default)]
struct Warnings(Mutex<Vec<String>>);

impl Warnings {
    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl Progress for Warnings {
    fn step(&self, _message: &str) {}

    fn warn(&self, message: &str) {
        self.0.lock().unwrap().push(message.to_owned());
    }
}

/// As the read-only role of the reference account, or as nobody in particular.
fn target(url: &str, moto: Option<&Moto>) -> AwsTarget {
    let credentials = match moto {
        Some(moto) => {
            let text = |name: &str| moto.seeded["scanner"][name].as_str().unwrap().to_owned();
            Credentials::new(
                text("AccessKeyId"),
                text("SecretAccessKey"),
                Some(text("SessionToken")),
                None,
                "test",
            )
        }
        None => Credentials::new("testing", "testing", None, None, "test"),
    };
    AwsTarget {
        endpoint_url: Some(url.to_owned()),
        credentials: Some(credentials),
        regions: vec![REGION.to_owned()],
        accounts: vec![AccountTarget { id: ACCOUNT.to_owned(), role_arn: None, external_id: None }],
        ..AwsTarget::default()
    }
}

async fn scan(target: &AwsTarget) -> (Vec<Record>, Vec<String>) {
    let sink = MemorySink::default();
    let warnings = Warnings::default();
    aws::collect(target, &sink, &SystemClock, &warnings, &CancellationToken::new()).await.unwrap();
    (sink.into_records(), warnings.lines())
}

fn of<'a>(records: &'a [Record], operation: &str) -> Vec<&'a Record> {
    records.iter().filter(|record| record.operation == operation).collect()
}

#[track_caller]
fn the_one<'a>(records: &'a [Record], operation: &str) -> &'a Record {
    let found = of(records, operation);
    assert_eq!(found.len(), 1, "{operation}: {found:?}");
    found[0]
}

#[tokio::test]
async fn a_scan_makes_every_call_of_the_table_and_no_other() {
    let Some(moto) = moto::planted() else { return };
    let (records, warnings) = scan(&target(&moto.url, Some(moto))).await;
    let made: BTreeSet<&str> = records.iter().map(|record| record.operation.as_str()).collect();
    let table: BTreeSet<&str> = permissions::CALLS.iter().map(|call| call.operation).collect();
    assert_eq!(made, table);
    for record in &records {
        let answered = matches!(record.outcome, Outcome::Observed | Outcome::Absent);
        assert!(answered, "{} {} {:?}", record.operation, record.subject, record.problem);
        assert_eq!(record.caller, "arn:aws:sts::111122223333:assumed-role/cadastre-scanner/review");
        assert_eq!(record.scope.account.as_deref(), Some(ACCOUNT));
    }
    assert_eq!(warnings, Vec::<String>::new());
}

#[tokio::test]
async fn each_question_is_asked_once_and_all_its_pages_are_there() {
    let Some(moto) = moto::clean() else { return };
    let (records, _) = scan(&target(&moto.url, Some(moto))).await;
    let mut questions = BTreeMap::new();
    for record in &records {
        let question = (record.operation.clone(), record.scope.clone(), record.subject.clone());
        questions.entry(question).or_insert_with(Vec::new).push(record.page);
    }
    for (question, mut pages) in questions {
        pages.sort();
        let numbers: Vec<u32> = pages.iter().map(|page| page.number).collect();
        assert_eq!(numbers, (1..=u32::try_from(pages.len()).unwrap()).collect::<Vec<_>>(), "{question:?}");
        assert!(pages.last().unwrap().last, "{question:?}");
    }
}

#[tokio::test]
async fn policies_are_kept_as_documents_whatever_the_service_wraps_them_in() {
    let Some(moto) = moto::clean() else { return };
    let (records, _) = scan(&target(&moto.url, Some(moto))).await;
    let holds_statements = |value: &Value| value["Statement"].is_array();

    let details = &the_one(&records, "iam:GetAccountAuthorizationDetails").response;
    let broker =
        details["RoleDetailList"].as_array().unwrap().iter().find(|r| r["RoleName"] == "kafka-broker");
    assert!(holds_statements(&broker.unwrap()["AssumeRolePolicyDocument"]));
    assert!(holds_statements(&broker.unwrap()["RolePolicyList"][0]["PolicyDocument"]));

    let data_key = moto.seeded["keys"]["payments-kafka-data"].as_str().unwrap();
    let policies = of(&records, "kms:GetKeyPolicy");
    let policy = policies.iter().find(|record| record.subject == data_key).unwrap();
    assert!(holds_statements(&policy.response["Policy"]));

    let bucket = format!("arn:aws:s3:::payments-kafka-data-{ACCOUNT}");
    let policies = of(&records, "s3:GetBucketPolicy");
    let policy = policies.iter().find(|record| record.subject == bucket).unwrap();
    assert!(holds_statements(&policy.response["Policy"]));
    assert_eq!(policy.scope.region.as_deref(), Some(REGION));

    let endpoints = &the_one(&records, "ec2:DescribeVpcEndpoints").response["VpcEndpoints"];
    assert!(
        endpoints.as_array().unwrap().iter().all(|endpoint| holds_statements(&endpoint["PolicyDocument"]))
    );
    assert!(
        of(&records, "organizations:DescribePolicy")
            .iter()
            .all(|record| holds_statements(&record.response["Policy"]["Content"]))
    );
    assert_eq!(
        the_one(&records, "events:ListRules").response["Rules"][0]["EventPattern"]["source"][0],
        "aws.kms"
    );
}

#[tokio::test]
async fn no_access_key_leaves_the_account_whole() {
    let Some(moto) = moto::planted() else { return };
    let (records, _) = scan(&target(&moto.url, Some(moto))).await;
    let keys: Vec<&Record> = of(&records, "iam:ListAccessKeys");
    let listed = keys.iter().find(|record| record.subject.ends_with("user/ops-legacy")).unwrap();
    let id = listed.response["AccessKeyMetadata"][0]["AccessKeyId"].as_str().unwrap();
    assert_eq!(id.len(), 8, "{id}");
    for record in &records {
        let text = serde_json::to_string(record).unwrap();
        let scanner = moto.seeded["scanner"]["AccessKeyId"].as_str().unwrap();
        assert!(!text.contains("AKIA") && !text.contains(scanner), "{text}");
    }
}

#[tokio::test]
async fn every_recorded_member_is_described() {
    let Some(moto) = moto::planted() else { return };
    let described = support::documentation::examples();
    let (records, _) = scan(&target(&moto.url, Some(moto))).await;
    for record in records.iter().filter(|record| record.outcome == Outcome::Observed) {
        let examples = described.get(record.operation.as_str());
        let examples = examples.unwrap_or_else(|| panic!("{} is not described", record.operation));
        let result = examples
            .iter()
            .map(|example| support::documentation::undescribed(&record.response, example, ""))
            .min_by_key(Vec::len)
            .unwrap();
        assert_eq!(result, Vec::<String>::new(), "{}", record.operation);
    }
    for call in permissions::CALLS {
        assert!(described.contains_key(call.operation), "{} is not described", call.operation);
    }
}

#[tokio::test]
async fn a_denied_call_is_recorded_as_denied_and_the_rest_goes_on() {
    let Some(moto) = moto::clean() else { return };
    let faults = [
        ("GetAccountAuthorizationDetails", Fault::Denied("AccessDenied")),
        ("DescribeVpcs", Fault::Denied("UnauthorizedOperation")),
        ("TrentService.ListGrants", Fault::Denied("AccessDeniedException")),
    ];
    let proxy = Proxy::start(&moto.url, faults).await;
    let (records, warnings) = scan(&target(&proxy.url, Some(moto))).await;
    for operation in ["iam:GetAccountAuthorizationDetails", "ec2:DescribeVpcs"] {
        let record = the_one(&records, operation);
        assert_eq!(record.outcome, Outcome::Denied);
        assert_eq!(record.response, Value::Null);
        let lines: Vec<&String> = warnings.iter().filter(|line| line.contains(operation)).collect();
        assert_eq!(lines.len(), 1, "{warnings:?}");
    }
    let grants = of(&records, "kms:ListGrants");
    assert_eq!(grants.len(), 3);
    assert!(grants.iter().all(|record| record.outcome == Outcome::Denied));
    assert_eq!(warnings.iter().filter(|line| line.contains("kms:ListGrants")).count(), 1, "{warnings:?}");
    assert_eq!(the_one(&records, "ec2:DescribeSubnets").outcome, Outcome::Observed);
    assert_eq!(of(&records, "kms:GetKeyRotationStatus").len(), 3);
}

#[tokio::test]
async fn throttling_expiry_html_and_an_unfinished_answer_are_told_apart() {
    let Some(moto) = moto::clean() else { return };
    let faults = [
        ("Logs_20140328.DescribeLogGroups", Fault::Throttled),
        ("DescribeTrails", Fault::Expired),
        ("DescribeInstances", Fault::Html),
        ("GetAccountSummary", Fault::Html),
        ("DescribeSecurityGroups", Fault::EndsEarly),
        ("ListInstanceProfiles", Fault::ConnectionCut),
    ];
    let proxy = Proxy::start(&moto.url, faults).await;
    let (records, warnings) = scan(&target(&proxy.url, Some(moto))).await;
    let check = |operation: &str, outcome: Outcome, code: &str| {
        let record = the_one(&records, operation);
        let problem = record.problem.as_ref().unwrap();
        assert_eq!((record.outcome, problem.code.as_str()), (outcome, code), "{problem:?}");
        assert!(!problem.message.contains('\n'));
        assert!(record.response.is_null());
    };
    check("logs:DescribeLogGroups", Outcome::Failed, "ThrottlingException");
    check("cloudtrail:DescribeTrails", Outcome::Failed, "ExpiredTokenException");
    check("ec2:DescribeInstances", Outcome::Failed, "not-an-answer");
    check("iam:GetAccountSummary", Outcome::Failed, "not-an-answer");
    check("ec2:DescribeSecurityGroups", Outcome::Truncated, "cut-short");
    check("iam:ListInstanceProfiles", Outcome::Truncated, "cut-short");
    assert_eq!(warnings.len(), 6, "{warnings:#?}");
    assert_eq!(warnings.iter().filter(|line| line.contains("have expired")).count(), 1, "{warnings:#?}");
    assert!(proxy.requests("Logs_20140328.DescribeLogGroups") > 1, "throttled calls are repeated");
    assert_eq!(the_one(&records, "ec2:DescribeVpcs").outcome, Outcome::Observed);
}

#[tokio::test]
async fn a_missing_second_page_leaves_the_answer_incomplete() {
    let Some(moto) = moto::clean() else { return };
    let faults = [
        ("DescribeSubnets", Fault::SecondPage { fails: true }),
        ("DescribeRouteTables", Fault::SecondPage { fails: false }),
        ("DescribeVpcs", Fault::SamePageForEver),
    ];
    let proxy = Proxy::start(&moto.url, faults).await;
    let (records, warnings) = scan(&target(&proxy.url, Some(moto))).await;

    let subnets = of(&records, "ec2:DescribeSubnets");
    let pages: Vec<(u32, bool, Outcome)> =
        subnets.iter().map(|record| (record.page.number, record.page.last, record.outcome)).collect();
    assert_eq!(pages, [(1, false, Outcome::Observed), (2, false, Outcome::Denied)]);

    let tables = of(&records, "ec2:DescribeRouteTables");
    let pages: Vec<(u32, bool, Outcome)> =
        tables.iter().map(|record| (record.page.number, record.page.last, record.outcome)).collect();
    assert_eq!(pages, [(1, false, Outcome::Observed), (2, true, Outcome::Observed)]);

    let vpcs = of(&records, "ec2:DescribeVpcs");
    let last = vpcs.last().unwrap();
    assert_eq!((last.outcome, last.page.last), (Outcome::Truncated, false));
    assert_eq!(last.problem.as_ref().unwrap().code, "page-loop");
    assert_eq!(warnings.len(), 2, "{warnings:?}");
}

#[tokio::test]
async fn an_unreachable_endpoint_costs_one_line_a_service_and_every_list_is_recorded_as_failed() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (records, warnings) = scan(&target(&format!("http://{free}"), None)).await;
    let services: BTreeSet<&str> =
        records.iter().map(|record| record.operation.split(':').next().unwrap()).collect();
    let expected = ["cloudtrail", "ec2", "events", "iam", "kms", "logs", "organizations", "s3", "sts"];
    assert_eq!(services, BTreeSet::from(expected));
    for service in services {
        let lines = warnings.iter().filter(|line| line.starts_with(&format!("{service} in"))).count();
        assert_eq!(lines, 1, "{service}: {warnings:#?}");
    }
    assert_eq!(warnings.len(), expected.len(), "{warnings:#?}");
    assert!(records.iter().all(|record| record.outcome == Outcome::Failed));
    for operation in ["ec2:DescribeVpcs", "kms:ListKeys", "s3:ListBuckets", "iam:ListRoles"] {
        the_one(&records, operation);
    }
}

#[tokio::test]
async fn a_role_is_assumed_in_each_declared_account_and_what_cannot_be_is_recorded() {
    let Some(moto) = moto::clean() else { return };
    let account = |id: &str, role: Option<&str>| AccountTarget {
        id: id.to_owned(),
        role_arn: role.map(str::to_owned),
        external_id: None,
    };
    let mut target = target(&moto.url, None);
    target.accounts = vec![
        account(ACCOUNT, Some("arn:aws:iam::111122223333:role/cadastre-scanner")),
        account("444455556666", None),
        account("777788889999", Some("arn:aws:iam::444455556666:role/elsewhere")),
    ];
    let (records, warnings) = scan(&target).await;
    let assumed = of(&records, "sts:AssumeRole");
    let outcome = |subject: &str| assumed.iter().find(|record| record.subject == subject).unwrap().outcome;
    assert_eq!(outcome("arn:aws:iam::111122223333:role/cadastre-scanner"), Outcome::Observed);
    assert_eq!(outcome("444455556666"), Outcome::Failed);
    assert!(records.iter().any(|record| record.problem.as_ref().is_some_and(|p| p.code == "wrong-account")));
    let scanned: BTreeSet<&str> = of(&records, "ec2:DescribeVpcs")
        .iter()
        .map(|record| record.scope.account.as_deref().unwrap())
        .collect();
    assert_eq!(scanned, BTreeSet::from([ACCOUNT]));
    let callers: BTreeSet<&str> =
        of(&records, "ec2:DescribeVpcs").iter().map(|record| record.caller.as_str()).collect();
    assert_eq!(callers, BTreeSet::from(["arn:aws:sts::111122223333:assumed-role/cadastre-scanner/cadastre"]));
    assert_eq!(warnings.len(), 2, "{warnings:#?}");
    assert!(!serde_json::to_string(&records).unwrap().contains("SecretAccessKey"));
}

#[test]
fn the_boundary_of_the_reference_account_is_well_formed() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/clean/boundary.yaml");
    let declaration = Declaration::read(path.as_ref()).unwrap();
    assert!(declaration.has_account(ACCOUNT));
}

/// Stops the scan after so many records.
struct Impatient {
    kept: MemorySink,
    left: Mutex<u32>,
    token: CancellationToken,
}

impl RecordSink for Impatient {
    fn put(&self, observation: Observation) -> Result<RecordId, SinkError> {
        let mut left = self.left.lock().unwrap();
        *left = left.saturating_sub(1);
        if *left == 0 {
            self.token.cancel();
        }
        self.kept.put(observation)
    }
}

#[tokio::test]
async fn a_stopped_scan_keeps_what_it_has_and_asks_no_more() {
    let Some(moto) = moto::clean() else { return };
    let token = CancellationToken::new();
    let sink = Impatient { kept: MemorySink::default(), left: Mutex::new(20), token: token.clone() };
    let warnings = Warnings::default();
    let target = target(&moto.url, Some(moto));
    aws::collect(&target, &sink, &SystemClock, &warnings, &token).await.unwrap();
    let records = sink.kept.into_records();
    let observed = records.iter().filter(|record| record.outcome == Outcome::Observed).count();
    assert!((10..=40).contains(&observed), "{observed}");
    for record in records.iter().filter(|record| record.outcome == Outcome::Truncated) {
        assert_eq!(record.problem.as_ref().unwrap().code, "interrupted");
    }
    assert_eq!(warnings.lines(), Vec::<String>::new());
}
