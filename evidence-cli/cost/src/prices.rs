//! The price file: dated, with the titles of the pages it rests on, replaced by its user.

use std::path::Path;

use cadastre_model::cost::PriceSource;
use cadastre_model::yaml::{self, YamlFileError};
use serde::Deserialize;

use crate::amount::Amount;

/// The format that is read.
pub(crate) const SCHEMA: &str = "cadastre/prices/v1";

/// The largest file that is read, in bytes.
const MAXIMUM_SIZE: u64 = 1 << 20;

/// Prices of one currency for one day.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Prices {
    schema: String,
    name: String,
    as_of: String,
    #[serde(default)]
    is_example: bool,
    pub(crate) currency: String,
    #[serde(default)]
    sources: Vec<String>,
    pub(crate) prices: PriceList,
}

/// What each unit costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct PriceList {
    /// One broker for an hour.
    pub(crate) broker_hour: Amount,
    /// The sequencer's database for an hour, its standby included.
    pub(crate) sequencer_hour: Amount,
    /// A GiB of a broker's disk for a month.
    pub(crate) disk_gibibyte_month: Amount,
    /// A GiB of objects for a month.
    pub(crate) object_gibibyte_month: Amount,
    /// A thousand requests that write an object.
    pub(crate) object_write_thousand: Amount,
    /// A thousand requests that read an object.
    pub(crate) object_read_thousand: Amount,
    /// A key for a month.
    pub(crate) key_month: Amount,
    /// Ten thousand requests to the key service.
    pub(crate) key_request_ten_thousand: Amount,
    /// A GiB from one zone into another, both directions' charges together.
    pub(crate) cross_zone_gibibyte: Amount,
    /// A private endpoint in one zone for an hour.
    pub(crate) endpoint_hour: Amount,
    /// Address translation, or an attachment to a transit gateway, in one zone for an hour.
    pub(crate) gateway_hour: Amount,
    /// A hundred thousand data events on the trail.
    pub(crate) audit_hundred_thousand_events: Amount,
}

/// Why a price file was refused.
#[derive(Debug, thiserror::Error)]
pub enum PricesError {
    /// The file cannot be read, or is no price file.
    #[error(transparent)]
    File(#[from] YamlFileError),
    /// Another format, no day, or no source.
    #[error("{path}: {message}")]
    Inconsistent {
        /// The file.
        path: String,
        /// What is wrong.
        message: String,
    },
}

impl Prices {
    /// The example that comes with the program. No control passes on it.
    ///
    /// # Errors
    /// When the compiled-in file is malformed, which the tests rule out.
    pub fn example() -> Result<Self, PricesError> {
        Self::parse(include_str!("../../../policies/prices/example.yaml"), "policies/prices/example.yaml")
    }

    /// Reads a file.
    ///
    /// # Errors
    /// See [`PricesError`].
    pub fn read(path: &Path) -> Result<Self, PricesError> {
        Self::parse(&yaml::read_text(path, MAXIMUM_SIZE)?, &path.display().to_string())
    }

    /// Parses text; `path` is only named in errors.
    ///
    /// # Errors
    /// See [`PricesError`].
    pub fn parse(text: &str, path: &str) -> Result<Self, PricesError> {
        let prices: Self = yaml::parse_file(text, path)?;
        let wrong = |message: String| Err(PricesError::Inconsistent { path: path.to_owned(), message });
        if prices.schema != SCHEMA {
            return wrong(format!("schema is `{}`, and this version reads `{SCHEMA}`", prices.schema));
        }
        if format!("{}T00:00:00Z", prices.as_of).parse::<cadastre_model::Timestamp>().is_err() {
            return wrong(format!("`{}` is no day like 2026-11-22", prices.as_of));
        }
        if prices.sources.is_empty() {
            return wrong("`sources` names no page or contract that the prices come from".to_owned());
        }
        Ok(prices)
    }

    pub(crate) fn source(&self) -> PriceSource {
        PriceSource {
            name: self.name.clone(),
            as_of: self.as_of.clone(),
            is_example: self.is_example,
            sources: self.sources.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = include_str!("../../../policies/prices/example.yaml");

    #[track_caller]
    fn refused(from: &str, to: &str, expected: &str) {
        let text = EXAMPLE.replacen(from, to, 1);
        assert_ne!(text, EXAMPLE);
        let error = Prices::parse(&text, "prices.yaml").unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn the_example_reads_and_says_that_it_is_one() {
        assert!(Prices::example().unwrap().source().is_example);
    }

    #[test]
    fn a_price_that_is_missing_misspelt_or_no_decimal_is_refused_by_line() {
        refused("broker-hour:", "broker-our:", "unknown field `broker-our`");
        refused("\"0.0816\"", "\"cheap\"", "`cheap` is no amount");
        refused("  key-month: \"1.00\"\n", "", "missing field `key-month`");
        refused("prices/v1", "prices/v9", "schema is `cadastre/prices/v9`");
        refused("as-of: 2026-11-22", "as-of: yesterday", "`yesterday` is no day");
    }

    #[test]
    fn prices_without_a_source_are_refused() {
        let at = EXAMPLE.find("sources:").unwrap();
        let to = EXAMPLE.find("prices:\n").unwrap();
        let text = format!("{}{}", &EXAMPLE[..at], &EXAMPLE[to..]);
        assert!(Prices::parse(&text, "p").unwrap_err().to_string().contains("names no page"));
    }
}
