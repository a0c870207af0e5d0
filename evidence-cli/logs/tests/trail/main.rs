//! The digest chain: whole ones are valid, and every kind of damage is told as what it is, and as nothing else.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a helper that fails is a test that fails")]

mod openssl;
mod support;

use std::collections::BTreeSet;

use cadastre_logs::trail::{TrailOutcome, TrailVerification, TrailWindow};
use cadastre_model::Timestamp;
use serde_json::json;
use support::{Chain, Made, START, World, gzip, keys, time};

const HOUR: i64 = 3_600;

fn kinds(result: &TrailVerification) -> BTreeSet<&'static str> {
    result.problems.iter().map(|problem| problem.kind.name()).collect()
}

/// Three days of a trail.
fn whole() -> (World, Vec<Made>) {
    let mut world = World::default();
    let made = world.chain(&Chain::standard(), START, 30, 0);
    (world, made)
}

/// Damages a whole trail and checks which kinds of problem are told, and on how many files.
#[track_caller]
fn check(damage: impl FnOnce(&mut World, &[Made]), expected: &[&str], count: usize) {
    let (mut world, made) = whole();
    damage(&mut world, &made);
    let result = world.verify(&keys(&[0]), TrailWindow::default());
    assert_eq!(kinds(&result), expected.iter().copied().collect(), "{}", result.table());
    assert_eq!(result.problems.len(), count, "{}", result.table());
    assert_eq!(result.outcome(), TrailOutcome::Wrong);
    assert!(!result.valid);
}

/// Builds a trail and checks that nothing is wrong with it.
#[track_caller]
fn fine(build: impl FnOnce(&mut World)) -> TrailVerification {
    let mut world = World::default();
    build(&mut world);
    let result = world.verify(&keys(&[0, 1]), TrailWindow::default());
    assert_eq!(result.outcome(), TrailOutcome::Valid, "{}", result.table());
    assert!(result.valid);
    result
}

/// The key of the log file that was delivered in an hour.
fn log_of(world: &World, hour: i64) -> String {
    let stamp = Chain::standard().log_key(START + hour * HOUR + 600, &format!("a{hour}eu-central-1"));
    assert!(world.files.contains_key(&stamp));
    stamp
}

#[test]
fn a_whole_trail_is_valid_and_counted() {
    let result = fine(|world| drop(world.chain(&Chain::standard(), START, 30, 0)));
    assert_eq!((result.digests, result.logs), (30, 48));
    assert_eq!(result.from.unwrap().to_string(), time(START));
    assert_eq!(result.to.unwrap().to_string(), time(START + 30 * HOUR));
}

#[test]
fn compressing_again_or_inflating_changes_nothing() {
    fine(|world| {
        world.chain(&Chain::standard(), START, 6, 0);
        let keys: Vec<String> = world.files.keys().filter(|key| key.ends_with(".gz")).cloned().collect();
        for (at, key) in keys.iter().enumerate() {
            let mut text = Vec::new();
            std::io::Read::read_to_end(
                &mut flate2::read::GzDecoder::new(world.files[key].as_slice()),
                &mut text,
            )
            .unwrap();
            let bytes = match at % 3 {
                0 => gzip(&text, 1),
                1 => [gzip(&text[..5], 9), gzip(&text[5..], 0)].concat(),
                _ => text,
            };
            world.files.insert(key.clone(), bytes);
        }
    });
}

#[test]
fn several_regions_accounts_trails_and_organizations_lie_side_by_side() {
    let result = fine(|world| {
        for (prefix, account, region, trail) in [
            ("AWSLogs", "111122223333", "eu-central-1", "audit"),
            ("AWSLogs", "111122223333", "us-east-1", "audit"),
            ("AWSLogs", "444455556666", "eu-central-1", "audit"),
            ("AWSLogs/o-exampleorgid", "777788889999", "eu-central-1", "org_wide"),
            ("some/prefix/AWSLogs", "111122223333", "eu-west-1", "second_trail"),
        ] {
            world.chain(&Chain { prefix, account, region, trail, backfill: false }, START, 6, 0);
        }
    });
    assert_eq!(result.digests, 30);
}

#[test]
fn the_directory_may_begin_above_or_below_the_bucket() {
    let (world, _) = whole();
    let mut above = World::default();
    let mut below = World::default();
    for (key, bytes) in world.files {
        below.files.insert(key.strip_prefix("AWSLogs/").unwrap().to_owned(), bytes.clone());
        above.files.insert(format!("copies/amzn-s3-demo-bucket/{key}"), bytes);
    }
    for world in [above, below] {
        let result = world.verify(&keys(&[0]), TrailWindow::default());
        assert!(result.valid, "{}", result.table());
    }
}

#[test]
fn a_change_of_key_continues_the_chain() {
    fine(|world| {
        let made = world.chain(&Chain::standard(), START, 5, 0);
        world.continue_chain(&Chain::standard(), START + 5 * HOUR, 5, 1, made.last());
    });
}

#[test]
fn backfill_digests_are_a_chain_of_their_own_with_holes_in_time() {
    fine(|world| {
        world.chain(&Chain::standard(), START, 10, 0);
        backfill(world);
    });
}

/// Three backfill digests of hours that are far apart.
fn backfill(world: &mut World) -> Vec<Made> {
    let chain = Chain { backfill: true, ..Chain::standard() };
    let mut made: Vec<Made> = Vec::new();
    for hour in [1, 4, 8] {
        let start = START + hour * HOUR;
        let late = world.log(&chain, start + 900, &format!("late{hour}"));
        let previous = made.last().cloned();
        made.push(world.digest(&chain, (start, start + HOUR), vec![late], previous.as_ref(), 0, |_| {}));
    }
    made
}

#[test]
fn without_saved_metadata_the_successor_proves_all_but_the_newest() {
    let (mut world, made) = whole();
    world.files.retain(|key, _| !key.ends_with(".metadata.json"));
    let result = world.verify(&keys(&[0]), TrailWindow::default());
    assert_eq!(result.outcome(), TrailOutcome::Unproven, "{}", result.table());
    assert!(result.problems.is_empty() && !result.valid);
    assert_eq!(result.unchecked.len(), 1);
    assert_eq!(result.unchecked[0].file, made.last().unwrap().key);

    world.edit(&made[9].key, |text| text.replace("\"oldestEventTime\"", "\"oldestEventTimes\""));
    let result = world.verify(&keys(&[0]), TrailWindow::default());
    let files: Vec<&str> = result.problems.iter().map(|problem| problem.file.as_str()).collect();
    assert_eq!(kinds(&result), BTreeSet::from(["digest-signature"]), "{}", result.table());
    assert_eq!(files, [made[9].key.as_str()]);
}

#[test]
fn an_unknown_key_proves_nothing_and_is_not_wrong() {
    let (world, _) = whole();
    let result = world.verify(&keys(&[1]), TrailWindow::default());
    assert_eq!(result.outcome(), TrailOutcome::Unproven, "{}", result.table());
    assert_eq!(kinds(&result), BTreeSet::from(["unknown-key"]));
    assert_eq!(result.problems.len(), 30);
}

#[test]
fn a_key_that_was_not_valid_then_is_unknown() {
    let mut world = World::default();
    // Two years before the keys of the test begin to sign.
    world.chain(&Chain::standard(), START - 730 * 86_400, 3, 0);
    let result = world.verify(&keys(&[0]), TrailWindow::default());
    assert_eq!(kinds(&result), BTreeSet::from(["unknown-key"]), "{}", result.table());
}

#[test]
fn edited_and_missing_log_files_are_found() {
    check(
        |world, _| {
            let key = log_of(world, 7);
            world.edit(&key, |text| text.replace("eventTime", "eventTimE"));
        },
        &["log-hash"],
        1,
    );
    check(
        |world, _| {
            let key = log_of(world, 7);
            let cut = world.files[&key].len() - 7;
            world.files.get_mut(&key).unwrap().truncate(cut);
        },
        &["log-hash"],
        1,
    );
    check(|world, _| drop(world.files.insert(log_of(world, 7), Vec::new())), &["log-hash"], 1);
    check(|world, _| drop(world.files.remove(&log_of(world, 7))), &["log-missing"], 1);
    check(
        |world, _| {
            let (a, b) = (log_of(world, 7), log_of(world, 8));
            let (of_a, of_b) = (world.files[&a].clone(), world.files[&b].clone());
            world.files.insert(a, of_b);
            world.files.insert(b, of_a);
        },
        &["log-hash"],
        2,
    );
}

#[test]
fn log_files_that_no_digest_lists_are_found() {
    check(|world, _| drop(world.log(&Chain::standard(), START + 7 * HOUR + 60, "EXTRA")), &["log-extra"], 1);
    check(
        |world, _| {
            let (key, other) = (log_of(world, 7), Chain::standard().log_key(START + 7 * HOUR, "renamed"));
            let bytes = world.files.remove(&key).unwrap();
            world.files.insert(other, bytes);
        },
        &["log-extra", "log-missing"],
        2,
    );
    check(|world, _| drop(world.log(&Chain::standard(), START - 9 * HOUR, "EARLY")), &["log-extra"], 1);
    // Long after the newest digest, one log file says that CloudTrail was still at work.
    check(
        |world, _| drop(world.log(&Chain::standard(), START + 50 * HOUR, "LATE")),
        &["gap", "log-extra"],
        2,
    );
}

#[test]
fn a_log_file_newer_than_any_digest_can_be_is_not_checked_yet() {
    let (mut world, _) = whole();
    world.log(&Chain::standard(), START + 30 * HOUR + 300, "fresh");
    let result = world.verify(&keys(&[0]), TrailWindow::default());
    assert_eq!(result.outcome(), TrailOutcome::Unproven, "{}", result.table());
}

#[test]
fn edited_digests_are_found() {
    let key = |made: &[Made]| made[12].key.clone();
    check(
        |world, made| world.edit(&key(made), |text| text.replace("oldestEventTime", "oldestEventTimE")),
        &["digest-signature"],
        1,
    );
    // A log file and the digest that lists it, edited to agree.
    check(
        |world, made| {
            let log = log_of(world, 12);
            let mut before = Vec::new();
            std::io::Read::read_to_end(
                &mut flate2::read::GzDecoder::new(world.files[&log].as_slice()),
                &mut before,
            )
            .unwrap();
            world.files.insert(log, gzip(b"{\"Records\":[]}", 6));
            world.edit(&key(made), |text| {
                text.replace(&support::sha256(&before), &support::sha256(b"{\"Records\":[]}"))
            });
        },
        &["digest-signature"],
        1,
    );
    check(|world, made| drop(world.files.insert(key(made), b"{}".to_vec())), &["digest-signature"], 1);
    check(
        |world, made| {
            let cut = world.files[&key(made)].len() / 2;
            world.files.get_mut(&key(made)).unwrap().truncate(cut);
        },
        &["digest-signature"],
        1,
    );
    // The newest has no successor; its own signature tells.
    check(
        |world, made| world.edit(&made[29].key, |text| text.replace("oldestEventTime", "oldestEventTimE")),
        &["digest-signature"],
        1,
    );
    // A signature beside the digest that is another's.
    check(
        |world, made| {
            let metadata = json!({ "signature": made[3].signature, "signature-algorithm": "SHA256withRSA" });
            world.files.insert(format!("{}.metadata.json", key(made)), metadata.to_string().into_bytes());
        },
        &["digest-signature"],
        1,
    );
    // Signed with a key of one's own, under the fingerprint of CloudTrail's.
    check(
        |world, made| {
            let chain = Chain::standard();
            let start = START + 12 * HOUR;
            let previous = made[11].clone();
            world.digest(&chain, (start, start + HOUR), Vec::new(), Some(&previous), 1, |document| {
                document["digestPublicKeyFingerprint"] = json!(support::fingerprint(0));
            });
        },
        &["digest-signature"],
        1,
    );
}

#[test]
fn missing_digests_are_found_once() {
    check(|world, made| world.remove_digest(&made[12].key), &["digest-missing"], 1);
    check(|world, made| world.remove_digest(&made[0].key), &["digest-missing"], 1);
    check(|world, made| (5..9).for_each(|at| world.remove_digest(&made[at].key)), &["digest-missing"], 1);
    // A whole day wiped, digests and log files alike: the next day's first digest knows of its last hour.
    check(
        |world, _| world.files.retain(|key, _| !key.contains("/2026/03/01/")),
        &["digest-missing", "log-missing"],
        3,
    );
    // All digests gone, the log files left.
    check(|world, _| world.files.retain(|key, _| !key.contains("CloudTrail-Digest")), &["digest-missing"], 1);
    // Two holes are two problems.
    check(
        |world, made| [4, 20].into_iter().for_each(|at| world.remove_digest(&made[at].key)),
        &["digest-missing"],
        2,
    );
}

#[test]
fn forged_and_skipped_links_are_found() {
    let relink = |change: fn(&mut serde_json::Value, &[Made])| {
        move |world: &mut World, _: &[Made]| {
            world.files.clear();
            let chain = Chain::standard();
            let made = world.chain(&chain, START, 12, 0);
            let start = START + 12 * HOUR;
            world.digest(&chain, (start, start + HOUR), Vec::new(), made.last(), 0, |document| {
                change(document, &made);
            });
        }
    };
    check(
        relink(|document, made| document["previousDigestSignature"] = json!(made[3].signature)),
        &["digest-link"],
        1,
    );
    check(
        relink(|document, made| document["previousDigestHashValue"] = json!(made[3].hash)),
        &["digest-link"],
        1,
    );
    check(
        relink(|document, made| {
            document["previousDigestS3Object"] = json!(made[10].key);
            document["previousDigestHashValue"] = json!(made[10].hash);
            document["previousDigestSignature"] = json!(made[10].signature);
        }),
        &["digest-link"],
        1,
    );
    check(relink(|document, _| document["previousDigestSignature"] = json!(null)), &["digest-link"], 1);
    check(
        relink(|document, _| {
            let of_another = Chain { trail: "other", ..Chain::standard() }.digest_key(START + 12 * HOUR);
            document["previousDigestS3Object"] = json!(of_another);
        }),
        &["digest-link"],
        1,
    );
    // The same without saved metadata: the signature that the successor carries is all there is.
    let (mut world, mut made) = (World::default(), Vec::new());
    made.extend(world.chain(&Chain::standard(), START, 3, 0));
    let start = START + 3 * HOUR;
    let (chain, last) = (Chain::standard(), made[2].clone());
    world.digest(&chain, (start, start + HOUR), Vec::new(), Some(&last), 0, |document| {
        document["previousDigestSignature"] = json!(made[1].signature);
    });
    world.files.retain(|key, _| !key.ends_with(".metadata.json"));
    let result = world.verify(&keys(&[0]), TrailWindow::default());
    assert_eq!(kinds(&result), BTreeSet::from(["digest-link"]), "{}", result.table());
}

#[test]
fn stray_and_foreign_digests_are_found() {
    // Another account's, region's and trail's digest in this one's place.
    for foreign in [
        Chain { account: "444455556666", ..Chain::standard() },
        Chain { region: "us-east-1", ..Chain::standard() },
        Chain { trail: "other", ..Chain::standard() },
    ] {
        check(
            |world, made| {
                let mut other = World::default();
                let theirs = other.chain(&foreign, START, 13, 0);
                world.files.insert(made[12].key.clone(), other.files[&theirs[12].key].clone());
                let metadata = |key: &str| format!("{key}.metadata.json");
                let beside = other.files[&metadata(&theirs[12].key)].clone();
                world.files.insert(metadata(&made[12].key), beside);
            },
            &["digest-link"],
            1,
        );
    }
    // A digest moved to another hour's name.
    check(
        |world, made| {
            let bytes = world.files[&made[12].key].clone();
            world.files.insert(Chain::standard().digest_key(START + 12 * HOUR + 1_800), bytes);
        },
        &["digest-link"],
        1,
    );
    // The same under a name that is later than any.
    check(
        |world, made| {
            let bytes = world.files[&made[12].key].clone();
            world.files.insert(Chain::standard().digest_key(START + 900 * HOUR), bytes);
        },
        &["digest-link"],
        1,
    );
    // A properly signed digest that the chain passes over.
    check(
        |world, made| {
            let start = START + 12 * HOUR;
            let chain = Chain::standard();
            world.digest(&chain, (start, start + 1_800), Vec::new(), Some(&made[11]), 0, |_| {});
        },
        &["digest-link"],
        1,
    );
    // A file among digests that is none.
    check(
        |world, made| {
            let bytes = world.files[&made[12].key].clone();
            world.files.insert(made[12].key.replace("/2026/03/01/", "/2026/03/01/old/"), bytes);
        },
        &["digest-link"],
        1,
    );
}

#[test]
fn a_stopped_trail_is_a_gap() {
    // Stopped and started again: the chain starts anew.
    check(
        |world, _| {
            world.chain(&Chain::standard(), START + 40 * HOUR, 3, 0);
        },
        &["gap"],
        1,
    );
    // Linked, with hours missing between.
    check(
        |world, made| {
            let last = made.last().cloned();
            world.continue_chain(&Chain::standard(), START + 33 * HOUR, 2, 0, last.as_ref());
        },
        &["gap"],
        1,
    );
    // Silently: one region's digests and log files end, another's go on.
    check(
        |world, _| {
            world.chain(&Chain { region: "us-east-1", ..Chain::standard() }, START, 12, 0);
        },
        &["gap"],
        1,
    );
}

#[test]
fn a_deleted_backfill_digest_is_found() {
    for (at, expected) in [
        (0, vec!["digest-missing", "log-extra"]),
        (1, vec!["digest-missing", "log-extra"]),
        (2, vec!["log-extra"]),
    ] {
        check(
            |world, _| {
                let made = backfill(world);
                world.remove_digest(&made[at].key);
            },
            &expected,
            expected.len(),
        );
    }
}

#[test]
fn a_window_says_what_the_chain_must_cover() {
    let (mut world, made) = whole();
    // The first ten hours were not handed over, and the window does not ask for them.
    (0..10).for_each(|at| world.remove_digest(&made[at].key));
    world.files.retain(|key, _| {
        !(0..10).any(|hour| key.contains(&format!("_a{hour}eu")) || key.contains(&format!("_b{hour}eu")))
    });
    let at = |hour: i64| Timestamp::from_seconds(START + hour * HOUR);
    let verify = |from, to| world.verify(&keys(&[0]), TrailWindow { from, to });
    assert!(verify(at(10), at(30)).valid, "{}", verify(at(10), at(30)).table());
    assert_eq!(kinds(&verify(None, None)), BTreeSet::from(["digest-missing"]));
    assert_eq!(kinds(&verify(at(9), at(30))), BTreeSet::from(["digest-missing", "gap"]));
    assert_eq!(kinds(&verify(at(10), at(48))), BTreeSet::from(["gap"]));
}

#[test]
fn a_directory_without_a_trail_is_an_error() {
    let empty = tempfile::tempdir().unwrap();
    let error = cadastre_logs::trail::verify_trail(empty.path(), &keys(&[0]), TrailWindow::default());
    assert!(error.unwrap_err().to_string().starts_with("there are no CloudTrail digests"));
}

#[test]
fn the_result_reads_as_documented() {
    let (mut world, made) = whole();
    world.remove_digest(&made[12].key);
    let result = world.verify(&keys(&[0]), TrailWindow::default());
    let value = serde_json::to_value(&result).unwrap();
    assert_eq!(value["problems"][0]["kind"], "digest-missing");
    assert_eq!(value["problems"][0]["file"], made[12].key);
    assert_eq!(value["valid"], false);
    assert_eq!(value["digests"], 29);
    assert_eq!(value["from"], "2026-03-01T00:00:00Z");
}
