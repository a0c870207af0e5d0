//! The key ledger on a real file system: crashes, tampering, rotation, and a disk that fails.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking, and clippy's exception for tests ends at their helpers"
)]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cadastre_keys::ledger::{
    KeyEvent, KeyLedger, KeyOperation, LedgerError, LedgerFile, LedgerFileConfig, SignedLedgerHead,
    VerifyOptions, verify_ledger,
};
use cadastre_keys::signing::SigningKey;
use cadastre_keys::{EncryptionContext, ManualKeyClock};

struct Home {
    root: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap() }
    }

    fn directory(&self) -> PathBuf {
        self.root.path().join("ledger")
    }

    fn config(&self) -> LedgerFileConfig {
        LedgerFileConfig::new(self.directory(), Arc::new(ManualKeyClock::new()))
    }

    fn file(&self, number: u64) -> PathBuf {
        self.directory().join(format!("key-ledger-{number:010}.ndjson"))
    }

    /// A closed ledger with an `opened` entry and `count` more.
    async fn filled(count: u64) -> Self {
        let home = Self::new();
        append(&LedgerFile::open(home.config()).unwrap(), 0..count).await;
        home
    }
}

fn event(number: u64) -> KeyEvent {
    let context = EncryptionContext::new().with("cadastre:segment", number.to_string());
    KeyEvent::about(KeyOperation::Unwrap, "local:00", &context)
}

async fn append(ledger: &LedgerFile, numbers: impl IntoIterator<Item = u64>) {
    for number in numbers {
        ledger.append(event(number)).await.unwrap();
    }
}

fn verify(directory: &Path) -> Result<cadastre_keys::ledger::LedgerReport, LedgerError> {
    verify_ledger(directory, &VerifyOptions::default(), |_| ())
}

#[tokio::test]
async fn entries_are_there_in_order_after_reopening() {
    let home = Home::filled(3).await;
    append(&LedgerFile::open(home.config()).unwrap(), 3..5).await;
    let mut objects = Vec::new();
    let report = verify_ledger(&home.directory(), &VerifyOptions::default(), |entry| {
        objects.extend(entry.event.object.clone());
    })
    .unwrap();
    assert_eq!((report.entries, report.first_sequence, report.last_sequence), (7, 1, 7));
    assert_eq!((report.unacknowledged, report.torn_bytes), (0, 0));
    let expected: Vec<String> = (0..5).map(|number| format!("cadastre:segment={number}")).collect();
    assert_eq!(objects, expected);
}

#[tokio::test]
async fn a_second_writer_is_refused() {
    let home = Home::new();
    let _first = LedgerFile::open(home.config()).unwrap();
    assert!(matches!(LedgerFile::open(home.config()), Err(LedgerError::InUse { .. })));
}

#[tokio::test]
async fn every_flipped_byte_is_detected() {
    let home = Home::filled(2).await;
    for name in ["key-ledger-0000000001.ndjson", "key-ledger.head"] {
        let path = home.directory().join(name);
        let sound = fs::read(&path).unwrap();
        for position in 0..sound.len() {
            let mut altered = sound.clone();
            altered[position] ^= 1;
            fs::write(&path, &altered).unwrap();
            // The time in an unsigned head is the one thing that only a signature protects.
            let text = String::from_utf8_lossy(&sound).into_owned();
            let time = text.find("\"time\":\"").map(|start| start + 8..start + 32);
            if name == "key-ledger.head" && time.is_some_and(|time| time.contains(&position)) {
                continue;
            }
            let refused = verify(&home.directory());
            // A last line feed that is gone leaves an entry that the head knows.
            assert!(refused.is_err(), "{name} byte {position}: {refused:?}");
        }
        fs::write(&path, &sound).unwrap();
    }
    verify(&home.directory()).unwrap();
}

#[tokio::test]
async fn a_signed_head_detects_what_an_unsigned_one_cannot() {
    let home = Home::new();
    let signer = Arc::new(SigningKey::create(&home.root.path().join("signer")).unwrap());
    let config = LedgerFileConfig { signer: Some(Arc::clone(&signer)), ..home.config() };
    append(&LedgerFile::open(config).unwrap(), 0..2).await;
    let options = VerifyOptions { signer: Some(signer.verifying_key().clone()), earlier_head: None };
    assert!(verify_ledger(&home.directory(), &options, |_| ()).unwrap().signature_checked);
    let path = home.directory().join("key-ledger.head");
    let sound = fs::read(&path).unwrap();
    for position in 0..sound.len() {
        let mut altered = sound.clone();
        altered[position] ^= 1;
        fs::write(&path, &altered).unwrap();
        assert!(verify_ledger(&home.directory(), &options, |_| ()).is_err(), "byte {position}");
    }
    // Cut off an entry, and forge a head that agrees.
    fs::write(&path, &sound).unwrap();
    let lines = fs::read_to_string(home.file(1)).unwrap();
    let kept: Vec<&str> = lines.lines().take(2).collect();
    fs::write(home.file(1), format!("{}\n{}\n", kept[0], kept[1])).unwrap();
    let mut head = SignedLedgerHead::read(&home.directory()).unwrap().unwrap();
    head.head.sequence = 2;
    fs::write(&path, serde_json::to_vec(&head).unwrap()).unwrap();
    assert!(matches!(
        verify_ledger(&home.directory(), &options, |_| ()),
        Err(LedgerError::HeadSignature { .. })
    ));
}

#[tokio::test]
async fn entries_cut_off_at_either_end_are_missed() {
    let home = Home::filled(4).await;
    let lines: Vec<String> =
        fs::read_to_string(home.file(1)).unwrap().lines().map(|line| format!("{line}\n")).collect();
    for kept in 0..lines.len() {
        fs::write(home.file(1), lines[..kept].concat()).unwrap();
        let refused = verify(&home.directory()).unwrap_err();
        assert!(matches!(refused, LedgerError::Truncated { expected: 5, .. }), "{refused}");
        let refused = LedgerFile::open(home.config()).unwrap_err();
        assert!(matches!(refused, LedgerError::Truncated { expected: 5, .. }), "{refused}");
    }
    fs::write(home.file(1), lines[1..].concat()).unwrap();
    assert!(matches!(verify(&home.directory()), Err(LedgerError::StartMissing { found: 2 })));
    fs::write(home.file(1), [&lines[0..2], &lines[3..]].concat().concat()).unwrap();
    assert!(matches!(verify(&home.directory()), Err(LedgerError::Altered { line: 3, .. })));
    fs::remove_file(home.file(1)).unwrap();
    assert!(LedgerFile::open(home.config()).is_err());
    fs::write(home.file(1), lines.concat()).unwrap();
    fs::remove_file(home.directory().join("key-ledger.head")).unwrap();
    assert!(matches!(verify(&home.directory()), Err(LedgerError::HeadMissing { .. })));
    assert!(matches!(LedgerFile::open(home.config()), Err(LedgerError::HeadMissing { .. })));
}

#[tokio::test]
async fn an_earlier_head_shows_that_the_whole_ledger_was_exchanged() {
    let home = Home::filled(3).await;
    let earlier = SignedLedgerHead::read(&home.directory()).unwrap().unwrap().head;
    append(&LedgerFile::open(home.config()).unwrap(), 3..4).await;
    let options = VerifyOptions { signer: None, earlier_head: Some(earlier.clone()) };
    verify_ledger(&home.directory(), &options, |_| ()).unwrap();
    let other = Home::new();
    append(&LedgerFile::open(other.config()).unwrap(), 10..20).await;
    assert!(matches!(verify_ledger(&other.directory(), &options, |_| ()), Err(LedgerError::Head { .. })));
    let shorter = Home::filled(1).await;
    assert!(matches!(
        verify_ledger(&shorter.directory(), &options, |_| ()),
        Err(LedgerError::Truncated { .. })
    ));
}

#[tokio::test]
async fn a_torn_tail_is_set_aside_and_recorded_wherever_it_was_torn() {
    let home = Home::filled(2).await;
    let sound = fs::read(home.file(1)).unwrap();
    let next = b"{\"context\":{\"cadastre:segment\":\"9\"},\"operation\":\"unwrap\"";
    for length in 1..next.len() {
        fs::write(home.file(1), [&sound, &next[..length]].concat()).unwrap();
        assert_eq!(verify(&home.directory()).unwrap().torn_bytes, length as u64);
    }
    drop(LedgerFile::open(home.config()).unwrap());
    let aside = fs::read(home.directory().join("key-ledger.torn")).unwrap();
    assert_eq!(aside, [&next[..next.len() - 1], b"\n"].concat());
    let mut details = Vec::new();
    let report = verify_ledger(&home.directory(), &VerifyOptions::default(), |entry| {
        details.push(entry.event.details.clone());
    })
    .unwrap();
    assert_eq!(report.torn_bytes, 0);
    assert_eq!(details.last().unwrap()["torn_bytes"], (next.len() - 1).to_string());
}

#[tokio::test]
async fn entries_written_and_not_acknowledged_before_a_crash_stay_in_the_chain() {
    let home = Home::filled(2).await;
    let head = fs::read(home.directory().join("key-ledger.head")).unwrap();
    append(&LedgerFile::open(home.config()).unwrap(), 2..4).await;
    // The crash came before the head moved.
    fs::write(home.directory().join("key-ledger.head"), head).unwrap();
    assert_eq!(verify(&home.directory()).unwrap().unacknowledged, 3);
    append(&LedgerFile::open(home.config()).unwrap(), 4..5).await;
    let report = verify(&home.directory()).unwrap();
    assert_eq!((report.entries, report.unacknowledged), (8, 0));
}

#[tokio::test]
async fn files_rotate_and_the_oldest_are_retired_with_a_trace() {
    let home = Home::new();
    let config = LedgerFileConfig { maximum_file_bytes: 2000, maximum_files: 3, ..home.config() };
    for round in 0..4 {
        append(&LedgerFile::open(config.clone()).unwrap(), round * 10..round * 10 + 10).await;
        let report = verify(&home.directory()).unwrap();
        assert!(report.files <= 3, "{report:?}");
    }
    let report = verify(&home.directory()).unwrap();
    assert!(report.first_sequence > 1 && report.last_sequence > 44, "{report:?}");
    for entry in fs::read_dir(home.directory()).unwrap() {
        assert!(entry.unwrap().metadata().unwrap().len() < 3000);
    }
    // Without the entry that says so, the missing start is noticed.
    let first = home.file(fs_numbers(&home)[0]);
    fs::remove_file(first).unwrap();
    assert!(matches!(verify(&home.directory()), Err(LedgerError::StartMissing { .. })));
}

fn fs_numbers(home: &Home) -> Vec<u64> {
    let names = fs::read_dir(home.directory()).unwrap().map(|entry| entry.unwrap().file_name());
    let mut numbers: Vec<u64> = names
        .filter_map(|name| name.to_str()?.strip_prefix("key-ledger-")?.strip_suffix(".ndjson")?.parse().ok())
        .collect();
    numbers.sort_unstable();
    numbers
}

#[tokio::test]
async fn appends_fail_while_the_disk_does_and_go_on_afterwards() {
    let home = Home::new();
    let ledger = LedgerFile::open(home.config()).unwrap();
    append(&ledger, 0..2).await;
    // A directory in the place of the head's temporary file: entries are written, the head is not.
    let obstacle = home.directory().join("key-ledger.head.new");
    fs::create_dir(&obstacle).unwrap();
    for _ in 0..3 {
        let refused = ledger.append(event(2)).await.unwrap_err();
        assert!(matches!(refused, LedgerError::Unwritable { .. }) && refused.is_retriable(), "{refused}");
    }
    fs::remove_dir(&obstacle).unwrap();
    append(&ledger, 3..5).await;
    ledger.close();
    assert!(matches!(ledger.append(event(5)).await, Err(LedgerError::Closed)));
    let report = verify(&home.directory()).unwrap();
    assert_eq!(report.unacknowledged, 0);
}

#[tokio::test]
async fn a_ledger_that_was_removed_under_the_writer_is_not_begun_anew() {
    let home = Home::new();
    let ledger = LedgerFile::open(home.config()).unwrap();
    append(&ledger, 0..2).await;
    fs::remove_dir_all(home.directory()).unwrap();
    assert!(ledger.append(event(2)).await.is_err());
    fs::create_dir(home.directory()).unwrap();
    let refused = ledger.append(event(2)).await.unwrap_err();
    assert!(refused.to_string().contains("head"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_appends_make_one_chain() {
    let home = Home::new();
    let ledger = Arc::new(LedgerFile::open(home.config()).unwrap());
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let ledger = Arc::clone(&ledger);
            tokio::spawn(async move { append(&ledger, task * 20..task * 20 + 20).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(verify(&home.directory()).unwrap().entries, 161);
}

#[tokio::test]
async fn a_newer_version_is_refused_by_name() {
    let home = Home::filled(1).await;
    let mut file = fs::OpenOptions::new().append(true).open(home.file(1)).unwrap();
    file.write_all(b"{\"version\":2}\n").unwrap();
    assert!(matches!(verify(&home.directory()), Err(LedgerError::Newer { version: 2, .. })));
    assert!(matches!(LedgerFile::open(home.config()), Err(LedgerError::Newer { version: 2, .. })));
}
