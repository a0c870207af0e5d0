//! Scanning, and finding what a record says.

use std::path::Path;

use cadastre_collect::kafka::{self, KafkaOptions, KafkaTarget};
use cadastre_model::declaration::{ClientSecurity, SaslMechanism, SecurityProtocol};
use cadastre_model::progress::Silent;
use cadastre_model::record::{MemorySink, Outcome, Record};
use cadastre_model::time::SystemClock;
use cadastre_protocol::client::Password;
use serde_json::{Value, json};

use super::{ADMIN, SCANNER, documentation};

/// A scan of a cluster by SASL_SSL.
pub(crate) fn target(bootstrap: &str, authority: &Path, (username, password): (&str, &str)) -> KafkaTarget {
    KafkaTarget {
        name: "payments".to_owned(),
        bootstrap: vec![bootstrap.to_owned()],
        security: ClientSecurity {
            protocol: SecurityProtocol::SaslSsl,
            mechanism: Some(SaslMechanism::ScramSha512),
            username: Some(username.to_owned()),
            password_env: None,
            password_file: None,
            ca_file: Some(authority.display().to_string()),
            certificate_file: None,
            key_file: None,
        },
        password: Some(Password::new(password.to_owned())),
        additional_listeners: Vec::new(),
    }
}

/// Scans, and checks what must be true of every record.
pub(crate) async fn scan(target: &KafkaTarget, probes: bool) -> Vec<Record> {
    let sink = MemorySink::default();
    let options = KafkaOptions { probes, ..KafkaOptions::new(&SystemClock, &Silent) };
    scan_with(target, sink, options).await
}

/// As [`scan`], with other options.
pub(crate) async fn scan_with(
    target: &KafkaTarget,
    sink: MemorySink,
    options: KafkaOptions<'_>,
) -> Vec<Record> {
    kafka::collect(target, &sink, &options).await.unwrap();
    let records = sink.into_records();
    documentation::check(&records, &documentation::examples());
    for record in &records {
        assert!(
            kafka::OPERATIONS.contains(&record.operation.as_str()),
            "{} is not announced",
            record.operation
        );
        let text = serde_json::to_string(record).unwrap();
        for secret in [ADMIN.1, SCANNER.1] {
            assert!(!text.contains(secret), "{} holds a secret", record.operation);
        }
    }
    records
}

/// The records of one operation.
pub(crate) fn all<'a>(records: &'a [Record], operation: &str) -> Vec<&'a Record> {
    records.iter().filter(|record| record.operation == operation).collect()
}

/// The one record of an operation.
#[track_caller]
pub(crate) fn only<'a>(records: &'a [Record], operation: &str) -> &'a Record {
    let found = all(records, operation);
    assert_eq!(found.len(), 1, "{operation}: {found:#?}");
    found[0]
}

/// Its answer.
#[track_caller]
pub(crate) fn observed<'a>(records: &'a [Record], operation: &str) -> &'a Value {
    let record = only(records, operation);
    assert_eq!(record.outcome, Outcome::Observed, "{record:#?}");
    &record.response
}

/// The one probe of an endpoint whose request has the given member.
#[track_caller]
pub(crate) fn probe<'a>(
    records: &'a [Record],
    operation: &str,
    subject: &str,
    member: (&str, &str),
) -> &'a Record {
    let found: Vec<&Record> = all(records, operation)
        .into_iter()
        .filter(|record| record.subject == subject && record.request[member.0] == member.1)
        .collect();
    assert_eq!(found.len(), 1, "{operation} on {subject} with {member:?}: {found:#?}");
    assert_eq!(found[0].request["probe"], json!(true));
    assert_eq!(found[0].caller, "");
    found[0]
}

/// An entry of the first resource in an answer to `DescribeConfigs`.
pub(crate) fn config<'a>(response: &'a Value, name: &str) -> &'a Value {
    let configs = response["resources"][0]["configs"].as_array().unwrap();
    configs.iter().find(|config| config["name"] == name).unwrap()
}
