//! Dead guards: what a reader would think protects, and does not.
//!
//! A deny whose resources, principals or condition can never be met; a deny on one action whose end another action
//! reaches; a boundary that the identity it binds can take off, or that binds others only. Each names the guard, and
//! where another statement undoes it, that statement as well.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_model::access::{Capability, CapabilityEdge, DeadGuard, Decision, GuardDefect};

use crate::bulk::place_of;
use crate::decide::Rule;
use crate::document::{Body, Clauses, Guard, Policy, Statement};
use crate::expression::{Expression, Relation, Test};
use crate::facts::Facts;
use crate::grammar::On;
use crate::pattern;
use crate::requester::{Identity, Named, Requester};
use crate::targets::Target;
use crate::world::World;

/// Actions that come to the same end as one that is denied, and are often forgotten beside it.
const SAME_END: [(&str, &str); 8] = [
    ("s3:getobject", "s3:getobjectversion"),
    ("s3:deleteobject", "s3:putlifecycleconfiguration"),
    ("s3:deleteobjectversion", "s3:putlifecycleconfiguration"),
    ("kms:decrypt", "kms:reencryptfrom"),
    ("iam:putrolepolicy", "iam:attachrolepolicy"),
    ("cloudtrail:stoplogging", "cloudtrail:puteventselectors"),
    ("cloudtrail:deletetrail", "cloudtrail:updatetrail"),
    ("logs:deleteloggroup", "logs:putretentionpolicy"),
];

/// Every dead guard, sorted.
pub(crate) fn dead(world: &World, targets: &[Target], edges: &[CapabilityEdge]) -> Vec<DeadGuard> {
    let mut guards = Vec::new();
    let mut by_principal: BTreeMap<&str, Vec<&CapabilityEdge>> = BTreeMap::new();
    for edge in edges.iter().filter(|edge| edge.decision == Decision::Allow) {
        by_principal.entry(&edge.principal).or_default().push(edge);
    }
    let bound: BTreeSet<&str> =
        world.identities.iter().filter_map(|identity| identity.boundary_arn.as_deref()).collect();
    for identity in &world.identities {
        let own = by_principal.get(identity.arn.as_str()).map_or(&[][..], Vec::as_slice);
        removable(identity, own, &mut guards);
        unbound(identity, own, &bound, &mut guards);
        for policy in &identity.policies {
            for (statement, clauses) in denies(policy) {
                walked_around(&identity.arn, statement, clauses, own, &mut guards);
                names_nothing_there(&identity.arn, statement, clauses, targets, &mut guards);
            }
        }
    }
    for target in targets {
        let Guard::Policy(policy) = &target.policy else { continue };
        for (statement, clauses) in denies(policy) {
            names_nobody(world, target, statement, clauses, &mut guards);
        }
        always_true(world, target, policy, &mut guards);
    }
    guards.sort_unstable();
    guards.dedup();
    guards
}

fn denies(policy: &Policy) -> impl Iterator<Item = (&Statement, &Clauses)> {
    policy.statements.iter().filter_map(|statement| match &statement.body {
        Body::Read(clauses) if !clauses.allows => Some((statement, &**clauses)),
        _ => None,
    })
}

/// A boundary that the identity can take off, or replace.
fn removable(identity: &Identity, own: &[&CapabilityEdge], guards: &mut Vec<DeadGuard>) {
    let Some(boundary) = &identity.boundary_arn else { return };
    let removing = own.iter().find(|edge| {
        edge.target == identity.arn && edge.enables.is_none() && edge.action.ends_with("PermissionsBoundary")
    });
    if let Some(edge) = removing {
        guards.push(DeadGuard {
            subject: identity.arn.clone(),
            defect: GuardDefect::Removable,
            told: format!(
                "{} is bounded by {boundary}, and can take it off by {}",
                identity.arn, edge.action
            ),
            statements: edge.statements.clone(),
        });
    }
}

/// Boundaries are in use, and an identity that raises its own privileges has none.
fn unbound(
    identity: &Identity,
    own: &[&CapabilityEdge],
    bound: &BTreeSet<&str>,
    guards: &mut Vec<DeadGuard>,
) {
    if !matches!(identity.boundary, Guard::None) || identity.service_linked {
        return;
    }
    let account = format!("arn:aws:iam::{}:", identity.account);
    let Some(boundary) = bound.iter().find(|boundary| boundary.starts_with(&account)) else { return };
    let raises = own.iter().find(|edge| {
        edge.capability == Capability::ChangePolicy && edge.target == identity.arn && edge.enables.is_none()
    });
    if let Some(edge) = raises {
        guards.push(DeadGuard {
            subject: identity.arn.clone(),
            defect: GuardDefect::AttachedToOthers,
            told: format!(
                "{boundary} bounds others of account {}, and not {}, which changes its own policies by {}",
                identity.account, identity.arn, edge.action
            ),
            statements: edge.statements.clone(),
        });
    }
}

/// A deny on one action, where another that comes to the same end is allowed on what the deny covers.
fn walked_around(
    subject: &str,
    statement: &Statement,
    clauses: &Clauses,
    own: &[&CapabilityEdge],
    guards: &mut Vec<DeadGuard>,
) {
    for (denied, instead) in SAME_END {
        if clauses.actions.inverted || !clauses.actions.selects(denied) || clauses.actions.selects(instead) {
            continue;
        }
        let covered = |edge: &&&CapabilityEdge| {
            edge.action.eq_ignore_ascii_case(instead)
                && clauses.resources.as_ref().is_none_or(|resources| {
                    let names = |text: &String| {
                        pattern::covers(text, &edge.target)
                            || pattern::covers(text, &format!("{}/*", edge.target))
                    };
                    resources.written.iter().any(names) != resources.inverted
                })
        };
        let Some(edge) = own.iter().find(covered) else { continue };
        let mut statements = vec![(*statement.at).clone()];
        statements.extend(edge.statements.iter().cloned());
        guards.push(DeadGuard {
            subject: subject.to_owned(),
            defect: GuardDefect::WalkedAround,
            told: format!(
                "{} denies {denied}, and {subject} comes to the same end on {} by {}",
                statement.at.policy, edge.target, edge.action
            ),
            statements,
        });
    }
}

/// A deny whose resources are each one bucket or key that is not there, in an inventory that lists others of the kind.
fn names_nothing_there(
    subject: &str,
    statement: &Statement,
    clauses: &Clauses,
    targets: &[Target],
    guards: &mut Vec<DeadGuard>,
) {
    let Some(resources) = clauses.resources.as_ref().filter(|resources| !resources.inverted) else { return };
    let gone = |text: &String| {
        let name = text.strip_suffix("/*").unwrap_or(text);
        let literal = !name.contains(['*', '?', '$']);
        let kind = ["arn:aws:s3:::", "arn:aws:kms:"].into_iter().find(|kind| name.starts_with(kind));
        // A key may be named by its alias, which is no resource of its own here.
        let by_alias = name.contains(":alias/");
        kind.is_some_and(|kind| {
            literal
                && !by_alias
                && (kind.ends_with("kms:") || !name.trim_start_matches(kind).contains('/'))
                && targets.iter().any(|target| target.id.starts_with(kind))
                && targets.iter().all(|target| target.id != name)
        })
    };
    if !resources.written.is_empty() && resources.written.iter().all(gone) {
        guards.push(DeadGuard {
            subject: subject.to_owned(),
            defect: GuardDefect::NamesNothing,
            told: format!(
                "{} denies on {}, which is not there",
                statement.at.policy,
                resources.written.join(", ")
            ),
            statements: vec![(*statement.at).clone()],
        });
    }
}

/// A deny on a resource whose every principal is an identity that its account does not have.
fn names_nobody(
    world: &World,
    target: &Target,
    statement: &Statement,
    clauses: &Clauses,
    guards: &mut Vec<DeadGuard>,
) {
    let Some(principals) = clauses.principals.as_ref().filter(|principals| !principals.inverted) else {
        return;
    };
    let missing = |named: &Named| match named {
        // A bare id is what is left of a principal that was deleted.
        Named::Arn(arn) if !arn.starts_with("arn:") => true,
        Named::Arn(arn) => {
            let read = crate::arn::account(arn)
                .is_some_and(|account| world.identities.iter().any(|identity| identity.account == account));
            read && place_of(world, arn).is_none()
        }
        _ => false,
    };
    if !principals.named.is_empty() && principals.named.iter().all(missing) {
        let names: Vec<String> = principals.named.iter().map(Named::id).collect();
        guards.push(DeadGuard {
            subject: target.id.clone(),
            defect: GuardDefect::NamesNothing,
            told: format!("{} denies {}, who does not exist", statement.at.policy, names.join(", ")),
            statements: vec![(*statement.at).clone()],
        });
    }
}

/// An allow for everybody under conditions that hold for anybody who asks.
fn always_true(world: &World, target: &Target, policy: &Policy, guards: &mut Vec<DeadGuard>) {
    if target.rule == Rule::None {
        return;
    }
    let requester = Requester::Named(&Named::Anybody);
    let facts = Facts { requester, resource: &target.resource, passed_to: None };
    for statement in &policy.statements {
        let Body::Read(clauses) = &statement.body else { continue };
        let everybody =
            clauses.principals.as_ref().is_some_and(|principals| principals.named.contains(&Named::Anybody));
        if !clauses.allows || !everybody || clauses.condition_keys().is_empty() {
            continue;
        }
        let applies = clauses.applies(On::Any("*"), &facts);
        let conditions = without_idle_tests(applies.with_any_resource());
        let (left, chosen) = world.choices.settle(conditions, crate::choice::Request::default());
        let defect = match (&left, chosen.is_empty()) {
            (Expression::Yes, true) => GuardDefect::AlwaysTrue,
            (Expression::Yes, false) => GuardDefect::SelfSatisfied,
            _ => continue,
        };
        let why = if chosen.is_empty() {
            format!("its condition on {} always holds", clauses.condition_keys().join(", "))
        } else {
            format!("whoever asks satisfies it: {}", chosen.into_iter().collect::<Vec<_>>().join("; "))
        };
        guards.push(DeadGuard {
            subject: target.id.clone(),
            defect,
            told: format!("{} lets anybody in, and {why}", statement.at.policy),
            statements: vec![(*statement.at).clone()],
        });
    }
}

/// Takes out tests that every request passes: any address, any text.
fn without_idle_tests(expression: Expression) -> Expression {
    match expression {
        Expression::Test(test) if is_idle(&test) => Expression::Yes,
        Expression::All(parts) => Expression::all(parts.into_iter().map(without_idle_tests)),
        Expression::Any(parts) => Expression::any(parts.into_iter().map(without_idle_tests)),
        other => other,
    }
}

fn is_idle(test: &Test) -> bool {
    let any = |value: &String| match test.body.relation {
        Relation::Within => value == "0.0.0.0/0" || value == "::/0",
        Relation::Like | Relation::ArnLike => value == "*",
        _ => false,
    };
    !test.negated && test.body.values.iter().any(any)
}
