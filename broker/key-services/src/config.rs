//! The broker's properties about keys, in Kafka's style.

use std::path::{Path, PathBuf};
use std::time::Duration;

use cadastre_keys::{KeyCacheConfig, KeyError, LedgerMode, TopicKeys};

use crate::aws_kms::AwsKmsConfig;
use crate::azure_key_vault::{AzureAlgorithm, AzureKeyVaultConfig};
use crate::azure_token::AzureCredential;
use crate::http::{CallLimits, Endpoint, Trust};
use crate::secret_file::SecretFile;
use crate::vault_transit::VaultTransitConfig;

/// Every property that [`KeyProviderConfig::parse`] reads.
pub const PROPERTY_NAMES: [&str; 32] = [
    "cadastre.key.aws.kms.endpoint",
    "cadastre.key.aws.kms.key.arn",
    "cadastre.key.aws.kms.previous.key.arns",
    "cadastre.key.azure.algorithm",
    "cadastre.key.azure.authority",
    "cadastre.key.azure.client.id",
    "cadastre.key.azure.client.secret.file",
    "cadastre.key.azure.credential",
    "cadastre.key.azure.federated.token.file",
    "cadastre.key.azure.identity.endpoint",
    "cadastre.key.azure.key.url",
    "cadastre.key.azure.tenant.id",
    "cadastre.key.azure.token.file",
    "cadastre.key.cache.capacity",
    "cadastre.key.cache.ttl.ms",
    "cadastre.key.call.attempts",
    "cadastre.key.call.timeout.ms",
    "cadastre.key.file",
    "cadastre.key.ledger.directory",
    "cadastre.key.ledger.fail.closed",
    "cadastre.key.ledger.file.bytes",
    "cadastre.key.ledger.files",
    "cadastre.key.ledger.signing.key.file",
    "cadastre.key.previous.files",
    "cadastre.key.provider",
    "cadastre.key.tls.ca.file",
    "cadastre.key.topic.keys",
    "cadastre.key.vault.address",
    "cadastre.key.vault.key.name",
    "cadastre.key.vault.mount",
    "cadastre.key.vault.namespace",
    "cadastre.key.vault.token.file",
];

/// The services there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyServiceKind {
    /// `local-file`.
    LocalFile,
    /// `aws-kms`.
    AwsKms,
    /// `azure-key-vault`.
    AzureKeyVault,
    /// `vault-transit`.
    VaultTransit,
}

impl KeyServiceKind {
    /// The name in properties and manifests.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::LocalFile => "local-file",
            Self::AwsKms => "aws-kms",
            Self::AzureKeyVault => "azure-key-vault",
            Self::VaultTransit => "vault-transit",
        }
    }
}

/// Where and how uses of keys are recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerConfig {
    /// The ledger's own directory.
    pub directory: PathBuf,
    /// What happens to keys whose use cannot be recorded.
    pub mode: LedgerMode,
    /// A file is ended before it would grow beyond this, in bytes.
    pub maximum_file_bytes: u64,
    /// Older files are removed beyond this number.
    pub maximum_files: usize,
    /// Ed25519 key that signs heads and receipts, PKCS#8 in DER.
    pub signing_key: Option<PathBuf>,
}

/// Everything about keys. Every service that has settings can unwrap what it wrapped before; `kind` wraps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyProviderConfig {
    /// What wraps new keys.
    pub kind: KeyServiceKind,
    /// The key file; always there for `local-file`, for others only if it is named.
    pub local_file: Option<PathBuf>,
    /// Key files from before.
    pub previous_files: Vec<PathBuf>,
    /// AWS KMS.
    pub aws: Option<AwsKmsConfig>,
    /// Azure Key Vault.
    pub azure: Option<AzureKeyVaultConfig>,
    /// Vault or OpenBao.
    pub vault: Option<VaultTransitConfig>,
    /// The ledger.
    pub ledger: LedgerConfig,
    /// Leases.
    pub cache: KeyCacheConfig,
    /// Which topics have keys of their own.
    pub topic_keys: TopicKeys,
}

/// Looks up properties by name.
struct Reader<'a> {
    get: &'a dyn Fn(&str) -> Option<String>,
}

impl KeyProviderConfig {
    /// Reads the properties that `get` knows. Paths that are not given lie in `directory`, the broker's log directory.
    ///
    /// # Errors
    /// [`KeyError::Configuration`] names the property that is missing or wrong.
    pub fn parse(get: &dyn Fn(&str) -> Option<String>, directory: &Path) -> Result<Self, KeyError> {
        let reader = Reader { get };
        let property = "cadastre.key.provider";
        let kind = match reader.text(property).as_deref() {
            None | Some("local-file") => KeyServiceKind::LocalFile,
            Some("aws-kms") => KeyServiceKind::AwsKms,
            Some("azure-key-vault") => KeyServiceKind::AzureKeyVault,
            Some("vault-transit") => KeyServiceKind::VaultTransit,
            Some(other) => {
                let expected = "expected local-file, aws-kms, azure-key-vault or vault-transit";
                return Err(refuse(property, &format!("`{other}` is refused, {expected}")));
            }
        };
        let limits = reader.limits()?;
        let trust = reader.path("cadastre.key.tls.ca.file").map_or(Trust::System, Trust::Authorities);
        let local_file = reader
            .path("cadastre.key.file")
            .or_else(|| (kind == KeyServiceKind::LocalFile).then(|| directory.join("key-encryption.key")));
        let config = Self {
            kind,
            local_file,
            previous_files: reader
                .list("cadastre.key.previous.files")
                .into_iter()
                .map(PathBuf::from)
                .collect(),
            aws: reader.aws(limits)?,
            azure: reader.azure(limits, &trust)?,
            vault: reader.vault(limits, &trust)?,
            ledger: reader.ledger(directory)?,
            cache: reader.cache()?,
            topic_keys: match reader.text("cadastre.key.topic.keys").as_deref() {
                None | Some("own") => TopicKeys::Own,
                Some("shared") => TopicKeys::Shared,
                Some(_) => return Err(refuse("cadastre.key.topic.keys", "expected own or shared")),
            },
        };
        let missing = match kind {
            KeyServiceKind::AwsKms if config.aws.is_none() => "cadastre.key.aws.kms.key.arn",
            KeyServiceKind::AzureKeyVault if config.azure.is_none() => "cadastre.key.azure.key.url",
            KeyServiceKind::VaultTransit if config.vault.is_none() => "cadastre.key.vault.address",
            _ => return Ok(config),
        };
        Err(refuse(missing, &format!("expected a value, since cadastre.key.provider={}", kind.name())))
    }
}

fn refuse(property: &str, reason: &str) -> KeyError {
    KeyError::Configuration { property: property.to_owned(), reason: reason.to_owned() }
}

impl Reader<'_> {
    fn text(&self, name: &str) -> Option<String> {
        (self.get)(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    fn required(&self, name: &str) -> Result<String, KeyError> {
        self.text(name).ok_or_else(|| refuse(name, "expected a value"))
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        self.text(name).map(PathBuf::from)
    }

    fn list(&self, name: &str) -> Vec<String> {
        let text = self.text(name).unwrap_or_default();
        text.split(',').map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect()
    }

    fn number(
        &self,
        name: &str,
        default: u64,
        range: std::ops::RangeInclusive<u64>,
    ) -> Result<u64, KeyError> {
        let Some(text) = self.text(name) else { return Ok(default) };
        let number = text.parse().ok().filter(|number| range.contains(number));
        let (low, high) = (range.start(), range.end());
        number.ok_or_else(|| refuse(name, &format!("`{text}` is refused, expected {low} to {high}")))
    }

    fn flag(&self, name: &str, default: bool) -> Result<bool, KeyError> {
        match self.text(name).map(|text| text.to_ascii_lowercase()).as_deref() {
            None => Ok(default),
            Some("true") => Ok(true),
            Some("false") => Ok(false),
            Some(_) => Err(refuse(name, "expected true or false")),
        }
    }

    fn limits(&self) -> Result<CallLimits, KeyError> {
        let timeout = self.number("cadastre.key.call.timeout.ms", 5000, 10..=60_000)?;
        let attempts = self.number("cadastre.key.call.attempts", 3, 1..=10)?;
        Ok(CallLimits {
            timeout: Duration::from_millis(timeout),
            attempts: u32::try_from(attempts).unwrap_or(1),
            ..CallLimits::default()
        })
    }

    fn cache(&self) -> Result<KeyCacheConfig, KeyError> {
        let ttl = self.number("cadastre.key.cache.ttl.ms", 300_000, 1000..=86_400_000)?;
        let capacity = self.number("cadastre.key.cache.capacity", 10_000, 1..=10_000_000)?;
        Ok(KeyCacheConfig {
            ttl: Duration::from_millis(ttl),
            capacity: usize::try_from(capacity).unwrap_or(usize::MAX),
            ..KeyCacheConfig::default()
        })
    }

    fn ledger(&self, directory: &Path) -> Result<LedgerConfig, KeyError> {
        let fail_closed = self.flag("cadastre.key.ledger.fail.closed", true)?;
        let files = self.number("cadastre.key.ledger.files", 64, 2..=100_000)?;
        Ok(LedgerConfig {
            directory: self
                .path("cadastre.key.ledger.directory")
                .unwrap_or_else(|| directory.join("key-ledger")),
            mode: if fail_closed { LedgerMode::FailClosed } else { LedgerMode::FailOpen },
            maximum_file_bytes: self.number("cadastre.key.ledger.file.bytes", 16 << 20, 65_536..=1 << 40)?,
            maximum_files: usize::try_from(files).unwrap_or(usize::MAX),
            signing_key: self.path("cadastre.key.ledger.signing.key.file"),
        })
    }

    fn aws(&self, limits: CallLimits) -> Result<Option<AwsKmsConfig>, KeyError> {
        let property = "cadastre.key.aws.kms.key.arn";
        let Some(key_arn) = self.text(property) else { return Ok(None) };
        AwsKmsConfig::region_of(property, &key_arn)?;
        let endpoint = "cadastre.key.aws.kms.endpoint";
        let endpoint = self.text(endpoint).map(|url| Endpoint::parse(endpoint, &url)).transpose()?;
        let previous_key_arns = self.list("cadastre.key.aws.kms.previous.key.arns");
        Ok(Some(AwsKmsConfig { key_arn, previous_key_arns, endpoint, limits }))
    }

    fn vault(&self, limits: CallLimits, trust: &Trust) -> Result<Option<VaultTransitConfig>, KeyError> {
        let property = "cadastre.key.vault.address";
        let Some(address) = self.text(property) else { return Ok(None) };
        Ok(Some(VaultTransitConfig {
            address: Endpoint::parse(property, &address)?,
            mount: self.text("cadastre.key.vault.mount").unwrap_or_else(|| "transit".to_owned()),
            key_name: self.required("cadastre.key.vault.key.name")?,
            namespace: self.text("cadastre.key.vault.namespace"),
            token: SecretFile::new(self.required("cadastre.key.vault.token.file")?),
            limits,
            trust: trust.clone(),
        }))
    }

    fn azure(&self, limits: CallLimits, trust: &Trust) -> Result<Option<AzureKeyVaultConfig>, KeyError> {
        let property = "cadastre.key.azure.key.url";
        let Some(key_url) = self.text(property) else { return Ok(None) };
        let algorithm = match self.text("cadastre.key.azure.algorithm").as_deref() {
            None | Some("RSA-OAEP-256") => AzureAlgorithm::RsaOaep256,
            Some("A256KW") => AzureAlgorithm::A256Kw,
            Some(_) => return Err(refuse("cadastre.key.azure.algorithm", "expected RSA-OAEP-256 or A256KW")),
        };
        Ok(Some(AzureKeyVaultConfig {
            key_url: Endpoint::parse(property, &key_url)?,
            algorithm,
            credential: self.azure_credential()?,
            limits,
            trust: trust.clone(),
        }))
    }

    fn azure_credential(&self) -> Result<AzureCredential, KeyError> {
        let property = "cadastre.key.azure.credential";
        let endpoint = |name: &str, default: &str| {
            Endpoint::parse(name, &self.text(name).unwrap_or_else(|| default.to_owned()))
        };
        let authority = || endpoint("cadastre.key.azure.authority", "https://login.microsoftonline.com");
        let tenant_id = || {
            let tenant_id = self.required("cadastre.key.azure.tenant.id")?;
            let plain = tenant_id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
            let wrong = || refuse("cadastre.key.azure.tenant.id", "expected an id or a domain");
            plain.then_some(tenant_id).ok_or_else(wrong)
        };
        let client_id = || self.required("cadastre.key.azure.client.id");
        match self.text(property).as_deref() {
            None | Some("managed-identity") => Ok(AzureCredential::ManagedIdentity {
                endpoint: endpoint("cadastre.key.azure.identity.endpoint", "http://169.254.169.254")?,
                client_id: self.text("cadastre.key.azure.client.id"),
            }),
            Some("client-secret") => Ok(AzureCredential::ClientSecret {
                authority: authority()?,
                tenant_id: tenant_id()?,
                client_id: client_id()?,
                secret: SecretFile::new(self.required("cadastre.key.azure.client.secret.file")?),
            }),
            Some("federated-token") => Ok(AzureCredential::FederatedToken {
                authority: authority()?,
                tenant_id: tenant_id()?,
                client_id: client_id()?,
                token: SecretFile::new(self.required("cadastre.key.azure.federated.token.file")?),
            }),
            Some("token-file") => {
                let file = self.required("cadastre.key.azure.token.file")?;
                Ok(AzureCredential::TokenFile(SecretFile::new(file)))
            }
            Some(_) => {
                let expected = "expected managed-identity, client-secret, federated-token or token-file";
                Err(refuse(property, expected))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn parse(lines: &[&str]) -> Result<KeyProviderConfig, KeyError> {
        let properties: BTreeMap<String, String> = lines
            .iter()
            .map(|line| line.split_once('=').unwrap())
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        for name in properties.keys() {
            assert!(PROPERTY_NAMES.contains(&name.as_str()), "{name} is not listed");
        }
        KeyProviderConfig::parse(&|name| properties.get(name).cloned(), Path::new("/data"))
    }

    #[track_caller]
    fn check_refused(lines: &[&str], property: &str) {
        let refused = parse(lines).unwrap_err();
        assert!(
            matches!(&refused, KeyError::Configuration { property: named, .. } if named == property),
            "{refused}"
        );
    }

    const ARN: &str = "cadastre.key.aws.kms.key.arn=arn:aws:kms:eu-central-1:111122223333:key/1";

    #[test]
    fn without_properties_the_key_is_a_file_in_the_log_directory() {
        let config = parse(&[]).unwrap();
        assert_eq!(config.kind, KeyServiceKind::LocalFile);
        assert_eq!(config.local_file, Some(PathBuf::from("/data/key-encryption.key")));
        assert_eq!(config.ledger.directory, PathBuf::from("/data/key-ledger"));
        assert_eq!(config.ledger.mode, LedgerMode::FailClosed);
        assert_eq!(config.cache.ttl, Duration::from_secs(300));
    }

    #[test]
    fn a_key_file_that_is_named_beside_a_service_is_there_to_unwrap() {
        let config = parse(&["cadastre.key.provider=aws-kms", ARN, "cadastre.key.file=/keys/old"]).unwrap();
        assert_eq!(config.kind, KeyServiceKind::AwsKms);
        assert_eq!(config.local_file, Some(PathBuf::from("/keys/old")));
        let config = parse(&["cadastre.key.provider=aws-kms", ARN]).unwrap();
        assert_eq!(config.local_file, None);
    }

    #[test]
    fn each_service_is_read() {
        let config = parse(&[
            "cadastre.key.provider=vault-transit",
            "cadastre.key.vault.address=https://vault.example.com:8200",
            "cadastre.key.vault.key.name=cadastre",
            "cadastre.key.vault.token.file=/run/token",
            "cadastre.key.azure.key.url=https://example.vault.azure.net/keys/cadastre",
            "cadastre.key.azure.credential=federated-token",
            "cadastre.key.azure.tenant.id=00000000-0000-0000-0000-000000000000",
            "cadastre.key.azure.client.id=11111111-1111-1111-1111-111111111111",
            "cadastre.key.azure.federated.token.file=/run/federated",
            ARN,
            "cadastre.key.call.timeout.ms=250",
        ])
        .unwrap();
        assert_eq!(config.vault.unwrap().mount, "transit");
        assert_eq!(config.azure.unwrap().limits.timeout, Duration::from_millis(250));
        assert!(config.aws.is_some());
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        check_refused(&["cadastre.key.provider=pkcs11"], "cadastre.key.provider");
        check_refused(&["cadastre.key.provider=aws-kms"], "cadastre.key.aws.kms.key.arn");
        check_refused(&["cadastre.key.provider=azure-key-vault"], "cadastre.key.azure.key.url");
        check_refused(&["cadastre.key.provider=vault-transit"], "cadastre.key.vault.address");
        check_refused(&["cadastre.key.aws.kms.key.arn=alias/app"], "cadastre.key.aws.kms.key.arn");
        let plain = "cadastre.key.aws.kms.endpoint=http://kms.example.com";
        check_refused(&[ARN, plain], "cadastre.key.aws.kms.endpoint");
        check_refused(&["cadastre.key.vault.address=https://v"], "cadastre.key.vault.key.name");
        check_refused(&["cadastre.key.cache.ttl.ms=0"], "cadastre.key.cache.ttl.ms");
        check_refused(&["cadastre.key.call.attempts=99"], "cadastre.key.call.attempts");
        check_refused(&["cadastre.key.ledger.fail.closed=maybe"], "cadastre.key.ledger.fail.closed");
        check_refused(&["cadastre.key.topic.keys=some"], "cadastre.key.topic.keys");
    }
}
