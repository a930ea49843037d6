//! Hand edits that wait: a person accepts or rejects them.

use cocli_core::{Entry, Target};

use super::shelves::by_shard;
use super::{Files, Shelves, Verdict, kind_of};
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
        let targets = by_shard(targets.into_iter().filter(|target| kind_of(target).is_some()));
        let (disk, mut rest, mut waiting) = (self.home.disk.clone(), &targets[..], Vec::new());
        while !rest.is_empty() {
            let (shelves, some) = Shelves::next(&*disk, &mut rest)?;
            self.load(some)?;
            for target in some {
                waiting.extend(self.waiting_in(&shelves, target, only.is_some())?);
            }
        }
        waiting.sort_by(|a, b| a.target.cmp(&b.target));
        Ok(waiting)
    }

    /// The edits that wait in one card; when it was `named` also those that would be taken in unasked.
    fn waiting_in(
        &mut self,
        shelves: &Shelves<'_>,
        target: &Target,
        named: bool,
    ) -> Result<Option<Waiting>> {
        let (look, entity) = (shelves.look(target), self.entity(target)?);
        let Some(Ok(files)) = look.read(target, &entity) else { return Ok(None) };
        let changes = match look.examine(target, &files, &entity) {
            Verdict::Held { changes, .. } => changes,
            Verdict::Edits { changes, .. } if named => changes,
            Verdict::Edits { changes, known: false } if !entity.fields.is_empty() => changes,
            Verdict::Edits { .. } | Verdict::Broken { .. } => return Ok(None),
        };
        let (path, removed) = (files.path.clone(), entity.removed().cloned());
        let waiting = Waiting { target: target.clone(), path, changes, removed, files };
        Ok((!waiting.changes.is_empty()).then_some(waiting))
    }

    /// Accepts edits that wait, but for those of removed targets, all by one command; or rejects them: then
    /// [`Session::place`] writes the cards anew.
    ///
    /// # Errors
    /// When the disk refuses: nothing is accepted then.
    pub fn decide(&mut self, mut waiting: Vec<Waiting>, accept: bool) -> Result<Decided> {
        waiting.retain(|card| !accept || card.removed.is_none());
        let mut datagrams = 0;
        if accept {
            let changes = waiting.iter_mut().flat_map(|card| std::mem::take(&mut card.changes));
            datagrams = self.write("accept", &changes.collect::<Vec<_>>(), false)?.datagrams;
        }
        for card in waiting {
            self.leave.remove(&card.target);
            self.touched.insert(card.target.clone());
            self.looked.insert(card.target, card.files);
        }
        Ok(Decided { datagrams, end: self.end()? })
    }
}
