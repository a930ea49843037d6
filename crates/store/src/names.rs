//! What entities are found by, apart from all else that is known of them, so that a search reads a twentieth
//! of the state. A file for each long shard, named by the shard's content: it is never stale, and anyone
//! may delete it.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use cocli_core::Field;
use cocli_core::digest::hash;
use cocli_core::usv::{Line, RS, US};

use serde_json::Value as Json;

use crate::checkpoint::{ShardInfo, lines};
use crate::disk::Disk;
use crate::error::{Result, StoreError};
use crate::paths;
use crate::reader::{Delta, Reader};
use crate::side::side_by_side;
use crate::sidecar;

/// What of a field's value an entity is found by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// The text: one that an entity is called by.
    Name,
    /// Each member.
    Members,
    /// The digits of a telephone number.
    Digits,
    /// The digits of each member.
    MembersDigits,
}

/// The fields that an entity is found by.
pub const FIELDS: [(&str, Found); 10] = [
    ("name", Found::Name),
    ("domain", Found::Name),
    ("email", Found::Name),
    ("all_emails", Found::Members),
    ("tags", Found::Members),
    ("phone", Found::Digits),
    ("phone_1", Found::Digits),
    ("phone_number", Found::Digits),
    ("phone_from_website", Found::Digits),
    ("all_phones", Found::MembersDigits),
];
/// Shards shorter than this are read themselves.
const SHARD_BYTES_MIN: u64 = 256 * 1024;
/// What stands before the hash at a file's end. The number is that of what files tell: those of another one are made anew.
const END: &str = "#3-";
/// Hexadecimal digits of that hash.
const HASH_DIGITS: usize = 32;

/// The digits of a telephone number, without the zeros that are dialled only here or there: those before it, and `(0)`.
#[must_use]
pub fn digits(number: &str) -> String {
    let digits = number.replace("(0)", "");
    let digits: String = digits.chars().filter(char::is_ascii_digit).collect();
    digits.trim_start_matches('0').to_owned()
}

/// A text in lower case, letter by letter: what a part of it becomes does not hang on what stands around it.
#[must_use]
pub fn lower(text: &str) -> String {
    match text.is_ascii() {
        true => text.to_ascii_lowercase(),
        false => text.chars().flat_map(char::to_lowercase).collect(),
    }
}

/// The texts that a value in canonical form tells: the members of a list, or itself.
fn told(value: &str) -> Vec<String> {
    match value.bytes().next() {
        Some(b'"' | b'[') => match serde_json::from_str(value) {
            Ok(Json::String(text)) => vec![text],
            Ok(Json::Array(items)) => {
                items.iter().filter_map(Json::as_str).map(str::to_owned).collect()
            }
            _ => vec![value.to_owned()],
        },
        _ => vec![value.to_owned()],
    }
}

/// Lines `target US text RS`, the text in lower case: of each entity one for each that it is found by, and one that is
/// empty where it has no name.
#[derive(Debug, Default)]
pub(crate) struct Names {
    bytes: Vec<u8>,
    target: Vec<u8>,
    named: bool,
}

impl Names {
    /// Takes the next state line, in their order.
    pub(crate) fn take(&mut self, line: &Line<'_>) {
        let target = line.target();
        if target != self.target {
            self.end();
            self.target.clear();
            if memchr::memchr_iter(b'/', target).count() == 1 {
                self.target.extend_from_slice(target);
            }
        }
        if self.target.is_empty() {
            return;
        }
        let field = line.field();
        let base = memchr::memchr(b'.', field).map_or(field, |dot| &field[..dot]);
        if let Some((_, found)) = FIELDS.iter().find(|(name, _)| name.as_bytes() == base) {
            self.winner(*found, field, line.value());
        }
    }

    /// What one winner of such a field tells. Of a set that was written over there may be members that are none any more.
    fn winner(&mut self, found: Found, field: &[u8], value: &[u8]) {
        if value == b"null" {
            return;
        }
        let text = |bytes| std::str::from_utf8(bytes).unwrap_or_default();
        let field = (found != Found::Name).then(|| Field::read(text(field)).ok()).flatten();
        let texts = match field.and_then(|field| field.element_text()) {
            Some(element) => vec![element],
            // Of a long member the name is a hash, and the value the text.
            None => told(text(value)),
        };
        for text in texts {
            match found {
                Found::Name => {
                    self.named = true;
                    self.put(&text);
                }
                Found::Members => self.put(&text),
                Found::Digits | Found::MembersDigits => self.put(&digits(&text)),
            }
        }
    }

    fn put(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        self.bytes.extend_from_slice(&self.target);
        self.bytes.push(US);
        let start = self.bytes.len();
        self.bytes.extend(lower(text).into_bytes());
        for byte in &mut self.bytes[start..] {
            if [US, RS].contains(byte) {
                *byte = b' ';
            }
        }
        self.bytes.push(RS);
    }

    fn end(&mut self) {
        if !self.target.is_empty() && !self.named {
            self.bytes.extend_from_slice(&self.target);
            self.bytes.extend_from_slice(&[US, RS]);
        }
        self.named = false;
    }

    /// All of them.
    pub(crate) fn done(mut self) -> Vec<u8> {
        self.end();
        self.bytes
    }

    fn of_lines(bytes: &[u8], names: &mut Self) {
        lines(bytes).filter_map(Line::of).for_each(|line| names.take(&line));
    }

    fn of_entities(delta: &Delta) -> Vec<u8> {
        let mut names = Self::default();
        for (target, entity) in delta.iter().filter(|(target, _)| target.is_entity()) {
            names.end();
            names.target = target.as_str().as_bytes().to_vec();
            for (field, entry) in &entity.fields {
                let found = FIELDS.iter().find(|(name, _)| *name == field.base());
                if let Some((_, found)) = found {
                    names.winner(
                        *found,
                        field.as_str().as_bytes(),
                        entry.value.as_str().as_bytes(),
                    );
                }
            }
        }
        names.done()
    }
}

/// Whether a shard has a file of its names.
pub(crate) fn is_long(info: &ShardInfo) -> bool {
    info.bytes >= SHARD_BYTES_MIN
}

/// Writes the names of a shard. What fails is worked out again by who needs it.
pub(crate) fn write(disk: &dyn Disk, shard: u8, info: &ShardInfo, mut names: Vec<u8>) {
    let path = paths::names(shard, info.hash);
    let end = end(&names);
    names.extend_from_slice(end.as_bytes());
    sidecar::write(disk, &path, &names);
}

/// What stands behind the names in a file.
fn end(names: &[u8]) -> String {
    format!("{END}{:0HASH_DIGITS$x}", hash(names))
}

/// The names of a shard, if their file is there and whole.
fn read(disk: &dyn Disk, shard: u8, info: &ShardInfo) -> Option<Vec<u8>> {
    let mut bytes = disk.read(&paths::names(shard, info.hash)).ok()?;
    let at = bytes.len().checked_sub(END.len() + HASH_DIGITS)?;
    if bytes[at..] != *end(&bytes[..at]).as_bytes() {
        return None;
    }
    bytes.truncate(at);
    Some(bytes)
}

/// Removes the files of shards that are none any more.
pub(crate) fn remove_others(disk: &dyn Disk, wanted: &BTreeSet<String>) {
    let there = match disk.list(paths::NAMES) {
        Err(error) if error.kind() == ErrorKind::NotFound => return,
        there => there.unwrap_or_default(),
    };
    for (name, _) in there {
        let path = format!("{}/{name}", paths::NAMES);
        if !wanted.contains(&path) {
            let _ = disk.remove(&path);
        }
    }
}

impl Reader {
    /// Hands lines `target US text RS` of all entities to `take`, on as many threads, in lower case. Of one
    /// that was renamed or removed there may be old ones: who finds one looks at the entity.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn each_names(&self, threads: usize, take: &(dyn Fn(&[u8]) + Sync)) -> Result<()> {
        take(&Names::of_entities(self.delta()));
        let shards: Vec<u8> = self.manifest().touched().into_iter().collect();
        let next = AtomicUsize::new(0);
        let made = Mutex::new(Vec::new());
        side_by_side(threads.clamp(1, shards.len().max(1)), &|| {
            while let Some(shard) = shards.get(next.fetch_add(1, Ordering::Relaxed)) {
                match self.names_of(*shard, take) {
                    Err(StoreError::Damaged { .. }) => {
                        take(&Names::of_entities(&self.remade(*shard)?));
                    }
                    made_anew => made
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .extend(made_anew?.map(|names| (*shard, names))),
                }
            }
            Ok(())
        })?;
        for (shard, names) in made.into_inner().unwrap_or_else(PoisonError::into_inner) {
            if let Some(info) = self.manifest().shards.get(&shard) {
                write(self.disk(), shard, info, names);
            }
        }
        Ok(())
    }

    /// Gives those of the base that wait for a file of their own.
    fn names_of(&self, shard: u8, take: &(dyn Fn(&[u8]) + Sync)) -> Result<Option<Vec<u8>>> {
        let info = self.manifest().shards.get(&shard);
        let kept =
            info.filter(|info| is_long(info)).and_then(|info| read(self.disk(), shard, info));
        let mut made = None;
        match (&kept, info) {
            (Some(names), _) => take(names),
            (None, Some(info)) => {
                let mut names = Names::default();
                Names::of_lines(&info.piece(None, shard).read(self.disk())?, &mut names);
                let names = names.done();
                take(&names);
                made = is_long(info).then_some(names);
            }
            (None, None) => {}
        }
        for run in self.manifest().runs.iter().filter_map(|run| run.piece(None, shard)) {
            let mut names = Names::default();
            Names::of_lines(&run.read(self.disk())?, &mut names);
            take(&names.done());
        }
        Ok(made)
    }
}

/// The target and the name that a line of [`Reader::each_names`] tells of.
#[must_use]
pub fn split(line: &[u8]) -> Option<(&str, &str)> {
    let at = memchr::memchr(US, line)?;
    let text = |bytes| std::str::from_utf8(bytes).ok();
    Some((text(&line[..at])?, text(&line[at + 1..])?))
}

#[cfg(test)]
mod tests {
    use super::{digits, lower, told};

    #[test]
    fn a_number_is_its_digits_however_the_zero_of_a_country_is_typed() {
        for text in ["+49 (0)40 765 43-21", "+49 40 7654321", "0049 40 7654321"] {
            assert_eq!(digits(text), "49407654321", "{text}");
        }
        assert_eq!(digits("none"), "");
    }

    #[test]
    fn a_part_is_lower_case_as_the_whole_is() {
        assert!(
            lower("\u{39f}\u{394}\u{3a5}\u{3a3}\u{3a3}\u{395}\u{391}\u{3a3}")
                .contains(&lower("\u{39f}\u{394}\u{3a5}\u{3a3}"))
        );
    }

    #[test]
    fn a_value_tells_its_texts_whatever_form_it_has() {
        assert_eq!(told(r#"["a",5,"b"]"#), ["a", "b"]);
        assert_eq!(told(r#""c:\\path\nline""#), ["c:\\path\nline"]);
        assert_eq!(told("plain"), ["plain"]);
        assert_eq!(told("[odd"), ["[odd"]);
    }
}
