//! What other hands put into `wal/`: journals that do not fit what is known of their log, and files
//! of other programs.

use cocli_core::usv;
use cocli_core::{Day, LogId};

use super::command::{Command, Written};
use super::file::salvage;
use super::{Journals, Trouble, put_aside};
use crate::error::{Result, Tried};
use crate::lock::HomeLock;
use crate::paths;

/// Bytes of a foreign file, from where the last look ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign {
    /// Whole records.
    pub bytes: Vec<u8>,
    /// Where the next look begins.
    pub next: u64,
}

/// A journal that did not fit: its records travel in the own log, its bytes are kept aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adopted {
    /// Of which log.
    pub log: LogId,
    /// Of which day.
    pub day: Day,
    /// Where its bytes are kept.
    pub aside: String,
    /// The copies.
    pub copied: Vec<Written>,
}

impl Journals {
    /// Names in `wal/` that are no journals: `remote_*.usv` of the Python program and the like.
    pub fn foreign(&self) -> impl Iterator<Item = &str> {
        self.foreign.iter().map(String::as_str)
    }

    /// Whole records of a foreign file from byte `from` on. The caller appends those that the state
    /// does not hold yet to the own log, as they are.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read_foreign(&self, name: &str, from: u64, max: usize) -> Result<Foreign> {
        let path = paths::foreign(name);
        let mut want = max.max(1);
        loop {
            let mut bytes = self.disk.read_at(&path, from, want).tried("read", &path)?;
            let whole = usv::whole(&bytes);
            if whole > 0 || bytes.len() < want {
                bytes.truncate(whole);
                return Ok(Foreign { next: from + bytes.len() as u64, bytes });
            }
            want = want.saturating_mul(2);
        }
    }

    /// Copies the records of journals that do not fit (an earlier day than known ones, bytes behind
    /// the end of a closed day) to the own log, and puts the bytes aside.
    ///
    /// # Errors
    /// When the disk refuses a step; nothing is lost then, and doing it again finishes it.
    pub fn adopt(
        &mut self,
        lock: &HomeLock,
        today: Day,
        command: &Command,
    ) -> Result<Vec<Adopted>> {
        let misfits: Vec<(LogId, Day, u64)> = self
            .troubles()
            .filter_map(|(log, day, trouble)| match trouble {
                Trouble::Misfit { offset } => Some((log.clone(), day, *offset)),
                _ => None,
            })
            .collect();
        let mut adopted = Vec::new();
        for (log, day, offset) in misfits {
            let path = paths::journal(&log, day);
            let read = salvage(&*self.disk, &path, offset, usize::MAX / 4);
            let bytes = read.tried("read", &path)?.bytes;
            let aside = put_aside(&*self.disk, &log, offset, &bytes)?;
            let copied = self.append_verbatim(lock, &bytes, (log.month, today), command)?;
            if offset == 0 {
                self.disk.remove(&path).tried("remove", &path)?;
                self.disk.sync_folder(paths::WAL).tried("sync", paths::WAL)?;
            } else {
                self.disk.cut(&path, offset).tried("cut", &path)?;
                self.disk.sync(&path).tried("sync", &path)?;
            }
            adopted.push(Adopted { log, day, aside, copied });
        }
        if !adopted.is_empty() {
            self.refresh()?;
        }
        Ok(adopted)
    }
}
