//! Paths through Azure networks, derived by hand from what Microsoft Learn states; each test names the page.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use cadastre_model::Known;
use cadastre_model::asset::EvidenceIds;
use cadastre_model::asset::azure::network::{
    AddressTranslation, AdminAccess, AdminRule, Forward, LoadBalancer, Matches, NetworkSecurityGroup,
    NextHop, Nic, NicAddress, Peer, Peering, PrivateEndpoint, PublicAddress, Route, RouteTable, SecurityRule,
    ServiceTag, Span, Subnet, VirtualNetwork,
};
use cadastre_model::asset::azure::{AzureInventory, Subscription};
use cadastre_network::azure::AzureTracer;
use cadastre_network::trace::{Answer, Family, Fate, Party, PortRange, Question, Verdict};
use ipnet::IpNet;

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn subnet(network: usize, number: usize) -> Subnet {
    Subnet {
        id: format!("subnet-{network}{number}"),
        name: format!("subnet-{network}{number}"),
        cidrs: vec![net(&format!("10.{network}.{number}.0/24"))],
        security_group: None,
        route_table: None,
        nat_gateway: None,
        default_outbound: false,
        endpoint_filters: false,
        endpoint_routes: false,
        service_endpoints: Vec::new(),
        occupied: true,
    }
}

fn network(number: usize) -> VirtualNetwork {
    VirtualNetwork {
        id: format!("vnet-{number}"),
        name: format!("vnet-{number}"),
        subscription: "s".to_owned(),
        region: "westeurope".to_owned(),
        cidrs: vec![net(&format!("10.{number}.0.0/16"))],
        subnets: vec![subnet(number, 0), subnet(number, 1)],
        peerings: Vec::new(),
        admin_rules: Known::Observed(Vec::new()),
        evidence: EvidenceIds::new(),
    }
}

/// `nic-NSH`: host H of subnet S of network N.
fn nic(network: usize, subnet: usize, host: usize) -> Nic {
    let id = format!("nic-{network}{subnet}{host}");
    Nic {
        name: id.clone(),
        subscription: "s".to_owned(),
        network: format!("vnet-{network}"),
        subnet: format!("subnet-{network}{subnet}"),
        addresses: vec![NicAddress {
            id: format!("{id}/ip"),
            private: net(&format!("10.{network}.{subnet}.1{host}/32")),
            public: None,
        }],
        security_group: None,
        application_groups: Vec::new(),
        machine: Some(format!("vm-{network}{subnet}{host}")),
        private_endpoint: None,
        managed: false,
        id,
        evidence: EvidenceIds::new(),
    }
}

/// Three networks of two subnets with a host each, and nothing that joins or guards them.
fn world() -> AzureInventory {
    let mut interfaces = Vec::new();
    for number in 1..=3 {
        interfaces.extend([nic(number, 0, 0), nic(number, 0, 1), nic(number, 1, 0)]);
    }
    AzureInventory {
        subscriptions: vec![Subscription {
            id: "s".to_owned(),
            tenant: Known::Absent,
            role_definitions: Known::Observed(()),
            role_assignments: Known::Observed(()),
            deny_assignments: Known::Observed(()),
            interfaces: Known::Observed(()),
            evidence: EvidenceIds::new(),
        }],
        networks: (1..=3).map(network).collect(),
        interfaces,
        ..AzureInventory::default()
    }
}

fn peer(world: &mut AzureInventory, from: usize, to: usize) {
    for (near, far) in [(from, to), (to, from)] {
        let side = world.networks.iter_mut().find(|own| own.id == format!("vnet-{near}")).unwrap();
        side.peerings.push(Peering {
            id: format!("peering-{near}{far}"),
            remote: format!("vnet-{far}"),
            remote_cidrs: vec![net(&format!("10.{far}.0.0/16"))],
            state: "Connected".to_owned(),
            allow_access: true,
            allow_forwarded: false,
            allow_gateway_transit: false,
            use_remote_gateways: false,
        });
    }
}

fn subnet_mut<'w>(world: &'w mut AzureInventory, id: &str) -> &'w mut Subnet {
    world.networks.iter_mut().flat_map(|own| &mut own.subnets).find(|own| own.id == id).unwrap()
}

fn nic_mut<'w>(world: &'w mut AzureInventory, id: &str) -> &'w mut Nic {
    world.interfaces.iter_mut().find(|own| own.id == id).unwrap()
}

fn tag(name: &str) -> Peer {
    Peer::Tag(name.to_owned())
}

fn matches(inbound: bool, source: Peer, destination: Peer, ports: (u16, u16)) -> Matches {
    Matches {
        inbound,
        protocol: None,
        sources: vec![source],
        source_ports: vec![Span::ALL],
        destinations: vec![destination],
        ports: vec![Span { from: ports.0, to: ports.1 }],
    }
}

fn rule(priority: i32, allow: bool, matches: Matches) -> SecurityRule {
    SecurityRule { name: format!("rule-{priority}"), priority, allow, matches, pointer: String::new() }
}

/// A group with the default rules behind its own.
fn group(world: &mut AzureInventory, id: &str, mut rules: Vec<SecurityRule>) -> Option<String> {
    const ALL: (u16, u16) = (0, u16::MAX);
    let both = || tag("VirtualNetwork");
    rules.extend([
        rule(65_000, true, matches(true, both(), both(), ALL)),
        rule(65_001, true, matches(true, tag("AzureLoadBalancer"), Peer::Any, ALL)),
        rule(65_500, false, matches(true, Peer::Any, Peer::Any, ALL)),
        rule(65_000, true, matches(false, both(), both(), ALL)),
        rule(65_001, true, matches(false, Peer::Any, tag("Internet"), ALL)),
        rule(65_500, false, matches(false, Peer::Any, Peer::Any, ALL)),
    ]);
    rules.sort_by_key(|own| own.priority);
    let (name, evidence) = (id.to_owned(), EvidenceIds::new());
    world.security_groups.push(NetworkSecurityGroup { id: id.to_owned(), name, rules, evidence });
    Some(id.to_owned())
}

fn table(world: &mut AzureInventory, routes: &[(&str, NextHop)]) -> Option<String> {
    let id = format!("rt-{}", world.route_tables.len());
    let routes = routes.iter().map(|(range, next_hop)| Route {
        name: (*range).to_owned(),
        destination: range.parse().map_or_else(|_| tag(range), Peer::Cidr),
        next_hop: *next_hop,
    });
    world.route_tables.push(RouteTable {
        name: id.clone(),
        routes: routes.collect(),
        no_gateway_routes: false,
        id: id.clone(),
        evidence: EvidenceIds::new(),
    });
    Some(id)
}

fn public(world: &mut AzureInventory, interface: &str, closed_by_default: bool) {
    let id = format!("pip-{interface}");
    nic_mut(world, interface).addresses.iter_mut().for_each(|own| own.public = Some(id.clone()));
    let evidence = EvidenceIds::new();
    world.public_addresses.push(PublicAddress { id, address: None, closed_by_default, evidence });
}

fn ask(world: &AzureInventory, from: &str, to: &str, port: u16) -> Answer {
    let end = |text: &str| match text {
        "internet" => Party::Internet(Family::Ipv4),
        _ => text.parse().map_or_else(|_| Party::Interface(text.to_owned()), Party::Outside),
    };
    let ports = PortRange { from: port, to: port };
    let question = Question { from: end(from), to: end(to), protocol: 6, ports };
    AzureTracer::new(world).trace(&question).unwrap()
}

/// `open`, `unknown`, or what stops every packet.
#[track_caller]
fn check(world: &AzureInventory, from: &str, to: &str, port: u16, expected: &str) {
    let answer = ask(world, from, to, port);
    let mut stoppers: Vec<&str> = answer
        .outcomes
        .iter()
        .filter_map(|outcome| match &outcome.fate {
            Fate::Blocked(hop) => Some(hop.at.as_str()),
            _ => None,
        })
        .collect();
    stoppers.sort_unstable();
    stoppers.dedup();
    let told = match answer.verdict() {
        Verdict::Open => "open".to_owned(),
        Verdict::Unknown => "unknown".to_owned(),
        Verdict::Blocked => stoppers.join(" "),
    };
    assert_eq!(told, expected, "{from} to {to}:{port} {answer:#?}");
}

const WEB: (u16, u16) = (443, 443);

#[test]
fn rules_decide_in_order_of_priority_and_defaults_come_last() {
    // Network security groups: security rules, default security rules.
    let mut world = world();
    let any = || matches(true, Peer::Any, Peer::Any, WEB);
    let own = group(&mut world, "nsg-a", vec![rule(200, false, any()), rule(300, true, any())]);
    nic_mut(&mut world, "nic-100").security_group = own;
    check(&world, "nic-101", "nic-100", 443, "nsg-a");
    check(&world, "nic-101", "nic-100", 9092, "open");
    let earlier = rule(100, true, matches(true, Peer::Cidr(net("10.1.0.11/32")), Peer::Any, WEB));
    world.security_groups.first_mut().unwrap().rules.insert(0, earlier);
    check(&world, "nic-101", "nic-100", 443, "open");
    check(&world, "nic-110", "nic-100", 443, "nsg-a");
}

#[test]
fn both_groups_have_to_allow_and_traffic_inside_a_subnet_meets_them_too() {
    // How network security groups filter network traffic: inbound, outbound, intra-subnet traffic.
    let mut world = world();
    let deny = |inbound| vec![rule(100, false, matches(inbound, Peer::Any, Peer::Any, WEB))];
    let (open, shut) = (group(&mut world, "nsg-open", vec![]), group(&mut world, "nsg-shut", deny(true)));
    subnet_mut(&mut world, "subnet-10").security_group = shut;
    nic_mut(&mut world, "nic-100").security_group = open;
    check(&world, "nic-101", "nic-100", 443, "nsg-shut");
    let out = group(&mut world, "nsg-out", deny(false));
    nic_mut(&mut world, "nic-110").security_group = out;
    check(&world, "nic-110", "nic-100", 443, "nsg-out");
}

#[test]
fn peering_joins_two_networks_and_is_not_transitive() {
    // Virtual network peering: connectivity, service chaining.
    let mut world = world();
    check(&world, "nic-100", "nic-200", 443, "vnet-1");
    peer(&mut world, 1, 2);
    peer(&mut world, 2, 3);
    check(&world, "nic-100", "nic-200", 443, "open");
    check(&world, "nic-100", "nic-300", 443, "vnet-1");
    let side = world.networks.iter_mut().find(|own| own.id == "vnet-2").unwrap();
    side.peerings.iter_mut().for_each(|own| own.state = "Disconnected".to_owned());
    check(&world, "nic-100", "nic-200", 443, "vnet-2");
}

#[test]
fn the_longest_route_wins_and_of_two_alike_the_own_one() {
    // Virtual network traffic routing: how Azure selects a route.
    let mut world = world();
    peer(&mut world, 1, 2);
    let routes = table(&mut world, &[("10.2.0.0/16", NextHop::None), ("10.2.1.0/24", NextHop::Appliance)]);
    subnet_mut(&mut world, "subnet-10").route_table = routes;
    check(&world, "nic-100", "nic-200", 443, "rt-0");
    check(&world, "nic-100", "nic-210", 443, "unknown");
    check(&world, "nic-110", "nic-200", 443, "open");
    // Replies have routes too.
    check(&world, "nic-200", "nic-100", 443, "rt-0");
    let wider = table(&mut world, &[("10.0.0.0/8", NextHop::None)]);
    subnet_mut(&mut world, "subnet-10").route_table = wider;
    check(&world, "nic-100", "nic-200", 443, "open");
}

#[test]
fn standard_addresses_are_closed_until_a_group_opens_them() {
    // Public IP addresses: SKU, security.
    let mut world = world();
    check(&world, "internet", "nic-100", 443, "nic-100");
    public(&mut world, "nic-100", true);
    public(&mut world, "nic-101", false);
    check(&world, "internet", "nic-100", 443, "pip-nic-100");
    check(&world, "internet", "nic-101", 443, "open");
    let own =
        group(&mut world, "nsg-a", vec![rule(100, true, matches(true, tag("Internet"), Peer::Any, WEB))]);
    subnet_mut(&mut world, "subnet-10").security_group = own;
    check(&world, "internet", "nic-100", 443, "open");
    check(&world, "internet", "nic-100", 22, "nsg-a");
}

#[test]
fn a_load_balancer_forwards_its_ports_and_keeps_the_source() {
    // Azure Load Balancer components: load balancer rules, backend pool; health probes keep the source of clients.
    let mut world = world();
    let members = vec!["nic-100/ip".to_owned()];
    world.load_balancers.push(LoadBalancer {
        id: "lb-1".to_owned(),
        name: "lb-1".to_owned(),
        closed_by_default: true,
        forwards: vec![Forward {
            name: "kafka".to_owned(),
            public: true,
            protocol: Some(6),
            front_port: 9092,
            ports: Span { from: 9093, to: 9093 },
            members: members.clone(),
        }],
        outbound: Vec::new(),
        members,
        evidence: EvidenceIds::new(),
    });
    check(&world, "internet", "nic-100", 9093, "lb-1");
    let from = Peer::Cidr(net("203.0.113.0/24"));
    let own = group(&mut world, "nsg-a", vec![rule(100, true, matches(true, from, Peer::Any, (9093, 9093)))]);
    nic_mut(&mut world, "nic-100").security_group = own;
    check(&world, "203.0.113.0/24", "nic-100", 9093, "open");
    check(&world, "198.51.100.0/24", "nic-100", 9093, "nsg-a");
    check(&world, "203.0.113.0/24", "nic-100", 9092, "nic-100");
    // Members of a standard load balancer have no default outbound access.
    subnet_mut(&mut world, "subnet-10").default_outbound = true;
    check(&world, "nic-100", "203.0.113.0/24", 443, "subnet-10");
    check(&world, "nic-101", "203.0.113.0/24", 443, "open");
}

#[test]
fn ways_out_have_an_order_and_a_private_subnet_has_none() {
    // Azure outbound connectivity methods; Default outbound access in Azure.
    let mut world = world();
    let leaves = |world: &AzureInventory| {
        let answer = ask(world, "nic-100", "203.0.113.0/24", 443);
        match answer.outcomes.as_slice() {
            [only] => match &only.fate {
                Fate::Leaves(by) => by.clone(),
                Fate::Blocked(hop) => format!("blocked by {}", hop.at),
                other => format!("{other:?}"),
            },
            many => format!("{many:?}"),
        }
    };
    assert_eq!(leaves(&world), "blocked by subnet-10");
    subnet_mut(&mut world, "subnet-10").default_outbound = true;
    assert_eq!(leaves(&world), "subnet-10");
    public(&mut world, "nic-100", true);
    assert_eq!(leaves(&world), "pip-nic-100");
    let evidence = EvidenceIds::new();
    world.nat_gateways.push(AddressTranslation { id: "nat-1".to_owned(), public: true, evidence });
    subnet_mut(&mut world, "subnet-10").nat_gateway = Some("nat-1".to_owned());
    assert_eq!(leaves(&world), "nat-1");
    let nowhere = table(&mut world, &[("0.0.0.0/0", NextHop::None)]);
    subnet_mut(&mut world, "subnet-10").route_table = nowhere;
    assert_eq!(leaves(&world), "blocked by rt-0");
}

#[test]
fn the_manager_is_asked_before_the_groups() {
    // Security admin rules in Azure Virtual Network Manager: the order of evaluation.
    let mut world = world();
    let shut =
        group(&mut world, "nsg-shut", vec![rule(100, false, matches(true, Peer::Any, Peer::Any, WEB))]);
    nic_mut(&mut world, "nic-100").security_group = shut;
    let mut ruled = |access: AdminAccess, ports: (u16, u16)| {
        let rule = AdminRule {
            id: "admin-1".to_owned(),
            priority: 1,
            access,
            matches: matches(true, Peer::Any, Peer::Any, ports),
        };
        world.networks.first_mut().unwrap().admin_rules = Known::Observed(vec![rule]);
        world.clone()
    };
    check(&ruled(AdminAccess::AlwaysAllow, WEB), "nic-101", "nic-100", 443, "open");
    check(&ruled(AdminAccess::Allow, WEB), "nic-101", "nic-100", 443, "nsg-shut");
    check(&ruled(AdminAccess::Deny, (9092, 9092)), "nic-101", "nic-100", 9092, "admin-1");
    world.networks.first_mut().unwrap().admin_rules = Known::Unknown("not asked".to_owned());
    check(&world, "nic-101", "nic-100", 443, "unknown");
}

#[test]
fn private_endpoints_meet_groups_and_routes_where_their_subnet_says_so() {
    // Manage network policies for private endpoints.
    let mut world = world();
    let end = nic_mut(&mut world, "nic-110");
    end.private_endpoint = Some("pe-1".to_owned());
    end.machine = None;
    world.private_endpoints.push(PrivateEndpoint {
        id: "pe-1".to_owned(),
        subscription: "s".to_owned(),
        subnet: "subnet-11".to_owned(),
        target: "store".to_owned(),
        state: "Approved".to_owned(),
        groups: vec!["blob".to_owned()],
        interfaces: vec!["nic-110".to_owned()],
        evidence: EvidenceIds::new(),
    });
    let shut =
        group(&mut world, "nsg-shut", vec![rule(100, false, matches(true, Peer::Any, Peer::Any, WEB))]);
    subnet_mut(&mut world, "subnet-11").security_group = shut;
    check(&world, "nic-100", "nic-110", 443, "open");
    subnet_mut(&mut world, "subnet-11").endpoint_filters = true;
    check(&world, "nic-100", "nic-110", 443, "nsg-shut");
    subnet_mut(&mut world, "subnet-11").endpoint_filters = false;
    let routes = table(&mut world, &[("10.1.0.0/16", NextHop::None)]);
    subnet_mut(&mut world, "subnet-10").route_table = routes;
    check(&world, "nic-100", "nic-110", 443, "open");
    subnet_mut(&mut world, "subnet-11").endpoint_routes = true;
    check(&world, "nic-100", "nic-110", 443, "rt-0");
    subnet_mut(&mut world, "subnet-10").route_table = None;
    world.private_endpoints.first_mut().unwrap().state = "Pending".to_owned();
    check(&world, "nic-100", "nic-110", 443, "pe-1");
    check(&world, "nic-110", "nic-100", 443, "pe-1");
}

#[test]
fn the_network_tag_may_hold_everything_where_a_default_route_is_an_own_one() {
    // Virtual network service tags: VirtualNetwork.
    let mut world = world();
    public(&mut world, "nic-100", true);
    let own = group(&mut world, "nsg-a", vec![]);
    subnet_mut(&mut world, "subnet-10").security_group = own;
    check(&world, "internet", "nic-100", 443, "nsg-a");
    let routes = table(&mut world, &[("0.0.0.0/0", NextHop::Internet)]);
    subnet_mut(&mut world, "subnet-10").route_table = routes;
    check(&world, "internet", "nic-100", 443, "unknown");
}

#[test]
fn a_services_tag_is_unknown_until_its_ranges_are_read() {
    // Virtual network service tags: discover service tags by using downloadable JSON files.
    let mut world = world();
    public(&mut world, "nic-100", true);
    let only = matches(false, Peer::Any, tag("Storage"), WEB);
    let rest = matches(false, Peer::Any, Peer::Any, (0, u16::MAX));
    let own = group(&mut world, "nsg-a", vec![rule(100, true, only), rule(200, false, rest)]);
    nic_mut(&mut world, "nic-100").security_group = own;
    check(&world, "nic-100", "20.60.0.0/16", 443, "unknown");
    let (name, ranges) = ("Storage".to_owned(), vec![net("20.60.0.0/16")]);
    world.service_tags.push(ServiceTag { name, ranges, evidence: EvidenceIds::new() });
    check(&world, "nic-100", "20.60.0.0/16", 443, "open");
    check(&world, "nic-100", "203.0.113.0/24", 443, "nsg-a");
}

#[test]
fn members_of_an_application_group_are_known_by_it() {
    // Application security groups.
    let mut world = world();
    nic_mut(&mut world, "nic-101").application_groups = vec!["asg-1".to_owned()];
    let from = || matches(true, Peer::ApplicationGroup("asg-1".to_owned()), Peer::Any, WEB);
    let rest = matches(true, Peer::Any, Peer::Any, WEB);
    let own = group(&mut world, "nsg-a", vec![rule(100, true, from()), rule(200, false, rest)]);
    nic_mut(&mut world, "nic-100").security_group = own;
    check(&world, "nic-101", "nic-100", 443, "open");
    check(&world, "nic-110", "nic-100", 443, "nsg-a");
    world.subscriptions.first_mut().unwrap().interfaces = Known::Unknown("denied".to_owned());
    check(&world, "nic-110", "nic-100", 443, "unknown");
}

#[test]
fn what_gateways_teach_is_unknown_beyond_the_network_and_its_peers() {
    // Virtual network traffic routing: routes for the network and its peers are preferred; VPN Gateway and BGP.
    let mut world = world();
    public(&mut world, "nic-100", true);
    peer(&mut world, 1, 2);
    let mut gateway = subnet(1, 9);
    gateway.name = "GatewaySubnet".to_owned();
    world.networks.first_mut().unwrap().subnets.push(gateway);
    check(&world, "nic-100", "nic-200", 443, "open");
    check(&world, "nic-100", "203.0.113.0/24", 443, "unknown");
    check(&world, "172.20.0.0/16", "nic-100", 443, "unknown");
    check(&world, "172.20.0.0/16", "nic-300", 443, "vnet-3");
}
