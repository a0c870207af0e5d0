//! `cargo xtask differential iam`: generated cases through our evaluator and through another one, every
//! disagreement put under a reason from AWS's documentation, the counts written to `docs/access-differential.md`.

#![expect(
    clippy::indexing_slicing,
    reason = "a member that a JSON value lacks is null when asked for by name"
)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, BufWriter, Write as _};
use std::num::NonZeroUsize;
use std::ops::Range;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, bail};
use cadastre_access::batch;
use clap::Args;
use serde_json::Value;

use crate::access_cases::{Dice, case};
use crate::access_classes::{CLASSES, View};
use crate::access_peer::{Peer, VERSION};
use crate::process;

/// The share of cases that must agree once argued disagreements are set apart.
const WANTED: f64 = 0.9995;

/// How many parts are generated, answered and compared side by side; each has a process of the other evaluator.
const PARTS: u64 = 4;

/// What to compare.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How many cases
    #[arg(long, default_value_t = 200_000)]
    cases: u64,
    /// Where the generator starts
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many disagreements without a reason to print
    #[arg(long, default_value_t = 5)]
    show: usize,
}

/// What came out.
#[derive(Debug, Default)]
struct Tally {
    cases: u64,
    refused: BTreeMap<String, u64>,
    agreed: u64,
    allowed: u64,
    /// For each class: cases that have its mark, and those of them that differ for it.
    classes: Vec<(u64, u64)>,
    unexplained: Vec<Value>,
}

/// Generates, asks both, compares, and writes the table.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let peer = Peer::prepare()?;
    let work = process::target_directory().join("access-differential");
    fs::create_dir_all(&work).with_context(|| format!("cannot create {}", work.display()))?;
    let share = options.cases.div_ceil(PARTS);
    let tallies: Vec<anyhow::Result<Tally>> = std::thread::scope(|scope| {
        let (peer, work) = (&peer, &work);
        let running: Vec<_> = (0..PARTS)
            .map(|part| {
                let first = part * share;
                let ids = first..(first + share).min(options.cases);
                // Parts start far from each other, whatever the seed.
                let dice = Dice::new(options.seed.wrapping_mul(PARTS).wrapping_add(part) << 32);
                scope.spawn(move || compare(peer, &work.join(format!("cases-{part}.ndjson")), ids, dice))
            })
            .collect();
        running
            .into_iter()
            .map(|part| part.join().unwrap_or_else(|_| Err(anyhow::anyhow!("a part stopped"))))
            .collect()
    });
    let mut tally = Tally::new();
    for part in tallies {
        tally.add(part?);
    }
    report(options, &tally)
}

impl Tally {
    fn new() -> Self {
        Self { classes: vec![(0, 0); CLASSES.len()], ..Self::default() }
    }

    fn add(&mut self, other: Self) {
        self.cases += other.cases;
        self.agreed += other.agreed;
        self.allowed += other.allowed;
        for (reason, count) in other.refused {
            *self.refused.entry(reason).or_default() += count;
        }
        for ((marked, differing), (more_marked, more_differing)) in self.classes.iter_mut().zip(other.classes)
        {
            *marked += more_marked;
            *differing += more_differing;
        }
        self.unexplained.extend(other.unexplained);
    }
}

/// Generates one file of cases, has both answer it, and compares.
fn compare(peer: &Peer, path: &Path, ids: Range<u64>, mut dice: Dice) -> anyhow::Result<Tally> {
    let file = fs::File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
    let mut writer = BufWriter::new(file);
    for id in ids {
        serde_json::to_writer(&mut writer, &case(&mut dice, id))?;
        writer.write_all(b"\n")?;
    }
    writer.flush()?;
    let answers = path.with_extension("answers");
    let output =
        fs::File::create(&answers).with_context(|| format!("cannot create {}", answers.display()))?;
    let mut child = peer.command(path).stdout(Stdio::from(output)).spawn().context("cannot run node")?;

    let mut ours = Vec::new();
    let input = BufReader::new(fs::File::open(path)?);
    let summary = batch::stream(input, &mut ours, NonZeroUsize::MIN).context("our evaluator")?;
    let status = child.wait().context("node")?;
    if summary.malformed > 0 {
        bail!("{} generated cases could not be read", summary.malformed);
    }
    if !status.success() {
        bail!("the other evaluator ended with {status}");
    }
    let mut tally = Tally::new();
    let mut ours = ours.lines();
    let mut theirs = lines(&answers)?;
    for line in lines(path)? {
        let case: Value = serde_json::from_str(&line?)?;
        let our: Value = serde_json::from_str(&ours.next().context("too few answers of ours")??)?;
        let their: Value = serde_json::from_str(&theirs.next().context("too few answers of theirs")??)?;
        if our["id"] != case["id"] || their["id"] != case["id"] {
            bail!("answers are out of order at {}", case["id"]);
        }
        count(&mut tally, case, &our, &their);
    }
    Ok(tally)
}

fn lines(path: &Path) -> anyhow::Result<std::io::Lines<BufReader<fs::File>>> {
    let file = fs::File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    Ok(BufReader::new(file).lines())
}

fn count(tally: &mut Tally, mut case: Value, our: &Value, their: &Value) {
    tally.cases += 1;
    if let Some(refused) = their["refused"].as_str() {
        *tally.refused.entry(refused.to_owned()).or_default() += 1;
        return;
    }
    if our["decision"] == "allow" {
        tally.allowed += 1;
    }
    let same = our["decision"] == their["decision"];
    tally.agreed += u64::from(same);
    let view = View::new(&case);
    let mut explained = false;
    for (class, (marked, differing)) in CLASSES.iter().zip(&mut tally.classes) {
        if (class.applies)(&view) {
            *marked += 1;
            if !same && !explained {
                *differing += 1;
                explained = true;
            }
        }
    }
    if !same && !explained {
        case["ours"] = our.clone();
        case["theirs"] = their.clone();
        tally.unexplained.push(case);
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn report(options: &Options, tally: &Tally) -> anyhow::Result<()> {
    let refused: u64 = tally.refused.values().sum();
    let compared = tally.cases - refused;
    let argued: u64 = tally.classes.iter().map(|(_, differing)| differing).sum();
    let unexplained = tally.unexplained.len();
    let agreement = 1.0 - unexplained as f64 / compared.max(1) as f64;
    let mut text = format!(
        "# Our evaluator beside another one\n\n\
         `cargo xtask differential iam --cases {} --seed {}` generates cases in the form of\n\
         `docs/formats/access-cases.md`, and asks `cadastre access eval` and `@cloud-copilot/iam-simulate` {VERSION} (a process of its\n\
         own). Where the two disagree and AWS's documentation says who is right, the case falls under a class below; whether it does\n\
         is read off the case, never off the answers. A case with the marks of several classes counts under the first.\n\n\
         | | cases |\n| --- | ---: |\n\
         | generated | {} |\n| refused by the other evaluator's input checks | {refused} |\n| compared | {compared} |\n\
         | of these allowed by us | {} |\n| same answer | {} |\n| different, argued below | {argued} |\n\
         | different, not argued | {unexplained} |\n\n\
         Agreement after the argued classes: {:.4} %.\n\n",
        options.cases,
        options.seed,
        tally.cases,
        tally.allowed,
        tally.agreed,
        agreement * 100.0
    );
    text.push_str("## What the documentation says\n\n| class | with its mark | differing | documentation | what it says, and what the other evaluator does |\n| --- | ---: | ---: | --- | --- |\n");
    for (class, (marked, differing)) in CLASSES.iter().zip(&tally.classes) {
        let _infallible = writeln!(
            text,
            "| {} | {marked} | {differing} | {} | {} |",
            class.name, class.page, class.argument
        );
    }
    if !tally.refused.is_empty() {
        text.push_str("\n## Refused by the other evaluator\n\n| reason | cases |\n| --- | ---: |\n");
        for (reason, count) in &tally.refused {
            let _infallible = writeln!(text, "| `{}` | {count} |", reason.replace('|', "\\|"));
        }
    }
    let path = process::root().join("docs/access-differential.md");
    fs::write(&path, &text).with_context(|| format!("cannot write {}", path.display()))?;
    print!("{text}");
    let mut shown = std::io::stderr().lock();
    for case in tally.unexplained.iter().take(options.show) {
        writeln!(shown, "{case}")?;
    }
    if agreement < WANTED {
        bail!("{unexplained} of {compared} cases differ for no stated reason");
    }
    Ok(())
}
