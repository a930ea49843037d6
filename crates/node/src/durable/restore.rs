//! A home as it was at a time: every record of the bucket's objects up to then, in a log of its own, in a
//! cluster of its own. docs/bucket.md, "Clone".

use std::path::Path;

use cocli_core::bucket::{Failure, FailureKind};
use cocli_core::{Day, Instant, LogId, usv};
use cocli_store::{Command, Disk, HomeLock, Journals, SharedDisk, paths};

use super::clone::{Source, Stage, cluster_of, count, merge_tail, place_cards};
use super::everything::Everything;
use super::mark;
use crate::cards::Placed;
use crate::error::Result;
use crate::home::{Birth, Home, Rim, failed, first_config, remove_if_there};

/// Bytes of records that are appended, and synced, at a time.
const BATCH_BYTES: usize = 4 * 1024 * 1024;
/// What the commands are called that wrote them.
const VERB: &str = "clone";

/// A log that the objects do not hold from its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beginning {
    /// Which log.
    pub log: LogId,
    /// The first day of it that is there.
    pub day: Day,
}

/// What going back came to.
#[derive(Debug, Default)]
pub struct Restored {
    /// Records up to that time, all of which stand in the own log.
    pub records: usize,
    /// Records that were written later.
    pub later: usize,
    /// Records that break a rule, and so have no time: they are left out.
    pub odd: usize,
    /// Objects that were read.
    pub objects: usize,
    /// Logs that are not there from their start.
    pub beginnings: Vec<Beginning>,
    /// What a person may want to know.
    pub notices: Vec<String>,
    /// Companies that are not removed.
    pub companies: usize,
    /// People that are not removed.
    pub people: usize,
    /// State lines.
    pub values: usize,
    /// What became of the cards.
    pub cards: Placed,
}

/// Makes a home as everything was at a time, in the cluster that `birth` says, which is nobody else's. It has no
/// bucket and no peers. `path` is as for [`super::clone()`]; a try that was cut off begins anew.
///
/// # Errors
/// As [`super::clone()`].
pub fn restore(
    path: &Path,
    birth: &Birth,
    rim: Rim,
    (source, at): (Source<'_>, Instant),
    now: Instant,
) -> Result<(Home, Restored)> {
    restore_onto(Home::folder(path)?, path, birth, rim, (source, at), now)
}

/// As [`restore`], on a disk whose `.cocli/` is there.
pub(crate) fn restore_onto(
    disk: SharedDisk,
    path: &Path,
    birth: &Birth,
    rim: Rim,
    (source, at): (Source<'_>, Instant),
    now: Instant,
) -> Result<(Home, Restored)> {
    let theirs = cluster_of(source.bucket)?;
    if theirs == birth.membership.cluster {
        let what = "a copy of an earlier time needs a cluster of its own".to_owned();
        return Err(Failure::new(FailureKind::Wrong, what).into());
    }
    let wanted = mark::Mark {
        url: source.url.to_owned(),
        cluster: theirs.to_string(),
        public: birth.identity_public.clone(),
        at: Some(at.to_string()),
        filled: false,
    };
    let left = mark::take_over(&*disk, path, &wanted)?;
    let mut restored = Restored::default();
    let home = if left.is_some_and(|mark| mark.filled) {
        Home::over(disk, path, rim)?
    } else {
        wanted.write(&*disk)?;
        start_over(&*disk)?;
        let config = format!(
            "{}\n[restored_from]\nbucket = {:?}\nat = \"{at}\"\n",
            first_config(birth),
            source.url
        );
        let home = Home::lay_out(disk, path, birth, (rim, config))?;
        fill(&home, (source, at), theirs, now, &mut restored)?;
        mark::Mark { filled: true, ..wanted }.write(&*home.disk)?;
        home
    };
    merge_tail(&home, source, now)?;
    restored.cards = place_cards(&home, source, now)?;
    (restored.companies, restored.people, restored.values) = count(&home)?;
    mark::remove(&*home.disk)?;
    Ok((home, restored))
}

/// Takes away what an earlier try wrote.
fn start_over(disk: &dyn Disk) -> Result<()> {
    for folder in [paths::WAL, paths::MARKS] {
        let names = disk.list(folder).map_err(|e| failed(folder, "list", e))?;
        for (name, _) in names {
            let path = format!("{folder}/{name}");
            disk.remove(&path).map_err(|e| failed(&path, "remove", e))?;
        }
    }
    for path in [paths::INTENT, paths::DOUBT, paths::HOLES, paths::COMMANDS, paths::ID] {
        remove_if_there(disk, path)?;
    }
    Ok(())
}

/// Writes every record up to that time into the own log.
fn fill(
    home: &Home,
    (source, at): (Source<'_>, Instant),
    theirs: cocli_core::ClusterId,
    now: Instant,
    restored: &mut Restored,
) -> Result<()> {
    let lock = HomeLock::take(&*home.disk, "cocli clone")?;
    let mut journals = home.own_journals(&lock)?;
    let mut batch = Vec::new();
    let mut everything = Everything::new(source.bucket, theirs)?;
    while let Some(ranges) = everything.next()? {
        for range in ranges {
            sift(&range.bytes, at, &mut batch, restored);
            if batch.len() >= BATCH_BYTES {
                append(&mut journals, &lock, &mut batch, now)?;
            }
        }
        (source.watch)(Stage::Objects, everything.objects as u64, 0);
    }
    append(&mut journals, &lock, &mut batch, now)?;
    restored.objects = everything.objects;
    (restored.beginnings, restored.notices) = everything.told();
    Ok(())
}

/// Takes the records up to a time.
fn sift(bytes: &[u8], at: Instant, batch: &mut Vec<u8>, restored: &mut Restored) {
    for record in usv::records(bytes) {
        match usv::read_in(bytes, record) {
            Ok(datagram) if datagram.entry.stamp.instant <= at => {
                restored.records += 1;
                batch.extend_from_slice(record.bytes);
            }
            Ok(_) => restored.later += 1,
            Err(_) => restored.odd += 1,
        }
    }
}

fn append(
    journals: &mut Journals,
    lock: &HomeLock,
    batch: &mut Vec<u8>,
    now: Instant,
) -> Result<()> {
    if !batch.is_empty() {
        let command = Command { at: now, verb: VERB.into() };
        journals.append_verbatim(lock, batch, (None, now.day()), &command)?;
        batch.clear();
    }
    Ok(())
}

#[cfg(test)]
mod tests;
