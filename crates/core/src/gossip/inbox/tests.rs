use proptest::prelude::*;

use super::*;
use crate::digest::ClusterId;
use crate::gossip::stream::Logs;
use crate::gossip::testing::MemoryLogs;
use crate::time::Day;

const CLUSTER: ClusterId = ClusterId([3; 16]);

fn log() -> LogId {
    LogId::read("pi1").unwrap()
}

/// A log of records, each of its own length, over two days.
fn origin(lengths: &[u8]) -> MemoryLogs {
    let mut logs = MemoryLogs::new(CLUSTER);
    for (n, length) in lengths.iter().enumerate() {
        let day = if n < lengths.len() / 2 { 20_261_123 } else { 20_261_124 };
        let mut record = alloc::vec![b'a' + (n % 26) as u8; usize::from(*length)];
        record.push(crate::usv::RS);
        logs.append(&log(), Day::from_number(day).unwrap(), &record);
    }
    logs
}

proptest! {
    #[test]
    fn pieces_in_any_order_twice_and_overlapping_come_out_as_the_log_and_nothing_else(
        lengths in prop::collection::vec(0_u8..40, 2..40),
        pieces in prop::collection::vec((any::<prop::sample::Index>(), 1_usize..200), 0..80),
    ) {
        let mut origin = origin(&lengths);
        let start = origin.start(&log());
        let ends: Vec<u64> = core::iter::once(0)
            .chain(origin.logs[&log()].iter().map(|(_, _, head)| head.position))
            .collect();
        let (mut inbox, none) = (Inbox::default(), BTreeSet::new());
        // At last all of it, in order, so that nothing is missing.
        let in_order = ends.iter().map(|end| (*end, 1));
        let pieces = pieces.into_iter().map(|(at, max)| (*at.get(&ends), max)).chain(in_order);
        for (from, max) in pieces.collect::<Vec<_>>() {
            let Some(range) = origin.read(&log(), from, u64::MAX, max) else { continue };
            let taken = inbox.take(start, range, &none, 1);
            prop_assert!(matches!(taken, Taken::New | Taken::Old | Taken::Early));
            prop_assert!(!inbox.connect(&log(), start, &none));
        }
        let mut copy = MemoryLogs::new(CLUSTER);
        for linked in inbox.append(false) {
            prop_assert!(copy.commit(&linked.range), "a range did not continue the log");
            prop_assert_eq!(&linked, &Linked::from(linked.range.clone()));
        }
        prop_assert_eq!(copy.vector(), origin.vector());
        prop_assert_eq!(inbox.early_bytes, 0);
    }
}

#[test]
fn another_branch_and_a_branch_that_lost_are_not_taken() {
    let (mut ours, mut other) = (origin(&[5, 5]), origin(&[5, 6]));
    let start = ours.start(&log());
    let mut inbox = Inbox::default();
    let first = ours.read(&log(), 0, u64::MAX, 6).unwrap();
    assert_eq!(inbox.take(start, first, &BTreeSet::new(), 1), Taken::New);
    let lost = BTreeSet::from([other.head(&log()).unwrap().hash]);
    let second = other.read(&log(), 6, u64::MAX, 100).unwrap();
    assert_eq!(inbox.take(start, second, &lost, 1), Taken::Lost);
    let mut forged = ours.read(&log(), 6, u64::MAX, 100).unwrap();
    forged.hash_before = ChainHash([1; 16]);
    assert_eq!(inbox.take(start, forged, &BTreeSet::new(), 1), Taken::Fork);
}

#[test]
fn what_is_early_is_bounded() {
    let mut inbox = Inbox::default();
    let start = MemoryLogs::new(CLUSTER).start(&log());
    for n in 0..200_u64 {
        let mut bytes = alloc::vec![b'x'; 999];
        bytes.push(crate::usv::RS);
        let range = Range {
            log: log(),
            day: Day::from_number(20_261_123).unwrap(),
            position: 1_000 + n * 1_000,
            hash_before: start.hash,
            bytes,
        };
        inbox.take(start, range, &BTreeSet::new(), 1);
    }
    assert!(inbox.early_bytes <= EARLY_BYTES_MAX);
}

#[test]
fn all_holes_between_early_ranges_are_told_with_the_head_before_them() {
    let mut origin = origin(&[9; 20]);
    let start = origin.start(&log());
    let mut inbox = Inbox::default();
    for n in [2, 3, 6, 9] {
        let range = origin.read(&log(), n * 10, (n + 1) * 10, 100).unwrap();
        assert_eq!(inbox.take(start, range, &BTreeSet::new(), 1), Taken::Early);
    }
    let head = |n: usize| origin.logs[&log()][n - 1].2;
    assert_eq!(inbox.early_from(&log()), Some(20));
    assert_eq!(inbox.holes(&log(), 9), [(head(4), 60), (head(7), 90)]);
    assert_eq!(inbox.holes(&log(), 1), [(head(4), 60)]);
}
