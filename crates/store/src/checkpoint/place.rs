//! Putting a compaction in place: one rename, then what it makes superfluous goes.

use std::collections::BTreeSet;

use cocli_core::Month;

use super::compact::{Compacted, is_damage};
use super::incoming;
use super::join::Joining;
use super::manifest::Manifest;
use super::renew;
use super::turn::Turn;
use crate::disk::{Disk, FileKind, SharedDisk};
use crate::error::{Result, Tried, if_there};
use crate::journal::Journals;
use crate::lock::HomeLock;
use crate::{names, paths};

/// A compaction whose files are durable and wait to be named.
pub struct Merged {
    /// Nobody else compacts before this has ended.
    pub(super) _turn: Turn,
    pub(super) disk: SharedDisk,
    pub(super) before: Manifest,
    pub(super) manifest: Manifest,
    pub(super) joining: Option<Joining>,
    /// It holds what was odd by older reading rules.
    pub(super) taken: bool,
    /// The new manifest, beside its place; none where nothing is new.
    pub(super) written: Option<String>,
    /// What was done.
    pub done: Compacted,
}

impl Merged {
    /// Puts the new manifest in place. Where a log was cut meanwhile, or the checkpoint is another one, what
    /// was made is of no use: the old checkpoint stays, and the next compaction takes its files away.
    ///
    /// # Errors
    /// When the disk refuses: the checkpoint is the old one, or the new one.
    pub fn place(self, lock: &HomeLock, journals: &mut Journals) -> Result<Placed> {
        // What was found damaged on the way is asked for by who can; a list that is lost costs a scrub.
        let _ = journals.save_holes(lock);
        if self.is_done() {
            return Ok(Placed { merged: self, new: true });
        }
        journals.refresh()?;
        let month = self.before.month;
        let now = Manifest::read_or_default(&*self.disk, month)?;
        if !self.stands(journals)? || now != self.before {
            return Ok(Placed { merged: self, new: false });
        }
        if let Some(written) = &self.written {
            let path = paths::manifest(month);
            self.disk.rename(written, &path).tried("put in place", &path)?;
        }
        if let Some(joining) = &self.joining {
            joining.go_on(lock, journals)?;
        }
        for (log, head) in &self.manifest.frontier.0 {
            journals.mark(log, *head);
            // A mark saves the next start some hashing, no more.
            let _ = journals.save_marks(lock, log);
        }
        Ok(Placed { merged: self, new: true })
    }

    /// Whether nothing is new, no log has to be moved, and nothing goes from the list of odd records.
    fn is_done(&self) -> bool {
        self.written.is_none()
            && !self.taken
            && self.joining.iter().all(|joining| joining.moves.is_empty())
    }

    /// Whether the logs are as the new manifest says, or will be.
    fn stands(&self, journals: &mut Journals) -> Result<bool> {
        let mut frontier = self.manifest.frontier.clone();
        if let Some(joining) = &self.joining {
            frontier.0.retain(|log, _| !joining.moves.contains_key(log));
            if !joining.stands(journals)? {
                return Ok(false);
            }
        }
        Ok(journals.standing(&frontier)? == frontier)
    }
}

/// A compaction whose manifest is in place, unless what it was made of has changed.
pub struct Placed {
    merged: Merged,
    new: bool,
}

impl Placed {
    /// Whether the checkpoint is the new one.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.new
    }

    /// The [`id`](Manifest::id) of the manifest that was made, and stands in its place if it is new.
    #[must_use]
    pub fn id(&self) -> u128 {
        self.merged.manifest.id()
    }

    /// Makes the new manifest's place durable, and then takes away what it does not name. Wants no lock.
    ///
    /// # Errors
    /// When the disk refuses: what is left over goes with the next compaction.
    pub fn clean_up(self) -> Result<()> {
        let (disk, month) = (&*self.merged.disk, self.merged.before.month);
        if self.new && self.merged.written.is_some() {
            sync_manifest(disk, month)?;
        }
        if self.new && self.merged.taken {
            renew::forget_taken(disk, month)?;
        }
        if self.new && self.merged.joining.is_some() {
            incoming::clear(disk)?;
        }
        remove_unnamed(disk, month)
    }
}

pub(super) fn sync_manifest(disk: &dyn Disk, month: Option<Month>) -> Result<()> {
    let folder = paths::checkpoint(month);
    disk.sync_folder(&folder).tried("sync", &folder)
}

/// Removes what the manifest that stands there does not name, for who has the turn. A reader of an old
/// one reads this one then. Where it cannot be read nobody knows what it names.
pub(super) fn remove_unnamed(disk: &dyn Disk, month: Option<Month>) -> Result<()> {
    let manifest = match Manifest::read_of(disk, month) {
        Err(error) if is_damage(&error) => return Ok(()),
        manifest => manifest?,
    };
    let named = manifest.files();
    let shards = manifest.shards.iter();
    let names: BTreeSet<String> =
        shards.map(|(shard, info)| paths::names(*shard, info.hash)).collect();
    if month.is_none() {
        names::remove_others(disk, &names);
    }
    let (folder, odd) = (paths::checkpoint(month), paths::odd(month));
    let there = if_there(disk.list(&folder)).tried("list", &folder)?;
    let unnamed = |(name, kind): (String, FileKind)| {
        let path = paths::in_checkpoint(month, &name);
        let ours = name.ends_with(".usv") && path != odd || name.ends_with(".new");
        (ours && kind == FileKind::File && !named.contains(&path)).then_some(path)
    };
    let unnamed: Vec<String> = there.into_iter().flatten().filter_map(unnamed).collect();
    if !unnamed.is_empty() {
        // Somebody may have died between putting it in place and this: an older one must not come back.
        sync_manifest(disk, month)?;
    }
    for path in unnamed {
        if_there(disk.remove(&path)).tried("remove", &path)?;
    }
    Ok(())
}
