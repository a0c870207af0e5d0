//! Writes a placed and routed diagram as SVG 1.1.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::Drawing;
use super::choice::{Frame, Look};
use super::layout::{HEADING, LABEL, Placed, PlacedLeaf, PlacedZone, Rect};
use super::lines::{Line, LineKind};
use super::measure::{fit, text_width};
use super::route::Route;
use crate::text::{inert, xml};

/// Height of a line of the legend, pixels.
const LEGEND_LINE: u32 = 20;
/// Height of the key to colours, pixels.
const KEY: u32 = 40;
/// Font size of labels on lines, pixels.
const SMALL: u32 = 11;

/// The diagram as one `svg` element; with its style sheet, where it has to stand alone.
pub(crate) fn svg(drawing: &Drawing, style: Option<&str>) -> String {
    let placed = &drawing.placed;
    let width = placed.width.max(720);
    let lines = u32::try_from(drawing.legend.len()).unwrap_or_default();
    let height = placed.height + KEY + lines * LEGEND_LINE + 30;
    let mut out = String::new();
    put(
        &mut out,
        format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"boundary-diagram\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" role=\"group\" aria-label=\"Boundary diagram\">\n"
        ),
    );
    if let Some(style) = style {
        put(&mut out, format_args!("<title>Boundary diagram</title>\n<style>\n{style}</style>\n"));
    }
    put(&mut out, format_args!("<rect class=\"sheet-ground\" width=\"{width}\" height=\"{height}\"/>\n"));
    // Boxes that stand for several have an id of ours, which tells nobody anything.
    let names: BTreeMap<&str, &str> = placed
        .leaves
        .iter()
        .filter(|leaf| ["lot:", "more:"].iter().any(|ours| leaf.id.starts_with(ours)))
        .map(|leaf| (leaf.id.as_str(), leaf.label.as_str()))
        .collect();
    for area in &placed.zones {
        zone(&mut out, area, &drawing.mark_box(&area.id));
    }
    for route in &drawing.routes {
        edge(&mut out, route, &names, &drawing.mark_line(&route.line));
    }
    for leaf in &placed.leaves {
        node(&mut out, leaf, &drawing.mark_box(&leaf.id));
    }
    for (route, area) in labels(placed, &drawing.routes) {
        label(&mut out, route, &area, &drawing.mark_line(&route.line));
    }
    legend(&mut out, placed.height, width, &drawing.legend);
    out.push_str("</svg>\n");
    out
}

fn put(out: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _infallible = out.write_fmt(arguments);
}

fn zone(out: &mut String, zone: &PlacedZone, mark: &str) {
    let Rect { x, y, width, height } = zone.area;
    let class = match zone.kind {
        Frame::Account => "zone account",
        Frame::Foreign => "zone foreign",
        Frame::Inner => "zone inner",
        Frame::Panel => "zone panel",
        Frame::Group => "zone group",
    };
    put(out, format_args!("<g class=\"{class}\"{mark}><title>{}</title>", xml(&one_line(&zone.title))));
    if zone.kind != Frame::Group {
        put(out, format_args!("<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"4\"/>"));
    }
    let (class, size) =
        if matches!(zone.kind, Frame::Group) { ("caption", LABEL) } else { ("heading", HEADING) };
    let text = fit(&one_line(&zone.heading), size, zone.header.width);
    let baseline = zone.header.y + if zone.kind == Frame::Group { 9 } else { 14 };
    put(
        out,
        format_args!(
            "<text class=\"{class}\" x=\"{}\" y=\"{baseline}\">{}</text></g>\n",
            zone.header.x,
            xml(&text)
        ),
    );
}

fn node(out: &mut String, leaf: &PlacedLeaf, mark: &str) {
    let Rect { x, y, width, height } = leaf.area;
    let class = match leaf.look {
        Look::Plain => "node",
        Look::Foreign => "node foreign",
        Look::Reached => "node reached",
        Look::More => "node more",
    };
    let room = width.saturating_sub(16);
    let text = fit(&one_line(&leaf.label), LABEL, room);
    put(
        out,
        format_args!(
            "<g class=\"{class}\" role=\"img\"{mark}><title>{}</title>",
            xml(&one_line(&leaf.title))
        ),
    );
    put(out, format_args!("<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"3\"/>"));
    if leaf.caption.is_empty() {
        put(out, format_args!("<text x=\"{}\" y=\"{}\">{}</text></g>\n", x + 8, y + 24, xml(&text)));
    } else {
        let caption = fit(&one_line(&leaf.caption), LABEL, room);
        put(out, format_args!("<text x=\"{}\" y=\"{}\">{}</text>", x + 8, y + 17, xml(&text)));
        put(
            out,
            format_args!(
                "<text class=\"caption\" x=\"{}\" y=\"{}\">{}</text></g>\n",
                x + 8,
                y + 32,
                xml(&caption)
            ),
        );
    }
}

fn one_line(text: &str) -> String {
    inert(text).replace(['\n', '\t'], " ")
}

fn edge(out: &mut String, route: &Route, names: &BTreeMap<&str, &str>, mark: &str) {
    let class = route.line.kind.class();
    let open = if route.line.open && route.line.kind == LineKind::Red { " open" } else { "" };
    let (Some(first), [.., before, last]) = (route.points.first(), route.points.as_slice()) else { return };
    let mut path = format!("M{} {}", first.0, first.1);
    for point in route.points.iter().skip(1) {
        path.push_str(&format!("L{} {}", point.0, point.1));
    }
    put(
        out,
        format_args!(
            "<g class=\"line {class}\"{mark}><title>{}</title>",
            xml(&one_line(&told(&route.line, names)))
        ),
    );
    put(out, format_args!("<path class=\"edge {class}{open}\" d=\"{path}\"/>"));
    put(out, format_args!("<path class=\"tip {class}\" d=\"{}\"/></g>\n", tip(*before, *last)));
}

fn told(line: &Line, names: &BTreeMap<&str, &str>) -> String {
    let how = if line.open && line.kind != LineKind::Relation {
        " (under a condition, or not settled)"
    } else {
        ""
    };
    let name = |id: &str| names.get(id).copied().unwrap_or(id).to_owned();
    format!("{} — {} → {}{how}", name(&line.from), line.meaning, name(&line.to))
}

/// The head of an arrow that ends at `last` and comes from `before`.
fn tip(before: (u32, u32), last: (u32, u32)) -> String {
    let (x, y) = last;
    if before.0 < x {
        format!("M{x} {y}l-8 -4v8z")
    } else if before.0 > x {
        format!("M{x} {y}l8 -4v8z")
    } else if before.1 < y {
        format!("M{x} {y}l-4 -8h8z")
    } else {
        format!("M{x} {y}l-4 8h8z")
    }
}

/// Places for the labels of lines: on a straight part, over no box and no other label.
fn labels<'r>(placed: &Placed, routes: &'r [Route]) -> Vec<(&'r Route, Rect)> {
    let mut taken: Vec<Rect> = placed.leaves.iter().map(|leaf| leaf.area).collect();
    taken.extend(placed.zones.iter().map(|zone| zone.header));
    let mut found = Vec::new();
    // Red ones choose first.
    for route in routes.iter().rev() {
        if !route.line.labelled {
            continue;
        }
        let width = text_width(&route.line.meaning, SMALL) + 6;
        let place = candidates(route, width).into_iter().find(|area| {
            area.x + area.width < placed.width && !taken.iter().any(|other| other.overlaps(area))
        });
        if let Some(area) = place {
            taken.push(area);
            found.push((route, area));
        }
    }
    found
}

fn candidates(route: &Route, width: u32) -> Vec<Rect> {
    let height = 14;
    let mut parts: Vec<((u32, u32), (u32, u32))> =
        route.points.iter().copied().zip(route.points.iter().copied().skip(1)).collect();
    parts.sort_by_key(|(a, b)| std::cmp::Reverse(a.0.abs_diff(b.0) + a.1.abs_diff(b.1)));
    let mut places = Vec::new();
    for ((ax, ay), (bx, by)) in parts {
        if ay == by {
            let (left, right) = (ax.min(bx), ax.max(bx));
            let room = (right - left).saturating_sub(20);
            if room >= width {
                for share in [2, 3, 1, 4, 0] {
                    let x = left + 10 + (room - width) * share / 4;
                    places.push(Rect { x, y: ay.saturating_sub(height / 2), width, height });
                }
            }
        } else {
            let (top, bottom) = (ay.min(by), ay.max(by));
            let room = (bottom - top).saturating_sub(20);
            if room >= height {
                for share in [2, 3, 1, 4, 0] {
                    let y = top + 10 + (room - height) * share / 4;
                    places.push(Rect { x: ax.saturating_sub(width / 2), y, width, height });
                }
            }
        }
    }
    places
}

fn label(out: &mut String, route: &Route, area: &Rect, mark: &str) {
    let Rect { x, y, width, height } = *area;
    put(
        out,
        format_args!(
            "<g class=\"label {}\"{mark}><rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"/><text x=\"{}\" y=\"{}\">{}</text></g>\n",
            route.line.kind.class(),
            x + 3,
            y + 11,
            xml(&route.line.meaning)
        ),
    );
}

fn legend(out: &mut String, top: u32, width: u32, lines: &[String]) {
    let y = top + 10;
    let mut x = 30;
    out.push_str("<g class=\"legend\">");
    for (class, text) in [
        ("red", "plaintext path from outside"),
        ("red open", "… under a condition or not settled"),
        ("access", "other access from outside"),
        ("relation", "relation"),
    ] {
        put(out, format_args!("<path class=\"edge {class}\" d=\"M{x} {y}h30\"/>"));
        put(out, format_args!("<text class=\"caption\" x=\"{}\" y=\"{}\">{text}</text>", x + 38, y + 4));
        x += 38 + text_width(text, SMALL) + 24;
    }
    for (index, line) in lines.iter().enumerate() {
        let y = top + KEY + u32::try_from(index).unwrap_or_default() * LEGEND_LINE;
        let fitted = fit(&one_line(line), LABEL, width.saturating_sub(60));
        put(
            out,
            format_args!(
                "<text x=\"30\" y=\"{}\"><title>{}</title>{}</text>",
                y + 10,
                xml(&one_line(line)),
                xml(&fitted)
            ),
        );
    }
    out.push_str("</g>\n");
}
