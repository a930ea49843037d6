//! Numbers as people read them, short enough for a column.

/// `812 B`, `3.4 kB`, `120 MB`.
pub(super) fn bytes(bytes: u64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    let (mut value, mut unit) = (bytes as f64, 0);
    // What would be shown as 1000 of a unit is 1 of the next.
    while value >= 999.5 && unit + 1 < units.len() {
        (value, unit) = (value / 1_000.0, unit + 1);
    }
    match unit {
        0 => format!("{bytes} B"),
        _ if value < 9.95 => format!("{value:.1} {}", units[unit]),
        _ => format!("{value:.0} {}", units[unit]),
    }
}

/// `812 ms`, `9 s`, `3 min`, `2 h`, `4 d`.
pub(super) fn span(ms: u64) -> String {
    let s = ms / 1_000;
    match s {
        0 => format!("{ms} ms"),
        1..120 => format!("{s} s"),
        120..7_200 => format!("{} min", s / 60),
        7_200..172_800 => format!("{} h", s / 3_600),
        _ => format!("{} d", s / 86_400),
    }
}

/// By how much a clock is ahead: `+3 s`, `-2 h`, `right`.
pub(super) fn ahead(us: i64) -> String {
    let ms = us.unsigned_abs() / 1_000;
    match (ms, us < 0) {
        (0, _) => "right".to_owned(),
        (_, true) => format!("-{}", span(ms)),
        (_, false) => format!("+{}", span(ms)),
    }
}

/// How much of something is used, in percent.
pub(super) fn used(whole: Option<u64>, free: Option<u64>) -> Option<u64> {
    let (whole, free) = (whole.filter(|whole| *whole > 0)?, free?);
    Some((whole.saturating_sub(free) as f64 / whole as f64 * 100.0).round() as u64)
}

/// `1,234,567`.
pub(super) fn number(number: impl std::fmt::Display) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_in_the_unit_that_people_say() {
        let said = [999, 1_000, 9_949, 9_950, 999_499, 999_500, u64::MAX].map(bytes);
        assert_eq!(said, ["999 B", "1.0 kB", "9.9 kB", "10 kB", "999 kB", "1.0 MB", "18 EB"]);
        assert_eq!([999, 1_000, 120_000, 7_200_000].map(span), ["999 ms", "1 s", "2 min", "2 h"]);
        assert_eq!([-999, -3_000_000, 1_000].map(ahead), ["right", "-3 s", "+1 ms"]);
        assert_eq!((used(Some(200), Some(10)), used(Some(0), Some(0))), (Some(95), None));
        assert_eq!([0_u64, 999, 1_000, 1_234_567].map(number), ["0", "999", "1,000", "1,234,567"]);
    }
}
