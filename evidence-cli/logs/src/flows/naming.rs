//! What an address is: an asset, a declared network, a vendor's, a cloud service, or the internet.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use cadastre_model::declaration::{Declaration, NetworkPurpose};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::purpose::{self, FlowMeaning, Rule};
use super::ranges::CloudRanges;

/// Names addresses, and says what flows are for.
#[derive(Debug)]
pub struct Naming {
    assets: HashMap<IpAddr, String>,
    networks: Prefixes<(String, NetworkPurpose)>,
    vendors: Prefixes<String>,
    clouds: Prefixes<Cloud>,
    rules: Vec<Rule>,
}

/// What an address is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaceName {
    /// What kind of thing.
    pub kind: PlaceKind,
    /// Its name: a network's, a vendor's, `aws/S3/eu-central-1`. Absent for the internet and for private addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The asset that has the address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asset: Option<String>,
}

/// Kinds of thing that an address can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlaceKind {
    /// In a declared network.
    Network,
    /// In a vendor's declared network.
    Vendor,
    /// An asset outside of declared networks.
    Asset,
    /// In a range that a cloud publishes.
    Cloud,
    /// Private, link-local, multicast and the like, and in no declared network.
    Undeclared,
    /// Anything else.
    Internet,
}

impl PlaceName {
    /// As one word, for tables: `network:brokers`, `cloud:aws/S3/eu-central-1`, `internet`.
    #[must_use]
    pub fn label(&self) -> String {
        let kind = match self.kind {
            PlaceKind::Network => "network",
            PlaceKind::Vendor => "vendor",
            PlaceKind::Asset => "asset",
            PlaceKind::Cloud => "cloud",
            PlaceKind::Undeclared => "undeclared",
            PlaceKind::Internet => "internet",
        };
        match (&self.name, &self.asset) {
            (Some(name), Some(asset)) => format!("{kind}:{name}/{asset}"),
            (Some(name), None) | (None, Some(name)) => format!("{kind}:{name}"),
            (None, None) => kind.to_owned(),
        }
    }
}

#[derive(Debug, Clone)]
struct Cloud {
    name: String,
    service: String,
    specific: bool,
}

/// An address and all that is known of it.
#[derive(Debug, Clone)]
pub(crate) struct Placed {
    pub(crate) address: IpAddr,
    pub(crate) place: PlaceName,
    pub(crate) purpose: Option<NetworkPurpose>,
    /// The cloud service, in small letters.
    pub(crate) service: Option<String>,
}

impl Naming {
    /// From a declaration, addresses of assets by name, and ranges that clouds publish. An asset that stands for a cloud
    /// service, like a private endpoint, is named `service:s3`.
    #[must_use]
    pub fn new(
        declaration: &Declaration,
        assets: impl IntoIterator<Item = (IpAddr, String)>,
        ranges: &CloudRanges,
    ) -> Self {
        let mut networks = Prefixes::default();
        for network in &declaration.networks {
            for cidr in &network.cidrs {
                networks.insert(*cidr, (network.name.clone(), network.purpose), |_| false);
            }
        }
        let mut vendors = Prefixes::default();
        for vendor in &declaration.vendors {
            for cidr in &vendor.networks {
                vendors.insert(*cidr, vendor.name.clone(), |_| false);
            }
        }
        let mut clouds: Prefixes<Cloud> = Prefixes::default();
        for range in &ranges.ranges {
            let region = if range.region.is_empty() { String::new() } else { format!("/{}", range.region) };
            let cloud = Cloud {
                name: format!("{}/{}{region}", range.cloud, range.service),
                service: range.service.to_ascii_lowercase(),
                specific: range.is_specific(),
            };
            // One range is published for several services; the one that says most counts, by name among equals.
            let rank = (!cloud.specific, cloud.name.clone());
            clouds.insert(range.network, cloud, |held| rank < (!held.specific, held.name.clone()));
        }
        Self {
            assets: assets.into_iter().map(|(address, name)| (address.to_canonical(), name)).collect(),
            networks,
            vendors,
            clouds,
            rules: Rule::of(declaration),
        }
    }

    /// What an address is.
    #[must_use]
    pub fn name(&self, address: IpAddr) -> PlaceName {
        self.place(address).place
    }

    pub(crate) fn place(&self, address: IpAddr) -> Placed {
        let address = address.to_canonical();
        let asset = self.assets.get(&address).cloned();
        let service =
            asset.as_deref().and_then(|asset| asset.strip_prefix("service:")).map(str::to_ascii_lowercase);
        let placed = |kind, name: Option<String>, purpose, service| Placed {
            address,
            place: PlaceName { kind, name, asset: asset.clone() },
            purpose,
            service,
        };
        if let Some((name, purpose)) = self.networks.longest(address) {
            return placed(PlaceKind::Network, Some(name.clone()), Some(*purpose), service);
        }
        if let Some(name) = self.vendors.longest(address) {
            return placed(PlaceKind::Vendor, Some(name.clone()), Some(NetworkPurpose::Vendor), service);
        }
        if asset.is_some() {
            return placed(PlaceKind::Asset, None, None, service);
        }
        // A specific service's range counts although a shorter name of the cloud covers it more closely.
        let clouds = self.clouds.all(address);
        if let Some(cloud) = clouds.iter().find(|cloud| cloud.specific).or(clouds.first()) {
            return placed(PlaceKind::Cloud, Some(cloud.name.clone()), None, Some(cloud.service.clone()));
        }
        let kind = if is_global(address) { PlaceKind::Internet } else { PlaceKind::Undeclared };
        placed(kind, None, None, None)
    }

    /// What a flow's ends are, and what it is for.
    #[must_use]
    pub fn meaning(
        &self,
        source: Option<IpAddr>,
        destination: Option<IpAddr>,
        port: Option<u16>,
    ) -> FlowMeaning {
        let source = source.map(|address| self.place(address));
        let destination = destination.map(|address| self.place(address));
        purpose::meaning(&self.rules, source, destination, port)
    }
}

/// Whether an address is routed on the internet (IANA's special-purpose address registries, roughly).
fn is_global(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            !(v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_multicast()
                || v4.is_broadcast()
                || v4.is_documentation()
                || a == 0
                || a >= 240
                || (a == 100 && (64..128).contains(&b)))
        }
        IpAddr::V6(v6) => {
            !(v6.is_loopback()
                || v6.is_unspecified()
                || v6.is_multicast()
                || v6.is_unique_local()
                || v6.is_unicast_link_local()
                || v6.segments().starts_with(&[0x2001, 0xdb8]))
        }
    }
}

/// Values by address range.
#[derive(Debug)]
struct Prefixes<T> {
    values: BTreeMap<IpNet, T>,
    /// Lengths that occur, of IPv4 and IPv6.
    lengths: [BTreeSet<u8>; 2],
}

impl<T> Default for Prefixes<T> {
    fn default() -> Self {
        Self { values: BTreeMap::new(), lengths: [BTreeSet::new(), BTreeSet::new()] }
    }
}

impl<T> Prefixes<T> {
    fn insert(&mut self, network: IpNet, value: T, replaces: impl FnOnce(&T) -> bool) {
        let network = network.trunc();
        let [v4, v6] = &mut self.lengths;
        if network.addr().is_ipv4() {
            v4.insert(network.prefix_len())
        } else {
            v6.insert(network.prefix_len())
        };
        if self.values.get(&network).is_none_or(replaces) {
            self.values.insert(network, value);
        }
    }

    /// Values of all ranges that hold an address, the closest first.
    fn all(&self, address: IpAddr) -> Vec<&T> {
        let [v4, v6] = &self.lengths;
        let lengths = if address.is_ipv4() { v4 } else { v6 };
        lengths
            .iter()
            .rev()
            .filter_map(|length| self.values.get(&IpNet::new(address, *length).ok()?.trunc()))
            .collect()
    }

    fn longest(&self, address: IpAddr) -> Option<&T> {
        self.all(address).into_iter().next()
    }
}
