//! CloudWatch Logs: log groups, how long they keep events and under which key.

use aws_sdk_cloudwatchlogs::primitives::DateTime;
use aws_sdk_cloudwatchlogs::types::LogGroup;
use serde_json::Value;

use super::Account;
use super::shape::Object;
use crate::CollectError;

/// Collects a region's log groups.
pub(super) async fn collect(account: &Account<'_>, region: &str) -> Result<(), CollectError> {
    let logs = account.session.logs(region);
    account
        .ask_pages(
            account.whole_in(region, "logs:DescribeLogGroups"),
            |token| logs.describe_log_groups().limit(50).set_next_token(token).send(),
            |page| page.next_token(),
            |page| Object::new().list("logGroups", page.log_groups(), group_json).build(),
        )
        .await?;
    Ok(())
}

fn group_json(group: &LogGroup) -> Value {
    Object::new()
        .text("logGroupName", group.log_group_name())
        .text("arn", group.arn())
        .time("creationTime", group.creation_time().map(DateTime::from_millis).as_ref())
        .number("retentionInDays", group.retention_in_days())
        .text("kmsKeyId", group.kms_key_id())
        .number("storedBytes", group.stored_bytes())
        .number("metricFilterCount", group.metric_filter_count())
        .text("dataProtectionStatus", group.data_protection_status().map(|status| status.as_str()))
        .text("logGroupClass", group.log_group_class().map(|class| class.as_str()))
        .build()
}
