//! What people type for a day or a moment, read against now and the time zone of now.
//!
//! What could be meant in two ways, or does not exist, is refused with what to type instead: a date that is
//! silently another one is worse than a question.

mod day;
mod time;

#[cfg(test)]
mod tests;

use cocli_core::{Day, Instant, Moment};
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Span, Timestamp, Zoned};

use crate::clock;
use crate::failure::Failure;

/// Which of several is meant where nothing says it: of `tue`, `14:30` and `1 dec` there is always a next
/// and a last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lean {
    /// The next one: what is planned.
    Ahead,
    /// The last one: what happened.
    Back,
}

/// What was typed, by the clock and in the time zone of this machine.
///
/// # Errors
/// A misuse (exit 2) that says what was expected.
pub(crate) fn typed(text: &str, lean: Lean) -> Result<Moment, Failure> {
    read(text, &clock::here(), lean).map_err(Failure::usage)
}

/// A moment that is past: all that [`typed`] takes, of a day its beginning; a length of time alone (`2h`) is as long ago.
///
/// # Errors
/// A misuse (exit 2) that says what was expected.
pub(crate) fn past(text: &str) -> Result<Instant, Failure> {
    let here = clock::here();
    let instant = |timestamp: Timestamp| {
        let instant = Instant::from_micros(timestamp.as_microsecond());
        instant.ok_or_else(|| out_of_bounds(text))
    };
    let found = match exact(text.trim(), &here) {
        Some(timestamp) => instant(timestamp),
        None => read(text, &here, Lean::Back).and_then(|moment| match moment {
            Moment::At(at) => Ok(at),
            Moment::Day(day) => {
                let midnight = date_of(day).to_zoned(here.time_zone().clone());
                instant(midnight.map_err(|_| out_of_bounds(text))?.timestamp())
            }
        }),
    };
    found.map_err(Failure::usage)
}

/// To the microsecond: now, what is written so, and a length of time; a colon is of a time of day.
fn exact(text: &str, now: &Zoned) -> Option<Timestamp> {
    if text.eq_ignore_ascii_case("now") {
        return Some(now.timestamp());
    }
    if let Ok(timestamp) = text.parse() {
        return Some(timestamp);
    }
    if let Ok(civil) = text.parse::<DateTime>() {
        return civil.to_zoned(now.time_zone().clone()).ok().map(|zoned| zoned.timestamp());
    }
    let span: Span = (!text.contains(':')).then(|| text.parse().ok())??;
    let ago = if span.is_positive() { span.negate() } else { span };
    now.checked_add(ago).ok().map(|zoned| zoned.timestamp())
}

/// Minutes of a length of time as people write it, `45m`, `1h 30m`, `1.5 hours`; at most a week.
pub(crate) fn minutes(text: &str) -> Option<i64> {
    let span: jiff::SignedDuration = text.trim().parse().ok()?;
    Some(span.as_mins()).filter(|minutes| (1..=7 * 24 * 60).contains(minutes))
}

/// What `text` means at `now`; with a time of day it is an instant, without one a day.
///
/// # Errors
/// What was expected, when it is no day or moment, one that does not exist, or could be two.
pub(crate) fn read(text: &str, now: &Zoned, lean: Lean) -> Result<Moment, String> {
    if let Some(moment) = iso(text.trim(), now.time_zone())? {
        return Ok(moment);
    }
    let said = text.to_lowercase().replace(',', " ");
    let words: Vec<&str> = said.split_whitespace().filter(|w| !["at", "on"].contains(w)).collect();
    if words == ["now"] {
        return moment_of(now.timestamp());
    }
    let (times, words) = time::split(&words);
    let time = match &times[..] {
        [] => None,
        [word] => Some(time::read(word)?),
        _ => return Err(format!("{text:?} has two times of day: expected one")),
    };
    if words.is_empty() {
        let time = time.ok_or_else(|| expected(text, lean))?;
        return on_a_near_day(time, now, lean);
    }
    if let Some(instant) = day::hours_from(&words, now)? {
        return match time {
            Some(_) => Err(format!("{text:?}: hours and minutes from now have no time of day")),
            None => moment_of(instant),
        };
    }
    let date = day::read(&words, now.date(), lean)?.ok_or_else(|| expected(text, lean))?;
    match time {
        Some(time) => at(date.to_datetime(time), now.time_zone()),
        None => day_of(date),
    }
}

/// A moment as people read it, where this machine stands: `Tue 2026-12-01 14:30`.
pub(crate) fn shown(moment: Moment) -> String {
    shown_in(moment, TimeZone::system())
}

fn shown_in(moment: Moment, zone: TimeZone) -> String {
    match moment {
        Moment::Day(day) => date_of(day).strftime("%a %Y-%m-%d").to_string(),
        Moment::At(at) => clock::in_zone(at, zone).strftime("%a %Y-%m-%d %H:%M").to_string(),
    }
}

/// A day as a date of the calendar.
pub(crate) fn date_of(day: Day) -> Date {
    let number = day.number();
    let part = |number: u32| i8::try_from(number % 100).unwrap_or(1);
    let year = i16::try_from(number / 10_000).unwrap_or(1970);
    Date::new(year, part(number / 100), part(number)).unwrap_or_default()
}

/// A date as it is written.
///
/// # Errors
/// When it is outside of what a record may hold.
pub(crate) fn day_of(date: Date) -> Result<Moment, String> {
    let part = |number: i8| u32::from(number.unsigned_abs());
    let year = u32::from(date.year().unsigned_abs());
    let number = year * 10_000 + part(date.month()) * 100 + part(date.day());
    let day = Day::from_number(number).filter(|_| (1970..9000).contains(&date.year()));
    day.map(Moment::Day).ok_or_else(|| out_of_bounds(&date.to_string()))
}

fn moment_of(timestamp: Timestamp) -> Result<Moment, String> {
    let whole = timestamp.as_second().saturating_mul(1_000_000);
    let instant = Instant::from_micros(whole);
    instant.map(Moment::At).ok_or_else(|| out_of_bounds(&timestamp.to_string()))
}

fn out_of_bounds(what: &str) -> String {
    format!("{what} is too far away: expected a year from 1970 to 8999")
}

/// ISO-8601, with or without a zone, where date and time are joined or a zone is named.
fn iso(text: &str, here: &TimeZone) -> Result<Option<Moment>, String> {
    if let Some(moment) = Moment::read(text) {
        return match moment {
            Moment::Day(day) => day_of(date_of(day)).map(Some),
            Moment::At(_) => Ok(Some(moment)),
        };
    }
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return moment_of(timestamp).map(Some);
    }
    if let Some((civil, name)) = text.strip_suffix(']').and_then(|text| text.split_once('[')) {
        let zone = TimeZone::get(name)
            .map_err(|_| format!("{name:?} is no time zone: expected one as `Europe/Berlin`"))?;
        return match civil.trim().parse::<DateTime>() {
            Ok(civil) => at(civil, &zone).map(Some),
            Err(_) => match text.parse::<Zoned>() {
                Ok(zoned) => moment_of(zoned.timestamp()).map(Some),
                Err(error) => Err(format!("{text:?}: {error}")),
            },
        };
    }
    match text.parse::<DateTime>() {
        Ok(civil) if text.contains(['T', 't']) => at(civil, here).map(Some),
        _ => Ok(None),
    }
}

/// The moment at which clocks of a zone show this.
fn at(civil: DateTime, zone: &TimeZone) -> Result<Moment, String> {
    let ambiguous = zone.to_ambiguous_zoned(civil);
    if let AmbiguousOffset::Gap { .. } = ambiguous.offset() {
        let behind = ambiguous.compatible().map(|zoned| zoned.strftime("%H:%M").to_string());
        let behind = behind.map(|time| format!(": expected as {time}")).unwrap_or_default();
        let (time, day) = (civil.strftime("%H:%M"), civil.strftime("%Y-%m-%d"));
        return Err(format!("{time} does not exist on {day}, when clocks are put forward{behind}"));
    }
    // What exists twice, as clocks are put back, is the first of both.
    let zoned = ambiguous.earlier().map_err(|_| out_of_bounds(&civil.to_string()))?;
    moment_of(zoned.timestamp())
}

/// A time of day without a day.
fn on_a_near_day(time: Time, now: &Zoned, lean: Lean) -> Result<Moment, String> {
    let past = time <= now.time();
    let date = match (lean, past) {
        (Lean::Ahead, true) => now.date().tomorrow(),
        (Lean::Back, false) => now.date().yesterday(),
        _ => Ok(now.date()),
    };
    at(date.map_err(|_| out_of_bounds("it"))?.to_datetime(time), now.time_zone())
}

fn expected(text: &str, lean: Lean) -> String {
    let near = text.to_lowercase();
    let near = near.split_whitespace().find_map(|word| {
        let near = cocli_node::nearest(word, day::words())?;
        (near != word && !near.starts_with(word)).then_some(near)
    });
    let near = near.map(|word| format!("; the nearest word is `{word}`")).unwrap_or_default();
    let examples = match lean {
        Lean::Ahead => "`tomorrow`, `tue 14:30`, `in 3 days`, `1 dec`",
        Lean::Back => "`yesterday`, `tue 14:30`, `2h ago`, `1 dec`",
    };
    format!(
        "{text:?} is no day or time here: expected as {examples}, `2026-12-01` or `2026-12-01 14:30`{near}"
    )
}
