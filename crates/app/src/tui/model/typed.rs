//! A line of text that a person types.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// Characters of it.
const CHARS_MAX: usize = 1_000;

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
