//! The clauses of a statement: who, what, on which resources, under which conditions.
//!
//! Source: "Grammar of the IAM JSON policy language", IAM User Guide. What does not follow the grammar is an odd
//! statement that neither allows nor denies: every decision it might bear on becomes unknown.

use std::collections::BTreeSet;
use std::sync::Arc;

use cadastre_model::asset::PolicyKind;
use serde_json::{Map, Value};

use crate::arn;
use crate::catalogue::{ActionId, Catalogue};
use crate::condition::{self, Condition};
use crate::expression::Expression;
use crate::facts::{Context, Literal};
use crate::glob::{Glob, Wildcards};
use crate::pattern::{self, Coverage};
use crate::requester::{Named, Requester};
use crate::variable::{Resolved, Template, widened};

/// More statements than any AWS policy can hold.
const MAXIMUM_STATEMENTS: usize = 4_096;

/// What a statement says, or why it cannot be read.
#[derive(Debug)]
pub(crate) enum Body {
    Read(Box<Clauses>),
    Odd(Arc<str>),
}

/// The clauses of a statement.
#[derive(Debug)]
pub(crate) struct Clauses {
    pub(crate) allows: bool,
    pub(crate) actions: Selection,
    pub(crate) resources: Option<Resources>,
    pub(crate) principals: Option<Principals>,
    /// The block, or why it cannot be evaluated.
    pub(crate) conditions: Result<Vec<Condition>, Arc<str>>,
}

/// `Action` or `NotAction`.
#[derive(Debug)]
pub(crate) struct Selection {
    pub(crate) inverted: bool,
    /// As written.
    pub(crate) written: Vec<String>,
    patterns: Vec<ActionPattern>,
}

/// An action with wildcards.
#[derive(Debug)]
struct ActionPattern {
    /// Lower case.
    text: String,
    glob: Glob,
}

/// The resource that is asked about.
#[derive(Debug, Clone, Copy)]
pub(crate) enum On<'a> {
    /// This very one.
    One(&'a str),
    /// Any of those that a pattern stands for.
    Any(&'a str),
}

/// `Resource` or `NotResource`.
#[derive(Debug)]
pub(crate) struct Resources {
    pub(crate) inverted: bool,
    pub(crate) written: Vec<String>,
    patterns: Vec<Template>,
}

/// `Principal` or `NotPrincipal`.
#[derive(Debug)]
pub(crate) struct Principals {
    pub(crate) inverted: bool,
    pub(crate) named: Vec<Named>,
}

impl Clauses {
    /// Whether resource and conditions fit a question; action and principal are looked at elsewhere.
    pub(crate) fn applies(&self, resource: On<'_>, context: &impl Context) -> Expression {
        let resource = match &self.resources {
            Some(resources) => resources.covers(resource, context),
            None => Expression::Yes,
        };
        if resource == Expression::No {
            return Expression::No;
        }
        let conditions = match &self.conditions {
            Ok(conditions) => condition::evaluate(conditions, context),
            Err(why) => Expression::Unknown(Arc::clone(why)),
        };
        Expression::all([resource, conditions])
    }

    /// The same for one resource and a request in hand; none where the request leaves it open.
    pub(crate) fn settled(&self, resource: &str, context: &impl Literal) -> Option<bool> {
        let covered = match &self.resources {
            Some(resources) => resources.settled(resource, context),
            None => Some(true),
        };
        if covered == Some(false) {
            return Some(false);
        }
        match &self.conditions {
            Ok(conditions) if conditions.is_empty() => covered,
            Ok(conditions) => match (covered, condition::settled(conditions, context)) {
                (_, Some(false)) => Some(false),
                (covered, Some(true)) => covered,
                (_, None) => None,
            },
            Err(_) => None,
        }
    }

    /// Whether it covers every resource and asks for nothing.
    pub(crate) fn is_plain(&self) -> bool {
        let everything = |resources: &Resources| {
            !resources.inverted && resources.patterns.iter().any(|pattern| pattern.plain() == Some("*"))
        };
        self.resources.as_ref().is_none_or(everything) && self.conditions.as_ref().is_ok_and(Vec::is_empty)
    }

    /// The keys of its conditions, lower case and sorted.
    pub(crate) fn condition_keys(&self) -> Vec<String> {
        let keys: BTreeSet<String> =
            self.conditions.iter().flatten().map(|condition| condition.key.to_ascii_lowercase()).collect();
        keys.into_iter().collect()
    }
}

impl Selection {
    /// Whether it selects an action, given in lower case.
    pub(crate) fn selects(&self, action: &str) -> bool {
        self.patterns.iter().any(|wanted| wanted.glob.matches(action)) != self.inverted
    }

    /// The catalogue's actions that it selects.
    pub(crate) fn among(&self, catalogue: &Catalogue) -> BTreeSet<ActionId> {
        if self.inverted {
            let selected = catalogue.actions().filter(|(_, action)| self.selects(action));
            return selected.map(|(id, _)| id).collect();
        }
        let mut found = BTreeSet::new();
        for wanted in &self.patterns {
            let service = wanted.text.split_once(':').map(|(service, _)| service);
            match service {
                Some(service) if !service.contains(['*', '?']) => found.extend(
                    catalogue
                        .of_service(service)
                        .filter(|(_, action)| wanted.glob.matches(action))
                        .map(|(id, _)| id),
                ),
                _ => found.extend(
                    catalogue.actions().filter(|(_, action)| wanted.glob.matches(action)).map(|(id, _)| id),
                ),
            }
        }
        found
    }
}

impl Resources {
    fn settled(&self, resource: &str, context: &impl Literal) -> Option<bool> {
        let mut covered = Some(false);
        for template in &self.patterns {
            match template.settled(resource, context) {
                Some(true) => return Some(!self.inverted),
                Some(false) => {}
                None => covered = None,
            }
        }
        covered.map(|covered| covered != self.inverted)
    }

    fn covers(&self, resource: On<'_>, context: &impl Context) -> Expression {
        let covered = Expression::any(self.patterns.iter().map(|template| match resource {
            On::One(resource) => covers_one(template, resource, context),
            On::Any(resource) => covers_any(template, resource, context),
        }));
        if self.inverted { covered.negate() } else { covered }
    }
}

fn covers_one(template: &Template, resource: &str, context: &impl Context) -> Expression {
    let covered = match template.resolve(context) {
        Resolved::Plain(glob) => glob.matches(resource),
        Resolved::Pattern(bytes) => crate::glob::matches(&bytes, resource),
        Resolved::Open(text) => {
            return match pattern::coverage(&widened(&text), resource) {
                Coverage::Nothing => Expression::No,
                Coverage::All | Coverage::Some => Expression::resource_like(&text),
            };
        }
        Resolved::Unknown(what) => return Expression::unknown(what),
        Resolved::Nothing => false,
    };
    if covered { Expression::Yes } else { Expression::No }
}

fn covers_any(template: &Template, resource: &str, context: &impl Context) -> Expression {
    if let Some(text) = template.plain() {
        return of_coverage(text, resource);
    }
    match template.resolve(context) {
        Resolved::Plain(_) | Resolved::Pattern(_) => match template.filled_in(context) {
            Some(text) => of_coverage(&widened(&text), resource),
            None => Expression::No,
        },
        Resolved::Open(text) => match pattern::coverage(&widened(&text), resource) {
            Coverage::Nothing => Expression::No,
            Coverage::All | Coverage::Some => Expression::resource_like(&text),
        },
        Resolved::Unknown(what) => Expression::unknown(what),
        Resolved::Nothing => Expression::No,
    }
}

fn of_coverage(text: &str, resource: &str) -> Expression {
    match pattern::coverage(text, resource) {
        Coverage::All => Expression::Yes,
        Coverage::Some => Expression::resource_like(text),
        Coverage::Nothing => Expression::No,
    }
}

/// How a statement's principals fit a requester.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Naming {
    /// It is named itself, or everybody is.
    pub(crate) direct: Expression,
    /// Its account is named, which leaves the decision to that account's own policies.
    pub(crate) delegated: bool,
}

impl Principals {
    /// How they fit a requester, `NotPrincipal` aside.
    fn naming(&self, requester: Requester<'_>) -> Naming {
        let mut direct = Vec::new();
        let mut delegated = false;
        for named in &self.named {
            match named {
                Named::Anybody => direct.push(Expression::Yes),
                Named::Account(account) => match requester {
                    Requester::Named(Named::Account(own)) if own == account => direct.push(Expression::Yes),
                    Requester::Named(Named::Service(_) | Named::Federated(_)) => {}
                    _ => delegated |= requester.account() == Some(account),
                },
                Named::Arn(arn) => direct.push(arn_names(arn, requester)),
                other => match requester {
                    Requester::Named(own) if own == other => direct.push(Expression::Yes),
                    _ => {}
                },
            }
        }
        Naming { direct: Expression::any(direct), delegated }
    }

    /// Whom an allowing statement lets in.
    pub(crate) fn allowing(&self, requester: Requester<'_>) -> Naming {
        let naming = self.naming(requester);
        if !self.inverted {
            return naming;
        }
        Naming { direct: self.everyone_but(naming), delegated: false }
    }

    /// Whom a denying statement keeps out: naming an account names everybody in it.
    pub(crate) fn denying(&self, requester: Requester<'_>) -> Expression {
        let naming = self.naming(requester);
        if self.inverted {
            return self.everyone_but(naming);
        }
        if naming.delegated { Expression::Yes } else { naming.direct }
    }

    fn everyone_but(&self, naming: Naming) -> Expression {
        if naming.delegated && naming.direct == Expression::No {
            // Whether naming the account alone spares its principals is not documented.
            return Expression::unknown("NotPrincipal names the account and not the principal");
        }
        naming.direct.negate()
    }
}

/// Whether an ARN in a policy names the requester. A session's ARN names its role's sessions of that name.
fn arn_names(arn: &str, requester: Requester<'_>) -> Expression {
    match requester {
        Requester::Named(Named::Arn(own)) => {
            if own == arn {
                Expression::Yes
            } else {
                Expression::No
            }
        }
        Requester::Identity(identity) => {
            if identity.arn == arn {
                return Expression::Yes;
            }
            match arn::session(arn) {
                Some((role, session))
                    if role == identity.name && arn::account(arn) == Some(&identity.account) =>
                {
                    Expression::test(crate::expression::TestBody {
                        key: "session name".to_owned(),
                        relation: crate::expression::Relation::In,
                        quantifier: crate::expression::Quantifier::One,
                        or_absent: false,
                        values: BTreeSet::from([session.to_owned()]),
                    })
                }
                _ => Expression::No,
            }
        }
        Requester::Named(_) => Expression::No,
    }
}

/// Whether an element belongs to policies of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Belongs {
    Always,
    Never,
    Perhaps,
}

impl Belongs {
    fn check(self, there: bool, noun: &str) -> Result<(), String> {
        match (self, there) {
            (Self::Always, false) => Err(format!("it names no {noun}")),
            (Self::Never, true) => Err(format!("it names a {noun}")),
            _ => Ok(()),
        }
    }
}

/// Whether `Resource` and `Principal` belong to policies of a kind.
const fn shape(kind: PolicyKind) -> (Belongs, Belongs) {
    match kind {
        PolicyKind::Inline | PolicyKind::Managed | PolicyKind::Boundary => (Belongs::Always, Belongs::Never),
        PolicyKind::ServiceControl => (Belongs::Always, Belongs::Never),
        PolicyKind::Resource | PolicyKind::ResourceControl | PolicyKind::Endpoint => {
            (Belongs::Always, Belongs::Always)
        }
        // AWS writes none and tolerates none; exports of trust policies carry `*` now and then.
        PolicyKind::Trust => (Belongs::Perhaps, Belongs::Always),
    }
}

/// Reads a document: one entry for each statement, with its pointer inside the document.
pub(crate) fn read(document: &Value, kind: PolicyKind) -> Vec<(String, Result<Clauses, String>)> {
    let whole = |why: &str| vec![(String::new(), Err(why.to_owned()))];
    let Value::Object(members) = document else { return whole("no JSON object") };
    if let Some(stranger) = members.keys().find(|key| !matches!(key.as_str(), "Version" | "Id" | "Statement"))
    {
        return whole(&format!("element `{stranger}` is not known"));
    }
    let version = members.get("Version").map(Value::as_str);
    if version.is_some_and(|version| !matches!(version, Some("2012-10-17" | "2008-10-17"))) {
        return whole("its version is not known");
    }
    // Only the present version has policy variables.
    let variables = version == Some(Some("2012-10-17"));
    match members.get("Statement") {
        Some(Value::Array(list)) if list.len() > MAXIMUM_STATEMENTS => whole("it has too many statements"),
        Some(Value::Array(list)) => list
            .iter()
            .enumerate()
            .map(|(number, statement)| {
                (format!("/Statement/{number}"), read_clauses(statement, kind, variables))
            })
            .collect(),
        Some(single @ Value::Object(_)) => {
            vec![("/Statement".to_owned(), read_clauses(single, kind, variables))]
        }
        _ => whole("it has no statements"),
    }
}

fn read_clauses(statement: &Value, kind: PolicyKind, variables: bool) -> Result<Clauses, String> {
    const KNOWN: [&str; 9] = [
        "Sid",
        "Effect",
        "Principal",
        "NotPrincipal",
        "Action",
        "NotAction",
        "Resource",
        "NotResource",
        "Condition",
    ];
    let Value::Object(members) = statement else { return Err("a statement is no object".to_owned()) };
    if let Some(stranger) = members.keys().find(|key| !KNOWN.contains(&key.as_str())) {
        return Err(format!("element `{stranger}` is not known"));
    }
    let allows = match members.get("Effect").and_then(Value::as_str) {
        Some("Allow") => true,
        Some("Deny") => false,
        _ => return Err("`Effect` is neither Allow nor Deny".to_owned()),
    };
    let (inverted, written) =
        either(members, "Action", "NotAction")?.ok_or_else(|| "it names no action".to_owned())?;
    let patterns = written
        .iter()
        .map(|action| {
            let text = action.to_ascii_lowercase();
            ActionPattern { glob: Glob::new(&text, Wildcards::Free), text }
        })
        .collect();
    let actions = Selection { inverted, written, patterns };
    let (wants_resource, wants_principal) = shape(kind);
    let resources = either(members, "Resource", "NotResource")?.map(|(inverted, written)| Resources {
        inverted,
        patterns: written.iter().map(|text| Template::parse(text, variables, Wildcards::Resource)).collect(),
        written,
    });
    wants_resource.check(resources.is_some(), "resource")?;
    let principals = read_principals(members)?;
    wants_principal.check(principals.is_some(), "principal")?;
    let conditions = match members.get("Condition") {
        None => Ok(Vec::new()),
        Some(block) => condition::parse(block, variables).map_err(Arc::from),
    };
    Ok(Clauses { allows, actions, resources, principals, conditions })
}

/// One of two elements that exclude each other, as `(inverted, values)`.
fn either(
    members: &Map<String, Value>,
    plain: &str,
    inverted: &str,
) -> Result<Option<(bool, Vec<String>)>, String> {
    let (name, value, is_inverted) = match (members.get(plain), members.get(inverted)) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => return Err(format!("it has both `{plain}` and `{inverted}`")),
        (Some(value), None) => (plain, value, false),
        (None, Some(value)) => (inverted, value, true),
    };
    Ok(Some((is_inverted, strings(value, name)?)))
}

/// A string or a list of at least one.
fn strings(value: &Value, name: &str) -> Result<Vec<String>, String> {
    let odd = || format!("`{name}` is neither a string nor a list of strings");
    match value {
        Value::String(text) => Ok(vec![text.clone()]),
        Value::Array(list) if list.is_empty() => Err(format!("`{name}` is an empty list")),
        Value::Array(list) => {
            list.iter().map(|item| item.as_str().map(str::to_owned).ok_or_else(odd)).collect()
        }
        _ => Err(odd()),
    }
}

fn read_principals(members: &Map<String, Value>) -> Result<Option<Principals>, String> {
    let (value, inverted) = match (members.get("Principal"), members.get("NotPrincipal")) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => return Err("it has both `Principal` and `NotPrincipal`".to_owned()),
        (Some(value), None) => (value, false),
        (None, Some(value)) => (value, true),
    };
    let mut named = Vec::new();
    match value {
        Value::String(text) if text == "*" => named.push(Named::Anybody),
        Value::Object(kinds) if !kinds.is_empty() => {
            for (kind, values) in kinds {
                for text in strings(values, kind)? {
                    named.push(read_principal(kind, text)?);
                }
            }
        }
        _ => return Err("`Principal` is neither `*` nor an object".to_owned()),
    }
    Ok(Some(Principals { inverted, named }))
}

fn read_principal(kind: &str, text: String) -> Result<Named, String> {
    match kind {
        "AWS" if text == "*" => Ok(Named::Anybody),
        "AWS" if arn::is_account(&text) => Ok(Named::Account(text)),
        "AWS" if arn::resource(&text) == Some("root") => {
            let account = arn::account(&text).ok_or_else(|| format!("principal `{text}` has no account"))?;
            Ok(Named::Account(account.to_owned()))
        }
        "AWS" if text.contains(['*', '?']) => Err(format!("principal `{text}` has a wildcard")),
        "AWS" => Ok(Named::Arn(text)),
        "Service" => Ok(Named::Service(text)),
        "Federated" => Ok(Named::Federated(text)),
        "CanonicalUser" => Ok(Named::Canonical(text)),
        other => Err(format!("principals of kind `{other}` are not known")),
    }
}
