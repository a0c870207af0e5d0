//! Who may do what to each target: every question of the catalogue, over everybody who may come into it.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_model::access::{Capability, CapabilityEdge, Decision, Destruction, Enabled};
use rayon::prelude::*;

use crate::catalogue::{ActionId, Entry, Further};
use crate::choice::Request;
use crate::decide::{Question, Rule, Supposing, grantee};
use crate::document::{Body, Guard};
use crate::expression::Expression;
use crate::facts::{Resource, Tagging};
use crate::index::{Index, once};
use crate::reason::{Reason, ask, combine, tidy};
use crate::requester::{Identity, Named, Requester};
use crate::targets::Target;
use crate::world::{Rails, World};

/// Where edges gather.
#[derive(Debug, Default)]
pub(crate) struct Edges {
    pub(crate) all: Vec<CapabilityEdge>,
    pub(crate) destruction: Vec<Destruction>,
    /// What was not followed to its end: subject and what is missing.
    pub(crate) unknown: Vec<(String, String)>,
}

impl Edges {
    /// One edge for each reason.
    pub(crate) fn add(
        &mut self,
        principal: &str,
        capability: Capability,
        target: &str,
        action: &str,
        enables: Option<&Enabled>,
        reasons: &[Reason],
    ) {
        for reason in reasons {
            let decision = reason.decision();
            if decision == Decision::Deny {
                continue;
            }
            self.all.push(CapabilityEdge {
                principal: principal.to_owned(),
                capability,
                target: target.to_owned(),
                decision,
                action: action.to_owned(),
                statements: reason.statements.to_vec(),
                choices: reason.choices.iter().cloned().collect(),
                enables: enables.cloned(),
                summary: reason.summary,
            });
            // A summary that names statements says what closes all that it stands for; one without says nothing.
            if reason.summary && reason.statements.len() == 0 {
                let told = format!("{principal} has more ways to {capability} than are told one by one");
                self.unknown.push((target.to_owned(), told));
            }
        }
    }

    /// What an entry gives, and the damage it does.
    pub(crate) fn add_entry(&mut self, principal: &str, entry: &Entry, target: &str, reasons: &[Reason]) {
        if let Some(capability) = entry.gives {
            self.add(principal, capability, target, &entry.action, entry.enables.as_ref(), reasons);
        }
        let (Some(damage), Some(reason)) = (entry.damage, reasons.first()) else { return };
        self.destruction.push(Destruction {
            principal: principal.to_owned(),
            damage,
            target: target.to_owned(),
            action: entry.action.clone(),
            disguised: entry.disguised,
            decision: reason.decision(),
            statements: reason.statements.to_vec(),
        });
    }

    /// Everything another gathered.
    pub(crate) fn append(&mut self, mut other: Self) {
        self.all.append(&mut other.all);
        self.destruction.append(&mut other.destruction);
        self.unknown.append(&mut other.unknown);
    }
}

/// An entry of the catalogue with its templates filled in for one target.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) action: Asking,
    also: Vec<Asking>,
}

/// An action on some resources, any of which will do.
#[derive(Debug)]
pub(crate) struct Asking {
    pub(crate) id: ActionId,
    name: String,
    /// The ARN or pattern, and whether it is the target itself or part of it.
    pub(crate) on: Vec<(String, bool)>,
}

impl Asking {
    /// Fills in the templates; none when the catalogue does not know the action.
    pub(crate) fn new(world: &World, action: &str, templates: &[String], target: &Target) -> Option<Self> {
        // Which of an account's clusters it is, is not known, so that either may be meant.
        let whichever = target.cluster.as_ref().is_some_and(|cluster| cluster.ends_with("/*"));
        let fill = |template: &String| {
            let text = filled(template, target);
            // A cluster's policy and tags are those of its topics, too.
            let own = template.starts_with("{arn}") || template.starts_with("{cluster}");
            (text, own && !whichever)
        };
        Some(Self {
            id: world.catalogue.id(action)?,
            name: action.to_ascii_lowercase(),
            on: templates.iter().map(fill).collect(),
        })
    }

    /// The action, lower case.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Every reason why a requester may.
    pub(crate) fn reasons(
        &self,
        world: &World,
        requester: Requester<'_>,
        target: &Target,
        request: Request<'_>,
        supposing: Supposing,
    ) -> Vec<Reason> {
        let mut reasons = Vec::new();
        for (arn, is_target) in &self.on {
            let place;
            let (resource, policy, rule, grants, outsiders) = if *is_target {
                (&target.resource, &target.policy, target.rule, target.grants.as_slice(), &target.outsiders)
            } else {
                place = elsewhere(&target.resource);
                (&place, &Guard::None, Rule::None, &[][..], &Expression::Yes)
            };
            let question = Question {
                action: self.id,
                action_name: &self.name,
                arn,
                resource,
                policy,
                rule,
                grants,
                outsiders,
                passed_to: None,
                supposing,
            };
            let request = Request { creates: request.creates || !*is_target, ..request };
            let found = ask(world, requester, &question, request);
            if *is_target {
                reasons.extend(found);
            } else {
                // Which other resource it uses is the requester's choice, so a limit to some is no limit.
                let own = found.into_iter().filter(|reason| !reserved(&reason.expression));
                reasons.extend(
                    own.map(|reason| Reason { expression: reason.expression.with_any_resource(), ..reason }),
                );
            }
        }
        tidy(reasons)
    }
}

impl Prepared {
    /// Fills in the templates of an entry.
    pub(crate) fn new(world: &World, entry: &Entry, target: &Target) -> Option<Self> {
        Self::of(world, &entry.action, &entry.on, &entry.also, target)
    }

    /// Fills in the templates of an action and of what else is needed.
    pub(crate) fn of(
        world: &World,
        action: &str,
        on: &[String],
        also: &[Further],
        target: &Target,
    ) -> Option<Self> {
        let also = also
            .iter()
            .map(|further| Asking::new(world, &further.action, &further.on, target))
            .collect::<Option<Vec<_>>>()?;
        Some(Self { action: Asking::new(world, action, on, target)?, also })
    }

    /// Whether an identity's policies and those around its account say the same of all this on every resource and in
    /// every request, so that for another target of that account that has no policy of its own the answer is the same.
    pub(crate) fn is_plain_for(&self, world: &World, identity: &Identity) -> bool {
        std::iter::once(&self.action).chain(&self.also).all(|asking| is_plain_for(world, identity, asking.id))
    }

    /// Every reason why a requester has all it takes.
    pub(crate) fn reasons(
        &self,
        world: &World,
        requester: Requester<'_>,
        target: &Target,
        request: Request<'_>,
        supposing: Supposing,
    ) -> Vec<Reason> {
        let of = |asking: &Asking| asking.reasons(world, requester, target, request, supposing);
        let first = of(&self.action);
        if first.is_empty() || self.also.is_empty() {
            return first;
        }
        combine(std::iter::once(first).chain(self.also.iter().map(of)))
    }
}

/// Whether an identity's policies and those around its account say the same of an action on every resource and in every
/// request.
pub(crate) fn is_plain_for(world: &World, identity: &Identity, action: ActionId) -> bool {
    let boundary = match &identity.boundary {
        Guard::Policy(policy) => Some(policy),
        Guard::None | Guard::Unknown(_) => None,
    };
    let rails = world.rails(&identity.account).into_iter().flat_map(Rails::policies);
    identity.policies.iter().chain(boundary).chain(rails).all(|policy| policy.is_plain_about(action))
}

/// A template with the target's own names in it.
fn filled(template: &str, target: &Target) -> String {
    let mut text = String::with_capacity(template.len() + target.id.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(before);
        let Some((name, tail)) = after.split_once('}') else {
            text.push('{');
            rest = after;
            break;
        };
        match name {
            "arn" => text.push_str(target.arn.as_deref().unwrap_or(&target.id)),
            "cluster" => text.push_str(target.cluster.as_deref().unwrap_or_default()),
            "account" => text.push_str(&target.resource.account),
            "region" => text.push_str(target.resource.region.as_deref().unwrap_or("*")),
            "name" => text.push_str(&target.name),
            other => {
                text.push('{');
                text.push_str(other);
                text.push('}');
            }
        }
        rest = tail;
    }
    text.push_str(rest);
    text
}

/// Whether only documents are meant whose names AWS reserves, so that nobody's own can be among them ("CreateDocument",
/// AWS Systems Manager API Reference).
fn reserved(expression: &Expression) -> bool {
    match expression {
        Expression::Test(test) => {
            !test.negated && test.body.values.iter().all(|value| value.contains(":document/AWS-"))
        }
        Expression::All(parts) => parts.iter().any(reserved),
        Expression::Any(parts) => parts.iter().all(reserved),
        _ => false,
    }
}

/// The same place, without the target's tags.
pub(crate) fn elsewhere(resource: &Resource) -> Resource {
    Resource { tags: Vec::new(), tagging: Tagging::Open, aliases: Vec::new(), ..resource.clone() }
}

/// Evaluates every entry for every target.
pub(crate) fn evaluate(world: &World, index: &Index, targets: &[Target], edges: &mut Edges) {
    let of_targets: Vec<Edges> = targets.par_iter().map(|target| about(world, index, target)).collect();
    for found in of_targets {
        edges.append(found);
    }
}

/// Every entry for one target.
fn about(world: &World, index: &Index, target: &Target) -> Edges {
    let mut edges = Edges::default();
    let outsiders = unobserved(world, index, target.named());
    for entry in world.catalogue.entries(target.kind).iter().filter(|entry| target.sink || !entry.sinks) {
        let Some(prepared) = Prepared::new(world, entry, target) else { continue };
        let reasons_of = |requester: Requester<'_>| {
            prepared.reasons(world, requester, target, Request::default(), Supposing::Actual)
        };
        for place in insiders(world, index, target, &prepared.action) {
            if let Some(identity) = world.identities.get(place) {
                edges.add_entry(
                    &identity.arn,
                    entry,
                    &target.id,
                    &settle_for(target, reasons_of(Requester::Identity(identity))),
                );
            }
        }
        for (named, missing) in &outsiders {
            let mut reasons = reasons_of(Requester::Named(named));
            if let Some(missing) = missing {
                reasons = reasons.into_iter().map(|reason| reason.while_missing(missing)).collect();
            }
            edges.add_entry(&named.id(), entry, &target.id, &settle_for(target, reasons));
        }
    }
    edges
}

/// What a target leaves open whoever asks.
fn settle_for(target: &Target, reasons: Vec<Reason>) -> Vec<Reason> {
    match &target.open {
        Some(missing) => reasons.into_iter().map(|reason| reason.while_missing(missing)).collect(),
        None => reasons,
    }
}

/// The observed identities that may come into a question, in order.
pub(crate) fn insiders(world: &World, index: &Index, target: &Target, asking: &Asking) -> Vec<usize> {
    let mut places = Vec::new();
    if target.provider_managed {
        return places;
    }
    let account = target.resource.account.as_str();
    for (arn, _) in &asking.on {
        places.extend(index.candidates(account, asking.id, arn));
    }
    for grant in &target.grants {
        match grantee(&grant.grantee) {
            Named::Arn(arn) => places.extend(place_of(world, &arn)),
            // Anybody whom that account lets use the grant.
            Named::Account(account) => places.extend(index.members(&account).iter().copied()),
            _ => {}
        }
    }
    let Guard::Policy(policy) = &target.policy else { return once(places) };
    for statement in policy.about(asking.id) {
        let Body::Read(clauses) = &statement.body else { continue };
        let Some(principals) = clauses.principals.as_ref().filter(|_| clauses.allows) else { continue };
        if principals.inverted || principals.named.contains(&Named::Anybody) {
            // Its own account's people need nothing else; those of other accounts need their own policies too.
            places.extend(index.members(account).iter().copied());
            for (arn, _) in &asking.on {
                places.extend(index.candidates_anywhere(asking.id, arn));
            }
            break;
        }
        for named in &principals.named {
            match named {
                Named::Arn(arn) => places.extend(place_of(world, arn)),
                Named::Account(other) if other != account => {
                    for (arn, _) in &asking.on {
                        places.extend(index.candidates(other, asking.id, arn));
                    }
                }
                _ => {}
            }
        }
    }
    once(places)
}

/// The observed identity that an ARN in a policy names, sessions included.
pub(crate) fn place_of(world: &World, arn: &str) -> Option<usize> {
    world.by_arn.get(arn).copied().or_else(|| {
        let (role, _) = crate::arn::session(arn)?;
        world.role_named(crate::arn::account(arn)?, role)
    })
}

/// Keeps those who are no observed identities; somebody of an account that was read and who is not in it leaves a
/// question open.
pub(crate) fn unobserved(
    world: &World,
    index: &Index,
    named: BTreeSet<Named>,
) -> BTreeMap<Named, Option<String>> {
    let mut kept = BTreeMap::new();
    for named in named {
        let missing = match &named {
            Named::Arn(arn) if place_of(world, arn).is_some() => continue,
            // A bare id is what is left of a principal that was deleted.
            Named::Arn(arn) if !arn.starts_with("arn:") => continue,
            Named::Arn(arn) => crate::arn::account(arn).and_then(|account| {
                if index.observes(account) {
                    Some(format!("`{arn}` is not among the observed users and roles of account {account}"))
                } else if world.rails(account).is_some() {
                    // An account that was looked at, whose identities did not answer: a deny may be among them.
                    Some(format!("the users and roles of account {account} were not read"))
                } else {
                    None
                }
            }),
            _ => None,
        };
        kept.insert(named, missing);
    }
    kept
}
