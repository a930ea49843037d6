//! Hand edits that wait: a person accepts or rejects them.

use cocli_core::{Entry, Kind, Target};

use super::shelves::by_shard;
use super::{Shelves, Verdict};
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
        let targets = by_shard(targets.into_iter().filter(|target| Kind::of(target).is_some()));
        let (disk, mut rest, mut waiting) = (self.home.disk.clone(), &targets[..], Vec::new());
        while !rest.is_empty() {
            let (shelves, some) = Shelves::next(&*disk, &mut rest)?;
            self.load(some)?;
            for target in some {
                waiting.extend(self.waiting_in(&shelves, target, only.is_some())?);
            }
            self.forget_entities();
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
        let removed = entity.removed().cloned();
        let waiting = Waiting { target: target.clone(), path: files.path, changes, removed };
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
            let changes = waiting.iter().flat_map(|card| &card.changes).collect();
            datagrams = self.write_many("accept", changes, false)?.datagrams;
        }
        for Waiting { target, changes, .. } in waiting {
            self.leave.remove(&target);
            self.touched.insert(target.clone());
            self.decided.insert(target, if accept { Vec::new() } else { changes });
        }
        Ok(Decided { datagrams, end: self.end()? })
    }

    /// Reads the files of which was decided, to put others in their place. What was saved since is an edit like
    /// any other.
    pub(super) fn read_decided(&mut self, shelves: &Shelves<'_>, targets: &[Target]) -> Result<()> {
        let targets: Vec<&Target> =
            targets.iter().filter(|target| self.decided.contains_key(*target)).collect();
        self.load(targets.iter().copied())?;
        for target in targets {
            let decided = self.decided.remove(target).unwrap_or_default();
            let (look, entity) = (shelves.look(target), self.entity(target)?);
            let Some(Ok(files)) = look.read(target, &entity) else { continue };
            let says = match look.examine(target, &files, &entity) {
                Verdict::Held { changes, .. } | Verdict::Edits { changes, .. } => changes,
                Verdict::Broken { .. } => continue,
            };
            if says == decided {
                self.looked.insert(target.clone(), files);
            }
        }
        Ok(())
    }
}
