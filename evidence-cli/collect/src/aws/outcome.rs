//! What an SDK error means for a record: denied, absent, truncated or failed.

use std::error::Error;

use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use cadastre_model::record::{Outcome, Problem};

/// The longest message kept from a service, in characters.
const MAXIMUM_MESSAGE: usize = 400;

/// A service could not be connected to.
pub(super) const UNREACHABLE: &str = "unreachable";
/// No answer came in time.
pub(super) const TIMED_OUT: &str = "timed-out";
/// An answer came that is not in AWS's protocol: a proxy's page, or an emulator without the call.
pub(super) const NOT_AN_ANSWER: &str = "not-an-answer";
/// An answer began and did not end.
pub(super) const CUT_SHORT: &str = "cut-short";
/// The service kept naming the same next page, or too many.
pub(super) const PAGE_LOOP: &str = "page-loop";
/// The user stopped the scan while the call was under way.
pub(super) const INTERRUPTED: &str = "interrupted";
/// The call was spared because the service never answered any.
pub(super) const NOT_TRIED: &str = "not-tried";
/// An account was declared without a role, and the credentials belong to another.
pub(super) const NO_ROLE: &str = "no-role";
/// The credentials obtained for an account belong to another.
pub(super) const WRONG_ACCOUNT: &str = "wrong-account";
/// No credentials were found, or the ones found could not be refreshed.
pub(super) const NO_CREDENTIALS: &str = "no-credentials";

/// Codes with which services refuse for want of permission, beside those that begin with `AccessDenied`.
const DENIED: &[&str] = &[
    "AuthorizationError",
    "AuthorizationErrorException",
    "ForbiddenException",
    "NotAuthorized",
    "UnauthorizedAccess",
    "UnauthorizedException",
    "UnauthorizedOperation",
];

/// Codes that say that a thing or its configuration does not exist, beside those that end in `.NotFound`.
const ABSENT: &[&str] = &[
    "AWSOrganizationsNotInUseException",
    "InsightNotEnabledException",
    "NoSuchBucket",
    "NoSuchBucketPolicy",
    "NoSuchEntity",
    "NoSuchEntityException",
    "NoSuchLifecycleConfiguration",
    "NoSuchPublicAccessBlockConfiguration",
    "NoSuchTagSet",
    "NotFoundException",
    "ObjectLockConfigurationNotFoundError",
    "OwnershipControlsNotFoundError",
    "PolicyTypeNotEnabledException",
    "ReplicationConfigurationNotFoundError",
    "ResourceNotFoundException",
    "ServerSideEncryptionConfigurationNotFoundError",
    "TrailNotFoundException",
    "UnsupportedOperationException",
];

/// Codes that mean that the session behind the credentials has ended.
const EXPIRED: &[&str] = &["ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"];

/// Codes that mean that the credentials are wrong.
const REFUSED: &[&str] = &[
    "AuthFailure",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];

/// Codes that mean that this machine's clock and the service's disagree.
const SKEWED: &[&str] = &["RequestTimeTooSkewed", "RequestInTheFuture"];

/// What a person should be told about a code, beyond the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hint {
    /// Sign in again.
    Expired,
    /// The keys are wrong.
    Refused,
    /// Set the clock.
    Skewed,
    /// Nothing in particular.
    None,
}

/// How a call that did not succeed is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    /// The record's outcome.
    pub(super) outcome: Outcome,
    /// The record's problem.
    pub(super) problem: Problem,
}

impl Failure {
    /// A failure with one of our own codes.
    pub(super) fn new(outcome: Outcome, code: &str, message: impl AsRef<str>) -> Self {
        Self { outcome, problem: Problem { code: code.to_owned(), message: one_line(message.as_ref()) } }
    }

    /// The same failure on a page after the first: the answer is cut short, unless permission was refused.
    pub(super) fn on_later_page(mut self) -> Self {
        if self.outcome != Outcome::Denied {
            self.outcome = Outcome::Truncated;
        }
        self
    }

    /// Whether no connection to the service came about.
    pub(super) fn is_silence(&self) -> bool {
        self.problem.code == UNREACHABLE || self.problem.code == TIMED_OUT
    }

    /// What to tell a person.
    pub(super) fn hint(&self) -> Hint {
        let code = self.problem.code.as_str();
        if EXPIRED.contains(&code) {
            Hint::Expired
        } else if SKEWED.contains(&code) || self.problem.message.contains("Signature not yet current") {
            Hint::Skewed
        } else if REFUSED.contains(&code) {
            Hint::Refused
        } else {
            Hint::None
        }
    }
}

/// Classifies an SDK error, after all retries.
pub(super) fn classify<E>(error: &SdkError<E>) -> Failure
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match error {
        SdkError::ServiceError(context) => {
            let status = context.raw().status().as_u16();
            match context.err().code() {
                Some(code) if !code.is_empty() => {
                    Failure::new(outcome_of(code), code, context.err().message().unwrap_or(code))
                }
                _ => Failure::new(
                    Outcome::Failed,
                    NOT_AN_ANSWER,
                    format!("HTTP status {status} with a body that is not an answer of the service"),
                ),
            }
        }
        SdkError::TimeoutError(_) => Failure::new(Outcome::Failed, TIMED_OUT, "no answer in time"),
        SdkError::DispatchFailure(failure) if failure.is_timeout() => {
            Failure::new(Outcome::Failed, TIMED_OUT, "no connection in time")
        }
        SdkError::DispatchFailure(failure) if failure.is_io() => {
            Failure::new(Outcome::Failed, UNREACHABLE, cause(error))
        }
        SdkError::ResponseError(_) => Failure::new(Outcome::Truncated, CUT_SHORT, cause(error)),
        _ => Failure::new(Outcome::Failed, "not-sent", cause(error)),
    }
}

fn outcome_of(code: &str) -> Outcome {
    let code = code.strip_prefix("Client.").unwrap_or(code);
    if code.starts_with("AccessDenied") || DENIED.contains(&code) {
        Outcome::Denied
    } else if code.ends_with(".NotFound") || ABSENT.contains(&code) {
        Outcome::Absent
    } else {
        Outcome::Failed
    }
}

/// The innermost cause of an error: the layers of the SDK around it tell a person nothing.
pub(super) fn cause(error: &dyn Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    one_line(&innermost.to_string())
}

fn one_line(text: &str) -> String {
    let mut line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() > MAXIMUM_MESSAGE {
        line = line.chars().take(MAXIMUM_MESSAGE).chain(['…']).collect();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(code: &str, expected: Outcome) {
        assert_eq!(outcome_of(code), expected, "{code}");
    }

    #[test]
    fn codes_mean_what_the_services_mean_by_them() {
        check("AccessDenied", Outcome::Denied);
        check("AccessDeniedException", Outcome::Denied);
        check("AccessDeniedForDependencyException", Outcome::Denied);
        check("UnauthorizedOperation", Outcome::Denied);
        check("Client.UnauthorizedOperation", Outcome::Denied);
        check("NoSuchBucketPolicy", Outcome::Absent);
        check("InvalidSnapshot.NotFound", Outcome::Absent);
        check("NotFoundException", Outcome::Absent);
        check("ThrottlingException", Outcome::Failed);
        check("ExpiredToken", Outcome::Failed);
        check("InternalError", Outcome::Failed);
    }

    #[test]
    fn a_refused_later_page_stays_denied_and_any_other_is_truncated() {
        let denied = Failure::new(Outcome::Denied, "AccessDenied", "no");
        assert_eq!(denied.on_later_page().outcome, Outcome::Denied);
        let throttled = Failure::new(Outcome::Failed, "Throttling", "slow down");
        assert_eq!(throttled.on_later_page().outcome, Outcome::Truncated);
    }

    #[test]
    fn messages_are_one_bounded_line() {
        let failure = Failure::new(Outcome::Failed, "Throttling", "a\n b\t".repeat(1000));
        assert!(!failure.problem.message.contains('\n'));
        assert!(failure.problem.message.chars().count() <= MAXIMUM_MESSAGE + 1);
    }
}
