//! Small networks, written in a few words.

use cadastre_model::Known;
use cadastre_model::asset::EvidenceIds;
use cadastre_model::asset::compute::Instance;
use cadastre_model::asset::network::{
    Destination, Gateway, GatewayKind, NetworkAcl, NetworkAclEntry, NetworkInterface, Peering, PrefixList,
    Route, RouteTable, SecurityGroup, SecurityRule, Subnet, Vpc, VpcEndpoint,
};
use cadastre_model::inventory::Inventory;
use ipnet::IpNet;

pub(crate) const ACCOUNT: &str = "111122223333";
pub(crate) const REGION: &str = "eu-central-1";

pub(crate) fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

/// A range, `pl-…`, or `sg-…`.
pub(crate) fn destination(text: &str) -> Destination {
    if text.starts_with("pl-") {
        Destination::PrefixList(text.into())
    } else if text.starts_with("sg-") {
        Destination::SecurityGroup(text.into())
    } else {
        Destination::Cidr(net(text))
    }
}

/// A network under construction.
#[derive(Debug, Clone, Default)]
pub(crate) struct Net(pub(crate) Inventory);

/// `tcp 9092`, `udp 53-54`, `all`, `icmp`.
fn traffic(text: &str) -> (Option<u8>, Option<u16>, Option<u16>) {
    let (name, ports) = text.split_once(' ').unwrap_or((text, ""));
    let protocol = match name {
        "all" => None,
        "tcp" => Some(6),
        "udp" => Some(17),
        "icmp" => Some(1),
        number => Some(number.parse().unwrap()),
    };
    if ports.is_empty() {
        return (protocol, None, None);
    }
    let (from, to) = ports.split_once('-').unwrap_or((ports, ports));
    (protocol, Some(from.parse().unwrap()), Some(to.parse().unwrap()))
}

pub(crate) fn rule(text: &str, peer: &str) -> SecurityRule {
    let (protocol, from_port, to_port) = traffic(text);
    SecurityRule { protocol, from_port, to_port, peer: destination(peer), pointer: String::new() }
}

pub(crate) fn entry(number: i32, egress: bool, allow: bool, text: &str, cidr: &str) -> NetworkAclEntry {
    let (protocol, from_port, to_port) = traffic(text);
    NetworkAclEntry { number, egress, allow, protocol, from_port, to_port, cidr: net(cidr) }
}

impl Net {
    /// VPC `vpc-1` 10.20.0.0/16 with `subnet-1` 10.20.1.0/24 and `subnet-2` 10.20.2.0/24, a main table with
    /// the local route, an ACL that lets everything pass, a group `sg-1` without rules, and instance `i-1`
    /// with `eni-1`, 10.20.1.10.
    pub(crate) fn basic() -> Self {
        Self::default()
            .vpc("vpc-1", &["10.20.0.0/16"])
            .subnet("subnet-1", "vpc-1", &["10.20.1.0/24"])
            .subnet("subnet-2", "vpc-1", &["10.20.2.0/24"])
            .table("rtb-1", "vpc-1", &[], &[("10.20.0.0/16", "local")])
            .acl(
                "acl-1",
                &["subnet-1", "subnet-2"],
                vec![
                    entry(100, false, true, "all", "0.0.0.0/0"),
                    entry(100, true, true, "all", "0.0.0.0/0"),
                    entry(101, false, true, "all", "::/0"),
                    entry(101, true, true, "all", "::/0"),
                ],
            )
            .group("sg-1", &[], &[])
            .host("i-1", "eni-1", "subnet-1", &["10.20.1.10"], &[], &["sg-1"])
    }

    /// The same with an internet gateway, a default route to it, and a public address.
    pub(crate) fn public() -> Self {
        Self::basic()
            .gateway("igw-1", GatewayKind::Internet, None, true)
            .route("rtb-1", "0.0.0.0/0", "igw-1")
            .address("eni-1", "203.0.113.10")
    }

    pub(crate) fn vpc(mut self, id: &str, cidrs: &[&str]) -> Self {
        self.0.vpcs.push(Vpc {
            id: id.into(),
            account: ACCOUNT.into(),
            region: REGION.into(),
            cidrs: cidrs.iter().map(|cidr| net(cidr)).collect(),
            tags: Vec::new(),
            evidence: EvidenceIds::new(),
        });
        self
    }

    pub(crate) fn subnet(mut self, id: &str, vpc: &str, cidrs: &[&str]) -> Self {
        self.0.subnets.push(Subnet {
            id: id.into(),
            vpc: vpc.into(),
            region: REGION.into(),
            zone: "eu-central-1a".into(),
            cidrs: cidrs.iter().map(|cidr| net(cidr)).collect(),
            maps_public_addresses: false,
            tags: Vec::new(),
            evidence: EvidenceIds::new(),
        });
        self
    }

    pub(crate) fn table(mut self, id: &str, vpc: &str, subnets: &[&str], routes: &[(&str, &str)]) -> Self {
        self.0.route_tables.push(RouteTable {
            id: id.into(),
            vpc: vpc.into(),
            main: subnets.is_empty(),
            subnets: subnets.iter().map(|&subnet| subnet.into()).collect(),
            gateways: Vec::new(),
            routes: Vec::new(),
            evidence: EvidenceIds::new(),
        });
        for (to, target) in routes {
            self = self.route(id, to, target);
        }
        self
    }

    /// Adds a route; a target `!x` is a black hole.
    pub(crate) fn route(mut self, table: &str, to: &str, target: &str) -> Self {
        let table = self.0.route_tables.iter_mut().find(|known| known.id == table).unwrap();
        table.routes.push(Route {
            destination: destination(to),
            target: target.trim_start_matches('!').into(),
            state: if target.starts_with('!') { "blackhole".into() } else { "active".into() },
        });
        self
    }

    /// Puts an ACL in front of subnets, in place of the one they had.
    pub(crate) fn acl(mut self, id: &str, subnets: &[&str], mut entries: Vec<NetworkAclEntry>) -> Self {
        for acl in &mut self.0.network_acls {
            acl.subnets.retain(|subnet| !subnets.contains(&subnet.as_str()));
        }
        entries.sort_by_key(|entry| entry.number);
        self.0.network_acls.push(NetworkAcl {
            id: id.into(),
            vpc: "vpc-1".into(),
            subnets: subnets.iter().map(|&subnet| subnet.into()).collect(),
            entries,
            evidence: EvidenceIds::new(),
        });
        self
    }

    /// Adds a group, or rules to one that is there.
    pub(crate) fn group(mut self, id: &str, ingress: &[(&str, &str)], egress: &[(&str, &str)]) -> Self {
        let rules =
            |rules: &[(&str, &str)]| rules.iter().map(|(text, peer)| rule(text, peer)).collect::<Vec<_>>();
        match self.0.security_groups.iter_mut().find(|group| group.id == id) {
            Some(group) => {
                group.ingress.extend(rules(ingress));
                group.egress.extend(rules(egress));
            }
            None => self.0.security_groups.push(SecurityGroup {
                id: id.into(),
                name: id.into(),
                vpc: Some("vpc-1".into()),
                account: ACCOUNT.into(),
                ingress: rules(ingress),
                egress: rules(egress),
                evidence: EvidenceIds::new(),
            }),
        }
        self
    }

    pub(crate) fn host(
        mut self,
        id: &str,
        interface: &str,
        subnet: &str,
        private: &[&str],
        public: &[&str],
        groups: &[&str],
    ) -> Self {
        let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        let vpc = self.0.subnets.iter().find(|known| known.id == subnet).map(|subnet| subnet.vpc.clone());
        self.0.instances.push(Instance {
            id: id.into(),
            account: ACCOUNT.into(),
            region: REGION.into(),
            state: "running".into(),
            image: "ami-1".into(),
            instance_profile: None,
            role: Known::Absent,
            subnet: Some(subnet.into()),
            vpc: vpc.clone(),
            zone: None,
            private_addresses: owned(private),
            public_addresses: owned(public),
            security_groups: owned(groups),
            interfaces: vec![interface.into()],
            volumes: Vec::new(),
            metadata_tokens: None,
            key_pair: None,
            tags: Vec::new(),
            evidence: EvidenceIds::new(),
        });
        self.0.interfaces.push(NetworkInterface {
            id: interface.into(),
            account: ACCOUNT.into(),
            subnet: subnet.into(),
            vpc: vpc.unwrap_or_default(),
            private_addresses: owned(private),
            public_addresses: owned(public),
            security_groups: owned(groups),
            instance: Some(id.into()),
            kind: "interface".into(),
            evidence: EvidenceIds::new(),
        });
        self
    }

    pub(crate) fn address(mut self, interface: &str, public: &str) -> Self {
        let known = self.0.interfaces.iter_mut().find(|known| known.id == interface).unwrap();
        known.public_addresses.push(public.into());
        self
    }

    pub(crate) fn gateway(mut self, id: &str, kind: GatewayKind, subnet: Option<&str>, public: bool) -> Self {
        self.0.gateways.push(Gateway {
            id: id.into(),
            kind,
            vpc: Some("vpc-1".into()),
            subnet: subnet.map(str::to_owned),
            transit_gateway: None,
            subnets: Known::Absent,
            transit_table: None,
            public,
            evidence: EvidenceIds::new(),
        });
        self
    }

    pub(crate) fn endpoint(mut self, id: &str, service: &str, kind: &str, tables: &[&str]) -> Self {
        self.0.endpoints.push(VpcEndpoint {
            id: id.into(),
            account: ACCOUNT.into(),
            vpc: "vpc-1".into(),
            service: service.into(),
            kind: kind.into(),
            state: "available".into(),
            route_tables: tables.iter().map(|&table| table.into()).collect(),
            subnets: Vec::new(),
            security_groups: Vec::new(),
            private_dns: false,
            policy: Known::Absent,
            evidence: EvidenceIds::new(),
        });
        self
    }

    pub(crate) fn prefix_list(mut self, id: &str, name: &str, entries: Option<&[&str]>) -> Self {
        self.0.prefix_lists.push(PrefixList {
            id: id.into(),
            name: name.into(),
            entries: match entries {
                Some(entries) => Known::Observed(entries.iter().map(|entry| net(entry)).collect()),
                None => Known::Unknown("ec2:GetManagedPrefixListEntries was denied".into()),
            },
            evidence: EvidenceIds::new(),
        });
        self
    }

    pub(crate) fn peering(mut self, id: &str, status: &str, far: &[&str]) -> Self {
        self.0.peerings.push(Peering {
            id: id.into(),
            status: status.into(),
            requester_account: ACCOUNT.into(),
            requester_vpc: "vpc-1".into(),
            requester_cidrs: vec![net("10.20.0.0/16")],
            accepter_account: "444455556666".into(),
            accepter_vpc: "vpc-9".into(),
            accepter_cidrs: far.iter().map(|cidr| net(cidr)).collect(),
            evidence: EvidenceIds::new(),
        });
        self
    }
}
