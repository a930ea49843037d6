//! The files themselves: their parts, footers and row groups, and what fails.
#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

mod support;

use std::io::{self, Write};

use cocli_core::{Entity, Kind, State, Target, Value};
use cocli_table::{DATAGRAMS, Limits, TableError, Tables, names};
use parquet::basic::Compression;
use parquet::file::reader::FileReader;
use serde_json::{Value as Json, json};
use support::{Folder, datagram, meta, state_of, write};

fn many(count: i64) -> State {
    state_of((0..count).map(|n| {
        datagram(&format!("companies/c{n:06}"), "name", Value::text(&format!("C {n}")), n, "n")
    }))
}

#[test]
fn an_empty_table_has_one_part_with_all_its_columns_and_no_row() {
    let (folder, parts) = write(&State::default(), Limits::default());
    let found: Vec<_> = parts.iter().map(|p| (p.table, p.name.as_str(), p.rows)).collect();
    let wanted: Vec<_> = names().map(|name| (name, "part-0.parquet", 0)).collect();
    assert_eq!(found, wanted);
    for kind in Kind::ALL {
        let reader = folder.reader(kind.plural(), 0);
        let schema = reader.metadata().file_metadata().schema().clone();
        assert!(
            kind.fields()
                .iter()
                .all(|spec| schema.get_fields().iter().any(|f| f.name() == spec.name))
        );
        assert!(schema.get_fields().iter().all(|field| field.is_optional()));
    }
}

#[test]
fn a_company_of_which_nothing_reads_has_nulls_in_all_columns_of_fields() {
    let state = state_of([datagram("companies/a", "reviews_count", Value::text("many"), 1, "n")]);
    let row = write(&state, Limits::default()).0.rows("companies").remove(0);
    let full: Vec<_> = row.iter().filter(|(_, v)| !v.is_null()).map(|(k, _)| k.as_str()).collect();
    assert_eq!(full, ["_odd", "slug", "target", "updated_at", "updated_by"]);
    assert_eq!(row["_odd"], json!({"reviews_count": "many"}));
}

#[test]
fn a_value_of_another_type_is_null_and_told_as_odd() {
    for (field, wire, shown) in [
        ("reviews_count", "5.5", "5.5"),
        ("average_rating", "nan", "nan"),
        ("last_enriched", "2026-02-30", "2026-02-30"),
        ("services", "{\"a\":\"b\"}", "{\"a\":\"b\"}"),
        ("name", "[\"a\", \"b\"]", "[\"a\",\"b\"]"),
        ("slug", "another", "another"),
    ] {
        let state = state_of([datagram("companies/a", field, Value::read(wire), 1, "n")]);
        let row = write(&state, Limits::default()).0.rows("companies").remove(0);
        assert_eq!(row["_odd"], json!({ field: shown }));
        assert_eq!(row[field], if field == "slug" { json!("a") } else { Json::Null });
    }
}

#[test]
fn a_day_without_a_time_of_day_is_midnight_in_utc() {
    let state = state_of([datagram("companies/a", "next_at", Value::text("2026-12-01"), 1, "n")]);
    let row = write(&state, Limits::default()).0.rows("companies").remove(0);
    assert_eq!((&row["next_at"], &row["_odd"]), (&json!(1_796_083_200_000_000_i64), &Json::Null));
}

#[test]
fn a_whole_number_is_one_in_any_form_that_says_so() {
    for (text, number) in [
        ("5", json!(5)),
        (" -7\t", json!(-7)),
        ("5.0", json!(5)),
        ("1e3", json!(1000)),
        ("9223372036854775807", json!(i64::MAX)),
        ("9223372036854775808", Json::Null),
        ("5.5", Json::Null),
        ("1e18", Json::Null),
    ] {
        let state = state_of([datagram("companies/a", "reviews_count", Value::text(text), 1, "n")]);
        let row = write(&state, Limits::default()).0.rows("companies").remove(0);
        assert_eq!(row["reviews_count"], number, "{text:?}");
        assert_eq!(row["_odd"].is_null(), !number.is_null(), "{text:?}");
    }
}

#[test]
fn a_hundred_parts_have_their_rows_in_order() {
    let limits = Limits { rows_of_part: 10, ..Limits::default() };
    let (folder, parts) = write(&many(1000), limits);
    let companies: Vec<_> = parts.iter().filter(|part| part.table == "companies").collect();
    assert_eq!(companies.len(), 100);
    assert!(companies.iter().all(|part| part.rows == 10));
    assert_eq!(companies[99].name, "part-99.parquet");
    let rows = folder.rows("companies");
    assert!(rows.iter().map(|row| row["target"].as_str().unwrap()).is_sorted());
    assert_eq!(rows.len(), 1000);
}

#[test]
fn the_footer_tells_what_the_tables_were_made_of() {
    let (folder, _) = write(&many(3), Limits::default());
    for table in names() {
        let reader = folder.reader(table, 0);
        let pairs = reader.metadata().file_metadata().key_value_metadata().unwrap().clone();
        let of = |key: &str| pairs.iter().find(|p| p.key == key).unwrap().value.clone().unwrap();
        assert_eq!(of("cocli.version"), "1.2.3");
        assert_eq!(of("cocli.rules"), "7");
        assert_eq!(of("cocli.digest"), cocli_core::StateDigest::default().to_string());
        assert_eq!(of("cocli.manifest"), "42");
    }
}

#[test]
fn a_row_group_is_compressed_sorted_and_known_by_its_least_and_greatest() {
    let limits = Limits { rows_of_group: 100, ..Limits::default() };
    let (folder, _) = write(&many(250), limits);
    let reader = folder.reader(DATAGRAMS, 0);
    let groups = reader.metadata().row_groups();
    assert_eq!(groups.iter().map(|g| g.num_rows()).collect::<Vec<_>>(), [100, 100, 50]);
    for (at, group) in groups.iter().enumerate() {
        assert_eq!(group.sorting_columns().unwrap()[0].column_idx, 0);
        let target = group.column(0);
        assert!(matches!(target.compression(), Compression::ZSTD(_)));
        let least = target.statistics().unwrap().min_bytes_opt().unwrap().to_vec();
        assert_eq!(String::from_utf8(least).unwrap(), format!("companies/c{:06}", at * 100));
        assert!(group.column(4).dictionary_page_offset().is_some());
    }
}

#[test]
fn what_waits_is_written_before_it_is_too_much() {
    let limits = Limits { buffered_bytes: 10_000, ..Limits::default() };
    let (folder, _) = write(&many(2000), limits);
    let groups = folder.reader(DATAGRAMS, 0).metadata().num_row_groups();
    assert!(groups > 5, "{groups}");
}

#[test]
fn a_target_out_of_order_is_refused() {
    let folder = Folder::default();
    let open = |table: &'static str, part| Ok(folder.open(table, part));
    let mut tables = Tables::new(open, &meta()).unwrap();
    let [a, b] = ["companies/a", "companies/b"].map(|text| Target::read(text).unwrap());
    tables.entity(&b, &Entity::default()).unwrap();
    for target in [a, b] {
        let refused = tables.entity(&target, &Entity::default()).unwrap_err();
        assert!(matches!(refused, TableError::Order { .. }), "{refused}");
    }
}

/// Takes some bytes, then no more.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_writer_that_fails_at_some_byte_is_told_with_its_part() {
    let state = many(3);
    let size = write(&state, Limits::default()).1.iter().map(|p| p.bytes as usize).max().unwrap();
    for room in (0..size).step_by(53).chain(size - 9..size) {
        let mut tables = Tables::new(|_, _| Ok(Full(room)), &meta()).unwrap();
        for (target, entity) in state.entities() {
            tables.entity(target, entity).unwrap();
        }
        let error = tables.finish().unwrap_err();
        assert!(matches!(error, TableError::Write { .. }), "{error}");
        assert!(error.to_string().contains("/part-0.parquet"), "{error}");
    }
    let closed = |_, _| Err::<Full, _>(io::ErrorKind::PermissionDenied.into());
    let error = Tables::new(closed, &meta()).unwrap().finish().unwrap_err();
    assert!(error.to_string().starts_with("cannot open companies/part-0.parquet"), "{error}");
}
