//! Instance profiles: which role stands behind an instance.

use std::collections::BTreeMap;

use cadastre_model::Known;
use cadastre_model::asset::EvidenceIds;

use crate::aws::arn::Arn;
use crate::node::{Node, Read};
use crate::reader::{Reader, not_asked};

const LIST: &str = "iam:ListInstanceProfiles";

/// The instance profiles of all accounts.
#[derive(Debug, Default)]
pub(crate) struct InstanceProfiles {
    by_arn: BTreeMap<String, Profile>,
    arn_by_name: BTreeMap<(String, String), String>,
    /// Why profiles of an account may be missing here.
    gaps: BTreeMap<String, String>,
}

#[derive(Debug, Default)]
struct Profile {
    roles: Vec<String>,
    evidence: EvidenceIds,
}

impl InstanceProfiles {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Self {
        let mut profiles = Self::default();
        // A role lists its own profiles too, which settles them where the list itself was not answered.
        for role in reader.items("iam:GetAccountAuthorizationDetails", "RoleDetailList") {
            let items = reader.accept(role.optional_list("InstanceProfileList"));
            profiles.add_all(reader, items);
        }
        let items = reader.items(LIST, "InstanceProfiles");
        profiles.add_all(reader, items);
        for answer in reader.answers.of(LIST) {
            let gap = answer.latest().filter(|series| !series.answers()).map(|series| series.missing(LIST));
            let account = answer.scope.account.clone().unwrap_or_else(|| answer.subject.to_owned());
            profiles.gaps.insert(account, gap.unwrap_or_else(|| format!("{LIST} does not list it")));
        }
        profiles
    }

    fn add_all(&mut self, reader: &mut Reader<'_>, items: Vec<Node<'_>>) {
        for item in items {
            let read = self.add(&item);
            reader.accept(read);
        }
    }

    fn add(&mut self, profile: &Node<'_>) -> Read<()> {
        let arn = profile.owned_text("Arn")?;
        let name = profile.owned_text("InstanceProfileName")?;
        let mut roles = Vec::new();
        for role in profile.list("Roles")? {
            roles.push(role.owned_text("Arn")?);
        }
        self.arn_by_name.insert((profile.account()?.to_owned(), name), arn.clone());
        let known = self.by_arn.entry(arn).or_default();
        known.roles = roles;
        known.evidence.insert(profile.record.id().clone());
        Ok(())
    }

    /// The ARN of the profile with this name.
    pub(crate) fn named(&self, account: &str, name: &str) -> Option<String> {
        self.arn_by_name.get(&(account.to_owned(), name.to_owned())).cloned()
    }

    /// The role behind a profile, which carries at most one.
    pub(crate) fn role(&self, arn: &str, evidence: &mut EvidenceIds) -> Known<String> {
        if let Some(profile) = self.by_arn.get(arn) {
            evidence.extend(profile.evidence.iter().cloned());
            return profile.roles.first().map_or(Known::Absent, |role| Known::Observed(role.clone()));
        }
        let account = Arn::parse(arn).map_or("", |parts| parts.account);
        let gap = self.gaps.get(account).cloned().unwrap_or_else(|| not_asked(LIST));
        Known::Unknown(format!("the role of instance profile `{arn}`: {gap}"))
    }
}
