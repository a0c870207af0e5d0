//! Brokers and their configuration.

use std::collections::BTreeMap;

use cadastre_model::Known;
use cadastre_model::asset::EvidenceIds;
use cadastre_model::asset::kafka::{Broker, ConfigEntry};

use crate::kafka::clusters::Asking;
use crate::node::{Node, Read};
use crate::reader::Pages;

const CONFIGS: &str = "kafka:DescribeConfigs";

/// Reads every broker, from whichever of the two requests that list them was answered.
pub(crate) fn read(asking: &mut Asking<'_, '_>) -> Known<Vec<Broker>> {
    let mut listed = asking.known("kafka:DescribeCluster", list);
    if !matches!(listed, Known::Observed(_)) {
        listed = match asking.known("kafka:Metadata", list) {
            Known::Observed(brokers) => Known::Observed(brokers),
            Known::Absent | Known::Unknown(_) => listed,
        };
    }
    match listed {
        Known::Observed(mut brokers) => {
            for broker in &mut brokers {
                broker.configs = configs(asking, broker.id, &mut broker.evidence);
            }
            Known::Observed(brokers)
        }
        Known::Absent => Known::Absent,
        Known::Unknown(missing) => Known::Unknown(missing),
    }
}

fn list(pages: &Pages<'_>) -> Read<Option<Vec<Broker>>> {
    let mut brokers = pages.all("brokers", |broker| {
        Ok(Broker {
            id: broker.integer("id")?,
            host: broker.owned_text("host")?,
            port: broker.integer("port")?,
            rack: broker.optional_owned_text("rack")?,
            configs: Known::Absent,
            evidence: EvidenceIds::from([broker.record.id().clone()]),
        })
    })?;
    brokers.sort_by_key(|broker| broker.id);
    brokers.dedup_by_key(|broker| broker.id);
    Ok(Some(brokers))
}

fn configs(
    asking: &mut Asking<'_, '_>,
    broker: i32,
    evidence: &mut EvidenceIds,
) -> Known<BTreeMap<String, ConfigEntry>> {
    let name = broker.to_string();
    let configs =
        asking.reader.known_within(CONFIGS, asking.scope, &format!("broker:{broker}"), evidence, |pages| {
            let resources = pages.all("resources", |resource| {
                let is_it =
                    resource.text("resource_type")? == "BROKER" && resource.text("resource_name")? == name;
                if is_it { entries(resource).map(Some) } else { Ok(None) }
            })?;
            Ok(resources.into_iter().flatten().next())
        });
    match configs {
        Known::Absent => Known::Unknown(format!("{CONFIGS} does not answer for broker {broker}")),
        configs => configs,
    }
}

/// The configuration entries of a resource.
pub(crate) fn entries(resource: &Node<'_>) -> Read<BTreeMap<String, ConfigEntry>> {
    let mut entries = BTreeMap::new();
    for config in resource.list("configs")? {
        let sensitive = config.boolean("sensitive")?;
        let entry = ConfigEntry {
            value: config.optional_owned_text("value")?.filter(|_| !sensitive),
            source: config.owned_text("source")?,
            sensitive,
        };
        entries.insert(config.owned_text("name")?, entry);
    }
    Ok(entries)
}
