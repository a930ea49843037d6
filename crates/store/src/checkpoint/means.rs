//! What a compaction may use, and from where on it does what.

use std::fmt;

use crate::side::threads;

/// Memory that a compaction takes where nobody says otherwise, unless an eighth of the machine's is less.
const MEMORY_BYTES: usize = 256 * MIB;
/// Below this, what is new is merged into the shards that it touches, without runs.
const WHOLE_BYTES: u64 = 64 * MIB as u64;
/// Runs are merged into the shards when they pass this part of them.
const SHARE: u64 = 8;
/// Up to so many bytes of journals one thread is as fast as several.
const ALONE_BYTES: u64 = 256 * 1024;
/// Bytes of new lines from which on files are synced while others are made. A file system takes less
/// time for many small ones at once.
const BESIDE_BYTES: u64 = 64 * MIB as u64;

const MIB: usize = 1024 * 1024;

/// The means of a compaction.
#[derive(Clone, Copy)]
pub struct Means<'a> {
    /// Bytes of memory that it may take, about; what does not fit waits in a file.
    pub memory: usize,
    /// Threads that read, sort and write side by side.
    pub threads: usize,
    /// Bytes of journals up to which one thread does all of it.
    pub alone_bytes: u64,
    /// Bytes of new lines from which on several threads sync files while they make others.
    pub beside_bytes: u64,
    /// Bytes of checkpoint below which what is new is merged wholly, without runs.
    pub whole_bytes: u64,
    /// The runs are merged into the shards when they pass one part in so many of them; 0 for never.
    pub share: u64,
    /// Hears how many bytes of journals are read, and of how many.
    pub progress: Option<&'a (dyn Fn(u64, u64) + Sync)>,
}

impl Default for Means<'_> {
    fn default() -> Self {
        Self {
            memory: memory_of_machine().map_or(MEMORY_BYTES, |all| (all / 8).min(MEMORY_BYTES)),
            threads: threads(),
            alone_bytes: ALONE_BYTES,
            beside_bytes: BESIDE_BYTES,
            whole_bytes: WHOLE_BYTES,
            share: SHARE,
            progress: None,
        }
    }
}

/// Bytes; `None` where the system does not say.
fn memory_of_machine() -> Option<usize> {
    #[cfg(target_os = "linux")]
    {
        let info = rustix::system::sysinfo();
        usize::try_from(info.totalram).ok()?.checked_mul(info.mem_unit as usize)
    }
    #[cfg(not(target_os = "linux"))]
    {
        None
    }
}

impl Means<'_> {
    /// The usual means within so many bytes of memory.
    #[must_use]
    pub fn within(memory: usize) -> Self {
        Self { memory, ..Self::default() }
    }
}

impl fmt::Debug for Means<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes, {} threads", self.memory, self.threads)
    }
}
