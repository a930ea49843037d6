//! A card from its fields.

use std::collections::BTreeMap;

use cocli_core::schema::Type;
use cocli_core::{Field, Kind, Value};

use super::normal::shown;
use super::rev::of_shown;
use super::scalar::{double, scalar, typed};
use super::text::REV;
use super::tree::Tree;
use super::{Rev, body};

/// Keys of inner maps up to this many characters stand before a `:`; YAML allows 1,024.
const SHORT_KEY_CHARS: usize = 100;

/// The card of an entity with these fields (the body is one of them), with its `_rev`.
#[must_use]
pub fn render(kind: Kind, fields: &BTreeMap<Field, Value>) -> String {
    let fields = shown(kind, fields);
    let mut lines: Vec<(Rank, String)> = Vec::new();
    let mut under = String::new();
    for (field, value) in &fields {
        if field.as_str() == kind.body() && body::fits(value) {
            under = body::write(value, false);
        } else {
            lines.push((Rank::of(kind, field), entry(kind, field, value)));
        }
    }
    if let Some(tags) = tags_of(kind)
        && !fields.contains_key(&tags)
    {
        lines.push((Rank::of(kind, &tags), no_tags(&tags)));
    }
    lines.sort();
    let mut out = String::from("---\n");
    out.extend(lines.into_iter().map(|(_, lines)| lines));
    out.push_str(&rev_line(of_shown(&fields)));
    out.push_str("---\n");
    out.push_str(&under);
    out
}

/// Where a field stands in a card: the schema's order, then by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank(usize, Field);

impl Rank {
    pub(super) fn of(kind: Kind, field: &Field) -> Self {
        let place = kind.fields().iter().position(|spec| spec.name == field.as_str());
        Self(place.unwrap_or(usize::MAX), field.clone())
    }
}

/// The field `tags`, where the kind has it.
pub(super) fn tags_of(kind: Kind) -> Option<Field> {
    kind.type_of("tags").filter(|ty| *ty == Type::Set)?;
    Field::read("tags").ok()
}

/// Without this line the Python program would fall back to an older list.
pub(super) fn no_tags(tags: &Field) -> String {
    format!("{tags}: []\n")
}

pub(super) fn rev_line(rev: Rev) -> String {
    format!("{REV}: '{rev}'\n")
}

/// The lines of one field.
pub(super) fn entry(kind: Kind, field: &Field, value: &Value) -> String {
    let key = scalar(&field.key());
    match Tree::of(value) {
        Tree::List(items) => {
            let items = items.iter().map(|item| format!("- {}\n", one_line(item)));
            std::iter::once(format!("{key}:\n")).chain(items).collect()
        }
        Tree::Map(items) => {
            let items = items.iter().map(|(key, item)| pair("  ", key, &one_line(item)));
            std::iter::once(format!("{key}:\n")).chain(items).collect()
        }
        tree => format!("{key}: {}\n", inline(kind, field, &tree)),
    }
}

/// A scalar as it stands behind the colon of its field.
pub(super) fn inline(kind: Kind, field: &Field, tree: &Tree) -> String {
    match tree {
        Tree::Text(text) => typed(kind.type_of(field.as_str()), text),
        tree => one_line(tree),
    }
}

fn pair(indent: &str, key: &str, item: &str) -> String {
    let key = scalar(key);
    if key.chars().count() > SHORT_KEY_CHARS {
        format!("{indent}? {key}\n{indent}: {item}\n")
    } else {
        format!("{indent}{key}: {item}\n")
    }
}

/// What stands in a list or map: a scalar, or a tree in flow form.
fn one_line(tree: &Tree) -> String {
    match tree {
        Tree::Null => "null".to_owned(),
        Tree::Text(text) => scalar(text),
        tree => flow(tree),
    }
}

fn flow(tree: &Tree) -> String {
    match tree {
        Tree::Null => "null".to_owned(),
        Tree::Text(text) => double(text),
        Tree::List(items) => {
            let items: Vec<String> = items.iter().map(flow).collect();
            format!("[{}]", items.join(", "))
        }
        Tree::Map(items) => {
            let items: Vec<String> = items.iter().map(|(key, item)| flow_pair(key, item)).collect();
            format!("{{{}}}", items.join(", "))
        }
    }
}

fn flow_pair(key: &str, item: &Tree) -> String {
    let key = double(key);
    let long = key.chars().count() > SHORT_KEY_CHARS;
    format!("{}{key}: {}", if long { "? " } else { "" }, flow(item))
}
