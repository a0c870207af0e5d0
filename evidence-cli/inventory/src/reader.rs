//! What every noun's file reads with: answers in, assets and properties out, defects on the side.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_model::asset::EvidenceIds;
use cadastre_model::inventory::Unreadable;
use cadastre_model::{Known, Outcome, RecordId, Scope, Timestamp};

use crate::answers::{Answer, Answers, Series};
use crate::assets::Asset;
use crate::node::{Defect, Node, Read};

/// Reads answers and keeps what could not be read.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    pub(crate) answers: &'a Answers<'a>,
    unreadable: BTreeSet<Unreadable>,
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(answers: &'a Answers<'a>) -> Self {
        Self { answers, unreadable: BTreeSet::new() }
    }

    pub(crate) fn into_unreadable(self) -> BTreeSet<Unreadable> {
        self.unreadable
    }

    /// Keeps a defect and says in words what is missing for it.
    #[expect(clippy::boxed_local, reason = "defects travel boxed, so that results stay small")]
    pub(crate) fn reject(&mut self, defect: Defect) -> String {
        let missing = format!(
            "{} could not be read: expected {} at `{}`",
            defect.operation, defect.problem, defect.pointer
        );
        self.unreadable.insert(*defect);
        missing
    }

    /// A value that was read, or not.
    pub(crate) fn settle<T>(&mut self, read: Read<Option<T>>) -> Known<T> {
        match read {
            Ok(Some(value)) => Known::Observed(value),
            Ok(None) => Known::Absent,
            Err(defect) => Known::Unknown(self.reject(defect)),
        }
    }

    /// A value that was read, or nothing. Only for what has no way to be unknown.
    pub(crate) fn accept<T: Default>(&mut self, read: Read<T>) -> T {
        read.unwrap_or_else(|defect| {
            self.reject(defect);
            T::default()
        })
    }

    /// Everything of one kind that the pages of an operation list, the newest of each id, by id.
    pub(crate) fn assets<T: Asset>(
        &mut self,
        operation: &str,
        list: &str,
        read: impl FnMut(&mut Self, &Node<'a>) -> Read<Option<T>>,
    ) -> Vec<T> {
        let items = self.items(operation, list);
        self.assets_from(items, read)
    }

    /// One asset for each item, the newest of each id, by id.
    pub(crate) fn assets_from<T: Asset>(
        &mut self,
        items: Vec<Node<'a>>,
        mut read: impl FnMut(&mut Self, &Node<'a>) -> Read<Option<T>>,
    ) -> Vec<T> {
        let mut found: BTreeMap<String, (Timestamp, &RecordId, T)> = BTreeMap::new();
        for item in items {
            let mut asset = match read(self, &item) {
                Ok(Some(asset)) => asset,
                Ok(None) => continue,
                Err(defect) => {
                    self.reject(defect);
                    continue;
                }
            };
            let (at, record) = (item.record.observed_at, item.record.id());
            asset.evidence_mut().insert(record.clone());
            match found.get_mut(asset.id()) {
                None => {
                    found.insert(asset.id().to_owned(), (at, record, asset));
                }
                Some(seen) => {
                    let mut older = if (seen.0, seen.1) < (at, record) {
                        std::mem::replace(seen, (at, record, asset)).2
                    } else {
                        asset
                    };
                    seen.2.evidence_mut().append(older.evidence_mut());
                }
            }
        }
        found.into_values().map(|(_, _, asset)| asset).collect()
    }

    /// The items that all pages of an operation list, whoever was asked.
    pub(crate) fn items(&mut self, operation: &str, list: &str) -> Vec<Node<'a>> {
        let answers = self.answers;
        let mut items = Vec::new();
        for answer in answers.of(operation) {
            items.extend(self.items_of(answer, list));
        }
        items
    }

    /// The items that all pages of an answer list.
    pub(crate) fn items_of(&mut self, answer: &Answer<'a>, list: &str) -> Vec<Node<'a>> {
        let mut items = Vec::new();
        for record in answer.series.iter().flat_map(|series| &series.pages) {
            items.extend(self.accept(Node::response(record).list(list)));
        }
        items
    }

    /// A property that one question settles, about a subject whose name is unique.
    pub(crate) fn known<T>(
        &mut self,
        operation: &str,
        subject: &str,
        evidence: &mut EvidenceIds,
        read: impl FnOnce(&Pages<'a>) -> Read<Option<T>>,
    ) -> Known<T> {
        let series = self.answers.about(operation, subject).and_then(Answer::latest);
        self.known_from(operation, series, evidence, read)
    }

    /// A property that one question settles, about a subject in a scope.
    pub(crate) fn known_within<T>(
        &mut self,
        operation: &str,
        scope: &Scope,
        subject: &str,
        evidence: &mut EvidenceIds,
        read: impl FnOnce(&Pages<'a>) -> Read<Option<T>>,
    ) -> Known<T> {
        let series = self.answers.within(operation, scope, subject).and_then(Answer::latest);
        self.known_from(operation, series, evidence, read)
    }

    /// A property that one series of pages settles.
    pub(crate) fn known_from<T>(
        &mut self,
        operation: &str,
        series: Option<&Series<'a>>,
        evidence: &mut EvidenceIds,
        read: impl FnOnce(&Pages<'a>) -> Read<Option<T>>,
    ) -> Known<T> {
        let Some(series) = series else { return Known::Unknown(not_asked(operation)) };
        evidence.extend(series.records.iter().map(|record| record.id().clone()));
        match series.outcome {
            Outcome::Observed => match Pages::of(series) {
                Some(pages) => {
                    let read = read(&pages);
                    self.settle(read)
                }
                None => Known::Unknown(series.missing(operation)),
            },
            Outcome::Absent => Known::Absent,
            Outcome::Denied | Outcome::Failed | Outcome::Truncated => {
                Known::Unknown(series.missing(operation))
            }
        }
    }

    /// One property of something that was read as a whole, which every such thing has: a service that
    /// leaves it out has not answered.
    pub(crate) fn stated<T>(
        &mut self,
        operation: &str,
        whole: &Known<Node<'a>>,
        member: &str,
        read: impl FnOnce(&Node<'a>) -> Read<Option<T>>,
    ) -> Known<T> {
        match self.property(operation, whole, read) {
            Known::Absent => Known::Unknown(format!("{operation} does not say `{member}`")),
            known => known,
        }
    }

    /// One property of something that was read as a whole. Where the whole is absent, its properties are
    /// unknown.
    pub(crate) fn property<T>(
        &mut self,
        operation: &str,
        whole: &Known<Node<'a>>,
        read: impl FnOnce(&Node<'a>) -> Read<Option<T>>,
    ) -> Known<T> {
        match whole {
            Known::Observed(node) => {
                let read = read(node);
                self.settle(read)
            }
            Known::Absent => Known::Unknown(format!("{operation} found nothing")),
            Known::Unknown(missing) => Known::Unknown(missing.clone()),
        }
    }
}

/// The words for a question that was never asked.
pub(crate) fn not_asked(operation: &str) -> String {
    format!("{operation} was not asked")
}

/// The pages of a complete answer.
#[derive(Debug)]
pub(crate) struct Pages<'a> {
    first: Node<'a>,
    rest: Vec<Node<'a>>,
}

impl<'a> Pages<'a> {
    fn of(series: &Series<'a>) -> Option<Self> {
        let mut pages = series.pages.iter().map(|record| Node::response(record));
        Some(Self { first: pages.next()?, rest: pages.collect() })
    }

    /// The one page of an answer that never has more.
    pub(crate) fn only(&self) -> Read<&Node<'a>> {
        match self.rest.first() {
            None => Ok(&self.first),
            Some(second) => Err(second.defect("no second page")),
        }
    }

    /// Reads every item that the pages list.
    pub(crate) fn all<T>(&self, list: &str, mut read: impl FnMut(&Node<'a>) -> Read<T>) -> Read<Vec<T>> {
        let mut all = Vec::new();
        for page in std::iter::once(&self.first).chain(&self.rest) {
            for item in page.list(list)? {
                all.push(read(&item)?);
            }
        }
        Ok(all)
    }
}
