//! Files beside the cards, which stay on this machine: an attachment, a picture, somebody's own text.

use cocli_core::{Kind, Target};
use cocli_store::disk::FileKind;
use cocli_store::side::by_side;
use cocli_store::{Disk, paths};

use crate::error::Result;
use crate::home::Home;

/// Entities above which nobody waits for this to be counted.
const ENTITIES_MAX: usize = 20_000;
/// The same of whoever looks again and again.
const ENTITIES_MAX_OFTEN: usize = 2_000;
/// Folders below an entity's that are looked into, one in the other.
const DEPTH_MAX: usize = 4;

impl Home {
    /// How many there are in the folders of companies and people; nothing where these are too many to look into
    /// each. Where it is known how many `entities` there are somebody watches them, and asks often. What begins with a
    /// dot does not count.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub(crate) fn other_files(&self, entities: Option<usize>) -> Result<Option<usize>> {
        if entities.is_some_and(|entities| entities > ENTITIES_MAX_OFTEN) {
            return Ok(None);
        }
        let folders = self.folders()?;
        if folders.len() > ENTITIES_MAX {
            return Ok(None);
        }
        let count = |places: &&[(u8, u32)]| -> usize {
            folders.targets(places).iter().map(|target| others(&*self.disk, target)).sum()
        };
        Ok(Some(by_side(&folders.shards(), count).into_iter().sum()))
    }
}

fn others(disk: &dyn Disk, target: &Target) -> usize {
    let (mut files, mut cards, mut folders) = (0, 0, Vec::new());
    // What cannot be listed is told by who looks at the cards.
    let _ = disk.list_each(target.as_str(), &mut |name, kind| match kind {
        FileKind::File if is_card(target, name) => cards += 1,
        FileKind::File if !name.starts_with('.') => files += 1,
        FileKind::Folder if !name.starts_with('.') => folders.push(name.to_owned()),
        _ => {}
    });
    // Of a person's texts one is the card.
    let texts = if Kind::of(target) == Some(Kind::Person) { cards.max(1) - 1 } else { 0 };
    let below = folders.iter().map(|name| below(disk, &format!("{target}/{name}"), DEPTH_MAX));
    files + texts + below.sum::<usize>()
}

fn is_card(target: &Target, name: &str) -> bool {
    match Kind::of(target) {
        Some(Kind::Person) => name.ends_with(".md"),
        _ => {
            let path = format!("{target}/{name}");
            paths::card(target, None).as_ref() == Some(&path)
                || paths::tags(target).as_ref() == Some(&path)
        }
    }
}

/// Those in a folder and below it that are no notes and no meetings.
fn below(disk: &dyn Disk, folder: &str, depth: usize) -> usize {
    let (mut files, mut folders) = (0, Vec::new());
    let _ = disk.list_each(folder, &mut |name, kind| {
        let path = format!("{folder}/{name}");
        match kind {
            _ if name.starts_with('.') => {}
            FileKind::File if paths::convo_of(&path).is_none() => files += 1,
            FileKind::Folder if depth > 0 => folders.push(path),
            _ => {}
        }
    });
    files + folders.iter().map(|path| below(disk, path, depth - 1)).sum::<usize>()
}
