//! What a drill is about to do, told before anything is touched.

use crate::name::DrillName;
use crate::target::Target;
use crate::tools::BrokerTools;
use crate::{
    audit_trail, broker_replacement, certificate_rotation, clients, deletion, denials, export,
    key_revocation, key_rotation, scale_out, store_outage, upgrade_rollback,
};

/// What one drill will do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Which drill.
    pub drill: DrillName,
    /// What it does, in order.
    pub steps: Vec<String>,
    /// What is disturbed or changed meanwhile.
    pub touches: Vec<String>,
    /// Why it cannot be exercised on this target, and is recorded as such.
    pub cannot: Option<String>,
}

impl Plan {
    /// A plan of steps.
    pub(crate) fn of(drill: DrillName, steps: &[&str]) -> Self {
        Self {
            drill,
            steps: steps.iter().map(|step| (*step).to_owned()).collect(),
            touches: Vec::new(),
            cannot: None,
        }
    }

    /// Names what is disturbed.
    pub(crate) fn touching(mut self, what: impl Into<String>) -> Self {
        self.touches.push(what.into());
        self
    }

    /// Says that it cannot be exercised, where there is a reason.
    pub(crate) fn unless(mut self, cannot: Option<String>) -> Self {
        self.cannot = self.cannot.or(cannot);
        self
    }

    /// The plan of a drill on a target.
    #[must_use]
    pub fn new(drill: DrillName, target: &Target, tools: Option<&dyn BrokerTools>) -> Self {
        match drill {
            DrillName::Clients => clients::plan(target),
            DrillName::Denials => denials::plan(target),
            DrillName::BrokerReplacement => broker_replacement::plan(target),
            DrillName::KeyRevocation => key_revocation::plan(target),
            DrillName::KeyRotation => key_rotation::plan(target, tools),
            DrillName::Deletion => deletion::plan(target, tools),
            DrillName::Export => export::plan(target),
            DrillName::ScaleOut => scale_out::plan(target),
            DrillName::StoreOutage => store_outage::plan(target),
            DrillName::CertificateRotation => certificate_rotation::plan(target),
            DrillName::UpgradeRollback => upgrade_rollback::plan(target),
            DrillName::AuditTrail => audit_trail::plan(target),
        }
    }
}
