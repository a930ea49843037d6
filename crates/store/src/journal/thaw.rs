//! Between `wal/` and the archive: a day that has to be written to comes back into its journal.

use cocli_core::{Day, LogId};

use super::file::Salvage;
use super::{Journals, log::DayFile};
use crate::archive::{self, Piece};
use crate::disk::{FileKind, Stat};
use crate::error::{Result, StoreError, Tried, if_there};
use crate::lock::HomeLock;
use crate::paths;

/// Bytes of a journal that are written in one step.
const STEP_BYTES: u64 = 4 * 1024 * 1024;

impl Journals {
    /// The file that the bytes of a day stand in, for who is told of it.
    #[must_use]
    pub fn path_of(&self, log: &LogId, day: Day) -> String {
        let known = self.logs.get(log).and_then(|log| log.days.iter().find(|file| file.day == day));
        known.map_or_else(|| paths::journal(log, day), |file| file.spot(log).path())
    }

    /// The days of a log that stand in the archive and are part of what is held without a gap.
    pub(crate) fn archived_days(&self, log: &LogId) -> impl Iterator<Item = &DayFile> {
        let days = self.logs.get(log).into_iter().flat_map(|log| &log.days);
        days.filter(|file| file.piece.is_some())
    }

    /// What stands in the archive of a log, below its base too.
    pub(crate) fn pieces(&self, log: &LogId) -> &[Piece] {
        self.logs.get(log).map_or(&[], |log| &log.pieces)
    }

    /// Takes a day out of the archive, for a move to write it anew; does nothing where it is not there, or
    /// below the log's base.
    ///
    /// # Errors
    /// When the disk refuses; the day stands in one of the two places then.
    pub fn take_out(&mut self, lock: &HomeLock, log: &LogId, piece: Piece) -> Result<()> {
        let is_held = self.archived_days(log).any(|file| file.piece == Some(piece));
        if is_held { self.thaw(lock, log, piece.day) } else { Ok(()) }
    }

    /// The days of a log that is held, in order.
    pub(crate) fn day_files(&self, log: &LogId) -> &[DayFile] {
        self.logs.get(log).map_or(&[], |log| &log.days)
    }

    /// Whether a day that is held stands in the archive, be it in `wal/` too: then its journal may have no
    /// durable name, and is not to be written to before [`Self::thaw`].
    pub(super) fn stands_in_archive(&self, log: &LogId, day: Day) -> bool {
        let begin = self.begin(log);
        self.pieces(log).iter().any(|piece| piece.day == day && piece.start >= begin)
    }

    /// What the disk said of a journal in `wal/`.
    pub(crate) fn stat_of(&self, log: &LogId, day: Day) -> Option<Stat> {
        let found = &self.logs.get(log)?.found;
        found.iter().find(|(found, _)| *found == day).map(|(_, stat)| *stat)
    }

    /// Whether a day is the last of what is held of a log.
    pub(crate) fn is_newest(&self, log: &LogId, day: Day) -> bool {
        self.logs.get(log).and_then(super::Log::newest_day) == Some(day)
    }

    /// Whether its journals are better left where they are: it is in doubt, an append to it may be under way,
    /// or what a sync failed for stands there.
    pub(crate) fn is_unquiet(&self, log: &LogId) -> bool {
        let doubted = self.doubt.as_ref().is_some_and(|doubt| doubt.log == *log);
        let unwritten = self.logs.get(log).is_some_and(|log| log.unwritten);
        doubted || unwritten || self.is_unsettled(log)
    }

    /// Puts a day back into its journal, where it stands in the archive: what of it is damaged there are
    /// zeros, and a hole. Afterwards nothing of it is in the archive.
    pub(super) fn thaw(&mut self, lock: &HomeLock, log: &LogId, day: Day) -> Result<()> {
        self.refresh()?;
        let file = self.logs.get(log).and_then(|log| log.days.iter().find(|file| file.day == day));
        let path = paths::journal(log, day);
        let there = self.disk.stat(&path).tried("look at", &path)?;
        let piece = file.and_then(|file| file.piece).filter(|piece| {
            there.is_none_or(|stat| stat.kind == FileKind::File && stat.len < piece.len)
        });
        if let Some(piece) = piece {
            self.make_folders(lock)?;
            let fresh = paths::thawing(log, day);
            let whole = self.unpack(log, piece, &fresh).inspect_err(|_| {
                let _ = self.disk.remove(&fresh);
            })?;
            if let Some(stat) = there {
                // It does not fit, but somebody put it there.
                self.keep_aside(log, piece.start, (&path, 0, stat.len))?;
            }
            self.disk.rename(&fresh, &path).tried("put in place", &path)?;
            if !whole {
                self.disk.sync_folder(paths::WAL).tried("sync", paths::WAL)?;
                self.keep_piece_aside(log, piece)?;
            }
        }
        if self.stands_in_archive(log, day) {
            // Also when somebody died behind the renaming.
            self.disk.sync_folder(paths::WAL).tried("sync", paths::WAL)?;
        }
        self.drop_pieces(log, |piece, start| piece.day == day && piece.start >= start)?;
        self.refresh()
    }

    /// Of a file that cannot all be read more may be had by other means.
    fn keep_piece_aside(&self, log: &LogId, piece: Piece) -> Result<()> {
        let path = piece.path(log);
        let name = path.rsplit('/').next().unwrap_or_default();
        if self.disk.stat(paths::ASIDE).tried("look at", paths::ASIDE)?.is_none() {
            self.disk.make_folder(paths::ASIDE).tried_to_write(paths::ASIDE, 0)?;
        }
        let aside = format!("{}/{name}", paths::ASIDE);
        self.disk.rename(&path, &aside).tried("set aside", &path)?;
        self.disk.sync_folder(paths::ASIDE).tried("sync", paths::ASIDE)?;
        self.disk.sync_folder(paths::ARCHIVE).tried("sync", paths::ARCHIVE)
    }

    /// Writes the bytes of a piece, synced, with zeros for what is damaged there; whether nothing is.
    fn unpack(&self, log: &LogId, piece: Piece, fresh: &str) -> Result<bool> {
        if_there(self.disk.remove(fresh)).tried("remove", fresh)?;
        let (mut at, mut whole) = (0, true);
        while at < piece.len {
            let len = usize::try_from(STEP_BYTES.min(piece.len - at)).unwrap_or(usize::MAX);
            let read = archive::salvage(&*self.disk, log, piece, at, len);
            let Salvage { bytes, lost } = read.tried("read", &piece.path(log))?;
            whole &= lost.is_empty();
            if bytes.is_empty() {
                break;
            }
            self.disk
                .write_at(fresh, at, &bytes, false)
                .tried_to_write(fresh, bytes.len() as u64)?;
            at += bytes.len() as u64;
        }
        if at < piece.len {
            whole = false;
            self.disk.write_at(fresh, at, &[], false).tried_to_write(fresh, 0)?;
            self.disk.cut(fresh, piece.len).tried_to_write(fresh, piece.len - at)?;
        }
        self.disk.sync(fresh).tried("sync", fresh)?;
        Ok(whole)
    }

    /// Removes files of the archive, durably.
    pub(crate) fn drop_pieces(
        &mut self,
        log: &LogId,
        goes: impl Fn(&Piece, u64) -> bool,
    ) -> Result<()> {
        let start = self.begin(log);
        let pieces = archive::list(&*self.disk).tried("list", paths::ARCHIVE)?;
        let mut gone = false;
        for piece in pieces.get(log).into_iter().flatten().filter(|piece| goes(piece, start)) {
            let path = piece.path(log);
            if_there(self.disk.remove(&path)).tried("remove", &path)?;
            gone = true;
        }
        if gone {
            self.disk.sync_folder(paths::ARCHIVE).tried("sync", paths::ARCHIVE)?;
        }
        Ok(())
    }

    /// Moves all that is held of some logs into the archive, of whatever age and in whatever state: what is
    /// damaged there was so before.
    pub(super) fn put_away<'a>(
        &mut self,
        lock: &HomeLock,
        logs: impl IntoIterator<Item = &'a LogId>,
    ) -> Result<()> {
        let mut goes = Vec::new();
        for log in logs {
            let files = self.logs.get(log).map(|log| log.days.clone()).unwrap_or_default();
            for file in files.iter().filter(|file| file.there && file.piece.is_none()) {
                let path = paths::journal(log, file.day);
                if file.whole < file.raw {
                    self.keep_aside(log, file.end(), (&path, file.whole, file.raw))?;
                }
                if file.whole > 0 {
                    archive::pack(self, lock, log, file)?;
                }
                goes.push(path);
            }
        }
        if goes.is_empty() {
            return Ok(());
        }
        self.disk.sync_folder(paths::ARCHIVE).tried("sync", paths::ARCHIVE)?;
        for path in &goes {
            self.disk.remove(path).tried("remove", path)?;
        }
        self.disk.sync_folder(paths::WAL).tried("sync", paths::WAL)
    }

    /// Looks again at what is in the archive, and where logs begin.
    pub(super) fn look_in_archive(&mut self) -> Result<()> {
        self.bases = super::base::read(&*self.disk)?;
        self.archived = archive::list(&*self.disk).tried("list", paths::ARCHIVE)?;
        self.listed = true;
        Ok(())
    }
}

impl Journals {
    /// Refuses a place below the base: what stood there is not here.
    pub(super) fn held_from(&self, log: &LogId, position: u64) -> Result<()> {
        if position >= self.begin(log) {
            return Ok(());
        }
        Err(StoreError::Refused {
            log: log.clone(),
            position,
            why: "its history is not kept here that far back".to_owned(),
        })
    }
}
