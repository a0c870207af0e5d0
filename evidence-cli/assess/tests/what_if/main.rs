//! What-if, on the recorded reference accounts.

#[cfg(test)]
mod reference;
