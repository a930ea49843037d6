//! Files that somebody is about to save: an editor that writes in place may do it in several writes, and
//! what stands there between two of them is nobody's text.

use std::io;
use std::time::Duration;

use cocli_core::Instant;

use super::kept::FileMark;
use crate::disk::Disk;

/// A file that has not changed for this long counts as saved.
const QUIET: Duration = Duration::from_millis(100);
/// Pauses after which one that is written again and again is read as it is.
const PAUSES_MAX: usize = 20;
/// Reads that somebody wrote into, after which it is taken as it is.
const READS_MAX: usize = 3;

/// Waits until none of these files has changed for a tenth of a second: not at all when none did
/// shortly before `now`, and two seconds at most. Gives `now`, moved on by what it waited.
pub fn wait<'p>(
    disk: &dyn Disk,
    now: Instant,
    paths: impl IntoIterator<Item = &'p str>,
) -> Instant {
    let mark = |path| disk.stat(path).ok().flatten().map(FileMark::from);
    let quiet = i64::try_from(QUIET.as_micros()).unwrap_or(i64::MAX);
    let since = now.micros().saturating_sub(quiet).saturating_mul(1_000);
    let is_fresh = |mark: &Option<FileMark>| mark.is_some_and(|mark| mark.modified_ns > since);
    let marked = paths.into_iter().map(|path| (path, mark(path)));
    let mut restless: Vec<_> = marked.filter(|(_, mark)| is_fresh(mark)).collect();
    let mut until = now;
    for _ in 0..PAUSES_MAX {
        if restless.is_empty() {
            break;
        }
        disk.pause(QUIET);
        until = until.micros().checked_add(quiet).and_then(Instant::from_micros).unwrap_or(until);
        restless.retain_mut(|(path, before)| {
            let after = mark(path);
            let changed = *before != after;
            *before = after;
            changed
        });
    }
    until
}

/// Reads a file that nobody is writing: see [`wait`].
///
/// # Errors
/// Of the disk.
pub fn read(disk: &dyn Disk, mut now: Instant, path: &str) -> io::Result<Vec<u8>> {
    let mark = || disk.stat(path).ok().flatten().map(FileMark::from);
    for _ in 0..READS_MAX {
        now = wait(disk, now, [path]);
        let before = mark();
        let bytes = disk.read(path)?;
        if mark() == before {
            return Ok(bytes);
        }
    }
    disk.read(path)
}
