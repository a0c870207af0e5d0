//! The four enumerations of an ACL, with their numbers on the wire and Kafka's names for them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A number or a name that stands for no value of an ACL enumeration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{value}` is not {expected}")]
pub struct AclCodeError {
    value: String,
    expected: &'static str,
}

macro_rules! wire_enumeration {
    ($(#[$documentation:meta])* $name:ident, $expected:literal,
     { $($(#[$variant_documentation:meta])* $variant:ident = $code:literal $text:literal,)+ }) => {
        $(#[$documentation])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "&'static str")]
        pub enum $name {
            $($(#[$variant_documentation])* $variant,)+
        }

        impl $name {
            /// Every value, in the order of the numbers on the wire.
            pub const ALL_VALUES: &'static [Self] = &[$(Self::$variant,)+];

            /// The number on the wire.
            pub fn code(self) -> i8 {
                match self { $(Self::$variant => $code,)+ }
            }

            /// Kafka's name for the value, in capitals.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// Reads a concrete value from the wire; `UNKNOWN` (0), `ANY` (1) and numbers not known here are refused.
            pub fn from_code(code: i8) -> Result<Self, AclCodeError> {
                match code {
                    $($code => Ok(Self::$variant),)+
                    other => Err(AclCodeError { value: other.to_string(), expected: $expected }),
                }
            }
        }

        impl FromStr for $name {
            type Err = AclCodeError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL_VALUES
                    .iter()
                    .copied()
                    .find(|value| value.as_str().eq_ignore_ascii_case(text))
                    .ok_or_else(|| AclCodeError { value: text.to_owned(), expected: $expected })
            }
        }

        impl TryFrom<String> for $name {
            type Error = AclCodeError;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$name> for &'static str {
            fn from(value: $name) -> Self {
                value.as_str()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(self.as_str())
            }
        }
    };
}

/// The number that stands for `ANY` in a filter, in all four enumerations.
const ANY: i8 = 1;

wire_enumeration! {
    /// What kind of thing an ACL protects (Kafka's `ResourceType`).
    ResourceType, "a resource type", {
        /// A topic.
        Topic = 2 "TOPIC",
        /// A consumer group.
        Group = 3 "GROUP",
        /// The cluster itself; its only name is [`CLUSTER_NAME`](super::CLUSTER_NAME).
        Cluster = 4 "CLUSTER",
        /// A transactional id.
        TransactionalId = 5 "TRANSACTIONAL_ID",
        /// A delegation token, named by its id.
        DelegationToken = 6 "DELEGATION_TOKEN",
        /// A user principal, for delegation tokens on behalf of others.
        User = 7 "USER",
    }
}

wire_enumeration! {
    /// What an ACL allows or denies (Kafka's `AclOperation`).
    Operation, "an operation", {
        /// Every operation; only in ACLs.
        All = 2 "ALL",
        /// Read records, join a group, commit offsets.
        Read = 3 "READ",
        /// Write records.
        Write = 4 "WRITE",
        /// Create.
        Create = 5 "CREATE",
        /// Delete.
        Delete = 6 "DELETE",
        /// Alter, ACLs of the cluster included.
        Alter = 7 "ALTER",
        /// See that it exists, and its metadata.
        Describe = 8 "DESCRIBE",
        /// What brokers do among themselves.
        ClusterAction = 9 "CLUSTER_ACTION",
        /// Read configuration.
        DescribeConfigs = 10 "DESCRIBE_CONFIGS",
        /// Change configuration.
        AlterConfigs = 11 "ALTER_CONFIGS",
        /// Obtain a producer id without a transaction.
        IdempotentWrite = 12 "IDEMPOTENT_WRITE",
        /// Create delegation tokens for another user.
        CreateTokens = 13 "CREATE_TOKENS",
        /// Describe delegation tokens of another user.
        DescribeTokens = 14 "DESCRIBE_TOKENS",
        /// Prepare a transaction in two phases (KIP-939).
        TwoPhaseCommit = 15 "TWO_PHASE_COMMIT",
    }
}

wire_enumeration! {
    /// How the name of an ACL's resource is to be read (Kafka's `PatternType`).
    PatternType, "a pattern type", {
        /// Exactly this name, or every name when it is `*`.
        Literal = 3 "LITERAL",
        /// Every name that starts so (KIP-290).
        Prefixed = 4 "PREFIXED",
    }
}

wire_enumeration! {
    /// Whether an ACL grants or forbids (Kafka's `AclPermissionType`).
    Permission, "a permission type", {
        /// Forbids, whatever else allows.
        Deny = 2 "DENY",
        /// Grants.
        Allow = 3 "ALLOW",
    }
}

impl ResourceType {
    /// Reads a filter's value: `ANY` is `None`.
    pub fn filter_from_code(code: i8) -> Result<Option<Self>, AclCodeError> {
        if code == ANY { Ok(None) } else { Self::from_code(code).map(Some) }
    }

    /// The operations that Kafka knows for this type, `ALL` left out; what `authorized_operations` in responses is
    /// made of (Kafka's `AclEntry.supportedOperations`).
    pub fn supported_operations(self) -> &'static [Operation] {
        use Operation::{
            Alter, AlterConfigs, ClusterAction, Create, CreateTokens, Delete, Describe, DescribeConfigs,
            DescribeTokens, IdempotentWrite, Read, TwoPhaseCommit, Write,
        };
        match self {
            Self::Topic => &[Read, Write, Create, Delete, Alter, Describe, DescribeConfigs, AlterConfigs],
            Self::Group => &[Read, Delete, Describe, DescribeConfigs, AlterConfigs],
            Self::Cluster => {
                &[Create, Alter, Describe, ClusterAction, DescribeConfigs, AlterConfigs, IdempotentWrite]
            }
            Self::TransactionalId => &[Write, Describe, TwoPhaseCommit],
            Self::DelegationToken => &[Describe],
            Self::User => &[CreateTokens, DescribeTokens],
        }
    }
}

impl Operation {
    /// Reads a filter's value: `ANY` is `None`.
    pub fn filter_from_code(code: i8) -> Result<Option<Self>, AclCodeError> {
        if code == ANY { Ok(None) } else { Self::from_code(code).map(Some) }
    }

    /// Whether an ALLOW of `self` is also an ALLOW of `requested`.
    ///
    /// `ALL` covers everything; `READ`, `WRITE`, `DELETE` and `ALTER` imply `DESCRIBE`; `ALTER_CONFIGS` implies
    /// `DESCRIBE_CONFIGS`. A DENY implies nothing beyond itself and `ALL`.
    pub fn allow_covers(self, requested: Self) -> bool {
        match (self, requested) {
            (Self::All, _)
            | (Self::Read | Self::Write | Self::Delete | Self::Alter, Self::Describe)
            | (Self::AlterConfigs, Self::DescribeConfigs) => true,
            (granted, requested) => granted == requested,
        }
    }

    /// Whether a DENY of `self` is also a DENY of `requested`.
    pub fn deny_covers(self, requested: Self) -> bool {
        self == Self::All || self == requested
    }
}

impl Permission {
    /// Reads a filter's value: `ANY` is `None`.
    pub fn filter_from_code(code: i8) -> Result<Option<Self>, AclCodeError> {
        if code == ANY { Ok(None) } else { Self::from_code(code).map(Some) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_names_survive_a_round_trip() {
        for value in ResourceType::ALL_VALUES {
            assert_eq!(ResourceType::from_code(value.code()), Ok(*value));
            assert_eq!(value.as_str().to_lowercase().parse(), Ok(*value));
        }
        for value in Operation::ALL_VALUES {
            assert_eq!(Operation::from_code(value.code()), Ok(*value));
        }
    }

    #[test]
    fn unknown_and_any_are_no_concrete_values() {
        assert!(Operation::from_code(0).is_err());
        assert!(Operation::from_code(1).is_err());
        assert_eq!(Operation::filter_from_code(1), Ok(None));
        assert_eq!(Permission::from_code(9).unwrap_err().to_string(), "`9` is not a permission type");
    }
}
