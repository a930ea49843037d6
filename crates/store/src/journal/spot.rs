//! Where the bytes of a day stand: in its journal, or in the archive. Who looked a moment ago may find
//! them in the other place.

use std::io;

use cocli_core::{Day, LogId};

use super::file::{self, Salvage};
use crate::archive::{self, Piece};
use crate::disk::Disk;
use crate::paths;

/// Bytes looked at in one step.
const STEP_BYTES: u64 = 64 * 1024;

/// The bytes of a log on one day.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spot<'a> {
    pub(crate) log: &'a LogId,
    pub(crate) day: Day,
    /// Bytes of the log before the day's first.
    pub(crate) start: u64,
    /// In the archive; else in the journal.
    pub(crate) piece: Option<Piece>,
}

impl Spot<'_> {
    /// The file, for who is told of it.
    pub(crate) fn path(&self) -> String {
        match self.piece {
            Some(piece) => piece.path(self.log),
            None => paths::journal(self.log, self.day),
        }
    }

    /// Up to `len` bytes from `offset` on.
    pub(crate) fn read_at(&self, disk: &dyn Disk, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        self.either(disk, |piece| match piece {
            Some(piece) => archive::read_at(disk, self.log, piece, offset, len),
            None => disk.read_at(&paths::journal(self.log, self.day), offset, len),
        })
    }

    /// The same, as far as they can be had.
    pub(crate) fn salvage(&self, disk: &dyn Disk, offset: u64, len: usize) -> io::Result<Salvage> {
        self.either(disk, |piece| match piece {
            Some(piece) => archive::salvage(disk, self.log, piece, offset, len),
            None => file::salvage(disk, &paths::journal(self.log, self.day), offset, len),
        })
    }

    /// Where between two places its first bytes stand that cannot be read.
    pub(crate) fn legible(&self, disk: &dyn Disk, from: u64, to: u64) -> io::Result<u64> {
        let mut at = from;
        while at < to {
            let len = usize::try_from((to - at).min(STEP_BYTES)).unwrap_or(usize::MAX);
            if let Some(lost) = self.salvage(disk, at, len)?.lost.first() {
                return Ok(at + lost.start as u64);
            }
            at += len as u64;
        }
        Ok(to)
    }

    /// Reads there, and in the other place when the file is gone.
    fn either<T>(
        &self,
        disk: &dyn Disk,
        read: impl Fn(Option<Piece>) -> io::Result<T>,
    ) -> io::Result<T> {
        match read(self.piece) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let other = match self.piece {
                    Some(_) => None,
                    None => Some(self.archived(disk)?.ok_or(error)?),
                };
                read(other)
            }
            done => done,
        }
    }

    fn archived(&self, disk: &dyn Disk) -> io::Result<Option<Piece>> {
        let all = archive::list(disk)?;
        let here = |piece: &&Piece| (piece.start, piece.day) == (self.start, self.day);
        Ok(all.get(self.log).into_iter().flatten().rfind(here).copied())
    }
}
