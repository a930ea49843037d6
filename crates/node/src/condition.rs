//! The condition of a node under the names that docs/watching.md gives its keys, and when it got worse.

use cocli_core::Target;
use cocli_core::gossip::Condition;
use cocli_core::limits::VERSION_BYTES_MAX;
use cocli_core::task::{Task, TaskState};
use serde_json::{Number, Value as Json};

use crate::error::Result;
use crate::home::Home;

/// What a person is told of a node, in this order.
pub const KEYS: [&str; 17] = [
    "version",
    "up_s",
    "load",
    "cores",
    "memory",
    "memory_free",
    "resident",
    "disk",
    "disk_free",
    "temperature",
    "vector",
    "digest",
    "rules",
    "clock_ahead_us",
    "bucket_lag",
    "queued",
    "problems",
];

/// What is known of a condition, by key.
pub fn told(condition: &Condition) -> impl Iterator<Item = (&'static str, Json)> + '_ {
    KEYS.iter().filter_map(|key| Some((*key, value(condition, key)?)))
}

/// A condition as one object.
#[must_use]
pub fn object(condition: &Condition) -> Json {
    Json::Object(told(condition).map(|(key, value)| (key.to_owned(), value)).collect())
}

/// The value of a key; nothing where it is not known, or there is no such key.
pub(crate) fn value(condition: &Condition, key: &str) -> Option<Json> {
    let it = condition;
    let hex = |sum: u128| Json::String(format!("{sum:032x}"));
    let part = |number: f64, of: f64| Number::from_f64(number / of).map(Json::Number);
    match key {
        "version" => it.version.clone().map(Json::String),
        "load" => part(it.load_hundredths? as f64, 100.0),
        "temperature" => part(it.temperature_tenths? as f64, 10.0),
        "vector" => it.vector.map(hex),
        "digest" => it.digest.map(hex),
        "clock_ahead_us" => it.clock_ahead_us.map(Json::from),
        _ => figure(&mut it.clone(), key)?.map(Json::from),
    }
}

/// A condition of what was kept of it, by key: what does not read is not known.
pub fn read<'t>(kept: impl Iterator<Item = (&'t str, &'t str)>) -> Condition {
    let mut condition = Condition::default();
    kept.for_each(|(key, text)| take(&mut condition, key, text));
    condition
}

/// Takes what was kept of a key, should it read.
pub(crate) fn take(condition: &mut Condition, key: &str, text: &str) {
    let sum = || u128::from_str_radix(text, 16).ok().filter(|_| text.len() == 32);
    // As one that is told live.
    let version = || {
        (1..=VERSION_BYTES_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
    };
    let times = |of: f64| text.parse::<f64>().ok().filter(|n| n.is_finite()).map(|n| n * of);
    match key {
        "version" => condition.version = version().then(|| text.to_owned()),
        "load" => {
            let load = times(100.0).filter(|load| *load >= 0.0);
            condition.load_hundredths = load.map(|load| load.round() as u64);
        }
        "temperature" => {
            condition.temperature_tenths = times(10.0).map(|tenths| tenths.round() as i64);
        }
        "vector" => condition.vector = sum(),
        "digest" => condition.digest = sum(),
        "clock_ahead_us" => condition.clock_ahead_us = text.parse().ok(),
        _ => {
            if let Some(figure) = figure(condition, key) {
                *figure = text.parse().ok();
            }
        }
    }
}

/// The keys that are a plain number.
fn figure<'c>(condition: &'c mut Condition, key: &str) -> Option<&'c mut Option<u64>> {
    Some(match key {
        "up_s" => &mut condition.up_s,
        "cores" => &mut condition.cores,
        "memory" => &mut condition.memory,
        "memory_free" => &mut condition.memory_free,
        "resident" => &mut condition.resident,
        "disk" => &mut condition.disk,
        "disk_free" => &mut condition.disk_free,
        "rules" => &mut condition.rules,
        "bucket_lag" => &mut condition.bucket_lag,
        "queued" => &mut condition.queued,
        "problems" => &mut condition.problems,
        _ => return None,
    })
}

impl Home {
    /// How many things need a person here: damage, and cards about which somebody has to decide, among those that may
    /// have been `touched`, where that is known.
    ///
    /// # Errors
    /// When the home cannot be read.
    pub fn count_problems(&self, touched: Option<&[Target]>) -> Result<u64> {
        let it = self.needs_of(touched)?;
        let damage = usize::from(it.holes > 0) + it.troubles.len();
        Ok((damage + it.held.len() + it.broken.len()) as u64)
    }

    /// How many tasks wait, over all queues.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn count_waiting(&self) -> Result<u64> {
        let queues = self.read(|reader| reader.expiring_entities("campaigns/"))?;
        let waits = |task: &Task| task.state == TaskState::Waiting;
        let count =
            queues.values().map(|queue| Task::all(queue).iter().filter(|t| waits(t)).count());
        Ok(count.sum::<usize>() as u64)
    }
}

/// How bad each side of a condition is. What swings about a limit counts as beyond it, until it is well on the
/// right side again: noise is no news.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grades([u8; 6]);

impl Grades {
    /// As they are when it goes on like this.
    #[must_use]
    pub fn after(&self, it: &Condition) -> Self {
        let clock = it.clock_ahead_us.map(i64::unsigned_abs);
        let heat = it.temperature_tenths.and_then(|tenths| u64::try_from(tenths).ok());
        let (disk, memory) = (used(it.disk, it.disk_free), used(it.memory, it.memory_free));
        let [of_disk, of_memory, of_heat, of_clock, of_lag, _] = self.0;
        Self([
            grade(of_disk, disk, &[900, 950, 990], |limit| limit - 10),
            grade(of_memory, memory, &[950, 980], |limit| limit - 30),
            grade(of_heat, heat, &[800, 900], |limit| limit - 50),
            grade(of_clock, clock, &[1_000_000, 60_000_000], |limit| limit / 2),
            grade(of_lag, it.bucket_lag, &[16 << 20], |limit| limit / 2),
            it.problems.map_or(0, |problems| u8::try_from(problems).unwrap_or(u8::MAX)),
        ])
    }

    /// Whether any side is worse than it was.
    #[must_use]
    pub fn is_worse_than(&self, before: &Self) -> bool {
        self.0.iter().zip(before.0).any(|(now, before)| *now > before)
    }
}

/// How much of a whole is used, in thousandths.
fn used(whole: Option<u64>, free: Option<u64>) -> Option<u64> {
    let (whole, free) = (u128::from(whole?), u128::from(free?));
    let used = whole.saturating_sub(free) * 1000;
    u64::try_from(used.checked_div(whole)?).ok()
}

/// How many limits a figure is beyond, having been beyond `before` of them.
fn grade(before: u8, figure: Option<u64>, limits: &[u64], back: impl Fn(u64) -> u64) -> u8 {
    let Some(figure) = figure else { return 0 };
    let beyond = |at: usize, limit: u64| {
        let limit = if at < usize::from(before) { back(limit) } else { limit };
        figure >= limit
    };
    let count = limits.iter().enumerate().take_while(|(at, limit)| beyond(*at, **limit)).count();
    u8::try_from(count).unwrap_or(u8::MAX)
}

/// Whether what people see of a key changed by as much as is worth keeping.
pub(crate) fn is_news(key: &str, kept: &Condition, now: &Condition) -> bool {
    let apart = |of: fn(&Condition) -> Option<u64>, least: u64| match (of(kept), of(now)) {
        (Some(kept), Some(now)) => kept.abs_diff(now) >= least.max(1),
        (kept, now) => kept != now,
    };
    let sixteenth = |whole: Option<u64>| whole.unwrap_or_default() / 16;
    match key {
        "load" => {
            let least = now.load_hundredths.unwrap_or_default() / 4;
            apart(|it| it.load_hundredths, least.max(50))
        }
        "memory_free" => apart(|it| it.memory_free, sixteenth(now.memory)),
        "resident" => apart(|it| it.resident, now.resident.unwrap_or_default() / 4),
        "disk_free" => apart(|it| it.disk_free, sixteenth(now.disk) / 4),
        "temperature" => {
            let steps = |it: &Condition| it.temperature_tenths.map(|tenths| tenths.div_euclid(50));
            steps(kept) != steps(now)
        }
        "clock_ahead_us" => apart(|it| it.clock_ahead_us.map(i64::unsigned_abs), 250_000),
        "bucket_lag" => apart(|it| it.bucket_lag, now.bucket_lag.unwrap_or_default() / 2),
        "queued" => apart(|it| it.queued, now.queued.unwrap_or_default() / 4),
        _ => value(kept, key) != value(now, key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Condition {
        Condition {
            version: Some("0.1.0".into()),
            up_s: Some(7),
            load_hundredths: Some(142),
            memory: Some(8 << 30),
            memory_free: Some(4 << 30),
            disk: Some(100 << 30),
            disk_free: Some(50 << 30),
            temperature_tenths: Some(-35),
            vector: Some(1),
            digest: Some(u128::MAX),
            clock_ahead_us: Some(-9),
            problems: Some(0),
            ..Condition::default()
        }
    }

    #[test]
    fn what_is_told_of_a_condition_is_read_back_and_what_is_not_known_is_absent() {
        let condition = some();
        let mut read = Condition::default();
        for (key, value) in told(&condition) {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            take(&mut read, key, &text);
        }
        assert_eq!(read, condition);
        let object = object(&condition);
        assert_eq!(
            (object["load"].as_f64(), object["temperature"].as_f64()),
            (Some(1.42), Some(-3.5))
        );
        assert_eq!(object["vector"], "00000000000000000000000000000001");
        assert!(object.get("queued").is_none() && object.get("cores").is_none());
        for (key, text) in [
            ("load", "nan"),
            ("load", "-1"),
            ("up_s", "-1"),
            ("vector", "1"),
            ("version", "\u{202e}1"),
            ("version", ""),
            ("other", "1"),
        ] {
            let mut read = Condition::default();
            take(&mut read, key, text);
            assert_eq!(read, Condition::default(), "{key}");
        }
    }

    #[test]
    fn a_disk_about_a_limit_is_told_once() {
        let full = |percent: u64| Condition {
            disk: Some(1000),
            disk_free: Some(1000 - percent * 10),
            ..Condition::default()
        };
        let mut grades = Grades::default();
        let mut news = Vec::new();
        for percent in [50, 89, 90, 89, 90, 89, 91, 88, 90, 99, 98, 99, 90, 10] {
            let next = grades.after(&full(percent));
            if next != grades {
                news.push((percent, next.is_worse_than(&grades)));
            }
            grades = next;
        }
        let expected = [(90, true), (88, false), (90, true), (99, true), (90, false), (10, false)];
        assert_eq!(news, expected);
    }

    #[test]
    fn the_noise_of_a_load_is_no_news_and_a_number_that_went_is() {
        let kept = some();
        let with = |change: fn(&mut Condition)| {
            let mut now = some();
            change(&mut now);
            KEYS.into_iter().filter(|key| is_news(key, &kept, &now)).collect::<Vec<_>>()
        };
        assert_eq!(with(|it| it.load_hundredths = Some(160)), [""; 0]);
        assert_eq!(with(|it| it.load_hundredths = Some(400)), ["load"]);
        assert_eq!(with(|it| it.memory_free = Some((4 << 30) - 1000)), [""; 0]);
        assert_eq!(with(|it| it.temperature_tenths = Some(500)), ["temperature"]);
        assert_eq!(with(|it| it.problems = None), ["problems"]);
        assert_eq!(with(|it| it.up_s = Some(8)), ["up_s"]);
        assert_eq!(with(|_| ()), [""; 0]);
    }
}
