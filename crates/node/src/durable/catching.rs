//! Who lacks some of what was published takes it from there; a hub does before it publishes itself, so that no
//! manifest says less than the one before.

use std::collections::BTreeSet;

use cocli_core::bucket::{Failure, FailureKind, Key, Manifest};
use cocli_core::digest::hash;
use cocli_core::{Instant, LogId};
use cocli_store::checkpoint::Told;

use super::hub::{Clock, Term};
use super::pull::{Pulled, Reach, is_held};
use super::{Durable, Round, published};
use crate::error::{NodeError, Result};

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
        let Some(lacking) = self.lacking_of(current)? else { return Ok(()) };
        self.take_published(current, &|log| lacking.contains(log), &|_, _| ())?;
        self.keep(term, clock)?;
        let merged = self.compact(clock().1)?;
        round.notices.extend(merged.complaints);
        if !merged.joined {
            let said = "another process compacts this home just now, and this hub lacks some of what was published: nothing is published before it has joined that";
            return Err(Failure::new(FailureKind::Away, said).into());
        }
        self.has_joined(current)?;
        // What waited for these logs to come so far is read now.
        let all = self.seen.writers();
        let pulled = self.pull(&all, Reach::All, clock().1)?;
        round.pulled.add(pulled);
        round.notices.extend(self.compact(clock().1)?.complaints);
        Ok(())
    }

    /// Joins the published checkpoint where ranges wait for what lies between, or objects cannot be read: since
    /// the last time that this was asked, or `at_once`. What they held may be nowhere else any more.
    ///
    /// # Errors
    /// When the bucket cannot be asked, or what is known of it not kept. Whatever else hinders it is a notice.
    pub(super) fn mend(&mut self, at_once: bool, now: Instant) -> Result<Pulled> {
        let mut mended = Pulled::default();
        if self.is_in_need(at_once) {
            match self.join_published(now, &mut mended) {
                Err(NodeError::Bucket(failure)) if failure.kind != FailureKind::Wrong => {
                    return Err(failure.into());
                }
                // Whatever it is, all else goes on, and this is tried at the next look.
                Err(error) => mended.notices.push(error.to_string()),
                Ok(()) => {}
            }
        }
        self.note_need()?;
        Ok(mended)
    }

    /// Whether something waits, or cannot be read, for longer than a moment.
    fn is_in_need(&self, at_once: bool) -> bool {
        let waits =
            self.seen.gaps().into_keys().any(|log| at_once || self.seen.waited.contains(&log));
        waits || (!self.seen.damaged.is_empty() && (at_once || self.seen.ailed))
    }

    /// Notes what waits, and whether something cannot be read, for the next time.
    fn note_need(&mut self) -> Result<()> {
        let gaps: BTreeSet<LogId> = self.seen.gaps().into_keys().collect();
        let stuck = gaps.intersection(&self.seen.waited).cloned().collect();
        let ails = !self.seen.damaged.is_empty();
        if (&self.seen.waited, &self.seen.stuck, self.seen.ailed) != (&gaps, &stuck, ails) {
            (self.seen.waited, self.seen.stuck, self.seen.ailed) = (gaps, stuck, ails);
            self.save()?;
        }
        Ok(())
    }

    fn join_published(&mut self, now: Instant, mended: &mut Pulled) -> Result<()> {
        // What the objects bring is not to be taken from there.
        let all = self.seen.writers();
        mended.add(self.pull(&all, Reach::New, now)?);
        let Some(manifest) = self.manifest()? else { return Ok(()) };
        let Some(lacking) = self.lacking_of(&manifest)? else { return Ok(()) };
        self.take_published(&manifest, &|log| lacking.contains(log), &|_, _| ())?;
        let merged = self.compact(now)?;
        mended.notices.extend(merged.complaints);
        if !merged.joined {
            // Another process compacts: the next compaction joins it, and the next look tells.
            return Ok(());
        }
        self.has_joined(&manifest)?;
        let key = Key::manifest(manifest.n);
        mended
            .notices
            .push(format!("what no object holds any more came with the checkpoint of {key}"));
        mended.logs.extend(lacking);
        mended.add(self.pull(&BTreeSet::new(), Reach::New, now)?);
        Ok(())
    }

    /// What a checkpoint that was joined covers stands in the bucket with it.
    fn has_joined(&mut self, manifest: &Manifest) -> Result<()> {
        let journals = self.home.journals()?;
        for (log, head) in published::told(manifest).iter().flat_map(|told| &told.frontier.0) {
            if journals.begin(log) >= head.position {
                self.seen.cover(log, 0, *head);
            }
        }
        self.seen.joined = hash_of(manifest);
        self.save()
    }

    /// The logs that are not held up to where a published checkpoint covers them, on the chain that leads there;
    /// nothing where that is none, or it was joined before: then they are of another branch.
    fn lacking_of(&self, manifest: &Manifest) -> Result<Option<BTreeSet<LogId>>> {
        let Some(Told { frontier, .. }) = published::told(manifest) else { return Ok(None) };
        if self.seen.joined == hash_of(manifest) {
            return Ok(None);
        }
        let mut journals = self.home.journals()?;
        let mut lacking = BTreeSet::new();
        for (log, head) in &frontier.0 {
            if !is_held(&mut journals, log, *head)? {
                lacking.insert(log.clone());
            }
        }
        Ok((!lacking.is_empty()).then_some(lacking))
    }
}

/// Tells one published checkpoint from another.
fn hash_of(manifest: &Manifest) -> u128 {
    manifest.checkpoint.as_ref().map_or(0, |text| hash(text.as_bytes()))
}
