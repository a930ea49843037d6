//! The history: days of logs that the checkpoint covers, compressed. A file holds one day of a log, or
//! a part of it, as frames of whole blocks, and tells at its end which targets stand in which.

mod budget;
mod index;
mod moving;
mod piece;
mod writing;

pub use budget::{Going, Held, Trim, plan, trim};
pub use moving::{Archived, Moving, archive};
pub use piece::Piece;

pub(crate) use piece::{frames_with, list, read_at, salvage};
pub(crate) use writing::pack;

use cocli_core::digest::text_hash;
use cocli_core::{Day, LogId};

use crate::error::{Result, Tried};
use crate::journal::Journals;
use crate::paths;

/// What the index knows of a target: enough to pass over most frames that do not hold it.
fn short_hash(target: &[u8]) -> u32 {
    (text_hash(target) >> 40) as u32
}

/// Bytes of the journals in `wal/`, bytes of the archive's files, and the first day of which anything is held.
///
/// # Errors
/// When the archive cannot be listed.
pub fn sizes(journals: &Journals) -> Result<(u64, u64, Option<Day>)> {
    let files = journals.disk().list_stats(paths::ARCHIVE).tried("list", paths::ARCHIVE)?;
    let is_piece = |name: &str| paths::archived_of(name).is_some();
    let archived = files.iter().filter(|(name, _)| is_piece(name)).map(|(_, stat)| stat.len).sum();
    let (mut in_wal, mut since) = (0, None);
    for log in journals.logs() {
        let files = journals.day_files(log);
        in_wal +=
            files.iter().filter(|file| file.piece.is_none()).map(|file| file.raw).sum::<u64>();
        let days = files.iter().filter(|file| file.whole > 0).map(|file| file.day);
        let first = days.chain(journals.pieces(log).iter().map(|piece| piece.day)).min();
        since = since.into_iter().chain(first).min();
    }
    Ok((in_wal, archived, since))
}

/// Files of the archive whose index is not what it was, by path, with the day to take out where it is part of
/// what is held.
///
/// # Errors
/// When the disk refuses.
pub fn unsound(journals: &Journals) -> Result<Vec<Unsound>> {
    let mut found = Vec::new();
    for log in journals.logs() {
        for piece in journals.pieces(log) {
            let path = piece.path(log);
            if !piece::is_indexed(&**journals.disk(), log, *piece).tried("read", &path)? {
                found.push(Unsound { log: log.clone(), piece: *piece, path });
            }
        }
    }
    Ok(found)
}

/// A file of the archive whose index is damaged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsound {
    /// Of which log.
    pub log: LogId,
    /// What it holds.
    pub piece: Piece,
    /// Where it stands, relative to the home.
    pub path: String,
}
