//! The filter of DescribeAcls and DeleteAcls.

use super::binding::{AclBinding, ResourcePattern, WILDCARD_NAME};
use super::codes::{AclCodeError, Operation, PatternType, Permission, ResourceType};

/// Which pattern types a filter accepts, and how it compares names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PatternFilter {
    /// Any pattern type; names compared exactly.
    #[default]
    Any,
    /// Every ACL that would apply to the named resource: exact, prefixed or `*` (KIP-290).
    Match,
    /// This pattern type only; names compared exactly.
    Only(PatternType),
}

impl PatternFilter {
    /// Reads a filter's pattern type: `ANY` is 1, `MATCH` is 2.
    ///
    /// # Errors
    /// A number that is no pattern type.
    pub fn from_code(code: i8) -> Result<Self, AclCodeError> {
        match code {
            1 => Ok(Self::Any),
            2 => Ok(Self::Match),
            other => PatternType::from_code(other).map(Self::Only),
        }
    }
}

/// Which ACLs are meant; `None` means any. The default means all of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AclBindingFilter {
    /// The resource type.
    pub resource_type: Option<ResourceType>,
    /// The resource name, read as `pattern` says.
    pub name: Option<String>,
    /// The pattern types.
    pub pattern: PatternFilter,
    /// The principal, compared as text.
    pub principal: Option<String>,
    /// The host, compared as text.
    pub host: Option<String>,
    /// The operation; `ALL` finds ACLs for `ALL`, not every ACL.
    pub operation: Option<Operation>,
    /// The permission type.
    pub permission: Option<Permission>,
}

impl AclBindingFilter {
    /// Reads the fields of a DescribeAcls or DeleteAcls request.
    ///
    /// # Errors
    /// A number that is no value of its enumeration, Kafka's `INVALID_REQUEST`.
    pub fn from_wire(
        resource_type: i8,
        name: Option<&str>,
        pattern_type: i8,
        principal: Option<&str>,
        host: Option<&str>,
        operation: i8,
        permission: i8,
    ) -> Result<Self, AclCodeError> {
        Ok(Self {
            resource_type: ResourceType::filter_from_code(resource_type)?,
            name: name.map(str::to_owned),
            pattern: PatternFilter::from_code(pattern_type)?,
            principal: principal.map(str::to_owned),
            host: host.map(str::to_owned),
            operation: Operation::filter_from_code(operation)?,
            permission: Permission::filter_from_code(permission)?,
        })
    }

    /// Whether the ACL is meant.
    pub fn matches(&self, binding: &AclBinding) -> bool {
        self.matches_resource(binding.resource())
            && self.principal.as_ref().is_none_or(|principal| binding.principal().to_string() == *principal)
            && self.host.as_ref().is_none_or(|host| binding.host().as_str() == host)
            && self.operation.is_none_or(|operation| binding.operation() == operation)
            && self.permission.is_none_or(|permission| binding.permission() == permission)
    }

    fn matches_resource(&self, resource: &ResourcePattern) -> bool {
        if self.resource_type.is_some_and(|expected| expected != resource.resource_type) {
            return false;
        }
        let name_matches = |name: &String| match (self.pattern, resource.pattern_type) {
            (PatternFilter::Match, PatternType::Literal) => {
                resource.name == *name || resource.name == WILDCARD_NAME
            }
            (PatternFilter::Match, PatternType::Prefixed) => name.starts_with(&resource.name),
            _ => resource.name == *name,
        };
        let type_matches = match self.pattern {
            PatternFilter::Only(expected) => expected == resource.pattern_type,
            PatternFilter::Any | PatternFilter::Match => true,
        };
        type_matches && self.name.as_ref().is_none_or(name_matches)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bindings() -> Vec<AclBinding> {
        [
            AclBinding::from_wire(2, "orders", 3, "User:alice", "*", 3, 3),
            AclBinding::from_wire(2, "ord", 4, "User:bob", "10.0.0.1", 4, 3),
            AclBinding::from_wire(2, "*", 3, "User:*", "*", 2, 2),
            AclBinding::from_wire(3, "orders", 3, "User:alice", "*", 3, 3),
            AclBinding::from_wire(2, "payments", 3, "User:alice", "*", 8, 3),
        ]
        .into_iter()
        .map(Result::unwrap)
        .collect()
    }

    #[track_caller]
    fn check(filter: AclBindingFilter, expected: &[usize]) {
        let found: Vec<usize> = bindings()
            .iter()
            .enumerate()
            .filter_map(|(index, binding)| filter.matches(binding).then_some(index))
            .collect();
        assert_eq!(found, expected, "{filter:?}");
    }

    fn topic(name: &str, pattern: PatternFilter) -> AclBindingFilter {
        AclBindingFilter {
            resource_type: Some(ResourceType::Topic),
            name: Some(name.to_owned()),
            pattern,
            ..Default::default()
        }
    }

    #[test]
    fn filters_select_as_in_kafka() {
        check(AclBindingFilter::default(), &[0, 1, 2, 3, 4]);
        check(topic("orders", PatternFilter::Any), &[0]);
        check(topic("orders", PatternFilter::Match), &[0, 1, 2]);
        check(topic("ordinary", PatternFilter::Match), &[1, 2]);
        check(topic("ord", PatternFilter::Only(PatternType::Prefixed)), &[1]);
        check(topic("ord", PatternFilter::Only(PatternType::Literal)), &[]);
        check(topic("*", PatternFilter::Any), &[2]);
        check(AclBindingFilter { principal: Some("User:alice".into()), ..Default::default() }, &[0, 3, 4]);
        check(AclBindingFilter { principal: Some("User:*".into()), ..Default::default() }, &[2]);
        check(AclBindingFilter { host: Some("10.0.0.1".into()), ..Default::default() }, &[1]);
        check(AclBindingFilter { operation: Some(Operation::All), ..Default::default() }, &[2]);
        check(AclBindingFilter { permission: Some(Permission::Deny), ..Default::default() }, &[2]);
        check(
            AclBindingFilter { pattern: PatternFilter::Only(PatternType::Prefixed), ..Default::default() },
            &[1],
        );
    }

    #[test]
    fn unknown_numbers_are_refused() {
        assert!(AclBindingFilter::from_wire(0, None, 1, None, None, 1, 1).is_err());
        assert!(AclBindingFilter::from_wire(1, None, 0, None, None, 1, 1).is_err());
        assert!(AclBindingFilter::from_wire(1, None, 1, None, None, 99, 1).is_err());
        assert_eq!(
            AclBindingFilter::from_wire(1, None, 1, None, None, 1, 1).unwrap(),
            AclBindingFilter::default()
        );
    }
}
