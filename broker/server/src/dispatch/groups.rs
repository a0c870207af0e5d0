//! The group APIs: `JoinGroup`, `SyncGroup`, `Heartbeat`, `LeaveGroup`, `DescribeGroups`, `ListGroups`, `DeleteGroups`.

use std::collections::BTreeSet;

use bytes::Bytes;
use cadastre_coordinator as coordinator;
use cadastre_coordinator::{Command, GroupError, GroupProtocol, GroupState, LeavingMember, Response};
use cadastre_protocol::messages::delete_groups_response::DeletableGroupResult;
use cadastre_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use cadastre_protocol::messages::join_group_response::JoinGroupResponseMember;
use cadastre_protocol::messages::leave_group_response::MemberResponse;
use cadastre_protocol::messages::{
    DeleteGroupsRequest, DeleteGroupsResponse, DescribeGroupsRequest, DescribeGroupsResponse, GroupId,
    HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest,
    LeaveGroupResponse, ListGroupsRequest, ListGroupsResponse, SyncGroupRequest, SyncGroupResponse,
    list_groups_response,
};
use cadastre_protocol::{ResponseError, StrBytes};
use cadastre_security::acl::ResourceType;

use super::context::RequestContext;
use super::metadata::NO_OPERATIONS;
use super::operations::{DELETE_GROUP, DESCRIBE_CLUSTER, DESCRIBE_GROUP, READ_GROUP};
use cadastre_security::acl::CLUSTER_NAME;

pub(super) const DENIED: i16 = ResponseError::GroupAuthorizationFailed.code();
const UNAVAILABLE: i16 = ResponseError::CoordinatorNotAvailable.code();

/// The code of an optional error, 0 for none.
pub(super) fn code(error: Option<GroupError>) -> i16 {
    error.map_or(0, GroupError::code)
}

/// The code for a request that the coordinator did not answer.
pub(super) fn unanswered(answer: &Result<Response, GroupError>) -> i16 {
    answer.as_ref().err().map_or(UNAVAILABLE, |error| error.code())
}

pub(super) fn text(text: String) -> StrBytes {
    StrBytes::from_string(text)
}

pub(super) fn owned(text: Option<&StrBytes>) -> Option<String> {
    text.map(ToString::to_string)
}

pub(super) async fn join(context: &RequestContext<'_>, request: JoinGroupRequest) -> JoinGroupResponse {
    let version = context.header.version;
    let refused = |code: i16, member: &StrBytes| {
        let response = JoinGroupResponse::default()
            .with_error_code(code)
            .with_generation_id(-1)
            .with_member_id(member.clone());
        if version >= 7 {
            response.with_protocol_name(None)
        } else {
            response.with_protocol_name(Some(StrBytes::new()))
        }
    };
    if !context.allows(READ_GROUP, &request.group_id) {
        return refused(DENIED, &request.member_id);
    }
    let Ok(unique) = unique() else { return refused(UNAVAILABLE, &request.member_id) };
    let protocols = request.protocols.iter();
    let command = Command::Join(coordinator::JoinRequest {
        group_id: request.group_id.to_string(),
        member_id: request.member_id.to_string(),
        group_instance_id: owned(request.group_instance_id.as_ref()),
        client_id: context.client_id().to_owned(),
        client_host: format!("/{}", context.address),
        session_timeout_ms: request.session_timeout_ms,
        // Version 0 has no time of its own for rebalances.
        rebalance_timeout_ms: if version == 0 {
            request.session_timeout_ms
        } else {
            request.rebalance_timeout_ms
        },
        protocol_type: request.protocol_type.to_string(),
        protocols: protocols
            .map(|protocol| GroupProtocol {
                name: protocol.name.to_string(),
                metadata: protocol.metadata.clone(),
            })
            .collect(),
        requires_known_member_id: version >= 4,
        supports_skipping_assignment: version >= 9,
        unique,
    });
    let joined = match context.node.groups.ask(&request.group_id, command).await {
        Ok(Response::Join(joined)) => joined,
        other => return refused(unanswered(&other), &request.member_id),
    };
    let members = joined.members.into_iter().map(|member| {
        let response = JoinGroupResponseMember::default()
            .with_member_id(text(member.member_id))
            .with_metadata(member.metadata);
        if version >= 5 {
            response.with_group_instance_id(member.group_instance_id.map(text))
        } else {
            response
        }
    });
    let mut response = JoinGroupResponse::default()
        .with_error_code(code(joined.error))
        .with_generation_id(joined.generation_id)
        .with_leader(text(joined.leader))
        .with_member_id(text(joined.member_id))
        .with_members(members.collect());
    let protocol_name = joined.protocol_name.map(text);
    response = match version {
        7.. => response.with_protocol_name(protocol_name).with_protocol_type(joined.protocol_type.map(text)),
        _ => response.with_protocol_name(Some(protocol_name.unwrap_or_default())),
    };
    if version >= 9 { response.with_skip_assignment(joined.skip_assignment) } else { response }
}

/// What makes a new member's id unlike any other: a random UUID's 32 digits.
pub(super) fn unique() -> Result<String, crate::random::RandomError> {
    let bytes: [u8; 16] = crate::random::bytes()?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

pub(super) async fn sync(context: &RequestContext<'_>, request: SyncGroupRequest) -> SyncGroupResponse {
    let refused =
        |code: i16| SyncGroupResponse::default().with_error_code(code).with_assignment(Bytes::new());
    if !context.allows(READ_GROUP, &request.group_id) {
        return refused(DENIED);
    }
    let assignments = request.assignments.into_iter();
    let command = Command::Sync(coordinator::SyncRequest {
        group_id: request.group_id.to_string(),
        generation_id: request.generation_id,
        member_id: request.member_id.to_string(),
        group_instance_id: owned(request.group_instance_id.as_ref()),
        protocol_type: owned(request.protocol_type.as_ref()),
        protocol_name: owned(request.protocol_name.as_ref()),
        assignments: assignments.map(|one| (one.member_id.to_string(), one.assignment)).collect(),
    });
    let synced = match context.node.groups.ask(&request.group_id, command).await {
        Ok(Response::Sync(synced)) => synced,
        other => return refused(unanswered(&other)),
    };
    let response =
        SyncGroupResponse::default().with_error_code(code(synced.error)).with_assignment(synced.assignment);
    match context.header.version {
        5.. => response
            .with_protocol_type(synced.protocol_type.map(text))
            .with_protocol_name(synced.protocol_name.map(text)),
        _ => response,
    }
}

pub(super) async fn heartbeat(context: &RequestContext<'_>, request: HeartbeatRequest) -> HeartbeatResponse {
    let response = HeartbeatResponse::default();
    if !context.allows(READ_GROUP, &request.group_id) {
        return response.with_error_code(DENIED);
    }
    let command = Command::Heartbeat(coordinator::HeartbeatRequest {
        group_id: request.group_id.to_string(),
        generation_id: request.generation_id,
        member_id: request.member_id.to_string(),
        group_instance_id: owned(request.group_instance_id.as_ref()),
    });
    match context.node.groups.ask(&request.group_id, command).await {
        Ok(Response::Heartbeat(error)) => response.with_error_code(code(error)),
        other => response.with_error_code(unanswered(&other)),
    }
}

pub(super) async fn leave(context: &RequestContext<'_>, request: LeaveGroupRequest) -> LeaveGroupResponse {
    let version = context.header.version;
    let response = LeaveGroupResponse::default();
    if !context.allows(READ_GROUP, &request.group_id) {
        return response.with_error_code(DENIED);
    }
    let members = if version >= 3 {
        let members = request.members.iter();
        members
            .map(|member| LeavingMember {
                member_id: member.member_id.to_string(),
                group_instance_id: owned(member.group_instance_id.as_ref()),
            })
            .collect()
    } else {
        vec![LeavingMember { member_id: request.member_id.to_string(), group_instance_id: None }]
    };
    let command =
        Command::Leave(coordinator::LeaveRequest { group_id: request.group_id.to_string(), members });
    let left = match context.node.groups.ask(&request.group_id, command).await {
        Ok(Response::Leave(left)) => left,
        other => return response.with_error_code(unanswered(&other)),
    };
    if version < 3 {
        // With one member there is one outcome.
        let own = left.members.first().and_then(|member| member.error);
        return response.with_error_code(code(left.error.or(own)));
    }
    if left.error == Some(GroupError::UnknownMemberId) {
        // Nobody is known of a group that is not: each is told, and the request as a whole is fine.
        let unknown = request.members.into_iter().map(|member| {
            MemberResponse::default()
                .with_member_id(member.member_id)
                .with_group_instance_id(member.group_instance_id)
                .with_error_code(ResponseError::UnknownMemberId.code())
        });
        return response.with_members(unknown.collect());
    }
    let members = left.members.into_iter().map(|member| {
        MemberResponse::default()
            .with_member_id(text(member.member_id))
            .with_group_instance_id(member.group_instance_id.map(text))
            .with_error_code(code(member.error))
    });
    response.with_error_code(code(left.error)).with_members(members.collect())
}

pub(super) async fn describe(
    context: &RequestContext<'_>,
    request: DescribeGroupsRequest,
) -> DescribeGroupsResponse {
    let groups = request.groups.into_iter().map(|group_id| {
        let response = DescribedGroup::default()
            .with_group_id(group_id.clone())
            .with_authorized_operations(NO_OPERATIONS);
        if !context.allows(DESCRIBE_GROUP, &group_id) {
            return response.with_error_code(DENIED);
        }
        let found = match context.node.groups.describe(&group_id) {
            Ok(found) => found,
            Err(error) => return response.with_error_code(error.code()),
        };
        // Version 6 tells a dead group from one that never was (KIP-1043).
        let response = if found.state == GroupState::Dead && context.header.version >= 6 {
            let other = context.node.groups.describe_consumer_group(&group_id).is_ok();
            let why = if other { "is not a classic group" } else { "not found" };
            response
                .with_error_code(ResponseError::GroupIdNotFound.code())
                .with_error_message(Some(text(format!("group {} {why}", group_id.as_str()))))
        } else {
            response
        };
        let members = found.members.into_iter().map(|member| {
            let described = DescribedGroupMember::default()
                .with_member_id(text(member.member_id))
                .with_client_id(text(member.client_id))
                .with_client_host(text(member.client_host))
                .with_member_metadata(member.metadata)
                .with_member_assignment(member.assignment);
            match context.header.version {
                4.. => described.with_group_instance_id(member.group_instance_id.map(text)),
                _ => described,
            }
        });
        let response = response
            .with_group_state(text(found.state.to_string()))
            .with_protocol_type(text(found.protocol_type))
            .with_protocol_data(text(found.protocol_name))
            .with_members(members.collect());
        if context.header.version >= 3 && request.include_authorized_operations && response.error_code == 0 {
            let operations = context.authorized_operations(ResourceType::Group, &group_id);
            return response.with_authorized_operations(operations);
        }
        response
    });
    DescribeGroupsResponse::default().with_groups(groups.collect())
}

pub(super) async fn list(context: &RequestContext<'_>, request: ListGroupsRequest) -> ListGroupsResponse {
    let version = context.header.version;
    let all = context.sees(DESCRIBE_CLUSTER, CLUSTER_NAME);
    let texts = |filter: Vec<StrBytes>| filter.iter().map(ToString::to_string).collect::<Vec<String>>();
    let (states, types) = (texts(request.states_filter), texts(request.types_filter));
    let groups = context.node.groups.list(&states, &types).into_iter();
    let groups = groups.filter(|group| all || context.sees(DESCRIBE_GROUP, &group.group_id));
    let groups = groups.map(|group| {
        let mut listed = list_groups_response::ListedGroup::default()
            .with_group_id(GroupId(text(group.group_id)))
            .with_protocol_type(text(group.protocol_type));
        if version >= 4 {
            listed = listed.with_group_state(StrBytes::from_static_str(group.state));
        }
        if version >= 5 {
            listed = listed.with_group_type(StrBytes::from_static_str(group.group_type.as_str()));
        }
        listed
    });
    ListGroupsResponse::default().with_groups(groups.collect())
}

pub(super) async fn delete(
    context: &RequestContext<'_>,
    request: DeleteGroupsRequest,
) -> DeleteGroupsResponse {
    let (allowed, denied): (Vec<GroupId>, Vec<GroupId>) =
        request.groups_names.into_iter().partition(|group| context.allows(DELETE_GROUP, group));
    let result =
        |group: GroupId, code| DeletableGroupResult::default().with_group_id(group).with_error_code(code);
    let mut results: Vec<_> = denied.into_iter().map(|group| result(group, DENIED)).collect();
    for group in allowed {
        let command = Command::DeleteGroups(BTreeSet::from([group.to_string()]));
        match context.node.groups.ask(&group, command).await {
            Ok(Response::DeleteGroups(deleted)) => {
                let deleted = deleted.groups.into_iter();
                results.extend(deleted.map(|(group, error)| result(GroupId(text(group)), code(error))));
            }
            other => results.push(result(group, unanswered(&other))),
        }
    }
    DeleteGroupsResponse::default().with_results(results)
}
