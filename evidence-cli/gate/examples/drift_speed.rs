//! How long drift takes on a large graph: `drift_speed NODES CHANGES`. Prints a line a step, in milliseconds.

#![expect(clippy::print_stdout, reason = "a measurement prints times of the wall clock")]

use std::time::Instant;

use cadastre_gate::{DRIFT_SCHEMA, GateReport, Header, StateFile, markdown, sarif, table};
use cadastre_model::access::{Capability, Decision};
use cadastre_model::asset::EvidenceIds;
use cadastre_model::graph::{
    BoundaryGraph, Edge, Layer, Node, NodeKind, PlaintextPath, Plane, Relation, Side, Step,
};
use cadastre_model::record::{Observation, Outcome, Page, Scope};

fn evidence(number: usize) -> Result<EvidenceIds, Box<dyn std::error::Error>> {
    let record = Observation {
        collector: "aws".into(),
        operation: "iam:GetAccountAuthorizationDetails".into(),
        scope: Scope::account("111122223333"),
        subject: number.to_string(),
        caller: String::new(),
        observed_at: "2026-11-21T10:00:00Z".parse()?,
        outcome: Outcome::Observed,
        request: serde_json::Value::Null,
        response: serde_json::Value::Null,
        problem: None,
        page: Page::ONLY,
    };
    Ok([record.seal()?.id().clone()].into())
}

/// A graph of principals, each with eight capabilities and, every tenth, a plaintext path. `shift` moves a share.
fn graph(nodes: usize, moved: usize, shift: bool) -> Result<BoundaryGraph, Box<dyn std::error::Error>> {
    let mut graph = BoundaryGraph::default();
    for number in 0..nodes {
        let outside = number % 50 == 0;
        let id = format!("arn:aws:iam::111122223333:role/role-{number:06}");
        let proof = evidence(number)?;
        graph.nodes.push(Node {
            id: id.clone(),
            kind: if number % 5 == 0 { NodeKind::Store } else { NodeKind::Principal },
            label: id.clone(),
            zone: None,
            side: if outside { Side::Outside } else { Side::Customer },
            plane: Plane::Data,
            evidence: proof.clone(),
        });
        for (offset, capability) in Capability::ALL.into_iter().take(8).enumerate() {
            let target = (number + offset * 7 + 1) % nodes;
            let gone = shift && offset == 0 && number < moved;
            let to = if gone { (target + 1) % nodes } else { target };
            graph.edges.push(Edge {
                from: id.clone(),
                to: format!("arn:aws:iam::111122223333:role/role-{to:06}"),
                relation: Relation::Can(capability),
                layer: Layer::Permitted,
                decision: Decision::Allow,
                statements: Vec::new(),
                evidence: proof.clone(),
            });
        }
        if number % 10 == 0 {
            graph.paths.push(PlaintextPath {
                principal: id.clone(),
                side: if outside { Side::Outside } else { Side::Customer },
                target: format!("arn:aws:s3:::bucket-{}", number % 40),
                decision: Decision::Allow,
                steps: vec![Step {
                    from: id,
                    capability: Capability::ReadObjects,
                    to: "bucket".into(),
                    action: "s3:GetObject".into(),
                    decision: Decision::Allow,
                    statements: Vec::new(),
                }],
                cut: Vec::new(),
                cut_is_minimal: true,
                cut_at_least: 1,
                evidence: proof,
            });
        }
    }
    Ok(graph)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: usize| arguments.next().map_or(Ok(default), |text| text.parse());
    let (nodes, changes) = (number(5_000)?, number(2_000)?);
    // One edge that moves is two changes: one opens, one closes.
    let (before, after) = (graph(nodes, 0, false)?, graph(nodes, changes / 2, true)?);
    let header = Header {
        schema: DRIFT_SCHEMA.to_owned(),
        boundary: "benchmark".to_owned(),
        tool_version: String::new(),
        as_of: "2026-11-21T10:00:00Z".parse()?,
        artifact: "boundary.yaml".to_owned(),
        baseline_root: String::new(),
        evidence_root: String::new(),
    };
    println!("graph: {} nodes, {} edges, {} paths", after.nodes.len(), after.edges.len(), after.paths.len());
    let start = Instant::now();
    let drift = cadastre_graph::diff(&before, &after);
    println!("compare: {} changes in {} ms", drift.len(), start.elapsed().as_millis());
    let start = Instant::now();
    let mut report = GateReport::new(header, drift);
    let state = report.against(&StateFile::empty("benchmark"));
    println!("report and state: {} entries in {} ms", state.entries.len(), start.elapsed().as_millis());
    for (name, write) in [
        ("table", (|report| table(report, true).len()) as fn(&GateReport) -> usize),
        ("Markdown", |report| markdown(report).len()),
        ("SARIF", |report| sarif(report).to_string().len()),
        ("JSON", |report| serde_json::to_string(report).map_or(0, |text| text.len())),
    ] {
        let start = Instant::now();
        let size = write(&report);
        println!("{name}: size {size} in {} ms", start.elapsed().as_millis());
    }
    Ok(())
}
