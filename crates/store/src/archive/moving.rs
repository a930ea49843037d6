//! Moving days from `wal/` into the archive: the new file is written and made durable beside whoever
//! writes; the home's lock is held only to give it its name, and to take the journal away.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use cocli_core::{ChainHash, Day, Instant, LogId};

use super::piece::verify;
use super::writing::{piece_of, write};
use crate::checkpoint::{Manifest, Turn};
use crate::disk::{Disk, Stat};
use crate::error::{Result, StoreError, Tried, if_there};
use crate::journal::{DayFile, Gap, Journals};
use crate::lock::HomeLock;
use crate::paths;
use crate::side::side_by_side;

/// The newest journal of a log may still grow: it goes when nobody wrote to it for so long.
const REST_US: i64 = DAY_US;
const DAY_US: i64 = 86_400_000_000;
/// Days that are moved between two syncs of the folder.
const BATCH_DAYS: usize = 64;

/// What moves, and by whom.
#[derive(Debug, Clone, Copy)]
pub struct Moving {
    /// Days that a journal stays in `wal/`.
    pub after: u32,
    /// Threads that compress, at least one.
    pub threads: usize,
}

/// What was moved into the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Archived {
    /// Journals.
    pub days: usize,
    /// Bytes of them.
    pub bytes: u64,
}

/// A journal that goes.
struct Move {
    log: LogId,
    file: DayFile,
    stat: Stat,
    before: ChainHash,
    after: ChainHash,
}

/// Moves every journal into the archive that is old enough, covered by the checkpoint, durable and
/// without damage. `lock` takes the home's lock, and gives none when all is to stop. Killed anywhere it
/// leaves a home that reads the same.
///
/// # Errors
/// When the disk refuses: what was not moved stands in `wal/`.
pub fn archive(
    _turn: &Turn,
    journals: &mut Journals,
    (moving, now): (Moving, Instant),
    lock: &dyn Fn() -> Result<Option<HomeLock>>,
) -> Result<Archived> {
    let disk = journals.disk().clone();
    let moves = due(journals, moving.after, now)?;
    let mut done = Archived::default();
    if moves.is_empty() {
        return Ok(done);
    }
    {
        // Who takes a day out of the archive writes there, too, under the same lock.
        let Some(_lock) = lock()? else { return Ok(done) };
        remove_unfinished(&*disk)?;
    }
    for batch in moves.chunks(BATCH_DAYS) {
        let ready = all_written(journals, batch, moving.threads)?;
        let named = {
            let Some(_lock) = lock()? else { return Ok(done) };
            put_in_place(journals, ready)?
        };
        disk.sync_folder(paths::ARCHIVE).tried("sync", paths::ARCHIVE)?;
        let gone = {
            let Some(_lock) = lock()? else { return Ok(done) };
            take_away(journals, &named)?
        };
        disk.sync_folder(paths::WAL).tried("sync", paths::WAL)?;
        done.days += gone.len();
        done.bytes += gone.iter().map(|one| one.file.whole).sum::<u64>();
    }
    journals.refresh()?;
    Ok(done)
}

/// What is to go. Cheap where that is nothing.
fn due(journals: &mut Journals, after: u32, now: Instant) -> Result<Vec<Move>> {
    let disk = journals.disk().clone();
    let manifest = match Manifest::read(&*disk) {
        Err(StoreError::Damaged { .. }) => return Ok(Vec::new()),
        manifest => manifest?,
    };
    let until = Instant::from_micros(now.micros() - i64::from(after) * DAY_US).map(Instant::day);
    let Some(until) = until else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for (log, head) in &manifest.frontier.0 {
        if journals.is_unquiet(log) {
            continue;
        }
        let gaps = manifest.holes.get(log).map_or(&[][..], Vec::as_slice);
        let files = journals.journals_up_to(log, until, head.position.min(journals.durable(log)));
        found.extend(files.into_iter().filter_map(|(file, stat)| {
            let in_gap = gaps.iter().any(|gap| overlaps(gap, &file));
            let rests = !journals.is_newest(log, file.day) || is_at_rest(&stat, now);
            (rests && !in_gap).then(|| (log.clone(), file, stat))
        }));
    }
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let standing = journals.standing(&manifest.frontier)?;
    let mut moves = Vec::new();
    for (log, file, stat) in found {
        let before = journals.hash_at(&log, file.start)?;
        let after = journals.hash_at(&log, file.end())?;
        if let (Some(before), Some(after), Some(_)) = (before, after, standing.get(&log)) {
            moves.push(Move { log, file, stat, before, after });
        }
    }
    Ok(moves)
}

fn overlaps(gap: &Gap, file: &DayFile) -> bool {
    gap.from < file.end() && file.start < gap.to
}

fn is_at_rest(stat: &Stat, now: Instant) -> bool {
    stat.modified_ns / 1000 <= now.micros() - REST_US
}

/// The file of a journal in the archive.
enum Ready {
    /// It stands there already, from a move that was cut off.
    Named,
    /// It stands beside its place, and reads back as the journal.
    Beside(String),
    /// What was read from the journal is not what its marks say.
    Not,
}

/// Writes all that move, side by side.
fn all_written<'a>(
    journals: &Journals,
    moves: &'a [Move],
    threads: usize,
) -> Result<Vec<(&'a Move, Ready)>> {
    let (next, all) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    side_by_side(threads, &|| {
        while let Some(one) = moves.get(next.fetch_add(1, Ordering::Relaxed)) {
            let ready = written(journals, one)?;
            all.lock().unwrap_or_else(PoisonError::into_inner).push((one, ready));
        }
        Ok(())
    })?;
    Ok(all.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// Writes the file beside its place, unless the very same stands there.
fn written(journals: &Journals, one: &Move) -> Result<Ready> {
    let disk = &**journals.disk();
    let piece = piece_of(&one.file);
    let path = piece.path(&one.log);
    let reads = |path: &str| verify(disk, path, piece, one.before) == Some(one.after);
    if disk.stat(&path).tried("look at", &path)?.is_some() && reads(&path) {
        return Ok(Ready::Named);
    }
    let (fresh, _) = write(journals, &one.log, &one.file, [Some(one.before), Some(one.after)])?;
    if reads(&fresh) {
        return Ok(Ready::Beside(fresh));
    }
    disk.remove(&fresh).tried("remove", &fresh)?;
    Ok(Ready::Not)
}

/// Names what was written, where the journal is still the one that was read. Nothing is synced.
fn put_in_place<'a>(
    journals: &mut Journals,
    ready: Vec<(&'a Move, Ready)>,
) -> Result<Vec<&'a Move>> {
    journals.refresh()?;
    let disk = journals.disk().clone();
    let mut named = Vec::new();
    for (one, ready) in ready {
        match ready {
            Ready::Not => continue,
            Ready::Named => {}
            Ready::Beside(fresh) if one.stands(journals)? => {
                let path = piece_of(&one.file).path(&one.log);
                disk.rename(&fresh, &path).tried("put in place", &path)?;
            }
            Ready::Beside(fresh) => {
                disk.remove(&fresh).tried("remove", &fresh)?;
                continue;
            }
        }
        named.push(one);
    }
    Ok(named)
}

/// Takes the journals away whose files in the archive are durable. Of a journal that was written to
/// meanwhile the archive must not tell.
fn take_away<'a>(journals: &mut Journals, named: &[&'a Move]) -> Result<Vec<&'a Move>> {
    journals.refresh()?;
    let disk = journals.disk().clone();
    let mut gone = Vec::new();
    for one in named.iter().copied() {
        let piece = piece_of(&one.file);
        if !journals.pieces(&one.log).contains(&piece) {
            // Somebody took it out again, to write to it: the journal is all that there is.
            continue;
        }
        if one.stands(journals)? {
            let path = paths::journal(&one.log, one.file.day);
            for other in journals.pieces(&one.log).iter().filter(|other| {
                other.day == piece.day
                    && **other != piece
                    && other.start >= journals.begin(&one.log)
            }) {
                let stale = other.path(&one.log);
                if_there(disk.remove(&stale)).tried("remove", &stale)?;
            }
            disk.remove(&path).tried("remove", &path)?;
            gone.push(one);
        } else {
            let path = piece.path(&one.log);
            if_there(disk.remove(&path)).tried("remove", &path)?;
        }
    }
    Ok(gone)
}

impl Move {
    /// Whether the journal is the one that was read.
    fn stands(&self, journals: &mut Journals) -> Result<bool> {
        let known = journals.journals_up_to(&self.log, self.file.day, self.file.end());
        let same =
            known.last().is_some_and(|(file, stat)| *file == self.file && *stat == self.stat);
        let ends = [(self.file.start, self.before), (self.file.end(), self.after)];
        if !same || journals.is_unquiet(&self.log) {
            return Ok(false);
        }
        for (position, hash) in ends {
            if journals.hash_at(&self.log, position)? != Some(hash) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Removes what a move that was cut off left beside its place.
fn remove_unfinished(disk: &dyn Disk) -> Result<()> {
    for (name, _) in disk.list(paths::ARCHIVE).tried("list", paths::ARCHIVE)? {
        if name.ends_with(".new") {
            let path = paths::in_archive(&name);
            if_there(disk.remove(&path)).tried("remove", &path)?;
        }
    }
    Ok(())
}

impl Journals {
    /// The journals of a log in `wal/` up to a day and a position that are whole and without trouble.
    fn journals_up_to(&self, log: &LogId, day: Day, position: u64) -> Vec<(DayFile, Stat)> {
        let gaps = self.gaps(log);
        let fits = |file: &&DayFile| {
            file.day <= day
                && file.piece.is_none()
                && file.there
                && file.raw == file.whole
                && file.whole > 0
                && file.end() <= position
                && !gaps.iter().any(|gap| overlaps(gap, file))
        };
        let stat = |day| self.stat_of(log, day);
        let files = self.day_files(log).iter().filter(fits);
        files.filter_map(|file| Some((file.clone(), stat(file.day)?))).collect()
    }
}
