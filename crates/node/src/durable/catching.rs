//! A hub that lacks some of what was published takes it from there, before it publishes itself: no manifest says
//! less than the one before.

use std::collections::BTreeSet;

use cocli_core::bucket::{Failure, FailureKind, Manifest};
use cocli_core::{LogId, Vector};
use cocli_store::Journals;
use cocli_store::checkpoint::{self, Told};

use super::hub::{Clock, Term};
use super::pull::Reach;
use super::{Durable, Round, published};
use crate::error::Result;

impl Durable<'_> {
    /// Joins the published checkpoint where a log is not held up to where that covers it: an object that
    /// brought it is damaged, or its branch gave way.
    ///
    /// # Errors
    /// When the bucket cannot be asked, the disk refuses, or somebody else compacts just now: then nothing may
    /// be published.
    pub(super) fn catch_up(
        &mut self,
        current: &Manifest,
        term: &mut Term,
        clock: &Clock<'_>,
        round: &mut Round,
    ) -> Result<()> {
        let Some(Told { frontier, .. }) = published::told(current) else { return Ok(()) };
        if self.lacking_of(&frontier)?.is_empty() {
            return Ok(());
        }
        let going = self.going_on(&frontier)?;
        self.take_published(current, &|log| going.contains(log), &|_, _| ())?;
        self.keep(term, clock)?;
        self.compact(clock().1, round)?;
        if checkpoint::waits(&*self.home.disk)? {
            let said = "another process compacts this home just now, and this hub lacks some of what was published: nothing is published before it has joined that";
            return Err(Failure::new(FailureKind::Away, said).into());
        }
        let journals = self.home.journals()?;
        for log in going {
            if let Some(head) = frontier.0.get(&log)
                && journals.end(&log) >= head.position
            {
                self.seen.cover(&log, 0, *head);
            }
        }
        // What waited for these logs to come so far is read now.
        let all = self.seen.writers();
        let pulled = self.pull(&all, Reach::All, clock().1)?;
        round.pulled.bytes += pulled.bytes;
        round.pulled.logs.extend(pulled.logs);
        round.pulled.notices.extend(pulled.notices);
        self.compact(clock().1, round)
    }

    /// The logs that are not held up to their heads, on the chain that leads there.
    fn lacking_of(&self, heads: &Vector) -> Result<BTreeSet<LogId>> {
        let mut journals = self.home.journals()?;
        let mut lacking = BTreeSet::new();
        for (log, head) in &heads.0 {
            let is_held = |journals: &mut Journals| {
                Ok::<_, crate::error::NodeError>(
                    journals.begin(log) > head.position
                        || journals.hash_at(log, head.position)? == Some(head.hash),
                )
            };
            if !is_held(&mut journals)? {
                lacking.insert(log.clone());
            }
        }
        Ok(lacking)
    }

    /// Those of which nothing is held, or of which something waits in the bucket for what lies between. One
    /// that merely ends before may be another branch.
    fn going_on(&self, heads: &Vector) -> Result<BTreeSet<LogId>> {
        let journals = self.home.journals()?;
        let waits = |log: &LogId| self.seen.waiting.values().any(|(of, _)| of == log);
        let going = heads.0.keys().filter(|log| !journals.holds(log) || waits(log));
        Ok(going.cloned().collect())
    }
}
