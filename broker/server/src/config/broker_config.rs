//! The configuration of one broker, read from `server.properties` and checked as a whole.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cadastre_key_services::KeyProviderConfig;
use cadastre_keys::KeyError;
use cadastre_security::SaslMechanism;

use super::definition::{PropertyDefinition, PropertyType, ValueError, Visibility, boolean, list};
use super::listener::{self, ListenerConfig};
use super::nearest::nearest;
use super::properties::{Properties, PropertiesError};
use super::providers;
use super::storage::StorageSettings;
use super::tables::{BROKER_PROPERTIES, OWN_PROPERTIES, broker_definition};

/// Kafka's authorizer, and the two names under which it was known before.
const AUTHORIZERS: [&str; 3] = [
    "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "kafka.security.authorizer.AclAuthorizer",
    "kafka.security.auth.SimpleAclAuthorizer",
];

/// Families of names that belong to plug-ins and that Kafka hands on unread.
const PLUGIN_PREFIXES: [&str; 3] = ["rlmm.config.", "rsm.config.", "config.providers."];

/// Java classes that would decide who a client is or what it may do.
const SECURITY_PLUGINS: [&str; 8] = [
    "principal.builder.class",
    "ssl.engine.factory.class",
    "sasl.server.callback.handler.class",
    "sasl.login.class",
    "security.providers",
    "client.quota.callback.class",
    "create.topic.policy.class.name",
    "alter.config.policy.class.name",
];

/// A broker's configuration.
#[derive(Debug, Clone)]
pub struct BrokerConfig {
    /// `node.id`, or `broker.id` in older files.
    pub node_id: i32,
    /// `broker.rack`.
    pub rack: Option<String>,
    /// `log.dirs`, or `log.dir`. Everything is kept in the first.
    pub log_directories: Vec<PathBuf>,
    /// The listeners for clients.
    pub listeners: Vec<ListenerConfig>,
    /// Who may do what.
    pub authorization: AuthorizationConfig,
    /// What wraps data keys, and where its use is recorded.
    pub keys: KeyProviderConfig,
    /// Where records and metadata are kept.
    pub storage: StorageSettings,
    /// Where audit files are written.
    pub audit_directory: PathBuf,
    /// Where `/metrics` and `/health` are answered; nowhere when `None`.
    pub monitoring: Option<SocketAddr>,
    /// Where the data-path manifest is written.
    pub data_path_file: PathBuf,
    /// Whether an acknowledged record has been forced to the disk.
    pub fsync: bool,
    /// Whether an empty log directory is prepared on the first start.
    pub auto_format: bool,
    /// How long a peer may take for its handshakes together.
    pub handshake_timeout: Duration,
    /// What an operator should know but need not act on, one line each.
    pub notices: Vec<String>,
    properties: Arc<Properties>,
}

/// Who may do what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizationConfig {
    /// Whether requests are authorized at all: `authorizer.class.name` is set.
    pub enabled: bool,
    /// `super.users`, as `User:name`.
    pub super_users: Vec<String>,
    /// `allow.everyone.if.no.acl.found`.
    pub allow_everyone_if_no_acl_found: bool,
}

/// The configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read `{path}`: {reason}")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system said.
        reason: String,
    },
    /// The file is not in properties syntax.
    #[error("`{path}`: {source}")]
    Syntax {
        /// The file.
        path: String,
        /// What is wrong with it.
        source: PropertiesError,
    },
    /// Kafka has no such property.
    #[error("unknown property `{name}`{}{}", line_suffix(*line), hint.as_ref().map_or_else(String::new, |hint| format!("; hint: {hint}")))]
    Unknown {
        /// The name.
        name: String,
        /// Its line, 0 when it did not come from a file.
        line: usize,
        /// What may have been meant.
        hint: Option<String>,
    },
    /// A value does not fit its property, or the rest of the configuration.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// The properties about keys do not fit together.
    #[error("property {0}")]
    Keys(#[from] KeyError),
}

fn line_suffix(line: usize) -> String {
    if line == 0 { String::new() } else { format!(" on line {line}") }
}

impl BrokerConfig {
    /// Reads and checks a `server.properties` file.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the property or the line that is wrong.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let shown = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigError::Unreadable { path: shown.clone(), reason: error.to_string() })?;
        let properties =
            Properties::parse(&text).map_err(|source| ConfigError::Syntax { path: shown, source })?;
        Self::from_properties(properties)
    }

    /// Checks properties that come from anywhere.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the property that is wrong.
    pub fn from_properties(mut properties: Properties) -> Result<Self, ConfigError> {
        providers::resolve(&mut properties)?;
        for (name, value) in properties.iter() {
            let Some(definition) = definition_of(name) else {
                if PLUGIN_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
                    continue;
                }
                return Err(unknown(name, properties.line(name)));
            };
            if definition.visibility == Visibility::Dynamic {
                return Err(ValueError::new(name, value, "to be set through the admin API only").into());
            }
            definition.check(value).map_err(|error| error.for_property(name))?;
        }
        Self::assemble(Arc::new(properties))
    }

    fn assemble(properties: Arc<Properties>) -> Result<Self, ConfigError> {
        check_roles(&properties)?;
        let reader = Reader(&properties);
        let log_directories: Vec<PathBuf> = match properties.get("log.dirs") {
            Some(value) => list(value),
            None => list(&reader.text("log.dir")),
        }
        .into_iter()
        .map(PathBuf::from)
        .collect();
        let Some(first) = log_directories.first().filter(|first| !first.as_os_str().is_empty()) else {
            return Err(ValueError::new("log.dirs", "", "at least one directory").into());
        };
        let path = |name: &str, default: &str| {
            properties.get(name).map_or_else(|| first.join(default), |value| PathBuf::from(value.trim()))
        };
        let node_id = properties.get("node.id").or_else(|| properties.get("broker.id"));
        let listeners = listener::listeners(&properties, &reader.text("listeners"))?;
        check_mechanisms(&listeners)?;
        let mut config = Self {
            node_id: node_id.and_then(|value| value.trim().parse().ok()).unwrap_or(0).max(0),
            rack: properties.get("broker.rack").map(|rack| rack.trim().to_owned()),
            listeners,
            authorization: authorization(&properties)?,
            keys: KeyProviderConfig::parse(&|name| properties.get(name).map(str::to_owned), first)?,
            storage: StorageSettings::parse(&properties, &|name| reader.text(name))?,
            audit_directory: path("cadastre.audit.directory", "audit"),
            monitoring: monitoring(&properties)?,
            data_path_file: path("cadastre.data.path.file", "data-path.json"),
            fsync: reader.flag("cadastre.fsync"),
            auto_format: reader.flag("cadastre.auto.format"),
            handshake_timeout: Duration::from_millis(
                reader.number("cadastre.handshake.timeout.ms").unsigned_abs(),
            ),
            log_directories,
            notices: Vec::new(),
            properties,
        };
        config.notices = config.collect_notices();
        Ok(config)
    }

    /// The directory that holds everything this broker keeps.
    #[must_use]
    pub fn log_directory(&self) -> &Path {
        self.log_directories.first().map_or(Path::new("."), PathBuf::as_path)
    }

    /// What the file says about `name`.
    #[must_use]
    pub fn given(&self, name: &str) -> Option<&str> {
        self.properties.get(name).map(str::trim)
    }

    /// What the file says, by name.
    pub fn given_properties(&self) -> impl Iterator<Item = (&str, &str)> {
        self.properties.iter()
    }

    /// The value of a property whether given or not; empty for those without a default.
    #[must_use]
    pub fn text(&self, name: &str) -> String {
        Reader(&self.properties).text(name)
    }

    /// The value of a numeric property; the tables guarantee that there is one.
    #[must_use]
    pub fn number(&self, name: &str) -> i64 {
        Reader(&self.properties).number(name)
    }

    /// The value of a boolean property.
    #[must_use]
    pub fn flag(&self, name: &str) -> bool {
        Reader(&self.properties).flag(name)
    }

    fn collect_notices(&self) -> Vec<String> {
        let mut notices = Vec::new();
        for (name, value) in self.properties.iter() {
            let Some(definition) = definition_of(name) else { continue };
            if SECURITY_PLUGINS.contains(&definition.name) && definition.default != Some(value.trim()) {
                notices.push(format!(
                    "warning: property `{name}`: Java classes cannot be loaded, it has no effect"
                ));
            } else if !definition.honoured {
                notices.push(format!("property `{name}` is accepted and has no effect here"));
            }
        }
        if self.log_directories.len() > 1 {
            notices.push(format!("log.dirs: only `{}` is used", self.log_directory().display()));
        }
        let key_file = self.keys.local_file.as_ref();
        if let Some(key_file) = key_file.filter(|file| file.starts_with(self.log_directory())) {
            notices.push(format!(
                "warning: the key-encryption key `{}` lies beside the log it protects; set cadastre.key.file",
                key_file.display()
            ));
        }
        if !self.fsync {
            notices.push(
                "warning: cadastre.fsync=false: acknowledged records can be lost with power".to_owned(),
            );
        }
        notices.extend(self.access_warnings());
        notices
    }

    fn access_warnings(&self) -> Vec<String> {
        let open = !self.authorization.enabled;
        let default_allow = self.authorization.allow_everyone_if_no_acl_found;
        let mut warnings = Vec::new();
        if open {
            warnings.push("warning: no authorizer.class.name: every client may do everything".to_owned());
        } else if default_allow {
            warnings.push(
                "warning: allow.everyone.if.no.acl.found=true: what no ACL covers is open to every client"
                    .to_owned(),
            );
        }
        for listener in &self.listeners {
            if listener.protocol.uses_sasl() {
                for mechanism in
                    listener.sasl_mechanisms().iter().filter(|mechanism| !is_supported(mechanism))
                {
                    let name = &listener.name;
                    warnings.push(format!(
                        "warning: listener {name} does not offer {mechanism}: it is not supported"
                    ));
                }
            }
            if !listener.protocol.is_encrypted() {
                let anonymous =
                    if listener.protocol.uses_sasl() { "" } else { " and its clients are anonymous" };
                warnings.push(format!("warning: listener {} is not encrypted{anonymous}", listener.name));
            }
        }
        if let Some(address) = self.monitoring.filter(|address| !address.ip().is_loopback()) {
            warnings.push(format!(
                "warning: cadastre.monitoring.listener `{address}`: whoever reaches it reads the metrics, without TLS"
            ));
        }
        warnings
    }
}

/// An address and no name: a name that comes to mean another address would open the metrics to others.
fn monitoring(properties: &Properties) -> Result<Option<SocketAddr>, ValueError> {
    const NAME: &str = "cadastre.monitoring.listener";
    let Some(given) = properties.get(NAME) else { return Ok(None) };
    let refused = |_error| ValueError::new(NAME, given, "an IP address and a port, such as 127.0.0.1:9644");
    given.trim().parse().map(Some).map_err(refused)
}

/// Reads typed values; the values given were checked before.
struct Reader<'config>(&'config Properties);

impl Reader<'_> {
    fn text(&self, name: &str) -> String {
        let default = || broker_definition(name).and_then(|definition| definition.default);
        self.0.get(name).map(str::trim).or_else(default).unwrap_or_default().to_owned()
    }

    fn number(&self, name: &str) -> i64 {
        self.text(name).parse().unwrap_or_default()
    }

    fn flag(&self, name: &str) -> bool {
        boolean(&self.text(name)).unwrap_or_default()
    }
}

/// The definition behind `name`, with the prefixes for listeners and mechanisms taken off.
pub(crate) fn definition_of(name: &str) -> Option<&'static PropertyDefinition> {
    if let Some(definition) = broker_definition(name) {
        return Some(definition);
    }
    let (_listener, rest) = name.strip_prefix("listener.name.")?.split_once('.')?;
    let known = |name: &str| broker_definition(name).filter(|definition| is_for_listeners(definition.name));
    known(rest).or_else(|| {
        let (_mechanism, rest) = rest.split_once('.')?;
        known(rest).filter(|definition| {
            definition.name.starts_with("sasl.") || definition.name == "connections.max.reauth.ms"
        })
    })
}

fn is_for_listeners(name: &str) -> bool {
    const OTHERS: [&str; 5] = [
        "connections.max.reauth.ms",
        "max.connections",
        "max.connection.creation.rate",
        "principal.builder.class",
        "num.network.threads",
    ];
    name.starts_with("ssl.") || name.starts_with("sasl.") || OTHERS.contains(&name)
}

fn unknown(name: &str, line: usize) -> ConfigError {
    let candidates = BROKER_PROPERTIES.keys().chain(OWN_PROPERTIES.keys()).copied();
    let hint = if name.starts_with("zookeeper.") {
        Some("ZooKeeper went with Kafka 4.0".to_owned())
    } else if let Some(own) = name.strip_prefix("listener.name.") {
        let rest = own.split_once('.').map_or("", |(_, rest)| rest);
        nearest(rest, candidates).map(|near| format!("after the listener's name, `{near}` is known"))
    } else {
        nearest(name, candidates).map(|near| format!("did you mean `{near}`?"))
    };
    ConfigError::Unknown { name: name.to_owned(), line, hint }
}

fn check_roles(properties: &Properties) -> Result<(), ValueError> {
    let Some(roles) = properties.get("process.roles").filter(|roles| !roles.trim().is_empty()) else {
        return Ok(());
    };
    if list(roles).iter().any(|role| role == "broker") {
        Ok(())
    } else {
        Err(ValueError::new(
            "process.roles",
            roles,
            "`broker` among the roles; there is no separate controller",
        ))
    }
}

/// Whether the broker speaks the SASL mechanism.
fn is_supported(mechanism: &str) -> bool {
    mechanism.parse::<SaslMechanism>().is_ok()
}

fn check_mechanisms(listeners: &[ListenerConfig]) -> Result<(), ValueError> {
    for listener in listeners.iter().filter(|listener| listener.protocol.uses_sasl()) {
        let mechanisms = listener.sasl_mechanisms();
        if !mechanisms.iter().any(|mechanism| is_supported(mechanism)) {
            let given = if mechanisms.is_empty() { "GSSAPI".to_owned() } else { mechanisms.join(",") };
            let expected =
                format!("PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER for listener {}", listener.name);
            return Err(ValueError::new("sasl.enabled.mechanisms", &given, expected));
        }
    }
    Ok(())
}

fn authorization(properties: &Properties) -> Result<AuthorizationConfig, ValueError> {
    let class = properties.get("authorizer.class.name").map(str::trim).unwrap_or_default();
    if !class.is_empty() && !AUTHORIZERS.contains(&class) {
        return Err(ValueError::new("authorizer.class.name", class, format!("`{}`", AUTHORIZERS[0])));
    }
    let users = properties.get("super.users").unwrap_or_default();
    let mut super_users = Vec::new();
    for user in users.split(';').map(str::trim).filter(|user| !user.is_empty()) {
        if user.split_once(':').is_none_or(|(kind, name)| kind.is_empty() || name.is_empty()) {
            return Err(ValueError::new(
                "super.users",
                user,
                "principals like `User:alice`, separated by `;`",
            ));
        }
        super_users.push(user.to_owned());
    }
    let default_allow =
        properties.get("allow.everyone.if.no.acl.found").and_then(boolean).unwrap_or_default();
    Ok(AuthorizationConfig {
        enabled: !class.is_empty(),
        super_users,
        allow_everyone_if_no_acl_found: default_allow,
    })
}

/// Describes a property as `name=value` for people, with sensitive values hidden.
#[must_use]
pub fn shown(name: &str, value: &str) -> String {
    let hidden = definition_of(name).is_none_or(|definition| definition.kind == PropertyType::Password);
    format!("{name}={}", if hidden { "[hidden]" } else { value })
}

/// Every property with a value, given or default, for `--check-config`.
#[must_use]
pub fn effective(config: &BrokerConfig) -> BTreeMap<String, String> {
    config.given_properties().map(|(name, value)| (name.to_owned(), shown(name, value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_refused(text: &str, message: &str) {
        let error = BrokerConfig::from_properties(Properties::parse(text).unwrap()).unwrap_err();
        assert_eq!(error.to_string(), message);
    }

    fn read(text: &str) -> BrokerConfig {
        BrokerConfig::from_properties(Properties::parse(text).unwrap()).unwrap()
    }

    #[test]
    fn a_stock_kraft_file_is_accepted() {
        let config = read(
            "process.roles=broker,controller\nnode.id=7\ncontroller.quorum.bootstrap.servers=localhost:9093\n\
             listeners=PLAINTEXT://:9092,CONTROLLER://:9093\ninter.broker.listener.name=PLAINTEXT\n\
             advertised.listeners=PLAINTEXT://localhost:9092\ncontroller.listener.names=CONTROLLER\n\
             listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT\n\
             num.network.threads=3\nlog.dirs=/tmp/a, /tmp/b\nnum.partitions=1\n\
             offsets.topic.replication.factor=1\nlog.retention.hours=168\n",
        );
        assert_eq!((config.node_id, config.listeners.len()), (7, 1));
        assert_eq!(config.log_directory(), Path::new("/tmp/a"));
        let quiet = "property `offsets.topic.replication.factor` is accepted and has no effect here";
        assert!(config.notices.iter().any(|notice| notice == quiet), "{:?}", config.notices);
        assert!(!config.notices.iter().any(|notice| notice.contains("log.retention")));
    }

    #[test]
    fn every_property_that_kafka_knows_is_accepted() {
        let written =
            BROKER_PROPERTIES.values().filter(|definition| definition.visibility != Visibility::Dynamic);
        let with_value = |definition: &'static PropertyDefinition| {
            Some((definition.name, definition.default.filter(|default| !default.is_empty())?))
        };
        let mut properties: Properties = written.filter_map(with_value).collect();
        properties.set("listener.security.protocol.map", "");
        let config = BrokerConfig::from_properties(properties.clone()).unwrap();
        for (name, _) in properties.iter() {
            let honoured = BROKER_PROPERTIES[name].honoured;
            let line = format!("property `{name}` is accepted and has no effect here");
            assert_eq!(config.notices.contains(&line), !honoured, "{name}");
        }
    }

    #[test]
    fn unknown_names_are_refused_with_the_nearest_known_one() {
        check_refused(
            "\nadvertized.listeners=x",
            "unknown property `advertized.listeners` on line 2; hint: did you mean `advertised.listeners`?",
        );
        check_refused(
            "zookeeper.connect=x",
            "unknown property `zookeeper.connect` on line 1; hint: ZooKeeper went with Kafka 4.0",
        );
        check_refused(
            "utterly.unlike.anything.known=x",
            "unknown property `utterly.unlike.anything.known` on line 1",
        );
        check_refused(
            "listener.name.a.ssl.keystore.locatio=x",
            "unknown property `listener.name.a.ssl.keystore.locatio` on line 1; hint: after the listener's name, `ssl.keystore.location` is known",
        );
    }

    #[test]
    fn values_of_the_wrong_type_are_refused_with_the_property() {
        check_refused(
            "num.partitions=many",
            "property `num.partitions`: `many` is refused, expected a 32-bit integer",
        );
        check_refused("num.partitions=0", "property `num.partitions`: `0` is refused, expected 1 or more");
        check_refused(
            "listener.name.x.ssl.client.auth=yes",
            "property `listener.name.x.ssl.client.auth`: `yes` is refused, expected one of required, requested, none",
        );
        check_refused(
            "process.roles=controller",
            "property `process.roles`: `controller` is refused, expected `broker` among the roles; there is no separate controller",
        );
        check_refused(
            "listeners=SASL_SSL://:1",
            "property `sasl.enabled.mechanisms`: `GSSAPI` is refused, expected PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER for listener SASL_SSL",
        );
        check_refused(
            "super.users=alice",
            "property `super.users`: `alice` is refused, expected principals like `User:alice`, separated by `;`",
        );
    }

    #[test]
    fn every_property_about_keys_is_in_the_table() {
        for name in cadastre_key_services::PROPERTY_NAMES {
            assert!(OWN_PROPERTIES.contains_key(name), "{name}");
        }
        let in_table = OWN_PROPERTIES.keys().filter(|name| name.starts_with("cadastre.key."));
        assert_eq!(in_table.count(), cadastre_key_services::PROPERTY_NAMES.len());
    }

    #[test]
    fn a_key_service_without_its_key_is_refused() {
        check_refused(
            "listeners=PLAINTEXT://:1\ncadastre.key.provider=aws-kms",
            "property `cadastre.key.aws.kms.key.arn`: expected a value, since cadastre.key.provider=aws-kms",
        );
    }

    #[test]
    fn an_open_broker_says_so() {
        let config = read("listeners=PLAINTEXT://127.0.0.1:0\ncadastre.key.file=/elsewhere/key");
        assert_eq!(
            config.notices,
            [
                "warning: no authorizer.class.name: every client may do everything",
                "warning: listener PLAINTEXT is not encrypted and its clients are anonymous",
            ]
        );
    }
}
