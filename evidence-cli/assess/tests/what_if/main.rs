//! What-if, on the recorded reference accounts.

#[cfg(test)]
mod explained;
#[cfg(test)]
mod reference;
