//! What a card can show of a field: sets sorted, nothing for empty, scalars as text. Values are
//! compared in this form, so that only a person's change is a difference.

use std::collections::{BTreeMap, BTreeSet};

use cocli_core::schema::Type;
use cocli_core::{Field, Kind, Value};

use super::body;
use super::tree::Tree;

/// The form of a value in which cards show and compare it; `None` when there is nothing to show.
#[must_use]
pub(super) fn normal(kind: Kind, field: &Field, value: &Value) -> Option<Value> {
    let ty = kind.type_of(field.as_str());
    let first = value.as_str().as_bytes().first();
    if !matches!(ty, Some(Type::Set | Type::Map)) && !matches!(first, Some(b'[' | b'{')) {
        return (!value.is_null()).then(|| value.clone());
    }
    let tree = match (ty, Tree::of(value)) {
        (Some(Type::Set), tree) => Tree::List(members(tree).into_iter().map(Tree::Text).collect()),
        (Some(Type::Map), tree) => Tree::Map(pairs(tree).into_iter().collect()),
        (_, tree) => tree,
    };
    (!tree.is_nothing()).then(|| tree.value())
}

/// The members of a set; a lone text is a set of one.
pub(super) fn members(tree: Tree) -> BTreeSet<String> {
    match tree {
        Tree::Null => BTreeSet::new(),
        Tree::Text(text) if text.is_empty() => BTreeSet::new(),
        Tree::Text(text) => BTreeSet::from([text]),
        Tree::List(items) => items.into_iter().filter_map(Tree::member).collect(),
        Tree::Map(items) => items.into_iter().map(|(key, _)| key).collect(),
    }
}

/// The keys of a map with their values; of a list the members, each with `true`.
pub(super) fn pairs(tree: Tree) -> BTreeMap<String, Tree> {
    match tree {
        Tree::Map(items) => items.into_iter().filter(|(_, item)| *item != Tree::Null).collect(),
        other => {
            let truth = || Tree::Text("true".to_owned());
            members(other).into_iter().map(|text| (text, truth())).collect()
        }
    }
}

/// The fields that a card shows, each in normal form: no elements, none of the program's own
/// (`_...`), nothing empty.
#[must_use]
pub fn shown(kind: Kind, fields: &BTreeMap<Field, Value>) -> BTreeMap<Field, Value> {
    fields
        .iter()
        .filter(|(field, _)| visible(field))
        .filter_map(|(field, value)| Some((field.clone(), normal(kind, field, value)?)))
        .collect()
}

pub(super) fn visible(field: &Field) -> bool {
    !field.as_str().starts_with('_') && field.element().is_none()
}

/// Whether two values in normal form are the same to a person: in a body, white space around it and
/// the form of line breaks are not.
#[must_use]
pub fn same(kind: Kind, field: &Field, a: Option<&Value>, b: Option<&Value>) -> bool {
    match (a, b) {
        _ if a == b => true,
        (Some(a), Some(b)) if field.as_str() == kind.body() => body::core_of(a) == body::core_of(b),
        _ => false,
    }
}
