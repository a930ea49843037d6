//! What only the checkpoint still holds, after journals were set back or lost.

use std::collections::BTreeSet;

use cocli_core::digest::hash;
use cocli_core::{NodeId, Vector, usv};

use super::Piece;
use super::manifest::Manifest;
use super::shard::lines;
use crate::error::{Result, Tried};
use crate::journal::{Command, Journals};
use crate::lock::HomeLock;

/// Whether a checkpoint covers more of a node's own logs than they hold, by the part of its frontier that
/// stands.
pub(super) fn outlives_own(manifest: &Manifest, standing: &Vector, node: &NodeId) -> bool {
    let mut own = manifest.frontier.0.keys().filter(|log| log.node == *node);
    own.any(|log| standing.get(log).is_none())
}

/// Appends the state lines that no journal holds to the own log, when the checkpoint covers more of
/// this node's logs than they hold: otherwise nobody else would ever see them. Gives how many. Cut
/// off, it can be done again; records that stand twice merge as one.
///
/// # Errors
/// When the journals cannot be read or the disk refuses.
pub fn salvage(lock: &HomeLock, journals: &mut Journals, command: &Command) -> Result<usize> {
    journals.refresh()?;
    let disk = journals.disk().clone();
    let manifest = Manifest::read_or_empty(&*disk, None)?;
    let standing = journals.standing(&manifest.frontier)?;
    if !outlives_own(&manifest, &standing, &journals.own().node) {
        return Ok(0);
    }
    // What is damaged is made anew from the journals.
    let pieces = manifest.touched().into_iter().flat_map(|shard| manifest.pieces(shard));
    let pieces: Vec<Piece> = pieces.collect();
    let read = || pieces.iter().flat_map(|piece| piece.read(&*disk));
    let mut nowhere: BTreeSet<u128> =
        read().flat_map(|bytes| lines(&bytes).map(hash).collect::<Vec<_>>()).collect();
    for section in journals.all_sections(None) {
        let path = section.path();
        section.load(&*disk).tried("read", &path)?.each(|met| {
            if let Ok(d) = met.read {
                nowhere.remove(&hash(usv::line_of(&d.target, &d.field, &d.entry).as_bytes()));
            }
        });
    }
    let mut batch = Vec::new();
    for bytes in read() {
        let lost = lines(&bytes).filter(|line| nowhere.contains(&hash(line)));
        for datagram in lost.filter_map(|line| usv::read_line(line).ok()) {
            usv::write(&datagram, &mut batch);
        }
    }
    journals.append_verbatim(lock, &batch, (None, command.at.day()), command)?;
    Ok(nowhere.len())
}
