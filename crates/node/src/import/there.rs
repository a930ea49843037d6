//! What stands at a target, and what it gets of what somebody says of it.

use std::collections::{BTreeMap, BTreeSet};

use cocli_core::entity::FILE;
use cocli_core::schema::Type;
use cocli_core::value::Plain;
use cocli_core::{Entity, Field, Kind, Target, Value};
use serde_json::Value as Json;

use super::identity::{is_many, text};
use crate::change::{Change, Intent};
use crate::contact::e164;

/// Characters of a value that is told.
const TOLD_CHARS_MAX: usize = 60;

/// A value that was left, as something else stands there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Differ {
    /// Whose it is.
    pub target: Target,
    /// Which field or element.
    pub field: Field,
    /// The start of what stands there; nothing where somebody removed it.
    pub held: Option<String>,
    /// The start of what was said.
    pub said: String,
}

impl Differ {
    pub(super) fn new(target: &Target, field: &Field, held: Option<&Value>, said: &Value) -> Self {
        let held = held.filter(|held| !held.is_null()).map(told);
        Self { target: target.clone(), field: field.clone(), held, said: told(said) }
    }
}

fn told(value: &Value) -> String {
    let shown = value.shown();
    let mut start: String = shown.chars().take(TOLD_CHARS_MAX).collect();
    if start.len() < shown.len() {
        start.push('\u{2026}');
    }
    start
}

/// What stands at a target, and what it gets.
pub(super) struct There {
    target: Target,
    kind: Kind,
    pub(super) is_old: bool,
    values: BTreeMap<Field, Value>,
    /// Fields and elements that somebody removed.
    removed: BTreeSet<Field>,
    /// The country of its telephone numbers, and that of those that name none.
    country: Option<String>,
    region: Option<String>,
    pub(super) changes: Vec<Change>,
    pub(super) kept: Vec<Differ>,
}

impl There {
    pub(super) fn of(entity: &Entity, kind: Kind, target: &Target, region: Option<&str>) -> Self {
        let mut values = entity.shown(Kind::of(target));
        let is_old = !values.is_empty();
        let mut removed = BTreeSet::new();
        // Where nothing is left, nothing of it was removed from anything.
        if is_old {
            let gone = entity.fields.iter().filter(|(_, entry)| entry.value.is_null());
            removed.extend(gone.map(|(field, _)| field.clone()));
        }
        if let Ok(file) = Field::read(FILE)
            && let Some(entry) = entity.fields.get(&file)
        {
            values.insert(file, entry.value.clone());
        }
        let (country, region) = (text(&values, "country"), region.map(str::to_owned));
        let target = target.clone();
        Self {
            target,
            kind,
            is_old,
            values,
            removed,
            country,
            region,
            changes: Vec::new(),
            kept: Vec::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The name of its card's file, where it is not that of its slug.
    pub(super) fn file(&self) -> Option<String> {
        text(&self.values, FILE)
    }

    /// Takes in what somebody says of it.
    pub(super) fn take(&mut self, values: &BTreeMap<Field, Value>, overwrite: bool) {
        if self.country.is_none() {
            self.country = text(values, "country");
        }
        for (field, value) in values.iter().filter(|(_, value)| !value.is_null()) {
            self.fill(field, value, overwrite);
        }
    }

    /// A field gets a value: when it is empty, or values are replaced; what holds many gets the members that it lacks.
    fn fill(&mut self, field: &Field, value: &Value, overwrite: bool) {
        if is_many(Some(self.kind), field) {
            return self.add(field, value, overwrite);
        }
        let held = self.values.get(field);
        if held.is_some_and(|held| self.same(field, held, value)) {
            return;
        }
        if overwrite || (held.is_none() && !self.removed.contains(field)) {
            self.values.insert(field.clone(), value.clone());
            self.change(field.clone(), Intent::Put(value.clone()));
        } else if held.is_some() {
            self.keep_both(field, value);
        } else {
            self.keep(field, value);
        }
    }

    /// Whether two values of a field are one, however they were typed.
    fn same(&self, field: &Field, held: &Value, said: &Value) -> bool {
        if held == said {
            return true;
        }
        let (held, said) = (held.shown(), said.shown());
        if field.as_str() == self.kind.body() {
            return held.trim() == said.trim();
        }
        self.typed(self.kind.type_of(field.as_str()), &held, &said)
    }

    /// Whether two texts of a type are one.
    fn typed(&self, ty: Option<Type>, held: &str, said: &str) -> bool {
        let country = self.country.as_deref().or(self.region.as_deref());
        let number = |text: &str| e164(text, country);
        held == said
            || match ty {
                Some(Type::Email) => held.trim().to_lowercase() == said.trim().to_lowercase(),
                Some(Type::Phone) => number(held).is_some_and(|held| number(said) == Some(held)),
                _ => false,
            }
    }

    fn keep(&mut self, field: &Field, said: &Value) {
        if !field.as_str().starts_with('_') {
            self.kept.push(Differ::new(&self.target, field, self.values.get(field), said));
        }
    }

    /// A second address or number is kept beside the first.
    fn keep_both(&mut self, field: &Field, value: &Value) {
        let many = match self.kind.type_of(field.as_str()) {
            Some(Type::Email) => ALL_EMAILS,
            Some(Type::Phone) => ALL_PHONES,
            _ => return self.keep(field, value),
        };
        if let Ok(many) = Field::read(many) {
            self.add(&many, &Value::json(&Json::from(vec![value.shown().into_owned()])), false);
        }
    }

    fn add(&mut self, field: &Field, value: &Value, overwrite: bool) {
        let held = self.values.get(field).map(Value::to_json).unwrap_or(Json::Null);
        if self.kind.type_of(field.as_str()) == Some(Type::Map) {
            return self.add_pairs(field, held, value, overwrite);
        }
        let mut held = held.as_array().cloned().unwrap_or_default();
        let ty = match field.as_str() {
            ALL_EMAILS => Some(Type::Email),
            ALL_PHONES => Some(Type::Phone),
            _ => None,
        };
        for member in members(value) {
            let is_there =
                |item: &Json| item.as_str().is_some_and(|item| self.typed(ty, item, &member));
            if held.iter().any(is_there) {
                continue;
            }
            let (element, _) = field.element_of(&member);
            if self.removed.contains(&element) && !overwrite {
                self.keep(&element, &Value::text(&member));
                continue;
            }
            held.push(Json::from(member.as_str()));
            self.change(field.clone(), Intent::Add(member));
        }
        if !held.is_empty() {
            self.values.insert(field.clone(), Value::json(&Json::from(held)));
        }
    }

    fn add_pairs(&mut self, field: &Field, held: Json, value: &Value, overwrite: bool) {
        let mut held = held.as_object().cloned().unwrap_or_default();
        for (key, value) in value.to_json().as_object().into_iter().flatten() {
            let (element, long) = field.element_of(key);
            let stands = held.get(key).map(Value::json);
            if stands.as_ref() == Some(&Value::json(value)) {
                continue;
            }
            if !overwrite && (stands.is_some() || self.removed.contains(&element)) {
                let said = Value::json(value);
                self.kept.push(Differ::new(&self.target, &element, stands.as_ref(), &said));
                continue;
            }
            held.insert(key.clone(), value.clone());
            let value = if long { Value::text(key) } else { Value::json(value) };
            self.change(element, Intent::Put(value));
        }
        if !held.is_empty() {
            self.values.insert(field.clone(), Value::json(&Json::from(held)));
        }
    }

    fn change(&mut self, field: Field, intent: Intent) {
        self.changes.push(Change::new(self.target.clone(), field, intent));
    }
}

/// Where further addresses and numbers stand.
pub(super) const ALL_EMAILS: &str = "all_emails";
pub(super) const ALL_PHONES: &str = "all_phones";

/// The texts of a list; a lone text is a list of one.
fn members(value: &Value) -> Vec<String> {
    match value.plain() {
        Plain::Tree(Json::Array(items)) => {
            items.iter().map(|item| Value::json(item).shown().into_owned()).collect()
        }
        Plain::Text(text) if !text.is_empty() => vec![text.into_owned()],
        _ => Vec::new(),
    }
}
