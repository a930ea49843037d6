//! Files that are no cards by the rules: read line by line, so that nothing of them is lost.

use std::collections::BTreeMap;

use cocli_core::{Field, Kind, Value};
use serde_json::Value as Json;

/// A value on its way.
enum Found {
    Text(String),
    List(Vec<String>),
}

/// The fields that lines like `key: value` and `- member` say; what stands behind the front matter, or all where there
/// is none, is the body.
pub(super) fn read(kind: Kind, text: &str) -> BTreeMap<Field, Value> {
    let text = text.trim_start_matches('\u{feff}');
    let (front, body) = parts(text);
    let mut fields: BTreeMap<Field, Value> = BTreeMap::new();
    let mut open: Option<(Field, Found)> = None;
    let mut close = |open: &mut Option<(Field, Found)>| {
        let Some((field, found)) = open.take() else { return };
        match found {
            Found::Text(text) if text.is_empty() => {}
            Found::Text(text) => drop(fields.insert(field, Value::text(&text))),
            Found::List(items) => drop(fields.insert(field, Value::json(&Json::from(items)))),
        }
    };
    for line in front.lines() {
        let line = line.trim_end();
        let inner = line.trim_start();
        if let Some(item) = inner.strip_prefix("- ").or_else(|| (inner == "-").then_some("")) {
            if let Some((_, found)) = &mut open {
                match found {
                    Found::List(items) => items.push(scalar(item)),
                    Found::Text(text) if text.is_empty() => {
                        *found = Found::List(vec![scalar(item)])
                    }
                    Found::Text(text) => push(text, inner),
                }
            }
            continue;
        }
        match key(line) {
            Some((field, rest)) => {
                close(&mut open);
                open = Some((field, Found::Text(scalar(rest))));
            }
            None => match &mut open {
                Some((_, Found::Text(text))) => push(text, inner),
                Some((_, Found::List(items))) => {
                    if let Some(last) = items.last_mut() {
                        push(last, inner);
                    }
                }
                None => {}
            },
        }
    }
    close(&mut open);
    if let Ok(field) = Field::read(kind.body())
        && !body.trim().is_empty()
    {
        fields.entry(field).or_insert_with(|| Value::text(body.trim()));
    }
    fields
}

fn push(text: &mut String, more: &str) {
    if !more.is_empty() {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(more);
    }
}

/// The front matter, and what stands behind it.
fn parts(text: &str) -> (&str, &str) {
    let Some(rest) = text.trim_start().strip_prefix("---") else { return ("", text) };
    let mut at = 0;
    for line in rest.split_inclusive('\n') {
        if at > 0 && line.trim_end() == "---" {
            return (&rest[..at], &rest[at + line.len()..]);
        }
        at += line.len();
    }
    // It has no end: up to the first blank line.
    rest.split_once("\n\n").unwrap_or((rest, ""))
}

fn key(line: &str) -> Option<(Field, &str)> {
    if line.starts_with(char::is_whitespace) {
        return None;
    }
    let (key, rest) = line.split_once(':')?;
    let fits = rest.is_empty() || rest.starts_with(char::is_whitespace);
    let field = Field::of_key(key.trim()).ok().filter(|field| !field.as_str().starts_with('_'))?;
    fits.then_some((field, rest))
}

/// A value without its quotes and without the tag of a type.
fn scalar(text: &str) -> String {
    let mut text = text.trim();
    while let Some(rest) = text.strip_prefix('!') {
        text = rest.split_once(char::is_whitespace).map_or("", |(_, rest)| rest.trim());
    }
    for quote in ['"', '\''] {
        let inner = text.strip_prefix(quote).and_then(|text| text.strip_suffix(quote));
        if let Some(inner) = inner {
            return inner.to_owned();
        }
    }
    match text {
        "null" | "~" | "[]" | "{}" | "|" | ">" => String::new(),
        text => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(kind: Kind, text: &str) -> Vec<String> {
        let fields = read(kind, text).into_iter();
        fields.map(|(field, value)| format!("{field}={}", value.as_str())).collect()
    }

    #[test]
    fn a_title_that_breaks_the_yaml_is_read_as_it_stands() {
        let text =
            "---\ndate: 2026-03-01T14:30:00+00:00\ntitle: Kick off: budget\n---\n\nText --- x\n";
        let expected =
            ["content=Text --- x", "date=2026-03-01T14:30:00+00:00", "title=Kick off: budget"];
        assert_eq!(shown(Kind::Meeting, text), expected);
    }

    #[test]
    fn lists_folds_quotes_and_tags_of_types_are_read() {
        let text = "\n---name: A\ntags:\n- a\n- 'b c'\nhours: \"Mon\n  Tue\"\nx: !!python/object:a.B 'v'\nnone: null\nproducts: []\n---\n";
        let expected = ["hours=\"Mon Tue\"", "name=A", "tags=[\"a\",\"b c\"]", "x=v"];
        let found = shown(Kind::Company, text);
        assert!(expected[1..].iter().all(|one| found.contains(&(*one).to_owned())), "{found:?}");
        assert_eq!(shown(Kind::Company, "no front matter"), ["description=no front matter"]);
        assert_eq!(shown(Kind::Company, "---\nname: A\n\nBody\n"), ["description=Body", "name=A"]);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(---\n|[a-z]{1,3}: |- |\n|\\PC|[\"'!|])*") {
            let _ = read(Kind::Company, &text);
        }
    }
}
