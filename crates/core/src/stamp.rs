//! Instant and node: the order of all writes, and the rule for a writer's next stamp.

use core::fmt;

use crate::name::NodeId;
use crate::time::Instant;

/// When and by whom a datagram was written. Ordered by instant, then node.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp {
    /// The writer's instant.
    pub instant: Instant,
    /// The writer.
    pub node: NodeId,
}

impl Stamp {
    /// Reads `{timestamp}@{node}`; `None` for anything else.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let (instant, node) = text.split_once('@')?;
        Some(Self { instant: Instant::read(instant)?, node: NodeId::read(node).ok()? })
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.instant, self.node)
    }
}

impl fmt::Debug for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The instant of a new write: the wall clock, or one microsecond after all that it must beat (law 4).
///
/// At the very end of time ([`Instant::MAX`]) nothing is later; such a write ties by instant and is
/// decided like any tie.
#[must_use]
pub fn next_instant<'a>(wall: Instant, beats: impl IntoIterator<Item = &'a Stamp>) -> Instant {
    beats.into_iter().map(|stamp| stamp.instant.after()).fold(wall, Instant::max)
}
