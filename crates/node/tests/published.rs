//! What a hub published stands for all that was acknowledged before: whoever begins with it lacks nothing.

#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

mod support;

use std::cell::Cell;

use cocli_core::bucket::lease::Watch;
use cocli_core::bucket::{Bucket, Key, Manifest};
use cocli_core::{Field, Instant, Target, Value};
use cocli_node::durable::fake::MemoryBucket;
use cocli_node::durable::hub::{Claim, Term};
use cocli_node::durable::{Durable, Round, Source, Which, clone};
use cocli_node::{Home, Result};
use support::at;

const URL: &str = "memory:";
/// Microseconds.
const TIME_TO_LIVE: u64 = 300_000;

fn home(dir: &tempfile::TempDir, name: &str) -> Home {
    support::home(dir.path(), name, at(0))
}

fn write(home: &Home, second: i64, target: &str, city: &str) {
    support::write_city(home, at(second), target, city);
}

fn city(home: &Home, target: &str) -> Option<String> {
    home.text(&Target::read(target).unwrap(), "city").unwrap()
}

fn durable<'h>(home: &'h Home, bucket: &'h dyn Bucket) -> Durable<'h> {
    Durable::open(home, bucket, URL, true).unwrap().unwrap()
}

/// Takes the lease, however long it has to wait.
fn term(durable: &mut Durable<'_>) -> Term {
    let (mut watch, now) = (Watch::default(), Cell::new(0));
    loop {
        match durable.claim_lease(&mut watch, 1, TIME_TO_LIVE, &|| (now.get(), at(0))).unwrap() {
            Claim::Wait(wait) => now.set(now.get() + wait),
            Claim::Held(term) => return term,
        }
    }
}

fn round(home: &Home, bucket: &dyn Bucket) -> Result<Round> {
    round_at(home, bucket, at(1000))
}

fn round_at(home: &Home, bucket: &dyn Bucket, wall: Instant) -> Result<Round> {
    let mut durable = durable(home, bucket);
    let mut term = term(&mut durable);
    let round = durable.round(&mut term, "test", &|| (0, wall));
    durable.release(term).unwrap();
    round
}

fn push(home: &Home, bucket: &dyn Bucket) {
    durable(home, bucket).push(&Which::All, at(1000)).unwrap();
}

fn newest(bucket: &MemoryBucket) -> Manifest {
    let contents = bucket.contents();
    let packed = (1u64..).map_while(|n| contents.get(Key::manifest(n).as_str()));
    Manifest::read(&zstd::decode_all(&packed.last().unwrap()[..]).unwrap()).unwrap()
}

/// A home that begins with the newest manifest.
fn cloned(dir: &tempfile::TempDir, bucket: &MemoryBucket) -> Home {
    let watch = |_, _, _| ();
    let source = Source { bucket, url: URL, missing_is_denied: false, watch: &watch };
    clone(dir.path(), &support::birth("fresh"), support::rim(), source, at(2000)).unwrap().0
}

fn dirs<const N: usize>() -> [tempfile::TempDir; N] {
    [(); N].map(|()| tempfile::tempdir().unwrap())
}

#[test]
fn what_expires_is_at_whoever_begins_with_a_later_manifest() {
    for years in -1..=1 {
        what_expires_is_there(at(years * 365 * 24 * 3600));
    }
}

fn what_expires_is_there(clock_of_the_hub: Instant) {
    let dirs = dirs::<3>();
    let (one, two) = (home(&dirs[0], "one"), home(&dirs[1], "two"));
    let bucket = MemoryBucket::new();
    let task = Target::read("campaigns/spring/queues/mails").unwrap();
    let values = [(task.clone(), Field::read("left").unwrap(), Value::text("7"))];
    one.session(at(1)).unwrap().record_expiring("enqueue", &values).unwrap();
    write(&one, 2, "companies/acme", "Paris");
    push(&one, &bucket);
    round(&two, &bucket).unwrap();
    write(&one, 3, "companies/bolt", "Lyon");
    push(&one, &bucket);
    round_at(&two, &bucket, clock_of_the_hub).unwrap();
    let fresh = cloned(&dirs[2], &bucket);
    assert_eq!(city(&fresh, "companies/bolt").as_deref(), Some("Lyon"));
    assert_eq!(two.text(&task, "left").unwrap().as_deref(), Some("7"));
    assert_eq!(fresh.text(&task, "left").unwrap().as_deref(), Some("7"));
}

#[test]
fn a_hub_that_cannot_read_all_that_was_published_does_not_publish_less() {
    let dirs = dirs::<4>();
    let [one, two, late] = [0, 1, 2].map(|n| home(&dirs[n], ["one", "two", "late"][n]));
    let bucket = MemoryBucket::new();
    write(&one, 1, "companies/acme", "Paris");
    push(&one, &bucket);
    round(&two, &bucket).unwrap();
    // What is there of the first days is lost, and nobody who holds it comes any more.
    bucket.plant(&Key::object(one.node(), 1), b"rot");
    write(&late, 2, "companies/bolt", "Lyon");
    let before = newest(&bucket);
    for _ in 0..5 {
        let _ = round(&late, &bucket);
    }
    let fresh = cloned(&dirs[3], &bucket);
    assert_eq!(city(&fresh, "companies/acme").as_deref(), Some("Paris"));
    assert!(newest(&bucket).n > before.n);
    assert_eq!(city(&fresh, "companies/bolt").as_deref(), Some("Lyon"));
}

#[test]
fn two_rounds_of_one_term_make_two_snapshots() {
    let dirs = dirs::<1>();
    let one = home(&dirs[0], "one");
    let bucket = MemoryBucket::new();
    let mut durable = durable(&one, &bucket);
    let mut term = term(&mut durable);
    let mut snapshots = Vec::new();
    for n in 0..2 {
        write(&one, n, &format!("companies/acme-{n}"), "Paris");
        durable.round(&mut term, "test", &|| (0, at(1000))).unwrap();
        let number = newest(&bucket).snapshot.unwrap();
        let key = Key::snapshot(number, "companies", "part-0.parquet");
        snapshots.push(bucket.contents()[key.as_str()].clone());
    }
    assert_ne!(snapshots[0], snapshots[1]);
}

#[test]
fn tables_that_stand_there_already_are_never_part_of_another_snapshot() {
    for (tables, begun_again) in [(1, 1), (3, 3)] {
        let dirs = dirs::<1>();
        let one = home(&dirs[0], "one");
        let bucket = MemoryBucket::new();
        write(&one, 1, "companies/acme", "Paris");
        // The first manifest is the fence.
        for n in 2..2 + tables {
            bucket.plant(&Key::snapshot(n, "people", "part-0.parquet"), b"of another state");
        }
        let manifest = round(&one, &bucket).unwrap().manifest.unwrap();
        assert_eq!((manifest.n, manifest.snapshot), (2 + begun_again, Some(2 + begun_again)));
        for table in ["companies", "people"] {
            let key = Key::snapshot(2 + begun_again, table, "part-0.parquet");
            assert!(bucket.contents()[key.as_str()].starts_with(b"PAR1"), "{key}");
        }
    }
}

#[test]
fn a_table_whose_answer_was_lost_is_the_one_that_was_to_stand_there() {
    let dirs = dirs::<2>();
    let key = Key::snapshot(2, "companies", "part-0.parquet");
    let mut before: Option<Vec<u8>> = None;
    for dir in &dirs {
        let one = home(dir, "one");
        let bucket = MemoryBucket::new();
        write(&one, 1, "companies/acme", "Paris");
        before.iter().for_each(|bytes| bucket.plant(&key, bytes));
        assert_eq!(round(&one, &bucket).unwrap().manifest.unwrap().snapshot, Some(2));
        before = bucket.contents().remove(key.as_str());
    }
}

#[test]
fn a_hub_that_finds_tables_under_every_number_publishes_nothing_and_says_so() {
    let dirs = dirs::<1>();
    let one = home(&dirs[0], "one");
    let bucket = MemoryBucket::new();
    write(&one, 1, "companies/acme", "Paris");
    for n in 2..100 {
        bucket.plant(&Key::snapshot(n, "companies", "part-0.parquet"), b"of another state");
    }
    let error = round(&one, &bucket).unwrap_err().to_string();
    assert!(error.contains("snapshot/"), "{error}");
    assert!(newest(&bucket).checkpoint.is_none() && newest(&bucket).n < 20);
}
