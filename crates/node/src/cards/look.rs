//! A look at the files of targets, beside what was kept of their shard.

use std::io;

use cocli_core::{Entity, Entry, Field, Kind, Stamp, Target};
use cocli_store::card::kept::{FileMark, Head, History, Shelf};
use cocli_store::card::{self, Basis, CardText, Edit, Taken, place, quiet, tags};
use cocli_store::disk::FileKind;
use cocli_store::{Disk, StoreError, paths};

use super::{Files, Verdict, changes_of};

/// The files of a target, or the one that cannot be read and why.
type Read = std::result::Result<Files, (String, String)>;

/// The files of a shard's targets, and what was kept of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look<'a> {
    pub(crate) disk: &'a dyn Disk,
    pub(crate) shelf: &'a Shelf,
}

impl Look<'_> {
    /// Where the card of a target stands. A person's file may bear any name: the field says which, else
    /// the one that stands there.
    pub(crate) fn card_path(&self, target: &Target, entity: &Entity) -> Option<String> {
        let kind = Kind::of(target)?;
        if kind.is_convo() {
            return self.convos_card(target, entity);
        }
        let named = named_file(entity);
        if named.is_none() && kind == Kind::Person {
            let kept = self.shelf.head(target.as_str()).map(|head| head.file.into_owned());
            let there = kept.filter(|file| matches!(self.disk.stat(file), Ok(Some(_))));
            return there.or_else(|| self.persons_card(target));
        }
        paths::card(target, named.as_deref())
    }

    /// The file in a person's folder that is the card: the only one, or the only one that bears a
    /// `_rev`; any other Markdown beside it is somebody's text.
    fn persons_card(&self, target: &Target) -> Option<String> {
        let names = self.disk.list(target.as_str()).unwrap_or_default();
        let is_text =
            |(name, kind): &&(String, FileKind)| *kind == FileKind::File && name.ends_with(".md");
        let mut files: Vec<String> = names
            .iter()
            .filter(is_text)
            .filter_map(|(name, _)| paths::card(target, Some(name)))
            .collect();
        if files.len() > 1 {
            let has_rev = |path: &String| {
                let bytes = self.disk.read(path).unwrap_or_default();
                card::parse(&bytes).is_ok_and(|file| file.rev().is_some())
            };
            files.retain(has_rev);
        }
        match files.len() {
            1 => files.pop(),
            _ => paths::card(target, None),
        }
    }

    /// Whether somebody touched the files of a target since they were put in place.
    pub(crate) fn touched(&self, target: &Target, entity: &Entity) -> bool {
        let Some(head) = self.shelf.head(target.as_str()) else {
            return self.card_path(target, entity).is_some_and(|path| self.differs(&path, None));
        };
        self.differs(&head.file, head.card)
            || paths::tags(target).is_some_and(|tags| self.differs(&tags, head.tags))
            || self.renamed(target, entity, &head)
    }

    /// Whether a file is no longer the one that was put in place. One that was deleted is: that
    /// deletes nothing, and it is written again when the target changes.
    fn differs(&self, path: &str, mark: Option<FileMark>) -> bool {
        match self.disk.stat(path) {
            Ok(Some(stat)) => mark != Some(FileMark::from(stat)),
            Ok(None) | Err(_) => false,
        }
    }

    /// Whether the card was given another name.
    fn renamed(&self, target: &Target, entity: &Entity, head: &Head<'_>) -> bool {
        Kind::of(target) != Some(Kind::Company)
            && self.card_path(target, entity).is_some_and(|path| {
                path != head.file && matches!(self.disk.stat(&path), Ok(Some(_)))
            })
    }

    /// Reads the files of a target; what cannot be read is an error text.
    pub(crate) fn read(&self, target: &Target, entity: &Entity) -> Option<Read> {
        self.read_by(target, entity, &|path| quiet::read(self.disk, path))
    }

    /// The same to take them in: what somebody is saving is read when that is done.
    pub(crate) fn read_saved(
        &self,
        target: &Target,
        entity: &Entity,
        quiet: &quiet::Quiet,
    ) -> Option<Read> {
        self.read_by(target, entity, &|path| quiet.read(self.disk, path))
    }

    fn read_by(
        &self,
        target: &Target,
        entity: &Entity,
        read_file: &dyn Fn(&str) -> io::Result<quiet::Marked>,
    ) -> Option<Read> {
        let kind = Kind::of(target)?;
        let path = self.card_path(target, entity)?;
        let read =
            |path: &str| match self.no_larger_than_a_card(path).and_then(|()| read_file(path)) {
                Ok((bytes, mark)) => Ok((Some(bytes), mark)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok((None, None)),
                Err(source) => {
                    let error = StoreError::Io { path: path.to_string(), doing: "read", source };
                    Err((path.to_string(), error.to_string()))
                }
            };
        let tags_path = paths::tags(target);
        let files = || {
            let (card, _) = read(&path)?;
            let (tags, tags_mark) = tags_path.as_deref().map_or(Ok((None, None)), read)?;
            let (path, tags_path) = (path.clone(), tags_path.clone());
            Ok(Files { kind, path, card, tags_path, tags, tags_mark })
        };
        Some(files())
    }

    /// What is larger than any card is not read at all.
    fn no_larger_than_a_card(&self, path: &str) -> io::Result<()> {
        let len = self.disk.stat(path)?.map_or(0, |stat| stat.len);
        if usize::try_from(len).is_ok_and(|len| len <= card::CARD_BYTES_MAX) {
            return Ok(());
        }
        let what = format!("it has {len} bytes: expected at most {}", card::CARD_BYTES_MAX);
        Err(io::Error::new(io::ErrorKind::FileTooLarge, what))
    }

    /// Whether a card shows an earlier projection than the last one that was kept for it, is older than
    /// that, and nobody is putting that in place. (One that somebody put back later is no such card.)
    pub(crate) fn is_late(&self, target: &Target, files: &Files, entity: &Entity) -> bool {
        let Some(kept) = self.shelf.latest(target) else { return false };
        let is_other = |files: &Files| {
            let file =
                files.card.as_deref().and_then(|bytes| card::parse_as(files.kind, bytes).ok());
            file.and_then(|file| file.rev()).is_some_and(|rev| rev != kept.rev)
        };
        let stat = self.disk.stat(&files.path).ok().flatten();
        let is_older = stat.is_some_and(|s| s.modified_ns / 1_000 < kept.instant.micros());
        // It may be on its way at this moment: then its text waits, or stands there by now.
        is_older
            && is_other(files)
            && !place::is_under_way(self.disk, target, &files.path)
            && matches!(self.read(target, entity), Some(Ok(files)) if is_other(&files))
    }

    /// Compares the files of a target with what was put in place and with the state.
    pub(crate) fn examine(&self, target: &Target, files: &Files, entity: &Entity) -> Verdict {
        let broken = |path: &str, error: card::CardError| Verdict::Broken {
            path: path.to_string(),
            why: error.to_string(),
        };
        let history = self.shelf.history(target);
        // A list that is as it was put in place or taken in says nothing, whichever projection the card
        // shows: a crash may have come between the two, or an editor saved an older card.
        let is_old = files.tags_mark.is_some_and(|mark| history.knows_tags(mark));
        let listed = match (&files.tags_path, &files.tags) {
            (Some(path), Some(bytes)) if !is_old => match tags::read(bytes) {
                Ok(tags) => Some(tags),
                Err(error) => return broken(path, error),
            },
            _ => None,
        };
        let Some(bytes) = &files.card else {
            // Only the list of tags stands there: what differs from what it showed last.
            let before = history.latest().map(|kept| kept.projection.clone()).unwrap_or_default();
            let edits = listed
                .map(|tags| card::tag_edits(&before, &tags, Some(entity)))
                .unwrap_or_default();
            return verdict(target, entity, &edits, true);
        };
        let file = match card::parse_as(files.kind, bytes) {
            Ok(file) => file,
            Err(error) => return broken(&files.path, error),
        };
        let (basis, known) = basis(&history, files.kind, &file);
        match card::edits(files.kind, basis, &file, listed.as_ref(), Some(entity)) {
            Taken::Edits(edits) => verdict(target, entity, &edits, known),
            Taken::Held(held) => {
                Verdict::Held { why: held.reason, changes: changes_of(target, &held.changes) }
            }
        }
    }
}

/// The name of the card's file, where one was chosen.
pub(super) fn named_file(entity: &Entity) -> Option<String> {
    let file = Field::read(cocli_core::entity::FILE).ok()?;
    let named = entity.fields.get(&file).filter(|entry| !entry.value.is_null());
    named.map(|entry| entry.value.shown().into_owned())
}

/// Edits are taken, unless somebody removed the target meanwhile.
pub(super) fn verdict(target: &Target, entity: &Entity, edits: &[Edit], known: bool) -> Verdict {
    let changes = changes_of(target, edits);
    match entity.removed() {
        Some(by) if !changes.is_empty() => {
            Verdict::Held { why: removed_meanwhile(target, by), changes }
        }
        _ => Verdict::Edits { changes, known },
    }
}

/// A card of a removed target that somebody went on writing in.
fn removed_meanwhile(target: &Target, by: &Entry) -> String {
    let Stamp { instant, node } = &by.stamp;
    format!(
        "{target} was removed by {node} on {instant}; `cocli set {target} --revive` brings it back"
    )
}

fn basis<'h>(history: &'h History, kind: Kind, file: &CardText) -> (Basis<'h>, bool) {
    if let Some(kept) = file.rev().and_then(|rev| history.of_rev(rev)) {
        return (Basis::Known(&kept.projection), true);
    }
    match history.nearest(kind, &file.fields(kind)) {
        Some(kept) => (Basis::Nearest(&kept.projection), false),
        None => (Basis::Nothing, false),
    }
}
