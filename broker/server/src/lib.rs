//! Listeners, dispatch and background tasks of the reference broker.
//!
//! [`Broker::start`] takes a [`BrokerConfig`], read from Kafka's own `server.properties`, and returns a
//! [`RunningBroker`] once it accepts connections. [`format()`] prepares a log directory before the first start.
//!
//! Inside: `config` reads properties; `listeners` owns sockets and handshakes; `dispatch` has a file for each API;
//! `state` is what the cluster knows, kept in the storage's metadata; `audit` records denials and administrative
//! actions; `monitoring` tells operators' tools. Offsets of consumer groups are kept in the metadata too: there is no `__consumer_offsets` topic, and
//! none is pretended.

mod audit;
mod background;
mod broker;
mod cluster_identity;
pub mod config;
mod data_path;
mod dispatch;
mod format;
mod inspection;
mod key_administration;
mod listeners;
mod monitoring;
mod node;
mod open_storage;
mod peers;
mod random;
mod shredding;
mod state;
mod sync;
mod usage;
mod wrapped_keys;

pub use broker::{Broker, RunningBroker, StartError};
pub use cluster_identity::IdentityError;
pub use config::{BrokerConfig, ConfigError, Properties};
pub use format::{FormatError, FormatOptions, Formatted, format};
pub use inspection::{InspectionError, create_key_file, object_names, receipts};
pub use key_administration::{KeyHolders, Rewrapped, Status, rewrap_to, status};
pub use listeners::listener_security::{ListenerSecurityError, chain};
pub use shredding::DeletionError;
pub use state::StateError;
