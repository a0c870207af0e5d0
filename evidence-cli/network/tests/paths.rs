//! What becomes of connections between an interface and the internet, and who is not the internet.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod common;

use std::collections::BTreeSet;

use cadastre_model::asset::network::GatewayKind;
use cadastre_network::trace::{Family, Fate, Party, PortRange, Question, Tracer, Verdict};
use common::Net;

const OPEN: &[(&str, &str)] = &[("all", "0.0.0.0/0"), ("all", "::/0")];

fn open(net: Net) -> Net {
    net.group("sg-1", OPEN, OPEN)
}

/// Compares where packets of TCP port 9092 from and to the internet of IPv4 end.
#[track_caller]
fn check(net: &Net, from: (Verdict, &[&str]), to: (Verdict, &[&str])) {
    let ask = |from: Party, to: Party| {
        let ports = PortRange { from: 9092, to: 9092 };
        let answer = Tracer::new(&net.0).trace(&Question { from, to, protocol: 6, ports }).unwrap();
        let ends: BTreeSet<String> = answer.outcomes.iter().map(|outcome| words(&outcome.fate)).collect();
        (answer.verdict(), ends)
    };
    let own = || Party::Interface("eni-1".into());
    let internet = || Party::Internet(Family::Ipv4);
    let expected = |(verdict, ends): (Verdict, &[&str])| {
        (verdict, ends.iter().map(|&end| end.to_owned()).collect::<BTreeSet<_>>())
    };
    assert_eq!(ask(internet(), own()), expected(from), "from the internet");
    assert_eq!(ask(own(), internet()), expected(to), "to the internet");
}

fn words(fate: &Fate) -> String {
    match fate {
        Fate::Arrives(interface) => format!("arrives at {interface}"),
        Fate::Leaves(by) => format!("leaves by {by}"),
        Fate::Blocked(hop) => format!("{}: {}", hop.at, hop.what),
        Fate::Unknown(missing) => format!("unknown: {missing}"),
    }
}

#[test]
fn a_public_address_behind_an_internet_gateway_is_open_both_ways() {
    check(
        &open(Net::public()),
        (Verdict::Open, &["arrives at eni-1"]),
        (Verdict::Open, &["leaves by igw-1"]),
    );
}

#[test]
fn a_subnet_without_a_way_out_is_blocked_for_certain() {
    check(
        &open(Net::basic()),
        (Verdict::Blocked, &["rtb-1: no route leads replies back"]),
        (Verdict::Blocked, &["rtb-1: no route leads there"]),
    );
}

#[test]
fn a_nat_gateway_lets_out_and_nobody_in() {
    let net = Net::public()
        .table("rtb-2", "vpc-1", &["subnet-1"], &[("10.20.0.0/16", "local"), ("0.0.0.0/0", "nat-1")])
        .gateway("nat-1", GatewayKind::Nat, Some("subnet-2"), true);
    check(
        &open(net),
        (Verdict::Blocked, &["nat-1: lets nobody in, and replies would leave by it"]),
        (Verdict::Open, &["leaves by igw-1"]),
    );
}

#[test]
fn a_gateway_endpoint_is_no_way_from_or_to_the_internet() {
    let net = Net::basic()
        .endpoint("vpce-1", "com.amazonaws.eu-central-1.s3", "Gateway", &["rtb-1"])
        .prefix_list("pl-1", "com.amazonaws.eu-central-1.s3", Some(&["52.219.0.0/16"]));
    check(
        &open(net),
        (
            Verdict::Blocked,
            &["rtb-1: no route leads replies back", "vpce-1: lets nobody in, and replies would leave by it"],
        ),
        (
            Verdict::Blocked,
            &["rtb-1: no route leads there", "vpce-1: leads to com.amazonaws.eu-central-1.s3"],
        ),
    );
}

#[test]
fn public_ranges_that_a_network_has_for_itself_are_not_the_internet() {
    let net = Net::basic().vpc("vpc-1", &["10.20.0.0/16", "198.51.100.0/24"]).route(
        "rtb-1",
        "198.51.100.0/24",
        "local",
    );
    let peered =
        Net::basic().route("rtb-1", "192.0.2.0/24", "pcx-1").peering("pcx-1", "active", &["192.0.2.0/24"]);
    check(
        &open(net),
        (Verdict::Blocked, &["rtb-1: no route leads replies back", "vpc-1: has the addresses for itself"]),
        (Verdict::Blocked, &["rtb-1: no route leads there", "vpc-1: has the addresses for itself"]),
    );
    check(
        &open(peered),
        (
            Verdict::Blocked,
            &["pcx-1: carries nothing from beyond `vpc-9`", "rtb-1: no route leads replies back"],
        ),
        (
            Verdict::Blocked,
            &["pcx-1: leads to `vpc-9`, which has the addresses for itself", "rtb-1: no route leads there"],
        ),
    );
}

#[test]
fn whether_a_network_behind_a_vpn_is_a_way_to_the_internet_is_unknown_and_never_blocked() {
    let missing = "unknown: whether `vgw-1` leads to the internet and back is not in the evidence";
    check(
        &open(Net::basic().route("rtb-1", "0.0.0.0/0", "vgw-1")),
        (Verdict::Unknown, &[missing]),
        (Verdict::Unknown, &[missing]),
    );
}

#[test]
fn what_lies_behind_a_load_balancer_is_left_open() {
    let ask = |kind: &str, from: Party, to: Party| {
        let mut net = open(Net::public());
        for interface in &mut net.0.interfaces {
            interface.kind = kind.to_owned();
        }
        let ports = PortRange { from: 9092, to: 9092 };
        let answer = Tracer::new(&net.0).trace(&Question { from, to, protocol: 6, ports }).unwrap();
        assert_eq!(answer.verdict(), Verdict::Open);
        answer.open
    };
    let (own, internet) = (Party::Interface("eni-1".into()), Party::Internet(Family::Ipv4));
    assert_eq!(
        ask("network_load_balancer", internet.clone(), own.clone()),
        [
            "`eni-1` is the interface of a load balancer: to whom it passes connections on is not in the evidence"
        ]
    );
    assert!(ask("interface", internet.clone(), own.clone()).is_empty());
    assert!(ask("network_load_balancer", own, internet).is_empty(), "nothing arrives at it");
}
