//! Hand edits in: what people changed in files becomes datagrams.

use std::collections::BTreeSet;

use cocli_core::{Entity, Target};
use cocli_store::card::place::{self, Leftover};
use cocli_store::card::{self, Projection, tags};

use super::{
    Files, Held, TakenIn, Unasked, Verdict, examine, held_as_many, kind_of, read_files, touched,
};
use crate::change::Change;
use crate::config::Project;
use crate::error::Result;
use crate::session::Session;

impl Session<'_> {
    /// Takes in what people changed in the cards of these targets, if anything.
    ///
    /// # Errors
    /// When the disk refuses. A card that does not parse is no error: it is left alone and told by
    /// [`Session::place`].
    pub fn take_in(&mut self, targets: &[Target]) -> Result<TakenIn> {
        if self.home.config().cards.project == Project::None {
            return Ok(TakenIn::default());
        }
        self.recover_swaps()?;
        let mut seen = BTreeSet::new();
        let mut changes = Vec::new();
        let mut unasked = Vec::new();
        for target in targets.iter().filter(|target| kind_of(target).is_some()) {
            if !seen.insert(target) || self.looked.contains_key(target) {
                continue;
            }
            let entity = self.entity(target)?;
            if !touched(&*self.home.disk, target, &entity)? {
                continue;
            }
            match read_files(&*self.home.disk, target, &entity) {
                None => {}
                Some(Err(broken)) => self.break_off(target, broken),
                Some(Ok(files)) => {
                    self.weigh(target, files, &entity, &mut changes, &mut unasked)?
                }
            }
        }
        self.ask(unasked, &mut changes)?;
        Ok(TakenIn { left: self.leave.clone(), ..self.write_edits(&changes)? })
    }

    /// Takes in all cards that somebody touched.
    ///
    /// # Errors
    /// As [`Session::take_in`].
    pub fn take_in_all(&mut self) -> Result<TakenIn> {
        let edited = self.home.cards_edited()?;
        self.take_in(&edited)
    }

    pub(super) fn weigh_files(
        &mut self,
        target: &Target,
        files: Files,
        entity: &Entity,
    ) -> Result<TakenIn> {
        let (mut changes, mut unasked) = (Vec::new(), Vec::new());
        self.weigh(target, files, entity, &mut changes, &mut unasked)?;
        self.ask(unasked, &mut changes)?;
        self.write_edits(&changes)
    }

    fn weigh(
        &mut self,
        target: &Target,
        files: Files,
        entity: &Entity,
        changes: &mut Vec<Change>,
        unasked: &mut Vec<Unasked>,
    ) -> Result<()> {
        match examine(&*self.home.disk, target, &files, entity)? {
            Verdict::Broken { path, why } => self.break_off(target, (path, why)),
            Verdict::Held { why, .. } => self.hold(target, &files.path, why),
            Verdict::Edits { changes: some, known } => {
                let path = files.path.clone();
                self.touched.insert(target.clone());
                self.looked.insert(target.clone(), files);
                if known || some.is_empty() || entity.fields.is_empty() {
                    changes.extend(some);
                } else {
                    unasked.push(Unasked { target: target.clone(), path, changes: some });
                }
            }
        }
        Ok(())
    }

    /// Edits of cards without a known `_rev` are taken, unless the pool has too many of them.
    fn ask(&mut self, unasked: Vec<Unasked>, changes: &mut Vec<Change>) -> Result<()> {
        if unasked.is_empty() {
            return Ok(());
        }
        let (_, all) = self.home.weigh_cards()?;
        let held = held_as_many(&all);
        for card in unasked {
            match held.iter().find(|held| held.target == card.target) {
                None => changes.extend(card.changes),
                Some(held) => {
                    self.leave.insert(card.target.clone());
                    self.looked.remove(&card.target);
                    self.met.held.push(held.clone());
                }
            }
        }
        Ok(())
    }

    fn break_off(&mut self, target: &Target, broken: (String, String)) {
        self.leave.insert(target.clone());
        self.met.broken.push(broken);
    }

    fn write_edits(&mut self, changes: &[Change]) -> Result<TakenIn> {
        if changes.is_empty() {
            return Ok(TakenIn::default());
        }
        let written = self.write("edit", changes, false)?;
        let end = (written.datagrams > 0).then_some(written.end);
        Ok(TakenIn { edits: written.datagrams, end, left: BTreeSet::new() })
    }

    /// What a crash left of cards that were being put in place may be a person's: it is taken in like
    /// a card that was found changed.
    fn recover_swaps(&mut self) -> Result<()> {
        if std::mem::replace(&mut self.swaps_seen, true) {
            return Ok(());
        }
        for left in place::leftovers(&*self.home.disk, &self.lock)? {
            let Leftover { target, path, bytes, swap, before } = left;
            let entity = self.entity(&target)?;
            let files = match (kind_of(&target), before) {
                (None, _) => None,
                (Some(kind), None) => {
                    let tags_path = cocli_store::paths::tags(&target);
                    let path = path.clone();
                    Some(Files { kind, path, card: Some(bytes), tags_path, tags: None })
                }
                (Some(_), Some(before)) => {
                    self.take_in_tags(&target, &path, &bytes, &before)?;
                    None
                }
            };
            if let Some(files) = files {
                self.weigh_files(&target, files, &entity)?;
                // Its bytes are not those that stand in the card's place.
                self.looked.remove(&target);
                self.touched.insert(target.clone());
            }
            self.done_with(&target, &path, &swap)?;
        }
        Ok(())
    }

    /// What was found in a card's place is taken in; what waits for a person gets its place back, for
    /// everybody to see.
    pub(super) fn done_with(&mut self, target: &Target, path: &str, swap: &str) -> Result<()> {
        let (disk, lock) = (&*self.home.disk, &self.lock);
        if !self.leave.contains(target) {
            return Ok(place::forget(disk, lock, swap)?);
        }
        let aside = place::give_back(disk, lock, target, path, swap)?;
        self.met.aside.extend(aside.map(|aside| (path.to_string(), aside)));
        Ok(())
    }

    /// Takes in a list of tags that was found in its place; one that cannot be taken in waits for a
    /// person.
    pub(super) fn take_in_tags(
        &mut self,
        target: &Target,
        path: &str,
        bytes: &[u8],
        before: &Projection,
    ) -> Result<()> {
        let entity = self.entity(target)?;
        let tags = match tags::read(bytes) {
            Ok(tags) => tags,
            Err(error) => {
                self.break_off(target, (path.to_string(), error.to_string()));
                return Ok(());
            }
        };
        let edits = card::tag_edits(before, &tags, Some(&entity));
        match super::verdict(target, &entity, &edits, true) {
            Verdict::Edits { changes, .. } => {
                self.touched.insert(target.clone());
                self.write_edits(&changes).map(drop)
            }
            Verdict::Held { why, .. } => {
                self.hold(target, path, why);
                Ok(())
            }
            Verdict::Broken { .. } => Ok(()),
        }
    }

    fn hold(&mut self, target: &Target, path: &str, why: String) {
        self.leave.insert(target.clone());
        self.met.held.push(Held { target: target.clone(), path: path.to_string(), why });
    }
}
