//! The checkpoint: the state on disk, sorted, with the version vector that it covers.
//!
//! Its files are named by their content and never rewritten; the manifest is renamed into place. So a
//! reader needs no lock, and a crash leaves the old checkpoint or the new one.

use crate::disk::Disk;
use crate::error::{Result, StoreError};

mod compact;
mod fold;
mod gather;
mod incoming;
mod join;
mod lines;
mod manifest;
mod means;
mod odd;
mod output;
mod place;
mod renew;
mod run;
mod salvage;
mod shard;
mod sort;
mod source;
mod spill;
mod tell;
mod turn;

pub(crate) use compact::from_journals;
pub use compact::{Begun, Compacted, Pending, compact, compact_by, pending, repair, repair_by};
pub(crate) use gather::side_by_side;
pub use incoming::{Incoming, Taken, Wanted, waits};
pub use join::join;
pub use manifest::{Manifest, RULES};
pub use means::Means;
pub use odd::{OddRecord, odd_behind};
pub use place::{Merged, Placed};
pub use salvage::salvage;
pub(crate) use shard::add_line;
pub use tell::{piece, told};
pub use turn::Turn;

pub(crate) use manifest::{ShardInfo, held_from_start};
pub(crate) use odd::{OddList, of_met};
pub(crate) use shard::{first_of, lines, lookup, read_entry, read_line};
pub(crate) use source::Piece;

/// Files of the checkpoint that are not what the manifest names them by, and why.
///
/// # Errors
/// When the disk refuses.
pub fn damaged(disk: &dyn Disk) -> Result<Vec<(String, String)>> {
    let manifest = match Manifest::read(disk) {
        Err(StoreError::Damaged { path, what, .. }) => return Ok(vec![(path, what)]),
        manifest => manifest?,
    };
    let mut found = Vec::new();
    for shard in manifest.touched() {
        found.append(&mut damaged_in(disk, &manifest, shard)?.1);
    }
    found.dedup();
    Ok(found)
}

/// The same of the files that hold one shard, where the checkpoint is still that one; and the bytes that were read.
///
/// # Errors
/// When the disk refuses.
pub fn damaged_in(
    disk: &dyn Disk,
    manifest: &Manifest,
    shard: u8,
) -> Result<(u64, Vec<(String, String)>)> {
    let (mut bytes, mut found) = (0, Vec::new());
    for piece in manifest.pieces(shard) {
        bytes += piece.bytes;
        match piece.read(disk) {
            Err(StoreError::Damaged { path, what, .. }) => found.push((path, what)),
            read => drop(read?),
        }
    }
    Ok((bytes, found))
}
