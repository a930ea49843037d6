//! What is removed in the bucket is what no manifest of late names, and old.

#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use cocli_core::bucket::{Bucket, Key, Manifest};
use cocli_core::{ClusterId, NodeId};
use cocli_node::durable::Durable;
use cocli_node::durable::fake::{Chosen, Fault, Faulty, MemoryBucket, Plan};
use cocli_node::{Home, Result};

const DAY: i64 = 24 * 3600 * 1_000_000;
const URL: &str = "memory:";

fn home(dir: &tempfile::TempDir) -> Home {
    support::home(dir.path(), "one", support::at(0))
}

fn tidy(home: &Home, bucket: &dyn Bucket, newest: &Manifest) -> Result<usize> {
    Durable::open(home, bucket, URL, true)?.unwrap().tidy(newest)
}

fn name(n: u64) -> String {
    format!("run-{n:032x}")
}

/// The `n`th manifest names the files of the round `n` and the one before, its odd records, and every tenth
/// snapshot. Each generation publishes 50.
fn manifest(n: u64) -> Manifest {
    let generation = |n: u64| n / 50 + 1;
    let files = [n.saturating_sub(1), n].map(|n| (name(n), generation(n)));
    Manifest {
        cluster: ClusterId([7; 16]),
        n,
        generation: generation(n),
        hub: NodeId::read("one").unwrap(),
        at: "2026-11-28T08:00:00Z".to_string(),
        checkpoint: None,
        files: BTreeMap::from(files),
        odd: Some((format!("odd-{n:032x}"), generation(n))),
        objects: BTreeMap::new(),
        again: BTreeSet::new(),
        ends: BTreeMap::new(),
        nodes: 1,
        snapshot: Some(n / 10),
    }
}

/// What a manifest names.
fn named(manifest: &Manifest) -> Vec<Key> {
    let odd = manifest.odd.iter().map(|(name, generation)| (name, generation));
    let files = manifest.files.iter().chain(odd);
    let mut keys: Vec<Key> = files.map(|(name, n)| Key::checkpoint(*n, name)).collect();
    let n = manifest.snapshot.unwrap();
    keys.extend(["companies", "people"].map(|table| Key::snapshot(n, table, "part-0.parquet")));
    keys
}

fn publish(bucket: &MemoryBucket, manifest: &Manifest) {
    for key in named(manifest) {
        if !bucket.contents().contains_key(key.as_str()) {
            bucket.plant(&key, b"bytes");
        }
    }
    let packed = zstd::encode_all(&manifest.text()[..], 3).unwrap();
    bucket.plant(&Key::manifest(manifest.n), &packed);
}

/// A bucket with so many manifests, one a day.
fn published(count: u64) -> MemoryBucket {
    let bucket = MemoryBucket::new();
    for n in 1..=count {
        bucket.set_now(i64::try_from(n).unwrap() * DAY);
        publish(&bucket, &manifest(n));
    }
    bucket
}

fn keys(bucket: &MemoryBucket) -> BTreeSet<String> {
    bucket.contents().into_keys().collect()
}

#[test]
fn nothing_that_the_last_hundred_manifests_name_is_removed_and_the_rest_is() {
    let dir = tempfile::tempdir().unwrap();
    let (home, bucket) = (home(&dir), published(130));
    let before = keys(&bucket);
    let gone = tidy(&home, &bucket, &manifest(130)).unwrap();
    let mut expected: BTreeSet<String> = before.clone();
    expected.insert("cluster".into());
    let stays: BTreeSet<Key> = (31..=130).flat_map(|n| named(&manifest(n))).collect();
    for key in (1..31).flat_map(|n| named(&manifest(n))).filter(|key| !stays.contains(key)) {
        expected.remove(key.as_str());
    }
    assert_eq!(keys(&bucket), expected);
    assert_eq!(gone, before.len() + 1 - expected.len());
    // Files 0..=29 and odd records 1..=30; snapshots 0..=2 of two tables.
    assert_eq!((gone, bucket.asked().remove), (30 + 30 + 6, 1));
    assert_eq!(tidy(&home, &bucket, &manifest(130)).unwrap(), 0);
}

#[test]
fn what_is_young_or_newer_than_the_manifest_or_not_ours_stays() {
    let dir = tempfile::tempdir().unwrap();
    let (home, bucket) = (home(&dir), published(10));
    tidy(&home, &bucket, &manifest(10)).unwrap();
    let before = keys(&bucket);
    let stays = [
        "checkpoint/2/run-1",
        "snapshot/1/companies/part-9.parquet",
        "snapshot/7/companies/part-0.parquet",
        "snapshot/people.txt",
        "snapshot/00/people/part-0.parquet",
        "checkpoint/notes.txt",
        "checkpoint/01/run-1",
        "checkpoint/1/by/hand",
        "wal/pi1/1",
    ];
    let (old, young) = ("checkpoint/1/run-5", "checkpoint/1/run-6");
    bucket.set_now(3 * DAY - 1);
    stays.iter().chain([&old]).for_each(|key| bucket.plant(&Key::read(key).unwrap(), b"x"));
    bucket.set_now(3 * DAY);
    bucket.plant(&Key::read(young).unwrap(), b"x");
    assert_eq!(tidy(&home, &bucket, &manifest(10)).unwrap(), 1);
    let mut expected = before;
    expected.extend(stays.iter().chain([&young]).map(ToString::to_string));
    assert_eq!(keys(&bucket), expected);
}

#[test]
fn a_manifest_that_is_damaged_or_gone_or_not_the_newest_removes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (home, bucket) = (home(&dir), published(130));
    // Whoever slept since an older one removes nothing.
    for n in [1, 60, 129] {
        assert_eq!(tidy(&home, &bucket, &manifest(n)).unwrap(), 0);
    }
    assert_eq!(bucket.asked().remove, 0);
    for n in [31, 77, 129] {
        let (key, before) = (Key::manifest(n), bucket.contents());
        let mut damaged = before[key.as_str()].clone();
        let middle = damaged.len() / 2;
        damaged.truncate(middle);
        bucket.plant(&key, &damaged);
        let error = tidy(&home, &bucket, &manifest(130)).unwrap_err().to_string();
        assert!(error.contains(key.as_str()) && error.contains("nothing"), "{error}");
        bucket.lose(&key);
        let error = tidy(&home, &bucket, &manifest(130)).unwrap_err().to_string();
        assert!(error.contains(key.as_str()) && error.contains("nothing"), "{error}");
        bucket.plant(&key, &before[key.as_str()]);
        assert_eq!(bucket.contents(), before);
    }
    // One that is older than those does not matter.
    bucket.lose(&Key::manifest(30));
    assert_eq!(tidy(&home, &bucket, &manifest(130)).unwrap(), 66);
}

#[test]
fn whatever_fails_nothing_that_is_named_goes_and_the_next_time_the_rest_does() {
    let dir = tempfile::tempdir().unwrap();
    let (home, whole) = (home(&dir), published(104));
    let stays: BTreeSet<Key> = (5..=104).flat_map(|n| named(&manifest(n))).collect();
    for (place, fault) in (1..120).zip([Fault::Away, Fault::Lost, Fault::Denied].iter().cycle()) {
        let bucket = Faulty::new(MemoryBucket::new(), Plan::default());
        for (key, bytes) in whole.contents() {
            // All written at once, but for the last.
            bucket.below().plant(&Key::read(&key).unwrap(), &bytes);
        }
        bucket.below().set_now(9 * DAY);
        bucket.below().plant(&Key::checkpoint(3, &name(104)), b"bytes");
        let chosen = Some(Chosen { at: place, fault: *fault, for_good: false });
        bucket.follow(Plan { chosen, ..Plan::default() });
        let failed = tidy(&home, &bucket, &manifest(104)).is_err();
        assert_eq!(failed, bucket.failed() == 1);
        bucket.follow(Plan::default());
        tidy(&home, &bucket, &manifest(104)).unwrap();
        let there = keys(bucket.below());
        assert!(stays.iter().all(|key| there.contains(key.as_str())));
        assert!(!there.contains(Key::checkpoint(1, &name(3)).as_str()));
        if !failed {
            assert!(place > 100, "only {place} operations were tried");
            return;
        }
    }
    panic!("it never went through");
}
