//! Configurations of VPC flow logs.

use cadastre_model::asset::EvidenceIds;
use cadastre_model::asset::network::FlowLog;

use crate::reader::Reader;

/// Reads every flow log configuration.
pub(crate) fn read(reader: &mut Reader<'_>) -> Vec<FlowLog> {
    reader.assets("ec2:DescribeFlowLogs", "FlowLogs", |_, log| {
        let account = log.account()?;
        let group = log.optional_text("LogGroupName")?.filter(|group| !group.is_empty());
        let region = log.region()?;
        let destination = match log.optional_owned_text("LogDestination")?.filter(|arn| !arn.is_empty()) {
            Some(arn) => Some(arn.strip_suffix(":*").map_or_else(|| arn.clone(), str::to_owned)),
            None => group.map(|group| format!("arn:aws:logs:{region}:{account}:log-group:{group}")),
        };
        Ok(Some(FlowLog {
            id: log.owned_text("FlowLogId")?,
            account: account.to_owned(),
            resource: log.owned_text("ResourceId")?,
            traffic: log.owned_text("TrafficType")?,
            status: log.owned_text("FlowLogStatus")?,
            destination,
            evidence: EvidenceIds::new(),
        }))
    })
}
