//! What small networks permit, case by case.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod common;

use cadastre_model::asset::network::GatewayKind;
use cadastre_model::reach::{Direction, PermittedFlow};
use cadastre_network::reachability;
use common::{Net, entry};

/// `in tcp 9092 from 0.0.0.0/0 internet`.
fn words(flow: &PermittedFlow) -> String {
    let (way, preposition) = match flow.direction {
        Direction::Ingress => ("in", "from"),
        Direction::Egress => ("out", "to"),
    };
    let ports = match flow.ports.protocol {
        None => "all".to_owned(),
        Some(protocol) => {
            let name = match protocol {
                1 => "icmp".to_owned(),
                6 => "tcp".to_owned(),
                17 => "udp".to_owned(),
                number => number.to_string(),
            };
            match (flow.ports.from, flow.ports.to) {
                (0, u16::MAX) => name,
                (from, to) if from == to => format!("{name} {from}"),
                (from, to) => format!("{name} {from}-{to}"),
            }
        }
    };
    let range = flow.peer.map(|peer| peer.to_string());
    let peer: Vec<String> = range.into_iter().chain(flow.peer_name.clone()).collect();
    let crossing = serde_json::to_value(flow.crossing).unwrap();
    format!("{way} {ports} {preposition} {} {}", peer.join("="), crossing.as_str().unwrap())
}

/// Compares the flows of `eni-1`, and how many questions stay open.
#[track_caller]
fn check(net: &Net, expected: &[&str], open: usize) {
    let reachability = reachability(&net.0);
    let flows = reachability.flows.iter().filter(|flow| flow.interface == "eni-1");
    let mut flows: Vec<String> = flows.map(words).collect();
    flows.sort();
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    assert_eq!(flows, expected);
    assert_eq!(reachability.unknown.len(), open, "{:?}", reachability.unknown);
}

#[test]
fn without_a_rule_nothing_passes() {
    check(&Net::basic(), &[], 0);
    check(&Net::public(), &[], 0);
}

#[test]
fn the_internet_comes_in_through_address_gateway_route_and_rule_together() {
    let rules: &[(&str, &str)] = &[("tcp 9092", "0.0.0.0/0")];
    let local = "in tcp 9092 from 10.20.0.0/16 local";
    let both = ["in tcp 9092 from 10.20.0.0/16 local", "in tcp 9092 from 0.0.0.0/0 internet"];
    check(&Net::public().group("sg-1", rules, &[]), &both, 0);
    // No route.
    let net =
        Net::basic().gateway("igw-1", GatewayKind::Internet, None, true).address("eni-1", "203.0.113.10");
    check(&net.group("sg-1", rules, &[]), &[local], 0);
    // No address.
    let net =
        Net::basic().gateway("igw-1", GatewayKind::Internet, None, true).route("rtb-1", "0.0.0.0/0", "igw-1");
    check(&net.group("sg-1", rules, &[]), &[local], 0);
    // A gateway that is not in the evidence.
    let net = Net::basic().route("rtb-1", "0.0.0.0/0", "igw-1").address("eni-1", "203.0.113.10");
    check(&net.group("sg-1", rules, &[]), &[local], 1);
    // A detached gateway.
    let mut net = Net::public().group("sg-1", rules, &[]);
    net.0.gateways[0].vpc = None;
    check(&net, &[local], 0);
    // A black hole.
    let net = Net::basic().route("rtb-1", "0.0.0.0/0", "!igw-1").address("eni-1", "203.0.113.10");
    check(&net.group("sg-1", rules, &[]), &[local], 0);
}

#[test]
fn a_subnet_uses_its_own_table_before_the_main_one() {
    let own = Net::public().table("rtb-2", "vpc-1", &["subnet-1"], &[("10.20.0.0/16", "local")]);
    check(&own.group("sg-1", &[("tcp 22", "0.0.0.0/0")], &[]), &["in tcp 22 from 10.20.0.0/16 local"], 0);
    let other = Net::public().table("rtb-2", "vpc-1", &["subnet-2"], &[("10.20.0.0/16", "local")]);
    let both = ["in tcp 22 from 10.20.0.0/16 local", "in tcp 22 from 0.0.0.0/0 internet"];
    check(&other.group("sg-1", &[("tcp 22", "0.0.0.0/0")], &[]), &both, 0);
}

#[test]
fn a_private_range_never_crosses_the_internet() {
    let net = Net::public().group("sg-1", &[("tcp 22", "10.0.0.0/8"), ("tcp 23", "192.168.0.0/16")], &[]);
    check(&net, &["in tcp 22 from 10.20.0.0/16 local"], 0);
    let net = Net::public().group("sg-1", &[("tcp 22", "198.51.100.0/24")], &[]);
    check(&net, &["in tcp 22 from 198.51.100.0/24 internet"], 0);
}

#[test]
fn a_longer_route_takes_its_part_elsewhere() {
    let net = Net::public().route("rtb-1", "198.51.100.0/24", "tgw-1").group(
        "sg-1",
        &[("tcp 22", "198.51.100.0/24"), ("tcp 23", "198.51.0.0/16")],
        &[],
    );
    let expected = [
        "in tcp 23 from 198.51.0.0/16 internet",
        "in tcp 22 from 198.51.100.0/24 transit",
        "in tcp 23 from 198.51.100.0/24 transit",
    ];
    check(&net, &expected, 0);
    let net = Net::public()
        .route("rtb-1", "0.0.0.0/1", "!tgw-1")
        .route("rtb-1", "128.0.0.0/1", "!tgw-1")
        .group("sg-1", &[("tcp 22", "0.0.0.0/0")], &[]);
    check(&net, &["in tcp 22 from 10.20.0.0/16 local"], 0);
}

#[test]
fn a_network_acl_decides_by_its_lowest_matching_rule() {
    let acl = |entries| {
        Net::public().group("sg-1", &[("tcp 9000-9100", "0.0.0.0/0")], &[]).acl(
            "acl-2",
            &["subnet-1"],
            entries,
        )
    };
    let reply = entry(100, true, true, "all", "0.0.0.0/0");
    let subnet = "in tcp 9000-9100 from 10.20.1.0/24 local";
    check(&acl(vec![reply.clone()]), &[subnet], 0);
    check(
        &acl(vec![reply.clone(), entry(100, false, true, "tcp 9092", "0.0.0.0/0")]),
        &[subnet, "in tcp 9092 from 10.20.0.0/16 local", "in tcp 9092 from 0.0.0.0/0 internet"],
        0,
    );
    check(
        &acl(vec![
            reply.clone(),
            entry(90, false, false, "tcp 9050", "0.0.0.0/0"),
            entry(100, false, true, "tcp", "0.0.0.0/0"),
        ]),
        &[
            subnet,
            "in tcp 9000-9049 from 10.20.0.0/16 local",
            "in tcp 9051-9100 from 10.20.0.0/16 local",
            "in tcp 9000-9049 from 0.0.0.0/0 internet",
            "in tcp 9051-9100 from 0.0.0.0/0 internet",
        ],
        0,
    );
    check(
        &acl(vec![
            reply.clone(),
            entry(90, false, false, "all", "128.0.0.0/1"),
            entry(100, false, true, "all", "0.0.0.0/0"),
        ]),
        &["in tcp 9000-9100 from 10.20.0.0/16 local", "in tcp 9000-9100 from 0.0.0.0/1 internet"],
        0,
    );
    check(
        &acl(vec![
            reply,
            entry(90, false, true, "all", "0.0.0.0/0"),
            entry(100, false, false, "all", "0.0.0.0/0"),
        ]),
        &["in tcp 9000-9100 from 10.20.0.0/16 local", "in tcp 9000-9100 from 0.0.0.0/0 internet"],
        0,
    );
}

#[test]
fn replies_must_pass_too() {
    let acl = |entries| {
        Net::public().group("sg-1", &[("tcp 9092", "0.0.0.0/0")], &[("tcp 443", "0.0.0.0/0")]).acl(
            "acl-2",
            &["subnet-1"],
            entries,
        )
    };
    let (inwards, outwards) =
        (entry(100, false, true, "all", "0.0.0.0/0"), entry(100, true, true, "all", "0.0.0.0/0"));
    let own = ["in tcp 9092 from 10.20.1.0/24 local", "out tcp 443 to 10.20.1.0/24 local"];
    check(&acl(vec![inwards.clone()]), &own, 0);
    check(&acl(vec![outwards.clone()]), &own, 0);
    // The peer chooses its own port, so a single one that gets replies will do.
    check(
        &acl(vec![inwards, entry(100, true, true, "tcp 443", "0.0.0.0/0")]),
        &[
            "in tcp 9092 from 10.20.0.0/16 local",
            "in tcp 9092 from 0.0.0.0/0 internet",
            "out tcp 443 to 10.20.0.0/16 local",
            "out tcp 443 to 0.0.0.0/0 internet",
        ],
        0,
    );
    // Our own connections come from ephemeral ports.
    check(&acl(vec![outwards.clone(), entry(100, false, true, "tcp 443", "0.0.0.0/0")]), &own, 0);
    check(
        &acl(vec![outwards, entry(100, false, true, "tcp 32768-60999", "198.51.100.0/24")]),
        &[
            "in tcp 9092 from 10.20.1.0/24 local",
            "out tcp 443 to 10.20.1.0/24 local",
            "out tcp 443 to 198.51.100.0/24 internet",
        ],
        0,
    );
}

#[test]
fn packets_inside_a_subnet_pass_no_network_acl() {
    let net = Net::basic().group("sg-1", &[("tcp 9092", "10.20.0.0/16")], &[]).acl(
        "acl-2",
        &["subnet-1"],
        Vec::new(),
    );
    check(&net, &["in tcp 9092 from 10.20.1.0/24 local"], 0);
    let net = Net::basic().group("sg-1", &[("tcp 9092", "10.20.2.0/24")], &[]).acl(
        "acl-2",
        &["subnet-1"],
        Vec::new(),
    );
    check(&net, &[], 0);
}

#[test]
fn a_rule_about_everything_is_taken_apart_only_where_an_acl_tells_protocols_apart() {
    let net = Net::basic().group("sg-1", &[("all", "10.20.2.0/24")], &[]);
    check(&net, &["in all from 10.20.2.0/24 local"], 0);
    let acl = vec![
        entry(90, false, true, "tcp 9092", "10.20.0.0/16"),
        entry(100, true, true, "all", "0.0.0.0/0"),
        entry(91, false, true, "icmp", "10.20.0.0/16"),
    ];
    check(
        &net.acl("acl-2", &["subnet-1"], acl),
        &["in icmp from 10.20.2.0/24 local", "in tcp 9092 from 10.20.2.0/24 local"],
        0,
    );
}

#[test]
fn a_nat_gateway_lets_out_and_not_in() {
    let net = || {
        Net::basic()
            .gateway("igw-1", GatewayKind::Internet, None, true)
            .gateway("nat-1", GatewayKind::Nat, Some("subnet-2"), true)
            .table("rtb-2", "vpc-1", &["subnet-2"], &[("10.20.0.0/16", "local"), ("0.0.0.0/0", "igw-1")])
            .route("rtb-1", "0.0.0.0/0", "nat-1")
            .address("eni-1", "203.0.113.10")
            .group("sg-1", &[("tcp 9092", "0.0.0.0/0")], &[("tcp 443", "0.0.0.0/0")])
    };
    let local = ["in tcp 9092 from 10.20.0.0/16 local", "out tcp 443 to 10.20.0.0/16 local"];
    check(&net(), &[local[0], local[1], "out tcp 443 to 0.0.0.0/0 nat"], 0);
    // One without a way to the internet of its own.
    let mut cut = net();
    cut.0.route_tables[1].routes.pop();
    check(&cut, &local, 0);
    // A private one has none either.
    let mut private = net();
    private.0.gateways[1].public = false;
    check(&private, &local, 0);
    // A private one towards a transit gateway.
    let private = net().route("rtb-2", "172.16.0.0/12", "tgw-1");
    check(
        &private,
        &[local[0], local[1], "out tcp 443 to 0.0.0.0/0 nat", "out tcp 443 to 172.16.0.0/12 transit"],
        0,
    );
    // One that is not in the evidence.
    let mut missing = net();
    missing.0.gateways.remove(1);
    check(&missing, &local, 1);
}

#[test]
fn an_egress_only_gateway_lets_ipv6_out() {
    let net = || {
        Net::basic()
            .gateway("eigw-1", GatewayKind::EgressOnly, None, false)
            .route("rtb-1", "::/0", "eigw-1")
            .group("sg-1", &[("tcp 9092", "::/0")], &[("tcp 443", "::/0")])
    };
    check(&net(), &[], 0);
    check(&net().address("eni-1", "2001:db8::10"), &["out tcp 443 to ::/0 nat"], 0);
}

#[test]
fn ipv6_comes_in_through_an_internet_gateway() {
    let net = Net::public().route("rtb-1", "::/0", "igw-1").group("sg-1", &[("tcp 9092", "::/0")], &[]);
    check(&net, &[], 0);
    check(&net.address("eni-1", "2001:db8::10"), &["in tcp 9092 from ::/0 internet"], 0);
}

#[test]
fn a_gateway_endpoint_carries_its_prefix_list() {
    let net =
        || {
            Net::basic()
                .prefix_list("pl-1", "com.amazonaws.eu-central-1.s3", Some(&["52.219.0.0/16"]))
                .endpoint("vpce-1", "com.amazonaws.eu-central-1.s3", "Gateway", &["rtb-1"])
        };
    let shown = || net().route("rtb-1", "pl-1", "vpce-1");
    check(
        &shown().group("sg-1", &[("tcp 443", "pl-1")], &[("tcp 443", "pl-1")]),
        &["out tcp 443 to 52.219.0.0/16=pl-1 endpoint"],
        0,
    );
    // Even when the table does not show the route.
    check(
        &net().group("sg-1", &[], &[("tcp 443", "pl-1")]),
        &["out tcp 443 to 52.219.0.0/16=pl-1 endpoint"],
        0,
    );
    check(
        &shown().group("sg-1", &[], &[("tcp 443", "52.0.0.0/8")]),
        &["out tcp 443 to 52.219.0.0/16 endpoint"],
        0,
    );
    let mut pending = shown().group("sg-1", &[], &[("tcp 443", "pl-1")]);
    pending.0.endpoints[0].state = "pending".into();
    check(&pending, &[], 0);
}

#[test]
fn a_prefix_list_without_known_entries_is_kept_by_name() {
    let net = || {
        Net::basic()
            .prefix_list("pl-1", "com.amazonaws.eu-central-1.s3", None)
            .endpoint("vpce-1", "com.amazonaws.eu-central-1.s3", "Gateway", &["rtb-1"])
            .route("rtb-1", "pl-1", "vpce-1")
    };
    check(&net().group("sg-1", &[], &[("tcp 443", "pl-1")]), &["out tcp 443 to pl-1 endpoint"], 0);
    check(
        &net().group("sg-1", &[], &[("all", "0.0.0.0/0")]),
        &["out all to 10.20.0.0/16 local", "out all to pl-1 endpoint"],
        0,
    );
    check(
        &net().group("sg-1", &[], &[("tcp 443", "10.20.0.0/16")]),
        &["out tcp 443 to 10.20.0.0/16 local"],
        0,
    );
    // What of a narrower range goes there cannot be said.
    check(&net().group("sg-1", &[], &[("tcp 443", "52.0.0.0/8")]), &[], 1);
    check(&net().group("sg-1", &[("tcp 443", "pl-1")], &[]), &[], 1);
    check(&Net::basic().group("sg-1", &[], &[("tcp 443", "pl-9")]), &[], 1);
}

#[test]
fn a_peering_carries_the_other_vpc_and_nothing_beyond() {
    let net = |status| {
        Net::basic().peering("pcx-1", status, &["10.90.0.0/16"]).route("rtb-1", "10.0.0.0/8", "pcx-1").group(
            "sg-1",
            &[("tcp 9092", "10.0.0.0/8")],
            &[],
        )
    };
    check(
        &net("active"),
        &["in tcp 9092 from 10.20.0.0/16 local", "in tcp 9092 from 10.90.0.0/16 peering"],
        0,
    );
    check(&net("deleted"), &["in tcp 9092 from 10.20.0.0/16 local"], 0);
    let mut missing = net("active");
    missing.0.peerings.clear();
    check(&missing, &["in tcp 9092 from 10.20.0.0/16 local"], 1);
    let mut hidden = net("active");
    hidden.0.peerings[0].accepter_cidrs.clear();
    check(&hidden, &["in tcp 9092 from 10.20.0.0/16 local", "in tcp 9092 from 10.0.0.0/8 peering"], 0);
}

#[test]
fn transit_gateways_and_appliances_carry_what_is_routed_to_them() {
    for target in
        ["tgw-1", "vgw-1", "eni-9", "i-9", "lgw-1", "arn:aws:networkmanager::111122223333:core-network/c"]
    {
        let net = Net::basic().route("rtb-1", "172.16.0.0/12", target).group(
            "sg-1",
            &[("tcp 9092", "0.0.0.0/0")],
            &[],
        );
        check(&net, &["in tcp 9092 from 10.20.0.0/16 local", "in tcp 9092 from 172.16.0.0/12 transit"], 0);
    }
    let net = Net::basic().route("rtb-1", "172.16.0.0/12", "odd-1").group(
        "sg-1",
        &[("tcp 9092", "0.0.0.0/0")],
        &[],
    );
    check(&net, &["in tcp 9092 from 10.20.0.0/16 local"], 1);
    let appliance = Net::basic()
        .endpoint("vpce-2", "com.amazonaws.vpce.appliance", "GatewayLoadBalancer", &[])
        .route("rtb-1", "172.16.0.0/12", "vpce-2")
        .group("sg-1", &[], &[("tcp 443", "172.16.0.0/12")]);
    check(&appliance, &["out tcp 443 to 172.16.0.0/12 transit"], 0);
}

#[test]
fn a_rule_about_a_group_means_the_addresses_in_it() {
    let net = || {
        Net::public().group("sg-2", &[], &[]).group(
            "sg-1",
            &[("tcp 9092", "sg-2"), ("tcp 9093", "sg-1")],
            &[],
        )
    };
    let hosts = net().host("i-2", "eni-2", "subnet-2", &["10.20.2.20"], &["203.0.113.20"], &["sg-2"]).host(
        "i-3",
        "eni-3",
        "subnet-1",
        &["10.20.1.30"],
        &[],
        &["sg-1"],
    );
    let expected = ["in tcp 9093 from 10.20.1.30/32=sg-1 local", "in tcp 9092 from 10.20.2.20/32=sg-2 local"];
    check(&hosts, &expected, 0);
    check(&net(), &["in tcp 9092 from sg-2 local"], 0);
    let mut unknown = net();
    unknown.0.security_groups.retain(|group| group.id != "sg-2");
    check(&unknown, &[], 1);
}

#[test]
fn what_is_missing_leaves_a_question_open() {
    let net = || Net::public().group("sg-1", &[("tcp 9092", "0.0.0.0/0")], &[]);
    let without = |change: fn(&mut Net)| {
        let mut net = net();
        change(&mut net);
        check(&net, &[], 1);
    };
    without(|net| net.0.subnets.clear());
    without(|net| net.0.route_tables.clear());
    without(|net| net.0.network_acls.clear());
    without(|net| net.0.security_groups.clear());
}

#[test]
fn an_instance_without_described_interfaces_stands_for_them() {
    let mut net = Net::public().group("sg-1", &[("tcp 9092", "198.51.100.0/24")], &[]);
    net.0.instances[0].public_addresses = vec!["203.0.113.10".into()];
    net.0.interfaces.clear();
    check(&net, &["in tcp 9092 from 198.51.100.0/24 internet"], 0);
    net.0.instances[0].interfaces.clear();
    let flows = reachability(&net.0).flows;
    assert_eq!(flows[0].interface, "i-1");
    net.0.instances[0].subnet = None;
    check(&net, &[], 1);
    net.0.instances[0].state = "terminated".into();
    check(&net, &[], 0);
}

#[test]
fn interfaces_that_belong_to_no_instance_are_not_judged() {
    let mut net = Net::public().group("sg-1", &[("tcp 9092", "0.0.0.0/0")], &[]);
    net.0.interfaces[0].instance = None;
    net.0.instances.clear();
    check(&net, &[], 0);
}

#[test]
fn hops_name_every_setting_in_the_order_a_packet_meets_them() {
    let net = Net::public().group("sg-1", &[("tcp 9092", "0.0.0.0/0")], &[("all", "198.51.100.0/24")]);
    let hops = |flow: &PermittedFlow| {
        flow.hops.iter().map(|hop| format!("{}: {}", hop.at, hop.what)).collect::<Vec<_>>()
    };
    let flows = reachability(&net.0).flows;
    assert_eq!(
        hops(&flows[1]),
        [
            "rtb-1: route 0.0.0.0/0 to igw-1",
            "acl-1: rule 100 lets it in",
            "acl-1: rule 100 lets replies out",
            "sg-1: allows tcp 9092 from 0.0.0.0/0",
        ]
    );
    assert_eq!(
        hops(&flows[2]),
        [
            "sg-1: allows all traffic to 198.51.100.0/24",
            "acl-1: rule 100 lets it out",
            "acl-1: rule 100 lets replies in",
            "rtb-1: route 0.0.0.0/0 to igw-1",
        ]
    );
}

#[test]
fn the_same_network_gives_the_same_answer_in_any_order() {
    let net = Net::public()
        .group("sg-2", &[("tcp 9092", "10.20.0.0/16")], &[("all", "0.0.0.0/0")])
        .group("sg-1", &[("tcp 9092", "0.0.0.0/0"), ("tcp 9092", "sg-2")], &[])
        .host("i-2", "eni-2", "subnet-2", &["10.20.2.20"], &["203.0.113.20"], &["sg-2", "sg-1"]);
    let expected = reachability(&net.0);
    let mut reversed = net.0;
    reversed.interfaces.reverse();
    reversed.instances.reverse();
    reversed.security_groups.reverse();
    reversed.subnets.reverse();
    reversed.interfaces.iter_mut().for_each(|interface| interface.security_groups.reverse());
    assert_eq!(reachability(&reversed), expected);
}
