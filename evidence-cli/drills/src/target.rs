//! What is exercised: a declared cluster that may be, and everything a drill needs around it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use cadastre_model::declaration::{Cluster, ClusterKind};
use cadastre_model::drill_target::{Attempt, Environment};
use cadastre_model::time::Period;

use crate::connection::{Connection, ConnectionError};
use crate::hooks::Hooks;
use crate::local_broker::{LocalBroker, LocalBrokerError, Programs};

/// A cluster that may be exercised. Only [`Target::declared`] makes one from a declaration, and it refuses what may not be.
#[derive(Debug, Clone)]
pub struct Target {
    /// The cluster's declared name; the scope of the records.
    pub cluster: String,
    /// Whether it is the bundled broker.
    pub is_bundled: bool,
    /// Who makes, fills and deletes the drills' topics.
    pub administrator: Connection,
    /// A workload that the `clients` drill runs as, with the topic and group that it may use; the administrator and a topic
    /// of the drill's own where absent.
    pub workload: Option<Workload>,
    /// Identities that must be refused something.
    pub denied: Vec<Denied>,
    /// What the names of everything begin with that drills make.
    pub prefix: String,
    /// What is promised.
    pub limits: Limits,
    /// How what is around the cluster is handled.
    pub hooks: Hooks,
}

/// An identity with a topic and a group of its own.
#[derive(Debug, Clone)]
pub struct Workload {
    /// How it connects.
    pub connection: Connection,
    /// An existing topic that it may write and read.
    pub topic: String,
    /// A consumer group that it may use.
    pub group: String,
}

/// An identity and what it must not be able to do.
#[derive(Debug, Clone)]
pub struct Denied {
    /// How it connects.
    pub connection: Connection,
    /// What to try on a topic of the drill.
    pub must_not: Vec<Attempt>,
    /// Topics of others that it must not be able to read.
    pub must_not_read: Vec<String>,
}

/// Times that the declaration promises.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How long the loss of a broker may stop acknowledgements.
    pub recovery: Duration,
    /// How long reads and writes may go on after the key was disabled.
    pub revocation: Duration,
    /// How long anything may be left of a deleted topic.
    pub deletion: Duration,
}

/// A cluster that must not be exercised.
#[derive(Debug, thiserror::Error)]
pub enum RefusedError {
    /// It serves somebody.
    #[error("cluster `{cluster}` is not declared `environment: non-production`: nothing is exercised on it")]
    Production {
        /// The cluster.
        cluster: String,
    },
    /// Nobody said how.
    #[error("cluster `{cluster}` declares no `drills`: nobody is named who may exercise it")]
    NotDeclared {
        /// The cluster.
        cluster: String,
    },
    /// Names that drills would use are those of somebody else.
    #[error("`topic-prefix` of cluster `{cluster}` is `{prefix}`: {reason}")]
    Prefix {
        /// The cluster.
        cluster: String,
        /// The prefix.
        prefix: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An identity cannot be used.
    #[error("cluster `{cluster}` cannot be exercised")]
    Identity {
        /// The cluster.
        cluster: String,
        /// Why.
        #[source]
        source: ConnectionError,
    },
    /// A local broker's directory is not one.
    #[error("cluster `{cluster}` cannot be exercised")]
    LocalBroker {
        /// The cluster.
        cluster: String,
        /// Why.
        #[source]
        source: LocalBrokerError,
    },
}

impl Target {
    /// The target that a cluster's declaration describes, with files relative to `beside`.
    ///
    /// # Errors
    /// When the cluster must not be exercised, or not in the declared way.
    pub fn declared(cluster: &Cluster, beside: &Path, programs: &Programs) -> Result<Self, RefusedError> {
        let name = || cluster.name.clone();
        if cluster.environment == Environment::Production {
            return Err(RefusedError::Production { cluster: name() });
        }
        let drills = cluster.drills.as_ref().ok_or_else(|| RefusedError::NotDeclared { cluster: name() })?;
        check_prefix(cluster, &drills.topic_prefix)?;
        let identity = |source| RefusedError::Identity { cluster: name(), source };
        let connect = |security| Connection::declared(&cluster.bootstrap, security, beside).map_err(identity);
        let mut denied = Vec::new();
        for entry in &drills.denied {
            denied.push(Denied {
                connection: connect(&entry.security)?,
                must_not: entry.must_not.clone(),
                must_not_read: entry.must_not_read.clone(),
            });
        }
        let mut brokers = Vec::new();
        for directory in &drills.local_brokers {
            let directory: PathBuf = beside.join(directory);
            let broker = LocalBroker::read(&directory)
                .map_err(|source| RefusedError::LocalBroker { cluster: name(), source })?;
            brokers.push(broker);
        }
        let programs = Programs {
            previous: drills.previous_program.as_ref().map(|path| beside.join(path)),
            ..programs.clone()
        };
        Ok(Self {
            cluster: name(),
            is_bundled: cluster.kind == ClusterKind::Cadastre,
            administrator: connect(&drills.administrator)?,
            workload: None,
            denied,
            prefix: drills.topic_prefix.clone(),
            limits: Limits {
                recovery: duration(drills.recovery_within),
                revocation: duration(drills.revocation_within),
                deletion: duration(drills.deletion_within),
            },
            hooks: Hooks::new(drills.hooks.clone(), brokers, programs),
        })
    }
}

/// A prefix that is empty or that others' topics begin with would let a drill touch them.
fn check_prefix(cluster: &Cluster, prefix: &str) -> Result<(), RefusedError> {
    let refused = |reason: &str| {
        Err(RefusedError::Prefix {
            cluster: cluster.name.clone(),
            prefix: prefix.to_owned(),
            reason: reason.to_owned(),
        })
    };
    if prefix.len() < 4 {
        return refused("it has to have at least four characters");
    }
    if prefix.len() > 80 || !prefix.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
    {
        return refused("it has to be the beginning of a topic's name");
    }
    let of_workload = cluster
        .workloads
        .iter()
        .flat_map(|workload| workload.reads.iter().chain(&workload.writes))
        .find(|pattern| pattern.as_str() != "*" && pattern.starts_with(prefix));
    match of_workload {
        Some(pattern) => refused(&format!("the declared workload topics `{pattern}` begin with it")),
        None => Ok(()),
    }
}

fn duration(period: Period) -> Duration {
    Duration::from_secs(u64::try_from(period.seconds()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use cadastre_model::declaration::Declaration;

    use super::*;

    const CLUSTER: &str = "schema: cadastre/boundary/v1\nname: n\noperating-model: self-managed\narchitecture: shared-storage\nclusters:\n  - name: payments\n    kind: apache-kafka\n    bootstrap: [\"127.0.0.1:1\"]\n    security: {protocol: PLAINTEXT}\n    workloads: [{principal: \"User:a\", reads: [\"orders.*\"]}]\n";

    #[track_caller]
    fn refused(extra: &str, expected: &str) {
        let declaration = Declaration::parse(&format!("{CLUSTER}{extra}"), "boundary.yaml").unwrap();
        let error =
            Target::declared(&declaration.clusters[0], Path::new("/"), &Programs::none()).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }

    #[test]
    fn only_what_is_declared_non_production_is_exercised() {
        let drills = "    drills: {administrator: {protocol: PLAINTEXT}}\n";
        refused(drills, "not declared `environment: non-production`");
        refused(
            &format!("    environment: production\n{drills}"),
            "not declared `environment: non-production`",
        );
        refused("    environment: non-production\n", "declares no `drills`");
    }

    #[test]
    fn topics_of_others_are_out_of_reach() {
        let with = |prefix: &str| {
            format!(
                "    environment: non-production\n    drills: {{administrator: {{protocol: PLAINTEXT}}, topic-prefix: \"{prefix}\"}}\n"
            )
        };
        refused(&with(""), "at least four characters");
        refused(&with("orders."), "workload topics `orders.*` begin with it");
        refused(&with("orders*"), "the beginning of a topic's name");
    }

    #[test]
    fn a_password_that_is_not_there_is_named() {
        refused(
            "    environment: non-production\n    drills: {administrator: {protocol: SASL_SSL, mechanism: PLAIN, username: a, password-file: gone}}\n",
            "cannot be exercised",
        );
    }
}
