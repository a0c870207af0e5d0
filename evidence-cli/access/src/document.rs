//! Policy documents of the inventory, parsed once into statements that can be asked about.

use std::collections::BTreeSet;
use std::sync::Arc;

use cadastre_model::Known;
use cadastre_model::asset::{PolicyDocument, StatementRef};
use cadastre_model::shared::SharedText;

use crate::catalogue::{ActionId, Catalogue};
use crate::grammar;
pub(crate) use crate::grammar::{Body, Clauses, Naming, Principals};
use crate::tagging::tag;

/// A compiled policy.
#[derive(Debug)]
pub(crate) struct Policy {
    pub(crate) statements: Vec<Statement>,
    /// Statements by action, sorted; odd ones are under every action.
    index: Vec<(ActionId, u32)>,
    /// Whether some condition is about a tag of a principal or resource.
    pub(crate) asks_for_tags: bool,
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
    pub(crate) at: Arc<StatementRef>,
    pub(crate) body: Body,
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
        let asks_for_tags = statements.iter().any(|statement| match &statement.body {
            Body::Read(clauses) => clauses.condition_keys().iter().any(|key| tag(key).is_some()),
            Body::Odd(_) => false,
        });
        Self { statements, index, asks_for_tags }
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

    /// Whether what it says of an action is the same on every resource and in every request.
    pub(crate) fn is_plain_about(&self, action: ActionId) -> bool {
        self.about(action).all(|statement| match &statement.body {
            Body::Read(clauses) => clauses.is_plain(),
            Body::Odd(_) => true,
        })
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
    pub(crate) fn problems(&self) -> impl Iterator<Item = (&Arc<StatementRef>, String)> {
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

fn read_statements(document: &PolicyDocument) -> Vec<Statement> {
    let name = SharedText::from(&document.name);
    grammar::read(&document.document, document.kind)
        .into_iter()
        .map(|(inside, read)| {
            let pointer = format!("{}{inside}", document.pointer);
            let told = |why: &str| -> Arc<str> {
                format!("policy `{}` at {}#{pointer}: {why}", document.name, document.record.short()).into()
            };
            let body = match read {
                Ok(mut clauses) => {
                    clauses.conditions = clauses.conditions.map_err(|why| told(&why));
                    Body::Read(Box::new(clauses))
                }
                Err(why) => Body::Odd(told(&why)),
            };
            let at = StatementRef {
                policy: SharedText::clone(&name),
                record: document.record.clone(),
                pointer: pointer.into(),
            };
            Statement { at: Arc::new(at), body }
        })
        .collect()
}
