//! ACL bindings.

use cadastre_protocol::messages::{DescribeAclsRequest, DescribeAclsResponse};
use serde_json::{Value, json};

use super::connection::Connection;
use super::names;
use super::recorder::{Recorder, Trouble};
use crate::CollectError;

/// `ANY` in ResourceType, PatternType, AclOperation and AclPermissionType alike.
const ANY: i8 = 1;

pub(super) async fn read(
    connection: &mut Connection<'_>,
    recorder: &Recorder<'_>,
) -> Result<(), CollectError> {
    recorder.step("kafka:DescribeAcls");
    let answer = connection
        .ask(|_version| {
            DescribeAclsRequest::default()
                .with_resource_type_filter(ANY)
                .with_resource_name_filter(None)
                .with_pattern_type_filter(ANY)
                .with_principal_filter(None)
                .with_host_filter(None)
                .with_operation(ANY)
                .with_permission_type(ANY)
        })
        .await
        .and_then(|response| bindings(&response));
    recorder.settle(&recorder.ask("kafka:DescribeAcls", json!({})), answer)
}

fn bindings(response: &DescribeAclsResponse) -> Result<Value, Trouble> {
    Trouble::check(response.error_code, response.error_message.as_deref())?;
    let mut bindings: Vec<[String; 7]> = response
        .resources
        .iter()
        .flat_map(|resource| {
            resource.acls.iter().map(|acl| {
                [
                    names::resource_type(resource.resource_type),
                    resource.resource_name.to_string(),
                    names::pattern_type(resource.pattern_type),
                    acl.principal.to_string(),
                    acl.host.to_string(),
                    names::operation(acl.operation),
                    names::permission(acl.permission_type),
                ]
            })
        })
        .collect();
    bindings.sort();
    let bindings: Vec<Value> = bindings
        .into_iter()
        .map(|[resource_type, resource_name, pattern_type, principal, host, operation, permission]| {
            json!({
                "resource_type": resource_type,
                "resource_name": resource_name,
                "pattern_type": pattern_type,
                "principal": principal,
                "host": host,
                "operation": operation,
                "permission": permission,
            })
        })
        .collect();
    Ok(json!({ "bindings": bindings }))
}
