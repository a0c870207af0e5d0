//! Queries over files: their answers, their order, and what is said of what could not be used.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod support;

use cadastre_logs::flows::{CloudRanges, flow_table};
use cadastre_logs::query::{AnswerFormat, NamingInput, Sources, TableName};
use cadastre_model::declaration::Declaration;
use cadastre_query::TableRead;
use support::{HEADER, ask, events, flow_logs, sources};

fn csv(sql: &str, sources: &Sources) -> String {
    ask(sql, sources, AnswerFormat::Csv).unwrap().0
}

#[test]
fn a_query_answers_what_the_flow_table_answers() {
    let root = tempfile::tempdir().unwrap();
    flow_logs(root.path());
    let mut expected = Vec::new();
    flow_table(root.path())
        .unwrap()
        .write(cadastre_logs::flows::FlowTableFormat::Csv, None, &mut expected)
        .unwrap();
    let answer = csv(
        "SELECT srcaddr, dstaddr, dstport, protocol, action, sum(bytes) AS bytes, sum(packets) AS packets, sum(flows) AS flows, min(start) AS first, max(\"end\") AS last
         FROM flows WHERE log_status = 'OK' GROUP BY srcaddr, dstaddr, dstport, protocol, action",
        &sources(&[(TableName::Flows, root.path())]),
    );
    let sorted = |text: &str| {
        let mut rows: Vec<String> = text.lines().map(str::to_owned).collect();
        rows.sort_unstable();
        rows
    };
    assert_eq!(sorted(&answer), sorted(&String::from_utf8(expected).unwrap()));
}

#[test]
fn the_same_files_give_the_same_bytes_however_the_query_leaves_their_order() {
    let root = tempfile::tempdir().unwrap();
    flow_logs(root.path());
    let sources = sources(&[(TableName::Flows, root.path())]);
    for sql in [
        "SELECT srcaddr, dstport FROM flows",
        "SELECT * FROM flows LIMIT 7",
        "SELECT srcaddr, bytes FROM flows ORDER BY bytes DESC LIMIT 50",
        "SELECT srcaddr FROM flows ORDER BY \"end\" LIMIT 50 OFFSET 3",
        "SELECT DISTINCT interface_id, action FROM flows",
    ] {
        let first = csv(sql, &sources);
        assert!(first.lines().count() > 5, "{sql}");
        for _again in 0..3 {
            assert_eq!(csv(sql, &sources), first, "{sql}");
        }
    }
}

#[test]
fn what_cannot_be_used_is_counted_and_told_as_the_flow_table_tells_it() {
    let root = tempfile::tempdir().unwrap();
    let good = "2 1 eni-1 10.0.0.1 10.0.0.2 1 80 6 1 100 5 6 ACCEPT OK\n";
    let text = format!(
        "{HEADER}{good}2 1 eni-1 10.0.0.1\n2 1 eni-1 10.0.0.300 10.0.0.2 1 80 6 1 100 5 6 ACCEPT OK\n2 1 eni-1 - - - - - - - 5 6 - SKIPDATA\n2 1 eni-1 10.0.0.1 10.0.0.2 x 80 6 1 100 5 6 ACCEPT OK\n"
    );
    std::fs::write(root.path().join("a.log"), text).unwrap();
    std::fs::write(root.path().join("b.bin"), b"\x7fELF\0\0").unwrap();
    let sources = sources(&[(TableName::Flows, root.path())]);
    let (answer, read) = ask("SELECT count(*) AS n FROM flows", &sources, AnswerFormat::Json).unwrap();
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["rows"], serde_json::json!([{"n": 3}]));
    let expected = serde_json::to_value(flow_table(root.path()).unwrap().summary()).unwrap();
    assert_eq!(answer["read"]["flows"], expected);
    assert!(!read["flows"].is_whole());
    // A column that only a query reads is told when it is read.
    let (answer, read) = ask("SELECT srcport FROM flows", &sources, AnswerFormat::Csv).unwrap();
    assert_eq!(answer, "srcport\r\n1\r\n\r\n\r\n");
    let (lines, _) = read["flows"].complaints();
    assert!(lines.iter().any(|line| line.starts_with("a.log:6: unread-field: srcport")), "{lines:?}");
}

#[test]
fn azures_tuples_are_rows_beside_aws_records() {
    let root = tempfile::tempdir().unwrap();
    let vnet = r#"{"records":[{"macAddress":"00224871C205","flowRecords":{"flows":[{"flowGroups":[{"rule":"DefaultRule_AllowInternetOutBound",
        "flowTuples":["1663146003606,10.0.0.6,192.0.2.180,23956,443,6,O,E,NX,3,767,2,1580"]}]}]}}]}"#;
    std::fs::write(root.path().join("PT1H.json"), vnet).unwrap();
    std::fs::write(
        root.path().join("a.log"),
        format!("{HEADER}2 1 eni-1 ::ffff:10.0.0.1 10.0.0.2 1 80 6 1 100 5 6 ACCEPT OK\n"),
    )
    .unwrap();
    let answer = csv(
        "SELECT srcaddr, srcport, dstport, bytes, packets, flows, action, flow_direction, state, rule, interface_id, encryption_status, file, line FROM flows",
        &sources(&[(TableName::Flows, root.path())]),
    );
    assert_eq!(
        answer,
        "srcaddr,srcport,dstport,bytes,packets,flows,action,flow_direction,state,rule,interface_id,encryption_status,file,line\r\n\
         10.0.0.1,1,80,100,1,1,ACCEPT,,,,eni-1,,a.log,2\r\n\
         10.0.0.6,23956,443,2347,5,0,ACCEPT,egress,E,DefaultRule_AllowInternetOutBound,00224871C205,NX,PT1H.json,1\r\n"
    );
}

#[test]
fn with_a_declaration_flows_say_what_they_mean() {
    let root = tempfile::tempdir().unwrap();
    std::fs::write(
        root.path().join("a.log"),
        format!("{HEADER}2 1 e 10.0.0.1 10.0.1.1 1 9094 6 1 100 5 6 ACCEPT OK\n2 1 e 10.0.1.1 9.9.9.9 1 53 17 1 7 5 6 REJECT OK\n2 1 e - - - - - - - 5 6 - NODATA\n"),
    )
    .unwrap();
    let boundary = "schema: cadastre/boundary/v1\nname: p\noperating-model: self-managed\narchitecture: shared-storage\nnetworks:\n  - {name: clients, cidrs: [10.0.0.0/24], purpose: clients}\n  - {name: brokers, cidrs: [10.0.1.0/24], purpose: brokers}\nflows:\n  - {name: produce, purpose: ingress, from: clients, to: brokers, ports: [9094]}\n";
    let mut sources = sources(&[(TableName::Flows, root.path())]);
    let sql = "SELECT src, dst_kind, purpose, flow, reply FROM flows";
    assert!(ask(sql, &sources, AnswerFormat::Csv).unwrap_err().to_string().contains("src"));
    sources.naming = Some(NamingInput {
        declaration: Declaration::parse(boundary, "boundary.yaml").unwrap(),
        assets: vec![("10.0.1.1".parse().unwrap(), "i-0abc".to_owned())],
        ranges: CloudRanges::default(),
    });
    assert_eq!(
        csv(sql, &sources),
        "src,dst_kind,purpose,flow,reply\r\nnetwork:brokers/i-0abc,internet,egress,,false\r\nnetwork:clients,network,ingress,produce,false\r\n,,,,false\r\n"
    );
}

#[test]
fn events_and_flows_are_joined() {
    let root = tempfile::tempdir().unwrap();
    flow_logs(&root.path().join("flows"));
    events(&root.path().join("trail"));
    let sources = sources(&[
        (TableName::Flows, &root.path().join("flows")),
        (TableName::Events, &root.path().join("trail")),
    ]);
    let (answer, read) = ask(
        "SELECT action, principal, count(*) AS n FROM events WHERE errorcode IS NULL GROUP BY action, principal ORDER BY n DESC, principal LIMIT 3",
        &sources,
        AnswerFormat::Table,
    )
    .unwrap();
    assert!(answer.starts_with("action        principal"), "{answer}");
    assert!(matches!(&read["events"], TableRead::Events(read) if read.events == 600 && read.is_whole()));
    let joined = csv(
        "SELECT count(DISTINCT sourceipaddress) AS n FROM events JOIN flows ON sourceipaddress = srcaddr",
        &sources,
    );
    assert_eq!(joined, "n\r\n9\r\n");
}

#[test]
fn azures_activity_is_a_table() {
    let root = tempfile::tempdir().unwrap();
    std::fs::write(
        root.path().join("PT1H.json"),
        "{\"time\":\"2026-03-01T10:00:00Z\",\"operationName\":\"MICROSOFT.KEYVAULT/VAULTS/WRITE\",\"resultType\":\"Success\",\"durationMs\":\"12\",\"identity\":{\"claims\":{\"name\":\"Operator\"}}}\n{\"time\":1}\n",
    )
    .unwrap();
    let (answer, read) = ask(
        "SELECT operationname, durationms + 1 AS d, principal_name FROM activity",
        &sources(&[(TableName::Activity, root.path())]),
        AnswerFormat::Csv,
    )
    .unwrap();
    assert_eq!(answer, "operationname,d,principal_name\r\nMICROSOFT.KEYVAULT/VAULTS/WRITE,13,Operator\r\n");
    let (lines, refused) = read["activity"].complaints();
    assert_eq!(
        (lines, refused),
        (vec!["PT1H.json, record 2: `time` is missing or of another type".to_owned()], 1)
    );
}

#[test]
fn only_queries_are_answered_and_what_is_wrong_is_said() {
    let root = tempfile::tempdir().unwrap();
    flow_logs(&root.path().join("flows"));
    std::fs::create_dir(root.path().join("empty")).unwrap();
    let flows = root.path().join("flows");
    let empty = root.path().join("empty");
    let given = sources(&[(TableName::Flows, &flows), (TableName::Events, &empty)]);
    let out = root.path().join("out.csv").display().to_string();
    for (sql, because) in [
        ("SELEC 1".to_owned(), "cannot understand the query"),
        ("SELECT nonsense FROM flows".to_owned(), "nonsense"),
        (
            "SELECT * FROM elsewhere".to_owned(),
            "there is no table `elsewhere`; there are `flows`, `events`, `activity`",
        ),
        ("SELECT * FROM other.flows".to_owned(), "there is no table `other.flows`"),
        ("SELECT * FROM activity".to_owned(), "nothing says where the logs of table `activity` are"),
        ("SELECT * FROM events".to_owned(), "there are no files of CloudTrail events in"),
        (format!("COPY (SELECT 1) TO '{out}'"), "only queries are answered"),
        ("CREATE TABLE flows AS SELECT 1".to_owned(), "only queries are answered"),
        ("CREATE TABLE t AS SELECT 1".to_owned(), "only queries are answered: `CREATE` is none"),
        ("INSERT INTO t VALUES (1)".to_owned(), "only queries are answered: `INSERT` is none"),
        ("WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a".to_owned(), "only queries are answered"),
        ("EXPLAIN DELETE FROM elsewhere".to_owned(), "only queries are answered"),
        ("DROP TABLE elsewhere".to_owned(), "only queries are answered: `DROP` is none"),
        (format!("CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '{out}'"), "only queries are answered"),
        ("SET datafusion.execution.batch_size = 1".to_owned(), "only queries are answered"),
        ("SELECT bytes / 0 FROM flows WHERE bytes IS NOT NULL".to_owned(), "cannot answer the query"),
    ] {
        let error = ask(&sql, &given, AnswerFormat::Csv).unwrap_err().to_string();
        assert!(error.contains(because), "{sql}: {error}");
    }
    assert!(!std::path::Path::new(&out).exists());
}

#[test]
fn a_spreadsheet_gets_no_formula_and_a_terminal_no_control_characters() {
    let given = sources(&[]);
    assert_eq!(csv("SELECT '=1+1' AS a, -5 AS b, 'x,y' AS c", &given), "a,b,c\r\n'=1+1,-5,\"x,y\"\r\n");
    let (table, _) = ask("SELECT '\u{1b}[2J' AS a, NULL AS b", &given, AnswerFormat::Table).unwrap();
    assert_eq!(table, "a          b\n\\u{1b}[2J  -\n");
}
