//! Making replicas durable, many at once. The waiting can be done on another thread: a plan is made,
//! run, and its end reported.

use std::collections::BTreeSet;
use std::io;

use cocli_core::{Day, Head, LogId};

use super::command::Intent;
use super::{Journals, file};
use crate::archive::Piece;
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
    /// Where the log ended.
    end: u64,
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
                    end.failed.push(Failed { log: plan.log, end: plan.end, error, lost });
                }
                None if plan.new => named.push((plan.log, plan.end)),
                None => end.synced.push((plan.log, plan.end)),
            }
        }
        match if new { disk.sync_folder(paths::WAL) } else { Ok(()) } {
            Ok(()) => end.synced.extend(named),
            Err(error) => end.failed.extend(named.into_iter().map(|(log, end)| {
                let source = io::Error::new(error.kind(), error.to_string());
                let error = StoreError::Io { path: paths::WAL.to_owned(), doing: "sync", source };
                Failed { log, end, error, lost: true }
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
    /// journals that other hands put here. What a failed sync was for is written once more first.
    pub fn sync_plan(&mut self, _: &HomeLock) -> SyncPlan {
        let unwritten = self.logs.values().filter(|log| log.unwritten);
        for id in unwritten.map(|log| log.id.clone()).collect::<Vec<_>>() {
            // Where the disk still does not take it, the log stays out of the plan.
            let _ = self.write_what_no_sync_holds(&id);
        }
        let mut plan = SyncPlan::default();
        // No sync is believed for a log in doubt.
        let doubted = self.doubt.as_ref().map(|doubt| &doubt.log);
        for log in self.logs.values().filter(|log| log.durable < log.end) {
            if doubted == Some(&log.id) || log.unwritten || self.is_unsettled(&log.id) {
                continue;
            }
            let mut of_log =
                LogPlan { log: log.id.clone(), end: log.end, files: Vec::new(), new: false };
            for file in &log.days {
                // What is in the archive was synced before it came there.
                if file.there && file.piece.is_none() && file.end() > log.durable {
                    of_log.files.push(paths::journal(&log.id, file.day));
                    let named = |m: &super::mark::Mark| m.begins && m.day == file.day && m.saved;
                    of_log.new |= !log.marks.iter().any(named);
                }
            }
            plan.logs.push(of_log);
        }
        plan
    }

    /// Whether an append to an own log may have been cut off: what stands of it is none of the log
    /// before [`Self::recover`] has completed or undone it.
    pub(crate) fn is_unsettled(&self, log: &LogId) -> bool {
        let is_of =
            |intent: Option<Intent>| intent.is_some_and(|intent| intent.written.log == *log);
        self.owns(log) && Intent::read(&*self.disk).map_or(true, is_of)
    }

    /// Whether a failed sync of this log puts the own logs in doubt. Where another one is, this one is
    /// soon nobody's, and is written once more like a replica.
    fn is_to_doubt(&self, log: &LogId) -> bool {
        self.owns(log) && self.doubt.as_ref().is_none_or(|doubt| doubt.log == *log)
    }

    /// A plan ran, and [`Self::synced`] may not come to hear of it, as it waits for the lock. What
    /// failed is believed by no later sync of this view before it was written once more; the own log
    /// is doubted.
    pub fn distrust(&mut self, end: &SyncEnd) {
        for Failed { log, .. } in end.failed.iter().filter(|failed| failed.lost) {
            if self.is_to_doubt(log) {
                self.doubt_in_memory(log, self.durable(log), "a sync failed");
            } else if let Some(log) = self.log_mut(log) {
                log.unwritten = true;
            }
        }
    }

    /// A plan ran. What of it failed is written once more, so that a sync of it means something
    /// again. Where that fails too the own log is doubted from there; of a replica what this view
    /// appended is kept aside and cut, to be fetched again, and what is left of it that is not known
    /// to be durable is believed by no later sync of this view before it was written once more.
    ///
    /// # Errors
    /// When the home cannot be read, or the folder of marks not be made; what is durable and what is not is noted all the same.
    pub fn synced(&mut self, lock: &HomeLock, end: SyncEnd) -> Result<Durable> {
        self.distrust(&end);
        let folders = self.make_folders(lock);
        let mut durable = Durable { heads: Vec::new(), lost: Vec::new(), failed: None };
        for (id, end) in end.synced {
            self.is_durable(lock, &id, end, &mut durable);
        }
        if end.failed.iter().any(|failed| !failed.lost) {
            // A journal that is not there may stand in the archive by now.
            self.refresh()?;
        }
        for Failed { log, end: planned, error, lost } in end.failed {
            let end = self.end(&log);
            if !lost {
                if self.durable(&log) < planned {
                    durable.failed = Some(error);
                }
            } else if self.is_to_doubt(&log) {
                let _ = self.begin_doubt(&log, self.durable(&log), "a sync failed");
                durable.failed = Some(error);
            } else if self.write_what_no_sync_holds(&log).is_ok() {
                self.is_durable(lock, &log, end, &mut durable);
            } else {
                durable.failed = Some(error);
                if self.give_up_unsynced(lock, &log) {
                    durable.lost.push(log);
                }
            }
        }
        // Holes are found again when their list is lost, as marks are worked out again.
        let _ = self.save_holes(lock);
        folders.map(|()| durable)
    }

    fn is_durable(&mut self, lock: &HomeLock, id: &LogId, end: u64, durable: &mut Durable) {
        let Some(log) = self.log_mut(id) else { return };
        log.durable = log.durable.max(end.min(log.end));
        if log.durable == log.end {
            log.appended = None;
        }
        match self.durable_head(id) {
            Ok(head) => durable.heads.extend(head.map(|head| (id.clone(), head))),
            Err(error) => durable.failed = Some(error),
        }
        let _ = self.save_marks(lock, id);
    }

    /// Writes the bytes that a failed sync was for in their place again, and syncs them: only bytes
    /// that were written since mean something to a sync.
    fn write_again(&self, id: &LogId) -> Result<()> {
        let Some(log) = self.logs.get(id) else { return Ok(()) };
        let in_wal = log.days.iter().filter(|file| file.piece.is_none());
        for file in in_wal.filter(|file| file.end() > log.durable) {
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

    /// Writes a log once more of which a sync failed, if there is one: from then on it can be synced.
    pub(super) fn write_what_no_sync_holds(&mut self, id: &LogId) -> Result<()> {
        if self.logs.get(id).is_some_and(|log| log.unwritten) {
            self.write_again(id)?;
            self.entry(id).unwritten = false;
        }
        Ok(())
    }

    /// Says whether it was cut.
    fn give_up_unsynced(&mut self, lock: &HomeLock, id: &LogId) -> bool {
        let durable = self.durable(id);
        // Which of the other bytes are new, only who wrote them knows: in the view of another process
        // all behind the last mark seem to be.
        let from = self.logs.get(id).and_then(|log| log.appended).map(|from| from.max(durable));
        from.is_some_and(|from| self.cut_to_aside(lock, id, from).is_ok())
    }

    fn cut_to_aside(&mut self, lock: &HomeLock, id: &LogId, from: u64) -> Result<()> {
        for file in self.logs.get(id).map(|log| log.days.clone()).unwrap_or_default() {
            let offset = from.saturating_sub(file.start);
            if file.there && file.piece.is_none() && offset < file.raw {
                let path = paths::journal(id, file.day);
                self.keep_aside(id, file.start + offset, (&path, offset, file.raw))?;
            }
        }
        let cut = self.cut_log(lock, id, from);
        if cut.is_err() {
            let _ = self.refresh();
        }
        cut
    }

    /// Makes everything held durable, now.
    ///
    /// # Errors
    /// When bytes that were there may be lost: see [`Self::synced`]. A journal that cannot be opened is
    /// no error: it counts as little as before.
    pub fn sync(&mut self, lock: &HomeLock) -> Result<Vec<(LogId, Head)>> {
        let plan = self.sync_plan(lock);
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
        self.refresh()?;
        let split =
            self.archived_days(id).find(|file| file.start < position && position < file.end());
        if let Some(day) = split.map(|file| file.day) {
            self.thaw(lock, id, day)?;
        }
        let days = self.logs.get(id).map(|log| log.days.clone()).unwrap_or_default();
        let in_wal = |day: &Day| self.stat_of(id, *day).is_some();
        let in_wal: BTreeSet<Day> = days.iter().map(|file| file.day).filter(in_wal).collect();
        let behind = |piece: &Piece, start: u64| piece.start >= start && piece.end() > position;
        // Of what stands in `wal/` nothing may come back from the archive; then newest first, so that after
        // a crash what is left is a log without a gap.
        self.drop_pieces(id, |piece, start| behind(piece, start) && in_wal.contains(&piece.day))?;
        for day in days.iter().rev().filter(|day| day.there && day.piece.is_none()) {
            let path = paths::journal(id, day.day);
            if day.start >= position {
                self.disk.remove(&path).tried("remove", &path)?;
            } else if day.start + day.raw > position {
                file::cut(&*self.disk, &path, position - day.start).tried("cut", &path)?;
                self.disk.sync(&path).tried("sync", &path)?;
            }
        }
        self.disk.sync_folder(paths::WAL).tried("sync", paths::WAL)?;
        self.drop_pieces(id, behind)?;
        if let Some(log) = self.log_mut(id) {
            log.durable = log.durable.min(position);
        }
        self.holes.cut(id, position);
        self.cut_marks(lock, id, position)?;
        if let Some(log) = self.log_mut(id) {
            (log.stale, log.marks_stat) = (true, None);
        }
        self.save_holes(lock)?;
        self.refresh()
    }
}
