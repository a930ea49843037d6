//! Homes that meet at a bucket: what one wrote is at the others, whatever failed in between.

#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use cocli_core::bucket::{Bucket, Key};
use cocli_core::{NodeId, Target};
use cocli_node::durable::fake::{Chosen, Fault, Faulty, MemoryBucket, Plan};
use cocli_node::durable::{Durable, Pulled, Pushed, Reach, Which};
use cocli_node::{Home, NodeError, Result};
use proptest::prelude::*;
use support::at;

const URL: &str = "memory:";

fn home(dir: &tempfile::TempDir, name: &str) -> Home {
    support::home(dir.path(), name, at(0))
}

fn write(home: &Home, second: i64, target: &str, city: &str) {
    support::write_city(home, at(second), target, city);
}

fn push(home: &Home, bucket: &dyn Bucket, which: &Which) -> Result<Pushed> {
    Durable::open(home, bucket, URL, true)?.unwrap().push(which, at(1000))
}

fn pull(home: &Home, bucket: &dyn Bucket) -> Result<Pulled> {
    let mut durable = Durable::open(home, bucket, URL, true)?.unwrap();
    durable.meet(true)?;
    let all = durable.seen().writers();
    durable.pull(&all, Reach::All, at(1000))
}

fn sync(home: &Home, bucket: &dyn Bucket) -> Result<()> {
    pull(home, bucket)?;
    push(home, bucket, &Which::All)?;
    Ok(())
}

fn same(homes: &[&Home]) {
    let digest = |home: &Home| home.state().unwrap().digest();
    for other in &homes[1..] {
        assert_eq!(journals(homes[0]), journals(other));
        assert_eq!(digest(homes[0]), digest(other));
    }
}

/// All journals, byte by byte.
fn journals(home: &Home) -> BTreeMap<String, String> {
    let files = std::fs::read_dir(home.path().join("wal")).unwrap().map(|file| file.unwrap());
    let text = |file: &std::fs::DirEntry| std::fs::read_to_string(file.path()).unwrap();
    files.map(|file| (file.file_name().into_string().unwrap(), text(&file))).collect()
}

fn city(home: &Home, target: &str) -> Option<String> {
    home.text(&Target::read(target).unwrap(), "city").unwrap()
}

#[test]
fn what_one_wrote_is_at_the_other_and_nothing_is_asked_twice() {
    let dirs = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let (one, two) = (home(&dirs[0], "one"), home(&dirs[1], "two"));
    let bucket = MemoryBucket::new();
    write(&one, 1, "companies/acme", "Paris");
    let pushed = push(&one, &bucket, &Which::Own(BTreeSet::new())).unwrap();
    assert_eq!((pushed.objects, pushed.met.objects), (1, 0));
    assert_eq!(push(&one, &bucket, &Which::All).unwrap(), Pushed::default());
    sync(&two, &bucket).unwrap();
    pull(&one, &bucket).unwrap();
    assert_eq!(city(&two, "companies/acme").as_deref(), Some("Paris"));
    same(&[&one, &two]);
    let before = bucket.asked();
    let mut durable = Durable::open(&two, &bucket, URL, true).unwrap().unwrap();
    durable.push(&Which::All, at(1000)).unwrap();
    let others = durable.seen().others(two.node());
    durable.pull(&others, Reach::New, at(1000)).unwrap();
    let after = bucket.asked();
    assert_eq!((after.get - before.get, after.create, after.list), (1, before.create, 0));
}

#[test]
fn a_node_that_sees_both_carries_what_one_lacks_to_the_other() {
    let dirs = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let [one, both, far] = [0, 1, 2].map(|n| home(&dirs[n], ["one", "both", "far"][n]));
    let (near, bucket) = (MemoryBucket::new(), MemoryBucket::new());
    write(&one, 1, "companies/acme", "Paris");
    write(&far, 1, "companies/bolt", "Lyon");
    for _ in 0..2 {
        // What is near stands for gossip: it brings the same bytes into the same journals.
        sync(&one, &near).unwrap();
        sync(&both, &near).unwrap();
        std::fs::rename(
            dirs[1].path().join(".cocli/bucket.json"),
            dirs[1].path().join("near.json"),
        )
        .unwrap();
        sync(&both, &bucket).unwrap();
        std::fs::rename(
            dirs[1].path().join("near.json"),
            dirs[1].path().join(".cocli/bucket.json"),
        )
        .unwrap();
        sync(&far, &bucket).unwrap();
        std::fs::remove_file(dirs[1].path().join(".cocli/bucket.json")).unwrap();
        sync(&both, &bucket).unwrap();
        std::fs::remove_file(dirs[1].path().join(".cocli/bucket.json")).unwrap();
        sync(&both, &near).unwrap();
        sync(&one, &near).unwrap();
    }
    same(&[&one, &both, &far]);
}

#[test]
fn another_cluster_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let one = home(&dir, "one");
    let bucket = MemoryBucket::new();
    bucket.plant(&Key::cluster(), b"00112233445566778899aabbccddeeff\n");
    let error = push(&one, &bucket, &Which::All).unwrap_err();
    assert!(error.to_string().contains("of another cluster"), "{error}");
    assert_eq!(bucket.contents().len(), 1);
}

#[test]
fn a_damaged_object_is_named_passed_over_and_uploaded_by_whoever_holds_it() {
    let dirs = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let [one, two, three] = [0, 1, 2].map(|n| home(&dirs[n], ["one", "two", "three"][n]));
    let bucket = MemoryBucket::new();
    write(&one, 1, "companies/acme", "Paris");
    sync(&one, &bucket).unwrap();
    pull(&two, &bucket).unwrap();
    write(&one, 2, "companies/acme", "Lyon");
    push(&one, &bucket, &Which::All).unwrap();
    let first = Key::object(one.node(), 1);
    let mut bytes = bucket.contents()[first.as_str()].clone();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    bucket.plant(&first, &bytes);
    let tries: Vec<Pulled> = (0..3).map(|_| pull(&three, &bucket).unwrap()).collect();
    let told: Vec<&String> = tries.iter().flat_map(|pulled| &pulled.notices).collect();
    assert!(told.len() == 1 && told[0].contains("wal/one/1"), "{told:?}");
    assert_eq!(city(&three, "companies/acme"), None);
    // Its reader does not know better than that the bucket lacks it; so does the next who comes.
    std::fs::remove_file(dirs[1].path().join(".cocli/bucket.json")).unwrap();
    (0..3).for_each(|_| sync(&two, &bucket).unwrap());
    pull(&three, &bucket).unwrap();
    pull(&one, &bucket).unwrap();
    pull(&three, &bucket).unwrap();
    assert_eq!(city(&three, "companies/acme").as_deref(), Some("Lyon"));
}

/// A home and its copy, as when a card is cloned or an old backup comes back.
fn copy(from: &tempfile::TempDir) -> tempfile::TempDir {
    let to = tempfile::tempdir().unwrap();
    let files =
        [from.path().join(".cocli"), from.path().join("wal"), from.path().join("checkpoint")];
    for folder in files.iter().filter(|folder| folder.exists()) {
        let status = std::process::Command::new("cp").arg("-a").arg(folder).arg(to.path()).status();
        assert!(status.unwrap().success());
    }
    to
}

#[test]
fn a_home_restored_from_an_old_backup_and_its_lost_writes_are_all_in_the_state() {
    let dir = tempfile::tempdir().unwrap();
    let other_dir = tempfile::tempdir().unwrap();
    let (one, other) = (home(&dir, "one"), home(&other_dir, "other"));
    let bucket = MemoryBucket::new();
    for n in 0..50 {
        write(&one, n, &format!("companies/old-{n}"), "Paris");
    }
    sync(&one, &bucket).unwrap();
    let backup = copy(&dir);
    for n in 50..100 {
        write(&one, n, &format!("companies/lost-{n}"), "Lyon");
    }
    sync(&one, &bucket).unwrap();
    let restored = Home::open(backup.path(), support::rim()).unwrap();
    for n in 100..150 {
        write(&restored, n, &format!("companies/new-{n}"), "Metz");
    }
    for _ in 0..3 {
        sync(&restored, &bucket).unwrap();
        sync(&other, &bucket).unwrap();
    }
    same(&[&restored, &other]);
    for (n, name, is) in [(3, "old", "Paris"), (60, "lost", "Lyon"), (120, "new", "Metz")] {
        assert_eq!(city(&other, &format!("companies/{name}-{n}")).as_deref(), Some(is));
    }
}

#[test]
fn two_clones_under_one_name_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let third_dir = tempfile::tempdir().unwrap();
    let (one, third) = (home(&dir, "one"), home(&third_dir, "third"));
    let bucket = MemoryBucket::new();
    write(&one, 0, "companies/common", "Paris");
    sync(&one, &bucket).unwrap();
    let clone_dir = copy(&dir);
    // It is on the same machine, so only the folder's number tells it from the first.
    let clone = Home::open(clone_dir.path(), support::rim()).unwrap();
    for n in 0..30 {
        write(&one, 10 + n, &format!("companies/one-{n}"), "Lyon");
        write(&clone, 10 + n, &format!("companies/clone-{n}"), "Metz");
        if n % 7 == 0 {
            sync(&one, &bucket).unwrap();
            sync(&clone, &bucket).unwrap();
        }
    }
    for _ in 0..4 {
        for home in [&one, &clone, &third] {
            sync(home, &bucket).unwrap();
        }
    }
    same(&[&one, &clone, &third]);
    for n in 0..30 {
        assert_eq!(city(&third, &format!("companies/one-{n}")).as_deref(), Some("Lyon"));
        assert_eq!(city(&third, &format!("companies/clone-{n}")).as_deref(), Some("Metz"));
    }
}

/// Whatever operation fails, once or for good, what was written is at the other once it works again.
#[test]
fn every_operation_may_fail_and_nothing_is_lost_or_uploaded_twice() {
    for fault in [Fault::Away, Fault::Lost, Fault::Denied] {
        for place in 1..90 {
            let dirs = [(); 2].map(|()| tempfile::tempdir().unwrap());
            let (one, two) = (home(&dirs[0], "one"), home(&dirs[1], "two"));
            let bucket = Faulty::new(MemoryBucket::new(), Plan::default());
            let chosen = Chosen { at: place, fault, for_good: place % 2 == 0 };
            bucket.follow(Plan { chosen: Some(chosen), ..Plan::default() });
            for n in 0..3 {
                write(&one, n, &format!("companies/a-{n}"), "Paris");
                write(&two, n, &format!("companies/b-{n}"), "Lyon");
                for home in [&one, &two] {
                    if let Err(error) = sync(home, &bucket) {
                        assert!(matches!(error, NodeError::Bucket(_)), "{error}");
                    }
                }
            }
            bucket.follow(Plan::default());
            for home in [&one, &two, &one, &two] {
                sync(home, &bucket).unwrap();
            }
            same(&[&one, &two]);
            no_byte_stands_twice(bucket.below(), fault);
            if bucket.failed() == 0 {
                assert!(place > 40, "only {place} operations were tried");
                break;
            }
        }
    }
}

/// Of a log in its own node's folder each byte stands in one object.
fn no_byte_stands_twice(bucket: &MemoryBucket, fault: Fault) {
    let mut starts = BTreeMap::new();
    for (key, bytes) in bucket.contents().into_iter().filter(|(key, _)| key.starts_with("wal/")) {
        let text = zstd::decode_all(&bytes[..]).unwrap();
        let list = String::from_utf8_lossy(&text).into_owned();
        for line in list.lines().skip(1).take_while(|line| !line.is_empty()) {
            let words: Vec<&str> = line.split(' ').collect();
            let place = (words[0].to_owned(), words[2].to_owned());
            let before = starts.insert(place, key.clone());
            assert_eq!(before, None, "{fault:?}: {line}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Three homes, in any order of writes, pushes and pulls, over a bucket that fails a third of the time and
    /// shows what is new late.
    #[test]
    fn any_order_of_writes_pushes_and_pulls_ends_in_one_state(
        steps in proptest::collection::vec((0usize..3, 0u8..4, 0u8..6), 1..40),
        seed in any::<u64>(),
    ) {
        let dirs = [(); 3].map(|()| tempfile::tempdir().unwrap());
        let homes = [0, 1, 2].map(|n| home(&dirs[n], ["one", "two", "three"][n]));
        let store = MemoryBucket::new();
        let plan = Plan { seed, away: 15, lost: 15, stale_gets: 1, stale_lists: 2, ..Plan::default() };
        let buckets = [0, 1, 2].map(|n| Faulty::new(store.clone(), Plan { seed: seed ^ n, ..plan }));
        for (second, (who, what, which)) in steps.into_iter().enumerate() {
            let (home, bucket) = (&homes[who], &buckets[who]);
            match what {
                0 | 1 => write(home, i64::try_from(second).unwrap(), &format!("companies/c-{which}"), &format!("{who}-{second}")),
                2 => drop(push(home, bucket, &Which::All)),
                _ => drop(pull(home, bucket)),
            }
        }
        buckets.iter().for_each(|bucket| bucket.follow(Plan::default()));
        for _ in 0..2 {
            for (home, bucket) in homes.iter().zip(&buckets) {
                sync(home, bucket).unwrap();
            }
        }
        same(&[&homes[0], &homes[1], &homes[2]]);
    }
}

#[test]
fn names_are_registered_once_each_and_found_without_a_listing() {
    let dirs = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let homes = [0, 1, 2].map(|n| home(&dirs[n], ["one", "two", "three"][n]));
    let bucket = MemoryBucket::new();
    for round in 0..3 {
        for home in &homes {
            let mut durable = Durable::open(home, &bucket, URL, true).unwrap().unwrap();
            durable.meet(false).unwrap();
            if round > 0 {
                assert_eq!(durable.seen().others(home.node()).len(), 2, "{}", home.node());
            }
        }
    }
    let keys: Vec<String> = bucket.contents().into_keys().collect();
    assert_eq!(keys, ["cluster", "nodes/1", "nodes/2", "nodes/3"]);
    assert_eq!(bucket.asked().folders, 0);
    assert!(NodeId::read("one").is_ok());
}
