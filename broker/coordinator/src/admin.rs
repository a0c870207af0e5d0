//! ListGroups, DescribeGroups and DeleteGroups.

use std::collections::{BTreeMap, BTreeSet};

use crate::coordinator::GroupCoordinator;
use crate::effect::ReplyToken;
use crate::error::GroupError;
use crate::group::GroupState;
use crate::persistence::Work;
use crate::records::deletions;
use crate::response::{
    DeleteGroupsResponse, DescribedGroup, DescribedMember, GroupType, ListedGroup, Response,
};
use crate::subscription::CONSUMER;

impl GroupCoordinator {
    /// The groups in one of the states and of one of the types, sorted; an empty filter accepts all. Names are
    /// compared without regard to case, and unknown ones match nothing (KIP-518, KIP-848).
    pub fn list_groups<S: AsRef<str>>(&self, states: &[S], types: &[S]) -> Vec<ListedGroup> {
        let accepts = |filter: &[S], name: &str| {
            filter.is_empty() || filter.iter().any(|wanted| wanted.as_ref().trim().eq_ignore_ascii_case(name))
        };
        let classic = self.groups.iter().map(|(group_id, group)| ListedGroup {
            group_id: group_id.clone(),
            protocol_type: group.protocol_type.clone().unwrap_or_default(),
            state: group.state.as_str(),
            group_type: GroupType::Classic,
        });
        let consumers = self.consumers.iter().map(|(group_id, group)| ListedGroup {
            group_id: group_id.clone(),
            protocol_type: CONSUMER.to_owned(),
            state: group.state().as_str(),
            group_type: GroupType::Consumer,
        });
        let is_wanted =
            |group: &ListedGroup| accepts(states, group.state) && accepts(types, group.group_type.as_str());
        let mut groups: Vec<ListedGroup> = classic.chain(consumers).filter(is_wanted).collect();
        groups.sort_by(|one, other| one.group_id.cmp(&other.group_id));
        groups
    }

    /// What there is to know of a group; one that does not exist is `Dead`.
    pub fn describe_group(&self, group_id: &str) -> DescribedGroup {
        let Some(group) = self.groups.get(group_id) else {
            return DescribedGroup {
                group_id: group_id.to_owned(),
                state: GroupState::Dead,
                protocol_type: String::new(),
                protocol_name: String::new(),
                members: Vec::new(),
            };
        };
        // The metadata of members belongs to a protocol, which is settled only once the group is stable.
        let protocol = group.protocol_name.as_deref().filter(|_| group.state == GroupState::Stable);
        let members = group.members.values().map(|member| DescribedMember {
            member_id: member.member_id.clone(),
            group_instance_id: member.group_instance_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            metadata: member.metadata(protocol),
            assignment: member.assignment.clone(),
        });
        DescribedGroup {
            group_id: group_id.to_owned(),
            state: group.state,
            protocol_type: group.protocol_type.clone().unwrap_or_default(),
            protocol_name: protocol.unwrap_or_default().to_owned(),
            members: members.collect(),
        }
    }

    pub(crate) fn delete_groups(&mut self, token: ReplyToken, requested: BTreeSet<String>) {
        let mut groups = BTreeMap::new();
        for group_id in requested {
            let is_empty = match self.consumers.get(&group_id) {
                Some(group) => Some(group.is_empty()),
                None => self.groups.get(&group_id).map(|group| group.state == GroupState::Empty),
            };
            let error = match is_empty {
                None => Some(GroupError::GroupIdNotFound),
                Some(true) => None,
                Some(false) => Some(GroupError::NonEmptyGroup),
            };
            groups.insert(group_id, error);
        }
        let is_deleted = |group_id: &str| groups.get(group_id) == Some(&None);
        let offsets: Vec<_> = self
            .offsets_to_be(is_deleted)
            .into_iter()
            .map(|(group_id, topic, partition)| (group_id.to_owned(), topic.to_owned(), partition))
            .collect();
        let group_ids: Vec<String> = groups.keys().filter(|group_id| is_deleted(group_id)).cloned().collect();
        let changes = deletions(&offsets, &group_ids);
        let response = DeleteGroupsResponse { groups };
        if changes.is_empty() {
            return self.reply(token, Response::DeleteGroups(response));
        }
        self.persist(changes, Work::DeleteGroups { token, offsets, group_ids, response });
    }

    pub(crate) fn answer_group_deletion(
        &mut self,
        token: ReplyToken,
        mut response: DeleteGroupsResponse,
        is_durable: bool,
    ) {
        if !is_durable {
            for error in response.groups.values_mut() {
                error.get_or_insert(GroupError::CoordinatorNotAvailable);
            }
        }
        self.reply(token, Response::DeleteGroups(response));
    }
}
