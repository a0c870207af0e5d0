//! Files into evidence, as `cadastre scan --trail` does it.

use std::collections::BTreeSet;
use std::path::Path;

use cadastre_logs::events::KeyLedger;
use cadastre_logs::evidence::{LogSources, observe};
use cadastre_logs::trail::PublicKeys;
use cadastre_model::Record;
use cadastre_model::declaration::Declaration;
use cadastre_model::evidence::Evidence;

use crate::bucket::{ACCOUNT, Bucket, REGION, public_keys};

/// What is handed over beside the trail's files.
pub(crate) struct Handed<'a> {
    pub(crate) keys: bool,
    pub(crate) ledger: Option<&'a str>,
}

/// The records that files give.
pub(crate) fn records(
    bucket: &Bucket,
    handed: &Handed<'_>,
    declaration: &Declaration,
    directory: &Path,
) -> Vec<Record> {
    let trail = directory.join("bucket");
    bucket.write(&trail).expect("a directory");
    let keys = PublicKeys::parse(public_keys().as_bytes(), "keys.json").expect("keys");
    let ledgers: Vec<KeyLedger> = handed
        .ledger
        .iter()
        .map(|text| {
            let path = directory.join("key-ledger-0000000001.ndjson");
            std::fs::write(&path, text).expect("a directory");
            KeyLedger::read(&path).expect("a ledger")
        })
        .collect();
    let observations = observe(&LogSources {
        trail: &trail,
        public_keys: handed.keys.then_some(&keys),
        ledgers: &ledgers,
        keys: BTreeSet::new(),
        skew: 300,
        window: declaration.limits.usage_window.seconds(),
        fields: BTreeSet::from([(ACCOUNT.to_owned(), REGION.to_owned())]),
    });
    observations
        .expect("a trail")
        .into_iter()
        .map(|observation| observation.seal().expect("canonical JSON"))
        .collect()
}

/// The evidence with these records of logs in place of those it had.
pub(crate) fn joined(evidence: &Evidence, logs: Vec<Record>) -> Evidence {
    let others = evidence.records().iter().filter(|record| record.collector != "logs");
    let manifest = evidence.manifest();
    Evidence::from_records(
        others.cloned().chain(logs).collect(),
        &manifest.tool_version,
        manifest.started_at,
        manifest.finished_at,
        manifest.complete,
    )
}
