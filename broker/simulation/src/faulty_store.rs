//! An object store in memory that fails, forgets to answer, comes late, and returns damaged bytes.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt as _, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use crate::process::Process;

/// One process's way to the shared store.
#[derive(Debug, Clone)]
pub(crate) struct FaultyStore {
    process: Process,
    shared: Arc<InMemory>,
    /// Acknowledges writes and throws every so manieth away: what no store may do, to try the checker on.
    forgets_one_in: u64,
}

/// What becomes of a request.
enum Fate {
    Served,
    Refused,
    Unanswered,
    Late,
}

impl FaultyStore {
    /// The way of `process` to what is `shared`.
    #[must_use]
    pub(crate) const fn new(process: Process, shared: Arc<InMemory>, forgets_one_in: u64) -> Self {
        Self { process, shared, forgets_one_in }
    }

    async fn before(&self) -> Fate {
        let world = self.process.world();
        self.process.pass().await;
        world.network().await;
        self.process.pass().await;
        if world.now() < world.outages().store_until || world.fault(|rates| rates.store_error) {
            Fate::Refused
        } else if world.fault(|rates| rates.store_lost_answer) {
            Fate::Unanswered
        } else if world.fault(|rates| rates.store_late_effect) {
            Fate::Late
        } else {
            Fate::Served
        }
    }

    async fn after(&self) {
        self.process.world().network().await;
        self.process.pass().await;
    }

    fn forgets(&self) -> bool {
        self.forgets_one_in > 0 && self.process.world().below(self.forgets_one_in) == 0
    }

    /// Bytes as they arrive.
    fn damaged(&self, bytes: Bytes) -> Bytes {
        let world = self.process.world();
        if bytes.is_empty() {
            return bytes;
        }
        if world.fault(|rates| rates.store_truncated_read) {
            let keep = usize::try_from(world.below(bytes.len() as u64)).unwrap_or_default();
            return bytes.slice(..keep);
        }
        if world.fault(|rates| rates.store_flipped_read) {
            let mut flipped = bytes.to_vec();
            let at = usize::try_from(world.below(flipped.len() as u64)).unwrap_or_default();
            if let Some(byte) = flipped.get_mut(at) {
                *byte ^= 1 << world.below(8);
            }
            return Bytes::from(flipped);
        }
        bytes
    }
}

fn refused() -> Error {
    Error::Generic { store: "simulated", source: "503 SlowDown".into() }
}

fn unanswered() -> Error {
    Error::Generic { store: "simulated", source: "connection reset".into() }
}

impl fmt::Display for FaultyStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("FaultyStore")
    }
}

#[async_trait]
impl ObjectStore for FaultyStore {
    async fn put_opts(&self, path: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let world = self.process.world();
        let fate = self.before().await;
        if matches!(fate, Fate::Refused) {
            self.after().await;
            return Err(refused());
        }
        if matches!(fate, Fate::Late) {
            world.note(format_args!("store: {path} is written later"));
            let (shared, path, world) = (Arc::clone(&self.shared), path.clone(), world.clone());
            drop(tokio::spawn(async move {
                world.sleep_between(10_000, 3_000_000).await;
                // A name that was taken meanwhile stays as it is; nobody waits for the answer.
                drop(shared.put_opts(&path, payload, options).await);
            }));
            self.after().await;
            return Err(unanswered());
        }
        let put = if self.forgets() {
            world.note(format_args!("store: {path} is acknowledged and thrown away"));
            Ok(PutResult { e_tag: None, version: None, extensions: object_store::Extensions::default() })
        } else {
            self.shared.put_opts(path, payload, options).await
        };
        self.after().await;
        if matches!(fate, Fate::Unanswered) {
            world.note(format_args!("store: the answer for {path} is lost"));
            return Err(unanswered());
        }
        put
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.shared.put_multipart_opts(path, options).await
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        let fate = self.before().await;
        if !matches!(fate, Fate::Served) {
            self.after().await;
            return Err(refused());
        }
        let result = self.shared.get_opts(path, options).await;
        self.after().await;
        let GetResult { payload, meta, range, attributes, extensions } = result?;
        let chunks: Vec<Bytes> = match payload {
            GetResultPayload::Stream(stream) => stream.try_collect().await?,
            GetResultPayload::File(..) => {
                return Err(Error::NotImplemented {
                    operation: "files".to_owned(),
                    implementer: "FaultyStore".to_owned(),
                });
            }
        };
        let bytes = self.damaged(Bytes::from(chunks.concat()));
        let payload = GetResultPayload::Stream(stream::once(async move { Ok(bytes) }).boxed());
        Ok(GetResult { payload, meta, range, attributes, extensions })
    }

    async fn get_ranges(&self, path: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let mut found = Vec::with_capacity(ranges.len());
        for range in ranges {
            found.push(self.get_range(path, range.clone()).await?);
        }
        Ok(found)
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        paths
            .then(move |path| {
                let store = store.clone();
                async move {
                    let path = path?;
                    let fate = store.before().await;
                    if matches!(fate, Fate::Refused | Fate::Late) {
                        store.after().await;
                        return Err(refused());
                    }
                    let deleted = store.shared.delete(&path).await;
                    store.after().await;
                    if matches!(fate, Fate::Unanswered) { Err(unanswered()) } else { deleted.map(|()| path) }
                }
            })
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (store, prefix) = (self.clone(), prefix.cloned());
        let listing = async move {
            let fate = store.before().await;
            store.after().await;
            if !matches!(fate, Fate::Served) {
                return stream::once(async { Err(refused()) }).boxed();
            }
            store.shared.list(prefix.as_ref())
        };
        stream::once(listing).flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.shared.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.shared.copy_opts(from, to, options).await
    }
}
