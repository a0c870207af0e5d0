//! Files of one part of a table, read into batches.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use cadastre_logs::LogsError;
use cadastre_logs::events::{ActivityRecord, Event, read_activity_records, read_event_records};
use cadastre_logs::flows::{
    FLOW_COLUMNS, FlowMeaning, FlowRecord, FlowSink, FlowValue, Naming, PlaceKind, PlaceName, purpose_name,
    read_flow_records,
};
use cadastre_logs::query::TableName;
use serde_json::Value;

use crate::columns::{ACTIVITY, EVENT, MEANING};
use crate::rows::{Column, Rows};
use crate::tally::Tally;

/// Reads files of a table; `wanted` are places among its columns, in the order of the batches' columns. Without `rows`
/// it only counts.
pub(crate) fn read(
    table: TableName,
    directory: &Path,
    files: &[String],
    wanted: &[usize],
    naming: Option<Arc<Naming>>,
    mut rows: Option<Rows>,
) -> Result<Tally, LogsError> {
    match table {
        TableName::Flows => flows(directory, files, wanted, naming, rows),
        TableName::Events => {
            let read = read_event_records(directory, files, |file, number, event, record| {
                let Some(rows) = &mut rows else { return Ok(()) };
                for (at, column) in wanted.iter().zip(&mut rows.columns) {
                    event_value(
                        EVENT.get(*at).map_or("", |(name, _)| name),
                        column,
                        file,
                        number,
                        event,
                        record,
                    );
                }
                rows.end_row()
            })?;
            rows.as_mut().map_or(Ok(()), Rows::send)?;
            Ok(Tally::Events(read))
        }
        TableName::Activity => {
            let read = read_activity_records(directory, files, |file, number, known, record| {
                let Some(rows) = &mut rows else { return Ok(()) };
                for (at, column) in wanted.iter().zip(&mut rows.columns) {
                    activity_value(
                        ACTIVITY.get(*at).map_or("", |(name, _)| name),
                        column,
                        file,
                        number,
                        known,
                        record,
                    );
                }
                rows.end_row()
            })?;
            rows.as_mut().map_or(Ok(()), Rows::send)?;
            Ok(Tally::Events(read))
        }
    }
}

fn flows(
    directory: &Path,
    files: &[String],
    wanted: &[usize],
    naming: Option<Arc<Naming>>,
    rows: Option<Rows>,
) -> Result<Tally, LogsError> {
    // The reader is asked for columns of the log; those that say what they mean are made from them here.
    let of_log: Vec<usize> = wanted.iter().copied().filter(|at| *at < FLOW_COLUMNS.len()).collect();
    let mut place = 0;
    let values = wanted
        .iter()
        .map(|at| match at.checked_sub(FLOW_COLUMNS.len()) {
            None => {
                place += 1;
                Wanted::OfLog(place - 1)
            }
            Some(at) => Wanted::Meaning(MEANING.get(at).copied().unwrap_or_default()),
        })
        .collect::<Vec<_>>();
    let asks_meaning = values.iter().any(|value| matches!(value, Wanted::Meaning(_)));
    let rows = Arc::new(Mutex::new(rows));
    let sink = Sink {
        rows: Arc::clone(&rows),
        values,
        naming: naming.filter(|_| asks_meaning),
        text: String::new(),
    };
    let tally = read_flow_records(directory, files, &of_log, Box::new(sink))?;
    rows.lock().unwrap_or_else(PoisonError::into_inner).as_mut().map_or(Ok(()), Rows::send)?;
    Ok(Tally::Flows(tally))
}

#[derive(Debug)]
enum Wanted {
    OfLog(usize),
    Meaning(&'static str),
}

#[derive(Debug)]
struct Sink {
    rows: Arc<Mutex<Option<Rows>>>,
    values: Vec<Wanted>,
    naming: Option<Arc<Naming>>,
    text: String,
}

impl FlowSink for Sink {
    fn take(&mut self, record: &FlowRecord<'_>) -> Result<(), LogsError> {
        use std::fmt::Write as _;

        let meaning =
            self.naming.as_ref().map(|naming| naming.meaning(record.source, record.destination, record.port));
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(rows) = rows.as_mut() else { return Ok(()) };
        for (value, column) in self.values.iter().zip(&mut rows.columns) {
            match value {
                Wanted::OfLog(at) => match record.values.get(*at).unwrap_or(&FlowValue::Nothing) {
                    FlowValue::Nothing => column.text(None),
                    FlowValue::Number(number) => column.number(Some(*number)),
                    FlowValue::Text(text) => column.text(Some(text)),
                    FlowValue::Address(address) => {
                        self.text.clear();
                        let _infallible = write!(self.text, "{address}");
                        column.text(Some(&self.text));
                    }
                },
                Wanted::Meaning(name) => meaning_value(name, column, meaning.as_ref()),
            }
        }
        rows.end_row()
    }
}

fn meaning_value(name: &str, column: &mut Column, meaning: Option<&FlowMeaning>) {
    let source = meaning.and_then(|meaning| meaning.src.as_ref());
    let destination = meaning.and_then(|meaning| meaning.dst.as_ref());
    let label = |place: Option<&PlaceName>| place.map(PlaceName::label);
    match name {
        "src" => column.text(label(source).as_deref()),
        "src_kind" => column.text(source.map(|place| kind(place.kind))),
        "src_name" => column.text(source.and_then(|place| place.name.as_deref())),
        "src_asset" => column.text(source.and_then(|place| place.asset.as_deref())),
        "dst" => column.text(label(destination).as_deref()),
        "dst_kind" => column.text(destination.map(|place| kind(place.kind))),
        "dst_name" => column.text(destination.and_then(|place| place.name.as_deref())),
        "dst_asset" => column.text(destination.and_then(|place| place.asset.as_deref())),
        "purpose" => column.text(meaning.and_then(|meaning| meaning.purpose).map(purpose_name)),
        "flow" => column.text(meaning.and_then(|meaning| meaning.flow.as_deref())),
        _ => column.truth(meaning.map(|meaning| meaning.reply)),
    }
}

const fn kind(kind: PlaceKind) -> &'static str {
    match kind {
        PlaceKind::Network => "network",
        PlaceKind::Vendor => "vendor",
        PlaceKind::Asset => "asset",
        PlaceKind::Cloud => "cloud",
        PlaceKind::Undeclared => "undeclared",
        PlaceKind::Internet => "internet",
    }
}

/// A member of a record: text as it is, anything else as JSON, null as nothing.
fn member(record: &Value, name: &str) -> Option<String> {
    match record.get(name)? {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

fn event_value(name: &str, column: &mut Column, file: &str, number: u64, event: &Event, record: &Value) {
    let identity = &event.identity;
    match name {
        "eventid" => column.text(Some(&event.id)),
        "eventtime" => column.text(member(record, "eventTime").as_deref()),
        "eventsource" => column.text(Some(&event.source)),
        "eventname" => column.text(Some(&event.name)),
        "action" => column.text(Some(&event.action())),
        "awsregion" => column.text(Some(&event.region)),
        "recipientaccountid" => column.text(event.account.as_deref()),
        "principal" => column.text(Some(identity.principal())),
        "useridentity_type" => column.text(identity.kind.as_deref()),
        "useridentity_arn" => column.text(identity.arn.as_deref()),
        "useridentity_accountid" => column.text(identity.account.as_deref()),
        "useridentity_issuer" => column.text(identity.issuer.as_deref()),
        "useridentity_invokedby" => column.text(identity.invoked_by.as_deref()),
        "sourceipaddress" => column.text(event.source_address.as_deref()),
        "useragent" => column.text(member(record, "userAgent").as_deref()),
        "errorcode" => column.text(event.error.as_deref()),
        "errormessage" => column.text(member(record, "errorMessage").as_deref()),
        "readonly" => column.truth(event.read_only),
        "eventtype" => column.text(member(record, "eventType").as_deref()),
        "eventversion" => column.text(member(record, "eventVersion").as_deref()),
        "requestid" => column.text(event.request.as_deref()),
        "vpcendpointid" => column.text(event.vpc_endpoint.as_deref()),
        "kms_key" => column.text(event.key.as_deref()),
        "encryptioncontext" => {
            let context =
                record.pointer("/requestParameters/encryptionContext").filter(|value| value.is_object());
            column.text(context.map(Value::to_string).as_deref());
        }
        "resources" => {
            let resources: Vec<&str> = event.resources.iter().map(String::as_str).collect();
            column.text(Some(&Value::from(resources).to_string()));
        }
        "requestparameters" => column.text(member(record, "requestParameters").as_deref()),
        "responseelements" => column.text(member(record, "responseElements").as_deref()),
        "additionaleventdata" => column.text(member(record, "additionalEventData").as_deref()),
        "useridentity" => column.text(member(record, "userIdentity").as_deref()),
        "file" => column.text(Some(file)),
        _ => column.number(i64::try_from(number).ok()),
    }
}

fn activity_value(
    name: &str,
    column: &mut Column,
    file: &str,
    number: u64,
    known: &ActivityRecord,
    record: &Value,
) {
    match name {
        "time" => column.text(member(record, "time").as_deref()),
        "operationname" => column.text(Some(&known.operation)),
        "category" => column.text(known.category.as_deref()),
        "resulttype" => column.text(known.result.as_deref()),
        "resultsignature" => column.text(known.signature.as_deref()),
        "durationms" => column.number(known.duration),
        "calleripaddress" => column.text(known.caller_address.as_deref()),
        "correlationid" => column.text(known.correlation.as_deref()),
        "level" => column.text(known.level.as_deref()),
        "location" => column.text(known.location.as_deref()),
        "resourceid" => column.text(known.resource.as_deref()),
        "principal" => column.text(known.principal.as_deref()),
        "principal_type" => column.text(known.principal_type.as_deref()),
        "principal_name" => column.text(known.principal_name.as_deref()),
        "identity" => column.text(member(record, "identity").as_deref()),
        "properties" => column.text(member(record, "properties").as_deref()),
        "file" => column.text(Some(file)),
        _ => column.number(i64::try_from(number).ok()),
    }
}
