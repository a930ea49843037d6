//! Whether the bucket is what it was: docs/bucket.md, "When the bucket is not what it was".

use std::collections::BTreeSet;

use cocli_core::NodeId;
use cocli_core::bucket::{Failure, FailureKind, Key};
use cocli_core::digest::hash;

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

    /// Makes sure that what was known to stand there still does: the own newest object, that of one other node and
    /// one more, both by turns, and the newest name of a node. Where one does not, the bucket was put back to an
    /// earlier state, or damaged: it is read anew, and what is lacking there counts as lacking.
    ///
    /// # Errors
    /// As [`Durable::there`].
    pub fn check(&mut self) -> Result<()> {
        self.there()?;
        let me = self.home.node().clone();
        let own = (me.clone(), self.seen.next_of(&me) - 1);
        let own = (own.1 > 0 && self.seen.is_settled(&own)).then_some(own);
        let (one, other) = (self.seen.next_to_check(), self.seen.next_newest(&me));
        let looked = (one.clone(), other.as_ref().map(|(node, _)| node.clone()));
        if self.seen.checked != looked {
            self.seen.checked = looked;
            self.save()?;
        }
        let keys: BTreeSet<_> = own.into_iter().chain(one).chain(other).collect();
        for key in keys {
            if !self.stands(&key)? {
                return Ok(());
            }
        }
        let name = Key::node(self.seen.nodes - 1);
        if self.seen.nodes > 1 && self.bucket.get(&name)?.is_none() {
            self.begin_anew(&gone(&name))?;
        }
        Ok(())
    }

    /// Whether an object that was there before is there, as far as can be told; begins anew where it is not.
    pub(super) fn stands(&mut self, key: &(NodeId, u64)) -> Result<bool> {
        let (node, n) = key;
        let name = Key::object(node, *n);
        // What comes garbled may have been garbled on its way.
        for again in [true, false] {
            let Some(packed) = self.bucket.get(&name)? else {
                self.begin_anew(&gone(&name))?;
                return Ok(false);
            };
            match read(&packed, self.seen.cluster, node, *n) {
                Ok(_) => {
                    let newest =
                        self.seen.newest.get(node).filter(|_| self.seen.next_of(node) == n + 1);
                    if newest.is_none_or(|newest| *newest == hash(&packed)) {
                        return Ok(true);
                    }
                    self.begin_anew(&format!(
                        "{name} in the bucket is another than was read there"
                    ))?;
                    return Ok(false);
                }
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

    /// Forgets all that is known of what the bucket holds, but which objects cannot be read: all of it is to be read.
    pub(super) fn begin_anew(&mut self, why: &str) -> Result<()> {
        let Seen { url, cluster, life, missing_is_denied, put_since, joined, .. } = &self.seen;
        self.seen = Seen {
            missing_is_denied: *missing_is_denied,
            put_since: *put_since,
            joined: *joined,
            damaged: self.seen.damaged.clone(),
            ..Seen::new(url, *cluster, life)
        };
        self.again.clear();
        self.notices
            .push(format!("{why}: all of the bucket is read again, and what it lacks is uploaded"));
        self.save()
    }
}

/// What is said where something is gone.
pub(super) fn gone(key: &Key) -> String {
    format!("{key} was in the bucket, and is not any more")
}

#[cfg(test)]
mod tests;
