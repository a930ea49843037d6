//! The bucket of a home: opened as its settings and the environment say.

use std::time::Duration;

use cocli_core::bucket::{Bucket, Failure, FailureKind};
use cocli_core::{Day, Instant};
use cocli_node::durable::{Durable, Spent};
use cocli_node::{BucketConfig, Home, NodeError};
use cocli_tier::{Counts, Environment, Settings, Store, stored_usd_per_month};

use crate::clock;

/// Opens the bucket at `url`.
///
/// # Errors
/// When it is no address, or nobody is found to ask as.
pub(crate) fn open(url: &str, config: &BucketConfig) -> Result<Store, Failure> {
    Store::open(url, &settings(config))
}

/// Opens the bucket of a home, with its address; nothing where it has none.
///
/// # Errors
/// As [`open`].
pub(crate) fn of(home: &Home) -> Result<Option<(String, Store)>, Failure> {
    let config = &home.config().bucket;
    let Some(url) = &config.url else { return Ok(None) };
    Ok(Some((url.clone(), open(url, config)?)))
}

/// Goes to the bucket for a home, and counts what is asked there. Nothing while another process of the home is at
/// it, unless `wait`.
///
/// # Errors
/// When the bucket is another cluster's, or what `act` says.
pub(crate) fn visit<T>(
    home: &Home,
    (url, store): (&str, &Store),
    wait: bool,
    act: impl FnOnce(&mut Durable<'_>) -> Result<T, NodeError>,
) -> Result<Option<T>, NodeError> {
    let before = store.meter();
    let came = Durable::open(home, store, url, wait).and_then(|durable| {
        let Some(mut durable) = durable else { return Ok(None) };
        store.missing_is_denied(durable.seen().missing_is_denied);
        act(&mut durable).map(Some)
    });
    // What is not counted is money that was asked for all the same, and no reason to fail.
    let _ = spend(home, store.meter() - before, clock::now());
    came
}

/// Hands the bucket of a home, where it has one, to who claims tasks there, and counts what is asked. It takes no turn:
/// nothing is noted of what stands there, and numbered objects need none.
///
/// # Errors
/// When the bucket is another cluster's or cannot be opened, and what `act` says.
pub(crate) fn for_claims(
    home: &Home,
    act: impl FnOnce(Option<&dyn Bucket>) -> Result<(), crate::failure::Failure>,
) -> Result<(), crate::failure::Failure> {
    let Some((url, store)) = of(home)? else { return act(None) };
    let missing_is_denied = match home.seen()? {
        Some(seen) => seen.missing_is_denied,
        None => {
            let ask = |durable: &mut Durable<'_>| Ok(durable.seen().missing_is_denied);
            visit(home, (&url, &store), true, ask)?.unwrap_or(false)
        }
    };
    store.missing_is_denied(missing_is_denied);
    let before = store.meter();
    let came = act(Some(&store));
    let _ = spend(home, store.meter() - before, clock::now());
    came
}

fn settings(config: &BucketConfig) -> Settings {
    let mut settings = Settings::new(Environment::new(|name| std::env::var(name).ok()));
    settings.endpoint.clone_from(&config.endpoint);
    settings.region.clone_from(&config.region);
    settings.profile.clone_from(&config.profile);
    settings.ca = config.ca.as_ref().map(Into::into);
    settings.path_style = config.path_style;
    settings.allow_http = config.allow_http;
    settings.parallel = config.parallel.map(|n| n as usize);
    settings.timeout = config.timeout.map(u64::from);
    settings
}

/// What to do about a failure.
pub(crate) fn hint(failure: &Failure) -> Option<String> {
    match failure.kind {
        FailureKind::Away => Some("everything else works on; it is tried again by itself while `cocli daemon` runs".into()),
        FailureKind::Denied => Some("docs/bucket.md, \"Rights\", has the policy that a node needs".into()),
        FailureKind::Budget => Some("`[bucket] budget` in .cocli/config.toml bounds it; `cocli sync` and `cocli hub once` asked by hand still go".into()),
        FailureKind::Wrong => None,
    }
}

/// Counts what a store was asked.
///
/// # Errors
/// When the disk refuses.
pub(crate) fn spend(home: &Home, counts: Counts, now: Instant) -> Result<(), NodeError> {
    home.spend(&spent(counts), now)
}

fn spent(counts: Counts) -> Spent {
    Spent {
        since: 0,
        gets: counts.gets + counts.heads + counts.others,
        puts: counts.puts,
        lists: counts.lists,
        deletes: counts.deletes,
        up: counts.up_bytes,
        down: counts.down_bytes,
    }
}

/// What the bucket costs this machine in a month, by the list prices of S3.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Bill {
    pub(crate) spent: Spent,
    /// Requests and traffic of the month so far, USD.
    pub(crate) so_far: f64,
    /// What is stored, USD a month: all nodes' objects together.
    pub(crate) stored: f64,
    budget: Option<u64>,
}

impl Bill {
    pub(crate) fn of(home: &Home, now: Instant) -> Self {
        let spent = home.spent(now).unwrap_or_default();
        let counts = Counts {
            gets: spent.gets,
            puts: spent.puts,
            lists: spent.lists,
            deletes: spent.deletes,
            up_bytes: spent.up,
            down_bytes: spent.down,
            ..Counts::default()
        };
        let bytes = home.seen().ok().flatten().map_or(0, |seen| seen.bytes);
        let so_far = counts.requests_usd() + counts.out_usd(0);
        let stored = stored_usd_per_month(bytes);
        Self { spent, so_far, stored, budget: home.config().bucket.budget }
    }

    /// The month's bill if it goes on like this; `None` before there is an hour to judge by.
    pub(crate) fn month(&self, now: Instant) -> Option<f64> {
        let counted = micros(now.micros() - self.spent.since);
        if self.spent.since == 0 || counted < HOUR {
            return None;
        }
        let left = until_next_month(now);
        Some(self.so_far + self.so_far / counted * left + self.stored)
    }

    /// By how many thousandths all is slower, so that what is left of the budget lasts to the month's end.
    ///
    /// # Errors
    /// When it is spent.
    pub(crate) fn stretch(&self, now: Instant) -> Result<u64, Failure> {
        let Some(budget) = self.budget else { return Ok(1000) };
        #[expect(clippy::cast_precision_loss, reason = "of 2^53 millionths none is missed")]
        let budget = budget as f64 / 1e6;
        let left = budget - self.so_far;
        if left <= 0.0 {
            let said = format!(
                "the month's budget of {budget:.2} USD for the bucket is spent: nothing is asked of it before the next month"
            );
            return Err(Failure::new(FailureKind::Budget, said));
        }
        let counted = micros(now.micros() - self.spent.since);
        if self.spent.since == 0 || counted < HOUR {
            return Ok(1000);
        }
        let wanted = self.so_far / counted * until_next_month(now);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is clamped"
        )]
        Ok((wanted / left * 1000.0).clamp(1000.0, 1_000_000.0) as u64)
    }

    /// A pause as long as the budget wants it. What it makes longer ends with the month: the next has a budget of its own.
    pub(crate) fn lengthened(&self, pause: Duration, now: Instant) -> Duration {
        let thousandths = self.stretch(now).ok().and_then(|stretch| u32::try_from(stretch).ok());
        let longer = pause.saturating_mul(thousandths.unwrap_or(1000)) / 1000;
        longer.min(Duration::from_secs_f64(until_next_month(now))).max(pause)
    }
}

const HOUR: f64 = 3600.0;

/// Seconds of so many microseconds.
#[expect(clippy::cast_precision_loss, reason = "of a month's microseconds none is missed")]
fn micros(micros: i64) -> f64 {
    micros as f64 / 1e6
}

/// Seconds.
fn until_next_month(now: Instant) -> f64 {
    let month = now.day().month();
    let days = (28..=31u32)
        .rev()
        .find(|day| Day::from_number(month.first_day().number() + day - 1).is_some());
    let of_month = f64::from(days.unwrap_or(30)) * 24.0 * HOUR;
    let first = Instant::read(&format!("{}T00:00:00Z", dashed(month.first_day())));
    let passed = first.map_or(0.0, |first| micros(now.micros() - first.micros()));
    (of_month - passed).max(HOUR)
}

fn dashed(day: Day) -> String {
    let text = day.to_string();
    format!("{}-{}-{}", &text[..4], &text[4..6], &text[6..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bill(so_far: f64, budget: Option<u64>, since: &str) -> Bill {
        let since = Instant::read(since).unwrap().micros();
        Bill { spent: Spent { since, ..Spent::default() }, so_far, stored: 0.5, budget }
    }

    #[test]
    fn the_months_bill_is_what_was_spent_and_goes_on_like_that() {
        let bill = bill(1.0, None, "2026-11-11T00:00:00Z");
        let now = Instant::read("2026-11-21T00:00:00Z").unwrap();
        assert!((bill.month(now).unwrap() - 2.5).abs() < 1e-9);
        assert_eq!(bill.month(Instant::read("2026-11-11T00:30:00Z").unwrap()), None);
    }

    #[test]
    fn a_budget_slows_down_and_then_stops() {
        let now = Instant::read("2026-11-21T00:00:00Z").unwrap();
        let since = "2026-11-11T00:00:00Z";
        assert_eq!(bill(1.0, None, since).stretch(now), Ok(1000));
        assert_eq!(bill(1.0, Some(2_000_000), since).stretch(now), Ok(1000));
        assert_eq!(bill(1.0, Some(1_500_000), since).stretch(now), Ok(2000));
        assert_eq!(
            bill(1.0, Some(1_000_000), since).stretch(now).unwrap_err().kind,
            FailureKind::Budget
        );
    }

    #[test]
    fn a_pause_is_longer_by_what_the_budget_wants_but_not_beyond_the_month() {
        let (minute, since) = (Duration::from_secs(60), "2026-11-11T00:00:00Z");
        let now = Instant::read("2026-11-21T00:00:00Z").unwrap();
        assert_eq!(bill(1.0, None, since).lengthened(minute, now), minute);
        assert_eq!(bill(1.0, Some(1_500_000), since).lengthened(minute, now), 2 * minute);
        // Where nothing is left, it is looked again as often as before.
        assert_eq!(bill(1.0, Some(1_000_000), since).lengthened(minute, now), minute);
        let eve = Instant::read("2026-11-30T22:00:00Z").unwrap();
        let (scarce, hours) = (bill(1.0, Some(1_000_001), since), |n: u32| 60 * n * minute);
        assert_eq!(scarce.lengthened(minute, eve), hours(2));
        assert_eq!(scarce.lengthened(hours(3), eve), hours(3));
    }
}
