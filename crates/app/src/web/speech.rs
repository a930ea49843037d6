//! Times and clocks as a page tells them: coarse, so that it does not change while nothing happens.

use crate::words::{self, span_ms};

/// How long ago; what is fresh is `now`, so that a page does not change while nothing happens.
pub(super) fn ago(ms: u64) -> String {
    match ms {
        0..15_000 => "now".into(),
        15_000..120_000 => format!("{} s ago", ms / 15_000 * 15),
        _ => format!("{} ago", span_ms(ms)),
    }
}

/// A clock against another one.
pub(super) fn clock(ahead_us: i64) -> String {
    let small = ahead_us.unsigned_abs() < 100_000;
    words::clock(if small { 0 } else { ahead_us })
}

/// A number with few digits.
pub(super) fn number(value: f64) -> String {
    if value.fract().abs() < 0.005 || value.abs() >= 100.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.2}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_coarse_and_small_differences_are_none() {
        assert_eq!(
            [0, 59_000, 7_000_000, 200_000_000].map(ago),
            ["now", "45 s ago", "117 min ago", "2 days ago"]
        );
        assert_eq!(
            [10, -1_500_000, 7_300_000_000].map(clock),
            ["right", "1 s behind", "2 h ahead"]
        );
        assert_eq!([0.0, 1.5, 12.346, 400.4].map(number), ["0", "1.50", "12.35", "400"]);
    }
}
