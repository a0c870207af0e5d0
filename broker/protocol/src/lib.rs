//! Kafka wire protocol: frames, bounded decoding, API versions, record batches and a small admin client.
//!
//! The wire types themselves come from `proto-kafka` and are re-exported as [`messages`]; this crate
//! adds what stands between them and a socket:
//!
//! - [`frame`]: length-prefixed frames, bounded before anything is allocated;
//! - [`api`]: which API versions a broker speaks, request and response headers, bounded decoding;
//! - [`record_batch`]: record batches of format 2, checked before they are believed;
//! - [`types`]: topic ids and partitions;
//! - [`client`]: the admin client with which a cluster is scanned.

pub mod api;
pub mod batch_outline;
pub mod client;
pub mod compression;
pub mod frame;
mod kafka_4_1;
pub mod record;
pub mod record_batch;
pub mod transaction_marker;
pub mod types;

pub use proto_kafka::error::ResponseError;
pub use proto_kafka::messages;
pub use proto_kafka::messages::ApiKey;
pub use proto_kafka::protocol::{Decodable, Encodable, HeaderVersion, Message, Request, StrBytes};
