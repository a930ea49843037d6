//! A value in its one canonical text form.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use core::fmt;

use serde_json::Value as Json;

use crate::limits::{JSON_DEPTH_MAX, VALUE_BYTES_MAX};

/// A value as it stands in a record: plain text, or compact JSON for lists, maps, null and for text
/// that would be misread. Holds no control character, and compares by bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Value(Box<str>);

/// What a value is once read. Numbers and booleans are text: the schema knows their type.
#[derive(Debug, Clone, PartialEq)]
pub enum Plain<'a> {
    /// Nothing: the field is removed.
    Null,
    /// Text, a number, a boolean.
    Text(Cow<'a, str>),
    /// A list or a map.
    Tree(Json),
}

/// A value longer than [`VALUE_BYTES_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the value has {bytes} bytes: expected at most {VALUE_BYTES_MAX}")]
pub struct TooLong {
    /// Bytes of its canonical form.
    pub bytes: usize,
}

impl Value {
    /// The value `null`.
    #[must_use]
    pub fn null() -> Self {
        Self("null".into())
    }

    /// The value `true`, which an element of a set has.
    #[must_use]
    pub fn truth() -> Self {
        Self("true".into())
    }

    /// Any text, as the text that it is.
    #[must_use]
    pub fn text(text: &str) -> Self {
        if misread(text) { Self(quote(text).into()) } else { Self(text.into()) }
    }

    /// A JSON value; strings, numbers and booleans become their text.
    #[must_use]
    pub fn json(json: &Json) -> Self {
        match json {
            Json::Null => Self::null(),
            Json::String(text) => Self::text(text),
            Json::Bool(_) | Json::Number(_) => Self(json.to_string().into()),
            Json::Array(_) | Json::Object(_) => Self::read(&json.to_string()),
        }
    }

    /// The canonical form of a value as it stands in any record.
    #[must_use]
    pub fn read(wire: &str) -> Self {
        match wire.as_bytes().first() {
            Some(b'"') => match serde_json::from_str::<String>(wire) {
                Ok(text) => Self::text(&text),
                Err(_) => Self::text(wire),
            },
            Some(b'[' | b'{') => match compact(wire) {
                Some(tree) => Self(tree.into()),
                None => Self::text(wire),
            },
            _ if wire == "null" => Self::null(),
            _ => Self::text(wire),
        }
    }

    /// Refuses a value over the ceiling.
    ///
    /// # Errors
    /// When it is longer than [`VALUE_BYTES_MAX`].
    pub fn bounded(self) -> Result<Self, TooLong> {
        if self.0.len() > VALUE_BYTES_MAX { Err(TooLong { bytes: self.0.len() }) } else { Ok(self) }
    }

    /// The canonical text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this removes its field.
    #[must_use]
    pub fn is_null(&self) -> bool {
        &*self.0 == "null"
    }

    /// What it is.
    #[must_use]
    pub fn plain(&self) -> Plain<'_> {
        match self.0.as_bytes().first() {
            Some(b'"') => {
                Plain::Text(Cow::Owned(serde_json::from_str(&self.0).unwrap_or_default()))
            }
            Some(b'[' | b'{') => match serde_json::from_str(&self.0) {
                Ok(tree) => Plain::Tree(tree),
                Err(_) => Plain::Text(Cow::Borrowed(&self.0)),
            },
            _ if self.is_null() => Plain::Null,
            _ => Plain::Text(Cow::Borrowed(&self.0)),
        }
    }

    /// The value as a person reads it: text as it is, a tree as compact JSON, null as nothing.
    #[must_use]
    pub fn shown(&self) -> Cow<'_, str> {
        match self.plain() {
            Plain::Null => Cow::Borrowed(""),
            Plain::Text(text) => text,
            Plain::Tree(_) => Cow::Borrowed(&self.0),
        }
    }

    /// The value as JSON, all scalars as strings.
    #[must_use]
    pub fn to_json(&self) -> Json {
        match self.plain() {
            Plain::Null => Json::Null,
            Plain::Text(text) => Json::String(text.into_owned()),
            Plain::Tree(tree) => tree,
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether plain text would be read as something else.
fn misread(text: &str) -> bool {
    matches!(text.as_bytes().first(), Some(b'"' | b'[' | b'{'))
        || text == "null"
        || text.chars().any(char::is_control)
}

/// The text as a JSON string without any control character in it.
fn quote(text: &str) -> String {
    use fmt::Write;
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A JSON list or map without white space and with its strings in one form; numbers, the order of
/// keys and doubled keys stay as they are. `None` when it is not JSON, or deeper than
/// [`JSON_DEPTH_MAX`].
fn compact(json: &str) -> Option<String> {
    let _: Json = serde_json::from_str(json).ok()?;
    let mut out = String::with_capacity(json.len());
    let mut depth = 0_usize;
    let mut rest = json;
    while let Some(c) = rest.chars().next() {
        if c == '"' {
            let end = string_end(rest)?;
            out.push_str(&quote(&serde_json::from_str::<String>(&rest[..end]).ok()?));
            rest = &rest[end..];
            continue;
        }
        match c {
            '[' | '{' => depth += 1,
            ']' | '}' => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth > JSON_DEPTH_MAX {
            return None;
        }
        if !matches!(c, ' ' | '\n' | '\r' | '\t') {
            out.push(c);
        }
        rest = &rest[c.len_utf8()..];
    }
    Some(out)
}

/// The bytes of the JSON string that `text` begins with.
fn string_end(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, b) in text.bytes().enumerate().skip(1) {
        match b {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_that_would_be_misread_is_quoted_and_all_else_is_not() {
        for (text, wire) in [
            ("Acme", "Acme"),
            ("", ""),
            ("5", "5"),
            ("true", "true"),
            ("None", "None"),
            ("null", "\"null\""),
            ("[x", "\"[x\""),
            ("a\nb", "\"a\\nb\""),
            ("a\u{1e}", "\"a\\u001e\""),
            ("say \"hi\"", "say \"hi\""),
            ("\"hi\"", "\"\\\"hi\\\"\""),
            ("\u{85}", "\"\\u0085\""),
        ] {
            assert_eq!(Value::text(text).as_str(), wire);
            assert_eq!(Value::text(text).shown(), text);
        }
    }

    #[test]
    fn forms_of_one_tree_are_one_value() {
        let first = Value::read("[\"a\",\"\u{e9}\",1.0]");
        assert_eq!(Value::read("[\"a\", \"\\u00e9\",\n 1.0 ]"), first);
        assert_eq!(first.as_str(), "[\"a\",\"\u{e9}\",1.0]");
        assert_eq!(Value::read("[1] x"), Value::text("[1] x"));
        assert_eq!(Value::read("\"a\" b"), Value::text("\"a\" b"));
        assert_eq!(Value::read("[\"\\ud800\"]"), Value::text("[\"\\ud800\"]"));
    }

    #[test]
    fn a_deep_tree_is_text_and_costs_no_stack() {
        let deep = "[".repeat(100_000);
        assert!(matches!(Value::read(&deep).plain(), Plain::Text(_)));
    }

    proptest! {
        #[test]
        fn any_text_reads_back(text in any::<String>()) {
            let value = Value::text(&text);
            prop_assert!(!value.as_str().chars().any(char::is_control));
            prop_assert_eq!(value.shown(), text);
        }

        #[test]
        fn the_canonical_form_is_a_fixed_point(wire in r#"[\[{"]?[ -~\n\u{e9}]{0,40}"#) {
            let value = Value::read(&wire);
            prop_assert_eq!(Value::read(value.as_str()), value);
        }
    }
}
