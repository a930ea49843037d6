//! Reading journals from given positions on, in sections small enough to hold.

use std::collections::BTreeMap;

use cocli_core::{LogId, Month, Vector};

use super::file::is_loss;
use super::hole::Gap;
use super::log::Log;
use super::{Journals, Section};
use crate::archive;
use crate::error::{Result, Tried};

/// A section ends at the first mark behind so many bytes.
const SECTION_BYTES: u64 = 4 * 1024 * 1024;

impl Journals {
    /// The part of a frontier that still says what it said. A log that is no longer on the chain that
    /// the frontier names (cut, and grown differently) has to be read from its start: merging twice
    /// does no harm.
    ///
    /// # Errors
    /// When a log cannot be read.
    pub(crate) fn standing(&mut self, frontier: &Vector) -> Result<Vector> {
        let mut standing = Vector::default();
        for (id, head) in &frontier.0 {
            if self.holds(id) && self.hash_at(id, head.position)? == Some(head.hash) {
                standing.0.insert(id.clone(), *head);
            }
        }
        Ok(standing)
    }

    /// The sections of all logs that stay, or of those of a month, behind a frontier that stands, and the
    /// gaps before it, up to where `until` says, which is told each log's end.
    pub(crate) fn behind(
        &self,
        month: Option<Month>,
        frontier: &Vector,
        gaps: &BTreeMap<LogId, Vec<Gap>>,
        until: impl Fn(&LogId, u64) -> u64,
    ) -> Vec<Section> {
        let mut sections = Vec::new();
        for (id, log) in self.logs.iter().filter(|(id, _)| id.month == month) {
            let from = frontier.position(id);
            for gap in gaps.get(id).into_iter().flatten() {
                sections.extend(self.sections_between(id, gap.from, gap.to.min(from)));
            }
            sections.extend(self.sections_between(id, from, until(id, log.end)));
        }
        sections
    }

    /// Remembers a hole that a reader of sections met.
    pub(crate) fn note_gap(&mut self, log: &LogId, gap: Gap) {
        // Behind the last mark nothing can be healed: the log ends where it cannot be read.
        let marks = self.logs.get(log).map_or(&[][..], |log| &log.marks);
        if marks.last().is_some_and(|last| gap.to <= last.head.position) {
            self.holes.add(log, gap);
        }
    }

    /// The sections of a log from `from` to `to`, in order; none crosses a day.
    #[must_use]
    pub fn sections_between(&self, id: &LogId, from: u64, to: u64) -> Vec<Section> {
        let Some(log) = self.logs.get(id) else { return Vec::new() };
        let mut sections = Vec::new();
        for at in 0..log.days.len() {
            let day_end = log.days.get(at + 1).map_or(log.end, |next| next.start);
            let (mut position, end) = (log.days[at].start.max(from), day_end.min(to));
            while position < end {
                let next = section_end(log, position, end);
                sections.push(section(log, at, position, next));
                position = next;
            }
        }
        sections
    }

    /// Every section of every log that stays, or of those of a month.
    #[must_use]
    pub fn all_sections(&self, month: Option<Month>) -> Vec<Section> {
        let logs = self.logs.keys().filter(|id| id.month == month);
        logs.flat_map(|id| self.sections_between(id, 0, self.end(id))).collect()
    }

    /// Every section that is held, those below the base of a log too: they are shown, and neither served
    /// nor merged. Looks at the files of these.
    ///
    /// # Errors
    /// When the archive cannot be read.
    pub(crate) fn all_held(&self, month: Option<Month>) -> Result<Vec<Section>> {
        let mut sections = self.all_sections(month);
        for (id, log) in self.logs.iter().filter(|(id, _)| id.month == month) {
            for piece in log.pieces.iter().filter(|piece| piece.start < log.start.position) {
                let ranges = match archive::frames_with(&*self.disk, id, *piece, None) {
                    Err(error) if is_loss(&error) => Vec::new(),
                    ranges => ranges.tried("read", &piece.path(id))?,
                };
                sections.extend(ranges.iter().map(|range| Section {
                    log: id.clone(),
                    day: piece.day,
                    position: piece.start + range.start,
                    offset: range.start,
                    piece: Some(*piece),
                    len: usize::try_from(range.end - range.start).unwrap_or(usize::MAX),
                    points: Vec::new(),
                }));
            }
        }
        Ok(sections)
    }
}

fn section_end(log: &Log, position: u64, end: u64) -> u64 {
    let at = log.marks.partition_point(|mark| mark.head.position < position + SECTION_BYTES);
    log.marks.get(at).map_or(end, |mark| mark.head.position.min(end))
}

fn section(log: &Log, at: usize, position: u64, end: u64) -> Section {
    let file = &log.days[at];
    let first = log.marks.partition_point(|mark| mark.head.position < position);
    let inside = log.marks[first..].iter().map(|mark| mark.head);
    let mut points: Vec<_> = inside
        .take_while(|head| head.position <= end)
        .map(|head| (usize::try_from(head.position - position).unwrap_or(usize::MAX), head.hash))
        .collect();
    points.dedup_by_key(|point| point.0);
    Section {
        log: log.id.clone(),
        day: file.day,
        position,
        offset: position - file.start,
        piece: file.piece,
        len: usize::try_from(end - position).unwrap_or(usize::MAX),
        points,
    }
}
