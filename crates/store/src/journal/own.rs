//! Appending to the own log: all of a batch or nothing, and durable when it returns.

use std::collections::BTreeMap;
use std::sync::Arc;

use cocli_core::digest::hash;
use cocli_core::usv::{self, RS};
use cocli_core::{ClusterId, Day, Epoch, LogId, Month, NodeId};

use super::command::{Command, Intent, Written};
use super::foretold::From;
use super::log::DayFile;
use super::{Closed, Doubt, Journals};
use crate::disk::{FileKind, SharedDisk, Stat};
use crate::error::{Result, StoreError, Tried};
use crate::lock::HomeLock;
use crate::paths;

impl Journals {
    /// Appends whole records to the own log, as one batch: afterwards all of it is durable, or, with
    /// an error, none of it counts. The day is `today`, or that of the newest own journal if the
    /// clock went back.
    ///
    /// # Errors
    /// [`StoreError::NoSpace`] when there is no room; [`StoreError::Doubted`] when the log has to be closed
    /// first: whether the batch was written by then is not said, so append it again after
    /// `close_and_copy`, as [`Self::append_or_close`] does.
    pub fn append_own(
        &mut self,
        lock: &HomeLock,
        today: Day,
        batch: &[u8],
        command: &Command,
    ) -> Result<Written> {
        self.append_to(lock, (None, today), batch, command)
    }

    /// As [`Self::append_own`], to the own log that stays, or to the one that expires with a month.
    pub(super) fn append_to(
        &mut self,
        lock: &HomeLock,
        (month, today): (Option<Month>, Day),
        batch: &[u8],
        command: &Command,
    ) -> Result<Written> {
        if batch.last() != Some(&RS) {
            return Err(self.refused("a batch has to end with a record"));
        }
        self.make_folders(lock)?;
        self.recover(lock)?;
        let log = self.own.of(month);
        let (day, from) = self.place(&log, month.map_or(today, Month::first_day));
        if self.stands_in_archive(&log, day) {
            self.thaw(lock, &log, day)?;
        }
        let file = self.file_of(&log, day);
        let written = Written {
            at: command.at,
            verb: command.verb.clone(),
            log,
            from,
            to: from + batch.len() as u64,
            hash: hash(batch),
        };
        let intent = Intent { written, day, offset: file.as_ref().map_or(0, |file| file.whole) };
        let several = usv::records(batch).nth(1).is_some();
        intent.begin(&*self.disk, several)?;
        self.write_batch(&intent, batch)?;
        self.sync_batch(&intent, file.is_none_or(|file| file.raw == 0))?;
        // The batch is durable. What fails from here on costs the list of commands a line, and the
        // next append finds the intent fulfilled.
        if intent.note(&*self.disk).is_ok() {
            let _ = Intent::clear(&*self.disk);
        }
        self.count_batch(lock, &intent, batch);
        Ok(intent.written)
    }

    /// As [`Self::append_own`]; a log in doubt, now or from before, is closed first, and the batch
    /// appended to the next epoch. Where a sync of the batch itself failed it stands there twice,
    /// once copied, and merges as one.
    ///
    /// # Errors
    /// As `append_own` and [`Self::close_and_copy`]: the batch does not count then.
    pub fn append_or_close(
        &mut self,
        lock: &HomeLock,
        today: Day,
        batch: &[u8],
        command: &Command,
        epoch: &Epoch,
    ) -> Result<(Written, Option<Closed>)> {
        self.append_to_or_close(lock, (None, today), batch, command, epoch)
    }

    /// As [`Self::append_or_close`], to the own log that expires with the month of `today`. Records of
    /// targets that stay are odd there.
    ///
    /// # Errors
    /// As `append_or_close`.
    pub fn append_expiring(
        &mut self,
        lock: &HomeLock,
        today: Day,
        batch: &[u8],
        command: &Command,
        epoch: &Epoch,
    ) -> Result<(Written, Option<Closed>)> {
        self.append_to_or_close(lock, (Some(today.month()), today), batch, command, epoch)
    }

    fn append_to_or_close(
        &mut self,
        lock: &HomeLock,
        place: (Option<Month>, Day),
        batch: &[u8],
        command: &Command,
        epoch: &Epoch,
    ) -> Result<(Written, Option<Closed>)> {
        match self.append_to(lock, place, batch, command) {
            Err(StoreError::Doubted { log, trusted, .. }) => {
                let closed = self.close_and_copy(lock, &log, trusted, epoch)?;
                Ok((self.append_to(lock, place, batch, command)?, Some(closed)))
            }
            done => Ok((done?, None)),
        }
    }

    fn refused(&self, why: &str) -> StoreError {
        StoreError::Refused {
            log: self.own.clone(),
            position: self.end(&self.own),
            why: why.to_owned(),
        }
    }

    /// The day and position of the next append to an own log.
    fn place(&self, log: &LogId, today: Day) -> (Day, u64) {
        // Of a log whose days all went, its base tells how far they had come.
        let gone = self.base(log).map(|base| base.day);
        let log = self.logs.get(log);
        let newest = log.and_then(super::Log::newest_day).max(gone);
        (newest.map_or(today, |newest| newest.max(today)), log.map_or(0, |log| log.end))
    }

    fn file_of(&self, log: &LogId, day: Day) -> Option<DayFile> {
        self.logs.get(log)?.days.iter().find(|file| file.day == day).cloned()
    }

    fn write_batch(&mut self, intent: &Intent, batch: &[u8]) -> Result<()> {
        let path = paths::journal(&intent.written.log, intent.day);
        let result = self.disk.write_at(&path, intent.offset, batch, false);
        if result.is_err() {
            // The intent stands: where this fails, too, the next append undoes the rest first.
            let _ = self.disk.cut(&path, intent.offset);
        }
        result.tried_to_write(&path, batch.len() as u64)
    }

    fn sync_batch(&mut self, intent: &Intent, is_new: bool) -> Result<()> {
        let path = paths::journal(&intent.written.log, intent.day);
        let mut result = self.disk.sync(&path);
        if is_new && result.is_ok() {
            result = self.disk.sync_folder(paths::WAL);
        }
        result.map_err(|error| {
            let Written { log, from, .. } = &intent.written;
            self.begin_doubt(log, *from, &format!("a sync failed: {error}"))
        })
    }

    /// From now on nothing is appended to any own log, by whichever process.
    pub(super) fn begin_doubt(&mut self, log: &LogId, trusted: u64, why: &str) -> StoreError {
        let doubt = self.doubt_in_memory(log, trusted, why);
        // Where the disk takes nothing any more, this process at least remembers.
        if doubt.save(&*self.disk).is_ok() {
            self.unsaved = None;
        }
        doubt.error()
    }

    /// From now on this process appends nothing to an own log; [`Self::recover`] tells the others. One
    /// doubt closes all of them: where one stands in another log already, this one goes with it.
    pub(super) fn doubt_in_memory(&mut self, log: &LogId, trusted: u64, why: &str) -> Doubt {
        if let Some(doubt) = self.doubt.as_ref().filter(|doubt| doubt.log != *log) {
            return doubt.clone();
        }
        let doubt = Doubt { log: log.clone(), trusted, why: why.to_owned(), epoch: None };
        self.unsaved = Some(doubt.clone());
        self.doubt = Some(doubt.clone());
        doubt
    }

    /// Takes the batch, which is durable, into the view. What cannot be looked at now is looked at anew
    /// the next time.
    fn count_batch(&mut self, lock: &HomeLock, intent: &Intent, batch: &[u8]) {
        let own = intent.written.log.clone();
        let path = paths::journal(&own, intent.day);
        let stat = self.disk.stat(&path).ok().flatten();
        let disk = self.disk.clone();
        let log = self.entry(&own);
        let new_day = log.newest_day() != Some(intent.day);
        let behind = log.tip.position == intent.written.from && !new_day;
        if new_day {
            log.days.push(DayFile {
                day: intent.day,
                start: intent.written.from,
                raw: 0,
                whole: 0,
                there: true,
                piece: None,
            });
        }
        if let Some(file) = log.days.last_mut() {
            (file.raw, file.there) = (intent.offset + batch.len() as u64, true);
            file.whole = file.raw;
        }
        log.found.retain(|(day, _)| *day != intent.day);
        log.found.extend(stat.map(|stat| (intent.day, stat)));
        log.found.sort_by_key(|(day, _)| *day);
        (log.end, log.durable) = (intent.written.to, intent.written.to);
        if behind {
            log.extend_tip(intent.day, batch);
        }
        let marked = log.marks.last().map_or(0, |mark| mark.head.position);
        if new_day || log.end - marked >= cocli_core::limits::MARK_SPACING_BYTES {
            let _ = log.advance(&*disk);
        }
        // Marks are worked out again when they are lost.
        let _ = self.save_marks(lock, &own);
    }

    /// As [`Journals::open`], of the own logs alone: what one write costs does not grow with what others
    /// wrote. Whoever asks for another log takes a [`Journals::refresh`] first.
    ///
    /// # Errors
    /// As [`Journals::open`].
    pub fn open_own(
        _lock: &HomeLock,
        disk: SharedDisk,
        cluster: ClusterId,
        node: NodeId,
    ) -> Result<Self> {
        let mut journals = Self::unread(disk, cluster, node)?;
        journals.own = journals.own_as_on_disk()?;
        journals.doubt = journals.read_doubt()?;
        let disk = Arc::clone(&journals.disk);
        journals.holes.read(&*disk)?;
        journals.bases = super::read_bases(&*disk)?;
        let mut days: BTreeMap<LogId, Vec<(Day, Stat)>> = BTreeMap::new();
        for (name, kind) in disk.list(paths::WAL).tried("list", paths::WAL)? {
            match paths::journal_of(&name) {
                Some((log, day)) if journals.owns(&log) => {
                    let path = paths::journal(&log, day);
                    let stat = disk.stat(&path).tried("look at", &path)?;
                    days.entry(log).or_default().extend(stat.map(|stat| (day, stat)));
                }
                None if kind == FileKind::File => journals.foreign.push(name),
                _ => {}
            }
        }
        let marked = disk.list(paths::MARKS).tried("list", paths::MARKS)?;
        let marked = marked.iter().filter_map(|(name, _)| name.strip_suffix(".marks"));
        let marked = marked.filter_map(|log| LogId::read(log).ok());
        let elsewhere = journals.bases.keys().chain([&journals.own]).cloned();
        for log in marked.chain(elsewhere).filter(|log| journals.owns(log)).collect::<Vec<_>>() {
            days.entry(log).or_default();
        }
        for (log, mut found) in days {
            found.sort_by_key(|(day, _)| *day);
            let path = paths::marks(&log);
            let marks = disk.stat(&path).tried("look at", &path)?;
            match log.month {
                None => journals.look_at_end(&log, found, marks, From::End)?,
                // Nothing of these is ever in the archive.
                Some(_) => journals.look_at(&log, found, marks)?,
            }
        }
        journals.judge_own()?;
        Ok(journals)
    }

    /// The log that this home appends to, as the disk says now.
    pub(super) fn own_as_on_disk(&self) -> Result<LogId> {
        Ok(LogId::new(self.node.clone(), super::read_epoch(&*self.disk)?))
    }
}
