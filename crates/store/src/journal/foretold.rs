//! What a log has in the archive, without a list of that: it may have a file for each day of years, and who reads
//! or writes one field needs none, or the newest. Its name is foretold by the marks.

use cocli_core::{Day, Head, LogId};

use super::mark::{self, Mark};
use super::{Journals, command};
use crate::archive::Piece;
use crate::disk::Stat;
use crate::error::{Result, Tried, if_there};
use crate::paths;

/// From where on all of a log has to be seen.
#[derive(Debug, Clone, Copy)]
pub(super) enum From {
    /// From its beginning on.
    Start,
    /// From the day on that its newest mark is of.
    End,
    /// From a known point of the chain on, which lies in this day.
    Place(Day, Head),
}

impl Journals {
    /// Looks at a log, of which days before the newest ones may stand in the archive unseen. Where its marks do
    /// not tell enough the whole archive is looked at, once for all logs.
    pub(super) fn look_at_end(
        &mut self,
        id: &LogId,
        found: Vec<(Day, Stat)>,
        marks: Option<Stat>,
        from: From,
    ) -> Result<()> {
        self.look_at(id, found.clone(), marks)?;
        if self.listed {
            return Ok(());
        }
        if let Some(pieces) = self.foretold(id, &found, from)? {
            if !pieces.is_empty() {
                self.archived.insert(id.clone(), pieces);
                self.look_at(id, found.clone(), marks)?;
            }
            if !matches!(from, From::End) || self.ends_behind_commands(id)? {
                return Ok(());
            }
        }
        self.look_in_archive()?;
        self.look_at(id, found, marks)
    }

    /// Whether an own log ends where its commands say, or behind: the end of its marks may be lost, too.
    fn ends_behind_commands(&self, id: &LogId) -> Result<bool> {
        let newest = command::newest(&*self.disk, id)?.filter(|newest| newest.log == *id);
        Ok(newest.is_some_and(|newest| newest.to <= self.end(id)))
    }

    /// The files of the newest days that stand in the archive; nothing where the marks do not tell all of these.
    fn foretold(
        &self,
        id: &LogId,
        found: &[(Day, Stat)],
        from: From,
    ) -> Result<Option<Vec<Piece>>> {
        let Some(log) = self.logs.get(id) else { return Ok(None) };
        let read;
        let marks = if log.marked > log.end {
            // Those of what is not seen were passed over.
            let path = paths::marks(id);
            let bytes = if_there(self.disk.read(&path)).tried("read", &path)?;
            read = mark::read(&bytes.unwrap_or_default());
            &read
        } else {
            &log.marks
        };
        let first = match from {
            From::Start => None,
            From::End => marks.last().map(|mark| mark.day),
            From::Place(day, head) => marks.iter().any(|mark| mark.head == head).then_some(day),
        };
        let Some(first) = first else { return Ok(None) };
        let in_wal = |day: Day| found.iter().any(|(found, _)| *found == day);
        let mut days = marked_days(marks, first);
        if !in_wal(first) && !days.iter().any(|piece| piece.day == first) {
            return Ok(None);
        }
        // The newest may stand in both places.
        days.extend(log.days.last().filter(|file| file.there).map(|file| Piece {
            start: file.start,
            len: file.whole,
            day: file.day,
        }));
        let mut pieces = Vec::new();
        for piece in days {
            let path = piece.path(id);
            if self.disk.stat(&path).tried("look at", &path)?.is_some() {
                pieces.push(piece);
            } else if !in_wal(piece.day) {
                return Ok(None);
            }
        }
        pieces.sort_unstable();
        pieces.dedup();
        Ok(Some(pieces))
    }
}

/// The days from one on whose beginning is marked, each up to the next mark of that kind, or to the last.
fn marked_days(marks: &[Mark], first: Day) -> Vec<Piece> {
    let begins: Vec<_> = marks.iter().filter(|mark| mark.begins).collect();
    let end = marks.last().map_or(0, |mark| mark.head.position);
    let ends = begins.iter().skip(1).map(|mark| mark.head.position).chain([end]);
    let days = begins.iter().zip(ends).filter(|(mark, _)| mark.day >= first);
    let piece = |(mark, end): (&&Mark, u64)| {
        let start = mark.head.position;
        Piece { start, len: end.saturating_sub(start), day: mark.day }
    };
    days.map(piece).filter(|piece| piece.len > 0).collect()
}
