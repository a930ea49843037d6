//! Compaction beside whoever writes.

use std::collections::BTreeSet;

use cocli_core::limits::TAIL_BYTES_MAX;
use cocli_core::{Instant, Month, Vector};
use cocli_store::checkpoint::{self, Begun, Compacted, Means, Turn};
use cocli_store::{HomeLock, Reader};

use crate::conflicts::noted::Noted;
use crate::error::{NodeError, Result};
use crate::home::Home;

/// Memory that it takes at most, besides what the configuration says: a daemon stays small.
const MEMORY_BYTES: usize = 64 * 1024 * 1024;

/// How a compaction beside writers ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beside {
    /// There is too little to merge.
    Little,
    /// Somebody else compacts.
    Busy,
    /// What it was made of has changed meanwhile: a log was cut, or the home is another cluster's.
    Changed,
    /// Merged.
    Merged(Compacted),
}

impl Beside {
    /// What two of them came to together.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Merged(one), Self::Merged(two)) => {
                Self::Merged(Compacted { rebuilt: one.rebuilt + two.rebuilt, ..one })
            }
            // Who waits for what was joined is told at once; the rest is tried again when it is due.
            (Self::Merged(Compacted { joined: true, .. }), _) => self,
            (Self::Busy | Self::Changed, _) | (Self::Merged(_), Self::Little) => self,
            (Self::Little | Self::Merged(_), _) => other,
        }
    }
}

impl Home {
    /// The turn to compact, if nobody else is at it.
    ///
    /// # Errors
    /// When the file of the turn cannot be opened.
    pub fn try_turn(&self) -> Result<Option<Turn>> {
        Ok(Turn::try_take(&*self.disk)?)
    }

    /// The turn to compact, waiting for as long as somebody else is at it. Not for who holds a session.
    ///
    /// # Errors
    /// When the file of the turn cannot be opened.
    pub fn turn(&self) -> Result<Turn> {
        Ok(Turn::take(&*self.disk)?)
    }

    /// Merges what is `durable` of the journals into the checkpoint, and of each month's expiring logs into
    /// theirs, by one thread and without keeping anybody from writing: where it is long, and when it is
    /// `due` in any case. Of a month that cannot be merged `complain` hears; the others are. Then
    /// [`Home::expire_if_due`] and [`Home::archive_beside`] are due.
    ///
    /// # Errors
    /// When the disk refuses: the checkpoint of what stays is the old one, or the new one.
    pub fn compact_beside(
        &self,
        durable: &Vector,
        due: bool,
        now: Instant,
        complain: &dyn Fn(Month, NodeError),
    ) -> Result<Beside> {
        let months: BTreeSet<Month> = durable.0.keys().filter_map(|log| log.month).collect();
        let mut all = self.merge_beside(None, durable, due, now)?;
        for month in months {
            match self.merge_beside(Some(month), durable, due, now) {
                Ok(one) => all = all.and(one),
                Err(error) => complain(month, error),
            }
        }
        Ok(all)
    }

    fn merge_beside(
        &self,
        month: Option<Month>,
        durable: &Vector,
        due: bool,
        now: Instant,
    ) -> Result<Beside> {
        let Some(turn) = self.try_turn()? else { return Ok(Beside::Busy) };
        let mut journals = self.journals()?;
        let begun = Begun::of_month(turn, &mut journals, durable, month)?;
        let joins = begun.joins();
        if !joins && !begun.renews() && (begun.bytes() == 0 || !(due || begun.is_long())) {
            drop(begun);
            if due && month.is_none() && self.noted_before(0).is_none() {
                // Where nothing was noted everything is looked at once, in the background that this is.
                drop(self.conflicts(None));
            }
            return Ok(Beside::Little);
        }
        if month.is_none() && checkpoint::outlives_own(&mut journals)? {
            self.session(now)?.salvage()?;
        }
        let usual = self.means();
        let means = Means { memory: usual.memory.min(MEMORY_BYTES), threads: 1, ..usual };
        if joins {
            let left = begun.left_behind(&means)?;
            self.bring_along(&left, now)?;
        }
        let behind = begun.bytes();
        let merged = begun.merge(&mut journals, &means)?;
        let done = merged.done;
        // Looked at after the journals were, and before the checkpoint is another one. What another
        // node's checkpoint brings may settle what was lost, or show that more was.
        let look = || if joins { None } else { self.noted_before(behind) };
        let noted = month.is_none().then(look);
        let placed = {
            let lock = HomeLock::take(&*self.disk, &format!("process {}", std::process::id()))?;
            if !self.is_same()? {
                return Ok(Beside::Changed);
            }
            merged.place(&lock, &mut journals)?
        };
        if !placed.is_new() {
            placed.clean_up()?;
            return Ok(Beside::Changed);
        }
        // Before the turn is given back: the next checkpoint covers more than was looked at.
        if let Some(Some(noted)) = &noted {
            self.note_lost_of(noted, placed.id());
        }
        placed.clean_up()?;
        // Of what expires nothing counts as lost; and while much comes that look would be taken again and again.
        if due && matches!(noted, Some(None)) {
            drop(self.conflicts(None));
        }
        Ok(Beside::Merged(done))
    }

    /// Which values were lost, where that is known and so many bytes stand behind the checkpoint.
    fn noted_before(&self, behind: u64) -> Option<Noted> {
        let reads = |reader: &Reader| Noted::of(&*self.disk, reader);
        // To open a reader is to read all that stands behind the checkpoint.
        (behind <= TAIL_BYTES_MAX).then(|| self.read(reads).ok().flatten()).flatten()
    }

    /// Writes records that would be in no journal any more into the own log.
    fn bring_along(&self, records: &[u8], now: Instant) -> Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        self.session(now)?.append_verbatim(records, "join")
    }
}

#[cfg(test)]
mod tests;
