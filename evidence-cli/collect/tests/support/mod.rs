//! What the AWS tests stand on: the emulator, a proxy with faults, and the examples of the documentation.

pub(crate) mod documentation;
pub(crate) mod moto;
pub(crate) mod proxy;
