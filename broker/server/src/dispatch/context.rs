//! What a request's handler knows about who asks, and what they may do.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use cadastre_protocol::ResponseError;
use cadastre_protocol::api::RequestHeader;
use cadastre_protocol::messages::BrokerId;
use cadastre_protocol::types::TopicPartition;
use cadastre_security::Principal;
use cadastre_security::acl::{CLUSTER_NAME, Operation, ResourceType};

use super::operations::Requirement;
use crate::audit::AuditEvent;
use crate::node::{BoundListener, Node};
use crate::peers::{Endpoint, Peer, SeenPeers};

/// The brokers that a client is told about.
#[derive(Debug)]
pub(crate) enum KnownBrokers {
    Own(Peer),
    Cluster(SeenPeers),
}

impl KnownBrokers {
    /// All of them, by node id.
    pub(crate) fn all(&self) -> Vec<&Peer> {
        match self {
            Self::Own(own) => vec![own],
            Self::Cluster(seen) => seen.all().collect(),
        }
    }

    /// The broker to which the client shall send a partition's records.
    pub(crate) fn leader(&self, partition: TopicPartition) -> BrokerId {
        match self {
            Self::Own(own) => BrokerId(own.node_id),
            Self::Cluster(seen) => BrokerId(seen.leader(partition).unwrap_or(-1)),
        }
    }

    /// One of them.
    pub(crate) fn get(&self, node_id: i32) -> Option<&Peer> {
        match self {
            Self::Own(own) => Some(own).filter(|own| own.node_id == node_id),
            Self::Cluster(seen) => seen.get(node_id),
        }
    }
}

/// A request's surroundings.
pub(crate) struct RequestContext<'request> {
    pub(crate) node: &'request Arc<Node>,
    pub(crate) listener: &'request BoundListener,
    pub(crate) address: IpAddr,
    pub(crate) local: SocketAddr,
    pub(crate) principal: &'request Principal,
    pub(crate) header: &'request RequestHeader,
    /// How long the client must be held back for what the handler found, in milliseconds.
    pub(crate) held_back_ms: AtomicU32,
}

impl RequestContext<'_> {
    /// Whether the client may do `requirement` to the resource `name`. A denial is recorded, and so is an
    /// administrative action that is allowed.
    pub(crate) fn allows(&self, requirement: Requirement, name: &str) -> bool {
        self.allows_action(requirement, name, None)
    }

    /// As [`Self::allows`], with what is about to change for the record.
    pub(crate) fn allows_action(&self, requirement: Requirement, name: &str, detail: Option<String>) -> bool {
        let (allowed, rule) = self.decide(requirement, name);
        if !allowed || requirement.administrative {
            self.record(requirement, name, allowed, rule, detail);
        }
        allowed
    }

    /// As [`Self::allows`] for the cluster itself.
    pub(crate) fn allows_cluster(&self, requirement: Requirement) -> bool {
        self.allows(requirement, CLUSTER_NAME)
    }

    /// Whether the client may do `requirement`, without a record: for leaving out what a client may not see.
    pub(crate) fn sees(&self, requirement: Requirement, name: &str) -> bool {
        self.decide(requirement, name).0
    }

    /// Whether the client may do `requirement` to at least one resource of its kind (KIP-679).
    pub(crate) fn allows_any(&self, requirement: Requirement) -> bool {
        if !self.node.config.authorization.enabled {
            return true;
        }
        let authorizer = self.node.acls.authorizer();
        let Requirement { operation, resource_type, .. } = requirement;
        authorizer.authorize_by_resource_type(self.principal, self.address, operation, resource_type).allowed
    }

    /// Records a denial that was decided by more than one rule.
    pub(crate) fn record_denial(&self, requirement: Requirement, name: &str) {
        self.record(requirement, name, false, "DefaultDeny".to_owned(), None);
    }

    /// The operations the client may do to a resource, as a bit field (KIP-430).
    pub(crate) fn authorized_operations(&self, resource_type: ResourceType, name: &str) -> i32 {
        let operations: Vec<Operation> = if self.node.config.authorization.enabled {
            let authorizer = self.node.acls.authorizer();
            authorizer.authorized_operations(self.principal, self.address, resource_type, name)
        } else {
            resource_type.supported_operations().to_vec()
        };
        operations.iter().fold(0, |bits, operation| bits | 1 << operation.code())
    }

    /// Counts partitions that are about to be created or deleted. Clients that speak `strict_since` or later are
    /// refused when their quota is used up, older ones only held back (KIP-599).
    ///
    /// # Errors
    ///
    /// `THROTTLING_QUOTA_EXCEEDED`.
    pub(crate) fn mutate(&self, partitions: i32, strict_since: i16) -> Result<(), ResponseError> {
        match self.node.quotas.mutation(self, partitions) {
            Ok(()) => Ok(()),
            Err(milliseconds) => {
                self.held_back_ms.fetch_max(milliseconds, Ordering::Relaxed);
                let strict = self.header.version >= strict_since;
                if strict { Err(ResponseError::ThrottlingQuotaExceeded) } else { Ok(()) }
            }
        }
    }

    /// What the client calls itself.
    pub(crate) fn client_id(&self) -> &str {
        self.header.client_id.as_deref().unwrap_or_default()
    }

    /// The brokers that this client is told about.
    pub(crate) fn brokers(&self) -> KnownBrokers {
        let own = || {
            let (host, port) = self.listener.advertised(self.local);
            Peer {
                node_id: self.node.config.node_id,
                endpoint: Endpoint { host, port },
                rack: self.node.config.rack.clone(),
            }
        };
        match self.node.peers.seen_through(&self.listener.config.name) {
            Some(seen) if seen.all().next().is_some() => KnownBrokers::Cluster(seen),
            // Nobody is registered while this broker registers anew.
            _ => KnownBrokers::Own(own()),
        }
    }

    fn decide(&self, requirement: Requirement, name: &str) -> (bool, String) {
        if !self.node.config.authorization.enabled {
            return (true, "NoAuthorizer".to_owned());
        }
        let authorizer = self.node.acls.authorizer();
        let Requirement { operation, resource_type, .. } = requirement;
        let decision = authorizer.authorize(self.principal, self.address, operation, resource_type, name);
        (decision.allowed, decision.rule.to_string())
    }

    fn record(
        &self,
        requirement: Requirement,
        name: &str,
        allowed: bool,
        rule: String,
        detail: Option<String>,
    ) {
        self.node.audit.record(&AuditEvent {
            principal: self.principal.to_string(),
            client_address: self.address.to_string(),
            client_id: self.client_id(),
            listener: &self.listener.config.name,
            request: format!("{:?}", self.header.api),
            operation: requirement.operation.to_string(),
            resource_type: requirement.resource_type.to_string(),
            resource: name.to_owned(),
            allowed,
            rule,
            detail,
        });
    }
}
