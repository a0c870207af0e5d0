//! A listener's TLS: what comes before and instead of a handshake.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::{Arc, LazyLock};

use cadastre_security::tls::{TlsProperties, TlsServerConfig};
use rustls::{ServerConfig, ServerConnection};

/// What a server may answer to bytes that prove nothing, each.
const ANSWERED: usize = 64 * 1024;

static LISTENER: LazyLock<Arc<ServerConfig>> = LazyLock::new(|| {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    let properties: BTreeMap<String, String> = [
        ("ssl.keystore.type", "PEM".to_owned()),
        ("ssl.keystore.key", made.signing_key.serialize_pem()),
        ("ssl.keystore.certificate.chain", made.cert.pem()),
        ("ssl.truststore.type", "PEM".to_owned()),
        ("ssl.truststore.certificates", made.cert.pem()),
        ("ssl.client.auth", "required".to_owned()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    let properties = TlsProperties::parse(&properties).expect("properties");
    TlsServerConfig::new(&properties).expect("a listener").server_config()
});

/// Sends the input to a listener that asks for certificates. The first byte says how much comes at a time.
pub fn run(input: &[u8]) {
    let Some((slice, bytes)) = input.split_first() else { return };
    let mut server = ServerConnection::new(Arc::clone(&LISTENER)).expect("a connection");
    let mut answered = 0;
    for piece in bytes.chunks(usize::from(*slice) * 16 + 1) {
        let mut reader = Cursor::new(piece);
        while usize::try_from(reader.position()).is_ok_and(|position| position < piece.len()) {
            // It takes no more than its buffer holds, and nothing once it has refused.
            match server.read_tls(&mut reader) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            let processed = server.process_new_packets();
            let mut out = Vec::new();
            while server.wants_write() {
                answered += server.write_tls(&mut out).expect("memory takes it");
            }
            assert!(answered <= ANSWERED, "{answered} bytes for {} that prove nothing", bytes.len());
            match processed {
                Err(_) => return,
                Ok(state) => {
                    assert_eq!(state.plaintext_bytes_to_read(), 0, "a client without a certificate is read")
                }
            }
            assert!(server.is_handshaking(), "a client without a certificate is through");
        }
    }
}
