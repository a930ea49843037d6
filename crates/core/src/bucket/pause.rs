//! How long who works in rounds rests after one that failed: docs/bucket.md, "The hub". It knows no clock.

use super::FailureKind;
use super::pace::{DENIED_US, Micros, SECOND};

/// Pause after a first round that failed.
const FIRST_US: Micros = 20 * SECOND;
/// Longest pause.
const LONGEST_US: Micros = 900 * SECOND;

/// The last pause, while every round since fails.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pause(Option<Micros>);

impl Pause {
    /// The pause after a round that failed so: twice the last.
    pub fn failed(&mut self, kind: FailureKind) -> Micros {
        let first = match kind {
            FailureKind::Away => FIRST_US,
            FailureKind::Denied | FailureKind::Wrong | FailureKind::Budget => DENIED_US,
        };
        let pause = self.0.map_or(first, |last| first.max(last * 2)).min(LONGEST_US);
        self.0 = Some(pause);
        pause
    }

    /// A round came through.
    pub fn done(&mut self) {
        self.0 = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pauses after so many rounds that fail alike, in seconds.
    fn pauses(pause: &mut Pause, kind: FailureKind, count: usize) -> alloc::vec::Vec<u64> {
        (0..count).map(|_| pause.failed(kind) / SECOND).collect()
    }

    #[test]
    fn each_failure_doubles_the_pause_up_to_a_quarter_of_an_hour_and_a_success_ends_that() {
        let mut pause = Pause::default();
        for _ in 0..2 {
            let all = pauses(&mut pause, FailureKind::Away, 9);
            assert_eq!(all, [20, 40, 80, 160, 320, 640, 900, 900, 900]);
            pause.done();
        }
    }

    #[test]
    fn what_another_try_mends_hardly_ever_waits_five_minutes_at_once() {
        for kind in [FailureKind::Denied, FailureKind::Wrong, FailureKind::Budget] {
            let mut pause = Pause::default();
            assert_eq!(pauses(&mut pause, kind, 4), [300, 600, 900, 900], "{kind:?}");
            pause.done();
            assert_eq!(pauses(&mut pause, FailureKind::Away, 2), [20, 40]);
            assert_eq!(pauses(&mut pause, kind, 2), [300, 600]);
            assert_eq!(pauses(&mut pause, FailureKind::Away, 1), [900]);
        }
    }
}
