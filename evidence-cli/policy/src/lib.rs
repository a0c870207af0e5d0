//! Controls in Rego, verdicts and waivers.
//!
//! A control is a Rego package that says what it examined and what it found. Whether that amounts to a
//! `pass` is decided here, in one place and for all controls alike: nothing passes on evidence that is
//! missing, refused, stale, cut short or unreadable. See `docs/formats/policy-input.md` for what policies
//! read, and `policies/README.md` for how to write one.
//!
//! Pure: reads no file, no clock and no network.

mod catalogue;
mod coverage;
mod embedded;
mod error;
mod evaluate;
mod framework;
mod input;
mod metadata;
mod operations;
mod policy_set;
mod rego_test;
mod verdict;
mod waiver;

pub use catalogue::{Catalogue, CatalogueEntry};
pub use coverage::{Gap, GapLevel};
pub use error::PolicyError;
pub use evaluate::{ControlError, Evaluation};
pub use framework::{Framework, Requirement};
pub use input::{PolicyInput, SCHEMA as INPUT_SCHEMA};
pub use operations::{Asked, asked};
pub use policy_set::{PolicyFile, PolicySet};
pub use rego_test::{RegoTest, RegoTestOutcome};
pub use waiver::{Waiver, finding_hash};
