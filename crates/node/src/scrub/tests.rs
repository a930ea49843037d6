#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use std::fmt::Write as _;

use cocli_core::Day;

use super::*;
use crate::support;

fn at(hours: i64) -> Instant {
    Instant::from_micros(1_795_435_200_000_000 + hours * DAY_US / 24).unwrap()
}

/// The journal of another node.
fn barn() -> String {
    paths::journal(&LogId::read("barn").unwrap(), Day::read("20261101").unwrap())
}

/// A home with a megabyte of another node's log, merged.
fn home(dir: &tempfile::TempDir) -> Home {
    let home = support::home(dir.path(), "n", at(0));
    let mut text = String::new();
    for n in 0..6_000 {
        let value = format!("{n} {}", "v".repeat(100));
        let target = format!("companies/c{}", n % 50);
        write!(text, "2026-11-01T10:00:00Z\x1fbarn\x1f{target}\x1ff{n}\x1f{value}\x1f\x1e")
            .unwrap();
    }
    std::fs::write(dir.path().join(barn()), text).unwrap();
    support::compact(&home, at(0));
    home
}

/// Steps until all was read; gives how many there were, and how much each read at most.
fn to_the_end(home: &Home, now: Instant) -> (usize, u64, Scrubbed) {
    let before = home.scrubbed().and_then(|scrub| scrub.last);
    let (mut steps, mut most, mut read) = (0, 0, 0);
    loop {
        home.scrub_some(now).unwrap();
        let scrub = home.scrubbed().unwrap();
        (steps, most) = (steps + 1, most.max(scrub.so_far.bytes - read));
        read = scrub.so_far.bytes;
        assert!(steps < 1_000, "{scrub:?}");
        if scrub.last != before {
            return (steps, most, scrub.last.unwrap().1);
        }
    }
}

fn flip(path: &std::path::Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn all_is_read_once_a_day_in_small_steps_and_what_rots_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let home = home(&dir);
    assert_eq!(home.scrubbed(), None);
    let (steps, most, sound) = to_the_end(&home, at(0));
    assert!(steps > 3 && most < STEP_BYTES_MIN + 128 * 1024, "{steps} {most}");
    let wal = std::fs::read_dir(dir.path().join(paths::WAL)).unwrap();
    let of_wal: u64 = wal.map(|file| file.unwrap().metadata().unwrap().len()).sum();
    let of_state = checkpoint::bytes(&*home.disk).unwrap();
    assert_eq!(sound, Scrubbed { bytes: of_wal + of_state, blocks: 0, files: 0 });
    // Nothing more that day, whatever rots.
    flip(&dir.path().join(barn()));
    let shards = std::fs::read_dir(dir.path().join(paths::CHECKPOINT)).unwrap();
    let mut shards = shards.map(|file| file.unwrap().path());
    flip(&shards.find(|path| path.to_str().unwrap().contains('-')).unwrap());
    assert!(!home.scrub_some(at(23)).unwrap());
    assert_eq!(home.scrubbed().unwrap().last.unwrap().1, sound);
    let (_, _, found) = to_the_end(&home, at(24));
    assert_eq!((found.blocks, found.files), (1, 1));
    let holes = home.journals().unwrap().holes();
    assert_eq!(holes.len(), 1, "it is asked for now");
    // What is known is not counted again, and a clock that was ahead puts nothing off.
    let (_, _, again) = to_the_end(&home, at(-500));
    assert_eq!((again.blocks, again.files), (0, 1));
}

/// Another byte in the middle of each so many blocks of the other node's journal.
fn rot(dir: &tempfile::TempDir, blocks: std::ops::Range<usize>) {
    let path = dir.path().join(barn());
    let mut bytes = std::fs::read(&path).unwrap();
    for block in blocks {
        bytes[block * BLOCK + BLOCK / 2] ^= 1;
    }
    std::fs::write(path, bytes).unwrap();
}

/// Marks stand about this far apart.
const BLOCK: usize = 64 * 1024;

/// Bytes of the other node's log that are asked for.
fn asked_for(home: &Home) -> Vec<u64> {
    let holes = home.journals().unwrap().holes();
    holes.iter().map(|hole| hole.until.position - hole.from.position).collect()
}

#[test]
fn every_block_of_a_stretch_that_rots_is_noted_also_where_it_grows() {
    let dir = tempfile::tempdir().unwrap();
    let home = home(&dir);
    to_the_end(&home, at(0));
    rot(&dir, 4..7);
    let (_, _, found) = to_the_end(&home, at(24));
    assert_eq!(found.blocks, 3);
    let [three] = asked_for(&home)[..] else { panic!("one hole") };
    assert!(three > 2 * BLOCK as u64, "{three}");
    rot(&dir, 7..8);
    let (_, _, found) = to_the_end(&home, at(48));
    assert_eq!(found.blocks, 1);
    let [four] = asked_for(&home)[..] else { panic!("one hole") };
    assert!(four > three);
}

#[test]
fn what_cannot_be_read_is_told_and_the_rest_is_read_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let home = home(&dir);
    rot(&dir, 4..5);
    let shards = std::fs::read_dir(dir.path().join(paths::CHECKPOINT)).unwrap();
    let mut shards = shards.map(|file| file.unwrap().path());
    let shard = shards.find(|path| path.to_str().unwrap().contains('-')).unwrap();
    std::fs::rename(&shard, dir.path().join("away")).unwrap();
    std::fs::create_dir(&shard).unwrap();
    let mut told = 0;
    let last = loop {
        told += usize::from(home.scrub_some(at(0)).is_err());
        assert!(told <= 1, "it is met once a day");
        if let Some((_, last)) = home.scrubbed().and_then(|scrub| scrub.last) {
            break last;
        }
    };
    assert_eq!((told, last.blocks), (1, 1));
    assert_eq!(asked_for(&home).len(), 1);
}

#[test]
fn a_damaged_manifest_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    let home = home(&dir);
    std::fs::write(dir.path().join(paths::MANIFEST), "no manifest").unwrap();
    let (_, _, found) = to_the_end(&home, at(0));
    assert_eq!((found.blocks, found.files), (0, 1));
}
