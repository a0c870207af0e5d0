//! The contract of the command: exit code, standard output and standard error, as users and scripts see them.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures")
}

fn cadastre(arguments: &[&str]) -> Output {
    cadastre_in(Path::new(env!("CARGO_MANIFEST_DIR")), arguments)
}

fn cadastre_in(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cadastre"))
        .args(arguments)
        .current_dir(directory)
        .env("NO_COLOR", "1")
        .env_remove("AWS_REGION")
        .env_remove("AWS_DEFAULT_REGION")
        .output()
        .unwrap()
}

fn judge(verb: &str, variant: &str, further: &[&str]) -> Output {
    let fixture = fixtures().join(variant);
    let evidence = fixture.join("evidence").display().to_string();
    let boundary = fixture.join("boundary.yaml").display().to_string();
    let mut arguments = vec![verb, &evidence, "-b", &boundary];
    arguments.extend(further);
    cadastre(&arguments)
}

/// Exit code, stdout and stderr in one text, without what differs between machines.
fn shown(output: &Output) -> String {
    let text = format!(
        "exit: {}\n--- stdout\n{}--- stderr\n{}",
        output.status.code().unwrap(),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    text.replace(&fixtures().display().to_string(), "FIXTURES").replace(env!("CARGO_PKG_VERSION"), "VERSION")
}

#[track_caller]
fn check(output: &Output, expected_code: i32, expected_stderr: &str) {
    assert_eq!(output.status.code(), Some(expected_code), "{}", shown(output));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains(expected_stderr), "{}", shown(output));
}

#[test]
fn help_names_every_command_and_the_exit_codes() {
    insta::assert_snapshot!(shown(&cadastre(&["--help"])));
}

#[test]
fn a_usage_error_exits_with_64() {
    check(&cadastre(&["chekc"]), 64, "unrecognized subcommand");
    check(
        &cadastre(&["who-can", "read-everything", "topic:a", "evidence"]),
        64,
        "expected one of read-records",
    );
}

#[test]
fn the_clean_account_exits_with_0_and_passes_everything() {
    let output = judge("check", "clean", &[]);
    assert_eq!(output.status.code(), Some(0), "{}", shown(&output));
    insta::assert_snapshot!(shown(&output));
}

#[test]
fn the_planted_account_exits_with_3_and_exactly_the_listed_findings() {
    let output = judge("check", "planted", &["--format", "json"]);
    assert_eq!(output.status.code(), Some(3), "{}", shown(&output));
    let checklist: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut found: Vec<String> = checklist["controls"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|control| {
            control["findings"].as_array().unwrap().iter().map(move |finding| (control, finding))
        })
        .filter(|(_, finding)| finding["verdict"] != "pass" && finding["verdict"] != "not-applicable")
        .map(|(control, finding)| {
            let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
            format!("{} {} {}", text(&control["id"]), text(&finding["verdict"]), text(&finding["subject"]))
        })
        .collect();
    found.sort();
    found.dedup();
    let expected = std::fs::read_to_string(fixtures().join("planted/expected.txt")).unwrap();
    let expected: Vec<&str> = expected.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(found, expected);
}

#[test]
fn fail_on_chooses_what_the_exit_code_tells() {
    check(&judge("check", "planted", &["--fail-on", "never", "--quiet"]), 0, "");
    check(&judge("check", "planted", &["--fail-on", "red-flag", "--quiet"]), 3, "");
    check(&judge("check", "clean", &["--as-of", "2026-11-25T00:00:00Z", "--quiet"]), 4, "");
}

#[test]
fn the_same_evidence_gives_the_same_bytes() {
    for variant in ["clean", "planted"] {
        let once = judge("check", variant, &["--format", "json"]).stdout;
        assert_eq!(once, judge("check", variant, &["--format", "json"]).stdout);
        let directory = tempfile::tempdir().unwrap();
        let pages: Vec<Vec<u8>> = ["a", "b"]
            .iter()
            .map(|name| {
                let output = directory.path().join(name);
                judge("report", variant, &["--output", output.to_str().unwrap()]);
                std::fs::read(output.join("report.html")).unwrap()
            })
            .collect();
        assert_eq!(pages.first(), pages.last());
        assert!(!pages.concat().is_empty());
    }
}

#[test]
fn sarif_and_junit_are_what_they_say() {
    let sarif: serde_json::Value =
        serde_json::from_slice(&judge("check", "planted", &["--format", "sarif"]).stdout).unwrap();
    assert_eq!(sarif["version"], "2.1.0");
    assert!(!sarif["runs"][0]["results"].as_array().unwrap().is_empty());
    let junit = judge("check", "planted", &["--format", "junit"]).stdout;
    assert!(String::from_utf8(junit).unwrap().contains("<failure type=\"red-flag\""));
}

#[test]
fn every_export_tells_of_the_same_findings() {
    let json = |format: &str| -> serde_json::Value {
        serde_json::from_slice(&judge("check", "planted", &["--format", format]).stdout).unwrap()
    };
    let checklist = json("json");
    let findings: usize = checklist["controls"]
        .as_array()
        .unwrap()
        .iter()
        .map(|control| {
            let findings = control["findings"].as_array().unwrap().iter();
            findings.filter(|finding| finding["verdict"] != "not-applicable").count()
        })
        .sum();
    assert_eq!(json("ocsf").as_array().unwrap().len(), findings);
    let oscal = json("oscal");
    let result = &oscal["assessment-results"]["results"][0];
    assert_eq!(result["observations"].as_array().unwrap().len(), findings);
    assert_eq!(
        result["findings"].as_array().unwrap().len(),
        checklist["controls"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|control| control["verdict"] != "not-applicable")
            .count()
    );
    let csv = judge("check", "planted", &["--format", "csv"]).stdout;
    assert!(csv.starts_with(b"control,area,verdict,subject,"));
}

#[test]
fn access_eval_answers_a_line_for_a_line_and_says_which_are_no_case() {
    let directory = tempfile::tempdir().unwrap();
    let cases = directory.path().join("cases.ndjson");
    let case = |id: &str, effect: &str| {
        serde_json::json!({
            "id": id,
            "request": {
                "principal": "arn:aws:iam::111122223333:role/app",
                "principalAccount": "111122223333",
                "action": "s3:GetObject",
                "resource": "arn:aws:s3:::data/key",
                "resourceAccount": "111122223333",
                "context": {},
                "contextComplete": true
            },
            "policies": {"identity": [
                {"Version": "2012-10-17", "Statement": {"Effect": effect, "Action": "s3:*", "Resource": "*"}}
            ]}
        })
    };
    let lines = format!("{}\n{}\n", case("1", "Allow"), case("2", "Deny"));
    std::fs::write(&cases, &lines).unwrap();
    let output = cadastre(&["access", "eval", cases.to_str().unwrap()]);
    check(&output, 0, "2 cases: 1 allow, 1 deny");
    let answers: Vec<serde_json::Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let decisions: Vec<(&str, &str)> = answers
        .iter()
        .map(|answer| (answer["id"].as_str().unwrap(), answer["decision"].as_str().unwrap()))
        .collect();
    assert_eq!(decisions, [("1", "allow"), ("2", "deny")]);
    assert_eq!(answers[1]["by"], serde_json::json!([{"policy": "identity[0]", "statement": 0}]));

    std::fs::write(&cases, format!("{lines}{{}}\n")).unwrap();
    check(&cadastre(&["access", "eval", cases.to_str().unwrap()]), 1, "1 lines are no case");
    check(&cadastre(&["access", "eval", "no-such-file"]), 1, "cannot read `no-such-file`");
}

#[test]
fn verify_trail_refuses_what_is_no_trail() {
    let directory = tempfile::tempdir().unwrap();
    let keys = directory.path().join("keys.json");
    std::fs::write(&keys, r#"{"PublicKeyList": []}"#).unwrap();
    let empty = directory.path().join("trail");
    std::fs::create_dir(&empty).unwrap();
    let verify = |keys: &Path| {
        cadastre(&["logs", "verify-trail", empty.to_str().unwrap(), "--public-keys", keys.to_str().unwrap()])
    };
    check(&verify(&keys), 1, "there are no CloudTrail digests or log files");
    check(&verify(&directory.path().join("none")), 1, "cannot read");
}

#[test]
fn a_key_use_without_an_entry_is_a_red_flag_and_a_damaged_trail_is_never_clean() {
    let directory = tempfile::tempdir().unwrap();
    let (trail, ledger) = (directory.path().join("trail"), directory.path().join("ledger.ndjson"));
    std::fs::create_dir(&trail).unwrap();
    let key = "arn:aws:kms:eu-central-1:111122223333:key/k";
    let event = |id: &str, minute: u32, request: &str| {
        serde_json::json!({"eventID": id, "eventTime": format!("2026-10-01T12:{minute:02}:00Z"), "eventSource": "kms.amazonaws.com", "eventName": "Decrypt",
            "awsRegion": "eu-central-1", "requestID": request, "userIdentity": {"type": "AssumedRole"}, "resources": [{"ARN": key}]})
    };
    let write = |records: &[serde_json::Value]| {
        std::fs::write(trail.join("events.json"), serde_json::json!({"Records": records}).to_string())
            .unwrap();
    };
    let entry = serde_json::json!({"version": 1, "sequence": 1, "time": "2026-10-01T12:30:00.000Z", "previous": "0".repeat(64),
        "operation": "unwrap", "outcome": "ok", "key_id": key, "request_id": "r2"});
    std::fs::write(&ledger, format!("{entry}\n")).unwrap();
    let run = || {
        cadastre(&[
            "logs",
            "reconcile-keys",
            "--trail",
            trail.to_str().unwrap(),
            "--ledger",
            ledger.to_str().unwrap(),
        ])
    };
    let elsewhere = |id: &str, minute| {
        let mut event = event(id, minute, "x");
        event["eventSource"] = "ec2.amazonaws.com".into();
        event
    };
    let whole = [elsewhere("a", 0), event("b", 30, "r2"), elsewhere("c", 59)];
    write(&whole);
    check(&run(), 0, "the digest chain was not verified");
    let mut more = whole.to_vec();
    more.push(event("d", 40, "r9"));
    write(&more);
    let output = run();
    check(&output, 3, "the digest chain was not verified");
    assert!(String::from_utf8_lossy(&output.stdout).contains("unexplained: 2026-10-01T12:40:00Z Decrypt"));
    let mut damaged = whole.to_vec();
    damaged.push(serde_json::json!({}));
    write(&damaged);
    check(&run(), 4, "record 4");
}

#[test]
fn a_path_names_the_setting_that_stops_it() {
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/clean");
    let (evidence, boundary) = (format!("{fixtures}/evidence"), format!("{fixtures}/boundary.yaml"));
    let path = |from: &str, to: &str| {
        cadastre(&["path", &evidence, "-b", &boundary, "--from", from, "--to", to, "--port", "9092"])
    };
    check(&path("internet", "eni-none"), 1, "network interface `eni-none` is not in the evidence");
    check(&path("internet", "internet"), 1, "neither end is an interface in the evidence");
    check(&path("nowhere", "internet"), 1, "`nowhere` is no");
    let inventory = evidence_text(&evidence);
    let mut interfaces: Vec<&str> = inventory
        .match_indices("\"eni-")
        .filter_map(|(at, _)| inventory.get(at + 1..)?.split('"').next())
        .collect();
    interfaces.sort_unstable();
    interfaces.dedup();
    interfaces.retain(|id| !id.starts_with("eni-attach-"));
    assert!(interfaces.len() > 3, "{interfaces:?}");
    for interface in interfaces {
        let output = path("internet", interface);
        check(&output, 0, "");
        assert!(output.stdout.starts_with(b"blocked\n"), "{interface}: {output:?}");
    }
}

/// What the files of an evidence directory hold, one after the other.
fn evidence_text(directory: &str) -> String {
    let mut text = String::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            text.push_str(&evidence_text(path.to_str().unwrap()));
        } else if let Ok(file) = std::fs::read_to_string(&path) {
            text.push_str(&file);
        }
    }
    text
}

#[test]
fn a_flow_table_adds_up_and_counts_what_it_cannot_use() {
    let directory = tempfile::tempdir().unwrap();
    let log = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n\
        2 111122223333 eni-1 10.0.0.1 10.0.0.2 40000 9092 6 3 300 1700000000 1700000060 ACCEPT OK\n\
        2 111122223333 eni-1 10.0.0.1 10.0.0.2 40001 9092 6 2 200 1700000060 1700000120 ACCEPT OK\n\
        2 111122223333 eni-1 - - - - - - - 1700000120 1700000180 - NODATA\n\
        2 111122223333 eni-1 10.0.0.1\n";
    std::fs::write(directory.path().join("flow.log"), log).unwrap();
    let path = directory.path().to_str().unwrap();
    let output = cadastre(&["logs", "flow-table", path, "--format", "json"]);
    check(&output, 0, "the table is incomplete");
    let table: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows = table["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(
        (&rows[0]["bytes"], &rows[0]["packets"], &rows[0]["flows"]),
        (&500.into(), &5.into(), &2.into())
    );
    assert_eq!(table["gaps"]["nodata"], 1);
    assert_eq!(table["rejected_lines"], 1);
    check(&cadastre(&["logs", "flow-table", path, "--fail-on", "unproven"]), 4, "incomplete");
}

#[test]
fn a_query_is_written_for_athena_or_refused() {
    let output = cadastre(&[
        "logs",
        "sql",
        "SELECT srcaddr, sum(bytes)::text FROM flows GROUP BY srcaddr ORDER BY 2 DESC",
        "--flows",
        "s3://amzn-s3-demo-bucket/AWSLogs/111122223333/vpcflowlogs/eu-central-1",
    ]);
    check(&output, 0, "");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("CREATE EXTERNAL TABLE IF NOT EXISTS cadastre_vpc_flow_logs ("), "{text}");
    assert!(
        text.contains("LOCATION 's3://amzn-s3-demo-bucket/AWSLogs/111122223333/vpcflowlogs/eu-central-1/'"),
        "{text}"
    );
    assert!(
        text.ends_with(
            "SELECT srcaddr, CAST(sum(bytes) AS VARCHAR) FROM flows GROUP BY srcaddr ORDER BY 2 DESC NULLS FIRST;\n"
        ),
        "{text}"
    );
    for (sql, because) in [
        ("SELEC 1", "cannot understand the query"),
        ("SELECT * FROM activity", "table `activity` does not lie in S3"),
        ("SELECT purpose FROM flows", "column `purpose` is known here only"),
    ] {
        check(&cadastre(&["logs", "sql", sql]), 1, because);
    }
}

#[test]
fn a_query_without_its_engine_says_how_to_get_it() {
    let output = Command::new(env!("CARGO_BIN_EXE_cadastre"))
        .args(["logs", "query", "SELECT 1"])
        .env("CADASTRE_QUERY", "/nonexistent/cadastre-query")
        .output()
        .unwrap();
    check(&output, 1, "cannot start the query engine `/nonexistent/cadastre-query`");
    check(&output, 1, "evidence-cli/query/Cargo.toml");
    let output = Command::new(env!("CARGO_BIN_EXE_cadastre"))
        .args(["logs", "query", "SELECT 1", "--engine", "ballista://127.0.0.1:1"])
        .env("CADASTRE_QUERY_CLUSTER", "/nonexistent/cadastre-query-cluster")
        .output()
        .unwrap();
    check(&output, 1, "cannot start the query engine `/nonexistent/cadastre-query-cluster`");
    check(&output, 1, "say in CADASTRE_QUERY_CLUSTER where it is");
    let output = cadastre(&["logs", "query", "SELECT 1", "--engine", "http://127.0.0.1:1"]);
    check(&output, 64, "`http://127.0.0.1:1` is no query engine: it is `here` or `ballista://HOST:PORT`");
}

#[test]
fn a_query_for_a_cluster_goes_to_the_program_that_asks_it() {
    let Some(engine) = std::env::var_os("CADASTRE_QUERY_CLUSTER") else {
        eprintln!("skipped: CADASTRE_QUERY_CLUSTER does not say where the query engine is");
        return;
    };
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let directory = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_cadastre"))
        .args(["logs", "query", "SELECT 1", "--engine"])
        .arg(format!("ballista://127.0.0.1:{port}"))
        .arg(directory.path())
        .env("CADASTRE_QUERY_CLUSTER", &engine)
        .output()
        .unwrap();
    check(&output, 1, &format!("cannot reach the scheduler at `127.0.0.1:{port}`"));
}

#[test]
fn a_query_is_answered_by_its_engine() {
    let Some(engine) = std::env::var_os("CADASTRE_QUERY") else {
        eprintln!("skipped: CADASTRE_QUERY does not say where the query engine is");
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let log = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n\
        2 111122223333 eni-1 10.0.0.1 10.0.0.2 40000 9092 6 3 300 1700000000 1700000060 ACCEPT OK\n\
        2 111122223333 eni-1 10.0.0.1 10.0.0.3 40001 9092 6 2 200 1700000060 1700000120 REJECT OK\n";
    std::fs::write(directory.path().join("flow.log"), log).unwrap();
    let empty = directory.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    let logs = directory.path().to_str().unwrap();
    let query = |further: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_cadastre"))
            .args(["logs", "query"])
            .args(further)
            .env("CADASTRE_QUERY", &engine)
            .output()
            .unwrap()
    };
    let output = query(&["SELECT dstaddr, bytes FROM flows", logs, "--format", "csv"]);
    check(&output, 0, "");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "dstaddr,bytes\r\n10.0.0.2,300\r\n10.0.0.3,200\r\n");
    for (further, because) in [
        (["SELEC 1", logs], "cannot understand the query"),
        (["SELECT * FROM elsewhere", logs], "there is no table `elsewhere`"),
        (["SELECT * FROM events", empty.to_str().unwrap()], "there are no files of CloudTrail events"),
        (["SELECT * FROM flows", "/nonexistent"], "cannot read `/nonexistent`"),
    ] {
        check(&query(&further), 1, because);
    }
    std::fs::write(directory.path().join("damaged.log"), "2 111122223333 eni-1 10.0.0.1\n").unwrap();
    check(&query(&["SELECT 1 FROM flows", logs]), 0, "damaged.log:1: wrong-columns");
    check(&query(&["SELECT 1 FROM flows", logs, "--fail-on", "unproven"]), 4, "the answer is incomplete");
}

/// An answer of `who-can` as JSON.
fn readers(further: &[&str]) -> serde_json::Value {
    let fixture = fixtures().join("planted");
    let evidence = fixture.join("evidence").display().to_string();
    let boundary = fixture.join("boundary.yaml").display().to_string();
    let mut arguments = vec![
        "who-can",
        "read-records",
        "topic:payments.transactions",
        &evidence,
        "-b",
        &boundary,
        "--format",
        "json",
    ];
    arguments.extend(further);
    let output = cadastre(&arguments);
    assert_eq!(output.status.code(), Some(0), "{}", shown(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn who_can_without_somebody_no_longer_names_them_and_explain_tells_their_way() {
    let all = readers(&[]);
    let first = all["principals"][0]["principal"].as_str().unwrap().to_owned();
    let without = readers(&["--without", &first]);
    let named = |answer: &serde_json::Value| {
        answer["principals"].as_array().unwrap().iter().any(|one| one["principal"] == first.as_str())
    };
    assert!(named(&all) && !named(&without));

    let fixture = fixtures().join("planted");
    let evidence = fixture.join("evidence").display().to_string();
    let boundary = fixture.join("boundary.yaml").display().to_string();
    let explain = cadastre(&[
        "explain",
        &first,
        "read-records",
        "topic:payments.transactions",
        &evidence,
        "-b",
        &boundary,
    ]);
    assert_eq!(explain.status.code(), Some(0), "{}", shown(&explain));
    assert!(String::from_utf8_lossy(&explain.stdout).contains("  1. "), "{}", shown(&explain));
    check(
        &cadastre(&[
            "explain",
            "nobody",
            "read-records",
            "topic:payments.transactions",
            &evidence,
            "-b",
            &boundary,
        ]),
        1,
        "knows no principal `nobody`",
    );
}

#[test]
fn a_role_is_assessed_before_it_exists() {
    let pack = fixtures().join("permission-packs/automq-byoc-aws");
    let path = |name: &str| pack.join(name).display().to_string();
    let (trust, policy, boundary) =
        (path("trust-policy.json"), path("role-policy.json"), path("boundary.yaml"));
    let assess = |format: &str| {
        cadastre(&[
            "assess-role",
            "--trust",
            &trust,
            "--policy",
            &policy,
            "-b",
            &boundary,
            "--format",
            format,
        ])
    };
    let output = assess("json");
    assert_eq!(output.status.code(), Some(3), "{}", shown(&output));
    let assessment: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(assessment["schema"], "cadastre/role-assessment/v1");
    assert_eq!(output.stdout, assess("json").stdout, "the same documents give the same bytes");
    assert!(
        assess("md")
            .stdout
            .starts_with(b"## What `arn:aws:iam::111122223333:role/assessed-role` could reach")
    );
}

/// Runs a program that the test needs beside ours.
#[track_caller]
fn openssl(arguments: &[&str]) {
    let output = Command::new("openssl").args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", shown(&output));
}

#[test]
fn a_packet_is_made_signed_verified_and_redacted_and_a_changed_byte_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let (key, public) = (path("review.key"), path("review.pub"));
    openssl(&["genpkey", "-algorithm", "ed25519", "-out", &key]);
    openssl(&["pkey", "-in", &key, "-pubout", "-out", &public]);
    Command::new("chmod").args(["600", &key]).status().unwrap();
    let fixture = fixtures().join("planted");
    let evidence = fixture.join("evidence").display().to_string();
    let boundary = fixture.join("boundary.yaml").display().to_string();
    let packet = path("packet.zip");
    let create = |output: &str| {
        cadastre(&["packet", "create", &evidence, "-b", &boundary, "-o", output, "--sign-key", &key])
    };
    check(&create(&packet), 0, "wrote");
    check(&create(&packet), 1, "packet.zip");
    // Beside it lies the report, with the evidence that it checks.
    let beside = std::fs::read_to_string(path("packet.html")).unwrap();
    assert!(beside.contains("id=\"embedded-evidence\"") && beside.contains("verifyEmbeddedEvidence"));
    let page = cadastre(&["packet", "page", &packet, "--public-key", &public, "-o", &path("page.html")]);
    check(&page, 0, "in the browser");
    assert_eq!(std::fs::read_to_string(path("page.html")).unwrap(), beside);

    let verify =
        |packet: &str| cadastre(&["packet", "verify", packet, "--public-key", &public, "--format", "json"]);
    let verified = verify(&packet);
    assert_eq!(verified.status.code(), Some(0), "{}", shown(&verified));
    let verification: serde_json::Value = serde_json::from_slice(&verified.stdout).unwrap();
    assert_eq!(verification["leaves"]["withheld"], 0);

    let other = path("other.pub");
    openssl(&["genpkey", "-algorithm", "ed25519", "-out", &path("other.key")]);
    openssl(&["pkey", "-in", &path("other.key"), "-pubout", "-out", &other]);
    check(&cadastre(&["packet", "verify", &packet, "--public-key", &other]), 1, "error:");

    let mut bytes = std::fs::read(&packet).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(path("changed.zip"), bytes).unwrap();
    check(&verify(&path("changed.zip")), 3, "not verified");
    let changed = path("changed.zip");
    let page = cadastre(&["packet", "page", &changed, "--public-key", &public, "-o", &path("changed.html")]);
    check(&page, 3, "not verified");
    assert!(!directory.path().join("changed.html").exists());

    let rules = path("redaction.yaml");
    std::fs::write(&rules, "schema: cadastre/redaction-rules/v1\naccounts: all\naddresses: all\n").unwrap();
    let shared = path("shared.zip");
    let redact =
        cadastre(&["packet", "redact", &packet, "--rules", &rules, "--public-key", &public, "-o", &shared]);
    assert_eq!(redact.status.code(), Some(0), "{}", shown(&redact));
    let redacted = verify(&shared);
    assert_eq!(redacted.status.code(), Some(0), "{}", shown(&redacted));
    let redacted: serde_json::Value = serde_json::from_slice(&redacted.stdout).unwrap();
    assert_eq!(redacted["root"], verification["root"]);
    let shared = std::fs::read(&shared).unwrap();
    assert!(!shared.windows(12).any(|window| window == b"999988887777"));
    assert!(cadastre(&["packet", "show", &packet]).stdout.starts_with(b"packet of payments"));
}

#[test]
fn drift_between_clean_and_planted_exits_with_2_and_speaks_of_capabilities() {
    let clean = fixtures().join("clean/evidence").display().to_string();
    let same = judge("drift", "clean", &["--baseline", &clean]);
    assert_eq!(same.status.code(), Some(0), "{}", shown(&same));
    let moved = judge("drift", "planted", &["--baseline", &clean]);
    assert_eq!(moved.status.code(), Some(2), "{}", shown(&moved));
    let text = String::from_utf8_lossy(&moved.stdout).into_owned();
    assert!(text.contains("streamco-support") && text.contains("can now"), "{text}");
}

#[test]
fn who_can_answers_for_keys_and_topics() {
    let fixture = fixtures().join("planted");
    let evidence = fixture.join("evidence").display().to_string();
    let boundary = fixture.join("boundary.yaml").display().to_string();
    let ask = |capability: &str, target: &str| {
        let output =
            cadastre(&["who-can", capability, target, &evidence, "-b", &boundary, "--format", "json"]);
        assert_eq!(output.status.code(), Some(0), "{}", shown(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(ask("decrypt", "alias/payments-kafka-data").contains("role/streamco-support"));
    assert!(ask("read-records", "topic:payments.transactions").contains("User:streamco-agent"));
    check(
        &cadastre(&["who-can", "decrypt", "alias/nope", &evidence, "-b", &boundary]),
        1,
        "knows no target `alias/nope`",
    );
}

#[test]
fn bad_input_is_refused_with_what_to_do_next() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let clean = fixtures().join("clean");
    let evidence = clean.join("evidence").display().to_string();

    check(
        &cadastre(&["check", &evidence, "-b", &path("missing.yaml")]),
        1,
        "hint: write one with `cadastre init`",
    );
    let broken = path("broken.yaml");
    std::fs::write(&broken, "schema: cadastre/boundary/v1\nname: a\nregoins: []\n").unwrap();
    check(&cadastre(&["check", &evidence, "-b", &broken]), 1, "broken.yaml:3:1: unknown field `regoins`");
    check(&judge("check", "clean", &["--as-of", "yesterday"]), 1, "`yesterday` is not a time");

    let boundary = clean.join("boundary.yaml").display().to_string();
    check(&cadastre(&["check", &path("nowhere"), "-b", &boundary]), 1, "cannot access");
    std::fs::create_dir(path("empty")).unwrap();
    check(&cadastre(&["check", &path("empty"), "-b", &boundary]), 1, "is not an evidence directory");

    std::fs::create_dir_all(path("report/old")).unwrap();
    check(
        &judge("report", "clean", &["-o", &path("report")]),
        1,
        "hint: choose another path, or pass --force",
    );
    check(&cadastre(&["scan", "-b", &boundary, "-o", &path("report")]), 1, "exists");
}

#[test]
fn init_writes_a_declaration_that_check_accepts() {
    let directory = tempfile::tempdir().unwrap();
    let output = cadastre_in(directory.path(), &["init", "--offline", "--regions", "eu-central-1"]);
    check(&output, 0, "wrote boundary.yaml");
    check(&cadastre_in(directory.path(), &["init", "--offline"]), 1, "`boundary.yaml` exists");
    let evidence = fixtures().join("clean/evidence").display().to_string();
    let output = cadastre_in(directory.path(), &["check", &evidence]);
    assert!(matches!(output.status.code(), Some(3 | 4)), "{}", shown(&output));
}

#[test]
fn policies_can_be_listed_shown_and_tested() {
    let list = cadastre(&["policy", "list", "--format", "json"]);
    let controls: Vec<serde_json::Value> = serde_json::from_slice(&list.stdout).unwrap();
    assert!(controls.len() >= 32, "{} controls", controls.len());
    check(&cadastre(&["policy", "show", "key-02"]), 0, "");
    check(&cadastre(&["policy", "show", "KEY-99"]), 1, "no control `KEY-99`");
    let tests = cadastre(&["policy", "test"]);
    check(&tests, 0, "");
    assert!(String::from_utf8_lossy(&tests.stdout).contains(" passed, 0 failed"));
}

#[test]
fn the_permissions_of_a_scan_are_read_only() {
    let policy = cadastre(&["scan", "--permissions"]);
    check(&policy, 0, "");
    let policy: serde_json::Value = serde_json::from_slice(&policy.stdout).unwrap();
    for statement in policy["Statement"].as_array().unwrap() {
        for action in statement["Action"].as_array().unwrap() {
            let name = action.as_str().unwrap().split_once(':').unwrap().1;
            let reads =
                ["Get", "List", "Describe", "Generate", "Search"].iter().any(|verb| name.starts_with(verb));
            assert!(reads || name == "AssumeRole", "{action}");
        }
    }
}

#[test]
fn an_unreachable_endpoint_is_evidence_of_not_knowing() {
    let directory = tempfile::tempdir().unwrap();
    let boundary = directory.path().join("boundary.yaml");
    std::fs::write(
        &boundary,
        "schema: cadastre/boundary/v1\nname: a\noperating-model: self-managed\narchitecture: shared-storage\nevidence: {callers: ['User:ANONYMOUS']}\nclusters:\n  - name: gone\n    kind: apache-kafka\n    bootstrap: ['127.0.0.1:1']\n    security: {protocol: PLAINTEXT}\n",
    )
    .unwrap();
    let output = cadastre_in(directory.path(), &["scan", "-o", "evidence"]);
    check(&output, 4, "not every call was answered");
    let output = cadastre_in(directory.path(), &["check", "evidence"]);
    check(&output, 4, "");
}

#[test]
fn a_broker_starts_serves_says_how_to_connect_and_stops() {
    let directory = tempfile::tempdir().unwrap();
    let up = cadastre_in(directory.path(), &["up"]);
    check(&up, 0, "");
    let status = cadastre_in(directory.path(), &["status", "--format", "json"]);
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(status["running"], true);
    let scan = cadastre_in(directory.path(), &["scan", "-b", ".cadastre/boundary.yaml", "-o", "evidence"]);
    let check_local = cadastre_in(
        directory.path(),
        &["check", "evidence", "-b", ".cadastre/boundary.yaml", "--format", "json"],
    );
    let down = cadastre_in(directory.path(), &["down"]);
    check(&down, 0, "stopped process");
    assert!(matches!(scan.status.code(), Some(0 | 4)), "{}", shown(&scan));
    let checklist: serde_json::Value = serde_json::from_slice(&check_local.stdout).unwrap();
    assert_eq!(checklist["summary"]["red-flag"], 0, "{}", shown(&check_local));

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let other = tempfile::tempdir().unwrap();
    check(&cadastre_in(other.path(), &["up", "--port", &port]), 1, "cannot listen on");
}

fn variant(name: &str) -> String {
    fixtures().join(name).display().to_string()
}

#[test]
fn options_are_laid_side_by_side() {
    let output = cadastre(&["compare", &variant("clean"), &variant("planted")]);
    assert_eq!(output.status.code(), Some(0), "{}", shown(&output));
    insta::assert_snapshot!(shown(&output));
    let page = cadastre(&["compare", &variant("clean"), &variant("planted"), "--format", "html"]);
    let again = cadastre(&["compare", &variant("clean"), &variant("planted"), "--format", "html"]);
    assert_eq!(page.stdout, again.stdout);
    let page = String::from_utf8(page.stdout).unwrap();
    assert!(page.contains("Shape of the bill") && page.contains("BND-04"), "{page}");
    check(&cadastre(&["compare", &variant("clean"), &variant("clean")]), 1, "two options are called `clean`");
    check(&cadastre(&["compare", &variant("clean"), "no-such-folder"]), 1, "cannot read `no-such-folder`");
    check(&cadastre(&["compare", &variant("clean")]), 64, "OPTION");
}

#[test]
fn the_shape_of_a_bill_says_what_it_rests_on() {
    let output = judge("cost", "clean", &[]);
    assert_eq!(output.status.code(), Some(0), "{}", shown(&output));
    insta::assert_snapshot!(shown(&output));
    let plot = judge("cost", "clean", &["--format", "svg"]);
    assert!(
        plot.stdout.starts_with(b"<svg ")
            && plot.stdout == judge("cost", "clean", &["--format", "svg"]).stdout
    );
}

#[test]
fn the_customers_own_prices_count_and_broken_ones_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let example = std::fs::read_to_string(fixtures().join("../policies/prices/example.yaml")).unwrap();
    let own = directory.path().join("prices.yaml");
    std::fs::write(&own, example.replace("is-example: true", "is-example: false")).unwrap();
    let path = own.display().to_string();
    let output = judge("check", "clean", &["--prices", &path, "--format", "json", "--fail-on", "never"]);
    let checklist: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let controls = checklist["controls"].as_array().unwrap();
    let control = controls.iter().find(|control| control["id"] == "CST-02").unwrap();
    assert!(!control.to_string().contains("example"), "{control}");
    std::fs::write(&own, example.replace("\"0.0816\"", "cheap")).unwrap();
    check(&judge("cost", "clean", &["--prices", &path]), 1, "prices.yaml:");
}
