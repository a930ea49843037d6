//! One compaction of a home at a time, whoever writes meanwhile.

use std::fmt;

use crate::disk::{Disk, Held};
use crate::error::{Result, StoreError, Tried};
use crate::paths;

/// The turn to compact, as long as this lives. Who waits for it must not hold the home's lock: whoever
/// compacts takes that at the end.
pub struct Turn(#[expect(dead_code, reason = "held, not read")] Held);

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Turn")
    }
}

impl Turn {
    /// Takes the turn, if nobody else compacts.
    ///
    /// # Errors
    /// When the file of the turn cannot be opened.
    pub fn try_take(disk: &dyn Disk) -> Result<Option<Self>> {
        Ok(disk.lock(paths::COMPACTING, false).tried("lock", paths::COMPACTING)?.map(Self))
    }

    /// Takes the turn, waiting for as long as somebody else compacts.
    ///
    /// # Errors
    /// As [`Turn::try_take`].
    pub fn take(disk: &dyn Disk) -> Result<Self> {
        let held = disk.lock(paths::COMPACTING, true).tried("lock", paths::COMPACTING)?;
        held.map(Self)
            .ok_or_else(|| StoreError::Locked { path: paths::COMPACTING.to_owned(), holder: None })
    }
}
