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

    /// Adds what another read.
    pub fn add(&mut self, other: Self) {
        self.files = self.files.saturating_add(other.files);
        self.events = self.events.saturating_add(other.events);
        self.repeated = self.repeated.saturating_add(other.repeated);
        self.since = self.since.into_iter().chain(other.since).min();
        self.until = self.until.into_iter().chain(other.until).max();
        self.refused = self.refused.saturating_add(other.refused);
        self.refusals.extend(other.refusals);
        self.refusals.sort();
        self.refusals.truncate(MAXIMUM_NAMED);
    }

    /// Counts an event of this time.
    pub(super) fn saw(&mut self, time: Timestamp) {
        self.events = self.events.saturating_add(1);
        self.since = Some(self.since.map_or(time, |since| since.min(time)));
        self.until = Some(self.until.map_or(time, |until| until.max(time)));
    }

    pub(super) fn refuse(&mut self, file: &str, record: Option<u64>, problem: impl fmt::Display) {
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
    for path in listing.files.iter().filter(|path| is_event_file(path)) {
        read.files = read.files.saturating_add(1);
        let mut number = 0;
        let result = of_file(&files::absolute(directory, path), |record| {
            number += 1;
            match Event::read(&record) {
                Ok(event) if !seen.insert(event.id.clone()) => {
                    read.repeated = read.repeated.saturating_add(1)
                }
                Ok(event) => {
                    read.saw(event.time);
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

fn is_event_file(path: &str) -> bool {
    (path.ends_with(".json.gz") || path.ends_with(".json")) && !trail::is_digest_file(path)
}

/// The files below a directory that may hold events, with their sizes in bytes, and what could not be listed.
///
/// # Errors
/// When the directory cannot be listed, or there is none.
pub fn event_files(directory: &Path) -> Result<(Vec<(String, u64)>, EventFiles), LogsError> {
    listed(directory, "files of CloudTrail events", is_event_file)
}

pub(super) fn listed(
    directory: &Path,
    expected: &'static str,
    wanted: impl Fn(&str) -> bool,
) -> Result<(Vec<(String, u64)>, EventFiles), LogsError> {
    let listing = files::list(directory)?;
    let mut read = EventFiles::default();
    for (path, problem) in &listing.unreadable {
        read.refuse(path, None, problem);
    }
    let files: Vec<(String, u64)> = listing
        .files
        .into_iter()
        .filter(|path| wanted(path))
        .map(|path| {
            let size = std::fs::metadata(files::absolute(directory, &path)).map_or(0, |data| data.len());
            (path, size)
        })
        .collect();
    if files.is_empty() {
        return Err(LogsError::Nothing { path: directory.display().to_string(), expected });
    }
    Ok((files, read))
}

/// Hands every event of some files to `take`, with its file, its number and all that the record says. Events that were
/// delivered twice are handed over twice.
///
/// # Errors
/// What `take` says. What cannot be used is part of the result.
pub fn read_event_records(
    directory: &Path,
    files: &[String],
    mut take: impl FnMut(&str, u64, &Event, &Value) -> Result<(), LogsError>,
) -> Result<EventFiles, LogsError> {
    let mut read = EventFiles::default();
    for file in files {
        read.files = read.files.saturating_add(1);
        let mut number = 0;
        let mut failed = None;
        let result = of_file(&files::absolute(directory, file), |record| {
            number += 1;
            if failed.is_some() {
                return;
            }
            match Event::read(&record) {
                Ok(event) => {
                    read.saw(event.time);
                    failed = take(file, number, &event, &record).err();
                }
                Err(error) => read.refuse(file, Some(number), error),
            }
        });
        if let Some(error) = failed {
            return Err(error);
        }
        if let Err(problem) = result {
            read.refuse(file, None, format!("after {number} records: {problem}"));
        }
    }
    Ok(read)
}

fn of_file(path: &Path, take: impl FnMut(Value)) -> Result<(), String> {
    let content = Content::open(path).map_err(|error| format!("cannot be read: {error}"))?;
    let bounded = BufReader::new(Bounded::new(content));
    let mut deserializer = serde_json::Deserializer::from_reader(bounded);
    deserializer.deserialize_map(File(take)).map_err(|error| error.to_string())?;
    deserializer.end().map_err(|error| error.to_string())
}

/// Content up to a bound; beyond it, reading fails.
pub(super) struct Bounded {
    content: Content,
    left: u64,
}

impl Bounded {
    pub(super) fn new(content: Content) -> Self {
        Self { content, left: MAXIMUM_FILE }
    }
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
