//! A broker in the fuzzer's own process, and connections to it.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use cadastre_protocol::api::{RequestHeader, encode_request};
use cadastre_protocol::messages::ApiVersionsRequest;
use cadastre_protocol::{ApiKey, StrBytes};
use cadastre_server::{Broker, BrokerConfig, FormatOptions, Properties, RunningBroker, format};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// How long an answer is waited for that has to come: a machine that fuzzes is busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running broker; it ends with this.
pub(crate) struct Host {
    runtime: Option<Runtime>,
    _broker: RunningBroker,
    _directory: TempDir,
    address: SocketAddr,
    /// How many inputs it has had.
    pub(crate) inputs: u32,
}

impl Host {
    /// Formats a broker with one listener of this protocol, and starts it.
    pub(crate) fn start(protocol: &str, more: &[(&'static str, &str)]) -> Self {
        let directory = TempDir::new().expect("a directory");
        let own = directory.path().display().to_string();
        let properties: Properties = [
            ("listeners", format!("{protocol}://127.0.0.1:0")),
            ("log.dirs", format!("{own}/data")),
            ("cadastre.key.file", format!("{own}/keys/kek")),
            ("connection.failed.authentication.delay.ms", "0".to_owned()),
            ("group.initial.rebalance.delay.ms", "0".to_owned()),
        ]
        .into_iter()
        .chain(more.iter().map(|(name, value)| (*name, (*value).to_owned())))
        .collect();
        let runtime = Runtime::new().expect("a runtime");
        let broker = runtime.block_on(async {
            let config = BrokerConfig::from_properties(properties).expect("properties");
            format(&config, &FormatOptions::default()).await.expect("an empty directory");
            Broker::start(config).await.expect("a broker")
        });
        let (_, address) = broker.listeners().into_iter().next().expect("a listener");
        Self { runtime: Some(runtime), _broker: broker, _directory: directory, address, inputs: 0 }
    }

    /// A connection whose answers are waited for no longer than this.
    pub(crate) fn connect(&self, patience: Duration) -> Connection {
        let stream = TcpStream::connect(self.address).expect("the broker accepts connections");
        stream.set_read_timeout(Some(patience)).expect("a limit");
        stream.set_nodelay(true).expect("no delay");
        Connection { stream }
    }

    /// Panics unless the broker still answers somebody new.
    pub(crate) fn check_alive(&self) {
        let header = RequestHeader {
            api: ApiKey::ApiVersions,
            version: 0,
            correlation_id: 1,
            client_id: Some(StrBytes::from_static_str("fuzz")),
        };
        let request = encode_request(&header, &ApiVersionsRequest::default()).expect("a request");
        let mut connection = self.connect(PATIENCE);
        assert!(connection.send(&request), "the broker takes a request");
        assert!(connection.receive().is_some(), "the broker answers after {} inputs", self.inputs);
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(10));
        }
    }
}

/// Frames to and from the broker.
pub(crate) struct Connection {
    stream: TcpStream,
}

impl Connection {
    /// Sends a frame; false when the other side has gone.
    pub(crate) fn send(&mut self, payload: &[u8]) -> bool {
        let length = u32::try_from(payload.len()).expect("inputs are short");
        let mut frame = BytesMut::from(length.to_be_bytes().as_slice());
        frame.extend_from_slice(payload);
        self.send_raw(&frame)
    }

    /// Sends bytes as they are; false when the other side has gone.
    pub(crate) fn send_raw(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// The next frame; `None` when the connection has ended, or nothing came in time.
    pub(crate) fn receive(&mut self) -> Option<Bytes> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).ok()?;
        let length = usize::try_from(u32::from_be_bytes(length)).expect("a length");
        let mut payload = vec![0; length];
        self.stream.read_exact(&mut payload).ok()?;
        Some(payload.into())
    }
}
