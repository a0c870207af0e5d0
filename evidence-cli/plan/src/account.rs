//! In which account and region a resource lies: what it says itself, its provider's configuration, the identity that
//! planned, and last what the declaration leaves no choice about.

use std::collections::BTreeSet;

use cadastre_model::declaration::{Declaration, Provider};
use serde_json::Value;

use crate::configuration::Configuration;
use crate::error::PlanError;
use crate::parse::{Plan, ResourceChange};

/// Tells accounts and regions.
#[derive(Debug)]
pub(crate) struct Places<'p> {
    plan: &'p Plan,
    configuration: Configuration<'p>,
    /// The account whose credentials planned, where the plan asked for exactly one.
    caller: Option<&'p str>,
    declared_account: Option<&'p str>,
    declared_region: Option<&'p str>,
    /// The subscription whose credentials planned, where the plan asked for exactly one.
    asking: Option<&'p str>,
    declared_subscription: Option<&'p str>,
}

impl<'p> Places<'p> {
    pub(crate) fn new(plan: &'p Plan, declaration: &'p Declaration) -> Result<Self, PlanError> {
        let prior = plan.prior()?;
        let callers: BTreeSet<&str> = prior
            .iter()
            .filter(|resource| resource.data && resource.kind == "aws_caller_identity")
            .filter_map(|resource| resource.after.get("account_id")?.as_str())
            .collect();
        let asking: BTreeSet<&str> = prior
            .iter()
            .filter(|resource| {
                resource.data && matches!(resource.kind, "azurerm_client_config" | "azurerm_subscription")
            })
            .filter_map(|resource| resource.after.get("subscription_id")?.as_str())
            .collect();
        let of = |provider: Provider| {
            declaration.accounts.iter().filter(move |account| account.provider == provider)
        };
        let accounts = of(Provider::Aws);
        Ok(Self {
            plan,
            configuration: Configuration::new(plan.configuration()),
            caller: only(callers.into_iter()),
            declared_account: only(accounts.map(|account| account.id.as_str())),
            asking: only(asking.into_iter()),
            declared_subscription: only(of(Provider::Azure).map(|account| account.id.as_str())),
            declared_region: only(declaration.regions.iter().map(String::as_str)),
        })
    }

    pub(crate) fn account(&self, change: &ResourceChange<'p>) -> Option<&'p str> {
        let of_values = |values: &'p Value| {
            let owner = values.get("owner_id").and_then(Value::as_str);
            owner.or_else(|| arn_part(values, 4)).filter(|account| !account.is_empty())
        };
        let provider = || {
            let expressions = self.provider(change);
            let role = expressions.get("assume_role")?.get(0)?.get("role_arn")?;
            self.constant(role)?.split(':').nth(4)
        };
        of_values(change.before)
            .or_else(|| of_values(change.after))
            .or_else(provider)
            .or(self.caller)
            .or(self.declared_account)
    }

    pub(crate) fn region(&self, change: &ResourceChange<'p>) -> Option<&'p str> {
        let of_values = |values: &'p Value| {
            let region = values.get("region").and_then(Value::as_str);
            region.or_else(|| arn_part(values, 3)).filter(|region| !region.is_empty())
        };
        let provider = || self.constant(self.provider(change).get("region")?);
        of_values(change.before)
            .or_else(|| of_values(change.after))
            .or_else(provider)
            .or(self.declared_region)
    }

    /// The Azure subscription: in its own id, its provider's configuration, whom the plan asked as, or what the
    /// declaration leaves no choice about.
    pub(crate) fn subscription(&self, change: &ResourceChange<'p>) -> Option<&'p str> {
        let members =
            ["id", "scope", "key_vault_id", "storage_account_id", "subnet_id", "resource_manager_id"];
        let of_values = |values: &'p Value| {
            members.iter().find_map(|member| {
                let rest = values.get(*member)?.as_str()?.strip_prefix("/subscriptions/")?;
                rest.split('/').next().filter(|id| !id.is_empty())
            })
        };
        of_values(change.before)
            .or_else(|| of_values(change.after))
            .or_else(|| self.constant(self.provider(change).get("subscription_id")?))
            .or(self.asking)
            .or(self.declared_subscription)
    }

    /// A constant of the provider's configuration that a resource uses.
    pub(crate) fn provider(&self, change: &ResourceChange<'p>) -> &'p Value {
        self.configuration.provider(change.module, change.data, change.kind, change.name)
    }

    /// What an expression says where it is a constant or a variable of the root module.
    fn constant(&self, expression: &'p Value) -> Option<&'p str> {
        if let Some(value) = expression.get("constant_value") {
            return value.as_str();
        }
        let references = expression.get("references")?.as_array()?;
        let variable = only(references.iter().filter_map(Value::as_str))?.strip_prefix("var.")?;
        self.plan.variable(variable)?.as_str()
    }
}

fn arn_part(values: &Value, part: usize) -> Option<&str> {
    values.get("arn")?.as_str()?.split(':').nth(part)
}

/// The one element, where there is exactly one.
pub(crate) fn only<T>(mut elements: impl Iterator<Item = T>) -> Option<T> {
    let first = elements.next()?;
    elements.next().is_none().then_some(first)
}
