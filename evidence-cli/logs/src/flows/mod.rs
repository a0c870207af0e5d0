//! Flow logs as one table: who sent how much to whom, and whether it passed.
//!
//! Sources: Amazon VPC user guide, "Flow log records" (versions 2 to 11); Microsoft Learn, "Virtual network flow logs" and
//! "Network security group flow logs".

mod aggregate;
mod azure;
mod columnar;
mod format;
mod line;
mod naming;
mod notice;
mod purpose;
mod ranges;
mod read;
mod record;
mod render;
mod table;
mod text;

pub use naming::{Naming, PlaceKind, PlaceName};
pub use notice::{Notice, NoticeKind};
pub use purpose::FlowMeaning;
pub use ranges::CloudRanges;
pub use read::flow_table;
pub use record::FlowAction;
pub use render::FlowTableFormat;
pub use table::{Completeness, FlowRow, FlowSummary, FlowTable, FlowTableOutcome, Gaps};
