//! Rows of a table as companies or people.

use std::io::{self, BufRead, BufReader, Chain, Cursor, Read};
use std::path::Path;

use cocli_core::Kind;
use cocli_node::import::{Item, Mapping, columns_told};
use cocli_store::paths::MAPPINGS;
use csv::StringRecord;

use super::text::{self, Progress, Text};
use super::{Bringing, failed, people};
use crate::args::{ImportCsv, ImportFile};
use crate::commands::Context;
use crate::failure::{Exit, Failure};

/// Delimiters that a table may have, tried on its header line.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];
/// Bytes that are read at a time.
const READ_BYTES: usize = 256 * 1024;

/// What a program writes before the header to say its delimiter.
const SEP: &str = "sep=";

/// A table whose header was read.
struct Table {
    rows: csv::Reader<Chain<Cursor<Vec<u8>>, BufReader<Text>>>,
    columns: Vec<String>,
    delimiter: u8,
    /// Lines of the file that the reader of rows does not count.
    uncounted: u64,
    progress: Progress,
}

pub(super) fn run(context: &Context, args: &ImportCsv) -> Result<(), Failure> {
    let kind = if args.people { Kind::Person } else { Kind::Company };
    let home = context.home()?;
    let path = &args.file.path;
    let table = open(context, path)?;
    let given = given(&args.map)?;
    let remembered = match given.is_empty() {
        true => home.mapping(kind, &table.columns)?,
        false => None,
    };
    let mapping = Mapping::new(kind, &table.columns, remembered.as_ref().unwrap_or(&given));
    let mapping = mapping.map_err(|error| match remembered {
        Some(_) => Failure::usage(format!("the mapping in {MAPPINGS} does not fit: {error}"))
            .hint(format!("`--map` takes its place; without {MAPPINGS} nothing is remembered")),
        None => error.into(),
    })?;
    if let Some(remembered) = &remembered {
        let all: Vec<String> = remembered.iter().map(|(c, f)| format!("{c}={f}")).collect();
        let all = all.join(", ");
        context.screen.note(format!("{}: mapped as the last time: {all}", path.display()));
    } else if !given.is_empty() && !args.file.manner.dry_run {
        home.keep_mapping(kind, &table.columns, &given)?;
    }
    let people_in = match &args.people_in {
        None => None,
        Some(column) => Some(column_of(&table.columns, column)?),
    };
    let bringing = Bringing::begin(context, &home, "import csv", args.file.manner)?;
    bring(bringing, path, table, (kind, &mapping), people_in)
}

/// A table with the columns of Google Maps.
pub(super) fn google_maps(context: &Context, args: &ImportFile) -> Result<(), Failure> {
    let home = context.home()?;
    let table = open(context, &args.path)?;
    let mapping = Mapping::google_maps(&table.columns)?;
    let bringing = Bringing::begin(context, &home, "import google-maps", args.manner)?;
    bring(bringing, &args.path, table, (Kind::Company, &mapping), None)
}

fn given(map: &[String]) -> Result<Vec<(String, String)>, Failure> {
    let one = |text: &String| {
        let parts = text.split_once('=').map(|(c, f)| (c.to_string(), f.to_string()));
        parts
            .ok_or_else(|| Failure::usage(format!("{text:?} is no mapping: expected COLUMN=FIELD")))
    };
    map.iter().map(one).collect()
}

fn column_of(columns: &[String], wanted: &str) -> Result<usize, Failure> {
    columns.iter().position(|column| column.trim() == wanted.trim()).ok_or_else(|| {
        Failure::usage(format!("no column {wanted:?}: the table has {}", columns_told(columns)))
    })
}

impl Table {
    /// The next row; whether there is one.
    fn read(&mut self, path: &Path, into: &mut StringRecord) -> Result<bool, Failure> {
        let line = self.rows.position().line() + self.uncounted;
        let more = self.rows.read_record(into);
        let more = more.map_err(|error| failed(path, format!("from line {line} on: {error}")))?;
        self.progress.row_ends();
        Ok(more)
    }

    fn line(&self, record: &StringRecord) -> u64 {
        record.position().map_or(0, csv::Position::line) + self.uncounted
    }

    /// Whether a cell goes on over the end of a line, and one of its lines could be a row.
    fn swallows(&self, record: &StringRecord) -> bool {
        let parts = |line: &str| line.bytes().filter(|byte| *byte == self.delimiter).count() + 1;
        self.columns.len() > 1
            && record
                .iter()
                .any(|cell| cell.lines().skip(1).any(|line| parts(line) == self.columns.len()))
    }
}

fn open(context: &Context, path: &Path) -> Result<Table, Failure> {
    let (text, progress) = text::open(path, &|line| context.screen.note(line))?;
    let mut text = BufReader::with_capacity(READ_BYTES, text);
    let begin = Begin::read(&mut text);
    let begin = begin.map_err(|error| failed(path, format!("cannot read: {error}")))?;
    let Begin { header, said, skipped } = begin;
    let delimiter = said.unwrap_or_else(|| delimiter(&header));
    // Of CR LF the reader counts the second with the row that follows.
    let uncounted = skipped + u64::from(header.ends_with(b"\r\n"));
    let mut rows = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .from_reader(Cursor::new(header).chain(text));
    let header = rows.headers().map_err(|error| failed(path, error))?;
    let columns: Vec<String> = header.iter().map(ToString::to_string).collect();
    progress.row_ends();
    if columns.iter().all(|column| column.trim().is_empty()) {
        let message = format!("{}: is empty: expected a header line", path.display());
        return Err(Failure::new(Exit::Failed, message));
    }
    Ok(Table { rows, columns, delimiter, uncounted, progress })
}

/// The begin of a table.
struct Begin {
    /// The first line of the header.
    header: Vec<u8>,
    /// The delimiter, where a line before it says it.
    said: Option<u8>,
    /// Lines before it.
    skipped: u64,
}

impl Begin {
    fn read(text: &mut impl BufRead) -> io::Result<Self> {
        let (mut said, mut skipped) = (None, 0);
        loop {
            let mut header = Vec::new();
            let read = text.read_until(b'\n', &mut header)?;
            let line = String::from_utf8_lossy(&header).trim_end_matches(['\r', '\n']).to_owned();
            let sep = line.get(..SEP.len()).filter(|start| start.eq_ignore_ascii_case(SEP));
            match (sep.map(|_| &line.as_bytes()[SEP.len()..]), read) {
                (Some([delimiter]), _) => said = Some(*delimiter),
                (_, 1..) if line.trim().is_empty() => {}
                _ => return Ok(Self { header, said, skipped }),
            }
            skipped += 1;
        }
    }
}

/// The delimiter that parts the header line into most columns.
fn delimiter(header: &[u8]) -> u8 {
    let count = |d: u8| {
        let mut quoted = false;
        let outside = |byte: &&u8| {
            quoted ^= **byte == b'"';
            !quoted && **byte == d
        };
        header.iter().filter(outside).count()
    };
    DELIMITERS.into_iter().rev().max_by_key(|d| count(*d)).unwrap_or(b',')
}

fn bring(
    mut bringing: Bringing<'_>,
    path: &Path,
    mut table: Table,
    (kind, mapping): (Kind, &Mapping),
    people_in: Option<usize>,
) -> Result<(), Failure> {
    for note in &mapping.notes {
        bringing.report.note(1, note.clone());
    }
    let (mut record, mut next) = (StringRecord::new(), StringRecord::new());
    let (mut more, mut broken) = told(table.read(path, &mut record));
    while more {
        (more, broken) = told(table.read(path, &mut next));
        let line = table.line(&record);
        if !more && broken.is_none() && is_open(&record, &table.progress) {
            bringing.report.skip(line, "a quote in this row is never closed".into());
        } else if record.len() != table.columns.len() {
            let why = format!("{} cells, expected {}", record.len(), table.columns.len());
            bringing.report.skip(line, why);
        } else {
            if table.swallows(&record) {
                bringing.report.note(line, SWALLOWS.into());
            }
            let at = bringing.next();
            let values = mapping.values(kind, record.iter());
            bringing.push(line, true, Item::new(kind, values), record.as_slice().len());
            let cell = people_in.and_then(|column| record.get(column)).unwrap_or_default();
            for person in people::of(cell) {
                let item = Item { company: Some(at), ..Item::new(Kind::Person, person) };
                bringing.push(line, false, item, 0);
            }
            bringing.bring_if_enough()?;
        }
        std::mem::swap(&mut record, &mut next);
    }
    bringing.end(path, None)?;
    broken.map_or(Ok(()), Err)
}

const SWALLOWS: &str = "a cell of this row goes on over several lines, and one of these could be a row: is a quote left open?";

/// Whether there is a row, and why none could be read: what came before it is brought in all the same.
fn told(read: Result<bool, Failure>) -> (bool, Option<Failure>) {
    match read {
        Ok(more) => (more, None),
        Err(error) => (false, Some(error)),
    }
}

/// Whether the last row ends within a quote: a cell goes on over a line's end up to that of the file, which is no quote.
fn is_open(record: &StringRecord, progress: &Progress) -> bool {
    record.iter().next_back().is_some_and(|cell| cell.contains('\n')) && progress.last() != b'"'
}
