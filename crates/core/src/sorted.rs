//! The files of a checkpoint as nodes name them to each other: by what they hold.

/// A file of sorted state lines: the base of a shard, or a run above all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SortedFile {
    /// Of which shard; `None` for a run.
    pub shard: Option<u8>,
    /// XXH3-128 of its bytes.
    pub hash: u128,
}
