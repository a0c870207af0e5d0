//! From settings to a provider that records what it does.

use std::sync::Arc;

use cadastre_keys::ledger::{KeyLedger, LedgerFile, LedgerFileConfig};
use cadastre_keys::signing::SigningKey;
use cadastre_keys::{KeyClock, KeyError, KeyProvider, KeyService, LocalKeyFile, RecordedKeys};

use crate::aws_kms::AwsKms;
use crate::azure_key_vault::AzureKeyVault;
use crate::config::{KeyProviderConfig, KeyServiceKind};
use crate::vault_transit::VaultTransit;

/// A provider, and what belongs to it.
#[derive(Debug)]
pub struct OpenedKeys {
    /// Wraps and unwraps, and records it.
    pub provider: Arc<dyn KeyProvider>,
    /// The ledger, for what is not a call of a service: destructions.
    pub ledger: Arc<LedgerFile>,
    /// Signs receipts, if a key is configured.
    pub signer: Option<Arc<SigningKey>>,
}

/// Opens every service that has settings, and the ledger.
///
/// # Errors
/// [`KeyError`] of the first service that cannot be opened; [`KeyError::Unrecorded`] when the ledger cannot.
pub async fn open_provider(
    config: &KeyProviderConfig,
    clock: Arc<dyn KeyClock>,
) -> Result<OpenedKeys, KeyError> {
    let signer = match &config.ledger.signing_key {
        None => None,
        Some(path) => Some(Arc::new(SigningKey::open(path).map_err(|error| KeyError::Configuration {
            property: "cadastre.key.ledger.signing.key.file".to_owned(),
            reason: error.to_string(),
        })?)),
    };
    let current = open_service(config, config.kind, &clock).await?;
    let mut previous: Vec<Arc<dyn KeyService>> = Vec::new();
    for kind in [
        KeyServiceKind::LocalFile,
        KeyServiceKind::AwsKms,
        KeyServiceKind::AzureKeyVault,
        KeyServiceKind::VaultTransit,
    ] {
        if kind != config.kind && has_settings(config, kind) {
            previous.push(open_service(config, kind, &clock).await?);
        }
    }
    for path in &config.previous_files {
        previous.push(Arc::new(LocalKeyFile::open(path)?));
    }
    let ledger = LedgerFile::open(LedgerFileConfig {
        directory: config.ledger.directory.clone(),
        maximum_file_bytes: config.ledger.maximum_file_bytes,
        maximum_files: config.ledger.maximum_files,
        signer: signer.clone(),
        clock,
    });
    let unrecorded = |source| KeyError::Unrecorded { key_id: current.current_key().to_owned(), source };
    let ledger = Arc::new(ledger.map_err(unrecorded)?);
    let as_ledger = Arc::clone(&ledger) as Arc<dyn KeyLedger>;
    let provider = Arc::new(RecordedKeys::new(current, previous, as_ledger, config.ledger.mode));
    Ok(OpenedKeys { provider, ledger, signer })
}

fn has_settings(config: &KeyProviderConfig, kind: KeyServiceKind) -> bool {
    match kind {
        KeyServiceKind::LocalFile => config.local_file.is_some(),
        KeyServiceKind::AwsKms => config.aws.is_some(),
        KeyServiceKind::AzureKeyVault => config.azure.is_some(),
        KeyServiceKind::VaultTransit => config.vault.is_some(),
    }
}

/// Opens one service, without a ledger: for [`open_provider`] and conformance tests.
///
/// # Errors
/// [`KeyError::Configuration`] when it has no settings, else what opening it says.
pub async fn open_service(
    config: &KeyProviderConfig,
    kind: KeyServiceKind,
    clock: &Arc<dyn KeyClock>,
) -> Result<Arc<dyn KeyService>, KeyError> {
    let missing = || KeyError::Configuration {
        property: "cadastre.key.provider".to_owned(),
        reason: format!("`{}` has no settings", kind.name()),
    };
    Ok(match kind {
        KeyServiceKind::LocalFile => {
            Arc::new(LocalKeyFile::open(config.local_file.as_ref().ok_or_else(missing)?)?)
        }
        KeyServiceKind::AwsKms => AwsKms::open(config.aws.clone().ok_or_else(missing)?).await?,
        KeyServiceKind::AzureKeyVault => {
            AzureKeyVault::open(config.azure.clone().ok_or_else(missing)?, Arc::clone(clock)).await?
        }
        KeyServiceKind::VaultTransit => VaultTransit::open(config.vault.clone().ok_or_else(missing)?).await?,
    })
}
