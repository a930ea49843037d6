//! What is told of the list behind an entry is what the list has there, at a cost of what is told.

use std::ops::Bound;

use proptest::prelude::*;

use super::*;
use crate::disk::FakeDisk;

fn odd(log: &str, position: u64, bytes: &[u8]) -> OddRecord {
    let why = "as it may be".to_owned();
    OddRecord { log: LogId::read(log).unwrap(), position, why, bytes: bytes.to_vec() }
}

fn listed(records: impl IntoIterator<Item = OddRecord>) -> (FakeDisk, OddList) {
    let (disk, mut list) = (FakeDisk::new(), OddList::default());
    disk.plant_folder("checkpoint");
    records.into_iter().for_each(|odd| list.add(odd));
    list.write(&disk, None).unwrap();
    (disk, list)
}

/// All answers, one behind the other, and how many there were.
fn ask_all(disk: &FakeDisk, max: usize) -> (Vec<OddRecord>, usize) {
    let (mut all, mut behind, mut answers) = (Vec::new(), None, 0);
    loop {
        let text = odd_behind(disk, behind.as_ref(), max).unwrap();
        answers += 1;
        if text.is_empty() {
            return (all, answers);
        }
        let came = entries(&text).unwrap();
        assert!(text.len() <= max || came.len() == 1, "{} bytes for {max}", text.len());
        all.extend(came);
        behind = all.last().map(|odd| (odd.log.clone(), odd.position));
    }
}

#[test]
fn a_list_is_read_about_once_by_all_the_answers_that_tell_it() {
    let records =
        (0..40_000).map(|n| odd(["pi1", "pi2", "mac"][n % 3], n as u64 * 100, &[b'x'; 90]));
    let (disk, list) = listed(records);
    let len = disk.peek(&paths::odd(None)).unwrap().len() as u64;
    let before = disk.bytes_read();
    let (all, answers) = ask_all(&disk, 64 * 1024);
    let read = disk.bytes_read() - before;
    assert!(answers > 50);
    assert!(read < 4 * len, "read {read} bytes of a list of {len}");
    assert_eq!(all, list.0.into_values().collect::<Vec<_>>());
}

#[test]
fn behind_long_entries_the_next_are_found_without_reading_them_again_and_again() {
    let long = |n: u64| {
        odd("pi1", n, &vec![b'x'; if n.is_multiple_of(3) { RECORD_BYTES_MAX } else { 10 }])
    };
    let (disk, list) = listed((0..9).map(long));
    let len = disk.peek(&paths::odd(None)).unwrap().len() as u64;
    let before = disk.bytes_read();
    assert_eq!(ask_all(&disk, 1).0, list.0.into_values().collect::<Vec<_>>());
    let read = disk.bytes_read() - before;
    assert!(read < 12 * len, "read {read} bytes of a list of {len}");
}

#[test]
fn an_entry_is_found_wherever_two_looks_meet() {
    for len in 8100..8300 {
        let (disk, list) = listed([odd("pi1", 1, &vec![b'x'; len]), odd("pi1", 2, b"next")]);
        let behind = list.0.keys().next().unwrap();
        let text = odd_behind(&disk, Some(behind), 1 << 20).unwrap();
        assert_eq!(entries(&text).unwrap_or_default(), [odd("pi1", 2, b"next")], "{len}");
    }
}

#[test]
fn of_a_list_that_the_medium_spoiled_the_rest_is_told_in_order() {
    let (disk, list) = listed((0..40).map(|n| odd("pi1", n * 10, b"bytes")));
    let text = disk.peek(&paths::odd(None)).unwrap();
    for at in 0..text.len() {
        let mut spoiled = text.clone();
        spoiled[at] ^= 0x11;
        disk.plant(&paths::odd(None), &spoiled);
        for max in [1, 700, 1 << 20] {
            let (all, _) = ask_all(&disk, max);
            let keys = all.iter().map(|odd| (&odd.log, odd.position));
            assert!(keys.is_sorted_by(|a, b| a < b), "{at}");
        }
    }
    disk.spoil(&paths::odd(None), 0..text.len() as u64);
    assert!(odd_behind(&disk, None, 100).unwrap().is_empty());
    assert_eq!(list.0.len(), 40);
}

fn record() -> impl Strategy<Value = OddRecord> {
    let log = prop::sample::select(vec!["pi1", "pi1~abcdefg2", "pi1~~202611", "pi10", "mac"]);
    let bytes = prop_oneof![
        6 => prop::collection::vec(prop_oneof![Just(US), Just(b'\n'), Just(b'a')], 1..30),
        1 => (4000..9000_usize).prop_map(|len| vec![b'\n'; len]),
    ];
    (log, 0..3000_u64, bytes).prop_map(|(log, position, bytes)| odd(log, position, &bytes))
}

proptest! {
    #[test]
    fn what_is_told_behind_an_entry_is_what_the_list_has_there(
        records in prop::collection::vec(record(), 0..60),
        at in record(),
        max in prop_oneof![Just(1_usize), 20..20_000_usize],
    ) {
        let (disk, list) = listed(records);
        let keys = list.0.keys().cloned().chain([(at.log, at.position)]).map(Some);
        for behind in keys.chain([None]).collect::<Vec<_>>() {
            let text = odd_behind(&disk, behind.as_ref(), max).unwrap();
            let came = entries(&text).unwrap_or_default();
            let first = behind.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
            let there = list.0.range((first, Bound::Unbounded)).map(|(_, odd)| odd);
            let there: Vec<_> = there.take(came.len()).cloned().collect();
            prop_assert_eq!(&came, &there);
            prop_assert!(text.len() <= max || came.len() == 1);
            let more = list.0.range((first, Bound::Unbounded)).next().is_some();
            prop_assert_eq!(more, !text.is_empty());
        }
        prop_assert_eq!(ask_all(&disk, max).0, list.0.into_values().collect::<Vec<_>>());
    }
}
