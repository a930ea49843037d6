//! The hub: who holds the lease publishes, and the chain of manifests is the fence. docs/bucket.md, "The hub".

use std::collections::{BTreeMap, BTreeSet};

use cocli_core::bucket::lease::{Lease, Watch};
use cocli_core::bucket::pace::Micros;
use cocli_core::bucket::{Created, Failure, FailureKind, Key, Manifest, newest};
use cocli_core::{Instant, NodeId};

use super::packed::pack;
use super::published;
use super::pull::Reach;
use super::{Durable, Mirrored};
use crate::config::Mirror;
use crate::error::{NodeError, Result};

/// How often a number that is taken by an earlier generation is passed over.
const TRIES_MAX: usize = 16;
/// Cards that the mirror may put in a day.
const MIRROR_A_DAY: usize = 2_000;
/// Microseconds of an hour.
const HOUR_US: i64 = 3_600_000_000;
const DAY_US: i64 = 24 * HOUR_US;
/// What is said where the bucket refused one of them.
const MIRROR_LATER: &str = "the next round goes on with the mirror";
const OVER_LATER: &str = "what is over is looked for again a day later";

/// The rim's clocks: microseconds of the monotonic one, and the wall clock.
pub type Clock<'c> = dyn Fn() -> (Micros, Instant) + 'c;

/// The lease, held.
#[derive(Debug)]
pub struct Term {
    /// Its generation.
    pub generation: u64,
    /// Whether the one before was free: else its holder was late.
    pub followed_free: bool,
    /// The number under which tables were put there, or begun to be.
    pub(super) tabled: Option<u64>,
    lease: Lease,
    time_to_live: Micros,
    renewed: Micros,
}

/// What came of asking for the lease.
#[derive(Debug)]
pub enum Claim {
    /// It is held.
    Held(Term),
    /// Somebody else holds it: look again within so many microseconds.
    Wait(Micros),
}

/// What a hub did beside its round.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Upkeep {
    /// What became of the mirror.
    pub mirrored: Mirrored,
    /// How many objects that are over were removed.
    pub removed: usize,
    /// What could not be done, and stops nothing else.
    pub notices: Vec<String>,
}

impl Upkeep {
    /// What the bucket refused is no failure of the round behind which this is done.
    fn told<T>(&mut self, later: &str, came: Result<T>) -> Result<Option<T>> {
        match came {
            Ok(came) => Ok(Some(came)),
            Err(NodeError::Bucket(failure)) => {
                self.notices.push(format!("{failure}: {later}"));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

impl Durable<'_> {
    /// Asks for the lease: takes it when it is free, or has not changed for its time to live since `watch` saw
    /// it first. `boot` is random.
    ///
    /// # Errors
    /// When the bucket cannot be asked.
    pub fn claim_lease(
        &mut self,
        watch: &mut Watch,
        boot: u64,
        time_to_live: Micros,
        clock: &Clock<'_>,
    ) -> Result<Claim> {
        // A lease that a person took away is known by what was published under it.
        self.manifest()?;
        let known = self.seen.manifest.1;
        let (generation, text) = newest(known, |n| self.bucket.get(&Key::lease(n)))?;
        watch.saw(clock().0, generation, text);
        let followed_free = watch.is_free();
        let wait = watch.wait(clock().0, time_to_live);
        if wait > 0 {
            return Ok(Claim::Wait(wait));
        }
        let (now, wall) = clock();
        let mut lease = Lease {
            owner: self.home.node().clone(),
            boot,
            held: true,
            serial: 1,
            until: until(wall, time_to_live),
        };
        let key = Key::lease(generation + 1);
        match self.bucket.create(&key, &lease.text())? {
            Created::New => {}
            Created::Exists => {
                // An earlier try whose answer was lost, or somebody who was faster.
                let there = self.bucket.get(&key)?.and_then(|text| Lease::read(&text));
                match there.filter(|there| (&there.owner, there.boot) == (&lease.owner, boot)) {
                    Some(mine) => lease = mine,
                    None => return Ok(Claim::Wait(time_to_live)),
                }
            }
        }
        let generation = generation + 1;
        let (tabled, renewed) = (None, now);
        let term = Term { generation, followed_free, tabled, lease, time_to_live, renewed };
        Ok(Claim::Held(term))
    }

    /// Renews the lease when a third of its time has passed.
    ///
    /// # Errors
    /// When somebody else is hub by now, or the bucket cannot be asked.
    pub fn keep(&self, term: &mut Term, clock: &Clock<'_>) -> Result<()> {
        let (now, wall) = clock();
        if now.saturating_sub(term.renewed) < term.time_to_live / 3 {
            return Ok(());
        }
        if self.bucket.get(&Key::lease(term.generation + 1))?.is_some() {
            return Err(superseded(term.generation, None).into());
        }
        term.lease.serial += 1;
        term.lease.until = until(wall, term.time_to_live);
        self.bucket.replace(&Key::lease(term.generation), &term.lease.text())?;
        term.renewed = now;
        Ok(())
    }

    /// Gives the lease back.
    ///
    /// # Errors
    /// When the bucket cannot be asked: others wait for its time to live then.
    pub fn release(&self, mut term: Term) -> Result<()> {
        term.lease.held = false;
        term.lease.serial += 1;
        Ok(self.bucket.replace(&Key::lease(term.generation), &term.lease.text())?)
    }

    /// Whether there is anything for a hub to do: to look costs no lease.
    ///
    /// # Errors
    /// When the bucket cannot be asked or the disk refuses.
    pub fn has_work(&mut self, now: Instant) -> Result<bool> {
        Ok(self.has_news(now)? || self.daily_due(now))
    }

    /// Takes what is new, and says whether there is anything that the newest manifest does not cover: else a round would
    /// publish nothing.
    ///
    /// # Errors
    /// When the bucket cannot be asked or the disk refuses.
    fn has_news(&mut self, now: Instant) -> Result<bool> {
        self.meet(self.seen.unread)?;
        let all = self.seen.writers();
        let reach = if self.seen.unread { Reach::All } else { Reach::New };
        let pulled = self.pull(&all, reach, now)?;
        self.notices.extend(pulled.notices);
        let manifest = self.manifest()?;
        let Some(told) = manifest.as_ref().and_then(published::told) else { return Ok(true) };
        let journals = self.home.journals()?;
        let mut stay = journals.logs().filter(|log| log.month.is_none());
        Ok(stay.any(|log| journals.end(log) > told.frontier.position(log)))
    }

    /// Brings the mirror up to date and removes what is over, each when it is time. `took_over`: the holder before was
    /// late. What the bucket refuses is told: what is over is looked for again a day later, the mirror in the next
    /// round.
    ///
    /// # Errors
    /// When the disk refuses: it is done again the next time.
    pub fn look_after(&mut self, took_over: bool, now: Instant) -> Result<Upkeep> {
        let mut upkeep = Upkeep::default();
        let daily = self.daily_due(now);
        if let Some(budget) = self.mirror_budget(now)
            && let Some(mut mirrored) =
                upkeep.told(MIRROR_LATER, self.mirror(budget, took_over || daily, now))?
        {
            upkeep.notices.extend(mirrored.notice.take());
            upkeep.mirrored = mirrored;
            self.seen.looked_after.0 = now.micros();
            self.save()?;
        }
        if daily {
            upkeep.removed = upkeep.told(OVER_LATER, self.remove_over())?.unwrap_or(0);
            self.seen.looked_after.1 = now.micros();
            self.save()?;
        }
        Ok(upkeep)
    }

    /// How many cards the mirror may put now; nothing when it is not time for it.
    fn mirror_budget(&mut self, now: Instant) -> Option<usize> {
        let (every, most) = match self.home.config().bucket.mirror {
            Mirror::Off => return None,
            Mirror::Hourly => (HOUR_US, MIRROR_A_DAY / 24),
            Mirror::Daily => (DAY_US, MIRROR_A_DAY),
        };
        if is_over(now, self.seen.put_since.0, DAY_US) {
            self.seen.put_since = (now.micros(), 0);
        }
        let left = MIRROR_A_DAY.saturating_sub(self.seen.put_since.1);
        let due = self.daily_due(now) || is_over(now, self.seen.looked_after.0, every);
        due.then_some(most.min(left))
    }

    fn remove_over(&mut self) -> Result<usize> {
        let files = self.manifest()?.map_or(Ok(0), |newest| self.tidy(&newest))?;
        Ok(files + self.tidy_claims()?)
    }

    /// Whether it is a day since the mirror was mended, and what is over removed.
    fn daily_due(&self, now: Instant) -> bool {
        is_over(now, self.seen.looked_after.1, DAY_US)
    }

    /// The first act of a holder: the newest manifest again, under its own generation, and an empty one before the
    /// first. Whoever held the lease before finds the number taken that it would publish next.
    ///
    /// # Errors
    /// When somebody else is hub by now, or the bucket cannot be asked.
    pub fn fence(&mut self, term: &Term, wall: Instant) -> Result<Manifest> {
        let current = self.newest_before(term)?.unwrap_or_else(|| self.first_manifest());
        if current.generation == term.generation {
            return Ok(current);
        }
        self.publish_again(&current, term, wall)
    }

    /// Publishes the newest manifest again, as far as is known `current`.
    ///
    /// # Errors
    /// As [`Durable::fence`].
    pub(super) fn publish_again(
        &mut self,
        current: &Manifest,
        term: &Term,
        wall: Instant,
    ) -> Result<Manifest> {
        let mut current = current.clone();
        for _ in 0..TRIES_MAX {
            let again = self.next_manifest(&current, term, wall);
            if let Some(published) = self.publish(&again, term)? {
                return Ok(published);
            }
            current = self.newest_before(term)?.unwrap_or(current);
        }
        let said = "the newest manifest changed again and again meanwhile";
        Err(Failure::new(FailureKind::Away, said).into())
    }

    /// The newest manifest, for who is to publish the next: whatever it creates under that number would be part of
    /// what a later hub publishes.
    ///
    /// # Errors
    /// When somebody else is hub by now, or the bucket cannot be asked.
    pub(super) fn newest_before(&mut self, term: &Term) -> Result<Option<Manifest>> {
        let newest = self.manifest()?;
        match newest.as_ref().filter(|newest| newest.generation > term.generation) {
            Some(later) => Err(superseded(term.generation, Some(later)).into()),
            None => Ok(newest),
        }
    }

    fn first_manifest(&self) -> Manifest {
        Manifest {
            cluster: self.seen.cluster,
            n: 0,
            generation: 0,
            hub: self.home.node().clone(),
            at: String::new(),
            checkpoint: None,
            files: BTreeMap::new(),
            odd: None,
            objects: BTreeMap::new(),
            again: BTreeSet::new(),
            ends: BTreeMap::new(),
            nodes: 1,
            snapshot: None,
        }
    }

    /// A manifest that says what `current` says, as the next one.
    pub(super) fn next_manifest(&self, current: &Manifest, term: &Term, wall: Instant) -> Manifest {
        let hub: NodeId = self.home.node().clone();
        let (n, generation, at) = (current.n + 1, term.generation, wall.to_string());
        Manifest { n, generation, hub, at, ..current.clone() }
    }

    /// Creates a manifest. Nothing when its number is taken by one of a generation before: that is the newest now.
    ///
    /// # Errors
    /// When it is taken by one of a later generation, or the bucket cannot be asked.
    pub(super) fn publish(&mut self, manifest: &Manifest, term: &Term) -> Result<Option<Manifest>> {
        if self.seen.manifest.1 > term.generation {
            return Err(superseded(term.generation, None).into());
        }
        let text = pack(&manifest.text())?;
        let published = match self.bucket.create(&Key::manifest(manifest.n), &text)? {
            Created::New => true,
            Created::Exists => {
                let there = published::manifest(self.bucket, self.seen.cluster, manifest.n)?;
                if let Some(later) = there.as_ref().filter(|it| it.generation > term.generation) {
                    return Err(superseded(term.generation, Some(later)).into());
                }
                there.as_ref() == Some(manifest)
            }
        };
        if published {
            self.seen.meet_manifest(manifest);
            self.save()?;
        }
        Ok(published.then(|| manifest.clone()))
    }
}

/// Whether a time passed since then; one that lies ahead was noted by a clock that was wrong.
fn is_over(now: Instant, since: i64, time: i64) -> bool {
    !(0..time).contains(&now.micros().saturating_sub(since))
}

fn until(wall: Instant, time_to_live: Micros) -> String {
    let later = wall.micros().saturating_add(i64::try_from(time_to_live).unwrap_or(i64::MAX));
    Instant::from_micros(later).unwrap_or(wall).to_string()
}

/// Somebody else is hub.
pub(super) fn superseded(generation: u64, by: Option<&Manifest>) -> Failure {
    let who = match by {
        Some(manifest) => format!("{} (generation {})", manifest.hub, manifest.generation),
        None => "another node".to_owned(),
    };
    let said = format!(
        "{who} is the hub by now, and this one (generation {generation}) publishes nothing more"
    );
    Failure::new(FailureKind::Wrong, said)
}
