//! `DescribeUserScramCredentials` and `AlterUserScramCredentials` (KIP-554).

use std::collections::{BTreeMap, BTreeSet};

use cadastre_protocol::messages::alter_user_scram_credentials_response::AlterUserScramCredentialsResult;
use cadastre_protocol::messages::describe_user_scram_credentials_response::{
    CredentialInfo, DescribeUserScramCredentialsResult,
};
use cadastre_protocol::messages::{
    AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse, DescribeUserScramCredentialsRequest,
    DescribeUserScramCredentialsResponse,
};
use cadastre_protocol::{ResponseError, StrBytes};
use cadastre_security::acl::CLUSTER_NAME;
use cadastre_security::scram::{ScramCredential, ScramError, ScramMechanism};

use super::api_error::ApiError;
use super::context::RequestContext;
use super::create_topics::repeated;
use super::operations::{ALTER_CLUSTER, DESCRIBE_CLUSTER};

type Change = (String, ScramMechanism, Option<ScramCredential>);

pub(super) async fn describe(
    context: &RequestContext<'_>,
    request: DescribeUserScramCredentialsRequest,
) -> DescribeUserScramCredentialsResponse {
    if !context.allows_cluster(DESCRIBE_CLUSTER) {
        let error = ApiError::from(ResponseError::ClusterAuthorizationFailed);
        return DescribeUserScramCredentialsResponse::default()
            .with_error_code(error.code())
            .with_error_message(error.message());
    }
    let known = context.node.scram.by_user();
    let asked: Option<Vec<String>> = request
        .users
        .filter(|users| !users.is_empty())
        .map(|users| users.into_iter().map(|user| user.name.to_string()).collect());
    let asked = asked.unwrap_or_else(|| known.keys().cloned().collect());
    let duplicates: BTreeSet<String> = repeated(asked.iter()).into_iter().cloned().collect();
    let mut answered = BTreeSet::new();
    let asked = asked.into_iter().filter(|user| answered.insert(user.clone()));
    let results = asked.map(|user| {
        let result = DescribeUserScramCredentialsResult::default();
        let error = match known.get(&user) {
            _ if duplicates.contains(&user) => {
                ApiError::new(ResponseError::DuplicateResource, "the request names the user twice")
            }
            None => ApiError::new(ResponseError::ResourceNotFound, "the user has no SCRAM credentials"),
            Some(credentials) => {
                let infos = credentials.iter().map(|(mechanism, iterations)| {
                    CredentialInfo::default()
                        .with_mechanism(mechanism.code())
                        .with_iterations(i32::try_from(*iterations).unwrap_or(i32::MAX))
                });
                return result.with_user(StrBytes::from_string(user)).with_credential_infos(infos.collect());
            }
        };
        result
            .with_user(StrBytes::from_string(user))
            .with_error_code(error.code())
            .with_error_message(error.message())
    });
    DescribeUserScramCredentialsResponse::default().with_results(results.collect())
}

pub(super) async fn alter(
    context: &RequestContext<'_>,
    request: AlterUserScramCredentialsRequest,
) -> AlterUserScramCredentialsResponse {
    let users: BTreeSet<String> = request
        .deletions
        .iter()
        .map(|deletion| deletion.name.to_string())
        .chain(request.upsertions.iter().map(|upsertion| upsertion.name.to_string()))
        .collect();
    let detail = format!("users {}", users.iter().cloned().collect::<Vec<_>>().join(","));
    if !context.allows_action(ALTER_CLUSTER, CLUSTER_NAME, Some(detail)) {
        let denied = ApiError::from(ResponseError::ClusterAuthorizationFailed);
        return response(users.into_iter().map(|user| (user, Err(denied.clone()))).collect());
    }
    let named: Vec<(&str, i8)> = request
        .deletions
        .iter()
        .map(|deletion| (deletion.name.as_str(), deletion.mechanism))
        .chain(request.upsertions.iter().map(|upsertion| (upsertion.name.as_str(), upsertion.mechanism)))
        .collect();
    // Two changes of one user's credential for one mechanism contradict each other.
    let contradicted: BTreeSet<&str> = repeated(named.iter()).into_iter().map(|(user, _)| *user).collect();
    let mut outcomes: BTreeMap<String, Result<Vec<Change>, ApiError>> = BTreeMap::new();
    for user in contradicted {
        let error = ApiError::new(ResponseError::DuplicateResource, "the request names the credential twice");
        outcomes.insert(user.to_owned(), Err(error));
    }
    for deletion in &request.deletions {
        let user = deletion.name.to_string();
        let change = deletion_of(context, &user, deletion.mechanism);
        add(&mut outcomes, user, change);
    }
    for upsertion in &request.upsertions {
        let user = upsertion.name.to_string();
        let change = mechanism_of(upsertion.mechanism).and_then(|mechanism| {
            let iterations = u32::try_from(upsertion.iterations).unwrap_or(0);
            let credential = ScramCredential::from_salted_password(
                mechanism,
                &upsertion.salted_password,
                &upsertion.salt,
                iterations,
            );
            let credential = credential.map_err(|error: ScramError| unacceptable(&error))?;
            check_user(&user)?;
            Ok((user.clone(), mechanism, Some(credential)))
        });
        add(&mut outcomes, user, change);
    }
    let changes: Vec<Change> = outcomes.values().flatten().flatten().cloned().collect();
    let stored = if changes.is_empty() { Ok(()) } else { context.node.scram.change(changes).await };
    let stored = stored.map_err(ApiError::from);
    let results = outcomes.into_iter().map(|(user, outcome)| (user, outcome.and(stored.clone())));
    response(results.collect())
}

fn unacceptable(error: &ScramError) -> ApiError {
    ApiError::new(ResponseError::UnacceptableCredential, error.to_string())
}

fn check_user(user: &str) -> Result<(), ApiError> {
    if user.is_empty() {
        return Err(ApiError::new(ResponseError::UnacceptableCredential, "user name is empty"));
    }
    Ok(())
}

/// The first thing that is wrong with a user's changes stands for all of them.
fn add(
    outcomes: &mut BTreeMap<String, Result<Vec<Change>, ApiError>>,
    user: String,
    change: Result<Change, ApiError>,
) {
    let outcome = outcomes.entry(user).or_insert_with(|| Ok(Vec::new()));
    match (&mut *outcome, change) {
        (Ok(changes), Ok(change)) => changes.push(change),
        (Ok(_), Err(error)) => *outcome = Err(error),
        (Err(_), _) => {}
    }
}

fn deletion_of(context: &RequestContext<'_>, user: &str, mechanism: i8) -> Result<Change, ApiError> {
    check_user(user)?;
    let mechanism = mechanism_of(mechanism)?;
    match context.node.scram.get(mechanism, user) {
        Some(_) => Ok((user.to_owned(), mechanism, None)),
        None => Err(ApiError::new(ResponseError::ResourceNotFound, "the user has no such credential")),
    }
}

fn mechanism_of(code: i8) -> Result<ScramMechanism, ApiError> {
    ScramMechanism::from_code(code).ok_or_else(|| {
        ApiError::new(ResponseError::UnsupportedSaslMechanism, format!("{code} is no SCRAM mechanism"))
    })
}

fn response(results: Vec<(String, Result<(), ApiError>)>) -> AlterUserScramCredentialsResponse {
    let results = results.into_iter().map(|(user, outcome)| {
        AlterUserScramCredentialsResult::default()
            .with_user(StrBytes::from_string(user))
            .with_error_code(super::api_error::code_of(&outcome))
            .with_error_message(super::api_error::message_of(&outcome))
    });
    AlterUserScramCredentialsResponse::default().with_results(results.collect())
}
