//! One resource on one side of the plan.

use serde_json::Value;

use crate::block::Block;
use crate::symbol::Symbols;

/// A resource as it is, or as it will be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Resource<'p> {
    /// Its full address.
    pub(crate) address: &'p str,
    /// Its type.
    pub(crate) kind: &'p str,
    /// The module it lies in, indices included.
    pub(crate) module: &'p str,
    /// Its values; an object.
    pub(crate) values: &'p Value,
    /// `true` wherever a value is known only after apply.
    pub(crate) unknown: &'p Value,
    /// The configuration's expressions for it, or `null`.
    pub(crate) expressions: &'p Value,
    /// The account it lies in, where the plan or the declaration tells.
    pub(crate) account: Option<&'p str>,
    /// The region it lies in, where the plan or the declaration tells.
    pub(crate) region: Option<&'p str>,
}

impl<'p> Resource<'p> {
    /// Its arguments and attributes, to be read.
    pub(crate) const fn block<'s>(&'s self, symbols: &'s Symbols<'p>) -> Block<'s, 'p> {
        Block {
            resource: self,
            symbols,
            values: self.values,
            unknown: self.unknown,
            expressions: self.expressions,
        }
    }

    /// Whether the configuration sets this argument. What is not set is filled in by the provider.
    pub(crate) fn sets(&self, argument: &str) -> bool {
        self.expressions.get(argument).is_some()
    }
}
