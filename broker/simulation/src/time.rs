//! Time that passes only when nothing else can happen.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// Simulated microseconds. Cheap to clone; clones are the same time.
#[derive(Clone, Default)]
pub(crate) struct Time(Arc<Mutex<Timers>>);

#[derive(Default)]
struct Timers {
    now: u64,
    serial: u64,
    /// By moment, then first come first. Only of those who still wait: waking nobody would let time stand still.
    waiting: BTreeMap<Place, Waker>,
    /// Woken when nothing can happen any more.
    stalled: Option<Waker>,
    is_stalled: bool,
}

/// A moment, and a number that is given once.
type Place = (u64, u64);

impl Time {
    // A poisoned lock means that a task panicked, which ends the run.
    fn timers(&self) -> MutexGuard<'_, Timers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Microseconds since the run began.
    #[must_use]
    pub(crate) fn now(&self) -> u64 {
        self.timers().now
    }

    /// Waits until `microseconds` have passed.
    pub(crate) fn sleep(&self, microseconds: u64) -> Sleep {
        Sleep { time: self.clone(), until: self.now().saturating_add(microseconds), place: None }
    }

    /// Moves to the next moment for which somebody waits. To be called when every task waits.
    pub(crate) fn advance(&self) {
        let mut woken = Vec::new();
        {
            let mut timers = self.timers();
            if let Some(((at, _), first)) = timers.waiting.pop_first() {
                timers.now = timers.now.max(at);
                woken.push(first);
                let now = timers.now;
                while let Some(next) = timers.waiting.first_entry().filter(|next| next.key().0 <= now) {
                    woken.push(next.remove());
                }
            } else {
                timers.is_stalled = true;
                woken.extend(timers.stalled.take());
            }
        }
        woken.into_iter().for_each(Waker::wake);
    }

    /// Is ready when every task waits for something that will never happen.
    pub(crate) fn stalled(&self) -> Stalled {
        Stalled(self.clone())
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Time({})", self.now())
    }
}

/// See [`Time::sleep`].
#[derive(Debug)]
#[must_use = "futures do nothing unless they are awaited"]
pub(crate) struct Sleep {
    time: Time,
    until: u64,
    place: Option<Place>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let (time, until) = (self.time.clone(), self.until);
        let mut timers = time.timers();
        if timers.now >= until {
            return Poll::Ready(());
        }
        let place = *self.place.get_or_insert_with(|| {
            timers.serial = timers.serial.wrapping_add(1);
            (until, timers.serial)
        });
        timers.waiting.insert(place, context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(place) = &self.place {
            self.time.timers().waiting.remove(place);
        }
    }
}

/// See [`Time::stalled`].
#[derive(Debug)]
#[must_use = "futures do nothing unless they are awaited"]
pub(crate) struct Stalled(Time);

impl Future for Stalled {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut timers = self.0.timers();
        if timers.is_stalled {
            return Poll::Ready(());
        }
        timers.stalled = Some(context.waker().clone());
        Poll::Pending
    }
}
