//! Groups and their members.

use std::collections::BTreeMap;

use cadastre_model::Known;
use cadastre_model::asset::kafka::{Broker, ConsumerGroup, GroupMember};

use crate::answers::Answer;
use crate::kafka::clusters::Asking;
use crate::node::{Node, Read};

const LIST: &str = "kafka:ListGroups";
const CLASSIC: &str = "kafka:DescribeGroups";
const CONSUMER: &str = "kafka:ConsumerGroupDescribe";

/// Reads every group. Members are part of what is asked for, so a group that was listed and whose members
/// are not known leaves the whole list open.
pub(crate) fn read(asking: &mut Asking<'_, '_>, brokers: &Known<Vec<Broker>>) -> Known<Vec<ConsumerGroup>> {
    let listed = asking.of_every_broker(LIST, brokers, |_, pages| {
        pages.all("groups", |group| {
            Ok(ConsumerGroup {
                id: group.owned_text("id")?,
                state: group.optional_owned_text("state")?.unwrap_or_default(),
                kind: group.optional_owned_text("kind")?.unwrap_or_else(|| "classic".to_owned()),
                members: Vec::new(),
            })
        })
    });
    let listed = match listed {
        Known::Observed(listed) => listed,
        Known::Absent => return Known::Absent,
        Known::Unknown(missing) => return Known::Unknown(missing),
    };
    let mut described = described(asking);
    let mut groups = Vec::new();
    for group in listed {
        let operation = match group.kind.as_str() {
            "classic" => CLASSIC,
            "consumer" => CONSUMER,
            // Share and streams groups have requests of their own, which no collector makes yet.
            _ => {
                groups.push(group);
                continue;
            }
        };
        if let Some(full) = described.remove(&group.id) {
            groups.push(full);
            continue;
        }
        // Without a gap the group had gone between being listed and being described.
        if let Some(missing) = gap(asking, operation, &group.id) {
            return Known::Unknown(missing);
        }
    }
    groups.sort_by(|a, b| a.id.cmp(&b.id));
    groups.dedup_by(|a, b| a.id == b.id);
    Known::Observed(groups)
}

fn described(asking: &mut Asking<'_, '_>) -> BTreeMap<String, ConsumerGroup> {
    let answers = asking.reader.answers;
    let mut described = BTreeMap::new();
    for operation in [CLASSIC, CONSUMER] {
        for answer in answers.in_scope(operation, asking.scope) {
            for item in asking.reader.items_of(answer, "groups") {
                match group(&item) {
                    Ok(group) => {
                        asking.evidence.insert(item.record.id().clone());
                        described.insert(group.id.clone(), group);
                    }
                    Err(defect) => {
                        asking.reader.reject(defect);
                    }
                }
            }
        }
    }
    described
}

fn group(group: &Node<'_>) -> Read<ConsumerGroup> {
    let mut members = Vec::new();
    for member in group.list("members")? {
        members.push(GroupMember {
            client_id: member.owned_text("client_id")?,
            host: member.owned_text("host")?,
        });
    }
    members.sort_by(|a, b| (&a.client_id, &a.host).cmp(&(&b.client_id, &b.host)));
    Ok(ConsumerGroup {
        id: group.owned_text("id")?,
        state: group.owned_text("state")?,
        kind: group.owned_text("kind")?,
        members,
    })
}

/// Why a group was listed but not described; `None` when it had gone by then.
fn gap(asking: &Asking<'_, '_>, operation: &str, id: &str) -> Option<String> {
    let subject = format!("group:{id}");
    let own = asking.reader.answers.within(operation, asking.scope, &subject).and_then(Answer::latest);
    if let Some(series) = own {
        let gone = series.outcome == cadastre_model::Outcome::Absent;
        return (!gone).then(|| format!("{} (group `{id}`)", series.missing(operation)));
    }
    let failed = asking
        .reader
        .answers
        .in_scope(operation, asking.scope)
        .filter_map(Answer::latest)
        .find(|series| !series.answers());
    Some(match failed {
        Some(series) => series.missing(operation),
        None => format!("{operation} does not answer for group `{id}`"),
    })
}
