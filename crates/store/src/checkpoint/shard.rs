//! One base shard: state lines sorted by target, then field.

use std::collections::BTreeMap;

use cocli_core::digest::hash;
use cocli_core::usv::{self, RS, US};
use cocli_core::{Entity, Entry, Field, StateDigest, Target};

use super::ShardInfo;
use crate::disk::Disk;
use crate::error::{Result, StoreError, Tried, if_there};
use crate::paths;

/// Up to this size a shard is read as a whole, and its hash checked, even for one target.
const WHOLE_BYTES_MAX: u64 = 1024 * 1024;
/// Bytes looked at in one step of the search.
const STEP_BYTES: usize = 4096;
/// What stands behind a state line.
const END: [u8; 2] = [RS, b'\n'];

/// The lines of a shard, without what stands behind them.
pub(crate) fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|b| *b == RS).filter_map(|line| {
        let line = line.strip_prefix(b"\n").unwrap_or(line);
        (!line.is_empty()).then_some(line)
    })
}

/// Target and field of a line, as bytes: what the file is sorted by.
fn key(line: &[u8]) -> (&[u8], &[u8]) {
    let mut fields = line.split(|b| *b == US).skip(2);
    (fields.next().unwrap_or_default(), fields.next().unwrap_or_default())
}

/// A whole shard, its hash checked.
///
/// # Errors
/// [`StoreError::Damaged`] when it is gone or another than the manifest names.
pub(crate) fn read_shard(disk: &dyn Disk, shard: u8, info: &ShardInfo) -> Result<Vec<u8>> {
    let path = paths::shard(shard, info.hash);
    let bytes = found(disk.read(&path), &path)?;
    if hash(&bytes) != info.hash {
        return Err(StoreError::Damaged {
            path,
            offset: 0,
            what: "its bytes are not those that it is named by".to_owned(),
        });
    }
    Ok(bytes)
}

/// A shard that is gone is damaged like one with other bytes: the journals make it again.
fn found(read: std::io::Result<Vec<u8>>, path: &str) -> Result<Vec<u8>> {
    if_there(read).tried("read", path)?.ok_or_else(|| StoreError::Damaged {
        path: path.to_owned(),
        offset: 0,
        what: "it is gone".to_owned(),
    })
}

/// What a shard holds of the target and, if asked, of all below it: by one read where the shard is
/// small, else by a search that reads a few blocks.
pub(crate) fn lookup(
    disk: &dyn Disk,
    shard: u8,
    info: &ShardInfo,
    target: &str,
    below: bool,
) -> Result<BTreeMap<Target, Entity>> {
    let mut found = BTreeMap::new();
    let wanted = [target.to_owned(), format!("{target}/")];
    let is_wanted = |name: &[u8]| {
        name == wanted[0].as_bytes() || (below && name.starts_with(wanted[1].as_bytes()))
    };
    if info.bytes <= WHOLE_BYTES_MAX {
        let bytes = read_shard(disk, shard, info)?;
        take_while_found(&bytes, &is_wanted, &mut found, shard, info)?;
        return Ok(found);
    }
    let file = Searched { disk, path: paths::shard(shard, info.hash), len: info.bytes };
    // The target itself and what is below it stand apart: `a-b` sorts between `a` and `a/c`.
    for start in if below { &wanted[..] } else { &wanted[..1] } {
        let mut at = file.first_not_before(start.as_bytes())?;
        while let Some((line, next)) = file.line_at(at)? {
            if !is_wanted(key(&line).0) {
                break;
            }
            add_line(&line, &mut found, &file.path)?;
            at = next;
        }
    }
    Ok(found)
}

fn take_while_found(
    bytes: &[u8],
    is_wanted: &dyn Fn(&[u8]) -> bool,
    found: &mut BTreeMap<Target, Entity>,
    shard: u8,
    info: &ShardInfo,
) -> Result<()> {
    for line in lines(bytes).filter(|line| is_wanted(key(line).0)) {
        add_line(line, found, &paths::shard(shard, info.hash))?;
    }
    Ok(())
}

pub(crate) fn add_line(
    line: &[u8],
    found: &mut BTreeMap<Target, Entity>,
    path: &str,
) -> Result<()> {
    let datagram = usv::read_line(line).map_err(|odd| StoreError::Damaged {
        path: path.to_owned(),
        offset: 0,
        what: odd.to_string(),
    })?;
    found.entry(datagram.target).or_default().merge(datagram.field, datagram.entry);
    Ok(())
}

/// A shard that is searched and not read.
struct Searched<'a> {
    disk: &'a dyn Disk,
    path: String,
    len: u64,
}

impl Searched<'_> {
    fn read(&self, at: u64, len: usize) -> Result<Vec<u8>> {
        found(self.disk.read_at(&self.path, at, len), &self.path)
    }

    /// The line that begins at `at`, and where the next one does.
    fn line_at(&self, at: u64) -> Result<Option<(Vec<u8>, u64)>> {
        if at >= self.len {
            return Ok(None);
        }
        let mut want = STEP_BYTES;
        loop {
            let bytes = self.read(at, want)?;
            if let Some(end) = memchr::memmem::find(&bytes, &END) {
                return Ok(Some((bytes[..end].to_vec(), at + (end + END.len()) as u64)));
            }
            if bytes.len() < want {
                return Ok(None);
            }
            want *= 4;
        }
    }

    /// Where the first line that begins at or behind `at` begins.
    fn begin_behind(&self, at: u64) -> Result<u64> {
        if at == 0 {
            return Ok(0);
        }
        let (mut from, mut want) = (at - END.len() as u64, STEP_BYTES);
        loop {
            let bytes = self.read(from, want)?;
            if let Some(end) = memchr::memmem::find(&bytes, &END) {
                return Ok(from + (end + END.len()) as u64);
            }
            if bytes.len() < want {
                return Ok(self.len);
            }
            from += (bytes.len() - 1) as u64;
            want *= 4;
        }
    }

    /// Where the first line stands whose target is not before `target`.
    fn first_not_before(&self, target: &[u8]) -> Result<u64> {
        let (mut low, mut high) = (0, self.len);
        while low < high {
            let middle = low + (high - low) / 2;
            let begin = self.begin_behind(middle.max(END.len() as u64))?;
            let begin = if middle < END.len() as u64 { 0 } else { begin };
            let before = match self.line_at(begin)? {
                Some((line, next)) if begin < high => {
                    key(&line).0 < target && {
                        low = next;
                        true
                    }
                }
                _ => false,
            };
            if !before {
                high = middle;
            }
        }
        self.begin_behind_exact(low)
    }

    fn begin_behind_exact(&self, at: u64) -> Result<u64> {
        if at < END.len() as u64 { Ok(0) } else { self.begin_behind(at) }
    }
}

/// A shard as it shall stand on the disk.
pub(super) struct Merged {
    pub(super) bytes: Vec<u8>,
    pub(super) info: ShardInfo,
}

/// Joins a shard with what is new: one pass over both, since both are sorted. `None` when nothing
/// changes.
pub(super) fn merge(
    old: &[u8],
    delta: &BTreeMap<Target, Entity>,
    path: &str,
) -> Result<Option<Merged>> {
    let mut out = Out { bytes: Vec::with_capacity(old.len() + old.len() / 8), ..Out::default() };
    let mut news = delta
        .iter()
        .flat_map(|(target, entity)| entity.fields.iter().map(move |(f, e)| (target, f, e)))
        .peekable();
    let mut changed = false;
    for line in lines(old) {
        let (target, field) = key(line);
        while let Some(new) = news.next_if(|new| key_of(new) < (target, field)) {
            out.put(usv::line_of(new.0, new.1, new.2).as_bytes());
            changed = true;
        }
        match news.next_if(|new| key_of(new) == (target, field)) {
            Some(new) if wins(new.2, line, path)? => {
                out.put(usv::line_of(new.0, new.1, new.2).as_bytes());
                changed = true;
            }
            _ => out.put(line),
        }
    }
    for new in news {
        out.put(usv::line_of(new.0, new.1, new.2).as_bytes());
        changed = true;
    }
    Ok(changed.then(|| out.done()))
}

type New<'a> = (&'a Target, &'a Field, &'a Entry);

fn key_of<'a>(new: &New<'a>) -> (&'a [u8], &'a [u8]) {
    (new.0.as_str().as_bytes(), new.1.as_str().as_bytes())
}

fn wins(new: &Entry, line: &[u8], path: &str) -> Result<bool> {
    let old = usv::read_line(line).map_err(|odd| StoreError::Damaged {
        path: path.to_owned(),
        offset: 0,
        what: odd.to_string(),
    })?;
    Ok(*new > old.entry)
}

#[derive(Default)]
struct Out {
    bytes: Vec<u8>,
    lines: u64,
    digest: StateDigest,
}

impl Out {
    fn put(&mut self, line: &[u8]) {
        self.digest.add(line);
        self.lines += 1;
        self.bytes.extend_from_slice(line);
        self.bytes.extend_from_slice(&END);
    }

    fn done(self) -> Merged {
        let info = ShardInfo {
            hash: hash(&self.bytes),
            bytes: self.bytes.len() as u64,
            lines: self.lines,
            digest: self.digest,
        };
        Merged { bytes: self.bytes, info }
    }
}
