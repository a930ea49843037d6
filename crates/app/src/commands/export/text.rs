//! Rows as text: csv, usv, JSON lines; and what a cell is in them.

use std::borrow::Cow;
use std::io::Write;

use cocli_core::Instant;
use cocli_core::usv::{RS, US};
use cocli_table::{Cell, ColumnSpec, Form};
use serde_json::{Map, Value as Json};

use super::column::Column;
use crate::failure::{Exit, Failure};

/// What stands between the members of a list.
const BETWEEN: &str = "; ";
/// With what a spreadsheet lets a formula begin; some take the wide signs for the same.
const FORMULA: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];
/// What is put before a text that begins so.
const GUARD: char = '\'';

/// Rows that were made into text.
#[derive(Default)]
pub(super) struct Lines {
    pub(super) rows: u64,
    bytes: Vec<u8>,
    table: Option<csv::Writer<Vec<u8>>>,
}

/// The cells of a row that are wanted.
#[derive(Clone, Copy)]
pub(super) struct Line<'l, 'c> {
    pub(super) columns: &'l [Column],
    pub(super) cells: &'l [Cell<'c>],
    /// Texts go as they are, whatever a spreadsheet makes of them.
    pub(super) raw: bool,
}

impl<'l, 'c> Line<'l, 'c> {
    fn each(self) -> impl Iterator<Item = (ColumnSpec, Cow<'l, Cell<'c>>)> {
        self.columns.iter().map(move |column| (column.spec, column.cell(self.cells)))
    }
}

impl Lines {
    pub(super) fn done(self) -> Result<Vec<u8>, Failure> {
        let Some(table) = self.table else { return Ok(self.bytes) };
        table.into_inner().map_err(|error| Failure::new(Exit::Failed, error.to_string()))
    }
}

pub(super) fn csv(lines: &mut Lines, line: Line<'_, '_>) {
    let table = lines.table.get_or_insert_with(|| csv::Writer::from_writer(Vec::new()));
    // Memory takes all that is written.
    for (spec, cell) in line.each() {
        let cell = text(spec.form, &cell);
        let text = printable(&cell);
        let _ = match !line.raw && is_formula(&text) {
            true => table.write_field(format!("{GUARD}{text}")),
            false => table.write_field(text.as_bytes()),
        };
    }
    let _ = table.write_record(None::<&[u8]>);
}

pub(super) fn usv(lines: &mut Lines, line: Line<'_, '_>) {
    for (at, (spec, cell)) in line.each().enumerate() {
        if at > 0 {
            lines.bytes.push(US);
        }
        lines.bytes.extend_from_slice(unbroken(&text(spec.form, &cell)).as_bytes());
    }
    lines.bytes.extend_from_slice(&[RS, b'\n']);
}

pub(super) fn json(lines: &mut Lines, line: Line<'_, '_>) {
    let mut before = b'{';
    for (spec, cell) in line.each() {
        lines.bytes.push(before);
        before = b',';
        let _ = write!(lines.bytes, "\"{}\":", spec.name);
        let _ = match &*cell {
            Cell::Text(text) => serde_json::to_writer(&mut lines.bytes, text),
            cell => serde_json::to_writer(&mut lines.bytes, &value(spec.form, cell)),
        };
    }
    lines.bytes.extend_from_slice(b"}\n");
}

fn value(form: Form, cell: &Cell<'_>) -> Json {
    match cell {
        Cell::Null => Json::Null,
        Cell::Whole(number) if form != Form::Time => Json::from(*number),
        Cell::Real(number) => Json::from(*number),
        Cell::Text(_) | Cell::Whole(_) => Json::from(text(form, cell)),
        Cell::List(items) => Json::from(items.clone()),
        Cell::Map(map) => {
            let members = map.iter().map(|(key, value)| (key.clone(), Json::from(value.clone())));
            Json::Object(members.collect::<Map<_, _>>())
        }
    }
}

/// A cell in a table that knows texts only.
pub(super) fn text<'c>(form: Form, cell: &'c Cell<'_>) -> Cow<'c, str> {
    match cell {
        Cell::Null => Cow::Borrowed(""),
        Cell::Text(text) => Cow::Borrowed(text),
        Cell::Whole(micros) if form == Form::Time => {
            Cow::Owned(Instant::from_micros(*micros).map(|at| at.to_string()).unwrap_or_default())
        }
        Cell::Whole(number) => Cow::Owned(number.to_string()),
        Cell::Real(number) => Cow::Owned(number.to_string()),
        Cell::List(items) => {
            let there: Vec<&str> = items.iter().filter_map(Option::as_deref).collect();
            Cow::Owned(there.join(BETWEEN))
        }
        Cell::Map(_) => Cow::Owned(value(form, cell).to_string()),
    }
}

/// Whether a spreadsheet may take a text for a formula. Plain numbers, and what is but digits, blanks and `+`,
/// do nothing.
fn is_formula(text: &str) -> bool {
    if !text.starts_with(FORMULA) {
        return false;
    }
    let number = text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b))
        && text.parse::<f64>().is_ok();
    let phone = text.bytes().all(|b| b.is_ascii_digit() || b == b' ' || b == b'+')
        && text.bytes().any(|b| b.is_ascii_digit());
    !number && !phone
}

/// A text without what no reader of tables wants in it: of the control characters tab and line breaks are left.
fn printable(text: &str) -> Cow<'_, str> {
    let refused = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r');
    match text.contains(refused) {
        true => Cow::Owned(text.replace(refused, " ")),
        false => Cow::Borrowed(text),
    }
}

/// A text that the Python program's readers split at no place.
fn unbroken(text: &str) -> Cow<'_, str> {
    let parts = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    if !text.contains(parts) {
        return Cow::Borrowed(text);
    }
    let text = text.replace("\r\n", "\n");
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\n' | '\r' => out.push_str("<br>"),
            c if parts(c) => out.push(' '),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests;
