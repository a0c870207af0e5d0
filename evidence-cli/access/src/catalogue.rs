//! Which actions give which capability: `policies/capabilities/aws.yaml`, read and numbered.

use std::collections::BTreeMap;

use cadastre_model::access::Capability;
use serde::Deserialize;

const AWS: &str = include_str!("../../../policies/capabilities/aws.yaml");
const SCHEMA: &str = "cadastre/capabilities/v1";

/// The number of an action, for indexes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ActionId(pub(crate) u16);

/// Why the map of capabilities cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CatalogueError {
    /// Not the expected shape.
    #[error("the map of capabilities is malformed: {0}")]
    Malformed(String),
    /// Another version of the format.
    #[error("the map of capabilities has schema `{0}`, and this version reads `{SCHEMA}`")]
    Schema(String),
}

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    schema: String,
    bucket: Vec<Entry>,
    volume: Vec<Entry>,
    snapshot: Vec<Entry>,
    key: Vec<Entry>,
    host: Vec<Entry>,
    role: Vec<Entry>,
    user: Vec<Entry>,
    policy: Vec<Entry>,
    trail: Vec<Entry>,
    log_group: Vec<Entry>,
    pass_role: Vec<Launch>,
}

/// One action that gives a capability.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    /// The action.
    pub(crate) action: String,
    /// The capability.
    pub(crate) gives: Capability,
    /// The resources it is asked about, as templates.
    pub(crate) on: Vec<String>,
    /// What else is needed.
    #[serde(default)]
    pub(crate) also: Vec<Further>,
    /// Whether only for targets that receive logs.
    #[serde(default)]
    pub(crate) sinks: bool,
    /// Whether it changes what a policy allows.
    #[serde(default)]
    pub(crate) edits: bool,
    /// Whether it makes the caller the target.
    #[serde(default)]
    pub(crate) becomes: bool,
}

/// A further action that is needed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Further {
    /// The action.
    pub(crate) action: String,
    /// The resources it is asked about, as templates.
    pub(crate) on: Vec<String>,
}

/// A way to run code as a role that is passed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Launch {
    /// The service the role is passed to.
    pub(crate) service: String,
    /// The action that starts something as the role.
    pub(crate) action: String,
    /// The resources it is asked about, as templates.
    pub(crate) on: Vec<String>,
}

/// What a target is, as the map names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TargetKind {
    Bucket,
    Volume,
    Snapshot,
    Key,
    Host,
    Role,
    User,
    Policy,
    Trail,
    LogGroup,
}

/// The map, with every action numbered.
#[derive(Debug)]
pub(crate) struct Catalogue {
    entries: BTreeMap<TargetKind, Vec<Entry>>,
    launches: Vec<Launch>,
    /// Lower case, sorted.
    actions: Vec<String>,
    services: BTreeMap<String, Vec<ActionId>>,
}

impl Catalogue {
    /// The map that is built in.
    pub(crate) fn embedded() -> Result<Self, CatalogueError> {
        Self::parse(AWS)
    }

    fn parse(text: &str) -> Result<Self, CatalogueError> {
        let file: File = serde_saphyr::from_str(text)
            .map_err(|error| CatalogueError::Malformed(error.without_snippet().to_string()))?;
        if file.schema != SCHEMA {
            return Err(CatalogueError::Schema(file.schema));
        }
        let entries = BTreeMap::from([
            (TargetKind::Bucket, file.bucket),
            (TargetKind::Volume, file.volume),
            (TargetKind::Snapshot, file.snapshot),
            (TargetKind::Key, file.key),
            (TargetKind::Host, file.host),
            (TargetKind::Role, file.role),
            (TargetKind::User, file.user),
            (TargetKind::Policy, file.policy),
            (TargetKind::Trail, file.trail),
            (TargetKind::LogGroup, file.log_group),
        ]);
        let mut actions: Vec<String> = ["sts:AssumeRole", "iam:PassRole", "iam:AddRoleToInstanceProfile"]
            .into_iter()
            .chain(["sts:AssumeRoleWithSAML", "sts:AssumeRoleWithWebIdentity"])
            .map(str::to_owned)
            .collect();
        for entry in entries.values().flatten() {
            actions.push(entry.action.clone());
            actions.extend(entry.also.iter().map(|further| further.action.clone()));
        }
        actions.extend(file.pass_role.iter().map(|launch| launch.action.clone()));
        for action in &mut actions {
            action.make_ascii_lowercase();
        }
        actions.sort_unstable();
        actions.dedup();
        let mut catalogue = Self { entries, launches: file.pass_role, actions, services: BTreeMap::new() };
        let mut services: BTreeMap<String, Vec<ActionId>> = BTreeMap::new();
        for (id, action) in catalogue.actions() {
            services.entry(service_of(action).to_owned()).or_default().push(id);
        }
        catalogue.services = services;
        Ok(catalogue)
    }

    /// The actions that matter for a kind of target.
    pub(crate) fn entries(&self, kind: TargetKind) -> &[Entry] {
        self.entries.get(&kind).map_or(&[], Vec::as_slice)
    }

    /// The ways to run code as a role.
    pub(crate) fn launches(&self) -> &[Launch] {
        &self.launches
    }

    /// Every action, lower case, in the order of their numbers.
    pub(crate) fn actions(&self) -> impl Iterator<Item = (ActionId, &str)> {
        self.actions.iter().enumerate().filter_map(|(number, action)| {
            u16::try_from(number).ok().map(|number| (ActionId(number), action.as_str()))
        })
    }

    /// The actions of one service, `s3` for one; the service must be lower case.
    pub(crate) fn of_service(&self, service: &str) -> impl Iterator<Item = (ActionId, &str)> {
        let numbers = self.services.get(service).map_or(&[][..], Vec::as_slice);
        numbers.iter().filter_map(|id| Some((*id, self.actions.get(usize::from(id.0))?.as_str())))
    }

    /// The number of an action, whatever its case.
    pub(crate) fn id(&self, action: &str) -> Option<ActionId> {
        let action = action.to_ascii_lowercase();
        let number = self.actions.binary_search(&action).ok()?;
        u16::try_from(number).ok().map(ActionId)
    }
}

fn service_of(action: &str) -> &str {
    action.split_once(':').map_or(action, |(service, _)| service)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_map_can_be_read_and_names_each_action_in_full() {
        let catalogue = Catalogue::embedded().unwrap();
        assert!(catalogue.actions().all(|(_, action)| action.contains(':') && !action.contains('*')));
        assert_eq!(catalogue.entries(TargetKind::Key).first().unwrap().action, "kms:Decrypt");
        assert!(catalogue.id("KMS:decrypt").is_some());
        assert!(catalogue.id("kms:Unheard").is_none());
    }

    #[test]
    fn every_action_of_a_service_is_found_by_its_service() {
        let catalogue = Catalogue::embedded().unwrap();
        let by_service = catalogue.of_service("ec2").count();
        assert_eq!(by_service, catalogue.actions().filter(|(_, action)| action.starts_with("ec2:")).count());
        assert!(by_service > 5);
    }

    #[test]
    fn another_schema_is_refused() {
        let text = AWS.replacen("capabilities/v1", "capabilities/v2", 1);
        assert!(matches!(Catalogue::parse(&text), Err(CatalogueError::Schema(_))));
    }
}
