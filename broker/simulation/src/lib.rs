//! The broker's storage under seeded faults, and a checker of what clients saw.
//!
//! A seed makes a world: brokers in embedded or cluster mode, clients, and misfortunes of disk, object store, database, key
//! service, clock, network and processes. Everything runs in one thread, and time passes only when nothing else can happen, so
//! that a seed is the same run for ever: its trace has the same fingerprint. Randomness of the cryptography decides nothing.
//!
//! What clients saw goes into a [`Ledger`], which knows what must never be: an acknowledged record lost, doubled, reordered
//! or altered; a gap in the offsets; a record read that was never committed; a deleted record read again. That the ledger notices is
//! proven by brokers that do each of these on purpose ([`Sabotage`]).
//!
//! What is not simulated: the storage's own timers (linger, heartbeats, request time-outs), which would tell the real time; the
//! network protocol; PostgreSQL, whose place the sequencer in memory takes. The process harness has them.

mod broker;
mod clients;
mod disk;
mod faults;
mod faulty_keys;
mod faulty_sequencer;
mod faulty_store;
mod ledger;
mod process;
mod random;
mod run;
mod sabotage;
mod time;
mod trace;
mod world;

pub use faults::{FaultRates, KeyTrouble, Outages};
pub use ledger::{Counts, Ledger, Violation};
pub use run::{Outcome, Plan, SimulatedMode, run};
pub use sabotage::Sabotage;
