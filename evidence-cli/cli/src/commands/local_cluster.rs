//! The bundled broker on this machine, as `up` and `demo` set it up: TLS, SCRAM, default-deny ACLs, quotas,
//! an encrypted log, and a declaration of exactly that.

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use base64::Engine as _;
use cadastre_model::{Clock, SystemClock};
use cadastre_protocol::client::{
    Client, ClientConfig, ClientError, Mechanism, Password, Sasl, Security, Tls, Trust,
};
use cadastre_server::{BrokerConfig, FormatOptions};
use proto_kafka::messages::alter_client_quotas_request::{EntityData, EntryData, OpData};
use proto_kafka::messages::create_acls_request::AclCreation;
use proto_kafka::messages::{AlterClientQuotasRequest, CreateAclsRequest};
use proto_kafka::protocol::StrBytes;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use serde_json::json;

/// The host that the bundled broker listens on.
pub(super) const HOST: &str = "127.0.0.1";

/// The SCRAM mechanism of all its users.
pub(super) const MECHANISM: &str = "SCRAM-SHA-512";

/// PBKDF2 iterations of their credentials.
const ITERATIONS: u32 = 8192;

/// The super user.
pub(super) const ADMIN: &str = "admin";

/// Who scans.
pub(super) const SCANNER: &str = "cadastre-scanner";

/// A directory with everything the bundled broker needs.
#[derive(Debug, Clone)]
pub(super) struct LocalCluster {
    directory: PathBuf,
}

/// What a workload's user may do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Workload<'a> {
    /// The user's name.
    pub user: &'a str,
    /// Topic prefixes it may read, and the consumer group of its own name.
    pub reads: &'a [&'a str],
    /// Topic prefixes it may write.
    pub writes: &'a [&'a str],
}

impl LocalCluster {
    /// The cluster whose state lies in `directory`, whether it is there yet or not.
    #[must_use]
    pub(super) fn at(directory: &Path) -> Self {
        Self { directory: directory.to_owned() }
    }

    /// Whether it was set up before.
    #[must_use]
    pub(super) fn exists(&self) -> bool {
        self.config_file().exists()
    }

    /// `server.properties`.
    #[must_use]
    pub(super) fn config_file(&self) -> PathBuf {
        self.directory.join("server.properties")
    }

    /// The authority that signed the broker's certificate.
    #[must_use]
    pub(super) fn ca_file(&self) -> PathBuf {
        self.directory.join("ca.pem")
    }

    /// The file with a user's password.
    #[must_use]
    pub(super) fn password_file(&self, user: &str) -> PathBuf {
        self.directory.join("credentials").join(user)
    }

    /// A user's password.
    ///
    /// # Errors
    /// When its file cannot be read.
    pub(super) fn password(&self, user: &str) -> anyhow::Result<String> {
        let path = self.password_file(user);
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
        Ok(text.lines().next().unwrap_or_default().to_owned())
    }

    /// Makes certificates, credentials and configuration, and formats the log directory.
    ///
    /// # Errors
    /// When something cannot be made; what was made stays, and `down` followed by removing the directory
    /// starts over.
    pub(super) async fn create(&self, port: u16, users: &[&str]) -> anyhow::Result<()> {
        private_directory(&self.directory)?;
        private_directory(&self.directory.join("credentials"))?;
        self.make_certificates()?;
        let mut scram = Vec::new();
        for user in [ADMIN, SCANNER].iter().chain(users) {
            let password = random_password()?;
            private_file(&self.password_file(user), &format!("{password}\n"))?;
            scram.push(format!("{MECHANISM}=[name={user},password={password},iterations={ITERATIONS}]"));
        }
        let port = if port == 0 { free_port()? } else { port };
        private_file(&self.config_file(), &self.properties(port)?)?;
        let config = BrokerConfig::load(&self.config_file())?;
        cadastre_server::format(&config, &FormatOptions { scram, ..FormatOptions::default() }).await?;
        Ok(())
    }

    fn properties(&self, port: u16) -> anyhow::Result<String> {
        let absolute = fs::canonicalize(&self.directory)
            .with_context(|| format!("cannot resolve `{}`", self.directory.display()))?;
        let path = |name: &str| absolute.join(name).display().to_string().replace('\\', "\\\\");
        Ok(format!(
            "# The bundled broker, secure by default: one TLS listener, SCRAM, ACLs that deny unless they allow.\n\
             node.id=1\n\
             listeners=CLIENTS://{HOST}:{port}\n\
             advertised.listeners=CLIENTS://{HOST}:{port}\n\
             listener.security.protocol.map=CLIENTS:SASL_SSL\n\
             inter.broker.listener.name=CLIENTS\n\
             sasl.enabled.mechanisms={MECHANISM}\n\
             sasl.mechanism.inter.broker.protocol={MECHANISM}\n\
             ssl.keystore.type=PEM\n\
             ssl.keystore.location={}\n\
             ssl.enabled.protocols=TLSv1.2,TLSv1.3\n\
             authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n\
             super.users=User:{ADMIN}\n\
             allow.everyone.if.no.acl.found=false\n\
             auto.create.topics.enable=false\n\
             unclean.leader.election.enable=false\n\
             log.dirs={}\n\
             log.retention.ms=604800000\n\
             log.segment.bytes=8388608\n\
             log.retention.check.interval.ms=5000\n\
             cadastre.key.cache.ttl.ms=10000\n",
            path("broker.pem"),
            path("data"),
        ))
    }

    fn make_certificates(&self) -> anyhow::Result<()> {
        let authority_key = KeyPair::generate()?;
        let authority = authority()?;
        let certificate = authority.self_signed(&authority_key)?;
        private_file(&self.ca_file(), &certificate.pem())?;
        private_file(&self.authority_key_file(), &authority_key.serialize_pem())?;
        self.issue(&Issuer::new(authority, authority_key))
    }

    /// Replaces the broker's certificate by a new one of the same authority, with a new key.
    ///
    /// # Errors
    /// When the authority's key cannot be read, or the file not written.
    pub(super) fn renew_certificate(&self) -> anyhow::Result<()> {
        let path = self.authority_key_file();
        let pem = fs::read_to_string(&path).with_context(|| {
            format!("cannot read the authority's key `{}`, which older versions did not keep", path.display())
        })?;
        self.issue(&Issuer::new(authority()?, KeyPair::from_pem(&pem)?))
    }

    fn authority_key_file(&self) -> PathBuf {
        self.directory.join("credentials").join("ca.key")
    }

    /// Makes the broker's key and certificate; the file is whole at any moment.
    fn issue(&self, issuer: &Issuer<'_, KeyPair>) -> anyhow::Result<()> {
        let ca_file = self.ca_file();
        let authority =
            fs::read_to_string(&ca_file).with_context(|| format!("cannot read `{}`", ca_file.display()))?;
        let key = KeyPair::generate()?;
        let mut leaf = CertificateParams::new(vec![HOST.to_owned(), "localhost".to_owned()])?;
        leaf.distinguished_name.push(DnType::CommonName, "cadastre-broker");
        validity(&mut leaf)?;
        let certificate = leaf.signed_by(&key, issuer)?;
        let (path, temporary) = (self.directory.join("broker.pem"), self.directory.join("broker.pem.new"));
        private_file(&temporary, &format!("{}{}{authority}", key.serialize_pem(), certificate.pem()))?;
        fs::rename(&temporary, &path).with_context(|| format!("cannot write `{}`", path.display()))
    }

    /// `host:port` of its listener.
    ///
    /// # Errors
    /// When the configuration cannot be read.
    pub(super) fn bootstrap(&self) -> anyhow::Result<String> {
        let path = self.config_file();
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
        text.lines()
            .find_map(|line| line.strip_prefix("listeners=CLIENTS://"))
            .map(str::to_owned)
            .ok_or_else(|| anyhow!("`{}` names no listener CLIENTS", path.display()))
    }

    /// Gives the scanner its read-only ACLs, each workload what it needs, and every client a quota.
    ///
    /// # Errors
    /// When the broker refuses.
    pub(super) async fn administer(&self, workloads: &[Workload<'_>]) -> anyhow::Result<()> {
        let mut client = self.administrator().await?;
        let mut bindings = Vec::new();
        for (kind, name) in [(CLUSTER, "kafka-cluster"), (TOPIC, "*"), (GROUP, "*")] {
            bindings.push(binding(kind, name, LITERAL, SCANNER, DESCRIBE));
            if kind != GROUP {
                bindings.push(binding(kind, name, LITERAL, SCANNER, DESCRIBE_CONFIGS));
            }
        }
        for workload in workloads {
            for prefix in workload.reads {
                bindings.push(binding(TOPIC, prefix, PREFIXED, workload.user, READ));
            }
            if !workload.reads.is_empty() {
                bindings.push(binding(GROUP, workload.user, LITERAL, workload.user, READ));
            }
            for prefix in workload.writes {
                bindings.push(binding(TOPIC, prefix, PREFIXED, workload.user, WRITE));
            }
        }
        let response = client.send(&CreateAclsRequest::default().with_creations(bindings)).await?;
        for result in &response.results {
            ClientError::check_code(result.error_code, result.error_message.as_deref())?;
        }
        let limits = [
            ("producer_byte_rate", 67_108_864.0),
            ("consumer_byte_rate", 134_217_728.0),
            ("request_percentage", 200.0),
        ];
        let default_user =
            EntityData::default().with_entity_type(StrBytes::from_static_str("user")).with_entity_name(None);
        let operations = limits
            .iter()
            .map(|(key, value)| OpData::default().with_key(StrBytes::from_static_str(key)).with_value(*value))
            .collect();
        let entry = EntryData::default().with_entity(vec![default_user]).with_ops(operations);
        let response = client.send(&AlterClientQuotasRequest::default().with_entries(vec![entry])).await?;
        for result in &response.entries {
            ClientError::check_code(result.error_code, result.error_message.as_deref())?;
        }
        client.close().await;
        Ok(())
    }

    /// Logs in as the super user.
    ///
    /// # Errors
    /// When the broker cannot be reached or refuses.
    pub(super) async fn administrator(&self) -> anyhow::Result<Client> {
        let ca_file = self.ca_file();
        let pem = fs::read(&ca_file).with_context(|| format!("cannot read `{}`", ca_file.display()))?;
        let security = Security {
            tls: Some(Tls::new(&Trust::Authorities(pem), None)?),
            sasl: Some(Sasl {
                mechanism: Mechanism::ScramSha512,
                username: ADMIN.to_owned(),
                password: Password::new(self.password(ADMIN)?),
            }),
        };
        let address = self.bootstrap()?.parse()?;
        Ok(Client::connect(&address, &ClientConfig::new("cadastre", security)).await?)
    }

    /// The declared cluster, as an element of `clusters` in a boundary declaration. Files are named
    /// relative to `beside`.
    ///
    /// # Errors
    /// When the configuration cannot be read.
    pub(super) fn declaration(
        &self,
        name: &str,
        workloads: &[Workload<'_>],
        beside: &Path,
    ) -> anyhow::Result<String> {
        let bootstrap = self.bootstrap()?;
        let Some((_, port)) = bootstrap.rsplit_once(':') else { bail!("`{bootstrap}` has no port") };
        let relative = |path: PathBuf| {
            path.strip_prefix(beside).map(Path::to_owned).unwrap_or(path).display().to_string()
        };
        let mut text = format!(
            "  - name: {name}\n    kind: cadastre\n    operating-model: self-managed\n    # One process on one machine: records rest in its own directory, and in no object store.\n    architecture: broker-local-disks\n    bootstrap: [\"{bootstrap}\"]\n    security:\n      protocol: SASL_SSL\n      mechanism: {MECHANISM}\n      username: {SCANNER}\n      password-file: {}\n      ca-file: {}\n    listeners:\n      - {{name: CLIENTS, protocol: SASL_SSL, purpose: clients, port: {port}}}\n    super-users: [\"User:{ADMIN}\"]\n    administrators: [\"User:{ADMIN}\"]\n",
            relative(self.password_file(SCANNER)),
            relative(self.ca_file()),
        );
        if !workloads.is_empty() {
            text.push_str("    workloads:\n");
        }
        for workload in workloads {
            let patterns = |prefixes: &[&str]| {
                prefixes.iter().map(|prefix| format!("\"{prefix}*\"")).collect::<Vec<_>>().join(", ")
            };
            text.push_str(&format!(
                "      - {{principal: \"User:{}\", reads: [{}], writes: [{}]}}\n",
                workload.user,
                patterns(workload.reads),
                patterns(workload.writes)
            ));
        }
        text.push_str(&format!(
            "    tls:\n      versions: [TLSv1.2, TLSv1.3]\n      issuers: [\"CN=Cadastre local authority\"]\n      expiry-notice: 30d\n    min-insync-replicas: 1\n    scram-iterations: {ITERATIONS}\n    topics:\n      - {{pattern: \"*\", class: local, retention: 7d}}\n"
        ));
        Ok(text)
    }
}

impl LocalCluster {
    /// How the cluster may be exercised, as the end of its element of `clusters`. Files are named relative to `beside`.
    ///
    /// # Errors
    /// When this program or the directory cannot be found.
    pub(super) fn drills(&self, beside: &Path) -> anyhow::Result<String> {
        let program = std::env::current_exe().context("cannot find this program")?;
        let state = fs::canonicalize(&self.directory)
            .with_context(|| format!("cannot resolve `{}`", self.directory.display()))?;
        let renew = json!([program, "up", "--renew-certificate", "--state", state]);
        let relative = |path: PathBuf| {
            path.strip_prefix(beside).map(Path::to_owned).unwrap_or(path).display().to_string()
        };
        let security = |user: &str| {
            format!(
                "{{protocol: SASL_SSL, mechanism: {MECHANISM}, username: {user}, password-file: {}, ca-file: {}}}",
                relative(self.password_file(user)),
                relative(self.ca_file())
            )
        };
        Ok(format!(
            "    # Nobody depends on it: `cadastre prove` may end it, start it and take its key away for a moment.\n    environment: non-production\n    drills:\n      administrator: {}\n      denied:\n        - security: {}\n          must-not: [read, write, create-topics, delete-topics, alter-configs, add-partitions, wrong-password]\n      recovery-within: 30s\n      revocation-within: 30s\n      deletion-within: 90s\n      local-brokers: [\".\"]\n      hooks:\n        rotate-certificate: {renew}\n",
            security(ADMIN),
            security(SCANNER),
        ))
    }
}

// Codes of the Kafka protocol: ResourceType, PatternType, AclOperation, AclPermissionType.
const TOPIC: i8 = 2;
const GROUP: i8 = 3;
const CLUSTER: i8 = 4;
const LITERAL: i8 = 3;
const PREFIXED: i8 = 4;
const READ: i8 = 3;
const WRITE: i8 = 4;
const DESCRIBE: i8 = 8;
const DESCRIBE_CONFIGS: i8 = 10;
const ALLOW: i8 = 3;

fn binding(kind: i8, name: &str, pattern: i8, user: &str, operation: i8) -> AclCreation {
    AclCreation::default()
        .with_resource_type(kind)
        .with_resource_name(StrBytes::from_string(name.to_owned()))
        .with_resource_pattern_type(pattern)
        .with_principal(StrBytes::from_string(format!("User:{user}")))
        .with_host(StrBytes::from_static_str("*"))
        .with_operation(operation)
        .with_permission_type(ALLOW)
}

/// The authority of local certificates, without its key.
fn authority() -> anyhow::Result<CertificateParams> {
    let mut authority = CertificateParams::default();
    authority.distinguished_name.push(DnType::CommonName, "Cadastre local authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    validity(&mut authority)?;
    Ok(authority)
}

/// Valid from yesterday for two years: local certificates are made anew with the state directory.
fn validity(params: &mut CertificateParams) -> anyhow::Result<()> {
    let now = SystemClock.now();
    let date = |days: i64| -> anyhow::Result<_> {
        let day = cadastre_model::Timestamp::from_seconds(now.seconds() + days * 86_400)
            .context("the clock is out of range")?
            .to_string();
        let mut parts = day.get(..10).unwrap_or_default().split('-');
        let mut next = || parts.next().context("a date has three parts");
        let (year, month, day) = (next()?.parse()?, next()?.parse()?, next()?.parse()?);
        Ok(rcgen::date_time_ymd(year, month, day))
    };
    params.not_before = date(-1)?;
    params.not_after = date(730)?;
    Ok(())
}

/// 192 random bits, base64url: no character that Kafka's credential syntax gives a meaning.
fn random_password() -> anyhow::Result<String> {
    let mut bytes = [0_u8; 24];
    aws_lc_rs::rand::fill(&mut bytes)
        .map_err(|_unspecified| anyhow!("the system has no randomness to give"))?;
    Ok(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes))
}

/// A port that was free a moment ago; `up` keeps it in the configuration, so that restarts do not move. It lies below those
/// from which the system takes ports of clients: one that knocks while the broker is down would get the port for itself, and
/// keep it from the broker.
fn free_port() -> anyhow::Result<u16> {
    for _ in 0..100 {
        let mut bytes = [0; 2];
        aws_lc_rs::rand::fill(&mut bytes)
            .map_err(|_unspecified| anyhow!("the system has no randomness to give"))?;
        let port = 20_000 + u16::from_be_bytes(bytes) % 12_000;
        if TcpListener::bind((HOST, port)).is_ok() {
            return Ok(port);
        }
    }
    let listener = TcpListener::bind((HOST, 0)).context("no free port")?;
    Ok(listener.local_addr()?.port())
}

fn private_directory(path: &Path) -> anyhow::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| format!("cannot create `{}`", path.display()))
}

fn private_file(path: &Path, content: &str) -> anyhow::Result<()> {
    fs::OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(content.as_bytes()))
        .with_context(|| format!("cannot write `{}`", path.display()))
}
