//! Cards: hand edits in, projections out.

mod decide;
mod intake;
mod placing;
mod pool;

use std::collections::BTreeSet;

use cocli_core::{Entity, Entry, Field, Kind, Stamp, Target};
use cocli_store::card::kept::{self, FileMark, Head, History};
use cocli_store::card::{self, Basis, CardText, Edit, Taken, tags};
use cocli_store::disk::FileKind;
use cocli_store::{Disk, StoreError, paths};

use crate::change::{Change, Intent};
use crate::error::Result;
use crate::session::End;

pub use decide::{Decided, Waiting};

/// A card whose edits wait for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Whose card.
    pub target: Target,
    /// The file, relative to the home.
    pub path: String,
    /// Why nothing of it was taken.
    pub why: String,
}

/// What became of cards.
#[derive(Debug, Default)]
pub struct Placed {
    /// Cards put in place.
    pub written: usize,
    /// Cards whose edits wait.
    pub held: Vec<Held>,
    /// Cards that do not parse or cannot be written, and why.
    pub broken: Vec<(String, String)>,
    /// How many could not be put in place since the home cannot be written, and why.
    pub behind: Option<(usize, String)>,
    /// What a person wrote and a newer save took the place of: of which file, and where it is now.
    pub aside: Vec<(String, String)>,
    /// Files in the pool that are no cards.
    pub other_files: usize,
}

/// What was taken in.
#[derive(Debug, Default)]
pub struct TakenIn {
    /// Fields that people changed.
    pub edits: usize,
    /// Where the own log ends, when something was written.
    pub end: Option<End>,
    /// Targets whose files are left alone: they do not parse, or wait for a person.
    pub left: BTreeSet<Target>,
}

/// Cards without a known `_rev` that may change before a person is asked.
const UNASKED_CARDS_MAX: usize = 200;

/// Edits of one card whose `_rev` is not known.
#[derive(Debug)]
pub(crate) struct Unasked {
    pub(crate) target: Target,
    pub(crate) path: String,
    pub(crate) changes: Vec<Change>,
}

/// Many strange cards at once (an old checkout, a script) wait for a person, all of them. Nothing
/// when they are few.
pub(crate) fn held_as_many(unasked: &[Unasked]) -> Vec<Held> {
    if unasked.len() <= UNASKED_CARDS_MAX {
        return Vec::new();
    }
    let why = format!("{} cards without a known `_rev` would change at once", unasked.len());
    let held = |card: &Unasked| Held {
        target: card.target.clone(),
        path: card.path.clone(),
        why: why.clone(),
    };
    unasked.iter().map(held).collect()
}

/// The files of one target as they were read.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    pub(crate) kind: Kind,
    /// The card, relative to the home.
    pub(crate) path: String,
    pub(crate) card: Option<Vec<u8>>,
    /// The list of tags beside it, where the kind has one.
    pub(crate) tags_path: Option<String>,
    pub(crate) tags: Option<Vec<u8>>,
}

/// What the files of a target say.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// Edits to be written; `known` when the card's `_rev` is one that was put in place here.
    Edits { changes: Vec<Change>, known: bool },
    /// They wait for a person.
    Held { why: String, changes: Vec<Change> },
    /// A file does not parse.
    Broken { path: String, why: String },
}

/// The entities that have cards of their own here; notes and meetings get theirs with their verbs.
pub(crate) fn kind_of(target: &Target) -> Option<Kind> {
    Kind::of(target).filter(|kind| matches!(kind, Kind::Company | Kind::Person))
}

/// Where the card of a target stands. A person's file may bear any name: the field says which, else
/// the one that stands there.
pub(crate) fn card_path(disk: &dyn Disk, target: &Target, entity: &Entity) -> Option<String> {
    let file = Field::read(cocli_core::entity::FILE).ok()?;
    let named = entity.fields.get(&file).filter(|entry| !entry.value.is_null());
    let named = named.map(|entry| entry.value.shown().into_owned());
    if named.is_none() && Kind::of(target) == Some(Kind::Person) {
        let kept = kept::head(disk, target).ok().flatten().map(|head| head.file);
        let there = kept.filter(|file| matches!(disk.stat(file), Ok(Some(_))));
        return there.or_else(|| persons_card(disk, target));
    }
    paths::card(target, named.as_deref())
}

/// The file in a person's folder that is the card: the only one, or the only one that bears a `_rev`;
/// any other Markdown beside it is somebody's text.
fn persons_card(disk: &dyn Disk, target: &Target) -> Option<String> {
    let names = disk.list(target.as_str()).unwrap_or_default();
    let is_text =
        |(name, kind): &&(String, FileKind)| *kind == FileKind::File && name.ends_with(".md");
    let mut files: Vec<String> = names
        .iter()
        .filter(is_text)
        .filter_map(|(name, _)| paths::card(target, Some(name)))
        .collect();
    if files.len() > 1 {
        let has_rev = |path: &String| {
            let bytes = disk.read(path).unwrap_or_default();
            card::parse(&bytes).is_ok_and(|file| file.rev().is_some())
        };
        files.retain(has_rev);
    }
    match files.len() {
        1 => files.pop(),
        _ => paths::card(target, None),
    }
}

/// Whether a file is no longer the one that was put in place. One that was deleted is: that deletes
/// nothing, and it is written again when the target changes.
fn differs(disk: &dyn Disk, path: &str, mark: Option<FileMark>) -> bool {
    match disk.stat(path) {
        Ok(Some(stat)) => mark != Some(FileMark::from(stat)),
        Ok(None) | Err(_) => false,
    }
}

/// Whether somebody touched the files of a target since they were put in place.
pub(crate) fn touched(disk: &dyn Disk, target: &Target, entity: &Entity) -> Result<bool> {
    Ok(touched_since(disk, target, entity, kept::head(disk, target)?.as_ref()))
}

/// The same, against what was kept of them last.
fn touched_since(disk: &dyn Disk, target: &Target, entity: &Entity, head: Option<&Head>) -> bool {
    match head {
        Some(head) => {
            differs(disk, &head.file, head.card)
                || paths::tags(target).is_some_and(|tags| differs(disk, &tags, head.tags))
                || renamed(disk, target, entity, &head.file)
        }
        None => card_path(disk, target, entity).is_some_and(|path| differs(disk, &path, None)),
    }
}

/// Whether the card was given another name.
fn renamed(disk: &dyn Disk, target: &Target, entity: &Entity, before: &str) -> bool {
    Kind::of(target) == Some(Kind::Person)
        && card_path(disk, target, entity)
            .is_some_and(|path| path != before && matches!(disk.stat(&path), Ok(Some(_))))
}

/// Reads the files of a target; what cannot be read is an error text.
pub(crate) fn read_files(
    disk: &dyn Disk,
    target: &Target,
    entity: &Entity,
) -> Option<std::result::Result<Files, (String, String)>> {
    let kind = kind_of(target)?;
    let path = card_path(disk, target, entity)?;
    let read = |path: &str| match disk.read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => {
            let error = StoreError::Io { path: path.to_string(), doing: "read", source };
            Err((path.to_string(), error.to_string()))
        }
    };
    let tags_path = paths::tags(target);
    let files = || {
        let card = read(&path)?;
        let tags = tags_path.as_deref().map_or(Ok(None), read)?;
        Ok(Files { kind, path: path.clone(), card, tags_path: tags_path.clone(), tags })
    };
    Some(files())
}

/// Compares the files of a target with what was put in place and with the state.
pub(crate) fn examine(
    disk: &dyn Disk,
    target: &Target,
    files: &Files,
    entity: &Entity,
) -> Result<Verdict> {
    let broken = |path: &str, error: card::CardError| {
        Ok(Verdict::Broken { path: path.to_string(), why: error.to_string() })
    };
    let listed = match (&files.tags_path, &files.tags) {
        (Some(path), Some(bytes)) => match tags::read(bytes) {
            Ok(tags) => Some(tags),
            Err(error) => return broken(path, error),
        },
        _ => None,
    };
    let history = History::read(disk, target)?;
    let Some(bytes) = &files.card else {
        // Only the list of tags stands there: what differs from what it showed last.
        let before = history.latest().map(|kept| kept.projection.clone()).unwrap_or_default();
        let edits =
            listed.map(|tags| card::tag_edits(&before, &tags, Some(entity))).unwrap_or_default();
        return Ok(verdict(target, entity, &edits, true));
    };
    let file = match card::parse(bytes) {
        Ok(file) => file,
        Err(error) => return broken(&files.path, error),
    };
    let (basis, known) = basis(&history, files.kind, &file);
    let taken = card::edits(files.kind, basis, &file, listed.as_ref(), Some(entity));
    Ok(match taken {
        Taken::Edits(edits) => verdict(target, entity, &edits, known),
        Taken::Held(held) => {
            Verdict::Held { why: held.reason, changes: changes_of(target, &held.changes) }
        }
    })
}

/// Edits are taken, unless somebody removed the target meanwhile.
fn verdict(target: &Target, entity: &Entity, edits: &[Edit], known: bool) -> Verdict {
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

fn changes_of(target: &Target, edits: &[Edit]) -> Vec<Change> {
    let change = |edit: &Edit| Change {
        target: target.clone(),
        field: edit.field.clone(),
        intent: Intent::Put(edit.value.clone()),
        seen: Some(edit.seen.clone()),
    };
    edits.iter().map(change).collect()
}
