//! Attribute-based escalation: setting the tag that a policy asks for, on the target or on oneself.
//!
//! Source: "What is ABAC for AWS?" and "Controlling access to AWS resources using tags", IAM User Guide. The tag is the
//! enabling step, so it is told first: the edge has the capability `change-policy` over the target, the tagging action,
//! and in `enables` what follows.

use std::collections::BTreeSet;

use cadastre_model::access::{Capability, Enabled};
use cadastre_model::asset::identity::PrincipalKind;
use rayon::prelude::*;

use crate::bulk::{Asking, Edges, Prepared, insiders};
use crate::catalogue::{Further, TargetKind};
use crate::choice::{Request, holds};
use crate::decide::{Question, Rule, Supposing, decide};
use crate::document::{Body, Guard};
use crate::expression::{Expression, Relation, Test};
use crate::facts::{Resource, Tagging};
use crate::index::Index;
use crate::reason::{Reason, combine, tidy};
use crate::requester::{Identity, Requester};
use crate::roles::trusted;
use crate::targets::Target;
use crate::world::{Rails, World};

/// Sending tags along with a request for a session.
const TAG_SESSION: &str = "sts:TagSession";

/// A tag that has to be set, and the values that will do; none stands for any value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Wanted {
    key: String,
    values: BTreeSet<String>,
}

/// Everything that somebody gains by tagging a target, or itself.
pub(crate) fn escalate(world: &World, index: &Index, targets: &[Target], edges: &mut Edges) {
    let found: Vec<Edges> = targets.par_iter().map(|target| of_target(world, index, target)).collect();
    for found in found {
        edges.append(found);
    }
    let by_themselves: Vec<Edges> = (0..world.identities.len())
        .into_par_iter()
        .map(|place| of_itself(world, index, place, targets))
        .collect();
    let sessions: Vec<Edges> =
        world.identities.par_iter().map(|role| of_sessions(world, index, role, targets)).collect();
    for found in by_themselves.into_iter().chain(sessions) {
        edges.append(found);
    }
}

/// What follows from tags that somebody sends along when it assumes a role: they are the session's principal tags, before
/// those of the role, where the trust policy allows `sts:TagSession` ("Pass session tags in AWS STS", IAM User Guide).
fn of_sessions(world: &World, index: &Index, role: &Identity, targets: &[Target]) -> Edges {
    let mut edges = Edges::default();
    let Guard::Policy(trust) = &role.trust else { return edges };
    let itself = crate::roles::as_target(world, role);
    let on = ["{arn}".to_owned()];
    let (Some(assuming), Some(tagging)) =
        (Asking::new(world, "sts:AssumeRole", &on, &itself), Asking::new(world, TAG_SESSION, &on, &itself))
    else {
        return edges;
    };
    let lets_tag = |body: &Body| match body {
        Body::Read(clauses) => clauses.allows,
        Body::Odd(_) => false,
    };
    if role.service_linked || !trust.about(tagging.id).any(|statement| lets_tag(&statement.body)) {
        return edges;
    }
    let tagged = Identity { tags: Vec::new(), ..role.clone() };
    let own = targets.iter().filter(|target| target.resource.account == role.account);
    let gained: Vec<_> = own
        .flat_map(|target| {
            gains(world, role, &tagged, target, target).into_iter().map(move |gain| (target, gain))
        })
        .collect();
    if gained.is_empty() {
        return edges;
    }
    for actor in insiders(world, index, &itself, &assuming) {
        let Some(actor) = world.identities.get(actor).filter(|actor| actor.arn != role.arn) else { continue };
        let requester = Requester::Identity(actor);
        let entering = trusted(world, requester, &itself, world.actions.assume, "sts:assumerole");
        if entering.is_empty() {
            continue;
        }
        for (target, (enabled, reason, wanted)) in &gained {
            let step = may_tag(world, actor, &tagging, &itself, wanted);
            let all = combine([step, entering.clone(), vec![reason.clone()]]);
            let way = Some(enabled);
            edges.add(&actor.arn, Capability::ChangePolicy, &target.id, TAG_SESSION, way, &all);
        }
    }
    edges
}

/// What follows from setting a target's own tags.
fn of_target(world: &World, index: &Index, target: &Target) -> Edges {
    let mut edges = Edges::default();
    let ways = world.catalogue.tagging(target.kind);
    if ways.is_empty() || target.provider_managed {
        return edges;
    }
    let open = Target {
        resource: Resource { tags: Vec::new(), tagging: Tagging::Open, ..target.resource.clone() },
        ..target.clone()
    };
    for way in ways {
        let Some(tagging) = Asking::new(world, &way.action, &way.on, target) else { continue };
        for place in insiders(world, index, target, &tagging) {
            let Some(identity) = world.identities.get(place) else { continue };
            let gains = gains(world, identity, identity, target, &open);
            for (enabled, reason, wanted) in gains {
                let step = may_tag(world, identity, &tagging, target, &wanted);
                let both: Vec<Reason> = tidy(step.iter().map(|step| step.and(&reason)).collect());
                edges.add(
                    &identity.arn,
                    Capability::ChangePolicy,
                    &target.id,
                    &way.action,
                    Some(&enabled),
                    &both,
                );
            }
        }
    }
    edges
}

/// What follows from a role's setting its own tags.
fn of_itself(world: &World, index: &Index, place: usize, targets: &[Target]) -> Edges {
    let mut edges = Edges::default();
    let Some(identity) = world.identities.get(place).filter(|identity| identity.kind == PrincipalKind::Role)
    else {
        return edges;
    };
    let place_of_it = crate::roles::place(world, identity);
    let itself = Target::plain(identity.arn.clone(), TargetKind::Role, &identity.name, place_of_it);
    for way in world.catalogue.tagging(TargetKind::Role) {
        let Some(tagging) = tagging_of(world, way, &itself) else { continue };
        let candidates = index.candidates(&identity.account, tagging.id, &identity.arn);
        if candidates.binary_search(&place).is_err() {
            continue;
        }
        let tagged = Identity { tags: Vec::new(), ..identity.clone() };
        for target in targets.iter().filter(|target| target.resource.account == identity.account) {
            for (enabled, reason, wanted) in gains(world, identity, &tagged, target, target) {
                let step = may_tag(world, identity, &tagging, &itself, &wanted);
                let both: Vec<Reason> = tidy(step.iter().map(|step| step.and(&reason)).collect());
                edges.add(
                    &identity.arn,
                    Capability::ChangePolicy,
                    &target.id,
                    &way.action,
                    Some(&enabled),
                    &both,
                );
            }
        }
    }
    edges
}

fn tagging_of(world: &World, way: &Further, target: &Target) -> Option<Asking> {
    Asking::new(world, &way.action, &way.on, target)
}

/// What an identity does not have as things are and would have with other tags: each with the tags it takes.
fn gains(
    world: &World,
    actual: &Identity,
    tagged: &Identity,
    target: &Target,
    open: &Target,
) -> Vec<(Enabled, Reason, BTreeSet<Wanted>)> {
    let mut found = Vec::new();
    if !tags_bear(world, tagged, open) {
        return found;
    }
    for entry in world.catalogue.entries(target.kind).iter().filter(|entry| target.sink || !entry.sinks) {
        let Some(capability) = entry.gives.filter(|capability| worth_a_tag(*capability)) else { continue };
        let Some(prepared) = Prepared::new(world, entry, target) else { continue };
        let ask = |identity: &Identity, target: &Target| {
            let requester = Requester::Identity(identity);
            prepared.reasons(world, requester, target, Request::default(), Supposing::Actual)
        };
        let could = ask(tagged, open);
        if !could.iter().any(|reason| asks_for_tags(&reason.expression)) {
            continue;
        }
        let now = ask(actual, target);
        for reason in could {
            // A certain way that rests on fewer statements is there already; one on others would stay when it goes.
            let already = now
                .iter()
                .any(|now| now.expression == Expression::Yes && now.statements.is_subset(&reason.statements));
            let mut wanted = BTreeSet::new();
            let expression = without_tags(reason.expression, &mut wanted);
            if already || wanted.is_empty() || expression == Expression::No {
                continue;
            }
            let enabled = Enabled { capability, action: entry.action.clone() };
            found.push((enabled, Reason { expression, ..reason }, wanted));
        }
    }
    found
}

const fn worth_a_tag(capability: Capability) -> bool {
    matches!(
        capability,
        Capability::ReadObjects
            | Capability::WriteObjects
            | Capability::Decrypt
            | Capability::ManageKey
            | Capability::OperateHost
            | Capability::ChangePolicy
    )
}

/// Takes the tests on tags out, and notes what they ask for.
fn without_tags(expression: Expression, wanted: &mut BTreeSet<Wanted>) -> Expression {
    match expression {
        Expression::Test(test) => match tag_of(&test) {
            Some(tag) => {
                if let Some(values) = wanted_values(&test) {
                    wanted.insert(Wanted { key: tag, values });
                }
                Expression::Yes
            }
            None => Expression::Test(test),
        },
        Expression::All(parts) => {
            Expression::all(parts.into_iter().map(|part| without_tags(part, wanted)).collect::<Vec<_>>())
        }
        // Only what needs no tag is looked at among alternatives; those that need one have reasons of their own.
        Expression::Any(parts) => {
            Expression::any(parts.into_iter().filter(|part| !asks_for_tags(part)).collect::<Vec<_>>())
        }
        other => other,
    }
}

fn asks_for_tags(expression: &Expression) -> bool {
    match expression {
        Expression::Test(test) => tag_of(test).is_some(),
        Expression::All(parts) | Expression::Any(parts) => parts.iter().any(asks_for_tags),
        _ => false,
    }
}

/// The tag that a test is about.
fn tag_of(test: &Test) -> Option<String> {
    tag(&test.body.key.to_ascii_lowercase()).map(str::to_owned)
}

/// The tag of a principal or resource that a condition key is about; the key is given in lower case.
pub(crate) fn tag(key: &str) -> Option<&str> {
    let (prefix, tag) = key.split_once('/')?;
    let tags = prefix.ends_with("resourcetag") || prefix == "aws:principaltag" || prefix == "s3:buckettag";
    tags.then_some(tag)
}

/// Whether some policy that bears on an identity's requests for a target asks for a tag.
fn tags_bear(world: &World, identity: &Identity, target: &Target) -> bool {
    let guards = [&identity.boundary, &target.policy].into_iter().filter_map(|guard| match guard {
        Guard::Policy(policy) => Some(policy),
        Guard::None | Guard::Unknown(_) => None,
    });
    let accounts = [identity.account.as_str(), target.resource.account.as_str()];
    let rails = accounts.into_iter().filter_map(|account| world.rails(account)).flat_map(Rails::policies);
    identity.policies.iter().chain(guards).chain(rails).any(|policy| policy.asks_for_tags)
}

/// The values a tag has to have; nothing where it only must not have some.
fn wanted_values(test: &Test) -> Option<BTreeSet<String>> {
    match (test.body.relation, test.negated) {
        (Relation::Absent, true) => Some(BTreeSet::new()),
        (_, true) | (Relation::Absent, false) => None,
        (_, false) => Some(test.body.values.clone()),
    }
}

/// Every reason why an identity may set these tags.
fn may_tag(
    world: &World,
    identity: &Identity,
    tagging: &Asking,
    target: &Target,
    wanted: &BTreeSet<Wanted>,
) -> Vec<Reason> {
    let mut reasons = Vec::new();
    for (arn, is_target) in &tagging.on {
        let question = Question {
            action: tagging.id,
            action_name: tagging.name(),
            arn,
            resource: &target.resource,
            policy: if *is_target { &target.policy } else { &Guard::None },
            rule: if *is_target { target.rule } else { Rule::None },
            grants: &[],
            outsiders: &Expression::Yes,
            passed_to: None,
            supposing: Supposing::Actual,
        };
        for proof in decide(world, Requester::Identity(identity), &question) {
            let expression = with_tags(proof.expression, wanted);
            let by_user = identity.kind == PrincipalKind::User;
            let (expression, choices) =
                world.choices.settle(expression, Request { by_user, ..Request::default() });
            reasons.push(Reason { expression, choices, ..proof });
        }
    }
    tidy(reasons)
}

/// Settles what a tagging request's conditions say about the tags that are wanted.
fn with_tags(expression: Expression, wanted: &BTreeSet<Wanted>) -> Expression {
    match expression {
        Expression::Test(test) => {
            let key = test.body.key.to_ascii_lowercase();
            let verdict = if key == "aws:tagkeys" {
                let keys: Vec<String> = wanted.iter().map(|wanted| wanted.key.clone()).collect();
                let lower = Test {
                    body: std::sync::Arc::new(crate::expression::TestBody {
                        values: test.body.values.iter().map(|value| value.to_ascii_lowercase()).collect(),
                        ..(*test.body).clone()
                    }),
                    negated: test.negated,
                };
                Some(holds(&lower, &keys))
            } else {
                key.strip_prefix("aws:requesttag/")
                    .and_then(|tag| wanted.iter().find(|wanted| wanted.key == tag))
                    .map(|wanted| {
                        wanted.values.is_empty()
                            || wanted.values.iter().any(|value| holds(&test, std::slice::from_ref(value)))
                    })
            };
            match verdict {
                Some(true) => Expression::Yes,
                Some(false) => Expression::No,
                None => Expression::Test(test),
            }
        }
        Expression::All(parts) => Expression::all(parts.into_iter().map(|part| with_tags(part, wanted))),
        Expression::Any(parts) => Expression::any(parts.into_iter().map(|part| with_tags(part, wanted))),
        other => other,
    }
}
