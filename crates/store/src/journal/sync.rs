//! Making replicas durable, many at once. The waiting can be done on another thread: a plan is made,
//! run, and its end reported.

use cocli_core::{Head, LogId};

use super::Journals;
use crate::disk::Disk;
use crate::error::{Result, Tried};
use crate::lock::HomeLock;
use crate::paths;

/// Which files to sync, and what is durable then.
#[derive(Debug, Clone, Default)]
pub struct SyncPlan {
    files: Vec<String>,
    folder: bool,
    ends: Vec<(LogId, u64)>,
}

impl SyncPlan {
    /// Whether everything is durable already.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Syncs the files, then the names of new ones.
    ///
    /// # Errors
    /// The first that fails: nothing of the plan may count then; see [`Journals::sync_failed`].
    pub fn run(&self, disk: &dyn Disk) -> Result<()> {
        for path in &self.files {
            disk.sync(path).tried("sync", path)?;
        }
        if self.folder {
            disk.sync_folder(paths::WAL).tried("sync", paths::WAL)?;
        }
        Ok(())
    }
}

impl Journals {
    /// What is held beyond what is known to be durable: own appends of this view, ranges of others,
    /// journals that other hands put here.
    #[must_use]
    pub fn sync_plan(&self) -> SyncPlan {
        let mut plan = SyncPlan::default();
        // No sync is believed for a log in doubt.
        let doubted = self.doubt.as_ref().map(|doubt| &doubt.log);
        for log in self.logs.values().filter(|log| log.durable < log.end) {
            if doubted == Some(&log.id) {
                continue;
            }
            plan.ends.push((log.id.clone(), log.end));
            for file in &log.days {
                if file.there && file.start + file.whole > log.durable {
                    plan.files.push(paths::journal(&log.id, file.day));
                    let named = |m: &super::mark::Mark| m.begins && m.day == file.day && m.saved;
                    plan.folder |= !log.marks.iter().any(named);
                }
            }
        }
        plan
    }

    /// A plan ran: its bytes are durable. Gives how far each log is now.
    ///
    /// # Errors
    /// When a log cannot be read.
    pub fn synced(&mut self, lock: &HomeLock, plan: &SyncPlan) -> Result<Vec<(LogId, Head)>> {
        self.make_folders(lock)?;
        let mut heads = Vec::new();
        for (id, end) in &plan.ends {
            let Some(log) = self.log_mut(id) else { continue };
            log.durable = log.durable.max((*end).min(log.end));
            let durable = log.durable;
            if let Some(hash) = self.hash_at(id, durable)? {
                heads.push((id.clone(), Head { position: durable, hash }));
            }
            self.save_marks(lock, id)?;
        }
        self.save_holes(lock)?;
        Ok(heads)
    }

    /// A plan failed. The system may take the bytes for written from now on, so no later sync can be
    /// believed for them: replicas are cut back to what was durable, to be fetched again, and the
    /// own log is doubted from there.
    ///
    /// # Errors
    /// When a cut fails too: then nothing more is taken until the home is opened anew.
    pub fn sync_failed(&mut self, lock: &HomeLock, plan: &SyncPlan) -> Result<()> {
        for (id, _) in &plan.ends {
            let durable = self.durable(id);
            if *id == self.own {
                let _ = self.begin_doubt(durable, "a sync failed");
                continue;
            }
            if let Err(error) = self.cut_log(lock, id, durable) {
                self.poisoned = Some(format!("a sync of {id} failed and it could not be cut back"));
                return Err(error);
            }
        }
        Ok(())
    }

    /// Makes everything held durable, now.
    ///
    /// # Errors
    /// When a sync fails: what it covered does not count, see [`Self::sync_failed`].
    pub fn sync(&mut self, lock: &HomeLock) -> Result<Vec<(LogId, Head)>> {
        self.sound()?;
        let plan = self.sync_plan();
        if plan.is_empty() {
            return Ok(Vec::new());
        }
        if let Err(error) = plan.run(&*self.disk) {
            self.sync_failed(lock, &plan)?;
            return Err(error);
        }
        self.synced(lock, &plan)
    }

    /// Takes away what a log has behind `position`, durably.
    pub(crate) fn cut_log(&mut self, lock: &HomeLock, id: &LogId, position: u64) -> Result<()> {
        let days = self.logs.get(id).map(|log| log.days.clone()).unwrap_or_default();
        // Newest first, so that after a crash what is left is a log without a gap.
        for file in days.iter().rev().filter(|file| file.there) {
            let path = paths::journal(id, file.day);
            if file.start >= position {
                self.disk.remove(&path).tried("remove", &path)?;
            } else if file.start + file.raw > position {
                self.disk.cut(&path, position - file.start).tried("cut", &path)?;
                self.disk.sync(&path).tried("sync", &path)?;
            }
        }
        self.disk.sync_folder(paths::WAL).tried("sync", paths::WAL)?;
        if let Some(log) = self.log_mut(id) {
            log.durable = log.durable.min(position);
        }
        self.holes.cut(id, position);
        self.cut_marks(lock, id, position)?;
        if let Some(log) = self.log_mut(id) {
            log.marks_stat = None;
            log.found.clear();
        }
        self.save_holes(lock)?;
        let doubt = self.doubt.take();
        self.refresh()?;
        self.doubt = self.doubt.take().or(doubt);
        Ok(())
    }
}
