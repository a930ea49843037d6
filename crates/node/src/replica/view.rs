//! The durable part of the journals, as peers and comparisons read it.

use cocli_core::frame::Range;
use cocli_core::gossip::stream::{Logs, Unreadable};
use cocli_core::{ChainHash, Head, LogId, SortedFile, Vector};
use cocli_store::{Journals, checkpoint};

/// Journals, and how far of them is durable.
pub(crate) struct View<'a> {
    pub(crate) journals: &'a mut Journals,
    pub(crate) vector: &'a Vector,
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
        checkpoint::told(self.journals).ok().flatten().map(|told| told.text)
    }

    fn lines(&mut self, file: SortedFile, offset: u64, max: usize) -> Option<Vec<u8>> {
        checkpoint::piece(&**self.journals.disk(), file, offset, max).ok().flatten()
    }

    fn odd(&mut self, behind: Option<&(LogId, u64)>, max: usize) -> Result<Vec<u8>, Unreadable> {
        checkpoint::odd_behind(&**self.journals.disk(), behind, max).map_err(|_| Unreadable)
    }

    /// What the marks say, which costs no reading.
    fn heads(&mut self, log: &LogId, after: u64, before: u64) -> Vec<Head> {
        self.journals.marks_between(log, after, before)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

    use std::sync::Arc;

    use cocli_core::gossip::stream::{Answer, Question, answer};
    use cocli_core::{ClusterId, NodeId};
    use cocli_store::disk::fake::{Fault, Times};
    use cocli_store::{FakeDisk, paths};

    use super::*;

    #[test]
    fn a_list_of_odd_records_that_cannot_be_read_is_not_told_as_one_that_is_not_there() {
        let disk = FakeDisk::new();
        disk.plant_folder(paths::OWN);
        let node = NodeId::read("pi1").unwrap();
        let shared = Arc::new(disk.clone());
        let mut journals = Journals::open(shared, ClusterId([7; 16]), node).unwrap();
        let vector = Vector::default();
        let mut view = View { journals: &mut journals, vector: &vector };
        let question = Question::Odd { behind: None, max: 100 };
        assert_eq!(answer(&mut view, &question), Answer::Odd(Vec::new()));
        let entry = "pi1\u{1f}7\u{1f}why\u{1f}what\u{1e}\n";
        disk.plant(&paths::odd(None), entry.as_bytes());
        assert_eq!(answer(&mut view, &question), Answer::Odd(entry.as_bytes().to_vec()));
        for fault in [Fault::Error, Fault::Denied] {
            disk.fail_at(1, fault, Times::Once);
            assert_eq!(answer(&mut view, &question), Answer::Unreadable, "{fault:?}");
        }
        assert_eq!(answer(&mut view, &question), Answer::Odd(entry.as_bytes().to_vec()));
    }
}
