//! A member of a group.

use bytes::Bytes;

use crate::effect::ReplyToken;
use crate::request::{GroupProtocol, JoinRequest};

#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) member_id: String,
    pub(crate) group_instance_id: Option<String>,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
    pub(crate) session_timeout_ms: i32,
    pub(crate) rebalance_timeout_ms: i32,
    pub(crate) protocols: Vec<GroupProtocol>,
    pub(crate) assignment: Bytes,
    /// Whether the member has not yet been in a generation; it may then expire while it waits.
    pub(crate) is_new: bool,
    pub(crate) awaiting_join: Option<ReplyToken>,
    pub(crate) awaiting_sync: Option<ReplyToken>,
}

impl Member {
    pub(crate) fn new(member_id: String, request: JoinRequest, token: ReplyToken) -> Self {
        Self {
            member_id,
            group_instance_id: request.group_instance_id,
            client_id: request.client_id,
            client_host: request.client_host,
            session_timeout_ms: request.session_timeout_ms,
            rebalance_timeout_ms: request.rebalance_timeout_ms,
            protocols: request.protocols,
            assignment: Bytes::new(),
            is_new: true,
            awaiting_join: Some(token),
            awaiting_sync: None,
        }
    }

    /// Whether it needs no heartbeat to prove that it is there: it waits for an answer of ours.
    pub(crate) fn is_waiting_for_us(&self) -> bool {
        !self.is_new && (self.awaiting_join.is_some() || self.awaiting_sync.is_some())
    }

    pub(crate) fn supports(&self, protocol_name: &str) -> bool {
        self.protocols.iter().any(|protocol| protocol.name == protocol_name)
    }

    /// The metadata for a protocol; empty for one that the member does not support.
    pub(crate) fn metadata(&self, protocol_name: Option<&str>) -> Bytes {
        let wanted = |protocol: &&GroupProtocol| Some(protocol.name.as_str()) == protocol_name;
        self.protocols.iter().find(wanted).map(|protocol| protocol.metadata.clone()).unwrap_or_default()
    }
}
