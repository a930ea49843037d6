//! Who asks over a stream: for what is missing, or where two branches part.

use alloc::vec::Vec;

use super::{Answer, Logs, Question};
use crate::digest::ChainHash;
use crate::frame::Range;
use crate::gossip::event::FetchEnd;
use crate::limits::{CHUNK_BYTES, COMMON_HEADS_MAX};
use crate::name::LogId;
use crate::time::Day;
use crate::usv::records;
use crate::vector::Head;

/// What follows from an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked<T> {
    /// Ask this next.
    Next(Question),
    /// It is over.
    Over(T),
}

/// Fetches what follows a head.
#[derive(Debug, Clone)]
pub struct Fetcher {
    log: LogId,
    at: Head,
    until: u64,
}

impl Fetcher {
    /// From `from` up to `until`, or the other's end.
    #[must_use]
    pub fn new(log: LogId, from: Head, until: u64) -> Self {
        Self { log, at: from, until }
    }

    /// What to ask now.
    #[must_use]
    pub fn question(&self) -> Question {
        let max = u32::try_from(CHUNK_BYTES).unwrap_or(u32::MAX);
        Question::Fetch { log: self.log.clone(), from: self.at, until: self.until, max }
    }

    /// Asks for what follows `at` from now on: the end of what came, which whoever took it has worked
    /// out.
    ///
    /// # Errors
    /// [`FetchEnd::Whole`] when that is all that was wanted.
    pub fn go_on(&mut self, at: Head) -> Result<(), FetchEnd> {
        self.at = at;
        if at.position < self.until { Ok(()) } else { Err(FetchEnd::Whole) }
    }

    /// The range that came, or how it ended.
    ///
    /// # Errors
    /// The end: nothing is to be asked any more.
    pub fn take(&self, answer: Answer) -> Result<Range, FetchEnd> {
        match answer {
            Answer::Chunk(range) if range.log == self.log && range.start() == self.at => Ok(range),
            Answer::End => Err(FetchEnd::Whole),
            Answer::Differs => Err(FetchEnd::Fork),
            Answer::Below(base) => Err(FetchEnd::Below(base)),
            _ => Err(FetchEnd::Cut),
        }
    }
}

/// Which of two branches keeps the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Ours: its first differing record is greater.
    Keep,
    /// The other's. Ours parts from it behind `common`; `lost` is our hash behind the next record.
    Yield {
        /// The last common head.
        common: Head,
        /// Our chain's hash behind the first record that differs.
        lost: ChainHash,
    },
    /// One is the beginning of the other, or it cannot be told now.
    Open,
}

/// Finds the first record in which two branches differ.
#[derive(Debug, Clone)]
pub struct Comparer {
    log: LogId,
    /// The last head known to be common; or where one of both begins to hold the log, if they part behind
    /// it: records that follow it come only if they do.
    low: Head,
    /// No head from here on is common, as far as it is known.
    high: u64,
    /// The heads asked for; empty once records are compared.
    asked: Vec<Head>,
}

impl Comparer {
    /// Compares our branch of a log, which begins at `start`, with the other's.
    pub fn new(log: LogId, start: Head, logs: &mut dyn Logs) -> (Self, Question) {
        let high = logs.head(&log).map_or(0, |head| head.position.saturating_add(1));
        let mut comparer = Self { log, low: start, high, asked: Vec::new() };
        let base = logs.base(&comparer.log);
        let _ = comparer.begin_at(base, logs);
        let question = comparer.narrow(logs);
        (comparer, question)
    }

    /// Compares records behind a head that is known to be common: [`Answer::Chunk`] of what follows it is to be
    /// given next.
    #[must_use]
    pub fn behind(log: LogId, common: Head) -> Self {
        Self { log, low: common, high: common.position, asked: Vec::new() }
    }

    /// What follows from an answer.
    pub fn take(&mut self, answer: Answer, logs: &mut dyn Logs) -> Asked<Verdict> {
        match answer {
            Answer::Common(count) if !self.asked.is_empty() => {
                let count = usize::try_from(count).unwrap_or(usize::MAX).min(self.asked.len());
                if let Some(common) = count.checked_sub(1) {
                    self.low = self.asked[common];
                }
                if let Some(differs) = self.asked.get(count) {
                    self.high = differs.position;
                }
                Asked::Next(self.narrow(logs))
            }
            Answer::Below(base) if self.begin_at(base, logs).is_some() => {
                Asked::Next(self.narrow(logs))
            }
            Answer::Chunk(range) if range.log == self.log && range.start() == self.low => {
                match self.compare(&range, logs) {
                    Some(verdict) => Asked::Over(verdict),
                    None => Asked::Next(self.records()),
                }
            }
            _ => Asked::Over(Verdict::Open),
        }
    }

    /// Compares from a position on, if that is farther.
    fn begin_at(&mut self, position: u64, logs: &mut dyn Logs) -> Option<()> {
        let hash = logs.hash_at(&self.log, position).ok()??;
        (position > self.low.position).then(|| self.low = Head { position, hash })
    }

    /// Asks for the heads between the two bounds, evenly chosen; for records when there are none.
    fn narrow(&mut self, logs: &mut dyn Logs) -> Question {
        let heads = logs.heads(&self.log, self.low.position, self.high);
        let step = heads.len().div_ceil(COMMON_HEADS_MAX).max(1);
        self.asked = heads.into_iter().step_by(step).collect();
        if self.asked.is_empty() {
            return self.records();
        }
        Question::Common { log: self.log.clone(), heads: self.asked.clone() }
    }

    fn records(&self) -> Question {
        Fetcher::new(self.log.clone(), self.low, u64::MAX).question()
    }

    /// Walks over both as long as they are equal.
    fn compare(&mut self, theirs: &Range, logs: &mut dyn Logs) -> Option<Verdict> {
        let mut ours: Option<(Range, usize)> = None;
        for record in records(&theirs.bytes) {
            if ours.as_ref().is_none_or(|(range, at)| *at >= range.bytes.len()) {
                let range = logs.read(&self.log, self.low.position, u64::MAX, CHUNK_BYTES);
                let Some(range) = range.filter(|range| range.start() == self.low) else {
                    return Some(Verdict::Open);
                };
                ours = Some((range, 0));
            }
            let (range, at) = ours.as_mut()?;
            let mine = records(&range.bytes[*at..]).next()?.bytes;
            if (mine, range.day) != (record.bytes, theirs.day) {
                return Some(self.judge((mine, range.day), (record.bytes, theirs.day)));
            }
            *at += mine.len();
            self.low = Head {
                position: self.low.position + mine.len() as u64,
                hash: self.low.hash.next(range.day, mine),
            };
        }
        None
    }

    fn judge(&self, ours: (&[u8], Day), theirs: (&[u8], Day)) -> Verdict {
        if ours > theirs {
            return Verdict::Keep;
        }
        Verdict::Yield { common: self.low, lost: self.low.hash.next(ours.1, ours.0) }
    }
}
