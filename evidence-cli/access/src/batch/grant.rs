//! KMS grants, as `ListGrants` returns them, and what they allow.
//!
//! Source: "Grants in AWS KMS", "Grant constraints" and "Retiring and revoking grants", AWS KMS Developer Guide, and
//! `GrantConstraints`, AWS KMS API Reference.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::arn;
use crate::batch::principal::{Fit, Kind};
use crate::batch::request::Request;
use crate::expression::{Expression, Quantifier, Relation, TestBody};
use crate::requester::Named;

/// The prefix of the condition keys that carry a request's encryption context.
const ENCRYPTION_CONTEXT: &str = "kms:EncryptionContext:";

/// Operations that take an encryption context; constraints are not applied to any other.
const CONSTRAINED: [&str; 8] = [
    "decrypt",
    "encrypt",
    "generatedatakey",
    "generatedatakeypair",
    "generatedatakeypairwithoutplaintext",
    "generatedatakeywithoutplaintext",
    "reencryptfrom",
    "reencryptto",
];

/// A grant.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Grant {
    key_id: Option<String>,
    grantee_principal: Option<String>,
    retiring_principal: Option<String>,
    issuing_account: Option<String>,
    operations: Vec<String>,
    constraints: Option<Constraints>,
}

/// The encryption context that a grant asks for; keys and values are case-sensitive.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Constraints {
    encryption_context_subset: Option<BTreeMap<String, String>>,
    encryption_context_equals: Option<BTreeMap<String, String>>,
    /// Constraints that are not known here.
    #[serde(flatten)]
    others: BTreeMap<String, serde_json::Value>,
}

/// What a grant says of a request.
#[derive(Debug)]
pub(crate) enum Says {
    Nothing,
    /// It allows by itself.
    Allows(Expression),
    /// It allows whom the requester's own policies allow.
    Leaves,
}

impl Grant {
    /// What it says of a request for a key.
    pub(crate) fn says(&self, request: &Request) -> Says {
        if !self.is_for(&request.resource) {
            return Says::Nothing;
        }
        let operation = request.action.split_once(':').map_or("", |(_, name)| name);
        let granted = self.operations.iter().any(|granted| granted.eq_ignore_ascii_case(operation));
        let grantee = if granted { fit(self.grantee_principal.as_deref(), request) } else { Fit::No };
        let fit = if operation == "retiregrant" { grantee.max(self.retires(request)) } else { grantee };
        match fit {
            Fit::No => Says::Nothing,
            Fit::Account if request.principal.kind == Kind::Root => {
                Says::Allows(self.constraint(operation, request))
            }
            Fit::Account => Says::Leaves,
            Fit::Behind | Fit::Itself => Says::Allows(self.constraint(operation, request)),
        }
    }

    fn is_for(&self, key: &str) -> bool {
        match &self.key_id {
            None => true,
            Some(id) if id.starts_with("arn:") => id == key,
            Some(id) => key.rsplit('/').next() == Some(id),
        }
    }

    /// Retiring is for the retiring principal and for the account in which the grant was made.
    fn retires(&self, request: &Request) -> Fit {
        let issuer = self.issuing_account.as_deref().map(|issuer| arn::account(issuer).unwrap_or(issuer));
        let issued = issuer
            .is_some_and(|issuer| request.principal.has_identity() && issuer == request.principal.account);
        fit(self.retiring_principal.as_deref(), request).max(if issued { Fit::Account } else { Fit::No })
    }

    fn constraint(&self, operation: &str, request: &Request) -> Expression {
        let Some(constraints) = self.constraints.as_ref().filter(|_| CONSTRAINED.contains(&operation)) else {
            return Expression::Yes;
        };
        if let Some(other) = constraints.others.keys().next() {
            return Expression::unknown(format!("the grant's constraint `{other}` is not known"));
        }
        let mut parts = Vec::new();
        if let Some(wanted) = &constraints.encryption_context_subset {
            parts.extend(wanted.iter().map(|(key, value)| pair(key, value, request)));
        }
        if let Some(wanted) = &constraints.encryption_context_equals {
            parts.extend(wanted.iter().map(|(key, value)| pair(key, value, request)));
            parts.push(nothing_but(wanted, request));
        }
        Expression::all(parts)
    }
}

/// How the principal of a grant fits the requester. A grant to a role is one to each of its sessions.
fn fit(text: Option<&str>, request: &Request) -> Fit {
    let Some(text) = text else { return Fit::No };
    let named = if text.ends_with(".amazonaws.com") {
        Named::Service(text.to_owned())
    } else if arn::is_account(text) {
        Named::Account(text.to_owned())
    } else {
        match (arn::resource(text), arn::account(text)) {
            (Some("root"), Some(account)) => Named::Account(account.to_owned()),
            _ => Named::Arn(text.to_owned()),
        }
    };
    request.principal.fit(&named)
}

/// Whether the request's encryption context has a pair.
fn pair(key: &str, value: &str, request: &Request) -> Expression {
    let given = request.context.starting(ENCRYPTION_CONTEXT).find(|(name, _)| *name == key);
    match given {
        Some((_, entry)) if entry.values.iter().any(|given| given == value) => Expression::Yes,
        Some(_) => Expression::No,
        None if request.context.complete => Expression::No,
        None => Expression::test(TestBody {
            key: format!("{ENCRYPTION_CONTEXT}{key}"),
            relation: Relation::In,
            quantifier: Quantifier::One,
            or_absent: false,
            values: BTreeSet::from([value.to_owned()]),
        }),
    }
}

/// Whether the request's encryption context has no other pairs.
fn nothing_but(wanted: &BTreeMap<String, String>, request: &Request) -> Expression {
    if request.context.starting(ENCRYPTION_CONTEXT).any(|(name, _)| !wanted.contains_key(name)) {
        return Expression::No;
    }
    if request.context.complete {
        return Expression::Yes;
    }
    Expression::test(TestBody {
        key: "the keys of the encryption context".to_owned(),
        relation: Relation::In,
        quantifier: Quantifier::All,
        or_absent: false,
        values: wanted.keys().cloned().collect(),
    })
}
