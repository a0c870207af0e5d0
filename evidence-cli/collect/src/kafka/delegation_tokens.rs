//! Delegation tokens (KIP-48). Their HMACs are secrets and are dropped on arrival.

use cadastre_protocol::messages::{DescribeDelegationTokenRequest, DescribeDelegationTokenResponse};
use serde_json::{Value, json};

use super::connection::Connection;
use super::names;
use super::recorder::{Recorder, Trouble};
use crate::CollectError;

pub(super) async fn read(
    connection: &mut Connection<'_>,
    recorder: &Recorder<'_>,
) -> Result<(), CollectError> {
    recorder.step("kafka:DescribeDelegationToken");
    let answer = connection
        .ask(|_version| DescribeDelegationTokenRequest::default().with_owners(None))
        .await
        .and_then(|response| tokens(&response));
    recorder.settle(&recorder.ask("kafka:DescribeDelegationToken", json!({"owners": null})), answer)
}

fn tokens(response: &DescribeDelegationTokenResponse) -> Result<Value, Trouble> {
    Trouble::check(response.error_code, None)?;
    let principal = |kind: &str, name: &str| format!("{kind}:{name}");
    let mut tokens: Vec<_> = response.tokens.iter().collect();
    tokens.sort_by(|left, right| left.token_id.cmp(&right.token_id));
    let tokens: Vec<Value> = tokens
        .into_iter()
        .map(|token| {
            let owner = principal(&token.principal_type, &token.principal_name);
            // Before version 3 the requester is not sent: owners could only ask for themselves.
            let requester = if token.token_requester_principal_name.is_empty() {
                owner.clone()
            } else {
                principal(&token.token_requester_principal_type, &token.token_requester_principal_name)
            };
            let mut renewers: Vec<String> = token
                .renewers
                .iter()
                .map(|renewer| principal(&renewer.principal_type, &renewer.principal_name))
                .collect();
            renewers.sort();
            json!({
                "id": &*token.token_id,
                "owner": owner,
                "requester": requester,
                "issued": names::time(token.issue_timestamp),
                "expires": names::time(token.expiry_timestamp),
                "maximum": names::time(token.max_timestamp),
                "renewers": renewers,
            })
        })
        .collect();
    Ok(json!({ "tokens": tokens }))
}
