//! Consumer groups as state machines: no sockets, no storage.
