//! Random Azure networks, with everything that decides about packets in them, and questions about them.

use std::net::{IpAddr, Ipv4Addr};

use cadastre_model::Known;
use cadastre_model::asset::EvidenceIds;
use cadastre_model::asset::azure::network::{
    AddressTranslation, AdminAccess, AdminRule, Forward, LoadBalancer, Matches, NetworkSecurityGroup,
    NextHop, Nic, NicAddress, Peer, Peering, PrivateEndpoint, PublicAddress, Route, RouteTable, SecurityRule,
    ServiceTag, Span, Subnet, VirtualNetwork,
};
use cadastre_model::asset::azure::{AzureInventory, Subscription};
use cadastre_network::trace::{Family, Party, PortRange, Question};
use ipnet::IpNet;

use crate::access_cases::Dice;
use crate::network_simulator::Opening;

const SUBSCRIPTION: &str = "s";
const RANGES: [&str; 14] = [
    "0.0.0.0/0",
    "10.0.0.0/8",
    "10.1.0.0/16",
    "10.1.0.0/24",
    "10.2.1.0/24",
    "10.2.0.0/15",
    "10.90.0.0/16",
    "172.20.0.0/16",
    "192.168.4.0/24",
    "198.51.100.0/24",
    "203.0.113.64/26",
    "52.219.0.0/16",
    "168.63.129.16/32",
    "20.60.0.0/16",
];
const PUBLIC: [&str; 4] = ["198.51.100.0/24", "203.0.113.64/26", "52.219.0.0/16", "20.60.0.0/16"];
const PORTS: [u16; 8] = [0, 22, 443, 1024, 9092, 9093, 40_000, 65_535];
const SPANS: [(u16, u16); 6] =
    [(0, 65_535), (0, 65_535), (9092, 9093), (443, 443), (0, 1023), (1024, 65_535)];
const TAGS: [&str; 8] = [
    "VirtualNetwork",
    "VirtualNetwork",
    "Internet",
    "Internet",
    "AzureLoadBalancer",
    "Storage",
    "EventHub",
    "Sql",
];

fn net(text: &str) -> IpNet {
    text.parse().unwrap_or_else(|_| IpNet::from(IpAddr::V4(Ipv4Addr::UNSPECIFIED)))
}

/// Makes topologies from a seed.
pub(crate) struct Generator {
    dice: Dice,
}

impl Generator {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { dice: Dice::new(seed) }
    }

    fn pick<T: Copy>(&mut self, from: &[T], otherwise: T) -> T {
        from.get(self.dice.below(from.len())).copied().unwrap_or(otherwise)
    }

    /// One to four networks.
    pub(crate) fn topology(&mut self) -> AzureInventory {
        let mut inventory = AzureInventory::default();
        let interfaces =
            if self.dice.chance(92) { Known::Observed(()) } else { Known::Unknown("denied".to_owned()) };
        inventory.subscriptions.push(Subscription {
            id: SUBSCRIPTION.to_owned(),
            tenant: Known::Absent,
            role_definitions: Known::Observed(()),
            role_assignments: Known::Observed(()),
            deny_assignments: Known::Observed(()),
            interfaces,
            evidence: EvidenceIds::new(),
        });
        if self.dice.chance(70) {
            for (name, range) in [("Storage", "20.60.0.0/16"), ("EventHub", "52.219.0.0/17")] {
                let (name, ranges) = (name.to_owned(), vec![net(range)]);
                inventory.service_tags.push(ServiceTag { name, ranges, evidence: EvidenceIds::new() });
            }
        }
        let count = 1 + self.dice.below(4);
        // Two networks may have one range as long as they are not peered.
        let ranges: Vec<usize> =
            (1..=count).map(|number| if self.dice.chance(6) { 1 } else { number }).collect();
        for (index, range) in ranges.iter().enumerate() {
            self.network(&mut inventory, index + 1, *range);
        }
        self.peerings(&mut inventory, &ranges);
        self.fronts(&mut inventory);
        for list in 0..3 {
            self.group(&mut inventory, list);
        }
        for table in 0..3 {
            self.table(&mut inventory, table);
        }
        inventory
    }

    fn network(&mut self, inventory: &mut AzureInventory, number: usize, range: usize) {
        let mut subnets = Vec::new();
        for index in 0..2 {
            let subnet = self.subnet(number, range, index);
            for machine in 0..2 {
                let nic = self.nic(number, range, index, machine);
                inventory.interfaces.push(nic);
            }
            subnets.push(subnet);
        }
        if self.dice.chance(40) {
            self.endpoint(inventory, number, range);
        }
        if self.dice.chance(20) {
            let mut gateway = self.subnet(number, range, 9);
            gateway.name = "GatewaySubnet".to_owned();
            gateway.occupied = self.dice.chance(70);
            subnets.push(gateway);
        }
        let admin_rules = self.admin_rules();
        inventory.networks.push(VirtualNetwork {
            id: format!("vnet-{number}"),
            name: format!("vnet-{number}"),
            subscription: SUBSCRIPTION.to_owned(),
            region: "westeurope".to_owned(),
            cidrs: vec![net(&format!("10.{range}.0.0/16"))],
            subnets,
            peerings: Vec::new(),
            admin_rules,
            evidence: EvidenceIds::new(),
        });
    }

    fn maybe_id(&mut self, percent: usize, kind: &str) -> Option<String> {
        // The fourth of three is not in the evidence.
        let number = if self.dice.chance(4) { 3 } else { self.dice.below(3) };
        self.dice.chance(percent).then(|| format!("{kind}-{number}"))
    }

    fn subnet(&mut self, number: usize, range: usize, index: usize) -> Subnet {
        Subnet {
            id: format!("subnet-{number}{index}"),
            name: format!("subnet-{number}{index}"),
            cidrs: vec![net(&format!("10.{range}.{index}.0/24"))],
            security_group: self.maybe_id(60, "nsg"),
            route_table: self.maybe_id(50, "rt"),
            nat_gateway: self.maybe_id(20, "nat"),
            default_outbound: self.dice.chance(50),
            endpoint_filters: self.dice.chance(50),
            endpoint_routes: self.dice.chance(50),
            service_endpoints: if self.dice.chance(10) {
                vec!["Microsoft.Storage".to_owned()]
            } else {
                Vec::new()
            },
            occupied: true,
        }
    }

    fn nic(&mut self, number: usize, range: usize, subnet: usize, machine: usize) -> Nic {
        let id = format!("nic-{number}{subnet}{machine}");
        let mut addresses = Vec::new();
        for second in 0..=usize::from(self.dice.chance(15)) {
            let last = 10 + machine * 10 + second;
            addresses.push(NicAddress {
                id: format!("{id}/{second}"),
                private: net(&format!("10.{range}.{subnet}.{last}/32")),
                public: self.maybe_id(35, "pip"),
            });
        }
        let groups = ["asg-0", "asg-1"];
        let mut application_groups = Vec::new();
        if self.dice.chance(50) {
            application_groups.push(self.dice.one(&groups).to_owned());
        }
        Nic {
            name: id.clone(),
            subscription: SUBSCRIPTION.to_owned(),
            network: format!("vnet-{number}"),
            subnet: format!("subnet-{number}{subnet}"),
            addresses,
            security_group: self.maybe_id(45, "nsg"),
            application_groups,
            machine: Some(format!("vm-{number}{subnet}{machine}")),
            private_endpoint: None,
            managed: self.dice.chance(2),
            id,
            evidence: EvidenceIds::new(),
        }
    }

    fn endpoint(&mut self, inventory: &mut AzureInventory, number: usize, range: usize) {
        let id = format!("pe-{number}");
        let nic = format!("nic-{number}9");
        inventory.interfaces.push(Nic {
            id: nic.clone(),
            name: nic.clone(),
            subscription: SUBSCRIPTION.to_owned(),
            network: format!("vnet-{number}"),
            subnet: format!("subnet-{number}0"),
            addresses: vec![NicAddress {
                id: format!("{nic}/0"),
                private: net(&format!("10.{range}.0.200/32")),
                public: None,
            }],
            security_group: None,
            application_groups: Vec::new(),
            machine: None,
            private_endpoint: Some(id.clone()),
            managed: false,
            evidence: EvidenceIds::new(),
        });
        if self.dice.chance(95) {
            inventory.private_endpoints.push(PrivateEndpoint {
                id,
                subscription: SUBSCRIPTION.to_owned(),
                subnet: format!("subnet-{number}0"),
                target: "store".to_owned(),
                state: if self.dice.chance(85) { "Approved" } else { "Pending" }.to_owned(),
                groups: vec!["blob".to_owned()],
                interfaces: vec![nic],
                evidence: EvidenceIds::new(),
            });
        }
    }

    fn peerings(&mut self, inventory: &mut AzureInventory, ranges: &[usize]) {
        let spaces: Vec<(String, Vec<IpNet>)> =
            inventory.networks.iter().map(|network| (network.id.clone(), network.cidrs.clone())).collect();
        for (a, first) in ranges.iter().enumerate() {
            for (b, second) in ranges.iter().enumerate().skip(a + 1) {
                // Neither may two peers of one network overlap.
                let alike = ranges.iter().filter(|range| *range == first || *range == second).count();
                if alike > 2 || first == second || !self.dice.chance(60) {
                    continue;
                }
                for (near, far) in [(a, b), (b, a)] {
                    let Some((remote, cidrs)) = spaces.get(far) else { continue };
                    let peering = self.peering(near, remote, cidrs.clone());
                    if let Some(network) = inventory.networks.get_mut(near) {
                        network.peerings.push(peering);
                    }
                }
            }
            if self.dice.chance(25) {
                let peering = self.peering(a, "vnet-other", vec![net("10.90.0.0/16")]);
                if let Some(network) = inventory.networks.get_mut(a) {
                    network.peerings.push(peering);
                }
            }
        }
    }

    fn peering(&mut self, near: usize, remote: &str, remote_cidrs: Vec<IpNet>) -> Peering {
        Peering {
            id: format!("peering-{}-{remote}", near + 1),
            remote: remote.to_owned(),
            remote_cidrs,
            state: if self.dice.chance(92) { "Connected" } else { "Initiated" }.to_owned(),
            allow_access: self.dice.chance(92),
            allow_forwarded: self.dice.chance(20),
            allow_gateway_transit: self.dice.chance(20),
            use_remote_gateways: self.dice.chance(6),
        }
    }

    fn fronts(&mut self, inventory: &mut AzureInventory) {
        let evidence = EvidenceIds::new();
        for number in 0..3 {
            inventory.public_addresses.push(PublicAddress {
                id: format!("pip-{number}"),
                address: None,
                closed_by_default: self.dice.chance(70),
                evidence: evidence.clone(),
            });
            inventory.nat_gateways.push(AddressTranslation {
                id: format!("nat-{number}"),
                public: self.dice.chance(85),
                evidence: evidence.clone(),
            });
        }
        let mut configurations: Vec<String> = Vec::new();
        for nic in inventory.interfaces.iter().filter(|nic| nic.private_endpoint.is_none()) {
            for address in &nic.addresses {
                let by_address = self.dice.chance(20);
                configurations.push(if by_address {
                    format!("{} {}", nic.network, address.private.addr())
                } else {
                    address.id.clone()
                });
            }
        }
        for number in 0..self.dice.below(3) {
            let members: Vec<String> =
                configurations.iter().filter(|_| self.dice.chance(35)).cloned().collect();
            let mut forwards = Vec::new();
            for rule in 0..1 + self.dice.below(2) {
                let (from, to) = self.pick(&SPANS, (0, 65_535));
                forwards.push(Forward {
                    name: format!("rule-{rule}"),
                    public: self.dice.chance(75),
                    protocol: self.pick(&[Some(6), Some(6), Some(17), None], None),
                    front_port: 9092,
                    ports: Span { from, to },
                    members: members.clone(),
                });
            }
            inventory.load_balancers.push(LoadBalancer {
                id: format!("lb-{number}"),
                name: format!("lb-{number}"),
                closed_by_default: self.dice.chance(75),
                forwards,
                outbound: if self.dice.chance(50) { members.clone() } else { Vec::new() },
                members,
                evidence: evidence.clone(),
            });
        }
    }

    fn peer(&mut self) -> Peer {
        match self.dice.below(10) {
            0..3 => Peer::Any,
            3..6 => Peer::Cidr(net(self.dice.one(&RANGES))),
            6..9 => Peer::Tag(self.dice.one(&TAGS).to_owned()),
            _ => Peer::ApplicationGroup(self.dice.one(&["asg-0", "asg-1"]).to_owned()),
        }
    }

    fn matches(&mut self, inbound: bool) -> Matches {
        let peers = |generator: &mut Self| {
            let mut peers = vec![generator.peer()];
            if generator.dice.chance(20) {
                peers.push(generator.peer());
            }
            peers
        };
        let spans = |generator: &mut Self, plain: usize| {
            if generator.dice.chance(plain) {
                return vec![Span::ALL];
            }
            let (from, to) = generator.pick(&SPANS, (0, 65_535));
            let mut spans = vec![Span { from, to }];
            if generator.dice.chance(20) {
                spans.push(Span { from: 22, to: 22 });
            }
            spans
        };
        Matches {
            inbound,
            protocol: self.pick(&[None, None, Some(6), Some(6), Some(17), Some(1)], None),
            sources: peers(self),
            source_ports: spans(self, 85),
            destinations: peers(self),
            ports: spans(self, 30),
        }
    }

    fn admin_rules(&mut self) -> Known<Vec<AdminRule>> {
        if self.dice.chance(5) {
            return Known::Unknown("not asked".to_owned());
        }
        if self.dice.chance(50) {
            return Known::Observed(Vec::new());
        }
        let mut rules = Vec::new();
        for priority in 0..1 + self.dice.below(3) {
            let inbound = self.dice.chance(50);
            let mut matches = self.matches(inbound);
            if self.dice.chance(5) {
                matches.sources = vec![Peer::NetworkGroup("group".to_owned())];
            }
            rules.push(AdminRule {
                id: format!("admin-{priority}"),
                priority: i32::try_from(priority).unwrap_or(0),
                access: self.pick(
                    &[AdminAccess::Allow, AdminAccess::AlwaysAllow, AdminAccess::Deny],
                    AdminAccess::Allow,
                ),
                matches,
            });
        }
        Known::Observed(rules)
    }

    fn group(&mut self, inventory: &mut AzureInventory, number: usize) {
        let mut rules = Vec::new();
        for priority in 0..self.dice.below(5) {
            let inbound = self.dice.chance(50);
            rules.push(SecurityRule {
                name: format!("rule-{priority}"),
                priority: 100 + i32::try_from(priority).unwrap_or(0),
                allow: self.dice.chance(60),
                matches: self.matches(inbound),
                pointer: String::new(),
            });
        }
        let tag = |name: &str| Peer::Tag(name.to_owned());
        for (inbound, allow, source, destination) in [
            (true, true, tag("VirtualNetwork"), tag("VirtualNetwork")),
            (true, true, tag("AzureLoadBalancer"), Peer::Any),
            (true, false, Peer::Any, Peer::Any),
            (false, true, tag("VirtualNetwork"), tag("VirtualNetwork")),
            (false, true, Peer::Any, tag("Internet")),
            (false, false, Peer::Any, Peer::Any),
        ] {
            rules.push(SecurityRule {
                name: "default".to_owned(),
                priority: 65_000,
                allow,
                matches: Matches {
                    inbound,
                    protocol: None,
                    sources: vec![source],
                    source_ports: vec![Span::ALL],
                    destinations: vec![destination],
                    ports: vec![Span::ALL],
                },
                pointer: String::new(),
            });
        }
        inventory.security_groups.push(NetworkSecurityGroup {
            id: format!("nsg-{number}"),
            name: format!("nsg-{number}"),
            rules,
            evidence: EvidenceIds::new(),
        });
    }

    fn table(&mut self, inventory: &mut AzureInventory, number: usize) {
        let mut routes: Vec<Route> = Vec::new();
        for index in 0..self.dice.below(4) {
            let destination = if self.dice.chance(12) {
                Peer::Tag(self.dice.one(&["Storage", "EventHub", "Sql"]).to_owned())
            } else if self.dice.chance(15) {
                let host = self.dice.one(&["10.1.0.200/32", "10.2.0.200/32", "10.1.1.10/32"]);
                Peer::Cidr(net(host))
            } else {
                Peer::Cidr(net(self.dice.one(&RANGES)))
            };
            if routes.iter().any(|route| route.destination == destination) {
                continue;
            }
            let hops = [
                NextHop::None,
                NextHop::None,
                NextHop::Internet,
                NextHop::Local,
                NextHop::Appliance,
                NextHop::Gateway,
            ];
            let next_hop = self.pick(&hops, NextHop::None);
            routes.push(Route { name: format!("route-{index}"), destination, next_hop });
        }
        inventory.route_tables.push(RouteTable {
            id: format!("rt-{number}"),
            name: format!("rt-{number}"),
            routes,
            no_gateway_routes: self.dice.chance(50),
            evidence: EvidenceIds::new(),
        });
    }

    /// Who would open connections to whom.
    pub(crate) fn question(&mut self, inventory: &AzureInventory) -> Question {
        let one = |generator: &mut Self| {
            let index = generator.dice.below(inventory.interfaces.len());
            inventory
                .interfaces
                .get(index)
                .map_or_else(|| Party::Outside(net("0.0.0.0/0")), |nic| Party::Interface(nic.id.clone()))
        };
        let outside = |generator: &mut Self| match generator.dice.below(5) {
            0 => Party::Internet(Family::Ipv4),
            _ => Party::Outside(net(generator.dice.one(&RANGES))),
        };
        let (from, to) = match self.dice.below(10) {
            0..5 => (one(self), one(self)),
            5..8 => (one(self), outside(self)),
            _ => (outside(self), one(self)),
        };
        let (first, last) = self.pick(&SPANS, (0, 65_535));
        let protocol = self.pick(&[6, 6, 6, 17, 1], 6);
        Question { from, to, protocol, ports: PortRange { from: first, to: last } }
    }

    /// A packet of a question.
    pub(crate) fn packet(&mut self, inventory: &AzureInventory, question: &Question) -> Option<Opening> {
        let own = |generator: &mut Self, party: &Party| -> Option<IpAddr> {
            match party {
                Party::Interface(id) => {
                    let nic = inventory.interfaces.iter().find(|nic| nic.id == *id)?;
                    let index = generator.dice.below(nic.addresses.len());
                    Some(nic.addresses.get(index)?.private.addr())
                }
                Party::Outside(range) => Some(generator.address_in(*range)),
                Party::Internet(_) => {
                    let range = net(generator.dice.one(&PUBLIC));
                    Some(generator.address_in(range))
                }
            }
        };
        let (source, destination) = (own(self, &question.from)?, own(self, &question.to)?);
        let mut port = self.pick(&PORTS, 9092);
        if !question.ports.contains(port) {
            port = if self.dice.chance(50) { question.ports.from } else { question.ports.to };
        }
        Some(Opening {
            source,
            destination,
            protocol: question.protocol,
            source_port: self.pick(&PORTS, 40_000),
            port,
            translated_port: 0,
        })
    }

    /// An address in a range: an edge of some range inside it, a neighbour of one, or any.
    fn address_in(&mut self, range: IpNet) -> IpAddr {
        for _ in 0..4 {
            let edge = net(self.dice.one(&RANGES));
            let address = if self.dice.chance(50) { edge.network() } else { edge.broadcast() };
            let near = u32::try_from(self.dice.below(3)).unwrap_or(0);
            if let IpAddr::V4(address) = address {
                let address = Ipv4Addr::from_bits(address.to_bits().wrapping_add(near).wrapping_sub(1));
                if range.contains(&IpAddr::V4(address)) {
                    return IpAddr::V4(address);
                }
            }
        }
        let IpNet::V4(range) = range else { return IpAddr::V4(Ipv4Addr::UNSPECIFIED) };
        let free = u32::MAX.checked_shr(u32::from(range.prefix_len())).unwrap_or(0);
        let random = u32::try_from(self.dice.below(1 << 32)).unwrap_or(0);
        IpAddr::V4(Ipv4Addr::from_bits(range.network().to_bits() | (random & free)))
    }
}
