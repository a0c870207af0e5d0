//! What editors gain: capabilities that an identity would have once its policies were changed.
//!
//! Where somebody can change the policies of an identity that it is or can become, the consequence is worked out here:
//! what that identity could do once changed. Such an edge has the capability `change-policy` over the store, key or
//! host itself, the editing action, and in `enables` what follows, so that whoever reads it sees the enabling step and
//! not a capability that nobody has yet.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use cadastre_model::access::{Capability, CapabilityEdge, Decision, Enabled};
use cadastre_model::asset::identity::PrincipalKind;
use cadastre_model::asset::{StatementRef, Tag};
use foldhash::fast::RandomState;
use rayon::prelude::*;

use crate::bulk::{Edges, Prepared, place_of};
use crate::catalogue::{Entry, TargetKind};
use crate::choice::Request;
use crate::decide::{Supposing, grantee};
use crate::document::{Body, Guard};
use crate::pattern;
use crate::reason::{MAXIMUM_REASONS, Reason, combine, tidy};
use crate::requester::{Identity, Named, Requester};
use crate::roles::{Edit, Identities};
use crate::statement_set::StatementSet;
use crate::targets::Target;
use crate::world::{Rails, World};

/// How many identities that differ in nothing but their names one editor is followed through.
const ALIKE: usize = 8;

/// What identities have in common for one editor.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Likeness<'a> {
    account: &'a str,
    kind: PrincipalKind,
    boundary: Option<&'a str>,
    tags: &'a [Tag],
    marks: &'a [usize],
    /// What the edits rest on.
    by: StatementSet,
}

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

/// What an identity could do to targets, were it changed: by the number of the target.
type Potential = Vec<(usize, Vec<(Enabled, Vec<Reason>)>)>;

/// What one editor gains: by action, target and what follows.
type Gained<'a> = BTreeMap<(&'a str, usize, Enabled), Vec<Reason>>;

/// Whom one editor edits, by place, and how.
type Edited<'a> = Vec<(usize, &'a [Edit])>;

/// A target with its questions that lead to record bytes, templates filled in.
struct Asked<'a> {
    number: usize,
    target: &'a Target,
    questions: Vec<(&'a Entry, Capability, Prepared)>,
}

/// An identity that an editor is followed through.
struct Followed<'a> {
    place: usize,
    edited: &'a Identity,
    edits: &'a [Edit],
    becoming: Vec<Reason>,
    /// Whether some edit takes its boundary away.
    unbound: bool,
}

/// One editor, and whom it is followed through.
struct Editor<'a> {
    asking: &'a Identity,
    followed: Vec<Followed<'a>>,
    /// Those who are not followed because others are like them.
    left_out: Vec<(&'a Identity, &'a [Edit])>,
}

/// What somebody may already, by principal and target: the statements of each certain edge.
struct Held<'e> {
    certain: HashMap<(&'e str, &'e str), Vec<&'e CapabilityEdge>, RandomState>,
}

impl<'e> Held<'e> {
    /// Files the certain edges towards data.
    fn new(edges: &'e [CapabilityEdge]) -> Self {
        let mut certain: HashMap<(&str, &str), Vec<&CapabilityEdge>, RandomState> = HashMap::default();
        for edge in edges.iter().filter(|edge| edge.decision == Decision::Allow && leads(edge.capability)) {
            certain.entry((&edge.principal, &edge.target)).or_default().push(edge);
        }
        Self { certain }
    }

    /// Whether somebody has a capability already by some of these very statements, so that a way round adds nothing.
    fn already(
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
        let marks = self.marks(targets);
        let editors = self.editors(&marks);
        let wanted: BTreeSet<(usize, Supposing)> = editors
            .iter()
            .flat_map(|editor| &editor.followed)
            .flat_map(|followed| {
                let supposed = followed.edits.iter().filter_map(|edit| followed.supposing(edit));
                supposed.map(|supposing| (followed.place, supposing))
            })
            .collect();
        let by_account = self.asked(targets);
        let potentials: BTreeMap<(usize, Supposing), Potential> = wanted
            .into_par_iter()
            .map(|(place, supposing)| ((place, supposing), self.potential(place, supposing, &by_account)))
            .collect();
        let found: Vec<Edges> = {
            let held = Held::new(&edges.all);
            editors.par_iter().map(|editor| editor.gains(targets, &potentials, &held)).collect()
        };
        for found in found {
            edges.append(found);
        }
    }

    /// Every editor with those whom it is followed through.
    fn editors(&self, marks: &Marks) -> Vec<Editor<'_>> {
        let mut by_actor: Vec<(usize, Edited<'_>)> = Vec::new();
        for ((actor, place), edits) in &self.editing {
            match by_actor.last_mut() {
                Some((last, edited)) if last == actor => edited.push((*place, edits)),
                _ => by_actor.push((*actor, vec![(*place, edits)])),
            }
        }
        let marked: Vec<Vec<usize>> =
            self.world.identities.par_iter().map(|identity| marks.of(identity)).collect();
        by_actor
            .into_par_iter()
            .filter_map(|(actor, edited)| self.editor(actor, &edited, marks, &marked))
            .collect()
    }

    fn editor<'a>(
        &'a self,
        actor: usize,
        edited: &[(usize, &'a [Edit])],
        marks: &Marks,
        marked: &[Vec<usize>],
    ) -> Option<Editor<'a>> {
        let mut editor =
            Editor { asking: self.world.identities.get(actor)?, followed: Vec::new(), left_out: Vec::new() };
        let mut alike: BTreeMap<Likeness<'_>, usize> = BTreeMap::new();
        for &(place, edits) in edited {
            let Some(edited) = self.world.identities.get(place) else { continue };
            let becoming = self.becoming.get(&(actor, place));
            if actor != place && becoming.is_none() {
                continue;
            }
            if actor != place && !marks.named.contains(&place) {
                let likeness = Likeness {
                    account: &edited.account,
                    kind: edited.kind,
                    boundary: edited.boundary_arn.as_deref(),
                    tags: &edited.tags,
                    marks: marked.get(place).map_or(&[], Vec::as_slice),
                    by: rest_of(edits),
                };
                let count = alike.entry(likeness).or_default();
                *count += 1;
                if *count > ALIKE {
                    editor.left_out.push((edited, edits));
                    continue;
                }
            }
            let becoming = match becoming {
                Some(reasons) if actor != place => tidy(reasons.clone()),
                _ => vec![Reason::given()],
            };
            let unbound = edits.iter().any(|edit| edit.unbinds);
            editor.followed.push(Followed { place, edited, edits, becoming, unbound });
        }
        Some(editor)
    }

    /// The questions about each target that matters, by account.
    fn asked<'a>(&'a self, targets: &'a [Target]) -> BTreeMap<&'a str, Vec<Asked<'a>>> {
        let asked: Vec<Asked<'a>> = targets
            .par_iter()
            .enumerate()
            .filter(|(_, target)| matters(target))
            .map(|(number, target)| {
                let leading = self.world.catalogue.entries(target.kind).iter().filter_map(|entry| {
                    let capability = entry.gives.filter(|capability| leads(*capability))?;
                    Some((entry, capability, Prepared::new(self.world, entry, target)?))
                });
                Asked { number, target, questions: leading.collect() }
            })
            .collect();
        let mut by_account: BTreeMap<&str, Vec<Asked<'a>>> = BTreeMap::new();
        for asked in asked {
            by_account.entry(asked.target.resource.account.as_str()).or_default().push(asked);
        }
        by_account
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

    /// What a changed identity could do in its account that leads to record bytes.
    fn potential(
        &self,
        place: usize,
        supposing: Supposing,
        by_account: &BTreeMap<&str, Vec<Asked<'_>>>,
    ) -> Potential {
        let Some(edited) = self.world.identities.get(place) else { return Potential::new() };
        let asked = by_account.get(edited.account.as_str()).map_or(&[][..], Vec::as_slice);
        asked
            .iter()
            .map(|asked| (asked.number, self.could(edited, asked, supposing)))
            .filter(|(_, could)| !could.is_empty())
            .collect()
    }

    /// The same for one target, by the first action that gives it.
    fn could(
        &self,
        edited: &Identity,
        asked: &Asked<'_>,
        supposing: Supposing,
    ) -> Vec<(Enabled, Vec<Reason>)> {
        let mut found: BTreeMap<Capability, (Enabled, Vec<Reason>)> = BTreeMap::new();
        for (entry, capability, prepared) in &asked.questions {
            let capability = *capability;
            // Nothing can be added to a certain way that rests on nothing.
            let given = |(_, known): &(Enabled, Vec<Reason>)| known.first() == Some(&Reason::given());
            if found.get(&capability).is_some_and(given) {
                continue;
            }
            let reasons = prepared.reasons(
                self.world,
                Requester::Identity(edited),
                asked.target,
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

impl Followed<'_> {
    fn supposing(&self, edit: &Edit) -> Option<Supposing> {
        if let Some(group) = edit.joins {
            return Some(Supposing::Joined(group));
        }
        match (edit.unbinds, self.unbound) {
            (true, _) if matches!(self.edited.boundary, Guard::None) => None,
            (true, _) => Some(Supposing::Unbounded),
            (false, false) => Some(Supposing::Rewritten),
            (false, true) => Some(Supposing::RewrittenAndUnbounded),
        }
    }
}

impl<'a> Editor<'a> {
    /// The edges of everything it gains.
    fn gains(
        &self,
        targets: &[Target],
        potentials: &BTreeMap<(usize, Supposing), Potential>,
        held: &Held<'_>,
    ) -> Edges {
        let mut gained = self.gained(targets, potentials, held);
        self.sum_up(targets, &mut gained);
        let mut edges = Edges::default();
        for ((action, number, enabled), reasons) in gained {
            if let Some(target) = targets.get(number) {
                let way = Some(&enabled);
                edges.add(&self.asking.arn, Capability::ChangePolicy, &target.id, action, way, &reasons);
            }
        }
        edges
    }

    fn gained(
        &self,
        targets: &[Target],
        potentials: &BTreeMap<(usize, Supposing), Potential>,
        held: &Held<'_>,
    ) -> Gained<'a> {
        let mut gained = Gained::new();
        // Those who are alike are mostly changed by the same statements and could do the same then: what adds nothing is
        // not worked out again.
        let mut seen: Vec<(&str, Vec<Reason>, &Potential)> = Vec::new();
        let mut summed_up = false;
        for followed in &self.followed {
            for edit in followed.edits {
                let could = followed
                    .supposing(edit)
                    .and_then(|supposing| potentials.get(&(followed.place, supposing)))
                    .filter(|could| !could.is_empty());
                let Some(could) = could else { continue };
                let enabling = combine([edit.reasons.to_vec(), followed.becoming.clone()]);
                let again = |(action, by, then): &(&str, Vec<Reason>, &Potential)| {
                    *action == edit.action && *by == enabling && *then == could
                };
                // Where reasons were summed up, more of the same may be summed up otherwise.
                if !summed_up && seen.iter().any(again) {
                    continue;
                }
                for (number, could) in could {
                    let Some(target) = targets.get(*number) else { continue };
                    for (enabled, could) in could {
                        let combined: Vec<Reason> = combine([enabling.clone(), could.clone()])
                            .into_iter()
                            .filter(|reason| {
                                let capability = enabled.capability;
                                !held.already(&self.asking.arn, &target.id, capability, &reason.statements)
                            })
                            .collect();
                        if combined.is_empty() {
                            continue;
                        }
                        let known = gained.entry((&edit.action, *number, enabled.clone())).or_default();
                        known.extend(combined);
                        *known = tidy(std::mem::take(known));
                        summed_up |=
                            known.iter().any(|reason| reason.summary) || known.len() >= MAXIMUM_REASONS;
                    }
                }
                seen.push((&edit.action, enabling, could));
            }
        }
        gained
    }

    /// What those add who were left out because others are like them: each of their ways rests on the edit at least, and
    /// leads to where the ways through the others lead.
    fn sum_up(&self, targets: &[Target], gained: &mut Gained<'_>) {
        let mut by_edit: BTreeMap<(&str, &str), BTreeSet<&StatementSet>> = BTreeMap::new();
        for (edited, edits) in &self.left_out {
            for edit in *edits {
                let sets = by_edit.entry((&edit.action, &edited.account)).or_default();
                sets.extend(edit.reasons.iter().map(|reason| &reason.statements));
            }
        }
        if by_edit.is_empty() {
            return;
        }
        for ((action, number, _), reasons) in gained.iter_mut() {
            let account = targets.get(*number).map_or("", |target| &target.resource.account);
            let Some(sets) = by_edit.get(&(*action, account)) else { continue };
            reasons.extend(sets.iter().map(|statements| Reason::summary((*statements).clone())));
            *reasons = tidy(std::mem::take(reasons));
        }
    }
}

/// What edits rest on, all of them together.
fn rest_of(edits: &[Edit]) -> StatementSet {
    let mut seen: Vec<&Arc<StatementRef>> = Vec::new();
    for statement in
        edits.iter().flat_map(|edit| edit.reasons.iter()).flat_map(|reason| reason.statements.iter())
    {
        if !seen.iter().any(|known| Arc::ptr_eq(known, statement)) {
            seen.push(statement);
        }
    }
    seen.into_iter().cloned().collect()
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
