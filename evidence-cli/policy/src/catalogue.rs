//! The catalogue of controls: every id there is, whether or not a policy evaluates it.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::embedded;
use crate::error::PolicyError;

/// One control of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CatalogueEntry {
    /// `boundary`, `network`, …
    pub area: String,
    /// One line.
    pub title: String,
}

/// Every control by id.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Catalogue {
    /// Sorted by id.
    pub controls: BTreeMap<String, CatalogueEntry>,
}

impl Catalogue {
    /// The embedded catalogue.
    ///
    /// # Errors
    /// When the embedded file is malformed, which the tests rule out.
    pub fn builtin() -> Result<Self, PolicyError> {
        serde_saphyr::from_str(embedded::CATALOGUE)
            .map_err(|error| PolicyError::Catalogue { message: error.without_snippet().to_string() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_lists_all_76_controls() {
        assert_eq!(Catalogue::builtin().unwrap().controls.len(), 76);
    }
}
