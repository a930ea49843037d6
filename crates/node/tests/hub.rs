//! Hubs: whoever stops, dies or sleeps at whichever step, manifests are one line, and nothing is lost.

#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

mod support;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use cocli_core::Instant;
use cocli_core::bucket::lease::{Lease, Watch};
use cocli_core::bucket::{Bucket, Created, Failure, Key, Listed, Manifest};
use cocli_node::durable::fake::{Chosen, Fault, Faulty, MemoryBucket, Plan};
use cocli_node::durable::hub::Claim;
use cocli_node::durable::{Durable, Round, Source, Which, clone};
use cocli_node::{Home, Result};

const URL: &str = "memory:";
/// Microseconds.
const TIME_TO_LIVE: u64 = 300_000;

fn at(micros: u64) -> Instant {
    Instant::from_micros(support::START + i64::try_from(micros).unwrap()).unwrap()
}

fn home(dir: &tempfile::TempDir, name: &str) -> Home {
    support::home(dir.path(), name, at(0))
}

fn write(home: &Home, micros: u64, target: &str) {
    support::write_city(home, at(micros), target, "Paris");
}

/// A hub that waits for the lease as long as it must, its clock moving on meanwhile.
fn once(home: &Home, bucket: &dyn Bucket, boot: u64, clock: &AtomicU64) -> Result<Round> {
    let now = || clock.load(Ordering::SeqCst);
    let time = || (now(), at(now()));
    let mut watch = Watch::default();
    let mut durable = Durable::open(home, bucket, URL, true)?.unwrap();
    loop {
        match durable.claim_lease(&mut watch, boot, TIME_TO_LIVE, &time)? {
            Claim::Wait(wait) => drop(clock.fetch_add(wait, Ordering::SeqCst)),
            Claim::Held(mut term) => {
                let round = durable.round(&mut term, "test", &time)?;
                durable.release(term)?;
                return Ok(round);
            }
        }
    }
}

fn manifests(bucket: &MemoryBucket) -> Vec<Manifest> {
    let contents = bucket.contents();
    let packed = (1u64..).map_while(|n| contents.get(Key::manifest(n).as_str()));
    packed.map(|packed| Manifest::read(&zstd::decode_all(&packed[..]).unwrap()).unwrap()).collect()
}

/// One line of manifests, whose generations never fall, and each of whose files is there.
fn is_linear(bucket: &MemoryBucket) {
    let (all, contents) = (manifests(bucket), bucket.contents());
    assert_eq!(contents.keys().filter(|key| key.starts_with("manifest/")).count(), all.len());
    for two in all.windows(2) {
        assert!(two[0].generation <= two[1].generation);
    }
    for (place, manifest) in all.iter().enumerate() {
        assert_eq!(manifest.n, place as u64 + 1);
        for (name, generation) in &manifest.files {
            let key = Key::checkpoint(*generation, name);
            assert!(contents.contains_key(key.as_str()), "{key}");
        }
    }
}

/// Who came too late put no tables under the number that the next manifest gives them.
fn no_tables_stand_where_none_were_published(bucket: &MemoryBucket) {
    let newest = manifests(bucket).len() as u64;
    let next = Key::snapshot(newest + 1, "companies", "part-0.parquet");
    assert!(!bucket.contents().contains_key(next.as_str()), "{next}");
}

/// Who begins with the newest manifest, and reads the objects behind it, knows all that these homes know.
fn nothing_is_lost(bucket: &MemoryBucket, homes: &[&Home]) {
    let dir = tempfile::tempdir().unwrap();
    let birth = support::birth("fresh");
    let watch = |_, _, _| ();
    let source = Source { bucket, url: URL, missing_is_denied: false, watch: &watch };
    let (fresh, cloned) = clone(dir.path(), &birth, support::rim(), source, at(0)).unwrap();
    assert_eq!(cloned.manifest.map(|(n, ..)| n), manifests(bucket).last().map(|last| last.n));
    assert_eq!((cloned.waiting, cloned.damaged), (0, Vec::new()));
    let there = fresh.state().unwrap();
    for home in homes {
        for (target, entity) in home.state().unwrap().entities() {
            let known = there.entity(target).unwrap_or_else(|| panic!("{target} is lost"));
            for (field, entry) in &entity.fields {
                assert!(known.fields.get(field) >= Some(entry), "{target} {field} is lost");
            }
        }
    }
}

/// Lets something else happen before one of its operations.
struct Pausing<'a> {
    below: &'a dyn Bucket,
    left: AtomicU64,
    act: Mutex<Option<Box<dyn FnOnce() + Send + 'a>>>,
}

impl<'a> Pausing<'a> {
    fn new(below: &'a dyn Bucket, place: u64, act: impl FnOnce() + Send + 'a) -> Self {
        let act = Mutex::new(Some(Box::new(act) as Box<dyn FnOnce() + Send + 'a>));
        Self { below, left: AtomicU64::new(place), act }
    }

    fn was_reached(&self) -> bool {
        self.act.lock().unwrap().is_none()
    }

    fn count(&self) -> &dyn Bucket {
        if self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            let act = self.act.lock().unwrap().take();
            act.unwrap()();
        }
        self.below
    }
}

impl Bucket for Pausing<'_> {
    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, Failure> {
        self.count().get(key)
    }

    fn create(&self, key: &Key, bytes: &[u8]) -> Result<Created, Failure> {
        self.count().create(key, bytes)
    }

    fn replace(&self, key: &Key, bytes: &[u8]) -> Result<(), Failure> {
        self.count().replace(key, bytes)
    }

    fn list(&self, folder: &Key) -> Result<Vec<Listed>, Failure> {
        self.count().list(folder)
    }

    fn folders(&self, folder: &Key) -> Result<Vec<String>, Failure> {
        self.count().folders(folder)
    }

    fn remove(&self, keys: &[Key]) -> Result<(), Failure> {
        self.count().remove(keys)
    }
}

/// Two hubs with something to say each, and a bucket that one has published to once.
struct Scene {
    dirs: [tempfile::TempDir; 2],
    bucket: MemoryBucket,
    clock: AtomicU64,
}

impl Scene {
    fn begin() -> (Self, Home, Home) {
        let dirs = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let scene = Self { dirs, bucket: MemoryBucket::new(), clock: AtomicU64::new(1) };
        let (one, two) = (home(&scene.dirs[0], "one"), home(&scene.dirs[1], "two"));
        write(&one, 1, "companies/first");
        once(&one, &scene.bucket, 11, &scene.clock).unwrap();
        write(&one, 2, "companies/acme");
        write(&two, 3, "companies/bolt");
        (scene, one, two)
    }
}

#[test]
fn a_round_publishes_what_is_new_and_a_second_nothing() {
    let (scene, one, two) = Scene::begin();
    let round = once(&two, &scene.bucket, 22, &scene.clock).unwrap();
    let manifest = round.manifest.unwrap();
    assert_eq!((manifest.hub.as_str(), manifest.generation), ("two", 2));
    assert!(round.files > 0 && round.rows > 0);
    let again = once(&two, &scene.bucket, 23, &scene.clock).unwrap();
    assert_eq!((again.manifest, again.files), (None, 0));
    let last = once(&one, &scene.bucket, 24, &scene.clock).unwrap().manifest.unwrap();
    // Of what did not change nothing is there twice.
    assert!(last.files.values().any(|generation| *generation < last.generation));
    is_linear(&scene.bucket);
    nothing_is_lost(&scene.bucket, &[&one, &two]);
    let snapshots = scene.bucket.contents();
    assert!(snapshots.contains_key("snapshot/2/companies/part-0.parquet"));
}

#[test]
fn a_hub_that_sleeps_at_any_step_while_another_takes_over_publishes_nothing_after_it() {
    // The second time it is told at first that nothing of what the other created is there, but for the last manifest.
    for stale_gets in [0, 1] {
        let mut refused = 0;
        for place in 1.. {
            let (scene, one, two) = Scene::begin();
            let Scene { bucket, clock, .. } = &scene;
            let late = Faulty::new(bucket.clone(), Plan::default());
            let sleeper = Pausing::new(&late, place, || {
                clock.fetch_add(2 * TIME_TO_LIVE, Ordering::SeqCst);
                once(&two, bucket, 22, clock).unwrap();
                late.get(&Key::manifest(manifests(bucket).len() as u64)).unwrap();
                late.follow(Plan { stale_gets, ..Plan::default() });
            });
            let woke = once(&one, &sleeper, 12, clock);
            let reached = sleeper.was_reached();
            is_linear(bucket);
            no_tables_stand_where_none_were_published(bucket);
            if let Err(error) = &woke {
                let superseded = error.to_string().contains("is the hub by now");
                assert!(superseded || stale_gets > 0, "{place}: {error}");
                refused += u32::from(superseded);
            }
            once(&two, bucket, 23, clock).unwrap();
            once(&one, bucket, 24, clock).unwrap();
            is_linear(bucket);
            nothing_is_lost(bucket, &[&one, &two]);
            if !reached {
                assert!(place > 15, "only {place} steps");
                break;
            }
        }
        assert!(refused > 5, "{refused}");
    }
}

#[test]
fn a_hub_that_dies_at_any_step_is_followed_within_its_time_to_live() {
    for fault in [Fault::Lost] {
        for place in 1.. {
            let (scene, one, two) = Scene::begin();
            let dying = Faulty::new(scene.bucket.clone(), Plan::default());
            let chosen = Chosen { at: place, fault, for_good: true };
            dying.follow(Plan { chosen: Some(chosen), ..Plan::default() });
            let died = once(&one, &dying, 12, &scene.clock);
            let before = scene.clock.load(Ordering::SeqCst);
            once(&two, &scene.bucket, 22, &scene.clock).unwrap();
            let waited = scene.clock.load(Ordering::SeqCst) - before;
            assert!(waited <= TIME_TO_LIVE, "{place}: {waited}");
            once(&one, &scene.bucket, 24, &scene.clock).unwrap();
            is_linear(&scene.bucket);
            nothing_is_lost(&scene.bucket, &[&one, &two]);
            if died.is_ok() {
                assert!(place > 15, "only {place} steps");
                break;
            }
        }
    }
}

#[test]
fn an_operation_that_fails_once_stops_a_round_and_not_the_next() {
    for fault in [Fault::Lost, Fault::Denied] {
        for place in 1.. {
            let (scene, one, two) = Scene::begin();
            let once_bad = Faulty::new(scene.bucket.clone(), Plan::default());
            let chosen = Chosen { at: place, fault, for_good: false };
            once_bad.follow(Plan { chosen: Some(chosen), ..Plan::default() });
            let _ = once(&one, &once_bad, 12, &scene.clock);
            let failed = once_bad.failed() > 0;
            once_bad.follow(Plan::default());
            once(&one, &once_bad, 12, &scene.clock).unwrap();
            once(&two, &scene.bucket, 22, &scene.clock).unwrap();
            is_linear(&scene.bucket);
            nothing_is_lost(&scene.bucket, &[&one, &two]);
            if !failed {
                break;
            }
        }
    }
}

#[test]
fn a_garbled_lease_is_held_for_its_time_and_one_that_a_person_took_away_is_free() {
    let (scene, one, two) = Scene::begin();
    scene.bucket.plant(&Key::lease(1), b"what is this?");
    let before = scene.clock.load(Ordering::SeqCst);
    once(&two, &scene.bucket, 22, &scene.clock).unwrap();
    assert_eq!(scene.clock.load(Ordering::SeqCst) - before, TIME_TO_LIVE);
    assert!(scene.bucket.lose(&Key::lease(2)));
    once(&one, &scene.bucket, 24, &scene.clock).unwrap();
    is_linear(&scene.bucket);
    nothing_is_lost(&scene.bucket, &[&one, &two]);
}

#[test]
fn the_clock_of_the_holder_decides_nothing() {
    let (scene, one, two) = Scene::begin();
    let owner = one.node().clone();
    for until in ["1971-01-01T00:00:00Z", "8999-01-01T00:00:00Z"] {
        let newest = manifests(&scene.bucket).last().unwrap().generation;
        let there = (1u64..).take_while(|n| scene.bucket.get(&Key::lease(*n)).unwrap().is_some());
        let next = there.last().unwrap_or(newest) + 1;
        let lease =
            Lease { owner: owner.clone(), boot: 1, held: true, serial: 1, until: until.to_owned() };
        scene.bucket.plant(&Key::lease(next), &lease.text());
        let before = scene.clock.load(Ordering::SeqCst);
        once(&two, &scene.bucket, next, &scene.clock).unwrap();
        assert_eq!(scene.clock.load(Ordering::SeqCst) - before, TIME_TO_LIVE);
    }
}

#[test]
fn what_is_damaged_here_is_not_published() {
    let (scene, one, _) = Scene::begin();
    support::compact(&one, at(5));
    let folder = scene.dirs[0].path().join("checkpoint");
    for file in std::fs::read_dir(folder).unwrap().map(|file| file.unwrap()) {
        let name = file.file_name().into_string().unwrap();
        if name.ends_with(".usv") && !name.starts_with("odd") {
            let mut bytes = std::fs::read(file.path()).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            std::fs::write(file.path(), bytes).unwrap();
        }
    }
    let before = manifests(&scene.bucket).len();
    let error = once(&one, &scene.bucket, 31, &scene.clock).unwrap_err();
    assert!(error.to_string().contains("damaged"), "{error}");
    // The fence is no new state.
    let after = manifests(&scene.bucket);
    assert!(after[before..].iter().all(|fence| fence.checkpoint == after[before - 1].checkpoint));
}

#[test]
fn a_push_of_everything_comes_before_what_covers_it() {
    let (scene, one, _) = Scene::begin();
    let round = once(&one, &scene.bucket, 31, &scene.clock).unwrap();
    assert!(round.pushed.objects > 0);
    let mut durable = Durable::open(&one, &scene.bucket, URL, true).unwrap().unwrap();
    let nothing = durable.push(&Which::All, at(9)).unwrap();
    assert_eq!(nothing.objects, 0);
}
