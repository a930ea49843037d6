//! Files that are no cards by the rules: read field by field, so that nothing of them is lost.

use std::collections::BTreeMap;

use cocli_core::{Field, Kind, Value};
use cocli_store::card;
use serde_json::Value as Json;

/// The fields of a front matter, each read alone: as YAML, else as it stands. What stands behind it, or all where there
/// is none, is the body.
pub(super) fn read(kind: Kind, text: &str) -> BTreeMap<Field, Value> {
    let text = text.trim_start_matches('\u{feff}');
    let (front, body) = parts(text);
    let mut fields: BTreeMap<Field, Value> = BTreeMap::new();
    let mut block = String::new();
    for line in front.lines() {
        if key(line).is_some() {
            fields.extend(of_block(kind, &block));
            block.clear();
        }
        block.push_str(line.trim_end());
        block.push('\n');
    }
    fields.extend(of_block(kind, &block));
    if let Ok(field) = Field::read(kind.body())
        && !body.trim().is_empty()
    {
        fields.entry(field).or_insert_with(|| Value::text(body.trim()));
    }
    fields
}

/// What one field and the lines below it say.
fn of_block(kind: Kind, block: &str) -> BTreeMap<Field, Value> {
    let Some((field, rest)) = key(block) else { return BTreeMap::new() };
    let plain = untagged(rest);
    let name = block.split_once(':').map_or(block, |(name, _)| name);
    [block, &format!("{name}: {plain}")]
        .into_iter()
        .find_map(|block| yaml(kind, block))
        .unwrap_or_else(|| as_it_stands(plain).map(|value| (field, value)).into_iter().collect())
}

fn yaml(kind: Kind, block: &str) -> Option<BTreeMap<Field, Value>> {
    let mut fields = card::parse(format!("---\n{block}\n---\n").as_bytes()).ok()?.fields(kind);
    fields.retain(|field, value| !field.as_str().starts_with('_') && !is_nothing(value));
    Some(fields)
}

fn is_nothing(value: &Value) -> bool {
    value.is_null() || ["", "[]", "{}"].contains(&value.as_str())
}

/// Lines that are no YAML: `- ` before all but the first makes a list, else they are one text.
fn as_it_stands(text: &str) -> Option<Value> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let members: Option<Vec<&str>> = lines.clone().map(|line| line.strip_prefix("- ")).collect();
    match members {
        Some(members) if !members.is_empty() => Some(Value::json(&Json::from(members))),
        _ => {
            let first = lines.next()?.to_owned();
            Some(Value::text(&lines.fold(first, |text, line| text + " " + line)))
        }
    }
}

/// A value without the tags of a type: `!!python/object:x.Y 'T'`.
fn untagged(text: &str) -> &str {
    let mut text = text.trim();
    while let Some(rest) = text.strip_prefix('!') {
        text = rest.split_once(char::is_whitespace).map_or("", |(_, rest)| rest.trim());
    }
    text
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
    if line.starts_with(char::is_whitespace) || line.starts_with("- ") {
        return None;
    }
    let (key, rest) = line.split_once(':')?;
    let fits = rest.is_empty() || rest.starts_with(char::is_whitespace);
    let field = Field::of_key(key.trim()).ok().filter(|field| !field.as_str().starts_with('_'))?;
    fits.then_some((field, rest))
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
        let expected = ["hours=Mon Tue", "name=A", "tags=[\"a\",\"b c\"]", "x=v"];
        let found = shown(Kind::Company, text);
        assert!(expected[1..].iter().all(|one| found.contains(&(*one).to_owned())), "{found:?}");
        assert_eq!(shown(Kind::Company, "no front matter"), ["description=no front matter"]);
        assert_eq!(shown(Kind::Company, "---\nname: A\n\nBody\n"), ["description=Body", "name=A"]);
    }

    #[test]
    fn one_line_that_breaks_the_yaml_spoils_no_other() {
        let text = "---\nname: \"\\xDCn\\xEFcode\"\ncity: 'L''Aquila'\nhours: a: b: c\ntags: [lead, hot]\nemail_contexts:\n  a@u.de: General\ncategories:\n- x: y: z\n- w\n---\n";
        let expected = [
            "categories=[\"x: y: z\",\"w\"]",
            "city=L'Aquila",
            "email_contexts={\"a@u.de\":\"General\"}",
            "hours=a: b: c",
            "name=\u{dc}n\u{ef}code",
            "tags=[\"hot\",\"lead\"]",
        ];
        assert_eq!(shown(Kind::Company, text), expected);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(---\n|[a-z]{1,3}: |- |\n|\\PC|[\"'!|])*") {
            let _ = read(Kind::Company, &text);
        }
    }
}
