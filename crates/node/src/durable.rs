//! The bucket: what this home uploads and takes from there, and what a hub publishes. docs/bucket.md.
//!
//! It talks to any [`Bucket`]; which store that is, the rim decides.

mod catching;
mod clone;
mod everything;
pub mod fake;
mod fork;
pub mod hub;
mod mark;
mod meter;
mod mirror;
mod names;
mod packed;
mod published;
mod pull;
mod push;
mod restore;
mod round;
mod seen;
#[cfg(test)]
mod staged;
mod tidy;
mod trip;

use std::fmt;

use cocli_core::bucket::{Bucket, Created, Failure, FailureKind, Key};
use cocli_store::paths;

use crate::error::Result;
use crate::home::{Home, failed};

pub use clone::{Cloned, Source, Stage, clone, cluster_of};
pub use meter::Spent;
pub use mirror::Mirrored;
pub use published::newest_manifest;
pub use pull::{Pulled, Reach};
pub use push::{Lack, Pushed, Which};
pub use restore::{Beginning, Restored, restore};
pub use round::Round;
pub use seen::Seen;
pub use trip::Trip;

/// A home at its bucket: one at a time, be it a daemon or a command.
pub struct Durable<'h> {
    pub(crate) home: &'h Home,
    pub(crate) bucket: &'h dyn Bucket,
    pub(crate) seen: Seen,
    _turn: cocli_store::disk::Held,
}

impl fmt::Debug for Durable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Durable").field("seen", &self.seen).finish_non_exhaustive()
    }
}

impl<'h> Durable<'h> {
    /// Comes to the bucket that the configuration names so; `None` while another process of this home is at
    /// it, unless `wait`. The first of a cluster makes the bucket its own.
    ///
    /// # Errors
    /// When the bucket is another cluster's or cannot be asked, or the disk refuses.
    pub fn open(
        home: &'h Home,
        bucket: &'h dyn Bucket,
        url: &str,
        wait: bool,
    ) -> Result<Option<Self>> {
        home.is_no_copy()?;
        let turn = home.disk.lock(paths::BUCKET_TURN, wait);
        let turn = turn.map_err(|error| failed(paths::BUCKET_TURN, "lock", error))?;
        let Some(turn) = turn else { return Ok(None) };
        let known = Seen::load(&*home.disk, url, home.cluster())?;
        let fresh = known.is_none();
        let seen = known.unwrap_or_else(|| Seen::new(url, home.cluster()));
        let durable = Self { home, bucket, seen, _turn: turn };
        if fresh {
            durable.claim()?;
            durable.save()?;
        }
        Ok(Some(durable))
    }

    /// Makes a bucket that was tried this home's: another cluster's is refused.
    ///
    /// # Errors
    /// As [`Durable::open`].
    pub fn begin(
        home: &'h Home,
        bucket: &'h dyn Bucket,
        url: &str,
        missing_is_denied: bool,
    ) -> Result<()> {
        if let Some(mut durable) = Self::open(home, bucket, url, true)? {
            if bucket.get(&Key::cluster())?.is_none() {
                // It was emptied: what is known of it counts no more, and all is to be uploaded again.
                durable.seen = Seen::new(url, home.cluster());
            }
            durable.claim()?;
            durable.seen.missing_is_denied = missing_is_denied;
            durable.save()?;
        }
        Ok(())
    }

    /// What is known of the bucket.
    #[must_use]
    pub fn seen(&self) -> &Seen {
        &self.seen
    }

    /// Makes sure that the bucket is still there, where it was known before: a stick that is not mounted leaves an
    /// empty folder.
    ///
    /// # Errors
    /// When it is not there, is another cluster's or cannot be asked.
    pub fn there(&self) -> Result<()> {
        let key = Key::cluster();
        match self.bucket.get(&key)? {
            Some(theirs) => self.same(&theirs),
            None => {
                let said = format!(
                    "`{key}` is not in {} any more: it is not mounted, or was emptied (`cocli init --bucket URL` begins it anew)",
                    self.seen.url
                );
                Err(Failure::new(FailureKind::Away, said).into())
            }
        }
    }

    /// Makes sure that the bucket is this cluster's.
    fn claim(&self) -> Result<()> {
        let key = Key::cluster();
        let theirs = match self.bucket.get(&key)? {
            Some(theirs) => theirs,
            None => match self.bucket.create(&key, self.mine().as_bytes())? {
                Created::New => return Ok(()),
                Created::Exists => self.bucket.get(&key)?.unwrap_or_default(),
            },
        };
        self.same(&theirs)
    }

    /// What stands in `cluster`.
    fn mine(&self) -> String {
        format!("{}\n", self.home.cluster())
    }

    fn same(&self, theirs: &[u8]) -> Result<()> {
        if theirs == self.mine().as_bytes() {
            return Ok(());
        }
        let (key, theirs) = (Key::cluster(), String::from_utf8_lossy(theirs));
        let said = format!(
            "the bucket is of another cluster: expected {} in `{key}`, and it says {:?}",
            self.home.cluster(),
            theirs.trim_end()
        );
        Err(Failure::new(FailureKind::Wrong, said).into())
    }

    pub(crate) fn save(&self) -> Result<()> {
        self.seen.save(&*self.home.disk)
    }
}
