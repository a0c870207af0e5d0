//! What waits for storage, and what happens once storage has answered.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use crate::consumer::group::ConsumerGroup;
use crate::coordinator::GroupCoordinator;
use crate::effect::{Effect, PersistId, RecordChange, ReplyToken};
use crate::member::Member;
use crate::offsets::CommittedOffset;
use crate::records::RecordKey;
use crate::response::{DeleteGroupsResponse, OffsetCommitResponse, OffsetDeleteResponse, Response};

/// Records on their way to storage, with what they are for.
#[derive(Debug)]
pub(crate) struct InFlight {
    work: Work,
    /// Whether storage has answered, and whether the records are durable.
    is_durable: Option<bool>,
}

/// What to do once records are durable, or are known not to be.
#[derive(Debug)]
pub(crate) enum Work {
    /// Hand the assignments of a generation out.
    Assign { group_id: String, generation_id: i32, assignments: BTreeMap<String, Bytes> },
    /// Let a static member that came back with a new id go on where it was.
    ResumeStatic(Box<ResumeStatic>),
    /// Make offsets visible.
    CommitOffsets {
        token: ReplyToken,
        group_id: String,
        offsets: Vec<(String, i32, CommittedOffset)>,
        response: OffsetCommitResponse,
    },
    /// Forget offsets.
    DeleteOffsets {
        token: ReplyToken,
        group_id: String,
        offsets: Vec<(String, i32)>,
        response: OffsetDeleteResponse,
    },
    /// Forget groups.
    DeleteGroups {
        token: ReplyToken,
        offsets: Vec<(String, String, i32)>,
        group_ids: Vec<String>,
        response: DeleteGroupsResponse,
    },
    /// Forget offsets and groups that nobody asked about.
    Expire { offsets: Vec<(String, String, i32)>, group_ids: Vec<String> },
    /// Answer those who waited for changes of a consumer group.
    WriteGroup { group_id: String, keys: BTreeSet<RecordKey>, waiting: Vec<(ReplyToken, Response)> },
    /// Nothing: the record only speeds a restart up.
    Note,
}

/// A static member's change of id, with what is needed to undo it.
#[derive(Debug)]
pub(crate) struct ResumeStatic {
    pub(crate) group_id: String,
    pub(crate) generation_id: i32,
    pub(crate) instance: String,
    pub(crate) old: Member,
    pub(crate) new_id: String,
    pub(crate) previous_leader: Option<String>,
    pub(crate) supports_skipping_assignment: bool,
}

impl GroupCoordinator {
    pub(crate) fn persist(&mut self, changes: Vec<RecordChange>, work: Work) {
        self.last_persist += 1;
        let id = PersistId(self.last_persist);
        self.in_flight.insert(id, InFlight { work, is_durable: None });
        self.effects.push(Effect::Persist { id, changes });
    }

    /// Says whether the records of an [`Effect::Persist`] are durable, and returns what follows.
    ///
    /// Answers may come in any order; they take effect in the order of the effects, so that of two commits of an offset
    /// the later one stays. An id that is not in flight is ignored.
    pub fn persisted(&mut self, id: PersistId, is_durable: bool, now_ms: i64) -> Vec<Effect> {
        if let Some(in_flight) = self.in_flight.get_mut(&id) {
            in_flight.is_durable = Some(is_durable);
        }
        while let Some(first) = self.in_flight.first_entry() {
            let Some(is_durable) = first.get().is_durable else { break };
            let InFlight { work, .. } = first.remove();
            self.finish(work, is_durable, now_ms);
        }
        std::mem::take(&mut self.effects)
    }

    fn finish(&mut self, work: Work, is_durable: bool, now_ms: i64) {
        match work {
            Work::Assign { group_id, generation_id, assignments } => {
                self.finish_assignment(&group_id, generation_id, &assignments, is_durable, now_ms);
            }
            Work::ResumeStatic(resume) => self.finish_static_rejoin(*resume, is_durable, now_ms),
            Work::CommitOffsets { token, group_id, offsets, response } => {
                self.finish_commit(token, &group_id, offsets, response, is_durable, now_ms);
            }
            Work::DeleteOffsets { token, group_id, offsets, response } => {
                self.finish_offset_deletion(token, &group_id, &offsets, response, is_durable);
            }
            Work::DeleteGroups { token, offsets, group_ids, response } => {
                if is_durable {
                    self.forget(&offsets, &group_ids);
                }
                self.answer_group_deletion(token, response, is_durable);
            }
            Work::Expire { offsets, group_ids } => {
                if is_durable {
                    self.forget(&offsets, &group_ids);
                }
            }
            Work::WriteGroup { group_id, keys, waiting } => {
                self.finish_group_write(&group_id, keys, waiting, is_durable);
            }
            Work::Note => {}
        }
    }

    /// The offsets that exist or are about to: a deletion must cover commits that are still on their way, lest they
    /// outlive it in storage.
    pub(crate) fn offsets_to_be(&self, is_wanted: impl Fn(&str) -> bool) -> BTreeSet<(&str, &str, i32)> {
        let mut offsets: BTreeSet<_> = self.offsets.in_groups(&is_wanted).collect();
        for in_flight in self.in_flight.values() {
            if let Work::CommitOffsets { group_id, offsets: committed, .. } = &in_flight.work
                && is_wanted(group_id)
            {
                offsets.extend(
                    committed.iter().map(|(topic, partition, _)| (&**group_id, &**topic, *partition)),
                );
            }
        }
        offsets
    }

    /// Drops offsets, and groups unless someone has joined them in the meantime.
    pub(crate) fn forget(&mut self, offsets: &[(String, String, i32)], group_ids: &[String]) {
        for (group_id, topic, partition) in offsets {
            self.offsets.remove(group_id, topic, *partition);
        }
        for group_id in group_ids {
            if self
                .groups
                .get(group_id)
                .is_some_and(|group| group.members.is_empty() && group.pending_join.is_empty())
            {
                self.groups.remove(group_id);
            }
            if self.consumers.get(group_id).is_some_and(ConsumerGroup::is_empty) {
                self.consumers.remove(group_id);
            }
        }
    }
}
