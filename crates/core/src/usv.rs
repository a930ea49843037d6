//! Bytes to datagram and back: with `plain`, the only file that knows the separators of records.
//!
//! `timestamp US node US target US field US value US causality#check RS`, as docs/formats.md tells.

mod plain;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

pub use plain::{Found, Line, Plain, split};

use crate::datagram::{Causality, Datagram};
use crate::digest::check;
use crate::limits::RECORD_BYTES_MAX;
use crate::merge::Entry;
use crate::name::{Field, NameError, NodeId, Target};
use crate::stamp::Stamp;
use crate::time::Instant;
use crate::value::{TooLong, Value};

/// Between fields.
pub const US: u8 = 0x1f;
/// Behind a record.
pub const RS: u8 = 0x1e;

/// Fields of the longest known form.
const FIELDS_MAX: usize = 8;
/// Bytes of a timestamp as we write it.
const TIMESTAMP_BYTES: usize = 32;

/// Why a record breaks a rule. It is kept and counted, not merged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Odd {
    /// Longer than [`RECORD_BYTES_MAX`].
    #[error("the record has {0} bytes: expected at most {RECORD_BYTES_MAX}")]
    TooLong(usize),
    /// Not UTF-8 from this byte of the record on.
    #[error("the record is not UTF-8 from its byte {0} on")]
    NotUtf8(usize),
    /// Not 5 to 8 fields, or seven of no known order.
    #[error("the record has {0} fields: expected 5 to 8 in a known order")]
    Fields(usize),
    /// No timestamp, or outside 1970 to 9000.
    #[error("the timestamp {0:?} is none: expected ISO-8601 with `Z` or an offset, 1970 to 9000")]
    Timestamp(String),
    /// A name outside its grammar.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A value over the ceiling.
    #[error(transparent)]
    Value(#[from] TooLong),
    /// A causality outside its grammar.
    #[error("the causality {0:?} is none: expected nothing, `-` or `timestamp@node`")]
    Causality(String),
    /// In an expiring log, of a target that stays.
    #[error("{0} stands in an expiring log: expected `nodes/*` or `campaigns/*/queues/*`")]
    Stays(String),
    /// The check does not fit the record: it was damaged.
    #[error("the record does not fit its check: it was damaged")]
    Check,
}

/// A record within a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Bytes of the block before it.
    pub at: usize,
    /// The record with its RS, and with the white space that some writers put before it.
    pub bytes: &'a [u8],
}

/// The whole records of a block, in order. Bytes behind the last RS are not a record.
pub fn records(block: &[u8]) -> impl Iterator<Item = Record<'_>> {
    let mut at = 0;
    memchr::memchr_iter(RS, block).map(move |end| {
        let record = Record { at, bytes: &block[at..=end] };
        at = end + 1;
        record
    })
}

/// The bytes of the block's whole records: where a torn block is to be cut.
#[must_use]
pub fn whole(block: &[u8]) -> usize {
    memchr::memrchr(RS, block).map_or(0, |end| end + 1)
}

/// Reads one record, with or without its RS, in any of the known forms, into canonical form.
///
/// # Errors
/// When the record breaks a rule; see [`Odd`]. A causality without a check is damage: who says the
/// one writes the other.
pub fn read(record: &[u8]) -> Result<Datagram, Odd> {
    parse(record, true)
}

/// Reads a state line, as [`line_of`] wrote it: without a check.
///
/// # Errors
/// As [`read`], but for the check.
pub fn read_line(line: &[u8]) -> Result<Datagram, Odd> {
    parse(line, false)
}

/// As [`read_line`], of a line whose target is known already.
///
/// # Errors
/// As `read_line`.
pub fn read_entry(line: &[u8]) -> Result<(Field, Entry), Odd> {
    Told::split(line, false)?.entry()
}

fn parse(record: &[u8], checked: bool) -> Result<Datagram, Odd> {
    let told = Told::split(record, checked)?;
    let target = Target::read(told.target)?;
    let (field, entry) = told.entry()?;
    Ok(Datagram { target, field, entry })
}

/// The fields of a record, of which only some were looked at.
struct Told<'a> {
    instant: Instant,
    node: &'a str,
    target: &'a str,
    field: &'a str,
    value: &'a str,
    causality: Causality,
}

impl<'a> Told<'a> {
    fn split(record: &'a [u8], checked: bool) -> Result<Self, Odd> {
        if record.len() > RECORD_BYTES_MAX {
            return Err(Odd::TooLong(record.len()));
        }
        let record = record.strip_suffix(&[RS]).unwrap_or(record).trim_ascii_start();
        let text = core::str::from_utf8(record).map_err(|e| Odd::NotUtf8(e.valid_up_to()))?;
        let mut fields = [""; FIELDS_MAX + 1];
        let (mut count, mut from) = (0, 0);
        let ends = memchr::memchr_iter(US, record).chain([record.len()]);
        for (place, end) in fields.iter_mut().zip(ends) {
            *place = &text[from..end];
            (count, from) = (count + 1, end + 1);
        }
        let [timestamp, node, target, field, value, causality] = ours(&fields[..count])?;
        let causality = causality_of(text, causality, checked)?;
        let instant = Instant::read(timestamp).ok_or_else(|| Odd::Timestamp(cut(timestamp)))?;
        Ok(Self { instant, node, target, field, value, causality })
    }

    fn entry(self) -> Result<(Field, Entry), Odd> {
        let field = Field::read(self.field)?;
        let stamp = Stamp { instant: self.instant, node: NodeId::read(self.node)? };
        let value = Value::read(self.value).bounded()?;
        Ok((field, Entry { stamp, value, causality: self.causality }))
    }
}

/// Reads a record where it stands in a block, which has to hold what follows on the record: see
/// [`read_before`].
///
/// # Errors
/// As [`read`].
pub fn read_in(block: &[u8], record: Record<'_>) -> Result<Datagram, Odd> {
    read_before(record.bytes, &block[record.at + record.bytes.len()..])
}

/// Reads a record that stands before `behind`: the bytes up to the next RS, or to the end of the
/// journal, or more. To give fewer, as a block ends there, is to read damage as a value.
///
/// A flipped bit can turn a byte of a record of ours into an RS. What stands before it may then be a
/// well-formed record without a check, with a wrong value or without its causality; what stands behind
/// it is a rest that ends in a check. So a record without a check that has such a rest behind it is
/// damaged.
///
/// # Errors
/// As [`read`].
pub fn read_before(record: &[u8], behind: &[u8]) -> Result<Datagram, Odd> {
    let datagram = read(record)?;
    if !is_checked(record) {
        let rest = &behind[..memchr::memchr(RS, behind).unwrap_or(behind.len())];
        // The rest may begin in the middle of a character.
        if is_checked(rest) && memchr::memchr_iter(US, rest).count() < 4 {
            return Err(Odd::Check);
        }
    }
    Ok(datagram)
}

/// Whether a record that [`read`] takes says by a check of its own that its bytes are whole.
#[must_use]
pub fn is_checked(record: &[u8]) -> bool {
    let record = record.strip_suffix(&[RS]).unwrap_or(record);
    let tail = record.get(record.len().saturating_sub(9)..).unwrap_or_default();
    core::str::from_utf8(tail).is_ok_and(ends_in_check)
}

/// The whole record at the end of an odd one: where an RS became another byte, two records stand as
/// one, and the second is still sound. Gives the bytes before it, too.
#[must_use]
pub fn rescue(record: &[u8]) -> Option<(usize, Datagram)> {
    let mut separators = memchr::memrchr_iter(US, record);
    let start = separators.nth(4)?.checked_sub(TIMESTAMP_BYTES)?;
    let rest = &record[start..];
    let sound = separators.next().is_some() && is_checked(rest);
    sound.then(|| read(rest).ok()).flatten().map(|datagram| (start, datagram))
}

/// The six fields of ours, whichever form they came in.
fn ours<'a>(fields: &[&'a str]) -> Result<[&'a str; 6], Odd> {
    match *fields {
        // With a check at its end it is one of ours, damaged: it lost a separator.
        [_, _, _, _, value] if ends_in_check(value) => Err(Odd::Check),
        [time, node, target, field, value] => Ok([time, node, target, field, value, ""]),
        [time, node, target, field, value, causality] => {
            Ok([time, node, target, field, value, causality])
        }
        // Seven fields are campaign, target, ... of a later writer, or a value that holds a US of
        // an earlier one: then the third is a target and the fourth none.
        [time, node, _campaign, target, field, value, causality] if target.contains('/') => {
            Ok([time, node, target, field, value, causality])
        }
        [time, node, _campaign, _environment, target, field, value, causality]
            if target.contains('/') =>
        {
            Ok([time, node, target, field, value, causality])
        }
        _ => Err(Odd::Fields(fields.len())),
    }
}

fn ends_in_check(text: &str) -> bool {
    text.rsplit_once('#').is_some_and(|(_, sum)| {
        sum.len() == 8 && sum.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'a'..=b'f'))
    })
}

fn causality_of(record: &str, text: &str, checked: bool) -> Result<Causality, Odd> {
    let (text, sum) = match text.rsplit_once('#') {
        Some((text, sum)) => (text, Some(sum)),
        None => (text, None),
    };
    if sum.is_none() && checked && !text.is_empty() {
        return Err(if Causality::read(text).is_some() {
            Odd::Check
        } else {
            Odd::Causality(cut(text))
        });
    }
    if let Some(sum) = sum {
        let body = record.len() - sum.len() - 1;
        let expected = (sum.len() == 8).then(|| u32::from_str_radix(sum, 16).ok()).flatten();
        let lower = !sum.bytes().any(|b| b.is_ascii_uppercase() || b == b'+');
        if !lower || expected != Some(check(&record.as_bytes()[..body])) {
            return Err(Odd::Check);
        }
    }
    Causality::read(text).ok_or_else(|| Odd::Causality(cut(text)))
}

fn cut(text: &str) -> String {
    text.chars().take(80).collect()
}

/// Appends the record of a datagram, in canonical form, with its check and RS.
pub fn write(datagram: &Datagram, out: &mut Vec<u8>) {
    let mut text = line(datagram);
    let sum = check(text.as_bytes());
    let _ = write!(text, "#{sum:08x}");
    out.extend_from_slice(text.as_bytes());
    out.push(RS);
}

/// A state line: the canonical record without check and separators behind it. The files of the
/// checkpoint have a hash of their own.
#[must_use]
pub fn line(datagram: &Datagram) -> String {
    line_of(&datagram.target, &datagram.field, &datagram.entry)
}

/// The state line of an entry at its place.
#[must_use]
pub fn line_of(target: &Target, field: &Field, entry: &Entry) -> String {
    const BETWEEN: char = US as char;
    let (value, causality) = (entry.value.as_str(), entry.causality.as_str());
    let mut text = String::with_capacity(
        120 + target.as_str().len() + field.as_str().len() + value.len() + causality.len(),
    );
    crate::time::push(&mut text, entry.stamp.instant);
    for part in [entry.stamp.node.as_str(), target.as_str(), field.as_str(), value, causality] {
        text.push(BETWEEN);
        text.push_str(part);
    }
    text
}
