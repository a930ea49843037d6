//! What stands in `.cocli/` of a home while it is cloned: what it is made from. As long as it stands there the
//! home is none.

use std::path::Path;

use cocli_store::{Disk, paths};
use serde::{Deserialize, Serialize};

use crate::error::{NodeError, Result};
use crate::home::{Home, failed, read_if_there, replace};

/// A clone that is under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    /// The bucket, as the configuration is to name it.
    pub(super) url: String,
    /// The cluster of that bucket.
    pub(super) cluster: String,
    /// The public half of the key that stands in the home, as hex.
    pub(super) public: String,
    /// The time that is gone back to; none for a member.
    pub(super) at: Option<String>,
    /// All records stand in the own log.
    pub(super) filled: bool,
}

impl Mark {
    pub(super) fn write(&self, disk: &dyn Disk) -> Result<()> {
        replace(disk, paths::CLONING, &serde_json::to_vec(self).unwrap_or_default())
    }

    /// What it is a clone of, for a person.
    fn said(&self) -> String {
        match &self.at {
            Some(at) => format!("{} as it was at {at}", self.url),
            None => self.url.clone(),
        }
    }
}

/// What an earlier try left, if it was the same one; refuses where a home stands, or half another clone.
pub(super) fn take_over(disk: &dyn Disk, path: &Path, wanted: &Mark) -> Result<Option<Mark>> {
    let shown = || path.display().to_string();
    let Some(text) = read_if_there(disk, paths::CLONING)? else {
        return match Home::stands(disk)? {
            true => Err(NodeError::HomeExists(shown())),
            false => Ok(None),
        };
    };
    let left: Option<Mark> = serde_json::from_slice(&text).ok();
    let Some(left) = left else {
        let what = "expected what a clone is made from: remove the folder".to_owned();
        return Err(NodeError::Own { path: paths::CLONING, what });
    };
    let of = |mark: &Mark| (mark.url.clone(), mark.cluster.clone(), mark.at.clone());
    match of(&left) == of(wanted) {
        true => Ok(Some(left)),
        false => Err(NodeError::OtherClone { path: shown(), of: left.said() }),
    }
}

/// From now on it is a home.
pub(super) fn remove(disk: &dyn Disk) -> Result<()> {
    disk.remove(paths::CLONING).map_err(|e| failed(paths::CLONING, "remove", e))?;
    disk.sync_folder(paths::OWN).map_err(|e| failed(paths::OWN, "sync", e))
}
