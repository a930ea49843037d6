//! What the keeper does with another node's checkpoint as it comes.
#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::collections::BTreeSet;
use std::sync::Arc;

use cocli_core::{ClusterId, Day, Instant, LogId, NodeId};
use cocli_node::replica::{Came, Keeper, Part};
use cocli_store::checkpoint::{self, Manifest, Wanted};
use cocli_store::{Command, FakeDisk, HomeLock, Journals, StoreError, paths};

fn home() -> FakeDisk {
    let disk = FakeDisk::new();
    disk.plant_folder(paths::OWN);
    disk
}

fn journals(disk: &FakeDisk) -> Journals {
    journals_of(disk, "pi1")
}

fn journals_of(disk: &FakeDisk, node: &str) -> Journals {
    let node = NodeId::read(node).unwrap();
    Journals::open(Arc::new(disk.clone()), ClusterId([7; 16]), node).unwrap()
}

fn join(disk: &FakeDisk) -> cocli_store::Result<bool> {
    let lock = HomeLock::try_take(disk, "test").unwrap();
    let command = Command { at: Instant::from_micros(5).unwrap(), verb: "join".into() };
    let means = checkpoint::Means::within(1 << 20);
    checkpoint::join(&lock, &mut journals(disk), &means, &command)
}

fn other() -> FakeDisk {
    other_of("pi1")
}

/// A home with a checkpoint, of what that node wrote.
fn other_of(node: &str) -> FakeDisk {
    let disk = home();
    let mut journals = journals_of(&disk, node);
    let lock = HomeLock::try_take(&disk, "test").unwrap();
    for (number, name) in ["Apple", "Pear", "Plum"].into_iter().enumerate() {
        let record = format!(
            "2026-11-23T08:00:00.00000{number}+00:00\x1f{node}\x1fcompanies/c{number}\x1fname\x1f{name}\x1f\x1e"
        );
        let command = Command { at: Instant::from_micros(5).unwrap(), verb: "set".into() };
        let day = Day::read("20261123").unwrap();
        journals.append_own(&lock, day, record.as_bytes(), &command).unwrap();
    }
    checkpoint::compact(&lock, &mut journals, 1 << 20).unwrap();
    disk
}

fn told(disk: &FakeDisk) -> Vec<u8> {
    checkpoint::told(&mut journals(disk)).unwrap().unwrap().text
}

fn wanted(came: Came) -> Option<Wanted> {
    let Came::Next { wanted, .. } = came else { panic!("{came:?}") };
    wanted
}

/// All of a checkpoint, as a peer gives it.
fn bring(from: &FakeDisk, keeper: &mut Keeper, call: u64) -> Came {
    bring_for(from, keeper, call, BTreeSet::new())
}

/// As [`bring`], for logs that are to go on from it.
fn bring_for(from: &FakeDisk, keeper: &mut Keeper, call: u64, logs: BTreeSet<LogId>) -> Came {
    let mut came = keeper.keep(call, Part::Manifest(told(from)));
    loop {
        came = match wanted(came) {
            Some(Wanted::Lines(file, offset)) => {
                let bytes = checkpoint::piece(from, file, offset, 100).unwrap().unwrap();
                keeper.keep(call, Part::Lines { file, offset, bytes })
            }
            Some(Wanted::Odd(behind)) => {
                let entries = checkpoint::odd_behind(from, behind.as_ref(), 100).unwrap();
                keeper.keep(call, Part::Odd(entries))
            }
            None => return keeper.keep(call, Part::Whole(logs)),
        };
    }
}

#[test]
fn lines_that_were_not_asked_for_end_the_call() {
    let (here, there) = (home(), other());
    let mut keeper = Keeper::new(Arc::new(here));
    let came = keeper.keep(1, Part::Manifest(told(&there)));
    let Some(Wanted::Lines(file, 0)) = wanted(came) else { panic!("a file") };
    let bytes = checkpoint::piece(&there, file, 0, 100).unwrap().unwrap();
    for offset in [1, 1 << 40] {
        let came = keeper.keep(1, Part::Lines { file, offset, bytes: bytes.clone() });
        assert!(matches!(&came, Came::Refused(why) if why.contains("asked for")), "{came:?}");
    }
    let came = keeper.keep(1, Part::Odd(Vec::new()));
    assert!(matches!(came, Came::Refused(_)), "{came:?}");
    assert_eq!(bring(&there, &mut keeper, 2), Came::Whole);
}

#[test]
fn a_part_of_a_call_that_ended_is_not_taken_for_one_of_the_next() {
    let (here, there) = (home(), other());
    let mut keeper = Keeper::new(Arc::new(here));
    let manifest = Part::Manifest(told(&there));
    let Some(Wanted::Lines(file, 0)) = wanted(keeper.keep(1, manifest.clone())) else {
        panic!("a file")
    };
    let bytes = checkpoint::piece(&there, file, 0, 100).unwrap().unwrap();
    let came = keeper.keep(2, manifest);
    let late = keeper.keep(1, Part::Lines { file, offset: 0, bytes: bytes.clone() });
    assert!(matches!(late, Came::Refused(_)), "{late:?}");
    assert_eq!(wanted(came), Some(Wanted::Lines(file, 0)));
    let came = keeper.keep(2, Part::Lines { file, offset: 0, bytes });
    assert!(matches!(came, Came::Next { .. }), "{came:?}");
}

#[test]
fn what_is_whole_and_waits_is_joined_and_not_fetched_again() {
    let (here, there) = (home(), other());
    assert_eq!(bring(&there, &mut Keeper::new(Arc::new(here.clone())), 1), Came::Whole);
    let files = here.files();
    // The daemon is started again, and its replica asks a peer once more.
    let mut keeper = Keeper::new(Arc::new(here.clone()));
    assert_eq!(keeper.keep(1, Part::Manifest(told(&there))), Came::Whole);
    assert_eq!(here.files(), files);
    assert!(checkpoint::waits(&here).unwrap());
    assert!(join(&here).unwrap());
    assert!(!checkpoint::waits(&here).unwrap());
    assert!(matches!(keeper.keep(1, Part::Manifest(told(&there))), Came::Next { .. }));
}

#[test]
fn one_that_does_not_make_up_for_what_is_lost_here_keeps_no_other_out() {
    let (here, there, mac) = (home(), other_of("pi2"), other_of("mac"));
    let mut keeper = Keeper::new(Arc::new(here.clone()));
    let logs = || BTreeSet::from([LogId::read("pi2").unwrap()]);
    assert_eq!(bring_for(&there, &mut keeper, 1, logs()), Came::Whole);
    assert!(join(&here).unwrap());
    assert_eq!(journals(&here).bases().count(), 1);
    let expected = Manifest::read(&here).unwrap().digest();
    // The medium loses the only word of what was before the base.
    here.plant("checkpoint/manifest.json", b"torn");
    assert_eq!(bring(&mac, &mut keeper, 2), Came::Whole);
    let refused = join(&here).unwrap_err();
    assert!(matches!(refused, StoreError::Unheld { .. }), "{refused}");
    // Also of a daemon that was started again.
    for keeper in [&mut keeper, &mut Keeper::new(Arc::new(here.clone()))] {
        let came = keeper.keep(3, Part::Manifest(told(&there)));
        assert!(matches!(came, Came::Next { .. }), "{came:?}");
    }
    assert_eq!(bring_for(&there, &mut keeper, 4, logs()), Came::Whole);
    assert!(join(&here).unwrap());
    assert_eq!(Manifest::read(&here).unwrap().digest(), expected);
}
