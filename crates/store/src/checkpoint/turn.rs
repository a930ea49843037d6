//! One compaction of a home at a time, whoever writes meanwhile.

use std::fmt;
use std::sync::Arc;

use crate::disk::{Disk, Held};
use crate::error::{Result, StoreError, Tried};
use crate::paths;

/// The turn to compact, as long as this lives. Who waits for it must not hold the home's lock: whoever
/// compacts takes that at the end.
pub struct Turn(Arc<Held>);

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Turn")
    }
}

impl Turn {
    fn of(held: Held) -> Self {
        Self(Arc::new(held))
    }

    /// The same turn once more: it is given back with the last of them.
    pub(super) fn again(&self) -> Self {
        Self(Arc::clone(&self.0))
    }

    /// Takes the turn, if nobody else compacts.
    ///
    /// # Errors
    /// When the file of the turn cannot be opened.
    pub fn try_take(disk: &dyn Disk) -> Result<Option<Self>> {
        Ok(disk.lock(paths::COMPACTING, false).tried("lock", paths::COMPACTING)?.map(Self::of))
    }

    /// Takes the turn, waiting for as long as somebody else compacts.
    ///
    /// # Errors
    /// As [`Turn::try_take`].
    pub fn take(disk: &dyn Disk) -> Result<Self> {
        let held = disk.lock(paths::COMPACTING, true).tried("lock", paths::COMPACTING)?;
        held.map(Self::of)
            .ok_or_else(|| StoreError::Locked { path: paths::COMPACTING.to_owned(), holder: None })
    }
}
