//! What a proof stands on: an authority of certificates, a PostgreSQL server, an object store, and processes that end with it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};

use crate::process;

/// The longest wait for anything to start.
const PATIENCE: Duration = Duration::from_secs(120);
/// The bucket with records.
const BUCKET: &str = "records";
/// The credentials that the documentation of AWS uses.
const ACCESS_KEY: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

/// Prints every version in the bucket that is not the current one of its object.
const LIST_VERSIONS: &str = "\
import boto3

client = boto3.client(\"s3\", endpoint_url=\"URL\", region_name=\"us-east-1\",
                      aws_access_key_id=\"ACCESS\", aws_secret_access_key=\"SECRET\")
for page in client.get_paginator(\"list_object_versions\").paginate(Bucket=\"BUCKET\"):
    for version in page.get(\"Versions\", []):
        if not version[\"IsLatest\"]:
            print(version[\"Key\"])
";

/// A directory that goes when it is dropped. It is short, for a Unix socket lies in it.
#[derive(Debug)]
pub(crate) struct Work(PathBuf);

impl Work {
    /// Makes it.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("cadastre-proof-{}", std::process::id()));
        fs::create_dir_all(&path).with_context(|| format!("cannot create `{}`", path.display()))?;
        Ok(Self(path))
    }

    /// A directory in it, made.
    pub(crate) fn directory(&self, name: &str) -> anyhow::Result<PathBuf> {
        let path = self.0.join(name);
        fs::create_dir_all(&path).with_context(|| format!("cannot create `{}`", path.display()))?;
        Ok(path)
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if std::env::var_os("CADASTRE_KEEP").is_none() {
            let _removed = fs::remove_dir_all(&self.0);
        }
    }
}

/// An authority, which signs certificates of listeners on this machine.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    /// What its certificates say.
    pub(crate) const NAME: &str = "Authority of the proof";

    /// Makes one.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, Self::NAME);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let pem = params.self_signed(&key)?.pem();
        Ok(Self { issuer: Issuer::new(params, key), pem })
    }

    /// Writes its certificate.
    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        write_private(path, &self.pem)
    }

    /// Writes a key and a certificate with it, for a host and for this machine.
    pub(crate) fn issue(&self, subject: &str, host: &str, path: &Path) -> anyhow::Result<()> {
        let key = KeyPair::generate()?;
        let names = BTreeSet::from([host, "127.0.0.1", "localhost"]);
        let mut params = CertificateParams::new(names.into_iter().map(str::to_owned).collect::<Vec<_>>())?;
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, subject);
        let certificate = params.signed_by(&key, &self.issuer)?;
        write_private(path, &format!("{}{}{}", key.serialize_pem(), certificate.pem(), self.pem))
    }
}

/// Writes a file that only its owner may read.
pub(crate) fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut options = fs::OpenOptions::new();
    let file = options.create(true).truncate(true).write(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("cannot write `{}`", path.display()))
}

/// Writes a program of the shell.
pub(crate) fn write_script(path: &Path, text: &str) -> anyhow::Result<()> {
    write_private(path, text)?;
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o700))?)
}

/// A free port below those that the system gives to clients, one of which might get it while a broker is down.
pub(crate) fn free_port() -> anyhow::Result<u16> {
    let first = u16::try_from(std::process::id() % 12_000)?;
    static NEXT: std::sync::atomic::AtomicU16 = std::sync::atomic::AtomicU16::new(0);
    for _ in 0..12_000 {
        let next = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let port = 20_000 + (first + next) % 12_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no port from 20000 to 31999 is free")
}

/// Waits until something holds.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let started = Instant::now();
    while !holds()? {
        ensure!(started.elapsed() < PATIENCE, "{what}: not within {} s", PATIENCE.as_secs());
        std::thread::park_timeout(Duration::from_millis(20));
    }
    Ok(())
}

/// A PostgreSQL server on a Unix socket.
#[derive(Debug)]
pub(crate) struct Database {
    directory: PathBuf,
    owner: Option<(u32, u32)>,
    process: Child,
}

impl Database {
    /// Starts one in a directory.
    pub(crate) fn start(directory: &Path) -> anyhow::Result<Self> {
        let owner = owner();
        if let Some((user, group)) = owner {
            std::os::unix::fs::chown(directory, Some(user), Some(group))?;
        }
        let data = directory.join("data");
        process::output(as_owner("initdb", owner).current_dir(directory).arg("-D").arg(&data).args([
            "-U",
            "postgres",
            "--auth=trust",
            "--no-sync",
            "-E",
            "UTF8",
            "--locale=C",
        ]))?;
        let log = fs::File::create(directory.join("log"))?;
        let process = as_owner("postgres", owner)
            .current_dir(directory)
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(directory)
            .args(["-c", "listen_addresses=", "-c", "shared_buffers=64MB"])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("cannot run postgres")?;
        let database = Self { directory: directory.to_owned(), owner, process };
        until("PostgreSQL answers", || Ok(database.answers()))?;
        Ok(database)
    }

    fn answers(&self) -> bool {
        let mut command = Command::new(postgres("psql"));
        command.args(["-X", "-q", "-U", "postgres", "-d", "postgres", "-c", "SELECT 1", "-h"]);
        let answered = command.arg(&self.directory).stdout(Stdio::null()).stderr(Stdio::null()).status();
        answered.is_ok_and(|status| status.success())
    }

    /// How a broker reaches it.
    pub(crate) fn url(&self) -> String {
        format!("host={} user=postgres dbname=postgres", self.directory.display())
    }

    /// What it calls itself.
    pub(crate) fn version() -> anyhow::Result<String> {
        let told = process::output(Command::new(postgres("postgres")).arg("--version"))?;
        let version = told.split_whitespace().nth(2).context("postgres tells no version")?;
        Ok(format!("PostgreSQL {version}"))
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let mut stop = as_owner("pg_ctl", self.owner);
        stop.current_dir(&self.directory).args(["stop", "-m", "immediate", "-D"]);
        let _stopped = stop.arg(self.directory.join("data")).stdout(Stdio::null()).status();
        let _reaped = self.process.wait();
    }
}

/// PostgreSQL's programs: in `CADASTRE_POSTGRES_BIN`, where Debian puts them, or on the `PATH`.
fn postgres(name: &str) -> PathBuf {
    let named = std::env::var_os("CADASTRE_POSTGRES_BIN").map(PathBuf::from);
    let mut places: Vec<PathBuf> = named.into_iter().collect();
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    places.extend(debian.map(|version| version.path().join("bin")));
    places.into_iter().map(|place| place.join(name)).find(|path| path.exists()).unwrap_or_else(|| name.into())
}

/// PostgreSQL refuses to run as root; then a system user does.
fn owner() -> Option<(u32, u32)> {
    let id = |arguments: &[&str]| {
        process::output(Command::new("id").args(arguments)).ok()?.trim().parse::<u32>().ok()
    };
    if id(&["-u"]) != Some(0) {
        return None;
    }
    ["postgres", "nobody"].iter().find_map(|user| Some((id(&["-u", user])?, id(&["-g", user])?)))
}

fn as_owner(name: &str, owner: Option<(u32, u32)>) -> Command {
    let Some((user, group)) = owner else { return Command::new(postgres(name)) };
    let mut command = Command::new("setpriv");
    command.args([format!("--reuid={user}"), format!("--regid={group}"), "--clear-groups".to_owned()]);
    command.arg(postgres(name));
    command
}

/// moto's S3, with a bucket.
#[derive(Debug)]
pub(crate) struct ObjectStore {
    url: String,
    process: Child,
}

impl ObjectStore {
    /// Starts one.
    pub(crate) fn start(python: &Path) -> anyhow::Result<Self> {
        let mut process = Command::new(python)
            .arg("-B")
            .arg(process::root().join("fixtures/reference-account/server.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot run moto")?;
        let mut url = String::new();
        let said = process.stdout.take().context("moto has no standard output")?;
        BufReader::new(said).read_line(&mut url)?;
        let store = Self { url: url.trim().to_owned(), process };
        store.request("PUT", &format!("/{BUCKET}"), "")?;
        Ok(store)
    }

    /// From now on the bucket keeps what is deleted from it.
    pub(crate) fn keep_versions(&self) -> anyhow::Result<()> {
        let versions = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
        self.request("PUT", &format!("/{BUCKET}?versioning"), versions)
    }

    fn request(&self, method: &str, path: &str, body: &str) -> anyhow::Result<()> {
        let host = self.url.trim_start_matches("http://");
        let mut stream = TcpStream::connect(host).context("moto does not answer")?;
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: AWS4-HMAC-SHA256 \
             Credential={ACCESS_KEY}/20260101/us-east-1/s3/aws4_request\r\nContent-Length: {length}\r\n\
             Connection: close\r\n\r\n{body}"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let status = answer.lines().next().unwrap_or_default();
        ensure!(status.contains(" 200 "), "moto answers `{status}` to {method} {path}");
        Ok(())
    }

    /// Properties of a broker that keeps its objects there. Credentials are written into a file of their own.
    pub(crate) fn properties(&self, directory: &Path) -> anyhow::Result<String> {
        let credentials = directory.join("s3.properties");
        write_private(
            &credentials,
            &format!("aws_access_key_id={ACCESS_KEY}\naws_secret_access_key={SECRET_KEY}\n"),
        )?;
        let mut text = String::new();
        writeln!(text, "cadastre.objects.location=s3://{BUCKET}/proof")?;
        writeln!(
            text,
            "cadastre.objects.options=aws_endpoint={},aws_region=us-east-1,aws_allow_http=true,\
             aws_virtual_hosted_style_request=false",
            self.url
        )?;
        writeln!(text, "cadastre.objects.credentials.file={}", credentials.display())?;
        Ok(text)
    }

    /// The hook that makes it stop answering, and the one that lets it go on.
    pub(crate) fn outage(&self) -> [Vec<String>; 2] {
        let pid = self.process.id().to_string();
        ["-STOP", "-CONT"].map(|signal| vec!["kill".to_owned(), signal.to_owned(), pid.clone()])
    }

    /// The hook that lists what older versions the bucket keeps.
    pub(crate) fn list_versions(&self, python: &Path, directory: &Path) -> anyhow::Result<Vec<String>> {
        let script = directory.join("list_versions.py");
        let values =
            [("URL", self.url.as_str()), ("ACCESS", ACCESS_KEY), ("SECRET", SECRET_KEY), ("BUCKET", BUCKET)];
        let text = values.iter().fold(LIST_VERSIONS.to_owned(), |text, (name, value)| {
            text.replace(&format!("\"{name}\""), &format!("\"{value}\""))
        });
        write_private(&script, &text)?;
        Ok(vec![python.display().to_string(), "-B".to_owned(), script.display().to_string()])
    }
}

impl Drop for ObjectStore {
    fn drop(&mut self) {
        let _ended = self.process.kill();
        let _reaped = self.process.wait();
    }
}

/// The process that a file names, with something of ours on its command line.
pub(crate) fn process_in(file: &Path, word: &str) -> Option<u32> {
    let pid: u32 = fs::read_to_string(file).ok()?.trim().parse().ok()?;
    let command = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    String::from_utf8_lossy(&command).contains(word).then_some(pid)
}

/// Ends a process that a file names, if it is ours.
pub(crate) fn end(file: &Path, word: &str) {
    if let Some(pid) = process_in(file, word) {
        let _killed = Command::new("kill").args(["-9", &pid.to_string()]).status();
    }
}
