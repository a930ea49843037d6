//! A disk in memory that keeps apart what programs see and what a power cut leaves, and fails on
//! purpose. It is harsher than file systems are: each name and each sector that was not synced may
//! or may not survive, and what a failed sync covered never becomes durable.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

mod image;
mod ops;

use image::{Inode, NameOp, Seed};

/// What an operation that was told to fail does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// An I/O error; a write leaves a part behind, what a sync covered is lost at the next power cut.
    Error,
    /// The file may not be opened: nothing happens to it.
    Denied,
    /// No room; a write leaves a part behind. Other operations go on.
    NoSpace,
    /// The power goes: this and every later operation fails until [`FakeDisk::crash`].
    Crash,
}

/// How often an operation that was told to fail fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    /// That one only.
    Once,
    /// That one and every one after it.
    ForGood,
}

/// A disk in memory. A clone is another handle to the same disk.
#[derive(Clone, Default)]
pub struct FakeDisk(Arc<Mutex<Image>>);

impl std::fmt::Debug for FakeDisk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FakeDisk")
    }
}

#[derive(Debug, Default)]
struct Image {
    inodes: BTreeMap<u64, Inode>,
    /// The names as programs see them.
    live: BTreeMap<String, u64>,
    /// The names as they stand on the medium.
    durable: BTreeMap<String, u64>,
    /// Changes of names not yet on the medium, in order.
    pending: Vec<NameOp>,
    folders: BTreeSet<String>,
    locked: BTreeSet<String>,
    next_inode: u64,
    clock: i64,
    /// When a name came or went last, in whichever folder: each counts as changed then.
    renamed_ns: i64,
    ops: u64,
    bytes_read: u64,
    fault: Option<(u64, Fault, Times)>,
    crashed: bool,
    exchanges: bool,
    trace: Option<Vec<String>>,
    /// Bytes that the medium cannot read.
    spoilt: BTreeMap<String, Range<u64>>,
    /// What somebody else will save, and before which operation.
    saves: Vec<(u64, Save)>,
    /// Files of which the rest is still to come: before which operation, which file, and the whole of it.
    unfinished: Vec<(u64, u64, Vec<u8>)>,
    /// What stood where somebody else saved, of each save that was.
    saved: Vec<(Save, Option<Vec<u8>>)>,
}

/// What somebody else saves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Save {
    /// Where.
    pub path: String,
    /// What.
    pub bytes: Vec<u8>,
    /// As editors do that write beside and rename; else in place.
    pub renamed: bool,
    /// In place in two writes: the second comes so many operations later, or as soon as somebody waits for
    /// it. It goes to the same file, whatever that is called by then.
    pub slow: Option<u64>,
}

/// What is left of an operation once the fault was looked at.
enum Verdict {
    Go,
    Fail(io::ErrorKind),
    Crash,
}

const DOWN: &str = "the power is off";

impl Image {
    /// Counts an operation and says what becomes of it. Reads are counted too, but never run out of
    /// space.
    fn count(&mut self, what: &str, path: &str, takes_space: bool) -> io::Result<Verdict> {
        if self.crashed {
            return Err(io::Error::other(DOWN));
        }
        self.ops += 1;
        let now = self.ops;
        self.clock += 1_000;
        self.end_saves(now);
        for (_, save) in self.saves.extract_if(.., |(at, _)| *at <= now).collect::<Vec<_>>() {
            self.save(save);
        }
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{now} {what} {path}"));
        }
        let Some((at, fault, times)) = self.fault else { return Ok(Verdict::Go) };
        if now < at || (now > at && times == Times::Once) {
            return Ok(Verdict::Go);
        }
        Ok(match fault {
            Fault::Error => Verdict::Fail(io::ErrorKind::Other),
            Fault::Denied => Verdict::Fail(io::ErrorKind::PermissionDenied),
            Fault::NoSpace if takes_space => Verdict::Fail(io::ErrorKind::StorageFull),
            Fault::NoSpace => Verdict::Go,
            Fault::Crash => {
                self.crashed = true;
                Verdict::Crash
            }
        })
    }

    /// Fails as a medium with bad sectors does.
    fn legible(&self, path: &str, from: u64, len: u64) -> io::Result<()> {
        match self.spoilt.get(path) {
            Some(bad) if bad.start < from.saturating_add(len) && from < bad.end => {
                Err(io::Error::from_raw_os_error(5))
            }
            _ => Ok(()),
        }
    }

    /// For operations that happen or do not.
    fn step(&mut self, what: &str, path: &str, takes_space: bool) -> io::Result<()> {
        match self.count(what, path, takes_space)? {
            Verdict::Go => Ok(()),
            Verdict::Fail(kind) => Err(kind.into()),
            Verdict::Crash => Err(io::Error::other(DOWN)),
        }
    }

    fn inode(&self, path: &str) -> io::Result<&Inode> {
        if self.folders.contains(path) {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let id = self.live.get(path).ok_or(io::ErrorKind::NotFound)?;
        self.inodes.get(id).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn inode_mut(&mut self, path: &str) -> io::Result<&mut Inode> {
        self.inode(path)?;
        let id = self.live.get(path).copied().unwrap_or_default();
        let inode = self.inodes.get_mut(&id).ok_or(io::ErrorKind::NotFound)?;
        inode.modified_ns = self.clock;
        Ok(inode)
    }

    fn make_file(&mut self, path: &str) -> io::Result<()> {
        if self.live.contains_key(path) {
            return Ok(());
        }
        let folder = crate::paths::folder(path);
        if !folder.is_empty() && !self.folders.contains(folder) {
            return Err(io::ErrorKind::NotFound.into());
        }
        if self.folders.contains(path) {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        self.next_inode += 1;
        let id = self.next_inode;
        self.inodes.insert(id, Inode::default());
        self.change(NameOp::Put { path: path.to_owned(), id, gone: None });
        Ok(())
    }

    fn change(&mut self, op: NameOp) {
        self.renamed_ns = self.clock;
        op.apply(&mut self.live);
        self.pending.push(op);
    }

    /// Somebody else's save is on the medium at once, and what was done to the name before it, too.
    fn save(&mut self, save: Save) {
        self.clock += 1_000;
        self.renamed_ns = self.clock;
        let (before, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.pending).into_iter().partition(|op| op.touches(&save.path));
        self.pending = later;
        for op in before {
            op.apply(&mut self.durable);
        }
        let there = self.live.get(&save.path).copied();
        let old = there.and_then(|id| self.inodes.get(&id)).map(|inode| inode.live.clone());
        let id = there.filter(|_| !save.renamed).unwrap_or(self.next_inode + 1);
        self.next_inode = self.next_inode.max(id);
        self.unfinished.retain(|(_, file, _)| *file != id);
        let first = match save.slow.filter(|_| !save.renamed) {
            None => &save.bytes[..],
            Some(later) => {
                self.unfinished.push((self.ops + later, id, save.bytes.clone()));
                &save.bytes[..save.bytes.len() * 19 / 20]
            }
        };
        self.inodes.insert(id, Inode::durable(first, self.clock));
        for names in [&mut self.live, &mut self.durable] {
            names.insert(save.path.clone(), id);
        }
        self.saved.push((save, old));
    }

    /// The second write of what was to be saved by now.
    fn end_saves(&mut self, now: u64) {
        for (_, id, bytes) in self.unfinished.extract_if(.., |(at, ..)| *at <= now) {
            self.inodes.insert(id, Inode::durable(&bytes, self.clock));
        }
    }

    /// What the medium holds after a power cut.
    fn cut_power(&mut self, seed: u64) {
        let mut seed = Seed::new(seed);
        for op in std::mem::take(&mut self.pending) {
            if seed.coin() {
                op.apply(&mut self.durable);
            }
        }
        self.live = self.durable.clone();
        self.clock += 1_000;
        self.renamed_ns = self.clock;
        let alive: BTreeSet<u64> = self.live.values().copied().collect();
        self.inodes.retain(|id, _| alive.contains(id));
        for inode in self.inodes.values_mut() {
            inode.cut_power(&mut seed);
        }
        self.restart();
    }

    fn restart(&mut self) {
        self.locked.clear();
        self.fault = None;
        self.crashed = false;
    }
}

impl FakeDisk {
    /// An empty disk that can exchange names.
    #[must_use]
    pub fn new() -> Self {
        let disk = Self::default();
        disk.image().exchanges = true;
        disk
    }

    fn image(&self) -> MutexGuard<'_, Image> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Operations so far, reads among them.
    #[must_use]
    pub fn ops(&self) -> u64 {
        self.image().ops
    }

    /// Bytes that were read so far.
    #[must_use]
    pub fn bytes_read(&self) -> u64 {
        self.image().bytes_read
    }

    /// Lets the `k`-th operation from now on (the next one is 1) fail.
    pub fn fail_at(&self, k: u64, fault: Fault, times: Times) {
        let mut image = self.image();
        image.fault = Some((image.ops + k, fault, times));
    }

    /// No operation fails any more.
    pub fn heal(&self) {
        self.image().fault = None;
    }

    /// The power goes and comes back: names and bytes that were not synced may be gone, torn or
    /// mixed with what stood there before, as `seed` chooses. Locks are free again.
    pub fn crash(&self, seed: u64) {
        self.image().cut_power(seed);
    }

    /// The process dies: everything written stays. Locks are free again.
    pub fn kill(&self) {
        self.image().restart();
    }

    /// Sets the clock that files are marked with, in nanoseconds since 1970; each operation moves it on.
    pub fn set_clock(&self, nanoseconds: i64) {
        self.image().clock = nanoseconds;
    }

    /// Whether two names can be swapped in one step; they can, unless told otherwise.
    pub fn set_exchanges(&self, can: bool) {
        self.image().exchanges = can;
    }

    /// Notes every operation from now on; [`Self::trace`] gives them.
    pub fn start_trace(&self) {
        self.image().trace = Some(Vec::new());
    }

    /// The operations noted.
    #[must_use]
    pub fn trace(&self) -> Vec<String> {
        self.image().trace.clone().unwrap_or_default()
    }

    /// A disk of its own with the same content, as a cloned card has.
    #[must_use]
    pub fn copy(&self) -> Self {
        let image = self.image();
        Self(Arc::new(Mutex::new(Image {
            inodes: image.inodes.clone(),
            live: image.live.clone(),
            durable: image.durable.clone(),
            pending: image.pending.clone(),
            folders: image.folders.clone(),
            locked: BTreeSet::new(),
            next_inode: image.next_inode,
            clock: image.clock,
            renamed_ns: image.renamed_ns,
            ops: 0,
            bytes_read: 0,
            fault: None,
            crashed: false,
            exchanges: image.exchanges,
            trace: None,
            spoilt: image.spoilt.clone(),
            saves: Vec::new(),
            unfinished: image.unfinished.clone(),
            saved: Vec::new(),
        })))
    }

    /// A disk of its own with what stands on the medium alone: what no power cut can take.
    #[must_use]
    pub fn medium(&self) -> Self {
        let copy = self.copy();
        {
            let mut image = copy.image();
            image.pending.clear();
            image.live = image.durable.clone();
            image.inodes.values_mut().for_each(Inode::lose_unsynced);
        }
        copy
    }

    /// Puts a file there as somebody else would, with its folder, durably; counts as no operation.
    pub fn plant(&self, path: &str, bytes: &[u8]) {
        let mut image = self.image();
        let folder = crate::paths::folder(path);
        for (end, _) in folder.match_indices('/') {
            image.folders.insert(folder[..end].to_owned());
        }
        if !folder.is_empty() {
            image.folders.insert(folder.to_owned());
        }
        image.clock += 1_000;
        image.renamed_ns = image.clock;
        image.next_inode += 1;
        let (id, clock) = (image.next_inode, image.clock);
        image.inodes.insert(id, Inode::durable(bytes, clock));
        image.live.insert(path.to_owned(), id);
        image.durable.insert(path.to_owned(), id);
    }

    /// Somebody else saves a file, in a folder that is there, before the `k`-th operation from now on
    /// (the next one is 1), or at once when `k` is 0.
    pub fn save_at(&self, k: u64, save: Save) {
        let mut image = self.image();
        if k == 0 {
            image.save(save);
        } else {
            let at = image.ops + k;
            image.saves.push((at, save));
        }
    }

    /// The saves that were, each with what stood there before it, since this was asked last; those that
    /// were still to come are given up.
    pub fn saved(&self) -> Vec<(Save, Option<Vec<u8>>)> {
        let mut image = self.image();
        image.end_saves(u64::MAX);
        image.saves.clear();
        std::mem::take(&mut image.saved)
    }

    /// Takes a file away as somebody else would.
    pub fn unplant(&self, path: &str) {
        let mut image = self.image();
        image.clock += 1_000;
        image.renamed_ns = image.clock;
        image.live.remove(path);
        image.durable.remove(path);
    }

    /// Lets the medium fail to read these bytes of a file until they are written anew or
    /// cut off.
    pub fn spoil(&self, path: &str, bytes: Range<u64>) {
        self.image().spoilt.insert(path.to_owned(), bytes);
    }

    /// Puts a folder there as somebody else would.
    pub fn plant_folder(&self, path: &str) {
        self.image().folders.insert(path.to_owned());
    }

    /// The file's bytes as programs see them; counts as no operation.
    #[must_use]
    pub fn peek(&self, path: &str) -> Option<Vec<u8>> {
        self.image().inode(path).ok().map(|inode| inode.live.clone())
    }

    /// All paths of files, sorted.
    #[must_use]
    pub fn files(&self) -> Vec<String> {
        self.image().live.keys().cloned().collect()
    }
}
