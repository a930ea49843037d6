//! For tests: nodes on disks in memory that write, upload and publish as a hub does.
#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cocli_core::bucket::manifest::{name_of, name_of_odd};
use cocli_core::bucket::{Bucket, Key, Manifest};
use cocli_core::digest::hash;
use cocli_core::{ClusterId, Epoch, Field, Instant, NodeId, SortedFile, Target, Value};
use cocli_store::checkpoint::{Wanted, odd_behind, piece, told};
use cocli_store::{Disk, FakeDisk, Reader, paths};

use super::packed::pack;
use super::{Durable, Reach, Which};
use crate::change::{Change, Intent};
use crate::home::{Birth, Home, Membership, Rim, first_config};
use crate::support::compact;

pub(super) const URL: &str = "memory:";

pub(super) fn at(second: i64) -> Instant {
    Instant::from_micros(1_795_435_200_000_000 + second * 1_000_000).unwrap()
}

pub(super) fn birth(node: &str, cluster: u8) -> Birth {
    Birth {
        node: NodeId::written(node).unwrap(),
        membership: Membership {
            cluster: ClusterId([cluster; 16]),
            keys: Vec::new(),
            peers: Vec::new(),
        },
        identity: vec![0; 32],
        identity_public: "00".into(),
        cards: true,
        maybe_known: false,
    }
}

/// No two epochs are the same, as where they are drawn.
pub(super) fn rim() -> Rim {
    static DRAWN: AtomicU64 = AtomicU64::new(1);
    let epoch = || Epoch::from_random(DRAWN.fetch_add(1, Ordering::Relaxed).to_le_bytes());
    Rim { machine: "m".into(), epoch }
}

/// A disk with the folder that a home begins in.
pub(super) fn disk() -> FakeDisk {
    let disk = FakeDisk::new();
    disk.make_folder(paths::OWN).unwrap();
    disk
}

/// A home of the cluster of sevens.
pub(super) fn node(name: &str) -> Home {
    node_on(&disk(), name)
}

/// The same on a disk that is at hand.
pub(super) fn node_on(disk: &FakeDisk, name: &str) -> Home {
    let birth = birth(name, 7);
    let config = first_config(&birth);
    Home::lay_out(Arc::new(disk.clone()), Path::new(name), &birth, (rim(), config)).unwrap()
}

pub(super) fn set(home: &Home, target: &str, field: &str, value: &str, now: Instant) {
    let (target, field) = (Target::read(target).unwrap(), Field::read(field).unwrap());
    let change = Change::new(target, field, Intent::Put(Value::text(value)));
    home.session(now).unwrap().write("set", &[change], true).unwrap();
}

pub(super) fn durable<'h>(home: &'h Home, bucket: &'h dyn Bucket) -> Durable<'h> {
    Durable::open(home, bucket, URL, true).unwrap().unwrap()
}

pub(super) fn push(home: &Home, bucket: &dyn Bucket, now: Instant) {
    let mut durable = durable(home, bucket);
    durable.meet(true).unwrap();
    durable.push(&Which::All, now).unwrap();
}

pub(super) fn pull(home: &Home, bucket: &dyn Bucket, now: Instant) {
    let mut durable = durable(home, bucket);
    durable.meet(true).unwrap();
    let nodes = durable.seen().next.keys().cloned().collect();
    durable.pull(&nodes, Reach::All, now).unwrap();
}

/// Reads all, uploads all, compacts, and publishes that.
pub(super) fn publish(home: &Home, bucket: &dyn Bucket, n: u64, now: Instant) -> Manifest {
    pull(home, bucket, now);
    push(home, bucket, now);
    compact(home, now);
    let disk = home.disk.clone();
    let text = told(&mut home.journals().unwrap()).unwrap().map(|told| told.text);
    let mut manifest = Manifest {
        cluster: home.cluster(),
        n,
        generation: 1,
        hub: home.node().clone(),
        at: now.to_string(),
        checkpoint: text.as_ref().map(|text| String::from_utf8(text.clone()).unwrap()),
        files: BTreeMap::new(),
        odd: None,
        objects: BTreeMap::new(),
        again: BTreeSet::new(),
        ends: BTreeMap::new(),
        nodes: 1,
        snapshot: None,
    };
    for file in text.iter().flat_map(|text| files(text)) {
        let lines = piece(&*disk, file, 0, usize::MAX / 8).unwrap().unwrap();
        bucket.create(&Key::checkpoint(1, &name_of(file)), &pack(&lines).unwrap()).unwrap();
        manifest.files.insert(name_of(file), 1);
    }
    let odd = odd_behind(&*disk, None, usize::MAX / 8).unwrap();
    if !odd.is_empty() {
        let name = name_of_odd(hash(&odd));
        bucket.create(&Key::checkpoint(1, &name), &pack(&odd).unwrap()).unwrap();
        manifest.odd = Some((name, 1));
    }
    let durable = durable(home, bucket);
    (manifest.objects, manifest.again) = (durable.seen().next.clone(), durable.seen().unsettled());
    bucket.create(&Key::manifest(n), &pack(&manifest.text()).unwrap()).unwrap();
    manifest
}

/// The files that a manifest names: all that is wanted of it, asked for by who has nothing.
fn files(text: &[u8]) -> Vec<SortedFile> {
    let incoming = cocli_store::checkpoint::Incoming::begin(Arc::new(disk()), text);
    let mut incoming = incoming.unwrap().unwrap();
    let lacking = incoming.lacking().unwrap();
    let first = incoming.wanted().unwrap();
    assert_eq!(
        lacking.first().map(|(file, _)| Wanted::Lines(*file, 0)).or(Some(Wanted::Odd(None))),
        first
    );
    lacking.into_iter().map(|(file, _)| file).collect()
}

/// Plants a manifest in place of the one that stands there.
pub(super) fn replant(bucket: &super::fake::MemoryBucket, manifest: &Manifest) {
    bucket.plant(&Key::manifest(manifest.n), &pack(&manifest.text()).unwrap());
}

/// What tells one state from another.
pub(super) fn digest(home: &Home) -> String {
    home.read(Reader::digest).unwrap().to_string()
}
