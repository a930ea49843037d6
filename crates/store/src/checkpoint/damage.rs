//! What of the checkpoint on the disk is not what it is named by.

use cocli_core::Month;

use super::manifest::Manifest;
use crate::disk::Disk;
use crate::error::{Result, StoreError};
use crate::reader::months_of;

/// What of the checkpoint does not read as it is named: its path, and why.
pub type Damage = (String, String);

/// Files of the checkpoint, and of those of months, that are not what their manifest names them by.
///
/// # Errors
/// When the disk refuses.
pub fn damaged(disk: &dyn Disk) -> Result<Vec<Damage>> {
    let mut found = Vec::new();
    for month in all(disk)? {
        match manifest_of(disk, month)? {
            Ok(manifest) => {
                for shard in manifest.touched() {
                    found.append(&mut damaged_of(disk, &manifest, shard)?.1);
                }
            }
            Err(damage) => found.push(damage),
        }
    }
    found.dedup();
    Ok(found)
}

/// The same of the files that hold one shard, as they are now, and the bytes that were read. A manifest that is
/// damaged is told with the first shard.
///
/// # Errors
/// When the disk refuses.
pub fn damaged_in(disk: &dyn Disk, shard: u8) -> Result<(u64, Vec<Damage>)> {
    let (mut bytes, mut found) = (0, Vec::new());
    for month in all(disk)? {
        let mut manifest = manifest_of(disk, month)?;
        while let Ok(here) = &manifest {
            let (read, mut damaged) = damaged_of(disk, here, shard)?;
            bytes += read;
            let now = if damaged.is_empty() { break } else { manifest_of(disk, month)? };
            if now == manifest {
                found.append(&mut damaged);
                break;
            }
            // A compaction took the files away that were looked for.
            manifest = now;
        }
        if shard == 0 {
            found.extend(manifest.err());
        }
    }
    Ok((bytes, found))
}

/// Bytes of the files of all checkpoints; those of one whose manifest is damaged are not known.
///
/// # Errors
/// When the disk refuses.
pub fn bytes(disk: &dyn Disk) -> Result<u64> {
    let mut bytes = 0;
    for month in all(disk)? {
        bytes += manifest_of(disk, month)?.map_or(0, |manifest| manifest.bytes());
    }
    Ok(bytes)
}

/// What stays, and each month.
fn all(disk: &dyn Disk) -> Result<impl Iterator<Item = Option<Month>>> {
    Ok([None].into_iter().chain(months_of(disk)?.into_iter().map(Some)))
}

fn manifest_of(
    disk: &dyn Disk,
    month: Option<Month>,
) -> Result<std::result::Result<Manifest, Damage>> {
    match Manifest::read_of(disk, month) {
        Err(StoreError::Damaged { path, what, .. }) => Ok(Err((path, what))),
        manifest => Ok(Ok(manifest?)),
    }
}

fn damaged_of(disk: &dyn Disk, manifest: &Manifest, shard: u8) -> Result<(u64, Vec<Damage>)> {
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
