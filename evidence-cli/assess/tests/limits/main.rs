//! Accounts beyond what is told one by one.

#[cfg(test)]
mod ways;
