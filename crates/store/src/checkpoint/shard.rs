//! Looking into sorted lines: base shards, and the parts of runs.

use std::collections::BTreeMap;

use cocli_core::usv::{self, Line, RS, US};
use cocli_core::{Datagram, Entity, Entry, Field, Target};

use super::source::{END, Piece};
use crate::disk::Disk;
use crate::error::{Result, StoreError};

/// Up to this size a piece is read as a whole, and its hash checked, even for one target.
const WHOLE_BYTES_MAX: u64 = 1024 * 1024;
/// The same where many lines are looked for.
const WHOLE_BYTES_MANY_MAX: u64 = 8 * 1024 * 1024;
/// Bytes looked at in one step of the search.
const STEP_BYTES: u64 = 4096;

/// The lines of a piece, without what stands behind them.
pub(crate) fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|b| *b == RS).filter_map(|line| {
        let line = line.strip_prefix(b"\n").unwrap_or(line);
        (!line.is_empty()).then_some(line)
    })
}

/// Target and field of a line, as bytes: what the file is sorted by.
fn key(line: &[u8]) -> (&[u8], &[u8]) {
    let mut ends = memchr::memchr_iter(US, line).skip(1);
    let (Some(before), Some(between)) = (ends.next(), ends.next()) else {
        // No line that we write.
        let mut fields = line.split(|b| *b == US).skip(2);
        return (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
    };
    let field = &line[between + 1..ends.next().unwrap_or(line.len())];
    (&line[before + 1..between], field)
}

/// What a piece holds of the target and, if asked, of all below it: by one read where it is small,
/// else by a search that reads a few blocks.
pub(crate) fn lookup(
    disk: &dyn Disk,
    piece: &Piece,
    target: &str,
    below: bool,
    found: &mut BTreeMap<Target, Entity>,
) -> Result<()> {
    let wanted = [target.to_owned(), format!("{target}/")];
    let is_wanted = |name: &[u8]| {
        name == wanted[0].as_bytes() || (below && name.starts_with(wanted[1].as_bytes()))
    };
    // The target itself and what is below it stand apart: `a-b` sorts between `a` and `a/c`.
    let starts = if below { &wanted[..] } else { &wanted[..1] };
    if piece.bytes <= WHOLE_BYTES_MAX {
        let bytes = piece.read(disk)?;
        for start in starts {
            let at = first_not_before(&bytes, (start.as_bytes(), b""));
            for line in lines(&bytes[at..]).take_while(|line| is_wanted(key(line).0)) {
                add_line(line, found, &piece.path)?;
            }
        }
        return Ok(());
    }
    let file = Searched { disk, piece };
    for start in starts {
        let mut at = file.first_not_before(start.as_bytes())?;
        while let Some((line, next)) = file.line_at(at)? {
            if !is_wanted(key(&line).0) {
                break;
            }
            add_line(&line, found, &piece.path)?;
            at = next;
        }
    }
    Ok(())
}

/// Looks for the lines of a piece that have the keys of `wanted`, which is sorted; `take` gets the place
/// there of each that it has.
pub(super) fn find_each(
    disk: &dyn Disk,
    piece: &Piece,
    wanted: &[Line<'_>],
    mut take: impl FnMut(usize, &[u8]),
) -> Result<()> {
    if piece.bytes <= WHOLE_BYTES_MANY_MAX {
        let bytes = piece.read(disk)?;
        let mut from = 0;
        for (at, line) in wanted.iter().enumerate() {
            from += first_not_before(&bytes[from..], line.key());
            let found = line_of(&bytes[from..]);
            if !found.is_empty() && key(found) == line.key() {
                take(at, found);
            }
        }
        return Ok(());
    }
    let file = Searched { disk, piece };
    let mut target: &[u8] = b"";
    let mut at = 0;
    for (place, line) in wanted.iter().enumerate() {
        if line.target() != target {
            target = line.target();
            at = file.first_not_before(target)?;
        }
        while let Some((found, next)) = file.line_at(at)? {
            if key(&found) >= line.key() {
                if key(&found) == line.key() {
                    take(place, &found);
                }
                break;
            }
            at = next;
        }
    }
    Ok(())
}

/// The line that bytes begin with.
fn line_of(bytes: &[u8]) -> &[u8] {
    &bytes[..memchr::memchr(RS, bytes).unwrap_or(bytes.len())]
}

/// Where the lines of a target begin, or would.
pub(crate) fn first_of(bytes: &[u8], target: &[u8]) -> usize {
    first_not_before(bytes, (target, b""))
}

/// Where the first line begins whose key is not before `wanted`.
fn first_not_before(bytes: &[u8], wanted: (&[u8], &[u8])) -> usize {
    let (mut low, mut high) = (0, bytes.len());
    while low < high {
        let middle = low + (high - low) / 2;
        // An end that begins right before the middle belongs to the line before.
        let behind = |at: usize| at + low + END.len();
        let mut starts = memchr::memrchr_iter(RS, &bytes[low..middle]).map(behind);
        let start = starts.find(|start| *start <= middle).unwrap_or(low);
        let line = line_of(&bytes[start..]);
        if key(line) < wanted {
            low = (start + line.len() + END.len()).min(bytes.len());
        } else {
            high = start;
        }
    }
    low
}

/// What a line of a file says.
pub(crate) fn read_line(line: &[u8], path: &str) -> Result<Datagram> {
    usv::read_line(line).map_err(|odd| StoreError::Damaged {
        path: path.to_owned(),
        offset: 0,
        what: odd.to_string(),
    })
}

/// As [`read_line`], of a line whose target is known already.
pub(crate) fn read_entry(line: &[u8], path: &str) -> Result<(Field, Entry)> {
    usv::read_entry(line).map_err(|odd| StoreError::Damaged {
        path: path.to_owned(),
        offset: 0,
        what: odd.to_string(),
    })
}

pub(crate) fn add_line(
    line: &[u8],
    found: &mut BTreeMap<Target, Entity>,
    path: &str,
) -> Result<()> {
    let datagram = read_line(line, path)?;
    found.entry(datagram.target).or_default().merge(datagram.field, datagram.entry);
    Ok(())
}

/// A piece that is searched and not read.
struct Searched<'a> {
    disk: &'a dyn Disk,
    piece: &'a Piece,
}

impl Searched<'_> {
    fn read(&self, at: u64, len: u64) -> Result<Vec<u8>> {
        self.piece.read_at(self.disk, at, len)
    }

    /// The line that begins at `at`, and where the next one does.
    fn line_at(&self, at: u64) -> Result<Option<(Vec<u8>, u64)>> {
        if at >= self.piece.bytes {
            return Ok(None);
        }
        let mut want = STEP_BYTES;
        loop {
            let bytes = self.read(at, want)?;
            if let Some(end) = memchr::memmem::find(&bytes, &END) {
                return Ok(Some((bytes[..end].to_vec(), at + (end + END.len()) as u64)));
            }
            if (bytes.len() as u64) < want {
                return Ok(None);
            }
            want *= 4;
        }
    }

    /// Where the first line that begins at or behind `at` begins.
    fn begin_behind(&self, at: u64) -> Result<u64> {
        if at == 0 {
            return Ok(0);
        }
        let (mut from, mut want) = (at - END.len() as u64, STEP_BYTES);
        loop {
            let bytes = self.read(from, want)?;
            if let Some(end) = memchr::memmem::find(&bytes, &END) {
                return Ok(from + (end + END.len()) as u64);
            }
            if (bytes.len() as u64) < want {
                return Ok(self.piece.bytes);
            }
            from += (bytes.len() - 1) as u64;
            want *= 4;
        }
    }

    /// Where the first line stands whose target is not before `target`.
    fn first_not_before(&self, target: &[u8]) -> Result<u64> {
        let (mut low, mut high) = (0, self.piece.bytes);
        while low < high {
            let middle = low + (high - low) / 2;
            let begin = self.begin_behind(middle.max(END.len() as u64))?;
            let begin = if middle < END.len() as u64 { 0 } else { begin };
            let before = match self.line_at(begin)? {
                Some((line, next)) if begin < high => {
                    key(&line).0 < target && {
                        low = next;
                        true
                    }
                }
                _ => false,
            };
            if !before {
                high = middle;
            }
        }
        self.begin_behind_exact(low)
    }

    fn begin_behind_exact(&self, at: u64) -> Result<u64> {
        if at < END.len() as u64 { Ok(0) } else { self.begin_behind(at) }
    }
}
