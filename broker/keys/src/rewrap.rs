//! Moves wrapped keys under the current key-encryption key without touching what they protect.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::stream::{self, StreamExt};

use crate::{HeldKey, KeyError, KeyProvider, Replacement, UntoldKey, WrappedKeyStore};

/// Which wrapped keys move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RewrapSelection {
    /// Those under another key or version than the current.
    #[default]
    NotCurrent,
    /// All: for services that rotate key material behind an unchanged id.
    All,
}

/// How rewrapping goes about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RewrapOptions {
    /// Which wrapped keys move.
    pub selection: RewrapSelection,
    /// At most so many at once; at least 1.
    pub concurrency: usize,
    /// Wrapped keys listed at a time; at least 1.
    pub page_size: usize,
    /// Goes on after this holder; for [`RewrapSelection::All`], where what was done does not show.
    pub after: Option<String>,
    /// Stops after a page in which the failures have become this many; at least 1.
    pub maximum_failures: usize,
}

impl Default for RewrapOptions {
    fn default() -> Self {
        Self {
            selection: RewrapSelection::NotCurrent,
            concurrency: 8,
            page_size: 256,
            after: None,
            maximum_failures: 16,
        }
    }
}

/// What a run did.
#[derive(Debug, Default)]
pub struct RewrapReport {
    /// Wrapped keys that were moved.
    pub moved: u64,
    /// Wrapped keys that were where they should be.
    pub current: u64,
    /// Holders that changed or went away meanwhile.
    pub overtaken: u64,
    /// What failed, and why, by holder.
    pub failures: BTreeMap<String, KeyError>,
    /// Holders of which it cannot be told which key they use; they stay as they are.
    pub untold: Vec<UntoldKey>,
    /// Everything up to this holder was seen; to go on from.
    pub last_holder: Option<String>,
    /// Whether the list was seen to its end.
    pub complete: bool,
}

impl RewrapReport {
    /// Whether it is known that nothing is left to be done.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.complete && self.failures.is_empty() && self.untold.is_empty()
    }
}

enum Outcome {
    Moved,
    Current,
    Overtaken,
}

/// Moves what `options` select in `store` under the current key of `provider`. May be interrupted anywhere and run
/// again.
///
/// # Errors
/// Only when the store cannot be listed; what fails for one wrapped key is in the report.
pub async fn rewrap(
    provider: &Arc<dyn KeyProvider>,
    store: &Arc<dyn WrappedKeyStore>,
    options: &RewrapOptions,
    mut progress: impl FnMut(&RewrapReport),
) -> Result<RewrapReport, KeyError> {
    let mut report = RewrapReport { last_holder: options.after.clone(), ..RewrapReport::default() };
    loop {
        let page = store.page(report.last_holder.as_deref(), options.page_size.max(1)).await?;
        let Some(last) = page.last().map(|held| held.holder.clone()) else {
            report.untold = store.untold().await?;
            report.complete = true;
            return Ok(report);
        };
        let mut outcomes = stream::iter(page)
            .map(|held| async move {
                let outcome = move_one(provider.as_ref(), store.as_ref(), &held, options.selection).await;
                (held.holder, outcome)
            })
            .buffer_unordered(options.concurrency.max(1));
        while let Some((holder, outcome)) = outcomes.next().await {
            match outcome {
                Ok(Outcome::Moved) => report.moved = report.moved.saturating_add(1),
                Ok(Outcome::Current) => report.current = report.current.saturating_add(1),
                Ok(Outcome::Overtaken) => report.overtaken = report.overtaken.saturating_add(1),
                Err(error) => {
                    report.failures.insert(holder, error);
                }
            }
        }
        report.last_holder = Some(last);
        progress(&report);
        if report.failures.len() >= options.maximum_failures.max(1) {
            return Ok(report);
        }
    }
}

async fn move_one(
    provider: &dyn KeyProvider,
    store: &dyn WrappedKeyStore,
    held: &HeldKey,
    selection: RewrapSelection,
) -> Result<Outcome, KeyError> {
    if selection == RewrapSelection::NotCurrent && provider.is_current(&held.wrapped.key_id) {
        return Ok(Outcome::Current);
    }
    let moved = provider.rewrap(&held.wrapped, &held.context).await?;
    // A wrapped key that does not unwrap is data lost; it must not replace one that does.
    let new = provider.unwrap(&moved, &held.context).await?;
    let old = provider.unwrap(&held.wrapped, &held.context).await?;
    if !new.is_same_key(&old) {
        let reason = "the rewrapped key unwraps to another data key".to_owned();
        return Err(KeyError::InvalidAnswer { key_id: moved.key_id, reason });
    }
    Ok(match store.replace(&held.holder, &held.wrapped, &moved).await? {
        Replacement::Done => Outcome::Moved,
        Replacement::Changed | Replacement::Gone => Outcome::Overtaken,
    })
}

/// Who uses which key: holders by key id, both sorted. At most `maximum` holders are named for each key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyUsage {
    /// By key id.
    pub by_key: BTreeMap<String, HoldersOfKey>,
    /// Holders of which it cannot be told which key they use.
    pub untold: Vec<UntoldKey>,
}

/// Who uses one key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HoldersOfKey {
    /// How many wrapped keys.
    pub count: u64,
    /// Who holds them; the first ones, if there are more than were asked for.
    pub holders: Vec<String>,
    /// Whether new keys are wrapped under this key.
    pub is_current: bool,
}

/// Lists which wrapped keys are under which key-encryption key.
///
/// # Errors
/// When the store cannot be listed.
pub async fn key_usage(
    provider: &dyn KeyProvider,
    store: &dyn WrappedKeyStore,
    maximum_holders: usize,
) -> Result<KeyUsage, KeyError> {
    let mut usage = KeyUsage::default();
    let mut after: Option<String> = None;
    loop {
        let page = store.page(after.as_deref(), 256).await?;
        let Some(last) = page.last() else {
            usage.untold = store.untold().await?;
            return Ok(usage);
        };
        after = Some(last.holder.clone());
        for held in page {
            let is_current = provider.is_current(&held.wrapped.key_id);
            let of_key = usage.by_key.entry(held.wrapped.key_id).or_default();
            of_key.is_current = is_current;
            of_key.count = of_key.count.saturating_add(1);
            if of_key.holders.len() < maximum_holders {
                of_key.holders.push(held.holder);
            }
        }
    }
}
