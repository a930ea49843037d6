//! Days in the archive: they read as they did in `wal/`, whatever happens on the way there and back.
#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

mod support;

use cocli_core::frame::Range;
use cocli_core::{Datagram, Field, Instant, LogId, Target};
use cocli_store::archive::{self, Archived, Moving};
use cocli_store::checkpoint::Turn;
use cocli_store::disk::fake::{Fault, Times};
use cocli_store::journal::{Base, Misplaced, Placed, Trouble};
use cocli_store::{Disk, FakeDisk, HomeLock, Reader, Result, StoreError, checkpoint};
use proptest::prelude::*;
use support::*;

/// Noon of a day that is later than all journals by more than two days.
fn now() -> Instant {
    Instant::read("2026-12-01T12:00:00.000000+00:00").unwrap()
}

fn compact(disk: &FakeDisk) {
    let (mut journals, lock) = (open(disk, "pi1").unwrap(), take_lock(disk).unwrap());
    checkpoint::compact(&lock, &mut journals, 1 << 20).unwrap();
}

fn archive_at(disk: &FakeDisk, now: Instant) -> Result<Archived> {
    let turn = Turn::try_take(disk)?.unwrap();
    let mut journals = open(disk, "pi1")?;
    let lock = || HomeLock::try_take(disk, "test").map(Some);
    let moving = Moving { after: 2, threads: 1 };
    archive::archive(&turn, &mut journals, (moving, now), &lock)
}

fn archive_all(disk: &FakeDisk) -> Archived {
    archive_at(disk, now()).unwrap()
}

fn archived(disk: &FakeDisk) -> Vec<String> {
    disk.files().into_iter().filter(|path| path.starts_with("archive/")).collect()
}

fn in_wal(disk: &FakeDisk) -> Vec<String> {
    disk.files().into_iter().filter(|path| path.starts_with("wal/")).collect()
}

/// Three days of two logs, some of them of several blocks.
fn days() -> (FakeDisk, Vec<Datagram>) {
    let disk = home();
    let mut all = Vec::new();
    for (number, today) in ["20261121", "20261122", "20261123"].iter().enumerate() {
        for writer in ["pi1", "mac"] {
            let batch = long_batch(writer, number, if number == 1 { 500 } else { 4 });
            append(&disk, writer, today, &batch).unwrap();
            all.extend(batch);
        }
    }
    (disk, all)
}

/// What peers are served of every log from where it begins.
fn served(disk: &FakeDisk) -> Vec<Vec<Range>> {
    let mut journals = open(disk, "pi1").unwrap();
    let logs: Vec<LogId> = journals.logs().cloned().collect();
    let mut all = Vec::new();
    for log in logs {
        let (mut from, end) = (journals.begin(&log), journals.end(&log));
        let mut ranges = Vec::new();
        while let Some(range) = journals.read(&log, from, end, 1).unwrap() {
            from = range.end_position();
            ranges.push(range);
        }
        all.push(ranges);
    }
    all
}

#[test]
fn an_archived_day_is_the_very_bytes_of_its_journal_to_anybody_with_zstd() {
    let (disk, all) = days();
    let before: Vec<(String, Vec<u8>)> =
        in_wal(&disk).into_iter().map(|path| (path.clone(), disk.peek(&path).unwrap())).collect();
    let (ranges, digest) = (served(&disk), state_of(&all).digest());
    assert_eq!(archive_all(&disk).days, 0, "nothing is covered yet");
    compact(&disk);
    let done = archive_all(&disk);
    let bytes: usize = before.iter().map(|(_, bytes)| bytes.len()).sum();
    assert_eq!((done.days, done.bytes), (6, bytes as u64));
    assert_eq!(in_wal(&disk), [""; 0]);
    for (path, bytes) in before {
        let stem = path.strip_prefix("wal/").unwrap().strip_suffix(".usv").unwrap();
        let file =
            archived(&disk).into_iter().find(|file| file.contains(&format!("{stem}@"))).unwrap();
        let plain = zstd::stream::decode_all(&disk.peek(&file).unwrap()[..]).unwrap();
        assert!(plain == bytes, "{path}");
    }
    assert_eq!(served(&disk), ranges);
    check_home(&disk, "pi1");
    let reader = Reader::open(&mut open(&disk, "pi1").unwrap()).unwrap();
    assert_eq!(reader.digest().unwrap(), digest);
    assert_eq!(archive_all(&disk), Archived::default());
}

#[test]
fn a_day_goes_when_it_is_two_days_old_and_the_newest_when_it_rests() {
    let (disk, _) = days();
    compact(&disk);
    let at = |text: &str| archive_at(&disk, Instant::read(text).unwrap()).unwrap().days;
    assert_eq!(at("2026-11-22T23:59:59.999999+00:00"), 0);
    assert_eq!(at("2026-11-23T00:00:00.000000+00:00"), 2);
    assert_eq!(at("2026-11-24T00:00:00.000000+00:00"), 2);
    assert_eq!(at("2026-11-24T23:59:59.999999+00:00"), 0);
    assert_eq!(at("2026-11-25T00:00:00.000000+00:00"), 2);
}

#[test]
fn an_own_append_takes_a_day_out_of_the_archive_that_goes_on() {
    let (disk, mut all) = days();
    compact(&disk);
    archive_all(&disk);
    let batch = batch("pi1", 9, 3);
    append(&disk, "pi1", "20261123", &batch).unwrap();
    all.extend(batch);
    assert_eq!(in_wal(&disk), ["wal/20261123_pi1.usv"]);
    assert!(!archived(&disk).iter().any(|path| path.contains("20261123_pi1@")));
    assert_eq!(state(&disk, "pi1").unwrap(), state_of(&all));
    check_home(&disk, "pi1");
    compact(&disk);
    assert_eq!(archive_all(&disk).days, 1);
    assert_eq!(state(&disk, "pi1").unwrap(), state_of(&all));
    check_home(&disk, "pi1");
}

#[test]
fn a_replica_goes_on_behind_what_is_in_the_archive_also_by_a_view_from_before() {
    let (disk, all) = days();
    let source = disk.copy();
    append(&source, "mac", "20261123", &batch("mac", 9, 3)).unwrap();
    let mut source = open(&source, "mac").unwrap();
    let mac = log("mac");
    let from = open(&disk, "pi1").unwrap().end(&mac);
    let range = source.read(&mac, from, u64::MAX, 1 << 20).unwrap().unwrap();
    compact(&disk);
    let mut view = open(&disk, "pi1").unwrap();
    view.head(&mac).unwrap();
    archive_all(&disk);
    let lock = take_lock(&disk).unwrap();
    assert!(matches!(view.append_range(&lock, &range).unwrap(), Placed::Appended(_)));
    view.sync(&lock).unwrap();
    drop(lock);
    let mut expected = all;
    expected.extend(batch("mac", 9, 3));
    assert_eq!(state(&disk, "pi1").unwrap(), state_of(&expected));
    check_home(&disk, "pi1");
}

#[test]
fn a_view_from_before_reads_days_where_they_are_now() {
    let (disk, all) = days();
    compact(&disk);
    let mut view = open(&disk, "pi1").unwrap();
    let reader = Reader::open(&mut view).unwrap();
    archive_all(&disk);
    let target = Target::read("companies/c1").unwrap();
    let count = all.iter().filter(|d| d.target == target).count();
    assert_eq!(reader.history(&target, None).unwrap().len(), count);
    assert!(view.read(&log("mac"), 0, u64::MAX, 1 << 20).unwrap().is_some());
    // And back again.
    let reader = Reader::open(&mut open(&disk, "pi1").unwrap()).unwrap();
    append(&disk, "pi1", "20261123", &batch("pi1", 9, 1)).unwrap();
    assert_eq!(reader.history(&target, None).unwrap().len(), count);
}

/// Fails the k-th operation of `work` for every k until it runs through, and looks at what is left.
fn at_every_step(
    base: &FakeDisk,
    work: impl Fn(&FakeDisk) -> Result<()>,
    check: impl Fn(&FakeDisk, &str),
) {
    base.sync_all().unwrap();
    for fault in [Fault::Error, Fault::NoSpace, Fault::Crash] {
        for times in [Times::Once, Times::ForGood] {
            for k in 1.. {
                let disk = base.copy();
                disk.fail_at(k, fault, times);
                disk.start_trace();
                let _ = work(&disk);
                let at = disk.trace().get(k as usize - 1).cloned().unwrap_or_default();
                let through = disk.ops() < k;
                let endings = if fault == Fault::Crash { 1..4 } else { 0..2 };
                for ending in endings {
                    let after = disk.copy();
                    match ending {
                        0 => after.kill(),
                        _ => after.crash(k * 6 + ending),
                    }
                    check(&after, &format!("{fault:?} {times:?} at {at}, ending {ending}"));
                }
                if through {
                    break;
                }
            }
        }
    }
}

/// Two short days of two logs.
fn short_days() -> (FakeDisk, Vec<Datagram>) {
    let (disk, mut all) = (home(), Vec::new());
    for (number, today) in ["20261121", "20261122"].iter().enumerate() {
        for writer in ["pi1", "mac"] {
            let batch = batch(writer, number, 3);
            append(&disk, writer, today, &batch).unwrap();
            all.extend(batch);
        }
    }
    compact(&disk);
    (disk, all)
}

#[test]
fn a_move_that_fails_or_is_cut_off_at_any_step_leaves_a_home_that_reads_the_same() {
    let (disk, all) = short_days();
    let (ranges, expected) = (served(&disk), state_of(&all));
    let work = |disk: &FakeDisk| archive_at(disk, now()).map(|_| ());
    at_every_step(&disk, work, |after, what| {
        assert_eq!(served(after), ranges, "{what}");
        assert_eq!(state(after, "pi1").unwrap(), expected, "{what}");
        check_home(after, "pi1");
        archive_all(after);
        assert_eq!(in_wal(after), [""; 0], "{what}");
        assert_eq!(archived(after).len(), 4, "{what}");
        assert_eq!(served(after), ranges, "{what}");
        check_home(after, "pi1");
    });
}

#[test]
fn an_append_that_takes_a_day_back_keeps_every_record_at_every_step() {
    let (disk, all) = short_days();
    archive_all(&disk);
    let expected = state_of(&all);
    let more = batch("pi1", 7, 2);
    let work = |disk: &FakeDisk| append(disk, "pi1", "20261122", &more).map(|_| ());
    at_every_step(&disk, work, |after, what| {
        let acked = batch("pi1", 8, 1);
        append_or_close(after, "pi1", "20261122", &acked, "abcdefgh").unwrap();
        let crashed = after.copy();
        crashed.crash(what.len() as u64);
        assert_eq!(held(&state(&crashed, "pi1").unwrap(), &acked), 1, "{what}");
        let state = state(after, "pi1").unwrap();
        assert_eq!(held(&state, &all), expected.len(), "{what}");
        check_home(after, "pi1");
    });
}

#[test]
fn a_branch_in_the_archive_is_cut_at_every_step_and_does_not_come_back() {
    let (disk, all) = short_days();
    archive_all(&disk);
    let mac = log("mac");
    let first = open(&disk, "pi1").unwrap().days(&mac).next().unwrap();
    // Behind the second record of the first day.
    let position = {
        let mut journals = open(&disk, "pi1").unwrap();
        let range = journals.read(&mac, 0, u64::MAX, 1 << 20).unwrap().unwrap();
        let mut ends = cocli_core::usv::records(&range.bytes).map(|r| r.at + r.bytes.len());
        ends.nth(1).unwrap() as u64
    };
    assert!(position < first.2);
    let cut = |disk: &FakeDisk| {
        let (mut journals, lock) = (open(disk, "pi1")?, take_lock(disk)?);
        journals.set_branch_aside(&lock, &mac, position, day("20261201"), &command()).map(|_| ())
    };
    at_every_step(&disk, cut, |after, what| {
        // A sync of the own log may have failed.
        append_or_close(after, "pi1", "20261201", &batch("pi1", 8, 1), "abcdefgh").unwrap();
        cut(after).unwrap();
        assert_eq!(open(after, "pi1").unwrap().end(&mac), position, "{what}");
        // All of it travels in the own log.
        assert_eq!(held(&state(after, "pi1").unwrap(), &all), all.len(), "{what}");
        check_home(after, "pi1");
    });
}

#[test]
fn damage_in_the_archive_is_a_hole_that_other_bytes_heal() {
    let (disk, all) = days();
    let ranges = served(&disk);
    compact(&disk);
    archive_all(&disk);
    let path = archived(&disk).into_iter().find(|path| path.contains("20261122_mac@")).unwrap();
    let sound = disk.peek(&path).unwrap();
    for at in [5, 2_000, sound.len() / 2] {
        let spoilt = disk.copy();
        let mut bytes = sound.clone();
        bytes[at] ^= 0x40;
        spoilt.plant(&path, &bytes);
        let mut journals = open(&spoilt, "pi1").unwrap();
        journals.scrub(&log("mac")).unwrap();
        journals.scrub(&log("pi1")).unwrap();
        let holes = journals.holes();
        assert!(
            !holes.is_empty() && holes.iter().all(|hole| hole.log == log("mac")),
            "{at}: {holes:?}"
        );
        assert_eq!(state(&spoilt, "pi1").unwrap(), state_of(&all), "{at}");
        let lock = take_lock(&spoilt).unwrap();
        let mac: Vec<Range> =
            ranges.iter().flatten().filter(|r| r.log == log("mac")).cloned().collect();
        journals.heal(&lock, &mac, day("20261201"), &command()).unwrap();
        drop(lock);
        assert_eq!(journals.holes(), [], "{at}");
        assert_eq!(served(&spoilt), ranges);
        check_home(&spoilt, "pi1");
        archive_all(&spoilt);
        assert_eq!(in_wal(&spoilt), [""; 0]);
        assert_eq!(served(&spoilt), ranges);
    }
}

#[test]
fn no_flipped_byte_of_an_archived_day_gives_a_wrong_record_nor_stops_other_logs() {
    let (disk, all) = short_days();
    archive_all(&disk);
    let target = Target::read("companies/c1").unwrap();
    let history = |disk: &FakeDisk| {
        let reader = Reader::open(&mut open(disk, "pi1").unwrap()).unwrap();
        reader.history(&target, None).unwrap()
    };
    let (whole, path) = (history(&disk), archived(&disk).swap_remove(0));
    let sound = disk.peek(&path).unwrap();
    for at in 0..sound.len() {
        let spoilt = disk.copy();
        let mut bytes = sound.clone();
        bytes[at] ^= 1 << (at % 8);
        spoilt.plant(&path, &bytes);
        let found = history(&spoilt);
        let other = |log: &LogId| !path.contains(&format!("_{log}@"));
        assert!(found.iter().all(|one| whole.contains(one)), "{at}");
        assert!(whole.iter().all(|one| !other(&one.log) || found.contains(one)), "{at}");
        assert_eq!(state(&spoilt, "pi1").unwrap(), state_of(&all), "{at}");
        let mut journals = open(&spoilt, "pi1").unwrap();
        for log in [log("pi1"), log("mac")] {
            journals.scrub(&log).unwrap();
        }
        assert!(journals.holes().iter().all(|hole| !other(&hole.log)), "{at}");
    }
    for cut in 0..sound.len() {
        let spoilt = disk.copy();
        spoilt.plant(&path, &sound[..cut]);
        assert!(history(&spoilt).iter().all(|one| whole.contains(one)), "{cut}");
    }
}

#[test]
fn history_of_one_target_reads_the_frames_that_hold_it_and_no_others() {
    let disk = home();
    // A day of a megabyte and a half, in which one target is told of twice.
    let mut number = 0;
    let mut write = |target: &str, field: &str| {
        let one = put("pi1", target, field, &"long ".repeat(100), 1000 + number);
        number += 1;
        one
    };
    for part in 0..12 {
        let mut batch: Vec<Datagram> =
            (0..250).map(|n| write(&format!("companies/c{part}-{n}"), "name")).collect();
        if part == 3 || part == 9 {
            batch.push(write("companies/rare", "name"));
        }
        append(&disk, "pi1", "20261121", &batch).unwrap();
    }
    append(&disk, "pi1", "20261122", &[write("companies/other", "name")]).unwrap();
    compact(&disk);
    let target = Target::read("companies/rare").unwrap();
    let read = |disk: &FakeDisk, target: &Target| {
        let reader = Reader::open(&mut open(disk, "pi1").unwrap()).unwrap();
        let before = disk.bytes_read();
        let found = reader.history(target, Some(&Field::read("name").unwrap())).unwrap();
        (found, disk.bytes_read() - before)
    };
    let (all, bytes) = read(&disk, &target);
    assert!(bytes > 1_500_000, "{bytes}");
    assert_eq!(archive_all(&disk).days, 2);
    let (archived, bytes) = read(&disk, &target);
    assert_eq!(archived, all);
    let file = disk.files().into_iter().find(|p| p.contains("20261121_pi1@")).unwrap();
    let size = disk.peek(&file).unwrap().len() as u64;
    assert!(bytes < size / 2 + 20_000, "{bytes} of {size}");
    let none = Target::read("companies/none").unwrap();
    let (found, bytes) = read(&disk, &none);
    assert_eq!(found, []);
    assert!(bytes < 20_000, "{bytes}");
}

#[test]
fn opening_a_home_opens_no_file_of_the_archive() {
    let disk = home();
    for day in 1..=20 {
        append(&disk, "pi1", &format!("202611{day:02}"), &batch("pi1", day, 2)).unwrap();
    }
    compact(&disk);
    archive_all(&disk);
    assert_eq!(archived(&disk).len(), 20);
    disk.start_trace();
    let mut journals = open(&disk, "pi1").unwrap();
    let reader = Reader::open(&mut journals).unwrap();
    reader.entity(&Target::read("companies/c1").unwrap()).unwrap();
    journals.vector().unwrap();
    let opened: Vec<String> =
        disk.trace().into_iter().filter(|op| op.contains("archive/")).collect();
    assert_eq!(opened, [""; 0]);
}

#[test]
fn a_shorter_copy_of_an_archived_day_in_wal_does_not_hide_it() {
    let (disk, all) = short_days();
    let path = "wal/20261121_mac.usv";
    let bytes = disk.peek(path).unwrap();
    archive_all(&disk);
    let ranges = served(&disk);
    disk.plant(path, &bytes[..bytes.len() / 2]);
    assert_eq!(served(&disk), ranges);
    let journals = open(&disk, "pi1").unwrap();
    assert!(journals.troubles().any(|(_, _, why)| matches!(why, Trouble::Misfit { offset: 0 })));
    // The same bytes again are only archived again.
    disk.plant(path, &bytes);
    assert_eq!(open(&disk, "pi1").unwrap().troubles().count(), 0);
    assert_eq!(archive_all(&disk).days, 1);
    assert_eq!(served(&disk), ranges);
    assert_eq!(state(&disk, "pi1").unwrap(), state_of(&all));
}

fn base_of(source: &FakeDisk, log: &LogId, position: u64, today: &str) -> Base {
    let hash = open(source, "mac").unwrap().hash_at(log, position).unwrap().unwrap();
    Base { head: cocli_core::Head { position, hash }, day: day(today) }
}

/// A home with two days of `mac`'s log, and one where it has four; the checkpoint of the second.
fn behind_a_gap() -> (FakeDisk, FakeDisk, Base) {
    let (disk, _) = short_days();
    let far = disk.copy();
    append(&far, "mac", "20261125", &batch("mac", 5, 3)).unwrap();
    let position = open(&far, "mac").unwrap().end(&log("mac"));
    let base = base_of(&far, &log("mac"), position, "20261125");
    append(&far, "mac", "20261126", &batch("mac", 6, 3)).unwrap();
    compact(&far);
    take_checkpoint(&far, &disk);
    (disk, far, base)
}

/// Puts the checkpoint of one home into another.
fn take_checkpoint(from: &FakeDisk, to: &FakeDisk) {
    let is_of_it = |path: &String| path.starts_with("checkpoint/");
    to.files().iter().filter(|path| is_of_it(path)).for_each(|path| to.unplant(path));
    for path in from.files().into_iter().filter(is_of_it) {
        to.plant(&path, &from.peek(&path).unwrap());
    }
}

#[test]
fn a_log_that_begins_at_a_base_goes_on_from_there_and_shows_what_is_below() {
    let (disk, far, base) = behind_a_gap();
    let mac = log("mac");
    let (mut journals, lock) = (open(&disk, "pi1").unwrap(), take_lock(&disk).unwrap());
    let before = journals.end(&mac);
    assert!(before < base.head.position);
    journals.start_at(&lock, [(mac.clone(), base)]).unwrap();
    assert_eq!(journals.base(&mac), Some(base));
    assert_eq!(
        (journals.begin(&mac), journals.end(&mac)),
        (base.head.position, base.head.position)
    );
    assert_eq!(journals.vector().unwrap().get(&mac), Some(base.head));
    assert_eq!(journals.hash_at(&mac, before).unwrap(), None, "below the base nothing is told");
    let range = open(&far, "mac")
        .unwrap()
        .read(&mac, base.head.position, u64::MAX, 1 << 20)
        .unwrap()
        .unwrap();
    assert!(matches!(journals.append_range(&lock, &range).unwrap(), Placed::Appended(_)));
    journals.sync(&lock).unwrap();
    drop(lock);
    check_home(&disk, "pi1");
    assert_eq!(state(&disk, "pi1").unwrap(), state(&far, "mac").unwrap());
    assert!(!in_wal(&disk).iter().any(|path| path.contains("20261121_mac")));
    let reader = Reader::open(&mut open(&disk, "pi1").unwrap()).unwrap();
    for one in batch("mac", 0, 3) {
        let shown = reader.history(&one.target, Some(&one.field)).unwrap();
        assert_eq!(shown.len(), 1, "history below the base is shown");
    }
    compact(&disk);
    archive_all(&disk);
    check_home(&disk, "pi1");
    assert_eq!(state(&disk, "pi1").unwrap(), state(&far, "mac").unwrap());
}

#[test]
fn beginning_at_a_base_is_done_or_not_at_every_step() {
    let (disk, far, base) = behind_a_gap();
    let expected = state(&far, "mac").unwrap();
    let mac = log("mac");
    let begin = |disk: &FakeDisk| {
        let (mut journals, lock) = (open(disk, "pi1")?, take_lock(disk)?);
        journals.start_at(&lock, [(mac.clone(), base)])
    };
    let old_end = open(&disk, "pi1").unwrap().end(&mac);
    at_every_step(&disk, begin, |after, what| {
        let journals = open(after, "pi1").unwrap();
        let held = (journals.begin(&mac), journals.end(&mac));
        assert!(
            held == (0, old_end) || held == (base.head.position, base.head.position),
            "{what}: {held:?}"
        );
        begin(after).unwrap();
        let journals = open(after, "pi1").unwrap();
        assert_eq!(journals.base(&mac), Some(base), "{what}");
        assert_eq!(journals.troubles().count(), 0, "{what}");
        let reader = Reader::open(&mut open(after, "pi1").unwrap()).unwrap();
        assert_eq!(reader.digest().unwrap(), expected.digest(), "{what}");
        let one = &batch("mac", 0, 3)[0];
        assert_eq!(reader.history(&one.target, Some(&one.field)).unwrap().len(), 1, "{what}");
    });
}

fn trim_to(disk: &FakeDisk, budget: u64, held: &archive::Held<'_>) -> Result<usize> {
    let mut journals = open(disk, "pi1")?;
    let going = archive::plan(&mut journals, budget, held)?;
    archive::trim(&take_lock(disk)?, &mut journals, &going)?;
    Ok(going.len())
}

#[test]
fn only_the_oldest_days_go_that_are_held_elsewhere_and_the_state_stays() {
    let (disk, all) = days();
    let digest = state_of(&all).digest();
    compact(&disk);
    archive_all(&disk);
    let ranges = served(&disk);
    assert_eq!(trim_to(&disk, 1 << 40, &|_| true).unwrap(), 0, "it is within its budget");
    assert_eq!(trim_to(&disk, 0, &|_| false).unwrap(), 0, "nobody else holds it");
    let mac = log("mac");
    let only_first = |trim: &archive::Trim<'_>| *trim.log == mac && trim.day == day("20261121");
    assert_eq!(trim_to(&disk, 0, &only_first).unwrap(), 1);
    let mut journals = open(&disk, "pi1").unwrap();
    let base = journals.base(&mac).unwrap();
    assert_eq!(base.day, day("20261121"));
    assert_eq!(journals.base(&log("pi1")), None);
    assert_eq!(journals.holes(), []);
    assert_eq!(journals.troubles().count(), 0);
    let lost: usize = ranges.iter().flatten().filter(|r| r.log == mac && r.day == base.day).count();
    let left: Vec<Vec<Range>> = ranges
        .iter()
        .map(|of_log| {
            of_log.iter().filter(|r| r.log != mac || r.day != base.day).cloned().collect()
        })
        .collect();
    assert!(lost > 0);
    assert_eq!(served(&disk), left);
    assert_eq!(journals.hash_at(&mac, base.head.position).unwrap(), Some(base.head.hash));
    check_home(&disk, "pi1");
    let digest_now = |disk: &FakeDisk| {
        let reader = Reader::open(&mut open(disk, "pi1").unwrap()).unwrap();
        assert_eq!(reader.state().unwrap().digest(), reader.digest().unwrap());
        reader.digest().unwrap()
    };
    assert_eq!(digest_now(&disk), digest);
    // All of it.
    assert_eq!(trim_to(&disk, 0, &|_| true).unwrap(), 5);
    assert_eq!((archived(&disk), in_wal(&disk)), (Vec::new(), Vec::new()));
    assert_eq!(digest_now(&disk), digest);
    let more = batch("pi1", 9, 2);
    append(&disk, "pi1", "20261201", &more).unwrap();
    let mut expected = all;
    expected.extend(more);
    compact(&disk);
    assert_eq!(digest_now(&disk), state_of(&expected).digest());
    check_home(&disk, "pi1");
}

#[test]
fn a_log_whose_days_all_went_goes_on_where_its_days_had_come_to() {
    let (disk, _) = short_days();
    let peer = disk.copy();
    archive_all(&disk);
    assert_eq!(trim_to(&disk, 0, &|_| true).unwrap(), 4);
    // The clock went back meanwhile.
    append(&disk, "pi1", "20261101", &batch("pi1", 9, 2)).unwrap();
    let own = log("pi1");
    let mut journals = open(&disk, "pi1").unwrap();
    assert_eq!(journals.days(&own).next().unwrap().0, day("20261122"));
    let from = journals.begin(&own);
    let range = journals.read(&own, from, u64::MAX, 1 << 20).unwrap().unwrap();
    let (mut theirs, lock) = (open(&peer, "mac").unwrap(), take_lock(&peer).unwrap());
    assert!(matches!(theirs.append_range(&lock, &range).unwrap(), Placed::Appended(_)));
    // And nobody is believed who says that it went back.
    let (mut journals, lock) = (open(&disk, "pi1").unwrap(), take_lock(&disk).unwrap());
    let mac = log("mac");
    let head = journals.base(&mac).unwrap().head;
    let early = Range {
        log: mac,
        day: day("20261121"),
        position: head.position,
        hash_before: head.hash,
        bytes: bytes_of(&batch("mac", 9, 1)),
    };
    let placed = journals.append_range(&lock, &early).unwrap();
    assert!(matches!(placed, Placed::Misplaced { why: Misplaced::Day, .. }), "{placed:?}");
}

#[test]
fn days_go_or_stay_at_every_step() {
    let (disk, all) = short_days();
    archive_all(&disk);
    let digest = state_of(&all).digest();
    let work = |disk: &FakeDisk| trim_to(disk, 0, &|trim| trim.day == day("20261121")).map(|_| ());
    at_every_step(&disk, work, |after, what| {
        let journals = open(after, "pi1").unwrap();
        assert_eq!((journals.holes(), journals.troubles().count()), (Vec::new(), 0), "{what}");
        let reader = Reader::open(&mut open(after, "pi1").unwrap()).unwrap();
        assert_eq!(reader.digest().unwrap(), digest, "{what}");
        work(after).unwrap();
        assert_eq!(archived(after).len(), 2, "{what}");
        let journals = open(after, "pi1").unwrap();
        for log in [log("pi1"), log("mac")] {
            assert_eq!(journals.base(&log).unwrap().day, day("20261121"), "{what}");
        }
        check_home(after, "pi1");
    });
}

#[test]
fn a_damaged_shard_whose_history_is_gone_is_said_and_is_no_empty_shard() {
    let (disk, all) = short_days();
    archive_all(&disk);
    trim_to(&disk, 0, &|trim| trim.day == day("20261121")).unwrap();
    let target = &all[0].target;
    let shard = format!("checkpoint/{:02x}-", cocli_core::digest::shard(target));
    let path = disk.files().into_iter().find(|path| path.starts_with(&shard)).unwrap();
    let mut bytes = disk.peek(&path).unwrap();
    bytes[10] ^= 1;
    disk.plant(&path, &bytes);
    let reader = Reader::open(&mut open(&disk, "pi1").unwrap()).unwrap();
    let unheld =
        |error: &StoreError| matches!(error, StoreError::Unheld { path: at, .. } if *at == path);
    assert!(unheld(&reader.state().unwrap_err()));
    let (mut journals, lock) = (open(&disk, "pi1").unwrap(), take_lock(&disk).unwrap());
    let repaired = checkpoint::repair(&lock, &mut journals, 1 << 20);
    assert!(unheld(&repaired.unwrap_err()));
    drop(lock);
    disk.unplant("checkpoint/manifest.json");
    let opened = Reader::open(&mut open(&disk, "pi1").unwrap());
    assert!(matches!(opened.unwrap_err(), StoreError::Unheld { .. }));
}

#[derive(Debug, Clone)]
enum Step {
    Append {
        writer: &'static str,
        day: u32,
        size: usize,
    },
    Compact,
    /// As if it were so many days later than the first.
    Archive(i64),
    /// Only days whose number gives this rest.
    Trim(u32),
}

fn step() -> impl Strategy<Value = Step> {
    let writer = prop::sample::select(vec!["pi1", "mac", "pi2"]);
    prop_oneof![
        4 => (writer, 0..6_u32, 1..400_usize)
            .prop_map(|(writer, day, size)| Step::Append { writer, day, size }),
        3 => Just(Step::Compact),
        3 => (1..9_i64).prop_map(Step::Archive),
        2 => (0..3_u32).prop_map(Step::Trim),
    ]
}

/// What peers are served of every log, from the places on that are given, as one string of bytes with days.
fn bytes_from(disk: &FakeDisk, begins: &[(LogId, u64)]) -> Vec<(u32, Vec<u8>)> {
    let mut journals = open(disk, "pi1").unwrap();
    let mut all = Vec::new();
    for (log, begin) in begins {
        let (mut from, end) = (*begin, journals.end(log));
        while let Some(range) = journals.read(log, from, end, 1 << 20).unwrap() {
            from = range.end_position();
            all.push((range.day.number(), range.bytes));
        }
        assert_eq!(from, end, "{log} is served to its end");
    }
    all.dedup_by(|b, a| {
        a.0 == b.0 && {
            a.1.append(&mut b.1);
            true
        }
    });
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn whatever_moves_and_goes_state_and_served_bytes_are_those_of_who_keeps_all(
        steps in prop::collection::vec(step(), 1..24)
    ) {
        let (disk, model, mut all) = (home(), home(), Vec::new());
        // A view that is older than every step, as a daemon's.
        let mut view = open(&disk, "pi1").unwrap();
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Append { writer, day, size } => {
                    let (batch, day) = (batch(writer, number, size), (20_261_121 + day).to_string());
                    for disk in [&disk, &model] {
                        append(disk, writer, &day, &batch).unwrap();
                    }
                    all.extend(batch);
                }
                Step::Compact => compact(&disk),
                Step::Archive(days) => {
                    let noon = Instant::read("2026-11-21T12:00:00.000000+00:00").unwrap();
                    let later = Instant::from_micros(noon.micros() + days * 86_400_000_000).unwrap();
                    archive_at(&disk, later).unwrap();
                }
                Step::Trim(rest) => {
                    trim_to(&disk, 0, &|trim| trim.day.number() % 3 == rest).unwrap();
                }
            }
            view.refresh().unwrap();
            let journals = open(&disk, "pi1").unwrap();
            let logs: Vec<LogId> = journals.logs().cloned().collect();
            let begins: Vec<(LogId, u64)> =
                logs.iter().map(|log| (log.clone(), journals.begin(log))).collect();
            prop_assert_eq!(journals.troubles().count(), 0);
            prop_assert_eq!(bytes_from(&disk, &begins), bytes_from(&model, &begins));
            for log in &logs {
                prop_assert_eq!(view.end(log), journals.end(log));
                prop_assert_eq!(view.base(log), journals.base(log));
                prop_assert_eq!(view.head(log).unwrap(), open(&model, "pi1").unwrap().head(log).unwrap());
            }
        }
        let expected = state_of(&all);
        prop_assert_eq!(&state(&disk, "pi1").unwrap(), &expected);
        check_home(&disk, "pi1");
        compact(&disk);
        archive_all(&disk);
        let reader = Reader::open(&mut open(&disk, "pi1").unwrap()).unwrap();
        prop_assert_eq!(reader.digest().unwrap(), expected.digest());
        check_home(&disk, "pi1");
    }
}

#[test]
fn a_mark_of_an_append_that_comes_back_after_its_journal_went_undoes_nothing() {
    let disk = home();
    let (first, second) = (batch("pi1", 1, 3), batch("pi1", 2, 1));
    // What stands there while the first is written, and comes back when the power goes.
    let intent = (1..)
        .find_map(|k| {
            let cut = disk.copy();
            cut.fail_at(k, Fault::Crash, Times::Once);
            assert!(append(&cut, "pi1", "20261121", &first).is_err(), "no step leaves one");
            cut.peek("wal/20261121_pi1.usv")?;
            cut.peek(".cocli/intent").filter(|intent| !intent.is_empty())
        })
        .unwrap();
    append(&disk, "pi1", "20261121", &first).unwrap();
    compact(&disk);
    archive_all(&disk);
    assert_eq!(trim_to(&disk, 0, &|_| true).unwrap(), 1);
    append(&disk, "pi1", "20261121", &second).unwrap();
    disk.plant(".cocli/intent", &intent);
    append(&disk, "pi1", "20261121", &batch("pi1", 3, 1)).unwrap();
    let state = state(&disk, "pi1").unwrap();
    assert_eq!((held(&state, &first), held(&state, &second)), (3, 1));
    check_home(&disk, "pi1");
}

#[test]
fn a_log_that_is_cut_to_its_base_takes_what_comes_and_syncs_it() {
    let (disk, _) = short_days();
    let peer = disk.copy();
    archive_all(&disk);
    assert_eq!(trim_to(&disk, 0, &|_| true).unwrap(), 4);
    append(&peer, "mac", "20261125", &batch("mac", 8, 2)).unwrap();
    let (mac, mut theirs) = (log("mac"), open(&peer, "pi1").unwrap());
    let (mut journals, lock) = (open(&disk, "pi1").unwrap(), take_lock(&disk).unwrap());
    let base = journals.begin(&mac);
    let range = theirs.read(&mac, base, u64::MAX, 1 << 20).unwrap().unwrap();
    for _ in 0..2 {
        assert!(matches!(journals.append_range(&lock, &range).unwrap(), Placed::Appended(_)));
        journals.sync(&lock).unwrap();
        assert_eq!(journals.durable(&mac), range.end_position());
        let aside = journals.set_branch_aside(&lock, &mac, base, day("20261126"), &command());
        assert_eq!(aside.unwrap().head.position, base);
        assert_eq!((journals.end(&mac), journals.durable(&mac)), (base, base));
    }
}

#[test]
fn a_day_that_moves_while_it_is_synced_is_no_failure() {
    let (disk, _) = days();
    let mut journals = open(&disk, "pi1").unwrap();
    let plan = journals.sync_plan(&take_lock(&disk).unwrap());
    assert!(!plan.is_empty());
    compact(&disk);
    assert_eq!(archive_all(&disk).days, 6);
    let end = plan.run(&disk);
    let synced = journals.synced(&take_lock(&disk).unwrap(), end).unwrap();
    assert!(synced.failed.is_none(), "{synced:?}");
    let mac = log("mac");
    assert_eq!(journals.durable(&mac), journals.end(&mac));
}

fn file_of(disk: &FakeDisk, stem: &str) -> String {
    archived(disk).into_iter().find(|path| path.contains(&format!("{stem}@"))).unwrap()
}

fn archive_by(disk: &FakeDisk, lock: &dyn Fn() -> Result<Option<HomeLock>>) -> Result<Archived> {
    let turn = Turn::try_take(disk)?.unwrap();
    let moving = Moving { after: 2, threads: 1 };
    archive::archive(&turn, &mut open(disk, "pi1")?, (moving, now()), lock)
}

#[test]
fn a_journal_whose_file_in_the_archive_somebody_took_away_meanwhile_stays() {
    let (disk, all) = days();
    compact(&disk);
    let calls = std::cell::Cell::new(0);
    let lock = || {
        calls.set(calls.get() + 1);
        if calls.get() == 3 {
            // As an append does that puts the day back, and then fails.
            assert_eq!(archived(&disk).len(), 6);
            archived(&disk).iter().for_each(|path| disk.remove(path).unwrap());
        }
        HomeLock::try_take(&disk, "test").map(Some)
    };
    assert_eq!(archive_by(&disk, &lock).unwrap().days, 0);
    assert_eq!(in_wal(&disk).len(), 6);
    assert_eq!(state(&disk, "pi1").unwrap(), state_of(&all));
}

#[test]
fn a_day_that_somebody_takes_out_is_not_in_the_way_of_a_move() {
    let (disk, _) = days();
    compact(&disk);
    archive_at(&disk, Instant::read("2026-11-23T00:00:00.000000+00:00").unwrap()).unwrap();
    let half = "archive/20261121_mac.usv.new";
    disk.plant(half, b"half");
    // Who writes it has the lock.
    archive_by(&disk, &|| Ok(None)).unwrap();
    assert_eq!(disk.peek(half).unwrap(), b"half");
    archive_all(&disk);
    assert!(disk.peek(half).is_none(), "nobody writes it");
}

#[test]
fn frames_are_read_and_kept_where_the_medium_lost_the_index_behind_them() {
    let disk = home();
    append(&disk, "mac", "20261122", &long_batch("mac", 1, 3_000)).unwrap();
    compact(&disk);
    archive_all(&disk);
    let path = file_of(&disk, "20261122_mac");
    let len = disk.peek(&path).unwrap().len() as u64;
    assert!(len > 3 * 4096, "{len}");
    let legible = |disk: &FakeDisk| -> Vec<Range> {
        let (mut journals, mac) = (open(disk, "pi1").unwrap(), log("mac"));
        let (mut from, mut ranges) = (0, Vec::new());
        while let Ok(Some(range)) = journals.read(&mac, from, u64::MAX, 1) {
            from = range.end_position();
            ranges.push(range);
        }
        ranges
    };
    let before = legible(&disk);
    disk.spoil(&path, len - 1..len);
    assert!(legible(&disk) == before);
    disk.spoil(&path, len * 2 / 3..len);
    let after = legible(&disk);
    assert!(after.len() > before.len() / 2 && before.starts_with(&after), "{}", after.len());
    let (mut journals, lock) = (open(&disk, "pi1").unwrap(), take_lock(&disk).unwrap());
    let unsound = archive::unsound(&journals).unwrap();
    assert_eq!(unsound.len(), 1);
    journals.take_out(&lock, &unsound[0].log, unsound[0].piece).unwrap();
    assert!(in_wal(&disk).contains(&"wal/20261122_mac.usv".to_owned()));
    assert!(legible(&disk) == after);
    let aside = path.replace("archive/", ".cocli/aside/");
    assert!(disk.peek(&aside).is_some(), "more of it may be had by other means");
}

#[test]
fn a_shorter_journal_that_somebody_put_beside_an_archived_day_is_kept_aside() {
    let (disk, mut all) = days();
    compact(&disk);
    archive_all(&disk);
    disk.plant("wal/20261123_pi1.usv", b"mine\x1e");
    let batch = batch("pi1", 9, 3);
    append(&disk, "pi1", "20261123", &batch).unwrap();
    all.extend(batch);
    assert_eq!(state(&disk, "pi1").unwrap(), state_of(&all));
    let kept = |path: &String| {
        path.starts_with(".cocli/aside/") && disk.peek(path).unwrap() == b"mine\x1e"
    };
    assert!(disk.files().iter().any(kept), "{:?}", disk.files());
}

#[test]
fn a_journal_of_a_day_before_the_base_is_none_of_what_follows_it() {
    let (disk, _) = short_days();
    let old = disk.peek("wal/20261121_pi1.usv").unwrap();
    archive_all(&disk);
    assert_eq!(trim_to(&disk, 0, &|_| true).unwrap(), 4);
    disk.plant("wal/20261121_pi1.usv", &old);
    let journals = open(&disk, "pi1").unwrap();
    let own = log("pi1");
    assert_eq!(journals.end(&own), journals.begin(&own));
    let troubles: Vec<_> = journals.troubles().map(|(_, day, trouble)| (day, trouble)).collect();
    assert!(matches!(troubles[..], [(_, Trouble::Misfit { offset: 0 })]), "{troubles:?}");
    append(&disk, "pi1", "20261130", &batch("pi1", 9, 1)).unwrap();
    assert_eq!(held(&state(&disk, "pi1").unwrap(), &batch("pi1", 9, 1)), 1);
}

#[test]
fn a_day_with_a_hole_does_not_go() {
    let (disk, _) = days();
    compact(&disk);
    archive_all(&disk);
    let path = file_of(&disk, "20261121_mac");
    let mut bytes = disk.peek(&path).unwrap();
    bytes[20] ^= 1;
    disk.plant(&path, &bytes);
    // The state is made anew from what can be read.
    for file in disk.files().into_iter().filter(|file| file.starts_with("checkpoint/")) {
        disk.remove(&file).unwrap();
    }
    compact(&disk);
    assert!(!open(&disk, "pi1").unwrap().holes().is_empty(), "the daemon can ask for it");
    let going = archive::plan(&mut open(&disk, "pi1").unwrap(), 0, &|_| true).unwrap();
    assert!(!going.is_empty() && going.iter().all(|one| one.log == log("pi1")), "{going:?}");
}

#[test]
fn many_logs_begin_at_their_bases_by_one_look_and_one_word_about_bases() {
    let (disk, far) = (home(), home());
    let logs: Vec<LogId> = (0..9).map(|n| log(&format!("n{n}"))).collect();
    for (number, log) in logs.iter().enumerate() {
        let name = log.node.as_str();
        let first = batch(name, number, 3);
        append(&far, name, "20261121", &first).unwrap();
        append(&far, name, "20261124", &batch(name, 20 + number, 3)).unwrap();
        disk.plant(&format!("wal/20261121_{name}.usv"), &bytes_of(&first));
    }
    let base = |log: &LogId| base_of(&far, log, open(&far, "pi1").unwrap().end(log), "20261124");
    let costs = |logs: &[LogId]| {
        let disk = disk.copy();
        let (mut journals, lock) = (open(&disk, "pi1").unwrap(), take_lock(&disk).unwrap());
        disk.start_trace();
        journals.start_at(&lock, logs.iter().map(|log| (log.clone(), base(log)))).unwrap();
        assert_eq!(journals.bases().count(), logs.len());
        assert_eq!(in_wal(&disk).len(), 9 - logs.len());
        let trace = disk.trace();
        let count = |what: &str| trace.iter().filter(|line| line.ends_with(what)).count();
        ["list wal", "list archive", "sync_folder archive", ".cocli/bases.json"].map(count)
    };
    assert!(costs(&logs[..1]).iter().all(|count| *count > 0));
    assert_eq!(costs(&logs), costs(&logs[..1]));
    // One that may not begin there keeps all where they are.
    let (mut journals, lock) = (open(&disk, "n8").unwrap(), take_lock(&disk).unwrap());
    let refused = journals.start_at(&lock, logs.iter().map(|log| (log.clone(), base(log))));
    assert!(matches!(refused, Err(StoreError::Refused { .. })));
    assert_eq!((in_wal(&disk).len(), journals.bases().count()), (9, 0));
}

#[test]
fn a_journal_stays_where_its_file_in_the_archive_does_not_read_back_as_it() {
    let (disk, _, base) = behind_a_gap();
    let mac = log("mac");
    let begin = |disk: &FakeDisk| {
        let (mut journals, lock) = (open(disk, "pi1").unwrap(), take_lock(disk).unwrap());
        journals.start_at(&lock, [(mac.clone(), base)])
    };
    let before: Vec<Vec<u8>> = in_wal(&disk).iter().map(|path| disk.peek(path).unwrap()).collect();
    let traced = disk.copy();
    let from = traced.ops();
    traced.start_trace();
    begin(&traced).unwrap();
    let read_back = |line: &&String| line.contains("read_at archive/") && line.ends_with(".new");
    let trace = traced.trace();
    let line = trace.iter().find(read_back).expect("it is read back");
    let at: u64 = line.split(' ').next().unwrap().parse().unwrap();
    let path = line.rsplit(' ').next().unwrap().to_owned();
    let mut changed = traced.peek(path.strip_suffix(".new").unwrap()).unwrap();
    for byte in [6, changed.len() / 2, changed.len() - 30] {
        let disk = disk.copy();
        changed[byte] ^= 1;
        disk.save_at(
            at - from,
            cocli_store::disk::fake::Save {
                path: path.clone(),
                bytes: changed.clone(),
                renamed: false,
                slow: None,
            },
        );
        let refused = begin(&disk).unwrap_err().to_string();
        assert!(refused.contains("the journal stays in wal/"), "{byte}: {refused}");
        let after: Vec<Vec<u8>> =
            in_wal(&disk).iter().map(|path| disk.peek(path).unwrap()).collect();
        assert_eq!(after, before, "{byte}");
        assert_eq!(open(&disk, "pi1").unwrap().bases().count(), 0);
        begin(&disk).unwrap();
        changed[byte] ^= 1;
    }
}

#[test]
fn a_block_that_is_longer_than_a_frame_is_archived_as_several_and_reads_as_one() {
    let (disk, _) = days();
    let (first, last) = (long_batch("mac", 3, 4), long_batch("mac", 4, 4));
    // Longer than any record may be: no mark is in it. What its third frame holds would be a record.
    let frame = 2 * (9 * 1024 * 1024 + 160 * 1024);
    assert_eq!(frame, 19_202_048);
    let mut long: Vec<u8> = (0..2 * frame + (1 << 20)).map(|n| b'a' + (n % 23) as u8).collect();
    let inner = b"2026-11-24T08:00:00.000000+00:00\x1fmac\x1fcompanies/inner\x1fname\x1fnone";
    let at = 2 * frame - bytes_of(&first).len();
    long[at..at + inner.len()].copy_from_slice(inner);
    long.push(0x1e);
    let journal = [bytes_of(&first), long, bytes_of(&last)].concat();
    disk.plant("wal/20261124_mac.usv", &journal);
    {
        let (mut journals, lock) = (open(&disk, "pi1").unwrap(), take_lock(&disk).unwrap());
        journals.sync(&lock).unwrap();
    }
    compact(&disk);
    assert_eq!(archive_all(&disk).days, 7);
    assert_eq!(in_wal(&disk), [""; 0]);
    let file = archived(&disk).into_iter().find(|file| file.contains("20261124_mac@")).unwrap();
    let plain = zstd::stream::decode_all(&disk.peek(&file).unwrap()[..]).unwrap();
    assert!(plain == journal);
    let shows = |disk: &FakeDisk| {
        let reader = Reader::open(&mut open(disk, "pi1").unwrap()).unwrap();
        for one in first.iter().chain(&last) {
            let shown = reader.history(&one.target, Some(&one.field)).unwrap();
            assert_eq!(shown.len(), 1, "{}", one.target);
        }
        let inner = Target::read("companies/inner").unwrap();
        assert_eq!(reader.history(&inner, None).unwrap(), []);
    };
    shows(&disk);
    // Below a base, too.
    let mac = log("mac");
    let far = disk.copy();
    append(&far, "mac", "20261125", &batch("mac", 5, 3)).unwrap();
    let position = open(&far, "mac").unwrap().end(&mac);
    let base = base_of(&far, &mac, position, "20261125");
    compact(&far);
    take_checkpoint(&far, &disk);
    let (mut journals, lock) = (open(&disk, "pi1").unwrap(), take_lock(&disk).unwrap());
    journals.take_out(&lock, &mac, archived_piece(&disk, &file)).unwrap();
    journals.start_at(&lock, [(mac, base)]).unwrap();
    drop(lock);
    let mut bytes = disk.peek(&file).unwrap();
    assert!(zstd::stream::decode_all(&bytes[..]).unwrap() == journal);
    // Where no index tells which frames are one block.
    let end = bytes.len() - 20;
    bytes[end] ^= 1;
    disk.plant(&file, &bytes);
    shows(&disk);
}

/// The piece that a file of the archive is named by.
fn archived_piece(disk: &FakeDisk, file: &str) -> cocli_store::archive::Piece {
    assert!(disk.peek(file).is_some());
    let (day_of, place) = file.strip_prefix("archive/").unwrap().split_once('@').unwrap();
    let (start, len) = place.strip_suffix(".usv.zst").unwrap().split_once('+').unwrap();
    cocli_store::archive::Piece {
        start: start.parse().unwrap(),
        len: len.parse().unwrap(),
        day: day(&day_of[..8]),
    }
}

/// How often the archive was listed.
fn lists(disk: &FakeDisk, work: impl FnOnce()) -> usize {
    disk.start_trace();
    work();
    disk.trace().iter().filter(|line| line.ends_with("list archive")).count()
}

#[test]
fn who_reads_or_writes_one_field_does_not_list_the_archive() {
    let (disk, mut all) = days();
    // The last one who wrote here is the node itself.
    let own = batch("pi1", 19, 3);
    append(&disk, "pi1", "20261123", &own).unwrap();
    all.extend(own);
    compact(&disk);
    archive_all(&disk);
    assert_eq!(in_wal(&disk), [""; 0]);
    let glances = |disk: &FakeDisk, all: &[Datagram]| {
        lists(disk, || {
            let reader = Reader::glance(shared(disk), CLUSTER, node("pi1")).unwrap();
            assert_eq!(reader.state().unwrap(), state_of(all));
        })
    };
    let writes = |disk: &FakeDisk, today: &str, batch: &[Datagram]| {
        lists(disk, || drop(append(disk, "pi1", today, batch).unwrap()))
    };
    assert_eq!(glances(&disk, &all), 0);
    // All days of the own log stand in the archive, and then none of today's does.
    for (number, today) in [(20, "20261126"), (21, "20261126"), (22, "20261127")] {
        let batch = batch("pi1", number, 3);
        assert_eq!(writes(&disk, today, &batch), 0, "{number}");
        all.extend(batch);
        assert_eq!(glances(&disk, &all), 0, "{number}");
    }
    // The newest day of another log stands there, and more of it comes.
    let far = disk.copy();
    let more = batch("mac", 23, 3);
    append(&far, "mac", "20261127", &more).unwrap();
    let end = open(&disk, "pi1").unwrap().end(&log("mac"));
    let range = open(&far, "pi1").unwrap().read(&log("mac"), end, u64::MAX, 1 << 20);
    let (mut journals, lock) = (open(&disk, "pi1").unwrap(), take_lock(&disk).unwrap());
    journals.append_range(&lock, &range.unwrap().unwrap()).unwrap();
    journals.sync(&lock).unwrap();
    drop(lock);
    all.extend(more);
    assert_eq!(glances(&disk, &all), 0);
    check_home(&disk, "pi1");
    // Where the marks are lost only the list tells.
    for path in disk.files().iter().filter(|path| path.starts_with(".cocli/marks/")) {
        disk.unplant(path);
    }
    assert_eq!(glances(&disk, &all), 1);
    let batch = batch("pi1", 24, 3);
    assert_eq!(writes(&disk, "20261127", &batch), 1);
    all.extend(batch);
    assert_eq!(state(&disk, "pi1").unwrap(), state_of(&all));
}

#[test]
fn a_day_whose_marks_are_lost_is_seen_in_the_archive_before_anything_is_appended() {
    let disk = home();
    let mut all = Vec::new();
    for (number, today) in [(0, "20261121"), (1, "20261122")] {
        let batch = batch("pi1", number, 3);
        append(&disk, "pi1", today, &batch).unwrap();
        all.extend(batch);
        compact(&disk);
    }
    assert_eq!(archive_all(&disk).days, 2);
    let marks = String::from_utf8(disk.peek(".cocli/marks/pi1.marks").unwrap()).unwrap();
    let first: String =
        marks.split_inclusive('\n').filter(|line| line[2..].starts_with("20261121")).collect();
    assert!(first.lines().any(|line| line.starts_with('M')), "the end of the first day is marked");
    disk.plant(".cocli/marks/pi1.marks", first.as_bytes());
    let end = open(&disk, "pi1").unwrap().end(&log("pi1"));
    assert_eq!(end, bytes_of(&all).len() as u64);
    let batch = batch("pi1", 2, 3);
    let written = append(&disk, "pi1", "20261126", &batch).unwrap();
    assert_eq!((written.log, written.from), (log("pi1"), end));
    all.extend(batch);
    assert_eq!(state(&disk, "pi1").unwrap(), state_of(&all));
    check_home(&disk, "pi1");
}
