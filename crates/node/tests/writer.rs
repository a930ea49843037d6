//! What the writer thread believes of a disk that fails.

#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use std::sync::Arc;

use cocli_core::frame::Range;
use cocli_core::{
    Causality, ClusterId, Datagram, Day, Entry, Field, Instant, LogId, NodeId, Stamp, Target,
    Value, usv,
};
use cocli_node::replica::{Begun, Job, JobDone, Writer};
use cocli_store::disk::fake::{Fault, Times};
use cocli_store::{Command, FakeDisk, HomeLock, Journals};

const CLUSTER: ClusterId = ClusterId([7; 16]);
const FILE: &str = "wal/20261123_pi.usv";

fn node(name: &str) -> NodeId {
    NodeId::written(name).unwrap()
}

fn home() -> FakeDisk {
    let disk = FakeDisk::new();
    disk.plant_folder(".cocli");
    disk
}

fn noon() -> Instant {
    Instant::from_micros(1_795_435_200_000_000).unwrap()
}

/// The log of `pi`, as it is pushed after each of two writes.
fn two_ranges() -> (FakeDisk, [Range; 2]) {
    let origin = home();
    let mut journals = Journals::open(Arc::new(origin.clone()), CLUSTER, node("pi")).unwrap();
    let lock = HomeLock::try_take(&origin, "test").unwrap();
    let log = LogId::read("pi").unwrap();
    let mut write = |city: &str| {
        let from = journals.end(&log);
        let datagram = Datagram {
            target: Target::read("companies/acme").unwrap(),
            field: Field::read("city").unwrap(),
            entry: Entry {
                stamp: Stamp { instant: noon(), node: node("pi") },
                value: Value::text(city),
                causality: Causality::nothing(),
            },
        };
        let mut bytes = Vec::new();
        usv::write(&datagram, &mut bytes);
        let command = Command { at: noon(), verb: "set".to_owned() };
        journals.append_own(&lock, Day::read("20261123").unwrap(), &bytes, &command).unwrap();
        journals.read(&log, from, u64::MAX, usize::MAX).unwrap().unwrap()
    };
    let ranges = [write("Paris"), write("Lyon")];
    drop(lock);
    (origin, ranges)
}

#[test]
fn a_sync_that_failed_while_nobody_could_be_told_is_believed_by_no_later_one() {
    let (origin, [first, second]) = two_ranges();
    let disk = home();
    let mut writer = Writer::new(Arc::new(disk.clone()), CLUSTER, node("mac"));
    for range in [&first, &second] {
        let appended = writer.run(Job::Append(vec![range.clone().into()]), "test", noon());
        assert!(matches!(appended, JobDone::Appended { .. }), "{appended:?}");
        let Begun::Syncing(syncing) = writer.begin(Job::Sync, "test", noon()) else {
            panic!("a sync was expected");
        };
        if range == &first {
            // From the sync on nothing goes, the lock with the rest.
            disk.fail_at(1, Fault::Error, Times::ForGood);
        }
        let done = writer.end(syncing.run(), "test");
        disk.heal();
        match &done {
            JobDone::SyncFailed { .. } => assert!(range == &first, "{done:?}"),
            JobDone::Synced { failed: None, .. } => assert!(range == &second, "{done:?}"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(disk.medium().peek(FILE), origin.peek(FILE));
}
