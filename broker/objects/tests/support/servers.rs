//! Object stores behind HTTP: s3s-fs in this process, moto and Azurite as processes that end with it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cadastre_objects::{Store, StoreLocation, StoreSettings};
use hyper_util::rt::{TokioExecutor, TokioIo};
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;

const BUCKET: &str = "records";

fn s3(url: &str, prefix: &str) -> Store {
    let options = [
        ("aws_endpoint", url),
        ("aws_region", "us-east-1"),
        ("aws_access_key_id", "test-key"),
        ("aws_secret_access_key", "test-secret"),
        ("aws_allow_http", "true"),
        ("aws_virtual_hosted_style_request", "false"),
    ];
    open(&format!("s3://{BUCKET}/{prefix}"), &options)
}

fn open(location: &str, options: &[(&str, &str)]) -> Store {
    let options: BTreeMap<_, _> =
        options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    StoreLocation::parse(location, options).unwrap().open(StoreSettings::default()).unwrap()
}

/// An S3 server over a directory, in this process.
pub(crate) async fn s3s(directory: &std::path::Path) -> Store {
    std::fs::create_dir(directory.join(BUCKET)).unwrap();
    let files = s3s_fs::FileSystem::new(directory).unwrap();
    let mut builder = S3ServiceBuilder::new(files);
    builder.set_auth(SimpleAuth::from_single("test-key", "test-secret"));
    let service = builder.build();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let service = service.clone();
            tokio::spawn(async move {
                let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                drop(server.serve_connection(TokioIo::new(socket), service).await);
            });
        }
    });
    s3(&url, "under/a/prefix")
}

/// A server process and the store in it. moto ends when its standard input closes, Azurite is killed.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) store: Store,
    process: Child,
    _directory: Option<tempfile::TempDir>,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It is ours, and it may have ended by itself.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// moto, whose S3 honours conditional writes.
pub(crate) fn moto() -> Option<Server> {
    let Some(python) = std::env::var_os("CADASTRE_PYTHON") else {
        eprintln!("skipped: CADASTRE_PYTHON names no Python with moto[server]");
        return None;
    };
    let server = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/reference-account/server.py");
    let mut process = Command::new(python)
        .arg("-B")
        .arg(server)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut url = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut url).unwrap();
    let url = url.trim().to_owned();
    let created = request(url.trim_start_matches("http://"), &format!("PUT /{BUCKET}"), &[]);
    assert!(created.contains(" 200 "), "{created}");
    Some(Server { store: s3(&url, ""), process, _directory: None })
}

/// Azurite, Microsoft's emulator of Blob Storage. Account and key are the published ones of the emulator.
pub(crate) async fn azurite() -> Option<Server> {
    const ACCOUNT: &str = "devstoreaccount1";
    const KEY: &str =
        "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
    let Some(program) = std::env::var_os("CADASTRE_AZURITE") else {
        eprintln!("skipped: CADASTRE_AZURITE names no azurite-blob");
        return None;
    };
    let directory = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut process = Command::new(program)
        .args(["--blobHost", "127.0.0.1", "--blobPort", &port.to_string(), "--location"])
        .arg(directory.path())
        .args(["--skipApiVersionCheck", "--disableTelemetry", "--silent"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let host = format!("127.0.0.1:{port}");
    wait_for(&host, &mut process).await;
    let date = jiff::Zoned::now().with_time_zone(jiff::tz::TimeZone::UTC);
    let date = date.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let signed = format!(
        "PUT\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:{date}\nx-ms-version:2021-08-06\n/{ACCOUNT}/{ACCOUNT}/{BUCKET}\nrestype:container"
    );
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &STANDARD.decode(KEY).unwrap());
    let signature = STANDARD.encode(aws_lc_rs::hmac::sign(&key, signed.as_bytes()));
    let created = request(
        &host,
        &format!("PUT /{ACCOUNT}/{BUCKET}?restype=container"),
        &[
            ("x-ms-date", &date),
            ("x-ms-version", "2021-08-06"),
            ("Authorization", &format!("SharedKey {ACCOUNT}:{signature}")),
        ],
    );
    assert!(created.contains(" 201 "), "{created}");
    let endpoint = format!("http://{host}/{ACCOUNT}");
    let options = [
        ("azure_storage_account_name", ACCOUNT),
        ("azure_storage_account_key", KEY),
        ("azure_storage_endpoint", &endpoint),
        ("azure_allow_http", "true"),
    ];
    let store = open(&format!("az://{BUCKET}/some/prefix"), &options);
    Some(Server { store, process, _directory: Some(directory) })
}

async fn wait_for(host: &str, process: &mut Child) {
    for _ in 0..300 {
        if TcpStream::connect(host).is_ok() {
            return;
        }
        assert!(process.try_wait().unwrap().is_none(), "the server ended early");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the server does not listen on {host}");
}

/// One HTTP request without a body; the whole answer.
fn request(host: &str, line: &str, headers: &[(&str, &str)]) -> String {
    let mut stream = TcpStream::connect(host).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut text = format!("{line} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\nConnection: close\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{text}\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
