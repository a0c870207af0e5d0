//! One line of cases, read into a request and its policies.

use cadastre_model::asset::PolicyKind;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::batch::grant::Grant;
use crate::batch::judge::Policies;
use crate::batch::policy::Compiled;
use crate::batch::principal::Principal;
use crate::batch::request::{Carried, Entry, Request};
use crate::batch::strict;
use crate::condition::scalar;

/// The most work that one line may ask for: bytes of policies times bytes of the request. Matching looks at each
/// pair at most once, so that this bounds the time.
const MAXIMUM_WORK: usize = 1_000_000_000;

/// A case.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) id: Value,
    pub(crate) request: Request,
    pub(crate) policies: Policies,
}

/// A line that is no case, with its id where one could be read.
#[derive(Debug)]
pub(crate) struct Unreadable {
    pub(crate) id: Value,
    pub(crate) error: CaseError,
}

/// Why a line is no case.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CaseError {
    /// Not the expected shape.
    #[error("{0}")]
    Malformed(String),
    /// A key of the context stands twice.
    #[error("the context names `{0}` twice")]
    Twice(String),
    /// A value of the context is no value.
    #[error("the context's `{0}` is neither a string, a number, a boolean nor a list of these")]
    Value(String),
    /// The action has no service.
    #[error("action `{0}` is not of the form `service:Name`")]
    Action(String),
    /// The request names no principal or resource.
    #[error("the request names no {0}")]
    Without(&'static str),
    /// It would take too long.
    #[error(
        "policies of {policies} bytes against a request of {request} bytes are more than one line may ask for"
    )]
    Work { policies: usize, request: usize },
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(default)]
    id: Value,
    request: Asked<'a>,
    #[serde(borrow, default)]
    policies: Option<Documents<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked<'a> {
    principal: String,
    #[serde(default)]
    principal_account: Option<String>,
    action: String,
    resource: String,
    #[serde(default)]
    resource_account: Option<String>,
    #[serde(borrow, default)]
    context: Option<&'a RawValue>,
    #[serde(default)]
    context_complete: Option<bool>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Documents<'a> {
    #[serde(borrow, default)]
    identity: Option<Vec<&'a RawValue>>,
    #[serde(borrow, default)]
    resource: Option<&'a RawValue>,
    #[serde(borrow, default)]
    boundary: Option<&'a RawValue>,
    #[serde(borrow, default)]
    session: Option<&'a RawValue>,
    #[serde(borrow, default)]
    scp: Option<Vec<Option<Vec<&'a RawValue>>>>,
    #[serde(borrow, default)]
    rcp: Option<Vec<Option<Vec<&'a RawValue>>>>,
    #[serde(borrow, default)]
    endpoint: Option<&'a RawValue>,
    #[serde(default)]
    grants: Option<Vec<Grant>>,
}

/// Only the id of a line.
#[derive(Deserialize)]
struct Id {
    #[serde(default)]
    id: Value,
}

/// Reads a line.
pub(crate) fn read(line: &str, compiled: &mut Compiled) -> Result<Case, Box<Unreadable>> {
    let line: Line<'_> = serde_json::from_str(line).map_err(|error| {
        let id = serde_json::from_str(line).map_or(Value::Null, |line: Id| line.id);
        Box::new(Unreadable { id, error: CaseError::Malformed(error.to_string()) })
    })?;
    let id = line.id;
    match build(line.request, line.policies.unwrap_or_default(), compiled) {
        Ok((request, policies)) => Ok(Case { id, request, policies }),
        Err(error) => Err(Box::new(Unreadable { id, error })),
    }
}

fn build(
    asked: Asked<'_>,
    documents: Documents<'_>,
    compiled: &mut Compiled,
) -> Result<(Request, Policies), CaseError> {
    let request = request(asked)?;
    let mut bytes = 0;
    let mut compile = |document: &RawValue, kind| {
        let policy = compiled.get(document.get(), kind);
        bytes += policy.bytes;
        policy
    };
    let resource = if request.nature.for_trust { PolicyKind::Trust } else { PolicyKind::Resource };
    let mut levels = |levels: Option<Vec<Option<Vec<&RawValue>>>>, kind| -> Vec<Vec<_>> {
        levels
            .into_iter()
            .flatten()
            .map(|level| level.into_iter().flatten().map(|document| compile(document, kind)).collect())
            .collect()
    };
    let service_control = levels(documents.scp, PolicyKind::ServiceControl);
    let resource_control = levels(documents.rcp, PolicyKind::ResourceControl);
    let policies = Policies {
        service_control,
        resource_control,
        identity: documents
            .identity
            .into_iter()
            .flatten()
            .map(|document| compile(document, PolicyKind::Inline))
            .collect(),
        resource: documents.resource.map(|document| compile(document, resource)),
        boundary: documents.boundary.map(|document| compile(document, PolicyKind::Boundary)),
        session: documents.session.map(|document| compile(document, PolicyKind::Inline)),
        endpoint: documents.endpoint.map(|document| compile(document, PolicyKind::Endpoint)),
        grants: documents.grants.unwrap_or_default(),
    };
    let asked = request.size();
    if bytes.saturating_mul(asked) > MAXIMUM_WORK {
        return Err(CaseError::Work { policies: bytes, request: asked });
    }
    Ok((request, policies))
}

fn request(asked: Asked<'_>) -> Result<Request, CaseError> {
    if asked.principal.is_empty() {
        return Err(CaseError::Without("principal"));
    }
    if asked.resource.is_empty() {
        return Err(CaseError::Without("resource"));
    }
    if !asked.action.split_once(':').is_some_and(|(service, name)| !service.is_empty() && !name.is_empty()) {
        return Err(CaseError::Action(asked.action));
    }
    let principal =
        Principal::parse(&asked.principal, asked.principal_account.as_deref().unwrap_or_default());
    let resource_account =
        Request::owner(asked.resource_account.as_deref().unwrap_or_default(), &asked.resource, &principal);
    let context = context(asked.context, asked.context_complete.unwrap_or(false))?;
    let action = asked.action.to_ascii_lowercase();
    Ok(Request::new(principal, action, asked.resource, resource_account.as_deref(), context))
}

fn context(context: Option<&RawValue>, complete: bool) -> Result<Carried, CaseError> {
    let Some(text) = context else { return Carried::new(Vec::new(), complete).map_err(CaseError::Twice) };
    let context = strict::parse(text.get()).map_err(|error| CaseError::Malformed(error.to_string()))?;
    let Value::Object(members) = context else {
        return Err(CaseError::Malformed("the context is no object".to_owned()));
    };
    let mut entries = Vec::with_capacity(members.len());
    for (key, value) in members {
        let (values, listed) = match &value {
            Value::Null => continue,
            Value::Array(list) => (list.iter().map(scalar).collect::<Option<Vec<_>>>(), true),
            other => (scalar(other).map(|value| vec![value]), false),
        };
        let Some(values) = values else { return Err(CaseError::Value(key)) };
        entries.push(Entry::new(key, values, listed));
    }
    Carried::new(entries, complete).map_err(CaseError::Twice)
}
