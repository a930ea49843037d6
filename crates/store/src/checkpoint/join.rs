//! Joining another node's checkpoint: its lines are merged as those of a run are (law 2), and the logs that
//! nobody holds from far enough back go on where it covers them.

use std::collections::BTreeMap;

use cocli_core::digest::hash;
use cocli_core::limits::LOGS_MAX;
use cocli_core::{Head, LogId, StateDigest, usv};

use super::compact::{Begun, my_turn};
use super::gather::gather;
use super::incoming::{self, Came};
use super::manifest::Manifest;
use super::means::Means;
use super::odd::OddRecord;
use super::place::sync_manifest;
use super::shard::find_each;
use super::sort::Winners;
use super::source::{Piece, Source, merge};
use super::spill::Spill;
use crate::disk::Disk;
use crate::error::{Result, StoreError, Tried};
use crate::journal::{Base, Command, Journals, Section};
use crate::lock::HomeLock;
use crate::paths;

/// Bytes of a file that are read in one step.
const STEP_BYTES: usize = 1024 * 1024;

/// Another node's checkpoint that is whole here.
pub(super) struct Joining {
    manifest: Manifest,
    /// The logs that go on from its frontier.
    pub(super) moves: BTreeMap<LogId, Move>,
    /// What is held of these.
    held: Vec<Section>,
    odd: Vec<OddRecord>,
    /// What this node's own logs hold that stay where they are.
    own: Vec<Section>,
    /// It covers all that is before the bases of logs here: nothing is lost for good.
    pub(super) covers_bases: bool,
}

/// A log that goes on from another frontier.
pub(super) struct Move {
    pub(super) base: Base,
    /// Where it ends here.
    end: Head,
}

/// Joins what came of another node's checkpoint, if all of it did; says whether. Killed anywhere it leaves
/// the old checkpoint or the new one, and can be done again.
///
/// # Errors
/// When the disk refuses.
pub fn join(
    lock: &HomeLock,
    journals: &mut Journals,
    means: &Means<'_>,
    command: &Command,
) -> Result<bool> {
    let turn = my_turn(journals)?;
    journals.refresh()?;
    journals.sync(lock)?;
    let known = journals.vector()?;
    let begun = Begun::up_to(turn, journals, &known)?;
    if !begun.joins() {
        return Ok(false);
    }
    let left = begun.left_behind(means)?;
    journals.append_verbatim(lock, &left, (None, command.at.day()), command)?;
    let placed = begun.merge(journals, means)?.place(lock, journals)?;
    let joined = placed.is_new();
    placed.clean_up()?;
    Ok(joined)
}

impl Joining {
    /// What is whole, and adds up to what its manifest says.
    pub(super) fn whole(journals: &mut Journals) -> Result<Option<Self>> {
        let disk = journals.disk();
        let Some(came) = incoming::whole(&**disk)? else { return Ok(None) };
        let odd = match adds_up(&**disk, &came) {
            Ok(odd) => odd,
            Err(error) => {
                // Another copy is fetched; this one must not be in the way of compactions.
                incoming::clear(&**disk)?;
                return Err(error);
            }
        };
        let Came { manifest, logs, .. } = came;
        let mut moves = BTreeMap::new();
        let mut room = LOGS_MAX.saturating_sub(journals.logs().count() + 1);
        for (log, place) in &manifest.places {
            let new = !journals.holds(log);
            let goes_on = logs.contains(log)
                && log.month.is_none()
                && log != journals.own()
                && !manifest.holes.contains_key(log)
                && place.head.position > journals.end(log)
                && manifest.frontier.get(log) == Some(place.head);
            if goes_on && (!new || room > 0) {
                room -= usize::from(new);
                let base = Base { head: place.head, day: place.day };
                let end = journals.head(log)?;
                moves.insert(log.clone(), Move { base, end });
            }
        }
        let held =
            moves.keys().flat_map(|log| journals.sections_between(log, 0, journals.end(log)));
        let held = held.collect();
        let ours = |log: &&LogId| {
            log.node == journals.own().node && log.month.is_none() && !moves.contains_key(*log)
        };
        let own = journals.logs().filter(ours);
        let own = own.flat_map(|log| journals.sections_between(log, 0, journals.end(log)));
        let own = own.collect();
        let covers_bases = manifest.holes.is_empty() && manifest.covers_bases(journals).is_ok();
        Ok(Some(Self { manifest, moves, held, odd, own, covers_bases }))
    }

    /// The shards that it has lines of.
    pub(super) fn shards(&self) -> impl Iterator<Item = u8> {
        self.manifest.touched().into_iter()
    }

    /// The odd records of what the logs that go on pass over.
    pub(super) fn odd(&self) -> impl Iterator<Item = &OddRecord> {
        let passed = |odd: &&OddRecord| {
            let to = self.moves.get(&odd.log);
            to.is_some_and(|to| (to.end.position..to.base.head.position).contains(&odd.position))
        };
        self.odd.iter().filter(passed)
    }

    /// Where its lines of a shard stand.
    pub(super) fn pieces(&self, shard: u8) -> Vec<Piece> {
        incoming::pieces(&self.manifest, shard)
    }

    /// Whether the logs that go on are still as they were looked at.
    pub(super) fn stands(&self, journals: &mut Journals) -> Result<bool> {
        for (log, to) in &self.moves {
            if log == journals.own() || journals.head(log)? != to.end {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Lets the logs go on, once the manifest that covers them is durable.
    pub(super) fn go_on(&self, lock: &HomeLock, journals: &mut Journals) -> Result<()> {
        if !self.moves.is_empty() {
            sync_manifest(&**journals.disk(), None)?;
        }
        journals.start_at(lock, self.moves.iter().map(|(log, to)| (log.clone(), to.base)))
    }

    /// Records of the logs that go on which the other node's checkpoint lacks: of a branch that it never
    /// knew, or of what it could not read. Not those that a try before this one has brought along.
    pub(super) fn left_behind(&self, disk: &dyn Disk, means: &Means<'_>) -> Result<Vec<u8>> {
        let spill = Spill::new(disk, means.memory, 1);
        let left = gather(disk, &self.held, None, (&spill, 1), &|_| ())
            .and_then(|_| self.unknown(disk, &spill, means.memory / 4));
        let removed = spill.remove();
        let mut left = left?;
        removed?;
        for section in &self.own {
            if left.is_empty() {
                break;
            }
            section.load(disk).tried("read", &section.path())?.each(|met| {
                if let Ok(datagram) = met.read {
                    left.remove(&hash(usv::line(&datagram).as_bytes()));
                }
            });
        }
        Ok(left.into_values().flatten().collect())
    }

    /// Records by the hashes of their lines.
    fn unknown(
        &self,
        disk: &dyn Disk,
        spill: &Spill<'_>,
        most: usize,
    ) -> Result<BTreeMap<u128, Vec<u8>>> {
        let mut left = BTreeMap::new();
        for shard in spill.touched() {
            spill.each_part(shard, most, |part| {
                let lines = Winners::of(&part).sorted();
                let mut known = vec![false; lines.len()];
                for piece in self.pieces(shard) {
                    find_each(disk, &piece, &lines, |at, theirs| {
                        known[at] |= theirs >= lines[at].bytes;
                    })?;
                }
                let unknown = lines.iter().zip(known).filter(|(_, known)| !known);
                for (line, _) in unknown {
                    let Ok(datagram) = usv::read_line(line.bytes) else { continue };
                    let mut record = Vec::new();
                    usv::write(&datagram, &mut record);
                    left.insert(hash(line.bytes), record);
                }
                Ok(())
            })?;
        }
        Ok(left)
    }
}

/// After a join that failed: where a part of the checkpoint here is lost for good, what came and `covers` less
/// than that must not keep out another one, which may cover it.
pub(super) fn make_way(disk: &dyn Disk, covers: Option<bool>, error: &StoreError) {
    if covers == Some(false) && matches!(error, StoreError::Unheld { .. }) {
        // Where this fails the next try comes here again.
        let _ = incoming::clear(disk);
    }
}

/// Compares the lines that came, merged, with what their manifest says of them, and gives the odd records
/// that came along.
fn adds_up(disk: &dyn Disk, came: &Came) -> Result<Vec<OddRecord>> {
    let manifest = &came.manifest;
    let (mut digest, mut lines) = (StateDigest::default(), 0);
    for shard in manifest.touched() {
        let pieces = incoming::pieces(manifest, shard).into_iter();
        let sources = pieces.map(|piece| Source::file(disk, piece, STEP_BYTES));
        merge(sources.collect::<Result<_>>()?, |line| {
            digest.add(line.bytes);
            lines += 1;
            Ok(())
        })?;
    }
    let damaged = |path: &str, what: String| {
        let what = format!("{what}; it is fetched again");
        Err(StoreError::Damaged { path: path.to_owned(), offset: 0, what })
    };
    if (digest, lines) != (manifest.digest(), manifest.lines()) {
        let (expected, by) = (manifest.lines(), manifest.digest());
        return damaged(
            paths::INCOMING_MANIFEST,
            format!("expected {expected} lines with digest {by}, found {lines} with {digest}"),
        );
    }
    match came.odd(disk)? {
        Some(odd) => Ok(odd),
        None => damaged(paths::INCOMING_ODD, "its bytes are not those that came".to_owned()),
    }
}
