//! Journals that the medium, or a person, lets nobody read: a state of that log, and of no other.
#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

mod support;

use cocli_core::Datagram;
use cocli_store::disk::fake::{Fault, Times};
use cocli_store::journal::{Placed, Trouble};
use cocli_store::{FakeDisk, Journals, Reader, checkpoint};
use support::*;

const FILE: &str = "wal/20261122_pi1.usv";

/// A journal of some 200 KiB with marks and an unmarked end, and its datagrams.
fn origin() -> (FakeDisk, Vec<Datagram>) {
    let disk = home();
    let all: Vec<Datagram> = (0..260).flat_map(|number| long_batch("pi1", number, 1)).collect();
    for batch in all.chunks(20) {
        append(&disk, "pi1", "20261122", batch).unwrap();
    }
    (disk, all)
}

/// Another home that holds that log, and one of its own.
fn replica_of(origin: &FakeDisk) -> FakeDisk {
    let disk = home();
    let (mut journals, lock) = (open(&disk, "mac").unwrap(), take_lock(&disk).unwrap());
    for range in ranges(&mut open(origin, "pi1").unwrap(), &log("pi1"), 64 * 1024) {
        journals.append_range(&lock, &range).unwrap();
    }
    journals.sync(&lock).unwrap();
    drop(lock);
    append(&disk, "mac", "20261122", &batch("mac", 1, 3)).unwrap();
    disk
}

fn last_mark(disk: &FakeDisk) -> u64 {
    let marks = disk.peek(".cocli/marks/pi1.marks").unwrap();
    let marks = String::from_utf8(marks).unwrap();
    marks.lines().last().unwrap().split(' ').nth(2).unwrap().parse().unwrap()
}

/// Bad sectors in the unmarked end of the log: at the start, in the middle, at the very end.
fn bad_ends(disk: &FakeDisk) -> Vec<std::ops::Range<u64>> {
    let (mark, len) = (last_mark(disk), disk.peek(FILE).unwrap().len() as u64);
    assert!(len - mark > 16_000, "{mark} of {len}");
    vec![mark + 10..mark + 20, (mark + len) / 2..(mark + len) / 2 + 600, len - 3..len]
}

fn unreadable(journals: &Journals) -> usize {
    journals
        .troubles()
        .filter(|(_, _, trouble)| matches!(trouble, Trouble::Unreadable { .. }))
        .count()
}

#[test]
fn a_bad_sector_behind_the_last_mark_ends_that_log_alone_and_others_bring_it_back() {
    let (origin, all) = origin();
    let marked = replica_of(&origin);
    for bad in bad_ends(&marked) {
        let what = format!("{bad:?}");
        let disk = marked.copy();
        disk.spoil(FILE, bad.clone());
        let mut journals = open(&disk, "mac").unwrap();
        let vector = journals.vector().unwrap();
        assert!(vector.position(&log("pi1")) >= last_mark(&disk), "{what}");
        let there = journals.head(&log("pi1")).unwrap().position;
        assert!(last_mark(&disk) <= there && there <= bad.start, "{what}: {there}");
        assert!(bad.start - there < 4096 + 1400, "{what}: what can be read is held, not {there}");
        assert_eq!(vector.position(&log("mac")), journals.end(&log("mac")), "{what}");
        // What stands before it is served, merged and read.
        let served: usize =
            ranges(&mut journals, &log("pi1"), 50_000).iter().map(|range| range.bytes.len()).sum();
        assert_eq!(served as u64, there, "{what}");
        assert_eq!(unreadable(&journals), 1, "{what}");
        let lock = take_lock(&disk).unwrap();
        journals.sync(&lock).unwrap();
        checkpoint::compact(&lock, &mut journals, 1 << 24).unwrap();
        let mine = batch("mac", 2, 2);
        journals.append_own(&lock, day("20261123"), &bytes_of(&mine), &command()).unwrap();
        let state = Reader::open(&mut journals).unwrap().state().unwrap();
        assert_eq!(strange(&state, &all), 0, "{what}: a value that nobody wrote");
        assert_eq!(held(&state, &mine), 2, "{what}");
        // Others bring the rest; what stood there is kept.
        let mut from = open(&origin, "pi1").unwrap();
        let mut at = journals.head(&log("pi1")).unwrap().position;
        while let Some(range) = from.read(&log("pi1"), at, u64::MAX, 10_000).unwrap() {
            at += range.bytes.len() as u64;
            let placed = journals.append_range(&lock, &range).unwrap();
            assert!(matches!(placed, Placed::Appended(_)), "{what}: {placed:?}");
        }
        journals.sync(&lock).unwrap();
        drop(lock);
        assert!(disk.files().iter().any(|path| path.contains("aside/pi1")), "{what}");
        assert_eq!(disk.peek(FILE), origin.peek(FILE), "{what}");
        check_home(&disk, "mac");
        assert_eq!(held(&support::state(&disk, "mac").unwrap(), &all), all.len(), "{what}");
    }
}

/// Values of the writer of `all` that are none of its own.
fn strange(state: &cocli_core::State, all: &[Datagram]) -> usize {
    let wrong = state.entries().filter(|(target, field, entry)| {
        entry.stamp.node == node("pi1")
            && !all.iter().any(|d| d.target == **target && d.field == **field && d.entry == **entry)
    });
    wrong.count()
}

#[test]
fn a_bad_sector_in_the_own_log_costs_the_records_in_it_and_the_next_write_goes_on() {
    let (disk, all) = origin();
    append(&disk, "pi1", "20261123", &batch("pi1", 300, 3)).unwrap();
    // As after a power cut: the marks of the last day are not there.
    let marks = disk.peek(".cocli/marks/pi1.marks").unwrap();
    let marks = String::from_utf8(marks).unwrap();
    let kept: String =
        marks.lines().filter(|l| !l.contains("20261123")).map(|l| format!("{l}\n")).collect();
    disk.plant(".cocli/marks/pi1.marks", kept.as_bytes());
    for bad in bad_ends(&disk) {
        let disk = disk.copy();
        disk.spoil(FILE, bad.clone());
        let what = format!("{bad:?}");
        let next = batch("pi1", 400, 2);
        append_or_close(&disk, "pi1", "20261123", &next, "aaaaaaaa")
            .unwrap_or_else(|error| panic!("{what}: {error}"));
        let again = batch("pi1", 401, 2);
        append_or_close(&disk, "pi1", "20261123", &again, "bbbbbbbb").unwrap();
        let state = support::state(&disk, "pi1").unwrap();
        assert_eq!(strange(&state, &[&all[..], &batch("pi1", 300, 3), &next, &again].concat()), 0);
        // A page and the records that reach into it.
        assert!(
            held(&state, &all) + 9 >= all.len(),
            "{what}: {} of {}",
            held(&state, &all),
            all.len()
        );
        assert_eq!(held(&state, &batch("pi1", 300, 3)), 3, "{what}: the day behind it");
        assert_eq!((held(&state, &next), held(&state, &again)), (2, 2), "{what}");
        check_home(&disk, "pi1");
    }
}

#[test]
fn a_journal_that_may_not_be_opened_stops_no_look_and_no_other_log() {
    let (origin, _) = origin();
    let disk = replica_of(&origin);
    let traced = disk.copy();
    traced.start_trace();
    open(&traced, "mac").unwrap();
    let reads =
        |op: &String| op.contains("read") && (op.contains(FILE) || op.contains("marks/pi1"));
    let trace = traced.trace();
    let steps: Vec<u64> = (1..).zip(&trace).filter(|(_, op)| reads(op)).map(|(at, _)| at).collect();
    assert_eq!(steps.len(), 2, "{trace:#?}");
    for step in steps {
        let disk = disk.copy();
        disk.fail_at(step, Fault::Denied, Times::Once);
        let mut journals = open(&disk, "mac").unwrap();
        assert_eq!(journals.durable(&log("mac")), journals.end(&log("mac")));
        let vector = journals.vector().unwrap();
        assert_eq!(vector.position(&log("mac")), journals.end(&log("mac")));
        let lock = take_lock(&disk).unwrap();
        checkpoint::compact(&lock, &mut journals, 1 << 24).unwrap();
    }
}

#[test]
fn a_bad_sector_around_the_last_mark_of_the_own_log_stops_no_write() {
    let (disk, all) = origin();
    let mark = last_mark(&disk);
    disk.spoil(FILE, mark - 5..mark + 20);
    let next = batch("pi1", 400, 2);
    append_or_close(&disk, "pi1", "20261123", &next, "aaaaaaaa").unwrap();
    let state = support::state(&disk, "pi1").unwrap();
    assert_eq!(held(&state, &next), 2);
    assert!(held(&state, &all) + 9 >= all.len(), "{} of {}", held(&state, &all), all.len());
}
