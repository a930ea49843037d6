//! Dumps of how home and daemon are, for whoever is asked for help: files that stay on this machine.

use std::path::PathBuf;

use cocli_core::Instant;
use cocli_store::paths;

use crate::error::Result;
use crate::home::{Home, failed, replace};

/// Dumps that are kept.
const KEPT: usize = 16;

impl Home {
    /// Keeps the text of a dump, and no more of the older ones than are kept; gives where it stands.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn keep_dump(&self, at: Instant, text: &[u8]) -> Result<PathBuf> {
        let disk = &*self.disk;
        let made = disk.make_folder(paths::DUMPS);
        made.map_err(|error| failed(paths::DUMPS, "make the folder", error))?;
        let path = paths::dump(at);
        replace(disk, &path, text)?;
        let listed = disk.list(paths::DUMPS);
        let listed = listed.map_err(|error| failed(paths::DUMPS, "list", error))?;
        // Their names are times: they sort as they were written.
        let mut names: Vec<String> = listed.into_iter().map(|(name, _)| name).collect();
        names.retain(|name| name.ends_with(".json"));
        names.sort();
        for name in names.iter().rev().skip(KEPT) {
            // One that stays takes some room, and nothing else.
            let _ = disk.remove(&format!("{}/{name}", paths::DUMPS));
        }
        Ok(self.path().join(path))
    }
}
