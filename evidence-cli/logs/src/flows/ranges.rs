//! The address ranges that clouds publish, from a file.

use std::borrow::Cow;
use std::path::Path;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::error::{LogsError, read_bounded};

/// The largest file that is read, in bytes.
const MAXIMUM_SIZE: u64 = 64 << 20;

/// Published ranges: AWS's `ip-ranges.json` or Azure's `ServiceTags_Public.json`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct CloudRanges {
    pub(crate) ranges: Vec<CloudRange>,
}

/// A range.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CloudRange {
    pub(crate) network: IpNet,
    /// `aws` or `azure`.
    pub(crate) cloud: Cow<'static, str>,
    /// `S3`, `Storage`; for what has no name of its own, `AMAZON` or `AzureCloud`.
    pub(crate) service: String,
    /// Empty for none.
    pub(crate) region: String,
}

impl CloudRange {
    /// Whether its service says more than which cloud.
    pub(crate) fn is_specific(&self) -> bool {
        !matches!(self.service.as_str(), "AMAZON" | "EC2" | "AzureCloud")
    }
}

/// AWS General Reference, "AWS IP address ranges", syntax; and Azure's service tags, "Download JSON files".
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Document {
    Aws {
        prefixes: Vec<AwsPrefix>,
        #[serde(default)]
        ipv6_prefixes: Vec<AwsPrefix>,
    },
    Azure {
        values: Vec<AzureTag>,
    },
}

#[derive(Debug, Deserialize)]
struct AwsPrefix {
    #[serde(alias = "ip_prefix", alias = "ipv6_prefix")]
    prefix: IpNet,
    region: String,
    service: String,
}

#[derive(Debug, Deserialize)]
struct AzureTag {
    name: String,
    properties: AzureProperties,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AzureProperties {
    #[serde(default)]
    region: String,
    address_prefixes: Vec<IpNet>,
}

impl CloudRanges {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, is too large, or is neither of the two.
    pub fn read(path: &Path) -> Result<Self, LogsError> {
        Self::parse(&read_bounded(path, MAXIMUM_SIZE)?, &path.display().to_string())
    }

    /// Parses a file's content; `path` is only named in errors.
    ///
    /// # Errors
    /// When it is neither of the two.
    pub fn parse(bytes: &[u8], path: &str) -> Result<Self, LogsError> {
        let document = serde_json::from_slice(bytes).map_err(|error| LogsError::Malformed {
            path: path.to_owned(),
            expected: "AWS's ip-ranges.json or Azure's ServiceTags_Public.json",
            problem: error.to_string(),
        })?;
        let ranges = match document {
            Document::Aws { prefixes, ipv6_prefixes } => prefixes
                .into_iter()
                .chain(ipv6_prefixes)
                .map(|prefix| CloudRange {
                    network: prefix.prefix.trunc(),
                    cloud: Cow::Borrowed("aws"),
                    service: prefix.service,
                    region: prefix.region,
                })
                .collect(),
            Document::Azure { values } => values
                .into_iter()
                .flat_map(|tag| {
                    // `Storage.WestEurope` is the service `Storage` in the region `westeurope`.
                    let service = tag.name.split('.').next().unwrap_or_default().to_owned();
                    let region = tag.properties.region;
                    tag.properties.address_prefixes.into_iter().map(move |network| CloudRange {
                        network: network.trunc(),
                        cloud: Cow::Borrowed("azure"),
                        service: service.clone(),
                        region: region.clone(),
                    })
                })
                .collect(),
        };
        Ok(Self { ranges })
    }

    /// The ranges of both.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.ranges.extend(other.ranges);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_clouds_ranges_are_read() {
        let aws = r#"{"syncToken":"1","prefixes":[{"ip_prefix":"52.219.0.0/17","region":"eu-central-1","service":"S3","network_border_group":"eu-central-1"}],
            "ipv6_prefixes":[{"ipv6_prefix":"2a05:d000::/25","region":"eu-central-1","service":"AMAZON","network_border_group":"x"}]}"#;
        let azure = r#"{"changeNumber":1,"cloud":"Public","values":[{"name":"Storage.WestEurope","id":"x","properties":{"region":"westeurope","addressPrefixes":["20.60.26.0/23"]}}]}"#;
        let both = CloudRanges::parse(aws.as_bytes(), "a")
            .unwrap()
            .and(CloudRanges::parse(azure.as_bytes(), "b").unwrap());
        let read: Vec<(String, &str, bool)> = both
            .ranges
            .iter()
            .map(|r| (r.network.to_string(), r.service.as_str(), r.is_specific()))
            .collect();
        assert_eq!(
            read,
            [
                ("52.219.0.0/17".to_owned(), "S3", true),
                ("2a05:d000::/25".to_owned(), "AMAZON", false),
                ("20.60.26.0/23".to_owned(), "Storage", true)
            ]
        );
        assert!(CloudRanges::parse(b"{}", "c").is_err());
    }
}
