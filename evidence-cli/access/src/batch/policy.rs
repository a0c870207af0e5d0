//! Policies of a case, compiled once for all the lines that carry the same text.

use std::collections::HashMap;
use std::sync::Arc;

use cadastre_model::asset::PolicyKind;
use smallvec::SmallVec;

use crate::batch::strict;
use crate::grammar::{self, Body};

/// How many documents are kept compiled.
const MAXIMUM_KEPT: usize = 8_192;

/// How many bytes of documents are kept compiled.
const MAXIMUM_KEPT_BYTES: usize = 32 * 1024 * 1024;

/// A compiled policy.
#[derive(Debug)]
pub(crate) struct Policy {
    pub(crate) statements: Vec<Body>,
    /// The length of its text, in bytes.
    pub(crate) bytes: usize,
}

impl Policy {
    /// Reads a document; what cannot be read becomes odd statements that say why.
    pub(crate) fn compile(text: &str, kind: PolicyKind) -> Self {
        let statements = match strict::parse(text) {
            Ok(document) => grammar::read(&document, kind)
                .into_iter()
                .map(|(pointer, read)| {
                    let told = |why: String| -> Arc<str> {
                        let at = if pointer.is_empty() { "/" } else { &pointer };
                        format!("the {} at {at}: {why}", noun(kind)).into()
                    };
                    match read {
                        Ok(mut clauses) => {
                            clauses.conditions = clauses.conditions.map_err(|why| told(why.to_string()));
                            Body::Read(Box::new(clauses))
                        }
                        Err(why) => Body::Odd(told(why)),
                    }
                })
                .collect(),
            Err(error) => vec![Body::Odd(format!("the {}: {error}", noun(kind)).into())],
        };
        Self { statements, bytes: text.len() }
    }
}

const fn noun(kind: PolicyKind) -> &'static str {
    match kind {
        PolicyKind::Inline | PolicyKind::Managed => "identity policy",
        PolicyKind::Boundary => "permissions boundary",
        PolicyKind::Trust => "trust policy",
        PolicyKind::Resource => "resource policy",
        PolicyKind::ServiceControl => "service control policy",
        PolicyKind::ResourceControl => "resource control policy",
        PolicyKind::Endpoint => "endpoint policy",
    }
}

/// One text compiled for each kind of policy that it was met as.
type Kinds = SmallVec<[(PolicyKind, Arc<Policy>); 1]>;

/// Compiled documents by their text.
#[derive(Debug, Default)]
pub(crate) struct Compiled {
    kept: HashMap<Box<str>, Kinds, foldhash::fast::RandomState>,
    bytes: usize,
}

impl Compiled {
    /// The compiled form of a document's text.
    pub(crate) fn get(&mut self, text: &str, kind: PolicyKind) -> Arc<Policy> {
        if let Some((_, policy)) =
            self.kept.get(text).and_then(|kinds| kinds.iter().find(|(kept, _)| *kept == kind))
        {
            return Arc::clone(policy);
        }
        let policy = Arc::new(Policy::compile(text, kind));
        if self.kept.len() >= MAXIMUM_KEPT || self.bytes >= MAXIMUM_KEPT_BYTES {
            self.kept.clear();
            self.bytes = 0;
        }
        self.bytes += text.len();
        self.kept.entry(text.into()).or_default().push((kind, Arc::clone(&policy)));
        policy
    }
}
