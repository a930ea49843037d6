//! What a field of the type time holds: a day, or a moment of one.

use core::fmt;

use crate::time::{Day, Instant};

/// A day of the calendar, the same wherever it is read, or a moment in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Moment {
    /// No time of day was given: `2026-12-01`.
    Day(Day),
    /// A time of day was: `2026-12-01T14:30:00Z`.
    At(Instant),
}

impl Moment {
    /// Reads what stands in a field: `YYYY-MM-DD`, or what [`Instant::read`] takes.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        match text.as_bytes() {
            [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] => {
                let digits = [*y1, *y2, *y3, *y4, *m1, *m2, *d1, *d2];
                Day::read(core::str::from_utf8(&digits).ok()?).map(Self::Day)
            }
            _ => Instant::read(text).map(Self::At),
        }
    }

    /// Where it stands among instants: a day at its beginning in UTC.
    #[must_use]
    pub fn utc(self) -> Instant {
        match self {
            Self::At(instant) => instant,
            Self::Day(_) => {
                let begins = Instant::read(&alloc::format!("{self}T00:00:00Z"));
                let before = |day: Day| day.number() < 19_700_101;
                let bound = match self {
                    Self::Day(day) if before(day) => Instant::MIN,
                    _ => Instant::MAX,
                };
                begins.unwrap_or(bound)
            }
        }
    }
}

/// As it is written into a field.
impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use alloc::string::ToString;
        match self {
            Self::Day(day) => {
                let number = day.number();
                write!(f, "{:04}-{:02}-{:02}", number / 10_000, number / 100 % 100, number % 100)
            }
            Self::At(instant) => match instant.to_string().strip_suffix(".000000+00:00") {
                Some(seconds) => write!(f, "{seconds}Z"),
                None => fmt::Display::fmt(instant, f),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_day_and_a_moment_print_as_they_are_read() {
        for text in ["2026-12-01", "2026-12-01T14:30:00Z", "2026-12-01T14:30:00.500000+00:00"] {
            assert_eq!(Moment::read(text).unwrap().to_string(), text);
        }
        let same = Moment::read("2026-12-01T15:30:00+01:00").unwrap();
        assert_eq!(same.to_string(), "2026-12-01T14:30:00Z");
    }

    #[test]
    fn a_day_begins_at_midnight_and_stays_within_bounds() {
        let utc = |text: &str| Moment::read(text).unwrap().utc().to_string();
        assert_eq!(utc("2026-12-01"), "2026-12-01T00:00:00.000000+00:00");
        assert_eq!(Moment::read("1066-10-14").unwrap().utc(), Instant::MIN);
        assert_eq!(Moment::read("9999-12-31").unwrap().utc(), Instant::MAX);
    }

    #[test]
    fn what_is_neither_is_not_read() {
        for text in
            ["", "2026-02-30", "2026-2-3", "20261201", "2026-12-01T14:30", "+026-12-01", "tue"]
        {
            assert_eq!(Moment::read(text), None, "{text}");
        }
    }
}
