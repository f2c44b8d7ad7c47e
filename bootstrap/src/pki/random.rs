//! Random bytes of the operating system.

use zeroize::Zeroizing;

use super::PkiError;

/// `N` bytes that nobody can guess; wiped when they are dropped.
pub(super) fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>, PkiError> {
    let mut bytes = Zeroizing::new([0_u8; N]);
    getrandom::fill(bytes.as_mut_slice()).map_err(PkiError::Random)?;
    Ok(bytes)
}
