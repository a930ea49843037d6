//! What journals promise without any fault: places, hashes, vectors, two views of one home.
#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

mod support;

use cocli_core::limits::MARK_SPACING_BYTES;
use cocli_core::{ChainHash, Head, usv};
use cocli_store::disk::Disk;
use cocli_store::journal::{Misplaced, Placed};
use cocli_store::{HomeLock, StoreError, checkpoint};
use support::*;

#[test]
fn a_folder_without_cocli_is_no_home() {
    let disk = cocli_store::FakeDisk::new();
    assert!(matches!(open(&disk, "pi1"), Err(StoreError::NotAHome { .. })));
}

#[test]
fn a_clock_that_goes_back_appends_to_the_newest_journal() {
    let disk = home();
    for (today, file) in [
        ("20261123", "wal/20261123_pi1.usv"),
        ("20261120", "wal/20261123_pi1.usv"),
        ("20261124", "wal/20261124_pi1.usv"),
        ("19990101", "wal/20261124_pi1.usv"),
    ] {
        let before = disk.peek(file).map_or(0, |bytes| bytes.len());
        append(&disk, "pi1", today, &batch("pi1", before, 1)).unwrap();
        assert!(disk.peek(file).unwrap().len() > before, "{today}");
    }
    assert_eq!(disk.files().iter().filter(|path| path.starts_with("wal/")).count(), 2);
}

#[test]
fn the_chain_is_what_the_format_says() {
    let disk = home();
    let (one, two) = (batch("pi1", 1, 3), batch("pi1", 2, 2));
    append(&disk, "pi1", "20261122", &one).unwrap();
    append(&disk, "pi1", "20261123", &two).unwrap();
    let mut chain = ChainHash::start(&CLUSTER, &log("pi1"));
    for (today, batch) in [("20261122", &one), ("20261123", &two)] {
        for record in usv::records(&bytes_of(batch)) {
            chain = chain.next(day(today), record.bytes);
        }
    }
    let mut journals = open(&disk, "pi1").unwrap();
    let position = (bytes_of(&one).len() + bytes_of(&two).len()) as u64;
    assert_eq!(journals.head(&log("pi1")).unwrap(), Head { position, hash: chain });
    assert_eq!(journals.vector().unwrap().get(&log("pi1")), Some(Head { position, hash: chain }));
    // No record ends in the middle of one.
    assert_eq!(journals.hash_at(&log("pi1"), 5).unwrap(), None);
    assert_eq!(journals.hash_at(&log("pi1"), position + 1).unwrap(), None);
}

#[test]
fn a_replica_is_the_same_bytes_and_the_same_vector() {
    let disk = home();
    for number in 0..400 {
        let today = ["20261120", "20261121", "20261123"][number / 150];
        append(&disk, "pi1", today, &batch("pi1", number, 5)).unwrap();
    }
    let mut from = open(&disk, "pi1").unwrap();
    assert!(from.end(&log("pi1")) > 2 * MARK_SPACING_BYTES);
    for each in [1, 700, 16 * 1024, 1 << 20] {
        let other = home();
        let (mut journals, lock) = (open(&other, "mac").unwrap(), take_lock(&other).unwrap());
        for range in ranges(&mut from, &log("pi1"), each) {
            assert!(range.bytes.len() <= each || usv::records(&range.bytes).count() == 1);
            let end = range.end();
            assert_eq!(journals.append_range(&lock, &range).unwrap(), Placed::Appended(end));
            // It counts only when it is synced.
            assert!(journals.vector().unwrap().position(&log("pi1")) < end.position);
        }
        let heads = journals.sync(&lock).unwrap();
        assert_eq!(heads, [(log("pi1"), from.head(&log("pi1")).unwrap())]);
        assert_eq!(journals.vector().unwrap(), from.vector().unwrap());
        for path in disk.files().into_iter().filter(|path| path.starts_with("wal/")) {
            assert_eq!(other.peek(&path), disk.peek(&path), "{path}");
        }
        drop(lock);
        check_home(&other, "mac");
    }
}

#[test]
fn a_range_that_does_not_follow_is_refused_with_the_end_that_is_held() {
    let disk = home();
    append(&disk, "pi1", "20261122", &batch("pi1", 1, 4)).unwrap();
    let mut from = open(&disk, "pi1").unwrap();
    let all = ranges(&mut from, &log("pi1"), 1);
    let other = home();
    let (mut journals, lock) = (open(&other, "mac").unwrap(), take_lock(&other).unwrap());
    let place = |journals: &mut cocli_store::Journals, range| match journals
        .append_range(&lock, range)
        .unwrap()
    {
        Placed::Appended(head) => (head, None),
        Placed::Misplaced { head, why } => (head, Some(why)),
    };
    let nothing = all[0].start();
    assert_eq!(place(&mut journals, &all[1]), (nothing, Some(Misplaced::Position)));
    assert_eq!(place(&mut journals, &all[0]), (all[1].start(), None));
    assert_eq!(place(&mut journals, &all[0]), (all[1].start(), Some(Misplaced::Position)));
    let mut other_branch = all[1].clone();
    other_branch.hash_before = ChainHash([9; 16]);
    assert_eq!(place(&mut journals, &other_branch).1, Some(Misplaced::Hash));
    let mut earlier = all[1].clone();
    earlier.day = day("20261121");
    assert_eq!(place(&mut journals, &earlier).1, Some(Misplaced::Day));
    let mut torn = all[1].clone();
    torn.bytes.pop();
    assert_eq!(place(&mut journals, &torn).1, Some(Misplaced::Torn));
    let mut own = all[1].clone();
    own.log = log("mac");
    assert_eq!(place(&mut journals, &own).1, Some(Misplaced::Own));
    assert_eq!(place(&mut journals, &all[1]), (all[2].start(), None));
}

#[test]
fn only_one_holds_the_lock_and_the_other_is_told_who() {
    let disk = home();
    let lock = HomeLock::try_take(&disk, "process 17 (cocli set)").unwrap();
    let error = HomeLock::try_take(&disk, "process 18").unwrap_err();
    assert_eq!(error.to_string(), ".cocli/lock is locked by process 17 (cocli set)");
    drop(lock);
    HomeLock::take(&disk, "process 18").unwrap();
}

#[test]
fn two_views_of_one_home_see_what_the_other_does() {
    let disk = home();
    let (mut one, mut two) = (open(&disk, "pi1").unwrap(), open(&disk, "pi1").unwrap());
    let mut all = Vec::new();
    for number in 0..60 {
        let (writer, reader) =
            if number % 2 == 0 { (&mut one, &mut two) } else { (&mut two, &mut one) };
        let lock = take_lock(&disk).unwrap();
        let some = batch("pi1", number, 40);
        let today = if number < 40 { "20261122" } else { "20261123" };
        let written = writer.append_own(&lock, day(today), &bytes_of(&some), &command()).unwrap();
        drop(lock);
        all.extend(some);
        reader.refresh().unwrap();
        assert_eq!(reader.end(&log("pi1")), written.to);
        assert_eq!(reader.head(&log("pi1")).unwrap(), writer.head(&log("pi1")).unwrap());
    }
    assert_eq!(one.vector().unwrap(), two.vector().unwrap());
    assert_eq!(state(&disk, "pi1").unwrap(), state_of(&all));
    check_home(&disk, "pi1");
    // A view that saw a log before it was closed goes on in the new epoch.
    let lock = take_lock(&disk).unwrap();
    let half = one.days(&log("pi1")).next().unwrap().2;
    one.close_and_copy(&lock, &log("pi1"), half, &epoch("abcdefgh")).unwrap();
    let written = two
        .append_own(&lock, day("20261123"), &bytes_of(&batch("pi1", 99, 1)), &command())
        .unwrap();
    assert_eq!(written.log, log("pi1~abcdefgh"));
    assert_eq!(two.end(&log("pi1")), half);
    drop(lock);
    check_home(&disk, "pi1");
}

#[test]
fn the_list_of_commands_says_which_bytes_each_wrote() {
    let disk = home();
    let one = append(&disk, "pi1", "20261122", &batch("pi1", 1, 3)).unwrap();
    let two = append(&disk, "pi1", "20261123", &batch("pi1", 2, 1)).unwrap();
    assert_eq!((one.from, one.to), (0, two.from));
    assert_eq!(open(&disk, "pi1").unwrap().commands().unwrap(), [one, two]);
}

#[test]
fn a_batch_that_is_no_whole_records_is_refused() {
    let disk = home();
    let (mut journals, lock) = (open(&disk, "pi1").unwrap(), take_lock(&disk).unwrap());
    for bad in [&b""[..], b"2026", b"a\x1eb"] {
        let error = journals.append_own(&lock, day("20261123"), bad, &command()).unwrap_err();
        assert!(matches!(error, StoreError::Refused { .. }));
    }
    assert_eq!(disk.files(), [".cocli/lock"]);
}

#[test]
fn a_journal_that_appears_by_hand_counts_once_it_is_synced() {
    let (disk, other) = (home(), home());
    append(&other, "pi1", "20261122", &batch("pi1", 1, 3)).unwrap();
    append(&other, "pi1", "20261123", &batch("pi1", 2, 3)).unwrap();
    let mut journals = open(&disk, "mac").unwrap();
    for file in ["wal/20261122_pi1.usv", "wal/20261123_pi1.usv"] {
        disk.plant(file, &other.peek(file).unwrap());
        journals.refresh().unwrap();
        let end = journals.end(&log("pi1"));
        assert!(journals.vector().unwrap().position(&log("pi1")) < end);
        let lock = take_lock(&disk).unwrap();
        journals.sync(&lock).unwrap();
        assert_eq!(journals.vector().unwrap().position(&log("pi1")), end);
    }
    assert_eq!(journals.vector().unwrap(), open(&other, "pi1").unwrap().vector().unwrap());
    // An earlier day than those that are known does not fit: its records travel in the own log.
    append(&other, "pi2", "20261120", &batch("pi2", 3, 2)).unwrap();
    disk.plant("wal/20261120_pi1.usv", &other.peek("wal/20261120_pi2.usv").unwrap());
    journals.refresh().unwrap();
    let before = journals.head(&log("pi1")).unwrap();
    let lock = take_lock(&disk).unwrap();
    let adopted = journals.adopt(&lock, day("20261123"), &command()).unwrap();
    assert_eq!((adopted.len(), adopted[0].copied.len()), (1, 1));
    assert_eq!(journals.head(&log("pi1")).unwrap(), before);
    assert_eq!(disk.peek(&adopted[0].aside), other.peek("wal/20261120_pi2.usv"));
    assert_eq!(disk.stat("wal/20261120_pi1.usv").unwrap(), None);
    drop(lock);
    assert_eq!(held(&state(&disk, "mac").unwrap(), &batch("pi2", 3, 2)), 2);
    check_home(&disk, "mac");
}

#[test]
fn foreign_files_are_named_and_read_on_from_where_the_last_look_ended() {
    let disk = home();
    let (one, two) = (bytes_of(&batch("old", 1, 3)), bytes_of(&batch("old", 2, 2)));
    disk.plant("wal/remote_old.usv", &[&one[..], &two[..7]].concat());
    disk.plant("wal/notes.txt", b"x");
    let journals = open(&disk, "pi1").unwrap();
    assert_eq!(journals.foreign().collect::<Vec<_>>(), ["notes.txt", "remote_old.usv"]);
    let first = journals.read_foreign("remote_old.usv", 0, 10).unwrap();
    assert_eq!(usv::records(&first.bytes).count(), 1);
    let rest = journals.read_foreign("remote_old.usv", first.next, 1 << 20).unwrap();
    assert_eq!(rest.next, one.len() as u64);
    assert_eq!(journals.read_foreign("remote_old.usv", rest.next, 1 << 20).unwrap().bytes, b"");
}

#[test]
fn an_open_reads_little_however_much_there_is() {
    let disk = home();
    let (mut journals, lock) = (open(&disk, "pi1").unwrap(), take_lock(&disk).unwrap());
    for number in 0..200 {
        let today = format!("202611{:02}", 1 + number / 10);
        journals
            .append_own(&lock, day(&today), &bytes_of(&batch("pi1", number, 50)), &command())
            .unwrap();
    }
    checkpoint::compact(&lock, &mut journals, 1 << 26).unwrap();
    drop(lock);
    let traced = disk.copy();
    traced.start_trace();
    let mut journals = open(&traced, "pi1").unwrap();
    cocli_store::Reader::open(&mut journals).unwrap();
    let reads =
        traced.trace().iter().filter(|op| op.contains("read") && op.contains("wal/")).count();
    assert!(reads <= 2, "{:#?}", traced.trace());
}

#[test]
fn a_full_disk_is_told_with_path_and_bytes_and_refuses_before_a_partial_record() {
    use cocli_store::disk::fake::{Fault, Times};
    let disk = home();
    append(&disk, "pi1", "20261123", &batch("pi1", 1, 2)).unwrap();
    let before = disk.peek("wal/20261123_pi1.usv").unwrap();
    let next = batch("pi1", 2, 3);
    disk.fail_at(1, Fault::NoSpace, Times::ForGood);
    for _ in 0..3 {
        let error = append(&disk, "pi1", "20261123", &next).unwrap_err();
        assert!(
            matches!(&error, StoreError::NoSpace { path, missing } if path.starts_with(".cocli/") && *missing > 0),
            "{error}"
        );
        assert_eq!(disk.peek("wal/20261123_pi1.usv").unwrap(), before);
        // Reading goes on.
        assert_eq!(held(&state(&disk, "pi1").unwrap(), &batch("pi1", 1, 2)), 2);
    }
    disk.heal();
    // With room for the intent alone it is the journal that is named, and nothing of the batch stands.
    let write = step_of(&disk, "20261123", &next, "write_at wal/");
    disk.fail_at(write, Fault::NoSpace, Times::ForGood);
    let error = append(&disk, "pi1", "20261123", &next).unwrap_err();
    let missing = bytes_of(&next).len();
    assert_eq!(
        error.to_string(),
        format!("no room on the disk for wal/20261123_pi1.usv: {missing} more bytes are needed")
    );
    assert_eq!(disk.peek("wal/20261123_pi1.usv").unwrap(), before);
    disk.heal();
    append(&disk, "pi1", "20261123", &next).unwrap();
    check_home(&disk, "pi1");
}

#[test]
fn a_journal_that_went_while_its_mark_stayed_has_a_durable_name_when_its_bytes_are() {
    let (origin, disk) = (home(), home());
    append(&origin, "pi1", "20261122", &batch("pi1", 1, 3)).unwrap();
    append(&origin, "pi1", "20261123", &batch("pi1", 2, 3)).unwrap();
    let days = ranges(&mut open(&origin, "pi1").unwrap(), &log("pi1"), 64 * 1024);
    let take = |days: &[cocli_core::frame::Range]| {
        let (mut journals, lock) = (open(&disk, "mac").unwrap(), take_lock(&disk).unwrap());
        for range in days {
            journals.append_range(&lock, range).unwrap();
        }
        journals.sync(&lock).unwrap();
        assert_eq!(journals.durable(&log("pi1")), days[days.len() - 1].end_position());
    };
    take(&days);
    // A branch was set aside, and the power went before the marks were cut.
    disk.remove("wal/20261123_pi1.usv").unwrap();
    disk.sync_folder("wal").unwrap();
    take(&days[1..]);
    let left = disk.medium();
    assert_eq!(open(&left, "mac").unwrap().end(&log("pi1")), days[1].end_position());
}

#[test]
fn a_day_that_begins_while_a_sync_is_under_way_has_a_durable_name_when_its_bytes_are() {
    let (origin, disk) = (home(), home());
    append(&origin, "pi1", "20261122", &batch("pi1", 1, 3)).unwrap();
    append(&origin, "pi1", "20261123", &batch("pi1", 2, 3)).unwrap();
    let mut from = open(&origin, "pi1").unwrap();
    let days = ranges(&mut from, &log("pi1"), 64 * 1024);
    let (mut journals, lock) = (open(&disk, "mac").unwrap(), take_lock(&disk).unwrap());
    journals.append_range(&lock, &days[0]).unwrap();
    let first = journals.sync_plan(&lock);
    let first = first.run(&disk);
    journals.append_range(&lock, &days[1]).unwrap();
    journals.synced(&lock, first).unwrap();
    let second = journals.sync_plan(&lock);
    let second = second.run(&disk);
    journals.synced(&lock, second).unwrap();
    assert_eq!(journals.durable(&log("pi1")), days[1].end_position());
    let left = disk.medium();
    assert_eq!(open(&left, "mac").unwrap().end(&log("pi1")), days[1].end_position());
}

#[test]
fn the_own_log_is_in_the_view_however_many_others_come_before_it() {
    use cocli_core::limits::LOGS_MAX;
    let (disk, own) = (home(), batch("pi1", 1, 2));
    append(&disk, "pi1", "20261122", &own).unwrap();
    let bytes = bytes_of(&batch("a", 1, 1));
    for number in 0..LOGS_MAX {
        disk.plant(&format!("wal/20261122_a{number:05}.usv"), &bytes);
    }
    let mut journals = open(&disk, "pi1").unwrap();
    assert_eq!(journals.logs().count(), LOGS_MAX);
    let whole = bytes_of(&own).len() as u64;
    assert_eq!(journals.end(&log("pi1")), whole);
    assert_eq!(journals.doubt(), None);
    let written = append(&disk, "pi1", "20261122", &batch("pi1", 2, 2)).unwrap();
    assert_eq!(written.from, whole);
    // A home that has none yet has a place for it.
    disk.unplant("wal/20261122_pi1.usv");
    disk.unplant(".cocli/marks/pi1.marks");
    disk.unplant(".cocli/commands");
    disk.unplant(&format!("wal/20261122_a{:05}.usv", LOGS_MAX - 1));
    journals = open(&disk, "pi1").unwrap();
    assert_eq!(journals.logs().count(), LOGS_MAX - 1);
    let other = home();
    append(&other, "zz", "20261122", &batch("zz", 1, 1)).unwrap();
    let range = ranges(&mut open(&other, "zz").unwrap(), &log("zz"), 4096).remove(0);
    let placed = journals.append_range(&take_lock(&disk).unwrap(), &range).unwrap();
    assert!(matches!(placed, Placed::Misplaced { why: Misplaced::TooMany, .. }), "{placed:?}");
}

#[test]
fn whether_a_record_is_odd_does_not_depend_on_where_blocks_end() {
    let line = |number: usize, value: &str| {
        let target = format!("companies/c{number}");
        format!(
            "2026-11-22T08:00:00.000000+00:00\u{1f}old\u{1f}{target}\u{1f}name\u{1f}{value}\u{1e}"
        )
    };
    // A record whose value lost a byte to a separator is the first that ends behind the spacing of
    // marks, so that a mark stands in the middle of it.
    let mut bytes = Vec::new();
    let mut number = 0;
    while bytes.len() as u64 + 200 < MARK_SPACING_BYTES {
        number += 1;
        bytes.extend_from_slice(line(number, &"y".repeat(100)).as_bytes());
    }
    bytes.extend_from_slice(line(0, &"y".repeat(300)).as_bytes());
    let middle = bytes.len();
    bytes.extend_from_slice(b"e Inc\x1f-#0123abcd\x1e");
    bytes.extend_from_slice(line(number + 1, "z").as_bytes());
    let (fresh, marked) = (home(), home());
    for disk in [&fresh, &marked] {
        disk.plant("wal/20261122_old.usv", &bytes);
    }
    let mut journals = open(&marked, "mac").unwrap();
    journals.sync(&take_lock(&marked).unwrap()).unwrap();
    let marks = String::from_utf8(marked.peek(".cocli/marks/old.marks").unwrap()).unwrap();
    assert!(marks.contains(&format!(" {middle} ")), "no mark at {middle}: {marks}");
    let reader = |disk| cocli_store::Reader::open(&mut open(disk, "mac").unwrap()).unwrap();
    let (one, other) = (reader(&fresh), reader(&marked));
    assert_eq!(one.odd().unwrap().len(), 2);
    assert_eq!(one.odd().unwrap(), other.odd().unwrap());
    assert_eq!(one.state().unwrap(), other.state().unwrap());
    let target = cocli_core::Target::read("companies/c0").unwrap();
    assert!(reader(&marked).entity(&target).unwrap().fields.is_empty());
    // A section that ends there looks on.
    let section = journals.sections_between(&log("old"), 0, middle as u64).remove(0);
    let (mut read, mut odd) = (0, 0);
    section.load(&marked).unwrap().each(|met| match met.read {
        Ok(_) => read += 1,
        Err(_) => odd += 1,
    });
    assert_eq!((read, odd), (number, 1));
}
