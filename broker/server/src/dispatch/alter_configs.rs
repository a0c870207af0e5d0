//! `AlterConfigs` and `IncrementalAlterConfigs`: change settings of topics, of groups and of this broker.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_protocol::messages::alter_configs_response::AlterConfigsResourceResponse;
use cadastre_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse as IncrementalResponse;
use cadastre_protocol::messages::{
    AlterConfigsRequest, AlterConfigsResponse, IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
};
use cadastre_protocol::{ResponseError, StrBytes};

use super::api_error::{ApiError, code_of, message_of};
use super::context::RequestContext;
use super::describe_configs::{BROKER, GROUP, TOPIC, check_broker};
use super::operations::{ALTER_CLUSTER_CONFIGS, ALTER_GROUP_CONFIGS, ALTER_TOPIC_CONFIGS};
use crate::config::broker_config::{definition_of, shown};
use crate::config::definition::{PropertyDefinition, PropertyType, UpdateMode, list};
use crate::config::tables::{GROUP_PROPERTIES, TOPIC_PROPERTIES};
use crate::listeners::certificates::{Replacement, is_of_stores};
use crate::state::topics::Topic;
use cadastre_security::acl::CLUSTER_NAME;

type Values = BTreeMap<String, String>;

/// One change of one setting.
struct Edit {
    name: String,
    operation: Operation,
    value: Option<String>,
}

/// `AlterConfigOp.OpType`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Operation {
    Set,
    Delete,
    Append,
    Subtract,
}

impl Operation {
    const fn of(code: i8) -> Option<Self> {
        Some(match code {
            0 => Self::Set,
            1 => Self::Delete,
            2 => Self::Append,
            3 => Self::Subtract,
            _ => return None,
        })
    }
}

/// Replaces everything that was set for each resource.
pub(super) async fn replace(
    context: &RequestContext<'_>,
    request: AlterConfigsRequest,
) -> AlterConfigsResponse {
    let mut responses = Vec::with_capacity(request.resources.len());
    for resource in request.resources {
        let edits = resource.configs.into_iter().map(|config| Edit {
            name: config.name.to_string(),
            operation: if config.value.is_some() { Operation::Set } else { Operation::Delete },
            value: config.value.map(|value| value.to_string()),
        });
        let edits = edits.collect();
        let name = &resource.resource_name;
        let outcome = alter(context, resource.resource_type, name, edits, true, request.validate_only).await;
        responses.push(
            AlterConfigsResourceResponse::default()
                .with_error_code(code_of(&outcome))
                .with_error_message(message_of(&outcome))
                .with_resource_type(resource.resource_type)
                .with_resource_name(resource.resource_name),
        );
    }
    AlterConfigsResponse::default().with_responses(responses)
}

/// Changes single settings of each resource.
pub(super) async fn incremental(
    context: &RequestContext<'_>,
    request: IncrementalAlterConfigsRequest,
) -> IncrementalAlterConfigsResponse {
    let mut responses = Vec::with_capacity(request.resources.len());
    for resource in request.resources {
        let edits: Option<Vec<Edit>> = resource
            .configs
            .into_iter()
            .map(|config| {
                Some(Edit {
                    name: config.name.to_string(),
                    operation: Operation::of(config.config_operation)?,
                    value: config.value.map(|value| value.to_string()),
                })
            })
            .collect();
        let name = &resource.resource_name;
        let outcome = match edits {
            Some(edits) => {
                alter(context, resource.resource_type, name, edits, false, request.validate_only).await
            }
            None => Err(ApiError::new(ResponseError::InvalidRequest, "unknown config operation")),
        };
        responses.push(
            IncrementalResponse::default()
                .with_error_code(code_of(&outcome))
                .with_error_message(message_of(&outcome))
                .with_resource_type(resource.resource_type)
                .with_resource_name(resource.resource_name),
        );
    }
    IncrementalAlterConfigsResponse::default().with_responses(responses)
}

async fn alter(
    context: &RequestContext<'_>,
    resource_type: i8,
    name: &StrBytes,
    edits: Vec<Edit>,
    from_scratch: bool,
    validate_only: bool,
) -> Result<(), ApiError> {
    let mut seen = BTreeSet::new();
    if edits.iter().any(|edit| !seen.insert(&edit.name)) {
        return Err(ApiError::new(ResponseError::InvalidRequest, "the request names a setting twice"));
    }
    match resource_type {
        TOPIC => alter_topic(context, name, &edits, from_scratch, validate_only).await,
        BROKER => alter_broker(context, name, &edits, from_scratch, validate_only).await,
        // The older request knows no groups (KIP-848).
        GROUP if !from_scratch => alter_group(context, name, &edits, validate_only).await,
        other => {
            let message = format!("settings of resource type {other} cannot be changed");
            Err(ApiError::new(ResponseError::InvalidRequest, message))
        }
    }
}

async fn alter_topic(
    context: &RequestContext<'_>,
    name: &str,
    edits: &[Edit],
    from_scratch: bool,
    validate_only: bool,
) -> Result<(), ApiError> {
    if !context.allows_action(ALTER_TOPIC_CONFIGS, name, Some(summary(edits))) {
        return Err(ResponseError::TopicAuthorizationFailed.into());
    }
    let change = context.node.topics.change().await?;
    let topic = context.node.topics.by_name(name).ok_or(ResponseError::UnknownTopicOrPartition)?;
    let mut settings = if from_scratch { Values::new() } else { topic.settings.clone() };
    for edit in edits {
        let property = TOPIC_PROPERTIES.get(edit.name.as_str()).ok_or_else(|| {
            ApiError::new(ResponseError::InvalidConfig, format!("unknown topic config name: `{}`", edit.name))
        })?;
        let current = || context.node.settings.topic_text(&topic, &edit.name).unwrap_or_default();
        apply(&mut settings, edit, &property.definition, ResponseError::InvalidConfig, current)?;
    }
    if !validate_only {
        change.put(Topic { settings, ..Topic::clone(&topic) }).await?;
    }
    Ok(())
}

async fn alter_broker(
    context: &RequestContext<'_>,
    name: &str,
    edits: &[Edit],
    from_scratch: bool,
    validate_only: bool,
) -> Result<(), ApiError> {
    if !context.allows_action(ALTER_CLUSTER_CONFIGS, CLUSTER_NAME, Some(summary(edits))) {
        return Err(ResponseError::ClusterAuthorizationFailed.into());
    }
    let for_all = name.is_empty();
    if !for_all {
        check_broker(context, name)?;
    }
    let node_settings = &context.node.settings;
    let change = node_settings.change().await?;
    let mut settings = if from_scratch { Values::new() } else { node_settings.dynamic(for_all) };
    for edit in edits {
        let definition = definition_of(&edit.name).ok_or_else(|| {
            ApiError::new(
                ResponseError::InvalidRequest,
                format!("unknown broker config name: `{}`", edit.name),
            )
        })?;
        if definition.is_fixed() || for_all && definition.update == UpdateMode::PerBroker {
            let scope = if for_all { "for all brokers" } else { "dynamically" };
            let message = format!("cannot update these configs {scope}: Set({})", edit.name);
            return Err(ApiError::new(ResponseError::InvalidRequest, message));
        }
        if is_of_stores(&edit.name) {
            let message = format!(
                "these security configs can be updated for a listener only, with `listener.name.<listener>.` before them: Set({})",
                edit.name
            );
            return Err(ApiError::new(ResponseError::InvalidRequest, message));
        }
        let current = || node_settings.text(&edit.name).unwrap_or_default();
        apply(&mut settings, edit, definition, ResponseError::InvalidRequest, current)?;
    }
    let replacements = match context.node.certificates.get() {
        Some(certificates) if !for_all => {
            // Those that were removed by being left out have changed as well.
            let before = node_settings.dynamic(false);
            let removed = before.keys().filter(|name| !settings.contains_key(*name));
            let changed = edits.iter().map(|edit| &edit.name).chain(removed).map(String::as_str);
            let prepared = certificates.prepare(&settings, changed);
            prepared.map_err(|error| ApiError::new(ResponseError::InvalidRequest, error.to_string()))?
        }
        _ => Vec::new(),
    };
    if !validate_only {
        change.replace(for_all, settings).await?;
        replacements.into_iter().for_each(Replacement::install);
    }
    Ok(())
}

async fn alter_group(
    context: &RequestContext<'_>,
    name: &str,
    edits: &[Edit],
    validate_only: bool,
) -> Result<(), ApiError> {
    if !context.allows_action(ALTER_GROUP_CONFIGS, name, Some(summary(edits))) {
        return Err(ResponseError::GroupAuthorizationFailed.into());
    }
    if name.is_empty() {
        let message = "default group resources are not allowed";
        return Err(ApiError::new(ResponseError::InvalidRequest, message));
    }
    let node_settings = &context.node.settings;
    let change = node_settings.change().await?;
    let mut settings = node_settings.group(name);
    for edit in edits {
        let property = GROUP_PROPERTIES.get(edit.name.as_str()).ok_or_else(|| {
            ApiError::new(ResponseError::InvalidConfig, format!("unknown group config name: `{}`", edit.name))
        })?;
        let current = || node_settings.group_text(name, &edit.name).unwrap_or_default();
        apply(&mut settings, edit, &property.definition, ResponseError::InvalidConfig, current)?;
    }
    check_bounds(context, &settings)?;
    if !validate_only {
        change.replace_group(name, settings).await?;
    }
    Ok(())
}

/// Timeouts of groups must lie within what the broker allows (`GroupConfig.validate`).
fn check_bounds(context: &RequestContext<'_>, settings: &Values) -> Result<(), ApiError> {
    for (name, value) in settings {
        let Some((protocol, timeout)) = name.split_once('.') else { continue };
        let bound = |end: &str| {
            let property = format!("group.{protocol}.{end}.{timeout}");
            definition_of(&property).map(|_| context.node.settings.number(&property))
        };
        let (Some(low), Some(high), Ok(number)) = (bound("min"), bound("max"), value.parse::<i64>()) else {
            continue;
        };
        if !(low..=high).contains(&number) {
            let message = format!("`{name}` must be from {low} to {high}, not {number}");
            return Err(ApiError::new(ResponseError::InvalidConfig, message));
        }
    }
    Ok(())
}

/// Makes one change; what cannot be made is refused with the code `refusal`, which Kafka chooses by resource.
fn apply(
    settings: &mut Values,
    edit: &Edit,
    definition: &PropertyDefinition,
    refusal: ResponseError,
    current: impl FnOnce() -> String,
) -> Result<(), ApiError> {
    let invalid = |message: String| ApiError::new(refusal, message);
    if edit.operation == Operation::Delete {
        settings.remove(&edit.name);
        return Ok(());
    }
    let value = edit.value.as_deref().ok_or_else(|| {
        ApiError::new(ResponseError::InvalidRequest, format!("`{}` has no value", edit.name))
    })?;
    let value = match edit.operation {
        Operation::Set | Operation::Delete => value.to_owned(),
        Operation::Append | Operation::Subtract if definition.kind != PropertyType::List => {
            let message =
                format!("`{}` is not a list: it cannot be appended to or subtracted from", edit.name);
            return Err(invalid(message));
        }
        operation => {
            let changed: Vec<String> = list(value);
            let mut items = list(&current());
            items.retain(|item| !changed.contains(item));
            if operation == Operation::Append {
                items.extend(changed);
            }
            items.join(",")
        }
    };
    let value = definition.check(&value).map_err(|error| invalid(error.to_string()))?;
    settings.insert(edit.name.clone(), value);
    Ok(())
}

fn summary(edits: &[Edit]) -> String {
    let shown = |edit: &Edit| match (&edit.value, edit.operation) {
        (Some(value), operation) if operation != Operation::Delete => {
            match TOPIC_PROPERTIES.get(edit.name.as_str()).or(GROUP_PROPERTIES.get(edit.name.as_str())) {
                Some(_) => format!("{}={value}", edit.name),
                None => shown(&edit.name, value),
            }
        }
        _ => format!("{} removed", edit.name),
    };
    edits.iter().map(shown).collect::<Vec<_>>().join(", ")
}
