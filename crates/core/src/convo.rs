//! What notes and meetings are called: ids and file names. docs/cards.md, "Notes and meetings".

use alloc::format;
use alloc::string::{String, ToString};

use crate::moment::Moment;
use crate::name::Epoch;
use crate::schema::Kind;
use crate::time::Instant;

/// Longest title in an id, bytes.
const TITLE_BYTES_MAX: usize = 48;

/// The id of a new note or meeting: when it was, the slug of its title, and four characters of `dice` that tell it
/// from others of that moment.
#[must_use]
pub fn id(kind: Kind, at: Instant, title: &str, dice: &Epoch) -> String {
    let text = at.to_string().to_ascii_lowercase();
    let (date, time) = (&text[..10], &text[11..19]);
    let stamp = match kind {
        Kind::Meeting => format!("{date}t{}z", time[..5].replace(':', "")),
        _ => format!("{date}t{}z", time.replace(':', "-")),
    };
    let title = &title[..title.len().min(TITLE_BYTES_MAX)];
    let dice = dice.as_str().get(..4).unwrap_or_default();
    [&stamp, title.trim_matches('-'), dice].map(ToString::to_string).join("-").replace("--", "-")
}

/// The name of the file of an id, without its ending: as the id, the stamp in capitals, as the Python program
/// writes it.
#[must_use]
pub fn file_name(id: &str) -> String {
    match stamp(id) {
        Some((bytes, _)) => format!("{}{}", id[..bytes].to_ascii_uppercase(), &id[bytes..]),
        None => id.to_string(),
    }
}

/// When a note or meeting was, by its id or the name of its file.
#[must_use]
pub fn moment(name: &str) -> Option<Moment> {
    stamp(name).map(|(_, moment)| moment)
}

/// What the name of a file says beside the stamp, as words.
#[must_use]
pub fn title(name: &str) -> String {
    let rest = stamp(name).map_or(name, |(bytes, _)| &name[bytes..]);
    rest.trim_start_matches('-').replace('-', " ")
}

/// The stamp that a name begins with: its bytes, and the moment. `2026-11-28T14-30-05Z`, `2026-11-28T1430Z` or
/// `2026-11-28`, in letters of any size, up to the end or a `-`.
fn stamp(name: &str) -> Option<(usize, Moment)> {
    let date = name.get(..10).filter(|date| is_like(date, "0000-00-00"))?;
    let forms = [("T00-00-00Z", 20), ("T0000Z", 16), ("", 10)];
    forms.into_iter().find_map(|(form, bytes)| {
        let time = name.get(10..bytes)?.to_ascii_uppercase();
        let ends = name[bytes..].is_empty() || name[bytes..].starts_with('-');
        if !is_like(&time, form) || !ends {
            return None;
        }
        if form.is_empty() {
            return Moment::read(date).map(|day| (bytes, day));
        }
        let digits: String = time.chars().filter(char::is_ascii_digit).collect();
        let part = |at: usize| digits.get(at..at + 2).unwrap_or("00");
        let text = format!("{date}T{}:{}:{}Z", part(0), part(2), part(4));
        Moment::read(&text).map(|moment| (bytes, moment))
    })
}

/// Whether a text has digits where the form has `0`, and else the same characters.
fn is_like(text: &str, form: &str) -> bool {
    let like = |(c, f): (char, char)| if f == '0' { c.is_ascii_digit() } else { c == f };
    text.len() == form.len() && text.chars().zip(form.chars()).all(like)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::name::Target;

    fn at(text: &str) -> Instant {
        Instant::read(text).unwrap()
    }

    #[test]
    fn ids_sort_by_time_and_give_the_names_that_the_python_program_reads() {
        let dice = Epoch::from_random([7; 8]);
        let now = at("2026-11-28T14:30:05Z");
        let note = id(Kind::Note, now, "first-call", &dice);
        let meeting = id(Kind::Meeting, now, "kick-off", &dice);
        assert!(note.starts_with("2026-11-28t14-30-05z-first-call-"), "{note}");
        assert!(meeting.starts_with("2026-11-28t1430z-kick-off-"), "{meeting}");
        assert!(file_name(&note).starts_with("2026-11-28T14-30-05Z-first-call-"));
        assert!(file_name(&meeting).starts_with("2026-11-28T1430Z-kick-off-"));
        assert_eq!(file_name("call-with-zoe"), "call-with-zoe");
    }

    #[test]
    fn the_moment_and_title_of_files_are_read_from_their_names() {
        for (name, moment_of, title_of) in [
            ("2026-02-18T17-04-05Z-first-call", Some("2026-02-18T17:04:05Z"), "first call"),
            ("2026-03-01T1430Z-kick-off", Some("2026-03-01T14:30:00Z"), "kick off"),
            ("2026-03-01-kick-off", Some("2026-03-01"), "kick off"),
            ("2026-02-30T1430Z-no-such-day", None, "2026 02 30T1430Z no such day"),
            ("2026-03-01x", None, "2026 03 01x"),
            ("Zoë", None, "Zoë"),
            ("", None, ""),
        ] {
            assert_eq!(moment(name), moment_of.and_then(Moment::read), "{name}");
            assert_eq!(title(name), title_of, "{name}");
        }
    }

    proptest! {
        #[test]
        fn every_id_is_part_of_a_target_and_tells_its_moment(
            seconds in 0i64..4_000_000_000, title in "[a-z0-9]{0,3}(-[a-z0-9]{1,9}){0,9}", dice: [u8; 8],
        ) {
            let now = Instant::from_micros(seconds * 1_000_000).unwrap();
            let dice = Epoch::from_random(dice);
            for (kind, exact) in [(Kind::Note, 1_000_000), (Kind::Meeting, 60_000_000)] {
                let id = id(kind, now, &title, &dice);
                prop_assert!(Target::read(&format!("companies/x/{}/{id}", kind.plural())).is_ok(), "{}", id);
                prop_assert_eq!(moment(&id).unwrap().utc().micros(), now.micros() / exact * exact);
                prop_assert_eq!(file_name(&id).to_ascii_lowercase(), id);
            }
        }

        #[test]
        fn no_name_makes_it_panic(name in any::<String>()) {
            let _ = (moment(&name), title(&name), file_name(&name));
        }
    }
}
