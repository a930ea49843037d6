//! Files that somebody is about to save: an editor that writes in place may do it in several writes, and
//! what stands there between two of them is nobody's text.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use cocli_core::Instant;

use super::kept::FileMark;
use crate::disk::Disk;

/// A file that has not changed for this long counts as saved.
const QUIET: Duration = Duration::from_millis(100);
/// Pauses of that length after which a file that is written again and again is read as it is.
const PAUSES_MAX: usize = 20;
/// Pauses in all.
const PATIENCE: usize = 60;
/// Reads that somebody wrote into, after which a file is taken as it is.
const READS_MAX: usize = 3;

/// The bytes of a file, and its mark, unless somebody wrote while they were read.
pub type Marked = (Vec<u8>, Option<FileMark>);

/// Waits for saves to end: two seconds for what is restless at a time, six in all.
#[derive(Debug)]
pub struct Quiet(Mutex<Waits>);

#[derive(Debug)]
struct Waits {
    /// What did not change since is quiet; nanoseconds since 1970.
    since_ns: i64,
    pauses_left: usize,
    /// Files that changed later, and then no more.
    settled: HashMap<String, FileMark>,
    /// Files that did not come to rest: nobody waits for them again.
    restless: HashSet<String>,
}

impl Quiet {
    /// Nothing is waited for that changed a tenth of a second before `now` or earlier.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        let quiet = i64::try_from(QUIET.as_micros()).unwrap_or(i64::MAX);
        let since_ns = now.micros().saturating_sub(quiet).saturating_mul(1_000);
        let (settled, restless) = (HashMap::new(), HashSet::new());
        let waits = Waits { since_ns, pauses_left: PATIENCE, settled, restless };
        Self(Mutex::new(waits))
    }

    /// Waits until none of these files has changed for a tenth of a second, as long as patience lasts.
    pub fn wait<'p>(&self, disk: &dyn Disk, paths: impl IntoIterator<Item = &'p str>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).wait(disk, paths);
    }

    /// Reads a file when nobody is writing it.
    ///
    /// # Errors
    /// Of the disk.
    pub fn read(&self, disk: &dyn Disk, path: &str) -> io::Result<Marked> {
        for _ in 0..READS_MAX {
            self.wait(disk, [path]);
            let (bytes, mark) = read(disk, path)?;
            if mark.is_some() {
                return Ok((bytes, mark));
            }
        }
        read(disk, path)
    }
}

/// Reads a file as it is.
///
/// # Errors
/// Of the disk.
pub fn read(disk: &dyn Disk, path: &str) -> io::Result<Marked> {
    let before = mark(disk, path);
    let bytes = disk.read(path)?;
    Ok((bytes, before.filter(|before| mark(disk, path) == Some(*before))))
}

impl Waits {
    fn wait<'p>(&mut self, disk: &dyn Disk, paths: impl IntoIterator<Item = &'p str>) {
        let marked = paths.into_iter().filter_map(|path| Some((path, mark(disk, path)?)));
        let mut restless: Vec<(&str, FileMark)> = marked
            .filter(|(path, mark)| {
                mark.modified_ns > self.since_ns
                    && self.settled.get(*path) != Some(mark)
                    && !self.restless.contains(*path)
            })
            .collect();
        for _ in 0..PAUSES_MAX {
            if restless.is_empty() || self.pauses_left == 0 {
                break;
            }
            disk.pause(QUIET);
            self.pauses_left -= 1;
            restless.retain_mut(|(path, before)| {
                let Some(after) = mark(disk, path) else { return false };
                let changed = std::mem::replace(before, after) != after;
                if !changed {
                    self.settled.insert((*path).to_owned(), after);
                }
                changed
            });
        }
        self.restless.extend(restless.into_iter().map(|(path, _)| path.to_owned()));
    }
}

fn mark(disk: &dyn Disk, path: &str) -> Option<FileMark> {
    disk.stat(path).ok().flatten().map(FileMark::from)
}
