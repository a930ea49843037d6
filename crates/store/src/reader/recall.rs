//! Everything that the journals hold of many targets or of one node, by one pass on several threads.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use cocli_core::Datagram;
use cocli_core::usv::{self, Found, Line, US};

use super::Reader;
use crate::error::{Result, Tried};
use crate::journal::{Section, Stretch};
use crate::side::{processors, side_by_side};

/// Bytes of a journal that are read in one step.
const STEP_BYTES: usize = 512 * 1024;

/// Says of a node, a target and a field whether what the first wrote of the others is wanted.
type Wanted<'a> = dyn Fn(&[u8], &[u8], &[u8]) -> bool + Sync + 'a;

impl Reader {
    /// Every datagram of a node (the first) and target (the second) that is wanted, a winner or not, in no order; twice where it stands in two logs.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn recall(&self, wanted: &(dyn Fn(&[u8], &[u8]) -> bool + Sync)) -> Result<Vec<Datagram>> {
        self.recall_fields(&|node, target, _| wanted(node, target))
    }

    /// As [`Reader::recall`], of a node, a target and a field (the third).
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn recall_fields(&self, wanted: &Wanted<'_>) -> Result<Vec<Datagram>> {
        let steps: Vec<Section> =
            self.all()?.iter().flat_map(|section| section.pieces(STEP_BYTES)).collect();
        let (next, all) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        side_by_side(processors().clamp(1, steps.len().max(1)), &|| {
            let mut some = Vec::new();
            while let Some(step) = steps.get(next.fetch_add(1, Ordering::Relaxed)) {
                let path = step.path();
                recall_from(&step.load(&*self.disk).tried("read", &path)?, wanted, &mut some);
            }
            all.lock().unwrap_or_else(PoisonError::into_inner).append(&mut some);
            Ok(())
        })?;
        Ok(all.into_inner().unwrap_or_else(PoisonError::into_inner))
    }
}

fn recall_from(stretch: &Stretch, wanted: &Wanted<'_>, all: &mut Vec<Datagram>) {
    let fits = |d: &Datagram| {
        let (node, target) = (&d.entry.stamp.node, &d.target);
        wanted(node.as_str().as_bytes(), target.as_str().as_bytes(), d.field.as_str().as_bytes())
    };
    for block in stretch.blocks() {
        if block.damaged {
            stretch.each_of(&block, &mut |met| all.extend(met.read.ok().filter(fits)));
            continue;
        }
        usv::split(&stretch.bytes[block.range.clone()], |found| match found {
            Found::Plain(plain) => {
                if wanted(node_of(&plain.line), plain.line.target(), plain.line.field()) {
                    all.extend(usv::read_line(plain.line.bytes));
                }
            }
            Found::Other(record) => {
                stretch.each_in(&block, record, &mut |met| all.extend(met.read.ok().filter(fits)))
            }
        });
    }
}

fn node_of<'a>(line: &Line<'a>) -> &'a [u8] {
    let head = &line.bytes[..usize::from(line.target).saturating_sub(1)];
    memchr::memchr(US, head).map_or(&[], |at| &head[at + 1..])
}
