//! What a listener does with a client that has no credentials.

use cadastre_protocol::client::{Address, Client, ClientError};
use cadastre_protocol::messages::{MetadataRequest, MetadataResponse};
use serde_json::{Value, json};

use super::{Context, Transport, is_unsettled};
use crate::kafka::recorder::Trouble;

/// So many topic names are kept, as proof and no more.
const TOPICS_SHOWN: usize = 20;

/// Is Kafka spoken without TLS?
pub(super) async fn probe_plaintext(context: &Context<'_>, address: &Address) -> Result<Value, Trouble> {
    let config = Transport::Plaintext.config(context)?;
    Ok(match Client::connect_without_login(address, &config).await {
        Ok(mut client) => {
            let mechanisms = client.sasl_mechanisms().await;
            json!({"speaks_kafka": true, "sasl_mechanisms": sorted(mechanisms), "ended": null})
        }
        Err(error) => json!({"speaks_kafka": false, "sasl_mechanisms": null, "ended": ended(error)?}),
    })
}

/// Is anything beyond `ApiVersions` served to a stranger?
pub(super) async fn probe_anonymous(
    context: &Context<'_>,
    address: &Address,
    transport: Transport,
) -> Result<Value, Trouble> {
    let config = transport.config(context)?;
    let mut client = match Client::connect_without_login(address, &config).await {
        Ok(client) => client,
        Err(error) => return Ok(answer(false, None, None, Some(ended(error)?))),
    };
    let version = match client.version_of::<MetadataRequest>() {
        Ok(version) => version,
        Err(error) => return Err(error.into()),
    };
    let topics = if version == 0 { Some(Vec::new()) } else { None };
    let mut request = MetadataRequest::default().with_topics(topics);
    if version >= 4 {
        request = request.with_allow_auto_topic_creation(false);
    }
    let served = client.send_version(version, &request).await;
    // Asked on a connection of its own: brokers hang up on an unknown mechanism.
    let mechanisms = match Client::connect_without_login(address, &config).await {
        Ok(mut second) => sorted(second.sasl_mechanisms().await),
        Err(_gone) => None,
    };
    Ok(match served {
        Ok(metadata) => answer(true, Some(&metadata), mechanisms, None),
        Err(error) => answer(true, None, mechanisms, Some(ended(error)?)),
    })
}

fn answer(
    speaks_kafka: bool,
    metadata: Option<&MetadataResponse>,
    sasl_mechanisms: Option<Vec<String>>,
    ended: Option<&'static str>,
) -> Value {
    let mut topics: Vec<&str> = metadata
        .iter()
        .flat_map(|metadata| &metadata.topics)
        .filter_map(|topic| topic.name.as_ref().map(|name| &*name.0))
        .collect();
    topics.sort_unstable();
    let visible = metadata.map(|_metadata| topics.len());
    topics.truncate(TOPICS_SHOWN);
    json!({
        "served": metadata.is_some(),
        "speaks_kafka": speaks_kafka,
        "sasl_mechanisms": sasl_mechanisms,
        "cluster_id": metadata.and_then(|metadata| metadata.cluster_id.as_deref()),
        "topics_visible": visible,
        "topics": topics,
        "ended": ended,
    })
}

fn sorted(mechanisms: Result<Option<Vec<String>>, ClientError>) -> Option<Vec<String>> {
    let mut mechanisms = mechanisms.ok().flatten()?;
    mechanisms.sort();
    Some(mechanisms)
}

/// How the peer ended it, or the trouble when that is not for the peer to say.
fn ended(error: ClientError) -> Result<&'static str, Trouble> {
    let by_alert = match &error {
        ClientError::Tls { source, .. } => alert_or_not_tls(source),
        _ => "not-tls",
    };
    let trouble = Trouble::from(error);
    if is_unsettled(&trouble) {
        return Err(trouble);
    }
    Ok(match trouble.code.as_str() {
        "closed" => "closed",
        "tls" => by_alert,
        _ => "not-kafka",
    })
}

fn alert_or_not_tls(source: &std::io::Error) -> &'static str {
    match source.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::AlertReceived(_)) => "alert",
        Some(_) => "not-tls",
        None => "closed",
    }
}
