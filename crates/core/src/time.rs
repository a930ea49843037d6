//! Instants in microseconds and their one text form.
//!
//! The grammar is part of the record format, so it is written here and not left to a library whose
//! next version may read more or less: what one node takes and another refuses would part them.

use alloc::string::String;
use core::fmt;

/// Microseconds since 1970-01-01 UTC; always within [`Instant::MIN`] and [`Instant::MAX`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(i64);

/// A UTC day as the number YYYYMMDD.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(u32);

/// A UTC month as the number YYYYMM.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month(u32);

const MICROS: i64 = 1_000_000;
const DAY_MICROS: i64 = 86_400 * MICROS;

impl Instant {
    /// 1970-01-01T00:00:00Z.
    pub const MIN: Self = Self(0);
    /// The last microsecond before 9000-01-01.
    pub const MAX: Self = Self(221_845_392_000 * MICROS - 1);

    /// An instant from microseconds; `None` outside 1970 to 9000.
    #[must_use]
    pub fn from_micros(micros: i64) -> Option<Self> {
        (Self::MIN.0..=Self::MAX.0).contains(&micros).then_some(Self(micros))
    }

    /// Microseconds since 1970.
    #[must_use]
    pub fn micros(self) -> i64 {
        self.0
    }

    /// The instant one microsecond later; the last one stays.
    #[must_use]
    pub fn after(self) -> Self {
        Self((self.0 + 1).min(Self::MAX.0))
    }

    /// The UTC day that it falls on.
    #[must_use]
    pub fn day(self) -> Day {
        let (y, m, d) = civil(self.0.div_euclid(DAY_MICROS));
        Day(y * 10_000 + m * 100 + d)
    }

    /// Reads ISO-8601 with date, `T`, time to the second, optional fraction (cut to microseconds)
    /// and `Z` or an offset `±hh:mm`; `None` for anything else or outside 1970 to 9000.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let b = text.as_bytes();
        if b.len() < 20
            || b[4] != b'-'
            || b[7] != b'-'
            || b[10] != b'T'
            || b[13] != b':'
            || b[16] != b':'
        {
            return None;
        }
        let (year, month, day) = (digits(&b[..4])?, digits(&b[5..7])?, digits(&b[8..10])?);
        let (hour, minute, second) =
            (digits(&b[11..13])?, digits(&b[14..16])?, digits(&b[17..19])?);
        if !(1..=12).contains(&month) || day < 1 || day > days_of(year, month) {
            return None;
        }
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let (fraction, zone) = fraction(&b[19..])?;
        let seconds =
            days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset(zone)?;
        Self::from_micros(seconds * MICROS + fraction)
    }
}

/// `2026-02-18T17:04:05.000000+00:00`, the form of a record.
impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (y, m, d) = civil(self.0.div_euclid(DAY_MICROS));
        let of_day = self.0.rem_euclid(DAY_MICROS);
        let (s, us) = (of_day / MICROS, of_day % MICROS);
        let mut text = *b"0000-00-00T00:00:00.000000+00:00";
        put(&mut text[0..4], i64::from(y));
        put(&mut text[5..7], i64::from(m));
        put(&mut text[8..10], i64::from(d));
        put(&mut text[11..13], s / 3600);
        put(&mut text[14..16], s / 60 % 60);
        put(&mut text[17..19], s % 60);
        put(&mut text[20..26], us);
        f.write_str(core::str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Day {
    /// Reads `YYYYMMDD`; `None` when that is no day of the calendar.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let b = text.as_bytes();
        if b.len() != 8 {
            return None;
        }
        let (year, month, day) = (digits(&b[..4])?, digits(&b[4..6])?, digits(&b[6..])?);
        let real = (1..=12).contains(&month) && day >= 1 && day <= days_of(year, month);
        Self::from_number(u32::try_from(year * 10_000 + month * 100 + day).ok()?).filter(|_| real)
    }

    /// A day from the number YYYYMMDD; `None` when the number has not eight digits or no such
    /// month or day.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        let (month, day) = (i64::from(number / 100 % 100), i64::from(number % 100));
        let year = i64::from(number / 10_000);
        let real = (1..=12).contains(&month) && day >= 1 && day <= days_of(year, month);
        ((10_000_101..=99_991_231).contains(&number) && real).then_some(Self(number))
    }

    /// The number YYYYMMDD.
    #[must_use]
    pub fn number(self) -> u32 {
        self.0
    }
}

impl Day {
    /// The month that it is of.
    #[must_use]
    pub fn month(self) -> Month {
        Month(self.0 / 100)
    }
}

impl Month {
    /// Reads six digits that are a month of the calendar.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let number = (text.len() == 6).then(|| digits(text.as_bytes()))??;
        let day = Day::from_number(u32::try_from(number).ok()? * 100 + 1)?;
        Some(day.month())
    }

    /// Its first day.
    #[must_use]
    pub fn first_day(self) -> Day {
        Day(self.0 * 100 + 1)
    }

    /// The month so many months before; the first of the year 1000 stays.
    #[must_use]
    pub fn before(self, months: u32) -> Self {
        let count = (self.0 / 100 * 12 + self.0 % 100 - 1).saturating_sub(months).max(12_000);
        Self(count / 12 * 100 + count % 12 + 1)
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:06}", self.0)
    }
}

impl fmt::Debug for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08}", self.0)
    }
}

impl fmt::Debug for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn put(at: &mut [u8], mut number: i64) {
    for digit in at.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
    }
}

fn digits(text: &[u8]) -> Option<i64> {
    let mut number = 0;
    for b in text {
        number = number * 10 + i64::from(b.checked_sub(b'0').filter(|d| *d < 10)?);
    }
    Some(number)
}

/// The microseconds of `.123456789…` and what follows it.
fn fraction(rest: &[u8]) -> Option<(i64, &[u8])> {
    let Some(tail) = rest.strip_prefix(b".") else { return Some((0, rest)) };
    let length = tail.iter().take_while(|b| b.is_ascii_digit()).count();
    if length == 0 {
        return None;
    }
    let kept = length.min(6);
    let scale = 10_i64.pow(u32::try_from(6 - kept).ok()?);
    Some((digits(&tail[..kept])? * scale, &tail[length..]))
}

/// The offset from UTC in seconds.
fn offset(zone: &[u8]) -> Option<i64> {
    match zone {
        b"Z" => Some(0),
        [sign @ (b'+' | b'-'), hh @ .., b':', m1, m2] if hh.len() == 2 => {
            let (hours, minutes) = (digits(hh)?, digits(&[*m1, *m2])?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let seconds = hours * 3600 + minutes * 60;
            Some(if *sign == b'-' { -seconds } else { seconds })
        }
        _ => None,
    }
}

fn days_of(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 of a civil date, counting years from March (H. Hinnant,
/// "chrono-Compatible Low-Level Date Algorithms", `days_from_civil`).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let of_era = y.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The civil date of a day count (the inverse, `civil_from_days`).
fn civil(days: i64) -> (u32, u32, u32) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let of_era = z.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let fit = |n: i64| u32::try_from(n).unwrap_or(0);
    (fit(year), fit(month), fit(day))
}

/// The text of an instant in `out`, without a formatter: the writer of records is hot.
pub(crate) fn push(out: &mut String, instant: Instant) {
    use fmt::Write;
    let _ = write!(out, "{instant}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn the_bounds_are_1970_and_9000() {
        assert_eq!(Instant::read("1970-01-01T00:00:00Z"), Some(Instant::MIN));
        assert_eq!(Instant::read("8999-12-31T23:59:59.999999+00:00"), Some(Instant::MAX));
        assert_eq!(Instant::read("9000-01-01T00:00:00Z"), None);
        assert_eq!(Instant::read("1969-12-31T23:59:59.999999Z"), None);
    }

    #[test]
    fn other_forms_of_one_moment_are_one_instant() {
        let first = Instant::read("2026-02-18T17:04:05.100000+00:00");
        assert!(first.is_some());
        for same in [
            "2026-02-18T17:04:05.1Z",
            "2026-02-18T17:04:05.1000009+00:00",
            "2026-02-18T18:34:05.1+01:30",
            "2026-02-18T16:04:05.10-01:00",
        ] {
            assert_eq!(Instant::read(same), first, "{same}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for bad in [
            "",
            "2026-02-30T00:00:00Z",
            "2025-02-29T00:00:00Z",
            "2026-02-18 17:04:05Z",
            "2026-02-18T17:04:05",
            "2026-02-18T24:00:00Z",
            "2026-02-18T17:04:60Z",
            "2026-02-18T17:04:05.Z",
            "2026-02-18T17:04:05+0100",
            "2026-02-18T17:04:05+00:00Z",
            "2026-02-18T17:04:05\u{e9}",
            "+026-02-18T17:04:05Z",
        ] {
            assert_eq!(Instant::read(bad), None, "{bad}");
        }
    }

    #[test]
    fn months_are_counted_over_the_end_of_a_year() {
        let month = |text: &str| Month::read(text).unwrap();
        assert_eq!(month("202611").before(0), month("202611"));
        assert_eq!(month("202703").before(3), month("202612"));
        assert_eq!(month("202702").before(14), month("202512"));
        assert_eq!(month("100003").before(9), month("100001"));
        assert_eq!(month("202602").first_day(), Day::read("20260201").unwrap());
        for bad in ["202613", "202600", "2026011", "20261", "", "+20261", "000001"] {
            assert_eq!(Month::read(bad), None, "{bad}");
        }
    }

    #[test]
    fn every_day_of_eight_centuries_prints_and_reads_back() {
        for day in 0..300_000_i64 {
            let instant = Instant::from_micros(day * DAY_MICROS + 1).unwrap();
            assert_eq!(Instant::read(&instant.to_string()), Some(instant));
            assert_eq!(Day::read(&instant.day().to_string()), Some(instant.day()));
        }
    }
}
