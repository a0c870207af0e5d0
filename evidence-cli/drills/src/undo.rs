//! What a drill has to put back, whether it ends well, fails or is interrupted.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::outcome::CleanUp;

/// The longest that putting one thing back may take.
const PATIENCE: Duration = Duration::from_secs(90);

type Action = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

struct Step {
    what: String,
    action: Action,
}

/// Steps to undo, run backwards. They are kept apart from the drill's own future, which an interruption drops.
#[derive(Clone, Default)]
pub(crate) struct Undo {
    steps: Arc<Mutex<Vec<Step>>>,
}

impl std::fmt::Debug for Undo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        f.debug_list().entries(steps.iter().map(|step| &step.what)).finish()
    }
}

impl Undo {
    /// Registers a step *before* what it undoes is done. It has to do no harm where nothing was done.
    pub(crate) fn register<F, E>(&self, what: &str, action: F)
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: std::error::Error,
    {
        let mut steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        let action = Box::pin(async move { action.await.map_err(|error| chain(&error)) });
        steps.push(Step { what: what.to_owned(), action });
    }

    /// Runs every step, the last one first. A step that fails does not keep the others from being tried.
    pub(crate) async fn run(&self) -> Vec<CleanUp> {
        let mut done = Vec::new();
        loop {
            let next = self.steps.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some(step) = next else { return done };
            let result = tokio::time::timeout(PATIENCE, step.action)
                .await
                .unwrap_or_else(|_elapsed| Err(format!("not done within {} s", PATIENCE.as_secs())));
            let seen = result.err().unwrap_or_default();
            done.push(CleanUp { what: step.what, done: seen.is_empty(), seen });
        }
    }
}

/// An error with everything that caused it, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let next = cause.to_string();
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn steps_run_backwards_and_one_that_fails_stops_no_other() {
        let undo = Undo::default();
        let order = Arc::new(Mutex::new(Vec::new()));
        for (number, fails) in [(1, false), (2, true), (3, false)] {
            let order = Arc::clone(&order);
            undo.register(&format!("step {number}"), async move {
                order.lock().unwrap().push(number);
                if fails { Err(std::io::Error::other("refused")) } else { Ok(()) }
            });
        }
        let done = undo.run().await;
        assert_eq!(*order.lock().unwrap(), [3, 2, 1]);
        assert_eq!(done.iter().map(|step| step.done).collect::<Vec<_>>(), [true, false, true]);
        assert_eq!(done[1].seen, "refused");
    }
}
