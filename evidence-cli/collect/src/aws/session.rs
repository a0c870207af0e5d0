//! The SDK's configuration: endpoint, retries, timeouts, and clients per region that share one connection pool.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_sdk_sts::config::interceptors::AfterDeserializationInterceptorContextRef;
use aws_sdk_sts::config::{ConfigBag, Credentials, Intercept, RuntimeComponents, SharedCredentialsProvider};
use aws_sdk_sts::error::BoxError;
use aws_smithy_http_client::tls;

use super::AwsTarget;

/// Attempts for one call, the first included.
const MAXIMUM_ATTEMPTS: u32 = 5;
/// Before the second attempt, doubling from there.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);
const CALL_TIMEOUT: Duration = Duration::from_secs(120);

/// Where a target without regions is asked.
const FALLBACK_REGION: &str = "us-east-1";

/// Credentials and configuration from which clients are made.
#[derive(Debug, Clone)]
pub(super) struct Session {
    config: SdkConfig,
    own_endpoint: bool,
    server_date: ServerDate,
}

impl Session {
    /// The session of the caller: static credentials if the target has any, the default chain otherwise.
    pub(super) async fn of_caller(target: &AwsTarget) -> Self {
        let region = target.regions.first().map_or(FALLBACK_REGION, String::as_str).to_owned();
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc))
            .build_https();
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new(region))
            .http_client(http)
            .retry_config(
                RetryConfig::adaptive()
                    .with_max_attempts(MAXIMUM_ATTEMPTS)
                    .with_initial_backoff(FIRST_PAUSE)
                    .with_max_backoff(LONGEST_PAUSE),
            )
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(CONNECT_TIMEOUT)
                    .operation_attempt_timeout(ATTEMPT_TIMEOUT)
                    .operation_timeout(CALL_TIMEOUT)
                    .build(),
            );
        if let Ok(name) = AppName::new("cadastre") {
            loader = loader.app_name(name);
        }
        if let Some(url) = &target.endpoint_url {
            loader = loader.endpoint_url(url);
        }
        if let Some(profile) = &target.profile {
            loader = loader.profile_name(profile);
        }
        if let Some(credentials) = &target.credentials {
            loader = loader.credentials_provider(credentials.clone());
        }
        Self {
            config: loader.load().await,
            own_endpoint: target.endpoint_url.is_some(),
            server_date: ServerDate::default(),
        }
    }

    /// The same configuration with other credentials.
    pub(super) fn with_credentials(&self, credentials: Credentials) -> Self {
        let config = self
            .config
            .to_builder()
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .build();
        Self { config, own_endpoint: self.own_endpoint, server_date: ServerDate::default() }
    }

    /// Where the credentials come from.
    pub(super) fn credentials(&self) -> Option<SharedCredentialsProvider> {
        self.config.credentials_provider()
    }

    /// The `Date` of the last answer of [`Session::sts`].
    pub(super) fn server_date(&self) -> Option<String> {
        self.server_date.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A client for the home region.
    pub(super) fn sts(&self) -> aws_sdk_sts::Client {
        let config = aws_sdk_sts::config::Builder::from(&self.config)
            .interceptor(WholeAnswer)
            .interceptor(self.server_date.clone())
            .build();
        aws_sdk_sts::Client::from_conf(config)
    }

    /// A client for the home region.
    pub(super) fn iam(&self) -> aws_sdk_iam::Client {
        aws_sdk_iam::Client::from_conf(
            aws_sdk_iam::config::Builder::from(&self.config).interceptor(WholeAnswer).build(),
        )
    }

    /// A client for the home region.
    pub(super) fn organizations(&self) -> aws_sdk_organizations::Client {
        aws_sdk_organizations::Client::new(&self.config)
    }

    /// A client for one region, or for the home region.
    pub(super) fn s3(&self, region: Option<&str>) -> aws_sdk_s3::Client {
        let mut builder = aws_sdk_s3::config::Builder::from(&self.config)
            .interceptor(WholeAnswer)
            // A private endpoint or an emulator rarely answers to a name with the bucket in front.
            .force_path_style(self.own_endpoint);
        if let Some(region) = region {
            builder = builder.region(Region::new(region.to_owned()));
        }
        aws_sdk_s3::Client::from_conf(builder.build())
    }

    /// A client for one region.
    pub(super) fn ec2(&self, region: &str) -> aws_sdk_ec2::Client {
        let region = Region::new(region.to_owned());
        aws_sdk_ec2::Client::from_conf(
            aws_sdk_ec2::config::Builder::from(&self.config).region(region).interceptor(WholeAnswer).build(),
        )
    }

    /// A client for one region.
    pub(super) fn kms(&self, region: &str) -> aws_sdk_kms::Client {
        aws_sdk_kms::Client::new(&self.in_region(region))
    }

    /// A client for one region.
    pub(super) fn cloudtrail(&self, region: &str) -> aws_sdk_cloudtrail::Client {
        aws_sdk_cloudtrail::Client::new(&self.in_region(region))
    }

    /// A client for one region.
    pub(super) fn logs(&self, region: &str) -> aws_sdk_cloudwatchlogs::Client {
        aws_sdk_cloudwatchlogs::Client::new(&self.in_region(region))
    }

    /// A client for one region.
    pub(super) fn events(&self, region: &str) -> aws_sdk_eventbridge::Client {
        aws_sdk_eventbridge::Client::new(&self.in_region(region))
    }

    fn in_region(&self, region: &str) -> SdkConfig {
        self.config.to_builder().region(Region::new(region.to_owned())).build()
    }
}

/// Remembers what time the service thinks it is.
#[derive(Debug, Clone, Default)]
struct ServerDate(Arc<Mutex<Option<String>>>);

impl Intercept for ServerDate {
    fn name(&self) -> &'static str {
        "ServerDate"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date").map(str::to_owned);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = date;
        Ok(())
    }
}

/// Refuses an XML answer that ends before its root element does: the SDK's parser reads such an answer as
/// one with fewer members.
#[derive(Debug)]
struct WholeAnswer;

/// An answer ended early.
#[derive(Debug, thiserror::Error)]
#[error("the answer ends inside element `{0}`")]
struct CutShortError(String);

impl Intercept for WholeAnswer {
    fn name(&self) -> &'static str {
        "WholeAnswer"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        if !response.status().is_success() {
            return Ok(());
        }
        match response.body().bytes().and_then(unclosed_root) {
            Some(root) => Err(CutShortError(root).into()),
            None => Ok(()),
        }
    }
}

/// The root element of an XML document that does not end with that element's end tag.
fn unclosed_root(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let mut rest = text.trim();
    while let Some(after) = rest.strip_prefix("<?").or_else(|| rest.strip_prefix("<!")) {
        rest = after.split_once('>').map_or("", |(_, rest)| rest).trim_start();
    }
    let after = rest.strip_prefix('<')?;
    let name: String = after.chars().take_while(|c| !c.is_whitespace() && *c != '>' && *c != '/').collect();
    let tag = after.split_once('>').map(|(tag, rest)| (tag.ends_with('/'), rest));
    let whole = match tag {
        Some((true, rest)) => rest.is_empty(),
        Some((false, _)) => rest.ends_with(&format!("</{name}>")),
        None => false,
    };
    (!whole).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(body: &str, expected: Option<&str>) {
        assert_eq!(unclosed_root(body.as_bytes()).as_deref(), expected, "{body}");
    }

    #[test]
    fn a_whole_answer_ends_with_its_root_element() {
        check("<?xml version=\"1.0\"?>\n<A xmlns=\"x\"><B/></A>\n", None);
        check("<A/>", None);
        check("<A x=\"1\"/>", None);
        check("{\"Policy\": \"<\"}", None);
        check("", None);
    }

    #[test]
    fn an_answer_that_ends_early_is_noticed() {
        check("<?xml version=\"1.0\"?><A><B></B>", Some("A"));
        check("<A><B>text", Some("A"));
        check("<A", Some("A"));
    }
}
