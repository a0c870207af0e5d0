//! The configured quotas and Kafka's order of precedence among their eight levels.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::entity::{QuotaEntity, QuotaName};

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuotaKind {
    /// Bytes produced a second.
    ProducerByteRate,
    /// Bytes fetched a second.
    ConsumerByteRate,
    /// Percent of one thread's time spent on requests.
    RequestPercentage,
    /// Partitions created or deleted a second (KIP-599).
    ControllerMutationRate,
    /// New connections a second from an address (KIP-612).
    ConnectionCreationRate,
}

/// A key or a value that AlterClientQuotas must refuse with `INVALID_REQUEST`.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum QuotaValueError {
    /// Not one of the five keys.
    #[error("`{0}` is not a client quota")]
    UnknownKey(String),
    /// A key that does not go with the entity.
    #[error("quota {kind} cannot be set for {entity}")]
    WrongEntity {
        /// The key.
        kind: QuotaKind,
        /// The entity.
        entity: QuotaEntity,
    },
    /// Zero, negative or no number.
    #[error("quota {kind} must be greater than 0, got {value}")]
    NotPositive {
        /// The key.
        kind: QuotaKind,
        /// The value given.
        value: f64,
    },
    /// A fraction where only whole numbers make sense.
    #[error("quota {kind} must be a whole number, got {value}")]
    NotWhole {
        /// The key.
        kind: QuotaKind,
        /// The value given.
        value: f64,
    },
}

impl QuotaKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [
        Self::ProducerByteRate,
        Self::ConsumerByteRate,
        Self::RequestPercentage,
        Self::ControllerMutationRate,
        Self::ConnectionCreationRate,
    ];

    /// The key in AlterClientQuotas and DescribeClientQuotas.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ProducerByteRate => "producer_byte_rate",
            Self::ConsumerByteRate => "consumer_byte_rate",
            Self::RequestPercentage => "request_percentage",
            Self::ControllerMutationRate => "controller_mutation_rate",
            Self::ConnectionCreationRate => "connection_creation_rate",
        }
    }

    fn is_whole(self) -> bool {
        matches!(self, Self::ProducerByteRate | Self::ConsumerByteRate | Self::ConnectionCreationRate)
    }
}

impl FromStr for QuotaKind {
    type Err = QuotaValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| QuotaValueError::UnknownKey(text.to_owned()))
    }
}

impl fmt::Display for QuotaKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Who shares one budget. A quota of a user is shared by all its clients, a quota of a user and a client id, default
/// or not, counts each pair on its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QuotaScope {
    /// One user with one client id.
    UserAndClient(String, String),
    /// One user with all its clients.
    User(String),
    /// One client id of all users.
    Client(String),
    /// One address.
    Ip(IpAddr),
}

/// The quota that applies to a client.
#[derive(Debug, Clone, PartialEq)]
pub struct EffectiveQuota {
    /// The limit, in the unit of the kind.
    pub limit: f64,
    /// Who shares it.
    pub scope: QuotaScope,
}

/// The configured quotas.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct QuotaLimits {
    entries: BTreeMap<QuotaEntity, BTreeMap<QuotaKind, f64>>,
}

impl QuotaLimits {
    /// Checks a value without setting it, for `validate_only` requests.
    ///
    /// # Errors
    /// See [`QuotaValueError`].
    pub fn check(entity: &QuotaEntity, kind: QuotaKind, value: Option<f64>) -> Result<(), QuotaValueError> {
        let is_for_ip = matches!(entity, QuotaEntity::Ip(_));
        if is_for_ip != (kind == QuotaKind::ConnectionCreationRate) {
            return Err(QuotaValueError::WrongEntity { kind, entity: entity.clone() });
        }
        match value {
            Some(value) if value.is_nan() || value <= 0.0 => {
                Err(QuotaValueError::NotPositive { kind, value })
            }
            // Kafka tolerates as much, so that a number that went through a float is not refused.
            Some(value)
                if kind.is_whole() && (!value.is_finite() || (value - value.round()).abs() > 1e-6) =>
            {
                Err(QuotaValueError::NotWhole { kind, value })
            }
            _ => Ok(()),
        }
    }

    /// Sets or, with `None`, removes a quota.
    ///
    /// # Errors
    /// See [`QuotaValueError`].
    pub fn set(
        &mut self,
        entity: &QuotaEntity,
        kind: QuotaKind,
        value: Option<f64>,
    ) -> Result<(), QuotaValueError> {
        Self::check(entity, kind, value)?;
        match value {
            Some(value) => {
                self.entries.entry(entity.clone()).or_default().insert(kind, value);
            }
            None => {
                if let Some(quotas) = self.entries.get_mut(entity) {
                    quotas.remove(&kind);
                    if quotas.is_empty() {
                        self.entries.remove(entity);
                    }
                }
            }
        }
        Ok(())
    }

    /// Every entity with its quotas, sorted.
    pub fn entries(&self) -> impl Iterator<Item = (&QuotaEntity, &BTreeMap<QuotaKind, f64>)> {
        self.entries.iter()
    }

    /// The quotas set for exactly this entity.
    pub fn of(&self, entity: &QuotaEntity) -> Option<&BTreeMap<QuotaKind, f64>> {
        self.entries.get(entity)
    }

    /// The quota that applies to a client, the first of Kafka's levels that is set: user and client id, user and
    /// default client id, user, default user and client id, default user and default client id, default user,
    /// client id, default client id.
    pub fn effective(&self, kind: QuotaKind, user: &str, client_id: &str) -> Option<EffectiveQuota> {
        if self.entries.is_empty() {
            return None;
        }
        let users = [QuotaName::Named(user.to_owned()), QuotaName::Default];
        let clients = [QuotaName::Named(client_id.to_owned()), QuotaName::Default];
        for user_name in users {
            for client_name in &clients {
                let entity =
                    QuotaEntity::UserAndClient { user: user_name.clone(), client_id: client_name.clone() };
                if let Some(limit) = self.limit(&entity, kind) {
                    let scope = QuotaScope::UserAndClient(user.to_owned(), client_id.to_owned());
                    return Some(EffectiveQuota { limit, scope });
                }
            }
            if let Some(limit) = self.limit(&QuotaEntity::User(user_name), kind) {
                return Some(EffectiveQuota { limit, scope: QuotaScope::User(user.to_owned()) });
            }
        }
        let limit = clients.into_iter().find_map(|client| self.limit(&QuotaEntity::Client(client), kind))?;
        Some(EffectiveQuota { limit, scope: QuotaScope::Client(client_id.to_owned()) })
    }

    /// The quota of new connections from an address: its own, or the default.
    pub fn effective_for_address(&self, address: IpAddr) -> Option<EffectiveQuota> {
        let address = address.to_canonical();
        let names = [QuotaName::Named(address.to_string()), QuotaName::Default];
        let limit = names
            .into_iter()
            .find_map(|name| self.limit(&QuotaEntity::Ip(name), QuotaKind::ConnectionCreationRate))?;
        Some(EffectiveQuota { limit, scope: QuotaScope::Ip(address) })
    }

    fn limit(&self, entity: &QuotaEntity, kind: QuotaKind) -> Option<f64> {
        self.entries.get(entity)?.get(&kind).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: QuotaKind = QuotaKind::ProducerByteRate;

    /// The eight levels from the strongest to the weakest, with who shares the budget.
    fn levels() -> [(QuotaEntity, QuotaScope); 8] {
        let named = |name: &str| QuotaName::Named(name.to_owned());
        let pair = QuotaScope::UserAndClient("alice".to_owned(), "app".to_owned());
        let user = QuotaScope::User("alice".to_owned());
        let client = QuotaScope::Client("app".to_owned());
        let both = |user, client_id| QuotaEntity::UserAndClient { user, client_id };
        [
            (both(named("alice"), named("app")), pair.clone()),
            (both(named("alice"), QuotaName::Default), pair.clone()),
            (QuotaEntity::User(named("alice")), user.clone()),
            (both(QuotaName::Default, named("app")), pair.clone()),
            (both(QuotaName::Default, QuotaName::Default), pair),
            (QuotaEntity::User(QuotaName::Default), user),
            (QuotaEntity::Client(named("app")), client.clone()),
            (QuotaEntity::Client(QuotaName::Default), client),
        ]
    }

    #[test]
    fn the_eight_levels_take_precedence_in_kafkas_order() {
        for strongest in 0..8 {
            let mut limits = QuotaLimits::default();
            for (position, (entity, _)) in levels().iter().enumerate().skip(strongest) {
                limits.set(entity, KIND, Some(100.0 + f64::from(u8::try_from(position).unwrap()))).unwrap();
            }
            let expected = EffectiveQuota {
                limit: 100.0 + f64::from(u8::try_from(strongest).unwrap()),
                scope: levels()[strongest].1.clone(),
            };
            assert_eq!(limits.effective(KIND, "alice", "app"), Some(expected), "level {strongest}");
        }
    }

    #[test]
    fn quotas_of_others_and_of_other_kinds_do_not_apply() {
        let mut limits = QuotaLimits::default();
        for (entity, _) in
            levels().iter().filter(|(entity, _)| entity.parts().iter().all(|(_, name)| name.is_some()))
        {
            limits.set(entity, KIND, Some(1.0)).unwrap();
        }
        assert_eq!(limits.effective(KIND, "bob", "other"), None);
        assert_eq!(limits.effective(QuotaKind::ConsumerByteRate, "alice", "app"), None);
        assert_eq!(limits.effective(KIND, "bob", "app").unwrap().scope, QuotaScope::Client("app".to_owned()));
    }

    #[test]
    fn a_removed_quota_gives_way_to_the_next_level() {
        let mut limits = QuotaLimits::default();
        let [(strong, _), .., (weak, _)] = levels();
        limits.set(&strong, KIND, Some(1.0)).unwrap();
        limits.set(&weak, KIND, Some(2.0)).unwrap();
        limits.set(&strong, KIND, None).unwrap();
        assert_eq!(limits.effective(KIND, "alice", "app").unwrap().limit, 2.0);
        assert_eq!(limits.entries().count(), 1);
    }

    #[track_caller]
    fn check_refused(entity: QuotaEntity, kind: &str, value: f64, message: &str) {
        let error =
            kind.parse().and_then(|kind| QuotaLimits::default().set(&entity, kind, Some(value))).unwrap_err();
        assert_eq!(error.to_string(), message);
    }

    #[test]
    fn values_that_make_no_sense_are_refused() {
        let user = || QuotaEntity::User(QuotaName::Default);
        check_refused(user(), "bytes", 1.0, "`bytes` is not a client quota");
        check_refused(
            user(),
            "producer_byte_rate",
            0.0,
            "quota producer_byte_rate must be greater than 0, got 0",
        );
        check_refused(
            user(),
            "request_percentage",
            -1.0,
            "quota request_percentage must be greater than 0, got -1",
        );
        check_refused(
            user(),
            "consumer_byte_rate",
            1.5,
            "quota consumer_byte_rate must be a whole number, got 1.5",
        );
        check_refused(
            user(),
            "connection_creation_rate",
            1.0,
            "quota connection_creation_rate cannot be set for user <default>",
        );
        check_refused(
            QuotaEntity::Ip(QuotaName::Default),
            "producer_byte_rate",
            1.0,
            "quota producer_byte_rate cannot be set for ip <default>",
        );
        assert!(QuotaLimits::check(&user(), QuotaKind::RequestPercentage, Some(12.5)).is_ok());
    }

    #[test]
    fn an_address_has_its_own_quota_or_the_default() {
        let mut limits = QuotaLimits::default();
        let kind = QuotaKind::ConnectionCreationRate;
        limits.set(&QuotaEntity::Ip(QuotaName::Default), kind, Some(10.0)).unwrap();
        limits.set(&QuotaEntity::Ip(QuotaName::Named("192.0.2.1".into())), kind, Some(5.0)).unwrap();
        let limit = |address: &str| limits.effective_for_address(address.parse().unwrap()).unwrap().limit;
        assert_eq!((limit("192.0.2.1"), limit("::ffff:192.0.2.1"), limit("192.0.2.2")), (5.0, 5.0, 10.0));
    }
}
