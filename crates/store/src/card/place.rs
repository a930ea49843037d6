//! Puts cards in place such that an editor that saves at the same moment loses nothing, and neither
//! does a power cut.
//!
//! The new text waits in `.cocli/swap/` under a name that ends in `.new` until it and the projection
//! are durable; then it gets its bare name and changes places with the card. So what stands there under
//! a bare name after a crash is whole, and may be what a person wrote.

use std::collections::BTreeSet;
use std::io;

use cocli_core::digest::{hash, shard};
use cocli_core::{Field, Instant, Target};

use super::kept::{self, FileMark, History, Kept};
use super::projection::Projection;
use super::tags;
use crate::disk::{Disk, FileKind};
use crate::error::{Result, StoreError, Tried, if_there};
use crate::lock::HomeLock;
use crate::paths;

/// One file that is to be put in place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePut {
    /// Relative to the home: [`paths::card`] or [`paths::tags`].
    pub path: String,
    /// What was read there before; `None` when nothing stood there.
    pub read: Option<Vec<u8>>,
    /// What shall stand there.
    pub text: Vec<u8>,
}

/// A card that is to be put in place, with its list of tags where that changes too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardPut {
    /// Of which target.
    pub target: Target,
    /// What the card shows.
    pub projection: Projection,
    /// The card; `None` leaves it.
    pub card: Option<FilePut>,
    /// The list of tags; `None` leaves it.
    pub tags: Option<FilePut>,
}

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placed {
    /// The text stands there.
    Done,
    /// Somebody wrote there in between.
    Raced(Raced),
}

/// What somebody wrote while a card was put in place: to be taken in, then the card rendered again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raced {
    /// The bytes found.
    pub bytes: Vec<u8>,
    /// Where they are kept, if the new text took their place: to be given to [`forget`] once they are
    /// taken in and synced. Without it they still stand where they were written.
    pub swap: Option<String>,
}

/// What became of a [`CardPut`]; `None` where nothing was to be put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardPlaced {
    /// The card.
    pub card: Option<Placed>,
    /// The list of tags.
    pub tags: Option<Placed>,
}

/// A file that a crash left in `.cocli/swap/`: what stood in the card's place, perhaps with an edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    /// Of which target.
    pub target: Target,
    /// The file whose place it had.
    pub path: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// For [`forget`], once they are taken in and synced.
    pub swap: String,
    /// What a list of tags showed before the change that was cut off; a card says it by its `_rev`.
    pub before: Option<Projection>,
}

/// Puts cards in place: all projections and texts are durable before the first card changes.
///
/// # Errors
/// Of the disk. Cards before the failing one may have been put in place; [`leftovers`] finds what is
/// left of that one.
pub fn place(
    disk: &dyn Disk,
    lock: &HomeLock,
    now: Instant,
    batch: &[CardPut],
) -> Result<Vec<CardPlaced>> {
    let mut fresh = BTreeSet::new();
    let mut lines = Vec::with_capacity(batch.len());
    for put in batch {
        let prepared = prepare(disk, now, put, &mut fresh);
        lines.extend(prepared.inspect_err(|_| discard(disk, &fresh))?);
    }
    let appended = kept::append(disk, lock, &lines).inspect_err(|_| discard(disk, &fresh))?;
    let synced: BTreeSet<String> = fresh.iter().cloned().chain(appended).collect();
    kept::sync(disk, &synced).inspect_err(|_| discard(disk, &fresh))?;
    let files = |put: &CardPut| -> Result<CardPlaced> {
        let one = |file: &Option<FilePut>| {
            file.as_ref().map(|file| exchange(disk, &put.target, file)).transpose()
        };
        Ok(CardPlaced { card: one(&put.card)?, tags: one(&put.tags)? })
    };
    batch.iter().map(files).collect()
}

/// Writes the new texts beside and gives the line that is to be kept.
fn prepare(
    disk: &dyn Disk,
    now: Instant,
    put: &CardPut,
    fresh: &mut BTreeSet<String>,
) -> Result<Option<Kept>> {
    let mut mark = |file: &Option<FilePut>| -> Result<Option<FileMark>> {
        file.as_ref().map(|file| write_fresh(disk, &put.target, file, fresh)).transpose()
    };
    let (card, tags) = (mark(&put.card)?, mark(&put.tags)?);
    let before = match (&put.card, &put.tags) {
        (Some(_), Some(_)) => None,
        _ => History::read(disk, &put.target)?.latest().cloned(),
    };
    let file = put.card.as_ref().map(|file| file.path.clone());
    let file = file.or_else(|| before.as_ref().map(|kept| kept.file.clone()));
    Ok(file.map(|file| Kept {
        target: put.target.clone(),
        rev: put.projection.rev(),
        instant: now,
        file,
        card: card.or_else(|| before.as_ref()?.card),
        tags: tags.or_else(|| before.as_ref()?.tags),
        projection: put.projection.clone(),
    }))
}

fn write_fresh(
    disk: &dyn Disk,
    target: &Target,
    file: &FilePut,
    fresh: &mut BTreeSet<String>,
) -> Result<FileMark> {
    let path = if file.is_there() { file.path.clone() } else { paths::fresh(&swap(target, file)) };
    if !file.is_there() {
        // The name first: what is left of a failed write is removed by it.
        fresh.insert(path.clone());
        write(disk, &path, 0, &file.text, false)?;
        disk.cut(&path, file.text.len() as u64).tried("cut", &path)?;
    }
    let stat = disk.stat(&path).tried("look at", &path)?;
    Ok(stat.map_or(FileMark { len: 0, modified_ns: 0 }, FileMark::from))
}

impl FilePut {
    /// Whether the text stands there already.
    fn is_there(&self) -> bool {
        self.read.as_ref() == Some(&self.text)
    }
}

fn swap(target: &Target, file: &FilePut) -> String {
    paths::swap(shard(target), hash(file.path.as_bytes()))
}

/// Puts one durable text in its place.
fn exchange(disk: &dyn Disk, target: &Target, file: &FilePut) -> Result<Placed> {
    if file.is_there() {
        return standing(disk, file);
    }
    let bare = swap(target, file);
    let fresh = paths::fresh(&bare);
    match disk.rename_new(&fresh, &bare) {
        // A crash left it, or somebody has not yet taken it in: it may be a person's.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let bytes = disk.read(&bare).tried("read", &bare)?;
            disk.remove(&fresh).tried("remove", &fresh)?;
            return Ok(Placed::Raced(Raced { bytes, swap: Some(bare) }));
        }
        other => other.tried("rename", &fresh)?,
    }
    let Some(read) = &file.read else { return first(disk, &bare, file) };
    match disk.exchange(&bare, &file.path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::Unsupported => {
            return compare_and_rename(disk, &bare, file, read);
        }
        // Somebody removed it: that removes nothing.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return first(disk, &bare, file),
        Err(error) => return Err(error).tried("put in place", &file.path),
    }
    let out = disk.read(&bare).tried("read", &bare)?;
    if out != *read {
        return Ok(Placed::Raced(Raced { bytes: out, swap: Some(bare) }));
    }
    disk.remove(&bare).tried("remove", &bare)?;
    Ok(Placed::Done)
}

/// A file that has the text already must still have it now that its mark is kept.
fn standing(disk: &dyn Disk, file: &FilePut) -> Result<Placed> {
    let bytes = disk.read(&file.path).tried("read", &file.path)?;
    if bytes == file.text {
        return Ok(Placed::Done);
    }
    Ok(Placed::Raced(Raced { bytes, swap: None }))
}

/// A card where none stood.
fn first(disk: &dyn Disk, bare: &str, file: &FilePut) -> Result<Placed> {
    let folder = paths::folder(&file.path);
    let mut renamed = disk.rename_new(bare, &file.path);
    if matches!(&renamed, Err(error) if error.kind() == io::ErrorKind::NotFound) {
        disk.make_folder_unsynced(folder).tried("make the folder", folder)?;
        renamed = disk.rename_new(bare, &file.path);
    }
    match renamed {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => taken(disk, bare, file),
        other => other.tried("put in place", &file.path).map(|()| Placed::Done),
    }
}

/// For file systems that cannot exchange: a short moment stays in which a save is lost.
fn compare_and_rename(disk: &dyn Disk, bare: &str, file: &FilePut, read: &[u8]) -> Result<Placed> {
    match if_there(disk.read(&file.path)).tried("read", &file.path)? {
        None => first(disk, bare, file),
        Some(bytes) if bytes == read => {
            disk.rename(bare, &file.path).tried("put in place", &file.path)?;
            Ok(Placed::Done)
        }
        Some(_) => taken(disk, bare, file),
    }
}

/// The place is taken: the new text goes, what stands there is to be taken in.
fn taken(disk: &dyn Disk, bare: &str, file: &FilePut) -> Result<Placed> {
    let bytes = disk.read(&file.path).tried("read", &file.path)?;
    disk.remove(bare).tried("remove", bare)?;
    Ok(Placed::Raced(Raced { bytes, swap: None }))
}

/// What a crash left in `.cocli/swap/`, each to be taken in like a card that was found changed. What
/// was never in a card's place, and lists of tags that were ours, are removed.
///
/// # Errors
/// Of the disk.
pub fn leftovers(disk: &dyn Disk, _lock: &HomeLock) -> Result<Vec<Leftover>> {
    let mut left = Vec::new();
    for (name, kind) in disk.list(paths::SWAP).tried("list", paths::SWAP)? {
        if kind != FileKind::File {
            continue;
        }
        let swap = format!("{}/{name}", paths::SWAP);
        let owner = if name.ends_with(".new") { None } else { owner(disk, &swap)? };
        let Some((history, path)) = owner else {
            disk.remove(&swap).tried("remove", &swap)?;
            continue;
        };
        let bytes = disk.read(&swap).tried("read", &swap)?;
        match leftover(&history, path, bytes, swap.clone()) {
            Some(leftover) => left.push(leftover),
            None => disk.remove(&swap).tried("remove", &swap)?,
        }
    }
    Ok(left)
}

/// The target whose card or list of tags has this place in `.cocli/swap/`, with its history.
fn owner(disk: &dyn Disk, swap: &str) -> Result<Option<(History, String)>> {
    let shard = swap.rsplit('/').next().and_then(|name| name.get(..2));
    let Some(shard) = shard.and_then(|shard| u8::from_str_radix(shard, 16).ok()) else {
        return Ok(None);
    };
    for (target, head) in kept::heads(disk, shard)? {
        let history = || History::read(disk, &target);
        for path in std::iter::once(head.file).chain(paths::tags(&target)) {
            if paths::swap(shard, hash(path.as_bytes())) == swap {
                return Ok(Some((history()?, path)));
            }
        }
    }
    Ok(None)
}

/// `None` when a list of tags is one that we wrote.
fn leftover(history: &History, path: String, bytes: Vec<u8>, swap: String) -> Option<Leftover> {
    let target = history.latest()?.target.clone();
    let is_tags = paths::tags(&target).as_ref() == Some(&path);
    let mut before = None;
    if is_tags {
        let field = Field::read("tags").ok()?;
        let shows = |kept: &Kept| tags::write(&tags::of(kept.projection.values.get(&field)));
        if history.kept().iter().any(|kept| shows(kept).as_bytes() == bytes) {
            return None;
        }
        let last = history.kept().iter().rev();
        before = last.clone().nth(1).or(last.clone().next()).map(|kept| kept.projection.clone());
    }
    Some(Leftover { target, path, bytes, swap, before })
}

/// Removes a file in `.cocli/swap/` whose content was taken in and synced.
///
/// # Errors
/// Of the disk, but for a file that is not there.
pub fn forget(disk: &dyn Disk, _lock: &HomeLock, swap: &str) -> Result<()> {
    if !swap.starts_with(paths::SWAP) {
        let why = "expected a file in .cocli/swap/";
        return Err(StoreError::BadPath { path: swap.to_owned(), why });
    }
    if_there(disk.remove(swap)).tried("remove", swap).map(drop)
}

fn discard(disk: &dyn Disk, fresh: &BTreeSet<String>) {
    for path in fresh {
        // It is ours alone; the next start removes what stays.
        let _ = disk.remove(path);
    }
}

/// Writes, making the folder when it is missing.
pub(super) fn write(
    disk: &dyn Disk,
    path: &str,
    at: u64,
    bytes: &[u8],
    private: bool,
) -> Result<()> {
    let write = || disk.write_at(path, at, bytes, private);
    let mut result = write();
    if matches!(&result, Err(error) if error.kind() == io::ErrorKind::NotFound) {
        let folder = paths::folder(path);
        disk.make_folder(folder).tried("make the folder", folder)?;
        result = write();
    }
    result.tried_to_write(path, bytes.len() as u64)
}
