//! Making sure of partitions' bounds: one question at a time, which all who came before it was asked share.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cadastre_protocol::types::TopicPartition;
use tokio::sync::OnceCell;

use crate::error::SequencerError;

/// Questions about the newest bounds. However many ask at once, one question is under way, and one more gathers.
#[derive(Debug, Default)]
pub(crate) struct Confirmation {
    /// What the next question will be about.
    gathering: Mutex<Arc<Round>>,
    /// Held while a question is under way.
    turn: tokio::sync::Mutex<()>,
}

/// One question, and its answer.
#[derive(Debug, Default)]
struct Round {
    wanted: Mutex<BTreeSet<TopicPartition>>,
    /// Why there was no answer, for those who did not ask themselves.
    answer: OnceCell<Result<(), String>>,
}

impl Confirmation {
    /// Returns once `ask` was called, after this call, about a set of partitions that includes `partitions`. When the caller
    /// whose turn it was goes away, the next one asks in its place.
    pub(crate) async fn of<Asked>(
        &self,
        partitions: Vec<TopicPartition>,
        ask: impl FnOnce(Vec<TopicPartition>) -> Asked,
    ) -> Result<(), SequencerError>
    where
        Asked: Future<Output = Result<(), SequencerError>>,
    {
        let round = self.join(partitions);
        let mut own = None;
        let answer = round.answer.get_or_init(|| async {
            let _turn = self.turn.lock().await;
            let asked = ask(self.end(&round)).await;
            let told = asked.as_ref().copied().map_err(ToString::to_string);
            own = Some(asked);
            told
        });
        let answer = answer.await.clone();
        own.unwrap_or_else(|| answer.map_err(|reason| SequencerError::Unavailable { reason }))
    }

    /// Adds to the question that gathers.
    fn join(&self, partitions: Vec<TopicPartition>) -> Arc<Round> {
        let round = lock(&self.gathering);
        lock(&round.wanted).extend(partitions);
        Arc::clone(&round)
    }

    /// Whoever comes from now on is part of another question.
    fn end(&self, round: &Arc<Round>) -> Vec<TopicPartition> {
        let mut gathering = lock(&self.gathering);
        if Arc::ptr_eq(&gathering, round) {
            *gathering = Arc::default();
        }
        lock(&round.wanted).iter().copied().collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A poisoned lock means that a thread panicked; sets and rounds are changed in single steps.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use cadastre_protocol::types::TopicId;
    use futures::future::join_all;

    use super::*;

    fn partition(partition: i32) -> TopicPartition {
        TopicPartition { topic: TopicId([1; 16]), partition }
    }

    #[tokio::test]
    async fn however_many_ask_at_once_two_questions_are_enough() {
        let confirmation = Confirmation::default();
        let asked = Mutex::new(Vec::new());
        let ask = |wanted: Vec<TopicPartition>| {
            lock(&asked).push(wanted.len());
            async {
                tokio::time::sleep(Duration::from_millis(50)).await;
                Ok(())
            }
        };
        let first = confirmation.of(vec![partition(0)], &ask);
        let later = async {
            // The first question is under way by then.
            tokio::time::sleep(Duration::from_millis(1)).await;
            join_all((1..1000).map(|index| confirmation.of(vec![partition(index)], &ask))).await
        };
        let (first, later) = tokio::join!(first, later);
        first.unwrap();
        later.into_iter().for_each(Result::unwrap);
        assert_eq!(*lock(&asked), [1, 999], "whoever comes during a question is not answered by it");
    }

    #[tokio::test]
    async fn a_question_whose_asker_went_away_is_asked_by_the_next() {
        let confirmation = Confirmation::default();
        let asked = AtomicUsize::new(0);
        let slow = |_| async {
            asked.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(100)).await;
            Ok(())
        };
        let impatient =
            tokio::time::timeout(Duration::from_millis(1), confirmation.of(vec![partition(0)], slow));
        let patient = async {
            // Both are part of the first question: it gathers until it is asked.
            confirmation.of(vec![partition(0)], slow).await
        };
        let (impatient, patient) = tokio::join!(impatient, patient);
        assert!(impatient.is_err());
        patient.unwrap();
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn all_hear_of_a_failure_and_the_next_question_is_a_new_one() {
        let confirmation = Confirmation::default();
        let refuse = |_| async {
            tokio::task::yield_now().await;
            Err(SequencerError::Unavailable { reason: "away".to_owned() })
        };
        let all = join_all((0..3).map(|index| confirmation.of(vec![partition(index)], refuse))).await;
        assert!(all.iter().all(Result::is_err), "{all:?}");
        confirmation.of(vec![partition(0)], |_| async { Ok(()) }).await.unwrap();
    }
}
