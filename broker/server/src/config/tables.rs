//! The tables of every broker and topic property that Apache Kafka 4.x knows, and our own few.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::definition::{Constraint, PropertyDefinition, PropertyType, UpdateMode, Visibility};

/// Broker properties, by name.
pub static BROKER_PROPERTIES: LazyLock<BTreeMap<&'static str, PropertyDefinition>> =
    LazyLock::new(|| rows(include_str!("properties.tsv")).filter_map(broker_property).map(named).collect());

/// Our own properties, by name. They say what Kafka has no word for.
pub static OWN_PROPERTIES: LazyLock<BTreeMap<&'static str, PropertyDefinition>> = LazyLock::new(|| {
    rows(include_str!("own_properties.tsv")).filter_map(broker_property).map(named).collect()
});

/// Topic properties, by name.
pub static TOPIC_PROPERTIES: LazyLock<BTreeMap<&'static str, TopicProperty>> = LazyLock::new(|| {
    rows(include_str!("topic_properties.tsv"))
        .filter_map(topic_property)
        .map(|property| (property.definition.name, property))
        .collect()
});

/// Group properties, by name. Those of consumers rule groups of the protocol of KIP-848; groups of the classic protocol bring their
/// own timeouts.
pub static GROUP_PROPERTIES: LazyLock<BTreeMap<&'static str, TopicProperty>> = LazyLock::new(|| {
    rows(include_str!("group_properties.tsv"))
        .filter_map(topic_property)
        .map(|property| (property.definition.name, property))
        .collect()
});

/// A topic's or group's property and the broker properties whose values it inherits, most specific first.
#[derive(Debug, Clone, PartialEq)]
pub struct TopicProperty {
    /// What values look like.
    pub definition: PropertyDefinition,
    /// Broker properties and what their value is multiplied with to fit the topic's unit.
    pub synonyms: Vec<(&'static str, i64)>,
}

/// The definition of a broker property, Kafka's or ours.
#[must_use]
pub fn broker_definition(name: &str) -> Option<&'static PropertyDefinition> {
    BROKER_PROPERTIES.get(name).or_else(|| OWN_PROPERTIES.get(name))
}

fn rows(table: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    table.lines().filter(|line| !line.starts_with('#')).map(|line| line.split('\t').collect())
}

fn named(definition: PropertyDefinition) -> (&'static str, PropertyDefinition) {
    (definition.name, definition)
}

fn default_value(text: &'static str) -> Option<&'static str> {
    match text {
        "-" | "!" => None,
        "\"\"" => Some(""),
        text => Some(text),
    }
}

fn broker_property(row: Vec<&'static str>) -> Option<PropertyDefinition> {
    let [name, kind, default, update, visibility, constraint, meaning, ..] = row[..] else { return None };
    Some(PropertyDefinition {
        name,
        kind: PropertyType::of(kind)?,
        default: default_value(default),
        update: match update {
            "per-broker" => UpdateMode::PerBroker,
            "cluster-wide" => UpdateMode::ClusterWide,
            _ => UpdateMode::ReadOnly,
        },
        visibility: match visibility {
            "internal" => Visibility::Internal,
            "dynamic" => Visibility::Dynamic,
            _ => Visibility::Public,
        },
        constraint: Constraint::of(constraint),
        honoured: meaning == "honoured",
    })
}

fn topic_property(row: Vec<&'static str>) -> Option<TopicProperty> {
    let [name, kind, default, constraint, synonyms] = row[..] else { return None };
    Some(TopicProperty {
        definition: PropertyDefinition {
            name,
            kind: PropertyType::of(kind)?,
            default: default_value(default),
            update: UpdateMode::ClusterWide,
            visibility: if name.starts_with("internal.") { Visibility::Internal } else { Visibility::Public },
            constraint: Constraint::of(constraint),
            honoured: true,
        },
        synonyms: synonyms
            .split(',')
            .filter(|&synonym| synonym != "-")
            .map(|name| (name, unit(name)))
            .collect(),
    })
}

/// Milliseconds in the unit a broker property ends with; 1 for those without a time unit in the name.
fn unit(synonym: &str) -> i64 {
    match synonym.rsplit('.').next() {
        Some("hours") => 3_600_000,
        Some("minutes") => 60_000,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_every_table_is_understood() {
        let lines = |table: &str| table.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(BROKER_PROPERTIES.len(), lines(include_str!("properties.tsv")));
        assert_eq!(OWN_PROPERTIES.len(), lines(include_str!("own_properties.tsv")));
        assert_eq!(TOPIC_PROPERTIES.len(), lines(include_str!("topic_properties.tsv")));
        assert_eq!(GROUP_PROPERTIES.len(), lines(include_str!("group_properties.tsv")));
    }

    #[test]
    fn every_default_passes_its_own_check() {
        let topic = TOPIC_PROPERTIES.values().map(|property| &property.definition);
        for definition in BROKER_PROPERTIES.values().chain(OWN_PROPERTIES.values()).chain(topic) {
            if let Some(default) = definition.default.filter(|default| !default.is_empty()) {
                assert_eq!(definition.check(default).as_deref(), Ok(default), "{}", definition.name);
            }
        }
    }

    #[test]
    fn every_topic_property_falls_back_to_broker_properties_that_exist() {
        for property in TOPIC_PROPERTIES.values() {
            for (synonym, _) in &property.synonyms {
                assert!(BROKER_PROPERTIES.contains_key(synonym), "{synonym}");
            }
        }
        assert_eq!(
            TOPIC_PROPERTIES["retention.ms"].synonyms,
            [("log.retention.ms", 1), ("log.retention.minutes", 60_000), ("log.retention.hours", 3_600_000)]
        );
    }

    #[test]
    fn our_own_properties_are_documented() {
        let documentation = include_str!("../../PROPERTIES.md");
        for definition in OWN_PROPERTIES.values() {
            assert!(documentation.contains(&format!("| `{}` |", definition.name)), "{}", definition.name);
        }
    }

    #[test]
    fn passwords_are_sensitive() {
        for name in
            ["ssl.key.password", "ssl.keystore.key", "sasl.jaas.config", "delegation.token.secret.key"]
        {
            assert!(BROKER_PROPERTIES[name].is_sensitive(), "{name}");
        }
    }
}
