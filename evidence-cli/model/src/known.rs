//! A value that evidence shows, shows to be absent, or does not show.

use serde::{Deserialize, Serialize};

/// What evidence says of one property of an asset.
///
/// Policies see it as `{"state": "observed", "value": …}`, `{"state": "absent"}` or
/// `{"state": "unknown", "value": "what is missing"}`. `Unknown` is never yes and never no.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", content = "value", rename_all = "kebab-case")]
pub enum Known<T> {
    /// A record shows the value.
    Observed(T),
    /// A record shows that there is none: the service was asked and answered so.
    Absent,
    /// No record settles it; the text names the evidence that is missing.
    Unknown(String),
}

impl<T> Known<T> {
    /// The value where one was observed.
    #[must_use]
    pub const fn observed(&self) -> Option<&T> {
        match self {
            Self::Observed(value) => Some(value),
            Self::Absent | Self::Unknown(_) => None,
        }
    }

    /// What evidence is missing, where it is.
    #[must_use]
    pub fn missing(&self) -> Option<&str> {
        match self {
            Self::Unknown(missing) => Some(missing),
            Self::Observed(_) | Self::Absent => None,
        }
    }
}
