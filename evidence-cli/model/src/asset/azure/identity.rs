//! Azure role-based access control: definitions, assignments, deny assignments.

use serde::{Deserialize, Serialize};

use crate::asset::EvidenceIds;
use crate::record::RecordId;

/// What a definition or a deny assignment names, one entry of its `permissions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permission {
    /// Control-plane actions; `*` stands for any run of characters.
    pub actions: Vec<String>,
    /// Those taken out of `actions`.
    pub not_actions: Vec<String>,
    /// Data-plane actions.
    pub data_actions: Vec<String>,
    /// Those taken out of `data_actions`.
    pub not_data_actions: Vec<String>,
    /// A condition on it.
    pub condition: Option<String>,
}

/// A role definition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RoleDefinition {
    /// The last part of its id, a GUID: built-in roles have one id in every scope.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `BuiltInRole` or `CustomRole`.
    pub kind: String,
    /// What it allows: the union of these.
    pub permissions: Vec<Permission>,
    /// The record that holds it.
    pub record: RecordId,
    /// JSON pointer to it inside the record.
    pub pointer: String,
    /// Where it was read.
    pub evidence: EvidenceIds,
}

/// A role assignment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RoleAssignment {
    /// Its id; one above subscriptions counts once in each that lists it, `ID@SUBSCRIPTION`.
    pub id: String,
    /// Where it holds, and below: `/`, a management group, subscription, resource group or resource.
    pub scope: String,
    /// The object id of the principal.
    pub principal: String,
    /// `User`, `Group`, `ServicePrincipal`, `ForeignGroup`, `Device`.
    pub principal_kind: String,
    /// The last part of the definition's id.
    pub definition: String,
    /// The subscription that it was listed for, in which it holds where its scope is above it.
    pub listed_in: String,
    /// A condition on it.
    pub condition: Option<String>,
    /// The record that holds it.
    pub record: RecordId,
    /// JSON pointer to it inside the record.
    pub pointer: String,
    /// Where it was read.
    pub evidence: EvidenceIds,
}

/// A deny assignment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DenyAssignment {
    /// Its id; one above subscriptions counts once in each that lists it, `ID@SUBSCRIPTION`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Where it holds.
    pub scope: String,
    /// The subscription that it was listed for, in which it holds where its scope is above it.
    pub listed_in: String,
    /// Whether it holds there only, and not below.
    pub not_below: bool,
    /// What it denies.
    pub permissions: Vec<Permission>,
    /// Object ids of those it binds; `00000000-0000-0000-0000-000000000000` for everybody.
    pub principals: Vec<String>,
    /// Object ids of those it leaves out.
    pub excluded: Vec<String>,
    /// Whether it binds or leaves out a group, whose members are not read.
    pub groups: bool,
    /// A condition on it.
    pub condition: Option<String>,
    /// The record that holds it.
    pub record: RecordId,
    /// JSON pointer to it inside the record.
    pub pointer: String,
    /// Where it was read.
    pub evidence: EvidenceIds,
}
