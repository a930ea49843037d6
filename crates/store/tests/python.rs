//! Journals that the Python program wrote: its own samples where they are present, and ours, written
//! from the format.
#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

mod support;

use cocli_core::{Field, Kind, Target};
use cocli_store::{FakeDisk, Reader, checkpoint};
use support::*;

const SAMPLES: &str = "/work/shared/fixtures";

fn compacted(disk: &FakeDisk) -> Reader {
    let (mut journals, lock) = (open(disk, "mac").unwrap(), take_lock(disk).unwrap());
    let before = Reader::open(&mut journals).unwrap();
    let (state, odd) = (before.state().unwrap(), before.odd().unwrap());
    checkpoint::compact(&lock, &mut journals, 1 << 24).unwrap();
    let after = Reader::open(&mut journals).unwrap();
    assert_eq!(after.state().unwrap(), state);
    assert_eq!(after.odd().unwrap(), odd);
    assert_eq!(after.tail_bytes(), 0);
    after
}

#[test]
fn records_of_all_its_versions_are_one_state() {
    let disk = home();
    let record = |fields: &[&str]| fields.join("\u{1f}") + "\u{1e}";
    let text = [
        record(&["2026-02-18T17:04:05.000001+00:00", "laptop", "companies/acme", "name", "Acme"]),
        record(&[
            "2026-02-18T17:04:06+00:00",
            "laptop",
            "companies/acme",
            "tags",
            "[\"a\", \"\\u00e9\"]",
            "",
        ]),
        "\n".to_owned()
            + &record(&[
                "2026-03-14T10:00:00.5Z",
                "Pi_1",
                "roadmap",
                "companies/acme",
                "type",
                "Client",
                "",
            ]),
        record(&[
            "2026-03-15T10:00:00Z",
            "Pi_1",
            "roadmap",
            "prod",
            "companies/acme",
            "description",
            "one\ntwo",
            "",
        ]),
        record(&["2026-03-15T10:00:00Z", "Pi_1", "companies/acme"]),
        "2026-03-15T10:00:00Z\u{1f}torn".to_owned(),
    ];
    disk.plant("wal/20260315_Pi_1.usv", text.concat().as_bytes());
    let reader = compacted(&disk);
    let acme = Target::read("companies/acme").unwrap();
    let entity = reader.entity(&acme).unwrap();
    let value =
        |field: &str| entity.value(Some(Kind::Company), &Field::read(field).unwrap()).unwrap();
    assert_eq!(value("name").as_str(), "Acme");
    assert_eq!(value("tags").as_str(), "[\"a\",\"é\"]");
    assert_eq!(value("type").as_str(), "Client");
    assert_eq!(value("description").shown(), "one\ntwo");
    assert_eq!(reader.odd().unwrap().len(), 1);
}

#[test]
fn its_own_homes_are_read_and_compacted() {
    for home_name in ["seed_home", "seed_cli_home", "head_home"] {
        let folder = format!("{SAMPLES}/{home_name}/wal");
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        let disk = home();
        let mut records = 0;
        for entry in entries.map(Result::unwrap) {
            let bytes = std::fs::read(entry.path()).unwrap();
            records += cocli_core::usv::records(&bytes).count();
            disk.plant(&format!("wal/{}", entry.file_name().to_str().unwrap()), &bytes);
        }
        let reader = compacted(&disk);
        let (state, odd) = (reader.state().unwrap(), reader.odd().unwrap());
        assert!(state.len() >= 7, "{home_name}: {} of {records}, odd {odd:?}", state.len());
        assert!(odd.len() * 10 <= records, "{home_name}: {odd:?}");
    }
}
