//! The page of metrics. Names follow what the JMX exporter makes of Kafka's own, where Kafka has the same; the rest begins with
//! `cadastre_`.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeLabelSet, LabelSetEncoder, MetricEncoder, NoLabelSet,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use super::health::HealthCheck;
use super::histogram::{Histogram, Snapshot};
use super::watched_keys::{Operation, WatchedKeys};
use crate::config::storage::StorageMode;
use crate::node::Node;

/// Kafka's number for a broker that runs (`BrokerState`).
const RUNNING: i64 = 3;
/// Kafka's number for a broker that is about to stop.
const PENDING_CONTROLLED_SHUTDOWN: i64 = 6;

/// The page, as it is now.
///
/// # Errors
///
/// None: a text can always be written to.
pub(super) fn text(check: &HealthCheck) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    let (node, keys) = (Arc::clone(check.node()), Arc::clone(check.keys()));
    registry.register_collector(Box::new(Exposition { node, keys }));
    let mut text = String::with_capacity(32 * 1024);
    encode(&mut text, &registry)?;
    Ok(text)
}

#[derive(Debug)]
struct Exposition {
    node: Arc<Node>,
    keys: Arc<WatchedKeys>,
}

/// Labels of one sample.
#[derive(Debug, Clone, Copy)]
struct Labels<'label>(&'label [(&'static str, &'label str)]);

impl EncodeLabelSet for Labels<'_> {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> fmt::Result {
        self.0.encode(encoder)
    }
}

/// Writes families of samples.
struct Page<'page>(DescriptorEncoder<'page>);

impl Page<'_> {
    fn family(
        &mut self,
        (name, help): (&str, &str),
        kind: MetricType,
        write: impl FnOnce(&mut MetricEncoder<'_>) -> fmt::Result,
    ) -> fmt::Result {
        write(&mut self.0.encode_descriptor(name, help, None, kind)?)
    }

    /// A counter; the suffix `_total` is added to its name.
    fn counter(&mut self, described: (&str, &str), value: u64) -> fmt::Result {
        self.family(described, MetricType::Counter, |family| {
            family.encode_counter::<NoLabelSet, _, u64>(&value, None)
        })
    }

    /// A counter for each value of one label.
    fn counters<'value>(
        &mut self,
        described: (&str, &str),
        label: &'static str,
        values: impl IntoIterator<Item = (&'value str, u64)>,
    ) -> fmt::Result {
        self.family(described, MetricType::Counter, |family| {
            for (name, value) in values {
                let labels = [(label, name)];
                let labels = Labels(&labels);
                family.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&value, None)?;
            }
            Ok(())
        })
    }

    fn gauge(&mut self, described: (&str, &str), value: i64) -> fmt::Result {
        self.family(described, MetricType::Gauge, |family| family.encode_gauge(&value))
    }

    /// A moment; left out while there was none.
    fn moment(&mut self, described: (&str, &str), milliseconds: Option<i64>) -> fmt::Result {
        let Some(milliseconds) = milliseconds else { return Ok(()) };
        let seconds = seconds(u64::try_from(milliseconds).unwrap_or(0), 1_000.0);
        self.family(described, MetricType::Gauge, |family| family.encode_gauge(&seconds))
    }
}

#[expect(clippy::cast_precision_loss, reason = "a fraction of a millisecond is lost in thousands of years")]
fn seconds(parts: u64, each: f64) -> f64 {
    parts as f64 / each
}

/// Writes a histogram whose unit is so many microseconds.
fn write_histogram(encoder: &mut MetricEncoder<'_>, histogram: &Histogram, unit_us: f64) -> fmt::Result {
    let Snapshot { sum_us, count, buckets } = histogram.snapshot();
    let buckets: Vec<(f64, u64)> =
        buckets.into_iter().map(|(bound, count)| (bound / unit_us, count)).collect();
    encoder.encode_histogram::<NoLabelSet>(seconds(sum_us, unit_us), count, &buckets, None)
}

fn wide(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

impl Collector for Exposition {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page(encoder);
        self.broker(&mut page)?;
        self.topics(&mut page)?;
        self.requests(&mut page)?;
        self.connections(&mut page)?;
        self.groups(&mut page)?;
        self.storage(&mut page)?;
        self.key_service(&mut page)?;
        process(&mut page)
    }
}

impl Exposition {
    fn broker(&self, page: &mut Page<'_>) -> fmt::Result {
        let node = &self.node;
        let node_id = node.config.node_id.to_string();
        let mode = match node.config.storage.mode {
            StorageMode::Embedded => "embedded",
            StorageMode::Cluster(_) => "cluster",
        };
        let labels = [
            ("version", env!("CARGO_PKG_VERSION")),
            ("cluster_id", node.cluster_id.as_str()),
            ("node_id", node_id.as_str()),
            ("mode", mode),
        ];
        page.family(("cadastre_broker", "Which broker this is"), MetricType::Info, |family| {
            family.encode_info(&Labels(&labels))
        })?;
        let state = if *node.stopping.borrow() { PENDING_CONTROLLED_SHUTDOWN } else { RUNNING };
        page.gauge(
            (
                "kafka_server_kafkaserver_brokerstate",
                "The state of the broker: 3 running, 6 about to stop, as Kafka numbers them",
            ),
            state,
        )?;
        let brokers = node.storage.registry().map_or(1, |registry| registry.borrow().brokers.len());
        page.gauge(
            ("kafka_controller_kafkacontroller_activebrokercount", "Brokers of the cluster that live"),
            wide(brokers),
        )?;
        let topics = node.topics.all();
        let partitions: i64 = topics.iter().map(|topic| i64::from(topic.partitions)).sum();
        page.gauge(("kafka_controller_kafkacontroller_globaltopiccount", "Topics"), wide(topics.len()))?;
        page.gauge(("kafka_controller_kafkacontroller_globalpartitioncount", "Partitions"), partitions)
    }

    fn topics(&self, page: &mut Page<'_>) -> fmt::Result {
        let (records_in, bytes_in, bytes_out) = self.node.usage.records();
        page.counter(
            ("kafka_server_brokertopicmetrics_messagesin", "Records that became durable"),
            records_in,
        )?;
        page.counter(
            ("kafka_server_brokertopicmetrics_bytesin", "Bytes of record batches that became durable"),
            bytes_in,
        )?;
        page.counter(
            ("kafka_server_brokertopicmetrics_bytesout", "Bytes of record batches that were handed out"),
            bytes_out,
        )?;
        let asked = |wanted| {
            let requests = self.node.counters.requests().find(|counts| counts.api == wanted);
            requests.map_or(0, |counts| counts.times.snapshot().count)
        };
        page.counter(
            ("kafka_server_brokertopicmetrics_totalproducerequests", "Produce requests"),
            asked(cadastre_protocol::ApiKey::Produce),
        )?;
        page.counter(
            ("kafka_server_brokertopicmetrics_totalfetchrequests", "Fetch requests"),
            asked(cadastre_protocol::ApiKey::Fetch),
        )?;
        let (produce, fetch) = self.node.counters.failed_requests();
        page.counter(
            (
                "kafka_server_brokertopicmetrics_failedproducerequests",
                "Produce requests of which a partition failed",
            ),
            produce,
        )?;
        page.counter(
            (
                "kafka_server_brokertopicmetrics_failedfetchrequests",
                "Fetch requests of which a partition failed",
            ),
            fetch,
        )
    }

    fn requests(&self, page: &mut Page<'_>) -> fmt::Result {
        let counted: Vec<_> = self
            .node
            .counters
            .requests()
            .map(|counts| (format!("{:?}", counts.api), &counts.times))
            .collect();
        page.counters(
            ("kafka_network_requestmetrics_requests", "Requests that were answered"),
            "request",
            counted.iter().map(|(name, times)| (name.as_str(), times.snapshot().count)),
        )?;
        page.family(
            (
                "kafka_network_requestmetrics_totaltimems",
                "Milliseconds from a whole request to its answer, what it waits for included",
            ),
            MetricType::Histogram,
            |family| {
                // Buckets of what nobody asks for would be most of the page.
                for (name, times) in counted.iter().filter(|(_, times)| times.snapshot().count > 0) {
                    let labels = [("request", name.as_str())];
                    write_histogram(&mut family.encode_family(&Labels(&labels))?, times, 1_000.0)?;
                }
                Ok(())
            },
        )
    }

    fn connections(&self, page: &mut Page<'_>) -> fmt::Result {
        let listeners = self.node.bound.get().map(Vec::as_slice).unwrap_or_default();
        page.family(
            ("kafka_server_socketservermetrics_connection_count", "Connections that are open"),
            MetricType::Gauge,
            |family| {
                for listener in listeners {
                    let labels = [("listener", listener.config.name.as_str())];
                    family.encode_family(&Labels(&labels))?.encode_gauge(&listener.counts.open())?;
                }
                Ok(())
            },
        )?;
        let totals = [
            ("kafka_server_socketservermetrics_connection_creation", "Connections that were accepted"),
            ("cadastre_connections_refused", "Connections that were over a limit"),
            (
                "kafka_server_socketservermetrics_successful_authentication",
                "SASL exchanges that told who the client is",
            ),
            ("kafka_server_socketservermetrics_failed_authentication", "SASL exchanges that failed"),
        ];
        for (place, described) in totals.into_iter().enumerate() {
            let values = listeners.iter().map(|listener| {
                let total = listener.counts.totals().get(place).copied();
                (listener.config.name.as_str(), total.unwrap_or(0))
            });
            page.counters(described, "listener", values)?;
        }
        page.gauge(
            ("cadastre_requests_in_progress", "Requests that are being answered, or wait for something"),
            self.node.counters.in_progress(),
        )?;
        page.gauge(
            ("cadastre_request_memory_bytes", "Memory that requests hold which are not answered yet"),
            wide(self.node.request_memory.held()),
        )
    }

    fn groups(&self, page: &mut Page<'_>) -> fmt::Result {
        let mut by_state = std::collections::BTreeMap::new();
        let none: [&str; 0] = [];
        let groups = self.node.groups.list(&none, &none);
        for group in &groups {
            *by_state.entry(group.state.to_string()).or_insert(0_i64) += 1;
        }
        page.gauge(
            ("kafka_coordinator_group_groupmetadatamanager_numgroups", "Groups that this broker coordinates"),
            wide(groups.len()),
        )?;
        page.family(
            ("cadastre_groups", "Groups that this broker coordinates, by their state"),
            MetricType::Gauge,
            |family| {
                for (state, count) in &by_state {
                    let labels = [("state", state.as_str())];
                    family.encode_family(&Labels(&labels))?.encode_gauge(count)?;
                }
                Ok(())
            },
        )
    }

    fn storage(&self, page: &mut Page<'_>) -> fmt::Result {
        let counters = &self.node.counters;
        page.family(
            ("cadastre_storage_append_seconds", "Time from a batch that was found valid until it is durable"),
            MetricType::Histogram,
            |family| write_histogram(family, &counters.appends, 1_000_000.0),
        )?;
        page.moment(
            ("cadastre_storage_last_append_timestamp_seconds", "When a batch last became durable"),
            counters.last_append_ms(),
        )?;
        let has_failed = self.node.storage.failure().is_some();
        page.gauge(
            ("cadastre_storage_failed", "1 when the storage takes no writes until a new start"),
            i64::from(has_failed),
        )?;
        let store = self.node.storage.store_counts();
        page.counters(
            ("cadastre_object_store_requests", "Attempts of requests to the object store"),
            "kind",
            [("delete", store.deletes), ("get", store.gets), ("list", store.lists), ("put", store.puts)],
        )?;
        page.counters(
            (
                "cadastre_object_store_troubles",
                "Attempts that were repeated or timed out, and requests that failed",
            ),
            "kind",
            [("failure", store.failures), ("retry", store.retries), ("timeout", store.timeouts)],
        )?;
        page.counters(
            ("cadastre_object_store_bytes", "Bytes of objects that were moved"),
            "direction",
            [("read", store.bytes_read), ("written", store.bytes_written)],
        )
    }

    fn key_service(&self, page: &mut Page<'_>) -> fmt::Result {
        page.family(
            ("cadastre_key_service_calls", "Calls of the key service"),
            MetricType::Counter,
            |family| {
                for operation in Operation::ALL {
                    let [succeeded, failed] = self.keys.calls(operation);
                    for (outcome, count) in [("failure", failed), ("success", succeeded)] {
                        let labels = [("operation", operation.name()), ("outcome", outcome)];
                        let labels = Labels(&labels);
                        family.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&count, None)?;
                    }
                }
                Ok(())
            },
        )?;
        page.moment(
            (
                "cadastre_key_service_last_success_timestamp_seconds",
                "When the key service last gave what it was asked for",
            ),
            self.keys.last_success_ms(),
        )?;
        page.moment(
            ("cadastre_data_key_created_timestamp_seconds", "When a data key was last made"),
            self.keys.last_generated_ms(),
        )?;
        page.counter(
            ("cadastre_key_ledger_events", "Events in the ledger of key uses since the start"),
            self.node.usage.key_events(),
        )
    }
}

/// What the system says about the process; left out where it says nothing.
fn process(page: &mut Page<'_>) -> fmt::Result {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let resident = status.lines().find_map(|line| {
        line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse::<i64>().ok()?.checked_mul(1024)
    });
    if let Some(resident) = resident {
        page.gauge(("process_resident_memory_bytes", "Resident memory"), resident)?;
    }
    if let Ok(descriptors) = std::fs::read_dir("/proc/self/fd") {
        page.gauge(("process_open_fds", "Open file descriptors"), wide(descriptors.count()))?;
    }
    Ok(())
}
