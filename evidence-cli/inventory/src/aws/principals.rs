//! IAM users and roles, joined to the policies that apply to them.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_model::asset::identity::{AccessKey, Group, Principal, PrincipalKind};
use cadastre_model::asset::{EvidenceIds, PolicyDocument, PolicyKind};
use cadastre_model::shared::SharedDocument;
use cadastre_model::{Known, Timestamp};

use crate::answers::Answer;
use crate::aws::tags;
use crate::node::{Defect, Node, Read};
use crate::reader::{Reader, not_asked};

const DETAILS: &str = "iam:GetAccountAuthorizationDetails";
const KEY_USE: &str = "iam:GetAccessKeyLastUsed";
const REPORT: &str = "iam:GetCredentialReport";

/// Reads the users and roles of every account, and the groups of users.
pub(crate) fn read(reader: &mut Reader<'_>) -> (Vec<Principal>, Vec<Group>) {
    let joins = Joins::read(reader);
    let mut groups: BTreeMap<String, (Timestamp, Group)> = BTreeMap::new();
    let mut principals: BTreeMap<String, (Timestamp, Principal)> = BTreeMap::new();
    for answer in reader.answers.of(DETAILS) {
        let details = Details::read(reader, answer);
        for item in details.groups.values() {
            match details.group(reader, item) {
                Ok(group) => {
                    let at = item.record.observed_at;
                    if groups.get(&group.arn).is_none_or(|(seen, _)| *seen <= at) {
                        groups.insert(group.arn.clone(), (at, group));
                    }
                }
                Err(defect) => {
                    reader.reject(defect);
                }
            }
        }
        for (kind, list) in [(PrincipalKind::User, "UserDetailList"), (PrincipalKind::Role, "RoleDetailList")]
        {
            for item in reader.items_of(answer, list) {
                match principal(reader, &details, &joins, kind, &item) {
                    Ok(principal) => {
                        let seen = principals.get(&principal.arn);
                        if seen.is_none_or(|(at, _)| *at <= item.record.observed_at) {
                            principals.insert(principal.arn.clone(), (item.record.observed_at, principal));
                        }
                    }
                    Err(defect) => {
                        reader.reject(defect);
                    }
                }
            }
        }
    }
    (
        principals.into_values().map(|(_, principal)| principal).collect(),
        groups.into_values().map(|(_, group)| group).collect(),
    )
}

fn principal<'a>(
    reader: &mut Reader<'a>,
    details: &Details<'_>,
    joins: &Joins<'a>,
    kind: PrincipalKind,
    item: &Node<'_>,
) -> Read<Principal> {
    let arn = item.owned_text("Arn")?;
    let (name, inline) = match kind {
        PrincipalKind::User => (item.owned_text("UserName")?, "UserPolicyList"),
        PrincipalKind::Role => (item.owned_text("RoleName")?, "RolePolicyList"),
    };
    let mut evidence = EvidenceIds::from([item.record.id().clone()]);
    let groups = match kind {
        PrincipalKind::User => item.optional_texts("GroupList")?,
        PrincipalKind::Role => Vec::new(),
    };
    let policies = details.policies(item, inline, &groups, &mut evidence);
    let policies = settle(reader, policies.map(Some));
    let boundary = details.boundary(item, &mut evidence);
    let boundary = settle(reader, boundary);
    let trust = match kind {
        PrincipalKind::User => Known::Absent,
        PrincipalKind::Role => {
            let trust = trust(item);
            reader.settle(trust)
        }
    };
    let last_used = match kind {
        PrincipalKind::User => Known::Absent,
        PrincipalKind::Role => last_used(reader, item),
    };
    let (access_keys, console_password) = match kind {
        PrincipalKind::User => (
            access_keys(reader, &arn, &mut evidence),
            joins.console_password(reader, item.account()?, &arn, &mut evidence),
        ),
        PrincipalKind::Role => (Known::Absent, Known::Absent),
    };
    let mut instance_profiles: BTreeSet<String> =
        item.texts_of("InstanceProfileList", "Arn")?.into_iter().collect();
    instance_profiles
        .extend(joins.profiles.get(arn.as_str()).into_iter().flatten().map(|arn| (*arn).to_owned()));
    let maximum_session_seconds = joins.sessions.get(arn.as_str()).map(|(seconds, record)| {
        evidence.insert((*record).clone());
        *seconds
    });
    Ok(Principal {
        kind,
        account: item.account()?.to_owned(),
        name,
        policies,
        boundary,
        trust,
        groups,
        tags: tags::read(item, "Tags")?,
        access_keys,
        console_password,
        instance_profiles: instance_profiles.into_iter().collect(),
        last_used,
        maximum_session_seconds,
        service_linked: item
            .optional_text("Path")?
            .is_some_and(|path| path.starts_with("/aws-service-role/")),
        arn,
        evidence,
    })
}

/// Every role has a trust policy, so one without is not readable.
fn trust(role: &Node<'_>) -> Read<Option<PolicyDocument>> {
    let trust = role.policy("AssumeRolePolicyDocument", "trust-policy", PolicyKind::Trust)?;
    trust.map(Some).ok_or_else(|| role.defect("a role with a trust policy"))
}

fn last_used(reader: &mut Reader<'_>, role: &Node<'_>) -> Known<Timestamp> {
    match role.optional_object("RoleLastUsed") {
        Ok(Some(used)) => {
            let used = used.optional_time("LastUsedDate");
            reader.settle(used)
        }
        Ok(None) => Known::Unknown(format!("{DETAILS} does not say when the role was used last")),
        Err(defect) => Known::Unknown(reader.reject(defect)),
    }
}

fn access_keys(reader: &mut Reader<'_>, user: &str, evidence: &mut EvidenceIds) -> Known<Vec<AccessKey>> {
    let keys = reader.known("iam:ListAccessKeys", user, evidence, |pages| {
        let keys = pages.all("AccessKeyMetadata", |key| {
            let id = key.text("AccessKeyId")?;
            Ok((id.to_owned(), key.owned_text("Status")?, key.time("CreateDate")?))
        })?;
        Ok(Some(keys))
    });
    let keys = match keys {
        Known::Observed(keys) => keys,
        Known::Absent => return Known::Absent,
        Known::Unknown(missing) => return Known::Unknown(missing),
    };
    let mut read: Vec<AccessKey> = Vec::new();
    for (id, status, created) in &keys {
        let alike = keys.iter().filter(|(other, _, _)| other == id).count();
        let last_used = if alike > 1 {
            Known::Unknown(format!("{KEY_USE} cannot tell two keys apart that both end in `{}`", suffix(id)))
        } else {
            key_last_used(reader, user, id, evidence)
        };
        read.push(AccessKey {
            id_suffix: suffix(id).to_owned(),
            status: status.clone(),
            created: *created,
            last_used,
        });
    }
    read.sort_by(|a, b| (&a.id_suffix, a.created).cmp(&(&b.id_suffix, b.created)));
    Known::Observed(read)
}

fn key_last_used(
    reader: &mut Reader<'_>,
    user: &str,
    key: &str,
    evidence: &mut EvidenceIds,
) -> Known<Timestamp> {
    let subject = format!("{user}/access-key/{key}");
    reader.known(KEY_USE, &subject, evidence, |pages| {
        match pages.only()?.optional_object("AccessKeyLastUsed")? {
            Some(used) => used.optional_time("LastUsedDate"),
            None => Ok(None),
        }
    })
}

/// The last four characters of an access key id, which is all that is kept of it.
fn suffix(id: &str) -> &str {
    let start = id.char_indices().rev().nth(3).map_or(0, |(index, _)| index);
    id.get(start..).unwrap_or(id)
}

/// Why something about a principal is not known.
enum Gap {
    Defect(Defect),
    Missing(String),
}

impl From<Defect> for Gap {
    fn from(defect: Defect) -> Self {
        Self::Defect(defect)
    }
}

fn settle<T>(reader: &mut Reader<'_>, read: Result<Option<T>, Gap>) -> Known<T> {
    match read {
        Ok(Some(value)) => Known::Observed(value),
        Ok(None) => Known::Absent,
        Err(Gap::Defect(defect)) => Known::Unknown(reader.reject(defect)),
        Err(Gap::Missing(missing)) => Known::Unknown(missing),
    }
}

/// Groups and managed policies of one account.
#[derive(Debug, Default)]
struct Details<'a> {
    groups: BTreeMap<&'a str, Node<'a>>,
    /// The default version's document, by ARN; all who carry it share one copy.
    managed: BTreeMap<&'a str, (Node<'a>, SharedDocument)>,
}

impl<'a> Details<'a> {
    fn read(reader: &mut Reader<'a>, answer: &Answer<'a>) -> Self {
        let mut details = Self::default();
        for group in reader.items_of(answer, "GroupDetailList") {
            match group.text("GroupName") {
                Ok(name) => {
                    details.groups.insert(name, group);
                }
                Err(defect) => {
                    reader.reject(defect);
                }
            }
        }
        for policy in reader.items_of(answer, "Policies") {
            match default_version(&policy) {
                Ok(Some((arn, document))) => {
                    let shared = SharedDocument::from(document.value.clone());
                    details.managed.insert(arn, (document, shared));
                }
                Ok(None) => {}
                Err(defect) => {
                    reader.reject(defect);
                }
            }
        }
        details
    }

    fn managed(
        &self,
        arn: &str,
        kind: PolicyKind,
        evidence: &mut EvidenceIds,
    ) -> Result<PolicyDocument, Gap> {
        let document = self.managed.get(arn);
        let (document, shared) = document
            .ok_or_else(|| Gap::Missing(format!("{DETAILS} lacks the document of policy `{arn}`")))?;
        evidence.insert(document.record.id().clone());
        Ok(document.as_policy_sharing(arn, kind, shared)?)
    }

    /// A group by itself.
    fn group(&self, reader: &mut Reader<'_>, item: &Node<'a>) -> Read<Group> {
        let mut evidence = EvidenceIds::from([item.record.id().clone()]);
        let mut policies = Vec::new();
        let read = self.attached(item, "GroupPolicyList", "", &mut policies, &mut evidence);
        let (account, name) = (item.account()?.to_owned(), item.owned_text("GroupName")?);
        let arn = item.optional_owned_text("Arn")?;
        Ok(Group {
            arn: arn.unwrap_or_else(|| format!("arn:aws:iam::{account}:group/{name}")),
            account,
            name,
            policies: settle(reader, read.map(|()| Some(policies))),
            evidence,
        })
    }

    /// Inline and attached policies, then those of the groups.
    fn policies(
        &self,
        item: &Node<'_>,
        inline: &str,
        groups: &[String],
        evidence: &mut EvidenceIds,
    ) -> Result<Vec<PolicyDocument>, Gap> {
        let mut policies = Vec::new();
        self.attached(item, inline, "", &mut policies, evidence)?;
        for name in groups {
            let group = self.groups.get(name.as_str());
            let group = group.ok_or_else(|| Gap::Missing(format!("{DETAILS} lacks group `{name}`")))?;
            evidence.insert(group.record.id().clone());
            self.attached(group, "GroupPolicyList", &format!("{name}/"), &mut policies, evidence)?;
        }
        Ok(policies)
    }

    fn attached(
        &self,
        item: &Node<'_>,
        inline: &str,
        prefix: &str,
        policies: &mut Vec<PolicyDocument>,
        evidence: &mut EvidenceIds,
    ) -> Result<(), Gap> {
        for policy in item.list(inline)? {
            let name = format!("{prefix}{}", policy.text("PolicyName")?);
            let document = policy.policy("PolicyDocument", &name, PolicyKind::Inline)?;
            policies.push(document.ok_or_else(|| policy.defect("an inline policy with a document"))?);
        }
        for policy in item.list("AttachedManagedPolicies")? {
            policies.push(self.managed(policy.text("PolicyArn")?, PolicyKind::Managed, evidence)?);
        }
        Ok(())
    }

    fn boundary(&self, item: &Node<'_>, evidence: &mut EvidenceIds) -> Result<Option<PolicyDocument>, Gap> {
        let Some(boundary) = item.optional_object("PermissionsBoundary")? else { return Ok(None) };
        let arn = boundary.text("PermissionsBoundaryArn")?;
        self.managed(arn, PolicyKind::Boundary, evidence).map(Some)
    }
}

fn default_version<'a>(policy: &Node<'a>) -> Read<Option<(&'a str, Node<'a>)>> {
    let arn = policy.text("Arn")?;
    let default = policy.optional_text("DefaultVersionId")?;
    for version in policy.list("PolicyVersionList")? {
        let is_default = match default {
            Some(default) => version.text("VersionId")? == default,
            None => version.boolean("IsDefaultVersion")?,
        };
        if is_default {
            return Ok(version.member("Document")?.map(|document| (arn, document)));
        }
    }
    Ok(None)
}

/// What other calls add to principals.
#[derive(Debug, Default)]
struct Joins<'a> {
    /// Longest session by role.
    sessions: BTreeMap<&'a str, (i64, &'a cadastre_model::RecordId)>,
    /// Instance profiles by role.
    profiles: BTreeMap<&'a str, BTreeSet<&'a str>>,
    /// Rows of the credential report by user.
    report: BTreeMap<&'a str, Node<'a>>,
}

impl<'a> Joins<'a> {
    fn read(reader: &mut Reader<'a>) -> Self {
        let mut joins = Self::default();
        for role in reader.items("iam:ListRoles", "Roles") {
            let read = joins.add_session(&role);
            reader.accept(read);
        }
        for profile in reader.items("iam:ListInstanceProfiles", "InstanceProfiles") {
            let read = joins.add_profile(&profile);
            reader.accept(read);
        }
        for row in reader.items(REPORT, "Content") {
            let read = row.text("arn").map(|arn| {
                joins.report.insert(arn, row.clone());
            });
            reader.accept(read);
        }
        joins
    }

    fn add_session(&mut self, role: &Node<'a>) -> Read<()> {
        if let Some(seconds) = role.optional_integer("MaxSessionDuration")? {
            self.sessions.insert(role.text("Arn")?, (seconds, role.record.id()));
        }
        Ok(())
    }

    fn add_profile(&mut self, profile: &Node<'a>) -> Read<()> {
        let arn = profile.text("Arn")?;
        for role in profile.list("Roles")? {
            self.profiles.entry(role.text("Arn")?).or_default().insert(arn);
        }
        Ok(())
    }

    fn console_password(
        &self,
        reader: &mut Reader<'a>,
        account: &str,
        user: &str,
        evidence: &mut EvidenceIds,
    ) -> Known<bool> {
        if let Some(row) = self.report.get(user) {
            evidence.insert(row.record.id().clone());
            return match row.text("password_enabled") {
                Ok("true") => Known::Observed(true),
                Ok("false") => Known::Observed(false),
                Ok(other) => Known::Unknown(format!("{REPORT} says `{other}` of the password")),
                Err(defect) => Known::Unknown(reader.reject(defect)),
            };
        }
        let series = reader.answers.about(REPORT, account).and_then(Answer::latest);
        Known::Unknown(match series {
            None => not_asked(REPORT),
            Some(series) if series.outcome == cadastre_model::Outcome::Observed => {
                format!("{REPORT} does not list the user")
            }
            Some(series) => series.missing(REPORT),
        })
    }
}
