//! Every request's decoder, in every version that is announced.

use bytes::Bytes;
use cadastre_protocol::api::{KAFKA_4_1, RequestHeader, check_request};

/// The first two bytes choose the request and its version, the others are its body. They are also read as a header.
pub fn run(input: &[u8]) {
    let _ = RequestHeader::decode(&mut Bytes::copy_from_slice(input));
    let [api, version, body @ ..] = input else { return };
    let Some(range) = KAFKA_4_1.get(usize::from(*api) % KAFKA_4_1.len()) else { return };
    let versions = range.maximum - range.minimum + 1;
    let version = range.minimum + i16::from(*version) % versions;
    let _ = check_request(range.api, version, Bytes::copy_from_slice(body));
}
