//! Which packets of a boot were seen: a packet counts once.

use crate::limits::REPLAY_WINDOW;

/// The last [`REPLAY_WINDOW`] counters of a boot.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    newest: u64,
    seen: [u64; (REPLAY_WINDOW / 64) as usize],
}

impl Window {
    /// A window that begins behind the packet that proved the boot: what was sent before it, to one
    /// who was not proven, counts as seen.
    pub(crate) fn new(counter: u64) -> Self {
        Self { newest: counter, seen: [u64::MAX; (REPLAY_WINDOW / 64) as usize] }
    }

    /// Takes a counter; false when it was seen before or is older than the window.
    pub(crate) fn take(&mut self, counter: u64) -> bool {
        if counter > self.newest {
            if counter - self.newest >= REPLAY_WINDOW {
                self.seen.fill(0);
            } else {
                (self.newest + 1..counter).for_each(|skipped| self.clear(skipped));
            }
            self.newest = counter;
            self.mark(counter);
            return true;
        }
        let old = self.newest - counter >= REPLAY_WINDOW;
        let (word, bit) = Self::place(counter);
        if old || self.seen[word] & bit != 0 {
            return false;
        }
        self.mark(counter);
        true
    }

    /// The highest counter that was taken.
    pub(crate) fn newest(&self) -> u64 {
        self.newest
    }

    fn place(counter: u64) -> (usize, u64) {
        let at = counter % REPLAY_WINDOW;
        ((at / 64) as usize, 1 << (at % 64))
    }

    fn mark(&mut self, counter: u64) {
        let (word, bit) = Self::place(counter);
        self.seen[word] |= bit;
    }

    fn clear(&mut self, counter: u64) {
        let (word, bit) = Self::place(counter);
        self.seen[word] &= !bit;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_window_agrees_with_a_set(steps in prop::collection::vec(0_u64..3000, 1..400)) {
            let mut window = Window::new(steps[0]);
            let mut seen = BTreeSet::from([steps[0]]);
            for counter in &steps[1..] {
                let newest = *seen.last().unwrap();
                let late = counter + REPLAY_WINDOW <= newest || *counter <= steps[0];
                let fresh = !seen.contains(counter) && !late;
                prop_assert_eq!(window.take(*counter), fresh);
                if fresh {
                    seen.insert(*counter);
                }
            }
        }
    }

    #[test]
    fn a_counter_at_the_end_of_all_numbers_is_taken_once() {
        let mut window = Window::new(1);
        assert!(window.take(u64::MAX));
        assert!(!window.take(u64::MAX));
        assert!(!window.take(1));
    }
}
