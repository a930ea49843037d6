//! The plaintext of a packet: who sends it, and messages filled by a byte budget.
//!
//! What comes in was made by somebody else: a length is never trusted, an unknown message is
//! stepped over, and nothing here can panic. docs/gossip.md tells the format.

use alloc::vec::Vec;

use crate::digest::ChainHash;
use crate::name::LogId;
use crate::time::Day;
use crate::vector::Head;

/// Whole records of one log and one day, with their place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// Of which log.
    pub log: LogId,
    /// Of which day; a range never crosses one.
    pub day: Day,
    /// Bytes of the log before it.
    pub position: u64,
    /// The chain's hash before it.
    pub hash_before: ChainHash,
    /// Whole records; never empty.
    pub bytes: Vec<u8>,
}

impl Range {
    /// Where it begins.
    #[must_use]
    pub fn start(&self) -> Head {
        Head { position: self.position, hash: self.hash_before }
    }

    /// Where it ends, with the hash worked out over its records.
    #[must_use]
    pub fn end(&self) -> Head {
        Head {
            position: self.position.saturating_add(self.bytes.len() as u64),
            hash: self.hash_before.over(self.day, &self.bytes),
        }
    }
}
