//! What goes over a stream: a question, an answer, one after the other. Who answers keeps no state
//! between two questions; who asks is a [`Fetcher`] or a [`Comparer`].

mod ask;
pub mod sums;
#[cfg(test)]
mod tests;

use alloc::vec::Vec;

use crate::digest::ChainHash;
use crate::frame::{Cut, Range, put_file, put_head, put_log};
use crate::limits::{CHUNK_BYTES, COMMON_HEADS_MAX, STREAM_MESSAGE_BYTES_MAX};
use crate::name::LogId;
use crate::sorted::SortedFile;
use crate::vector::Head;

pub use ask::{Asked, Comparer, Fetcher, Verdict};

/// What one node asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// The records that follow a head, up to a position.
    Fetch {
        /// Of which log.
        log: LogId,
        /// What is there already.
        from: Head,
        /// The position that is not passed.
        until: u64,
        /// Bytes of the answer, unless one record is longer.
        max: u32,
    },
    /// How many of these heads, from the first on, are on the other's chain.
    Common {
        /// Of which log.
        log: LogId,
        /// In order of their positions, at most [`COMMON_HEADS_MAX`].
        heads: Vec<Head>,
    },
    /// What the other's checkpoint is made of, and covers.
    Checkpoint,
    /// Lines of one of its files.
    Lines {
        /// Of which file.
        file: SortedFile,
        /// Bytes of it that are there already.
        offset: u64,
        /// Bytes of the answer, unless one line is longer.
        max: u32,
    },
    /// The odd records that it knows of.
    Odd {
        /// The last that is there already: its log, and where it stands there.
        behind: Option<(LogId, u64)>,
        /// Bytes of the answer, unless one entry is longer.
        max: u32,
    },
}

/// What the other answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Records that follow.
    Chunk(Range),
    /// Nothing follows.
    End,
    /// The head is not on my chain.
    Differs,
    /// It cannot be read here.
    Lacks,
    /// So many of the heads are on my chain.
    Common(u32),
    /// I hold that log only from this position on.
    Below(u64),
    /// The text of the checkpoint's manifest.
    Manifest(Vec<u8>),
    /// Whole lines of a file.
    Lines {
        /// Of which file.
        file: SortedFile,
        /// Bytes of it before them.
        offset: u64,
        /// The lines.
        bytes: Vec<u8>,
    },
    /// Odd records, as they are listed; nothing when no more follow.
    Odd(Vec<u8>),
    /// It is held here and cannot be read now: who asks gives up, and learns nothing by it.
    Unreadable,
}

/// The place in the journals is damaged, cannot be read now, or is not held here: it says nothing about
/// forks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable;

/// The durable part of the journals of a home, as whoever answers or compares reads them.
pub trait Logs {
    /// How far a log is durable.
    fn head(&mut self, log: &LogId) -> Option<Head>;
    /// From which position on its records are held: what stood before may be gone.
    fn base(&mut self, log: &LogId) -> u64;
    /// The chain's hash at the end of a record; `None` where no record ends, and before the base.
    ///
    /// # Errors
    /// When the place cannot be read or is damaged.
    fn hash_at(&mut self, log: &LogId, position: u64) -> Result<Option<ChainHash>, Unreadable>;
    /// Whole records of one day behind `from`, at most `max` bytes (but at least one record), none that
    /// passes `until`; checked against the marks. `None` when there are none or they are damaged.
    fn read(&mut self, log: &LogId, from: u64, until: u64, max: usize) -> Option<Range>;
    /// Known heads between two positions, in order, neither of the two among them.
    fn heads(&mut self, log: &LogId, after: u64, before: u64) -> Vec<Head>;
    /// The manifest of the checkpoint; `None` when there is none.
    fn manifest(&mut self) -> Option<Vec<u8>>;
    /// Whole lines of one of its files from `offset` on, at most `max` bytes (but at least one line); `None`
    /// when the file is no longer there.
    fn lines(&mut self, file: SortedFile, offset: u64, max: usize) -> Option<Vec<u8>>;
    /// Whole entries of the list of odd records behind one, at most `max` bytes (but at least one entry).
    ///
    /// # Errors
    /// When it cannot be read: nothing is known of what it holds.
    fn odd(&mut self, behind: Option<&(LogId, u64)>, max: usize) -> Result<Vec<u8>, Unreadable>;
}

/// Answers a question from the journals held here.
pub fn answer(logs: &mut dyn Logs, question: &Question) -> Answer {
    match question {
        Question::Fetch { log, from, until, max } => {
            let Some(head) = logs.head(log) else { return Answer::Lacks };
            if from.position > head.position {
                return Answer::Lacks;
            }
            let base = logs.base(log);
            if from.position < base {
                return Answer::Below(base);
            }
            match logs.hash_at(log, from.position) {
                Err(Unreadable) => return Answer::Lacks,
                Ok(hash) if hash != Some(from.hash) => return Answer::Differs,
                Ok(_) if from.position >= head.position.min(*until) => return Answer::End,
                Ok(_) => {}
            }
            let max = usize::try_from(*max).unwrap_or(CHUNK_BYTES).min(CHUNK_BYTES);
            match logs.read(log, from.position, (*until).min(head.position), max) {
                Some(range) if range.hash_before == from.hash => Answer::Chunk(range),
                Some(_) => Answer::Differs,
                None => Answer::Lacks,
            }
        }
        Question::Common { log, heads } => {
            let (mut common, mut unknown) = (0, false);
            for (count, head) in (1..).zip(heads.iter().take(COMMON_HEADS_MAX)) {
                match logs.hash_at(log, head.position) {
                    Ok(hash) if hash == Some(head.hash) => common = count,
                    Ok(_) => break,
                    // One that is common says that all before it are.
                    Err(Unreadable) => unknown = true,
                }
            }
            let base = logs.base(log);
            match common == 0 && unknown {
                true if heads.iter().any(|head| head.position < base) => Answer::Below(base),
                true => Answer::Lacks,
                false => Answer::Common(common),
            }
        }
        Question::Checkpoint => logs.manifest().map_or(Answer::Lacks, Answer::Manifest),
        Question::Lines { file, offset, max } => {
            let (file, offset) = (*file, *offset);
            let max = usize::try_from(*max).unwrap_or(CHUNK_BYTES).min(CHUNK_BYTES);
            let lines = logs.lines(file, offset, max).filter(|bytes| !bytes.is_empty());
            lines.map_or(Answer::Lacks, |bytes| Answer::Lines { file, offset, bytes })
        }
        Question::Odd { behind, max } => {
            let max = usize::try_from(*max).unwrap_or(CHUNK_BYTES).min(CHUNK_BYTES);
            // Whoever is told that none can be told of goes on without.
            logs.odd(behind.as_ref(), max).map_or(Answer::Unreadable, Answer::Odd)
        }
    }
}

/// What is asked next by one who takes this answer: it can be read while the answer is on its way.
pub fn foreseen(logs: &mut dyn Logs, question: &Question, answer: &Answer) -> Option<Question> {
    let (Question::Fetch { log, until, max, .. }, Answer::Chunk(range)) = (question, answer) else {
        return None;
    };
    let position = range.end_position();
    if position >= *until {
        return None;
    }
    let from = Head { position, hash: logs.hash_at(log, position).ok()?? };
    Some(Question::Fetch { log: log.clone(), from, until: *until, max: *max })
}

impl Question {
    /// Its bytes.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Self::Fetch { log, from, until, max } => {
                out.push(1);
                put_log(&mut out, log);
                put_head(&mut out, *from);
                out.extend_from_slice(&until.to_be_bytes());
                out.extend_from_slice(&max.to_be_bytes());
            }
            Self::Common { log, heads } => {
                out.push(2);
                put_log(&mut out, log);
                heads.iter().for_each(|head| put_head(&mut out, *head));
            }
            Self::Checkpoint => out.push(5),
            Self::Lines { file, offset, max } => {
                out.push(6);
                put_file(&mut out, *file);
                out.extend_from_slice(&offset.to_be_bytes());
                out.extend_from_slice(&max.to_be_bytes());
            }
            Self::Odd { behind, max } => {
                out.push(7);
                out.extend_from_slice(&max.to_be_bytes());
                if let Some((log, position)) = behind {
                    put_log(&mut out, log);
                    out.extend_from_slice(&position.to_be_bytes());
                }
            }
        }
        out
    }

    /// Reads one, whatever its bytes are; `None` when they are none.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let mut cut = Cut(bytes);
        let question = match cut.array()? {
            [1] => Self::Fetch {
                log: cut.log()?,
                from: cut.head()?,
                until: cut.number()?,
                max: u32::from_be_bytes(cut.array()?),
            },
            [2] => {
                let log = cut.log()?;
                let mut heads = Vec::new();
                while !cut.0.is_empty() && heads.len() < COMMON_HEADS_MAX {
                    heads.push(cut.head()?);
                }
                Self::Common { log, heads }
            }
            [5] => Self::Checkpoint,
            [6] => Self::Lines {
                file: cut.file()?,
                offset: cut.number()?,
                max: u32::from_be_bytes(cut.array()?),
            },
            [7] => {
                let max = u32::from_be_bytes(cut.array()?);
                let any = !cut.0.is_empty();
                let behind = if any { Some((cut.log()?, cut.number()?)) } else { None };
                Self::Odd { behind, max }
            }
            _ => return None,
        };
        cut.0.is_empty().then_some(question)
    }
}

impl Answer {
    /// Of the start of a chunk, and how many bytes it has in all: of which log it is, where it begins, and where
    /// it ends. Nothing of what it holds is looked at.
    #[must_use]
    pub fn place(start: &[u8], length: usize) -> Option<(LogId, Head, u64)> {
        let mut cut = Cut(start);
        let (log, from) = if cut.array()? == [1] { Range::place(&mut cut)? } else { return None };
        let bytes = length.checked_sub(start.len() - cut.0.len())?;
        Some((log, from, from.position.saturating_add(bytes as u64)))
    }

    /// Its bytes.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Self::Chunk(range) => {
                out.push(1);
                range.write(&mut out);
            }
            Self::End => out.push(2),
            Self::Differs => out.push(3),
            Self::Lacks => out.push(4),
            Self::Common(count) => {
                out.push(5);
                out.extend_from_slice(&count.to_be_bytes());
            }
            Self::Below(base) => {
                out.push(8);
                out.extend_from_slice(&base.to_be_bytes());
            }
            Self::Manifest(text) => {
                out.push(6);
                out.extend_from_slice(text);
            }
            Self::Lines { file, offset, bytes } => {
                out.push(7);
                put_file(&mut out, *file);
                out.extend_from_slice(&offset.to_be_bytes());
                out.extend_from_slice(bytes);
            }
            Self::Odd(entries) => {
                out.push(9);
                out.extend_from_slice(entries);
            }
            Self::Unreadable => out.push(10),
        }
        out
    }

    /// Reads one, whatever its bytes are; `None` when they are none.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > STREAM_MESSAGE_BYTES_MAX {
            return None;
        }
        let mut cut = Cut(bytes);
        let answer = match cut.array()? {
            [1] => Self::Chunk(Range::read(&mut cut)?),
            [2] => Self::End,
            [3] => Self::Differs,
            [4] => Self::Lacks,
            [5] => Self::Common(u32::from_be_bytes(cut.array()?)),
            [6] => Self::Manifest(cut.rest()),
            [8] => Self::Below(cut.number()?),
            [7] => Self::Lines { file: cut.file()?, offset: cut.number()?, bytes: cut.rest() },
            [9] => Self::Odd(cut.rest()),
            [10] => Self::Unreadable,
            _ => return None,
        };
        cut.0.is_empty().then_some(answer)
    }
}
