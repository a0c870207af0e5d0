//! Questions about one body of evidence, over all derivations: the numbering is done once, each question is put
//! together when it is asked.

use std::borrow::Cow;

use cadastre_model::access::{Access, Capability, Decision};
use cadastre_model::declaration::Declaration;
use cadastre_model::graph::{BoundaryGraph, Step};
use cadastre_model::inventory::Inventory;

use crate::goals::Goal;
use crate::routes::Routes;
use crate::scope::{RecordStore, Scope, any_store};
use crate::sides::Sides;
use crate::{edges, nodes, paths, principals};

/// Answers questions about one body of evidence.
#[derive(Debug)]
pub struct Reasoner<'a> {
    pub(crate) inventory: &'a Inventory,
    pub(crate) access: &'a Access,
    pub(crate) declaration: &'a Declaration,
    pub(crate) sides: Sides<'a>,
    pub(crate) scope: Scope,
    pub(crate) routes: Routes<'a>,
}

/// What somebody can do, by the cheapest way.
#[derive(Debug)]
pub(crate) struct Way {
    pub(crate) principal: String,
    pub(crate) decision: Decision,
    pub(crate) steps: Vec<Step>,
    /// Its place in the goal.
    pub(crate) place: u32,
}

impl<'a> Reasoner<'a> {
    /// Numbers everybody and finds how they become each other.
    #[must_use]
    pub fn new(inventory: &'a Inventory, access: &'a Access, declaration: &'a Declaration) -> Self {
        let sides = Sides::new(inventory, access, declaration);
        let scope = Scope::new(inventory, access, declaration);
        let routes = Routes::new(inventory, access, &sides);
        Self { inventory, access, declaration, sides, scope, routes }
    }

    /// Builds the graph: nodes in zones, edges in three layers, and every plaintext path with its cut.
    #[must_use]
    pub fn graph(&self, reachability: &cadastre_model::reach::Reachability) -> BoundaryGraph {
        let Self { inventory, access, declaration, sides, scope, routes } = self;
        let around = || {
            let holders = principals::holders(scope, sides, access, declaration);
            let (edges, principals) = rayon::join(
                || edges::all(inventory, access, reachability, declaration, scope, &holders),
                || principals::views(inventory, access, declaration, sides, &holders),
            );
            (nodes::all(inventory, declaration, scope, sides, &holders, &edges), edges, principals)
        };
        let ((nodes, edges, principals), paths) = rayon::join(around, || paths::all(routes, scope, sides));
        BoundaryGraph { nodes, edges, paths, principals }
    }

    /// A store whose records can be asked about, declared to hold any or not.
    pub(crate) fn store(&self, id: &str) -> Option<Cow<'_, RecordStore>> {
        match self.scope.records.get(id) {
            Some(store) => Some(Cow::Borrowed(store)),
            None => any_store(self.inventory, id).map(Cow::Owned),
        }
    }

    /// Everybody who has a capability over a target, by the cheapest way each; sorted by principal. `store` is what
    /// [`Reasoner::store`] says of the target.
    pub(crate) fn ways<T>(
        &self,
        capability: Capability,
        target: &str,
        then: impl FnOnce(&Goal<'_>, Vec<Way>) -> T,
    ) -> T {
        let store = self.store(target).filter(|_| capability == Capability::ReadRecords);
        let goal = match store.as_deref() {
            Some(store) => Goal::store(&self.routes, target, store),
            None => Goal::capability(&self.routes, &self.scope, capability, target),
        };
        let solution = goal.solve();
        let mut ways: Vec<Way> = goal
            .origins
            .iter()
            .filter_map(|place| {
                let principal = self.routes.name(goal.person(*place));
                // Nobody becomes who it is.
                (principal != target).then_some(())?;
                let steps = goal.tell(&solution, *place)?.steps;
                let decision = steps.iter().fold(Decision::Allow, |all, step| all.and(step.decision.clone()));
                Some(Way { principal: principal.to_owned(), decision, steps, place: *place })
            })
            .collect();
        ways.sort_by(|a, b| a.principal.cmp(&b.principal));
        then(&goal, ways)
    }
}
