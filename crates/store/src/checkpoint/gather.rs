//! Reading what is new: pieces of journals side by side, each record checked once, its line handed
//! on by shard.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use cocli_core::LogId;
use cocli_core::usv::{self, Found};

use super::odd::{OddRecord, of_met};
use super::spill::{Open, Spill};
use crate::disk::Disk;
use crate::error::{Result, Tried};
use crate::journal::{Block, Gap, Met, Section, Stretch};
use crate::side::side_by_side;

/// Bytes of a journal that are read in one step: what the caches of a core hold.
const PIECE_BYTES: usize = 512 * 1024;

/// What was found in journals besides lines.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub(super) bytes: u64,
    pub(super) records: u64,
    pub(super) odd: Vec<OddRecord>,
    /// Damaged blocks.
    pub(super) gaps: Vec<(LogId, Gap)>,
}

/// Reads `sections` on `workers` threads; `only` these shards, where it is given. `seen` hears of each
/// step's bytes.
pub(super) fn gather(
    disk: &dyn Disk,
    sections: &[Section],
    only: Option<&BTreeSet<u8>>,
    (spill, workers): (&Spill<'_>, usize),
    seen: &(dyn Fn(u64) + Sync),
) -> Result<Gathered> {
    let pieces: Vec<Section> = sections.iter().flat_map(|s| s.pieces(PIECE_BYTES)).collect();
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let all = Mutex::new(Vec::new());
    let work = || -> Result<()> {
        let mut worker = Worker { open: spill.open(only), odd: Vec::new() };
        while !failed.load(Ordering::Relaxed) {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(piece) = pieces.get(at) else { break };
            let gathered =
                worker.read(disk, piece).inspect_err(|_| failed.store(true, Ordering::Relaxed))?;
            seen(piece.len as u64);
            all.lock().unwrap_or_else(PoisonError::into_inner).push((at, gathered));
        }
        worker.open.close()
    };
    side_by_side(workers, &work)?;
    let mut all = all.into_inner().unwrap_or_else(PoisonError::into_inner);
    // In the order of the logs, whoever was first.
    all.sort_by_key(|(at, _)| *at);
    let mut sum = Gathered::default();
    for (_, one) in all {
        sum.bytes += one.bytes;
        sum.records += one.records;
        sum.odd.extend(one.odd);
        sum.gaps.extend(one.gaps);
    }
    Ok(sum)
}

struct Worker<'s, 'a> {
    open: Open<'s, 'a>,
    odd: Vec<OddRecord>,
}

impl Worker<'_, '_> {
    fn read(&mut self, disk: &dyn Disk, piece: &Section) -> Result<Gathered> {
        let path = piece.path();
        let stretch = piece.load(disk).tried("read", &path)?;
        let mut gathered = Gathered { bytes: stretch.bytes.len() as u64, ..Gathered::default() };
        for (cut, block) in piece.cuts().windows(2).zip(stretch.blocks()) {
            if block.damaged {
                let place = |at: usize| piece.position + at as u64;
                let gap = Gap { from: place(cut[0]), to: place(cut[1]) };
                gathered.gaps.push((piece.log.clone(), gap));
            }
            gathered.records += match block.damaged || piece.log.month.is_some() {
                true => self.read_each(&stretch, &block)?,
                false => self.read_block(&stretch, &block)?,
            };
        }
        gathered.odd = std::mem::take(&mut self.odd);
        Ok(gathered)
    }

    /// A damaged block, or one of a log in which what stays is odd: each record is looked at.
    fn read_each(&mut self, stretch: &Stretch, block: &Block) -> Result<u64> {
        let (mut records, mut result) = (0, Ok(()));
        stretch.each_of(block, &mut |met| {
            records += 1;
            result = self.take(&met).and(std::mem::replace(&mut result, Ok(())));
        });
        result.map(|()| records)
    }

    /// A sound block: of most records the line stands there already.
    fn read_block(&mut self, stretch: &Stretch, block: &Block) -> Result<u64> {
        let (mut records, mut result) = (0, Ok(()));
        usv::split(&stretch.bytes[block.range.clone()], |found| {
            if result.is_err() {
                return;
            }
            match found {
                Found::Plain(plain) => {
                    records += 1;
                    // No assignment when all is well: to move the result would wait for the stores of the line.
                    let (entity, target) = (plain.entity_hash, plain.target_hash);
                    if let Err(error) = self.open.add(&plain.line, entity, target) {
                        result = Err(error);
                    }
                }
                Found::Other(record) => stretch.each_in(block, record, &mut |met| {
                    records += 1;
                    result = self.take(&met).and(std::mem::replace(&mut result, Ok(())));
                }),
            }
        });
        result.map(|()| records)
    }

    fn take(&mut self, met: &Met<'_>) -> Result<()> {
        let Ok(datagram) = &met.read else {
            self.odd.extend(of_met(met));
            return Ok(());
        };
        self.open.add_datagram(datagram)
    }
}
