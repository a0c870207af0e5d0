//! AWS KMS (API reference: GetPublicKey, Sign).

use std::fmt;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_kms::Client;
use aws_sdk_kms::config::retry::RetryConfig;
use aws_sdk_kms::config::timeout::TimeoutConfig;
use aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{KeyUsageType, MessageType, SigningAlgorithmSpec};
use aws_smithy_http_client::tls;
use cadastre_packet::{KeyKind, PublicKey, Signer, SignerError};
use tokio::runtime::Runtime;

use crate::error::SigningError;
use crate::http::runtime;

/// What KMS takes as a message, in bytes (API reference, Sign). What is signed of a packet is about 1 KiB.
const LONGEST_MESSAGE: usize = 4096;
/// How long one attempt may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A key of KMS.
pub(crate) struct AwsKmsKey {
    arn: String,
    client: Client,
    public: PublicKey,
    runtime: Runtime,
}

impl fmt::Debug for AwsKmsKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsKmsKey").field("arn", &self.arn).finish_non_exhaustive()
    }
}

impl AwsKmsKey {
    /// Reads the public key. Credentials come from `shared`, or from the SDK's default chain.
    pub(crate) fn open(
        arn: &str,
        region: &str,
        endpoint: Option<&str>,
        shared: Option<&SdkConfig>,
    ) -> Result<Self, SigningError> {
        let runtime = runtime()?;
        let client = match shared {
            Some(shared) => client(region, endpoint, shared),
            None => client(region, endpoint, &runtime.block_on(default_chain())),
        };
        let unsuitable = |reason: String| SigningError::Unsuitable { key: arn.to_owned(), reason };
        let answer = runtime
            .block_on(client.get_public_key().key_id(arn).send())
            .map_err(|error| refused("kms:GetPublicKey", arn, &error))?;
        if !answer.key_id().is_some_and(|key| is_same(arn, key)) {
            return Err(wrong("kms:GetPublicKey", arn, "another key answered"));
        }
        if answer.key_usage() != Some(&KeyUsageType::SignVerify) {
            return Err(unsuitable("its usage is not SIGN_VERIFY".to_owned()));
        }
        let spki = answer.public_key().map(Blob::as_ref).unwrap_or_default();
        let public = PublicKey::from_spki(arn, spki)?;
        let wanted = algorithm(public.kind());
        if !answer.signing_algorithms().contains(&wanted) {
            return Err(unsuitable(format!("it does not sign with {}", wanted.as_str())));
        }
        Ok(Self { arn: arn.to_owned(), client, public, runtime })
    }

    fn signature(&self, message: &[u8]) -> Result<Vec<u8>, SigningError> {
        if message.len() > LONGEST_MESSAGE {
            let reason = format!("it takes messages up to {LONGEST_MESSAGE} bytes");
            return Err(SigningError::Unsuitable { key: self.arn.clone(), reason });
        }
        let request = self
            .client
            .sign()
            .key_id(&self.arn)
            .message_type(MessageType::Raw)
            .message(Blob::new(message))
            .signing_algorithm(algorithm(self.public.kind()));
        let answer =
            self.runtime.block_on(request.send()).map_err(|error| refused("kms:Sign", &self.arn, &error))?;
        if !answer.key_id().is_some_and(|key| is_same(&self.arn, key)) {
            return Err(wrong("kms:Sign", &self.arn, "another key answered"));
        }
        let signature = answer.signature.map(Blob::into_inner).unwrap_or_default();
        if self.public.verify(message, &signature).is_none() {
            return Err(wrong("kms:Sign", &self.arn, "its signature does not verify"));
        }
        Ok(signature)
    }
}

impl Signer for AwsKmsKey {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignerError> {
        Ok(self.signature(message)?)
    }
}

async fn default_chain() -> SdkConfig {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc))
        .build_https();
    aws_config::defaults(BehaviorVersion::latest()).http_client(http).load().await
}

fn client(region: &str, endpoint: Option<&str>, shared: &SdkConfig) -> Client {
    let timeouts =
        TimeoutConfig::builder().connect_timeout(TIMEOUT).operation_attempt_timeout(TIMEOUT).build();
    let mut builder = aws_sdk_kms::config::Builder::from(shared)
        .region(Region::new(region.to_owned()))
        .timeout_config(timeouts)
        .retry_config(RetryConfig::standard().with_max_attempts(3));
    if let Some(endpoint) = endpoint {
        builder = builder.endpoint_url(endpoint);
    }
    Client::from_conf(builder.build())
}

/// How a key of a kind signs packets (`docs/formats/packet.md`).
fn algorithm(kind: KeyKind) -> SigningAlgorithmSpec {
    match kind {
        KeyKind::Ed25519 => SigningAlgorithmSpec::Ed25519Sha512,
        KeyKind::EcdsaP256 => SigningAlgorithmSpec::EcdsaSha256,
        KeyKind::EcdsaP384 => SigningAlgorithmSpec::EcdsaSha384,
        KeyKind::Rsa => SigningAlgorithmSpec::RsassaPkcs1V15Sha256,
    }
}

/// KMS answers with the ARN of the key, servers that stand in for it with the id alone.
fn is_same(arn: &str, answered: &str) -> bool {
    answered == arn || arn.rsplit_once("key/").is_some_and(|(_, id)| id == answered)
}

fn wrong(operation: &'static str, key: &str, reason: &str) -> SigningError {
    SigningError::InvalidAnswer { operation, key: key.to_owned(), reason: reason.to_owned() }
}

fn refused<E, R>(operation: &'static str, key: &str, error: &SdkError<E, R>) -> SigningError
where
    SdkError<E, R>: ProvideErrorMetadata,
    E: std::error::Error + 'static,
    R: fmt::Debug,
{
    match (error, error.code()) {
        (SdkError::ServiceError(_), code) => SigningError::Refused {
            operation,
            key: key.to_owned(),
            reason: format!(
                "{}: {}",
                code.unwrap_or("no error code"),
                error.message().unwrap_or("no message")
            ),
        },
        _ => SigningError::Unavailable { reason: chain(error) },
    }
}

/// An error with what caused it, on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}
