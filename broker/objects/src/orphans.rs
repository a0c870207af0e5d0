//! Finding objects that nothing refers to, and proving it before they are deleted.
//!
//! The order matters: list first, then read references. What was referenced in between is seen as referenced; what was
//! written in between is younger than the grace period, or belongs to a writer that is at work.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::Future;

use futures::TryStreamExt;

use crate::error::StoreError;
use crate::object_id::{ObjectId, ObjectName};
use crate::store::{ListedObject, Store};

/// What the owner of the manifest knows, read after the listing was complete.
#[derive(Debug, Clone, Default)]
pub struct References {
    /// Every object that the manifest refers to.
    pub objects: BTreeSet<ObjectId>,
    /// Writer epochs that may still write or refer: neither ended nor fenced.
    pub active_epochs: BTreeSet<u64>,
    /// Every epoch that was ever given out is below this.
    pub next_epoch: u64,
}

/// How careful the sweep is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SweepSettings {
    /// Younger objects are left alone, by the store's clock, milliseconds. Longer than the longest upload.
    pub grace_ms: i64,
    /// A suspect must have been one for this long, by the caller's clock, milliseconds.
    pub confirmation_ms: i64,
    /// One sweep deletes no more than this.
    pub maximum_deletions: usize,
}

impl Default for SweepSettings {
    /// An hour, ten minutes, 1,000 objects.
    fn default() -> Self {
        Self { grace_ms: 3_600_000, confirmation_ms: 600_000, maximum_deletions: 1_000 }
    }
}

/// What the judgement about a listed object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Finding {
    /// The manifest refers to it.
    Referenced,
    /// It is younger than the grace period, or its time lies in the future.
    Young,
    /// Its writer may still refer to it.
    WriterActive,
    /// Its epoch was never given out: it came from elsewhere, or the manifest is older than the objects.
    UnknownEpoch,
    /// Its name is not one of ours.
    Foreign,
    /// Nothing speaks for it, but not for long enough yet.
    Suspect,
    /// Nothing spoke for it then and nothing does now.
    Orphan,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Referenced => "referenced",
            Self::Young => "within the grace period",
            Self::WriterActive => "its writer is active",
            Self::UnknownEpoch => "its writer epoch was never given out",
            Self::Foreign => "not an object of this cluster",
            Self::Suspect => "suspect, to be confirmed",
            Self::Orphan => "orphan",
        })
    }
}

/// A listed object with the judgement about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// What the store said.
    pub object: ListedObject,
    /// Its name, where it is one of ours.
    pub name: Option<ObjectName>,
    /// The judgement.
    pub finding: Finding,
}

/// Since when each suspect is one, milliseconds since the epoch. Kept by the caller from sweep to sweep; losing it costs
/// time, never an object.
pub type Suspects = BTreeMap<ObjectId, i64>;

/// Judges a complete listing. Pure: nothing is asked and nothing is deleted.
#[must_use]
pub fn judge(
    cluster_id: &str,
    listing: Vec<ListedObject>,
    references: &References,
    suspects: &Suspects,
    settings: SweepSettings,
    now_ms: i64,
) -> Vec<Listed> {
    let mut judged: Vec<Listed> = listing
        .into_iter()
        .map(|object| {
            let name = ObjectName::parse(cluster_id, &object.path);
            let finding = name.as_ref().map_or(Finding::Foreign, |name| {
                finding(name.id, &object, references, suspects, settings, now_ms)
            });
            Listed { object, name, finding }
        })
        .collect();
    judged.sort_by(|left, right| left.object.path.cmp(&right.object.path));
    judged
}

fn finding(
    id: ObjectId,
    object: &ListedObject,
    references: &References,
    suspects: &Suspects,
    settings: SweepSettings,
    now_ms: i64,
) -> Finding {
    if references.objects.contains(&id) {
        return Finding::Referenced;
    }
    if id.writer_epoch >= references.next_epoch {
        return Finding::UnknownEpoch;
    }
    if references.active_epochs.contains(&id.writer_epoch) {
        return Finding::WriterActive;
    }
    if now_ms.saturating_sub(object.modified_at_ms) <= settings.grace_ms {
        return Finding::Young;
    }
    match suspects.get(&id) {
        Some(since) if now_ms.saturating_sub(*since) >= settings.confirmation_ms => Finding::Orphan,
        _ => Finding::Suspect,
    }
}

/// An object that was deleted, with what proved it an orphan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orphan {
    /// Its name.
    pub name: ObjectName,
    /// Its size, in bytes.
    pub size: u64,
    /// When it was written by the store's clock, milliseconds since the epoch.
    pub modified_at_ms: i64,
    /// Since when it was suspected, milliseconds since the epoch.
    pub suspected_since_ms: i64,
}

/// The proof of a sweep: what was looked at, and why each orphan is one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SweepReport {
    /// Objects by judgement.
    pub counts: BTreeMap<Finding, u64>,
    /// Objects with foreign names, or of epochs never given out: for an operator to look at.
    pub odd: Vec<String>,
    /// What is to be deleted, in order of names.
    pub orphans: Vec<Orphan>,
    /// Objects the manifest refers to that the listing did not show: records may be lost.
    pub missing: Vec<ObjectId>,
}

/// Sweeps one cluster's objects.
#[derive(Debug)]
pub struct Sweeper {
    store: Store,
    cluster_id: String,
    settings: SweepSettings,
    suspects: Suspects,
}

impl Sweeper {
    /// A sweeper that suspects nothing yet.
    #[must_use]
    pub const fn new(store: Store, cluster_id: String, settings: SweepSettings) -> Self {
        Self { store, cluster_id, settings, suspects: Suspects::new() }
    }

    /// What is suspected at the moment.
    #[must_use]
    pub const fn suspects(&self) -> &Suspects {
        &self.suspects
    }

    /// Lists, reads the references through `references` only then, and judges. Deletes nothing.
    ///
    /// # Errors
    /// [`StoreError`] when the listing is incomplete, `E` when the references cannot be read: nothing is judged then.
    pub async fn survey<E, F>(
        &mut self,
        references: impl FnOnce() -> F,
        now_ms: i64,
    ) -> Result<SweepReport, E>
    where
        E: From<StoreError>,
        F: Future<Output = Result<References, E>>,
    {
        let folder = ObjectName::folder(&self.cluster_id);
        let listing: Vec<_> = self.store.list(&folder).try_collect().await?;
        let references = references().await?;
        let judged = judge(&self.cluster_id, listing, &references, &self.suspects, self.settings, now_ms);
        let mut report = SweepReport::default();
        let mut suspects = Suspects::new();
        let mut seen = BTreeSet::new();
        for listed in judged {
            *report.counts.entry(listed.finding).or_default() += 1;
            let Some(name) = listed.name else {
                report.odd.push(format!("{}: {}", listed.object.path, listed.finding));
                continue;
            };
            seen.insert(name.id);
            match listed.finding {
                Finding::UnknownEpoch => report.odd.push(format!("{name}: {}", listed.finding)),
                Finding::Suspect | Finding::Orphan => {
                    let since = self.suspects.get(&name.id).copied().unwrap_or(now_ms);
                    suspects.insert(name.id, since);
                    if listed.finding == Finding::Orphan
                        && report.orphans.len() < self.settings.maximum_deletions
                    {
                        report.orphans.push(Orphan {
                            name,
                            size: listed.object.size,
                            modified_at_ms: listed.object.modified_at_ms,
                            suspected_since_ms: since,
                        });
                    }
                }
                _ => {}
            }
        }
        report.missing = references.objects.difference(&seen).copied().collect();
        self.suspects = suspects;
        Ok(report)
    }

    /// Deletes the orphans of a report, each of which is looked up once more in references that are read
    /// again. The caller has to keep the report first, as the proof.
    ///
    /// # Errors
    /// As [`Sweeper::survey`]; what was deleted before a failure stays deleted.
    pub async fn delete<E, F>(
        &mut self,
        report: &SweepReport,
        references: impl FnOnce() -> F,
    ) -> Result<Vec<ObjectName>, E>
    where
        E: From<StoreError>,
        F: Future<Output = Result<References, E>>,
    {
        if report.orphans.is_empty() {
            return Ok(Vec::new());
        }
        let references = references().await?;
        let mut deleted = Vec::new();
        for orphan in &report.orphans {
            let id = orphan.name.id;
            if references.objects.contains(&id) || references.active_epochs.contains(&id.writer_epoch) {
                tracing::error!(object = %orphan.name, "an object that was proven an orphan is referenced now");
                self.suspects.remove(&id);
                continue;
            }
            self.store.delete(&orphan.name.path()).await?;
            self.suspects.remove(&id);
            deleted.push(orphan.name.clone());
        }
        Ok(deleted)
    }
}
