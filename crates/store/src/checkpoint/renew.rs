//! A checkpoint of older reading rules where history is not held any more: its lines are winners with their
//! stamps, so they are taken as records are; and what was odd may be read by now.

use cocli_core::Datagram;
use cocli_core::digest::{hash, text_hash};
use cocli_core::usv::{self, Line, Odd};

use super::compact::is_damage;
use super::manifest::{Manifest, held_from_start};
use super::odd::{OddList, OddRecord};
use super::shard::lines;
use super::source::END;
use super::spill::{Open, Spill};
use crate::disk::Disk;
use crate::error::Result;
use crate::journal::put_aside_as;
use crate::paths;

/// Gathers all that an older checkpoint holds, and what was odd before the bases and can be read by now.
/// Lines that these rules cannot read are kept aside. Where another node's checkpoint `covers` all that is
/// before the bases, damaged parts may be missing.
///
/// # Errors
/// When the disk refuses. [`StoreError::Unheld`](crate::StoreError::Unheld) when a part is damaged.
pub(super) fn retell(
    disk: &dyn Disk,
    old: &Manifest,
    spill: &Spill<'_>,
    covers: bool,
) -> Result<()> {
    let (mut open, mut illegible) = (spill.open(), Vec::new());
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
                Ok(datagram) => add(&mut open, &datagram)?,
                Err(_) => illegible.extend([line, &END[..]].concat()),
            }
        }
    }
    for datagram in OddList::read(disk, None)?.0.values().filter_map(legible) {
        add(&mut open, &datagram)?;
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

/// What was odd by older rules, and can be read by now. What is damaged was judged by what stood behind it, and
/// an excerpt is no record.
fn legible(odd: &OddRecord) -> Option<Datagram> {
    let judged = odd.why == Odd::Check.to_string() || odd.is_excerpt();
    if judged { None } else { usv::read(&odd.bytes).ok() }
}

/// Takes what can be read by now from the list, once the checkpoint that holds it is durable.
///
/// # Errors
/// When the disk refuses: it is listed, and merged all the same.
pub(super) fn forget_legible(disk: &dyn Disk) -> Result<()> {
    let mut odd = OddList::read(disk, None)?;
    let before = odd.0.len();
    odd.0.retain(|_, odd| legible(odd).is_none());
    if odd.0.len() == before { Ok(()) } else { odd.write(disk, None) }
}

fn add(open: &mut Open<'_, '_>, datagram: &Datagram) -> Result<()> {
    let text = usv::line(datagram);
    let entity = text_hash(datagram.target.entity().as_bytes());
    Line::of(text.as_bytes()).map_or(Ok(()), |line| open.add(&line, entity))
}
