//! Redaction: another packet, with parts withheld or pseudonymised, that still verifies against the same signature.

mod statement;

pub use statement::{DerivedFile, REDACTED_SCHEMA, Redaction, Replaced, Told, Withheld};
