//! A small admin client for reading any Kafka cluster.
