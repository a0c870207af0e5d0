//! The ledger in files: one thread writes, syncs and rotates; appends that wait together share one sync.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot};

use super::entry::{KeyEvent, KeyOperation, LEDGER_VERSION, LedgerEntry, rfc3339, sha256_hex};
use super::reader::{Link, file_error, file_numbers, file_path, read_file};
use super::{KeyLedger, LedgerError, LedgerFuture, LedgerHead, SignedLedgerHead, head};
use crate::KeyClock;
use crate::signing::SigningKey;

/// Appends that may wait; further ones wait for room.
const WAITING: usize = 256;

/// Where and how the ledger is written.
#[derive(Debug, Clone)]
pub struct LedgerFileConfig {
    /// The directory, made if missing (mode 0700).
    pub directory: PathBuf,
    /// A file is ended before it would grow beyond this, in bytes.
    pub maximum_file_bytes: u64,
    /// Older files are removed beyond this number; at least 2.
    pub maximum_files: usize,
    /// Signs heads.
    pub signer: Option<Arc<SigningKey>>,
    /// Time of entries.
    pub clock: Arc<dyn KeyClock>,
}

impl LedgerFileConfig {
    /// 64 files of 16 MiB, unsigned.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>, clock: Arc<dyn KeyClock>) -> Self {
        let directory = directory.into();
        Self { directory, maximum_file_bytes: 16 << 20, maximum_files: 64, signer: None, clock }
    }
}

/// A ledger in files of its own directory.
pub struct LedgerFile {
    requests: Mutex<Option<mpsc::Sender<Request>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    directory: PathBuf,
    appended: AtomicU64,
}

struct Request {
    event: KeyEvent,
    reply: oneshot::Sender<Result<(), LedgerError>>,
}

impl LedgerFile {
    /// Opens or begins the ledger: checks its last file and the head, sets a torn tail aside, and records that it
    /// was opened.
    ///
    /// # Errors
    /// [`LedgerError`] when it cannot be written, is in use, or its end is not what was acknowledged.
    pub fn open(config: LedgerFileConfig) -> Result<Self, LedgerError> {
        let directory = config.directory.clone();
        let writer = Writer::open(config)?;
        let (requests, waiting) = mpsc::channel(WAITING);
        let thread = std::thread::Builder::new()
            .name("key-ledger".to_owned())
            .spawn(move || serve(writer, waiting))
            .map_err(file_error("start the writer of", &directory))?;
        Ok(Self {
            requests: Mutex::new(Some(requests)),
            thread: Mutex::new(Some(thread)),
            directory,
            appended: AtomicU64::new(0),
        })
    }

    /// Where it lies.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// How many uses of keys were recorded since it was opened.
    #[must_use]
    pub fn appended(&self) -> u64 {
        self.appended.load(Ordering::Relaxed)
    }

    /// Ends the ledger after everything that waits is written; later appends are refused.
    pub fn close(&self) {
        drop(self.requests.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        // A writer that panicked has answered nobody, so nobody believes that it wrote.
        let _panicked = thread.map(JoinHandle::join);
    }
}

impl Drop for LedgerFile {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for LedgerFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LedgerFile").field("directory", &self.directory).finish_non_exhaustive()
    }
}

impl KeyLedger for LedgerFile {
    fn append(&self, event: KeyEvent) -> LedgerFuture<'_> {
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Box::pin(async move {
            let requests = requests.ok_or(LedgerError::Closed)?;
            let (reply, answer) = oneshot::channel();
            requests.send(Request { event, reply }).await.map_err(|_ended| LedgerError::Closed)?;
            answer.await.map_err(|_ended| LedgerError::Closed)??;
            self.appended.fetch_add(1, Ordering::Relaxed);
            Ok(())
        })
    }
}

fn serve(writer: Writer, mut waiting: mpsc::Receiver<Request>) {
    let config = writer.config.clone();
    let lock = writer.lock.try_clone().ok();
    let mut acknowledged = writer.link.clone();
    let mut writer = Some(writer);
    while let Some(first) = waiting.blocking_recv() {
        let mut group = vec![first];
        while let Ok(next) = waiting.try_recv() {
            group.push(next);
        }
        // After a failed write nobody knows what is on disk: what is there is read again before going on.
        let result = match writer
            .take()
            .map_or_else(|| Writer::resume(config.clone(), lock.as_ref(), &acknowledged), Ok)
        {
            Ok(mut sound) => {
                let written = sound.append(group.iter().map(|request| &request.event));
                if written.is_ok() {
                    acknowledged = sound.link.clone();
                    writer = Some(sound);
                }
                written
            }
            Err(error) => Err(error),
        };
        let reason = result.err().map(|error| describe(&error));
        for request in group {
            let answer = match &reason {
                None => Ok(()),
                Some(reason) => Err(LedgerError::Unwritable { reason: reason.clone() }),
            };
            // Whoever does not wait any more does not get its key either.
            let _gone = request.reply.send(answer);
        }
    }
}

fn describe(error: &LedgerError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

struct Writer {
    config: LedgerFileConfig,
    lock: File,
    file: File,
    number: u64,
    bytes: u64,
    link: Link,
}

impl Writer {
    fn open(config: LedgerFileConfig) -> Result<Self, LedgerError> {
        let directory = &config.directory;
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(file_error("create", directory))?;
        let path = directory.join("key-ledger.lock");
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(file_error("open", &path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(LedgerError::InUse { directory: directory.clone() });
            }
            Err(TryLockError::Error(error)) => return Err(file_error("lock", &path)(error)),
        }
        Self::recover(config, lock, &Link::start())
    }

    /// Opens again what this process has locked already.
    fn resume(
        config: LedgerFileConfig,
        lock: Option<&File>,
        acknowledged: &Link,
    ) -> Result<Self, LedgerError> {
        let failed = file_error("lock", &config.directory);
        let lock = lock.map(File::try_clone).transpose().map_err(failed)?;
        let lock = lock.ok_or(LedgerError::Closed)?;
        Self::recover(config, lock, acknowledged)
    }

    /// Finds the end of the chain, which must not lie before what was `acknowledged` by this process.
    fn recover(config: LedgerFileConfig, lock: File, acknowledged: &Link) -> Result<Self, LedgerError> {
        let directory = config.directory.clone();
        let numbers = file_numbers(&directory)?;
        let head = match SignedLedgerHead::read(&directory)? {
            Some(signed) => {
                if let Some(signer) = &config.signer
                    && signed.signature.is_some()
                {
                    signed.verify(signer.verifying_key())?;
                }
                signed.head
            }
            None if numbers.is_empty() && acknowledged.sequence == 0 => {
                // Before the first entry, so that entries without a head always mean that it was removed.
                let signed = SignedLedgerHead::new(start_head(&config), config.signer.as_deref())?;
                signed.write(&directory)?;
                signed.head
            }
            None => return Err(LedgerError::HeadMissing { path: head::path(&directory) }),
        };
        let mut link = None;
        let mut contradiction = None;
        let mut last_file = None;
        let mut torn_bytes = 0;
        // The last file may have been begun and not written to; the one before it then ends the chain.
        for number in numbers.iter().rev() {
            let path = file_path(&directory, *number);
            let (end, file_end) = read_file(&path, None, |_entry, link| {
                if link.sequence == head.sequence && link.hash != head.hash {
                    contradiction = Some(link.sequence);
                }
                Ok(())
            })?;
            if last_file.is_none() {
                torn_bytes = file_end.torn_bytes;
                set_tail_aside(&directory, &path, file_end.complete_bytes, file_end.torn_bytes)?;
                last_file = Some((*number, file_end.complete_bytes));
            }
            if end.is_some() {
                link = end;
                break;
            }
        }
        let link = link.unwrap_or_else(Link::start);
        let expected = head.sequence.max(acknowledged.sequence);
        if link.sequence < expected {
            return Err(LedgerError::Truncated { found: link.sequence, expected });
        }
        if let Some(sequence) = contradiction {
            let reason = format!("it has another hash for entry {sequence}");
            return Err(LedgerError::Head { reason });
        }
        let (number, bytes) = last_file.unwrap_or((1, 0));
        let file = open_file(&directory, number)?;
        let mut writer = Self { config, lock, file, number, bytes, link };
        let opened = KeyEvent::new(KeyOperation::Opened).with_detail("file", number.to_string());
        let opened =
            if torn_bytes > 0 { opened.with_detail("torn_bytes", torn_bytes.to_string()) } else { opened };
        writer.append([&opened])?;
        Ok(writer)
    }

    /// Writes a group, syncs it, and moves the head; what fails leaves the writer unusable.
    fn append<'a>(&mut self, events: impl IntoIterator<Item = &'a KeyEvent>) -> Result<(), LedgerError> {
        let mut buffer = Vec::new();
        let mut rotated = false;
        for event in events {
            let size = self.push(&mut buffer, event)?;
            let begun = self.bytes.saturating_add(buffer.len() as u64);
            if begun > self.config.maximum_file_bytes && begun > size {
                // The entry that did not fit goes to the next file; those before it end this one.
                let keep = buffer.len().saturating_sub(usize::try_from(size).unwrap_or(usize::MAX));
                let rest = buffer.split_off(keep);
                self.write(&buffer)?;
                self.rotate()?;
                rotated = true;
                buffer = rest;
            }
        }
        self.write(&buffer)?;
        self.acknowledge()?;
        if rotated { self.retire() } else { Ok(()) }
    }

    /// Puts one entry at the end of `buffer` and gives its length.
    fn push(&mut self, buffer: &mut Vec<u8>, event: &KeyEvent) -> Result<u64, LedgerError> {
        let entry = LedgerEntry {
            version: LEDGER_VERSION,
            sequence: self.link.sequence.saturating_add(1),
            time: rfc3339(self.config.clock.wall_ms()),
            previous: self.link.hash.clone(),
            event: event.clone(),
        };
        let line = entry.line().map_err(|error| LedgerError::Unwritable { reason: error.to_string() })?;
        self.link = Link { sequence: entry.sequence, hash: sha256_hex(&line) };
        buffer.extend_from_slice(&line);
        buffer.push(b'\n');
        Ok((line.len() as u64).saturating_add(1))
    }

    fn write(&mut self, buffer: &[u8]) -> Result<(), LedgerError> {
        if buffer.is_empty() {
            return Ok(());
        }
        let path = file_path(&self.config.directory, self.number);
        self.file.write_all(buffer).map_err(file_error("write", &path))?;
        self.file.sync_data().map_err(file_error("sync", &path))?;
        self.bytes = self.bytes.saturating_add(buffer.len() as u64);
        Ok(())
    }

    fn rotate(&mut self) -> Result<(), LedgerError> {
        self.number = self.number.saturating_add(1);
        self.file = open_file(&self.config.directory, self.number)?;
        self.bytes = 0;
        Ok(())
    }

    fn acknowledge(&self) -> Result<(), LedgerError> {
        let head = LedgerHead {
            version: LEDGER_VERSION,
            sequence: self.link.sequence,
            hash: self.link.hash.clone(),
            time: rfc3339(self.config.clock.wall_ms()),
        };
        SignedLedgerHead::new(head, self.config.signer.as_deref())?.write(&self.config.directory)
    }

    /// Removes the oldest files beyond the allowed number, each after an entry that says so.
    fn retire(&mut self) -> Result<(), LedgerError> {
        let directory = self.config.directory.clone();
        let numbers = file_numbers(&directory)?;
        let surplus = numbers.len().saturating_sub(self.config.maximum_files.max(2));
        for number in numbers.into_iter().take(surplus) {
            let path = file_path(&directory, number);
            let (end, _) = read_file(&path, None, |_, _| Ok(()))?;
            if let Some(end) = end {
                let event = KeyEvent::new(KeyOperation::Retired)
                    .with_detail("file", number.to_string())
                    .with_detail("last_sequence", end.sequence.to_string())
                    .with_detail("last_hash", end.hash);
                let mut buffer = Vec::new();
                self.push(&mut buffer, &event)?;
                self.write(&buffer)?;
                self.acknowledge()?;
            }
            fs::remove_file(&path).map_err(file_error("remove", &path))?;
        }
        Ok(())
    }
}

fn start_head(config: &LedgerFileConfig) -> LedgerHead {
    let Link { sequence, hash } = Link::start();
    LedgerHead { version: LEDGER_VERSION, sequence, hash, time: rfc3339(config.clock.wall_ms()) }
}

fn open_file(directory: &Path, number: u64) -> Result<File, LedgerError> {
    let path = file_path(directory, number);
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(&path)
        .map_err(file_error("open", &path))?;
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(file_error("sync", directory))?;
    Ok(file)
}

/// Copies an incomplete last line to `key-ledger.torn` and cuts it off.
fn set_tail_aside(
    directory: &Path,
    path: &Path,
    complete_bytes: u64,
    torn_bytes: u64,
) -> Result<(), LedgerError> {
    if torn_bytes == 0 {
        return Ok(());
    }
    let failed = file_error("set aside the torn tail of", path);
    let mut file = OpenOptions::new().read(true).write(true).open(path).map_err(failed)?;
    file.seek(SeekFrom::Start(complete_bytes)).map_err(failed)?;
    let mut tail = Vec::new();
    Read::by_ref(&mut file).take(torn_bytes).read_to_end(&mut tail).map_err(failed)?;
    tail.push(b'\n');
    let mut aside = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(directory.join("key-ledger.torn"))
        .map_err(failed)?;
    aside.write_all(&tail).map_err(failed)?;
    aside.sync_all().map_err(failed)?;
    file.set_len(complete_bytes).map_err(failed)?;
    file.sync_all().map_err(failed)
}
