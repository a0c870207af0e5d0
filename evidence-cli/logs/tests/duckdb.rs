//! DuckDB as a second opinion: the same query over the same files, as text and as Parquet that DuckDB wrote.

#![expect(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use cadastre_logs::flows::{FlowTableFormat, flow_table};
use flate2::Compression;
use flate2::write::GzEncoder;

/// Reads `text/*.gz`, writes `theirs.csv` with the groups and `parquet/a.parquet` with the records.
const SCRIPT: &str = r#"
import sys, duckdb
root = sys.argv[1]
names = 'version account_id interface_id srcaddr dstaddr srcport dstport protocol packets bytes start end action log_status'.split()
text = {'srcaddr', 'dstaddr', 'action', 'log_status', 'account_id', 'interface_id'}
wide = {'packets', 'bytes', 'start', 'end'}
kind = lambda name: 'VARCHAR' if name in text else 'BIGINT' if name in wide else 'INTEGER'
columns = {name: kind(name) for name in names}
records = f"read_csv('{root}/text/*.gz', delim=' ', header=true, nullstr='-', columns={columns})"
duckdb.sql(f"COPY (FROM {records}) TO '{root}/parquet/a.parquet' (FORMAT parquet, ROW_GROUP_SIZE 4096)")
duckdb.sql(f'''COPY (SELECT srcaddr, dstaddr, dstport, protocol, action, sum(bytes)::BIGINT, sum(packets)::BIGINT, count(*),
    min(start), max("end") FROM {records} WHERE log_status = 'OK' GROUP BY ALL) TO '{root}/theirs.csv' (FORMAT csv, HEADER true)''')
"#;

/// Thirty thousand records in three files, with nothing in some fields.
fn generate(directory: &Path) {
    let mut state = 7_u64;
    let mut below = |bound: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    };
    for file in 0..3 {
        let mut text = String::from(
            "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n",
        );
        for _ in 0..10_000 {
            if below(50) == 0 {
                let status = if below(2) == 0 { "NODATA" } else { "SKIPDATA" };
                writeln!(text, "2 1 eni-1 - - - - - - - 100 160 - {status}").unwrap();
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
                "2 1 eni-1 {source} 10.1.0.{} 5 {port} {} {packets} {bytes} {start} {} {} OK",
                below(9),
                below(3) * 8 + 1,
                start + below(600),
                if below(4) == 0 { "REJECT" } else { "ACCEPT" },
            )
            .unwrap();
        }
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        std::fs::write(directory.join(format!("{file}.log.gz")), encoder.finish().unwrap()).unwrap();
    }
}

fn ours(directory: &Path) -> Vec<String> {
    let mut out = Vec::new();
    flow_table(directory).unwrap().write(FlowTableFormat::Csv, None, &mut out).unwrap();
    sorted(&String::from_utf8(out).unwrap())
}

fn sorted(csv: &str) -> Vec<String> {
    let mut rows: Vec<String> = csv.lines().skip(1).map(str::to_owned).collect();
    rows.sort_unstable();
    rows
}

#[test]
fn duckdb_gives_the_same_rows() {
    let Some(python) = std::env::var_os("CADASTRE_PYTHON") else {
        eprintln!("skipped: CADASTRE_PYTHON is not set; `cargo xtask test` sets it");
        return;
    };
    let root = tempfile::tempdir().unwrap();
    for folder in ["text", "parquet"] {
        std::fs::create_dir(root.path().join(folder)).unwrap();
    }
    generate(&root.path().join("text"));
    let run = Command::new(python).args(["-c", SCRIPT]).arg(root.path()).output().unwrap();
    let said = String::from_utf8_lossy(&run.stderr);
    if said.contains("No module named 'duckdb'") {
        eprintln!("skipped: this Python has no duckdb; `cargo xtask parts` gets one that has");
        return;
    }
    assert!(run.status.success(), "{said}");
    let theirs = sorted(&std::fs::read_to_string(root.path().join("theirs.csv")).unwrap());
    assert!(theirs.len() > 1_000, "{} rows", theirs.len());
    assert_eq!(ours(&root.path().join("text")), theirs);
    assert_eq!(ours(&root.path().join("parquet")), theirs);
}
