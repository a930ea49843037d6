//! One lock per data home. Who holds it may append, cut, compact; who only reads needs none.

use std::fmt;

use crate::disk::{Disk, Held};
use crate::error::{Result, StoreError, Tried};
use crate::paths;

/// The home's lock, as long as this lives. Every call that changes the home asks for one, so that no
/// caller forgets it.
pub struct HomeLock(#[expect(dead_code, reason = "held, not read")] Held);

impl fmt::Debug for HomeLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HomeLock")
    }
}

/// The right to be the daemon of a home, for as long as this lives.
pub struct Serving(#[expect(dead_code, reason = "held, not read")] Held);

impl fmt::Debug for Serving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Serving")
    }
}

impl Serving {
    /// Takes the right; `None` when a daemon has it.
    ///
    /// # Errors
    /// When its file cannot be opened.
    pub fn try_take(disk: &dyn Disk) -> Result<Option<Self>> {
        Ok(disk.lock(paths::SERVING, false).tried("lock", paths::SERVING)?.map(Self))
    }
}

impl HomeLock {
    /// Takes the lock if nobody holds it. `who` (process and command) is written into it, for others
    /// to name. Waiting some seconds and then giving up is the caller's: that needs a clock.
    ///
    /// # Errors
    /// [`StoreError::Locked`], naming the holder where it is known.
    pub fn try_take(disk: &dyn Disk, who: &str) -> Result<Self> {
        let held = disk.lock(paths::LOCK, false).tried("lock", paths::LOCK)?;
        let Some(held) = held else {
            return Err(StoreError::Locked { path: paths::LOCK.to_owned(), holder: holder(disk) });
        };
        Ok(Self::of(disk, held, who))
    }

    /// Takes the lock, waiting for as long as somebody else holds it.
    ///
    /// # Errors
    /// When the lock file cannot be opened.
    pub fn take(disk: &dyn Disk, who: &str) -> Result<Self> {
        let held = disk.lock(paths::LOCK, true).tried("lock", paths::LOCK)?;
        let held = held.ok_or_else(|| StoreError::Locked {
            path: paths::LOCK.to_owned(),
            holder: holder(disk),
        })?;
        Ok(Self::of(disk, held, who))
    }

    /// The name of the holder is a courtesy: a full disk must not keep anybody from the lock.
    fn of(disk: &dyn Disk, held: Held, who: &str) -> Self {
        if holder(disk).as_deref() != Some(who) {
            let line = format!("{who}\n");
            let _ = disk.write_at(paths::LOCK, 0, line.as_bytes(), true);
        }
        Self(held)
    }
}

fn holder(disk: &dyn Disk) -> Option<String> {
    let text = disk.read_at(paths::LOCK, 0, 200).ok()?;
    let text = String::from_utf8(text).ok()?;
    let line = text.lines().next()?.trim();
    (!line.is_empty()).then(|| line.to_owned())
}
