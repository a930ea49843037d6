//! The propagation of a home: its replica, and the writer to which the replica gives its jobs.

use crate::error::Result;
use crate::home::Home;
use crate::replica::{Born, Replica, Writer};

impl Home {
    /// The replica over this home's journals. Its clock begins at zero.
    ///
    /// # Errors
    /// When the journals cannot be read.
    pub fn replica(&self, born: Born) -> Result<Replica> {
        Ok(Replica::new(self.journals()?, born, 0)?)
    }

    /// What runs the replica's jobs.
    #[must_use]
    pub fn writer(&self) -> Writer {
        Writer::new(self.disk.clone(), self.cluster(), self.node().clone())
    }
}
