//! A node's own key pair, and the parts of Noise that this program uses.

use std::fmt;

use snow::params::{CipherChoice, DHChoice, HashChoice};
use snow::resolvers::{CryptoResolver, DefaultResolver, RingResolver};
use snow::types::{Cipher, Dh, Hash, Random};
use zeroize::Zeroizing;

use crate::hex::to_hex;
use crate::random::{NoRandom, fill, random};

/// The X25519 key pair that a node makes at `init`: by it others know who speaks.
///
/// Its private half is wiped when it is dropped and never printed; `Debug` shows the public one.
#[derive(Clone)]
pub struct Identity {
    private: Zeroizing<[u8; 32]>,
    public: [u8; 32],
}

impl Identity {
    /// A fresh key pair.
    ///
    /// # Errors
    /// When the operating system has no random bytes to give.
    pub fn fresh() -> Result<Self, NoRandom> {
        random().map(Self::from_bytes)
    }

    /// The key pair of this private half, as [`to_bytes`](Self::to_bytes) gave it.
    #[must_use]
    pub fn from_bytes(private: [u8; 32]) -> Self {
        let mut public = [0; 32];
        if let Some(mut dh) = DefaultResolver.resolve_dh(&DHChoice::Curve25519) {
            dh.set(&private);
            public.copy_from_slice(dh.pubkey());
        }
        Self { private: Zeroizing::new(private), public }
    }

    /// The private half, for a file of mode 0600.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        self.private.clone()
    }

    /// The public half, which others see as [`remote_key`](super::Stream::remote_key).
    #[must_use]
    pub fn public(&self) -> [u8; 32] {
        self.public
    }

    /// The public half as 64 hexadecimal digits: the field `key` of `nodes/{node}`.
    #[must_use]
    pub fn public_hex(&self) -> String {
        to_hex(&self.public)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.public_hex())
    }
}

/// The pure-Rust parts of Noise with this crate's source of randomness.
pub(super) struct Parts;

struct System;

impl Random for System {
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), snow::Error> {
        fill(bytes).map_err(|_| snow::Error::Rng)
    }
}

impl CryptoResolver for Parts {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(System))
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        DefaultResolver.resolve_dh(choice)
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        DefaultResolver.resolve_hash(choice)
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        RingResolver.resolve_cipher(choice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_half_of_a_key_never_changes() {
        // Worked out by another implementation of RFC 7748, in Python.
        let public = "13be4feaeaf204c7fd3358fc9c00721881d174278128227ec674f37f7fe97b6d";
        assert_eq!(Identity::from_bytes([7; 32]).public_hex(), public);
    }

    #[test]
    fn an_identity_reads_back_and_shows_only_its_public_half() {
        let identity = Identity::fresh().unwrap();
        let again = Identity::from_bytes(*identity.to_bytes());
        assert_eq!(again.public(), identity.public());
        assert_eq!(format!("{identity:?}"), format!("Identity({})", identity.public_hex()));
    }
}
