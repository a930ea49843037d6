//! Everything that stays, one target after the other in the order of their bytes.

use std::borrow::Cow;
use std::ops::ControlFlow;

use cocli_core::{Entity, Target};

use super::{Delta, Reader, join};
use crate::checkpoint::{Manifest, Ordered};
use crate::error::{Result, StoreError};
use crate::paths;

impl Reader {
    /// Hands every target that stays to `take`, in the order of their bytes, until it breaks. Holds one at
    /// a time, the tail's news, and of each file some bytes; what is damaged is made again and held.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn in_order<B>(
        &self,
        take: impl FnMut(&Target, &Entity) -> ControlFlow<B>,
    ) -> Result<ControlFlow<B>> {
        let (ordered, news) = self.whole_pieces()?;
        self.together(ordered, &news, |_| true, take)
    }

    /// What some pieces say of targets that are wanted, together with news of such.
    pub(super) fn together<B>(
        &self,
        mut ordered: Ordered<'_>,
        news: &Delta,
        wanted: impl Fn(&[u8]) -> bool,
        mut take: impl FnMut(&Target, &Entity) -> ControlFlow<B>,
    ) -> Result<ControlFlow<B>> {
        let mut news = news.iter().peekable();
        loop {
            while ordered.target().is_some_and(|target| !wanted(target)) {
                self.or_replaced(ordered.pass())?;
            }
            let here = ordered.target();
            let is_new = news.peek().is_some_and(|(target, _)| {
                here.is_none_or(|here| target.as_str().as_bytes() < here)
            });
            let told = if is_new { None } else { self.or_replaced(ordered.take())? };
            let flow = match told {
                None => match news.next() {
                    Some((target, entity)) => take(target, entity),
                    None => return Ok(ControlFlow::Continue(())),
                },
                Some((target, mut entity)) => {
                    if let Some((_, more)) = news.next_if(|(new, _)| **new == target) {
                        join(&mut entity, more);
                    }
                    take(&target, &entity)
                }
            };
            if flow.is_break() {
                return Ok(flow);
            }
        }
    }

    /// The pieces that are what they are named by, and, besides the tail's news, what the others said.
    fn whole_pieces(&self) -> Result<(Ordered<'_>, Cow<'_, Delta>)> {
        let (mut whole, mut news) = (Vec::new(), Cow::Borrowed(self.delta()));
        for shard in self.manifest.touched() {
            let pieces = self.manifest.pieces(shard);
            match pieces.iter().try_for_each(|piece| piece.read(&*self.disk).map(drop)) {
                Ok(()) => whole.extend(pieces),
                Err(StoreError::Damaged { .. }) => {
                    for (target, entity) in self.remade(shard)? {
                        join(news.to_mut().entry(target).or_default(), &entity);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok((self.or_replaced(Ordered::of(&*self.disk, whole))?, news))
    }

    /// What was whole a moment ago is gone when a compaction took it away.
    pub(super) fn or_replaced<T>(&self, found: Result<T>) -> Result<T> {
        let damaged = matches!(found, Err(StoreError::Damaged { .. }));
        if damaged && self.is_replaced()? {
            return Err(StoreError::Replaced { path: paths::MANIFEST });
        }
        found
    }

    /// Whether another checkpoint is in place now.
    pub(super) fn is_replaced(&self) -> Result<bool> {
        Ok(Manifest::read_or_empty(&*self.disk, self.manifest.month)? != self.manifest)
    }
}
