//! The columns of every table, in order, and their types.

use std::sync::Arc;

use cadastre_logs::flows::{FLOW_COLUMNS, FlowColumnKind};
use cadastre_logs::query::TableName;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};

/// What addresses and flows mean, after the columns of the log; with a declaration only.
pub(crate) const MEANING: [&str; 11] = [
    "src",
    "src_kind",
    "src_name",
    "src_asset",
    "dst",
    "dst_kind",
    "dst_name",
    "dst_asset",
    "purpose",
    "flow",
    "reply",
];

/// Of CloudTrail's events. What CloudTrail nests is told apart by an underscore; what has no fixed shape is JSON.
pub(crate) const EVENT: [(&str, Kind); 31] = [
    ("eventid", Kind::Text),
    ("eventtime", Kind::Text),
    ("eventsource", Kind::Text),
    ("eventname", Kind::Text),
    ("action", Kind::Text),
    ("awsregion", Kind::Text),
    ("recipientaccountid", Kind::Text),
    ("principal", Kind::Text),
    ("useridentity_type", Kind::Text),
    ("useridentity_arn", Kind::Text),
    ("useridentity_accountid", Kind::Text),
    ("useridentity_issuer", Kind::Text),
    ("useridentity_invokedby", Kind::Text),
    ("sourceipaddress", Kind::Text),
    ("useragent", Kind::Text),
    ("errorcode", Kind::Text),
    ("errormessage", Kind::Text),
    ("readonly", Kind::Truth),
    ("eventtype", Kind::Text),
    ("eventversion", Kind::Text),
    ("requestid", Kind::Text),
    ("vpcendpointid", Kind::Text),
    ("kms_key", Kind::Text),
    ("encryptioncontext", Kind::Text),
    ("resources", Kind::Text),
    ("requestparameters", Kind::Text),
    ("responseelements", Kind::Text),
    ("additionaleventdata", Kind::Text),
    ("useridentity", Kind::Text),
    ("file", Kind::Text),
    ("record", Kind::Number),
];

/// Of Azure's activity log.
pub(crate) const ACTIVITY: [(&str, Kind); 18] = [
    ("time", Kind::Text),
    ("operationname", Kind::Text),
    ("category", Kind::Text),
    ("resulttype", Kind::Text),
    ("resultsignature", Kind::Text),
    ("durationms", Kind::Number),
    ("calleripaddress", Kind::Text),
    ("correlationid", Kind::Text),
    ("level", Kind::Text),
    ("location", Kind::Text),
    ("resourceid", Kind::Text),
    ("principal", Kind::Text),
    ("principal_type", Kind::Text),
    ("principal_name", Kind::Text),
    ("identity", Kind::Text),
    ("properties", Kind::Text),
    ("file", Kind::Text),
    ("record", Kind::Number),
];

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Number,
    Truth,
}

impl Kind {
    pub(crate) const fn data_type(self) -> DataType {
        match self {
            Self::Text => DataType::Utf8,
            Self::Number => DataType::Int64,
            Self::Truth => DataType::Boolean,
        }
    }
}

/// A table's columns; of flows, those that say what they mean when something says so.
pub(crate) fn columns(table: TableName, named: bool) -> Vec<(&'static str, Kind)> {
    match table {
        TableName::Flows => {
            let of_log = FLOW_COLUMNS.iter().map(|column| {
                let kind = match column.kind {
                    FlowColumnKind::Text => Kind::Text,
                    FlowColumnKind::Number => Kind::Number,
                };
                (column.name, kind)
            });
            let meaning = MEANING
                .iter()
                .filter(|_| named)
                .map(|name| (*name, if *name == "reply" { Kind::Truth } else { Kind::Text }));
            of_log.chain(meaning).collect()
        }
        TableName::Events => EVENT.to_vec(),
        TableName::Activity => ACTIVITY.to_vec(),
    }
}

pub(crate) fn schema(columns: &[(&'static str, Kind)]) -> SchemaRef {
    let fields: Vec<Field> =
        columns.iter().map(|(name, kind)| Field::new(*name, kind.data_type(), true)).collect();
    Arc::new(Schema::new(fields))
}
