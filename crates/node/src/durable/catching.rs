//! Who lacks some of what was published takes it from there; a hub does before it publishes itself, so that no
//! manifest says less than the one before.

use std::collections::BTreeSet;

use cocli_core::bucket::{Failure, FailureKind, Key, Manifest};
use cocli_core::{Instant, LogId, Vector};
use cocli_store::checkpoint::{self, Told};

use super::hub::{Clock, Term};
use super::pull::{Pulled, Reach, is_held};
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
        if going.is_empty() {
            return Ok(());
        }
        self.take_published(current, &|log| going.contains(log), &|_, _| ())?;
        self.keep(term, clock)?;
        round.notices.extend(self.compact(clock().1)?);
        if checkpoint::waits(&*self.home.disk)? {
            let said = "another process compacts this home just now, and this hub lacks some of what was published: nothing is published before it has joined that";
            return Err(Failure::new(FailureKind::Away, said).into());
        }
        self.cover_joined(&going, &frontier)?;
        // What waited for these logs to come so far is read now.
        let all = self.seen.writers();
        let pulled = self.pull(&all, Reach::All, clock().1)?;
        round.pulled.add(pulled);
        round.notices.extend(self.compact(clock().1)?);
        Ok(())
    }

    /// Joins the published checkpoint where ranges wait for what lies between: since the last time that this was
    /// asked, or `at_once`. An object that brought it cannot be read, or nobody has it any more.
    ///
    /// # Errors
    /// When the bucket cannot be asked or the disk refuses.
    pub(super) fn mend(&mut self, at_once: bool, now: Instant) -> Result<Pulled> {
        let gaps: BTreeSet<LogId> = self.seen.gaps().into_keys().collect();
        let waited = std::mem::replace(&mut self.seen.stuck, gaps.clone());
        let stuck = gaps.iter().any(|log| at_once || waited.contains(log));
        if self.seen.stuck != waited {
            self.save()?;
        }
        let mut mended = Pulled::default();
        if !stuck {
            return Ok(mended);
        }
        let Some(manifest) = self.manifest()? else { return Ok(mended) };
        let Some(Told { frontier, .. }) = published::told(&manifest) else { return Ok(mended) };
        let lacking = self.lacking_of(&frontier)?;
        if lacking.is_disjoint(&gaps) {
            return Ok(mended);
        }
        let going = self.going_on(&frontier)?;
        self.take_published(&manifest, &|log| going.contains(log), &|_, _| ())?;
        mended.notices.extend(self.compact(now)?);
        self.cover_joined(&going, &frontier)?;
        mended.notices.push(format!(
            "what lies between was nowhere in the bucket: the checkpoint of {} is joined",
            Key::manifest(manifest.n)
        ));
        mended.logs.extend(going);
        mended.add(self.pull(&BTreeSet::new(), Reach::New, now)?);
        Ok(mended)
    }

    /// What a checkpoint that was joined covers stands in the bucket with it.
    fn cover_joined(&mut self, going: &BTreeSet<LogId>, frontier: &Vector) -> Result<()> {
        let journals = self.home.journals()?;
        for log in going {
            if let Some(head) = frontier.0.get(log)
                && journals.end(log) >= head.position
            {
                self.seen.cover(log, 0, *head);
            }
        }
        self.save()
    }

    /// The logs that are not held up to their heads, on the chain that leads there.
    fn lacking_of(&self, heads: &Vector) -> Result<BTreeSet<LogId>> {
        let mut journals = self.home.journals()?;
        let mut lacking = BTreeSet::new();
        for (log, head) in &heads.0 {
            if !is_held(&mut journals, log, *head)? {
                lacking.insert(log.clone());
            }
        }
        Ok(lacking)
    }

    /// Those of which nothing is held, or of which something waits in the bucket for what lies between. One
    /// that merely ends before may be another branch.
    fn going_on(&self, heads: &Vector) -> Result<BTreeSet<LogId>> {
        let journals = self.home.journals()?;
        let gaps = self.seen.gaps();
        let going = heads.0.keys().filter(|log| !journals.holds(log) || gaps.contains_key(log));
        Ok(going.cloned().collect())
    }
}
