//! What editors gain: capabilities that an identity would have once its policies were changed.
//!
//! Where somebody can change the policies of an identity that it is or can become, the consequence is worked out here:
//! what that identity could do once changed. Such an edge has the capability `change-policy` over the store, key or
//! host itself, the editing action, and in `enables` what follows, so that whoever reads it sees the enabling step and
//! not a capability that nobody has yet.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_model::access::{Capability, CapabilityEdge, Decision, Enabled};
use cadastre_model::asset::identity::PrincipalKind;
use cadastre_model::asset::{StatementRef, Tag};

use crate::bulk::{Edges, Prepared, place_of};
use crate::catalogue::TargetKind;
use crate::choice::Request;
use crate::decide::{Supposing, grantee};
use crate::document::{Body, Guard};
use crate::pattern;
use crate::reason::{Reason, combine, tidy};
use crate::requester::{Identity, Named, Requester};
use crate::roles::{Edit, Identities};
use crate::statement_set::StatementSet;
use crate::targets::Target;
use crate::world::{Rails, World};

/// How many identities that differ in nothing but their names one editor is followed through.
const ALIKE: usize = 8;

/// What identities have in common for one editor: who edits, their account, kind, boundary, tags and marks, and what the
/// edits rest on.
type Likeness<'a> =
    (usize, &'a str, PrincipalKind, Option<&'a str>, &'a [Tag], Vec<usize>, BTreeSet<&'a StatementRef>);

/// What policies of resources and organizations tell identities apart by.
#[derive(Default)]
struct Marks {
    /// Those who are named themselves: nobody is like them.
    named: BTreeSet<usize>,
    /// What `aws:PrincipalArn` is compared with.
    patterns: BTreeSet<String>,
}

impl Marks {
    fn name(&mut self, world: &World, named: &Named) {
        if let Named::Arn(arn) = named {
            self.named.extend(place_of(world, arn));
        }
    }

    /// The patterns that an identity matches, by their number.
    fn of(&self, identity: &Identity) -> Vec<usize> {
        let matching = self.patterns.iter().enumerate();
        matching.filter(|(_, text)| pattern::covers(text, &identity.arn)).map(|(number, _)| number).collect()
    }
}

/// Those who were not followed because others are like them, by editor.
type LeftOut = BTreeMap<usize, BTreeSet<usize>>;

/// What an identity could do to each target, were it changed; worked out when first asked for.
type Potential = BTreeMap<(usize, Supposing, usize), Vec<(Enabled, Vec<Reason>)>>;

/// What somebody may already, by principal and target: the statements of each certain edge.
pub(crate) struct Held<'e> {
    certain: BTreeMap<(&'e str, &'e str), Vec<&'e CapabilityEdge>>,
}

impl<'e> Held<'e> {
    /// Files the certain edges towards data.
    pub(crate) fn new(edges: &'e [CapabilityEdge]) -> Self {
        let mut certain: BTreeMap<(&str, &str), Vec<&CapabilityEdge>> = BTreeMap::new();
        for edge in edges.iter().filter(|edge| edge.decision == Decision::Allow && leads(edge.capability)) {
            certain.entry((&edge.principal, &edge.target)).or_default().push(edge);
        }
        Self { certain }
    }

    /// Whether somebody has a capability already by some of these very statements, so that a way round adds nothing.
    pub(crate) fn already(
        &self,
        principal: &str,
        target: &str,
        capability: Capability,
        statements: &StatementSet,
    ) -> bool {
        self.certain.get(&(principal, target)).into_iter().flatten().any(|edge| {
            edge.capability == capability
                && edge.statements.iter().all(|statement| statements.contains(statement))
        })
    }
}

/// Whether a capability leads to record bytes.
pub(crate) const fn leads(capability: Capability) -> bool {
    matches!(
        capability,
        Capability::ReadObjects | Capability::ReadRecords | Capability::Decrypt | Capability::OperateHost
    )
}

impl Identities<'_> {
    /// Every consequence of every edit.
    pub(crate) fn consequences(&self, targets: &[Target], edges: &mut Edges) {
        let mut by_account: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (number, target) in targets.iter().enumerate().filter(|(_, target)| matters(target)) {
            by_account.entry(target.resource.account.as_str()).or_default().push(number);
        }
        let found = {
            let held = Held::new(&edges.all);
            self.gained(targets, &by_account, &held)
        };
        for ((actor, action, number, enabled), reasons) in found {
            if let (Some(asking), Some(target)) = (self.world.identities.get(actor), targets.get(number)) {
                edges.add(
                    &asking.arn,
                    Capability::ChangePolicy,
                    &target.id,
                    action,
                    Some(&enabled),
                    &reasons,
                );
            }
        }
    }

    fn gained(
        &self,
        targets: &[Target],
        by_account: &BTreeMap<&str, Vec<usize>>,
        held: &Held<'_>,
    ) -> BTreeMap<(usize, &str, usize, Enabled), Vec<Reason>> {
        let mut potential = Potential::new();
        let mut gained: BTreeMap<(usize, &str, usize, Enabled), Vec<Reason>> = BTreeMap::new();
        let mut alike: BTreeMap<Likeness<'_>, usize> = BTreeMap::new();
        let mut left_out: LeftOut = BTreeMap::new();
        let marks = self.marks(targets);
        for ((actor, place), edits) in &self.editing {
            let (Some(asking), Some(edited)) =
                (self.world.identities.get(*actor), self.world.identities.get(*place))
            else {
                continue;
            };
            let becoming = match self.becoming.get(&(*actor, *place)) {
                _ if actor == place => vec![Reason::given()],
                Some(reasons) => tidy(reasons.clone()),
                None => continue,
            };
            if actor != place && !marks.named.contains(place) {
                let reasons = edits.iter().flat_map(|edit| &edit.reasons);
                let by: BTreeSet<&StatementRef> =
                    reasons.flat_map(|reason| reason.statements.iter()).map(AsRef::as_ref).collect();
                let boundary = edited.boundary_arn.as_deref();
                let count = alike
                    .entry((
                        *actor,
                        &edited.account,
                        edited.kind,
                        boundary,
                        &edited.tags,
                        marks.of(edited),
                        by,
                    ))
                    .or_default();
                *count += 1;
                if *count > ALIKE {
                    left_out.entry(*actor).or_default().insert(*place);
                    continue;
                }
            }
            let unbound = edits.iter().any(|edit| edit.unbinds);
            for edit in edits {
                let Some(supposing) = supposing(edit, unbound, edited) else { continue };
                let enabling = combine([edit.reasons.clone(), becoming.clone()]);
                for &number in by_account.get(edited.account.as_str()).into_iter().flatten() {
                    let Some(target) = targets.get(number) else { continue };
                    let could = potential
                        .entry((*place, supposing, number))
                        .or_insert_with(|| self.potential(edited, target, supposing));
                    for (enabled, could) in could.iter() {
                        let combined: Vec<Reason> = combine([enabling.clone(), could.clone()])
                            .into_iter()
                            .filter(|reason| {
                                !held.already(&asking.arn, &target.id, enabled.capability, &reason.statements)
                            })
                            .collect();
                        if combined.is_empty() {
                            continue;
                        }
                        let known =
                            gained.entry((*actor, &edit.action, number, enabled.clone())).or_default();
                        known.extend(combined);
                        *known = tidy(std::mem::take(known));
                    }
                }
            }
        }
        self.sum_up(targets, &left_out, &mut gained);
        gained
    }

    /// What tells identities apart that are alike otherwise.
    fn marks(&self, targets: &[Target]) -> Marks {
        let mut marks = Marks::default();
        let of_targets = targets.iter().filter_map(|target| match &target.policy {
            Guard::Policy(policy) => Some(policy),
            _ => None,
        });
        let accounts: BTreeSet<&str> =
            self.world.identities.iter().map(|identity| identity.account.as_str()).collect();
        let rails = accounts.iter().filter_map(|account| self.world.rails(account));
        for policy in of_targets.chain(rails.flat_map(Rails::policies)) {
            for statement in &policy.statements {
                let Body::Read(clauses) = &statement.body else { continue };
                for named in clauses.principals.iter().flat_map(|principals| &principals.named) {
                    marks.name(self.world, named);
                }
                let conditions = clauses.conditions.iter().flatten();
                for condition in
                    conditions.filter(|condition| condition.key.eq_ignore_ascii_case("aws:PrincipalArn"))
                {
                    marks.patterns.extend(condition.written());
                }
            }
        }
        for grant in targets.iter().flat_map(|target| &target.grants) {
            marks.name(self.world, &grantee(&grant.grantee));
        }
        marks
    }

    /// What those add who were left out because others are like them: each of their ways rests on the edit at least, and
    /// leads to where the ways through the others lead.
    fn sum_up(
        &self,
        targets: &[Target],
        left_out: &LeftOut,
        gained: &mut BTreeMap<(usize, &str, usize, Enabled), Vec<Reason>>,
    ) {
        let mut by_edit: BTreeMap<(usize, &str, &str), BTreeSet<&StatementSet>> = BTreeMap::new();
        for (actor, place) in
            left_out.iter().flat_map(|(actor, places)| places.iter().map(move |at| (actor, at)))
        {
            let Some(edited) = self.world.identities.get(*place) else { continue };
            for edit in self.editing.get(&(*actor, *place)).into_iter().flatten() {
                let sets = by_edit.entry((*actor, &edit.action, &edited.account)).or_default();
                sets.extend(edit.reasons.iter().map(|reason| &reason.statements));
            }
        }
        for ((actor, action, number, _), reasons) in gained.iter_mut() {
            let account = targets.get(*number).map_or("", |target| &target.resource.account);
            let Some(sets) = by_edit.get(&(*actor, action, account)) else { continue };
            reasons.extend(sets.iter().map(|statements| Reason::summary((*statements).clone())));
            *reasons = tidy(std::mem::take(reasons));
        }
    }

    /// What a changed identity could do that leads to record bytes, by the first action that gives it.
    fn potential(
        &self,
        edited: &Identity,
        target: &Target,
        supposing: Supposing,
    ) -> Vec<(Enabled, Vec<Reason>)> {
        let mut found: BTreeMap<Capability, (Enabled, Vec<Reason>)> = BTreeMap::new();
        for entry in self.world.catalogue.entries(target.kind) {
            let Some(capability) = entry.gives.filter(|capability| leads(*capability)) else { continue };
            // Nothing can be added to a certain way that rests on nothing.
            let given = |(_, known): &(Enabled, Vec<Reason>)| known.first() == Some(&Reason::given());
            if found.get(&capability).is_some_and(given) {
                continue;
            }
            let Some(prepared) = Prepared::new(self.world, entry, target) else { continue };
            let reasons = prepared.reasons(
                self.world,
                Requester::Identity(edited),
                target,
                Request::default(),
                supposing,
            );
            if reasons.is_empty() {
                continue;
            }
            let (_, known) = found
                .entry(capability)
                .or_insert_with(|| (Enabled { capability, action: entry.action.clone() }, Vec::new()));
            known.extend(reasons);
            *known = tidy(std::mem::take(known));
        }
        found.into_values().collect()
    }
}

fn supposing(edit: &Edit, unbound: bool, edited: &Identity) -> Option<Supposing> {
    if let Some(group) = edit.joins {
        return Some(Supposing::Joined(group));
    }
    match (edit.unbinds, unbound) {
        (true, _) if matches!(edited.boundary, Guard::None) => None,
        (true, _) => Some(Supposing::Unbounded),
        (false, false) => Some(Supposing::Rewritten),
        (false, true) => Some(Supposing::RewrittenAndUnbounded),
    }
}

fn matters(target: &Target) -> bool {
    let kind = matches!(
        target.kind,
        TargetKind::Bucket
            | TargetKind::Volume
            | TargetKind::Snapshot
            | TargetKind::Key
            | TargetKind::Host
            | TargetKind::MskTopic
            | TargetKind::Secret
    );
    kind && !target.provider_managed
}
