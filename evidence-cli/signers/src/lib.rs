//! Keys that sign packets and never leave their service: AWS KMS and Azure Key Vault.
//!
//! The packet room is pure and takes any [`Signer`]; this one calls the clouds. Two operations of each service are
//! called, to read the public key and to sign, and nothing else.
//!
//! ```text
//! awskms:///arn:aws:kms:eu-central-1:111122223333:key/ID     kms:GetPublicKey, kms:Sign
//! azurekms://VAULT.vault.azure.net/NAME[/VERSION]            keys/get, keys/sign
//! ```

mod address;
mod aws_kms;
mod azure_key_vault;
mod azure_token;
mod error;
mod http;

pub use address::KeyAddress;
pub use azure_token::AzureCredential;
pub use cadastre_packet::Signer;
pub use error::SigningError;

/// Opens a key: reads its public half, and checks that it is of a kind that signs packets.
///
/// AWS credentials come from the SDK's default chain, Azure's from [`AzureCredential::from_environment`]. The calls
/// block; this must not be called from asynchronous code.
///
/// # Errors
/// [`SigningError`]: the key cannot be reached, does not exist, or is of another kind.
pub fn open(address: &KeyAddress) -> Result<Box<dyn Signer>, SigningError> {
    match address {
        KeyAddress::AwsKms { arn, region, endpoint } => {
            Ok(Box::new(aws_kms::AwsKmsKey::open(arn, region, endpoint.as_deref(), None)?))
        }
        KeyAddress::AzureKeyVault { vault, name, version } => {
            let credential = AzureCredential::from_environment()?;
            open_azure(vault, name, version.as_deref(), credential)
        }
    }
}

/// Opens a key of AWS KMS with credentials and HTTP client from `shared`; its region does not count.
///
/// # Errors
/// As [`open`].
pub fn open_aws(
    arn: &str,
    region: &str,
    endpoint: Option<&str>,
    shared: &aws_config::SdkConfig,
) -> Result<Box<dyn Signer>, SigningError> {
    Ok(Box::new(aws_kms::AwsKmsKey::open(arn, region, endpoint, Some(shared))?))
}

/// Opens a key of Azure Key Vault with a credential at hand.
///
/// # Errors
/// As [`open`].
pub fn open_azure(
    vault: &str,
    name: &str,
    version: Option<&str>,
    credential: AzureCredential,
) -> Result<Box<dyn Signer>, SigningError> {
    Ok(Box::new(azure_key_vault::AzureKey::open(vault, name, version, credential)?))
}
