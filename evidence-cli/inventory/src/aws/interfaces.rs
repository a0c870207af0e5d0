//! Network interfaces.

use std::collections::BTreeSet;

use cadastre_model::asset::EvidenceIds;
use cadastre_model::asset::network::NetworkInterface;

use crate::aws::addresses::Addresses;
use crate::node::{Node, Read};
use crate::reader::Reader;

/// Reads every network interface.
pub(crate) fn read(reader: &mut Reader<'_>, elastic: &Addresses) -> Vec<NetworkInterface> {
    reader.assets("ec2:DescribeNetworkInterfaces", "NetworkInterfaces", |_, interface| {
        let id = interface.owned_text("NetworkInterfaceId")?;
        let attachment = interface.optional_object("Attachment")?;
        let instance = match &attachment {
            Some(attachment) => attachment.optional_owned_text("InstanceId")?,
            None => None,
        };
        let mut evidence = EvidenceIds::new();
        let Addressing { private, mut public } = Addressing::read(interface)?;
        elastic.join(&id, &mut public, &mut evidence);
        Ok(Some(NetworkInterface {
            account: interface.account()?.to_owned(),
            subnet: interface.owned_text("SubnetId")?,
            vpc: interface.owned_text("VpcId")?,
            private_addresses: private.into_iter().collect(),
            public_addresses: public.into_iter().collect(),
            security_groups: interface.texts_of("Groups", "GroupId")?,
            instance: instance.filter(|instance| !instance.is_empty()),
            kind: interface.optional_owned_text("InterfaceType")?.unwrap_or_else(|| "interface".to_owned()),
            id,
            evidence,
        }))
    })
}

/// The addresses of an interface, as both interfaces and instances list them.
#[derive(Debug, Default)]
pub(crate) struct Addressing {
    pub(crate) private: BTreeSet<String>,
    /// Public ones; IPv6 addresses are public by their nature.
    pub(crate) public: BTreeSet<String>,
}

impl Addressing {
    pub(crate) fn read(interface: &Node<'_>) -> Read<Self> {
        let mut addressing = Self::default();
        addressing.private.extend(interface.optional_owned_text("PrivateIpAddress")?);
        addressing.public.extend(associated(interface)?);
        for address in interface.optional_list("PrivateIpAddresses")? {
            addressing.private.extend(address.optional_owned_text("PrivateIpAddress")?);
            addressing.public.extend(associated(&address)?);
        }
        addressing.public.extend(interface.texts_of("Ipv6Addresses", "Ipv6Address")?);
        Ok(addressing)
    }
}

fn associated(node: &Node<'_>) -> Read<Option<String>> {
    match node.optional_object("Association")? {
        Some(association) => association.optional_owned_text("PublicIp"),
        None => Ok(None),
    }
}
