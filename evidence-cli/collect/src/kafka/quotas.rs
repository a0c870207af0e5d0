//! Client quotas (KIP-546).

use std::collections::BTreeMap;

use cadastre_protocol::messages::{DescribeClientQuotasRequest, DescribeClientQuotasResponse};
use serde_json::{Value, json};

use super::connection::Connection;
use super::recorder::{Recorder, Trouble};
use crate::CollectError;

pub(super) async fn read(
    connection: &mut Connection<'_>,
    recorder: &Recorder<'_>,
) -> Result<(), CollectError> {
    recorder.step("kafka:DescribeClientQuotas");
    let answer = connection
        .ask(|_version| DescribeClientQuotasRequest::default().with_components(Vec::new()).with_strict(false))
        .await
        .and_then(|response| entries(&response));
    recorder.settle(&recorder.ask("kafka:DescribeClientQuotas", json!({})), answer)
}

fn entries(response: &DescribeClientQuotasResponse) -> Result<Value, Trouble> {
    Trouble::check(response.error_code, response.error_message.as_deref())?;
    let mut entries = BTreeMap::new();
    for entry in response.entries.iter().flatten() {
        let mut entity: Vec<(String, Option<String>)> = entry
            .entity
            .iter()
            .map(|part| (part.entity_type.to_string(), part.entity_name.as_ref().map(ToString::to_string)))
            .collect();
        entity.sort();
        let limits: BTreeMap<String, f64> =
            entry.values.iter().map(|limit| (limit.key.to_string(), limit.value)).collect();
        let parts: Vec<Value> =
            entity.iter().map(|(kind, name)| json!({"type": kind, "name": name})).collect();
        entries.insert(entity, json!({"entity": parts, "limits": limits}));
    }
    Ok(json!({"entries": entries.into_values().collect::<Vec<_>>()}))
}
