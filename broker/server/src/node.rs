//! The running broker as requests see it: configuration, state, storage.

use std::cmp::Ordering;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock, RwLock};

use cadastre_protocol::ResponseError;
use cadastre_protocol::api::SupportedApis;
use cadastre_storage::{Clock, Storage};
use tokio::sync::watch;

use crate::audit::AuditLog;
use crate::config::{BrokerConfig, ListenerConfig};
use crate::listeners::certificates::Certificates;
use crate::listeners::metered::RequestMemory;
use crate::monitoring::counters::{Counters, ListenerCounts};
use crate::peers::Peers;
use crate::state::acls::Acls;
use crate::state::groups::Groups;
use crate::state::quotas::Quotas;
use crate::state::scram::ScramUsers;
use crate::state::settings::Settings;
use crate::state::topics::Topics;
use crate::state::transactions::Transactions;
use crate::usage::Usage;

/// Everything a request may need.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) config: BrokerConfig,
    pub(crate) cluster_id: String,
    pub(crate) clock: Clock,
    pub(crate) storage: Storage,
    pub(crate) peers: Peers,
    pub(crate) topics: Arc<Topics>,
    pub(crate) settings: Settings,
    pub(crate) acls: Acls,
    pub(crate) scram: Arc<ScramUsers>,
    pub(crate) quotas: Quotas,
    pub(crate) groups: Arc<Groups>,
    pub(crate) transactions: Arc<Transactions>,
    pub(crate) audit: AuditLog,
    pub(crate) request_memory: Arc<RequestMemory>,
    pub(crate) apis: SupportedApis,
    /// The listeners with the addresses they got, set once they are bound.
    pub(crate) bound: OnceLock<Vec<BoundListener>>,
    /// The certificates of the listeners, set with them.
    pub(crate) certificates: OnceLock<Certificates>,
    /// Where everything goes, as it was last written.
    pub(crate) data_path: RwLock<String>,
    /// What it did since it started, counted.
    pub(crate) usage: Usage,
    /// What requests add to for the operator's tools.
    pub(crate) counters: Counters,
    /// Turns true when the broker stops.
    pub(crate) stopping: watch::Receiver<bool>,
}

/// A listener with the address it got.
#[derive(Debug, Clone)]
pub(crate) struct BoundListener {
    pub(crate) config: ListenerConfig,
    pub(crate) address: SocketAddr,
    pub(crate) counts: Arc<ListenerCounts>,
}

impl BoundListener {
    /// What clients that came in through `local` are told to connect to.
    pub(crate) fn advertised(&self, local: SocketAddr) -> (String, u16) {
        let advertised = &self.config.advertised;
        let host = advertised.host.clone().unwrap_or_else(|| local.ip().to_canonical().to_string());
        (host, if advertised.port == 0 { self.address.port() } else { advertised.port })
    }
}

impl Node {
    /// The leader epoch of every partition: it rises with each start of the broker.
    pub(crate) fn leader_epoch(&self) -> i32 {
        self.storage.leader_epoch()
    }

    /// Compares the leader epoch a client knows with the current one; -1 means that it knows none (KIP-320).
    ///
    /// # Errors
    ///
    /// `FENCED_LEADER_EPOCH` for an older one, `UNKNOWN_LEADER_EPOCH` for one that is yet to come.
    pub(crate) fn check_leader_epoch(&self, known: i32) -> Result<(), ResponseError> {
        match known.cmp(&self.leader_epoch()) {
            _ if known < 0 => Ok(()),
            Ordering::Less => Err(ResponseError::FencedLeaderEpoch),
            Ordering::Equal => Ok(()),
            Ordering::Greater => Err(ResponseError::UnknownLeaderEpoch),
        }
    }

    /// Completes when the broker stops.
    pub(crate) async fn stopped(&self) {
        let mut stopping = self.stopping.clone();
        // An error means that the broker itself is gone, which is the same.
        let _gone = stopping.wait_for(|&stopping| stopping).await;
    }
}
