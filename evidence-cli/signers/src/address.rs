//! How keys of services are written: `awskms:///ARN` and `azurekms://VAULT/NAME`.

use std::fmt;
use std::str::FromStr;

use crate::error::SigningError;

/// A key of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyAddress {
    /// A key of AWS KMS.
    AwsKms {
        /// Its ARN; not an alias, which somebody else can move.
        arn: String,
        /// The region in the ARN.
        region: String,
        /// Where KMS is, if not at the region's public endpoint.
        endpoint: Option<String>,
    },
    /// A key of Azure Key Vault or Managed HSM.
    AzureKeyVault {
        /// The vault's URL, without a slash at its end.
        vault: String,
        /// The key's name.
        name: String,
        /// The version; the newest when the key is opened, if there is none.
        version: Option<String>,
    },
}

const EXPECTED: &str = "write `awskms:///arn:aws:kms:REGION:ACCOUNT:key/ID` or `azurekms://VAULT.vault.azure.net/NAME[/VERSION]`";

impl KeyAddress {
    /// Whether a text means a key of a service rather than a file.
    #[must_use]
    pub fn is_address(text: &str) -> bool {
        text.starts_with("awskms://") || text.starts_with("azurekms://")
    }
}

impl FromStr for KeyAddress {
    type Err = SigningError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || SigningError::Address { address: text.to_owned(), expected: EXPECTED };
        if let Some((host, arn)) = text.strip_prefix("awskms://").and_then(|rest| rest.split_once('/')) {
            let region = region(arn).ok_or_else(refused)?.to_owned();
            let endpoint = if host.is_empty() { None } else { Some(origin(host).ok_or_else(refused)?) };
            return Ok(Self::AwsKms { arn: arn.to_owned(), region, endpoint });
        }
        let rest = text.strip_prefix("azurekms://").ok_or_else(refused)?;
        let parts: Vec<&str> = rest.split('/').collect();
        let (host, name, version) = match parts.as_slice() {
            [host, name] => (*host, *name, None),
            [host, name, version] => (*host, *name, Some(*version)),
            _ => return Err(refused()),
        };
        let is_plain = |text: &str| {
            !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        if !is_plain(name) || !version.is_none_or(is_plain) {
            return Err(refused());
        }
        let vault = origin(host).ok_or_else(refused)?;
        Ok(Self::AzureKeyVault { vault, name: name.to_owned(), version: version.map(str::to_owned) })
    }
}

/// The region of a key's ARN ("Actions, resources, and condition keys for AWS KMS").
fn region(arn: &str) -> Option<&str> {
    let parts: Vec<&str> = arn.split(':').collect();
    let ["arn", partition, "kms", region, account, resource] = parts.as_slice() else { return None };
    let is_key = resource.strip_prefix("key/").is_some_and(|id| {
        !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    });
    let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    (partition.starts_with("aws") && !region.is_empty() && is_account && is_key).then_some(*region)
}

/// The URL of a host: plain on this machine alone.
fn origin(host: &str) -> Option<String> {
    let (name, port) = host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port)));
    let is_name = !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'));
    if !is_name || port.is_some_and(|port| port.parse::<u16>().is_err()) {
        return None;
    }
    let scheme = if matches!(name, "localhost" | "127.0.0.1") { "http" } else { "https" };
    Some(format!("{scheme}://{host}"))
}

impl fmt::Display for KeyAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AwsKms { arn, .. } => f.write_str(arn),
            Self::AzureKeyVault { vault, name, version } => {
                write!(f, "{vault}/keys/{name}")?;
                version.as_ref().map_or(Ok(()), |version| write!(f, "/{version}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        let read = text.parse::<KeyAddress>();
        assert_eq!(read.as_ref().ok().map(ToString::to_string).as_deref(), expected, "{read:?}");
    }

    #[test]
    fn keys_of_both_services_are_understood_and_nothing_else() {
        check(&format!("awskms:///{ARN}"), Some(ARN));
        check(
            "azurekms://reviews.vault.azure.net/packets",
            Some("https://reviews.vault.azure.net/keys/packets"),
        );
        check("azurekms://127.0.0.1:9999/packets/0123", Some("http://127.0.0.1:9999/keys/packets/0123"));
        for refused in [
            "review.key",
            "awskms:///alias/packets",
            "awskms:///arn:aws:kms:eu-central-1:111122223333:alias/packets",
            "awskms:///arn:aws:kms::111122223333:key/1",
            "awskms:///arn:aws:s3:eu-central-1:111122223333:key/1",
            "azurekms://reviews.vault.azure.net",
            "azurekms://user@vault/packets",
            "azurekms://vault/../packets",
            "azurekms://vault:port/packets",
            "azurekms:///packets",
        ] {
            check(refused, None);
        }
    }

    #[test]
    fn an_endpoint_of_kms_is_plain_on_this_machine_alone() {
        let endpoint = |text: &str| match text.parse() {
            Ok(KeyAddress::AwsKms { endpoint, .. }) => endpoint,
            other => panic!("{other:?}"),
        };
        assert_eq!(endpoint(&format!("awskms:///{ARN}")), None);
        assert_eq!(endpoint(&format!("awskms://127.0.0.1:5000/{ARN}")).unwrap(), "http://127.0.0.1:5000");
        assert_eq!(endpoint(&format!("awskms://kms.example.com/{ARN}")).unwrap(), "https://kms.example.com");
    }
}
