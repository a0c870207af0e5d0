//! EBS snapshots and whom they are shared with.

use std::collections::BTreeSet;

use cadastre_model::Known;
use cadastre_model::asset::EvidenceIds;
use cadastre_model::asset::stores::Snapshot;

use crate::aws::keys::KeyIndex;
use crate::aws::tags;
use crate::reader::Reader;

/// Reads every snapshot of the accounts that were asked.
pub(crate) fn read(reader: &mut Reader<'_>, keys: &KeyIndex<'_>) -> Vec<Snapshot> {
    reader.assets("ec2:DescribeSnapshots", "Snapshots", |reader, snapshot| {
        let region = snapshot.region()?;
        let account = snapshot.optional_text("OwnerId")?.map_or_else(|| snapshot.account(), Ok)?;
        let id = snapshot.owned_text("SnapshotId")?;
        let key = snapshot.optional_text("KmsKeyId")?;
        let mut evidence = EvidenceIds::new();
        Ok(Some(Snapshot {
            account: account.to_owned(),
            region: region.to_owned(),
            encrypted: snapshot.boolean("Encrypted")?,
            key_arn: key.map(|key| keys.resolve_or_keep(key, account, region)),
            volume: snapshot.optional_owned_text("VolumeId")?,
            shared_with: shared_with(reader, region, &id, &mut evidence),
            tags: tags::read(snapshot, "Tags")?,
            id,
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
    let subject = format!("arn:aws:ec2:{region}::snapshot/{id}");
    reader.known("ec2:DescribeSnapshotAttribute", &subject, evidence, |pages| {
        let mut shared = BTreeSet::new();
        for permission in pages.only()?.list("CreateVolumePermissions")? {
            let group = permission.optional_owned_text("Group")?;
            let user = permission.optional_owned_text("UserId")?;
            if group.is_none() && user.is_none() {
                return Err(permission.defect("an account or a group"));
            }
            shared.extend(group.into_iter().chain(user));
        }
        Ok(Some(shared.into_iter().collect()))
    })
}
