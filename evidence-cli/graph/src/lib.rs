//! The boundary graph: build, derive plaintext paths, compare, diff.
