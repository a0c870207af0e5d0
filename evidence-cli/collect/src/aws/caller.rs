//! Who asks: the caller's identity, and the roles assumed in further accounts (STS).

use aws_sdk_sts::config::{Credentials, ProvideCredentials};
use aws_sdk_sts::operation::assume_role::AssumeRoleOutput;
use aws_sdk_sts::operation::get_caller_identity::GetCallerIdentityOutput;
use aws_sdk_sts::primitives::{DateTime, DateTimeFormat};
use cadastre_model::record::{Outcome, Page, Scope};
use serde_json::{Value, json};

use super::call::{Attempt, Question, Recorder};
use super::outcome::{self, Failure};
use super::session::Session;
use super::shape::Object;
use super::{Account, AccountTarget, AwsTarget};
use crate::CollectError;

/// The name of the sessions this tool opens.
const SESSION_NAME: &str = "cadastre";

/// By how many seconds the two clocks may differ before a person is told; signatures stand 300.
const TOLERATED_SKEW: i64 = 240;

/// Stands for an account whose number could not be learnt.
const UNKNOWN: &str = "unknown";

struct Identity {
    account: String,
    arn: String,
}

/// Signs in to every account of the target; what does not work is recorded and left out.
pub(super) async fn accounts<'a>(
    recorder: &'a Recorder<'a>,
    session: &Session,
    target: &AwsTarget,
) -> Result<Vec<Account<'a>>, CollectError> {
    if !has_credentials(recorder, session, target).await? {
        return Ok(Vec::new());
    }
    let expected = target.accounts.iter().find(|account| account.role_arn.is_none()).map(|a| a.id.as_str());
    let identity = identity(recorder, session, expected, "").await?;
    if target.accounts.is_empty() {
        let id = identity.as_ref().map_or(UNKNOWN, |identity| &identity.account).to_owned();
        return Ok(vec![signed_in(recorder, session.clone(), id, identity.as_ref())]);
    }
    let mut accounts = Vec::new();
    for declared in &target.accounts {
        let account = match &declared.role_arn {
            Some(role) => assume(recorder, session, declared, role, identity.as_ref()).await?,
            None => own(recorder, session, declared, identity.as_ref())?,
        };
        accounts.extend(account);
    }
    Ok(accounts)
}

async fn has_credentials(
    recorder: &Recorder<'_>,
    session: &Session,
    target: &AwsTarget,
) -> Result<bool, CollectError> {
    let message = match session.credentials() {
        Some(provider) => match provider.provide_credentials().await {
            Ok(_) => return Ok(true),
            Err(error) => outcome::cause(&error),
        },
        None => "no source of credentials is configured".to_owned(),
    };
    let account = target.accounts.first().map_or(UNKNOWN, |account| account.id.as_str());
    let question = question("sts:GetCallerIdentity", account);
    let failure = Failure::new(Outcome::Failed, outcome::NO_CREDENTIALS, message);
    recorder.keep_failure("", &question, failure, Page::ONLY)?;
    Ok(false)
}

/// The account that the credentials belong to.
fn own<'a>(
    recorder: &'a Recorder<'a>,
    session: &Session,
    declared: &AccountTarget,
    identity: Option<&Identity>,
) -> Result<Option<Account<'a>>, CollectError> {
    match identity {
        Some(identity) if identity.account != declared.id => {
            let question = question("sts:AssumeRole", &declared.id);
            let message = format!(
                "no role to assume is declared for account {}, and the credentials belong to {}",
                declared.id, identity.account
            );
            let failure = Failure::new(Outcome::Failed, outcome::NO_ROLE, message);
            recorder.keep_failure(&identity.arn, &question, failure, Page::ONLY)?;
            Ok(None)
        }
        _ => Ok(Some(signed_in(recorder, session.clone(), declared.id.clone(), identity))),
    }
}

/// An account reached through a role.
async fn assume<'a>(
    recorder: &'a Recorder<'a>,
    session: &Session,
    declared: &AccountTarget,
    role: &str,
    caller: Option<&Identity>,
) -> Result<Option<Account<'a>>, CollectError> {
    let question = Question {
        operation: "sts:AssumeRole",
        scope: Scope::account(&declared.id),
        subject: role.to_owned(),
        request: json!({
            "RoleArn": role,
            "RoleSessionName": SESSION_NAME,
            "ExternalId": declared.external_id.is_some(),
        }),
    };
    let answer = session
        .sts()
        .assume_role()
        .role_arn(role)
        .role_session_name(SESSION_NAME)
        .set_external_id(declared.external_id.clone())
        .send();
    let arn = caller.map_or("", |identity| &identity.arn);
    let Some(answer) = recorder.ask(arn, question.clone(), answer, assumed_role_json).await? else {
        return Ok(None);
    };
    let Some(granted) = answer.credentials() else {
        let failure =
            Failure::new(Outcome::Failed, outcome::NOT_AN_ANSWER, "the answer holds no credentials");
        let question = Question { operation: "sts:GetCallerIdentity", ..question };
        recorder.keep_failure(arn, &question, failure, Page::ONLY)?;
        return Ok(None);
    };
    let session = session.with_credentials(Credentials::new(
        granted.access_key_id(),
        granted.secret_access_key(),
        Some(granted.session_token().to_owned()),
        std::time::SystemTime::try_from(*granted.expiration()).ok(),
        "assumed-role",
    ));
    let fallback = answer.assumed_role_user().map_or("", |user| user.arn());
    match identity(recorder, &session, Some(&declared.id), fallback).await? {
        Some(identity) if identity.account != declared.id => {
            let message = format!("role {role} belongs to account {}, not {}", identity.account, declared.id);
            let failure = Failure::new(Outcome::Failed, outcome::WRONG_ACCOUNT, message);
            let question = Question { operation: "sts:GetCallerIdentity", ..question };
            recorder.keep_failure(&identity.arn, &question, failure, Page::ONLY)?;
            Ok(None)
        }
        identity => {
            let identity = identity
                .unwrap_or_else(|| Identity { account: declared.id.clone(), arn: fallback.to_owned() });
            Ok(Some(signed_in(recorder, session, declared.id.clone(), Some(&identity))))
        }
    }
}

/// Asks who the credentials stand for. The record's scope is the account that was learnt.
async fn identity(
    recorder: &Recorder<'_>,
    session: &Session,
    expected: Option<&str>,
    caller: &str,
) -> Result<Option<Identity>, CollectError> {
    let asked = question("sts:GetCallerIdentity", expected.unwrap_or(UNKNOWN));
    let sts = session.sts();
    match recorder.attempt(&asked, sts.get_caller_identity().send()).await {
        Attempt::Answer(answer) => {
            let account = answer.account().unwrap_or(UNKNOWN).to_owned();
            let arn = answer.arn().unwrap_or_default().to_owned();
            let date = session.server_date();
            let question = Question { subject: arn.clone(), ..question("sts:GetCallerIdentity", &account) };
            recorder.keep(&arn, &question, identity_json(&answer, date.as_deref()), Page::ONLY)?;
            compare_clocks(recorder, date.as_deref());
            Ok(Some(Identity { account, arn }))
        }
        Attempt::Failure(failure) => {
            recorder.keep_failure(caller, &asked, failure, Page::ONLY)?;
            Ok(None)
        }
        Attempt::Skipped => Ok(None),
    }
}

fn signed_in<'a>(
    recorder: &'a Recorder<'a>,
    session: Session,
    id: String,
    identity: Option<&Identity>,
) -> Account<'a> {
    let caller = identity.map_or("", |identity| &identity.arn).to_owned();
    let partition = caller.split(':').nth(1).unwrap_or("aws").to_owned();
    Account { recorder, session, id, partition, caller }
}

fn question(operation: &'static str, account: &str) -> Question {
    Question { operation, scope: Scope::account(account), subject: account.to_owned(), request: json!({}) }
}

fn compare_clocks(recorder: &Recorder<'_>, date: Option<&str>) {
    let Some(date) = date.and_then(|date| DateTime::from_str(date, DateTimeFormat::HttpDate).ok()) else {
        return;
    };
    let skew = recorder.clock().now().seconds().saturating_sub(date.secs());
    if skew.abs() > TOLERATED_SKEW {
        let direction = if skew > 0 { "ahead of" } else { "behind" };
        recorder.warn_once(
            "clock".to_owned(),
            &format!("this machine's clock is {} seconds {direction} the service's", skew.abs()),
        );
    }
}

fn identity_json(identity: &GetCallerIdentityOutput, date: Option<&str>) -> Value {
    Object::new()
        .text("UserId", identity.user_id())
        .text("Account", identity.account())
        .text("Arn", identity.arn())
        .value("ResponseMetadata", date.map(|date| json!({"HTTPHeaders": {"date": date}})))
        .build()
}

fn assumed_role_json(answer: &AssumeRoleOutput) -> Value {
    Object::new()
        .nested(
            "AssumedRoleUser",
            answer.assumed_role_user(),
            |user| json!({"AssumedRoleId": user.assumed_role_id(), "Arn": user.arn()}),
        )
        .build()
}
