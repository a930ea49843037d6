//! Reading everything that is held once a day, a little at a time: what rots on a medium is found while others
//! still hold it, and not when it is asked for.

use cocli_core::{Instant, LogId};
use cocli_store::checkpoint::{self, Manifest};
use cocli_store::journal::Hole;
use cocli_store::{Journals, paths};
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::home::Home;

/// Steps in which all is read, when one is taken each minute: well within a day.
const STEPS: u64 = 1200;
/// Bytes that a step reads at least.
const STEP_BYTES_MIN: u64 = 256 * 1024;
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
    /// When the home cannot be read: the next step goes on there.
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
        let fresh = self.read_some(&mut scrub)?;
        if scrub.place.is_none() {
            scrub.last = Some((now.to_string(), scrub.so_far));
        }
        let text = serde_json::to_vec(&scrub).unwrap_or_default();
        // Where that is lost a reading begins anew.
        let _ = self.disk.put(paths::SCRUB, &text);
        Ok(fresh)
    }

    /// A step; gives whether it found holes.
    fn read_some(&self, scrub: &mut Scrub) -> Result<bool> {
        let mut journals = self.journals()?;
        let known: Vec<_> = journals.holes();
        let mut manifest = Manifest::read(&*self.disk).unwrap_or_default();
        let of_logs = journals.logs().map(|log| journals.end(log) - journals.begin(log));
        let all = of_logs.sum::<u64>() + manifest.bytes();
        let mut room = (all / STEPS).max(STEP_BYTES_MIN);
        while let Some(place) = scrub.place.take() {
            let (next, read, files) = match place {
                Place::Log(log, from) => scrub_log(&mut journals, &log, from, room)?,
                Place::Shard(shard) => self.scrub_shard(&mut manifest, shard)?,
            };
            scrub.so_far.bytes += read;
            scrub.so_far.files += files;
            scrub.place = next;
            room = room.saturating_sub(read);
            if room == 0 {
                break;
            }
        }
        let mut seen = journals.holes();
        seen.retain(|hole| !known.contains(hole));
        let fresh = if seen.is_empty() { 0 } else { self.note_holes(&seen)? };
        scrub.so_far.blocks += fresh;
        Ok(fresh > 0)
    }

    /// Looks at blocks once more that looked damaged, while nobody writes: a log may have been cut meanwhile,
    /// or days gone. Gives how many are; others are asked for these.
    fn note_holes(&self, seen: &[Hole]) -> Result<u64> {
        let Some(lock) = self.lock_if_same()? else { return Ok(0) };
        let mut journals = self.journals()?;
        let known = journals.holes().len();
        for hole in seen {
            if hole.from.position >= journals.begin(&hole.log) {
                journals.scrub_some(&hole.log, hole.from.position, 1)?;
            }
        }
        journals.save_holes(&lock)?;
        Ok(journals.holes().len().saturating_sub(known) as u64)
    }

    fn scrub_shard(&self, manifest: &mut Manifest, shard: u8) -> Result<Step> {
        loop {
            let (bytes, damaged) = checkpoint::damaged_in(&*self.disk, manifest, shard)?;
            let now = Manifest::read(&*self.disk).unwrap_or_default();
            if damaged.is_empty() || now == *manifest {
                let next = shard.checked_add(1).map(Place::Shard);
                return Ok((next, bytes, damaged.len() as u64));
            }
            // A compaction took the files away that were looked for.
            *manifest = now;
        }
    }
}

/// Where it goes on, bytes that were read, and damaged files.
type Step = (Option<Place>, u64, u64);

/// Of the first log that is not before `name`; behind the last one comes the checkpoint.
fn scrub_log(journals: &mut Journals, name: &str, from: u64, room: u64) -> Result<Step> {
    let mut names: Vec<(String, LogId)> =
        journals.logs().map(|log| (log.to_string(), log.clone())).collect();
    names.sort_unstable();
    let Some((of, log)) = names.into_iter().find(|(of, _)| of.as_str() >= name) else {
        return Ok((Some(Place::Shard(0)), 0, 0));
    };
    let from = if of == name { from } else { 0 }.max(journals.begin(&log));
    let came = journals.scrub_some(&log, from, room)?.max(from);
    let next = match came < journals.end(&log) && came > from {
        true => Place::Log(of, came),
        // Whatever name comes behind it.
        false => Place::Log(format!("{of}\0"), 0),
    };
    Ok((Some(next), came - from, 0))
}

#[cfg(test)]
mod tests;
