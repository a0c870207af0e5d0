//! Who may do what on a cluster: ACL bindings, SCRAM credentials, quotas, delegation tokens.

use std::collections::BTreeMap;

use cadastre_model::Known;
use cadastre_model::asset::kafka::{AclBinding, ClientQuota, DelegationToken, ScramCredential};

use crate::kafka::clusters::Asking;
use crate::node::{Node, Read};

/// Reads every ACL binding.
pub(crate) fn bindings(asking: &mut Asking<'_, '_>) -> Known<Vec<AclBinding>> {
    asking.known("kafka:DescribeAcls", |pages| {
        let mut bindings = pages.all("bindings", binding)?;
        bindings.sort();
        Ok(Some(bindings))
    })
}

fn binding(binding: &Node<'_>) -> Read<AclBinding> {
    Ok(AclBinding {
        resource_type: binding.owned_text("resource_type")?,
        resource_name: binding.owned_text("resource_name")?,
        pattern_type: binding.owned_text("pattern_type")?,
        principal: binding.owned_text("principal")?,
        host: binding.owned_text("host")?,
        operation: binding.owned_text("operation")?,
        permission: binding.owned_text("permission")?,
        record: binding.record.id().clone(),
        pointer: binding.pointer.clone(),
    })
}

/// Reads every SCRAM credential.
pub(crate) fn scram_credentials(asking: &mut Asking<'_, '_>) -> Known<Vec<ScramCredential>> {
    asking.known("kafka:DescribeUserScramCredentials", |pages| {
        let mut credentials = pages
            .all("users", |user| {
                let name = user.text("user")?;
                let credentials = user.list("credentials")?;
                credentials
                    .iter()
                    .map(|credential| {
                        Ok(ScramCredential {
                            user: name.to_owned(),
                            mechanism: credential.owned_text("mechanism")?,
                            iterations: credential.integer("iterations")?,
                        })
                    })
                    .collect::<Read<Vec<_>>>()
            })?
            .concat();
        credentials.sort();
        Ok(Some(credentials))
    })
}

/// Reads every client quota.
pub(crate) fn quotas(asking: &mut Asking<'_, '_>) -> Known<Vec<ClientQuota>> {
    asking.known("kafka:DescribeClientQuotas", |pages| {
        let mut quotas = pages.all("entries", quota)?;
        quotas.sort_by(|a, b| a.entity.cmp(&b.entity));
        Ok(Some(quotas))
    })
}

fn quota(entry: &Node<'_>) -> Read<ClientQuota> {
    let mut entity = BTreeMap::new();
    for part in entry.list("entity")? {
        entity.insert(part.owned_text("type")?, part.optional_owned_text("name")?);
    }
    let limits = entry.object("limits")?;
    let mut read = BTreeMap::new();
    for (name, value) in limits.value.as_object().into_iter().flatten() {
        let limit = value.as_f64().ok_or_else(|| limits.defect("numbers"))?;
        read.insert(name.clone(), limit);
    }
    Ok(ClientQuota { entity, limits: read })
}

/// Reads every delegation token.
pub(crate) fn delegation_tokens(asking: &mut Asking<'_, '_>) -> Known<Vec<DelegationToken>> {
    asking.known("kafka:DescribeDelegationToken", |pages| {
        let mut tokens = pages.all("tokens", |token| {
            Ok(DelegationToken {
                id: token.owned_text("id")?,
                owner: token.owned_text("owner")?,
                issued: token.time("issued")?,
                expires: token.time("expires")?,
                maximum: token.time("maximum")?,
            })
        })?;
        tokens.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(Some(tokens))
    })
}
