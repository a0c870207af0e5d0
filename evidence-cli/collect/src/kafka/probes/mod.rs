//! Probes: what a listener does with a stranger. Nothing here authenticates.

pub(super) mod certificates;
mod connections;
mod legacy_hello;
pub(super) mod operations;
mod tls;

use std::time::Duration;

use cadastre_model::record::Outcome;
use cadastre_protocol::client::{ClientConfig, Security, Tls, Trust, open_tcp};
use cadastre_protocol::frame::FrameLimits;
use rustls::RootCertStore;
use serde_json::{Value, json};

use super::listeners::Endpoint;
use super::recorder::{Ask, Recorder, Trouble};
use crate::CollectError;

/// Strangers' answers may be so large, in bytes.
const ANSWER_LIMIT: FrameLimits = FrameLimits::of(4 * 1024 * 1024);

/// What is recorded of every endpoint.
pub(super) const OPERATIONS: [&str; 4] = [
    "probe:TlsHandshake",
    "probe:PlaintextConnection",
    "probe:AnonymousConnection",
    "probe:UnauthenticatedOperation",
];

/// What every probe needs.
pub(super) struct Context<'a> {
    pub(super) recorder: &'a Recorder<'a>,
    /// Against which certificates are checked, if the scanner was given any.
    pub(super) authorities: Option<&'a RootCertStore>,
    pub(super) connect_timeout: Duration,
    pub(super) request_timeout: Duration,
}

impl Context<'_> {
    fn client_config(&self, tls: Option<Tls>) -> ClientConfig {
        ClientConfig {
            connect_timeout: self.connect_timeout,
            request_timeout: self.request_timeout,
            limits: ANSWER_LIMIT,
            ..ClientConfig::new("cadastre-probe", Security { tls, sasl: None })
        }
    }

    fn ask(&self, operation: &str, endpoint: &Endpoint, members: &[(&str, Value)]) -> Ask {
        let mut request = endpoint.request();
        for (name, value) in members {
            request.insert((*name).to_owned(), value.clone());
        }
        Ask::new(operation, &endpoint.address.to_string(), Value::Object(request)).anonymously()
    }
}

/// How a client without credentials reaches a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transport {
    Plaintext,
    Tls,
}

impl Transport {
    const fn name(self) -> &'static str {
        match self {
            Self::Plaintext => "plaintext",
            Self::Tls => "tls",
        }
    }

    fn config(self, context: &Context<'_>) -> Result<ClientConfig, Trouble> {
        Ok(match self {
            Self::Plaintext => context.client_config(None),
            Self::Tls => context.client_config(Some(Tls::new(&Trust::Anyone, None)?)),
        })
    }
}

/// Runs every probe against one endpoint.
pub(super) async fn probe(context: &Context<'_>, endpoint: &Endpoint) -> Result<(), CollectError> {
    context.recorder.step(&format!("probing {}", endpoint.address));
    if let Err(error) = open_tcp(&endpoint.address, context.connect_timeout).await {
        return record_unreachable(context, endpoint, &Trouble::from(error));
    }
    // A peer that left one hello unanswered is not made to leave three more.
    let mut silent: Option<Trouble> = None;
    for version in tls::VERSIONS {
        let ask = context.ask("probe:TlsHandshake", endpoint, &[("tls_version", json!(version.name()))]);
        let answer = match silent.clone() {
            Some(trouble) => Err(trouble),
            None => tls::probe(context, &endpoint.address, *version).await,
        };
        if let Err(trouble) = &answer
            && trouble.code == "timed-out"
        {
            silent = Some(trouble.clone());
        }
        context.recorder.settle(&ask, answer)?;
    }
    let ask = context.ask("probe:PlaintextConnection", endpoint, &[]);
    let answer = connections::probe_plaintext(context, &endpoint.address).await;
    context.recorder.settle(&ask, answer)?;

    let mut served = None;
    let mut unsettled = None;
    for transport in [Transport::Plaintext, Transport::Tls] {
        let ask =
            context.ask("probe:AnonymousConnection", endpoint, &[("transport", json!(transport.name()))]);
        let answer = connections::probe_anonymous(context, &endpoint.address, transport).await;
        match &answer {
            Ok(response) if response.get("served") == Some(&json!(true)) => {
                served = served.or(Some(transport))
            }
            Ok(_response) => {}
            Err(trouble) => unsettled = Some(trouble.clone()),
        }
        context.recorder.settle(&ask, answer)?;
    }
    operations::probe_as_stranger(context, endpoint, served, unsettled).await
}

fn record_unreachable(
    context: &Context<'_>,
    endpoint: &Endpoint,
    trouble: &Trouble,
) -> Result<(), CollectError> {
    for version in tls::VERSIONS {
        let ask = context.ask("probe:TlsHandshake", endpoint, &[("tls_version", json!(version.name()))]);
        context.recorder.trouble(&ask, trouble)?;
    }
    context.recorder.trouble(&context.ask("probe:PlaintextConnection", endpoint, &[]), trouble)?;
    for transport in [Transport::Plaintext, Transport::Tls] {
        let ask =
            context.ask("probe:AnonymousConnection", endpoint, &[("transport", json!(transport.name()))]);
        context.recorder.trouble(&ask, trouble)?;
    }
    operations::record_unreachable(context, endpoint, trouble)
}

/// Whether a probe cannot be settled by this: nobody was there, or nobody answered.
fn is_unsettled(trouble: &Trouble) -> bool {
    trouble.outcome != Outcome::Failed || !matches!(trouble.code.as_str(), "closed" | "malformed" | "tls")
}
