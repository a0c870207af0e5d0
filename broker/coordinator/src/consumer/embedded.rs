//! What consumers of the classic protocol say inside of it (`ConsumerProtocolSubscription.json`, `ConsumerProtocolAssignment.json`):
//! opaque to the classic protocol, and not to a coordinator that assigns partitions itself.

use std::collections::BTreeSet;

use bytes::{BufMut as _, Bytes, BytesMut};

use crate::consumer::partitions::{self, Partitions};
use crate::consumer::topics::KnownTopics;

/// A subscription, as far as the coordinator needs it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Subscription {
    pub(crate) version: i16,
    pub(crate) topics: BTreeSet<String>,
    /// Partitions by topic name; version 1 and later.
    pub(crate) owned: Vec<(String, Vec<i32>)>,
    /// Version 3 and later.
    pub(crate) rack_id: Option<String>,
}

impl Subscription {
    /// Reads a subscription; `None` for anything else.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let version = reader.int16().filter(|version| *version >= 0)?;
        let mut subscription = Self { version, ..Self::default() };
        for _ in 0..reader.count(2)? {
            subscription.topics.insert(reader.text()??);
        }
        reader.bytes()?;
        if version >= 1 {
            subscription.owned = reader.partitions()?;
        }
        if version >= 2 {
            let _generation = reader.int32()?;
        }
        if version >= 3 {
            subscription.rack_id = reader.text()?;
        }
        Some(subscription)
    }

    /// What it owns of the topics that there are.
    pub(crate) fn owned(&self, topics: &KnownTopics) -> Partitions {
        by_id(&self.owned, topics)
    }
}

/// Reads an assignment; `None` for anything else. No bytes at all are an assignment of nothing.
pub(crate) fn read_assignment(bytes: &[u8], topics: &KnownTopics) -> Option<Partitions> {
    if bytes.is_empty() {
        return Some(Partitions::new());
    }
    let mut reader = Reader(bytes);
    reader.int16().filter(|version| *version >= 0)?;
    Some(by_id(&reader.partitions()?, topics))
}

/// Writes an assignment in the form that consumers of a subscription's version read; topics that are gone are left out.
pub(crate) fn write_assignment(version: i16, assigned: &Partitions, topics: &KnownTopics) -> Bytes {
    let named: Vec<(&str, &BTreeSet<i32>)> =
        assigned.iter().filter_map(|(id, indexes)| Some((topics.name(*id)?, indexes))).collect();
    let mut bytes = BytesMut::new();
    bytes.put_i16(version);
    put_count(&mut bytes, named.len());
    for (name, indexes) in named {
        // Names of topics are no longer than 249 bytes.
        bytes.put_i16(i16::try_from(name.len()).unwrap_or_default());
        bytes.put_slice(name.as_bytes());
        put_count(&mut bytes, indexes.len());
        for index in indexes {
            bytes.put_i32(*index);
        }
    }
    // No user data.
    bytes.put_i32(-1);
    bytes.freeze()
}

fn put_count(bytes: &mut BytesMut, count: usize) {
    bytes.put_i32(i32::try_from(count).unwrap_or(i32::MAX));
}

fn by_id(named: &[(String, Vec<i32>)], topics: &KnownTopics) -> Partitions {
    let mut found = Partitions::new();
    for (name, indexes) in named {
        if let Some(topic) = topics.get(name) {
            for index in indexes.iter().filter(|index| (0..topic.partitions).contains(*index)) {
                partitions::insert(&mut found, topic.id, *index);
            }
        }
    }
    found
}

/// What is left of the bytes. Nothing is allocated that they do not hold.
struct Reader<'bytes>(&'bytes [u8]);

impl Reader<'_> {
    fn int16(&mut self) -> Option<i16> {
        let (number, rest) = self.0.split_first_chunk::<2>()?;
        self.0 = rest;
        Some(i16::from_be_bytes(*number))
    }

    fn int32(&mut self) -> Option<i32> {
        let (number, rest) = self.0.split_first_chunk::<4>()?;
        self.0 = rest;
        Some(i32::from_be_bytes(*number))
    }

    /// How many elements follow, each of at least `smallest` bytes.
    fn count(&mut self, smallest: usize) -> Option<usize> {
        let count = usize::try_from(self.int32()?).ok()?;
        (count.checked_mul(smallest)? <= self.0.len()).then_some(count)
    }

    fn take(&mut self, length: usize) -> Option<&[u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    /// Text, or none where its length is −1.
    fn text(&mut self) -> Option<Option<String>> {
        match self.int16()? {
            -1 => Some(None),
            length => {
                let bytes = self.take(usize::try_from(length).ok()?)?;
                Some(Some(str::from_utf8(bytes).ok()?.to_owned()))
            }
        }
    }

    /// Passes bytes, or none where their length is −1.
    fn bytes(&mut self) -> Option<()> {
        match self.int32()? {
            -1 => Some(()),
            length => self.take(usize::try_from(length).ok()?).map(|_| ()),
        }
    }

    fn partitions(&mut self) -> Option<Vec<(String, Vec<i32>)>> {
        let mut topics = Vec::new();
        for _ in 0..self.count(6)? {
            let name = self.text()??;
            let indexes = (0..self.count(4)?).map(|_| self.int32()).collect::<Option<_>>()?;
            topics.push((name, indexes));
        }
        Some(topics)
    }
}

#[cfg(test)]
mod tests {
    use cadastre_protocol::messages::consumer_protocol_subscription::TopicPartition;
    use cadastre_protocol::messages::{ConsumerProtocolAssignment, ConsumerProtocolSubscription, TopicName};
    use cadastre_protocol::types::TopicId;
    use cadastre_protocol::{Decodable as _, Encodable as _, StrBytes};
    use proptest::prelude::*;

    use super::*;
    use crate::consumer::topics::KnownTopic;

    fn topics() -> KnownTopics {
        [("t".to_owned(), KnownTopic { id: TopicId([1; 16]), partitions: 4 })].into_iter().collect()
    }

    #[test]
    fn every_version_of_a_subscription_is_read() {
        for version in 0..=3 {
            let mut written = ConsumerProtocolSubscription::default()
                .with_topics(vec![StrBytes::from_static_str("t"), StrBytes::from_static_str("u")])
                .with_user_data(Some(Bytes::from_static(b"user")));
            if version >= 1 {
                let owned = TopicPartition::default()
                    .with_topic(TopicName(StrBytes::from_static_str("t")))
                    .with_partitions(vec![1, 3, 9]);
                written = written.with_owned_partitions(vec![owned]);
            }
            if version >= 3 {
                written = written.with_rack_id(Some(StrBytes::from_static_str("r")));
            }
            let mut bytes = BytesMut::new();
            bytes.put_i16(version);
            written.encode(&mut bytes, version).unwrap();
            let read = Subscription::read(&bytes).unwrap();
            assert_eq!(read.topics, BTreeSet::from(["t".to_owned(), "u".to_owned()]));
            assert_eq!(read.version, version);
            assert_eq!(read.rack_id.as_deref(), (version >= 3).then_some("r"));
            let owned = read.owned(&topics());
            assert_eq!(partitions::count(&owned), if version >= 1 { 2 } else { 0 }, "9 does not exist");
        }
    }

    #[test]
    fn assignments_are_written_as_consumers_read_them() {
        let assigned = Partitions::from([
            (TopicId([1; 16]), BTreeSet::from([0, 2])),
            (TopicId([9; 16]), BTreeSet::from([1])),
        ]);
        let bytes = write_assignment(3, &assigned, &topics());
        let known = Partitions::from([(TopicId([1; 16]), BTreeSet::from([0, 2]))]);
        assert_eq!(read_assignment(&bytes, &topics()), Some(known));
        let mut body = bytes.slice(2..);
        let read = ConsumerProtocolAssignment::decode(&mut body, 3).unwrap();
        assert_eq!((read.assigned_partitions.len(), read.user_data), (1, None));
        assert_eq!(read.assigned_partitions[0].partitions, [0, 2]);
        assert_eq!(read_assignment(b"", &topics()), Some(Partitions::new()));
    }

    proptest! {
        #[test]
        fn rubbish_is_never_more_than_nothing(bytes in prop::collection::vec(prop_oneof![Just(0u8), Just(1), any::<u8>()], 0..80)) {
            let _ = Subscription::read(&bytes);
            let _ = read_assignment(&bytes, &topics());
        }
    }
}
