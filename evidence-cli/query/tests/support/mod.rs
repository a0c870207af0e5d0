//! Logs for the tests: flow records of several kinds with damage among them, events, activity.

#![allow(dead_code, reason = "each test takes what it needs")]
#![expect(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use cadastre_logs::query::{AnswerFormat, Engine, QueryRequest, Sources, TableName};
use cadastre_query::{QueryError, Read, answer};
use flate2::Compression;
use flate2::write::GzEncoder;

pub(crate) const HEADER: &str = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n";

pub(crate) fn gzip(path: &Path, text: &str) {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    std::fs::write(path, encoder.finish().unwrap()).unwrap();
}

/// Records in four files, with nothing in some fields.
pub(crate) fn flow_logs(directory: &Path) {
    std::fs::create_dir_all(directory).unwrap();
    let mut state = 11_u64;
    let mut below = |bound: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    };
    for file in 0..4 {
        let mut text = HEADER.to_owned();
        for _ in 0..5_000 {
            if below(50) == 0 {
                let status = if below(2) == 0 { "NODATA" } else { "SKIPDATA" };
                writeln!(text, "2 111122223333 eni-{} - - - - - - - 100 160 - {status}", below(5)).unwrap();
                continue;
            }
            let source = match below(3) {
                0 => format!("2001:db8::{:x}", below(20) + 1),
                _ => format!("10.0.{}.{}", below(3), below(20)),
            };
            let mut or_nothing =
                |value: u64, of: u64| if below(of) == 0 { "-".to_owned() } else { value.to_string() };
            let (port, bytes, packets) = (or_nothing(443, 5), or_nothing(1_500, 9), or_nothing(3, 9));
            let start = 1_772_323_200 + below(86_400);
            writeln!(
                text,
                "2 111122223333 eni-{} {source} 10.1.0.{} {} {port} {} {packets} {bytes} {start} {} {} OK",
                below(5),
                below(9),
                1_024 + below(60_000),
                below(3) * 8 + 1,
                start + below(600),
                if below(4) == 0 { "REJECT" } else { "ACCEPT" },
            )
            .unwrap();
        }
        gzip(&directory.join(format!("{file}.log.gz")), &text);
    }
}

/// Events in three files.
pub(crate) fn events(directory: &Path) {
    std::fs::create_dir_all(directory).unwrap();
    for file in 0..3_u64 {
        let records: Vec<serde_json::Value> = (0..200_u64)
            .map(|at| {
                let role = format!("arn:aws:iam::111122223333:role/r{}", at % 7);
                serde_json::json!({
                    "eventVersion": "1.11", "eventID": format!("{file}-{at:04}"), "eventTime": format!("2026-03-0{}T10:{:02}:00Z", file + 1, at % 60),
                    "eventSource": if at % 3 == 0 { "kms.amazonaws.com" } else { "s3.amazonaws.com" },
                    "eventName": if at % 3 == 0 { "Decrypt" } else { "GetObject" }, "awsRegion": "eu-central-1",
                    "sourceIPAddress": format!("10.0.0.{}", at % 9), "readOnly": at % 2 == 0, "requestID": format!("r{at}"),
                    "errorCode": if at % 11 == 0 { serde_json::Value::from("AccessDenied") } else { serde_json::Value::Null },
                    "userIdentity": {"type": "AssumedRole", "accountId": "111122223333", "arn": format!("{role}/s"),
                        "sessionContext": {"sessionIssuer": {"type": "Role", "arn": role}}},
                })
            })
            .collect();
        gzip(
            &directory.join(format!("{file}.json.gz")),
            &serde_json::json!({"Records": records}).to_string(),
        );
    }
}

pub(crate) fn sources(tables: &[(TableName, &Path)]) -> Sources {
    Sources {
        directories: tables.iter().map(|(table, path)| (*table, PathBuf::from(path))).collect(),
        naming: None,
    }
}

pub(crate) fn ask(sql: &str, sources: &Sources, format: AnswerFormat) -> Result<(String, Read), QueryError> {
    let mut out = Vec::new();
    let request =
        QueryRequest { sql: sql.to_owned(), engine: Engine::Here, sources: sources.clone(), format };
    let read = answer(&request, &mut out)?;
    Ok((String::from_utf8(out).unwrap(), read))
}

/// Queries that DuckDB understands too.
pub(crate) fn queries() -> Vec<String> {
    serde_json::from_str(include_str!("../queries.json")).unwrap()
}

/// Queries that were answered alike by both sides of a test, told to whoever asked for it.
#[derive(Debug, Default)]
pub(crate) struct Report(Vec<serde_json::Value>);

impl Report {
    /// Counts an answer in JSON.
    pub(crate) fn add(&mut self, query: &str, answer: &str) {
        let parsed: serde_json::Value = serde_json::from_str(answer).unwrap();
        let rows = parsed.get("rows").and_then(serde_json::Value::as_array).unwrap().len();
        self.0.push(serde_json::json!({"query": query, "rows": rows, "bytes": answer.len()}));
    }

    pub(crate) fn write(&self, name: &str) {
        if let Some(directory) = std::env::var_os("CADASTRE_QUERY_REPORT") {
            let path = PathBuf::from(directory).join(name);
            std::fs::write(path, serde_json::to_string(&self.0).unwrap()).unwrap();
        }
    }
}
