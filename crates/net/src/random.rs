//! The one place of this crate that draws random bytes.

/// The operating system gave no random bytes; nothing was sealed or sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gives no random bytes ({0}); nothing was sent")]
pub struct NoRandom(getrandom::Error);

/// Fills `bytes` from the operating system's source, fit for keys.
#[expect(clippy::disallowed_methods, reason = "keys and nonces are drawn here and nowhere else")]
pub(crate) fn fill(bytes: &mut [u8]) -> Result<(), NoRandom> {
    getrandom::fill(bytes).map_err(NoRandom)
}

/// `N` fresh random bytes, fit for keys and ids.
///
/// # Errors
/// When the operating system has none to give (before its pool is filled, or in a sandbox).
pub fn random<const N: usize>() -> Result<[u8; N], NoRandom> {
    let mut bytes = [0; N];
    fill(&mut bytes)?;
    Ok(bytes)
}
