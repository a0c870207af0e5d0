//! A cluster as a whole: identity, quorum, features, log directories, and everything its parts add.

use std::collections::BTreeMap;

use cadastre_model::asset::EvidenceIds;
use cadastre_model::asset::kafka::{Broker, KafkaCluster, LogDirectory, Quorum};
use cadastre_model::{Known, Scope};

use crate::kafka::{access, brokers, groups, listeners, probes, topics};
use crate::node::{Node, Read};
use crate::reader::{Pages, Reader};

const LOG_DIRECTORIES: &str = "kafka:DescribeLogDirs";

/// Asks about one cluster and notes the evidence.
pub(crate) struct Asking<'r, 'a> {
    pub(crate) reader: &'r mut Reader<'a>,
    pub(crate) scope: &'r Scope,
    /// The declared name.
    pub(crate) cluster: &'r str,
    pub(crate) evidence: EvidenceIds,
}

impl<'a> Asking<'_, 'a> {
    /// A property that one question about the cluster settles.
    pub(crate) fn known<T>(
        &mut self,
        operation: &str,
        read: impl FnOnce(&Pages<'a>) -> Read<Option<T>>,
    ) -> Known<T> {
        self.reader.known_within(operation, self.scope, self.cluster, &mut self.evidence, read)
    }

    /// Something that every broker is asked for. One broker that does not answer leaves it open.
    pub(crate) fn of_every_broker<T>(
        &mut self,
        operation: &str,
        brokers: &Known<Vec<Broker>>,
        mut read: impl FnMut(i32, &Pages<'a>) -> Read<Vec<T>>,
    ) -> Known<Vec<T>> {
        let brokers = match brokers {
            Known::Observed(brokers) => brokers,
            Known::Absent => return Known::Unknown("the cluster shows no brokers".to_owned()),
            Known::Unknown(missing) => return Known::Unknown(missing.clone()),
        };
        let mut all = Vec::new();
        for broker in brokers {
            let subject = format!("broker:{}", broker.id);
            let known =
                self.reader.known_within(operation, self.scope, &subject, &mut self.evidence, |pages| {
                    read(broker.id, pages).map(Some)
                });
            match known {
                Known::Observed(some) => all.extend(some),
                Known::Absent => {}
                Known::Unknown(missing) => {
                    return Known::Unknown(format!("{missing} (broker {})", broker.id));
                }
            }
        }
        Known::Observed(all)
    }
}

/// Reads one cluster.
pub(crate) fn read(reader: &mut Reader<'_>, name: String) -> KafkaCluster {
    let scope = Scope::cluster(name.as_str());
    let mut asking = Asking { reader, scope: &scope, cluster: &name, evidence: EvidenceIds::new() };
    let brokers = brokers::read(&mut asking);
    let topics = topics::read(&mut asking);
    KafkaCluster {
        cluster_id: cluster_id(&mut asking),
        quorum: asking.known("kafka:DescribeQuorum", |pages| quorum(pages.only()?).map(Some)),
        listeners: listeners::read(&mut asking, &brokers),
        acls: access::bindings(&mut asking),
        scram_credentials: access::scram_credentials(&mut asking),
        quotas: access::quotas(&mut asking),
        delegation_tokens: access::delegation_tokens(&mut asking),
        groups: groups::read(&mut asking, &brokers),
        features: asking.known("kafka:DescribeFeatures", |pages| features(pages.only()?).map(Some)),
        log_directories: log_directories(&mut asking, &brokers),
        denials: probes::denials(&mut asking),
        brokers,
        topics,
        evidence: asking.evidence,
        name,
    }
}

/// The cluster's id, from whichever of the two requests that carry it was answered.
fn cluster_id(asking: &mut Asking<'_, '_>) -> Known<String> {
    let described =
        asking.known("kafka:DescribeCluster", |pages| pages.only()?.optional_owned_text("cluster_id"));
    if matches!(described, Known::Observed(_)) {
        return described;
    }
    match asking.known("kafka:Metadata", |pages| pages.only()?.optional_owned_text("cluster_id")) {
        Known::Observed(id) => Known::Observed(id),
        Known::Absent | Known::Unknown(_) => described,
    }
}

fn quorum(answer: &Node<'_>) -> Read<Quorum> {
    let ids = |list: &str| {
        let mut ids = Vec::new();
        for replica in answer.list(list)? {
            ids.push(replica.integer("id")?);
        }
        ids.sort_unstable();
        Read::Ok(ids)
    };
    Ok(Quorum { leader: answer.integer("leader")?, voters: ids("voters")?, observers: ids("observers")? })
}

fn features(answer: &Node<'_>) -> Read<BTreeMap<String, i16>> {
    let mut features = BTreeMap::new();
    for feature in answer.list("finalized")? {
        features.insert(feature.owned_text("name")?, feature.integer("maximum")?);
    }
    Ok(features)
}

fn log_directories(asking: &mut Asking<'_, '_>, brokers: &Known<Vec<Broker>>) -> Known<Vec<LogDirectory>> {
    asking.of_every_broker(LOG_DIRECTORIES, brokers, |broker, pages| {
        pages.all("directories", |directory| {
            Ok(LogDirectory {
                broker: Some(broker),
                path: directory.owned_text("path")?,
                size_bytes: directory.integer("size_bytes")?,
            })
        })
    })
}
