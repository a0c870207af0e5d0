//! Subnets.

use cadastre_model::asset::EvidenceIds;
use cadastre_model::asset::network::Subnet;

use crate::aws::{tags, vpcs};
use crate::reader::Reader;

/// Reads every subnet.
pub(crate) fn read(reader: &mut Reader<'_>) -> Vec<Subnet> {
    reader.assets("ec2:DescribeSubnets", "Subnets", |_, subnet| {
        let mut cidrs = vpcs::ipv6(subnet)?;
        cidrs.extend(subnet.optional_range("CidrBlock")?);
        if cidrs.is_empty() {
            return Err(subnet.defect("a subnet with an address range"));
        }
        Ok(Some(Subnet {
            id: subnet.owned_text("SubnetId")?,
            vpc: subnet.owned_text("VpcId")?,
            region: subnet.region()?.to_owned(),
            zone: subnet.owned_text("AvailabilityZone")?,
            cidrs: cidrs.into_iter().collect(),
            maps_public_addresses: subnet.boolean("MapPublicIpOnLaunch")?,
            tags: tags::read(subnet, "Tags")?,
            evidence: EvidenceIds::new(),
        }))
    })
}
