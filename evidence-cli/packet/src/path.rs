//! Paths inside a packet, which are safe to write below any directory on any system.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest path, in bytes.
const MAXIMUM_LENGTH: usize = 240;

/// A relative path of plain components.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PacketPath(String);

/// Why a path is refused.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum PathError {
    /// It begins at a root.
    #[error("`{0}` is an absolute path")]
    Absolute(String),
    /// It leads out of the directory.
    #[error("`{0}` leads out of the packet")]
    Traversal(String),
    /// A component is empty, `.`, or ends in a dot, which some systems take for another name.
    #[error("`{0}` has a component that is empty or ends in a dot")]
    Component(String),
    /// A character that some system or format gives a meaning to.
    #[error("`{0}` has a character that paths in a packet may not have: use A-Z a-z 0-9 . _ - + = @ , and /")]
    Character(String),
    /// Too long or empty.
    #[error("a path of {0} bytes: 1 to {MAXIMUM_LENGTH} are allowed")]
    Length(usize),
}

impl PacketPath {
    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A path that this crate itself names; tests hold each to the rules.
    pub(crate) fn known(text: &'static str) -> Self {
        Self(text.to_owned())
    }

    /// What two paths have in common that a file system without letter case takes for one.
    pub(crate) fn folded(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

impl FromStr for PacketPath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let shown = || text.escape_debug().take(2 * MAXIMUM_LENGTH).collect::<String>();
        if text.is_empty() || text.len() > MAXIMUM_LENGTH {
            return Err(PathError::Length(text.len()));
        }
        let drive = text.as_bytes().get(1) == Some(&b':');
        if text.starts_with(['/', '\\']) || drive {
            return Err(PathError::Absolute(shown()));
        }
        if text.split(['/', '\\']).any(|component| component == "..") {
            return Err(PathError::Traversal(shown()));
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._-+=@,/".contains(c);
        if !text.chars().all(allowed) {
            return Err(PathError::Character(shown()));
        }
        if text.split('/').any(|component| component.is_empty() || component.ends_with('.')) {
            return Err(PathError::Component(shown()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for PacketPath {
    type Error = PathError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<PacketPath> for String {
    fn from(path: PacketPath) -> Self {
        path.0
    }
}

impl fmt::Display for PacketPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for PacketPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(text: &str, expected: &str) {
        let error = text.parse::<PacketPath>().unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn dangerous_paths_are_refused_by_name() {
        refused("/etc/passwd", "absolute");
        refused("\\\\server\\share", "absolute");
        refused("C:/windows", "absolute");
        refused("../outside", "leads out");
        refused("reports/../../outside", "leads out");
        refused("reports\\..\\x", "leads out");
        refused("reports//x", "empty");
        refused("./x", "empty or ends in a dot");
        refused("x./y", "ends in a dot");
        refused("a b", "character");
        refused("a\u{202e}b", "character");
        refused("nul\0", "character");
        refused("", "0 bytes");
        refused(&"x".repeat(241), "241 bytes");
    }

    #[test]
    fn plain_paths_are_taken() {
        for path in ["manifest.json", "records/aws.ndjson", "policies/boundary/BND-01.rego", ".hidden"] {
            assert_eq!(path.parse::<PacketPath>().unwrap().as_str(), path);
        }
    }
}
