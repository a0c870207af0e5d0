//! Log files against the digests that list them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use rayon::prelude::*;

use super::chain::Blind;
use super::digest::ListedLog;
use super::place::LogPlace;
use super::report::{Findings, ProblemKind};
use crate::files;
use crate::inflate::{ContentError, Hasher};

/// The largest log file that is hashed, in bytes after inflation.
const MAXIMUM_LOG: u64 = 4 << 30;

/// Seconds by which a log file may be delivered outside of the hour of the digest that lists it.
const DELIVERY_MARGIN: i64 = 900;

/// Seconds after a digest's end within which no further digest is due.
pub(crate) const DIGEST_DUE: i64 = 7_200;

/// The service whose log files must all be listed. Others, like `CloudTrail-Insight`, only where one of them is.
const ALWAYS_LISTED: &str = "CloudTrail";

/// A log file and the SHA-256 that a digest states for it.
type Stated = (usize, Option<[u8; 32]>);

/// Account and region.
pub(crate) type Field = (String, String);

/// A log file that a digest lists, and where it should be.
#[derive(Debug)]
pub(crate) struct Expected<'a> {
    pub(crate) log: &'a ListedLog,
    /// The digest, relative to the directory.
    pub(crate) digest: &'a str,
    /// Where the file lies, when it is there.
    pub(crate) found: Option<usize>,
}

/// What is known of one account in one region.
#[derive(Debug, Default)]
pub(crate) struct FieldFacts {
    /// The end of the newest digest, in seconds since the epoch; absent when there is none.
    pub(crate) last: Option<i64>,
    pub(crate) blind: Vec<Blind>,
}

/// Checks that the files are what their digests say.
pub(crate) fn check_listed(
    root: &Path,
    paths: &[&str],
    expected: &[Expected<'_>],
    from: Option<i64>,
    delivered: &(dyn Fn(&str) -> Option<i64> + Sync),
) -> Findings {
    let mut findings = Findings::default();
    let mut hashes: BTreeMap<Stated, &str> = BTreeMap::new();
    for item in expected {
        match item.found {
            Some(found) => {
                hashes.entry((found, item.log.hash)).or_insert(item.digest);
            }
            None if before(delivered(&item.log.key), from) => {}
            None => findings.problem(
                &item.log.key,
                ProblemKind::LogMissing,
                format!("listed by `{}`", item.digest),
            ),
        }
    }
    let hashes: Vec<(Stated, &str)> = hashes.into_iter().collect();
    let found: Vec<Findings> = hashes
        .par_iter()
        .with_min_len(16)
        .map_init(Hasher::new, |hasher, ((file, stated), digest)| {
            let mut findings = Findings::default();
            let Some(path) = paths.get(*file) else { return findings };
            let Some(stated) = stated else {
                findings.unchecked(path, format!("`{digest}` states no SHA-256 for it"));
                return findings;
            };
            match hasher.sha256(&files::absolute(root, path), MAXIMUM_LOG) {
                Ok(actual) if actual == *stated => {}
                Ok(_) => findings.problem(
                    path,
                    ProblemKind::LogHash,
                    format!("its content is not what `{digest}` states"),
                ),
                Err(error @ ContentError::Damaged(_)) => {
                    findings.problem(path, ProblemKind::LogHash, error.to_string());
                }
                Err(error) => findings.unchecked(path, error.to_string()),
            }
            findings
        })
        .filter(|findings| !findings.problems.is_empty() || !findings.unchecked.is_empty())
        .collect();
    for found in found {
        findings.extend(found);
    }
    findings
}

/// Tells which log files no digest lists.
pub(crate) fn check_unlisted(
    logs: &[(&str, &LogPlace)],
    listed: &BTreeSet<usize>,
    fields: &BTreeMap<Field, FieldFacts>,
    window: (Option<i64>, Option<i64>),
) -> Findings {
    let mut findings = Findings::default();
    let services: BTreeSet<(&str, &str, &str)> = logs
        .iter()
        .enumerate()
        .filter(|(at, _)| listed.contains(at))
        .map(|(_, (_, log))| (log.account.as_str(), log.region.as_str(), log.service.as_str()))
        .collect();
    let mut without_digests: BTreeMap<&str, usize> = BTreeMap::new();
    let mut in_the_dark: BTreeMap<String, usize> = BTreeMap::new();
    let mut newest: HashMap<Field, (i64, &str)> = HashMap::new();
    for (at, (path, log)) in logs.iter().enumerate() {
        let service = (log.account.as_str(), log.region.as_str(), log.service.as_str());
        if listed.contains(&at) || !(log.service == ALWAYS_LISTED || services.contains(&service)) {
            continue;
        }
        if before(log.delivered, window.0) || after(log.delivered, window.1) {
            continue;
        }
        let field = (log.account.clone(), log.region.clone());
        let facts = fields.get(&field);
        let Some(last) = facts.and_then(|facts| facts.last) else {
            *without_digests.entry(region_folder(path)).or_default() += 1;
            continue;
        };
        if let Some(delivered) = log.delivered {
            let hides = |blind: &&Blind| {
                delivered >= blind.from.saturating_sub(DELIVERY_MARGIN)
                    && delivered <= blind.to.saturating_add(DELIVERY_MARGIN)
            };
            if let Some(blind) = facts.and_then(|facts| facts.blind.iter().find(hides)) {
                *in_the_dark.entry(blind.file.clone()).or_default() += 1;
                continue;
            }
            if delivered > last && delivered <= last.saturating_add(DIGEST_DUE) {
                findings.unchecked(path, "newer than the newest digest, and the next one was not yet due");
                continue;
            }
            if delivered > last {
                let entry = newest.entry(field).or_insert((delivered, path));
                *entry = (*entry).max((delivered, path));
            }
        }
        findings.problem(path, ProblemKind::LogExtra, "no digest lists it");
    }
    for (folder, count) in without_digests {
        findings.problem(
            folder,
            ProblemKind::DigestMissing,
            format!("{count} log files, and not one digest of this account and region"),
        );
    }
    for (file, count) in in_the_dark {
        findings.unchecked(&file, format!("{count} log files that only it could list"));
    }
    for (path, seconds) in newest.into_values().map(|(delivered, path)| (path, delivered)) {
        let written = cadastre_model::Timestamp::from_seconds(seconds)
            .map_or_else(String::new, |time| format!(", until {time} at least"));
        findings.problem(
            path,
            ProblemKind::Gap,
            format!("log files are delivered after the newest digest{written}, and no digest speaks of them"),
        );
    }
    findings
}

fn before(moment: Option<i64>, from: Option<i64>) -> bool {
    matches!((moment, from), (Some(moment), Some(from)) if moment < from)
}

fn after(moment: Option<i64>, to: Option<i64>) -> bool {
    matches!((moment, to), (Some(moment), Some(to)) if moment > to)
}

/// The folder of a log file's region: its path without year, month, day and name.
fn region_folder(path: &str) -> &str {
    path.rsplitn(5, '/').last().unwrap_or(path)
}
