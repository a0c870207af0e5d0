//! Machine images and whom they are shared with.

use std::collections::BTreeSet;

use cadastre_model::Known;
use cadastre_model::asset::EvidenceIds;
use cadastre_model::asset::compute::MachineImage;

use crate::reader::Reader;

/// Reads every image that belongs to an account or is used in it.
pub(crate) fn read(reader: &mut Reader<'_>) -> Vec<MachineImage> {
    reader.assets("ec2:DescribeImages", "Images", |reader, image| {
        let id = image.owned_text("ImageId")?;
        let owner = image.owned_text("OwnerId")?;
        let region = image.region()?;
        let mut evidence = EvidenceIds::new();
        let shared_with = if owner == image.account()? {
            shared_with(reader, region, &id, &mut evidence)
        } else {
            Known::Absent
        };
        Ok(Some(MachineImage {
            region: region.to_owned(),
            name: image.optional_owned_text("Name")?.unwrap_or_default(),
            public: image.boolean("Public")?,
            shared_with,
            id,
            owner,
            evidence,
        }))
    })
}

fn shared_with(
    reader: &mut Reader<'_>,
    region: &str,
    id: &str,
    evidence: &mut EvidenceIds,
) -> Known<Vec<String>> {
    let subject = format!("arn:aws:ec2:{region}::image/{id}");
    reader.known("ec2:DescribeImageAttribute", &subject, evidence, |pages| {
        let mut shared = BTreeSet::new();
        for permission in pages.only()?.list("LaunchPermissions")? {
            let before = shared.len();
            for member in ["UserId", "Group", "OrganizationArn", "OrganizationalUnitArn"] {
                shared.extend(permission.optional_owned_text(member)?);
            }
            if shared.len() == before && permission.value.as_object().is_none_or(serde_json::Map::is_empty) {
                return Err(permission.defect("an account, a group or an organization"));
            }
        }
        Ok(Some(shared.into_iter().collect()))
    })
}
