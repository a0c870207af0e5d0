//! The reasons for which a collector stops. Anything a service says or fails to say is a record instead.

use cadastre_model::record::SinkError;

/// A collector could not go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CollectError {
    /// What was observed could not be kept.
    #[error(transparent)]
    Sink(#[from] SinkError),
}
