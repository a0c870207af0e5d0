//! One setting's turn: produce, fetch, keep a fixed rate, start again.

use std::process::Output;
use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::Places;
use crate::figures::{Figure, Figures};
use crate::server::{Server, TOPIC, java};
use crate::usage::{memory_kib, processor_time};

/// The fixed rate, in records a second.
const RATE: u64 = 20_000;
const LARGE: u64 = 1024;
const SMALL: u64 = 100;

/// How much is sent.
#[derive(Debug)]
pub(crate) struct Load<'a> {
    pub(crate) places: &'a Places,
    /// Records of 1 KiB.
    pub(crate) records: u64,
    /// How long the fixed rate is kept, in seconds.
    pub(crate) seconds: u64,
}

/// What the producer's own tool says.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Produced {
    records_a_second: f64,
    mebibytes_a_second: f64,
    /// Milliseconds.
    p50: f64,
    p99: f64,
    p999: f64,
}

impl Load<'_> {
    pub(crate) async fn measure(&self, mut server: Server, figures: &mut Figures) -> anyhow::Result<()> {
        let setting = server.setting;
        server.start().await?;
        // Java's compiler and everybody's caches are warm afterwards.
        self.produce(&server, self.records / 8, LARGE, None)?;

        let (large, processor) =
            self.timed(&server, |server| self.produce(server, self.records, LARGE, None))?;
        figures.note(Figure::ProduceLargeMebibytes, setting, large.mebibytes_a_second);
        figures.note(Figure::ProduceLargeRecords, setting, large.records_a_second);
        figures.note(Figure::ProcessorLarge, setting, each(processor, self.records));

        let (fetched, processor) = self.timed(&server, |server| self.fetch(server, self.records))?;
        figures.note(Figure::FetchHotMebibytes, setting, fetched);
        figures.note(Figure::ProcessorFetch, setting, each(processor, self.records));

        let rate = self.produce(&server, RATE.saturating_mul(self.seconds), LARGE, Some(RATE))?;
        figures.note(Figure::LatencyMedian, setting, rate.p50);
        figures.note(Figure::Latency99, setting, rate.p99);
        figures.note(Figure::Latency999, setting, rate.p999);

        let many = self.records.saturating_mul(5);
        let (small, processor) = self.timed(&server, |server| self.produce(server, many, SMALL, None))?;
        figures.note(Figure::ProduceSmallMebibytes, setting, small.mebibytes_a_second);
        figures.note(Figure::ProduceSmallRecords, setting, small.records_a_second);
        figures.note(Figure::ProcessorSmall, setting, each(processor, many));

        tokio::time::sleep(Duration::from_secs(1)).await;
        let (at_rest, at_most) = memory_kib(server.process()?)?;
        figures.note(Figure::MemoryAtRest, setting, mebibytes(at_rest));
        figures.note(Figure::MemoryAtMost, setting, mebibytes(at_most));

        server.stop()?;
        server.forget_files()?;
        server.start().await?;
        figures.note(Figure::FetchColdMebibytes, setting, self.fetch(&server, self.records)?);
        drop(server);

        let mut small = Server::prepare(self.places, setting)?;
        small.start().await?;
        small.stop()?;
        figures.note(Figure::Start, setting, small.start().await?.as_secs_f64() * 1000.0);
        Ok(())
    }

    fn timed<T>(
        &self,
        server: &Server,
        work: impl FnOnce(&Server) -> anyhow::Result<T>,
    ) -> anyhow::Result<(T, Duration)> {
        let process = server.process()?;
        let before = processor_time(process)?;
        let done = work(server)?;
        Ok((done, processor_time(process)?.saturating_sub(before)))
    }

    fn produce(
        &self,
        server: &Server,
        records: u64,
        bytes: u64,
        rate: Option<u64>,
    ) -> anyhow::Result<Produced> {
        let bootstrap = format!("bootstrap.servers=127.0.0.1:{}", server.port());
        let rate = rate.map_or_else(|| "-1".to_owned(), |rate| rate.to_string());
        let output = java(&self.places.kafka_libraries)
            .args(["-Xmx512M", "org.apache.kafka.tools.ProducerPerformance", "--topic", TOPIC])
            .args(["--num-records", &records.to_string(), "--record-size", &bytes.to_string()])
            .args(["--throughput", &rate, "--producer-props", &bootstrap])
            .args(["acks=all", "batch.size=65536", "linger.ms=5", "buffer.memory=67108864"])
            .output()?;
        produced(&succeeded(output)?)
    }

    /// MiB a second.
    fn fetch(&self, server: &Server, records: u64) -> anyhow::Result<f64> {
        let output = java(&self.places.kafka_libraries)
            .args(["-Xmx512M", "org.apache.kafka.tools.ConsumerPerformance", "--topic", TOPIC])
            .args(["--bootstrap-server", &format!("127.0.0.1:{}", server.port())])
            .args(["--messages", &records.to_string(), "--timeout", "60000", "--hide-header"])
            .output()?;
        fetched(&succeeded(output)?)
    }
}

fn each(processor: Duration, records: u64) -> f64 {
    processor.div_f64(real(records)).as_secs_f64() * 1e6
}

fn mebibytes(kib: u64) -> f64 {
    real(kib) / 1024.0
}

fn real(number: u64) -> f64 {
    u32::try_from(number).map_or(f64::INFINITY, f64::from)
}

fn succeeded(output: Output) -> anyhow::Result<String> {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        bail!("a load tool ended with {}: {text}{}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(text)
}

/// Reads the last line: `400000 records sent, 97000.1 records/sec (94.73 MB/sec), … 12 ms 50th, … 99th, … 99.9th.`
fn produced(text: &str) -> anyhow::Result<Produced> {
    let line = text.lines().rfind(|line| line.contains("99.9th")).context("the producer says nothing")?;
    let words: Vec<&str> =
        line.split(|c: char| c.is_whitespace() || c == '(').filter(|word| !word.is_empty()).collect();
    let before = |name: &str, back: usize| -> anyhow::Result<f64> {
        let at = words
            .iter()
            .position(|word| word.starts_with(name))
            .with_context(|| format!("no {name}: {line}"))?;
        let word = at.checked_sub(back).and_then(|at| words.get(at)).context("malformed")?;
        word.parse().with_context(|| format!("`{word}` in: {line}"))
    };
    Ok(Produced {
        records_a_second: before("records/sec", 1)?,
        mebibytes_a_second: before("MB/sec", 1)?,
        p50: before("50th", 2)?,
        p99: before("99th", 2)?,
        p999: before("99.9th", 2)?,
    })
}

/// Reads `start, end, MB, MB/s, records, records/s, rebalance ms, fetch ms, fetch MB/s, fetch records/s`.
fn fetched(text: &str) -> anyhow::Result<f64> {
    let line =
        text.lines().rfind(|line| line.split(", ").count() == 10).context("the consumer says nothing")?;
    let field = line.split(", ").nth(8).context("malformed")?;
    Ok(field.trim().parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_tools_print_is_read() {
        let line = "400000 records sent, 97000.1 records/sec (94.73 MB/sec), 300.5 ms avg latency, 700.00 ms max latency, \
                    290 ms 50th, 600 ms 95th, 650 ms 99th, 690 ms 99.9th.";
        let expected = Produced {
            records_a_second: 97000.1,
            mebibytes_a_second: 94.73,
            p50: 290.0,
            p99: 650.0,
            p999: 690.0,
        };
        assert_eq!(produced(line).unwrap(), expected);
        let line = "2026-01-01 00:00:00:000, 2026-01-01 00:00:04:000, 390.6250, 97.6562, 400000, 100000.0, 500, 3500, 111.6071, 114285.7";
        assert!((fetched(line).unwrap() - 111.6071).abs() < 1e-9);
    }
}
