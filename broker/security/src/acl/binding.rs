//! One ACL: a resource pattern and what a principal may or may not do to it from where.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::codes::{AclCodeError, Operation, PatternType, Permission, ResourceType};
use super::host::{HostPattern, HostPatternError};
use crate::principal::{Principal, PrincipalError};

/// The name of the cluster resource, the only one it may have.
pub const CLUSTER_NAME: &str = "kafka-cluster";

/// The literal name that stands for every resource of a type.
pub const WILDCARD_NAME: &str = "*";

/// The resources that an ACL speaks of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ResourcePattern {
    /// The type; an ACL never spans types.
    pub resource_type: ResourceType,
    /// The name, the prefix, or `*`.
    pub name: String,
    /// How to read the name.
    pub pattern_type: PatternType,
}

/// One ACL as CreateAcls stores it. There is no way to hold an invalid one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "UncheckedAclBinding")]
pub struct AclBinding {
    #[serde(flatten)]
    resource: ResourcePattern,
    principal: Principal,
    host: HostPattern,
    operation: Operation,
    permission: Permission,
}

/// What makes an ACL unacceptable; each is Kafka's `INVALID_REQUEST`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AclBindingError {
    /// A number or name that is no value of its enumeration.
    #[error(transparent)]
    Code(#[from] AclCodeError),
    /// The principal has no type.
    #[error(transparent)]
    Principal(#[from] PrincipalError),
    /// The host is empty or a broken network.
    #[error(transparent)]
    Host(#[from] HostPatternError),
    /// The resource has no name.
    #[error("resource name is empty")]
    EmptyName,
    /// The cluster has one name only.
    #[error("the only valid name for the CLUSTER resource is `kafka-cluster`, got `{0}`")]
    ClusterName(String),
}

impl AclBinding {
    /// Checks and builds an ACL, as Kafka's `AclApis` and `AclControlManager` do together.
    ///
    /// # Errors
    /// See [`AclBindingError`].
    pub fn new(
        resource: ResourcePattern,
        principal: Principal,
        host: HostPattern,
        operation: Operation,
        permission: Permission,
    ) -> Result<Self, AclBindingError> {
        if resource.name.is_empty() {
            return Err(AclBindingError::EmptyName);
        }
        if resource.resource_type == ResourceType::Cluster && resource.name != CLUSTER_NAME {
            return Err(AclBindingError::ClusterName(resource.name));
        }
        Ok(Self { resource, principal, host, operation, permission })
    }

    /// Checks and builds an ACL from the fields of a CreateAcls request.
    ///
    /// # Errors
    /// See [`AclBindingError`].
    pub fn from_wire(
        resource_type: i8,
        resource_name: &str,
        pattern_type: i8,
        principal: &str,
        host: &str,
        operation: i8,
        permission: i8,
    ) -> Result<Self, AclBindingError> {
        Self::new(
            ResourcePattern {
                resource_type: ResourceType::from_code(resource_type)?,
                name: resource_name.to_owned(),
                pattern_type: PatternType::from_code(pattern_type)?,
            },
            principal.parse()?,
            HostPattern::parse(host)?,
            Operation::from_code(operation)?,
            Permission::from_code(permission)?,
        )
    }

    /// The resources it speaks of.
    pub fn resource(&self) -> &ResourcePattern {
        &self.resource
    }

    /// The principal it speaks of; `User:*` is everyone.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// From where.
    pub fn host(&self) -> &HostPattern {
        &self.host
    }

    /// What it allows or denies.
    pub fn operation(&self) -> Operation {
        self.operation
    }

    /// Whether it allows or denies.
    pub fn permission(&self) -> Permission {
        self.permission
    }

    /// Whether it says anything about `requested`, implied operations of an ALLOW included.
    pub fn covers_operation(&self, requested: Operation) -> bool {
        match self.permission {
            Permission::Allow => self.operation.allow_covers(requested),
            Permission::Deny => self.operation.deny_covers(requested),
        }
    }
}

impl fmt::Display for AclBinding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { resource, principal, host, operation, permission } = self;
        let ResourcePattern { resource_type, name, pattern_type } = resource;
        write!(
            formatter,
            "{permission} {principal} from {host}: {operation} on {resource_type} {pattern_type} `{name}`"
        )
    }
}

#[derive(Deserialize)]
struct UncheckedAclBinding {
    #[serde(flatten)]
    resource: ResourcePattern,
    principal: Principal,
    host: HostPattern,
    operation: Operation,
    permission: Permission,
}

impl TryFrom<UncheckedAclBinding> for AclBinding {
    type Error = AclBindingError;

    fn try_from(unchecked: UncheckedAclBinding) -> Result<Self, Self::Error> {
        let UncheckedAclBinding { resource, principal, host, operation, permission } = unchecked;
        Self::new(resource, principal, host, operation, permission)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_binding_reads_back_the_same() {
        let binding = AclBinding::from_wire(2, "orders-", 4, "User:alice", "10.0.0.0/8", 3, 3).unwrap();
        let stored = serde_json::to_string(&binding).unwrap();
        assert_eq!(
            stored,
            r#"{"resource_type":"TOPIC","name":"orders-","pattern_type":"PREFIXED","principal":"User:alice","host":"10.0.0.0/8","operation":"READ","permission":"ALLOW"}"#
        );
        assert_eq!(serde_json::from_str::<AclBinding>(&stored).unwrap(), binding);
        assert_eq!(binding.to_string(), "ALLOW User:alice from 10.0.0.0/8: READ on TOPIC PREFIXED `orders-`");
    }

    #[track_caller]
    fn check_refused(binding: Result<AclBinding, AclBindingError>, message: &str) {
        assert_eq!(binding.unwrap_err().to_string(), message);
    }

    #[test]
    fn invalid_bindings_are_refused_with_the_reason() {
        check_refused(AclBinding::from_wire(1, "t", 3, "User:a", "*", 3, 3), "`1` is not a resource type");
        check_refused(AclBinding::from_wire(2, "t", 2, "User:a", "*", 3, 3), "`2` is not a pattern type");
        check_refused(AclBinding::from_wire(2, "t", 3, "User:a", "*", 1, 3), "`1` is not an operation");
        check_refused(AclBinding::from_wire(2, "t", 3, "User:a", "*", 3, 1), "`1` is not a permission type");
        check_refused(AclBinding::from_wire(2, "", 3, "User:a", "*", 3, 3), "resource name is empty");
        check_refused(AclBinding::from_wire(2, "t", 3, "User:a", "", 3, 3), "host pattern is empty");
        check_refused(
            AclBinding::from_wire(2, "t", 3, "alice", "*", 3, 3),
            "expected a principal in the form `Type:name`, got `alice`",
        );
        check_refused(
            AclBinding::from_wire(4, "my-cluster", 3, "User:a", "*", 3, 3),
            "the only valid name for the CLUSTER resource is `kafka-cluster`, got `my-cluster`",
        );
    }
}
