//! One run: a seed makes a world, its brokers, clients and misfortunes; in the end everything is read back.

use std::sync::Arc;

use cadastre_keys::{KeyProvider as _, LocalKeyFile};
use cadastre_protocol::types::TopicPartition;
use cadastre_sequencer::MemorySequencer;
use cadastre_storage::{MetadataKind, ReadError, RewriteSettings, Storage};
use futures::future::{Either, join_all, select};
use object_store::memory::InMemory;

use crate::broker::{Broker, Site, SiteKind};
use crate::clients::{Client, decode_offset};
use crate::disk::Disk;
use crate::faults::{FaultRates, KeyTrouble};
use crate::ledger::{Counts, Ledger, Violation};
use crate::random::Random;
use crate::sabotage::{Sabotage, Saboteur};
use crate::trace::Trace;
use crate::world::World;

/// The mode that is simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SimulatedMode {
    /// One broker with a disk.
    Embedded,
    /// Two or three brokers over a bucket and a database.
    Cluster,
}

/// What to run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Everything follows from it.
    pub seed: u64,
    /// The mode.
    pub mode: SimulatedMode,
    /// What the brokers are to do wrong.
    pub sabotage: Sabotage,
    /// Whether the trace's lines are kept.
    pub keeps_trace: bool,
}

/// What came of a run.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Everything that is wrong.
    pub violations: Vec<Violation>,
    /// SHA-256 of the trace.
    pub fingerprint: String,
    /// Number of events in the trace.
    pub events: u64,
    /// The trace's lines, if they were kept.
    pub trace: Vec<String>,
    /// How much happened.
    pub counts: Counts,
    /// How often a broker was started.
    pub starts: u64,
}

/// Runs a plan on a thread of its own time. `key` serves every run; what is random in it never shows.
///
/// # Errors
/// When the runtime cannot be made.
pub fn run(plan: &Plan, key: &Arc<LocalKeyFile>) -> std::io::Result<Outcome> {
    let mut random = Random::new(plan.seed);
    // The first outputs of neighbouring seeds are no more alike than any others.
    let rates = FaultRates::draw(&mut random);
    let world = World::new(random.fork(), rates, Trace::new(plan.keeps_trace));
    let time = world.time().clone();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .on_thread_park(move || time.advance())
        .build()?;
    let ledger = Ledger::default();
    let stage = Stage { world: world.clone(), ledger: ledger.clone(), sabotage: plan.sabotage };
    let starts = runtime.block_on(async {
        let whole = Box::pin(stage.play(plan.mode, random, Arc::clone(key)));
        match select(whole, world.time().stalled()).await {
            Either::Left((starts, _)) => starts,
            Either::Right(((), _)) => {
                ledger.violation(Violation::Broken { what: "everybody waits for ever".to_owned() });
                0
            }
        }
    });
    drop(runtime);
    let (fingerprint, events, trace) = world.trace();
    let violations = ledger.violations();
    Ok(Outcome { violations, fingerprint, events, trace, counts: ledger.counts(), starts })
}

#[derive(Clone)]
struct Stage {
    world: World,
    ledger: Ledger,
    sabotage: Sabotage,
}

impl Stage {
    async fn play(self, mode: SimulatedMode, mut random: Random, key: Arc<LocalKeyFile>) -> u64 {
        let brokers = self.brokers(mode, &mut random, key);
        let mut starts = 0;
        for broker in &brokers {
            starts += self.start(broker).await;
        }
        let saboteur = Saboteur::new(self.sabotage, self.world.clone());
        let mut number = 0;
        let mut client = |random: &mut Random, operations: u64| {
            number += 1;
            Client {
                number,
                world: self.world.clone(),
                ledger: self.ledger.clone(),
                brokers: brokers.clone(),
                saboteur: saboteur.clone(),
                random: random.fork(),
                operations: u32::try_from(operations).unwrap_or(u32::MAX),
            }
        };
        let mut first = client(&mut random, 0);
        for _ in 0..2 {
            first.create_topic().await;
        }
        let mut tasks = Vec::new();
        for _ in 0..random.between(2, 4) {
            let is_idempotent = random.chance(800);
            let operations = random.between(8, 30);
            tasks.push(tokio::spawn(client(&mut random, operations).produce(is_idempotent)));
        }
        for _ in 0..random.between(1, 2) {
            tasks.push(tokio::spawn(client(&mut random, 30).consume()));
        }
        tasks.push(tokio::spawn(client(&mut random, 15).group()));
        let administered = if self.sabotage == Sabotage::ServesDeleted { 12 } else { random.below(8) };
        tasks.push(tokio::spawn(client(&mut random, administered).administer()));
        let supervisors: Vec<_> = brokers
            .iter()
            .map(|broker| tokio::spawn(self.clone().supervise(broker.clone(), random.fork())))
            .collect();
        let keepers: Vec<_> = brokers
            .iter()
            .map(|broker| tokio::spawn(self.clone().keep_house(broker.clone(), random.fork())))
            .collect();
        let misfortune = tokio::spawn(self.clone().misfortune(brokers.clone(), random.fork()));
        for ended in join_all(tasks).await {
            if ended.is_err() {
                self.ledger.violation(Violation::Broken { what: "a client panicked".to_owned() });
            }
        }
        misfortune.abort();
        supervisors.iter().chain(&keepers).for_each(tokio::task::JoinHandle::abort);
        self.world.heal();
        self.world.note(format_args!("healed"));
        for broker in &brokers {
            self.end_somehow(broker, &mut random).await;
        }
        // What is still on its way arrives or never will.
        self.world.sleep(20_000_000).await;
        for broker in &brokers {
            starts += self.start(broker).await;
        }
        for broker in &brokers {
            self.read_back(broker).await;
        }
        starts
    }

    fn brokers(&self, mode: SimulatedMode, random: &mut Random, key: Arc<LocalKeyFile>) -> Vec<Broker> {
        let world = self.world.clone();
        let kind = match mode {
            SimulatedMode::Embedded => SiteKind::Embedded {
                disk: Disk::new(world.clone(), self.sabotage == Sabotage::LyingDisk),
                segment_bytes: random.between(5_000, 40_000),
                packs: self.sabotage == Sabotage::ForgetfulStore || random.chance(600),
            },
            SimulatedMode::Cluster => SiteKind::Cluster {
                database: MemorySequencer::new(),
                objects_in_flight: usize::try_from(random.between(1, 4)).unwrap_or(1),
            },
        };
        let site = Site {
            world,
            key,
            bucket: Arc::new(InMemory::new()),
            bucket_forgets_one_in: if self.sabotage == Sabotage::ForgetfulStore { 8 } else { 0 },
            kind,
            cache_bytes: if random.chance(500) { 0 } else { 64 << 20 },
            object_bytes: usize::try_from(random.between(300, 6_000)).unwrap_or(6_000),
        };
        let count = match mode {
            SimulatedMode::Embedded => 1,
            SimulatedMode::Cluster => random.between(2, 3),
        };
        (1..).zip(0..count).map(|(node_id, _)| Broker::new(node_id, site.clone())).collect()
    }

    /// Starts a broker, as often as it takes; how often that was.
    async fn start(&self, broker: &Broker) -> u64 {
        // A start needs the key of every segment, and one refusal ends it: where keys are refused often, many starts are.
        const MOST: u64 = 3000;
        for attempt in 1..=MOST {
            match broker.start().await {
                Ok(()) => {
                    let report =
                        broker.storage().map(|storage| storage.recovery().clone()).unwrap_or_default();
                    let (torn, damage) = (report.torn_tail.is_some(), report.damage.len());
                    let missing = report.missing_records.len();
                    self.world.note(format_args!(
                        "broker {} is up; torn: {torn}, damaged ranges: {damage}, missing: {missing}",
                        broker.node_id()
                    ));
                    return attempt;
                }
                Err(Some(error)) => {
                    // The key's name is drawn for each process.
                    let reason = error.to_string().replace(broker.site().key.key_id(), "the key");
                    self.world.note(format_args!("broker {} does not start: {reason}", broker.node_id()));
                }
                Err(None) => self.world.note(format_args!("broker {} dies at start", broker.node_id())),
            }
            self.world.sleep(200_000).await;
        }
        let what = format!("broker {} does not start", broker.node_id());
        self.ledger.violation(Violation::Broken { what });
        MOST
    }

    async fn end_somehow(&self, broker: &Broker, random: &mut Random) {
        match random.below(3) {
            0 => broker.stop().await,
            1 => broker.kill(),
            _ => {
                broker.kill();
                self.lose_power(broker);
            }
        }
    }

    fn lose_power(&self, broker: &Broker) {
        if let SiteKind::Embedded { disk, .. } = &broker.site().kind {
            self.world.note(format_args!("the power goes"));
            disk.lose_power();
        }
    }

    /// Starts a broker again that is down.
    async fn supervise(self, broker: Broker, mut random: Random) {
        loop {
            self.world.sleep(random.between(20_000, 300_000)).await;
            if broker.is_down() {
                broker.kill();
                if random.chance(500) {
                    self.lose_power(&broker);
                }
                self.start(&broker).await;
            }
        }
    }

    /// What a broker does from time to time.
    async fn keep_house(self, broker: Broker, mut random: Random) {
        const PATIENCE: u64 = 20_000_000;
        loop {
            self.world.sleep(random.between(30_000, 500_000)).await;
            let Some(storage) = broker.storage() else { continue };
            let now_ms = broker.clock().now_ms();
            let merging = RewriteSettings {
                cleaning: None,
                object_bytes: random.between(50, 1_500),
                maximum_keys: 1_000,
            };
            let ledger = self.ledger.clone();
            // What fails now is done the next time.
            let work = tokio::spawn(async move {
                let packed = storage.pack(now_ms).await.is_ok();
                for partition in storage.partitions() {
                    if let Ok(report) = storage.rewrite(partition, merging, now_ms).await {
                        ledger.rewrote(report.objects);
                    }
                }
                (packed, storage.reclaim().await.is_ok())
            });
            drop(self.world.within(PATIENCE, work).await);
        }
    }

    /// Everything that happens to brokers and what they depend on.
    async fn misfortune(self, brokers: Vec<Broker>, mut random: Random) {
        loop {
            self.world.sleep(random.between(50_000, 1_200_000)).await;
            let now = self.world.now();
            let until = now.saturating_add(random.between(10_000, 3_000_000));
            let index = usize::try_from(random.below(brokers.len() as u64)).unwrap_or_default();
            let Some(broker) = brokers.get(index) else { return };
            let node = broker.node_id();
            match random.below(10) {
                0 | 1 => {
                    self.world.note(format_args!("broker {node} is killed"));
                    broker.kill();
                }
                2 => {
                    self.world.note(format_args!("broker {node} is stopped"));
                    broker.stop().await;
                }
                3 => {
                    self.world.note(format_args!("broker {node} pauses until {until}"));
                    if let Some(process) = broker.process() {
                        process.pause(until.saturating_sub(now));
                    }
                    if random.chance(500) {
                        self.world.note(format_args!("broker {node} is fenced"));
                        broker.fence().await;
                    }
                }
                4 => self.world.set_outages(|outages| outages.store_until = until),
                5 => self.world.set_outages(|outages| outages.database_until = until),
                6 => {
                    let trouble = KeyTrouble::draw(&mut random);
                    self.world.set_outages(|outages| {
                        outages.keys_until = until;
                        outages.keys_trouble = trouble;
                    });
                }
                7 => self.world.set_outages(|outages| outages.disk_full_until = until),
                8 => {
                    let jump = i64::try_from(random.below(7_200_000)).unwrap_or_default() - 3_600_000;
                    self.world.note(format_args!("the clock of broker {node} jumps by {jump} ms"));
                    let clock = broker.clock();
                    clock.set(clock.now_ms().saturating_add(jump).max(0));
                }
                _ => {
                    broker.kill();
                    self.lose_power(broker);
                }
            }
        }
    }

    /// Reads everything through one broker and hands it to the ledger.
    async fn read_back(&self, broker: &Broker) {
        let Some(storage) = broker.storage() else { return };
        for partition in self.ledger.possible_partitions() {
            self.read_partition(&storage, partition).await;
        }
        for partition in self.ledger.deleted_partitions() {
            if storage.watermarks(partition).is_ok() {
                self.ledger.violation(Violation::Undead { partition });
            }
        }
        for group in self.ledger.groups() {
            let found = storage.metadata().get(MetadataKind::GroupOffset, &group);
            let low = self.ledger.group_expected(&group);
            self.ledger.saw_group(&group, low, found.as_deref().and_then(decode_offset));
        }
    }

    async fn read_partition(&self, storage: &Storage, partition: TopicPartition) {
        const EVERYTHING: usize = 1 << 30;
        let expected = self.ledger.expect(partition);
        let Ok(bounds) = storage.watermarks(partition) else {
            self.ledger.missing(partition);
            return;
        };
        self.ledger.saw_bounds(partition, expected, bounds.log_start_offset, bounds.high_watermark);
        let mut log = Vec::new();
        let mut offset = bounds.log_start_offset;
        while offset < bounds.high_watermark {
            let saboteur = Saboteur::new(
                if self.sabotage == Sabotage::Alters { Sabotage::Alters } else { Sabotage::None },
                self.world.clone(),
            );
            match saboteur.read(storage, partition, offset, EVERYTHING).await {
                Ok(fetched) => {
                    let (next, found) = self.ledger.saw(partition, offset, expected, &fetched);
                    log.extend(found);
                    if next <= offset {
                        self.broken(format!("a read of `{partition}` at {offset} returned nothing"));
                        break;
                    }
                    offset = next;
                }
                // Bytes that were never synced may be torn in the middle.
                Err(ReadError::Damaged { from, to, .. })
                    if to > offset && storage.recovery().has_losses() =>
                {
                    self.ledger.named_hole(partition, from, to);
                    offset = to;
                }
                Err(error) => {
                    self.broken(format!("`{partition}` cannot be read at {offset}: {}", chain(&error)));
                    break;
                }
            }
        }
        self.ledger.final_log(partition, bounds.log_start_offset, log);
    }

    fn broken(&self, what: String) {
        self.ledger.violation(Violation::Broken { what });
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}
