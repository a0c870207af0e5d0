//! Random bytes from the system.

use aws_lc_rs::rand;

/// The system's random source failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("system random source failed")]
pub(crate) struct RandomError;

/// So many random bytes.
///
/// # Errors
///
/// [`RandomError`].
pub(crate) fn bytes<const N: usize>() -> Result<[u8; N], RandomError> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).map_err(|_unspecified| RandomError)?;
    Ok(bytes)
}
