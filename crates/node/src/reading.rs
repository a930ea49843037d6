//! Answers: what is known of a target, what was written, how the home is.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cocli_core::entity::DELETED;
use cocli_core::schema::POOL;
use cocli_core::{
    Causality, Datagram, Entity, Entry, Field, Head, Instant, Kind, LogId, State, Target,
};
use cocli_store::{Journals, Reader, StoreError, paths};

use crate::cards::{Placed, Shelves};
use crate::error::{NodeError, Result};
use crate::home::Home;
use crate::resolve;

/// How often a reader looks again when compactions take its files away.
const LOOKS_MAX: usize = 5;

impl Home {
    /// Reads what stands there now. A compaction may put another checkpoint in place meanwhile, and take
    /// the files of the old one away: then everything is looked at again.
    pub(crate) fn read<T>(&self, ask: impl Fn(&Reader) -> cocli_store::Result<T>) -> Result<T> {
        let look = || Reader::glance(Arc::clone(&self.disk), self.cluster(), self.node().clone());
        for _ in 0..LOOKS_MAX {
            match look().and_then(|reader| ask(&reader)) {
                Err(StoreError::Replaced { .. }) => {}
                other => return Ok(other?),
            }
        }
        Ok(look().and_then(|reader| ask(&reader))?)
    }

    /// The target that a person means; a full one need not exist.
    ///
    /// # Errors
    /// When nothing, or more than one thing, bears the name.
    pub fn resolve(&self, name: &str) -> Result<Target> {
        match resolve::spelled(name)? {
            Some(target) if name.ends_with(".md") => self.called(target),
            Some(target) => Ok(target),
            None => match &self.by_slug(name)?[..] {
                [target] => Ok(target.clone()),
                _ => resolve::by_name(&self.read(Reader::state)?, name),
            },
        }
    }

    /// The entities of the pool that bear a slug, else the removed ones: a look at one target each,
    /// where a name costs a look at all.
    fn by_slug(&self, name: &str) -> Result<Vec<Target>> {
        let spelled = |pool| Target::read(&format!("{pool}/{}", name.to_lowercase()));
        let targets: Vec<Target> = POOL.into_iter().flat_map(spelled).collect();
        self.read(|reader| {
            let (mut living, mut removed) = (Vec::new(), Vec::new());
            for target in &targets {
                let entity = reader.entity(target)?;
                match entity.removed() {
                    Some(_) => removed.push(target.clone()),
                    None if entity.is_shown() => living.push(target.clone()),
                    None => {}
                }
            }
            Ok(if living.is_empty() { removed } else { living })
        })
    }

    /// The known entity of the same collection whose slug is nearest to this target's, if one is near.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn nearest(&self, target: &Target) -> Result<Option<Target>> {
        let state = self.read(Reader::state)?;
        let others = state
            .entities()
            .map(|(t, _)| t)
            .filter(|t| t.is_entity() && t.collection() == target.collection() && *t != target);
        Ok(resolve::nearest_target(target.slug(), others))
    }

    /// What is known of a target. A card that somebody edited is first [caught up](Home::catch_up).
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn entity(&self, target: &Target) -> Result<Entity> {
        self.read(|reader| reader.entity(target))
    }

    /// What is known of a target, and who removed it (or something that it stands below), at one look.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn known(&self, target: &Target) -> Result<(Entity, Option<Entry>)> {
        self.read(|reader| Ok((reader.entity(target)?, reader.removed(target)?)))
    }

    /// All that is known.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn state(&self) -> Result<State> {
        self.read(Reader::state)
    }

    /// Takes in what people changed in the cards of `only` and of its notes and meetings, or in all cards, and puts
    /// them in place.
    ///
    /// # Errors
    /// When the disk refuses to be written: what stands in the journals can still be read.
    pub fn catch_up(&self, only: Option<&Target>, now: Instant) -> Result<Placed> {
        let edited = match only {
            Some(target) => {
                let mut targets = vec![target.clone()];
                if target.is_entity() && self.keeps_cards() {
                    targets.extend(self.convo_files(target)?);
                }
                self.cards_changed(&targets)?
            }
            None => self.cards_edited()?,
        };
        if edited.is_empty() {
            return Ok(Placed::default());
        }
        let mut session = self.session(now)?;
        session.take_in(&edited)?;
        session.place()
    }

    /// What was known of a target at a time, by the stamps of its datagrams.
    ///
    /// # Errors
    /// When the journals cannot be read, and where the value of a field then can only be told by
    /// history that is not kept here.
    pub fn entity_at(&self, target: &Target, at: Instant) -> Result<Entity> {
        let is_before = |entry: &Entry| entry.stamp.instant <= at;
        let (mut entity, mut after) = (Entity::default(), BTreeMap::<Field, Entry>::new());
        let told = self.history(Some(target), None)?.into_iter().map(|d| (d.field, d.entry));
        // What stands there still may have no history here any more.
        for (field, entry) in self.entity(target)?.fields.into_iter().chain(told) {
            if is_before(&entry) {
                entity.merge(field, entry);
                continue;
            }
            let first = after.entry(field).or_insert_with(|| entry.clone());
            if entry < *first {
                *first = entry;
            }
        }
        let Some(until) = self.history_lost_until()? else { return Ok(entity) };
        let nothing = Causality::nothing();
        let unknown = |(field, first): &(&Field, &Entry)| {
            !entity.fields.contains_key(*field) && first.causality != nothing
        };
        match after.iter().find(unknown) {
            None => Ok(entity),
            Some((field, _)) => {
                Err(NodeError::Forgotten { target: target.clone(), field: field.clone(), until })
            }
        }
    }

    /// The plain text of a field, if it has one.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn text(&self, target: &Target, field: &str) -> Result<Option<String>> {
        let entity = self.entity(target)?;
        let value = entity.value(None, &Field::read(field)?).filter(|value| !value.is_null());
        Ok(value.map(|value| value.shown().into_owned()))
    }

    /// Who removed a target, or what it stands below.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn removed(&self, target: &Target) -> Result<Option<Entry>> {
        self.read(|reader| reader.removed(target))
    }

    /// Every datagram of a target and field that the journals hold, in no order; without a target what
    /// expires is left out.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn history(&self, target: Option<&Target>, field: Option<&Field>) -> Result<Vec<Datagram>> {
        let fits = |d: &Datagram| field.is_none_or(|f| d.field == *f || d.field.base_field() == *f);
        if let Some(target) = target {
            let all = self.read(|reader| reader.history(target, None))?;
            return Ok(all.into_iter().map(|placed| placed.datagram).filter(fits).collect());
        }
        let mut all = self.recall(|_, _| true)?;
        all.retain(fits);
        Ok(all)
    }

    /// Every datagram of some node and target that is wanted, by one pass over all journals.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(crate) fn recall(
        &self,
        wanted: impl Fn(&[u8], &[u8]) -> bool + Sync,
    ) -> Result<Vec<Datagram>> {
        self.read(|reader| reader.recall(&wanted))
    }

    /// Where the whole records of each log end, synced or not.
    ///
    /// # Errors
    /// When the journals cannot be read.
    pub fn ends(&self) -> Result<BTreeMap<LogId, u64>> {
        let journals = self.journals()?;
        Ok(journals.logs().map(|log| (log.clone(), journals.end(log))).collect())
    }

    /// The datagrams between two positions of a log; odd records are left out.
    ///
    /// # Errors
    /// When the journals cannot be read.
    pub fn written_between(&self, log: &LogId, from: u64, to: u64) -> Result<Vec<Datagram>> {
        let mut all = Vec::new();
        self.each_written(&self.journals()?, log, (from, to), |datagram| all.push(datagram))?;
        Ok(all)
    }

    fn each_written(
        &self,
        journals: &Journals,
        log: &LogId,
        (from, to): (u64, u64),
        mut take: impl FnMut(Datagram),
    ) -> Result<()> {
        for section in journals.sections_between(log, from, to) {
            let stretch = section.load(&*self.disk).map_err(|source| {
                let path = section.path();
                StoreError::Io { path, doing: "read", source }
            })?;
            stretch.each(|met| met.read.into_iter().for_each(&mut take));
        }
        Ok(())
    }

    /// The targets that a log may have changed since it ended with `from`, or since its start when
    /// that is none. No answer when it does not go on from there, as it lost that branch: any of its
    /// targets may have changed.
    ///
    /// # Errors
    /// When the journals cannot be read.
    pub fn touched(
        &self,
        log: &LogId,
        from: Option<Head>,
        to: u64,
    ) -> Result<Option<BTreeSet<Target>>> {
        let mut journals = self.journals()?;
        let from = from.unwrap_or_else(|| Head::start(&self.cluster(), log));
        if journals.hash_at(log, from.position)? != Some(from.hash) {
            return Ok(None);
        }
        let (mut targets, mut hidden) = (BTreeSet::new(), BTreeSet::new());
        self.each_written(&journals, log, (from.position, to), |datagram| {
            if datagram.field.as_str() == DELETED {
                hidden.insert(datagram.target.clone());
            }
            targets.insert(datagram.target);
        })?;
        targets.extend(self.below(&hidden)?);
        Ok(Some(targets))
    }

    /// What stands below some targets: it goes and comes back with them.
    pub(crate) fn below(&self, targets: &BTreeSet<Target>) -> Result<BTreeSet<Target>> {
        if targets.is_empty() {
            return Ok(BTreeSet::new());
        }
        self.read(|reader| {
            let below = targets.iter().map(|target| Ok(reader.below(target)?.into_keys()));
            Ok(below.collect::<cocli_store::Result<Vec<_>>>()?.into_iter().flatten().collect())
        })
    }

    /// The target whose card a file of the pool is.
    #[must_use]
    pub fn target_of(&self, path: &Path) -> Option<Target> {
        let path = path.strip_prefix(self.path()).ok()?.to_str()?;
        let target = Target::read(&resolve::of_card(path)?).ok()?;
        self.called(target).ok()
    }

    /// A target as the name of a file tells it: a note or meeting may have been given that of another one.
    fn called(&self, target: Target) -> Result<Target> {
        if !Kind::of(&target).is_some_and(Kind::is_convo) {
            return Ok(target);
        }
        let shelves = Shelves::of(&*self.disk, &target)?;
        Ok(shelves.look(&target).called(target))
    }

    /// Where the card of a target stands, for a person to open.
    ///
    /// # Errors
    /// When the target has no card.
    pub fn card_path(&self, target: &Target) -> Result<String> {
        Ok(self.path().join(self.card_of(target)?).display().to_string())
    }

    /// The same, relative to the home.
    pub(crate) fn card_of(&self, target: &Target) -> Result<String> {
        let shelves = Shelves::of(&*self.disk, target)?;
        let path = shelves.look(target).card_path(target, &self.entity(target)?);
        path.ok_or_else(|| NodeError::Unknown { name: target.to_string(), nearest: None })
    }
}

/// The folder of the journals.
#[must_use]
pub fn growing(home: &Path) -> PathBuf {
    home.join(paths::WAL)
}

/// The folders of a home that are worth watching, and whether with all below them.
#[must_use]
pub fn watched(home: &Path) -> Vec<(PathBuf, bool)> {
    let folders = [(paths::WAL, false), ("companies", true), ("people", true)];
    folders.into_iter().map(|(folder, deep)| (home.join(folder), deep)).collect()
}
