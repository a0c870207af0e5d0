//! Every request that the broker answers, with any body, from somebody who may do anything: no answer brings it down or holds it up.

use std::sync::Mutex;
use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use bytes::Bytes;
use cadastre_protocol::api::RequestHeader;

use crate::connection::request;
use crate::host::Host;

/// How long an answer is waited for: some requests ask to wait.
const PATIENCE: Duration = Duration::from_millis(50);
/// After so many inputs the broker's topics and groups are forgotten, and a fresh one takes its place.
const INPUTS: u32 = 4_000;

/// A request of the table: which, in which version, and its body.
#[derive(Debug, Arbitrary)]
struct Sent<'a> {
    api: u8,
    version: u8,
    body: &'a [u8],
}

static HOST: Mutex<Option<Host>> = Mutex::new(None);

/// Requests of one connection, one after the other.
pub fn run(input: &[u8]) {
    let Ok(sent) = Vec::<Sent<'_>>::arbitrary_take_rest(Unstructured::new(input)) else { return };
    let mut slot = HOST.lock().expect("no run before it panicked");
    let mut host = slot.take().filter(|host| host.inputs < INPUTS).unwrap_or_else(|| {
        // A topic of a thousand partitions is as good as one of ten thousand, and costs less.
        Host::start("PLAINTEXT", &[("num.partitions", "2"), ("auto.create.topics.enable", "true")])
    });
    host.inputs += 1;
    let mut connection = host.connect(PATIENCE);
    for Sent { api, version, body } in sent.iter().take(6) {
        let frame = request(*api, *version, body);
        if !connection.send(&frame) {
            break;
        }
        let header = RequestHeader::decode(&mut Bytes::from(frame)).expect("its header was made");
        let Some(answer) = connection.receive() else { break };
        assert!(answer.starts_with(&header.correlation_id.to_be_bytes()), "{header:?}: {answer:?}");
    }
    drop(connection);
    if host.inputs.is_multiple_of(64) {
        host.check_alive();
    }
    *slot = Some(host);
}
