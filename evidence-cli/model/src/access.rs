//! What access evaluation answers with: decisions, capabilities, edges.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::asset::StatementRef;

/// What a reviewer asks about, above raw actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Capability {
    /// Read records of a topic in plaintext.
    ReadRecords,
    /// Write records to a topic.
    WriteRecords,
    /// Read objects, volumes or snapshots as stored.
    ReadObjects,
    /// Write or delete them.
    WriteObjects,
    /// Use a key to decrypt.
    Decrypt,
    /// Change a key's policy or state, or create grants on it.
    ManageKey,
    /// Run commands on a host, or replace what runs there.
    OperateHost,
    /// Change what another principal or resource policy allows.
    ChangePolicy,
    /// Become another principal.
    Assume,
    /// Read logs.
    ReadLogs,
    /// Change, stop or delete logs.
    AlterLogs,
    /// Send packets to it.
    Reach,
}

impl Capability {
    /// All of them, in the order reports list them.
    pub const ALL: [Self; 12] = [
        Self::ReadRecords,
        Self::WriteRecords,
        Self::ReadObjects,
        Self::WriteObjects,
        Self::Decrypt,
        Self::ManageKey,
        Self::OperateHost,
        Self::ChangePolicy,
        Self::Assume,
        Self::ReadLogs,
        Self::AlterLogs,
        Self::Reach,
    ];

    /// Its name on the command line and in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ReadRecords => "read-records",
            Self::WriteRecords => "write-records",
            Self::ReadObjects => "read-objects",
            Self::WriteObjects => "write-objects",
            Self::Decrypt => "decrypt",
            Self::ManageKey => "manage-key",
            Self::OperateHost => "operate-host",
            Self::ChangePolicy => "change-policy",
            Self::Assume => "assume",
            Self::ReadLogs => "read-logs",
            Self::AlterLogs => "alter-logs",
            Self::Reach => "reach",
        }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Four-valued truth of an access question.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "decision", content = "detail", rename_all = "kebab-case")]
pub enum Decision {
    /// Yes.
    Allow,
    /// Yes when the condition holds; the text states it.
    Conditional(String),
    /// Not settled by the evidence; the text names what is missing.
    Unknown(String),
    /// No.
    Deny,
}

impl Decision {
    /// Whether anything but a plain no.
    #[must_use]
    pub const fn possible(&self) -> bool {
        !matches!(self, Self::Deny)
    }

    /// Both must hold. A no settles it; missing evidence outweighs a condition.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Deny, _) | (_, Self::Deny) => Self::Deny,
            (Self::Unknown(a), Self::Unknown(b)) if a != b => Self::Unknown(format!("{a}; {b}")),
            (Self::Unknown(a), _) | (_, Self::Unknown(a)) => Self::Unknown(a),
            (Self::Conditional(a), Self::Conditional(b)) if a != b => {
                Self::Conditional(format!("{a} and {b}"))
            }
            (Self::Conditional(a), _) | (_, Self::Conditional(a)) => Self::Conditional(a),
            (Self::Allow, Self::Allow) => Self::Allow,
        }
    }

    /// The same where the request comes through a service: a condition that asks for just that service holds.
    #[must_use]
    pub fn through_service(&self, service: &str) -> Self {
        let Self::Conditional(text) = self else { return self.clone() };
        if text.contains('(') || text.contains(" or ") {
            return self.clone();
        }
        let settled = |clause: &&str| {
            clause
                .strip_prefix("kms:ViaService in [")
                .and_then(|rest| rest.strip_suffix(']'))
                .is_some_and(|listed| listed.split(", ").any(|listed| listed == service))
        };
        let open: Vec<&str> = text.split(" and ").filter(|clause| !settled(clause)).collect();
        if open.is_empty() { Self::Allow } else { Self::Conditional(open.join(" and ")) }
    }

    /// Either suffices. A yes settles it; a condition outweighs missing evidence.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Allow, _) | (_, Self::Allow) => Self::Allow,
            (Self::Conditional(a), Self::Conditional(b)) if a != b => {
                Self::Conditional(format!("{a} or {b}"))
            }
            (Self::Conditional(a), _) | (_, Self::Conditional(a)) => Self::Conditional(a),
            (Self::Unknown(a), Self::Unknown(b)) if a != b => Self::Unknown(format!("{a}; {b}")),
            (Self::Unknown(a), _) | (_, Self::Unknown(a)) => Self::Unknown(a),
            (Self::Deny, Self::Deny) => Self::Deny,
        }
    }
}

/// `principal -capability-> target`, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CapabilityEdge {
    /// Who: an IAM ARN, `service:ec2.amazonaws.com`, `federated:…`, `account:999988887777`, `*` for
    /// anybody, or `User:name` on a cluster.
    pub principal: String,
    /// May do what.
    pub capability: Capability,
    /// To what: an ARN, or `topic:cluster/name` and the like.
    pub target: String,
    /// How certainly; never [`Decision::Deny`].
    #[serde(flatten)]
    pub decision: Decision,
    /// The action in the service's words, `s3:GetObject`, that gives the capability.
    pub action: String,
    /// The statements and grants that allow it.
    pub statements: Vec<StatementRef>,
    /// Conditions that the principal satisfies by itself, in words: a tag it sends with the request, a key it leaves
    /// out. They are no limit, and `decision` leaves them aside.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
    /// What the principal can do to the target once it has done this. The edge is then an enabling step, and
    /// `statements` holds those of the step and of what follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enables: Option<Enabled>,
    /// Whether it stands for several proofs that are too many to be told one by one: each rests on `statements` and on
    /// others, so that taking one of these away closes all of them, and which fewer would do is not known.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub summary: bool,
}

/// What an enabling step makes possible on the same target.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Enabled {
    /// The capability that follows.
    pub capability: Capability,
    /// The action that gives it, `s3:GetObject`.
    pub action: String,
}

/// One step of an [`Escalation`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EscalationStep {
    /// Who acts: the principal itself, or somebody it has become by an earlier step.
    pub principal: String,
    /// Does what.
    pub capability: Capability,
    /// To what.
    pub target: String,
    /// The action in the service's words; two of them joined by ` and ` where both are needed at once.
    pub action: String,
    /// How certain the step is.
    #[serde(flatten)]
    pub decision: Decision,
    /// Conditions that the acting principal satisfies by itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
    /// The statements that allow it; empty for what follows from an earlier step.
    pub statements: Vec<StatementRef>,
}

/// A capability that a principal does not hold and can gain by its own steps.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Escalation {
    /// Who.
    pub principal: String,
    /// Gains what.
    pub capability: Capability,
    /// Over what.
    pub target: String,
    /// How certain the whole chain is.
    #[serde(flatten)]
    pub decision: Decision,
    /// The steps in the order in which they are taken, the enabling one first. The last one is the capability itself.
    pub steps: Vec<EscalationStep>,
}

/// How data, keys or logs can be lost without any permission to delete them, or with one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Damage {
    /// Objects, disks or keys are gone, now or when a rule or a waiting period runs out.
    Destroy,
    /// Events are no longer recorded, or their records are gone.
    Blind,
    /// A policy can be written that keeps the owner out.
    LockOut,
}

/// A way to destroy, blind or lock out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Destruction {
    /// Who.
    pub principal: String,
    /// Does what.
    pub damage: Damage,
    /// To what.
    pub target: String,
    /// The action in the service's words.
    pub action: String,
    /// Whether the action is not called a deletion: a lifecycle rule, a shorter retention, another selector.
    pub disguised: bool,
    /// How certainly.
    #[serde(flatten)]
    pub decision: Decision,
    /// The statements that allow it.
    pub statements: Vec<StatementRef>,
}

/// Why a guard protects nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GuardDefect {
    /// It names somebody or something that does not exist.
    NamesNothing,
    /// Its condition holds for every request, or for none, so that it decides nothing.
    AlwaysTrue,
    /// The principal satisfies its condition by itself.
    SelfSatisfied,
    /// Another action leads to the same end and is not denied.
    WalkedAround,
    /// The principal it binds can remove it.
    Removable,
    /// It is in the account, and attached to others only.
    AttachedToOthers,
    /// What decides never asks it: a rule of one authorization plane about clients of another.
    NotConsulted,
}

impl GuardDefect {
    /// Its name in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NamesNothing => "names-nothing",
            Self::AlwaysTrue => "always-true",
            Self::SelfSatisfied => "self-satisfied",
            Self::WalkedAround => "walked-around",
            Self::Removable => "removable",
            Self::AttachedToOthers => "attached-to-others",
            Self::NotConsulted => "not-consulted",
        }
    }
}

/// A deny, a condition or a boundary that a reader would think protects, and that does not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DeadGuard {
    /// What it is about: the principal it binds, or the resource that carries it.
    pub subject: String,
    /// What is wrong with it.
    pub defect: GuardDefect,
    /// One line for a person.
    pub told: String,
    /// The guard itself, and the statements that walk around it or remove it.
    pub statements: Vec<StatementRef>,
}

/// One statement of an identity policy, for controls that judge what is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityStatement {
    /// The principal that carries it.
    pub principal: String,
    /// `Allow` or `Deny`.
    pub effect: String,
    /// `Action`.
    pub actions: Vec<String>,
    /// `NotAction`.
    pub not_actions: Vec<String>,
    /// `Resource`.
    pub resources: Vec<String>,
    /// `NotResource`.
    pub not_resources: Vec<String>,
    /// Condition keys, lower case.
    pub condition_keys: Vec<String>,
    /// Where it stands.
    pub at: StatementRef,
}

/// Who a trust policy lets in, one entry for each principal of each allowing statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trust {
    /// The role's ARN.
    pub role: String,
    /// Who: an ARN, `account:…`, `service:…`, `federated:…`, or `*`.
    pub principal: String,
    /// The principal's account, where it has one.
    pub account: Option<String>,
    /// `sts:AssumeRole`, `sts:AssumeRoleWithWebIdentity`, `sts:AssumeRoleWithSAML`.
    pub action: String,
    /// Condition keys of the statement, lower case.
    pub condition_keys: Vec<String>,
    /// How certainly.
    #[serde(flatten)]
    pub decision: Decision,
    /// The statement.
    pub at: StatementRef,
}

/// Everything the access engine says of an inventory.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Access {
    /// Sorted by principal, capability, target.
    pub edges: Vec<CapabilityEdge>,
    /// Sorted by role, principal.
    pub trusts: Vec<Trust>,
    /// Statements of identity policies, sorted by principal.
    pub statements: Vec<IdentityStatement>,
    /// What could not be evaluated and why: `(principal or resource, reason)`.
    pub unknown: Vec<(String, String)>,
    /// Ways to destroy data and keys, to blind logs and to lock out, sorted by principal.
    #[serde(default)]
    pub destruction: Vec<Destruction>,
    /// Guards that protect nothing, sorted by subject.
    #[serde(default)]
    pub guards: Vec<DeadGuard>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_is_never_yes_and_never_no() {
        let unknown = || Decision::Unknown("kms:GetKeyPolicy".into());
        assert_eq!(unknown().and(Decision::Allow), unknown());
        assert_eq!(unknown().and(Decision::Deny), Decision::Deny);
        assert_eq!(unknown().or(Decision::Deny), unknown());
        assert_eq!(unknown().or(Decision::Allow), Decision::Allow);
    }

    #[test]
    fn conditions_join_by_and_and_or() {
        let on = |text: &str| Decision::Conditional(text.into());
        assert_eq!(on("a").and(on("b")), on("a and b"));
        assert_eq!(on("a").or(on("b")), on("a or b"));
        assert_eq!(on("a").and(on("a")), on("a"));
    }
}
