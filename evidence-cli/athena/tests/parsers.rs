//! What is written for Athena, read by parsers that are not ours: Hive's dialect of `sqlparser`, and sqlglot's of Athena.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::io::Write as _;
use std::process::{Command, Stdio};

use cadastre_athena::{AthenaSql, EVENT_COLUMNS, FLOW_COLUMNS, Places};
use sqlparser::dialect::{GenericDialect, HiveDialect};
use sqlparser::parser::Parser;

const QUERIES: [&str; 6] = [
    "SELECT srcaddr, dstaddr, dstport, sum(bytes) AS bytes FROM flows WHERE action = 'REJECT' GROUP BY 1, 2, 3 ORDER BY bytes DESC LIMIT 20 OFFSET 20",
    "SELECT count(*) FILTER (WHERE log_status = 'NODATA') AS silent, min(start), max(\"end\") FROM flows",
    "SELECT principal, action, count(*) FROM events WHERE errorcode IS NULL AND NOT readonly GROUP BY principal, action",
    "WITH d AS (SELECT * FROM events WHERE action = 'kms:Decrypt') SELECT kms_key, count(DISTINCT principal) FROM d GROUP BY kms_key HAVING count(*) > 1",
    "SELECT date_trunc('hour', to_timestamp(eventtime)) AS hour, rank() OVER (PARTITION BY principal ORDER BY eventtime DESC) FROM events",
    "SELECT e.eventid FROM events e JOIN flows f ON e.sourceipaddress = f.srcaddr WHERE e.useragent ILIKE '%cli%' AND f.bytes::double > 1e3",
];

/// Every statement of every query, those that make tables first.
fn statements() -> (Vec<String>, Vec<String>) {
    let every = Places {
        flow_format: FLOW_COLUMNS.iter().map(|(name, _)| (*name).to_owned()).collect(),
        ..Places::default()
    };
    let (mut tables, mut others) = (Vec::new(), Vec::new());
    for places in [&Places::default(), &every] {
        for query in QUERIES {
            let sql = AthenaSql::of(query, places).unwrap();
            for statement in sql.tables {
                let list = if statement.starts_with("CREATE EXTERNAL") { &mut tables } else { &mut others };
                list.push(statement);
            }
            others.push(sql.query);
        }
    }
    tables.dedup();
    others.dedup();
    (tables, others)
}

#[test]
fn every_statement_parses() {
    let (tables, others) = statements();
    assert!(tables.len() >= 3 && others.len() >= 12, "{} and {}", tables.len(), others.len());
    // Nested types of Hive are beyond sqlparser; sqlglot reads that table below.
    let (nested, plain): (Vec<&String>, Vec<&String>) =
        tables.iter().partition(|table| table.contains("STRUCT<"));
    assert!(!nested.is_empty() && plain.len() >= 2);
    for table in plain {
        Parser::parse_sql(&HiveDialect {}, table).unwrap_or_else(|error| panic!("{error}: {table}"));
    }
    for other in &others {
        let parsed =
            Parser::parse_sql(&GenericDialect {}, other).unwrap_or_else(|error| panic!("{error}: {other}"));
        assert_eq!(parsed.len(), 1);
    }
}

#[test]
fn sqlglot_reads_every_statement_as_athenas() {
    let Some(python) = std::env::var_os("CADASTRE_PYTHON") else {
        eprintln!("skipped: CADASTRE_PYTHON is not set; `cargo xtask test` sets it");
        return;
    };
    const SCRIPT: &str = "
import json, sys, sqlglot
from sqlglot import exp
for statement in json.load(sys.stdin):
    tree = sqlglot.parse_one(statement, read='athena', error_level=sqlglot.ErrorLevel.RAISE)
    assert not isinstance(tree, exp.Command), statement
";
    let (tables, others) = statements();
    let all: Vec<&String> = tables.iter().chain(&others).collect();
    let mut child = Command::new(python)
        .args(["-c", SCRIPT])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&serde_json::to_vec(&all).unwrap()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

#[test]
fn a_format_states_its_columns_and_the_view_fills_the_others() {
    let places = Places {
        flow_format: vec!["srcaddr".to_owned(), "pkt-dstaddr".to_owned(), "end".to_owned()],
        ..Places::default()
    };
    let sql = AthenaSql::of("SELECT * FROM flows", &places).unwrap();
    let [table, view] = sql.tables.as_slice() else { panic!("{:?}", sql.tables) };
    assert!(table.contains("`srcaddr` STRING,\n  `pkt_dstaddr` STRING,\n  `end` BIGINT\n"), "{table}");
    assert!(view.contains("nullif(\"pkt_dstaddr\", '-') AS \"pkt_dstaddr\""), "{view}");
    assert!(view.contains("CAST(NULL AS BIGINT) AS \"bytes\""), "{view}");
    assert_eq!(sql.query, "SELECT * FROM flows");
}

#[test]
fn places_and_fields_are_checked_before_they_are_written() {
    let of = |places| AthenaSql::of("SELECT 1 FROM flows, events", &places).unwrap_err().to_string();
    for place in ["s3://", "https://bucket/", "s3://b/'; DROP TABLE x; --", "s3://b/a b/", "s3://b/\\"] {
        let error = of(Places { flows: place.to_owned(), ..Places::default() });
        assert!(error.contains("is no place in S3"), "{error}");
    }
    let error = of(Places { flow_format: vec!["srcaddr".to_owned(), "x".to_owned()], ..Places::default() });
    assert_eq!(error, "`x` is no field of VPC flow logs");
    assert!(EVENT_COLUMNS.iter().any(|(name, _)| *name == "kms_key"));
}
