//! The entities of a collection, all or those that some conditions hold for.

use std::sync::{Mutex, PoisonError};

use cocli_core::entity::DELETED;
use cocli_core::usv::{Line, US};
use cocli_core::{Entity, Field, Kind, NameError, Target, Value};
use cocli_store::Reader;
use cocli_store::side::processors;
use serde_json::Value as Json;

use crate::error::Result;
use crate::home::Home;
use crate::needle;

/// A field with a value, or a set or map that holds it; with an empty value, fields of which none has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    field: Field,
    /// Other fields that say the same of an entity; there are some only where none shall have a value.
    others: Vec<Field>,
    value: String,
}

/// Fields that say the same of an entity: what is missing is missing in all of them.
const SAME: [(&str, &[&str]); 2] = [
    ("email", &["all_emails"]),
    ("phone", &["phone_1", "phone_number", "phone_from_website", "all_phones"]),
];

impl Condition {
    /// # Errors
    /// When the field has no name that a field may have.
    pub fn new(field: &str, value: &str) -> Result<Self, NameError> {
        Ok(Self { field: Field::read(field)?, others: Vec::new(), value: value.to_owned() })
    }

    /// That nothing is known: of `email` and `phone` in no field that could say it.
    ///
    /// # Errors
    /// When the field has no name that a field may have.
    pub fn missing(field: &str) -> Result<Self, NameError> {
        let others = SAME.iter().find(|(name, _)| *name == field).map_or(&[][..], |same| same.1);
        let others = others.iter().map(|other| Field::read(other)).collect::<Result<_, _>>()?;
        Ok(Self { field: Field::read(field)?, others, value: String::new() })
    }

    pub(crate) fn holds(&self, kind: Option<Kind>, entity: &Entity) -> bool {
        let value = |field| entity.value(kind, field).filter(|value| !says_nothing(value));
        let Some(value) = value(&self.field) else {
            return self.value.is_empty() && self.others.iter().all(|other| value(other).is_none());
        };
        if self.value.is_empty() {
            return false;
        }
        match value.to_json() {
            Json::Array(items) => items.iter().any(|item| Value::json(item).shown() == self.value),
            Json::Object(map) => map.contains_key(&self.value),
            _ => value.shown() == self.value,
        }
    }

    /// Whether a field has a part in it.
    fn asks(&self, field: &[u8]) -> bool {
        let base = |field: &[u8]| memchr::memchr(b'.', field).unwrap_or(field.len());
        let field = &field[..base(field)];
        let mut all = std::iter::once(&self.field).chain(&self.others);
        all.any(|asked| asked.base().as_bytes() == field)
    }

    /// Of an entity that it holds for, one of these stands in a state line; nothing where that cannot be
    /// said.
    pub(crate) fn needles(&self) -> Vec<Vec<u8>> {
        if self.value.is_empty() || self.field.element().is_some() {
            return Vec::new();
        }
        let field = self.field.as_str();
        let mut whole = needle::of_value(field, Value::text(&self.value).as_str());
        whole.push(US);
        let element = needle::of_value(self.field.element_of(&self.value).0.as_str(), "");
        vec![whole, element, needle::of_value(field, "["), needle::of_value(field, "{")]
    }
}

fn says_nothing(value: &Value) -> bool {
    match value.to_json() {
        Json::Array(items) => items.is_empty(),
        Json::Object(map) => map.is_empty(),
        _ => value.is_null() || value.shown().is_empty(),
    }
}

impl Home {
    /// The living entities of a collection that all conditions hold for, sorted, each as `show` shows it.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn list<T: Send>(
        &self,
        collection: &str,
        all: &[Condition],
        show: impl Fn(&Target, &Entity) -> T + Sync,
    ) -> Result<Vec<(Target, T)>> {
        let name = Field::read("name")?;
        self.read(|reader| {
            let found = fitting(reader, collection, all, &|_| true, &|target, entity| {
                has_something(Kind::of(target), entity, &name).then(|| show(target, entity))
            })?;
            Ok(found.into_iter().filter_map(|(target, shown)| Some((target, shown?))).collect())
        })
    }

    /// Which they are. Where bytes alone cannot tell, of each only the lines are read that can.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub(crate) fn which(&self, collection: &str, all: &[Condition]) -> Result<Vec<Target>> {
        let name = Field::read("name")?;
        let tells = |line: &Line<'_>| {
            let field = line.field();
            [b"name", DELETED.as_bytes()].contains(&field)
                || all.iter().any(|condition| condition.asks(field))
        };
        self.read(|reader| {
            let found = fitting(reader, collection, all, &tells, &|_, entity| {
                entity.fields.get(&name).is_some_and(|entry| !entry.value.is_null())
            })?;
            // Of the few without a name the other lines are asked.
            let nameless = found.iter().filter(|(_, named)| !named).map(|(target, _)| target);
            let known = reader.entities(&nameless.cloned().collect())?;
            let has_any = |target: &Target| {
                known.get(target).is_some_and(|known| has_something(Kind::of(target), known, &name))
            };
            let which = found.into_iter().filter(|(target, named)| *named || has_any(target));
            Ok(which.map(|(target, _)| target).collect())
        })
    }
}

/// What `take` makes of the living entities that all conditions hold for, sorted. Of each at least the lines are read
/// that `tells` says yes to.
fn fitting<T: Send>(
    reader: &Reader,
    collection: &str,
    all: &[Condition],
    tells: &(dyn Fn(&Line<'_>) -> bool + Sync),
    take: &(dyn Fn(&Target, &Entity) -> T + Sync),
) -> cocli_store::Result<Vec<(Target, T)>> {
    let needles = all.iter().map(Condition::needles).find(|needles| !needles.is_empty());
    let needles = needles.unwrap_or_default();
    // A needle tells better which lines count.
    let met: &(dyn Fn(&Line<'_>) -> bool + Sync) =
        if needles.is_empty() { tells } else { &|_| true };
    let found = Mutex::new(Vec::new());
    let prefix = format!("{collection}/");
    reader.search_lines(processors(), &prefix, (&needles, met), &|target, entity| {
        let kind = Kind::of(&target);
        if target.is_entity()
            && entity.removed().is_none()
            && all.iter().all(|condition| condition.holds(kind, &entity))
        {
            let taken = take(&target, &entity);
            found.lock().unwrap_or_else(PoisonError::into_inner).push((target, taken));
        }
    })?;
    let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    found.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    Ok(found)
}

/// Whether a person is shown anything of an entity; a `name`, as nearly all have, is enough.
pub(crate) fn has_something(kind: Option<Kind>, entity: &Entity, name: &Field) -> bool {
    entity.fields.get(name).is_some_and(|entry| !entry.value.is_null())
        || !entity.shown(kind).is_empty()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

    use cocli_core::Instant;
    use proptest::prelude::*;

    use super::*;
    use crate::support::{compact, home};

    fn now() -> Instant {
        Instant::from_micros(1_795_435_200_000_000).unwrap()
    }

    /// What a record may say: fields and values in all forms in which one can hold another.
    fn record() -> impl Strategy<Value = (usize, &'static str, &'static str)> {
        let field = prop::sample::select(vec![
            "city",
            "tags",
            "tags.lead",
            "tags.a",
            "email_contexts",
            "email_contexts.a",
            "_deleted",
            "name",
            "n",
        ]);
        let value = prop::sample::select(vec![
            "lead",
            "a",
            "null",
            "true",
            "[\"lead\",\"b\"]",
            "[\"a\"]",
            "{\"a\":\"x\"}",
            "5",
            "\"null\"",
            "[x",
            "",
        ]);
        (0..6_usize, field, value)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn a_list_has_all_that_the_conditions_hold_for_and_no_other(
            records in prop::collection::vec(record(), 1..40),
            merged in 0..40_usize,
        ) {
            let dir = tempfile::tempdir().unwrap();
            let home = home(dir.path(), "n", now());
            let path = dir.path().join("wal/20261101_scraper.usv");
            let text = |records: &[(usize, &str, &str)], from: usize| -> String {
                let numbered = records.iter().zip(from..);
                let line = |((at, field, value), n): (&(usize, &str, &str), usize)| {
                    let time = format!("2026-11-01T00:00:{n:02}.000000+00:00");
                    format!("{time}\x1fscraper\x1fcompanies/c{at}\x1f{field}\x1f{value}\x1f\x1e")
                };
                numbered.map(line).collect()
            };
            let merged = merged.min(records.len());
            std::fs::write(&path, text(&records[..merged], 0)).unwrap();
            compact(&home, now());
            let all = text(&records[..merged], 0) + &text(&records[merged..], merged);
            std::fs::write(&path, all).unwrap();
            let state = home.state().unwrap();
            for field in ["city", "tags", "tags.a", "email_contexts", "n", "absent"] {
                for value in ["lead", "a", "null", "5", "[x", "true", ""] {
                    let condition = Condition::new(field, value).unwrap();
                    let expected: Vec<String> = (state.entities())
                        .filter(|(target, entity)| {
                            target.collection() == "companies"
                                && target.is_entity()
                                && state.removed(target).is_none()
                                && !entity.shown(Kind::of(target)).is_empty()
                                && condition.holds(Kind::of(target), entity)
                        })
                        .map(|(target, _)| target.to_string())
                        .collect();
                    let found = home.list("companies", std::slice::from_ref(&condition), |_, _| ()).unwrap();
                    let found: Vec<String> = found.iter().map(|(t, _)| t.to_string()).collect();
                    prop_assert_eq!(&found, &expected, "{}={}", field, value);
                    let which = home.which("companies", &[condition]).unwrap();
                    let which: Vec<String> = which.iter().map(Target::to_string).collect();
                    prop_assert_eq!(&which, &expected, "{}={}", field, value);
                }
            }
        }
    }
}
