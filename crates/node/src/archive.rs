//! The history on this machine: it moves into the archive when it is old, is cut to a budget where one is
//! set, and where it is not all here that is said.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use cocli_core::gossip::Holdings;
use cocli_core::{Day, Instant, LogId};
use cocli_store::archive::{self, Archived, Going, Held, Moving, Trim};
use cocli_store::journal::Base;
use cocli_store::{HomeLock, Journals};

use crate::error::Result;
use crate::home::Home;

/// Days that a journal stays in `wal/` where nobody says how many.
const DAYS_OLD: u32 = 2;
/// Others that hold a day before it goes here.
const HOLDERS_MIN: usize = 2;

/// How much of the history is held.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// Bytes of journals in `wal/`.
    pub journals: u64,
    /// Bytes of the files in the archive.
    pub archived: u64,
    /// Bytes that they may have; none where all is kept.
    pub budget: Option<u64>,
    /// The first day of which anything is held.
    pub since: Option<Day>,
    /// Logs that are not held from their start, and where they begin.
    pub cut: Vec<(LogId, Base)>,
}

/// What a look at the archive's budget came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LetGo {
    /// Bytes of the files that went.
    pub bytes: u64,
    /// The oldest day that is beyond the budget and stays.
    pub kept: Option<Kept>,
    /// Somebody else compacted, or archived: nothing was looked at.
    pub busy: bool,
}

/// A day that too few others hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Of which log.
    pub log: LogId,
    /// Of which day.
    pub day: Day,
    /// Others that hold it, and that this node may count on.
    pub holders: usize,
}

impl Home {
    /// Moves old days into the archive; nobody is kept from writing meanwhile. While somebody else compacts
    /// or archives it does nothing.
    ///
    /// # Errors
    /// When the disk refuses: what was not moved stands in `wal/`.
    pub fn archive(&self, now: Instant) -> Result<Archived> {
        self.archive_by(self.means().threads, now)
    }

    /// As [`Home::archive`], by one thread, in the background.
    ///
    /// # Errors
    /// As `archive`.
    pub fn archive_beside(&self, now: Instant) -> Result<Archived> {
        self.archive_by(1, now)
    }

    fn archive_by(&self, threads: usize, now: Instant) -> Result<Archived> {
        let Some(turn) = self.try_turn()? else { return Ok(Archived::default()) };
        let lock = || self.lock_if_same();
        let moving = Moving { after: self.config().archive.after.unwrap_or(DAYS_OLD), threads };
        Ok(archive::archive(&turn, &mut self.journals()?, (moving, now), &lock)?)
    }

    /// Removes what the archive holds beyond `[archive] budget`: the oldest days, and only those of which `held`
    /// says that they are held elsewhere. Gives what went; `None` while somebody else compacts or archives: it
    /// does nothing then.
    ///
    /// # Errors
    /// When the disk refuses; each log has its old base or its new one then.
    pub fn trim_archive(&self, held: &Held<'_>) -> Result<Option<Vec<Going>>> {
        let Some(budget) = self.config().archive.budget else { return Ok(Some(Vec::new())) };
        let Some(_turn) = self.try_turn()? else { return Ok(None) };
        let mut journals = self.journals()?;
        let going = archive::plan(&mut journals, budget, held)?;
        if going.is_empty() {
            return Ok(Some(going));
        }
        let Some(lock) = self.lock_if_same()? else { return Ok(Some(Vec::new())) };
        archive::trim(&lock, &mut journals, &going)?;
        Ok(Some(going))
    }

    /// As [`Home::trim_archive`], of days that two others hold, on the same chain.
    ///
    /// # Errors
    /// As [`Home::trim_archive`].
    pub fn let_history_go(&self, holdings: &Holdings) -> Result<LetGo> {
        if self.config().archive.budget.is_none() {
            return Ok(LetGo::default());
        }
        let mut journals = self.journals()?;
        let mut same: BTreeMap<&LogId, Vec<(u64, u64)>> = BTreeMap::new();
        for (log, (base, head)) in
            holdings.iter().flat_map(|(log, all)| all.iter().map(move |one| (log, one)))
        {
            // Where another branch is held, only who has both can tell which one stays.
            if journals.hash_at(log, head.position)? == Some(head.hash) {
                same.entry(log).or_default().push((*base, head.position));
            }
        }
        let kept = OnceCell::new();
        let held = |trim: &Trim<'_>| {
            let Some(until) = trim.until else { return false };
            let holds = |(base, end): &&(u64, u64)| *base <= trim.from && until.position <= *end;
            let holders = same.get(trim.log).into_iter().flatten().filter(holds).count();
            if holders < HOLDERS_MIN {
                // They are asked about in the order of their days.
                kept.get_or_init(|| Kept { log: trim.log.clone(), day: trim.day, holders });
            }
            holders >= HOLDERS_MIN
        };
        let gone = self.trim_archive(&held)?;
        let bytes = gone.iter().flatten().map(|going| going.bytes).sum();
        Ok(LetGo { bytes, kept: kept.into_inner(), busy: gone.is_none() })
    }

    /// The home's lock; none where the home is another cluster's by now.
    pub(crate) fn lock_if_same(&self) -> cocli_store::Result<Option<HomeLock>> {
        let lock = HomeLock::take(&*self.disk, &format!("process {}", std::process::id()))?;
        Ok(self.is_same().unwrap_or(false).then_some(lock))
    }

    /// How much of the history is held here, and since when.
    ///
    /// # Errors
    /// When the home cannot be read.
    pub fn history_held(&self) -> Result<History> {
        Ok(held(&self.journals()?, self.config().archive.budget)?)
    }

    /// The newest day up to which history of some log is not kept here; none where all is.
    ///
    /// # Errors
    /// When the home cannot be read.
    pub fn history_lost_until(&self) -> Result<Option<Day>> {
        let bases = cocli_store::journal::read_bases(&*self.disk)?;
        Ok(bases.values().map(|base| base.day).max())
    }
}

/// How much of the history some journals hold.
pub(crate) fn held(journals: &Journals, budget: Option<u64>) -> cocli_store::Result<History> {
    let (in_wal, archived, since) = archive::sizes(journals)?;
    let cut = journals.bases().map(|(log, base)| (log.clone(), base)).collect();
    Ok(History { journals: in_wal, archived, budget, since, cut })
}
