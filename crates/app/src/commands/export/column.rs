//! The columns of a table: those of the rows, and fields that the schema does not know.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};

use cocli_core::Field;
use cocli_node::export::Of;
use cocli_node::nearest;
use cocli_table::{Cell, ColumnSpec, Form};

use crate::failure::Failure;

/// The column that holds what the schema does not know.
const OTHER: &str = "other";

/// One column of what is written.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) spec: ColumnSpec,
    /// Which cell of a row.
    at: usize,
    /// Which member of that cell, should it not be all of it.
    member: Option<&'static str>,
    /// Whether a row had something there.
    seen: AtomicBool,
}

impl Column {
    pub(super) fn new(at: usize, spec: ColumnSpec) -> Self {
        Self { spec, at, member: None, seen: AtomicBool::new(false) }
    }

    /// What a row has there.
    pub(super) fn cell<'l, 'c>(&self, cells: &'l [Cell<'c>]) -> Cow<'l, Cell<'c>> {
        let cell = &cells[self.at];
        let Some(member) = self.member else { return Cow::Borrowed(cell) };
        let text = match cell {
            Cell::Map(map) => map.iter().find(|(key, _)| key == member),
            _ => None,
        };
        let Some(text) = text.and_then(|(_, text)| text.clone()) else {
            return Cow::Owned(Cell::Null);
        };
        self.seen.store(true, Ordering::Relaxed);
        Cow::Owned(Cell::Text(Cow::Owned(text)))
    }
}

/// The columns that are asked for, in that order; else all.
pub(super) fn columns(of: Of, asked: &[String]) -> Result<Vec<Column>, Failure> {
    let all = of.columns();
    if asked.is_empty() {
        return Ok(all.into_iter().enumerate().map(|(at, spec)| Column::new(at, spec)).collect());
    }
    let mut chosen: Vec<Column> = Vec::new();
    for name in asked.iter().map(|name| name.trim()) {
        let column = column(&all, name).ok_or_else(|| unknown(&all, name))?;
        if chosen.iter().any(|there| there.spec.name == column.spec.name) {
            return Err(Failure::usage(format!("{name:?} is asked for twice: expected it once")));
        }
        chosen.push(column);
    }
    Ok(chosen)
}

fn column(all: &[ColumnSpec], name: &str) -> Option<Column> {
    let at = |name: &str| all.iter().position(|column| column.name == name);
    if let Some(at) = at(name) {
        return Some(Column::new(at, all[at]));
    }
    let (other, field) = (at(OTHER)?, Field::read(name).ok()?);
    // Few are asked for, once: their names live as long as the program.
    let name: &'static str = Box::leak(field.to_string().into_boxed_str());
    let own = Column::new(other, ColumnSpec::own(name, Form::Text));
    Some(Column { member: Some(name), ..own })
}

/// Columns that no row had anything in, though the schema does not know them: a name that was mistyped, maybe.
pub(super) fn doubts(of: Of, columns: &[Column]) -> impl Iterator<Item = String> {
    let all = of.columns();
    let empty = |column: &&Column| column.member.is_some() && !column.seen.load(Ordering::Relaxed);
    columns.iter().filter(empty).map(move |column| {
        let name = column.spec.name;
        let near = nearest(name, all.iter().map(|column| column.name));
        let near = near.map(|near| format!("; the nearest column is `{near}`"));
        format!("no row has a field {name}{}", near.unwrap_or_default())
    })
}

fn unknown(all: &[ColumnSpec], name: &str) -> Failure {
    let names = || all.iter().map(|column| column.name);
    let near = nearest(&name.to_lowercase(), names());
    let known = names().collect::<Vec<_>>().join(", ");
    let hint = near.map_or(known, |near| format!("the nearest is `{near}`"));
    Failure::usage(format!("{name:?} is no column of it")).hint(hint)
}
