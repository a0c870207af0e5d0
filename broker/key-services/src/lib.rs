//! Key services over the network: AWS KMS, Azure Key Vault and Managed HSM, Vault and OpenBao transit.
//!
//! The heavy client libraries stay behind this crate. [`KeyProviderConfig`] reads the broker's properties,
//! [`open_provider`] makes the provider that records every call in the key ledger.

mod aws_kms;
mod azure_key_vault;
mod azure_token;
mod config;
mod http;
mod open;
mod secret_file;
mod vault_transit;

pub use aws_kms::{AwsKms, AwsKmsConfig};
pub use azure_key_vault::{AzureAlgorithm, AzureKeyVault, AzureKeyVaultConfig};
pub use azure_token::{AccessToken, AccessTokenSource, AzureCredential, AzureTokens, TokenFuture};
pub use config::{KeyProviderConfig, KeyServiceKind, LedgerConfig, PROPERTY_NAMES};
pub use http::{CallLimits, Endpoint, Trust};
pub use open::{OpenedKeys, open_provider, open_service};
pub use secret_file::SecretFile;
pub use vault_transit::{VaultTransit, VaultTransitConfig};
