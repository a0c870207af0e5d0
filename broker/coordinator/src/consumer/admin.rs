//! ConsumerGroupDescribe.

use crate::consumer::partitions::Partitions;
use crate::consumer::request::{DescribedConsumer, DescribedConsumerGroup, DescribedTopic, Refusal};
use crate::coordinator::GroupCoordinator;
use crate::error::GroupError;

impl GroupCoordinator {
    /// What there is to know of a consumer group.
    ///
    /// # Errors
    /// [`GroupError::GroupIdNotFound`], also for a group of another type.
    pub fn describe_consumer_group(&self, group_id: &str) -> Result<DescribedConsumerGroup, Refusal> {
        let Some(group) = self.consumers.get(group_id) else {
            let is_other = self.groups.contains_key(group_id);
            let message = if is_other { "is not a consumer group" } else { "not found" };
            return Err(Refusal::new(GroupError::GroupIdNotFound, format!("group {group_id} {message}")));
        };
        let members = group.members().map(|member| DescribedConsumer {
            member_id: member.member_id.clone(),
            group_instance_id: member.group_instance_id.clone(),
            rack_id: member.rack_id.clone(),
            epoch: member.epoch,
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            subscribed_topics: member.subscribed_topics.iter().cloned().collect(),
            subscribed_pattern: member.subscribed_pattern.clone(),
            assignment: self.described(&member.assigned),
            target: self.described(&group.target_of(&member.member_id)),
            is_classic: member.classic.is_some(),
        });
        Ok(DescribedConsumerGroup {
            group_id: group_id.to_owned(),
            state: group.state().as_str(),
            epoch: group.epoch,
            target_epoch: group.target_epoch,
            assignor: group.assignor(self.config.default_assignor()).as_str().to_owned(),
            members: members.collect(),
        })
    }

    fn described(&self, partitions: &Partitions) -> Vec<DescribedTopic> {
        let describe = |(id, indexes): (&_, &std::collections::BTreeSet<i32>)| {
            let name = self.topics.as_ref()?.name(*id)?.to_owned();
            Some(DescribedTopic { id: *id, name, partitions: indexes.iter().copied().collect() })
        };
        partitions.iter().filter_map(describe).collect()
    }
}
