//! Measures commits on a PostgreSQL of its own and prints a Markdown table:
//! `cargo run --release -p cadastre-sequencer --example measure`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a program that only developers run, beside the tests whose helpers it uses"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cadastre_protocol::types::{TopicId, TopicPartition};
use cadastre_sequencer::{
    BatchFacts, BrokerEpoch, CommitRequest, ObjectId, PartitionAppend, PostgresSequencer, ProducerStamp,
    Sequencer, TransactionRole,
};
use support::{Server, fresh_schema, open};

const MEASURED_FOR: Duration = Duration::from_secs(4);
/// Each object holds one batch for each of this many partitions.
const BATCHES: i32 = 50;

/// One line of the table.
struct Case {
    brokers: i32,
    in_flight: u64,
    shares_partitions: bool,
}

#[tokio::main]
async fn main() {
    let server = Server::start(false).unwrap();
    println!(
        "| brokers | objects in flight, each | partitions | objects/s | batches/s | transactions/s | p50 ms | p99 ms |"
    );
    println!("| ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: |");
    for (brokers, in_flight, shares_partitions) in
        [(1, 1, false), (1, 8, false), (1, 32, false), (2, 8, false), (4, 8, false), (2, 8, true)]
    {
        let case = Case { brokers, in_flight, shares_partitions };
        println!("{}", case.measure(&server).await);
    }
}

impl Case {
    async fn measure(&self, server: &Server) -> String {
        let schema = fresh_schema();
        let mut clients = Vec::new();
        for node in 0..self.brokers {
            let sequencer = open(server, &schema).await;
            let epoch = sequencer.register(node, b"").await.unwrap();
            let topic = TopicId([u8::try_from(if self.shares_partitions { 0 } else { node }).unwrap(); 16]);
            let count = BATCHES * i32::try_from(self.in_flight).unwrap();
            sequencer.create_partitions(epoch, topic, count).await.unwrap();
            clients.push((sequencer, epoch, topic));
        }
        let transactions = || -> f64 {
            server
                .psql("SELECT xact_commit FROM pg_stat_database WHERE datname = 'postgres'")
                .unwrap()
                .parse()
                .unwrap()
        };
        // Statistics are flushed with a delay of up to a second.
        tokio::time::sleep(Duration::from_millis(1100)).await;
        let before = transactions();
        let started = Instant::now();
        let mut tasks = tokio::task::JoinSet::new();
        for (sequencer, epoch, topic) in clients {
            let numbers = Arc::new(AtomicU64::new(0));
            for client in 0..self.in_flight {
                tasks.spawn(append(sequencer.clone(), epoch, topic, client, Arc::clone(&numbers), started));
            }
        }
        let mut latencies: Vec<Duration> = tasks.join_all().await.into_iter().flatten().collect();
        let seconds = started.elapsed().as_secs_f64();
        tokio::time::sleep(Duration::from_millis(1100)).await;
        let transactions = (transactions() - before) / seconds;
        latencies.sort_unstable();
        let at = |share: usize| latencies[latencies.len() * share / 100].as_secs_f64() * 1000.0;
        let objects = f64::from(u32::try_from(latencies.len()).unwrap()) / seconds;
        let partitions = if self.shares_partitions { "shared" } else { "own" };
        format!(
            "| {} | {} | {partitions} | {objects:.0} | {:.0} | {transactions:.0} | {:.1} | {:.1} |",
            self.brokers,
            self.in_flight,
            objects * f64::from(BATCHES),
            at(50),
            at(99)
        )
    }
}

/// One idempotent client, with partitions of its own, that waits for each object.
async fn append(
    sequencer: PostgresSequencer,
    epoch: BrokerEpoch,
    topic: TopicId,
    client: u64,
    numbers: Arc<AtomicU64>,
    started: Instant,
) -> Vec<Duration> {
    let first = i32::try_from(client).unwrap() * BATCHES;
    let mut latencies = Vec::new();
    for sequence in 0.. {
        let appends = (first..first + BATCHES).zip(0u32..).map(|(partition, first_block)| PartitionAppend {
            partition: TopicPartition { topic, partition },
            first_block,
            batches: vec![BatchFacts {
                offsets: 1,
                bytes: 1000,
                maximum_timestamp: 0,
                producer: Some(ProducerStamp {
                    id: epoch.0 * 1000 + i64::try_from(client).unwrap(),
                    epoch: 0,
                    base_sequence: sequence,
                    last_sequence: sequence,
                    role: TransactionRole::None,
                }),
            }],
        });
        let object = ObjectId { epoch, number: numbers.fetch_add(1, Ordering::Relaxed) };
        let request =
            CommitRequest { object, object_bytes: 1, appended_at_ms: 1, appends: appends.collect() };
        let sent = Instant::now();
        sequencer.commit(request).await.unwrap();
        latencies.push(sent.elapsed());
        if started.elapsed() >= MEASURED_FOR {
            break;
        }
    }
    latencies
}
