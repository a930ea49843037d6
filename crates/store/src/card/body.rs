//! The text under the front matter as a value.

use std::borrow::Cow;

use cocli_core::Value;
use cocli_core::value::Plain;

/// Whether the text can stand under the front matter and be read back exactly.
pub(super) fn fits(value: &Value) -> bool {
    match value.plain() {
        Plain::Text(text) => {
            let plain = |c: char| !c.is_control() || matches!(c, '\n' | '\t');
            !text.trim().is_empty() && text.chars().all(plain)
        }
        Plain::Null | Plain::Tree(_) => false,
    }
}

/// The text of what stands behind the closing fence's line: without one blank line before it and
/// without the line break behind it. `None` when there is only white space.
pub(super) fn read(raw: &str) -> Option<Value> {
    if raw.trim().is_empty() {
        return None;
    }
    let raw = unix(raw);
    let text = raw.strip_prefix('\n').unwrap_or(&raw);
    Some(Value::text(text.strip_suffix('\n').unwrap_or(text)))
}

/// What stands behind the closing fence's line for a text that [`fits`].
pub(super) fn write(value: &Value, crlf: bool) -> String {
    let text = format!("\n{}\n", value.shown());
    if crlf { text.replace('\n', "\r\n") } else { text }
}

/// The text without what editors change by themselves.
pub(super) fn core_of(value: &Value) -> Cow<'_, str> {
    match value.plain() {
        Plain::Text(text) => Cow::Owned(unix(&text).trim().to_owned()),
        Plain::Null | Plain::Tree(_) => Cow::Borrowed(value.as_str()),
    }
}

fn unix(text: &str) -> Cow<'_, str> {
    if text.contains("\r\n") { Cow::Owned(text.replace("\r\n", "\n")) } else { Cow::Borrowed(text) }
}
