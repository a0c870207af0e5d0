//! Where work that blocks is done: in threads, or, for simulation, in the task that asks for it.

use std::future::Future;

use tokio::runtime::Handle;

/// Where an open log does its work.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Execution {
    /// The committer has a thread, and what reads files runs in the runtime's threads for blocking work.
    #[default]
    Threads,
    /// Everything runs in tasks of the runtime, so that on a runtime with one thread the order of events follows from the
    /// requests alone, and a simulation can be repeated. Files and key provider must answer without waiting.
    Tasks,
}

/// The runtime ended before the work did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cancelled;

impl Execution {
    /// Does something that blocks.
    pub(crate) async fn run<T: Send + 'static>(
        self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Cancelled> {
        match self {
            Self::Threads => tokio::task::spawn_blocking(work).await.map_err(|_ended| Cancelled),
            Self::Tasks => Ok(work()),
        }
    }

    /// Waits for a key provider, in the midst of work that blocks.
    pub(crate) fn wait<F: Future>(self, runtime: &Handle, future: F) -> F::Output {
        match self {
            Self::Threads => runtime.block_on(future),
            Self::Tasks => futures::executor::block_on(future),
        }
    }
}
