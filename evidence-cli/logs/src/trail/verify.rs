//! The whole directory: every chain, and every log file against them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use cadastre_model::Timestamp;
use rayon::prelude::*;

use super::chain::{self, Entry, EntryContent, Judged};
use super::coverage::{self, DIGEST_DUE, Expected, FieldFacts};
use super::digest::{Digest, ListedLog};
use super::place::{self, ChainName, LogPlace, METADATA_SUFFIX, Place};
use super::public_keys::PublicKeys;
use super::report::{ChainSpan, Findings, ProblemKind, TrailVerification};
use super::sidecar::Sidecar;
use crate::error::LogsError;
use crate::files::{self, Listing};
use crate::inflate::{self, ContentError};

/// The largest digest that is read, in bytes after inflation.
const MAXIMUM_DIGEST: u64 = 128 << 20;

/// The time that a directory is claimed to cover. Without bounds it is taken to be all there is: the oldest digest must
/// then be the first of its chain.
#[derive(Debug, Clone, Copy, Default)]
pub struct TrailWindow {
    /// Chains must reach back to this time, and what lies before it is not judged.
    pub from: Option<Timestamp>,
    /// Chains must reach up to this time, less the two hours in which a digest may be under way.
    pub to: Option<Timestamp>,
}

/// Verifies every CloudTrail digest and log file below a directory, which is laid out as CloudTrail lays out a bucket.
/// Several trails, regions and accounts may lie in it.
///
/// Stricter than `aws cloudtrail validate-logs`: log files that no digest lists, digests that the chain passes over,
/// chains that start anew, and chains that stop while others go on are problems, too.
///
/// # Errors
/// When the directory cannot be listed, or holds neither digests nor log files. Damage is part of the result.
pub fn verify_trail(
    directory: &Path,
    keys: &PublicKeys,
    window: TrailWindow,
) -> Result<TrailVerification, LogsError> {
    let listing = files::list(directory)?;
    let bucket = Bucket::sort(&listing);
    if bucket.digests.is_empty() && bucket.logs.is_empty() && bucket.strays.is_empty() {
        return Err(LogsError::Nothing {
            path: directory.display().to_string(),
            expected: "CloudTrail digests or log files",
        });
    }
    let mut findings = Findings::default();
    for (path, problem) in &listing.unreadable {
        findings.unchecked(path, problem.as_str());
    }
    for path in &bucket.strays {
        findings.problem(
            path,
            ProblemKind::DigestLink,
            "stands among digests, and is not where CloudTrail puts any",
        );
    }
    let entries = bucket.read(directory);
    let chains = by_chain(&entries);
    let (from, to) = (window.from.map(Timestamp::seconds), window.to.map(Timestamp::seconds));
    let find = |entry: &Entry, of_bucket: &str, key: &str| bucket.find(entry, of_bucket, key);
    let judged: Vec<Judged> = chains
        .values()
        .collect::<Vec<_>>()
        .par_iter()
        .map(|entries| chain::judge(entries, keys, &find, from))
        .collect();
    ends(&chains, (from, to), &mut findings);

    let log_index: HashMap<&str, usize> =
        bucket.logs.iter().enumerate().map(|(at, (path, _))| (*path, at)).collect();
    let mut expected = Vec::new();
    let mut listed = BTreeSet::new();
    let mut fields: BTreeMap<coverage::Field, FieldFacts> = BTreeMap::new();
    for (entries, judged) in chains.values().zip(judged) {
        let trusted: BTreeSet<usize> = judged.trusted.iter().copied().collect();
        for (at, entry) in entries.iter().enumerate() {
            let facts = fields.entry((entry.chain.account.clone(), entry.chain.region.clone())).or_default();
            if !matches!(entry.content, EntryContent::Foreign(_)) {
                facts.last = facts.last.max(Some(entry.end));
            }
            let EntryContent::Digest(digest) = &entry.content else { continue };
            for log in &digest.logs {
                let found = bucket.find_log(entry, digest, log, &log_index);
                listed.extend(found);
                if trusted.contains(&at) {
                    expected.push(Expected { log, digest: entry.path.as_str(), found });
                }
            }
        }
        if let Some(first) = entries.first() {
            let facts = fields.entry((first.chain.account.clone(), first.chain.region.clone())).or_default();
            facts.blind.extend(judged.blind);
        }
        findings.extend(judged.findings);
    }
    let log_paths: Vec<&str> = bucket.logs.iter().map(|(path, _)| *path).collect();
    let delivered = |key: &str| match place::classify(key) {
        Place::Log(log) => log.delivered,
        Place::Digest { .. } | Place::NoDigest | Place::Other => None,
    };
    findings.extend(coverage::check_listed(directory, &log_paths, &expected, from, &delivered));
    let logs: Vec<(&str, &LogPlace)> = bucket.logs.iter().map(|(path, log)| (*path, log)).collect();
    findings.extend(coverage::check_unlisted(&logs, &listed, &fields, (from, to)));

    let hours = || {
        entries.iter().filter_map(|entry| match &entry.content {
            EntryContent::Digest(digest) if !entry.chain.backfill => Some(digest),
            _ => None,
        })
    };
    let omitted = findings.settle();
    Ok(TrailVerification {
        valid: findings.problems.is_empty() && findings.unchecked.is_empty(),
        digests: entries.len() + bucket.strays.len(),
        logs: bucket.logs.len(),
        from: hours().map(|digest| digest.start).min(),
        to: hours().map(|digest| digest.end).max(),
        chains: spans(&chains),
        problems: findings.problems,
        unchecked: findings.unchecked,
        omitted,
    })
}

/// The time that each chain speaks of.
fn spans(chains: &BTreeMap<&ChainName, Vec<&Entry>>) -> Vec<ChainSpan> {
    let span = |(name, entries): (&&ChainName, &Vec<&Entry>)| {
        let digests = || {
            entries.iter().filter_map(|entry| match &entry.content {
                EntryContent::Digest(digest) => Some(digest),
                _ => None,
            })
        };
        Some(ChainSpan {
            account: name.account.clone(),
            region: name.region.clone(),
            trail: name.trail.clone(),
            from: digests().map(|digest| digest.start).min()?,
            to: digests().map(|digest| digest.end).max()?,
        })
    };
    chains.iter().filter(|(name, _)| !name.backfill).filter_map(span).collect()
}

/// The end of the newest digest below a directory, by the digests' names; absent without digests.
///
/// # Errors
/// When the directory cannot be listed.
pub fn trail_end(directory: &Path) -> Result<Option<Timestamp>, LogsError> {
    let end = |path: &String| match place::classify(path) {
        Place::Digest { end, .. } => Some(end),
        Place::NoDigest | Place::Log(_) | Place::Other => None,
    };
    Ok(files::list(directory)?.files.iter().filter_map(end).max().and_then(Timestamp::from_seconds))
}

/// The files of a directory by what they are.
struct Bucket<'a> {
    digests: Vec<(&'a str, ChainName, i64)>,
    strays: Vec<&'a str>,
    logs: Vec<(&'a str, LogPlace)>,
    digest_paths: BTreeSet<&'a str>,
    metadata: BTreeSet<&'a str>,
}

impl<'a> Bucket<'a> {
    fn sort(listing: &'a Listing) -> Self {
        let mut bucket = Self {
            digests: Vec::new(),
            strays: Vec::new(),
            logs: Vec::new(),
            digest_paths: BTreeSet::new(),
            metadata: BTreeSet::new(),
        };
        for path in &listing.files {
            match place::classify(path) {
                Place::Digest { chain, end } => {
                    bucket.digest_paths.insert(path);
                    bucket.digests.push((path, chain, end));
                }
                Place::NoDigest => bucket.strays.push(path),
                Place::Log(mut log) => {
                    if log.account.is_empty() {
                        let name = path.rsplit('/').next().unwrap_or_default();
                        log.account = name.split('_').next().unwrap_or_default().to_owned();
                    }
                    bucket.logs.push((path, log));
                }
                Place::Other if path.ends_with(METADATA_SUFFIX) => {
                    bucket.metadata.insert(path);
                }
                Place::Other => {}
            }
        }
        bucket
    }

    /// Reads the digests, oldest first within a chain.
    fn read(&self, root: &Path) -> Vec<Entry> {
        self.digests
            .par_iter()
            .map(|(path, chain, end)| {
                let metadata = format!("{path}{METADATA_SUFFIX}");
                let sidecar = if self.metadata.contains(metadata.as_str()) {
                    Sidecar::read(&files::absolute(root, &metadata))
                } else {
                    Sidecar::Absent
                };
                let content = match inflate::content(&files::absolute(root, path), MAXIMUM_DIGEST) {
                    Ok(bytes) => match Digest::parse(&bytes) {
                        Ok(digest) => belongs(path, chain, digest),
                        Err(problem) => EntryContent::Broken(problem),
                    },
                    Err(error @ ContentError::Damaged(_)) => EntryContent::Broken(error.to_string()),
                    Err(error) => EntryContent::Unread(error.to_string()),
                };
                Entry { path: (*path).to_owned(), chain: chain.clone(), end: *end, content, sidecar }
            })
            .collect()
    }

    /// Paths at which the object `key` of a bucket may lie, as seen from a digest that is at `path` and says that it is
    /// the object `own`.
    fn candidates(path: &str, own: &str, bucket: &str, key: &str) -> [Option<String>; 3] {
        let relative = if let Some(above) = path.strip_suffix(own) {
            Some(format!("{above}{key}"))
        } else {
            own.strip_suffix(path).and_then(|above| key.strip_prefix(above)).map(str::to_owned)
        };
        [relative, Some(key.to_owned()), Some(format!("{bucket}/{key}"))]
    }

    fn find(&self, entry: &Entry, bucket: &str, key: &str) -> Option<String> {
        let EntryContent::Digest(digest) = &entry.content else { return None };
        Self::candidates(&entry.path, &digest.key, bucket, key)
            .into_iter()
            .flatten()
            .find(|path| self.digest_paths.contains(path.as_str()))
    }

    fn find_log(
        &self,
        entry: &Entry,
        digest: &Digest,
        log: &ListedLog,
        index: &HashMap<&str, usize>,
    ) -> Option<usize> {
        let bucket = if log.bucket.is_empty() { &digest.bucket } else { &log.bucket };
        Self::candidates(&entry.path, &digest.key, bucket, &log.key)
            .into_iter()
            .flatten()
            .find_map(|path| index.get(path.as_str()).copied())
    }
}

/// Whether a digest is the one that belongs where it lies.
fn belongs(path: &str, chain: &ChainName, digest: Digest) -> EntryContent {
    if !place::is_object(path, &digest.key) {
        return EntryContent::Foreign(format!("belongs at `{}` in bucket `{}`", digest.key, digest.bucket));
    }
    if digest.account != chain.account {
        return EntryContent::Foreign(format!("is a digest of account `{}`", digest.account));
    }
    EntryContent::Digest(Box::new(digest))
}

fn by_chain(entries: &[Entry]) -> BTreeMap<&ChainName, Vec<&Entry>> {
    let mut chains: BTreeMap<&ChainName, Vec<&Entry>> = BTreeMap::new();
    for entry in entries {
        chains.entry(&entry.chain).or_default().push(entry);
    }
    for chain in chains.values_mut() {
        chain.sort_by(|a, b| (a.end, &a.path).cmp(&(b.end, &b.path)));
    }
    chains
}

/// Tells which chains do not reach the ends of the time they should cover: the window's, and that of the trail's other
/// chains.
fn ends(
    chains: &BTreeMap<&ChainName, Vec<&Entry>>,
    (from, to): (Option<i64>, Option<i64>),
    findings: &mut Findings,
) {
    let trail = |name: &ChainName| (name.organization.clone(), name.trail.clone(), name.home_region.clone());
    let own = |entry: &&&Entry| !matches!(entry.content, EntryContent::Foreign(_));
    let mut newest: BTreeMap<_, i64> = BTreeMap::new();
    for (name, entries) in chains.iter().filter(|(name, _)| !name.backfill) {
        if let Some(last) = entries.iter().rfind(own) {
            let newest = newest.entry(trail(name)).or_insert(last.end);
            *newest = (*newest).max(last.end);
        }
    }
    for (name, entries) in chains.iter().filter(|(name, _)| !name.backfill) {
        let (Some(first), Some(last)) = (entries.iter().find(own), entries.iter().rfind(own)) else {
            continue;
        };
        let due = newest.get(&trail(name)).copied().max(to);
        if let Some(due) = due.filter(|due| last.end.saturating_add(DIGEST_DUE) < *due) {
            let due = Timestamp::from_seconds(due).map_or_else(String::new, |time| format!(" {time}"));
            findings.problem(
                &last.path,
                ProblemKind::Gap,
                format!("the chain stops here, and should reach{due}: the trail was stopped or its digests removed"),
            );
        }
        if let (Some(from), EntryContent::Digest(digest)) = (from, &first.content)
            && digest.start.seconds() > from
        {
            findings.problem(
                &first.path,
                ProblemKind::Gap,
                "the chain begins here, which is after the beginning of the time to cover",
            );
        }
    }
}
