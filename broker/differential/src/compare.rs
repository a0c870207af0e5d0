//! Where two answers to the same request differ.

use crate::fields::Node;

/// One field in which they differ.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Difference {
    /// The field, by the names that lead to it; `[]` stands for an element.
    pub(crate) path: String,
    /// What Apache Kafka answered.
    pub(crate) kafka: String,
    /// What the broker answered.
    pub(crate) own: String,
}

/// How a field is compared whose value is the server's own business.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// Where a process listens, how long it took, how large its files are.
    Ignored,
    /// Ids and messages: whether there is one.
    Presence,
}

/// Fields whose values cannot be the same, by name.
const RULES: &[(&str, Rule)] = &[
    ("throttle_time_ms", Rule::Ignored),
    ("host", Rule::Ignored),
    ("port", Rule::Ignored),
    ("log_dir", Rule::Ignored),
    ("total_bytes", Rule::Presence),
    ("usable_bytes", Rule::Presence),
    ("partition_size", Rule::Presence),
    ("cluster_id", Rule::Presence),
    ("topic_id", Rule::Presence),
    ("producer_id", Rule::Presence),
    ("current_producer_id", Rule::Presence),
    ("session_id", Rule::Presence),
    ("member_id", Rule::Presence),
    ("leader", Rule::Presence),
    ("log_append_time_ms", Rule::Presence),
    ("last_timestamp", Rule::Presence),
    ("last_fetch_timestamp", Rule::Presence),
    ("last_caught_up_timestamp", Rule::Presence),
    ("transaction_start_time_ms", Rule::Presence),
    ("error_message", Rule::Presence),
    ("batch_index_error_message", Rule::Presence),
    ("salt", Rule::Presence),
    ("documentation", Rule::Presence),
    ("replica_directory_id", Rule::Presence),
    ("voter_directory_id", Rule::Presence),
];

/// What tells an element of a list from the others, so that elements in another order are still compared with their own.
const KEYS: &[&str] = &[
    "name",
    "topic",
    "topic_name",
    "partition_index",
    "partition",
    "partition_id",
    "index",
    "group_id",
    "group",
    "key",
    "transactional_id",
    "resource_type",
    "resource_name",
    "user",
    "user_name",
    "node_id",
    "broker_id",
    "api_key",
    "principal",
    "operation",
    "entity_type",
    "entity_name",
    "mechanism",
];

/// Every field in which the answers differ.
pub(crate) fn compare(kafka: &Node, own: &Node) -> Vec<Difference> {
    let mut differences = Vec::new();
    walk("", kafka, own, &mut differences);
    differences
}

fn walk(path: &str, kafka: &Node, own: &Node, differences: &mut Vec<Difference>) {
    if kafka == own {
        return;
    }
    match (kafka, own) {
        (Node::Fields(fields), Node::Fields(_)) => {
            for (name, node) in fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                let other = own.field(name);
                match rule(name) {
                    Some(Rule::Ignored) => {}
                    Some(Rule::Presence) => {
                        let [kafka, own] = [is_there(node), other.is_some_and(is_there)];
                        if kafka != own {
                            let shown = |is_there: bool| if is_there { "one" } else { "none" }.to_owned();
                            differences.push(difference(&path, shown(kafka), shown(own)));
                        }
                    }
                    None => match other {
                        Some(other) => walk(&path, node, other, differences),
                        None => differences.push(difference(&path, node.shown(), "no such field".to_owned())),
                    },
                }
            }
        }
        (Node::List(_) | Node::Leaf(_), Node::List(_)) | (Node::List(_), Node::Leaf(_)) => {
            lists(&format!("{path}[]"), elements(kafka), elements(own), differences);
        }
        _ => differences.push(difference(path, kafka.shown(), own.shown())),
    }
}

fn lists(path: &str, kafka: &[Node], own: &[Node], differences: &mut Vec<Difference>) {
    if kafka.iter().map(identity).eq(own.iter().map(identity)) {
        for (kafka, own) in kafka.iter().zip(own) {
            walk(&labelled(path, kafka), kafka, own, differences);
        }
        return;
    }
    let sorted = |nodes: &[Node]| {
        let mut nodes: Vec<(String, Node)> =
            nodes.iter().map(|node| (identity(node), node.clone())).collect();
        nodes.sort_by(|one, other| one.0.cmp(&other.0));
        nodes
    };
    let (kafka, own) = (sorted(kafka), sorted(own));
    let mut missing = false;
    for (key, _) in kafka.iter().filter(|(key, _)| own.iter().all(|(other, _)| other != key)) {
        missing = true;
        differences.push(difference(path, key.clone(), "missing".to_owned()));
    }
    for (key, _) in own.iter().filter(|(key, _)| kafka.iter().all(|(other, _)| other != key)) {
        missing = true;
        differences.push(difference(path, "missing".to_owned(), key.clone()));
    }
    if !missing {
        differences.push(difference(path, "in this order".to_owned(), "in another order".to_owned()));
    }
    for (key, node) in &kafka {
        if let Some((_, other)) = own.iter().find(|(other, _)| other == key) {
            walk(&labelled(path, node), node, other, differences);
        }
    }
}

/// Settings are told by their names; there are many in one answer.
fn labelled(path: &str, node: &Node) -> String {
    match (path.strip_suffix("configs[]"), node.field("name")) {
        (Some(before), Some(Node::Leaf(name))) => format!("{before}configs[{}]", name.trim_matches('"')),
        _ => path.to_owned(),
    }
}

fn difference(path: &str, kafka: String, own: String) -> Difference {
    Difference { path: path.to_owned(), kafka, own }
}

fn rule(name: &str) -> Option<Rule> {
    RULES.iter().find(|(own, _)| *own == name).map(|(_, rule)| *rule)
}

/// Whether there is a value: none, nothing, nil and negative numbers are none.
fn is_there(node: &Node) -> bool {
    match node {
        Node::Leaf(text) => {
            !matches!(
                text.as_str(),
                "None" | "\"\"" | "b\"\"" | "[]" | "00000000-0000-0000-0000-000000000000"
            ) && !text.starts_with('-')
        }
        Node::Fields(_) => true,
        Node::List(nodes) => !nodes.is_empty(),
    }
}

/// The elements of a list; `[]` is how an empty one is written.
fn elements(node: &Node) -> &[Node] {
    match node {
        Node::List(nodes) => nodes,
        Node::Leaf(_) | Node::Fields(_) => &[],
    }
}

/// What an element is about.
fn identity(node: &Node) -> String {
    match node {
        Node::Leaf(text) => text.clone(),
        Node::List(_) => "[]".to_owned(),
        Node::Fields(_) => {
            let mut keys: Vec<_> =
                KEYS.iter().filter_map(|key| Some(format!("{key} {}", node.field(key)?.shown()))).collect();
            // What has no name of its own is told by what it holds.
            if let (true, Node::Fields(fields)) = (keys.is_empty(), node) {
                keys.extend(fields.iter().flat_map(|(_, node)| elements(node)).map(identity));
                keys.sort();
            }
            keys.join(", ")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kafka: &str, own: &str, expected: &[(&str, &str, &str)]) {
        let found = compare(&Node::read(kafka).unwrap(), &Node::read(own).unwrap());
        let found: Vec<_> = found
            .iter()
            .map(|found| (found.path.as_str(), found.kafka.as_str(), found.own.as_str()))
            .collect();
        assert_eq!(found, expected);
    }

    fn topics(names: &[(&str, i16)]) -> String {
        let topics: String = names
            .iter()
            .map(|(name, code)| format!("T {{\nname: \"{name}\",\nerror_code: {code},\n}},\n"))
            .collect();
        format!("R {{\nthrottle_time_ms: {},\ntopics: [\n{topics}],\n}}", names.len())
    }

    #[test]
    fn equal_answers_do_not_differ() {
        check(&topics(&[("a", 0), ("b", 3)]), &topics(&[("a", 0), ("b", 3)]), &[]);
    }

    #[test]
    fn a_field_that_differs_is_named_by_its_path() {
        check(&topics(&[("a", 0)]), &topics(&[("a", 3)]), &[("topics[].error_code", "0", "3")]);
    }

    #[test]
    fn another_order_is_told_and_the_fields_are_compared_with_their_own() {
        check(
            &topics(&[("a", 0), ("b", 3)]),
            &topics(&[("b", 3), ("a", 1)]),
            &[("topics[]", "in this order", "in another order"), ("topics[].error_code", "0", "1")],
        );
    }

    #[test]
    fn what_one_side_lacks_is_told() {
        check(&topics(&[("a", 0), ("b", 3)]), &topics(&[("a", 0)]), &[("topics[]", "name \"b\"", "missing")]);
    }

    #[test]
    fn ids_and_messages_count_by_whether_they_are_there() {
        let answer = |message: &str| format!("R {{\nerror_message: {message},\nhost: {message},\n}}");
        check(&answer("Some(\n\"no\",\n)"), &answer("Some(\n\"never\",\n)"), &[]);
        check(&answer("Some(\n\"no\",\n)"), &answer("None"), &[("error_message", "one", "none")]);
    }
}
