//! Sizes and times as people read them.

/// `12 kB`, `1.4 GB`.
pub(super) fn sized(bytes: f64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"];
    let (mut size, mut at) = (bytes.max(0.0), 0);
    while size >= 1_000.0 && at + 1 < units.len() {
        size /= 1_000.0;
        at += 1;
    }
    let digits = if at > 0 && size < 10.0 { 1 } else { 0 };
    format!("{size:.digits$} {}", units[at])
}

/// How long something took or takes: `41 ms`, `12 s`, `3 h`.
pub(super) fn long(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..120_000 => format!("{} s", ms / 1_000),
        120_000..7_200_000 => format!("{} min", ms / 60_000),
        7_200_000..172_800_000 => format!("{} h", ms / 3_600_000),
        _ => format!("{} days", ms / 86_400_000),
    }
}

/// How long ago; what is fresh is `now`, so that a page does not change while nothing happens.
pub(super) fn ago(ms: u64) -> String {
    match ms {
        0..15_000 => "now".into(),
        15_000..120_000 => format!("{} s ago", ms / 15_000 * 15),
        _ => format!("{} ago", long(ms)),
    }
}

/// A clock against another one.
pub(super) fn clock(ahead_us: f64) -> String {
    let ms = (ahead_us.abs() / 1_000.0) as u64;
    match ms {
        0..100 => "right".into(),
        _ => format!("{} {}", long(ms), if ahead_us < 0.0 { "behind" } else { "ahead" }),
    }
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
    fn sizes_and_times_are_in_one_unit() {
        let sizes = [0.0, 999.0, 1_400.0, 62_000_000.0, 8_123_000_000.0, -1.0].map(sized);
        assert_eq!(sizes, ["0 B", "999 B", "1.4 kB", "62 MB", "8.1 GB", "0 B"]);
        assert_eq!(
            [0, 59_000, 7_000_000, 200_000_000].map(ago),
            ["now", "45 s ago", "116 min ago", "2 days ago"]
        );
        assert_eq!(
            [10.0, -1_500_000.0, 7_300_000_000.0].map(clock),
            ["right", "1 s behind", "2 h ahead"]
        );
        assert_eq!([0.0, 1.5, 12.346, 400.4].map(number), ["0", "1.50", "12.35", "400"]);
    }
}
