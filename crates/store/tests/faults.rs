//! Every operation of appending, recovery, compaction and closing fails once and for good, with an
//! error, a full disk and a power cut. Afterwards all that was acknowledged is there, nothing stands
//! half, and the state is right.
#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

mod support;

use cocli_core::{Datagram, LogId};
use cocli_store::checkpoint::{Begun, Means, Turn};
use cocli_store::disk::fake::{Fault, Times};
use cocli_store::journal::{Misplaced, Placed};
use cocli_store::{Disk, FakeDisk, StoreError, checkpoint};
use support::*;

fn try_append(disk: &FakeDisk, today: &str, batch: Vec<Datagram>) -> Tried {
    let acked = append(disk, "pi1", today, &batch).is_ok();
    Tried { batch, acked }
}

/// The next writer comes, and goes on where the last one stopped; the power goes; then everything is
/// looked at.
fn check_after(disk: &FakeDisk, earlier: &[Datagram], tried: &[Tried], what: &str) {
    let last = batch("pi1", 90, 2);
    append_or_close(disk, "pi1", "20261121", &last, "zzzzzzzz")
        .unwrap_or_else(|e| panic!("{what}: {e}"));
    let disk = &disk.medium();
    check_home(disk, "pi1");
    let state = state(disk, "pi1").unwrap();
    assert_eq!(held(&state, earlier), earlier.len(), "{what}: lost what was there before");
    assert_eq!(held(&state, &last), 2, "{what}: lost what came after");
    let mut count = earlier.len() + 2;
    for Tried { batch, acked } in tried {
        let there = held(&state, batch);
        assert!(
            there == batch.len() || (there == 0 && !acked),
            "{what}: {there} of {}, acknowledged: {acked}",
            batch.len()
        );
        count += there;
    }
    assert_eq!(state.len(), count, "{what}: something that nobody wrote");
}

/// A home with some history of its own, and the datagrams in it.
fn home_with_history() -> (FakeDisk, Vec<Datagram>) {
    let disk = home();
    let mut all = Vec::new();
    for number in 0..6 {
        let batch = batch("pi1", number, 1 + number % 3);
        append(&disk, "pi1", if number < 3 { "20261121" } else { "20261122" }, &batch).unwrap();
        all.extend(batch);
    }
    (disk, all)
}

#[test]
fn an_append_that_fails_anywhere_loses_nothing_and_leaves_nothing_half() {
    let (disk, earlier) = home_with_history();
    let work = |disk: &FakeDisk| {
        vec![
            // Over several sectors, each of which may be lost alone.
            try_append(disk, "20261122", long_batch("pi1", 10, 3)),
            try_append(disk, "20261122", batch("pi1", 11, 1)),
            try_append(disk, "20261123", batch("pi1", 12, 4)),
        ]
    };
    let steps =
        at_every_step(&disk, work, |disk, tried, what| check_after(disk, &earlier, tried, what));
    assert!(steps > 150, "{steps}");
}

#[test]
fn the_first_append_of_a_home_that_fails_anywhere_leaves_a_home() {
    let work = |disk: &FakeDisk| vec![try_append(disk, "20261123", batch("pi1", 10, 2))];
    at_every_step(&home(), work, |disk, tried, what| check_after(disk, &[], tried, what));
}

#[test]
fn a_recovery_that_fails_anywhere_is_done_by_the_next_one() {
    // A batch of three whose writer was killed in the middle of the write.
    let (disk, earlier) = home_with_history();
    let write = step_of(&disk, "20261122", &batch("pi1", 10, 3), "write_at wal/");
    disk.fail_at(write, Fault::Error, Times::ForGood);
    append(&disk, "pi1", "20261122", &batch("pi1", 10, 3)).unwrap_err();
    disk.heal();
    assert!(disk.peek("wal/20261122_pi1.usv").unwrap().len() > bytes_of(&earlier[6..]).len());
    let work = |disk: &FakeDisk| {
        vec![
            Tried { batch: batch("pi1", 10, 3), acked: false },
            try_append(disk, "20261122", batch("pi1", 11, 1)),
        ]
    };
    at_every_step(&disk, work, |disk, tried, what| {
        check_after(disk, &earlier, tried, what);
        let state = state(disk, "pi1").unwrap();
        assert_eq!(held(&state, &tried[0].batch), 0, "{what}: a batch that was torn came back");
    });
}

/// Compacts a home that fails at each step, by these means; afterwards the state is whole, no manifest
/// names a damaged file, and the next compaction takes away what was left.
fn a_compaction_that_fails(means: Means<'_>, least: u64) {
    let (disk, mut earlier) = home_with_history();
    let compact_by = |disk: &FakeDisk, means: &Means<'_>| -> Result<(), StoreError> {
        let mut journals = open(disk, "pi1")?;
        let lock = take_lock(disk)?;
        checkpoint::compact_by(&lock, &mut journals, means).map(|_| ())
    };
    let compact = |disk: &FakeDisk| compact_by(disk, &means);
    compact(&disk).unwrap();
    for number in 20..24 {
        let batch = batch("pi1", number, 3);
        append(&disk, "pi1", "20261123", &batch).unwrap();
        if number == 21 {
            compact(&disk).unwrap();
        }
        earlier.extend(batch);
    }
    let expected = state_of(&earlier);
    let work = |disk: &FakeDisk| {
        let _ = compact(disk);
        Vec::new()
    };
    let steps = at_every_step(&disk, work, |disk, _, what| {
        assert_eq!(state(disk, "pi1").unwrap(), expected, "{what}");
        // Reading made good for a damaged file, but a manifest may never name one.
        let copy = disk.copy();
        let (mut journals, lock) = (open(&copy, "pi1").unwrap(), take_lock(&copy).unwrap());
        let done = checkpoint::repair(&lock, &mut journals, 1 << 20).unwrap();
        assert_eq!(done.rebuilt, 0, "{what}");
        compact_by(disk, &WHOLLY).unwrap_or_else(|e| panic!("{what}: {e}"));
        let mut journals = open(disk, "pi1").unwrap();
        let reader = cocli_store::Reader::open(&mut journals).unwrap();
        assert_eq!(reader.tail_bytes(), 0, "{what}");
        assert_eq!(reader.manifest().digest(), expected.digest(), "{what}");
        let stale = disk.files().into_iter().filter(|path| path.ends_with(".new")).count();
        assert_eq!(stale, 0, "{what}: {:?}", disk.files());
    });
    assert!(steps > least, "{steps}");
}

const WHOLLY: Means<'_> = Means {
    memory: 1 << 20,
    threads: 1,
    alone_bytes: 0,
    beside_bytes: u64::MAX,
    whole_bytes: 64 << 20,
    share: 8,
    progress: None,
};

#[test]
fn a_compaction_that_fails_anywhere_leaves_the_old_state_or_the_new() {
    a_compaction_that_fails(WHOLLY, 100);
}

#[test]
fn a_compaction_into_a_run_that_fails_anywhere_leaves_the_old_state_or_the_new() {
    a_compaction_that_fails(Means { whole_bytes: 0, share: 0, ..WHOLLY }, 100);
}

#[test]
fn a_compaction_without_memory_that_fails_anywhere_leaves_the_old_state_or_the_new() {
    a_compaction_that_fails(Means { memory: 2048, ..WHOLLY }, 100);
}

#[test]
fn a_compaction_by_several_threads_that_fails_anywhere_leaves_the_old_state_or_the_new() {
    a_compaction_that_fails(Means { threads: 2, memory: 2048, beside_bytes: 0, ..WHOLLY }, 100);
}

/// What a daemon does: only the last step takes the home's lock.
fn compact_beside(
    disk: &FakeDisk,
    means: &Means<'_>,
    meanwhile: impl FnOnce() -> Vec<Tried>,
) -> (Vec<Tried>, Result<bool, StoreError>) {
    let merged = || {
        let mut journals = open(disk, "pi1")?;
        journals.sync(&take_lock(disk)?)?;
        let (turn, known) = (Turn::take(disk)?, journals.vector()?);
        let merged = Begun::up_to(turn, &mut journals, &known)?.merge(&mut journals, means)?;
        Ok((journals, merged))
    };
    let merged: Result<_, StoreError> = merged();
    let tried = meanwhile();
    let end = || {
        let (mut journals, merged) = merged?;
        let placed = merged.place(&take_lock(disk)?, &mut journals)?;
        let new = placed.is_new();
        placed.clean_up().map(|()| new)
    };
    (tried, end())
}

#[test]
fn a_compaction_beside_a_writer_that_fails_anywhere_leaves_the_old_state_or_the_new() {
    let (disk, earlier) = home_with_history();
    for means in [WHOLLY, Means { whole_bytes: 0, share: 0, memory: 2048, ..WHOLLY }] {
        let work = |disk: &FakeDisk| {
            let write = || vec![try_append(disk, "20261123", batch("pi1", 10, 2))];
            compact_beside(disk, &means, write).0
        };
        let steps = at_every_step(&disk, work, |disk, tried, what| {
            check_after(disk, &earlier, tried, what)
        });
        assert!(steps > 150, "{steps}");
    }
}

#[test]
fn what_is_written_while_a_compaction_merges_stands_behind_the_checkpoint() {
    let (disk, earlier) = home_with_history();
    let later = batch("pi1", 10, 2);
    let write = || vec![try_append(&disk, "20261123", later.clone())];
    let (_, new) = compact_beside(&disk, &WHOLLY, write);
    assert!(new.unwrap());
    let mut journals = open(&disk, "pi1").unwrap();
    let reader = cocli_store::Reader::open(&mut journals).unwrap();
    assert_eq!(reader.manifest().digest(), state_of(&earlier).digest());
    assert_eq!(reader.tail_bytes(), bytes_of(&later).len() as u64);
    assert_eq!(reader.state().unwrap(), state_of(earlier.iter().chain(&later)));
}

#[test]
fn a_compaction_of_a_log_that_gives_way_meanwhile_comes_to_nothing() {
    let (disk, earlier) = home_with_history();
    let (theirs, others) = (batch("laptop", 1, 5), batch("laptop", 2, 3));
    disk.plant("wal/20261122_laptop.usv", &bytes_of(&theirs));
    let cut = || {
        let (mut journals, lock) = (open(&disk, "pi1").unwrap(), take_lock(&disk).unwrap());
        let aside = (&log("laptop"), 0, day("20261123"));
        journals.set_branch_aside(&lock, aside.0, aside.1, aside.2, &command()).unwrap();
        drop((journals, lock));
        disk.plant("wal/20261122_laptop.usv", &bytes_of(&others));
        Vec::new()
    };
    let (_, new) = compact_beside(&disk, &WHOLLY, cut);
    assert!(!new.unwrap());
    let left = disk.files().into_iter().filter(|path| path.starts_with("checkpoint/")).count();
    assert_eq!(left, 0, "{:?}", disk.files());
    let held_now = state(&disk, "pi1").unwrap();
    // What was set aside was copied into the own log.
    assert_eq!(held_now, state_of(earlier.iter().chain(&theirs).chain(&others)));
}

#[test]
fn while_one_compacts_no_other_does() {
    let (disk, _) = home_with_history();
    let meanwhile = || {
        let (mut journals, lock) = (open(&disk, "pi1").unwrap(), take_lock(&disk).unwrap());
        let refused = checkpoint::compact(&lock, &mut journals, 1 << 20);
        assert!(matches!(refused, Err(StoreError::Locked { .. })));
        Vec::new()
    };
    assert!(compact_beside(&disk, &WHOLLY, meanwhile).1.unwrap());
    let (mut journals, lock) = (open(&disk, "pi1").unwrap(), take_lock(&disk).unwrap());
    checkpoint::compact(&lock, &mut journals, 1 << 20).unwrap();
}

#[test]
fn closing_a_log_that_fails_anywhere_loses_nothing_and_is_finished_by_the_next_writer() {
    let (disk, earlier) = home_with_history();
    // Only the first two batches are trusted: the rest has to move.
    let trusted = bytes_of(&earlier[..3]).len() as u64;
    let work = |disk: &FakeDisk| {
        let close = || -> Result<(), StoreError> {
            let mut journals = open(disk, "pi1")?;
            let lock = take_lock(disk)?;
            let own = journals.own().clone();
            journals.close_and_copy(&lock, &own, trusted, &epoch("aaaaaaaa")).map(|_| ())
        };
        let _ = close();
        vec![try_append(disk, "20261123", batch("pi1", 10, 2))]
    };
    at_every_step(&disk, work, |disk, tried, what| {
        check_after(disk, &earlier, tried, what);
        let mut journals = open(disk, "pi1").unwrap();
        if journals.own() == &log("pi1~aaaaaaaa") {
            assert_eq!(journals.head(&log("pi1")).unwrap().position, trusted, "{what}");
            assert_eq!(journals.doubt(), None, "{what}");
        }
    });
}

#[test]
fn a_batch_whose_sync_failed_is_safe_once_the_log_is_closed() {
    let (disk, earlier) = home_with_history();
    for number in 10..12 {
        disk.start_trace();
        let written = batch("pi1", number, 3);
        let sync = step_of(&disk, "20261122", &written, "sync wal/");
        disk.fail_at(sync, Fault::Error, Times::Once);
        let error = append(&disk, "pi1", "20261122", &written).unwrap_err();
        let StoreError::Doubted { trusted, .. } = error else { panic!("{error}") };
        // Nobody can append, and nobody has to wait for anybody.
        assert!(matches!(
            append(&disk, "pi1", "20261122", &written),
            Err(StoreError::Doubted { .. })
        ));
        let mut journals = open(&disk, "pi1").unwrap();
        let lock = take_lock(&disk).unwrap();
        let fresh = format!("epoch{number:03}");
        let own = journals.own().clone();
        let closed = journals.close_and_copy(&lock, &own, trusted, &epoch(&fresh)).unwrap();
        assert_eq!(closed.trusted.position, trusted);
        assert_eq!(closed.copied.position, bytes_of(&written).len() as u64);
        drop(lock);
        disk.crash(number as u64);
        let state = state(&disk, "pi1").unwrap();
        assert_eq!(held(&state, &written), 3);
        assert_eq!(held(&state, &earlier), earlier.len());
    }
}

#[test]
fn a_branch_set_aside_is_kept_and_travels_on_whatever_fails() {
    let (origin, theirs) = home_with_history();
    let mut from = open(&origin, "pi1").unwrap();
    let disk = home();
    let (mut journals, lock) = (open(&disk, "mac").unwrap(), take_lock(&disk).unwrap());
    for range in ranges(&mut from, &log("pi1"), 4096) {
        journals.append_range(&lock, &range).unwrap();
    }
    journals.sync(&lock).unwrap();
    drop(lock);
    let own = batch("mac", 50, 2);
    append(&disk, "mac", "20261123", &own).unwrap();
    let position = bytes_of(&theirs[..4]).len() as u64;
    let set_aside = |disk: &FakeDisk| -> Result<(), StoreError> {
        let mut journals = open(disk, "mac")?;
        let lock = take_lock(disk)?;
        let id: LogId = log("pi1");
        journals.set_branch_aside(&lock, &id, position, day("20261123"), &command()).map(|_| ())
    };
    let work = |disk: &FakeDisk| {
        let _ = set_aside(disk);
        Vec::new()
    };
    at_every_step(&disk, work, |disk, _, what| {
        let late = batch("mac", 91, 1);
        append_or_close(disk, "mac", "20261124", &late, "zzzzzzzz").unwrap();
        set_aside(disk).unwrap_or_else(|e| panic!("{what}: {e}"));
        check_home(disk, "mac");
        let state = state(disk, "mac").unwrap();
        for all in [&theirs, &own, &late] {
            assert_eq!(held(&state, all), all.len(), "{what}");
        }
        assert_eq!(
            open(disk, "mac").unwrap().head(&log("pi1")).unwrap().position,
            position,
            "{what}"
        );
    });
}

#[test]
fn ranges_whose_append_or_sync_fails_are_taken_again() {
    let (origin, theirs) = home_with_history();
    let all = ranges(&mut open(&origin, "pi1").unwrap(), &log("pi1"), 1);
    let disk = home();
    append(&disk, "mac", "20261122", &batch("mac", 50, 2)).unwrap();
    let take = |disk: &FakeDisk| -> Result<u64, StoreError> {
        let mut journals = open(disk, "mac")?;
        let lock = take_lock(disk)?;
        while let Some(range) = all.iter().find(|range| range.position == journals.end(&log("pi1")))
        {
            match journals.append_range(&lock, range)? {
                Placed::Appended(_) => {}
                // What was not synced may be anything after a power cut. A node takes it for a fork.
                Placed::Misplaced { why: Misplaced::Hash, .. } => {
                    let (log, today) = (log("pi1"), day("20261123"));
                    journals.set_branch_aside(&lock, &log, 0, today, &command())?;
                }
                other => panic!("{other:?}"),
            }
        }
        journals.sync(&lock)?;
        Ok(journals.vector()?.position(&log("pi1")))
    };
    let length = bytes_of(&theirs).len() as u64;
    let work = |disk: &FakeDisk| {
        let acked = take(disk).is_ok_and(|position| position == length);
        vec![Tried { batch: theirs.clone(), acked }]
    };
    at_every_step(&disk, work, |disk, tried, what| {
        let before = state(disk, "mac").unwrap();
        assert!(!tried[0].acked || held(&before, &theirs) == theirs.len(), "{what}");
        // What is durable by the vector is there: nobody was told of more.
        let mut journals = open(disk, "mac").unwrap();
        assert!(journals.vector().unwrap().position(&log("pi1")) <= journals.end(&log("pi1")));
        drop(journals);
        assert_eq!(take(disk).unwrap_or_else(|e| panic!("{what}: {e}")), length, "{what}");
        check_home(disk, "mac");
        assert_eq!(held(&state(disk, "mac").unwrap(), &theirs), theirs.len(), "{what}");
    });
}

#[test]
fn a_healing_that_fails_anywhere_heals_the_next_time_and_loses_no_record() {
    let (origin, theirs) = home_with_history();
    let disk = home();
    let (mut journals, lock) = (open(&disk, "mac").unwrap(), take_lock(&disk).unwrap());
    let all = ranges(&mut open(&origin, "pi1").unwrap(), &log("pi1"), 4096);
    for range in &all {
        journals.append_range(&lock, range).unwrap();
    }
    journals.sync(&lock).unwrap();
    drop(lock);
    // The first of two days loses its end, and a sound record that nobody else has stands in it.
    let path = "wal/20261121_pi1.usv";
    let stray = put("stranger", "companies/c9", "stray", "kept", 7);
    let bytes = disk.peek(path).unwrap();
    disk.plant(path, &[&bytes_of([&stray])[..], &bytes[..bytes.len() / 2]].concat());
    let heal = |disk: &FakeDisk| -> Result<usize, StoreError> {
        let mut journals = open(disk, "mac")?;
        let lock = take_lock(disk)?;
        journals.scrub(&log("pi1"))?;
        Ok(journals.heal(&lock, &all, day("20261123"), &command())?.len())
    };
    let work = |disk: &FakeDisk| {
        let _ = heal(disk);
        Vec::new()
    };
    at_every_step(&disk, work, |disk, _, what| {
        append_or_close(disk, "mac", "20261124", &batch("mac", 91, 1), "zzzzzzzz").unwrap();
        heal(disk).unwrap_or_else(|e| panic!("{what}: {e}"));
        check_home(disk, "mac");
        let state = state(disk, "mac").unwrap();
        assert_eq!(held(&state, &theirs), theirs.len(), "{what}");
        assert_eq!(
            held(&state, std::slice::from_ref(&stray)),
            1,
            "{what}: the stray record was lost"
        );
        assert_eq!(disk.peek(path), origin.peek(path), "{what}");
    });
}

#[test]
fn a_journal_that_does_not_fit_is_adopted_whatever_fails() {
    let (disk, earlier) = home_with_history();
    let (other, strays) = (home(), batch("pi2", 60, 4));
    append(&other, "pi2", "20261120", &strays).unwrap();
    disk.plant("wal/20261120_pi1.usv", &other.peek("wal/20261120_pi2.usv").unwrap());
    let adopt = |disk: &FakeDisk| -> Result<(), StoreError> {
        let mut journals = open(disk, "pi1")?;
        let lock = take_lock(disk)?;
        journals.adopt(&lock, day("20261123"), &command()).map(|_| ())
    };
    let work = |disk: &FakeDisk| {
        let _ = adopt(disk);
        Vec::new()
    };
    at_every_step(&disk, work, |disk, _, what| {
        append_or_close(disk, "pi1", "20261124", &batch("pi1", 91, 1), "zzzzzzzz").unwrap();
        adopt(disk).unwrap_or_else(|e| panic!("{what}: {e}"));
        check_home(disk, "pi1");
        let state = state(disk, "pi1").unwrap();
        assert_eq!(held(&state, &strays), 4, "{what}");
        assert_eq!(held(&state, &earlier), earlier.len(), "{what}");
        assert_eq!(disk.peek("wal/20261120_pi1.usv"), None, "{what}");
    });
}

#[test]
fn a_power_cut_leaves_no_later_day_without_the_earlier_one() {
    let (origin, theirs) = home_with_history();
    let all = ranges(&mut open(&origin, "pi1").unwrap(), &log("pi1"), 1);
    for seed in 0..60 {
        let disk = home();
        let (mut journals, lock) = (open(&disk, "mac").unwrap(), take_lock(&disk).unwrap());
        for range in &all {
            journals.append_range(&lock, range).unwrap();
        }
        drop(lock);
        disk.crash(seed);
        let first = origin.peek("wal/20261121_pi1.usv").unwrap();
        if disk.peek("wal/20261122_pi1.usv").is_some() {
            assert_eq!(disk.peek("wal/20261121_pi1.usv"), Some(first), "{seed}");
        }
        assert!(held(&state(&disk, "mac").unwrap(), &theirs) <= theirs.len());
    }
}

#[test]
fn a_healed_hole_is_merged_even_when_a_compaction_in_rounds_fails_anywhere() {
    let (origin, theirs) = home_with_history();
    let disk = home();
    let (mut journals, lock) = (open(&disk, "mac").unwrap(), take_lock(&disk).unwrap());
    for range in ranges(&mut open(&origin, "pi1").unwrap(), &log("pi1"), 4096) {
        journals.append_range(&lock, &range).unwrap();
    }
    journals.sync(&lock).unwrap();
    let path = "wal/20261121_pi1.usv";
    let mut bytes = disk.peek(path).unwrap();
    bytes[60] ^= 1;
    disk.plant(path, &bytes);
    checkpoint::compact(&lock, &mut journals, 1 << 20).unwrap();
    drop(lock);
    let own = batch("mac", 50, 3);
    append(&disk, "mac", "20261123", &own).unwrap();
    disk.plant(path, &origin.peek(path).unwrap());
    let expected = state_of(theirs.iter().chain(&own));
    assert_eq!(state(&disk, "mac").unwrap(), expected);
    let compact = |disk: &FakeDisk| -> Result<(), StoreError> {
        let mut journals = open(disk, "mac")?;
        let lock = take_lock(disk)?;
        checkpoint::compact(&lock, &mut journals, 1).map(|_| ())
    };
    let work = |disk: &FakeDisk| {
        let _ = compact(disk);
        Vec::new()
    };
    at_every_step(&disk, work, |disk, _, what| {
        assert_eq!(state(disk, "mac").unwrap(), expected, "{what}");
        compact(disk).unwrap_or_else(|e| panic!("{what}: {e}"));
        assert_eq!(state(disk, "mac").unwrap(), expected, "{what}");
    });
}

#[test]
fn a_power_cut_in_a_batch_of_several_leaves_all_of_it_or_no_trace() {
    let (disk, _) = home_with_history();
    disk.sync_all().unwrap();
    let several = long_batch("pi1", 10, 3);
    let sync = step_of(&disk, "20261122", &several, " sync wal/");
    let mut ends = [0, 0];
    for seed in 0..60 {
        let torn = disk.copy();
        torn.fail_at(sync, Fault::Crash, Times::Once);
        append(&torn, "pi1", "20261122", &several).unwrap_err();
        torn.crash(seed);
        append(&torn, "pi1", "20261122", &batch("pi1", 90, 1)).unwrap();
        let reader = cocli_store::Reader::open(&mut open(&torn, "pi1").unwrap()).unwrap();
        assert_eq!(reader.odd().unwrap(), [], "{seed}: a trace of a torn batch");
        let there = held(&reader.state().unwrap(), &several);
        assert!(there == 0 || there == 3, "{seed}: {there} of 3");
        ends[there / 3] += 1;
    }
    assert!(ends[0] > 5 && ends[1] > 5, "{ends:?}");
}

/// The first writer dies at each of its steps, the second meets one error at each of its own.
#[test]
fn what_is_acknowledged_after_another_writer_died_is_there_whatever_failed_on_the_way() {
    let (home, earlier) = home_with_history();
    for died in 1.. {
        let left = home.copy();
        left.fail_at(died, Fault::Crash, Times::ForGood);
        let first = try_append(&left, "20261123", batch("pi1", 20, 3));
        let through = left.ops() < died;
        left.kill();
        for failed in 1.. {
            let disk = left.copy();
            disk.fail_at(failed, Fault::Error, Times::Once);
            let batch = batch("pi1", 30, 2);
            let acked = append_or_close(&disk, "pi1", "20261123", &batch, "aaaaaaaa").is_ok();
            let done = disk.ops() < failed;
            disk.kill();
            let what = format!("died at {died}, failed at {failed}");
            let first = Tried { batch: first.batch.clone(), ..first };
            check_after(&disk, &earlier, &[first, Tried { batch, acked }], &what);
            if done {
                break;
            }
        }
        if through {
            break;
        }
    }
}

#[test]
fn a_journal_that_cannot_be_opened_or_synced_costs_no_log_a_byte() {
    let (origin, disk) = (home(), home());
    for name in ["pi1", "pi2"] {
        append(&origin, name, "20261123", &batch(name, 1, 3)).unwrap();
        let file = format!("wal/20261123_{name}.usv");
        // As another hand puts them here: nothing says that they are durable.
        disk.plant(&file, &origin.peek(&file).unwrap());
    }
    let logs = [log("pi1"), log("pi2")];
    let ends = logs.clone().map(|log| open(&disk, "mac").unwrap().end(&log));
    for fault in [Fault::Denied, Fault::Error] {
        for k in 1.. {
            let disk = disk.copy();
            disk.fail_at(k, fault, Times::Once);
            if let (Ok(mut journals), Ok(lock)) = (open(&disk, "mac"), take_lock(&disk)) {
                let _ = journals.sync(&lock);
            }
            let through = disk.ops() < k;
            disk.heal();
            let mut journals = open(&disk, "mac").unwrap();
            journals.sync(&take_lock(&disk).unwrap()).unwrap();
            let held = logs.clone().map(|log| journals.durable(&log));
            assert_eq!(held, ends, "{fault:?} at {k}");
            if through {
                break;
            }
        }
    }
}

#[test]
fn an_append_whose_batch_is_durable_is_no_error_whatever_fails_behind_it() {
    let (home, earlier) = home_with_history();
    let batch = batch("pi1", 10, 3);
    let traced = home.copy();
    traced.start_trace();
    append(&traced, "pi1", "20261122", &batch).unwrap();
    let trace = traced.trace();
    let sync = trace.iter().rposition(|op| op.contains(" sync wal/")).unwrap() as u64 + 1;
    for k in sync + 1..=trace.len() as u64 {
        let disk = home.copy();
        disk.fail_at(k, Fault::Error, Times::Once);
        let lock = take_lock(&disk).unwrap();
        let mut journals = open_own(&disk, "pi1", &lock).unwrap();
        let bytes = bytes_of(&batch);
        let written = journals.append_own(&lock, day("20261122"), &bytes, &command()).unwrap();
        assert_eq!(journals.head(&log("pi1")).unwrap().position, written.to, "{k}");
        drop(lock);
        let tried = [Tried { batch: batch.clone(), acked: true }];
        check_after(&disk, &earlier, &tried, &format!("{k}"));
    }
}

/// A home whose writer was killed in the middle of a batch: some whole records of it stand there.
fn home_with_half_a_batch() -> (FakeDisk, Vec<Datagram>) {
    let (disk, earlier) = home_with_history();
    let half = long_batch("pi1", 10, 5);
    let write = step_of(&disk, "20261122", &half, "write_at wal/");
    disk.fail_at(write, Fault::Error, Times::ForGood);
    append(&disk, "pi1", "20261122", &half).unwrap_err();
    disk.heal();
    (disk, earlier)
}

#[test]
fn half_a_batch_of_a_killed_writer_is_synced_by_nobody_and_undone() {
    let (disk, earlier) = home_with_half_a_batch();
    let mut daemon = open(&disk, "pi1").unwrap();
    let whole = bytes_of(&earlier).len() as u64;
    assert!(
        daemon.head(&log("pi1")).unwrap().position > whole,
        "no record of the half stands there"
    );
    {
        let lock = take_lock(&disk).unwrap();
        daemon.sync(&lock).unwrap();
    }
    assert_eq!(daemon.vector().unwrap().position(&log("pi1")), whole);
    // Another process undoes it and puts more in its place.
    let next = long_batch("pi1", 11, 6);
    let written = append(&disk, "pi1", "20261122", &next).unwrap();
    assert_eq!((written.log, written.from), (log("pi1"), whole));
    daemon.refresh().unwrap();
    let head = open(&disk, "pi1").unwrap().head(&log("pi1")).unwrap();
    assert_eq!(daemon.vector().unwrap().get(&log("pi1")), Some(head));
    check_home(&disk, "pi1");
}

#[test]
fn a_doubt_that_could_not_be_written_down_holds_for_as_long_as_the_process_lives() {
    let (disk, earlier) = home_with_history();
    let whole = bytes_of(&earlier).len() as u64;
    let batch = batch("pi1", 10, 2);
    let sync = step_of(&disk, "20261122", &batch, " sync wal/");
    disk.fail_at(sync, Fault::Error, Times::ForGood);
    let lock = take_lock(&disk).unwrap();
    let mut journals = open_own(&disk, "pi1", &lock).unwrap();
    let bytes = bytes_of(&batch);
    journals.append_own(&lock, day("20261122"), &bytes, &command()).unwrap_err();
    disk.heal();
    assert!(disk.peek(".cocli/doubt.json").is_none());
    journals.refresh().unwrap();
    journals.sync(&lock).unwrap();
    assert_eq!(journals.vector().unwrap().position(&log("pi1")), whole);
    assert!(journals.doubt().is_some());
    let error = journals.recover(&lock).unwrap_err();
    assert!(matches!(error, StoreError::Doubted { .. }), "{error}");
    // Now that the disk takes it, others know too.
    assert!(disk.peek(".cocli/doubt.json").is_some());
    let own = journals.own().clone();
    journals.close_and_copy(&lock, &own, whole, &epoch("aaaaaaaa")).unwrap();
    assert_eq!(journals.doubt(), None);
    drop(lock);
    disk.crash(1);
    assert_eq!(held(&state(&disk, "pi1").unwrap(), &batch), 2);
}

#[test]
fn what_a_failed_sync_was_for_stands_in_the_journal_or_aside_and_is_not_believed() {
    let origin = home();
    for name in ["pi1", "pi2"] {
        append(&origin, name, "20261122", &batch(name, 1, 3)).unwrap();
        append(&origin, name, "20261123", &batch(name, 2, 3)).unwrap();
    }
    for by_hand in [true, false] {
        let disk = home();
        let (mut journals, lock) = (open(&disk, "mac").unwrap(), take_lock(&disk).unwrap());
        for name in ["pi1", "pi2"] {
            let id = log(name);
            for range in ranges(&mut open(&origin, name).unwrap(), &id, 64) {
                let file = format!("wal/{}_{name}.usv", range.day);
                match by_hand {
                    true => disk.plant(&file, &origin.peek(&file).unwrap()),
                    false => drop(journals.append_range(&lock, &range).unwrap()),
                }
            }
        }
        journals.refresh().unwrap();
        drop((journals, lock));
        // The newest journal is the one whose sync fails.
        let traced = disk.copy();
        let lock = take_lock(&traced).unwrap();
        let plan = open(&traced, "mac").unwrap().sync_plan(&lock);
        traced.start_trace();
        let _ = plan.run(&traced);
        let newest = |op: &String| op.contains("sync wal/20261123_pi2");
        let sync = traced.trace().iter().position(newest).unwrap() as u64 + 1;
        // The second write of what failed fails as well, or something beside it.
        let mut refused = 0;
        for k in 1.. {
            let disk = disk.copy();
            let (mut journals, lock) = (open(&disk, "mac").unwrap(), take_lock(&disk).unwrap());
            let plan = journals.sync_plan(&lock);
            disk.fail_at(sync, Fault::Error, Times::Once);
            let end = plan.run(&disk);
            let before = disk.ops();
            disk.fail_at(k, Fault::Error, Times::Once);
            let done = journals.synced(&lock, end);
            let through = disk.ops() < before + k;
            disk.heal();
            let what = format!("by hand: {by_hand}, {k}");
            for name in ["pi1", "pi2"] {
                for today in ["20261122", "20261123"] {
                    let file = format!("wal/{today}_{name}.usv");
                    assert_eq!(disk.peek(&file), origin.peek(&file), "{what}");
                }
            }
            journals.refresh().unwrap();
            let plan = journals.sync_plan(&lock);
            let _ = journals.synced(&lock, plan.run(&disk)).unwrap();
            refused += u64::from(!done.is_ok_and(|done| done.failed.is_none()));
            // The plan wrote it once more, so that it can be believed.
            let ends = ["pi1", "pi2"].map(|name| journals.end(&log(name)));
            assert_eq!(["pi1", "pi2"].map(|name| journals.durable(&log(name))), ends, "{what}");
            for file in ["wal/20261122_pi2.usv", "wal/20261123_pi2.usv"] {
                assert_eq!(disk.medium().peek(file), origin.peek(file), "{what}: {file}");
            }
            if through {
                break;
            }
        }
        assert!(refused > 3, "{refused}");
    }
}

#[test]
fn ranges_whose_sync_failed_twice_are_kept_aside_and_taken_again() {
    let (origin, theirs) = home_with_history();
    let all = ranges(&mut open(&origin, "pi1").unwrap(), &log("pi1"), 1);
    let (one, rest) = all.split_first().unwrap();
    for k in 1.. {
        let disk = home();
        let (mut journals, lock) = (open(&disk, "mac").unwrap(), take_lock(&disk).unwrap());
        journals.append_range(&lock, one).unwrap();
        journals.sync(&lock).unwrap();
        for range in rest {
            journals.append_range(&lock, range).unwrap();
        }
        let durable = journals.durable(&log("pi1"));
        let plan = journals.sync_plan(&lock);
        disk.fail_at(1, Fault::Error, Times::Once);
        let end = plan.run(&disk);
        let before = disk.ops();
        disk.fail_at(k, Fault::Error, Times::Once);
        let done = journals.synced(&lock, end);
        let through = disk.ops() < before + k;
        disk.heal();
        let cut = done.is_ok_and(|done| done.lost == [log("pi1")]);
        let kept: usize = disk
            .files()
            .iter()
            .filter(|path| path.contains("aside/") || path.starts_with("wal/"))
            .map(|path| disk.peek(path).unwrap().len())
            .sum();
        assert!(kept >= bytes_of(&theirs).len(), "{k}: {kept} bytes are left");
        if cut {
            assert_eq!(journals.end(&log("pi1")), durable, "{k}");
            for range in rest {
                journals.append_range(&lock, range).unwrap();
            }
            journals.sync(&lock).unwrap();
            assert_eq!(journals.durable(&log("pi1")), bytes_of(&theirs).len() as u64, "{k}");
        }
        drop((journals, lock));
        let (mut journals, lock) = (open(&disk, "mac").unwrap(), take_lock(&disk).unwrap());
        journals.sync(&lock).unwrap();
        drop(lock);
        check_home(&disk, "mac");
        if through {
            break;
        }
    }
}

#[test]
fn an_intent_that_a_power_cut_brings_back_undoes_nothing() {
    let write = step_of(&home(), "20261121", &batch("pi1", 1, 3), " write_at wal/");
    let mut nameless = 0;
    for (days, seed) in [["20261121", "20261121"], ["20261121", "20261122"]]
        .into_iter()
        .flat_map(|days| (0..6).map(move |seed| (days, seed)))
    {
        // The power goes when the intent is safe, and nothing else surely is.
        let disk = home();
        disk.fail_at(write, Fault::Crash, Times::Once);
        append(&disk, "pi1", "20261121", &batch("pi1", 1, 3)).unwrap_err();
        disk.crash(seed);
        nameless += u64::from(disk.peek("wal/20261121_pi1.usv").is_none());
        let mut all = Vec::new();
        for (number, today) in days.into_iter().enumerate() {
            let one = batch("pi1", 10 + number, 1);
            append(&disk, "pi1", today, &one).unwrap();
            all.extend(one);
        }
        let left = disk.medium();
        append(&left, "pi1", "20261122", &batch("pi1", 20, 1)).unwrap();
        assert_eq!(held(&state(&left, "pi1").unwrap(), &all), 2, "{days:?}, {seed}");
    }
    assert!(nameless > 0);
}
