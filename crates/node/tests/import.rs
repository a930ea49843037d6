//! A second import of a table writes nothing, and a dry run says what a run does.

#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

mod support;

use std::collections::BTreeMap;

use cocli_core::{Field, Kind, Value};
use cocli_node::Home;
use cocli_node::import::{How, Importer, Item, Row};
use proptest::prelude::*;
use support::at;

/// What is true of somebody: a row says some of it, and what only one of them has is never another's.
const TRUE: [[&str; 5]; 4] = [
    ["Acme", "a.com", "x@a.com", "+12145550134", "ChIJ5X0j7DHDwogRvQgaGw0y4FM"],
    ["Acme, Inc.", "b.com", "info@gmail.com", "+49301234567", "ChIJb8Jg9pZYwokR-qHGtvSkLzs"],
    ["C++", "facebook.com", "x@att.net", "+12145550135", "N/A"],
    ["C", "m.facebook.com", "y@att.net", "+12145550136", "-"],
];

/// A row of a table.
fn row() -> impl Strategy<Value = Item> {
    let kind = prop_oneof![2 => Just(Kind::Company), 1 => Just(Kind::Person)];
    let cell = || proptest::option::weighted(0.4, 0usize..3);
    (kind, 0..TRUE.len(), any::<[bool; 4]>(), cell(), cell()).prop_map(
        |(kind, of, says, tag, company)| {
            let of = TRUE[of];
            let phone = if kind == Kind::Person { "phone" } else { "phone_number" };
            let field = |name: &str| Field::read(name).unwrap();
            let mut values = BTreeMap::from([(field("name"), Value::text(of[0]))]);
            let names = ["domain", "email", phone, "place_id"];
            for ((name, text), says) in names.iter().zip(&of[1..]).zip(says) {
                values.extend(says.then(|| (field(name), Value::text(text))));
            }
            let tag = tag.map(|tag| Value::read(["[\"a\"]", "[\"b\"]", "[\"a\",\"b\"]"][tag]));
            values.extend(tag.map(|tag| (field("tags"), tag)));
            let company = company.map(|company| Value::text(["Acme", "ACME Inc", "C++"][company]));
            values.extend(company.map(|company| (field("company"), company)));
            Item::new(kind, values)
        },
    )
}

/// Datagrams of an import of a table, in batches of four rows, and how many rows were left out.
fn import(home: &Home, rows: &[Item], dry_run: bool) -> (usize, usize) {
    let how = How { overwrite: false, dry_run };
    let mut session = home.session(at(1)).unwrap();
    let mut importer = Importer::new(&mut session, how).unwrap();
    drop(session);
    let (mut datagrams, mut skipped) = (0, 0);
    for rows in rows.chunks(4) {
        let mut session = home.session(at(1)).unwrap();
        let batch = importer.batch(&mut session, "import", rows).unwrap();
        datagrams += batch.datagrams;
        skipped += batch.rows.iter().filter(|row| matches!(row, Row::Skipped(_))).count();
    }
    (datagrams, skipped)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn a_second_import_writes_nothing(mut rows in proptest::collection::vec(row(), 1..12)) {
        // Who names a company that comes in a later batch is linked to it by the second.
        rows.sort_by_key(|row| row.kind);
        let dir = tempfile::tempdir().unwrap();
        let home = support::home(dir.path(), "pi1", at(0));
        let dry = import(&home, &rows, true);
        let first = import(&home, &rows, false);
        prop_assert_eq!(first, dry);
        // A row that matched several may be told apart by what came in behind it.
        if first.1 == 0 {
            prop_assert_eq!(import(&home, &rows, false).0, 0);
        }
    }
}
