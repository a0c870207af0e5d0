//! Record batches, and the records in them.

use bytes::Bytes;
use cadastre_protocol::record_batch::RecordBatch;

/// More than any input unpacks to that is worth looking at, in bytes.
const UNPACKED: usize = 1 << 20;

/// Reads the input as batches; when its first byte is odd, after lengths and checksums were made to fit, which no fuzzer guesses.
pub fn run(input: &[u8]) {
    let Some((choice, rest)) = input.split_first() else { return };
    let mut bytes = rest.to_vec();
    if choice & 1 == 1 {
        repair(&mut bytes);
    }
    let bytes = Bytes::from(bytes);
    let Ok(batches) = RecordBatch::parse_all(bytes.clone()) else { return };
    assert_eq!(
        batches.iter().map(RecordBatch::size).sum::<usize>(),
        bytes.len(),
        "batches are all that there is"
    );
    for batch in &batches {
        one(batch);
    }
}

fn one(batch: &RecordBatch) {
    let producible = batch.check_producible().is_ok();
    let moved = batch.with_offsets(1 << 40, 7);
    let again = RecordBatch::parse_all(moved.bytes().clone()).expect("a moved batch is a batch");
    assert_eq!(again, std::slice::from_ref(&moved), "a batch reads as it was written");
    let Ok(records) = batch.records(UNPACKED) else { return };
    let records: Result<Vec<_>, _> = records.collect();
    let Ok(records) = records else { return };
    assert!(records.len() <= UNPACKED, "a record takes a byte at least");
    if producible {
        assert_eq!(
            i64::try_from(records.len()),
            Ok(i64::from(batch.record_count())),
            "every record is there"
        );
    }
    if let Ok(kept) = batch.with_records(&records, None) {
        let kept: Result<Vec<_>, _> = kept.records(UNPACKED * 2).expect("what was packed unpacks").collect();
        assert_eq!(
            kept.expect("records that were written are read"),
            records,
            "compaction that removes nothing changes no record"
        );
    }
}

/// Makes the length and the checksum of the one batch that the bytes are taken for fit.
fn repair(bytes: &mut [u8]) {
    let Some(length) = bytes.len().checked_sub(12).and_then(|length| i32::try_from(length).ok()) else {
        return;
    };
    if bytes.len() < 61 {
        return;
    }
    bytes[8..12].copy_from_slice(&length.to_be_bytes());
    bytes[16] = 2;
    let checksum = crc32c::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&checksum.to_be_bytes());
}
