//! Hand edits that wait: a person accepts or rejects them.

use cocli_core::{Entry, Target};

use super::{Verdict, examine, kind_of, read_files};
use crate::error::Result;
use crate::session::{End, Session};

/// What was decided.
#[derive(Debug)]
pub struct Decided {
    /// The cards.
    pub cards: Vec<String>,
    /// Cards of targets that were removed meanwhile, and who removed them: nothing of them was taken.
    pub removed: Vec<(Target, Entry)>,
    /// Datagrams written.
    pub datagrams: usize,
    /// Where the own log ends.
    pub end: End,
}

impl Session<'_> {
    /// Accepts the edits that wait in the card of `only`, or in all cards; or rejects them: then
    /// [`Session::place`] writes the cards anew.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn decide(&mut self, only: Option<&Target>, accept: bool) -> Result<Decided> {
        let targets = match only {
            Some(target) => vec![target.clone()],
            None => self.home.cards_edited()?,
        };
        let (mut cards, mut removed, mut datagrams) = (Vec::new(), Vec::new(), 0);
        for target in targets.iter().filter(|target| kind_of(target).is_some()) {
            let entity = self.entity(target)?;
            let Some(Ok(files)) = read_files(&*self.home.disk, target, &entity) else { continue };
            let waiting = match examine(&*self.home.disk, target, &files, &entity)? {
                Verdict::Held { changes, .. } => changes,
                Verdict::Edits { changes, .. } if only.is_some() => changes,
                Verdict::Edits { changes, known: false } if !entity.fields.is_empty() => changes,
                Verdict::Edits { .. } | Verdict::Broken { .. } => continue,
            };
            if waiting.is_empty() {
                continue;
            }
            if let Some(by) = entity.removed().filter(|_| accept) {
                removed.push((target.clone(), by.clone()));
                continue;
            }
            if accept {
                datagrams += self.write("accept", &waiting, false)?.datagrams;
            }
            cards.push(files.path.clone());
            self.leave.remove(target);
            self.touched.insert(target.clone());
            self.looked.insert(target.clone(), files);
        }
        Ok(Decided { cards, removed, datagrams, end: self.end()? })
    }
}
