//! `docs/exactly-once.md`.

use std::fmt::Write as _;

use super::{Mode, Outcome};
use crate::bench::machine;
use crate::prove_ground::Database;

/// The page from the last run of each mode.
pub(super) fn render(outcomes: &[Outcome]) -> String {
    let mut text = format!(
        "# Exactly once, while brokers die\n\n\
         `cargo xtask streams` runs a Kafka Streams application with `processing.guarantee=exactly_once_v2` (Apache Kafka 4.1.1, two threads,\n\
         state in RocksDB) against brokers that end by SIGKILL, again and again. {} The brokers are debug builds.\n\n\
         A producer writes lines of two words in transactions of 25 lines over four partitions and aborts each seventh, whose word must never be\n\
         counted. The application groups and counts the words with no cache before the output, so that each count is a record of its own. A\n\
         reader follows the output with `isolation.level=read_committed` while brokers die, and fails unless each word is counted 1, 2, 3 and so\n\
         on without a gap and without a repetition, up to exactly what the producer had committed; then it reads everything again from the\n\
         beginning and compares once more. After each kill new counts must be read before the next. In every fifth round the application\n\
         itself ends by SIGKILL with the broker and goes on from what it left. A result is written only when all of this holds.\n\n\
         | command | brokers killed | application killed | lines committed | the producer's aborted transactions | counts, each once | counts in the log that were aborted and never seen | threads replaced | counting again after the broker's start, median / longest | seconds |\n\
         | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
        machine()
    );
    for outcome in outcomes {
        let mut recoveries = outcome.recoveries.clone();
        recoveries.sort_unstable();
        let median = recoveries.get(recoveries.len() / 2).copied().unwrap_or(0);
        let longest = recoveries.last().copied().unwrap_or(0);
        let _infallible = writeln!(
            text,
            "| `{}` | {} | {} | {} | {} | {} | {} | {} | {median} ms / {longest} ms | {} |",
            outcome.command,
            outcome.broker_kills,
            outcome.application_kills,
            outcome.lines,
            outcome.producer_aborts,
            outcome.counts,
            outcome.aborted_counts,
            outcome.replaced_threads,
            outcome.seconds,
        );
    }
    text.push_str("\nEmbedded is one broker over one directory.");
    if outcomes.iter().any(|outcome| outcome.mode == Mode::Cluster) {
        let database = Database::version().unwrap_or_else(|_unknown| "PostgreSQL".to_owned());
        let _infallible =
            write!(text, " A cluster is two brokers over {database} and moto's S3, killed in turn.");
    }
    text.push_str(" A thread that gives up is replaced, and the run goes on.\n");
    text
}
