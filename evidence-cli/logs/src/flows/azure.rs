//! Azure's VNet and NSG flow logs: JSON records with tuples in text.
//!
//! Sources: Microsoft Learn, "Virtual network flow logs" (version 4) and "Network security group flow logs" (versions 1
//! and 2), log format.

use std::cell::Cell;
use std::fmt;
use std::io::{self, Read};
use std::net::IpAddr;
use std::rc::Rc;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::line::parse_address;
use super::notice::NoticeKind;
use super::read::Reading;
use super::record::{FlowAction, FlowKey, FlowParts, FlowSums};
use super::records::{AzureTuple, Origin};
use crate::error::LogsError;

/// The largest record that is read, in bytes: a record covers a minute of one network interface.
const LARGEST_RECORD: u64 = 64 << 20;

/// Bytes or packets above which a number is taken for damage: a petabyte.
const IMPLAUSIBLE: u64 = 1 << 50;

/// Reads a file; says whether it is a flow log.
pub(crate) fn read(content: impl Read, file: &str, reading: &mut Reading) -> Result<bool, LogsError> {
    read_records(content, file, reading, LARGEST_RECORD)
}

fn read_records(
    content: impl Read,
    file: &str,
    reading: &mut Reading,
    largest: u64,
) -> Result<bool, LogsError> {
    let left = Rc::new(Cell::new(largest));
    let limited = Limited { content, left: Rc::clone(&left), broken: Rc::default() };
    let broken = Rc::clone(&limited.broken);
    let mut sink = Sink { file, reading, left, largest, record: 0, is_flow_log: false, failed: None };
    let mut json = serde_json::Deserializer::from_reader(limited);
    let result = Document { sink: &mut sink }.deserialize(&mut json).and_then(|()| json.end());
    let Sink { record, is_flow_log, failed, reading, .. } = sink;
    if let Some(error) = failed {
        return Err(error);
    }
    if let Some(error) = broken.take() {
        reading.broken_off(file, record + 1, &error);
        return Ok(true);
    }
    match result {
        Ok(()) if is_flow_log => Ok(true),
        Ok(()) => {
            reading.notice(file, 0, NoticeKind::NoFlowLog, || "JSON without records of flows".to_owned());
            Ok(false)
        }
        Err(error) => {
            reading.notice(file, record + 1, NoticeKind::BadJson, || {
                error.to_string().chars().take(200).collect()
            });
            Ok(true)
        }
    }
}

/// Content of which no more than so many bytes are given before the count is set anew.
struct Limited<R> {
    content: R,
    left: Rc<Cell<u64>>,
    broken: Rc<Cell<Option<io::Error>>>,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.left.get();
        if left == 0 {
            return Err(io::Error::other("a record is larger than any that Azure writes"));
        }
        let wanted = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        match self.content.read(buffer.get_mut(..wanted).unwrap_or_default()) {
            Ok(read) => {
                self.left.set(left.saturating_sub(u64::try_from(read).unwrap_or(u64::MAX)));
                Ok(read)
            }
            Err(error) => {
                let kind = error.kind();
                self.broken.set(Some(error));
                Err(kind.into())
            }
        }
    }
}

struct Sink<'a> {
    file: &'a str,
    reading: &'a mut Reading,
    left: Rc<Cell<u64>>,
    largest: u64,
    record: u64,
    is_flow_log: bool,
    failed: Option<LogsError>,
}

impl Sink<'_> {
    fn take(&mut self, record: Record) {
        self.record += 1;
        self.left.set(self.largest);
        let interface = record.interface.as_deref();
        for group in
            record.flow_records.into_iter().flat_map(|records| records.flows).flat_map(|flow| flow.groups)
        {
            self.is_flow_log = true;
            for tuple in &group.tuples {
                let rule = group.rule.as_deref();
                self.tuple(vnet(tuple), AzureTuple { text: tuple, vnet: true, rule, interface });
            }
        }
        let Some(properties) = record.properties else { return };
        for rule in properties.flows {
            for flow in rule.flows {
                self.is_flow_log = true;
                let interface = flow.interface.as_deref().or(interface);
                for tuple in &flow.tuples {
                    let rule = rule.rule.as_deref();
                    self.tuple(nsg(tuple), AzureTuple { text: tuple, vnet: false, rule, interface });
                }
            }
        }
    }

    fn tuple(&mut self, read: Option<Tuple>, origin: AzureTuple<'_>) {
        let text = origin.text;
        let Some(tuple) = read else {
            let columns = text.split(',').count();
            self.reading.notice(self.file, self.record, NoticeKind::BadField, || {
                format!("a tuple of {columns} fields: `{}`", text.chars().take(120).collect::<String>())
            });
            return;
        };
        if tuple.mapped {
            let used = || "used as IPv4".to_owned();
            self.reading.notice(self.file, self.record, NoticeKind::MappedAddress, used);
        }
        if let Err(error) = self.reading.flow(
            FlowKey::pack(&tuple.parts),
            tuple.sums,
            Origin::Tuple(origin),
            self.file,
            self.record,
        ) {
            self.failed.get_or_insert(error);
        }
    }
}

#[derive(Debug, Deserialize)]
struct Record {
    #[serde(default, rename = "flowRecords")]
    flow_records: Option<VnetRecords>,
    #[serde(default)]
    properties: Option<NsgProperties>,
    /// The MAC address of the interface.
    #[serde(default, rename = "macAddress", deserialize_with = "text_or_nothing")]
    interface: Option<String>,
}

#[derive(Debug, Deserialize)]
struct VnetRecords {
    #[serde(default)]
    flows: Vec<VnetFlow>,
}

#[derive(Debug, Deserialize)]
struct VnetFlow {
    #[serde(default, rename = "flowGroups")]
    groups: Vec<Tuples>,
}

#[derive(Debug, Deserialize)]
struct Tuples {
    #[serde(default, rename = "flowTuples")]
    tuples: Vec<String>,
    /// Of a group of VNet flow logs.
    #[serde(default, deserialize_with = "text_or_nothing")]
    rule: Option<String>,
    /// Of flows under an NSG's rule: the MAC address of the interface.
    #[serde(default, rename = "mac", deserialize_with = "text_or_nothing")]
    interface: Option<String>,
}

#[derive(Debug, Deserialize)]
struct NsgProperties {
    #[serde(default)]
    flows: Vec<NsgRule>,
}

#[derive(Debug, Deserialize)]
struct NsgRule {
    #[serde(default, deserialize_with = "text_or_nothing")]
    rule: Option<String>,
    #[serde(default)]
    flows: Vec<Tuples>,
}

/// What names nothing that a flow is grouped by may be anything.
fn text_or_nothing<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match serde_json::Value::deserialize(deserializer)? {
        serde_json::Value::String(text) => Some(text),
        _ => None,
    })
}

struct Tuple {
    parts: FlowParts,
    sums: FlowSums,
    mapped: bool,
}

/// A tuple of version 4: time in milliseconds, source, destination, source port, destination port, protocol, direction,
/// state (Begin, Continue, End, Deny), encryption, packets and bytes to the destination, packets and bytes back.
fn vnet(text: &str) -> Option<Tuple> {
    let fields: [&str; 13] = exactly(text)?;
    let [time, source, destination, _, port, protocol, direction, state, _encryption, sums @ ..] = fields;
    matches!(direction, "I" | "O").then_some(())?;
    let action = if state == "D" { FlowAction::Reject } else { FlowAction::Accept };
    let flows = matches!(state, "B" | "D");
    let counted = match state {
        "C" | "E" => Some(sums),
        "B" | "D" => None,
        _ => return None,
    };
    let seconds = milliseconds(time)?;
    tuple(seconds, (source, destination), port, protocol.parse().ok()?, action, flows, counted)
}

/// A tuple of version 1 or 2: time in seconds, source, destination, source port, destination port, `T` or `U`, direction,
/// `A` or `D`, and in version 2 the state (Begin, Continue, End) and the same counts as above, empty when it begins.
fn nsg(text: &str) -> Option<Tuple> {
    let (fields, further): ([&str; 8], Option<[&str; 5]>) = match exactly::<13>(text) {
        Some([a, b, c, d, e, f, g, h, further @ ..]) => ([a, b, c, d, e, f, g, h], Some(further)),
        None => (exactly(text)?, None),
    };
    let [time, source, destination, _, port, protocol, direction, decision] = fields;
    matches!(direction, "I" | "O").then_some(())?;
    let protocol = match protocol {
        "T" => 6,
        "U" => 17,
        _ => return None,
    };
    let action = match decision {
        "A" => FlowAction::Accept,
        "D" => FlowAction::Reject,
        _ => return None,
    };
    let (flows, counted) = match further {
        // Version 1 has no states: a tuple is a flow, of which no amount is known.
        None => (true, None),
        Some(["B", ..]) => (true, None),
        Some(["C" | "E", sums @ ..]) => (false, Some(sums)),
        Some(_) => return None,
    };
    let seconds = i64::from(time.parse::<u32>().ok()?);
    tuple(seconds, (source, destination), port, protocol, action, flows, counted)
}

fn exactly<const N: usize>(text: &str) -> Option<[&str; N]> {
    let mut fields = [""; N];
    let mut parts = text.split(',');
    for field in &mut fields {
        *field = parts.next()?;
    }
    parts.next().is_none().then_some(fields)
}

/// Milliseconds since the epoch as whole seconds, before the year 10000.
fn milliseconds(text: &str) -> Option<i64> {
    let time: u64 = text.parse().ok()?;
    i64::try_from(time / 1_000).ok().filter(|seconds| *seconds < 253_402_300_800)
}

fn tuple(
    seconds: i64,
    (source, destination): (&str, &str),
    port: &str,
    protocol: u8,
    action: FlowAction,
    begins: bool,
    counted: Option<[&str; 4]>,
) -> Option<Tuple> {
    let address = |text: &str| -> Option<(Option<IpAddr>, bool)> {
        if matches!(text, "" | "-") {
            return Some((None, false));
        }
        parse_address(text.as_bytes()).map(|(address, mapped)| (Some(address), mapped))
    };
    let amount = |text: &str| match text {
        "" | "-" => Some(0),
        text => text.parse::<u64>().ok().filter(|value| *value <= IMPLAUSIBLE),
    };
    let (source, source_mapped) = address(source)?;
    let (destination, destination_mapped) = address(destination)?;
    let port = if port.is_empty() { None } else { Some(port.parse().ok()?) };
    let (packets, bytes) = match counted {
        Some([packets_there, bytes_there, packets_back, bytes_back]) => (
            Some(amount(packets_there)? + amount(packets_back)?),
            Some(amount(bytes_there)? + amount(bytes_back)?),
        ),
        // The beginning of a flow counts nothing yet, and a denied one passes nothing.
        None => (Some(0), Some(0)),
    };
    Some(Tuple {
        parts: FlowParts { source, destination, port, protocol: Some(protocol), action: Some(action) },
        sums: FlowSums::of(bytes, packets, u64::from(begins), Some(seconds), Some(seconds)),
        mapped: source_mapped || destination_mapped,
    })
}

/// `{"records": […], …}`, of which one record is in memory at a time.
struct Document<'a, 'b> {
    sink: &'a mut Sink<'b>,
}

impl<'de> DeserializeSeed<'de> for Document<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Document<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with records")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            if name == "records" {
                map.next_value_seed(Records { sink: &mut *self.sink })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

struct Records<'a, 'b> {
    sink: &'a mut Sink<'b>,
}

impl<'de> DeserializeSeed<'de> for Records<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Records<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(record) = seq.next_element::<Record>()? {
            self.sink.take(record);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::aggregate::Aggregator;
    use super::*;

    #[test]
    fn a_tuple_of_version_4_has_13_fields() {
        let tuple = vnet("1663146003606,10.0.0.6,192.0.2.180,23956,443,6,O,E,NX,3,767,2,1580").unwrap();
        assert_eq!((tuple.parts.port, tuple.parts.protocol), (Some(443), Some(6)));
        assert_eq!((tuple.sums.bytes(), tuple.sums.packets(), tuple.sums.flows()), (Some(2_347), Some(5), 0));
        assert_eq!(tuple.sums.first(), Some(1_663_146_003));
        let denied = vnet("1663146003606,10.0.0.6,192.0.2.180,23956,443,6,I,D,NX,0,0,0,0").unwrap();
        assert_eq!((denied.parts.action, denied.sums.flows()), (Some(FlowAction::Reject), 1));
        for wrong in [
            "",
            "1663146003606,10.0.0.6,192.0.2.180,23956,443,6,O,E,NX,3,767,2",
            "1663146003606,10.0.0.6,192.0.2.180,23956,443,6,O,E,NX,3,767,2,1580,1",
            "1663146003606,10.0.0.6,192.0.2.180,23956,443,6,O,X,NX,3,767,2,1580",
            "1663146003606,10.0.0.6,nowhere,23956,443,6,O,E,NX,3,767,2,1580",
            "-1,10.0.0.6,192.0.2.180,23956,443,6,O,E,NX,3,767,2,1580",
        ] {
            assert!(vnet(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_record_larger_than_any_ends_the_reading_and_those_before_are_used() {
        let good = r#"{"flowRecords":{"flows":[{"flowGroups":[{"flowTuples":["1663146003606,10.0.0.6,192.0.2.180,23956,443,6,O,B,NX,0,0,0,0"]}]}]}}"#;
        for huge in [format!("\"{}", "x".repeat(9_000)), "[".to_owned() + &"1,".repeat(9_000)] {
            let document = format!("{{\"records\":[{good},{good},{{\"time\":{huge}");
            let mut reading = Reading::new(Aggregator::with_maximum(10));
            assert!(read_records(document.as_bytes(), "f", &mut reading, 1_000).unwrap());
            let table = reading.into_table();
            assert_eq!(table.summary().noticed.get(&NoticeKind::BadJson), Some(&1));
            assert_eq!(table.summary().notices[0].line, 3);
            let mut table = table;
            assert_eq!(table.rows(None).unwrap().next().unwrap().unwrap().flows, 2);
        }
    }

    #[test]
    fn tuples_of_versions_1_and_2_are_told_apart_by_their_length() {
        let first = nsg("1487282421,42.119.146.95,10.1.0.4,51529,5358,T,I,D").unwrap();
        assert_eq!((first.parts.action, first.sums.flows()), (Some(FlowAction::Reject), 1));
        let begun = nsg("1542110377,10.0.0.4,13.67.143.118,44931,443,T,O,A,B,,,,").unwrap();
        assert_eq!((begun.sums.bytes(), begun.sums.flows()), (Some(0), 1));
        let ended = nsg("1542110402,10.0.0.4,13.67.143.118,44931,443,U,O,A,E,25,4521,12,1200").unwrap();
        assert_eq!(
            (ended.sums.bytes(), ended.sums.packets(), ended.sums.flows()),
            (Some(5_721), Some(37), 0)
        );
        assert_eq!(ended.parts.protocol, Some(17));
        assert!(nsg("1542110402,10.0.0.4,13.67.143.118,44931,443,X,O,A").is_none());
    }
}
