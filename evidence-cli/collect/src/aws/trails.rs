//! CloudTrail: trails, whether they log, and what they select.

use std::collections::BTreeMap;

use aws_sdk_cloudtrail::operation::get_trail_status::GetTrailStatusOutput;
use aws_sdk_cloudtrail::types::{AdvancedEventSelector, EventSelector, Trail};
use futures::future::try_join_all;
use serde_json::{Value, json};

use super::Account;
use super::shape::Object;
use crate::CollectError;

/// Collects the trails of all regions; a trail that shows in several is asked about once.
pub(super) async fn collect(account: &Account<'_>, regions: &[String]) -> Result<(), CollectError> {
    let listed = try_join_all(regions.iter().map(|region| list(account, region))).await?;
    let mut asked_in: BTreeMap<String, String> = BTreeMap::new();
    for (region, trails) in regions.iter().zip(listed) {
        for trail in trails {
            let Some(arn) = trail.trail_arn() else { continue };
            let home = trail.home_region().filter(|home| regions.iter().any(|region| region == home));
            asked_in.entry(arn.to_owned()).or_insert_with(|| home.unwrap_or(region).to_owned());
        }
    }
    try_join_all(asked_in.iter().map(|(arn, region)| trail(account, region, arn))).await?;
    Ok(())
}

async fn list(account: &Account<'_>, region: &str) -> Result<Vec<Trail>, CollectError> {
    let answer = account
        .ask(
            account.whole_in(region, "cloudtrail:DescribeTrails"),
            account.session.cloudtrail(region).describe_trails().send(),
            |answer| Object::new().list("trailList", answer.trail_list(), trail_json).build(),
        )
        .await?;
    Ok(answer.and_then(|answer| answer.trail_list).unwrap_or_default())
}

async fn trail(account: &Account<'_>, region: &str, arn: &str) -> Result<(), CollectError> {
    let client = account.session.cloudtrail(region);
    account
        .ask(
            account.about_in(region, "cloudtrail:GetTrailStatus", arn, json!({"Name": arn})),
            client.get_trail_status().name(arn).send(),
            status_json,
        )
        .await?;
    account
        .ask(
            account.about_in(region, "cloudtrail:GetEventSelectors", arn, json!({"TrailName": arn})),
            client.get_event_selectors().trail_name(arn).send(),
            |answer| {
                Object::new()
                    .text("TrailARN", answer.trail_arn())
                    .list("EventSelectors", answer.event_selectors(), selector_json)
                    .list("AdvancedEventSelectors", answer.advanced_event_selectors(), advanced_selector_json)
                    .build()
            },
        )
        .await?;
    Ok(())
}

fn trail_json(trail: &Trail) -> Value {
    Object::new()
        .text("Name", trail.name())
        .text("TrailARN", trail.trail_arn())
        .text("HomeRegion", trail.home_region())
        .text("S3BucketName", trail.s3_bucket_name())
        .text("S3KeyPrefix", trail.s3_key_prefix())
        .text("SnsTopicARN", trail.sns_topic_arn())
        .flag("IncludeGlobalServiceEvents", trail.include_global_service_events())
        .flag("IsMultiRegionTrail", trail.is_multi_region_trail())
        .flag("IsOrganizationTrail", trail.is_organization_trail())
        .flag("LogFileValidationEnabled", trail.log_file_validation_enabled())
        .text("CloudWatchLogsLogGroupArn", trail.cloud_watch_logs_log_group_arn())
        .text("CloudWatchLogsRoleArn", trail.cloud_watch_logs_role_arn())
        .text("KmsKeyId", trail.kms_key_id())
        .flag("HasCustomEventSelectors", trail.has_custom_event_selectors())
        .flag("HasInsightSelectors", trail.has_insight_selectors())
        .build()
}

fn status_json(status: &GetTrailStatusOutput) -> Value {
    Object::new()
        .flag("IsLogging", status.is_logging())
        .time("LatestDeliveryTime", status.latest_delivery_time())
        .text("LatestDeliveryError", status.latest_delivery_error())
        .time("LatestDigestDeliveryTime", status.latest_digest_delivery_time())
        .text("LatestDigestDeliveryError", status.latest_digest_delivery_error())
        .time("LatestCloudWatchLogsDeliveryTime", status.latest_cloud_watch_logs_delivery_time())
        .text("LatestCloudWatchLogsDeliveryError", status.latest_cloud_watch_logs_delivery_error())
        .time("StartLoggingTime", status.start_logging_time())
        .time("StopLoggingTime", status.stop_logging_time())
        .build()
}

fn selector_json(selector: &EventSelector) -> Value {
    Object::new()
        .text("ReadWriteType", selector.read_write_type().map(|kind| kind.as_str()))
        .flag("IncludeManagementEvents", selector.include_management_events())
        .list("DataResources", selector.data_resources(), |resource| {
            Object::new().text("Type", resource.r#type()).texts("Values", resource.values()).build()
        })
        .texts("ExcludeManagementEventSources", selector.exclude_management_event_sources())
        .build()
}

fn advanced_selector_json(selector: &AdvancedEventSelector) -> Value {
    Object::new()
        .text("Name", selector.name())
        .list("FieldSelectors", selector.field_selectors(), |field| {
            Object::new()
                .text("Field", Some(field.field()))
                .texts("Equals", field.equals())
                .texts("StartsWith", field.starts_with())
                .texts("EndsWith", field.ends_with())
                .texts("NotEquals", field.not_equals())
                .texts("NotStartsWith", field.not_starts_with())
                .texts("NotEndsWith", field.not_ends_with())
                .build()
        })
        .build()
}
