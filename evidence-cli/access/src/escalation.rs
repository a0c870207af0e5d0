//! Escalation told in order: what a principal gains by steps of its own, the enabling step first.
//!
//! The edges of [`Access`] are single steps. Here they are chained from one principal: whom it can become, and what it
//! can then do, until nothing new is reached. Of several chains the most certain is told, then the shortest. What the
//! principal may do already, without a condition, is no escalation.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use cadastre_model::access::{Access, Capability, CapabilityEdge, Decision, Escalation, EscalationStep};
use cadastre_model::asset::StatementRef;
use cadastre_model::inventory::Inventory;

/// Editing this lets its author in.
const TRUST_EDIT: &str = "iam:UpdateAssumeRolePolicy";
/// Setting a role's own tags.
const OWN_TAGS: &str = "iam:TagRole";
/// Sending tags along with a request for a role's session.
const SESSION_TAGS: &str = "sts:TagSession";

/// The edges of everybody, ready to be chained.
#[derive(Debug)]
pub struct Chains<'a> {
    by_principal: BTreeMap<&'a str, Vec<&'a CapabilityEdge>>,
    /// The role that a host runs as.
    runs_as: BTreeMap<String, &'a str>,
}

/// How somebody was reached.
#[derive(Debug, Clone)]
struct Chain {
    cost: u64,
    steps: Vec<EscalationStep>,
}

impl<'a> Chains<'a> {
    /// Files the edges.
    #[must_use]
    pub fn new(inventory: &'a Inventory, access: &'a Access) -> Self {
        let mut by_principal: BTreeMap<&str, Vec<&CapabilityEdge>> = BTreeMap::new();
        for edge in &access.edges {
            by_principal.entry(&edge.principal).or_default().push(edge);
        }
        let hosts = inventory.instances.iter().filter_map(|instance| {
            let arn =
                format!("arn:aws:ec2:{}:{}:instance/{}", instance.region, instance.account, instance.id);
            Some((arn, instance.role.observed()?.as_str()))
        });
        Self { by_principal, runs_as: hosts.collect() }
    }

    /// Everything that a principal gains, sorted by target and capability.
    #[must_use]
    pub fn of(&self, principal: &str) -> Vec<Escalation> {
        let reached = self.reach(principal);
        let mut cheapest: BTreeMap<(&str, Capability), Chain> = BTreeMap::new();
        for (&who, chain) in &reached {
            if chain.steps.len() > 1 {
                offer(&mut cheapest, who, Capability::Assume, chain.clone());
            }
            for edge in self.edges_of(who) {
                let direct = who == principal;
                if !direct {
                    offer(&mut cheapest, &edge.target, edge.capability, chain.with([step(edge)]));
                }
                if let Some((capability, chain)) = self.enabled(edge, chain) {
                    offer(&mut cheapest, &edge.target, capability, chain);
                }
            }
        }
        for edge in self.edges_of(principal).iter().filter(|edge| edge.decision == Decision::Allow) {
            cheapest.remove(&(edge.target.as_str(), edge.capability));
        }
        cheapest
            .into_iter()
            .filter(|((target, _), _)| *target != principal)
            .map(|((target, capability), chain)| Escalation {
                principal: principal.to_owned(),
                capability,
                target: target.to_owned(),
                decision: chain
                    .steps
                    .iter()
                    .map(|step| step.decision.clone())
                    .fold(Decision::Allow, Decision::and),
                steps: chain.steps,
            })
            .collect()
    }

    /// Everybody who gains anything.
    pub fn principals(&self) -> impl Iterator<Item = &'a str> + '_ {
        self.by_principal.keys().copied()
    }

    fn edges_of(&self, principal: &str) -> &[&'a CapabilityEdge] {
        self.by_principal.get(principal).map_or(&[], Vec::as_slice)
    }

    /// Whom somebody can become, each by its cheapest chain.
    fn reach(&self, principal: &str) -> BTreeMap<&'a str, Chain> {
        let mut reached: BTreeMap<&str, Chain> = BTreeMap::new();
        let Some((&origin, _)) = self.by_principal.get_key_value(principal) else { return reached };
        reached.insert(origin, Chain { cost: 0, steps: Vec::new() });
        let mut settled: BTreeSet<&str> = BTreeSet::new();
        let mut waiting = BinaryHeap::from([Reverse((0_u64, origin))]);
        while let Some(Reverse((_, who))) = waiting.pop() {
            if !settled.insert(who) {
                continue;
            }
            let Some(chain) = reached.get(who).cloned() else { continue };
            // A service assumes roles on behalf of the account it serves; that is no way in for anybody.
            if who.starts_with("service:") {
                continue;
            }
            for edge in self.edges_of(who) {
                let Some((to, through)) = self.hop(edge, &chain) else { continue };
                if settled.contains(to) || reached.get(to).is_some_and(|known| !through.better(known)) {
                    continue;
                }
                waiting.push(Reverse((through.cost, to)));
                reached.insert(to, through);
            }
        }
        reached
    }

    /// The identity that an edge leads to, and how.
    fn hop(&self, edge: &'a CapabilityEdge, chain: &Chain) -> Option<(&'a str, Chain)> {
        let as_host = |steps: Vec<EscalationStep>| {
            let role = *self.runs_as.get(edge.target.as_str())?;
            let runs = then(&edge.target, Capability::Assume, role, "instance profile");
            Some((role, chain.with(steps.into_iter().chain([runs]))))
        };
        match edge.capability {
            Capability::Assume => Some((edge.target.as_str(), chain.with([step(edge)]))),
            Capability::ChangePolicy if edge.action == TRUST_EDIT => {
                let enters = then(&edge.principal, Capability::Assume, &edge.target, "sts:AssumeRole");
                Some((edge.target.as_str(), chain.with([step(edge), enters])))
            }
            Capability::OperateHost => as_host(vec![step(edge)]),
            Capability::ChangePolicy => match &edge.enables {
                Some(enabled) if enabled.capability == Capability::OperateHost => {
                    as_host(self.enabling(edge)?)
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// What follows from an enabling edge, and how.
    fn enabled(&self, edge: &'a CapabilityEdge, chain: &Chain) -> Option<(Capability, Chain)> {
        let enabled = edge.enables.as_ref()?;
        Some((enabled.capability, chain.with(self.enabling(edge)?)))
    }

    /// The steps of an enabling edge: the change, becoming what was changed, and what follows.
    fn enabling(&self, edge: &'a CapabilityEdge) -> Option<Vec<EscalationStep>> {
        let enabled = edge.enables.as_ref()?;
        let mut steps = vec![step(edge)];
        let mut actor = edge.principal.as_str();
        if edge.action == OWN_TAGS {
            actor.clone_into(&mut steps.first_mut()?.target);
        } else if edge.action == SESSION_TAGS {
            let entering = self.entered(edge)?;
            actor = entering.target.as_str();
            steps = vec![EscalationStep {
                decision: edge.decision.clone(),
                choices: edge.choices.clone(),
                action: format!("{} and {SESSION_TAGS}", entering.action),
                ..step(entering)
            }];
        } else if edge.action.starts_with("iam:") {
            let (edited, entering) = self.edited(edge)?;
            actor = edited.target.as_str();
            steps = vec![EscalationStep { decision: edge.decision.clone(), ..step(edited) }];
            steps.extend(entering.map(step));
        }
        let last = then(actor, enabled.capability, &edge.target, &enabled.action);
        let told: BTreeSet<&StatementRef> = steps.iter().flat_map(|step| &step.statements).collect();
        let statements =
            edge.statements.iter().filter(|statement| !told.contains(statement)).cloned().collect();
        steps.push(EscalationStep { statements, ..last });
        Some(steps)
    }

    /// The way into the role whose session an enabling edge tags: it rests on the edge's statements.
    fn entered(&self, edge: &CapabilityEdge) -> Option<&'a CapabilityEdge> {
        self.edges_of(&edge.principal).iter().copied().find(|candidate| {
            candidate.action == "sts:AssumeRole"
                && candidate.statements.iter().all(|statement| edge.statements.contains(statement))
        })
    }

    /// The identity whose policies an enabling edge changes, and the way into it: both rest on the edge's statements.
    fn edited(&self, edge: &CapabilityEdge) -> Option<(&'a CapabilityEdge, Option<&'a CapabilityEdge>)> {
        let rests = |candidate: &CapabilityEdge| {
            candidate.statements.iter().all(|statement| edge.statements.contains(statement))
        };
        let own = self.edges_of(&edge.principal);
        let edits = own.iter().copied().filter(|candidate| {
            candidate.action == edge.action
                && candidate.enables.is_none()
                && candidate.target.contains(":iam:")
                && rests(candidate)
        });
        let mut found: Vec<(&CapabilityEdge, Option<&CapabilityEdge>)> = Vec::new();
        for edit in edits {
            if edit.target == edge.principal {
                return Some((edit, None));
            }
            let enters = own.iter().copied().find(|candidate| {
                let becomes = candidate.capability == Capability::Assume || candidate.action == TRUST_EDIT;
                becomes && candidate.target == edit.target && rests(candidate)
            });
            found.extend(enters.map(|enters| (edit, Some(enters))));
        }
        found.into_iter().next()
    }
}

impl Chain {
    fn with(&self, steps: impl IntoIterator<Item = EscalationStep>) -> Self {
        let mut longer = self.clone();
        for step in steps {
            longer.cost = longer.cost.saturating_add(cost(&step.decision));
            longer.steps.push(step);
        }
        longer
    }

    /// Cheaper, and of two that cost the same the one that sorts first.
    fn better(&self, known: &Self) -> bool {
        (self.cost, &self.steps) < (known.cost, &known.steps)
    }
}

fn offer<'a>(
    cheapest: &mut BTreeMap<(&'a str, Capability), Chain>,
    target: &'a str,
    capability: Capability,
    chain: Chain,
) {
    match cheapest.get(&(target, capability)) {
        Some(known) if !chain.better(known) => {}
        _ => {
            cheapest.insert((target, capability), chain);
        }
    }
}

/// A certain step costs one, a conditional one as much as a thousand, one on missing evidence as much as a million.
const fn cost(decision: &Decision) -> u64 {
    match decision {
        Decision::Allow => 1,
        Decision::Conditional(_) => 1_000,
        Decision::Unknown(_) | Decision::Deny => 1_000_000,
    }
}

fn step(edge: &CapabilityEdge) -> EscalationStep {
    EscalationStep {
        principal: edge.principal.clone(),
        capability: edge.capability,
        target: edge.target.clone(),
        action: edge.action.clone(),
        decision: edge.decision.clone(),
        choices: edge.choices.clone(),
        statements: edge.statements.clone(),
    }
}

/// A step that an earlier one has made certain.
fn then(principal: &str, capability: Capability, target: &str, action: &str) -> EscalationStep {
    EscalationStep {
        principal: principal.to_owned(),
        capability,
        target: target.to_owned(),
        action: action.to_owned(),
        decision: Decision::Allow,
        choices: Vec::new(),
        statements: Vec::new(),
    }
}
