//! One chain of digests: signatures, links, order.

use std::collections::BTreeMap;

use super::digest::{Digest, Previous, SIGNATURE_ALGORITHM};
use super::place::{self, ChainName, Place};
use super::public_keys::PublicKeys;
use super::report::{Findings, ProblemKind};
use super::sidecar::Sidecar;

/// Seconds between a digest's end and its successor's start that are no gap: times are whole seconds.
const ADJACENT: i64 = 1;

/// A file where a digest of this chain belongs.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Relative to the directory.
    pub(crate) path: String,
    pub(crate) chain: ChainName,
    /// The end of its hour, by its name, in seconds since the epoch.
    pub(crate) end: i64,
    pub(crate) content: EntryContent,
    pub(crate) sidecar: Sidecar,
}

/// What the file holds.
#[derive(Debug)]
pub(crate) enum EntryContent {
    /// The digest that belongs there.
    Digest(Box<Digest>),
    /// A digest that belongs elsewhere; in words.
    Foreign(String),
    /// No digest; in words.
    Broken(String),
    /// It cannot be read; in words.
    Unread(String),
}

/// A time in which log files cannot be held against a digest.
#[derive(Debug, Clone)]
pub(crate) struct Blind {
    pub(crate) from: i64,
    pub(crate) to: i64,
    /// The digest file, or key, that would have spoken of it.
    pub(crate) file: String,
}

/// What judging a chain gives.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    pub(crate) findings: Findings,
    pub(crate) blind: Vec<Blind>,
    /// Entries whose list of log files is CloudTrail's, or is not known to be anything else.
    pub(crate) trusted: Vec<usize>,
}

/// Whether a digest is what CloudTrail signed.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Signed {
    Yes,
    /// The digest is, and the signature beside it is not its own.
    SidecarAltered,
    /// The digest is, by the hash that its successor states, and the signature that its successor carries is not its
    /// own.
    OtherSignatureCarried,
    No,
    UnknownKey,
    NotChecked(String),
}

impl Signed {
    /// Whether what the digest says may be CloudTrail's word.
    fn credible(&self) -> bool {
        *self != Self::No
    }
}

/// Judges the entries of one chain, sorted by end and path. `find` gives the path of a bucket's object as the entry at
/// a path sees it.
pub(crate) fn judge(
    entries: &[&Entry],
    keys: &PublicKeys,
    find: &dyn Fn(&Entry, &str, &str) -> Option<String>,
    from: Option<i64>,
) -> Judged {
    let chain = Chain::new(entries, find);
    let signed: Vec<Signed> = (0..entries.len()).map(|at| chain.signature(at, keys)).collect();
    let mut judged = Judged::default();
    for (at, (entry, signed)) in entries.iter().zip(&signed).enumerate() {
        chain.tell(at, entry, signed, &mut judged);
    }
    let mut before: Option<usize> = None;
    for &at in &chain.order {
        chain.link(at, before, &signed, from, &mut judged);
        before = Some(at);
    }
    if entries.first().is_some_and(|entry| entry.chain.backfill) {
        // A backfill digest is made whenever one is needed, so that a missing one stands for no known time.
        judged.blind.clear();
    }
    judged
}

struct Chain<'a> {
    entries: &'a [&'a Entry],
    /// For each entry, the entry that it names as the one before it.
    predecessor: Vec<Option<usize>>,
    /// For each entry, those that name it.
    successors: Vec<Vec<usize>>,
    /// Entries that stand in the chain, oldest first.
    order: Vec<usize>,
}

impl<'a> Chain<'a> {
    fn new(entries: &'a [&'a Entry], find: &dyn Fn(&Entry, &str, &str) -> Option<String>) -> Self {
        let by_path: BTreeMap<&str, usize> =
            entries.iter().enumerate().map(|(at, entry)| (entry.path.as_str(), at)).collect();
        let mut predecessor = vec![None; entries.len()];
        let mut successors = vec![Vec::new(); entries.len()];
        for (at, entry) in entries.iter().enumerate() {
            let named = entry.digest().and_then(|digest| match &digest.previous {
                Previous::Digest { bucket, key, .. } => find(entry, bucket, key),
                Previous::None | Previous::Contradictory => None,
            });
            let named = named.and_then(|path| by_path.get(path.as_str()).copied());
            if let Some(slot) = predecessor.get_mut(at) {
                *slot = named;
            }
            if let Some(list) = named.and_then(|named| successors.get_mut(named)) {
                list.push(at);
            }
        }
        // A digest that belongs elsewhere holds a place only when a digest of the chain names that place.
        let order = (0..entries.len())
            .filter(|&at| {
                let foreign =
                    entries.get(at).is_some_and(|entry| matches!(entry.content, EntryContent::Foreign(_)));
                !foreign || successors.get(at).is_some_and(|list| !list.is_empty())
            })
            .collect();
        Self { entries, predecessor, successors, order }
    }

    fn digest(&self, at: usize) -> Option<&'a Digest> {
        self.entries.get(at).and_then(|entry| entry.digest())
    }

    fn signature(&self, at: usize, keys: &PublicKeys) -> Signed {
        let (Some(entry), Some(digest)) = (self.entries.get(at), self.digest(at)) else {
            return Signed::NotChecked(String::new());
        };
        let message = digest.signed_string();
        let named: Vec<&str> = self
            .successors
            .get(at)
            .into_iter()
            .flatten()
            .filter_map(|&after| match &self.digest(after)?.previous {
                Previous::Digest { signature, .. } => Some(signature.as_str()),
                Previous::None | Previous::Contradictory => None,
            })
            .collect();
        // A backfill digest is signed when it is made, which can be long after the hour it speaks of.
        let (beside, moment) = match &entry.sidecar {
            Sidecar::Metadata { signature, generated, .. } => {
                let moment = if entry.chain.backfill { *generated } else { Some(digest.end.seconds()) };
                (Some(signature.as_str()), moment)
            }
            Sidecar::Absent | Sidecar::Useless(_) => {
                (None, (!entry.chain.backfill).then(|| digest.end.seconds()))
            }
        };
        if beside.is_none() && named.is_empty() {
            return Signed::NotChecked(match &entry.sidecar {
                Sidecar::Useless(problem) => {
                    format!(
                        "its metadata is of no use ({problem}), and no later digest carries its signature"
                    )
                }
                _ => "its metadata was not saved beside it, and no later digest carries its signature"
                    .to_owned(),
            });
        }
        if keys.of(&digest.fingerprint, moment).next().is_none() {
            return Signed::UnknownKey;
        }
        let verifies = |signature: &str| {
            hex::decode(signature).is_ok_and(|signature| {
                keys.of(&digest.fingerprint, moment).any(|key| key.verifies(message.as_bytes(), &signature))
            })
        };
        match beside {
            Some(signature) if verifies(signature) => Signed::Yes,
            Some(_) if named.iter().any(|signature| verifies(signature)) => Signed::SidecarAltered,
            Some(_) => self.unverified(at),
            None if named.iter().any(|signature| verifies(signature)) => Signed::Yes,
            // Its successor states another hash: the digest was changed. The same hash: the signature was.
            None if self
                .successors
                .get(at)
                .into_iter()
                .flatten()
                .any(|&after| self.hash_agrees(after, at)) =>
            {
                Signed::OtherSignatureCarried
            }
            None => self.unverified(at),
        }
    }

    /// What a signature that does not verify means: nothing, when it is said to be of another kind.
    fn unverified(&self, at: usize) -> Signed {
        let beside = match self.entries.get(at).map(|entry| &entry.sidecar) {
            Some(Sidecar::Metadata { algorithm, .. }) => Some(algorithm.as_str()),
            _ => None,
        };
        let stated = self.digest(at).and_then(|digest| digest.algorithm.as_deref());
        beside
            .into_iter()
            .chain(stated)
            .find(|name| *name != SIGNATURE_ALGORITHM)
            .map_or(Signed::No, |name| {
                Signed::NotChecked(format!("signed with `{name}`, which is not supported"))
            })
    }

    /// Whether entry `after` states the hash of entry `at`.
    fn hash_agrees(&self, after: usize, at: usize) -> bool {
        let stated = self.digest(after).and_then(|digest| match &digest.previous {
            Previous::Digest { hash, .. } => *hash,
            Previous::None | Previous::Contradictory => None,
        });
        stated.is_some() && stated == self.digest(at).map(|digest| digest.hash)
    }

    /// Tells what is wrong with an entry by itself.
    fn tell(&self, at: usize, entry: &Entry, signed: &Signed, judged: &mut Judged) {
        let findings = &mut judged.findings;
        match &entry.content {
            EntryContent::Foreign(problem) => {
                findings.problem(&entry.path, ProblemKind::DigestLink, problem.as_str());
            }
            EntryContent::Broken(problem) => {
                findings.problem(&entry.path, ProblemKind::DigestSignature, problem.as_str());
            }
            EntryContent::Unread(problem) => findings.unchecked(&entry.path, problem.as_str()),
            EntryContent::Digest(digest) => {
                if signed.credible() {
                    judged.trusted.push(at);
                }
                match signed {
                    Signed::Yes => {}
                    Signed::SidecarAltered => findings.problem(
                        &entry.path,
                        ProblemKind::DigestSignature,
                        "the signature beside it is not its own; its successor carries the right one",
                    ),
                    Signed::OtherSignatureCarried => {
                        for after in self.successors.get(at).into_iter().flatten() {
                            let path = self.entries.get(*after).map_or("", |entry| entry.path.as_str());
                            findings.problem(
                                path,
                                ProblemKind::DigestLink,
                                format!("carries a signature for `{}` that is not its own", entry.path),
                            );
                        }
                    }
                    Signed::No => findings.problem(
                        &entry.path,
                        ProblemKind::DigestSignature,
                        "its signature does not verify, so that its list of log files proves nothing",
                    ),
                    Signed::UnknownKey => findings.problem(
                        &entry.path,
                        ProblemKind::UnknownKey,
                        format!("no public key of its time has the fingerprint `{}`", digest.fingerprint),
                    ),
                    Signed::NotChecked(problem) => findings.unchecked(&entry.path, problem.as_str()),
                }
                if signed.credible() {
                    return;
                }
            }
        }
        let before = self.entries.iter().map(|entry| entry.end).filter(|end| *end < entry.end).max();
        judged.blind.push(Blind {
            from: before.unwrap_or(i64::MIN),
            to: entry.end,
            file: entry.path.clone(),
        });
    }

    /// Tells what is wrong between an entry and the one before it in time.
    fn link(
        &self,
        at: usize,
        before: Option<usize>,
        signed: &[Signed],
        from: Option<i64>,
        judged: &mut Judged,
    ) {
        let (Some(entry), Some(digest)) = (self.entries.get(at), self.digest(at)) else { return };
        if !signed.get(at).is_some_and(Signed::credible) {
            // What it says of its predecessor is not CloudTrail's word, and that was told.
            return;
        }
        let before_end = before.and_then(|before| self.end(before));
        let mut blind = |file: &str| {
            judged.blind.push(Blind {
                from: before_end.unwrap_or(i64::MIN),
                to: digest.start.seconds(),
                file: file.to_owned(),
            });
        };
        let findings = &mut judged.findings;
        let mut problem = |kind, detail: String| findings.problem(&entry.path, kind, detail);
        let (bucket, key) = match &digest.previous {
            Previous::Contradictory => {
                problem(ProblemKind::DigestLink, "names only half of a digest before it".to_owned());
                return;
            }
            Previous::None => {
                if let Some(before) = before.and_then(|before| self.entries.get(before)) {
                    blind(&entry.path);
                    problem(
                        ProblemKind::Gap,
                        format!("the chain starts anew here; it does not continue `{}`", before.path),
                    );
                }
                return;
            }
            Previous::Digest { bucket, key, .. } => (bucket, key),
        };
        if let Place::Digest { chain, .. } = place::classify(key)
            && !same_chain(&chain, &entry.chain)
        {
            problem(ProblemKind::DigestLink, format!("names a digest of another chain, `{key}`"));
            return;
        }
        let Some(named) = self.predecessor.get(at).copied().flatten() else {
            let excused = before.is_none() && from.is_some_and(|from| digest.start.seconds() <= from);
            if !excused {
                blind(key);
                findings.problem(
                    key,
                    ProblemKind::DigestMissing,
                    format!("named by `{}` in bucket `{bucket}`", entry.path),
                );
            }
            return;
        };
        if Some(named) != before {
            let detail = match (self.entries.get(named), before.and_then(|before| self.entries.get(before))) {
                (Some(named), Some(before)) if (named.end, &named.path) < (entry.end, &entry.path) => {
                    format!("continues `{}` and passes over `{}`", named.path, before.path)
                }
                _ => format!("names `{key}`, which is not before it"),
            };
            problem(ProblemKind::DigestLink, detail);
        }
        if !signed.get(named).is_some_and(Signed::credible) {
            return;
        }
        if let Some(mismatch) = self.mismatch(at, named, signed) {
            problem(ProblemKind::DigestLink, mismatch);
        } else if Some(named) == before
            && !entry.chain.backfill
            && let Some(end) = self.digest(named).map(|digest| digest.end.seconds())
            && digest.start.seconds() > end.saturating_add(ADJACENT)
        {
            blind(&entry.path);
            problem(
                ProblemKind::Gap,
                format!("begins {} s after the digest before it ends", digest.start.seconds() - end),
            );
        }
    }

    fn end(&self, at: usize) -> Option<i64> {
        self.digest(at)
            .map(|digest| digest.end.seconds())
            .or_else(|| self.entries.get(at).map(|entry| entry.end))
    }

    /// How what `at` says of `named` differs from what `named` is.
    fn mismatch(&self, at: usize, named: usize, signed: &[Signed]) -> Option<String> {
        let Previous::Digest { hash, signature, .. } = &self.digest(at)?.previous else { return None };
        let (entry, digest) = (self.entries.get(named)?, self.digest(named)?);
        if *hash != Some(digest.hash) {
            return Some(format!("states another hash for `{}`", entry.path));
        }
        let other = match &entry.sidecar {
            Sidecar::Metadata { signature: actual, .. } => {
                signed.get(named) != Some(&Signed::SidecarAltered) && !actual.eq_ignore_ascii_case(signature)
            }
            Sidecar::Absent | Sidecar::Useless(_) => false,
        };
        other.then(|| format!("carries another signature than that of `{}`", entry.path))
    }
}

impl Entry {
    fn digest(&self) -> Option<&Digest> {
        match &self.content {
            EntryContent::Digest(digest) => Some(digest),
            EntryContent::Foreign(_) | EntryContent::Broken(_) | EntryContent::Unread(_) => None,
        }
    }
}

/// Chains are the same wherever in a bucket they lie; the organization is part of the place.
fn same_chain(a: &ChainName, b: &ChainName) -> bool {
    (&a.account, &a.region, &a.trail, &a.home_region, a.backfill)
        == (&b.account, &b.region, &b.trail, &b.home_region, b.backfill)
}
