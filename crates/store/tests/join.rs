//! Joining checkpoints: the same state as merging the logs they were made of, in any order; what comes
//! from outside is looked at before it counts; and every step may fail.
#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

mod support;

use std::collections::BTreeSet;

use cocli_core::{Datagram, LogId, SortedFile, State, Value};
use cocli_store::archive::{self, Moving};
use cocli_store::checkpoint::{self, Incoming, Manifest, Means, Taken, Turn, Wanted};
use cocli_store::disk::fake::{Fault, Times};
use cocli_store::journal::Placed;
use cocli_store::{Disk, FakeDisk, Result, StoreError};
use proptest::prelude::*;
use support::*;

const MANIFEST: &str = "checkpoint/manifest.json";

const NODES: [&str; 3] = ["pi1", "pi2", "mac"];

/// Few targets, fields and times, so that nodes disagree about much.
fn datagram() -> impl Strategy<Value = Datagram> {
    let target = prop_oneof![
        (0..4_u8).prop_map(|n| format!("companies/c{n}")),
        (0..3_u8).prop_map(|n| format!("people/p{n}/notes/n-{n}")),
    ];
    let field = prop_oneof![Just("city"), Just("name"), Just("tags.a"), Just("_deleted")];
    let value = prop_oneof![
        3 => "[a-c\n\u{e9}]{0,3}".prop_map(|text| Value::text(&text)),
        1 => Just(Value::null()),
    ];
    (target, field, 0..3_usize, value, 0..4_i64).prop_map(|(target, field, writer, value, at)| {
        let mut datagram = put(NODES[writer], &target, field, "", at);
        datagram.entry.value = value;
        datagram
    })
}

fn compact(disk: &FakeDisk, name: &str, means: &Means<'_>) {
    let (mut journals, lock) = (open(disk, name).unwrap(), take_lock(disk).unwrap());
    checkpoint::compact_by(&lock, &mut journals, means).unwrap();
}

/// Brings the checkpoint of a home to another one, in pieces of about so many bytes.
fn bring(from: (&FakeDisk, &str), to: &FakeDisk, max: usize) -> Result<bool> {
    let mut journals = open(from.0, from.1)?;
    let told = checkpoint::told(&mut journals)?.unwrap().text;
    let mut incoming = Incoming::begin(shared(to), &told)?.unwrap();
    while let Some(wanted) = incoming.wanted()? {
        let taken = match wanted {
            Wanted::Lines(file, offset) => {
                let bytes = checkpoint::piece(from.0, file, offset, max)?.unwrap();
                incoming.take(file, offset, &bytes)?
            }
            Wanted::Odd(behind) => {
                let entries = checkpoint::odd_behind(from.0, behind.as_ref(), max)?;
                incoming.take_odd(&entries)?
            }
        };
        assert_eq!(taken, Taken::Kept);
    }
    let (came, all) = incoming.progress();
    assert_eq!(came, all);
    incoming.is_whole(&logs_of(from.0))
}

fn logs_of(disk: &FakeDisk) -> BTreeSet<LogId> {
    Manifest::read(disk).unwrap().frontier.0.keys().cloned().collect()
}

fn join(disk: &FakeDisk, name: &str, means: &Means<'_>) -> Result<bool> {
    let (mut journals, lock) = (open(disk, name)?, take_lock(disk)?);
    checkpoint::join(&lock, &mut journals, means, &command())
}

/// All of the files of a checkpoint, which are named by what they hold.
fn sorted_files(disk: &FakeDisk) -> Vec<String> {
    let sorted = |path: &String| path.starts_with("checkpoint/") && path.contains('-');
    disk.files().into_iter().filter(sorted).collect()
}

fn merged(states: &[&State]) -> State {
    let mut all = State::default();
    for state in states {
        let entries = state.entries();
        all.extend(entries.map(|(target, field, entry)| Datagram {
            target: target.clone(),
            field: field.clone(),
            entry: entry.clone(),
        }));
    }
    all
}

/// Homes of three nodes, each with a part of every log, compacted now and then.
fn homes(logs: &[Vec<Datagram>], parts: &[(usize, usize, u64)]) -> Vec<FakeDisk> {
    let mut homes = Vec::new();
    for (at, name) in NODES.iter().enumerate() {
        let disk = home();
        for (of, writer) in NODES.iter().enumerate() {
            let (length, cut, share) = parts[at * NODES.len() + of];
            let held = if at == of { logs[of].len() } else { length.min(logs[of].len()) };
            for (number, one) in logs[of][..held].iter().enumerate() {
                append(&disk, writer, "20261122", std::slice::from_ref(one)).unwrap();
                if number == cut {
                    compact(&disk, name, &means(1 << 20, share));
                }
            }
        }
        homes.push(disk);
    }
    homes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn joining_checkpoints_in_any_order_is_merging_the_logs(
        logs in prop::collection::vec(prop::collection::vec(datagram(), 1..12), 3),
        parts in prop::collection::vec((0..12_usize, 0..14_usize, prop::sample::select(vec![0_u64, 8])), 9),
        damaged in prop::option::of(0..3_usize),
        max in 1..600_usize,
        memory in prop::sample::select(vec![1_usize, 4096, 1 << 20]),
    ) {
        let all = homes(&logs, &parts);
        if let Some(at) = damaged {
            // A record that neither reads nor checks, in a block between marks: a hole from then on.
            let path = format!("wal/20261122_{}.usv", NODES[at]);
            let reader = (at + 1) % 3;
            if let Some(mut bytes) = all[reader].peek(&path) {
                let name = NODES[reader];
                compact(&all[reader], name, &means(1 << 20, 8));
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
                all[reader].plant(&path, &bytes);
            }
        }
        for (disk, name) in all.iter().zip(NODES) {
            compact(disk, name, &means(1 << 20, 8));
        }
        let states: Vec<State> =
            all.iter().zip(NODES).map(|(disk, name)| state(disk, name).unwrap()).collect();
        let expected = merged(&[&states[0], &states[1], &states[2]]);
        let mut files = Vec::new();
        // ((0 1) 2), ((2 1) 0), (0 (1 2)), and each once more.
        for order in [&[(0, 1), (0, 2), (0, 1)][..], &[(2, 1), (2, 0)], &[(1, 2), (0, 1), (0, 2)]] {
            let copies: Vec<FakeDisk> = all.iter().map(FakeDisk::copy).collect();
            for (to, from) in order {
                bring((&copies[*from], NODES[*from]), &copies[*to], max).unwrap();
                prop_assert!(join(&copies[*to], NODES[*to], &means(memory, 8)).unwrap());
                prop_assert!(!join(&copies[*to], NODES[*to], &means(memory, 8)).unwrap());
            }
            let last = order[order.len() - 1].0;
            let manifest = Manifest::read(&copies[last]).unwrap();
            prop_assert_eq!(manifest.digest(), expected.digest());
            prop_assert_eq!(manifest.lines(), expected.len() as u64);
            prop_assert_eq!(state(&copies[last], NODES[last]).unwrap(), expected.clone());
            files.push(sorted_files(&copies[last]));
        }
        prop_assert_eq!(&files[0], &files[1]);
        prop_assert_eq!(&files[0], &files[2]);
    }
}

/// Two homes that wrote apart, each with a checkpoint of shards, the second with a run above.
fn two_homes() -> (FakeDisk, FakeDisk, State) {
    let (here, there) = (home(), home());
    let mut all = Vec::new();
    for (disk, name, first) in [(&here, "pi1", 0), (&there, "pi2", 100)] {
        for number in first..first + 4 {
            let batch = batch(name, number, if number == first { 12 } else { 3 });
            append(disk, name, "20261122", &batch).unwrap();
            all.extend(batch);
            let share = if number > first { 0 } else { 8 };
            compact(disk, name, &means(1 << 20, share));
        }
    }
    assert!(Manifest::read(&there).unwrap().runs() > 0);
    let expected = state_of(&all);
    (here, there, expected)
}

/// What becomes of a piece on the way.
type Change<'a> = &'a dyn Fn(SortedFile, u64, Vec<u8>) -> Vec<u8>;

/// As [`bring`], with every piece changed on the way, until one is refused.
fn bring_changed(there: &FakeDisk, here: &FakeDisk, change: Change<'_>) -> Option<String> {
    let told = checkpoint::told(&mut open(there, "pi2").unwrap()).unwrap().unwrap().text;
    let mut incoming = Incoming::begin(shared(here), &told).unwrap().unwrap();
    while let Some(Wanted::Lines(file, offset)) = incoming.wanted().unwrap() {
        let bytes = checkpoint::piece(there, file, offset, 300).unwrap().unwrap();
        match incoming.take(file, offset, &change(file, offset, bytes)).unwrap() {
            Taken::Kept => {}
            Taken::Elsewhere => return Some("elsewhere".to_owned()),
            Taken::Refused(why) => {
                assert!(incoming.wanted().unwrap().is_some());
                assert!(!incoming.is_whole(&BTreeSet::new()).unwrap());
                return Some(why);
            }
        }
    }
    None
}

#[test]
fn a_byte_that_is_another_is_refused_and_what_came_before_it_is_not_asked_for_again() {
    let (here, there, expected) = two_homes();
    let before = state(&here, "pi1").unwrap();
    let total: usize =
        sorted_files(&there).iter().map(|path| there.peek(path).unwrap().len()).sum();
    for at in 0..total {
        let disk = here.copy();
        let seen = std::cell::Cell::new(0);
        let change = |_: SortedFile, _: u64, mut bytes: Vec<u8>| {
            let from = seen.replace(seen.get() + bytes.len());
            if let Some(byte) = at.checked_sub(from).and_then(|at| bytes.get_mut(at)) {
                *byte ^= 1;
            }
            bytes
        };
        assert!(bring_changed(&there, &disk, &change).is_some(), "{at}");
        assert!(!join(&disk, "pi1", &means(1 << 20, 8)).unwrap());
        assert_eq!(state(&disk, "pi1").unwrap(), before, "{at}");
        if at % 37 == 0 {
            assert!(bring((&there, "pi2"), &disk, 500).unwrap());
            assert!(join(&disk, "pi1", &means(1 << 20, 8)).unwrap());
            assert_eq!(state(&disk, "pi1").unwrap(), expected, "{at}");
        }
    }
}

#[test]
fn lines_that_are_unsorted_torn_elsewhere_or_spelled_otherwise_are_refused() {
    let (here, there, _) = two_homes();
    let mut whys = Vec::new();
    let turned = |file: SortedFile, _: u64, bytes: Vec<u8>| {
        if file.shard.is_none() {
            return bytes;
        }
        let mut lines: Vec<&[u8]> = bytes.split_inclusive(|b| *b == b'\n').collect();
        lines.reverse();
        lines.concat()
    };
    let longer = |_: SortedFile, _: u64, bytes: Vec<u8>| [bytes.clone(), bytes].concat();
    let torn = |_: SortedFile, _: u64, bytes: Vec<u8>| bytes[..bytes.len() - 1].to_vec();
    // As long as before: the causality `-` is gone.
    let blank = |_: SortedFile, _: u64, bytes: Vec<u8>| {
        [b" ", &bytes[..bytes.len() - 3], b"\x1e\n"].concat()
    };
    let other = |file: SortedFile, _: u64, bytes: Vec<u8>| {
        let foreign = put("pi2", "companies/elsewhere", "name", "x", 1);
        let line = [cocli_core::usv::line(&foreign).as_bytes(), b"\x1e\n"].concat();
        if file.shard.is_some() && line.len() <= bytes.len() { line } else { bytes }
    };
    let none = |_: SortedFile, _: u64, _: Vec<u8>| Vec::new();
    let changes: [Change<'_>; 6] = [&turned, &longer, &torn, &blank, &other, &none];
    for change in changes {
        whys.push(bring_changed(&there, &here.copy(), change).unwrap());
    }
    let expected = [
        "does not stand behind",
        "at byte",
        "expected a whole state line",
        "not in canonical form",
        "expected a line of shard",
        "elsewhere",
    ];
    for (why, expected) in whys.iter().zip(expected) {
        assert!(why.contains(expected), "{why}");
    }
}

#[test]
fn a_manifest_that_does_not_add_up_or_is_of_other_rules_is_not_taken() {
    let (here, there, _) = two_homes();
    let told = checkpoint::told(&mut open(&there, "pi2").unwrap()).unwrap().unwrap().text;
    let text = String::from_utf8(told).unwrap();
    let refused =
        |text: &str| Incoming::begin(shared(&here), text.as_bytes()).unwrap().unwrap_err();
    assert!(refused(&text.replace("\"rules\":1", "\"rules\":7")).contains("other reading rules"));
    for (from, to) in [("\"version\":2", "\"version\":9"), ("\"fresh\":", "\"fresh\":9"), ("[", "")]
    {
        assert!(refused(&text.replacen(from, to, 1)).contains("expected"), "{from}");
    }
    assert!(checkpoint::told(&mut open(&home(), "mac").unwrap()).unwrap().is_none());
    // One whose sums are right, and whose lines are not those that it says.
    let (lines, digest) = {
        let manifest = Manifest::read(&there).unwrap();
        (manifest.lines(), manifest.digest().to_string())
    };
    let wrong = text
        .replace(
            &format!("\"lines\":{lines},\"frontier\""),
            &format!("\"lines\":{},\"frontier\"", lines + 1),
        )
        .replacen("\"fresh\":3", "\"fresh\":4", 1);
    assert_ne!(wrong, text, "{digest}");
    let mut incoming = Incoming::begin(shared(&here), wrong.as_bytes()).unwrap().unwrap();
    while let Some(Wanted::Lines(file, offset)) = incoming.wanted().unwrap() {
        let bytes = checkpoint::piece(&there, file, offset, 300).unwrap().unwrap();
        assert_eq!(incoming.take(file, offset, &bytes).unwrap(), Taken::Kept);
    }
    assert_eq!(incoming.take_odd(b"").unwrap(), Taken::Kept);
    assert!(incoming.is_whole(&logs_of(&there)).unwrap());
    let error = join(&here, "pi1", &means(1 << 20, 8)).unwrap_err();
    assert!(error.to_string().contains("expected"), "{error}");
    assert!(!join(&here, "pi1", &means(1 << 20, 8)).unwrap());
}

#[test]
fn files_that_the_next_manifest_names_too_are_not_fetched_again() {
    let (here, there, _) = two_homes();
    let told = checkpoint::told(&mut open(&there, "pi2").unwrap()).unwrap().unwrap().text;
    let mut incoming = Incoming::begin(shared(&here), &told).unwrap().unwrap();
    let Some(Wanted::Lines(first, 0)) = incoming.wanted().unwrap() else { panic!("a file") };
    let bytes = checkpoint::piece(&there, first, 0, 1 << 20).unwrap().unwrap();
    assert_eq!(incoming.take(first, 0, &bytes).unwrap(), Taken::Kept);
    // The other one compacts: its runs are others, most shards stay.
    append(&there, "pi2", "20261122", &batch("pi2", 200, 1)).unwrap();
    compact(&there, "pi2", &means(1 << 20, 0));
    let told = checkpoint::told(&mut open(&there, "pi2").unwrap()).unwrap().unwrap().text;
    let mut incoming = Incoming::begin(shared(&here), &told).unwrap().unwrap();
    let next = incoming.wanted().unwrap().unwrap();
    assert!(!matches!(next, Wanted::Lines(file, _) if file == first));
    assert!(incoming.progress().0 >= bytes.len() as u64);
    assert_eq!(checkpoint::piece(&there, SortedFile { shard: None, hash: 7 }, 0, 9).unwrap(), None);
}

#[test]
fn a_join_that_fails_anywhere_leaves_the_old_state_or_the_new_and_is_done_again() {
    let (here, there, expected) = two_homes();
    let before = state(&here, "pi1").unwrap();
    let all = |disk: &FakeDisk| -> std::result::Result<(), StoreError> {
        bring((&there, "pi2"), disk, 200)?;
        join(disk, "pi1", &means(1 << 20, 8)).map(|_| ())
    };
    let work = |disk: &FakeDisk| {
        let _ = all(disk);
        Vec::new()
    };
    let steps = at_every_step(&here, work, |disk, _, what| {
        let found = state(disk, "pi1").unwrap();
        assert!(found == before || found == expected, "{what}");
        check_home(disk, "pi1");
        let copy = disk.copy();
        let (mut journals, lock) = (open(&copy, "pi1").unwrap(), take_lock(&copy).unwrap());
        assert_eq!(checkpoint::repair(&lock, &mut journals, 1 << 20).unwrap().rebuilt, 0, "{what}");
        drop(lock);
        all(disk).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(Manifest::read(disk).unwrap().digest(), expected.digest(), "{what}");
        let left = disk.list("checkpoint/incoming").unwrap();
        assert_eq!(left, [], "{what}");
    });
    assert!(steps > 200, "{steps}");
}

fn held_vector(disk: &FakeDisk, name: &str) -> cocli_core::Vector {
    open(disk, name).unwrap().vector().unwrap()
}

/// Lets all history go that is in the checkpoint.
fn trim(disk: &FakeDisk, name: &str) {
    compact(disk, name, &means(1 << 20, 8));
    let mut journals = open(disk, name).unwrap();
    let later = cocli_core::Instant::from_micros(2_000_000_000_000_000).unwrap();
    let lock = || take_lock(disk).map(Some);
    let turn = Turn::try_take(disk).unwrap().unwrap();
    archive::archive(&turn, &mut journals, (Moving { after: 2, threads: 1 }, later), &lock)
        .unwrap();
    let going = archive::plan(&mut journals, 0, &|_| true).unwrap();
    archive::trim(&take_lock(disk).unwrap(), &mut journals, &going).unwrap();
}

#[test]
fn a_log_goes_on_at_the_others_frontier_and_takes_what_comes_behind_it() {
    let (here, there, expected) = two_homes();
    trim(&there, "pi2");
    let frontier = held_vector(&there, "pi2");
    let old = bytes_of(&batch("pi2", 100, 12));
    // What it held of the log before stays as history.
    here.plant("wal/20261122_pi2.usv", &old[..old.len() / 2]);
    assert!(bring((&there, "pi2"), &here, 400).unwrap());
    assert!(join(&here, "pi1", &means(1 << 20, 8)).unwrap());
    let mut vector = held_vector(&here, "pi1");
    assert_eq!(vector.0.remove(&log("pi2")), frontier.get(&log("pi2")));
    assert_eq!(vector, held_vector(&two_homes().0, "pi1"), "the own log is where it was");
    assert_eq!(state(&here, "pi1").unwrap(), expected);
    let more = batch("pi2", 300, 3);
    append(&there, "pi2", "20261122", &more).unwrap();
    let (mut journals, lock) = (open(&here, "pi1").unwrap(), take_lock(&here).unwrap());
    let from = frontier.position(&log("pi2"));
    let mut theirs = open(&there, "pi2").unwrap();
    let end = theirs.end(&log("pi2"));
    let range = theirs.read(&log("pi2"), from, end, 1 << 20).unwrap().unwrap();
    assert!(matches!(journals.append_range(&lock, &range).unwrap(), Placed::Appended(_)));
    journals.sync(&lock).unwrap();
    drop(lock);
    compact(&here, "pi1", &means(1 << 20, 8));
    let all = merged(&[&expected, &state_of(&more)]);
    assert_eq!(state(&here, "pi1").unwrap(), all);
}

#[test]
fn records_of_a_branch_that_the_other_node_never_knew_travel_on_in_the_own_log() {
    let (here, there, expected) = two_homes();
    trim(&there, "pi2");
    let branch = batch("pi2", 900, 4);
    here.plant("wal/20261121_pi2.usv", &bytes_of(&branch));
    let own = held_vector(&here, "pi1").position(&log("pi1"));
    assert!(bring((&there, "pi2"), &here, 400).unwrap());
    assert!(join(&here, "pi1", &means(1 << 20, 8)).unwrap());
    let all = merged(&[&expected, &state_of(&branch)]);
    assert_eq!(state(&here, "pi1").unwrap(), all);
    let copied = held_vector(&here, "pi1").position(&log("pi1")) - own;
    assert_eq!(copied, bytes_of(&branch).len() as u64);
}

#[test]
fn a_join_that_comes_to_nothing_and_is_tried_again_brings_nothing_along_twice() {
    let (here, there, expected) = two_homes();
    trim(&there, "pi2");
    let branch = batch("pi2", 900, 4);
    here.plant("wal/20261121_pi2.usv", &bytes_of(&branch));
    assert!(bring((&there, "pi2"), &here, 400).unwrap());
    let own = held_vector(&here, "pi1").position(&log("pi1"));
    for _ in 0..3 {
        let (mut journals, lock) = (open(&here, "pi1").unwrap(), take_lock(&here).unwrap());
        journals.sync(&lock).unwrap();
        let known = journals.vector().unwrap();
        let turn = Turn::try_take(&here).unwrap().unwrap();
        let begun = checkpoint::Begun::up_to(turn, &mut journals, &known).unwrap();
        let left = begun.left_behind(&means(1 << 20, 8)).unwrap();
        journals.append_verbatim(&lock, &left, (None, day("20261122")), &command()).unwrap();
        // A log was cut meanwhile, or the machine went down.
        drop(begun);
    }
    assert!(join(&here, "pi1", &means(1 << 20, 8)).unwrap());
    let all = merged(&[&expected, &state_of(&branch)]);
    assert_eq!(state(&here, "pi1").unwrap(), all);
    let copied = held_vector(&here, "pi1").position(&log("pi1")) - own;
    assert_eq!(copied, bytes_of(&branch).len() as u64);
}

#[test]
fn what_is_damaged_where_history_is_gone_is_made_from_another_nodes_checkpoint() {
    let (here, there, expected) = two_homes();
    assert!(bring((&there, "pi2"), &here, 400).unwrap());
    assert!(join(&here, "pi1", &means(1 << 20, 8)).unwrap());
    assert!(bring((&here, "pi1"), &there, 400).unwrap());
    assert!(join(&there, "pi2", &means(1 << 20, 8)).unwrap());
    append(&here, "pi1", "20261122", &batch("pi1", 50, 3)).unwrap();
    let all = merged(&[&expected, &state_of(&batch("pi1", 50, 3))]);
    for path in sorted_files(&here).into_iter().chain(["checkpoint/manifest.json".to_owned()]) {
        let disk = here.copy();
        let mut bytes = disk.peek(&path).unwrap();
        bytes[3] ^= 1;
        disk.plant(&path, &bytes);
        let (mut journals, lock) = (open(&disk, "pi1").unwrap(), take_lock(&disk).unwrap());
        let refused = checkpoint::repair(&lock, &mut journals, 1 << 20).unwrap_err();
        assert!(matches!(refused, StoreError::Unheld { .. }), "{path}: {refused}");
        drop(lock);
        assert!(bring((&there, "pi2"), &disk, 400).unwrap());
        assert!(join(&disk, "pi1", &means(1 << 20, 8)).unwrap(), "{path}");
        assert_eq!(state(&disk, "pi1").unwrap(), all, "{path}");
        assert_eq!(Manifest::read(&disk).unwrap().digest(), all.digest(), "{path}");
        let (mut journals, lock) = (open(&disk, "pi1").unwrap(), take_lock(&disk).unwrap());
        assert_eq!(checkpoint::repair(&lock, &mut journals, 1 << 20).unwrap().rebuilt, 0, "{path}");
    }
}

/// Flips a bit of a file.
fn damage(disk: &FakeDisk, path: &str) {
    let mut bytes = disk.peek(path).unwrap();
    bytes[3] ^= 1;
    disk.plant(path, &bytes);
}

#[test]
fn one_that_does_not_cover_what_is_lost_here_makes_way_for_one_that_does() {
    let ((here, there, _), mac) = (two_homes(), home());
    assert!(bring((&there, "pi2"), &here, 400).unwrap());
    assert!(join(&here, "pi1", &means(1 << 20, 8)).unwrap());
    let expected = state(&here, "pi1").unwrap();
    // It never heard of the log that begins at a base here.
    append(&mac, "mac", "20261122", &batch("mac", 500, 30)).unwrap();
    compact(&mac, "mac", &means(1 << 20, 8));
    let all = merged(&[&expected, &state_of(&batch("mac", 500, 30))]);
    for (rules, path) in [
        (1, sorted_files(&here)[0].clone()),
        (0, sorted_files(&here)[0].clone()),
        (1, MANIFEST.to_owned()),
    ] {
        let disk = here.copy();
        let text = String::from_utf8(disk.peek(MANIFEST).unwrap()).unwrap();
        let told = text.replace("\"rules\":1", &format!("\"rules\":{rules}"));
        disk.plant(MANIFEST, told.as_bytes());
        // Where nothing is lost it is of use.
        let sound = disk.copy();
        assert!(bring((&mac, "mac"), &sound, 400).unwrap());
        assert!(join(&sound, "pi1", &means(1 << 20, 8)).unwrap());
        assert_eq!(state(&sound, "pi1").unwrap(), all, "{rules} {path}");

        damage(&disk, &path);
        assert!(bring((&mac, "mac"), &disk, 400).unwrap());
        let refused = join(&disk, "pi1", &means(1 << 20, 8)).unwrap_err();
        assert!(matches!(refused, StoreError::Unheld { .. }), "{rules} {path}: {refused}");
        assert!(!checkpoint::waits(&disk).unwrap(), "{rules} {path}");
        assert_eq!(disk.list("checkpoint/incoming").unwrap(), [], "{rules} {path}");
        assert!(bring((&there, "pi2"), &disk, 400).unwrap());
        assert!(join(&disk, "pi1", &means(1 << 20, 8)).unwrap(), "{rules} {path}");
        assert_eq!(state(&disk, "pi1").unwrap(), expected, "{rules} {path}");
    }
}

#[test]
fn one_that_does_not_cover_all_that_is_gone_here_stays_when_the_disk_is_full() {
    let ((here, there, _), mac) = (two_homes(), home());
    assert!(bring((&there, "pi2"), &here, 400).unwrap());
    assert!(join(&here, "pi1", &means(1 << 20, 8)).unwrap());
    append(&mac, "mac", "20261122", &batch("mac", 500, 30)).unwrap();
    compact(&mac, "mac", &means(1 << 20, 8));
    assert!(bring((&mac, "mac"), &here, 400).unwrap());
    let mut refused = 0;
    for k in 1.. {
        let disk = here.copy();
        disk.fail_at(k, Fault::NoSpace, Times::Once);
        let joined = join(&disk, "pi1", &means(1 << 20, 8));
        if disk.ops() < k {
            break;
        }
        if let Err(error) = joined {
            assert!(checkpoint::waits(&disk).unwrap(), "{k}: {error}");
            refused += 1;
        }
    }
    assert!(refused > 5, "{refused}");
}

#[test]
fn a_log_with_a_hole_in_the_others_checkpoint_does_not_go_on_from_it() {
    let (here, there, _) = two_homes();
    let told = checkpoint::told(&mut open(&there, "pi2").unwrap()).unwrap().unwrap().text;
    let text = String::from_utf8(told).unwrap();
    assert!(text.contains("\"holes\":[]"));
    // As one says it who does not leave such logs out.
    let told = text.replace("\"holes\":[]", "\"holes\":[{\"log\":\"pi2\",\"from\":0,\"to\":10}]");
    let mut incoming = Incoming::begin(shared(&here), told.as_bytes()).unwrap().unwrap();
    while let Some(Wanted::Lines(file, offset)) = incoming.wanted().unwrap() {
        let bytes = checkpoint::piece(&there, file, offset, 900).unwrap().unwrap();
        assert_eq!(incoming.take(file, offset, &bytes).unwrap(), Taken::Kept);
    }
    assert_eq!(incoming.take_odd(b"").unwrap(), Taken::Kept);
    assert!(incoming.is_whole(&logs_of(&there)).unwrap());
    assert!(join(&here, "pi1", &means(1 << 20, 8)).unwrap());
    assert_eq!(held_vector(&here, "pi1").position(&log("pi2")), 0);
    // One who has it leaves the log out.
    let manifest = there.peek("checkpoint/manifest.json").unwrap();
    let manifest = String::from_utf8(manifest).unwrap();
    let holes =
        manifest.replace("\"holes\":[]", "\"holes\":[{\"log\":\"pi2\",\"from\":0,\"to\":10}]");
    there.plant("checkpoint/manifest.json", holes.as_bytes());
    let told = checkpoint::told(&mut open(&there, "pi2").unwrap()).unwrap().unwrap().text;
    let told = String::from_utf8(told).unwrap();
    assert!(told.contains("\"frontier\":[]"), "{told}");
}

#[test]
fn a_line_that_is_longer_than_a_piece_comes_alone() {
    let disk = home();
    let batch: Vec<_> =
        (0..9).map(|n| put("pi1", "companies/a", &format!("f{n}"), "x", n)).collect();
    append(&disk, "pi1", "20261121", &batch).unwrap();
    compact(&disk, "pi1", &means(1 << 20, 8));
    let is_shard = |path: &String| path.starts_with("checkpoint/") && path[13..].starts_with('-');
    let path = disk.files().into_iter().find(is_shard).unwrap();
    let shard = u8::from_str_radix(&path[11..13], 16).unwrap();
    let hash = u128::from_str_radix(&path[14..46], 16).unwrap();
    let file = cocli_core::SortedFile { shard: Some(shard), hash };
    let all = disk.peek(&path).unwrap();
    let first = all.iter().position(|b| *b == 0x1e).unwrap() + 2;
    let piece = |max| cocli_store::checkpoint::piece(&disk, file, 0, max).unwrap().unwrap();
    for max in [1, 10, first - 1] {
        assert_eq!(piece(max).len(), first, "{max}");
    }
    assert_eq!(piece(first + 1).len(), first);
    assert_eq!(piece(all.len()).len(), all.len());
}

/// What was done while a checkpoint came, by what and where.
fn trace_of(disk: &FakeDisk, work: impl FnOnce()) -> Vec<String> {
    disk.start_trace();
    work();
    let number = |line: String| line.split_once(' ').map(|(_, what)| what.to_owned()).unwrap();
    disk.trace().into_iter().map(number).collect()
}

#[test]
fn no_step_of_taking_a_checkpoint_does_more_than_one_file_and_none_is_read_again() {
    let (here, there, _) = two_homes();
    let told = checkpoint::told(&mut open(&there, "pi2").unwrap()).unwrap().unwrap().text;
    let mut incoming = Incoming::begin(shared(&here), &told).unwrap().unwrap();
    while let Some(Wanted::Lines(file, offset)) = incoming.wanted().unwrap() {
        let bytes = checkpoint::piece(&there, file, offset, 300).unwrap().unwrap();
        let steps = trace_of(&here, || {
            assert_eq!(incoming.take(file, offset, &bytes).unwrap(), Taken::Kept);
        });
        let count = |what: &str| steps.iter().filter(|step| step.starts_with(what)).count();
        assert_eq!((count("read"), count("write")), (0, 1), "{steps:?}");
        assert!(count("sync ") <= 1, "{steps:?}");
    }
    assert_eq!(incoming.take_odd(b"").unwrap(), Taken::Kept);
    // The other one compacted: what came is not looked at again.
    let before = here.bytes_read();
    let mut incoming = incoming.begin_again(&told).unwrap().unwrap();
    assert_eq!(incoming.wanted().unwrap(), Some(Wanted::Odd(None)));
    assert_eq!(incoming.take_odd(b"").unwrap(), Taken::Kept);
    let steps = trace_of(&here, || assert!(incoming.is_whole(&BTreeSet::new()).unwrap()));
    let of_lines = |step: &&String| step.starts_with("sync ") && !step.contains("whole.json");
    assert_eq!(steps.iter().filter(of_lines).count(), 0, "{steps:?}");
    assert_eq!(here.bytes_read(), before);
    // And it is durable.
    here.crash(7);
    assert!(checkpoint::waits(&here).unwrap());
    assert!(join(&here, "pi1", &means(1 << 20, 8)).unwrap());
}

/// An odd record of a log, as it stands in the journal.
fn odd_record(n: usize) -> Vec<u8> {
    format!("yesterday\u{1f}pi2\u{1f}companies/odd\u{1f}name\u{1f}{n}\u{1f}\u{1e}").into_bytes()
}

fn odd_of(disk: &FakeDisk, name: &str) -> Vec<(String, u64, Vec<u8>)> {
    let odd = cocli_store::Reader::open(&mut open(disk, name).unwrap()).unwrap().odd().unwrap();
    odd.into_iter().map(|odd| (odd.log.to_string(), odd.position, odd.bytes)).collect()
}

#[test]
fn odd_records_of_what_a_log_passes_over_come_along() {
    let (here, there) = (two_homes().0, home());
    // Three of them, of which one is here already, and one stands in a log that does not go on.
    let odd: Vec<Vec<u8>> = (0..3).map(odd_record).collect();
    let first = [bytes_of(&batch("pi2", 100, 12)), odd[0].clone()].concat();
    there.plant("wal/20261119_mac.usv", &odd[2]);
    there.plant("wal/20261120_pi2.usv", &first);
    there.plant("wal/20261121_pi2.usv", &odd[1]);
    here.plant("wal/20261120_pi2.usv", &first);
    compact(&here, "pi1", &means(1 << 20, 8));
    compact(&there, "mac", &means(1 << 20, 8));
    let all = odd_of(&there, "mac");
    assert_eq!(all.len(), 3);
    trim(&there, "mac");
    let told = checkpoint::told(&mut open(&there, "mac").unwrap()).unwrap().unwrap().text;
    for max in [1, 1 << 20] {
        let disk = here.copy();
        let mut incoming = Incoming::begin(shared(&disk), &told).unwrap().unwrap();
        loop {
            match incoming.wanted().unwrap() {
                Some(Wanted::Lines(file, offset)) => {
                    let bytes = checkpoint::piece(&there, file, offset, 900).unwrap().unwrap();
                    assert_eq!(incoming.take(file, offset, &bytes).unwrap(), Taken::Kept);
                }
                Some(Wanted::Odd(behind)) => {
                    let bytes = checkpoint::odd_behind(&there, behind.as_ref(), max).unwrap();
                    // Neither torn, nor once more from the beginning.
                    if let Some((_, most)) = bytes.split_last() {
                        assert!(matches!(incoming.take_odd(most).unwrap(), Taken::Refused(_)));
                    }
                    assert_eq!(incoming.take_odd(&bytes).unwrap(), Taken::Kept);
                    if !bytes.is_empty() {
                        assert!(matches!(incoming.take_odd(&bytes).unwrap(), Taken::Refused(_)));
                    }
                }
                None => break,
            }
        }
        assert!(incoming.is_whole(&BTreeSet::from([log("pi2")])).unwrap());
        // Entries that changed on the disk are not believed.
        let changed = disk.copy();
        let mut bytes = changed.peek("checkpoint/incoming/odd.usv").unwrap();
        bytes[40] ^= 1;
        changed.plant("checkpoint/incoming/odd.usv", &bytes);
        let refused = join(&changed, "pi1", &means(1 << 20, 8)).unwrap_err();
        assert!(refused.to_string().contains("fetched again"), "{refused}");
        assert!(!checkpoint::waits(&changed).unwrap());
        assert!(join(&disk, "pi1", &means(1 << 20, 8)).unwrap());
        assert_eq!(odd_of(&disk, "pi1"), all[1..], "{max}");
    }
}
