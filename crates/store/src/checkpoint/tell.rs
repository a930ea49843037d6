//! The checkpoint as it is told to another node: its manifest, and pieces of its files.

use cocli_core::limits::{MANIFEST_BYTES_MAX, STREAM_MESSAGE_BYTES_MAX};
use cocli_core::{SortedFile, StateDigest, Vector};

use super::manifest::Manifest;
use super::source::END;
use crate::disk::Disk;
use crate::error::{Result, StoreError, Tried, if_there};
use crate::journal::{Journals, Place, is_rot};
use crate::paths;

/// What is told of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The manifest's text.
    pub text: Vec<u8>,
    /// Up to where each log is merged into it.
    pub frontier: Vector,
    /// The digest of the state that it covers.
    pub digest: StateDigest,
    /// Its files.
    pub files: Vec<SortedFile>,
}

impl Told {
    /// Reads what somebody told; nothing when it is no manifest of this version.
    #[must_use]
    pub fn read(text: &[u8]) -> Option<Self> {
        Manifest::of_text(None, text).map(|manifest| Self::of(&manifest, text.to_vec()))
    }

    fn of(manifest: &Manifest, text: Vec<u8>) -> Self {
        Self {
            text,
            frontier: manifest.frontier.clone(),
            digest: manifest.digest(),
            files: manifest.sorted_files().map(|(file, _)| file).collect(),
        }
    }
}

/// The manifest as others may believe it: its frontier names only logs that still stand on the chain it
/// says, and of which no hole is open. Nothing where there is no checkpoint.
///
/// # Errors
/// When it cannot be read.
pub fn told(journals: &mut Journals) -> Result<Option<Told>> {
    let mut manifest = Manifest::read_or_empty(&**journals.disk(), None)?;
    // What older reading rules made is told when it was read by those of today.
    if manifest.bytes() == 0 || manifest.is_older() {
        return Ok(None);
    }
    manifest.frontier = journals.standing(&manifest.frontier)?;
    manifest.frontier.0.retain(|log, _| !manifest.holes.contains_key(log));
    let places = manifest.frontier.0.iter().filter_map(|(log, head)| {
        let stands = journals.stands_at(log, head.position);
        let base = journals.base(log).filter(|base| base.head == *head).map(|base| (base.day, 0));
        let (day, offset) = stands.or(base)?;
        Some((log.clone(), Place { day, offset, head: *head }))
    });
    manifest.places = places.collect();
    let text = manifest.text();
    Ok((text.len() <= MANIFEST_BYTES_MAX).then(|| Told::of(&manifest, text)))
}

/// Whole lines of a file of the checkpoint from `offset` on, at most `max` bytes, but at least one line;
/// nothing when the file is no longer there, and no lines at its end.
///
/// # Errors
/// When the disk refuses.
pub fn piece(
    disk: &dyn Disk,
    file: SortedFile,
    offset: u64,
    max: usize,
) -> Result<Option<Vec<u8>>> {
    match lines_at(disk, &paths::sorted(None, file), offset, max) {
        Err(StoreError::Io { source, .. }) if is_rot(&source) => Ok(None),
        lines => lines,
    }
}

/// As [`piece`], of any file of sorted lines.
pub(super) fn lines_at(
    disk: &dyn Disk,
    path: &str,
    offset: u64,
    max: usize,
) -> Result<Option<Vec<u8>>> {
    let mut want = max;
    loop {
        let read = if_there(disk.read_at(path, offset, want)).tried("read", path)?;
        let Some(mut bytes) = read else { return Ok(None) };
        let short = bytes.len() < want;
        // Of what had to be read beyond `max` only the line that is so long.
        let end = match want > max {
            true => memchr::memmem::find(&bytes, &END),
            false => memchr::memmem::rfind(&bytes, &END),
        };
        let end = end.map(|end| end + END.len());
        if end.is_some() || short || want >= STREAM_MESSAGE_BYTES_MAX {
            bytes.truncate(end.unwrap_or(0));
            return Ok(Some(bytes));
        }
        want = (want.max(1) * 4).min(STREAM_MESSAGE_BYTES_MAX);
    }
}
