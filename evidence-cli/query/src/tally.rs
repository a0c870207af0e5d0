//! What was read for an answer, and what could not be used.

use cadastre_logs::events::EventFiles;
use cadastre_logs::flows::{Completeness, FlowSummary, FlowTally};
use serde::{Deserialize, Serialize};

/// Counts and notices of those who read files.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Tally {
    /// Of flow logs.
    Flows(FlowTally),
    /// Of events and activity.
    Events(EventFiles),
}

impl Tally {
    /// Adds another of the same kind.
    pub(crate) fn add(&mut self, other: Self) {
        match (self, other) {
            (Self::Flows(tally), Self::Flows(other)) => tally.add(other),
            (Self::Events(tally), Self::Events(other)) => tally.add(other),
            (Self::Flows(_), Self::Events(_)) | (Self::Events(_), Self::Flows(_)) => {}
        }
    }
}

/// What is known of one table's logs as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum TableRead {
    /// Flow logs, as the flow table tells it.
    Flows(Box<FlowSummary>),
    /// Events, as `cadastre logs activity` tells it.
    Events(EventFiles),
    /// The engine could answer without reading all files, so that nothing is known of the rest.
    NotWhole(NotWhole),
}

/// Stands for a table that was not read to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotWhole {
    /// Says so.
    pub completeness: &'static str,
}

impl TableRead {
    pub(crate) fn of(tally: Option<Tally>) -> Self {
        match tally {
            Some(Tally::Flows(tally)) => Self::Flows(Box::new(tally.summary())),
            Some(Tally::Events(read)) => Self::Events(read),
            None => Self::NotWhole(NotWhole { completeness: "not-read-to-the-end" }),
        }
    }

    /// Whether all that lies in the directory is in the answer.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        match self {
            Self::Flows(summary) => summary.completeness == Completeness::Complete,
            Self::Events(read) => read.is_whole(),
            Self::NotWhole(_) => false,
        }
    }

    /// The first things that could not be used, each as a line, and how many there are.
    #[must_use]
    pub fn complaints(&self) -> (Vec<String>, u64) {
        match self {
            Self::Flows(summary) => {
                let lines = summary.notices.iter().map(|notice| {
                    let line = if notice.line == 0 { String::new() } else { format!(":{}", notice.line) };
                    format!("{}{line}: {}: {}", notice.file, notice.kind.name(), notice.detail)
                });
                (lines.collect(), summary.noticed.values().sum())
            }
            Self::Events(read) => {
                let lines = read.refusals.iter().map(|refused| match refused.record {
                    Some(record) => format!("{}, record {record}: {}", refused.file, refused.problem),
                    None => format!("{}: {}", refused.file, refused.problem),
                });
                (lines.collect(), read.refused)
            }
            Self::NotWhole(_) => (Vec::new(), 0),
        }
    }
}
