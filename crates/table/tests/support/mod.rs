//! Tables in memory, and their rows read back by the library's own reader.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test file takes what it needs of this"
)]

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use cocli_core::{
    Causality, Datagram, Entry, Field, Instant, NodeId, Stamp, State, StateDigest, Target, Value,
};
use cocli_table::{Limits, Meta, PartInfo, Tables, part_name};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record;
use serde_json::{Map, Value as Json, json};

/// A table and the number of its part.
type Key = (String, usize);

/// The files.
#[derive(Debug, Clone, Default)]
pub struct Folder(Arc<Mutex<BTreeMap<Key, Vec<u8>>>>);

/// One of them, as it is written.
#[derive(Debug)]
pub struct File {
    folder: Folder,
    key: Key,
}

impl Write for File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut files = self.folder.0.lock().unwrap();
        files.get_mut(&self.key).unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Folder {
    pub fn open(&self, table: &str, part: usize) -> File {
        let key = (table.to_owned(), part);
        assert!(self.0.lock().unwrap().insert(key.clone(), Vec::new()).is_none(), "opened twice");
        File { folder: self.clone(), key }
    }

    pub fn reader(&self, table: &str, part: usize) -> SerializedFileReader<Bytes> {
        let bytes = self.0.lock().unwrap()[&(table.to_owned(), part)].clone();
        SerializedFileReader::new(Bytes::from(bytes)).unwrap()
    }

    pub fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// All rows of a table, part after part.
    pub fn rows(&self, table: &str) -> Vec<Map<String, Json>> {
        let parts = self.0.lock().unwrap().keys().filter(|key| key.0 == table).count();
        let mut rows = Vec::new();
        for part in 0..parts {
            let reader = self.reader(table, part);
            for row in reader.get_row_iter(None).unwrap() {
                let columns = row.unwrap().into_columns().into_iter();
                rows.push(columns.map(|(name, field)| (name, json_of(field))).collect());
            }
        }
        rows
    }
}

fn json_of(field: record::Field) -> Json {
    use record::Field as F;
    match field {
        F::Null => Json::Null,
        F::Str(text) => json!(text),
        F::Long(number) | F::TimestampMicros(number) => json!(number),
        F::Double(number) => json!(number),
        F::ListInternal(list) => list.elements().iter().cloned().map(json_of).collect(),
        F::MapInternal(map) => {
            let pair = |(key, value): &(F, F)| {
                let F::Str(key) = key else { panic!("{key:?}") };
                (key.clone(), json_of(value.clone()))
            };
            let all: Map<String, Json> = map.entries().iter().map(pair).collect();
            assert_eq!(all.len(), map.entries().len(), "a key stands twice");
            Json::Object(all)
        }
        other => panic!("{other:?}"),
    }
}

pub fn meta() -> Meta {
    Meta {
        version: "1.2.3".into(),
        rules: 7,
        digest: Some(StateDigest::default()),
        manifest: Some(42),
    }
}

/// Writes every entity and winner of a state, whether removed or not.
pub fn write(state: &State, limits: Limits) -> (Folder, Vec<PartInfo>) {
    let folder = Folder::default();
    let open = |table: &'static str, part| Ok(folder.open(table, part));
    let mut tables = Tables::limited(open, &meta(), limits).unwrap();
    for (target, entity) in state.entities() {
        tables.entity(target, entity).unwrap();
        for (field, entry) in &entity.fields {
            tables.winner(target, field, entry).unwrap();
        }
    }
    let parts = tables.finish().unwrap();
    for part in &parts {
        let number = (0..).find(|n| part_name(*n) == part.name).unwrap();
        let metadata = folder.reader(part.table, number).metadata().clone();
        assert_eq!(metadata.file_metadata().num_rows() as u64, part.rows);
        let bytes = folder.0.lock().unwrap()[&(part.table.to_owned(), number)].len() as u64;
        assert_eq!(bytes, part.bytes);
    }
    assert_eq!(parts.len(), folder.len());
    (folder, parts)
}

pub fn datagram(target: &str, field: &str, value: Value, micros: i64, node: &str) -> Datagram {
    Datagram {
        target: Target::read(target).unwrap(),
        field: Field::read(field).unwrap(),
        entry: Entry {
            stamp: Stamp {
                instant: Instant::from_micros(micros).unwrap(),
                node: NodeId::read(node).unwrap(),
            },
            value,
            causality: Causality::nothing(),
        },
    }
}

pub fn state_of(all: impl IntoIterator<Item = Datagram>) -> State {
    let mut state = State::default();
    state.extend(all);
    state
}
