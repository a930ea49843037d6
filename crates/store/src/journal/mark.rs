//! Known points of a log's hash chain. They prove that the bytes before them were durable once, let a
//! block be checked by itself, and spare a start from hashing everything.

use std::fmt::Write as _;

use cocli_core::digest::hash;
use cocli_core::{ChainHash, Day, Head};

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
    let mut marks: Vec<Mark> = bytes.split(|b| *b == b'\n').filter_map(read_line).collect();
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
fn read_line(line: &[u8]) -> Option<Mark> {
    // From the end: a blank and the sum, before that a blank and the hash.
    let (body, check) = line.split_at_checked(line.len().checked_sub(9)?)?;
    let check = u32::from_str_radix(lower_hex(check.strip_prefix(b" ")?)?, 16).ok()?;
    if check != (hash(body) & 0xffff_ffff) as u32 {
        return None;
    }
    let (head, chain) = body.split_at_checked(body.len().checked_sub(33)?)?;
    let chain = ChainHash::read(lower_hex(chain.strip_prefix(b" ")?)?)?;
    let (begins, rest) = match head {
        [b'B', b' ', rest @ ..] => (true, rest),
        [b'M', b' ', rest @ ..] => (false, rest),
        _ => return None,
    };
    let (day, position) = std::str::from_utf8(rest).ok()?.split_at_checked(8)?;
    let position = position.strip_prefix(' ')?.parse().ok()?;
    let head = Head { position, hash: chain };
    Some(Mark { begins, day: Day::read(day)?, head, saved: true })
}

/// Text of lower-case hex digits, and of nothing else.
fn lower_hex(text: &[u8]) -> Option<&str> {
    let fits = text.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    std::str::from_utf8(text).ok().filter(|_| fits)
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
