//! What long work tells its caller while it runs.

/// Receives short lines about work in progress; the command decides whether and how to show them.
pub trait Progress: Send + Sync {
    /// A unit of work began or moved on: `kms:ListGrants 12/40`.
    fn step(&self, message: &str);
    /// Something needs the user's eye but does not stop the work: a denied call, an unreachable listener.
    fn warn(&self, message: &str);
}

/// Shows nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn step(&self, _message: &str) {}
    fn warn(&self, _message: &str) {}
}
