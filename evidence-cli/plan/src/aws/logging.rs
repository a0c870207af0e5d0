//! Trails, flow logs and log groups.

use serde_json::{Value, json};

use super::Place;
use crate::block::{Block, Read};
use crate::symbol;
use crate::world::{World, object};

pub(super) fn translate(block: &Block<'_, '_>, place: &Place<'_>, world: &mut World) {
    let (operation, read) = match block.resource.kind {
        "aws_cloudtrail" => ("cloudtrail:DescribeTrails", trail(block, place, world)),
        "aws_flow_log" => ("ec2:DescribeFlowLogs", flow_log(block, place, world)),
        "aws_cloudwatch_log_group" => ("logs:DescribeLogGroups", log_group(block, place, world)),
        _ => return,
    };
    if let Err(missing) = read {
        world.gap(place.listing(operation), block.resource.address, &missing);
    }
}

fn trail(block: &Block<'_, '_>, place: &Place<'_>, world: &mut World) -> Read<()> {
    let arn = symbol::attribute(block.resource, "arn");
    let home = match block.is_unknown("home_region") {
        true => place.region,
        false => block.word("home_region")?.unwrap_or(place.region),
    };
    let value = object(json!({
        "Name": block.identifier("name"),
        "TrailARN": arn,
        "HomeRegion": home,
        "S3BucketName": block.required("s3_bucket_name")?,
        "IsMultiRegionTrail": block.flag("is_multi_region_trail")?.unwrap_or(false),
        "IncludeGlobalServiceEvents": block.flag("include_global_service_events")?.unwrap_or(true),
        "LogFileValidationEnabled": block.flag("enable_log_file_validation")?.unwrap_or(false),
        "IsOrganizationTrail": block.flag("is_organization_trail")?.unwrap_or(false),
        "KmsKeyId": block.resolved("kms_key_id")?,
    }));
    world.put(place.regional("cloudtrail:DescribeTrails", "trailList"), arn.clone(), value);
    let status = json!({"IsLogging": block.flag("enable_logging")?.unwrap_or(true)});
    world.state(place.about("cloudtrail:GetTrailStatus", arn.as_str()), status);
    let question = place.about("cloudtrail:GetEventSelectors", arn.as_str());
    match selectors(block) {
        Ok(selectors) => world.state(question, selectors),
        Err(missing) => world.unknown(question, block.resource.address, &missing),
    }
    Ok(())
}

fn selectors(block: &Block<'_, '_>) -> Read<Value> {
    let mut basic = Vec::new();
    for selector in block.blocks("event_selector")? {
        let mut resources = Vec::new();
        for resource in selector.blocks("data_resource")? {
            let (kind, values) = (resource.required_word("type")?, resource.words("values")?);
            resources.push(json!({"Type": kind, "Values": values}));
        }
        basic.push(json!({
            "ReadWriteType": selector.word("read_write_type")?.unwrap_or("All"),
            "IncludeManagementEvents": selector.flag("include_management_events")?.unwrap_or(true),
            "DataResources": resources,
            "ExcludeManagementEventSources": selector.words("exclude_management_event_sources")?,
        }));
    }
    let mut advanced = Vec::new();
    for selector in block.blocks("advanced_event_selector")? {
        let mut fields = Vec::new();
        for field in selector.blocks("field_selector")? {
            fields.push(object(json!({
                "Field": field.required_word("field")?,
                "Equals": field.words("equals")?,
                "NotEquals": field.words("not_equals")?,
                "StartsWith": field.words("starts_with")?,
                "NotStartsWith": field.words("not_starts_with")?,
                "EndsWith": field.words("ends_with")?,
                "NotEndsWith": field.words("not_ends_with")?,
            })));
        }
        advanced.push(json!({"Name": selector.word("name")?, "FieldSelectors": fields}));
    }
    if basic.is_empty() && advanced.is_empty() {
        // A trail without selectors records all management events ("PutEventSelectors", CloudTrail API Reference).
        basic.push(json!({"ReadWriteType": "All", "IncludeManagementEvents": true, "DataResources": [],
            "ExcludeManagementEventSources": []}));
    }
    Ok(json!({"EventSelectors": basic, "AdvancedEventSelectors": advanced}))
}

fn flow_log(block: &Block<'_, '_>, place: &Place<'_>, world: &mut World) -> Read<()> {
    let id = symbol::attribute(block.resource, "id");
    let mut watched = None;
    for argument in ["vpc_id", "subnet_id", "eni_id", "transit_gateway_id", "transit_gateway_attachment_id"] {
        if watched.is_none() {
            watched = block.resolved(argument)?;
        }
    }
    let destination = match block.is_unknown("log_destination") && !block.resource.sets("log_destination") {
        true => None,
        false => block.resolved("log_destination")?,
    };
    let value = object(json!({
        "FlowLogId": id,
        "FlowLogStatus": "ACTIVE",
        "ResourceId": watched,
        "TrafficType": block.word("traffic_type")?.unwrap_or("ALL"),
        "LogDestinationType": block.word("log_destination_type")?.unwrap_or("cloud-watch-logs"),
        "LogDestination": destination,
        "LogGroupName": block.word("log_group_name").unwrap_or(None),
    }));
    world.put(place.regional("ec2:DescribeFlowLogs", "FlowLogs"), id, value);
    Ok(())
}

fn log_group(block: &Block<'_, '_>, place: &Place<'_>, world: &mut World) -> Read<()> {
    let name = block.required("name")?;
    let arn = format!("arn:aws:logs:{}:{}:log-group:{name}:*", place.region, place.account);
    let value = object(json!({
        "logGroupName": name,
        "arn": arn,
        "retentionInDays": block.integer("retention_in_days")?.filter(|days| *days > 0),
        "kmsKeyId": block.resolved("kms_key_id")?,
    }));
    world.put(place.regional("logs:DescribeLogGroups", "logGroups"), name, value);
    Ok(())
}
