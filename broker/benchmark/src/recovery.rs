//! The first acknowledgement after `kill -9` under load, as more and more is stored.

use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::Places;
use crate::client::{self, PARTITIONS};
use crate::figures::summary;
use crate::server::{Server, Setting};

/// A batch holds so many records of 1 KiB.
const RECORDS: usize = 500;

/// Prints a line for each setting and size.
pub(crate) async fn measure(
    places: &Places,
    settings: &[Setting],
    mebibytes: &[u64],
    kills: usize,
) -> anyhow::Result<()> {
    println!("| | sent, MiB | in files, MiB | first acknowledgement after `kill -9`, ms |");
    println!("| --- | ---: | ---: | ---: |");
    for setting in settings {
        let mut server = Server::prepare(places, *setting)?;
        server.start().await?;
        let mut sent = 0;
        for size in mebibytes {
            let bytes = (size << 20).saturating_sub(sent);
            sent = sent.saturating_add(fill(server.port(), bytes).await?);
            // Whatever is moved in the background has its time.
            tokio::time::sleep(Duration::from_secs(6)).await;
            let mut times = Vec::new();
            for _ in 0..kills {
                let port = server.port();
                let under_way = tokio::spawn(async move { fill(port, u64::MAX).await });
                tokio::time::sleep(Duration::from_millis(1500)).await;
                server.kill()?;
                under_way.abort();
                times.push(server.start().await?.as_secs_f64() * 1000.0);
            }
            let stored = server.stored_bytes()? >> 20;
            println!("| {setting} | {size} | {stored} | {} |", summary(times));
        }
    }
    Ok(())
}

/// Sends about so many bytes over two connections a partition; tells how many.
pub(crate) async fn fill(port: u16, bytes: u64) -> anyhow::Result<u64> {
    let share = bytes / PARTITIONS.unsigned_abs() as u64;
    let mut senders = tokio::task::JoinSet::new();
    for index in 0..PARTITIONS {
        senders.spawn(async move {
            let batch = client::batch(RECORDS, 1024)?;
            let mut client = client::connect(port).await?;
            let mut sent = 0_u64;
            while sent < share {
                if !client::produce(&mut client, index, &batch).await? {
                    bail!("the broker is not ready");
                }
                sent = sent.saturating_add(batch.bytes().len() as u64);
            }
            anyhow::Ok(sent)
        });
    }
    let mut sent = 0_u64;
    while let Some(of_one) = senders.join_next().await {
        sent = sent.saturating_add(of_one.context("a sender ended")??);
    }
    Ok(sent)
}
