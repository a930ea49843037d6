//! What only the checkpoint still holds, after journals were set back or lost.

use std::collections::BTreeSet;

use cocli_core::digest::hash;
use cocli_core::{Datagram, Vector, usv};

use super::compact::is_damage;
use super::manifest::{Manifest, RULES};
use super::renew::put_lines_aside;
use super::shard::lines;
use super::source::END;
use crate::disk::Disk;
use crate::error::{Result, Tried};
use crate::journal::{Command, Journals, read_bases};
use crate::lock::HomeLock;

/// Whether the checkpoint, by whatever reading rules it was made, covers more of this node's own logs than
/// they hold: [`salvage`] has to come before the next compaction, whose checkpoint no longer tells.
///
/// # Errors
/// When it, or one of these logs, cannot be read.
pub fn outlives_own(journals: &mut Journals) -> Result<bool> {
    outliving(journals).map(|manifest| manifest.is_some())
}

/// The checkpoint that does. One that is damaged tells nothing; one of newer rules that covers bases is for those
/// who can read it.
fn outliving(journals: &mut Journals) -> Result<Option<Manifest>> {
    let manifest = match Manifest::of_any_rules(&**journals.disk(), None) {
        Err(error) if is_damage(&error) => None,
        read => read?,
    };
    let Some(manifest) = manifest else { return Ok(None) };
    if manifest.rules > RULES && !read_bases(&**journals.disk())?.is_empty() {
        return Ok(None);
    }
    let heads = manifest.frontier.0.iter();
    let own = heads.filter(|(log, _)| log.node == journals.own().node);
    let own = Vector(own.map(|(log, head)| (log.clone(), *head)).collect());
    let stands = journals.standing(&own)? == own;
    Ok((!stands).then_some(manifest))
}

/// Appends the state lines that no journal holds to the own log, when the checkpoint covers more of
/// this node's logs than they hold: otherwise nobody else would ever see them. Gives how many. Cut
/// off, it can be done again; records that stand twice merge as one. Lines of other reading rules that
/// those of today cannot read are kept aside.
///
/// # Errors
/// When the journals cannot be read or the disk refuses.
pub fn salvage(lock: &HomeLock, journals: &mut Journals, command: &Command) -> Result<usize> {
    journals.refresh()?;
    let Some(manifest) = outliving(journals)? else { return Ok(0) };
    let disk = journals.disk().clone();
    let (mut nowhere, mut illegible) = (BTreeSet::new(), Vec::new());
    each_line(&*disk, &manifest, |line| match usv::read_line(line) {
        Ok(datagram) => drop(nowhere.insert(name(&datagram))),
        Err(_) => illegible.extend([line, &END[..]].concat()),
    })?;
    put_lines_aside(&*disk, &illegible)?;
    for section in journals.all_sections(None) {
        let path = section.path();
        section.load(&*disk).tried("read", &path)?.each(|met| {
            if let Ok(datagram) = met.read {
                nowhere.remove(&name(&datagram));
            }
        });
    }
    let mut batch = Vec::new();
    each_line(&*disk, &manifest, |line| {
        let read = usv::read_line(line).ok();
        if let Some(datagram) = read.filter(|datagram| nowhere.contains(&name(datagram))) {
            usv::write(&datagram, &mut batch);
        }
    })?;
    journals.append_verbatim(lock, &batch, (None, command.at.day()), command)?;
    Ok(nowhere.len())
}

/// By what a record is known again, in whichever form it came.
fn name(datagram: &Datagram) -> u128 {
    hash(usv::line_of(&datagram.target, &datagram.field, &datagram.entry).as_bytes())
}

/// The lines of a checkpoint. What is damaged is made anew from the journals.
fn each_line(disk: &dyn Disk, manifest: &Manifest, mut take: impl FnMut(&[u8])) -> Result<()> {
    for piece in manifest.touched().into_iter().flat_map(|shard| manifest.pieces(shard)) {
        let bytes = match piece.read(disk) {
            Err(error) if is_damage(&error) => continue,
            read => read?,
        };
        lines(&bytes).for_each(&mut take);
    }
    Ok(())
}
