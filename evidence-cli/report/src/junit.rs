//! JUnit XML, for test dashboards: a suite an area, a case a control and subject.

use cadastre_model::checklist::{Checklist, Finding, Verdict};

use crate::text::xml;

/// The checklist as JUnit XML. Red flags are failures, unproven controls errors, waived and not applicable
/// ones skipped.
#[must_use]
pub fn junit(checklist: &Checklist) -> String {
    let mut areas: Vec<&str> = checklist.controls.iter().map(|control| control.area.as_str()).collect();
    areas.dedup();
    let mut seen = Vec::new();
    let mut suites = String::new();
    let mut totals = Counts::default();
    for area in areas {
        if seen.contains(&area) {
            continue;
        }
        seen.push(area);
        let mut cases = String::new();
        let mut counts = Counts::default();
        for control in checklist.controls.iter().filter(|control| control.area == area) {
            for finding in &control.findings {
                counts.add(finding.verdict);
                case(&mut cases, &control.id, &control.title, finding);
            }
        }
        suites
            .push_str(&format!("  <testsuite name=\"{}\" {counts}>\n{cases}  </testsuite>\n", escape(area)));
        totals.join(&counts);
    }
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"cadastre {}\" {totals}>\n{suites}</testsuites>\n",
        escape(&checklist.boundary)
    )
}

#[derive(Debug, Default)]
struct Counts {
    tests: usize,
    failures: usize,
    errors: usize,
    skipped: usize,
}

impl Counts {
    fn add(&mut self, verdict: Verdict) {
        self.tests += 1;
        match verdict {
            Verdict::RedFlag => self.failures += 1,
            Verdict::Unproven => self.errors += 1,
            Verdict::Waived | Verdict::NotApplicable => self.skipped += 1,
            Verdict::Pass => {}
        }
    }

    fn join(&mut self, other: &Self) {
        self.tests += other.tests;
        self.failures += other.failures;
        self.errors += other.errors;
        self.skipped += other.skipped;
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { tests, failures, errors, skipped } = self;
        write!(f, "tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\"")
    }
}

fn case(text: &mut String, id: &str, title: &str, finding: &Finding) {
    let name = escape(&format!("{id} {title}: {}", finding.subject));
    let mut body = finding.path.join("\n");
    if !finding.fix.is_empty() {
        body.push_str(&format!("\nfix: {}", finding.fix.join("\nfix: ")));
    }
    let message = escape(&finding.message);
    let body = escape(body.trim());
    let inner = match finding.verdict {
        Verdict::Pass => String::new(),
        Verdict::RedFlag => format!("<failure type=\"red-flag\" message=\"{message}\">{body}</failure>"),
        Verdict::Unproven => format!("<error type=\"unproven\" message=\"{message}\">{body}</error>"),
        Verdict::Waived | Verdict::NotApplicable => {
            format!("<skipped message=\"{}: {message}\"/>", finding.verdict.name())
        }
    };
    text.push_str(&format!(
        "    <testcase classname=\"{}\" name=\"{name}\">{inner}</testcase>\n",
        escape(id)
    ));
}

/// Text for an attribute or an element of XML 1.0, inert; lines stay apart.
fn escape(text: &str) -> String {
    xml(text).replace('\n', "&#10;")
}
