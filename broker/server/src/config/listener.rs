//! Listeners: `listeners`, `advertised.listeners`, `listener.security.protocol.map`, and the properties of one listener.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use super::definition::{ValueError, list};
use super::properties::Properties;

/// How peers of a listener are protected and identified (`SecurityProtocol`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecurityProtocol {
    /// Neither encrypted nor authenticated.
    Plaintext,
    /// TLS; peers may prove themselves with certificates.
    Ssl,
    /// SASL without encryption.
    SaslPlaintext,
    /// SASL inside TLS.
    SaslSsl,
}

impl SecurityProtocol {
    /// The protocol Kafka calls `name`.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        [Self::Plaintext, Self::Ssl, Self::SaslPlaintext, Self::SaslSsl]
            .into_iter()
            .find(|protocol| protocol.name().eq_ignore_ascii_case(name))
    }

    /// Kafka's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plaintext => "PLAINTEXT",
            Self::Ssl => "SSL",
            Self::SaslPlaintext => "SASL_PLAINTEXT",
            Self::SaslSsl => "SASL_SSL",
        }
    }

    /// Whether connections start with a TLS handshake.
    #[must_use]
    pub const fn is_encrypted(self) -> bool {
        matches!(self, Self::Ssl | Self::SaslSsl)
    }

    /// Whether connections must authenticate with SASL.
    #[must_use]
    pub const fn uses_sasl(self) -> bool {
        matches!(self, Self::SaslPlaintext | Self::SaslSsl)
    }
}

impl fmt::Display for SecurityProtocol {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// One listener, with everything that can be set for it alone.
#[derive(Clone)]
pub struct ListenerConfig {
    /// Its name, upper case as Kafka keeps it.
    pub name: String,
    /// How its peers are protected and identified.
    pub protocol: SecurityProtocol,
    /// Where it listens; all interfaces when empty.
    pub host: String,
    /// The port it listens on; 0 lets the system choose.
    pub port: u16,
    /// What clients are told to connect to.
    pub advertised: Advertised,
    properties: Arc<Properties>,
}

/// The address clients are given in metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advertised {
    /// Host name or address; when `None`, the address a client connected to is given back to it.
    pub host: Option<String>,
    /// The port; when 0, the one the listener got.
    pub port: u16,
}

/// Properties may hold passwords, so only the address is shown.
impl fmt::Debug for ListenerConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}({})://{}:{}", self.name, self.protocol, self.host, self.port)
    }
}

impl ListenerConfig {
    /// The value of `name` for this listener: `listener.name.<listener>.<name>` before plain `name`.
    #[must_use]
    pub fn property(&self, name: &str) -> Option<&str> {
        let own = format!("listener.name.{}.{name}", self.name.to_lowercase());
        self.properties.get(&own).or_else(|| self.properties.get(name)).map(str::trim)
    }

    /// The value of `name` for one SASL mechanism on this listener; plain `name` does not count, as in Kafka.
    #[must_use]
    pub fn mechanism_property(&self, mechanism: &str, name: &str) -> Option<&str> {
        let own = format!("listener.name.{}.{}.{name}", self.name.to_lowercase(), mechanism.to_lowercase());
        self.properties.get(&own).map(str::trim)
    }

    /// All properties as this listener sees them: its own override the general ones.
    #[must_use]
    pub fn effective_properties(&self) -> BTreeMap<String, String> {
        let prefix = format!("listener.name.{}.", self.name.to_lowercase());
        let general = self.properties.iter().filter(|(key, _)| !key.starts_with("listener.name."));
        let own = self.properties.iter().filter_map(|(key, value)| Some((key.strip_prefix(&prefix)?, value)));
        general.chain(own).map(|(key, value)| (key.to_owned(), value.trim().to_owned())).collect()
    }

    /// The enabled SASL mechanisms, in order.
    #[must_use]
    pub fn sasl_mechanisms(&self) -> Vec<String> {
        self.property("sasl.enabled.mechanisms").map(list).unwrap_or_default()
    }
}

/// Reads the listeners this broker serves. Controller listeners are left out: there is no controller to talk to.
pub(super) fn listeners(
    properties: &Arc<Properties>,
    default: &str,
) -> Result<Vec<ListenerConfig>, ValueError> {
    let text = properties.get("listeners").unwrap_or(default);
    let protocols = protocol_map(properties)?;
    let controllers: BTreeSet<String> =
        properties.get("controller.listener.names").map(list).unwrap_or_default().into_iter().collect();
    let advertised = match properties.get("advertised.listeners") {
        Some(text) => endpoints("advertised.listeners", text)?,
        None => Vec::new(),
    };
    let mut listeners = Vec::new();
    let mut ports = BTreeMap::new();
    for endpoint in endpoints("listeners", text)? {
        if controllers.contains(&endpoint.name) {
            continue;
        }
        let protocol =
            protocols.get(&endpoint.name).copied().or_else(|| SecurityProtocol::of(&endpoint.name));
        let Some(protocol) = protocol else {
            let expected =
                format!("listener.security.protocol.map to say which protocol `{}` speaks", endpoint.name);
            return Err(ValueError::new("listeners", text, expected));
        };
        if endpoint.port != 0 && ports.insert((endpoint.host.clone(), endpoint.port), ()).is_some() {
            return Err(ValueError::new("listeners", text, "a different port for each listener"));
        }
        let advertised = match advertised.iter().find(|advertised| advertised.name == endpoint.name) {
            Some(advertised) if advertised.host == "0.0.0.0" || advertised.host.is_empty() => {
                let expected = "a host that clients can reach";
                return Err(ValueError::new("advertised.listeners", &advertised.host, expected));
            }
            Some(advertised) => Advertised { host: Some(advertised.host.clone()), port: advertised.port },
            None => Advertised { host: concrete(&endpoint.host), port: endpoint.port },
        };
        listeners.push(ListenerConfig {
            name: endpoint.name,
            protocol,
            host: endpoint.host,
            port: endpoint.port,
            advertised,
            properties: Arc::clone(properties),
        });
    }
    if let Some(stray) =
        advertised.iter().find(|advertised| !listeners.iter().any(|one| one.name == advertised.name))
    {
        return Err(ValueError::new("advertised.listeners", &stray.name, "only names that `listeners` has"));
    }
    if listeners.is_empty() {
        return Err(ValueError::new("listeners", text, "at least one listener for clients"));
    }
    Ok(listeners)
}

fn concrete(host: &str) -> Option<String> {
    let everywhere = matches!(host, "" | "0.0.0.0" | "::");
    (!everywhere).then(|| host.to_owned())
}

fn protocol_map(properties: &Properties) -> Result<BTreeMap<String, SecurityProtocol>, ValueError> {
    let name = "listener.security.protocol.map";
    let mut map = BTreeMap::new();
    for pair in properties.get(name).map(list).unwrap_or_default() {
        let expected = "pairs like `INTERNAL:SSL`, with PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL";
        let (listener, protocol) =
            pair.split_once(':').ok_or_else(|| ValueError::new(name, &pair, expected))?;
        let protocol =
            SecurityProtocol::of(protocol.trim()).ok_or_else(|| ValueError::new(name, &pair, expected))?;
        map.insert(listener.trim().to_uppercase(), protocol);
    }
    Ok(map)
}

struct Endpoint {
    name: String,
    host: String,
    port: u16,
}

fn endpoints(property: &str, text: &str) -> Result<Vec<Endpoint>, ValueError> {
    let mut endpoints: Vec<Endpoint> = Vec::new();
    for item in list(text) {
        let expected = "entries like `SSL://host:9093`";
        let endpoint = endpoint(&item).ok_or_else(|| ValueError::new(property, &item, expected))?;
        if endpoints.iter().any(|earlier| earlier.name == endpoint.name) {
            return Err(ValueError::new(property, &endpoint.name, "each listener name once"));
        }
        endpoints.push(endpoint);
    }
    Ok(endpoints)
}

fn endpoint(text: &str) -> Option<Endpoint> {
    let (name, address) = text.split_once("://")?;
    let (host, port) = address.rsplit_once(':')?;
    let host = match host.strip_prefix('[') {
        Some(bracketed) => bracketed.strip_suffix(']')?,
        None if host.contains(':') => return None,
        None => host,
    };
    let well_named =
        !name.is_empty() && name.chars().all(|each| each.is_ascii_alphanumeric() || "_-.".contains(each));
    well_named.then_some(Endpoint {
        name: name.to_uppercase(),
        host: host.to_owned(),
        port: port.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Vec<ListenerConfig>, ValueError> {
        listeners(&Arc::new(pairs.iter().copied().collect()), "PLAINTEXT://:9092")
    }

    #[track_caller]
    fn check_refused(pairs: &[(&str, &str)], message: &str) {
        assert_eq!(read(pairs).unwrap_err().to_string(), message);
    }

    #[test]
    fn listeners_take_their_protocol_from_the_map_or_their_name() {
        let found = read(&[
            ("listeners", "INSIDE://127.0.0.1:0, SASL_SSL://[::1]:9093,CONTROLLER://:9094"),
            ("listener.security.protocol.map", "INSIDE:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT"),
            ("controller.listener.names", "CONTROLLER"),
            ("advertised.listeners", "INSIDE://broker.example.com:19092"),
        ])
        .unwrap();
        assert_eq!(
            format!("{found:?}"),
            "[INSIDE(SASL_PLAINTEXT)://127.0.0.1:0, SASL_SSL(SASL_SSL)://::1:9093]"
        );
        let advertised: Vec<_> = found.iter().map(|one| one.advertised.clone()).collect();
        assert_eq!(advertised[0], Advertised { host: Some("broker.example.com".into()), port: 19092 });
        assert_eq!(advertised[1], Advertised { host: Some("::1".into()), port: 9093 });
    }

    #[test]
    fn listeners_that_cannot_work_are_refused() {
        check_refused(
            &[("listeners", "INSIDE://:1")],
            "property `listeners`: `INSIDE://:1` is refused, expected listener.security.protocol.map to say which protocol `INSIDE` speaks",
        );
        check_refused(
            &[("listeners", "SSL:9092")],
            "property `listeners`: `SSL:9092` is refused, expected entries like `SSL://host:9093`",
        );
        check_refused(
            &[("listeners", "SSL://:1,SSL://:2")],
            "property `listeners`: `SSL` is refused, expected each listener name once",
        );
        check_refused(
            &[("listeners", "SSL://:1,PLAINTEXT://:1")],
            "property `listeners`: `SSL://:1,PLAINTEXT://:1` is refused, expected a different port for each listener",
        );
        check_refused(
            &[("advertised.listeners", "PLAINTEXT://0.0.0.0:1")],
            "property `advertised.listeners`: `0.0.0.0` is refused, expected a host that clients can reach",
        );
        check_refused(
            &[("advertised.listeners", "SSL://example.com:1")],
            "property `advertised.listeners`: `SSL` is refused, expected only names that `listeners` has",
        );
    }

    #[test]
    fn a_listeners_own_property_wins() {
        let found = read(&[
            ("ssl.client.auth", "none"),
            ("listener.name.plaintext.ssl.client.auth", "required"),
            ("listener.name.plaintext.scram-sha-256.sasl.jaas.config", "x"),
        ])
        .unwrap();
        assert_eq!(found[0].property("ssl.client.auth"), Some("required"));
        assert_eq!(found[0].effective_properties()["ssl.client.auth"], "required");
        assert_eq!(found[0].mechanism_property("SCRAM-SHA-256", "sasl.jaas.config"), Some("x"));
    }
}
