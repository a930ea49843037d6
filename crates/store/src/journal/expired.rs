//! Taking expiring logs away, as a whole, when their time is over.

use std::collections::BTreeSet;

use cocli_core::{LogId, Month};

use super::Journals;
use crate::error::{Result, Tried, if_there};
use crate::lock::HomeLock;
use crate::paths;

impl Journals {
    /// The months of which expiring logs are held.
    #[must_use]
    pub fn months(&self) -> BTreeSet<Month> {
        self.logs.keys().filter_map(|id| id.month).collect()
    }

    /// The newest month in which another node wrote, by the names of its journals, and where they went
    /// by its base.
    pub(crate) fn newest_of_others(&self) -> Option<Month> {
        let others = self.logs.values().filter(|log| log.id.node != self.node);
        others
            .filter_map(|log| log.newest_day().max(log.start_day))
            .max()
            .map(cocli_core::Day::month)
    }

    /// Removes the logs that expire with a month. Done again it finishes what was cut off.
    ///
    /// # Errors
    /// When the disk refuses a step.
    pub(crate) fn remove_month(&mut self, lock: &HomeLock, month: Month) -> Result<()> {
        let logs: Vec<LogId> =
            self.logs.keys().filter(|id| id.month == Some(month)).cloned().collect();
        // The marks first: without their journals they would say that something is lost.
        for log in &logs {
            let path = paths::marks(log);
            if_there(self.disk.remove(&path)).tried("remove", &path)?;
            self.holes.forget(log);
        }
        if_there(self.disk.sync_folder(paths::MARKS)).tried("sync", paths::MARKS)?;
        for log in &logs {
            let path = paths::journal(log, month.first_day());
            if_there(self.disk.remove(&path)).tried("remove", &path)?;
        }
        self.disk.sync_folder(paths::WAL).tried("sync", paths::WAL)?;
        self.save_holes(lock)?;
        self.refresh()
    }
}
