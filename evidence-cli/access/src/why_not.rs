//! Why somebody may not: for each action that would give a capability, the statements and gaps in its way.

use cadastre_model::Known;
use cadastre_model::access::{Capability, Decision};
use cadastre_model::asset::StatementRef;
use cadastre_model::asset::kafka::AclBinding;
use cadastre_model::declaration::Declaration;
use cadastre_model::inventory::Inventory;
use cadastre_model::refusal::{Obstacle, ObstacleKind, Refusal};

use crate::bulk::{Asking, elsewhere};
use crate::catalogue::ActionId;
use crate::decide::{Rule, grantee};
use crate::document::{Body, Guard, Policy, Principals};
use crate::expression::Expression;
use crate::facts::{Facts, Resource};
use crate::grammar::On;
use crate::kafka;
use crate::requester::{Identity, Named, Requester};
use crate::targets::Target;
use crate::world::{Compiler, Levels, World};

/// Why a principal does not have a capability over a target by itself, one entry for each action that would give it;
/// what others could do for it, and what it could become, is not looked at. Empty when the target or the capability
/// over it is not known, or when nothing stands in the way.
#[must_use]
pub fn why_not(
    inventory: &Inventory,
    declaration: &Declaration,
    principal: &str,
    capability: Capability,
    target: &str,
) -> Vec<Refusal> {
    // ACLs do not bind principals of the cloud.
    if !principal.starts_with("arn:")
        && let Some(refusals) = on_a_cluster(inventory, principal, capability, target)
    {
        return refusals;
    }
    let Ok((catalogue, choices)) = crate::built_in() else { return Vec::new() };
    let mut compiler = Compiler::default();
    let world = World::new(inventory, catalogue, choices, &mut compiler);
    let named = named(principal);
    let requester = match world.by_arn.get(principal).and_then(|place| world.identities.get(*place)) {
        Some(identity) => Requester::Identity(identity),
        None => Requester::Named(&named),
    };
    let becoming = capability == Capability::Assume;
    let role = world.by_arn.get(target).and_then(|place| world.identities.get(*place));
    if let Some(role) = role.filter(|_| becoming) {
        let target = crate::roles::as_target(&world, role);
        let asking = Asking::new(&world, "sts:AssumeRole", &["{arn}".to_owned()], &target);
        return asking.and_then(|asking| refusal(&world, requester, &target, &asking)).into_iter().collect();
    }
    let targets = crate::targets::all(inventory, declaration, &world, &mut compiler);
    let found = targets.into_iter().find(|one| one.id == target);
    let target = match (found, role) {
        (Some(target), _) => target,
        // Who edits a role is none of its trust policy's business.
        (None, Some(role)) => crate::roles::bare(&crate::roles::as_target(&world, role)),
        (None, None) => return Vec::new(),
    };
    let mut refusals: Vec<Refusal> = Vec::new();
    let entries = world.catalogue.entries(target.kind).iter();
    for entry in entries.filter(|entry| entry.gives == Some(capability) && (target.sink || !entry.sinks)) {
        let further = entry.also.iter().map(|further| (&further.action, &further.on));
        for (action, on) in std::iter::once((&entry.action, &entry.on)).chain(further) {
            let asking = Asking::new(&world, action, on, &target);
            let refusal = asking.and_then(|asking| refusal(&world, requester, &target, &asking));
            refusals.extend(refusal.map(|refusal| Refusal { action: action.clone(), ..refusal }));
        }
    }
    refusals.sort_unstable();
    refusals.dedup();
    refusals
}

fn named(principal: &str) -> Named {
    match principal.split_once(':') {
        _ if principal == "*" => Named::Anybody,
        Some(("account", account)) => Named::Account(account.to_owned()),
        Some(("service", service)) => Named::Service(service.to_owned()),
        Some(("federated", provider)) => Named::Federated(provider.to_owned()),
        Some(("canonical", id)) => Named::Canonical(id.to_owned()),
        _ => Named::Arn(principal.to_owned()),
    }
}

/// What stands in the way of one action; none when nothing does.
fn refusal(world: &World, requester: Requester<'_>, target: &Target, asking: &Asking) -> Option<Refusal> {
    let (arn, is_target) = asking.on.first()?;
    let place = elsewhere(&target.resource);
    let (resource, policy, rule) = match is_target {
        true => (&target.resource, &target.policy, target.rule),
        false => (&place, &Guard::None, Rule::None),
    };
    let looking = Looking {
        world,
        requester,
        action: asking.id,
        name: asking.name(),
        arn,
        resource,
        facts: Facts { requester, resource, passed_to: None },
    };
    let mut obstacles = looking.denies(policy);
    obstacles.extend(looking.missing_allows(policy, rule, target));
    obstacles.extend(looking.limits());
    let foreign = requester.account() != Some(&resource.account) && !requester.is_service();
    if foreign && *is_target && target.outsiders == Expression::No {
        obstacles.push(obstacle(
            ObstacleKind::Impossible,
            format!("the public access block of {} keeps principals of other accounts out", target.id),
            "a policy that S3 does not call public, or the block to be lifted",
        ));
    }
    obstacles.sort_unstable();
    obstacles.dedup();
    (!obstacles.is_empty()).then(|| Refusal {
        action: asking.name().to_owned(),
        resource: arn.clone(),
        obstacles,
    })
}

struct Looking<'a> {
    world: &'a World,
    requester: Requester<'a>,
    action: ActionId,
    name: &'a str,
    arn: &'a str,
    resource: &'a Resource,
    facts: Facts<'a>,
}

impl Looking<'_> {
    /// Every statement that denies it, wherever it stands.
    fn denies(&self, of_resource: &Guard) -> Vec<Obstacle> {
        let mut found = Vec::new();
        let mut look = |policy: &Policy, whose: &str| {
            for statement in policy.about(self.action) {
                let Body::Read(clauses) = &statement.body else { continue };
                if clauses.allows {
                    continue;
                }
                let named = clauses.principals.as_ref();
                let named = named.map_or(Expression::Yes, |principals| principals.denying(self.requester));
                let denied = Expression::all([named, clauses.applies(On::Any(self.arn), &self.facts)]);
                let (kind, when) = match denied.decision() {
                    Decision::Deny => continue,
                    Decision::Allow => (ObstacleKind::ExplicitDeny, String::new()),
                    Decision::Conditional(condition) => {
                        (ObstacleKind::ExplicitDeny, format!(" when {condition}"))
                    }
                    Decision::Unknown(what) => {
                        (ObstacleKind::Unknown, format!(", or not, which is not settled: {what}"))
                    }
                };
                found.push(Obstacle {
                    kind,
                    told: format!("a statement of {whose} denies it{when}"),
                    needed: "that statement to be removed or narrowed".to_owned(),
                    statement: Some((*statement.at).clone()),
                });
            }
        };
        if let Requester::Identity(identity) = self.requester {
            for policy in &identity.policies {
                look(policy, "its own policies");
            }
            if let Guard::Policy(boundary) = &identity.boundary {
                look(boundary, "its permissions boundary");
            }
        }
        if let Guard::Policy(policy) = of_resource {
            look(policy, "the resource's policy");
        }
        for (levels, whose) in self.around() {
            for policy in levels.iter().flatten() {
                look(policy, whose);
            }
        }
        found
    }

    /// The organization's policies that bind the request.
    fn around(&self) -> Vec<(&[Vec<std::sync::Arc<Policy>>], &'static str)> {
        let mut around = Vec::new();
        let mut add = |account: &str, of_principal: bool| {
            let Some(rails) = self.world.rails(account) else { return };
            if rails.management.observed() == Some(&true) {
                return;
            }
            let (levels, whose) = match of_principal {
                true => (&rails.service_control, "a service control policy"),
                false => (&rails.resource_control, "a resource control policy"),
            };
            if let Levels::Known(levels) = levels {
                around.push((levels.as_slice(), whose));
            }
        };
        if let Requester::Identity(identity) = self.requester
            && !identity.service_linked
        {
            add(&identity.account, true);
            add(&self.resource.account, false);
        }
        around
    }

    /// What would have to allow it and does not.
    fn missing_allows(&self, policy: &Guard, rule: Rule, target: &Target) -> Vec<Obstacle> {
        let granted = rule != Rule::None
            && target.grants.iter().any(|grant| {
                let operation = self.name.split_once(':').map_or("", |(_, name)| name);
                let principals = Principals { inverted: false, named: vec![grantee(&grant.grantee)] };
                grant.operations.iter().any(|granted| granted.eq_ignore_ascii_case(operation))
                    && principals.allowing(self.requester).direct != Expression::No
            });
        if granted {
            return Vec::new();
        }
        let (by_name, by_account) = self.resource_allows(policy);
        let needs_resource = |needed: &str| {
            obstacle(ObstacleKind::NoAllow, "the resource's policy does not let it in".to_owned(), needed)
        };
        let in_the_policy = format!("a statement in the policy of {} that allows {}", target.id, self.name);
        if rule != Rule::None
            && let Guard::Unknown(what) = policy
        {
            return vec![obstacle(
                ObstacleKind::Unknown,
                format!("the resource's policy was not read: {what}"),
                "that evidence",
            )];
        }
        let Requester::Identity(identity) = self.requester else {
            return match rule {
                Rule::None => vec![self.not_from_elsewhere()],
                _ if by_name || by_account => Vec::new(),
                _ => vec![needs_resource(&in_the_policy)],
            };
        };
        let own = identity.policies.iter().any(|policy| self.allows(policy));
        let needs_own = || {
            let needed = format!("a policy of {} that allows {} on {}", identity.arn, self.name, self.arn);
            obstacle(ObstacleKind::NoAllow, "no policy of its own allows it".to_owned(), &needed)
        };
        let same_account = identity.account == self.resource.account;
        let mut missing = Vec::new();
        match (same_account, rule) {
            (true, Rule::None) if !own => missing.push(needs_own()),
            (true, Rule::Sufficient) if !own && !by_name => missing.push(needs_own()),
            (true, Rule::Required) if !by_name => {
                if !by_account {
                    missing.push(needs_resource(&in_the_policy));
                } else if !own {
                    missing.push(needs_own());
                }
            }
            (false, Rule::None) => missing.push(self.not_from_elsewhere()),
            (false, Rule::Sufficient | Rule::Required) => {
                if !by_name && !by_account {
                    missing.push(needs_resource(&in_the_policy));
                }
                if !own {
                    missing.push(needs_own());
                }
            }
            _ => {}
        }
        missing
    }

    fn not_from_elsewhere(&self) -> Obstacle {
        obstacle(
            ObstacleKind::Impossible,
            format!(
                "it has no policy that could let in principals of another account than {}",
                self.resource.account
            ),
            "an identity of that account",
        )
    }

    /// Whether the resource's policy lets the requester in by name, and by leaving it to its account.
    fn resource_allows(&self, policy: &Guard) -> (bool, bool) {
        let (mut by_name, mut by_account) = (false, false);
        let Guard::Policy(policy) = policy else { return (false, false) };
        for statement in policy.about(self.action) {
            let Body::Read(clauses) = &statement.body else { continue };
            let Some(principals) = clauses.principals.as_ref().filter(|_| clauses.allows) else { continue };
            if clauses.applies(On::Any(self.arn), &self.facts) != Expression::No {
                let naming = principals.allowing(self.requester);
                by_name |= naming.direct != Expression::No;
                by_account |= naming.delegated;
            }
        }
        (by_name, by_account)
    }

    fn allows(&self, policy: &Policy) -> bool {
        policy.about(self.action).any(|statement| match &statement.body {
            Body::Read(clauses) => {
                clauses.allows && clauses.applies(On::Any(self.arn), &self.facts) != Expression::No
            }
            Body::Odd(_) => true,
        })
    }

    /// Limits that leave no room.
    fn limits(&self) -> Vec<Obstacle> {
        let Requester::Identity(identity) = self.requester else { return Vec::new() };
        let mut found = self.boundary(identity);
        for (levels, whose) in self.around().into_iter().filter(|(_, whose)| whose.contains("service")) {
            let closed = levels.iter().any(|level| !level.iter().any(|policy| self.allows(policy)));
            if closed {
                found.push(obstacle(
                    ObstacleKind::Limit,
                    format!(
                        "one level of {whose} allows nothing of the kind to account {}",
                        identity.account
                    ),
                    &format!("{whose} of that level that allows {}", self.name),
                ));
            }
        }
        found
    }

    fn boundary(&self, identity: &Identity) -> Vec<Obstacle> {
        match &identity.boundary {
            Guard::Policy(boundary) if !self.allows(boundary) => vec![obstacle(
                ObstacleKind::Limit,
                "its permissions boundary leaves no room for it".to_owned(),
                &format!("a boundary that allows {}, which by itself grants nothing", self.name),
            )],
            _ => Vec::new(),
        }
    }
}

fn obstacle(kind: ObstacleKind, told: String, needed: &str) -> Obstacle {
    Obstacle { kind, told, needed: needed.to_owned(), statement: None }
}

/// The same on a Kafka cluster; none when the target is none of one.
fn on_a_cluster(
    inventory: &Inventory,
    principal: &str,
    capability: Capability,
    target: &str,
) -> Option<Vec<Refusal>> {
    let (cluster, resource_type, name) =
        match target.strip_prefix("topic:").and_then(|rest| rest.split_once('/')) {
            Some((cluster, topic)) => (cluster, "TOPIC", topic),
            None => (target.strip_prefix("cluster:")?, "CLUSTER", kafka::CLUSTER),
        };
    let operation = match (resource_type, capability) {
        ("TOPIC", Capability::ReadRecords) => "READ",
        ("TOPIC", Capability::WriteRecords) => "WRITE",
        ("CLUSTER", Capability::ChangePolicy) => "ALTER",
        _ => return Some(Vec::new()),
    };
    let cluster = inventory.clusters.iter().find(|known| known.name == cluster)?;
    let mut obstacles = Vec::new();
    match &cluster.acls {
        Known::Unknown(what) => {
            obstacles.push(obstacle(
                ObstacleKind::Unknown,
                format!("the ACLs were not read: {what}"),
                "that evidence",
            ));
        }
        Known::Absent => {}
        Known::Observed(acls) => {
            let about = |acl: &&AclBinding| {
                acl.resource_type == resource_type
                    && kafka::covers(acl, name)
                    && (acl.principal == principal || acl.principal == "User:*")
                    && kafka::same(&acl.operation, operation)
            };
            for acl in acls.iter().filter(about).filter(|acl| acl.permission == "DENY") {
                let at: StatementRef = kafka::statement(acl);
                let from = if acl.host == "*" { String::new() } else { format!(" from {}", acl.host) };
                obstacles.push(Obstacle {
                    kind: ObstacleKind::ExplicitDeny,
                    told: format!("an ACL denies it{from}"),
                    needed: "that ACL to be removed".to_owned(),
                    statement: Some(at),
                });
            }
            if !acls.iter().filter(about).any(|acl| acl.permission == "ALLOW") {
                let needed =
                    format!("an ACL that allows {operation} on {resource_type}:{name} to {principal}");
                obstacles.push(obstacle(ObstacleKind::NoAllow, "no ACL allows it".to_owned(), &needed));
            }
        }
    }
    obstacles.sort_unstable();
    let refusal = Refusal {
        action: format!("kafka:{operation}"),
        resource: format!("{resource_type}:{name}"),
        obstacles,
    };
    Some(if refusal.obstacles.is_empty() { Vec::new() } else { vec![refusal] })
}
