//! The names of objects: the one room that joins their parts.

use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;

use crate::name::NodeId;

/// Bytes of a key: what every store takes.
const KEY_BYTES_MAX: usize = 1024;

/// The name of an object, or of a folder of them when it ends in `/`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(String);

impl Key {
    /// Whose bucket it is: the cluster's id, created once.
    #[must_use]
    pub fn cluster() -> Self {
        Self("cluster".to_string())
    }

    /// The `n`th node that was registered, from 1 on.
    #[must_use]
    pub fn node(n: u64) -> Self {
        Self(format!("nodes/{n}"))
    }

    /// The `n`th object of a node, from 1 on.
    #[must_use]
    pub fn object(node: &NodeId, n: u64) -> Self {
        Self(format!("wal/{node}/{n}"))
    }

    /// The folder of the objects of all nodes.
    #[must_use]
    pub fn wal() -> Self {
        Self("wal/".to_string())
    }

    /// What a node tries its rights on: whether it may create and read.
    #[must_use]
    pub fn trial(node: &NodeId, name: &str) -> Self {
        Self(format!("wal/{node}/try-{name}"))
    }

    /// The lease of a generation, from 1 on.
    #[must_use]
    pub fn lease(generation: u64) -> Self {
        Self(format!("compact.lock/{generation}"))
    }

    /// The `n`th manifest, from 1 on.
    #[must_use]
    pub fn manifest(n: u64) -> Self {
        Self(format!("manifest/{n}"))
    }

    /// A file of a checkpoint, as the holder of a generation published it.
    #[must_use]
    pub fn checkpoint(generation: u64, name: &str) -> Self {
        Self(format!("checkpoint/{generation}/{name}"))
    }

    /// The folder of all files of checkpoints.
    #[must_use]
    pub fn checkpoints() -> Self {
        Self("checkpoint/".to_string())
    }

    /// A file of the `n`th snapshot.
    #[must_use]
    pub fn snapshot(n: u64, table: &str, name: &str) -> Self {
        Self(format!("snapshot/{n}/{table}/{name}"))
    }

    /// The folder of all snapshots.
    #[must_use]
    pub fn snapshots() -> Self {
        Self("snapshot/".to_string())
    }

    /// The `n`th claim of a task, from 1 on.
    #[must_use]
    pub fn claim(campaign: &str, queue: &str, task: &str, n: u64) -> Self {
        Self(format!("claims/{campaign}/{queue}/{task}/{n}"))
    }

    /// The folder of all claims.
    #[must_use]
    pub fn claims() -> Self {
        Self("claims/".to_string())
    }

    /// A card of the mirror, by its path below the home; or, with a `/` at its end, a folder of them.
    #[must_use]
    pub fn mirror(path: &str) -> Self {
        Self(path.to_string())
    }

    /// Reads a key that a listing or a manifest told: printable, of whole parts, none of them `.` or `..`.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let parts = text.strip_suffix('/').unwrap_or(text);
        let fits = |part: &str| {
            !part.is_empty() && part != "." && part != ".." && !part.chars().any(char::is_control)
        };
        let all = text.len() <= KEY_BYTES_MAX && parts.split('/').all(fits);
        all.then(|| Self(text.to_string()))
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
