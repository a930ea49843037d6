//! Law 3 on the disk: the same datagrams, in any order, over any number of journals, compacted at any
//! time, are one state with one digest.
#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

mod support;

use cocli_core::{Datagram, Target, Value};
use cocli_store::checkpoint::{Compacted, Manifest, Means};
use cocli_store::reader::Tally;
use cocli_store::{Disk, FakeDisk, Reader, checkpoint};
use proptest::prelude::*;
use support::*;

/// Few targets, fields and times, so that much is written over and much is written at once.
fn datagram() -> impl Strategy<Value = Datagram> {
    let target = prop_oneof![
        (0..4_u8).prop_map(|n| format!("companies/c{n}")),
        (0..4_u8).prop_map(|n| format!("companies/c{n}/notes/n-{n}")),
        (0..3_u8).prop_map(|n| format!("people/p{n}")),
        Just("companies/c1-b".to_owned()),
    ];
    let field = prop_oneof![
        Just("city"),
        Just("name"),
        Just("tags.a"),
        Just("tags.b%20c"),
        Just("_deleted")
    ];
    let writer = prop_oneof![Just("pi1"), Just("pi2"), Just("mac")];
    let value = prop_oneof![
        3 => "[a-c\n\u{1e}\u{e9}]{0,3}".prop_map(|text| Value::text(&text)),
        1 => Just(Value::truth()),
        1 => Just(Value::null()),
    ];
    (target, field, writer, value, 0..5_i64).prop_map(|(target, field, writer, value, at)| {
        let mut datagram = put(writer, &target, field, "", at);
        datagram.entry.value = value;
        datagram
    })
}

#[derive(Debug, Clone)]
enum Step {
    Append { writer: usize, batch: Vec<Datagram>, day: u32 },
    Compact { memory: usize, share: u64, threads: usize },
}

/// Small homes are merged wholly, unless they are told to have runs.
fn means(memory: usize, share: u64, threads: usize) -> Means<'static> {
    let whole_bytes = if share == 8 { 64 << 20 } else { 0 };
    let beside_bytes = if memory.is_multiple_of(2) { 0 } else { u64::MAX };
    Means { memory, threads, alone_bytes: 0, beside_bytes, whole_bytes, share, progress: None }
}

fn steps(all: Vec<Datagram>) -> impl Strategy<Value = Vec<Step>> {
    let share = prop::sample::select(vec![0_u64, 0, 1, 8]);
    let compaction = (0..40_usize, 1..200_000_usize, share, 1..4_usize);
    let compactions = prop::collection::vec(compaction, 0..14);
    let cuts = prop::collection::vec((1..6_usize, 0..3_usize, 0..2_u32), 1..30);
    (Just(all).prop_shuffle(), cuts, compactions).prop_map(|(all, cuts, compactions)| {
        let mut steps = Vec::new();
        let mut rest = &all[..];
        for (size, writer, day) in cuts.into_iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (batch, more) = rest.split_at(size.min(rest.len()));
            steps.push(Step::Append { writer, batch: batch.to_vec(), day });
            rest = more;
        }
        for (at, memory, share, threads) in compactions {
            steps.insert(at.min(steps.len()), Step::Compact { memory, share, threads });
        }
        steps
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn the_same_datagrams_are_one_state_however_they_came(
        (all, orders) in prop::collection::vec(datagram(), 1..60).prop_flat_map(|all| {
            (Just(all.clone()), prop::collection::vec(steps(all), 2))
        })
    ) {
        let expected = state_of(&all);
        let mut shards = Vec::new();
        for order in orders {
            let disk = home();
            for step in order {
                match step {
                    Step::Append { writer, batch, day } => {
                        let (writer, today) = (["pi1", "pi2", "mac"][writer], 20_261_121 + day);
                        append(&disk, writer, &today.to_string(), &batch).unwrap();
                    }
                    Step::Compact { memory, share, threads } => {
                        let (mut journals, lock) = (open(&disk, "pi1").unwrap(), take_lock(&disk).unwrap());
                        let means = means(memory, share, threads);
                        checkpoint::compact_by(&lock, &mut journals, &means).unwrap();
                    }
                }
            }
            for compacted in [false, true] {
                if compacted {
                    let (mut journals, lock) = (open(&disk, "pi1").unwrap(), take_lock(&disk).unwrap());
                    // Every file is read, and the runs are folded into the shards.
                    let done = checkpoint::repair(&lock, &mut journals, 1 << 20).unwrap();
                    prop_assert_eq!(done.rebuilt, 0);
                    let manifest = Manifest::read(&disk).unwrap();
                    prop_assert_eq!((manifest.runs(), manifest.digest()), (0, expected.digest()));
                    prop_assert_eq!(manifest.lines(), expected.len() as u64);
                }
                let reader = Reader::open(&mut open(&disk, "pi1").unwrap()).unwrap();
                prop_assert_eq!(reader.digest().unwrap(), expected.digest());
                prop_assert_eq!(&reader.state().unwrap(), &expected);
                let glance = Reader::glance(shared(&disk), CLUSTER, node("pi1")).unwrap();
                prop_assert_eq!(glance.digest().unwrap(), expected.digest());
                prop_assert_eq!(glance.tail_bytes(), reader.tail_bytes());
                prop_assert_eq!(&glance.state().unwrap(), &expected);
                let lives = |collection: &str| {
                    let here = |(at, entity): &(&Target, &cocli_core::Entity)| {
                        at.is_entity()
                            && at.collection() == collection
                            && !entity.shown(None).is_empty()
                            && expected.removed(at).is_none()
                    };
                    expected.entities().filter(here).count()
                };
                let counts = ["companies", "people"].map(lives);
                prop_assert_eq!(reader.tally(["companies", "people"]).unwrap(), Tally { living: counts, values: expected.len() as u64, digest: expected.digest() });
                for (target, entity) in expected.entities() {
                    prop_assert_eq!(&reader.entity(target).unwrap(), entity);
                    let below = reader.below(target).unwrap();
                    let prefix = format!("{target}/");
                    let count = expected.entities().filter(|(at, _)| *at == target || at.as_str().starts_with(&prefix)).count();
                    prop_assert_eq!(below.len(), count);
                    prop_assert_eq!(reader.removed(target).unwrap(), expected.removed(target).cloned());
                }
                prop_assert!(reader.entity(&Target::read("companies/none").unwrap()).unwrap().fields.is_empty());
            }
            // The very same files, too.
            shards.push(disk.files().into_iter().filter(|p| p.starts_with("checkpoint/") && p.contains('-')).collect::<Vec<_>>());
        }
        prop_assert_eq!(&shards[0], &shards[1]);
    }
}

#[test]
fn history_tells_every_datagram_with_its_place() {
    let disk = home();
    let (one, two) =
        (put("pi1", "companies/a", "name", "A", 1), put("mac", "companies/a", "name", "B", 2));
    append(&disk, "pi1", "20261122", &[one.clone(), put("pi1", "companies/b", "name", "A", 1)])
        .unwrap();
    append(&disk, "mac", "20261122", std::slice::from_ref(&two)).unwrap();
    let mut journals = open(&disk, "pi1").unwrap();
    let lock = take_lock(&disk).unwrap();
    checkpoint::compact(&lock, &mut journals, 1 << 20).unwrap();
    let reader = Reader::open(&mut journals).unwrap();
    let history = reader.history(&one.target, Some(&one.field)).unwrap();
    let told: Vec<_> =
        history.into_iter().map(|placed| (placed.log, placed.position, placed.datagram)).collect();
    assert_eq!(told, [(log("pi1"), 0, one), (log("mac"), 0, two)]);
}

#[test]
fn odd_records_are_kept_once_and_in_nobodys_way() {
    let disk = home();
    let odd = b"what\x1fis\x1fthis\x1e".to_vec();
    let bytes = [
        bytes_of(&batch("pi1", 1, 1)),
        odd.clone(),
        vec![0xff, 0x1e],
        bytes_of(&batch("pi1", 2, 1)),
    ]
    .concat();
    disk.plant("wal/20261122_pi1.usv", &bytes);
    let mut journals = open(&disk, "mac").unwrap();
    let lock = take_lock(&disk).unwrap();
    for _ in 0..3 {
        let reader = Reader::open(&mut journals).unwrap();
        assert_eq!(reader.state().unwrap().len(), 2);
        let list = reader.odd().unwrap();
        assert_eq!(list.len(), 2);
        assert_eq!(list[0].bytes, odd[..odd.len() - 1]);
        assert_eq!(list[0].position, bytes_of(&batch("pi1", 1, 1)).len() as u64);
        assert!(list[0].why.contains("3 fields"), "{}", list[0].why);
        checkpoint::compact(&lock, &mut journals, 1 << 20).unwrap();
    }
}

#[test]
fn a_branch_that_gives_way_leaves_the_state_right_and_no_odd_record_behind() {
    // Two cards cloned from one image wrote differently; one branch was here first, and compacted.
    let (ours, theirs) = (batch("pi1", 1, 3), batch("pi1", 2, 40));
    let odd = b"what\x1fis\x1fthis\x1e".to_vec();
    let disk = home();
    disk.plant("wal/20261122_pi1.usv", &[odd.clone(), bytes_of(&ours)].concat());
    let other = home();
    append(&other, "pi1", "20261122", &theirs).unwrap();
    let (mut journals, lock) = (open(&disk, "mac").unwrap(), take_lock(&disk).unwrap());
    checkpoint::compact(&lock, &mut journals, 1 << 20).unwrap();
    journals.set_branch_aside(&lock, &log("pi1"), 0, day("20261123"), &command()).unwrap();
    for range in ranges(&mut open(&other, "pi1").unwrap(), &log("pi1"), 4096) {
        journals.append_range(&lock, &range).unwrap();
    }
    journals.sync(&lock).unwrap();
    let expected = state_of(ours.iter().chain(&theirs));
    for _ in 0..2 {
        let reader = Reader::open(&mut journals).unwrap();
        assert_eq!(reader.state().unwrap(), expected);
        assert_eq!(reader.digest().unwrap(), expected.digest());
        checkpoint::compact(&lock, &mut journals, 1 << 20).unwrap();
    }
    let list = Reader::open(&mut journals).unwrap().odd().unwrap();
    let places: Vec<_> = list.iter().map(|odd| (odd.log.clone(), odd.position)).collect();
    assert_eq!(places, [(log("mac"), 0)], "{list:?}");
}

#[test]
fn an_entity_still_counts_when_the_field_that_told_of_it_is_unset_behind_the_checkpoint() {
    let disk = home();
    let put_at = |field, at| put("pi1", "companies/a", field, "A", at);
    append(&disk, "pi1", "20261122", &[put_at("city", 1), put_at("name", 1)]).unwrap();
    let mut journals = open(&disk, "pi1").unwrap();
    let lock = take_lock(&disk).unwrap();
    checkpoint::compact(&lock, &mut journals, 1 << 20).unwrap();
    drop(lock);
    let mut unset = put_at("city", 2);
    unset.entry.value = Value::null();
    append(&disk, "pi1", "20261122", std::slice::from_ref(&unset)).unwrap();
    journals.refresh().unwrap();
    let reader = Reader::open(&mut journals).unwrap();
    assert_eq!(reader.tally(["companies"]).unwrap().living, [1]);
    unset.field = cocli_core::Field::read("name").unwrap();
    append(&disk, "pi1", "20261122", &[unset]).unwrap();
    journals.refresh().unwrap();
    let reader = Reader::open(&mut journals).unwrap();
    assert_eq!(reader.tally(["companies"]).unwrap().living, [0]);
}

/// Compacts with runs above whatever base there is, by two threads.
fn compact_into_a_run(disk: &FakeDisk, memory: usize) -> Compacted {
    let (mut journals, lock) = (open(disk, "pi1").unwrap(), take_lock(disk).unwrap());
    checkpoint::compact_by(&lock, &mut journals, &means(memory, 0, 2)).unwrap()
}

#[test]
fn what_does_not_fit_into_the_memory_is_set_apart_sorted_and_joined() {
    // More lines of one shard than are sorted at a time, over more files than are few.
    let text = "x".repeat(4_000);
    let all: Vec<Datagram> = (0..400)
        .map(|n| put("pi1", "companies/c1", &format!("f{}", n % 211), &format!("{n}{text}"), n))
        .collect();
    let expected = state_of(&all);
    for memory in [1, 1 << 16, 1 << 20, 1 << 26] {
        for threads in [1, 2] {
            let disk = home();
            for batch in all.chunks(40) {
                append(&disk, "pi1", "20261122", batch).unwrap();
            }
            let (mut journals, lock) = (open(&disk, "pi1").unwrap(), take_lock(&disk).unwrap());
            checkpoint::compact_by(&lock, &mut journals, &means(memory, 8, threads)).unwrap();
            let reader = Reader::open(&mut journals).unwrap();
            assert_eq!(reader.digest().unwrap(), expected.digest(), "{memory} {threads}");
            assert_eq!(reader.state().unwrap(), expected, "{memory} {threads}");
            let left = disk.files().into_iter().filter(|path| path.ends_with(".new"));
            assert_eq!(left.collect::<Vec<_>>(), [""; 0], "{memory} {threads}");
        }
    }
}

#[test]
fn runs_are_few_and_each_says_what_it_changes() {
    let disk = home();
    let mut all = Vec::new();
    let mut most = 0;
    for number in 0..40 {
        let batch = batch("pi1", number, 1 + number % 7);
        append(&disk, "pi1", "20261122", &batch).unwrap();
        all.extend(batch);
        let done = compact_into_a_run(&disk, 1 << 20);
        assert_eq!(done.run, number > 0, "{number}");
        let manifest = Manifest::read(&disk).unwrap();
        most = most.max(manifest.runs());
        let expected = state_of(&all);
        assert_eq!(manifest.digest(), expected.digest(), "{number}");
        assert_eq!(manifest.lines(), expected.len() as u64, "{number}");
    }
    assert!((2..=8).contains(&most), "{most}");
}

#[test]
fn a_damaged_run_costs_a_reading_of_the_journals_and_no_value() {
    let disk = home();
    let mut all = Vec::new();
    for number in 0..3 {
        let batch = batch("pi1", number, 5);
        append(&disk, "pi1", "20261122", &batch).unwrap();
        all.extend(batch);
        compact_into_a_run(&disk, 1 << 20);
    }
    let expected = state_of(&all);
    let run = disk.files().into_iter().find(|path| path.starts_with("checkpoint/run-")).unwrap();
    let bytes = disk.peek(&run).unwrap();
    for at in 0..bytes.len() {
        let disk = disk.copy();
        let mut bytes = bytes.clone();
        bytes[at] ^= 1;
        disk.plant(&run, &bytes);
        let reader = Reader::open(&mut open(&disk, "pi1").unwrap()).unwrap();
        assert_eq!(reader.state().unwrap(), expected, "{at}");
        for (target, entity) in expected.entities() {
            assert_eq!(&reader.entity(target).unwrap(), entity, "{at}");
        }
        let mut more = all.clone();
        more.push(put("pi1", "companies/c1", "more", "x", 9));
        append(&disk, "pi1", "20261122", &more[all.len()..]).unwrap();
        if at % 2 == 0 {
            disk.remove(&run).unwrap();
        }
        if at % 3 == 0 {
            // One that touches all that is damaged, or not.
            compact_into_a_run(&disk, 1 << 20);
        }
        let (mut journals, lock) = (open(&disk, "pi1").unwrap(), take_lock(&disk).unwrap());
        checkpoint::repair(&lock, &mut journals, 1 << 20).unwrap();
        let manifest = Manifest::read(&disk).unwrap();
        assert_eq!(manifest.digest(), state_of(&more).digest(), "{at}");
        assert_eq!(checkpoint::repair(&lock, &mut journals, 1 << 20).unwrap().rebuilt, 0, "{at}");
    }
}
