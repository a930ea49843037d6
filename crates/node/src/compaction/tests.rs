#![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cocli_core::{
    Causality, Datagram, Entry, Field, Head, LogId, NodeId, Stamp, Target, Value, usv,
};
use cocli_store::disk::{Held, Stat};
use cocli_store::{Disk, FileKind, RealDisk, paths};

use super::*;
use crate::support::{home, rim};

fn now() -> Instant {
    Instant::from_micros(1_795_435_200_000_000).unwrap()
}

fn journal(node: &str) -> String {
    paths::journal(&LogId::read(node).unwrap(), now().day())
}

/// The city of a company, by a node that saw none.
fn comes(path: &Path, node: &str, company: &str, city: &str) {
    let stamp = Stamp { instant: now(), node: NodeId::written(node).unwrap() };
    let entry = Entry { stamp, value: Value::text(city), causality: Causality::nothing() };
    let target = Target::read(&format!("companies/{company}")).unwrap();
    let mut record = Vec::new();
    usv::write(&Datagram { target, field: Field::read("city").unwrap(), entry }, &mut record);
    let journal = path.join(journal(node));
    let before = std::fs::read(&journal).unwrap_or_default();
    std::fs::write(journal, [before, record].concat()).unwrap();
}

/// All that came, as what is durable.
fn known(home: &Home) -> Vector {
    known_of(home, &["attic", "barn"])
}

fn known_of(home: &Home, nodes: &[&str]) -> Vector {
    let mut known = Vector::default();
    for node in nodes {
        let bytes = std::fs::read(home.path().join(journal(node))).unwrap_or_default();
        let log = LogId::read(node).unwrap();
        let mut head = Head::start(&home.cluster(), &log);
        for record in bytes.split_inclusive(|byte| *byte == usv::RS) {
            head.hash = head.hash.over(now().day(), record);
            head.position += record.len() as u64;
        }
        known.0.insert(log, head);
    }
    known.0.retain(|_, head| head.position > 0);
    known
}

/// A disk where somebody else comes in before the n-th time that a file is read, or locked.
struct Shared {
    disk: RealDisk,
    done: AtomicUsize,
    at: usize,
    comes_in: Box<dyn Fn() + Send + Sync>,
}

impl Shared {
    fn real(&self) -> &RealDisk {
        if self.done.fetch_add(1, Ordering::Relaxed) == self.at {
            (self.comes_in)();
        }
        &self.disk
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shared")
    }
}

impl Disk for Shared {
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        self.real().read(path)
    }
    fn read_at(&self, path: &str, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        self.disk.read_at(path, offset, len)
    }
    fn stat(&self, path: &str) -> io::Result<Option<Stat>> {
        self.disk.stat(path)
    }
    fn list(&self, folder: &str) -> io::Result<Vec<(String, FileKind)>> {
        self.disk.list(folder)
    }
    fn write_at(&self, path: &str, offset: u64, bytes: &[u8], private: bool) -> io::Result<()> {
        self.disk.write_at(path, offset, bytes, private)
    }
    fn cut(&self, path: &str, len: u64) -> io::Result<()> {
        self.disk.cut(path, len)
    }
    fn sync(&self, path: &str) -> io::Result<()> {
        self.disk.sync(path)
    }
    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        self.disk.sync_folder(folder)
    }
    fn sync_all(&self) -> io::Result<()> {
        self.disk.sync_all()
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)
    }
    fn exchange(&self, a: &str, b: &str) -> io::Result<()> {
        self.disk.exchange(a, b)
    }
    fn rename_new(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename_new(from, to)
    }
    fn remove(&self, path: &str) -> io::Result<()> {
        self.disk.remove(path)
    }
    fn remove_folder(&self, folder: &str) -> io::Result<()> {
        self.disk.remove_folder(folder)
    }
    fn make_folder(&self, folder: &str) -> io::Result<()> {
        self.disk.make_folder(folder)
    }
    fn pause(&self, time: std::time::Duration) {
        self.disk.pause(time);
    }
    fn lock(&self, path: &str, wait: bool) -> io::Result<Option<Held>> {
        self.real().lock(path, wait)
    }
}

/// Of the lost value that comes before a compaction reads or locks for the n-th time: how many are counted
/// afterwards. And how often it did.
fn counted_after(at: usize) -> (Option<usize>, usize) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_path_buf();
    let other = home(&path, "n", now());
    comes(&path, "attic", "acme", "Oslo");
    let merge = |home: &Home| home.merge_beside(None, &known(home), true, now());
    assert!(matches!(merge(&other).unwrap(), Beside::Merged(_)));
    comes(&path, "attic", "bolt", "Rome");
    let known = known(&other);
    let comes_in = {
        let path = path.clone();
        Box::new(move || {
            comes(&path, "barn", "acme", "Bern");
            merge(&other).unwrap();
        })
    };
    let disk = RealDisk::open(&path).unwrap();
    let shared = Arc::new(Shared { disk, done: AtomicUsize::new(0), at, comes_in });
    let here = Home::over(shared.clone(), &path, rim()).unwrap();
    here.merge_beside(None, &known, true, now()).unwrap();
    let done = shared.done.load(Ordering::Relaxed);
    let counted = here.losses().unwrap().map(|losses| losses.fields);
    assert_eq!(here.conflicts(None).unwrap().len(), usize::from(at < done));
    (counted, done)
}

#[test]
fn what_a_compaction_notes_goes_with_its_own_checkpoint_whatever_others_merge_meanwhile() {
    let (counted, done) = counted_after(usize::MAX);
    assert_eq!(counted, Some(0));
    for at in 0..done {
        let (counted, _) = counted_after(at);
        assert_eq!(counted, Some(1), "{at} of {done}");
    }
}

#[test]
fn what_only_a_checkpoint_of_other_rules_holds_of_the_own_log_comes_back_into_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_path_buf();
    let here = home(&path, "n", now());
    comes(&path, "n", "acme", "Oslo");
    let (journal, manifest) = (path.join(journal("n")), path.join(paths::manifest(None)));
    let backup = std::fs::read(&journal).unwrap();
    comes(&path, "n", "bolt", "Rome");
    let merge = || here.merge_beside(None, &known_of(&here, &["n"]), true, now());
    assert!(matches!(merge().unwrap(), Beside::Merged(_)));
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, text.replace("\"rules\":1", "\"rules\":0")).unwrap();
    std::fs::write(&journal, backup).unwrap();
    std::fs::remove_dir_all(path.join(paths::MARKS)).unwrap();
    assert!(matches!(merge().unwrap(), Beside::Merged(_)));
    assert!(std::fs::read_to_string(&journal).unwrap().contains("Rome"));
    let target = Target::read("companies/bolt").unwrap();
    let bolt = |reader: &Reader| reader.entity(&target);
    assert!(here.read(bolt).unwrap().fields.contains_key(&Field::read("city").unwrap()));
}

#[test]
fn a_join_is_told_whatever_becomes_of_the_months_behind_it() {
    let joined = Compacted { joined: true, ..Compacted::default() };
    let rebuilt = Compacted { rebuilt: 2, ..Compacted::default() };
    for other in [Beside::Little, Beside::Busy, Beside::Changed, Beside::Merged(rebuilt)] {
        let Beside::Merged(both) = Beside::Merged(joined).and(other) else { panic!("{other:?}") };
        assert!(both.joined, "{other:?}");
    }
    let both = Beside::Merged(joined).and(Beside::Merged(rebuilt));
    assert_eq!(both, Beside::Merged(Compacted { rebuilt: 2, ..joined }));
    assert_eq!(Beside::Merged(rebuilt).and(Beside::Busy), Beside::Busy);
}
