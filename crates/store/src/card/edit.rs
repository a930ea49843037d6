//! What a person changed in a card: a three-way comparison of the projection that it was made from,
//! the file, and the state of now.

use std::collections::{BTreeMap, BTreeSet};

use cocli_core::schema::Type;
use cocli_core::{Entity, Field, Kind, Stamp, Value};

use super::body;
use super::normal::{members, pairs, same};
use super::projection::Projection;
use super::tags;
use super::text::CardText;
use super::tree::Tree;

/// Fields that a file without a known `_rev` may change before a person is asked.
pub const UNASKED_FIELDS_MAX: usize = 5;

/// What a file is compared with.
#[derive(Debug, Clone, Copy)]
pub enum Basis<'a> {
    /// The projection that its `_rev` names.
    Known(&'a Projection),
    /// The kept projection that it resembles most; its `_rev` is missing or unknown.
    Nearest(&'a Projection),
    /// No projection was ever kept.
    Nothing,
}

/// One change by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// The field, or the element of a set or map.
    pub field: Field,
    /// Its new value; null removes it.
    pub value: Value,
    /// The stamps of what the person saw there.
    pub seen: Vec<Stamp>,
}

/// What comes of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// These changes, none when the file has no news.
    Edits(Vec<Edit>),
    /// Nothing is taken until a person decides.
    Held(Held),
}

/// A file that waits for `cocli accept` or `cocli reject`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Why it waits.
    pub reason: String,
    /// What accepting it would change.
    pub changes: Vec<Edit>,
}

/// What was changed by hand in a card and in the `tags.lst` beside it: what differs from the basis
/// and from the state. A file for a target that has neither creates it.
#[must_use]
pub fn edits(
    kind: Kind,
    basis: Basis<'_>,
    file: &CardText,
    tags_lst: Option<&BTreeSet<String>>,
    state: Option<&Entity>,
) -> Taken {
    let now = state.map(|entity| Projection::of(kind, entity)).unwrap_or_default();
    let unseen = Projection { values: now.values.clone(), seen: BTreeMap::new() };
    let (projected, known) = match basis {
        Basis::Known(projection) => (projection, true),
        Basis::Nearest(projection) => (projection, false),
        Basis::Nothing => (&unseen, false),
    };
    let creates = now.values.is_empty();
    let changes = Comparison { kind, projected, known, file, tags_lst, state, now: &now }.edits();
    let fields: BTreeSet<&str> = changes.iter().map(|edit| edit.field.base()).collect();
    if known || creates || fields.len() <= UNASKED_FIELDS_MAX {
        return Taken::Edits(changes);
    }
    let rev = file
        .rev()
        .map_or("it has no `_rev`".to_owned(), |rev| format!("its `_rev` {rev} is not known here"));
    let reason = format!("{rev} and {} fields would change", fields.len());
    Taken::Held(Held { reason, changes })
}

/// What was changed in a `tags.lst` that showed `projected`: for one that was saved while another was
/// put in its place (then that is [`Projection::with_tags`] of the list read before).
#[must_use]
pub fn tag_edits(
    projected: &Projection,
    tags_lst: &BTreeSet<String>,
    state: Option<&Entity>,
) -> Vec<Edit> {
    let Ok(field) = Field::read("tags") else { return Vec::new() };
    let now: BTreeSet<String> = state.map_or_else(BTreeSet::new, |entity| {
        entity.members(&field).into_iter().map(|member| member.text).collect()
    });
    let changed = tags::difference(&tags::of(projected.values.get(&field)), tags_lst);
    let added = changed.added.difference(&now).map(|tag| member(&field, tag, Some(Value::truth())));
    let removed = changed.removed.intersection(&now).map(|tag| member(&field, tag, None));
    let with = |(field, value): (Field, Value)| {
        let seen = projected.seen_at(&field);
        Edit { field, value, seen }
    };
    added.chain(removed).map(with).collect()
}

/// An element that a name cannot hold is named by its hash, and its value is the text.
fn member(field: &Field, text: &str, value: Option<Value>) -> (Field, Value) {
    let (element, hashed) = field.element_of(text);
    let value = match value {
        Some(_) if hashed => Value::text(text),
        Some(value) => value,
        None => Value::null(),
    };
    (element, value)
}

struct Comparison<'a> {
    kind: Kind,
    projected: &'a Projection,
    known: bool,
    file: &'a CardText,
    tags_lst: Option<&'a BTreeSet<String>>,
    state: Option<&'a Entity>,
    now: &'a Projection,
}

impl Comparison<'_> {
    fn edits(&self) -> Vec<Edit> {
        let written = self.file.fields(self.kind);
        let mut fields: BTreeSet<&Field> =
            written.keys().chain(self.projected.values.keys()).collect();
        let tags = Field::read("tags").ok().filter(|_| self.tags_lst.is_some());
        fields.extend(&tags);
        let mut edits = Vec::new();
        for field in fields {
            match self.shape(field) {
                Shape::Whole => edits.extend(self.whole(field, written.get(field))),
                Shape::Set => self.set(field, written.get(field), &mut edits),
                Shape::Map => self.map(field, written.get(field), &mut edits),
            }
        }
        edits.sort_by(|a, b| a.field.cmp(&b.field));
        edits
    }

    fn shape(&self, field: &Field) -> Shape {
        match self.kind.type_of(field.as_str()) {
            Some(Type::Set) => Shape::Set,
            Some(Type::Map) => Shape::Map,
            Some(_) => Shape::Whole,
            None if self.state.is_some_and(|state| state.elements(field).next().is_some()) => {
                let map = matches!(self.tree(self.now, field), Tree::Map(_));
                if map { Shape::Map } else { Shape::Set }
            }
            None => Shape::Whole,
        }
    }

    fn tree(&self, projection: &Projection, field: &Field) -> Tree {
        projection.values.get(field).map_or(Tree::Null, Tree::of)
    }

    fn whole(&self, field: &Field, file: Option<&Value>) -> Option<Edit> {
        let like = |other: &Projection| same(self.kind, field, file, other.values.get(field));
        if like(self.projected) || like(self.now) {
            return None;
        }
        let value = match file {
            Some(value) if self.is_under(field) => Value::text(&body::core_of(value)),
            Some(value) => value.clone(),
            None if self.known || self.file.has_key(field) => Value::null(),
            None => return None,
        };
        Some(self.edit(field.clone(), value))
    }

    /// Whether the value stands under the front matter, with white space that is not part of it.
    fn is_under(&self, field: &Field) -> bool {
        field.as_str() == self.kind.body() && !self.file.has_key(field)
    }

    fn set(&self, field: &Field, file: Option<&Value>, edits: &mut Vec<Edit>) {
        let written = members(file.map_or(Tree::Null, Tree::of));
        let projected = members(self.tree(self.projected, field));
        let now = members(self.tree(self.now, field));
        let mut added: BTreeSet<&String> = written.difference(&projected).collect();
        let mut removed: BTreeSet<&String> = projected.difference(&written).collect();
        let listed = self.tags_lst.filter(|_| field.as_str() == "tags");
        let listed = listed.map(|file| tags::difference(&projected, file)).unwrap_or_default();
        added.extend(&listed.added);
        removed.extend(&listed.removed);
        for text in added.into_iter().filter(|text| !now.contains(*text)) {
            edits.push(self.member(field, text, Some(Value::truth())));
        }
        for text in removed.into_iter().filter(|text| self.known && now.contains(*text)) {
            edits.push(self.member(field, text, None));
        }
    }

    fn map(&self, field: &Field, file: Option<&Value>, edits: &mut Vec<Edit>) {
        let written = pairs(file.map_or(Tree::Null, Tree::of));
        let projected = pairs(self.tree(self.projected, field));
        let now = pairs(self.tree(self.now, field));
        for (key, value) in &written {
            if projected.get(key) != Some(value) && now.get(key) != Some(value) {
                edits.push(self.member(field, key, Some(value.value())));
            }
        }
        let gone = projected.keys().filter(|key| !written.contains_key(*key));
        for key in gone.filter(|key| self.known && now.contains_key(*key)) {
            edits.push(self.member(field, key, None));
        }
    }

    fn member(&self, field: &Field, text: &str, value: Option<Value>) -> Edit {
        let (element, value) = member(field, text, value);
        self.edit(element, value)
    }

    fn edit(&self, field: Field, value: Value) -> Edit {
        let seen = self.projected.seen_at(&field);
        Edit { field, value, seen }
    }
}

/// How a field changes: as a whole, or by member.
enum Shape {
    Whole,
    Set,
    Map,
}
