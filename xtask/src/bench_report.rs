//! `cargo xtask bench report`: every format of a large report, its memory, and how soon a browser can use the page.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::process::{Command, Stdio};

use anyhow::Context;
use clap::Args;
use serde_json::Value;

use crate::bench::{machine, measure, publish};
use crate::parts::Parts;
use crate::{browser, process};

/// How large the boundary is.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Nodes of the graph
    #[arg(long, default_value_t = 5_000)]
    nodes: u32,
    /// Findings of the checklist
    #[arg(long, default_value_t = 2_000)]
    findings: u32,
}

impl Options {
    /// Measures and writes `docs/benchmarks/report.md`.
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        let parts = Parts::prepare()?;
        process::run(process::cargo().args([
            "build",
            "--release",
            "--package",
            "cadastre-pdf",
            "--features",
            "typeset",
            "--example",
            "made_up",
        ]))?;
        let program = process::target_directory().join("release/examples/made_up");
        let work = process::target_directory().join("bench-report");
        if work.exists() {
            fs::remove_dir_all(&work)?;
        }
        fs::create_dir_all(&work)?;
        let sizes = [self.nodes.to_string(), self.findings.to_string()];
        let command = || {
            let mut command = Command::new(&program);
            command.args(&sizes).arg(&work).arg("--pdf");
            command
        };
        let whole = measure(&mut command(), &[0])?;
        let lines = work.join("lines");
        let status = command()
            .stdout(Stdio::from(File::create(&lines)?))
            .status()
            .context("cannot run the made-up report")?;
        anyhow::ensure!(status.success(), "the made-up report ended with {status}");
        let mut rows: Vec<(String, f64, f64)> = Vec::new();
        let mut all = 0.0;
        for line in fs::read_to_string(&lines)?.lines() {
            let line: Value = serde_json::from_str(line).context("the made-up report printed no JSON")?;
            let number = |member: &str| line.get(member).and_then(Value::as_f64).unwrap_or_default();
            match line.get("file").and_then(Value::as_str) {
                Some(file) => rows.push((file.to_owned(), number("seconds"), number("bytes"))),
                None => all = number("seconds"),
            }
        }
        let page = browser::speed(&parts, &work.join("report.html"))?;
        publish("report.md", &self.page(&whole, &rows, all, page.as_ref()))?;
        fs::remove_dir_all(&work)?;
        Ok(())
    }

    fn page(
        &self,
        whole: &crate::bench::Measured,
        rows: &[(String, f64, f64)],
        all: f64,
        browser: Option<&Value>,
    ) -> String {
        let Self { nodes, findings } = self;
        let mut text = format!(
            "# Reports of a large boundary\n\n`cargo xtask bench report --nodes {nodes} --findings {findings}`, release build: a made-up boundary of {nodes} nodes with {findings}\nfindings (`evidence-cli/pdf/examples/made_up`). The document is set on one thread while another writes the rest.\n{}\n\n| file | seconds | MiB |\n| --- | ---: | ---: |\n",
            machine()
        );
        for (file, seconds, bytes) in rows {
            let _infallible = writeln!(text, "| `{file}` | {seconds:.2} | {:.2} |", bytes / 1_048_576.0);
        }
        let _infallible = writeln!(
            text,
            "| all formats | {all:.2} | |\n\nThe whole program, making the boundary up included: {:.2} s, {:.0} MiB at its peak.",
            whole.seconds, whole.peak_mebibytes
        );
        if let Some(browser) = browser {
            let number = |member: &str| browser.get(member).and_then(Value::as_f64).unwrap_or_default();
            let version = browser.get("version").and_then(Value::as_str).unwrap_or_default();
            let _infallible = writeln!(
                text,
                "\n`report.html` in {version}, the median of five loads: {:.0} ms from the start of the navigation until scripts had run, a\nframe was drawn and an input was answered; {:.0} ms for a search over all findings; {:.0} elements.",
                number("interactive"),
                number("search"),
                number("elements")
            );
        }
        text
    }
}
