//! The boundary diagram: zones nested in zones, lines routed around boxes, drawn from the graph alone.
//!
//! [`choice`] decides what is worth drawing, [`layout`] places it on a grid, [`route`] finds ways for the lines,
//! and [`paint`] writes SVG.

mod choice;
mod layout;
mod lines;
mod measure;
mod paint;
mod route;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use cadastre_model::graph::{BoundaryGraph, NodeKind, PlaintextPath};
use serde::Serialize;

pub(crate) use self::lines::Sphere;

use crate::templates::DIAGRAM_STYLE;
use crate::words;

/// How many principals or topics a list to choose from names.
const CHOICES: usize = 400;

/// The boundary diagram as an SVG file of its own, light or dark as the viewer prefers.
#[must_use]
pub fn svg(graph: &BoundaryGraph) -> String {
    let drawing = Drawing::of(graph, false);
    let body = paint::svg(&drawing, Some(DIAGRAM_STYLE));
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{body}")
}

/// The diagram for a page that carries the style sheet and the script, and the rule that fits it into the page.
pub(crate) fn embedded(graph: &BoundaryGraph) -> Embedded {
    let drawing = Drawing::of(graph, true);
    let (width, narrowest) = (drawing.placed.width, drawing.placed.width * 17 / 20);
    Embedded {
        markup: paint::svg(&drawing, None),
        style: format!(
            ".boundary-diagram {{ width: 100%; min-width: {narrowest}px; max-width: {width}px; height: auto; }}\n"
        ),
        controls: Controls::of(graph, &drawing),
        boxes: Boxes { numbers: drawing.numbers, stands_for: drawing.stands_for },
    }
}

/// A diagram inside a page.
#[derive(Debug)]
pub(crate) struct Embedded {
    pub(crate) markup: String,
    pub(crate) style: String,
    pub(crate) controls: Controls,
    pub(crate) boxes: Boxes,
}

/// What a reader can choose to see.
#[derive(Debug, Serialize)]
pub(crate) struct Controls {
    layers: Vec<Layer>,
    principals: Vec<Choosable>,
    topics: Vec<Choosable>,
}

#[derive(Debug, Serialize)]
struct Layer {
    name: &'static str,
    label: &'static str,
}

/// A node that has a box.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Choosable {
    label: String,
    number: usize,
}

impl Controls {
    fn of(graph: &BoundaryGraph, drawing: &Drawing) -> Self {
        let layers = Sphere::ALL
            .into_iter()
            .filter(|sphere| drawing.routes.iter().any(|route| route.line.spheres.contains(sphere)))
            .map(|sphere| Layer { name: sphere.name(), label: words::sphere(sphere) })
            .collect();
        let of_kind = |kind: NodeKind| {
            let mut list: Vec<Choosable> = graph
                .nodes
                .iter()
                .filter(|node| node.kind == kind)
                .filter_map(|node| {
                    let number = *drawing.numbers.get(drawing.stands_for.get(&node.id)?)?;
                    Some(Choosable { label: words::short_name(&node.id).to_owned(), number })
                })
                .collect();
            list.sort();
            list.truncate(CHOICES);
            list
        };
        Self { layers, principals: of_kind(NodeKind::Principal), topics: of_kind(NodeKind::Topic) }
    }
}

/// Where nodes stand in the picture, so that other places of the page can point at them.
#[derive(Debug, Default)]
pub(crate) struct Boxes {
    numbers: BTreeMap<String, usize>,
    stands_for: BTreeMap<String, String>,
}

impl Boxes {
    /// The number of the box that a node stands in.
    pub(crate) fn number(&self, node: &str) -> Option<usize> {
        self.numbers.get(self.stands_for.get(node)?).copied()
    }

    /// A path as the page's script reads it: `3-9 9-12`, the boxes that each step joins.
    pub(crate) fn hops(&self, path: &PlaintextPath) -> String {
        let hops: Vec<String> = path
            .steps
            .iter()
            .filter_map(|step| Some(format!("{}-{}", self.number(&step.from)?, self.number(&step.to)?)))
            .collect();
        hops.join(" ")
    }
}

/// A diagram that is placed and routed.
#[derive(Debug)]
pub(crate) struct Drawing {
    pub(crate) placed: layout::Placed,
    pub(crate) routes: Vec<route::Route>,
    pub(crate) legend: Vec<String>,
    /// Boxes by id, numbered for the page's script.
    numbers: BTreeMap<String, usize>,
    stands_for: BTreeMap<String, String>,
    interactive: bool,
}

impl Drawing {
    fn of(graph: &BoundaryGraph, interactive: bool) -> Self {
        let choice = choice::choose(graph);
        let placed = layout::place(&choice.root);
        let lines = lines::of(graph, &choice, interactive);
        let routes = route::all(&placed, &lines.drawn);
        let mut legend = lines.told;
        legend.extend(choice.remarks);
        let ids = placed.leaves.iter().map(|leaf| &leaf.id).chain(placed.zones.iter().map(|zone| &zone.id));
        let numbers = ids.enumerate().map(|(number, id)| (id.clone(), number)).collect();
        Self { placed, routes, legend, numbers, stands_for: choice.stands_for, interactive }
    }

    /// The attribute by which the page's script finds a box.
    fn mark_box(&self, id: &str) -> String {
        match self.numbers.get(id).filter(|_| self.interactive) {
            Some(number) => format!(" data-box=\"{number}\""),
            None => String::new(),
        }
    }

    /// The attributes by which the page's script finds a line, or the label of one.
    fn mark_line(&self, line: &lines::Line) -> String {
        match (self.numbers.get(&line.from), self.numbers.get(&line.to)) {
            (Some(from), Some(to)) if self.interactive => {
                let layers: Vec<&str> = line.spheres.iter().map(|sphere| sphere.name()).collect();
                format!(" data-hop=\"{from}-{to}\" data-layers=\"{}\"", layers.join(" "))
            }
            _ => String::new(),
        }
    }
}
