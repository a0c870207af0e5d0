//! CloudWatch log groups.

use cadastre_model::asset::EvidenceIds;
use cadastre_model::asset::logging::LogGroup;

use crate::aws::keys::KeyIndex;
use crate::reader::Reader;

/// Reads every log group.
pub(crate) fn read(reader: &mut Reader<'_>, keys: &KeyIndex<'_>) -> Vec<LogGroup> {
    reader.assets("logs:DescribeLogGroups", "logGroups", |_, group| {
        let arn = group.text("arn")?;
        let (account, region) = (group.account()?, group.region()?);
        let key = group.optional_text("kmsKeyId")?;
        Ok(Some(LogGroup {
            arn: arn.strip_suffix(":*").unwrap_or(arn).to_owned(),
            name: group.owned_text("logGroupName")?,
            account: account.to_owned(),
            region: region.to_owned(),
            retention_days: group.optional_integer("retentionInDays")?,
            key_arn: key.map(|key| keys.resolve_or_keep(key, account, region)),
            evidence: EvidenceIds::new(),
        }))
    })
}
