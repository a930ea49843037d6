//! Cards: hand edits in, projections out.

mod decide;
mod intake;
mod look;
mod naming;
mod others;
mod placing;
mod pool;
mod shelves;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use cocli_core::{Kind, Target};
use cocli_store::card::Edit;
use cocli_store::card::kept::FileMark;

use crate::change::{Change, Intent};
use crate::session::End;

pub use decide::{Decided, Waiting};
pub(crate) use placing::{made_anew, place_anew};
pub(crate) use shelves::Shelves;
pub use shelves::batches;

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
}

impl Placed {
    /// Takes in what became of further cards.
    pub fn join(&mut self, more: Self) {
        self.written += more.written;
        self.held.extend(more.held);
        self.broken.extend(more.broken);
        self.aside.extend(more.aside);
        self.behind = match (self.behind.take(), more.behind) {
            (Some((a, why)), Some((b, _))) => Some((a + b, why)),
            (one, other) => one.or(other),
        };
    }
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
    /// Size and time of change of that list once it was read.
    pub(crate) tags_mark: Option<FileMark>,
}

/// What the files of a target say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Edits to be written; `known` when the card's `_rev` is one that was put in place here.
    Edits { changes: Vec<Change>, known: bool },
    /// They wait for a person.
    Held { why: String, changes: Vec<Change> },
    /// A file does not parse.
    Broken { path: String, why: String },
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
