//! Settings that can change while the broker runs, and where each effective value comes from.

use std::collections::BTreeMap;
use std::sync::RwLock;

use cadastre_storage::{MetadataChange, MetadataKind, Sight, Storage};
use tokio::sync::{Mutex, MutexGuard};

use super::StateError;
use super::topics::Topic;
use crate::config::BrokerConfig;
use crate::config::definition::{PropertyDefinition, Visibility};
use crate::config::tables::{
    BROKER_PROPERTIES, GROUP_PROPERTIES, OWN_PROPERTIES, TOPIC_PROPERTIES, TopicProperty,
};
use crate::sync::{read, write};

/// Where a value comes from (`DescribeConfigsResponse.ConfigSource`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// Set for the topic.
    Topic,
    /// Set for the group.
    Group,
    /// Set through the admin API for this broker.
    DynamicBroker,
    /// Set through the admin API for all brokers.
    DynamicDefault,
    /// Set in `server.properties`.
    StaticBroker,
    /// Not set anywhere.
    Default,
}

impl Source {
    /// The wire code (KIP-226).
    pub(crate) const fn code(self) -> i8 {
        match self {
            Self::Topic => 1,
            Self::Group => 8,
            Self::DynamicBroker => 2,
            Self::DynamicDefault => 3,
            Self::StaticBroker => 4,
            Self::Default => 5,
        }
    }
}

/// One place at which a setting has a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Synonym {
    pub(crate) name: String,
    pub(crate) value: Option<String>,
    pub(crate) source: Source,
}

/// A setting with its effective value and everything it overrides.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    pub(crate) name: String,
    pub(crate) value: Option<String>,
    pub(crate) source: Source,
    pub(crate) synonyms: Vec<Synonym>,
    pub(crate) definition: Option<&'static PropertyDefinition>,
}

/// Key of the settings for all brokers.
const ALL_BROKERS: &str = "";
/// What the keys of groups' settings begin with; brokers' keys are numbers.
const GROUP: &str = "group/";

/// Settings of this broker and of the topics' fallbacks.
#[derive(Debug)]
pub(crate) struct Settings {
    storage: Storage,
    config: BrokerConfig,
    dynamic: RwLock<Dynamic>,
    changes: Mutex<()>,
}

/// The right to change settings, held by one request at a time.
#[derive(Debug)]
pub(crate) struct SettingsChange<'settings> {
    settings: &'settings Settings,
    /// The version of the metadata that the settings were read from.
    seen: u64,
    _guard: MutexGuard<'settings, ()>,
}

#[derive(Debug, Default)]
struct Dynamic {
    broker: BTreeMap<String, String>,
    all_brokers: BTreeMap<String, String>,
    groups: BTreeMap<String, BTreeMap<String, String>>,
}

impl Dynamic {
    fn read(storage: &Storage, config: &BrokerConfig) -> Result<Self, StateError> {
        let stored = storage.metadata().entries(MetadataKind::BrokerConfig);
        let parse = |key: &str| match stored.get(key) {
            Some(bytes) => serde_json::from_slice(bytes)
                .map_err(|error| StateError::unreadable("broker settings", key, error)),
            None => Ok(BTreeMap::new()),
        };
        let groups = stored.keys().filter_map(|key| key.strip_prefix(GROUP));
        let groups = groups.map(|name| Ok((name.to_owned(), parse(&format!("{GROUP}{name}"))?)));
        Ok(Self {
            broker: parse(&config.node_id.to_string())?,
            all_brokers: parse(ALL_BROKERS)?,
            groups: groups.collect::<Result<_, StateError>>()?,
        })
    }
}

impl Settings {
    /// Reads what was set through the admin API before.
    pub(crate) fn load(storage: &Storage, config: &BrokerConfig) -> Result<Self, StateError> {
        let dynamic = RwLock::new(Dynamic::read(storage, config)?);
        Ok(Self { storage: storage.clone(), config: config.clone(), dynamic, changes: Mutex::new(()) })
    }

    /// Takes over what other brokers changed.
    pub(crate) async fn reload(&self) -> Result<(), StateError> {
        let _guard = self.changes.lock().await;
        *write(&self.dynamic) = Dynamic::read(&self.storage, &self.config)?;
        Ok(())
    }

    /// What was set through the admin API, for this broker or for all of them.
    pub(crate) fn dynamic(&self, for_all: bool) -> BTreeMap<String, String> {
        let dynamic = read(&self.dynamic);
        if for_all { dynamic.all_brokers.clone() } else { dynamic.broker.clone() }
    }

    /// What was set for a group.
    pub(crate) fn group(&self, name: &str) -> BTreeMap<String, String> {
        read(&self.dynamic).groups.get(name).cloned().unwrap_or_default()
    }

    /// The groups for which something was set.
    pub(crate) fn groups(&self) -> Vec<String> {
        read(&self.dynamic).groups.keys().cloned().collect()
    }

    /// Serialises changes: what is read under the guard is still there when the change is made.
    pub(crate) async fn change(&self) -> Result<SettingsChange<'_>, StateError> {
        let guard = self.changes.lock().await;
        let metadata = self.storage.metadata();
        metadata.refresh().await?;
        let seen = metadata.version();
        *write(&self.dynamic) = Dynamic::read(&self.storage, &self.config)?;
        Ok(SettingsChange { settings: self, seen, _guard: guard })
    }

    /// The broker's value of a numeric property.
    pub(crate) fn number(&self, name: &str) -> i64 {
        self.text(name).and_then(|value| value.trim().parse().ok()).unwrap_or_default()
    }

    /// The broker's value of a property.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.broker_synonyms(name).into_iter().next().and_then(|synonym| synonym.value)
    }

    /// A topic's value of a numeric property.
    pub(crate) fn topic_number(&self, topic: &Topic, name: &str) -> i64 {
        self.topic_text(topic, name).and_then(|value| value.parse().ok()).unwrap_or_default()
    }

    /// A topic's value of a property.
    pub(crate) fn topic_text(&self, topic: &Topic, name: &str) -> Option<String> {
        if let Some(value) = topic.settings.get(name) {
            return Some(value.clone());
        }
        TOPIC_PROPERTIES.get(name).and_then(|property| self.inherited(property).0)
    }

    /// Everything about a topic's settings, sorted by name.
    pub(crate) fn describe_topic(&self, topic: Option<&Topic>) -> Vec<Setting> {
        let visible = |property: &&TopicProperty| property.definition.visibility == Visibility::Public;
        TOPIC_PROPERTIES
            .values()
            .filter(visible)
            .map(|property| self.own_setting(topic.map(|topic| &topic.settings), Source::Topic, property))
            .collect()
    }

    /// Everything about a group's settings, sorted by name.
    pub(crate) fn describe_group(&self, name: &str) -> Vec<Setting> {
        let own = self.group(name);
        let setting = |property| self.own_setting(Some(&own), Source::Group, property);
        GROUP_PROPERTIES.values().map(setting).collect()
    }

    /// What a group's property is: as set for the group, or else as inherited.
    pub(crate) fn group_text(&self, group: &str, name: &str) -> Option<String> {
        let own = self.group(group).remove(name);
        own.or_else(|| GROUP_PROPERTIES.get(name).and_then(|property| self.inherited(property).0))
    }

    /// A property of a topic or group, of which `own` is what was set for it.
    fn own_setting(
        &self,
        own: Option<&BTreeMap<String, String>>,
        own_source: Source,
        property: &'static TopicProperty,
    ) -> Setting {
        let name = property.definition.name;
        let mut synonyms: Vec<Synonym> =
            property.synonyms.iter().flat_map(|(synonym, _)| self.broker_synonyms(synonym)).collect();
        // A fallback given anywhere counts before the default of a more specific one.
        synonyms.sort_by_key(|synonym| synonym.source.code());
        let own = own.and_then(|own| own.get(name));
        let (inherited, inherited_source) = self.inherited(property);
        let (value, source) = match own {
            Some(value) => {
                let own = Synonym { name: name.to_owned(), value: Some(value.clone()), source: own_source };
                synonyms.insert(0, own);
                (Some(value.clone()), own_source)
            }
            None => (inherited, inherited_source),
        };
        Setting { name: name.to_owned(), value, source, synonyms, definition: Some(&property.definition) }
    }

    /// The value a topic has when nothing is set for it, in the topic property's unit.
    fn inherited(&self, property: &TopicProperty) -> (Option<String>, Source) {
        let candidates = property.synonyms.iter().flat_map(|&(name, unit)| {
            self.broker_synonyms(name).into_iter().map(move |synonym| (synonym, unit))
        });
        let best = candidates.min_by_key(|(synonym, _)| synonym.source.code());
        match best {
            Some((Synonym { value: Some(value), source, .. }, unit)) => {
                let scaled = value.parse::<i64>().ok().filter(|_| unit != 1);
                // Negative times mean "for ever" in every unit.
                let scaled = scaled.map(|number| if number < 0 { -1 } else { number.saturating_mul(unit) });
                (Some(scaled.map_or(value, |number| number.to_string())), source)
            }
            _ => (property.definition.default.map(str::to_owned), Source::Default),
        }
    }

    /// Everything about this broker's settings, sorted by name.
    pub(crate) fn describe_broker(&self) -> Vec<Setting> {
        let listed = BROKER_PROPERTIES.values().chain(OWN_PROPERTIES.values());
        let mut settings: BTreeMap<String, Setting> = listed
            .filter(|definition| definition.visibility == Visibility::Public)
            .map(|definition| (definition.name.to_owned(), self.broker_setting(definition.name)))
            .collect();
        for (name, _) in self.config.given_properties() {
            settings.entry(name.to_owned()).or_insert_with(|| self.broker_setting(name));
        }
        for name in self.dynamic(false).into_keys().chain(self.dynamic(true).into_keys()) {
            let setting = self.broker_setting(&name);
            settings.entry(name).or_insert(setting);
        }
        settings.into_values().collect()
    }

    /// What was set for all brokers through the admin API.
    pub(crate) fn describe_all_brokers(&self) -> Vec<Setting> {
        let dynamic = self.dynamic(true).into_iter();
        dynamic
            .map(|(name, value)| {
                let source = Source::DynamicDefault;
                let synonym = Synonym { name: name.clone(), value: Some(value.clone()), source };
                let definition = crate::config::broker_config::definition_of(&name);
                Setting { name, value: Some(value), source, synonyms: vec![synonym], definition }
            })
            .collect()
    }

    fn broker_setting(&self, name: &str) -> Setting {
        let synonyms: Vec<Synonym> =
            related(name).iter().flat_map(|related| self.broker_synonyms(related)).collect();
        let own = self.broker_synonyms(name).into_iter().next();
        let (value, source) = own.map_or((None, Source::Default), |own| (own.value, own.source));
        let definition = crate::config::broker_config::definition_of(name);
        Setting { name: name.to_owned(), value, source, synonyms, definition }
    }

    /// Where `name` has a value, the one that counts first.
    fn broker_synonyms(&self, name: &str) -> Vec<Synonym> {
        let dynamic = read(&self.dynamic);
        let default =
            crate::config::broker_config::definition_of(name).and_then(|definition| definition.default);
        let prefixed = name.starts_with("listener.name.");
        let places = [
            (dynamic.broker.get(name).map(String::as_str), Source::DynamicBroker),
            (dynamic.all_brokers.get(name).map(String::as_str), Source::DynamicDefault),
            (self.config.given(name), Source::StaticBroker),
            (default.filter(|_| !prefixed), Source::Default),
        ];
        places
            .into_iter()
            .filter_map(|(value, source)| {
                Some(Synonym { name: name.to_owned(), value: Some(value?.to_owned()), source })
            })
            .collect()
    }
}

impl SettingsChange<'_> {
    /// Replaces what was set through the admin API.
    pub(crate) async fn replace(
        &self,
        for_all: bool,
        settings: BTreeMap<String, String>,
    ) -> Result<(), StateError> {
        let key = if for_all { ALL_BROKERS.to_owned() } else { self.settings.config.node_id.to_string() };
        self.store(key, &settings).await?;
        let mut dynamic = write(&self.settings.dynamic);
        if for_all {
            dynamic.all_brokers = settings;
        } else {
            dynamic.broker = settings;
        }
        Ok(())
    }

    /// Replaces what was set for a group.
    pub(crate) async fn replace_group(
        &self,
        name: &str,
        settings: BTreeMap<String, String>,
    ) -> Result<(), StateError> {
        self.store(format!("{GROUP}{name}"), &settings).await?;
        let groups = &mut write(&self.settings.dynamic).groups;
        if settings.is_empty() {
            groups.remove(name);
        } else {
            groups.insert(name.to_owned(), settings);
        }
        Ok(())
    }

    async fn store(&self, key: String, settings: &BTreeMap<String, String>) -> Result<(), StateError> {
        let value = serde_json::to_vec(settings)
            .map_err(|error| StateError::unreadable("broker settings", &key, error))?;
        let value = (!settings.is_empty()).then_some(value);
        let metadata = self.settings.storage.metadata();
        let is_there = metadata.get(MetadataKind::BrokerConfig, &key).is_some();
        let sight = if is_there { Sight::Present } else { Sight::Absent };
        if is_there || value.is_some() {
            let change = MetadataChange { kind: MetadataKind::BrokerConfig, key, value };
            metadata.commit_unchanged(self.seen, vec![(change, sight)]).await?;
        }
        Ok(())
    }
}

/// Properties that say the same in different units (`DynamicBrokerConfig.brokerConfigSynonyms`).
fn related(name: &str) -> Vec<&str> {
    const FAMILIES: [&[&str]; 4] = [
        &["log.roll.ms", "log.roll.hours"],
        &["log.roll.jitter.ms", "log.roll.jitter.hours"],
        &["log.flush.interval.ms", "log.flush.scheduler.interval.ms"],
        &["log.retention.ms", "log.retention.minutes", "log.retention.hours"],
    ];
    let family = FAMILIES.iter().find(|family| family.contains(&name));
    family.map_or_else(|| vec![name], |family| family.to_vec())
}
