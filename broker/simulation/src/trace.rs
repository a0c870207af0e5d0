//! What happened, in order, and its fingerprint: two runs of a seed must have the same.

use std::fmt;

use sha2::{Digest, Sha256};

/// The events of a run.
#[derive(Debug)]
pub(crate) struct Trace {
    hash: Sha256,
    events: u64,
    /// The lines, if they are wanted.
    lines: Option<Vec<String>>,
}

impl Trace {
    /// An empty trace that keeps its lines, or only their hash.
    #[must_use]
    pub(crate) fn new(keeps_lines: bool) -> Self {
        Self { hash: Sha256::new(), events: 0, lines: keeps_lines.then(Vec::new) }
    }

    /// Notes an event at a time, in simulated microseconds.
    pub(crate) fn note(&mut self, now: u64, event: fmt::Arguments<'_>) {
        let line = format!("{now:>10} {event}");
        self.hash.update(line.as_bytes());
        self.hash.update(b"\n");
        self.events = self.events.saturating_add(1);
        if let Some(lines) = &mut self.lines {
            lines.push(line);
        }
    }

    /// SHA-256 of all lines, in hexadecimal.
    #[must_use]
    pub(crate) fn fingerprint(&self) -> String {
        hex::encode(self.hash.clone().finalize())
    }

    /// How many events there were.
    #[must_use]
    pub(crate) const fn events(&self) -> u64 {
        self.events
    }

    /// The lines, if they were kept.
    #[must_use]
    pub(crate) fn lines(&self) -> &[String] {
        self.lines.as_deref().unwrap_or_default()
    }
}
