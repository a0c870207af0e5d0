//! Virtual machines.

use serde::{Deserialize, Serialize};

use crate::asset::EvidenceIds;

/// A virtual machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VirtualMachine {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The subscription.
    pub subscription: String,
    /// Its region.
    pub region: String,
    /// Its interfaces.
    pub interfaces: Vec<String>,
    /// Object ids of the managed identities that it runs as.
    pub identities: Vec<String>,
    /// Managed disks, by id.
    pub disks: Vec<String>,
    /// Where it was read.
    pub evidence: EvidenceIds,
}
