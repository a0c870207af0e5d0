//! API versions and headers: which requests a broker answers, and how their envelopes are read and written.
//!
//! Sources: the Kafka protocol guide ("Request Header v2", "Response Header v1"), KIP-511 (what happens to an
//! `ApiVersions` request of an unknown version), KIP-482 (flexible versions).

use bytes::{Buf as _, Bytes, BytesMut};

pub use crate::kafka_4_1::{KAFKA_4_1, check_request};
use crate::messages::api_versions_response::ApiVersion;
use crate::messages::{self, ApiKey, ApiVersionsResponse};
use crate::{Decodable, Encodable, Request, ResponseError, StrBytes};

/// The versions of one API that are answered, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApiRange {
    /// The API.
    pub api: ApiKey,
    /// The lowest version.
    pub minimum: i16,
    /// The highest version.
    pub maximum: i16,
}

impl ApiRange {
    pub(crate) const fn new(api: ApiKey, minimum: i16, maximum: i16) -> Self {
        Self { api, minimum, maximum }
    }

    /// Whether `version` lies in the range.
    #[must_use]
    pub const fn contains(&self, version: i16) -> bool {
        self.minimum <= version && version <= self.maximum
    }
}

/// The APIs that one side speaks, sorted by API key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SupportedApis {
    ranges: Vec<ApiRange>,
}

impl SupportedApis {
    /// The given ranges; the last one wins where an API is listed twice.
    pub fn new(ranges: impl IntoIterator<Item = ApiRange>) -> Self {
        let mut supported = Self::default();
        for range in ranges {
            match supported.position(range.api) {
                Ok(index) => {
                    if let Some(slot) = supported.ranges.get_mut(index) {
                        *slot = range;
                    }
                }
                Err(index) => supported.ranges.insert(index, range),
            }
        }
        supported
    }

    /// [`KAFKA_4_1`], narrowed to the APIs a broker really implements.
    pub fn kafka_4_1(implemented: &[ApiKey]) -> Self {
        Self::new(KAFKA_4_1.iter().copied().filter(|range| implemented.contains(&range.api)))
    }

    /// What a peer said in its `ApiVersions` response; API keys that are unknown here are left out.
    #[must_use]
    pub fn from_response(response: &ApiVersionsResponse) -> Self {
        Self::new(response.api_keys.iter().filter_map(|version| {
            let api = ApiKey::try_from(version.api_key).ok()?;
            Some(ApiRange { api, minimum: version.min_version, maximum: version.max_version })
        }))
    }

    /// The versions of `api` that are spoken, if any.
    #[must_use]
    pub fn range(&self, api: ApiKey) -> Option<ApiRange> {
        self.position(api).ok().and_then(|index| self.ranges.get(index)).copied()
    }

    /// Whether `api` is spoken in `version`.
    #[must_use]
    pub fn supports(&self, api: ApiKey, version: i16) -> bool {
        self.range(api).is_some_and(|range| range.contains(version))
    }

    /// The highest version of `api` that both sides speak.
    #[must_use]
    pub fn negotiate(&self, other: ApiRange) -> Option<i16> {
        let own = self.range(other.api)?;
        let version = own.maximum.min(other.maximum);
        (own.contains(version) && other.contains(version)).then_some(version)
    }

    /// All ranges, by API key.
    pub fn iter(&self) -> impl Iterator<Item = ApiRange> + '_ {
        self.ranges.iter().copied()
    }

    /// The ranges as an `ApiVersions` response lists them.
    ///
    /// `Produce` is announced from version 0 although only 3 and later are answered, as Kafka 4 does: librdkafka
    /// takes a missing version 0 for a broker without compression support (KAFKA-18659).
    #[must_use]
    pub fn to_response(&self) -> Vec<ApiVersion> {
        let announced_minimum =
            |range: &ApiRange| if range.api == ApiKey::Produce { 0 } else { range.minimum };
        self.ranges
            .iter()
            .map(|range| {
                ApiVersion::default()
                    .with_api_key(range.api as i16)
                    .with_min_version(announced_minimum(range))
                    .with_max_version(range.maximum)
            })
            .collect()
    }

    fn position(&self, api: ApiKey) -> Result<usize, usize> {
        self.ranges.binary_search_by_key(&(api as i16), |range| range.api as i16)
    }
}

/// A request's header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestHeader {
    /// Which request follows.
    pub api: ApiKey,
    /// In which version its body is written. Not necessarily one this side supports.
    pub version: i16,
    /// Returned in the response's header.
    pub correlation_id: i32,
    /// What the client calls itself.
    pub client_id: Option<StrBytes>,
}

/// The bytes are not what a peer that speaks Kafka sends. The connection must be closed: with the envelope unreadable
/// there is nothing to answer to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Fewer bytes than the fixed part of the header.
    #[error("header of {length} bytes is too short")]
    Short {
        /// Bytes there were.
        length: usize,
    },
    /// No API of Kafka has this key.
    #[error("api key {key} is unknown")]
    UnknownApi {
        /// The key as read.
        key: i16,
    },
    /// The header or body does not follow its schema.
    #[error("malformed {what}: {detail}")]
    Malformed {
        /// Header or message name.
        what: &'static str,
        /// What the decoder stumbled over.
        detail: String,
    },
    /// The body is larger, or holds more elements, than this API ever needs.
    #[error("{api:?} request of {length} bytes is over the limit of {limit} for this api")]
    TooLarge {
        /// The API.
        api: ApiKey,
        /// Bytes of the body.
        length: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The message cannot be written in that version.
    #[error("cannot write {what}: {detail}")]
    Unwritable {
        /// Message name.
        what: &'static str,
        /// What the encoder stumbled over.
        detail: String,
    },
}

impl RequestHeader {
    /// Reads the header off the front of a frame and leaves the body in `frame`.
    ///
    /// An `ApiVersions` request of a version unknown here still yields its header, so that it can be answered with
    /// version 0 and `UNSUPPORTED_VERSION` (KIP-511); its body must not be decoded.
    ///
    /// # Errors
    ///
    /// [`EnvelopeError`]; close the connection.
    pub fn decode(frame: &mut Bytes) -> Result<Self, EnvelopeError> {
        let Some(&[k0, k1, v0, v1]) = frame.first_chunk::<4>() else {
            return Err(EnvelopeError::Short { length: frame.len() });
        };
        let key = i16::from_be_bytes([k0, k1]);
        let version = i16::from_be_bytes([v0, v1]);
        let api = ApiKey::try_from(key).map_err(|()| EnvelopeError::UnknownApi { key })?;
        let header = messages::RequestHeader::decode(frame, api.request_header_version(version))
            .map_err(|error| malformed("request header", &error))?;
        Ok(Self { api, version, correlation_id: header.correlation_id, client_id: header.client_id })
    }

    /// Writes the header.
    ///
    /// # Errors
    ///
    /// [`EnvelopeError::Unwritable`] when the client id is longer than a Kafka string.
    pub fn encode(&self, buffer: &mut BytesMut) -> Result<(), EnvelopeError> {
        messages::RequestHeader::default()
            .with_request_api_key(self.api as i16)
            .with_request_api_version(self.version)
            .with_correlation_id(self.correlation_id)
            .with_client_id(self.client_id.clone())
            .encode(buffer, self.api.request_header_version(self.version))
            .map_err(|error| unwritable("request header", &error))
    }
}

/// The largest body of any request but `Produce`, in bytes. Decoders reserve memory for as many elements as there are
/// bytes left, so this bounds what a body of nothing but a large count can ask for.
pub const MAXIMUM_ADMIN_BODY_BYTES: usize = 8 * 1024 * 1024;

/// Decodes a request's body, after checks that keep a hostile body from asking for more memory than it brought.
///
/// # Errors
///
/// [`EnvelopeError::TooLarge`], [`EnvelopeError::Malformed`]; close the connection.
pub fn decode_request<R: Request>(version: i16, mut body: Bytes) -> Result<R, EnvelopeError> {
    let name = message_name::<R>();
    if R::KEY == ApiKey::Produce as i16 {
        check_produce_counts(version, body.clone())?;
    } else if body.len() > MAXIMUM_ADMIN_BODY_BYTES {
        let api = ApiKey::try_from(R::KEY).map_err(|()| EnvelopeError::UnknownApi { key: R::KEY })?;
        return Err(EnvelopeError::TooLarge { api, length: body.len(), limit: MAXIMUM_ADMIN_BODY_BYTES });
    }
    R::decode(&mut body, version).map_err(|error| malformed(name, &error))
}

/// A request frame's payload: header and body, without the length prefix.
///
/// # Errors
///
/// [`EnvelopeError::Unwritable`] when the request has no such version or a field does not fit it.
pub fn encode_request<R: Request>(header: &RequestHeader, body: &R) -> Result<Bytes, EnvelopeError> {
    let mut buffer = BytesMut::new();
    header.encode(&mut buffer)?;
    body.encode(&mut buffer, header.version).map_err(|error| unwritable(message_name::<R>(), &error))?;
    Ok(buffer.freeze())
}

/// A response frame's payload: header and body, without the length prefix.
///
/// # Errors
///
/// [`EnvelopeError::Unwritable`] when the response has no such version or a field does not fit it.
pub fn encode_response<T: Encodable>(
    api: ApiKey,
    version: i16,
    correlation_id: i32,
    body: &T,
) -> Result<Bytes, EnvelopeError> {
    let mut buffer = BytesMut::new();
    encode_response_header(api, version, correlation_id, &mut buffer)?;
    body.encode(&mut buffer, version).map_err(|error| unwritable(message_name::<T>(), &error))?;
    Ok(buffer.freeze())
}

/// Writes a response's header.
///
/// # Errors
///
/// None in practice; the encoder's signature has one.
pub fn encode_response_header(
    api: ApiKey,
    version: i16,
    correlation_id: i32,
    buffer: &mut BytesMut,
) -> Result<(), EnvelopeError> {
    messages::ResponseHeader::default()
        .with_correlation_id(correlation_id)
        .encode(buffer, api.response_header_version(version))
        .map_err(|error| unwritable("response header", &error))
}

/// Reads a response frame: the correlation id and the body.
///
/// # Errors
///
/// [`EnvelopeError::Malformed`]; the connection is out of step and must be closed.
pub fn decode_response<R: Request>(
    version: i16,
    mut frame: Bytes,
) -> Result<(i32, R::Response), EnvelopeError> {
    let header_version = <R::Response as crate::HeaderVersion>::header_version(version);
    let header = messages::ResponseHeader::decode(&mut frame, header_version)
        .map_err(|error| malformed("response header", &error))?;
    let body = R::Response::decode(&mut frame, version)
        .map_err(|error| malformed(message_name::<R::Response>(), &error))?;
    Ok((header.correlation_id, body))
}

/// The answer to an `ApiVersions` request of a version that is not supported: version 0, with the error and the
/// versions of `ApiVersions` that would be (KIP-511). Encode it as version 0.
#[must_use]
pub fn unsupported_api_versions(supported: &SupportedApis) -> ApiVersionsResponse {
    let own = supported.to_response().into_iter().filter(|range| range.api_key == ApiKey::ApiVersions as i16);
    ApiVersionsResponse::default()
        .with_error_code(ResponseError::UnsupportedVersion.code())
        .with_api_keys(own.collect())
}

fn malformed(what: &'static str, error: &dyn std::fmt::Display) -> EnvelopeError {
    EnvelopeError::Malformed { what, detail: error.to_string() }
}

fn unwritable(what: &'static str, error: &dyn std::fmt::Display) -> EnvelopeError {
    EnvelopeError::Unwritable { what, detail: error.to_string() }
}

fn message_name<T>() -> &'static str {
    let path = std::any::type_name::<T>();
    path.rsplit("::").next().unwrap_or(path)
}

/// Walks the arrays of a `Produce` body and refuses counts that its bytes cannot hold.
fn check_produce_counts(version: i16, body: Bytes) -> Result<(), EnvelopeError> {
    let mut walk = Walk { body, flexible: version >= 9 };
    walk.produce(version).ok_or_else(|| EnvelopeError::Malformed {
        what: "ProduceRequest",
        detail: "an array or field announces more than the request holds".to_owned(),
    })
}

/// Steps over fields without keeping them; `None` when the bytes end first.
struct Walk {
    body: Bytes,
    flexible: bool,
}

impl Walk {
    /// ProduceRequest.json: TransactionalId, Acks, TimeoutMs, TopicData[Name or TopicId, PartitionData[Index, Records]].
    fn produce(&mut self, version: i16) -> Option<()> {
        self.text()?;
        self.skip(2 + 4)?;
        let (smallest_topic, smallest_partition) = if self.flexible { (3, 6) } else { (6, 8) };
        for _ in 0..self.count(smallest_topic)? {
            if version >= 13 {
                self.skip(16)?
            } else {
                self.text()?
            }
            for _ in 0..self.count(smallest_partition)? {
                self.skip(4)?;
                let records = if self.flexible {
                    self.unsigned_varint()?.saturating_sub(1)
                } else {
                    usize::try_from(self.int32()?).unwrap_or(0)
                };
                self.skip(records)?;
                self.tags()?;
            }
            self.tags()?;
        }
        self.tags()
    }

    fn count(&mut self, smallest_element: usize) -> Option<usize> {
        let count = if self.flexible {
            self.unsigned_varint()?.saturating_sub(1)
        } else {
            usize::try_from(self.int32()?).unwrap_or(0)
        };
        (count.checked_mul(smallest_element)? <= self.body.len()).then_some(count)
    }

    fn text(&mut self) -> Option<()> {
        let length = if self.flexible {
            self.unsigned_varint()?.saturating_sub(1)
        } else {
            usize::try_from(self.body.try_get_i16().ok()?).unwrap_or(0)
        };
        self.skip(length)
    }

    fn tags(&mut self) -> Option<()> {
        if !self.flexible {
            return Some(());
        }
        for _ in 0..self.unsigned_varint()? {
            self.unsigned_varint()?;
            let length = self.unsigned_varint()?;
            self.skip(length)?;
        }
        Some(())
    }

    fn int32(&mut self) -> Option<i32> {
        self.body.try_get_i32().ok()
    }

    fn unsigned_varint(&mut self) -> Option<usize> {
        let mut value = 0u64;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.body.try_get_u8().ok()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return usize::try_from(value).ok();
            }
        }
        None
    }

    fn skip(&mut self, length: usize) -> Option<()> {
        (length <= self.body.len()).then(|| self.body.advance(length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::produce_request::{PartitionProduceData, TopicProduceData};
    use crate::messages::{ApiVersionsRequest, MetadataRequest, ProduceRequest, TopicName};

    #[test]
    fn every_range_of_the_table_is_one_the_wire_types_can_read() {
        for range in KAFKA_4_1 {
            let readable = range.api.valid_versions();
            assert!(
                readable.min <= range.minimum && range.maximum <= readable.max,
                "{range:?} outside {readable}"
            );
        }
        assert_eq!(
            SupportedApis::new(KAFKA_4_1.iter().copied()).iter().count(),
            KAFKA_4_1.len(),
            "no api twice"
        );
    }

    #[test]
    fn both_sides_settle_on_the_highest_common_version() {
        #[track_caller]
        fn check(own: (i16, i16), other: (i16, i16), expected: Option<i16>) {
            let own = SupportedApis::new([ApiRange::new(ApiKey::Metadata, own.0, own.1)]);
            assert_eq!(own.negotiate(ApiRange::new(ApiKey::Metadata, other.0, other.1)), expected);
        }
        check((0, 13), (4, 12), Some(12));
        check((4, 9), (0, 13), Some(9));
        check((0, 3), (4, 12), None);
        check((9, 13), (0, 8), None);
    }

    #[test]
    fn headers_read_back_as_written() {
        for (api, version) in [(ApiKey::Metadata, 1), (ApiKey::Metadata, 12), (ApiKey::ApiVersions, 3)] {
            let header = RequestHeader {
                api,
                version,
                correlation_id: 77,
                client_id: Some(StrBytes::from_static_str("client")),
            };
            let mut buffer = BytesMut::new();
            header.encode(&mut buffer).unwrap();
            buffer.extend_from_slice(b"body");
            let mut frame = buffer.freeze();
            assert_eq!(RequestHeader::decode(&mut frame), Ok(header));
            assert_eq!(frame, "body");
        }
    }

    #[test]
    fn an_api_versions_request_from_the_future_still_has_a_header() {
        let mut frame = Bytes::from_static(&[0, 18, 0, 99, 0, 0, 0, 5, 0xff, 0xff, 0, 1, 2, 3]);
        let header = RequestHeader::decode(&mut frame).unwrap();
        assert_eq!((header.api, header.version, header.correlation_id), (ApiKey::ApiVersions, 99, 5));
    }

    #[test]
    fn short_and_unknown_headers_are_refused() {
        assert_eq!(
            RequestHeader::decode(&mut Bytes::from_static(&[0, 3, 0])),
            Err(EnvelopeError::Short { length: 3 })
        );
        assert_eq!(
            RequestHeader::decode(&mut Bytes::from_static(&[0x7f, 0, 0, 0, 0, 0, 0, 0])),
            Err(EnvelopeError::UnknownApi { key: 0x7f00 })
        );
        assert!(RequestHeader::decode(&mut Bytes::from_static(&[0, 3, 0, 1, 0])).is_err());
    }

    #[test]
    fn requests_and_responses_survive_the_trip() {
        let header = RequestHeader { api: ApiKey::Metadata, version: 12, correlation_id: 9, client_id: None };
        let request = MetadataRequest::default().with_topics(None);
        let mut frame = encode_request(&header, &request).unwrap();
        assert_eq!(RequestHeader::decode(&mut frame).unwrap(), header);
        assert_eq!(decode_request::<MetadataRequest>(12, frame).unwrap(), request);

        let supported = SupportedApis::new(KAFKA_4_1.iter().copied());
        let response = ApiVersionsResponse::default().with_api_keys(supported.to_response());
        let frame = encode_response(ApiKey::ApiVersions, 4, 3, &response).unwrap();
        let (correlation_id, read) = decode_response::<ApiVersionsRequest>(4, frame).unwrap();
        assert_eq!((correlation_id, read.api_keys.len()), (3, KAFKA_4_1.len()));
    }

    #[test]
    fn produce_requests_pass_the_walk_in_every_version() {
        for version in 3..=13 {
            let partition =
                PartitionProduceData::default().with_index(1).with_records(Some(Bytes::from_static(b"xyz")));
            let mut topic =
                TopicProduceData::default().with_partition_data(vec![partition.clone(), partition]);
            if version < 13 {
                topic = topic.with_name(TopicName(StrBytes::from_static_str("payments")));
            }
            let request = ProduceRequest::default().with_acks(-1).with_topic_data(vec![topic.clone(), topic]);
            let mut body = BytesMut::new();
            request.encode(&mut body, version).unwrap();
            assert_eq!(
                decode_request::<ProduceRequest>(version, body.freeze()).unwrap(),
                request,
                "v{version}"
            );
        }
    }

    #[test]
    fn a_produce_request_of_nothing_but_a_count_is_refused_before_decoding() {
        let mut body = vec![0xff, 0xff, 0, 1, 0, 0, 0, 1];
        body.extend_from_slice(&50_000_000i32.to_be_bytes());
        body.resize(1024, 0);
        let error = decode_request::<ProduceRequest>(3, Bytes::from(body)).unwrap_err();
        assert!(matches!(error, EnvelopeError::Malformed { what: "ProduceRequest", .. }), "{error}");
    }

    #[test]
    fn an_oversized_admin_request_is_refused() {
        let body = Bytes::from(vec![0; MAXIMUM_ADMIN_BODY_BYTES + 1]);
        let error = decode_request::<MetadataRequest>(1, body).unwrap_err();
        assert!(matches!(error, EnvelopeError::TooLarge { api: ApiKey::Metadata, .. }), "{error}");
    }
}
