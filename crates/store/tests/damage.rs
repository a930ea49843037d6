//! Journals that were cut, flipped, emptied, removed or replaced: never a wrong value, no sound record
//! lost, nothing valid cut, and others' bytes heal what can be healed.
#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

mod support;

use std::collections::BTreeSet;

use cocli_core::{Datagram, State, Target, usv};
use cocli_store::checkpoint::{Begun, Means, Turn};
use cocli_store::journal::Trouble;
use cocli_store::{FakeDisk, Journals, Reader, StoreError, checkpoint};
use support::*;

const FILE: &str = "wal/20261122_pi1.usv";

/// A home with one journal of a few KB, without any mark inside.
fn small_home() -> (FakeDisk, Vec<Datagram>) {
    let disk = home();
    let all: Vec<Datagram> = (0..24).flat_map(|number| batch("pi1", number, 1)).collect();
    append(&disk, "pi1", "20261122", &all).unwrap();
    (disk, all)
}

/// A home with two days and several marks, and its datagrams.
fn marked_home() -> (FakeDisk, Vec<Datagram>) {
    let disk = home();
    let (mut journals, lock) = (open(&disk, "pi1").unwrap(), take_lock(&disk).unwrap());
    let mut all = Vec::new();
    for (today, numbers) in [("20261121", 0..20), ("20261122", 20..60), ("20261123", 60..70)] {
        for number in numbers {
            let long = "x".repeat(900);
            let some: Vec<Datagram> = (0..5)
                .map(|at| {
                    put(
                        "pi1",
                        &format!("companies/c{}", number % 7),
                        &format!("f_{number}_{at}"),
                        &long,
                        number,
                    )
                })
                .collect();
            journals.append_own(&lock, day(today), &bytes_of(&some), &command()).unwrap();
            all.extend(some);
        }
    }
    (disk, all)
}

/// The state of everything but the named datagrams must be there, and nothing that nobody wrote.
fn assert_only_missing(state: &State, all: &[Datagram], may_miss: usize, what: &str) {
    let wrong = state.entries().filter(|(target, field, entry)| {
        !all.iter().any(|d| d.target == **target && d.field == **field && d.entry == **entry)
    });
    assert_eq!(wrong.count(), 0, "{what}: a value that nobody wrote");
    assert!(
        held(state, all) + may_miss >= all.len(),
        "{what}: {} of {}",
        held(state, all),
        all.len()
    );
}

#[test]
fn a_journal_cut_at_any_byte_keeps_all_whole_records_and_takes_the_next() {
    let (disk, all) = small_home();
    let bytes = disk.peek(FILE).unwrap();
    for at in 0..bytes.len() {
        // As a replica: the own log would be doubted, which is another test.
        let torn = home();
        torn.plant(FILE, &bytes[..at]);
        let whole = usv::records(&bytes[..at]).count();
        let state = state(&torn, "mac").unwrap();
        assert_eq!(held(&state, &all), whole, "cut at {at}");
        assert_eq!(state.len(), whole);
        // As an own log without marks: the torn end is cut, and the next record stands whole.
        let next = batch("pi1", 80, 1);
        append(&torn, "pi1", "20261122", &next).unwrap();
        let after = support::state(&torn, "pi1").unwrap();
        assert_eq!((held(&after, &all), held(&after, &next)), (whole, 1), "cut at {at}");
        assert_eq!(Reader::open(&mut open(&torn, "pi1").unwrap()).unwrap().odd().unwrap(), []);
    }
}

#[test]
fn a_flipped_byte_costs_at_most_its_own_record() {
    let (disk, all) = small_home();
    let bytes = disk.peek(FILE).unwrap();
    let torn = home();
    for at in 0..bytes.len() {
        for bit in [0, 3, 5] {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            torn.plant(FILE, &flipped);
            // A flipped separator joins or parts records; the other of the two is still read.
            assert_only_missing(&state(&torn, "mac").unwrap(), &all, 1, &format!("{at} {bit}"));
        }
    }
}

#[test]
fn any_byte_becoming_a_separator_makes_no_value() {
    let (disk, all) = small_home();
    let bytes = disk.peek(FILE).unwrap();
    let torn = home();
    for at in 0..bytes.len() {
        for byte in [usv::RS, usv::US, b'\n', b'#'] {
            let mut changed = bytes.clone();
            changed[at] = byte;
            torn.plant(FILE, &changed);
            assert_only_missing(&state(&torn, "mac").unwrap(), &all, 1, &format!("{at} {byte}"));
        }
    }
}

#[test]
fn one_target_is_read_as_rightly_as_all_of_them() {
    let (disk, all) = small_home();
    let bytes = disk.peek(FILE).unwrap();
    let torn = home();
    let target = Target::read("companies/c3").unwrap();
    for at in (0..bytes.len()).step_by(3) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1;
        torn.plant(FILE, &flipped);
        let reader = Reader::open(&mut open(&torn, "mac").unwrap()).unwrap();
        let alone = reader.entity(&target).unwrap();
        let state = reader.state().unwrap();
        assert_eq!(Some(&alone), state.entity(&target).or(Some(&Default::default())), "{at}");
        for (field, entry) in &alone.fields {
            assert!(all.iter().any(|d| d.field == *field && d.entry == *entry), "{at}");
        }
    }
}

/// Another home that holds the same log.
fn replica_of(disk: &FakeDisk) -> FakeDisk {
    let other = home();
    let mut from = open(disk, "pi1").unwrap();
    let (mut journals, lock) = (open(&other, "mac").unwrap(), take_lock(&other).unwrap());
    for range in ranges(&mut from, &log("pi1"), 64 * 1024) {
        journals.append_range(&lock, &range).unwrap();
    }
    journals.sync(&lock).unwrap();
    assert_eq!(journals.vector().unwrap().get(&log("pi1")), Some(from.head(&log("pi1")).unwrap()));
    other
}

/// Asks `origin` for what is missing, as the engine would.
fn heal_from(origin: &FakeDisk, journals: &mut Journals, disk: &FakeDisk) {
    let lock = take_lock(disk).unwrap();
    let mut from = open(origin, "pi1").unwrap();
    for hole in journals.holes() {
        let mut at = hole.from.position;
        let mut ranges = Vec::new();
        while let Some(range) = from.read(&hole.log, at, hole.until.position, 20_000).unwrap() {
            at += range.bytes.len() as u64;
            ranges.push(range);
        }
        let healed = journals.heal(&lock, &ranges, day("20261123"), &command()).unwrap();
        assert_eq!(healed, [(hole.log, hole.from.position)]);
    }
}

#[test]
fn a_damaged_block_is_a_hole_that_nobody_is_sent_and_others_heal() {
    let (origin, all) = marked_home();
    let mut whole = open(&origin, "pi1").unwrap();
    for at in [10, 70_000, 150_000, 190_000] {
        let disk = replica_of(&origin);
        let mut bytes = disk.peek(FILE).unwrap();
        bytes[at] ^= 4;
        disk.plant(FILE, &bytes);
        let mut journals = open(&disk, "mac").unwrap();
        let before = journals.head(&log("pi1")).unwrap();
        // Before anybody looked, too, who asks for all of it is sent what is sound and stands before it.
        let (mut unaware, mut sent) = (open(&disk, "mac").unwrap(), 0);
        while let Ok(range) = unaware.read(&log("pi1"), sent, u64::MAX, 1 << 20) {
            let end = range.unwrap().end();
            assert_eq!(whole.hash_at(&log("pi1"), end.position).unwrap(), Some(end.hash), "{at}");
            sent = end.position;
        }
        assert!(sent <= unaware.holes()[0].from.position);
        // Its sound records are read, and those behind it.
        let state_now = Reader::open(&mut journals).unwrap().state().unwrap();
        assert_only_missing(&state_now, &all, 1, "flipped");
        assert!(held(&state_now, &all) < all.len());
        journals.scrub(&log("pi1")).unwrap();
        let [hole] = &journals.holes()[..] else { panic!("{at}: {:?}", journals.holes()) };
        let (from, until) = (hole.from.position, hole.until.position);
        assert!(matches!(
            journals.read(&log("pi1"), from, until, 1 << 20),
            Err(StoreError::Damaged { .. })
        ));
        assert!(journals.read(&log("pi1"), until, u64::MAX, 1 << 20).unwrap().is_some());
        // A compaction goes on behind it, and takes the rest when it is healed.
        let lock = take_lock(&disk).unwrap();
        checkpoint::compact(&lock, &mut journals, 1 << 24).unwrap();
        assert_eq!(Reader::open(&mut journals).unwrap().state().unwrap(), state_now);
        drop(lock);
        heal_from(&origin, &mut journals, &disk);
        assert_eq!(journals.holes(), []);
        assert_eq!(journals.head(&log("pi1")).unwrap(), before);
        assert_eq!(held(&state(&disk, "mac").unwrap(), &all), all.len());
        let (mut journals, lock) = (open(&disk, "mac").unwrap(), take_lock(&disk).unwrap());
        checkpoint::compact(&lock, &mut journals, 1 << 24).unwrap();
        let reader = Reader::open(&mut journals).unwrap();
        assert_eq!(reader.tail_bytes(), 0);
        assert_eq!(reader.digest().unwrap(), state_of(&all).digest());
        check_home(&disk, "mac");
    }
}

#[test]
fn what_a_healing_left_is_told_apart_from_what_it_made_whole() {
    let (origin, _) = marked_home();
    let disk = replica_of(&origin);
    // Two neighbouring days are gone: one gap, and a hole of each day.
    for file in ["wal/20261121_pi1.usv", FILE] {
        disk.unplant(file);
    }
    let mut journals = open(&disk, "mac").unwrap();
    let holes = journals.holes();
    assert_eq!(
        holes.iter().map(|hole| hole.day).collect::<Vec<_>>(),
        [day("20261121"), day("20261122")]
    );
    let mut from = open(&origin, "pi1").unwrap();
    let lock = take_lock(&disk).unwrap();
    for (at, hole) in holes.iter().enumerate() {
        let length = usize::try_from(hole.until.position - hole.from.position).unwrap();
        let read =
            |from: &mut Journals, at, until| from.read(&hole.log, at, until, length).unwrap();
        let range = read(&mut from, hole.from.position, hole.until.position).unwrap();
        let healed = journals.heal(&lock, &[range], day("20261123"), &command()).unwrap();
        assert_eq!(healed, [(hole.log.clone(), hole.from.position)]);
        assert_eq!(journals.holes(), holes[at + 1..]);
    }
    drop(lock);
    check_home(&disk, "mac");
}

#[test]
fn bytes_that_do_not_lead_to_the_mark_heal_nothing() {
    let (origin, all) = marked_home();
    let disk = replica_of(&origin);
    let mut bytes = disk.peek(FILE).unwrap();
    bytes[1000] ^= 4;
    disk.plant(FILE, &bytes);
    let mut journals = open(&disk, "mac").unwrap();
    journals.scrub(&log("pi1")).unwrap();
    let hole = journals.holes().remove(0);
    let mut from = open(&origin, "pi1").unwrap();
    let mut range =
        from.read(&hole.log, hole.from.position, hole.until.position, 1 << 20).unwrap().unwrap();
    range.bytes[500] ^= 1;
    let lock = take_lock(&disk).unwrap();
    assert_eq!(journals.heal(&lock, &[range], day("20261123"), &command()).unwrap(), []);
    assert_eq!(journals.holes(), [hole]);
    assert_eq!(disk.peek(FILE).unwrap(), bytes);
    drop(lock);
    assert_only_missing(&state(&disk, "mac").unwrap(), &all, 1, "not healed");
}

#[test]
fn what_somebody_wrote_into_a_closed_journal_survives_the_healing() {
    let (origin, all) = marked_home();
    let disk = replica_of(&origin);
    // A merge by git put a sound record into the middle.
    let stray = put("stranger", "companies/c1", "stray", "kept", 77);
    let bytes = disk.peek(FILE).unwrap();
    let at = usv::records(&bytes).nth(5).unwrap().at;
    let merged = [&bytes[..at], &bytes_of([&stray]), &bytes[at..]].concat();
    disk.plant(FILE, &merged);
    let mut journals = open(&disk, "mac").unwrap();
    assert!(journals.troubles().any(|(_, _, trouble)| matches!(trouble, Trouble::Misfit { .. })));
    let lock = take_lock(&disk).unwrap();
    journals.adopt(&lock, day("20261123"), &command()).unwrap();
    journals.scrub(&log("pi1")).unwrap();
    assert!(!journals.holes().is_empty());
    drop(lock);
    heal_from(&origin, &mut journals, &disk);
    let state = state(&disk, "mac").unwrap();
    assert_eq!(held(&state, &all), all.len());
    assert_eq!(held(&state, &[stray]), 1, "the stray record was lost");
}

/// What can become of a file.
fn damage_file(disk: &FakeDisk, path: &str, how: usize) {
    let bytes = disk.peek(path).unwrap();
    disk.unplant(path);
    match how {
        0 => {}
        1 => disk.plant(path, b""),
        2 => disk.plant(path, &bytes[..bytes.len() / 2]),
        3 => disk.plant_folder(path),
        _ => disk.plant(path, &vec![0; bytes.len()]),
    }
}

#[test]
fn a_journal_gone_empty_short_or_a_folder_is_a_state_and_others_heal_it() {
    let (origin, all) = marked_home();
    for file in ["wal/20261121_pi1.usv", FILE, "wal/20261123_pi1.usv"] {
        for how in 0..5 {
            let what = format!("{file} {how}");
            let disk = replica_of(&origin);
            damage_file(&disk, file, how);
            let mut journals = open(&disk, "mac").unwrap();
            let rest = Reader::open(&mut journals).unwrap().state().unwrap();
            assert_only_missing(&rest, &all, all.len() * 2 / 3, &what);
            journals.scrub(&log("pi1")).unwrap();
            let last = file.contains("23");
            if !last {
                assert!(!journals.holes().is_empty(), "{what}");
                assert!(how == 4 || journals.troubles().next().is_some(), "{what}");
            }
            if how == 3 {
                // A person has to take the folder away; nothing else stops.
                let lock = take_lock(&disk).unwrap();
                journals
                    .append_own(&lock, day("20261123"), &bytes_of(&batch("mac", 1, 1)), &command())
                    .unwrap();
                checkpoint::compact(&lock, &mut journals, 1 << 24).unwrap();
                continue;
            }
            heal_from(&origin, &mut journals, &disk);
            // What is missing at the end comes as it came at first.
            let mut from = open(&origin, "pi1").unwrap();
            let lock = take_lock(&disk).unwrap();
            let head = journals.head(&log("pi1")).unwrap();
            let mut at = head.position;
            while let Some(range) = from.read(&log("pi1"), at, u64::MAX, 50_000).unwrap() {
                at += range.bytes.len() as u64;
                journals.append_range(&lock, &range).unwrap();
            }
            journals.sync(&lock).unwrap();
            drop(lock);
            assert_eq!(held(&state(&disk, "mac").unwrap(), &all), all.len(), "{what}");
            check_home(&disk, "mac");
            let healed = disk.peek(file).unwrap();
            assert_eq!(healed, origin.peek(file).unwrap(), "{what}");
        }
    }
}

#[test]
fn an_own_log_that_lost_durable_bytes_is_closed_and_not_continued() {
    let (disk, all) = marked_home();
    let bytes = disk.peek("wal/20261123_pi1.usv").unwrap();
    for keep in [0, 1, bytes.len() / 2, bytes.len() - 1] {
        let short = disk.copy();
        short.plant("wal/20261123_pi1.usv", &bytes[..keep]);
        let next = batch("pi1", 99, 2);
        let error = append(&short, "pi1", "20261123", &next).unwrap_err();
        assert!(matches!(error, StoreError::Doubted { .. }), "{keep}: {error}");
        let written = append_or_close(&short, "pi1", "20261123", &next, "abcdefgh").unwrap();
        assert_eq!(written.log, log("pi1~abcdefgh"), "{keep}");
        // The others' bytes of the old log come back as of any other.
        let (mut journals, lock) = (open(&short, "pi1").unwrap(), take_lock(&short).unwrap());
        let mut from = open(&disk, "pi1").unwrap();
        let mut at = journals.head(&log("pi1")).unwrap().position;
        while let Some(range) = from.read(&log("pi1"), at, u64::MAX, 50_000).unwrap() {
            at += range.bytes.len() as u64;
            journals.append_range(&lock, &range).unwrap();
        }
        journals.sync(&lock).unwrap();
        drop(lock);
        check_home(&short, "pi1");
        let state = state(&short, "pi1").unwrap();
        assert_eq!((held(&state, &all), held(&state, &next)), (all.len(), 2), "{keep}");
    }
}

#[test]
fn a_hole_in_the_own_log_costs_no_append_and_closing_copies_only_what_checks_itself() {
    let (disk, mut all) = marked_home();
    let mut bytes = disk.peek(FILE).unwrap();
    let damaged = usv::records(&bytes).nth(3).unwrap().at + 200;
    bytes[damaged] ^= 1;
    disk.plant(FILE, &bytes);
    let next = batch("pi1", 98, 1);
    append(&disk, "pi1", "20261123", &next).unwrap();
    all.extend(next);
    let mut journals = open(&disk, "pi1").unwrap();
    journals.scrub(&log("pi1")).unwrap();
    let hole = journals.holes().remove(0);
    let lock = take_lock(&disk).unwrap();
    let closed =
        journals.close_and_copy(&lock, &hole.log, hole.from.position, &epoch("abcdefgh")).unwrap();
    assert_eq!(closed.trusted, hole.from);
    drop(lock);
    check_home(&disk, "pi1");
    let state = state(&disk, "pi1").unwrap();
    assert_only_missing(&state, &all, 1, "closed");
    assert_eq!(disk.files().iter().filter(|path| path.contains("aside/")).count(), 2);
}

#[test]
fn a_mark_flipped_or_lost_costs_time_and_no_record() {
    let (disk, all) = marked_home();
    let path = ".cocli/marks/pi1.marks";
    let marks = disk.peek(path).unwrap();
    let expected = open(&disk, "pi1").unwrap().head(&log("pi1")).unwrap();
    for at in (0..marks.len()).step_by(7) {
        let torn = disk.copy();
        let mut flipped = marks.clone();
        flipped[at] ^= 2;
        torn.plant(path, &flipped);
        check_home(&torn, "pi1");
        assert_eq!(open(&torn, "pi1").unwrap().head(&log("pi1")).unwrap(), expected, "{at}");
        assert_eq!(held(&state(&torn, "pi1").unwrap(), &all), all.len());
    }
}

#[test]
fn a_shard_flipped_or_gone_is_read_from_the_journals_and_made_anew() {
    let (disk, all) = small_home();
    let (mut journals, lock) = (open(&disk, "pi1").unwrap(), take_lock(&disk).unwrap());
    checkpoint::compact(&lock, &mut journals, 1 << 24).unwrap();
    drop(lock);
    let expected = state_of(&all);
    let shards: BTreeSet<String> = disk
        .files()
        .into_iter()
        .filter(|p| p.starts_with("checkpoint/") && p.contains('-'))
        .collect();
    assert!(shards.len() >= 4);
    for shard in &shards {
        for how in ["flipped", "gone", "spoilt"] {
            let torn = disk.copy();
            let mut bytes = torn.peek(shard).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            match how {
                "flipped" => torn.plant(shard, &bytes),
                "gone" => torn.unplant(shard),
                _ => torn.spoil(shard, 0..512),
            }
            let mut journals = open(&torn, "pi1").unwrap();
            let reader = Reader::open(&mut journals).unwrap();
            assert_eq!(reader.state().unwrap(), expected, "{shard} {how}");
            for (target, entity) in expected.entities() {
                assert_eq!(&reader.entity(target).unwrap(), entity, "{shard}");
            }
            let lock = take_lock(&torn).unwrap();
            let done = checkpoint::repair(&lock, &mut journals, 1 << 24).unwrap();
            assert_eq!(done.rebuilt, 1);
            assert_eq!(torn.peek(shard), disk.peek(shard));
        }
    }
    // What the medium lost of the manifest and of the odd records stops nobody.
    for path in ["checkpoint/manifest.json", "checkpoint/odd.usv"] {
        let torn = disk.copy();
        torn.plant("checkpoint/odd.usv", b"x");
        torn.spoil(path, 0..1);
        assert_eq!(state(&torn, "pi1").unwrap(), expected, "{path}");
        let (mut journals, lock) = (open(&torn, "pi1").unwrap(), take_lock(&torn).unwrap());
        checkpoint::compact(&lock, &mut journals, 1 << 24).unwrap();
    }
    // A manifest that cannot be read is made anew from all journals.
    let torn = disk.copy();
    torn.plant("checkpoint/manifest.json", b"{\"version\":1,");
    assert_eq!(state(&torn, "pi1").unwrap(), expected);
    let (mut journals, lock) = (open(&torn, "pi1").unwrap(), take_lock(&torn).unwrap());
    checkpoint::compact(&lock, &mut journals, 1 << 24).unwrap();
    assert_eq!(torn.peek("checkpoint/manifest.json"), disk.peek("checkpoint/manifest.json"));
}

#[test]
fn a_damaged_shard_is_made_anew_from_all_that_was_merged_whatever_is_known_to_be_durable() {
    let (disk, mut all) = small_home();
    let (mut journals, lock) = (open(&disk, "pi1").unwrap(), take_lock(&disk).unwrap());
    checkpoint::compact(&lock, &mut journals, 1 << 24).unwrap();
    drop((journals, lock));
    let later: Vec<Datagram> = (30..40).flat_map(|number| batch("mac", number, 3)).collect();
    disk.plant("wal/20261122_mac.usv", &bytes_of(&later));
    all.extend(later);
    let shards =
        disk.files().into_iter().filter(|p| p.starts_with("checkpoint/") && p.contains('-'));
    for shard in shards {
        let torn = disk.copy();
        let mut bytes = torn.peek(&shard).unwrap();
        bytes[0] ^= 1;
        torn.plant(&shard, &bytes);
        let mut journals = open(&torn, "pi1").unwrap();
        // Of the log that was merged before, nothing is known.
        let head = journals.head(&log("mac")).unwrap();
        let known = cocli_core::Vector([(log("mac"), head)].into());
        let begun = Begun::up_to(Turn::take(&torn).unwrap(), &mut journals, &known).unwrap();
        let means = Means { threads: 1, ..Means::within(1 << 24) };
        let merged = begun.merge(&mut journals, &means).unwrap();
        let lock = take_lock(&torn).unwrap();
        let placed = merged.place(&lock, &mut journals).unwrap();
        assert!(placed.is_new());
        placed.clean_up().unwrap();
        drop(lock);
        let reader = Reader::open(&mut journals).unwrap();
        assert_eq!(reader.tail_bytes(), 0);
        assert_eq!(reader.state().unwrap(), state_of(&all), "{shard}");
        assert_eq!(reader.digest().unwrap(), state_of(&all).digest());
        // Its mark spares the next look at it a reading from its start.
        assert!(torn.files().into_iter().any(|path| path.ends_with("/mac.marks")));
    }
}

#[test]
fn the_digest_is_right_though_a_shard_was_made_anew_for_it() {
    let (disk, mut all) = small_home();
    let (mut journals, lock) = (open(&disk, "pi1").unwrap(), take_lock(&disk).unwrap());
    checkpoint::compact(&lock, &mut journals, 1 << 24).unwrap();
    drop((journals, lock));
    let next = batch("pi1", 90, 5);
    append(&disk, "pi1", "20261122", &next).unwrap();
    all.extend(next);
    for shard in
        disk.files().into_iter().filter(|p| p.starts_with("checkpoint/") && p.contains('-'))
    {
        let torn = disk.copy();
        torn.unplant(&shard);
        let reader = Reader::open(&mut open(&torn, "pi1").unwrap()).unwrap();
        assert_eq!(reader.digest().unwrap(), state_of(&all).digest(), "{shard}");
    }
}

#[test]
fn a_reader_of_a_checkpoint_that_was_replaced_says_so() {
    let (disk, all) = small_home();
    let (mut journals, lock) = (open(&disk, "pi1").unwrap(), take_lock(&disk).unwrap());
    checkpoint::compact(&lock, &mut journals, 1 << 24).unwrap();
    let reader = Reader::open(&mut journals).unwrap();
    let more: Vec<Datagram> = (30..60).flat_map(|number| batch("pi1", number, 5)).collect();
    journals.append_own(&lock, day("20261122"), &bytes_of(&more), &command()).unwrap();
    checkpoint::compact(&lock, &mut journals, 1 << 24).unwrap();
    assert!(matches!(reader.state(), Err(StoreError::Replaced { .. })));
    let now = Reader::open(&mut journals).unwrap().state().unwrap();
    assert_eq!(now, state_of(all.iter().chain(&more)));
}

#[test]
fn an_own_log_whose_journals_and_marks_are_gone_does_not_begin_again() {
    let (disk, all) = small_home();
    let others = replica_of(&disk);
    for path in disk.files() {
        if path.starts_with("wal/") || path.starts_with(".cocli/marks/") {
            disk.unplant(&path);
        }
    }
    let next = batch("pi1", 99, 2);
    let error = append(&disk, "pi1", "20261123", &next).unwrap_err();
    assert!(matches!(error, StoreError::Doubted { trusted: 0, .. }), "{error}");
    append_or_close(&disk, "pi1", "20261123", &next, "abcdefgh").unwrap();
    let (mut journals, lock) = (open(&disk, "pi1").unwrap(), take_lock(&disk).unwrap());
    for range in ranges(&mut open(&others, "mac").unwrap(), &log("pi1"), 4096) {
        journals.append_range(&lock, &range).unwrap();
    }
    journals.sync(&lock).unwrap();
    drop(lock);
    check_home(&disk, "pi1");
    let state = state(&disk, "pi1").unwrap();
    assert_eq!((held(&state, &all), held(&state, &next)), (all.len(), 2));
}

#[test]
fn a_sector_that_cannot_be_read_costs_its_block_until_others_heal_it() {
    let (origin, all) = marked_home();
    let disk = replica_of(&origin);
    disk.spoil(FILE, 70_000..70_512);
    let mut journals = open(&disk, "mac").unwrap();
    let reader = Reader::open(&mut journals).unwrap();
    let state_now = reader.state().unwrap();
    assert_only_missing(&state_now, &all, 80, "spoilt");
    assert!(held(&state_now, &all) < all.len());
    journals.scrub(&log("pi1")).unwrap();
    assert_eq!(journals.holes().len(), 1);
    let lock = take_lock(&disk).unwrap();
    checkpoint::compact(&lock, &mut journals, 1 << 24).unwrap();
    assert_eq!(Reader::open(&mut journals).unwrap().state().unwrap(), state_now);
    drop(lock);
    heal_from(&origin, &mut journals, &disk);
    check_home(&disk, "mac");
    assert_eq!(held(&state(&disk, "mac").unwrap(), &all), all.len());
}

#[test]
fn a_record_without_a_check_is_believed_only_in_a_sound_block() {
    // As the Python program writes: nothing in the record tells that a byte of its value changed.
    let line = |number: usize| {
        let value = format!("value {number} {}", "y".repeat(400));
        format!(
            "2026-11-22T08:00:00Z\u{1f}old\u{1f}companies/c{number}\u{1f}name\u{1f}{value}\u{1f}\u{1e}"
        )
    };
    let bytes: Vec<u8> = (0..400).flat_map(|number| line(number).into_bytes()).collect();
    let disk = home();
    disk.plant("wal/20261122_old.usv", &bytes);
    let (mut journals, lock) = (open(&disk, "mac").unwrap(), take_lock(&disk).unwrap());
    journals.sync(&lock).unwrap();
    drop(lock);
    let sound = state(&disk, "mac").unwrap();
    assert_eq!(sound.len(), 400);
    let record = usv::records(&bytes).nth(20).unwrap();
    let mut flipped = bytes.clone();
    flipped[record.at + record.bytes.len() - 20] ^= 1;
    disk.plant("wal/20261122_old.usv", &flipped);
    let reader = Reader::open(&mut open(&disk, "mac").unwrap()).unwrap();
    let damaged = reader.state().unwrap();
    assert!(damaged.entries().all(|(t, f, e)| sound.winner(t, f) == Some(e)), "a wrong value");
    assert!(damaged.len() > 200, "more than the block was held back: {}", damaged.len());
    // Asked one by one, and of a reader that was asked before.
    for one_by_one in [true, false] {
        let mut journals = open(&disk, "mac").unwrap();
        let mut reader = Reader::open(&mut journals).unwrap();
        for (target, entity) in sound.entities() {
            if one_by_one {
                reader = Reader::open(&mut journals).unwrap();
            }
            let read = reader.entity(target).unwrap();
            assert!(read == *entity || read.fields.is_empty(), "{target}: a wrong value");
            assert_eq!(read.fields.is_empty(), damaged.entity(target).is_none(), "{target}");
        }
    }
}
