//! The one thread that writes: it gathers what waits, writes it at once, syncs once, publishes, answers.

use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use cadastre_protocol::record_batch::RecordBatch;
use cadastre_protocol::types::TopicPartition;
use cadastre_sequencer::SequenceVerdict;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use crate::command::{Command, encode_commands};
use crate::config::StorageConfig;
use crate::descriptor::{BatchDescription, Descriptor, FrameKind};
use crate::error::{AppendError, StorageError};
use crate::file_system::DirectoryLock;
use crate::log_keys::{FreshKey, LogKeys};
use crate::metadata_kind::MetadataChange;
use crate::packed::ObjectArea;
use crate::partition::BeforeBatch;
use crate::request::{Appended, Request, StateChange};
use crate::segment::{FrameLocation, SegmentWriter, segment_path};
use crate::segment_header::{FORMAT_VERSION, SegmentHeader};
use crate::shared::Shared;

/// A group takes no further requests beyond this size, in bytes: it bounds the buffer and the wait of the first.
const GROUP_BYTES: usize = 8 << 20;

/// A full disk is tried again no sooner than this, in milliseconds: each attempt takes a data key.
const NO_SPACE_PAUSE_MS: i64 = 500;

/// Owner of the write side. Dropped when the last [`crate::Storage`] is, or when closed.
#[derive(Debug)]
pub(crate) struct Committer {
    pub(crate) config: StorageConfig,
    pub(crate) keys: LogKeys,
    pub(crate) runtime: Handle,
    pub(crate) shared: Arc<Shared>,
    pub(crate) objects: Option<ObjectArea>,
    pub(crate) writer: SegmentWriter,
    pub(crate) staged: Vec<Staged>,
    /// The metadata version of the last frame that was staged.
    pub(crate) metadata_version: u64,
    /// When the disk was last found full, milliseconds since the epoch: nothing is written to the segment any more, and
    /// once there is room the next one begins.
    pub(crate) no_space_at_ms: Option<i64>,
    #[expect(dead_code, reason = "held, not read: the system unlocks the directory when it is dropped")]
    pub(crate) lock: Box<dyn DirectoryLock>,
}

/// A frame or an answer that waits for the group's sync.
#[derive(Debug)]
pub(crate) enum Staged {
    Batch {
        batch: BatchDescription,
        before: BeforeBatch,
        bytes: Bytes,
        location: FrameLocation,
        appended: Appended,
        permit: OwnedSemaphorePermit,
        reply: oneshot::Sender<Result<Appended, AppendError>>,
    },
    /// Its batch may be in this very group, so that the answer has to wait as well.
    Duplicate {
        appended: Appended,
        permit: OwnedSemaphorePermit,
        reply: oneshot::Sender<Result<Appended, AppendError>>,
    },
    Commands {
        commands: Vec<Command>,
        metadata_version: u64,
        answer: Option<(OwnedSemaphorePermit, oneshot::Sender<Result<(), StorageError>>)>,
    },
    Moved {
        batch: BatchDescription,
        location: FrameLocation,
        size: u32,
    },
}

impl Committer {
    /// Serves requests until the log is closed or nobody can send any more.
    pub(crate) fn run(mut self, mut requests: mpsc::UnboundedReceiver<Request>) {
        while let Some(first) = requests.blocking_recv() {
            if let Some(reply) = self.serve(gather(first, &mut requests)) {
                return self.close(requests, reply);
            }
        }
        self.abandon();
    }

    /// The same as a task, which waits for nothing but requests.
    pub(crate) async fn run_as_task(mut self, mut requests: mpsc::UnboundedReceiver<Request>) {
        while let Some(first) = requests.recv().await {
            if let Some(reply) = self.serve(gather(first, &mut requests)) {
                return self.close(requests, reply);
            }
        }
        self.abandon();
    }

    fn close(
        mut self,
        mut requests: mpsc::UnboundedReceiver<Request>,
        reply: oneshot::Sender<Result<(), StorageError>>,
    ) {
        requests.close();
        let ended = self.end();
        // The lock goes before the answer, so that the log can be opened again right away.
        drop(self);
        answer(reply, ended);
        while let Ok(late) = requests.try_recv() {
            refuse(late, &StorageError::Closed);
        }
    }

    /// Nobody can ask for anything any more.
    fn abandon(mut self) {
        if let Err(error) = self.end() {
            tracing::error!(%error, "the log was not ended in order; the next opening will recover it");
        }
    }

    /// Serves one group; gives the reply channel of a request to close.
    fn serve(&mut self, group: Vec<Request>) -> Option<oneshot::Sender<Result<(), StorageError>>> {
        let mut closing = None;
        if let Err(refusal) = self.ready() {
            self.writer.key().lay_down();
            for request in group {
                match request {
                    Request::Close { reply } => closing = Some(reply),
                    other => refuse(other, &refusal),
                }
            }
            return closing;
        }
        for request in group {
            match request {
                Request::Append { partition, batch, transaction, permit, reply } => {
                    self.stage_append(partition, &batch, transaction, permit, reply);
                }
                Request::Commit { changes, permit, reply } => self.stage_commit(changes, permit, reply),
                Request::Change { change, reply } => {
                    // Who waits for what was staged has been told how it went.
                    let _told = self.flush();
                    let result = self.change(change);
                    answer(reply, result);
                }
                Request::Close { reply } => closing = Some(reply),
            }
        }
        let _told = self.flush();
        self.writer.key().lay_down();
        closing
    }

    /// Takes up the key of the segment that is written. What a group begins it finishes, also when the lease ends meanwhile.
    fn take_up_key(&mut self) -> Result<(), StorageError> {
        let execution = self.config.execution;
        let taken = execution.wait(&self.runtime, self.writer.key().take_up());
        taken.map_err(|error| unavailable(&format!("the log's key cannot be had: {}", chain(&error))))
    }

    /// Whether what is staged can be written.
    fn writable(&self) -> Result<(), StorageError> {
        match self.shared.failure() {
            Some(reason) => Err(unavailable(reason)),
            None if self.no_space_at_ms.is_some() => Err(unavailable("the disk is full")),
            None => Ok(()),
        }
    }

    /// Makes sure that there is a segment to write to.
    fn ready(&mut self) -> Result<(), StorageError> {
        if let Some(reason) = self.shared.failure() {
            return Err(unavailable(reason));
        }
        if let Some(tried_at_ms) = self.no_space_at_ms {
            let waited = self.config.clock.now_ms().saturating_sub(tried_at_ms);
            if (0..NO_SPACE_PAUSE_MS).contains(&waited) {
                return self.writable();
            }
            let (id, key) = self.next_segment()?;
            self.start(id, key)?;
            tracing::info!(segment = id, "the disk has room again");
            return Ok(());
        }
        self.take_up_key()?;
        if self.writer.end_position() < self.config.segment_bytes {
            return Ok(());
        }
        self.roll()
    }

    /// Ends the segment and starts the next. Without a key nothing changes, and the requests may be tried again.
    fn roll(&mut self) -> Result<(), StorageError> {
        let (id, key) = self.next_segment()?;
        self.end_segment()?;
        self.start(id, key)
    }

    /// The id of the segment after this one, and a key for it.
    fn next_segment(&self) -> Result<(u64, FreshKey), StorageError> {
        let id = self.writer.segment().id.saturating_add(1);
        let context = SegmentHeader::encryption_context(&self.config.cluster_id, id, FORMAT_VERSION);
        let generated = self.keys.generate(context);
        let key = self.config.execution.wait(&self.runtime, generated);
        let key = key.map_err(|error| unavailable(&format!("no data key for the next segment: {error}")))?;
        Ok((id, key))
    }

    /// Goes on in a segment of its own. What a full disk left of it is removed again.
    fn start(&mut self, id: u64, key: FreshKey) -> Result<(), StorageError> {
        match start_segment(&self.config, &self.shared, id, key) {
            Ok(next) => {
                self.writer = next;
                self.no_space_at_ms = None;
                Ok(())
            }
            Err(error) if error.is_no_space() => {
                self.remove_segment(id).map_err(|error| self.fail(&error))?;
                Err(self.refusal(error))
            }
            Err(error) => Err(self.fail(&error)),
        }
    }

    /// Removes a segment that holds nothing but a snapshot, so that its id can be given again.
    fn remove_segment(&self, id: u64) -> Result<(), StorageError> {
        let failed =
            |action, path: &Path, source| StorageError::File { action, path: path.to_owned(), source };
        let (file_system, directory) = (self.config.file_system.as_ref(), self.config.directory.as_path());
        let path = segment_path(directory, id);
        match file_system.remove(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => other.map_err(|error| failed("remove", &path, error))?,
        }
        if self.config.fsync {
            file_system.sync_directory(directory).map_err(|error| failed("sync", directory, error))?;
        }
        self.shared.write().segments.remove(&id);
        Ok(())
    }

    fn end_segment(&mut self) -> Result<(), StorageError> {
        let descriptor = self.descriptor(FrameKind::End, None);
        let pushed = self.writer.push(&descriptor, &[]).map(|_| ());
        let flushed = pushed
            .map_err(|error| self.fail(&unavailable(&error.to_string())))
            .and_then(|()| self.writer.flush(self.config.fsync));
        flushed.map_err(|error| self.refusal(error))
    }

    /// Ends the log in order, unless it failed. On a full disk it ends with what was acknowledged.
    fn end(&mut self) -> Result<(), StorageError> {
        match self.shared.failure() {
            Some(reason) => Err(unavailable(reason)),
            None if self.no_space_at_ms.is_some() => Ok(()),
            None => {
                self.take_up_key()?;
                self.end_segment()
            }
        }
    }

    /// What is told of an error: a full disk is waited for, anything else ends all writing.
    fn refusal(&mut self, error: StorageError) -> StorageError {
        match error {
            StorageError::Unavailable { .. } => error,
            full if full.is_no_space() => {
                let reason = describe(&full);
                tracing::warn!(%reason, "the disk is full: nothing is written until there is room");
                self.no_space_at_ms = Some(self.config.clock.now_ms());
                StorageError::Unavailable { reason }
            }
            other => self.fail(&other),
        }
    }

    fn fail(&self, error: &StorageError) -> StorageError {
        let reason = describe(error);
        self.shared.fail(reason.clone());
        StorageError::Unavailable { reason }
    }

    fn descriptor(&self, kind: FrameKind, batch: Option<BatchDescription>) -> Descriptor {
        Descriptor { kind, metadata_version: self.metadata_version, previous: self.writer.previous(), batch }
    }

    /// Assigns offsets and seals the batch into the buffer.
    fn stage_append(
        &mut self,
        partition: TopicPartition,
        batch: &RecordBatch,
        transaction: Option<i32>,
        permit: OwnedSemaphorePermit,
        reply: oneshot::Sender<Result<Appended, AppendError>>,
    ) {
        let now_ms = self.config.clock.now_ms();
        let (placed, description, before, log_start_offset) = {
            let mut state = self.shared.write();
            let leader_epoch = state.leader_epoch;
            let Some(known) = state.partitions.get_mut(&partition) else {
                answer(reply, Err(AppendError::UnknownPartition { partition }));
                return;
            };
            let verdict = known.check_producer(&BatchDescription::of(partition, batch, now_ms), transaction);
            match verdict {
                SequenceVerdict::Next => {}
                SequenceVerdict::Duplicate { base_offset, appended_at_ms } => {
                    let appended = Appended {
                        base_offset,
                        log_append_time_ms: appended_at_ms,
                        log_start_offset: known.log_start,
                        duplicate: true,
                    };
                    self.staged.push(Staged::Duplicate { appended, permit, reply });
                    return;
                }
                SequenceVerdict::Refused(refusal) => {
                    answer(reply, Err(AppendError::refused(partition, batch.producer_id(), refusal)));
                    return;
                }
            }
            let placed = batch.with_offsets(known.next_offset, leader_epoch);
            let description = BatchDescription::of(partition, &placed, now_ms);
            let before = known.before(&description);
            known.advance(&description);
            (placed, description, before, known.log_start)
        };
        let descriptor = self.descriptor(FrameKind::Records, Some(description));
        let location = match self.writer.push(&descriptor, placed.bytes()) {
            Ok((position, length)) => FrameLocation::new(Arc::clone(self.writer.segment()), position, length),
            Err(error) => {
                // Offsets were given out that nothing will fill, so that this cannot go on.
                self.shared.fail(error.to_string());
                answer(reply, Err(AppendError::Unavailable { reason: error.to_string() }));
                return;
            }
        };
        let appended = Appended {
            base_offset: placed.base_offset(),
            log_append_time_ms: now_ms,
            log_start_offset,
            duplicate: false,
        };
        let bytes = placed.bytes().clone();
        self.staged.push(Staged::Batch {
            batch: description,
            before,
            bytes,
            location,
            appended,
            permit,
            reply,
        });
    }

    fn stage_commit(
        &mut self,
        changes: Vec<MetadataChange>,
        permit: OwnedSemaphorePermit,
        reply: oneshot::Sender<Result<(), StorageError>>,
    ) {
        let commands = changes.into_iter().map(Command::Metadata).collect();
        self.stage_commands(commands, Some((permit, reply)));
    }

    pub(crate) fn stage_commands(
        &mut self,
        commands: Vec<Command>,
        answer: Option<(OwnedSemaphorePermit, oneshot::Sender<Result<(), StorageError>>)>,
    ) {
        self.metadata_version = self.metadata_version.saturating_add(1);
        let descriptor = self.descriptor(FrameKind::Commands, None);
        let pushed = encode_commands(&commands)
            .map_err(|error| error.to_string())
            .and_then(|body| self.writer.push(&descriptor, &body).map_err(|error| error.to_string()));
        if let Err(reason) = pushed {
            // A metadata version was given out that no frame bears.
            self.shared.fail(reason);
        }
        let metadata_version = self.metadata_version;
        self.staged.push(Staged::Commands { commands, metadata_version, answer });
    }

    pub(crate) fn stage_moved(&mut self, batch: BatchDescription, body: &[u8]) -> Result<(), StorageError> {
        let descriptor = self.descriptor(FrameKind::MovedRecords, Some(batch));
        let (position, length) = self
            .writer
            .push(&descriptor, body)
            .map_err(|error| self.fail(&unavailable(&error.to_string())))?;
        let location = FrameLocation::new(Arc::clone(self.writer.segment()), position, length);
        let size = u32::try_from(body.len()).unwrap_or(u32::MAX);
        self.staged.push(Staged::Moved { batch, location, size });
        Ok(())
    }

    /// Makes everything staged durable, shows it to readers and answers; or answers that nothing was written.
    ///
    /// # Errors
    /// What those who waited were told, for who staged something that nobody waits for.
    pub(crate) fn flush(&mut self) -> Result<(), StorageError> {
        let staged = std::mem::take(&mut self.staged);
        if staged.is_empty() {
            return Ok(());
        }
        match self.writable().and_then(|()| self.writer.flush(self.config.fsync)) {
            Ok(()) => {
                self.publish(staged);
                Ok(())
            }
            Err(error) => {
                let refusal = self.refusal(error);
                self.take_back(staged, &reason_of(&refusal));
                Err(refusal)
            }
        }
    }

    /// Forgets what was not written, the latest first, and says so to who waits.
    fn take_back(&mut self, staged: Vec<Staged>, reason: &str) {
        let mut state = self.shared.write();
        self.metadata_version = state.metadata_version;
        for staged in staged.into_iter().rev() {
            match staged {
                Staged::Batch { batch, before, reply, .. } => {
                    if let Some(partition) = state.partitions.get_mut(&batch.partition) {
                        partition.take_back(before);
                    }
                    answer(reply, Err(AppendError::Unavailable { reason: reason.to_owned() }));
                }
                Staged::Duplicate { reply, .. } => {
                    answer(reply, Err(AppendError::Unavailable { reason: reason.to_owned() }));
                }
                Staged::Commands { answer: Some((_, reply)), .. } => answer(reply, Err(unavailable(reason))),
                Staged::Commands { answer: None, .. } | Staged::Moved { .. } => {}
            }
        }
    }

    fn publish(&self, staged: Vec<Staged>) {
        let mut answers = Vec::with_capacity(staged.len());
        {
            let mut state = self.shared.write();
            let mut recent = self.shared.recent();
            for staged in staged {
                match staged {
                    Staged::Batch { batch, bytes, location, appended, permit, reply, before: _ } => {
                        if let Some(partition) = state.partitions.get_mut(&batch.partition) {
                            let size = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
                            partition.index(&batch, location, size);
                            partition.publish(batch.end_offset());
                            recent.insert(batch.partition, batch.base_offset, bytes);
                        }
                        answers.push(Answer::Append(permit, reply, appended));
                    }
                    Staged::Duplicate { appended, permit, reply } => {
                        answers.push(Answer::Append(permit, reply, appended));
                    }
                    Staged::Commands { commands, metadata_version, answer } => {
                        state.apply_all(commands, metadata_version);
                        answers.extend(answer.map(|(permit, reply)| Answer::Commit(permit, reply)));
                    }
                    Staged::Moved { batch, location, size } => {
                        if let Some(partition) = state.partitions.get_mut(&batch.partition) {
                            partition.index(&batch, location, size);
                        }
                    }
                }
            }
        }
        for answer_now in answers {
            match answer_now {
                Answer::Append(permit, reply, appended) => {
                    drop(permit);
                    answer(reply, Ok(appended));
                }
                Answer::Commit(permit, reply) => {
                    drop(permit);
                    answer(reply, Ok(()));
                }
            }
        }
    }

    fn change(&mut self, change: StateChange) -> Result<i64, StorageError> {
        self.writable()?;
        if matches!(change, StateChange::Reclaim) {
            return self.reclaim();
        }
        let (commands, reply) = change.commands(&self.shared.read())?;
        if commands.is_empty() {
            return Ok(reply);
        }
        let frees = commands.iter().any(|command| {
            matches!(
                command,
                Command::DeleteTopic { .. }
                    | Command::MoveLogStart { .. }
                    | Command::AddObject(_)
                    | Command::ReplaceShares(_)
            )
        });
        self.stage_commands(commands, None);
        self.flush()?;
        if frees {
            self.delete_dead_objects()?;
            self.delete_dead_segments()?;
        }
        Ok(reply)
    }
}

/// What waits, up to the size of a group.
fn gather(first: Request, requests: &mut mpsc::UnboundedReceiver<Request>) -> Vec<Request> {
    let mut weight = first.weight();
    let mut group = vec![first];
    while weight < GROUP_BYTES
        && let Ok(next) = requests.try_recv()
    {
        weight = weight.saturating_add(next.weight());
        group.push(next);
    }
    group
}

enum Answer {
    Append(OwnedSemaphorePermit, oneshot::Sender<Result<Appended, AppendError>>, Appended),
    Commit(OwnedSemaphorePermit, oneshot::Sender<Result<(), StorageError>>),
}

/// Makes a segment that begins with a snapshot of the state; the snapshot is durable when this returns.
pub(crate) fn start_segment(
    config: &StorageConfig,
    shared: &Shared,
    id: u64,
    key: FreshKey,
) -> Result<SegmentWriter, StorageError> {
    let mut writer = SegmentWriter::create(config, id, key)?;
    let snapshot = {
        let mut state = shared.write();
        state.segments.insert(id);
        state.snapshot()
    };
    let body = snapshot.encode().map_err(|error| unavailable(&error.to_string()))?;
    let descriptor = Descriptor {
        kind: FrameKind::Snapshot,
        metadata_version: snapshot.metadata_version,
        previous: None,
        batch: None,
    };
    writer.push(&descriptor, &body).map_err(|error| unavailable(&error.to_string()))?;
    writer.flush(config.fsync)?;
    shared.segments().push(Arc::clone(writer.segment()));
    Ok(writer)
}

pub(crate) fn unavailable(reason: &str) -> StorageError {
    StorageError::Unavailable { reason: reason.to_owned() }
}

fn describe(error: &StorageError) -> String {
    chain(error)
}

/// The error with its causes, for those who get a reason instead of the error.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

fn refuse(request: Request, error: &StorageError) {
    match request {
        Request::Append { reply, .. } => {
            let refusal = match error {
                StorageError::Closed => AppendError::Closed,
                other => AppendError::Unavailable { reason: reason_of(other) },
            };
            answer(reply, Err(refusal));
        }
        Request::Commit { reply, .. } | Request::Close { reply } => answer(reply, Err(again(error))),
        Request::Change { reply, .. } => answer(reply, Err(again(error))),
    }
}

fn again(error: &StorageError) -> StorageError {
    match error {
        StorageError::Closed => StorageError::Closed,
        other => StorageError::Unavailable { reason: reason_of(other) },
    }
}

fn reason_of(error: &StorageError) -> String {
    match error {
        StorageError::Unavailable { reason } => reason.clone(),
        other => describe(other),
    }
}

/// Sends a reply. A caller that gave up waiting is told nothing; what was written stays written.
fn answer<T>(reply: oneshot::Sender<T>, value: T) {
    drop(reply.send(value));
}
