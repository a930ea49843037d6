//! Sizes, times and numbers as people read them, each in one unit: the same in every face.

/// `812 B`, `3.4 kB`, `120 MB`.
pub(crate) fn sized(bytes: u64) -> String {
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

/// `40 s`, `3 min`, `5 h`, `4 days`.
pub(crate) fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", (seconds + 30) / 60),
        7_200..172_800 => format!("{} h", (seconds + 1_800) / 3_600),
        _ => format!("{} days", (seconds + 43_200) / 86_400),
    }
}

/// The same of milliseconds: below a second in these.
pub(crate) fn span_ms(ms: u64) -> String {
    if ms < 1_000 { format!("{ms} ms") } else { span(ms / 1_000) }
}

/// `3 h behind`, `2 s ahead`, and `right` when it is so to the millisecond.
pub(crate) fn clock(ahead_us: i64) -> String {
    match ahead_us.unsigned_abs() / 1_000 {
        0 => "right".into(),
        ms => format!("{} {}", span_ms(ms), if ahead_us < 0 { "behind" } else { "ahead" }),
    }
}

/// What a node lacks, and what it has that is not here.
pub(crate) fn between(lacks: u64, ahead: u64) -> String {
    match (lacks, ahead) {
        (0, ahead) => format!("{} ahead", sized(ahead)),
        (lacks, 0) => format!("lacks {}", sized(lacks)),
        (lacks, ahead) => format!("lacks {}, {} ahead", sized(lacks), sized(ahead)),
    }
}

/// Of a number that is told as a fraction the whole.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast saturates")]
pub(crate) fn whole(number: f64) -> u64 {
    number as u64
}

/// `1,234,567`.
pub(crate) fn number(number: impl std::fmt::Display) -> String {
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
        let said = [999, 1_000, 9_949, 9_950, 999_499, 999_500, u64::MAX].map(sized);
        assert_eq!(said, ["999 B", "1.0 kB", "9.9 kB", "10 kB", "999 kB", "1.0 MB", "18 EB"]);
        let spans = [999, 1_000, 120_000, 7_200_000, 200_000_000].map(span_ms);
        assert_eq!(spans, ["999 ms", "1 s", "2 min", "2 h", "2 days"]);
        assert_eq!([0_u64, 999, 1_000, 1_234_567].map(number), ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn a_difference_is_spoken_in_one_unit() {
        let spoken = [999, -1_500, 1_500_000, 90_000_000, -3 * 3_600_000_000 + 1].map(clock);
        assert_eq!(spoken, ["right", "1 ms behind", "1 s ahead", "90 s ahead", "3 h behind"]);
    }
}
