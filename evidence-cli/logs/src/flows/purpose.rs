//! What a flow is for: a declared flow that covers it, or what its ends are.

use cadastre_model::declaration::{Declaration, FlowPurpose, NetworkPurpose};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::naming::{PlaceKind, PlaceName, Placed};

/// The lowest port that answers are sent to: systems choose ports above it for connections that they open.
const EPHEMERAL: u16 = 1_024;

/// What is known of a flow beyond its record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowMeaning {
    /// What the source is.
    pub src: Option<PlaceName>,
    /// What the destination is.
    pub dst: Option<PlaceName>,
    /// What it is for; absent when neither a declared flow nor its ends say.
    pub purpose: Option<FlowPurpose>,
    /// The declared flow that covers it. Absent: nobody declared it.
    pub flow: Option<String>,
    /// Whether it is taken for the answers of that flow: its ends are reversed, and its port is one that systems choose for
    /// themselves.
    pub reply: bool,
}

/// A declared flow.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    name: String,
    purpose: FlowPurpose,
    from: End,
    to: End,
    ports: Vec<u16>,
}

/// An end of a declared flow.
#[derive(Debug, Clone)]
enum End {
    Networks(Vec<IpNet>),
    /// In small letters.
    Service(String),
}

impl Rule {
    pub(crate) fn of(declaration: &Declaration) -> Vec<Self> {
        let end = |text: &str| {
            if let Some(service) = text.strip_prefix("service:") {
                return End::Service(service.to_ascii_lowercase());
            }
            if let Ok(network) = text.parse::<IpNet>() {
                return End::Networks(vec![network]);
            }
            let named = declaration.networks.iter().filter(|network| network.name == text);
            End::Networks(named.flat_map(|network| network.cidrs.iter().copied()).collect())
        };
        let rules = declaration.flows.iter().map(|flow| Self {
            name: flow.name.clone(),
            purpose: flow.purpose,
            from: end(&flow.from),
            to: end(&flow.to),
            ports: flow.ports.clone(),
        });
        rules.collect()
    }
}

impl End {
    fn holds(&self, placed: &Placed) -> bool {
        match self {
            Self::Networks(networks) => networks.iter().any(|network| network.contains(&placed.address)),
            Self::Service(service) => placed.service.as_deref().is_some_and(|of| same_service(service, of)),
        }
    }
}

/// Whether a declared service is one that a cloud names: `storage` and `kms` are called differently by each.
fn same_service(declared: &str, published: &str) -> bool {
    let family = |name: &str| match name {
        "s3" | "storage" | "blob" => "storage",
        "kms" | "azurekeyvault" | "keyvault" => "keys",
        "monitoring" | "azuremonitor" | "cloudwatch" | "logs" => "metrics",
        _ => "",
    };
    declared == published || (!family(declared).is_empty() && family(declared) == family(published))
}

pub(crate) fn meaning(
    rules: &[Rule],
    source: Option<Placed>,
    destination: Option<Placed>,
    port: Option<u16>,
) -> FlowMeaning {
    let (mut purpose, mut flow, mut reply) = (None, None, false);
    if let (Some(source), Some(destination)) = (&source, &destination) {
        let covers = |rule: &&Rule| {
            rule.from.holds(source)
                && rule.to.holds(destination)
                && port.is_some_and(|port| rule.ports.contains(&port))
        };
        let answers = |rule: &&Rule| {
            rule.to.holds(source)
                && rule.from.holds(destination)
                && port.is_some_and(|port| port >= EPHEMERAL)
        };
        let rule = rules.iter().find(covers).or_else(|| {
            let rule = rules.iter().find(answers);
            reply = rule.is_some();
            rule
        });
        flow = rule.map(|rule| rule.name.clone());
        purpose = rule.map(|rule| rule.purpose).or_else(|| by_ends(source, destination));
    }
    FlowMeaning {
        src: source.map(|placed| placed.place),
        dst: destination.map(|placed| placed.place),
        purpose,
        flow,
        reply,
    }
}

/// What a flow that nobody declared would be for, by its ends.
fn by_ends(source: &Placed, destination: &Placed) -> Option<FlowPurpose> {
    use NetworkPurpose::{Administration, Brokers, Clients, Monitoring, OnPremises, Vendor};

    let service =
        |placed: &Placed, of: &str| placed.service.as_deref().is_some_and(|name| same_service(of, name));
    Some(match (source.purpose, destination.purpose) {
        (Some(Brokers), Some(Brokers)) => FlowPurpose::Replication,
        (Some(Brokers), Some(Vendor)) | (Some(Vendor), Some(Brokers)) => FlowPurpose::Support,
        (Some(Administration), Some(Brokers)) => FlowPurpose::Support,
        (Some(Brokers), Some(Monitoring)) | (Some(Monitoring), Some(Brokers)) => FlowPurpose::Metrics,
        (Some(Clients | OnPremises), Some(Brokers)) => FlowPurpose::Ingress,
        (Some(Brokers), _) if service(destination, "storage") => FlowPurpose::Storage,
        (Some(Brokers), _) if service(destination, "kms") => FlowPurpose::Keys,
        (Some(Brokers), _) if service(destination, "monitoring") => FlowPurpose::Metrics,
        (Some(Brokers), _) => FlowPurpose::Egress,
        (None, Some(Brokers)) if source.place.kind == PlaceKind::Internet => FlowPurpose::Ingress,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use cadastre_model::declaration::Declaration;

    use super::super::naming::Naming;
    use super::super::ranges::CloudRanges;
    use super::*;

    const BOUNDARY: &str = "schema: cadastre/boundary/v1
name: payments
operating-model: self-managed
architecture: shared-storage
networks:
  - {name: brokers, cidrs: [10.0.0.0/24], purpose: brokers}
  - {name: clients, cidrs: [10.0.1.0/24, 'fd00::/64'], purpose: clients}
  - {name: one-broker, cidrs: [10.0.0.7/32], purpose: brokers}
vendors:
  - {name: streamco, networks: [198.51.100.0/24]}
flows:
  - {name: produce, purpose: ingress, from: clients, to: brokers, ports: [9094]}
  - {name: objects, purpose: storage, from: brokers, to: 'service:s3', ports: [443]}
";

    const RANGES: &str = r#"{"prefixes":[
        {"ip_prefix":"52.219.0.0/17","region":"eu-central-1","service":"AMAZON"},
        {"ip_prefix":"52.219.0.0/17","region":"eu-central-1","service":"S3"},
        {"ip_prefix":"52.0.0.0/8","region":"GLOBAL","service":"AMAZON"}]}"#;

    fn naming() -> Naming {
        let declaration = Declaration::parse(BOUNDARY, "boundary.yaml").unwrap();
        let ranges = CloudRanges::parse(RANGES.as_bytes(), "ip-ranges.json").unwrap();
        let assets = [("10.0.0.9", "i-0abc"), ("10.0.5.5", "service:kms"), ("172.16.0.1", "i-0def")];
        Naming::new(&declaration, assets.map(|(a, n)| (a.parse().unwrap(), n.to_owned())), &ranges)
    }

    #[test]
    fn addresses_are_named_by_what_is_known_most_closely() {
        for (address, expected) in [
            ("10.0.0.1", "network:brokers"),
            ("::ffff:10.0.0.1", "network:brokers"),
            ("10.0.0.7", "network:one-broker"),
            ("10.0.0.9", "network:brokers/i-0abc"),
            ("172.16.0.1", "asset:i-0def"),
            ("fd00::5", "network:clients"),
            ("198.51.100.3", "vendor:streamco"),
            ("52.219.3.4", "cloud:aws/S3/eu-central-1"),
            ("52.1.3.4", "cloud:aws/AMAZON/GLOBAL"),
            ("192.168.1.1", "undeclared"),
            ("169.254.169.254", "undeclared"),
            ("9.9.9.9", "internet"),
            ("2a00::1", "internet"),
        ] {
            assert_eq!(naming().name(address.parse().unwrap()).label(), expected, "{address}");
        }
    }

    #[track_caller]
    fn check(
        source: &str,
        destination: &str,
        port: u16,
        expected: (Option<FlowPurpose>, Option<&str>, bool),
    ) {
        let meaning = naming().meaning(source.parse().ok(), destination.parse().ok(), Some(port));
        assert_eq!((meaning.purpose, meaning.flow.as_deref(), meaning.reply), expected);
    }

    #[test]
    fn a_declared_flow_names_its_traffic_and_the_answers_to_it() {
        check("10.0.1.4", "10.0.0.1", 9_094, (Some(FlowPurpose::Ingress), Some("produce"), false));
        check("10.0.0.1", "10.0.1.4", 50_123, (Some(FlowPurpose::Ingress), Some("produce"), true));
        check("10.0.0.1", "52.219.3.4", 443, (Some(FlowPurpose::Storage), Some("objects"), false));
    }

    #[test]
    fn an_undeclared_flow_has_a_purpose_by_its_ends_and_no_name() {
        check("10.0.1.4", "10.0.0.1", 22, (Some(FlowPurpose::Ingress), None, false));
        check("10.0.0.1", "10.0.0.2", 9_095, (Some(FlowPurpose::Replication), None, false));
        check("10.0.0.1", "52.219.3.4", 80, (Some(FlowPurpose::Storage), None, false));
        check("10.0.0.1", "10.0.5.5", 443, (Some(FlowPurpose::Keys), None, false));
        check("10.0.0.1", "9.9.9.9", 53, (Some(FlowPurpose::Egress), None, false));
        check("198.51.100.3", "10.0.0.1", 22, (Some(FlowPurpose::Support), None, false));
        check("9.9.9.9", "10.0.0.1", 22, (Some(FlowPurpose::Ingress), None, false));
        check("192.168.1.1", "10.0.1.1", 22, (None, None, false));
    }
}
