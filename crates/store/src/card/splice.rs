//! New fields put into a card that people have written in: only the lines of changed keys are
//! replaced, every other byte stays.

use std::collections::BTreeMap;
use std::ops::Range;

use cocli_core::{Field, Kind, Value};

use super::body;
use super::normal::{normal, same, shown};
use super::render::{self, Rank};
use super::rev::{Rev, of_shown};
use super::text::{CardText, Entry, REV, parse};
use super::tree::Tree;
use super::yaml::Form;

/// The fields could not be put into the card such that reading it gives them; it is to be left alone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "cannot put {} into the card without touching what else stands there: give each key of its front matter a line of its own",
    .keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ")
)]
pub struct Unfit {
    /// The keys that were to change.
    pub keys: Vec<String>,
}

/// The card with these fields (the body is one of them) and their `_rev`.
///
/// # Errors
/// [`Unfit`] when the card's form does not allow it.
pub fn splice(
    kind: Kind,
    old: &CardText,
    fields: &BTreeMap<Field, Value>,
) -> Result<Vec<u8>, Unfit> {
    let new = shown(kind, fields);
    let rev = of_shown(&new);
    for way in [Way::InPlace, Way::Lines, Way::AtEnd] {
        let splice = Splice { kind, old, new: &new, rev, way };
        let text = splice.text();
        if fits(kind, &text, &new, rev) {
            return Ok(text.into_bytes());
        }
    }
    let was = old.fields(kind);
    let changed = |field: &&Field| !same(kind, field, was.get(*field), new.get(*field));
    let fields = was.keys().chain(new.keys().filter(|field| !was.contains_key(*field)));
    Err(Unfit { keys: fields.filter(changed).map(Field::key).collect() })
}

/// Whether reading the text gives exactly these fields.
fn fits(kind: Kind, text: &str, new: &BTreeMap<Field, Value>, rev: Rev) -> bool {
    parse(text.as_bytes()).is_ok_and(|card| {
        let read = card.fields(kind);
        card.rev() == Some(rev)
            && read.len() == new.len()
            && new.iter().all(|(field, value)| same(kind, field, read.get(field), Some(value)))
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Only the scalar, where the value is one.
    InPlace,
    /// All lines of the key; a removed one stays without a value (else a comment behind it could
    /// become part of the block scalar before it).
    Lines,
    /// All lines of the key, anew before `_rev`.
    AtEnd,
}

struct Splice<'a> {
    kind: Kind,
    old: &'a CardText,
    new: &'a BTreeMap<Field, Value>,
    rev: Rev,
    way: Way,
}

struct Patch {
    at: Range<usize>,
    with: String,
}

impl Splice<'_> {
    fn text(&self) -> String {
        let mut front = self.new.clone();
        let mut patches = Vec::new();
        self.body(&mut front, &mut patches);
        let mut put: Vec<&Field> = Vec::new();
        for entry in &self.old.entries {
            let Some(field) = entry.field() else { continue };
            let was = normal(self.kind, field, &entry.value);
            let want = front.get(field);
            if same(self.kind, field, was.as_ref(), want) {
                continue;
            }
            if self.way == Way::AtEnd && want.is_some() {
                put.push(field);
                patches.push(Patch { at: entry.lines.clone(), with: String::new() });
            } else {
                patches.push(self.changed(entry, field, want));
            }
        }
        put.extend(front.keys().filter(|field| self.old.entry(field).is_none()));
        put.sort_by_key(|field| Rank::of(self.kind, field));
        let places = self.places(&front);
        for field in put {
            let at = self.place(&Rank::of(self.kind, field), &places);
            patches.push(Patch { at: at..at, with: self.lines(field, &front[field]) });
        }
        patches.extend(self.rev_patch());
        apply(&self.old.text, patches)
    }

    /// A key of the file with another value, or without one.
    fn changed(&self, entry: &Entry, field: &Field, want: Option<&Value>) -> Patch {
        let Some(value) = want else {
            let tags = render::tags_of(self.kind).filter(|tags| tags == field);
            let with = match tags {
                Some(tags) => self.indented(&render::no_tags(&tags)),
                None if self.way == Way::Lines => self.lines(field, &Value::null()),
                None => String::new(),
            };
            return Patch { at: entry.lines.clone(), with };
        };
        let tree = Tree::of(value);
        if self.way == Way::InPlace && !matches!(tree, Tree::List(_) | Tree::Map(_)) {
            let with = render::inline(self.kind, field, &tree);
            match entry.form {
                Form::Inline => return Patch { at: entry.at.clone(), with },
                Form::Absent => {
                    if let Some(at) = self.behind_colon(entry) {
                        return Patch { at: at..at, with: format!(" {with}") };
                    }
                }
                Form::Block | Form::Other => {}
            }
        }
        Patch { at: entry.lines.clone(), with: self.lines(field, value) }
    }

    fn behind_colon(&self, entry: &Entry) -> Option<usize> {
        let rest = &self.old.text[entry.key_at.end..entry.lines.end];
        let colon = rest.trim_start_matches([' ', '\t']);
        colon.starts_with(':').then(|| entry.lines.end - colon.len() + 1)
    }

    /// The lines of a key in the indent and line breaks of the file.
    fn lines(&self, field: &Field, value: &Value) -> String {
        self.indented(&render::entry(self.kind, field, value))
    }

    fn indented(&self, lines: &str) -> String {
        let first = self.old.entries.first();
        let indent = first.map_or("", |entry| {
            let before = &self.old.text[entry.lines.start..entry.key_at.start];
            if before.bytes().all(|b| b == b' ') { before } else { "" }
        });
        let end = if self.old.crlf { "\r\n" } else { "\n" };
        lines.lines().map(|line| format!("{indent}{line}{end}")).collect()
    }

    /// The keys that stay in the file, by the order that the schema has them in.
    fn places(&self, front: &BTreeMap<Field, Value>) -> Vec<(Rank, &Entry)> {
        let place = |entry| {
            let field = Entry::field(entry).filter(|field| self.stays(entry, field, front))?;
            Some((Rank::of(self.kind, field), entry))
        };
        let mut places: Vec<(Rank, &Entry)> = self.old.entries.iter().filter_map(place).collect();
        places.sort_by(|a, b| a.0.cmp(&b.0));
        places
    }

    /// Where a key that the file lacks is to stand: behind the nearest one that the schema has before
    /// it, else before the first that it has after it.
    fn place(&self, rank: &Rank, places: &[(Rank, &Entry)]) -> usize {
        let rev = self.rev_entry().map(|entry| entry.lines.start);
        let end = rev.unwrap_or(self.old.front.end);
        if self.way == Way::AtEnd {
            return end;
        }
        match places.partition_point(|(other, _)| other < rank).checked_sub(1) {
            Some(before) => places[before].1.after,
            None => places.iter().map(|(_, entry)| entry.lines.start).min().unwrap_or(end),
        }
    }

    fn rev_entry(&self) -> Option<&Entry> {
        self.old.entry(&Field::read(REV).ok()?)
    }

    fn stays(&self, entry: &Entry, field: &Field, front: &BTreeMap<Field, Value>) -> bool {
        front.contains_key(field)
            || normal(self.kind, field, &entry.value).is_none()
            || render::tags_of(self.kind).as_ref() == Some(field)
    }

    fn rev_patch(&self) -> Option<Patch> {
        if self.old.rev() == Some(self.rev) {
            return None;
        }
        let with = self.indented(&render::rev_line(self.rev));
        let at = match self.rev_entry() {
            Some(entry) => entry.lines.clone(),
            None => self.old.front.end..self.old.front.end,
        };
        Some(Patch { at, with })
    }

    /// Puts the body under the front matter, or leaves it among the front matter's fields.
    fn body(&self, front: &mut BTreeMap<Field, Value>, patches: &mut Vec<Patch>) {
        let Ok(field) = Field::read(self.kind.body()) else { return };
        let under = self.old.body();
        let above = self.old.entry(&field);
        let above = above.and_then(|entry| normal(self.kind, &field, &entry.value));
        let shadowed = above.is_some() && under.is_some();
        let want = self.new.get(&field);
        let was = above.as_ref().or(under.as_ref());
        if same(self.kind, &field, was, want) {
            if above.is_none() {
                front.remove(&field);
            }
            return;
        }
        let with = match want {
            // Text that is not read stays where a person put it.
            Some(_) if shadowed => return,
            Some(value) if body::fits(value) => {
                front.remove(&field);
                body::write(value, self.old.crlf)
            }
            _ => String::new(),
        };
        let broken = with.is_empty() || self.old.text[..self.old.rest.start].ends_with('\n');
        let lead = if broken { "" } else { "\n" };
        patches.push(Patch { at: self.old.rest.clone(), with: format!("{lead}{with}") });
    }
}

/// Patches do not overlap; what is put at the start of another's range comes before it.
fn apply(text: &str, mut patches: Vec<Patch>) -> String {
    patches.sort_by_key(|patch| (patch.at.start, patch.at.end));
    let mut out = String::with_capacity(text.len() + 64);
    let mut at = 0;
    for patch in patches {
        out.push_str(text.get(at..patch.at.start).unwrap_or_default());
        out.push_str(&patch.with);
        at = at.max(patch.at.end);
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}
