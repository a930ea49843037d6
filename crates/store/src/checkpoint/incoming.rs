//! Another node's checkpoint on its way here. Its files come in pieces, of which each is looked at before
//! it is kept; what is kept counts for nothing before all of one manifest came.

use std::collections::{BTreeMap, BTreeSet};

use cocli_core::digest::{Hasher, hash};
use cocli_core::limits::{LOGS_MAX, MANIFEST_BYTES_MAX, ODD_TAKEN_BYTES_MAX, RUNS_MAX};
use cocli_core::{LogId, SortedFile};
use serde::{Deserialize, Serialize};

use super::lines::Lines;
use super::manifest::{Manifest, RULES};
use super::odd::{OddRecord, entries};
use super::source::Piece;
use super::tell::lines_at;
use crate::disk::{Disk, FileKind, SharedDisk};
use crate::error::{Result, Tried, if_there};
use crate::journal::{is_rot, replace};
use crate::paths;

mod lacking;

/// Bytes that are read in one step of looking at what came before.
const STEP_BYTES: usize = 1024 * 1024;

/// What came of another node's checkpoint.
#[derive(Debug)]
pub struct Incoming {
    disk: SharedDisk,
    pub(super) manifest: Manifest,
    /// The files that are whole and durable, as was seen in this life, each with its parts.
    whole: BTreeMap<SortedFile, Parts>,
    /// The file that is under way.
    open: Option<Open>,
    odd: Odd,
}

/// Shards that a file has lines of, each with the bytes up to its end.
type Parts = Vec<(u8, u64)>;

/// A file under way.
#[derive(Debug)]
struct Open {
    file: SortedFile,
    lines: Lines,
    /// Of all bytes that were looked at.
    hasher: Hasher,
}

/// How far the list of odd records came.
#[derive(Debug, Default)]
struct Odd {
    bytes: u64,
    last: Option<(LogId, u64)>,
    hasher: Hasher,
    /// No more come, or too many.
    ended: bool,
}

/// What is asked for next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// Lines of a file, from this byte on.
    Lines(SortedFile, u64),
    /// Odd records behind this one, by its log and position.
    Odd(Option<(LogId, u64)>),
}

/// What became of a piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// It is kept.
    Kept,
    /// It is not what is wanted next.
    Elsewhere,
    /// It is not what it should be, for this reason: nothing of it is kept.
    Refused(String),
}

/// That all of it is there.
#[derive(Serialize, Deserialize)]
struct Whole {
    logs: Vec<String>,
    /// Hash of the list of odd records; none where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    odd: Option<String>,
}

impl Incoming {
    /// Begins with the manifest that another node told; files that it names too and that came before are
    /// kept. Why not, if it cannot be taken.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn begin(disk: SharedDisk, told: &[u8]) -> Result<Result<Self, String>> {
        Self::with(disk, told, BTreeMap::new())
    }

    /// As [`Incoming::begin`], where this was under way: what is known to be whole is not looked at again.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn begin_again(self, told: &[u8]) -> Result<Result<Self, String>> {
        Self::with(self.disk, told, self.whole)
    }

    fn with(
        disk: SharedDisk,
        told: &[u8],
        mut whole: BTreeMap<SortedFile, Parts>,
    ) -> Result<Result<Self, String>> {
        let manifest = match readable(told) {
            Ok(manifest) => manifest,
            Err(why) => return Ok(Err(why)),
        };
        if disk.stat(paths::INCOMING).tried("look at", paths::INCOMING)?.is_none() {
            disk.make_folder(paths::INCOMING).tried_to_write(paths::INCOMING, 0)?;
        }
        // From here on what is there is no longer whole.
        remove(&*disk, paths::INCOMING_WHOLE)?;
        replace(&*disk, paths::INCOMING_MANIFEST, told)?;
        let named: BTreeMap<SortedFile, Parts> = manifest.sorted_files().collect();
        let kept: BTreeSet<String> = named.keys().map(|file| paths::incoming(*file)).collect();
        for path in files(&*disk)? {
            if path != paths::INCOMING_MANIFEST && !kept.contains(&path) {
                remove(&*disk, &path)?;
            }
        }
        whole.retain(|file, parts| named.get(file) == Some(parts));
        Ok(Ok(Self { disk, manifest, whole, open: None, odd: Odd::default() }))
    }

    /// What is wanted next; nothing when all of it is there.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn wanted(&mut self) -> Result<Option<Wanted>> {
        if let Some(open) = &self.open {
            return Ok(Some(Wanted::Lines(open.file, open.lines.at())));
        }
        let files: Vec<_> = self.manifest.sorted_files().collect();
        for (file, parts) in files {
            if !self.whole.contains_key(&file)
                && let Some(at) = self.reopen(file, parts)?
            {
                return Ok(Some(Wanted::Lines(file, at)));
            }
        }
        Ok((!self.odd.ended).then(|| Wanted::Odd(self.odd.last.clone())))
    }

    /// Looks at what came of a file before, and gives from where on it is wanted; nothing when it is whole.
    fn reopen(&mut self, file: SortedFile, parts: Parts) -> Result<Option<u64>> {
        let path = paths::incoming(file);
        let (mut lines, mut hasher) = (Lines::new(parts.clone()), Hasher::default());
        while lines.at() < lines.end() {
            let step = lines_at(&*self.disk, &path, lines.at(), STEP_BYTES);
            let Ok(Some(bytes)) = step else { break };
            if bytes.is_empty() || lines.take(&bytes).is_some() {
                break;
            }
            hasher.add(&bytes);
        }
        if lines.at() < lines.end() {
            if self.disk.stat(&path).tried("look at", &path)?.is_some() {
                self.disk.cut(&path, lines.at()).tried("cut", &path)?;
            }
        } else if hasher.done() == file.hash {
            self.is_durable(file, parts)?;
            return Ok(None);
        } else {
            // Its lines are lines, and not those that it is named by.
            remove(&*self.disk, &path)?;
            (lines, hasher) = (Lines::new(parts), Hasher::default());
        }
        let at = lines.at();
        self.open = Some(Open { file, lines, hasher });
        Ok(Some(at))
    }

    /// Makes a whole file durable. What a failed sync leaves is not believed by a later one.
    fn is_durable(&mut self, file: SortedFile, parts: Parts) -> Result<()> {
        let path = paths::incoming(file);
        if let Err(error) = self.disk.sync(&path) {
            remove(&*self.disk, &path)?;
            return Err(error).tried("sync", &path);
        }
        self.whole.insert(file, parts);
        Ok(())
    }

    /// Takes a piece of a file.
    ///
    /// # Errors
    /// When the disk refuses: nothing of it counts.
    pub fn take(&mut self, file: SortedFile, offset: u64, bytes: &[u8]) -> Result<Taken> {
        if self.wanted()? != Some(Wanted::Lines(file, offset)) || bytes.is_empty() {
            return Ok(Taken::Elsewhere);
        }
        let Some(mut open) = self.open.take() else { return Ok(Taken::Elsewhere) };
        let path = paths::incoming(file);
        let mut looked = open.lines.clone();
        if let Some(why) = looked.take(bytes) {
            self.open = Some(open);
            return Ok(Taken::Refused(format!("{path}: {why}")));
        }
        // Where this fails, what stands there is looked at before the next piece.
        let written = self.disk.write_at(&path, offset, bytes, false);
        written.tried_to_write(&path, bytes.len() as u64)?;
        open.lines = looked;
        open.hasher.add(bytes);
        if open.lines.at() < open.lines.end() {
            self.open = Some(open);
            return Ok(Taken::Kept);
        }
        if open.hasher.done() == file.hash {
            self.is_durable(file, open.lines.parts())?;
            return Ok(Taken::Kept);
        }
        remove(&*self.disk, &path)?;
        Ok(Taken::Refused(format!("{path}: its bytes are not those that it is named by")))
    }

    /// Takes entries of the list of odd records, or, when there are none, that no more come. Of more than
    /// [`ODD_TAKEN_BYTES_MAX`] the rest is left.
    ///
    /// # Errors
    /// When the disk refuses: nothing of it counts.
    pub fn take_odd(&mut self, bytes: &[u8]) -> Result<Taken> {
        if !matches!(self.wanted()?, Some(Wanted::Odd(_))) {
            return Ok(Taken::Elsewhere);
        }
        let all = self.odd.bytes + bytes.len() as u64;
        if bytes.is_empty() || all > ODD_TAKEN_BYTES_MAX {
            self.odd.ended = true;
            return Ok(Taken::Kept);
        }
        let path = paths::INCOMING_ODD;
        let Some(read) = entries(bytes) else {
            return Ok(Taken::Refused(format!("{path}: expected whole odd records")));
        };
        let mut last = self.odd.last.clone();
        for odd in read {
            let key = Some((odd.log, odd.position));
            if key <= last {
                return Ok(Taken::Refused(format!("{path}: one stands behind a later one")));
            }
            last = key;
        }
        if self.odd.bytes == 0 {
            remove(&*self.disk, path)?;
        }
        let written = self.disk.write_at(path, self.odd.bytes, bytes, false);
        written.tried_to_write(path, bytes.len() as u64)?;
        self.odd.hasher.add(bytes);
        (self.odd.bytes, self.odd.last) = (all, last);
        Ok(Taken::Kept)
    }

    /// Bytes that came, and bytes that there are.
    #[must_use]
    pub fn progress(&self) -> (u64, u64) {
        let of = |file: &SortedFile, parts: &[(u8, u64)]| {
            let all = parts.last().map_or(0, |part| part.1);
            let open = self.open.as_ref().filter(|open| open.file == *file);
            let came = if self.whole.contains_key(file) { all } else { 0 };
            (open.map_or(came, |open| open.lines.at()), all)
        };
        let all = self.manifest.sorted_files().map(|(file, parts)| of(&file, &parts));
        all.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    }

    /// Says, durably, that all of it is there, and that `logs` go on from its frontier: the next compaction
    /// joins it. False when something is missing.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn is_whole(&mut self, logs: &BTreeSet<LogId>) -> Result<bool> {
        if self.wanted()?.is_some() {
            return Ok(false);
        }
        let mut odd = None;
        if self.odd.bytes > 0 {
            self.disk.sync(paths::INCOMING_ODD).tried("sync", paths::INCOMING_ODD)?;
            odd = Some(format!("{:032x}", self.odd.hasher.done()));
        }
        self.disk.sync_folder(paths::INCOMING).tried("sync", paths::INCOMING)?;
        let whole = Whole { logs: logs.iter().map(LogId::to_string).collect(), odd };
        let text = serde_json::to_vec(&whole).unwrap_or_default();
        replace(&*self.disk, paths::INCOMING_WHOLE, &text)?;
        Ok(true)
    }
}

/// Another node's checkpoint that is whole here.
pub(super) struct Came {
    pub(super) manifest: Manifest,
    /// The logs that go on from its frontier.
    pub(super) logs: BTreeSet<LogId>,
    /// Hash of its list of odd records.
    odd: Option<String>,
}

/// What is whole, if anything is.
///
/// # Errors
/// When it cannot be read.
pub(super) fn whole(disk: &dyn Disk) -> Result<Option<Came>> {
    let read = if_there(disk.read(paths::INCOMING_WHOLE)).tried("read", paths::INCOMING_WHOLE)?;
    let whole = read.and_then(|text| serde_json::from_slice::<Whole>(&text).ok());
    let Some(whole) = whole else { return Ok(None) };
    let read = match disk.read(paths::INCOMING_MANIFEST) {
        Err(error) if is_rot(&error) => None,
        read => if_there(read).tried("read", paths::INCOMING_MANIFEST)?,
    };
    let Some(manifest) = read.and_then(|text| readable(&text).ok()) else { return Ok(None) };
    let logs = whole.logs.iter().filter_map(|log| LogId::read(log).ok()).collect();
    Ok(Some(Came { manifest, logs, odd: whole.odd }))
}

impl Came {
    /// The odd records that came with it; none where they are not those that came.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(super) fn odd(&self, disk: &dyn Disk) -> Result<Option<Vec<OddRecord>>> {
        let Some(expected) = &self.odd else { return Ok(Some(Vec::new())) };
        let read = match disk.read(paths::INCOMING_ODD) {
            Err(error) if is_rot(&error) => None,
            read => if_there(read).tried("read", paths::INCOMING_ODD)?,
        };
        let same = read.filter(|bytes| format!("{:032x}", hash(bytes)) == *expected);
        Ok(same.and_then(|bytes| entries(&bytes)))
    }
}

/// Whether another node's checkpoint is whole here, and waits to be joined.
///
/// # Errors
/// When it cannot be read.
pub fn waits(disk: &dyn Disk) -> Result<bool> {
    Ok(whole(disk)?.is_some())
}

/// Where lines of a shard stand in what came.
pub(super) fn pieces(manifest: &Manifest, shard: u8) -> Vec<Piece> {
    let here = |piece: Piece| {
        let name = piece.path.rsplit('/').next().unwrap_or_default();
        Piece { path: paths::in_incoming(name), ..piece }
    };
    manifest.pieces(shard).into_iter().map(here).collect()
}

/// Takes all that came away.
///
/// # Errors
/// When the disk refuses: what is left goes with the next.
pub(super) fn clear(disk: &dyn Disk) -> Result<()> {
    // Without its first word the rest counts for nothing.
    remove(disk, paths::INCOMING_WHOLE)?;
    for path in files(disk)? {
        remove(disk, &path)?;
    }
    Ok(())
}

/// What is readable as a manifest that can be taken, or why not.
fn readable(text: &[u8]) -> Result<Manifest, String> {
    if text.len() > MANIFEST_BYTES_MAX {
        return Err(format!("expected a manifest of at most {MANIFEST_BYTES_MAX} bytes"));
    }
    let manifest = Manifest::of_text(None, text).ok_or("expected a manifest of this version")?;
    if manifest.rules != RULES {
        return Err(format!(
            "it was made by other reading rules ({}, here {RULES}): it can be taken when both nodes run the same version of cocli, and the other one has compacted",
            manifest.rules
        ));
    }
    let many = manifest.runs() > RUNS_MAX || manifest.frontier.0.len() > LOGS_MAX;
    let empty = manifest.sorted_files().any(|(_, parts)| parts.last().is_none_or(|p| p.1 == 0));
    if many || empty {
        Err("its runs, logs or files are too many, or empty".to_owned())
    } else {
        Ok(manifest)
    }
}

fn files(disk: &dyn Disk) -> Result<Vec<String>> {
    let there = if_there(disk.list(paths::INCOMING)).tried("list", paths::INCOMING)?;
    let file = |(name, kind): (String, FileKind)| {
        (kind == FileKind::File).then(|| paths::in_incoming(&name))
    };
    Ok(there.into_iter().flatten().filter_map(file).collect())
}

fn remove(disk: &dyn Disk, path: &str) -> Result<()> {
    if_there(disk.remove(path)).tried("remove", path).map(|_| ())
}
