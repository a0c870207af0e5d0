//! Groups at work, with time as an argument.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failing step should fail its test")]

mod members;
mod offsets;
mod random;
mod world;
