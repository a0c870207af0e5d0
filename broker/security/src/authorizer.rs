//! The stock authorizer: Kafka's `StandardAuthorizer`, rule for rule, with the rule that decided.
//!
//! The order of rules: a super user may do anything; otherwise any matching DENY wins; otherwise any matching ALLOW;
//! otherwise, if some ACL covers the resource (whatever principal, host or operation it names), the answer is no; and
//! only where no ACL covers the resource does `allow.everyone.if.no.acl.found` decide. An ACL covers a resource when
//! its pattern matches: literal, prefixed, or the literal `*`.
//!
//! Pure: no clock, no I/O, no interior mutability. ACLs are indexed by pattern and, within a pattern, by principal, so
//! that a decision costs a few look-ups however many ACLs there are.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use crate::acl::{
    AclBinding, AclBindingFilter, Operation, PatternType, Permission, ResourceType, WILDCARD_NAME,
};
use crate::principal::{Principal, PrincipalError};

/// The class name under which Kafka's properties ask for this authorizer.
pub const STANDARD_AUTHORIZER_CLASS: &str = "org.apache.kafka.metadata.authorizer.StandardAuthorizer";

/// The name that [`Authorizer::authorize_by_resource_type`] asks about before it looks at patterns, as Kafka does, so
/// that super users and default-allow are settled by the ordinary rules.
const PROBE_NAME: &str = "hardcode";

/// The value of `super.users`: principals separated by semicolons.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SuperUsers(BTreeSet<Principal>);

impl SuperUsers {
    /// Reads `super.users`, such as `User:admin;User:CN=ops,O=Example`.
    ///
    /// # Errors
    /// An entry that is no principal; empty entries are skipped.
    pub fn parse(property: &str) -> Result<Self, PrincipalError> {
        let entries = property.split(';').map(str::trim).filter(|entry| !entry.is_empty());
        entries.map(str::parse).collect::<Result<_, _>>().map(Self)
    }

    /// Whether the principal is one of them. `User:*` has no special meaning here.
    pub fn contains(&self, principal: &Principal) -> bool {
        self.0.contains(principal)
    }

    /// The principals, sorted.
    pub fn iter(&self) -> impl Iterator<Item = &Principal> {
        self.0.iter()
    }
}

impl FromIterator<Principal> for SuperUsers {
    fn from_iter<I: IntoIterator<Item = Principal>>(principals: I) -> Self {
        Self(principals.into_iter().collect())
    }
}

/// Which rule decided, for the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MatchedRule {
    /// The principal is a super user.
    SuperUser,
    /// This ACL. Of several that would do, a literal one is named before prefixed ones, longer prefixes before
    /// shorter ones, and `*` last.
    MatchingAcl {
        /// The ACL.
        binding: Arc<AclBinding>,
    },
    /// No ACL covers the resource, and `allow.everyone.if.no.acl.found` is set.
    DefaultAllow,
    /// No ACL matched.
    DefaultDeny,
}

impl fmt::Display for MatchedRule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SuperUser => formatter.write_str("SuperUser"),
            Self::MatchingAcl { binding } => write!(formatter, "MatchingAcl({binding})"),
            Self::DefaultAllow => formatter.write_str("DefaultAllow"),
            Self::DefaultDeny => formatter.write_str("DefaultDeny"),
        }
    }
}

/// The answer, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Whether the operation may go ahead.
    pub allowed: bool,
    /// The rule that decided.
    pub rule: MatchedRule,
}

impl Decision {
    fn by_acl(binding: &Arc<AclBinding>) -> Self {
        Self {
            allowed: binding.permission() == Permission::Allow,
            rule: MatchedRule::MatchingAcl { binding: Arc::clone(binding) },
        }
    }

    fn denied() -> Self {
        Self { allowed: false, rule: MatchedRule::DefaultDeny }
    }
}

/// The ACLs of a cluster and the rules that read them. Cloning copies the index, not the ACLs.
#[derive(Debug, Clone, Default)]
pub struct Authorizer {
    super_users: SuperUsers,
    allow_everyone_if_no_acl_found: bool,
    bindings: BTreeSet<Arc<AclBinding>>,
    by_type: BTreeMap<ResourceType, TypeIndex>,
}

impl Authorizer {
    /// An authorizer over the given ACLs; duplicates count once.
    ///
    /// `allow_everyone_if_no_acl_found` is the property `allow.everyone.if.no.acl.found`, false by default in Kafka.
    pub fn new(
        bindings: impl IntoIterator<Item = AclBinding>,
        super_users: SuperUsers,
        allow_everyone_if_no_acl_found: bool,
    ) -> Self {
        let mut authorizer = Self { super_users, allow_everyone_if_no_acl_found, ..Self::default() };
        for binding in bindings {
            authorizer.add(binding);
        }
        authorizer
    }

    /// Adds an ACL; false when it was there already.
    pub fn add(&mut self, binding: AclBinding) -> bool {
        let binding = Arc::new(binding);
        let is_new = self.bindings.insert(Arc::clone(&binding));
        if is_new {
            self.by_type.entry(binding.resource().resource_type).or_default().insert(binding);
        }
        is_new
    }

    /// Removes an ACL; false when it was not there.
    pub fn remove(&mut self, binding: &AclBinding) -> bool {
        let was_there = self.bindings.remove(binding);
        if was_there && let Some(index) = self.by_type.get_mut(&binding.resource().resource_type) {
            index.remove(binding);
        }
        was_there
    }

    /// Every ACL, sorted.
    pub fn bindings(&self) -> impl Iterator<Item = &AclBinding> {
        self.bindings.iter().map(AsRef::as_ref)
    }

    /// The ACLs that the filter means, sorted.
    pub fn matching<'a>(&'a self, filter: &'a AclBindingFilter) -> impl Iterator<Item = &'a AclBinding> {
        self.bindings().filter(|binding| filter.matches(binding))
    }

    /// The configured super users.
    pub fn super_users(&self) -> &SuperUsers {
        &self.super_users
    }

    /// Whether a resource without ACLs is open to everyone.
    pub fn allows_everyone_if_no_acl_found(&self) -> bool {
        self.allow_everyone_if_no_acl_found
    }

    /// Decides whether `principal`, connecting from `host`, may do `operation` to the named resource.
    pub fn authorize(
        &self,
        principal: &Principal,
        host: IpAddr,
        operation: Operation,
        resource_type: ResourceType,
        name: &str,
    ) -> Decision {
        if self.super_users.contains(principal) {
            return Decision { allowed: true, rule: MatchedRule::SuperUser };
        }
        let mut is_covered = false;
        let mut allow = None;
        for covering in self.by_type.get(&resource_type).into_iter().flat_map(|index| index.covering(name)) {
            is_covered = true;
            for binding in covering.naming(principal) {
                if !binding.covers_operation(operation) || !binding.host().matches(host) {
                    continue;
                }
                match binding.permission() {
                    Permission::Deny => return Decision::by_acl(binding),
                    Permission::Allow => allow = allow.or(Some(binding)),
                }
            }
        }
        match allow {
            Some(binding) => Decision::by_acl(binding),
            None if !is_covered && self.allow_everyone_if_no_acl_found => {
                Decision { allowed: true, rule: MatchedRule::DefaultAllow }
            }
            None => Decision::denied(),
        }
    }

    /// Decides whether `principal` may do `operation` to at least one resource of the type (KIP-679), as an idempotent
    /// producer needs for topics.
    ///
    /// An ALLOW counts unless a DENY dominates it: `*` dominates every ALLOW, a prefix dominates every literal and
    /// prefix that starts with it, a literal dominates the same literal. No operation is implied here: only the
    /// operation itself and `ALL` count, in an ALLOW as in a DENY.
    pub fn authorize_by_resource_type(
        &self,
        principal: &Principal,
        host: IpAddr,
        operation: Operation,
        resource_type: ResourceType,
    ) -> Decision {
        let probe = self.authorize(principal, host, operation, resource_type, PROBE_NAME);
        if probe.allowed {
            return probe;
        }
        let mut denied_literals = BTreeSet::new();
        let mut denied_prefixes = BTreeSet::new();
        let mut allows = Vec::new();
        for binding in self.by_type.get(&resource_type).into_iter().flat_map(|index| index.naming(principal))
        {
            if !binding.operation().deny_covers(operation) || !binding.host().matches(host) {
                continue;
            }
            let resource = binding.resource();
            match (binding.permission(), resource.pattern_type) {
                (Permission::Deny, PatternType::Literal) if resource.name == WILDCARD_NAME => {
                    return Decision::by_acl(binding);
                }
                (Permission::Deny, PatternType::Literal) => {
                    denied_literals.insert(resource.name.as_str());
                }
                (Permission::Deny, PatternType::Prefixed) => {
                    denied_prefixes.insert(resource.name.as_str());
                }
                (Permission::Allow, _) => allows.push(binding),
            }
        }
        let is_dominated = |binding: &Arc<AclBinding>| {
            let resource = binding.resource();
            let is_literal = resource.pattern_type == PatternType::Literal;
            let name = resource.name.as_str();
            // A literal `*` allows everything, which no single prefix or literal takes away.
            if is_literal && name == WILDCARD_NAME {
                return false;
            }
            (is_literal && denied_literals.contains(name))
                || prefixes_of(name).any(|prefix| denied_prefixes.contains(prefix))
        };
        allows
            .into_iter()
            .find(|binding| !is_dominated(binding))
            .map_or_else(Decision::denied, Decision::by_acl)
    }

    /// The operations of a resource that the principal may do, for the `authorized_operations` of a response.
    pub fn authorized_operations(
        &self,
        principal: &Principal,
        host: IpAddr,
        resource_type: ResourceType,
        name: &str,
    ) -> Vec<Operation> {
        let may =
            |operation: &Operation| self.authorize(principal, host, *operation, resource_type, name).allowed;
        resource_type.supported_operations().iter().copied().filter(may).collect()
    }
}

/// Every prefix of the name that ends between characters, the name itself included.
fn prefixes_of(name: &str) -> impl Iterator<Item = &str> {
    name.char_indices().filter_map(move |(start, character)| name.get(..start + character.len_utf8()))
}

/// The ACLs of one resource type.
#[derive(Debug, Clone, Default)]
struct TypeIndex {
    literal: HashMap<String, PatternAcls>,
    prefixed: HashMap<String, PatternAcls>,
    /// How many prefixes have which length in bytes, so that only lengths in use are looked up.
    prefix_lengths: BTreeMap<usize, usize>,
}

impl TypeIndex {
    fn insert(&mut self, binding: Arc<AclBinding>) {
        let name = binding.resource().name.clone();
        match binding.resource().pattern_type {
            PatternType::Literal => self.literal.entry(name).or_default().insert(binding),
            PatternType::Prefixed => {
                let length = name.len();
                let acls = self.prefixed.entry(name).or_default();
                if acls.is_empty() {
                    *self.prefix_lengths.entry(length).or_default() += 1;
                }
                acls.insert(binding);
            }
        }
    }

    fn remove(&mut self, binding: &AclBinding) {
        let name = &binding.resource().name;
        match binding.resource().pattern_type {
            PatternType::Literal => {
                remove_from(&mut self.literal, name, binding);
            }
            PatternType::Prefixed => {
                let length = name.len();
                if remove_from(&mut self.prefixed, name, binding)
                    && let Some(count) = self.prefix_lengths.get_mut(&length)
                {
                    *count -= 1;
                    if *count == 0 {
                        self.prefix_lengths.remove(&length);
                    }
                }
            }
        }
    }

    /// The patterns that cover a name: literal, then prefixes from long to short, then `*`.
    fn covering<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a PatternAcls> {
        let prefixes = self
            .prefix_lengths
            .range(..=name.len())
            .rev()
            .filter_map(move |(length, _)| self.prefixed.get(name.get(..*length)?));
        let wildcard = self.literal.get(WILDCARD_NAME).filter(|_| name != WILDCARD_NAME);
        self.literal.get(name).into_iter().chain(prefixes).chain(wildcard)
    }

    /// Every ACL that names the principal or everyone, sorted.
    fn naming(&self, principal: &Principal) -> impl Iterator<Item = &Arc<AclBinding>> {
        let mut bindings: Vec<_> = self
            .literal
            .values()
            .chain(self.prefixed.values())
            .flat_map(|acls| acls.naming(principal))
            .collect();
        bindings.sort_unstable();
        bindings.into_iter()
    }
}

/// Takes the ACL out of a map of patterns; true when its pattern went with it.
fn remove_from(patterns: &mut HashMap<String, PatternAcls>, name: &str, binding: &AclBinding) -> bool {
    let Some(acls) = patterns.get_mut(name) else { return false };
    acls.remove(binding);
    let is_empty = acls.is_empty();
    if is_empty {
        patterns.remove(name);
    }
    is_empty
}

/// The ACLs of one pattern.
#[derive(Debug, Clone, Default)]
struct PatternAcls {
    of_everyone: BTreeSet<Arc<AclBinding>>,
    by_principal: HashMap<Principal, BTreeSet<Arc<AclBinding>>>,
}

impl PatternAcls {
    fn insert(&mut self, binding: Arc<AclBinding>) {
        if binding.principal().is_wildcard() {
            self.of_everyone.insert(binding);
        } else {
            self.by_principal.entry(binding.principal().clone()).or_default().insert(binding);
        }
    }

    fn remove(&mut self, binding: &AclBinding) {
        if binding.principal().is_wildcard() {
            self.of_everyone.remove(binding);
        } else if let Some(bindings) = self.by_principal.get_mut(binding.principal()) {
            bindings.remove(binding);
            if bindings.is_empty() {
                self.by_principal.remove(binding.principal());
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.of_everyone.is_empty() && self.by_principal.is_empty()
    }

    fn naming(&self, principal: &Principal) -> impl Iterator<Item = &Arc<AclBinding>> {
        self.by_principal.get(principal).into_iter().flatten().chain(&self.of_everyone)
    }
}
