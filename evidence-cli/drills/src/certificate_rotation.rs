//! The `certificate-rotation` drill: the listener's certificate is replaced while clients stay connected.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use cadastre_model::declaration::SecurityProtocol;
use cadastre_model::drill_target::Hook;
use rdkafka::consumer::{Consumer as _, StreamConsumer};
use rdkafka::statistics::Statistics;
use rdkafka::{ClientContext, Offset, TopicPartitionList};

use crate::bench::Bench;
use crate::error::{DrillError, step};
use crate::load::Load;
use crate::name::DrillName;
use crate::plan::Plan;
use crate::target::Target;
use crate::tls;

/// Acknowledged records before and after.
const RECORDS: u64 = 500;

/// The longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn plan(target: &Target) -> Plan {
    let plan = Plan::of(
        DrillName::CertificateRotation,
        &[
            "connect clients, write and read without a pause",
            "replace the listener's certificate",
            "see the new certificate on new connections, and no connection lost",
        ],
    );
    let plan = match target.hooks.told(Hook::RotateCertificate) {
        Some(command) => plan.touching(format!("runs `{command}`")),
        None => plan,
    };
    plan.unless(cannot(target))
}

fn cannot(target: &Target) -> Option<String> {
    if !matches!(target.administrator.protocol, SecurityProtocol::Ssl | SecurityProtocol::SaslSsl) {
        return Some("the listener has no certificate".to_owned());
    }
    (!target.hooks.declares(Hook::RotateCertificate)).then(|| {
        "nothing says how the certificate is replaced: declare `rotate-certificate`; the bundled broker reads its key store anew when the file changes, and on SIGHUP"
            .to_owned()
    })
}

/// How many connections a client lost, by broker, as librdkafka counts them.
#[derive(Debug, Clone, Default)]
struct Disconnects {
    by_broker: Arc<Mutex<BTreeMap<String, i64>>>,
}

impl ClientContext for Disconnects {
    fn stats(&self, statistics: Statistics) {
        let mut seen = self.by_broker.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, broker) in statistics.brokers {
            seen.insert(name, broker.disconnects.unwrap_or_default());
        }
    }
}

impl rdkafka::consumer::ConsumerContext for Disconnects {}

impl Disconnects {
    fn total(&self) -> i64 {
        self.by_broker.lock().unwrap_or_else(PoisonError::into_inner).values().sum()
    }
}

pub(crate) async fn run(bench: &Bench<'_>) -> Result<(), DrillError> {
    let connection = &bench.target.administrator;
    let before = tls::certificates(connection).await?;
    let topic = bench.topic("load", 1).await?;
    let load = Load::start(connection, &topic, bench.run)?;
    load.wait_for(RECORDS, PATIENCE).await?;
    let disconnects = Disconnects::default();
    let consumer: StreamConsumer<Disconnects> = connection
        .client()
        .set("group.id", "cadastre-drill-reader")
        .set("enable.auto.commit", "false")
        .set("statistics.interval.ms", "200")
        .create_with_context(disconnects.clone())
        .map_err(DrillError::Client)?;
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&topic, 0, Offset::Beginning).map_err(step("assigning"))?;
    consumer.assign(&list).map_err(step("assigning"))?;
    consume(&consumer, Duration::from_secs(1)).await;
    let lost_before = disconnects.total();

    bench.step("replacing the certificate");
    let began = Instant::now();
    bench.target.hooks.run(Hook::RotateCertificate, None).await?;
    let mut after = tls::certificates(connection).await?;
    while after == before && began.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(100)).await;
        after = tls::certificates(connection).await?;
    }
    bench.measure_time("rotation", began.elapsed());
    bench.detail("certificates_before", before.clone());
    bench.detail("certificates_after", after.clone());
    bench.check(
        "new connections are shown the new certificate",
        after != before,
        format!("SHA-256 {}", after.join(", ")),
        began,
    );
    load.wait_for(load.acknowledged() + RECORDS, PATIENCE).await?;
    let read = consume(&consumer, Duration::from_secs(1)).await;
    let lost = disconnects.total() - lost_before;
    bench.measure("connections_lost", u64::try_from(lost).unwrap_or_default());
    bench.measure("records_read_meanwhile", read);
    bench.check(
        "no connected client is disconnected",
        lost == 0 && read > 0,
        format!("{lost} connections lost, {read} records read meanwhile"),
        began,
    );
    let ledger = load.stop().await?;
    let started = Instant::now();
    let read = ledger.read_back(connection, &topic, bench.run, PATIENCE).await?;
    bench.measure("records_lost", read.lost_count);
    bench.check("nothing that was acknowledged is lost", read.is_whole(), read.told(), started);
    Ok(())
}

/// Reads for a while; tells how many records came.
async fn consume(consumer: &StreamConsumer<Disconnects>, time: Duration) -> u64 {
    let started = Instant::now();
    let mut read = 0;
    while let Some(left) = time.checked_sub(started.elapsed()) {
        if let Ok(Ok(_)) = tokio::time::timeout(left, consumer.recv()).await {
            read += 1;
        }
    }
    read
}
