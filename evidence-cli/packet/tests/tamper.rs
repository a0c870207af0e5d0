//! Every change to a packet is detected: random single bytes, and structural changes to the container.
//!
//! `CADASTRE_TAMPERINGS` sets how many of each kind; `cargo xtask packet-tamper` runs 10,000.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking, in its helpers too"
)]

mod common;

use cadastre_packet::{Randomness as _, SeededRandomness};
use common::*;

/// Numbers below a bound, from a seed.
struct Numbers(SeededRandomness);

impl Numbers {
    fn below(&self, bound: usize) -> usize {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes).unwrap();
        usize::try_from(u64::from_le_bytes(bytes) % bound as u64).unwrap()
    }
}

fn tamperings() -> usize {
    std::env::var("CADASTRE_TAMPERINGS").map_or(400, |count| count.parse().unwrap())
}

#[track_caller]
fn detected(changed: &[u8], what: &str) {
    assert!(verifies(changed).is_err(), "not detected: {what}");
}

#[test]
fn every_random_single_byte_change_is_detected() {
    let packet = signed();
    verifies(&packet).unwrap();
    let numbers = Numbers(SeededRandomness::new(10));
    for _ in 0..tamperings() {
        let mut changed = packet.clone();
        let at = numbers.below(packet.len());
        changed[at] ^= u8::try_from(1 + numbers.below(255)).unwrap();
        detected(&changed, &format!("byte {at}"));
    }
}

#[test]
fn every_byte_of_the_containers_headers_counts() {
    let packet = signed();
    let directory = packet.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
    let local: Vec<usize> = (0..directory).filter(|at| packet[*at..].starts_with(b"PK\x03\x04")).collect();
    let headers = local.iter().flat_map(|at| *at..*at + 30).chain(directory..packet.len());
    for at in headers {
        for change in [0x01, 0x80, 0xff] {
            let mut changed = packet.clone();
            changed[at] ^= change;
            detected(&changed, &format!("header byte {at} by {change:#x}"));
        }
    }
}

#[test]
fn every_structural_change_is_detected() {
    let packet = signed();
    let numbers = Numbers(SeededRandomness::new(11));
    for _ in 0..tamperings() {
        let (a, b) = (numbers.below(packet.len()), numbers.below(packet.len()));
        let (from, to) = (a.min(b), a.max(b) + 1);
        let part = packet[from..to].to_vec();
        let mut changed = packet.clone();
        let what = match numbers.below(8) {
            0 => {
                changed.truncate(from);
                "cut short"
            }
            1 => {
                changed.drain(from..to);
                "bytes removed"
            }
            2 => {
                changed.splice(from..from, part);
                "bytes repeated"
            }
            3 => {
                changed[from..to].reverse();
                "bytes reversed"
            }
            4 => {
                changed.insert(from, u8::try_from(numbers.below(256)).unwrap());
                "a byte inserted"
            }
            5 => {
                changed.extend(part);
                "bytes appended"
            }
            6 => {
                changed[from..to].fill(0);
                "bytes zeroed"
            }
            _ => {
                changed.splice(0..0, part);
                "bytes before"
            }
        };
        if changed != packet {
            detected(&changed, &format!("{what}, {from}..{to}"));
        }
    }
}

#[test]
fn files_that_are_added_removed_renamed_exchanged_or_reordered_are_detected() {
    let packet = signed();
    let parts = apart(&packet);
    assert_eq!(canonical_zip(&parts), packet, "the test's own writer makes the same container");
    for at in 0..parts.len() {
        let mut removed = parts.clone();
        let (name, content) = removed.remove(at);
        detected(&canonical_zip(&removed), &format!("{name} removed"));
        for place in 0..removed.len() {
            if place != at {
                let mut moved = removed.clone();
                moved.insert(place, (name.clone(), content.clone()));
                detected(&canonical_zip(&moved), &format!("{name} moved to {place}"));
            }
        }
        for other in 0..parts.len() {
            if parts[other].1 != content {
                let mut exchanged = parts.clone();
                exchanged[at].1.clone_from(&parts[other].1);
                exchanged[other].1.clone_from(&content);
                detected(&canonical_zip(&exchanged), &format!("{name} exchanged"));
            }
        }
        let mut added = parts.clone();
        added.insert(at, (format!("{name}x"), content.clone()));
        detected(&canonical_zip(&added), &format!("{name}x added"));
        let mut renamed = parts.clone();
        renamed[at].0.push('x');
        detected(&canonical_zip(&renamed), &format!("{name} renamed"));
    }
}

#[test]
fn records_that_are_reordered_repeated_or_removed_are_detected() {
    let parts = apart(&signed());
    let place = parts.iter().position(|(name, _)| name == "records/kms.ndjson").unwrap();
    let text = String::from_utf8(parts[place].1.clone()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let with = |lines: Vec<&str>| {
        let mut changed = parts.clone();
        changed[place].1 = lines.iter().flat_map(|line| format!("{line}\n").into_bytes()).collect();
        canonical_zip(&changed)
    };
    verifies(&with(lines.clone())).unwrap();
    let mut exchanged = lines.clone();
    exchanged.swap(0, 1);
    detected(&with(exchanged), "records exchanged");
    detected(&with(lines[1..].to_vec()), "record removed");
    detected(&with([lines.as_slice(), &lines[..1]].concat()), "record repeated");
}
