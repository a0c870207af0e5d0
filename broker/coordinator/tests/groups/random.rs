//! Whatever clients and storage do, every request is answered exactly once and no timer is left behind.

use std::collections::BTreeSet;

use cadastre_coordinator::{
    Command, GroupState, HeartbeatRequest, JoinRequest, LeaveRequest, LeavingMember, OffsetDeleteRequest,
    ReplyToken,
};
use proptest::prelude::*;
use proptest::sample::select;

use super::world::{GROUP, World, commit_request, new_member, protocols, static_member, sync_request};

#[derive(Debug, Clone)]
enum Action {
    Send(Command),
    Pass(i64),
    SlowStorage(bool),
    AnswerWrites(bool),
}

fn member_id() -> impl Strategy<Value = String> {
    select(vec!["a-id", "b-id", "c-id", "one-1", "one-2", ""]).prop_map(str::to_owned)
}

/// How far off the current generation; mostly not at all.
fn generation() -> impl Strategy<Value = i32> {
    prop_oneof![6 => Just(0), 1 => Just(1)]
}

fn join() -> impl Strategy<Value = Command> {
    let request = prop_oneof![
        select(vec!["a", "b", "c"]).prop_map(new_member),
        select(vec!["1", "2"]).prop_map(|unique| static_member("one", unique)),
        member_id().prop_map(|member_id| JoinRequest { member_id, ..new_member("a") }),
    ];
    let protocols_on_offer = select(vec![vec!["range"], vec!["range", "sticky"], vec!["sticky"]]);
    (request, protocols_on_offer, any::<bool>(), select(vec![0, 5_000, 60_000])).prop_map(
        |(request, names, requires_known_member_id, rebalance_timeout_ms)| {
            Command::Join(JoinRequest {
                protocols: protocols(&names),
                requires_known_member_id,
                rebalance_timeout_ms,
                ..request
            })
        },
    )
}

fn command() -> impl Strategy<Value = Command> {
    let heartbeat = (member_id(), generation()).prop_map(|(member_id, generation_id)| {
        let group_instance_id = member_id.starts_with("one").then(|| "one".to_owned());
        Command::Heartbeat(HeartbeatRequest {
            group_id: GROUP.into(),
            generation_id,
            member_id,
            group_instance_id,
        })
    });
    let leave = member_id().prop_map(|member_id| {
        let group_instance_id = member_id.is_empty().then(|| "one".to_owned());
        let members = vec![LeavingMember { member_id, group_instance_id }];
        Command::Leave(LeaveRequest { group_id: GROUP.into(), members })
    });
    prop_oneof![
        4 => join(),
        4 => (member_id(), generation()).prop_map(|(member_id, generation)| {
            Command::Sync(sync_request(&member_id, generation, &[("a-id", "x"), ("one-1", "y")]))
        }),
        1 => heartbeat,
        1 => leave,
        2 => (member_id(), prop_oneof![generation(), Just(-1)]).prop_map(|(member_id, generation)| {
            Command::CommitOffsets(commit_request(&member_id, generation, 1))
        }),
        1 => Just(Command::DeleteGroups(BTreeSet::from([GROUP.to_owned()]))),
        1 => Just(Command::DeleteOffsets(OffsetDeleteRequest {
            group_id: GROUP.into(),
            partitions: vec![("t".to_owned(), 0)],
        })),
    ]
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        8 => command().prop_map(Action::Send),
        3 => select(vec![1, 1_000, 3_000, 3_000, 3_000, 9_000, 60_000]).prop_map(Action::Pass),
        1 => any::<bool>().prop_map(Action::SlowStorage),
        1 => any::<bool>().prop_map(Action::AnswerWrites),
    ]
}

/// The id of a member that the group has now, in place of one that stands for the first, second or third.
fn actual_id(world: &World, member_id: &str) -> String {
    let members = world.coordinator.describe_group(GROUP).members;
    let position = ["a-id", "b-id", "c-id"].iter().position(|id| *id == member_id);
    let actual = match position {
        Some(position) => members.get(position),
        None => members.iter().find(|member| member.group_instance_id.is_some() && !member_id.is_empty()),
    };
    actual.map_or_else(|| member_id.to_owned(), |member| member.member_id.clone())
}

fn addressed(world: &World, mut command: Command) -> Command {
    match &mut command {
        Command::Sync(request) => {
            request.member_id = actual_id(world, &request.member_id);
            request.generation_id += world.generation_id;
        }
        Command::Heartbeat(request) => {
            request.member_id = actual_id(world, &request.member_id);
            request.generation_id += world.generation_id;
        }
        Command::CommitOffsets(request) => {
            request.member_id = actual_id(world, &request.member_id);
            if request.generation_id >= 0 {
                request.generation_id += world.generation_id;
            }
        }
        Command::Leave(request) => {
            for member in &mut request.members {
                member.member_id = actual_id(world, &member.member_id);
            }
        }
        Command::Join(_)
        | Command::ConsumerHeartbeat(_)
        | Command::DeleteGroups(_)
        | Command::DeleteOffsets(_) => {}
    }
    command
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn every_request_is_answered_exactly_once(actions in prop::collection::vec(action(), 1..80)) {
        let mut world = World::new();
        let mut tokens: Vec<ReplyToken> = Vec::new();
        for (step, action) in actions.into_iter().enumerate() {
            match action {
                Action::Send(Command::Join(request)) => {
                    let member_id = actual_id(&world, &request.member_id);
                    // Unique as a random value would be.
                    let unique = format!("{}-{step}", request.unique);
                    tokens.push(world.send(Command::Join(JoinRequest { unique, member_id, ..request })));
                }
                Action::Send(command) => {
                    let command = addressed(&world, command);
                    tokens.push(world.send(command));
                }
                Action::Pass(span_ms) => world.pass(span_ms),
                Action::SlowStorage(is_slow) => world.is_storage_slow = is_slow,
                Action::AnswerWrites(is_durable) => world.answer_writes(is_durable),
            }
        }
        world.is_storage_slow = false;
        world.answer_writes(true);
        // Longer than any session, rebalance or new member may take.
        world.pass(1_000_000);
        for token in tokens {
            prop_assert!(!world.is_parked(token), "{:?} was never answered", token);
        }
        prop_assert!(matches!(
            world.coordinator.describe_group(GROUP).state,
            GroupState::Empty | GroupState::Dead
        ));
        let next_ms = world.coordinator.next_timeout_ms();
        prop_assert!(next_ms.is_some_and(|next_ms| next_ms > world.now_ms), "a timer is stuck");
    }

    #[test]
    fn storage_holds_what_the_coordinator_shows(actions in prop::collection::vec(action(), 1..80)) {
        let mut world = World::new();
        for action in actions {
            match action {
                Action::Send(command) => {
                    let command = addressed(&world, command);
                    world.send(command);
                }
                Action::Pass(span_ms) => world.pass(span_ms),
                Action::SlowStorage(is_slow) => world.is_storage_slow = is_slow,
                Action::AnswerWrites(_) => world.answer_writes(true),
            }
        }
        world.answer_writes(true);
        let before = world.offset();
        world.restart();
        prop_assert_eq!(world.offset(), before);
    }
}
