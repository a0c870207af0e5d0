//! Single records of format 2 (Kafka documentation, "Message format", section "Record").
//!
//! ```text
//! length: varint, attributes: int8, timestamp delta: varlong, offset delta: varint,
//! key length: varint (-1 is null), key, value length: varint (-1 is null), value,
//! header count: varint, then per header: key length: varint, key, value length: varint (-1 is null), value
//! ```

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

/// A record: what a producer sent, with its place and time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Record {
    /// Offset in the partition.
    pub offset: i64,
    /// Milliseconds since the epoch, -1 for none.
    pub timestamp: i64,
    /// The key, if any.
    pub key: Option<Bytes>,
    /// The value; `None` is a tombstone.
    pub value: Option<Bytes>,
    /// Headers in their order; keys may repeat.
    pub headers: Vec<Header>,
}

/// A record's header.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Header {
    /// The key. Kafka wants UTF-8 here but does not check it.
    pub key: Bytes,
    /// The value, if any.
    pub value: Option<Bytes>,
}

/// A record's bytes do not follow the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// A length or the record itself ends beyond the bytes there are.
    #[error("record ends early")]
    Truncated,
    /// A variable-length number has more bytes than its type allows.
    #[error("record has an overlong number")]
    OverlongNumber,
    /// A length is negative where it cannot be.
    #[error("record has a negative length")]
    NegativeLength,
    /// Bytes are left over inside the record.
    #[error("record has {0} bytes too many")]
    Surplus(usize),
}

impl Record {
    /// Reads one record and leaves what follows it in `buffer`.
    pub(crate) fn decode(
        buffer: &mut Bytes,
        base_offset: i64,
        base_timestamp: i64,
    ) -> Result<Self, RecordError> {
        let length = take_length(buffer)?.ok_or(RecordError::NegativeLength)?;
        let mut body = take(buffer, length)?;
        body.try_get_i8().map_err(|_short| RecordError::Truncated)?;
        let timestamp_delta = take_varlong(&mut body)?;
        let offset_delta = take_varint(&mut body)?;
        let key = take_nullable(&mut body)?;
        let value = take_nullable(&mut body)?;
        let count = take_length(&mut body)?.ok_or(RecordError::NegativeLength)?;
        // Every header takes two bytes at least, so the count cannot ask for more than the record holds.
        if count > body.len() / 2 {
            return Err(RecordError::Truncated);
        }
        let mut headers = Vec::with_capacity(count.min(64));
        for _ in 0..count {
            let key_length = take_length(&mut body)?.ok_or(RecordError::NegativeLength)?;
            let key = take(&mut body, key_length)?;
            headers.push(Header { key, value: take_nullable(&mut body)? });
        }
        if !body.is_empty() {
            return Err(RecordError::Surplus(body.len()));
        }
        Ok(Self {
            offset: base_offset.wrapping_add(i64::from(offset_delta)),
            timestamp: base_timestamp.wrapping_add(timestamp_delta),
            key,
            value,
            headers,
        })
    }

    /// Writes the record as the one with `offset_delta` in its batch.
    pub(crate) fn encode(&self, buffer: &mut BytesMut, offset_delta: i32, base_timestamp: i64) {
        let mut body = BytesMut::new();
        body.put_i8(0);
        put_varlong(&mut body, self.timestamp.wrapping_sub(base_timestamp));
        put_varlong(&mut body, i64::from(offset_delta));
        put_nullable(&mut body, self.key.as_ref());
        put_nullable(&mut body, self.value.as_ref());
        put_length(&mut body, self.headers.len());
        for header in &self.headers {
            put_nullable(&mut body, Some(&header.key));
            put_nullable(&mut body, header.value.as_ref());
        }
        put_length(buffer, body.len());
        buffer.extend_from_slice(&body);
    }
}

fn take(buffer: &mut Bytes, length: usize) -> Result<Bytes, RecordError> {
    if length > buffer.len() {
        return Err(RecordError::Truncated);
    }
    Ok(buffer.split_to(length))
}

fn take_nullable(buffer: &mut Bytes) -> Result<Option<Bytes>, RecordError> {
    take_length(buffer)?.map(|length| take(buffer, length)).transpose()
}

/// A length, `None` for the -1 of a null.
fn take_length(buffer: &mut Bytes) -> Result<Option<usize>, RecordError> {
    match take_varint(buffer)? {
        -1 => Ok(None),
        length => usize::try_from(length).map(Some).map_err(|_negative| RecordError::NegativeLength),
    }
}

fn take_varint(buffer: &mut Bytes) -> Result<i32, RecordError> {
    i32::try_from(take_zigzag(buffer, 5)?).map_err(|_wide| RecordError::OverlongNumber)
}

fn take_varlong(buffer: &mut Bytes) -> Result<i64, RecordError> {
    take_zigzag(buffer, 10)
}

/// Protocol Buffers' zigzag encoding, at most `maximum_bytes` of it.
fn take_zigzag(buffer: &mut Bytes, maximum_bytes: u32) -> Result<i64, RecordError> {
    let mut value = 0u64;
    for position in 0..maximum_bytes {
        let byte = buffer.try_get_u8().map_err(|_short| RecordError::Truncated)?;
        // The tenth byte of a 64-bit number has room for one bit only.
        if position == 9 && byte > 1 {
            return Err(RecordError::OverlongNumber);
        }
        value |= u64::from(byte & 0x7f) << (7 * position);
        if byte & 0x80 == 0 {
            return Ok((value >> 1).cast_signed() ^ -((value & 1).cast_signed()));
        }
    }
    Err(RecordError::OverlongNumber)
}

fn put_varlong(buffer: &mut BytesMut, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
    while rest >= 0x80 {
        buffer.put_u8((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    buffer.put_u8((rest & 0x7f) as u8);
}

fn put_length(buffer: &mut BytesMut, length: usize) {
    put_varlong(buffer, i64::try_from(length).unwrap_or(i64::MAX));
}

fn put_nullable(buffer: &mut BytesMut, value: Option<&Bytes>) {
    match value {
        Some(value) => {
            put_length(buffer, value.len());
            buffer.extend_from_slice(value);
        }
        None => put_varlong(buffer, -1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_survive_the_trip() {
        for number in
            [0, 1, -1, 63, -64, 64, 8191, i64::from(i32::MAX), i64::from(i32::MIN), i64::MAX, i64::MIN]
        {
            let mut buffer = BytesMut::new();
            put_varlong(&mut buffer, number);
            let mut bytes = buffer.freeze();
            assert_eq!(take_varlong(&mut bytes), Ok(number));
            assert!(bytes.is_empty());
        }
    }

    #[test]
    fn overlong_numbers_are_refused() {
        assert_eq!(take_varint(&mut Bytes::from_static(&[0xff; 6])), Err(RecordError::OverlongNumber));
        assert_eq!(take_varlong(&mut Bytes::from_static(&[0xff; 11])), Err(RecordError::OverlongNumber));
        assert_eq!(take_varint(&mut Bytes::from_static(&[0xff, 0xff])), Err(RecordError::Truncated));
    }

    #[test]
    fn header_keys_may_repeat_and_need_not_be_text() {
        let header = |key: &'static [u8], value| Header { key: Bytes::from_static(key), value };
        let record = Record {
            offset: 12,
            timestamp: 1_700_000_000_000,
            key: None,
            value: Some(Bytes::from_static(b"value")),
            headers: vec![
                header(b"trace", Some(Bytes::from_static(b"1"))),
                header(b"trace", None),
                header(b"\xff\xfe", Some(Bytes::new())),
            ],
        };
        let mut buffer = BytesMut::new();
        record.encode(&mut buffer, 2, 1_699_999_999_000);
        let mut bytes = buffer.freeze();
        assert_eq!(Record::decode(&mut bytes, 10, 1_699_999_999_000), Ok(record));
        assert!(bytes.is_empty());
    }

    #[test]
    fn a_header_count_beyond_the_record_allocates_nothing() {
        let mut body = BytesMut::new();
        body.put_i8(0);
        put_varlong(&mut body, 0);
        put_varlong(&mut body, 0);
        put_nullable(&mut body, None);
        put_nullable(&mut body, None);
        put_length(&mut body, 1_000_000_000);
        let mut buffer = BytesMut::new();
        put_length(&mut buffer, body.len());
        buffer.extend_from_slice(&body);
        assert_eq!(Record::decode(&mut buffer.freeze(), 0, 0), Err(RecordError::Truncated));
    }
}
