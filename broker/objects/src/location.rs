//! Where an object store is: a directory or a bucket, written as a URL.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ClientOptions, ObjectStore, RetryConfig};
use url::Url;

use crate::error::StoreError;
use crate::store::Store;
use crate::store_settings::StoreSettings;

/// A store's URL and the options of its client: `file:///directory`, `s3://bucket/prefix`,
/// `az://container/prefix`, `gs://bucket/prefix`, `memory:///`.
///
/// Options bear `object_store`'s names (`aws_endpoint`, `azure_storage_account_name`, …); what is absent comes from
/// the environment, as the clouds' own tools take it. Options may hold credentials and are not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct StoreLocation {
    url: Url,
    options: BTreeMap<String, String>,
}

impl StoreLocation {
    /// Reads a URL.
    ///
    /// # Errors
    /// [`StoreError::Location`] for what is no URL, or carries a user or password.
    pub fn parse(location: &str, options: BTreeMap<String, String>) -> Result<Self, StoreError> {
        let refused = |reason: String| StoreError::Location { location: location.to_owned(), reason };
        let url = Url::parse(location).map_err(|error| refused(error.to_string()))?;
        if !url.username().is_empty() || url.password().is_some() {
            // The location is shown in errors and in the broker's description of itself.
            let reason = "credentials do not belong into the location".to_owned();
            return Err(StoreError::Location { location: url.scheme().to_owned(), reason });
        }
        Ok(Self { url, options })
    }

    /// A directory; it must exist.
    ///
    /// # Errors
    /// [`StoreError::Location`] for a path that is not absolute.
    pub fn directory(path: &std::path::Path) -> Result<Self, StoreError> {
        let url = Url::from_directory_path(path).map_err(|()| StoreError::Location {
            location: path.display().to_string(),
            reason: "expected an absolute path".to_owned(),
        })?;
        Ok(Self { url, options: BTreeMap::new() })
    }

    /// The kind of store: `file`, `s3`, `az`, `gs` or `memory`.
    #[must_use]
    pub fn scheme(&self) -> &str {
        self.url.scheme()
    }

    /// Makes a client. Nothing is asked of the store yet.
    ///
    /// # Errors
    /// [`StoreError::Location`] for unknown schemes and options, and what the client refuses.
    pub fn open(&self, settings: StoreSettings) -> Result<Store, StoreError> {
        let bucket = self.url.host_str().unwrap_or_default();
        let (inner, prefix): (Arc<dyn ObjectStore>, Path) = match self.url.scheme() {
            "file" => (self.open_directory()?, Path::default()),
            "memory" => (Arc::new(InMemory::new()), self.prefix()?),
            "s3" => (self.open_s3(bucket, &settings)?, self.prefix()?),
            "az" => (self.open_azure(bucket, &settings)?, self.prefix()?),
            "gs" => (self.open_google(bucket, &settings)?, self.prefix()?),
            other => {
                let reason = format!("scheme `{other}` is none of file, s3, az, gs, memory");
                return Err(self.refused(reason));
            }
        };
        let inner = if prefix.as_ref().is_empty() {
            inner
        } else {
            Arc::new(PrefixStore::new(inner, prefix)) as Arc<dyn ObjectStore>
        };
        Ok(Store::new(inner, self.url.as_str(), settings))
    }

    fn prefix(&self) -> Result<Path, StoreError> {
        Path::from_url_path(self.url.path()).map_err(|error| self.refused(error.to_string()))
    }

    fn open_directory(&self) -> Result<Arc<dyn ObjectStore>, StoreError> {
        let path = self
            .url
            .to_file_path()
            .map_err(|()| self.refused("expected the path of a directory".to_owned()))?;
        let files =
            LocalFileSystem::new_with_prefix(path).map_err(|error| self.refused(error.to_string()))?;
        // A reference to an object is durable right after the object: so must the object be before.
        Ok(Arc::new(files.with_fsync(true).with_automatic_cleanup(false)))
    }

    fn open_s3(&self, bucket: &str, settings: &StoreSettings) -> Result<Arc<dyn ObjectStore>, StoreError> {
        let mut builder =
            AmazonS3Builder::from_env().with_bucket_name(bucket).with_client_options(client(settings));
        for (name, value) in &self.options {
            let key: AmazonS3ConfigKey =
                name.parse().map_err(|_unknown: object_store::Error| self.unknown_option(name))?;
            builder = builder.with_config(key, value);
        }
        let built = builder.with_retry(no_retries()).build();
        Ok(Arc::new(built.map_err(|error| self.refused(error.to_string()))?))
    }

    fn open_azure(
        &self,
        container: &str,
        settings: &StoreSettings,
    ) -> Result<Arc<dyn ObjectStore>, StoreError> {
        let mut builder = MicrosoftAzureBuilder::from_env()
            .with_container_name(container)
            .with_client_options(client(settings));
        for (name, value) in &self.options {
            let key: AzureConfigKey =
                name.parse().map_err(|_unknown: object_store::Error| self.unknown_option(name))?;
            builder = builder.with_config(key, value);
        }
        let built = builder.with_retry(no_retries()).build();
        Ok(Arc::new(built.map_err(|error| self.refused(error.to_string()))?))
    }

    fn open_google(
        &self,
        bucket: &str,
        settings: &StoreSettings,
    ) -> Result<Arc<dyn ObjectStore>, StoreError> {
        let mut builder = GoogleCloudStorageBuilder::from_env()
            .with_bucket_name(bucket)
            .with_client_options(client(settings));
        for (name, value) in &self.options {
            let key: GoogleConfigKey =
                name.parse().map_err(|_unknown: object_store::Error| self.unknown_option(name))?;
            builder = builder.with_config(key, value);
        }
        let built = builder.with_retry(no_retries()).build();
        Ok(Arc::new(built.map_err(|error| self.refused(error.to_string()))?))
    }

    fn unknown_option(&self, name: &str) -> StoreError {
        self.refused(format!("option `{name}` is unknown"))
    }

    fn refused(&self, reason: String) -> StoreError {
        StoreError::Location { location: self.url.to_string(), reason }
    }
}

/// Attempts are counted and bounded in one place, [`Store`].
fn no_retries() -> RetryConfig {
    RetryConfig { max_retries: 0, ..RetryConfig::default() }
}

fn client(settings: &StoreSettings) -> ClientOptions {
    ClientOptions::new()
        .with_timeout(settings.request_timeout)
        .with_connect_timeout(settings.request_timeout.min(Duration::from_secs(5)))
}

impl fmt::Display for StoreLocation {
    /// The URL; options may hold credentials and are not shown.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.url.as_str())
    }
}

impl fmt::Debug for StoreLocation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.options.keys().collect();
        formatter
            .debug_struct("StoreLocation")
            .field("url", &self.url.as_str())
            .field("options", &names)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_refused(location: &str, options: &[(&str, &str)], expected: &str) {
        let options = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let error = StoreLocation::parse(location, options.collect())
            .and_then(|it| it.open(StoreSettings::default()))
            .unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }

    #[test]
    fn locations_that_cannot_be_used_are_refused_with_the_reason() {
        check_refused("nowhere", &[], "relative URL");
        check_refused("ftp://host/x", &[], "scheme `ftp`");
        check_refused("s3://bucket", &[("aws_endpint", "x")], "option `aws_endpint` is unknown");
        check_refused("file:///does/not/exist", &[], "file:///does/not/exist");
    }

    #[test]
    fn credentials_in_a_location_are_refused_and_not_repeated() {
        let error = StoreLocation::parse("s3://key:secret@bucket", BTreeMap::new()).unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
    }

    #[test]
    fn options_do_not_show_in_debug_output() {
        let options = BTreeMap::from([("aws_secret_access_key".to_owned(), "hunter2".to_owned())]);
        let location = StoreLocation::parse("s3://bucket/prefix", options).unwrap();
        assert!(!format!("{location:?}").contains("hunter2"));
    }
}
