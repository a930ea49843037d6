//! Whether the bucket is what it was: docs/bucket.md, "When the bucket is not what it was".

use cocli_core::NodeId;
use cocli_core::bucket::{Failure, FailureKind, Key};

use super::founding::Founding;
use super::pull::read;
use super::{Durable, Seen};
use crate::error::Result;

impl Durable<'_> {
    /// Makes sure that the bucket is still there, where it was known before: a stick that is not mounted leaves an
    /// empty folder. One that was begun again is read and filled anew.
    ///
    /// # Errors
    /// When it is not there, is another cluster's or cannot be asked.
    pub fn there(&mut self) -> Result<()> {
        let Some(founding) = Founding::there(self.bucket)? else {
            let said = format!(
                "`{}` is not in {} any more: it is not mounted, or was emptied (`cocli init --bucket URL` begins it anew)",
                Key::cluster(),
                self.seen.url
            );
            return Err(Failure::new(FailureKind::Away, said).into());
        };
        let founding = founding.of(self.seen.cluster)?;
        if founding.life == self.seen.life {
            return Ok(());
        }
        self.seen.life = founding.life;
        self.begin_anew("the bucket was emptied and begun again")
    }

    /// Makes sure that what was known to stand there still does: the own newest object, and by turns one more. Where
    /// one does not, the bucket was put back to an earlier state, or damaged: it is read anew, and what is lacking there
    /// counts as lacking.
    ///
    /// # Errors
    /// As [`Durable::there`].
    pub fn check(&mut self) -> Result<()> {
        self.there()?;
        let me = self.home.node().clone();
        let own = (me.clone(), self.seen.next_of(&me) - 1);
        if own.1 > 0 && self.seen.is_settled(&own) && !self.stands(&own)? {
            return Ok(());
        }
        let next = self.seen.next_to_check();
        if next != self.seen.checked {
            self.seen.checked.clone_from(&next);
            self.save()?;
        }
        match next.filter(|next| *next != own) {
            Some(next) => self.stands(&next).map(drop),
            None => Ok(()),
        }
    }

    /// Whether an object that was there before can be read; begins anew where it cannot.
    fn stands(&mut self, key: &(NodeId, u64)) -> Result<bool> {
        let name = Key::object(&key.0, key.1);
        // What comes garbled may have been garbled on its way.
        for again in [true, false] {
            let Some(packed) = self.bucket.get(&name)? else {
                self.begin_anew(&format!("{name} was in the bucket, and is not any more"))?;
                return Ok(false);
            };
            match read(&packed, self.seen.cluster, &key.0, key.1) {
                Ok(_) => return Ok(true),
                Err(_) if again => {}
                Err(failure) => {
                    self.begin_anew(&failure.to_string())?;
                    self.seen.damaged.insert(key.clone());
                    self.save()?;
                }
            }
        }
        Ok(false)
    }

    /// Forgets all that is known of what the bucket holds, but which objects cannot be read.
    fn begin_anew(&mut self, why: &str) -> Result<()> {
        let Seen { url, cluster, life, .. } = &self.seen;
        let mut seen = Seen::new(url, *cluster, life);
        (seen.missing_is_denied, seen.put_since) =
            (self.seen.missing_is_denied, self.seen.put_since);
        seen.damaged = std::mem::take(&mut self.seen.damaged);
        (self.seen, self.anew) = (seen, true);
        self.notices
            .push(format!("{why}: all of the bucket is read again, and what it lacks is uploaded"));
        self.save()
    }
}

#[cfg(test)]
mod tests;
