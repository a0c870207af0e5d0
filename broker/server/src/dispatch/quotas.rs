//! `DescribeClientQuotas` and `AlterClientQuotas` (KIP-546).

use cadastre_protocol::messages::alter_client_quotas_request::EntryData as Alteration;
use cadastre_protocol::messages::alter_client_quotas_response::{
    EntityData as AlteredEntity, EntryData as AlteredEntry,
};
use cadastre_protocol::messages::describe_client_quotas_request::ComponentData;
use cadastre_protocol::messages::describe_client_quotas_response::{EntityData, EntryData, ValueData};
use cadastre_protocol::messages::{
    AlterClientQuotasRequest, AlterClientQuotasResponse, DescribeClientQuotasRequest,
    DescribeClientQuotasResponse,
};
use cadastre_protocol::{ResponseError, StrBytes};
use cadastre_security::acl::CLUSTER_NAME;
use cadastre_security::quota::{QuotaEntity, QuotaKind, QuotaLimits};

use super::api_error::{ApiError, code_of, message_of};
use super::context::RequestContext;
use super::operations::{ALTER_CLUSTER_CONFIGS, DESCRIBE_CLUSTER_CONFIGS};
use crate::state::quotas::QuotaChange;

/// `DescribeClientQuotas` match types.
const EXACT: i8 = 0;
const DEFAULT: i8 = 1;
const ANY: i8 = 2;

pub(super) async fn describe(
    context: &RequestContext<'_>,
    request: DescribeClientQuotasRequest,
) -> DescribeClientQuotasResponse {
    let failed = |error: ApiError| {
        DescribeClientQuotasResponse::default()
            .with_error_code(error.code())
            .with_error_message(error.message())
            .with_entries(None)
    };
    if !context.allows_cluster(DESCRIBE_CLUSTER_CONFIGS) {
        return failed(ResponseError::ClusterAuthorizationFailed.into());
    }
    if let Err(error) = check(&request.components) {
        return failed(error);
    }
    let limits = context.node.quotas.limits();
    let matching =
        limits.entries().filter(|(entity, _)| matches(entity, &request.components, request.strict));
    let entries = matching.map(|(entity, quotas)| {
        let parts = entity.parts().into_iter().map(|(kind, name)| {
            EntityData::default()
                .with_entity_type(StrBytes::from_static_str(kind))
                .with_entity_name(name.map(|name| StrBytes::from_string(name.to_owned())))
        });
        let values = quotas.iter().map(|(kind, value)| {
            ValueData::default().with_key(StrBytes::from_static_str(kind.as_str())).with_value(*value)
        });
        EntryData::default().with_entity(parts.collect()).with_values(values.collect())
    });
    DescribeClientQuotasResponse::default().with_error_message(None).with_entries(Some(entries.collect()))
}

fn check(components: &[ComponentData]) -> Result<(), ApiError> {
    let refuse = |message: String| Err(ApiError::new(ResponseError::InvalidRequest, message));
    for (index, component) in components.iter().enumerate() {
        if !["user", "client-id", "ip"].contains(&component.entity_type.as_str()) {
            let message = format!("`{}` is not a client quota entity type", component.entity_type.as_str());
            return Err(ApiError::new(ResponseError::UnsupportedVersion, message));
        }
        if components.iter().take(index).any(|earlier| earlier.entity_type == component.entity_type) {
            return refuse(format!("filter names `{}` twice", component.entity_type.as_str()));
        }
        match (component.match_type, &component._match) {
            (EXACT, Some(_)) | (DEFAULT | ANY, None) => {}
            _ => return refuse("match type and match do not go together".to_owned()),
        }
    }
    let is_about = |kind: &str| components.iter().any(|component| component.entity_type.as_str() == kind);
    if is_about("ip") && components.len() > 1 {
        return refuse("no quota is for an address and something else".to_owned());
    }
    Ok(())
}

fn matches(entity: &QuotaEntity, components: &[ComponentData], strict: bool) -> bool {
    let parts = entity.parts();
    if strict && parts.len() != components.len() {
        return false;
    }
    components.iter().all(|component| {
        let part = parts.iter().find(|(kind, _)| *kind == component.entity_type.as_str());
        part.is_some_and(|(_, name)| match component.match_type {
            EXACT => *name == component._match.as_deref(),
            DEFAULT => name.is_none(),
            _ => true,
        })
    })
}

pub(super) async fn alter(
    context: &RequestContext<'_>,
    request: AlterClientQuotasRequest,
) -> AlterClientQuotasResponse {
    let detail = request.entries.iter().map(summary).collect::<Vec<_>>().join("; ");
    let allowed = context.allows_action(ALTER_CLUSTER_CONFIGS, CLUSTER_NAME, Some(detail));
    let mut entries = Vec::with_capacity(request.entries.len());
    for entry in request.entries {
        let outcome = if allowed {
            apply(context, &entry, request.validate_only).await
        } else {
            Err(ResponseError::ClusterAuthorizationFailed.into())
        };
        let parts = entry.entity.into_iter().map(|part| {
            AlteredEntity::default().with_entity_type(part.entity_type).with_entity_name(part.entity_name)
        });
        entries.push(
            AlteredEntry::default()
                .with_error_code(code_of(&outcome))
                .with_error_message(message_of(&outcome))
                .with_entity(parts.collect()),
        );
    }
    AlterClientQuotasResponse::default().with_entries(entries)
}

fn summary(entry: &Alteration) -> String {
    let parts = entry.entity.iter().map(|part| {
        format!("{} {}", part.entity_type.as_str(), part.entity_name.as_deref().unwrap_or("<default>"))
    });
    let changes = entry.ops.iter().map(|change| match change.remove {
        true => format!("{} removed", change.key.as_str()),
        false => format!("{}={}", change.key.as_str(), change.value),
    });
    format!("{}: {}", parts.collect::<Vec<_>>().join(", "), changes.collect::<Vec<_>>().join(", "))
}

async fn apply(
    context: &RequestContext<'_>,
    entry: &Alteration,
    validate_only: bool,
) -> Result<(), ApiError> {
    let invalid =
        |error: &dyn std::fmt::Display| ApiError::new(ResponseError::InvalidRequest, error.to_string());
    let parts = entry.entity.iter().map(|part| (part.entity_type.as_str(), part.entity_name.as_deref()));
    let entity = QuotaEntity::from_wire(parts).map_err(|error| invalid(&error))?;
    let mut changes: Vec<QuotaChange> = Vec::with_capacity(entry.ops.len());
    for change in &entry.ops {
        let kind: QuotaKind = change.key.parse().map_err(|error| invalid(&error))?;
        let value = (!change.remove).then_some(change.value);
        QuotaLimits::check(&entity, kind, value).map_err(|error| invalid(&error))?;
        changes.push((entity.clone(), kind, value));
    }
    if !validate_only {
        context.node.quotas.change(changes).await?;
    }
    Ok(())
}
