//! Kafka wire protocol: frames, bounded decoding, API versions, record batches and a small admin client.
