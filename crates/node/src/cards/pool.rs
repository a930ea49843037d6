//! The pool as a whole: which cards somebody touched, which are behind the state, whether the files
//! show what the state says.

use std::collections::{BTreeSet, HashMap};

use cocli_core::digest::{hash, shard};
use cocli_core::schema::POOL;
use cocli_core::{Entity, Kind, State, Target};
use cocli_store::card::kept::{Head, Shelf};
use cocli_store::card::place;
use cocli_store::disk::FileKind;
use cocli_store::side::by_side;
use cocli_store::{Reader, StoreError, card};

use super::look::Look;
use super::placing::shows;
use super::shelves::by_shard;
use super::{Held, Placed, Shelves, Unasked, Verdict, held_as_many};
use crate::config::Project;
use crate::error::Result;
use crate::home::Home;

impl Home {
    /// Whether this machine has cards at all.
    #[must_use]
    pub fn keeps_cards(&self) -> bool {
        self.config().cards.project == Project::All
    }

    /// Those of some targets whose files somebody touched since they were put in place, in the order in which
    /// they are worked on.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn cards_changed(&self, targets: &[Target]) -> Result<Vec<Target>> {
        if !self.keeps_cards() {
            return Ok(Vec::new());
        }
        let targets = by_shard(targets.iter().filter(|t| Kind::of(t).is_some()).cloned());
        let (mut rest, mut changed) = (&targets[..], Vec::new());
        while !rest.is_empty() {
            let (shelves, some) = Shelves::next(&*self.disk, &mut rest)?;
            changed.extend(shelves.touched(some, &HashMap::new()).into_iter().cloned());
        }
        Ok(changed)
    }

    /// The entities that have a folder in the pool.
    pub(super) fn folders(&self) -> Result<Folders> {
        let mut folders = Folders::default();
        for collection in POOL {
            let mut take = |name: &str, kind| {
                if kind == FileKind::Folder {
                    folders.put(&format!("{collection}/{name}"));
                }
            };
            self.disk.list_each(collection, &mut take).map_err(|source| StoreError::Io {
                path: collection.to_string(),
                doing: "list",
                source,
            })?;
        }
        folders.places.sort_unstable();
        Ok(folders)
    }

    /// Targets whose files somebody touched since they were put in place (one `stat` each, on all
    /// cores), or of which a crash left something.
    ///
    /// # Errors
    /// When the home cannot be read.
    pub fn cards_edited(&self) -> Result<Vec<Target>> {
        if !self.keeps_cards() {
            return Ok(Vec::new());
        }
        let folders = self.folders()?;
        let edited = by_side(&folders.shards(), |places| self.edited_of(&folders.targets(places)));
        let mut edited = edited.into_iter().collect::<Result<Vec<_>>>()?.concat();
        edited.extend(place::left_behind(&*self.disk)?);
        edited.sort();
        edited.dedup();
        Ok(edited)
    }

    /// Those of one shard's targets that somebody touched.
    fn edited_of(&self, targets: &[Target]) -> Result<Vec<Target>> {
        let shelf = Shelf::read(&*self.disk, targets.first().map_or(0, shard))?;
        let look = Look { disk: &*self.disk, shelf: &shelf };
        let nothing = Entity::default();
        let touched = |target: &Target| look.touched(target, &nothing);
        let mut edited: Vec<Target> = targets.iter().filter(|of| touched(of)).cloned().collect();
        for entity in targets {
            for kind in Kind::CONVOS {
                let there = look.convos(entity.as_str(), kind)?;
                edited.extend(there.into_iter().map(|(target, _)| target).filter(touched));
            }
        }
        Ok(edited)
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
        let behind = reader.by_shard(|shard, entities| {
            let shelf = Shelf::read(&*self.disk, shard)?;
            let cards = entities.iter().filter(|(target, _)| Kind::of(target).is_some());
            let is_removed = |above: &str| {
                let above = Target::read(above).ok();
                above.and_then(|above| entities.get(&above)?.removed()).is_some()
            };
            let removed = |target: &Target, entity: &Entity| {
                entity.removed().is_some() || target.lineage().skip(1).any(is_removed)
            };
            let late = cards.filter(|(target, entity)| {
                let head = shelf.head(target.as_str());
                self.is_behind((target, entity), removed(target, entity), head.as_ref())
            });
            Ok(late.map(|(target, _)| target.clone()).collect::<Vec<_>>())
        })?;
        Ok(behind.concat())
    }

    /// How many companies and people have no card.
    pub(crate) fn without_card(&self) -> Result<usize> {
        if !self.keeps_cards() {
            return Ok(0);
        }
        let counts = self.read(|reader| {
            reader.by_shard(|shard, entities| {
                let shelf = Shelf::read(&*self.disk, shard)?;
                let lacks = |target: &Target| {
                    let head = shelf.head(target.as_str());
                    let file = head.map(|head| self.disk.stat(&head.file));
                    file.is_none_or(|stat| matches!(stat, Ok(None)))
                };
                let shown = entities.iter().filter(|(target, entity)| {
                    target.is_entity()
                        && Kind::of(target).is_some()
                        && entity.removed().is_none()
                        && shows(entity, target).is_some()
                });
                Ok(shown.filter(|(target, _)| lacks(target)).count())
            })
        })?;
        Ok(counts.into_iter().sum())
    }

    /// Whether a card does not show what is known of its entity.
    fn is_behind(
        &self,
        (target, entity): (&Target, &Entity),
        removed: bool,
        head: Option<&Head<'_>>,
    ) -> bool {
        let there = |head: &Head<'_>| self.disk.stat(&head.file).is_ok_and(|stat| stat.is_some());
        let shown = shows(entity, target).filter(|_| !removed);
        match (&shown, head) {
            (Some(projection), Some(head)) => projection.rev() != head.rev || !there(head),
            (Some(_), None) => true,
            (None, Some(head)) => there(head),
            (None, None) => false,
        }
    }

    /// What needs a person, without writing anything.
    pub(crate) fn look_at_cards(&self) -> Result<Placed> {
        Ok(with_many(self.weigh_cards()?))
    }

    /// The same of the cards that may have been `touched`, where that is known, else of all.
    pub(crate) fn look_at(&self, touched: Option<&[Target]>) -> Result<Placed> {
        match touched {
            Some(touched) => Ok(with_many(self.weigh_these(self.cards_changed(touched)?)?)),
            None => self.look_at_cards(),
        }
    }

    /// What needs a person whatever the other cards say, and the edits of cards without a known `_rev`.
    pub(super) fn weigh_cards(&self) -> Result<(Placed, Vec<Unasked>)> {
        match self.keeps_cards() {
            true => self.weigh_these(self.cards_edited()?),
            false => Ok((Placed::default(), Vec::new())),
        }
    }

    fn weigh_these(&self, edited: Vec<Target>) -> Result<(Placed, Vec<Unasked>)> {
        let mut met = Placed::default();
        let targets = by_shard(edited);
        let (mut rest, mut unasked) = (&targets[..], Vec::new());
        while !rest.is_empty() {
            let (shelves, some) = Shelves::next(&*self.disk, &mut rest)?;
            let wanted = some.iter().cloned().collect();
            let known = self.read(|reader| reader.entities(&wanted))?;
            let nothing = Entity::default();
            for target in some {
                let entity = known.get(target).unwrap_or(&nothing);
                weigh(shelves.look(target), target, entity, &mut met, &mut unasked);
            }
        }
        met.held.sort_by(|a, b| a.path.cmp(&b.path));
        met.broken.sort();
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
        let cards = state.entities().map(|(target, _)| target).filter(|t| Kind::of(t).is_some());
        let targets = by_shard(cards.cloned());
        let (mut rest, nothing) = (&targets[..], Entity::default());
        while !rest.is_empty() {
            let (shelves, some) = Shelves::next(&*self.disk, &mut rest)?;
            for target in some {
                let entity = state.entity(target).unwrap_or(&nothing);
                let removed = state.removed(target).is_some();
                let expected = shows(entity, target).filter(|_| !removed).map(|p| p.rev());
                let shown = rev_of_card(shelves.look(target), target, entity);
                level &= expected == shown;
                if let Some(rev) = shown {
                    sum = sum.wrapping_add(hash(format!("{target} {rev}").as_bytes()));
                }
            }
        }
        Ok((sum, level))
    }
}

/// The name of what a card shows; nothing when there is none that can be read.
fn rev_of_card(look: Look<'_>, target: &Target, entity: &Entity) -> Option<card::Rev> {
    let files = look.read(target, entity)?.ok()?;
    let file = card::parse_as(files.kind, files.card.as_deref()?).ok()?;
    Some(card::rev(files.kind, &file.fields(files.kind)))
}

/// Names of folders of entities, by shard: a million of them take some 30 bytes each, all in two pieces.
#[derive(Default)]
pub(super) struct Folders {
    /// One behind the other, a line break behind each.
    names: String,
    /// Shard, and where the name begins.
    places: Vec<(u8, u32)>,
}

impl Folders {
    fn put(&mut self, name: &str) {
        let (Ok(target), Ok(begins)) = (Target::read(name), u32::try_from(self.names.len())) else {
            return;
        };
        self.places.push((shard(&target), begins));
        self.names.push_str(name);
        self.names.push('\n');
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    pub(super) fn shards(&self) -> Vec<&[(u8, u32)]> {
        self.places.chunk_by(|a, b| a.0 == b.0).collect()
    }

    pub(super) fn targets(&self, places: &[(u8, u32)]) -> Vec<Target> {
        let name = |(_, begins): &(u8, u32)| self.names[*begins as usize..].split('\n').next();
        places.iter().filter_map(|place| Target::read(name(place)?).ok()).collect()
    }
}

/// Those too that wait since they are many.
fn with_many((mut met, unasked): (Placed, Vec<Unasked>)) -> Placed {
    met.held.extend(held_as_many(&unasked));
    met
}

/// Why a card is named that shows what it showed before.
const LATE: &str = "it shows an earlier state, and the newer one is not in its place: `cocli compact` puts it there, or says why it cannot";

/// What one card asks of a person.
fn weigh(
    look: Look<'_>,
    target: &Target,
    entity: &Entity,
    met: &mut Placed,
    unasked: &mut Vec<Unasked>,
) {
    let files = match look.read(target, entity) {
        None => return,
        Some(Err(broken)) => return met.broken.push(broken),
        Some(Ok(files)) => files,
    };
    let (target, path) = (target.clone(), files.path.clone());
    match look.examine(&target, &files, entity) {
        Verdict::Edits { changes, known } => {
            if !known && !changes.is_empty() && !entity.fields.is_empty() {
                unasked.push(Unasked { target, path, changes });
            } else if known && changes.is_empty() && look.is_late(&target, &files, entity) {
                met.broken.push((path, LATE.to_string()));
            }
        }
        Verdict::Broken { path, why } => met.broken.push((path, why)),
        Verdict::Held { why, .. } => met.held.push(Held { target, path, why }),
    }
}
