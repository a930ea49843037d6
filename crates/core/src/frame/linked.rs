//! A range on its chain.

use alloc::vec::Vec;

use super::Range;
use crate::limits::POINT_SPACING_BYTES;
use crate::time::Day;
use crate::usv::records;
use crate::vector::Head;

/// A range with the chain worked out over it, so that nobody behind has to do it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Linked {
    /// The range.
    pub range: Range,
    /// Heads within it at ends of records, [`POINT_SPACING_BYTES`] apart, and the one at its end.
    pub points: Vec<Head>,
}

impl From<Range> for Linked {
    fn from(range: Range) -> Self {
        let mut walk = Walk::new(range.start());
        for record in records(&range.bytes) {
            walk.step(range.day, record.bytes);
        }
        Self { range, points: walk.points() }
    }
}

/// The chain while it is worked out, record by record.
pub(crate) struct Walk {
    /// Where it has come to.
    pub(crate) head: Head,
    last: u64,
    points: Vec<Head>,
}

impl Walk {
    pub(crate) fn new(start: Head) -> Self {
        Self { head: start, last: start.position, points: Vec::new() }
    }

    pub(crate) fn step(&mut self, day: Day, record: &[u8]) {
        self.head.hash = self.head.hash.next(day, record);
        self.head.position += record.len() as u64;
        if self.head.position - self.last >= POINT_SPACING_BYTES {
            self.last = self.head.position;
            self.points.push(self.head);
        }
    }

    pub(crate) fn points(mut self) -> Vec<Head> {
        if self.last < self.head.position {
            self.points.push(self.head);
        }
        self.points
    }
}
