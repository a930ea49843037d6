//! Runs jobs, one after the other, each under the home's lock.

use cocli_core::{ClusterId, Instant, NodeId};
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

impl Writer {
    /// A writer for a home; nothing is opened yet.
    #[must_use]
    pub fn new(disk: SharedDisk, cluster: ClusterId, node: NodeId) -> Self {
        Self { disk, cluster, node, view: None }
    }

    /// Runs a job, waiting for the home's lock and for the disk. `who` is written into the lock; `at`
    /// is the wall clock.
    pub fn run(&mut self, job: Job, who: &str, at: Instant) -> JobDone {
        let lock = match self.open(who) {
            Ok(lock) => lock,
            Err(error) => return job.refused(&error),
        };
        let Some(view) = &mut self.view else { return job.refused(&"the home is not open") };
        let done = job.try_run(view, &lock, at);
        // A view that could not undo a failed write takes nothing any more. Any other keeps what it
        // knows: which bytes are synced cannot be read from the disk.
        if let Err(StoreError::Damaged { path, .. }) = &done
            && path == paths::WAL
        {
            self.view = None;
        }
        done.unwrap_or_else(|error| job.refused(&error))
    }

    fn open(&mut self, who: &str) -> Result<HomeLock> {
        let lock = HomeLock::take(&*self.disk, who)?;
        if self.view.is_none() {
            self.view = Some(Journals::open(self.disk.clone(), self.cluster, self.node.clone())?);
        }
        Ok(lock)
    }
}
