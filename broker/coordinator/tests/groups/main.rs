//! Groups at work, with time as an argument.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "a failing step should fail its test"
)]

mod consumer_clients;
mod consumers;
mod members;
mod migration;
mod offsets;
mod random;
mod world;
