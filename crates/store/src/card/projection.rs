//! What a card showed when it was put in place, and which datagrams it was made from.

use std::collections::{BTreeMap, BTreeSet};

use cocli_core::{Entity, Field, Kind, Stamp, Value};

use super::normal::shown;
use super::rev::{Rev, of_shown};
use super::tree::Tree;

/// A moment of an entity as its card shows it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Projection {
    /// The fields shown, in normal form; the body is one of them.
    pub values: BTreeMap<Field, Value>,
    /// The stamp of the winner of each field and element, of removed ones too: a person who adds what
    /// somebody removed has seen that it was not there.
    pub seen: BTreeMap<Field, Stamp>,
}

impl Projection {
    /// What a card of this entity shows.
    #[must_use]
    pub fn of(kind: Kind, entity: &Entity) -> Self {
        let own = |field: &Field| field.as_str().starts_with('_');
        let seen = entity.fields.iter().filter(|(field, _)| !own(field));
        Self {
            values: shown(kind, &entity.shown(Some(kind))),
            seen: seen.map(|(field, entry)| (field.clone(), entry.stamp.clone())).collect(),
        }
    }

    /// The same with these tags: what a `tags.lst` is compared with that was saved while another took its
    /// place. The person saw the list that was read then, and not yet the new one.
    #[must_use]
    pub fn with_tags(&self, tags: &BTreeSet<String>) -> Self {
        let mut with = self.clone();
        if let Ok(field) = Field::read("tags") {
            let list = Tree::List(tags.iter().cloned().map(Tree::Text).collect());
            with.values.insert(field, list.value());
        }
        with
    }

    /// Its name.
    #[must_use]
    pub fn rev(&self) -> Rev {
        of_shown(&self.values)
    }

    /// What a writer saw at a field: its winner; for an element also the whole list; for a list also
    /// its elements.
    #[must_use]
    pub fn seen_at(&self, field: &Field) -> Vec<Stamp> {
        let base = field.base_field();
        let list = field.element().and_then(|_| self.seen.get(&base));
        let elements = self
            .seen
            .range(base.clone()..)
            .take_while(|(other, _)| other.as_str().starts_with(base.as_str()))
            .filter(|(other, _)| field.element().is_none() && other.element().is_some())
            .filter(|(other, _)| other.base() == base.as_str());
        let own = self.seen.get(field).into_iter();
        own.chain(list).chain(elements.map(|(_, stamp)| stamp)).cloned().collect()
    }
}
