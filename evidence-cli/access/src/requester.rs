//! Who asks: an observed user or role, or somebody that a policy names.

use std::collections::BTreeSet;
use std::sync::Arc;

use cadastre_model::Known;
use cadastre_model::asset::Tag;
use cadastre_model::asset::identity::PrincipalKind;

use crate::arn;
use crate::document::{Guard, Policy};

/// An observed user or role with its compiled policies.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) arn: String,
    pub(crate) name: String,
    pub(crate) kind: PrincipalKind,
    pub(crate) account: String,
    pub(crate) organization: Known<String>,
    pub(crate) tags: Vec<Tag>,
    pub(crate) service_linked: bool,
    pub(crate) policies: Vec<Arc<Policy>>,
    /// Why the list of policies is not known, where it is not.
    pub(crate) policies_missing: Option<String>,
    pub(crate) boundary: Guard,
    pub(crate) trust: Guard,
    /// ARNs of the instance profiles that carry it.
    pub(crate) instance_profiles: Vec<String>,
    /// Names of the groups it is in.
    pub(crate) groups: Vec<String>,
    /// The name or ARN of its boundary.
    pub(crate) boundary_arn: Option<String>,
    /// ARNs of the customer-managed policies attached to it.
    pub(crate) attached: BTreeSet<String>,
}

/// An observed group with its compiled policies.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) arn: String,
    pub(crate) name: String,
    pub(crate) account: String,
    pub(crate) policies: Vec<Arc<Policy>>,
    /// Why the list of policies is not known, where it is not.
    pub(crate) policies_missing: Option<String>,
}

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Requester<'a> {
    /// An observed user or role.
    Identity(&'a Identity),
    /// Somebody a policy names.
    Named(&'a Named),
}

/// Somebody a policy names who is not among the observed users and roles.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Named {
    /// A user, role or session by its ARN.
    Arn(String),
    /// Anybody in an account, as that account decides.
    Account(String),
    /// An AWS service, `ec2.amazonaws.com`.
    Service(String),
    /// An identity provider.
    Federated(String),
    /// An S3 canonical user id.
    Canonical(String),
    /// Anybody at all.
    Anybody,
}

impl Named {
    /// How edges name it.
    pub(crate) fn id(&self) -> String {
        match self {
            Self::Arn(arn) => arn.clone(),
            Self::Account(account) => format!("account:{account}"),
            Self::Service(service) => format!("service:{service}"),
            Self::Federated(provider) => format!("federated:{provider}"),
            Self::Canonical(id) => format!("canonical:{id}"),
            Self::Anybody => "*".to_owned(),
        }
    }

    /// Its account, where it has one.
    pub(crate) fn account(&self) -> Option<&str> {
        match self {
            Self::Arn(arn) | Self::Federated(arn) => arn::account(arn),
            Self::Account(account) => Some(account),
            Self::Service(_) | Self::Canonical(_) | Self::Anybody => None,
        }
    }
}

impl<'a> Requester<'a> {
    /// Its account, where it has one.
    pub(crate) fn account(self) -> Option<&'a str> {
        match self {
            Self::Identity(identity) => Some(&identity.account),
            Self::Named(named) => named.account(),
        }
    }

    /// Whether it is an AWS service.
    pub(crate) const fn is_service(self) -> bool {
        matches!(self, Self::Named(Named::Service(_)))
    }
}
