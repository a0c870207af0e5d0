//! What the broker reads from strangers, as targets of a coverage-guided fuzzer.
//!
//! Each module is one target: `run` takes an input and returns, or panics when a promise is broken. `fuzz_targets/` gives them to
//! libFuzzer, `cargo xtask fuzz broker` builds and runs those, and `corpus/` keeps the inputs that reached something new; the crate's
//! test runs every one of them again.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a target says what is wrong by a panic, and sets itself up or ends"
)]

#[cfg(feature = "broker")]
pub mod connection;
pub mod decompression;
#[cfg(feature = "broker")]
pub mod dispatch;
#[cfg(feature = "broker")]
mod host;
pub mod record_batches;
pub mod requests;
pub mod sasl;
pub mod tls;

/// A target: its name, which is also its corpus' folder, and what runs an input.
pub type Target = (&'static str, fn(&[u8]));

/// Every target, in the order in which they are listed.
pub const TARGETS: &[Target] = &[
    ("requests", requests::run),
    ("record_batches", record_batches::run),
    ("decompression", decompression::run),
    ("sasl", sasl::run),
    ("tls", tls::run),
    #[cfg(feature = "broker")]
    ("connection", connection::run),
    #[cfg(feature = "broker")]
    ("dispatch", dispatch::run),
];
