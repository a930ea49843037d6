//! Runs jobs, one after the other, each under the home's lock. A sync takes its time without the lock,
//! and appends go on beside it.

use cocli_core::{ClusterId, Instant, NodeId};
use cocli_store::journal::{Durable, SyncEnd, SyncPlan};
use cocli_store::{HomeLock, Journals, Result, SharedDisk};

use super::event::{Job, JobDone};
use super::job::recover;

/// What the writer thread owns. Jobs are to be run in the order in which they came.
#[derive(Debug)]
pub struct Writer {
    disk: SharedDisk,
    cluster: ClusterId,
    node: NodeId,
    /// Its view of the journals.
    view: Option<Journals>,
}

/// What came of beginning a job.
#[derive(Debug)]
pub enum Begun {
    /// It is done.
    Done(JobDone),
    /// It waits for the disk: [`Syncing::run`] it anywhere, and give it back to [`Writer::end`].
    /// Until then only [`Job::Append`] may be begun.
    Syncing(Syncing),
}

/// What is done under the lock at first.
enum First {
    Done(JobDone),
    Sync(SyncPlan),
}

/// A sync under way.
#[derive(Debug, Clone)]
pub struct Syncing {
    disk: SharedDisk,
    plan: SyncPlan,
    /// It belongs to a look at the files.
    rescan: bool,
}

impl Syncing {
    /// Waits for the disk.
    #[must_use]
    pub fn run(self) -> Synced {
        Synced { end: self.plan.run(&*self.disk), rescan: self.rescan }
    }
}

/// A sync that is over.
#[derive(Debug)]
pub struct Synced {
    end: SyncEnd,
    rescan: bool,
}

impl Writer {
    /// A writer for a home; nothing is opened yet.
    #[must_use]
    pub fn new(disk: SharedDisk, cluster: ClusterId, node: NodeId) -> Self {
        Self { disk, cluster, node, view: None }
    }

    /// Begins a job, waiting for the home's lock. `who` is written into the lock; `at` is the wall
    /// clock.
    pub fn begin(&mut self, job: Job, who: &str, at: Instant) -> Begun {
        let rescan = matches!(job, Job::Rescan { .. });
        let begun = self.under_lock(who, |view, lock| {
            if !matches!(job, Job::Append(_)) {
                view.refresh()?;
            }
            match &job {
                Job::Sync => {}
                Job::Rescan { epoch } => recover(view, lock, at, epoch)?,
                job => return job.run(view, lock, at).map(First::Done),
            }
            Ok(First::Sync(view.sync_plan(lock)))
        });
        match begun {
            Ok(First::Done(done)) => Begun::Done(done),
            Ok(First::Sync(plan)) => {
                let syncing = Syncing { disk: self.disk.clone(), plan, rescan };
                // Nothing to wait for.
                if syncing.plan.is_empty() {
                    return Begun::Done(self.end(syncing.run(), who));
                }
                Begun::Syncing(syncing)
            }
            Err(error) => Begun::Done(job.refused(&error)),
        }
    }

    /// Takes note of what a sync came to.
    pub fn end(&mut self, synced: Synced, who: &str) -> JobDone {
        let Synced { end, rescan } = synced;
        // Also where the lock cannot be had: what failed must not be taken for durable by the next.
        if let Some(view) = &mut self.view {
            view.distrust(&end);
        }
        let ended = self.under_lock(who, |view, lock| {
            let Durable { heads, lost, failed } = view.synced(lock, end)?;
            let failed = failed.map(|error| error.to_string());
            if !rescan {
                return Ok(JobDone::Synced { heads, lost, failed });
            }
            // Days may have moved, or gone, while the sync went on.
            view.refresh()?;
            let heads = view.vector()?.0.into_iter().collect();
            Ok(JobDone::Rescanned { own: view.own().clone(), heads, lost, failed })
        });
        ended.unwrap_or_else(|error| match rescan {
            true => JobDone::RescanFailed { why: error.to_string() },
            false => Job::Sync.refused(&error),
        })
    }

    /// Runs a job from its beginning to its end.
    pub fn run(&mut self, job: Job, who: &str, at: Instant) -> JobDone {
        match self.begin(job, who, at) {
            Begun::Done(done) => done,
            Begun::Syncing(syncing) => self.end(syncing.run(), who),
        }
    }

    fn under_lock<T>(
        &mut self,
        who: &str,
        act: impl FnOnce(&mut Journals, &HomeLock) -> Result<T>,
    ) -> Result<T> {
        let lock = HomeLock::take(&*self.disk, who)?;
        let view = match &mut self.view {
            Some(view) => view,
            none => {
                none.insert(Journals::open(self.disk.clone(), self.cluster, self.node.clone())?)
            }
        };
        act(view, &lock)
    }
}
