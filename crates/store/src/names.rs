//! What entities are called, apart from all else that is known of them, so that a search reads a twentieth
//! of the state. A file for each long shard, named by the shard's content: it is never stale, and anyone
//! may delete it.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use cocli_core::digest::hash;
use cocli_core::usv::{Line, RS, US};

use crate::checkpoint::{ShardInfo, lines};
use crate::disk::Disk;
use crate::error::{Result, StoreError};
use crate::paths;
use crate::reader::{Delta, Reader};
use crate::side::side_by_side;

/// The fields whose values are names.
pub const FIELDS: [&str; 3] = ["name", "domain", "email"];
/// Shards shorter than this are read themselves.
const SHARD_BYTES_MIN: u64 = 256 * 1024;
/// Hexadecimal digits of the hash at a file's end, behind a `#`.
const HASH_DIGITS: usize = 32;

/// Lines `target US name RS`, the name in lower case: of each entity one for each name, or one that is
/// empty.
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
        if !self.target.is_empty() && FIELDS.iter().any(|field| field.as_bytes() == line.field()) {
            let value = &line.bytes[usize::from(line.field_end) + 1..];
            let value = &value[..memchr::memchr(US, value).unwrap_or(value.len())];
            self.put(value);
        }
    }

    fn put(&mut self, value: &[u8]) {
        if value == b"null" {
            return;
        }
        self.named = true;
        self.bytes.extend_from_slice(&self.target);
        self.bytes.push(US);
        match std::str::from_utf8(value) {
            Ok(text) if !text.is_ascii() => self.bytes.extend(text.to_lowercase().into_bytes()),
            _ => self.bytes.extend(value.iter().map(u8::to_ascii_lowercase)),
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
                if FIELDS.contains(&field.as_str()) {
                    names.put(entry.value.as_str().as_bytes());
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
    let end = format!("#{:0HASH_DIGITS$x}", hash(&names));
    names.extend_from_slice(end.as_bytes());
    let _ = disk.make_folder(paths::NAMES);
    let _ = disk.remove(&path);
    if disk.write_at(&path, 0, &names, false).is_err() {
        let _ = disk.remove(&path);
    }
}

/// The names of a shard, if their file is there and whole.
fn read(disk: &dyn Disk, shard: u8, info: &ShardInfo) -> Option<Vec<u8>> {
    let mut bytes = disk.read(&paths::names(shard, info.hash)).ok()?;
    let at = bytes.len().checked_sub(HASH_DIGITS + 1)?;
    let end = format!("#{:0HASH_DIGITS$x}", hash(&bytes[..at]));
    if bytes[at..] != *end.as_bytes() {
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
    /// Hands lines `target US name RS` of all entities to `take`, on as many threads, in lower case. Of one
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
