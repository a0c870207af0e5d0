//! Who may come into a question, found without asking everybody.
//!
//! Every allowing statement of every identity is filed under its account, its actions and the literal beginning of its
//! resource patterns. Two patterns can only meet where one's literal beginning is a beginning of the other's, so a
//! question looks at the few files that can matter.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use foldhash::fast::RandomState;

use crate::catalogue::ActionId;
use crate::document::{Body, Policy};
use crate::world::World;

/// Identities by account, action and beginning of resource.
#[derive(Debug, Default)]
pub(crate) struct Index {
    accounts: BTreeMap<String, Account>,
}

#[derive(Debug, Default)]
struct Account {
    /// Places of all identities.
    members: Vec<usize>,
    /// Places in order, by action and beginning.
    by_action: HashMap<ActionId, BTreeMap<String, Vec<usize>>, RandomState>,
}

impl Index {
    /// Files every identity.
    pub(crate) fn new(world: &World) -> Self {
        let mut index = Self::default();
        let mut filed: HashMap<*const Policy, Vec<(ActionId, BTreeSet<String>)>, RandomState> =
            HashMap::default();
        for (place, identity) in world.identities.iter().enumerate() {
            let account = index.accounts.entry(identity.account.clone()).or_default();
            account.members.push(place);
            for policy in &identity.policies {
                let files = filed.entry(std::sync::Arc::as_ptr(policy)).or_insert_with(|| beginnings(policy));
                for (action, beginnings) in files {
                    let by_beginning = account.by_action.entry(*action).or_default();
                    for beginning in beginnings.iter() {
                        match by_beginning.get_mut(beginning) {
                            Some(places) if places.last() == Some(&place) => {}
                            Some(places) => places.push(place),
                            None => {
                                by_beginning.insert(beginning.clone(), vec![place]);
                            }
                        }
                    }
                }
            }
        }
        index
    }

    /// Whether users or roles of an account were read.
    pub(crate) fn observes(&self, account: &str) -> bool {
        self.accounts.contains_key(account)
    }

    /// Everybody of an account.
    pub(crate) fn members(&self, account: &str) -> &[usize] {
        self.accounts.get(account).map_or(&[], |account| account.members.as_slice())
    }

    /// Those of an account whose own policies may allow an action on a resource, which may be a pattern; sorted.
    pub(crate) fn candidates(&self, account: &str, action: ActionId, resource: &str) -> Vec<usize> {
        let mut found = Vec::new();
        let Some(files) = self.accounts.get(account).and_then(|account| account.by_action.get(&action))
        else {
            return found;
        };
        let asked = literal(resource);
        for (end, _) in asked.char_indices() {
            if let Some(places) = asked.get(..end).and_then(|beginning| files.get(beginning)) {
                found.extend(places.iter().copied());
            }
        }
        let longer =
            files.range(asked.to_owned()..).take_while(|(beginning, _)| beginning.starts_with(asked));
        for (_, places) in longer {
            found.extend(places.iter().copied());
        }
        once(found)
    }

    /// The same over every account.
    pub(crate) fn candidates_anywhere(&self, action: ActionId, resource: &str) -> Vec<usize> {
        once(self.accounts.keys().flat_map(|account| self.candidates(account, action, resource)).collect())
    }
}

/// Each place once, in order.
pub(crate) fn once(mut places: Vec<usize>) -> Vec<usize> {
    if !places.is_sorted() {
        places.sort_unstable();
    }
    places.dedup();
    places
}

/// For each action that some statement allows, the beginnings of the resources it is allowed on.
fn beginnings(policy: &Policy) -> Vec<(ActionId, BTreeSet<String>)> {
    policy
        .allowed_actions()
        .into_iter()
        .map(|action| {
            let mut beginnings = BTreeSet::new();
            for statement in policy.about(action) {
                match &statement.body {
                    Body::Read(clauses) if !clauses.allows => {}
                    Body::Read(clauses) => match &clauses.resources {
                        Some(resources) if !resources.inverted => {
                            beginnings.extend(resources.written.iter().map(|text| literal(text).to_owned()));
                        }
                        _ => {
                            beginnings.insert(String::new());
                        }
                    },
                    Body::Odd(_) => {
                        beginnings.insert(String::new());
                    }
                }
            }
            (action, beginnings)
        })
        .collect()
}

/// What a pattern starts with before its first wildcard or variable.
fn literal(pattern: &str) -> &str {
    pattern.split(['*', '?', '$']).next().unwrap_or_default()
}
