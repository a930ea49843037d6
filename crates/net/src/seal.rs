//! Sealed packets: what one UDP payload looks like, and who can read it.
//!
//! # Layout, version 1
//!
//! | bytes | what |
//! | --- | --- |
//! | 0..3 | magic `C0 C1 50`: no UTF-8 text begins so, and a Python peer's packets are text |
//! | 3 | version, `01` |
//! | 4..8 | key id, in clear |
//! | 8..32 | nonce, random for each packet |
//! | 32..n-16 | the contents under XChaCha20-Poly1305, as long as the plaintext |
//! | n-16..n | the tag |
//!
//! Associated data: bytes 0..32 as they stand, then the 16 bytes of the cluster id, which is not
//! sent. So a packet opens only whole, unchanged, with the same key and in the same cluster. It has
//! at most 1,200 bytes, the floor of QUIC too: that passes every tunnel in use without fragments.
//!
//! A random nonce of 24 bytes needs no counter and no memory: at a thousand packets a second two of
//! them would meet after some 10^17 years. A packet that comes twice opens twice: who receives it
//! holds the counter inside against its replay window.

use chacha20poly1305::{AeadInOut, Tag, XNonce};

use crate::Cluster;
use crate::key::{KEY_ID_BYTES, KeyId};
use crate::random::{NoRandom, random};
use crate::ring::Ring;

const MAGIC: [u8; 3] = [0xC0, 0xC1, b'P'];
const VERSION: u8 = 1;
const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;
const NONCE_AT: usize = MAGIC.len() + 1 + KEY_ID_BYTES;
const HEADER_BYTES: usize = NONCE_AT + NONCE_BYTES;

/// Bytes that a sealed packet has more than its plaintext.
pub const OVERHEAD: usize = HEADER_BYTES + TAG_BYTES;
/// Bytes of a sealed packet at most: one UDP payload that nobody has to fragment.
pub const PACKET_MAX: usize = 1200;
/// Bytes of a packet's plaintext at most.
pub const PLAINTEXT_MAX: usize = PACKET_MAX - OVERHEAD;

const _: () = assert!(HEADER_BYTES == 32 && OVERHEAD == 48);

/// Why nothing was sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The plaintext does not fit into one packet.
    #[error("{0} bytes do not fit into a packet: expected at most {PLAINTEXT_MAX}")]
    TooLong(usize),
    /// No nonce could be drawn.
    #[error(transparent)]
    Random(#[from] NoRandom),
}

/// Why a packet was not opened. Whoever sent it gets no answer; the caller counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refused {
    /// Fewer bytes than a packet without contents.
    #[error("{0} bytes are no sealed packet: expected at least {OVERHEAD}")]
    TooShort(usize),
    /// More bytes than we ever send.
    #[error("{0} bytes are no sealed packet: expected at most {PACKET_MAX}")]
    TooLong(usize),
    /// Another program's, a Python peer's perhaps.
    #[error("not a sealed packet of this program")]
    NotOurs,
    /// From another version of this program.
    #[error("packet of version {0}, this program reads version {VERSION}")]
    Version(u8),
    /// Sealed with a key that this machine does not have (yet, or any more).
    #[error("sealed with key {0}, which this machine does not have: see `cocli key list`")]
    UnknownKey(KeyId),
    /// Changed on its way, forged, or of a cluster that shares the key.
    #[error("does not open with key {0}: changed on its way, forged, or of another cluster")]
    DoesNotOpen(KeyId),
}

/// Seals `plaintext` with the key in use and leaves the packet in `out`, which is cleared first.
///
/// # Errors
/// `TooLong` for more than [`PLAINTEXT_MAX`] bytes, `Random` without a nonce; `out` is then empty.
pub fn seal(
    ring: &Ring,
    cluster: &Cluster,
    plaintext: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), SealError> {
    out.clear();
    if plaintext.len() > PLAINTEXT_MAX {
        return Err(SealError::TooLong(plaintext.len()));
    }
    let key = ring.in_use();
    let nonce = random::<NONCE_BYTES>()?;
    out.reserve(OVERHEAD + plaintext.len());
    out.extend(MAGIC);
    out.push(VERSION);
    out.extend(key.id().0);
    out.extend(nonce);
    let about = associated(out, cluster);
    out.extend(plaintext);
    let body = &mut out[HEADER_BYTES..];
    match key.cipher().encrypt_inout_detached(&nonce.into(), &about, body.into()) {
        Ok(tag) => {
            out.extend(tag);
            Ok(())
        }
        // The cipher refuses only what is longer than 256 GiB.
        Err(_) => {
            out.clear();
            Err(SealError::TooLong(plaintext.len()))
        }
    }
}

/// Whether a packet begins as a sealed one does; whatever else it is.
#[must_use]
pub fn is_sealed(packet: &[u8]) -> bool {
    packet.starts_with(&MAGIC)
}

/// The key of the ring that a packet names: what can be told of it without the cipher.
///
/// # Errors
/// Why it is refused, unread.
pub fn named(ring: &Ring, packet: &[u8]) -> Result<KeyId, Refused> {
    if packet.len() >= MAGIC.len() && !packet.starts_with(&MAGIC) {
        return Err(Refused::NotOurs);
    }
    let short = Refused::TooShort(packet.len());
    let header = packet.first_chunk::<HEADER_BYTES>().ok_or(short)?;
    if packet.len() < OVERHEAD {
        return Err(short);
    }
    let [_, _, _, version, id @ ..] = header;
    if *version != VERSION {
        return Err(Refused::Version(*version));
    }
    if packet.len() > PACKET_MAX {
        return Err(Refused::TooLong(packet.len()));
    }
    let id = KeyId(*id.first_chunk::<KEY_ID_BYTES>().ok_or(short)?);
    ring.find(id).map(|_| id).ok_or(Refused::UnknownKey(id))
}

/// Opens a packet with whichever key of the ring it names.
///
/// # Errors
/// Why it was refused. No byte of what does not open is given out.
pub fn open(ring: &Ring, cluster: &Cluster, packet: &[u8]) -> Result<Vec<u8>, Refused> {
    let id = named(ring, packet)?;
    let short = Refused::TooShort(packet.len());
    let (header, sealed) = packet.split_first_chunk::<HEADER_BYTES>().ok_or(short)?;
    let (body, tag) = sealed.split_last_chunk::<TAG_BYTES>().ok_or(short)?;
    let nonce = XNonce::try_from(&header[NONCE_AT..]).map_err(|_| short)?;
    let key = ring.find(id).ok_or(Refused::UnknownKey(id))?;
    let about = associated(header, cluster);
    let mut plaintext = body.to_vec();
    key.cipher()
        .decrypt_inout_detached(&nonce, &about, plaintext.as_mut_slice().into(), &Tag::from(*tag))
        .map_err(|_| Refused::DoesNotOpen(id))?;
    Ok(plaintext)
}

fn associated(header: &[u8], cluster: &Cluster) -> Vec<u8> {
    [header, cluster.as_slice()].concat()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::key::Key;

    const CLUSTER: Cluster = *b"cluster of tests";

    fn key(n: u8) -> Key {
        Key::from_bytes([n; 32])
    }

    fn sealed(ring: &Ring, plaintext: &[u8]) -> Vec<u8> {
        let mut packet = Vec::new();
        seal(ring, &CLUSTER, plaintext, &mut packet).unwrap();
        packet
    }

    #[test]
    fn a_full_packet_has_twelve_hundred_bytes_and_one_more_is_refused() {
        let ring = Ring::new(key(1));
        assert_eq!(sealed(&ring, &[7; PLAINTEXT_MAX]).len(), PACKET_MAX);
        let mut out = vec![1];
        let refused = seal(&ring, &CLUSTER, &[7; PLAINTEXT_MAX + 1], &mut out);
        assert_eq!(refused, Err(SealError::TooLong(PLAINTEXT_MAX + 1)));
        assert!(out.is_empty());
    }

    #[test]
    fn the_same_plaintext_never_looks_the_same() {
        let ring = Ring::new(key(1));
        let (one, two) = (sealed(&ring, b"hello"), sealed(&ring, b"hello"));
        assert_ne!(one[NONCE_AT..HEADER_BYTES], two[NONCE_AT..HEADER_BYTES]);
        assert_ne!(one[HEADER_BYTES..], two[HEADER_BYTES..]);
    }

    #[test]
    fn a_packet_that_another_implementation_made_by_this_layout_opens() {
        // Worked out by another implementation, in Python, from the layout above; nonce 0 to 23.
        let packet = crate::hex::from_hex::<53>("c0c1500132f6e8ac000102030405060708090a0b0c0d0e0f1011121314151617c072c7e99577db64b005051b38aacd2ae821542a5e").unwrap();
        assert_eq!(open(&Ring::new(key(7)), &CLUSTER, &packet).unwrap(), b"hello");
    }

    #[test]
    fn every_truncation_and_every_trailing_byte_is_refused() {
        let ring = Ring::new(key(1));
        let mut packet = sealed(&ring, &[7; 100]);
        for end in 0..packet.len() {
            assert!(open(&ring, &CLUSTER, &packet[..end]).is_err(), "cut at {end}");
        }
        packet.push(0);
        let refused = Refused::DoesNotOpen(key(1).id());
        assert_eq!(open(&ring, &CLUSTER, &packet), Err(refused));
        packet.resize(PACKET_MAX + 1, 0);
        assert_eq!(open(&ring, &CLUSTER, &packet), Err(Refused::TooLong(PACKET_MAX + 1)));
    }

    #[test]
    fn every_flipped_bit_is_refused() {
        let ring = Ring::new(key(1));
        let mut packet = sealed(&ring, &[7; 100]);
        for bit in 0..packet.len() * 8 {
            packet[bit / 8] ^= 1 << (bit % 8);
            assert!(open(&ring, &CLUSTER, &packet).is_err(), "bit {bit}");
            packet[bit / 8] ^= 1 << (bit % 8);
        }
        assert!(open(&ring, &CLUSTER, &packet).is_ok());
    }

    #[test]
    fn a_refusal_says_which() {
        let ring = Ring::new(key(1));
        let packet = sealed(&ring, b"hello");
        let refuse = |packet: &[u8]| open(&ring, &CLUSTER, packet).unwrap_err();
        assert_eq!(refuse(b""), Refused::TooShort(0));
        assert_eq!(refuse(&packet[..OVERHEAD - 1]), Refused::TooShort(OVERHEAD - 1));
        assert_eq!(refuse(b"H|pi1|2026-11-23T00:00:00Z"), Refused::NotOurs);
        let mut later = packet.clone();
        later[3] = 2;
        assert_eq!(refuse(&later), Refused::Version(2));
        let other = sealed(&Ring::new(key(2)), b"hello");
        assert_eq!(refuse(&other), Refused::UnknownKey(key(2).id()));
        let elsewhere = open(&ring, b"another cluster!", &packet);
        assert_eq!(elsewhere, Err(Refused::DoesNotOpen(key(1).id())));
    }

    #[test]
    fn every_key_of_a_ring_of_three_opens_and_the_first_seals() {
        let mut ring = Ring::new(key(1));
        ring.add(key(2)).unwrap();
        ring.add(key(3)).unwrap();
        for n in 1..=3 {
            let packet = sealed(&Ring::new(key(n)), &[n]);
            assert_eq!(open(&ring, &CLUSTER, &packet), Ok(vec![n]));
        }
        ring.use_key(key(3).id()).unwrap();
        assert_eq!(sealed(&ring, b"")[4..8], key(3).id().0);
    }

    proptest! {
        #[test]
        fn what_was_sealed_opens_to_the_same(
            key: [u8; 32], cluster: [u8; 16],
            plaintext in prop::collection::vec(any::<u8>(), 0..=PLAINTEXT_MAX),
        ) {
            let ring = Ring::new(Key::from_bytes(key));
            let mut packet = Vec::new();
            seal(&ring, &cluster, &plaintext, &mut packet).unwrap();
            prop_assert_eq!(packet.len(), plaintext.len() + OVERHEAD);
            prop_assert_eq!(open(&ring, &cluster, &packet), Ok(plaintext));
        }

        #[test]
        fn random_bytes_are_refused_and_never_a_panic(
            mut bytes in prop::collection::vec(any::<u8>(), 0..1500), ours: bool,
        ) {
            let ring = Ring::new(key(1));
            if ours && bytes.len() > NONCE_AT {
                bytes[..3].copy_from_slice(&MAGIC);
                bytes[3] = VERSION;
                bytes[4..NONCE_AT].copy_from_slice(&key(1).id().0);
            }
            prop_assert!(open(&ring, &CLUSTER, &bytes).is_err());
        }
    }
}
