//! The mirror says what the cards say, and what is over goes.

#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

mod support;

use std::collections::BTreeMap;

use cocli_core::bucket::{Bucket, Key, Manifest};
use cocli_core::{Field, Instant, Target, Value};
use cocli_node::Home;
use cocli_node::change::{Change, Intent};
use cocli_node::durable::fake::{Chosen, Fault, Faulty, MemoryBucket, Plan};
use cocli_node::durable::{Durable, Mirrored};

/// 2026-11-28T08:00:00Z.
const START: i64 = 1_795_852_800_000_000;
const WEEK_US: i64 = 7 * 24 * 3600 * 1_000_000;

fn at(second: i64) -> Instant {
    Instant::from_micros(START + second * 1_000_000).unwrap()
}

fn set(home: &Home, second: i64, target: &str, field: &str, value: &str) {
    let target = Target::read(target).unwrap();
    let value = Intent::Put(Value::text(value));
    let change = Change::new(target, Field::read(field).unwrap(), value);
    home.session(at(second)).unwrap().write("set", &[change], false).unwrap();
}

fn mirror(
    home: &Home,
    bucket: &dyn Bucket,
    budget: usize,
    second: i64,
) -> cocli_node::Result<Mirrored> {
    let mut durable = Durable::open(home, bucket, "memory:", true)?.unwrap();
    durable.mirror(budget, second % 10 == 9, at(second))
}

fn cards(bucket: &MemoryBucket) -> BTreeMap<String, Vec<u8>> {
    let mut all = bucket.contents();
    all.retain(|key, _| key.starts_with("companies/") || key.starts_with("people/"));
    all
}

fn home(dir: &tempfile::TempDir) -> Home {
    let home = support::home(dir.path(), "one", at(0));
    for n in 0..5 {
        set(&home, n, &format!("companies/c-{n}"), "name", &format!("Company: {n}"));
    }
    set(&home, 6, "people/ann", "name", "Ann");
    home
}

#[test]
fn the_mirror_says_byte_for_byte_what_the_cards_say() {
    let dir = tempfile::tempdir().unwrap();
    let home = home(&dir);
    let bucket = MemoryBucket::new();
    let all = mirror(&home, &bucket, 100, 10).unwrap();
    assert_eq!((all.put, all.removed, all.waiting), (6, 0, 0));
    std::fs::write(dir.path().join(".cocli/config.toml"), "").unwrap();
    let home = Home::open(dir.path(), support::rim()).unwrap();
    home.session(at(11)).unwrap().place_all().unwrap();
    for (path, text) in cards(&bucket) {
        assert_eq!(std::fs::read(dir.path().join(&path)).unwrap(), text, "{path}");
    }
    assert_eq!(mirror(&home, &bucket, 100, 12).unwrap(), Mirrored::default());
    set(&home, 13, "companies/c-3", "city", "Paris");
    assert_eq!(mirror(&home, &bucket, 100, 14).unwrap().put, 1);
}

#[test]
fn what_waits_longest_comes_first_and_what_was_removed_goes() {
    let dir = tempfile::tempdir().unwrap();
    let home = home(&dir);
    let bucket = MemoryBucket::new();
    assert_eq!(mirror(&home, &bucket, 4, 10).unwrap(), Mirrored { put: 4, removed: 0, waiting: 2 });
    for n in 0..4 {
        set(&home, 20, &format!("companies/c-{n}"), "city", "Paris");
    }
    assert_eq!(mirror(&home, &bucket, 2, 21).unwrap().waiting, 4);
    assert!(cards(&bucket).contains_key("companies/c-4/_index.md"));
    set(&home, 22, "companies/c-4", "_deleted", "true");
    let last = mirror(&home, &bucket, 100, 23).unwrap();
    assert_eq!((last.removed, last.waiting), (1, 0));
    assert_eq!(cards(&bucket).len(), 5);
}

#[test]
fn what_a_person_took_away_or_changed_is_put_again() {
    let dir = tempfile::tempdir().unwrap();
    let home = home(&dir);
    let bucket = MemoryBucket::new();
    mirror(&home, &bucket, 100, 10).unwrap();
    let before = cards(&bucket);
    bucket.lose(&Key::mirror("companies/c-1/_index.md"));
    bucket.plant(&Key::mirror("companies/c-2/_index.md"), b"mine");
    assert_eq!(mirror(&home, &bucket, 100, 11).unwrap().put, 0);
    assert_eq!(mirror(&home, &bucket, 100, 19).unwrap().put, 2);
    assert_eq!(cards(&bucket), before);
}

#[test]
fn a_mirror_that_breaks_off_anywhere_is_whole_the_next_time() {
    for place in 1..12 {
        let dir = tempfile::tempdir().unwrap();
        let home = home(&dir);
        let bucket = Faulty::new(MemoryBucket::new(), Plan::default());
        let chosen = Chosen { at: place, fault: Fault::Lost, for_good: true };
        bucket.follow(Plan { chosen: Some(chosen), ..Plan::default() });
        let _ = mirror(&home, &bucket, 100, 9);
        bucket.follow(Plan::default());
        mirror(&home, &bucket, 100, 19).unwrap();
        assert_eq!(cards(bucket.below()).len(), 6);
    }
}

fn manifest(home: &Home, n: u64, files: &[(&str, u64)], snapshot: Option<u64>) -> Vec<u8> {
    let files = files.iter().map(|(name, generation)| (name.to_string(), *generation)).collect();
    let manifest = Manifest {
        cluster: home.cluster(),
        n,
        generation: n,
        hub: home.node().clone(),
        at: String::new(),
        checkpoint: None,
        files,
        odd: None,
        objects: BTreeMap::new(),
        nodes: 1,
        snapshot,
    };
    zstd::encode_all(&manifest.text()[..], 1).unwrap()
}

#[test]
fn what_no_recent_manifest_names_goes_after_a_week_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let home = support::home(dir.path(), "one", at(0));
    let bucket = MemoryBucket::new();
    let key = |text: &str| Key::read(text).unwrap();
    for old in [
        "checkpoint/1/aa-1",
        "checkpoint/1/ab-2",
        "snapshot/1/people/part-0.parquet",
        "snapshot/2/people/part-0.parquet",
    ] {
        bucket.plant(&key(old), b"old");
    }
    bucket.set_now(WEEK_US - 1);
    bucket.plant(&key("checkpoint/2/young"), b"young");
    bucket.set_now(WEEK_US);
    bucket.plant(&key("checkpoint/3/ac-3"), b"newest");
    bucket.plant(&key("snapshot/3/people/part-0.parquet"), b"newest");
    bucket.plant(&Key::manifest(1), &manifest(&home, 1, &[("ab-2", 1), ("ac-3", 3)], Some(2)));
    let newest = Manifest::read(
        &zstd::decode_all(&bucket.get(&Key::manifest(1)).unwrap().unwrap()[..]).unwrap(),
    )
    .unwrap();
    let mut durable = Durable::open(&home, &bucket, "memory:", true).unwrap().unwrap();
    assert_eq!(durable.tidy(&newest).unwrap(), 2);
    let left = bucket.contents();
    assert!(
        !left.contains_key("checkpoint/1/aa-1")
            && !left.contains_key("snapshot/1/people/part-0.parquet")
    );
    assert_eq!(left.len(), 5 + 2);
    // What cannot be read may name anything.
    bucket.plant(&Key::manifest(2), b"damaged");
    let second = Manifest { n: 2, ..newest };
    assert!(durable.tidy(&second).is_err());
}
