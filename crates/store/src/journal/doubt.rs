//! Closing a log that is no longer trusted: what stands behind the last trusted position goes,
//! verbatim, into a new epoch, and the home goes on at once, waiting for nobody.

use cocli_core::digest::hash;
use cocli_core::usv;
use cocli_core::{Epoch, Head, LogId};
use serde::{Deserialize, Serialize};

use super::file::{Salvage, is_rot, salvage};
use super::log::DayFile;
use super::{Journals, Section, put_aside, replace};
use crate::disk::Disk;
use crate::error::{Result, StoreError, Tried, if_there};
use crate::lock::HomeLock;
use crate::paths;

/// Why the own log cannot be appended to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// The log.
    pub log: LogId,
    /// The last position that is known to be durable and right.
    pub trusted: u64,
    /// What happened.
    pub why: String,
    /// The epoch that it is being copied to, when that has begun.
    pub epoch: Option<Epoch>,
}

/// A log was closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// The log that is a replica like any other now.
    pub old: LogId,
    /// Where it ends.
    pub trusted: Head,
    /// The log that this home appends to.
    pub log: LogId,
    /// Where it ends: what was copied is durable.
    pub copied: Head,
}

#[derive(Serialize, Deserialize)]
struct Line {
    log: String,
    trusted: u64,
    #[serde(default)]
    why: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    epoch: Option<String>,
}

impl Doubt {
    pub(crate) fn save(&self, disk: &dyn Disk) -> Result<()> {
        let line = Line {
            log: self.log.to_string(),
            trusted: self.trusted,
            why: self.why.clone(),
            epoch: self.epoch.as_ref().map(ToString::to_string),
        };
        replace(disk, paths::DOUBT, &serde_json::to_vec(&line).unwrap_or_default())
    }

    pub(crate) fn error(&self) -> StoreError {
        StoreError::Doubted { log: self.log.clone(), trusted: self.trusted, why: self.why.clone() }
    }
}

pub(crate) fn read(disk: &dyn Disk) -> Result<Option<Doubt>> {
    let Some(bytes) = if_there(disk.read(paths::DOUBT)).tried("read", paths::DOUBT)? else {
        return Ok(None);
    };
    let read = || -> Option<Doubt> {
        let line: Line = serde_json::from_slice(&bytes).ok()?;
        let epoch = line.epoch.map(|epoch| Epoch::read(&epoch)).transpose().ok()?;
        Some(Doubt {
            log: LogId::read(&line.log).ok()?,
            trusted: line.trusted,
            why: line.why,
            epoch,
        })
    };
    read().map(Some).ok_or_else(|| StoreError::Damaged {
        path: paths::DOUBT.to_owned(),
        offset: 0,
        what: "expected a log, a position and a reason".to_owned(),
    })
}

impl Journals {
    /// Closes an own log at `trusted`, the others where they end, and goes on in the epoch `epoch`, which
    /// begins with a copy of what stood behind. A closing that was cut off goes on with the log and the
    /// epoch that it had chosen.
    ///
    /// # Errors
    /// When the disk refuses a step: nothing is lost, and doing it again finishes it.
    pub fn close_and_copy(
        &mut self,
        lock: &HomeLock,
        log: &LogId,
        trusted: u64,
        epoch: &Epoch,
    ) -> Result<Closed> {
        let before = self.doubt.take();
        self.refresh()?;
        let doubt = self.doubt.clone().or(before);
        let begun = doubt.filter(|doubt| doubt.epoch.is_some());
        let plan = match begun {
            Some(plan) => plan,
            None => self.plan(log, trusted, epoch)?,
        };
        let chosen = plan.epoch.clone().unwrap_or_else(|| epoch.clone());
        let new = LogId::new(self.node.clone(), chosen).of(plan.log.month);
        self.make_folders(lock)?;
        if !self.owns(&new) {
            self.settle_beside(&plan)?;
            self.copy_behind(&plan, &new)?;
            replace(&*self.disk, paths::EPOCH, new.epoch.as_str().as_bytes())?;
        }
        for file in self.files_of(&plan.log) {
            let bytes = self.bytes_behind(&plan, &file)?;
            put_aside(&*self.disk, &plan.log, plan.trusted.max(file.start), &bytes)?;
        }
        self.doubt = None;
        self.cut_log(lock, &plan.log, plan.trusted)?;
        self.disk.remove(paths::DOUBT).tried("remove", paths::DOUBT)?;
        self.disk.sync_folder(paths::OWN).tried("sync", paths::OWN)?;
        (self.doubt, self.unsaved) = (None, None);
        self.refresh()?;
        if let Some(log) = self.log_mut(&new) {
            log.durable = log.end;
        }
        let copied = self.head(&new)?;
        self.save_marks(lock, &new)?;
        let trusted = self.head(&plan.log)?;
        Ok(Closed { old: plan.log, trusted, log: new, copied })
    }

    /// Writes down what is going to happen.
    fn plan(&self, log: &LogId, trusted: u64, epoch: &Epoch) -> Result<Doubt> {
        let log = log.clone();
        if !self.owns(&log) {
            let why = "it is none of the logs that this home appends to".to_owned();
            return Err(StoreError::Refused { log, position: trusted, why });
        }
        // What went below a base was durable, whoever doubted it before he knew.
        let trusted = trusted.max(self.begin(&log)).min(self.end(&log));
        if let Some(file) = self.logs.get(&log).and_then(|known| known.day_at(trusted))
            && trusted > file.start
        {
            let spot = file.spot(&log);
            let offset = trusted - file.start - 1;
            let last = match spot.read_at(&*self.disk, offset, 1) {
                // Of a log that ends before bytes that cannot be read the last page may be among them.
                Err(error) if is_rot(&error) && trusted == self.end(&log) => vec![usv::RS],
                last => last.tried("read", &spot.path())?,
            };
            if last != [usv::RS] {
                return Err(StoreError::Refused {
                    log,
                    position: trusted,
                    why: "no record ends there".to_owned(),
                });
            }
        }
        let why = "it is being closed".to_owned();
        let plan = Doubt { log, trusted, why, epoch: Some(epoch.clone()) };
        plan.save(&*self.disk)?;
        Ok(plan)
    }

    fn files_of(&self, log: &LogId) -> Vec<DayFile> {
        self.logs.get(log).map(|log| log.days.clone()).unwrap_or_default()
    }

    /// All bytes of a day behind the trusted position, a torn end included.
    fn bytes_behind(&self, plan: &Doubt, file: &DayFile) -> Result<Vec<u8>> {
        let from = plan.trusted.max(file.start) - file.start;
        if !file.there || from >= file.raw {
            return Ok(Vec::new());
        }
        let len = usize::try_from(file.raw - from).unwrap_or(usize::MAX);
        let spot = file.spot(&plan.log);
        Ok(spot.salvage(&*self.disk, from, len).tried("read", &spot.path())?.bytes)
    }

    /// Copies the records behind the trusted position, day by day; done again it writes the same.
    fn copy_behind(&mut self, plan: &Doubt, new: &LogId) -> Result<()> {
        for file in self.files_of(&plan.log) {
            let records = self.records_behind(plan, &file)?;
            if records.is_empty() {
                continue;
            }
            let path = paths::journal(new, file.day);
            let there = if_there(self.disk.read(&path)).tried("read", &path)?;
            if there.is_some_and(|there| hash(&there) != hash(&records)) {
                self.disk.cut(&path, 0).tried("cut", &path)?;
            }
            self.disk
                .write_at(&path, 0, &records, false)
                .tried_to_write(&path, records.len() as u64)?;
            self.disk.sync(&path).tried("sync", &path)?;
        }
        self.disk.sync_folder(paths::WAL).tried("sync", paths::WAL)
    }

    /// Whole records of a day behind the trusted position; out of damaged blocks those that check
    /// themselves.
    fn records_behind(&self, plan: &Doubt, file: &DayFile) -> Result<Vec<u8>> {
        let from = plan.trusted.max(file.start);
        let to = file.start + file.whole;
        let mut records = Vec::new();
        for section in self.sections_between(&plan.log, from, to) {
            if section.day != file.day {
                continue;
            }
            let path = section.path();
            let stretch = Section::load(&section, &*self.disk).tried("read", &path)?;
            for block in stretch.blocks() {
                if block.damaged {
                    stretch.each_of(&block, &mut |met| records.extend_from_slice(met.bytes));
                } else {
                    records.extend_from_slice(&stretch.bytes[block.range]);
                }
            }
        }
        records.extend(self.records_out_of_reach(plan, file)?);
        Ok(records)
    }

    /// Behind bytes that cannot be read the log ends, but its records do not: those that check
    /// themselves, and all of a later day that can be read.
    fn records_out_of_reach(&self, plan: &Doubt, file: &DayFile) -> Result<Vec<u8>> {
        let len = usize::try_from(file.raw.saturating_sub(file.whole)).unwrap_or(usize::MAX);
        if !file.there || len == 0 {
            return Ok(Vec::new());
        }
        let path = paths::journal(&plan.log, file.day);
        let Salvage { mut bytes, lost } =
            salvage(&*self.disk, &path, file.whole, len).tried("read", &path)?;
        if lost.is_empty() && file.whole == 0 {
            bytes.truncate(usv::whole(&bytes));
            return Ok(bytes);
        }
        let checked = |record: &usv::Record<'_>| {
            usv::is_checked(record.bytes) && usv::read(record.bytes).is_ok()
        };
        let records = usv::records(&bytes).filter(checked);
        Ok(records.flat_map(|record| record.bytes.iter().copied()).collect())
    }
}
