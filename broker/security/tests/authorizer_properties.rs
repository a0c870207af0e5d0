//! What must hold for any set of ACLs: the index agrees with a plain reading of the rules, a deny never widens access
//! and an allow never narrows it.

#![expect(clippy::unwrap_used, reason = "a malformed case should fail its test")]

use std::net::IpAddr;

use cadastre_security::acl::{AclBinding, HostPattern, ResourcePattern};
use cadastre_security::{
    Authorizer, Operation, PatternType, Permission, Principal, ResourceType, SuperUsers,
};
use proptest::prelude::*;
use proptest::sample::select;

const NAMES: [&str; 8] = ["a", "ab", "abc", "b", "ba", "*", "ä", "äb"];
const PRINCIPALS: [&str; 4] = ["User:alice", "User:bob", "User:*", "Group:alice"];
const HOSTS: [&str; 4] = ["*", "192.0.2.1", "192.0.2.2", "192.0.2.0/31"];
const OPERATIONS: [Operation; 6] = [
    Operation::All,
    Operation::Read,
    Operation::Write,
    Operation::Describe,
    Operation::AlterConfigs,
    Operation::DescribeConfigs,
];

#[derive(Debug, Clone)]
struct Question {
    principal: Principal,
    host: IpAddr,
    operation: Operation,
    name: &'static str,
}

fn question() -> impl Strategy<Value = Question> {
    (
        select(&PRINCIPALS[..]),
        select(vec!["192.0.2.1", "192.0.2.2", "2001:db8::1"]),
        select(&OPERATIONS[1..]),
        select(&NAMES[..]),
    )
        .prop_map(|(principal, host, operation, name)| Question {
            principal: principal.parse().unwrap(),
            host: host.parse().unwrap(),
            operation,
            name,
        })
}

fn binding() -> impl Strategy<Value = AclBinding> {
    let pattern = (select(&NAMES[..]), select(PatternType::ALL_VALUES));
    let entry = (
        select(&PRINCIPALS[..]),
        select(&HOSTS[..]),
        select(&OPERATIONS[..]),
        select(Permission::ALL_VALUES),
    );
    (pattern, entry).prop_map(|((name, pattern_type), (principal, host, operation, permission))| {
        let resource =
            ResourcePattern { resource_type: ResourceType::Topic, name: name.to_owned(), pattern_type };
        let host = HostPattern::parse(host).unwrap();
        AclBinding::new(resource, principal.parse().unwrap(), host, operation, permission).unwrap()
    })
}

fn ask(authorizer: &Authorizer, question: &Question) -> bool {
    let Question { principal, host, operation, name } = question;
    authorizer.authorize(principal, *host, *operation, ResourceType::Topic, name).allowed
}

/// The rules without an index.
fn plain_reading(bindings: &[AclBinding], default_allow: bool, question: &Question) -> bool {
    let covering: Vec<_> = bindings
        .iter()
        .filter(|binding| {
            let resource = binding.resource();
            match resource.pattern_type {
                PatternType::Literal => resource.name == question.name || resource.name == "*",
                PatternType::Prefixed => question.name.starts_with(&resource.name),
            }
        })
        .collect();
    let speaks = |permission| {
        covering.iter().any(|binding| {
            binding.permission() == permission
                && (*binding.principal() == question.principal || binding.principal().to_string() == "User:*")
                && binding.host().matches(question.host)
                && binding.covers_operation(question.operation)
        })
    };
    !speaks(Permission::Deny) && (speaks(Permission::Allow) || (covering.is_empty() && default_allow))
}

fn new(bindings: &[AclBinding], default_allow: bool) -> Authorizer {
    Authorizer::new(bindings.iter().cloned(), SuperUsers::default(), default_allow)
}

proptest! {
    #[test]
    fn the_index_agrees_with_a_plain_reading(
        bindings in prop::collection::vec(binding(), 0..12), question in question(), default_allow: bool,
    ) {
        prop_assert_eq!(
            ask(&new(&bindings, default_allow), &question),
            plain_reading(&bindings, default_allow, &question)
        );
    }

    #[test]
    fn removing_leaves_what_was_never_added(
        kept in prop::collection::vec(binding(), 0..8), removed in prop::collection::vec(binding(), 0..8),
        question in question(),
    ) {
        let mut authorizer = new(&kept, true);
        for binding in &removed {
            authorizer.add(binding.clone());
        }
        for binding in &removed {
            if !kept.contains(binding) {
                authorizer.remove(binding);
            }
        }
        prop_assert_eq!(ask(&authorizer, &question), ask(&new(&kept, true), &question));
    }

    #[test]
    fn adding_a_deny_never_widens(
        bindings in prop::collection::vec(binding(), 0..10), added in binding(), question in question(),
        default_allow: bool,
    ) {
        prop_assume!(added.permission() == Permission::Deny);
        let mut authorizer = new(&bindings, default_allow);
        let before = ask(&authorizer, &question);
        authorizer.add(added);
        prop_assert!(before || !ask(&authorizer, &question));
    }

    #[test]
    fn adding_an_allow_never_narrows_under_default_deny(
        bindings in prop::collection::vec(binding(), 0..10), added in binding(), question in question(),
    ) {
        prop_assume!(added.permission() == Permission::Allow);
        let mut authorizer = new(&bindings, false);
        let before = ask(&authorizer, &question);
        authorizer.add(added);
        prop_assert!(!before || ask(&authorizer, &question));
    }

    #[test]
    fn a_right_on_some_resource_implies_the_right_by_type(
        bindings in prop::collection::vec(binding(), 0..10), question in question(),
    ) {
        // Implied operations do not count by type, in Kafka too; READ and WRITE are implied by nothing but ALL.
        prop_assume!(matches!(question.operation, Operation::Read | Operation::Write));
        let authorizer = new(&bindings, false);
        if ask(&authorizer, &question) {
            let Question { principal, host, operation, .. } = question;
            prop_assert!(
                authorizer.authorize_by_resource_type(&principal, host, operation, ResourceType::Topic).allowed
            );
        }
    }
}

#[test]
fn ten_thousand_acls_cost_no_more_than_the_few_that_matter() {
    // Counted rather than timed: a decision looks at the ACLs of the matching patterns that name the principal.
    let bindings = (0..10_000).map(|number| {
        let (name, pattern) =
            if number % 2 == 0 { (format!("t{number}"), 3) } else { (format!("p{number}-"), 4) };
        AclBinding::from_wire(2, &name, pattern, &format!("User:u{number}"), "*", 3, 3).unwrap()
    });
    let authorizer = Authorizer::new(bindings, SuperUsers::default(), false);
    let host = "192.0.2.1".parse().unwrap();
    for number in 0..10_000 {
        let name = if number % 2 == 0 { format!("t{number}") } else { format!("p{number}-x") };
        let principal = Principal::user(format!("u{number}"));
        assert!(authorizer.authorize(&principal, host, Operation::Read, ResourceType::Topic, &name).allowed);
        assert!(
            !authorizer.authorize(&principal, host, Operation::Write, ResourceType::Topic, &name).allowed
        );
    }
}
