//! Topics, ACLs, users and quotas of the common Kafka providers, in the shapes of `docs/formats/kafka-records.md`:
//! `Mongey/kafka`, `confluentinc/confluent`, `redpanda-data/redpanda`, and `aws_msk_topic`.

use cadastre_model::Scope;
use cadastre_model::declaration::{Cluster, Declaration};
use serde_json::{Value, json};

use crate::account::{Places, only};
use crate::block::{Block, NotKnown, Read};
use crate::parse::ResourceChange;
use crate::world::{ListKey, Question, World};

/// Every type that is read.
pub(crate) const KINDS: &[&str] = &[
    "aws_msk_topic",
    "confluent_kafka_acl",
    "confluent_kafka_topic",
    "kafka_acl",
    "kafka_quota",
    "kafka_topic",
    "kafka_user_scram_credential",
    "redpanda_acl",
    "redpanda_topic",
    "redpanda_user",
];

/// The declared cluster that a resource belongs to: the one whose bootstrap servers its provider names, or the only
/// one there is.
pub(crate) fn cluster(
    change: &ResourceChange<'_>,
    places: &Places<'_>,
    declaration: &Declaration,
) -> Option<String> {
    if !KINDS.contains(&change.kind) {
        return None;
    }
    let servers =
        places.provider(change).get("bootstrap_servers").and_then(|value| value.get("constant_value"));
    let servers: Vec<&str> = match servers {
        Some(Value::Array(servers)) => servers.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(server)) => vec![server],
        _ => Vec::new(),
    };
    let named = |cluster: &&Cluster| {
        servers.iter().any(|server| cluster.bootstrap.iter().any(|known| known == server))
    };
    let name = |cluster: &Cluster| cluster.name.clone();
    if servers.is_empty() {
        return only(declaration.clusters.iter()).map(name);
    }
    only(declaration.clusters.iter().filter(named)).map(name)
}

/// Brings one resource into the world.
pub(crate) fn translate(block: &Block<'_, '_>, cluster: &str, world: &mut World) {
    let (operation, read) = match block.resource.kind {
        "kafka_acl" | "confluent_kafka_acl" | "redpanda_acl" => {
            ("kafka:DescribeAcls", acl(block, cluster, world))
        }
        "kafka_topic" | "redpanda_topic" | "aws_msk_topic" | "confluent_kafka_topic" => {
            ("kafka:Metadata", topic(block, cluster, world))
        }
        "kafka_user_scram_credential" | "redpanda_user" => {
            ("kafka:DescribeUserScramCredentials", user(block, cluster, world))
        }
        "kafka_quota" => ("kafka:DescribeClientQuotas", quota(block, cluster, world)),
        _ => return,
    };
    if let Err(missing) = read {
        world.gap(question(operation, cluster), block.resource.address, &missing);
    }
}

fn question(operation: &'static str, cluster: &str) -> Question {
    Question { collector: "kafka", operation, scope: Scope::cluster(cluster), subject: cluster.to_owned() }
}

fn list(operation: &'static str, member: &'static str, cluster: &str) -> ListKey {
    ListKey { question: question(operation, cluster), member }
}

/// `TransactionalID`, `TRANSACTIONAL_ID`, `Read` and `READ` in the words of the records.
fn constant(text: &str) -> String {
    let mut words = String::new();
    let mut previous = '_';
    for character in text.chars() {
        if character.is_ascii_uppercase() && previous.is_ascii_lowercase() {
            words.push('_');
        }
        words.push(if character == '-' { '_' } else { character.to_ascii_uppercase() });
        previous = character;
    }
    words
}

fn acl(block: &Block<'_, '_>, cluster: &str, world: &mut World) -> Read<()> {
    let [principal, host, operation, permission, pattern] = match block.resource.kind {
        "kafka_acl" => [
            "acl_principal",
            "acl_host",
            "acl_operation",
            "acl_permission_type",
            "resource_pattern_type_filter",
        ],
        "redpanda_acl" => ["principal", "host", "operation", "permission_type", "resource_pattern_type"],
        _ => ["principal", "host", "operation", "permission", "pattern_type"],
    };
    let binding = json!({
        "resource_type": constant(block.required_word("resource_type")?),
        "resource_name": block.required_word("resource_name")?,
        "pattern_type": constant(block.word(pattern)?.unwrap_or("LITERAL")),
        "principal": block.required(principal)?,
        "host": block.word(host)?.unwrap_or("*"),
        "operation": constant(block.required_word(operation)?),
        "permission": constant(block.required_word(permission)?),
    });
    let id = serde_json_canonicalizer::to_string(&binding).unwrap_or_default();
    world.put(list("kafka:DescribeAcls", "bindings", cluster), id, binding);
    Ok(())
}

fn topic(block: &Block<'_, '_>, cluster: &str, world: &mut World) -> Read<()> {
    let [name, partitions, replicas, configuration] = match block.resource.kind {
        "kafka_topic" => ["name", "partitions", "replication_factor", "config"],
        "redpanda_topic" => ["name", "partition_count", "replication_factor", "configuration"],
        "aws_msk_topic" => ["name", "partition_count", "replication_factor", "configs"],
        _ => ["topic_name", "partitions_count", "replication_factor", "config"],
    };
    let name = block.required_word(name)?;
    let count = |argument: &str| -> Read<usize> {
        let number = block.integer(argument)?.and_then(|number| usize::try_from(number).ok());
        number.filter(|number| (1..=100_000).contains(number)).ok_or_else(|| NotKnown(argument.to_owned()))
    };
    let replicas: Vec<usize> = (0..count(replicas)?.min(100)).collect();
    let partitions: Vec<Value> = (0..count(partitions)?)
        .map(|partition| json!({"partition": partition, "replicas": replicas}))
        .collect();
    let topic = json!({"name": name, "internal": false, "partitions": partitions});
    world.put(list("kafka:Metadata", "topics", cluster), name.to_owned(), topic);
    let entries = match (block.resource.kind, block.word(configuration)) {
        ("aws_msk_topic", Ok(Some(text))) => match serde_json::from_str(text) {
            Ok(Value::Object(members)) => members
                .into_iter()
                .map(|(name, value)| (name, value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
                .collect(),
            _ => return Err(NotKnown(configuration.to_owned())),
        },
        _ => block.map(configuration)?,
    };
    let configs: Vec<Value> = entries
        .into_iter()
        .map(|(name, value)| {
            json!({"name": name, "value": value, "source": "DYNAMIC_TOPIC_CONFIG", "sensitive": false, "read_only": false,
                "type": "STRING", "synonyms": []})
        })
        .collect();
    let resource = json!({"resource_type": "TOPIC", "resource_name": name, "configs": configs});
    world.put(list("kafka:DescribeConfigs", "resources", cluster), name.to_owned(), resource);
    Ok(())
}

fn user(block: &Block<'_, '_>, cluster: &str, world: &mut World) -> Read<()> {
    let [name, mechanism] = match block.resource.kind {
        "redpanda_user" => ["name", "mechanism"],
        _ => ["username", "scram_mechanism"],
    };
    let name = block.required_word(name)?;
    let mechanism = block.required_word(mechanism)?.to_ascii_uppercase().replace('_', "-");
    // Kafka's default, and the provider's ("kafka_user_scram_credential").
    let iterations = block.integer("scram_iterations")?.unwrap_or(4096);
    let value = json!({"user": name, "credentials": [{"mechanism": mechanism, "iterations": iterations}]});
    world.put(list("kafka:DescribeUserScramCredentials", "users", cluster), name.to_owned(), value);
    Ok(())
}

fn quota(block: &Block<'_, '_>, cluster: &str, world: &mut World) -> Read<()> {
    let mut limits = serde_json::Map::new();
    for (name, value) in block.map("config")? {
        let number: f64 = value.parse().ok().ok_or_else(|| NotKnown("config".to_owned()))?;
        limits.insert(name, json!(number));
    }
    let entity = json!([{"type": block.required_word("entity_type")?, "name": block.word("entity_name")?}]);
    let value = json!({"entity": entity, "limits": limits});
    let id = serde_json_canonicalizer::to_string(&value).unwrap_or_default();
    world.put(list("kafka:DescribeClientQuotas", "entries", cluster), id, value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_providers_words_become_those_of_the_records() {
        for (given, expected) in [
            ("Topic", "TOPIC"),
            ("TransactionalID", "TRANSACTIONAL_ID"),
            ("TRANSACTIONAL_ID", "TRANSACTIONAL_ID"),
            ("DescribeConfigs", "DESCRIBE_CONFIGS"),
            ("read", "READ"),
        ] {
            assert_eq!(constant(given), expected);
        }
    }
}
