//! A branch of somebody else's log that gives way to another: its bytes are kept, and its records
//! travel on in the own log.

use cocli_core::usv;
use cocli_core::{Day, Head, LogId, Month};

use super::command::{Command, Written};
use super::{Journals, put_aside};
use crate::error::{Result, StoreError, Tried};
use crate::lock::HomeLock;

/// Bytes of records copied at once.
const BATCH_BYTES: usize = 8 * 1024 * 1024;

/// What became of a branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BranchAside {
    /// Where the log ends now.
    pub head: Head,
    /// The copies in the own log; none when the branch held no whole record.
    pub copied: Vec<Written>,
}

impl Journals {
    /// Takes what a replica holds behind `position` out of it: the bytes are kept in `.cocli/aside/`,
    /// the records appended verbatim to the own log, and the log is cut, so that the other branch can
    /// come. Cut off, it can be done again; records that stand twice merge as one.
    ///
    /// # Errors
    /// When the disk refuses a step; nothing is lost then.
    pub fn set_branch_aside(
        &mut self,
        lock: &HomeLock,
        log: &LogId,
        position: u64,
        today: Day,
        command: &Command,
    ) -> Result<BranchAside> {
        if self.owns(log) {
            return Err(StoreError::Refused {
                log: log.clone(),
                position,
                why: "the own log is closed and copied, not set aside".to_owned(),
            });
        }
        self.held_from(log, position)?;
        let mut copied = Vec::new();
        let days = self.logs.get(log).map(|log| log.days.clone()).unwrap_or_default();
        for file in days.into_iter().filter(|file| file.there) {
            let from = position.max(file.start) - file.start;
            if from >= file.raw {
                continue;
            }
            let len = usize::try_from(file.raw - from).unwrap_or(usize::MAX);
            let spot = file.spot(log);
            let bytes = spot.salvage(&*self.disk, from, len).tried("read", &spot.path())?.bytes;
            put_aside(&*self.disk, log, file.start + from, &bytes)?;
            copied.extend(self.append_verbatim(lock, &bytes, (log.month, today), command)?);
        }
        self.cut_log(lock, log, position)?;
        Ok(BranchAside { head: self.head(log)?, copied })
    }

    /// Appends the whole records of a block to the own log that stays, or to the one that expires with a
    /// month, as they are.
    ///
    /// # Errors
    /// As [`Journals::append_own`].
    pub fn append_verbatim(
        &mut self,
        lock: &HomeLock,
        bytes: &[u8],
        place: (Option<Month>, Day),
        command: &Command,
    ) -> Result<Vec<Written>> {
        let mut written = Vec::new();
        let mut rest = &bytes[..usv::whole(bytes)];
        while !rest.is_empty() {
            let part = match usv::whole(&rest[..rest.len().min(BATCH_BYTES)]) {
                0 => memchr::memchr(usv::RS, rest).map_or(rest.len(), |at| at + 1),
                some => some,
            };
            written.push(self.append_to(lock, place, &rest[..part], command)?);
            rest = &rest[part..];
        }
        Ok(written)
    }
}
