//! What a store can really do, tried at start instead of believed.

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::path::Path;

use crate::error::StoreError;
use crate::object_id::ObjectId;
use crate::store::Store;

/// The folder that probes write to.
const FOLDER: &str = "probe";
const FIRST: &[u8] = b"0123456789 first writer";
const SECOND: &[u8] = b"0123456789 second writer";

/// What was found out about a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// Of two writers of one name, the second is refused. Without it, only one writer at all is safe.
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
            "it ignores `If-None-Match: *`, so that one broker could overwrite another's object",
        ))
    }
}

/// Writes, reads, lists and deletes one small object. `id` must never have been used for a probe before.
///
/// # Errors
/// [`StoreError::Unsuitable`] when the store answers wrongly; else what a request failed with.
pub async fn probe(store: &Store, id: ObjectId) -> Result<Capabilities, StoreError> {
    let path = Path::from_iter([FOLDER, &id.to_string()]);
    store.put_new(&path, vec![Bytes::from_static(FIRST)]).await?;
    let found = examine(store, &path).await;
    // Deleted whatever was found, so that a failing start leaves nothing behind.
    let deleted = store.delete(&path).await;
    let capabilities = found?;
    deleted?;
    match store.size(&path).await {
        Err(StoreError::NotFound { .. }) => Ok(capabilities),
        Ok(_) => Err(unsuitable(store, "a deleted object is still there")),
        Err(error) => Err(error),
    }
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
