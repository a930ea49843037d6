//! How a note looks: for people a time, a word where it is no news, the text; for programs the time as records have it.

use std::fmt::{self, Write as _};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::clock;
use crate::render::{Screen, Tone, one_line};

/// Characters of a note.
const TEXT_CHARACTERS: usize = 4_096;

/// The clock of the rim.
pub(super) struct Clock;

impl FormatTime for Clock {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        write!(writer, "{}", clock::now())
    }
}

/// Lines for people: on a terminal with the time of day alone, else with the day, as they are kept.
pub(super) struct Human {
    pub(super) screen: Screen,
}

impl<S, N> FormatEvent<S, N> for Human
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut told = Told::default();
        event.record(&mut told);
        let here = clock::here();
        let time = match self.screen.prints_to_a_person() {
            true => here.strftime("%H:%M:%S").to_string(),
            false => here.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
        };
        let level = event.metadata().level();
        writeln!(writer, "{}", line(self.screen, &time, *level, &told))
    }
}

fn line(screen: Screen, time: &str, level: Level, told: &Told) -> String {
    let word = match level {
        Level::ERROR => screen.paint(Tone::Bad, "error: "),
        Level::WARN => screen.paint(Tone::Warn, "warning: "),
        Level::INFO => String::new(),
        Level::DEBUG => screen.paint(Tone::Faint, "debug: "),
        Level::TRACE => screen.paint(Tone::Faint, "trace: "),
    };
    // What is told comes from peers and files, too.
    let text = one_line(&format!("{}{}", told.message, told.fields), TEXT_CHARACTERS);
    format!("{} {word}{text}", screen.paint(Tone::Faint, time))
}

/// What an event says.
#[derive(Default)]
struct Told {
    message: String,
    fields: String,
}

impl Visit for Told {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a text cannot fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_one_line_whatever_stands_in_it_and_only_what_is_no_news_has_a_word() {
        let screen = Screen::of_a_pipe();
        let told = |message: &str| Told { message: message.into(), fields: " node=pi1".into() };
        let shown = line(screen, "15:40:00", Level::INFO, &told("a peer is here"));
        assert_eq!(shown, "15:40:00 a peer is here node=pi1");
        let shown = line(screen, "15:40:00", Level::WARN, &told("x\n15:40:01 forged\u{1b}[2J"));
        assert_eq!(shown, "15:40:00 warning: x\\n15:40:01 forged\\u{1b}[2J node=pi1");
    }
}
