//! A checkpoint of older reading rules where history is not held any more: its lines are winners with their
//! stamps, so they are taken as records are; and what was odd may be read by now.

use cocli_core::digest::hash;
use cocli_core::usv::{self, Odd};
use cocli_core::{Datagram, Month};

use super::compact::is_damage;
use super::manifest::{Manifest, held_from_start};
use super::odd::{OddList, OddRecord};
use super::place::sync_manifest;
use super::shard::lines;
use super::source::END;
use super::spill::Spill;
use crate::disk::Disk;
use crate::error::Result;
use crate::journal::put_aside_as;
use crate::paths;

/// Gathers all that an older checkpoint holds. Lines that these rules cannot read are kept aside. Where another
/// node's checkpoint `covers` all that is before the bases, damaged parts may be missing.
///
/// # Errors
/// When the disk refuses. [`StoreError::Unheld`](crate::StoreError::Unheld) when a part is damaged.
pub(super) fn retell(
    disk: &dyn Disk,
    old: &Manifest,
    spill: &Spill<'_>,
    covers: bool,
) -> Result<()> {
    let (mut open, mut illegible) = (spill.open(None), Vec::new());
    for piece in old.touched().into_iter().flat_map(|shard| old.pieces(shard)) {
        let bytes = match piece.read(disk) {
            Err(error) if is_damage(&error) => {
                if !covers {
                    held_from_start(disk, &piece.path)?;
                }
                continue;
            }
            read => read?,
        };
        for line in lines(&bytes) {
            match usv::read_line(line) {
                Ok(datagram) => open.add_datagram(&datagram)?,
                Err(_) => illegible.extend([line, &END[..]].concat()),
            }
        }
    }
    open.close()?;
    put_lines_aside(disk, &illegible)
}

/// Keeps lines that these rules cannot read, for those who can.
///
/// # Errors
/// When the disk refuses.
pub(super) fn put_lines_aside(disk: &dyn Disk, lines: &[u8]) -> Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    put_aside_as(disk, &paths::aside_lines(hash(lines)), lines)
}

/// The reason of a record that is merged along, from before the manifest that covers it is there until that is
/// durable. Whoever finds one merges it once more: who wrote it may have died between the two.
const TAKEN: &str = "it can be read by now";

/// What was odd by older rules, and can be read by now. What is damaged was judged by what stood behind it, and
/// an excerpt is no record.
fn legible(odd: &OddRecord) -> Option<Datagram> {
    let judged = odd.why == Odd::Check.to_string() || odd.is_excerpt();
    if judged { None } else { usv::read(&odd.bytes).ok() }
}

/// Says in the list what can be read by now. That comes to the disk before the manifest does.
pub(super) fn say_taken(list: &mut OddList) {
    let taken = list.0.values_mut().filter(|odd| legible(odd).is_some());
    taken.for_each(|odd| TAKEN.clone_into(&mut odd.why));
}

/// What the list says that of.
pub(super) fn taken(list: &OddList) -> Vec<Datagram> {
    list.0.values().filter(|odd| odd.why == TAKEN).filter_map(legible).collect()
}

/// Gathers that.
///
/// # Errors
/// When the disk refuses.
pub(super) fn add_taken(spill: &Spill<'_>, taken: &[Datagram]) -> Result<()> {
    if taken.is_empty() {
        return Ok(());
    }
    let mut open = spill.open(None);
    taken.iter().try_for_each(|datagram| open.add_datagram(datagram))?;
    open.close()
}

/// Takes it from the list, once the checkpoint that holds it is durable.
///
/// # Errors
/// When the disk refuses: it is listed, and merged all the same.
pub(super) fn forget_taken(disk: &dyn Disk, month: Option<Month>) -> Result<()> {
    sync_manifest(disk, month)?;
    let mut odd = OddList::read(disk, month)?;
    // One that only newer rules can read was taken by these, and not by who reads here.
    odd.0.retain(|_, odd| odd.why != TAKEN || legible(odd).is_none());
    odd.write(disk, month)
}
