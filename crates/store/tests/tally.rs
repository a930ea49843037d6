//! How many entities live: the same with and without the file that keeps what was counted.
#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

mod support;

use cocli_core::{Datagram, Value};
use cocli_store::checkpoint::Manifest;
use cocli_store::{Disk, FakeDisk, Reader, checkpoint, paths, sidecar};
use support::*;

fn living(disk: &FakeDisk) -> [usize; 2] {
    let reader = Reader::open(&mut open(disk, "pi1").unwrap()).unwrap();
    let tally = reader.tally(["companies", "people"]).unwrap();
    assert_eq!(tally.digest, reader.state().unwrap().digest());
    tally.living
}

fn compact(disk: &FakeDisk) {
    let (mut journals, lock) = (open(disk, "pi1").unwrap(), take_lock(disk).unwrap());
    checkpoint::compact(&lock, &mut journals, 1 << 24).unwrap();
}

fn set(disk: &FakeDisk, target: &str, field: &str, value: Value, at: i64) {
    let mut datagram = put("pi1", target, field, "", at);
    datagram.entry.value = value;
    append(disk, "pi1", "20261122", &[datagram]).unwrap();
}

/// Two companies and a person, long enough that it is worth to keep what was counted.
fn long_home() -> FakeDisk {
    let disk = home();
    let mut all: Vec<Datagram> = Vec::new();
    for target in ["companies/acme", "companies/bolt", "people/jane"] {
        for at in 0..100 {
            all.push(put("pi1", target, &format!("f{at}"), &"x".repeat(4000), 10));
        }
    }
    append(&disk, "pi1", "20261122", &all).unwrap();
    compact(&disk);
    disk
}

/// Puts other counts into the file.
fn lie(disk: &FakeDisk, counts: &str) {
    let text = sidecar::text(Manifest::read(disk).unwrap().id(), counts.as_bytes());
    disk.remove(paths::LIVING).unwrap();
    disk.write_at(paths::LIVING, 0, &text, false).unwrap();
}

#[test]
fn what_was_counted_is_not_counted_again_until_a_compaction() {
    let disk = long_home();
    assert_eq!(living(&disk), [2, 1]);
    lie(&disk, "companies 70\npeople 80\n");
    assert_eq!(living(&disk), [70, 80]);
    set(&disk, "companies/core", "name", Value::text("Core"), 20);
    assert_eq!(living(&disk), [71, 80]);
    compact(&disk);
    assert_eq!(living(&disk), [3, 1]);
    lie(&disk, "companies 70\npeople 80\n");
    let mut bytes = disk.read(paths::LIVING).unwrap();
    let at = bytes.windows(2).position(|pair| pair == b"70").unwrap();
    bytes[at] = b'9';
    disk.remove(paths::LIVING).unwrap();
    disk.write_at(paths::LIVING, 0, &bytes, false).unwrap();
    assert_eq!(living(&disk), [3, 1]);
}

#[test]
fn what_stands_behind_the_checkpoint_counts_once_whether_it_is_kept_or_not() {
    for kept in [false, true] {
        let disk = long_home();
        let look = |expected| {
            if !kept {
                let _ = disk.remove(paths::LIVING);
            }
            assert_eq!(living(&disk), expected, "kept: {kept}");
        };
        look([2, 1]);
        set(&disk, "companies/acme", "f3", Value::text("y"), 20);
        look([2, 1]);
        set(&disk, "companies/acme", "_deleted", Value::truth(), 21);
        look([1, 1]);
        set(&disk, "people/jane", "_deleted", Value::truth(), 22);
        set(&disk, "people/john", "name", Value::text("John"), 22);
        look([1, 1]);
        set(&disk, "companies/acme", "_deleted", Value::null(), 23);
        set(&disk, "companies/acme/notes/n", "name", Value::text("no entity"), 23);
        look([2, 1]);
        set(&disk, "companies/void", "name", Value::null(), 24);
        look([2, 1]);
    }
}

#[test]
fn a_damaged_shard_is_counted_by_the_journals_and_nothing_is_kept() {
    let disk = long_home();
    set(&disk, "companies/core", "name", Value::text("Core"), 20);
    let shards = disk
        .files()
        .into_iter()
        .filter(|path| path.starts_with("checkpoint/") && path.ends_with(".usv"));
    for path in shards.filter(|path| !path.ends_with("odd.usv")).collect::<Vec<_>>() {
        let mut bytes = disk.read(&path).unwrap();
        bytes[40] ^= 1;
        disk.remove(&path).unwrap();
        disk.write_at(&path, 0, &bytes, false).unwrap();
    }
    assert_eq!(living(&disk), [3, 1]);
    assert!(disk.read(paths::LIVING).is_err());
}

#[test]
fn a_company_lives_by_any_field_though_the_first_was_emptied_member_by_member() {
    let disk = long_home();
    set(&disk, "companies/core", "tags", Value::read("[\"a\"]"), 20);
    set(&disk, "companies/core", "tags.a", Value::null(), 21);
    set(&disk, "companies/core", "zip_code", Value::text("75094"), 21);
    assert_eq!(living(&disk), [3, 1]);
    compact(&disk);
    assert_eq!(living(&disk), [3, 1]);
}
