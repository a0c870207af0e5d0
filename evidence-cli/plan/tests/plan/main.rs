//! Plans over the recorded reference account: what each change does to the boundary, in both directions.

mod access;
mod cosmetic;
mod kafka;
mod network;
mod support;
mod symbolic;
mod verdicts;
