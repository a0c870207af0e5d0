//! Operations that must be refused, tried. None has an effect: two ask the broker to validate only and would be invalid
//! besides, the third only reads.
//!
//! The third is there because default-allow (`allow.everyone.if.no.acl.found`) only shows on resources that no ACL
//! covers, and brokers do not tell the setting's value: a scanner that may describe every topic covers every topic, but
//! nobody needs to cover every transactional id.

use cadastre_protocol::client::{Client, ClientError, code_name, is_authorization};
use cadastre_protocol::messages::create_topics_request::CreatableTopic;
use cadastre_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use cadastre_protocol::messages::{
    CreateTopicsRequest, DescribeTransactionsRequest, IncrementalAlterConfigsRequest, TopicName,
    TransactionalId,
};
use cadastre_protocol::{ResponseError, StrBytes};
use serde_json::{Value, json};

use super::{Context, Transport, is_unsettled};
use crate::CollectError;
use crate::kafka::connection::Connection;
use crate::kafka::listeners::Endpoint;
use crate::kafka::recorder::{Recorder, Trouble};

/// No cluster has so many brokers: a broker that ignored `validate_only` would still not create the topic.
const IMPOSSIBLE_REPLICATION: i16 = i16::MAX;
/// ConfigResource.java, Type.
const TOPIC: i8 = 2;

#[derive(Debug, Clone, Copy)]
enum Operation {
    CreateTopics,
    AlterConfigs,
    DescribeTransactions,
}

const OPERATIONS: [Operation; 3] =
    [Operation::CreateTopics, Operation::AlterConfigs, Operation::DescribeTransactions];

impl Operation {
    const fn name(self) -> &'static str {
        match self {
            Self::CreateTopics => "CreateTopics",
            Self::AlterConfigs => "AlterConfigs",
            Self::DescribeTransactions => "DescribeTransactions",
        }
    }

    fn resource(self, name: &str) -> String {
        match self {
            Self::CreateTopics | Self::AlterConfigs => format!("topic:{name}"),
            Self::DescribeTransactions => format!("transactional-id:{name}"),
        }
    }

    /// Whether the broker is asked to validate only.
    const fn validates_only(self) -> bool {
        matches!(self, Self::CreateTopics | Self::AlterConfigs)
    }

    /// The members of the record's request.
    fn request(self, name: &str) -> [(&'static str, Value); 3] {
        [
            ("operation", json!(self.name())),
            ("resource", json!(self.resource(name))),
            ("validate_only", json!(self.validates_only())),
        ]
    }

    /// The broker's code for the attempt.
    async fn attempt(self, client: &mut Client, name: &str) -> Result<i16, ClientError> {
        let name = StrBytes::from_string(name.to_owned());
        let code = match self {
            Self::CreateTopics => {
                let topic = CreatableTopic::default()
                    .with_name(TopicName(name))
                    .with_num_partitions(1)
                    .with_replication_factor(IMPOSSIBLE_REPLICATION);
                let request = CreateTopicsRequest::default()
                    .with_topics(vec![topic])
                    .with_timeout_ms(5000)
                    .with_validate_only(true);
                let response = client.send(&request).await?;
                response.topics.first().map(|topic| topic.error_code)
            }
            Self::AlterConfigs => {
                let config = AlterableConfig::default()
                    .with_name(StrBytes::from_static_str("retention.ms"))
                    .with_value(Some(StrBytes::from_static_str("604800000")));
                let resource = AlterConfigsResource::default()
                    .with_resource_type(TOPIC)
                    .with_resource_name(name)
                    .with_configs(vec![config]);
                let request = IncrementalAlterConfigsRequest::default()
                    .with_resources(vec![resource])
                    .with_validate_only(true);
                let response = client.send(&request).await?;
                response.responses.first().map(|response| response.error_code)
            }
            Self::DescribeTransactions => {
                let request = DescribeTransactionsRequest::default()
                    .with_transactional_ids(vec![TransactionalId(name)]);
                let response = client.send(&request).await?;
                response.transaction_states.first().map(|state| state.error_code)
            }
        };
        code.ok_or_else(|| ClientError::Malformed {
            address: client.address().clone(),
            detail: "the answer is empty".to_owned(),
        })
    }
}

/// Tries as nobody, where nobody is served at all.
pub(super) async fn probe_as_stranger(
    context: &Context<'_>,
    endpoint: &Endpoint,
    served: Option<Transport>,
    unsettled: Option<Trouble>,
) -> Result<(), CollectError> {
    let name = unused_name(context.recorder);
    for operation in OPERATIONS {
        let ask = context.ask("probe:UnauthenticatedOperation", endpoint, &members(operation, served, &name));
        let answer = match (served, &unsettled) {
            (Some(transport), _) => attempt_anonymously(context, endpoint, transport, operation, &name).await,
            (None, Some(trouble)) => Err(trouble.clone()),
            (None, None) => Ok(json!({"refused": true, "code": "not-served", "ended": null})),
        };
        context.recorder.settle(&ask, answer)?;
    }
    Ok(())
}

pub(super) fn record_unreachable(
    context: &Context<'_>,
    endpoint: &Endpoint,
    trouble: &Trouble,
) -> Result<(), CollectError> {
    let name = unused_name(context.recorder);
    for operation in OPERATIONS {
        let ask = context.ask("probe:UnauthenticatedOperation", endpoint, &members(operation, None, &name));
        context.recorder.trouble(&ask, trouble)?;
    }
    Ok(())
}

/// Tries as the scanner, which should not be able to either.
pub(in crate::kafka) async fn probe_as_scanner(
    connection: &mut Connection<'_>,
    recorder: &Recorder<'_>,
) -> Result<(), CollectError> {
    let name = unused_name(recorder);
    for operation in OPERATIONS {
        let mut request = serde_json::Map::from_iter([("probe".to_owned(), json!(true))]);
        request.extend(operation.request(&name).map(|(member, value)| (member.to_owned(), value)));
        let answer = match connection.client().await {
            Ok(client) => settle(operation.attempt(client, &name).await),
            Err(trouble) => Err(trouble),
        };
        recorder.settle(&recorder.ask("probe:DeniedOperation", Value::Object(request)), answer)?;
    }
    Ok(())
}

async fn attempt_anonymously(
    context: &Context<'_>,
    endpoint: &Endpoint,
    transport: Transport,
    operation: Operation,
    name: &str,
) -> Result<Value, Trouble> {
    let config = transport.config(context)?;
    let mut client = Client::connect_without_login(&endpoint.address, &config).await?;
    settle(operation.attempt(&mut client, name).await)
}

fn settle(attempt: Result<i16, ClientError>) -> Result<Value, Trouble> {
    let code = match attempt {
        Ok(code) => ResponseError::try_from_code(code),
        Err(error) => {
            let trouble = Trouble::from(error);
            if is_unsettled(&trouble) || trouble.code != "closed" {
                return Err(trouble);
            }
            return Ok(json!({"refused": true, "code": "not-served", "ended": "closed"}));
        }
    };
    match code {
        None => Ok(json!({"refused": false, "code": "NONE", "ended": null})),
        // There is no such topic or transaction, or it is another broker's: who is told so was allowed to ask.
        Some(
            code @ (ResponseError::UnknownTopicOrPartition
            | ResponseError::TransactionalIdNotFound
            | ResponseError::NotCoordinator
            | ResponseError::CoordinatorNotAvailable
            | ResponseError::CoordinatorLoadInProgress),
        ) => Ok(json!({"refused": false, "code": code_name(code), "ended": null})),
        Some(code) if code.is_retriable() => Err(Trouble::failed(&code_name(code), code.to_string())),
        Some(code) => Ok(json!({"refused": is_authorization(code), "code": code_name(code), "ended": null})),
    }
}

fn members(operation: Operation, transport: Option<Transport>, name: &str) -> Vec<(&'static str, Value)> {
    let mut members = vec![("transport", json!(transport.map(Transport::name)))];
    members.extend(operation.request(name));
    members
}

/// A name that no topic and no transactional id has.
fn unused_name(recorder: &Recorder<'_>) -> String {
    format!("cadastre-probe-{}", recorder.seconds())
}
