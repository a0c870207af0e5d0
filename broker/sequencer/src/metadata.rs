//! The cluster's metadata: numbered tables of keys and values, one order of commits, and a copy in every broker.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::ControlFlow;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::watch;

use crate::error::SequencerError;
use crate::ids::BrokerEpoch;

/// A table of the metadata. What each number means is its owner's business.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MetadataTable(pub i16);

/// Several changes that happen together or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataCommit {
    /// The registration under which they are committed.
    pub broker: BrokerEpoch,
    /// The registry version on which the changes were decided, where they depend on which brokers live.
    pub registry: Option<i64>,
    /// The changes; of two for the same entry the later one holds.
    pub changes: Vec<MetadataChange>,
}

/// One change of one entry.
#[derive(Clone, PartialEq, Eq)]
pub struct MetadataChange {
    /// The table.
    pub table: MetadataTable,
    /// The entry's key in its table.
    pub key: String,
    /// The new value; `None` deletes the entry.
    pub value: Option<Vec<u8>>,
    /// What must hold of the entry before the commit.
    pub condition: Condition,
}

impl fmt::Debug for MetadataChange {
    /// Without the value: it may be a credential.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("MetadataChange")
            .field("table", &self.table)
            .field("key", &self.key)
            .field("deletes", &self.value.is_none())
            .field("condition", &self.condition)
            .finish_non_exhaustive()
    }
}

/// What must hold of an entry for a change to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Nothing.
    Any,
    /// The entry does not exist.
    Absent,
    /// The entry was last changed by the commit with this version.
    Version(u64),
}

/// One entry.
#[derive(Clone, PartialEq, Eq)]
pub struct MetadataEntry {
    /// The value; `None` for an entry that was deleted and whose deletion others may not know yet.
    pub value: Option<Vec<u8>>,
    /// The version of the commit that changed it last.
    pub version: u64,
}

impl fmt::Debug for MetadataEntry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let deleted = self.value.is_none();
        formatter
            .debug_struct("MetadataEntry")
            .field("version", &self.version)
            .field("deleted", &deleted)
            .finish_non_exhaustive()
    }
}

/// An entry's place.
pub(crate) type EntryKey = (MetadataTable, String);

/// A broker's copy of the metadata. Cheap to clone; clones share it.
#[derive(Debug, Clone)]
pub struct MetadataView {
    copy: Arc<RwLock<Copy>>,
    version: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Copy {
    version: u64,
    entries: BTreeMap<EntryKey, MetadataEntry>,
    deleted: BTreeSet<(u64, EntryKey)>,
}

impl Default for MetadataView {
    fn default() -> Self {
        Self { copy: Arc::default(), version: watch::Sender::new(0) }
    }
}

impl MetadataView {
    /// All entries of a table.
    #[must_use]
    pub fn entries(&self, table: MetadataTable) -> BTreeMap<String, Vec<u8>> {
        let copy = self.read();
        let from = (table, String::new());
        copy.entries
            .range(from..)
            .take_while(|((of, _), _)| *of == table)
            .filter_map(|((_, key), entry)| Some((key.clone(), entry.value.clone()?)))
            .collect()
    }

    /// Shows `see` the entries of a table from the key `from` to before `to`, in order, until it has enough. They are shown at
    /// one moment; `see` must be quick and must not ask for metadata itself.
    pub fn visit(
        &self,
        table: MetadataTable,
        (from, to): (&str, &str),
        mut see: impl FnMut(&str, &[u8]) -> ControlFlow<()>,
    ) {
        if from >= to {
            return;
        }
        let copy = self.read();
        let range = copy.entries.range((table, from.to_owned())..(table, to.to_owned()));
        for ((_, key), entry) in range {
            if let Some(value) = &entry.value
                && see(key, value).is_break()
            {
                return;
            }
        }
    }

    /// One entry's value.
    #[must_use]
    pub fn get(&self, table: MetadataTable, key: &str) -> Option<Vec<u8>> {
        self.read().entries.get(&(table, key.to_owned()))?.value.clone()
    }

    /// The version of the commit that changed an entry last, if the entry exists; for [`Condition::Version`].
    #[must_use]
    pub fn entry_version(&self, table: MetadataTable, key: &str) -> Option<u64> {
        let copy = self.read();
        let entry = copy.entries.get(&(table, key.to_owned()))?;
        entry.value.is_some().then_some(entry.version)
    }

    /// The version of the last commit that is known here.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.read().version
    }

    /// Follows the version.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// Checks the conditions of a commit against this copy.
    pub(crate) fn check(&self, changes: &[MetadataChange]) -> Result<(), SequencerError> {
        let copy = self.read();
        let holds = |change: &&MetadataChange| {
            let entry = copy.entries.get(&(change.table, change.key.clone()));
            let version = entry.filter(|entry| entry.value.is_some()).map(|entry| entry.version);
            match change.condition {
                Condition::Any => true,
                Condition::Absent => version.is_none(),
                Condition::Version(expected) => version == Some(expected),
            }
        };
        match changes.iter().find(|change| !holds(change)) {
            None => Ok(()),
            Some(change) => {
                let what = format!("entry `{}` of metadata table {}", change.key, change.table.0);
                Err(SequencerError::Conflict { what })
            }
        }
    }

    /// An entry as it is known here, deleted ones included.
    pub(crate) fn entry(&self, key: &EntryKey) -> Option<MetadataEntry> {
        self.read().entries.get(key).cloned()
    }

    /// Entries that were deleted by a commit up to `version`, the oldest first.
    pub(crate) fn deleted_until(&self, version: u64, maximum: usize) -> Vec<(EntryKey, MetadataEntry)> {
        let copy = self.read();
        let old = copy.deleted.iter().take_while(|(deleted, _)| *deleted <= version).take(maximum);
        old.filter_map(|(_, key)| copy.entries.get(key).map(|entry| (key.clone(), entry.clone()))).collect()
    }

    /// Takes over what commits up to `version` changed, and forgets `purged`. Older news than is known is ignored.
    pub(crate) fn advance(&self, version: u64, changes: Vec<(EntryKey, MetadataEntry)>, purged: &[EntryKey]) {
        let mut copy = self.write();
        if version <= copy.version {
            return;
        }
        for (key, entry) in changes {
            copy.put(key, entry);
        }
        for key in purged {
            copy.remove(key);
        }
        copy.version = version;
        drop(copy);
        self.announce(version);
    }

    /// Replaces everything.
    pub(crate) fn replace(&self, version: u64, entries: Vec<(EntryKey, MetadataEntry)>) {
        let mut fresh = Copy { version, ..Copy::default() };
        for (key, entry) in entries {
            fresh.put(key, entry);
        }
        *self.write() = fresh;
        self.announce(version);
    }

    fn announce(&self, version: u64) {
        self.version.send_if_modified(|known| std::mem::replace(known, version) != version);
    }

    // A poisoned lock means that a thread panicked; nothing here panics between related changes.
    fn read(&self) -> std::sync::RwLockReadGuard<'_, Copy> {
        self.copy.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Copy> {
        self.copy.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Copy {
    fn put(&mut self, key: EntryKey, entry: MetadataEntry) {
        self.remove(&key);
        if entry.value.is_none() {
            self.deleted.insert((entry.version, key.clone()));
        }
        self.entries.insert(key, entry);
    }

    fn remove(&mut self, key: &EntryKey) {
        if let Some(before) = self.entries.remove(key).filter(|before| before.value.is_none()) {
            self.deleted.remove(&(before.version, key.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: MetadataTable = MetadataTable(3);

    fn key(name: &str) -> EntryKey {
        (TABLE, name.to_owned())
    }

    fn entry(value: Option<&str>, version: u64) -> MetadataEntry {
        MetadataEntry { value: value.map(|value| value.as_bytes().to_vec()), version }
    }

    #[test]
    fn a_view_holds_what_was_last_committed_and_ignores_old_news() {
        let view = MetadataView::default();
        let version = view.subscribe();
        view.advance(1, vec![(key("a"), entry(Some("1"), 1)), (key("b"), entry(Some("2"), 1))], &[]);
        view.advance(3, vec![(key("a"), entry(None, 3))], &[]);
        view.advance(2, vec![(key("b"), entry(Some("old"), 2))], &[]);
        assert_eq!(view.entries(TABLE), BTreeMap::from([("b".to_owned(), b"2".to_vec())]));
        assert_eq!((view.version(), *version.borrow()), (3, 3));
        assert_eq!((view.entry_version(TABLE, "a"), view.entry_version(TABLE, "b")), (None, Some(1)));
        assert_eq!(view.deleted_until(3, 9).len(), 1);
        view.advance(4, Vec::new(), &[key("a")]);
        assert!(view.deleted_until(9, 9).is_empty());
    }

    #[test]
    fn conditions_are_checked_entry_by_entry() {
        let view = MetadataView::default();
        view.advance(5, vec![(key("a"), entry(Some("1"), 5)), (key("gone"), entry(None, 5))], &[]);
        let check = |name: &str, condition| {
            let change = MetadataChange { table: TABLE, key: name.to_owned(), value: None, condition };
            view.check(&[change]).is_ok()
        };
        assert!(check("a", Condition::Any) && check("a", Condition::Version(5)));
        assert!(!check("a", Condition::Absent) && !check("a", Condition::Version(4)));
        assert!(check("gone", Condition::Absent) && !check("gone", Condition::Version(5)));
    }
}
