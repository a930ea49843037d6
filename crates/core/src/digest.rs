//! Hashes: of texts, of a log's chain, of the state.
//!
//! XXH3-128 throughout: it tells rot, forks and clones, and is no proof against who holds the key.

mod link;

use alloc::string::ToString;
use core::fmt;

use xxhash_rust::xxh3::{Xxh3, xxh3_64, xxh3_128};

use crate::name::{LogId, Target};
use crate::time::Day;

/// XXH3-128 of `bytes`.
#[must_use]
#[inline]
pub fn hash(bytes: &[u8]) -> u128 {
    xxh3_128(bytes)
}

/// The check that our writers put behind a record: the low 32 bits of XXH3-64.
#[must_use]
#[inline]
pub(crate) fn check(record: &[u8]) -> u32 {
    (xxh3_64(record) & 0xffff_ffff) as u32
}

/// XXH3-64 of a text.
#[must_use]
#[inline]
pub fn text_hash(text: &[u8]) -> u64 {
    xxh3_64(text)
}

/// The base shard of a target: the lowest byte of XXH3-64 of its entity.
#[must_use]
pub fn shard(target: &Target) -> u8 {
    shard_of_hash(text_hash(target.entity().as_bytes()))
}

/// The base shard of an entity with this hash.
#[must_use]
#[inline]
pub fn shard_of_hash(entity_hash: u64) -> u8 {
    (entity_hash & 0xff) as u8
}

/// XXH3-128 of bytes that come in pieces.
#[derive(Clone, Default)]
pub struct Hasher(Xxh3);

impl Hasher {
    /// Counts the next bytes in.
    pub fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// What [`hash`] says of all of them.
    #[must_use]
    pub fn done(&self) -> u128 {
        self.0.digest128()
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hasher")
    }
}

const NO_DIGIT: u8 = 0x80;

/// What a byte is as a hex digit of either case.
const DIGITS: [u8; 256] = {
    let mut digits = [NO_DIGIT; 256];
    let mut at = 0;
    while at < 16 {
        digits[b"0123456789abcdef"[at] as usize] = at as u8;
        digits[b"0123456789ABCDEF"[at] as usize] = at as u8;
        at += 1;
    }
    digits
};

/// The id of a cluster, made at random by its first `init`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterId(pub [u8; 16]);

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl ClusterId {
    /// Reads 32 hex digits.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        Self::of_hex(text.as_bytes())
    }

    /// As [`Self::read`], of bytes: a home has thousands of such texts, read at each start.
    fn of_hex(text: &[u8]) -> Option<Self> {
        let digits: &[u8; 32] = text.try_into().ok()?;
        let mut bytes = [0; 16];
        let mut wrong = 0;
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let (high, low) = (DIGITS[usize::from(pair[0])], DIGITS[usize::from(pair[1])]);
            wrong |= (high | low) & NO_DIGIT;
            *byte = high << 4 | (low & 15);
        }
        (wrong == 0).then_some(Self(bytes))
    }
}

/// The hash of a log up to the end of a record.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChainHash(pub [u8; 16]);

impl ChainHash {
    /// h(0) = H(cluster, node, epoch), with the month of an expiring log behind it.
    #[must_use]
    pub fn start(cluster: &ClusterId, log: &LogId) -> Self {
        let mut text = alloc::vec::Vec::with_capacity(96);
        text.extend_from_slice(&cluster.0);
        text.extend_from_slice(log.node.as_str().as_bytes());
        text.push(0);
        text.extend_from_slice(log.epoch.as_str().as_bytes());
        if let Some(month) = log.month {
            text.push(0);
            text.extend_from_slice(month.to_string().as_bytes());
        }
        Self(hash(&text).to_be_bytes())
    }

    /// h(n) = H(h(n-1), day, H(record)); `record` runs to its RS and includes it.
    #[must_use]
    #[inline]
    pub fn next(self, day: Day, record: &[u8]) -> Self {
        let before = u128::from_be_bytes(self.0);
        Self(link::hash(before, day.number(), hash(record)).to_be_bytes())
    }

    /// The hash after all the records of `bytes`, which must end where a record ends.
    #[must_use]
    pub fn over(self, day: Day, bytes: &[u8]) -> Self {
        crate::usv::records(bytes).fold(self, |chain, record| chain.next(day, record.bytes))
    }

    /// Reads 32 hex digits.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        Self::of_hex(text.as_bytes())
    }

    /// As [`Self::read`], of bytes.
    #[must_use]
    pub fn of_hex(text: &[u8]) -> Option<Self> {
        ClusterId::of_hex(text).map(|id| Self(id.0))
    }
}

impl fmt::Display for ChainHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&ClusterId(self.0), f)
    }
}

impl fmt::Debug for ChainHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The sum modulo 2^128 of the hash of each state line: equal for equal states, whatever the order
/// in which their lines were counted (law 3).
#[derive(Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct StateDigest(pub u128);

impl StateDigest {
    /// Counts a state line (without its separators) in.
    #[inline]
    pub fn add(&mut self, line: &[u8]) {
        self.0 = self.0.wrapping_add(hash(line));
    }

    /// Takes a state line out again.
    pub fn subtract(&mut self, line: &[u8]) {
        self.0 = self.0.wrapping_sub(hash(line));
    }

    /// Joins the digest of other lines.
    pub fn join(&mut self, other: Self) {
        self.0 = self.0.wrapping_add(other.0);
    }

    /// Reads 32 hex digits.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        ClusterId::read(text).map(|id| Self(u128::from_be_bytes(id.0)))
    }
}

impl fmt::Display for StateDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for StateDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
