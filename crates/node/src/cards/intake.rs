//! Hand edits in: what people changed in files becomes datagrams.

use std::collections::{BTreeMap, HashSet};

use cocli_core::{Causality, Entity, Kind, Target};
use cocli_store::card::place::{self, Leftover};
use cocli_store::card::{self, Projection, tags};
use cocli_store::paths;

use super::look::{Look, verdict};
use super::shelves::by_shard;
use super::{Files, Held, Shelves, TakenIn, Unasked, Verdict, held_as_many};
use crate::change::{Change, Intent};
use crate::config::Project;
use crate::convo::implied;
use crate::error::Result;
use crate::session::Session;

/// Bytes of files that are held between their taking in and their putting in place.
const LOOKED_BYTES_MAX: usize = 32 * 1024 * 1024;

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
        let disk = self.home.disk.clone();
        let open =
            |target: &&Target| Kind::of(target).is_some() && !self.looked.contains_key(target);
        let targets = by_shard(targets.iter().filter(open).cloned());
        let (mut rest, mut changes, mut unasked) = (&targets[..], Vec::new(), Vec::new());
        while !rest.is_empty() {
            let (shelves, some) = Shelves::next(&*disk, &mut rest)?;
            self.take_in_some(&shelves, some, &mut changes, &mut unasked)?;
            if !rest.is_empty() {
                self.make_room();
            }
        }
        self.ask(unasked, &mut changes)?;
        Ok(TakenIn { left: self.leave.clone(), ..self.write_edits(&changes)? })
    }

    /// Leaves cards without a known `_rev` for later, since more of them may come: how many there are
    /// decides. [`Session::revless`] tells which.
    pub fn let_revless_wait(&mut self) {
        self.revless.get_or_insert_default();
    }

    /// Cards that were left for later.
    pub fn revless(&mut self) -> Vec<Target> {
        self.revless.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// What was read of one batch is read again when it is put in place, unless it is little.
    fn make_room(&mut self) {
        let of = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len);
        let held: usize = self.looked.values().map(|f| of(&f.card) + of(&f.tags)).sum();
        if held > LOOKED_BYTES_MAX {
            self.looked.clear();
        }
        self.forget_entities();
    }

    fn take_in_some(
        &mut self,
        shelves: &Shelves<'_>,
        targets: &[Target],
        changes: &mut Vec<Change>,
        unasked: &mut Vec<Unasked>,
    ) -> Result<()> {
        // Of a person the state may name the file.
        self.load(targets.iter().filter(|target| Kind::of(target) == Some(Kind::Person)))?;
        let touched = shelves.touched(targets, self.known());
        self.let_saves_end(shelves, &touched);
        self.load(touched.iter().copied())?;
        for target in touched {
            let (look, entity) = (shelves.look(target), self.entity(target)?);
            match look.read_saved(target, &entity, &self.quiet) {
                None => {}
                Some(Err(broken)) => self.break_off(target, broken),
                Some(Ok(files)) => self.weigh(look, target, files, &entity, changes, unasked),
            }
        }
        Ok(())
    }

    /// An editor may be in the midst of a save.
    fn let_saves_end(&self, shelves: &Shelves<'_>, touched: &[&Target]) {
        let nothing = Entity::default();
        let files = |target: &&Target| {
            let entity = self.known().get(*target).unwrap_or(&nothing);
            let card = shelves.look(target).card_path(target, entity);
            card.into_iter().chain(paths::tags(target))
        };
        let files: Vec<String> = touched.iter().flat_map(files).collect();
        self.quiet.wait(&*self.home.disk, files.iter().map(String::as_str));
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
        let disk = self.home.disk.clone();
        let shelves = Shelves::of(&*disk, target)?;
        self.weigh(shelves.look(target), target, files, entity, &mut changes, &mut unasked);
        self.ask(unasked, &mut changes)?;
        self.write_edits(&changes)
    }

    fn weigh(
        &mut self,
        look: Look<'_>,
        target: &Target,
        files: Files,
        entity: &Entity,
        changes: &mut Vec<Change>,
        unasked: &mut Vec<Unasked>,
    ) {
        match look.examine(target, &files, entity) {
            Verdict::Broken { path, why } => self.break_off(target, (path, why)),
            Verdict::Held { why, .. } => self.hold(target, &files.path, why),
            Verdict::Edits { changes: mut some, known } => {
                let path = files.path.clone();
                changes.extend(look.renaming(target, &path, entity));
                if entity.fields.is_empty() && files.kind.is_convo() && !some.is_empty() {
                    let has = |field: &str| some.iter().any(|one| one.field.as_str() == field);
                    some.extend(implied(target, &path, &has, self.now));
                }
                self.touched.insert(target.clone());
                self.looked.insert(target.clone(), files);
                if known || some.is_empty() || entity.fields.is_empty() {
                    changes.extend(some);
                } else {
                    unasked.push(Unasked { target: target.clone(), path, changes: some });
                }
            }
        }
    }

    /// Edits of cards without a known `_rev` are taken, unless the pool has too many of them.
    fn ask(&mut self, unasked: Vec<Unasked>, changes: &mut Vec<Change>) -> Result<()> {
        if unasked.is_empty() {
            return Ok(());
        }
        if let Some(revless) = &mut self.revless {
            for card in unasked {
                self.leave.insert(card.target.clone());
                self.looked.remove(&card.target);
                revless.push(card.target);
            }
            return Ok(());
        }
        let (_, all) = self.home.weigh_cards()?;
        let held = held_as_many(&all);
        let mut held: BTreeMap<Target, Held> =
            held.into_iter().map(|held| (held.target.clone(), held)).collect();
        for card in unasked {
            match held.remove(&card.target) {
                None => changes.extend(card.changes),
                Some(held) => {
                    self.leave.insert(card.target.clone());
                    self.looked.remove(&card.target);
                    self.met.held.push(held);
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
        let changes = self.not_yet_taken(changes)?;
        if changes.is_empty() {
            return Ok(TakenIn::default());
        }
        let written = self.write("edit", &changes, false)?;
        for (target, by) in &written.refused {
            // Of what stands below something that was removed nobody else says so.
            let path = self.home.card_of(target)?;
            if !self.leave.contains(target) {
                let node = &by.stamp.node;
                self.hold(target, &path, format!("what it stands below was removed by {node}"));
            }
        }
        let end = (written.datagrams > 0).then_some(written.end);
        Ok(TakenIn { edits: written.datagrams, end, ..TakenIn::default() })
    }

    /// The changes but for those that were taken in before: an editor saves an old buffer again, or a card
    /// could not be put in place after its edit was taken in. Else they would beat what came meanwhile.
    fn not_yet_taken(&mut self, changes: &[Change]) -> Result<Vec<Change>> {
        self.load(changes.iter().map(|change| &change.target))?;
        let overtaken = |change: &&Change| {
            let winner = self.known().get(&change.target).and_then(|e| e.fields.get(&change.field));
            let seen = change.seen.as_deref().unwrap_or_default();
            winner.is_some_and(|winner| !seen.contains(&winner.stamp))
        };
        let targets: HashSet<&[u8]> =
            changes.iter().filter(overtaken).map(|c| c.target.as_str().as_bytes()).collect();
        if targets.is_empty() {
            return Ok(changes.to_vec());
        }
        let own = self.home.node().as_str().as_bytes();
        let past = self.home.recall(|node, target| node == own && targets.contains(target))?;
        let past: HashSet<_> = past
            .iter()
            .map(|d| (&d.target, &d.field, Intent::Put(d.entry.value.clone()), &d.entry.causality))
            .collect();
        let taken = |change: &Change| {
            let saw = Causality::saw(change.seen.iter().flatten());
            past.contains(&(&change.target, &change.field, change.intent.clone(), &saw))
        };
        Ok(changes.iter().filter(|change| !taken(change)).cloned().collect())
    }

    /// What a crash left of cards that were being put in place may be a person's: it is taken in like
    /// a card that was found changed.
    fn recover_swaps(&mut self) -> Result<()> {
        if std::mem::replace(&mut self.swaps_seen, true) {
            return Ok(());
        }
        let left = place::leftovers(&*self.home.disk, &self.lock, &self.quiet)?;
        self.met.aside.extend(left.aside);
        for left in left.files {
            let Leftover { target, path, bytes, swap, before } = left;
            let (entity, taken) = (self.entity(&target)?, bytes.clone());
            let files = match (Kind::of(&target), before) {
                (None, _) => None,
                (Some(kind), None) => {
                    let tags_path = paths::tags(&target);
                    let path = path.clone();
                    Some(Files {
                        kind,
                        path,
                        card: Some(bytes),
                        tags_path,
                        tags: None,
                        tags_mark: None,
                    })
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
            self.done_with(&target, &path, &swap, &taken)?;
        }
        Ok(())
    }

    /// What was found in a card's place is taken in; what waits for a person gets its place back, for
    /// everybody to see.
    pub(super) fn done_with(
        &mut self,
        target: &Target,
        path: &str,
        swap: &str,
        taken: &[u8],
    ) -> Result<()> {
        let (disk, lock) = (&*self.home.disk, &self.lock);
        if !self.leave.contains(target) {
            return Ok(place::forget(disk, lock, swap, taken)?);
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
        match verdict(target, &entity, &edits, true) {
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
