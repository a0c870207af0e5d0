//! Network interfaces, public addresses and NAT gateways.

use cadastre_model::asset::EvidenceIds;
use cadastre_model::asset::azure::network::{AddressTranslation, Nic, NicAddress, PublicAddress};
use ipnet::IpNet;

use super::fields::{id, parent, properties, reference, references, sku, subscription, text_of};
use crate::node::{Node, Read};
use crate::reader::Reader;

/// Reads every network interface that has an address.
pub(super) fn read(reader: &mut Reader<'_>) -> Vec<Nic> {
    reader.assets("Microsoft.Network/networkInterfaces/read", "value", |_, interface| {
        let id = id(interface)?;
        let own = properties(interface)?;
        let mut addresses = Vec::new();
        let mut subnet = None;
        let mut application_groups = Vec::new();
        for configuration in own.list("ipConfigurations")? {
            let parts = properties(&configuration)?;
            if let Some(address) = address(&configuration, &parts)? {
                addresses.push(address);
            }
            subnet = subnet.or(reference(&parts, "subnet")?);
            application_groups.extend(references(&parts, "applicationSecurityGroups")?);
        }
        let Some(subnet) = subnet else { return Err(own.defect("an interface in a subnet")) };
        application_groups.sort();
        application_groups.dedup();
        Ok(Some(Nic {
            name: interface.owned_text("name")?,
            subscription: subscription(&id),
            network: parent(&subnet, 1),
            subnet,
            addresses,
            security_group: reference(&own, "networkSecurityGroup")?,
            application_groups,
            machine: reference(&own, "virtualMachine")?,
            private_endpoint: reference(&own, "privateEndpoint")?,
            managed: own.optional_object("privateLinkService")?.is_some(),
            id,
            evidence: EvidenceIds::new(),
        }))
    })
}

fn address(configuration: &Node<'_>, parts: &Node<'_>) -> Read<Option<NicAddress>> {
    let Some(text) = text_of(parts, "privateIPAddress", "privateIpAddress")? else { return Ok(None) };
    let private: std::net::IpAddr = text.parse().ok().ok_or_else(|| parts.defect("a private address"))?;
    let public = match reference(parts, "publicIPAddress")? {
        Some(public) => Some(public),
        None => reference(parts, "publicIpAddress")?,
    };
    Ok(Some(NicAddress { id: id(configuration)?, private: IpNet::from(private), public }))
}

/// Reads every public address.
pub(super) fn public_addresses(reader: &mut Reader<'_>) -> Vec<PublicAddress> {
    reader.assets("Microsoft.Network/publicIPAddresses/read", "value", |_, address| {
        let own = properties(address)?;
        Ok(Some(PublicAddress {
            id: id(address)?,
            address: text_of(&own, "ipAddress", "ipaddress")?.map(str::to_owned),
            closed_by_default: sku(address)?.to_ascii_lowercase().starts_with("standard"),
            evidence: EvidenceIds::new(),
        }))
    })
}

/// Reads every NAT gateway.
pub(super) fn nat_gateways(reader: &mut Reader<'_>) -> Vec<AddressTranslation> {
    reader.assets("Microsoft.Network/natGateways/read", "value", |_, gateway| {
        let own = properties(gateway)?;
        let mut public = false;
        for list in ["publicIpAddresses", "publicIpPrefixes", "publicIpAddressesV6", "publicIpPrefixesV6"] {
            public |= !own.optional_list(list)?.is_empty();
        }
        Ok(Some(AddressTranslation { id: id(gateway)?, public, evidence: EvidenceIds::new() }))
    })
}
