//! Plans over the recorded reference account: what each change does to the boundary, in both directions.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on says so by panicking"
)]

mod access;
mod azure;
mod capabilities;
mod cosmetic;
mod kafka;
mod network;
mod support;
mod symbolic;
mod verdicts;
