//! Private endpoints and private link services.

use cadastre_model::asset::EvidenceIds;
use cadastre_model::asset::azure::network::{PrivateEndpoint, PrivateLinkService};

use super::fields::{id, properties, reference, references, region, subscription};
use crate::reader::Reader;

/// Reads every private endpoint.
pub(super) fn endpoints(reader: &mut Reader<'_>) -> Vec<PrivateEndpoint> {
    reader.assets("Microsoft.Network/privateEndpoints/read", "value", |_, endpoint| {
        let id = id(endpoint)?;
        let own = properties(endpoint)?;
        let mut connections = own.optional_list("privateLinkServiceConnections")?;
        connections.extend(own.optional_list("manualPrivateLinkServiceConnections")?);
        let Some(connection) = connections.first() else { return Err(own.defect("a connection")) };
        let connection = properties(connection)?;
        let state = connection.optional_object("privateLinkServiceConnectionState")?;
        let state = state.map(|state| state.owned_text("status")).transpose()?;
        Ok(Some(PrivateEndpoint {
            subscription: subscription(&id),
            subnet: reference(&own, "subnet")?.ok_or_else(|| own.defect("a subnet"))?,
            target: connection.text("privateLinkServiceId")?.to_lowercase(),
            state: state.unwrap_or_default(),
            groups: connection.optional_texts("groupIds")?,
            interfaces: references(&own, "networkInterfaces")?,
            id,
            evidence: EvidenceIds::new(),
        }))
    })
}

/// Reads every private link service.
pub(super) fn services(reader: &mut Reader<'_>) -> Vec<PrivateLinkService> {
    reader.assets("Microsoft.Network/privateLinkServices/read", "value", |_, service| {
        let id = id(service)?;
        let own = properties(service)?;
        let subscriptions = |member: &str| {
            own.optional_object(member)?.map_or(Ok(Vec::new()), |set| set.optional_texts("subscriptions"))
        };
        let mut connections = Vec::new();
        for connection in own.optional_list("privateEndpointConnections")? {
            let parts = properties(&connection)?;
            let from = reference(&parts, "privateEndpoint")?.unwrap_or_default();
            let state = parts.optional_object("privateLinkServiceConnectionState")?;
            let state = state.map(|state| state.owned_text("status")).transpose()?.unwrap_or_default();
            connections.push((from, state));
        }
        connections.sort();
        Ok(Some(PrivateLinkService {
            subscription: subscription(&id),
            region: region(service)?,
            auto_approval: subscriptions("autoApproval")?,
            visibility: subscriptions("visibility")?,
            connections,
            id,
            evidence: EvidenceIds::new(),
        }))
    })
}
