//! One kept projection as one line of JSON, whole or as the difference to the one before it.

use std::collections::{BTreeMap, BTreeSet};

use cocli_core::{Field, Instant, Stamp, Target, Value};
use memchr::memmem;
use serde::{Deserialize, Serialize};

use super::{FileMark, Head, Kept};
use crate::card::Projection;
use crate::card::rev::Rev;

/// How every line begins.
const START: &str = "{\"target\":\"";
/// Targets that are looked for one by one; for more the whole file is read through once.
const FOUND_SINGLY_MAX: usize = 4;

/// The line; `target` must be its first key, for [`of_target`] finds it by its bytes.
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
}

/// What of a line tells whether a card was touched.
#[derive(Deserialize)]
struct Start {
    target: String,
    rev: String,
    file: String,
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
        }
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

/// The lines of a file that end in a line break.
pub(super) fn all(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let whole = memchr::memrchr(b'\n', bytes).map_or(0, |end| end + 1);
    bytes[..whole].split(|b| *b == b'\n').filter(|line| !line.is_empty())
}

/// The lines of one target, without reading any other.
pub(super) fn of_target(bytes: &[u8], target: &Target) -> Vec<Line> {
    found(bytes, target).filter_map(|line| serde_json::from_slice(line).ok()).collect()
}

/// The lines of some targets, for each at least from its last whole one on: found one by one when they
/// are few, else in one pass.
pub(super) fn ends_of<'a>(
    bytes: &[u8],
    targets: &BTreeSet<&'a Target>,
) -> BTreeMap<&'a Target, Vec<Line>> {
    if targets.len() <= FOUND_SINGLY_MAX {
        return targets.iter().map(|target| (*target, since_whole(bytes, target))).collect();
    }
    of_targets(bytes, targets)
}

/// All lines of some targets, in one pass.
pub(super) fn of_targets<'a>(
    bytes: &[u8],
    targets: &BTreeSet<&'a Target>,
) -> BTreeMap<&'a Target, Vec<Line>> {
    let names: BTreeMap<&str, &Target> = targets.iter().map(|t| (t.as_str(), *t)).collect();
    let mut lines: BTreeMap<&Target, Vec<Line>> = BTreeMap::new();
    for bytes in all(bytes) {
        let name = bytes
            .strip_prefix(START.as_bytes())
            .and_then(|rest| str::from_utf8(&rest[..memchr::memchr(b'"', rest)?]).ok());
        if let Some(target) = name.and_then(|name| names.get(name))
            && let Ok(line) = serde_json::from_slice(bytes)
        {
            lines.entry(target).or_default().push(line);
        }
    }
    lines
}

/// The lines from the last whole one on: all that the last projection is worked out from. How many
/// stand before it costs next to nothing.
pub(super) fn since_whole(bytes: &[u8], target: &Target) -> Vec<Line> {
    let mut lines = Vec::new();
    let newest_first = found(bytes, target).rev();
    for line in newest_first.filter_map(|line| serde_json::from_slice::<Line>(line).ok()) {
        let whole = line.is_whole();
        lines.push(line);
        if whole {
            break;
        }
    }
    lines.reverse();
    lines
}

/// The last line of a target.
pub(super) fn last<'a>(bytes: &'a [u8], target: &Target) -> Option<&'a [u8]> {
    found(bytes, target).next_back()
}

fn found<'a>(
    bytes: &'a [u8],
    target: &Target,
) -> impl DoubleEndedIterator<Item = &'a [u8]> + use<'a> {
    // A target has no character that JSON escapes, and no other string follows a `{` at a line's start.
    let start = format!("{START}{target}\",");
    let places: Vec<usize> = memmem::find_iter(bytes, start.as_bytes()).collect();
    places.into_iter().filter_map(move |at| {
        let begins = at == 0 || bytes[at - 1] == b'\n';
        let end = at + memchr::memchr(b'\n', &bytes[at..])?;
        begins.then(|| &bytes[at..end])
    })
}

pub(super) fn head(line: &[u8]) -> Option<(Target, Head)> {
    let start: Start = serde_json::from_slice(line).ok()?;
    let head = Head {
        rev: Rev::read(&start.rev)?,
        file: start.file,
        card: start.card.map(mark),
        tags: start.tags.map(mark),
    };
    Some((Target::read(&start.target).ok()?, head))
}

pub(super) fn target(line: &[u8]) -> Option<Target> {
    head(line).map(|(target, _)| target)
}
