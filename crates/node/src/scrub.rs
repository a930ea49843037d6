//! Reading everything that is held once a day, a little at a time: what rots on a medium is found while others
//! still hold it, and not when it is asked for.

use cocli_core::{Instant, LogId};
use cocli_store::checkpoint;
use cocli_store::journal::Hole;
use cocli_store::{Journals, paths};
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::home::Home;

/// Steps in which all is read, when one is taken each minute: well within a day.
const STEPS: u64 = 1200;
/// Bytes that a step reads at least.
const STEP_BYTES_MIN: u64 = 256 * 1024;
/// Bytes that are read at most, but for one block, while the home's lock keeps others from writing.
const LOCKED_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// From the beginning of one reading to that of the next.
const DAY_US: i64 = 86_400_000_000;

/// How far the reading came, and what the one before it found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scrub {
    /// When it began.
    pub began: String,
    /// Where it goes on; none when all was read.
    place: Option<Place>,
    /// What it found by now.
    pub so_far: Scrubbed,
    /// When the last one that came to its end did so, and what it found.
    pub last: Option<(String, Scrubbed)>,
}

/// What was read, and what of it is damaged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scrubbed {
    /// Bytes of journals and of the checkpoint.
    pub bytes: u64,
    /// Blocks of journals that are damaged, for others to heal.
    pub blocks: u64,
    /// Files of the checkpoint that are damaged.
    pub files: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Place {
    /// In a log.
    Log(String, u64),
    /// At a shard of the checkpoint.
    Shard(u8),
}

impl Home {
    /// How far the daily reading of everything came; nothing where none was begun.
    #[must_use]
    pub fn scrubbed(&self) -> Option<Scrub> {
        serde_json::from_slice(&self.disk.read(paths::SCRUB).ok()?).ok()
    }

    /// Reads a little more of all that is held, unless all of it was read in the last 24 hours; gives whether
    /// something is damaged that was not known to be. What is damaged in a journal is a hole from now on, as
    /// for whoever reads it.
    ///
    /// # Errors
    /// When something cannot be read: the next step goes on behind it.
    pub fn scrub_some(&self, now: Instant) -> Result<bool> {
        let mut scrub = self.scrubbed().unwrap_or_default();
        if scrub.place.is_none() {
            let began = Instant::read(&scrub.began).map_or(i64::MIN, Instant::micros);
            // A clock that was ahead must not put the next one off for years.
            if (began..began.saturating_add(DAY_US)).contains(&now.micros()) {
                return Ok(false);
            }
            scrub.began = now.to_string();
            scrub.so_far = Scrubbed::default();
            scrub.place = Some(Place::Log(String::new(), 0));
        }
        // A reading that nobody came back from is not tried again before the next day.
        self.keep(&Scrub { place: None, ..scrub.clone() });
        let fresh = self.read_some(&mut scrub);
        if scrub.place.is_none() {
            scrub.last = Some((now.to_string(), scrub.so_far));
        }
        self.keep(&scrub);
        fresh
    }

    fn keep(&self, scrub: &Scrub) {
        let text = serde_json::to_vec(scrub).unwrap_or_default();
        // Where that is lost a reading begins anew.
        let _ = self.disk.put(paths::SCRUB, &text);
    }

    /// A step; gives whether it found holes. It goes on behind what cannot be read, which the next reading meets
    /// again.
    fn read_some(&self, scrub: &mut Scrub) -> Result<bool> {
        let mut journals = self.journals()?;
        let known = journals.holes();
        let of_logs = journals.logs().map(|log| journals.end(log) - journals.begin(log));
        // What cannot be read is met in its turn.
        let all = of_logs.sum::<u64>() + checkpoint::bytes(&*self.disk).unwrap_or_default();
        let mut room = (all / STEPS).max(STEP_BYTES_MIN);
        let (before, mut outcome) = (scrub.clone(), Ok(()));
        while let Some(place) = scrub.place.take() {
            let step = match place {
                Place::Log(log, from) => scrub_log(&mut journals, &log, from, room),
                Place::Shard(shard) => self.scrub_shard(shard),
            };
            scrub.so_far.bytes += step.read;
            scrub.so_far.files += step.files;
            scrub.place = step.next;
            room = room.saturating_sub(step.read);
            outcome = step.outcome;
            if room == 0 || outcome.is_err() {
                break;
            }
        }
        let mut seen = journals.holes();
        seen.retain(|hole| !known.contains(hole));
        match seen.iter().map(|hole| self.note(hole)).sum::<Result<u64>>() {
            Ok(fresh) => {
                scrub.so_far.blocks += fresh;
                outcome.map(|()| fresh > 0)
            }
            Err(error) => {
                // What could be read and not be noted is read again.
                if outcome.is_ok() {
                    *scrub = before;
                }
                Err(error)
            }
        }
    }

    /// Looks once more at what looked damaged, while nobody writes: a log may have been cut meanwhile, or days
    /// gone. Gives how many blocks are; others are asked for these.
    fn note(&self, hole: &Hole) -> Result<u64> {
        let (mut from, mut fresh) = (hole.from.position, 0);
        while from < hole.until.position {
            let Some(lock) = self.lock_if_same()? else { break };
            let mut journals = self.journals()?;
            let known = journals.damaged_blocks();
            from = from.max(journals.begin(&hole.log));
            let room = hole.until.position.saturating_sub(from).min(LOCKED_BYTES_MAX);
            let came = journals.scrub_some(&hole.log, from, room)?;
            journals.save_holes(&lock)?;
            fresh += journals.damaged_blocks().saturating_sub(known) as u64;
            if came <= from {
                break;
            }
            from = came;
        }
        Ok(fresh)
    }

    fn scrub_shard(&self, shard: u8) -> Step {
        let next = shard.checked_add(1).map(Place::Shard);
        match checkpoint::damaged_in(&*self.disk, shard) {
            Ok((read, damaged)) => {
                Step { next, read, files: damaged.len() as u64, outcome: Ok(()) }
            }
            Err(error) => Step { next, read: 0, files: 0, outcome: Err(error.into()) },
        }
    }
}

/// What was read at once.
struct Step {
    /// Where it goes on.
    next: Option<Place>,
    /// Bytes.
    read: u64,
    /// Damaged files.
    files: u64,
    /// Why not all of it could be read.
    outcome: Result<()>,
}

/// Of the first log that is not before `name`; behind the last one comes the checkpoint.
fn scrub_log(journals: &mut Journals, name: &str, from: u64, room: u64) -> Step {
    let mut names: Vec<(String, LogId)> =
        journals.logs().map(|log| (log.to_string(), log.clone())).collect();
    names.sort_unstable();
    let Some((of, log)) = names.into_iter().find(|(of, _)| of.as_str() >= name) else {
        return Step { next: Some(Place::Shard(0)), read: 0, files: 0, outcome: Ok(()) };
    };
    let from = if of == name { from } else { 0 }.max(journals.begin(&log));
    let (came, outcome) = match journals.scrub_some(&log, from, room) {
        Ok(came) => (came.max(from), Ok(())),
        Err(error) => (from, Err(error.into())),
    };
    // Whatever name comes behind it.
    let behind = Place::Log(format!("{of}\0"), 0);
    let next = match came < journals.end(&log) {
        true if came > from => Place::Log(of, came),
        true => next_day(journals, &log, from).map_or(behind, |start| Place::Log(of, start)),
        false => behind,
    };
    Step { next: Some(next), read: came - from, files: 0, outcome }
}

/// Where the first day begins that begins behind a position.
fn next_day(journals: &Journals, log: &LogId, position: u64) -> Option<u64> {
    journals.days(log).map(|(_, start, _)| start).find(|start| *start > position)
}

#[cfg(test)]
mod tests;
