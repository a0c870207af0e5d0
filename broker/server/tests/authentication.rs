//! Authentication as old and as long-lived clients do it.
#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

mod common;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use common::TestBroker;

fn exchange(stream: &mut TcpStream, payload: &[u8]) -> std::io::Result<Vec<u8>> {
    stream.write_all(&u32::try_from(payload.len()).unwrap().to_be_bytes())?;
    stream.write_all(payload)?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut answer = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

/// A version 0 handshake for PLAIN: header version 1 with correlation id 9 and no client id.
const HANDSHAKE: &[u8] = &[0, 17, 0, 0, 0, 0, 0, 9, 255, 255, 0, 5, b'P', b'L', b'A', b'I', b'N'];
/// `Metadata` version 1 for no topic.
const METADATA: &[u8] = &[0, 3, 0, 1, 0, 0, 0, 10, 255, 255, 0, 0, 0, 0];

fn plain_broker() -> TestBroker {
    TestBroker::with(
        "listener.security.protocol.map=PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL\n\
         listener.name.plaintext.sasl.enabled.mechanisms=PLAIN\n\
         listener.name.plaintext.plain.sasl.jaas.config=\
         org.apache.kafka.common.security.plain.PlainLoginModule required user_eve=\"eve-secret\";\n",
    )
}

#[test]
fn tokens_without_an_envelope_follow_a_version_0_handshake() {
    let broker = plain_broker();
    let mut stream = TcpStream::connect(broker.plain_address()).unwrap();
    let answer = exchange(&mut stream, HANDSHAKE).unwrap();
    assert_eq!(answer, [0, 0, 0, 9, 0, 0, 0, 0, 0, 1, 0, 5, b'P', b'L', b'A', b'I', b'N']);
    assert_eq!(exchange(&mut stream, b"\0eve\0eve-secret").unwrap(), b"");
    let metadata = exchange(&mut stream, METADATA).unwrap();
    assert_eq!(metadata[..8], [0, 0, 0, 10, 0, 0, 0, 1], "one broker");
}

#[test]
fn a_wrong_password_ends_the_connection() {
    let broker = plain_broker();
    let mut stream = TcpStream::connect(broker.plain_address()).unwrap();
    exchange(&mut stream, HANDSHAKE).unwrap();
    assert!(exchange(&mut stream, b"\0eve\0guess").is_err());
    assert!(broker.audit().contains("\"principal\":\"User:eve\""), "{}", broker.audit());
}

#[test]
fn clients_authenticate_again_before_their_session_ends() {
    let broker = TestBroker::with("connections.max.reauth.ms=1500\n");
    broker.python("reauthenticate.py", &[]);
}
