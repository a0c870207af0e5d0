//! What can be asked of everybody: record bytes in plaintext, or a capability over a target, as an AND/OR problem.

use std::collections::{BTreeSet, HashMap};

use cadastre_model::access::{Capability, CapabilityEdge, Decision};
use cadastre_model::graph::Step;
use foldhash::fast::RandomState;

use crate::cut::{self, Cut};
use crate::derivation::{
    Duty, Join, Leaf, Piece, Prefer, Problem, Rests, Scheme, Solution, StatementId, Travel,
};
use crate::routes::{EdgeId, PersonId, Resting, Routes, cost_of, enables, idle, opens};
use crate::scope::{Protection, RecordStore, Scope};

/// The duty that answers a question.
pub(crate) const DONE: Duty = 0;
/// Reading what is stored, as the identity that also decrypts it.
pub(crate) const READ: Duty = 1;
/// Decrypting it, as the identity that also reads it.
pub(crate) const DECRYPT: Duty = 2;
/// Decrypting it, as an identity that reads it once the store has been opened.
const DECRYPT_OPENED: Duty = 3;
/// Reading it, as an identity that decrypts it once the key has been opened.
const READ_OPENED: Duty = 4;
/// Making the store readable for any identity one is.
pub(crate) const OPEN_STORE: Duty = 5;
/// Making the key usable for any identity one is.
pub(crate) const OPEN_KEY: Duty = 6;

const fn join(makes: Duty, first: Duty, second: Option<Duty>, cost: u64, told_first: bool) -> Join {
    Join { makes, first, second, cost, told_first }
}

/// Whoever can do it, and whoever can become somebody who can.
static SIMPLE: Scheme = Scheme { travels: &[true], joins: &[], goal: DONE };

/// Reading, where evidence does not say whether decrypting is needed.
static UNSETTLED: Scheme =
    Scheme { travels: &[true, false], joins: &[join(DONE, READ, None, 1_000_000, false)], goal: DONE };

/// Reading *and* decrypting, as one identity; either may first be enabled by an edit that any identity on the way can
/// make. Once both are open whoever opened them reads and decrypts, which is the last join.
pub(crate) static SEALED: Scheme = Scheme {
    travels: &[true, false, false, true, true, true, true],
    joins: &[
        join(DONE, READ, Some(DECRYPT), 0, false),
        join(DECRYPT_OPENED, DECRYPT, None, 1, true),
        join(READ_OPENED, READ, None, 1, false),
        join(DONE, OPEN_STORE, Some(DECRYPT_OPENED), 0, false),
        join(DONE, OPEN_KEY, Some(READ_OPENED), 0, false),
        join(DONE, OPEN_STORE, Some(OPEN_KEY), 2, false),
    ],
    goal: DONE,
};

/// How an edge is told where it is taken.
#[derive(Debug, Clone, Copy)]
enum Form {
    /// As it is.
    Plain,
    /// As it is, where the request comes through the store's service.
    Through,
    /// An edit, and what it makes possible on the same target.
    Then(Capability, &'static str),
    /// Operating a host on which the target is mounted.
    Disk,
    /// An edit of the cluster's ACLs, and what it makes possible on the target.
    Cluster(Capability, &'static str),
    /// A hop.
    Hop,
    /// No edge: what one has by sharing.
    Shared,
}

#[derive(Debug, Clone, Copy)]
struct Told {
    edge: EdgeId,
    form: Form,
}

/// One question, put together for everybody whom it may concern.
#[derive(Debug)]
pub(crate) struct Goal<'a> {
    routes: &'a Routes<'a>,
    target: &'a str,
    key: Option<&'a str>,
    unsettled: Option<&'a str>,
    via: Option<&'a str>,
    problem: Problem<'a>,
    people: Vec<PersonId>,
    told: Vec<Told>,
    /// Places of those who hold something towards it themselves, or have a hop of their own to somebody who does.
    pub(crate) origins: Vec<u32>,
    /// Travels by where they start.
    departures: Vec<(u32, u32)>,
    /// Whether some edge stands for several.
    sums_up: bool,
}

/// A derivation, written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Witness {
    pub(crate) steps: Vec<Step>,
}

/// What is gathered while a goal is put together.
struct Gathering<'a> {
    routes: &'a Routes<'a>,
    leaves: Vec<(Duty, PersonId, u64, EdgeId, Form)>,
}

impl<'a> Gathering<'a> {
    fn add(&mut self, duty: Duty, edge: EdgeId, who: &CapabilityEdge, cost: u64, form: Form) {
        if let Some(person) = self.routes.number(&who.principal) {
            self.leaves.push((duty, person, cost, edge, form));
        }
    }

    /// Something an edge allows, or makes possible by an edit of the principal's own policies.
    fn held(&mut self, duty: Duty, target: &str, capability: Capability, action: &'static str) {
        for (number, edge) in self.routes.on(target) {
            if edge.capability == capability {
                self.add(duty, number, edge, cost_of(&edge.decision), Form::Plain);
            } else if enables(edge, capability) {
                self.add(duty, number, edge, cost_of(&edge.decision) + 1, Form::Then(capability, action));
            }
        }
    }

    /// Everybody who runs commands where a store is mounted: its bytes are plaintext there.
    fn disks(&mut self, store: &RecordStore) {
        for host in &store.hosts {
            for (number, edge) in self.routes.on(host) {
                let cost = cost_of(&edge.decision);
                if edge.capability == Capability::OperateHost {
                    self.add(DONE, number, edge, cost + 1, Form::Disk);
                } else if enables(edge, Capability::OperateHost) {
                    self.add(DONE, number, edge, cost + 2, Form::Disk);
                }
            }
        }
    }

    /// Whoever changes the ACLs of a topic's cluster.
    fn administrators(&mut self, topic: &str, capability: Capability, action: &'static str) {
        let Some((cluster, _)) = topic.strip_prefix("topic:").and_then(|rest| rest.split_once('/')) else {
            return;
        };
        for (number, edge) in self.routes.on(&format!("cluster:{cluster}")) {
            if edge.capability == Capability::ChangePolicy && edge.action == "kafka:Alter" {
                self.add(DONE, number, edge, cost_of(&edge.decision) + 1, Form::Cluster(capability, action));
            }
        }
    }
}

/// The usual action of a capability, where an edge does not name the one that it enables.
fn reading_or(capability: Capability, target: &str) -> &'static str {
    match capability {
        Capability::Decrypt => "kms:Decrypt",
        Capability::OperateHost => "ssm:StartSession",
        _ => reading(target),
    }
}

/// The action that reads a store's bytes.
fn reading(store: &str) -> &'static str {
    if store.starts_with("/subscriptions/") {
        "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read"
    } else if store.contains(":s3:") {
        "s3:GetObject"
    } else {
        "ebs:GetSnapshotBlock"
    }
}

impl<'a> Goal<'a> {
    /// Reaching the records of a store in plaintext.
    pub(crate) fn store(routes: &'a Routes<'a>, id: &'a str, store: &'a RecordStore) -> Self {
        let mut gathering = Gathering { routes, leaves: Vec::new() };
        gathering.disks(store);
        let (read, scheme, key, unsettled) = match &store.protection {
            Protection::None => (DONE, &SIMPLE, None, None),
            Protection::Unknown(what) => (READ, &UNSETTLED, None, Some(what.as_str())),
            Protection::Key(key) => (READ, &SEALED, Some(key.as_str()), None),
        };
        gathering.held(read, id, Capability::ReadObjects, reading(id));
        for (number, edge) in routes.on(id).filter(|(_, edge)| opens(edge)) {
            let cost = cost_of(&edge.decision);
            match &store.protection {
                Protection::Key(_) => gathering.add(OPEN_STORE, number, edge, cost, Form::Plain),
                _ => {
                    let then = Form::Then(Capability::ReadObjects, "s3:GetObject");
                    gathering.add(read, number, edge, cost + 1, then);
                }
            }
        }
        for (number, edge) in key.into_iter().flat_map(|key| routes.on(key)) {
            let cost = cost_of(&edge.decision);
            if edge.capability == Capability::Decrypt {
                let through = store.via.as_deref().map(|via| cost_of(&edge.decision.through_service(via)));
                gathering.add(DECRYPT, number, edge, through.unwrap_or(cost), Form::Through);
            } else if enables(edge, Capability::Decrypt) {
                let then = Form::Then(Capability::Decrypt, "kms:Decrypt");
                gathering.add(DECRYPT, number, edge, cost + 1, then);
            } else if opens(edge) {
                gathering.add(OPEN_KEY, number, edge, cost, Form::Plain);
            }
        }
        Self::put_together(gathering, scheme, id, key, unsettled, store.via.as_deref())
    }

    /// Holding a capability over a target, or reading the records of a topic.
    pub(crate) fn capability(
        routes: &'a Routes<'a>,
        scope: &'a Scope,
        capability: Capability,
        target: &'a str,
    ) -> Self {
        let mut gathering = Gathering { routes, leaves: Vec::new() };
        for (number, edge) in routes.on(target) {
            let cost = cost_of(&edge.decision);
            let then = |action| Form::Then(capability, action);
            let edited = match capability {
                _ if edge.capability == capability => {
                    gathering.add(DONE, number, edge, cost, Form::Plain);
                    continue;
                }
                _ if enables(edge, capability) => Some(reading_or(capability, target)),
                Capability::Decrypt if opens(edge) => Some("kms:Decrypt"),
                Capability::ReadObjects if opens(edge) => Some("s3:GetObject"),
                Capability::WriteObjects if opens(edge) => Some("s3:PutObject"),
                _ => None,
            };
            if let Some(action) = edited {
                gathering.add(DONE, number, edge, cost + 1, then(action));
            }
        }
        match capability {
            Capability::ReadRecords => gathering.administrators(target, capability, "kafka:Read"),
            Capability::WriteRecords => gathering.administrators(target, capability, "kafka:Write"),
            Capability::ReadObjects => {
                if let Some(store) = scope.records.get(target) {
                    gathering.disks(store);
                }
            }
            Capability::Assume => {
                // Whoever becomes it by anything but being let in.
                let hops = routes.number(target).map(|to| routes.hops_to(to)).unwrap_or_default();
                for (hop, edge) in hops.iter().filter_map(|hop| Some((hop, hop.edge?))) {
                    let Some(by) = routes.edge(edge) else { continue };
                    if by.capability != Capability::Assume {
                        gathering.add(DONE, edge, by, hop.cost, Form::Hop);
                    }
                }
            }
            _ => {}
        }
        Self::put_together(gathering, &SIMPLE, target, None, None, None)
    }

    fn put_together(
        gathering: Gathering<'a>,
        scheme: &'static Scheme,
        target: &'a str,
        key: Option<&'a str>,
        unsettled: Option<&'a str>,
        via: Option<&'a str>,
    ) -> Self {
        let routes = gathering.routes;
        let mut people: Vec<PersonId> = Vec::new();
        let mut places: HashMap<PersonId, u32, RandomState> = HashMap::default();
        let mut place_of = |person: PersonId, people: &mut Vec<PersonId>| {
            *places.entry(person).or_insert_with(|| {
                people.push(person);
                u32::try_from(people.len() - 1).unwrap_or(u32::MAX)
            })
        };
        let mut told: Vec<Told> = Vec::new();
        let mut tell = |edge: EdgeId, form: Form| {
            told.push(Told { edge, form });
            u32::try_from(told.len() - 1).unwrap_or(u32::MAX)
        };
        let mut origins: BTreeSet<u32> = BTreeSet::new();
        let mut leaves: Vec<Leaf> = Vec::new();
        for (duty, person, cost, edge, form) in gathering.leaves {
            let told = tell(edge, form);
            let rests = routes.rests(edge);
            let own = place_of(person, &mut people);
            origins.insert(own);
            leaves.push(Leaf { duty, place: own, cost, rests, told, idle: false });
            for sharer in routes.sharers(person) {
                let place = place_of(*sharer, &mut people);
                leaves.push(Leaf { duty, place, cost, rests, told, idle: false });
            }
        }
        // Everybody who can become one of them.
        let mut travels: Vec<Travel> = Vec::new();
        let mut next = 0;
        while let Some(&person) = people.get(next) {
            let to = u32::try_from(next).unwrap_or(u32::MAX);
            for hop in routes.hops_to(person) {
                let from = place_of(hop.from, &mut people);
                let (rests, told) = match hop.edge {
                    Some(edge) => {
                        origins.insert(from);
                        (routes.rests(edge), tell(edge, Form::Hop))
                    }
                    None => (Rests::default(), tell(EdgeId::MAX, Form::Shared)),
                };
                travels.push(Travel { from, to, cost: hop.cost, rests, told, idle: hop.idle });
            }
            next += 1;
        }
        mark_idle(&mut leaves, &told, routes);
        let problem = Problem::new(scheme, people.len(), travels, leaves, routes.statements());
        let departures = problem.departures();
        let sums_up = told.iter().any(|told| routes.edge(told.edge).is_some_and(|edge| edge.summary));
        Self {
            routes,
            target,
            key,
            unsettled,
            via,
            problem,
            people,
            told,
            origins: origins.into_iter().collect(),
            departures,
            sums_up,
        }
    }

    /// The cheapest derivation for everybody.
    pub(crate) fn solve(&self) -> Solution {
        self.problem.solve(&[], Prefer::Cost, None)
    }

    /// Whose place it is.
    pub(crate) fn person(&self, place: u32) -> PersonId {
        usize::try_from(place).ok().and_then(|place| self.people.get(place)).copied().unwrap_or(PersonId::MAX)
    }

    /// What closes every derivation from one place.
    pub(crate) fn cut(&self, origin: u32) -> Cut {
        let problem = self.problem.restricted(origin, &self.departures);
        if !self.sums_up {
            return cut::find(&problem);
        }
        let told = problem.without(|number| {
            let told = usize::try_from(number).ok().and_then(|number| self.told.get(number));
            told.and_then(|told| self.routes.edge(told.edge)).is_some_and(|edge| edge.summary)
        });
        cut::find_beyond(&problem, &told)
    }

    /// Whether each of its moves stands for itself, so that what they do not lead to is no way.
    pub(crate) const fn tells_all(&self) -> bool {
        !self.sums_up
    }

    /// The cheapest derivation for a place that rests on none of the removed statements, which are sorted, with those
    /// that it rests on.
    pub(crate) fn way_without(
        &self,
        removed: &[StatementId],
        origin: u32,
    ) -> Option<(BTreeSet<StatementId>, Vec<Step>)> {
        let solution = self.problem.solve(removed, Prefer::Cost, Some(origin));
        let pieces = self.problem.pieces(&solution, origin)?;
        let statements = self.problem.statements(&pieces).into_iter().collect();
        Some((statements, self.tell(&solution, origin)?.steps))
    }

    /// The derivation for a place, told step by step.
    pub(crate) fn tell(&self, solution: &Solution, origin: u32) -> Option<Witness> {
        let pieces = self.problem.pieces(solution, origin)?;
        let mut steps: Vec<Step> = Vec::new();
        for piece in pieces {
            let further = match piece {
                Piece::Travel(at) => self.told(self.problem.travel(at)?.told),
                Piece::Leaf(at) => self.told(self.problem.leaf(at)?.told),
                Piece::Join(at, place) => self.joined(at, self.routes.name(self.person(place))),
            };
            for step in further {
                if !steps.contains(&step) {
                    steps.push(step);
                }
            }
        }
        Some(Witness { steps })
    }

    fn told(&self, number: u32) -> Vec<Step> {
        let told = usize::try_from(number).ok().and_then(|number| self.told.get(number));
        let Some((edge, form)) = told.and_then(|told| Some((self.routes.edge(told.edge)?, told.form))) else {
            return Vec::new();
        };
        let mut steps = vec![Step {
            from: edge.principal.clone(),
            capability: edge.capability,
            to: edge.target.clone(),
            action: edge.action.clone(),
            decision: edge.decision.clone(),
            statements: edge.statements.clone(),
        }];
        let operating = |steps: &mut Vec<Step>| {
            if edge.capability != Capability::OperateHost {
                steps.push(then(&edge.principal, Capability::OperateHost, &edge.target, "ssm:StartSession"));
            }
        };
        match form {
            Form::Plain | Form::Shared => {}
            Form::Through => {
                if let (Some(step), Some(via)) = (steps.first_mut(), self.via) {
                    step.decision = step.decision.through_service(via);
                }
            }
            Form::Then(capability, usual) => {
                let enabled = edge.enables.as_ref().filter(|enabled| enabled.capability == capability);
                let action = enabled.map_or(usual, |enabled| enabled.action.as_str());
                steps.push(then(&edge.principal, capability, &edge.target, action));
            }
            Form::Disk => {
                operating(&mut steps);
                steps.push(then(&edge.target, Capability::ReadObjects, self.target, "mounted disk"));
            }
            Form::Cluster(capability, action) => {
                steps.push(then(&edge.principal, capability, self.target, action));
            }
            Form::Hop => match edge.capability {
                Capability::Assume => {}
                Capability::ChangePolicy if edge.action == "iam:UpdateAssumeRolePolicy" => {
                    steps.push(then(&edge.principal, Capability::Assume, &edge.target, "sts:AssumeRole"));
                }
                _ => {
                    operating(&mut steps);
                    let role = self.routes.role_of(&edge.target).unwrap_or_default();
                    steps.push(then(&edge.target, Capability::Assume, role, "instance profile"));
                }
            },
        }
        steps
    }

    /// What earlier steps have made possible where a join happens.
    fn joined(&self, at: u32, who: &str) -> Vec<Step> {
        let read = || then(who, Capability::ReadObjects, self.target, "s3:GetObject");
        if let Some(what) = self.unsettled {
            let mut step = then(who, Capability::Decrypt, self.target, "kms:Decrypt");
            step.decision = Decision::Unknown(what.to_owned());
            return vec![step];
        }
        let Some(key) = self.key else { return Vec::new() };
        let decrypt = || then(who, Capability::Decrypt, key, "kms:Decrypt");
        match SEALED.joins.get(usize::try_from(at).unwrap_or(usize::MAX)) {
            Some(Join { makes: DECRYPT_OPENED, .. }) => vec![read()],
            Some(Join { makes: READ_OPENED, .. }) => vec![decrypt()],
            Some(Join { first: OPEN_STORE, second: Some(OPEN_KEY), .. }) => vec![read(), decrypt()],
            _ => Vec::new(),
        }
    }

    /// What statements a number stands for.
    pub(crate) fn statement(&self, id: StatementId) -> Option<&'a cadastre_model::asset::StatementRef> {
        self.routes.statement(id)
    }
}

/// Marks those that make no difference to what closes all, since another one for the same duty at the same place rests on
/// no more than some of their statements.
fn mark_idle(leaves: &mut [Leaf], told: &[Told], routes: &Routes<'_>) {
    let mut order: Vec<usize> = (0..leaves.len()).collect();
    let place = |at: &usize| leaves.get(*at).map(|leaf| (leaf.duty, leaf.place));
    order.sort_by_key(place);
    let mut out: Vec<usize> = Vec::new();
    for same in order.chunk_by(|a, b| place(a) == place(b)).filter(|same| same.len() > 1) {
        let nothing = Resting { statements: &[], summary: false };
        let resting = |at: &usize| {
            let told = leaves.get(*at).and_then(|leaf| told.get(usize::try_from(leaf.told).ok()?));
            told.map_or(nothing, |told| routes.resting(told.edge))
        };
        let rests: Vec<Resting<'_>> = same.iter().map(resting).collect();
        out.extend(same.iter().zip(idle(&rests)).filter(|(_, idle)| *idle).map(|(at, _)| *at));
    }
    for at in out {
        if let Some(leaf) = leaves.get_mut(at) {
            leaf.idle = true;
        }
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
