//! An entity as a row: its key, the fields of its schema, and what else is known of it.

use std::collections::BTreeMap;

use cocli_core::{Entity, Entry, Field, Kind, Target};

use crate::cell::Cell;
use crate::shape::{self, ColumnSpec};

/// How entities of a kind become rows.
#[derive(Debug)]
pub struct Rows {
    pub(crate) kind: Kind,
    pub(crate) columns: Vec<ColumnSpec>,
    /// Which column holds a field.
    places: BTreeMap<&'static str, usize>,
}

impl Rows {
    /// Those of a kind.
    #[must_use]
    pub fn of(kind: Kind) -> Self {
        let columns = shape::of_kind(kind);
        let fields = columns.iter().enumerate().filter(|(_, column)| column.is_field);
        let places = fields.map(|(at, column)| (column.name, at)).collect();
        Self { kind, columns, places }
    }

    /// Their columns.
    #[must_use]
    pub fn columns(&self) -> &[ColumnSpec] {
        &self.columns
    }

    /// The cells of an entity, in the order of the columns.
    #[must_use]
    pub fn row<'a>(&self, target: &'a Target, entity: &'a Entity) -> Vec<Cell<'a>> {
        let mut cells = self.key(target);
        cells.resize(self.columns.len() - shape::BEHIND.len(), Cell::Null);
        let (mut odd, mut other) = (Vec::new(), Vec::new());
        for (field, value) in entity.shown(Some(self.kind)) {
            let told = || (field.key(), value.shown().into_owned());
            match self.places.get(field.as_str()) {
                Some(&at) => match Cell::read(self.columns[at].form, &value) {
                    Some(cell) => cells[at] = cell.into_owned(),
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

    fn key<'a>(&self, target: &'a Target) -> Vec<Cell<'a>> {
        let id = || target.as_str().rsplit('/').next().unwrap_or_default();
        let texts = match shape::is_pooled(self.kind) {
            true => vec![target.as_str(), target.slug()],
            false => vec![target.as_str(), target.entity(), id()],
        };
        texts.into_iter().map(Cell::text).collect()
    }
}

/// A winner as a row of the table of winners.
#[must_use]
pub fn winner<'a>(target: &'a Target, field: &'a Field, entry: &'a Entry) -> [Cell<'a>; 6] {
    // In canonical form, or nothing where the field is removed; nothing where the writer did not say.
    let unless = |is_none, text| if is_none { Cell::Null } else { Cell::text(text) };
    let causality = entry.causality.as_str();
    [
        Cell::text(target.as_str()),
        Cell::text(field.as_str()),
        unless(entry.value.is_null(), entry.value.as_str()),
        Cell::Whole(entry.stamp.instant.micros()),
        Cell::text(entry.stamp.node.as_str()),
        unless(causality.is_empty(), causality),
    ]
}
