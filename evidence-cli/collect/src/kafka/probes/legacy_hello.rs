//! A hand-written ClientHello for what a modern TLS library no longer offers: TLS 1.0 and 1.1, and cipher suites
//! without forward secrecy or authenticated encryption.
//!
//! Only the server's first record is read: a ServerHello means that it would have gone on. Layouts: RFC 5246 §7.4.1,
//! extensions RFC 6066 §3, RFC 8422 §5.1, RFC 5746 §3.2.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::tls::alert_name;

/// TLS record content types (RFC 5246 §6.2.1).
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const SERVER_HELLO: u8 = 2;
/// The largest plaintext record (RFC 5246 §6.2.1), in bytes.
const MAXIMUM_RECORD_BYTES: usize = 16 * 1024;

/// Cipher suites that no listener should accept, by code and IANA name.
pub(super) const WEAK_SUITES: &[(u16, &str)] = &[
    (0x0001, "TLS_RSA_WITH_NULL_MD5"),
    (0x0002, "TLS_RSA_WITH_NULL_SHA"),
    (0x0004, "TLS_RSA_WITH_RC4_128_MD5"),
    (0x0005, "TLS_RSA_WITH_RC4_128_SHA"),
    (0x000a, "TLS_RSA_WITH_3DES_EDE_CBC_SHA"),
    (0x002f, "TLS_RSA_WITH_AES_128_CBC_SHA"),
    (0x0033, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA"),
    (0x0035, "TLS_RSA_WITH_AES_256_CBC_SHA"),
    (0x0039, "TLS_DHE_RSA_WITH_AES_256_CBC_SHA"),
    (0x003b, "TLS_RSA_WITH_NULL_SHA256"),
    (0x003c, "TLS_RSA_WITH_AES_128_CBC_SHA256"),
    (0x003d, "TLS_RSA_WITH_AES_256_CBC_SHA256"),
    (0x0067, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA256"),
    (0x006b, "TLS_DHE_RSA_WITH_AES_256_CBC_SHA256"),
    (0x009c, "TLS_RSA_WITH_AES_128_GCM_SHA256"),
    (0x009d, "TLS_RSA_WITH_AES_256_GCM_SHA384"),
    (0xc007, "TLS_ECDHE_ECDSA_WITH_RC4_128_SHA"),
    (0xc008, "TLS_ECDHE_ECDSA_WITH_3DES_EDE_CBC_SHA"),
    (0xc009, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA"),
    (0xc00a, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA"),
    (0xc011, "TLS_ECDHE_RSA_WITH_RC4_128_SHA"),
    (0xc012, "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA"),
    (0xc013, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"),
    (0xc014, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA"),
    (0xc023, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256"),
    (0xc024, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384"),
    (0xc027, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256"),
    (0xc028, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384"),
];

/// What the server said to a hello.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reply {
    /// It settled on a version and a suite.
    ServerHello {
        /// As in the record layer, `0x0301` for TLS 1.0.
        version: u16,
        /// The suite's code.
        suite: u16,
    },
    /// It refused with an alert.
    Alert(String),
    /// It closed the connection.
    Closed,
    /// It does not speak TLS.
    NotTls,
}

/// Sends a hello of at most `version` with the given suites, and reads the server's first record.
pub(super) async fn exchange(
    stream: &mut TcpStream,
    version: u16,
    suites: &[u16],
    host: &str,
) -> Result<Reply, std::io::Error> {
    match attempt(stream, version, suites, host).await {
        Err(error)
            if matches!(
                error.kind(),
                std::io::ErrorKind::UnexpectedEof
                    | std::io::ErrorKind::ConnectionReset
                    | std::io::ErrorKind::ConnectionAborted
                    | std::io::ErrorKind::BrokenPipe
            ) =>
        {
            Ok(Reply::Closed)
        }
        other => other,
    }
}

async fn attempt(
    stream: &mut TcpStream,
    version: u16,
    suites: &[u16],
    host: &str,
) -> Result<Reply, std::io::Error> {
    let mut random = [0; 32];
    if aws_lc_rs::rand::fill(&mut random).is_err() {
        return Err(std::io::Error::other("no random numbers available"));
    }
    stream.write_all(&client_hello(version, suites, host, random)).await?;
    let mut header = [0; 5];
    stream.read_exact(&mut header).await?;
    let [kind, major, _minor, length_high, length_low] = header;
    let length = usize::from(u16::from_be_bytes([length_high, length_low]));
    if major != 3 || !matches!(kind, ALERT | HANDSHAKE) || length > MAXIMUM_RECORD_BYTES {
        return Ok(Reply::NotTls);
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(if kind == ALERT { read_alert(&body) } else { read_server_hello(&body) })
}

fn read_alert(body: &[u8]) -> Reply {
    match body {
        [_level, description, ..] => Reply::Alert(alert_name(*description)),
        _ => Reply::NotTls,
    }
}

/// ServerHello: type, 24-bit length, version, 32 bytes of random, session id, suite, …
fn read_server_hello(body: &[u8]) -> Reply {
    let read = || {
        let (kind, rest) = body.split_first()?;
        if *kind != SERVER_HELLO {
            return None;
        }
        let version = rest.get(3..5)?.first_chunk::<2>().copied()?;
        let session = rest.get(5 + 32..)?;
        let (length, session) = session.split_first()?;
        let suite = session.get(usize::from(*length)..)?.first_chunk::<2>().copied()?;
        Some(Reply::ServerHello { version: u16::from_be_bytes(version), suite: u16::from_be_bytes(suite) })
    };
    read().unwrap_or(Reply::NotTls)
}

fn client_hello(version: u16, suites: &[u16], host: &str, random: [u8; 32]) -> Vec<u8> {
    let mut body = Vec::new();
    body.extend_from_slice(&version.to_be_bytes());
    body.extend_from_slice(&random);
    body.push(0);
    let suites: Vec<u8> = suites.iter().flat_map(|suite| suite.to_be_bytes()).collect();
    push_prefixed(&mut body, &suites);
    body.extend_from_slice(&[1, 0]);
    push_prefixed(&mut body, &extensions(version, host));

    let mut handshake = vec![1];
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes();
    handshake.extend_from_slice(length.get(1..).unwrap_or_default());
    handshake.extend_from_slice(&body);

    // The record layer says 1.0 at first, which is what every server accepts (RFC 5246 appendix E.1).
    let mut record = vec![HANDSHAKE, 3, 1];
    push_prefixed(&mut record, &handshake);
    record
}

fn extensions(version: u16, host: &str) -> Vec<u8> {
    let mut all = Vec::new();
    let mut push = |kind: u16, body: &[u8]| {
        all.extend_from_slice(&kind.to_be_bytes());
        push_prefixed(&mut all, body);
    };
    // Addresses are not allowed as server names.
    if host.parse::<std::net::IpAddr>().is_err() {
        let mut entry = vec![0];
        push_prefixed(&mut entry, host.as_bytes());
        let mut names = Vec::new();
        push_prefixed(&mut names, &entry);
        push(0, &names);
    }
    // supported_groups: x25519, secp256r1, secp384r1, secp521r1; ec_point_formats: uncompressed.
    push(10, &[0, 8, 0, 0x1d, 0, 0x17, 0, 0x18, 0, 0x19]);
    push(11, &[1, 0]);
    if version >= 0x0303 {
        // signature_algorithms: ECDSA and RSA with SHA-256, -384, -512 and SHA-1, RSA-PSS.
        push(13, &[0, 22, 4, 3, 5, 3, 6, 3, 8, 4, 8, 5, 8, 6, 4, 1, 5, 1, 6, 1, 2, 3, 2, 1]);
    }
    push(0xff01, &[0]);
    all
}

/// A 16-bit length and the bytes.
fn push_prefixed(buffer: &mut Vec<u8>, bytes: &[u8]) {
    buffer.extend_from_slice(&u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes());
    buffer.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    async fn reply_to(answer: &'static [u8]) -> Reply {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            let (mut stream, _peer) = listener.accept().await.unwrap();
            let mut hello = [0; 5];
            stream.read_exact(&mut hello).await.unwrap();
            let length = usize::from(u16::from_be_bytes([hello[3], hello[4]]));
            let mut body = vec![0; length];
            stream.read_exact(&mut body).await.unwrap();
            stream.write_all(answer).await.unwrap();
            stream.shutdown().await.unwrap();
            body
        });
        let mut stream = TcpStream::connect(address).await.unwrap();
        let reply = exchange(&mut stream, 0x0302, &[0x002f, 0xc013], "b1.kafka.internal").await.unwrap();
        let hello = server.await.unwrap();
        assert_eq!((hello[0], &hello[4..6]), (1, [3, 2].as_slice()), "a ClientHello of TLS 1.1");
        assert!(hello.windows(17).any(|window| window == b"b1.kafka.internal"));
        reply
    }

    #[tokio::test]
    async fn replies_are_told_apart() {
        let mut hello = vec![22, 3, 2, 0, 44, 2, 0, 0, 40, 3, 2];
        hello.extend_from_slice(&[7; 32]);
        hello.extend_from_slice(&[0, 0xc0, 0x13, 0, 0, 0]);
        assert_eq!(reply_to(hello.leak()).await, Reply::ServerHello { version: 0x0302, suite: 0xc013 });
        assert_eq!(reply_to(&[21, 3, 1, 0, 2, 2, 70]).await, Reply::Alert("protocol_version".to_owned()));
        assert_eq!(reply_to(&[]).await, Reply::Closed);
        assert_eq!(reply_to(&[0, 0, 0, 10, 0]).await, Reply::NotTls);
        assert_eq!(reply_to(&[22, 3, 3, 0xff, 0xff]).await, Reply::NotTls);
        assert_eq!(reply_to(&[22, 3, 3, 0, 2, 2, 0]).await, Reply::NotTls);
    }
}
