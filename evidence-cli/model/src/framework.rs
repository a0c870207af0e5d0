//! Control frameworks that others publish, and how the checklist stands against them.

use serde::{Deserialize, Serialize};

use crate::checklist::Verdict;

/// How the checklist stands against one framework.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameworkStanding {
    /// `soc-2`, `nist-800-53`, …: the name of its file.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Which edition of it.
    pub version: String,
    /// The requirements that controls bear on, in the framework's order. What the catalogue has nothing to say
    /// about is not listed.
    pub requirements: Vec<RequirementStanding>,
}

/// How the checklist stands against one requirement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequirementStanding {
    /// Its id in the framework, `CC6.1`.
    pub id: String,
    /// What it is about, in few words.
    pub title: String,
    /// The worst verdict of its controls; `unproven` as long as one of them was not examined, so that a requirement
    /// never passes on part of its proof. A pass speaks of the data plane only, never of the whole organisation.
    pub verdict: Verdict,
    /// The controls that bear on it.
    pub controls: Vec<ControlStanding>,
}

/// What one control says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlStanding {
    /// `BND-04`.
    pub id: String,
    /// Its verdict; absent when this version does not examine it.
    pub verdict: Option<Verdict>,
}
