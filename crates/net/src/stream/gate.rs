//! How many strangers may stand in the door at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Handshakes under way at a time. Each costs a thread and some kilobytes for as long as its
/// deadline lets it.
pub const HALF_OPEN_MAX: usize = 16;

/// Counts the handshakes under way. Clones count together.
#[derive(Debug, Clone)]
pub struct Gate {
    inside: Arc<AtomicUsize>,
    max: usize,
}

/// The right to one handshake; given back when dropped, which [`accept`](super::accept) does as
/// soon as the handshake is over.
#[derive(Debug)]
#[must_use = "a pass that is dropped lets the next one in"]
pub struct Pass(Arc<AtomicUsize>);

impl Gate {
    /// A gate for `max` handshakes.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self { inside: Arc::default(), max }
    }

    /// A pass, or `None` when all are out: then close the connection, without a thread for it.
    #[must_use]
    pub fn enter(&self) -> Option<Pass> {
        let one_more = |inside| (inside < self.max).then_some(inside + 1);
        self.inside.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more).ok()?;
        Some(Pass(Arc::clone(&self.inside)))
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::new(HALF_OPEN_MAX)
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_lets_in_as_many_as_it_says_and_another_for_each_that_leaves() {
        let gate = Gate::new(2);
        let (first, second) = (gate.enter(), gate.clone().enter());
        assert!(first.is_some() && second.is_some());
        assert!(gate.enter().is_none());
        drop(first);
        let third = gate.enter();
        assert!(third.is_some() && gate.enter().is_none());
    }
}
