//! What the bundled broker's own programs can tell and do about keys, receipts and objects. The command that runs the drills
//! brings them; any other Kafka has none.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

/// An answer that takes time.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, ToolError>> + Send + 'a>>;

/// A tool failed.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct ToolError {
    /// What it said, with its causes.
    pub message: String,
}

impl ToolError {
    /// Wraps what a tool said.
    #[must_use]
    pub const fn new(message: String) -> Self {
        Self { message }
    }
}

/// Who uses which key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyUsage {
    /// The key that new data keys are wrapped under.
    pub current: String,
    /// How many data keys are wrapped under each key.
    pub holders: BTreeMap<String, u64>,
    /// Holders whose key cannot be told.
    pub untold: Vec<String>,
}

/// What moving everything under the current key came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rewrapped {
    /// Data keys that were moved.
    pub moved: u64,
    /// Data keys that were there already.
    pub current: u64,
    /// What failed, by holder.
    pub failures: BTreeMap<String, String>,
    /// Whether nothing is left under another key.
    pub is_done: bool,
}

/// A receipt whose signature holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Receipt {
    /// The cluster's id.
    pub cluster: String,
    /// The topic's id.
    pub topic_id: String,
    /// Keys that were destroyed.
    pub keys: Vec<String>,
    /// Objects that only they could open.
    pub objects: Vec<String>,
    /// What still held records, under keys of others.
    pub remains: Vec<String>,
    /// When, as it says.
    pub time: String,
}

/// The bundled broker's tools.
pub trait BrokerTools: fmt::Debug + Send + Sync {
    /// The same tools for whoever cleans up later.
    fn share(&self) -> Arc<dyn BrokerTools>;

    /// Makes a key file, and tells the key's id.
    ///
    /// # Errors
    /// When it cannot be written.
    fn create_key_file(&self, path: &Path) -> Result<String, ToolError>;

    /// Who uses which key, of the storage that a configuration describes.
    fn key_usage<'a>(&'a self, config: &'a Path) -> Answer<'a, KeyUsage>;

    /// Moves every data key under the configured key.
    fn rewrap<'a>(&'a self, config: &'a Path) -> Answer<'a, Rewrapped>;

    /// Every receipt of a deleted topic that this broker signed, with its signature checked; one that is not signed as it should be
    /// is an error.
    fn receipts<'a>(&'a self, config: &'a Path) -> Answer<'a, Vec<Receipt>>;

    /// The names of all objects in the store that a configuration describes.
    fn objects<'a>(&'a self, config: &'a Path) -> Answer<'a, Vec<String>>;
}
