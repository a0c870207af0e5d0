//! What is done to brokers and to what they stand on, other than `kill -9`.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::postgres;
use crate::proxy::{Passage, Proxy};
use crate::random::Random;

/// What happens in each round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Fault {
    /// A broker ends by SIGKILL and starts again.
    Kill,
    /// A broker is stopped by SIGSTOP for longer than its lease, and goes on.
    Pause,
    /// The disk of a broker is full for a while.
    FullDisk,
    /// Every answer of the object store takes long for a while.
    SlowStore,
    /// Connections to the object store break, and no new ones come about, for a while.
    FailingStore,
    /// PostgreSQL is stopped as by a crash, and starts again.
    DatabaseRestart,
    /// The key service cannot be reached for longer than keys are kept.
    KeyOutage,
}

/// The size of a disk that is to be full: much more than the log needs between two faults.
const DISK: &str = "size=192m";
const BUCKET: &str = "records";
/// The documentation's own credentials.
pub(crate) const ACCESS_KEY: &str = "AKIAIOSFODNN7EXAMPLE";
pub(crate) const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

/// What brokers stand on, as far as a fault concerns it.
#[derive(Debug, Default)]
pub(crate) struct Ground {
    pub(crate) database: Option<postgres::Server>,
    cloud: Option<Cloud>,
    disk: Option<Disk>,
}

impl Ground {
    /// What a fault needs, with the properties that make brokers use it.
    pub(crate) async fn prepare(fault: Fault, root: &Path) -> (Self, String) {
        let mut ground = Self::default();
        let mut properties = String::new();
        match fault {
            Fault::Kill | Fault::Pause | Fault::DatabaseRestart => {}
            Fault::FullDisk => ground.disk = Some(Disk::mount(&root.join("broker-1"))),
            Fault::SlowStore | Fault::FailingStore => {
                let cloud = Cloud::start().await;
                properties = format!(
                    "cadastre.objects.location=s3://{BUCKET}/kill\ncadastre.objects.options=aws_endpoint=http://{},\
                     aws_region=us-east-1,aws_access_key_id={ACCESS_KEY},aws_secret_access_key={SECRET_KEY},\
                     aws_allow_http=true,aws_virtual_hosted_style_request=false\n",
                    cloud.proxy.address
                );
                ground.cloud = Some(cloud);
            }
            Fault::KeyOutage => {
                let cloud = Cloud::start().await;
                properties = format!(
                    "cadastre.key.provider=aws-kms\ncadastre.key.aws.kms.key.arn={}\n\
                     cadastre.key.aws.kms.endpoint=http://{}\ncadastre.key.cache.ttl.ms=1000\n\
                     cadastre.key.call.timeout.ms=500\n",
                    cloud.key(),
                    cloud.proxy.address
                );
                ground.cloud = Some(cloud);
            }
        }
        (ground, properties)
    }

    /// Lets the fault happen and pass. What concerns one broker alone is not here.
    pub(crate) async fn suffer(&self, fault: Fault, random: &mut Random) {
        match fault {
            Fault::Kill | Fault::Pause => {}
            Fault::FullDisk => {
                let disk = self.disk.as_ref().expect("a disk was mounted");
                disk.fill();
                tokio::time::sleep(Duration::from_millis(200 + random.below(1000))).await;
                disk.empty();
            }
            Fault::SlowStore => {
                let delay = Duration::from_millis(100 + random.below(900));
                self.proxy().set(Passage::Slow(delay));
                tokio::time::sleep(Duration::from_millis(500 + random.below(2500))).await;
                self.proxy().set(Passage::Open);
            }
            Fault::FailingStore => {
                self.proxy().set(Passage::Shut);
                tokio::time::sleep(Duration::from_millis(200 + random.below(2500))).await;
                self.proxy().set(Passage::Open);
            }
            Fault::KeyOutage => {
                self.proxy().set(Passage::Shut);
                tokio::time::sleep(Duration::from_millis(1200 + random.below(2000))).await;
                self.proxy().set(Passage::Open);
            }
            Fault::DatabaseRestart => {
                let database = self.database.as_ref().expect("cluster mode has a database");
                tokio::task::block_in_place(|| database.restart_after_crash());
            }
        }
    }

    fn proxy(&self) -> &Proxy {
        &self.cloud.as_ref().expect("a cloud was started").proxy
    }
}

/// A disk of its own for one broker, in memory and of bounded size.
#[derive(Debug)]
struct Disk(PathBuf);

impl Disk {
    fn mount(place: &Path) -> Self {
        std::fs::create_dir(place).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", DISK, "tmpfs"]).arg(place).status();
        assert!(mounted.is_ok_and(|status| status.success()), "a tmpfs cannot be mounted: run as root");
        Self(place.to_owned())
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }

    fn fill(&self) {
        let mut file = std::fs::File::create(self.filler()).unwrap();
        let mut chunk = vec![0; 1 << 20];
        // Down to the last page: a full disk has no room for a frame, however small.
        while !chunk.is_empty() {
            if file.write_all(&chunk).is_err() {
                chunk.truncate(chunk.len() / 2);
            }
        }
    }

    fn empty(&self) {
        std::fs::remove_file(self.filler()).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Detached at once, whoever still has a file open there.
        let _unmounted = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// moto's S3 and KMS, behind a proxy.
#[derive(Debug)]
struct Cloud {
    process: Child,
    address: SocketAddr,
    proxy: Proxy,
}

impl Cloud {
    async fn start() -> Self {
        let python =
            std::env::var_os("CADASTRE_PYTHON").expect("CADASTRE_PYTHON names a Python with moto[server]");
        let server =
            PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/reference-account/server.py");
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
        let address: SocketAddr = url.trim().trim_start_matches("http://").parse().unwrap();
        let cloud = Self { process, address, proxy: Proxy::before(address).await };
        let made = cloud.ask(&format!("PUT /{BUCKET}"), "s3", "", "");
        assert!(made.contains(" 200 "), "{made}");
        cloud
    }

    /// A new key's ARN.
    fn key(&self) -> String {
        let target = "X-Amz-Target: TrentService.CreateKey\r\nContent-Type: application/x-amz-json-1.1\r\n";
        let made = self.ask("POST /", "kms", target, "{}");
        let from = made.find("arn:aws:kms").unwrap_or_else(|| panic!("{made}"));
        made[from..].split('"').next().unwrap().to_owned()
    }

    fn ask(&self, line: &str, service: &str, headers: &str, body: &str) -> String {
        let mut socket = TcpStream::connect(self.address).unwrap();
        let text = format!(
            "{line} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\
             Authorization: AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/20260101/us-east-1/{service}/aws4_request, \
             SignedHeaders=host, Signature=00\r\n\r\n{body}",
            self.address,
            body.len(),
        );
        socket.write_all(text.as_bytes()).unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        answer
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        // It is ours, and it may have ended by itself.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
