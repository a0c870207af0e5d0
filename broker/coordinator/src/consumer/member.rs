//! A member of a consumer group.

use std::collections::BTreeSet;

use crate::consumer::partitions::Partitions;
use crate::request::GroupProtocol;

/// The epoch by which a member leaves.
pub(crate) const LEAVING: i32 = -1;
/// The epoch by which a static member goes away for a while.
pub(crate) const LEAVING_FOR_A_WHILE: i32 = -2;

/// How far a member is on its way to the target assignment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum MemberState {
    /// It has all of its assignment.
    #[default]
    Stable,
    /// It must give partitions up before anything else happens.
    Revoking,
    /// It lacks partitions that others still hold.
    Waiting,
}

/// What there is to know of a member that speaks the classic protocol within a consumer group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClassicPart {
    pub(crate) session_timeout_ms: i32,
    pub(crate) protocols: Vec<GroupProtocol>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct ConsumerMember {
    pub(crate) member_id: String,
    pub(crate) group_instance_id: Option<String>,
    pub(crate) rack_id: Option<String>,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
    pub(crate) rebalance_timeout_ms: i32,
    pub(crate) subscribed_topics: BTreeSet<String>,
    /// A regular expression over topic names; empty for none.
    pub(crate) subscribed_pattern: String,
    /// The assignor that it asks for.
    pub(crate) assignor: Option<String>,
    pub(crate) epoch: i32,
    pub(crate) previous_epoch: i32,
    pub(crate) state: MemberState,
    /// What it may read.
    pub(crate) assigned: Partitions,
    /// What it must give up, and may still read until it says that it has.
    pub(crate) revoking: Partitions,
    /// Whether it speaks the classic protocol, and how.
    pub(crate) classic: Option<ClassicPart>,
}

impl ConsumerMember {
    pub(crate) fn new(member_id: String) -> Self {
        Self { member_id, rebalance_timeout_ms: -1, ..Self::default() }
    }

    /// Whether it has all that the target assignment of an epoch gives it.
    pub(crate) fn is_reconciled_to(&self, target_epoch: i32) -> bool {
        self.state == MemberState::Stable && self.epoch == target_epoch
    }

    /// Moves to another epoch, remembering the last one.
    pub(crate) fn advance(&mut self, epoch: i32) {
        self.previous_epoch = std::mem::replace(&mut self.epoch, epoch);
    }
}
