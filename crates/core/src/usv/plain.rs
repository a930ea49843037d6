//! Records that are in canonical form already, found and checked in one pass over whole blocks.
//!
//! Nearly every record of a journal was written by this program: its state line is then the record up
//! to its `#`, byte for byte, and nothing has to be put together. What is in doubt is left to
//! [`super::read_in`]; that both say the same is a property test.

use alloc::vec::Vec;
use core::ops::Range;

use super::{RS, Record};
use crate::digest::{check, text_hash};
use crate::limits::{
    ELEMENT_BYTES_MAX, FIELD_BYTES_MAX, NODE_BYTES_MAX, RECORD_BYTES_MAX, SEGMENT_BYTES_MAX,
    SEGMENTS_MAX, VALUE_BYTES_MAX,
};
use crate::time::Instant;

/// A record whose line stands in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plain<'a> {
    /// The record as it stands, with its RS.
    pub record: Record<'a>,
    /// Its state line: canonical, without the check.
    pub line: Line<'a>,
    /// XXH3-64 of the entity: its lowest byte is the shard.
    pub entity_hash: u64,
    /// XXH3-64 of the target.
    pub target_hash: u64,
}

/// A state line with the places of its names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// All of it, without what stands behind it.
    pub bytes: &'a [u8],
    /// Bytes before the target.
    pub target: u16,
    /// Bytes before the US behind the target; the field begins one later.
    pub target_end: u16,
    /// Bytes before the US behind the field.
    pub field_end: u16,
}

impl<'a> Line<'a> {
    /// Finds the names in a state line; `None` when it cannot be one. Checks no more than that.
    #[must_use]
    #[inline]
    pub fn of(bytes: &'a [u8]) -> Option<Self> {
        // The longest names end well before this.
        let head = &bytes[..bytes.len().min(2048)];
        let mut separators = memchr::memchr_iter(super::US, head);
        let target = u16::try_from(separators.nth(1)? + 1).ok()?;
        let target_end = u16::try_from(separators.next()?).ok()?;
        let field_end = u16::try_from(separators.next()?).ok()?;
        Some(Self { bytes, target, target_end, field_end })
    }

    /// Where the target stands in its bytes.
    #[must_use]
    #[inline]
    pub fn target_range(&self) -> Range<usize> {
        usize::from(self.target)..usize::from(self.target_end)
    }

    /// Where the field stands in its bytes.
    #[must_use]
    #[inline]
    pub fn field_range(&self) -> Range<usize> {
        usize::from(self.target_end) + 1..usize::from(self.field_end)
    }

    /// The target's bytes.
    #[must_use]
    #[inline]
    pub fn target(&self) -> &'a [u8] {
        &self.bytes[self.target_range()]
    }

    /// The field's bytes.
    #[must_use]
    #[inline]
    pub fn field(&self) -> &'a [u8] {
        &self.bytes[self.field_range()]
    }

    /// The value's bytes.
    #[must_use]
    #[inline]
    pub fn value(&self) -> &'a [u8] {
        let behind = &self.bytes[usize::from(self.field_end) + 1..];
        &behind[..memchr::memchr(super::US, behind).unwrap_or(behind.len())]
    }

    /// What lines are sorted by: target, then field.
    #[must_use]
    #[inline]
    pub fn key(&self) -> (&'a [u8], &'a [u8]) {
        (self.target(), self.field())
    }
}

/// What was found in a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found<'a> {
    /// A record in canonical form, whose check fits.
    Plain(Plain<'a>),
    /// Any other.
    Other(Record<'a>),
}

/// Hands every whole record of a block to `take`, in order. Bytes behind the last RS are left out.
pub fn split<'a>(block: &'a [u8], mut take: impl FnMut(Found<'a>)) {
    let index = Index::of(block);
    let readable = block.is_ascii() || core::str::from_utf8(block).is_ok();
    let (mut memo, mut start, mut at) = (Memo::default(), 0, 0);
    let mut special = 0;
    while at < index.separators.len() {
        let fields = index.six(at, block).filter(|_| readable);
        let count = match fields {
            Some(_) => 6,
            None => {
                let mut rest = index.separators[at..].iter();
                match rest.position(|place| block[*place as usize] == RS) {
                    Some(before) => before + 1,
                    None => return,
                }
            }
        };
        let end = index.separators[at + count - 1] as usize;
        let record = Record { at: start, bytes: &block[start..=end] };
        while index.specials.get(special).is_some_and(|word| (*word as usize) < start / WORD) {
            special += 1;
        }
        let clean = index.specials.get(special).is_none_or(|word| *word as usize > end / WORD);
        take(match fields.filter(|_| clean).and_then(|fields| memo.plain(record, fields)) {
            Some(plain) => Found::Plain(plain),
            None => Found::Other(record),
        });
        (start, at) = (end + 1, at + count);
    }
}

/// Bytes looked at in one step.
const WORD: usize = 64;
/// Bytes between two separators, at a guess: most records have six in about 95 bytes.
const APART: usize = 12;

/// Where the separators of a block stand.
struct Index {
    separators: Vec<u32>,
    /// Words (64 bytes each) in which something may keep a record from being plain.
    specials: Vec<u32>,
}

impl Index {
    fn of(block: &[u8]) -> Self {
        let mut index =
            Self { separators: Vec::with_capacity(block.len() / APART + 16), specials: Vec::new() };
        // Places are numbers of 32 bits; what stands behind them is left to the reader of records.
        let block = &block[..block.len().min(u32::MAX as usize)];
        for (word, bytes) in block.chunks(WORD).enumerate() {
            let mut whole = [b' '; WORD];
            let (mut mask, special) = match bytes.first_chunk::<WORD>() {
                Some(bytes) => classes(bytes),
                None => {
                    whole[..bytes.len()].copy_from_slice(bytes);
                    classes(&whole)
                }
            };
            if special {
                index.specials.push(word as u32);
            }
            // Eight at a time, more than there are: cheaper than to guess how often to go round.
            let from = (word * WORD) as u32;
            let mut left = mask.count_ones() as usize;
            while left > 0 {
                let mut places = [0; 8];
                for place in &mut places {
                    *place = from + mask.trailing_zeros();
                    mask &= mask.wrapping_sub(1);
                }
                index.separators.extend_from_slice(&places);
                index.separators.truncate(index.separators.len() - 8_usize.saturating_sub(left));
                left = left.saturating_sub(8);
            }
        }
        index
    }

    /// The next record's separators, if they are five US and an RS.
    fn six(&self, at: usize, block: &[u8]) -> Option<&[u32; 6]> {
        let six = self.separators[at..].first_chunk::<6>()?;
        let byte = |place: usize| block[six[place] as usize];
        // The two differ in the lowest bit only.
        let all = byte(0) & byte(1) & byte(2) & byte(3) & byte(4);
        (all == super::US && byte(5) == RS).then_some(six)
    }
}

/// Where US and RS stand, as a bit each; and whether any byte may keep a value from being plain: a
/// control character, or the first byte of U+0080 to U+009F.
fn classes(word: &[u8; WORD]) -> (u64, bool) {
    let mut separates = [0_u8; WORD];
    let mut special = 0_u8;
    for (mark, b) in separates.iter_mut().zip(word) {
        *mark = u8::from(b | 1 == 0x1f);
        special |= (u8::from(*b < 0x20) ^ *mark) | u8::from(*b == 0x7f) | u8::from(*b == 0xc2);
    }
    let mut mask = 0;
    for (at, eight) in separates.chunks_exact(8).enumerate() {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(eight);
        // Each byte is 0 or 1: the product gathers them in its highest eight bits.
        let bits = u64::from_le_bytes(bytes).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        mask |= bits << (8 * at);
    }
    (mask, special != 0)
}

/// Bytes of `YYYY-MM-DDT`.
const DAY_BYTES: usize = 11;

/// What was found right in the record before: the next one often has it too.
#[derive(Default)]
struct Memo<'a> {
    /// `YYYY-MM-DDT`.
    day: Option<[u8; DAY_BYTES]>,
    node: &'a [u8],
}

impl<'a> Memo<'a> {
    /// A record whose separators stand in these places of its block.
    #[inline]
    fn plain(&mut self, record: Record<'a>, places: &[u32; 6]) -> Option<Plain<'a>> {
        let end = |field: usize| places[field] as usize - record.at;
        let (time_end, node_end, target_end) = (end(0), end(1), end(2));
        let (field_end, value_end) = (end(3), end(4));
        let bytes = record.bytes;
        let hash_at = bytes.len().checked_sub(10).filter(|at| *at > value_end)?;
        let line = &bytes[..hash_at];
        let node = &bytes[time_end + 1..node_end];
        let target = &bytes[node_end + 1..target_end];
        let field = &bytes[target_end + 1..field_end];
        let value = &bytes[field_end + 1..value_end];
        let fits = bytes.len() <= RECORD_BYTES_MAX
            && self.is_time(&bytes[..time_end])
            && self.is_node(node)
            && is_field(field)
            && value.len() <= VALUE_BYTES_MAX
            && !matches!(value.first(), Some(b'"' | b'[' | b'{'))
            && self.is_causality(&line[value_end + 1..])
            && bytes[hash_at] == b'#'
            && hex(&bytes[hash_at + 1..hash_at + 9]) == Some(check(line));
        let entity_end = if fits { entity_end(target)? } else { return None };
        let line = Line {
            bytes: line,
            target: u16::try_from(node_end + 1).ok()?,
            target_end: u16::try_from(target_end).ok()?,
            field_end: u16::try_from(field_end).ok()?,
        };
        let entity_hash = text_hash(&target[..entity_end]);
        let target_hash = if entity_end == target.len() { entity_hash } else { text_hash(target) };
        Some(Plain { record, line, entity_hash, target_hash })
    }

    /// `YYYY-MM-DDThh:mm:ss.ffffff+00:00`, and such a moment there is.
    fn is_time(&mut self, text: &'a [u8]) -> bool {
        let Some((day, time)) = text.split_first_chunk().filter(|_| text.len() == 32) else {
            return false;
        };
        let [
            h1,
            h2,
            b':',
            m1,
            m2,
            b':',
            s1,
            s2,
            b'.',
            fraction @ ..,
            b'+',
            b'0',
            b'0',
            b':',
            b'0',
            b'0',
        ] = time
        else {
            return false;
        };
        let below = |ten: u8, one: u8, limit: u8| {
            ten.is_ascii_digit() && one.is_ascii_digit() && (ten - b'0') * 10 + one - b'0' < limit
        };
        let fits = below(*h1, *h2, 24)
            && below(*m1, *m2, 60)
            && below(*s1, *s2, 60)
            && fraction.iter().all(u8::is_ascii_digit);
        if !fits || self.day == Some(*day) {
            return fits;
        }
        let known = core::str::from_utf8(text).ok().and_then(Instant::read).is_some();
        if known {
            self.day = Some(*day);
        }
        known
    }

    fn is_node(&mut self, text: &'a [u8]) -> bool {
        if text == self.node && !text.is_empty() {
            return true;
        }
        let fits = (1..=NODE_BYTES_MAX + 1).contains(&text.len()) && all(text, NODE);
        if fits {
            self.node = text;
        }
        fits
    }

    fn is_causality(&mut self, text: &'a [u8]) -> bool {
        matches!(text, b"" | b"-")
            || text.split(|b| *b == b',').all(|stamp| match stamp.split_at_checked(32) {
                Some((time, [b'@', node @ ..])) => self.is_time(time) && self.is_node(node),
                _ => false,
            })
    }
}

/// Where the entity of a target ends; `None` when it is none.
fn entity_end(target: &[u8]) -> Option<usize> {
    let slug = target.strip_prefix(b"companies/").or_else(|| target.strip_prefix(b"people/"));
    let class = if slug.is_some() { LOWER_SEGMENT } else { SEGMENT };
    if slug.is_some_and(|slug| is_segment(slug, class)) {
        return Some(target.len());
    }
    let (mut segments, mut end, mut start) = (0, 0, 0);
    for segment in target.split(|b| *b == b'/') {
        if !is_segment(segment, class) {
            return None;
        }
        segments += 1;
        start += segment.len() + 1;
        if segments <= 2 {
            end = start - 1;
        }
    }
    (2..=SEGMENTS_MAX).contains(&segments).then_some(end)
}

fn is_segment(text: &[u8], class: u8) -> bool {
    (1..=SEGMENT_BYTES_MAX).contains(&text.len())
        && CLASSES[usize::from(text[0])] & FIRST != 0
        && all(text, class)
}

/// A plain name, or that, `.` and an element in which nothing is encoded.
fn is_field(text: &[u8]) -> bool {
    let is_name = |name: &[u8]| {
        (1..=FIELD_BYTES_MAX).contains(&name.len()) && !name[0].is_ascii_digit() && all(name, NAME)
    };
    is_name(text)
        || memchr::memchr(b'.', text).is_some_and(|dot| {
            let element = &text[dot + 1..];
            let fits = (1..=ELEMENT_BYTES_MAX).contains(&element.len()) && all(element, ELEMENT);
            fits && is_name(&text[..dot])
        })
}

/// Eight lower-case hex digits; `None` for anything else.
fn hex(text: &[u8]) -> Option<u32> {
    let (mut sum, mut wrong) = (0, 0);
    for b in text {
        let digit = DIGITS[usize::from(*b)];
        wrong |= digit & NO_DIGIT;
        sum = sum << 4 | u32::from(digit & 15);
    }
    (wrong == 0).then_some(sum)
}

const NO_DIGIT: u8 = 0x80;

/// What a byte is as a lower-case hex digit.
const DIGITS: [u8; 256] = {
    let mut digits = [NO_DIGIT; 256];
    let mut at = 0;
    while at < 16 {
        digits[b"0123456789abcdef"[at] as usize] = at as u8;
        at += 1;
    }
    digits
};

fn all(text: &[u8], class: u8) -> bool {
    text.iter().fold(class, |left, b| left & CLASSES[usize::from(*b)]) != 0
}

const NODE: u8 = 1;
const SEGMENT: u8 = 2;
const LOWER_SEGMENT: u8 = 4;
const NAME: u8 = 8;
const ELEMENT: u8 = 16;
const FIRST: u8 = 32;

/// Which names a byte may stand in.
const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut at = 0;
    while at < 128 {
        let b = at as u8;
        if b.is_ascii_alphanumeric() {
            classes[at] = NODE | SEGMENT | LOWER_SEGMENT | NAME | ELEMENT | FIRST;
        }
        if b.is_ascii_uppercase() {
            classes[at] &= !LOWER_SEGMENT;
        }
        classes[at] |= match b {
            b'_' => NODE | SEGMENT | LOWER_SEGMENT | NAME | ELEMENT,
            b'-' => NODE | SEGMENT | LOWER_SEGMENT | ELEMENT,
            b'.' => NODE | SEGMENT | LOWER_SEGMENT,
            b'+' | b'@' => SEGMENT | LOWER_SEGMENT | ELEMENT,
            _ => 0,
        };
        at += 1;
    }
    classes
};
