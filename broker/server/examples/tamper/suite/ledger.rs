//! The key ledger (RFC 2): its files, and the head that says what it ended with.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cadastre_keys::ledger::{LedgerFile, LedgerFileConfig, VerifyOptions, verify_ledger};
use cadastre_keys::signing::{SigningKey, VerifyingKey};
use cadastre_keys::{EncryptionContext, KeyProvider, LedgerMode, LocalKeyFile, RecordedKeys, SystemKeyClock};

use super::change::{Altered, Region, cuts, flips, replaced};
use super::content::{copy_directory, files_below};
use super::table::{Expectation, Judgement, Verdict};
use super::{Context, chain};

/// Uses of keys: more than fit in one file of the ledger.
const USES: usize = 30;

struct Home {
    root: tempfile::TempDir,
    signer: VerifyingKey,
}

pub(crate) async fn tamper(context: &mut Context<'_>) {
    let home = Home::new().await;
    assert_eq!(home.judge(&[]).verdict, Verdict::Unnoticed);
    let files = files_below(&home.directory());
    let (heads, ledgers): (Vec<PathBuf>, Vec<PathBuf>) = files
        .into_iter()
        .filter(|path| path.extension().is_some_and(|it| it == "ndjson" || it == "head"))
        .partition(|path| path.extension().is_some_and(|it| it == "head"));
    let ([head], [first, .., last]) = (heads.as_slice(), ledgers.as_slice()) else {
        panic!("{heads:?} {ledgers:?}")
    };
    for (kind, path) in [
        ("key ledger, an older file", first),
        ("key ledger, the last file", last),
        ("key ledger, head", head),
    ] {
        let sound = std::fs::read(path).unwrap();
        let mut altered = flips(context, &sound, &json_regions(&sound));
        let half = sound.len() / 2;
        altered.extend(cuts("cut within a line", &sound, [half, sound.len() - 1]));
        altered.extend(cuts("cut to nothing", &sound, [0]));
        let ends: Vec<usize> = (0..sound.len()).filter(|at| sound[*at] == b'\n').map(|at| at + 1).collect();
        if let [.., second_last, _last] = ends.as_slice() {
            altered.extend(cuts("cut between lines", &sound, [ends[0], *second_last]));
            let taken_out = [&sound[..ends[0]], &sound[ends[1]..]].concat();
            altered.push(replaced("line taken out", "the second", taken_out));
            let repeated = [&sound[..ends[1]], &sound[ends[0]..]].concat();
            altered.push(replaced("line repeated", "the second", repeated));
        }
        let other = if path == first { last } else { first };
        altered.push(replaced("another file in its place", "the whole", std::fs::read(other).unwrap()));
        for Altered { region, what, bytes } in altered {
            let judgement = home.judge(&[(path, Some(&bytes))]);
            context.table.note(kind, &region, &what, 0, Expectation::Noticed, &judgement);
        }
        context.table.note(kind, "file gone", "", 0, Expectation::Noticed, &home.judge(&[(path, None)]));
    }
}

impl Home {
    async fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let signer = Arc::new(SigningKey::create(&root.path().join("signer")).unwrap());
        let verifying = signer.verifying_key().clone();
        let mut config = LedgerFileConfig::new(root.path().join("ledger"), Arc::new(SystemKeyClock));
        config.signer = Some(signer);
        config.maximum_file_bytes = 4096;
        let ledger = Arc::new(LedgerFile::open(config).unwrap());
        let service = Arc::new(LocalKeyFile::create(&root.path().join("kek")).unwrap());
        let keys =
            RecordedKeys::new(service, Vec::new(), Arc::<LedgerFile>::clone(&ledger), LedgerMode::FailClosed);
        for number in 0..USES {
            let context = EncryptionContext::new()
                .with("cadastre:cluster", "tamper")
                .with("cadastre:segment", number.to_string());
            keys.generate_data_key(&context).await.unwrap();
        }
        ledger.close();
        Self { root, signer: verifying }
    }

    fn directory(&self) -> PathBuf {
        self.root.path().join("ledger")
    }

    /// Checks a copy in which files have other content, or are gone, as a reviewer does.
    fn judge(&self, changes: &[(&Path, Option<&[u8]>)]) -> Judgement {
        let image = tempfile::tempdir().unwrap();
        copy_directory(&self.directory(), image.path());
        for (path, bytes) in changes {
            let path = image.path().join(path.file_name().unwrap());
            match bytes {
                Some(bytes) => std::fs::write(path, bytes).unwrap(),
                None => std::fs::remove_file(path).unwrap(),
            }
        }
        let options = VerifyOptions { signer: Some(self.signer.clone()), earlier_head: None };
        match verify_ledger(image.path(), &options, |_entry| ()) {
            Ok(report) => Judgement::new(Verdict::Unnoticed, format!("{report:?}")),
            Err(error) => Judgement::new(Verdict::Refused, chain(&error)),
        }
    }
}

/// Line feeds apart from what is in the lines.
fn json_regions(bytes: &[u8]) -> Vec<Region> {
    let mut regions = Vec::new();
    let mut start = 0;
    for (at, byte) in bytes.iter().enumerate() {
        if *byte == b'\n' {
            regions.push(Region::new("entries", start..at));
            regions.push(Region::new("line feeds", at..at + 1));
            start = at + 1;
        }
    }
    if start < bytes.len() {
        regions.push(Region::new("head and signature", start..bytes.len()));
    }
    regions
}
