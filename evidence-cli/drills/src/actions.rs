//! What the drills did that a broker's audit log has to show: administration, and what was refused.

use std::sync::{Arc, Mutex, PoisonError};

/// One action.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Action {
    /// The request, in Kafka's words: `CreateTopics`.
    pub(crate) request: String,
    /// The topic or other resource.
    pub(crate) resource: String,
    /// Who did it.
    pub(crate) principal: String,
    /// Whether it was let do it.
    pub(crate) allowed: bool,
}

/// Every action of a run, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Actions {
    list: Arc<Mutex<Vec<Action>>>,
}

impl Actions {
    /// Keeps an action that the cluster answered.
    pub(crate) fn note(&self, request: &str, resource: &str, principal: &str, allowed: bool) {
        self.list.lock().unwrap_or_else(PoisonError::into_inner).push(Action {
            request: request.to_owned(),
            resource: resource.to_owned(),
            principal: principal.to_owned(),
            allowed,
        });
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<Action> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
