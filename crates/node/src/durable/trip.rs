//! One trip to the bucket: what is due is done, in one go.

use std::collections::BTreeSet;

use cocli_core::bucket::pace::{Due, Lacking};
use cocli_core::bucket::{FailureKind, Key, Manifest, newest};
use cocli_core::{Instant, LogId, NodeId};

use super::check::gone;
use super::published::{newest_manifest, unpacked};
use super::pull::{Pulled, Reach, is_held};
use super::push::{Pushed, Which};
use super::{Durable, Seen};
use crate::error::{NodeError, Result};
use crate::home::Home;

/// What a trip came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trip {
    /// What came.
    pub pulled: Pulled,
    /// What went.
    pub pushed: Pushed,
}

impl Durable<'_> {
    /// Does what is due.
    ///
    /// # Errors
    /// When the bucket cannot be asked or the disk refuses; what was done before counts.
    pub fn go(&mut self, due: &Due, now: Instant) -> Result<Trip> {
        let mut trip = Trip::default();
        if due.trial {
            self.there()?;
        }
        if due.check {
            self.check()?;
        }
        let mut pull = due.pull.clone();
        if due.manifest {
            match self.behind() {
                Err(NodeError::Bucket(failure)) if failure.kind == FailureKind::Wrong => {
                    trip.pulled.notices.push(failure.to_string());
                }
                behind => pull.extend(behind?),
            }
        }
        if due.names || self.seen.unread {
            self.meet(self.seen.unread)?;
        }
        if due.names {
            // Another machine may bear this node's name.
            pull.insert(self.home.node().clone());
        }
        let mut reach = Reach::New;
        if self.seen.unread {
            (pull, reach) = (self.seen.writers(), Reach::All);
        }
        if !pull.is_empty() {
            trip.pulled.add(self.pull(&pull, reach, now)?);
        }
        if due.names && !self.seen.damaged.is_empty() {
            // Nobody's next objects, but those that could not be read.
            trip.pulled.add(self.pull(&BTreeSet::new(), Reach::All, now)?);
        }
        if due.push {
            trip.pushed = self.push(&Which::Own(due.carried.clone()), now)?;
        }
        if due.check {
            trip.pulled.add(self.mend(false, now)?);
        }
        Ok(trip)
    }

    /// Everything: what others have there comes, and what it lacks goes.
    ///
    /// # Errors
    /// As [`Durable::go`].
    pub fn level(&mut self, pull: bool, push: bool, now: Instant) -> Result<Trip> {
        let mut trip = Trip::default();
        self.check()?;
        if pull || self.seen.unread {
            trip.pulled = self.pull_everything(now)?;
        } else {
            self.meet(true)?;
        }
        if push {
            trip.pushed = self.push(&Which::All, now)?;
        }
        if pull {
            trip.pulled.add(self.mend(true, now)?);
        }
        Ok(trip)
    }

    /// The newest manifest, if there is one.
    ///
    /// # Errors
    /// When the bucket cannot be asked, or it cannot be read.
    pub fn manifest(&mut self) -> Result<Option<Manifest>> {
        let known = self.seen.manifest.0;
        let (n, packed) = newest(known, |n| self.bucket.get(&Key::manifest(n)))?;
        let manifest = match packed {
            Some(packed) => Some(unpacked(&packed, self.seen.cluster, n)?),
            None if n == 0 => None,
            None => {
                self.begin_anew(&gone(&Key::manifest(n)))?;
                newest_manifest(self.bucket, self.seen.cluster, 0)?
            }
        };
        if let Some(manifest) = &manifest {
            self.seen.meet_manifest(manifest);
        }
        Ok(manifest)
    }

    /// The nodes that have more than was read of them, as the newest manifest says.
    fn behind(&mut self) -> Result<BTreeSet<NodeId>> {
        let manifest = self.manifest()?;
        self.save()?;
        let ends = manifest.map(|manifest| manifest.ends).unwrap_or_default();
        let more = |(node, n): (NodeId, u64)| (n > self.seen.next_of(&node)).then_some(node);
        Ok(ends.into_iter().filter_map(more).collect())
    }

    /// What it lacks of what is durable here. `unspread`: bytes of the own log, at its end, that no other node holds.
    ///
    /// # Errors
    /// When the journals cannot be read.
    pub fn lacking(&self, unspread: u64) -> Result<Lacking> {
        self.home.lacking(&self.seen, unspread)
    }
}

impl Home {
    /// What the bucket lacks of what is held here, by what is known of it.
    ///
    /// # Errors
    /// When the journals cannot be read.
    pub fn lacking(&self, seen: &Seen, unspread: u64) -> Result<Lacking> {
        let mut journals = self.journals()?;
        let mut lacking = Lacking { unspread, ..Lacking::default() };
        let logs: Vec<LogId> = journals.logs().cloned().collect();
        for log in &logs {
            let (begin, end) = (journals.begin(log), journals.end(log));
            let is_other = match seen.tips.get(log) {
                Some(tip) => !is_held(&mut journals, log, *tip)?,
                None => false,
            };
            let missing = match is_other {
                // Another branch than the one that is there.
                true => vec![(begin, end)],
                false => seen.covered.missing(log, begin, end),
            };
            let bytes: u64 = missing.iter().map(|(from, until)| until - from).sum();
            match (journals.owns(log), log.month) {
                (true, None) => lacking.own += bytes,
                (true, Some(_)) => lacking.expiring += bytes,
                (false, None) => {
                    if let Some((from, _)) = missing.first() {
                        lacking.others.insert(log.clone(), (*from, journals.end(log)));
                    }
                }
                // Of what expires each node uploads its own.
                (false, Some(_)) => {}
            }
        }
        Ok(lacking)
    }

    /// What is known of the bucket that the settings name.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn seen(&self) -> Result<Option<Seen>> {
        let Some(url) = &self.config().bucket.url else { return Ok(None) };
        Seen::load(&*self.disk, url, self.cluster())
    }
}
