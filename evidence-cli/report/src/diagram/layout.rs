//! Places boxes on a grid of ten pixels, so that lines between them run on the same grid.

use super::choice::{Block, Frame, Leaf, Look, Zone};
use super::measure::text_width;

/// The grid's step in pixels; every coordinate is a multiple.
pub(crate) const STEP: u32 = 10;
/// Font size of labels, pixels.
pub(crate) const LABEL: u32 = 12;
/// Font size of headings, pixels; bold ones are set a tenth wider.
pub(crate) const HEADING: u32 = 14;

const LEAF_HEIGHT: u32 = 40;
const LEAF_NARROWEST: u32 = 110;
const LEAF_WIDEST: u32 = 220;
const BETWEEN_LEAVES: u32 = 20;
const MARGIN: u32 = 30;

/// A rectangle in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rect {
    pub(crate) x: u32,
    pub(crate) y: u32,
    pub(crate) width: u32,
    pub(crate) height: u32,
}

impl Rect {
    /// Whether two rectangles share any area.
    pub(crate) const fn overlaps(&self, other: &Self) -> bool {
        self.x < other.x + other.width
            && other.x < self.x + self.width
            && self.y < other.y + other.height
            && other.y < self.y + self.height
    }
}

/// A node in its place.
#[derive(Debug)]
pub(crate) struct PlacedLeaf {
    pub(crate) id: String,
    pub(crate) label: String,
    pub(crate) caption: String,
    pub(crate) title: String,
    pub(crate) look: Look,
    pub(crate) area: Rect,
}

/// A zone in its place.
#[derive(Debug)]
pub(crate) struct PlacedZone {
    pub(crate) id: String,
    pub(crate) heading: String,
    pub(crate) title: String,
    pub(crate) kind: Frame,
    pub(crate) area: Rect,
    /// Where the heading stands: lines go around it, and may end at it.
    pub(crate) header: Rect,
}

/// Everything in its place.
#[derive(Debug, Default)]
pub(crate) struct Placed {
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Outer ones before inner ones.
    pub(crate) zones: Vec<PlacedZone>,
    pub(crate) leaves: Vec<PlacedLeaf>,
}

/// Places a diagram.
pub(crate) fn place(root: &Block) -> Placed {
    let mut placed = Placed::default();
    let (width, height) = size(root);
    put(root, MARGIN, MARGIN, (width, height), &mut placed);
    placed.width = width + 2 * MARGIN;
    placed.height = height + 2 * MARGIN;
    placed
}

const fn up(value: u32) -> u32 {
    value.div_ceil(STEP) * STEP
}

fn leaf_width(leaf: &Leaf) -> u32 {
    let text = text_width(&leaf.label, LABEL).max(text_width(&leaf.caption, LABEL));
    up(text + 20).clamp(LEAF_NARROWEST, LEAF_WIDEST)
}

/// Space around and above what a frame holds: side, top, bottom.
const fn padding(kind: Frame) -> (u32, u32, u32) {
    match kind {
        Frame::Group => (0, 20, 0),
        Frame::Panel => (20, 40, 20),
        Frame::Account | Frame::Foreign => (20, 40, 20),
        Frame::Inner => (20, 40, 20),
    }
}

const fn column_gap(blocks: &[Block]) -> u32 {
    match blocks.first() {
        Some(Block::Leaf(_)) => BETWEEN_LEAVES,
        _ => 30,
    }
}

/// Width and height of a block.
fn size(block: &Block) -> (u32, u32) {
    match block {
        Block::Leaf(leaf) => (leaf_width(leaf), LEAF_HEIGHT),
        Block::Zone(zone) => {
            let (side, top, bottom) = padding(zone.kind);
            let (width, height) = size(&zone.inside);
            (width.max(header_width(zone)) + 2 * side, height + top + bottom)
        }
        Block::Row(gap, blocks) => {
            let sizes = blocks.iter().map(size);
            let gaps = gap * gap_count(blocks);
            sizes.fold((gaps, 0), |(width, height), (w, h)| (width + w, height.max(h)))
        }
        Block::Column(blocks) => {
            let sizes = blocks.iter().map(size);
            let gaps = column_gap(blocks) * gap_count(blocks);
            sizes.fold((0, gaps), |(width, height), (w, h)| (width.max(w), height + h))
        }
    }
}

fn gap_count(blocks: &[Block]) -> u32 {
    u32::try_from(blocks.len().saturating_sub(1)).unwrap_or_default()
}

/// Room for a heading, within reason: longer ones are cut.
fn header_width(zone: &Zone) -> u32 {
    let widest = if zone.kind == Frame::Group { 160 } else { 320 };
    up(text_width(&zone.heading, HEADING) + 10).min(widest)
}

fn put(block: &Block, x: u32, y: u32, available: (u32, u32), placed: &mut Placed) {
    let (width, height) = available;
    match block {
        Block::Leaf(leaf) => placed.leaves.push(PlacedLeaf {
            id: leaf.id.clone(),
            label: leaf.label.clone(),
            caption: leaf.caption.clone(),
            title: leaf.title.clone(),
            look: leaf.look,
            area: Rect { x, y, width: width.min(LEAF_WIDEST), height: LEAF_HEIGHT },
        }),
        Block::Zone(zone) => {
            let (side, top, bottom) = padding(zone.kind);
            let header_x = if zone.kind == Frame::Group { x } else { x + STEP };
            let header_y = if zone.kind == Frame::Group { y } else { y + STEP };
            placed.zones.push(PlacedZone {
                id: zone.id.clone(),
                heading: zone.heading.clone(),
                title: zone.title.clone(),
                kind: zone.kind,
                area: Rect { x, y, width, height },
                header: Rect {
                    x: header_x,
                    y: header_y,
                    width: header_width(zone).min(width.saturating_sub(2 * (header_x - x))),
                    height: if zone.kind == Frame::Group { STEP } else { 2 * STEP },
                },
            });
            let inner = (width.saturating_sub(2 * side), height.saturating_sub(top + bottom));
            put(&zone.inside, x + side, y + top, inner, placed);
        }
        Block::Row(gap, blocks) => {
            let mut x = x;
            for block in blocks {
                let (width, natural) = size(block);
                // Frames beside each other are equally high; other things keep their height.
                let height = if matches!(block, Block::Zone(zone) if zone.kind != Frame::Group) {
                    height
                } else {
                    natural
                };
                put(block, x, y, (width, height), placed);
                x += width + gap;
            }
        }
        Block::Column(blocks) => {
            let mut y = y;
            for block in blocks {
                let (_, height) = size(block);
                put(block, x, y, (width, height), placed);
                y += height + column_gap(blocks);
            }
        }
    }
}
