//! Makes a packet, not signed yet, from evidence and from files that are handed in.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::PathBuf;

use cadastre_model::Timestamp;
use cadastre_model::evidence::Evidence;

use crate::canonical;
use crate::container::ContainerWriter;
use crate::digest::Digest;
use crate::error::PacketError;
use crate::leaf::{self, FileLabel, Label, Leaf, Salt};
use crate::manifest::{EvidenceSummary, FileEntry, Manifest, Role, SCHEMA};
use crate::measure::Measured;
use crate::merkle::Tree;
use crate::names;
use crate::path::PacketPath;
use crate::randomness::{Randomness, draw};
use crate::record_line;

/// The bytes of a file, wherever they are.
#[derive(Debug, Clone)]
pub enum Content {
    /// In memory.
    Bytes(Vec<u8>),
    /// In a file, which is read twice and must not change in between.
    File(PathBuf),
}

impl Content {
    pub(crate) fn open(&self) -> io::Result<Box<dyn Read + '_>> {
        Ok(match self {
            Self::Bytes(bytes) => Box::new(bytes.as_slice()),
            Self::File(path) => Box::new(File::open(path)?),
        })
    }
}

/// A file to pack.
#[derive(Debug, Clone)]
pub struct PackFile {
    /// Where it goes; each role has its place ([`Role::fits`]).
    pub path: PacketPath,
    /// What it is for; anything but [`Role::Records`], which come from the evidence.
    pub role: Role,
    /// Its media type.
    pub media_type: String,
    /// Its bytes.
    pub content: Content,
}

/// What a packet says of itself beside its evidence.
#[derive(Debug, Clone)]
pub struct CreateOptions {
    /// The version of the tool.
    pub tool_version: String,
    /// When it is made.
    pub created_at: Timestamp,
    /// The time for which the evidence was judged.
    pub as_of: Timestamp,
    /// The declared boundary's name.
    pub boundary: Option<String>,
    /// The statement of the packet before this one ([`crate::VerifiedPacket::statement_digest`]).
    pub previous: Option<Digest>,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// The root over all leaves.
    pub root: Digest,
    /// Number of leaves.
    pub leaves: u64,
    /// Number of records.
    pub records: u64,
    /// Number of files, the packet's own not counted.
    pub files: u64,
}

struct Prepared {
    entry: FileEntry,
    measured: Measured,
    content: Content,
    /// The ids of the records in it, for records files.
    ids: Vec<Digest>,
}

/// Writes a packet that is not signed yet.
///
/// # Errors
/// When a file cannot be read, lies where its role does not belong, or has a path that is there already; when
/// the output cannot be written; when the whole is too large.
pub fn create(
    evidence: &Evidence,
    files: Vec<PackFile>,
    options: &CreateOptions,
    randomness: &dyn Randomness,
    output: impl Write,
) -> Result<Created, PacketError> {
    let prepared = prepare(evidence, files)?;
    let summary = EvidenceSummary::of(evidence)
        .ok_or_else(|| PacketError::Mismatch("the evidence's root is not a digest".to_owned()))?;
    let manifest = Manifest {
        schema: SCHEMA.to_owned(),
        nonce: hex::encode(draw::<16>(randomness)?),
        tool_version: options.tool_version.clone(),
        created_at: options.created_at,
        as_of: options.as_of,
        boundary: options.boundary.clone(),
        previous: options.previous,
        evidence: summary,
        files: prepared.iter().map(|file| file.entry.clone()).collect(),
    };
    let manifest_bytes = canonical::to_vec(&manifest)?;
    let mut leaves = Vec::new();
    let mut open = |label| -> Result<(), PacketError> {
        leaves.push(Leaf::Open(Salt(draw(randomness)?), label));
        Ok(())
    };
    open(Label::File(Box::new(FileLabel {
        path: names::manifest(),
        size: manifest_bytes.len() as u64,
        sha256: Digest::of(&manifest_bytes),
    })))?;
    for file in &prepared {
        if file.entry.role == Role::Records {
            file.ids.iter().try_for_each(|id| open(Label::Record(*id)))?;
        } else {
            open(Label::File(Box::new(FileLabel {
                path: file.entry.path.clone(),
                size: file.entry.size,
                sha256: file.entry.sha256,
            })))?;
        }
    }
    let mut writer = ContainerWriter::new(output);
    writer.add_bytes(&names::manifest(), &manifest_bytes)?;
    writer.add_bytes(&names::leaves(), &leaf::encode(&leaves))?;
    for file in &prepared {
        let mut content = file.content.open().map_err(PacketError::read(file.entry.path.as_str()))?;
        writer.add(&file.entry.path, &file.measured, &mut content)?;
    }
    writer.finish()?;
    let tree = Tree::new(leaves.iter().map(Leaf::hash).collect());
    Ok(Created {
        root: tree.root(),
        leaves: leaves.len() as u64,
        records: manifest.evidence.records,
        files: prepared.len() as u64,
    })
}

fn prepare(evidence: &Evidence, files: Vec<PackFile>) -> Result<Vec<Prepared>, PacketError> {
    let mut prepared: BTreeMap<PacketPath, Prepared> = BTreeMap::new();
    let mut folded: BTreeMap<String, PacketPath> = BTreeMap::new();
    let mut add = |file: Prepared| {
        let path = file.entry.path.clone();
        if folded.insert(path.folded(), path.clone()).is_some() {
            return Err(PacketError::Input { path, why: "another file has that path, letter case aside" });
        }
        prepared.insert(path, file);
        Ok(())
    };
    for file in records_files(evidence)? {
        add(file)?;
    }
    for file in files {
        if file.role == Role::Records || !file.role.fits(&file.path) {
            return Err(PacketError::Input { path: file.path, why: "a file of its role lies elsewhere" });
        }
        let measured = file
            .content
            .open()
            .and_then(|mut content| Measured::read(&mut content))
            .map_err(PacketError::read(file.path.as_str()))?;
        let PackFile { path, role, media_type, content } = file;
        add(Prepared {
            entry: FileEntry {
                path,
                role,
                media_type,
                size: measured.size,
                sha256: measured.sha256,
                records: None,
            },
            measured,
            content,
            ids: Vec::new(),
        })?;
    }
    Ok(prepared.into_values().collect())
}

/// The records of some evidence as files, one for each collector, in the evidence's own order.
fn records_files(evidence: &Evidence) -> Result<Vec<Prepared>, PacketError> {
    let mut by_collector: BTreeMap<&str, (Vec<u8>, Vec<Digest>)> = BTreeMap::new();
    for record in evidence.records() {
        let (bytes, ids) = by_collector.entry(&record.collector).or_default();
        let line = record_line::encode(record)?;
        let id = record_line::content_address(&line).ok_or_else(|| {
            PacketError::Mismatch(format!("record {} does not hash to its id", record.id()))
        })?;
        bytes.extend(line);
        bytes.push(b'\n');
        ids.push(id);
    }
    by_collector
        .into_iter()
        .map(|(collector, (bytes, ids))| {
            let path: PacketPath = format!("records/{collector}.ndjson").parse()?;
            let measured = Measured::of(&bytes);
            let entry = FileEntry {
                path,
                role: Role::Records,
                media_type: "application/x-ndjson".to_owned(),
                size: measured.size,
                sha256: measured.sha256,
                records: Some(ids.len() as u64),
            };
            Ok(Prepared { entry, measured, content: Content::Bytes(bytes), ids })
        })
        .collect()
}
