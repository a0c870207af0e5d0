//! Log directories: where record bytes lie on each broker, and how many.

use std::collections::BTreeMap;

use cadastre_protocol::ResponseError;
use cadastre_protocol::client::code_name;
use cadastre_protocol::messages::DescribeLogDirsRequest;
use cadastre_protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsResponse, DescribeLogDirsResult,
};
use serde_json::{Value, json};

use super::connection::Connection;
use super::names;
use super::recorder::{Ask, Recorder, Trouble};
use crate::CollectError;

pub(super) async fn read(
    connection: &mut Connection<'_>,
    recorder: &Recorder<'_>,
    broker: i32,
) -> Result<(), CollectError> {
    let ask = Ask::new("kafka:DescribeLogDirs", &format!("broker:{broker}"), json!({"topics": null}));
    let answer = connection
        .ask(|_version| DescribeLogDirsRequest::default().with_topics(None))
        .await
        .and_then(|response| directories(&response));
    recorder.settle(&ask, answer)
}

fn directories(response: &DescribeLogDirsResponse) -> Result<Value, Trouble> {
    Trouble::check(response.error_code, None)?;
    // Before version 3 a refusal shows only in the entries, or in there being none.
    if let [only] = response.results.as_slice()
        && only.log_dir.is_empty()
    {
        Trouble::check(only.error_code, None)?;
    }
    if response.results.is_empty() {
        return Err(Trouble::failed("malformed", "the broker names no log directory"));
    }
    let directories: BTreeMap<String, Value> =
        response.results.iter().map(|result| (result.log_dir.to_string(), directory(result))).collect();
    Ok(json!({"directories": directories.into_values().collect::<Vec<_>>()}))
}

fn directory(result: &DescribeLogDirsResult) -> Value {
    let mut size = 0i64;
    let mut topics: BTreeMap<String, (usize, i64)> = BTreeMap::new();
    for topic in &result.topics {
        let bytes =
            topic.partitions.iter().fold(0i64, |sum, partition| sum.saturating_add(partition.partition_size));
        size = size.saturating_add(bytes);
        let entry = topics.entry(topic.name.0.to_string()).or_default();
        entry.0 += topic.partitions.len();
        entry.1 = entry.1.saturating_add(bytes);
    }
    let topics: Vec<Value> = topics
        .into_iter()
        .map(|(topic, (partitions, bytes))| json!({"topic": topic, "partitions": partitions, "size_bytes": bytes}))
        .collect();
    json!({
        "path": &*result.log_dir,
        "error": ResponseError::try_from_code(result.error_code).map(code_name),
        "total_bytes": names::bytes(result.total_bytes),
        "usable_bytes": names::bytes(result.usable_bytes),
        "size_bytes": size,
        "topics": topics,
    })
}
