//! Settings of topics, brokers, groups, clients.

use cadastre_protocol::messages::describe_configs_request::DescribeConfigsResource;
use cadastre_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use cadastre_protocol::messages::{
    AlterConfigsRequest, DescribeConfigsRequest, IncrementalAlterConfigsRequest, ListConfigResourcesRequest,
    alter_configs_request,
};

use super::{create, text};
use crate::pair::Pair;

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const BROKER_LOGGER: i8 = 8;
const CLIENT_METRICS: i8 = 16;
const GROUP: i8 = 32;
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

pub(super) async fn run(pair: &mut Pair) -> anyhow::Result<()> {
    create(pair, "settings", 1, &[("retention.ms", Some("60000"))]).await?;
    describing(pair).await?;
    altering(pair).await?;
    pair.ask_all("topics", |_| listed(&[TOPIC])).await?;
    pair.ask_all("groups", |_| listed(&[GROUP])).await?;
    pair.ask_all("client metrics", |_| listed(&[CLIENT_METRICS])).await?;
    pair.ask_all("brokers", |_| listed(&[BROKER])).await?;
    pair.ask_all("a kind that is none", |_| listed(&[99])).await
}

fn listed(kinds: &[i8]) -> ListConfigResourcesRequest {
    ListConfigResourcesRequest::default().with_resource_types(kinds.to_vec())
}

async fn describing(pair: &mut Pair) -> anyhow::Result<()> {
    let ask = |kind: i8, name: &str, keys: Option<&[&str]>| {
        let resource = DescribeConfigsResource::default()
            .with_resource_type(kind)
            .with_resource_name(text(name))
            .with_configuration_keys(keys.map(|keys| keys.iter().map(|key| text(key)).collect()));
        DescribeConfigsRequest::default().with_resources(vec![resource])
    };
    pair.ask_all("every setting of a topic", |_| ask(TOPIC, "settings", None)).await?;
    pair.ask_all("with synonyms", |_| ask(TOPIC, "settings", None).with_include_synonyms(true)).await?;
    pair.ask_all("with documentation", |_| ask(TOPIC, "settings", None).with_include_documentation(true))
        .await?;
    pair.ask_all("two settings of a topic", |_| {
        ask(TOPIC, "settings", Some(&["retention.ms", "cleanup.policy"]))
    })
    .await?;
    pair.ask_all("a setting that is none", |_| ask(TOPIC, "settings", Some(&["no.such.setting"]))).await?;
    pair.ask_all("no setting", |_| ask(TOPIC, "settings", Some(&[]))).await?;
    pair.ask_all("an unknown topic", |_| ask(TOPIC, "absent", None)).await?;
    pair.ask_all("a topic that no name can be", |_| ask(TOPIC, "a/b", None)).await?;
    pair.ask_all("settings of the broker", |_| {
        ask(
            BROKER,
            "1",
            Some(&["num.partitions", "message.max.bytes", "log.retention.hours", "compression.type"]),
        )
    })
    .await?;
    pair.ask_all("settings of every broker", |_| ask(BROKER, "", Some(&["message.max.bytes"]))).await?;
    pair.ask_all("another broker", |_| ask(BROKER, "9", None)).await?;
    pair.ask_all("a broker that is no number", |_| ask(BROKER, "one", None)).await?;
    pair.ask_all("a group that nothing is set for", |_| ask(GROUP, "a-group", None)).await?;
    pair.ask_all("a group without a name", |_| ask(GROUP, "", None)).await?;
    pair.ask_all("client metrics that nothing is set for", |_| ask(CLIENT_METRICS, "metrics", None)).await?;
    pair.ask_all("a kind that is none", |_| ask(99, "x", None)).await
}

async fn altering(pair: &mut Pair) -> anyhow::Result<()> {
    let change = |kind: i8, name: &str, changes: &[(&str, i8, Option<&str>)]| {
        let configs = changes
            .iter()
            .map(|(key, operation, value)| {
                AlterableConfig::default()
                    .with_name(text(key))
                    .with_config_operation(*operation)
                    .with_value(value.map(text))
            })
            .collect();
        let resource = AlterConfigsResource::default()
            .with_resource_type(kind)
            .with_resource_name(text(name))
            .with_configs(configs);
        IncrementalAlterConfigsRequest::default().with_resources(vec![resource])
    };
    type Changes<'a> = &'a [(&'a str, i8, Option<&'a str>)];
    let cases: &[(&str, i8, &str, Changes<'_>)] = &[
        ("a setting of a topic", TOPIC, "settings", &[("retention.ms", SET, Some("70000"))]),
        ("back to the default", TOPIC, "settings", &[("retention.ms", DELETE, None)]),
        ("a setting that is none", TOPIC, "settings", &[("no.such.setting", SET, Some("1"))]),
        ("a value that is none", TOPIC, "settings", &[("retention.ms", SET, Some("soon"))]),
        ("no value", TOPIC, "settings", &[("retention.ms", SET, None)]),
        ("one more value of a list", TOPIC, "settings", &[("cleanup.policy", APPEND, Some("compact"))]),
        ("one value of a list less", TOPIC, "settings", &[("cleanup.policy", SUBTRACT, Some("delete"))]),
        ("one more value of what is no list", TOPIC, "settings", &[("retention.ms", APPEND, Some("1"))]),
        ("an operation that is none", TOPIC, "settings", &[("retention.ms", 9, Some("1"))]),
        (
            "the same setting twice",
            TOPIC,
            "settings",
            &[("retention.ms", SET, Some("1")), ("retention.ms", SET, Some("2"))],
        ),
        ("nothing", TOPIC, "settings", &[]),
        ("an unknown topic", TOPIC, "absent", &[("retention.ms", SET, Some("1"))]),
        ("a dynamic setting of the broker", BROKER, "1", &[("message.max.bytes", SET, Some("1048588"))]),
        ("a dynamic setting of every broker", BROKER, "", &[("message.max.bytes", SET, Some("1048588"))]),
        ("a setting that only a restart changes", BROKER, "1", &[("num.partitions", SET, Some("3"))]),
        ("a setting of the broker that is none", BROKER, "1", &[("no.such.setting", SET, Some("3"))]),
        ("another broker's setting", BROKER, "9", &[("message.max.bytes", SET, Some("1048588"))]),
        (
            "a group's session timeout",
            GROUP,
            "a-group",
            &[("consumer.session.timeout.ms", SET, Some("50000"))],
        ),
        (
            "a group's setting out of range",
            GROUP,
            "a-group",
            &[("consumer.session.timeout.ms", SET, Some("1"))],
        ),
        ("a group's setting that is none", GROUP, "a-group", &[("no.such.setting", SET, Some("1"))]),
        ("a group without a name", GROUP, "", &[("consumer.session.timeout.ms", SET, Some("50000"))]),
        ("client metrics", CLIENT_METRICS, "metrics", &[("interval.ms", SET, Some("1000"))]),
        (
            "client metrics' setting that is none",
            CLIENT_METRICS,
            "metrics",
            &[("no.such.setting", SET, Some("1"))],
        ),
        ("a logger", BROKER_LOGGER, "1", &[("root", SET, Some("INFO"))]),
        ("a kind that is none", 99, "x", &[("retention.ms", SET, Some("1"))]),
    ];
    for (case, kind, name, changes) in cases {
        pair.ask_all(&format!("{case}, only validated"), |_| {
            change(*kind, name, changes).with_validate_only(true)
        })
        .await?;
        pair.ask_all(case, |_| change(*kind, name, changes)).await?;
    }
    let ask = |keys: &[&str]| {
        let resource = DescribeConfigsResource::default()
            .with_resource_type(TOPIC)
            .with_resource_name(text("settings"))
            .with_configuration_keys(Some(keys.iter().map(|key| text(key)).collect()));
        DescribeConfigsRequest::default().with_resources(vec![resource]).with_include_synonyms(true)
    };
    pair.ask_all("after changes", |_| ask(&["retention.ms", "cleanup.policy", "max.message.bytes"])).await?;
    let replace = |name: &str, configs: &[(&str, Option<&str>)]| {
        let configs = configs
            .iter()
            .map(|(key, value)| {
                alter_configs_request::AlterableConfig::default()
                    .with_name(text(key))
                    .with_value(value.map(text))
            })
            .collect();
        let resource = alter_configs_request::AlterConfigsResource::default()
            .with_resource_type(TOPIC)
            .with_resource_name(text(name))
            .with_configs(configs);
        AlterConfigsRequest::default().with_resources(vec![resource])
    };
    pair.ask_all("every setting replaced", |_| replace("settings", &[("max.message.bytes", Some("4096"))]))
        .await?;
    pair.ask_all("replaced by a setting that is none", |_| {
        replace("settings", &[("no.such.setting", Some("1"))])
    })
    .await?;
    pair.ask_all("of an unknown topic", |_| replace("absent", &[("max.message.bytes", Some("4096"))]))
        .await?;
    pair.ask_all("after all were replaced", |_| ask(&["retention.ms", "cleanup.policy", "max.message.bytes"]))
        .await
}
