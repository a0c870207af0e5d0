//! What verifying a trail says.

use std::fmt::Write as _;

use cadastre_model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::tabular::printable;

/// How many problems are told one by one; the rest is counted.
pub(crate) const MAXIMUM_TOLD: usize = 10_000;

/// The result of [`super::verify_trail`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrailVerification {
    /// Whether every digest and log file is there, linked, signed and unchanged. False, too, when something could not
    /// be checked.
    pub valid: bool,
    /// Digest files that were found.
    pub digests: usize,
    /// Log files that were found.
    pub logs: usize,
    /// Where the oldest digest's hour begins.
    pub from: Option<Timestamp>,
    /// Where the newest digest's hour ends.
    pub to: Option<Timestamp>,
    /// Each chain of digests and the time it speaks of, sorted.
    #[serde(default)]
    pub chains: Vec<ChainSpan>,
    /// What is wrong, and digests whose key is not known; sorted by file.
    pub problems: Vec<Problem>,
    /// What could not be checked for another reason; sorted by file.
    pub unchecked: Vec<Unchecked>,
    /// Problems and unchecked files beyond the first 10,000 of each, which are only counted.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub omitted: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// One account's digests in one region, of one trail.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ChainSpan {
    /// The account.
    pub account: String,
    /// The region.
    pub region: String,
    /// The trail's name.
    pub trail: String,
    /// Where the oldest digest's hour begins.
    pub from: Timestamp,
    /// Where the newest digest's hour ends.
    pub to: Timestamp,
}

/// Something about one file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Problem {
    /// The file, relative to the directory; for a file that is missing, its key in the bucket.
    pub file: String,
    /// What kind of problem.
    pub kind: ProblemKind,
    /// In words.
    pub detail: String,
}

/// Kinds of problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProblemKind {
    /// A digest is not what was signed, or is no digest.
    DigestSignature,
    /// A digest does not continue the one before it, is linked by none, or stands where it does not belong.
    DigestLink,
    /// A time that no digest speaks of.
    Gap,
    /// A log file is not what its digest says.
    LogHash,
    /// A digest lists a log file that is not there.
    LogMissing,
    /// A log file that no digest lists.
    LogExtra,
    /// A digest that its successor names, or that log files imply, is not there.
    DigestMissing,
    /// A digest is signed with a key that is not among the public keys of its time.
    UnknownKey,
}

impl ProblemKind {
    /// As it is written in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DigestSignature => "digest-signature",
            Self::DigestLink => "digest-link",
            Self::Gap => "gap",
            Self::LogHash => "log-hash",
            Self::LogMissing => "log-missing",
            Self::LogExtra => "log-extra",
            Self::DigestMissing => "digest-missing",
            Self::UnknownKey => "unknown-key",
        }
    }
}

/// A file about which nothing can be said.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Unchecked {
    /// The file, relative to the directory.
    pub file: String,
    /// Why.
    pub detail: String,
}

/// What a verification comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrailOutcome {
    /// Everything is there and unchanged: exit code 0.
    Valid,
    /// Something is wrong: exit code 3.
    Wrong,
    /// Nothing is known to be wrong, and something could not be checked: exit code 4.
    Unproven,
}

impl TrailOutcome {
    /// The exit code of a command that ends with this outcome.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Valid => 0,
            Self::Wrong => 3,
            Self::Unproven => 4,
        }
    }
}

impl TrailVerification {
    /// What it comes to.
    #[must_use]
    pub fn outcome(&self) -> TrailOutcome {
        if self.problems.iter().any(|problem| problem.kind != ProblemKind::UnknownKey) {
            TrailOutcome::Wrong
        } else if self.problems.is_empty() && self.unchecked.is_empty() {
            TrailOutcome::Valid
        } else {
            TrailOutcome::Unproven
        }
    }

    /// For a terminal.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = String::new();
        let time = |time: Option<Timestamp>| time.map_or_else(|| "-".to_owned(), |time| time.to_string());
        let verdict = match self.outcome() {
            TrailOutcome::Valid => "valid",
            TrailOutcome::Wrong => "NOT VALID",
            TrailOutcome::Unproven => "not proven",
        };
        let _infallible = writeln!(
            text,
            "{verdict}: {} digests and {} log files, {} to {}",
            self.digests,
            self.logs,
            time(self.from),
            time(self.to)
        );
        for problem in &self.problems {
            let _infallible = writeln!(
                text,
                "{:<16}  {}\n{:<16}  {}",
                problem.kind.name(),
                printable(&problem.file),
                "",
                printable(&problem.detail)
            );
        }
        for unchecked in &self.unchecked {
            let _infallible = writeln!(
                text,
                "{:<16}  {}\n{:<16}  {}",
                "not checked",
                printable(&unchecked.file),
                "",
                printable(&unchecked.detail)
            );
        }
        if self.omitted > 0 {
            let _infallible = writeln!(text, "and {} more", self.omitted);
        }
        text
    }
}

/// Collects what is found on the way.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) problems: Vec<Problem>,
    pub(crate) unchecked: Vec<Unchecked>,
}

impl Findings {
    pub(crate) fn problem(&mut self, file: &str, kind: ProblemKind, detail: impl Into<String>) {
        self.problems.push(Problem { file: file.to_owned(), kind, detail: detail.into() });
    }

    pub(crate) fn unchecked(&mut self, file: &str, detail: impl Into<String>) {
        self.unchecked.push(Unchecked { file: file.to_owned(), detail: detail.into() });
    }

    pub(crate) fn extend(&mut self, other: Self) {
        self.problems.extend(other.problems);
        self.unchecked.extend(other.unchecked);
    }

    /// Sorts and bounds; returns how many were left out. What is wrong is kept before what is unknown.
    pub(crate) fn settle(&mut self) -> usize {
        self.problems.sort_unstable();
        self.problems.dedup();
        self.unchecked.sort_unstable();
        self.unchecked.dedup();
        let omitted = self.problems.len().saturating_sub(MAXIMUM_TOLD)
            + self.unchecked.len().saturating_sub(MAXIMUM_TOLD);
        if self.problems.len() > MAXIMUM_TOLD {
            self.problems.sort_by_key(|problem| problem.kind == ProblemKind::UnknownKey);
            self.problems.truncate(MAXIMUM_TOLD);
            self.problems.sort_unstable();
        }
        self.unchecked.truncate(MAXIMUM_TOLD);
        omitted
    }
}
