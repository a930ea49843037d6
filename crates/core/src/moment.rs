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
    fn what_is_neither_is_not_read() {
        for text in
            ["", "2026-02-30", "2026-2-3", "20261201", "2026-12-01T14:30", "+026-12-01", "tue"]
        {
            assert_eq!(Moment::read(text), None, "{text}");
        }
    }
}
