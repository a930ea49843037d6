//! Small motions of files that several steps share.

use std::io;
use std::ops::Range;

use cocli_core::LogId;
use cocli_core::digest::hash;
use cocli_core::usv::RS;

use crate::disk::Disk;
use crate::error::{Result, Tried, if_there};
use crate::paths;

/// Bytes looked at in one step when searching backwards.
const STEP_BYTES: u64 = 64 * 1024;

/// Whether a failed read says that the bytes are not to be had, today or tomorrow: a state of the
/// journal, and no reason to stop reading others. Anything else may pass.
pub(crate) fn is_loss(error: &io::Error) -> bool {
    let gone = matches!(
        error.kind(),
        io::ErrorKind::NotFound
            | io::ErrorKind::IsADirectory
            | io::ErrorKind::InvalidInput
            | io::ErrorKind::PermissionDenied
    );
    gone || is_rot(error)
}

/// Whether the medium itself could not read (EIO).
pub(crate) fn is_rot(error: &io::Error) -> bool {
    error.raw_os_error() == Some(EIO)
}

/// As the medium says it.
pub(crate) fn rot() -> io::Error {
    io::Error::from_raw_os_error(EIO)
}

const EIO: i32 = 5;

/// Bytes that a medium loses at once, at the least.
const PAGE_BYTES: u64 = 4096;

/// As [`whole_of`], of what can be read; says also whether that was all.
pub(crate) fn whole(disk: &dyn Disk, path: &str, raw: u64, floor: u64) -> io::Result<(u64, bool)> {
    match whole_of(disk, path, raw, floor) {
        Err(error) if is_rot(&error) => {
            let legible = legible(disk, path, floor, raw)?;
            Ok((whole_of(disk, path, legible, floor)?, false))
        }
        Err(error) if is_loss(&error) => Ok((floor.min(raw), false)),
        whole => Ok((whole?, true)),
    }
}

/// Where between two places of a file its first bytes stand that the medium cannot read.
pub(crate) fn legible(disk: &dyn Disk, path: &str, from: u64, to: u64) -> io::Result<u64> {
    let mut at = from;
    while at < to {
        let len = usize::try_from((to - at).min(STEP_BYTES)).unwrap_or(usize::MAX);
        if let Some(lost) = salvage(disk, path, at, len)?.lost.first() {
            return Ok(at + lost.start as u64);
        }
        at += len as u64;
    }
    Ok(to)
}

/// Bytes of a file, as far as the medium gives them.
pub(crate) struct Salvage {
    /// With zeros in place of what it does not.
    pub(crate) bytes: Vec<u8>,
    /// Where those are.
    pub(crate) lost: Vec<Range<usize>>,
}

/// Reads what can be read, page by page where a bad sector is in the way.
///
/// # Errors
/// Of the file system, but for those of the medium.
pub(crate) fn salvage(disk: &dyn Disk, path: &str, offset: u64, len: usize) -> io::Result<Salvage> {
    match disk.read_at(path, offset, len) {
        Err(error) if is_rot(&error) => {}
        bytes => return Ok(Salvage { bytes: bytes?, lost: Vec::new() }),
    }
    let there = disk.stat(path)?.map_or(0, |stat| stat.len);
    let end = offset.saturating_add(len as u64).min(there);
    let mut salvage = Salvage { bytes: Vec::new(), lost: Vec::new() };
    let mut at = offset;
    while at < end {
        let next = (at / PAGE_BYTES + 1).saturating_mul(PAGE_BYTES).min(end);
        let page = usize::try_from(next - at).unwrap_or(usize::MAX);
        let start = salvage.bytes.len();
        match disk.read_at(path, at, page) {
            Err(error) if is_rot(&error) => {
                salvage.lost.push(start..start + page);
                salvage.bytes.resize(start + page, 0);
            }
            bytes => salvage.bytes.extend_from_slice(&bytes?),
        }
        at = next;
    }
    Ok(salvage)
}

/// Cuts a file to `len` bytes. No file system cuts within a page that it cannot read: what can be had
/// of that one is written anew first.
pub(crate) fn cut(disk: &dyn Disk, path: &str, len: u64) -> io::Result<()> {
    match disk.cut(path, len) {
        Err(error) if is_rot(&error) => {
            let start = len / PAGE_BYTES * PAGE_BYTES;
            let kept = usize::try_from(len - start).unwrap_or(0);
            let mut page = salvage(disk, path, start, kept)?.bytes;
            page.resize(usize::try_from(PAGE_BYTES).unwrap_or(kept), 0);
            disk.write_at(path, start, &page, false)?;
            disk.cut(path, len)
        }
        done => done,
    }
}

/// Where the last whole record among the first `raw` bytes of a journal ends; not before `floor`.
fn whole_of(disk: &dyn Disk, path: &str, raw: u64, floor: u64) -> io::Result<u64> {
    if raw <= floor {
        return Ok(floor.min(raw));
    }
    // Nearly always the last byte is the one.
    if disk.read_at(path, raw - 1, 1)? == [RS] {
        return Ok(raw);
    }
    let mut end = raw;
    while end > floor {
        let start = end.saturating_sub(STEP_BYTES).max(floor);
        let len = usize::try_from(end - start).unwrap_or(usize::MAX);
        if let Some(at) = memchr::memrchr(RS, &disk.read_at(path, start, len)?) {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(floor)
}

/// Writes a file beside `path`, whole and synced, and gives its name.
pub(crate) fn write_fresh(disk: &dyn Disk, path: &str, bytes: &[u8]) -> Result<String> {
    let fresh = paths::fresh(path);
    if_there(disk.remove(&fresh)).tried("remove", &fresh)?;
    let written = disk.write_at(&fresh, 0, bytes, path.starts_with(paths::OWN));
    if let Err(error) = written {
        let _ = disk.remove(&fresh);
        return Err(error).tried_to_write(path, bytes.len() as u64);
    }
    disk.sync(&fresh).tried("sync", &fresh)?;
    Ok(fresh)
}

/// Replaces a file durably: after a crash it is the old one or the new one.
pub(crate) fn replace(disk: &dyn Disk, path: &str, bytes: &[u8]) -> Result<()> {
    let fresh = write_fresh(disk, path, bytes)?;
    disk.rename(&fresh, path).tried("put in place", path)?;
    disk.sync_folder(paths::folder(path)).tried("sync", paths::folder(path))
}

/// Keeps bytes of a log that are taken out of it, durably, named by what they are: doing it again
/// does nothing.
pub(crate) fn put_aside(
    disk: &dyn Disk,
    log: &LogId,
    position: u64,
    bytes: &[u8],
) -> Result<String> {
    let path = paths::aside(log, position, hash(bytes));
    put_aside_as(disk, &path, bytes)?;
    Ok(path)
}

/// The same of any bytes, under a path there.
pub(crate) fn put_aside_as(disk: &dyn Disk, path: &str, bytes: &[u8]) -> Result<()> {
    if disk.stat(paths::ASIDE).tried("look at", paths::ASIDE)?.is_none() {
        disk.make_folder(paths::ASIDE).tried_to_write(paths::ASIDE, bytes.len() as u64)?;
    }
    if bytes.is_empty() || disk.stat(path).tried("look at", path)?.is_some() {
        return Ok(());
    }
    replace(disk, path, bytes)
}
