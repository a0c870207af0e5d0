//! AWS Organizations: which control policies bind an account, from the root down.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_model::asset::{EvidenceIds, PolicyDocument, PolicyKind};
use cadastre_model::{Known, Outcome, Scope};

use crate::answers::Answer;
use crate::node::{Node, Read};
use crate::reader::{Reader, not_asked};

const ORGANIZATION: &str = "organizations:DescribeOrganization";
const ROOTS: &str = "organizations:ListRoots";
const UNITS: &str = "organizations:ListOrganizationalUnitsForParent";
const ACCOUNTS: &str = "organizations:ListAccountsForParent";
const POLICIES: &str = "organizations:ListPolicies";
const DOCUMENT: &str = "organizations:DescribePolicy";
const TARGETS: &str = "organizations:ListTargetsForPolicy";

/// An organization as one account sees it.
#[derive(Debug)]
pub(crate) struct Organization {
    pub(crate) id: Known<String>,
    pub(crate) management_account: Known<String>,
    /// The parent of every unit and account in the tree.
    parents: BTreeMap<String, String>,
    /// Policy types that are on, by root.
    roots: Known<BTreeMap<String, BTreeSet<String>>>,
    service_control: Known<Vec<Attached>>,
    resource_control: Known<Vec<Attached>>,
    pub(crate) evidence: EvidenceIds,
}

/// A control policy with the roots, units and accounts it is attached to.
#[derive(Debug)]
struct Attached {
    document: Known<PolicyDocument>,
    targets: Known<BTreeSet<String>>,
}

impl Organization {
    /// Reads what an account was told of its organization.
    pub(crate) fn read(reader: &mut Reader<'_>, account: &str) -> Self {
        let scope = Scope::account(account);
        let mut evidence = EvidenceIds::new();
        let whole = reader.known_within(ORGANIZATION, &scope, account, &mut evidence, |pages| {
            pages.only()?.object("Organization").map(Some)
        });
        let (id, management_account) = match &whole {
            Known::Absent => (Known::Absent, Known::Absent),
            whole => (
                reader.property(ORGANIZATION, whole, |organization| organization.owned_text("Id").map(Some)),
                reader.property(ORGANIZATION, whole, |organization| {
                    organization.owned_text("MasterAccountId").map(Some)
                }),
            ),
        };
        let roots = reader.known_within(ROOTS, &scope, account, &mut evidence, |pages| {
            Ok(Some(pages.all("Roots", root)?.into_iter().collect()))
        });
        Self {
            id,
            management_account,
            parents: parents(reader, &scope, &mut evidence),
            roots,
            service_control: attached(reader, &scope, PolicyKind::ServiceControl, &mut evidence),
            resource_control: attached(reader, &scope, PolicyKind::ResourceControl, &mut evidence),
            evidence,
        }
    }

    /// Whether the account has a place in the tree that was walked.
    pub(crate) fn places(&self, account: &str) -> bool {
        self.parents.contains_key(account)
    }

    /// The documents that bind an account, one level for the root, each unit on the way, and the account;
    /// no level at all where policies of this kind are switched off.
    pub(crate) fn levels(&self, account: &str, kind: PolicyKind) -> Known<Vec<Vec<PolicyDocument>>> {
        match self.try_levels(account, kind) {
            Ok(levels) => Known::Observed(levels),
            Err(missing) => Known::Unknown(missing),
        }
    }

    fn try_levels(&self, account: &str, kind: PolicyKind) -> Result<Vec<Vec<PolicyDocument>>, String> {
        let roots = observed(&self.roots, ROOTS)?;
        let path = self.path(account)?;
        let root = path.first().and_then(|root| roots.get(*root));
        let root = root.ok_or_else(|| format!("{ROOTS} lacks the root above account `{account}`"))?;
        if !root.contains(policy_type(kind)) {
            return Ok(Vec::new());
        }
        let policies = match kind {
            PolicyKind::ResourceControl => &self.resource_control,
            _ => &self.service_control,
        };
        let policies = observed(policies, POLICIES)?;
        let mut levels = Vec::new();
        for place in path {
            let mut level = Vec::new();
            for policy in policies {
                if observed(&policy.targets, TARGETS)?.contains(place) {
                    level.push(observed(&policy.document, DOCUMENT)?.clone());
                }
            }
            level.sort_by(|a, b| a.name.cmp(&b.name));
            levels.push(level);
        }
        Ok(levels)
    }

    /// The way from the root down to an account.
    fn path<'s>(&'s self, account: &'s str) -> Result<Vec<&'s str>, String> {
        let mut path = vec![account];
        let mut place = account;
        while let Some(parent) = self.parents.get(place) {
            if path.contains(&parent.as_str()) {
                return Err(format!("{UNITS} shows a circle around `{parent}`"));
            }
            path.push(parent);
            place = parent;
        }
        path.reverse();
        Ok(path)
    }
}

fn observed<'k, T>(known: &'k Known<T>, operation: &str) -> Result<&'k T, String> {
    match known {
        Known::Observed(value) => Ok(value),
        Known::Absent => Err(format!("{operation} found nothing")),
        Known::Unknown(missing) => Err(missing.clone()),
    }
}

const fn policy_type(kind: PolicyKind) -> &'static str {
    match kind {
        PolicyKind::ResourceControl => "RESOURCE_CONTROL_POLICY",
        _ => "SERVICE_CONTROL_POLICY",
    }
}

/// A root's id and the policy types that are on.
fn root(root: &Node<'_>) -> Read<(String, BTreeSet<String>)> {
    let mut on = BTreeSet::new();
    for policy_type in root.list("PolicyTypes")? {
        if policy_type.text("Status")? == "ENABLED" {
            on.insert(policy_type.owned_text("Type")?);
        }
    }
    Ok((root.owned_text("Id")?, on))
}

fn parents(reader: &mut Reader<'_>, scope: &Scope, evidence: &mut EvidenceIds) -> BTreeMap<String, String> {
    let answers = reader.answers;
    let mut parents = BTreeMap::new();
    for (operation, list) in [(UNITS, "OrganizationalUnits"), (ACCOUNTS, "Accounts")] {
        for answer in answers.in_scope(operation, scope) {
            for child in reader.items_of(answer, list) {
                let read = Node::request(child.record)
                    .owned_text("ParentId")
                    .and_then(|parent| Ok((child.owned_text("Id")?, parent)));
                match read {
                    Ok((child_id, parent)) => {
                        parents.insert(child_id, parent);
                        evidence.insert(child.record.id().clone());
                    }
                    Err(defect) => {
                        reader.reject(defect);
                    }
                }
            }
        }
    }
    parents
}

fn attached(
    reader: &mut Reader<'_>,
    scope: &Scope,
    kind: PolicyKind,
    evidence: &mut EvidenceIds,
) -> Known<Vec<Attached>> {
    let subject = format!("{scope}/{}", policy_type(kind));
    let series = reader.answers.within(POLICIES, scope, &subject).and_then(Answer::latest);
    if series.is_none() {
        return Known::Unknown(format!("{} for {}", not_asked(POLICIES), policy_type(kind)));
    }
    if let Some(series) = series.filter(|series| series.outcome == Outcome::Failed) {
        // Partitions without resource control policies say so with an error, which still settles nothing.
        return Known::Unknown(format!("{} for {}", series.missing(POLICIES), policy_type(kind)));
    }
    let arns = reader.known_from(POLICIES, series, evidence, |pages| {
        pages.all("Policies", |policy| policy.owned_text("Arn")).map(Some)
    });
    match arns {
        Known::Observed(arns) => {
            Known::Observed(arns.iter().map(|arn| policy(reader, scope, kind, arn, evidence)).collect())
        }
        Known::Absent => Known::Absent,
        Known::Unknown(missing) => Known::Unknown(missing),
    }
}

fn policy(
    reader: &mut Reader<'_>,
    scope: &Scope,
    kind: PolicyKind,
    arn: &str,
    evidence: &mut EvidenceIds,
) -> Attached {
    let document = reader.known_within(DOCUMENT, scope, arn, evidence, |pages| {
        let policy = pages.only()?.object("Policy")?;
        let name = match policy.optional_object("PolicySummary")? {
            Some(summary) => summary.optional_owned_text("Name")?,
            None => None,
        };
        let document = policy.policy("Content", name.as_deref().unwrap_or(arn), kind)?;
        document.map(Some).ok_or_else(|| policy.defect("a policy with its content"))
    });
    let targets = reader.known_within(TARGETS, scope, arn, evidence, |pages| {
        let targets = pages.all("Targets", |target| target.owned_text("TargetId"))?;
        Ok(Some(targets.into_iter().collect()))
    });
    Attached { document, targets }
}
