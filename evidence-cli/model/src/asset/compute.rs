//! Compute: instances, machine images, launch templates.

use serde::{Deserialize, Serialize};

use super::{EvidenceIds, Tag};
use crate::known::Known;

/// An EC2 instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Instance {
    /// `i-…`.
    pub id: String,
    /// The account that was asked.
    pub account: String,
    /// Its region.
    pub region: String,
    /// `running`, `stopped`, …
    pub state: String,
    /// The machine image it was started from.
    pub image: String,
    /// ARN of its instance profile.
    pub instance_profile: Option<String>,
    /// ARN of the role behind the instance profile, where that is known.
    pub role: Known<String>,
    /// Its subnet.
    pub subnet: Option<String>,
    /// Its VPC.
    pub vpc: Option<String>,
    /// Its availability zone.
    pub zone: Option<String>,
    /// Private addresses.
    pub private_addresses: Vec<String>,
    /// Public addresses, IPv6 included.
    pub public_addresses: Vec<String>,
    /// Security group ids.
    pub security_groups: Vec<String>,
    /// Network interface ids.
    pub interfaces: Vec<String>,
    /// Volume ids.
    pub volumes: Vec<String>,
    /// `required` or `optional` instance metadata tokens (IMDSv2).
    pub metadata_tokens: Option<String>,
    /// The name of its SSH key pair.
    pub key_pair: Option<String>,
    /// Tags.
    pub tags: Vec<Tag>,
    /// Where it was read.
    pub evidence: EvidenceIds,
}

/// A machine image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MachineImage {
    /// `ami-…`.
    pub id: String,
    /// The account that owns it.
    pub owner: String,
    /// Its region.
    pub region: String,
    /// Its name.
    pub name: String,
    /// Whether it is public.
    pub public: bool,
    /// Accounts it is shared with, for images of our own; `all` when public.
    pub shared_with: Known<Vec<String>>,
    /// Where it was read.
    pub evidence: EvidenceIds,
}

/// The default version of a launch template.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LaunchTemplate {
    /// `lt-…`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The account that was asked.
    pub account: String,
    /// Its region.
    pub region: String,
    /// The machine image of the default version.
    pub image: Known<String>,
    /// The instance profile of the default version.
    pub instance_profile: Known<String>,
    /// Where it was read.
    pub evidence: EvidenceIds,
}
