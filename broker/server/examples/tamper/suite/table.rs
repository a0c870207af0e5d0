//! What came of each change, by kind of file and region.

use std::fmt;

/// What came of one change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The file was not opened; the error names it.
    Refused,
    /// The file was opened; its report or the reading names what is damaged, and everything else is served.
    Named,
    /// Everything is served from another copy, and the damaged one is put right or reported.
    Healed,
    /// Nobody noticed, or nobody could say what it was.
    Unnoticed,
    /// What was altered was served as if it were right, or something is gone without a word.
    Served,
}

/// A verdict, how much the change cost, and what was said.
#[derive(Debug, Clone)]
pub(crate) struct Judgement {
    pub(crate) verdict: Verdict,
    /// How many batches cannot be read.
    pub(crate) lost: usize,
    pub(crate) said: String,
}

impl Judgement {
    pub(crate) fn new(verdict: Verdict, said: impl Into<String>) -> Self {
        Self { verdict, lost: 0, said: said.into() }
    }

    /// An error that has to contain the name of what was altered.
    pub(crate) fn refused(said: String, name: &str) -> Self {
        let is_named = said.contains(name);
        let verdict = if is_named { Verdict::Refused } else { Verdict::Unnoticed };
        let said = if is_named { said } else { format!("`{name}` is not named: {said}") };
        Self::new(verdict, said)
    }
}

/// Whether anything could notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expectation {
    /// Something has to.
    Noticed,
    /// Nothing can, or nothing does, for this reason.
    Limit(&'static str),
}

#[derive(Debug)]
struct Row {
    kind: &'static str,
    region: String,
    expectation: Expectation,
    counts: [usize; 5],
    batches: usize,
    lost: usize,
}

/// The table.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
    misses: Vec<String>,
    skipped: Vec<String>,
}

impl Table {
    /// Counts one change of a file in a storage with so many batches.
    pub(crate) fn note(
        &mut self,
        kind: &'static str,
        region: &str,
        what: &str,
        batches: usize,
        expectation: Expectation,
        judgement: &Judgement,
    ) {
        let same = |row: &Row| row.kind == kind && row.region == region;
        let index = self.rows.iter().position(same).unwrap_or_else(|| {
            let region = region.to_owned();
            self.rows.push(Row { kind, region, expectation, counts: [0; 5], batches, lost: 0 });
            self.rows.len() - 1
        });
        let row = &mut self.rows[index];
        row.counts[judgement.verdict as usize] += 1;
        row.lost = row.lost.max(judgement.lost);
        let is_missed = match judgement.verdict {
            Verdict::Unnoticed => expectation == Expectation::Noticed,
            Verdict::Served => true,
            Verdict::Refused | Verdict::Named | Verdict::Healed => false,
        };
        if is_missed {
            let Judgement { verdict, said, .. } = judgement;
            self.misses.push(format!("{kind}, {region}, {what}: {verdict:?}: {said}"));
        }
    }

    /// Says that a kind could not be tried here.
    pub(crate) fn skip(&mut self, why: &str) {
        self.skipped.push(why.to_owned());
    }

    /// Changes that ought to have been noticed.
    pub(crate) fn misses(&self) -> &[String] {
        &self.misses
    }

    /// How many changes were made.
    pub(crate) fn changes(&self) -> usize {
        self.rows.iter().flat_map(|row| row.counts).sum()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            formatter,
            "| file | region | changes | refused | named | healed | missed | batches that one change cost, at most |"
        )?;
        writeln!(formatter, "| --- | --- | --- | --- | --- | --- | --- | --- |")?;
        let (limits, rows): (Vec<&Row>, Vec<&Row>) =
            self.rows.iter().partition(|row| row.expectation != Expectation::Noticed);
        for Row { kind, region, counts, batches, lost, .. } in rows {
            let [refused, named, healed, unnoticed, served] = counts;
            let cost = if *batches == 0 { "–".to_owned() } else { format!("{lost} of {batches}") };
            writeln!(
                formatter,
                "| {kind} | {region} | {} | {refused} | {named} | {healed} | {} | {cost} |",
                counts.iter().sum::<usize>(),
                unnoticed + served,
            )?;
        }
        writeln!(formatter, "\n{} changes, {} missed", self.changes(), self.misses.len())?;
        if !limits.is_empty() {
            writeln!(formatter, "\nNot noticed, and why:\n")?;
            writeln!(formatter, "| file | change | tried | noticed all the same | why |")?;
            writeln!(formatter, "| --- | --- | --- | --- | --- |")?;
            for Row { kind, region, counts, expectation, .. } in limits {
                let tried: usize = counts.iter().sum();
                let noticed: usize = counts.iter().take(3).sum();
                let Expectation::Limit(why) = expectation else { continue };
                writeln!(formatter, "| {kind} | {region} | {tried} | {noticed} | {why} |")?;
            }
        }
        self.skipped.iter().try_for_each(|why| writeln!(formatter, "\nskipped: {why}"))?;
        self.misses.iter().try_for_each(|miss| writeln!(formatter, "MISSED {miss}"))
    }
}
