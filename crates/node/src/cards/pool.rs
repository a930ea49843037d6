//! The pool as a whole: which cards somebody touched, which are behind the state, whether the files
//! show what the state says.

use std::collections::{BTreeMap, BTreeSet};

use cocli_core::digest::{hash, shard};
use cocli_core::schema::POOL;
use cocli_core::{Entity, State, Target};
use cocli_store::card::kept::{self, Head};
use cocli_store::disk::FileKind;
use cocli_store::{Reader, StoreError, card};

use super::placing::shows;
use super::{
    Held, Placed, Unasked, Verdict, examine, held_as_many, kind_of, read_files, touched,
    touched_since,
};
use crate::config::Project;
use crate::error::Result;
use crate::home::Home;

impl Home {
    /// Whether this machine has cards at all.
    #[must_use]
    pub fn keeps_cards(&self) -> bool {
        self.config().cards.project == Project::All
    }

    /// Whether somebody touched the files of a target since they were put in place: one `stat` each.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn card_changed(&self, target: &Target) -> Result<bool> {
        if !self.keeps_cards() || kind_of(target).is_none() {
            return Ok(false);
        }
        touched(&*self.disk, target, &Entity::default())
    }

    /// The entities that have a folder in the pool, by shard.
    fn folders(&self) -> Result<Vec<Vec<Target>>> {
        let mut shards: Vec<Vec<Target>> = vec![Vec::new(); usize::from(u8::MAX) + 1];
        for collection in POOL {
            let names = self.disk.list(collection).map_err(|source| StoreError::Io {
                path: collection.to_string(),
                doing: "list",
                source,
            })?;
            for (name, kind) in names {
                let target = Target::read(&format!("{collection}/{name}"));
                if let (FileKind::Folder, Ok(target)) = (kind, target) {
                    shards[usize::from(shard(&target))].push(target);
                }
            }
        }
        Ok(shards)
    }

    /// Targets whose files somebody touched since they were put in place: one `stat` each, on all
    /// cores.
    ///
    /// # Errors
    /// When the home cannot be read.
    pub fn cards_edited(&self) -> Result<Vec<Target>> {
        if !self.keeps_cards() {
            return Ok(Vec::new());
        }
        let shards = self.folders()?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let mut edited = std::thread::scope(|scope| {
            let look = |part: &[Vec<Target>]| -> Result<Vec<Target>> {
                let looks = part.iter().map(|targets| self.edited_of(targets));
                Ok(looks.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
            };
            let parts = shards.chunks(shards.len().div_ceil(cores));
            let looks: Vec<_> = parts.map(|part| scope.spawn(move || look(part))).collect();
            // A thread that panicked has said so; the next look finds what it would have found.
            let found =
                looks.into_iter().map(|look| look.join().unwrap_or_else(|_| Ok(Vec::new())));
            found.collect::<Result<Vec<_>>>()
        })?
        .concat();
        edited.sort();
        Ok(edited)
    }

    /// Those of one shard's targets that somebody touched.
    fn edited_of(&self, targets: &[Target]) -> Result<Vec<Target>> {
        let Some(first) = targets.first() else { return Ok(Vec::new()) };
        let heads = kept::heads(&*self.disk, shard(first))?;
        let nothing = Entity::default();
        let edited =
            |target: &&Target| touched_since(&*self.disk, target, &nothing, heads.get(*target));
        Ok(targets.iter().filter(edited).cloned().collect())
    }

    /// Targets whose cards somebody touched, or do not show the state.
    ///
    /// # Errors
    /// When the home cannot be read.
    pub fn cards_behind(&self) -> Result<Vec<Target>> {
        if !self.keeps_cards() {
            return Ok(Vec::new());
        }
        let mut behind: BTreeSet<Target> = self.cards_edited()?.into_iter().collect();
        behind.extend(self.read(|reader| self.behind_state(reader))?);
        Ok(behind.into_iter().collect())
    }

    /// Targets whose cards do not show the state.
    fn behind_state(&self, reader: &Reader) -> cocli_store::Result<Vec<Target>> {
        let mut behind = Vec::new();
        reader.each_shard(|shard, entities| {
            let heads = kept::heads(&*self.disk, shard)?;
            let cards = entities.iter().filter(|(target, _)| kind_of(target).is_some());
            let late = cards.filter(|(target, entity)| self.is_behind(target, entity, &heads));
            behind.extend(late.map(|(target, _)| target.clone()));
            Ok(())
        })?;
        Ok(behind)
    }

    /// Whether a card does not show what is known of its entity.
    fn is_behind(&self, target: &Target, entity: &Entity, heads: &BTreeMap<Target, Head>) -> bool {
        let head = heads.get(target);
        let there = |head: &Head| self.disk.stat(&head.file).is_ok_and(|stat| stat.is_some());
        let shown = shows(entity, target).filter(|_| entity.removed().is_none());
        match (&shown, head) {
            (Some(projection), Some(head)) => projection.rev() != head.rev || !there(head),
            (Some(_), None) => true,
            (None, Some(head)) => there(head),
            (None, None) => false,
        }
    }

    /// What needs a person, without writing anything.
    pub(crate) fn look_at_cards(&self) -> Result<Placed> {
        let (mut met, unasked) = self.weigh_cards()?;
        met.held.extend(held_as_many(&unasked));
        Ok(met)
    }

    /// What needs a person whatever the other cards say, and the edits of cards without a known `_rev`.
    pub(super) fn weigh_cards(&self) -> Result<(Placed, Vec<Unasked>)> {
        let mut met = Placed::default();
        if !self.keeps_cards() {
            return Ok((met, Vec::new()));
        }
        let mut unasked = Vec::new();
        for target in self.cards_edited()? {
            let entity = self.entity(&target)?;
            match read_files(&*self.disk, &target, &entity) {
                None => {}
                Some(Err(broken)) => met.broken.push(broken),
                Some(Ok(files)) => match examine(&*self.disk, &target, &files, &entity)? {
                    Verdict::Edits { changes, known } => {
                        if !known && !changes.is_empty() && !entity.fields.is_empty() {
                            unasked.push(Unasked { target, path: files.path, changes });
                        }
                    }
                    Verdict::Broken { path, why } => met.broken.push((path, why)),
                    Verdict::Held { why, .. } => {
                        met.held.push(Held { target, path: files.path, why });
                    }
                },
            }
        }
        Ok((met, unasked))
    }

    /// A hash over what the cards show, and whether that is what the state says. What people add
    /// around fields (comments, order, white space) lives in one copy and is not part of it.
    ///
    /// # Errors
    /// When the pool cannot be read.
    pub fn pool_hash(&self, state: &State) -> Result<(u128, bool)> {
        let (mut sum, mut level) = (0_u128, true);
        if !self.keeps_cards() {
            return Ok((sum, level));
        }
        for (target, entity) in state.entities().filter(|(target, _)| kind_of(target).is_some()) {
            let removed = state.removed(target).is_some();
            let expected = shows(entity, target).filter(|_| !removed).map(|p| p.rev());
            let files = read_files(&*self.disk, target, entity).and_then(std::result::Result::ok);
            let shown = files.and_then(|files| {
                let file = card::parse(files.card.as_deref()?).ok()?;
                Some(card::rev(files.kind, &file.fields(files.kind)))
            });
            level &= expected == shown;
            if let Some(rev) = shown {
                sum = sum.wrapping_add(hash(format!("{target} {rev}").as_bytes()));
            }
        }
        Ok((sum, level))
    }
}
