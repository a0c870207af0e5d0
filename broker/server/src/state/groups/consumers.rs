//! Groups of the newer protocol (KIP-848), which need to know of topics.

use cadastre_coordinator::{DescribedConsumerGroup, GroupError, KnownTopic, Refusal};

use super::{Groups, Inner};
use crate::sync::lock;

impl Groups {
    /// Whether this broker takes groups of the newer protocol.
    pub(crate) fn takes_consumer_protocol(&self) -> bool {
        self.takes_consumer_protocol
    }

    /// Tells the coordinator of topics that have changed, where it matters to a group.
    pub(super) fn follow_topics(&self) {
        let mut inner = lock(&self.inner);
        if inner.coordinator.has_consumer_groups() {
            self.show_topics(&mut inner);
        }
    }

    /// Tells the coordinator of the topics as they are now, if that is news.
    pub(super) fn show_topics(&self, inner: &mut Inner) {
        // Looked at first: topics that change meanwhile are looked at again.
        let version = self.topics.version();
        if inner.topics_version == Some(version) {
            return;
        }
        let topics = self.topics.all().into_iter();
        let known = topics
            .map(|topic| (topic.name.clone(), KnownTopic { id: topic.id, partitions: topic.partitions }));
        inner.coordinator.set_topics(known.collect());
        inner.topics_version = Some(version);
    }

    /// The patterns whose topics the next heartbeat must bring.
    pub(crate) fn patterns_to_resolve(&self, group_id: &str, pattern: Option<&str>) -> Vec<String> {
        let mut inner = lock(&self.inner);
        self.show_topics(&mut inner);
        inner.coordinator.patterns_to_resolve(group_id, pattern, self.clock.now_ms())
    }

    /// One consumer group.
    ///
    /// # Errors
    ///
    /// As [`Groups::ask`], and that there is no such consumer group.
    pub(crate) fn describe_consumer_group(&self, group_id: &str) -> Result<DescribedConsumerGroup, Refusal> {
        let mut inner = lock(&self.inner);
        self.show_topics(&mut inner);
        inner.check(self.node_id, group_id).map_err(|error| Refusal { error, message: error.to_string() })?;
        inner.coordinator.describe_consumer_group(group_id)
    }

    /// Whether a member may ask for a group's offsets.
    ///
    /// # Errors
    ///
    /// As [`Groups::ask`], and why it may not.
    pub(crate) fn check_fetch(
        &self,
        group_id: &str,
        member_id: Option<&str>,
        epoch: i32,
    ) -> Result<(), GroupError> {
        let inner = lock(&self.inner);
        inner.check(self.node_id, group_id)?;
        inner.coordinator.check_fetch(group_id, member_id, epoch)
    }
}
