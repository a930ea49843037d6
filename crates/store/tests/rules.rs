//! A checkpoint of other reading rules where history is gone: nothing of it is lost, and nobody is left
//! without a state.
#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

mod support;

use cocli_core::limits::RECORD_BYTES_MAX;
use cocli_core::{Datagram, State, usv};
use cocli_store::archive::{self, Moving};
use cocli_store::checkpoint::{self, Begun, Incoming, Manifest, Turn};
use cocli_store::disk::fake::{Fault, Times};
use cocli_store::{Disk, FakeDisk, Reader, StoreError};
use support::*;

const MANIFEST: &str = "checkpoint/manifest.json";

fn compact(disk: &FakeDisk, share: u64) -> cocli_store::Result<()> {
    let (mut journals, lock) = (open(disk, "pi1")?, take_lock(disk)?);
    checkpoint::compact_by(&lock, &mut journals, &means(1 << 20, share)).map(|_| ())
}

/// A home whose history before the newest records is gone, with shards and a run, and with journals
/// behind the checkpoint; and its state.
fn trimmed() -> (FakeDisk, State) {
    let disk = home();
    let mut all = Vec::new();
    for (number, share) in [(0, 8), (1, 0)] {
        let batch = batch("pi1", number, 8);
        append(&disk, "pi1", "20261120", &batch).unwrap();
        all.extend(batch);
        compact(&disk, share).unwrap();
    }
    let mut journals = open(&disk, "pi1").unwrap();
    let later = cocli_core::Instant::from_micros(2_000_000_000_000_000).unwrap();
    let lock = || take_lock(&disk).map(Some);
    let turn = Turn::try_take(&disk).unwrap().unwrap();
    archive::archive(&turn, &mut journals, (Moving { after: 2, threads: 1 }, later), &lock)
        .unwrap();
    let going = archive::plan(&mut journals, 0, &|_| true).unwrap();
    archive::trim(&take_lock(&disk).unwrap(), &mut journals, &going).unwrap();
    assert_eq!(journals.bases().count(), 1);
    assert_eq!(Manifest::read(&disk).unwrap().runs(), 1);
    let batch = batch("pi1", 2, 3);
    append(&disk, "pi1", "20261122", &batch).unwrap();
    all.extend(batch);
    (disk, state_of(&all))
}

fn set_rules(disk: &FakeDisk, rules: u32) {
    let text = String::from_utf8(disk.peek(MANIFEST).unwrap()).unwrap();
    let told = text.replace("\"rules\":1", &format!("\"rules\":{rules}"));
    assert_ne!(told, text);
    disk.plant(MANIFEST, told.as_bytes());
}

fn is_renewed(disk: &FakeDisk) -> bool {
    String::from_utf8(disk.peek(MANIFEST).unwrap()).unwrap().contains("\"rules\":1")
}

#[test]
fn a_checkpoint_of_older_rules_is_read_and_made_anew_where_history_is_gone() {
    let (disk, expected) = trimmed();
    set_rules(&disk, 0);
    assert_eq!(state(&disk, "pi1").unwrap(), expected);
    // Nobody else is told of it before.
    assert_eq!(checkpoint::told(&mut open(&disk, "pi1").unwrap()).unwrap(), None);
    let steps = at_every_step(
        &disk,
        |disk| {
            let _ = compact(disk, 8);
            Vec::new()
        },
        |disk, _, what| {
            assert_eq!(state(disk, "pi1").unwrap(), expected, "{what}");
            compact(disk, 8).unwrap_or_else(|error| panic!("{what}: {error}"));
            assert!(is_renewed(disk), "{what}");
            let manifest = Manifest::read(disk).unwrap();
            assert_eq!(manifest.digest(), expected.digest(), "{what}");
            assert_eq!(manifest.lines(), expected.len() as u64, "{what}");
            assert_eq!(state(disk, "pi1").unwrap(), expected, "{what}");
        },
    );
    assert!(steps > 20, "{steps}");
}

#[test]
fn nothing_new_has_to_come_for_an_older_checkpoint_to_be_made_anew_beside_writers() {
    let (disk, expected) = trimmed();
    compact(&disk, 8).unwrap();
    set_rules(&disk, 0);
    let mut journals = open(&disk, "pi1").unwrap();
    let known = journals.vector().unwrap();
    let turn = Turn::try_take(&disk).unwrap().unwrap();
    let begun = Begun::up_to(turn, &mut journals, &known).unwrap();
    assert!(begun.renews());
    let merged = begun.merge(&mut journals, &means(1 << 20, 8)).unwrap();
    assert!(merged.place(&take_lock(&disk).unwrap(), &mut journals).unwrap().is_new());
    assert!(is_renewed(&disk));
    assert_eq!(state(&disk, "pi1").unwrap(), expected);
}

/// An entry of the list of odd records.
fn entry(at: u64, why: &str, record: &[u8]) -> Vec<u8> {
    let head = format!("pi1\u{1f}{at}\u{1f}{why}\u{1f}");
    [head.as_bytes(), record.strip_suffix(b"\x1e").unwrap_or(record), b"\x1e\n"].concat()
}

fn listed(disk: &FakeDisk) -> Vec<u64> {
    let odd = Reader::open(&mut open(disk, "pi1").unwrap()).unwrap().odd().unwrap();
    odd.iter().map(|odd| odd.position).collect()
}

/// A home with a checkpoint of older rules, and odd records of before its base: the first can be read by now,
/// the second was damaged, the third can not.
fn with_odd() -> (FakeDisk, [Datagram; 2]) {
    let (disk, _) = trimmed();
    let [legible, damaged] = ["odd", "torn"].map(|name| {
        let target = format!("companies/{name}");
        put("pi2", &target, "name", "Odd", 7)
    });
    let odd = [
        entry(
            1,
            "the record has 9 fields: expected 5 to 8 in a known order",
            &bytes_of([&legible]),
        ),
        entry(2, "the record does not fit its check: it was damaged", &bytes_of([&damaged])),
        entry(3, "the record has 1 fields: expected 5 to 8 in a known order", b"nothing\x1e"),
    ];
    disk.plant("checkpoint/odd.usv", &odd.concat());
    set_rules(&disk, 0);
    (disk, [legible, damaged])
}

#[test]
fn what_was_odd_before_the_base_is_merged_when_it_can_be_read_and_else_stays_odd() {
    let (disk, [legible, damaged]) = with_odd();
    compact(&disk, 8).unwrap();
    let state = state(&disk, "pi1").unwrap();
    assert!(state.winner(&legible.target, &legible.field).is_some());
    assert!(state.winner(&damaged.target, &damaged.field).is_none());
    assert_eq!(listed(&disk), [2, 3]);
}

#[test]
fn what_was_odd_is_merged_and_no_longer_listed_wherever_that_was_cut_off() {
    let (disk, [legible, _]) = with_odd();
    at_every_step(
        &disk,
        |disk| {
            let _ = compact(disk, 8);
            Vec::new()
        },
        |disk, _, what| {
            let merged = |disk: &FakeDisk| {
                held(&state(disk, "pi1").unwrap(), std::slice::from_ref(&legible))
            };
            assert!(merged(disk) == 1 || listed(disk) == [1, 2, 3], "{what}");
            compact(disk, 8).unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!((merged(disk), listed(disk)), (1, vec![2, 3]), "{what}");
        },
    );
}

#[test]
fn a_record_that_the_list_says_can_be_read_by_now_is_merged_by_whoever_finds_it() {
    for share in [8, 0] {
        let disk = trimmed().0;
        let legible = put("pi2", "companies/odd", "name", "Odd", 7);
        let taken = entry(1, "it can be read by now", &bytes_of([&legible]));
        let other = entry(2, "the record has 9 fields", &bytes_of([&legible]));
        disk.plant("checkpoint/odd.usv", &[taken, other].concat());
        compact(&disk, share).unwrap();
        assert_eq!(held(&state(&disk, "pi1").unwrap(), &[legible]), 1, "{share}");
        assert_eq!(listed(&disk), [2], "{share}");
    }
}

#[test]
fn no_older_manifest_comes_back_when_what_it_lacks_is_listed_no_more() {
    let (disk, [legible, _]) = with_odd();
    disk.sync_all().unwrap();
    let traced = disk.copy();
    traced.start_trace();
    compact(&traced, 8).unwrap();
    let renamed = |op: &String| op.contains("rename") && op.ends_with(MANIFEST);
    let placed = traced.trace().iter().position(renamed).unwrap() as u64 + 1;
    // The new manifest is in its place, and not durable there.
    disk.fail_at(placed + 1, Fault::Error, Times::ForGood);
    compact(&disk, 8).unwrap_err();
    disk.kill();
    disk.heal();
    assert!(is_renewed(&disk));
    let merged =
        |disk: &FakeDisk| held(&state(disk, "pi1").unwrap(), std::slice::from_ref(&legible));
    for k in 1.. {
        let again = disk.copy();
        again.fail_at(k, Fault::Crash, Times::Once);
        let _ = compact(&again, 8);
        let through = again.ops() < k;
        for seed in 0..8 {
            let disk = again.copy();
            disk.crash(k * 8 + seed);
            assert!(merged(&disk) == 1 || listed(&disk) == [1, 2, 3], "{k} {seed}");
            compact(&disk, 8).unwrap();
            assert_eq!((merged(&disk), listed(&disk)), (1, vec![2, 3]), "{k} {seed}");
        }
        if through {
            break;
        }
    }
}

/// A record of a value that is as long as what is kept of one that is too long.
fn record_of(bytes: usize, target: &str) -> (cocli_core::Datagram, Vec<u8>) {
    let of = |value: &str| put("pi2", target, "text", value, 7);
    let rest = bytes_of([&of("")]).len() - 1;
    let datagram = of(&"v".repeat(bytes - rest));
    let record = bytes_of([&datagram]);
    assert_eq!(record.len() - 1, bytes);
    (datagram, record)
}

#[test]
fn a_whole_odd_record_is_told_from_the_beginning_of_a_longer_one_by_its_reason() {
    let (disk, _) = trimmed();
    let (whole, record) = record_of(4096, "companies/whole");
    let (cut, long) = record_of(4200, "companies/cut");
    // A form without a check, of which any beginning can be read.
    let plain: Vec<u8> = long.rsplitn(2, |b| *b == 0x1f).last().unwrap().to_vec();
    assert!(usv::read(&plain[..4096]).is_ok());
    let long = |bytes: usize| usv::Odd::TooLong(bytes).to_string();
    let odd = [
        entry(1, "the record has 9 fields: expected 5 to 8 in a known order", &record[..4096]),
        entry(2, &long(RECORD_BYTES_MAX + 1), &plain[..4096]),
        // By rules that allowed less.
        entry(3, "the record has 5000 bytes: expected at most 4500", &plain[..4096]),
    ];
    disk.plant("checkpoint/odd.usv", &odd.concat());
    set_rules(&disk, 0);
    compact(&disk, 8).unwrap();
    let state = state(&disk, "pi1").unwrap();
    assert!(state.winner(&whole.target, &whole.field).is_some());
    assert!(state.winner(&cut.target, &cut.field).is_none());
    assert_eq!(listed(&disk), [2, 3]);
}

const ILLEGIBLE: &[u8] =
    b"2026-11-20T08:00:00.000000+00:00\x1fpi1\x1fcompanies/x\x1f no field\x1fv\x1f-\x1e\n";

/// Makes the checkpoint one of older rules, with a shard more, whose only line is none by those of today.
fn add_illegible(disk: &FakeDisk) {
    let line = ILLEGIBLE;
    let hash = cocli_core::digest::hash(line);
    let mut digest = cocli_core::StateDigest::default();
    digest.add(&line[..line.len() - 2]);
    let text = String::from_utf8(disk.peek(MANIFEST).unwrap()).unwrap();
    let mut form: serde_json::Value = serde_json::from_str(&text).unwrap();
    let shard = (0..=255_u8)
        .map(|n| format!("{n:02x}"))
        .find(|n| !form["shards"].as_array().unwrap().iter().any(|one| one["shard"] == n.as_str()));
    let shard = shard.unwrap();
    disk.plant(&format!("checkpoint/{shard}-{hash:032x}.usv"), line);
    let mut all = Manifest::read(disk).unwrap().digest();
    all.join(digest);
    form["digest"] = all.to_string().into();
    form["lines"] = (form["lines"].as_u64().unwrap() + 1).into();
    form["rules"] = 0.into();
    form["shards"].as_array_mut().unwrap().push(serde_json::json!({
        "shard": shard, "hash": format!("{hash:032x}"), "bytes": line.len(), "lines": 1,
        "digest": digest.to_string(),
    }));
    disk.plant(MANIFEST, &serde_json::to_vec(&form).unwrap());
}

/// What was kept aside of a checkpoint.
fn aside(disk: &FakeDisk) -> Option<Vec<u8>> {
    let kept = |path: &String| path.starts_with(".cocli/aside/checkpoint-");
    disk.peek(&disk.files().into_iter().find(kept)?)
}

#[test]
fn lines_that_newer_rules_cannot_read_are_kept_aside() {
    let (disk, expected) = trimmed();
    add_illegible(&disk);
    compact(&disk, 8).unwrap();
    assert_eq!(state(&disk, "pi1").unwrap(), expected);
    assert_eq!(aside(&disk).unwrap(), ILLEGIBLE);
}

#[test]
fn an_older_checkpoint_that_is_damaged_is_never_taken_for_an_empty_one() {
    let (disk, _) = trimmed();
    set_rules(&disk, 0);
    let shard = disk.files().into_iter().find(|path| {
        path.starts_with("checkpoint/") && path.contains('-') && !path.contains("run-")
    });
    let shard = shard.unwrap();
    let mut bytes = disk.peek(&shard).unwrap();
    bytes[40] ^= 1;
    disk.plant(&shard, &bytes);
    let refused = compact(&disk, 8).unwrap_err();
    assert!(matches!(refused, StoreError::Unheld { .. }), "{refused}");
    assert!(disk.peek(&shard).is_some());
}

#[test]
fn a_checkpoint_of_newer_rules_is_left_alone_and_the_error_says_what_to_do() {
    let (disk, expected) = trimmed();
    set_rules(&disk, 7);
    let files = disk.files();
    for refused in [compact(&disk, 8).unwrap_err(), state(&disk, "pi1").unwrap_err()] {
        assert!(refused.to_string().contains("use the newer version"), "{refused}");
    }
    assert!(files.iter().all(|file| disk.peek(file).is_some()));
    // Where all journals are here they are read again.
    let whole = home();
    append(&whole, "pi1", "20261122", &batch("pi1", 0, 8)).unwrap();
    compact(&whole, 8).unwrap();
    set_rules(&whole, 7);
    assert_eq!(state(&whole, "pi1").unwrap(), state_of(&batch("pi1", 0, 8)));
    drop(expected);
}

/// A home that was restored from a backup, but for its checkpoint, which is of those rules; what it wrote since
/// that backup, and its state before.
fn set_back(backup: &FakeDisk, rules: u32) -> (FakeDisk, Vec<Datagram>, State) {
    let (disk, newer) = (backup.copy(), backup.copy());
    let since = batch("pi1", 7, 5);
    append(&newer, "pi1", "20261122", &since).unwrap();
    compact(&newer, 8).unwrap();
    let files = |disk: &FakeDisk| {
        let files = disk.files().into_iter();
        files.filter(|path| path.starts_with("checkpoint/")).collect::<Vec<_>>()
    };
    files(&disk).iter().for_each(|path| disk.unplant(path));
    for path in files(&newer) {
        disk.plant(&path, &newer.peek(&path).unwrap());
    }
    if rules != checkpoint::RULES {
        set_rules(&disk, rules);
    }
    (disk, since, state(&newer, "pi1").unwrap())
}

fn salvage(disk: &FakeDisk) -> usize {
    let lock = take_lock(disk).unwrap();
    checkpoint::salvage(&lock, &mut open(disk, "pi1").unwrap(), &command()).unwrap()
}

/// What the journals alone say.
fn of_journals(disk: &FakeDisk) -> State {
    let bytes: Vec<u8> = disk
        .files()
        .iter()
        .filter(|path| path.starts_with("wal/"))
        .flat_map(|path| disk.peek(path).unwrap())
        .collect();
    let mut state = State::default();
    state.extend(usv::records(&bytes).map(|record| usv::read(record.bytes).unwrap()));
    state
}

#[test]
fn what_only_a_checkpoint_of_any_rules_holds_of_the_own_log_is_written_into_it_again() {
    let whole = home();
    append(&whole, "pi1", "20261122", &batch("pi1", 0, 8)).unwrap();
    for (what, backup, rules) in [
        ("all journals", &whole, 0),
        ("all journals", &whole, 1),
        ("all journals", &whole, 7),
        ("bases", &trimmed().0, 0),
        ("bases", &trimmed().0, 1),
    ] {
        let (disk, since, expected) = set_back(backup, rules);
        assert_eq!(held(&of_journals(&disk), &since), 0, "{what} {rules}");
        assert!(checkpoint::outlives_own(&mut open(&disk, "pi1").unwrap()).unwrap());
        let salvaged = salvage(&disk);
        assert!(salvaged >= since.len(), "{what} {rules}");
        assert_eq!(held(&of_journals(&disk), &since), since.len(), "{what} {rules}");
        // Once: what is appended stands in the log then.
        assert_eq!(salvage(&disk), 0, "{what} {rules}");
        compact(&disk, 8).unwrap();
        assert!(!checkpoint::outlives_own(&mut open(&disk, "pi1").unwrap()).unwrap());
        assert_eq!(state(&disk, "pi1").unwrap(), expected, "{what} {rules}");
        if what == "all journals" {
            assert_eq!(salvaged, since.len(), "{rules}");
        }
    }
}

#[test]
fn what_newer_rules_made_is_for_those_who_can_read_it_where_history_is_gone() {
    let (disk, ..) = set_back(&trimmed().0, 7);
    let before = of_journals(&disk);
    assert!(!checkpoint::outlives_own(&mut open(&disk, "pi1").unwrap()).unwrap());
    assert_eq!(salvage(&disk), 0);
    assert_eq!(of_journals(&disk), before);
}

#[test]
fn lines_that_no_log_holds_any_more_and_newer_rules_cannot_read_are_kept_aside() {
    let whole = home();
    append(&whole, "pi1", "20261122", &batch("pi1", 0, 8)).unwrap();
    let (disk, since, expected) = set_back(&whole, checkpoint::RULES);
    add_illegible(&disk);
    assert_eq!(salvage(&disk), since.len());
    compact(&disk, 8).unwrap();
    assert_eq!(state(&disk, "pi1").unwrap(), expected);
    assert_eq!(aside(&disk).unwrap(), ILLEGIBLE);
}

#[test]
fn another_nodes_checkpoint_of_other_rules_is_refused_by_name() {
    let (disk, _) = trimmed();
    compact(&disk, 8).unwrap();
    let told = checkpoint::told(&mut open(&disk, "pi1").unwrap()).unwrap().unwrap();
    let told = String::from_utf8(told.text).unwrap().replace("\"rules\":1", "\"rules\":0");
    let here = home();
    let why = Incoming::begin(shared(&here), told.as_bytes()).unwrap().unwrap_err();
    assert!(why.contains("the same version"), "{why}");
    assert_eq!(here.list("checkpoint").unwrap(), []);
}
