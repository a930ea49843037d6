//! What is typed on Monday, 23 November 2026, 09:41:30, in Berlin.

use proptest::prelude::*;

use super::*;

fn berlin() -> Zoned {
    "2026-11-23T09:41:30+01:00[Europe/Berlin]".parse().unwrap()
}

#[track_caller]
fn ahead(text: &str) -> String {
    match read(text, &berlin(), Lean::Ahead) {
        Ok(moment) => shown_in(moment, berlin().time_zone().clone()),
        Err(why) => panic!("{text:?}: {why}"),
    }
}

#[track_caller]
fn refused(text: &str, says: &str) {
    let why = read(text, &berlin(), Lean::Ahead).expect_err(text);
    assert!(why.contains(says), "{text:?}: expected {says:?} in: {why}");
    assert!(why.contains("expected"), "{text:?}: {why}");
}

#[test]
fn days_are_read_by_words_by_distance_and_by_date() {
    for (text, day) in [
        ("today", "Mon 2026-11-23"),
        (" Tomorrow ", "Tue 2026-11-24"),
        ("day after tomorrow", "Wed 2026-11-25"),
        ("yesterday", "Sun 2026-11-22"),
        ("tue", "Tue 2026-11-24"),
        ("Thurs", "Thu 2026-11-26"),
        ("sunday", "Sun 2026-11-29"),
        ("mon", "Mon 2026-11-30"),
        ("next tue", "Tue 2026-12-01"),
        ("tue next week", "Tue 2026-12-01"),
        ("next mon", "Mon 2026-11-30"),
        ("last tue", "Tue 2026-11-17"),
        ("last mon", "Mon 2026-11-16"),
        ("next week", "Mon 2026-11-30"),
        ("last week", "Mon 2026-11-16"),
        ("next month", "Tue 2026-12-01"),
        ("last month", "Thu 2026-10-01"),
        ("next year", "Fri 2027-01-01"),
        ("in 3 days", "Thu 2026-11-26"),
        ("in 2 weeks", "Mon 2026-12-07"),
        ("in 2w", "Mon 2026-12-07"),
        ("in a month", "Wed 2026-12-23"),
        ("3 days ago", "Fri 2026-11-20"),
        ("a year ago", "Sun 2025-11-23"),
        ("2026-12-01", "Tue 2026-12-01"),
        ("2026/12/1", "Tue 2026-12-01"),
        ("1 dec", "Tue 2026-12-01"),
        ("1. Dec.", "Tue 2026-12-01"),
        ("dec 1st", "Tue 2026-12-01"),
        ("December 1, 2027", "Wed 2027-12-01"),
        ("22 nov", "Mon 2027-11-22"),
        ("23 nov", "Mon 2026-11-23"),
        ("1.12.", "Tue 2026-12-01"),
        ("01.12.2027", "Wed 2027-12-01"),
        ("25/12", "Fri 2026-12-25"),
        ("12/25", "Fri 2026-12-25"),
        ("12/12", "Sat 2026-12-12"),
        ("tue 1 dec", "Tue 2026-12-01"),
        ("29 feb", "Tue 2028-02-29"),
    ] {
        assert_eq!(ahead(text), day, "{text}");
    }
}

#[test]
fn a_time_of_day_makes_it_a_moment() {
    for (text, moment) in [
        ("14:30", "Mon 2026-11-23 14:30"),
        ("9:30", "Tue 2026-11-24 09:30"),
        ("09:41", "Tue 2026-11-24 09:41"),
        ("tomorrow 14:30", "Tue 2026-11-24 14:30"),
        ("14:30 tomorrow", "Tue 2026-11-24 14:30"),
        ("tomorrow at 2:30 pm", "Tue 2026-11-24 14:30"),
        ("next tue, 2pm", "Tue 2026-12-01 14:00"),
        ("tue 12 am", "Tue 2026-11-24 00:00"),
        ("fri noon", "Fri 2026-11-27 12:00"),
        ("in 3 days 8:00", "Thu 2026-11-26 08:00"),
        ("today 8:00", "Mon 2026-11-23 08:00"),
        ("2026-12-01 14:30", "Tue 2026-12-01 14:30"),
        ("2026-12-01T14:30", "Tue 2026-12-01 14:30"),
        ("1.12. 14:30", "Tue 2026-12-01 14:30"),
        ("in 2 hours", "Mon 2026-11-23 11:41"),
        ("in 90 min", "Mon 2026-11-23 11:11"),
        ("2h ago", "Mon 2026-11-23 07:41"),
        ("now", "Mon 2026-11-23 09:41"),
        ("2026-12-01T14:30:00Z", "Tue 2026-12-01 15:30"),
        ("2026-12-01 14:30+02:00", "Tue 2026-12-01 13:30"),
        ("2026-12-01T14:30[America/New_York]", "Tue 2026-12-01 20:30"),
        ("2026-12-01T14:30-05:00[America/New_York]", "Tue 2026-12-01 20:30"),
        // Exists twice: the first of both.
        ("2026-10-25T02:30", "Sun 2026-10-25 02:30"),
    ] {
        assert_eq!(ahead(text), moment, "{text}");
    }
    assert_eq!(
        read("tomorrow 14:30", &berlin(), Lean::Ahead).unwrap().to_string(),
        "2026-11-24T13:30:00Z"
    );
    assert_eq!(read("tomorrow", &berlin(), Lean::Ahead).unwrap().to_string(), "2026-11-24");
}

#[test]
fn what_happened_is_read_backwards() {
    for (text, shown) in [
        ("tue", "Tue 2026-11-17"),
        ("14:30", "Sun 2026-11-22 14:30"),
        ("9:30", "Mon 2026-11-23 09:30"),
        ("1 dec", "Mon 2025-12-01"),
        ("22.11.", "Sun 2026-11-22"),
        ("29 feb", "Thu 2024-02-29"),
        ("tomorrow", "Tue 2026-11-24"),
        ("last tue 10:00", "Tue 2026-11-17 10:00"),
    ] {
        let moment = read(text, &berlin(), Lean::Back).unwrap();
        assert_eq!(shown_in(moment, berlin().time_zone().clone()), shown, "{text}");
    }
}

#[test]
fn what_could_be_two_days_is_refused_with_both() {
    refused("12/1", "12 January (`2027-01-12`) or 1 December (`2026-12-01`)");
    refused("12/1/2026", "12 January (`2026-01-12`) or 1 December (`2026-12-01`)");
    refused("1.12", "`1.12.` or `1:12`");
    refused("3 days", "`in 3 days` or `3 days ago`");
    refused("1.12.26", "four digits");
    refused("wed 1 dec", "2026-12-01 is a Tuesday");
}

#[test]
fn what_does_not_exist_is_refused_with_what_does() {
    refused("30 feb", "there is no 30 February: expected 1 to 29");
    refused("2027-02-29", "there is no 29 February 2027: expected 1 to 28");
    refused("31.4.", "there is no 31 April: expected 1 to 30");
    refused("31/31", "there is no month 31");
    refused("2026-13-01", "there is no month 13");
    refused("25:00", "0:00 to 23:59");
    refused("tue 14:60", "0:00 to 23:59");
    refused("13pm", "0:00 to 23:59");
    refused("2027-03-28 02:30", "02:30 does not exist on 2027-03-28, when clocks are put forward");
    refused("2027-03-28T02:30", "expected as 03:30");
    refused("2027-03-14T02:30[America/New_York]", "does not exist");
    refused("2026-12-01T14:30[Europe/Berln]", "no time zone");
    refused("in 9999 years", "1970 to 8999");
    refused("9001-01-01", "1970 to 8999");
    refused("1960-01-01", "1970 to 8999");
}

#[test]
fn what_is_no_day_is_refused_with_examples_and_the_nearest_word() {
    for text in ["", " ", "soon", "next", "in days", "1 2 3", "dec", "99", "--", "-5 days ago"] {
        refused(text, "`in 3 days`");
    }
    refused("tomorow", "the nearest word is `tomorrow`");
    refused("wendesday 14:30", "the nearest word is `wednesday`");
    refused("10:00 11:00", "two times");
}

proptest! {
    #[test]
    fn no_text_stops_the_reading(
        text in r"([0-9]{1,4}[-/.:]?|in|ago|next|last|tue|dec|days?|[ ,]|\PC){0,8}",
        back in any::<bool>(),
    ) {
        let lean = if back { Lean::Back } else { Lean::Ahead };
        if let Ok(moment) = read(&text, &berlin(), lean) {
            // What was read is written so that everybody reads the same.
            prop_assert_eq!(Moment::read(&moment.to_string()), Some(moment));
        }
    }

    #[test]
    fn a_date_is_the_same_in_every_spelling(days in 0_i64..2_500_000) {
        let date = add_days(days);
        let iso = read(&date.to_string(), &berlin(), Lean::Ahead);
        for form in ["%-d %B %Y", "%b %-d, %Y", "%-d.%-m.%Y", "%Y/%m/%d", "%a %-d %b %Y"] {
            let text = date.strftime(form).to_string();
            prop_assert_eq!(&read(&text, &berlin(), Lean::Back), &iso, "{}", text);
        }
    }

    #[test]
    fn a_weekday_is_within_a_week_and_never_today(now in 0_i64..1_000_000, at in 0_usize..7) {
        let now = add_days(now).to_zoned(TimeZone::UTC).unwrap();
        let name = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"][at];
        for (text, range) in [(name.to_owned(), 1..=7), (format!("last {name}"), -7..=-1)] {
            let Ok(Moment::Day(day)) = read(&text, &now, Lean::Ahead) else { panic!("{text}") };
            let away = now.date().until(date_of(day)).unwrap().get_days();
            prop_assert!(range.contains(&away), "{} is {} days away", text, away);
        }
    }
}

fn add_days(days: i64) -> Date {
    Date::new(1970, 1, 8).unwrap().checked_add(jiff::Span::new().days(days)).unwrap()
}
