//! Offsets, administration, and what a restart keeps.

use std::collections::BTreeSet;

use bytes::Bytes;
use cadastre_coordinator::*;

use super::world::*;

#[test]
fn offsets_are_visible_and_acknowledged_once_durable() {
    let mut world = World::new();
    let generation = world.stable(&["a"]);
    world.is_storage_slow = true;
    let token = world.send(Command::CommitOffsets(commit_request("a-id", generation, 7)));
    assert!(world.is_parked(token));
    assert_eq!(world.offset(), None);
    world.answer_writes(true);
    assert_eq!(world.committed(token), None);
    assert_eq!(world.offset(), Some(7));
    let token = world.send(Command::CommitOffsets(commit_request("a-id", generation, 9)));
    world.answer_writes(false);
    assert_eq!(world.committed(token), Some(GroupError::CoordinatorNotAvailable));
    assert_eq!(world.offset(), Some(7));
}

#[test]
fn of_two_commits_the_later_one_stays_however_storage_answers() {
    let mut world = World::new();
    world.is_storage_slow = true;
    let first = world.send(Command::CommitOffsets(commit_request("", -1, 1)));
    let second = world.send(Command::CommitOffsets(commit_request("", -1, 2)));
    let (id, changes) = world.unanswered.remove(1);
    world.answer_write(id, changes, true);
    assert!(world.is_parked(second), "it takes effect in its turn");
    world.answer_writes(true);
    assert_eq!((world.committed(first), world.committed(second)), (None, None));
    assert_eq!(world.offset(), Some(2));
}

#[test]
fn commits_are_checked_against_the_generation() {
    let mut world = World::new();
    assert_eq!(world.commit("a-id", 1, 0), Some(GroupError::GroupIdNotFound));
    let old = OffsetCommitRequest { understands_group_not_found: false, ..commit_request("a-id", 1, 0) };
    let old = world.send(Command::CommitOffsets(old));
    assert_eq!(world.committed(old), Some(GroupError::IllegalGeneration));
    let generation = world.stable(&["a"]);
    assert_eq!(world.commit("a-id", generation, 1), None);
    assert_eq!(world.commit("a-id", generation - 1, 1), Some(GroupError::IllegalGeneration));
    assert_eq!(world.commit("b-id", generation, 1), Some(GroupError::UnknownMemberId));
    assert_eq!(world.commit("", -1, 1), Some(GroupError::UnknownMemberId), "members are in charge");
    let fenced =
        OffsetCommitRequest { group_instance_id: Some("x".into()), ..commit_request("a-id", generation, 1) };
    let fenced = world.send(Command::CommitOffsets(fenced));
    assert_eq!(world.committed(fenced), Some(GroupError::UnknownMemberId));
    let b = world.join(new_member("b"));
    assert_eq!(world.commit("a-id", generation, 2), None, "while others join, commits still count");
    let a = world.join(again("a-id"));
    let (a, _) = (world.joined(a), world.joined(b));
    assert_eq!(world.commit("a-id", a.generation_id, 3), Some(GroupError::RebalanceInProgress));
}

#[test]
fn a_client_without_a_group_commits_into_a_simple_group() {
    let mut world = World::new();
    assert_eq!(world.commit("", -1, 5), None);
    let listed = world.coordinator.list_groups::<&str>(&[], &[]);
    assert_eq!((listed.len(), listed.first().unwrap().protocol_type.as_str()), (1, ""));
    assert_eq!(world.state(), GroupState::Empty);
}

#[test]
fn metadata_that_is_too_long_refuses_its_partition_only() {
    let mut world = World::new();
    let mut request = commit_request("", -1, 5);
    request.offsets.push(OffsetCommit {
        topic: "u".into(),
        partition: 3,
        offset: 1,
        leader_epoch: Some(4),
        metadata: "x".repeat(4_097),
    });
    let token = world.send(Command::CommitOffsets(request));
    match world.reply(token) {
        Response::CommitOffsets(response) => assert_eq!(
            response.partitions,
            [("t".into(), 0, None), ("u".into(), 3, Some(GroupError::OffsetMetadataTooLarge))]
        ),
        other => panic!("{other:?}"),
    }
    assert_eq!(world.coordinator.committed_offsets(GROUP).count(), 1);
}

#[test]
fn a_commit_keeps_the_session_alive() {
    let mut world = World::new();
    let generation = world.stable(&["a"]);
    for offset in 0..5 {
        world.pass(i64::from(SESSION_MS) - 1);
        assert_eq!(world.commit("a-id", generation, offset), None);
    }
    assert_eq!(world.heartbeat("a-id", generation), None);
}

#[test]
fn groups_are_listed_by_state_and_type() {
    let mut world = World::new();
    world.stable(&["a"]);
    let mut other = commit_request("", -1, 5);
    other.group_id = "other".into();
    world.send(Command::CommitOffsets(other));
    let list = |states: &[&str], types: &[&str]| -> Vec<String> {
        world.coordinator.list_groups(states, types).into_iter().map(|group| group.group_id).collect()
    };
    assert_eq!(list(&[], &[]), ["g", "other"]);
    assert_eq!(list(&["stable"], &[]), ["g"]);
    assert_eq!(list(&["Empty", "PreparingRebalance"], &["Classic"]), ["other"]);
    assert!(list(&[], &["consumer"]).is_empty());
    assert!(list(&["nonsense"], &[]).is_empty());
}

#[test]
fn a_stable_group_is_described_with_metadata_and_assignments() {
    let mut world = World::new();
    world.stable(&["a", "b"]);
    let group = world.coordinator.describe_group(GROUP);
    assert_eq!((group.protocol_type.as_str(), group.protocol_name.as_str()), ("consumer", "range"));
    let b = group.members.last().unwrap();
    assert_eq!((b.client_id.as_str(), b.client_host.as_str()), ("b", "/192.0.2.1"));
    assert_eq!((&b.metadata, &b.assignment), (&subscription(&["t"]), &Bytes::from("b-id")));
    world.join(new_member("c"));
    let group = world.coordinator.describe_group(GROUP);
    assert!(group.protocol_name.is_empty() && group.members.iter().all(|member| member.metadata.is_empty()));
}

fn delete_group(world: &mut World) -> Option<GroupError> {
    let token = world.send(Command::DeleteGroups(BTreeSet::from([GROUP.to_owned()])));
    match world.reply(token) {
        Response::DeleteGroups(response) => *response.groups.get(GROUP).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn only_empty_groups_are_deleted_and_their_offsets_with_them() {
    let mut world = World::new();
    assert_eq!(delete_group(&mut world), Some(GroupError::GroupIdNotFound));
    let generation = world.stable(&["a"]);
    world.commit("a-id", generation, 5);
    assert_eq!(delete_group(&mut world), Some(GroupError::NonEmptyGroup));
    world.leave(&[("a-id", None)]);
    assert_eq!(delete_group(&mut world), None);
    assert_eq!((world.state(), world.offset()), (GroupState::Dead, None));
    assert!(world.storage.is_empty());
}

#[test]
fn a_commit_still_on_its_way_does_not_outlive_the_deletion_of_its_group() {
    let mut world = World::new();
    world.commit("", -1, 1);
    world.is_storage_slow = true;
    let mut other_partition = commit_request("", -1, 2);
    other_partition.offsets.iter_mut().for_each(|commit| commit.partition = 1);
    world.send(Command::CommitOffsets(other_partition));
    world.send(Command::DeleteGroups(BTreeSet::from([GROUP.to_owned()])));
    world.answer_writes(true);
    assert!(world.storage.is_empty());
    assert_eq!(world.coordinator.committed_offsets(GROUP).count(), 0);
}

#[track_caller]
fn check_offset_deletion(world: &mut World, topic: &str, expected: Result<Option<GroupError>, GroupError>) {
    let request = OffsetDeleteRequest { group_id: GROUP.into(), partitions: vec![(topic.to_owned(), 0)] };
    let token = world.send(Command::DeleteOffsets(request));
    match world.reply(token) {
        Response::DeleteOffsets(response) => {
            let actual = response.error.map_or_else(|| Ok(response.partitions.first().unwrap().2), Err);
            assert_eq!(actual, expected);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn offsets_in_use_are_not_deleted() {
    let mut world = World::new();
    check_offset_deletion(&mut world, "t", Err(GroupError::GroupIdNotFound));
    let generation = world.stable(&["a"]);
    world.commit("a-id", generation, 5);
    check_offset_deletion(&mut world, "t", Ok(Some(GroupError::GroupSubscribedToTopic)));
    check_offset_deletion(&mut world, "u", Ok(None));
    world.leave(&[("a-id", None)]);
    check_offset_deletion(&mut world, "t", Ok(None));
    assert_eq!(world.offset(), None);
}

#[test]
fn offsets_of_a_live_group_of_another_kind_are_not_deleted() {
    let mut world = World::new();
    world.join(JoinRequest { protocol_type: "connect".into(), ..new_member("a") });
    check_offset_deletion(&mut world, "t", Err(GroupError::NonEmptyGroup));
}

#[test]
fn offsets_of_a_deleted_topic_are_forgotten() {
    let mut world = World::new();
    world.commit("", -1, 5);
    let effects = world.coordinator.topic_deleted("t");
    world.carry_out(effects);
    assert_eq!(world.offset(), None);
    assert!(world.storage.is_empty());
}

const WEEK_MS: i64 = 7 * 24 * 3_600_000;

#[test]
fn offsets_expire_a_week_after_the_group_was_last_alive() {
    let mut world = World::new();
    let generation = world.stable(&["a"]);
    world.commit("a-id", generation, 5);
    world.leave(&[("a-id", None)]);
    world.pass(WEEK_MS - 1_000);
    assert_eq!(world.offset(), Some(5));
    world.pass(700_000);
    assert_eq!((world.offset(), world.state()), (None, GroupState::Dead));
    assert!(world.storage.is_empty());
}

#[test]
fn offsets_of_a_simple_group_expire_a_week_after_the_commit() {
    let mut world = World::new();
    world.commit("", -1, 5);
    world.pass(WEEK_MS - 1_000);
    world.commit("", -1, 6);
    world.pass(700_000);
    assert_eq!(world.offset(), Some(6));
}

#[test]
fn a_restart_keeps_members_assignments_and_offsets() {
    let mut world = World::new();
    let generation = world.stable(&["a", "b"]);
    world.commit("a-id", generation, 5);
    world.restart();
    assert_eq!((world.state(), world.offset()), (GroupState::Stable, Some(5)));
    assert_eq!(world.heartbeat("a-id", generation), None);
    let sync = world.sync("b-id", generation, &[]);
    assert_eq!(world.synced(sync).assignment, "b-id");
    check_offset_deletion(&mut world, "t", Ok(Some(GroupError::GroupSubscribedToTopic)));
    world.pass(i64::from(SESSION_MS) + i64::from(REBALANCE_MS));
    assert_eq!(world.state(), GroupState::Empty, "members that the restart lost expire");
}

#[test]
fn a_restart_never_reuses_a_generation() {
    let mut world = World::new();
    let generation = world.stable(&["a"]);
    world.leave(&[("a-id", None)]);
    world.restart();
    assert_eq!(world.state(), GroupState::Empty);
    let a = world.join(new_member("a"));
    world.pass(3_000);
    assert!(world.joined(a).generation_id > generation);
}
