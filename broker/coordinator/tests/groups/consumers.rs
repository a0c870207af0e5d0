//! Consumer groups of the newer protocol, request by request.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_coordinator::*;
use cadastre_protocol::types::TopicId;

use super::world::*;

/// The id of the topic `t`, `u` and so on.
pub(crate) fn id(name: &str) -> TopicId {
    let mut bytes = [0; 16];
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    TopicId(bytes)
}

pub(crate) fn topics(list: &[(&str, i32)]) -> KnownTopics {
    list.iter()
        .map(|(name, partitions)| ((*name).to_owned(), KnownTopic { id: id(name), partitions: *partitions }))
        .collect()
}

pub(crate) fn parts(topic: &str, indexes: &[i32]) -> Partitions {
    if indexes.is_empty() {
        Partitions::new()
    } else {
        Partitions::from([(id(topic), indexes.iter().copied().collect())])
    }
}

/// A member that says nothing but that it is there.
pub(crate) fn beat(member: &str, epoch: i32) -> ConsumerHeartbeatRequest {
    ConsumerHeartbeatRequest {
        group_id: GROUP.into(),
        member_id: member.into(),
        member_epoch: epoch,
        group_instance_id: None,
        rack_id: None,
        rebalance_timeout_ms: None,
        subscribed_topics: None,
        subscribed_pattern: None,
        assignor: None,
        owned: None,
        client_id: "client".into(),
        client_host: "/192.0.2.1".into(),
        session_timeout_ms: 45_000,
        heartbeat_interval_ms: 5_000,
        resolved_patterns: BTreeMap::new(),
        requires_member_id: true,
        unique: "unique".into(),
    }
}

/// A member that joins for some topics.
pub(crate) fn joining(member: &str, names: &[&str]) -> ConsumerHeartbeatRequest {
    ConsumerHeartbeatRequest {
        rebalance_timeout_ms: Some(REBALANCE_MS),
        subscribed_topics: Some(names.iter().map(|name| (*name).to_owned()).collect()),
        owned: Some(Partitions::new()),
        ..beat(member, 0)
    }
}

fn holding(member: &str, epoch: i32, owned: Partitions) -> ConsumerHeartbeatRequest {
    ConsumerHeartbeatRequest { owned: Some(owned), ..beat(member, epoch) }
}

fn of(instance: &str, request: ConsumerHeartbeatRequest) -> ConsumerHeartbeatRequest {
    ConsumerHeartbeatRequest { group_instance_id: Some(instance.into()), ..request }
}

/// A world with the topic `t` of four partitions and `u` of two.
fn world() -> World {
    let mut world = World::new();
    world.set_topics(topics(&[("t", 4), ("u", 2)]));
    world
}

impl World {
    pub(crate) fn send_beat(&mut self, request: ConsumerHeartbeatRequest) -> ReplyToken {
        self.send(Command::ConsumerHeartbeat(Box::new(request)))
    }

    #[track_caller]
    pub(crate) fn beaten(&mut self, token: ReplyToken) -> ConsumerHeartbeatResponse {
        match self.reply(token) {
            Response::ConsumerHeartbeat(response) => response,
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn beat(&mut self, request: ConsumerHeartbeatRequest) -> ConsumerHeartbeatResponse {
        let token = self.send_beat(request);
        self.beaten(token)
    }

    /// What a member is told: its epoch, and its assignment if there is news.
    #[track_caller]
    fn told(&mut self, request: ConsumerHeartbeatRequest) -> (i32, Option<Partitions>) {
        let response = self.beat(request);
        assert_eq!(response.refusal, None);
        (response.member_epoch, response.assignment)
    }

    #[track_caller]
    fn refused(&mut self, request: ConsumerHeartbeatRequest) -> GroupError {
        self.beat(request).refusal.expect("a refusal").error
    }

    fn described(&self) -> DescribedConsumerGroup {
        self.coordinator.describe_consumer_group(GROUP).unwrap()
    }
}

#[test]
fn a_lone_member_gets_everything_at_once() {
    let mut world = world();
    assert_eq!(world.told(joining("a", &["t"])), (1, Some(parts("t", &[0, 1, 2, 3]))));
    assert_eq!(world.told(holding("a", 1, parts("t", &[0, 1, 2, 3]))), (1, None));
    let group = world.described();
    assert_eq!((group.state, group.epoch, group.target_epoch, &*group.assignor), ("Stable", 1, 1, "uniform"));
    assert_eq!(group.members[0].assignment, group.members[0].target);
    assert_eq!(group.members[0].assignment[0].name, "t");
}

#[test]
fn a_second_member_gets_what_the_first_has_given_up() {
    let mut world = world();
    world.told(joining("a", &["t"]));
    assert_eq!(world.told(joining("b", &["t"])), (2, Some(Partitions::new())));
    assert_eq!(world.described().state, "Reconciling");
    assert_eq!(world.told(holding("a", 1, parts("t", &[0, 1, 2, 3]))), (1, Some(parts("t", &[0, 1]))));
    assert_eq!(world.told(beat("b", 2)), (2, None), "nothing is free yet");
    assert_eq!(world.told(holding("a", 1, parts("t", &[0, 1]))), (2, None));
    assert_eq!(world.told(beat("b", 2)), (2, Some(parts("t", &[2, 3]))));
    assert_eq!(world.described().state, "Stable");
}

#[test]
fn members_that_leave_or_fall_silent_free_their_partitions() {
    let mut world = world();
    world.told(joining("a", &["t"]));
    world.told(joining("b", &["t"]));
    assert_eq!(world.told(beat("a", -1)), (-1, None));
    assert_eq!(world.told(beat("b", 2)), (3, Some(parts("t", &[0, 1, 2, 3]))));
    world.told(joining("c", &["t"]));
    world.told(holding("b", 3, parts("t", &[0, 1])));
    let mut epoch = 4;
    for _ in 0..10 {
        world.pass(30_000);
        (epoch, _) = world.told(beat("b", epoch));
    }
    assert_eq!(epoch, 5, "without `c`");
    assert_eq!(world.refused(beat("c", 4)), GroupError::UnknownMemberId);
    world.pass(45_000);
    assert_eq!(world.described().state, "Empty");
    assert_eq!(world.refused(beat("b", 5)), GroupError::UnknownMemberId);
}

#[test]
fn a_member_that_does_not_give_up_in_time_is_removed() {
    let mut world = world();
    world.told(joining("a", &["t"]));
    world.told(joining("b", &["t"]));
    world.told(holding("a", 1, parts("t", &[0, 1, 2, 3])));
    for _ in 0..5 {
        world.pass(10_000);
        world.told(holding("a", 1, parts("t", &[0, 1, 2, 3])));
        world.told(beat("b", 2));
    }
    world.pass(10_000);
    assert_eq!(world.refused(beat("a", 1)), GroupError::UnknownMemberId);
    assert_eq!(world.told(beat("b", 2)), (3, Some(parts("t", &[0, 1, 2, 3]))));
}

#[test]
fn epochs_are_fenced_but_for_a_lost_answer() {
    let mut world = world();
    world.told(joining("a", &["t"]));
    assert_eq!(world.refused(beat("a", 7)), GroupError::FencedMemberEpoch);
    world.told(joining("b", &["t"]));
    world.told(holding("a", 1, parts("t", &[0, 1])));
    assert_eq!(world.described().members[0].epoch, 2);
    assert_eq!(world.refused(beat("a", 1)), GroupError::FencedMemberEpoch, "it does not say what it holds");
    assert_eq!(world.refused(holding("a", 1, parts("t", &[3]))), GroupError::FencedMemberEpoch);
    assert_eq!(world.told(holding("a", 1, parts("t", &[0, 1]))).0, 2);
    assert_eq!(world.refused(holding("a", 0, parts("t", &[0]))), GroupError::InvalidRequest);
    assert_eq!(world.refused(joining("a", &["t"])), GroupError::FencedMemberEpoch);
}

#[test]
fn requests_that_make_no_sense_are_refused() {
    let mut world = world();
    let mut check = |request: ConsumerHeartbeatRequest, expected: GroupError| {
        assert_eq!(world.refused(request.clone()), expected, "{request:?}");
    };
    use GroupError::{GroupIdNotFound, InvalidRegularExpression, InvalidRequest, UnsupportedAssignor};
    let join = || joining("a", &["t"]);
    check(ConsumerHeartbeatRequest { group_id: " ".into(), ..join() }, InvalidRequest);
    check(ConsumerHeartbeatRequest { member_id: String::new(), ..join() }, InvalidRequest);
    check(of("", join()), InvalidRequest);
    check(ConsumerHeartbeatRequest { rack_id: Some(String::new()), ..join() }, InvalidRequest);
    check(ConsumerHeartbeatRequest { rebalance_timeout_ms: None, ..join() }, InvalidRequest);
    check(ConsumerHeartbeatRequest { owned: None, ..join() }, InvalidRequest);
    check(ConsumerHeartbeatRequest { owned: Some(parts("t", &[0])), ..join() }, InvalidRequest);
    check(ConsumerHeartbeatRequest { subscribed_topics: None, ..join() }, InvalidRequest);
    check(beat("a", -2), InvalidRequest);
    check(beat("a", -3), InvalidRequest);
    check(ConsumerHeartbeatRequest { assignor: Some("sticky".into()), ..join() }, UnsupportedAssignor);
    check(
        ConsumerHeartbeatRequest { subscribed_pattern: Some("[".into()), ..join() },
        InvalidRegularExpression,
    );
    check(beat("a", 1), GroupIdNotFound);
    check(beat("a", -1), GroupIdNotFound);
    assert!(world.coordinator.describe_consumer_group(GROUP).is_err(), "none of them founds a group");
}

#[test]
fn version_0_is_given_a_member_id() {
    let mut world = world();
    let request = ConsumerHeartbeatRequest { requires_member_id: false, ..joining("", &["t"]) };
    assert_eq!(world.beat(request).member_id.as_deref(), Some("unique"));
}

#[test]
fn a_full_group_takes_nobody() {
    let mut world =
        World::with(CoordinatorConfig { consumer_maximum_size: 1, ..CoordinatorConfig::default() });
    world.set_topics(topics(&[("t", 4)]));
    world.told(joining("a", &["t"]));
    assert_eq!(world.refused(joining("b", &["t"])), GroupError::GroupMaxSizeReached);
    world.told(beat("a", 1));
}

#[test]
fn static_members_come_back_to_what_they_had() {
    let mut world = world();
    world.told(of("one", joining("a", &["t"])));
    assert_eq!(world.refused(of("one", joining("b", &["t"]))), GroupError::UnreleasedInstanceId);
    assert_eq!(world.refused(of("one", beat("b", 1))), GroupError::FencedInstanceId);
    assert_eq!(world.refused(of("two", beat("a", 1))), GroupError::UnknownMemberId);
    assert_eq!(world.told(of("one", beat("a", -2))), (-2, None));
    assert_eq!(world.described().state, "Reconciling");
    world.told(joining("c", &["u"]));
    assert_eq!(world.told(of("one", joining("b", &["t"]))), (2, Some(parts("t", &[0, 1, 2, 3]))));
    assert_eq!(world.refused(of("one", beat("a", 1))), GroupError::FencedInstanceId);
    let members: Vec<String> = world.described().members.into_iter().map(|member| member.member_id).collect();
    assert_eq!(members, ["b", "c"]);
}

#[test]
fn a_static_member_that_stays_away_is_removed() {
    let mut world = world();
    world.told(of("one", joining("a", &["t"])));
    world.told(of("one", beat("a", -2)));
    world.pass(45_000);
    assert_eq!(world.described().state, "Empty");
    assert_eq!(world.told(of("one", joining("b", &["t"]))), (3, Some(parts("t", &[0, 1, 2, 3]))));
}

#[test]
fn new_topics_and_partitions_raise_the_epoch() {
    let mut world = world();
    world.told(joining("a", &["t", "new"]));
    world.set_topics(topics(&[("t", 5), ("u", 2)]));
    assert_eq!(world.told(beat("a", 1)), (2, Some(parts("t", &[0, 1, 2, 3, 4]))));
    world.set_topics(topics(&[("t", 5), ("u", 9)]));
    assert_eq!(world.told(beat("a", 2)), (2, None), "it does not read `u`");
    world.set_topics(topics(&[("new", 1), ("t", 5)]));
    let mut expected = parts("t", &[0, 1, 2, 3, 4]);
    expected.extend(parts("new", &[0]));
    assert_eq!(world.told(beat("a", 2)), (3, Some(expected)));
    world.set_topics(topics(&[("new", 1)]));
    assert_eq!(world.told(beat("a", 3)), (3, Some(parts("new", &[0]))), "it has to give `t` up first");
    assert_eq!(world.told(holding("a", 3, parts("new", &[0]))), (4, None));
}

#[test]
fn patterns_follow_the_topics_there_are() {
    let mut world = world();
    let pattern = "[tx].*";
    let resolved = |names: &[&str]| {
        BTreeMap::from([(
            pattern.to_owned(),
            names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>(),
        )])
    };
    assert_eq!(world.coordinator.patterns_to_resolve(GROUP, Some(pattern), 0), [pattern]);
    let request = ConsumerHeartbeatRequest {
        subscribed_topics: None,
        subscribed_pattern: Some(pattern.into()),
        resolved_patterns: resolved(&["t"]),
        ..joining("a", &[])
    };
    assert_eq!(world.told(request), (1, Some(parts("t", &[0, 1, 2, 3]))));
    assert!(world.coordinator.patterns_to_resolve(GROUP, Some(pattern), 1).is_empty());
    world.set_topics(topics(&[("t", 4), ("x", 1)]));
    assert!(world.coordinator.patterns_to_resolve(GROUP, None, 9_999).is_empty(), "too soon");
    assert_eq!(world.coordinator.patterns_to_resolve(GROUP, None, 10_000), [pattern]);
    world.pass(10_000);
    let mut expected = parts("t", &[0, 1, 2, 3]);
    expected.extend(parts("x", &[0]));
    let request = ConsumerHeartbeatRequest { resolved_patterns: resolved(&["t", "x"]), ..beat("a", 1) };
    assert_eq!(world.told(request), (2, Some(expected)));
    assert!(world.coordinator.patterns_to_resolve(GROUP, None, 600_000).is_empty());
    assert_eq!(
        world.coordinator.patterns_to_resolve(GROUP, None, 610_000),
        [pattern],
        "rights change as well"
    );
    let request = ConsumerHeartbeatRequest {
        subscribed_topics: Some(BTreeSet::new()),
        subscribed_pattern: Some(String::new()),
        ..beat("a", 2)
    };
    assert_eq!(world.told(request), (2, Some(Partitions::new())));
    assert!(world.coordinator.patterns_to_resolve(GROUP, None, 9_000_000).is_empty());
}

#[test]
fn the_assignor_that_most_ask_for_is_used() {
    let mut world = world();
    let asking = |member: &str| ConsumerHeartbeatRequest {
        assignor: Some("range".into()),
        ..joining(member, &["t", "u"])
    };
    world.told(asking("a"));
    assert_eq!(world.described().assignor, "range");
    world.told(joining("b", &["t", "u"]));
    let target = &world.described().members[1].target;
    let shown: Vec<_> = target.iter().map(|topic| (&*topic.name, &*topic.partitions)).collect();
    assert_eq!(shown, [("t", [2, 3].as_slice()), ("u", [1].as_slice())]);
}

#[test]
fn offsets_belong_to_members_at_their_epoch() {
    let mut world = world();
    world.told(joining("a", &["t"]));
    assert_eq!(world.commit("a", 1, 5), None);
    assert_eq!(world.commit("a", 0, 5), Some(GroupError::StaleMemberEpoch));
    assert_eq!(world.commit("b", 1, 5), Some(GroupError::UnknownMemberId));
    assert_eq!(world.commit("", -1, 5), Some(GroupError::UnknownMemberId));
    let old = OffsetCommitRequest { understands_group_not_found: false, ..commit_request("a", 1, 5) };
    let token = world.send(Command::CommitOffsets(old));
    assert_eq!(world.committed(token), Some(GroupError::UnsupportedVersion));
    let coordinator = &world.coordinator;
    assert_eq!(coordinator.check_fetch(GROUP, None, -1), Ok(()));
    assert_eq!(coordinator.check_fetch(GROUP, Some("a"), 1), Ok(()));
    assert_eq!(coordinator.check_fetch(GROUP, Some("a"), 2), Err(GroupError::StaleMemberEpoch));
    assert_eq!(coordinator.check_fetch(GROUP, Some("b"), 1), Err(GroupError::UnknownMemberId));
    let transactional =
        |member: &str, epoch| coordinator.check_transactional_commit(&commit_request(member, epoch, 1));
    assert_eq!(transactional("", -1), Ok(()));
    assert_eq!(transactional("a", 1), Ok(()));
    assert_eq!(transactional("a", 2), Err(GroupError::IllegalGeneration));
    assert_eq!(transactional("b", 1), Err(GroupError::UnknownMemberId));
    world.told(beat("a", -1));
    assert_eq!(world.commit("", -1, 9), None);
    assert_eq!(world.offset(), Some(9));
}

#[test]
fn groups_are_listed_and_deleted_once_empty() {
    let mut world = world();
    world.told(joining("a", &["t"]));
    world.commit("a", 1, 5);
    let list = |world: &World, states: &[&str], types: &[&str]| {
        let groups = world.coordinator.list_groups(states, types);
        groups.into_iter().map(|group| (group.group_type.as_str(), group.state)).collect::<Vec<_>>()
    };
    assert_eq!(list(&world, &[], &[]), [("consumer", "Stable")]);
    assert_eq!(list(&world, &["stable"], &["Consumer"]), [("consumer", "Stable")]);
    assert!(list(&world, &[], &["classic"]).is_empty());
    assert!(list(&world, &["Empty"], &[]).is_empty());
    assert_eq!(world.coordinator.describe_group(GROUP).state, GroupState::Dead);
    let delete = |world: &mut World| {
        let token = world.send(Command::DeleteGroups(BTreeSet::from([GROUP.to_owned()])));
        match world.reply(token) {
            Response::DeleteGroups(response) => response.groups[GROUP],
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(delete(&mut world), Some(GroupError::NonEmptyGroup));
    world.told(beat("a", -1));
    assert_eq!(delete(&mut world), None);
    assert!(world.storage.is_empty(), "{:?}", world.storage.keys());
    assert_eq!(delete(&mut world), Some(GroupError::GroupIdNotFound));
}

#[test]
fn offsets_of_topics_in_use_are_kept() {
    let mut world = world();
    world.told(joining("a", &["t"]));
    world.commit("a", 1, 5);
    let delete = |world: &mut World| {
        let partitions = vec![("t".to_owned(), 0)];
        let token =
            world.send(Command::DeleteOffsets(OffsetDeleteRequest { group_id: GROUP.into(), partitions }));
        match world.reply(token) {
            Response::DeleteOffsets(response) => response.partitions[0].2,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(delete(&mut world), Some(GroupError::GroupSubscribedToTopic));
    world.told(beat("a", -1));
    assert_eq!(delete(&mut world), None);
    assert_eq!(world.offset(), None);
}

#[test]
fn an_empty_group_changes_its_protocol_and_keeps_its_offsets() {
    let mut world = world();
    assert_eq!(world.commit("", -1, 3), None);
    world.told(joining("a", &["t"]));
    assert_eq!(world.coordinator.list_groups::<&str>(&[], &[]).len(), 1);
    world.told(beat("a", -1));
    let b = world.join(new_member("b"));
    world.pass(3_000);
    assert_eq!(world.joined(b).generation_id, 1);
    assert_eq!(world.coordinator.list_groups::<&str>(&[], &[])[0].group_type, GroupType::Classic);
    assert!(world.storage.keys().all(|key| !key.contains("consumer")), "{:?}", world.storage.keys());
    assert_eq!(world.offset(), Some(3));
}

#[test]
fn nobody_is_told_what_is_not_durable() {
    let mut world = world();
    world.is_storage_slow = true;
    let a = world.send_beat(joining("a", &["t"]));
    let b = world.send_beat(joining("b", &["t"]));
    assert!(world.is_parked(a) && world.is_parked(b));
    let (id, changes) = world.unanswered.remove(0);
    world.answer_write(id, changes, false);
    assert_eq!(world.beaten(a).refusal.unwrap().error, GroupError::CoordinatorNotAvailable);
    assert!(world.is_parked(b), "what failed goes with the next write");
    world.answer_writes(true);
    assert_eq!(world.beaten(b).member_epoch, 2);
    let expected = world.described();
    world.restart();
    world.set_topics(topics(&[("t", 4), ("u", 2)]));
    assert_eq!(world.described(), expected);
}

#[test]
fn what_failed_to_be_written_is_written_before_the_next_answer() {
    let mut world = world();
    world.is_storage_slow = true;
    let a = world.send_beat(joining("a", &["t"]));
    world.answer_writes(false);
    assert_eq!(world.beaten(a).refusal.unwrap().error, GroupError::CoordinatorNotAvailable);
    let a = world.send_beat(joining("a", &["t"]));
    assert!(world.is_parked(a));
    world.answer_writes(true);
    assert_eq!(world.beaten(a).member_epoch, 1);
    assert_eq!(world.storage.len(), 2);
}

#[test]
fn a_new_coordinator_goes_on_with_the_same_epochs() {
    let mut world = world();
    world.told(joining("a", &["t"]));
    world.told(joining("b", &["t"]));
    world.told(holding("a", 1, parts("t", &[0, 1, 2, 3])));
    let before = world.described();
    world.restart();
    let token = world.send_beat(beat("a", 1));
    assert_eq!(
        world.beaten(token).refusal.unwrap().error,
        GroupError::CoordinatorNotAvailable,
        "no topics known"
    );
    world.set_topics(topics(&[("t", 4), ("u", 2)]));
    assert_eq!(world.described(), before);
    assert_eq!(world.told(beat("b", 2)), (2, None));
    assert_eq!(world.told(holding("a", 1, parts("t", &[0, 1]))), (2, None));
    assert_eq!(world.told(beat("b", 2)), (2, Some(parts("t", &[2, 3]))));
    world.restart();
    world.set_topics(topics(&[("t", 4), ("u", 2)]));
    world.pass(44_999);
    assert_eq!(world.described().members.len(), 2, "members get a full session timeout");
    world.pass(1);
    assert_eq!(world.described().members.len(), 0);
}
