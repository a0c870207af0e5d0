//! Properties of the diagram: boxes apart, lines around them, text inside, well-formed, the same every time.

use cadastre_model::access::{Capability, Decision};
use cadastre_model::graph::{
    BoundaryGraph, Edge, Layer, Node, NodeKind, PlaintextPath, Plane, Relation, Side, Step,
};

use super::choice::Frame;
use super::layout::{HEADING, LABEL, Rect};
use super::measure::text_width;
use super::{Drawing, svg};

/// How large a made-up boundary is.
struct Size {
    subnets: usize,
    hosts: usize,
    stores: usize,
    topics: usize,
    principals: usize,
}

const SMALL: Size = Size { subnets: 1, hosts: 1, stores: 2, topics: 1, principals: 1 };
const LARGE: Size = Size { subnets: 9, hosts: 8, stores: 60, topics: 80, principals: 60 };

fn node(id: &str, kind: NodeKind, zone: Option<&str>, side: Side, plane: Plane) -> Node {
    let label = id.rsplit(['/', ':']).next().unwrap().to_owned();
    let zone = zone.map(str::to_owned);
    Node { id: id.to_owned(), kind, label, zone, side, plane, evidence: [].into() }
}

fn edge(from: &str, to: &str, relation: Relation) -> Edge {
    Edge {
        from: from.to_owned(),
        to: to.to_owned(),
        relation,
        layer: Layer::Permitted,
        decision: Decision::Allow,
        statements: vec![],
        evidence: [].into(),
    }
}

fn boundary(size: &Size) -> BoundaryGraph {
    use NodeKind as K;
    let account = "account:111122223333";
    let mut graph = BoundaryGraph::default();
    let mut add = |id: &str, kind: K, zone: Option<&str>, side: Side, plane: Plane| {
        graph.nodes.push(node(id, kind, zone, side, plane));
    };
    add(account, K::Account, None, Side::Customer, Plane::Neither);
    add("internet", K::Internet, None, Side::Outside, Plane::Neither);
    add("vendor:StreamCo", K::Vendor, None, Side::Vendor, Plane::Control);
    add("account:999988887777", K::Principal, Some("vendor:StreamCo"), Side::Vendor, Plane::Control);
    add("role/vendor", K::Principal, Some(account), Side::Vendor, Plane::Control);
    add("vpc-1", K::Network, Some(account), Side::Customer, Plane::Data);
    add("key/data", K::Key, Some(account), Side::Customer, Plane::Data);
    add("trail/audit", K::Log, Some(account), Side::Customer, Plane::Observability);
    add("cluster:payments", K::Cluster, Some(account), Side::Customer, Plane::Data);
    for subnet in 0..size.subnets {
        let zone = format!("subnet-{subnet}");
        add(&zone, K::Subnet, Some("vpc-1"), Side::Customer, Plane::Data);
        for host in 0..size.hosts {
            add(&format!("host-{subnet}-{host}"), K::Host, Some(&zone), Side::Customer, Plane::Data);
        }
    }
    for store in 0..size.stores {
        let id = format!("a-bucket-with-a-rather-long-name-{store}");
        add(&id, K::Store, Some(account), Side::Customer, Plane::Data);
    }
    for topic in 0..size.topics {
        let id = format!("topic:payments/t{topic}");
        add(&id, K::Topic, Some("cluster:payments"), Side::Customer, Plane::Data);
    }
    for principal in 0..size.principals {
        let id = format!("role/operator-{principal}");
        add(&id, K::Principal, Some(account), Side::Customer, Plane::Control);
    }
    for store in 0..size.stores {
        let id = format!("a-bucket-with-a-rather-long-name-{store}");
        graph.edges.push(edge(&id, "key/data", Relation::EncryptedBy));
        graph.edges.push(edge("host-0-0", &id, Relation::StoresIn));
    }
    for principal in 0..size.principals {
        let id = format!("role/operator-{principal}");
        graph.edges.push(edge(&id, "host-0-0", Relation::Can(Capability::OperateHost)));
    }
    graph.edges.push(edge("internet", "host-0-0", Relation::Can(Capability::Reach)));
    graph.edges.push(edge("account:999988887777", "role/vendor", Relation::Can(Capability::Assume)));
    let step = |from: &str, capability: Capability, to: &str| Step {
        from: from.to_owned(),
        capability,
        to: to.to_owned(),
        action: "s3:GetObject".to_owned(),
        decision: Decision::Allow,
        statements: vec![],
    };
    let target = "a-bucket-with-a-rather-long-name-0";
    graph.paths.push(PlaintextPath {
        principal: "account:999988887777".to_owned(),
        side: Side::Vendor,
        target: target.to_owned(),
        decision: Decision::Allow,
        steps: vec![
            step("account:999988887777", Capability::Assume, "role/vendor"),
            step("role/vendor", Capability::ReadObjects, target),
            step("role/vendor", Capability::Decrypt, "key/data"),
        ],
        cut: vec![],
        cut_is_minimal: true,
        cut_at_least: 1,
        evidence: [].into(),
    });
    graph
}

const fn contains(outer: &Rect, inner: &Rect) -> bool {
    outer.x <= inner.x
        && outer.y <= inner.y
        && inner.x + inner.width <= outer.x + outer.width
        && inner.y + inner.height <= outer.y + outer.height
}

#[track_caller]
fn check(graph: &BoundaryGraph) -> Drawing {
    let drawing = Drawing::of(graph, true);
    let placed = &drawing.placed;
    let sheet = Rect { x: 0, y: 0, width: placed.width, height: placed.height };
    for (index, leaf) in placed.leaves.iter().enumerate() {
        assert!(contains(&sheet, &leaf.area), "{} is off the sheet", leaf.id);
        for other in placed.leaves.iter().skip(index + 1) {
            assert!(!leaf.area.overlaps(&other.area), "{} overlaps {}", leaf.id, other.id);
        }
        for zone in &placed.zones {
            assert!(!zone.header.overlaps(&leaf.area), "{} covers the heading of {}", leaf.id, zone.id);
            if zone.kind != Frame::Group {
                let apart = !zone.area.overlaps(&leaf.area);
                assert!(apart || contains(&zone.area, &leaf.area), "{} sticks out of {}", leaf.id, zone.id);
            }
        }
    }
    for (index, zone) in placed.zones.iter().enumerate() {
        for other in placed.zones.iter().skip(index + 1) {
            let nested = contains(&zone.area, &other.area) || contains(&other.area, &zone.area);
            assert!(nested || !zone.area.overlaps(&other.area), "{} crosses {}", zone.id, other.id);
        }
    }
    for route in &drawing.routes {
        for (a, b) in route.points.iter().zip(route.points.iter().skip(1)) {
            assert!(a.0 == b.0 || a.1 == b.1, "{} runs aslant", route.line.from);
            let (left, top) = (a.0.min(b.0), a.1.min(b.1));
            let part =
                Rect { x: left, y: top, width: a.0.max(b.0) - left + 1, height: a.1.max(b.1) - top + 1 };
            for leaf in &placed.leaves {
                let Rect { x, y, width, height } = leaf.area;
                let inside = Rect { x: x + 1, y: y + 1, width: width - 2, height: height - 2 };
                assert!(
                    !part.overlaps(&inside),
                    "{} to {} crosses {}",
                    route.line.from,
                    route.line.to,
                    leaf.id
                );
            }
        }
    }
    let text = svg(graph);
    let document = roxmltree::Document::parse(&text).unwrap();
    for group in
        document.descendants().filter(|node| node.attribute("class").is_some_and(|c| c.starts_with("node")))
    {
        let width: u32 = group
            .children()
            .find(|node| node.has_tag_name("rect"))
            .and_then(|rect| rect.attribute("width")?.parse().ok())
            .unwrap();
        for label in group.children().filter(|node| node.has_tag_name("text")) {
            assert!(text_width(label.text().unwrap_or_default(), LABEL) + 8 <= width);
        }
    }
    for zone in &placed.zones {
        let shown = super::measure::fit(&zone.heading, HEADING, zone.header.width);
        assert!(text_width(&shown, HEADING) <= zone.header.width.max(HEADING));
    }
    assert_eq!(text, svg(graph));
    drawing
}

#[test]
fn an_empty_graph_has_an_empty_sheet() {
    check(&BoundaryGraph::default());
}

#[test]
fn a_small_boundary_shows_every_node() {
    let graph = boundary(&SMALL);
    let drawing = check(&graph);
    assert!(drawing.placed.leaves.iter().all(|leaf| !leaf.id.starts_with("more:")));
    let shown = drawing.placed.leaves.len() + drawing.placed.zones.len();
    assert!(shown >= graph.nodes.len(), "{shown}");
}

#[test]
fn a_large_boundary_is_collapsed_and_keeps_what_is_reached() {
    let graph = boundary(&LARGE);
    assert!(graph.nodes.len() > 280);
    let drawing = check(&graph);
    assert!(drawing.placed.leaves.len() < 110, "{}", drawing.placed.leaves.len());
    assert!(drawing.placed.leaves.iter().any(|leaf| leaf.label == "+68 more topics"));
    assert!(drawing.placed.leaves.iter().any(|leaf| leaf.id == "a-bucket-with-a-rather-long-name-0"));
}

#[test]
fn every_step_of_a_plaintext_path_is_a_red_line() {
    let drawing = check(&boundary(&LARGE));
    let red: Vec<(&str, &str, &str)> = drawing
        .routes
        .iter()
        .filter(|route| route.line.kind.class() == "red")
        .map(|route| (route.line.from.as_str(), route.line.meaning.as_str(), route.line.to.as_str()))
        .collect();
    assert_eq!(red.len(), 3, "{red:?}");
    assert!(red.contains(&("role/vendor", "decrypt", "key/data")));
    assert!(red.contains(&("account:999988887777", "assume", "role/vendor")));
}

#[test]
fn zones_that_contain_each_other_do_not_hang_the_picture() {
    let mut graph = boundary(&SMALL);
    graph.nodes.push(node("subnet-x", NodeKind::Subnet, Some("subnet-y"), Side::Customer, Plane::Data));
    graph.nodes.push(node("subnet-y", NodeKind::Subnet, Some("subnet-x"), Side::Customer, Plane::Data));
    check(&graph);
}

#[test]
fn hostile_names_stay_text() {
    let mut graph = boundary(&SMALL);
    for (index, name) in
        ["<script>alert(1)</script>", "]]>\"'&", "a\u{202e}b\u{1b}[31m", "\u{0}\u{ffff}"].iter().enumerate()
    {
        let mut hostile =
            node(name, NodeKind::Store, Some("account:111122223333"), Side::Customer, Plane::Data);
        hostile.label = (*name).to_owned();
        hostile.id = format!("{index}{name}");
        graph.nodes.push(hostile);
    }
    check(&graph);
    let text = svg(&graph);
    assert!(!text.contains("<script>") && !text.contains('\u{202e}') && !text.contains('\u{1b}'));
}
