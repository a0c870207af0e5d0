//! The access engine: policies in, capabilities with derivations out.
