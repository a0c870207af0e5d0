//! The shape of a bill: what the evidence shows that is paid for, what brokers counted, and what two designs cost with it.
//!
//! Records of one deployment are kept either as objects in a shared store or on disks of brokers that copy them to each other.
//! [`shape`] prices both over throughput and retention, from a price file that its user replaces ([`Prices`]) and from the
//! counts that brokers serve. Whole numbers only, so that the same evidence gives the same bytes.

mod amount;
mod designs;
mod observed;
mod prices;
mod shape;
mod units;

pub use prices::{Prices, PricesError};
pub use shape::{CostError, shape};
