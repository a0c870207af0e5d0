//! Configuration of brokers and topics, with where each value comes from. Secrets never get further than here.

use std::collections::BTreeMap;

use cadastre_protocol::StrBytes;
use cadastre_protocol::messages::DescribeConfigsRequest;
use cadastre_protocol::messages::describe_configs_request::DescribeConfigsResource;
use cadastre_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult,
};
use serde_json::{Value, json};

use super::cluster::ClusterView;
use super::connection::Connection;
use super::listeners::ListenerConfig;
use super::names;
use super::recorder::{Ask, Recorder, Trouble};
use crate::CollectError;

/// So many topics are asked about by one request.
const BATCH: usize = 100;
/// ConfigResource.java, Type.
const TOPIC: i8 = 2;
const BROKER: i8 = 4;

/// Asks a broker for its own configuration, and returns what it says about listeners.
pub(super) async fn read_broker(
    connection: &mut Connection<'_>,
    recorder: &Recorder<'_>,
    broker: i32,
) -> Result<Option<ListenerConfig>, CollectError> {
    let name = broker.to_string();
    let request = json!({"resource_type": "BROKER", "resource_names": [name]});
    let ask = Ask::new("kafka:DescribeConfigs", &format!("broker:{broker}"), request);
    let results = match describe(connection, BROKER, std::slice::from_ref(&name)).await {
        Ok(results) => results,
        Err(trouble) => {
            recorder.trouble(&ask, &trouble)?;
            return Ok(None);
        }
    };
    let Some(result) = results.first() else {
        recorder.trouble(&ask, &Trouble::failed("malformed", "the answer holds no resource"))?;
        return Ok(None);
    };
    if let Err(trouble) = Trouble::check(result.error_code, result.error_message.as_deref()) {
        recorder.trouble(&ask, &trouble)?;
        return Ok(None);
    }
    recorder.observed(&ask, json!({"resources": [resource(result)]}))?;
    let value = |name: &str| {
        result.configs.iter().find(|config| &*config.name == name).and_then(|config| config.value.as_deref())
    };
    Ok(Some(ListenerConfig::parse(
        value("listeners"),
        value("advertised.listeners"),
        value("listener.security.protocol.map"),
    )))
}

/// Asks for the configuration of every topic, in batches.
pub(super) async fn read_topics(
    connection: &mut Connection<'_>,
    recorder: &Recorder<'_>,
    view: &ClusterView,
) -> Result<(), CollectError> {
    let batches: Vec<&[String]> = view.topics.chunks(BATCH).collect();
    for (number, batch) in (1u32..).zip(&batches) {
        recorder.step(&format!("kafka:DescribeConfigs of topics {number}/{}", batches.len()));
        let last = usize::try_from(number).is_ok_and(|number| number == batches.len());
        let request = json!({"resource_type": "TOPIC", "resource_names": batch});
        let ask = recorder.ask("kafka:DescribeConfigs", request).paged(number, last);
        let results = match describe(connection, TOPIC, batch).await {
            Ok(results) => results,
            Err(trouble) => {
                recorder.trouble(&ask, &trouble)?;
                continue;
            }
        };
        let mut answered = BTreeMap::new();
        let mut refused = BTreeMap::new();
        for name in *batch {
            let trouble = Trouble::failed("malformed", "the answer leaves this topic out");
            refused.insert(name.clone(), trouble);
        }
        for result in &results {
            let name = result.resource_name.to_string();
            match Trouble::check(result.error_code, result.error_message.as_deref()) {
                Ok(()) => {
                    refused.remove(&name);
                    answered.insert(name, resource(result));
                }
                Err(trouble) => {
                    refused.insert(name, trouble);
                }
            }
        }
        recorder.observed(&ask, json!({"resources": answered.into_values().collect::<Vec<_>>()}))?;
        for (name, trouble) in refused {
            recorder.trouble(&ask.about(format!("topic:{name}")), &trouble)?;
        }
    }
    Ok(())
}

async fn describe(
    connection: &mut Connection<'_>,
    kind: i8,
    resources: &[String],
) -> Result<Vec<DescribeConfigsResult>, Trouble> {
    let response = connection
        .ask(|_version| {
            let resources = resources
                .iter()
                .map(|name| {
                    DescribeConfigsResource::default()
                        .with_resource_type(kind)
                        .with_resource_name(StrBytes::from_string(name.clone()))
                        .with_configuration_keys(None)
                })
                .collect();
            DescribeConfigsRequest::default().with_resources(resources).with_include_synonyms(true)
        })
        .await?;
    Ok(response.results)
}

fn resource(result: &DescribeConfigsResult) -> Value {
    let configs: BTreeMap<String, Value> =
        result.configs.iter().map(|config| (config.name.to_string(), entry(config))).collect();
    json!({
        "resource_type": names::config_resource(result.resource_type),
        "resource_name": &*result.resource_name,
        "configs": configs.into_values().collect::<Vec<_>>(),
    })
}

fn entry(config: &DescribeConfigsResourceResult) -> Value {
    let values =
        config.synonyms.iter().map(|synonym| synonym.value.as_deref()).chain([config.value.as_deref()]);
    let sensitive =
        config.is_sensitive || names_a_secret(&config.name) || values.flatten().any(holds_a_secret);
    let shown = |value: Option<&str>| value.filter(|_value| !sensitive).map(str::to_owned);
    let synonyms: Vec<Value> = config
        .synonyms
        .iter()
        .map(|synonym| {
            json!({
                "name": &*synonym.name,
                "value": shown(synonym.value.as_deref()),
                "source": names::config_source(synonym.source),
            })
        })
        .collect();
    json!({
        "name": &*config.name,
        "value": shown(config.value.as_deref()),
        "source": names::config_source(config.config_source),
        "sensitive": sensitive,
        "read_only": config.read_only,
        "type": names::config_type(config.config_type),
        "synonyms": synonyms,
    })
}

/// Whether a config of this name holds a secret, whatever the broker says. Names that end in a measure or a kind only
/// speak *about* secrets: how long tokens live, which encoder is used.
fn names_a_secret(name: &str) -> bool {
    const WORDS: [&str; 6] = ["password", "passwd", "secret", "credential", "token", "jaas"];
    const ABOUT: [&str; 8] =
        [".ms", ".seconds", ".iterations", ".length", ".algorithm", ".class", ".url", ".enable"];
    let name = name.to_ascii_lowercase();
    name.ends_with("keystore.key")
        || name.ends_with("private.key")
        || (WORDS.iter().any(|word| name.contains(word)) && !ABOUT.iter().any(|end| name.ends_with(end)))
}

/// Whether a value looks like login options or a private key.
fn holds_a_secret(value: &str) -> bool {
    let value = value.to_ascii_lowercase();
    value.contains("loginmodule") || value.contains("password=") || value.contains("private key-----")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(name: &'static str, value: &'static str) -> DescribeConfigsResourceResult {
        DescribeConfigsResourceResult::default()
            .with_name(StrBytes::from_static_str(name))
            .with_value(Some(StrBytes::from_static_str(value)))
            .with_config_source(4)
    }

    #[test]
    fn secrets_are_dropped_even_where_the_broker_does_not_flag_them() {
        for (name, value) in [
            ("ssl.keystore.password", "hunter2"),
            ("listener.name.client.scram-sha-512.sasl.jaas.config", "hunter2"),
            ("delegation.token.secret.key", "hunter2"),
            ("ssl.keystore.key", "hunter2"),
            ("vendor.plugin.options", "org.example.PlainLoginModule required hunter2;"),
            ("vendor.url", "user=a password=hunter2"),
            ("cloud.access.token", "hunter2"),
            ("admin.password", "hunter2"),
        ] {
            let entry = entry(&config(name, value));
            assert_eq!((&entry["value"], &entry["sensitive"]), (&Value::Null, &json!(true)), "{name}");
            assert!(!entry.to_string().contains("hunter2"), "{name}");
        }
    }

    #[test]
    fn what_only_speaks_about_secrets_is_kept() {
        for name in [
            "delegation.token.max.lifetime.ms",
            "delegation.token.expiry.time.ms",
            "password.encoder.iterations",
            "sasl.oauthbearer.token.endpoint.url",
            "super.users",
            "ssl.keystore.location",
        ] {
            assert_eq!(entry(&config(name, "kept"))["value"], json!("kept"), "{name}");
        }
    }

    #[test]
    fn what_the_broker_flags_is_dropped_with_its_synonyms() {
        use cadastre_protocol::messages::describe_configs_response::DescribeConfigsSynonym;
        let synonym =
            DescribeConfigsSynonym::default().with_value(Some(StrBytes::from_static_str("hunter2")));
        let flagged = config("anything", "hunter2").with_is_sensitive(true).with_synonyms(vec![synonym]);
        assert!(!entry(&flagged).to_string().contains("hunter2"));
    }
}
