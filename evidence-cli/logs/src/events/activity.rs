//! What happened in a window, by what reviewers ask about.

use std::collections::BTreeMap;

use cadastre_model::Timestamp;
use cadastre_model::declaration::{Declaration, Job};
use cadastre_model::usage::Act;
use serde::{Deserialize, Serialize};

use super::event::Event;
use super::matches;

/// Calls that change who may do what, what is encrypted, or what is recorded; `*` and `?` are wildcards.
const POLICY_CHANGES: &[&str] = &[
    "iam:Put*",
    "iam:Attach*",
    "iam:Detach*",
    "iam:Delete*",
    "iam:Create*",
    "iam:Update*",
    "iam:Add*",
    "iam:Remove*",
    "iam:SetDefaultPolicyVersion",
    "kms:PutKeyPolicy",
    "kms:CreateGrant",
    "kms:RetireGrant",
    "kms:RevokeGrant",
    "kms:ScheduleKeyDeletion",
    "kms:DisableKey*",
    "kms:DeleteImportedKeyMaterial",
    "kms:UpdateAlias",
    "s3:PutBucket*",
    "s3:DeleteBucket*",
    "s3:PutObjectLockConfiguration",
    "s3:PutPublicAccessBlock",
    "s3:PutAccountPublicAccessBlock",
    "cloudtrail:StopLogging",
    "cloudtrail:DeleteTrail",
    "cloudtrail:UpdateTrail",
    "cloudtrail:PutEventSelectors",
    "organizations:AttachPolicy",
    "organizations:DetachPolicy",
    "organizations:UpdatePolicy",
    "organizations:DeletePolicy",
    "ec2:AuthorizeSecurityGroup*",
    "ec2:RevokeSecurityGroup*",
    "ec2:ModifySecurityGroupRules",
    "ec2:CreateNetworkAclEntry",
    "ec2:ReplaceNetworkAclEntry",
    "ec2:DeleteNetworkAclEntry",
    "ec2:CreateRoute",
    "ec2:ReplaceRoute",
    "ec2:ModifyVpcEndpoint*",
    "ec2:DeleteFlowLogs",
    "ec2:ModifySnapshotAttribute",
    "ec2:ModifyImageAttribute",
    "logs:DeleteLogGroup",
    "logs:PutRetentionPolicy",
    "logs:PutResourcePolicy",
    "sts:AssumeRoot",
];

/// Calls that use a key rather than administer it.
pub(super) const KEY_USES: &[&str] = &[
    "Decrypt",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
    "GenerateDataKeyWithoutPlaintext",
    "ReEncrypt",
    "Sign",
    "GenerateMac",
    "DeriveSharedSecret",
];

/// Events that differ in nothing but their time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActivityRow {
    /// The role, user or service.
    pub principal: String,
    /// `kms:Decrypt`.
    pub action: String,
    /// What it was done to: ARNs.
    pub target: String,
    /// Why it was refused, where it was.
    pub error: Option<String>,
    /// For a vendor's, which one.
    pub vendor: Option<String>,
    /// For a vendor's, the declared function that the action serves; absent where nothing declares it.
    pub function: Option<String>,
    /// How many.
    pub count: u64,
    /// The first.
    pub first: Timestamp,
    /// The last.
    pub last: Timestamp,
}

/// What a row is told apart by.
type Key = (String, String, String, Option<String>, Option<String>, Option<String>);

/// Rows in the making.
#[derive(Debug, Clone, Default)]
struct Rows(BTreeMap<Key, (u64, Timestamp, Timestamp)>);

impl Rows {
    fn add(&mut self, event: &Event, vendor: Option<&str>, function: Option<&str>) {
        let target = match &event.key {
            Some(key) if event.resources.is_empty() => key.clone(),
            _ => event.resources.join(" "),
        };
        let key = (
            event.identity.principal().to_owned(),
            event.action(),
            target,
            event.error.clone(),
            vendor.map(str::to_owned),
            function.map(str::to_owned),
        );
        let (count, first, last) = self.0.entry(key).or_insert((0, event.time, event.time));
        *count = count.saturating_add(1);
        *first = (*first).min(event.time);
        *last = (*last).max(event.time);
    }

    fn finish(self) -> Vec<ActivityRow> {
        let row = |((principal, action, target, error, vendor, function), (count, first, last))| {
            ActivityRow { principal, action, target, error, vendor, function, count, first, last }
        };
        self.0.into_iter().map(row).collect()
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Activity {
    /// What vendors did, from their accounts, by their roles, or from their networks.
    pub vendor: Vec<ActivityRow>,
    /// What emergency access did, and who took it.
    pub break_glass: Vec<ActivityRow>,
    /// Who used which key.
    pub key_uses: Vec<ActivityRow>,
    /// Changes of permissions, keys, logging and filters.
    pub policy_changes: Vec<ActivityRow>,
}

impl Activity {
    /// Starts to collect what a declaration makes worth telling.
    #[must_use]
    pub fn collector(declaration: &Declaration) -> ActivityCollector {
        ActivityCollector {
            declaration: declaration.clone(),
            vendor: Rows::default(),
            break_glass: Rows::default(),
            key_uses: Rows::default(),
            policy_changes: Rows::default(),
        }
    }

    /// What vendors did, or tried, that no declared function explains.
    pub fn unexplained(&self) -> impl Iterator<Item = &ActivityRow> {
        self.vendor.iter().filter(|row| row.function.is_none())
    }
}

/// Takes events one by one.
#[derive(Debug, Clone)]
pub struct ActivityCollector {
    declaration: Declaration,
    vendor: Rows,
    break_glass: Rows,
    key_uses: Rows,
    policy_changes: Rows,
}

impl ActivityCollector {
    /// Takes one.
    pub fn take(&mut self, event: &Event) {
        let called = event.action();
        let act = Act {
            principal: event.identity.principal(),
            account: event.identity.account.as_deref(),
            action: &called,
            resources: &event.resources,
            source: event.source_address.as_deref(),
        };
        for vendor in &self.declaration.vendors {
            if let Some(function) = vendor.function_of(&act) {
                self.vendor.add(event, Some(&vendor.name), function);
            }
        }
        let emergency = self.declaration.identities.iter().filter(|identity| identity.job == Job::BreakGlass);
        let mut patterns = emergency.map(|identity| identity.principal.as_str());
        let takes = event.source == "sts.amazonaws.com" && event.name.starts_with("Assume");
        if patterns.any(|pattern| {
            matches(pattern, event.identity.principal())
                || takes && event.resources.iter().any(|resource| matches(pattern, resource))
        }) {
            self.break_glass.add(event, None, None);
        }
        if event.source == "kms.amazonaws.com" && KEY_USES.contains(&event.name.as_str()) {
            self.key_uses.add(event, None, None);
        }
        if event.read_only != Some(true) && POLICY_CHANGES.iter().any(|pattern| matches(pattern, &called)) {
            self.policy_changes.add(event, None, None);
        }
    }

    /// What they come to.
    #[must_use]
    pub fn finish(self) -> Activity {
        Activity {
            vendor: self.vendor.finish(),
            break_glass: self.break_glass.finish(),
            key_uses: self.key_uses.finish(),
            policy_changes: self.policy_changes.finish(),
        }
    }
}
