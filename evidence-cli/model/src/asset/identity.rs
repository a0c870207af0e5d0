//! Principals: users, roles, groups, and the access keys of users.

use serde::{Deserialize, Serialize};

use super::{EvidenceIds, PolicyDocument, Tag};
use crate::known::Known;
use crate::time::Timestamp;

/// An IAM user or role of an account whose authorization details were read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Principal {
    /// `arn:aws:iam::111122223333:role/name`.
    pub arn: String,
    /// User or role.
    pub kind: PrincipalKind,
    /// The account it belongs to.
    pub account: String,
    /// Its name without path.
    pub name: String,
    /// Inline, attached and group policies together.
    pub policies: Known<Vec<PolicyDocument>>,
    /// The permissions boundary; absent when none is set.
    pub boundary: Known<PolicyDocument>,
    /// Who may assume it; absent for users.
    pub trust: Known<PolicyDocument>,
    /// Names of the groups a user is in.
    pub groups: Vec<String>,
    /// Tags.
    pub tags: Vec<Tag>,
    /// A user's access keys; absent for roles.
    pub access_keys: Known<Vec<AccessKey>>,
    /// Whether a user has a console password; absent for roles.
    pub console_password: Known<bool>,
    /// ARNs of the instance profiles that carry a role.
    pub instance_profiles: Vec<String>,
    /// When a role was used last; absent when the service knows of no use.
    pub last_used: Known<Timestamp>,
    /// The longest session of a role, in seconds.
    pub maximum_session_seconds: Option<i64>,
    /// Whether it is a service-linked role (path `/aws-service-role/`).
    pub service_linked: bool,
    /// Where it was read.
    pub evidence: EvidenceIds,
}

/// An IAM group: whoever is put into it has what its policies allow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// `arn:aws:iam::111122223333:group/name`.
    pub arn: String,
    /// The account it belongs to.
    pub account: String,
    /// Its name without path.
    pub name: String,
    /// Inline and attached policies.
    pub policies: Known<Vec<PolicyDocument>>,
    /// Where it was read.
    pub evidence: EvidenceIds,
}

/// Users and roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PrincipalKind {
    /// An IAM user.
    User,
    /// An IAM role.
    Role,
}

/// A user's access key; its id is cut to the last four characters when collected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AccessKey {
    /// The last four characters of its id.
    pub id_suffix: String,
    /// `Active` or `Inactive`.
    pub status: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it was used last.
    pub last_used: Known<Timestamp>,
}

/// An account that records speak of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CloudAccount {
    /// Twelve digits.
    pub id: String,
    /// Service control policies by level, from the root down; absent when the account is in no
    /// organization.
    pub service_control: Known<Vec<Vec<PolicyDocument>>>,
    /// Resource control policies by level, from the root down.
    pub resource_control: Known<Vec<Vec<PolicyDocument>>>,
    /// Whether this is the organization's management account, which SCPs do not bind.
    pub management: Known<bool>,
    /// The organization's id.
    pub organization: Known<String>,
    /// Where it was read.
    pub evidence: EvidenceIds,
}
