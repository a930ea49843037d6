//! The durable part of the journals, as peers and comparisons read it.

use cocli_core::frame::Range;
use cocli_core::gossip::stream::{Logs, Unreadable};
use cocli_core::{ChainHash, Head, LogId, SortedFile, Vector};
use cocli_store::{Journals, checkpoint};

/// Journals, and how far of them is durable.
pub(super) struct View<'a> {
    pub(super) journals: &'a mut Journals,
    pub(super) vector: &'a Vector,
}

impl View<'_> {
    fn in_hole(&self, log: &LogId, position: u64) -> bool {
        let inside = |hole: &cocli_store::journal::Hole| {
            hole.log == *log && (hole.from.position..=hole.until.position).contains(&position)
        };
        self.journals.holes().iter().any(inside)
    }
}

impl Logs for View<'_> {
    fn head(&mut self, log: &LogId) -> Option<Head> {
        self.vector.get(log)
    }

    fn base(&mut self, log: &LogId) -> u64 {
        self.journals.begin(log)
    }

    fn hash_at(&mut self, log: &LogId, position: u64) -> Result<Option<ChainHash>, Unreadable> {
        if let Some(head) = self.vector.get(log).filter(|head| head.position == position) {
            return Ok(Some(head.hash));
        }
        match self.journals.hash_at(log, position) {
            Ok(None) if position < self.journals.begin(log) || self.in_hole(log, position) => {
                Err(Unreadable)
            }
            Ok(hash) => Ok(hash),
            Err(_) => Err(Unreadable),
        }
    }

    fn read(&mut self, log: &LogId, from: u64, until: u64, max: usize) -> Option<Range> {
        let until = until.min(self.vector.position(log));
        self.journals.read(log, from, until, max).ok().flatten()
    }

    fn manifest(&mut self) -> Option<Vec<u8>> {
        checkpoint::told(self.journals).ok().flatten()
    }

    fn lines(&mut self, file: SortedFile, offset: u64, max: usize) -> Option<Vec<u8>> {
        checkpoint::piece(&**self.journals.disk(), file, offset, max).ok().flatten()
    }

    fn odd(&mut self, behind: Option<&(LogId, u64)>, max: usize) -> Option<Vec<u8>> {
        checkpoint::odd_behind(&**self.journals.disk(), behind, max).ok()
    }

    /// What the marks say, which costs no reading.
    fn heads(&mut self, log: &LogId, after: u64, before: u64) -> Vec<Head> {
        self.journals.marks_between(log, after, before)
    }
}
