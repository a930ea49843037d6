//! How a text is written as a YAML scalar: such that YAML 1.1 and 1.2 read the same text, on one
//! line, and without `---` in it (the Python program splits its files there).

use std::fmt::Write;

use cocli_core::schema::Type;

/// A text as plain, single-quoted or double-quoted scalar, the first that fits.
pub(super) fn scalar(text: &str) -> String {
    if !one_line(text) {
        return double(text);
    }
    if plain(text) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "''"))
}

/// The value of a field whose type the schema knows: a number stands as it is.
pub(super) fn typed(ty: Option<Type>, text: &str) -> String {
    match ty {
        Some(Type::Int) if whole(text.strip_prefix('-').unwrap_or(text)) => text.to_owned(),
        Some(Type::Float) if float(text.strip_prefix('-').unwrap_or(text)) => text.to_owned(),
        _ => scalar(text),
    }
}

/// `0`, or digits without a zero in front; no more than any reader's integer holds.
fn whole(text: &str) -> bool {
    (1..=15).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_digit())
        && (text.len() == 1 || !text.starts_with('0'))
}

fn float(text: &str) -> bool {
    match text.split_once('.') {
        Some((left, right)) => {
            let digits =
                (1..=15).contains(&right.len()) && right.bytes().all(|b| b.is_ascii_digit());
            whole(left) && digits
        }
        None => whole(text),
    }
}

/// Whether all characters may stand in a file as they are, and no fence is among them.
fn one_line(text: &str) -> bool {
    text.chars().all(printable) && !text.contains("---")
}

fn printable(c: char) -> bool {
    match c {
        ' '..='~' => true,
        '\u{a0}'..='\u{d7ff}' => !matches!(c, '\u{2028}' | '\u{2029}'),
        '\u{e000}'..='\u{fffd}' => c != '\u{feff}',
        '\u{10000}'..='\u{10ffff}' => u32::from(c) & 0xfffe != 0xfffe,
        _ => false,
    }
}

/// Whether the text may stand without quotes. Asked only of what [`one_line`] lets through.
fn plain(text: &str) -> bool {
    let Some(first) = text.chars().next() else { return false };
    (first.is_alphanumeric() || matches!(first, '/' | '(' | '_' | '$' | '+'))
        && !text.ends_with([' ', ':', '\u{a0}'])
        && !text.contains(": ")
        && !text.contains(" #")
        && !word(text)
        && !numeral(text)
}

/// The words that some YAML reads as boolean or null.
fn word(text: &str) -> bool {
    const WORDS: [&str; 9] = ["y", "n", "yes", "no", "true", "false", "on", "off", "null"];
    WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// Whether some YAML could read a number or a date: rather one quote too many.
fn numeral(text: &str) -> bool {
    let first = |b: &u8| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.');
    let fits = |b: u8| b.is_ascii_hexdigit() || b"_+-.:,xXoOtTzZ iInN".contains(&b);
    text.as_bytes().first().is_some_and(first) && text.bytes().all(fits)
}

/// A text in double quotes, on one line.
pub(super) fn double(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    out.push('"');
    for (at, c) in text.char_indices() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '-' if text[at..].starts_with("---") => out.push_str("\\x2d"),
            c if printable(c) => out.push(c),
            c => escape(c, &mut out),
        }
    }
    out.push('"');
    out
}

fn escape(c: char, out: &mut String) {
    let code = u32::from(c);
    let _ = match code {
        0..=0xff => write!(out, "\\x{code:02X}"),
        0x100..=0xffff => write!(out, "\\u{code:04X}"),
        _ => write!(out, "\\U{code:08X}"),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_reader_could_take_for_another_type_is_quoted() {
        for text in [
            "",
            " ",
            "no",
            "NO",
            "Yes",
            "null",
            "~",
            "1",
            "01234",
            "1.0",
            "1e3",
            "0x1F",
            "0o17",
            "9:30",
            "2026-02-18",
            "2026-02-18T17:04:05Z",
            "1_000",
            ".inf",
            "-.INF",
            ".nan",
            "+1",
            "-",
            "- a",
            "a: b",
            "a #b",
            "a:",
            "#a",
            "&a",
            "*a",
            "!a",
            "|",
            ">",
            "%a",
            "@a",
            "`a",
            "[a",
            "{a",
            "=",
            "<<",
            "'a'",
            "a ",
            " a",
            "? a",
            ",",
            "12145550134",
            "2001-1-1 1:1:1 +1",
        ] {
            assert_eq!(scalar(text), format!("'{}'", text.replace('\'', "''")), "{text}");
        }
        for text in
            ["Acme", "it's", "a:b", "a#b", "12 Main St", "https://x.org/?a=1", "Ünï", "+q", "a - b"]
        {
            assert_eq!(scalar(text), text);
        }
        assert_eq!(scalar("a----b"), "\"a\\x2d\\x2d--b\"");
        assert_eq!(
            scalar("\u{85}\u{2028}\n\"\u{fffe}\u{1fffe}"),
            "\"\\x85\\u2028\\n\\\"\\uFFFE\\U0001FFFE\""
        );
    }

    #[test]
    fn only_plain_numbers_of_number_fields_stand_without_quotes() {
        assert_eq!(typed(Some(Type::Int), "-42"), "-42");
        assert_eq!(typed(Some(Type::Int), "042"), "'042'");
        assert_eq!(typed(Some(Type::Int), "4.5"), "'4.5'");
        assert_eq!(typed(Some(Type::Float), "4.5"), "4.5");
        assert_eq!(typed(Some(Type::Float), "1e3"), "'1e3'");
        assert_eq!(typed(Some(Type::Float), ".5"), "'.5'");
        assert_eq!(typed(Some(Type::Text), "42"), "'42'");
        assert_eq!(typed(None, "abc"), "abc");
    }
}
