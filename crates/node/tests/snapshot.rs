//! A snapshot's tables hold what `state` and `list` say, whatever is removed, damaged or merged meanwhile.
#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

mod support;

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use cocli_core::{Instant, Kind};
use cocli_node::{Home, Origin, Snapshot};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field as Cell, Row};
use proptest::prelude::*;

use support::{compact, home};

fn now() -> Instant {
    Instant::from_micros(1_795_435_200_000_000).unwrap()
}

fn origin() -> Origin {
    Origin { version: "1.2.3".into(), manifest: Some(5) }
}

/// One file of a table, as it is written.
#[derive(Clone, Default)]
struct File(Arc<Mutex<Vec<u8>>>);

impl Write for File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The rows of every table.
struct Taken {
    snapshot: Snapshot,
    rows: BTreeMap<&'static str, Vec<Row>>,
}

/// Takes a snapshot, `first` being called as each part is opened.
fn taken(home: &Home, mut first: impl FnMut(&str, usize)) -> Taken {
    let mut files = BTreeMap::new();
    let snapshot = home.snapshot(&origin(), |table, part| {
        first(table, part);
        let file = File::default();
        files.insert((table, part), file.clone());
        Ok(file)
    });
    let mut rows: BTreeMap<_, Vec<Row>> = BTreeMap::new();
    for ((table, _), file) in files {
        let bytes = bytes::Bytes::from(file.0.lock().unwrap().clone());
        let reader = SerializedFileReader::new(bytes).unwrap();
        rows.entry(table)
            .or_default()
            .extend(reader.get_row_iter(None).unwrap().map(Result::unwrap));
    }
    Taken { snapshot: snapshot.unwrap(), rows }
}

fn text(row: &Row, name: &str) -> Option<String> {
    match row.get_column_iter().find(|(column, _)| *column == name).unwrap().1 {
        Cell::Str(text) => Some(text.clone()),
        Cell::TimestampMicros(micros) => Some(micros.to_string()),
        _ => None,
    }
}

impl Taken {
    fn targets(&self, table: &str) -> Vec<String> {
        self.rows[table].iter().map(|row| text(row, "target").unwrap()).collect()
    }

    /// Compares all tables with what the home says by other ways.
    fn check(&self, home: &Home) {
        let state = home.state().unwrap();
        assert_eq!(self.snapshot.digest, state.digest());
        let winners = state.entries().map(|(target, field, entry)| {
            let value = (!entry.value.is_null()).then(|| entry.value.as_str().to_owned());
            (target.to_string(), field.to_string(), value, entry.stamp.instant.micros().to_string())
        });
        let rows = self.rows["datagrams"].iter().map(|row| {
            let of = |name| text(row, name).unwrap();
            (of("target"), of("field"), text(row, "value"), of("at"))
        });
        assert!(rows.eq(winners));
        for kind in Kind::ALL {
            let living = state.entities().filter(|(target, entity)| {
                Kind::of(target) == Some(kind)
                    && state.removed(target).is_none()
                    && !entity.shown(Some(kind)).is_empty()
            });
            let living: Vec<String> = living.map(|(target, _)| target.to_string()).collect();
            assert_eq!(self.targets(kind.plural()), living);
        }
        for collection in ["companies", "people"] {
            let listed = home.list(collection, &[], |_, _| ()).unwrap();
            let listed: Vec<String> = listed.into_iter().map(|(t, ())| t.to_string()).collect();
            assert_eq!(self.targets(collection), listed);
        }
    }
}

type Record = (&'static str, &'static str, &'static str);

fn record() -> impl Strategy<Value = Record> {
    let target = prop::sample::select(vec![
        "companies/a",
        "companies/a-b",
        "companies/a.b/notes/1",
        "companies/a/notes/1",
        "companies/a/notes/1-2",
        "companies/a/notes/1/x",
        "companies/a0",
        "companies/a0/meetings/1",
        "companies/b/notes/2",
        "companies/a-b/notes/1",
        "people/a",
        "people/a/meetings/z",
        "campaigns/a",
    ]);
    let field =
        prop::sample::select(vec!["name", "tags.a", "_deleted", "_deleted", "_file", "own"]);
    (target, field, prop::sample::select(vec!["a", "true", "true", "null"]))
}

fn lines(records: &[Record]) -> String {
    let line = |(n, (target, field, value)): (usize, &Record)| {
        let time = format!("2026-11-01T00:00:{n:02}.000000+00:00");
        format!("{time}\x1fscraper\x1f{target}\x1f{field}\x1f{value}\x1f\x1e")
    };
    records.iter().enumerate().map(line).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn tables_hold_what_is_alive_and_every_winner(
        records in prop::collection::vec(record(), 1..50),
        merged in 0..50_usize,
        damaged in any::<bool>(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let home = home(dir.path(), "n", now());
        let path = dir.path().join("wal/20261101_scraper.usv");
        let all = lines(&records);
        std::fs::write(&path, lines(&records[..merged.min(records.len())])).unwrap();
        compact(&home, now());
        std::fs::write(&path, all).unwrap();
        if damaged {
            damage(&dir.path().join("checkpoint"));
        }
        let seen = taken(&home, |_, _| ());
        seen.check(&home);
    }
}

/// Changes a byte in every file of sorted lines.
fn damage(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = Vec::new();
        std::fs::File::open(&path).unwrap().read_to_end(&mut bytes).unwrap();
        if let Some(at) = bytes.iter().position(|b| *b == 0x1f) {
            bytes[at - 1] ^= 1;
            std::fs::write(&path, bytes).unwrap();
        }
    }
}

#[test]
fn a_compaction_that_takes_the_files_away_begins_it_again() {
    const COMPANIES: usize = 40;
    let dir = tempfile::tempdir().unwrap();
    let home = home(dir.path(), "n", now());
    let path = dir.path().join("wal/20261101_scraper.usv");
    let long = "x".repeat(1 << 20);
    let told = |second: usize| -> String {
        let line = |n: usize| {
            let time = format!("2026-11-01T00:{n:02}:{second:02}.000000+00:00");
            format!(
                "{time}\x1fscraper\x1fcompanies/c{n:02}\x1fdescription\x1f{second}{long}\x1f\x1e"
            )
        };
        (0..COMPANIES).map(line).collect()
    };
    std::fs::write(&path, told(1)).unwrap();
    compact(&home, now());
    let mut opened = Vec::new();
    let seen = taken(&home, |table, part| {
        if opened.is_empty() {
            std::fs::write(&path, told(1) + &told(2)).unwrap();
            compact(&home, now());
        }
        opened.push((table.to_owned(), part));
    });
    assert!(opened.iter().filter(|part| **part == opened[0]).count() == 2, "{opened:?}");
    seen.check(&home);
    let first = text(&seen.rows["companies"][0], "description").unwrap();
    assert!(first.starts_with('2'));
}

#[test]
fn a_writer_that_fails_ends_it() {
    let dir = tempfile::tempdir().unwrap();
    let home = home(dir.path(), "n", now());
    let closed = |_, _| Err::<File, _>(io::ErrorKind::PermissionDenied.into());
    let error = home.snapshot(&origin(), closed).unwrap_err();
    assert!(error.to_string().contains("companies/part-0.parquet"), "{error}");
}
