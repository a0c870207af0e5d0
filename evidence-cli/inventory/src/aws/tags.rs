//! Tags, which services spell in several ways.

use cadastre_model::asset::Tag;

use crate::node::{Node, Read};

/// Reads `[{"Key": …, "Value": …}]`, sorted; a list that is left out is empty.
pub(crate) fn read(node: &Node<'_>, list: &str) -> Read<Vec<Tag>> {
    spelled(node, list, "Key", "Value")
}

/// Reads a list whose members have other names.
pub(crate) fn spelled(node: &Node<'_>, list: &str, key: &str, value: &str) -> Read<Vec<Tag>> {
    let mut tags = Vec::new();
    for tag in node.optional_list(list)? {
        tags.push(Tag {
            key: tag.owned_text(key)?,
            value: tag.optional_owned_text(value)?.unwrap_or_default(),
        });
    }
    tags.sort();
    Ok(tags)
}
