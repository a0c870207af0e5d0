//! The files of a packet that have a place and a meaning of their own.

use crate::path::PacketPath;

/// What the packet is.
pub(crate) const MANIFEST: &str = "manifest.json";
/// The leaves of the tree.
pub(crate) const LEAVES: &str = "leaves.txt";
/// The signature.
pub(crate) const ATTESTATION: &str = "attestation.dsse.json";
/// The RFC 3161 token.
pub(crate) const TIMESTAMP: &str = "timestamp.tsr";
/// What a redactor did.
pub(crate) const REDACTION: &str = "redaction.json";
/// The redactor's signature.
pub(crate) const REDACTION_ATTESTATION: &str = "redaction.dsse.json";
/// Where what a redactor made lies.
pub(crate) const DERIVED: &str = "redacted/";

macro_rules! paths {
    ($($function:ident = $name:ident),*) => {
        $(pub(crate) fn $function() -> PacketPath {
            PacketPath::known($name)
        })*

        #[cfg(test)]
        mod tests {
            #[test]
            fn own_names_are_paths() {
                $(assert_eq!(super::$name.parse(), Ok(super::$function()));)*
            }
        }
    };
}

paths!(
    manifest = MANIFEST,
    leaves = LEAVES,
    attestation = ATTESTATION,
    timestamp = TIMESTAMP,
    redaction = REDACTION,
    redaction_attestation = REDACTION_ATTESTATION
);
