//! Why a plan was refused.

/// A plan that was refused.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// More bytes than a plan is read with.
    #[error("the plan has {found} bytes, and at most {allowed} are read")]
    TooLarge {
        /// Bytes found.
        found: usize,
        /// Bytes allowed.
        allowed: usize,
    },
    /// Not JSON, nested too deeply, or an object with two members of one name.
    #[error("the plan is not the output of `terraform show -json`")]
    Json(#[from] serde_json::Error),
    /// Another format, or a version that this one does not know.
    #[error("the plan's format_version is `{found}`, and this version reads 1.x")]
    Version {
        /// What the file says; empty when it says nothing.
        found: String,
    },
    /// A state, or a plan without changes at all.
    #[error("the file has no resource_changes: print the plan with `terraform show -json PLANFILE`")]
    NoChanges,
    /// Planning itself failed, so that the plan is cut short.
    #[error("the plan says that it is errored: what it would change is not known")]
    Errored,
    /// More resources than are read.
    #[error("the plan has {found} resources, and at most {allowed} are read")]
    TooMany {
        /// Resources found.
        found: usize,
        /// Resources allowed.
        allowed: usize,
    },
    /// A member is not what the format says.
    #[error("the plan's `{pointer}` is not {expected}")]
    Shape {
        /// JSON pointer.
        pointer: String,
        /// What the format has there.
        expected: &'static str,
    },
    /// A time that is no time.
    #[error("the plan's timestamp is not a time")]
    Time(#[from] cadastre_model::time::TimestampError),
    /// A record has no canonical form.
    #[error(transparent)]
    Record(#[from] cadastre_model::record::RecordError),
}
