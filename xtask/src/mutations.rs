//! `cargo xtask mutations`: known changes to clean evidence must cause exactly the findings they should.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use cadastre_assess::mutation::{self, Mutation};
use cadastre_assess::{Assessment, Options};
use cadastre_model::declaration::Declaration;
use cadastre_model::evidence::Evidence;

use crate::process;

/// A fixture that mutations start from.
struct Base {
    declaration: Declaration,
    evidence: Evidence,
    clean: Assessment,
}

impl Base {
    /// `fixtures/NAME/`, or a directory that has `boundary.yaml` and `evidence/`.
    fn read(name: &str, options: &Options) -> anyhow::Result<Self> {
        let named = process::root().join("fixtures").join(name);
        let directory = if named.is_dir() { named } else { PathBuf::from(name) };
        let declaration = Declaration::read(&directory.join("boundary.yaml"))?;
        let evidence = Evidence::read(&directory.join("evidence"))?;
        let clean = cadastre_assess::assess(&evidence, &declaration, options)?;
        Ok(Self { declaration, evidence, clean })
    }
}

/// Runs every mutation of a directory.
pub(crate) fn run(directory: &Path, verbose: bool) -> anyhow::Result<()> {
    let directory = if directory.is_absolute() || directory.is_dir() {
        directory.to_owned()
    } else {
        process::root().join(directory)
    };
    let mutations = read(&directory)?;
    let options = Options::with_builtin_policies()?;
    let mut bases: BTreeMap<String, Base> = BTreeMap::new();
    let (mut missed, mut noise) = (0, 0);
    for (file, mutation) in &mutations {
        if !bases.contains_key(&mutation.base) {
            let base = Base::read(&mutation.base, &options)
                .with_context(|| format!("{file}: base `{}`", mutation.base))?;
            bases.insert(mutation.base.clone(), base);
        }
        let base = bases.get(&mutation.base).context("a base that was just read")?;
        let evidence =
            mutation.apply(&base.evidence).with_context(|| format!("{file}: mutation `{}`", mutation.id))?;
        let after = cadastre_assess::assess(&evidence, &base.declaration, &options)?;
        let changes = mutation::changes(&base.clean.checklist, &after.checklist);
        let comparison = mutation::compare(&mutation.expect, &changes);
        missed += comparison.missed.len();
        noise += comparison.noise.len();
        let good = comparison.missed.is_empty() && comparison.noise.is_empty();
        if verbose || !good {
            println!("{} {}: {}", if good { "ok  " } else { "FAIL" }, mutation.id, mutation.title);
        }
        for expectation in &comparison.missed {
            println!(
                "     missed {} {} {}",
                expectation.control,
                expectation.verdict.name(),
                expectation.subject
            );
        }
        for (control, subject, verdict) in &comparison.noise {
            println!("     noise  {control} {} {subject}", verdict.name());
        }
    }
    println!("missed {missed}, noise {noise}, of {}", mutations.len());
    if missed + noise > 0 {
        bail!("mutations were missed or made noise");
    }
    Ok(())
}

/// Every `*.yaml` of the directory, in order of name; a file holds one mutation or a list of them.
fn read(directory: &Path) -> anyhow::Result<Vec<(String, Mutation)>> {
    let mut paths: Vec<PathBuf> = fs::read_dir(directory)
        .with_context(|| format!("cannot read {}", directory.display()))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    paths.sort();
    let mut mutations = Vec::new();
    let mut ids = BTreeSet::new();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        for mutation in mutation::parse_file(&text).with_context(|| name.clone())? {
            if !ids.insert(mutation.id.clone()) {
                bail!("{name}: mutation `{}` is there twice", mutation.id);
            }
            mutations.push((name.clone(), mutation));
        }
    }
    Ok(mutations)
}
