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

use cadastre_model::graph::BoundaryGraph;

use crate::templates::DIAGRAM_STYLE;

/// The boundary diagram as an SVG file of its own, light or dark as the viewer prefers.
#[must_use]
pub fn svg(graph: &BoundaryGraph) -> String {
    let drawing = Drawing::of(graph);
    let body = paint::svg(&drawing, Some(DIAGRAM_STYLE));
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{body}")
}

/// The diagram for a page that carries the style sheet, and the rule that fits it into the page.
pub(crate) fn embedded(graph: &BoundaryGraph) -> Embedded {
    let drawing = Drawing::of(graph);
    let (width, narrowest) = (drawing.placed.width, drawing.placed.width * 17 / 20);
    Embedded {
        markup: paint::svg(&drawing, None),
        style: format!(
            ".boundary-diagram {{ width: 100%; min-width: {narrowest}px; max-width: {width}px; height: auto; }}\n"
        ),
    }
}

/// A diagram inside a page.
#[derive(Debug)]
pub(crate) struct Embedded {
    pub(crate) markup: String,
    pub(crate) style: String,
}

/// A diagram that is placed and routed.
#[derive(Debug)]
pub(crate) struct Drawing {
    pub(crate) placed: layout::Placed,
    pub(crate) routes: Vec<route::Route>,
    pub(crate) legend: Vec<String>,
}

impl Drawing {
    fn of(graph: &BoundaryGraph) -> Self {
        let choice = choice::choose(graph);
        let placed = layout::place(&choice.root);
        let lines = lines::of(graph, &choice);
        let routes = route::all(&placed, &lines.drawn);
        let mut legend = lines.told;
        legend.extend(choice.remarks);
        Self { placed, routes, legend }
    }
}
