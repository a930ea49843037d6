//! Making replicas durable, many at once. The waiting can be done on another thread: a plan is made,
//! run, and its end reported.

use std::io;

use cocli_core::{Head, LogId};

use super::{Journals, put_aside};
use crate::disk::Disk;
use crate::error::{Result, StoreError, Tried};
use crate::lock::HomeLock;
use crate::paths;

/// Which files to sync, and what is durable then.
#[derive(Debug, Clone, Default)]
pub struct SyncPlan {
    logs: Vec<LogPlan>,
}

#[derive(Debug, Clone)]
struct LogPlan {
    log: LogId,
    end: u64,
    files: Vec<String>,
    /// One of the files is new: its name is to be synced too.
    new: bool,
}

/// What a plan came to.
#[derive(Debug)]
pub struct SyncEnd {
    synced: Vec<(LogId, u64)>,
    failed: Vec<Failed>,
}

#[derive(Debug)]
struct Failed {
    log: LogId,
    error: StoreError,
    /// The system may take the bytes for written from now on, although they are not: no later sync is
    /// to be believed for them. A file that could not even be opened is only as it was before.
    lost: bool,
}

/// What is durable after a sync.
#[derive(Debug)]
pub struct Durable {
    /// How far each log is that the sync was for.
    pub heads: Vec<(LogId, Head)>,
    /// Logs that were cut back to what was durable before.
    pub lost: Vec<LogId>,
    /// Why some is not, if so.
    pub failed: Option<StoreError>,
}

impl SyncPlan {
    /// Whether everything is durable already.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.logs.is_empty()
    }

    /// Syncs the files, then the names of new ones. Give what it came to to [`Journals::synced`].
    #[must_use]
    pub fn run(self, disk: &dyn Disk) -> SyncEnd {
        let new = self.logs.iter().any(|plan| plan.new);
        let mut end = SyncEnd { synced: Vec::new(), failed: Vec::new() };
        let mut named = Vec::new();
        let files = self.logs.iter().flat_map(|plan| &plan.files);
        let files: Vec<&str> = files.map(String::as_str).collect();
        let mut results = disk.sync_each(&files).into_iter();
        for plan in self.logs {
            let results: Vec<_> = plan.files.iter().zip(results.by_ref()).collect();
            let failed = results.into_iter().find_map(|(path, result)| Some((path, result.err()?)));
            match failed {
                Some((path, error)) => {
                    let lost = !is_out_of_reach(&error);
                    let error = StoreError::Io { path: path.clone(), doing: "sync", source: error };
                    end.failed.push(Failed { log: plan.log, error, lost });
                }
                None if plan.new => named.push((plan.log, plan.end)),
                None => end.synced.push((plan.log, plan.end)),
            }
        }
        match if new { disk.sync_folder(paths::WAL) } else { Ok(()) } {
            Ok(()) => end.synced.extend(named),
            Err(error) => end.failed.extend(named.into_iter().map(|(log, _)| {
                let source = io::Error::new(error.kind(), error.to_string());
                let error = StoreError::Io { path: paths::WAL.to_owned(), doing: "sync", source };
                Failed { log, error, lost: true }
            })),
        }
        end
    }
}

/// Whether the file could not be opened: then nothing was tried.
fn is_out_of_reach(error: &io::Error) -> bool {
    use io::ErrorKind::{NotFound, PermissionDenied, ReadOnlyFilesystem};
    let too_many = matches!(error.raw_os_error(), Some(ENFILE | EMFILE));
    too_many || matches!(error.kind(), NotFound | PermissionDenied | ReadOnlyFilesystem)
}

const ENFILE: i32 = 23;
const EMFILE: i32 = 24;

/// Bytes that are written again in one step.
const STEP_BYTES: u64 = 1024 * 1024;

impl Journals {
    /// What is held beyond what is known to be durable: own appends of this view, ranges of others,
    /// journals that other hands put here.
    ///
    /// # Errors
    /// When a write failed that could not be undone: no sync means anything then.
    pub fn sync_plan(&self) -> Result<SyncPlan> {
        self.sound()?;
        let mut plan = SyncPlan::default();
        // No sync is believed for a log in doubt.
        let doubted = self.doubt.as_ref().map(|doubt| &doubt.log);
        for log in self.logs.values().filter(|log| log.durable < log.end) {
            if doubted == Some(&log.id) {
                continue;
            }
            let mut of_log =
                LogPlan { log: log.id.clone(), end: log.end, files: Vec::new(), new: false };
            for file in &log.days {
                if file.there && file.start + file.whole > log.durable {
                    of_log.files.push(paths::journal(&log.id, file.day));
                    let named = |m: &super::mark::Mark| m.begins && m.day == file.day && m.saved;
                    of_log.new |= !log.marks.iter().any(named);
                }
            }
            plan.logs.push(of_log);
        }
        Ok(plan)
    }

    /// A plan ran. What of it failed is written once more, so that a sync of it means something
    /// again; where that fails too, a replica is cut back to what was durable, to be fetched again
    /// (its bytes are kept aside if the disk takes them), and the own log is doubted from there.
    ///
    /// # Errors
    /// When a cut fails too: then nothing more is taken until the home is opened anew.
    pub fn synced(&mut self, lock: &HomeLock, end: SyncEnd) -> Result<Durable> {
        self.make_folders(lock)?;
        let mut durable = Durable { heads: Vec::new(), lost: Vec::new(), failed: None };
        for (id, end) in end.synced {
            durable.heads.extend(self.is_durable(lock, &id, end)?);
        }
        for Failed { log, error, lost } in end.failed {
            let end = self.end(&log);
            if !lost {
                durable.failed = Some(error);
            } else if log == self.own {
                let _ = self.begin_doubt(self.durable(&log), "a sync failed");
                durable.failed = Some(error);
            } else if self.write_again(&log).is_ok() {
                durable.heads.extend(self.is_durable(lock, &log, end)?);
            } else {
                durable.failed = Some(error);
                self.give_up_unsynced(lock, &log)?;
                durable.lost.push(log);
            }
        }
        self.save_holes(lock)?;
        Ok(durable)
    }

    fn is_durable(
        &mut self,
        lock: &HomeLock,
        id: &LogId,
        end: u64,
    ) -> Result<Option<(LogId, Head)>> {
        let Some(log) = self.log_mut(id) else { return Ok(None) };
        log.durable = log.durable.max(end.min(log.end));
        let position = log.durable;
        let hash = self.hash_at(id, position)?;
        self.save_marks(lock, id)?;
        Ok(hash.map(|hash| (id.clone(), Head { position, hash })))
    }

    /// Writes the bytes that a failed sync was for in their place again, and syncs them: only bytes
    /// that were written since mean something to a sync.
    fn write_again(&self, id: &LogId) -> Result<()> {
        let Some(log) = self.logs.get(id) else { return Ok(()) };
        for file in log.days.iter().filter(|file| file.start + file.whole > log.durable) {
            let path = paths::journal(id, file.day);
            let mut offset = log.durable.saturating_sub(file.start);
            while offset < file.whole {
                let len =
                    usize::try_from(STEP_BYTES.min(file.whole - offset)).unwrap_or(usize::MAX);
                let bytes = self.disk.read_at(&path, offset, len).tried("read", &path)?;
                if bytes.is_empty() {
                    break;
                }
                let written = self.disk.write_at(&path, offset, &bytes, false);
                written.tried_to_write(&path, bytes.len() as u64)?;
                offset += bytes.len() as u64;
            }
            self.disk.sync(&path).tried("sync", &path)?;
        }
        self.disk.sync_folder(paths::WAL).tried("sync", paths::WAL)
    }

    fn give_up_unsynced(&mut self, lock: &HomeLock, id: &LogId) -> Result<()> {
        let durable = self.durable(id);
        for file in self.logs.get(id).map(|log| log.days.clone()).unwrap_or_default() {
            let path = paths::journal(id, file.day);
            let offset = durable.saturating_sub(file.start);
            let len = usize::try_from(file.whole.saturating_sub(offset)).unwrap_or(usize::MAX);
            // What cannot be read or kept is fetched again all the same.
            if let Ok(bytes) = self.disk.read_at(&path, offset, len) {
                let _ = put_aside(&*self.disk, id, file.start + offset, &bytes);
            }
        }
        self.cut_log(lock, id, durable).inspect_err(|_| {
            self.poisoned = Some(format!("a sync of {id} failed and it could not be cut back"));
        })
    }

    /// Makes everything held durable, now.
    ///
    /// # Errors
    /// When bytes that were there may be lost: see [`Self::synced`]. A journal that cannot be opened is
    /// no error: it counts as little as before.
    pub fn sync(&mut self, lock: &HomeLock) -> Result<Vec<(LogId, Head)>> {
        let plan = self.sync_plan()?;
        if plan.is_empty() {
            return Ok(Vec::new());
        }
        let end = plan.run(&*self.disk);
        let lost = end.failed.iter().any(|failed| failed.lost);
        let Durable { heads, failed, .. } = self.synced(lock, end)?;
        match failed.filter(|_| lost) {
            Some(error) => Err(error),
            None => Ok(heads),
        }
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
