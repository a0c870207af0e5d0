//! Flow logs as one table: who sent how much to whom, and whether it passed.
//!
//! Sources: Amazon VPC user guide, "Flow log records" (versions 2 to 11); Microsoft Learn, "Virtual network flow logs" and
//! "Network security group flow logs".

mod aggregate;
mod azure;
mod column;
mod columnar;
mod format;
mod line;
mod naming;
mod notice;
mod purpose;
mod ranges;
mod read;
mod record;
mod records;
mod render;
mod table;
mod text;

pub use column::{FLOW_COLUMNS, FlowColumn, FlowColumnKind};
pub use naming::{Naming, PlaceKind, PlaceName};
pub use notice::{Notice, NoticeKind};
pub use purpose::FlowMeaning;
pub use ranges::CloudRanges;
pub use read::flow_table;
pub use record::FlowAction;
pub use records::{FlowFiles, FlowRecord, FlowSink, FlowTally, FlowValue, read_flow_records};
pub use render::{FlowTableFormat, purpose_name};
pub use table::{Completeness, FlowRow, FlowSummary, FlowTable, FlowTableOutcome, Gaps};
