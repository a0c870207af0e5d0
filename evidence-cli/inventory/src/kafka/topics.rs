//! Topics and their configuration.

use std::collections::BTreeMap;

use cadastre_model::asset::EvidenceIds;
use cadastre_model::asset::kafka::{ConfigEntry, Topic};
use cadastre_model::{Known, RecordId};

use crate::answers::Answer;
use crate::kafka::brokers;
use crate::kafka::clusters::Asking;
use crate::node::{Node, Read};

const CONFIGS: &str = "kafka:DescribeConfigs";

type Entries = (BTreeMap<String, ConfigEntry>, RecordId);

/// Reads every topic that the caller may describe.
pub(crate) fn read(asking: &mut Asking<'_, '_>) -> Known<Vec<Topic>> {
    let topics = asking.known("kafka:Metadata", |pages| pages.all("topics", topic).map(Some));
    let mut topics = match topics {
        Known::Observed(topics) => topics,
        Known::Absent => return Known::Absent,
        Known::Unknown(missing) => return Known::Unknown(missing),
    };
    topics.sort_by(|a, b| a.name.cmp(&b.name));
    topics.dedup_by(|a, b| a.name == b.name);
    let mut configs = configs(asking);
    for topic in &mut topics {
        topic.configs = match refused(asking, topic) {
            Some(missing) => Known::Unknown(missing),
            None => match &mut configs {
                Known::Observed(configs) => match configs.remove(&topic.name) {
                    Some((entries, record)) => {
                        topic.evidence.insert(record);
                        Known::Observed(entries)
                    }
                    None => Known::Unknown(format!("{CONFIGS} does not answer for topic `{}`", topic.name)),
                },
                Known::Absent => Known::Unknown(format!("{CONFIGS} found nothing")),
                Known::Unknown(missing) => Known::Unknown(missing.clone()),
            },
        };
    }
    Known::Observed(topics)
}

fn topic(topic: &Node<'_>) -> Read<Topic> {
    let partitions = topic.list("partitions")?;
    let mut replicas: Option<u32> = None;
    for partition in &partitions {
        let count = u32::try_from(partition.list("replicas")?.len()).unwrap_or(u32::MAX);
        replicas = Some(replicas.map_or(count, |least| least.min(count)));
    }
    Ok(Topic {
        name: topic.owned_text("name")?,
        id: topic.optional_owned_text("id")?,
        internal: topic.boolean("internal")?,
        partitions: u32::try_from(partitions.len()).unwrap_or(u32::MAX),
        replicas: replicas.ok_or_else(|| topic.defect("a topic with partitions"))?,
        configs: Known::Absent,
        evidence: EvidenceIds::from([topic.record.id().clone()]),
    })
}

fn configs(asking: &mut Asking<'_, '_>) -> Known<BTreeMap<String, Entries>> {
    asking.known(CONFIGS, |pages| {
        let resources = pages.all("resources", |resource| {
            if resource.text("resource_type")? != "TOPIC" {
                return Ok(None);
            }
            let entries = (brokers::entries(resource)?, resource.record.id().clone());
            Ok(Some((resource.owned_text("resource_name")?, entries)))
        })?;
        Ok(Some(resources.into_iter().flatten().collect()))
    })
}

/// Why the configuration of this one topic was not given, when it was refused on its own.
fn refused(asking: &Asking<'_, '_>, topic: &mut Topic) -> Option<String> {
    let answer = asking.reader.answers.within(CONFIGS, asking.scope, &format!("topic:{}", topic.name))?;
    let series = Answer::latest(answer)?;
    topic.evidence.extend(series.records.iter().map(|record| record.id().clone()));
    Some(series.missing(CONFIGS))
}
