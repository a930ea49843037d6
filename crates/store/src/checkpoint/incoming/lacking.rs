//! What is still to come of a checkpoint, for who asks for several files at once.

use cocli_core::{SortedFile, Vector};

use super::Incoming;
use crate::error::{Result, Tried};
use crate::paths;

impl Incoming {
    /// Up to where each log is merged into it.
    #[must_use]
    pub fn frontier(&self) -> &Vector {
        &self.manifest.frontier
    }

    /// The files that are not there in full length, in the order in which they are wanted, each with the bytes
    /// of its lines. [`Incoming::wanted`] reads those that are, and may want one of them again.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn lacking(&self) -> Result<Vec<(SortedFile, u64)>> {
        let mut lacking = Vec::new();
        for (file, parts) in self.manifest.sorted_files() {
            let bytes = parts.last().map_or(0, |part| part.1);
            if self.whole.contains_key(&file) {
                continue;
            }
            let path = paths::incoming(file);
            let there = self.disk.stat(&path).tried("look at", &path)?;
            let open = self.open.as_ref().is_some_and(|open| open.file == file);
            if open || there.is_none_or(|stat| stat.len < bytes) {
                lacking.push((file, bytes));
            }
        }
        Ok(lacking)
    }
}
