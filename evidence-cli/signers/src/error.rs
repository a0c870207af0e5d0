//! Why a key does not sign.

/// A key that does not sign.
#[derive(Debug, thiserror::Error)]
pub enum SigningError {
    /// Not the address of a key.
    #[error("`{address}` is no key: {expected}")]
    Address {
        /// What was given.
        address: String,
        /// What is understood.
        expected: &'static str,
    },
    /// There is nobody to sign as.
    #[error(
        "no Azure credential: set AZURE_ACCESS_TOKEN_FILE, or AZURE_TENANT_ID and AZURE_CLIENT_ID with AZURE_CLIENT_SECRET or AZURE_FEDERATED_TOKEN_FILE, or AZURE_USE_MANAGED_IDENTITY=true"
    )]
    NoCredential,
    /// A credential's file cannot be read.
    #[error("cannot read the credential `{path}`")]
    Credential {
        /// The file.
        path: String,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// The service did not answer.
    #[error("the key service does not answer: {reason}")]
    Unavailable {
        /// What was seen.
        reason: String,
    },
    /// The service refused.
    #[error("the key service refuses `{operation}` on `{key}`: {reason}")]
    Refused {
        /// What was asked.
        operation: &'static str,
        /// Which key.
        key: String,
        /// What it answered.
        reason: String,
    },
    /// The service answered something else than what was asked.
    #[error("the key service answers `{operation}` on `{key}` wrongly: {reason}")]
    InvalidAnswer {
        /// What was asked.
        operation: &'static str,
        /// Which key.
        key: String,
        /// What is wrong with the answer.
        reason: String,
    },
    /// A key that is not for this.
    #[error("`{key}` does not sign packets: {reason}")]
    Unsuitable {
        /// Which key.
        key: String,
        /// Why not.
        reason: String,
    },
    /// The public key cannot be used.
    #[error("the public key cannot be used")]
    PublicKey(#[from] cadastre_packet::KeyError),
    /// The machine gives no thread to wait on.
    #[error("cannot wait for the key service")]
    Runtime(#[source] std::io::Error),
}
