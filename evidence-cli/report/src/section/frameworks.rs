//! How the verdicts stand against frameworks that others publish.

use cadastre_model::checklist::Verdict;
use cadastre_model::framework::{FrameworkStanding, RequirementStanding};
use serde::Serialize;

use crate::words;

/// One framework.
#[derive(Debug, Serialize)]
pub(crate) struct Framework {
    name: String,
    version: String,
    /// `3 red flag, 12 unproven, 20 pass`.
    summary: String,
    requirements: Vec<Requirement>,
}

#[derive(Debug, Serialize)]
struct Requirement {
    id: String,
    title: String,
    verdict: &'static str,
    label: &'static str,
    controls: Vec<Control>,
}

#[derive(Debug, Serialize)]
struct Control {
    id: String,
    /// Where the control stands in the checklist.
    anchor: String,
    examined: bool,
    label: &'static str,
}

/// Builds the section.
pub(crate) fn build(frameworks: &[FrameworkStanding]) -> Vec<Framework> {
    frameworks
        .iter()
        .map(|framework| Framework {
            name: framework.name.clone(),
            version: framework.version.clone(),
            summary: summary(&framework.requirements),
            requirements: framework.requirements.iter().map(requirement).collect(),
        })
        .collect()
}

fn requirement(requirement: &RequirementStanding) -> Requirement {
    let controls = requirement.controls.iter().map(|control| Control {
        id: control.id.clone(),
        anchor: format!("control-{}", control.id),
        examined: control.verdict.is_some(),
        label: control.verdict.map_or("not examined", words::verdict),
    });
    Requirement {
        id: requirement.id.clone(),
        title: requirement.title.clone(),
        verdict: requirement.verdict.name(),
        label: words::verdict(requirement.verdict),
        controls: controls.collect(),
    }
}

fn summary(requirements: &[RequirementStanding]) -> String {
    let counted = Verdict::ALL.iter().filter_map(|verdict| {
        let count = requirements.iter().filter(|requirement| requirement.verdict == *verdict).count();
        (count > 0).then(|| format!("{count} {}", words::verdict(*verdict)))
    });
    counted.collect::<Vec<_>>().join(", ")
}
