//! Elastic addresses, joined to what they are associated with.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_model::asset::EvidenceIds;

use crate::node::{Node, Read};
use crate::reader::Reader;

/// Elastic addresses by instance and by network interface.
#[derive(Debug, Default)]
pub(crate) struct Addresses {
    by_holder: BTreeMap<String, (BTreeSet<String>, EvidenceIds)>,
}

impl Addresses {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Self {
        let mut addresses = Self::default();
        for item in reader.items("ec2:DescribeAddresses", "Addresses") {
            let read = addresses.add(&item);
            reader.accept(read);
        }
        addresses
    }

    fn add(&mut self, address: &Node<'_>) -> Read<()> {
        let ip = address.owned_text("PublicIp")?;
        for member in ["InstanceId", "NetworkInterfaceId"] {
            if let Some(holder) = address.optional_owned_text(member)?.filter(|holder| !holder.is_empty()) {
                let (ips, evidence) = self.by_holder.entry(holder).or_default();
                ips.insert(ip.clone());
                evidence.insert(address.record.id().clone());
            }
        }
        Ok(())
    }

    /// Adds the addresses that an instance or interface holds.
    pub(crate) fn join(&self, holder: &str, addresses: &mut BTreeSet<String>, evidence: &mut EvidenceIds) {
        if let Some((ips, records)) = self.by_holder.get(holder) {
            addresses.extend(ips.iter().cloned());
            evidence.extend(records.iter().cloned());
        }
    }
}
