//! Control frameworks: which of their requirements each control bears on, `policies/frameworks/`.

use std::collections::BTreeMap;

use cadastre_model::checklist::{Checklist, Verdict};
use cadastre_model::framework::{ControlStanding, FrameworkStanding, RequirementStanding};
use serde::Deserialize;

use crate::embedded;
use crate::error::PolicyError;

/// One framework, as its file maps it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Framework {
    /// The name of its file without the extension.
    #[serde(skip)]
    pub id: String,
    /// Its name.
    pub name: String,
    /// Which edition of it.
    pub version: String,
    /// Its requirements by id, those only that a control bears on.
    pub requirements: BTreeMap<String, Requirement>,
}

/// One requirement.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    /// What it is about, in few words.
    pub title: String,
    /// The controls that bear on it, by id.
    pub controls: Vec<String>,
}

impl Framework {
    /// The embedded frameworks, sorted by id.
    ///
    /// # Errors
    /// When an embedded file is malformed, which the tests rule out.
    pub fn builtin() -> Result<Vec<Self>, PolicyError> {
        embedded::FRAMEWORKS.iter().map(|(id, text)| Self::parse(id, text)).collect()
    }

    /// Parses a framework's file.
    ///
    /// # Errors
    /// [`PolicyError::Framework`] when it is malformed.
    pub fn parse(id: &str, text: &str) -> Result<Self, PolicyError> {
        let framework: Self = serde_saphyr::from_str(text).map_err(|error| PolicyError::Framework {
            framework: id.to_owned(),
            message: error.without_snippet().to_string(),
        })?;
        Ok(Self { id: id.to_owned(), ..framework })
    }

    /// How a checklist stands against this framework.
    #[must_use]
    pub fn standing(&self, checklist: &Checklist) -> FrameworkStanding {
        let verdicts: BTreeMap<&str, Verdict> =
            checklist.controls.iter().map(|control| (control.id.as_str(), control.verdict)).collect();
        let mut requirements: Vec<RequirementStanding> = self
            .requirements
            .iter()
            .map(|(id, requirement)| {
                let controls: Vec<ControlStanding> = requirement
                    .controls
                    .iter()
                    .map(|control| ControlStanding {
                        id: control.clone(),
                        verdict: verdicts.get(control.as_str()).copied(),
                    })
                    .collect();
                RequirementStanding {
                    id: id.clone(),
                    title: requirement.title.clone(),
                    verdict: worst(&controls),
                    controls,
                }
            })
            .collect();
        requirements.sort_by_cached_key(|requirement| natural(&requirement.id));
        FrameworkStanding {
            id: self.id.clone(),
            name: self.name.clone(),
            version: self.version.clone(),
            requirements,
        }
    }
}

/// The worst verdict. What was not examined is unproven; what is not applicable counts only if all is.
fn worst(controls: &[ControlStanding]) -> Verdict {
    let verdicts = controls.iter().map(|control| control.verdict.unwrap_or(Verdict::Unproven));
    verdicts.min().unwrap_or(Verdict::Unproven)
}

/// Orders `A.8.9` before `A.8.10`: text and numbers in turn.
fn natural(id: &str) -> Vec<(String, u64)> {
    let mut parts = Vec::new();
    let mut rest = id;
    while !rest.is_empty() {
        let text_ends = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let (text, after) = rest.split_at(text_ends);
        let number_ends = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        let (number, after) = after.split_at(number_ends);
        parts.push((text.to_owned(), number.parse().unwrap_or(0)));
        rest = after;
    }
    parts
}

#[cfg(test)]
mod tests {
    use cadastre_model::checklist::{ControlResult, SCHEMA};

    use super::*;
    use crate::catalogue::Catalogue;

    #[test]
    fn every_framework_names_controls_of_the_catalogue_and_leaves_none_out_everywhere() {
        let catalogue = Catalogue::builtin().unwrap();
        let frameworks = Framework::builtin().unwrap();
        let ids: Vec<&str> = frameworks.iter().map(|framework| framework.id.as_str()).collect();
        assert_eq!(ids, ["csa-ccm", "dora", "hipaa", "iso-27001", "nist-800-53", "pci-dss", "soc-2"]);
        let mut named = std::collections::BTreeSet::new();
        for framework in &frameworks {
            for (id, requirement) in &framework.requirements {
                assert!(!requirement.controls.is_empty(), "{} {id}", framework.id);
                let mut once = requirement.controls.clone();
                once.sort();
                once.dedup();
                assert_eq!(once.len(), requirement.controls.len(), "{} {id} names one twice", framework.id);
                for control in &requirement.controls {
                    assert!(catalogue.controls.contains_key(control), "{} {id}: {control}", framework.id);
                    named.insert(control.as_str());
                }
            }
        }
        let left: Vec<&String> =
            catalogue.controls.keys().filter(|id| !named.contains(id.as_str())).collect();
        // What a unit of storage costs is no requirement of any of these frameworks.
        assert_eq!(left, ["CST-02"]);
    }

    fn checklist(verdicts: &[(&str, Verdict)]) -> Checklist {
        Checklist {
            schema: SCHEMA.to_owned(),
            as_of: "2026-11-21T00:00:00Z".parse().unwrap(),
            tool_version: "0.1.0".to_owned(),
            boundary: "payments".to_owned(),
            evidence_root: String::new(),
            summary: BTreeMap::new(),
            controls: verdicts
                .iter()
                .map(|(id, verdict)| ControlResult {
                    id: (*id).to_owned(),
                    area: String::new(),
                    title: String::new(),
                    verdict: *verdict,
                    findings: Vec::new(),
                    requires: Vec::new(),
                })
                .collect(),
            not_examined: Vec::new(),
        }
    }

    #[track_caller]
    fn check(verdicts: &[(&str, Verdict)], expected: Verdict) {
        let text = "{name: F, version: '1', requirements: {R.1: {title: t, controls: [BND-01, BND-02]}}}";
        let standing = Framework::parse("f", text).unwrap().standing(&checklist(verdicts));
        assert_eq!(standing.requirements.first().unwrap().verdict, expected);
    }

    #[test]
    fn a_requirement_never_passes_on_part_of_its_proof() {
        use Verdict::{NotApplicable, Pass, RedFlag, Unproven, Waived};
        check(&[("BND-01", Pass), ("BND-02", Pass)], Pass);
        check(&[("BND-01", Pass)], Unproven);
        check(&[], Unproven);
        check(&[("BND-01", Pass), ("BND-02", Waived)], Waived);
        check(&[("BND-01", Waived), ("BND-02", Unproven)], Unproven);
        check(&[("BND-01", RedFlag)], RedFlag);
        check(&[("BND-01", NotApplicable), ("BND-02", Pass)], Pass);
        check(&[("BND-01", NotApplicable), ("BND-02", NotApplicable)], NotApplicable);
    }

    #[test]
    fn requirements_are_ordered_as_people_count() {
        let text = "{name: F, version: '1', requirements: {A.8.10: {title: t, controls: []}, A.8.9: {title: t, controls: []}, A.5.1: {title: t, controls: []}}}";
        let standing = Framework::parse("f", text).unwrap().standing(&checklist(&[]));
        let ids: Vec<&str> = standing.requirements.iter().map(|r| r.id.as_str()).collect();
        assert_eq!(ids, ["A.5.1", "A.8.9", "A.8.10"]);
    }
}
