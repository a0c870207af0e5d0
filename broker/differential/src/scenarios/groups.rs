//! Groups of the classic protocol, their offsets, and who looks after them.

use cadastre_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use cadastre_protocol::messages::leave_group_request::MemberIdentity;
use cadastre_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use cadastre_protocol::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use cadastre_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use cadastre_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use cadastre_protocol::messages::{
    DeleteGroupsRequest, DescribeGroupsRequest, FindCoordinatorRequest, HeartbeatRequest, JoinGroupRequest,
    LeaveGroupRequest, ListGroupsRequest, OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest,
    SyncGroupRequest,
};

use super::{create, group, text, topic};
use crate::pair::Pair;

pub(super) async fn run(pair: &mut Pair) -> anyhow::Result<()> {
    create(pair, "grouped", 2, &[]).await?;
    coordinators(pair).await?;
    membership(pair).await?;
    static_members(pair).await?;
    offsets(pair).await?;
    administration(pair).await
}

async fn coordinators(pair: &mut Pair) -> anyhow::Result<()> {
    for (case, key, kind) in [
        ("a group's", "a-group", 0),
        ("a transactional id's", "an-id", 1),
        ("a kind that is none", "x", 9),
        ("an empty group", "", 0),
    ] {
        pair.ask_all(case, |version| {
            let request = FindCoordinatorRequest::default().with_key_type(kind);
            match version >= 4 {
                true => request.with_coordinator_keys(vec![text(key)]),
                false => request.with_key(text(key)),
            }
        })
        .await?;
    }
    Ok(())
}

fn join(name: &str, member: &str) -> JoinGroupRequest {
    let protocol = JoinGroupRequestProtocol::default()
        .with_name(text("range"))
        .with_metadata(vec![0, 1, 0, 0, 0, 0].into());
    JoinGroupRequest::default()
        .with_group_id(group(name))
        .with_session_timeout_ms(30_000)
        .with_rebalance_timeout_ms(30_000)
        .with_member_id(text(member))
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol])
}

async fn membership(pair: &mut Pair) -> anyhow::Result<()> {
    for (case, request) in [
        ("an empty group id", join("", "")),
        ("a session that is too short", join("refused", "").with_session_timeout_ms(1)),
        ("a session that is too long", join("refused", "").with_session_timeout_ms(100_000_000)),
        ("no protocol", join("refused", "").with_protocols(Vec::new())),
        ("no type of protocol", join("refused", "").with_protocol_type(text(""))),
        ("a member that nobody knows", join("refused", "nobody")),
    ] {
        pair.ask_all(case, |_| request.clone()).await?;
    }
    for version in [2, 5, 9] {
        let name = format!("members-{version}");
        let first = pair.ask("a new member", version, &join(&name, "")).await?;
        let members = first.map(|answer| answer.member_id.to_string());
        let joined = match version >= 4 {
            true => {
                pair.ask_each(
                    "with the id that it was given",
                    version,
                    members.requests(|id| join(&name, &id)),
                )
                .await?
            }
            false => first,
        };
        let known = joined.map(|answer| (answer.member_id.to_string(), answer.generation_id));
        let sync = |generation: i32, id: &str| {
            let assignment = SyncGroupRequestAssignment::default()
                .with_member_id(text(id))
                .with_assignment(vec![0, 1, 0, 0, 0, 0, 0, 0, 0, 0].into());
            SyncGroupRequest::default()
                .with_group_id(group(&name))
                .with_generation_id(generation)
                .with_member_id(text(id))
                .with_protocol_type(Some(text("consumer")))
                .with_protocol_name(Some(text("range")))
                .with_assignments(vec![assignment])
        };
        let beat = |generation: i32, id: &str| {
            HeartbeatRequest::default()
                .with_group_id(group(&name))
                .with_generation_id(generation)
                .with_member_id(text(id))
        };
        for at in [0, 3, 5] {
            pair.ask_each(
                "another generation",
                at,
                known.requests(|(id, generation)| sync(generation + 1, &id)),
            )
            .await?;
            pair.ask("a member that nobody knows", at, &sync(1, "nobody")).await?;
        }
        let wrong =
            known.requests(|(id, generation)| sync(generation, &id).with_protocol_name(Some(text("other"))));
        pair.ask_each("another protocol", 5, wrong).await?;
        pair.ask_each("the leader's assignment", 5, known.requests(|(id, generation)| sync(generation, &id)))
            .await?;
        pair.ask_each("the assignment again", 5, known.requests(|(id, generation)| sync(generation, &id)))
            .await?;
        for at in 0..=4 {
            pair.ask_each("a member's", at, known.requests(|(id, generation)| beat(generation, &id))).await?;
            pair.ask_each(
                "another generation",
                at,
                known.requests(|(id, generation)| beat(generation + 1, &id)),
            )
            .await?;
            pair.ask("a member that nobody knows", at, &beat(1, "nobody")).await?;
        }
        described(pair, "a group with a member", &name).await?;
        let commit = |id: &str, generation: i32| {
            committed(&name, 5).with_member_id(text(id)).with_generation_id_or_member_epoch(generation)
        };
        pair.ask_each("by a member", 8, known.requests(|(id, generation)| commit(&id, generation))).await?;
        pair.ask_each(
            "by a member of another generation",
            8,
            known.requests(|(id, generation)| commit(&id, generation + 1)),
        )
        .await?;
        pair.ask("by a member that nobody knows", 8, &commit("nobody", 1)).await?;
        pair.ask("by nobody, to a group with members", 8, &commit("", -1)).await?;
        let delete = DeleteGroupsRequest::default().with_groups_names(vec![group(&name)]);
        pair.ask("a group with a member", 2, &delete).await?;
        let old =
            |id: String| LeaveGroupRequest::default().with_group_id(group(&name)).with_member_id(text(&id));
        let new = |id: String| {
            let member = MemberIdentity::default().with_member_id(text(&id));
            LeaveGroupRequest::default().with_group_id(group(&name)).with_members(vec![member])
        };
        pair.ask("a member that nobody knows", 2, &old("nobody".to_owned())).await?;
        pair.ask("a member that nobody knows, in a list", 5, &new("nobody".to_owned())).await?;
        let ids = known.map(|(id, _)| id.clone());
        match version < 5 {
            true => pair.ask_each("a member", 2, ids.requests(old)).await?,
            false => pair.ask_each("a member, in a list", 5, ids.requests(new)).await?,
        };
        described(pair, "a group that its last member left", &name).await?;
    }
    for at in 0..=4 {
        let request = HeartbeatRequest::default().with_group_id(group("absent")).with_member_id(text("x"));
        pair.ask("an unknown group", at, &request).await?;
    }
    for at in [2, 5] {
        let request = LeaveGroupRequest::default().with_group_id(group("absent"));
        let request = match at >= 3 {
            true => request.with_members(vec![MemberIdentity::default().with_member_id(text("x"))]),
            false => request.with_member_id(text("x")),
        };
        pair.ask("an unknown group", at, &request).await?;
    }
    Ok(())
}

async fn described(pair: &mut Pair, case: &str, name: &str) -> anyhow::Result<()> {
    pair.ask_all(case, |_| {
        DescribeGroupsRequest::default()
            .with_groups(vec![group(name)])
            .with_include_authorized_operations(true)
    })
    .await
}

async fn static_members(pair: &mut Pair) -> anyhow::Result<()> {
    let named =
        |instance: &str, member: &str| join("static", member).with_group_instance_id(Some(text(instance)));
    let first = pair.ask("a static member", 9, &named("one", "")).await?;
    let again = pair.ask("the same static member, started again", 9, &named("one", "")).await?;
    let old = first.map(|answer| answer.member_id.to_string());
    pair.ask_each("a static member by its id from before", 9, old.requests(|id| named("one", &id))).await?;
    let known = again.map(|answer| (answer.member_id.to_string(), answer.generation_id));
    let beat = |id: String, generation: i32| {
        HeartbeatRequest::default()
            .with_group_id(group("static"))
            .with_generation_id(generation)
            .with_member_id(text(&id))
            .with_group_instance_id(Some(text("one")))
    };
    pair.ask_each("a static member's", 4, known.requests(|(id, generation)| beat(id, generation))).await?;
    pair.ask_each("a static member's from before", 4, old.requests(|id| beat(id, 1))).await?;
    let leave = |instance: &str| {
        let member = MemberIdentity::default().with_group_instance_id(Some(text(instance)));
        LeaveGroupRequest::default().with_group_id(group("static")).with_members(vec![member])
    };
    pair.ask("an unknown static member", 5, &leave("two")).await?;
    pair.ask("a static member", 5, &leave("one")).await?;
    Ok(())
}

fn committed(name: &str, offset: i64) -> OffsetCommitRequest {
    let partition = |index| {
        OffsetCommitRequestPartition::default()
            .with_partition_index(index)
            .with_committed_offset(offset)
            .with_committed_leader_epoch(-1)
            .with_committed_metadata(Some(text("noted")))
    };
    let asked = OffsetCommitRequestTopic::default()
        .with_name(topic("grouped"))
        .with_partitions(vec![partition(0), partition(1)]);
    OffsetCommitRequest::default()
        .with_group_id(group(name))
        .with_generation_id_or_member_epoch(-1)
        .with_retention_time_ms(-1)
        .with_topics(vec![asked])
}

async fn offsets(pair: &mut Pair) -> anyhow::Result<()> {
    for version in 2..=9 {
        pair.ask("by nobody, to a group without members", version, &committed("simple", i64::from(version)))
            .await?;
        let partition =
            OffsetCommitRequestPartition::default().with_partition_index(7).with_committed_offset(1);
        let asked = |name: &str| {
            let asked = OffsetCommitRequestTopic::default()
                .with_name(topic(name))
                .with_partitions(vec![partition.clone()]);
            committed("simple", 1).with_topics(vec![asked])
        };
        pair.ask("an unknown topic", version, &asked("absent")).await?;
        pair.ask("an unknown partition", version, &asked("grouped")).await?;
        let long = OffsetCommitRequestPartition::default()
            .with_committed_offset(1)
            .with_committed_metadata(Some(text(&"m".repeat(5_000))));
        let long =
            OffsetCommitRequestTopic::default().with_name(topic("grouped")).with_partitions(vec![long]);
        pair.ask("metadata that are too long", version, &committed("simple", 1).with_topics(vec![long]))
            .await?;
        pair.ask("an empty group id", version, &committed("", 1)).await?;
        pair.ask(
            "a generation of a group without members",
            version,
            &committed("simple", 1).with_generation_id_or_member_epoch(3),
        )
        .await?;
    }
    let fetch = |version: i16, name: &str, partitions: Option<&[i32]>, asked: &str| {
        let request = OffsetFetchRequest::default();
        match version >= 8 {
            true => {
                let topics = partitions.map(|partitions| {
                    vec![
                        OffsetFetchRequestTopics::default()
                            .with_name(topic(asked))
                            .with_partition_indexes(partitions.to_vec()),
                    ]
                });
                request.with_groups(vec![
                    OffsetFetchRequestGroup::default()
                        .with_group_id(group(name))
                        .with_member_epoch(-1)
                        .with_topics(topics),
                ])
            }
            false => {
                let topics = partitions.map(|partitions| {
                    vec![
                        OffsetFetchRequestTopic::default()
                            .with_name(topic(asked))
                            .with_partition_indexes(partitions.to_vec()),
                    ]
                });
                request.with_group_id(group(name)).with_topics(topics)
            }
        }
    };
    for (case, name, partitions, asked) in [
        ("two partitions", "simple", Some(&[0, 1][..]), "grouped"),
        ("an unknown partition", "simple", Some(&[7][..]), "grouped"),
        ("an unknown topic", "simple", Some(&[0][..]), "absent"),
        ("everything", "simple", None, ""),
        ("an unknown group", "absent", Some(&[0][..]), "grouped"),
        ("everything of an unknown group", "absent", None, ""),
    ] {
        pair.ask_all(case, |version| fetch(version, name, partitions, asked)).await?;
        pair.ask_all(&format!("{case}, stable"), |version| {
            fetch(version, name, partitions, asked).with_require_stable(version >= 7)
        })
        .await?;
    }
    Ok(())
}

async fn administration(pair: &mut Pair) -> anyhow::Result<()> {
    described(pair, "an unknown group", "absent").await?;
    described(pair, "an empty group id", "").await?;
    described(pair, "a group of offsets alone", "simple").await?;
    let list = |states: &[&str], kinds: &[&str]| {
        ListGroupsRequest::default()
            .with_states_filter(states.iter().map(|state| text(state)).collect())
            .with_types_filter(kinds.iter().map(|kind| text(kind)).collect())
    };
    for (case, states, kinds) in [
        ("every group", &[][..], &[][..]),
        ("empty groups", &["Empty"][..], &[][..]),
        ("stable groups", &["Stable"][..], &[][..]),
        ("a state that is none", &["Sleeping"][..], &[][..]),
        ("classic groups", &[][..], &["classic"][..]),
        ("a type that is none", &[][..], &["other"][..]),
    ] {
        pair.ask_all(case, |_| list(states, kinds)).await?;
    }
    let delete = |name: &str, asked: &str, index| {
        let partition = OffsetDeleteRequestPartition::default().with_partition_index(index);
        let asked =
            OffsetDeleteRequestTopic::default().with_name(topic(asked)).with_partitions(vec![partition]);
        OffsetDeleteRequest::default().with_group_id(group(name)).with_topics(vec![asked])
    };
    for (case, name, asked, index) in [
        ("an offset", "simple", "grouped", 0),
        ("the same offset again", "simple", "grouped", 0),
        ("an unknown partition", "simple", "grouped", 7),
        ("an unknown topic", "simple", "absent", 0),
        ("an unknown group", "absent", "grouped", 0),
        ("an empty group id", "", "grouped", 0),
    ] {
        pair.ask_all(case, |_| delete(name, asked, index)).await?;
    }
    for (case, names) in [
        ("an unknown group", &["absent"][..]),
        ("an empty group id", &[""][..]),
        ("no group", &[][..]),
        ("two groups", &["members-2", "members-5"][..]),
    ] {
        pair.ask_all(case, |_| {
            DeleteGroupsRequest::default().with_groups_names(names.iter().map(|name| group(name)).collect())
        })
        .await?;
    }
    Ok(())
}
