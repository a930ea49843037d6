//! The propagation of a home: its replica, and the jobs that the replica gives to a writer.

use cocli_core::Instant;
use cocli_store::{HomeLock, Journals};

use crate::error::Result;
use crate::home::Home;
use crate::replica::{Born, Job, JobDone, Replica};

impl Home {
    /// The replica over this home's journals. Its clock begins at zero.
    ///
    /// # Errors
    /// When the journals cannot be read.
    pub fn replica(&self, born: Born) -> Result<Replica> {
        Ok(Replica::new(self.journals()?, born, 0)?)
    }

    /// What runs the replica's jobs.
    ///
    /// # Errors
    /// When the journals cannot be read.
    pub fn writer(&self) -> Result<Writer> {
        Ok(Writer { home: self.again()?, journals: self.journals()? })
    }
}

/// Runs the replica's jobs, each under the home's lock; it may wait for the disk.
#[derive(Debug)]
pub struct Writer {
    home: Home,
    /// Kept between jobs: a look at what changed costs less than a look at all.
    journals: Journals,
}

impl Writer {
    /// Runs a job.
    #[must_use]
    pub fn run(&mut self, job: Job, at: Instant) -> JobDone {
        let done = match HomeLock::take(&*self.home.disk, "the daemon") {
            Err(error) => return JobDone::Failed { job, why: error.to_string() },
            Ok(lock) => match self.journals.refresh() {
                Err(error) => JobDone::Failed { job, why: error.to_string() },
                Ok(()) => job.run(&mut self.journals, &lock, at),
            },
        };
        let failed = matches!(done, JobDone::Failed { .. } | JobDone::CommitFailed { .. });
        if failed && let Ok(journals) = self.home.journals() {
            self.journals = journals;
        }
        done
    }
}
