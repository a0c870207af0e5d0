//! What a quota is set for: a user, a client id, both, or an address, each by name or as the default.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// A name, or the default for everyone without a quota of their own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QuotaName {
    /// This one.
    Named(String),
    /// `<default>`; a null name on the wire.
    Default,
}

/// The entity of a quota, as AlterClientQuotas names it (KIP-546).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QuotaEntity {
    /// A user with one of its client ids.
    UserAndClient {
        /// The user.
        user: QuotaName,
        /// The client id.
        client_id: QuotaName,
    },
    /// A user with all its clients.
    User(QuotaName),
    /// A client id, whoever uses it.
    Client(QuotaName),
    /// An address, for the rate of new connections only (KIP-612).
    Ip(QuotaName),
}

/// An entity that Kafka does not know; `INVALID_REQUEST` on the wire.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuotaEntityError {
    /// No part at all.
    #[error("client quota entity is empty")]
    Empty,
    /// A type other than user, client-id and ip.
    #[error("`{0}` is not a client quota entity type")]
    UnknownType(String),
    /// The same type twice.
    #[error("client quota entity names `{0}` twice")]
    Duplicate(String),
    /// A name of no characters; the default is a null name.
    #[error("name of client quota entity `{0}` is empty")]
    EmptyName(String),
    /// An ip together with a user or a client id.
    #[error("client quota entity cannot combine an ip with a user or a client id")]
    Combination,
    /// An ip that is no address.
    #[error("`{0}` is not an IP address")]
    InvalidAddress(String),
}

impl QuotaEntity {
    /// Reads the parts of an entity from the wire: a type and a name, null for the default.
    ///
    /// # Errors
    /// See [`QuotaEntityError`].
    pub fn from_wire<'a>(
        parts: impl IntoIterator<Item = (&'a str, Option<&'a str>)>,
    ) -> Result<Self, QuotaEntityError> {
        let (mut user, mut client_id, mut ip) = (None, None, None);
        for (kind, name) in parts {
            let part = match kind {
                "user" => &mut user,
                "client-id" => &mut client_id,
                "ip" => &mut ip,
                other => return Err(QuotaEntityError::UnknownType(other.to_owned())),
            };
            let name = match name {
                Some("") => return Err(QuotaEntityError::EmptyName(kind.to_owned())),
                Some(name) => QuotaName::Named(name.to_owned()),
                None => QuotaName::Default,
            };
            if part.replace(name).is_some() {
                return Err(QuotaEntityError::Duplicate(kind.to_owned()));
            }
        }
        match (user, client_id, ip) {
            (Some(user), Some(client_id), None) => Ok(Self::UserAndClient { user, client_id }),
            (Some(user), None, None) => Ok(Self::User(user)),
            (None, Some(client_id), None) => Ok(Self::Client(client_id)),
            (None, None, Some(QuotaName::Named(address))) if address.parse::<IpAddr>().is_err() => {
                Err(QuotaEntityError::InvalidAddress(address))
            }
            (None, None, Some(ip)) => Ok(Self::Ip(ip)),
            (None, None, None) => Err(QuotaEntityError::Empty),
            _ => Err(QuotaEntityError::Combination),
        }
    }

    /// The parts of the entity for the wire: a type and a name, `None` for the default.
    pub fn parts(&self) -> Vec<(&'static str, Option<&str>)> {
        match self {
            Self::UserAndClient { user, client_id } => {
                vec![("user", user.name()), ("client-id", client_id.name())]
            }
            Self::User(user) => vec![("user", user.name())],
            Self::Client(client_id) => vec![("client-id", client_id.name())],
            Self::Ip(ip) => vec![("ip", ip.name())],
        }
    }
}

impl QuotaName {
    /// The name; `None` for the default.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Named(name) => Some(name),
            Self::Default => None,
        }
    }
}

impl fmt::Display for QuotaEntity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, (kind, name)) in self.parts().into_iter().enumerate() {
            let separator = if position == 0 { "" } else { ", " };
            write!(formatter, "{separator}{kind} {}", name.unwrap_or("<default>"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(parts: &[(&str, Option<&str>)], expected: &str) {
        let text = match QuotaEntity::from_wire(parts.iter().copied()) {
            Ok(entity) => entity.to_string(),
            Err(error) => error.to_string(),
        };
        assert_eq!(text, expected);
    }

    #[test]
    fn entities_are_read_or_refused() {
        check(&[("user", Some("a")), ("client-id", Some("c"))], "user a, client-id c");
        check(&[("client-id", None), ("user", None)], "user <default>, client-id <default>");
        check(&[("ip", Some("192.0.2.1"))], "ip 192.0.2.1");
        check(&[("ip", None)], "ip <default>");
        check(&[], "client quota entity is empty");
        check(&[("group", None)], "`group` is not a client quota entity type");
        check(&[("user", None), ("user", Some("a"))], "client quota entity names `user` twice");
        check(&[("user", Some(""))], "name of client quota entity `user` is empty");
        check(
            &[("user", None), ("ip", None)],
            "client quota entity cannot combine an ip with a user or a client id",
        );
        check(&[("ip", Some("nowhere"))], "`nowhere` is not an IP address");
    }
}
