//! Puts cards in place such that an editor that saves at the same moment loses nothing, and neither
//! does a power cut.
//!
//! The new text waits in `.cocli/swap/` under a name that ends in `.new` until it and the projection
//! are durable; then it gets its bare name and changes places with the card. So what stands there under
//! a bare name after a crash is whole, and may be what a person wrote.

use std::io;

use cocli_core::digest::{hash, shard};
use cocli_core::{Instant, Target};

use super::kept::{self, FileMark, History, Kept, Shelf};
use super::projection::Projection;
use super::quiet::Quiet;
use crate::disk::{Disk, FileKind};
use crate::error::{Result, StoreError, Tried, if_there};
use crate::lock::HomeLock;
use crate::paths;
use crate::side::by_side;

/// A text that is to be put in place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePut {
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
    /// The card, relative to the home: [`paths::card`].
    pub file: String,
    /// Its text; `None` leaves the card.
    pub card: Option<FilePut>,
    /// The text of the list of tags, [`paths::tags`]; `None` leaves that.
    pub tags: Option<FilePut>,
    /// Size and time of change of the list of tags that was read.
    pub tags_read: Option<FileMark>,
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

/// What a crash left in `.cocli/swap/`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Leftovers {
    /// To be taken in.
    pub files: Vec<Leftover>,
    /// What is of no target that is known here and may be a person's: where it was, and where it is now.
    pub aside: Vec<(String, String)>,
}

/// Puts cards in place: all projections and texts are durable before the first card changes. One that
/// cannot be written costs the others nothing; [`leftovers`] finds what is left of it.
///
/// # Errors
/// When the projections and texts cannot be made durable: then no card was changed.
pub fn place(
    disk: &dyn Disk,
    lock: &HomeLock,
    (now, quiet): (Instant, &Quiet),
    batch: &[CardPut],
) -> Result<Vec<Result<CardPlaced>>> {
    let spots: Vec<Spots<'_>> = batch.iter().map(Spots::of).collect();
    let staged = stage(disk, now, &spots).and_then(|lines| kept::append(disk, lock, &lines));
    let synced = staged.and_then(|mut appended| {
        appended.files.extend(spots.iter().flat_map(Spots::fresh));
        kept::sync(disk, &appended)
    });
    synced.inspect_err(|_| discard(disk, &spots))?;
    Ok(by_side(&spots, |spots| spots.exchange(disk, quiet)))
}

/// Writes the new texts beside and gives the lines that are to be kept.
fn stage(disk: &dyn Disk, now: Instant, spots: &[Spots<'_>]) -> Result<Vec<Kept>> {
    let kept = |spots: &Spots<'_>| -> Result<Kept> {
        let put = spots.put;
        let write =
            |spot: &Option<Spot<'_>>| spot.as_ref().map(|spot| spot.write(disk)).transpose();
        Ok(Kept {
            target: put.target.clone(),
            rev: put.projection.rev(),
            instant: now,
            file: put.file.clone(),
            card: write(&spots.card)?,
            tags: write(&spots.tags)?,
            tags_read: put.tags_read.filter(|_| spots.tags.as_ref().is_some_and(|s| !s.is_there())),
            projection: put.projection.clone(),
        })
    };
    // The folder once, before several threads look for it.
    if let Some(first) = spots.iter().find_map(|spots| spots.fresh().next()) {
        let folder = paths::folder(&first);
        if disk.stat(folder).tried("look at", folder)?.is_none() {
            disk.make_folder(folder).tried("make the folder", folder)?;
        }
    }
    by_side(spots, kept).into_iter().collect()
}

/// The texts of one card on their way.
struct Spots<'a> {
    put: &'a CardPut,
    card: Option<Spot<'a>>,
    tags: Option<Spot<'a>>,
}

impl<'a> Spots<'a> {
    fn of(put: &'a CardPut) -> Self {
        Self { put, card: put.card(), tags: put.tags() }
    }

    /// The files that are written beside.
    fn fresh(&self) -> impl Iterator<Item = String> {
        let both = [&self.card, &self.tags].into_iter().flatten();
        both.filter(|spot| !spot.is_there()).map(|spot| spot.fresh.clone())
    }

    fn exchange(&self, disk: &dyn Disk, quiet: &Quiet) -> Result<CardPlaced> {
        let one = |spot: &Option<Spot<'_>>| {
            spot.as_ref().map(|spot| spot.exchange(disk, quiet)).transpose()
        };
        Ok(CardPlaced { card: one(&self.card)?, tags: one(&self.tags)? })
    }
}

impl CardPut {
    fn card(&self) -> Option<Spot<'_>> {
        Some(Spot::new(&self.target, self.file.clone(), self.card.as_ref()?))
    }

    fn tags(&self) -> Option<Spot<'_>> {
        Some(Spot::new(&self.target, paths::tags(&self.target)?, self.tags.as_ref()?))
    }
}

/// A text on its way to its place.
struct Spot<'a> {
    put: &'a FilePut,
    /// Where it shall stand.
    path: String,
    /// Where it waits, whole.
    bare: String,
    /// Where it is written.
    fresh: String,
}

impl<'a> Spot<'a> {
    fn new(target: &Target, path: String, put: &'a FilePut) -> Self {
        let bare = paths::swap(shard(target), hash(path.as_bytes()));
        let fresh = paths::fresh(&bare);
        Self { put, path, bare, fresh }
    }

    /// Whether the text stands there already.
    fn is_there(&self) -> bool {
        self.put.read.as_ref() == Some(&self.put.text)
    }

    fn write(&self, disk: &dyn Disk) -> Result<FileMark> {
        if self.is_there() {
            let stat = disk.stat(&self.path).tried("look at", &self.path)?;
            // Who saved since it was read is told apart by no mark, and met by `standing`.
            let bytes = if_there(disk.read(&self.path)).tried("read", &self.path)?;
            let stat = stat.filter(|_| bytes.as_ref() == Some(&self.put.text));
            return Ok(stat.map_or(FileMark { len: 0, modified_ns: 0 }, FileMark::from));
        }
        // A crash may have left one there: all of it goes.
        let bytes = self.put.text.len() as u64;
        let stat = disk.put(&self.fresh, &self.put.text).tried_to_write(&self.fresh, bytes)?;
        Ok(FileMark::from(stat))
    }

    /// Puts the durable text in its place.
    fn exchange(&self, disk: &dyn Disk, quiet: &Quiet) -> Result<Placed> {
        let placed = self.try_exchange(disk)?;
        let Placed::Raced(Raced { bytes, swap }) = &placed else { return Ok(placed) };
        // Who wrote in that moment may not be done. They go on in the same file, wherever it is now.
        let path = swap.as_ref().unwrap_or(&self.path);
        let read = if_there(quiet.read(disk, path)).tried("read", path)?;
        let bytes = read.map_or_else(|| bytes.clone(), |(bytes, _)| bytes);
        Ok(Placed::Raced(Raced { bytes, swap: swap.clone() }))
    }

    fn try_exchange(&self, disk: &dyn Disk) -> Result<Placed> {
        if self.is_there() {
            return self.standing(disk);
        }
        // What has nobody's place needs none of its own: nothing of a person's comes out.
        let Some(read) = &self.put.read else { return self.first(disk, &self.fresh) };
        match disk.rename_new(&self.fresh, &self.bare) {
            // A crash left it, or somebody has not yet taken it in: it may be a person's.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let bytes = disk.read(&self.bare).tried("read", &self.bare)?;
                disk.remove(&self.fresh).tried("remove", &self.fresh)?;
                return Ok(Placed::Raced(Raced { bytes, swap: Some(self.bare.clone()) }));
            }
            other => other.tried("rename", &self.fresh)?,
        }
        match disk.exchange(&self.bare, &self.path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                return self.compare_and_rename(disk, read);
            }
            // Somebody removed it: that removes nothing.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return self.first(disk, &self.bare);
            }
            Err(error) => return self.give_up(disk, &self.bare, error),
        }
        let bytes = disk.read(&self.bare).tried("read", &self.bare)?;
        if bytes != *read {
            return Ok(Placed::Raced(Raced { bytes, swap: Some(self.bare.clone()) }));
        }
        disk.remove(&self.bare).tried("remove", &self.bare)?;
        Ok(Placed::Done)
    }

    /// A file that has the text already must still have it now that its mark is kept.
    fn standing(&self, disk: &dyn Disk) -> Result<Placed> {
        let bytes = disk.read(&self.path).tried("read", &self.path)?;
        if bytes == self.put.text {
            return Ok(Placed::Done);
        }
        Ok(Placed::Raced(Raced { bytes, swap: None }))
    }

    /// A card where none stood, from where it waits.
    fn first(&self, disk: &dyn Disk, from: &str) -> Result<Placed> {
        let mut renamed = disk.rename_new(from, &self.path);
        if matches!(&renamed, Err(error) if error.kind() == io::ErrorKind::NotFound) {
            renamed = disk
                .make_folder_unsynced(paths::folder(&self.path))
                .and_then(|()| disk.rename_new(from, &self.path));
        }
        match renamed {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => self.taken(disk, from),
            Err(error) => self.give_up(disk, from, error),
            Ok(()) => Ok(Placed::Done),
        }
    }

    /// The place cannot be written: the text that waits for it is ours alone, and goes.
    fn give_up(&self, disk: &dyn Disk, from: &str, error: io::Error) -> Result<Placed> {
        let _ = disk.remove(from);
        Err(error).tried("put in place", &self.path)
    }

    /// For file systems that cannot exchange: a short moment stays in which a save is lost.
    fn compare_and_rename(&self, disk: &dyn Disk, read: &[u8]) -> Result<Placed> {
        match if_there(disk.read(&self.path)).tried("read", &self.path)? {
            None => self.first(disk, &self.bare),
            Some(bytes) if bytes == read => match disk.rename(&self.bare, &self.path) {
                Err(error) => self.give_up(disk, &self.bare, error),
                Ok(()) => Ok(Placed::Done),
            },
            Some(_) => self.taken(disk, &self.bare),
        }
    }

    /// The place is taken: the new text goes, what stands there is to be taken in.
    fn taken(&self, disk: &dyn Disk, from: &str) -> Result<Placed> {
        let bytes = disk.read(&self.path).tried("read", &self.path)?;
        disk.remove(from).tried("remove", from)?;
        Ok(Placed::Raced(Raced { bytes, swap: None }))
    }
}

/// Whether a text waits to be put in this file's place, or a crash left one.
#[must_use]
pub fn is_under_way(disk: &dyn Disk, target: &Target, file: &str) -> bool {
    let bare = paths::swap(shard(target), hash(file.as_bytes()));
    [paths::fresh(&bare), bare].iter().any(|path| !matches!(disk.stat(path), Ok(None)))
}

/// What a crash left in `.cocli/swap/`, each to be taken in like a card that was found changed. What
/// was never in a card's place, and lists of tags that were ours or taken in, are removed. What nobody
/// can tell whose it is goes to `.cocli/aside/`.
///
/// # Errors
/// Of the disk.
pub fn leftovers(disk: &dyn Disk, _lock: &HomeLock, quiet: &Quiet) -> Result<Leftovers> {
    let mut left = Leftovers::default();
    for (name, kind) in disk.list(paths::SWAP).tried("list", paths::SWAP)? {
        if kind != FileKind::File {
            continue;
        }
        let swap = format!("{}/{name}", paths::SWAP);
        if name.ends_with(".new") {
            disk.remove(&swap).tried("remove", &swap)?;
            continue;
        }
        // The editor that had it open may have outlived us, and write to it still.
        let (bytes, mark) = quiet.read(disk, &swap).tried("read", &swap)?;
        let Some((history, path)) = owner(disk, &swap)? else {
            let aside = paths::nobodys(hash(&bytes));
            put_aside(disk, &swap, &aside)?;
            left.aside.push((swap, aside));
            continue;
        };
        match leftover(&history, path, bytes, mark, swap.clone()) {
            Some(leftover) => left.files.push(leftover),
            None => disk.remove(&swap).tried("remove", &swap)?,
        }
    }
    Ok(left)
}

/// The targets of files that a crash left in `.cocli/swap/`, and that [`leftovers`] may give.
///
/// # Errors
/// Of the disk.
pub fn left_behind(disk: &dyn Disk) -> Result<Vec<Target>> {
    let mut targets = Vec::new();
    for (name, kind) in disk.list(paths::SWAP).tried("list", paths::SWAP)? {
        if kind == FileKind::File && !name.ends_with(".new") {
            let owner = owner(disk, &format!("{}/{name}", paths::SWAP))?;
            let history = owner.map(|(history, _)| history).unwrap_or_default();
            targets.extend(history.latest().map(|kept| kept.target.clone()));
        }
    }
    Ok(targets)
}

/// The target whose card or list of tags has this place in `.cocli/swap/`, with its history.
fn owner(disk: &dyn Disk, swap: &str) -> Result<Option<(History, String)>> {
    let shard = swap.rsplit('/').next().and_then(|name| name.get(..2));
    let Some(shard) = shard.and_then(|shard| u8::from_str_radix(shard, 16).ok()) else {
        return Ok(None);
    };
    let shelf = Shelf::read(disk, shard)?;
    for head in shelf.heads() {
        let Ok(target) = Target::read(head.target) else { continue };
        for path in std::iter::once(head.file.into_owned()).chain(paths::tags(&target)) {
            if paths::swap(shard, hash(path.as_bytes())) == swap {
                // Of lines that cannot be restored nobody knows what they showed.
                let history = shelf.history(&target);
                return Ok(history.latest().is_some().then_some((history, path)));
            }
        }
    }
    Ok(None)
}

/// `None` when a list of tags is one that we wrote, or that was taken in.
fn leftover(
    history: &History,
    path: String,
    bytes: Vec<u8>,
    mark: Option<FileMark>,
    swap: String,
) -> Option<Leftover> {
    let target = history.latest()?.target.clone();
    let is_tags = paths::tags(&target).as_ref() == Some(&path);
    let mut before = None;
    if is_tags {
        if mark.is_some_and(|mark| history.knows_tags(mark)) {
            return None;
        }
        let last = history.kept().iter().rev();
        before = last.clone().nth(1).or(last.clone().next()).map(|kept| kept.projection.clone());
    }
    Some(Leftover { target, path, bytes, swap, before })
}

/// Removes a file in `.cocli/swap/` whose content was `taken` in and synced. One that says something else
/// by now, since somebody still had it open, stays for the next look.
///
/// # Errors
/// Of the disk, but for a file that is not there.
pub fn forget(disk: &dyn Disk, _lock: &HomeLock, swap: &str, taken: &[u8]) -> Result<()> {
    if !swap.starts_with(paths::SWAP) {
        let why = "expected a file in .cocli/swap/";
        return Err(StoreError::BadPath { path: swap.to_owned(), why });
    }
    match if_there(disk.read(swap)).tried("read", swap)? {
        Some(bytes) if bytes == taken => disk.remove(swap).tried("remove", swap),
        _ => Ok(()),
    }
}

/// Gives a person's bytes, which cannot be taken in yet, their place back: by exchange with what we
/// put there, as long as that is untouched. Else a newer save stands there; then the bytes go aside,
/// and the path is given.
///
/// # Errors
/// Of the disk.
pub fn give_back(
    disk: &dyn Disk,
    _lock: &HomeLock,
    target: &Target,
    path: &str,
    swap: &str,
) -> Result<Option<String>> {
    let shelf = Shelf::read(disk, shard(target))?;
    let head = shelf.head(target.as_str());
    let ours = head.and_then(|head| if head.file == path { head.card } else { head.tags });
    let mark = |path: &str| Ok(disk.stat(path).tried("look at", path)?.map(FileMark::from));
    if ours.is_some() && mark(path)? == ours {
        match disk.exchange(swap, path) {
            Ok(()) if mark(swap)? == ours => {
                return disk.remove(swap).tried("remove", swap).map(|()| None);
            }
            // Somebody saved between the look and the exchange: what came out is theirs, too.
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                return disk.rename(swap, path).tried("put in place", path).map(|()| None);
            }
            Err(error) => return Err(error).tried("put in place", path),
        }
    }
    let bytes = disk.read(swap).tried("read", swap)?;
    let ending = path.rsplit('.').next().unwrap_or("md");
    let aside = paths::removed(target, hash(&bytes), ending);
    put_aside(disk, swap, &aside)?;
    Ok(Some(aside))
}

fn put_aside(disk: &dyn Disk, swap: &str, aside: &str) -> Result<()> {
    disk.make_folder(paths::ASIDE).tried("make the folder", paths::ASIDE)?;
    disk.rename(swap, aside).tried("put aside", swap)
}

fn discard(disk: &dyn Disk, spots: &[Spots<'_>]) {
    for path in spots.iter().flat_map(Spots::fresh) {
        // It is ours alone; the next start removes what stays.
        let _ = disk.remove(&path);
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
