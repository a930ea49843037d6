//! Which logs may have bytes behind a frontier, without reading what is known of their chains: a home of
//! many days has megabytes of marks, and who asks for one field needs none of them.

use std::collections::{BTreeMap, BTreeSet};

use cocli_core::limits::LOGS_MAX;
use cocli_core::{ClusterId, Day, Head, LogId, Month, NodeId};

use super::foretold::From;
use super::{Journals, mark};
use crate::disk::{Disk, FileKind, SharedDisk};
use crate::error::{Result, Tried, if_there};
use crate::paths;

/// Bytes at the end of a log's marks in which the mark of the frontier stands when nothing came since.
const MARKS_END_BYTES: u64 = 2048;

/// Where a frontier stands in the journal of its last day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// That day.
    pub(crate) day: Day,
    /// Bytes of its journal before the frontier.
    pub(crate) offset: u64,
    /// The frontier itself.
    pub(crate) head: Head,
}

impl Journals {
    /// The day on which a frontier stands, and the bytes of its journal before it.
    pub(crate) fn stands_at(&self, log: &LogId, position: u64) -> Option<(Day, u64)> {
        let day = self.logs.get(log)?.day_at(position.checked_sub(1)?)?;
        Some((day.day, position - day.start))
    }

    /// As [`Journals::open`], but looks only at logs that stay, or at those of a month, and that do not end
    /// exactly at their place. What it says of others is nothing; it is for reading what stands behind the
    /// places.
    pub(crate) fn open_behind(
        disk: SharedDisk,
        cluster: ClusterId,
        node: NodeId,
        (month, places): (Option<Month>, &BTreeMap<LogId, Place>),
    ) -> Result<Self> {
        let mut journals = Self::unread(disk, cluster, node)?;
        let disk = journals.disk.clone();
        let mut days: BTreeMap<LogId, Vec<Day>> = BTreeMap::new();
        for (name, _) in disk.list(paths::WAL).tried("list", paths::WAL)? {
            if let Some((log, day)) = paths::journal_of(&name).filter(|(log, _)| log.month == month)
            {
                days.entry(log).or_default().push(day);
            }
        }
        let logs: BTreeSet<&LogId> = days.keys().chain(places.keys()).collect();
        if logs.len() > LOGS_MAX {
            // Which of them count is said by a look at all.
            journals.refresh()?;
            return Ok(journals);
        }
        journals.bases = super::read_bases(&*disk)?;
        for id in logs {
            let days = days.get(id).map_or(&[][..], Vec::as_slice);
            if places.get(id).is_some_and(|place| ends_there(&*disk, id, days, place)) {
                continue;
            }
            let mut found = Vec::new();
            for day in days {
                let path = paths::journal(id, *day);
                found.extend(disk.stat(&path).tried("look at", &path)?.map(|stat| (*day, stat)));
            }
            let path = paths::marks(id);
            let marks = disk.stat(&path).tried("look at", &path)?;
            match places.get(id) {
                _ if month.is_some() => journals.look_at(id, found, marks)?,
                Some(place) => {
                    let from = From::Place(place.day, place.head);
                    journals.look_at_end(id, found, marks, from)?;
                }
                None => journals.look_at_end(id, found, marks, From::Start)?,
            }
        }
        Ok(journals)
    }
}

/// Whether a log has its place, by its marks, and nothing behind it. Anything strange is a no.
fn ends_there(disk: &dyn Disk, id: &LogId, days: &[Day], place: &Place) -> bool {
    let stat = |path: &str| disk.stat(path).ok().flatten();
    let Some(start) = place.head.position.checked_sub(place.offset) else { return false };
    let there = match days.iter().max() {
        Some(newest) if *newest > place.day => false,
        Some(newest) if *newest == place.day => stat(&paths::journal(id, place.day))
            .is_some_and(|stat| stat.kind == FileKind::File && stat.len == place.offset),
        // Days that did not go into the archive with it stand before it.
        _ => stat(&paths::archived(id, place.day, start, place.offset))
            .is_some_and(|stat| stat.kind == FileKind::File),
    };
    if !there {
        return false;
    }
    let path = paths::marks(id);
    let Some(len) = stat(&path).map(|stat| stat.len) else { return false };
    let from = len.saturating_sub(MARKS_END_BYTES);
    let end = if_there(disk.read_at(&path, from, MARKS_END_BYTES as usize)).ok().flatten();
    // A line that is cut in front fails its sum.
    let marks = end.map(|bytes| mark::read(&bytes)).unwrap_or_default();
    // The last word counts: behind it nothing was said that takes it back.
    marks.last().is_some_and(|last| last.head == place.head)
}
