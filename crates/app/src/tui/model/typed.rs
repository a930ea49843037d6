//! A line of text that a person types.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// Characters of it.
const CHARS_MAX: usize = 1_000;

/// What was pasted, as a part of a line: its lines and tabs are parted by spaces, and no other control character is left.
pub(crate) fn pasted(text: &str) -> String {
    let words = text.split(['\n', '\r', '\t']).filter(|part| !part.trim().is_empty());
    let line = words.collect::<Vec<_>>().join(" ");
    line.chars().filter(|c| !c.is_control()).take(CHARS_MAX).collect()
}

/// Puts in what was pasted.
pub(crate) fn paste(text: &mut String, more: &str) {
    let room = CHARS_MAX.saturating_sub(text.chars().count());
    text.extend(pasted(more).chars().take(room));
}

/// Changes the text, and says whether the key did.
pub(crate) fn edit(text: &mut String, key: KeyEvent) -> bool {
    let with = key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT);
    match key.code {
        KeyCode::Backspace => return text.pop().is_some(),
        KeyCode::Char('u') if with => text.clear(),
        KeyCode::Char('w') if with => {
            let word = text.trim_end().rsplit(char::is_whitespace).next().map_or(0, str::len);
            text.truncate(text.trim_end().len() - word);
        }
        KeyCode::Char(c) if !with && text.chars().count() < CHARS_MAX => text.push(c),
        _ => return false,
    }
    true
}
