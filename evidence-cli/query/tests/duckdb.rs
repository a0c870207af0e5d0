//! DuckDB as a second opinion: the same queries over the same files, value by value.

mod support;

use std::process::Command;

use cadastre_logs::query::{AnswerFormat, TableName};
use support::{Report, ask, events, flow_logs, queries, sources};

/// Answers every query of a list with tab-separated values, `NULL` for nothing, rows in order of their text.
const SCRIPT: &str = r#"
import sys, json, duckdb
root, queries = sys.argv[1], json.loads(sys.argv[2])
names = 'version account_id interface_id srcaddr dstaddr srcport dstport protocol packets bytes start end action log_status'.split()
text = {'account_id', 'interface_id', 'srcaddr', 'dstaddr', 'action', 'log_status'}
columns = {name: 'VARCHAR' if name in text else 'BIGINT' for name in names}
duckdb.sql(f"CREATE VIEW flows AS FROM read_csv('{root}/flows/*.gz', delim=' ', header=true, nullstr='-', columns={columns})")
duckdb.sql(f'''CREATE VIEW events AS SELECT r.eventID AS eventid, r.eventTime AS eventtime, r.eventSource AS eventsource, r.eventName AS eventname,
    r.sourceIPAddress AS sourceipaddress, r.errorCode AS errorcode, r.readOnly AS readonly, r.requestID AS requestid,
    r.userIdentity.sessionContext.sessionIssuer.arn AS principal
    FROM (SELECT unnest(Records) AS r FROM read_json('{root}/trail/*.json.gz', columns={{'Records': 'STRUCT(eventID VARCHAR, eventTime VARCHAR, eventSource VARCHAR, eventName VARCHAR, sourceIPAddress VARCHAR, errorCode VARCHAR, readOnly BOOLEAN, requestID VARCHAR, userIdentity STRUCT(sessionContext STRUCT(sessionIssuer STRUCT(arn VARCHAR))))[]'}}))''')
def value(v):
    return 'NULL' if v is None else str(v).lower() if isinstance(v, bool) else str(v)
answers = []
for query in queries:
    rows = duckdb.sql(query).fetchall()
    answers.append(sorted('\t'.join(value(v) for v in row) for row in rows))
print(json.dumps(answers))
"#;

#[test]
fn duckdb_gives_the_same_values() {
    let Some(python) = std::env::var_os("CADASTRE_PYTHON") else {
        eprintln!("skipped: CADASTRE_PYTHON is not set");
        return;
    };
    let root = tempfile::tempdir().unwrap();
    flow_logs(&root.path().join("flows"));
    events(&root.path().join("trail"));
    let queries = queries();
    let asked = serde_json::to_string(&queries).unwrap();
    let run = Command::new(python).args(["-c", SCRIPT]).arg(root.path()).arg(asked).output().unwrap();
    let said = String::from_utf8_lossy(&run.stderr);
    if said.contains("No module named 'duckdb'") {
        eprintln!("skipped: this Python has no duckdb");
        return;
    }
    assert!(run.status.success(), "{said}");
    let theirs: Vec<Vec<String>> = serde_json::from_slice(&run.stdout).unwrap();
    let given = sources(&[
        (TableName::Flows, &root.path().join("flows")),
        (TableName::Events, &root.path().join("trail")),
    ]);
    assert_eq!(theirs.len(), queries.len());
    let mut report = Report::default();
    for (sql, theirs) in queries.iter().zip(theirs) {
        // DuckDB's `*` has the columns of the file alone, and its `/` gives no whole number.
        let ours = sql
            .replace("SELECT *", "SELECT version, account_id, interface_id, srcaddr, dstaddr, srcport, dstport, protocol, packets, bytes, start, \"end\", action, log_status")
            .replace("sum(bytes) / count(*)", "CAST(sum(bytes) AS DOUBLE) / count(*)");
        let (text, _) = ask(&ours, &given, AnswerFormat::Json).unwrap();
        let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
        let columns: Vec<&str> = answer["columns"]
            .as_array()
            .unwrap()
            .iter()
            .map(|column| column["name"].as_str().unwrap())
            .collect();
        let mut rows: Vec<String> = answer["rows"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| columns.iter().map(|column| value(&row[*column])).collect::<Vec<_>>().join("\t"))
            .collect();
        rows.sort_unstable();
        assert!(!rows.is_empty(), "{sql}");
        assert_eq!(rows, theirs, "{sql}");
        report.add(sql, &text);
    }
    report.write("duckdb.json");
}

fn value(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Null => "NULL".to_owned(),
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
