//! Policy documents, parsed once into statements that can be asked about.
//!
//! Source: "Grammar of the IAM JSON policy language", IAM User Guide. What does not follow the grammar is kept
//! as an odd statement that neither allows nor denies: every decision it might bear on becomes unknown.

use std::collections::BTreeSet;
use std::sync::Arc;

use cadastre_model::Known;
use cadastre_model::asset::{PolicyDocument, PolicyKind, StatementRef};
use serde_json::{Map, Value};

use crate::arn;
use crate::catalogue::{ActionId, Catalogue};
use crate::condition::{self, Condition};
use crate::expression::Expression;
use crate::facts::Facts;
use crate::pattern::{self, Coverage};
use crate::requester::{Named, Requester};
use crate::variable::{Resolved, Template, widened};

/// More statements than any AWS policy can hold.
const MAXIMUM_STATEMENTS: usize = 4_096;

/// A compiled policy.
#[derive(Debug)]
pub(crate) struct Policy {
    pub(crate) statements: Vec<Statement>,
    /// Statements by action, sorted; odd ones are under every action.
    index: Vec<(ActionId, u32)>,
}

/// A policy that guards something and may be missing.
#[derive(Debug, Clone)]
pub(crate) enum Guard {
    /// There is none.
    None,
    /// This one.
    Policy(Arc<Policy>),
    /// Whether there is one is not known.
    Unknown(String),
}

/// A compiled statement.
#[derive(Debug)]
pub(crate) struct Statement {
    pub(crate) at: StatementRef,
    pub(crate) body: Body,
}

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
    /// Lower case.
    patterns: Vec<String>,
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

impl Policy {
    /// Compiles a document.
    pub(crate) fn compile(document: &PolicyDocument, catalogue: &Catalogue) -> Self {
        let statements = read_statements(document);
        let mut index = Vec::new();
        for (number, statement) in (0_u32..).zip(&statements) {
            match &statement.body {
                Body::Odd(_) => index.extend(catalogue.actions().map(|(id, _)| (id, number))),
                Body::Read(clauses) => {
                    index.extend(clauses.actions.among(catalogue).into_iter().map(|id| (id, number)));
                }
            }
        }
        index.sort_unstable();
        Self { statements, index }
    }

    /// The statements that speak of an action, odd ones included.
    pub(crate) fn about(&self, action: ActionId) -> impl Iterator<Item = &Statement> {
        let start = self.index.partition_point(|(id, _)| *id < action);
        self.index
            .get(start..)
            .unwrap_or_default()
            .iter()
            .take_while(move |(id, _)| *id == action)
            .filter_map(|(_, number)| self.statements.get(usize::try_from(*number).ok()?))
    }

    /// The actions some statement might allow.
    pub(crate) fn allowed_actions(&self) -> BTreeSet<ActionId> {
        let mut found = BTreeSet::new();
        for (action, number) in &self.index {
            let statement = usize::try_from(*number).ok().and_then(|number| self.statements.get(number));
            let allows = statement.is_some_and(|statement| match &statement.body {
                Body::Read(clauses) => clauses.allows,
                Body::Odd(_) => true,
            });
            if allows {
                found.insert(*action);
            }
        }
        found
    }

    /// What cannot be read in it, with its pointer.
    pub(crate) fn problems(&self) -> impl Iterator<Item = (&StatementRef, String)> {
        self.statements.iter().filter_map(|statement| match &statement.body {
            Body::Odd(why) => Some((&statement.at, why.to_string())),
            Body::Read(clauses) => {
                clauses.conditions.as_ref().err().map(|why| (&statement.at, why.to_string()))
            }
        })
    }
}

impl Guard {
    /// Compiles a policy that may be missing.
    pub(crate) fn compile(
        document: &Known<PolicyDocument>,
        compile: impl FnOnce(&PolicyDocument) -> Arc<Policy>,
    ) -> Self {
        match document {
            Known::Observed(document) => Self::Policy(compile(document)),
            Known::Absent => Self::None,
            Known::Unknown(what) => Self::Unknown(what.clone()),
        }
    }
}

impl Clauses {
    /// Whether resource and conditions fit a question; action and principal are looked at elsewhere.
    pub(crate) fn applies(&self, resource: &str, facts: &Facts<'_>) -> Expression {
        let resource = match &self.resources {
            Some(resources) => resources.covers(resource, facts),
            None => Expression::Yes,
        };
        if resource == Expression::No {
            return Expression::No;
        }
        let conditions = match &self.conditions {
            Ok(conditions) => condition::evaluate(conditions, facts),
            Err(why) => Expression::Unknown(Arc::clone(why)),
        };
        Expression::all([resource, conditions])
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
        self.patterns.iter().any(|wanted| pattern::covers(wanted, action)) != self.inverted
    }

    /// The catalogue's actions that it selects.
    fn among(&self, catalogue: &Catalogue) -> BTreeSet<ActionId> {
        if self.inverted {
            let selected = catalogue.actions().filter(|(_, action)| self.selects(action));
            return selected.map(|(id, _)| id).collect();
        }
        let mut found = BTreeSet::new();
        for wanted in &self.patterns {
            let service = wanted.split_once(':').map(|(service, _)| service);
            match service {
                Some(service) if !service.contains(['*', '?']) => found.extend(
                    catalogue
                        .of_service(service)
                        .filter(|(_, action)| pattern::covers(wanted, action))
                        .map(|(id, _)| id),
                ),
                _ => found.extend(
                    catalogue
                        .actions()
                        .filter(|(_, action)| pattern::covers(wanted, action))
                        .map(|(id, _)| id),
                ),
            }
        }
        found
    }
}

impl Resources {
    fn covers(&self, resource: &str, facts: &Facts<'_>) -> Expression {
        let covered = Expression::any(self.patterns.iter().map(|template| match template.plain() {
            Some(text) => of_coverage(text, resource),
            None => match template.resolve(facts) {
                Resolved::Text(text) => of_coverage(&text, resource),
                Resolved::Open(text) => match pattern::coverage(&widened(&text), resource) {
                    Coverage::Nothing => Expression::No,
                    Coverage::All | Coverage::Some => Expression::resource_like(&text),
                },
                Resolved::Unknown(what) => Expression::unknown(what),
                Resolved::Nothing => Expression::No,
            },
        }));
        if self.inverted { covered.negate() } else { covered }
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

/// Whether a trust policy and the like may leave out `Resource`, and whether principals belong.
const fn shape(kind: PolicyKind) -> (bool, bool) {
    match kind {
        PolicyKind::Inline | PolicyKind::Managed | PolicyKind::Boundary | PolicyKind::ServiceControl => {
            (true, false)
        }
        PolicyKind::Resource | PolicyKind::ResourceControl | PolicyKind::Endpoint => (true, true),
        PolicyKind::Trust => (false, true),
    }
}

fn read_statements(document: &PolicyDocument) -> Vec<Statement> {
    let at = |pointer: String| StatementRef {
        policy: document.name.clone(),
        record: document.record.clone(),
        pointer,
    };
    let told = |pointer: &str, why: &str| -> Arc<str> {
        format!("policy `{}` at {}#{pointer}: {why}", document.name, document.record.short()).into()
    };
    let odd =
        |pointer: String, why: &str| Statement { body: Body::Odd(told(&pointer, why)), at: at(pointer) };
    let read = |statement: &Value, pointer: String| match read_clauses(
        statement,
        document.kind,
        variables_of(document),
    ) {
        Ok(mut clauses) => {
            clauses.conditions = clauses.conditions.map_err(|why| told(&pointer, &why));
            Statement { at: at(pointer), body: Body::Read(Box::new(clauses)) }
        }
        Err(why) => odd(pointer, &why),
    };
    let whole = |why: &str| vec![odd(document.pointer.clone(), why)];
    let Value::Object(members) = &document.document else { return whole("no JSON object") };
    if let Some(stranger) = members.keys().find(|key| !matches!(key.as_str(), "Version" | "Id" | "Statement"))
    {
        return whole(&format!("element `{stranger}` is not known"));
    }
    if members
        .get("Version")
        .is_some_and(|version| !matches!(version.as_str(), Some("2012-10-17" | "2008-10-17")))
    {
        return whole("its version is not known");
    }
    let base = format!("{}/Statement", document.pointer);
    match members.get("Statement") {
        Some(Value::Array(list)) if list.len() > MAXIMUM_STATEMENTS => whole("it has too many statements"),
        Some(Value::Array(list)) => list
            .iter()
            .enumerate()
            .map(|(number, statement)| read(statement, format!("{base}/{number}")))
            .collect(),
        Some(single @ Value::Object(_)) => vec![read(single, base)],
        _ => whole("it has no statements"),
    }
}

/// Only the present version has policy variables.
fn variables_of(document: &PolicyDocument) -> bool {
    document.document.get("Version").and_then(Value::as_str) == Some("2012-10-17")
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
    let patterns = written.iter().map(|action| action.to_ascii_lowercase()).collect();
    let actions = Selection { inverted, written, patterns };
    let (wants_resource, wants_principal) = shape(kind);
    let resources = either(members, "Resource", "NotResource")?.map(|(inverted, written)| Resources {
        inverted,
        patterns: written.iter().map(|text| Template::parse(text, variables)).collect(),
        written,
    });
    if resources.is_some() != wants_resource {
        return Err(if wants_resource { "it names no resource" } else { "it names a resource" }.to_owned());
    }
    let principals = read_principals(members)?;
    if principals.is_some() != wants_principal {
        return Err(if wants_principal { "it names no principal" } else { "it names a principal" }.to_owned());
    }
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
