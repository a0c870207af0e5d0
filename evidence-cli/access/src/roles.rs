//! Becoming somebody else, and changing what somebody is allowed: roles and users as targets.
//!
//! Becoming: trust policies, credentials of users, and passing a role to a service that runs the caller's code.
//! Changing: policies of identities. Where somebody can change the policies of an identity that it is or can
//! become, the consequence is worked out here: what that identity could do once changed. Such an edge has the
//! capability `change-policy` over the store, key or host itself and the editing action, so that whoever reads
//! it sees the enabling step and not a capability that nobody has yet.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use cadastre_model::access::Capability;
use cadastre_model::asset::identity::PrincipalKind;

use crate::bulk::{Asking, Edges, Prepared, elsewhere, place_of, unobserved};
use crate::catalogue::{ActionId, Entry, TargetKind};
use crate::decide::{Proof, Question, Rule, Supposing, combine, decide, tidy};
use crate::document::Guard;
use crate::expression::Expression;
use crate::facts::{Resource, Tagging};
use crate::requester::{Identity, Named, Requester};
use crate::targets::{Target, named_by};
use crate::world::World;

/// What is worked out about identities as targets.
pub(crate) struct Identities<'a> {
    world: &'a World,
    /// One target for each identity, in the same order.
    as_targets: Vec<Target>,
    /// Who can become whom, by place.
    becoming: BTreeMap<(usize, usize), Vec<Proof>>,
    /// Who can change whose policies: editor and edited, by place.
    editing: BTreeMap<(usize, usize), Vec<Edit>>,
}

/// One way to change what an identity may do.
struct Edit {
    action: String,
    /// Whether it takes the boundary away, and does not add anything by itself.
    unbinds: bool,
    proofs: Vec<Proof>,
}

/// What an identity could do to each target, were it changed; worked out when first asked for.
type Potential = BTreeMap<(usize, Supposing, usize), Vec<Proof>>;

impl<'a> Identities<'a> {
    pub(crate) fn new(world: &'a World) -> Self {
        let as_targets = world.identities.iter().map(|identity| as_target(world, identity)).collect();
        Self { world, as_targets, becoming: BTreeMap::new(), editing: BTreeMap::new() }
    }

    /// Trust: who can assume each role.
    pub(crate) fn assume(&mut self, edges: &mut Edges) {
        let world = self.world;
        for (place, identity) in world.identities.iter().enumerate() {
            if identity.kind != PrincipalKind::Role {
                continue;
            }
            let Some(target) = self.as_targets.get(place) else { continue };
            let mut insiders: BTreeSet<usize> =
                world.candidates(world.actions.assume).iter().copied().collect();
            let mut named = BTreeSet::new();
            if let Guard::Policy(policy) = &identity.trust {
                named = named_by(policy);
                if named.contains(&Named::Anybody) {
                    insiders.extend(0..world.identities.len());
                }
                for arn in named.iter().filter_map(|named| match named {
                    Named::Arn(arn) => Some(arn),
                    _ => None,
                }) {
                    insiders.extend(place_of(world, arn));
                }
            }
            named.remove(&Named::Account(identity.account.clone()));
            for actor in insiders {
                let Some(asking) = world.identities.get(actor).filter(|_| actor != place) else { continue };
                let proofs = trusted(
                    world,
                    Requester::Identity(asking),
                    target,
                    world.actions.assume,
                    "sts:assumerole",
                );
                edges.add(&asking.arn, Capability::Assume, &target.id, "sts:AssumeRole", &proofs);
                if !proofs.is_empty() {
                    self.becoming.entry((actor, place)).or_default().extend(proofs);
                }
            }
            for (named, missing) in unobserved(world, named) {
                for (action, name) in actions_of(world, &named) {
                    let mut proofs =
                        trusted(world, Requester::Named(&named), target, action, &name.to_ascii_lowercase());
                    if let Some(missing) = &missing {
                        for proof in &mut proofs {
                            proof.expression = Expression::all([
                                proof.expression.clone(),
                                Expression::unknown(missing.as_str()),
                            ]);
                        }
                    }
                    edges.add(&named.id(), Capability::Assume, &target.id, name, &proofs);
                }
            }
        }
    }

    /// Editing, credentials and role passing, for every identity that holds something already, and for whoever
    /// gains a hold on those.
    pub(crate) fn escalate(&mut self, edges: &mut Edges) {
        let world = self.world;
        let holding: BTreeSet<&str> = edges
            .all
            .iter()
            .filter(|edge| edge.capability != Capability::Assume)
            .map(|edge| edge.principal.as_str())
            .collect();
        let mut queue: VecDeque<usize> =
            holding.iter().filter_map(|arn| world.by_arn.get(*arn).copied()).collect();
        let mut seen: BTreeSet<usize> = queue.iter().copied().collect();
        let mut assumers: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (actor, place) in self.becoming.keys() {
            assumers.entry(*place).or_default().push(*actor);
        }
        while let Some(place) = queue.pop_front() {
            let mut gained: BTreeSet<usize> = assumers.get(&place).into_iter().flatten().copied().collect();
            gained.extend(self.edit(place, None, edges));
            gained.extend(self.pass(place, edges));
            for actor in gained {
                if seen.insert(actor) {
                    queue.push_back(actor);
                }
            }
        }
        // Somebody who can change the identity it is, or one it can become, however little that one holds.
        let mut pairs: Vec<(usize, usize)> = self.becoming.keys().copied().collect();
        pairs.extend((0..world.identities.len()).map(|place| (place, place)));
        for (actor, place) in pairs {
            if !self.editing.contains_key(&(actor, place)) && !seen.contains(&place) {
                self.edit(place, Some(actor), edges);
            }
        }
    }

    /// Who can edit an identity, or get credentials for it.
    fn edit(&mut self, place: usize, only: Option<usize>, edges: &mut Edges) -> BTreeSet<usize> {
        let world = self.world;
        let mut found = BTreeSet::new();
        let (Some(identity), Some(target)) = (world.identities.get(place), self.as_targets.get(place)) else {
            return found;
        };
        if identity.service_linked {
            // Nobody but the service changes a service-linked role.
            return found;
        }
        let kind = match identity.kind {
            PrincipalKind::Role => TargetKind::Role,
            PrincipalKind::User => TargetKind::User,
        };
        let nowhere = elsewhere(&target.resource);
        let mut questions: Vec<(&Entry, Prepared)> = Vec::new();
        for entry in world.catalogue.entries(kind) {
            questions.extend(Prepared::new(world, entry, target).map(|prepared| (entry, prepared)));
        }
        for policy in &identity.attached {
            let of_policy = Target { id: policy.clone(), ..as_target(world, identity) };
            for entry in world.catalogue.entries(TargetKind::Policy) {
                questions.extend(Prepared::new(world, entry, &of_policy).map(|prepared| (entry, prepared)));
            }
        }
        for (entry, prepared) in questions {
            let Some(action) = world.catalogue.id(&entry.action) else { continue };
            for &actor in world.candidates(action) {
                if only.is_some_and(|only| only != actor) {
                    continue;
                }
                let Some(asking) = world.identities.get(actor) else { continue };
                if asking.account != identity.account {
                    continue;
                }
                // The trust policy has no say in who edits the role.
                let untrusting = Target { policy: Guard::None, rule: Rule::None, ..bare(target) };
                let proofs = prepared.proofs(
                    world,
                    Requester::Identity(asking),
                    &untrusting,
                    &nowhere,
                    Supposing::Actual,
                );
                if proofs.is_empty() {
                    continue;
                }
                edges.add(&asking.arn, entry.gives, &target.id, &entry.action, &proofs);
                if actor != place {
                    found.insert(actor);
                }
                if entry.becomes {
                    if actor != place {
                        self.becoming.entry((actor, place)).or_default().extend(proofs);
                    }
                } else if entry.edits || entry.action.ends_with("PermissionsBoundary") {
                    let unbinds = !entry.edits && entry.action.contains(":Delete");
                    if entry.edits || unbinds {
                        let edit = Edit { action: entry.action.clone(), unbinds, proofs };
                        self.editing.entry((actor, place)).or_default().push(edit);
                    }
                }
            }
        }
        found
    }

    /// Who can run code as a role by passing it to a service.
    fn pass(&mut self, place: usize, edges: &mut Edges) -> BTreeSet<usize> {
        let world = self.world;
        let mut found = BTreeSet::new();
        let (Some(role), Some(target)) = (world.identities.get(place), self.as_targets.get(place)) else {
            return found;
        };
        if role.kind != PrincipalKind::Role || role.service_linked {
            return found;
        }
        for launch in world.catalogue.launches() {
            let service = Named::Service(launch.service.clone());
            let trust =
                trusted(world, Requester::Named(&service), target, world.actions.assume, "sts:assumerole");
            let Some(trust) = trust.first() else { continue };
            let Some(launching) = Asking::new(world, &launch.action, &launch.on, target) else { continue };
            let nowhere = elsewhere(&target.resource);
            let starters: BTreeSet<usize> = world.candidates(launching.id).iter().copied().collect();
            for &actor in world.candidates(world.actions.pass_role) {
                let Some(asking) = world.identities.get(actor) else { continue };
                if actor == place || asking.account != role.account || !starters.contains(&actor) {
                    continue;
                }
                let requester = Requester::Identity(asking);
                let own = |action, action_name: &str, arn: &str| {
                    decide(
                        world,
                        requester,
                        &Question {
                            action,
                            action_name,
                            arn,
                            resource: &target.resource,
                            policy: &Guard::None,
                            rule: Rule::None,
                            grants: &[],
                            outsiders: &Expression::Yes,
                            passed_to: Some(&launch.service),
                            supposing: Supposing::Actual,
                        },
                    )
                };
                let mut needed = vec![own(world.actions.pass_role, "iam:passrole", &role.arn)];
                needed.push(launching.proofs(world, requester, &bare(target), &nowhere, Supposing::Actual));
                if launch.service == "ec2.amazonaws.com" && !role.instance_profiles {
                    // Instances take a role only through an instance profile that carries it.
                    let profiles = format!("arn:aws:iam::{}:instance-profile/*", role.account);
                    needed.push(own(
                        world.actions.add_role_to_profile,
                        "iam:addroletoinstanceprofile",
                        &profiles,
                    ));
                }
                let proofs: Vec<Proof> = combine(needed)
                    .into_iter()
                    .map(|proof| Proof {
                        expression: Expression::all([proof.expression, trust.expression.clone()]),
                        statements: proof.statements,
                    })
                    .collect();
                let proofs = tidy(proofs);
                if proofs.is_empty() {
                    continue;
                }
                let action = format!("iam:PassRole and {}", launch.action);
                edges.add(&asking.arn, Capability::Assume, &target.id, &action, &proofs);
                self.becoming.entry((actor, place)).or_default().extend(proofs);
                found.insert(actor);
            }
        }
        found
    }

    /// What editors gain: capabilities that an identity would have once its policies are changed.
    pub(crate) fn consequences(&self, targets: &[Target], edges: &mut Edges) {
        let mut potential = Potential::new();
        let mut gained: BTreeMap<(usize, &str, usize), Vec<Proof>> = BTreeMap::new();
        for ((actor, place), edits) in &self.editing {
            let Some(edited) = self.world.identities.get(*place) else { continue };
            let becoming = match self.becoming.get(&(*actor, *place)) {
                _ if actor == place => {
                    vec![Proof { expression: Expression::Yes, statements: BTreeSet::new() }]
                }
                Some(proofs) => tidy(proofs.clone()),
                None => continue,
            };
            let unbound = edits.iter().any(|edit| edit.unbinds);
            for edit in edits {
                if edit.unbinds && matches!(edited.boundary, Guard::None) {
                    continue;
                }
                let supposing = match (edit.unbinds, unbound) {
                    (true, _) => Supposing::Unbounded,
                    (false, false) => Supposing::Rewritten,
                    (false, true) => Supposing::RewrittenAndUnbounded,
                };
                let enabling = combine([edit.proofs.clone(), becoming.clone()]);
                for (number, target) in targets.iter().enumerate() {
                    let could = potential
                        .entry((*place, supposing, number))
                        .or_insert_with(|| self.potential(edited, target, supposing));
                    if could.is_empty() {
                        continue;
                    }
                    let known = gained.entry((*actor, &edit.action, number)).or_default();
                    let idle = |proof: &Proof| {
                        known.iter().any(|known| {
                            known.expression == Expression::Yes
                                && known.statements.is_subset(&proof.statements)
                        })
                    };
                    let combined: Vec<Proof> = combine([enabling.clone(), could.clone()])
                        .into_iter()
                        .filter(|proof| !idle(proof))
                        .collect();
                    if !combined.is_empty() {
                        known.extend(combined);
                        *known = tidy(std::mem::take(known));
                    }
                }
            }
        }
        for ((actor, action, number), proofs) in gained {
            if let (Some(asking), Some(target)) = (self.world.identities.get(actor), targets.get(number)) {
                edges.add(&asking.arn, Capability::ChangePolicy, &target.id, action, &proofs);
            }
        }
    }

    /// What a changed identity could do that leads to record bytes.
    fn potential(&self, edited: &Identity, target: &Target, supposing: Supposing) -> Vec<Proof> {
        if target.provider_managed || !matters(target.kind) {
            return Vec::new();
        }
        let nowhere = elsewhere(&target.resource);
        let entries = self.world.catalogue.entries(target.kind).iter().filter(|entry| {
            matches!(entry.gives, Capability::ReadObjects | Capability::Decrypt | Capability::OperateHost)
        });
        let prepared = entries.filter_map(|entry| Prepared::new(self.world, entry, target));
        tidy(
            prepared
                .flat_map(|prepared| {
                    prepared.proofs(self.world, Requester::Identity(edited), target, &nowhere, supposing)
                })
                .collect(),
        )
    }
}

const fn matters(kind: TargetKind) -> bool {
    matches!(
        kind,
        TargetKind::Bucket | TargetKind::Volume | TargetKind::Snapshot | TargetKind::Key | TargetKind::Host
    )
}

/// The STS actions by which somebody comes into a role.
fn actions_of(world: &World, named: &Named) -> Vec<(ActionId, &'static str)> {
    match named {
        Named::Federated(provider) if provider.contains(":saml-provider/") => {
            vec![(world.actions.assume_with_saml, "sts:AssumeRoleWithSAML")]
        }
        Named::Federated(_) => {
            vec![(world.actions.assume_with_web_identity, "sts:AssumeRoleWithWebIdentity")]
        }
        _ => vec![(world.actions.assume, "sts:AssumeRole")],
    }
}

/// Whether a role's trust policy and everything else lets a requester in.
fn trusted(
    world: &World,
    requester: Requester<'_>,
    role: &Target,
    action: ActionId,
    name: &str,
) -> Vec<Proof> {
    decide(
        world,
        requester,
        &Question {
            action,
            action_name: name,
            arn: &role.id,
            resource: &role.resource,
            policy: &role.policy,
            rule: Rule::Required,
            grants: &[],
            outsiders: &Expression::Yes,
            passed_to: None,
            supposing: Supposing::Actual,
        },
    )
}

/// What conditions can know of an identity as a resource.
pub(crate) fn place(world: &World, identity: &Identity) -> Resource {
    Resource {
        account: identity.account.clone(),
        region: None,
        organization: world.organization(&identity.account),
        tags: identity.tags.clone(),
        tagging: Tagging::Complete,
        aliases: Vec::new(),
    }
}

/// An identity as something that capabilities are asked about.
fn as_target(world: &World, identity: &Identity) -> Target {
    Target {
        id: identity.arn.clone(),
        kind: match identity.kind {
            PrincipalKind::Role => TargetKind::Role,
            PrincipalKind::User => TargetKind::User,
        },
        name: identity.name.clone(),
        resource: place(world, identity),
        policy: identity.trust.clone(),
        rule: Rule::Required,
        grants: Vec::new(),
        outsiders: Expression::Yes,
        sink: false,
        provider_managed: false,
    }
}

/// The same target, without its policy.
fn bare(target: &Target) -> Target {
    Target {
        id: target.id.clone(),
        kind: target.kind,
        name: target.name.clone(),
        resource: target.resource.clone(),
        policy: Guard::None,
        rule: Rule::None,
        grants: Vec::new(),
        outsiders: Expression::Yes,
        sink: false,
        provider_managed: false,
    }
}
