//! The evidence directory: `manifest.json` beside `records/<collector>.ndjson`.
//!
//! Records are appended as they are seen, so that an interrupted scan keeps what it has. Closing the
//! directory writes the manifest; reading verifies every record's content address, every file's hash, the
//! counts and the Merkle root, and refuses by name what does not agree.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::merkle;
use crate::record::{
    Observation, Outcome, Record, RecordError, RecordId, RecordSink, SinkError, UncheckedRecord,
};
use crate::time::Timestamp;

/// The layout this version writes.
pub const SCHEMA: &str = "cadastre/evidence/v1";

/// Above this many bytes a records file is compressed with Zstandard when the directory is closed.
const COMPRESS_ABOVE: u64 = 8 << 20;

/// The longest line that is read as one record, in bytes.
const MAXIMUM_LINE: u64 = 64 << 20;

/// What an evidence directory says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// The version of the tool that wrote it.
    pub tool_version: String,
    /// When the scan began.
    pub started_at: Timestamp,
    /// When it ended: the default time for which evidence is judged.
    pub finished_at: Timestamp,
    /// False when the scan was interrupted; nothing passes on such evidence.
    pub complete: bool,
    /// Every identity that asked, sorted.
    pub callers: BTreeSet<String>,
    /// How many records ended in which way.
    pub outcomes: BTreeMap<String, u64>,
    /// The files under `records/`, by name.
    pub files: BTreeMap<String, FileEntry>,
    /// RFC 6962 root over all record ids, sorted; 64 hexadecimal digits.
    pub merkle_root: String,
}

/// One file of records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Number of records.
    pub records: u64,
    /// SHA-256 of the file as it lies on disk, 64 hexadecimal digits.
    pub sha256: String,
}

/// Why an evidence directory was refused, or could not be written.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// The operating system refused.
    #[error("cannot access `{path}`")]
    Io {
        /// The file or directory.
        path: String,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// There is already something at the output path.
    #[error("`{path}` exists")]
    Exists {
        /// The path.
        path: String,
    },
    /// No manifest: not an evidence directory, or one whose scan was killed.
    #[error("`{path}` is not an evidence directory: it has no manifest.json")]
    NoManifest {
        /// The directory.
        path: String,
    },
    /// Written by a version that knows more.
    #[error("`{path}` has schema `{found}`, and this version reads `{SCHEMA}`")]
    Schema {
        /// The manifest.
        path: String,
        /// Its schema.
        found: String,
    },
    /// A file does not parse.
    #[error("`{path}` line {line} is not a record")]
    Malformed {
        /// The file.
        path: String,
        /// Counted from 1.
        line: u64,
        /// What the parser said.
        #[source]
        source: serde_json::Error,
    },
    /// A line longer than any record.
    #[error("`{path}` line {line} is longer than {MAXIMUM_LINE} bytes")]
    TooLong {
        /// The file.
        path: String,
        /// Counted from 1.
        line: u64,
    },
    /// A record's id does not match its content.
    #[error("`{path}` line {line} was edited")]
    Edited {
        /// The file.
        path: String,
        /// Counted from 1.
        line: u64,
        /// Which record.
        #[source]
        source: RecordError,
    },
    /// The directory is not what its manifest says.
    #[error("`{path}` does not match its manifest: {what}")]
    Mismatch {
        /// The directory or file.
        path: String,
        /// What differs.
        what: String,
    },
    /// An observation could not be kept.
    #[error(transparent)]
    Sink(#[from] SinkError),
}

fn io_error(path: &Path) -> impl FnOnce(std::io::Error) -> EvidenceError {
    let path = path.display().to_string();
    move |source| EvidenceError::Io { path, source }
}

/// Verified evidence, in memory.
#[derive(Debug, Clone)]
pub struct Evidence {
    manifest: Manifest,
    records: Vec<Record>,
}

impl Evidence {
    /// Reads and verifies a directory.
    ///
    /// # Errors
    /// Whatever does not agree, by name: see [`EvidenceError`].
    pub fn read(directory: &Path) -> Result<Self, EvidenceError> {
        let manifest = parse_manifest(&directory.join("manifest.json"), &manifest_text(directory)?)?;
        let evidence = Self::verify(directory, manifest, |path| File::open(path).map_err(io_error(path)))?;
        refuse_unlisted_files(directory, &evidence.manifest)?;
        Ok(evidence)
    }

    /// Verifies evidence that is compiled into a program, as if it lay in a directory `name`.
    ///
    /// # Errors
    /// As [`Evidence::read`].
    pub fn read_embedded(name: &str, manifest: &str, files: &[(&str, &[u8])]) -> Result<Self, EvidenceError> {
        let directory = Path::new(name);
        let manifest = parse_manifest(&directory.join("manifest.json"), manifest)?;
        Self::verify(directory, manifest, |path| {
            let wanted = path.file_name().unwrap_or_default();
            files.iter().find(|(name, _)| *name == wanted).map(|(_, content)| *content).ok_or_else(|| {
                io_error(path)(std::io::Error::new(std::io::ErrorKind::NotFound, "not compiled in"))
            })
        })
    }

    fn verify<R: Read>(
        directory: &Path,
        manifest: Manifest,
        open: impl Fn(&Path) -> Result<R, EvidenceError>,
    ) -> Result<Self, EvidenceError> {
        let mut records = Vec::new();
        for (name, entry) in &manifest.files {
            if name.contains(['/', '\\']) || name.starts_with('.') {
                return Err(mismatch(directory, format!("`{name}` is not a file name")));
            }
            let path = directory.join("records").join(name);
            let before = records.len() as u64;
            read_records(&path, open(&path)?, entry, &mut records)?;
            let read = (records.len() as u64).saturating_sub(before);
            if read != entry.records {
                return Err(mismatch(
                    &path,
                    format!("{read} records, and the manifest says {}", entry.records),
                ));
            }
        }
        let evidence = Self::assemble(manifest.clone(), records);
        if evidence.manifest != manifest {
            return Err(mismatch(directory, "outcome counts, callers or merkle root differ".to_owned()));
        }
        Ok(evidence)
    }

    /// Evidence from records that are already verified: several scans joined, a recorded account, a
    /// mutation. Counts, callers and root are computed; the times are the caller's to state.
    #[must_use]
    pub fn from_records(
        records: Vec<Record>,
        tool_version: &str,
        started_at: Timestamp,
        finished_at: Timestamp,
        complete: bool,
    ) -> Self {
        let mut files: BTreeMap<String, FileEntry> = BTreeMap::new();
        for record in &records {
            files
                .entry(format!("{}.ndjson", record.collector))
                .or_insert_with(|| FileEntry { records: 0, sha256: String::new() })
                .records += 1;
        }
        Self::assemble(
            Manifest {
                schema: SCHEMA.to_owned(),
                tool_version: tool_version.to_owned(),
                started_at,
                finished_at,
                complete,
                callers: BTreeSet::new(),
                outcomes: BTreeMap::new(),
                files,
                merkle_root: String::new(),
            },
            records,
        )
    }

    fn assemble(mut manifest: Manifest, mut records: Vec<Record>) -> Self {
        records.sort_by(|a, b| sort_key(a).cmp(&sort_key(b)));
        records.dedup_by(|a, b| a.id() == b.id());
        manifest.callers =
            records.iter().filter(|r| !r.caller.is_empty()).map(|r| r.caller.clone()).collect();
        manifest.outcomes = BTreeMap::new();
        for record in &records {
            *manifest.outcomes.entry(outcome_name(record.outcome).to_owned()).or_default() += 1;
        }
        manifest.merkle_root = merkle_root(records.iter().map(Record::id));
        Self { manifest, records }
    }

    /// What the directory says of itself.
    #[must_use]
    pub const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// All records, sorted by collector, operation, scope, subject and page.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// Joins another scan to this one; the times become the span of both, and the whole is complete only
    /// when both are.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        let started_at = self.manifest.started_at.min(other.manifest.started_at);
        let finished_at = self.manifest.finished_at.max(other.manifest.finished_at);
        let complete = self.manifest.complete && other.manifest.complete;
        let tool_version = self.manifest.tool_version;
        let mut records = self.records;
        records.extend(other.records);
        Self::from_records(records, &tool_version, started_at, finished_at, complete)
    }

    /// Writes the evidence as a new directory.
    ///
    /// # Errors
    /// When the path exists or cannot be written.
    pub fn write(&self, directory: &Path) -> Result<Manifest, EvidenceError> {
        let writer =
            EvidenceWriter::create(directory, &self.manifest.tool_version, self.manifest.started_at)?;
        for record in &self.records {
            writer.append(record)?;
        }
        writer.close(self.manifest.finished_at, self.manifest.complete)
    }
}

fn sort_key(record: &Record) -> (&str, &str, &crate::Scope, &str, u32, &RecordId) {
    (&record.collector, &record.operation, &record.scope, &record.subject, record.page.number, record.id())
}

const fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Observed => "observed",
        Outcome::Denied => "denied",
        Outcome::Absent => "absent",
        Outcome::Failed => "failed",
        Outcome::Truncated => "truncated",
    }
}

fn merkle_root<'a>(ids: impl Iterator<Item = &'a RecordId>) -> String {
    let sorted: BTreeSet<&RecordId> = ids.collect();
    merkle::root(sorted.into_iter().map(|id| id.as_str().as_bytes()))
}

fn mismatch(path: &Path, what: String) -> EvidenceError {
    EvidenceError::Mismatch { path: path.display().to_string(), what }
}

fn manifest_text(directory: &Path) -> Result<String, EvidenceError> {
    let path = directory.join("manifest.json");
    match fs::read_to_string(&path) {
        Ok(text) => Ok(text),
        Err(source) if source.kind() == std::io::ErrorKind::NotFound && directory.is_dir() => {
            Err(EvidenceError::NoManifest { path: directory.display().to_string() })
        }
        Err(source) => {
            let missing = if directory.exists() { path } else { directory.to_owned() };
            Err(io_error(&missing)(source))
        }
    }
}

fn parse_manifest(path: &Path, text: &str) -> Result<Manifest, EvidenceError> {
    #[derive(Deserialize)]
    struct SchemaOnly {
        schema: String,
    }
    let malformed = |source| EvidenceError::Malformed { path: path.display().to_string(), line: 1, source };
    let found = serde_json::from_str::<SchemaOnly>(text).map_err(malformed)?.schema;
    if found != SCHEMA {
        return Err(EvidenceError::Schema { path: path.display().to_string(), found });
    }
    serde_json::from_str(text).map_err(malformed)
}

fn refuse_unlisted_files(directory: &Path, manifest: &Manifest) -> Result<(), EvidenceError> {
    let records = directory.join("records");
    if manifest.files.is_empty() && !records.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(&records).map_err(io_error(&records))? {
        let entry = entry.map_err(io_error(&records))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !manifest.files.contains_key(&name) {
            return Err(mismatch(directory, format!("`records/{name}` is not listed")));
        }
    }
    Ok(())
}

/// Passes bytes on and hashes them on the way.
struct HashingReader<R> {
    inner: R,
    hash: Sha256,
}

impl<R: Read> Read for HashingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hash.update(buffer.get(..read).unwrap_or_default());
        Ok(read)
    }
}

fn read_records(
    path: &Path,
    source: impl Read,
    entry: &FileEntry,
    records: &mut Vec<Record>,
) -> Result<(), EvidenceError> {
    let mut hashing = HashingReader { inner: source, hash: Sha256::new() };
    if path.extension().is_some_and(|extension| extension == "zst") {
        let decoder = zstd::stream::read::Decoder::new(&mut hashing).map_err(io_error(path))?;
        read_lines(path, BufReader::new(decoder), records)?;
    } else {
        read_lines(path, BufReader::new(&mut hashing), records)?;
    }
    std::io::copy(&mut hashing, &mut std::io::sink()).map_err(io_error(path))?;
    let actual = hex::encode(hashing.hash.finalize());
    if actual == entry.sha256 {
        Ok(())
    } else {
        Err(mismatch(path, format!("sha256 is {actual}, and the manifest says {}", entry.sha256)))
    }
}

fn read_lines(path: &Path, mut reader: impl BufRead, records: &mut Vec<Record>) -> Result<(), EvidenceError> {
    let name = || path.display().to_string();
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let read = (&mut reader).take(MAXIMUM_LINE).read_until(b'\n', &mut line).map_err(io_error(path))?;
        if read == 0 {
            break;
        }
        if line.last() != Some(&b'\n') && read as u64 == MAXIMUM_LINE {
            return Err(EvidenceError::TooLong { path: name(), line: number });
        }
        let unchecked: UncheckedRecord = serde_json::from_slice(&line)
            .map_err(|source| EvidenceError::Malformed { path: name(), line: number, source })?;
        let record = unchecked.check().map_err(|source| EvidenceError::Edited {
            path: name(),
            line: number,
            source,
        })?;
        records.push(record);
    }
    Ok(())
}

/// Writes an evidence directory, record by record.
#[derive(Debug)]
pub struct EvidenceWriter {
    directory: PathBuf,
    tool_version: String,
    started_at: Timestamp,
    state: Mutex<WriterState>,
}

#[derive(Debug, Default)]
struct WriterState {
    files: BTreeMap<String, (BufWriter<File>, u64)>,
    ids: BTreeSet<RecordId>,
    callers: BTreeSet<String>,
    outcomes: BTreeMap<String, u64>,
}

impl EvidenceWriter {
    /// Creates the directory.
    ///
    /// # Errors
    /// [`EvidenceError::Exists`] when there is something at the path already, unless it is an empty
    /// directory.
    pub fn create(
        directory: &Path,
        tool_version: &str,
        started_at: Timestamp,
    ) -> Result<Self, EvidenceError> {
        let occupied = match fs::read_dir(directory) {
            Ok(mut entries) => entries.next().is_some(),
            Err(error) => error.kind() != std::io::ErrorKind::NotFound,
        };
        if occupied {
            return Err(EvidenceError::Exists { path: directory.display().to_string() });
        }
        let records = directory.join("records");
        fs::create_dir_all(&records).map_err(io_error(&records))?;
        Ok(Self {
            directory: directory.to_owned(),
            tool_version: tool_version.to_owned(),
            started_at,
            state: Mutex::new(WriterState::default()),
        })
    }

    /// Keeps a sealed record. A record that is already kept is not written twice.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn append(&self, record: &Record) -> Result<(), SinkError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.ids.insert(record.id().clone()) {
            return Ok(());
        }
        if !record.caller.is_empty() {
            state.callers.insert(record.caller.clone());
        }
        *state.outcomes.entry(outcome_name(record.outcome).to_owned()).or_default() += 1;
        let path = self.directory.join("records").join(format!("{}.ndjson", record.collector));
        let failed = |source| SinkError::Write { path: path.display().to_string(), source };
        let (file, count) = match state.files.entry(record.collector.clone()) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => {
                let file = OpenOptions::new().create_new(true).write(true).open(&path).map_err(failed)?;
                entry.insert((BufWriter::new(file), 0))
            }
        };
        let mut line = serde_json::to_vec(record).map_err(std::io::Error::from).map_err(failed)?;
        line.push(b'\n');
        file.write_all(&line).map_err(failed)?;
        *count += 1;
        Ok(())
    }

    /// Flushes everything and writes the manifest.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn close(self, finished_at: Timestamp, complete: bool) -> Result<Manifest, EvidenceError> {
        let state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut files = BTreeMap::new();
        for (collector, (writer, records)) in state.files {
            let path = self.directory.join("records").join(format!("{collector}.ndjson"));
            let file = writer.into_inner().map_err(|error| io_error(&path)(error.into_error()))?;
            file.sync_all().map_err(io_error(&path))?;
            let path = compress_if_large(path)?;
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            files.insert(name, FileEntry { records, sha256: hash_file(&path)? });
        }
        let manifest = Manifest {
            schema: SCHEMA.to_owned(),
            tool_version: self.tool_version,
            started_at: self.started_at,
            finished_at,
            complete,
            callers: state.callers,
            outcomes: state.outcomes,
            files,
            merkle_root: merkle_root(state.ids.iter()),
        };
        let path = self.directory.join("manifest.json");
        let mut text =
            serde_json::to_string_pretty(&manifest).map_err(|e| io_error(&path)(std::io::Error::from(e)))?;
        text.push('\n');
        fs::write(&path, text).map_err(io_error(&path))?;
        Ok(manifest)
    }
}

impl RecordSink for EvidenceWriter {
    fn put(&self, observation: Observation) -> Result<RecordId, SinkError> {
        let record = observation.seal()?;
        self.append(&record)?;
        Ok(record.id().clone())
    }
}

fn compress_if_large(path: PathBuf) -> Result<PathBuf, EvidenceError> {
    let size = fs::metadata(&path).map_err(io_error(&path))?.len();
    if size <= COMPRESS_ABOVE {
        return Ok(path);
    }
    let target = path.with_extension("ndjson.zst");
    let source = File::open(&path).map_err(io_error(&path))?;
    let output = File::create(&target).map_err(io_error(&target))?;
    zstd::stream::copy_encode(source, &output, 3).map_err(io_error(&target))?;
    output.sync_all().map_err(io_error(&target))?;
    fs::remove_file(&path).map_err(io_error(&path))?;
    Ok(target)
}

fn hash_file(path: &Path) -> Result<String, EvidenceError> {
    let mut file = File::open(path).map_err(io_error(path))?;
    let mut hash = Sha256::new();
    std::io::copy(&mut file, &mut hash).map_err(io_error(path))?;
    Ok(hex::encode(hash.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Page, Scope};
    use serde_json::json;

    fn at() -> Timestamp {
        "2026-11-21T10:00:00Z".parse().unwrap()
    }

    fn observation(subject: &str) -> Observation {
        Observation {
            collector: "aws".into(),
            operation: "kms:DescribeKey".into(),
            scope: Scope::region("111122223333", "eu-central-1"),
            subject: subject.into(),
            caller: "arn:aws:iam::111122223333:role/scanner".into(),
            observed_at: at(),
            outcome: Outcome::Observed,
            request: json!({}),
            response: json!({"KeyMetadata": {"KeyId": subject}}),
            problem: None,
            page: Page::ONLY,
        }
    }

    fn written() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("evidence");
        let writer = EvidenceWriter::create(&path, "0.1.0", at()).unwrap();
        for subject in ["b", "a", "a", "c"] {
            writer.put(observation(subject)).unwrap();
        }
        writer.close(at(), true).unwrap();
        (directory, path)
    }

    #[test]
    fn what_was_put_is_read_back_once_and_sorted() {
        let (_keep, path) = written();
        let evidence = Evidence::read(&path).unwrap();
        let subjects: Vec<&str> = evidence.records().iter().map(|record| record.subject.as_str()).collect();
        assert_eq!(subjects, ["a", "b", "c"]);
        assert_eq!(evidence.manifest().outcomes.get("observed"), Some(&3));
    }

    #[track_caller]
    fn refused(spoil: impl FnOnce(&Path), expected: &str) {
        let (_keep, path) = written();
        spoil(&path);
        let error = Evidence::read(&path).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }

    fn rewrite(path: &Path, change: impl FnOnce(String) -> String) {
        let text = fs::read_to_string(path).unwrap();
        fs::write(path, change(text)).unwrap();
    }

    #[test]
    fn edited_evidence_is_refused_by_name() {
        let records = |path: &Path| path.join("records/aws.ndjson");
        refused(|path| rewrite(&records(path), |text| text.replacen("\"a\"", "\"z\"", 1)), "was edited");
        refused(
            |path| rewrite(&records(path), |text| text.lines().skip(1).map(|l| format!("{l}\n")).collect()),
            "sha256 is",
        );
        refused(|path| rewrite(&records(path), |text| text + "not json\n"), "line 4 is not a record");
        refused(
            |path| rewrite(&path.join("manifest.json"), |text| text.replace("evidence/v1", "evidence/v2")),
            "cadastre/evidence/v2",
        );
        refused(
            |path| {
                rewrite(&path.join("manifest.json"), |text| {
                    text.replace("\"observed\": 3", "\"observed\": 4")
                })
            },
            "counts",
        );
        refused(
            |path| fs::write(path.join("records/more.ndjson"), "").unwrap(),
            "`records/more.ndjson` is not listed",
        );
        refused(|path| fs::remove_file(path.join("manifest.json")).unwrap(), "has no manifest.json");
        refused(|path| fs::remove_file(records(path)).unwrap(), "cannot access");
    }

    #[test]
    fn an_output_path_that_exists_is_left_alone() {
        let (_keep, path) = written();
        assert!(matches!(EvidenceWriter::create(&path, "0.1.0", at()), Err(EvidenceError::Exists { .. })));
    }

    #[test]
    fn joined_evidence_has_the_root_of_all_its_records() {
        let (_keep, path) = written();
        let evidence = Evidence::read(&path).unwrap();
        let other = Evidence::from_records(vec![observation("d").seal().unwrap()], "0.1.0", at(), at(), true);
        let joined = evidence.clone().join(other);
        assert_eq!(joined.records().len(), 4);
        assert_ne!(joined.manifest().merkle_root, evidence.manifest().merkle_root);
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("joined");
        joined.write(&target).unwrap();
        assert_eq!(Evidence::read(&target).unwrap().manifest().merkle_root, joined.manifest().merkle_root);
    }
}
