//! Makes one call, or all pages of one, and keeps a record of every answer and of every want of one.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::future::Future;
use std::sync::{Mutex, PoisonError};

use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use cadastre_model::progress::Progress;
use cadastre_model::record::{Observation, Outcome, Page, RecordSink, Scope};
use cadastre_model::time::Clock;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::outcome::{self, Failure, Hint};
use crate::CollectError;

/// How many calls may be under way at once.
pub(super) const IN_FLIGHT: usize = 16;

/// Members on a page of an EC2 list: within the limits of every one.
pub(super) const PAGE: i32 = 100;

/// All pages of an EC2 list: `list!(account, region, client, "ec2:Operation", call, "Member", items, shape)`.
macro_rules! list {
    ($account:expr, $region:expr, $client:expr, $operation:literal, $call:ident, $member:literal, $items:ident, $shape:expr) => {
        $account.ask_pages(
            $account.whole_in($region, $operation),
            |token| $client.$call().max_results($crate::aws::call::PAGE).set_next_token(token).send(),
            |page| page.next_token(),
            |page| $crate::aws::shape::Object::new().list($member, page.$items(), $shape).build(),
        )
    };
}
pub(super) use list;

/// The most pages that are read of one answer.
const MAXIMUM_PAGES: u32 = 10_000;

/// The name under which records are kept.
const COLLECTOR: &str = "aws";

/// What every call of a scan shares.
pub(super) struct Recorder<'a> {
    sink: &'a dyn RecordSink,
    clock: &'a dyn Clock,
    progress: &'a dyn Progress,
    cancelled: &'a CancellationToken,
    permits: Semaphore,
    /// What a person was already told.
    warned: Mutex<BTreeSet<String>>,
    /// Whether a service in a place has ever answered; absent until the first call ends.
    answered: Mutex<BTreeMap<String, bool>>,
}

/// One call's operation, place, subject and parameters.
#[derive(Debug, Clone)]
pub(super) struct Question {
    /// `service:Operation`.
    pub(super) operation: &'static str,
    /// Where.
    pub(super) scope: Scope,
    /// What about.
    pub(super) subject: String,
    /// The parameters.
    pub(super) request: Value,
}

impl Question {
    fn service(&self) -> &'static str {
        self.operation.split_once(':').map_or(self.operation, |(service, _)| service)
    }

    fn place(&self) -> String {
        format!("{} in {}", self.service(), self.scope)
    }
}

impl<'a> Recorder<'a> {
    pub(super) fn new(
        sink: &'a dyn RecordSink,
        clock: &'a dyn Clock,
        progress: &'a dyn Progress,
        cancelled: &'a CancellationToken,
    ) -> Self {
        Self {
            sink,
            clock,
            progress,
            cancelled,
            permits: Semaphore::new(IN_FLIGHT),
            warned: Mutex::default(),
            answered: Mutex::default(),
        }
    }

    /// The clock that dates the records.
    pub(super) fn clock(&self) -> &dyn Clock {
        self.clock
    }

    /// Whether the user stopped the scan.
    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.is_cancelled()
    }

    /// Tells a person something once.
    pub(super) fn warn_once(&self, key: String, message: &str) {
        if self.warned.lock().unwrap_or_else(PoisonError::into_inner).insert(key) {
            self.progress.warn(message);
        }
    }

    /// Asks once, keeps the record, and hands the answer on; `None` when there was none.
    pub(super) async fn ask<T, E>(
        &self,
        caller: &str,
        question: Question,
        answer: impl Future<Output = Result<T, SdkError<E>>>,
        shape: impl FnOnce(&T) -> Value,
    ) -> Result<Option<T>, CollectError>
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        match self.attempt(&question, answer).await {
            Attempt::Skipped => Ok(None),
            Attempt::Answer(answer) => {
                self.keep(caller, &question, shape(&answer), Page::ONLY)?;
                Ok(Some(answer))
            }
            Attempt::Failure(failure) => {
                self.keep_failure(caller, &question, failure, Page::ONLY)?;
                Ok(None)
            }
        }
    }

    /// Asks for page after page, keeps a record of each, and hands on those that came.
    pub(super) async fn ask_pages<T, E, F>(
        &self,
        caller: &str,
        question: Question,
        mut fetch: impl FnMut(Option<String>) -> F,
        next: impl Fn(&T) -> Option<&str>,
        shape: impl Fn(&T) -> Value,
    ) -> Result<Vec<T>, CollectError>
    where
        F: Future<Output = Result<T, SdkError<E>>>,
        E: ProvideErrorMetadata + Error + 'static,
    {
        let mut pages = Vec::new();
        let mut token: Option<String> = None;
        let mut seen = BTreeSet::new();
        for number in 1..=MAXIMUM_PAGES {
            let answer = match self.attempt(&question, fetch(token.take())).await {
                // Later pages of an answer that was begun are owed a record even when nobody asks for them.
                Attempt::Skipped if number > 1 => {
                    self.keep_failure(caller, &question, interrupted(), Page { number, last: false })?;
                    break;
                }
                Attempt::Skipped => break,
                Attempt::Failure(failure) if number == 1 => {
                    self.keep_failure(caller, &question, failure, Page::ONLY)?;
                    break;
                }
                Attempt::Failure(failure) => {
                    self.keep_failure(
                        caller,
                        &question,
                        failure.on_later_page(),
                        Page { number, last: false },
                    )?;
                    break;
                }
                Attempt::Answer(answer) => answer,
            };
            token = next(&answer).filter(|token| !token.is_empty()).map(str::to_owned);
            let last = token.is_none();
            self.keep(caller, &question, shape(&answer), Page { number, last })?;
            pages.push(answer);
            let Some(named) = &token else { break };
            if !seen.insert(named.clone()) || number == MAXIMUM_PAGES {
                let failure = Failure::new(
                    Outcome::Truncated,
                    outcome::PAGE_LOOP,
                    "the service names a next page that it already gave, or more pages than anyone could need",
                );
                let page = Page { number: number.saturating_add(1), last: false };
                self.keep_failure(caller, &question, failure, page)?;
                break;
            }
        }
        Ok(pages)
    }

    /// Makes the call, unless the scan was stopped or the service never answers.
    pub(super) async fn attempt<T, E>(
        &self,
        question: &Question,
        answer: impl Future<Output = Result<T, SdkError<E>>>,
    ) -> Attempt<T>
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let permit = tokio::select! {
            biased;
            () = self.cancelled.cancelled() => return Attempt::Skipped,
            permit = self.permits.acquire() => permit,
        };
        let place = question.place();
        if self.answered().get(&place) == Some(&false) {
            return Attempt::Failure(Failure::new(
                Outcome::Failed,
                outcome::NOT_TRIED,
                format!("{place} never answered"),
            ));
        }
        self.progress.step(&format!("{} {}", question.operation, question.subject));
        let result = tokio::select! {
            biased;
            () = self.cancelled.cancelled() => return Attempt::Failure(interrupted()),
            result = answer => result,
        };
        drop(permit);
        match result {
            Ok(answer) => {
                self.answered().insert(place, true);
                Attempt::Answer(answer)
            }
            Err(error) => {
                let failure = outcome::classify(&error);
                if failure.is_silence() {
                    self.answered().entry(place).or_insert(false);
                } else {
                    self.answered().insert(place, true);
                }
                Attempt::Failure(failure)
            }
        }
    }

    fn answered(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, bool>> {
        self.answered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the record of an answer.
    pub(super) fn keep(
        &self,
        caller: &str,
        question: &Question,
        response: Value,
        page: Page,
    ) -> Result<(), CollectError> {
        self.put(caller, question, response, page, None)
    }

    /// Keeps the record of a call that was not answered, and tells a person.
    pub(super) fn keep_failure(
        &self,
        caller: &str,
        question: &Question,
        failure: Failure,
        page: Page,
    ) -> Result<(), CollectError> {
        self.tell(question, &failure, page);
        self.put(caller, question, Value::Null, page, Some(failure))
    }

    fn put(
        &self,
        caller: &str,
        question: &Question,
        response: Value,
        page: Page,
        failure: Option<Failure>,
    ) -> Result<(), CollectError> {
        let outcome = failure.as_ref().map_or(Outcome::Observed, |failure| failure.outcome);
        self.sink.put(Observation {
            collector: COLLECTOR.to_owned(),
            operation: question.operation.to_owned(),
            scope: question.scope.clone(),
            subject: question.subject.clone(),
            caller: caller.to_owned(),
            observed_at: self.clock.now(),
            outcome,
            request: question.request.clone(),
            response,
            problem: failure.map(|failure| failure.problem),
            page,
        })?;
        Ok(())
    }

    /// One line for each kind of trouble, however many calls run into it.
    fn tell(&self, question: &Question, failure: &Failure, page: Page) {
        let Failure { outcome, problem } = failure;
        let (code, message) = (&problem.code, &problem.message);
        let (operation, place) = (question.operation, question.place());
        let account = question.scope.account.as_deref().unwrap_or("an unknown account");
        match (outcome, failure.hint()) {
            (Outcome::Absent | Outcome::Observed, _) => {}
            (_, Hint::Expired) => self.warn_once(
                format!("expired {account}"),
                &format!(
                    "the credentials for {account} have expired ({code}): sign in again and repeat the scan"
                ),
            ),
            (_, Hint::Refused) => self.warn_once(
                format!("refused {account}"),
                &format!("the credentials for {account} were not accepted ({code}): {message}"),
            ),
            (_, Hint::Skewed) => self.warn_once(
                format!("skewed {account}"),
                &format!(
                    "this machine's clock differs from the service's ({code}): set it and repeat the scan"
                ),
            ),
            (Outcome::Denied, Hint::None) => self.warn_once(
                format!("denied {operation} {}", question.scope),
                &format!("{operation} in {} was denied ({code}): {message}", question.scope),
            ),
            (_, Hint::None) if code == outcome::NOT_TRIED || code == outcome::INTERRUPTED => {}
            (_, Hint::None) if failure.is_silence() => self.warn_once(
                format!("silent {place}"),
                &format!("{place} cannot be reached ({code}): {message}"),
            ),
            (_, Hint::None) if page.number > 1 => self.warn_once(
                format!("page {operation} {} {code}", question.scope),
                &format!(
                    "page {} of {operation} on {} is missing ({code}): {message}",
                    page.number, question.subject
                ),
            ),
            (_, Hint::None) => self.warn_once(
                format!("failed {operation} {} {code}", question.scope),
                &format!("{operation} on {} failed ({code}): {message}", question.subject),
            ),
        }
    }
}

/// How a call ended.
pub(super) enum Attempt<T> {
    /// With an answer.
    Answer(T),
    /// Without one.
    Failure(Failure),
    /// Not even asked: the scan was stopped before.
    Skipped,
}

fn interrupted() -> Failure {
    Failure::new(Outcome::Truncated, outcome::INTERRUPTED, "the scan was stopped")
}
