//! `waivers.yaml`: the findings that named people accepted, until a date.

use cadastre_policy::Waiver;
use serde::{Deserialize, Serialize};

/// The format this version reads.
pub const SCHEMA: &str = "cadastre/waivers/v1";

/// The whole file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WaiverFile {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// What was accepted.
    pub waivers: Vec<Waiver>,
}

/// A waiver file that was refused.
#[derive(Debug, thiserror::Error)]
#[error("{path}:{line}:{column}: {message}")]
pub struct WaiverFileError {
    path: String,
    line: u64,
    column: u64,
    message: String,
}

impl WaiverFile {
    /// A file without waivers.
    #[must_use]
    pub fn empty() -> Self {
        Self { schema: SCHEMA.to_owned(), waivers: Vec::new() }
    }

    /// Parses text; `path` is only named in errors.
    ///
    /// # Errors
    /// When the text is not the format, or is another version of it.
    pub fn parse(text: &str, path: &str) -> Result<Self, WaiverFileError> {
        let file: Self = serde_saphyr::from_str(text).map_err(|error| {
            let (line, column) =
                error.location().map_or((1, 1), |location| (location.line(), location.column()));
            WaiverFileError {
                path: path.to_owned(),
                line,
                column,
                message: error.without_snippet().to_string(),
            }
        })?;
        if file.schema == SCHEMA {
            Ok(file)
        } else {
            Err(WaiverFileError {
                path: path.to_owned(),
                line: 1,
                column: 1,
                message: format!("schema is `{}`, and this version reads `{SCHEMA}`", file.schema),
            })
        }
    }

    /// The file's text. Strings are written as JSON strings, which YAML reads as they are.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        let quoted = |text: &str| serde_json::Value::String(text.to_owned()).to_string();
        let mut yaml =
            format!("schema: {SCHEMA}\nwaivers:{}\n", if self.waivers.is_empty() { " []" } else { "" });
        for waiver in &self.waivers {
            yaml.push_str(&format!(
                "  - control: {}\n    subject: {}\n    reason: {}\n    approver: {}\n    expires: {}\n    accepts: {}\n",
                waiver.control,
                quoted(&waiver.subject),
                quoted(&waiver.reason),
                quoted(&waiver.approver),
                quoted(&waiver.expires.to_string()),
                quoted(&waiver.accepts),
            ));
        }
        yaml
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        let mut file = WaiverFile::empty();
        assert_eq!(WaiverFile::parse(&file.to_yaml(), "waivers.yaml").unwrap(), file);
        file.waivers.push(Waiver {
            control: "KAF-03".into(),
            subject: "cluster:payments".into(),
            reason: "it says \"no\": # not a comment".into(),
            approver: "head of platform security".into(),
            expires: "2027-01-01T00:00:00Z".parse().unwrap(),
            accepts: "sha256:00".into(),
        });
        assert_eq!(WaiverFile::parse(&file.to_yaml(), "waivers.yaml").unwrap(), file);
    }

    #[test]
    fn unknown_keys_and_other_versions_are_refused() {
        let error = WaiverFile::parse("schema: cadastre/waivers/v1\nwaivres: []\n", "w.yaml").unwrap_err();
        assert!(error.to_string().starts_with("w.yaml:2:1: unknown field"), "{error}");
        let error = WaiverFile::parse("schema: cadastre/waivers/v2\nwaivers: []\n", "w.yaml").unwrap_err();
        assert!(error.to_string().contains("cadastre/waivers/v2"), "{error}");
    }
}
