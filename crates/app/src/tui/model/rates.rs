//! How much comes, and how long it took to come, second by second over the last minutes.

use std::collections::VecDeque;

use super::super::seen::Line;

/// Seconds that are kept.
pub(crate) const SECONDS_MAX: usize = 300;
/// Delays of one second that are kept: of more, these tell enough.
const DELAYS_MAX: usize = 1_000;
/// Up to how many milliseconds each bar of the histogram counts; the last one counts all beyond.
pub(crate) const BOUNDS_MS: [u64; 9] = [5, 10, 25, 50, 100, 250, 500, 1_000, 5_000];

/// What came in a second.
#[derive(Debug, Clone, Default)]
pub(crate) struct Second {
    pub(crate) own: u64,
    pub(crate) others: u64,
    /// Of those of others, sorted only when asked for.
    delays_ms: Vec<u64>,
}

/// The middle, what 95 of 100 stay below, and the longest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Delays {
    pub(crate) p50_ms: u64,
    pub(crate) p95_ms: u64,
    pub(crate) max_ms: u64,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    /// The newest last: the one that is not over.
    seconds: VecDeque<Second>,
    number: u64,
    /// Bytes of which only the number was told.
    pub(crate) untold_bytes: u64,
}

impl State {
    /// Time went on.
    pub(super) fn at(&mut self, now_ms: u64) {
        let number = now_ms / 1_000;
        let over = match self.seconds.is_empty() {
            true => 1,
            false => usize::try_from(number.saturating_sub(self.number)).unwrap_or(SECONDS_MAX),
        };
        self.number = self.number.max(number);
        for _ in 0..over.min(SECONDS_MAX) {
            self.seconds.push_back(Second::default());
        }
        let old = self.seconds.len().saturating_sub(SECONDS_MAX);
        self.seconds.drain(..old);
    }

    pub(super) fn take(&mut self, line: &Line) {
        let Some(second) = self.seconds.back_mut() else { return };
        match line {
            Line::Datagram(datagram) if datagram.own => second.own += 1,
            Line::Datagram(datagram) => {
                second.others += 1;
                if let Some(delay) =
                    datagram.delay_ms.filter(|_| second.delays_ms.len() < DELAYS_MAX)
                {
                    second.delays_ms.push(delay);
                }
            }
            Line::Much { bytes, .. } => {
                self.untold_bytes = self.untold_bytes.saturating_add(*bytes);
            }
            Line::Beat => {}
        }
    }

    /// The last seconds that are over, at most so many, the oldest first.
    pub(crate) fn last(&self, most: usize) -> impl Iterator<Item = &Second> {
        let over = self.seconds.len().saturating_sub(1);
        self.seconds.iter().take(over).skip(over.saturating_sub(most))
    }

    /// Of all delays that are kept.
    pub(crate) fn delays(&self) -> Option<Delays> {
        delays(self.seconds.iter().flat_map(|second| &second.delays_ms).copied().collect())
    }

    /// How many delays fall below each bound, and beyond the last.
    pub(crate) fn histogram(&self) -> [u64; BOUNDS_MS.len() + 1] {
        let mut bars = [0; BOUNDS_MS.len() + 1];
        for delay in self.seconds.iter().flat_map(|second| &second.delays_ms) {
            bars[BOUNDS_MS.partition_point(|bound| bound < delay)] += 1;
        }
        bars
    }
}

impl Second {
    pub(crate) fn delays(&self) -> Option<Delays> {
        delays(self.delays_ms.clone())
    }
}

fn delays(mut all: Vec<u64>) -> Option<Delays> {
    all.sort_unstable();
    let last = all.len().checked_sub(1)?;
    let at = |percent: usize| all.get((all.len() * percent / 100).min(last)).copied().unwrap_or(0);
    Some(Delays { p50_ms: at(50), p95_ms: at(95), max_ms: at(100) })
}
