//! Random AWS networks, with everything that decides about packets in them, and questions about them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use cadastre_model::Known;
use cadastre_model::asset::EvidenceIds;
use cadastre_model::asset::network::{
    Destination, Gateway, GatewayKind, NetworkAcl, NetworkAclEntry, NetworkInterface, Peering, PrefixList,
    Route, RouteTable, SecurityGroup, SecurityRule, Subnet, TransitRoute, TransitRouteTable, Vpc,
    VpcEndpoint,
};
use cadastre_model::inventory::Inventory;
use cadastre_network::trace::{Family, Party, PortRange, Question};
use ipnet::IpNet;

use crate::access_cases::Dice;
use crate::network_simulator::{Opening, is_public};

const ACCOUNT: &str = "111122223333";
const REGION: &str = "eu-central-1";
const ZONES: (&str, &str) = ("eu-central-1a", "eu-central-1b");
const OUTSIDE: [&str; 10] = [
    "0.0.0.0/0",
    "0.0.0.0/1",
    "198.51.100.0/24",
    "203.0.113.64/26",
    "52.219.0.0/16",
    "10.90.0.0/16",
    "10.91.7.0/24",
    "10.0.0.0/8",
    "::/0",
    "2001:db8:9::/48",
];
const RANGES: [&str; 12] = [
    "0.0.0.0/0",
    "0.0.0.0/0",
    "10.0.0.0/8",
    "10.1.0.0/16",
    "10.1.0.0/24",
    "10.2.1.0/24",
    "10.90.0.0/16",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "::/0",
    "2001:db8:1::/48",
    "10.2.0.0/28",
];
const PORTS: [u16; 9] = [0, 53, 443, 1023, 1024, 9091, 9092, 40_000, 65_535];
const SPANS: [(u16, u16); 7] =
    [(0, 65_535), (0, 65_535), (9092, 9092), (1024, 65_535), (443, 443), (9000, 9100), (0, 1023)];

fn net(text: &str) -> IpNet {
    text.parse().unwrap_or_else(|_| IpNet::from(IpAddr::V4(Ipv4Addr::UNSPECIFIED)))
}

/// Makes topologies from a seed.
pub(crate) struct Generator {
    pub(crate) dice: Dice,
}

/// One VPC's number, and the second byte of its range: two may have the same.
#[derive(Clone, Copy)]
struct Site {
    number: usize,
    range: usize,
}

impl Site {
    fn id(self) -> String {
        format!("vpc-{}", self.number)
    }
}

impl Generator {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { dice: Dice::new(seed) }
    }

    fn pick<T: Copy>(&mut self, from: &[T], otherwise: T) -> T {
        from.get(self.dice.below(from.len())).copied().unwrap_or(otherwise)
    }

    /// A network of one to four VPCs.
    pub(crate) fn topology(&mut self) -> Inventory {
        let mut inventory = Inventory::default();
        let sites: Vec<Site> = (1..=1 + self.dice.below(4))
            .map(|number| Site { number, range: if self.dice.chance(8) { 1 } else { number } })
            .collect();
        self.prefix_lists(&mut inventory);
        for site in &sites {
            self.site(&mut inventory, *site);
        }
        self.groups(&mut inventory, &sites);
        self.peerings(&mut inventory, &sites);
        self.transit(&mut inventory, &sites);
        for site in &sites {
            self.tables(&mut inventory, *site, &sites);
        }
        inventory.interfaces.sort_by(|a, b| a.id.cmp(&b.id));
        inventory
    }

    fn prefix_lists(&mut self, inventory: &mut Inventory) {
        let lists = [
            ("pl-1", "com.amazonaws.eu-central-1.s3", vec!["52.219.0.0/16"], 5),
            ("pl-2", "offices", vec!["198.51.100.0/25", "10.1.0.0/25"], 10),
        ];
        for (id, name, entries, unknown) in lists {
            let entries = if self.dice.chance(unknown) {
                Known::Unknown("denied".to_owned())
            } else {
                Known::Observed(entries.into_iter().map(net).collect())
            };
            let (id, name) = (id.to_owned(), name.to_owned());
            inventory.prefix_lists.push(PrefixList { id, name, entries, evidence: EvidenceIds::new() });
        }
    }

    fn site(&mut self, inventory: &mut Inventory, site: Site) {
        let Site { number, range } = site;
        let mut cidrs = vec![net(&format!("10.{range}.0.0/16"))];
        let v6 = self.dice.chance(50);
        if v6 {
            cidrs.push(net(&format!("2001:db8:{number}::/48")));
        }
        let evidence = EvidenceIds::new();
        let (account, region) = (ACCOUNT.to_owned(), REGION.to_owned());
        inventory.vpcs.push(Vpc {
            id: site.id(),
            account,
            region,
            cidrs,
            tags: Vec::new(),
            evidence: evidence.clone(),
        });
        let subnets = 2 + self.dice.below(2);
        for subnet in 0..subnets {
            let id = format!("subnet-{number}{subnet}");
            let mut cidrs = vec![net(&format!("10.{range}.{subnet}.0/24"))];
            if v6 {
                cidrs.push(net(&format!("2001:db8:{number}:{subnet}::/64")));
            }
            inventory.subnets.push(Subnet {
                id: id.clone(),
                vpc: site.id(),
                region: REGION.to_owned(),
                zone: if subnet % 2 == 0 { ZONES.0 } else { ZONES.1 }.to_owned(),
                cidrs,
                maps_public_addresses: false,
                tags: Vec::new(),
                evidence: evidence.clone(),
            });
            if self.dice.chance(98) {
                let entries = self.acl_entries();
                let acl = format!("acl-{number}{subnet}");
                let subnets = vec![id.clone()];
                inventory.network_acls.push(NetworkAcl {
                    id: acl,
                    vpc: site.id(),
                    subnets,
                    entries,
                    evidence: evidence.clone(),
                });
            }
            for host in 0..1 + self.dice.below(3) {
                let mut private = vec![format!("10.{range}.{subnet}.{}", 10 + host)];
                if self.dice.chance(10) {
                    private.push(format!("10.{range}.{subnet}.{}", 30 + host));
                }
                if v6 && self.dice.chance(70) {
                    private.push(format!("2001:db8:{number}:{subnet}::{}", 10 + host));
                }
                let public = if self.dice.chance(40) {
                    vec![format!("203.0.113.{}", number * 50 + subnet * 10 + host)]
                } else {
                    Vec::new()
                };
                let mut groups: Vec<String> = (0..1 + self.dice.below(2))
                    .map(|_| format!("sg-{number}{}", self.dice.below(3)))
                    .collect();
                groups.sort();
                groups.dedup();
                if self.dice.chance(2) {
                    groups.clear();
                }
                inventory.interfaces.push(NetworkInterface {
                    id: format!("eni-{number}{subnet}{host}"),
                    account: ACCOUNT.to_owned(),
                    subnet: id.clone(),
                    vpc: site.id(),
                    private_addresses: private,
                    public_addresses: public,
                    security_groups: groups,
                    instance: None,
                    kind: "interface".to_owned(),
                    evidence: evidence.clone(),
                });
            }
        }
        self.gateways(inventory, site, subnets);
    }

    fn gateways(&mut self, inventory: &mut Inventory, site: Site, subnets: usize) {
        let number = site.number;
        let gateway = |id: String, kind, vpc: Option<String>, subnet: Option<String>, public| Gateway {
            id,
            kind,
            vpc,
            subnet,
            transit_gateway: None,
            subnets: Known::Absent,
            transit_table: None,
            public,
            evidence: EvidenceIds::new(),
        };
        if self.dice.chance(95) {
            let vpc = self.dice.chance(95).then(|| site.id());
            inventory.gateways.push(gateway(
                format!("igw-{number}"),
                GatewayKind::Internet,
                vpc,
                None,
                false,
            ));
        }
        inventory.gateways.push(gateway(
            format!("eigw-{number}"),
            GatewayKind::EgressOnly,
            Some(site.id()),
            None,
            false,
        ));
        if self.dice.chance(95) {
            let subnet = self.dice.chance(97).then(|| format!("subnet-{number}{}", self.dice.below(subnets)));
            inventory.gateways.push(gateway(
                format!("nat-{number}"),
                GatewayKind::Nat,
                Some(site.id()),
                subnet,
                self.dice.chance(85),
            ));
        }
        for (id, kind, service) in
            [("s3", "Gateway", "com.amazonaws.eu-central-1.s3"), ("fw", "GatewayLoadBalancer", "firewall")]
        {
            inventory.endpoints.push(VpcEndpoint {
                id: format!("vpce-{number}{id}"),
                account: ACCOUNT.to_owned(),
                vpc: site.id(),
                service: service.to_owned(),
                kind: kind.to_owned(),
                state: if self.dice.chance(92) { "available" } else { "pending" }.to_owned(),
                route_tables: Vec::new(),
                subnets: Vec::new(),
                security_groups: Vec::new(),
                private_dns: false,
                policy: Known::Absent,
                evidence: EvidenceIds::new(),
            });
        }
    }

    fn acl_entries(&mut self) -> Vec<NetworkAclEntry> {
        let mut entries = Vec::new();
        if !self.dice.chance(50) {
            for number in 0..self.dice.below(7) {
                let protocol = self.pick(&[None, Some(6), Some(6), Some(17), Some(1)], None);
                let (from, to) = self.pick(&SPANS, (0, 65_535));
                let allow = self.dice.chance(60);
                let ports = matches!(protocol, Some(6 | 17));
                entries.push(NetworkAclEntry {
                    number: 10 + i32::try_from(number).unwrap_or(0),
                    egress: self.dice.chance(50),
                    allow,
                    protocol,
                    from_port: ports.then_some(from),
                    to_port: ports.then_some(to),
                    cidr: net(self.dice.one(&RANGES)),
                });
            }
        }
        let mut last = |number, egress, cidr: &str, chance| {
            if self.dice.chance(chance) {
                entries.push(NetworkAclEntry {
                    number,
                    egress,
                    allow: true,
                    protocol: None,
                    from_port: None,
                    to_port: None,
                    cidr: net(cidr),
                });
            }
        };
        for (number, egress) in [(100, false), (100, true)] {
            last(number, egress, "0.0.0.0/0", 94);
            last(number + 1, egress, "::/0", 94);
        }
        entries
    }

    fn groups(&mut self, inventory: &mut Inventory, sites: &[Site]) {
        for site in sites {
            for group in 0..3 {
                if self.dice.chance(2) {
                    continue;
                }
                let rules = |generator: &mut Self, wide: usize| -> Vec<SecurityRule> {
                    let mut rules: Vec<SecurityRule> =
                        (0..generator.dice.below(4)).map(|_| generator.rule(sites)).collect();
                    for everywhere in ["0.0.0.0/0", "::/0"] {
                        if generator.dice.chance(wide) {
                            rules.push(SecurityRule {
                                protocol: None,
                                from_port: None,
                                to_port: None,
                                peer: Destination::Cidr(net(everywhere)),
                                pointer: String::new(),
                            });
                        }
                    }
                    rules
                };
                let (ingress, egress) = (rules(self, 35), rules(self, 70));
                let id = format!("sg-{}{group}", site.number);
                inventory.security_groups.push(SecurityGroup {
                    name: id.clone(),
                    id,
                    vpc: Some(site.id()),
                    account: ACCOUNT.to_owned(),
                    ingress,
                    egress,
                    evidence: EvidenceIds::new(),
                });
            }
        }
    }

    fn rule(&mut self, sites: &[Site]) -> SecurityRule {
        let protocol = self.pick(&[None, Some(6), Some(6), Some(17), Some(1)], None);
        let ports = matches!(protocol, Some(6 | 17));
        let (from, to) = self.pick(&SPANS, (0, 65_535));
        let peer = match self.dice.below(10) {
            0..4 => Destination::Cidr(net(self.dice.one(&RANGES))),
            4 => Destination::PrefixList(self.dice.one(&["pl-1", "pl-2"]).to_owned()),
            5 if self.dice.chance(15) => Destination::SecurityGroup("sg-missing".to_owned()),
            _ => {
                let site = self.pick(sites, Site { number: 1, range: 1 });
                Destination::SecurityGroup(format!("sg-{}{}", site.number, self.dice.below(3)))
            }
        };
        SecurityRule {
            protocol,
            from_port: ports.then_some(from),
            to_port: ports.then_some(to),
            peer,
            pointer: String::new(),
        }
    }

    fn peerings(&mut self, inventory: &mut Inventory, sites: &[Site]) {
        let ranges = |inventory: &Inventory, vpc: &str| {
            inventory
                .vpcs
                .iter()
                .find(|known| known.id == vpc)
                .map(|vpc| vpc.cidrs.clone())
                .unwrap_or_default()
        };
        let add = |inventory: &mut Inventory,
                   id: String,
                   from: String,
                   to: String,
                   far: Vec<IpNet>,
                   active: bool| {
            let requester_cidrs = ranges(inventory, &from);
            inventory.peerings.push(Peering {
                id,
                status: if active { "active" } else { "pending-acceptance" }.to_owned(),
                requester_account: ACCOUNT.to_owned(),
                requester_vpc: from,
                requester_cidrs,
                accepter_account: "444455556666".to_owned(),
                accepter_vpc: to,
                accepter_cidrs: far,
                evidence: EvidenceIds::new(),
            });
        };
        for (index, a) in sites.iter().enumerate() {
            for b in sites.iter().skip(index + 1) {
                let far = ranges(inventory, &b.id());
                add(
                    inventory,
                    format!("pcx-{}{}", a.number, b.number),
                    a.id(),
                    b.id(),
                    far,
                    self.dice.chance(93),
                );
            }
            let far = if self.dice.chance(95) { vec![net("10.90.0.0/16")] } else { Vec::new() };
            add(
                inventory,
                format!("pcx-{}9", a.number),
                a.id(),
                "vpc-other".to_owned(),
                far,
                self.dice.chance(93),
            );
        }
    }

    fn transit(&mut self, inventory: &mut Inventory, sites: &[Site]) {
        let mut names: Vec<(String, String)> = vec![("tgw-attach-vpn".to_owned(), "10.90.0.0/15".to_owned())];
        for site in sites {
            names.push((format!("tgw-attach-{}", site.number), format!("10.{}.0.0/16", site.range)));
        }
        for table in 1..=2 {
            let mut routes = Vec::new();
            for (attachment, range) in &names {
                if self.dice.chance(80) {
                    let mut attachments = vec![attachment.clone()];
                    if self.dice.chance(3) {
                        attachments.push("tgw-attach-vpn".to_owned());
                    }
                    let blackhole = self.dice.chance(4);
                    routes.push(TransitRoute { destination: net(range), attachments, blackhole });
                }
            }
            if self.dice.chance(50) {
                let index = self.dice.below(names.len());
                let attachments = names.get(index).map(|(name, _)| name.clone()).into_iter().collect();
                routes.push(TransitRoute { destination: net("0.0.0.0/0"), attachments, blackhole: false });
            }
            for site in sites {
                if self.dice.chance(60) {
                    let attachments = vec![format!("tgw-attach-{}", site.number)];
                    routes.push(TransitRoute {
                        destination: net(&format!("2001:db8:{}::/48", site.number)),
                        attachments,
                        blackhole: false,
                    });
                }
            }
            // The service has one route to a range.
            routes.sort_by_key(|route| route.destination);
            routes.dedup_by(|b, a| a.destination == b.destination);
            let routes = if self.dice.chance(3) {
                Known::Unknown("denied".to_owned())
            } else {
                Known::Observed(routes)
            };
            if self.dice.chance(97) {
                let (id, transit_gateway) = (format!("tgw-rtb-{table}"), "tgw-1".to_owned());
                inventory.transit_route_tables.push(TransitRouteTable {
                    id,
                    transit_gateway,
                    routes,
                    evidence: EvidenceIds::new(),
                });
            }
        }
        for (index, (id, _)) in names.iter().enumerate() {
            if self.dice.chance(3) {
                continue;
            }
            let site = index.checked_sub(1).and_then(|index| sites.get(index));
            let subnets = match site {
                None => Known::Absent,
                Some(_) if self.dice.chance(4) => Known::Unknown("denied".to_owned()),
                Some(site) => {
                    let mut subnets = vec![format!("subnet-{}0", site.number)];
                    if self.dice.chance(80) {
                        subnets.push(format!("subnet-{}1", site.number));
                    }
                    Known::Observed(subnets)
                }
            };
            let transit_table = self.dice.chance(95).then(|| format!("tgw-rtb-{}", 1 + self.dice.below(2)));
            inventory.gateways.push(Gateway {
                id: id.clone(),
                kind: GatewayKind::TransitAttachment,
                vpc: site.map(|site| site.id()),
                subnet: None,
                transit_gateway: Some("tgw-1".to_owned()),
                subnets,
                transit_table,
                public: false,
                evidence: EvidenceIds::new(),
            });
        }
    }

    fn tables(&mut self, inventory: &mut Inventory, site: Site, sites: &[Site]) {
        let number = site.number;
        let subnets: Vec<String> = inventory
            .subnets
            .iter()
            .filter(|subnet| subnet.vpc == site.id())
            .map(|subnet| subnet.id.clone())
            .collect();
        let table = |id: String, main, subnets: Vec<String>, gateways: Vec<String>, routes| RouteTable {
            id,
            vpc: site.id(),
            main,
            subnets,
            gateways,
            routes,
            evidence: EvidenceIds::new(),
        };
        let routes = self.routes(site, sites);
        if self.dice.chance(98) {
            inventory.route_tables.push(table(format!("rtb-{number}"), true, Vec::new(), Vec::new(), routes));
        }
        for (index, subnet) in subnets.iter().enumerate() {
            if self.dice.chance(60) {
                let routes = self.routes(site, sites);
                inventory.route_tables.push(table(
                    format!("rtb-{number}{index}"),
                    false,
                    vec![subnet.clone()],
                    Vec::new(),
                    routes,
                ));
            }
        }
        if self.dice.chance(12) {
            let mut routes = local(site);
            if self.dice.chance(70) {
                routes.push(route(
                    Destination::Cidr(net(&format!("10.{}.1.0/24", site.range))),
                    &format!("vpce-{number}fw"),
                    true,
                ));
            }
            inventory.route_tables.push(table(
                format!("rtb-{number}edge"),
                false,
                Vec::new(),
                vec![format!("igw-{number}")],
                routes,
            ));
        }
    }

    fn routes(&mut self, site: Site, sites: &[Site]) -> Vec<Route> {
        let number = site.number;
        let mut routes = local(site);
        let add = |routes: &mut Vec<Route>, to: &str, target: String, active: bool| {
            let destination = if to.starts_with("pl-") {
                Destination::PrefixList(to.to_owned())
            } else {
                Destination::Cidr(net(to))
            };
            if !routes.iter().any(|known| known.destination == destination) {
                routes.push(route(destination, &target, active));
            }
        };
        let default = match self.dice.below(20) {
            0..8 => Some(format!("igw-{number}")),
            8..13 => Some(format!("nat-{number}")),
            13..15 => Some("tgw-1".to_owned()),
            15 => Some(format!("vpce-{number}fw")),
            16 => Some("vgw-1".to_owned()),
            17 => Some("igw-1".to_owned()),
            _ => None,
        };
        if let Some(target) = default {
            add(&mut routes, "0.0.0.0/0", target, self.dice.chance(97));
        }
        match self.dice.below(10) {
            0..5 => add(&mut routes, "::/0", format!("igw-{number}"), true),
            5..8 => add(&mut routes, "::/0", format!("eigw-{number}"), true),
            8 => add(&mut routes, "64:ff9b::/96", format!("nat-{number}"), true),
            _ => {}
        }
        for other in sites.iter().filter(|other| other.number != number) {
            let (low, high) = (number.min(other.number), number.max(other.number));
            let target = match self.dice.below(10) {
                0..4 => format!("pcx-{low}{high}"),
                4..8 => "tgw-1".to_owned(),
                8 => format!("nat-{number}"),
                _ => continue,
            };
            add(&mut routes, &format!("10.{}.0.0/16", other.range), target.clone(), self.dice.chance(96));
            if self.dice.chance(50) {
                add(&mut routes, &format!("2001:db8:{}::/48", other.number), target, true);
            }
        }
        let beyond = [
            format!("pcx-{number}9"),
            "tgw-1".to_owned(),
            "vgw-1".to_owned(),
            "eni-appliance".to_owned(),
            format!("nat-{number}"),
        ];
        if self.dice.chance(50) {
            let target = beyond.get(self.dice.below(beyond.len())).cloned().unwrap_or_default();
            add(&mut routes, "10.90.0.0/16", target, true);
        }
        if self.dice.chance(15) {
            let target = beyond.get(self.dice.below(beyond.len())).cloned().unwrap_or_default();
            add(&mut routes, self.dice.one(&["198.51.100.0/24", "10.91.0.0/16", "10.0.0.0/8"]), target, true);
        }
        if self.dice.chance(40) {
            add(&mut routes, "pl-1", format!("vpce-{number}s3"), true);
        }
        if self.dice.chance(8) {
            add(&mut routes, "pl-2", self.dice.one(&["tgw-1", "vgw-1"]).to_owned(), true);
        }
        if self.dice.chance(4) {
            // Inside the VPC, past the local route, to an appliance.
            add(&mut routes, &format!("10.{}.1.0/24", site.range), format!("vpce-{number}fw"), true);
        }
        routes
    }

    /// A question about a topology.
    pub(crate) fn question(&mut self, inventory: &Inventory) -> Question {
        let one = |generator: &mut Self| {
            let index = generator.dice.below(inventory.interfaces.len());
            inventory.interfaces.get(index).map_or_else(
                || Party::Outside(net("0.0.0.0/0")),
                |interface| Party::Interface(interface.id.clone()),
            )
        };
        let outside = |generator: &mut Self| match generator.dice.below(8) {
            0 => Party::Internet(Family::Ipv4),
            1 => Party::Internet(Family::Ipv6),
            _ => Party::Outside(net(generator.dice.one(&OUTSIDE))),
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

    /// A packet of a question; none where the ends have no addresses of one family.
    pub(crate) fn packet(&mut self, inventory: &Inventory, question: &Question) -> Option<Opening> {
        let own = |generator: &mut Self, party: &Party| -> Option<IpAddr> {
            match party {
                Party::Interface(id) => {
                    let interface = inventory.interfaces.iter().find(|interface| interface.id == *id)?;
                    let index = generator.dice.below(interface.private_addresses.len());
                    interface.private_addresses.get(index)?.parse().ok()
                }
                Party::Outside(range) => Some(generator.address_in(*range)),
                Party::Internet(Family::Ipv4) => {
                    Some(generator.address_in(net("0.0.0.0/0"))).filter(|address| is_public(*address))
                }
                Party::Internet(Family::Ipv6) => Some(generator.address_in(net("2000::/3"))),
            }
        };
        let (source, destination) = (own(self, &question.from)?, own(self, &question.to)?);
        if source.is_ipv4() != destination.is_ipv4() {
            return None;
        }
        let mut port = self.pick(&PORTS, 9092);
        if !question.ports.contains(port) {
            port = if self.dice.chance(50) { question.ports.from } else { question.ports.to };
        }
        let above = [1024, 9000, 9092, 9100, 40_000, 65_535];
        Some(Opening {
            source,
            destination,
            protocol: question.protocol,
            source_port: self.pick(&above, 40_000),
            port,
            translated_port: self.pick(&above, 40_000),
        })
    }

    /// An address in a range: an edge of some range inside it, a neighbour of one, or any.
    fn address_in(&mut self, range: IpNet) -> IpAddr {
        let named: Vec<&str> = RANGES.iter().chain(&OUTSIDE).copied().collect();
        for _ in 0..4 {
            let edge = net(self.dice.one(&named));
            let address = if self.dice.chance(50) { edge.network() } else { edge.broadcast() };
            let near = self.dice.below(3);
            let address = match address {
                IpAddr::V4(address) => IpAddr::V4(Ipv4Addr::from_bits(
                    address.to_bits().wrapping_add(u32::try_from(near).unwrap_or(0)).wrapping_sub(1),
                )),
                IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(
                    address.to_bits().wrapping_add(u128::try_from(near).unwrap_or(0)).wrapping_sub(1),
                )),
            };
            if range.contains(&address) {
                return address;
            }
        }
        match range {
            IpNet::V4(range) => {
                let free = u32::MAX.checked_shr(u32::from(range.prefix_len())).unwrap_or(0);
                let random = u32::try_from(self.dice.below(1 << 32)).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from_bits(range.network().to_bits() | (random & free)))
            }
            IpNet::V6(range) => {
                let free = u128::MAX.checked_shr(u32::from(range.prefix_len())).unwrap_or(0);
                let random = u128::try_from(self.dice.below(usize::MAX)).unwrap_or(0) << 32;
                IpAddr::V6(Ipv6Addr::from_bits(range.network().to_bits() | (random & free)))
            }
        }
    }
}

fn route(destination: Destination, target: &str, active: bool) -> Route {
    Route {
        destination,
        target: target.to_owned(),
        state: if active { "active" } else { "blackhole" }.to_owned(),
    }
}

fn local(site: Site) -> Vec<Route> {
    vec![
        route(Destination::Cidr(net(&format!("10.{}.0.0/16", site.range))), "local", true),
        route(Destination::Cidr(net(&format!("2001:db8:{}::/48", site.number))), "local", true),
    ]
}
