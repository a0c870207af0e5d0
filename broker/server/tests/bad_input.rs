//! What strangers may send: connections are closed, memory stays bounded, nobody else is disturbed.
#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

mod common;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use cadastre_protocol::ApiKey;
use common::TestBroker;

/// Pseudo-random bytes, the same in every run.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next().to_le_bytes()[0]).collect()
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

/// A frame with a version 1 header: API, version, correlation id, client id, body.
fn frame(api: i16, version: i16, body: &[u8]) -> Vec<u8> {
    let mut payload = Vec::new();
    payload.extend_from_slice(&api.to_be_bytes());
    payload.extend_from_slice(&version.to_be_bytes());
    payload.extend_from_slice(&7_i32.to_be_bytes());
    payload.extend_from_slice(&4_i16.to_be_bytes());
    payload.extend_from_slice(b"test");
    payload.extend_from_slice(body);
    let mut frame = u32::try_from(payload.len()).unwrap().to_be_bytes().to_vec();
    frame.extend_from_slice(&payload);
    frame
}

/// Whether the broker answers somebody who behaves.
#[track_caller]
fn check_alive(broker: &TestBroker) {
    let mut stream = connect(broker.plain_address());
    stream.write_all(&frame(18, 0, &[])).unwrap();
    let mut head = [0; 10];
    stream.read_exact(&mut head).unwrap();
    assert_eq!(head[4..], [0, 0, 0, 7, 0, 0], "correlation id and no error");
}

/// Sends bytes and expects the broker to end the connection, with or without a last word.
#[track_caller]
fn check_closed(address: SocketAddr, bytes: &[u8]) {
    let mut stream = connect(address);
    // The broker may have closed already.
    let _sent = stream.write_all(bytes);
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(_) => {}
        Err(error) => assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock, "connection still open"),
    }
}

#[test]
fn random_bytes_close_the_connection_and_nothing_else() {
    let broker = TestBroker::secure();
    let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
    for round in 0..60 {
        let mut bytes = noise.bytes(64 + round * 37);
        // A first byte of 1 or more makes the length larger than any limit; half of the rounds keep it small.
        if round % 2 == 0 {
            bytes[..3].fill(0);
        } else {
            bytes[0] |= 0x10;
        }
        check_closed_or_waiting(broker.plain_address(), &bytes);
        check_closed_or_waiting(broker.address(), &bytes);
    }
    check_alive(&broker);
}

/// Random bytes can look like the beginning of something longer; then the peer ends the connection itself.
fn check_closed_or_waiting(address: SocketAddr, bytes: &[u8]) {
    let mut stream = connect(address);
    let _sent = stream.write_all(bytes);
    let _ended = stream.shutdown(std::net::Shutdown::Write);
    let mut rest = Vec::new();
    if let Err(error) = stream.read_to_end(&mut rest) {
        assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock, "connection still open");
    }
}

#[test]
fn impossible_lengths_close_the_connection_at_once() {
    let broker = TestBroker::secure();
    let before = broker.resident_bytes();
    for length in [i32::MAX, -1, i32::MIN, 100 * 1024 * 1024 + 1] {
        check_closed(broker.plain_address(), &length.to_be_bytes());
    }
    check_alive(&broker);
    assert!(broker.resident_bytes() < before + (16 << 20), "memory was allocated from a length");
}

#[test]
fn nothing_but_the_handshake_is_answered_before_authentication() {
    // The second listener speaks SASL without TLS here, so that the test can write to it.
    let broker =
        TestBroker::with("listener.security.protocol.map=PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL\n");
    for (api, version) in [(3, 1), (0, 3), (1, 4), (29, 1), (60, 0)] {
        check_closed(broker.plain_address(), &frame(api, version, &[0; 32]));
    }
    // A frame that would be fine afterwards is too large before.
    check_closed(broker.plain_address(), &(600_000_i32).to_be_bytes());
    // An answer to nothing: tokens without a handshake.
    check_closed(broker.plain_address(), &frame(36, 0, &[0, 0, 0, 4, 1, 2, 3, 4]));
    check_alive(&broker);
}

#[test]
fn damaged_requests_of_every_api_close_the_connection_and_nothing_else() {
    let broker = TestBroker::with("allow.everyone.if.no.acl.found=true\n");
    let mut noise = Noise(42);
    for key in -2..100_i16 {
        // What stops the broker, or waits on purpose, is not what this is about.
        let name = ApiKey::try_from(key).map(|api| format!("{api:?}")).unwrap_or_default();
        for version in [-1, 0, 1, 4, 9, 13, 99] {
            let length = usize::from(noise.next().to_le_bytes()[0]);
            let mut body = noise.bytes(length);
            // Counts that claim far more elements than there are bytes.
            if let Some(start) = body.get_mut(..4) {
                start.copy_from_slice(&[0x7f, 0xff, 0xff, 0xff]);
            }
            check_closed_or_waiting(broker.plain_address(), &frame(key, version, &body));
            assert!(!broker.log().contains("panicked"), "{name} {version}: {}", broker.log());
        }
    }
    check_alive(&broker);
}

#[test]
fn half_open_connections_do_not_disturb_a_real_client_and_go_away() {
    let broker = TestBroker::with("cadastre.handshake.timeout.ms=4000\n");
    check_alive(&broker);
    let before = broker.resident_bytes();
    let mut half_open = Vec::new();
    for number in 0..500_usize {
        let to_plain = number % 2 == 0;
        let mut stream = connect(if to_plain { broker.plain_address() } else { broker.address() });
        // Nothing, a piece of a length, a piece of a frame that claims 100 MB, a piece of a TLS record.
        let pieces: [&[u8]; 4] = [&[], &[0, 0], &[6, 64, 0, 0, 0, 3], &[22, 3, 1, 2, 0, 1]];
        stream.write_all(pieces[number / 2 % 4]).unwrap();
        half_open.push(stream);
    }
    let started = Instant::now();
    check_alive(&broker);
    assert!(started.elapsed() < Duration::from_secs(2), "an honest client waited {:?}", started.elapsed());
    broker.python("produce_consume.py", &[]);
    let grown = broker.resident_bytes().saturating_sub(before);
    assert!(grown < 96 << 20, "500 half-open connections cost {grown} bytes");
    // Those that never finished their handshake are closed by the broker.
    for stream in half_open.iter_mut().skip(1).step_by(2) {
        let mut rest = Vec::new();
        if let Err(error) = stream.read_to_end(&mut rest) {
            assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock, "handshake still waited for");
        }
    }
}

#[test]
fn what_half_sent_requests_may_hold_together_is_bounded() {
    let broker = TestBroker::with("queued.max.request.bytes=33554432\n");
    let before = broker.resident_bytes();
    let megabyte = vec![0; 1 << 20];
    let mut holders = Vec::new();
    for _ in 0..20 {
        let mut stream = connect(broker.plain_address());
        stream.write_all(&(50_i32 << 20).to_be_bytes()).unwrap();
        for _ in 0..8 {
            // A refusal shows here or below, as the system's buffers have it.
            let _sent = stream.write_all(&megabyte);
        }
        holders.push(stream);
        check_alive(&broker);
    }
    let is_closed = |stream: &mut TcpStream| {
        stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        match stream.read(&mut [0; 1]) {
            Ok(read) => read == 0,
            Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
        }
    };
    let closed = holders.iter_mut().filter_map(|stream| is_closed(stream).then_some(())).count();
    assert!((10..20).contains(&closed), "{closed} of 20 were refused");
    let grown = broker.resident_bytes().saturating_sub(before);
    assert!(grown < 96 << 20, "half-sent requests hold {grown} bytes");
}
