//! What expires: logs of a month, with a checkpoint of their own, beside the state and not in it.
#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

mod support;

use std::collections::BTreeSet;

use cocli_core::{Datagram, Entity, Instant, LogId, Month, Target, Value};
use cocli_store::disk::fake::{Fault, Times};
use cocli_store::expiry::{Expired, expire};
use cocli_store::journal::Placed;
use cocli_store::{Command, Disk, FakeDisk, Reader, Result, StoreError, checkpoint};
use proptest::prelude::*;
use support::*;

const QUEUE: &str = "campaigns/roadmap/queues/enrichment";

fn month(text: &str) -> Month {
    Month::read(text).unwrap()
}

/// Only the time matters.
fn at(text: &str) -> Command {
    Command { at: Instant::read(text).unwrap(), verb: "beat".to_owned() }
}

fn beat(node: &str, value: &str, micros: i64) -> Datagram {
    put(node, &format!("nodes/{node}"), "beat", value, micros)
}

fn task(id: &str, state: &str, micros: i64) -> Datagram {
    let mut task = put("pi1", QUEUE, id, "", micros);
    task.entry.value = Value::read(&format!("{{\"state\":{state:?}}}"));
    task
}

/// As a writer does it: lock, append, sync; a log in doubt is closed first.
fn append_expiring(
    disk: &FakeDisk,
    node: &str,
    today: &str,
    batch: &[Datagram],
    fresh: &str,
) -> Result<LogId> {
    let mut journals = open(disk, node)?;
    let lock = take_lock(disk)?;
    let (bytes, fresh) = (bytes_of(batch), epoch(fresh));
    Ok(journals.append_expiring(&lock, day(today), &bytes, &command(), &fresh)?.0.log)
}

fn entity(disk: &FakeDisk, target: &str) -> Entity {
    let target = Target::read(target).unwrap();
    let all = Reader::open(&mut open(disk, "pi1").unwrap()).unwrap().entity(&target).unwrap();
    let glance = Reader::glance(shared(disk), CLUSTER, node("pi1")).unwrap();
    assert_eq!(glance.entity(&target).unwrap(), all);
    assert_eq!(glance.below(&target).unwrap().remove(&target).unwrap_or_default(), all);
    let mut scanned = Entity::default();
    let prefix = format!("{}/", target.collection());
    glance
        .scan(&prefix, |at, entity| {
            if *at == target {
                scanned = entity.clone()
            }
        })
        .unwrap();
    assert_eq!(scanned, all);
    all
}

fn value(disk: &FakeDisk, target: &str, field: &str) -> Option<String> {
    let field = cocli_core::Field::read(field).unwrap();
    entity(disk, target).fields.get(&field).map(|entry| entry.value.as_str().to_owned())
}

fn compact(disk: &FakeDisk) {
    let mut journals = open(disk, "pi1").unwrap();
    checkpoint::compact(&take_lock(disk).unwrap(), &mut journals, 1 << 20).unwrap();
}

fn expire_at(disk: &FakeDisk, time: &str) -> Result<Expired> {
    let mut journals = open(disk, "pi1")?;
    expire(&take_lock(disk)?, &mut journals, &at(time), &epoch("expired2"))
}

/// Brings all of `log` from one home to another.
fn copy(from: &FakeDisk, to: &FakeDisk, name: &str) {
    let (mut source, mut replica) = (open(from, "pi1").unwrap(), open(to, "pi2").unwrap());
    let lock = take_lock(to).unwrap();
    for range in ranges(&mut source, &log(name), 100) {
        assert!(matches!(replica.append_range(&lock, &range).unwrap(), Placed::Appended(_)));
    }
    replica.sync(&lock).unwrap();
}

#[test]
fn a_month_is_a_log_of_its_own_beside_the_state_and_not_in_it() {
    let disk = home();
    let stays = batch("pi1", 1, 2);
    append(&disk, "pi1", "20261123", &stays).unwrap();
    let first =
        append_expiring(&disk, "pi1", "20261130", &[beat("pi1", "a", 1)], "xxxxxxxx").unwrap();
    let second =
        append_expiring(&disk, "pi1", "20261201", &[beat("pi1", "b", 2)], "xxxxxxxx").unwrap();
    assert_eq!([first.to_string(), second.to_string()], ["pi1~~202611", "pi1~~202612"]);
    for path in ["wal/20261123_pi1.usv", "wal/202611_pi1.usv", "wal/202612_pi1.usv"] {
        assert!(disk.peek(path).is_some(), "{path}");
    }
    let mut journals = open(&disk, "pi1").unwrap();
    let starts: BTreeSet<_> = journals
        .logs()
        .cloned()
        .collect::<Vec<_>>()
        .iter()
        .map(|log| journals.hash_at(log, 0).unwrap().unwrap().to_string())
        .collect();
    assert_eq!(starts.len(), 3, "each chain begins elsewhere");
    assert_eq!(state(&disk, "pi1").unwrap(), state_of(&stays));
    check_home(&disk, "pi1");
    let look = || {
        assert_eq!(value(&disk, "nodes/pi1", "beat").as_deref(), Some("b"));
        let reader = Reader::open(&mut open(&disk, "pi1").unwrap()).unwrap();
        assert_eq!(reader.digest().unwrap(), state_of(&stays).digest());
        assert_eq!(reader.history(&Target::read("nodes/pi1").unwrap(), None).unwrap().len(), 2);
    };
    look();
    compact(&disk);
    look();
    assert!(disk.peek("checkpoint/202611/manifest.json").is_some());
    assert_eq!(state(&disk, "pi1").unwrap(), state_of(&stays));
}

#[test]
fn what_stays_is_odd_in_a_log_that_expires() {
    let disk = home();
    let odd = put("pi1", "companies/apple", "name", "Apple", 1);
    append_expiring(&disk, "pi1", "20261123", &[odd, beat("pi1", "a", 1)], "xxxxxxxx").unwrap();
    for _ in 0..2 {
        let reader = Reader::open(&mut open(&disk, "pi1").unwrap()).unwrap();
        let odd = reader.odd().unwrap();
        assert_eq!(odd.len(), 1);
        assert!(odd[0].why.contains("companies/apple stands in an expiring log"), "{}", odd[0].why);
        assert!(
            reader.entity(&Target::read("companies/apple").unwrap()).unwrap().fields.is_empty()
        );
        assert_eq!(value(&disk, "nodes/pi1", "beat").as_deref(), Some("a"));
        compact(&disk);
    }
}

#[test]
fn a_compaction_touches_only_the_months_that_grew_and_makes_damaged_ones_anew() {
    let disk = home();
    append_expiring(&disk, "pi1", "20261030", &[beat("pi1", "a", 1)], "xxxxxxxx").unwrap();
    append_expiring(&disk, "pi1", "20261130", &[beat("pi2", "b", 2)], "xxxxxxxx").unwrap();
    compact(&disk);
    let files = |folder: &str| -> Vec<String> {
        disk.files().into_iter().filter(|path| path.starts_with(folder)).collect()
    };
    let (october, november) = (files("checkpoint/202610/"), files("checkpoint/202611/"));
    assert_eq!((october.len(), november.len()), (2, 2), "{october:?} {november:?}");
    append_expiring(&disk, "pi1", "20261130", &[beat("pi2", "c", 3)], "xxxxxxxx").unwrap();
    disk.start_trace();
    compact(&disk);
    let writes = disk.trace().into_iter().filter(|op| op.contains("checkpoint/202610/"));
    assert_eq!(writes.filter(|op| op.contains("write")).count(), 0);
    assert_eq!(files("checkpoint/202610/"), october);
    assert_ne!(files("checkpoint/202611/"), november);
    // A shard that rots is read from the journals, and made anew by what touches it.
    let shard = files("checkpoint/202611/").remove(0);
    disk.plant(&shard, b"rot");
    assert_eq!(value(&disk, "nodes/pi2", "beat").as_deref(), Some("c"));
    append_expiring(&disk, "pi1", "20261130", &[beat("pi2", "d", 4)], "xxxxxxxx").unwrap();
    compact(&disk);
    assert_eq!(value(&disk, "nodes/pi2", "beat").as_deref(), Some("d"));
    disk.unplant("checkpoint/202611/manifest.json");
    assert_eq!(value(&disk, "nodes/pi2", "beat").as_deref(), Some("d"));
}

#[test]
fn a_month_that_cannot_be_merged_is_told_of_and_all_else_is_merged() {
    let disk = home();
    append(&disk, "pi1", "20261130", &batch("pi1", 1, 3)).unwrap();
    append_expiring(&disk, "pi1", "20261030", &[beat("pi1", "a", 1)], "xxxxxxxx").unwrap();
    append_expiring(&disk, "pi1", "20261130", &[beat("pi2", "b", 2)], "xxxxxxxx").unwrap();
    let manifest = |month: &str| disk.peek(&format!("checkpoint/{month}manifest.json"));
    disk.plant_folder("checkpoint/202610/manifest.json.new");
    let mut journals = open(&disk, "pi1").unwrap();
    let (mut told, turn) = (Vec::new(), checkpoint::Turn::try_take(&disk).unwrap().unwrap());
    let lock = take_lock(&disk).unwrap();
    let done = turn.compact(&lock, &mut journals, &means(1 << 20, 8), &mut |month, error| {
        told.push((month, error.to_string()));
    });
    assert_eq!(done.unwrap().records, 3);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].0, month("202610"));
    assert!(manifest("").is_some() && manifest("202611/").is_some());
    assert!(manifest("202610/").is_none());
    assert!(checkpoint::Turn::try_take(&disk).unwrap().is_some(), "the turn is given back");
}

#[test]
fn a_range_of_an_expiring_log_is_taken_like_any_other_and_on_no_other_day() {
    let (one, two) = (home(), home());
    append_expiring(&one, "pi1", "20261123", &[beat("pi1", "a", 1)], "xxxxxxxx").unwrap();
    append_expiring(&one, "pi1", "20261124", &[beat("pi1", "b", 2)], "xxxxxxxx").unwrap();
    let mut source = open(&one, "pi1").unwrap();
    let name = log("pi1~~202611");
    let mut range = ranges(&mut source, &name, 1000).remove(0);
    assert_eq!(range.day, day("20261101"));
    let mut replica = open(&two, "pi2").unwrap();
    let lock = take_lock(&two).unwrap();
    range.day = day("20261123");
    assert!(matches!(replica.append_range(&lock, &range).unwrap(), Placed::Misplaced { .. }));
    range.day = day("20261101");
    assert!(matches!(replica.append_range(&lock, &range).unwrap(), Placed::Appended(_)));
    replica.sync(&lock).unwrap();
    assert_eq!(replica.vector().unwrap(), source.vector().unwrap());
    assert_eq!(one.peek("wal/202611_pi1.usv"), two.peek("wal/202611_pi1.usv"));
    let own = open(&one, "pi1").unwrap().append_range(&take_lock(&one).unwrap(), &range).unwrap();
    assert!(matches!(own, Placed::Misplaced { .. }), "of the own log nothing is taken");
}

/// Runs `work` on copies of `base`, failing its k-th operation for every k until it runs through, and
/// looks at what a kill and power cuts leave.
fn at_every_step(
    base: &FakeDisk,
    work: impl Fn(&FakeDisk) -> bool,
    check: impl Fn(&FakeDisk, bool, &str),
) {
    base.sync_all().unwrap();
    for (fault, times) in [
        (Fault::Error, Times::Once),
        (Fault::Error, Times::ForGood),
        (Fault::NoSpace, Times::Once),
        (Fault::Crash, Times::Once),
    ] {
        for k in 1.. {
            let disk = base.copy();
            disk.fail_at(k, fault, times);
            let done = work(&disk);
            let through = disk.ops() < k;
            for ending in 0..4 {
                let after = disk.copy();
                match ending {
                    0 => after.kill(),
                    _ => after.crash(k * 4 + ending),
                }
                let what = format!("{fault:?} {times:?} at {k}, ending {ending}");
                check(&after, done, &what);
            }
            if through {
                break;
            }
        }
    }
}

#[test]
fn an_append_to_either_own_log_that_fails_anywhere_loses_nothing_of_both() {
    let disk = home();
    append(&disk, "pi1", "20261122", &batch("pi1", 1, 2)).unwrap();
    append_expiring(&disk, "pi1", "20261122", &[beat("pi1", "before", 1)], "xxxxxxxx").unwrap();
    let tasks: Vec<Datagram> = (0..3).map(|n| task(&format!("t{n}"), "open", 9)).collect();
    let work = |disk: &FakeDisk| {
        append_expiring(disk, "pi1", "20261123", &tasks, "aaaaaaaa").is_ok()
            && append_or_close(disk, "pi1", "20261123", &batch("pi1", 2, 3), "bbbbbbbb").is_ok()
    };
    at_every_step(&disk, work, |disk, done, what| {
        append_or_close(disk, "pi1", "20261123", &batch("pi1", 3, 1), "cccccccc").unwrap();
        append_expiring(disk, "pi1", "20261123", &[beat("pi1", "after", 20)], "dddddddd").unwrap();
        let disk = &disk.medium();
        check_home(disk, "pi1");
        let state = state(disk, "pi1").unwrap();
        assert_eq!(held(&state, &batch("pi1", 1, 2)), 2);
        assert_eq!(held(&state, &batch("pi1", 3, 1)), 1);
        let there = held(&state, &batch("pi1", 2, 3));
        assert!(there == 3 || (there == 0 && !done), "{what}: {there} of 3");
        assert_eq!(value(disk, "nodes/pi1", "beat").as_deref(), Some("after"));
        let queue = entity(disk, QUEUE).fields.len();
        assert!(queue == 3 || (queue == 0 && !done), "{what}: {queue} of 3");
    });
}

#[test]
fn a_doubt_in_one_own_log_closes_both_and_loses_nothing() {
    let disk = home();
    append(&disk, "pi1", "20261122", &batch("pi1", 1, 2)).unwrap();
    append_expiring(&disk, "pi1", "20261122", &[beat("pi1", "a", 1)], "xxxxxxxx").unwrap();
    let older = disk.copy();
    append_expiring(&disk, "pi1", "20261122", &[beat("pi1", "b", 2)], "xxxxxxxx").unwrap();
    // The card is older than what it noted: the journal is set back, the rest is not.
    disk.plant("wal/202611_pi1.usv", &older.peek("wal/202611_pi1.usv").unwrap());
    let journals = open(&disk, "pi1").unwrap();
    assert_eq!(journals.doubt().unwrap().log, log("pi1~~202611"));
    let error = append(&disk, "pi1", "20261122", &batch("pi1", 2, 1)).unwrap_err();
    assert!(matches!(error, StoreError::Doubted { .. }), "{error}");
    append_or_close(&disk, "pi1", "20261122", &batch("pi1", 2, 1), "aaaaaaaa").unwrap();
    let log =
        append_expiring(&disk, "pi1", "20261122", &[beat("pi1", "c", 3)], "xxxxxxxx").unwrap();
    assert_eq!(log.to_string(), "pi1~aaaaaaaa~202611");
    assert_eq!(open(&disk, "pi1").unwrap().own().to_string(), "pi1~aaaaaaaa");
    assert_eq!(held(&state(&disk, "pi1").unwrap(), &batch("pi1", 2, 1)), 1);
    assert_eq!(value(&disk, "nodes/pi1", "beat").as_deref(), Some("c"));
    check_home(&disk, "pi1");
}

/// November has a beat, finished tasks, one that is open, and one that went on in December.
fn queue() -> FakeDisk {
    let disk = home();
    append(&disk, "pi1", "20261122", &batch("pi1", 1, 2)).unwrap();
    let november = [
        beat("pi1", "a", 1),
        task("open", "pending", 2),
        task("over", "done", 3),
        task("moved", "pending", 4),
    ];
    append_expiring(&disk, "pi1", "20261122", &november, "xxxxxxxx").unwrap();
    append_expiring(&disk, "pi1", "20261222", &[task("moved", "done", 9)], "xxxxxxxx").unwrap();
    disk
}

#[test]
fn a_month_goes_a_day_after_three_whole_months_and_unfinished_tasks_are_carried_over() {
    for compacted in [false, true] {
        let disk = queue();
        if compacted {
            compact(&disk);
        }
        let before = disk.files();
        assert_eq!(expire_at(&disk, "2027-03-01T23:59:59Z").unwrap(), Expired::default());
        assert_eq!(disk.files(), before);
        let expired = expire_at(&disk, "2027-03-02T00:00:00Z").unwrap();
        assert_eq!(expired, Expired { months: [month("202611")].into(), carried: 1 });
        let left = |path: &String| path.contains("202611_") || path.contains("~202611");
        assert!(!disk.files().iter().any(left), "{:?}", disk.files());
        assert!(disk.list("checkpoint").unwrap().iter().all(|(name, _)| name != "202611"));
        let fields: Vec<String> =
            entity(&disk, QUEUE).fields.keys().map(|field| field.as_str().to_owned()).collect();
        assert_eq!(fields, ["moved", "open"]);
        assert_eq!(value(&disk, "nodes/pi1", "beat"), None);
        let carried = disk.peek("wal/202703_pi1.usv").unwrap();
        assert_eq!(carried, bytes_of(&[task("open", "pending", 2)]), "verbatim");
        assert_eq!(expire_at(&disk, "2027-03-02T00:00:00Z").unwrap(), Expired::default());
        assert!(open(&disk, "pi1").unwrap().doubt().is_none());
        assert_eq!(state(&disk, "pi1").unwrap(), state_of(&batch("pi1", 1, 2)));
        check_home(&disk, "pi1");
        // It is carried over again, and again, until it is finished.
        expire_at(&disk, "2027-07-02T00:00:00Z").unwrap();
        assert_eq!(value(&disk, QUEUE, "open").as_deref(), Some(r#"{"state":"pending"}"#));
        append_expiring(&disk, "pi1", "20270702", &[task("open", "done", 99)], "xxxxxxxx").unwrap();
        expire_at(&disk, "2027-11-02T00:00:00Z").unwrap();
        assert!(entity(&disk, QUEUE).fields.is_empty());
    }
}

#[test]
fn expiry_that_fails_anywhere_loses_no_task_and_is_done_again() {
    let disk = queue();
    compact(&disk);
    append_expiring(&disk, "pi1", "20261123", &[task("late", "pending", 5)], "xxxxxxxx").unwrap();
    let work = |disk: &FakeDisk| expire_at(disk, "2027-03-02T00:00:00Z").is_ok();
    at_every_step(&disk, work, |disk, done, what| {
        let look = |disk: &FakeDisk| {
            for id in ["open", "late"] {
                assert!(value(disk, QUEUE, id).is_some(), "{what}: {id} is lost");
            }
            assert_eq!(value(disk, QUEUE, "moved").as_deref(), Some(r#"{"state":"done"}"#));
        };
        look(disk);
        if done {
            assert_eq!(value(disk, QUEUE, "over"), None);
        }
        expire_at(disk, "2027-03-02T00:00:00Z").unwrap();
        append_or_close(disk, "pi1", "20270302", &batch("pi1", 3, 1), "cccccccc").unwrap();
        let disk = &disk.medium();
        look(disk);
        assert_eq!(value(disk, QUEUE, "over"), None);
        assert!(disk.files().iter().all(|path| !path.contains("202611_")), "{:?}", disk.files());
        check_home(disk, "pi1");
    });
}

#[test]
fn nodes_that_carry_over_at_once_write_one_datagram_and_later_ones_nothing() {
    let (one, two) = (queue(), home());
    for name in ["pi1~~202611", "pi1~~202612"] {
        let mut source = open(&one, "pi1").unwrap();
        let mut replica = open(&two, "pi2").unwrap();
        let lock = take_lock(&two).unwrap();
        for range in ranges(&mut source, &log(name), 1000) {
            replica.append_range(&lock, &range).unwrap();
        }
        replica.sync(&lock).unwrap();
    }
    let late = two.copy();
    let expire_two = |disk: &FakeDisk| {
        let mut journals = open(disk, "pi2").unwrap();
        let command = at("2027-03-02T00:00:00Z");
        expire(&take_lock(disk).unwrap(), &mut journals, &command, &epoch("x1234567")).unwrap()
    };
    assert_eq!(expire_at(&one, "2027-03-02T00:00:00Z").unwrap().carried, 1);
    assert_eq!(expire_two(&two).carried, 1);
    assert_eq!(one.peek("wal/202703_pi1.usv"), two.peek("wal/202703_pi2.usv"));
    // One who has heard of it in time has nothing to carry.
    let mut source = open(&one, "pi1").unwrap();
    let mut replica = open(&late, "pi2").unwrap();
    let lock = take_lock(&late).unwrap();
    for range in ranges(&mut source, &log("pi1~~202703"), 1000) {
        replica.append_range(&lock, &range).unwrap();
    }
    replica.sync(&lock).unwrap();
    drop(lock);
    assert_eq!(expire_two(&late), Expired { months: [month("202611")].into(), carried: 0 });
}

#[test]
fn a_finished_task_does_not_come_back_by_the_copy_of_an_older_one() {
    // Somebody who had not heard that it was done carried it over.
    let disk = home();
    append_expiring(&disk, "pi1", "20261122", &[task("t", "done", 9)], "xxxxxxxx").unwrap();
    append_expiring(&disk, "pi1", "20270222", &[task("t", "pending", 2)], "xxxxxxxx").unwrap();
    assert_eq!(expire_at(&disk, "2027-03-02T00:00:00Z").unwrap().carried, 1);
    assert_eq!(value(&disk, QUEUE, "t").as_deref(), Some(r#"{"state":"done"}"#));
    // Nor by what stands in a log that stays.
    let disk = home();
    append(&disk, "pi1", "20261121", &[beat("pi1", "old", 1)]).unwrap();
    append_expiring(&disk, "pi1", "20261122", &[beat("pi1", "new", 2)], "xxxxxxxx").unwrap();
    compact(&disk);
    assert_eq!(value(&disk, "nodes/pi1", "beat").as_deref(), Some("new"));
    assert_eq!(expire_at(&disk, "2027-03-02T00:00:00Z").unwrap().carried, 1);
    assert_eq!(value(&disk, "nodes/pi1", "beat").as_deref(), Some("new"));
}

#[test]
fn a_clock_a_year_ahead_of_all_that_others_wrote_takes_nothing_away() {
    let (disk, other) = (queue(), home());
    append_expiring(&other, "pi1", "20261122", &[beat("pi2", "a", 1)], "xxxxxxxx").unwrap();
    let own = other.peek("wal/202611_pi1.usv").unwrap();
    disk.plant("wal/202611_pi9.usv", &own);
    assert_eq!(expire_at(&disk, "2099-03-02T00:00:00Z").unwrap(), Expired::default());
    assert_eq!(expire_at(&disk, "2027-12-02T00:00:00Z").unwrap(), Expired::default());
    assert_eq!(expire_at(&disk, "2027-11-30T00:00:00Z").unwrap().months.len(), 2);
}

#[test]
fn an_own_log_that_expired_and_comes_again_as_a_clock_goes_back_is_told_by_its_hash() {
    let (disk, peer) = (queue(), home());
    copy(&disk, &peer, "pi1~~202612");
    expire_at(&disk, "2027-06-02T00:00:00Z").unwrap();
    let log =
        append_expiring(&disk, "pi1", "20261222", &[beat("pi1", "again", 50)], "xxxxxxxx").unwrap();
    let mut again = open(&disk, "pi1").unwrap();
    let head = again.head(&log).unwrap();
    assert_ne!(open(&peer, "pi1").unwrap().hash_at(&log, head.position).unwrap(), Some(head.hash));
    // So it is closed, and all of it goes on in the next epoch.
    let lock = take_lock(&disk).unwrap();
    let closed = again.close_and_copy(&lock, &log, 0, &epoch("aaaaaaaa")).unwrap();
    assert_eq!(closed.log.to_string(), "pi1~aaaaaaaa~202612");
    assert_eq!(closed.trusted.position, 0);
    drop(lock);
    assert_eq!(value(&disk, "nodes/pi1", "beat").as_deref(), Some("again"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Law 1 over both kinds of logs, however they were cut into months and compactions.
    #[test]
    fn what_is_known_of_a_target_is_the_greatest_of_all_logs(
        all in prop::collection::vec((0..4_u8, 0..6_i64, 0..3_u8, 0..5_u8), 1..24),
    ) {
        let disk = home();
        let mut datagrams = Vec::new();
        for (number, (month, micros, value, then)) in all.iter().enumerate() {
            let datagram = beat("pi1", &format!("v{value}"), *micros);
            match month {
                0 => { append(&disk, "pi1", "20261122", std::slice::from_ref(&datagram)).unwrap(); }
                n => {
                    let today = format!("20261{}05", n - 1);
                    append_expiring(&disk, "pi1", &today, std::slice::from_ref(&datagram), "xxxxxxxx").unwrap();
                }
            }
            datagrams.push(datagram);
            if *then == 0 || number == 3 {
                compact(&disk);
            }
        }
        let expected = state_of(&datagrams);
        let target = Target::read("nodes/pi1").unwrap();
        prop_assert_eq!(Some(&entity(&disk, "nodes/pi1")), expected.entity(&target));
        check_home(&disk, "pi1");
    }
}
