//! Before the own log is appended to: what a killed process or a power cut left half is undone.

use std::collections::BTreeMap;

use cocli_core::digest::hash;
use cocli_core::{Day, LogId};

use super::command::Intent;
use super::file::is_rot;
use super::log::DayFile;
use super::{Doubt, Journals};
use crate::disk::{FileKind, Stat};
use crate::error::{Result, StoreError, Tried};
use crate::lock::HomeLock;
use crate::paths;

impl Journals {
    /// Looks at the own log as it is now, completes or undoes the append that was under way, and cuts
    /// a torn tail. Done by every append; costs a listing of names, three small reads, and once the
    /// reading of what stands behind the last mark.
    ///
    /// # Errors
    /// [`StoreError::Doubted`] when the log has to be closed first.
    pub fn recover(&mut self, _lock: &HomeLock) -> Result<()> {
        self.look_at_own()?;
        if let Some(doubt) = &self.doubt {
            if self.unsaved.is_some() && doubt.save(&*self.disk).is_ok() {
                self.unsaved = None;
            }
            return Err(doubt.error());
        }
        if let Some(intent) = Intent::read(&*self.disk)? {
            self.settle(&intent)?;
            Intent::clear(&*self.disk)?;
            // Something else will stand there next: should the power go then, an intent that came back
            // would undo that.
            self.disk.sync(paths::INTENT).tried("sync", paths::INTENT)?;
            self.look_at_own()?;
            // What was undone may have been marked: then the log ends before what it once had.
            if let Some(doubt) = &self.doubt {
                return Err(doubt.error());
            }
        }
        let mut cut = false;
        for id in self.own_logs() {
            let last = self.logs.get(&id).and_then(|log| log.days.last().cloned());
            if let Some(last) = last.filter(|last| last.raw > last.whole) {
                let path = paths::journal(&id, last.day);
                self.disk.cut(&path, last.whole).tried("cut the torn end of", &path)?;
                cut = true;
            }
        }
        if cut { self.look_at_own() } else { Ok(()) }
    }

    /// As `refresh`, for the own logs alone.
    fn look_at_own(&mut self) -> Result<()> {
        let own = self.own_as_on_disk()?;
        if own != self.own {
            return self.refresh();
        }
        self.doubt = self.read_doubt()?;
        let known = self.own_logs().into_iter().map(|id| (id, Vec::new()));
        let mut days: BTreeMap<LogId, Vec<Day>> = known.collect();
        for (name, kind) in self.disk.list(paths::WAL).tried("list", paths::WAL)? {
            match paths::journal_of(&name) {
                Some((log, day)) if self.owns(&log) && kind == FileKind::File => {
                    days.entry(log).or_default().push(day);
                }
                _ => {}
            }
        }
        for (id, days) in days {
            self.look_at_own_log(id, &days)?;
        }
        self.judge_own()
    }

    fn look_at_own_log(&mut self, own: LogId, days: &[Day]) -> Result<()> {
        let known = self.logs.get(&own).map(|log| log.found.clone()).unwrap_or_default();
        if known.iter().any(|(day, _)| !days.contains(day)) {
            // It is in the archive now.
            self.look_in_archive()?;
        }
        let mut found: Vec<(Day, Stat)> = Vec::new();
        for (at, day) in days.iter().enumerate() {
            let old = known.iter().find(|(known, _)| known == day).copied();
            let stat = match old.filter(|_| at + 1 < days.len()) {
                Some((_, stat)) => Some(stat),
                None => {
                    let path = paths::journal(&own, *day);
                    self.disk.stat(&path).tried("look at", &path)?
                }
            };
            found.extend(stat.map(|stat| (*day, stat)));
        }
        let path = paths::marks(&own);
        let marks = self.disk.stat(&path).tried("look at", &path)?;
        if found.is_empty() && marks.is_none() && own.month.is_some() {
            self.logs.remove(&own);
        } else if !found.is_empty() || marks.is_some() || self.logs.contains_key(&own) {
            self.look_at(&own, found, marks)?;
        }
        // Nothing is to be put behind bytes that cannot be read.
        let disk = self.disk.clone();
        if let Some(log) = self.log_mut(&own) {
            log.advance(&*disk)?;
        }
        Ok(())
    }

    /// Ends what was under way in another own log than the one that is being closed: it is nobody's then.
    pub(super) fn settle_beside(&mut self, closing: &Doubt) -> Result<()> {
        let Some(intent) = Intent::read(&*self.disk)? else { return Ok(()) };
        if intent.written.log == closing.log || !self.owns(&intent.written.log) {
            return Ok(());
        }
        self.doubt = Some(closing.clone());
        match self.settle(&intent) {
            // Nobody was told that it counts, and the log ends with what can be read.
            Ok(()) | Err(StoreError::Doubted { .. }) => Intent::clear(&*self.disk),
            failed => failed,
        }
    }

    /// An append was begun and not seen to end.
    fn settle(&mut self, intent: &Intent) -> Result<()> {
        let later = |file: &DayFile| file.day > intent.day && file.raw > 0;
        let log = &intent.written.log;
        let goes_on = self.logs.get(log).is_some_and(|log| log.days.iter().any(later));
        // What another append followed had ended, and so had what went below a base: another journal of
        // that day may stand there by now.
        let gone = intent.written.from < self.begin(log);
        let stale = !self.owns(log) || goes_on || gone || intent.is_noted(&*self.disk)?;
        let path = paths::journal(log, intent.day);
        let len = intent.written.to - intent.written.from;
        let there = match self.disk.stat(&path).tried("look at", &path)? {
            Some(stat) if !stale && stat.len <= intent.offset + len => stat.len,
            _ => return Ok(()),
        };
        let wanted = usize::try_from(len).unwrap_or(usize::MAX);
        let bytes = match self.disk.read_at(&path, intent.offset, wanted) {
            Err(error) if is_rot(&error) => {
                let why = format!("the batch at its end cannot be read: {error}");
                return Err(self.begin_doubt(log, intent.written.from, &why));
            }
            bytes => bytes.tried("read", &path)?,
        };
        if bytes.len() as u64 == len && hash(&bytes) == intent.written.hash {
            // Whoever wrote it may have seen its sync fail, without room to say so: only bytes that are
            // written after that mean something to a sync.
            let written = self.disk.write_at(&path, intent.offset, &bytes, false);
            written.tried_to_write(&path, len)?;
            let synced = self.disk.sync(&path).and_then(|()| self.disk.sync_folder(paths::WAL));
            if let Err(error) = synced {
                let why = format!("a sync failed: {error}");
                return Err(self.begin_doubt(log, intent.written.from, &why));
            }
            return intent.note(&*self.disk);
        }
        if there >= intent.offset {
            // Also where nothing is left to cut: whoever cut it may have seen the sync fail.
            self.disk.cut(&path, intent.offset).tried("cut the torn end of", &path)?;
            self.disk.sync(&path).tried("sync", &path)?;
        }
        Ok(())
    }
}
