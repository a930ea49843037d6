//! Compaction beside whoever writes.

use cocli_core::Vector;
use cocli_store::HomeLock;
use cocli_store::checkpoint::{Begun, Compacted, Means, Turn};

use crate::error::Result;
use crate::home::Home;

/// Memory that it takes at most, besides what the configuration says: a daemon stays small.
const MEMORY_BYTES: usize = 64 * 1024 * 1024;

impl Home {
    /// The turn to compact, waiting for as long as somebody else is at it. Not for who holds a session.
    ///
    /// # Errors
    /// When the file of the turn cannot be opened.
    pub fn turn(&self) -> Result<Turn> {
        Ok(Turn::take(&*self.disk)?)
    }

    /// Merges what is `durable` of the journals into the checkpoint, by one thread and without keeping
    /// anybody from writing: where it is long, and when it is `due` in any case. `None` when nothing was
    /// done: there is too little of it, somebody else compacts, or a log was cut meanwhile.
    ///
    /// # Errors
    /// When the disk refuses: the checkpoint is the old one, or the new one.
    pub fn compact_beside(&self, durable: &Vector, due: bool) -> Result<Option<Compacted>> {
        let Some(turn) = Turn::try_take(&*self.disk)? else { return Ok(None) };
        let mut journals = self.journals()?;
        let begun = Begun::up_to(turn, &mut journals, durable)?;
        if begun.bytes() == 0 || !(due || begun.is_long()) {
            return Ok(None);
        }
        let usual = self.means();
        let means = Means { memory: usual.memory.min(MEMORY_BYTES), threads: 1, ..usual };
        let merged = begun.merge(&mut journals, &means)?;
        let done = merged.done;
        let placed = {
            let lock = HomeLock::take(&*self.disk, &format!("process {}", std::process::id()))?;
            merged.place(&lock, &mut journals)?
        };
        let is_new = placed.is_new();
        placed.clean_up()?;
        Ok(is_new.then_some(done))
    }
}
