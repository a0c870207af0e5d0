//! Reads everything back and holds it against what clients were told.

use std::time::{Duration, Instant};

use cadastre_sequencer::history::{Found, History};

use crate::load::Load;
use crate::random::Random;
use crate::wire::{self, Connection, PARTITIONS};

/// How long a partition may be unreadable.
const PATIENCE: Duration = Duration::from_secs(15);

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) violations: Vec<String>,
    pub(crate) acknowledged: usize,
    pub(crate) unknown: usize,
    pub(crate) seen: usize,
    pub(crate) records: i64,
    pub(crate) bytes: usize,
}

/// Looks at the whole log while nobody writes.
pub(crate) async fn check(load: &Load, random: Random) -> Outcome {
    let _everybody_waits = load.gate.write().await;
    let mut connection = Connection::new(load.addresses.clone(), random);
    let mut outcome = Outcome::default();
    let mut history = History::default();
    for index in 0..PARTITIONS {
        let mut log = Log::default();
        if let Err(error) = log.read(&mut connection, index).await {
            outcome.violations.push(format!("partition {index} after offset {}: {error}", log.end));
        }
        outcome.records += log.end;
        outcome.bytes += log.bytes;
        if log.log_start != 0 {
            outcome.violations.push(format!("partition {index} begins at offset {}", log.log_start));
        }
        history.log(wire::partition(index), 0, log.found);
    }
    let sent = load.sent.lock().unwrap().clone();
    outcome.unknown = sent.len();
    sent.into_iter().for_each(|sent| history.sent(sent));
    let seen = load.seen.lock().unwrap().clone();
    outcome.seen = seen.len();
    seen.into_iter().for_each(|(index, found)| history.seen(wire::partition(index), found));
    outcome.acknowledged = history.acknowledged();
    outcome.unknown -= outcome.acknowledged;
    outcome.violations.extend(history.violations().iter().map(ToString::to_string));
    outcome
}

#[derive(Debug, Default)]
struct Log {
    found: Vec<Found>,
    end: i64,
    log_start: i64,
    bytes: usize,
}

impl Log {
    async fn read(&mut self, connection: &mut Connection, index: i32) -> Result<(), String> {
        let mut deadline = Instant::now() + PATIENCE;
        let mut last = "no answer".to_owned();
        loop {
            match connection.fetch(index, self.end, 0).await {
                Some(Ok(fetched)) => {
                    self.log_start = fetched.log_start;
                    self.bytes += fetched.bytes;
                    let last = fetched.found.last().map(|last| last.base_offset + i64::from(last.offsets));
                    self.found.extend(fetched.found);
                    if let Some(next) = last {
                        self.end = next;
                        deadline = Instant::now() + PATIENCE;
                    }
                    if self.end >= fetched.end {
                        return Ok(());
                    }
                }
                Some(Err(error)) => last = error,
                None => {}
            }
            if Instant::now() > deadline {
                return Err(format!("cannot be read: {last}"));
            }
        }
    }
}
