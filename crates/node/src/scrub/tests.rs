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
    let turn = home.turn().unwrap();
    home.session(at(0)).unwrap().compact(turn, None).unwrap();
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
    let of_state = Manifest::read(&*home.disk).unwrap().bytes();
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
