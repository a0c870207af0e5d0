//! AWS KMS (API reference: GenerateDataKey, Encrypt, Decrypt, ReEncrypt).

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_kms::Client;
use aws_sdk_kms::config::interceptors::BeforeDeserializationInterceptorContextMut;
use aws_sdk_kms::config::retry::RetryConfig;
use aws_sdk_kms::config::timeout::TimeoutConfig;
use aws_sdk_kms::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kms::operation::RequestId;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::DataKeySpec;
use aws_smithy_http_client::tls;
use aws_smithy_types::body::SdkBody;
use cadastre_keys::{
    Answer, AnswerFuture, DataKey, EncryptionContext, KEY_LENGTH, KeyError, KeyService, Secret, WrappedKey,
};
use http_body_util::Limited;

use crate::http::{CallLimits, Endpoint};

/// KMS's ciphertexts are at most 6,144 bytes (API reference, Decrypt).
const LONGEST_CIPHERTEXT: usize = 6144;
/// Longest pause between attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Which keys, and how they are reached. Credentials come from the SDK's default chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsKmsConfig {
    /// ARN of the key that new data keys are wrapped under. Not an alias: an alias can be moved by somebody else.
    pub key_arn: String,
    /// ARNs of keys that older data keys may be wrapped under.
    pub previous_key_arns: Vec<String>,
    /// Where KMS is, if not at the public endpoint of the key's region.
    pub endpoint: Option<Endpoint>,
    /// Bounds of calls.
    pub limits: CallLimits,
}

impl AwsKmsConfig {
    /// The region in an ARN of a key; refuses everything else.
    ///
    /// # Errors
    /// [`KeyError::Configuration`] about `property`.
    pub fn region_of(property: &str, arn: &str) -> Result<String, KeyError> {
        let parts: Vec<&str> = arn.split(':').collect();
        if let ["arn", partition, "kms", region, account, resource] = parts.as_slice()
            && partition.starts_with("aws")
            && !region.is_empty()
            && account.len() == 12
            && account.bytes().all(|byte| byte.is_ascii_digit())
            && resource.strip_prefix("key/").is_some_and(|id| !id.is_empty())
        {
            return Ok((*region).to_owned());
        }
        let reason = format!("`{arn}` is refused, expected `arn:aws:kms:REGION:ACCOUNT:key/ID` and no alias");
        Err(KeyError::Configuration { property: property.to_owned(), reason })
    }
}

/// Keys of AWS KMS. The context is KMS's encryption context, name by name, so that CloudTrail shows it.
pub struct AwsKms {
    config: AwsKmsConfig,
    client: Client,
}

impl fmt::Debug for AwsKms {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AwsKms").field("config", &self.config).finish_non_exhaustive()
    }
}

impl AwsKms {
    /// Makes a client; nothing is called yet.
    ///
    /// # Errors
    /// [`KeyError::Configuration`] for ARNs that are none, or that lie in different regions.
    pub async fn open(config: AwsKmsConfig) -> Result<Arc<Self>, KeyError> {
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc))
            .build_https();
        let shared = aws_config::defaults(BehaviorVersion::latest()).http_client(http).load().await;
        Self::with_sdk_config(config, &shared)
    }

    /// The same with credentials and HTTP client from `shared`; its region does not count.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn with_sdk_config(config: AwsKmsConfig, shared: &SdkConfig) -> Result<Arc<Self>, KeyError> {
        let region = AwsKmsConfig::region_of("cadastre.key.aws.kms.key.arn", &config.key_arn)?;
        let property = "cadastre.key.aws.kms.previous.key.arns";
        for arn in &config.previous_key_arns {
            let found = AwsKmsConfig::region_of(property, arn)?;
            if found != region {
                let reason = format!("`{arn}` lies in `{found}`, the current key in `{region}`");
                return Err(KeyError::Configuration { property: property.to_owned(), reason });
            }
        }
        let timeout = config.limits.timeout;
        let attempts = config.limits.attempts.max(1);
        let retries = RetryConfig::standard()
            .with_max_attempts(attempts)
            .with_initial_backoff(Duration::from_millis(100))
            .with_max_backoff(LONGEST_PAUSE);
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(timeout)
            .operation_attempt_timeout(timeout)
            .operation_timeout(timeout.saturating_add(LONGEST_PAUSE).saturating_mul(attempts))
            .build();
        let limit = ShortAnswers { maximum_bytes: config.limits.maximum_bytes };
        let mut builder = aws_sdk_kms::config::Builder::from(shared)
            .region(Region::new(region))
            .timeout_config(timeouts)
            .retry_config(retries)
            .interceptor(limit);
        if let Some(endpoint) = &config.endpoint {
            builder = builder.endpoint_url(endpoint.as_str());
        }
        Ok(Arc::new(Self { client: Client::from_conf(builder.build()), config }))
    }

    fn checked(&self, key_arn: Option<&str>, ciphertext: Option<Blob>) -> Result<WrappedKey, KeyError> {
        let invalid = |reason: &str| KeyError::InvalidAnswer {
            key_id: self.config.key_arn.clone(),
            reason: reason.to_owned(),
        };
        if key_arn != Some(self.config.key_arn.as_str()) {
            return Err(invalid("another key answered"));
        }
        let ciphertext = ciphertext.map(Blob::into_inner).unwrap_or_default();
        if ciphertext.is_empty() || ciphertext.len() > LONGEST_CIPHERTEXT {
            return Err(invalid("its ciphertext is empty or too long"));
        }
        Ok(WrappedKey { key_id: self.config.key_arn.clone(), ciphertext })
    }

    fn key(&self, plaintext: Option<Blob>) -> Result<Secret<[u8; KEY_LENGTH]>, KeyError> {
        let bytes = plaintext.map(Blob::into_inner).unwrap_or_default();
        Secret::key_from(bytes).ok_or_else(|| KeyError::InvalidAnswer {
            key_id: self.config.key_arn.clone(),
            reason: "its plaintext is not 32 bytes long".to_owned(),
        })
    }

    async fn generate(&self, context: &EncryptionContext) -> Answer<DataKey> {
        let sent = self
            .client
            .generate_data_key()
            .key_id(&self.config.key_arn)
            .key_spec(DataKeySpec::Aes256)
            .set_encryption_context(Some(pairs(context)))
            .send()
            .await;
        answer(&self.config.key_arn, sent, |output| {
            let plaintext = self.key(output.plaintext)?;
            let wrapped = self.checked(output.key_id.as_deref(), output.ciphertext_blob)?;
            Ok(DataKey { plaintext, wrapped })
        })
    }

    async fn encrypt(
        &self,
        key: &Secret<[u8; KEY_LENGTH]>,
        context: &EncryptionContext,
    ) -> Answer<WrappedKey> {
        let sent = self
            .client
            .encrypt()
            .key_id(&self.config.key_arn)
            .plaintext(Blob::new(*key.expose()))
            .set_encryption_context(Some(pairs(context)))
            .send()
            .await;
        answer(&self.config.key_arn, sent, |output| {
            self.checked(output.key_id.as_deref(), output.ciphertext_blob)
        })
    }

    async fn decrypt(
        &self,
        wrapped: &WrappedKey,
        context: &EncryptionContext,
    ) -> Answer<Secret<[u8; KEY_LENGTH]>> {
        // Naming the key makes KMS refuse a ciphertext of any other (API reference, Decrypt, KeyId).
        let sent = self
            .client
            .decrypt()
            .key_id(&wrapped.key_id)
            .ciphertext_blob(Blob::new(wrapped.ciphertext.clone()))
            .set_encryption_context(Some(pairs(context)))
            .send()
            .await;
        answer(&wrapped.key_id, sent, |output| {
            if output.key_id.as_deref() != Some(wrapped.key_id.as_str()) {
                let reason = "another key answered".to_owned();
                return Err(KeyError::InvalidAnswer { key_id: wrapped.key_id.clone(), reason });
            }
            self.key(output.plaintext)
        })
    }

    async fn relocate(&self, wrapped: &WrappedKey, context: &EncryptionContext) -> Answer<WrappedKey> {
        let sent = self
            .client
            .re_encrypt()
            .source_key_id(&wrapped.key_id)
            .destination_key_id(&self.config.key_arn)
            .ciphertext_blob(Blob::new(wrapped.ciphertext.clone()))
            .set_source_encryption_context(Some(pairs(context)))
            .set_destination_encryption_context(Some(pairs(context)))
            .send()
            .await;
        answer(&wrapped.key_id, sent, |output| self.checked(output.key_id.as_deref(), output.ciphertext_blob))
    }
}

impl KeyService for AwsKms {
    fn current_key(&self) -> &str {
        &self.config.key_arn
    }

    fn holds(&self, key_id: &str) -> bool {
        key_id == self.config.key_arn || self.config.previous_key_arns.iter().any(|arn| arn == key_id)
    }

    fn generate_key<'a>(&'a self, context: &'a EncryptionContext) -> AnswerFuture<'a, DataKey> {
        Box::pin(self.generate(context))
    }

    fn wrap_key<'a>(
        &'a self,
        key: &'a Secret<[u8; KEY_LENGTH]>,
        context: &'a EncryptionContext,
    ) -> AnswerFuture<'a, WrappedKey> {
        Box::pin(self.encrypt(key, context))
    }

    fn unwrap_key<'a>(
        &'a self,
        wrapped: &'a WrappedKey,
        context: &'a EncryptionContext,
    ) -> AnswerFuture<'a, Secret<[u8; KEY_LENGTH]>> {
        Box::pin(self.decrypt(wrapped, context))
    }

    fn rewrap_key<'a>(
        &'a self,
        wrapped: &'a WrappedKey,
        context: &'a EncryptionContext,
    ) -> AnswerFuture<'a, WrappedKey> {
        Box::pin(self.relocate(wrapped, context))
    }
}

fn pairs(context: &EncryptionContext) -> HashMap<String, String> {
    context.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The outcome with KMS's request id, for refusals too: CloudTrail records those as well.
fn answer<O: RequestId, E, T>(
    key_id: &str,
    sent: Result<O, SdkError<E>>,
    read: impl FnOnce(O) -> Result<T, KeyError>,
) -> Answer<T>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    SdkError<E>: RequestId,
{
    match sent {
        Ok(output) => {
            let request_id = output.request_id().map(str::to_owned);
            Answer { outcome: read(output), request_id }
        }
        Err(error) => {
            let request_id = error.request_id().map(str::to_owned);
            Answer { outcome: Err(classify(key_id, &error)), request_id }
        }
    }
}

/// What KMS's exceptions mean (API reference, each operation's errors, and "Common Errors").
fn classify<E: ProvideErrorMetadata + std::error::Error + 'static>(
    key_id: &str,
    error: &SdkError<E>,
) -> KeyError {
    let key_id = key_id.to_owned();
    let service = match error {
        SdkError::TimeoutError(_) => {
            return KeyError::Unavailable { reason: "no answer in time".to_owned() };
        }
        SdkError::ServiceError(service) => service,
        SdkError::ResponseError(response) => {
            let status = response.raw().status().as_u16();
            return by_status(key_id, status, format!("status {status}, and no KMS answer"));
        }
        other => return KeyError::Unavailable { reason: describe(other) },
    };
    let status = service.raw().status().as_u16();
    let code = service.err().code().unwrap_or_default();
    let message: String = service.err().message().unwrap_or_default().chars().take(300).collect();
    let reason = if message.is_empty() { code.to_owned() } else { format!("{code}: {message}") };
    match code {
        "DisabledException" => KeyError::Disabled { key_id },
        "KMSInvalidStateException" if message.contains("pending deletion") => {
            KeyError::PendingDeletion { key_id }
        }
        "KMSInvalidStateException" if message.contains("is disabled") => KeyError::Disabled { key_id },
        "KMSInvalidStateException" | "InvalidKeyUsageException" | "UnsupportedOperationException" => {
            KeyError::Unsuitable { key_id, reason }
        }
        // Decrypt's answer to a ciphertext in which no key of the caller is named.
        "AccessDeniedException" if message.contains("ciphertext refers to") => {
            KeyError::Unauthentic { key_id }
        }
        "AccessDeniedException"
        | "UnrecognizedClientException"
        | "InvalidSignatureException"
        | "InvalidClientTokenId"
        | "ExpiredTokenException"
        | "IncompleteSignature"
        | "MissingAuthenticationTokenException"
        | "InvalidGrantTokenException"
        | "NotAuthorized"
        | "OptInRequired" => KeyError::AccessDenied { key_id, reason },
        "NotFoundException" => KeyError::NotFound { key_id },
        "InvalidCiphertextException" | "IncorrectKeyException" => KeyError::Unauthentic { key_id },
        "ThrottlingException"
        | "LimitExceededException"
        | "RequestLimitExceeded"
        | "TooManyRequestsException" => KeyError::Throttled { reason },
        "KMSInternalException" | "KeyUnavailableException" | "DependencyTimeoutException" => {
            KeyError::Unavailable { reason }
        }
        _ => by_status(key_id, status, reason),
    }
}

fn by_status(key_id: String, status: u16, reason: String) -> KeyError {
    match status {
        429 => KeyError::Throttled { reason },
        401 | 403 => KeyError::AccessDenied { key_id, reason },
        500.. => KeyError::Unavailable { reason },
        _ => KeyError::InvalidAnswer { key_id, reason },
    }
}

fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text.chars().take(300).collect()
}

/// Ends the reading of an answer that is longer than any that KMS gives.
#[derive(Debug)]
struct ShortAnswers {
    maximum_bytes: usize,
}

impl Intercept for ShortAnswers {
    fn name(&self) -> &'static str {
        "ShortAnswers"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _runtime_components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), aws_sdk_kms::error::BoxError> {
        let body = context.response_mut().body_mut();
        let taken = std::mem::replace(body, SdkBody::taken());
        *body = SdkBody::from_body_1_x(Limited::new(taken, self.maximum_bytes));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(arn: &str, region: Option<&str>) {
        assert_eq!(AwsKmsConfig::region_of("p", arn).ok().as_deref(), region, "{arn}");
    }

    #[test]
    fn only_the_arn_of_a_key_is_taken() {
        check("arn:aws:kms:eu-central-1:111122223333:key/1234abcd", Some("eu-central-1"));
        check("arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/mrk-1", Some("us-gov-west-1"));
        check("arn:aws:kms:eu-central-1:111122223333:alias/app", None);
        check("arn:aws:s3:eu-central-1:111122223333:key/1", None);
        check("arn:aws:kms::111122223333:key/1", None);
        check("arn:aws:kms:eu-central-1:1111:key/1", None);
        check("1234abcd-12ab", None);
    }
}
