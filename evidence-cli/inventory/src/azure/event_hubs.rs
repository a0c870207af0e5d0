//! Event Hubs namespaces.

use cadastre_model::asset::EvidenceIds;
use cadastre_model::asset::azure::stores::EventHubNamespace;

use super::fields::{id, properties, region, says, sku, subscription};
use crate::reader::Reader;

/// Reads every namespace.
pub(super) fn read(reader: &mut Reader<'_>) -> Vec<EventHubNamespace> {
    reader.assets("Microsoft.EventHub/namespaces/read", "value", |_, namespace| {
        let id = id(namespace)?;
        let own = properties(namespace)?;
        // Every tier but the lowest serves Kafka clients ("What is Azure Event Hubs for Apache Kafka").
        let kafka = own.optional_boolean("kafkaEnabled")?;
        Ok(Some(EventHubNamespace {
            name: namespace.owned_text("name")?,
            subscription: subscription(&id),
            region: region(namespace)?,
            kafka: kafka.unwrap_or(!sku(namespace)?.eq_ignore_ascii_case("Basic")),
            roles_only: own.optional_boolean("disableLocalAuth")?.unwrap_or(false),
            public_access: !says(&own, "publicNetworkAccess", "Disabled")?,
            id,
            evidence: EvidenceIds::new(),
        }))
    })
}
