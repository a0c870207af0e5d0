//! Sets of statements: what a reason rests on, mostly one to three of them.

use std::cmp::Ordering;
use std::sync::Arc;

use cadastre_model::asset::StatementRef;
use smallvec::{SmallVec, smallvec};

/// A sorted set of statements that others name as well.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct StatementSet(SmallVec<[Arc<StatementRef>; 3]>);

/// The order of two statements; those that are one and the same need no look inside.
fn order(left: &Arc<StatementRef>, right: &Arc<StatementRef>) -> Ordering {
    if Arc::ptr_eq(left, right) { Ordering::Equal } else { left.cmp(right) }
}

impl StatementSet {
    /// Nothing.
    pub(crate) const fn new() -> Self {
        Self(SmallVec::new_const())
    }

    /// One statement.
    pub(crate) fn one(statement: &Arc<StatementRef>) -> Self {
        Self(smallvec![Arc::clone(statement)])
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// In order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<StatementRef>> {
        self.0.iter()
    }

    /// Whether it is one of them.
    pub(crate) fn contains(&self, statement: &StatementRef) -> bool {
        self.0.binary_search_by(|known| (**known).cmp(statement)).is_ok()
    }

    /// Whether another set has all of them.
    pub(crate) fn is_subset(&self, of: &Self) -> bool {
        if self.0.len() > of.0.len() {
            return false;
        }
        let mut others = of.0.iter();
        self.0.iter().all(|statement| {
            others.by_ref().map(|other| order(other, statement)).find(|found| found.is_ge())
                == Some(Ordering::Equal)
        })
    }

    /// Those of both.
    pub(crate) fn union(&self, other: &Self) -> Self {
        let mut all: SmallVec<[Arc<StatementRef>; 3]> = self.0.iter().chain(&other.0).cloned().collect();
        all.sort_unstable_by(order);
        all.dedup_by(|a, b| order(a, b).is_eq());
        Self(all)
    }

    /// Those that another has as well.
    pub(crate) fn common(&self, other: &Self) -> Self {
        Self(self.0.iter().filter(|statement| other.contains(statement)).cloned().collect())
    }

    /// Copies for an answer.
    pub(crate) fn to_vec(&self) -> Vec<StatementRef> {
        self.0.iter().map(|statement| (**statement).clone()).collect()
    }
}

impl FromIterator<Arc<StatementRef>> for StatementSet {
    fn from_iter<I: IntoIterator<Item = Arc<StatementRef>>>(statements: I) -> Self {
        let mut all: SmallVec<[Arc<StatementRef>; 3]> = statements.into_iter().collect();
        all.sort_unstable_by(order);
        all.dedup_by(|a, b| order(a, b).is_eq());
        Self(all)
    }
}

impl FromIterator<StatementRef> for StatementSet {
    fn from_iter<I: IntoIterator<Item = StatementRef>>(statements: I) -> Self {
        statements.into_iter().map(Arc::new).collect()
    }
}
