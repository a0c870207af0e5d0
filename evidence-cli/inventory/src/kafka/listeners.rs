//! Listeners: what configuration and metadata announce, joined to what probes saw.

use std::collections::BTreeMap;

use cadastre_model::Known;
use cadastre_model::asset::EvidenceIds;
use cadastre_model::asset::kafka::{Broker, ConfigEntry, KafkaListener};

use crate::kafka::clusters::Asking;
use crate::kafka::probes;
use crate::node::{Node, Read};
use crate::reader::Reader;

const CONFIGS: &str = "kafka:DescribeConfigs";

/// An endpoint, by host and port.
type Endpoint = (String, u16);

/// What is announced of an endpoint.
#[derive(Debug, Default)]
struct Announced {
    name: Option<String>,
    broker: Option<i32>,
    /// From the protocol map, or why that is not known.
    protocol: Option<Known<String>>,
    evidence: EvidenceIds,
}

/// Reads the listeners of every broker, and every endpoint that was probed.
pub(crate) fn read(asking: &mut Asking<'_, '_>, brokers: &Known<Vec<Broker>>) -> Vec<KafkaListener> {
    let mut endpoints: BTreeMap<Endpoint, Announced> = BTreeMap::new();
    for broker in brokers.observed().into_iter().flatten() {
        announced_by_configuration(broker, &mut endpoints);
    }
    for broker in brokers.observed().into_iter().flatten() {
        if let Ok(port) = u16::try_from(broker.port) {
            let announced = endpoints.entry((broker.host.clone(), port)).or_default();
            announced.broker.get_or_insert(broker.id);
            announced.evidence.extend(broker.evidence.iter().cloned());
        }
    }
    announced_by_quorum(asking, &mut endpoints);
    announced_by_probes(asking, &mut endpoints);
    let known: Vec<KafkaListener> = endpoints
        .into_iter()
        .map(|(endpoint, announced)| listener(asking, brokers, endpoint, announced))
        .collect();
    for listener in &known {
        asking.evidence.extend(listener.evidence.iter().cloned());
    }
    known
}

fn listener(
    asking: &mut Asking<'_, '_>,
    brokers: &Known<Vec<Broker>>,
    (host, port): Endpoint,
    announced: Announced,
) -> KafkaListener {
    let Announced { name, broker, protocol, mut evidence } = announced;
    let subject = subject(&host, port);
    let protocol = protocol.unwrap_or_else(|| {
        let configs = broker.and_then(|id| {
            brokers
                .observed()
                .into_iter()
                .flatten()
                .find(|broker| broker.id == id)
                .map(|broker| &broker.configs)
        });
        match configs {
            Some(Known::Unknown(missing)) => Known::Unknown(missing.clone()),
            _ => Known::Unknown(format!("{CONFIGS} names no listener at `{subject}`")),
        }
    });
    let tls = probes::tls(asking, &subject, &mut evidence);
    KafkaListener {
        name: name.unwrap_or_else(|| subject.clone()),
        broker,
        protocol,
        anonymous_access: probes::anonymous_access(asking, &subject, &mut evidence),
        plaintext: probes::plaintext(asking, &subject, &mut evidence),
        tls_versions: tls.versions,
        cipher_suites: tls.cipher_suites,
        certificates: tls.certificates,
        host,
        port,
        evidence,
    }
}

/// How probes name an endpoint.
fn subject(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

fn announced_by_configuration(broker: &Broker, endpoints: &mut BTreeMap<Endpoint, Announced>) {
    let Known::Observed(configs) = &broker.configs else { return };
    let map = value(configs, "listener.security.protocol.map").map(protocol_map);
    for property in ["advertised.listeners", "listeners"] {
        let Some(listeners) = value(configs, property) else { continue };
        for (name, host, port) in listeners.split(',').filter_map(parse_listener) {
            // A broker that listens on every address is reached by its advertised one.
            let host = match host.as_str() {
                "" | "0.0.0.0" | "::" => broker.host.clone(),
                _ => host,
            };
            let announced = endpoints.entry((host, port)).or_default();
            let protocol = match &map {
                Some(map) => map.get(&name).map_or_else(
                    || Known::Unknown(format!("`listener.security.protocol.map` lacks listener `{name}`")),
                    |protocol| Known::Observed(protocol.clone()),
                ),
                None => Known::Unknown(format!("{CONFIGS} does not show `listener.security.protocol.map`")),
            };
            announced.name.get_or_insert(name);
            announced.broker.get_or_insert(broker.id);
            announced.protocol.get_or_insert(protocol);
            announced.evidence.extend(broker.evidence.iter().cloned());
        }
    }
}

fn value<'c>(configs: &'c BTreeMap<String, ConfigEntry>, name: &str) -> Option<&'c str> {
    configs.get(name)?.value.as_deref()
}

/// `NAME:PROTOCOL,…`; Kafka reads names without regard to case.
fn protocol_map(text: &str) -> BTreeMap<String, String> {
    text.split(',')
        .filter_map(|pair| pair.trim().split_once(':'))
        .map(|(name, protocol)| (name.trim().to_uppercase(), protocol.trim().to_uppercase()))
        .collect()
}

/// `NAME://host:port`, the host in brackets for IPv6 and empty for any.
fn parse_listener(text: &str) -> Option<(String, String, u16)> {
    let (name, address) = text.trim().split_once("://")?;
    let (host, port) = address.rsplit_once(':')?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    Some((name.trim().to_uppercase(), host.to_owned(), port.trim().parse().ok()?))
}

/// Controllers show their endpoints in the quorum alone.
fn announced_by_quorum(asking: &mut Asking<'_, '_>, endpoints: &mut BTreeMap<Endpoint, Announced>) {
    let nodes = asking.known("kafka:DescribeQuorum", |pages| pages.only()?.optional_list("nodes").map(Some));
    let Known::Observed(nodes) = nodes else { return };
    for node in nodes {
        let read = quorum_endpoints(&node, endpoints);
        asking.reader.accept(read);
    }
}

fn quorum_endpoints(node: &Node<'_>, endpoints: &mut BTreeMap<Endpoint, Announced>) -> Read<()> {
    let id = node.integer("id")?;
    for listener in node.list("listeners")? {
        let endpoint = (listener.owned_text("host")?, listener.integer("port")?);
        let announced = endpoints.entry(endpoint).or_default();
        announced.name.get_or_insert(listener.text("name")?.to_uppercase());
        announced.broker.get_or_insert(id);
        announced.evidence.insert(node.record.id().clone());
    }
    Ok(())
}

fn announced_by_probes(asking: &mut Asking<'_, '_>, endpoints: &mut BTreeMap<Endpoint, Announced>) {
    let answers = asking.reader.answers;
    for operation in probes::OF_ENDPOINTS {
        for answer in answers.in_scope(operation, asking.scope) {
            for record in answer.series.iter().filter_map(|series| series.records.last()) {
                let read = probed_endpoint(&Node::request(record), endpoints);
                accept(asking.reader, read);
            }
        }
    }
}

fn accept(reader: &mut Reader<'_>, read: Read<()>) {
    reader.accept(read);
}

fn probed_endpoint(request: &Node<'_>, endpoints: &mut BTreeMap<Endpoint, Announced>) -> Read<()> {
    let endpoint = (request.owned_text("host")?, request.integer("port")?);
    let name = request.optional_text("listener")?.map(str::to_uppercase);
    let broker = request.optional_integer("broker")?.and_then(|id| i32::try_from(id).ok());
    let protocol = request.optional_owned_text("declared_protocol")?;
    let announced = endpoints.entry(endpoint).or_default();
    announced.name = announced.name.take().or(name);
    announced.broker = announced.broker.or(broker);
    announced.protocol = announced.protocol.take().or(protocol.map(Known::Observed));
    announced.evidence.insert(request.record.id().clone());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_are_read_as_kafka_writes_them() {
        let parsed = |text| parse_listener(text).map(|(name, host, port)| format!("{name} {host} {port}"));
        assert_eq!(parsed("CLIENT://0.0.0.0:9094").as_deref(), Some("CLIENT 0.0.0.0 9094"));
        assert_eq!(parsed(" controller://:9093").as_deref(), Some("CONTROLLER  9093"));
        assert_eq!(parsed("CLIENT://[2001:db8::1]:9094").as_deref(), Some("CLIENT 2001:db8::1 9094"));
        assert_eq!(parsed("CLIENT"), None);
        assert_eq!(parsed("CLIENT://b1:port"), None);
        let map = protocol_map("CLIENT:SASL_SSL, CONTROLLER:ssl");
        assert_eq!(map.get("CONTROLLER").map(String::as_str), Some("SSL"));
    }
}
