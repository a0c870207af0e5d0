//! An answer as a tree of named fields, read from what `Debug` writes of it: the wire types have no other view of all their fields.

use anyhow::{Context, bail};

/// A field's value, or what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Node {
    /// As `Debug` writes it.
    Leaf(String),
    /// Named fields, in the schema's order.
    Fields(Vec<(String, Node)>),
    /// Elements, in the answer's order.
    List(Vec<Node>),
}

impl Node {
    /// Reads what `{:#?}` wrote.
    pub(crate) fn read(text: &str) -> anyhow::Result<Self> {
        let mut lines = text.lines().map(str::trim).peekable();
        let first = lines.next().context("nothing was written")?;
        value(first, &mut lines).with_context(|| format!("not understood: {text}"))
    }

    /// How many leaves it has.
    pub(crate) fn leaves(&self) -> usize {
        match self {
            Self::Leaf(_) => 1,
            Self::Fields(fields) => fields.iter().map(|(_, node)| node.leaves()).sum(),
            Self::List(nodes) => nodes.iter().map(Self::leaves).sum(),
        }
    }

    /// A field of it.
    pub(crate) fn field(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Fields(fields) => fields.iter().find(|(own, _)| own == name).map(|(_, node)| node),
            Self::Leaf(_) | Self::List(_) => None,
        }
    }

    /// What it shows on a page, shortened.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Leaf(text) => text.chars().take(80).collect(),
            Self::Fields(fields) => {
                let fields: Vec<_> =
                    fields.iter().map(|(name, node)| format!("{name}: {}", node.shown())).collect();
                format!("{{{}}}", fields.join(", ")).chars().take(160).collect()
            }
            Self::List(nodes) => format!("{} elements", nodes.len()),
        }
    }
}

/// The value that begins with `first`, which is a line without its field's name.
fn value<'a>(first: &str, lines: &mut impl Iterator<Item = &'a str>) -> anyhow::Result<Node> {
    let first = first.strip_suffix(',').unwrap_or(first);
    // A text in quotes is a leaf, whatever it ends with.
    match first.chars().last() {
        Some('{') if !first.starts_with('"') => fields(lines),
        Some('[') if !first.starts_with('"') => elements(lines),
        Some('(') if !first.starts_with('"') => {
            let inner = lines.next().context("a tuple holds something")?;
            let node = value(inner, lines)?;
            let end = lines.next();
            if !matches!(end, Some(")" | "),")) {
                bail!("a tuple of more than one value: {end:?}");
            }
            Ok(node)
        }
        _ => Ok(Node::Leaf(first.to_owned())),
    }
}

fn fields<'a>(lines: &mut impl Iterator<Item = &'a str>) -> anyhow::Result<Node> {
    let mut fields = Vec::new();
    loop {
        let line = lines.next().context("a structure ends")?;
        if matches!(line, "}" | "},") {
            return Ok(Node::Fields(fields));
        }
        let (name, rest) = line.split_once(": ").context("a field has a name")?;
        let node = value(rest, lines)?;
        // Fields that no schema names are none that can be compared by name.
        if name != "unknown_tagged_fields" {
            fields.push((name.to_owned(), node));
        }
    }
}

fn elements<'a>(lines: &mut impl Iterator<Item = &'a str>) -> anyhow::Result<Node> {
    let mut nodes = Vec::new();
    loop {
        let line = lines.next().context("a list ends")?;
        if matches!(line, "]" | "],") {
            return Ok(Node::List(nodes));
        }
        nodes.push(value(line, lines)?);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cadastre_protocol::StrBytes;
    use cadastre_protocol::messages::metadata_response::{MetadataResponseBroker, MetadataResponseTopic};
    use cadastre_protocol::messages::{BrokerId, MetadataResponse, TopicName};

    #[test]
    fn every_field_of_an_answer_is_found() {
        let broker = MetadataResponseBroker::default()
            .with_node_id(BrokerId(7))
            .with_host(StrBytes::from_static_str("a host, with: [odd {"));
        let topic = MetadataResponseTopic::default()
            .with_name(Some(TopicName(StrBytes::from_static_str("payments"))))
            .with_error_code(3);
        let answer = MetadataResponse::default().with_brokers(vec![broker]).with_topics(vec![topic]);
        let node = Node::read(&format!("{answer:#?}")).unwrap();
        let leaf = |node: &Node, name: &str| node.field(name).unwrap().shown();
        let Some(Node::List(brokers)) = node.field("brokers") else { panic!("{node:?}") };
        assert_eq!(leaf(&brokers[0], "node_id"), "7");
        assert_eq!(leaf(&brokers[0], "host"), "\"a host, with: [odd {\"");
        assert_eq!(leaf(&brokers[0], "rack"), "None");
        let Some(Node::List(topics)) = node.field("topics") else { panic!("{node:?}") };
        assert_eq!(
            (leaf(&topics[0], "name").as_str(), leaf(&topics[0], "error_code").as_str()),
            ("\"payments\"", "3")
        );
        assert_eq!(topics[0].field("partitions"), Some(&Node::Leaf("[]".to_owned())));
        assert!(node.leaves() > 10);
    }
}
