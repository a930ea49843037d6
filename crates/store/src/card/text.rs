//! A card as it stands in its file: fences, keys with their lines, body.

use std::collections::BTreeMap;
use std::ops::Range;

use cocli_core::{Field, Kind, Value};

use super::fault::{CardError, CardFault};
use super::normal::{normal, visible};
use super::rev::Rev;
use super::yaml::{self, Form, Front, Pair};
use super::{CARD_BYTES_MAX, body};

/// The key that names what the file was made from.
pub(super) const REV: &str = "_rev";

/// A card that was read. It remembers every byte, so that an edit replaces no more than it must.
#[derive(Debug, Clone)]
pub struct CardText {
    pub(super) text: String,
    /// The bytes between the fences.
    pub(super) front: Range<usize>,
    /// The bytes behind the closing fence's line.
    pub(super) rest: Range<usize>,
    pub(super) crlf: bool,
    pub(super) entries: Vec<Entry>,
    by_field: BTreeMap<Field, usize>,
    rev: Option<Rev>,
}

/// A key with its value. Ranges are bytes of the file.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    /// `None` when no field can have this name.
    pub(super) field: Option<Field>,
    pub(super) line: usize,
    pub(super) value: Value,
    pub(super) key_at: Range<usize>,
    pub(super) at: Range<usize>,
    pub(super) form: Form,
    /// Its lines, with their line breaks and without blank lines behind a block scalar.
    pub(super) lines: Range<usize>,
    /// Where another key can stand behind it.
    pub(super) after: usize,
}

impl Entry {
    /// The field that is read from it.
    pub(super) fn field(&self) -> Option<&Field> {
        self.field.as_ref().filter(|field| visible(field))
    }
}

/// A key that stands in the file and is not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassedOver {
    /// Line of the file, from 1.
    pub line: usize,
    /// The key.
    pub key: String,
}

/// Reads a card.
///
/// # Errors
/// When it breaks a rule of `docs/cards.md`; the file is to be left alone then.
pub fn parse(bytes: &[u8]) -> Result<CardText, CardError> {
    if bytes.len() > CARD_BYTES_MAX {
        return Err(CardFault::TooLarge(bytes.len()).at(1, 1));
    }
    let text = str::from_utf8(bytes).map_err(|error| not_utf8(bytes, error.valid_up_to()))?;
    let (front, rest, crlf) = fences(text)?;
    let Front { pairs, flow } = yaml::read(&text[front.clone()])?;
    let lines =
        |pair: &Pair| if flow { Lines::none(&front) } else { Lines::of(text, &front, pair) };
    let entries = pairs.into_iter().map(|pair| entry(&front, lines(&pair), pair));
    let entries = entries.collect::<Result<Vec<_>, _>>()?;
    let rev = entries.iter().find(|entry| entry.key == REV);
    let rev = rev.and_then(|entry| Rev::read(&entry.value.shown()));
    if let Some(body) = body::read(&text[rest.clone()]) {
        bounded(body, "the body", 1, 1)?;
    }
    let place = |(at, entry): (usize, &Entry)| Some((entry.field.clone()?, at));
    let by_field = entries.iter().enumerate().filter_map(place).collect();
    Ok(CardText { text: text.to_owned(), front, rest, crlf, entries, by_field, rev })
}

/// Reads the card of a kind. A note or meeting may be plain text, as people begin one: then all of it is the body.
///
/// # Errors
/// As [`parse`].
pub fn parse_as(kind: Kind, bytes: &[u8]) -> Result<CardText, CardError> {
    let is_text = str::from_utf8(bytes).is_ok_and(|text| {
        let start = text.trim_start_matches('\u{feff}');
        !is_fence(&start[..line_end(start, 0)])
    });
    if !kind.is_convo() || !is_text {
        return parse(bytes);
    }
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    parse(&[&b"---\n---\n\n"[..], bytes].concat())
}

impl CardText {
    /// The whole file.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// What the file says it was made from.
    #[must_use]
    pub fn rev(&self) -> Option<Rev> {
        self.rev
    }

    /// The fields that the card shows, in normal form; the body is one of them.
    #[must_use]
    pub fn fields(&self, kind: Kind) -> BTreeMap<Field, Value> {
        let mut fields: BTreeMap<Field, Value> = self
            .entries
            .iter()
            .filter_map(|entry| {
                let field = entry.field()?;
                Some((field.clone(), normal(kind, field, &entry.value)?))
            })
            .collect();
        if let Ok(field) = Field::read(kind.body())
            && let Some(body) = self.body()
        {
            fields.entry(field).or_insert(body);
        }
        fields
    }

    /// Whether the file has the field's key, be it without a value.
    #[must_use]
    pub fn has_key(&self, field: &Field) -> bool {
        self.entry(field).is_some()
    }

    /// Text under the front matter that is not read, because the front matter has the body's field.
    #[must_use]
    pub fn shadowed(&self, kind: Kind) -> Option<Value> {
        let field = Field::read(kind.body()).ok()?;
        normal(kind, &field, &self.entry(&field)?.value)?;
        self.body()
    }

    /// Keys that no field can have, and those of the program's own that a person wrote.
    #[must_use]
    pub fn passed_over(&self) -> Vec<PassedOver> {
        let read = |entry: &&Entry| entry.key == REV || entry.field().is_some();
        let over = self.entries.iter().filter(|entry| !read(entry));
        over.map(|entry| PassedOver { line: entry.line, key: entry.key.clone() }).collect()
    }

    pub(super) fn entry(&self, field: &Field) -> Option<&Entry> {
        self.by_field.get(field).and_then(|at| self.entries.get(*at))
    }

    pub(super) fn body(&self) -> Option<Value> {
        body::read(&self.text[self.rest.clone()])
    }
}

/// The ranges between and behind the first two fences, and whether lines end in CRLF.
fn fences(text: &str) -> Result<(Range<usize>, Range<usize>, bool), CardError> {
    let start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let first = line_end(text, start);
    if !is_fence(&text[start..first]) {
        return Err(CardFault::NoFrontMatter.at(1, 1));
    }
    let crlf = text[start..first].ends_with("\r\n");
    let (mut at, mut lines) = (first, 1);
    while at < text.len() {
        lines += 1;
        let end = line_end(text, at);
        if is_fence(&text[at..end]) {
            return Ok((first..at, end..text.len(), crlf));
        }
        at = end;
    }
    Err(CardFault::Unterminated.at(lines, 1))
}

/// The end of the line that `at` stands in, its line break included.
pub(super) fn line_end(text: &str, at: usize) -> usize {
    let rest = text.as_bytes().get(at..).unwrap_or_default();
    memchr::memchr(b'\n', rest).map_or(text.len(), |n| at + n + 1)
}

pub(super) fn line_start(text: &str, at: usize) -> usize {
    memchr::memrchr(b'\n', text.as_bytes().get(..at).unwrap_or_default()).map_or(0, |n| n + 1)
}

fn is_fence(line: &str) -> bool {
    line.strip_prefix("---")
        .is_some_and(|rest| rest.trim_matches([' ', '\t', '\r', '\n']).is_empty())
}

/// The lines of a key: with their line breaks, and without blank ones behind a block scalar.
struct Lines {
    own: Range<usize>,
    after: usize,
}

impl Lines {
    /// Of a key that shares its line with others: nothing can be replaced there.
    fn none(front: &Range<usize>) -> Self {
        Self { own: front.clone(), after: front.end }
    }

    fn of(text: &str, front: &Range<usize>, pair: &Pair) -> Self {
        let (key, at) = (moved(&pair.key_at, front), moved(&pair.at, front));
        let start = line_start(text, key.start).max(front.start);
        // A block scalar's bytes run on over the blank lines behind it.
        let last = text[..at.end].trim_end().len().max(key.end);
        let end = line_end(text, last).min(front.end);
        let block = pair.form == Form::Block;
        let after = if block { behind(text, at.end).clamp(end, front.end) } else { end };
        Self { own: start..end, after }
    }
}

fn moved(range: &Range<usize>, front: &Range<usize>) -> Range<usize> {
    range.start + front.start..range.end + front.start
}

fn entry(front: &Range<usize>, lines: Lines, pair: Pair) -> Result<Entry, CardError> {
    Ok(Entry {
        field: Field::of_key(&pair.key).ok(),
        value: bounded(pair.tree.value(), &pair.key, pair.line, pair.column)?,
        key: pair.key,
        line: pair.line,
        key_at: moved(&pair.key_at, front),
        at: moved(&pair.at, front),
        form: pair.form,
        lines: lines.own,
        after: lines.after,
    })
}

/// Where the line begins that stands behind a block scalar, whose bytes may reach into its indent.
fn behind(text: &str, at: usize) -> usize {
    let (start, end) = (line_start(text, at), line_end(text, at));
    let begun = text[start..at].trim().is_empty() && !text[at..end].trim().is_empty();
    if begun { start } else { end }
}

fn bounded(value: Value, key: &str, line: usize, column: usize) -> Result<Value, CardError> {
    let fault = |_| CardFault::ValueTooLong(key.to_owned()).at(line, column);
    value.bounded().map_err(fault)
}

pub(super) fn not_utf8(bytes: &[u8], at: usize) -> CardError {
    let before = &bytes[..at];
    let line = memchr::memchr_iter(b'\n', before).count() + 1;
    let start = memchr::memrchr(b'\n', before).map_or(0, |n| n + 1);
    let column = String::from_utf8_lossy(&before[start..]).chars().count() + 1;
    CardFault::NotUtf8(at).at(line, column)
}
