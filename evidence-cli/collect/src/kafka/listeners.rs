//! Which endpoints there are to probe: what brokers advertise, what their configuration says, what is declared.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_protocol::client::Address;
use serde_json::{Value, json};

use super::cluster::ClusterView;
use super::target::KafkaTarget;

/// The part of a broker's configuration that speaks of listeners.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ListenerConfig {
    /// Name and address of `listeners`; the host may be empty or a wildcard.
    listeners: Vec<(String, Address)>,
    advertised: Vec<(String, Address)>,
    protocols: BTreeMap<String, String>,
}

impl ListenerConfig {
    pub(super) fn parse(listeners: Option<&str>, advertised: Option<&str>, protocols: Option<&str>) -> Self {
        Self {
            listeners: parse_listeners(listeners.unwrap_or_default()),
            advertised: parse_listeners(advertised.unwrap_or_default()),
            protocols: protocols
                .unwrap_or_default()
                .split(',')
                .filter_map(|pair| pair.trim().split_once(':'))
                .map(|(name, protocol)| {
                    (name.trim().to_ascii_uppercase(), protocol.trim().to_ascii_uppercase())
                })
                .collect(),
        }
    }

    /// The protocol of a listener. A listener may also be named after its protocol.
    fn protocol(&self, listener: &str) -> Option<String> {
        let listener = listener.to_ascii_uppercase();
        self.protocols.get(&listener).cloned().or_else(|| {
            ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
                .contains(&listener.as_str())
                .then_some(listener)
        })
    }
}

/// `NAME://host:port,…`; what cannot be read is left out, and stays visible in the configuration's record.
fn parse_listeners(text: &str) -> Vec<(String, Address)> {
    text.split(',')
        .filter_map(|entry| {
            let (name, rest) = entry.trim().split_once("://")?;
            let (host, port) = rest.rsplit_once(':')?;
            let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
            Some((name.to_owned(), Address { host, port: port.trim().parse().ok()? }))
        })
        .collect()
}

/// One endpoint, with what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) address: Address,
    listener: Option<String>,
    broker: Option<i32>,
    protocol: Option<String>,
    sources: BTreeSet<&'static str>,
}

impl Endpoint {
    fn new(address: Address) -> Self {
        Self { address, listener: None, broker: None, protocol: None, sources: BTreeSet::new() }
    }

    /// What every probe's request begins with.
    pub(super) fn request(&self) -> serde_json::Map<String, Value> {
        let mut request = serde_json::Map::new();
        request.insert("probe".to_owned(), json!(true));
        request.insert("host".to_owned(), json!(self.address.host));
        request.insert("port".to_owned(), json!(self.address.port));
        request.insert("listener".to_owned(), json!(self.listener));
        request.insert("broker".to_owned(), json!(self.broker));
        request.insert("declared_protocol".to_owned(), json!(self.protocol));
        request.insert("sources".to_owned(), json!(self.sources));
        request
    }
}

/// Collects endpoints, joining what several sources say about one.
#[derive(Default)]
struct Endpoints(BTreeMap<Address, Endpoint>);

impl Endpoints {
    fn add(
        &mut self,
        source: &'static str,
        address: Address,
        broker: Option<i32>,
        listener: Option<&str>,
        protocol: Option<String>,
    ) {
        let endpoint = self.0.entry(address.clone()).or_insert_with(|| Endpoint::new(address));
        endpoint.sources.insert(source);
        endpoint.broker = endpoint.broker.or(broker);
        if endpoint.listener.is_none() {
            endpoint.listener = listener.map(str::to_owned);
        }
        if endpoint.protocol.is_none() {
            endpoint.protocol = protocol;
        }
    }
}

/// Every distinct endpoint, sorted. The best informed sources go first: they name what others only locate.
pub(super) fn endpoints(target: &KafkaTarget, view: &ClusterView) -> Vec<Endpoint> {
    let mut endpoints = Endpoints::default();
    for (broker, config) in &view.listener_configs {
        let host = |name: &str| {
            let advertised = config.advertised.iter().find(|(advertised, _address)| advertised == name);
            let advertised = advertised.map(|(_name, address)| address.host.clone());
            advertised.or_else(|| {
                view.brokers.iter().find(|known| known.id == *broker).map(|known| known.address.host.clone())
            })
        };
        for (name, address) in &config.advertised {
            endpoints.add("advertised", address.clone(), Some(*broker), Some(name), config.protocol(name));
        }
        for (name, address) in &config.listeners {
            let address = if is_wildcard(&address.host) {
                let Some(host) = host(name) else { continue };
                Address { host, port: address.port }
            } else {
                address.clone()
            };
            // Port 0 means that the broker chose one; only what it advertises tells which.
            if address.port != 0 {
                endpoints.add("broker-config", address, Some(*broker), Some(name), config.protocol(name));
            }
        }
    }
    for (node, name, address) in &view.controllers {
        let protocol = view.listener_configs.values().find_map(|config| config.protocol(name));
        endpoints.add("quorum", address.clone(), Some(*node), Some(name), protocol);
    }
    for broker in &view.brokers {
        endpoints.add("metadata", broker.address.clone(), Some(broker.id), None, None);
    }
    for declared in &target.additional_listeners {
        let hosts: BTreeSet<String> = match &declared.host {
            Some(host) => BTreeSet::from([host.clone()]),
            None if view.brokers.is_empty() => target
                .bootstrap
                .iter()
                .filter_map(|bootstrap| bootstrap.parse::<Address>().ok())
                .map(|address| address.host)
                .collect(),
            None => view.brokers.iter().map(|broker| broker.address.host.clone()).collect(),
        };
        for host in hosts {
            let protocol = serde_json::to_value(declared.protocol).ok();
            let protocol = protocol.as_ref().and_then(Value::as_str).map(str::to_owned);
            let address = Address { host, port: declared.port };
            endpoints.add("declaration", address, None, Some(&declared.name), protocol);
        }
    }
    for bootstrap in target.bootstrap.iter().filter_map(|bootstrap| bootstrap.parse::<Address>().ok()) {
        endpoints.add("bootstrap", bootstrap, None, None, None);
    }
    endpoints.0.into_values().collect()
}

fn is_wildcard(host: &str) -> bool {
    matches!(host, "" | "0.0.0.0" | "::" | "0:0:0:0:0:0:0:0")
}

#[cfg(test)]
mod tests {
    use cadastre_model::declaration::{ClientSecurity, SecurityProtocol};

    use super::super::cluster::BrokerView;
    use super::super::target::AdditionalListener;
    use super::*;

    fn target() -> KafkaTarget {
        KafkaTarget {
            name: "payments".to_owned(),
            bootstrap: vec!["b1:9094".to_owned()],
            security: ClientSecurity {
                protocol: SecurityProtocol::Plaintext,
                mechanism: None,
                username: None,
                password_env: None,
                password_file: None,
                ca_file: None,
                certificate_file: None,
                key_file: None,
            },
            password: None,
            additional_listeners: Vec::new(),
        }
    }

    #[test]
    fn what_several_sources_say_of_one_endpoint_is_joined() {
        let config = ListenerConfig::parse(
            Some(
                "CLIENT://:9094,OPS://0.0.0.0:9095,CONTROLLER://[::]:9093,PLAINTEXT://127.0.0.1:9092,EPHEMERAL://:0",
            ),
            Some("CLIENT://b1:9094,OPS://ops1:9095"),
            Some("CLIENT:SASL_SSL,OPS:SSL,CONTROLLER:SSL"),
        );
        let view = ClusterView {
            brokers: vec![BrokerView { id: 1, address: "b1:9094".parse().unwrap() }],
            controllers: vec![(1, "CONTROLLER".to_owned(), "b1:9093".parse().unwrap())],
            listener_configs: BTreeMap::from([(1, config)]),
            ..ClusterView::default()
        };
        let mut target = target();
        target.additional_listeners.push(AdditionalListener {
            name: "AUDIT".to_owned(),
            protocol: SecurityProtocol::Ssl,
            host: None,
            port: 9999,
        });
        let found: Vec<String> = endpoints(&target, &view)
            .iter()
            .map(|endpoint| {
                format!(
                    "{} {} {} {:?}",
                    endpoint.address,
                    endpoint.listener.as_deref().unwrap_or("-"),
                    endpoint.protocol.as_deref().unwrap_or("-"),
                    endpoint.sources,
                )
            })
            .collect();
        assert_eq!(
            found,
            [
                r#"127.0.0.1:9092 PLAINTEXT PLAINTEXT {"broker-config"}"#,
                r#"b1:9093 CONTROLLER SSL {"broker-config", "quorum"}"#,
                r#"b1:9094 CLIENT SASL_SSL {"advertised", "bootstrap", "broker-config", "metadata"}"#,
                r#"b1:9999 AUDIT SSL {"declaration"}"#,
                r#"ops1:9095 OPS SSL {"advertised", "broker-config"}"#,
            ]
        );
    }

    #[test]
    fn without_a_view_the_bootstrap_servers_are_probed() {
        let found = endpoints(&target(), &ClusterView::default());
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].request()["sources"], json!(["bootstrap"]));
    }
}
