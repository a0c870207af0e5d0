//! What a store can really do, tried at start instead of believed.

use bytes::Bytes;
use futures::TryStreamExt;
use futures::future::join_all;
use object_store::path::Path;

use crate::error::StoreError;
use crate::object_id::ObjectId;
use crate::store::Store;

/// The folder that probes write to.
const FOLDER: &str = "probe";
const FIRST: &[u8] = b"0123456789 first writer";
/// Writers that try to take a name at once.
const RACERS: usize = 16;
const SECOND: &[u8] = b"0123456789 second writer";

/// What was found out about a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// Of many writers of one name, one wins, also when they come at once. Without it, only one writer at all is safe.
    pub conditional_put: bool,
}

impl Capabilities {
    /// Whether many brokers may share the store.
    ///
    /// # Errors
    /// [`StoreError::Unsuitable`] when conditional writes are ignored.
    pub fn require_shared(self, store: &Store) -> Result<(), StoreError> {
        if self.conditional_put {
            return Ok(());
        }
        Err(unsuitable(
            store,
            "it does not honour `If-None-Match: *` always, so that one broker could overwrite another's object",
        ))
    }
}

/// Writes, reads, lists and deletes one small object. `id` must never have been used for a probe before.
///
/// # Errors
/// [`StoreError::Unsuitable`] when the store answers wrongly; else what a request failed with.
pub async fn probe(store: &Store, id: ObjectId) -> Result<Capabilities, StoreError> {
    let path = Path::from_iter([FOLDER, &id.to_string()]);
    let raced = Path::from_iter([FOLDER, &format!("{id}-raced")]);
    store.put_new(&path, vec![Bytes::from_static(FIRST)]).await?;
    let found = examine(store, &path).await;
    let race = race(store, &raced).await;
    // Deleted whatever was found, so that a failing start leaves nothing behind.
    let deleted = store.delete(&path).await.and(store.delete(&raced).await);
    let Capabilities { conditional_put } = found?;
    let capabilities = Capabilities { conditional_put: conditional_put && race? };
    deleted?;
    match store.size(&path).await {
        Err(StoreError::NotFound { .. }) => Ok(capabilities),
        Ok(_) => Err(unsuitable(store, "a deleted object is still there")),
        Err(error) => Err(error),
    }
}

/// Whether of writers that come at once just one is told that it won. Some servers look first and write then.
async fn race(store: &Store, path: &Path) -> Result<bool, StoreError> {
    let writers = (0..RACERS).map(|_| store.put_new(path, vec![Bytes::from_static(FIRST)]));
    let mut winners = 0;
    for outcome in join_all(writers).await {
        match outcome {
            Ok(()) => winners += 1,
            Err(StoreError::AlreadyExists { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(winners == 1)
}

async fn examine(store: &Store, path: &Path) -> Result<Capabilities, StoreError> {
    let conditional_put = match store.put_new(path, vec![Bytes::from_static(SECOND)]).await {
        Ok(()) => false,
        Err(StoreError::AlreadyExists { .. }) => true,
        Err(error) => return Err(error),
    };
    let expected = if conditional_put { FIRST } else { SECOND };
    let whole = store.get_suffix(path, 1024).await?;
    if whole.bytes != expected || whole.object_size != expected.len() as u64 {
        return Err(unsuitable(store, "an object reads back differently than it was written"));
    }
    let range = store.get_range(path, 2..7).await?;
    let suffix = store.get_suffix(path, 6).await?;
    if range.as_ref() != b"23456" || suffix.bytes.as_ref() != b"writer" {
        return Err(unsuitable(store, "it does not serve ranges as asked"));
    }
    let listed: Vec<_> = store.list(&Path::from(FOLDER)).try_collect().await?;
    if !listed.iter().any(|it| it.path == *path && it.size == expected.len() as u64) {
        return Err(unsuitable(store, "a written object is missing in the listing"));
    }
    Ok(Capabilities { conditional_put })
}

fn unsuitable(store: &Store, reason: &'static str) -> StoreError {
    StoreError::Unsuitable { store: store.description().to_owned(), reason }
}
