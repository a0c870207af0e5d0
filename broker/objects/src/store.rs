//! Access to an object store with bounded time, attempts, concurrency and sizes.

use std::fmt;
use std::future::Future;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    Error, GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload,
};
use tokio::sync::Semaphore;

use crate::error::StoreError;
use crate::store_counters::{Count, StoreCounters, StoreCounts};
use crate::store_settings::StoreSettings;

/// An object store as the broker uses it. Cheap to clone; clones share limits and counts.
#[derive(Clone)]
pub struct Store {
    inner: Arc<dyn ObjectStore>,
    /// Where it is, without credentials.
    description: Arc<str>,
    settings: Arc<StoreSettings>,
    permits: Arc<Semaphore>,
    counters: Arc<StoreCounters>,
}

/// Bytes from the end of an object.
#[derive(Debug, Clone)]
pub struct Suffix {
    /// The last bytes; all of them when the object is short.
    pub bytes: Bytes,
    /// The object's size, in bytes.
    pub object_size: u64,
}

/// An object in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedObject {
    /// Where it lies.
    pub path: Path,
    /// Its size, in bytes.
    pub size: u64,
    /// When it was written by the store's clock, milliseconds since the epoch.
    pub modified_at_ms: i64,
}

impl Store {
    /// Wraps any implementation; `description` names it in errors and must hold no secret.
    #[must_use]
    pub fn new(
        inner: Arc<dyn ObjectStore>,
        description: impl Into<Arc<str>>,
        settings: StoreSettings,
    ) -> Self {
        let permits = Arc::new(Semaphore::new(settings.concurrency.clamp(1, Semaphore::MAX_PERMITS)));
        Self {
            inner,
            description: description.into(),
            settings: Arc::new(settings),
            permits,
            counters: Arc::default(),
        }
    }

    /// Where the store is, without credentials.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.description
    }

    /// Bounds of every request.
    #[must_use]
    pub fn settings(&self) -> &StoreSettings {
        &self.settings
    }

    /// What was asked of the store so far.
    #[must_use]
    pub fn counts(&self) -> StoreCounts {
        self.counters.counts()
    }

    /// Writes an object under a name that is free; all of it or nothing.
    ///
    /// # Errors
    /// [`StoreError::AlreadyExists`] when the name is taken, perhaps by an earlier attempt of this very call
    /// whose answer was lost: the caller then takes another name.
    pub async fn put_new(&self, path: &Path, chunks: Vec<Bytes>) -> Result<(), StoreError> {
        let payload: PutPayload = chunks.into_iter().collect();
        let bytes = payload.content_length() as u64;
        self.check_size(bytes)?;
        self.attempt("write", path, Count::Put, || async {
            let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
            self.inner.put_opts(path, payload.clone(), options).await.map(drop)
        })
        .await?;
        self.counters.add(Count::BytesWritten, bytes);
        Ok(())
    }

    /// Reads a range of an object, exactly.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Unavailable`] also where the object ends before the range does.
    pub async fn get_range(&self, path: &Path, range: Range<u64>) -> Result<Bytes, StoreError> {
        let length = range.end.saturating_sub(range.start);
        self.check_size(length)?;
        if length == 0 {
            return Ok(Bytes::new());
        }
        let bytes = self
            .attempt("read", path, Count::Get, || async {
                let bytes = self.inner.get_range(path, range.clone()).await?;
                if bytes.len() as u64 != length {
                    return Err(short(bytes.len() as u64, length));
                }
                Ok(bytes)
            })
            .await?;
        self.counters.add(Count::BytesRead, length);
        Ok(bytes)
    }

    /// Reads the last `length` bytes of an object, or all of it when it is shorter.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] and the rest.
    pub async fn get_suffix(&self, path: &Path, length: u64) -> Result<Suffix, StoreError> {
        self.check_size(length)?;
        let suffix = self
            .attempt("read", path, Count::Get, || async {
                match self.suffix(path, length).await {
                    // Azure Blob Storage knows no suffix ranges, and some S3 servers fail on one that is longer
                    // than the object.
                    Err(Error::NotSupported { .. } | Error::Generic { .. }) => {
                        self.counters.add(Count::Get, 2);
                        let size = self.inner.head(path).await?.size;
                        let start = size.saturating_sub(length);
                        let bytes = match size {
                            0 => Bytes::new(),
                            _ => self.inner.get_range(path, start..size).await?,
                        };
                        if bytes.len() as u64 != size.saturating_sub(start) {
                            return Err(short(bytes.len() as u64, size.saturating_sub(start)));
                        }
                        Ok(Suffix { bytes, object_size: size })
                    }
                    other => other,
                }
            })
            .await?;
        self.counters.add(Count::BytesRead, suffix.bytes.len() as u64);
        Ok(suffix)
    }

    async fn suffix(&self, path: &Path, length: u64) -> Result<Suffix, Error> {
        let options = GetOptions { range: Some(GetRange::Suffix(length)), ..GetOptions::default() };
        let result = self.inner.get_opts(path, options).await?;
        let object_size = result.meta.size;
        let expected = length.min(object_size);
        let bytes = result.bytes().await?;
        if bytes.len() as u64 != expected {
            return Err(short(bytes.len() as u64, expected));
        }
        Ok(Suffix { bytes, object_size })
    }

    /// The size of an object, in bytes.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] and the rest.
    pub async fn size(&self, path: &Path) -> Result<u64, StoreError> {
        self.attempt("look at", path, Count::Get, || async { self.inner.head(path).await.map(|it| it.size) })
            .await
    }

    /// Deletes an object; one that does not exist is fine.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn delete(&self, path: &Path) -> Result<(), StoreError> {
        let deleted =
            self.attempt("delete", path, Count::Delete, || async { self.inner.delete(path).await }).await;
        match deleted {
            Err(StoreError::NotFound { .. }) => Ok(()),
            other => other,
        }
    }

    /// Lists the objects under a folder, in no order. A failure ends the listing, so that a part is never taken for
    /// the whole.
    pub fn list(&self, folder: &Path) -> BoxStream<'static, Result<ListedObject, StoreError>> {
        self.counters.add(Count::List, 1);
        let folder = folder.clone();
        let counters = Arc::clone(&self.counters);
        let listing = self.inner.list(Some(&folder));
        let mapped = listing.map(move |listed| {
            listed.map(listed_object).map_err(|error| {
                counters.add(Count::Failure, 1);
                refusal("list", &folder, 1, error)
            })
        });
        mapped.boxed()
    }

    fn check_size(&self, bytes: u64) -> Result<(), StoreError> {
        let maximum = self.settings.maximum_request_bytes;
        if bytes > maximum { Err(StoreError::TooLarge { bytes, maximum }) } else { Ok(()) }
    }

    /// Tries until it works, the failure is final, or the attempts are used up.
    async fn attempt<T, F>(
        &self,
        action: &'static str,
        path: &Path,
        count: Count,
        request: impl Fn() -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let settings = &self.settings;
        let mut attempts = 0;
        loop {
            attempts += 1;
            self.counters.add(count, 1);
            // Held for one attempt: who waits to try again does not keep others out.
            let permit = self.permits.acquire().await;
            let answer = tokio::time::timeout(settings.request_timeout, request()).await;
            drop(permit);
            let error = match answer {
                Ok(Ok(value)) => return Ok(value),
                Ok(Err(error)) => {
                    let refused = refusal(action, path, attempts, error);
                    if !refused.is_retriable() {
                        return Err(refused);
                    }
                    refused
                }
                Err(_elapsed) => {
                    self.counters.add(Count::Timeout, 1);
                    let seconds = settings.request_timeout.as_secs();
                    StoreError::TimedOut { action, path: path.clone(), seconds, attempts }
                }
            };
            if attempts >= settings.attempts {
                self.counters.add(Count::Failure, 1);
                return Err(error);
            }
            self.counters.add(Count::Retry, 1);
            tracing::debug!(%error, attempts, "trying a request to the object store again");
            let salt = crc32c::crc32c(path.as_ref().as_bytes()).wrapping_add(attempts);
            let wait = settings.backoff(attempts, salt);
            // The runtime's shortest sleep is a millisecond; no wait at all is a setting, too.
            if !wait.is_zero() {
                tokio::time::sleep(wait).await;
            }
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Store").field("description", &self.description).finish_non_exhaustive()
    }
}

fn listed_object(meta: ObjectMeta) -> ListedObject {
    ListedObject {
        path: meta.location,
        size: meta.size,
        modified_at_ms: meta.last_modified.timestamp_millis(),
    }
}

fn short(found: u64, expected: u64) -> Error {
    let source = format!("{found} bytes came instead of {expected}").into();
    Error::Generic { store: "objects", source }
}

fn refusal(action: &'static str, path: &Path, attempts: u32, error: Error) -> StoreError {
    let path = path.clone();
    match error {
        Error::NotFound { .. } => StoreError::NotFound { path },
        Error::AlreadyExists { .. } | Error::Precondition { .. } => StoreError::AlreadyExists { path },
        source @ (Error::PermissionDenied { .. } | Error::Unauthenticated { .. }) => {
            StoreError::Denied { action, path, source }
        }
        source => StoreError::Unavailable { action, path, attempts, source },
    }
}
