//! What was decided about differences: a file that people write.

use std::path::Path;

use anyhow::Context;
use serde::Deserialize;

use crate::compare::Difference;
use crate::pair::Case;

/// Why a difference is as it is, and what shall come of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Decision {
    /// The APIs, without `Request`; any when empty.
    #[serde(default)]
    apis: Vec<String>,
    /// What the case's name begins with; any when absent.
    #[serde(default)]
    case: Option<String>,
    /// What the field's path ends with.
    field: String,
    /// What Apache Kafka answers; anything when absent.
    #[serde(default)]
    kafka: Option<String>,
    /// What the broker answers; anything when absent.
    #[serde(default)]
    own: Option<String>,
    /// Why they differ.
    pub(crate) reason: String,
    /// Whether it stays so.
    pub(crate) decision: String,
}

/// The decisions, in the order in which they are looked through.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(crate) struct Decisions(Vec<Decision>);

impl Decisions {
    /// Reads the file.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_saphyr::from_str(&text).with_context(|| format!("{} cannot be read", path.display()))
    }

    /// The first decision about a difference, and its place.
    pub(crate) fn about(&self, case: &Case, difference: &Difference) -> Option<(usize, &Decision)> {
        let equals =
            |wanted: &Option<String>, value: &str| wanted.as_ref().is_none_or(|wanted| wanted == value);
        self.0.iter().enumerate().find(|(_, decision)| {
            (decision.apis.is_empty() || decision.apis.contains(&case.0))
                && decision.case.as_ref().is_none_or(|begin| case.1.starts_with(begin))
                && difference.path.ends_with(&decision.field)
                && equals(&decision.kafka, &difference.kafka)
                && equals(&decision.own, &difference.own)
        })
    }

    /// All of them.
    pub(crate) fn all(&self) -> &[Decision] {
        &self.0
    }
}
