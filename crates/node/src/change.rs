//! What somebody wants a field to be, turned into the datagrams that make it so: only a real
//! difference is written (law 5), sets element by element (law 8), each stamped after all that it
//! must beat (law 4).

use cocli_core::entity::{DELETED, Member};
use cocli_core::schema::Type;
use cocli_core::stamp::next_instant;
use cocli_core::value::Plain;
use cocli_core::{Causality, Entity, Entry, Field, Instant, Kind, NodeId, Stamp, Target, Value};
use serde_json::Value as Json;

/// What a field shall be.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Intent {
    /// This value; `null` removes the field.
    Put(Value),
    /// A set or list with this member.
    Add(String),
    /// A set or list without this member.
    Remove(String),
    /// This value, written whatever stands there, over all that has these stamps.
    Settle {
        /// What it shall be.
        value: Value,
        /// What it takes the place of, seen.
        over: Vec<Stamp>,
    },
}

/// One wanted change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Of which target.
    pub target: Target,
    /// Which field.
    pub field: Field,
    /// What it shall be.
    pub intent: Intent,
    /// What the person saw, when that is not the state of now: a card that was edited shows what its
    /// projection showed.
    pub seen: Option<Vec<Stamp>>,
}

impl Change {
    /// A change by somebody who sees the state as it is.
    #[must_use]
    pub fn new(target: Target, field: Field, intent: Intent) -> Self {
        Self { target, field, intent, seen: None }
    }

    /// Whether it removes the target.
    pub(crate) fn removes(&self) -> bool {
        let put = |value: &Value| self.field.as_str() == DELETED && !value.is_null();
        matches!(&self.intent, Intent::Put(value) if put(value))
    }
}

/// A change that has no meaning for what stands there; nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{field} of {target} holds {holds}: `+=` and `-=` are for sets and lists, `{field}=` sets it"
)]
pub struct NoSet {
    /// Of which target.
    pub target: Target,
    /// Which field.
    pub field: Field,
    /// The start of what it holds.
    pub holds: String,
}

/// Who writes, and when by the wall clock.
#[derive(Debug, Clone)]
pub struct Writer {
    /// The node.
    pub node: NodeId,
    /// The wall clock.
    pub wall: Instant,
}

impl Writer {
    /// The entries that bring `entity` to where `change` wants it; none when it is there.
    ///
    /// # Errors
    /// When a member is to be added to a field that holds plain text.
    pub fn entries(&self, change: &Change, entity: &Entity) -> Result<Vec<(Field, Entry)>, NoSet> {
        let kind = Kind::of(&change.target);
        let base = change.field.base_field();
        let wanted = match (shape(kind, &base, entity), &change.intent) {
            (_, Intent::Settle { value, .. }) => vec![(change.field.clone(), value.clone())],
            _ if change.field.element().is_some() => put(kind, change, entity),
            (Shape::Set | Shape::Map, Intent::Put(value)) => difference(&base, entity, value),
            (_, Intent::Put(_)) => put(kind, change, entity),
            (Shape::Set | Shape::Map | Shape::Free, Intent::Add(text)) => {
                element(&base, entity, text, &Value::truth())
            }
            (Shape::Set | Shape::Map | Shape::Free, Intent::Remove(text)) => {
                element(&base, entity, text, &Value::null())
            }
            (Shape::List(list), Intent::Add(text)) if list.contains(text) => Vec::new(),
            (Shape::List(mut list), Intent::Add(text)) => {
                list.push(text.clone());
                vec![(base, Value::json(&Json::from(list)))]
            }
            (Shape::List(mut list), Intent::Remove(text)) if list.contains(text) => {
                list.retain(|item| item != text);
                vec![(base, Value::json(&Json::from(list)))]
            }
            (Shape::List(_), Intent::Remove(_)) => Vec::new(),
            (Shape::Plain(holds), _) => {
                let target = change.target.clone();
                return Err(NoSet { target, field: base, holds });
            }
        };
        Ok(wanted
            .into_iter()
            .map(|(field, value)| self.entry(field, value, change, entity))
            .collect())
    }

    fn entry(
        &self,
        field: Field,
        value: Value,
        change: &Change,
        entity: &Entity,
    ) -> (Field, Entry) {
        let mut there = standing(entity, &field);
        if let Intent::Settle { over, .. } = &change.intent {
            there.extend(over);
            there.sort_unstable();
            there.dedup();
        }
        let instant = next_instant(self.wall, there.iter().copied());
        let causality = match &change.seen {
            Some(seen) => Causality::saw(seen),
            None => Causality::saw(there),
        };
        let stamp = Stamp { instant, node: self.node.clone() };
        (field, Entry { stamp, value, causality })
    }
}

/// The stamps of all that a write at `field` must beat: its winner; for an element also the list; for
/// a list also its elements.
fn standing<'a>(entity: &'a Entity, field: &Field) -> Vec<&'a Stamp> {
    let winner = entity.fields.get(field);
    let list = field.element().and_then(|_| entity.fields.get(&field.base_field()));
    let elements = entity.elements(field).filter(|_| field.element().is_none()).map(|(_, e)| e);
    winner.into_iter().chain(list).chain(elements).map(|entry| &entry.stamp).collect()
}

enum Shape {
    Set,
    Map,
    List(Vec<String>),
    Plain(String),
    /// Nobody knows the field and nothing stands there: a member makes it a set, a value a value.
    Free,
}

/// How a field is changed: by the schema, else by what stands there.
fn shape(kind: Option<Kind>, base: &Field, entity: &Entity) -> Shape {
    let winner = entity.fields.get(base).map(|entry| &entry.value).filter(|value| !value.is_null());
    match kind.and_then(|kind| kind.type_of(base.as_str())) {
        Some(Type::Set) => return Shape::Set,
        Some(Type::Map) => return Shape::Map,
        Some(Type::List) => return Shape::List(winner.map(list_of).unwrap_or_default()),
        Some(_) => return Shape::Plain(winner.map(start).unwrap_or_default()),
        None => {}
    }
    if entity.elements(base).next().is_some() {
        return Shape::Set;
    }
    match winner {
        None => Shape::Free,
        Some(value) => match value.plain() {
            Plain::Tree(Json::Array(_)) => Shape::List(list_of(value)),
            _ => Shape::Plain(start(value)),
        },
    }
}

fn start(value: &Value) -> String {
    value.shown().chars().take(40).collect()
}

fn list_of(value: &Value) -> Vec<String> {
    match value.plain() {
        Plain::Null => Vec::new(),
        Plain::Text(text) => vec![text.into_owned()],
        Plain::Tree(Json::Array(items)) => {
            items.iter().map(|item| Value::json(item).shown().into_owned()).collect()
        }
        Plain::Tree(other) => vec![other.to_string()],
    }
}

/// A whole value, or one element by its own name.
fn put(kind: Option<Kind>, change: &Change, entity: &Entity) -> Vec<(Field, Value)> {
    let value = match &change.intent {
        Intent::Put(value) | Intent::Settle { value, .. } => value.clone(),
        Intent::Add(_) => Value::truth(),
        Intent::Remove(_) => Value::null(),
    };
    let there = entity.value(kind, &change.field).unwrap_or_else(Value::null);
    if there == value { Vec::new() } else { vec![(change.field.clone(), value)] }
}

fn element(base: &Field, entity: &Entity, text: &str, value: &Value) -> Vec<(Field, Value)> {
    let there = entity.members(base).into_iter().find(|member| member.text == text);
    let (field, hashed) = base.element_of(text);
    match there {
        Some(_) if !value.is_null() => Vec::new(),
        None if value.is_null() => Vec::new(),
        _ if hashed && !value.is_null() => vec![(field, Value::text(text))],
        _ => vec![(field, value.clone())],
    }
}

/// The elements by which a wanted list or map differs from what stands there.
fn difference(base: &Field, entity: &Entity, value: &Value) -> Vec<(Field, Value)> {
    let there = entity.members(base);
    let wanted = wanted(value);
    let gone = there.iter().filter(|member| !wanted.iter().any(|(text, _)| *text == member.text));
    let same = |text: &str, value: &Value| {
        there.iter().any(|Member { text: t, value: v, .. }| t == text && v == value)
    };
    let mut changes: Vec<(Field, Value)> =
        gone.map(|member| (base.element_of(&member.text).0, Value::null())).collect();
    for (text, value) in &wanted {
        if !same(text, value) {
            let (field, hashed) = base.element_of(text);
            changes.push((field, if hashed { Value::text(text) } else { value.clone() }));
        }
    }
    changes
}

fn wanted(value: &Value) -> Vec<(String, Value)> {
    match value.plain() {
        Plain::Tree(Json::Object(map)) => {
            map.iter().map(|(key, value)| (key.clone(), Value::json(value))).collect()
        }
        Plain::Text(text) if text.is_empty() => Vec::new(),
        _ => list_of(value).into_iter().map(|text| (text, Value::truth())).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writer(micros: i64) -> Writer {
        let wall = Instant::from_micros(micros).unwrap();
        Writer { node: NodeId::written("pi1").unwrap(), wall }
    }

    fn change(field: &str, intent: Intent) -> Change {
        let target = Target::read("companies/x").unwrap();
        Change::new(target, Field::read(field).unwrap(), intent)
    }

    fn apply(entity: &mut Entity, at: i64, field: &str, intent: Intent) -> usize {
        let entries = writer(at).entries(&change(field, intent), entity).unwrap();
        let count = entries.len();
        for (field, entry) in entries {
            assert!(entity.merge(field, entry), "a write must win over what it saw");
        }
        count
    }

    fn shown(entity: &Entity, field: &str) -> String {
        let value = entity.value(Some(Kind::Company), &Field::read(field).unwrap());
        value.map(|v| v.as_str().to_string()).unwrap_or_default()
    }

    #[test]
    fn a_value_that_stands_there_is_not_written_again() {
        let mut entity = Entity::default();
        let put = |text: &str| Intent::Put(Value::text(text));
        assert_eq!(apply(&mut entity, 5, "city", put("Dallas")), 1);
        assert_eq!(apply(&mut entity, 9, "city", put("Dallas")), 0);
        assert_eq!(apply(&mut entity, 9, "phone_1", Intent::Put(Value::null())), 0);
    }

    #[test]
    fn a_write_wins_even_when_the_wall_clock_is_behind() {
        let mut entity = Entity::default();
        apply(&mut entity, 1000, "city", Intent::Put(Value::text("Dallas")));
        assert_eq!(apply(&mut entity, 1, "city", Intent::Put(Value::text("Austin"))), 1);
        assert_eq!(shown(&entity, "city"), "Austin");
    }

    #[test]
    fn setting_a_list_writes_only_the_elements_that_differ() {
        let mut entity = Entity::default();
        let list = |json: &str| Intent::Put(Value::read(json));
        assert_eq!(apply(&mut entity, 1, "tags", list("[\"a\",\"b\"]")), 2);
        assert_eq!(apply(&mut entity, 2, "tags", list("[\"b\",\"c\"]")), 2);
        assert_eq!(shown(&entity, "tags"), "[\"b\",\"c\"]");
        assert_eq!(apply(&mut entity, 3, "tags", Intent::Add("c".into())), 0);
        assert_eq!(apply(&mut entity, 3, "tags", Intent::Remove("b".into())), 1);
        assert_eq!(apply(&mut entity, 3, "tags", list("[\"c\"]")), 0);
        assert_eq!(apply(&mut entity, 4, "tags", Intent::Put(Value::null())), 1);
        assert_eq!(shown(&entity, "tags"), "null");
    }

    #[test]
    fn a_member_too_long_for_a_name_is_kept_by_its_hash() {
        let mut entity = Entity::default();
        let long = "ü".repeat(150);
        assert_eq!(apply(&mut entity, 1, "tags", Intent::Add(long.clone())), 1);
        assert_eq!(shown(&entity, "tags"), format!("[\"{long}\"]"));
        assert_eq!(apply(&mut entity, 2, "tags", Intent::Remove(long)), 1);
        assert_eq!(shown(&entity, "tags"), "null");
    }

    #[test]
    fn maps_change_key_by_key_and_lists_as_a_whole() {
        let mut entity = Entity::default();
        let map = Value::read("{\"info@x.org\":\"General\",\"b@x.org\":\"Bob\"}");
        assert_eq!(apply(&mut entity, 1, "email_contexts", Intent::Put(map)), 2);
        let map = Value::read("{\"info@x.org\":\"Info\",\"b@x.org\":\"Bob\"}");
        assert_eq!(apply(&mut entity, 2, "email_contexts", Intent::Put(map.clone())), 1);
        assert_eq!(
            entity.value(Some(Kind::Company), &Field::read("email_contexts").unwrap()),
            Some(Value::read("{\"b@x.org\":\"Bob\",\"info@x.org\":\"Info\"}"))
        );
        assert_eq!(apply(&mut entity, 3, "services", Intent::Add("z".into())), 1);
        assert_eq!(apply(&mut entity, 4, "services", Intent::Add("a".into())), 1);
        assert_eq!(shown(&entity, "services"), "[\"z\",\"a\"]");
    }

    #[test]
    fn a_field_that_nobody_knows_holds_what_it_is_first_given() {
        let mut entity = Entity::default();
        apply(&mut entity, 1, "founded", Intent::Put(Value::text("1976")));
        assert_eq!(shown(&entity, "founded"), "1976");
        apply(&mut entity, 1, "colours", Intent::Add("red".into()));
        assert_eq!(shown(&entity, "colours"), "[\"red\"]");
    }

    #[test]
    fn a_member_cannot_be_added_to_plain_text() {
        let mut entity = Entity::default();
        apply(&mut entity, 1, "city", Intent::Put(Value::text("Dallas")));
        let refused = writer(2).entries(&change("city", Intent::Add("x".into())), &entity);
        assert!(refused.unwrap_err().to_string().contains("Dallas"));
    }
}
