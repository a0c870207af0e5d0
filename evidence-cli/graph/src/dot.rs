//! The graph as DOT text, for Graphviz and whatever else reads it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use cadastre_model::access::Decision;
use cadastre_model::graph::{BoundaryGraph, Layer, Node, NodeKind, Relation, Side};

/// Writes the graph in the DOT language, zones as clusters, edges styled by layer.
#[must_use]
pub fn dot(graph: &BoundaryGraph) -> String {
    let mut children: BTreeMap<Option<&str>, Vec<&Node>> = BTreeMap::new();
    let known: BTreeMap<&str, &Node> = graph.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
    for node in &graph.nodes {
        let zone = node.zone.as_deref().filter(|zone| known.contains_key(zone) && *zone != node.id);
        children.entry(zone).or_default().push(node);
    }
    let mut text = String::from("digraph boundary {\n  rankdir=LR;\n  node [shape=box, fontsize=10];\n");
    write_zone(&mut text, None, &children, 1);
    for edge in &graph.edges {
        let style = match edge.layer {
            Layer::Declared => "dotted",
            Layer::Permitted => "solid",
            Layer::Observed => "bold",
        };
        let label = match edge.relation {
            Relation::Can(capability) => capability.name(),
            Relation::RunsAs => "runs as",
            Relation::EncryptedBy => "encrypted by",
            Relation::StoresIn => "stores in",
            Relation::Serves => "serves",
            Relation::LogsTo => "logs to",
        };
        let mark = match edge.decision {
            Decision::Conditional(_) => " (if)",
            Decision::Unknown(_) => " (?)",
            Decision::Allow | Decision::Deny => "",
        };
        // Writing into a string cannot fail.
        let _ = writeln!(
            text,
            "  {} -> {} [label={}, style={style}];",
            quoted(&edge.from),
            quoted(&edge.to),
            quoted(&format!("{label}{mark}"))
        );
    }
    text.push_str("}\n");
    text
}

/// How deep zones may nest; a cycle in the data ends there.
const MAXIMUM_DEPTH: usize = 8;

fn write_zone(
    text: &mut String,
    zone: Option<&str>,
    children: &BTreeMap<Option<&str>, Vec<&Node>>,
    depth: usize,
) {
    if depth > MAXIMUM_DEPTH {
        return;
    }
    let indent = "  ".repeat(depth);
    for node in children.get(&zone).into_iter().flatten() {
        let shape = match node.kind {
            NodeKind::Principal => "ellipse",
            NodeKind::Store | NodeKind::Topic => "cylinder",
            NodeKind::Key => "diamond",
            _ => "box",
        };
        let colour = match node.side {
            Side::Customer => "black",
            Side::Vendor => "darkorange",
            Side::Provider => "grey40",
            Side::Outside => "red",
        };
        let line =
            format!("{} [label={}, shape={shape}, color={colour}];", quoted(&node.id), quoted(&node.label));
        let _ = if children.contains_key(&Some(node.id.as_str())) {
            let _ = writeln!(text, "{indent}subgraph {} {{", quoted(&format!("cluster {}", node.id)));
            let _ = writeln!(text, "{indent}  label={};", quoted(&node.label));
            let _ = writeln!(text, "{indent}  {line}");
            write_zone(text, Some(&node.id), children, depth + 1);
            writeln!(text, "{indent}}}")
        } else {
            writeln!(text, "{indent}{line}")
        };
    }
}

fn quoted(text: &str) -> String {
    let escaped: String = text
        .chars()
        .flat_map(|c| match c {
            '"' | '\\' => vec!['\\', c],
            '\n' | '\r' => vec![' '],
            other => vec![other],
        })
        .collect();
    format!("\"{escaped}\"")
}
