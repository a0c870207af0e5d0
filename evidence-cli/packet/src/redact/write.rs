//! Writes a redacted packet, once a search of all of it has found nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::sync::Arc;

use cadastre_model::evidence::Evidence;
use cadastre_model::{Observation, Record, Timestamp};
use serde_json::Value;

use super::archive;
use super::leak::Searcher;
use super::pseudonym::{self, Pseudonyms};
use super::remake::{Remake, RemakeError};
use super::replace::Replacer;
use super::rules::Rules;
use super::statement::{DerivedFile, REDACTED_SCHEMA, Redaction, Replaced, Told, Withheld};
use super::values::Values;
use crate::canonical;
use crate::container::ContainerWriter;
use crate::create::PackFile;
use crate::digest::Digest;
use crate::envelope::Envelope;
use crate::error::PacketError;
use crate::leaf::{self, Label, Leaf};
use crate::manifest::{EvidenceSummary, FileEntry, Role};
use crate::names;
use crate::path::PacketPath;
use crate::randomness::{Randomness, draw};
use crate::record_line;
use crate::signer::Signer;
use crate::statement::{REDACTION_PREDICATE, RedactionPredicate, Statement};
use crate::verified::VerifiedPacket;

/// What a redaction says of itself.
#[derive(Debug, Clone)]
pub struct RedactOptions {
    /// The version of the tool.
    pub tool_version: String,
    /// When.
    pub redacted_at: Timestamp,
    /// Files rendered again from the redacted evidence, by the path of the file they stand for. They are searched like
    /// everything else.
    pub companions: Vec<PackFile>,
    /// How files are made again that redaction cannot rewrite.
    pub remakes: Vec<Arc<dyn Remake>>,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redacted {
    /// The root, which is the original one.
    pub root: Digest,
    /// Leaves that stand as they were.
    pub original: u64,
    /// Leaves with something in their place.
    pub replaced: u64,
    /// Leaves with nothing in their place.
    pub withheld: u64,
    /// Files that were withheld whole, with the reason and, for whoever redacts, what came of the attempt to rewrite
    /// them. What the packet itself says of them is the reason alone.
    pub withheld_files: Vec<(String, String)>,
    /// Number of distinct values by kind.
    pub values: BTreeMap<String, u64>,
    /// Names of principals that are too common to replace wherever they stand, and were replaced in qualified form
    /// only (`User:kafka`); add what must go to `names`.
    pub qualified_only: Vec<String>,
}

/// What becomes of a leaf.
enum Fate {
    Stays,
    Replaced(String),
    Withheld(&'static str),
}

/// What is about to be written.
#[derive(Default)]
struct Draft {
    fates: Vec<Option<Fate>>,
    originals: Vec<(FileEntry, Vec<u8>)>,
    derived: Vec<(DerivedFile, Vec<u8>)>,
    records: Vec<Record>,
    withheld_files: Vec<(String, String)>,
}

/// Redacts a verified packet. With a `redactor`, the account of what was done is signed.
///
/// # Errors
/// When the packet is redacted already, a rule cannot be used, or a value would survive
/// ([`super::LeakError`]); nothing is written then.
pub fn redact(
    packet: &VerifiedPacket<'_>,
    rules: &Rules,
    options: &RedactOptions,
    redactor: Option<&dyn Signer>,
    randomness: &dyn Randomness,
    mut output: impl Write,
) -> Result<Redacted, PacketError> {
    if packet.is_redacted() {
        return Err(PacketError::AlreadyRedacted);
    }
    let records = read_records(packet)?;
    let texts = read_texts(packet)?;
    let values = collect(packet, rules, &records, &texts)?;
    let key = draw(randomness)?;
    let values_only = Redactor::new(key, pseudonym::assign(&values, &key)?);

    let mut draft =
        Draft { fates: packet.packet().leaves.iter().map(|_| None).collect(), ..Draft::default() };
    let mut identities = values_only.records(rules, &records, &mut draft)?;
    let told = values_only.told(packet, &draft)?;
    // Where every record stays, so does their root, and it gives nothing away.
    if packet.summary().merkle_root != told.evidence.merkle_root {
        identities.insert(packet.summary().merkle_root.to_string(), told.evidence.merkle_root.to_string());
    }
    let with_hashes = values_only.with(&identities);
    with_hashes.files(packet, rules, &texts, options, &mut draft)?;

    let redaction = account(packet, options, &values, told, &draft)?;
    let bytes = assemble(packet, &redaction, &draft, redactor)?;
    with_hashes.search(&bytes)?;
    output.write_all(&bytes).map_err(PacketError::write("the packet"))?;
    output.flush().map_err(PacketError::write("the packet"))?;
    Ok(Redacted {
        root: packet.verification().root,
        original: packet.packet().leaves.len() as u64
            - (redaction.replaced.len() + redaction.withheld.len()) as u64,
        replaced: redaction.replaced.len() as u64,
        withheld: redaction.withheld.len() as u64,
        withheld_files: draft.withheld_files,
        values: redaction.rules,
        qualified_only: values.qualified_only.into_iter().collect(),
    })
}

/// A record with its place in the tree.
struct PlacedRecord {
    leaf: usize,
    file: PacketPath,
    line: Vec<u8>,
    record: Record,
}

fn read_records(packet: &VerifiedPacket<'_>) -> Result<Vec<PlacedRecord>, PacketError> {
    let leaves = packet.packet().leaves.iter().enumerate();
    let mut places =
        leaves.filter_map(|(at, leaf)| matches!(leaf, Leaf::Open(_, Label::Record(_))).then_some(at));
    let mut records = Vec::new();
    for file in packet.files().iter().filter(|file| file.role == Role::Records) {
        let bytes = packet.read(file.path.as_str())?;
        for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let leaf =
                places.next().ok_or_else(|| PacketError::Mismatch("more records than leaves".to_owned()))?;
            let record = record_line::decode(line)?;
            records.push(PlacedRecord { leaf, file: file.path.clone(), line: line.to_vec(), record });
        }
    }
    Ok(records)
}

/// A file that is not records, with its place in the tree.
type PlacedFile<'p> = (usize, &'p FileEntry, Vec<u8>);

/// Every file that is not records.
fn read_texts<'p>(packet: &'p VerifiedPacket<'_>) -> Result<Vec<PlacedFile<'p>>, PacketError> {
    let mut texts = Vec::new();
    for file in packet.files().iter().filter(|file| file.role != Role::Records) {
        let is_it =
            |leaf: &Leaf| matches!(leaf, Leaf::Open(_, Label::File(label)) if label.path == file.path);
        let leaf = packet.packet().leaves.iter().position(is_it);
        let leaf =
            leaf.ok_or_else(|| PacketError::Mismatch(format!("no leaf stands for `{}`", file.path)))?;
        texts.push((leaf, file, packet.read(file.path.as_str())?));
    }
    Ok(texts)
}

fn collect(
    packet: &VerifiedPacket<'_>,
    rules: &Rules,
    records: &[PlacedRecord],
    texts: &[PlacedFile<'_>],
) -> Result<Values, PacketError> {
    let mut values = Values::new(rules)?;
    for placed in records {
        values.reserve(&placed.record.operation);
        values.reserve(&placed.record.collector);
        if let Some(account) = &placed.record.scope.account {
            values.scope_account(rules, account);
        }
    }
    values.check_reserved()?;
    for placed in records {
        values.collect(rules, &String::from_utf8_lossy(&placed.line))?;
    }
    for (_, file, bytes) in texts {
        values.collect(rules, file.path.as_str())?;
        if let Ok(text) = std::str::from_utf8(bytes) {
            values.collect(rules, text)?;
        }
    }
    for text in packet.summary().callers.iter().map(String::as_str).chain(packet.boundary()) {
        values.collect(rules, text)?;
    }
    Ok(values)
}

/// Knows what must go and what comes in its place.
struct Redactor {
    /// Drawn for this redaction, and gone with it.
    key: [u8; 32],
    pseudonyms: Pseudonyms,
    replacer: Option<Replacer>,
    searcher: Option<Searcher>,
}

impl Redactor {
    fn new(key: [u8; 32], pseudonyms: Pseudonyms) -> Self {
        let texts: BTreeSet<String> =
            pseudonyms.keys().flat_map(|text| [text.clone(), text.to_uppercase()]).collect();
        let texts: Vec<String> = texts.into_iter().collect();
        Self {
            key,
            replacer: Replacer::new(&pseudonyms),
            searcher: Searcher::new(&texts).filter(|_| !texts.is_empty()),
            pseudonyms,
        }
    }

    /// The same, with hashes that have no salt: whole, and as the twelve digits that reports print.
    fn with(&self, hashes: &BTreeMap<String, String>) -> Self {
        let mut pseudonyms = self.pseudonyms.clone();
        for (old, new) in hashes {
            pseudonyms.insert(old.clone(), new.clone());
            if let (Some(old), Some(new)) = (old.get(..12), new.get(..12)) {
                pseudonyms.insert(old.to_owned(), new.to_owned());
            }
        }
        Self::new(self.key, pseudonyms)
    }

    /// Whether nothing that must go is in a file.
    fn is_clean(&self, name: &str, bytes: &[u8]) -> bool {
        self.searcher.as_ref().is_none_or(|searcher| searcher.check(name, bytes).is_ok())
    }

    fn replaced(&self, bytes: &[u8]) -> Vec<u8> {
        self.replacer.as_ref().map_or_else(|| bytes.to_vec(), |replacer| replacer.replace(bytes))
    }

    fn replaced_text(&self, text: &str) -> String {
        self.replacer.as_ref().map_or_else(|| text.to_owned(), |replacer| replacer.replace_text(text))
    }

    /// Decides about every record. Returns the hashes of those that do not stay, with what stands for them.
    fn records(
        &self,
        rules: &Rules,
        records: &[PlacedRecord],
        draft: &mut Draft,
    ) -> Result<BTreeMap<String, String>, PacketError> {
        let mut identities = BTreeMap::new();
        let mut kept: BTreeMap<PacketPath, Vec<u8>> = BTreeMap::new();
        let mut derived: BTreeMap<PacketPath, Vec<u8>> = BTreeMap::new();
        for placed in records {
            let id = placed.record.id().as_str();
            let digits = id.strip_prefix("sha256:").unwrap_or(id).to_owned();
            let named = rules.record_ids.iter().any(|wanted| wanted == id || *wanted == digits)
                || rules.operations.iter().any(|glob| glob.is_match(&placed.record.operation))
                || rules.subjects.iter().any(|glob| glob.is_match(&placed.record.subject));
            let fate = if named {
                Fate::Withheld("rule")
            } else if self.is_clean("a record", &placed.line) {
                append(kept.entry(placed.file.clone()).or_default(), &placed.line);
                draft.records.push(placed.record.clone());
                Fate::Stays
            } else if let Some(record) = self.derive(&placed.record, &placed.line) {
                append(derived.entry(placed.file.clone()).or_default(), &record_line::encode(&record)?);
                let new = record.id().as_str().to_owned();
                draft.records.push(record);
                Fate::Replaced(new)
            } else {
                Fate::Withheld("cannot be rewritten")
            };
            match &fate {
                Fate::Stays => {}
                Fate::Replaced(new) => {
                    identities.insert(digits, new.trim_start_matches("sha256:").to_owned());
                }
                Fate::Withheld(_) => {
                    // Without the key, nobody can tell which hash this stands for.
                    let stand_in = Digest::of(&[self.key.as_slice(), digits.as_bytes()].concat());
                    identities.insert(digits, stand_in.to_string());
                }
            }
            let fate = match fate {
                Fate::Replaced(new) => Fate::Replaced(format!("record {new}")),
                other => other,
            };
            set(&mut draft.fates, placed.leaf, fate);
        }
        for (path, bytes) in kept {
            draft.originals.push((records_entry(path, &bytes), bytes));
        }
        for (path, bytes) in derived {
            let file = records_entry(under_derived(&path)?, &bytes);
            draft.derived.push((DerivedFile { file, reason: "pseudonyms".to_owned() }, bytes));
        }
        Ok(identities)
    }

    /// A record with pseudonyms, if it is still one and nothing of the values is left in it.
    fn derive(&self, record: &Record, line: &[u8]) -> Option<Record> {
        let mut value: Value = serde_json::from_slice(&self.replaced(line)).ok()?;
        value.as_object_mut()?.remove("id");
        let observation: Observation = serde_json::from_value(value).ok()?;
        let same = observation.collector == record.collector && observation.operation == record.operation;
        let derived = observation.seal().ok().filter(|_| same)?;
        let line = record_line::encode(&derived).ok()?;
        self.is_clean("a record", &line).then_some(derived)
    }

    /// What is passed on of the manifest.
    fn told(&self, packet: &VerifiedPacket<'_>, draft: &Draft) -> Result<Told, PacketError> {
        let summary = packet.summary();
        let evidence = Evidence::from_records(
            draft.records.clone(),
            &summary.tool_version,
            summary.started_at,
            summary.finished_at,
            summary.complete,
        );
        let evidence = EvidenceSummary::of(&evidence)
            .ok_or_else(|| PacketError::Mismatch("the evidence's root is not a digest".to_owned()))?;
        Ok(Told {
            as_of: packet.verification().as_of,
            boundary: packet.boundary().map(|name| self.replaced_text(name)),
            evidence,
        })
    }

    /// Decides about every file that is not records.
    fn files(
        &self,
        packet: &VerifiedPacket<'_>,
        rules: &Rules,
        texts: &[PlacedFile<'_>],
        options: &RedactOptions,
        draft: &mut Draft,
    ) -> Result<(), PacketError> {
        let mut companions: BTreeMap<&PacketPath, &PackFile> =
            options.companions.iter().map(|file| (&file.path, file)).collect();
        for (leaf, file, bytes) in texts {
            let path = file.path.as_str();
            let mut details = String::new();
            let fate = if let Some(companion) = companions.remove(&file.path) {
                self.companion(companion, draft)?
            } else if rules.files.iter().any(|glob| glob.is_match(path)) {
                Fate::Withheld("rule")
            } else if bytes.starts_with(b"%PDF") && self.searcher.is_some() {
                // Text in a PDF is numbers of glyphs, which no search can read.
                let remake = options.remakes.iter().find(|remake| *remake.path() == file.path);
                match remake.map(|remake| self.made_again(remake.as_ref(), file, draft)) {
                    Some(Ok(fate)) => fate,
                    Some(Err(why)) => {
                        details = format!(": {why}");
                        Fate::Withheld("cannot be rewritten")
                    }
                    None => Fate::Withheld("cannot be rewritten"),
                }
            } else if self.is_clean(path, bytes) && self.is_clean(path, path.as_bytes()) {
                draft.originals.push(((*file).clone(), bytes.clone()));
                Fate::Stays
            } else {
                self.derived_file(file, bytes, draft)?
            };
            if let Fate::Withheld(reason) = &fate {
                draft.withheld_files.push((path.to_owned(), format!("{reason}{details}")));
            }
            set(&mut draft.fates, *leaf, fate);
        }
        for companion in companions.into_values() {
            self.companion(companion, draft)?;
        }
        let manifest = packet.packet().leaves.first().map(|_| 0);
        manifest.into_iter().for_each(|leaf| set(&mut draft.fates, leaf, Fate::Withheld("manifest")));
        Ok(())
    }

    fn companion(&self, companion: &PackFile, draft: &mut Draft) -> Result<Fate, PacketError> {
        let mut bytes = Vec::new();
        let path = under_derived(&companion.path)?;
        companion
            .content
            .open()
            .and_then(|mut content| std::io::Read::read_to_end(&mut content, &mut bytes))
            .map_err(PacketError::read(companion.path.as_str()))?;
        let fits = companion.role != Role::Records && companion.role.fits(&companion.path);
        if !fits {
            return Err(PacketError::Input { path, why: "a file of its role lies elsewhere" });
        }
        let file = entry(path.clone(), companion.role, &companion.media_type, &bytes);
        draft.derived.push((DerivedFile { file, reason: "rendered again".to_owned() }, bytes));
        Ok(Fate::Replaced(format!("file {path}")))
    }

    fn derived_file(&self, file: &FileEntry, bytes: &[u8], draft: &mut Draft) -> Result<Fate, PacketError> {
        let is_text = std::str::from_utf8(bytes).is_ok();
        let replaced = if is_text {
            Some(self.replaced(bytes))
        } else {
            archive::rewrite(bytes, |part| self.replaced(part))
        };
        let Some(replaced) = replaced else { return Ok(Fate::Withheld("cannot be rewritten")) };
        let path = self.replaced_text(file.path.as_str()).parse::<PacketPath>();
        let Some(path) = path.ok().filter(|path| file.role.fits(path)) else {
            return Ok(Fate::Withheld("cannot be rewritten"));
        };
        let was_json = serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok();
        let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(&replaced).is_ok();
        if was_json != is_json || !self.is_clean(file.path.as_str(), &replaced) {
            return Ok(Fate::Withheld("cannot be rewritten"));
        }
        let path = under_derived(&path)?;
        let file = entry(path.clone(), file.role, &file.media_type, &replaced);
        draft.derived.push((DerivedFile { file, reason: "pseudonyms".to_owned() }, replaced));
        Ok(Fate::Replaced(format!("file {path}")))
    }

    /// A file made again of its texts with pseudonyms.
    ///
    /// # Errors
    /// Why that cannot be done, in words for whoever redacts.
    fn made_again(
        &self,
        remake: &dyn Remake,
        file: &FileEntry,
        draft: &mut Draft,
    ) -> Result<Fate, RemakeError> {
        let name = file.path.as_str();
        self.cleared("its name", name.as_bytes())?;
        let mut texts = Vec::new();
        for text in remake.texts() {
            let replaced = self.replaced(text);
            self.cleared("what it is made of", &replaced)?;
            texts.push(replaced);
        }
        let made = remake.make(&texts).map_err(RemakeError::Make)?;
        self.cleared("the new file", &made.bytes)?;
        self.cleared("what the new pages show", made.shown.as_bytes())?;
        self.cleared("what the new pages show without breaks", made.unbroken().as_bytes())?;
        let path = under_derived(&file.path).map_err(|error| RemakeError::Make(error.to_string()))?;
        let file = entry(path.clone(), file.role, &file.media_type, &made.bytes);
        draft.derived.push((DerivedFile { file, reason: "rendered again".to_owned() }, made.bytes));
        Ok(Fate::Replaced(format!("file {path}")))
    }

    fn cleared(&self, what: &'static str, bytes: &[u8]) -> Result<(), RemakeError> {
        let found = self.searcher.as_ref().map_or(Ok(()), |searcher| searcher.find(bytes));
        found.map_err(|finding| RemakeError::Leak { what, finding })
    }

    /// The last word: every byte that is about to be written, names and lists included.
    fn search(&self, packet: &[u8]) -> Result<(), PacketError> {
        let Some(searcher) = &self.searcher else { return Ok(()) };
        let container = crate::container::Container::open(&packet)?;
        for found in container.entries() {
            let start = usize::try_from(found.content()).unwrap_or(usize::MAX);
            let end = usize::try_from(found.end()).unwrap_or(usize::MAX);
            searcher.check(found.path.as_str(), packet.get(start..end).unwrap_or_default())?;
            searcher.check("a file name", found.path.as_str().as_bytes())?;
        }
        Ok(())
    }
}

fn append(bytes: &mut Vec<u8>, line: &[u8]) {
    bytes.extend_from_slice(line);
    bytes.push(b'\n');
}

fn set(fates: &mut [Option<Fate>], leaf: usize, fate: Fate) {
    if let Some(slot) = fates.get_mut(leaf) {
        *slot = Some(fate);
    }
}

fn under_derived(path: &PacketPath) -> Result<PacketPath, PacketError> {
    Ok(format!("{}{path}", names::DERIVED).parse()?)
}

fn entry(path: PacketPath, role: Role, media_type: &str, bytes: &[u8]) -> FileEntry {
    let (size, sha256) = (bytes.len() as u64, Digest::of(bytes));
    FileEntry { path, role, media_type: media_type.to_owned(), size, sha256, records: None }
}

fn records_entry(path: PacketPath, bytes: &[u8]) -> FileEntry {
    let lines = bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
    FileEntry { records: Some(lines), ..entry(path, Role::Records, "application/x-ndjson", bytes) }
}

fn account(
    packet: &VerifiedPacket<'_>,
    options: &RedactOptions,
    values: &Values,
    told: Told,
    draft: &Draft,
) -> Result<Redaction, PacketError> {
    let mut rules: BTreeMap<String, u64> = BTreeMap::new();
    for kind in values.by_text.values() {
        *rules.entry(kind.plural().to_owned()).or_default() += 1;
    }
    for (kind, count) in [("addresses", values.addresses.len()), ("principals", values.qualified.len())] {
        if count > 0 {
            *rules.entry(kind.to_owned()).or_default() += count as u64;
        }
    }
    let (mut replaced, mut withheld) = (Vec::new(), Vec::new());
    for (leaf, fate) in (0_u64..).zip(&draft.fates) {
        match fate {
            Some(Fate::Stays) => {}
            Some(Fate::Replaced(by)) => replaced.push(Replaced { leaf, by: by.clone() }),
            Some(Fate::Withheld(reason)) => withheld.push(Withheld { leaf, reason: (*reason).to_owned() }),
            None => return Err(PacketError::Mismatch(format!("nothing was decided about leaf {leaf}"))),
        }
    }
    let mut originals: Vec<FileEntry> = draft.originals.iter().map(|(file, _)| file.clone()).collect();
    let mut derived: Vec<DerivedFile> = draft.derived.iter().map(|(file, _)| file.clone()).collect();
    originals.sort_by(|a, b| a.path.cmp(&b.path));
    derived.sort_by(|a, b| a.file.path.cmp(&b.file.path));
    Ok(Redaction {
        schema: REDACTED_SCHEMA.to_owned(),
        tool_version: options.tool_version.clone(),
        redacted_at: options.redacted_at,
        statement: packet.statement_digest(),
        told,
        rules,
        originals,
        derived,
        replaced,
        withheld,
    })
}

fn assemble(
    packet: &VerifiedPacket<'_>,
    redaction: &Redaction,
    draft: &Draft,
    redactor: Option<&dyn Signer>,
) -> Result<Vec<u8>, PacketError> {
    let leaves: Vec<Leaf> = packet
        .packet()
        .leaves
        .iter()
        .zip(&draft.fates)
        .map(|(leaf, fate)| match fate {
            Some(Fate::Stays) => leaf.clone(),
            _ => Leaf::Held(leaf.hash()),
        })
        .collect();
    let bytes = canonical::to_vec(redaction)?;
    let mut writer = ContainerWriter::new(Vec::new());
    writer.add_bytes(&names::redaction(), &bytes)?;
    writer.add_bytes(&names::leaves(), &leaf::encode(&leaves))?;
    if let Some(signer) = redactor {
        let predicate = RedactionPredicate {
            schema: REDACTED_SCHEMA.to_owned(),
            tool_version: redaction.tool_version.clone(),
            redacted_at: redaction.redacted_at,
            statement: redaction.statement,
        };
        let root = packet.verification().root;
        let statement =
            Statement::new(REDACTION_PREDICATE, root, names::REDACTION, Digest::of(&bytes), predicate);
        let envelope = Envelope::sign(canonical::to_vec(&statement)?, signer)?;
        writer.add_bytes(&names::redaction_attestation(), &envelope.encode()?)?;
    }
    writer.add_bytes(&names::attestation(), &packet.envelope()?.encode()?)?;
    if let Some(timestamp) = &packet.packet().timestamp {
        writer.add_bytes(&names::timestamp(), timestamp)?;
    }
    let originals = draft.originals.iter().map(|(file, bytes)| (&file.path, bytes));
    let derived = draft.derived.iter().map(|(derived, bytes)| (&derived.file.path, bytes));
    let files: BTreeMap<&PacketPath, &Vec<u8>> = originals.chain(derived).collect();
    for (path, bytes) in files {
        writer.add_bytes(path, bytes)?;
    }
    Ok(writer.finish()?)
}
