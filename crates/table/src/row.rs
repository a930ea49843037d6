//! An entity as a row: its key, the fields of its schema, and what else is known of it.

use cocli_core::{Entity, Field, Kind, Target, Value};

use crate::cell::Cell;
use crate::shape::{self, ColumnSpec};

/// The cells of an entity, in the order of [`shape::of_kind`].
pub(crate) fn row(
    kind: Kind,
    columns: &[ColumnSpec],
    target: &Target,
    entity: &Entity,
) -> Vec<Cell> {
    let mut rest = entity.shown(Some(kind));
    let mut odd = Vec::new();
    let mut cells = key(kind, target);
    for column in columns.iter().filter(|column| column.is_field) {
        let value = Field::read(column.name).ok().and_then(|field| rest.remove(&field));
        let cell = value.map_or(Cell::Null, |value| {
            Cell::read(column.form, &value).unwrap_or_else(|| {
                odd.push((column.name.to_owned(), value.shown().into_owned()));
                Cell::Null
            })
        });
        cells.push(cell);
    }
    let mut other = Vec::new();
    for (field, value) in rest {
        let (key, text) = (field.key(), value.shown().into_owned());
        match shape::is_pooled(kind) && key == shape::SLUG.name {
            false => other.push((key, text)),
            true if text == target.slug() => {}
            true => odd.push((key, text)),
        }
    }
    let greatest = entity.fields.values().map(|entry| &entry.stamp).max();
    let at = greatest.map_or(Cell::Null, |stamp| Cell::Whole(stamp.instant.micros()));
    let by = greatest.map_or(Cell::Null, |stamp| Cell::text(stamp.node.as_str()));
    cells.extend([Cell::map(odd), Cell::map(other), at, by]);
    cells
}

fn key(kind: Kind, target: &Target) -> Vec<Cell> {
    let below = || target.as_str().rsplit('/').next().unwrap_or_default();
    let texts = match shape::is_pooled(kind) {
        true => vec![target.as_str(), target.slug()],
        false => vec![target.as_str(), target.entity(), below()],
    };
    texts.into_iter().map(Cell::text).collect()
}

/// The value of a winner: in canonical form, or nothing where the field is removed.
pub(crate) fn winning(value: &Value) -> Cell {
    if value.is_null() { Cell::Null } else { Cell::text(value.as_str()) }
}
