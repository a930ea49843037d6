//! One key of a cluster, and the short name under which it may be spoken of.

use std::fmt;

use chacha20poly1305::{AeadInOut, KeyInit, XChaCha20Poly1305};
use zeroize::Zeroize;

use crate::hex::{from_hex, to_hex};
use crate::random::{NoRandom, random};

/// Bytes of a key.
pub(crate) const KEY_BYTES: usize = 32;
/// Bytes of a key id.
pub(crate) const KEY_ID_BYTES: usize = 4;

/// No packet ever has this nonce but by a chance of 2^-192: those are random.
const ID_NONCE: [u8; 24] = *b"cocli key id, version 1.";

/// The public name of a key: sent in clear, shown in `cocli key list`, and telling nothing of the
/// key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub [u8; KEY_ID_BYTES]);

impl KeyId {
    /// Reads eight hexadecimal digits; `None` for anything else.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        from_hex(text).map(Self)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_hex(&self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A secret of the whole cluster: who holds it may speak and listen.
///
/// Its bytes are wiped when it is dropped, and never printed: `Debug` shows the id.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    bytes: [u8; KEY_BYTES],
    id: KeyId,
}

impl Key {
    /// The key of these bytes, which must have come from a random source.
    #[must_use]
    pub fn from_bytes(bytes: [u8; KEY_BYTES]) -> Self {
        Self { id: id_of(&bytes), bytes }
    }

    /// A fresh key.
    ///
    /// # Errors
    /// When the operating system has no random bytes to give.
    pub fn fresh() -> Result<Self, NoRandom> {
        random().map(Self::from_bytes)
    }

    /// The secret bytes, for the key file and for handing the key to a known node by stream.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; KEY_BYTES] {
        &self.bytes
    }

    /// The name of this key.
    #[must_use]
    pub fn id(&self) -> KeyId {
        self.id
    }

    pub(crate) fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&self.bytes.into())
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.id)
    }
}

/// The first bytes of the key's stream under a nonce of its own: a pseudo-random function of the
/// key, so that the id, which strangers see, helps nobody to guess it.
fn id_of(bytes: &[u8; KEY_BYTES]) -> KeyId {
    let cipher = XChaCha20Poly1305::new(&(*bytes).into());
    let mut id = [0; KEY_ID_BYTES];
    let done = cipher.encrypt_inout_detached(&ID_NONCE.into(), &[], id.as_mut_slice().into());
    debug_assert!(done.is_ok(), "four bytes are never too long to seal");
    KeyId(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_key_never_changes() {
        // Worked out by another implementation, in Python, from the definition above.
        assert_eq!(Key::from_bytes([7; 32]).id().to_string(), "32f6e8ac");
    }

    #[test]
    fn ids_differ_for_keys_that_differ_in_one_bit() {
        let mut other = [7; 32];
        other[31] ^= 1;
        assert_ne!(Key::from_bytes([7; 32]).id(), Key::from_bytes(other).id());
    }

    #[test]
    fn a_key_is_printed_by_its_id_alone() {
        let key = Key::fresh().unwrap();
        assert_eq!(format!("{key:?}"), format!("Key({})", key.id()));
        assert_eq!(KeyId::read(&key.id().to_string()), Some(key.id()));
        assert_eq!(KeyId::read("0011223"), None);
    }
}
