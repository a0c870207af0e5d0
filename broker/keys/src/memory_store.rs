//! Wrapped keys in memory, for tests and simulations; can be told to fail at any step.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::receipt::SignedReceipt;
use crate::scope::ScopeStoreFuture;
use crate::shred::{ShredFuture, ShredPlan, ShredStore};
use crate::wrapped_key_store::StoreFuture;
use crate::{
    EncryptionContext, HeldKey, KeyError, KeyScope, Replacement, ScopeKeyStore, WrappedKey, WrappedKeyStore,
};

/// When the store fails, counted in calls that change something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fault {
    /// Never.
    #[default]
    None,
    /// The call after so many does nothing and fails, and so do all later ones.
    Before(u64),
    /// The call after so many takes effect and still fails, and all later ones do nothing and fail.
    After(u64),
}

/// Keeps wrapped keys as long as the process lives. Not for production: nothing is durable.
#[derive(Debug, Default)]
pub struct MemoryKeyStore {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    held: BTreeMap<String, HeldKey>,
    objects: BTreeMap<String, Vec<String>>,
    plans: BTreeMap<String, ShredPlan>,
    receipts: BTreeMap<String, SignedReceipt>,
    fault: Fault,
    changes: u64,
    cluster_id: String,
}

impl MemoryKeyStore {
    /// An empty store of the cluster `cluster_id`.
    #[must_use]
    pub fn new(cluster_id: &str) -> Self {
        let state = State { cluster_id: cluster_id.to_owned(), ..State::default() };
        Self { state: Mutex::new(state) }
    }

    /// Puts a wrapped key there as is.
    pub fn put(&self, held: HeldKey) {
        self.state().held.insert(held.holder.clone(), held);
    }

    /// Says which objects only the key of a topic opens.
    pub fn set_objects(&self, topic_id: &str, objects: Vec<String>) {
        self.state().objects.insert(topic_id.to_owned(), objects);
    }

    /// Everything that is held, by holder.
    #[must_use]
    pub fn held(&self) -> BTreeMap<String, HeldKey> {
        self.state().held.clone()
    }

    /// The receipt of a topic that was shredded.
    #[must_use]
    pub fn receipt(&self, topic_id: &str) -> Option<SignedReceipt> {
        self.state().receipts.get(topic_id).cloned()
    }

    /// Fails from now on as `fault` says; the count starts anew.
    pub fn set_fault(&self, fault: Fault) {
        let mut state = self.state();
        state.fault = fault;
        state.changes = 0;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, action: &'static str, apply: impl FnOnce(&mut State) -> T) -> Result<T, KeyError> {
        let mut state = self.state();
        let number = state.changes;
        state.changes = number.saturating_add(1);
        let error = || KeyError::Store { action, reason: "told to fail".to_owned(), retriable: true };
        match state.fault {
            Fault::Before(calls) if number >= calls => Err(error()),
            Fault::After(calls) if number > calls => Err(error()),
            Fault::After(calls) if number == calls => {
                apply(&mut state);
                Err(error())
            }
            _ => Ok(apply(&mut state)),
        }
    }
}

fn holder_of(scope: &KeyScope) -> String {
    format!("scope/{scope}")
}

impl ScopeKeyStore for MemoryKeyStore {
    fn load<'a>(&'a self, scope: &'a KeyScope) -> ScopeStoreFuture<'a, Option<WrappedKey>> {
        let wrapped = self.state().held.get(&holder_of(scope)).map(|held| held.wrapped.clone());
        Box::pin(std::future::ready(Ok(wrapped)))
    }

    fn create<'a>(
        &'a self,
        scope: &'a KeyScope,
        wrapped: &'a WrappedKey,
    ) -> ScopeStoreFuture<'a, WrappedKey> {
        let kept = self.change("create a scope key", |state| {
            let holder = holder_of(scope);
            let context: EncryptionContext = scope.context(&state.cluster_id);
            let new = HeldKey { holder: holder.clone(), wrapped: wrapped.clone(), context };
            state.held.entry(holder).or_insert(new).wrapped.clone()
        });
        Box::pin(std::future::ready(kept))
    }
}

impl WrappedKeyStore for MemoryKeyStore {
    fn page<'a>(&'a self, after: Option<&'a str>, limit: usize) -> StoreFuture<'a, Vec<HeldKey>> {
        let state = self.state();
        let later = state.held.iter().filter(|(holder, _)| after.is_none_or(|after| holder.as_str() > after));
        let page = later.take(limit).map(|(_, held)| held.clone()).collect();
        Box::pin(std::future::ready(Ok(page)))
    }

    fn replace<'a>(
        &'a self,
        holder: &'a str,
        expected: &'a WrappedKey,
        new: &'a WrappedKey,
    ) -> StoreFuture<'a, Replacement> {
        let outcome = self.change("replace a wrapped key", |state| match state.held.get_mut(holder) {
            None => Replacement::Gone,
            Some(held) if held.wrapped != *expected => Replacement::Changed,
            Some(held) => {
                held.wrapped = new.clone();
                Replacement::Done
            }
        });
        Box::pin(std::future::ready(outcome))
    }
}

impl ShredStore for MemoryKeyStore {
    fn kept_receipt<'a>(&'a self, topic_id: &'a str) -> ShredFuture<'a, Option<SignedReceipt>> {
        Box::pin(std::future::ready(Ok(self.receipt(topic_id))))
    }

    fn plan<'a>(&'a self, topic_id: &'a str) -> ShredFuture<'a, ShredPlan> {
        let plan = self.change("plan a destruction", |state| {
            if let Some(plan) = state.plans.get(topic_id) {
                return plan.clone();
            }
            let of_topic = |held: &&HeldKey| held.context.get(crate::context::TOPIC) == Some(topic_id);
            let keys: Vec<HeldKey> = state.held.values().filter(of_topic).cloned().collect();
            let objects = state.objects.get(topic_id).cloned().unwrap_or_default();
            let plan = ShredPlan::new(topic_id, &keys, objects);
            state.plans.insert(topic_id.to_owned(), plan.clone());
            plan
        });
        Box::pin(std::future::ready(plan))
    }

    fn current<'a>(&'a self, holder: &'a str) -> ShredFuture<'a, Option<WrappedKey>> {
        let wrapped = self.state().held.get(holder).map(|held| held.wrapped.clone());
        Box::pin(std::future::ready(Ok(wrapped)))
    }

    fn destroy<'a>(&'a self, holder: &'a str) -> ShredFuture<'a, ()> {
        let destroyed = self.change("destroy a wrapped key", |state| {
            state.held.remove(holder);
        });
        Box::pin(std::future::ready(destroyed))
    }

    fn finish<'a>(&'a self, topic_id: &'a str, receipt: &'a SignedReceipt) -> ShredFuture<'a, ()> {
        let finished = self.change("finish a destruction", |state| {
            state.plans.remove(topic_id);
            state.receipts.insert(topic_id.to_owned(), receipt.clone());
        });
        Box::pin(std::future::ready(finished))
    }
}
