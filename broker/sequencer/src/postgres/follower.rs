//! Telling other brokers what moved, and hearing it from them. Both are hints; polling makes up for what is lost.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use cadastre_protocol::types::{TopicId, TopicPartition};
use tokio::sync::{mpsc, watch};

use super::connection::Connector;
use super::shared::{News, Shared};
use super::{FIRST_PAUSE, LONGEST_PAUSE};
use crate::error::SequencerError;

/// News are collected for this long before they are told.
const COLLECTED_FOR: Duration = Duration::from_millis(2);
/// PostgreSQL takes up to 8,000 bytes; beyond this many partitions everything is to be read.
const NAMED_PARTITIONS: usize = 150;
/// Notifications that may wait; when there are more, the next one is as good.
const WAITING: usize = 1024;

/// Tells others what moved until `stopped`.
pub(crate) async fn tell(shared: Arc<Shared>, mut stopped: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            () = shared.has_news.notified() => {}
            _ = stopped.wait_for(|stopped| *stopped) => return,
        }
        tokio::time::sleep(COLLECTED_FOR).await;
        let payload = encode(&shared.instance, &shared.take_news());
        let told = shared.link().query("SELECT pg_notify($1, $2)", &[&shared.channel, &payload]).await;
        if let Err(error) = told {
            tracing::debug!(error = ?error, "other brokers were not told what moved; they will poll");
        }
    }
}

/// Follows what others commit until `stopped`.
pub(crate) async fn follow(shared: Arc<Shared>, connector: Connector, mut stopped: watch::Receiver<bool>) {
    let mut pause = FIRST_PAUSE;
    loop {
        tokio::select! {
            heard = listen(&shared, &connector) => match heard {
                Ok(()) => pause = FIRST_PAUSE,
                Err(error) => {
                    shared.note(&error);
                    tracing::warn!(%error, "not following the other brokers at the moment");
                }
            },
            _ = stopped.wait_for(|stopped| *stopped) => return,
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => pause = pause.saturating_mul(2).min(LONGEST_PAUSE),
            _ = stopped.wait_for(|stopped| *stopped) => return,
        }
    }
}

/// Listens on one connection until it is lost.
async fn listen(shared: &Shared, connector: &Connector) -> Result<(), SequencerError> {
    let (sender, mut notifications) = mpsc::channel(WAITING);
    let session = connector.connect(Some(sender)).await?;
    session.script(&format!("LISTEN \"{}\"", shared.channel)).await?;
    // What moved before the listening began.
    shared.refresh().await?;
    loop {
        let heard = tokio::time::timeout(shared.poll_interval, notifications.recv()).await;
        let mut news = match heard {
            Ok(Some(payload)) => decode(&shared.instance, &payload),
            Ok(None) => return Ok(()),
            Err(_elapsed) => News { everything: true, ..News::default() },
        };
        while let Ok(payload) = notifications.try_recv() {
            let more = decode(&shared.instance, &payload);
            news.partitions.extend(more.partitions);
            news.metadata |= more.metadata;
            news.everything |= more.everything;
        }
        if news.everything {
            shared.refresh().await?;
            continue;
        }
        if news.metadata {
            shared.refresh_metadata().await?;
        }
        if !news.partitions.is_empty() {
            let wanted: Vec<TopicPartition> = news.partitions.into_iter().collect();
            shared.refresh_partitions(&wanted).await?;
        }
    }
}

/// `instance metadata? everything? (topic/partition)*`, separated by spaces.
fn encode(instance: &str, news: &News) -> String {
    let mut text = instance.to_owned();
    if news.metadata {
        text.push_str(" metadata");
    }
    if news.everything || news.partitions.len() > NAMED_PARTITIONS {
        text.push_str(" everything");
        return text;
    }
    for partition in &news.partitions {
        text.push(' ');
        text.push_str(&format!("{}/{}", partition.topic, partition.partition));
    }
    text
}

/// Own news are none. What cannot be read is taken as a reason to read everything.
fn decode(instance: &str, payload: &str) -> News {
    let mut words = payload.split(' ');
    let mut news = News::default();
    if words.next() == Some(instance) {
        return news;
    }
    let mut partitions = BTreeSet::new();
    for word in words {
        match word {
            "metadata" => news.metadata = true,
            "everything" => news.everything = true,
            other => match parse(other) {
                Some(partition) => {
                    partitions.insert(partition);
                }
                None => news.everything = true,
            },
        }
    }
    news.partitions = partitions;
    news
}

fn parse(word: &str) -> Option<TopicPartition> {
    let (topic, partition) = word.split_once('/')?;
    Some(TopicPartition { topic: topic.parse::<TopicId>().ok()?, partition: partition.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn news_read_back_by_others_and_not_by_their_author() {
        let partition = TopicPartition { topic: TopicId([7; 16]), partition: 12 };
        let news = News { partitions: BTreeSet::from([partition]), metadata: true, everything: false };
        let payload = encode("a", &news);
        let heard = decode("b", &payload);
        assert_eq!(
            (heard.partitions, heard.metadata, heard.everything),
            (BTreeSet::from([partition]), true, false)
        );
        let own = decode("a", &payload);
        assert!(own.partitions.is_empty() && !own.metadata && !own.everything);
        assert!(decode("b", "a what is this").everything);
    }

    #[test]
    fn a_payload_is_never_too_long_for_the_database() {
        let partition = |partition| TopicPartition { topic: TopicId([7; 16]), partition };
        let many = |count| News { partitions: (0..count).map(partition).collect(), ..News::default() };
        assert!(encode("0123456789abcdef", &many(150)).len() < 8000);
        assert_eq!(encode("x", &many(151)), "x everything");
    }
}
