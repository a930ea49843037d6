//! Days: by words, by how far they are away, by date.

use jiff::civil::{Date, Weekday};
use jiff::{Span, Timestamp, Zoned};

use super::{Lean, out_of_bounds};

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const WEEKDAYS: [&str; 7] =
    ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
/// Words that somebody may have meant; `may` is near to too many others.
pub(super) fn words() -> impl Iterator<Item = &'static str> {
    let months = MONTHS.into_iter().filter(|month| *month != "may");
    ["today", "tomorrow", "yesterday", "weeks"].into_iter().chain(WEEKDAYS).chain(months)
}
/// Years around this one that are looked through for a day like 29 February.
const YEARS: i16 = 8;

/// What `words` mean on this day; nothing where they are no day.
///
/// # Errors
/// When they are one that does not exist, or could be two.
pub(super) fn read(words: &[&str], today: Date, lean: Lean) -> Result<Option<Date>, String> {
    if let Some(span) = span(words)? {
        return add(today, span).map(Some);
    }
    let days = |days: i64| add(today, Span::new().days(days)).map(Some);
    let weekday = |word: &str| position(&WEEKDAYS, word).and_then(weekday);
    let monday = || i64::from(today.weekday().to_monday_zero_offset());
    match words {
        ["today"] => days(0),
        ["tomorrow"] => days(1),
        ["yesterday"] => days(-1),
        ["day", "after", "tomorrow"] => days(2),
        ["day", "before", "yesterday"] => days(-2),
        ["next", "week"] => days(7 - monday()),
        ["last", "week"] => days(-7 - monday()),
        ["next" | "last", unit @ ("month" | "year")] => first_of(words[0], unit, today).map(Some),
        [word] if weekday(word).is_some() => match lean {
            Lean::Ahead => near(today, weekday(word), 1),
            Lean::Back => near(today, weekday(word), -1),
        },
        ["last", word] if weekday(word).is_some() => near(today, weekday(word), -1),
        ["next", word] | [word, "next", "week"] if weekday(word).is_some() => {
            let into = weekday(word).map_or(0, |day| i64::from(day.to_monday_zero_offset()));
            days(7 - monday() + into)
        }
        [word, rest @ ..] if !rest.is_empty() && weekday(word).is_some() => {
            let Some(date) = date(rest, today, lean)? else { return Ok(None) };
            if Some(date.weekday()) == weekday(word) {
                return Ok(Some(date));
            }
            Err(format!("{date} is a {}: expected the two to agree", date.strftime("%A")))
        }
        _ => date(words, today, lean),
    }
}

/// How far away in hours and minutes: a moment, not a day.
///
/// # Errors
/// When it is out of bounds.
pub(super) fn hours_from(words: &[&str], now: &Zoned) -> Result<Option<Timestamp>, String> {
    let Some((count, unit)) = away(words)? else { return Ok(None) };
    let span = match unit {
        Unit::Minutes => Span::new().minutes(count),
        Unit::Hours => Span::new().hours(count),
        _ => return Ok(None),
    };
    let at = now.checked_add(span).map_err(|_| out_of_bounds(&words.join(" ")))?;
    // To the minute, as it would be typed.
    Ok(Some(at.with().second(0).subsec_nanosecond(0).build().unwrap_or(at).timestamp()))
}

#[derive(Clone, Copy)]
enum Unit {
    Minutes,
    Hours,
    Days,
    Weeks,
    Months,
    Years,
}

fn unit(word: &str) -> Option<Unit> {
    Some(match word {
        "min" | "mins" | "minute" | "minutes" => Unit::Minutes,
        "h" | "hr" | "hrs" | "hour" | "hours" => Unit::Hours,
        "d" | "day" | "days" => Unit::Days,
        "w" | "week" | "weeks" => Unit::Weeks,
        "month" | "months" => Unit::Months,
        "y" | "yr" | "year" | "years" => Unit::Years,
        _ => return None,
    })
}

/// `in 3 days`, `in 2w`, `a week ago`: how many of what, past ones less than 0.
fn away(words: &[&str]) -> Result<Option<(i64, Unit)>, String> {
    let (amount, sign) = match words {
        ["in", amount @ ..] => (amount, 1),
        [amount @ .., "ago"] => (amount, -1),
        amount => (amount, 0),
    };
    let (number, name) = match amount {
        [number, name] => (*number, *name),
        [both] => both.split_at(both.bytes().take_while(u8::is_ascii_digit).count()),
        _ => return Ok(None),
    };
    let Some(unit) = unit(name) else { return Ok(None) };
    let count = match number {
        "a" | "an" | "one" => 1,
        // Four digits reach everything that there is; `1 dec` is no amount, as `dec` is no unit.
        digits if digits.len() <= 4 && digits.bytes().all(|b| b.is_ascii_digit()) => {
            match digits.parse::<i64>() {
                Ok(count) => count,
                Err(_) => return Ok(None),
            }
        }
        _ => return Ok(None),
    };
    match sign {
        0 => {
            let amount = amount.join(" ");
            Err(format!("`{amount}` from when? expected `in {amount}` or `{amount} ago`"))
        }
        sign => Ok(Some((sign * count, unit))),
    }
}

fn span(words: &[&str]) -> Result<Option<Span>, String> {
    let Some((count, unit)) = away(words)? else { return Ok(None) };
    Ok(Some(match unit {
        Unit::Minutes | Unit::Hours => return Ok(None),
        Unit::Days => Span::new().days(count),
        Unit::Weeks => Span::new().weeks(count),
        Unit::Months => Span::new().months(count),
        Unit::Years => Span::new().years(count),
    }))
}

fn add(date: Date, span: Span) -> Result<Date, String> {
    date.checked_add(span).map_err(|_| out_of_bounds("it"))
}

/// The first day of the next or last month or year.
fn first_of(which: &str, unit: &str, today: Date) -> Result<Date, String> {
    let step = if which == "next" { 1 } else { -1 };
    let span = if unit == "month" { Span::new().months(step) } else { Span::new().years(step) };
    let first = add(today.first_of_month(), span)?;
    Ok(if unit == "month" { first } else { first.first_of_year() })
}

/// The next weekday after today, or the last one before it.
fn near(today: Date, weekday: Option<Weekday>, nth: i32) -> Result<Option<Date>, String> {
    let Some(weekday) = weekday else { return Ok(None) };
    today.nth_weekday(nth, weekday).map(Some).map_err(|_| out_of_bounds("it"))
}

fn weekday(at: usize) -> Option<Weekday> {
    Weekday::from_monday_zero_offset(i8::try_from(at).ok()?).ok()
}

/// Of some names the one that begins with `word`, of at least three letters.
fn position(names: &[&str], word: &str) -> Option<usize> {
    let word = word.trim_end_matches('.');
    (word.len() >= 3).then(|| names.iter().position(|name| name.starts_with(word)))?
}

/// A date: `2026-12-01`, `1.12.`, `25/12`, `1 dec`, `dec 1 2027`.
fn date(words: &[&str], today: Date, lean: Lean) -> Result<Option<Date>, String> {
    let month = |word: &str| position(&MONTHS, word).and_then(|at| i8::try_from(at + 1).ok());
    let (first, second, year) = match words {
        [one] => return numbers(one, today, lean),
        [first, second] => (first, second, None),
        [first, second, last] => match year(last) {
            Some(year) => (first, second, Some(year)),
            None => return Ok(None),
        },
        _ => return Ok(None),
    };
    let (day, month) = match (month(first), month(second)) {
        (None, Some(month)) => (ordinal(first), month),
        (Some(month), None) => (ordinal(second), month),
        _ => return Ok(None),
    };
    let Some(day) = day else { return Ok(None) };
    of(day, month, year, today, lean).map(Some)
}

/// `1`, `1.`, `1st`.
fn ordinal(word: &str) -> Option<i8> {
    let digits = word.trim_end_matches('.');
    let ends = ["st", "nd", "rd", "th"];
    let digits = ends.iter().find_map(|end| digits.strip_suffix(end)).unwrap_or(digits);
    whole(digits, 2)
}

/// A number of at most so many digits.
fn whole(digits: &str, most: usize) -> Option<i8> {
    let fit = (1..=most).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    fit.then(|| digits.parse().ok())?
}

fn year(digits: &str) -> Option<i16> {
    let fit = digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_digit());
    fit.then(|| digits.parse().ok())?
}

/// A date of digits alone.
fn numbers(word: &str, today: Date, lean: Lean) -> Result<Option<Date>, String> {
    let parts: Vec<&str> = word.split(['-', '/', '.']).collect();
    let kind = word.bytes().find(|b| !b.is_ascii_digit());
    if !parts.iter().all(|part| part.bytes().all(|b| b.is_ascii_digit())) {
        return Ok(None);
    }
    let two = |word| whole(word, 2);
    match (kind, &parts[..]) {
        (Some(b'-' | b'/'), [y, m, d]) if y.len() == 4 => {
            let (Some(month), Some(day)) = (two(m), two(d)) else { return Ok(None) };
            of(day, month, year(y), today, lean).map(Some)
        }
        (Some(b'.'), [d, m, rest]) => {
            let (Some(month), Some(day)) = (two(m), two(d)) else { return Ok(None) };
            match (rest.is_empty(), year(rest)) {
                (true, _) => of(day, month, None, today, lean).map(Some),
                (false, Some(year)) => of(day, month, Some(year), today, lean).map(Some),
                (false, None) => Err(four_digits(word)),
            }
        }
        (Some(b'.'), [d, m]) if two(d).is_some() && two(m).is_some() => {
            Err(format!("{word:?} may be a day or a time: expected `{d}.{m}.` or `{d}:{m}`"))
        }
        (Some(b'/'), [a, b, rest @ ..]) if rest.len() <= 1 => {
            let (Some(a), Some(b)) = (two(a), two(b)) else { return Ok(None) };
            let year = match rest {
                [] => None,
                [digits, ..] => Some(year(digits).ok_or_else(|| four_digits(word))?),
            };
            slashed(word, (a, b), |day, month| of(day, month, year, today, lean)).map(Some)
        }
        _ => Ok(None),
    }
}

fn four_digits(word: &str) -> String {
    format!("{word:?}: expected the year with four digits")
}

/// `12/1` is a day and a month, in an order that half of the world reads the other way.
fn slashed(
    word: &str,
    (a, b): (i8, i8),
    of: impl Fn(i8, i8) -> Result<Date, String>,
) -> Result<Date, String> {
    match (of(a, b), of(b, a)) {
        (Ok(one), Ok(other)) if one != other => {
            let told = |date: Date| format!("{} (`{date}`)", date.strftime("%-d %B"));
            Err(format!("{word:?} may be {} or {}: expected one of these", told(one), told(other)))
        }
        (Ok(date), _) | (Err(_), Ok(date)) => Ok(date),
        (Err(why), Err(_)) => Err(why),
    }
}

/// A day of a month; without a year the next one from today on, or the last one.
fn of(day: i8, month: i8, year: Option<i16>, today: Date, lean: Lean) -> Result<Date, String> {
    if let Some(year) = year {
        return Date::new(year, month, day).map_err(|_| no_such(day, month, Some(year)));
    }
    let near = (0..=YEARS).find_map(|years| {
        let step = if lean == Lean::Ahead { years } else { -years };
        let date = Date::new(today.year().checked_add(step)?, month, day).ok()?;
        let fits = if lean == Lean::Ahead { date >= today } else { date <= today };
        fits.then_some(date)
    });
    near.ok_or_else(|| no_such(day, month, None))
}

fn no_such(day: i8, month: i8, year: Option<i16>) -> String {
    let name = usize::try_from(month - 1).ok().and_then(|at| MONTHS.get(at));
    let Some(name) = name else {
        return format!("there is no month {month}: expected 1 to 12");
    };
    // Without a year, the longest that the month ever is.
    let last = Date::new(year.unwrap_or(2000), month, 1).map_or(31, Date::days_in_month);
    let of = year.map(|year| format!(" {year}")).unwrap_or_default();
    let name = format!("{}{}", name[..1].to_uppercase(), &name[1..]);
    format!("there is no {day} {name}{of}: expected 1 to {last}")
}
