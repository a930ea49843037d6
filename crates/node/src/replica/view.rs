//! The durable part of the journals, as peers and comparisons read it.

use cocli_core::frame::Range;
use cocli_core::gossip::stream::{Logs, Unreadable};
use cocli_core::limits::CHUNK_BYTES;
use cocli_core::{ChainHash, Head, LogId, Vector};
use cocli_store::Journals;

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

    fn hash_at(&mut self, log: &LogId, position: u64) -> Result<Option<ChainHash>, Unreadable> {
        if let Some(head) = self.vector.get(log).filter(|head| head.position == position) {
            return Ok(Some(head.hash));
        }
        match self.journals.hash_at(log, position) {
            Ok(None) if self.in_hole(log, position) => Err(Unreadable),
            Ok(hash) => Ok(hash),
            Err(_) => Err(Unreadable),
        }
    }

    fn read(&mut self, log: &LogId, from: u64, until: u64, max: usize) -> Option<Range> {
        let until = until.min(self.vector.position(log));
        self.journals.read(log, from, until, max).ok().flatten()
    }

    /// The ends of days; within one day the ends of chunks, which costs reading it once.
    fn heads(&mut self, log: &LogId, after: u64, before: u64) -> Vec<Head> {
        let between = |position: u64| after < position && position < before;
        let days: Vec<u64> = self.journals.days(log).map(|(_, start, _)| start).collect();
        let mut heads = Vec::new();
        for position in days.into_iter().filter(|position| between(*position)) {
            if let Ok(Some(hash)) = self.hash_at(log, position) {
                heads.push(Head { position, hash });
            }
        }
        if !heads.is_empty() {
            return heads;
        }
        let mut position = after;
        while let Some(range) = self.read(log, position, before, CHUNK_BYTES) {
            let end = range.end();
            if range.bytes.len() < CHUNK_BYTES / 2 || !between(end.position) {
                break;
            }
            position = end.position;
            heads.push(end);
        }
        heads
    }
}
