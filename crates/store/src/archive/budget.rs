//! What of the archive goes when it has grown beyond its budget: the oldest days first, and only those that
//! are held elsewhere.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use cocli_core::{Day, Head, LogId};

use super::piece::{Piece, ends_of};
use crate::checkpoint::Manifest;
use crate::error::{Result, Tried, if_there};
use crate::journal::{Base, DayFile, Gap, Journals};
use crate::lock::HomeLock;
use crate::paths;

/// A day of a log that may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trim<'a> {
    /// Of which log.
    pub log: &'a LogId,
    /// Of which day.
    pub day: Day,
    /// Bytes of the log before it.
    pub from: u64,
    /// Where it ends: the log's base when it has gone. Of bytes below a base that damage hides it from,
    /// there is none.
    pub until: Option<Head>,
}

/// Says whether a day is held elsewhere: by two other nodes, or by the bucket.
pub type Held<'a> = dyn Fn(&Trim<'_>) -> bool + 'a;

/// A file of the archive that is to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Going {
    /// Of which log.
    pub log: LogId,
    /// What it holds.
    pub piece: Piece,
    /// Bytes of the file.
    pub bytes: u64,
    /// The log's new base; none when the piece stands below it already.
    pub base: Option<Base>,
}

/// What would go so that the files of the archive have at most `budget` bytes together: the oldest days first,
/// of each log only from its beginning on, and only what `held` says is held elsewhere. What is not yet
/// in the checkpoint never goes.
///
/// # Errors
/// When the home cannot be read.
pub fn plan(journals: &mut Journals, budget: u64, held: &Held<'_>) -> Result<Vec<Going>> {
    journals.refresh()?;
    let disk = journals.disk().clone();
    let files = disk.list_stats(paths::ARCHIVE).tried("list", paths::ARCHIVE)?;
    let ours = files.into_iter().filter(|(name, _)| paths::archived_of(name).is_some());
    let sizes: BTreeMap<String, u64> =
        ours.map(|(name, stat)| (paths::in_archive(&name), stat.len)).collect();
    let mut total: u64 = sizes.values().sum();
    if total <= budget {
        return Ok(Vec::new());
    }
    let manifest = Manifest::read_or_empty(&*disk, None)?;
    let covered = journals.standing(&manifest.frontier)?;
    let mut lines: BTreeMap<LogId, VecDeque<Candidate>> = BTreeMap::new();
    for log in journals.logs().cloned().collect::<Vec<_>>() {
        let holes = manifest.holes.get(&log).map_or(&[][..], Vec::as_slice);
        let candidates = candidates(journals, &log, covered.position(&log), holes)?;
        lines.insert(log, candidates.into());
    }
    let mut going = Vec::new();
    while total > budget {
        let firsts = lines.iter().filter_map(|(log, line)| Some((line.front()?.piece.day, log)));
        let Some((_, log)) = firsts.min().map(|(day, log)| (day, log.clone())) else { break };
        let Some(Candidate { piece, until, base }) =
            lines.get_mut(&log).and_then(VecDeque::pop_front)
        else {
            break;
        };
        let trim = Trim { log: &log, day: piece.day, from: piece.start, until };
        if !held(&trim) {
            // What is below a base may stay alone; days behind it go one behind the other.
            if base.is_some() {
                lines.remove(&log);
            }
            continue;
        }
        let bytes = sizes.get(&piece.path(&log)).copied().unwrap_or(0);
        total = total.saturating_sub(bytes);
        going.push(Going { log, piece, bytes, base });
    }
    Ok(going)
}

struct Candidate {
    piece: Piece,
    until: Option<Head>,
    base: Option<Base>,
}

/// What may go of a log, in order: what is below its base, then its days in the archive from the first on.
/// What is damaged of a day waits for who has it: it is in no checkpoint.
fn candidates(
    journals: &mut Journals,
    log: &LogId,
    covered: u64,
    holes: &[Gap],
) -> Result<Vec<Candidate>> {
    let disk = journals.disk().clone();
    let begin = journals.begin(log);
    let below: Vec<Piece> =
        journals.pieces(log).iter().filter(|piece| piece.start < begin).copied().collect();
    let mut candidates = Vec::new();
    for piece in below {
        let hash = ends_of(&*disk, log, piece)[1];
        let until = hash.map(|hash| Head { position: piece.end(), hash });
        candidates.push(Candidate { piece, until, base: None });
    }
    let days = journals.day_files(log).to_vec();
    let gaps = journals.gaps(log);
    let is_sound = |file: &DayFile| {
        let mut gaps = gaps.iter().chain(holes);
        !gaps.any(|gap| gap.from < file.end() && file.start < gap.to)
    };
    let may_go = |file: &&DayFile| file.piece.is_some() && file.end() <= covered && is_sound(file);
    for file in days.iter().take_while(may_go) {
        let hash = journals.hash_at(log, file.end())?;
        let Some((piece, hash)) = file.piece.zip(hash) else { break };
        let head = Head { position: file.end(), hash };
        let base = Base { head, day: file.day };
        candidates.push(Candidate { piece, until: Some(head), base: Some(base) });
    }
    Ok(candidates)
}

/// Removes what a [`plan`] says, and gives the logs their new bases. What has changed since stays. Killed
/// anywhere it leaves each log with its old base or the new one.
///
/// # Errors
/// When the disk refuses.
pub fn trim(lock: &HomeLock, journals: &mut Journals, going: &[Going]) -> Result<()> {
    journals.refresh()?;
    let disk = journals.disk().clone();
    let (mut bases, mut blocked) = (BTreeMap::<LogId, Base>::new(), BTreeSet::new());
    let mut gone = Vec::new();
    for one in going {
        let Some(base) = one.base else {
            gone.push(one);
            continue;
        };
        let begin = bases.get(&one.log).map_or(journals.begin(&one.log), |b| b.head.position);
        let stands = journals.hash_at(&one.log, base.head.position)? == Some(base.head.hash);
        let archived = journals.archived_days(&one.log).any(|file| file.piece == Some(one.piece));
        if one.piece.start == begin && stands && archived && !blocked.contains(&one.log) {
            bases.insert(one.log.clone(), base);
            gone.push(one);
        } else {
            blocked.insert(&one.log);
        }
    }
    if gone.is_empty() {
        return Ok(());
    }
    // No journal that was moved away may come back below a base.
    disk.sync_folder(paths::WAL).tried("sync", paths::WAL)?;
    // Nor the checkpoint that was before the one which covers what goes.
    if_there(disk.sync_folder(paths::CHECKPOINT)).tried("sync", paths::CHECKPOINT)?;
    journals.set_bases(lock, bases.clone())?;
    for one in gone {
        let path = one.piece.path(&one.log);
        if_there(disk.remove(&path)).tried("remove", &path)?;
    }
    disk.sync_folder(paths::ARCHIVE).tried("sync", paths::ARCHIVE)?;
    for log in bases.keys() {
        // Marks before the base tell of nothing any more.
        journals.cut_marks(lock, log, u64::MAX)?;
    }
    journals.refresh()
}
