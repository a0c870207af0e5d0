//! A coordinator in a world of its own: a clock, a storage, and clients that keep their replies.

use std::collections::BTreeMap;

use bytes::Bytes;
use cadastre_coordinator::{
    Command, CoordinatorConfig, Effect, GroupCoordinator, GroupError, GroupProtocol, GroupState,
    HeartbeatRequest, JoinRequest, JoinResponse, KnownTopics, LeaveRequest, LeavingMember, LeftMember,
    OffsetCommit, OffsetCommitRequest, PersistId, RecordChange, ReplyToken, Response, SyncRequest,
    SyncResponse,
};

pub(crate) const GROUP: &str = "g";
pub(crate) const SESSION_MS: i32 = 10_000;
pub(crate) const REBALANCE_MS: i32 = 60_000;

/// A coordinator with its clock, its storage and the replies that it has given.
pub(crate) struct World {
    pub(crate) coordinator: GroupCoordinator,
    pub(crate) now_ms: i64,
    tokens: u64,
    pub(crate) replies: BTreeMap<ReplyToken, Response>,
    pub(crate) storage: BTreeMap<String, Vec<u8>>,
    /// Writes that storage has not answered; they are answered at once unless `is_storage_slow`.
    pub(crate) unanswered: Vec<(PersistId, Vec<RecordChange>)>,
    pub(crate) is_storage_slow: bool,
    /// The generation that a member was last told of.
    pub(crate) generation_id: i32,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(CoordinatorConfig::default())
    }

    pub(crate) fn with(config: CoordinatorConfig) -> Self {
        Self {
            coordinator: GroupCoordinator::new(config, 0),
            now_ms: 0,
            tokens: 0,
            replies: BTreeMap::new(),
            storage: BTreeMap::new(),
            unanswered: Vec::new(),
            is_storage_slow: false,
            generation_id: 0,
        }
    }

    /// The same storage under a new coordinator, as after a restart.
    pub(crate) fn restart(&mut self) {
        self.coordinator =
            GroupCoordinator::restore(CoordinatorConfig::default(), &self.storage, self.now_ms).unwrap();
        self.replies.clear();
    }

    pub(crate) fn set_topics(&mut self, topics: KnownTopics) {
        self.coordinator.set_topics(topics);
    }

    pub(crate) fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Reply { token, response } => {
                    if let Response::Join(JoinResponse { error: None, generation_id, .. }) = &response {
                        self.generation_id = *generation_id;
                    }
                    assert!(self.replies.insert(token, response).is_none(), "{token:?} was answered twice");
                }
                Effect::Persist { id, changes } => self.unanswered.push((id, changes)),
            }
        }
        if !self.is_storage_slow {
            self.answer_writes(true);
        }
    }

    /// Lets storage answer everything that it was given.
    pub(crate) fn answer_writes(&mut self, is_durable: bool) {
        while !self.unanswered.is_empty() {
            let (id, changes) = self.unanswered.remove(0);
            self.answer_write(id, changes, is_durable);
        }
    }

    pub(crate) fn answer_write(&mut self, id: PersistId, changes: Vec<RecordChange>, is_durable: bool) {
        if is_durable {
            for RecordChange { key, value } in changes {
                match value {
                    Some(value) => self.storage.insert(key, value),
                    None => self.storage.remove(&key),
                };
            }
        }
        let effects = self.coordinator.persisted(id, is_durable, self.now_ms);
        self.carry_out(effects);
    }

    pub(crate) fn send(&mut self, command: Command) -> ReplyToken {
        self.tokens += 1;
        let token = ReplyToken(self.tokens);
        let effects = self.coordinator.handle(token, command, self.now_ms);
        self.carry_out(effects);
        token
    }

    /// Lets time pass, doing what becomes due on the way.
    pub(crate) fn pass(&mut self, span_ms: i64) {
        let end_ms = self.now_ms + span_ms;
        while let Some(due_ms) = self.coordinator.next_timeout_ms().filter(|due_ms| *due_ms <= end_ms) {
            self.now_ms = self.now_ms.max(due_ms);
            let effects = self.coordinator.poll_timeouts(self.now_ms);
            self.carry_out(effects);
        }
        self.now_ms = end_ms;
    }

    #[track_caller]
    pub(crate) fn reply(&mut self, token: ReplyToken) -> Response {
        self.replies.remove(&token).unwrap_or_else(|| panic!("{token:?} has no reply yet"))
    }

    #[track_caller]
    pub(crate) fn joined(&mut self, token: ReplyToken) -> JoinResponse {
        match self.reply(token) {
            Response::Join(response) => response,
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn synced(&mut self, token: ReplyToken) -> SyncResponse {
        match self.reply(token) {
            Response::Sync(response) => response,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn is_parked(&self, token: ReplyToken) -> bool {
        !self.replies.contains_key(&token)
    }

    pub(crate) fn join(&mut self, request: JoinRequest) -> ReplyToken {
        self.send(Command::Join(request))
    }

    pub(crate) fn sync(
        &mut self,
        member: &str,
        generation_id: i32,
        assignments: &[(&str, &str)],
    ) -> ReplyToken {
        self.send(Command::Sync(sync_request(member, generation_id, assignments)))
    }

    #[track_caller]
    pub(crate) fn heartbeat(&mut self, member: &str, generation_id: i32) -> Option<GroupError> {
        let token = self.send(Command::Heartbeat(HeartbeatRequest {
            group_id: GROUP.into(),
            generation_id,
            member_id: member.into(),
            group_instance_id: None,
        }));
        match self.reply(token) {
            Response::Heartbeat(error) => error,
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn leave(&mut self, members: &[(&str, Option<&str>)]) -> Vec<LeftMember> {
        let members = members
            .iter()
            .map(|(member, instance)| LeavingMember {
                member_id: (*member).to_owned(),
                group_instance_id: instance.map(str::to_owned),
            })
            .collect();
        let token = self.send(Command::Leave(LeaveRequest { group_id: GROUP.into(), members }));
        match self.reply(token) {
            Response::Leave(response) => response.members,
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn commit(&mut self, member: &str, generation_id: i32, offset: i64) -> Option<GroupError> {
        let token = self.send(Command::CommitOffsets(commit_request(member, generation_id, offset)));
        self.committed(token)
    }

    #[track_caller]
    pub(crate) fn committed(&mut self, token: ReplyToken) -> Option<GroupError> {
        match self.reply(token) {
            Response::CommitOffsets(response) => response.partitions.first().unwrap().2,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn offset(&self) -> Option<i64> {
        self.coordinator.committed_offset(GROUP, "t", 0).map(|committed| committed.offset)
    }

    pub(crate) fn state(&self) -> GroupState {
        self.coordinator.describe_group(GROUP).state
    }

    /// Brings a group of the named members to `Stable` and returns its generation. Member ids are `name-id`.
    #[track_caller]
    pub(crate) fn stable(&mut self, names: &[&str]) -> i32 {
        let tokens: Vec<_> = names.iter().map(|name| self.join(new_member(name))).collect();
        self.pass(10_000);
        let generation = self.joined(*tokens.first().unwrap()).generation_id;
        let members: Vec<String> = names.iter().map(|name| format!("{name}-id")).collect();
        let assignments: Vec<_> = members.iter().map(|member| (member.as_str(), member.as_str())).collect();
        for member in &members {
            let given = if *member == self.leader() { assignments.as_slice() } else { &[] };
            self.sync(member, generation, given);
        }
        assert_eq!(self.state(), GroupState::Stable);
        self.replies.clear();
        generation
    }

    pub(crate) fn leader(&self) -> String {
        // The first to join leads.
        let members = self.coordinator.describe_group(GROUP).members;
        members.iter().find(|member| member.client_id == "a").unwrap().member_id.clone()
    }
}

pub(crate) fn subscription(topics: &[&str]) -> Bytes {
    let mut bytes = vec![0, 0];
    bytes.extend(u32::try_from(topics.len()).unwrap().to_be_bytes());
    for topic in topics {
        bytes.extend(u16::try_from(topic.len()).unwrap().to_be_bytes());
        bytes.extend(topic.as_bytes());
    }
    // No user data.
    bytes.extend((-1i32).to_be_bytes());
    bytes.into()
}

pub(crate) fn protocols(names: &[&str]) -> Vec<GroupProtocol> {
    names
        .iter()
        .map(|name| GroupProtocol { name: (*name).to_owned(), metadata: subscription(&["t"]) })
        .collect()
}

/// A new member of an old client, which is added at once; its id becomes `name-id`.
pub(crate) fn new_member(name: &str) -> JoinRequest {
    JoinRequest {
        group_id: GROUP.into(),
        member_id: String::new(),
        group_instance_id: None,
        client_id: name.into(),
        client_host: "/192.0.2.1".into(),
        session_timeout_ms: SESSION_MS,
        rebalance_timeout_ms: REBALANCE_MS,
        protocol_type: "consumer".into(),
        protocols: protocols(&["range"]),
        requires_known_member_id: false,
        supports_skipping_assignment: true,
        unique: "id".into(),
    }
}

pub(crate) fn again(member: &str) -> JoinRequest {
    JoinRequest { member_id: member.into(), ..new_member("a") }
}

pub(crate) fn static_member(instance: &str, unique: &str) -> JoinRequest {
    JoinRequest { group_instance_id: Some(instance.into()), unique: unique.into(), ..new_member("a") }
}

pub(crate) fn sync_request(member: &str, generation_id: i32, assignments: &[(&str, &str)]) -> SyncRequest {
    SyncRequest {
        group_id: GROUP.into(),
        generation_id,
        member_id: member.into(),
        group_instance_id: None,
        protocol_type: None,
        protocol_name: None,
        assignments: assignments
            .iter()
            .map(|(member, assignment)| ((*member).to_owned(), Bytes::from((*assignment).to_owned())))
            .collect(),
    }
}

pub(crate) fn commit_request(member: &str, generation_id: i32, offset: i64) -> OffsetCommitRequest {
    OffsetCommitRequest {
        group_id: GROUP.into(),
        generation_id,
        member_id: member.into(),
        group_instance_id: None,
        retention_ms: None,
        understands_group_not_found: true,
        offsets: vec![OffsetCommit {
            topic: "t".into(),
            partition: 0,
            offset,
            leader_epoch: None,
            metadata: String::new(),
        }],
    }
}
