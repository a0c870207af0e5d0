//! `DescribeAcls`, `CreateAcls` and `DeleteAcls`.

use std::collections::BTreeMap;

use cadastre_protocol::messages::create_acls_response::AclCreationResult;
use cadastre_protocol::messages::delete_acls_response::{DeleteAclsFilterResult, DeleteAclsMatchingAcl};
use cadastre_protocol::messages::describe_acls_response::{AclDescription, DescribeAclsResource};
use cadastre_protocol::messages::{
    CreateAclsRequest, CreateAclsResponse, DeleteAclsRequest, DeleteAclsResponse, DescribeAclsRequest,
    DescribeAclsResponse,
};
use cadastre_protocol::{ResponseError, StrBytes};
use cadastre_security::acl::{AclBinding, AclBindingFilter, CLUSTER_NAME};

use super::api_error::ApiError;
use super::context::RequestContext;
use super::operations::{ALTER_CLUSTER, DESCRIBE_CLUSTER};

/// Version 1 and later know pattern types; all versions that are answered do.
fn text(text: &impl ToString) -> StrBytes {
    StrBytes::from_string(text.to_string())
}

/// Kafka's answer to ACL requests when nothing authorizes.
fn disabled() -> ApiError {
    ApiError::new(ResponseError::SecurityDisabled, "no authorizer is configured")
}

pub(super) async fn describe(
    context: &RequestContext<'_>,
    request: DescribeAclsRequest,
) -> DescribeAclsResponse {
    match matching(context, &request) {
        Ok(resources) => DescribeAclsResponse::default().with_resources(resources).with_error_message(None),
        Err(error) => {
            DescribeAclsResponse::default().with_error_code(error.code()).with_error_message(error.message())
        }
    }
}

fn matching(
    context: &RequestContext<'_>,
    request: &DescribeAclsRequest,
) -> Result<Vec<DescribeAclsResource>, ApiError> {
    if !context.allows_cluster(DESCRIBE_CLUSTER) {
        return Err(ResponseError::ClusterAuthorizationFailed.into());
    }
    if !context.node.config.authorization.enabled {
        return Err(disabled());
    }
    let filter = AclBindingFilter::from_wire(
        request.resource_type_filter,
        request.resource_name_filter.as_deref(),
        request.pattern_type_filter,
        request.principal_filter.as_deref(),
        request.host_filter.as_deref(),
        request.operation,
        request.permission_type,
    )
    .map_err(|error| ApiError::new(ResponseError::InvalidRequest, error.to_string()))?;
    let authorizer = context.node.acls.authorizer();
    let mut by_resource: BTreeMap<_, Vec<AclDescription>> = BTreeMap::new();
    for binding in authorizer.matching(&filter) {
        let description = AclDescription::default()
            .with_principal(text(binding.principal()))
            .with_host(text(&binding.host().as_str()))
            .with_operation(binding.operation().code())
            .with_permission_type(binding.permission().code());
        by_resource.entry(binding.resource().clone()).or_default().push(description);
    }
    let resources = by_resource.into_iter().map(|(resource, acls)| {
        DescribeAclsResource::default()
            .with_resource_type(resource.resource_type.code())
            .with_resource_name(StrBytes::from_string(resource.name))
            .with_pattern_type(resource.pattern_type.code())
            .with_acls(acls)
    });
    Ok(resources.collect())
}

pub(super) async fn create(context: &RequestContext<'_>, request: CreateAclsRequest) -> CreateAclsResponse {
    let parsed: Vec<Result<AclBinding, ApiError>> = request
        .creations
        .iter()
        .map(|asked| {
            AclBinding::from_wire(
                asked.resource_type,
                &asked.resource_name,
                asked.resource_pattern_type,
                &asked.principal,
                &asked.host,
                asked.operation,
                asked.permission_type,
            )
            .map_err(|error| ApiError::new(ResponseError::InvalidRequest, error.to_string()))
        })
        .collect();
    let bindings: Vec<AclBinding> = parsed.iter().filter_map(|one| one.as_ref().ok().cloned()).collect();
    let detail = bindings.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    let overall = change(context, &detail, || context.node.acls.add(bindings)).await;
    let results = parsed.into_iter().map(|one| {
        let error = overall.as_ref().err().cloned().or(one.err());
        AclCreationResult::default()
            .with_error_code(error.as_ref().map_or(0, ApiError::code))
            .with_error_message(error.as_ref().and_then(ApiError::message))
    });
    CreateAclsResponse::default().with_results(results.collect())
}

pub(super) async fn delete(context: &RequestContext<'_>, request: DeleteAclsRequest) -> DeleteAclsResponse {
    let authorizer = context.node.acls.authorizer();
    let found: Vec<Result<Vec<AclBinding>, ApiError>> = request
        .filters
        .iter()
        .map(|filter| {
            let filter = AclBindingFilter::from_wire(
                filter.resource_type_filter,
                filter.resource_name_filter.as_deref(),
                filter.pattern_type_filter,
                filter.principal_filter.as_deref(),
                filter.host_filter.as_deref(),
                filter.operation,
                filter.permission_type,
            )
            .map_err(|error| ApiError::new(ResponseError::InvalidRequest, error.to_string()))?;
            Ok(authorizer.matching(&filter).cloned().collect())
        })
        .collect();
    let bindings: Vec<AclBinding> = found.iter().flatten().flatten().cloned().collect();
    let detail = bindings.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    let overall = change(context, &detail, || async { context.node.acls.remove(&bindings).await }).await;
    let results = found.into_iter().map(|found| {
        let found = overall.clone().and(found);
        let result = DeleteAclsFilterResult::default();
        match found {
            Ok(bindings) => result.with_matching_acls(bindings.iter().map(deleted).collect()),
            Err(error) => result.with_error_code(error.code()).with_error_message(error.message()),
        }
    });
    DeleteAclsResponse::default().with_filter_results(results.collect())
}

fn deleted(binding: &AclBinding) -> DeleteAclsMatchingAcl {
    DeleteAclsMatchingAcl::default()
        .with_resource_type(binding.resource().resource_type.code())
        .with_resource_name(text(&binding.resource().name))
        .with_pattern_type(binding.resource().pattern_type.code())
        .with_principal(text(binding.principal()))
        .with_host(text(&binding.host().as_str()))
        .with_operation(binding.operation().code())
        .with_permission_type(binding.permission().code())
}

async fn change<F: Future<Output = Result<(), crate::state::StateError>>>(
    context: &RequestContext<'_>,
    detail: &str,
    make: impl FnOnce() -> F,
) -> Result<(), ApiError> {
    if !context.allows_action(ALTER_CLUSTER, CLUSTER_NAME, Some(detail.to_owned())) {
        return Err(ResponseError::ClusterAuthorizationFailed.into());
    }
    if !context.node.config.authorization.enabled {
        return Err(disabled());
    }
    if detail.is_empty() {
        return Ok(());
    }
    Ok(make().await?)
}
