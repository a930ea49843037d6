//! What entities are called, as a search reads it: the same with and without the files that keep it apart.
#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

mod support;

use std::collections::BTreeSet;
use std::sync::Mutex;

use cocli_core::{Datagram, Value};
use cocli_store::names::split;
use cocli_store::{FakeDisk, Reader, checkpoint};
use support::*;

fn names(disk: &FakeDisk) -> BTreeSet<(String, String)> {
    let reader = Reader::open(&mut open(disk, "pi1").unwrap()).unwrap();
    let all = Mutex::new(BTreeSet::new());
    reader
        .each_names(2, &|bytes| {
            let lines = bytes.split(|b| *b == 0x1e).filter_map(split);
            all.lock().unwrap().extend(lines.map(|(t, name)| (t.to_owned(), name.to_owned())));
        })
        .unwrap();
    all.into_inner().unwrap()
}

fn compact(disk: &FakeDisk) {
    let (mut journals, lock) = (open(disk, "pi1").unwrap(), take_lock(disk).unwrap());
    checkpoint::compact(&lock, &mut journals, 1 << 24).unwrap();
}

fn files(disk: &FakeDisk) -> Vec<String> {
    disk.files().into_iter().filter(|path| path.starts_with("cache/names/")).collect()
}

fn set(disk: &FakeDisk, target: &str, field: &str, value: &str, at: i64) {
    append(disk, "pi1", "20261122", &[put("pi1", target, field, value, at)]).unwrap();
}

/// Three entities in shards of their own, with more than is read for a name each time.
fn long_home() -> FakeDisk {
    let disk = home();
    let mut all: Vec<Datagram> = Vec::new();
    for target in ["companies/acme", "companies/bolt", "people/jane"] {
        for at in 0..80 {
            all.push(put("pi1", target, &format!("f{at}"), &"x".repeat(4000), 10));
        }
    }
    all.push(put("pi1", "companies/acme", "name", "ACME École", 10));
    all.push(put("pi1", "companies/acme", "domain", "Acme.example", 10));
    all.push(put("pi1", "companies/acme/notes/n1", "name", "no entity", 10));
    all.push(put("pi1", "people/jane", "email", "Jane@x.example", 10));
    append(&disk, "pi1", "20261122", &all).unwrap();
    disk
}

fn is(found: &BTreeSet<(String, String)>, expected: &[(&str, &str)]) -> bool {
    let expected = expected.iter().map(|(t, n)| ((*t).to_owned(), (*n).to_owned()));
    *found == expected.collect()
}

#[test]
fn names_are_the_same_from_the_journals_from_shards_and_from_files_of_their_own() {
    let disk = long_home();
    let expected = [
        ("companies/acme", "acme école"),
        ("companies/acme", "acme.example"),
        ("companies/bolt", ""),
        ("people/jane", "jane@x.example"),
    ];
    assert!(is(&names(&disk), &expected), "{:?}", names(&disk));
    compact(&disk);
    assert_eq!(files(&disk).len(), 3);
    assert!(is(&names(&disk), &expected), "{:?}", names(&disk));
    for path in files(&disk) {
        disk.unplant(&path);
    }
    assert!(is(&names(&disk), &expected));
    assert_eq!(files(&disk).len(), 3, "they are kept up by who reads");
    for path in files(&disk) {
        let mut bytes = disk.peek(&path).unwrap();
        bytes[3] ^= 1;
        disk.plant(&path, &bytes);
        assert!(is(&names(&disk), &expected), "{path}");
    }
}

#[test]
fn what_is_renamed_shows_both_names_until_it_is_merged_and_old_files_go() {
    let disk = long_home();
    compact(&disk);
    let before: BTreeSet<String> = files(&disk).into_iter().collect();
    set(&disk, "companies/bolt", "name", "Bolt", 20);
    set(&disk, "companies/acme", "domain", Value::null().as_str(), 20);
    let found = names(&disk);
    assert!(found.contains(&("companies/bolt".into(), "bolt".into())), "{found:?}");
    compact(&disk);
    let found = names(&disk);
    let is_named = |name: &str| found.iter().any(|(_, found)| found == name);
    assert!(is_named("bolt") && is_named("acme école"), "{found:?}");
    assert!(!found.contains(&("companies/bolt".into(), String::new())), "{found:?}");
    let after: BTreeSet<String> = files(&disk).into_iter().collect();
    assert_eq!((after.len(), before.intersection(&after).count()), (3, 1));
}
