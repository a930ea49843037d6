//! Which file of a folder of notes or meetings is of which of them. docs/cards.md, "Notes and meetings".

use std::collections::{BTreeMap, BTreeSet};

use cocli_core::digest::hash;
use cocli_core::entity::FILE;
use cocli_core::{Entity, Field, Kind, Target, Value};
use cocli_store::card;
use cocli_store::{StoreError, paths};

use super::look::{Look, named_file};
use crate::change::{Change, Intent};
use crate::convo::{in_folder, namesake, target_of};

/// The files that are known to be of a note or meeting, from what was kept of one folder.
struct Known {
    /// Of which one each file is that was put in place, and still stands there.
    held: BTreeMap<String, Target>,
    /// Those whose files are gone, by what these showed last.
    gone: Vec<(card::Rev, Target)>,
}

impl Look<'_> {
    /// Every file of an entity's notes, or meetings, and of which one it is: of the one for which it was put in place;
    /// else of one whose own file is gone, and that bears the same `_rev`, for a person renamed it; else of the one that
    /// is called so, or, where that has another file, of a new one.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub(crate) fn convos(
        &self,
        entity: &str,
        kind: Kind,
    ) -> Result<Vec<(Target, String)>, StoreError> {
        let mut there = in_folder(self.disk, entity, kind)?;
        let is_held = |(target, path): &(Target, String)| {
            self.shelf.head(target.as_str()).is_some_and(|head| head.file == *path)
        };
        if there.iter().all(is_held) {
            return Ok(there);
        }
        let mut known = self.known(entity, kind, &there);
        there.sort_by(|a, b| a.1.cmp(&b.1));
        for (target, path) in &mut there {
            if let Some(holder) = known.held.get(path) {
                *target = holder.clone();
            } else if let Some(renamed) = self.renamed_to(path, &mut known.gone) {
                *target = renamed;
            } else {
                // What is called so may have another file by now.
                let taken: BTreeSet<&Target> = known.held.values().collect();
                let name = paths::convo_of(path).map_or("", |(.., name)| name);
                let more = (1..u32::MAX).filter_map(|n| namesake(entity, kind, name, n));
                let free = std::iter::once(target.clone()).chain(more);
                *target =
                    free.into_iter().find(|one| !taken.contains(one)).unwrap_or(target.clone());
            }
        }
        Ok(there)
    }

    /// The note or meeting of the file that is called as a target: its own, or one that was given that name.
    pub(crate) fn called(&self, target: Target) -> Target {
        let Some(kind) = Kind::of(&target).filter(|kind| kind.is_convo()) else { return target };
        let there = self.convos(target.entity(), kind).unwrap_or_default();
        let found = there.into_iter().find(|(_, path)| by_name(path).as_ref() == Some(&target));
        found.map_or(target, |(of, _)| of)
    }

    fn known(&self, entity: &str, kind: Kind, there: &[(Target, String)]) -> Known {
        let there: BTreeSet<&str> = there.iter().map(|(_, path)| path.as_str()).collect();
        let mut known = Known { held: BTreeMap::new(), gone: Vec::new() };
        let folder = format!("{}/", paths::convos(entity, kind));
        for head in self.shelf.heads().filter(|head| head.target.starts_with(&folder)) {
            let Ok(target) = Target::read(head.target) else { continue };
            match there.contains(&*head.file) {
                true => drop(known.held.insert(head.file.into_owned(), target)),
                false => known.gone.push((head.rev, target)),
            }
        }
        known.gone.sort_by(|a, b| a.1.cmp(&b.1));
        known
    }

    /// The note or meeting that this file was before it was renamed; each is found once.
    fn renamed_to(&self, path: &str, gone: &mut Vec<(card::Rev, Target)>) -> Option<Target> {
        if gone.is_empty() {
            return None;
        }
        let rev = card::parse(&self.disk.read(path).ok()?).ok()?.rev()?;
        let at = gone.iter().position(|(last, target)| {
            *last == rev || self.shelf.history(target).of_rev(rev).is_some()
        })?;
        Some(gone.remove(at).1)
    }

    /// Where the file of a note or meeting stands, or is to stand.
    pub(super) fn convos_card(&self, target: &Target, entity: &Entity) -> Option<String> {
        let kind = Kind::of(target)?;
        let kept = self.shelf.head(target.as_str()).map(|head| head.file.into_owned());
        if let Some(kept) = kept.filter(|kept| self.stands(kept)) {
            return Some(kept);
        }
        let there = self.convos(target.entity(), kind).unwrap_or_default();
        let found = there.into_iter().find(|(of, _)| of == target);
        found.map(|(_, path)| path).or_else(|| self.place_of(target, entity))
    }

    /// Where the file is put: under the name that was chosen, else its own, where neither is of another one.
    fn place_of(&self, target: &Target, entity: &Entity) -> Option<String> {
        let id = target.as_str().rsplit('/').next().unwrap_or_default();
        let last = format!("{id}-{:08x}", hash(target.as_str().as_bytes()) as u32);
        let named = [named_file(entity), None, Some(last)];
        named
            .iter()
            .filter_map(|name| paths::card(target, name.as_deref()))
            .find(|path| !self.stands(path) && !self.is_of_another(target, path))
    }

    /// Where a file is to go that stands elsewhere: its name came later than what it says.
    pub(super) fn moves_to(&self, target: &Target, entity: &Entity) -> Option<(String, String)> {
        let named = paths::card(target, Some(&named_file(entity)?))?;
        let kept = self.shelf.head(target.as_str())?.file.into_owned();
        let moves = kept != named
            && self.stands(&kept)
            && !self.stands(&named)
            && !self.is_of_another(target, &named);
        moves.then_some((kept, named))
    }

    /// The field that tells of the name that a person gave a file.
    pub(super) fn renaming(&self, target: &Target, path: &str, entity: &Entity) -> Option<Change> {
        let (_, _, name) = paths::convo_of(path)?;
        let head = self.shelf.head(target.as_str())?;
        if head.file == path || named_file(entity).as_deref() == Some(name) {
            return None;
        }
        let field = Field::read(FILE).ok()?;
        Some(Change::new(target.clone(), field, Intent::Put(Value::text(name))))
    }

    fn stands(&self, path: &str) -> bool {
        matches!(self.disk.stat(path), Ok(Some(_)))
    }

    fn is_of_another(&self, target: &Target, path: &str) -> bool {
        let by_name = by_name(path);
        let is_kept = |of: &Target| self.shelf.head(of.as_str()).is_some_and(|h| h.file == path);
        match by_name {
            Some(of) if of == *target => false,
            Some(of) if is_kept(&of) => true,
            _ => self.shelf.heads().any(|head| head.file == path && head.target != target.as_str()),
        }
    }
}

/// The note or meeting that a file is called as.
fn by_name(path: &str) -> Option<Target> {
    let (of, kind, name) = paths::convo_of(path)?;
    target_of(of, kind, name)
}
