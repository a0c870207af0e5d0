//! Makes one call, or all pages of one, and keeps a record of every answer and of every want of one.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use cadastre_model::azure_answer::without_secrets;
use cadastre_model::progress::Progress;
use cadastre_model::record::{Observation, Outcome, Page, Problem, RecordSink, Scope};
use cadastre_model::time::Clock;
use reqwest::header::AUTHORIZATION;
use reqwest::{Client, Method};
use serde_json::{Map, Value, json};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::http::{self, Reply};
use super::token::Token;
use crate::CollectError;

/// How many calls may be under way at once.
const IN_FLIGHT: usize = 8;
/// The most pages that are read of one answer.
const MAXIMUM_PAGES: u32 = 10_000;
const COLLECTOR: &str = "azure";

/// What is asked.
#[derive(Debug, Clone)]
pub(super) struct Question {
    pub(super) operation: &'static str,
    pub(super) subject: String,
    /// The path below the endpoint.
    pub(super) path: String,
    pub(super) version: &'static str,
    /// Whether it is put as a POST, whose pages are asked for by a token in the body.
    pub(super) post: bool,
    /// Whether it is about one thing, which may be gone.
    pub(super) thing: bool,
}

/// What every call of a scan shares.
pub(super) struct Recorder<'a> {
    pub(super) sink: &'a dyn RecordSink,
    pub(super) clock: &'a dyn Clock,
    pub(super) progress: &'a dyn Progress,
    pub(super) cancelled: &'a CancellationToken,
    permits: Semaphore,
    warned: Mutex<BTreeSet<String>>,
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
        }
    }

    fn warn_once(&self, key: String, message: &str) {
        if self.warned.lock().unwrap_or_else(PoisonError::into_inner).insert(key) {
            self.progress.warn(message);
        }
    }
}

/// A subscription under scan: as whom, and where.
pub(super) struct Session<'a> {
    pub(super) recorder: &'a Recorder<'a>,
    pub(super) client: &'a Client,
    /// Without a slash at its end.
    pub(super) endpoint: &'a str,
    pub(super) token: Result<Token, String>,
    pub(super) subscription: String,
}

/// Why there is no answer.
struct Refusal {
    outcome: Outcome,
    code: String,
    message: String,
}

impl Refusal {
    fn new(outcome: Outcome, code: &str, message: impl Into<String>) -> Self {
        Self { outcome, code: code.to_owned(), message: message.into() }
    }
}

impl Session<'_> {
    /// Asks for page after page, keeps a record of each, and hands on those that came.
    pub(super) async fn ask(&self, question: &Question) -> Result<Vec<Value>, CollectError> {
        let mut pages = Vec::new();
        let separator = if question.path.contains('?') { '&' } else { '?' };
        let mut url =
            format!("{}{}{separator}api-version={}", self.endpoint, question.path, question.version);
        let mut body = question.post.then(|| json!({}));
        let mut seen = BTreeSet::new();
        for number in 1..=MAXIMUM_PAGES {
            let later = number > 1;
            if self.recorder.cancelled.is_cancelled() {
                if later {
                    let refusal = Refusal::new(Outcome::Truncated, "interrupted", "the scan was stopped");
                    self.refuse(question, refusal, number)?;
                }
                break;
            }
            let answer = match self.page(question, &url, body.as_ref()).await {
                Ok(answer) => answer,
                Err(mut refusal) => {
                    if later {
                        refusal.outcome = Outcome::Truncated;
                    }
                    self.refuse(question, refusal, number)?;
                    break;
                }
            };
            let (answer, next) = split(answer, question.post);
            let page = Page { number, last: next.is_none() };
            self.put(question, Outcome::Observed, answer.clone(), None, page)?;
            pages.push(answer);
            let Some(next) = next else { break };
            let problem = if !seen.insert(next.clone()) || number == MAXIMUM_PAGES {
                Some((
                    "page-loop",
                    "the service names a page that it already gave, or more than anyone needs",
                ))
            } else if question.post {
                body = Some(json!({"skipToken": next}));
                None
            } else if next.strip_prefix(self.endpoint).is_some_and(|rest| rest.starts_with('/')) {
                url = next;
                None
            } else {
                // The token is for this endpoint alone.
                Some(("page-loop", "the service names a page at another address"))
            };
            if let Some((code, message)) = problem {
                self.refuse(question, Refusal::new(Outcome::Truncated, code, message), number + 1)?;
                break;
            }
        }
        Ok(pages)
    }

    async fn page(
        &self,
        question: &Question,
        url: &str,
        body: Option<&Value>,
    ) -> Result<Map<String, Value>, Refusal> {
        let token = match &self.token {
            Ok(token) => token,
            Err(missing) => return Err(Refusal::new(Outcome::Failed, "no-credentials", missing.clone())),
        };
        let Ok(_permit) = self.recorder.permits.acquire().await else {
            return Err(Refusal::new(Outcome::Truncated, "interrupted", "the scan was stopped"));
        };
        self.recorder.progress.step(&format!("{} {}", question.operation, question.subject));
        let method = if body.is_some() { Method::POST } else { Method::GET };
        let mut request = self
            .client
            .request(method, url)
            .header(AUTHORIZATION, token.bearer().as_str())
            .header("accept", "application/json");
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let sent = tokio::select! {
            biased;
            () = self.recorder.cancelled.cancelled() => {
                return Err(Refusal::new(Outcome::Truncated, "interrupted", "the scan was stopped"));
            }
            sent = http::send(request) => sent,
        };
        let reply = sent.map_err(|silence| Refusal::new(Outcome::Failed, silence.code, silence.message))?;
        read(&reply, question.thing)
    }

    fn refuse(&self, question: &Question, refusal: Refusal, number: u32) -> Result<(), CollectError> {
        let Refusal { outcome, code, message } = refusal;
        let told = match outcome {
            Outcome::Absent | Outcome::Observed => None,
            Outcome::Denied => Some("was denied"),
            Outcome::Failed => Some("failed"),
            Outcome::Truncated => Some("was cut short"),
        };
        if let Some(told) = told {
            let key = format!("{} {} {code}", question.operation, self.subscription);
            let operation = question.operation;
            let text = format!("{operation} in {} {told} ({code}): {message}", self.subscription);
            self.recorder.warn_once(key, &text);
        }
        let page = if number == 1 { Page::ONLY } else { Page { number, last: false } };
        self.put(question, outcome, Value::Null, Some(Problem { code, message }), page)
    }

    fn put(
        &self,
        question: &Question,
        outcome: Outcome,
        response: Value,
        problem: Option<Problem>,
        page: Page,
    ) -> Result<(), CollectError> {
        self.recorder.sink.put(Observation {
            collector: COLLECTOR.to_owned(),
            operation: question.operation.to_owned(),
            scope: Scope::account(&self.subscription),
            subject: question.subject.clone(),
            caller: self.token.as_ref().map(Token::caller).unwrap_or_default(),
            observed_at: self.recorder.clock.now().truncated_to_seconds(),
            outcome,
            request: json!({"api-version": question.version}),
            response,
            problem,
            page,
        })?;
        Ok(())
    }
}

/// An answer without its link to the next page, and that link.
fn split(mut answer: Map<String, Value>, post: bool) -> (Value, Option<String>) {
    let link = answer.remove("nextLink");
    let token = answer.remove("skipToken");
    let next = if post { token } else { link };
    let next = next.and_then(|next| next.as_str().filter(|text| !text.is_empty()).map(str::to_owned));
    (Value::Object(answer), next)
}

fn read(reply: &Reply, thing: bool) -> Result<Map<String, Value>, Refusal> {
    let parsed: Result<Value, _> = serde_json::from_slice(&reply.body);
    if reply.status == 200 {
        let value =
            parsed.map_err(|error| Refusal::new(Outcome::Failed, "not-an-answer", error.to_string()))?;
        let value = without_secrets(value)
            .map_err(|error| Refusal::new(Outcome::Failed, "not-an-answer", error.to_string()))?;
        return match value {
            Value::Object(members) => Ok(members),
            _ => Err(Refusal::new(Outcome::Failed, "not-an-answer", "the answer is no JSON object")),
        };
    }
    let error = parsed.unwrap_or_default();
    let member =
        |name: &str| error.pointer(&format!("/error/{name}")).and_then(Value::as_str).map(str::to_owned);
    let code = member("code");
    let message = member("message").unwrap_or_default();
    let message: String = message.chars().filter(|c| !c.is_control()).take(300).collect();
    let named = code.clone().unwrap_or_else(|| format!("status-{}", reply.status));
    let outcome = match (reply.status, code.as_deref()) {
        (401 | 403, _) => Outcome::Denied,
        // A provider that nobody registered has made nothing.
        (_, Some("MissingSubscriptionRegistration")) => Outcome::Absent,
        (404, _) if thing => Outcome::Absent,
        _ => Outcome::Failed,
    };
    let named = if reply.status == 429 { "throttled".to_owned() } else { named };
    Err(Refusal { outcome, code: named, message })
}
