//! Starts moto with the reference account in it, once per variant and test run.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

/// A running server. It ends when its standard input closes, which is when this process does.
#[derive(Debug)]
pub(crate) struct Moto {
    /// Where it listens.
    pub(crate) url: String,
    /// What `seed.py` printed.
    pub(crate) seeded: Value,
    _server: Child,
}

/// The account in which nothing is wrong.
pub(crate) fn clean() -> Option<&'static Moto> {
    static CLEAN: OnceLock<Option<Moto>> = OnceLock::new();
    CLEAN.get_or_init(|| start("clean")).as_ref()
}

/// The account in which much is.
pub(crate) fn planted() -> Option<&'static Moto> {
    static PLANTED: OnceLock<Option<Moto>> = OnceLock::new();
    PLANTED.get_or_init(|| start("planted")).as_ref()
}

fn start(variant: &str) -> Option<Moto> {
    let Some(python) = std::env::var_os("CADASTRE_PYTHON") else {
        eprintln!("skipped: CADASTRE_PYTHON names no Python with moto[server]");
        return None;
    };
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/reference-account");
    let mut server = Command::new(&python)
        .arg("-B")
        .arg(directory.join("server.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the server starts");
    let mut url = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut url).expect("the server says where it is");
    let url = url.trim().to_owned();
    let seeded = Command::new(&python)
        .arg("-B")
        .arg(directory.join("seed.py"))
        .args(["--endpoint-url", &url, "--variant", variant])
        .output()
        .expect("the seed runs");
    assert!(seeded.status.success(), "{}", String::from_utf8_lossy(&seeded.stderr));
    let seeded = serde_json::from_slice(&seeded.stdout).expect("the seed prints JSON");
    Some(Moto { url, seeded, _server: server })
}
