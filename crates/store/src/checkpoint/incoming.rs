//! Another node's checkpoint on its way here. Its files come in pieces, of which each is looked at before
//! it is kept; what is kept counts for nothing before all of one manifest came.

use std::collections::BTreeSet;

use cocli_core::digest::Hasher;
use cocli_core::limits::{LOGS_MAX, MANIFEST_BYTES_MAX, RUNS_MAX};
use cocli_core::{LogId, SortedFile};
use serde::{Deserialize, Serialize};

use super::fold::sync_all;
use super::lines::Lines;
use super::manifest::{Manifest, RULES};
use super::source::Piece;
use super::tell::lines_at;
use crate::disk::{Disk, FileKind, SharedDisk};
use crate::error::{Result, Tried, if_there};
use crate::journal::{is_rot, replace};
use crate::paths;

/// Bytes that are read in one step of looking at what came before.
const STEP_BYTES: usize = 1024 * 1024;

/// What came of another node's checkpoint.
#[derive(Debug)]
pub struct Incoming {
    disk: SharedDisk,
    pub(super) manifest: Manifest,
    /// The files that are whole, as was seen in this life.
    whole: BTreeSet<SortedFile>,
    /// The file that is under way.
    open: Option<(SortedFile, Lines)>,
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
}

impl Incoming {
    /// What came before, if anything did.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open(disk: SharedDisk) -> Result<Option<Self>> {
        let read = match disk.read(paths::INCOMING_MANIFEST) {
            Err(error) if is_rot(&error) => None,
            read => if_there(read).tried("read", paths::INCOMING_MANIFEST)?,
        };
        let manifest = read.and_then(|text| readable(&text).ok());
        Ok(manifest.map(|manifest| Self::of(disk, manifest)))
    }

    fn of(disk: SharedDisk, manifest: Manifest) -> Self {
        Self { disk, manifest, whole: BTreeSet::new(), open: None }
    }

    /// Begins with the manifest that another node told; files that it names too and that came before are
    /// kept. Why not, if it cannot be taken.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn begin(disk: SharedDisk, told: &[u8]) -> Result<Result<Self, String>> {
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
        let named: BTreeSet<String> =
            manifest.sorted_files().map(|(file, _)| paths::incoming(file)).collect();
        for path in files(&*disk)? {
            if path != paths::INCOMING_MANIFEST && !named.contains(&path) {
                remove(&*disk, &path)?;
            }
        }
        Ok(Ok(Self::of(disk, manifest)))
    }

    /// The file that is wanted next, and from which byte on; nothing when all of it is there.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn wanted(&mut self) -> Result<Option<(SortedFile, u64)>> {
        if let Some((file, lines)) = &self.open {
            return Ok(Some((*file, lines.at())));
        }
        let files: Vec<_> = self.manifest.sorted_files().collect();
        for (file, parts) in files {
            if !self.whole.contains(&file) && !self.reopen(file, parts)? {
                return Ok(self.open.as_ref().map(|(file, lines)| (*file, lines.at())));
            }
        }
        Ok(None)
    }

    /// Looks at what came of a file before; whether it is whole.
    fn reopen(&mut self, file: SortedFile, parts: Vec<(u8, u64)>) -> Result<bool> {
        let (path, mut lines) = (paths::incoming(file), Lines::new(parts));
        let mut hasher = Hasher::default();
        while lines.at() < lines.end() {
            let step = lines_at(&*self.disk, &path, lines.at(), STEP_BYTES);
            let Ok(Some(bytes)) = step else { break };
            if bytes.is_empty() || lines.take(&bytes).is_some() {
                break;
            }
            hasher.add(&bytes);
        }
        let whole = lines.at() == lines.end() && hasher.done() == file.hash;
        if whole {
            self.whole.insert(file);
        } else if lines.at() == lines.end() {
            // Its lines are lines, and not those that it is named by.
            remove(&*self.disk, &path)?;
            let (_, parts) = self
                .manifest
                .sorted_files()
                .find(|(of, _)| *of == file)
                .unwrap_or((file, Vec::new()));
            self.open = Some((file, Lines::new(parts)));
        } else {
            if self.disk.stat(&path).tried("look at", &path)?.is_some() {
                self.disk.cut(&path, lines.at()).tried("cut", &path)?;
            }
            self.open = Some((file, lines));
        }
        Ok(whole)
    }

    /// Takes a piece of a file.
    ///
    /// # Errors
    /// When the disk refuses: nothing of it counts.
    pub fn take(&mut self, file: SortedFile, offset: u64, bytes: &[u8]) -> Result<Taken> {
        if self.wanted()? != Some((file, offset)) || bytes.is_empty() {
            return Ok(Taken::Elsewhere);
        }
        let Some((_, lines)) = &mut self.open else { return Ok(Taken::Elsewhere) };
        let path = paths::incoming(file);
        let mut looked = lines.clone();
        if let Some(why) = looked.take(bytes) {
            return Ok(Taken::Refused(format!("{path}: {why}")));
        }
        if let Err(error) = self.disk.write_at(&path, offset, bytes, false) {
            // What stands there is looked at before the next piece.
            self.open = None;
            return Err(error).tried_to_write(&path, bytes.len() as u64);
        }
        *lines = looked;
        if lines.at() < lines.end() {
            return Ok(Taken::Kept);
        }
        self.open = None;
        if self.is_as_named(file)? {
            self.whole.insert(file);
            return Ok(Taken::Kept);
        }
        remove(&*self.disk, &path)?;
        Ok(Taken::Refused(format!("{path}: its bytes are not those that it is named by")))
    }

    fn is_as_named(&self, file: SortedFile) -> Result<bool> {
        let (path, mut hasher, mut at) = (paths::incoming(file), Hasher::default(), 0);
        loop {
            let bytes = self.disk.read_at(&path, at, STEP_BYTES).tried("read", &path)?;
            if bytes.is_empty() {
                return Ok(hasher.done() == file.hash);
            }
            hasher.add(&bytes);
            at += bytes.len() as u64;
        }
    }

    /// Bytes that came, and bytes that there are.
    #[must_use]
    pub fn progress(&self) -> (u64, u64) {
        let of = |file: &SortedFile, parts: &[(u8, u64)]| {
            let all = parts.last().map_or(0, |part| part.1);
            let open = self.open.as_ref().filter(|(open, _)| open == file);
            let came = if self.whole.contains(file) { all } else { 0 };
            (open.map_or(came, |(_, lines)| lines.at()), all)
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
        let paths: Vec<String> = self.whole.iter().map(|file| paths::incoming(*file)).collect();
        sync_all(&*self.disk, &paths)?;
        self.disk.sync_folder(paths::INCOMING).tried("sync", paths::INCOMING)?;
        let whole = Whole { logs: logs.iter().map(LogId::to_string).collect() };
        let text = serde_json::to_vec(&whole).unwrap_or_default();
        replace(&*self.disk, paths::INCOMING_WHOLE, &text)?;
        Ok(true)
    }
}

/// A manifest of another node, all of whose files are there, and the logs that go on from its frontier.
///
/// # Errors
/// When it cannot be read.
pub(super) fn whole(disk: &SharedDisk) -> Result<Option<(Manifest, BTreeSet<LogId>)>> {
    let read = if_there(disk.read(paths::INCOMING_WHOLE)).tried("read", paths::INCOMING_WHOLE)?;
    let whole = read.and_then(|text| serde_json::from_slice::<Whole>(&text).ok());
    let Some(whole) = whole else { return Ok(None) };
    let logs = whole.logs.iter().filter_map(|log| LogId::read(log).ok()).collect();
    Ok(Incoming::open(disk.clone())?.map(|incoming| (incoming.manifest, logs)))
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
