//! Questions about an assessment, over all derivations.

use cadastre_graph::{ExplainError, Explanation, Matrix, Reasoner, WhoCan};
use cadastre_model::access::Capability;
use cadastre_model::declaration::Declaration;

use crate::Assessment;
use crate::what_if::WhatIf;

impl Assessment {
    /// Everybody who has a capability over a target; see [`Reasoner::who_can`].
    #[must_use]
    pub fn who_can(&self, declaration: &Declaration, capability: Capability, target: &str) -> Option<WhoCan> {
        Reasoner::new(&self.inventory, &self.access, declaration).who_can(&self.graph, capability, target)
    }

    /// One answer in words: the steps and what closes every way, or what stands in the way.
    ///
    /// # Errors
    /// When principal or target are not known.
    pub fn explain(
        &self,
        declaration: &Declaration,
        principal: &str,
        capability: Capability,
        target: &str,
    ) -> Result<Explanation, ExplainError> {
        Reasoner::new(&self.inventory, &self.access, declaration).explain(
            &self.graph,
            principal,
            capability,
            target,
            |principal, capability, target| {
                cadastre_access::why_not(&self.inventory, declaration, principal, capability, target)
            },
        )
    }

    /// The permission matrix over everything data-bearing.
    #[must_use]
    pub fn matrix(&self, declaration: &Declaration) -> Matrix {
        Reasoner::new(&self.inventory, &self.access, declaration).matrix()
    }
}

impl WhatIf {
    /// The same as [`Assessment::who_can`], without what was taken away.
    #[must_use]
    pub fn who_can(&self, declaration: &Declaration, capability: Capability, target: &str) -> Option<WhoCan> {
        Reasoner::new(&self.inventory, &self.access, declaration).who_can(&self.graph, capability, target)
    }
}
