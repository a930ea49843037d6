//! One log as it stands on the disk: its days, where each begins, what is known of its chain.

use cocli_core::{Day, Head, LogId};
use std::collections::BTreeMap;
use std::fmt;

use super::spot::Spot;
use crate::archive::Piece;
use crate::disk::{FileKind, Stat};
use crate::journal::mark::Mark;

/// The journal of one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DayFile {
    pub(crate) day: Day,
    /// Bytes of the log before it.
    pub(crate) start: u64,
    /// Bytes of the file.
    pub(crate) raw: u64,
    /// Bytes of whole records that belong to the log.
    pub(crate) whole: u64,
    /// Whether there is a file at all.
    pub(crate) there: bool,
    /// Where it stands, if that is the archive.
    pub(crate) piece: Option<Piece>,
}

impl DayFile {
    /// Where its bytes stand.
    pub(crate) fn spot<'a>(&self, log: &'a LogId) -> Spot<'a> {
        Spot { log, day: self.day, start: self.start, piece: self.piece }
    }

    /// Bytes of the log before its end.
    pub(crate) fn end(&self) -> u64 {
        self.start + self.whole
    }
}

/// Where bytes of a day were found.
#[derive(Debug, Clone, Copy)]
enum Source {
    Journal(Stat),
    Archive(Piece),
}

impl Source {
    /// Bytes of it; none of what is no file.
    fn len(self) -> u64 {
        match self {
            Self::Journal(stat) if stat.kind == FileKind::File => stat.len,
            Self::Journal(_) => 0,
            Self::Archive(piece) => piece.len,
        }
    }
}

/// Why a journal is not as its marks say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The journal is gone.
    Missing,
    /// A folder, link or device stands in its place.
    NoFile,
    /// It ends before the marks do.
    Short {
        /// Bytes that are missing.
        missing: u64,
    },
    /// It cannot be read, or not to its end; the log ends before that.
    Unreadable {
        /// Where in the file the records end that can be read.
        offset: u64,
    },
    /// It is not known, although a later day is; or it has bytes behind its end.
    Misfit {
        /// Where in the file the bytes begin that do not fit.
        offset: u64,
    },
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("the journal is gone"),
            Self::NoFile => f.write_str("a folder, link or device stands in the journal's place"),
            Self::Short { missing } => write!(f, "{missing} bytes are missing at its end"),
            Self::Unreadable { offset } => {
                write!(f, "it cannot be read from its byte {offset} on")
            }
            Self::Misfit { offset } => {
                write!(f, "its bytes from {offset} on fit no place of the log")
            }
        }
    }
}

/// What was found of a log, as it was last looked at.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) id: LogId,
    /// Where what is held begins: h(0), or the base.
    pub(crate) start: Head,
    /// The day of the last byte before a base.
    pub(crate) start_day: Option<Day>,
    pub(crate) days: Vec<DayFile>,
    pub(crate) marks: Vec<Mark>,
    /// As far as the chain was worked out; never before the last mark.
    pub(crate) tip: Head,
    /// Bytes of whole records.
    pub(crate) end: u64,
    /// As far as the bytes are known to be synced.
    pub(crate) durable: u64,
    /// Every day up to the tip is known to have its beginning marked.
    pub(crate) mended: bool,
    pub(crate) troubles: Vec<(Day, Trouble)>,
    /// How far the marks say that the log once was durable.
    pub(crate) marked: u64,
    pub(crate) found: Vec<(Day, Stat)>,
    /// What stands of it in the archive, below the base too.
    pub(crate) pieces: Vec<Piece>,
    pub(crate) marks_stat: Option<Stat>,
    /// It was changed: the next look lays it out anew, whatever that finds.
    pub(crate) stale: bool,
    /// The day in which the log ends before bytes that cannot be read. Days behind it hold nothing.
    pub(crate) unreadable: Option<Day>,
    /// From where on this view itself appended what is not synced yet.
    pub(crate) appended: Option<u64>,
    /// A sync failed and what it was for stands here still: before it is written once more no sync of
    /// it says anything to this process, and nothing is put behind it.
    pub(crate) unwritten: bool,
}

/// Asks where the whole records of a journal end (at most `raw`, at least `floor`), and whether all of
/// it could be read.
pub(crate) type Whole<'a> = dyn Fn(Day, u64, u64) -> std::io::Result<(u64, bool)> + 'a;

impl Log {
    pub(crate) fn new(id: LogId, start: Head) -> Self {
        Self {
            id,
            start,
            start_day: None,
            days: Vec::new(),
            marks: Vec::new(),
            tip: start,
            end: start.position,
            durable: start.position,
            mended: false,
            troubles: Vec::new(),
            marked: 0,
            found: Vec::new(),
            pieces: Vec::new(),
            marks_stat: None,
            stale: false,
            unreadable: None,
            appended: None,
            unwritten: false,
        }
    }

    /// What is held begins elsewhere now.
    pub(crate) fn begin_at(&mut self, start: Head) {
        self.start = start;
        self.durable = self.durable.max(start.position);
        self.forget_below_start();
    }

    /// Marks before the base tell of nothing that is held.
    pub(crate) fn forget_below_start(&mut self) {
        let start = self.start;
        let first = |mark: &Mark| mark.head == start && mark.begins;
        if start.position > 0 {
            self.marks.retain(|mark| mark.head.position > start.position || first(mark));
        }
    }

    /// Lays the days out by what was found and by the marks.
    pub(crate) fn lay(
        &mut self,
        found: Vec<(Day, Stat)>,
        whole: &Whole<'_>,
    ) -> std::io::Result<()> {
        self.days.clear();
        self.troubles.clear();
        self.mended = false;
        self.unreadable = None;
        self.marked = self.marks.last().map_or(0, |mark| mark.head.position);
        let sources = self.sources(&found);
        let begins = self.begins(&sources);
        for day in self.known_days(&begins, &sources) {
            self.lay_day(day, sources.get(&day).copied(), &begins, whole)?;
        }
        self.trim();
        (self.found, self.stale) = (found, false);
        self.end = self.days.last().map_or(self.start.position, DayFile::end);
        if self.marks.last().is_some_and(|mark| mark.head.position > self.end) {
            self.marks.retain(|mark| mark.head.position <= self.end);
        }
        self.durable = self.durable.min(self.end);
        self.appended = self.appended.filter(|at| *at < self.end);
        self.unwritten &= self.durable < self.end;
        Ok(())
    }

    /// Where the bytes of each day are taken from. What stands in both places is taken from the journal,
    /// unless that is the shorter: then somebody else put it there.
    fn sources(&mut self, found: &[(Day, Stat)]) -> BTreeMap<Day, Source> {
        let mut sources: BTreeMap<Day, Source> = BTreeMap::new();
        for piece in self.pieces.iter().filter(|piece| piece.start >= self.start.position) {
            let known = |mark: &&Mark| mark.begins && mark.day == piece.day;
            let known = self.marks.iter().find(known).map(|mark| mark.head.position);
            if known.is_none_or(|start| start == piece.start) {
                // Of several the longest comes last.
                sources.insert(piece.day, Source::Archive(*piece));
            }
        }
        for (day, stat) in found {
            let is_file = stat.kind == FileKind::File;
            if self.start_day.is_some_and(|start| *day < start) {
                // Nothing behind a base is of an earlier day.
                self.troubles.push((*day, Trouble::Misfit { offset: 0 }));
                continue;
            }
            match sources.get(day) {
                Some(archived) if is_file && stat.len < archived.len() => {
                    self.troubles.push((*day, Trouble::Misfit { offset: 0 }));
                }
                Some(_) if !is_file => self.troubles.push((*day, Trouble::NoFile)),
                _ => drop(sources.insert(*day, Source::Journal(*stat))),
            }
        }
        sources
    }

    /// The days of files and marks, but for files that do not fit between what the marks know.
    fn known_days(&mut self, begins: &[(Day, u64)], sources: &BTreeMap<Day, Source>) -> Vec<Day> {
        let last_marked = begins.last().map(|(day, _)| *day);
        let mut days: Vec<Day> = begins.iter().map(|(day, _)| *day).collect();
        for (day, source) in sources {
            if days.contains(day) {
                continue;
            }
            if last_marked.is_some_and(|last| *day < last)
                && !fills_gap(self.start.position, begins, sources, *day, source.len())
            {
                self.troubles.push((*day, Trouble::Misfit { offset: 0 }));
                continue;
            }
            days.push(*day);
        }
        days.sort_unstable();
        days
    }

    /// Where days begin: by the marks, and by the names of what is in the archive.
    fn begins(&self, sources: &BTreeMap<Day, Source>) -> Vec<(Day, u64)> {
        let marked = self.marks.iter().filter(|mark| mark.begins);
        let mut begins: BTreeMap<Day, u64> =
            marked.map(|mark| (mark.day, mark.head.position)).collect();
        for (day, source) in sources {
            if let Source::Archive(piece) = source {
                let before = begins.range(..day).next_back().is_none_or(|b| *b.1 <= piece.start);
                let behind = begins.range(day..).next().is_none_or(|b| piece.start <= *b.1);
                if before && behind {
                    begins.entry(*day).or_insert(piece.start);
                }
            }
        }
        begins.into_iter().collect()
    }

    fn lay_day(
        &mut self,
        day: Day,
        source: Option<Source>,
        begins: &[(Day, u64)],
        whole: &Whole<'_>,
    ) -> std::io::Result<()> {
        let before = self.days.last().map_or(self.start.position, DayFile::end);
        let at = begins.partition_point(|(other, _)| *other < day);
        let start = begins.get(at).filter(|(other, _)| *other == day).map_or(before, |b| b.1);
        let (stat, piece) = match source {
            Some(Source::Archive(piece)) => (None, Some(piece)),
            Some(Source::Journal(stat)) => (Some(stat), None),
            None => (None, None),
        };
        let is_file = piece.is_some() || stat.is_some_and(|stat| stat.kind == FileKind::File);
        let raw = source.map_or(0, Source::len);
        // Where the next known day begins this one ends; the last one ends where its records do.
        let next = begins[at..].iter().find(|(other, _)| *other > day);
        let next = next.map(|(_, at)| (*at).max(start) - start);
        let marked = next.unwrap_or_else(|| {
            let inside = self.marks.iter().filter(|mark| mark.day == day).map(|m| m.head.position);
            inside.max().unwrap_or(start).max(start) - start
        });
        let len = if raw < marked || (next.is_some() && raw == marked) {
            raw.min(marked)
        } else if next.is_some() {
            if piece.is_none() {
                self.troubles.push((day, Trouble::Misfit { offset: marked }));
            }
            marked
        } else {
            raw
        };
        let floor = if raw >= marked { marked } else { 0 };
        let (whole, legible) = if self.unreadable.is_some() {
            (0, true)
        } else if piece.is_some() || (len == marked && raw >= marked) {
            (len, true)
        } else {
            whole(day, len, floor)?
        };
        if !legible {
            self.troubles.push((day, Trouble::Unreadable { offset: whole }));
            self.unreadable = next.is_none().then_some(day);
        }
        self.troubles.extend(trouble(stat, raw, marked).map(|trouble| (day, trouble)));
        self.days.push(DayFile { day, start, raw, whole, there: is_file, piece });
        Ok(())
    }

    /// What stands behind the tip cannot be read: the log ends there until its journals change. `at` is
    /// the day of the tip, behind which no mark is.
    pub(crate) fn end_at_tip(&mut self, at: usize) {
        let end = self.tip.position;
        let Some(file) = self.days.get_mut(at) else { return };
        file.whole = end.saturating_sub(file.start);
        self.unreadable = Some(file.day);
        self.troubles.push((file.day, Trouble::Unreadable { offset: file.whole }));
        for later in &mut self.days[at + 1..] {
            (later.start, later.whole) = (end, 0);
        }
        self.end = end;
        self.durable = self.durable.min(end);
    }

    /// The journal that could not be read was cut where the log ends.
    pub(crate) fn is_legible_again(&mut self) {
        self.unreadable = None;
        self.troubles.retain(|(_, trouble)| !matches!(trouble, Trouble::Unreadable { .. }));
    }

    /// Days at the end of which nothing is there say nothing: the log ends before them.
    fn trim(&mut self) {
        while self.days.last().is_some_and(|last| last.whole == 0 && !last.there) {
            self.days.pop();
        }
    }

    /// The day that holds the byte at `position`, or (at the end of all) the last one.
    pub(crate) fn day_at(&self, position: u64) -> Option<&DayFile> {
        let at = self.days.partition_point(|day| day.start <= position);
        // Empty days share their start with the next: the last of them holds the byte.
        self.days.get(at.checked_sub(1)?)
    }

    /// The last mark at or before `position`, as an index.
    pub(crate) fn mark_before(&self, position: u64) -> Option<usize> {
        self.marks.partition_point(|mark| mark.head.position <= position).checked_sub(1)
    }

    /// The last known point of the chain.
    pub(crate) fn last_mark(&self) -> Head {
        self.marks.last().map_or(self.start, |mark| mark.head)
    }

    /// Where the own next append goes at the earliest.
    pub(crate) fn newest_day(&self) -> Option<Day> {
        self.days.last().map(|last| last.day)
    }

    /// Whether the marks know of a journal at the end that is gone, as a removal that was cut off before
    /// the marks were cut leaves it.
    pub(crate) fn lost_a_name(&self) -> bool {
        let at_end = self.marks.iter().rev().take_while(|mark| mark.head.position >= self.end);
        at_end
            .filter(|mark| mark.begins && mark.saved)
            .any(|mark| !self.days.iter().any(|file| file.day == mark.day && file.there))
    }

    pub(crate) fn add_mark(&mut self, mark: Mark) {
        let at = self
            .marks
            .partition_point(|m| (m.head.position, m.day) < (mark.head.position, mark.day));
        let same = |m: &Mark| (m.head.position, m.day) == (mark.head.position, mark.day);
        if !self.marks.get(at).is_some_and(same) {
            self.marks.insert(at, mark);
        }
    }
}

/// What is wrong with a journal that the marks know up to `marked`.
fn trouble(stat: Option<Stat>, raw: u64, marked: u64) -> Option<Trouble> {
    match stat {
        Some(stat) if stat.kind != FileKind::File => Some(Trouble::NoFile),
        _ if raw >= marked => None,
        None => Some(Trouble::Missing),
        Some(_) => Some(Trouble::Short { missing: marked - raw }),
    }
}

/// A journal whose line in the marks was lost is known by its length: it fills the gap exactly.
fn fills_gap(
    first: u64,
    begins: &[(Day, u64)],
    sources: &BTreeMap<Day, Source>,
    day: Day,
    len: u64,
) -> bool {
    let before = begins.iter().rev().find(|(other, _)| *other < day);
    let next = begins.iter().find(|(other, _)| *other > day);
    let (start, raw) = match before {
        Some((other, at)) => (*at, sources.get(other).map_or(0, |source| source.len())),
        None => (first, 0),
    };
    len > 0 && next.is_some_and(|(_, at)| start + raw + len == *at)
}
