//! Changes of consumer groups on their way to storage.
//!
//! A group's state moves on in memory with each heartbeat; what a member is told waits until the state that it follows from is
//! durable. For each group one write is under way at a time, and everything that changes meanwhile goes into the next: so each write
//! leaves a state in storage that there has been, also when one before it has failed.

use std::collections::BTreeSet;

use crate::coordinator::GroupCoordinator;
use crate::effect::{RecordChange, ReplyToken};
use crate::persistence::Work;
use crate::records::{RecordKey, group_change};
use crate::response::Response;

/// What of a group is not durable, and who waits for it.
#[derive(Debug, Default)]
pub(crate) struct Unwritten {
    keys: BTreeSet<RecordKey>,
    waiting: Vec<(ReplyToken, Response)>,
    is_writing: bool,
}

impl GroupCoordinator {
    /// Answers once everything that the group is by now is durable.
    pub(crate) fn answer_once_written(&mut self, group_id: &str, token: ReplyToken, response: Response) {
        self.note_changes(group_id);
        match self.unwritten.get_mut(group_id) {
            None => self.reply(token, response),
            Some(unwritten) => {
                unwritten.waiting.push((token, response));
                self.write_changes(group_id);
            }
        }
    }

    /// Notes that a record must be written, or deleted where what it is for is gone.
    pub(crate) fn note_change(&mut self, group_id: &str, key: RecordKey) {
        self.unwritten.entry(group_id.to_owned()).or_default().keys.insert(key);
    }

    pub(crate) fn note_changes(&mut self, group_id: &str) {
        let Some(group) = self.consumers.get_mut(group_id) else { return };
        let changes = group.take_changes();
        if changes.group {
            self.note_change(group_id, RecordKey::ConsumerGroup(group_id.to_owned()));
        }
        for member_id in changes.members {
            self.note_change(group_id, RecordKey::ConsumerMember(group_id.to_owned(), member_id));
        }
    }

    /// Writes what has changed, unless a write is under way, after which it is.
    pub(crate) fn write_changes(&mut self, group_id: &str) {
        self.note_changes(group_id);
        let Some(unwritten) = self.unwritten.get_mut(group_id) else { return };
        if unwritten.is_writing || unwritten.keys.is_empty() {
            return;
        }
        unwritten.is_writing = true;
        let keys = std::mem::take(&mut unwritten.keys);
        let waiting = std::mem::take(&mut unwritten.waiting);
        let changes = keys.iter().map(|key| self.current(key)).collect();
        self.persist(changes, Work::WriteGroup { group_id: group_id.to_owned(), keys, waiting });
    }

    /// A record as it is by now.
    fn current(&self, key: &RecordKey) -> RecordChange {
        let change = match key {
            RecordKey::ConsumerGroup(group_id) => self.consumers.get(group_id).map(|group| group.change(key)),
            RecordKey::ConsumerMember(group_id, member_id) => {
                self.consumers.get(group_id).and_then(|group| group.member_change(key, member_id))
            }
            RecordKey::Group(group_id) => self.groups.get(group_id).map(|group| {
                let assignments = group.members.values();
                let assignments =
                    assignments.map(|member| (member.member_id.clone(), member.assignment.clone()));
                group_change(group_id, group, &assignments.collect())
            }),
            RecordKey::Offset(..) => None,
        };
        change.unwrap_or_else(|| key.deletion())
    }

    pub(crate) fn finish_group_write(
        &mut self,
        group_id: &str,
        keys: BTreeSet<RecordKey>,
        waiting: Vec<(ReplyToken, Response)>,
        is_durable: bool,
    ) {
        for (token, response) in waiting {
            self.reply(token, if is_durable { response } else { response.unavailable() });
        }
        let Some(unwritten) = self.unwritten.get_mut(group_id) else { return };
        unwritten.is_writing = false;
        if !is_durable {
            // They go with the next write, which who waits or the next heartbeat brings.
            unwritten.keys.extend(keys);
        }
        if is_durable && unwritten.keys.is_empty() {
            let waiting = std::mem::take(&mut unwritten.waiting);
            self.unwritten.remove(group_id);
            for (token, response) in waiting {
                self.reply(token, response);
            }
        } else if is_durable || !unwritten.waiting.is_empty() {
            self.write_changes(group_id);
        }
    }
}
