//! Finds ways for lines: along the grid, around boxes and headings, with few bends and little sharing.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use super::layout::{Placed, Rect, STEP};
use super::lines::{Line, LineKind};

const FORWARD: u32 = 10;
const BEND: u32 = 34;
const SHARED: u32 = 45;
const CROSSED: u32 = 12;
/// Grids larger than this are left without lines: a picture that large has its answer in the tables.
const LARGEST: usize = 400_000;

/// A line with the points it passes, in pixels.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) line: Line,
    /// Corners, both ends included; every part runs along one axis.
    pub(crate) points: Vec<(u32, u32)>,
}

/// Routes all lines, the most important first, so that they get the straightest ways.
pub(crate) fn all(placed: &Placed, lines: &[Line]) -> Vec<Route> {
    let mut anchors: BTreeMap<&str, Rect> = BTreeMap::new();
    for zone in &placed.zones {
        anchors.insert(&zone.id, zone.header);
    }
    for leaf in &placed.leaves {
        anchors.insert(&leaf.id, leaf.area);
    }
    let Some(mut grid) = Grid::new(placed) else { return Vec::new() };
    let mut ordered: Vec<(&Line, Rect, Rect)> = lines
        .iter()
        .filter_map(|line| Some((line, *anchors.get(line.from.as_str())?, *anchors.get(line.to.as_str())?)))
        .collect();
    ordered.sort_by_key(|(line, from, to)| (line.kind, distance(from, to)));
    let mut routes: Vec<Route> = ordered
        .into_iter()
        .filter_map(|(line, from, to)| {
            let points = grid.route(from, to, line.kind == LineKind::Quiet)?;
            Some(Route { line: line.clone(), points })
        })
        .collect();
    // The most important ones are drawn last, above the others.
    routes.sort_by_key(|route| Reverse(route.line.kind));
    routes
}

const fn distance(a: &Rect, b: &Rect) -> u32 {
    (a.x + a.width / 2).abs_diff(b.x + b.width / 2) + (a.y + a.height / 2).abs_diff(b.y + b.height / 2)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    Right,
    Left,
    Down,
    Up,
}

impl Way {
    const ALL: [Self; 4] = [Self::Right, Self::Left, Self::Down, Self::Up];

    const fn horizontal(self) -> bool {
        matches!(self, Self::Right | Self::Left)
    }

    const fn opposite(self) -> Self {
        match self {
            Self::Right => Self::Left,
            Self::Left => Self::Right,
            Self::Down => Self::Up,
            Self::Up => Self::Down,
        }
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Cell {
    blocked: bool,
    across: bool,
    along: bool,
}

struct Grid {
    width: usize,
    height: usize,
    cells: Vec<Cell>,
}

impl Grid {
    fn new(placed: &Placed) -> Option<Self> {
        let width = usize::try_from(placed.width / STEP).ok()? + 1;
        let height = usize::try_from(placed.height / STEP).ok()? + 1;
        let size = width.checked_mul(height).filter(|size| *size <= LARGEST)?;
        let mut grid = Self { width, height, cells: vec![Cell::default(); size] };
        for area in
            placed.leaves.iter().map(|leaf| leaf.area).chain(placed.zones.iter().map(|zone| zone.header))
        {
            let (left, top, right, bottom) = bounds(&area);
            for y in top..=bottom {
                for x in left..=right {
                    if let Some(cell) = grid.at(x, y) {
                        cell.blocked = true;
                    }
                }
            }
        }
        Some(grid)
    }

    const fn index(&self, x: usize, y: usize) -> Option<usize> {
        if x < self.width && y < self.height { Some(y * self.width + x) } else { None }
    }

    fn at(&mut self, x: usize, y: usize) -> Option<&mut Cell> {
        let index = self.index(x, y)?;
        self.cells.get_mut(index)
    }

    fn cell(&self, place: usize) -> Cell {
        self.cells.get(place).copied().unwrap_or(Cell { blocked: true, across: true, along: true })
    }

    fn step(&self, place: usize, way: Way) -> Option<usize> {
        let (x, y) = (place % self.width, place / self.width);
        match way {
            Way::Right => self.index(x + 1, y),
            Way::Left => self.index(x.checked_sub(1)?, y),
            Way::Down => self.index(x, y + 1),
            Way::Up => self.index(x, y.checked_sub(1)?),
        }
    }

    /// Where lines leave a box: every grid point of its border but the corners, and the way out there.
    fn ports(&self, area: &Rect) -> Vec<(usize, Way)> {
        let (left, top, right, bottom) = bounds(area);
        let mut ports = Vec::new();
        for y in top + 1..bottom {
            ports.extend(self.index(left, y).map(|place| (place, Way::Left)));
            ports.extend(self.index(right, y).map(|place| (place, Way::Right)));
        }
        for x in left + 1..right {
            ports.extend(self.index(x, top).map(|place| (place, Way::Up)));
            ports.extend(self.index(x, bottom).map(|place| (place, Way::Down)));
        }
        ports
    }

    /// The cheapest way between two boxes (A*), which then counts as used; a quiet one, which shows alone, takes no room.
    fn route(&mut self, from: Rect, to: Rect, quiet: bool) -> Option<Vec<(u32, u32)>> {
        let ends: BTreeMap<usize, Way> =
            self.ports(&to).into_iter().filter(|(place, _)| quiet || !self.used(*place)).collect();
        let goal = bounds(&to);
        let mut best: Vec<u32> = vec![u32::MAX; self.cells.len() * 4];
        let mut before: Vec<u32> = vec![u32::MAX; self.cells.len() * 4];
        let mut queue: BinaryHeap<Reverse<(u32, u32, usize, Way)>> = BinaryHeap::new();
        for (place, way) in self.ports(&from) {
            if !quiet && self.used(place) {
                continue;
            }
            // Leaving near the middle of a side looks intended.
            let cost = self.off_centre(place, &from);
            if let Some(slot) = best.get_mut(place * 4 + way as usize) {
                *slot = cost;
                queue.push(Reverse((cost + self.estimate(place, goal), cost, place, way)));
            }
        }
        while let Some(Reverse((_, cost, place, way))) = queue.pop() {
            let state = place * 4 + way as usize;
            if best.get(state).is_none_or(|best| *best < cost) {
                continue;
            }
            if ends.get(&place).is_some_and(|out| out.opposite() == way) {
                return Some(self.take(state, &before, quiet));
            }
            let here = self.cell(place);
            for next_way in Way::ALL {
                if next_way == way.opposite() || (here.blocked && next_way != way) {
                    continue;
                }
                let Some(next) = self.step(place, next_way) else { continue };
                let cell = self.cell(next);
                let entering = ends.get(&next).is_some_and(|out| out.opposite() == next_way);
                if cell.blocked && !entering {
                    continue;
                }
                let (same, other) =
                    if next_way.horizontal() { (cell.across, cell.along) } else { (cell.along, cell.across) };
                let mut next_cost = cost + FORWARD;
                next_cost += if next_way == way { 0 } else { BEND };
                next_cost += if same { SHARED } else { 0 } + if other { CROSSED } else { 0 };
                if entering {
                    next_cost += self.off_centre(next, &to);
                }
                let next_state = next * 4 + next_way as usize;
                if let (Some(slot), Some(from)) = (best.get_mut(next_state), before.get_mut(next_state))
                    && next_cost < *slot
                {
                    *slot = next_cost;
                    *from = u32::try_from(state).unwrap_or(u32::MAX);
                    queue.push(Reverse((next_cost + self.estimate(next, goal), next_cost, next, next_way)));
                }
            }
        }
        None
    }

    fn used(&self, place: usize) -> bool {
        let cell = self.cell(place);
        cell.across || cell.along
    }

    fn off_centre(&self, place: usize, area: &Rect) -> u32 {
        let (left, top, right, bottom) = bounds(area);
        let (x, y) = (place % self.width, place / self.width);
        let away = if x == left || x == right {
            y.abs_diff(usize::midpoint(top, bottom))
        } else {
            x.abs_diff(usize::midpoint(left, right))
        };
        u32::try_from(away).unwrap_or_default() * 2
    }

    /// Never more than what is left to go.
    fn estimate(&self, place: usize, goal: (usize, usize, usize, usize)) -> u32 {
        let (left, top, right, bottom) = goal;
        let (x, y) = (place % self.width, place / self.width);
        let across = left.saturating_sub(x) + x.saturating_sub(right);
        let along = top.saturating_sub(y) + y.saturating_sub(bottom);
        u32::try_from(across + along).unwrap_or_default() * FORWARD
    }

    /// Marks the way to a state as used and returns its corners.
    fn take(&mut self, last: usize, before: &[u32], quiet: bool) -> Vec<(u32, u32)> {
        let mut states = vec![last];
        let mut state = last;
        while let Some(previous) = before.get(state).filter(|previous| **previous != u32::MAX) {
            state = usize::try_from(*previous).unwrap_or_default();
            states.push(state);
        }
        states.reverse();
        let mut points: Vec<(u32, u32)> = Vec::new();
        for state in states {
            let (place, horizontal) = (state / 4, state % 4 < 2);
            if let Some(cell) = self.cells.get_mut(place).filter(|_| !quiet) {
                if horizontal {
                    cell.across = true;
                } else {
                    cell.along = true;
                }
            }
            let pixel = |cells: usize| u32::try_from(cells).unwrap_or_default() * STEP;
            let point = (pixel(place % self.width), pixel(place / self.width));
            if let [.., a, b] = points.as_slice()
                && ((a.0 == b.0 && b.0 == point.0) || (a.1 == b.1 && b.1 == point.1))
            {
                points.pop();
            }
            points.push(point);
        }
        points
    }
}

/// Left, top, right, bottom in grid steps.
fn bounds(area: &Rect) -> (usize, usize, usize, usize) {
    let cells = |pixels: u32| usize::try_from(pixels / STEP).unwrap_or_default();
    (cells(area.x), cells(area.y), cells(area.x + area.width), cells(area.y + area.height))
}

impl LineKind {
    /// The class in the style sheet.
    pub(crate) const fn class(self) -> &'static str {
        match self {
            Self::Red => "red",
            Self::Access => "access",
            Self::Relation => "relation",
            Self::Quiet => "quiet",
        }
    }
}
