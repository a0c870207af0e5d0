//! Plaintext derivations over an AND/OR graph, cheapest first.
//!
//! Two questions are nested. Whom can a principal become, by a chain of hops (trust, credentials, a role passed,
//! a host's role)? And does one of those identities read a store *and* decrypt with its key, where either may
//! first be enabled by an edit of policies that any of the identities can make? Costs are additive: a certain
//! step costs one, a conditional one as much as a thousand, one on missing evidence as much as a million, so
//! that the witness shown is the most certain and then the shortest.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use cadastre_model::access::{Access, Capability, CapabilityEdge, Decision};
use cadastre_model::asset::StatementRef;
use cadastre_model::graph::Step;
use cadastre_model::inventory::Inventory;

use crate::scope::{Protection, RecordStore, Scope, instance_id};
use crate::sides::{Sides, account, is_kafka};

/// The number of a statement.
pub(crate) type StatementId = u32;

/// One or two steps that are taken together, and the statements they rest on.
#[derive(Debug, Clone)]
pub(crate) struct Move {
    pub(crate) steps: Vec<Step>,
    pub(crate) statements: Vec<StatementId>,
    pub(crate) cost: u64,
}

/// A hop to another identity.
#[derive(Debug)]
struct Hop {
    to: usize,
    by: Move,
}

/// Whom somebody can become: the cost, and the last hop with where it came from.
type Reached<'m> = BTreeMap<usize, (u64, Option<(usize, &'m Hop)>)>;

/// What identities can do towards one target.
#[derive(Debug, Default)]
pub(crate) struct Goal {
    /// Reading what is stored.
    read: BTreeMap<usize, Vec<Move>>,
    /// Making it readable for any identity one is.
    open_store: BTreeMap<usize, Vec<Move>>,
    /// Decrypting it.
    decrypt: BTreeMap<usize, Vec<Move>>,
    /// Making it decryptable for any identity one is.
    open_key: BTreeMap<usize, Vec<Move>>,
    /// Reaching plaintext in one move.
    plain: BTreeMap<usize, Vec<Move>>,
    /// Whether decryption is needed.
    needs_key: bool,
    /// Set where the store's protection is not known.
    unsettled: Option<Step>,
    /// Identities that can do any of this, and everybody who can become one of them.
    pub(crate) useful: BTreeSet<usize>,
}

/// A derivation.
#[derive(Debug, Clone)]
pub(crate) struct Witness {
    pub(crate) steps: Vec<Step>,
    pub(crate) statements: BTreeSet<StatementId>,
}

/// Everybody and how they become each other.
#[derive(Debug)]
pub(crate) struct Map<'a> {
    pub(crate) names: Vec<&'a str>,
    numbers: BTreeMap<&'a str, usize>,
    /// For each identity, those whose edges it shares: itself, its account, anybody.
    shares: Vec<Vec<usize>>,
    hops: Vec<Vec<Hop>>,
    statements: BTreeMap<&'a StatementRef, StatementId>,
    by_number: Vec<&'a StatementRef>,
    edges: &'a [CapabilityEdge],
    by_target: BTreeMap<&'a str, Vec<usize>>,
}

const fn cost_of(decision: &Decision) -> u64 {
    match decision {
        Decision::Allow => 1,
        Decision::Conditional(_) => 1_000,
        Decision::Unknown(_) | Decision::Deny => 1_000_000,
    }
}

/// Whether an edit gives its author whatever it likes to a store or key.
fn opens(edge: &CapabilityEdge) -> bool {
    match edge.capability {
        Capability::ChangePolicy => edge.action == "s3:PutBucketPolicy",
        Capability::ManageKey => matches!(edge.action.as_str(), "kms:PutKeyPolicy" | "kms:CreateGrant"),
        _ => false,
    }
}

/// Whether an edge says that its principal, having changed a policy or a tag first, could use the target.
fn rewrites(edge: &CapabilityEdge) -> bool {
    edge.capability == Capability::ChangePolicy && (edge.enables.is_some() || edge.action.starts_with("iam:"))
}

impl<'a> Map<'a> {
    /// Numbers everybody in the edges and finds the hops between them.
    pub(crate) fn new(inventory: &'a Inventory, access: &'a Access, sides: &Sides<'_>) -> Self {
        let mut names: BTreeSet<&str> = BTreeSet::new();
        let mut by_target: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        let mut users: BTreeMap<&StatementRef, BTreeSet<&str>> = BTreeMap::new();
        for (number, edge) in access.edges.iter().enumerate() {
            names.insert(&edge.principal);
            if edge.capability == Capability::Assume {
                names.insert(&edge.target);
            }
            by_target.entry(&edge.target).or_default().push(number);
            for statement in &edge.statements {
                users.entry(statement).or_default().insert(&edge.principal);
            }
        }
        names.extend(
            inventory.instances.iter().filter_map(|instance| instance.role.observed()).map(String::as_str),
        );
        // Numbered by how few rest on them: of two cuts of one size, the one that disturbs fewest others is taken.
        let mut ranked: Vec<(usize, &StatementRef)> =
            users.into_iter().map(|(statement, users)| (users.len(), statement)).collect();
        ranked.sort_unstable();
        let by_number: Vec<&StatementRef> = ranked.into_iter().map(|(_, statement)| statement).collect();
        let statements = by_number.iter().copied().zip(0..).collect();
        let names: Vec<&str> = names.into_iter().collect();
        let numbers: BTreeMap<&str, usize> = names.iter().enumerate().map(|(n, name)| (*name, n)).collect();
        let shares =
            names.iter().enumerate().map(|(number, name)| shares(number, name, &numbers, sides)).collect();
        let mut map = Self {
            hops: std::iter::repeat_with(Vec::new).take(names.len()).collect(),
            names,
            numbers,
            shares,
            statements,
            by_number,
            edges: &access.edges,
            by_target,
        };
        map.add_hops(inventory);
        map
    }

    /// The statement with a number.
    pub(crate) fn statement(&self, id: StatementId) -> Option<&'a StatementRef> {
        self.by_number.get(usize::try_from(id).ok()?).copied()
    }

    fn ids(&self, edge: &CapabilityEdge) -> Vec<StatementId> {
        edge.statements.iter().filter_map(|statement| self.statements.get(statement).copied()).collect()
    }

    fn add_hops(&mut self, inventory: &Inventory) {
        let mut roles: BTreeMap<String, (usize, &str)> = BTreeMap::new();
        for instance in &inventory.instances {
            if let Some(role) = instance.role.observed()
                && let Some(number) = self.numbers.get(role.as_str())
            {
                roles.insert(instance_id(instance), (*number, role));
            }
        }
        for edge in self.edges {
            let Some(&from) = self.numbers.get(edge.principal.as_str()) else { continue };
            // A service assumes roles on behalf of the account it serves; that is no way in for anybody.
            if edge.principal.starts_with("service:") {
                continue;
            }
            let hop = match edge.capability {
                Capability::Assume => self
                    .numbers
                    .get(edge.target.as_str())
                    .map(|to| Hop { to: *to, by: self.single(edge, Capability::Assume) }),
                Capability::ChangePolicy if edge.action == "iam:UpdateAssumeRolePolicy" => {
                    self.numbers.get(edge.target.as_str()).map(|to| {
                        let mut by = self.single(edge, edge.capability);
                        by.steps.push(then(
                            &edge.principal,
                            Capability::Assume,
                            &edge.target,
                            "sts:AssumeRole",
                        ));
                        by.cost += 1;
                        Hop { to: *to, by }
                    })
                }
                Capability::OperateHost | Capability::ChangePolicy => {
                    roles.get(&edge.target).and_then(|(to, role)| {
                        let mut by = self.operating(edge)?;
                        by.steps.push(then(&edge.target, Capability::Assume, role, "instance profile"));
                        by.cost += 1;
                        Some(Hop { to: *to, by })
                    })
                }
                _ => None,
            };
            if let Some(hop) = hop.filter(|hop| hop.to != from)
                && let Some(hops) = self.hops.get_mut(from)
            {
                hops.push(hop);
            }
        }
    }

    /// The move of operating a host, after an edit where the edge is one.
    fn operating(&self, edge: &CapabilityEdge) -> Option<Move> {
        match edge.capability {
            Capability::OperateHost => Some(self.single(edge, edge.capability)),
            Capability::ChangePolicy if rewrites(edge) => {
                Some(self.and_then(edge, Capability::OperateHost, "ssm:StartSession"))
            }
            _ => None,
        }
    }

    /// An edge, and what it makes possible on the same target.
    fn and_then(&self, edge: &CapabilityEdge, capability: Capability, action: &str) -> Move {
        let mut by = self.single(edge, edge.capability);
        let action = match &edge.enables {
            Some(enabled) if enabled.capability == capability => enabled.action.as_str(),
            _ => action,
        };
        by.steps.push(then(&edge.principal, capability, &edge.target, action));
        by.cost += 1;
        by
    }

    fn single(&self, edge: &CapabilityEdge, capability: Capability) -> Move {
        Move {
            steps: vec![Step {
                from: edge.principal.clone(),
                capability,
                to: edge.target.clone(),
                action: edge.action.clone(),
                decision: edge.decision.clone(),
                statements: edge.statements.clone(),
            }],
            statements: self.ids(edge),
            cost: cost_of(&edge.decision),
        }
    }

    /// What everybody can do towards the records of a store.
    pub(crate) fn store_goal(&self, id: &str, store: &RecordStore) -> Goal {
        let mut goal = Goal::default();
        for edge in self.on(id) {
            let Some(&who) = self.numbers.get(edge.principal.as_str()) else { continue };
            if edge.capability == Capability::ReadObjects {
                goal.read.entry(who).or_default().push(self.single(edge, edge.capability));
            } else if rewrites(edge) {
                let action = if id.contains(":s3:") { "s3:GetObject" } else { "ebs:GetSnapshotBlock" };
                let by = self.and_then(edge, Capability::ReadObjects, action);
                goal.read.entry(who).or_default().push(by);
            } else if opens(edge) {
                goal.open_store.entry(who).or_default().push(self.single(edge, edge.capability));
            }
        }
        match &store.protection {
            Protection::None => {}
            Protection::Unknown(what) => {
                let mut step = then("", Capability::Decrypt, id, "kms:Decrypt");
                step.decision = Decision::Unknown(what.clone());
                goal.unsettled = Some(step);
            }
            Protection::Key(key) => {
                goal.needs_key = true;
                for edge in self.on(key) {
                    let Some(&who) = self.numbers.get(edge.principal.as_str()) else { continue };
                    if edge.capability == Capability::Decrypt {
                        let mut by = self.single(edge, edge.capability);
                        if let (Some(step), Some(via)) = (by.steps.first_mut(), &store.via) {
                            step.decision = through_service(&step.decision, via);
                            by.cost = cost_of(&step.decision);
                        }
                        goal.decrypt.entry(who).or_default().push(by);
                    } else if rewrites(edge) {
                        let by = self.and_then(edge, Capability::Decrypt, "kms:Decrypt");
                        goal.decrypt.entry(who).or_default().push(by);
                    } else if opens(edge) {
                        goal.open_key.entry(who).or_default().push(self.single(edge, edge.capability));
                    }
                }
            }
        }
        for host in &store.hosts {
            for edge in self.on(host) {
                let Some(&who) = self.numbers.get(edge.principal.as_str()) else { continue };
                if let Some(mut by) = self.operating(edge) {
                    // A mounted disk is plaintext to whoever runs commands there.
                    by.steps.push(then(host, Capability::ReadObjects, id, "mounted disk"));
                    by.cost += 1;
                    goal.plain.entry(who).or_default().push(by);
                }
            }
        }
        goal.useful = self.leading_to(&goal);
        goal
    }

    /// What everybody can do towards the records of a topic.
    pub(crate) fn topic_goal(&self, id: &str) -> Goal {
        let mut goal = Goal::default();
        let cluster =
            id.strip_prefix("topic:").and_then(|rest| rest.split_once('/')).map(|(cluster, _)| cluster);
        for edge in self.on(id).filter(|edge| edge.capability == Capability::ReadRecords) {
            if let Some(&who) = self.numbers.get(edge.principal.as_str()) {
                goal.plain.entry(who).or_default().push(self.single(edge, edge.capability));
            }
        }
        if let Some(cluster) = cluster {
            let altering = |edge: &&CapabilityEdge| {
                edge.capability == Capability::ChangePolicy && edge.action == "kafka:Alter"
            };
            for edge in self.on(&format!("cluster:{cluster}")).filter(altering) {
                if let Some(&who) = self.numbers.get(edge.principal.as_str()) {
                    let mut by = self.single(edge, edge.capability);
                    by.steps.push(then(&edge.principal, Capability::ReadRecords, id, "kafka:Read"));
                    by.cost += 1;
                    goal.plain.entry(who).or_default().push(by);
                }
            }
        }
        goal.useful = self.leading_to(&goal);
        goal
    }

    fn on(&self, target: &str) -> impl Iterator<Item = &'a CapabilityEdge> {
        let numbers = self.by_target.get(target).cloned().unwrap_or_default();
        numbers.into_iter().filter_map(|number| self.edges.get(number))
    }

    /// Everybody who holds something towards a goal, or can become somebody who does.
    fn leading_to(&self, goal: &Goal) -> BTreeSet<usize> {
        let mut useful: BTreeSet<usize> = BTreeSet::new();
        for held in [&goal.read, &goal.open_store, &goal.decrypt, &goal.open_key, &goal.plain] {
            useful.extend(held.keys().copied());
        }
        let sharing = |useful: &BTreeSet<usize>, number: usize| {
            self.shares.get(number).into_iter().flatten().any(|shared| useful.contains(shared))
        };
        loop {
            let before = useful.len();
            for number in 0..self.names.len() {
                let leads =
                    sharing(&useful, number) || self.hops_of(number).any(|hop| useful.contains(&hop.to));
                if leads {
                    useful.insert(number);
                }
            }
            if useful.len() == before {
                return useful;
            }
        }
    }

    fn hops_of(&self, number: usize) -> impl Iterator<Item = &Hop> {
        let shares = self.shares.get(number).map_or(&[][..], Vec::as_slice);
        shares.iter().filter_map(|shared| self.hops.get(*shared)).flatten()
    }

    /// The cheapest derivation that rests on none of the removed statements.
    pub(crate) fn search(
        &self,
        origin: usize,
        goal: &Goal,
        removed: &BTreeSet<StatementId>,
    ) -> Option<Witness> {
        if !goal.useful.contains(&origin) {
            return None;
        }
        let usable = |by: &Move| by.statements.iter().all(|id| !removed.contains(id));
        let reached = self.reach(origin, goal, &usable);
        let best = |held: &'_ BTreeMap<usize, Vec<Move>>, who: usize| -> Option<Move> {
            let shared =
                self.shares.get(who).into_iter().flatten().filter_map(|shared| held.get(shared)).flatten();
            shared.filter(|by| usable(by)).min_by_key(|by| by.cost).cloned()
        };
        let opener = |held: &BTreeMap<usize, Vec<Move>>| -> Option<(u64, usize, Move)> {
            if held.is_empty() {
                return None;
            }
            let candidates = reached
                .iter()
                .filter_map(|(who, (cost, _))| best(held, *who).map(|by| (cost + by.cost, *who, by)));
            candidates.min_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)))
        };
        let open_store = opener(&goal.open_store);
        let open_key = opener(&goal.open_key);
        let mut cheapest: Option<(u64, Vec<Part>)> = None;
        let mut offer = |cost: u64, parts: Vec<Part>| {
            if cheapest.as_ref().is_none_or(|(known, _)| cost < *known) {
                cheapest = Some((cost, parts));
            }
        };
        for (&who, (cost, _)) in &reached {
            if let Some(by) = best(&goal.plain, who) {
                offer(cost + by.cost, vec![Part::Become(who), Part::Take(by)]);
            }
            let Some((read_cost, read)) = enabled(best(&goal.read, who), open_store.as_ref(), *cost) else {
                continue;
            };
            let mut total = cost.saturating_add(read_cost);
            let mut key = None;
            if goal.needs_key {
                let Some((key_cost, by)) = enabled(best(&goal.decrypt, who), open_key.as_ref(), *cost) else {
                    continue;
                };
                total = total.saturating_add(key_cost);
                key = Some(by);
            }
            if let Some(step) = &goal.unsettled {
                total = total.saturating_add(cost_of(&step.decision));
            }
            let mut parts = Vec::new();
            for enabling in [Some(&read), key.as_ref()].into_iter().flatten() {
                if let Enabled::After(editor, by) = enabling {
                    parts.push(Part::Become(*editor));
                    parts.push(Part::Take(by.clone()));
                }
            }
            parts.push(Part::Become(who));
            parts.push(match read {
                Enabled::Now(by) => Part::Take(by),
                Enabled::After(..) => Part::Then(who, Capability::ReadObjects),
            });
            match key {
                Some(Enabled::Now(by)) => parts.push(Part::Take(by)),
                Some(Enabled::After(..)) => parts.push(Part::Then(who, Capability::Decrypt)),
                None => {}
            }
            if goal.unsettled.is_some() {
                parts.push(Part::Unsettled(who));
            }
            offer(total, parts);
        }
        cheapest.map(|(_, parts)| self.tell(goal, &reached, &parts))
    }

    /// Whom the origin can become, with the cost and the last hop; Dijkstra's algorithm.
    fn reach<'m>(&'m self, origin: usize, goal: &Goal, usable: &impl Fn(&Move) -> bool) -> Reached<'m> {
        let mut reached = Reached::new();
        let mut settled: BTreeSet<usize> = BTreeSet::new();
        let mut waiting = BinaryHeap::from([Reverse((0_u64, origin))]);
        reached.insert(origin, (0, None));
        while let Some(Reverse((cost, who))) = waiting.pop() {
            if !settled.insert(who) {
                continue;
            }
            for hop in self.hops_of(who) {
                if settled.contains(&hop.to) || !goal.useful.contains(&hop.to) || !usable(&hop.by) {
                    continue;
                }
                let through = cost.saturating_add(hop.by.cost);
                if reached.get(&hop.to).is_none_or(|(known, _)| through < *known) {
                    reached.insert(hop.to, (through, Some((who, hop))));
                    waiting.push(Reverse((through, hop.to)));
                }
            }
        }
        reached
    }

    /// Writes a derivation down, step by step, each step once.
    fn tell(&self, goal: &Goal, reached: &Reached<'_>, parts: &[Part]) -> Witness {
        let mut witness = Witness { steps: Vec::new(), statements: BTreeSet::new() };
        let mut became: BTreeSet<usize> = BTreeSet::new();
        let name = |who: usize| self.names.get(who).copied().unwrap_or_default();
        for part in parts {
            match part {
                Part::Become(who) => {
                    let mut chain = Vec::new();
                    let mut at = *who;
                    while let Some((_, Some((from, hop)))) = reached.get(&at) {
                        chain.push((at, *hop));
                        at = *from;
                    }
                    for (who, hop) in chain.into_iter().rev() {
                        if became.insert(who) {
                            witness.add(&hop.by);
                        }
                    }
                }
                Part::Take(by) => witness.add(by),
                Part::Then(who, capability) => {
                    let (opened, action) = match capability {
                        Capability::Decrypt => (first_target(&goal.open_key), "kms:Decrypt"),
                        _ => (first_target(&goal.open_store), "s3:GetObject"),
                    };
                    witness.steps.push(then(name(*who), *capability, &opened, action));
                }
                Part::Unsettled(who) => {
                    if let Some(step) = &goal.unsettled {
                        witness.steps.push(Step { from: name(*who).to_owned(), ..step.clone() });
                    }
                }
            }
        }
        witness
    }
}

/// A part of a derivation.
enum Part {
    Become(usize),
    Take(Move),
    /// What an earlier edit has made possible.
    Then(usize, Capability),
    Unsettled(usize),
}

/// How something is possible: now, or after an edit by one of the identities.
enum Enabled {
    Now(Move),
    After(usize, Move),
}

/// The cheaper of doing it now and doing it after an edit. The chain that leads to the editor is counted once
/// more only where it costs more than the chain already paid for.
fn enabled(now: Option<Move>, after: Option<&(u64, usize, Move)>, paid: u64) -> Option<(u64, Enabled)> {
    let later = after.map(|(cost, editor, by)| {
        let chain = cost.saturating_sub(by.cost);
        (by.cost.saturating_add(1).saturating_add(chain.saturating_sub(paid)), *editor, by)
    });
    match (now, later) {
        (Some(by), Some((cost, editor, edit))) if cost < by.cost => {
            Some((cost, Enabled::After(editor, edit.clone())))
        }
        (Some(by), _) => Some((by.cost, Enabled::Now(by))),
        (None, Some((cost, editor, edit))) => Some((cost, Enabled::After(editor, edit.clone()))),
        (None, None) => None,
    }
}

fn first_target(held: &BTreeMap<usize, Vec<Move>>) -> String {
    let by = held.values().flatten().next();
    by.and_then(|by| by.steps.first()).map(|step| step.to.clone()).unwrap_or_default()
}

impl Witness {
    fn add(&mut self, by: &Move) {
        for step in &by.steps {
            if !self.steps.contains(step) {
                self.steps.push(step.clone());
            }
        }
        self.statements.extend(by.statements.iter().copied());
    }
}

/// A step that an earlier one has made certain.
fn then(from: &str, capability: Capability, to: &str, action: &str) -> Step {
    Step {
        from: from.to_owned(),
        capability,
        to: to.to_owned(),
        action: action.to_owned(),
        decision: Decision::Allow,
        statements: Vec::new(),
    }
}

/// Whose edges somebody shares: its own; and where its account's own policies were not read, those of the account,
/// which may hand on whatever it has, and those of anybody. What anybody may is already among the edges of
/// principals whose policies were read.
fn shares(number: usize, name: &str, numbers: &BTreeMap<&str, usize>, sides: &Sides<'_>) -> Vec<usize> {
    let mut shared = vec![number];
    if is_kafka(name) || name.starts_with("service:") {
        return shared;
    }
    if let Some(account) = account(name) {
        if sides.observes(account) && !name.starts_with("federated:") {
            return shared;
        }
        if name.starts_with("arn:") {
            shared.extend(numbers.get(format!("account:{account}").as_str()));
        }
    }
    if name != "*" {
        shared.extend(numbers.get("*"));
    }
    shared
}

/// A decision on a key, given that the request comes through a service: the condition that asks for just that
/// service holds.
fn through_service(decision: &Decision, via: &str) -> Decision {
    let Decision::Conditional(text) = decision else { return decision.clone() };
    if text.contains('(') || text.contains(" or ") {
        return decision.clone();
    }
    let settled = |clause: &&str| {
        clause
            .strip_prefix("kms:ViaService in [")
            .and_then(|rest| rest.strip_suffix(']'))
            .is_some_and(|listed| listed.split(", ").any(|service| service == via))
    };
    let open: Vec<&str> = text.split(" and ").filter(|clause| !settled(clause)).collect();
    if open.is_empty() { Decision::Allow } else { Decision::Conditional(open.join(" and ")) }
}

/// Everybody worth asking about: whoever holds something towards the goal, or can become somebody who does. Those
/// who only share what their account or anybody holds would repeat the answer given for it.
pub(crate) fn origins<'a>(map: &'a Map<'_>, goal: &'a Goal) -> impl Iterator<Item = usize> + 'a {
    goal.useful.iter().copied().filter(|number| {
        let holds = [&goal.read, &goal.open_store, &goal.decrypt, &goal.open_key, &goal.plain]
            .iter()
            .any(|held| held.contains_key(number));
        holds || map.hops.get(*number).into_iter().flatten().any(|hop| goal.useful.contains(&hop.to))
    })
}

/// The goals of a scope: every store of records and every topic, with the records that show it.
pub(crate) fn goals<'a>(
    map: &Map<'_>,
    scope: &'a Scope,
) -> Vec<(&'a str, Goal, &'a cadastre_model::asset::EvidenceIds)> {
    let stores =
        scope.records.iter().map(|(id, store)| (id.as_str(), map.store_goal(id, store), &store.evidence));
    let topics = scope.topics.iter().map(|(id, evidence)| (id.as_str(), map.topic_goal(id), evidence));
    stores.chain(topics).collect()
}
