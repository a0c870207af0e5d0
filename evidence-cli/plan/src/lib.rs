//! Terraform plans in, evidence out: what a scan shows now, and what it would show after `apply`.
//!
//! A plan (`terraform show -json`, HashiCorp "JSON Output Format", plan representation) holds every managed
//! resource as it is and as it will be. Both are brought into the record shapes that the collectors write, and
//! their difference is laid over the evidence of a scan, so that everything that judges evidence judges the
//! plan unchanged. Values that are known only after apply stay symbols where a name is enough, and otherwise leave
//! the question unanswered: nothing is invented, and nothing passes that the plan does not show.

mod account;
mod aws;
mod azure;
mod block;
mod configuration;
mod document;
mod error;
mod kafka;
mod merge;
mod overlay;
mod parse;
mod projection;
mod resource;
mod strict;
mod symbol;
mod world;

pub use error::PlanError;
pub use parse::Plan;
pub use projection::{NotExamined, Projection, Unresolved};
