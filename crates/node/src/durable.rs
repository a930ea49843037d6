//! The bucket: what this home uploads and takes from there, and what a hub publishes. docs/bucket.md.
//!
//! It talks to any [`Bucket`]; which store that is, the rim decides.

mod catching;
mod check;
mod claims;
mod clone;
mod everything;
pub mod fake;
mod fork;
mod founding;
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

use std::collections::BTreeMap;
use std::fmt;

use cocli_core::NodeId;
use cocli_core::bucket::{Bucket, FailureKind, Key};
use cocli_store::paths;

use crate::error::Result;
use crate::home::{Home, failed};

use self::founding::Founding;

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
    /// From which object on those of a node are to be read again: that is kept with all else.
    again: BTreeMap<NodeId, u64>,
    /// How it was found out, amid a pull, that the bucket is not what it was.
    changed: Option<String>,
    /// What a person may want to know, until the next pull tells it.
    notices: Vec<String>,
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
        let seen = match known {
            Some(seen) => seen,
            None => {
                let founding = Founding::claim(bucket, home.cluster(), &(home.rim.epoch)())?;
                let mut seen = Seen::new(url, founding.cluster, &founding.life);
                seen.missing_is_denied = hides_what_is_missing(bucket, home.node())?;
                seen
            }
        };
        let (again, changed, notices) = (BTreeMap::new(), None, Vec::new());
        let mut durable = Self { home, bucket, seen, again, changed, notices, _turn: turn };
        if fresh {
            durable.save()?;
        }
        Ok(Some(durable))
    }

    /// Makes a bucket that was tried this home's: another cluster's is refused. One that was emptied begins
    /// another life, and all is to be uploaded again.
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
            let founding = Founding::claim(bucket, home.cluster(), &(home.rim.epoch)())?;
            if founding.life != durable.seen.life {
                durable.seen = Seen::new(url, founding.cluster, &founding.life);
            }
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

    /// What a person may want to know and no pull told.
    pub fn told(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notices)
    }

    pub(crate) fn save(&mut self) -> Result<()> {
        for (node, from) in std::mem::take(&mut self.again) {
            if from < self.seen.next_of(&node) {
                self.seen.newest.remove(&node);
                self.seen.next.insert(node, from);
            }
        }
        self.seen.save(&*self.home.disk)
    }
}

/// Whether a bucket that answers answers with "forbidden" for what is not there, and not but once.
fn hides_what_is_missing(bucket: &dyn Bucket, me: &NodeId) -> Result<bool> {
    for _ in 0..2 {
        match bucket.get(&Key::object(me, u64::MAX)) {
            Ok(_) => return Ok(false),
            Err(failure) if failure.kind == FailureKind::Denied => {}
            Err(failure) => return Err(failure.into()),
        }
    }
    Ok(true)
}
