//! Which faults happen in a run, and how often.

use crate::random::Random;

/// How often each fault happens, in a thousand requests. All 0 is a world without faults.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FaultRates {
    /// A request to the object store fails and has no effect.
    pub store_error: u32,
    /// It has its effect, and the answer is lost.
    pub store_lost_answer: u32,
    /// The answer is lost, and the effect comes later.
    pub store_late_effect: u32,
    /// A read returns fewer bytes than asked for.
    pub store_truncated_read: u32,
    /// A read returns a flipped bit.
    pub store_flipped_read: u32,
    /// A request to the database fails and has no effect.
    pub database_error: u32,
    /// It is committed, and the answer is lost.
    pub database_lost_answer: u32,
    /// A commit is sent again, as after a lost connection.
    pub database_repeated: u32,
    /// The key service does not answer.
    pub keys_error: u32,
    /// A request of a client, or its answer, is lost.
    pub network_lost: u32,
    /// A request of any kind takes seconds.
    pub slow: u32,
    /// `fdatasync` fails, and what was to be written is gone after a loss of power.
    pub sync_error: u32,
    /// A write finds the disk full.
    pub disk_full: u32,
    /// The process ends in the midst of a file operation.
    pub death_in_file_operation: u32,
}

impl FaultRates {
    /// The rates of a run: each fault is there or not, so that runs differ in kind and not only in number.
    #[must_use]
    pub(crate) fn draw(random: &mut Random) -> Self {
        let mut rate = |maximum: u32| {
            if random.chance(400) {
                u32::try_from(random.between(1, u64::from(maximum))).unwrap_or(maximum)
            } else {
                0
            }
        };
        Self {
            store_error: rate(150),
            store_lost_answer: rate(100),
            store_late_effect: rate(60),
            store_truncated_read: rate(80),
            store_flipped_read: rate(80),
            database_error: rate(150),
            database_lost_answer: rate(80),
            database_repeated: rate(200),
            keys_error: rate(150),
            network_lost: rate(150),
            slow: rate(50),
            sync_error: rate(8),
            disk_full: rate(8),
            death_in_file_operation: rate(10),
        }
    }
}

/// What is out of order altogether at the moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outages {
    /// The object store answers nothing until then, in simulated microseconds.
    pub store_until: u64,
    /// The database answers nothing until then.
    pub database_until: u64,
    /// The key service refuses until then.
    pub keys_until: u64,
    /// How it refuses.
    pub keys_trouble: KeyTrouble,
    /// The disk is full until then.
    pub disk_full_until: u64,
}

/// How a key service refuses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum KeyTrouble {
    /// It does not answer.
    #[default]
    Unavailable,
    /// The broker may not use the key.
    Denied,
    /// The key is scheduled for deletion.
    PendingDeletion,
}

impl KeyTrouble {
    /// Any of them.
    #[must_use]
    pub(crate) const fn draw(random: &mut Random) -> Self {
        match random.below(3) {
            0 => Self::Unavailable,
            1 => Self::Denied,
            _ => Self::PendingDeletion,
        }
    }
}
