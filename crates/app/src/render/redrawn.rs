//! A picture on the terminal that is drawn again and again in its place, without flicker: each by one write, over
//! what stands there. When it is over the terminal is as before, and the last picture stays above the prompt.

use std::io::Write;

use super::Screen;

/// The other page of the terminal, no cursor, lines that are cut at its edge.
const BEGIN: &str = "\u{1b}[?1049h\u{1b}[?25l\u{1b}[?7l";
const END: &str = "\u{1b}[?7h\u{1b}[?25h\u{1b}[?1049l";
/// A terminal that can shows what comes between these two at once.
const FRAME: (&str, &str) = ("\u{1b}[?2026h\u{1b}[H", "\u{1b}[J\u{1b}[?2026l");

/// The terminal while something is drawn there.
#[derive(Debug)]
pub(crate) struct Redrawn {
    screen: Screen,
    last: Vec<String>,
}

impl Redrawn {
    pub(crate) fn begin(screen: Screen) -> Self {
        screen.raw(BEGIN.as_bytes());
        Self { screen, last: Vec::new() }
    }

    /// Draws these lines; where they are too many those before the last `kept` ones give way.
    pub(crate) fn draw(&mut self, lines: Vec<String>, kept: usize) {
        let height = self.screen.size().map_or(usize::MAX, |(_, lines)| lines);
        self.screen.raw(frame(&lines, kept, height).as_bytes());
        self.last = lines;
    }
}

impl Drop for Redrawn {
    fn drop(&mut self) {
        // After a panic, too; and not by `raw`, which may end the program before the terminal is as it was.
        let mut text = END.to_owned();
        for line in &self.last {
            text.push_str(line);
            text.push('\n');
        }
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
}

fn frame(lines: &[String], kept: usize, height: usize) -> String {
    let mut shown: Vec<&str> = lines.iter().map(String::as_str).collect();
    if shown.len() > height {
        let kept = kept.min(height.saturating_sub(2));
        let end = shown.split_off(shown.len() - kept);
        shown.truncate(height.saturating_sub(kept + 1));
        shown.push("…");
        shown.extend(end);
    }
    // Behind the last line no new one begins: the terminal would scroll.
    let lines = shown.join("\u{1b}[K\r\n");
    format!("{}{lines}\u{1b}[K{}", FRAME.0, FRAME.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_gives_way_in_the_middle_and_what_needs_a_person_stays() {
        let lines: Vec<String> = (0..9).map(|line| format!("l{line}")).collect();
        let shown = |kept, height| {
            let frame = frame(&lines, kept, height);
            let text = frame.strip_prefix(FRAME.0).unwrap().strip_suffix(FRAME.1).unwrap();
            text.replace("\u{1b}[K", "").split("\r\n").map(ToOwned::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(shown(2, 9), lines);
        assert_eq!(shown(2, 5), ["l0", "l1", "…", "l7", "l8"]);
        assert_eq!(shown(9, 4), ["l0", "…", "l7", "l8"]);
        assert_eq!(shown(0, 2), ["l0", "…"]);
        assert_eq!(shown(3, 1), ["…"]);
    }
}
