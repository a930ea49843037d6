//! Projections out: the cards of targets that changed are put in place.

use cocli_core::{Entity, Field, Target};
use cocli_store::card::kept::{self, FileMark};
use cocli_store::card::place::{self, CardPut, FilePut};
use cocli_store::card::{self, Projection, tags};
use cocli_store::{Disk, paths};

use super::{Files, Placed, kind_of, read_files, touched};
use crate::config::Project;
use crate::error::Result;
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
        for _ in 0..TRIES_MAX {
            if self.touched.is_empty() {
                break;
            }
            let targets: Vec<Target> = self.touched.iter().cloned().collect();
            self.take_in(&targets)?;
            let targets = std::mem::take(&mut self.touched);
            let mut puts = Vec::new();
            if self.home.config().cards.project == Project::All {
                for target in targets {
                    puts.extend(self.put_of(&target)?);
                }
            }
            self.put(puts)?;
        }
        Ok(std::mem::take(&mut self.met))
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
        self.place_these(&behind)
    }

    /// What is to be put for a target; `None` when its files are as they should be, or are to be left.
    fn put_of(&mut self, target: &Target) -> Result<Option<CardPut>> {
        let Some(kind) = kind_of(target) else { return Ok(None) };
        if self.leave.contains(target) {
            return Ok(None);
        }
        let entity = self.entity(target)?;
        let disk = self.home.disk.clone();
        let files = match self.looked.remove(target) {
            Some(files) => files,
            None => match read_files(&*disk, target, &entity) {
                // Somebody saved between the look of `take_in` and this reading: that is taken in first.
                // What comes later is seen by the exchange.
                Some(Ok(_)) if touched(&*disk, target, &entity)? => {
                    self.touched.insert(target.clone());
                    return Ok(None);
                }
                Some(Ok(files)) => files,
                Some(Err(broken)) => {
                    self.met.broken.push(broken);
                    return Ok(None);
                }
                None => return Ok(None),
            },
        };
        let projection = Projection::of(kind, &entity);
        if self.removed_from(target).is_some() || projection.values.is_empty() {
            if let Err(error) = self.clear(target, &files) {
                self.met.broken.push((files.path, error.to_string()));
            }
            return Ok(None);
        }
        let text = match &files.card {
            None => card::render(kind, &projection.values).into_bytes(),
            Some(bytes) => match splice(kind, bytes, &projection) {
                Ok(text) => text,
                Err(why) => {
                    self.met.broken.push((files.path, why));
                    return Ok(None);
                }
            },
        };
        let put = CardPut {
            target: target.clone(),
            tags: tags_put(&files, &projection),
            card: Some(FilePut { read: files.card, text }),
            file: files.path,
            projection,
        };
        Ok((!stands(&*disk, &put)?).then_some(put))
    }

    fn put(&mut self, puts: Vec<CardPut>) -> Result<()> {
        if puts.is_empty() {
            return Ok(());
        }
        let placed = match place::place(&*self.home.disk, &self.lock, self.now, &puts) {
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
                    self.done_with(&put.target, &path, &swap)?;
                }
            }
        }
        Ok(())
    }

    /// Somebody wrote in the moment of the exchange: that is an edit like any other, and the card is
    /// rendered again.
    fn take_in_raced(&mut self, put: &CardPut, raced: place::Raced) -> Result<()> {
        let Some(kind) = kind_of(&put.target) else { return Ok(()) };
        let path = put.file.clone();
        let entity = self.entity(&put.target)?;
        let tags_path = paths::tags(&put.target);
        let files = Files { kind, path, card: Some(raced.bytes), tags_path, tags: None };
        self.weigh_files(&put.target, files, &entity)?;
        self.looked.remove(&put.target);
        self.touched.insert(put.target.clone());
        match raced.swap {
            Some(swap) => self.done_with(&put.target, &put.file, &swap),
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
    let file = card::parse(bytes).map_err(|error| error.to_string())?;
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

/// Whether everything stands there, and is known to: then there is nothing to keep and nothing to sync.
fn stands(disk: &dyn Disk, put: &CardPut) -> Result<bool> {
    let same = |file: &Option<FilePut>| {
        file.as_ref().is_none_or(|file| file.read.as_deref() == Some(&file.text[..]))
    };
    if !same(&put.card) || !same(&put.tags) {
        return Ok(false);
    }
    let Some(kept) = kept::latest(disk, &put.target)? else { return Ok(false) };
    let marked = |path: &str, mark: Option<FileMark>| {
        disk.stat(path).ok().flatten().map(FileMark::from) == mark
    };
    let tags = paths::tags(&put.target).filter(|_| put.tags.is_some());
    Ok(kept.projection == put.projection
        && marked(&put.file, kept.card)
        && tags.is_none_or(|tags| marked(&tags, kept.tags)))
}

/// What the card of a target shows, if it has anything to show.
pub(super) fn shows(entity: &Entity, target: &Target) -> Option<Projection> {
    let projection = Projection::of(kind_of(target)?, entity);
    (!projection.values.is_empty()).then_some(projection)
}
