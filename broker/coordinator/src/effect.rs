//! What the coordinator wants done.

use crate::response::Response;

/// Names a parked request; the caller chooses it and gets it back with the reply, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplyToken(pub u64);

/// Names a set of records on its way to storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PersistId(pub(crate) u64);

/// A record to write, or with no value to delete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordChange {
    /// The key, unique among all records of the coordinator.
    pub key: String,
    /// The value; `None` deletes.
    pub value: Option<Vec<u8>>,
}

/// Something to do, in the order given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Send the response to the request of the token.
    Reply {
        /// Which request.
        token: ReplyToken,
        /// The response.
        response: Response,
    },
    /// Make the changes durable, all or none and in the order of the effects, then call
    /// [`GroupCoordinator::persisted`](crate::GroupCoordinator::persisted).
    Persist {
        /// What to pass to `persisted`.
        id: PersistId,
        /// The changes.
        changes: Vec<RecordChange>,
    },
}
