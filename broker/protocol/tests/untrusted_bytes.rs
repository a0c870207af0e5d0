//! Decoders of untrusted bytes: nothing panics, damage is found, and little is allocated.

use bytes::{Bytes, BytesMut};
use cadastre_protocol::api::{self, KAFKA_4_1, RequestHeader};
use cadastre_protocol::record::{Header, Record};
use cadastre_protocol::record_batch::RecordBatch;
use proptest::prelude::*;

fn any_bytes(maximum: usize) -> impl Strategy<Value = Option<Bytes>> {
    prop::option::of(prop::collection::vec(any::<u8>(), 0..maximum).prop_map(Bytes::from))
}

fn any_record() -> impl Strategy<Value = Record> {
    let header = (prop::collection::vec(any::<u8>(), 0..8), any_bytes(8))
        .prop_map(|(key, value)| Header { key: key.into(), value });
    (0i64..1 << 48, any_bytes(40), any_bytes(40), prop::collection::vec(header, 0..4))
        .prop_map(|(timestamp, key, value, headers)| Record { offset: 0, timestamp, key, value, headers })
}

fn any_batch() -> impl Strategy<Value = RecordBatch> {
    prop::collection::vec(any_record(), 1..6)
        .prop_filter_map("no records, no batch", |records| RecordBatch::build(0, &records, None))
}

proptest! {
    #[test]
    fn random_bytes_never_panic_as_batches(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = RecordBatch::parse_all(bytes.into());
    }

    #[test]
    fn random_records_behind_a_valid_header_never_panic(
        batch in any_batch(),
        code in 0i16..5,
        noise in prop::collection::vec(any::<u8>(), 0..120),
    ) {
        let mut bytes = batch.bytes()[..61].to_vec();
        bytes[21..23].copy_from_slice(&code.to_be_bytes());
        bytes.extend_from_slice(&noise);
        let length = i32::try_from(bytes.len() - 12).unwrap();
        bytes[8..12].copy_from_slice(&length.to_be_bytes());
        let checksum = crc32c::crc32c(&bytes[21..]);
        bytes[17..21].copy_from_slice(&checksum.to_be_bytes());
        let batch = RecordBatch::parse_all(bytes.into()).unwrap().remove(0);
        if let Ok(records) = batch.records(4096) {
            prop_assert!(records.count() <= 8);
        }
    }

    #[test]
    fn a_flipped_bit_under_the_checksum_is_found(batch in any_batch(), place in any::<prop::sample::Index>(), bit in 0u8..8) {
        let mut bytes = batch.bytes().to_vec();
        let at = 17 + place.index(bytes.len() - 17);
        bytes[at] ^= 1 << bit;
        prop_assert!(RecordBatch::parse_all(bytes.into()).is_err());
    }

    #[test]
    fn batches_cut_anywhere_are_refused(batch in any_batch(), place in any::<prop::sample::Index>()) {
        let cut = 1 + place.index(batch.size() - 1);
        prop_assert!(RecordBatch::parse_all(batch.bytes().slice(..cut)).is_err());
    }

    #[test]
    fn records_survive_the_trip(records in prop::collection::vec(any_record(), 1..6)) {
        let batch = RecordBatch::build(0, &records, None).unwrap();
        let parsed = RecordBatch::parse_all(batch.bytes().clone()).unwrap().remove(0);
        let read: Vec<Record> = parsed.records(1 << 20).unwrap().map(Result::unwrap).collect();
        let expected: Vec<Record> = records
            .into_iter()
            .zip(0..)
            .map(|(record, offset)| Record { offset, ..record })
            .collect();
        prop_assert_eq!(read, expected);
    }

    #[test]
    fn random_headers_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = RequestHeader::decode(&mut Bytes::from(bytes));
    }

    #[test]
    fn random_bodies_never_panic(
        choice in any::<prop::sample::Index>(),
        version in 0i16..20,
        body in prop::collection::vec(prop_oneof![3 => Just(0u8), 3 => 0u8..8, 1 => Just(0xffu8), 3 => any::<u8>()], 0..200),
    ) {
        let range = KAFKA_4_1[choice.index(KAFKA_4_1.len())];
        let version = range.minimum + version % (range.maximum - range.minimum + 1);
        let _ = api::check_request(range.api, version, body.into());
    }
}

#[test]
fn every_api_of_the_table_decodes_an_empty_body_without_panic() {
    for range in KAFKA_4_1 {
        for version in range.minimum..=range.maximum {
            let _ = api::check_request(range.api, version, Bytes::new());
            let _ = api::check_request(range.api, version, BytesMut::zeroed(64).freeze());
        }
    }
}
