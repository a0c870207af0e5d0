//! The drills by name, in the order in which they run.

use std::fmt;
use std::str::FromStr;

/// A drill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DrillName {
    /// Real clients: acknowledgements, idempotence, order, groups, transactions, administration, codecs.
    Clients,
    /// What must be refused is tried.
    Denials,
    /// A broker is killed under load and comes back, or others take over.
    BrokerReplacement,
    /// The key is disabled and enabled again.
    KeyRevocation,
    /// The key is replaced by another, and everything is moved under it.
    KeyRotation,
    /// A topic is deleted to the last byte.
    Deletion,
    /// A topic leaves in open formats.
    Export,
    /// A broker is added and removed.
    ScaleOut,
    /// The store goes away and comes back.
    StoreOutage,
    /// The listener's certificate is replaced while clients are connected.
    CertificateRotation,
    /// The previous version and this one on the same data.
    UpgradeRollback,
    /// Everything that the drills did is found on the broker's audit log.
    AuditTrail,
}

impl DrillName {
    /// Every drill, in the order in which they run: what disturbs most comes late, and the audit log is read last.
    pub const ALL: [Self; 12] = [
        Self::Clients,
        Self::Denials,
        Self::BrokerReplacement,
        Self::KeyRevocation,
        Self::KeyRotation,
        Self::Deletion,
        Self::Export,
        Self::ScaleOut,
        Self::StoreOutage,
        Self::CertificateRotation,
        Self::UpgradeRollback,
        Self::AuditTrail,
    ];

    /// The name on the command line and in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Clients => "clients",
            Self::Denials => "denials",
            Self::BrokerReplacement => "broker-replacement",
            Self::KeyRevocation => "key-revocation",
            Self::KeyRotation => "key-rotation",
            Self::Deletion => "deletion",
            Self::Export => "export",
            Self::ScaleOut => "scale-out",
            Self::StoreOutage => "store-outage",
            Self::CertificateRotation => "certificate-rotation",
            Self::UpgradeRollback => "upgrade-rollback",
            Self::AuditTrail => "audit-trail",
        }
    }

    /// The operation under which its record is kept.
    #[must_use]
    pub fn operation(self) -> String {
        format!("drill:{}", self.as_str())
    }
}

impl fmt::Display for DrillName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// No drill has that name.
#[derive(Debug, thiserror::Error)]
#[error("no drill `{name}`: there are {}", DrillName::ALL.map(DrillName::as_str).join(", "))]
pub struct UnknownDrillError {
    /// What was asked for.
    pub name: String,
}

impl FromStr for DrillName {
    type Err = UnknownDrillError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|name| name.as_str() == text)
            .ok_or_else(|| UnknownDrillError { name: text.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back_and_others_are_refused_with_the_list() {
        for name in DrillName::ALL {
            assert_eq!(name.as_str().parse::<DrillName>().unwrap(), name);
        }
        assert!("client".parse::<DrillName>().unwrap_err().to_string().contains("clients, denials"));
    }
}
