//! A scheduler and two executors as processes: their answers are the bytes that one process answers.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

#[path = "../../tests/support/mod.rs"]
mod support;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use cadastre_logs::query::{AnswerFormat, Engine, QueryRequest, Sources, TableName};
use cadastre_query_cluster::answer;
use support::{HEADER, Report, events, flow_logs, queries, sources};

/// How long the parts of a cluster may take to find each other.
const PATIENCE: Duration = Duration::from_secs(180);

/// A part of a cluster, which ends with the test.
#[derive(Debug)]
struct Part {
    child: Child,
    /// Held open: a part that cannot say where it listens ends.
    _out: BufReader<ChildStdout>,
    told: String,
}

impl Part {
    fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_cadastre-query-cluster"))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut told = String::new();
        out.read_line(&mut told).unwrap();
        Self { child, _out: out, told: told.trim().to_owned() }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _ended_already = self.child.wait();
    }
}

#[derive(Debug)]
struct Cluster {
    engine: Engine,
    work: Vec<PathBuf>,
    _parts: Vec<Part>,
}

impl Cluster {
    /// A scheduler and two executors, once both are there.
    #[expect(clippy::disallowed_methods, reason = "between two looks at whether processes are ready")]
    fn start(root: &Path) -> Self {
        let scheduler = Part::start(&["scheduler", "--listen", "127.0.0.1:0", "--executors", "2"]);
        let engine: Engine = scheduler.told.parse().unwrap();
        let address: SocketAddr = scheduler.told.strip_prefix("ballista://").unwrap().parse().unwrap();
        let work: Vec<PathBuf> = (0..2).map(|number| root.join(format!("work-{number}"))).collect();
        let mut parts = vec![scheduler];
        for directory in &work {
            std::fs::create_dir_all(directory).unwrap();
            let scheduler = engine.to_string();
            parts.push(Part::start(&[
                "executor",
                "--scheduler",
                &scheduler,
                "--slots",
                "1",
                "--work",
                directory.to_str().unwrap(),
            ]));
        }
        let since = Instant::now();
        while !is_ready(address) {
            assert!(since.elapsed() < PATIENCE, "the executors did not find their scheduler");
            thread::sleep(Duration::from_millis(50));
        }
        Self { engine, work, _parts: parts }
    }

    fn ask(&self, sql: &str, sources: &Sources, format: AnswerFormat) -> String {
        ask(&self.engine, sql, sources, format)
    }
}

fn is_ready(address: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect(address) else { return false };
    let asked = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    let mut answer = String::new();
    stream.write_all(asked.as_bytes()).is_ok()
        && stream.read_to_string(&mut answer).is_ok()
        && answer.starts_with("HTTP/1.1 200")
}

fn ask(engine: &Engine, sql: &str, sources: &Sources, format: AnswerFormat) -> String {
    let request =
        QueryRequest { sql: sql.to_owned(), engine: engine.clone(), sources: sources.clone(), format };
    let mut out = Vec::new();
    match answer(&request, &mut out) {
        Ok(_) => String::from_utf8(out).unwrap(),
        Err(error) => panic!("{sql}: {error}"),
    }
}

/// The same by the program, as the command starts it.
fn by_program(engine: &Engine, sql: &str, sources: &Sources) -> String {
    let format = AnswerFormat::Json;
    let request =
        QueryRequest { sql: sql.to_owned(), engine: engine.clone(), sources: sources.clone(), format };
    let mut child = Command::new(env!("CARGO_BIN_EXE_cadastre-query-cluster"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    serde_json::to_writer(&mut stdin, &request).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    // A damaged file is among the logs.
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("damaged.log.gz:2: wrong-columns"), "{said}");
    String::from_utf8(output.stdout).unwrap()
}

/// Whether a directory holds a file, at any depth.
fn holds_a_file(directory: &Path) -> bool {
    std::fs::read_dir(directory).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        path.is_file() || (path.is_dir() && holds_a_file(&path))
    })
}

#[test]
fn two_executors_answer_the_bytes_that_one_process_answers() {
    let root = tempfile::tempdir().unwrap();
    flow_logs(&root.path().join("flows"));
    events(&root.path().join("trail"));
    // Damage is told alike, whoever reads.
    let damaged = format!(
        "{HEADER}2 1 eni-1 10.0.0.1\n2 1 eni-1 10.0.0.1 10.0.0.2 x 80 6 1 100 5 6 ACCEPT OK\n2 1 eni-1 - - - - - - - 5 6 - SKIPDATA\n"
    );
    support::gzip(&root.path().join("flows/damaged.log.gz"), &damaged);
    let given = sources(&[
        (TableName::Flows, &root.path().join("flows")),
        (TableName::Events, &root.path().join("trail")),
    ]);
    let cluster = Cluster::start(root.path());
    let mut asked = queries();
    asked.extend(
        [
            "SELECT srcaddr, srcport, file, line FROM flows ORDER BY bytes DESC LIMIT 40 OFFSET 3",
            "SELECT count(*) AS n, count(srcport) AS ports FROM flows WHERE file = 'damaged.log.gz'",
            "SELECT 1 AS one",
        ]
        .map(str::to_owned),
    );
    let mut report = Report::default();
    // Results are cleaned up after a while: looked for after each query.
    let mut worked = [false; 2];
    for sql in &asked {
        let here = ask(&Engine::Here, sql, &given, AnswerFormat::Json);
        assert!(here.contains("\"rows\":[\n{"), "{sql}: {here}");
        assert_eq!(cluster.ask(sql, &given, AnswerFormat::Json), here, "{sql}");
        report.add(sql, &here);
        for (worked, work) in worked.iter_mut().zip(&cluster.work) {
            *worked |= holds_a_file(work);
        }
    }
    for format in [AnswerFormat::Csv, AnswerFormat::Table] {
        let sql = "SELECT srcaddr, sum(bytes) AS bytes FROM flows GROUP BY srcaddr";
        assert_eq!(cluster.ask(sql, &given, format), ask(&Engine::Here, sql, &given, format));
    }
    // What columns a table has nobody else is asked.
    let columns = cluster.ask("DESCRIBE events", &given, AnswerFormat::Json);
    assert_eq!(columns, ask(&Engine::Here, "DESCRIBE events", &given, AnswerFormat::Json));
    let sql = "SELECT count(*) AS n FROM flows";
    assert_eq!(by_program(&cluster.engine, sql, &given), ask(&Engine::Here, sql, &given, AnswerFormat::Json));
    assert_eq!(worked, [true, true], "an executor did nothing");
    report.write("cluster.json");
}

/// Why a query has no answer when this address is to give it.
fn refusal(address: SocketAddr) -> String {
    let root = tempfile::tempdir().unwrap();
    flow_logs(root.path());
    let request = QueryRequest {
        sql: "SELECT count(*) FROM flows".to_owned(),
        engine: format!("ballista://{address}").parse().unwrap(),
        sources: sources(&[(TableName::Flows, root.path())]),
        format: AnswerFormat::Csv,
    };
    answer(&request, &mut Vec::new()).unwrap_err().to_string()
}

#[test]
fn a_cluster_that_is_not_there_is_named() {
    // A port that was free a moment ago.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(refusal(address), format!("cannot reach the scheduler at `{address}`"));
}

#[test]
fn an_executor_without_its_scheduler_ends() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let scheduler = format!("ballista://{address}");
    let output = Command::new(env!("CARGO_BIN_EXE_cadastre-query-cluster"))
        .args(["executor", "--wait", "1", "--scheduler", &scheduler])
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("cannot reach the scheduler at `{address}`")), "{said}");
}

#[test]
fn a_scheduler_without_executors_is_not_waited_for() {
    let scheduler = Part::start(&["scheduler", "--listen", "127.0.0.1:0"]);
    let address: SocketAddr = scheduler.told.strip_prefix("ballista://").unwrap().parse().unwrap();
    assert_eq!(refusal(address), format!("the scheduler at `{address}` has no executors yet"));
}

/// Somebody who takes a connection, says something, and leaves it open until the asker has gone.
fn stranger(says: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(says).unwrap();
        let _until_closed_or_reset = stream.read_to_end(&mut Vec::new());
    });
    address
}

#[test]
fn a_stranger_at_the_address_is_no_scheduler() {
    for says in [&b"220 mail.example.com ready\r\n"[..], b"HTTP/1.1 404 Not Found\r\n\r\n", &[0; 64]] {
        let address = stranger(says);
        assert_eq!(refusal(address), format!("what listens at `{address}` is no scheduler"));
    }
    let silent = stranger(b"");
    assert_eq!(refusal(silent), format!("cannot reach the scheduler at `{silent}`"));
}

#[test]
fn one_who_only_says_that_it_is_ready_answers_no_query() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let _gone_already = stream.unwrap().write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        }
    });
    let error = refusal(address);
    assert!(error.starts_with("cannot answer the query: "), "{error}");
}
