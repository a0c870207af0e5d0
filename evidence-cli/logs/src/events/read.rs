//! Events out of files, one at a time: a file is never held as a whole, and what cannot be used is named.

use std::collections::BTreeSet;
use std::fmt;
use std::io::{self, BufReader, Read};
use std::path::Path;

use cadastre_model::Timestamp;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::event::Event;
use crate::error::LogsError;
use crate::files;
use crate::inflate::Content;
use crate::trail;

/// Inflated bytes of one file. CloudTrail rotates at about 50 MiB before compression.
const MAXIMUM_FILE: u64 = 1 << 30;

/// Refusals that are named one by one; more are counted.
const MAXIMUM_NAMED: usize = 1_000;

/// Something that could not be used.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Refused {
    /// Its file, relative to the directory.
    pub file: String,
    /// Which of the file's records, from 1; absent where the rest of the file is meant.
    pub record: Option<u64>,
    /// Why.
    pub problem: String,
}

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct EventFiles {
    /// Files of events.
    pub files: u64,
    /// Events, those that were delivered twice counted once.
    pub events: u64,
    /// Events that had been seen before.
    pub repeated: u64,
    /// The first event's time.
    pub since: Option<Timestamp>,
    /// The last one's.
    pub until: Option<Timestamp>,
    /// How much could not be used.
    pub refused: u64,
    /// The first of these.
    pub refusals: Vec<Refused>,
}

impl EventFiles {
    /// Whether everything could be used.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.refused == 0
    }

    fn refuse(&mut self, file: &str, record: Option<u64>, problem: impl fmt::Display) {
        self.refused = self.refused.saturating_add(1);
        if self.refusals.len() < MAXIMUM_NAMED {
            self.refusals.push(Refused { file: file.to_owned(), record, problem: problem.to_string() });
        }
    }
}

/// Hands every event below a directory to `take`, file by file in the order of their names.
///
/// Digests and their metadata are passed over. Events between `from` and `to`, both included, are handed over;
/// what was read covers all.
///
/// # Errors
/// When the directory cannot be listed, or holds no file of events.
pub fn read_events(
    directory: &Path,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    mut take: impl FnMut(Event),
) -> Result<EventFiles, LogsError> {
    let listing = files::list(directory)?;
    let mut read = EventFiles::default();
    for (path, problem) in &listing.unreadable {
        read.refuse(path, None, problem);
    }
    let mut seen = BTreeSet::new();
    let is_event_file = |path: &&String| {
        (path.ends_with(".json.gz") || path.ends_with(".json")) && !trail::is_digest_file(path)
    };
    for path in listing.files.iter().filter(is_event_file) {
        read.files = read.files.saturating_add(1);
        let mut number = 0;
        let result = of_file(&files::absolute(directory, path), |record| {
            number += 1;
            match Event::read(&record) {
                Ok(event) if !seen.insert(event.id.clone()) => {
                    read.repeated = read.repeated.saturating_add(1)
                }
                Ok(event) => {
                    read.events = read.events.saturating_add(1);
                    read.since = Some(read.since.map_or(event.time, |since| since.min(event.time)));
                    read.until = Some(read.until.map_or(event.time, |until| until.max(event.time)));
                    if from.is_none_or(|from| from <= event.time) && to.is_none_or(|to| event.time <= to) {
                        take(event);
                    }
                }
                Err(error) => read.refuse(path, Some(number), error),
            }
        });
        if let Err(problem) = result {
            read.refuse(path, None, format!("after {number} records: {problem}"));
        }
    }
    if read.files == 0 {
        return Err(LogsError::Nothing {
            path: directory.display().to_string(),
            expected: "files of CloudTrail events",
        });
    }
    Ok(read)
}

fn of_file(path: &Path, take: impl FnMut(Value)) -> Result<(), String> {
    let content = Content::open(path).map_err(|error| format!("cannot be read: {error}"))?;
    let bounded = BufReader::new(Bounded { content, left: MAXIMUM_FILE });
    let mut deserializer = serde_json::Deserializer::from_reader(bounded);
    deserializer.deserialize_map(File(take)).map_err(|error| error.to_string())?;
    deserializer.end().map_err(|error| error.to_string())
}

/// Content up to a bound; beyond it, reading fails.
struct Bounded {
    content: Content,
    left: u64,
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.content.read(buffer)?;
        self.left = self
            .left
            .checked_sub(u64::try_from(read).unwrap_or(u64::MAX))
            .ok_or_else(|| io::Error::other(format!("inflates to more than {MAXIMUM_FILE} bytes")))?;
        Ok(read)
    }
}

/// `{"Records": [ … ]}`.
struct File<F>(F);

impl<'de, F: FnMut(Value)> Visitor<'de> for File<F> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object with `Records`")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let mut found = false;
        while let Some(name) = map.next_key::<String>()? {
            if name == "Records" && !found {
                found = true;
                map.next_value_seed(Records(&mut self.0))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        if found { Ok(()) } else { Err(serde::de::Error::missing_field("Records")) }
    }
}

struct Records<'f, F>(&'f mut F);

impl<'de, F: FnMut(Value)> DeserializeSeed<'de> for Records<'_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, F: FnMut(Value)> Visitor<'de> for Records<'_, F> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of events")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut records: A) -> Result<(), A::Error> {
        while let Some(record) = records.next_element::<Value>()? {
            (self.0)(record);
        }
        Ok(())
    }
}
