//! The kinds of durable file, and what they have in common: changes, judgements, the table.

pub(crate) mod change;
mod content;
mod database;
mod files;
mod ledger;
mod log;
mod objects;
#[path = "../../../../sequencer/tests/support/mod.rs"]
mod postgres;
#[path = "../../kill/random.rs"]
mod random;
mod server;
pub(crate) mod table;

use random::Random;
use table::Table;

/// How much is tried.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    /// Positions and bits follow from it.
    pub(crate) seed: u64,
    /// How many bytes of each region are changed.
    pub(crate) positions: usize,
}

/// A group of file kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// Segments of the write-ahead log, with records, metadata, ACLs and credentials in them.
    Log,
    /// Objects of both modes, and the cache on disk.
    Objects,
    /// Rows of the cluster's database.
    Database,
    /// The key ledger and its head.
    Ledger,
    /// Key files, signing keys, receipts.
    Files,
    /// What lies beside the log: identity, data-path manifest, audit log.
    Server,
}

/// All of them, in the order of the table.
pub(crate) const KINDS: [Kind; 6] =
    [Kind::Log, Kind::Objects, Kind::Database, Kind::Ledger, Kind::Files, Kind::Server];

/// Tries every change on files of these kinds.
pub(crate) async fn run(settings: &Settings, kinds: &[Kind]) -> Table {
    let mut table = Table::default();
    for kind in kinds {
        let random = Random::new(settings.seed).fork(*kind as u64);
        let context = &mut Context { settings: *settings, random, table: &mut table };
        match kind {
            Kind::Log => log::tamper(context).await,
            Kind::Objects => objects::tamper(context).await,
            Kind::Database => database::tamper(context).await,
            Kind::Ledger => ledger::tamper(context).await,
            Kind::Files => files::tamper(context).await,
            Kind::Server => server::tamper(context).await,
        }
    }
    table
}

/// What each kind is handed.
pub(crate) struct Context<'a> {
    pub(crate) settings: Settings,
    pub(crate) random: Random,
    pub(crate) table: &'a mut Table,
}

/// An error and its causes in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
