//! Known points of a log's hash chain. They prove that the bytes before them were durable once, let a
//! block be checked by itself, and spare a start from hashing everything.

use std::fmt::Write as _;

use cocli_core::digest::hash;
use cocli_core::{ChainHash, Day, Head};

/// Bytes of the shortest line.
const LINE_BYTES_MIN: usize = 55;

/// A point of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    /// The journal of `day` begins here; else the point lies inside or at the end of it.
    pub(crate) begins: bool,
    pub(crate) day: Day,
    pub(crate) head: Head,
    /// Whether it stands in the file of marks.
    pub(crate) saved: bool,
}

impl Mark {
    /// Whether it may be saved when so many bytes of its log are durable. That a day begins says that
    /// its journal has a name, and that is durable with the first of its bytes.
    pub(crate) fn is_durable(&self, durable: u64) -> bool {
        if self.begins { self.head.position < durable } else { self.head.position <= durable }
    }
}

/// The low half of the low half: enough to tell a torn line.
fn sum(line: &str) -> u32 {
    (hash(line.as_bytes()) & 0xffff_ffff) as u32
}

/// Appends the line of a mark.
pub(crate) fn write(mark: &Mark, out: &mut String) {
    let letter = if mark.begins { 'B' } else { 'M' };
    let line = format!("{letter} {} {} {}", mark.day, mark.head.position, mark.head.hash);
    let _ = writeln!(out, "{line} {:08x}", sum(&line));
}

/// Reads all lines that are whole, sorted by position and day. Where two say different things of one
/// point, the later one stands: it was written by somebody who had read the earlier.
pub(crate) fn read(bytes: &[u8]) -> Vec<Mark> {
    let lines = memchr::memchr_iter(b'\n', bytes).chain([bytes.len()]);
    let mut marks = Vec::with_capacity(bytes.len() / LINE_BYTES_MIN);
    let (mut start, mut day) = (0, (&b""[..], None));
    for end in lines {
        marks.extend(read_line(&bytes[start..end], &mut day));
        start = end + 1;
    }
    marks.reverse();
    marks.sort_by_key(|mark| (mark.head.position, mark.day, !mark.begins));
    marks.dedup_by_key(|mark| (mark.head.position, mark.day));
    marks
}

/// Whether a mark is among those that [`read`] gave.
pub(crate) fn stands(marks: &[Mark], mark: &Mark) -> bool {
    let place = |mark: &Mark| (mark.head.position, mark.day);
    let at = marks.binary_search_by_key(&place(mark), place);
    at.is_ok_and(|at| marks[at] == *mark)
}

/// A home of a million companies has fifteen thousand of them, read at each start.
fn read_line<'a>(line: &'a [u8], known: &mut (&'a [u8], Option<Day>)) -> Option<Mark> {
    // From the end: a blank and the sum, before that a blank and the hash. What is not in the spelling
    // that we write has another sum.
    let (body, check) = line.split_at_checked(line.len().checked_sub(9)?)?;
    if sum_of(check)? != (hash(body) & 0xffff_ffff) as u32 {
        return None;
    }
    let (head, chain) = body.split_at_checked(body.len().checked_sub(33)?)?;
    let chain = ChainHash::of_hex(chain.strip_prefix(b" ")?)?;
    let (begins, rest) = match head {
        [b'B', b' ', rest @ ..] => (true, rest),
        [b'M', b' ', rest @ ..] => (false, rest),
        _ => return None,
    };
    let (day, position) = rest.split_at_checked(8)?;
    if day != known.0 {
        // Most lines are of the day of the line before.
        *known = (day, std::str::from_utf8(day).ok().and_then(Day::read));
    }
    let position = number(position.strip_prefix(b" ")?)?;
    Some(Mark { begins, day: known.1?, head: Head { position, hash: chain }, saved: true })
}

/// Decimal digits, at least one.
fn number(text: &[u8]) -> Option<u64> {
    let digit = |sum: u64, b: &u8| {
        let digit = b.checked_sub(b'0').filter(|digit| *digit < 10)?;
        sum.checked_mul(10)?.checked_add(u64::from(digit))
    };
    if text.is_empty() { None } else { text.iter().try_fold(0, digit) }
}

/// A blank and eight lower-case hex digits.
fn sum_of(text: &[u8]) -> Option<u32> {
    text.strip_prefix(b" ")?.iter().try_fold(0_u32, |sum, b| {
        let digit = match b {
            b'0'..=b'9' => b - b'0',
            b'a'..=b'f' => b - b'a' + 10,
            _ => return None,
        };
        Some(sum << 4 | u32::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_line_is_left_out_and_the_rest_stands() {
        let mark = |position, day: &str| Mark {
            begins: position == 0,
            day: Day::read(day).unwrap(),
            head: Head { position, hash: ChainHash([7; 16]) },
            saved: true,
        };
        let all = [mark(0, "20261122"), mark(70_000, "20261122"), mark(140_000, "20261123")];
        let mut text = String::new();
        all.iter().for_each(|mark| write(mark, &mut text));
        assert_eq!(read(text.as_bytes()), all);
        for at in 0..text.len() {
            let mut torn = text.clone().into_bytes();
            torn[at] ^= 1;
            let read = read(&torn);
            assert!(!read.is_empty() && read.iter().all(|mark| all.contains(mark)), "{at}");
            assert!(super::read(&text.as_bytes()[..at]).iter().all(|mark| all.contains(mark)));
        }
    }
}
