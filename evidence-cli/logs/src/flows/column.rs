//! The columns of flow logs as rows: what AWS names, and what Azure and the files themselves add.
//!
//! Names are those of Parquet and of Athena's table ("Flow log records", Amazon VPC user guide; "Query Amazon VPC flow
//! logs", Amazon Athena user guide), so that one query serves here and there.

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlowColumnKind {
    /// Text.
    Text,
    /// A whole number.
    Number,
}

/// A column of flow records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlowColumn {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: FlowColumnKind,
    /// The version of VPC flow logs that brought it; 0 for what is not AWS's.
    pub version: u8,
}

const fn text(name: &'static str, version: u8) -> FlowColumn {
    FlowColumn { name, kind: FlowColumnKind::Text, version }
}

const fn number(name: &'static str, version: u8) -> FlowColumn {
    FlowColumn { name, kind: FlowColumnKind::Number, version }
}

/// Every column, AWS's first. `start` and `end` are seconds since the epoch.
pub const FLOW_COLUMNS: [FlowColumn; 47] = [
    number("version", 2),
    text("account_id", 2),
    text("interface_id", 2),
    text("srcaddr", 2),
    text("dstaddr", 2),
    number("srcport", 2),
    number("dstport", 2),
    number("protocol", 2),
    number("packets", 2),
    number("bytes", 2),
    number("start", 2),
    number("end", 2),
    text("action", 2),
    text("log_status", 2),
    text("vpc_id", 3),
    text("subnet_id", 3),
    text("instance_id", 3),
    number("tcp_flags", 3),
    text("type", 3),
    text("pkt_srcaddr", 3),
    text("pkt_dstaddr", 3),
    text("region", 4),
    text("az_id", 4),
    text("sublocation_type", 4),
    text("sublocation_id", 4),
    text("pkt_src_aws_service", 5),
    text("pkt_dst_aws_service", 5),
    text("flow_direction", 5),
    number("traffic_path", 5),
    text("ecs_cluster_arn", 7),
    text("ecs_cluster_name", 7),
    text("ecs_container_instance_arn", 7),
    text("ecs_container_instance_id", 7),
    text("ecs_container_id", 7),
    text("ecs_second_container_id", 7),
    text("ecs_service_name", 7),
    text("ecs_task_definition_arn", 7),
    text("ecs_task_arn", 7),
    text("ecs_task_id", 7),
    text("reject_reason", 8),
    text("resource_id", 9),
    text("encryption_status", 10),
    // Azure's: the rule that decided, and whether a flow begins, continues, ends or is denied.
    text("rule", 0),
    text("state", 0),
    // Where a record stands, and how many flows it counts for in the flow table.
    text("file", 0),
    number("line", 0),
    number("flows", 0),
];

/// Stands for a column of a log that is none of these.
pub(crate) const UNKNOWN: u8 = u8::MAX;

/// The place of a column by its name in a header, of text or Parquet.
pub(crate) fn place(name: &[u8]) -> Option<u8> {
    let same = |known: &str| {
        known.len() == name.len()
            && known.bytes().zip(name).all(|(known, byte)| known == if *byte == b'-' { b'_' } else { *byte })
    };
    let at = FLOW_COLUMNS.iter().position(|column| column.version > 0 && same(column.name))?;
    u8::try_from(at).ok()
}

/// The place of a column by its name in a query.
pub(crate) const fn of(name: &str) -> u8 {
    let mut at = 0;
    while at < UNKNOWN {
        let Some(column) = get(at) else { return UNKNOWN };
        if equal(column.name.as_bytes(), name.as_bytes()) {
            return at;
        }
        at += 1;
    }
    UNKNOWN
}

#[expect(
    clippy::indexing_slicing,
    reason = "a constant function cannot call `get`; the bound is checked before"
)]
const fn get(at: u8) -> Option<FlowColumn> {
    if (at as usize) < FLOW_COLUMNS.len() { Some(FLOW_COLUMNS[at as usize]) } else { None }
}

const fn equal(mut a: &[u8], mut b: &[u8]) -> bool {
    loop {
        match (a, b) {
            ([], []) => return true,
            ([x, rest @ ..], [y, others @ ..]) if *x == *y => (a, b) = (rest, others),
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_column_is_found_by_its_name_in_text_and_in_parquet() {
        assert_eq!(place(b"pkt-src-aws-service"), place(b"pkt_src_aws_service"));
        assert_eq!(place(b"srcaddr"), Some(of("srcaddr")));
        assert_eq!(place(b"file"), None, "what no log holds is no column of one");
        assert_eq!((place(b"nonsense"), of("nonsense")), (None, UNKNOWN));
        let names: BTreeSet<&str> = FLOW_COLUMNS.iter().map(|column| column.name).collect();
        assert_eq!(names.len(), FLOW_COLUMNS.len());
    }
}
