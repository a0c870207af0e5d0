//! What is worth drawing, and in which zone it stands.
//!
//! Whatever lies on a plaintext path from outside is drawn first; of many alike the rest becomes `+N more`.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_model::graph::{BoundaryGraph, Layer, Node, NodeKind, Plane, Side};

use crate::words;

/// A box or an arrangement of boxes.
#[derive(Debug)]
pub(crate) enum Block {
    /// A node.
    Leaf(Leaf),
    /// A frame with a heading.
    Zone(Zone),
    /// Side by side, so many pixels apart.
    Row(u32, Vec<Block>),
    /// One below the other.
    Column(Vec<Block>),
}

/// A node as it is drawn.
#[derive(Debug)]
pub(crate) struct Leaf {
    pub(crate) id: String,
    pub(crate) label: String,
    /// What it is, in a word or two.
    pub(crate) caption: String,
    /// The whole truth, for tooltips and screen readers.
    pub(crate) title: String,
    pub(crate) look: Look,
}

/// How a node looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// The customer's.
    Plain,
    /// A vendor's or a stranger's.
    Foreign,
    /// Reached by a plaintext path from outside.
    Reached,
    /// Stands for several.
    More,
}

/// A frame.
#[derive(Debug)]
pub(crate) struct Zone {
    pub(crate) id: String,
    pub(crate) heading: String,
    pub(crate) title: String,
    pub(crate) kind: Frame,
    pub(crate) inside: Box<Block>,
}

/// Kinds of frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Frame {
    /// A customer's account.
    Account,
    /// Somebody else's.
    Foreign,
    /// A network, subnet or cluster.
    Inner,
    /// Control plane, data plane, observability.
    Panel,
    /// Nodes of one kind, without a frame of their own.
    Group,
}

/// What is drawn.
#[derive(Debug)]
pub(crate) struct Choice {
    pub(crate) root: Block,
    /// Which box stands for a node.
    pub(crate) stands_for: BTreeMap<String, String>,
    /// What the legend says beside the colours.
    pub(crate) remarks: Vec<String>,
}

/// Pixels between those outside, the customer and vendors.
const PARTIES: u32 = 70;
/// Pixels between the panels of an account.
const PANELS: u32 = 50;
/// Pixels between other columns.
const COLUMNS: u32 = 30;
/// What stands in the middle.
const ACCOUNTS: &str = "accounts";
/// How many names one tooltip lists.
const NAMED: usize = 40;
/// Of so many disks alike, one box stands for all.
const DISKS_APART: usize = 2;

/// How deep zones may nest: deeper ones are a cycle.
const DEPTH: u8 = 8;

/// Chooses and arranges.
pub(crate) fn choose(graph: &BoundaryGraph) -> Choice {
    let mut chooser = Chooser::new(graph);
    let root = chooser.root();
    let mut remarks = Vec::new();
    if chooser.idle > 0 {
        let who = words::count(
            chooser.idle,
            "principal holds nothing here and is",
            "principals hold nothing here and are",
        );
        remarks.push(format!("{who} not drawn."));
    }
    if chooser.services > 0 {
        let who = words::count(chooser.services, "service principal", "service principals");
        remarks.push(format!("The cloud’s own {who}: see the permission matrix."));
    }
    Choice { root, stands_for: chooser.stands_for, remarks }
}

struct Chooser<'a> {
    children: BTreeMap<&'a str, Vec<&'a Node>>,
    zones: BTreeMap<&'a str, &'a Node>,
    roots: Vec<&'a Node>,
    /// Nodes on a plaintext path from outside.
    reached: BTreeSet<&'a str>,
    /// Nodes that some edge touches.
    touched: BTreeSet<&'a str>,
    stands_for: BTreeMap<String, String>,
    /// Principals that nothing drawn concerns.
    idle: usize,
    /// Principals of the cloud itself.
    services: usize,
}

/// Whether a side counts as outside the boundary.
pub(crate) const fn foreign(side: Side) -> bool {
    matches!(side, Side::Vendor | Side::Outside)
}

const fn is_zone(kind: NodeKind) -> bool {
    matches!(
        kind,
        NodeKind::Account
            | NodeKind::Network
            | NodeKind::Subnet
            | NodeKind::Internet
            | NodeKind::Vendor
            | NodeKind::Cluster
    )
}

impl<'a> Chooser<'a> {
    fn new(graph: &'a BoundaryGraph) -> Self {
        let zones: BTreeMap<&str, &Node> = graph
            .nodes
            .iter()
            .filter(|node| is_zone(node.kind))
            .map(|node| (node.id.as_str(), node))
            .collect();
        let mut children: BTreeMap<&str, Vec<&Node>> = BTreeMap::new();
        let mut roots = Vec::new();
        for node in &graph.nodes {
            match node.zone.as_deref().filter(|zone| zones.contains_key(zone) && *zone != node.id) {
                Some(zone) => children.entry(zone).or_default().push(node),
                None => roots.push(node),
            }
        }
        let mut reached = BTreeSet::new();
        for path in graph.paths.iter().filter(|path| foreign(path.side)) {
            reached.insert(path.target.as_str());
            for step in &path.steps {
                reached.insert(step.from.as_str());
                reached.insert(step.to.as_str());
            }
        }
        let touched = graph
            .edges
            .iter()
            .filter(|edge| edge.layer != Layer::Declared)
            .flat_map(|edge| [edge.from.as_str(), edge.to.as_str()])
            .collect();
        Self { children, zones, roots, reached, touched, stands_for: BTreeMap::new(), idle: 0, services: 0 }
    }

    /// Strangers to the left, the customer in the middle, vendors to the right.
    fn root(&mut self) -> Block {
        let (mut left, mut middle, mut right) = (Vec::new(), Vec::new(), Vec::new());
        let mut loose: BTreeMap<Side, Vec<&Node>> = BTreeMap::new();
        for node in self.roots.clone() {
            if !is_zone(node.kind) {
                loose.entry(node.side).or_default().push(node);
            } else if self.empty(node) {
                // A name in the declaration: the flow table has it.
            } else {
                let column = match (node.kind, node.side) {
                    (NodeKind::Internet, _) | (_, Side::Outside | Side::Provider) => &mut left,
                    (NodeKind::Vendor, _) | (_, Side::Vendor) => &mut right,
                    _ => &mut middle,
                };
                column.push(node);
            }
        }
        let mut left = self.column(&left, "zones outside");
        let mut middle = self.column(&middle, ACCOUNTS);
        let mut right = self.column(&right, "vendors");
        for (side, nodes) in loose {
            let (column, heading, frame, rows) = match side {
                Side::Customer if nodes.iter().all(|node| node.id.starts_with("User:")) => {
                    (&mut middle, "Kafka principals", Frame::Inner, 2)
                }
                Side::Customer => (&mut middle, "The customer’s, in no account", Frame::Inner, 2),
                Side::Vendor => (&mut right, "Vendors", Frame::Foreign, 9),
                Side::Outside => (&mut left, "Outside", Frame::Foreign, 9),
                Side::Provider => {
                    self.services += nodes.len();
                    continue;
                }
            };
            let blocks = self.by_kind(&nodes, heading, rows);
            if !blocks.is_empty() {
                column.push(zone(format!("loose:{heading}"), heading, heading, frame, Block::Column(blocks)));
            }
        }
        let columns =
            [left, middle, right].into_iter().filter(|column| !column.is_empty()).map(Block::Column);
        Block::Row(PARTIES, columns.collect())
    }

    /// Whether nothing stands in a zone and no line leads to it.
    fn empty(&self, node: &Node) -> bool {
        node.kind == NodeKind::Network
            && !self.children.contains_key(node.id.as_str())
            && !self.touched.contains(node.id.as_str())
    }

    fn column(&mut self, nodes: &[&'a Node], what: &str) -> Vec<Block> {
        let (shown, rest) = self.select(nodes, 8);
        let (zones, bare): (Vec<&Node>, Vec<&Node>) =
            shown.into_iter().partition(|node| self.children.contains_key(node.id.as_str()));
        let mut blocks = Vec::new();
        if !bare.is_empty() {
            let bare = bare.into_iter().map(|node| self.leaf(node)).collect();
            blocks.push(columns(bare, if what == ACCOUNTS { 1 } else { 8 }));
        }
        blocks.extend(zones.into_iter().map(|node| self.zone(node, 0)));
        blocks.extend(self.more(&rest, what, what));
        blocks
    }

    fn zone(&mut self, node: &'a Node, depth: u8) -> Block {
        let inside = self.children.get(node.id.as_str()).cloned().unwrap_or_default();
        if inside.is_empty() {
            return self.leaf(node);
        }
        self.stands_for.insert(node.id.clone(), node.id.clone());
        let (zones, leaves): (Vec<&Node>, Vec<&Node>) =
            inside.into_iter().partition(|child| is_zone(child.kind) && depth < DEPTH);
        let blocks = match node.kind {
            NodeKind::Account if node.side == Side::Customer => self.account(node, &zones, &leaves, depth),
            NodeKind::Cluster => Block::Row(COLUMNS, self.by_kind(&leaves, &node.id, 6)),
            NodeKind::Network => self.network(node, &zones, &leaves, depth),
            _ => {
                let mut blocks: Vec<Block> = zones.iter().map(|zone| self.zone(zone, depth + 1)).collect();
                blocks.extend(self.by_kind(&leaves, &node.id, 7));
                Block::Column(blocks)
            }
        };
        let frame = match (node.kind, node.side) {
            (NodeKind::Account, Side::Customer) => Frame::Account,
            (NodeKind::Internet | NodeKind::Vendor | NodeKind::Account, _) => Frame::Foreign,
            _ => Frame::Inner,
        };
        let word = match node.kind {
            NodeKind::Account => "Account",
            NodeKind::Network => "Network",
            NodeKind::Subnet => "Subnet",
            NodeKind::Cluster => "Kafka cluster",
            NodeKind::Vendor => "Vendor",
            _ => "",
        };
        let heading = if node.label.to_lowercase().starts_with(&word.to_lowercase()) {
            node.label.clone()
        } else {
            format!("{word} {}", node.label)
        };
        zone(node.id.clone(), &heading, &format!("{heading} ({})", node.id), frame, blocks)
    }

    /// Control plane, data plane and observability beside each other.
    fn account(&mut self, node: &'a Node, zones: &[&'a Node], leaves: &[&'a Node], depth: u8) -> Block {
        let (mut control, mut data, mut watching) = (Vec::new(), Vec::new(), Vec::new());
        for leaf in leaves {
            let panel = match (leaf.kind, leaf.plane) {
                (NodeKind::Log, _) | (_, Plane::Observability) => &mut watching,
                (NodeKind::Principal, Plane::Data) => &mut data,
                (NodeKind::Principal, _) | (_, Plane::Control) => &mut control,
                _ => &mut data,
            };
            panel.push(*leaf);
        }
        let mut panels = Vec::new();
        let mut panel = |heading: &str, blocks: Vec<Block>, row: bool| {
            if !blocks.is_empty() {
                let id = format!("{}#{heading}", node.id);
                let inside = if row { Block::Row(PANELS, blocks) } else { Block::Column(blocks) };
                panels.push(zone(id, heading, heading, Frame::Panel, inside));
            }
        };
        panel("Control plane", self.by_kind(&control, &format!("{}#control", node.id), 10), false);
        let (shown, rest) = self.select(zones, 6);
        let mut nested: Vec<Block> = shown.into_iter().map(|zone| self.zone(zone, depth + 1)).collect();
        nested.extend(self.more(&rest, "zones", &node.id));
        let mut middle = Vec::new();
        if !nested.is_empty() {
            middle.push(Block::Column(nested));
        }
        let groups = self.by_kind(&data, &format!("{}#data", node.id), 6);
        if !groups.is_empty() {
            middle.push(Block::Column(groups));
        }
        panel("Data plane", middle, true);
        panel("Observability", self.by_kind(&watching, &format!("{}#observability", node.id), 10), false);
        Block::Row(PANELS, panels)
    }

    fn network(&mut self, node: &'a Node, zones: &[&'a Node], leaves: &[&'a Node], depth: u8) -> Block {
        let (shown, rest) = self.select(zones, 6);
        let mut subnets: Vec<Block> = shown.into_iter().map(|zone| self.zone(zone, depth + 1)).collect();
        subnets.extend(self.more(&rest, "subnets", &node.id));
        let mut rows = Vec::new();
        let mut row = Vec::new();
        for subnet in subnets {
            row.push(subnet);
            if row.len() == 3 {
                rows.push(Block::Row(COLUMNS, std::mem::take(&mut row)));
            }
        }
        if !row.is_empty() {
            rows.push(Block::Row(COLUMNS, row));
        }
        let groups = self.by_kind(leaves, &node.id, 2);
        if !groups.is_empty() {
            rows.push(Block::Row(COLUMNS, groups));
        }
        Block::Column(rows)
    }

    /// Nodes in groups of one kind, each with at most so many members, in columns of so many rows.
    fn by_kind(&mut self, nodes: &[&'a Node], place: &str, rows: usize) -> Vec<Block> {
        const KINDS: [(NodeKind, &str, &str, usize); 9] = [
            (NodeKind::Broker, "Brokers", "brokers", 9),
            (NodeKind::Listener, "Listeners", "listeners", 9),
            (NodeKind::Topic, "Topics", "topics", 12),
            (NodeKind::Host, "Hosts", "hosts", 6),
            (NodeKind::Endpoint, "Private endpoints", "endpoints", 6),
            (NodeKind::Store, "Stores", "stores", 8),
            (NodeKind::Key, "Keys", "keys", 6),
            (NodeKind::Log, "Logs", "logs", 8),
            (NodeKind::Principal, "Principals", "principals", 10),
        ];
        let mut blocks = Vec::new();
        for (kind, heading, what, limit) in KINDS {
            let mut members: Vec<&Node> = nodes.iter().copied().filter(|node| node.kind == kind).collect();
            if kind == NodeKind::Principal {
                let before = members.len();
                members.retain(|node| self.matters(node));
                self.idle += before - members.len();
            }
            if members.is_empty() {
                continue;
            }
            let (mut leaves, apart) = self.alike(&members, place);
            let (shown, rest) = self.select(&apart, limit);
            leaves.extend(shown.into_iter().map(|node| self.leaf(node)));
            leaves.extend(self.more(&rest, what, &format!("{place}#{what}")));
            let inside = columns(leaves, rows);
            blocks.push(zone(format!("{place}#group-{what}"), heading, heading, Frame::Group, inside));
        }
        blocks
    }

    /// One box for each lot of nodes that differ only in number, and the nodes that stand alone.
    fn alike(&mut self, nodes: &[&'a Node], place: &str) -> (Vec<Block>, Vec<&'a Node>) {
        let mut lots: BTreeMap<(String, bool), Vec<&Node>> = BTreeMap::new();
        let mut apart = Vec::new();
        for node in nodes {
            let reached = self.reached.contains(node.id.as_str());
            let lot = match node.kind {
                NodeKind::Listener => Some(node.label.clone()),
                NodeKind::Store if node.id.contains(":volume/") => Some("volumes".to_owned()),
                NodeKind::Store if node.id.contains(":snapshot/") => Some("snapshots".to_owned()),
                _ => None,
            };
            match lot {
                Some(lot) => lots.entry((lot, reached)).or_default().push(node),
                None => apart.push(*node),
            }
        }
        let mut blocks = Vec::new();
        for ((name, reached), members) in lots {
            let listeners = members.iter().all(|node| node.kind == NodeKind::Listener);
            if members.len() <= if listeners { 1 } else { DISKS_APART } {
                apart.extend(members);
                continue;
            }
            let id = format!("lot:{place}#{name}-{reached}");
            for node in &members {
                self.stand_in(node, &id, 0);
            }
            let names: Vec<&str> = members.iter().map(|node| node.id.as_str()).take(NAMED).collect();
            blocks.push(Block::Leaf(Leaf {
                label: if listeners {
                    format!("{name} ×{}", members.len())
                } else {
                    format!("{} {name}", members.len())
                },
                caption: members.first().map(|node| caption(node)).unwrap_or_default(),
                title: names.join(", "),
                look: if reached { Look::Reached } else { Look::Plain },
                id,
            }));
        }
        apart.sort_by(|a, b| (&a.label, &a.id).cmp(&(&b.label, &b.id)));
        (blocks, apart)
    }

    fn matters(&self, node: &Node) -> bool {
        self.reached.contains(node.id.as_str()) || self.touched.contains(node.id.as_str())
    }

    /// The most telling nodes up to a limit, in their own order, and the rest.
    fn select(&self, nodes: &[&'a Node], limit: usize) -> (Vec<&'a Node>, Vec<&'a Node>) {
        if nodes.len() <= limit {
            return (nodes.to_vec(), Vec::new());
        }
        let mut ranked: Vec<&Node> = nodes.to_vec();
        ranked.sort_by_key(|node| {
            let id = node.id.as_str();
            (!self.tells(node, 0), !foreign(node.side), !self.touched.contains(id), &node.label, id)
        });
        let shown: BTreeSet<&str> = ranked.iter().take(limit).map(|node| node.id.as_str()).collect();
        nodes.iter().copied().partition(|node| shown.contains(node.id.as_str()))
    }

    /// Whether a node, or one in its zone, lies on a plaintext path from outside.
    fn tells(&self, node: &Node, depth: u8) -> bool {
        self.reached.contains(node.id.as_str())
            || (depth < DEPTH
                && self.zones.contains_key(node.id.as_str())
                && self
                    .children
                    .get(node.id.as_str())
                    .is_some_and(|children| children.iter().any(|child| self.tells(child, depth + 1))))
    }

    fn leaf(&mut self, node: &Node) -> Block {
        self.stands_for.insert(node.id.clone(), node.id.clone());
        let look = if foreign(node.side) {
            Look::Foreign
        } else if self.reached.contains(node.id.as_str()) {
            Look::Reached
        } else {
            Look::Plain
        };
        Block::Leaf(Leaf {
            id: node.id.clone(),
            label: node.label.clone(),
            caption: caption(node),
            title: format!("{} ({}, {})", node.id, kind(node.kind), words::side(node.side)),
            look,
        })
    }

    /// One box for all that is not drawn.
    fn more(&mut self, rest: &[&'a Node], what: &str, place: &str) -> Option<Block> {
        if rest.is_empty() {
            return None;
        }
        let id = format!("more:{place}");
        for node in rest {
            self.stand_in(node, &id, 0);
        }
        let mut title =
            rest.iter().take(NAMED).map(|node| node.label.as_str()).collect::<Vec<_>>().join(", ");
        if rest.len() > NAMED {
            title.push_str(&format!(" and {} more", rest.len() - NAMED));
        }
        let label = format!("+{} more {what}", rest.len());
        Some(Block::Leaf(Leaf { id, label, caption: String::new(), title, look: Look::More }))
    }

    fn stand_in(&mut self, node: &Node, id: &str, depth: u8) {
        self.stands_for.insert(node.id.clone(), id.to_owned());
        if depth < DEPTH && self.zones.contains_key(node.id.as_str()) {
            for child in self.children.get(node.id.as_str()).cloned().unwrap_or_default() {
                self.stand_in(child, id, depth + 1);
            }
        }
    }
}

fn zone(id: String, heading: &str, title: &str, kind: Frame, inside: Block) -> Block {
    Block::Zone(Zone {
        id,
        heading: heading.trim().to_owned(),
        title: title.trim().to_owned(),
        kind,
        inside: Box::new(inside),
    })
}

/// A list in as many columns of equal height as it takes.
fn columns(leaves: Vec<Block>, rows: usize) -> Block {
    let number = leaves.len().div_ceil(rows.max(1));
    if number <= 1 {
        return Block::Column(leaves);
    }
    let height = leaves.len().div_ceil(number);
    let mut columns = Vec::new();
    let mut column = Vec::new();
    for leaf in leaves {
        column.push(leaf);
        if column.len() == height {
            columns.push(Block::Column(std::mem::take(&mut column)));
        }
    }
    if !column.is_empty() {
        columns.push(Block::Column(column));
    }
    Block::Row(COLUMNS, columns)
}

fn caption(node: &Node) -> String {
    let mut caption = kind(node.kind).to_owned();
    match node.side {
        Side::Customer => {}
        side => caption.push_str(&format!(", {}", words::side(side))),
    }
    caption
}

const fn kind(kind: NodeKind) -> &'static str {
    match kind {
        NodeKind::Account => "account",
        NodeKind::Network => "network",
        NodeKind::Subnet => "subnet",
        NodeKind::Internet => "internet",
        NodeKind::Vendor => "vendor",
        NodeKind::Principal => "principal",
        NodeKind::Host => "host",
        NodeKind::Store => "store",
        NodeKind::Key => "key",
        NodeKind::Log => "log",
        NodeKind::Endpoint => "endpoint",
        NodeKind::Cluster => "cluster",
        NodeKind::Broker => "broker",
        NodeKind::Listener => "listener",
        NodeKind::Topic => "topic",
    }
}
