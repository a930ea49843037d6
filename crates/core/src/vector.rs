//! How far each log is held, with the hash there.

use alloc::collections::BTreeMap;
use core::fmt::Write;

use crate::digest::{ChainHash, ClusterId, hash};
use crate::name::LogId;

/// The end of the bytes held of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Head {
    /// Bytes of the log before this point, over all its days.
    pub position: u64,
    /// The chain's hash there.
    pub hash: ChainHash,
}

impl Head {
    /// Where a log begins.
    #[must_use]
    pub fn start(cluster: &ClusterId, log: &LogId) -> Self {
        Self { position: 0, hash: ChainHash::start(cluster, log) }
    }
}

/// Per log, how far a node holds it durably.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Vector(pub BTreeMap<LogId, Head>);

impl Vector {
    /// The head of a log, if any byte of it is held.
    #[must_use]
    pub fn get(&self, log: &LogId) -> Option<Head> {
        self.0.get(log).copied()
    }

    /// How many bytes of a log are held.
    #[must_use]
    pub fn position(&self, log: &LogId) -> u64 {
        self.0.get(log).map_or(0, |head| head.position)
    }

    /// One hash of it all: equal nodes exchange nothing more than this.
    #[must_use]
    pub fn hash(&self) -> u128 {
        self.hash_of(|_| true)
    }

    /// The hash of some logs of it.
    #[must_use]
    pub fn hash_of(&self, counts: impl Fn(&LogId) -> bool) -> u128 {
        let mut text = alloc::string::String::with_capacity(self.0.len() * 80);
        for (log, head) in self.0.iter().filter(|(log, _)| counts(log)) {
            let _ = writeln!(text, "{log} {} {}", head.position, head.hash);
        }
        hash(text.as_bytes())
    }

    /// Whether every log of `other` is held here at least as far.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        other.0.iter().all(|(log, head)| self.position(log) >= head.position)
    }
}
