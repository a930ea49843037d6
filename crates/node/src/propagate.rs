//! The propagation of a home: its replica, and the jobs that the replica gives to a writer.

use cocli_core::Instant;
use cocli_store::HomeLock;

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

    /// Runs a job under the home's lock; it may wait for the disk.
    #[must_use]
    pub fn run(&self, job: Job, at: Instant) -> JobDone {
        let opened = || {
            let lock = HomeLock::take(&*self.disk, "the daemon")?;
            Ok::<_, crate::NodeError>((lock, self.journals()?))
        };
        match opened() {
            Ok((lock, mut journals)) => job.run(&mut journals, &lock, at),
            Err(error) => JobDone::Failed { job, why: error.to_string() },
        }
    }
}
