//! Deadlines, one for each thing that can be waited for.

use std::collections::{BTreeMap, BTreeSet};

/// What a deadline is for; setting it again replaces it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TimerKey {
    /// The group's members must have joined.
    Join(String),
    /// The group's members must have synced.
    Sync(String),
    /// The member must have been heard of.
    Session(String, String),
    /// The member of a consumer group must have given up what it had to.
    Rebalance(String, String),
    /// The classic member of a consumer group must have joined again.
    MemberJoin(String, String),
    /// The classic member of a consumer group must have synced.
    MemberSync(String, String),
    /// Old offsets are looked for.
    OffsetExpiry,
}

/// What happens at a deadline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TimerAction {
    /// Complete the first rebalance of a group, or wait once more when members have come.
    CompleteInitialJoin { delay_ms: i64, remaining_ms: i64 },
    /// Complete the rebalance without those who have not joined.
    CompleteJoin,
    /// Remove those who have not synced in this generation.
    ExpireSync { generation_id: i32 },
    /// Remove the member.
    ExpireSession,
    /// Remove the member if it is still at that epoch.
    ExpireRevocation { epoch: i32 },
    /// Remove old offsets.
    ExpireOffsets,
}

#[derive(Debug, Default)]
pub(crate) struct Timers {
    by_key: BTreeMap<TimerKey, (i64, TimerAction)>,
    by_deadline: BTreeSet<(i64, TimerKey)>,
}

impl Timers {
    pub(crate) fn set(&mut self, key: TimerKey, deadline_ms: i64, action: TimerAction) {
        self.cancel(&key);
        self.by_deadline.insert((deadline_ms, key.clone()));
        self.by_key.insert(key, (deadline_ms, action));
    }

    pub(crate) fn cancel(&mut self, key: &TimerKey) {
        if let Some((deadline_ms, _)) = self.by_key.remove(key) {
            self.by_deadline.remove(&(deadline_ms, key.clone()));
        }
    }

    pub(crate) fn has(&self, key: &TimerKey) -> bool {
        self.by_key.contains_key(key)
    }

    pub(crate) fn len(&self) -> usize {
        self.by_key.len()
    }

    pub(crate) fn next_deadline_ms(&self) -> Option<i64> {
        self.by_deadline.first().map(|(deadline_ms, _)| *deadline_ms)
    }

    /// Takes the earliest deadline out if it has come.
    pub(crate) fn pop_due(&mut self, now_ms: i64) -> Option<(TimerKey, TimerAction)> {
        if self.next_deadline_ms()? > now_ms {
            return None;
        }
        let (_, key) = self.by_deadline.pop_first()?;
        let (_, action) = self.by_key.remove(&key)?;
        Some((key, action))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_set_again_replaces_the_first() {
        let mut timers = Timers::default();
        let key = TimerKey::Join("g".to_owned());
        timers.set(key.clone(), 10, TimerAction::CompleteJoin);
        timers.set(key.clone(), 20, TimerAction::ExpireSession);
        timers.set(TimerKey::OffsetExpiry, 15, TimerAction::ExpireOffsets);
        assert_eq!(timers.pop_due(14), None);
        assert_eq!(timers.pop_due(99), Some((TimerKey::OffsetExpiry, TimerAction::ExpireOffsets)));
        assert_eq!(timers.pop_due(99), Some((key, TimerAction::ExpireSession)));
        assert_eq!(timers.next_deadline_ms(), None);
    }
}
