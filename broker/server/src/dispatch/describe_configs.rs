//! `DescribeConfigs`: settings of topics and of this broker, with their sources and what they override.

use cadastre_protocol::messages::describe_configs_request::DescribeConfigsResource;
use cadastre_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use cadastre_protocol::messages::{DescribeConfigsRequest, DescribeConfigsResponse};
use cadastre_protocol::{ResponseError, StrBytes};

use super::api_error::{ApiError, code_of, message_of};
use super::context::RequestContext;
use super::operations::{DESCRIBE_CLUSTER_CONFIGS, DESCRIBE_GROUP_CONFIGS, DESCRIBE_TOPIC_CONFIGS};
use crate::config::broker_config::definition_of;
use crate::state::settings::{Setting, Source};
use crate::state::topics::check_name;
use crate::sync::read;
use cadastre_security::acl::CLUSTER_NAME;

/// `ConfigResource.Type`.
pub(super) const TOPIC: i8 = 2;
/// `ConfigResource.Type`.
pub(super) const BROKER: i8 = 4;
/// `ConfigResource.Type`.
pub(super) const BROKER_LOGGER: i8 = 8;
/// `ConfigResource.Type`.
pub(super) const CLIENT_METRICS: i8 = 16;
/// `ConfigResource.Type`.
pub(super) const GROUP: i8 = 32;

pub(super) async fn handle(
    context: &RequestContext<'_>,
    request: DescribeConfigsRequest,
) -> DescribeConfigsResponse {
    let results = request.resources.into_iter().map(|resource| {
        let outcome = describe(context, &resource);
        let result = DescribeConfigsResult::default()
            .with_error_code(code_of(&outcome))
            .with_error_message(message_of(&outcome))
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name.clone());
        let wanted = resource.configuration_keys.as_ref().filter(|keys| !keys.is_empty());
        let settings = outcome.unwrap_or_default().into_iter();
        let wanted =
            settings.filter(|setting| wanted.is_none_or(|keys| keys.iter().any(|key| **key == setting.name)));
        result.with_configs(wanted.map(|setting| entry(context, request.include_synonyms, setting)).collect())
    });
    DescribeConfigsResponse::default().with_results(results.collect())
}

fn describe(
    context: &RequestContext<'_>,
    resource: &DescribeConfigsResource,
) -> Result<Vec<Setting>, ApiError> {
    let name = &resource.resource_name;
    let node = context.node;
    match resource.resource_type {
        TOPIC => {
            if !context.allows(DESCRIBE_TOPIC_CONFIGS, name) {
                return Err(ResponseError::TopicAuthorizationFailed.into());
            }
            check_name(name).map_err(|reason| ApiError::new(ResponseError::InvalidTopicException, reason))?;
            let topic = node.topics.by_name(name).ok_or(ResponseError::UnknownTopicOrPartition)?;
            Ok(node.settings.describe_topic(Some(&topic)))
        }
        BROKER | BROKER_LOGGER | CLIENT_METRICS
            if !context.allows(DESCRIBE_CLUSTER_CONFIGS, CLUSTER_NAME) =>
        {
            Err(ResponseError::ClusterAuthorizationFailed.into())
        }
        BROKER if name.is_empty() => Ok(node.settings.describe_all_brokers()),
        BROKER => {
            check_broker(context, name)?;
            let mut settings = node.settings.describe_broker();
            settings.extend(told("cadastre.data.path", Some(read(&node.data_path).clone())));
            settings.extend(told("cadastre.usage", node.usage.text(&node.storage)));
            settings.sort_by(|left, right| left.name.cmp(&right.name));
            Ok(settings)
        }
        BROKER_LOGGER => check_broker(context, name).map(|()| Vec::new()),
        CLIENT_METRICS => Ok(Vec::new()),
        GROUP if !context.allows(DESCRIBE_GROUP_CONFIGS, name) => {
            Err(ResponseError::GroupAuthorizationFailed.into())
        }
        GROUP if name.is_empty() => {
            Err(ApiError::new(ResponseError::InvalidRequest, "default group resources are not allowed"))
        }
        GROUP => Ok(node.settings.describe_group(name)),
        other => {
            let message = format!("unsupported resource type {other}");
            Err(ApiError::new(ResponseError::InvalidRequest, message))
        }
    }
}

/// What the broker says of itself, as if it were a setting.
fn told(name: &str, value: Option<String>) -> Option<Setting> {
    let definition = definition_of(name)?;
    Some(Setting {
        name: definition.name.to_owned(),
        value,
        source: Source::StaticBroker,
        synonyms: Vec::new(),
        definition: Some(definition),
    })
}

/// Refuses the id of a broker that is not this one.
pub(super) fn check_broker(context: &RequestContext<'_>, name: &str) -> Result<(), ApiError> {
    let own = context.node.config.node_id;
    if name.parse() == Ok(own) {
        Ok(())
    } else {
        let message = format!("unexpected broker id, expected {own}, but received `{name}`");
        Err(ApiError::new(ResponseError::InvalidRequest, message))
    }
}

fn entry(
    context: &RequestContext<'_>,
    with_synonyms: bool,
    setting: Setting,
) -> DescribeConfigsResourceResult {
    let is_sensitive = setting.definition.is_none_or(|definition| definition.is_sensitive());
    let shown = |value: Option<String>| value.filter(|_| !is_sensitive).map(StrBytes::from_string);
    let read_only = setting.definition.is_none_or(|definition| definition.is_fixed());
    let mut entry = DescribeConfigsResourceResult::default()
        .with_name(StrBytes::from_string(setting.name))
        .with_value(shown(setting.value))
        .with_read_only(read_only)
        .with_config_source(setting.source.code())
        .with_is_sensitive(is_sensitive);
    if with_synonyms {
        let synonyms = setting.synonyms.into_iter().map(|synonym| {
            DescribeConfigsSynonym::default()
                .with_name(StrBytes::from_string(synonym.name))
                .with_value(shown(synonym.value))
                .with_source(synonym.source.code())
        });
        entry = entry.with_synonyms(synonyms.collect());
    }
    if context.header.version >= 3 {
        entry =
            entry.with_config_type(setting.definition.map_or(0, |definition| definition.kind.wire_code()));
    }
    entry
}
