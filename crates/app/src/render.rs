//! The only place that prints. Text for people, JSON for programs; control characters from data
//! never reach a terminal.

mod redrawn;

pub(crate) use redrawn::Redrawn;

use std::fmt::Display;
use std::io::{IsTerminal, Write};

use serde_json::Value as Json;

use crate::failure::{Exit, Failure};

/// Bytes of many lines that are written at once.
const WRITE_BYTES: usize = 64 * 1024;

/// Where a command's answer goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Screen {
    /// JSON was asked for.
    pub(crate) json: bool,
    color: bool,
    terminal: bool,
}

/// A colour with a meaning; words always stand beside it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Tone {
    Good,
    Warn,
    Bad,
    Faint,
    Strong,
}

impl Screen {
    pub(crate) fn new(json: bool) -> Self {
        let terminal = std::io::stdout().is_terminal();
        Self { json, color: terminal && may_color(), terminal }
    }

    /// Whether a person watches: progress may be drawn.
    pub(crate) fn watched(self) -> bool {
        !self.json && std::io::stderr().is_terminal()
    }

    /// Whether a person reads the answer, and no program.
    pub(crate) fn prints_to_a_person(self) -> bool {
        self.terminal && !self.json
    }

    /// For notes beside an answer: where standard error goes.
    pub(crate) fn of_notes() -> Self {
        let terminal = std::io::stderr().is_terminal();
        Self { json: false, color: terminal && may_color(), terminal }
    }

    #[cfg(test)]
    pub(crate) fn of_a_pipe() -> Self {
        Self { json: false, color: false, terminal: false }
    }

    /// Whether colours may be used.
    pub(crate) fn colored(self) -> bool {
        self.color
    }

    pub(crate) fn paint(self, tone: Tone, text: &str) -> String {
        if !self.color {
            return text.to_string();
        }
        let code = match tone {
            Tone::Good => "32",
            Tone::Warn => "33",
            Tone::Bad => "31",
            Tone::Faint => "2",
            Tone::Strong => "1",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }

    /// Columns and lines of the terminal; none where nobody looks at one.
    pub(crate) fn size(self) -> Option<(usize, usize)> {
        // Where nobody looks at one, crossterm would ask another program.
        let (columns, lines) = self.terminal.then(ratatui::crossterm::terminal::size)?.ok()?;
        Some((usize::from(columns), usize::from(lines))).filter(|(columns, _)| *columns > 0)
    }

    /// Text from data, fit for where it goes.
    pub(crate) fn safe(self, text: &str) -> String {
        if self.terminal { escape(text) } else { text.to_string() }
    }

    /// A line of text; our own words, data in it made safe before.
    pub(crate) fn line(self, text: impl AsRef<str>) {
        self.write_out(text.as_ref().as_bytes(), true);
    }

    /// Many lines, several by one write.
    pub(crate) fn lines(self, lines: impl Iterator<Item = String>) {
        let mut text = String::new();
        for line in lines {
            text.push_str(&line);
            text.push('\n');
            if text.len() >= WRITE_BYTES {
                self.raw(text.as_bytes());
                text.clear();
            }
        }
        self.raw(text.as_bytes());
    }

    /// Bytes as they are.
    pub(crate) fn raw(self, bytes: &[u8]) {
        self.write_out(bytes, false);
    }

    /// Rows of data, as they are but on a terminal.
    pub(crate) fn rows(self, bytes: &[u8]) {
        if !self.terminal {
            return self.raw(bytes);
        }
        let text = String::from_utf8_lossy(bytes);
        for line in text.split_inclusive('\n') {
            let (line, end) = line.strip_suffix('\n').map_or((line, ""), |line| (line, "\n"));
            self.raw(format!("{}{end}", escape(line)).as_bytes());
        }
    }

    /// One JSON object on one line.
    pub(crate) fn object(self, json: &Json) {
        self.write_out(json.to_string().as_bytes(), true);
    }

    /// Whether nobody reads the answer any more.
    pub(crate) fn reader_gone(self) -> bool {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let out = std::io::stdout();
        let mut ends = [PollFd::new(&out, PollFlags::empty())];
        let looked = poll(&mut ends, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
        looked.is_ok() && ends[0].revents().intersects(PollFlags::ERR | PollFlags::HUP)
    }

    /// Something to know that is not the answer: on standard error.
    pub(crate) fn note(self, text: impl AsRef<str>) {
        let _ = writeln!(std::io::stderr(), "{}", escape(text.as_ref()));
    }

    /// The end of a command that failed.
    pub(crate) fn failure(self, failure: &Failure) {
        if self.json {
            let object = serde_json::json!({
                "error": failure.message, "hint": failure.hint, "exit": failure.exit as u8,
            });
            let _ = writeln!(std::io::stderr(), "{object}");
            return;
        }
        let color = std::io::stderr().is_terminal() && self.color;
        let word = if color { "\u{1b}[31merror\u{1b}[0m" } else { "error" };
        let _ = writeln!(std::io::stderr(), "{word}: {}", escape(&failure.message));
        if let Some(hint) = &failure.hint {
            let _ = writeln!(std::io::stderr(), "  next: {}", escape(hint));
        }
    }

    /// Writes to standard output. A reader that went away ends the program quietly; an answer that
    /// does not arrive for another reason must not look like one that did.
    fn write_out(self, bytes: &[u8], newline: bool) {
        let mut out = std::io::stdout().lock();
        let end: &[u8] = if newline { b"\n" } else { b"" };
        let written =
            out.write_all(bytes).and_then(|()| out.write_all(end)).and_then(|()| out.flush());
        let Err(error) = written else { return };
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            std::process::exit(0);
        }
        let message = format!("standard output: cannot write: {error}");
        self.failure(&Failure::new(Exit::Failed, message));
        std::process::exit(Exit::Failed as i32);
    }
}

fn may_color() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
}

/// `1 company`, `2 companies`.
pub(crate) fn counted<N: Display + PartialEq + From<u8>>(
    count: N,
    one: &str,
    many: &str,
) -> String {
    let name = if count == N::from(1) { one } else { many };
    format!("{count} {name}")
}

/// Control characters, and the ones that turn the direction of text, as visible escapes.
pub(crate) fn escape(text: &str) -> String {
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if !text.chars().any(|c| (c.is_control() && c != '\n') || turns(c)) {
        return text.to_string();
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if (c.is_control() && c != '\n') || turns(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

/// Text from data, in one line and of so many characters at the most.
pub(crate) fn one_line(text: &str, characters: usize) -> String {
    let mut shown = escape(text).replace('\n', "\\n");
    if let Some((cut, _)) = shown.char_indices().nth(characters) {
        shown.truncate(cut);
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_in_one_line_is_one_line_and_no_longer_than_said() {
        assert_eq!(one_line("a\nb\u{1b}[2J", 40), "a\\nb\\u{1b}[2J");
        assert_eq!(one_line("äöüß", 4), "äöüß");
        assert_eq!(one_line("äöüßx", 4), "äöüß…");
    }

    #[test]
    fn control_characters_of_data_are_shown_not_obeyed() {
        assert_eq!(escape("a\u{1b}[31mb\u{202e}"), "a\\u{1b}[31mb\\u{202e}");
        assert_eq!(escape("two\nlines é"), "two\nlines é");
    }
}
