//! Redaction: another packet, with parts withheld or pseudonymised, that still verifies against the same signature.

mod archive;
mod decode;
mod leak;
mod pseudonym;
mod remake;
mod replace;
mod rules;
mod statement;
mod values;
mod write;

pub use leak::LeakError;
pub use remake::{Remade, Remake};
pub use rules::{Rules, RulesError};
pub use statement::{DerivedFile, REDACTED_SCHEMA, Redaction, Replaced, Told, Withheld};
pub use write::{RedactOptions, Redacted, redact};
