//! Configuration: Kafka's own property names, each honoured, accepted, or refused by name.

pub mod broker_config;
pub mod definition;
pub mod listener;
mod nearest;
pub mod properties;
mod providers;
pub mod storage;
pub mod tables;

pub use broker_config::{BrokerConfig, ConfigError};
pub use listener::{ListenerConfig, SecurityProtocol};
pub use properties::Properties;
