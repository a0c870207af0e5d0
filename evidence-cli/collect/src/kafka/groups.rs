//! Consumer groups. Every broker knows the groups it coordinates.

use std::collections::BTreeMap;

use cadastre_protocol::StrBytes;
use cadastre_protocol::messages::{
    ConsumerGroupDescribeRequest, DescribeGroupsRequest, GroupId, ListGroupsRequest,
};
use serde_json::{Value, json};

use super::connection::Connection;
use super::names;
use super::recorder::{Ask, Recorder, Trouble};
use crate::CollectError;

/// So many groups are described by one request.
const BATCH: usize = 100;

pub(super) async fn read(
    connection: &mut Connection<'_>,
    recorder: &Recorder<'_>,
    broker: i32,
) -> Result<(), CollectError> {
    let subject = format!("broker:{broker}");
    let ask = Ask::new("kafka:ListGroups", &subject, json!({}));
    let answer = connection.ask(|_version| ListGroupsRequest::default()).await.and_then(|response| {
        Trouble::check(response.error_code, None)?;
        Ok(response)
    });
    let response = match answer {
        Ok(response) => response,
        Err(trouble) => return recorder.trouble(&ask, &trouble),
    };
    let mut listed = BTreeMap::new();
    let (mut classic, mut consumer) = (Vec::new(), Vec::new());
    for group in &response.groups {
        let id = group.group_id.0.to_string();
        let kind = Some(group.group_type.to_lowercase()).filter(|kind| !kind.is_empty());
        match kind.as_deref() {
            None | Some("classic") => classic.push(id.clone()),
            Some("consumer") => consumer.push(id.clone()),
            Some(_) => {}
        }
        let state = Some(&*group.group_state).filter(|state| !state.is_empty());
        let entry = json!({"id": id, "protocol_type": &*group.protocol_type, "state": state, "kind": kind});
        listed.insert(id, entry);
    }
    recorder.observed(&ask, json!({"groups": listed.into_values().collect::<Vec<_>>()}))?;
    classic.sort();
    consumer.sort();
    for batch in classic.chunks(BATCH) {
        describe_classic(connection, recorder, &subject, batch).await?;
    }
    for batch in consumer.chunks(BATCH) {
        describe_consumer(connection, recorder, &subject, batch).await?;
    }
    Ok(())
}

async fn describe_classic(
    connection: &mut Connection<'_>,
    recorder: &Recorder<'_>,
    subject: &str,
    batch: &[String],
) -> Result<(), CollectError> {
    let ask = Ask::new("kafka:DescribeGroups", subject, json!({ "groups": batch }));
    let answer = connection
        .ask(|version| {
            let request = DescribeGroupsRequest::default().with_groups(ids(batch));
            if version >= 3 { request.with_include_authorized_operations(true) } else { request }
        })
        .await;
    let response = match answer {
        Ok(response) => response,
        Err(trouble) => return recorder.trouble(&ask, &trouble),
    };
    let described = response.groups.iter().map(|group| {
        let members: BTreeMap<String, Value> = group
            .members
            .iter()
            .map(|member| {
                let value = json!({
                    "member_id": &*member.member_id,
                    "instance_id": member.group_instance_id.as_deref(),
                    "client_id": &*member.client_id,
                    "host": &*member.client_host,
                    "subscribed_topics": null,
                });
                (member.member_id.to_string(), value)
            })
            .collect();
        let id = group.group_id.0.to_string();
        let answer = Trouble::check(group.error_code, group.error_message.as_deref()).map(|()| {
            json!({
                "id": &id,
                "state": &*group.group_state,
                "kind": "classic",
                "protocol_type": &*group.protocol_type,
                "protocol": &*group.protocol_data,
                "authorized_operations": names::authorized_operations(group.authorized_operations),
                "members": members.into_values().collect::<Vec<_>>(),
            })
        });
        (id, answer)
    });
    settle_batch(recorder, &ask, described.collect())
}

async fn describe_consumer(
    connection: &mut Connection<'_>,
    recorder: &Recorder<'_>,
    subject: &str,
    batch: &[String],
) -> Result<(), CollectError> {
    let ask = Ask::new("kafka:ConsumerGroupDescribe", subject, json!({ "groups": batch }));
    let answer = connection
        .ask(|_version| {
            ConsumerGroupDescribeRequest::default()
                .with_group_ids(ids(batch))
                .with_include_authorized_operations(true)
        })
        .await;
    let response = match answer {
        Ok(response) => response,
        Err(trouble) => return recorder.trouble(&ask, &trouble),
    };
    let described = response.groups.iter().map(|group| {
        let members: BTreeMap<String, Value> = group
            .members
            .iter()
            .map(|member| {
                let mut topics: Vec<&str> =
                    member.subscribed_topic_names.iter().map(|name| &*name.0).collect();
                topics.sort_unstable();
                let value = json!({
                    "member_id": &*member.member_id,
                    "instance_id": member.instance_id.as_deref(),
                    "client_id": &*member.client_id,
                    "host": &*member.client_host,
                    "subscribed_topics": topics,
                });
                (member.member_id.to_string(), value)
            })
            .collect();
        let id = group.group_id.0.to_string();
        let answer = Trouble::check(group.error_code, group.error_message.as_deref()).map(|()| {
            json!({
                "id": &id,
                "state": &*group.group_state,
                "kind": "consumer",
                "protocol_type": "consumer",
                "protocol": &*group.assignor_name,
                "authorized_operations": names::authorized_operations(group.authorized_operations),
                "members": members.into_values().collect::<Vec<_>>(),
            })
        });
        (id, answer)
    });
    settle_batch(recorder, &ask, described.collect())
}

fn settle_batch(
    recorder: &Recorder<'_>,
    ask: &Ask,
    described: BTreeMap<String, Result<Value, Trouble>>,
) -> Result<(), CollectError> {
    let mut groups = Vec::new();
    let mut refused = Vec::new();
    for (id, answer) in described {
        match answer {
            Ok(group) => groups.push(group),
            Err(trouble) => refused.push((id, trouble)),
        }
    }
    if !groups.is_empty() {
        recorder.observed(ask, json!({ "groups": groups }))?;
    }
    for (id, trouble) in refused {
        recorder.trouble(&ask.about(format!("group:{id}")), &trouble)?;
    }
    Ok(())
}

fn ids(batch: &[String]) -> Vec<GroupId> {
    batch.iter().map(|id| GroupId(StrBytes::from_string(id.clone()))).collect()
}
