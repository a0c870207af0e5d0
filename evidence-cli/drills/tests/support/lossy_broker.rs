//! A broker that loses one batch: a proxy that acknowledges it, keeps it from the broker, and covers that up in the sequence
//! numbers that follow.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::{Buf as _, Bytes, BytesMut};
use cadastre_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use cadastre_protocol::messages::{ApiKey, MetadataResponse, ProduceRequest, ProduceResponse};
use cadastre_protocol::{Decodable as _, Encodable as _, HeaderVersion as _, StrBytes};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;

/// Where things stand in a record batch (Kafka's documentation, "Record Batch").
const CRC: usize = 17;
const ATTRIBUTES: usize = 21;
const BASE_SEQUENCE: usize = 53;
const RECORDS_COUNT: usize = 57;

/// The proxy.
pub(crate) struct LossyBroker {
    pub(crate) port: u16,
    lost: Arc<AtomicU64>,
}

#[derive(Default)]
struct Sabotage {
    /// How many records each producer and partition is ahead of what the broker knows.
    shifts: Mutex<BTreeMap<(i64, i32), i32>>,
    produced: AtomicU64,
    done: AtomicBool,
}

impl LossyBroker {
    /// Stands in front of a broker and loses the batch of the `nth` produce request.
    pub(crate) async fn start(broker: String, nth: u64) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sabotage, lost) = (Arc::new(Sabotage::default()), Arc::new(AtomicU64::new(0)));
        let counted = Arc::clone(&lost);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&broker).await.unwrap();
                let (sabotage, lost) = (Arc::clone(&sabotage), Arc::clone(&counted));
                tokio::spawn(async move {
                    // A connection ends with an error when either side closes it.
                    let _ended = relay(client, server, port, nth, &sabotage, &lost).await;
                });
            }
        });
        Self { port, lost }
    }

    /// How many records it lost.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::SeqCst)
    }
}

async fn frame(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> std::io::Result<BytesMut> {
    let length = stream.read_i32().await?;
    let mut frame = BytesMut::zeroed(usize::try_from(length).unwrap());
    stream.read_exact(&mut frame).await?;
    Ok(frame)
}

async fn send(stream: &mut (impl tokio::io::AsyncWrite + Unpin), frame: &[u8]) -> std::io::Result<()> {
    stream.write_i32(i32::try_from(frame.len()).unwrap()).await?;
    stream.write_all(frame).await?;
    stream.flush().await
}

/// One request at a time on each connection: brokers answer in order, and so nothing gets lost on the way but what is to be.
async fn relay(
    mut client: TcpStream,
    mut server: TcpStream,
    port: u16,
    nth: u64,
    sabotage: &Sabotage,
    lost: &AtomicU64,
) -> std::io::Result<()> {
    loop {
        let mut request = frame(&mut client).await?;
        let (api, version) = (peek(&request, 0), peek(&request, 2));
        if api == ApiKey::Produce as i16 {
            match produce(&mut request, version, nth, sabotage, lost).await {
                Fate::Answered(answer) => {
                    send(&mut client, &answer).await?;
                    continue;
                }
                Fate::Unanswered => {
                    send(&mut server, &request).await?;
                    continue;
                }
                Fate::Forwarded => {}
            }
        }
        send(&mut server, &request).await?;
        let mut answer = frame(&mut server).await?;
        if api == ApiKey::Metadata as i16 {
            answer = with_port(&answer, version, port);
        }
        send(&mut client, &answer).await?;
    }
}

fn peek(request: &[u8], at: usize) -> i16 {
    i16::from_be_bytes([request[at], request[at + 1]])
}

/// The length of a request's header: fixed fields, the client's name, and empty tags where the version has them.
fn header_length(request: &[u8], version: i16) -> usize {
    let name = peek(request, 8).max(0);
    let tags = usize::from(ProduceRequest::header_version(version) >= 2);
    10 + usize::try_from(name).unwrap() + tags
}

/// What becomes of a produce request.
enum Fate {
    /// The broker answers it.
    Forwarded,
    /// Nobody does: the client asked for no answer.
    Unanswered,
    /// The proxy answers it, and the broker never sees it.
    Answered(Vec<u8>),
}

/// Changes a produce request so that the broker misses nothing, or answers it in the broker's place.
async fn produce(
    request: &mut BytesMut,
    version: i16,
    nth: u64,
    sabotage: &Sabotage,
    lost: &AtomicU64,
) -> Fate {
    let header = header_length(request, version);
    let mut body = Bytes::copy_from_slice(&request[header..]);
    let mut message = ProduceRequest::decode(&mut body, version).unwrap();
    let number = sabotage.produced.fetch_add(1, Ordering::SeqCst) + 1;
    let mut shifts = sabotage.shifts.lock().await;
    let single = message.topic_data.len() == 1 && message.topic_data[0].partition_data.len() == 1;
    let steal = number >= nth && single && !sabotage.done.swap(true, Ordering::SeqCst);
    if number >= nth && !single {
        sabotage.done.store(false, Ordering::SeqCst);
    }
    for topic in &mut message.topic_data {
        for partition in &mut topic.partition_data {
            let Some(records) = &partition.records else { continue };
            let mut batch = records.to_vec();
            let producer = i64::from_be_bytes(batch[43..51].try_into().unwrap());
            let count = i32::from_be_bytes(batch[RECORDS_COUNT..RECORDS_COUNT + 4].try_into().unwrap());
            let shift = shifts.entry((producer, partition.index)).or_default();
            if steal {
                *shift += count;
                lost.fetch_add(u64::try_from(count).unwrap(), Ordering::SeqCst);
                let first = i32::from_be_bytes(batch[BASE_SEQUENCE..BASE_SEQUENCE + 4].try_into().unwrap());
                // One producer writes the topic: its sequence is the offset, as a broker would give it.
                let answer = PartitionProduceResponse::default()
                    .with_index(partition.index)
                    .with_base_offset(i64::from(first))
                    .with_log_append_time_ms(-1)
                    .with_log_start_offset(0);
                let topic = TopicProduceResponse::default()
                    .with_name(topic.name.clone())
                    .with_topic_id(topic.topic_id)
                    .with_partition_responses(vec![answer]);
                let response = ProduceResponse::default().with_responses(vec![topic]);
                let mut out = request[4..8].to_vec();
                if ProduceResponse::header_version(version) >= 1 {
                    out.push(0);
                }
                let mut encoded = BytesMut::new();
                response.encode(&mut encoded, version).unwrap();
                out.extend_from_slice(&encoded);
                return Fate::Answered(out);
            }
            let sequence = i32::from_be_bytes(batch[BASE_SEQUENCE..BASE_SEQUENCE + 4].try_into().unwrap());
            let known = (sequence - *shift).to_be_bytes();
            batch[BASE_SEQUENCE..BASE_SEQUENCE + 4].copy_from_slice(&known);
            let sum = crc32c::crc32c(&batch[ATTRIBUTES..]).to_be_bytes();
            batch[CRC..CRC + 4].copy_from_slice(&sum);
            partition.records = Some(batch.into());
        }
    }
    let mut changed = BytesMut::from(&request[..header]);
    message.encode(&mut changed, version).unwrap();
    *request = changed;
    if message.acks == 0 { Fate::Unanswered } else { Fate::Forwarded }
}

/// Clients must not be led past the proxy.
fn with_port(answer: &[u8], version: i16, port: u16) -> BytesMut {
    let header = 4 + usize::from(MetadataResponse::header_version(version) >= 1);
    let mut body = Bytes::copy_from_slice(answer);
    body.advance(header);
    let mut message = MetadataResponse::decode(&mut body, version).unwrap();
    for broker in &mut message.brokers {
        broker.host = StrBytes::from_static_str("127.0.0.1");
        broker.port = i32::from(port);
    }
    let mut out = BytesMut::from(&answer[..header]);
    message.encode(&mut out, version).unwrap();
    out
}
