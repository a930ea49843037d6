//! Times of day: `14:30`, `9:05:30`, `2pm`, `2:30 pm`, `noon`.

use jiff::civil::Time;

/// Parts the words that say a time of day from the others.
pub(super) fn split<'a>(words: &[&'a str]) -> (Vec<String>, Vec<&'a str>) {
    let (mut times, mut others): (Vec<String>, Vec<&str>) = (Vec::new(), Vec::new());
    for word in words {
        let half = ["am", "pm"].contains(word);
        if half && let Some(number) = others.pop_if(|word| is_number(word)) {
            times.push(format!("{number}{word}"));
        } else if half && let Some(time) = times.last_mut().filter(|t| t.contains(':')) {
            time.push_str(word);
        } else if is_time(word) {
            times.push((*word).to_owned());
        } else {
            others.push(word);
        }
    }
    (times, others)
}

fn is_number(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit())
}

fn is_time(word: &str) -> bool {
    let half = word.strip_suffix("am").or_else(|| word.strip_suffix("pm"));
    word == "noon" || word.contains(':') || half.is_some_and(is_number)
}

/// # Errors
/// When there is no such time.
pub(super) fn read(word: &str) -> Result<Time, String> {
    if word == "noon" {
        return Ok(Time::midnight().with().hour(12).build().unwrap_or_default());
    }
    let wrong = || format!("{word:?} is no time of day: expected 0:00 to 23:59, `2pm` or `2:30pm`");
    let (clock, half) = match (word.strip_suffix("am"), word.strip_suffix("pm")) {
        (Some(clock), _) => (clock, Some(0)),
        (_, Some(clock)) => (clock, Some(12)),
        _ => (word, None),
    };
    let parts: Vec<&str> = clock.split(':').collect();
    let short = |part: &str, least: usize| (least..=2).contains(&part.len()) && is_number(part);
    let fit = parts.len() <= 3
        && parts.first().is_some_and(|hour| short(hour, 1))
        && parts.iter().skip(1).all(|part| short(part, 2));
    if !fit {
        return Err(wrong());
    }
    let mut numbers = parts.iter().filter_map(|part| part.parse::<i8>().ok());
    let hour = numbers.next().ok_or_else(wrong)?;
    let hour = match half {
        None => hour,
        Some(add) if (1..=12).contains(&hour) => hour % 12 + add,
        Some(_) => return Err(wrong()),
    };
    let (minute, second) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    Time::new(hour, minute, second, 0).map_err(|_| wrong())
}
