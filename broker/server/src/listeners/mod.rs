//! Sockets: binding, accepting, handshakes, and one task for each connection.

pub(crate) mod acceptor;
pub(crate) mod certificates;
pub(crate) mod connection;
pub(crate) mod connection_limits;
pub(crate) mod listener_security;
pub(crate) mod metered;
pub(crate) mod session;
pub(crate) mod token_issuer;
