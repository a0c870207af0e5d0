//! Becoming somebody else, and changing what somebody is allowed: roles and users as targets.
//!
//! Becoming: trust policies, credentials of users, passing a role to a service that runs the caller's code, and code
//! that runs as a role already. Changing: policies of identities. What follows from a change is worked out in
//! [`crate::consequences`].

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use cadastre_model::access::Capability;
use cadastre_model::asset::identity::PrincipalKind;
use rayon::prelude::*;

use crate::bulk::{Asking, Edges, Prepared, insiders, unobserved};
use crate::catalogue::{ActionId, Entry, TargetKind};
use crate::choice::Request;
use crate::decide::{Question, Rule, Supposing};
use crate::document::Guard;
use crate::expression::Expression;
use crate::facts::{Resource, Tagging};
use crate::index::{Index, once};
use crate::reason::{Reason, ask};
use crate::remembered::Remembered;
use crate::requester::{Identity, Named, Requester};
use crate::statement_set::StatementSet;
use crate::targets::{Target, named_by};
use crate::world::World;

/// How many identities are looked at one after the other with what is remembered of the ones before.
const TOGETHER: usize = 64;

/// What is worked out about identities as targets.
pub(crate) struct Identities<'a> {
    pub(crate) world: &'a World,
    pub(crate) index: &'a Index,
    /// One target for each identity, in the same order.
    pub(crate) as_targets: Vec<Target>,
    /// Who can become whom, by place.
    pub(crate) becoming: BTreeMap<(usize, usize), Vec<Reason>>,
    /// Who can change whose policies: editor and edited, by place.
    pub(crate) editing: BTreeMap<(usize, usize), Vec<Edit>>,
}

/// One way to change what an identity may do.
pub(crate) struct Edit {
    pub(crate) action: String,
    /// Whether it takes the boundary away, and does not add anything by itself.
    pub(crate) unbinds: bool,
    /// The group that it puts a user into, by its number; it adds what that group has.
    pub(crate) joins: Option<usize>,
    pub(crate) reasons: Arc<[Reason]>,
}

/// What can be done to one identity.
#[derive(Default)]
pub(crate) struct Towards {
    pub(crate) edges: Edges,
    /// Who can do any of it, itself aside.
    pub(crate) actors: BTreeSet<usize>,
    /// Who can become it.
    pub(crate) becomes: Vec<(usize, Arc<[Reason]>, StatementSet)>,
    /// Who can change what it is allowed.
    edits: Vec<(usize, Edit)>,
}

impl<'a> Identities<'a> {
    pub(crate) fn new(world: &'a World, index: &'a Index) -> Self {
        let as_targets = world.identities.iter().map(|identity| as_target(world, identity)).collect();
        Self { world, index, as_targets, becoming: BTreeMap::new(), editing: BTreeMap::new() }
    }

    /// Trust: who can assume each role.
    pub(crate) fn assume(&mut self, edges: &mut Edges) {
        let found: Vec<_> =
            (0..self.as_targets.len()).into_par_iter().map(|place| self.assuming(place)).collect();
        for (place, (own, actors)) in found.into_iter().enumerate() {
            edges.append(own);
            for (actor, reasons) in actors {
                self.becoming.entry((actor, place)).or_default().extend(reasons);
            }
        }
    }

    /// Who can assume one role: the edges, and the reasons of each observed identity.
    fn assuming(&self, place: usize) -> (Edges, Vec<(usize, Vec<Reason>)>) {
        let world = self.world;
        let mut edges = Edges::default();
        let mut actors = Vec::new();
        let (Some(identity), Some(target)) = (world.identities.get(place), self.as_targets.get(place)) else {
            return (edges, actors);
        };
        let templates = ["{arn}".to_owned()];
        let asking = Asking::new(world, "sts:AssumeRole", &templates, target);
        let Some(asking) = asking.filter(|_| identity.kind == PrincipalKind::Role) else {
            return (edges, actors);
        };
        let mut named = match &identity.trust {
            Guard::Policy(policy) => named_by(policy),
            _ => BTreeSet::new(),
        };
        named.remove(&Named::Account(identity.account.clone()));
        for actor in insiders(world, self.index, target, &asking) {
            let Some(asking) = world.identities.get(actor).filter(|_| actor != place) else { continue };
            let requester = Requester::Identity(asking);
            let reasons = trusted(world, requester, target, world.actions.assume, "sts:assumerole");
            edges.add(&asking.arn, Capability::Assume, &target.id, "sts:AssumeRole", None, &reasons);
            if !reasons.is_empty() {
                actors.push((actor, reasons));
            }
        }
        for (named, missing) in unobserved(world, self.index, named) {
            for (action, name) in actions_of(world, &named) {
                let mut reasons =
                    trusted(world, Requester::Named(&named), target, action, &name.to_ascii_lowercase());
                if let Some(missing) = &missing {
                    reasons = reasons.into_iter().map(|reason| reason.while_missing(missing)).collect();
                }
                edges.add(&named.id(), Capability::Assume, &target.id, name, None, &reasons);
            }
        }
        (edges, actors)
    }

    /// Editing, credentials and role passing. What is told are the steps towards identities that hold something, and
    /// towards whoever gains a hold on those, until nobody new does.
    pub(crate) fn escalate(&mut self, edges: &mut Edges) {
        let world = self.world;
        let holding: BTreeSet<&str> = edges
            .all
            .iter()
            .filter(|edge| edge.capability != Capability::Assume)
            .map(|edge| edge.principal.as_str())
            .collect();
        let mut seen: BTreeSet<usize> =
            holding.iter().filter_map(|arn| world.by_arn.get(*arn).copied()).collect();
        // Whose policies were not read may hold anything.
        let unread =
            world.identities.iter().enumerate().filter(|(_, identity)| identity.policies_missing.is_some());
        seen.extend(unread.map(|(place, _)| place));
        let mut steps: Vec<(Edges, BTreeSet<usize>)> = Vec::with_capacity(world.identities.len());
        for (place, towards) in self.towards().into_iter().enumerate() {
            for (actor, reasons, trust) in towards.becomes {
                let cited = reasons.iter().map(|reason| reason.citing(&trust));
                self.becoming.entry((actor, place)).or_default().extend(cited);
            }
            for (actor, edit) in towards.edits {
                self.editing.entry((actor, place)).or_default().push(edit);
            }
            steps.push((towards.edges, towards.actors));
        }
        for (actor, place, step) in self.join() {
            if let Some((towards, actors)) = steps.get_mut(place) {
                towards.append(step);
                if actor != place {
                    actors.insert(actor);
                }
            }
        }
        for (actor, place) in self.becoming.keys() {
            if let Some((_, actors)) = steps.get_mut(*place) {
                actors.insert(*actor);
            }
        }
        // Somebody who can change the identity it is, or one it can become, however little that one holds.
        for (actor, place) in self.editing.keys() {
            if actor == place || self.becoming.contains_key(&(*actor, *place)) {
                seen.extend([*actor, *place]);
            }
        }
        let mut queue: VecDeque<usize> = seen.iter().copied().collect();
        while let Some(place) = queue.pop_front() {
            let Some((towards, actors)) = steps.get_mut(place) else { continue };
            edges.append(std::mem::take(towards));
            for actor in actors.iter() {
                if seen.insert(*actor) {
                    queue.push_back(*actor);
                }
            }
        }
    }

    /// What can be done to each identity, in order.
    fn towards(&self) -> Vec<Towards> {
        let places: Vec<usize> = (0..self.world.identities.len()).collect();
        let found: Vec<Vec<Towards>> = places
            .par_chunks(TOGETHER)
            .map(|places| {
                let mut remembered = Remembered::default();
                let towards = |place: &usize| {
                    let mut towards = Towards::default();
                    self.edit(*place, &mut remembered, &mut towards);
                    self.pass(*place, &mut remembered, &mut towards);
                    towards
                };
                places.iter().map(towards).collect()
            })
            .collect();
        found.into_iter().flatten().collect()
    }

    /// Who can put a user that it is, or can become, into a group: actor, user and the step.
    fn join(&mut self) -> Vec<(usize, usize, Edges)> {
        let world = self.world;
        let mut found = Vec::new();
        for (number, group) in world.groups.iter().enumerate() {
            let Some(member) = world.identities.iter().find(|identity| identity.account == group.account)
            else {
                continue;
            };
            let target = Target {
                id: group.arn.clone(),
                name: group.name.clone(),
                resource: Resource { tags: Vec::new(), ..place(world, member) },
                ..bare(&as_target(world, member))
            };
            for entry in world.catalogue.entries(TargetKind::Membership) {
                let Some(prepared) = Prepared::new(world, entry, &target) else { continue };
                for actor in insiders(world, self.index, &target, &prepared.action) {
                    let Some(asking) = world.identities.get(actor) else { continue };
                    let requester = Requester::Identity(asking);
                    let reasons =
                        prepared.reasons(world, requester, &target, Request::default(), Supposing::Actual);
                    if reasons.is_empty() {
                        continue;
                    }
                    for user in
                        self.users_of(actor).into_iter().filter(|user| !user.1.groups.contains(&group.name))
                    {
                        let mut step = Edges::default();
                        step.add_entry(&asking.arn, entry, &user.1.arn, &reasons);
                        let edit = Edit {
                            action: entry.action.clone(),
                            unbinds: false,
                            joins: Some(number),
                            reasons: reasons.as_slice().into(),
                        };
                        self.editing.entry((actor, user.0)).or_default().push(edit);
                        found.push((actor, user.0, step));
                    }
                }
            }
        }
        found
    }

    /// The users that somebody is or can become, in its own account.
    fn users_of(&self, actor: usize) -> Vec<(usize, &'a Identity)> {
        let world = self.world;
        let becoming = self.becoming.range((actor, 0)..=(actor, usize::MAX)).map(|((_, place), _)| *place);
        let account = world.identities.get(actor).map(|identity| identity.account.as_str());
        std::iter::once(actor)
            .chain(becoming)
            .filter_map(|place| Some((place, world.identities.get(place)?)))
            .filter(|(_, user)| user.kind == PrincipalKind::User && Some(user.account.as_str()) == account)
            .collect()
    }

    /// Who can edit an identity, or get credentials for it.
    fn edit(&self, place: usize, remembered: &mut Remembered, towards: &mut Towards) {
        let world = self.world;
        let (Some(identity), Some(target)) = (world.identities.get(place), self.as_targets.get(place)) else {
            return;
        };
        if identity.service_linked {
            // Nobody but the service changes a service-linked role.
            return;
        }
        let untrusting = bare(target);
        let boundary: Vec<(&str, Vec<String>)> = match identity.boundary {
            Guard::Unknown(_) => Vec::new(),
            _ => vec![("iam:permissionsboundary", identity.boundary_arn.iter().cloned().collect())],
        };
        let bound = Request { settled: &boundary, ..Request::default() };
        for (number, entry, prepared) in self.questions_about(identity, target) {
            let on = prepared.action.on.iter();
            let actors = on
                .flat_map(|(arn, _)| self.index.candidates(&identity.account, prepared.action.id, arn))
                .collect();
            let binds = entry.action.ends_with("PermissionsBoundary");
            for actor in once(actors) {
                let Some(asking) = world.identities.get(actor) else { continue };
                if asking.account != identity.account {
                    continue;
                }
                // For a request that puts a boundary, the key is about the new one.
                let request =
                    if binds && !entry.action.contains(":Delete") { Request::default() } else { bound };
                let plain = || prepared.is_plain_for(world, asking);
                let reasons = remembered.edits.answer((number.0, number.1, actor), plain, || {
                    let requester = Requester::Identity(asking);
                    let mut reasons =
                        prepared.reasons(world, requester, &untrusting, request, Supposing::Actual);
                    if binds {
                        reasons.retain(|reason| changes_boundary(&reason.expression, identity));
                    }
                    reasons
                });
                if reasons.is_empty() {
                    continue;
                }
                towards.edges.add_entry(&asking.arn, entry, &target.id, &reasons);
                if actor != place {
                    towards.actors.insert(actor);
                }
                if entry.becomes {
                    if actor != place {
                        towards.becomes.push((actor, reasons, StatementSet::new()));
                    }
                } else if entry.edits || binds {
                    let edit = Edit { action: entry.action.clone(), unbinds: binds, joins: None, reasons };
                    towards.edits.push((actor, edit));
                }
            }
        }
    }

    /// Every way to change an identity, with the templates filled in: on itself, on its groups, on its policies.
    fn questions_about(
        &self,
        identity: &Identity,
        target: &Target,
    ) -> Vec<((TargetKind, usize), &'a Entry, Prepared)> {
        let world = self.world;
        let kind = match identity.kind {
            PrincipalKind::Role => TargetKind::Role,
            PrincipalKind::User => TargetKind::User,
        };
        let mut questions = Vec::new();
        let mut add = |kind, target: &Target| {
            for (number, entry) in world.catalogue.entries(kind).iter().enumerate() {
                let prepared = Prepared::new(world, entry, target);
                questions.extend(prepared.map(|prepared| ((kind, number), entry, prepared)));
            }
        };
        add(kind, target);
        let group = |name: &str| Target {
            id: format!("arn:aws:iam::{}:group/{name}", identity.account),
            ..as_target(world, identity)
        };
        for name in &identity.groups {
            add(TargetKind::Group, &group(name));
        }
        for policy in &identity.attached {
            add(TargetKind::Policy, &Target { id: policy.clone(), ..as_target(world, identity) });
        }
        questions
    }
}

/// Whether a request on these terms can leave an identity with another boundary than it has.
fn changes_boundary(expression: &Expression, identity: &Identity) -> bool {
    let Some(current) = &identity.boundary_arn else { return true };
    let only_current = |test: &crate::expression::Test| {
        test.body.key.eq_ignore_ascii_case("iam:permissionsboundary")
            && !test.negated
            && test.body.values.iter().all(|value| value == current)
    };
    match expression {
        Expression::Test(test) => !only_current(test),
        Expression::All(parts) => parts.iter().all(|part| changes_boundary(part, identity)),
        Expression::Any(parts) => parts.iter().any(|part| changes_boundary(part, identity)),
        _ => true,
    }
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
pub(crate) fn trusted(
    world: &World,
    requester: Requester<'_>,
    role: &Target,
    action: ActionId,
    name: &str,
) -> Vec<Reason> {
    let question = Question {
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
    };
    crate::reason::tidy(ask(world, requester, &question, Request::default()))
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
pub(crate) fn as_target(world: &World, identity: &Identity) -> Target {
    let kind = match identity.kind {
        PrincipalKind::Role => TargetKind::Role,
        PrincipalKind::User => TargetKind::User,
    };
    Target {
        policy: identity.trust.clone(),
        rule: Rule::Required,
        ..Target::plain(identity.arn.clone(), kind, &identity.name, place(world, identity))
    }
}

/// The same target, without its policy: the trust policy has no say in who edits or passes a role.
pub(crate) fn bare(target: &Target) -> Target {
    Target { policy: Guard::None, rule: Rule::None, ..target.clone() }
}
