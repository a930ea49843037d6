//! An entity as a row: its key, the fields of its schema, and what else is known of it.

use std::collections::BTreeMap;

use cocli_core::{Entity, Kind, Target, Value};

use crate::cell::Cell;
use crate::shape::{self, ColumnSpec};

/// How entities of a kind become rows.
pub(crate) struct Rows {
    pub(crate) kind: Kind,
    pub(crate) columns: Vec<ColumnSpec>,
    /// Which column holds a field.
    places: BTreeMap<&'static str, usize>,
}

impl Rows {
    pub(crate) fn of(kind: Kind) -> Self {
        let columns = shape::of_kind(kind);
        let fields = columns.iter().enumerate().filter(|(_, column)| column.is_field);
        let places = fields.map(|(at, column)| (column.name, at)).collect();
        Self { kind, columns, places }
    }

    /// The cells of an entity, in the order of the columns.
    pub(crate) fn row(&self, target: &Target, entity: &Entity) -> Vec<Cell> {
        let mut cells = self.key(target);
        cells.resize(self.columns.len() - shape::BEHIND.len(), Cell::Null);
        let (mut odd, mut other) = (Vec::new(), Vec::new());
        for (field, value) in entity.shown(Some(self.kind)) {
            let told = || (field.key(), value.shown().into_owned());
            match self.places.get(field.as_str()) {
                Some(&at) => match Cell::read(self.columns[at].form, &value) {
                    Some(cell) => cells[at] = cell,
                    None => odd.push(told()),
                },
                None if self.is_slug(field.as_str()) => {
                    if value.shown() != target.slug() {
                        odd.push(told());
                    }
                }
                None => other.push(told()),
            }
        }
        let greatest = entity.fields.values().map(|entry| &entry.stamp).max();
        let at = greatest.map_or(Cell::Null, |stamp| Cell::Whole(stamp.instant.micros()));
        let by = greatest.map_or(Cell::Null, |stamp| Cell::text(stamp.node.as_str()));
        cells.extend([Cell::map(odd), Cell::map(other), at, by]);
        cells
    }

    /// Whether a field has the name of the key's slug.
    fn is_slug(&self, field: &str) -> bool {
        shape::is_pooled(self.kind) && field == shape::SLUG.name
    }

    fn key(&self, target: &Target) -> Vec<Cell> {
        let id = || target.as_str().rsplit('/').next().unwrap_or_default();
        let texts = match shape::is_pooled(self.kind) {
            true => vec![target.as_str(), target.slug()],
            false => vec![target.as_str(), target.entity(), id()],
        };
        texts.into_iter().map(Cell::text).collect()
    }
}

/// The value of a winner: in canonical form, or nothing where the field is removed.
pub(crate) fn winning(value: &Value) -> Cell {
    if value.is_null() { Cell::Null } else { Cell::text(value.as_str()) }
}
