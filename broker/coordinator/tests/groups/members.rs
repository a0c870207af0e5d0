//! Members that come, go, fall silent and return.

use cadastre_coordinator::*;

use super::world::*;

#[test]
fn the_first_members_wait_for_the_initial_delay_and_share_a_generation() {
    let mut world = World::new();
    let (a, b) = (world.join(new_member("a")), world.join(new_member("b")));
    assert_eq!(world.state(), GroupState::PreparingRebalance);
    world.pass(5_999);
    assert!(world.is_parked(a) && world.is_parked(b));
    world.pass(1);
    let (a, b) = (world.joined(a), world.joined(b));
    assert_eq!((a.error, a.generation_id, a.leader.as_str()), (None, 1, "a-id"));
    assert_eq!((a.member_id.as_str(), a.members.len()), ("a-id", 2));
    assert_eq!((b.leader.as_str(), b.member_id.as_str(), b.members.len()), ("a-id", "b-id", 0));
    assert_eq!((b.protocol_name.as_deref(), b.protocol_type.as_deref()), (Some("range"), Some("consumer")));
    assert_eq!(world.state(), GroupState::CompletingRebalance);
}

#[test]
fn a_lone_first_member_waits_for_the_initial_delay_once() {
    let mut world = World::new();
    let a = world.join(new_member("a"));
    world.pass(2_999);
    assert!(world.is_parked(a));
    world.pass(1);
    assert_eq!(world.joined(a).generation_id, 1);
}

#[test]
fn members_that_keep_coming_extend_the_first_rebalance_up_to_its_timeout() {
    let mut world = World::new();
    let first = world.join(JoinRequest { rebalance_timeout_ms: 9_000, ..new_member("a") });
    for number in 0..20 {
        world.pass(1_000);
        world.join(JoinRequest { rebalance_timeout_ms: 9_000, ..new_member(&format!("b{number}")) });
        if !world.is_parked(first) {
            break;
        }
    }
    assert_eq!(world.now_ms, 9_000);
}

#[test]
fn the_leaders_assignments_reach_everyone_once_durable() {
    let mut world = World::new();
    let (a, b) = (world.join(new_member("a")), world.join(new_member("b")));
    world.pass(6_000);
    let generation = world.joined(a).generation_id;
    world.joined(b);
    world.is_storage_slow = true;
    let b = world.sync("b-id", generation, &[]);
    let a = world.sync("a-id", generation, &[("a-id", "left"), ("b-id", "right"), ("ghost", "none")]);
    assert!(world.is_parked(a) && world.is_parked(b));
    world.answer_writes(true);
    assert_eq!(world.synced(a).assignment, "left");
    assert_eq!(world.synced(b).assignment, "right");
    assert_eq!(world.state(), GroupState::Stable);
    let repeated = world.sync("b-id", generation, &[]);
    assert_eq!(world.synced(repeated).assignment, "right");
}

#[test]
fn assignments_that_cannot_be_written_start_another_rebalance() {
    let mut world = World::new();
    let a = world.join(new_member("a"));
    world.pass(3_000);
    let generation = world.joined(a).generation_id;
    world.is_storage_slow = true;
    let sync = world.sync("a-id", generation, &[("a-id", "x")]);
    world.answer_writes(false);
    assert_eq!(world.synced(sync).error, Some(GroupError::CoordinatorNotAvailable));
    assert_eq!(world.state(), GroupState::PreparingRebalance);
}

#[test]
fn a_new_dynamic_member_must_come_back_with_its_id() {
    let mut world = World::new();
    let modern = || JoinRequest { requires_known_member_id: true, ..new_member("a") };
    let first = world.join(modern());
    let first = world.joined(first);
    assert_eq!((first.error, first.member_id.as_str()), (Some(GroupError::MemberIdRequired), "a-id"));
    let second = world.join(JoinRequest { member_id: first.member_id, ..modern() });
    world.pass(3_000);
    assert_eq!(world.joined(second).error, None);
}

#[test]
fn an_id_that_is_never_used_holds_nobody_up_for_longer_than_its_session() {
    let mut world = World::new();
    let generation = world.stable(&["a"]);
    let pending =
        world.join(JoinRequest { requires_known_member_id: true, unique: "2".into(), ..new_member("b") });
    assert_eq!(world.joined(pending).error, Some(GroupError::MemberIdRequired));
    let a = world.join(again("a-id"));
    assert!(world.is_parked(a), "the group waits for the pending member");
    world.pass(i64::from(SESSION_MS));
    assert_eq!(world.joined(a).generation_id, generation + 1);
}

#[test]
fn a_group_that_only_handed_out_an_id_disappears() {
    let mut world = World::new();
    world.join(JoinRequest { requires_known_member_id: true, ..new_member("a") });
    assert_eq!(world.state(), GroupState::Empty);
    world.pass(i64::from(SESSION_MS));
    assert_eq!(world.state(), GroupState::Dead);
}

#[track_caller]
fn check_join_refused(request: JoinRequest, expected: GroupError) {
    let mut world = World::new();
    let token = world.join(request);
    let response = world.joined(token);
    assert_eq!((response.error, response.generation_id), (Some(expected), -1));
    assert_eq!(world.state(), GroupState::Dead, "a refused member founds no group");
}

#[test]
fn joins_that_make_no_sense_are_refused() {
    check_join_refused(
        JoinRequest { group_id: String::new(), ..new_member("a") },
        GroupError::InvalidGroupId,
    );
    check_join_refused(
        JoinRequest { session_timeout_ms: 5_999, ..new_member("a") },
        GroupError::InvalidSessionTimeout,
    );
    check_join_refused(
        JoinRequest { session_timeout_ms: 1_800_001, ..new_member("a") },
        GroupError::InvalidSessionTimeout,
    );
    check_join_refused(again("nobody"), GroupError::UnknownMemberId);
    check_join_refused(
        JoinRequest { protocols: Vec::new(), ..new_member("a") },
        GroupError::InconsistentGroupProtocol,
    );
    check_join_refused(
        JoinRequest { protocol_type: String::new(), ..new_member("a") },
        GroupError::InconsistentGroupProtocol,
    );
}

#[test]
fn the_group_uses_the_protocol_that_all_support_and_most_prefer() {
    let mut world = World::new();
    let a = world.join(JoinRequest { protocols: protocols(&["sticky", "range"]), ..new_member("a") });
    world.join(JoinRequest { protocols: protocols(&["range", "sticky"]), ..new_member("b") });
    world.join(JoinRequest { protocols: protocols(&["other", "range", "sticky"]), ..new_member("c") });
    let stranger = world.join(JoinRequest { protocols: protocols(&["other"]), ..new_member("d") });
    assert_eq!(world.joined(stranger).error, Some(GroupError::InconsistentGroupProtocol));
    let worker = world.join(JoinRequest { protocol_type: "connect".into(), ..new_member("e") });
    assert_eq!(world.joined(worker).error, Some(GroupError::InconsistentGroupProtocol));
    world.pass(6_000);
    assert_eq!(world.joined(a).protocol_name.as_deref(), Some("range"));
}

#[test]
fn a_member_that_joins_a_stable_group_makes_the_others_rejoin() {
    let mut world = World::new();
    let generation = world.stable(&["a"]);
    let b = world.join(new_member("b"));
    assert_eq!(world.heartbeat("a-id", generation), Some(GroupError::RebalanceInProgress));
    assert!(world.is_parked(b));
    let a = world.join(again("a-id"));
    assert_eq!(
        (world.joined(a).generation_id, world.joined(b).generation_id),
        (generation + 1, generation + 1)
    );
    assert_eq!(world.heartbeat("a-id", generation), Some(GroupError::IllegalGeneration));
    assert_eq!(world.heartbeat("a-id", generation + 1), None);
}

#[test]
fn those_who_do_not_rejoin_in_time_are_removed() {
    let mut world = World::new();
    let generation = world.stable(&["a", "b"]);
    let c = world.join(new_member("c"));
    let a = world.join(again("a-id"));
    for _ in 0..6 {
        assert!(world.is_parked(a) && world.is_parked(c));
        assert_eq!(world.heartbeat("b-id", generation), Some(GroupError::RebalanceInProgress));
        world.pass(9_999);
    }
    world.pass(6);
    assert_eq!(world.joined(a).members.len(), 2);
    assert_eq!(world.joined(c).error, None);
    assert_eq!(world.heartbeat("b-id", generation), Some(GroupError::UnknownMemberId));
}

#[test]
fn a_follower_that_joins_again_unchanged_stays_in_its_generation() {
    let mut world = World::new();
    let generation = world.stable(&["a", "b"]);
    let b = world.join(JoinRequest { client_id: "b".into(), ..again("b-id") });
    assert_eq!(world.joined(b).generation_id, generation);
    assert_eq!(world.state(), GroupState::Stable);
    let b = world.join(JoinRequest { protocols: protocols(&["range", "new"]), ..again("b-id") });
    assert!(world.is_parked(b));
    assert_eq!(world.state(), GroupState::PreparingRebalance);
}

#[test]
fn a_leader_that_joins_again_forces_a_rebalance() {
    let mut world = World::new();
    let generation = world.stable(&["a"]);
    let a = world.join(again("a-id"));
    assert_eq!(world.joined(a).generation_id, generation + 1);
}

#[test]
fn a_repeated_join_while_assignments_are_awaited_is_answered_at_once() {
    let mut world = World::new();
    let a = world.join(new_member("a"));
    world.pass(3_000);
    let first = world.joined(a);
    let repeated = world.join(again("a-id"));
    assert_eq!(world.joined(repeated), first);
}

#[test]
fn a_request_repeated_while_parked_supersedes_the_first() {
    let mut world = World::new();
    world.stable(&["a", "b"]);
    let first = world.join(again("a-id"));
    let second = world.join(again("a-id"));
    assert_eq!(world.joined(first).error, Some(GroupError::RebalanceInProgress));
    let b = world.join(again("b-id"));
    assert_eq!((world.joined(second).error, world.joined(b).error), (None, None));
}

#[test]
fn a_silent_member_is_removed_after_its_session() {
    let mut world = World::new();
    let generation = world.stable(&["a", "b"]);
    for _ in 0..3 {
        world.pass(i64::from(SESSION_MS) - 1);
        world.heartbeat("a-id", generation);
    }
    assert_eq!(world.heartbeat("a-id", generation), Some(GroupError::RebalanceInProgress));
    let a = world.join(again("a-id"));
    assert_eq!(world.joined(a).members.len(), 1);
    assert_eq!(world.heartbeat("b-id", generation), Some(GroupError::UnknownMemberId));
}

#[test]
fn a_group_whose_members_all_fall_silent_is_empty() {
    let mut world = World::new();
    world.stable(&["a", "b"]);
    // The first silence starts a rebalance, in which nobody is left to wait for.
    world.pass(i64::from(SESSION_MS) + i64::from(REBALANCE_MS));
    assert_eq!(world.state(), GroupState::Empty);
    assert_eq!(world.coordinator.describe_group(GROUP).protocol_type, "consumer");
}

#[test]
fn members_that_never_sync_are_removed_after_the_rebalance_timeout() {
    let mut world = World::new();
    let (a, b) = (world.join(new_member("a")), world.join(new_member("b")));
    world.pass(6_000);
    let generation = world.joined(a).generation_id;
    world.joined(b);
    world.sync("a-id", generation, &[("a-id", "x")]);
    for _ in 0..6 {
        world.pass(9_999);
        world.heartbeat("a-id", generation);
        world.heartbeat("b-id", generation);
    }
    world.pass(6);
    assert_eq!(world.heartbeat("b-id", generation), Some(GroupError::UnknownMemberId));
    assert_eq!(world.heartbeat("a-id", generation), Some(GroupError::RebalanceInProgress));
}

#[track_caller]
fn check_sync_refused(change: impl Fn(&mut SyncRequest), expected: GroupError) {
    let mut world = World::new();
    let generation = world.stable(&["a"]);
    let mut request = sync_request("a-id", generation, &[]);
    change(&mut request);
    let token = world.send(Command::Sync(request));
    assert_eq!(world.synced(token).error, Some(expected));
}

#[test]
fn syncs_that_make_no_sense_are_refused() {
    check_sync_refused(|request| request.group_id = String::new(), GroupError::InvalidGroupId);
    check_sync_refused(|request| request.group_id = "other".into(), GroupError::UnknownMemberId);
    check_sync_refused(|request| request.member_id = "b-id".into(), GroupError::UnknownMemberId);
    check_sync_refused(|request| request.generation_id += 1, GroupError::IllegalGeneration);
    check_sync_refused(
        |request| request.protocol_name = Some("other".into()),
        GroupError::InconsistentGroupProtocol,
    );
    check_sync_refused(
        |request| request.protocol_type = Some("other".into()),
        GroupError::InconsistentGroupProtocol,
    );
}

#[test]
fn a_sync_during_a_rebalance_sends_the_member_back_to_join() {
    let mut world = World::new();
    let generation = world.stable(&["a", "b"]);
    world.join(new_member("c"));
    let sync = world.sync("b-id", generation, &[]);
    assert_eq!(world.synced(sync).error, Some(GroupError::RebalanceInProgress));
}

#[test]
fn a_parked_sync_is_answered_when_another_rebalance_begins() {
    let mut world = World::new();
    let (a, b) = (world.join(new_member("a")), world.join(new_member("b")));
    world.pass(6_000);
    let generation = world.joined(a).generation_id;
    world.joined(b);
    let sync = world.sync("b-id", generation, &[]);
    world.join(new_member("c"));
    assert_eq!(world.synced(sync).error, Some(GroupError::RebalanceInProgress));
}

#[test]
fn leaving_starts_a_rebalance_and_the_last_one_empties_the_group() {
    let mut world = World::new();
    let generation = world.stable(&["a", "b"]);
    let left = world.leave(&[("a-id", None), ("ghost", None)]);
    let errors: Vec<_> = left.iter().map(|member| member.error).collect();
    assert_eq!(errors, [None, Some(GroupError::UnknownMemberId)]);
    assert_eq!(world.heartbeat("b-id", generation), Some(GroupError::RebalanceInProgress));
    world.leave(&[("b-id", None)]);
    assert_eq!(world.state(), GroupState::Empty);
}

#[test]
fn a_member_removed_while_it_waits_is_told() {
    let mut world = World::new();
    world.stable(&["a", "b"]);
    let parked = world.join(again("a-id"));
    world.leave(&[("a-id", None)]);
    assert_eq!(world.joined(parked).error, Some(GroupError::UnknownMemberId));
}

#[test]
fn leaving_an_unknown_group_is_an_error_of_the_whole() {
    let mut world = World::new();
    let token = world.send(Command::Leave(LeaveRequest { group_id: "other".into(), members: Vec::new() }));
    match world.reply(token) {
        Response::Leave(response) => assert_eq!(response.error, Some(GroupError::UnknownMemberId)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_full_group_takes_nobody_new() {
    let mut world = World::with(CoordinatorConfig { maximum_size: 2, ..CoordinatorConfig::default() });
    let generation = world.stable(&["a", "b"]);
    let c = world.join(new_member("c"));
    assert_eq!(world.joined(c).error, Some(GroupError::GroupMaxSizeReached));
    assert_eq!(world.heartbeat("a-id", generation), None, "nobody else was disturbed");
    let a = world.join(again("a-id"));
    assert!(world.is_parked(a), "members may rejoin");
}

/// A stable group of one static member, whose id is `one-1`.
#[track_caller]
fn static_group() -> (World, i32) {
    let mut world = World::new();
    let token = world.join(static_member("one", "1"));
    world.pass(3_000);
    let generation = world.joined(token).generation_id;
    let sync = world.sync("one-1", generation, &[("one-1", "x")]);
    assert_eq!(world.synced(sync).assignment, "x");
    (world, generation)
}

#[test]
fn a_static_member_returns_without_a_rebalance_and_fences_its_former_self() {
    let (mut world, generation) = static_group();
    let back = world.join(static_member("one", "2"));
    let back = world.joined(back);
    assert_eq!((back.error, back.generation_id, back.member_id.as_str()), (None, generation, "one-2"));
    assert_eq!((back.leader.as_str(), back.skip_assignment, back.members.len()), ("one-2", true, 1));
    assert_eq!(world.state(), GroupState::Stable);
    let sync = world.sync("one-2", generation, &[]);
    assert_eq!(world.synced(sync).assignment, "x");
    assert_eq!(world.heartbeat("one-1", generation), Some(GroupError::UnknownMemberId));
    let fenced = world.send(Command::Heartbeat(HeartbeatRequest {
        group_id: GROUP.into(),
        generation_id: generation,
        member_id: "one-1".into(),
        group_instance_id: Some("one".into()),
    }));
    assert_eq!(world.reply(fenced), Response::Heartbeat(Some(GroupError::FencedInstanceId)));
}

#[test]
fn an_old_client_that_returns_is_not_told_that_it_leads() {
    let (mut world, _) = static_group();
    let back = world.join(JoinRequest { supports_skipping_assignment: false, ..static_member("one", "2") });
    let back = world.joined(back);
    assert_eq!((back.leader.as_str(), back.skip_assignment, back.members.len()), ("one-1", false, 0));
}

#[test]
fn a_return_that_cannot_be_written_leaves_the_former_member_in_place() {
    let (mut world, generation) = static_group();
    world.is_storage_slow = true;
    let back = world.join(static_member("one", "2"));
    assert!(world.is_parked(back));
    world.answer_writes(false);
    assert_eq!(world.joined(back).error, Some(GroupError::CoordinatorNotAvailable));
    assert_eq!(world.heartbeat("one-1", generation), None);
    assert_eq!(world.heartbeat("one-2", generation), Some(GroupError::UnknownMemberId));
}

#[test]
fn a_member_whose_return_was_written_late_still_times_out() {
    let (mut world, generation) = static_group();
    world.is_storage_slow = true;
    let back = world.join(static_member("one", "2"));
    world.pass(60_000);
    assert!(world.is_parked(back), "nobody times out while waiting for an answer");
    world.is_storage_slow = false;
    world.answer_writes(true);
    assert_eq!(world.joined(back).generation_id, generation);
    world.pass(1_000_000);
    assert_eq!(world.state(), GroupState::Dead, "an empty group without offsets is gone");
}

#[test]
fn a_static_member_with_other_protocols_rebalances() {
    let (mut world, generation) = static_group();
    let back = world.join(JoinRequest { protocols: protocols(&["sticky"]), ..static_member("one", "2") });
    let back = world.joined(back);
    assert_eq!(
        back.error,
        Some(GroupError::InconsistentGroupProtocol),
        "its former self supports only range"
    );
    let back =
        world.join(JoinRequest { protocols: protocols(&["sticky", "range"]), ..static_member("one", "2") });
    let back = world.joined(back);
    assert_eq!((back.generation_id, back.protocol_name.as_deref()), (generation + 1, Some("sticky")));
}

#[test]
fn two_members_under_one_name_fence_each_other_while_joining() {
    let mut world = World::new();
    let first = world.join(static_member("one", "1"));
    let second = world.join(static_member("one", "2"));
    assert_eq!(world.joined(first).error, Some(GroupError::FencedInstanceId));
    world.pass(6_000);
    assert_eq!(world.joined(second).error, None);
}

#[test]
fn a_static_member_keeps_its_place_through_a_rebalance_it_misses() {
    let (mut world, generation) = static_group();
    let b = world.join(new_member("b"));
    for _ in 0..6 {
        world.heartbeat("one-1", generation);
        world.pass(9_999);
    }
    world.heartbeat("one-1", generation);
    world.pass(6);
    let response = world.joined(b);
    assert_eq!((response.leader.as_str(), response.members.len()), ("b-id", 2));
}

#[test]
fn an_administrator_removes_a_static_member_by_name() {
    let (mut world, _) = static_group();
    let left = world.leave(&[("", Some("one")), ("", Some("two")), ("", None)]);
    let errors: Vec<_> = left.iter().map(|member| member.error).collect();
    assert_eq!(errors, [None, Some(GroupError::UnknownMemberId), Some(GroupError::UnknownMemberId)]);
    assert_eq!(world.state(), GroupState::Empty);
}

#[test]
fn members_with_no_patience_do_not_make_the_clock_spin() {
    let mut world = World::new();
    let token = world.join(JoinRequest { rebalance_timeout_ms: 0, ..static_member("one", "1") });
    world.pass(3_000);
    let generation = world.joined(token).generation_id;
    world.sync("one-1", generation, &[("one-1", "x")]);
    let two = world.join(JoinRequest { rebalance_timeout_ms: -5, ..static_member("two", "1") });
    world.leave(&[("two-1", Some("two"))]);
    assert_eq!(world.joined(two).error, Some(GroupError::UnknownMemberId));
    for _ in 0..100 {
        let Some(due_ms) = world.coordinator.next_timeout_ms() else { break };
        world.pass((due_ms - world.now_ms).max(0));
    }
    assert!(world.now_ms > i64::from(SESSION_MS));
}
