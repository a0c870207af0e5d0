//! Which actions give which capability: `policies/capabilities/`, read and numbered.

use std::collections::BTreeMap;

use cadastre_model::access::{Capability, Damage, Enabled};
use serde::Deserialize;

/// Every file of the map but the one on condition keys, with its name.
const FILES: [(&str, &str); 18] = [
    ("autoscaling.yaml", include_str!("../../../policies/capabilities/autoscaling.yaml")),
    ("backup.yaml", include_str!("../../../policies/capabilities/backup.yaml")),
    ("cloudtrail.yaml", include_str!("../../../policies/capabilities/cloudtrail.yaml")),
    ("compute.yaml", include_str!("../../../policies/capabilities/compute.yaml")),
    ("ebs.yaml", include_str!("../../../policies/capabilities/ebs.yaml")),
    ("ec2.yaml", include_str!("../../../policies/capabilities/ec2.yaml")),
    ("ecs.yaml", include_str!("../../../policies/capabilities/ecs.yaml")),
    ("eks.yaml", include_str!("../../../policies/capabilities/eks.yaml")),
    ("glue.yaml", include_str!("../../../policies/capabilities/glue.yaml")),
    ("iam.yaml", include_str!("../../../policies/capabilities/iam.yaml")),
    ("kms.yaml", include_str!("../../../policies/capabilities/kms.yaml")),
    ("lambda.yaml", include_str!("../../../policies/capabilities/lambda.yaml")),
    ("logs.yaml", include_str!("../../../policies/capabilities/logs.yaml")),
    ("msk.yaml", include_str!("../../../policies/capabilities/msk.yaml")),
    ("organizations.yaml", include_str!("../../../policies/capabilities/organizations.yaml")),
    ("s3.yaml", include_str!("../../../policies/capabilities/s3.yaml")),
    ("secretsmanager.yaml", include_str!("../../../policies/capabilities/secretsmanager.yaml")),
    ("ssm.yaml", include_str!("../../../policies/capabilities/ssm.yaml")),
];
/// Actions that no target has and that trust policies speak of.
const STS: (&str, &str) = ("sts.yaml", include_str!("../../../policies/capabilities/sts.yaml"));
const SCHEMA: &str = "cadastre/capabilities/v2";
/// Asked about by the engine itself.
const ASKED_ANYWAY: [&str; 2] = ["iam:PassRole", "iam:AddRoleToInstanceProfile"];

/// The number of an action, for indexes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ActionId(pub(crate) u16);

/// Why the map of capabilities cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CatalogueError {
    /// Not the expected shape.
    #[error("the map of capabilities is malformed in `{file}`: {problem}")]
    Malformed {
        /// The file.
        file: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// Another version of the format.
    #[error("`{file}` of the map of capabilities has schema `{found}`, and this version reads another one")]
    Schema {
        /// The file.
        file: &'static str,
        /// What it says.
        found: String,
    },
}

/// One file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema: String,
    #[serde(default)]
    targets: BTreeMap<TargetKind, Vec<Entry>>,
    #[serde(default)]
    tagging: BTreeMap<TargetKind, Vec<Further>>,
    #[serde(default)]
    launches: Vec<Launch>,
    #[serde(default)]
    takeovers: Vec<Takeover>,
    #[serde(default)]
    actions: Vec<String>,
}

/// One action that gives a capability.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    /// The action.
    pub(crate) action: String,
    /// The capability; none where the entry only does damage.
    #[serde(default)]
    pub(crate) gives: Option<Capability>,
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
    /// What follows on the same target.
    #[serde(default)]
    pub(crate) enables: Option<Enabled>,
    /// What it destroys.
    #[serde(default)]
    pub(crate) damage: Option<Damage>,
    /// Whether the damage is done without an action that is called a deletion.
    #[serde(default)]
    pub(crate) disguised: bool,
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
    /// What else is needed.
    #[serde(default)]
    pub(crate) also: Vec<Further>,
}

impl Launch {
    /// How edges name it.
    pub(crate) fn told(&self) -> String {
        format!("iam:PassRole and {}", told(&self.action, &self.also))
    }
}

/// A way to change code that runs as a role already.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Takeover {
    /// The service that runs the code, which the role trusts.
    pub(crate) service: String,
    /// The action that changes the code.
    pub(crate) action: String,
    /// The resources it is asked about, as templates.
    pub(crate) on: Vec<String>,
    /// What else is needed.
    #[serde(default)]
    pub(crate) also: Vec<Further>,
    /// The operation that would show whether such code runs as the role.
    pub(crate) shown_by: String,
}

impl Takeover {
    /// How edges name it.
    pub(crate) fn told(&self) -> String {
        told(&self.action, &self.also)
    }
}

fn told(action: &str, also: &[Further]) -> String {
    let mut told = action.to_owned();
    for further in also {
        told.push_str(" and ");
        told.push_str(&further.action);
    }
    told
}

/// What a target is, as the map names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum TargetKind {
    Bucket,
    Volume,
    Snapshot,
    Key,
    Host,
    Role,
    User,
    /// A group that a user is in.
    Group,
    /// A group that a user is not in.
    Membership,
    Policy,
    Trail,
    LogGroup,
    Organization,
    /// An MSK cluster as an AWS resource.
    MskCluster,
    /// The same as its IAM clients see it.
    MskAdministration,
    MskTopic,
    CertificateAuthority,
    EksCluster,
    Secret,
    Parameter,
    AutoScalingGroup,
    BackupVault,
}

/// The map, with every action numbered.
#[derive(Debug)]
pub(crate) struct Catalogue {
    entries: BTreeMap<TargetKind, Vec<Entry>>,
    tagging: BTreeMap<TargetKind, Vec<Further>>,
    launches: Vec<Launch>,
    takeovers: Vec<Takeover>,
    /// Lower case, sorted.
    actions: Vec<String>,
    services: BTreeMap<String, Vec<ActionId>>,
}

impl Catalogue {
    /// The map that is built in.
    pub(crate) fn embedded() -> Result<Self, CatalogueError> {
        Self::read(FILES.iter().chain([&STS]).copied())
    }

    fn read(files: impl IntoIterator<Item = (&'static str, &'static str)>) -> Result<Self, CatalogueError> {
        let mut catalogue = Self {
            entries: BTreeMap::new(),
            tagging: BTreeMap::new(),
            launches: Vec::new(),
            takeovers: Vec::new(),
            actions: ASKED_ANYWAY.map(str::to_owned).to_vec(),
            services: BTreeMap::new(),
        };
        for (name, text) in files {
            let file: File = serde_saphyr::from_str(text).map_err(|error| CatalogueError::Malformed {
                file: name,
                problem: error.without_snippet().to_string(),
            })?;
            if file.schema != SCHEMA {
                return Err(CatalogueError::Schema { file: name, found: file.schema });
            }
            catalogue.add(file);
        }
        for action in &mut catalogue.actions {
            action.make_ascii_lowercase();
        }
        catalogue.actions.sort_unstable();
        catalogue.actions.dedup();
        let mut services: BTreeMap<String, Vec<ActionId>> = BTreeMap::new();
        for (id, action) in catalogue.actions() {
            services.entry(service_of(action).to_owned()).or_default().push(id);
        }
        catalogue.services = services;
        Ok(catalogue)
    }

    fn add(&mut self, file: File) {
        let further =
            |list: &[Further]| list.iter().map(|further| further.action.clone()).collect::<Vec<_>>();
        for entry in file.targets.values().flatten() {
            self.actions.push(entry.action.clone());
            self.actions.extend(further(&entry.also));
        }
        self.actions.extend(file.tagging.values().flat_map(|list| further(list)));
        for launch in &file.launches {
            self.actions.push(launch.action.clone());
            self.actions.extend(further(&launch.also));
        }
        for takeover in &file.takeovers {
            self.actions.push(takeover.action.clone());
            self.actions.extend(further(&takeover.also));
        }
        self.actions.extend(file.actions);
        for (kind, entries) in file.targets {
            self.entries.entry(kind).or_default().extend(entries);
        }
        for (kind, entries) in file.tagging {
            self.tagging.entry(kind).or_default().extend(entries);
        }
        self.launches.extend(file.launches);
        self.takeovers.extend(file.takeovers);
    }

    /// The actions that matter for a kind of target.
    pub(crate) fn entries(&self, kind: TargetKind) -> &[Entry] {
        self.entries.get(&kind).map_or(&[], Vec::as_slice)
    }

    /// Every entry, by kind of target.
    pub(crate) fn all(&self) -> impl Iterator<Item = (TargetKind, &Entry)> {
        self.entries.iter().flat_map(|(kind, entries)| entries.iter().map(|entry| (*kind, entry)))
    }

    /// The actions that set the tags of a kind of target.
    pub(crate) fn tagging(&self, kind: TargetKind) -> &[Further] {
        self.tagging.get(&kind).map_or(&[], Vec::as_slice)
    }

    /// The ways to run code as a role.
    pub(crate) fn launches(&self) -> &[Launch] {
        &self.launches
    }

    /// The ways to change code that runs as a role.
    pub(crate) fn takeovers(&self) -> &[Takeover] {
        &self.takeovers
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

    /// Facts: every action of the services that the map names.
    const KNOWN: &str = include_str!("../../../policies/capabilities/known-actions.txt");

    fn known(action: &str) -> bool {
        let (service, name) = action.split_once(':').unwrap();
        KNOWN.lines().any(|line| {
            line.split_once(": ").is_some_and(|(known, names)| {
                known == service && names.split(' ').any(|known| known.eq_ignore_ascii_case(name))
            })
        })
    }

    #[test]
    fn every_action_of_the_map_exists() {
        let catalogue = Catalogue::embedded().unwrap();
        let unheard: Vec<&str> =
            catalogue.actions().map(|(_, action)| action).filter(|action| !known(action)).collect();
        assert_eq!(unheard, Vec::<&str>::new());
        assert!(catalogue.actions().count() > 180);
        let shown: Vec<&str> =
            catalogue.takeovers().iter().map(|takeover| takeover.shown_by.as_str()).collect();
        assert!(shown.iter().all(|operation| known(operation)), "{shown:?}");
        assert!(!known("s3:Unheard"));
    }

    #[test]
    fn the_built_in_map_can_be_read_and_names_each_action_in_full() {
        let catalogue = Catalogue::embedded().unwrap();
        assert!(catalogue.actions().all(|(_, action)| action.contains(':') && !action.contains('*')));
        assert_eq!(catalogue.entries(TargetKind::Key).first().unwrap().action, "kms:Decrypt");
        assert!(catalogue.id("KMS:decrypt").is_some());
        assert!(catalogue.id("kms:Unheard").is_none());
    }

    #[test]
    fn every_entry_gives_something_or_does_damage() {
        let catalogue = Catalogue::embedded().unwrap();
        for entry in catalogue.entries.values().flatten() {
            assert!(entry.gives.is_some() || entry.damage.is_some(), "{}", entry.action);
            assert!(!entry.disguised || entry.damage.is_some(), "{}", entry.action);
        }
    }

    #[test]
    fn every_action_of_a_service_is_found_by_its_service() {
        let catalogue = Catalogue::embedded().unwrap();
        let by_service = catalogue.of_service("ec2").count();
        assert_eq!(by_service, catalogue.actions().filter(|(_, action)| action.starts_with("ec2:")).count());
        assert!(by_service > 5);
    }

    #[test]
    fn another_schema_is_refused_with_the_file_that_has_it() {
        let text = "schema: cadastre/capabilities/v1\n";
        let error = Catalogue::read([("s3.yaml", text)]).unwrap_err();
        assert!(matches!(error, CatalogueError::Schema { file: "s3.yaml", .. }));
    }
}
