//! Changes that say the same of several targets, told as one.

use std::collections::BTreeMap;

use cadastre_graph::Severity;
use cadastre_model::RecordId;

use crate::report::{GateReport, Moved, State};

/// How many targets, and how many records, a line names.
const NAMED: usize = 3;

/// Changes with the same words.
#[derive(Debug)]
pub(crate) struct Group<'r> {
    pub(crate) severity: Severity,
    pub(crate) text: String,
    pub(crate) members: Vec<&'r Moved>,
}

impl<'r> Group<'r> {
    /// Whether anything in it is new.
    pub(crate) fn is_new(&self) -> bool {
        self.members.iter().any(|moved| moved.standing.state == State::New)
    }

    /// Whether everything in it is accepted.
    pub(crate) fn is_suppressed(&self) -> bool {
        self.members.iter().all(|moved| moved.standing.suppressed.is_some())
    }

    /// The first records on each side.
    pub(crate) fn evidence(&self) -> (Vec<&'r str>, Vec<&'r str>) {
        (
            first(self.members.iter().flat_map(|moved| &moved.drift.before)),
            first(self.members.iter().flat_map(|moved| &moved.drift.after)),
        )
    }
}

/// The first few records, each once.
pub(crate) fn first<'r>(ids: impl Iterator<Item = &'r RecordId>) -> Vec<&'r str> {
    let mut found: Vec<&str> = Vec::new();
    for id in ids {
        if found.len() == NAMED {
            break;
        }
        if !found.contains(&id.short()) {
            found.push(id.short());
        }
    }
    found
}

/// Groups the changes of a report, in the order of the report: most severe first.
pub(crate) fn groups(report: &GateReport) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut index: BTreeMap<(Severity, String), usize> = BTreeMap::new();
    for moved in &report.drift {
        let drift = &moved.drift;
        let words = if drift.target.is_empty() {
            drift.message.clone()
        } else {
            drift.message.replacen(&drift.target, "\u{0}", 1)
        };
        let position = *index.entry((drift.severity, words.clone())).or_insert(groups.len());
        match groups.get_mut(position) {
            Some(group) => group.members.push(moved),
            None => groups.push(Group { severity: drift.severity, text: words, members: vec![moved] }),
        }
    }
    for group in &mut groups {
        let targets = group.members.iter().map(|moved| moved.drift.target.as_str());
        let named = targets.take(NAMED).collect::<Vec<_>>().join(", ");
        let more = group.members.len().saturating_sub(NAMED);
        let named = if more > 0 { format!("{named} and {more} more") } else { named };
        group.text = group.text.replacen('\u{0}', &named, 1);
    }
    groups
}

/// A severity in words.
pub(crate) const fn name(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "critical",
        Severity::High => "high",
        Severity::Medium => "medium",
        Severity::Low => "low",
        Severity::Information => "information",
    }
}
