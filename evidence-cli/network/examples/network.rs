//! Reachability of a generated network, timed: `network INTERFACES GROUPS` prints seconds and counts as JSON.
//!
//! One VPC peered with another, public and private subnets, NAT, an S3 endpoint, a network ACL with rules, and groups whose rules
//! name ranges, prefix lists and each other.

#![expect(clippy::print_stdout, reason = "a program that is measured tells what it took")]

use std::time::Instant;

use cadastre_model::Known;
use cadastre_model::asset::EvidenceIds;
use cadastre_model::inventory::Inventory;
use cadastre_network::trace::{Party, PortRange, Question, Tracer, Verdict};
use serde_json::{Value, json};

const ACCOUNT: &str = "111122223333";

fn list<T: serde::de::DeserializeOwned>(values: Vec<Value>) -> Result<Vec<T>, serde_json::Error> {
    values.into_iter().map(serde_json::from_value).collect()
}

/// `count` interfaces, with their instances, over 20 subnets and `groups` groups.
fn network(count: usize, groups: usize) -> Result<Inventory, serde_json::Error> {
    let region = "eu-central-1";
    let subnets: Vec<Value> = (0..20)
        .map(|subnet| {
            json!({"id": format!("subnet-{subnet:02}"), "vpc": "vpc-1", "region": region, "zone": "eu-central-1a",
                "cidrs": [format!("10.20.{}.0/21", subnet * 8)], "maps_public_addresses": false, "tags": [], "evidence": []})
        })
        .collect();
    let rule = |protocol: Option<u8>, from: Option<u16>, to: Option<u16>, peer: Value| json!({"protocol": protocol, "from_port": from, "to_port": to, "peer": peer, "pointer": ""});
    let groups_json = (0..groups).map(|group| {
        let other = format!("sg-{:04}", (group * 7 + 3) % groups);
        let port = 9092 + u16::try_from(group % 50).unwrap_or(0);
        let ingress = vec![
            rule(Some(6), Some(port), Some(port), json!({"security-group": other})),
            rule(Some(6), Some(22), Some(22), json!({"cidr": "10.20.0.0/24"})),
            rule(Some(6), Some(443), Some(443), if group % 10 == 0 { json!({"cidr": "0.0.0.0/0"}) } else { json!({"cidr": "10.30.0.0/16"}) }),
        ];
        let egress = vec![
            rule(None, None, None, json!({"cidr": "10.20.0.0/16"})),
            rule(Some(6), Some(443), Some(443), json!({"prefix-list": "pl-1"})),
        ];
        json!({"id": format!("sg-{group:04}"), "name": "", "vpc": "vpc-1", "account": ACCOUNT, "ingress": ingress, "egress": egress, "evidence": []})
    });
    let host = |index: usize| {
        let subnet = index % 20;
        let own = index / 20 + 10;
        let address = format!("10.20.{}.{}", subnet * 8 + own / 250, own % 250 + 1);
        let mut member =
            vec![format!("sg-{:04}", index % groups), format!("sg-{:04}", (index * 31) % groups)];
        member.sort();
        member.dedup();
        let public = if subnet < 4 { vec![format!("203.0.113.{}", index % 250)] } else { Vec::new() };
        (format!("subnet-{subnet:02}"), address, member, public)
    };
    let interfaces = (0..count).map(|index| {
        let (subnet, address, member, public) = host(index);
        json!({"id": format!("eni-{index:05}"), "account": ACCOUNT, "subnet": subnet, "vpc": "vpc-1", "private_addresses": [address],
            "public_addresses": public, "security_groups": member, "instance": format!("i-{index:05}"), "kind": "interface", "evidence": []})
    });
    let table = |id: &str, main: bool, subnets: Vec<String>, default: &str| {
        let route = |to: Value, target: &str| json!({"destination": to, "target": target, "state": "active"});
        json!({"id": id, "vpc": "vpc-1", "main": main, "subnets": subnets, "evidence": [], "routes": [
            route(json!({"cidr": "10.20.0.0/16"}), "local"), route(json!({"cidr": "0.0.0.0/0"}), default),
            route(json!({"cidr": "10.30.0.0/16"}), "pcx-1"), route(json!({"prefix-list": "pl-1"}), "vpce-1")]})
    };
    let public = (0..4).map(|subnet| format!("subnet-{subnet:02}")).collect();
    let entry = |number: i32, egress: bool, allow: bool, cidr: &str| json!({"number": number, "egress": egress, "allow": allow, "protocol": null, "from_port": null, "to_port": null, "cidr": cidr});
    let acl = json!({"id": "acl-1", "vpc": "vpc-1", "subnets": (0..20).map(|subnet| format!("subnet-{subnet:02}")).collect::<Vec<_>>(), "evidence": [],
        "entries": [entry(90, false, false, "198.51.100.0/24"), entry(100, false, true, "0.0.0.0/0"), entry(100, true, true, "0.0.0.0/0")]});
    let gateway = |id: &str, kind: &str, subnet: Option<&str>| json!({"id": id, "kind": kind, "vpc": "vpc-1", "subnet": subnet, "transit_gateway": null, "public": true, "evidence": []});
    let vpc = json!({"id": "vpc-1", "account": ACCOUNT, "region": region, "cidrs": ["10.20.0.0/16"], "tags": [], "evidence": []});
    let peering = json!({"id": "pcx-1", "status": "active", "requester_account": ACCOUNT, "requester_vpc": "vpc-1", "requester_cidrs": ["10.20.0.0/16"],
        "accepter_account": "444455556666", "accepter_vpc": "vpc-2", "accepter_cidrs": ["10.30.0.0/16"], "evidence": []});
    let endpoint = json!({"id": "vpce-1", "account": ACCOUNT, "vpc": "vpc-1", "service": "com.amazonaws.eu-central-1.s3", "kind": "Gateway", "state": "available",
        "route_tables": [], "subnets": [], "security_groups": [], "private_dns": false, "policy": {"state": "absent"}, "evidence": []});
    let instances = (0..count).map(|index| {
        let (subnet, address, member, public) = host(index);
        json!({"id": format!("i-{index:05}"), "account": ACCOUNT, "region": region, "state": "running", "image": "ami-1", "instance_profile": null, "role": {"state": "absent"},
            "subnet": subnet, "vpc": "vpc-1", "zone": null, "private_addresses": [address], "public_addresses": public, "security_groups": member,
            "interfaces": [format!("eni-{index:05}")], "volumes": [], "metadata_tokens": null, "key_pair": null, "tags": [], "evidence": []})
    });
    let mut inventory = Inventory {
        vpcs: list(vec![vpc])?,
        subnets: list(subnets)?,
        security_groups: list(groups_json.collect())?,
        interfaces: list(interfaces.collect())?,
        instances: list(instances.collect())?,
        route_tables: list(vec![
            table("rtb-1", true, Vec::new(), "nat-1"),
            table("rtb-2", false, public, "igw-1"),
        ])?,
        network_acls: list(vec![acl])?,
        gateways: list(vec![gateway("igw-1", "internet", None), gateway("nat-1", "nat", Some("subnet-00"))])?,
        peerings: list(vec![peering])?,
        endpoints: list(vec![endpoint])?,
        ..Inventory::default()
    };
    inventory.prefix_lists.push(cadastre_model::asset::network::PrefixList {
        id: "pl-1".to_owned(),
        name: "com.amazonaws.eu-central-1.s3".to_owned(),
        entries: Known::Observed(
            ["52.219.0.0/16", "3.5.134.0/23"].iter().filter_map(|range| range.parse().ok()).collect(),
        ),
        evidence: EvidenceIds::new(),
    });
    Ok(inventory)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut sizes = std::env::args().skip(1).map(|size| size.parse::<usize>());
    let count = sizes.next().transpose()?.unwrap_or(2_000);
    let groups = sizes.next().transpose()?.unwrap_or(500).max(1);
    let inventory = network(count, groups)?;
    let started = Instant::now();
    let reachability = cadastre_network::reachability(&inventory);
    let flows_seconds = started.elapsed().as_secs_f64();
    let started = Instant::now();
    let tracer = Tracer::new(&inventory);
    let everywhere = || Ok::<_, Box<dyn std::error::Error>>(Party::Outside("0.0.0.0/0".parse()?));
    let mut verdicts = [0_u32; 3];
    let mut ask = |from: Party, to: Party, ports: PortRange| -> Result<(), Box<dyn std::error::Error>> {
        let answer = tracer.trace(&Question { from, to, protocol: 6, ports })?;
        let [open, unknown, blocked] = &mut verdicts;
        match answer.verdict() {
            Verdict::Open => *open += 1,
            Verdict::Unknown => *unknown += 1,
            Verdict::Blocked => *blocked += 1,
        }
        Ok(())
    };
    for (index, interface) in inventory.interfaces.iter().enumerate() {
        let own = || Party::Interface(interface.id.clone());
        ask(everywhere()?, own(), PortRange::ALL)?;
        ask(own(), everywhere()?, PortRange::ALL)?;
        // A stride that visits every subnet and group.
        for step in 1..=10 {
            let other = inventory.interfaces.get((index + step * 197) % count);
            if let Some(other) = other.filter(|other| other.id != interface.id) {
                ask(own(), Party::Interface(other.id.clone()), PortRange { from: 9092, to: 9192 })?;
            }
        }
    }
    let [open, unknown, blocked] = verdicts;
    let result = json!({
        "flows_seconds": flows_seconds,
        "flows": reachability.flows.len(),
        "open_questions": reachability.unknown.len(),
        "paths_seconds": started.elapsed().as_secs_f64(),
        "paths": {"open": open, "unknown": unknown, "blocked": blocked},
    });
    println!("{result}");
    Ok(())
}
