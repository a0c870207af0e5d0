//! Groups whose members speak both protocols, and groups that change theirs.

use bytes::Bytes;
use cadastre_coordinator::*;

use super::consumers::{beat, joining, parts, topics};
use super::world::*;

fn world() -> World {
    with(CoordinatorConfig::default())
}

fn with(config: CoordinatorConfig) -> World {
    let mut world = World::with(config);
    world.set_topics(topics(&[("t", 4), ("u", 2)]));
    world
}

/// An assignment of partitions of `t`, as consumers write it in version 0.
fn assigned(indexes: &[i32]) -> Bytes {
    let mut bytes = vec![0, 0];
    bytes.extend(i32::from(!indexes.is_empty()).to_be_bytes());
    if !indexes.is_empty() {
        bytes.extend([0, 1, b't']);
        bytes.extend(i32::try_from(indexes.len()).unwrap().to_be_bytes());
        indexes.iter().for_each(|index| bytes.extend(index.to_be_bytes()));
    }
    bytes.extend((-1i32).to_be_bytes());
    bytes.into()
}

impl World {
    /// A stable classic group of `a-id` and `b-id` that have two partitions of `t` each; its generation.
    #[track_caller]
    fn classic_pair(&mut self) -> i32 {
        let (a, b) = (self.join(new_member("a")), self.join(new_member("b")));
        self.pass(10_000);
        let generation = self.joined(a).generation_id;
        self.joined(b);
        let sync =
            |member: &str, assignments| SyncRequest { assignments, ..sync_request(member, generation, &[]) };
        let both = vec![("a-id".to_owned(), assigned(&[0, 1])), ("b-id".to_owned(), assigned(&[2, 3]))];
        self.send(Command::Sync(sync("a-id", both)));
        self.send(Command::Sync(sync("b-id", Vec::new())));
        assert_eq!(self.state(), GroupState::Stable);
        self.replies.clear();
        generation
    }

    /// What a classic member is told when it joins again and syncs: its generation and assignment.
    #[track_caller]
    fn rejoined(&mut self, member: &str) -> (i32, Bytes) {
        let token = self.join(again(member));
        let joined = self.joined(token);
        assert_eq!((joined.error, joined.leader.as_str(), joined.members.len()), (None, "", 0));
        let token = self.sync(member, joined.generation_id, &[]);
        let synced = self.synced(token);
        assert_eq!(synced.error, None);
        (joined.generation_id, synced.assignment)
    }

    fn group_type(&self) -> GroupType {
        let groups = self.coordinator.list_groups::<&str>(&[], &[]);
        assert_eq!(groups.len(), 1);
        groups[0].group_type
    }
}

#[test]
fn a_classic_member_joins_a_consumer_group() {
    let mut world = world();
    world.beat(joining("c", &["t"]));
    let first = world.join(JoinRequest { requires_known_member_id: true, ..new_member("b") });
    let first = world.joined(first);
    assert_eq!((first.error, first.member_id.as_str()), (Some(GroupError::MemberIdRequired), "b-id"));
    assert_eq!(world.rejoined("b-id"), (2, assigned(&[])));
    assert_eq!(world.heartbeat("b-id", 2), None, "nothing is free yet");
    let c = world.beat(ConsumerHeartbeatRequest { owned: Some(parts("t", &[0, 1, 2, 3])), ..beat("c", 1) });
    assert_eq!((c.member_epoch, c.assignment), (1, Some(parts("t", &[0, 1]))));
    let c = world.beat(ConsumerHeartbeatRequest { owned: Some(parts("t", &[0, 1])), ..beat("c", 1) });
    assert_eq!(c.member_epoch, 2);
    assert_eq!(
        world.heartbeat("b-id", 2),
        Some(GroupError::RebalanceInProgress),
        "what it waits for is free"
    );
    assert_eq!(world.rejoined("b-id"), (2, assigned(&[2, 3])));
    assert_eq!(world.heartbeat("b-id", 2), None);
    let group = world.coordinator.describe_consumer_group(GROUP).unwrap();
    assert_eq!(group.state, "Stable");
    assert_eq!(group.members.iter().map(|member| member.is_classic).collect::<Vec<_>>(), [true, false]);
    assert_eq!(world.commit("b-id", 2, 1), None);
    assert_eq!(world.commit("b-id", 1, 1), Some(GroupError::IllegalGeneration));
}

#[test]
fn classic_requests_to_a_consumer_group_are_checked() {
    let mut world = world();
    world.beat(joining("c", &["t"]));
    world.rejoined("b-id");
    let mut check = |request: JoinRequest, expected: GroupError| {
        let token = world.join(request);
        assert_eq!(world.joined(token).error, Some(expected));
    };
    check(
        JoinRequest { protocol_type: "connect".into(), ..new_member("x") },
        GroupError::InconsistentGroupProtocol,
    );
    check(
        JoinRequest { protocols: protocols(&["odd"]), ..new_member("x") },
        GroupError::InconsistentGroupProtocol,
    );
    let rubbish = vec![GroupProtocol { name: "range".into(), metadata: Bytes::from_static(b"x") }];
    check(JoinRequest { protocols: rubbish, ..new_member("x") }, GroupError::InconsistentGroupProtocol);
    let named = JoinRequest { group_instance_id: Some("one".into()), ..again("x") };
    check(named, GroupError::UnknownMemberId);
    assert_eq!(world.heartbeat("c", 1), Some(GroupError::UnknownMemberId), "it speaks the other protocol");
    assert_eq!(world.heartbeat("b-id", 1), Some(GroupError::IllegalGeneration));
    let left = world.leave(&[("x", None), ("b-id", None)]);
    assert_eq!(left[0].error, Some(GroupError::UnknownMemberId));
    assert_eq!(left[1].error, None);
    assert_eq!(world.heartbeat("b-id", 2), Some(GroupError::UnknownMemberId));
    assert_eq!(world.beat(beat("c", 1)).member_epoch, 3, "it has all again");
}

#[test]
fn an_administrator_removes_members_of_either_protocol() {
    let mut world = world();
    world.beat(ConsumerHeartbeatRequest { group_instance_id: Some("one".into()), ..joining("c", &["t"]) });
    world.beat(joining("d", &["t"]));
    let left = world.leave(&[("", Some("one")), ("d", Some("one")), ("d", None)]);
    let errors: Vec<_> = left.iter().map(|member| member.error).collect();
    assert_eq!(errors, [None, Some(GroupError::FencedInstanceId), None]);
    assert_eq!(world.beat(beat("d", 2)).refusal.unwrap().error, GroupError::UnknownMemberId);
    assert_eq!(world.coordinator.describe_consumer_group(GROUP).unwrap().state, "Empty");
}

#[test]
fn a_classic_member_that_does_not_come_back_is_removed() {
    let mut world = world();
    let patient =
        |member: &str| ConsumerHeartbeatRequest { session_timeout_ms: 1_000_000, ..joining(member, &["t"]) };
    world.beat(patient("c"));
    world.rejoined("b-id");
    world.beat(patient("d"));
    assert_eq!(world.heartbeat("b-id", 2), Some(GroupError::RebalanceInProgress));
    for _ in 0..11 {
        world.pass(5_000);
        assert_eq!(world.heartbeat("b-id", 2), Some(GroupError::RebalanceInProgress));
    }
    world.pass(5_000);
    assert_eq!(world.heartbeat("b-id", 2), Some(GroupError::UnknownMemberId), "after its rebalance timeout");
}

#[test]
fn a_classic_group_becomes_a_consumer_group_and_loses_nobody() {
    let mut world = world();
    let generation = world.classic_pair();
    let c = world.beat(joining("c", &["t"]));
    assert_eq!((c.refusal, c.member_epoch, c.assignment), (None, generation + 1, Some(Partitions::new())));
    assert_eq!(world.group_type(), GroupType::Consumer);
    assert!(world.storage.keys().all(|key| !key.starts_with("[\"group\"")), "{:?}", world.storage.keys());
    world.restart();
    world.set_topics(topics(&[("t", 4), ("u", 2)]));
    assert_eq!(world.heartbeat("a-id", generation), Some(GroupError::RebalanceInProgress));
    assert_eq!(world.heartbeat("b-id", generation), Some(GroupError::RebalanceInProgress));
    // Members that assign by ranges give everything up before they join again.
    let (a, b) = (world.rejoined("a-id"), world.rejoined("b-id"));
    let c = world.beat(beat("c", generation + 1));
    assert_eq!((a.0, b.0), (generation + 1, generation + 1));
    assert_eq!((a.1, b.1, c.assignment), (assigned(&[0, 1]), assigned(&[2]), Some(parts("t", &[3]))));
    assert_eq!(world.heartbeat("a-id", generation + 1), None);
    assert_eq!(world.commit("a-id", generation + 1, 7), None);
}

#[test]
fn members_that_join_a_classic_group_are_asked_to_join_what_it_has_become() {
    let mut world = world();
    let parked = world.join(new_member("a"));
    assert!(world.is_parked(parked));
    assert_eq!(world.beat(joining("c", &["t"])).refusal, None);
    assert_eq!(world.joined(parked).error, Some(GroupError::RebalanceInProgress));
    assert_eq!(world.rejoined("a-id").0, 1);
}

#[test]
fn a_consumer_group_of_classic_members_becomes_a_classic_group() {
    let mut world = world();
    let generation = world.classic_pair();
    world.beat(joining("c", &["t"]));
    world.rejoined("a-id");
    world.rejoined("b-id");
    assert_eq!(world.beat(beat("c", -1)).refusal, None);
    assert_eq!(world.group_type(), GroupType::Classic);
    assert!(world.storage.keys().all(|key| !key.contains("consumer")), "{:?}", world.storage.keys());
    assert_eq!(world.heartbeat("a-id", generation + 1), Some(GroupError::RebalanceInProgress));
    let (a, b) = (world.join(again("a-id")), world.join(again("b-id")));
    let a = world.joined(a);
    assert_eq!((a.error, a.generation_id, a.members.len()), (None, generation + 2, 2));
    assert_eq!(world.joined(b).leader, a.leader);
}

#[test]
fn a_session_that_ends_downgrades_as_well() {
    let mut world = world();
    world.beat(joining("c", &["t"]));
    let (generation, _) = world.rejoined("b-id");
    for _ in 0..5 {
        world.pass(9_000);
        world.heartbeat("b-id", generation);
    }
    assert_eq!(world.group_type(), GroupType::Classic);
    assert_eq!(world.heartbeat("b-id", generation), Some(GroupError::RebalanceInProgress));
}

#[test]
fn a_static_member_takes_its_place_by_the_other_protocol() {
    let mut world = world();
    let c = ConsumerHeartbeatRequest { group_instance_id: Some("one".into()), ..joining("c", &["t"]) };
    world.beat(c.clone());
    world.rejoined("b-id");
    let one = world.join(static_member("one", "1"));
    assert_eq!(world.group_type(), GroupType::Classic, "it was the last of the newer protocol");
    let b = world.join(again("b-id"));
    assert_eq!(world.joined(one).generation_id, world.joined(b).generation_id);
    assert_eq!(world.beat(c).refusal, None, "and back");
    assert_eq!(world.group_type(), GroupType::Consumer);
    assert_eq!(world.coordinator.describe_consumer_group(GROUP).unwrap().members.len(), 2);
}

#[test]
fn the_policy_forbids_what_it_does_not_name() {
    let migration = MigrationPolicy::default();
    let mut world = with(CoordinatorConfig { migration, ..CoordinatorConfig::default() });
    world.classic_pair();
    let refusal = world.beat(joining("c", &["t"])).refusal.unwrap();
    assert_eq!(refusal.error, GroupError::GroupIdNotFound);
    assert_eq!(world.group_type(), GroupType::Classic);
    world.leave(&[("a-id", None), ("b-id", None)]);
    assert_eq!(world.beat(joining("c", &["t"])).refusal, None, "an empty group may");
    world.rejoined("b-id");
    world.beat(beat("c", -1));
    assert_eq!(world.group_type(), GroupType::Consumer);
}

#[test]
fn groups_that_are_not_of_consumers_stay_as_they_are() {
    let mut world = world();
    world.join(JoinRequest { protocol_type: "connect".into(), ..new_member("a") });
    world.pass(3_000);
    assert_eq!(world.beat(joining("c", &["t"])).refusal.unwrap().error, GroupError::GroupIdNotFound);
    let mut world = with(CoordinatorConfig { consumer_maximum_size: 2, ..CoordinatorConfig::default() });
    world.classic_pair();
    assert_eq!(world.beat(joining("c", &["t"])).refusal.unwrap().error, GroupError::GroupIdNotFound);
}
