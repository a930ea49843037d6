//! The mirror in the bucket shows the cards as a home has them, whatever failed in between.

#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use cocli_core::bucket::{Bucket, Key};
use cocli_core::{Field, Target, Value};
use cocli_node::change::{Change, Intent};
use cocli_node::durable::fake::{Chosen, Fault, Faulty, MemoryBucket, Plan};
use cocli_node::durable::hub::Upkeep;
use cocli_node::durable::{Durable, Mirrored};
use cocli_node::{Birth, Home, NodeError, Result};
use support::at;

const URL: &str = "memory:";
const KEPT: &str = ".cocli/mirror.usv";
const DAY_S: i64 = 24 * 3600;

/// A home that keeps cards.
fn home(dir: &tempfile::TempDir, name: &str) -> Home {
    let birth = Birth { cards: true, ..support::birth(name) };
    Home::create(dir.path(), &birth, support::rim(), at(0)).unwrap()
}

fn set(home: &Home, second: i64, target: &str, field: &str, value: Value) {
    let target = Target::read(target).unwrap();
    let change = Change::new(target, Field::read(field).unwrap(), Intent::Put(value));
    let mut session = home.session(at(second)).unwrap();
    let written = session.write("set", &[change], false).unwrap();
    assert!(written.refused.is_empty());
    session.place().unwrap();
}

fn city(home: &Home, second: i64, target: &str, city: &str) {
    set(home, second, target, "city", Value::text(city));
}

fn remove(home: &Home, second: i64, target: &str) {
    set(home, second, target, "_deleted", Value::truth());
}

fn mirror(home: &Home, bucket: &dyn Bucket, budget: usize, mend: bool) -> Result<Mirrored> {
    Durable::open(home, bucket, URL, true)?.unwrap().mirror(budget, mend, at(1000))
}

/// What a hub does behind its round.
fn look_after(home: &Home, bucket: &dyn Bucket, second: i64) -> Result<Upkeep> {
    Durable::open(home, bucket, URL, true)?.unwrap().look_after(false, at(second))
}

fn came(put: usize, removed: usize, waiting: usize) -> Mirrored {
    Mirrored { put, removed, waiting, notice: None }
}

/// The cards on the disk, by path.
fn cards(home: &Home) -> BTreeMap<String, Vec<u8>> {
    let mut cards = BTreeMap::new();
    for folder in ["companies", "people"] {
        for target in fs::read_dir(home.path().join(folder)).unwrap() {
            for file in fs::read_dir(target.unwrap().path()).unwrap() {
                let path = file.unwrap().path();
                let name = path.strip_prefix(home.path()).unwrap().to_str().unwrap().to_owned();
                if Path::new(&name).extension().is_some_and(|ending| ending == "md") {
                    cards.insert(name, fs::read(path).unwrap());
                }
            }
        }
    }
    cards
}

/// The mirror in a bucket, by path.
fn mirrored(bucket: &MemoryBucket) -> BTreeMap<String, Vec<u8>> {
    let mut all = bucket.contents();
    all.retain(|key, _| key.starts_with("companies/") || key.starts_with("people/"));
    all
}

fn some(home: &Home) {
    city(home, 1, "companies/acme", "Paris");
    set(home, 2, "companies/acme", "tags", Value::json(&serde_json::json!(["b", "a: 'x'"])));
    set(home, 3, "companies/acme", "description", Value::text("Two\n\n# lines\n"));
    city(home, 4, "companies/acme-2", "Lyon");
    city(home, 5, "companies/acme/notes/2026", "not a card of its own");
    set(home, 6, "people/ada", "_file", Value::text("Ada Lovelace"));
    set(home, 7, "people/ada", "email", Value::text("ada@example.com"));
    set(home, 8, "people/bob", "name", Value::text("Bob: the \"second\""));
    set(home, 9, "campaigns/spring", "name", Value::text("Spring"));
}

#[test]
fn the_mirror_holds_the_cards_as_they_are_on_the_disk_and_each_is_put_once() {
    let dir = tempfile::tempdir().unwrap();
    let (home, bucket) = (home(&dir, "one"), MemoryBucket::new());
    some(&home);
    assert_eq!(mirror(&home, &bucket, 100, false).unwrap(), came(4, 0, 0));
    assert_eq!(mirrored(&bucket), cards(&home));
    assert_eq!(bucket.contents().len(), 5);
    let kept = fs::read(dir.path().join(KEPT)).unwrap();
    for mend in [false, true] {
        assert_eq!(mirror(&home, &bucket, 100, mend).unwrap(), came(0, 0, 0));
    }
    assert_eq!(fs::read(dir.path().join(KEPT)).unwrap(), kept);
    city(&home, 20, "companies/acme", "Metz");
    city(&home, 21, "companies/acme", "Nice");
    assert_eq!(mirror(&home, &bucket, 100, false).unwrap(), came(1, 0, 0));
    assert_eq!(mirrored(&bucket), cards(&home));
    let asked = bucket.asked();
    assert_eq!((asked.replace, asked.list, asked.remove), (5, 2, 0));
    assert_eq!(String::from_utf8(kept).unwrap().lines().count(), 1 + 4);
}

#[test]
fn what_is_compacted_is_mirrored_too() {
    let dir = tempfile::tempdir().unwrap();
    let (home, bucket) = (home(&dir, "one"), MemoryBucket::new());
    for n in 0..700 {
        let target = Target::read(&format!("companies/c-{n}")).unwrap();
        let put = Intent::Put(Value::text(&format!("City {n}")));
        let change = Change::new(target, Field::read("city").unwrap(), put);
        home.session(at(n)).unwrap().write("set", &[change], false).unwrap();
    }
    support::compact(&home, at(900));
    home.session(at(901)).unwrap().place_all().unwrap();
    city(&home, 902, "companies/c-7", "Elsewhere");
    assert_eq!(mirror(&home, &bucket, 600, false).unwrap(), came(600, 0, 100));
    assert_eq!(mirror(&home, &bucket, 600, false).unwrap(), came(100, 0, 0));
    assert_eq!(mirrored(&bucket), cards(&home));
}

#[test]
fn no_more_are_put_than_the_budget_allows_and_the_longest_waiting_first() {
    let dir = tempfile::tempdir().unwrap();
    let (home, bucket) = (home(&dir, "one"), MemoryBucket::new());
    for (second, slug) in [(1, "c"), (2, "a"), (3, "b")] {
        city(&home, second, &format!("companies/{slug}"), "Paris");
        let mut durable = Durable::open(&home, &bucket, URL, true).unwrap().unwrap();
        let waiting = usize::try_from(second).unwrap();
        assert_eq!(durable.mirror(0, false, at(second)).unwrap(), came(0, 0, waiting));
    }
    // That it changes again does not put it behind others.
    city(&home, 4, "companies/c", "Lyon");
    for (slugs, waiting) in [("c", 2), ("ac", 1), ("abc", 0)] {
        assert_eq!(mirror(&home, &bucket, 1, false).unwrap(), came(1, 0, waiting));
        let there: String = mirrored(&bucket).keys().map(|key| &key[10..11]).collect();
        assert_eq!(there, slugs);
    }
    assert_eq!(mirrored(&bucket), cards(&home));
}

#[test]
fn cards_of_what_was_removed_go_and_come_back_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let (home, bucket) = (home(&dir, "one"), MemoryBucket::new());
    some(&home);
    mirror(&home, &bucket, 100, false).unwrap();
    remove(&home, 20, "companies/acme");
    remove(&home, 21, "people/ada");
    assert_eq!(mirror(&home, &bucket, 0, false).unwrap(), came(0, 2, 0));
    assert_eq!(mirrored(&bucket), cards(&home));
    assert_eq!((mirrored(&bucket).len(), bucket.asked().remove), (2, 1));
    set(&home, 22, "companies/acme", "_deleted", Value::null());
    assert_eq!(mirror(&home, &bucket, 100, false).unwrap(), came(1, 0, 0));
    assert_eq!(mirrored(&bucket), cards(&home));
    // A person's card under another name leaves none behind.
    set(&home, 23, "people/bob", "_file", Value::text("Bob"));
    assert_eq!(mirror(&home, &bucket, 100, false).unwrap(), came(1, 1, 0));
    assert!(mirrored(&bucket).contains_key("people/bob/Bob.md"));
    assert_eq!(mirrored(&bucket).len(), 3);
}

#[test]
fn what_a_person_deleted_or_changed_in_size_is_put_back_and_what_they_added_stays() {
    let dir = tempfile::tempdir().unwrap();
    let (home, bucket) = (home(&dir, "one"), MemoryBucket::new());
    some(&home);
    mirror(&home, &bucket, 100, false).unwrap();
    assert!(bucket.lose(&Key::mirror("companies/acme/_index.md")));
    bucket.plant(&Key::mirror("people/bob/bob.md"), b"mine");
    bucket.plant(&Key::mirror("people/bob/other.md"), b"mine");
    assert_eq!(mirror(&home, &bucket, 100, false).unwrap(), came(0, 0, 0));
    assert_eq!(mirror(&home, &bucket, 1, true).unwrap(), came(1, 0, 1));
    // What waits is known, without another listing.
    assert_eq!(mirror(&home, &bucket, 1, false).unwrap(), came(1, 0, 0));
    assert!(bucket.lose(&Key::mirror("people/bob/other.md")));
    assert_eq!(mirrored(&bucket), cards(&home));
}

#[test]
fn a_hub_that_takes_over_removes_what_another_left_and_a_listing_may_be_forbidden() {
    let dirs = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let (one, two) = (home(&dirs[0], "one"), home(&dirs[1], "two"));
    let bucket = Faulty::new(MemoryBucket::new(), Plan::default());
    for home in [&one, &two] {
        some(home);
    }
    mirror(&one, &bucket, 100, false).unwrap();
    remove(&two, 20, "companies/acme");
    bucket.follow(Plan {
        chosen: Some(Chosen { at: 3, fault: Fault::Denied, for_good: false }),
        ..Plan::default()
    });
    // Before it are a look at whose bucket it is, and how that answers for what is not there.
    assert_eq!(mirror(&two, &bucket, 0, true).unwrap(), came(0, 0, 3));
    assert_eq!(bucket.failed(), 1);
    assert_eq!(mirror(&two, &bucket, 0, true).unwrap(), came(0, 1, 3));
    assert_eq!(mirror(&two, &bucket, 9, true).unwrap(), came(3, 0, 0));
    assert_eq!(mirrored(bucket.below()), cards(&two));
}

#[test]
fn of_another_bucket_nothing_is_known() {
    let dir = tempfile::tempdir().unwrap();
    let (home, bucket) = (home(&dir, "one"), MemoryBucket::new());
    some(&home);
    mirror(&home, &MemoryBucket::new(), 100, false).unwrap();
    let mut durable = Durable::open(&home, &bucket, "memory:other", true).unwrap().unwrap();
    assert_eq!(durable.mirror(100, false, at(1)).unwrap(), came(4, 0, 0));
    assert_eq!(mirrored(&bucket), cards(&home));
    drop(durable);
    fs::write(dir.path().join(KEPT), b"\xff damaged").unwrap();
    assert_eq!(mirror(&home, &bucket, 100, false).unwrap(), came(4, 0, 0));
}

/// Whatever operation fails, once or for good, the mirror is whole once it works again.
#[test]
fn every_operation_may_fail_and_the_next_time_it_is_complete() {
    let dir = tempfile::tempdir().unwrap();
    let (home, first) = (home(&dir, "one"), MemoryBucket::new());
    some(&home);
    mirror(&home, &first, 100, false).unwrap();
    let kept = fs::read(dir.path().join(KEPT)).unwrap();
    city(&home, 20, "companies/acme", "Metz");
    remove(&home, 21, "people/ada");
    city(&home, 22, "companies/new", "Nice");
    city(&home, 23, "companies/acme-2", "Lille");
    for fault in [Fault::Away, Fault::Lost, Fault::Denied] {
        for place in 1.. {
            fs::write(dir.path().join(KEPT), &kept).unwrap();
            let bucket = Faulty::new(MemoryBucket::new(), Plan::default());
            for (key, bytes) in first.contents() {
                bucket.below().plant(&Key::read(&key).unwrap(), &bytes);
            }
            let chosen = Some(Chosen { at: place, fault, for_good: place % 2 == 0 });
            bucket.follow(Plan { chosen, ..Plan::default() });
            if let Err(error) = mirror(&home, &bucket, 100, true) {
                assert!(matches!(error, NodeError::Bucket(_)), "{error}");
            }
            bucket.follow(Plan::default());
            mirror(&home, &bucket, 100, false).unwrap();
            assert_eq!(mirrored(bucket.below()), cards(&home), "{fault:?} at {place}");
            if bucket.failed() == 0 {
                assert!(place > 6, "only {place} operations were tried");
                break;
            }
        }
    }
}

/// A put whose answer was lost stands there, though what it put is no longer wanted.
#[test]
fn what_is_as_it_was_before_a_lost_answer_is_put_again() {
    let dir = tempfile::tempdir().unwrap();
    let home = home(&dir, "one");
    let bucket = Faulty::new(MemoryBucket::new(), Plan::default());
    some(&home);
    mirror(&home, &bucket, 100, false).unwrap();
    city(&home, 20, "companies/acme", "Metz");
    let chosen = Some(Chosen { at: 1, fault: Fault::Lost, for_good: false });
    bucket.follow(Plan { chosen, ..Plan::default() });
    mirror(&home, &bucket, 100, false).unwrap_err();
    city(&home, 21, "companies/acme", "Paris");
    bucket.follow(Plan::default());
    assert_eq!(mirror(&home, &bucket, 100, false).unwrap(), came(1, 0, 0));
    assert_eq!(mirrored(bucket.below()), cards(&home));
}

/// A home of a hub with so many companies, and a bucket that it has been at.
fn many(dir: &tempfile::TempDir, companies: u32, settings: &str) -> (Home, Faulty<MemoryBucket>) {
    drop(support::home(dir.path(), "one", at(0)));
    fs::write(dir.path().join(".cocli/config.toml"), settings).unwrap();
    let home = Home::open(dir.path(), support::rim()).unwrap();
    let company = |n| {
        let target = Target::read(&format!("companies/c-{n}")).unwrap();
        Change::new(target, Field::read("city").unwrap(), Intent::Put(Value::text("Paris")))
    };
    let changes: Vec<Change> = (0..companies).map(company).collect();
    home.session(at(1)).unwrap().write("set", &changes, false).unwrap();
    let bucket = Faulty::new(MemoryBucket::new(), Plan::default());
    drop(Durable::open(&home, &bucket, URL, true).unwrap());
    (home, bucket)
}

#[test]
fn a_mirror_that_breaks_off_again_and_again_puts_no_more_than_a_days_cards() {
    for (often, broken_at, tries) in [("daily", 1500, 5), ("hourly", 50, 60)] {
        let dir = tempfile::tempdir().unwrap();
        let (home, bucket) = many(&dir, 3000, &format!("[bucket]\nmirror = \"{often}\"\n"));
        for second in (0..tries).map(|n| 10 + 20 * n) {
            let chosen = Some(Chosen { at: broken_at, fault: Fault::Away, for_good: false });
            bucket.follow(Plan { chosen, ..Plan::default() });
            let _ = look_after(&home, &bucket, second);
        }
        let put = bucket.below().asked().replace;
        assert!((1000..=2000).contains(&put), "{often}: {put}");
        bucket.follow(Plan::default());
        let mirrored = look_after(&home, &bucket, 10 + DAY_S).unwrap().mirrored;
        assert!(mirrored.put > 0, "{often}: {mirrored:?}");
    }
}

#[test]
fn what_cannot_be_removed_is_told_and_tried_a_day_later_and_no_card_is_put_again() {
    let dir = tempfile::tempdir().unwrap();
    let (home, bucket) = (home(&dir, "one"), MemoryBucket::new());
    some(&home);
    bucket.plant(&Key::manifest(1), b"rot");
    let upkeep = look_after(&home, &bucket, 10).unwrap();
    assert_eq!(upkeep.mirrored, came(4, 0, 0));
    assert_eq!(upkeep.notices.len(), 1, "{upkeep:?}");
    assert!(upkeep.notices[0].contains("manifest/1"), "{upkeep:?}");
    let asked = bucket.asked();
    city(&home, 20, "companies/acme", "Metz");
    for second in [30, 50, DAY_S] {
        assert_eq!(look_after(&home, &bucket, second).unwrap(), Upkeep::default());
    }
    assert_eq!(bucket.asked(), asked);
    bucket.lose(&Key::manifest(1));
    let mirrored = came(1, 0, 0);
    let expected = Upkeep { mirrored, ..Upkeep::default() };
    assert_eq!(look_after(&home, &bucket, 10 + DAY_S).unwrap(), expected);
}

#[test]
fn a_mirror_that_the_bucket_refuses_is_told_and_what_a_disk_refuses_fails() {
    let dir = tempfile::tempdir().unwrap();
    let home = home(&dir, "one");
    some(&home);
    let bucket = Faulty::new(MemoryBucket::new(), Plan::default());
    drop(Durable::open(&home, &bucket, URL, true).unwrap());
    // Its listing, for which nothing has to wait.
    let chosen = |at| Some(Chosen { at, fault: Fault::Away, for_good: false });
    bucket.follow(Plan { chosen: chosen(1), ..Plan::default() });
    let upkeep = look_after(&home, &bucket, 10).unwrap();
    assert_eq!((&upkeep.mirrored, upkeep.notices.len()), (&came(4, 0, 0), 1));
    assert!(upkeep.notices[0].contains("list companies/"), "{upkeep:?}");
    // A card: the next round goes on with it.
    city(&home, 20, "companies/acme", "Metz");
    bucket.follow(Plan { chosen: chosen(3), ..Plan::default() });
    let upkeep = look_after(&home, &bucket, 10 + DAY_S).unwrap();
    assert_eq!((upkeep.mirrored, upkeep.notices.len()), (came(0, 0, 0), 1));
    let upkeep = look_after(&home, &bucket, 30 + DAY_S).unwrap();
    assert_eq!((upkeep.mirrored, upkeep.notices.len()), (came(1, 0, 0), 0));
    assert_eq!(mirrored(bucket.below()), cards(&home));
    fs::remove_file(dir.path().join(KEPT)).unwrap();
    fs::create_dir(dir.path().join(KEPT)).unwrap();
    let error = look_after(&home, &bucket, 10 + 3 * DAY_S).unwrap_err();
    assert!(matches!(error, NodeError::Store(_)), "{error}");
}
