//! The inventory as the engine sees it: identities, guard rails of accounts, each policy compiled once.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use cadastre_model::asset::identity::{CloudAccount, Principal, PrincipalKind};
use cadastre_model::asset::{PolicyDocument, PolicyKind};
use cadastre_model::inventory::Inventory;
use cadastre_model::{Known, RecordId};
use foldhash::fast::RandomState;
use rayon::prelude::*;

use crate::catalogue::{ActionId, Catalogue};
use crate::choice::Choices;
use crate::document::{Guard, Policy};
use crate::requester::{Group, Identity};

/// Everything that decisions are taken from.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) catalogue: Arc<Catalogue>,
    /// Sorted by ARN.
    pub(crate) identities: Vec<Identity>,
    pub(crate) by_arn: BTreeMap<String, usize>,
    /// Groups of users.
    pub(crate) groups: Vec<Group>,
    rails: BTreeMap<String, Rails>,
    pub(crate) choices: Arc<Choices>,
    pub(crate) actions: WellKnown,
}

/// Actions the engine itself asks about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WellKnown {
    pub(crate) assume: ActionId,
    pub(crate) assume_with_saml: ActionId,
    pub(crate) assume_with_web_identity: ActionId,
    pub(crate) pass_role: ActionId,
    pub(crate) add_role_to_profile: ActionId,
}

/// What an organization puts around an account.
#[derive(Debug)]
pub(crate) struct Rails {
    pub(crate) service_control: Levels,
    pub(crate) resource_control: Levels,
    pub(crate) management: Known<bool>,
    pub(crate) organization: Known<String>,
}

/// Policies by level, from the root down.
#[derive(Debug)]
pub(crate) enum Levels {
    /// The account is in no organization, or the policy type is off.
    None,
    Known(Vec<Vec<Arc<Policy>>>),
    Unknown(String),
}

/// Compiles each document once, however many principals carry it.
#[derive(Debug, Default)]
pub(crate) struct Compiler {
    /// By record and pointer.
    seen: Map<RecordId, Map<String, Kinds>>,
}

/// One document read as one kind of policy or another.
type Kinds = Vec<(PolicyKind, Arc<Policy>)>;

type Map<K, V> = HashMap<K, V, RandomState>;

impl Compiler {
    pub(crate) fn compile(&mut self, document: &PolicyDocument, catalogue: &Catalogue) -> Arc<Policy> {
        match self.known(document) {
            Some(known) => Arc::clone(known),
            None => {
                let policy = Arc::new(Policy::compile(document, catalogue));
                self.keep(document, Arc::clone(&policy));
                policy
            }
        }
    }

    /// Compiles many at once, on all cores.
    fn compile_all<'a>(
        &mut self,
        documents: impl Iterator<Item = &'a PolicyDocument>,
        catalogue: &Catalogue,
    ) {
        let mut seen: BTreeSet<(&str, &str, PolicyKind)> = BTreeSet::new();
        let new: Vec<&PolicyDocument> = documents
            .filter(|document| {
                self.known(document).is_none()
                    && seen.insert((document.record.as_str(), &document.pointer, document.kind))
            })
            .collect();
        let compiled: Vec<_> = new
            .into_par_iter()
            .map(|document| (document, Arc::new(Policy::compile(document, catalogue))))
            .collect();
        for (document, policy) in compiled {
            self.keep(document, policy);
        }
    }

    fn known(&self, document: &PolicyDocument) -> Option<&Arc<Policy>> {
        let there = self.seen.get(&document.record)?.get(&document.pointer)?;
        there.iter().find(|(kind, _)| *kind == document.kind).map(|(_, policy)| policy)
    }

    fn keep(&mut self, document: &PolicyDocument, policy: Arc<Policy>) {
        let of_record = self.seen.entry(document.record.clone()).or_default();
        of_record.entry(document.pointer.clone()).or_default().push((document.kind, policy));
    }
}

impl World {
    /// Compiles the principals and accounts of an inventory.
    pub(crate) fn new(
        inventory: &Inventory,
        catalogue: Arc<Catalogue>,
        choices: Arc<Choices>,
        compiler: &mut Compiler,
    ) -> Self {
        let mut rails = BTreeMap::new();
        for account in &inventory.accounts {
            rails.insert(account.id.clone(), Rails::new(account, &catalogue, compiler));
        }
        let documents = inventory.principals.iter().flat_map(|principal| {
            let own = principal.policies.observed().into_iter().flatten();
            own.chain(principal.boundary.observed()).chain(principal.trust.observed())
        });
        compiler.compile_all(documents, &catalogue);
        let mut identities: Vec<Identity> = inventory
            .principals
            .iter()
            .map(|principal| identity(principal, rails.get(&principal.account), &catalogue, compiler))
            .collect();
        identities.sort_by(|a, b| a.arn.cmp(&b.arn));
        identities.dedup_by(|a, b| a.arn == b.arn);
        let groups = inventory.groups.iter().map(|group| Group {
            arn: group.arn.clone(),
            name: group.name.clone(),
            account: group.account.clone(),
            policies: group
                .policies
                .observed()
                .into_iter()
                .flatten()
                .map(|document| compiler.compile(document, &catalogue))
                .collect(),
            policies_missing: group.policies.missing().map(str::to_owned),
        });
        let groups = groups.collect();
        let by_arn =
            identities.iter().enumerate().map(|(place, identity)| (identity.arn.clone(), place)).collect();
        // The catalogue always numbers these; see `Catalogue::parse`.
        let id = |action: &str| catalogue.id(action).unwrap_or(ActionId(u16::MAX));
        let actions = WellKnown {
            assume: id("sts:AssumeRole"),
            assume_with_saml: id("sts:AssumeRoleWithSAML"),
            assume_with_web_identity: id("sts:AssumeRoleWithWebIdentity"),
            pass_role: id("iam:PassRole"),
            add_role_to_profile: id("iam:AddRoleToInstanceProfile"),
        };
        Self { catalogue, identities, by_arn, groups, rails, choices, actions }
    }

    /// The guard rails of an account, where its organization was asked about.
    pub(crate) fn rails(&self, account: &str) -> Option<&Rails> {
        self.rails.get(account)
    }

    /// The organization of an account.
    pub(crate) fn organization(&self, account: &str) -> Known<String> {
        organization(self.rails.get(account), account)
    }

    /// The role of a session, by account and name.
    pub(crate) fn role_named(&self, account: &str, name: &str) -> Option<usize> {
        // Sorted by ARN, and ARNs begin with the account.
        let prefix = format!("arn:aws:iam::{account}:");
        let start = self.identities.partition_point(|identity| identity.arn.as_str() < prefix.as_str());
        let of_account =
            self.identities.get(start..)?.iter().take_while(|identity| identity.arn.starts_with(&prefix));
        of_account
            .enumerate()
            .find(|(_, identity)| identity.kind == PrincipalKind::Role && identity.name == name)
            .map(|(place, _)| start + place)
    }
}

impl Rails {
    /// Every policy of both types.
    pub(crate) fn policies(&self) -> impl Iterator<Item = &Arc<Policy>> {
        [&self.service_control, &self.resource_control]
            .into_iter()
            .flat_map(|levels| match levels {
                Levels::Known(levels) => levels.as_slice(),
                Levels::None | Levels::Unknown(_) => &[],
            })
            .flatten()
    }

    fn new(account: &CloudAccount, catalogue: &Catalogue, compiler: &mut Compiler) -> Self {
        let mut levels = |known: &Known<Vec<Vec<PolicyDocument>>>| match known {
            Known::Absent => Levels::None,
            Known::Unknown(what) => Levels::Unknown(what.clone()),
            Known::Observed(levels) => Levels::Known(
                levels
                    .iter()
                    .map(|level| level.iter().map(|document| compiler.compile(document, catalogue)).collect())
                    .collect(),
            ),
        };
        Self {
            service_control: levels(&account.service_control),
            resource_control: levels(&account.resource_control),
            management: account.management.clone(),
            organization: account.organization.clone(),
        }
    }
}

fn organization(rails: Option<&Rails>, account: &str) -> Known<String> {
    rails.map_or_else(
        || Known::Unknown(format!("the organization of account {account}")),
        |rails| rails.organization.clone(),
    )
}

fn identity(
    principal: &Principal,
    rails: Option<&Rails>,
    catalogue: &Catalogue,
    compiler: &mut Compiler,
) -> Identity {
    let documents = principal.policies.observed().map_or(&[][..], Vec::as_slice);
    let attached = documents
        .iter()
        .filter(|document| document.kind == PolicyKind::Managed)
        .filter_map(|document| managed_policy_arn(&document.name, &principal.account))
        .collect();
    Identity {
        arn: principal.arn.clone(),
        name: principal.name.clone(),
        kind: principal.kind,
        account: principal.account.clone(),
        organization: organization(rails, &principal.account),
        tags: principal.tags.clone(),
        service_linked: principal.service_linked,
        policies: documents.iter().map(|document| compiler.compile(document, catalogue)).collect(),
        policies_missing: principal.policies.missing().map(str::to_owned),
        boundary: Guard::compile(&principal.boundary, |document| compiler.compile(document, catalogue)),
        trust: Guard::compile(&principal.trust, |document| compiler.compile(document, catalogue)),
        instance_profiles: principal.instance_profiles.clone(),
        groups: principal.groups.clone(),
        boundary_arn: principal.boundary.observed().map(|boundary| boundary.name.clone()),
        attached,
    }
}

/// The ARN of a customer-managed policy; none for those that AWS manages and nobody here can change.
fn managed_policy_arn(name: &str, account: &str) -> Option<String> {
    if !name.starts_with("arn:") {
        return Some(format!("arn:aws:iam::{account}:policy/{name}"));
    }
    crate::arn::account(name).map(|_| name.to_owned())
}
