//! Changes of what can be reached.

use serde_json::{Value, json};

use crate::support::{
    Change, change, check, create, element, graph, group, project, recording, response, silent, vpc, words,
};

const ROUTES: &str = "ec2:DescribeRouteTables";

fn broker_table() -> String {
    let tables = response(ROUTES, "eu-central-1")["RouteTables"].clone();
    let tables = tables.as_array().unwrap();
    let table = tables.iter().find(|table| table["Routes"].as_array().unwrap().len() > 1).unwrap();
    table["RouteTableId"].as_str().unwrap().to_owned()
}

fn broker() -> String {
    let reservations = response("ec2:DescribeInstances", "eu-central-1")["Reservations"].clone();
    let broker = group("kafka-broker");
    let instances =
        reservations.as_array().unwrap().iter().flat_map(|r| r["Instances"].as_array().unwrap().clone());
    let found = instances.into_iter().find(|instance| {
        instance["SecurityGroups"].as_array().unwrap().iter().any(|group| group["GroupId"] == broker)
    });
    found.unwrap()["NetworkInterfaces"][0]["NetworkInterfaceId"].as_str().unwrap().to_owned()
}

fn broker_acl() -> Value {
    let recorded = response("ec2:DescribeNetworkAcls", "eu-central-1")["NetworkAcls"].clone();
    let subnets = response("ec2:DescribeSubnets", "eu-central-1")["Subnets"].clone();
    let subnet =
        subnets.as_array().unwrap().iter().find(|subnet| subnet["CidrBlock"] == "10.20.1.0/24").unwrap();
    let acl = recorded.as_array().unwrap().iter().find(|acl| {
        let associations = acl["Associations"].as_array().unwrap();
        associations.iter().any(|association| association["SubnetId"] == subnet["SubnetId"])
    });
    acl.unwrap()["NetworkAclId"].clone()
}

/// A gateway, a route to it, a network ACL that lets clients in and answers out, and an address for a broker.
fn way_out() -> Vec<Change> {
    let acl_rule = |name: &str, egress: bool, from: u16, to: u16| {
        create(
            name,
            json!({"network_acl_id": broker_acl(), "rule_number": 50, "egress": egress, "protocol": "6", "rule_action": "allow",
                "cidr_block": "0.0.0.0/0", "from_port": from, "to_port": to}),
        )
    };
    vec![
        acl_rule("aws_network_acl_rule.clients", false, 9093, 9093),
        acl_rule("aws_network_acl_rule.answers", true, 1024, 65535),
        create(
            "aws_internet_gateway.out",
            json!({"id": "igw-1", "vpc_id": vpc(), "owner_id": "111122223333"}),
        ),
        create(
            "aws_route.out",
            json!({"route_table_id": broker_table(), "destination_cidr_block": "0.0.0.0/0", "gateway_id": "igw-1"}),
        ),
        create(
            "aws_eip.broker",
            json!({"id": "eipalloc-1", "public_ip": "203.0.113.10", "network_interface": broker()}),
        ),
    ]
}

fn open(port: u16) -> Change {
    create(
        "aws_vpc_security_group_ingress_rule.open",
        json!({"id": "sgr-1", "security_group_id": group("kafka-broker"), "ip_protocol": "tcp", "from_port": port, "to_port": port, "cidr_ipv4": "0.0.0.0/0"}),
    )
}

/// Everything that it takes to let anybody reach a listener.
pub(crate) fn opened_to_the_internet() -> Vec<Change> {
    let mut changes = way_out();
    changes.push(open(9093));
    changes
}

#[test]
fn a_listener_becomes_reachable_from_the_internet() {
    let mut changes = way_out();
    changes.push(open(9093));
    check(&changes, &["became reachable from the internet"], &["is no longer reachable from the internet"]);
}

#[test]
fn the_same_with_the_older_rule_resource() {
    let mut changes = way_out();
    changes.push(create(
        "aws_security_group_rule.open",
        json!({"type": "ingress", "security_group_id": group("kafka-broker"), "protocol": "tcp", "from_port": 9093, "to_port": 9093,
            "cidr_blocks": ["0.0.0.0/0"], "ipv6_cidr_blocks": [], "prefix_list_ids": [], "self": false}),
    ));
    check(&changes, &["became reachable from the internet"], &["is no longer reachable from the internet"]);
}

#[test]
fn a_host_whose_public_address_is_not_chosen_yet_is_reachable_all_the_same() {
    let subnets = response("ec2:DescribeSubnets", "eu-central-1")["Subnets"].clone();
    let subnet =
        subnets.as_array().unwrap().iter().find(|subnet| subnet["CidrBlock"] == "10.20.1.0/24").unwrap();
    let host = json!({"id": "i-0aaa", "ami": "ami-1", "subnet_id": subnet["SubnetId"], "availability_zone": "eu-central-1a",
        "vpc_security_group_ids": [group("kafka-broker")], "private_ip": "10.20.1.77", "instance_state": "running",
        "iam_instance_profile": "reporting", "associate_public_ip_address": true, "metadata_options": [{"http_tokens": "required"}]});
    let mut changes = way_out();
    changes.retain(|change| change.address != "aws_eip.broker");
    changes.push(open(9093));
    changes.push(create(
        "aws_iam_instance_profile.reporting",
        json!({"name": "reporting", "path": "/", "role": "kafka-broker",
            "arn": "arn:aws:iam::111122223333:instance-profile/reporting"}),
    ));
    changes.push(create("aws_instance.reporting", host).unknown("public_ip", &[]));
    let projection = project(&changes);
    assert_eq!(projection.unresolved, []);
    let after = graph(&projection.after, &recording().declaration);
    let said = words(&cadastre_graph::diff(&recording().graph, &after));
    assert!(
        said.contains("instance/i-0aaa") && said.contains("became reachable from the internet"),
        "{said}"
    );
}

/// The broker group with its rules written inside it.
fn broker_group(extra: Option<Value>) -> Value {
    let recorded = element("ec2:DescribeSecurityGroups", "SecurityGroups", "GroupName", "kafka-broker");
    let rules = |list: &str| -> Vec<Value> {
        recorded[list]
            .as_array()
            .unwrap()
            .iter()
            .map(|permission| {
                let all = |list: &str, member: &str| -> Vec<Value> {
                    permission[list].as_array().unwrap().iter().map(|peer| peer[member].clone()).collect()
                };
                json!({"protocol": permission["IpProtocol"], "from_port": permission["FromPort"], "to_port": permission["ToPort"],
                    "cidr_blocks": all("IpRanges", "CidrIp"), "ipv6_cidr_blocks": all("Ipv6Ranges", "CidrIpv6"),
                    "prefix_list_ids": all("PrefixListIds", "PrefixListId"), "security_groups": all("UserIdGroupPairs", "GroupId"),
                    "self": false, "description": "as before"})
            })
            .collect()
    };
    let mut ingress = rules("IpPermissions");
    ingress.extend(extra);
    json!({"id": recorded["GroupId"], "name": "kafka-broker", "vpc_id": vpc(), "ingress": ingress, "egress": rules("IpPermissionsEgress")})
}

#[test]
fn rules_written_inside_the_group() {
    let everywhere = json!({"protocol": "tcp", "from_port": 9093, "to_port": 9093, "cidr_blocks": ["0.0.0.0/0"], "ipv6_cidr_blocks": [],
        "prefix_list_ids": [], "security_groups": [], "self": false, "description": ""});
    let mut changes = way_out();
    changes.push(change("aws_security_group.broker", broker_group(None), broker_group(Some(everywhere))));
    check(&changes, &["became reachable from the internet"], &["is no longer reachable from the internet"]);
}

#[test]
fn a_gateway_alone_opens_nothing() {
    silent(&[create("aws_internet_gateway.out", json!({"id": "igw-1", "vpc_id": vpc()}))]);
    silent(&way_out());
}

#[test]
fn a_rule_for_a_peer_group_is_taken_away_and_given_back() {
    let before = broker_group(None);
    let mut after = before.clone();
    after["ingress"].as_array_mut().unwrap().clear();
    check(
        &[change("aws_security_group.broker", before, after)],
        &["can no longer reach"],
        &["can now reach"],
    );
}

#[test]
fn a_network_acl_closes_a_subnet() {
    let id = broker_acl();
    let deny = |egress: bool, name: &str| {
        create(
            name,
            json!({"network_acl_id": id, "rule_number": 1, "egress": egress, "protocol": "-1", "rule_action": "deny", "cidr_block": "0.0.0.0/0"}),
        )
    };
    check(
        &[deny(false, "aws_network_acl_rule.in"), deny(true, "aws_network_acl_rule.out")],
        &["can no longer reach"],
        &["can now reach"],
    );
}

#[test]
fn a_new_host_appears_with_its_role() {
    let subnets = response("ec2:DescribeSubnets", "eu-central-1")["Subnets"].clone();
    let subnet =
        subnets.as_array().unwrap().iter().find(|subnet| subnet["CidrBlock"] == "10.20.1.0/24").unwrap();
    let role = "arn:aws:iam::111122223333:role/kafka-broker";
    check(
        &[
            create(
                "aws_iam_instance_profile.reporting",
                json!({"name": "reporting", "path": "/", "role": "kafka-broker",
                "arn": "arn:aws:iam::111122223333:instance-profile/reporting"}),
            ),
            create(
                "aws_instance.reporting",
                json!({"id": "i-0aaa", "ami": "ami-1", "subnet_id": subnet["SubnetId"], "availability_zone": "eu-central-1a",
                "vpc_security_group_ids": [group("kafka-broker")], "iam_instance_profile": "reporting", "private_ip": "10.20.1.77",
                "instance_state": "running", "associate_public_ip_address": false, "public_ip": "", "metadata_options": [{"http_tokens": "required"}]}),
            ),
        ],
        &["instance/i-0aaa is new in the data plane", &format!("instance/i-0aaa now runs as {role}")],
        &["instance/i-0aaa is gone from the data plane"],
    );
}
