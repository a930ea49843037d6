//! Hand edits that wait: a person accepts or rejects them.

use cocli_core::{Entry, Target};

use super::{Files, Verdict, examine, kind_of, read_files};
use crate::change::Change;
use crate::error::Result;
use crate::session::{End, Session};

/// The edits of one card that wait.
#[derive(Debug)]
pub struct Waiting {
    /// Whose card.
    pub target: Target,
    /// The file, relative to the home.
    pub path: String,
    /// What accepting it writes.
    pub changes: Vec<Change>,
    /// Who removed the target meanwhile: then nothing can be accepted.
    pub removed: Option<Entry>,
    files: Files,
}

/// What was decided.
#[derive(Debug)]
pub struct Decided {
    /// Datagrams written.
    pub datagrams: usize,
    /// Where the own log ends.
    pub end: End,
}

impl Session<'_> {
    /// The edits that wait in the card of `only`, or in all cards.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn waiting(&mut self, only: Option<&Target>) -> Result<Vec<Waiting>> {
        let targets = match only {
            Some(target) => vec![target.clone()],
            None => self.home.cards_edited()?,
        };
        let mut waiting = Vec::new();
        for target in targets.into_iter().filter(|target| kind_of(target).is_some()) {
            let entity = self.entity(&target)?;
            let Some(Ok(files)) = read_files(&*self.home.disk, &target, &entity) else { continue };
            let changes = match examine(&*self.home.disk, &target, &files, &entity)? {
                Verdict::Held { changes, .. } => changes,
                Verdict::Edits { changes, .. } if only.is_some() => changes,
                Verdict::Edits { changes, known: false } if !entity.fields.is_empty() => changes,
                Verdict::Edits { .. } | Verdict::Broken { .. } => continue,
            };
            if !changes.is_empty() {
                let (path, removed) = (files.path.clone(), entity.removed().cloned());
                waiting.push(Waiting { target, path, changes, removed, files });
            }
        }
        Ok(waiting)
    }

    /// Accepts edits that wait, but for those of removed targets; or rejects them: then
    /// [`Session::place`] writes the cards anew.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn decide(&mut self, waiting: Vec<Waiting>, accept: bool) -> Result<Decided> {
        let mut datagrams = 0;
        for card in waiting.into_iter().filter(|card| !accept || card.removed.is_none()) {
            if accept {
                datagrams += self.write("accept", &card.changes, false)?.datagrams;
            }
            self.leave.remove(&card.target);
            self.touched.insert(card.target.clone());
            self.looked.insert(card.target, card.files);
        }
        Ok(Decided { datagrams, end: self.end()? })
    }
}
