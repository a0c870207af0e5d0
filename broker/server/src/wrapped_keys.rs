//! Everything of a broker that is wrapped by its key service, as one list.

use std::sync::Arc;

use cadastre_keys::{HeldKey, KeyError, Replacement, StoreFuture, UntoldKey, WrappedKey, WrappedKeyStore};

/// Several stores whose holders do not overlap.
#[derive(Debug)]
pub(crate) struct WrappedKeys(pub(crate) Vec<Arc<dyn WrappedKeyStore>>);

impl WrappedKeyStore for WrappedKeys {
    fn page<'a>(&'a self, after: Option<&'a str>, limit: usize) -> StoreFuture<'a, Vec<HeldKey>> {
        Box::pin(async move {
            let mut page = Vec::new();
            for store in &self.0 {
                page.extend(store.page(after, limit).await?);
            }
            page.sort_by(|left, right| left.holder.cmp(&right.holder));
            page.truncate(limit);
            Ok(page)
        })
    }

    fn untold(&self) -> StoreFuture<'_, Vec<UntoldKey>> {
        Box::pin(async move {
            let mut untold = Vec::new();
            for store in &self.0 {
                untold.extend(store.untold().await?);
            }
            untold.sort_by(|left, right| left.holder.cmp(&right.holder));
            Ok(untold)
        })
    }

    fn replace<'a>(
        &'a self,
        holder: &'a str,
        expected: &'a WrappedKey,
        new: &'a WrappedKey,
    ) -> StoreFuture<'a, Replacement> {
        Box::pin(async move {
            for store in &self.0 {
                let outcome: Result<Replacement, KeyError> = store.replace(holder, expected, new).await;
                match outcome? {
                    Replacement::Gone => {}
                    other => return Ok(other),
                }
            }
            Ok(Replacement::Gone)
        })
    }
}
