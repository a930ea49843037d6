//! What is removed from the bucket: files of checkpoints and snapshots that no recent manifest names.

use std::collections::BTreeSet;

use cocli_core::bucket::{Failure, FailureKind, Key, Listed, Manifest};

use super::{Durable, published};
use crate::error::Result;

/// Manifests whose files stay.
const MANIFESTS_KEPT: u64 = 100;
/// What was written so long before the newest object of a listing may go: microseconds.
const REST_US: i64 = 7 * 24 * 3600 * 1_000_000;
/// Objects that are removed in one go.
const TOGETHER: usize = 500;

impl Durable<'_> {
    /// Removes what the last manifests, of which `newest` is the last, do not name and is a week old; gives how
    /// many objects. For the holder of the lease alone.
    ///
    /// # Errors
    /// When one of these manifests cannot be read: nothing is removed. When the bucket cannot be asked.
    pub fn tidy(&mut self, newest: &Manifest) -> Result<usize> {
        let first = newest.n.saturating_sub(MANIFESTS_KEPT - 1).max(1);
        let mut named = BTreeSet::new();
        for n in first..=newest.n {
            let manifest = published::manifest(self.bucket, self.seen.cluster, n)?;
            let manifest = manifest.ok_or_else(|| {
                let key = Key::manifest(n);
                let said = format!("{key} in the bucket is not there: nothing is removed");
                Failure::new(FailureKind::Wrong, said)
            })?;
            name_all(&manifest, &mut named);
        }
        let mut removed = 0;
        for folder in [Key::checkpoints(), Key::snapshots()] {
            let listed = self.bucket.list(&folder)?;
            let old = old(&listed, &named);
            for group in old.chunks(TOGETHER) {
                self.bucket.remove(group)?;
            }
            removed += old.len();
        }
        Ok(removed)
    }
}

/// The files that a manifest names, and the folder of its snapshot.
fn name_all(manifest: &Manifest, named: &mut BTreeSet<String>) {
    let files = manifest.files.iter().chain(manifest.odd.as_ref().map(|(name, of)| (name, of)));
    named.extend(files.map(|(name, of)| Key::checkpoint(*of, name).to_string()));
    named.extend(manifest.snapshot.map(|of| folder(&Key::snapshot(of, "", "").to_string())));
}

/// The first two parts of a key.
fn folder(key: &str) -> String {
    key.split('/').take(2).collect::<Vec<_>>().join("/")
}

fn old(listed: &[Listed], named: &BTreeSet<String>) -> Vec<Key> {
    let newest = listed.iter().map(|one| one.written).max().unwrap_or_default();
    let is_old = |one: &&Listed| newest - one.written >= REST_US;
    let is_named = |key: &str| named.contains(key) || named.contains(&folder(key));
    let old = listed.iter().filter(is_old).filter(|one| !is_named(one.key.as_str()));
    old.map(|one| one.key.clone()).collect()
}
