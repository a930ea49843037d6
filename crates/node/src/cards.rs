//! Cards: hand edits in, projections out.

use cocli_core::{State, Target};

use crate::error::Result;
use crate::home::Home;
use crate::session::{End, Session};

/// A card whose edits wait for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Whose card.
    pub target: Target,
    /// The file.
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
    /// Cards that do not parse, and why.
    pub broken: Vec<(String, String)>,
    /// Files beside the cards.
    pub other_files: usize,
}

/// What was taken in.
#[derive(Debug, Default)]
pub struct TakenIn {
    /// Fields that people changed.
    pub edits: usize,
    /// Where the own log ends, when something was written.
    pub end: Option<End>,
}

impl Home {
    pub(crate) fn card_changed(&self, _target: &Target) -> Result<bool> {
        Ok(false)
    }
    pub(crate) fn cards_edited(&self) -> Result<Vec<Target>> {
        Ok(Vec::new())
    }
    pub(crate) fn look_at_cards(&self) -> Result<Placed> {
        Ok(Placed::default())
    }
    /// x
    pub fn cards_behind(&self) -> Result<Vec<Target>> {
        Ok(Vec::new())
    }
    /// x
    pub fn pool_hash(&self, _state: &State) -> Result<(u128, bool)> {
        Ok((0, true))
    }
}

/// Which edits were decided.
#[derive(Debug)]
pub struct Decided {
    /// The files.
    pub cards: Vec<String>,
    /// Datagrams written.
    pub datagrams: usize,
    /// Where the own log ends.
    pub end: End,
}

impl Session<'_> {
    /// x
    pub fn take_in(&mut self, _targets: &[Target]) -> Result<TakenIn> {
        Ok(TakenIn::default())
    }
    /// x
    pub fn take_in_all(&mut self) -> Result<TakenIn> {
        Ok(TakenIn::default())
    }
    /// x
    pub fn place(&mut self) -> Result<Placed> {
        Ok(Placed::default())
    }
    /// x
    pub fn place_these(&mut self, _targets: &[Target]) -> Result<Placed> {
        Ok(Placed::default())
    }
    /// x
    pub fn place_all(&mut self) -> Result<Placed> {
        Ok(Placed::default())
    }
    /// x
    pub fn decide(&mut self, _only: Option<&Target>, _accept: bool) -> Result<Decided> {
        Ok(Decided { cards: Vec::new(), datagrams: 0, end: self.end()? })
    }
}
