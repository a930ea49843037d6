//! The files of tasks: what the journals say, for people. Nothing is taken back from them.

use std::collections::BTreeMap;
use std::io;

use cocli_core::task::{FOLDERS, Task};
use cocli_core::{Entity, Target};
use cocli_store::{Disk, FileKind, paths};
use serde_json::Value as Json;

use super::folder_of;
use crate::error::Result;
use crate::home::Home;
use crate::session::Session;

/// Puts the files of some tasks in place.
pub(super) fn put_some(
    home: &Home,
    (campaign, queue): (&str, &str),
    tasks: impl Iterator<Item = Task>,
) -> io::Result<()> {
    for folder in FOLDERS {
        home.disk.make_folder_unsynced(&paths::tasks(campaign, queue, folder))?;
    }
    for task in tasks {
        for folder in FOLDERS {
            let path = paths::task(&paths::tasks(campaign, queue, folder), &task.id);
            if folder == task.state.folder() {
                put(home, &path, &task)?;
            } else {
                take_away(&*home.disk, &path)?;
            }
        }
    }
    Ok(())
}

/// Puts all files of a queue in place, and takes away those of tasks that are no more. Of what is over a file that
/// is there is read only if `thorough`.
fn put_all(
    home: &Home,
    (campaign, queue): (&str, &str),
    entity: &Entity,
    thorough: bool,
) -> io::Result<()> {
    let tasks: BTreeMap<String, Task> =
        Task::all(entity).into_iter().map(|task| (task.id.clone(), task)).collect();
    for name in FOLDERS {
        let folder = paths::tasks(campaign, queue, name);
        home.disk.make_folder_unsynced(&folder)?;
        let mut there = BTreeMap::new();
        for (file, kind) in home.disk.list(&folder)? {
            let id = paths::task_of(&file).filter(|_| kind == FileKind::File);
            there.extend(id.map(|id| (id.to_owned(), ())));
        }
        let here = tasks.values().filter(|task| task.state.folder() == name);
        for task in here {
            let stands = there.remove(&task.id).is_some();
            if !stands || thorough || !task.state.is_over() {
                put(home, &paths::task(&folder, &task.id), task)?;
            }
        }
        for id in there.keys().filter(|id| is_ours(home, &paths::task(&folder, id), id)) {
            take_away(&*home.disk, &paths::task(&folder, id))?;
        }
    }
    Ok(())
}

/// Whether a file is one that was put there for a task: others keep files of such names there, too.
fn is_ours(home: &Home, path: &str, id: &str) -> bool {
    let bytes = home.disk.read(path).unwrap_or_default();
    let json: Json = serde_json::from_slice(&bytes).unwrap_or_default();
    let has = |field: &str| json.get(field).is_some();
    json.get("id").and_then(Json::as_str) == Some(id) && has("state") && has("payload")
}

impl Session<'_> {
    /// Puts the files of these queues in place. What cannot be is told: it is found again by the next compaction.
    pub(crate) fn place_queues(&mut self, queues: &[Target], thorough: bool) -> Result<()> {
        let folders =
            if queues.is_empty() { BTreeMap::new() } else { self.home.campaign_folders() };
        for target in queues {
            let entity = self.home.entity(target)?;
            let slug = target.slug();
            let folder = folder_of(folders.get(slug).map(String::as_str), slug);
            let name = target.as_str().rsplit('/').next().unwrap_or_default();
            if let Err(error) = put_all(self.home, (&folder, name), &entity, thorough) {
                self.met.broken.push((folder, error.to_string()));
            }
        }
        Ok(())
    }
}

/// Whether a target is that of a queue.
pub(crate) fn is_queue(target: &Target) -> bool {
    target.may_expire() && target.collection() == paths::CAMPAIGNS
}

impl Home {
    /// The queues that there are.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub(crate) fn all_queues(&self) -> Result<Vec<Target>> {
        let prefix = format!("{}/", paths::CAMPAIGNS);
        let all = self.read(|reader| reader.expiring_targets(&prefix))?;
        Ok(all.into_iter().filter(is_queue).collect())
    }
}

fn put(home: &Home, path: &str, task: &Task) -> io::Result<()> {
    let text = format!("{}\n", task.shown());
    match home.disk.read(path) {
        Ok(bytes) if bytes == text.as_bytes() => Ok(()),
        _ => swap_in(home, path, text.as_bytes()),
    }
}

/// A small file in place of another, whole for whoever reads it; a power cut may take it back.
pub(super) fn swap_in(home: &Home, path: &str, bytes: &[u8]) -> io::Result<()> {
    let fresh = paths::fresh(path);
    home.disk.put(&fresh, bytes)?;
    home.disk.rename(&fresh, path)
}

fn take_away(disk: &dyn Disk, path: &str) -> io::Result<()> {
    match disk.remove(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
