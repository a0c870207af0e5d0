//! Whatever clients, storage and restarts do, no partition is ever read by two members, and in the end each is read by one.

use std::collections::{BTreeMap, BTreeSet};

use cadastre_coordinator::{
    ConsumerHeartbeatRequest, ConsumerHeartbeatResponse, GroupError, Partitions, ReplyToken,
};
use cadastre_protocol::types::TopicId;
use proptest::prelude::*;
use proptest::sample::select;

use super::consumers::{beat, joining, topics};
use super::world::{GROUP, World};

const NAMES: [&str; 4] = ["a", "b", "c", "d"];
/// Longer than any run: who is removed for being slow to give up reads on until it hears of it, which no coordinator can help.
const REBALANCE_MS: i32 = 1_000_000_000;
const SUBSCRIPTIONS: [&[&str]; 4] = [&["t"], &["t", "u"], &["u"], &[]];

#[derive(Debug, Clone)]
enum Action {
    /// The client sends its next heartbeat, and loses the answer or not.
    Beat {
        client: usize,
        loses_answer: bool,
    },
    /// The client subscribes to something else.
    Subscribe {
        client: usize,
        subscription: usize,
    },
    /// The client stops reading what it was told to give up.
    Revoke {
        client: usize,
    },
    Leave {
        client: usize,
    },
    /// The client dies without a word.
    Die {
        client: usize,
    },
    Pass(i64),
    Partitions(i32),
    Storage(Storage),
    Restart,
}

#[derive(Debug, Clone, Copy)]
enum Storage {
    Slow,
    Works,
    Fails,
}

fn action() -> impl Strategy<Value = Action> {
    let client = || 0..NAMES.len();
    prop_oneof![
        12 => (client(), prop::bool::weighted(0.1))
            .prop_map(|(client, loses_answer)| Action::Beat { client, loses_answer }),
        1 => (client(), 0..SUBSCRIPTIONS.len())
            .prop_map(|(client, subscription)| Action::Subscribe { client, subscription }),
        8 => client().prop_map(|client| Action::Revoke { client }),
        1 => client().prop_map(|client| Action::Leave { client }),
        1 => client().prop_map(|client| Action::Die { client }),
        3 => select(vec![100, 5_000, 20_000, 50_000]).prop_map(Action::Pass),
        1 => (1..9i32).prop_map(Action::Partitions),
        1 => select(vec![Storage::Slow, Storage::Works, Storage::Fails]).prop_map(Action::Storage),
        1 => Just(Action::Restart),
    ]
}

/// A client as KIP-848 wants it: it stops reading before it says so, and reads only what it was told to.
#[derive(Debug, Default)]
struct Client {
    member_id: String,
    /// `None` while it is no member.
    epoch: Option<i32>,
    subscription: usize,
    reads: Partitions,
    told: Partitions,
    heard_ms: i64,
    must_say_all: bool,
}

struct Clients {
    world: World,
    clients: Vec<Client>,
    born: usize,
    topics: (i32, i32),
}

impl Clients {
    fn new() -> Self {
        let mut world = World::new();
        world.set_topics(topics(&[("t", 4), ("u", 2)]));
        let clients = NAMES.iter().map(|_| Client::default()).collect();
        Self { world, clients, born: 0, topics: (4, 2) }
    }

    fn show_topics(&mut self) {
        let (t, u) = self.topics;
        self.world.set_topics(topics(&[("t", t), ("u", u)]));
    }

    /// Sends a heartbeat; its token, if there was something to send.
    fn send(&mut self, index: usize) -> ReplyToken {
        let client = &mut self.clients[index];
        let names = SUBSCRIPTIONS[client.subscription];
        let join = |member_id: &str| ConsumerHeartbeatRequest {
            rebalance_timeout_ms: Some(REBALANCE_MS),
            ..joining(member_id, names)
        };
        let request = match client.epoch {
            None => {
                self.born += 1;
                client.member_id = format!("{}-{}", NAMES[index], self.born);
                (client.reads, client.told) = Default::default();
                join(&client.member_id)
            }
            Some(epoch) => {
                let owned = Some(client.reads.clone());
                let short =
                    ConsumerHeartbeatRequest { owned: owned.clone(), ..beat(&client.member_id, epoch) };
                let full = ConsumerHeartbeatRequest { member_epoch: epoch, owned, ..join(&client.member_id) };
                if client.must_say_all { full } else { short }
            }
        };
        client.must_say_all = false;
        self.world.send_beat(request)
    }

    fn take(&mut self, index: usize, response: ConsumerHeartbeatResponse) {
        let now_ms = self.world.now_ms;
        let client = &mut self.clients[index];
        match response.refusal.map(|refusal| refusal.error) {
            None => {
                client.heard_ms = now_ms;
                client.epoch = Some(response.member_epoch);
                if let Some(told) = response.assignment {
                    // New ones are read at once; what is no longer its own it still reads until it revokes.
                    for (topic, indexes) in &told {
                        client.reads.entry(*topic).or_default().extend(indexes);
                    }
                    client.told = told;
                }
            }
            Some(GroupError::CoordinatorNotAvailable) => client.must_say_all = true,
            Some(
                GroupError::FencedMemberEpoch | GroupError::UnknownMemberId | GroupError::GroupIdNotFound,
            ) => {
                client.epoch = None;
                client.reads.clear();
            }
            Some(other) => panic!("{other:?}"),
        }
    }

    fn beat(&mut self, index: usize, loses_answer: bool) {
        let token = self.send(index);
        if self.world.is_parked(token) {
            // The client gives up on it and says everything the next time.
            self.clients[index].must_say_all = true;
            if self.clients[index].epoch.is_none() {
                self.clients[index].member_id.clear();
            }
            return;
        }
        let response = self.world.beaten(token);
        if loses_answer {
            self.clients[index].must_say_all = true;
        } else {
            self.take(index, response);
        }
    }

    fn revoke(&mut self, index: usize) {
        let client = &mut self.clients[index];
        let told = client.told.clone();
        client.reads.retain(|topic, indexes| {
            indexes.retain(|index| told.get(topic).is_some_and(|told| told.contains(index)));
            !indexes.is_empty()
        });
    }

    /// A client that was not heard of within its session gives up by itself.
    fn end_sessions(&mut self) {
        for client in &mut self.clients {
            if self.world.now_ms - client.heard_ms >= 45_000 {
                client.epoch = None;
                client.reads.clear();
            }
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Beat { client, loses_answer } => self.beat(client, loses_answer),
            Action::Subscribe { client, subscription } => {
                self.clients[client].subscription = subscription;
                self.clients[client].must_say_all = true;
            }
            Action::Revoke { client } => self.revoke(client),
            Action::Leave { client } => {
                if self.clients[client].epoch.take().is_some() {
                    self.clients[client].reads.clear();
                    let member_id = self.clients[client].member_id.clone();
                    self.world.send_beat(beat(&member_id, -1));
                }
            }
            Action::Die { client } => {
                self.clients[client].epoch = None;
                self.clients[client].reads.clear();
            }
            Action::Pass(span_ms) => {
                self.world.pass(span_ms);
                self.end_sessions();
            }
            Action::Partitions(count) => {
                self.topics.0 = self.topics.0.max(count);
                self.show_topics();
            }
            Action::Storage(Storage::Slow) => self.world.is_storage_slow = true,
            Action::Storage(Storage::Works) => {
                self.world.is_storage_slow = false;
                self.world.answer_writes(true);
            }
            Action::Storage(Storage::Fails) => self.world.answer_writes(false),
            Action::Restart => {
                // What storage has not answered is lost with the coordinator, and so is who waits.
                self.world.unanswered.clear();
                self.world.restart();
                self.show_topics();
            }
        }
    }

    fn check_that_nobody_shares(&self) -> Result<(), TestCaseError> {
        let mut readers: BTreeMap<(TopicId, i32), &str> = BTreeMap::new();
        for client in &self.clients {
            for (topic, indexes) in &client.reads {
                for index in indexes {
                    if let Some(other) = readers.insert((*topic, *index), &client.member_id) {
                        prop_assert!(false, "{} and {} read {} {}", client.member_id, other, topic, index);
                    }
                }
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_partition_is_read_twice_and_in_the_end_each_is_read(
        actions in prop::collection::vec(action(), 1..120),
    ) {
        let mut clients = Clients::new();
        for action in actions {
            clients.act(action);
            clients.check_that_nobody_shares()?;
        }
        clients.act(Action::Storage(Storage::Works));
        for round in 0..60 {
            for index in 0..NAMES.len() {
                clients.revoke(index);
                clients.beat(index, false);
                clients.check_that_nobody_shares()?;
            }
            // Sessions of those who died end meanwhile.
            clients.act(Action::Pass(if round < 40 { 2_500 } else { 1 }));
        }
        let group = clients.world.coordinator.describe_consumer_group(GROUP).unwrap();
        prop_assert_eq!(group.state, "Stable");
        prop_assert_eq!(group.members.len(), NAMES.len());
        let wanted: BTreeSet<&str> =
            clients.clients.iter().flat_map(|client| SUBSCRIPTIONS[client.subscription]).copied().collect();
        let expected = wanted.iter().map(|name| if *name == "t" { clients.topics.0 } else { clients.topics.1 });
        let read: usize = clients.clients.iter().flat_map(|client| client.reads.values()).map(BTreeSet::len).sum();
        prop_assert_eq!(i32::try_from(read).unwrap(), expected.sum::<i32>());
        prop_assert!(clients.world.coordinator.next_timeout_ms().is_some_and(|next| next > clients.world.now_ms));
    }
}
