//! Azure's activity log, as diagnostic settings and storage accounts keep it.
//!
//! Files hold one JSON record a line, or `{"records": […]}` as older exports do. Nothing chains these files together or
//! signs them, so that a record that was taken away is not missed. Source: Microsoft Learn, "Azure activity log event
//! schema", schema from storage account and event hubs.

use std::fmt;
use std::io::BufReader;
use std::path::Path;

use cadastre_model::Timestamp;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::event::EventError;
use super::read::{Bounded, EventFiles};
use crate::error::LogsError;
use crate::files;
use crate::inflate::Content;
use crate::trail;

/// A record of the activity log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivityRecord {
    /// When.
    pub time: Timestamp,
    /// `MICROSOFT.KEYVAULT/VAULTS/WRITE`, as written.
    pub operation: String,
    /// `Administrative`, `Policy`, …
    pub category: Option<String>,
    /// `Start`, `Success`, `Failure`, …
    pub result: Option<String>,
    /// Further words on the result.
    pub signature: Option<String>,
    /// Milliseconds.
    pub duration: Option<i64>,
    /// Where the call came from.
    pub caller_address: Option<String>,
    /// What belongs together.
    pub correlation: Option<String>,
    /// `Information`, `Warning`, …
    pub level: Option<String>,
    /// Azure's region.
    pub location: Option<String>,
    /// What it was done to.
    pub resource: Option<String>,
    /// Who: the object id of the principal, as the token says.
    pub principal: Option<String>,
    /// `User`, `ServicePrincipal`, …
    pub principal_type: Option<String>,
    /// The name that the token carries.
    pub principal_name: Option<String>,
}

fn text(value: &Value, pointer: &str) -> Option<String> {
    value.pointer(pointer)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

impl ActivityRecord {
    /// Reads a record.
    ///
    /// # Errors
    /// When time or operation are not there.
    pub fn read(record: &Value) -> Result<Self, EventError> {
        let written = text(record, "/time").ok_or(EventError::Member("time"))?;
        let time = written.parse().map_err(|_unreadable| EventError::Time(written))?;
        let claim = |name: &str| {
            let claims = record.pointer("/identity/claims")?;
            claims.get(name)?.as_str().map(str::to_owned)
        };
        let operation = text(record, "/operationName").or_else(|| text(record, "/operationName/value"));
        let duration = record.get("durationMs").and_then(|value| match value {
            Value::String(text) => text.parse().ok(),
            other => other.as_i64(),
        });
        Ok(Self {
            time,
            operation: operation.ok_or(EventError::Member("operationName"))?,
            category: text(record, "/category"),
            result: text(record, "/resultType"),
            signature: text(record, "/resultSignature"),
            duration,
            caller_address: text(record, "/callerIpAddress"),
            correlation: text(record, "/correlationId"),
            level: text(record, "/level"),
            location: text(record, "/location"),
            resource: text(record, "/resourceId"),
            principal: text(record, "/identity/authorization/evidence/principalId")
                .or_else(|| claim("http://schemas.microsoft.com/identity/claims/objectidentifier"))
                .or_else(|| claim("appid")),
            principal_type: text(record, "/identity/authorization/evidence/principalType"),
            principal_name: claim("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name")
                .or_else(|| claim("name")),
        })
    }
}

/// Hands every record of some files to `take`, with its file and number.
///
/// # Errors
/// What `take` says. What cannot be used is part of the result.
pub fn read_activity_records(
    directory: &Path,
    files: &[String],
    mut take: impl FnMut(&str, u64, &ActivityRecord, &Value) -> Result<(), LogsError>,
) -> Result<EventFiles, LogsError> {
    let mut read = EventFiles::default();
    for file in files {
        read.files = read.files.saturating_add(1);
        let mut number = 0;
        let mut failed = None;
        let result = of_file(&files::absolute(directory, file), &mut |record| {
            number += 1;
            if failed.is_some() {
                return;
            }
            match ActivityRecord::read(&record) {
                Ok(known) => {
                    read.saw(known.time);
                    failed = take(file, number, &known, &record).err();
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

/// The files below a directory that may hold activity records, with their sizes: JSON that is not a trail's.
///
/// # Errors
/// When the directory cannot be listed, or there is none.
pub fn activity_files(directory: &Path) -> Result<(Vec<(String, u64)>, EventFiles), LogsError> {
    super::read::listed(directory, "files of Azure's activity log", |path| {
        (path.ends_with(".json") || path.ends_with(".json.gz")) && !trail::is_trail_file(path)
    })
}

fn of_file(path: &Path, take: &mut dyn FnMut(Value)) -> Result<(), String> {
    let content = Content::open(path).map_err(|error| format!("cannot be read: {error}"))?;
    let mut json = serde_json::Deserializer::from_reader(BufReader::new(Bounded::new(content)));
    // Looked for before each record: after a record that breaks off, the end is no end.
    while json.end().is_err() {
        (Document { take: &mut *take }).deserialize(&mut json).map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// A record, or an object that holds records.
struct Document<'a> {
    take: &'a mut dyn FnMut(Value),
}

impl<'de> DeserializeSeed<'de> for Document<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Document<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a record, or an object with `records`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut record = Map::new();
        let mut holds_records = false;
        while let Some(name) = map.next_key::<String>()? {
            if name == "records" {
                holds_records = true;
                map.next_value_seed(Records { take: &mut *self.take })?;
            } else {
                record.insert(name, map.next_value()?);
            }
        }
        if !holds_records {
            (self.take)(Value::Object(record));
        }
        Ok(())
    }
}

struct Records<'a> {
    take: &'a mut dyn FnMut(Value),
}

impl<'de> DeserializeSeed<'de> for Records<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Records<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut records: A) -> Result<(), A::Error> {
        while let Some(record) = records.next_element::<Value>()? {
            (self.take)(record);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &str = r#"{"time":"2026-03-01T10:00:00Z","operationName":"MICROSOFT.KEYVAULT/VAULTS/WRITE","category":"Administrative",
        "resultType":"Success","durationMs":"12","callerIpAddress":"198.51.100.7","resourceId":"/SUBSCRIPTIONS/S/X",
        "identity":{"authorization":{"evidence":{"principalId":"p1","principalType":"User"}},"claims":{"name":"Operator"}}}"#;

    #[track_caller]
    fn check(content: &str, records: u64, refused: u64) {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("PT1H.json"), content).unwrap();
        let mut seen = Vec::new();
        let (files, _) = activity_files(directory.path()).unwrap();
        let files: Vec<String> = files.into_iter().map(|(path, _)| path).collect();
        let read = read_activity_records(directory.path(), &files, |_, number, record, _| {
            seen.push((number, record.clone()));
            Ok(())
        })
        .unwrap();
        assert_eq!((read.events, read.refused), (records, refused), "{:?}", read.refusals);
        for (_, record) in seen {
            assert_eq!(record.principal.as_deref(), Some("p1"));
            assert_eq!(record.duration, Some(12));
        }
    }

    #[test]
    fn records_are_read_line_by_line_and_out_of_a_list() {
        check(&format!("{RECORD}\r\n{RECORD}\r\n"), 2, 0);
        check(RECORD, 1, 0);
        check(&format!("{{\"records\":[{RECORD},{RECORD},{RECORD}]}}"), 3, 0);
        check("", 0, 0);
    }

    #[test]
    fn what_is_no_record_is_named_and_the_rest_is_used() {
        check(&format!("{RECORD}\n{{\"time\":\"yesterday\"}}\n{RECORD}"), 2, 1);
        check(&format!("{RECORD}\n{{\"time\":"), 1, 1);
        check(&format!("{RECORD}\n7"), 1, 1);
    }

    #[test]
    fn whoever_has_seen_enough_ends_the_reading() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("a.json"), format!("{RECORD}\n{RECORD}")).unwrap();
        let stopped = read_activity_records(directory.path(), &["a.json".to_owned()], |_, _, _, _| {
            Err(LogsError::Stopped)
        });
        assert!(matches!(stopped, Err(LogsError::Stopped)));
    }
}
