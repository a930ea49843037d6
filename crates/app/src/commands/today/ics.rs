//! Meetings and next steps as iCalendar (RFC 5545), for calendars of other programs.

use std::fmt::Write;

use cocli_core::{Instant, Moment};
use cocli_node::followup::{Diary, Step, Talk};

use crate::when;

/// Octets of a line, without its end.
const LINE_OCTETS_MAX: usize = 75;

/// Minutes of a meeting that nobody gave a length.
const MINUTES: i64 = 30;

/// Of a calendar with nothing in it: it must have some component, and this one is nobody's appointment.
const NO_EVENT: [(&str, &str); 8] = [
    ("BEGIN", "VTIMEZONE"),
    ("TZID", "UTC"),
    ("BEGIN", "STANDARD"),
    ("DTSTART", "19700101T000000"),
    ("TZOFFSETFROM", "+0000"),
    ("TZOFFSETTO", "+0000"),
    ("END", "STANDARD"),
    ("END", "VTIMEZONE"),
];

/// All of them; the same text for the same state, on every machine of the cluster.
pub(super) fn calendar(diary: &Diary, cluster: &str) -> String {
    let mut out = String::new();
    for (name, value) in [
        ("BEGIN", "VCALENDAR"),
        ("VERSION", "2.0"),
        ("PRODID", "-//cocli//cocli//EN"),
        ("CALSCALE", "GREGORIAN"),
        ("X-WR-CALNAME", "cocli"),
    ] {
        line(&mut out, name, value);
    }
    if diary.meetings.is_empty() && diary.steps.iter().all(|step| step.at.is_none()) {
        NO_EVENT.iter().for_each(|(name, value)| line(&mut out, name, value));
    }
    for talk in &diary.meetings {
        meeting(&mut out, talk, cluster);
    }
    for step in &diary.steps {
        next_step(&mut out, step, cluster);
    }
    line(&mut out, "END", "VCALENDAR");
    out
}

fn meeting(out: &mut String, talk: &Talk, cluster: &str) {
    let title = if talk.title.is_empty() { "Meeting" } else { &talk.title };
    let summary = format!("{title} ({})", talk.name);
    let uid = format!("{}@{cluster}", talk.target);
    let minutes = when::minutes(&talk.duration).unwrap_or(MINUTES);
    event(out, (&uid, talk.written, talk.at), (&summary, &talk.content), Some(minutes));
}

fn next_step(out: &mut String, step: &Step, cluster: &str) {
    let Some(at) = step.at else { return };
    let what = if step.what.is_empty() { "Next step" } else { &step.what };
    let uid = format!("{}#next@{cluster}", step.target);
    event(out, (&uid, step.written, at), (&format!("{what} ({})", step.name), ""), None);
}

fn event(
    out: &mut String,
    (uid, written, at): (&str, Instant, Moment),
    (summary, description): (&str, &str),
    minutes: Option<i64>,
) {
    line(out, "BEGIN", "VEVENT");
    line(out, "UID", &escaped(uid));
    line(out, "DTSTAMP", &utc(written));
    match at {
        // Without an end, it is of that whole day.
        Moment::Day(day) => line(out, "DTSTART;VALUE=DATE", &day.to_string()),
        Moment::At(instant) => {
            line(out, "DTSTART", &utc(instant));
            // A next step is no appointment: it takes no time.
            if let Some(minutes) = minutes {
                line(out, "DURATION", &format!("PT{minutes}M"));
            }
        }
    }
    line(out, "SUMMARY", &escaped(summary));
    if !description.is_empty() {
        line(out, "DESCRIPTION", &escaped(description));
    }
    if matches!(at, Moment::Day(_)) {
        line(out, "TRANSP", "TRANSPARENT");
    }
    line(out, "END", "VEVENT");
}

/// `20261201T143000Z`.
fn utc(instant: Instant) -> String {
    let text = instant.to_string();
    let digits: String = text[..19].chars().filter(|c| !matches!(c, '-' | ':')).collect();
    format!("{digits}Z")
}

/// Text as a value: line breaks and what parts values escaped, other control characters left out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.replace("\r\n", "\n").chars() {
        match c {
            '\\' | ';' | ',' => {
                out.push('\\');
                out.push(c);
            }
            '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => out.push_str("\\n"),
            c if c.is_control() && c != '\t' => {}
            c => out.push(c),
        }
    }
    out
}

/// A content line, folded so that no piece has more octets than may be and no character is parted.
fn line(out: &mut String, name: &str, value: &str) {
    let (mut left, whole) = (LINE_OCTETS_MAX, format!("{name}:{value}"));
    for c in whole.chars() {
        if c.len_utf8() > left {
            out.push_str("\r\n ");
            left = LINE_OCTETS_MAX - 1;
        }
        left -= c.len_utf8();
        out.push(c);
    }
    let _ = write!(out, "\r\n");
}

#[cfg(test)]
mod tests {
    use cocli_core::{Kind, Target};
    use proptest::prelude::*;

    use super::*;

    fn diary(title: &str, content: &str, at: &str) -> Diary {
        let target = Target::read("companies/acme/meetings/m-a1b2").unwrap();
        let written = Instant::read("2026-11-20T08:00:00.5Z").unwrap();
        let talk = Talk {
            of: Target::read("companies/acme").unwrap(),
            target,
            kind: Kind::Meeting,
            name: "Acme, Inc.".into(),
            title: title.into(),
            content: content.into(),
            duration: "1h 15m".into(),
            at: Moment::read(at).unwrap(),
            written,
        };
        let step = Step {
            target: talk.of.clone(),
            name: talk.name.clone(),
            what: title.into(),
            at: Some(talk.at),
            written,
        };
        Diary { meetings: vec![talk], steps: vec![step] }
    }

    /// The content lines of a calendar, unfolded, each with its octets checked.
    fn lines(text: &str) -> Vec<String> {
        let text = text.strip_suffix("\r\n").expect("the last line ends too");
        for piece in text.split("\r\n") {
            assert!(piece.len() <= 75, "{} octets: {piece:?}", piece.len());
            assert!(!piece.contains(['\r', '\n']), "{piece:?}");
        }
        text.replace("\r\n ", "").split("\r\n").map(ToOwned::to_owned).collect()
    }

    #[test]
    fn a_meeting_is_an_event_at_its_time_and_a_day_is_a_whole_one() {
        let text = calendar(&diary("Kick-off; plan", "a\nb", "2026-12-01T15:30:00+01:00"), "c1");
        let lines_of = lines(&text);
        for line in [
            "UID:companies/acme/meetings/m-a1b2@c1",
            "DTSTAMP:20261120T080000Z",
            "DTSTART:20261201T143000Z",
            "DURATION:PT75M",
            "SUMMARY:Kick-off\\; plan (Acme\\, Inc.)",
            "DESCRIPTION:a\\nb",
            "UID:companies/acme#next@c1",
        ] {
            assert!(lines_of.iter().any(|l| l == line), "{line} is not in:\n{text}");
        }
        assert_eq!(lines_of.iter().filter(|line| line.starts_with("DURATION")).count(), 1);
        let mut some = diary("x", "", "2026-12-01T14:30:00Z");
        some.meetings[0].duration = "long".into();
        assert!(lines(&calendar(&some, "c1")).contains(&"DURATION:PT30M".to_owned()));
        let text = calendar(&diary("x", "", "2026-12-01"), "c1");
        assert!(!text.contains("DURATION"), "{text}");
        assert!(lines(&text).contains(&"DTSTART;VALUE=DATE:20261201".to_owned()), "{text}");
    }

    #[test]
    fn a_calendar_with_nothing_in_it_has_a_component_that_is_no_event() {
        for steps in
            [Vec::new(), vec![Step { at: None, ..diary("x", "", "2026-12-01").steps[0].clone() }]]
        {
            let all = lines(&calendar(&Diary { meetings: Vec::new(), steps }, "c1"));
            let begun =
                |name: &str| all.iter().filter(|line| *line == &format!("BEGIN:{name}")).count();
            assert_eq!((begun("VTIMEZONE"), begun("VEVENT")), (1, 0));
        }
    }

    proptest! {
        #[test]
        fn whatever_the_title_says_lines_are_whole_and_give_it_back(title in r"(\PC|[\n\r,;\\é\t]){1,120}") {
            let all = lines(&calendar(&diary(&title, &title, "2026-12-01"), "c1"));
            let begins = all.iter().filter(|line| *line == "BEGIN:VEVENT").count();
            prop_assert_eq!(begins, 2);
            let mut value = String::new();
            let text = all.iter().find_map(|line| line.strip_prefix("DESCRIPTION:")).unwrap();
            let mut chars = text.chars();
            while let Some(c) = chars.next() {
                match (c, c == '\\') {
                    (_, true) => match chars.next().unwrap() {
                        'n' => value.push('\n'),
                        c => value.push(c),
                    },
                    _ => value.push(c),
                }
            }
            let breaks = title.replace("\r\n", "\n").replace('\r', "\n");
            let breaks = breaks.replace(['\u{85}', '\u{2028}', '\u{2029}'], "\n");
            prop_assert_eq!(value, breaks);
        }
    }
}
