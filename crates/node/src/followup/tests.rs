//! Saturday, 28 November 2026, 10:00, where days begin an hour before those of UTC.

use cocli_core::{Causality, Datagram, Entry, NodeId, Stamp};

use super::*;

fn now() -> Now {
    let at = |text: &str| Instant::read(text).unwrap();
    Now {
        at: at("2026-11-28T09:00:00Z"),
        day: Day::read("20261128").unwrap(),
        begins: at("2026-11-27T23:00:00Z"),
        ends: at("2026-11-28T23:00:00Z"),
        day_of: |instant| later(instant, 1).day(),
    }
}

/// So many hours later.
fn later(instant: Instant, hours: i64) -> Instant {
    Instant::from_micros(instant.micros() + hours * DAY_MICROS / 24).unwrap()
}

fn state(all: &[(&str, &str, &str)]) -> State {
    let mut state = State::default();
    for (target, field, value) in all {
        let node = NodeId::written("pi1").unwrap();
        let stamp = Stamp { instant: Instant::read("2026-11-20T08:00:00Z").unwrap(), node };
        let entry = Entry { stamp, value: Value::text(value), causality: Causality::nothing() };
        state.merge(Datagram {
            target: Target::read(target).unwrap(),
            field: Field::read(field).unwrap(),
            entry,
        });
    }
    state
}

fn agenda(all: &[(&str, &str, &str)]) -> Agenda {
    let cadences = BTreeMap::from([("lead".to_owned(), 14), ("customer".to_owned(), 90)]);
    Book::new(&state(all)).agenda(&now(), &cadences)
}

fn targets<'a>(all: impl IntoIterator<Item = &'a Target>) -> Vec<&'a str> {
    all.into_iter().map(|target| target.as_str().split_once('/').unwrap().1).collect()
}

#[test]
fn what_is_due_is_of_today_or_before_the_oldest_first() {
    let agenda = agenda(&[
        ("companies/later", "next_at", "2026-11-29"),
        ("companies/tonight", "next_at", "2026-11-28T22:59:59Z"),
        ("companies/midnight", "next_at", "2026-11-28T23:00:00Z"),
        ("companies/today", "next_at", "2026-11-28"),
        ("people/old", "next_at", "2026-11-02"),
        ("companies/vague", "next_at", "soon"),
        ("companies/gone", "next_at", "2026-11-01"),
        ("companies/gone", "_deleted", "true"),
        ("companies/open", "next_step", "call"),
    ]);
    assert_eq!(targets(agenda.due.iter().map(|step| &step.target)), ["old", "today", "tonight"]);
    assert_eq!(agenda.unclear.len(), 1);
    assert_eq!(agenda.unclear[0].1, "soon");
}

#[test]
fn meetings_of_today_are_told_with_whom_the_first_first() {
    let agenda = agenda(&[
        ("companies/acme", "name", "Acme"),
        ("companies/acme/meetings/late", "timestamp", "2026-11-28T22:00:00Z"),
        ("companies/acme/meetings/early", "timestamp", "2026-11-27T23:00:00+00:00"),
        ("companies/acme/meetings/early", "title", "Breakfast"),
        ("companies/acme/meetings/yesterday", "timestamp", "2026-11-27T22:59:59Z"),
        ("companies/acme/meetings/tomorrow", "timestamp", "2026-11-28T23:00:00Z"),
        ("companies/acme/notes/note", "timestamp", "2026-11-28T10:00:00Z"),
        ("companies/gone/meetings/m", "timestamp", "2026-11-28T10:00:00Z"),
        ("companies/gone", "_deleted", "true"),
    ]);
    assert_eq!(
        targets(agenda.meetings.iter().map(|talk| &talk.target)),
        ["acme/meetings/early", "acme/meetings/late"]
    );
    assert_eq!(
        (agenda.meetings[0].name.as_str(), agenda.meetings[0].title.as_str()),
        ("Acme", "Breakfast")
    );
}

#[test]
fn who_waits_longest_by_what_the_tag_allows_comes_first() {
    let agenda = agenda(&[
        ("companies/a", "tags.lead", "true"),
        ("companies/a/notes/n", "timestamp", "2026-11-14T09:00:00Z"),
        ("companies/b", "tags.lead", "true"),
        ("companies/b/notes/n", "timestamp", "2026-11-15T09:00:00Z"),
        ("companies/c", "tags", "customer"),
        ("companies/c/meetings/m", "timestamp", "2026-01-01"),
        ("companies/d", "tags.customer", "true"),
        ("companies/e", "tags.cold", "true"),
        ("companies/f", "tags.lead", "true"),
        ("companies/f", "tags.customer", "true"),
        ("companies/f/notes/n", "timestamp", "2026-10-28T09:00:00Z"),
    ]);
    let told: Vec<_> =
        agenda.silent.iter().map(|s| (s.target.slug(), s.tag.as_str(), s.days)).collect();
    assert_eq!(
        told,
        [
            ("c", "customer", Some(331)),
            ("f", "lead", Some(31)),
            ("a", "lead", Some(14)),
            ("d", "customer", None)
        ]
    );
}

#[test]
fn what_was_said_to_a_person_counts_for_all_its_companies_and_plans_count_for_nobody() {
    let agenda = agenda(&[
        ("companies/acme", "tags.lead", "true"),
        ("companies/beta", "tags.lead", "true"),
        ("companies/gamma", "tags.lead", "true"),
        ("people/jane", "company", "companies/acme"),
        ("people/jane", "companies.beta", "true"),
        ("people/jane/notes/n", "timestamp", "2026-11-27T09:00:00Z"),
        ("companies/gamma/meetings/m", "timestamp", "2026-11-28T09:00:01Z"),
    ]);
    assert_eq!(targets(agenda.silent.iter().map(|silence| &silence.target)), ["gamma"]);
}

#[test]
fn days_are_counted_by_midnights_of_here() {
    let since = |text: &str| now().days_since(Moment::read(text).unwrap());
    assert_eq!(since("2026-11-28"), 0);
    assert_eq!(since("2026-11-27T23:00:00Z"), 0);
    assert_eq!(since("2026-11-27T22:59:59Z"), 1);
    assert_eq!(since("2026-11-27"), 1);
    assert_eq!(since("2026-11-29"), -1);
}

#[test]
fn a_day_of_25_hours_is_one_day() {
    // 25 October 2026 in Berlin: clocks are put back at 01:00 UTC.
    let at = |text: &str| Instant::read(text).unwrap();
    let now = Now {
        at: at("2026-10-25T20:00:00Z"),
        day: Day::read("20261025").unwrap(),
        begins: at("2026-10-24T22:00:00Z"),
        ends: at("2026-10-25T23:00:00Z"),
        day_of: |instant| {
            let winter = instant >= Instant::read("2026-10-25T01:00:00Z").unwrap();
            later(instant, if winter { 1 } else { 2 }).day()
        },
    };
    let since = |text: &str| now.days_since(Moment::read(text).unwrap());
    assert_eq!(since("2026-10-24T22:30:00Z"), 0);
    assert_eq!(since("2026-10-25T22:59:00Z"), 0);
    assert_eq!(since("2026-10-24T21:59:59Z"), 1);
    assert_eq!(since("2026-10-23T22:00:00Z"), 1);
    assert_eq!(since("2026-10-24"), 1);
}
