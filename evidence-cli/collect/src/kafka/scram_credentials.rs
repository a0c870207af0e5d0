//! SCRAM users (KIP-554). Salts and keys are not part of the answer.

use std::collections::BTreeMap;

use cadastre_protocol::messages::DescribeUserScramCredentialsRequest;
use serde_json::{Value, json};

use super::connection::Connection;
use super::names;
use super::recorder::{Recorder, Trouble};
use crate::CollectError;

pub(super) async fn read(
    connection: &mut Connection<'_>,
    recorder: &Recorder<'_>,
) -> Result<(), CollectError> {
    recorder.step("kafka:DescribeUserScramCredentials");
    let ask = recorder.ask("kafka:DescribeUserScramCredentials", json!({"users": []}));
    // Both null and an empty list ask for everyone, but Apache Kafka 4.1 never answers a null that it must refuse.
    let answer = connection
        .ask(|_version| DescribeUserScramCredentialsRequest::default().with_users(Some(Vec::new())))
        .await
        .and_then(|response| {
            Trouble::check(response.error_code, response.error_message.as_deref())?;
            Ok(response)
        });
    let response = match answer {
        Ok(response) => response,
        Err(trouble) => return recorder.trouble(&ask, &trouble),
    };
    let mut users = BTreeMap::new();
    let mut refused = Vec::new();
    for result in &response.results {
        if let Some(trouble) = Trouble::from_code(result.error_code, result.error_message.as_deref()) {
            refused.push((result.user.to_string(), trouble));
            continue;
        }
        let mut credentials: Vec<_> = result
            .credential_infos
            .iter()
            .map(|credential| (names::scram_mechanism(credential.mechanism), credential.iterations))
            .collect();
        credentials.sort();
        let credentials: Vec<Value> = credentials
            .into_iter()
            .map(|(mechanism, iterations)| json!({"mechanism": mechanism, "iterations": iterations}))
            .collect();
        users.insert(result.user.to_string(), json!({"user": &*result.user, "credentials": credentials}));
    }
    recorder.observed(&ask, json!({"users": users.into_values().collect::<Vec<_>>()}))?;
    for (user, trouble) in refused {
        recorder.trouble(&ask.about(format!("user:{user}")), &trouble)?;
    }
    Ok(())
}
