//! Projections out: the cards of targets that changed are put in place.

use cocli_core::{Entity, Field, Kind, Target};
use cocli_store::card::kept::FileMark;
use cocli_store::card::place::{self, CardPut, FilePut};
use cocli_store::card::{self, Projection, tags};
use cocli_store::paths;
use cocli_store::side::by_side;

use super::look::{Look, named_file};
use super::shelves::by_shard;
use super::{Files, Placed, Shelves};
use crate::config::Project;
use crate::error::Result;
use crate::queue::is_queue;
use crate::session::Session;

/// How often a card is rendered again when an editor writes at the same moment.
const TRIES_MAX: usize = 5;

impl Session<'_> {
    /// Puts the cards of all that this session touched in place, after taking in what people changed
    /// in them. Tells what needs a person.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn place(&mut self) -> Result<Placed> {
        if self.home.config().cards.project == Project::None {
            self.touched.clear();
        }
        let queues: Vec<Target> = self.touched.extract_if(.., is_queue).collect();
        self.place_queues(&queues, false)?;
        for _ in 0..TRIES_MAX {
            let targets = by_shard(std::mem::take(&mut self.touched));
            let disk = self.home.disk.clone();
            let mut rest = &targets[..];
            while !rest.is_empty() {
                let (shelves, some) = Shelves::next(&*disk, &mut rest)?;
                self.place_some(&shelves, some)?;
            }
            if self.touched.is_empty() {
                break;
            }
        }
        Ok(std::mem::take(&mut self.met))
    }

    fn place_some(&mut self, shelves: &Shelves<'_>, targets: &[Target]) -> Result<()> {
        self.read_decided(shelves, targets)?;
        self.move_named(shelves, targets)?;
        self.take_in(targets)?;
        self.load(targets)?;
        for target in targets {
            self.touched.remove(target);
        }
        let open: Vec<&Target> =
            targets.iter().filter(|target| !self.leave.contains(*target)).collect();
        let read: Vec<Option<Files>> =
            open.iter().map(|target| self.looked.remove(*target)).collect();
        let nothing = Entity::default();
        let wanted: Vec<Wanted<'_>> = open
            .iter()
            .zip(&read)
            .map(|(target, read)| Wanted {
                target,
                entity: self.known().get(*target).unwrap_or(&nothing),
                removed: self.removed_from(target).is_some(),
                read: read.as_ref(),
            })
            .collect();
        let plans = by_side(&wanted, |wanted| wanted.plan(shelves.look(wanted.target)));
        let mut puts = Vec::new();
        for (target, plan) in open.into_iter().zip(plans) {
            match plan {
                Plan::Leave => {}
                Plan::Again => drop(self.touched.insert(target.clone())),
                Plan::Name(broken) => self.met.broken.push(broken),
                Plan::Clear(files) => {
                    if let Err(error) = self.clear(target, &files) {
                        self.met.broken.push((files.path, error.to_string()));
                    }
                }
                Plan::Put(put) => puts.push(*put),
            }
        }
        self.put(puts)?;
        self.forget_entities();
        Ok(())
    }

    /// Notes and meetings whose name came later than what they say: their files are moved, with all that a person
    /// wrote there.
    fn move_named(&mut self, shelves: &Shelves<'_>, targets: &[Target]) -> Result<()> {
        let convos = targets.iter().filter(|target| Kind::of(target).is_some_and(Kind::is_convo));
        let convos: Vec<&Target> = convos.collect();
        self.load(convos.iter().copied())?;
        for target in convos {
            let entity = self.entity(target)?;
            let Some((from, to)) = shelves.look(target).moves_to(target, &entity) else { continue };
            // Where that cannot be, it stays where it stands, and says the same.
            if self.home.disk.rename_new(&from, &to).is_ok() {
                self.looked.remove(target);
            }
        }
        Ok(())
    }

    /// Puts the cards of these targets in place.
    ///
    /// # Errors
    /// As [`Session::place`].
    pub fn place_these(&mut self, targets: &[Target]) -> Result<Placed> {
        self.touched.extend(targets.iter().cloned());
        self.place()
    }

    /// Puts every card in place that is behind the state.
    ///
    /// # Errors
    /// As [`Session::place`].
    pub fn place_all(&mut self) -> Result<Placed> {
        let behind = self.home.cards_behind()?;
        if self.home.keeps_cards() {
            let queues = self.home.all_queues()?;
            self.place_queues(&queues, true)?;
        }
        self.place_these(&behind)
    }

    fn put(&mut self, puts: Vec<CardPut>) -> Result<()> {
        if puts.is_empty() {
            return Ok(());
        }
        let placed =
            match place::place(&*self.home.disk, &self.lock, (self.now, &self.quiet), &puts) {
                Ok(placed) => placed,
                // What was written stands in the journals; the cards follow when there is room.
                Err(error) => {
                    self.met.behind = Some((puts.len(), error.to_string()));
                    return Ok(());
                }
            };
        for (put, placed) in puts.into_iter().zip(placed) {
            let placed = match placed {
                Ok(placed) => placed,
                Err(error) if error.is_no_space() => {
                    let (cards, _) = self.met.behind.take().unwrap_or_default();
                    self.met.behind = Some((cards + 1, error.to_string()));
                    continue;
                }
                Err(error) => {
                    self.met.broken.push((put.file, error.to_string()));
                    continue;
                }
            };
            self.met.written += 1;
            if let Some(place::Placed::Raced(raced)) = placed.card {
                self.met.written -= 1;
                self.take_in_raced(&put, raced)?;
            }
            if let Some(place::Placed::Raced(raced)) = placed.tags {
                // What the person saw is what was read, not what we were about to put there.
                let read =
                    put.tags.as_ref().and_then(|file| file.read.as_deref()).unwrap_or_default();
                let before = match tags::read(read) {
                    Ok(seen) => put.projection.with_tags(&seen),
                    Err(_) => put.projection.clone(),
                };
                let Some(path) = paths::tags(&put.target) else { continue };
                self.take_in_tags(&put.target, &path, &raced.bytes, &before)?;
                if let Some(swap) = raced.swap {
                    self.done_with(&put.target, &path, &swap, &raced.bytes)?;
                }
            }
        }
        Ok(())
    }

    /// Somebody wrote in the moment of the exchange: that is an edit like any other, and the card is
    /// rendered again.
    fn take_in_raced(&mut self, put: &CardPut, raced: place::Raced) -> Result<()> {
        let Some(kind) = Kind::of(&put.target) else { return Ok(()) };
        let path = put.file.clone();
        let entity = self.entity(&put.target)?;
        let (tags_path, taken) = (paths::tags(&put.target), raced.bytes.clone());
        let files =
            Files { kind, path, card: Some(raced.bytes), tags_path, tags: None, tags_mark: None };
        self.weigh_files(&put.target, files, &entity)?;
        self.looked.remove(&put.target);
        self.touched.insert(put.target.clone());
        match raced.swap {
            Some(swap) => self.done_with(&put.target, &put.file, &swap, &taken),
            None => Ok(()),
        }
    }

    /// The files of a removed target go where a person finds them, and out of the pool.
    fn clear(&mut self, target: &Target, files: &Files) -> Result<()> {
        let disk = &*self.home.disk;
        let moves = [
            (Some(&files.path), &files.card, "md"),
            (files.tags_path.as_ref(), &files.tags, "lst"),
        ];
        for (path, bytes, ending) in moves {
            let (Some(path), Some(bytes)) = (path, bytes) else { continue };
            let aside = paths::removed(target, cocli_core::digest::hash(bytes), ending);
            let doing = |doing| {
                move |source| cocli_store::StoreError::Io { path: path.clone(), doing, source }
            };
            disk.make_folder(paths::ASIDE).map_err(doing("make a place for"))?;
            disk.rename(path, &aside).map_err(doing("put aside"))?;
        }
        Ok(())
    }
}

fn splice(
    kind: cocli_core::Kind,
    bytes: &[u8],
    projection: &Projection,
) -> std::result::Result<Vec<u8>, String> {
    let file = card::parse_as(kind, bytes).map_err(|error| error.to_string())?;
    card::splice(kind, &file, &projection.values).map_err(|error| error.to_string())
}

/// The list of tags, where it should say something else; none is made for nothing.
fn tags_put(files: &Files, projection: &Projection) -> Option<FilePut> {
    files.tags_path.as_ref()?;
    let field = Field::read("tags").ok()?;
    let text = tags::write(&tags::of(projection.values.get(&field))).into_bytes();
    if files.tags.is_none() && text.is_empty() {
        return None;
    }
    Some(FilePut { read: files.tags.clone(), text })
}

/// What is to become of the files of a target.
enum Plan {
    /// They are as they should be.
    Leave,
    /// Somebody saved meanwhile: that is taken in first.
    Again,
    /// They cannot be read or changed.
    Name((String, String)),
    /// The target was removed, or has nothing to show.
    Clear(Files),
    /// They are to show something else.
    Put(Box<CardPut>),
}

/// A target whose card is to show what is known of it.
struct Wanted<'a> {
    target: &'a Target,
    entity: &'a Entity,
    /// Somebody removed it, or what it stands below.
    removed: bool,
    /// What was read of the files and taken in, if that was so.
    read: Option<&'a Files>,
}

impl Wanted<'_> {
    fn plan(&self, look: Look<'_>) -> Plan {
        let Self { target, entity, .. } = *self;
        let Some(kind) = Kind::of(target) else { return Plan::Leave };
        let files = match self.read {
            Some(files) => files.clone(),
            None => match look.read(target, entity) {
                // Somebody saved between the look of `take_in` and this reading. What comes later is
                // seen by the exchange.
                Some(Ok(_)) if look.touched(target, entity) => return Plan::Again,
                Some(Ok(files)) => files,
                Some(Err(broken)) => return Plan::Name(broken),
                None => return Plan::Leave,
            },
        };
        let projection = Projection::of(kind, entity);
        let was_shown = look.shelf.head(target.as_str()).is_some();
        if self.removed || (projection.values.is_empty() && was_shown) {
            return Plan::Clear(files);
        }
        // Somebody has begun a card by hand, with keys and no values yet.
        if projection.values.is_empty() {
            return Plan::Leave;
        }
        let text = match &files.card {
            None => card::render(kind, &projection.values).into_bytes(),
            Some(bytes) => match splice(kind, bytes, &projection) {
                Ok(text) => text,
                Err(why) => return Plan::Name((files.path, why)),
            },
        };
        let put = CardPut {
            target: target.clone(),
            tags: tags_put(&files, &projection),
            tags_read: files.tags_mark,
            card: Some(FilePut { read: files.card, text }),
            file: files.path,
            projection,
        };
        if stands(look, &put) { Plan::Leave } else { Plan::Put(Box::new(put)) }
    }
}

/// Whether everything stands there, and is known to: then there is nothing to keep and nothing to sync.
fn stands(look: Look<'_>, put: &CardPut) -> bool {
    let same = |file: &Option<FilePut>| {
        file.as_ref().is_none_or(|file| file.read.as_deref() == Some(&file.text[..]))
    };
    if !same(&put.card) || !same(&put.tags) {
        return false;
    }
    let Some(kept) = look.shelf.latest(&put.target) else { return false };
    let marked = |path: &str, mark: Option<FileMark>| {
        look.disk.stat(path).ok().flatten().map(FileMark::from) == mark
    };
    let tags = paths::tags(&put.target).filter(|_| put.tags.is_some());
    kept.projection == put.projection
        && kept.file == put.file
        && marked(&put.file, kept.card)
        && tags.is_none_or(|tags| marked(&tags, kept.tags))
}

/// What the card of a target shows, if it has anything to show.
pub(super) fn shows(entity: &Entity, target: &Target) -> Option<Projection> {
    let projection = Projection::of(Kind::of(target)?, entity);
    (!projection.values.is_empty()).then_some(projection)
}

/// Where the card of an entity stands when nobody chose its name by hand.
pub(crate) fn place_anew(target: &Target, entity: &Entity) -> Option<String> {
    Kind::of(target)?;
    paths::card(target, named_file(entity).as_deref())
}

/// The card of an entity as it is made where there is none: its place and its text. Nothing when the entity
/// was removed or has nothing to show.
pub(crate) fn made_anew(target: &Target, entity: &Entity) -> Option<(String, String)> {
    let projection = shows(entity, target).filter(|_| entity.removed().is_none())?;
    let text = card::render(Kind::of(target)?, &projection.values);
    Some((place_anew(target, entity)?, text))
}
