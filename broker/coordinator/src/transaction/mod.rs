//! Transactions as a state machine (KIP-98, KIP-360, KIP-890): what is known of a transactional id and a request in, what is
//! known from now on and the answer out. No step depends on who takes it; whoever does commits the outcome only if
//! what is known is still what it was.

mod end;
mod error;
mod initialize;
mod record;
mod state;
#[expect(clippy::module_inception, reason = "the transaction beside what happens to it")]
mod transaction;

pub use end::{End, Ended};
pub use error::TransactionError;
pub use initialize::{Initialize, Initialized};
pub use state::TransactionState;
pub use transaction::{ProducerIdentity, Transaction};
