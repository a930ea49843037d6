//! The wall clock, which decides nothing here: peers tell it to each other, so that a person may know
//! whose is wrong.

use super::event::Micros;

/// By how much the wall clock is ahead of the monotonic one, once somebody said so.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Wall(Option<i64>);

impl Wall {
    /// Says what time it is; microseconds since 1970.
    pub(crate) fn set(&mut self, now: Micros, wall: i64) {
        self.0 = Some(wall.saturating_sub_unsigned(now));
    }

    /// The time, 0 when nobody said it.
    pub(crate) fn at(self, now: Micros) -> i64 {
        self.0.map_or(0, |ahead| ahead.saturating_add_unsigned(now).max(0))
    }

    /// By how much the clock of one who told `theirs` in an answer is ahead of this one: that part
    /// of it that the way there and back cannot explain.
    pub(crate) fn ahead(self, now: Micros, round_trip: Micros, theirs: i64) -> Option<i64> {
        let earliest = self.at(now.saturating_sub(round_trip));
        let latest = self.at(now);
        if theirs <= 0 || earliest == 0 {
            return None;
        }
        Some(theirs.saturating_sub(theirs.clamp(earliest, latest)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_way_cannot_explain_is_skew() {
        let mut wall = Wall::default();
        assert_eq!((wall.at(5), wall.ahead(5, 1, 7)), (0, None));
        wall.set(1_000, 50_000);
        assert_eq!(wall.at(1_500), 50_500);
        // Asked at 50_100, heard at 50_500.
        let ahead = |theirs| wall.ahead(1_500, 400, theirs);
        assert_eq!((ahead(50_100), ahead(50_300), ahead(50_500)), (Some(0), Some(0), Some(0)));
        assert_eq!((ahead(40_000), ahead(60_000)), (Some(-10_100), Some(9_500)));
        assert_eq!(ahead(0), None, "it did not say");
        assert_eq!(ahead(i64::MAX), Some(i64::MAX - 50_500));
    }
}
