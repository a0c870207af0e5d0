//! EBS volumes.

use cadastre_model::asset::EvidenceIds;
use cadastre_model::asset::stores::Volume;

use crate::aws::keys::KeyIndex;
use crate::aws::tags;
use crate::reader::Reader;

/// Reads every volume.
pub(crate) fn read(reader: &mut Reader<'_>, keys: &KeyIndex<'_>) -> Vec<Volume> {
    reader.assets("ec2:DescribeVolumes", "Volumes", |_, volume| {
        let (account, region) = (volume.account()?, volume.region()?);
        let key = volume.optional_text("KmsKeyId")?;
        Ok(Some(Volume {
            id: volume.owned_text("VolumeId")?,
            account: account.to_owned(),
            region: region.to_owned(),
            encrypted: volume.boolean("Encrypted")?,
            key_arn: key.map(|key| keys.resolve_or_keep(key, account, region)),
            instances: volume.texts_of("Attachments", "InstanceId")?,
            tags: tags::read(volume, "Tags")?,
            evidence: EvidenceIds::new(),
        }))
    })
}
