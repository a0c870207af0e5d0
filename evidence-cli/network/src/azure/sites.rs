//! Networks with what belongs to them: subnets, groups, peerings that work, gateways, and what service tags mean there.

use std::collections::BTreeMap;

use cadastre_model::asset::azure::AzureInventory;
use cadastre_model::asset::azure::network::{
    AddressTranslation, LoadBalancer, NetworkSecurityGroup, Nic, Peer, Peering, PrivateEndpoint,
    PublicAddress, RouteTable, Subnet, VirtualNetwork,
};
use ipnet::IpNet;

use super::spaces::{self, Space};
use crate::range;

/// One network.
#[derive(Debug)]
pub(super) struct Site<'a> {
    pub(super) network: &'a VirtualNetwork,
    /// Whether it has a gateway of its own.
    pub(super) gateway: bool,
    /// Whether it may learn routes from a gateway, its own or a peer's.
    pub(super) learns: bool,
    /// Whether all its interfaces are in the evidence.
    complete: bool,
}

/// All networks.
#[derive(Debug)]
pub(super) struct Sites<'a> {
    pub(super) inventory: &'a AzureInventory,
    pub(super) sites: BTreeMap<&'a str, Site<'a>>,
    subnets: BTreeMap<&'a str, &'a Subnet>,
    groups: BTreeMap<&'a str, &'a NetworkSecurityGroup>,
    tables: BTreeMap<&'a str, &'a RouteTable>,
    endpoints: BTreeMap<&'a str, &'a PrivateEndpoint>,
    pub(super) public_addresses: BTreeMap<&'a str, &'a PublicAddress>,
    pub(super) nat_gateways: BTreeMap<&'a str, &'a AddressTranslation>,
    tags: BTreeMap<String, Vec<IpNet>>,
    public: Vec<IpNet>,
}

impl<'a> Sites<'a> {
    pub(super) fn new(inventory: &'a AzureInventory) -> Self {
        let sites = inventory.networks.iter().map(|network| {
            let gateway = network.subnets.iter().any(|subnet| {
                let hosts_routes = ["GatewaySubnet", "RouteServerSubnet"];
                subnet.occupied && hosts_routes.iter().any(|name| subnet.name.eq_ignore_ascii_case(name))
            });
            let remote = working(network).any(|peering| peering.use_remote_gateways);
            let complete = inventory.subscriptions.iter().any(|subscription| {
                subscription.id == network.subscription && subscription.interfaces.observed().is_some()
            });
            (network.id.as_str(), Site { network, gateway, learns: gateway || remote, complete })
        });
        let mut tags: BTreeMap<String, Vec<IpNet>> = BTreeMap::new();
        for tag in &inventory.service_tags {
            tags.entry(tag.name.to_lowercase()).or_default().extend(tag.ranges.iter().copied());
        }
        Self {
            inventory,
            sites: sites.collect(),
            subnets: inventory
                .networks
                .iter()
                .flat_map(|network| &network.subnets)
                .map(|subnet| (subnet.id.as_str(), subnet))
                .collect(),
            groups: inventory.security_groups.iter().map(|group| (group.id.as_str(), group)).collect(),
            tables: inventory.route_tables.iter().map(|table| (table.id.as_str(), table)).collect(),
            endpoints: inventory.private_endpoints.iter().map(|end| (end.id.as_str(), end)).collect(),
            public_addresses: inventory.public_addresses.iter().map(|one| (one.id.as_str(), one)).collect(),
            nat_gateways: inventory.nat_gateways.iter().map(|one| (one.id.as_str(), one)).collect(),
            tags,
            public: range::public_v4(),
        }
    }

    pub(super) fn place(&self, nic: &Nic) -> Result<Place<'_, 'a>, String> {
        let site = self.sites.get(nic.network.as_str());
        let subnet = self.subnets.get(nic.subnet.as_str());
        match (site, subnet) {
            (Some(site), Some(subnet)) => Ok(Place { site, subnet, table: self.table(subnet)? }),
            _ => Err(format!("subnet `{}` is not in the evidence", nic.subnet)),
        }
    }

    fn table(&self, subnet: &Subnet) -> Result<Option<&'a RouteTable>, String> {
        let Some(id) = &subnet.route_table else { return Ok(None) };
        let known = self.tables.get(id.as_str()).copied();
        known.map(Some).ok_or_else(|| format!("route table `{id}` is not in the evidence"))
    }

    pub(super) fn group(&self, id: &str) -> Result<&'a NetworkSecurityGroup, String> {
        let known = self.groups.get(id).copied();
        known.ok_or_else(|| format!("network security group `{id}` is not in the evidence"))
    }

    pub(super) fn endpoint(&self, id: &str) -> Option<&'a PrivateEndpoint> {
        self.endpoints.get(id).copied()
    }

    pub(super) fn load_balancers(&self) -> &'a [LoadBalancer] {
        &self.inventory.load_balancers
    }

    /// The ranges of a service tag, where they are known.
    pub(super) fn tag(&self, name: &str) -> Option<&[IpNet]> {
        self.tags.get(&name.to_lowercase()).map(Vec::as_slice)
    }

    pub(super) fn public(&self) -> &[IpNet] {
        &self.public
    }

    /// What a rule's or a route's peer stands for where a rule is applied.
    pub(super) fn space(&self, peer: &Peer, place: &Place<'_, 'a>) -> Space {
        match peer {
            Peer::Any => Space::sure([range::everywhere_v4()]),
            Peer::Cidr(range) => Space::sure([*range]),
            Peer::NetworkGroup(_) => Space::maybe([range::everywhere_v4()]),
            Peer::ApplicationGroup(group) => self.members(group, place.site),
            Peer::Tag(name) => match name.to_ascii_lowercase().as_str() {
                "virtualnetwork" => self.virtual_network(place),
                "internet" => self.internet(place),
                "azureloadbalancer" => Space::sure([spaces::host()]),
                _ => match self.tag(name) {
                    Some(ranges) => Space::sure(ranges.iter().copied()),
                    None => Space::maybe(self.public.iter().copied()),
                },
            },
        }
    }

    /// Addresses of interfaces in an application security group, which all are in one network.
    fn members(&self, group: &str, site: &Site<'a>) -> Space {
        let nics = self.inventory.interfaces.iter();
        let inside = nics.filter(|nic| {
            nic.network == site.network.id && nic.application_groups.iter().any(|own| own == group)
        });
        let mut space = Space::sure(inside.flat_map(|nic| &nic.addresses).map(|address| address.private));
        if !site.complete {
            space.maybe = Space::maybe(site.network.cidrs.iter().copied()).maybe;
        }
        space
    }

    /// `VirtualNetwork`: the network, its peers, and prefixes of routes of the subnet's own; what gateways learn and a
    /// default route may be in it too ("Virtual network service tags").
    fn virtual_network(&self, place: &Place<'_, 'a>) -> Space {
        let network = place.site.network;
        let mut space = Space::sure(network.cidrs.iter().copied());
        space.sure.push(spaces::host());
        for peering in working(network) {
            space.sure.extend(Space::sure(peering.remote_cidrs.iter().copied()).sure);
        }
        for route in place.table.into_iter().flat_map(|table| &table.routes) {
            match &route.destination {
                Peer::Cidr(range) if range.prefix_len() == 0 => {
                    space.maybe.extend(Space::maybe([*range]).maybe);
                }
                Peer::Cidr(range) => space.sure.extend(Space::sure([*range]).sure),
                Peer::Tag(name) => match self.tag(name) {
                    Some(ranges) => space.sure.extend(Space::sure(ranges.iter().copied()).sure),
                    None => space.maybe.extend(self.public.iter().copied()),
                },
                _ => {}
            }
        }
        if place.site.learns {
            space.maybe = vec![range::everywhere_v4()];
        }
        space
    }

    /// `Internet`: public addresses that are not in `VirtualNetwork`.
    fn internet(&self, place: &Place<'_, 'a>) -> Space {
        let inside = self.virtual_network(place);
        let outside = range::outside(&self.public, &inside.sure);
        Space {
            sure: range::outside(&outside, &inside.maybe),
            maybe: spaces::shared(&outside, &inside.maybe),
        }
    }
}

/// Where an interface is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'s, 'a> {
    pub(super) site: &'s Site<'a>,
    pub(super) subnet: &'a Subnet,
    pub(super) table: Option<&'a RouteTable>,
}

/// Peerings that give routes.
pub(super) fn working(network: &VirtualNetwork) -> impl Iterator<Item = &Peering> {
    let connected =
        |peering: &&Peering| peering.state.eq_ignore_ascii_case("Connected") && peering.allow_access;
    network.peerings.iter().filter(connected)
}
