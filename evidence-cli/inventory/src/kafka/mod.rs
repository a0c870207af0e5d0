//! Kafka clusters. The shapes are those of `docs/formats/kafka-records.md`.

mod access;
mod brokers;
mod clusters;
mod groups;
mod listeners;
mod probes;
mod topics;

use std::collections::BTreeSet;

use cadastre_model::asset::kafka::KafkaCluster;
use cadastre_model::declaration::Declaration;

use crate::reader::Reader;

/// Reads every cluster that records or the declaration name.
pub(crate) fn read(reader: &mut Reader<'_>, declaration: &Declaration) -> Vec<KafkaCluster> {
    let mut names: BTreeSet<String> =
        declaration.clusters.iter().map(|cluster| cluster.name.clone()).collect();
    names.extend(reader.answers.records().filter_map(|record| record.scope.cluster.clone()));
    names.into_iter().map(|name| clusters::read(reader, name)).collect()
}
