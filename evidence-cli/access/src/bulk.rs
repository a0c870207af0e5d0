//! Who may do what to each target: every question of the catalogue, over everybody who may come into it.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_model::access::{Capability, CapabilityEdge, Decision};

use crate::catalogue::{ActionId, Entry};
use crate::decide::{Proof, Question, Supposing, combine, decide, grantee, tidy};
use crate::document::{Body, Guard};
use crate::expression::Expression;
use crate::facts::{Resource, Tagging};
use crate::requester::{Named, Requester};
use crate::targets::Target;
use crate::world::World;

/// Where edges gather.
#[derive(Debug, Default)]
pub(crate) struct Edges {
    pub(crate) all: Vec<CapabilityEdge>,
}

impl Edges {
    /// One edge for each proof.
    pub(crate) fn add(
        &mut self,
        principal: &str,
        capability: Capability,
        target: &str,
        action: &str,
        proofs: &[Proof],
    ) {
        for proof in proofs {
            let decision = proof.decision();
            if decision == Decision::Deny {
                continue;
            }
            self.all.push(CapabilityEdge {
                principal: principal.to_owned(),
                capability,
                target: target.to_owned(),
                decision,
                action: action.to_owned(),
                statements: proof.statements.iter().cloned().collect(),
                choices: Vec::new(),
                enables: None,
            });
        }
    }
}

/// An entry of the catalogue with its templates filled in for one target.
#[derive(Debug)]
pub(crate) struct Prepared {
    action: Asking,
    also: Vec<Asking>,
}

/// An action on some resources, any of which will do.
#[derive(Debug)]
pub(crate) struct Asking {
    pub(crate) id: ActionId,
    name: String,
    /// The ARN or pattern, and whether it is the target itself or part of it.
    on: Vec<(String, bool)>,
}

impl Asking {
    /// Fills in the templates; none when the catalogue does not know the action.
    pub(crate) fn new(world: &World, action: &str, templates: &[String], target: &Target) -> Option<Self> {
        let fill = |template: &String| {
            let text = template
                .replace("{arn}", &target.id)
                .replace("{account}", &target.resource.account)
                .replace("{region}", target.resource.region.as_deref().unwrap_or("*"))
                .replace("{name}", &target.name);
            (text, template.starts_with("{arn}"))
        };
        Some(Self {
            id: world.catalogue.id(action)?,
            name: action.to_ascii_lowercase(),
            on: templates.iter().map(fill).collect(),
        })
    }

    /// Every proof that a requester may.
    pub(crate) fn proofs(
        &self,
        world: &World,
        requester: Requester<'_>,
        target: &Target,
        elsewhere: &Resource,
        supposing: Supposing,
    ) -> Vec<Proof> {
        let mut proofs = Vec::new();
        for (arn, is_target) in &self.on {
            let question = Question {
                action: self.id,
                action_name: &self.name,
                arn,
                resource: if *is_target { &target.resource } else { elsewhere },
                policy: if *is_target { &target.policy } else { &Guard::None },
                rule: if *is_target { target.rule } else { crate::decide::Rule::None },
                grants: if *is_target { &target.grants } else { &[] },
                outsiders: if *is_target { &target.outsiders } else { &Expression::Yes },
                passed_to: None,
                supposing,
            };
            let found = decide(world, requester, &question);
            if *is_target {
                proofs.extend(found);
            } else {
                // Which other resource it uses is the requester's choice, so a limit to some is no limit.
                proofs.extend(found.into_iter().map(Proof::with_any_resource));
            }
        }
        tidy(proofs)
    }
}

impl Prepared {
    /// Fills in the templates of an entry.
    pub(crate) fn new(world: &World, entry: &Entry, target: &Target) -> Option<Self> {
        let also = entry
            .also
            .iter()
            .map(|further| Asking::new(world, &further.action, &further.on, target))
            .collect::<Option<Vec<_>>>()?;
        Some(Self { action: Asking::new(world, &entry.action, &entry.on, target)?, also })
    }

    /// Every proof that a requester has all it takes.
    pub(crate) fn proofs(
        &self,
        world: &World,
        requester: Requester<'_>,
        target: &Target,
        elsewhere: &Resource,
        supposing: Supposing,
    ) -> Vec<Proof> {
        let ask = |asking: &Asking| asking.proofs(world, requester, target, elsewhere, supposing);
        let first = ask(&self.action);
        if first.is_empty() || self.also.is_empty() {
            return first;
        }
        combine(std::iter::once(first).chain(self.also.iter().map(ask)))
    }
}

/// The same place, without the target's tags.
pub(crate) fn elsewhere(resource: &Resource) -> Resource {
    Resource { tags: Vec::new(), tagging: Tagging::Open, aliases: Vec::new(), ..resource.clone() }
}

/// Evaluates every entry for every target.
pub(crate) fn evaluate(world: &World, targets: &[Target], edges: &mut Edges) {
    for target in targets {
        let place = elsewhere(&target.resource);
        let outsiders = outsiders(world, target);
        for entry in world.catalogue.entries(target.kind).iter().filter(|entry| target.sink || !entry.sinks) {
            let Some(prepared) = Prepared::new(world, entry, target) else { continue };
            let mut proofs_of = |requester: Requester<'_>, missing: Option<&str>| {
                let mut proofs = prepared.proofs(world, requester, target, &place, Supposing::Actual);
                if let Some(missing) = missing {
                    for proof in &mut proofs {
                        proof.expression =
                            Expression::all([proof.expression.clone(), Expression::unknown(missing)]);
                    }
                }
                edges.add(&requester.id(), entry.gives, &target.id, &entry.action, &proofs);
            };
            for place in insiders(world, target, prepared.action.id) {
                if let Some(identity) = world.identities.get(place) {
                    proofs_of(Requester::Identity(identity), None);
                }
            }
            for (named, missing) in &outsiders {
                proofs_of(Requester::Named(named), missing.as_deref());
            }
        }
    }
}

/// The observed identities that may come into a question.
fn insiders(world: &World, target: &Target, action: ActionId) -> BTreeSet<usize> {
    let mut places = BTreeSet::new();
    if target.provider_managed {
        return places;
    }
    places.extend(world.candidates(action).iter().copied());
    for grant in &target.grants {
        if let Named::Arn(arn) = grantee(&grant.grantee) {
            places.extend(place_of(world, &arn));
        }
    }
    let Guard::Policy(policy) = &target.policy else { return places };
    for statement in policy.about(action) {
        let Body::Read(clauses) = &statement.body else { continue };
        let Some(principals) = clauses.principals.as_ref().filter(|_| clauses.allows) else { continue };
        if principals.inverted || principals.named.contains(&Named::Anybody) {
            places.extend(0..world.identities.len());
            break;
        }
        for named in &principals.named {
            if let Named::Arn(arn) = named {
                places.extend(place_of(world, arn));
            }
        }
    }
    places
}

/// The observed identity that an ARN in a policy names, sessions included.
pub(crate) fn place_of(world: &World, arn: &str) -> Option<usize> {
    world.by_arn.get(arn).copied().or_else(|| {
        let (role, _) = crate::arn::session(arn)?;
        world.role_named(crate::arn::account(arn)?, role)
    })
}

/// Those its policy or grants name who are no observed identities, each with the evidence that is missing about
/// it, where some is.
fn outsiders(world: &World, target: &Target) -> BTreeMap<Named, Option<String>> {
    unobserved(world, target.named())
}

/// Keeps those who are no observed identities; somebody of an account that was read and who is not in it leaves a
/// question open.
pub(crate) fn unobserved(world: &World, named: BTreeSet<Named>) -> BTreeMap<Named, Option<String>> {
    let mut kept = BTreeMap::new();
    for named in named {
        let missing = match &named {
            Named::Arn(arn) if place_of(world, arn).is_some() => continue,
            // A bare id is what is left of a principal that was deleted.
            Named::Arn(arn) if !arn.starts_with("arn:") => continue,
            Named::Arn(arn) => crate::arn::account(arn).and_then(|account| {
                if world.observes(account) {
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
