//! What is known of one target, and how its fields are read: sets from lists and elements (law 8).

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Map, Value as Json};

use crate::merge::Entry;
use crate::name::Field;
use crate::schema::{Kind, Type};
use crate::stamp::Stamp;
use crate::value::{Plain, Value};

/// The field that hides a target and everything below it.
pub const DELETED: &str = "_deleted";
/// The field that holds the name of a card's file.
pub const FILE: &str = "_file";

/// The winners of one target.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Entity {
    /// The winner of each field and element.
    pub fields: BTreeMap<Field, Entry>,
}

/// One member of a set or map: its text, its value, and who put it there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The element as text.
    pub text: String,
    /// `true` in a set; the value in a map.
    pub value: Value,
    /// The stamp of the datagram that it stands by.
    pub stamp: Stamp,
}

impl Entity {
    /// Merges one entry by law 1; tells whether it won.
    pub fn merge(&mut self, field: Field, entry: Entry) -> bool {
        match self.fields.get(&field) {
            Some(winner) if entry <= *winner => false,
            _ => {
                self.fields.insert(field, entry);
                true
            }
        }
    }

    /// Who hid this very target, if it is hidden.
    #[must_use]
    pub fn removed(&self) -> Option<&Entry> {
        let winner = self.fields.get(&Field::read(DELETED).ok()?)?;
        (winner.value.as_str() == "true").then_some(winner)
    }

    /// The elements of a field, with their winners.
    pub fn elements<'a>(&'a self, field: &Field) -> impl Iterator<Item = (&'a Field, &'a Entry)> {
        let base = field.base().to_string();
        self.fields
            .range(field.base_field()..)
            .take_while({
                let base = base.clone();
                move |(f, _)| f.as_str().starts_with(&base)
            })
            .filter(move |(f, _)| f.base() == base && f.element().is_some())
    }

    /// The members of a set or map, by the bytes of their text.
    ///
    /// The whole list gives members with its stamp; an element stands over the list when its
    /// (instant, node) is greater.
    #[must_use]
    pub fn members(&self, field: &Field) -> Vec<Member> {
        let list = self.fields.get(&field.base_field());
        let mut members: BTreeMap<String, Member> = BTreeMap::new();
        for (text, value) in list.map(|entry| listed(&entry.value)).unwrap_or_default() {
            let Some(entry) = list else { break };
            members.insert(text.clone(), Member { text, value, stamp: entry.stamp.clone() });
        }
        for (element, entry) in self.elements(field) {
            if list.is_some_and(|list| entry.stamp <= list.stamp) {
                continue;
            }
            if entry.value.is_null() {
                members.retain(|text, _| field.element_of(text).0 != *element);
                continue;
            }
            let (text, value) = match element.element_text() {
                Some(text) => (text, entry.value.clone()),
                None => (entry.value.shown().into_owned(), Value::truth()),
            };
            members.insert(text.clone(), Member { text, value, stamp: entry.stamp.clone() });
        }
        members.into_values().collect()
    }

    /// The visible fields by their base: plain fields, and each set and map as one list or map.
    /// Removed fields, and those that begin with `_`, are not among them.
    #[must_use]
    pub fn shown(&self, kind: Option<Kind>) -> BTreeMap<Field, Value> {
        let mut shown = BTreeMap::new();
        for field in self.fields.keys().map(Field::base_field) {
            if field.as_str().starts_with('_') || shown.contains_key(&field) {
                continue;
            }
            if let Some(value) = self.value(kind, &field).filter(|value| !value.is_null()) {
                shown.insert(field, value);
            }
        }
        shown
    }

    /// Whether it has a visible field: what [`Entity::shown`] would not be empty for, without folding
    /// sets as long as one plain field says so.
    #[must_use]
    pub fn is_shown(&self) -> bool {
        let plain = |(field, entry): (&Field, &Entry)| {
            field.element().is_none()
                && !field.as_str().starts_with('_')
                && !entry.value.is_null()
                && self.elements(field).next().is_none()
        };
        self.fields.iter().any(plain) || !self.shown(None).is_empty()
    }

    /// The value of a field as it is read: a set or map folded from its elements, else the winner's.
    #[must_use]
    pub fn value(&self, kind: Option<Kind>, field: &Field) -> Option<Value> {
        if field.element().is_some() {
            let (base, text) = (field.base_field(), field.element_text());
            return match text {
                Some(text) => {
                    self.members(&base).into_iter().find(|m| m.text == text).map(|m| m.value)
                }
                None => self.fields.get(field).map(|entry| entry.value.clone()),
            };
        }
        match kind.and_then(|kind| kind.type_of(field.as_str())) {
            Some(Type::Set) => self.folded(field, false),
            Some(Type::Map) => self.folded(field, true),
            _ if self.elements(field).next().is_some() => {
                let map = self.members(field).iter().any(|m| m.value != Value::truth());
                self.folded(field, map)
            }
            _ => self.fields.get(field).map(|entry| entry.value.clone()),
        }
    }

    /// `None` when nothing was ever written; an empty list reads as null (nothing to show).
    fn folded(&self, field: &Field, map: bool) -> Option<Value> {
        let members = self.members(field);
        if members.is_empty() {
            let written = self.fields.contains_key(field) || self.elements(field).next().is_some();
            return written.then(Value::null);
        }
        let json = if map {
            Json::Object(
                members.into_iter().map(|m| (m.text, m.value.to_json())).collect::<Map<_, _>>(),
            )
        } else {
            Json::Array(members.into_iter().map(|m| Json::String(m.text)).collect())
        };
        Some(Value::json(&json))
    }

    /// The greatest stamp that a field is read from, elements included: what a reader saw of it.
    #[must_use]
    pub fn seen(&self, field: &Field) -> Option<&Stamp> {
        let own = self.fields.get(field);
        let elements = self.elements(field).map(|(_, entry)| entry);
        let below = elements.filter(|_| field.element().is_none());
        own.into_iter().chain(below).map(|entry| &entry.stamp).max()
    }
}

/// The members that a whole-list value stands for; a lone text is a list of one (the Python program
/// writes such), and `;` parts nothing here.
fn listed(value: &Value) -> Vec<(String, Value)> {
    let text_of = |json: Json| match json {
        Json::String(text) => text,
        other => other.to_string(),
    };
    match value.plain() {
        Plain::Null => Vec::new(),
        Plain::Text(text) if text.is_empty() => Vec::new(),
        Plain::Text(text) => alloc::vec![(text.into_owned(), Value::truth())],
        Plain::Tree(Json::Array(items)) => {
            items.into_iter().map(|item| (text_of(item), Value::truth())).collect()
        }
        Plain::Tree(Json::Object(map)) => {
            map.into_iter().map(|(key, value)| (key, Value::json(&value))).collect()
        }
        Plain::Tree(_) => Vec::new(),
    }
}
