//! The three layers, the zones, and what is left out.

use cadastre_model::Known;
use cadastre_model::access::Capability::{Decrypt, Reach, ReadObjects, WriteObjects};
use cadastre_model::asset::network::{Vpc, VpcEndpoint};
use cadastre_model::graph::{Layer, NodeKind, Plane, Relation, Side};
use cadastre_model::reach::{Crossing, Direction, Hop, PermittedFlow, Ports, Reachability};

use crate::support::*;

#[test]
fn declared_permitted_and_observed_stand_side_by_side() {
    let mut deployment = Deployment::new();
    deployment.edge(AGENT, Decrypt, KEY, "kms:Decrypt", &["grant"]);
    let graph = deployment.graph();
    let has = |from: &str, relation, to: &str, layer| {
        graph.edges.iter().any(|edge| {
            edge.from == from && edge.relation == relation && edge.to == to && edge.layer == layer
        })
    };
    assert!(has(BROKER, Relation::Can(Decrypt), KEY, Layer::Declared));
    assert!(has(AGENT, Relation::Can(Decrypt), KEY, Layer::Permitted));
    assert!(has(BUCKET, Relation::EncryptedBy, KEY, Layer::Declared));
    assert!(has(BUCKET, Relation::EncryptedBy, KEY, Layer::Observed));
    assert!(has(HOST, Relation::RunsAs, BROKER, Layer::Observed));
    assert!(has(HOST, Relation::StoresIn, VOLUME, Layer::Observed));
    assert!(has("cluster:payments", Relation::Serves, TOPIC, Layer::Observed));
    assert!(graph.edges.is_sorted());
}

#[test]
fn every_end_of_an_edge_is_a_node_and_every_zone_exists() {
    let mut deployment = Deployment::new();
    deployment.edge(AGENT, Decrypt, KEY, "kms:Decrypt", &["grant"]);
    deployment.edge("*", ReadObjects, BUCKET, "s3:GetObject", &["open"]);
    let graph = deployment.graph();
    let ids: Vec<&str> = graph.nodes.iter().map(|node| node.id.as_str()).collect();
    assert!(ids.is_sorted());
    for edge in &graph.edges {
        assert!(ids.contains(&edge.from.as_str()), "{}", edge.from);
        assert!(ids.contains(&edge.to.as_str()), "{}", edge.to);
    }
    for zone in graph.nodes.iter().filter_map(|node| node.zone.as_deref()) {
        assert!(ids.contains(&zone), "{zone}");
    }
    let agent = graph.nodes.iter().find(|node| node.id == AGENT).unwrap();
    assert_eq!(
        (agent.kind, agent.side, agent.zone.as_deref()),
        (NodeKind::Principal, Side::Vendor, Some("vendor:StreamCo"))
    );
    let bucket = graph.nodes.iter().find(|node| node.id == BUCKET).unwrap();
    assert_eq!((bucket.plane, bucket.zone.as_deref()), (Plane::Data, Some("zone:111122223333")));
}

#[test]
fn permitted_flows_join_hosts_endpoints_and_the_world() {
    let mut deployment = Deployment::new();
    let instance = &mut deployment.inventory.instances[0];
    instance.vpc = Some("vpc-1".into());
    deployment.inventory.vpcs.push(Vpc {
        id: "vpc-1".into(),
        account: ACCOUNT.into(),
        region: "eu-central-1".into(),
        cidrs: vec!["10.0.0.0/16".parse().unwrap()],
        tags: vec![],
        evidence: [record("vpc")].into(),
    });
    deployment.inventory.endpoints.push(VpcEndpoint {
        id: "vpce-1".into(),
        account: ACCOUNT.into(),
        vpc: "vpc-1".into(),
        service: "com.amazonaws.eu-central-1.s3".into(),
        kind: "Gateway".into(),
        state: "available".into(),
        route_tables: vec![],
        subnets: vec![],
        security_groups: vec![],
        private_dns: false,
        policy: Known::Absent,
        evidence: [record("endpoint")].into(),
    });
    let flow = |direction, crossing, peer: &str, what: &str| PermittedFlow {
        direction,
        interface: "eni-1".into(),
        instance: Some("i-1".into()),
        vpc: "vpc-1".into(),
        peer: Some(peer.parse().unwrap()),
        peer_name: None,
        ports: Ports { protocol: Some(6), from: 443, to: 443 },
        crossing,
        hops: vec![Hop { at: "rtb-1".into(), what: what.into() }],
        evidence: [record("routes")].into(),
    };
    let reachability = Reachability {
        flows: vec![
            flow(Direction::Ingress, Crossing::Internet, "0.0.0.0/0", "route 0.0.0.0/0 to igw-1"),
            flow(Direction::Egress, Crossing::Endpoint, "3.5.0.0/19", "route pl-1 to vpce-1"),
        ],
        unknown: vec![],
    };
    let graph = cadastre_graph::build(
        &deployment.inventory,
        &deployment.access,
        &reachability,
        &deployment.declaration,
    );
    let reaches = |from: &str, to: &str| {
        graph.edges.iter().any(|edge| {
            edge.from == from
                && edge.to == to
                && edge.layer == Layer::Permitted
                && edge.relation == Relation::Can(Reach)
        })
    };
    assert!(reaches("internet", HOST));
    assert!(reaches(HOST, "arn:aws:ec2:eu-central-1:111122223333:vpc-endpoint/vpce-1"));
}

#[test]
fn those_who_hold_nothing_over_the_data_plane_are_left_out() {
    let mut deployment = Deployment::new();
    deployment.edge(APP, ReadObjects, "arn:aws:s3:::website", "s3:GetObject", &["site"]);
    let graph = deployment.graph();
    assert!(!graph.nodes.iter().any(|node| node.id == APP || node.id == "arn:aws:s3:::website"));
    assert!(!graph.principals.iter().any(|view| view.id == APP));
}

#[test]
fn what_brokers_write_to_is_part_of_the_data_plane() {
    let mut deployment = Deployment::new();
    let mut scratch = deployment.inventory.buckets[0].clone();
    scratch.arn = "arn:aws:s3:::scratch".into();
    scratch.name = "scratch".into();
    deployment.inventory.buckets.push(scratch);
    deployment.edge(BROKER, WriteObjects, "arn:aws:s3:::scratch", "s3:PutObject", &["write"]);
    let graph = deployment.graph();
    let node = graph.nodes.iter().find(|node| node.id == "arn:aws:s3:::scratch").unwrap();
    assert_eq!((node.kind, node.plane), (NodeKind::Store, Plane::Neither));
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let mut deployment = Deployment::new();
    deployment.edge(AGENT, Decrypt, KEY, "kms:Decrypt", &["grant"]);
    let text = serde_json::to_string(&deployment.graph()).unwrap();
    assert_eq!(text, serde_json::to_string(&deployment.graph()).unwrap());
    let dot = cadastre_graph::dot(&deployment.graph());
    assert!(dot.starts_with("digraph boundary {") && dot.contains("decrypt"), "{dot}");
}

#[test]
fn who_can_tells_each_principal_its_best_way() {
    let mut deployment = Deployment::new();
    deployment.edge(AGENT, Decrypt, KEY, "kms:Decrypt", &["grant"]);
    deployment.edge(AGENT, ReadObjects, BUCKET, "s3:GetObject", &["read"]);
    let graph = deployment.graph();
    let reasoner = deployment.reasoner();
    let answer = reasoner.who_can(&graph, Decrypt, "alias/data").unwrap();
    assert_eq!(answer.target, KEY);
    assert_eq!(answer.principals.len(), 1);
    assert_eq!((answer.principals[0].principal.as_str(), answer.principals[0].inside), (AGENT, false));
    let reads = cadastre_model::access::Capability::ReadRecords;
    let answer = reasoner.who_can(&graph, reads, "data").unwrap();
    assert_eq!(answer.principals[0].path.len(), 2);
    assert_eq!(reasoner.who_can(&graph, Decrypt, "alias/nothing"), None);
    assert!(reasoner.who_can(&graph, reads, "topic:orders").is_some());
}
