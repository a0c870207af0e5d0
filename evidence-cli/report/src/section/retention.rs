//! Deletion and retention: how long records, their copies, keys and logs stay, from the topic to the last copy.

use std::collections::BTreeMap;

use cadastre_model::Known;
use cadastre_model::asset::kafka::{ConfigEntry, KafkaCluster, Topic};
use cadastre_model::asset::stores::Bucket;
use cadastre_model::declaration::{Declaration, Holds, matches_pattern};
use serde::Serialize;
use serde_json::Value;

use super::standing::{self, Standing};
use crate::citations::{Citations, Link};
use crate::input::ReportInput;
use crate::words;

/// Controls of the catalogue that judge deletion and retention.
const CONTROLS: [&str; 6] = ["KAF-13", "AUD-06", "KEY-06", "EXT-01", "EXT-02", "EXT-05"];

/// The stages that a record's bytes pass through until they are gone.
#[derive(Debug, Serialize)]
pub(crate) struct Retention {
    pub(crate) rows: Vec<Stage>,
    standing: Vec<Standing>,
}

/// One place and how long it keeps what it holds.
#[derive(Debug, Serialize)]
pub(crate) struct Stage {
    /// `topic`, `bucket`, `snapshot`, `key`, `log group`.
    pub(crate) kind: &'static str,
    pub(crate) name: String,
    /// What is configured.
    pub(crate) keeps: String,
    /// What the declaration asks for; empty where it says nothing.
    pub(crate) declared: String,
    pub(crate) evidence: Vec<Link>,
}

/// Builds the section: topics, stores, keys, logs, in the order in which bytes pass through them.
pub(crate) fn build(input: &ReportInput<'_>, citations: &mut Citations) -> Retention {
    let inventory = input.inventory;
    let mut rows = Vec::new();
    for cluster in &inventory.clusters {
        rows.extend(topics(cluster, input.declaration, citations));
    }
    for bucket in &inventory.buckets {
        rows.push(Stage {
            kind: "bucket",
            name: bucket.name.clone(),
            keeps: bucket_keeps(bucket),
            declared: holds(input.declaration, &bucket.arn),
            evidence: citations.records(&bucket.evidence),
        });
    }
    for snapshot in &inventory.snapshots {
        rows.push(Stage {
            kind: "snapshot",
            name: snapshot.id.clone(),
            keeps: "until somebody deletes it".to_owned(),
            declared: String::new(),
            evidence: citations.records(&snapshot.evidence),
        });
    }
    for key in &inventory.keys {
        if key.manager.observed().is_some_and(|manager| manager == "AWS") {
            continue;
        }
        let declared = input
            .declaration
            .keys
            .iter()
            .find(|known| known.id == key.arn || key.aliases.contains(&known.id));
        rows.push(Stage {
            kind: "key",
            name: key.aliases.first().unwrap_or(&key.arn).clone(),
            keeps: match &key.deletion_date {
                Known::Observed(date) => format!("destroyed on {date}, and what it protects with it"),
                Known::Absent => "until somebody schedules its deletion".to_owned(),
                Known::Unknown(missing) => format!("not known: {missing}"),
            },
            declared: declared
                .map(|declared| format!("waits at least {} before it is destroyed", declared.deletion_window))
                .unwrap_or_default(),
            evidence: citations.records(&key.evidence),
        });
    }
    for group in &inventory.log_groups {
        let declared = input.declaration.log_sinks.iter().find(|sink| sink.arn == group.arn);
        rows.push(Stage {
            kind: "log group",
            name: group.name.clone(),
            keeps: group.retention_days.map_or_else(
                || "without end".to_owned(),
                |days| words::count(usize::try_from(days).unwrap_or_default(), "day", "days"),
            ),
            declared: declared.map(|sink| format!("at least {}", sink.retention)).unwrap_or_default(),
            evidence: citations.records(&group.evidence),
        });
    }
    Retention { rows, standing: standing::of(input.checklist, &CONTROLS) }
}

fn topics(cluster: &KafkaCluster, declaration: &Declaration, citations: &mut Citations) -> Vec<Stage> {
    let declared = declaration.clusters.iter().find(|known| known.name == cluster.name);
    let class = |topic: &Topic| {
        declared?.topics.iter().find(|class| matches_pattern(&class.pattern, &topic.name)).map(
            |class| match (&class.retention, class.compacted) {
                (Some(period), true) => format!("{}: at most {period}, compacted", class.class),
                (Some(period), false) => format!("{}: at most {period}", class.class),
                (None, true) => format!("{}: compacted, without a limit", class.class),
                (None, false) => format!("{}: without a limit", class.class),
            },
        )
    };
    cluster
        .topics
        .observed()
        .into_iter()
        .flatten()
        .map(|topic| Stage {
            kind: "topic",
            name: format!("{}/{}", cluster.name, topic.name),
            keeps: match &topic.configs {
                Known::Observed(configs) => topic_keeps(configs),
                Known::Absent => "not known: its configuration is empty".to_owned(),
                Known::Unknown(missing) => format!("not known: {missing}"),
            },
            declared: class(topic).unwrap_or_default(),
            evidence: citations.records(&topic.evidence),
        })
        .collect()
}

/// `delete: 7 days`, `compact: the last record of every key`. Apache Kafka, "Topic Configs".
fn topic_keeps(configs: &BTreeMap<String, ConfigEntry>) -> String {
    let value = |name: &str| configs.get(name).and_then(|entry| entry.value.as_deref());
    let Some(policy) = value("cleanup.policy") else {
        return "not known: cleanup.policy does not show".to_owned();
    };
    let mut parts = Vec::new();
    if policy.split(',').any(|part| part.trim() == "delete") {
        parts.push(match value("retention.ms").map(str::parse::<i64>) {
            Some(Ok(-1)) => "without end".to_owned(),
            Some(Ok(milliseconds)) => format!("records for {}", length(milliseconds / 1_000)),
            _ => "not known: retention.ms does not show".to_owned(),
        });
    }
    if policy.split(',').any(|part| part.trim() == "compact") {
        parts.push("the last record of every key without end".to_owned());
    }
    match value("retention.bytes").map(str::parse::<i64>) {
        Some(Ok(bytes)) if bytes >= 0 => parts.push(format!("{bytes} bytes of each partition at most")),
        _ => {}
    }
    parts.join("; ")
}

/// A length of time in the largest unit that fits without a rest.
fn length(seconds: i64) -> String {
    let (number, singular, plural) = match seconds {
        s if s % 86_400 == 0 => (s / 86_400, "day", "days"),
        s if s % 3_600 == 0 => (s / 3_600, "hour", "hours"),
        s if s % 60 == 0 => (s / 60, "minute", "minutes"),
        s => (s, "second", "seconds"),
    };
    words::count(usize::try_from(number).unwrap_or_default(), singular, plural)
}

fn bucket_keeps(bucket: &Bucket) -> String {
    let mut parts = vec![match &bucket.lifecycle {
        Known::Observed(rules) => {
            let told: Vec<String> = rules.iter().filter_map(rule).collect();
            if told.is_empty() {
                "no rule of its lifecycle deletes anything".to_owned()
            } else {
                told.join("; ")
            }
        }
        Known::Absent => "until somebody deletes it: it has no lifecycle".to_owned(),
        Known::Unknown(missing) => format!("lifecycle not known: {missing}"),
    }];
    match &bucket.versioning {
        Known::Observed(state) => parts.push(format!("versioning {}", state.to_lowercase())),
        Known::Absent => parts.push("no versions".to_owned()),
        Known::Unknown(missing) => parts.push(format!("versions not known: {missing}")),
    }
    if let Known::Observed(lock) = &bucket.object_lock {
        let mode = lock.mode.as_deref().unwrap_or("no default mode").to_lowercase();
        let days = lock.days.map_or_else(String::new, |days| format!(" for {days} days"));
        parts.push(format!("locked against deletion: {mode}{days}"));
    }
    if let Known::Observed(destinations) = &bucket.replication_destinations {
        parts.push(format!("copied to {}", destinations.join(", ")));
    }
    parts.join("; ")
}

/// What one lifecycle rule deletes (S3 API, `LifecycleRule`); nothing for one that is off, or that only moves.
fn rule(rule: &Value) -> Option<String> {
    if rule.get("Status").and_then(Value::as_str) != Some("Enabled") {
        return None;
    }
    let days = |pointer: &str| rule.pointer(pointer).and_then(Value::as_i64);
    let mut parts = Vec::new();
    if let Some(days) = days("/Expiration/Days") {
        parts.push(format!("objects for {days} days"));
    }
    if let Some(date) = rule.pointer("/Expiration/Date").and_then(Value::as_str) {
        parts.push(format!("objects until {date}"));
    }
    if let Some(days) = days("/NoncurrentVersionExpiration/NoncurrentDays") {
        parts.push(format!("old versions for {days} days"));
    }
    if let Some(days) = days("/AbortIncompleteMultipartUpload/DaysAfterInitiation") {
        parts.push(format!("unfinished uploads for {days} days"));
    }
    let prefix = ["/Filter/Prefix", "/Prefix", "/Filter/And/Prefix"]
        .into_iter()
        .find_map(|pointer| rule.pointer(pointer).and_then(Value::as_str))
        .filter(|prefix| !prefix.is_empty());
    if parts.is_empty() {
        return None;
    }
    let whole = parts.join(", ");
    Some(prefix.map_or_else(|| whole.clone(), |prefix| format!("under {prefix}: {whole}")))
}

fn holds(declaration: &Declaration, arn: &str) -> String {
    let what = declaration.stores.iter().find(|store| store.arn == arn).map(|store| match store.holds {
        Holds::Records => "holds records",
        Holds::Backups => "holds backups",
        Holds::Logs => "holds logs",
        Holds::Operations => "holds no customer data",
    });
    let sink = declaration.log_sinks.iter().find(|sink| sink.arn == arn);
    let logs = sink.map(|sink| format!("logs for at least {}", sink.retention));
    [what.map(str::to_owned), logs].into_iter().flatten().collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(configs: &[(&str, &str)], expected: &str) {
        let configs = configs
            .iter()
            .map(|(name, value)| {
                let entry =
                    ConfigEntry { value: Some((*value).to_owned()), source: String::new(), sensitive: false };
                ((*name).to_owned(), entry)
            })
            .collect();
        assert_eq!(topic_keeps(&configs), expected);
    }

    #[test]
    fn a_topic_says_how_long_it_keeps_records() {
        check(&[("cleanup.policy", "delete"), ("retention.ms", "604800000")], "records for 7 days");
        check(&[("cleanup.policy", "delete"), ("retention.ms", "-1")], "without end");
        check(&[("cleanup.policy", "compact")], "the last record of every key without end");
        check(
            &[("cleanup.policy", "compact,delete"), ("retention.ms", "3600000"), ("retention.bytes", "5")],
            "records for 1 hour; the last record of every key without end; 5 bytes of each partition at most",
        );
        check(&[("cleanup.policy", "delete")], "not known: retention.ms does not show");
        check(&[], "not known: cleanup.policy does not show");
    }

    #[test]
    fn only_rules_that_delete_are_told() {
        let told = rule(
            &json!({"Status": "Enabled", "Filter": {"Prefix": "a/"}, "Expiration": {"Days": 3}, "NoncurrentVersionExpiration": {"NoncurrentDays": 1}}),
        );
        assert_eq!(told.as_deref(), Some("under a/: objects for 3 days, old versions for 1 days"));
        assert_eq!(rule(&json!({"Status": "Disabled", "Expiration": {"Days": 3}})), None);
        assert_eq!(rule(&json!({"Status": "Enabled", "Transitions": [{}]})), None);
    }
}
