//! Runs jobs, one after the other, each under the home's lock. A sync takes its time without the lock,
//! and appends go on beside it.

use cocli_core::{ClusterId, Instant, NodeId};
use cocli_store::journal::{Durable, SyncEnd, SyncPlan};
use cocli_store::{HomeLock, Journals, Result, SharedDisk, StoreError, paths};

use super::event::{Job, JobDone};

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

/// A sync under way.
#[derive(Debug, Clone)]
pub struct Syncing {
    disk: SharedDisk,
    plan: SyncPlan,
}

impl Syncing {
    /// Waits for the disk.
    #[must_use]
    pub fn run(self) -> SyncEnd {
        self.plan.run(&*self.disk)
    }
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
        if job == Job::Sync {
            return match self.plan(who) {
                Ok(plan) if plan.is_empty() => Begun::Done(JobDone::nothing_to_sync()),
                Ok(plan) => Begun::Syncing(Syncing { disk: self.disk.clone(), plan }),
                Err(error) => Begun::Done(job.refused(&error)),
            };
        }
        let done = self.under_lock(who, |view, lock| job.run(view, lock, at));
        Begun::Done(done.unwrap_or_else(|error| job.refused(&error)))
    }

    /// Takes note of what a sync came to.
    pub fn end(&mut self, end: SyncEnd, who: &str) -> JobDone {
        match self.under_lock(who, |view, lock| view.synced(lock, end)) {
            Ok(Durable { heads, lost, failed }) => {
                let failed = failed.map(|error| error.to_string());
                JobDone::Synced { heads, lost, failed }
            }
            Err(error) => Job::Sync.refused(&error),
        }
    }

    /// Runs a job from its beginning to its end.
    pub fn run(&mut self, job: Job, who: &str, at: Instant) -> JobDone {
        match self.begin(job, who, at) {
            Begun::Done(done) => done,
            Begun::Syncing(syncing) => self.end(syncing.run(), who),
        }
    }

    fn plan(&mut self, who: &str) -> Result<SyncPlan> {
        self.under_lock(who, |view, _| {
            view.refresh()?;
            Ok(view.sync_plan())
        })
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
        let done = act(view, &lock);
        // A view that could not undo a failed write takes nothing any more. Any other keeps what it
        // knows: which bytes are synced cannot be read from the disk.
        if let Err(StoreError::Damaged { path, .. }) = &done
            && path == paths::WAL
        {
            self.view = None;
        }
        done
    }
}
