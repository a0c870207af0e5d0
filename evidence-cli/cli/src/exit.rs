//! Exit codes: what a script or a pipeline can tell from how the command ended.

use cadastre_model::checklist::{Checklist, Verdict};
use clap::ValueEnum;

/// How the command ended. `A policy failed` is never the same as `the tool failed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Nothing that `--fail-on` asks about.
    Clean,
    /// The tool failed: bad input, or the operating system refused.
    Failed,
    /// The boundary moved.
    Drift,
    /// A control is red.
    RedFlag,
    /// No control is red, but something is unproven.
    Incomplete,
}

impl Exit {
    /// The number the shell sees.
    #[must_use]
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::Failed => 1,
            Self::Drift => 2,
            Self::RedFlag => 3,
            Self::Incomplete => 4,
        }
    }

    /// The code for a checklist under `--fail-on`.
    #[must_use]
    pub(crate) fn of_checklist(checklist: &Checklist, fail_on: FailOn) -> Self {
        let has = |verdict| checklist.controls.iter().any(|control| control.verdict == verdict);
        match fail_on {
            FailOn::Never | FailOn::Drift => Self::Clean,
            FailOn::RedFlag if has(Verdict::RedFlag) => Self::RedFlag,
            FailOn::RedFlag => Self::Clean,
            FailOn::Unproven if has(Verdict::RedFlag) => Self::RedFlag,
            FailOn::Unproven if has(Verdict::Unproven) => Self::Incomplete,
            FailOn::Unproven => Self::Clean,
        }
    }
}

/// The usage error code of clap's own exits, `EX_USAGE` of sysexits.h.
pub(crate) const USAGE: u8 = 64;

/// Which verdicts make the exit code other than zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum FailOn {
    /// Red flags only (3).
    RedFlag,
    /// Red flags (3) and, without any, unproven controls (4).
    #[default]
    Unproven,
    /// Drift only (2).
    Drift,
    /// Nothing: 0 unless the tool itself fails.
    Never,
}
