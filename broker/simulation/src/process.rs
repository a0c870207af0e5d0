//! A process that can be stopped and killed: what it asks of the world passes through here.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::world::World;

/// One life of a broker. Cheap to clone; clones are the same process.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    world: World,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    is_dead: AtomicBool,
    paused_until: AtomicU64,
}

impl Process {
    /// A running process.
    #[must_use]
    pub(crate) fn new(world: World) -> Self {
        Self { world, state: Arc::default() }
    }

    /// Whether it was killed.
    #[must_use]
    pub(crate) fn is_dead(&self) -> bool {
        self.state.is_dead.load(Ordering::Relaxed)
    }

    /// Kills it: nothing that it asks for happens any more, and no answer reaches it.
    pub(crate) fn kill(&self) {
        self.state.is_dead.store(true, Ordering::Relaxed);
    }

    /// Stops it for a time: its requests and the answers to it wait.
    pub(crate) fn pause(&self, microseconds: u64) {
        let until = self.world.now().saturating_add(microseconds);
        self.state.paused_until.store(until, Ordering::Relaxed);
    }

    /// Every request passes here on its way out, and every answer on its way in.
    pub(crate) async fn pass(&self) {
        loop {
            if self.is_dead() {
                pending::<()>().await;
            }
            let until = self.state.paused_until.load(Ordering::Relaxed);
            let now = self.world.now();
            if now >= until {
                return;
            }
            self.world.sleep(until.saturating_sub(now)).await;
        }
    }

    /// The world that it lives in.
    #[must_use]
    pub(crate) const fn world(&self) -> &World {
        &self.world
    }
}
