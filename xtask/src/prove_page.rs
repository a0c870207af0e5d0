//! `docs/proof.md`: what drills came to, each figure beside the command that made it.

use std::fmt::Write as _;

use anyhow::ensure;

use crate::bench::machine;
use crate::prove::{Drill, Run};

/// What is not ours.
const KAFKA: &str = "Apache Kafka";

/// Everything that was run.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// Of programs.
    pub(crate) versions: Vec<String>,
    /// How they were built.
    pub(crate) build: &'static str,
    /// How many processes the machine had to run at a time.
    pub(crate) load: f64,
    /// Whether `upgrade-rollback` had a program of another version.
    pub(crate) is_other_version: bool,
    /// The bundled broker.
    pub(crate) embedded: Option<Run>,
    /// Two of them.
    pub(crate) cluster: Option<Run>,
    /// Apache Kafka.
    pub(crate) kafka: Option<Run>,
    /// The promise that a bucket broke that keeps what is deleted.
    pub(crate) residue: Option<String>,
    /// What sabotage was caught.
    pub(crate) sabotage: Vec<String>,
}

impl Page {
    /// The page.
    pub(crate) fn text(&self) -> String {
        let mut text = format!(
            "# Proof of architecture: what was exercised, and what came of it\n\n\
             `cargo xtask prove`, {}: it scans, runs `cadastre prove --yes`, checks and reports as a user does, against each target below.\n\
             {} {}. Durations are those of the runs that made this page; nothing else is quoted. The machine had other work as well: in the last\nfive minutes {:.1} processes wanted to run at a time.\n",
            self.build,
            machine(),
            self.versions.join(", "),
            self.load,
        );
        if let Some(run) = &self.embedded {
            let about = "One embedded broker, as `cadastre up` makes it: a TLS listener, SCRAM, ACLs that deny unless they allow, an encrypted log, a local key file.";
            section(&mut text, "The bundled broker", about, run);
        }
        if let Some(run) = &self.cluster {
            let version = if self.is_other_version {
                "a build of an earlier revision"
            } else {
                "this version's `cadastre-broker` beside `cadastre run-broker`: what is tried is the way there and back, not another version"
            };
            let about = format!(
                "Two brokers over one PostgreSQL and one bucket (moto's S3), TLS and SCRAM, one key file. Leases, heartbeats and linger are the defaults; objects without\n\
                 reference are kept for 10 s (`cadastre.objects.deletion.grace.ms`) instead of 300 s, keys for 10 s (`cadastre.key.cache.ttl.ms`) instead of 300 s. \
                 The store is taken away by stopping its process.\nThe previous version in `upgrade-rollback` is {version}."
            );
            section(&mut text, "Two brokers, PostgreSQL and a bucket", &about, run);
        }
        if let Some(run) = &self.kafka {
            let about = "One broker that is its own controller, TLS and SCRAM, the standard authorizer. It is killed and started by declared programs, and its certificate is replaced by\n`kafka-configs`. \
                         What it cannot show is recorded as not exercised, and the controls that need it stay unproven.";
            section(&mut text, "Apache Kafka", about, run);
        }
        if self.residue.is_some() || !self.sabotage.is_empty() {
            text.push_str("\n## Broken promises\n\n");
        }
        if let Some(residue) = &self.residue {
            line(
                &mut text,
                format_args!(
                    "The same two brokers, after versions were switched on for their bucket: `deletion` fails, a red flag. Not kept: {residue}.\n"
                ),
            );
        }
        if !self.sabotage.is_empty() {
            text.push_str(
                "`cargo test -p cadastre-drills --test sabotage`, on brokers of its own: each of these is caught by its drill, with the promise that was broken.\n\n",
            );
            for caught in &self.sabotage {
                line(&mut text, format_args!("- {caught}"));
            }
        }
        text
    }

    /// Whether everything came out as it must. What Apache Kafka keeps is told, and not for us to mend.
    ///
    /// # Errors
    /// The drills that did not, or results that the report does not tell.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        let runs =
            [("the bundled broker", &self.embedded), ("the cluster", &self.cluster), (KAFKA, &self.kafka)];
        for (name, run) in runs {
            let Some(run) = run else { continue };
            let broken: Vec<&str> = run
                .results
                .drills
                .iter()
                .filter(|drill| match drill.outcome.as_str() {
                    "passed" | "not-exercised" => false,
                    "failed" => name != KAFKA,
                    _ => true,
                })
                .map(|drill| drill.drill.as_str())
                .collect();
            ensure!(broken.is_empty(), "on {name} these drills did not pass: {}", broken.join(", "));
            ensure!(
                run.found == run.told,
                "the report of {name} tells {} of {} results",
                run.found,
                run.told
            );
        }
        if let Some(run) = &self.cluster {
            let open: Vec<&str> = run
                .results
                .drills
                .iter()
                .filter(|drill| drill.outcome != "passed")
                .map(|drill| drill.drill.as_str())
                .collect();
            ensure!(open.is_empty(), "on the cluster these drills were not exercised: {}", open.join(", "));
        }
        Ok(())
    }
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing into a string does not fail.
    let _written = writeln!(text, "{arguments}");
}

fn section(text: &mut String, title: &str, about: &str, run: &Run) {
    let drills = &run.results.drills;
    let exercised: Vec<&Drill> = drills.iter().filter(|drill| drill.outcome != "not-exercised").collect();
    line(text, format_args!("\n## {title}\n\n{about}\n"));
    line(
        text,
        format_args!(
            "{} of {} drills were exercised in {:.1} s, {:.1} s with the start of the program.\n",
            exercised.len(),
            drills.len(),
            seconds(run.results.milliseconds),
            run.wall.as_secs_f64(),
        ),
    );
    text.push_str(
        "| drill | outcome | seconds | promises kept | measured |\n| --- | --- | ---: | ---: | --- |\n",
    );
    for drill in &exercised {
        let kept = drill.checks.iter().filter(|check| check.kept == Some(true)).count();
        let reason = drill.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        line(
            text,
            format_args!(
                "| `{}` | {}{reason} | {:.1} | {kept} of {} | {} |",
                drill.drill,
                drill.outcome,
                seconds(drill.milliseconds),
                drill.checks.len(),
                numbers(drill),
            ),
        );
    }
    let broken = exercised.iter().flat_map(|drill| drill.checks.iter().map(move |check| (drill, check)));
    for (drill, check) in broken.filter(|(_, check)| check.kept != Some(true)) {
        let word = if check.kept.is_some() { "Broken" } else { "Open" };
        line(text, format_args!("\n{word} in `{}`: {}: {}", drill.drill, check.promise, check.seen));
    }
    if exercised.len() < drills.len() {
        text.push_str("\n| not exercised | why |\n| --- | --- |\n");
        for drill in drills.iter().filter(|drill| drill.outcome == "not-exercised") {
            line(
                text,
                format_args!(
                    "| `{}` | {} |",
                    drill.drill,
                    drill.reason.as_deref().unwrap_or("nothing was shown")
                ),
            );
        }
    }
    line(
        text,
        format_args!(
            "\nThe report that `cadastre report` renders from this evidence tells {} of {} results word for word. The controls that ask for a drill:\n",
            run.found, run.told
        ),
    );
    text.push_str("| control | | verdict |\n| --- | --- | --- |\n");
    for control in &run.controls {
        line(
            text,
            format_args!("| {} | {} | {} |", control.id, control.title, control.verdict.replace('|', "/")),
        );
    }
}

fn seconds(milliseconds: u64) -> f64 {
    std::time::Duration::from_millis(milliseconds).as_secs_f64()
}

/// What a drill measured, but for how long it took as a whole.
fn numbers(drill: &Drill) -> String {
    let own = drill
        .measurements
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "exercised_ms" | "cleaned_up_ms"));
    let told = own.map(|(name, value)| match name.strip_suffix("_ms") {
        Some(name) => format!("{} {value} ms", name.replace('_', " ")),
        None => format!("{} {value}", name.replace('_', " ")),
    });
    told.collect::<Vec<_>>().join(", ")
}

/// The letters and digits of a page, without what marks it up.
pub(crate) fn letters(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(next) = rest.chars().next() {
        let skipped = match next {
            '<' => rest.find('>').map(|end| end + 1),
            '&' => reference(rest),
            _ => None,
        };
        if skipped.is_none() && next.is_alphanumeric() {
            text.push(next);
        }
        rest = rest.get(skipped.unwrap_or(next.len_utf8())..).unwrap_or_default();
    }
    text
}

/// The length of a character reference, in bytes, where a text begins with one.
fn reference(text: &str) -> Option<usize> {
    let end = text.find(';')?;
    let name = text.get(1..end)?;
    let is_name = !name.is_empty() && name.chars().all(|each| each.is_ascii_alphanumeric() || each == '#');
    is_name.then_some(end + 1)
}

#[cfg(test)]
mod tests {
    use super::letters;

    #[test]
    fn marks_and_references_are_no_letters() {
        assert_eq!(letters("<b class=\"x\">4,273</b> acknowledged &amp; 0 lost"), "4273acknowledged0lost");
        assert_eq!(letters("a & b; c"), "abc");
    }
}
