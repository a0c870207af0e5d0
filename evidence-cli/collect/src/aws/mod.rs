//! The AWS collector: every read call that the controls need, in every declared account and region.
//!
//! Each call becomes a record, with the outcome it had; nothing a service does ends the scan. The shapes of
//! the records are described in `docs/formats/aws-records.md`, the calls in [`permissions`].

mod alarms;
mod call;
mod caller;
mod compute;
mod endpoints;
mod identity;
mod keys;
mod logs;
mod network;
mod organization;
mod outcome;
pub mod permissions;
mod session;
mod shape;
mod stores;
mod trails;
mod transit_gateways;

use std::error::Error;
use std::fmt;
use std::future::Future;

use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use cadastre_model::progress::Progress;
use cadastre_model::record::{RecordSink, Scope};
use cadastre_model::time::Clock;
use futures::future::{BoxFuture, try_join_all};
use futures::try_join;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

pub use aws_sdk_sts::config::Credentials;

use crate::CollectError;
use call::{Question, Recorder};
use session::Session;

/// What to scan, and as whom.
#[derive(Clone, Default)]
pub struct AwsTarget {
    /// One endpoint for all services, instead of AWS's own: a private endpoint, or an emulator.
    pub endpoint_url: Option<String>,
    /// The profile of the shared AWS configuration to sign in with.
    pub profile: Option<String>,
    /// Credentials to sign in with, instead of those of the environment and the profile.
    pub credentials: Option<Credentials>,
    /// The regions to scan; the first is also where global services are asked.
    pub regions: Vec<String>,
    /// The accounts to scan; when empty, the one that the credentials belong to.
    pub accounts: Vec<AccountTarget>,
}

impl fmt::Debug for AwsTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsTarget")
            .field("endpoint_url", &self.endpoint_url)
            .field("profile", &self.profile)
            .field("credentials", &self.credentials.as_ref().map(|_| "redacted"))
            .field("regions", &self.regions)
            .field("accounts", &self.accounts)
            .finish()
    }
}

/// An account to scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountTarget {
    /// Twelve digits.
    pub id: String,
    /// The role to assume in it; without one, the credentials must belong to the account.
    pub role_arn: Option<String>,
    /// What the role's trust policy asks for.
    pub external_id: Option<String>,
}

/// Scans everything the target names and keeps a record of every call.
///
/// Ends early, with what it has, when `cancelled` is: the caller marks the evidence as incomplete.
///
/// # Errors
/// When a record cannot be kept. Whatever a service does is a record and no error.
pub async fn collect(
    target: &AwsTarget,
    sink: &dyn RecordSink,
    clock: &dyn Clock,
    progress: &dyn Progress,
    cancelled: &CancellationToken,
) -> Result<(), CollectError> {
    let recorder = Recorder::new(sink, clock, progress, cancelled);
    let session = Session::of_caller(target).await;
    let accounts = caller::accounts(&recorder, &session, target).await?;
    try_join_all(accounts.iter().map(|account| collect_account(account, &target.regions))).await?;
    Ok(())
}

async fn collect_account(account: &Account<'_>, regions: &[String]) -> Result<(), CollectError> {
    try_join!(
        Box::pin(identity::collect(account)),
        Box::pin(organization::collect(account)),
        Box::pin(stores::collect(account)),
        Box::pin(trails::collect(account, regions)),
        try_join_all(regions.iter().map(|region| collect_region(account, region))),
    )?;
    Ok(())
}

async fn collect_region(account: &Account<'_>, region: &str) -> Result<(), CollectError> {
    try_join!(
        Box::pin(keys::collect(account, region)),
        Box::pin(network::collect(account, region)),
        Box::pin(endpoints::collect(account, region)),
        Box::pin(compute::collect(account, region)),
        Box::pin(logs::collect(account, region)),
        Box::pin(alarms::collect(account, region)),
    )?;
    Ok(())
}

/// An account under scan: whose it is, who asks, and with which credentials.
struct Account<'a> {
    recorder: &'a Recorder<'a>,
    session: Session,
    id: String,
    /// `aws`, `aws-cn`, …
    partition: String,
    /// The ARN that asks; empty when it could not be learnt.
    caller: String,
}

impl Account<'_> {
    /// A question about the whole account.
    fn whole(&self, operation: &'static str) -> Question {
        let scope = Scope::account(&self.id);
        Question { operation, subject: scope.to_string(), scope, request: json!({}) }
    }

    /// A question about the account in one region.
    fn whole_in(&self, region: &str, operation: &'static str) -> Question {
        let scope = Scope::region(&self.id, region);
        Question { operation, subject: scope.to_string(), scope, request: json!({}) }
    }

    /// A question about one thing that is in no region.
    fn about(&self, operation: &'static str, subject: impl Into<String>, request: Value) -> Question {
        Question { operation, scope: Scope::account(&self.id), subject: subject.into(), request }
    }

    /// A question about one thing in a region.
    fn about_in(
        &self,
        region: &str,
        operation: &'static str,
        subject: impl Into<String>,
        request: Value,
    ) -> Question {
        Question { operation, scope: Scope::region(&self.id, region), subject: subject.into(), request }
    }

    /// The ARN of something in EC2, as the service authorization reference writes it.
    fn ec2_arn(&self, region: &str, resource: &str) -> String {
        format!("arn:{}:ec2:{region}:{}:{resource}", self.partition, self.id)
    }

    /// The ARN of an image or a snapshot: these carry no account.
    fn ec2_public_arn(&self, region: &str, resource: &str) -> String {
        format!("arn:{}:ec2:{region}::{resource}", self.partition)
    }

    /// See [`Recorder::ask`]. Boxed, as the futures of the SDK are large and many of them are joined.
    fn ask<'f, T, E>(
        &'f self,
        question: Question,
        answer: impl Future<Output = Result<T, SdkError<E>>> + Send + 'f,
        shape: impl FnOnce(&T) -> Value + Send + 'f,
    ) -> BoxFuture<'f, Result<Option<T>, CollectError>>
    where
        T: Send + Sync + 'f,
        E: ProvideErrorMetadata + Error + Send + 'static,
    {
        Box::pin(self.recorder.ask(&self.caller, question, answer, shape))
    }

    /// See [`Recorder::ask_pages`].
    fn ask_pages<'f, T, E, F>(
        &'f self,
        question: Question,
        fetch: impl FnMut(Option<String>) -> F + Send + 'f,
        next: impl Fn(&T) -> Option<&str> + Send + Sync + 'f,
        shape: impl Fn(&T) -> Value + Send + Sync + 'f,
    ) -> BoxFuture<'f, Result<Vec<T>, CollectError>>
    where
        T: Send + Sync + 'f,
        F: Future<Output = Result<T, SdkError<E>>> + Send + 'f,
        E: ProvideErrorMetadata + Error + Send + 'static,
    {
        Box::pin(self.recorder.ask_pages(&self.caller, question, fetch, next, shape))
    }
}
