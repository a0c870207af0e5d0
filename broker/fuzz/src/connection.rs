//! A connection that has proven nothing, to a listener that asks for a password: whatever it sends in whatever order, it is told
//! what the broker speaks and nothing else.

use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use bytes::Bytes;
use cadastre_protocol::ApiKey;
use cadastre_protocol::api::{KAFKA_4_1, RequestHeader};

use crate::host::Host;

/// How long an answer is waited for that need not come.
const PATIENCE: Duration = Duration::from_millis(50);

/// What a connection sends.
#[derive(Debug, Arbitrary)]
enum Sent<'a> {
    /// Bytes that need not be a frame.
    Raw(&'a [u8]),
    /// A frame of these bytes.
    Frame(&'a [u8]),
    /// A frame with a header that can be read.
    Request { api: u8, version: u8, body: &'a [u8] },
    /// The handshake for a mechanism.
    Handshake { version: bool, mechanism: u8 },
    /// A token in Kafka's envelope.
    Authenticate(&'a [u8]),
}

static HOST: LazyLock<Mutex<Host>> = LazyLock::new(|| {
    Mutex::new(Host::start(
        "SASL_PLAINTEXT",
        &[
            ("sasl.enabled.mechanisms", "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512"),
            (
                "listener.name.sasl_plaintext.plain.sasl.jaas.config",
                "org.apache.kafka.common.security.plain.PlainLoginModule required user_alice=\"5f0c2b8e71\";",
            ),
            ("security.inter.broker.protocol", "SASL_PLAINTEXT"),
        ],
    ))
});

/// One connection.
pub fn run(input: &[u8]) {
    let Ok(sent) = Vec::<Sent<'_>>::arbitrary_take_rest(Unstructured::new(input)) else { return };
    let mut host = HOST.lock().expect("no run before it panicked");
    host.inputs += 1;
    let mut connection = host.connect(PATIENCE);
    // Behind bytes that are no frame, or a handshake of version 0, answers cannot be told apart.
    let mut in_step = true;
    for item in sent.iter().take(12) {
        let frame = match item {
            Sent::Raw(bytes) => {
                in_step = false;
                if !connection.send_raw(bytes) {
                    break;
                }
                continue;
            }
            Sent::Frame(bytes) => bytes.to_vec(),
            Sent::Request { api, version, body } => request(*api, *version, body),
            Sent::Handshake { version, mechanism } => handshake(i16::from(*version), *mechanism),
            Sent::Authenticate(token) => authenticate(token),
        };
        let header = RequestHeader::decode(&mut Bytes::from(frame.clone()));
        in_step &=
            !header.as_ref().is_ok_and(|header| header.api == ApiKey::SaslHandshake && header.version == 0);
        if !connection.send(&frame) || !in_step {
            continue;
        }
        let Some(answer) = connection.receive() else { break };
        let header = header.expect("what cannot be read is not answered");
        assert!(
            matches!(header.api, ApiKey::ApiVersions | ApiKey::SaslHandshake | ApiKey::SaslAuthenticate),
            "{header:?} was answered before authentication"
        );
        assert!(answer.starts_with(&header.correlation_id.to_be_bytes()), "{header:?}: {answer:?}");
    }
    if host.inputs.is_multiple_of(64) {
        host.check_alive();
    }
}

/// A frame's header in the oldest form that names no client, and a body.
fn framed(api: i16, version: i16, flexible: bool, body: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    frame.extend_from_slice(&api.to_be_bytes());
    frame.extend_from_slice(&version.to_be_bytes());
    frame.extend_from_slice(&77i32.to_be_bytes());
    frame.extend_from_slice(&(-1i16).to_be_bytes());
    if flexible {
        frame.push(0);
    }
    frame.extend_from_slice(body);
    frame
}

/// A request of the table.
pub(crate) fn request(api: u8, version: u8, body: &[u8]) -> Vec<u8> {
    let range = KAFKA_4_1[usize::from(api) % KAFKA_4_1.len()];
    let version = range.minimum + i16::from(version) % (range.maximum - range.minimum + 1);
    framed(range.api as i16, version, range.api.request_header_version(version) >= 2, body)
}

fn handshake(version: i16, mechanism: u8) -> Vec<u8> {
    let names = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "GSSAPI", ""];
    let name = names[usize::from(mechanism) % names.len()];
    let mut body = u16::try_from(name.len()).expect("a short name").to_be_bytes().to_vec();
    body.extend_from_slice(name.as_bytes());
    framed(ApiKey::SaslHandshake as i16, version, false, &body)
}

fn authenticate(token: &[u8]) -> Vec<u8> {
    let mut body = u32::try_from(token.len()).expect("a short token").to_be_bytes().to_vec();
    body.extend_from_slice(token);
    framed(ApiKey::SaslAuthenticate as i16, 1, false, &body)
}
