//! What resources of Azure Resource Manager have in common.

use crate::node::{Node, Read};

/// The members of a resource: under `properties` in the API's answers, beside the name in what `az` prints.
pub(super) fn properties<'a>(node: &Node<'a>) -> Read<Node<'a>> {
    Ok(node.optional_object("properties")?.unwrap_or_else(|| node.clone()))
}

/// An id in lower case, as ids are compared.
pub(super) fn id(node: &Node<'_>) -> Read<String> {
    Ok(node.text("id")?.to_lowercase())
}

/// The id of another resource.
pub(super) fn reference(node: &Node<'_>, member: &str) -> Read<Option<String>> {
    node.optional_object(member)?.map(|other| id(&other)).transpose()
}

/// The ids of other resources.
pub(super) fn references(node: &Node<'_>, list: &str) -> Read<Vec<String>> {
    node.optional_list(list)?.iter().map(id).collect()
}

/// A text under one of two names, of which the second is older.
pub(super) fn text_of<'a>(node: &Node<'a>, name: &str, older: &str) -> Read<Option<&'a str>> {
    match node.optional_text(name)? {
        Some(text) => Ok(Some(text)),
        None => node.optional_text(older),
    }
}

/// The subscription in an id.
pub(super) fn subscription(id: &str) -> String {
    id.split('/').skip_while(|part| *part != "subscriptions").nth(1).unwrap_or_default().to_owned()
}

/// The resource that a part of it belongs to: its id without the last two parts.
pub(super) fn parent(id: &str, levels: usize) -> String {
    let parts: Vec<&str> = id.split('/').collect();
    parts.get(..parts.len().saturating_sub(2 * levels)).unwrap_or_default().join("/")
}

/// A region, which `az` and the portal may print with spaces and capitals.
pub(super) fn region(node: &Node<'_>) -> Read<String> {
    Ok(node.optional_text("location")?.unwrap_or_default().to_lowercase().replace(' ', ""))
}

/// A member that is one of two words, without regard to case.
pub(super) fn says(node: &Node<'_>, member: &str, word: &str) -> Read<bool> {
    Ok(node.optional_text(member)?.is_some_and(|text| text.eq_ignore_ascii_case(word)))
}

/// The name of a SKU.
pub(super) fn sku(node: &Node<'_>) -> Read<String> {
    let Some(sku) = node.optional_object("sku")? else { return Ok(String::new()) };
    Ok(sku.optional_text("name")?.unwrap_or_default().to_owned())
}

/// IANA protocol number; `None` for all of them.
pub(super) fn protocol(node: &Node<'_>) -> Read<Option<u8>> {
    Ok(match node.text("protocol")?.to_ascii_lowercase().as_str() {
        "*" | "any" | "all" => None,
        "tcp" => Some(6),
        "udp" => Some(17),
        "icmp" => Some(1),
        "esp" => Some(50),
        "ah" => Some(51),
        number => Some(number.parse().ok().ok_or_else(|| node.defect("a protocol"))?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_name_their_subscription_and_what_they_are_part_of() {
        let id = "/subscriptions/s/resourcegroups/g/providers/microsoft.network/virtualnetworks/v/subnets/n";
        assert_eq!(subscription(id), "s");
        assert_eq!(
            parent(id, 1),
            "/subscriptions/s/resourcegroups/g/providers/microsoft.network/virtualnetworks/v"
        );
        assert_eq!(parent("x", 1), "");
    }
}
