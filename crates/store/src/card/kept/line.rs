//! One kept projection as one line of JSON, whole or as the difference to the one before it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use cocli_core::{Field, Instant, Stamp, Target, Value};
use serde::{Deserialize, Serialize};

use super::{FileMark, Head, Kept};
use crate::card::Projection;
use crate::card::rev::Rev;

/// How every line begins.
const START: &str = "{\"target\":\"";
/// Bytes of a line that are looked at for what tells whether a card was touched.
const HEAD_BYTES_MAX: usize = 1024;

/// The line; `target` must be its first key, for [`target`] finds it by its bytes, and what a head tells
/// must come before what the card showed.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Line {
    target: String,
    rev: String,
    at: String,
    file: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    card: Option<(u64, i64)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tags: Option<(u64, i64)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    set: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    gone: Vec<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    seen: BTreeMap<String, Vec<String>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    unseen: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tags_read: Option<(u64, i64)>,
}

/// What of a line tells whether a card was touched.
#[derive(Deserialize)]
struct Start<'a> {
    target: &'a str,
    rev: &'a str,
    #[serde(borrow)]
    file: Cow<'a, str>,
    #[serde(default)]
    card: Option<(u64, i64)>,
    #[serde(default)]
    tags: Option<(u64, i64)>,
}

impl Line {
    pub(super) fn of(kept: &Kept, base: Option<&Kept>) -> Self {
        let empty = Projection::default();
        let old = base.map_or(&empty, |base| &base.projection);
        let new = &kept.projection;
        let changed =
            new.values.iter().filter(|(field, value)| old.values.get(*field) != Some(value));
        let mut seen: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (field, stamp) in &new.seen {
            if old.seen.get(field) != Some(stamp) {
                seen.entry(stamp.to_string()).or_default().push(field.to_string());
            }
        }
        Self {
            target: kept.target.to_string(),
            rev: kept.rev.to_string(),
            at: kept.instant.to_string(),
            file: kept.file.clone(),
            card: kept.card.map(|mark| (mark.len, mark.modified_ns)),
            tags: kept.tags.map(|mark| (mark.len, mark.modified_ns)),
            base: base.map(|base| base.rev.to_string()),
            set: changed.map(|(f, v)| (f.to_string(), v.as_str().to_owned())).collect(),
            gone: missing(&old.values, &new.values),
            seen,
            unseen: missing(&old.seen, &new.seen),
            tags_read: kept.tags_read.map(|mark| (mark.len, mark.modified_ns)),
        }
    }

    pub(super) fn read(line: &[u8]) -> Option<Self> {
        serde_json::from_slice(line).ok()
    }

    /// Whether it tells all, and not only what differs from the one before it.
    pub(super) fn is_whole(&self) -> bool {
        self.base.is_none()
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        // Strings, numbers and maps of strings cannot fail to be written.
        out.extend(serde_json::to_vec(self).unwrap_or_default());
        out.push(b'\n');
    }

    /// The projection, worked out from those before it; `None` when it cannot be.
    pub(super) fn restore(&self, target: &Target, before: &[Kept]) -> Option<Kept> {
        let mut projection = match &self.base {
            None => Projection::default(),
            Some(base) => {
                let base = Rev::read(base)?;
                before.iter().rev().find(|kept| kept.rev == base)?.projection.clone()
            }
        };
        for field in &self.gone {
            projection.values.remove(&Field::read(field).ok()?);
        }
        for (field, value) in &self.set {
            projection.values.insert(Field::read(field).ok()?, Value::read(value));
        }
        for field in &self.unseen {
            projection.seen.remove(&Field::read(field).ok()?);
        }
        for (stamp, fields) in &self.seen {
            let stamp = Stamp::read(stamp)?;
            for field in fields {
                projection.seen.insert(Field::read(field).ok()?, stamp.clone());
            }
        }
        let rev = Rev::read(&self.rev).filter(|rev| *rev == projection.rev())?;
        Some(Kept {
            target: target.clone(),
            rev,
            instant: Instant::read(&self.at)?,
            file: self.file.clone(),
            card: self.card.map(mark),
            tags: self.tags.map(mark),
            tags_read: self.tags_read.map(mark),
            projection,
        })
    }
}

fn missing<V>(old: &BTreeMap<Field, V>, new: &BTreeMap<Field, V>) -> Vec<String> {
    old.keys().filter(|field| !new.contains_key(*field)).map(Field::to_string).collect()
}

fn mark((len, modified_ns): (u64, i64)) -> FileMark {
    FileMark { len, modified_ns }
}

/// The target of a line, by its bytes: it has no character that JSON escapes.
pub(super) fn target(line: &[u8]) -> Option<&[u8]> {
    let rest = line.strip_prefix(START.as_bytes())?;
    Some(&rest[..memchr::memchr(b'"', rest)?])
}

/// What of a line tells whether a card was touched.
pub(super) fn head(line: &[u8]) -> Option<Head<'_>> {
    plain_head(line).or_else(|| {
        let start: Start<'_> = serde_json::from_slice(line).ok()?;
        Some(Head {
            target: start.target,
            rev: Rev::read(start.rev)?,
            file: start.file,
            card: start.card.map(mark),
            tags: start.tags.map(mark),
        })
    })
}

/// The same of a line as we write it, without reading what the card showed; `None` when it is not
/// plainly so.
fn plain_head(line: &[u8]) -> Option<Head<'_>> {
    let start = &line[..line.len().min(HEAD_BYTES_MAX)];
    let whole = match str::from_utf8(start) {
        Ok(text) => text,
        Err(cut) => str::from_utf8(&start[..cut.valid_up_to()]).ok()?,
    };
    let mut rest = Rest(whole);
    let (target, rev) = (rest.text(START)?, rest.text(",\"rev\":\"")?);
    rest.text(",\"at\":\"")?;
    let file = rest.text(",\"file\":\"")?;
    let (card, tags) = (rest.mark(",\"card\":[")?, rest.mark(",\"tags\":[")?);
    let ends =
        [",\"base\":", ",\"set\":", ",\"seen\":", "}"].iter().any(|end| rest.0.starts_with(end));
    let head = Head { target, rev: Rev::read(rev)?, file: file.into(), card, tags };
    ends.then_some(head)
}

/// What is not yet read of a line.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    /// A text behind `start`; none when it has a character that is escaped.
    fn text(&mut self, start: &str) -> Option<&'a str> {
        let (text, rest) = self.0.strip_prefix(start)?.split_once('"')?;
        self.0 = rest;
        (!text.contains('\\')).then_some(text)
    }

    /// A mark behind `start`, if one stands there; none when it is not plainly one.
    fn mark(&mut self, start: &str) -> Option<Option<FileMark>> {
        let Some(rest) = self.0.strip_prefix(start) else { return Some(None) };
        let (numbers, rest) = rest.split_once(']')?;
        let (len, modified_ns) = numbers.split_once(',')?;
        self.0 = rest;
        Some(Some(mark((len.parse().ok()?, modified_ns.parse().ok()?))))
    }
}
