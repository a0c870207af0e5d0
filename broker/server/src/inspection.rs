//! What lies in a broker's storage, told from outside: the names of objects, and the receipts of deleted topics. Nothing is opened,
//! so that a broker may run meanwhile.

use std::path::Path;

use cadastre_keys::signing::{SigningError, VerifyingKey};
use cadastre_keys::{
    KeyError, KeyProvider as _, LocalKeyFile, ReceiptError, ShredReceipt, SignedReceipt, verify_receipt,
};
use cadastre_objects::{Store, StoreError, StoreSettings};
use futures::TryStreamExt as _;
use object_store::path::Path as ObjectPath;

use crate::config::BrokerConfig;
use crate::format::FormatError;
use crate::open_storage::objects_location;
use crate::shredding::RECEIPTS;

/// A receipt is bounded like every input.
const LONGEST_RECEIPT: u64 = 64 << 20;

/// The storage cannot be looked at, or what it holds is not to be believed.
#[derive(Debug, thiserror::Error)]
pub enum InspectionError {
    /// The configuration does not lead to a store.
    #[error("the configuration leads to no store")]
    Configuration(#[source] Box<FormatError>),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file of the broker's directory.
    #[error("cannot read `{path}`")]
    File {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The broker's public key.
    #[error("the key that verifies receipts cannot be used")]
    Signer(#[from] SigningError),
    /// A receipt that the broker should have signed.
    #[error("receipt `{name}` cannot be believed")]
    Receipt {
        /// Its name.
        name: String,
        /// What is wrong with it.
        source: ReceiptError,
    },
}

/// Makes a key-encryption key in a file, and tells its id.
///
/// # Errors
///
/// [`KeyError::File`] when the file exists or cannot be written.
pub fn create_key_file(path: &Path) -> Result<String, KeyError> {
    Ok(LocalKeyFile::create(path)?.key_id().to_owned())
}

/// The names of all objects in the configured store, sorted, whatever they hold.
///
/// # Errors
///
/// [`InspectionError`] when the store cannot be listed to the end.
pub async fn object_names(config: &BrokerConfig) -> Result<Vec<String>, InspectionError> {
    let store = store(config)?;
    let listed: Vec<_> = store.list(&ObjectPath::default()).try_collect().await?;
    let mut names: Vec<String> = listed.into_iter().map(|object| object.path.to_string()).collect();
    names.sort();
    Ok(names)
}

/// Every receipt that this broker signed, by topic, each with its signature checked. Receipts of other brokers of a cluster are left
/// to their own keys.
///
/// # Errors
///
/// [`InspectionError`] when one cannot be read, or says that this broker signed it and is not signed so.
pub async fn receipts(config: &BrokerConfig) -> Result<Vec<ShredReceipt>, InspectionError> {
    let directory = config.log_directory().join(RECEIPTS);
    let public = directory.join("signer.pem");
    if !public.exists() {
        return Ok(Vec::new());
    }
    let read = |path: &Path| {
        let failed = |source| InspectionError::File { path: path.display().to_string(), source };
        std::fs::read(path).map_err(failed)
    };
    let signer = VerifyingKey::parse(&String::from_utf8_lossy(&read(&public)?))?;
    let mut found = Vec::new();
    if config.storage.is_cluster() {
        let store = store(config)?;
        let listed: Vec<_> = store.list(&ObjectPath::from(RECEIPTS)).try_collect().await?;
        for object in listed.into_iter().filter(|object| object.path.as_ref().ends_with(".json")) {
            let bytes = store.get_range(&object.path, 0..object.size.min(LONGEST_RECEIPT)).await?;
            found.push((object.path.to_string(), bytes.to_vec()));
        }
    } else {
        let failed = |source| InspectionError::File { path: directory.display().to_string(), source };
        for entry in std::fs::read_dir(&directory).map_err(failed)? {
            let failed = |source| InspectionError::File { path: directory.display().to_string(), source };
            let path = entry.map_err(failed)?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                found.push((path.display().to_string(), read(&path)?));
            }
        }
    }
    let mut receipts = Vec::new();
    for (name, bytes) in found {
        let own = serde_json::from_slice::<SignedReceipt>(&bytes)
            .is_ok_and(|signed| signed.receipt.signer == signer.key_id());
        if own {
            let receipt = verify_receipt(&bytes, &signer);
            receipts.push(receipt.map_err(|source| InspectionError::Receipt { name, source })?);
        }
    }
    receipts.sort_by(|a, b| a.topic_id.cmp(&b.topic_id));
    Ok(receipts)
}

fn store(config: &BrokerConfig) -> Result<Store, InspectionError> {
    let location =
        objects_location(config).map_err(|error| InspectionError::Configuration(Box::new(error)))?;
    Ok(location.open(StoreSettings::default())?)
}
