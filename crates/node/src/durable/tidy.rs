//! What no manifest names any more goes: docs/bucket.md, "What is removed".

use std::collections::BTreeSet;

use cocli_core::bucket::{Failure, FailureKind, Key, Listed, Manifest};

use super::{Durable, published};
use crate::error::Result;

/// The newest manifests, whose files stay.
const MANIFESTS_KEPT: u64 = 100;
/// How much older than the newest object of the listing one has to be: microseconds.
const REST_US: i64 = 7 * 24 * 3600 * 1_000_000;
/// Objects that are removed by one request.
const REMOVED_AT_ONCE: usize = 1000;

impl Durable<'_> {
    /// Removes the files of checkpoints and the snapshots that none of the last 100 manifests names and that
    /// were written more than a week before the newest of them all. What came after `newest` stays: another may
    /// be about to name it. So does everything when `newest` is not the newest, and whatever has no name that this
    /// program gives. Tells how many it removed.
    ///
    /// # Errors
    /// When the bucket cannot be asked; when one of those manifests cannot be read, and then nothing was removed.
    pub fn tidy(&mut self, newest: &Manifest) -> Result<usize> {
        let mut listed = self.bucket.list(&Key::checkpoints())?;
        listed.extend(self.bucket.list(&Key::snapshots())?);
        let mut over = old(&listed, newest);
        let mut named = Named::default();
        named.add(newest);
        over.retain(|key| !named.holds(key));
        if over.is_empty() {
            return Ok(0);
        }
        // What was listed may be named by one that was published meanwhile.
        if self.bucket.get(&Key::manifest(newest.n + 1))?.is_some() {
            return Ok(0);
        }
        let first = newest.n.saturating_sub(MANIFESTS_KEPT - 1).max(1);
        for n in first..newest.n {
            named.add(&self.kept_manifest(n)?);
        }
        over.retain(|key| !named.holds(key));
        self.remove(&over)?;
        Ok(over.len())
    }

    /// Removes objects, some at a time.
    pub(super) fn remove(&self, keys: &[Key]) -> Result<(), Failure> {
        keys.chunks(REMOVED_AT_ONCE).try_for_each(|some| self.bucket.remove(some))
    }

    /// One of the manifests that say what stays: all of them have to be read.
    fn kept_manifest(&self, n: u64) -> Result<Manifest> {
        let gone = || {
            Failure::new(FailureKind::Wrong, format!("{} is not in the bucket", Key::manifest(n)))
        };
        let read = published::manifest(self.bucket, self.seen.cluster, n);
        let read = read.and_then(|read| read.ok_or_else(gone));
        Ok(read.map_err(|Failure { kind, said }| {
            Failure::new(kind, format!("{said}; nothing that is over was removed"))
        })?)
    }
}

/// What is old enough to go, and was there before `newest` was published.
fn old(listed: &[Listed], newest: &Manifest) -> Vec<Key> {
    let last = listed.iter().map(|one| one.written).max().unwrap_or_default();
    let is_over = |one: &&Listed| {
        last.saturating_sub(one.written) > REST_US
            && match place(&one.key) {
                Some(Place::Checkpoint(generation)) => generation <= newest.generation,
                Some(Place::Snapshot(n)) => newest.snapshot.is_some_and(|named| n < named),
                None => false,
            }
    };
    listed.iter().filter(is_over).map(|one| one.key.clone()).collect()
}

/// The number that a part of a key is. Each has one name: `07` or the like would be a second one.
pub(super) fn number_of(part: &str) -> Option<u64> {
    part.parse().ok().filter(|n: &u64| n.to_string() == part)
}

/// Where an object stands that may be over one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// A file of a checkpoint, and the generation it was created under.
    Checkpoint(u64),
    /// A file of the snapshot of this number.
    Snapshot(u64),
}

fn place(key: &Key) -> Option<Place> {
    let below = |folder: &Key| {
        let (number, rest) = key.as_str().strip_prefix(folder.as_str())?.split_once('/')?;
        let n = number_of(number)?;
        (!rest.is_empty() && !rest.ends_with('/')).then_some((n, rest))
    };
    if let Some((generation, name)) = below(&Key::checkpoints()) {
        return (!name.contains('/')).then_some(Place::Checkpoint(generation));
    }
    below(&Key::snapshots()).map(|(n, _)| Place::Snapshot(n))
}

/// What manifests name.
#[derive(Debug, Default)]
struct Named {
    files: BTreeSet<Key>,
    snapshots: BTreeSet<u64>,
}

impl Named {
    fn add(&mut self, manifest: &Manifest) {
        let odd = manifest.odd.iter().map(|(name, generation)| (name, generation));
        let files = manifest.files.iter().chain(odd);
        self.files.extend(files.map(|(name, generation)| Key::checkpoint(*generation, name)));
        self.snapshots.extend(manifest.snapshot);
    }

    fn holds(&self, key: &Key) -> bool {
        match place(key) {
            Some(Place::Snapshot(n)) => self.snapshots.contains(&n),
            _ => self.files.contains(key),
        }
    }
}
