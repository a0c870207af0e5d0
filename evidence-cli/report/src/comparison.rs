//! Two or three checklists side by side: what each blocks on, what each leaves unproven, and where they differ.
//!
//! Nothing is weighed. A control that one option did not examine is shown as not examined, which is neither better nor
//! worse than what the others show.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_model::checklist::{Checklist, ControlResult, Verdict};
use cadastre_model::cost::{CostShape, money};
use minijinja::value::Serde;
use minijinja::{Value, context};
use serde::Serialize;

use crate::error::ReportError;
use crate::templates::{self, REPORT_STYLE};
use crate::text::inert;
use crate::words;

/// The format of `compare --format json`.
pub const COMPARISON_SCHEMA: &str = "cadastre/comparison/v1";

/// How many findings of one control are told for one option.
const TOLD: usize = 3;

/// One option: what it is called, and how it was judged.
#[derive(Debug, Clone, Copy)]
pub struct ComparedOption<'a> {
    /// Its name, unique among the options.
    pub name: &'a str,
    /// Its checklist.
    pub checklist: &'a Checklist,
    /// The shape of its bill, where it was reckoned.
    pub cost: Option<&'a CostShape>,
}

/// Checklists side by side; every list over options has them in the order in which they were given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Comparison {
    schema: &'static str,
    options: Vec<OptionHead>,
    /// What makes the options hard to compare, in sentences.
    notes: Vec<String>,
    areas: Vec<Area>,
    controls: Vec<Control>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct OptionHead {
    name: String,
    boundary: String,
    as_of: String,
    tool_version: String,
    evidence_root: String,
    /// Number of controls by verdict, and of those that were not examined.
    controls: BTreeMap<&'static str, usize>,
    /// What its bill comes to at one point, in sentences; empty where nothing was reckoned.
    cost: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Area {
    area: String,
    options: Vec<AreaCell>,
}

/// One area of one option.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct AreaCell {
    /// The worst verdict, or `not-examined`.
    verdict: &'static str,
    /// `2 red flag, 1 unproven, 3 pass`.
    told: String,
    counts: BTreeMap<&'static str, usize>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Control {
    id: String,
    area: String,
    title: String,
    /// Whether the options differ in their verdict.
    differs: bool,
    options: Vec<ControlCell>,
}

/// One control of one option.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct ControlCell {
    verdict: &'static str,
    label: &'static str,
    /// What stands against it, `subject: message`.
    findings: Vec<String>,
    more: usize,
}

const NOT_EXAMINED: &str = "not-examined";

impl Comparison {
    /// Lays checklists side by side.
    #[must_use]
    pub fn new(options: &[ComparedOption<'_>]) -> Self {
        let by_id: Vec<BTreeMap<&str, &ControlResult>> = options
            .iter()
            .map(|option| {
                option.checklist.controls.iter().map(|control| (control.id.as_str(), control)).collect()
            })
            .collect();
        let every: BTreeMap<&str, &ControlResult> = by_id
            .iter()
            .rev()
            .flat_map(|controls| controls.iter().map(|(id, control)| (*id, *control)))
            .collect();
        let areas: BTreeSet<&str> = every.values().map(|control| control.area.as_str()).collect();
        Self {
            schema: COMPARISON_SCHEMA,
            options: options
                .iter()
                .zip(&by_id)
                .map(|(option, controls)| head(option, controls, every.len()))
                .collect(),
            notes: notes(options),
            areas: areas
                .into_iter()
                .map(|area| Area {
                    area: words::area(area),
                    options: by_id.iter().map(|controls| area_cell(area, controls, &every)).collect(),
                })
                .collect(),
            controls: every
                .iter()
                .map(|(id, control)| {
                    let cells: Vec<ControlCell> =
                        by_id.iter().map(|controls| control_cell(controls.get(id).copied())).collect();
                    let verdicts: BTreeSet<&str> = cells.iter().map(|cell| cell.verdict).collect();
                    Control {
                        id: (*id).to_owned(),
                        area: control.area.clone(),
                        title: control.title.clone(),
                        differs: verdicts.len() > 1,
                        options: cells,
                    }
                })
                .collect(),
        }
    }

    /// The decision table for a terminal: areas, then every control on which the options differ or one of them blocks.
    #[must_use]
    pub fn table(&self) -> String {
        let mut rows: Vec<Vec<String>> = Vec::new();
        let names = self.options.iter().map(|option| inert(&option.name).into_owned());
        rows.push(std::iter::once("area".to_owned()).chain(names.clone()).collect());
        for area in &self.areas {
            let cells = area.options.iter().map(|cell| cell.told.clone());
            rows.push(std::iter::once(area.area.clone()).chain(cells).collect());
        }
        let mut text = aligned(&rows);
        for option in self.options.iter().filter(|option| !option.cost.is_empty()) {
            text.push_str(&format!("\n{}: shape of the bill\n", inert(&option.name)));
            option.cost.iter().for_each(|line| text.push_str(&format!("  {}\n", inert(line))));
        }
        let mut rows: Vec<Vec<String>> = vec![std::iter::once("control".to_owned()).chain(names).collect()];
        for control in self.controls.iter().filter(|control| control.is_told()) {
            let cells = control.options.iter().map(|cell| cell.label.to_owned());
            rows.push(std::iter::once(format!("{} {}", control.id, control.title)).chain(cells).collect());
        }
        if rows.len() > 1 {
            text.push('\n');
            text.push_str(&aligned(&rows));
        }
        for (index, option) in self.options.iter().enumerate() {
            for (title, verdict) in [("blocks", Verdict::RedFlag), ("is not proven", Verdict::Unproven)] {
                let told: Vec<String> = self.told(index, verdict).collect();
                if !told.is_empty() {
                    text.push_str(&format!("\n{}: what {title}\n", inert(&option.name)));
                    told.iter().for_each(|line| text.push_str(&format!("  {}\n", inert(line))));
                }
            }
        }
        self.notes.iter().for_each(|note| text.push_str(&format!("\nnote: {}\n", inert(note))));
        text
    }

    /// Every finding of a verdict that one option has, `BND-04 subject: message`.
    fn told(&self, option: usize, verdict: Verdict) -> impl Iterator<Item = String> {
        self.controls.iter().flat_map(move |control| {
            let cell = control.options.get(option).filter(|cell| cell.verdict == verdict.name());
            cell.into_iter().flat_map(move |cell| {
                let more = (cell.more > 0).then(|| format!("{} and {} more", control.id, cell.more));
                let told = cell.findings.iter().map(move |finding| format!("{} {finding}", control.id));
                told.chain(more).collect::<Vec<_>>()
            })
        })
    }

    /// The decision table as Markdown.
    ///
    /// # Errors
    /// When the template cannot be rendered.
    pub fn markdown(&self) -> Result<String, ReportError> {
        templates::render("comparison.md", context! { comparison => Value::from(Serde(self)) })
    }

    /// The decision table as a page that needs nothing else.
    ///
    /// # Errors
    /// When the template cannot be rendered.
    pub fn html(&self) -> Result<String, ReportError> {
        let style = format!("\n{REPORT_STYLE}");
        templates::render(
            "comparison.html",
            context! {
                comparison => Value::from(Serde(self)),
                style_hash => templates::policy_hash(&style),
                style => Value::from_safe_string(style),
            },
        )
    }
}

impl Control {
    /// Whether a reader who decides has to know of it.
    fn is_told(&self) -> bool {
        self.differs || self.options.iter().any(|cell| cell.verdict == Verdict::RedFlag.name())
    }
}

fn head(option: &ComparedOption<'_>, controls: &BTreeMap<&str, &ControlResult>, all: usize) -> OptionHead {
    let mut counts: BTreeMap<&'static str, usize> =
        Verdict::ALL.into_iter().map(|verdict| (verdict.name(), 0)).collect();
    for control in controls.values() {
        *counts.entry(control.verdict.name()).or_default() += 1;
    }
    counts.insert(NOT_EXAMINED, all.saturating_sub(controls.len()));
    OptionHead {
        name: option.name.to_owned(),
        boundary: option.checklist.boundary.clone(),
        as_of: option.checklist.as_of.to_string(),
        tool_version: option.checklist.tool_version.clone(),
        evidence_root: option.checklist.evidence_root.clone(),
        controls: counts,
        cost: option.cost.map(cost_lines).unwrap_or_default(),
    }
}

/// What each design costs at the reference point, and what that rests on.
fn cost_lines(shape: &CostShape) -> Vec<String> {
    let Some(point) = shape.at_reference() else { return Vec::new() };
    let mut lines: Vec<String> = shape
        .designs
        .iter()
        .zip(&point.designs)
        .map(|(design, cost)| format!("{design}: {} {} a month", shape.currency, money(cost.total)))
        .collect();
    lines.push(crate::cost::basis(shape));
    lines
}

fn area_cell(
    area: &str,
    controls: &BTreeMap<&str, &ControlResult>,
    every: &BTreeMap<&str, &ControlResult>,
) -> AreaCell {
    let mut counts: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut worst: Option<Verdict> = None;
    for id in every.iter().filter(|(_, known)| known.area == area).map(|(id, _)| id) {
        match controls.get(id) {
            Some(control) => {
                *counts.entry(control.verdict.name()).or_default() += 1;
                worst = Some(worst.map_or(control.verdict, |worst| worst.min(control.verdict)));
            }
            None => *counts.entry(NOT_EXAMINED).or_default() += 1,
        }
    }
    let mut told: Vec<String> = Verdict::ALL
        .into_iter()
        .filter_map(|verdict| Some(format!("{} {}", counts.get(verdict.name())?, words::verdict(verdict))))
        .collect();
    told.extend(counts.get(NOT_EXAMINED).map(|count| format!("{count} not examined")));
    AreaCell { verdict: worst.map_or(NOT_EXAMINED, Verdict::name), told: told.join(", "), counts }
}

fn control_cell(control: Option<&ControlResult>) -> ControlCell {
    let Some(control) = control else {
        return ControlCell { verdict: NOT_EXAMINED, label: "not examined", findings: Vec::new(), more: 0 };
    };
    let settled = matches!(control.verdict, Verdict::Pass | Verdict::NotApplicable);
    let against: Vec<String> = control
        .findings
        .iter()
        .filter(|finding| !settled && finding.verdict == control.verdict)
        .map(|finding| format!("{}: {}", finding.subject, finding.message))
        .collect();
    ControlCell {
        verdict: control.verdict.name(),
        label: words::verdict(control.verdict),
        more: against.len().saturating_sub(TOLD),
        findings: against.into_iter().take(TOLD).collect(),
    }
}

fn notes(options: &[ComparedOption<'_>]) -> Vec<String> {
    let mut notes = Vec::new();
    let versions: BTreeSet<&str> =
        options.iter().map(|option| option.checklist.tool_version.as_str()).collect();
    if versions.len() > 1 {
        notes.push(format!(
            "the options were judged by different versions: {}",
            versions.into_iter().collect::<Vec<_>>().join(", ")
        ));
    }
    let mut roots: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for option in options {
        roots.entry(&option.checklist.evidence_root).or_default().push(option.name);
    }
    for names in roots.values().filter(|names| names.len() > 1) {
        notes.push(format!("{} rest on the same evidence", names.join(" and ")));
    }
    notes
}

/// Columns padded to the widest of their cells; nothing pads the last one.
pub(crate) fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            rows.iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or_default()
        })
        .collect();
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell}{}", " ".repeat(width.saturating_sub(cell.chars().count()))))
            .collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use cadastre_model::checklist::{Finding, SCHEMA};

    fn control(id: &str, area: &str, verdict: Verdict) -> ControlResult {
        let finding = Finding {
            subject: "arn:aws:s3:::records".to_owned(),
            verdict,
            message: format!("{id} says <so> | and *so*"),
            path: Vec::new(),
            evidence: Vec::new(),
            fix: Vec::new(),
        };
        ControlResult {
            id: id.to_owned(),
            area: area.to_owned(),
            title: format!("title of {id}"),
            verdict,
            findings: vec![finding; 5],
            requires: Vec::new(),
        }
    }

    fn checklist(root: &str, controls: Vec<ControlResult>) -> Checklist {
        Checklist {
            schema: SCHEMA.to_owned(),
            as_of: "2026-11-21T12:00:00Z".parse().unwrap(),
            tool_version: "0.1.0".to_owned(),
            boundary: "payments".to_owned(),
            evidence_root: root.to_owned(),
            summary: BTreeMap::new(),
            controls,
            not_examined: Vec::new(),
        }
    }

    fn compared() -> Comparison {
        let a = checklist(
            "a",
            vec![
                control("KEY-01", "key-authority", Verdict::Pass),
                control("NET-01", "network", Verdict::Pass),
            ],
        );
        let b = checklist(
            "b",
            vec![
                control("KEY-01", "key-authority", Verdict::RedFlag),
                control("NET-01", "network", Verdict::Pass),
                control("OPS-01", "operations", Verdict::Unproven),
            ],
        );
        Comparison::new(&[
            ComparedOption { name: "self-managed", checklist: &a, cost: None },
            ComparedOption { name: "vendor", checklist: &b, cost: None },
        ])
    }

    #[test]
    fn the_table_shows_where_options_differ_what_blocks_and_what_is_unproven() {
        let table = compared().table();
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines[0], "area           self-managed    vendor");
        assert_eq!(lines[1], "Key authority  1 pass          1 red flag");
        assert_eq!(lines[3], "Operations     1 not examined  1 unproven");
        assert!(table.contains("\nKEY-01 title of KEY-01  pass          red flag\n"), "{table}");
        assert!(!table.contains("NET-01"), "what is alike and fine is left out: {table}");
        assert!(
            table.contains("\nvendor: what blocks\n  KEY-01 arn:aws:s3:::records: KEY-01 says"),
            "{table}"
        );
        assert!(table.contains("KEY-01 and 2 more"), "{table}");
        assert!(table.contains("\nvendor: what is not proven\n  OPS-01 "), "{table}");
        assert!(!table.contains("self-managed: what"), "{table}");
    }

    #[test]
    fn what_an_option_did_not_examine_is_neither_a_pass_nor_a_flag() {
        let value = serde_json::to_value(compared()).unwrap();
        assert_eq!(value["schema"], COMPARISON_SCHEMA);
        assert_eq!(value["options"][0]["controls"]["not-examined"], 1);
        assert_eq!(value["options"][1]["controls"]["not-examined"], 0);
        assert_eq!(value["controls"][2]["options"][0]["verdict"], "not-examined");
        assert_eq!(value["controls"][2]["differs"], true);
    }

    #[test]
    fn the_same_evidence_twice_and_other_versions_are_told() {
        let a = checklist("a", Vec::new());
        let b = Checklist { tool_version: "0.2.0".to_owned(), ..a.clone() };
        let options = [
            ComparedOption { name: "x", checklist: &a, cost: None },
            ComparedOption { name: "y", checklist: &b, cost: None },
        ];
        assert_eq!(
            Comparison::new(&options).notes,
            [
                "the options were judged by different versions: 0.1.0, 0.2.0",
                "x and y rest on the same evidence"
            ]
        );
    }

    #[test]
    fn pages_escape_what_others_wrote() {
        let markdown = compared().markdown().unwrap();
        assert!(markdown.contains("KEY-01 says &lt;so&gt; \\| and \\*so\\*"), "{markdown}");
        assert!(markdown.contains("| Key authority | 1 pass | 1 red flag |"), "{markdown}");
        let html = compared().html().unwrap();
        assert!(html.contains("KEY-01 says &lt;so&gt;"), "{html}");
        assert!(!html.contains("says <so>"));
    }
}
