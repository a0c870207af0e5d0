//! What the bundled broker can tell and do about its keys, receipts and objects, for the drills.

use std::path::Path;
use std::sync::Arc;

use cadastre_drills::tools::{Answer, BrokerTools, KeyUsage, Receipt, Rewrapped, ToolError};
use cadastre_server::BrokerConfig;

/// The bundled broker's own functions, in this process.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Bundled;

fn told(error: &dyn std::error::Error) -> ToolError {
    ToolError::new(cadastre_server::chain(error))
}

fn load(config: &Path) -> Result<BrokerConfig, ToolError> {
    BrokerConfig::load(config).map_err(|error| told(&error))
}

impl BrokerTools for Bundled {
    fn share(&self) -> Arc<dyn BrokerTools> {
        Arc::new(*self)
    }

    fn create_key_file(&self, path: &Path) -> Result<String, ToolError> {
        cadastre_server::create_key_file(path).map_err(|error| told(&error))
    }

    fn key_usage<'a>(&'a self, config: &'a Path) -> Answer<'a, KeyUsage> {
        Box::pin(async move {
            let status = cadastre_server::status(&load(config)?).await.map_err(|error| told(&error))?;
            Ok(KeyUsage {
                current: status.current_key,
                holders: status.keys.into_iter().map(|(key, holders)| (key, holders.count)).collect(),
                untold: status.untold.into_keys().collect(),
            })
        })
    }

    fn rewrap<'a>(&'a self, config: &'a Path) -> Answer<'a, Rewrapped> {
        Box::pin(async move {
            let config = load(config)?;
            let current = cadastre_server::status(&config).await.map_err(|error| told(&error))?.current_key;
            let moved = cadastre_server::rewrap_to(&config, &current, |_progress| {}).await;
            let moved = moved.map_err(|error| told(&error))?;
            Ok(Rewrapped {
                moved: moved.moved,
                current: moved.current,
                failures: moved.failures,
                is_done: moved.is_done,
            })
        })
    }

    fn receipts<'a>(&'a self, config: &'a Path) -> Answer<'a, Vec<Receipt>> {
        Box::pin(async move {
            let receipts = cadastre_server::receipts(&load(config)?).await.map_err(|error| told(&error))?;
            Ok(receipts
                .into_iter()
                .map(|receipt| Receipt {
                    cluster: receipt.cluster,
                    topic_id: receipt.topic_id,
                    keys: receipt.keys.into_iter().map(|key| key.holder).collect(),
                    objects: receipt.objects,
                    remains: receipt.remains,
                    time: receipt.time,
                })
                .collect())
        })
    }

    fn objects<'a>(&'a self, config: &'a Path) -> Answer<'a, Vec<String>> {
        Box::pin(
            async move { cadastre_server::object_names(&load(config)?).await.map_err(|error| told(&error)) },
        )
    }
}
