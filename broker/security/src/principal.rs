//! The name under which a connection acts, in Kafka's `Type:name` form.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The principal type of everything that Kafka itself authenticates.
pub const USER: &str = "User";

/// The name of a connection that never authenticated.
pub const ANONYMOUS: &str = "ANONYMOUS";

/// A principal as ACLs, `super.users` and quotas name it: `User:alice`.
///
/// Ordering and equality are those of the type, then of the name, both compared byte by byte.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Principal {
    kind: String,
    name: String,
}

/// A string that is not a principal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a principal in the form `Type:name`, got `{0}`")]
pub struct PrincipalError(String);

impl Principal {
    /// `User:name`, the only type that SASL and TLS produce.
    pub fn user(name: impl Into<String>) -> Self {
        Self { kind: USER.to_owned(), name: name.into() }
    }

    /// `User:ANONYMOUS`: an unauthenticated connection.
    pub fn anonymous() -> Self {
        Self::user(ANONYMOUS)
    }

    /// The part before the first colon, usually `User`.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The part after the first colon; it may contain further colons.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether this is `User:ANONYMOUS`.
    pub fn is_anonymous(&self) -> bool {
        self.kind == USER && self.name == ANONYMOUS
    }

    /// Whether this is `User:*`, which in an ACL stands for every principal of every type.
    pub fn is_wildcard(&self) -> bool {
        self.kind == USER && self.name == "*"
    }
}

impl FromStr for Principal {
    type Err = PrincipalError;

    /// Splits at the first colon, as Kafka's `SecurityUtils.parseKafkaPrincipal` does.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some((kind, name)) => Ok(Self { kind: kind.to_owned(), name: name.to_owned() }),
            None => Err(PrincipalError(text.to_owned())),
        }
    }
}

impl TryFrom<String> for Principal {
    type Error = PrincipalError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Principal> for String {
    fn from(principal: Principal) -> Self {
        principal.to_string()
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.kind, self.name)
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_colon_separates_type_from_name() {
        let principal: Principal = "User:urn:a:b".parse().unwrap();
        assert_eq!((principal.kind(), principal.name()), ("User", "urn:a:b"));
        assert_eq!(principal.to_string(), "User:urn:a:b");
    }

    #[test]
    fn a_bare_name_is_not_a_principal() {
        let error = "alice".parse::<Principal>().unwrap_err();
        assert_eq!(error.to_string(), "expected a principal in the form `Type:name`, got `alice`");
    }

    #[test]
    fn only_the_user_type_has_a_wildcard() {
        assert!("User:*".parse::<Principal>().unwrap().is_wildcard());
        assert!(!"Group:*".parse::<Principal>().unwrap().is_wildcard());
    }
}
