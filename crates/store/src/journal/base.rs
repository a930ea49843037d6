//! From where on each log is held: days that went from the archive, and logs whose older bytes never were here.

use std::collections::BTreeMap;

use cocli_core::{ChainHash, Day, Head, LogId};
use serde::{Deserialize, Serialize};

use super::{Journals, file};
use crate::disk::Disk;
use crate::error::{Result, StoreError, Tried, if_there};
use crate::lock::HomeLock;
use crate::paths;

/// Where what is held of a log begins. What was before stands in the checkpoint, merged; its datagrams are
/// not here any more, or never were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Base {
    /// The first byte that is held comes behind this point of the chain.
    pub head: Head,
    /// The day of the last byte before it: history up to that day is not kept here.
    pub day: Day,
}

/// Where each log begins that does not begin at its start.
pub type Bases = BTreeMap<LogId, Base>;

#[derive(Serialize, Deserialize)]
struct Line {
    log: String,
    position: u64,
    hash: String,
    day: u32,
}

impl Line {
    fn read(&self) -> Option<(LogId, Base)> {
        let head = Head { position: self.position, hash: ChainHash::read(&self.hash)? };
        Some((LogId::read(&self.log).ok()?, Base { head, day: Day::from_number(self.day)? }))
    }
}

/// Reads where logs begin. Without this file all do so at their start.
///
/// # Errors
/// When it cannot be read or is damaged: who knew less than it says would take a gap for a fork.
pub fn read(disk: &dyn Disk) -> Result<Bases> {
    let bytes = if_there(disk.read(paths::BASES)).tried("read", paths::BASES)?;
    let Some(bytes) = bytes else { return Ok(Bases::new()) };
    let lines: Option<Vec<Line>> = serde_json::from_slice(&bytes).ok();
    let bases = lines.and_then(|lines| lines.iter().map(Line::read).collect());
    bases.ok_or_else(|| StoreError::Damaged {
        path: paths::BASES.to_owned(),
        offset: 0,
        what: "expected a list of logs, each with a position, a hash and a day".to_owned(),
    })
}

/// Writes where logs begin, durably.
fn write(disk: &dyn Disk, bases: &Bases) -> Result<()> {
    let line = |(log, base): (&LogId, &Base)| Line {
        log: log.to_string(),
        position: base.head.position,
        hash: base.head.hash.to_string(),
        day: base.day.number(),
    };
    let lines: Vec<Line> = bases.iter().map(line).collect();
    file::replace(disk, paths::BASES, &serde_json::to_vec(&lines).unwrap_or_default())
}

impl Journals {
    /// Where what is held of a log begins, when that is not its start.
    #[must_use]
    pub fn base(&self, log: &LogId) -> Option<Base> {
        self.bases.get(log).copied()
    }

    /// All logs that do not begin at their start.
    pub fn bases(&self) -> impl Iterator<Item = (&LogId, Base)> {
        self.bases.iter().map(|(log, base)| (log, *base))
    }

    /// Bytes of a log before the first that is held: 0 when that is its start. What is asked of
    /// positions below is answered with "not here", never with another branch.
    #[must_use]
    pub fn begin(&self, log: &LogId) -> u64 {
        self.bases.get(log).map_or(0, |base| base.head.position)
    }

    /// Lets logs begin at bases that lie behind all that is held of them: [`Journals::append_range`]
    /// takes bytes from there on. What is held below the gap is moved into the archive, where it
    /// is history that is shown and not served. The checkpoint must cover what is before the bases **before**
    /// this is called; after a crash the logs are those before or those behind, and the call can be
    /// done again.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for the own log, for one that expires, and for one that is held up to its base or
    /// beyond. When the disk refuses. The logs are those before then.
    pub fn start_at(
        &mut self,
        lock: &HomeLock,
        starts: impl IntoIterator<Item = (LogId, Base)>,
    ) -> Result<()> {
        self.refresh()?;
        let starts: Vec<_> =
            starts.into_iter().filter(|(log, base)| self.base(log) != Some(*base)).collect();
        starts.iter().try_for_each(|(log, base)| self.may_start_at(log, *base))?;
        if starts.is_empty() {
            return Ok(());
        }
        self.make_folders(lock)?;
        let mut ends = Vec::new();
        for (log, _) in &starts {
            ends.push((log, self.head(log)?.position));
        }
        self.put_away(lock, starts.iter().map(|(log, _)| log))?;
        for (log, end) in ends {
            if self.logs.get(log).is_some_and(|log| log.marked > end) {
                // Of bytes that were here once: they must not judge what comes.
                self.cut_marks(lock, log, end)?;
            }
        }
        self.set_bases(lock, starts)
    }

    fn may_start_at(&self, log: &LogId, base: Base) -> Result<()> {
        let why = if log.month.is_some() {
            "a log that expires is held from its start"
        } else if self.owns(log) {
            "the own log begins where it began"
        } else if base.head.position <= self.end(log) {
            "so much of it is held already"
        } else {
            return Ok(());
        };
        let (log, position) = (log.clone(), base.head.position);
        Err(StoreError::Refused { log, position, why: why.to_owned() })
    }

    /// Writes down where logs begin from now on.
    pub(crate) fn set_bases(
        &mut self,
        _lock: &HomeLock,
        raised: impl IntoIterator<Item = (LogId, Base)>,
    ) -> Result<()> {
        let mut bases = read(&*self.disk)?;
        bases.extend(raised);
        write(&*self.disk, &bases)?;
        self.refresh()
    }
}
