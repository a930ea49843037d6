//! Sorted lines from wherever they are: memory, or a piece of a file that is read step by step. Several
//! such sources are merged by always taking the least key, and of equal keys the greatest line.

use std::cmp::Ordering;
use std::io::ErrorKind;

use cocli_core::digest::Hasher;
use cocli_core::usv::{Line, RS};

use crate::disk::Disk;
use crate::error::{Result, StoreError, Tried};
use crate::journal::is_rot;

/// Lines in memory that are touched together, before they are read.
pub(super) const TOGETHER: usize = 16;

/// What stands behind a state line.
pub(super) const END: [u8; 2] = [RS, b'\n'];

/// Sorted lines in a file: a shard, a part of a run, or what was set apart while merging.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) path: String,
    /// Bytes of the file before it.
    pub(crate) offset: u64,
    pub(crate) bytes: u64,
    /// XXH3-128 of them.
    pub(crate) hash: u128,
}

impl Piece {
    pub(super) fn damaged(&self, offset: u64, what: &str) -> StoreError {
        StoreError::Damaged {
            path: self.path.clone(),
            offset: self.offset + offset,
            what: what.to_owned(),
        }
    }

    /// All of it, its hash checked.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when it is gone or has other bytes than it is known by.
    pub(crate) fn read(&self, disk: &dyn Disk) -> Result<Vec<u8>> {
        let bytes = self.read_at(disk, 0, self.bytes)?;
        if cocli_core::digest::hash(&bytes) != self.hash {
            return Err(self.damaged(0, "its bytes are not those that it is named by"));
        }
        Ok(bytes)
    }

    /// Some of its bytes, from `offset` in it on; fewer only at its end.
    pub(crate) fn read_at(&self, disk: &dyn Disk, offset: u64, len: u64) -> Result<Vec<u8>> {
        let len = usize::try_from(len.min(self.bytes.saturating_sub(offset))).unwrap_or(usize::MAX);
        let read = disk.read_at(&self.path, self.offset + offset, len);
        // What is gone, or the medium lost, is damaged like what has other bytes: the journals make it
        // again.
        match read {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Err(self.damaged(offset, "it is gone"))
            }
            Err(error) if is_rot(&error) => Err(self.damaged(offset, "the medium lost it")),
            read => read.tried("read", &self.path),
        }
    }
}

/// Sorted lines, one after the other.
pub(super) enum Source<'a> {
    Memory(Ahead<'a>, Option<Line<'a>>),
    File(Box<FileLines<'a>>),
}

impl<'a> Source<'a> {
    pub(super) fn memory(lines: Vec<Line<'a>>) -> Self {
        let mut lines = Ahead { lines: lines.into_iter(), touched: 0 };
        let first = lines.next();
        Self::Memory(lines, first)
    }

    /// The lines of a piece, read in steps of `step` bytes.
    pub(super) fn file(disk: &'a dyn Disk, piece: Piece, step: usize) -> Result<Self> {
        let mut file = FileLines {
            disk,
            piece,
            step: step.max(1),
            hasher: Hasher::default(),
            read: 0,
            buffer: Vec::new(),
            at: 0,
            line: None,
        };
        file.advance()?;
        Ok(Self::File(Box::new(file)))
    }

    pub(super) fn line(&self) -> Option<Line<'_>> {
        match self {
            Self::Memory(_, line) => *line,
            Self::File(file) => file.line.map(|place| place.of(&file.buffer)),
        }
    }

    pub(super) fn advance(&mut self) -> Result<()> {
        match self {
            Self::Memory(lines, line) => *line = lines.next(),
            Self::File(file) => file.advance()?,
        }
        Ok(())
    }
}

/// Lines whose bytes lie anywhere in the memory.
pub(super) struct Ahead<'a> {
    lines: std::vec::IntoIter<Line<'a>>,
    /// So many of the next ones were touched.
    touched: usize,
}

impl<'a> Iterator for Ahead<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        if self.touched == 0 {
            self.touched = TOGETHER;
            touch(self.lines.as_slice().iter().take(TOGETHER).map(|line| line.bytes));
        }
        self.touched -= 1;
        self.lines.next()
    }
}

/// Loads both ends of each line beside those of the others: who reads them one after the other would wait for
/// each.
pub(super) fn touch<'a>(lines: impl Iterator<Item = &'a [u8]>) {
    let ends = lines.map(|line| match line {
        [first, .., last] => u64::from(first ^ last),
        _ => 0,
    });
    std::hint::black_box(ends.fold(0, u64::wrapping_add));
}

/// A line's places in a buffer.
#[derive(Debug, Clone, Copy)]
struct Place {
    start: usize,
    end: usize,
    names: [u16; 3],
}

impl Place {
    fn of(self, buffer: &[u8]) -> Line<'_> {
        let [target, target_end, field_end] = self.names;
        Line { bytes: &buffer[self.start..self.end], target, target_end, field_end }
    }
}

/// The lines of a piece. Behind the last one its hash is checked: until then they are to be
/// believed only for what is thrown away on an error.
pub(super) struct FileLines<'a> {
    disk: &'a dyn Disk,
    piece: Piece,
    step: usize,
    hasher: Hasher,
    /// Bytes of the piece read so far.
    read: u64,
    buffer: Vec<u8>,
    /// Where the next line begins in the buffer.
    at: usize,
    line: Option<Place>,
}

impl FileLines<'_> {
    fn advance(&mut self) -> Result<()> {
        loop {
            let rest = &self.buffer[self.at..];
            if let Some(len) = memchr::memchr(RS, rest).filter(|len| len + 1 < rest.len()) {
                let line = Line::of(&rest[..len]).filter(|_| rest[len + 1] == END[1]);
                let Some(line) = line else {
                    return Err(self.piece.damaged(self.read, "a line is none"));
                };
                let names = [line.target, line.target_end, line.field_end];
                self.line = Some(Place { start: self.at, end: self.at + len, names });
                self.at += len + END.len();
                return Ok(());
            }
            if self.read == self.piece.bytes {
                return self.end();
            }
            self.fill()?;
        }
    }

    fn fill(&mut self) -> Result<()> {
        let more = self.piece.read_at(self.disk, self.read, self.step as u64)?;
        if more.is_empty() {
            return Err(self.piece.damaged(self.read, "it ends before its end"));
        }
        self.read += more.len() as u64;
        self.hasher.add(&more);
        self.buffer.drain(..self.at);
        self.at = 0;
        if self.buffer.is_empty() {
            self.buffer = more;
        } else {
            self.buffer.extend_from_slice(&more);
        }
        Ok(())
    }

    fn end(&mut self) -> Result<()> {
        self.line = None;
        if self.at < self.buffer.len() || self.hasher.done() != self.piece.hash {
            return Err(self.piece.damaged(0, "its bytes are not those that it is named by"));
        }
        Ok(())
    }
}

/// Hands the winner of each key of all sources to `put`, in order.
pub(super) fn merge(
    mut sources: Vec<Source<'_>>,
    mut put: impl FnMut(&Line<'_>) -> Result<()>,
) -> Result<()> {
    loop {
        sources.retain(|source| source.line().is_some());
        if let [source] = &mut sources[..] {
            while let Some(line) = source.line() {
                put(&line)?;
                source.advance()?;
            }
            return Ok(());
        }
        if sources.is_empty() {
            return Ok(());
        }
        merge_until_one_ends(&mut sources, &mut put)?;
    }
}

/// Merges until a source has no more lines.
fn merge_until_one_ends(
    sources: &mut [Source<'_>],
    put: &mut impl FnMut(&Line<'_>) -> Result<()>,
) -> Result<()> {
    let mut equal = Vec::with_capacity(sources.len());
    loop {
        let mut best: Option<Line<'_>> = None;
        equal.clear();
        for (at, source) in sources.iter().enumerate() {
            let Some(line) = source.line() else { continue };
            match best.map_or(Ordering::Less, |best| line.key().cmp(&best.key())) {
                Ordering::Less => {
                    equal.clear();
                    equal.push(at);
                    best = Some(line);
                }
                Ordering::Equal => {
                    equal.push(at);
                    best = best.filter(|best| best.bytes >= line.bytes).or(Some(line));
                }
                Ordering::Greater => {}
            }
        }
        let Some(line) = best else { return Ok(()) };
        put(&line)?;
        let mut ended = false;
        for at in &equal {
            sources[*at].advance()?;
            ended |= sources[*at].line().is_none();
        }
        if ended {
            return Ok(());
        }
    }
}
