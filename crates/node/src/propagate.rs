//! The propagation of a home: its replica, the writer to which the replica gives its jobs, and the
//! keeper of what another node tells.

use crate::error::Result;
use crate::home::Home;
use crate::replica::{Born, Keeper, Replica, Writer};

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

    /// What keeps another node's checkpoint as it comes.
    #[must_use]
    pub fn keeper(&self) -> Keeper {
        Keeper::new(self.disk.clone())
    }

    /// Whether another node's checkpoint is whole here, and waits to be joined.
    ///
    /// # Errors
    /// When it cannot be looked at.
    pub fn checkpoint_waits(&self) -> Result<bool> {
        Ok(cocli_store::checkpoint::waits(&*self.disk)?)
    }
}
