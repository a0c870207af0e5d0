//! The flow table out of directories: every format, every kind of damage, every way of writing it.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a helper that fails is a test that fails")]

use std::io::Write;
use std::path::Path;

use cadastre_logs::flows::{
    CloudRanges, FlowRow, FlowTableFormat, FlowTableOutcome, Naming, NoticeKind, flow_table,
};
use cadastre_model::declaration::Declaration;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn directory(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = directory.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    directory
}

fn json_of(path: &Path) -> Value {
    let mut out = Vec::new();
    flow_table(path).unwrap().write(FlowTableFormat::Json, None, &mut out).unwrap();
    serde_json::from_slice(&out).unwrap()
}

/// The rows as `source destination port protocol action bytes packets flows first last`, `-` for nothing.
fn rows(path: &Path) -> Vec<String> {
    let mut table = flow_table(path).unwrap();
    table.rows(None).unwrap().map(|row| show(&row.unwrap())).collect()
}

fn show(row: &FlowRow) -> String {
    let value = serde_json::to_value(row).unwrap();
    ["srcaddr", "dstaddr", "dstport", "protocol", "action", "bytes", "packets", "flows", "first", "last"]
        .map(|name| match &value[name] {
            Value::Null => "-".to_owned(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        })
        .join(" ")
}

#[track_caller]
fn check(files: &[(&str, &[u8])], expected: &[&str], noticed: &[(&str, u64)]) {
    let directory = directory(files);
    assert_eq!(rows(directory.path()), expected);
    let value = json_of(directory.path());
    let counts: Value = noticed
        .iter()
        .map(|(kind, count)| ((*kind).to_owned(), json!(count)))
        .collect::<serde_json::Map<_, _>>()
        .into();
    assert_eq!(value["noticed"], counts, "{value:#}");
}

const V2: &str = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n";

#[test]
fn records_are_summed_by_their_first_five_columns() {
    let text = format!(
        "{V2}2 111122223333 eni-1 10.0.0.1 10.0.0.2 40000 9092 6 10 1000 100 160 ACCEPT OK\n\
         2 111122223333 eni-1 10.0.0.1 10.0.0.2 40001 9092 6 5 500 50 90 ACCEPT OK\n\
         2 111122223333 eni-1 10.0.0.1 10.0.0.2 40001 9092 6 1 40 70 90 REJECT OK\n\
         2 111122223333 eni-1 - - - - - - - 100 160 - NODATA\n\
         2 111122223333 eni-1 - - - - - - - 100 160 - SKIPDATA\n"
    );
    let expected =
        ["10.0.0.1 10.0.0.2 9092 6 ACCEPT 1500 15 2 50 160", "10.0.0.1 10.0.0.2 9092 6 REJECT 40 1 1 70 90"];
    check(&[("a.log", text.as_bytes())], &expected, &[]);
    check(&[("AWSLogs/111122223333/vpcflowlogs/a.log.gz", &gzip(text.as_bytes()))], &expected, &[]);
    let directory = directory(&[("a.log", text.as_bytes())]);
    let value = json_of(directory.path());
    assert_eq!(value["gaps"], json!({ "nodata": 1, "skipdata": 1 }));
    assert_eq!((&value["rejected_lines"], &value["files"]), (&json!(0), &json!(1)));
    assert_eq!(value["completeness"], "incomplete", "records were skipped");
}

#[test]
fn columns_are_found_by_the_header_wherever_they_stand() {
    // Versions 3, 5, 7 (ECS), 8 and later, with what is needed in other places; and a transit gateway's, without action.
    let files: [(&str, &[u8]); 4] = [
        ("v3", b"vpc-id subnet-id instance-id tcp-flags type pkt-srcaddr pkt-dstaddr version srcaddr dstaddr srcport dstport protocol bytes packets start end action log-status account-id\nvpc-1 subnet-1 i-1 3 IPv4 10.0.0.9 10.0.0.8 3 10.0.0.1 10.0.0.2 1 443 6 7 1 10 20 ACCEPT OK 111122223333\n"),
        ("v7", b"log-status action end start bytes packets protocol dstport srcport dstaddr srcaddr ecs-cluster-name ecs-service-name version\nOK ACCEPT 40 30 11 2 6 443 1 10.0.0.2 10.0.0.1 payments - 7\n"),
        ("v8", b"version srcaddr dstaddr dstport protocol bytes packets start end action log-status reject-reason encryption-status\r\n8 2001:db8::1 2001:db8::2 53 17 9 1 5 6 REJECT OK BPA -\r\n"),
        ("tgw", b"version resource-type account-id srcaddr dstaddr srcport dstport protocol packets bytes start end log-status type packets-lost-no-route\n6 TransitGateway 111122223333 10.1.0.1 10.2.0.1 1 - 1 3 300 1 2 OK IPv4 0\n"),
    ];
    check(
        &files,
        &[
            "10.0.0.1 10.0.0.2 443 6 ACCEPT 18 3 2 10 40",
            "10.1.0.1 10.2.0.1 - 1 - 300 3 1 1 2",
            "2001:db8::1 2001:db8::2 53 17 REJECT 9 1 1 5 6",
        ],
        &[],
    );
}

#[test]
fn a_file_without_a_header_is_version_2_and_may_come_from_cloudwatch() {
    check(
        &[
            ("plain", b"2 1 eni-1 10.0.0.1 10.0.0.2 1 80 6 1 100 5 6 ACCEPT OK\n"),
            (
                "export/000000.gz",
                &gzip(b"2026-03-01T00:00:05.000Z 2 1 eni-1 10.0.0.1 10.0.0.2 1 80 6 1 100 7 8 ACCEPT OK\n"),
            ),
            ("other", b"5 1 eni-1 10.0.0.1 10.0.0.2 1 80 6 1 100 5 6 ACCEPT OK\n"),
        ],
        &["10.0.0.1 10.0.0.2 80 6 ACCEPT 200 2 2 5 8"],
        &[("no-header", 1)],
    );
}

#[test]
fn a_header_in_the_midst_of_a_file_counts_from_there() {
    let text = format!(
        "{V2}2 1 e 10.0.0.1 10.0.0.2 1 80 6 1 100 5 6 ACCEPT OK\n\
         srcaddr dstaddr dstport protocol action bytes packets start end log-status\n\
         10.0.0.1 10.0.0.2 80 6 ACCEPT 1 1 9 10 OK\n\
         2 1 e 10.0.0.1 10.0.0.2 1 80 6 1 100 5 6 ACCEPT OK\n"
    );
    check(
        &[("mixed", text.as_bytes())],
        &["10.0.0.1 10.0.0.2 80 6 ACCEPT 101 2 2 5 10"],
        &[("wrong-columns", 1)],
    );
}

#[test]
fn what_is_damaged_is_told_by_file_and_line_and_the_rest_is_used() {
    let long = format!("{V2}{}\n2 1 e 10.0.0.1 10.0.0.2 1 80 6 1 100 5 6 ACCEPT OK\n", "x".repeat(3 << 20));
    let good = "2 1 e 10.0.0.1 10.0.0.2 1 80 6 1 100 5 6 ACCEPT OK\n";
    let mut noise = 1_u64;
    let many: String = (0..20_000)
        .map(|_| {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            format!("2 1 e 10.0.0.1 10.0.0.2 {} 80 6 1 1 5 6 ACCEPT OK\n", noise >> 48)
        })
        .collect();
    let whole = gzip(format!("{V2}{many}").as_bytes());
    let files: [(&str, &[u8]); 6] = [
        ("a-long", long.as_bytes()),
        (
            "b-fields",
            format!("{V2}{good}2 1 e 10.0.0.1 bad 1 80 6 1 100 5 6 ACCEPT OK\n2 1 e\n\n{good}")
                .leak()
                .as_bytes(),
        ),
        ("c-skewed", format!("{V2}2 1 e 10.0.0.1 10.0.0.2 1 80 6 1 100 6 5 ACCEPT OK\n").leak().as_bytes()),
        (
            "d-mapped",
            format!("{V2}2 1 e ::ffff:10.0.0.1 10.0.0.2 1 80 6 1 100 5 6 ACCEPT OK").leak().as_bytes(),
        ),
        ("e-program", b"\x7fELF\0\0\0"),
        ("f-cut.gz", &whole[..20]),
    ];
    check(
        &files,
        &["10.0.0.1 10.0.0.2 80 6 ACCEPT 500 5 5 5 6"],
        &[
            ("wrong-columns", 1),
            ("bad-field", 1),
            ("too-long", 1),
            ("cut-off", 1),
            ("no-flow-log", 1),
            ("clock-skew", 1),
            ("mapped-address", 1),
        ],
    );
    let directory_ = directory(&files);
    let table = flow_table(directory_.path()).unwrap();
    let summary = table.summary();
    let told: Vec<(&str, u64, NoticeKind)> =
        summary.notices.iter().map(|n| (n.file.as_str(), n.line, n.kind)).collect();
    assert_eq!(
        told,
        [
            ("a-long", 2, NoticeKind::TooLong),
            ("b-fields", 3, NoticeKind::BadField),
            ("b-fields", 4, NoticeKind::WrongColumns),
            ("c-skewed", 2, NoticeKind::ClockSkew),
            ("d-mapped", 2, NoticeKind::MappedAddress),
            ("e-program", 0, NoticeKind::NoFlowLog),
            ("f-cut.gz", 1, NoticeKind::CutOff),
        ]
    );
    assert_eq!((summary.rejected_lines, summary.files), (3, 5));
    assert_eq!(table.outcome(), FlowTableOutcome::Incomplete);

    // Half of a file is used up to the last whole line.
    let half = directory(&[("half.gz", &whole[..whole.len() / 2])]);
    let mut table = flow_table(half.path()).unwrap();
    assert_eq!(table.summary().noticed.get(&NoticeKind::CutOff), Some(&1));
    let row = table.rows(None).unwrap().next().unwrap().unwrap();
    assert!((5_000..15_000).contains(&row.flows), "{}", row.flows);
    assert_eq!(row.bytes, Some(row.flows));
    let cut_at = table.summary().notices[0].line;
    assert_eq!(cut_at, row.flows + 2, "a header, whole lines, and the one that was cut");
}

/// Made by hand in the shape of the examples at Microsoft Learn, "Virtual network flow logs", log format.
fn vnet(tuples: &[&str]) -> Value {
    json!({ "records": [{
        "time": "2026-03-01T00:00:01.0000000Z", "flowLogVersion": 4, "flowLogGUID": "g", "macAddress": "112233445566",
        "category": "FlowLogFlowEvent", "targetResourceID": "/subscriptions/x", "operationName": "FlowLogFlowEvent",
        "flowRecords": { "flows": [{ "aclID": "a", "flowGroups": [{ "rule": "DefaultRule", "flowTuples": tuples }] }] },
    }] })
}

#[test]
fn azures_virtual_network_flows_are_summed_over_their_states() {
    let document = vnet(&[
        "1772323200000,10.0.0.6,192.0.2.180,23956,443,6,O,B,NX,0,0,0,0",
        "1772323205000,10.0.0.6,192.0.2.180,23956,443,6,O,C,X,3,767,2,1580",
        "1772323210000,10.0.0.6,192.0.2.180,23956,443,6,O,E,X,2,1000,1,1",
        "1772323211000,10.0.0.6,192.0.2.180,23957,443,6,O,B,NX,0,0,0,0",
        "1772323212000,192.0.2.9,10.0.0.6,5,22,6,I,D,NX,0,0,0,0",
        "1772323212000,192.0.2.9,10.0.0.6,5,22,6,I,D",
    ]);
    check(
        &[("PT1H.json", document.to_string().as_bytes())],
        &[
            "10.0.0.6 192.0.2.180 443 6 ACCEPT 3348 8 2 1772323200 1772323211",
            "192.0.2.9 10.0.0.6 22 6 REJECT 0 0 1 1772323212 1772323212",
        ],
        &[("bad-field", 1)],
    );
}

#[test]
fn azures_network_security_group_flows_of_both_versions_are_read() {
    let record = |version: u8, tuples: &[&str]| {
        json!({ "time": "2026-03-01T00:00:00Z", "category": "NetworkSecurityGroupFlowEvent",
            "properties": { "Version": version, "flows": [{ "rule": "r", "flows": [{ "mac": "m", "flowTuples": tuples }] }] } })
    };
    let document = json!({ "records": [
        record(1, &["1772323200,42.119.146.95,10.1.0.4,51529,5358,T,I,D"]),
        record(2, &[
            "1772323200,10.0.0.4,13.67.143.118,44931,443,T,O,A,B,,,,",
            "1772323201,10.0.0.4,13.67.143.118,44931,443,T,O,A,C,1021,588096,8005,4610880",
            "1772323202,10.0.0.4,13.67.143.118,44931,443,T,O,A,E,52,29952,47,27072",
            "1772323203,10.0.0.4,13.67.143.118,44931,53,U,O,D,B,,,,",
        ]),
    ] });
    check(
        &[("PT1H.json.gz", &gzip(document.to_string().as_bytes()))],
        &[
            "10.0.0.4 13.67.143.118 53 17 REJECT 0 0 1 1772323203 1772323203",
            "10.0.0.4 13.67.143.118 443 6 ACCEPT 5256000 9125 1 1772323200 1772323202",
            "42.119.146.95 10.1.0.4 5358 6 REJECT 0 0 1 1772323200 1772323200",
        ],
        &[],
    );
}

#[test]
fn hostile_json_is_refused_and_what_came_before_is_used() {
    let tuple = "1772323200000,10.0.0.6,192.0.2.180,23956,443,6,O,B,NX,0,0,0,0";
    let good = vnet(&[tuple]).to_string();
    let cut = format!("{}{}", good.strip_suffix("]}").unwrap(), ",{\"flowRecords\":{\"flows\":[{");
    let deep = format!("{{\"records\":{}", "[".repeat(200_000));
    let wrong = json!({ "records": [{ "flowRecords": { "flows": 7 } }] }).to_string();
    check(
        &[
            ("cut.json", cut.as_bytes()),
            ("deep.json", deep.as_bytes()),
            ("other.json", b"{\"Records\":[]}"),
            ("wrong.json", wrong.as_bytes()),
        ],
        &["10.0.0.6 192.0.2.180 443 6 ACCEPT 0 0 1 1772323200 1772323200"],
        &[("bad-json", 3), ("no-flow-log", 1)],
    );
}

/// A Parquet file of two rows in the columns that AWS writes, and one row of a status.
fn parquet(status: &str) -> Vec<u8> {
    use std::sync::Arc;

    use parquet::data_type::{ByteArray, ByteArrayType, Int32Type, Int64Type};
    use parquet::file::writer::SerializedFileWriter;

    let schema = "message flow { optional int32 version; optional binary srcaddr (UTF8); optional binary dstaddr (UTF8);
        optional int32 dstport; required int32 protocol; optional int64 packets; optional int64 bytes; optional int64 start;
        optional int64 end; optional binary action (UTF8); optional binary log_status (UTF8); }";
    let schema = Arc::new(parquet::schema::parser::parse_message_type(schema).unwrap());
    let mut out = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut out, schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let text = |values: [&str; 2]| values.map(ByteArray::from);
    let levels: [i16; 3] = [1, 1, 0];
    for name in
        ["version", "srcaddr", "dstaddr", "dstport", "protocol", "packets", "bytes", "start", "end", "action"]
    {
        let mut column = group.next_column().unwrap().unwrap();
        let written = match name {
            "srcaddr" => column.typed::<ByteArrayType>().write_batch(
                &text(["10.0.0.1", "10.0.0.1"]),
                Some(&levels),
                None,
            ),
            "dstaddr" => column.typed::<ByteArrayType>().write_batch(
                &text(["10.0.0.2", "10.0.0.2"]),
                Some(&levels),
                None,
            ),
            "action" => {
                column.typed::<ByteArrayType>().write_batch(&text(["ACCEPT", "REJECT"]), Some(&levels), None)
            }
            "version" | "dstport" => column.typed::<Int32Type>().write_batch(&[2, 2], Some(&levels), None),
            "protocol" => column.typed::<Int32Type>().write_batch(&[6, 6, 6], None, None),
            _ => column.typed::<Int64Type>().write_batch(&[5, 7], Some(&levels), None),
        };
        written.unwrap();
        column.close().unwrap();
    }
    let mut column = group.next_column().unwrap().unwrap();
    let status = ["OK", "OK", status].map(ByteArray::from);
    column.typed::<ByteArrayType>().write_batch(&status, Some(&[1, 1, 1]), None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
    out
}

#[test]
fn parquet_is_read_by_the_names_of_its_columns() {
    let whole = parquet("SKIPDATA");
    let expected = ["10.0.0.1 10.0.0.2 2 6 ACCEPT 5 5 1 5 5", "10.0.0.1 10.0.0.2 2 6 REJECT 7 7 1 7 7"];
    check(&[("a.log.parquet", &whole)], &expected, &[]);
    check(&[("b.parquet", &parquet("none"))], &expected, &[("bad-field", 1)]);
    let directory = directory(&[("a.log.parquet", &whole)]);
    assert_eq!(json_of(directory.path())["gaps"], json!({ "nodata": 0, "skipdata": 1 }));
    // No damage to a byte of it brings the reader down.
    for at in (0..whole.len()).step_by(7) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0xff;
        std::fs::write(directory.path().join("a.log.parquet"), damaged).unwrap();
        let _either = rows(directory.path());
    }
}

#[test]
fn damaged_parquet_is_told_and_nothing_else_is_lost() {
    check(
        &[
            ("a.parquet", b"PAR1 this is none PAR1"),
            ("b.log", b"2 1 e 10.0.0.1 10.0.0.2 1 80 6 1 100 5 6 ACCEPT OK\n"),
        ],
        &["10.0.0.1 10.0.0.2 80 6 ACCEPT 100 1 1 5 6"],
        &[("bad-parquet", 1)],
    );
}

#[test]
fn a_trails_files_in_the_same_bucket_are_passed_over() {
    check(
        &[
            (
                "AWSLogs/111122223333/CloudTrail/eu-central-1/2026/03/01/111122223333_CloudTrail_eu-central-1_20260301T0000Z_a.json.gz",
                b"{\"Records\":[]}",
            ),
            (
                "AWSLogs/111122223333/vpcflowlogs/eu-central-1/2026/03/01/a.log",
                b"2 1 e 10.0.0.1 10.0.0.2 1 80 6 1 100 5 6 ACCEPT OK\n",
            ),
        ],
        &["10.0.0.1 10.0.0.2 80 6 ACCEPT 100 1 1 5 6"],
        &[],
    );
}

#[test]
fn every_format_says_the_same_and_a_spreadsheet_gets_no_formula() {
    let boundary = "schema: cadastre/boundary/v1\nname: p\noperating-model: self-managed\narchitecture: shared-storage\n\
        networks:\n  - {name: '=cmd()', cidrs: [10.0.0.1/32], purpose: clients}\n  - {name: brokers, cidrs: [10.0.0.2/32], purpose: brokers}\n\
        flows:\n  - {name: web, purpose: ingress, from: '=cmd()', to: brokers, ports: [80]}\n";
    let declaration = Declaration::parse(boundary, "boundary.yaml").unwrap();
    let naming = Naming::new(
        &declaration,
        [("10.0.0.1".parse().unwrap(), "=evil".to_owned())],
        &CloudRanges::default(),
    );
    let directory = directory(&[(
        "a",
        format!(
            "{V2}2 1 e 10.0.0.1 10.0.0.2 1 80 6 1 100 5 6 ACCEPT OK\n2 1 e 10.0.0.1 - - - - - - 5 6 - OK\n"
        )
        .leak()
        .as_bytes(),
    )]);
    let mut table = flow_table(directory.path()).unwrap();
    let mut text = |format, naming: Option<&Naming>| {
        let mut out = Vec::new();
        table.write(format, naming, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    };
    assert_eq!(
        text(FlowTableFormat::Csv, None),
        "srcaddr,dstaddr,dstport,protocol,action,bytes,packets,flows,first,last\r\n10.0.0.1,,,,,,,1,5,6\r\n10.0.0.1,10.0.0.2,80,6,ACCEPT,100,1,1,5,6\r\n"
    );
    let csv = text(FlowTableFormat::Csv, Some(&naming));
    assert!(csv.ends_with("5,6,network:=cmd()/=evil,network:brokers,ingress,web,\r\n"), "{csv}");
    let json: Value = serde_json::from_str(&text(FlowTableFormat::Json, Some(&naming))).unwrap();
    assert_eq!(json["rows"][1]["purpose"], "ingress");
    assert_eq!(json["rows"][1]["src"]["asset"], "=evil");
    assert_eq!(json["rows"][0]["dst"], Value::Null);
    assert_eq!(json["completeness"], "complete");
    let table = text(FlowTableFormat::Table, Some(&naming));
    assert!(table.contains("1970-01-01T00:00:05Z") && table.contains("complete: 1 files"), "{table}");
}

#[test]
fn a_directory_without_files_is_an_error() {
    let error = flow_table(tempfile::tempdir().unwrap().path()).unwrap_err();
    assert!(error.to_string().starts_with("there are no flow logs in"), "{error}");
}
