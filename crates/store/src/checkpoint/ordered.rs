//! Pieces of the checkpoint read side by side, so that their targets come in order: each is sorted, and
//! which shard a target is of says nothing of its place.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use cocli_core::{Entity, Target};

use super::shard::{read_entry, read_line};
use super::source::{Piece, Source};
use crate::disk::Disk;
use crate::error::Result;

/// Bytes that all pieces are read ahead by, together, and the least and most of one.
const AHEAD_BYTES: usize = 4 << 20;
const STEP_BYTES: (usize, usize) = (4 << 10, 64 << 10);

/// Where each piece stands.
pub(crate) struct Ordered<'a> {
    sources: Vec<(String, Source<'a>)>,
    /// The target that each source goes on with.
    next: BinaryHeap<Reverse<(Box<[u8]>, usize)>>,
}

impl<'a> Ordered<'a> {
    /// # Errors
    /// [`Damaged`](crate::StoreError::Damaged) when a piece is not what it is named by, here and below.
    pub(crate) fn of(disk: &'a dyn Disk, pieces: Vec<Piece>) -> Result<Self> {
        let step = (AHEAD_BYTES / pieces.len().max(1)).clamp(STEP_BYTES.0, STEP_BYTES.1);
        let mut ordered = Self { sources: Vec::new(), next: BinaryHeap::new() };
        for piece in pieces {
            let path = piece.path.clone();
            ordered.sources.push((path, Source::file(disk, piece, step)?));
            ordered.wait(ordered.sources.len() - 1);
        }
        Ok(ordered)
    }

    /// The target that comes next.
    pub(crate) fn target(&self) -> Option<&[u8]> {
        self.next.peek().map(|Reverse((target, _))| &**target)
    }

    /// The next target, with what all pieces say of it.
    ///
    /// # Errors
    /// As [`Ordered::of`].
    pub(crate) fn take(&mut self) -> Result<Option<(Target, Entity)>> {
        let Some(bytes) = self.target().map(<[u8]>::to_vec) else { return Ok(None) };
        let (mut name, mut entity) = (None, Entity::default());
        while let Some(at) = self.pop(&bytes) {
            let (path, source) = &mut self.sources[at];
            while let Some(line) = source.line().filter(|line| line.target() == bytes) {
                if name.is_none() {
                    name = Some(read_line(line.bytes, path)?.target);
                }
                let (field, entry) = read_entry(line.bytes, path)?;
                entity.merge(field, entry);
                source.advance()?;
            }
            self.wait(at);
        }
        Ok(name.map(|target| (target, entity)))
    }

    /// Passes over the next target.
    ///
    /// # Errors
    /// As [`Ordered::of`].
    pub(crate) fn pass(&mut self) -> Result<()> {
        let Some(bytes) = self.target().map(<[u8]>::to_vec) else { return Ok(()) };
        while let Some(at) = self.pop(&bytes) {
            let source = &mut self.sources[at].1;
            while source.line().is_some_and(|line| line.target() == bytes) {
                source.advance()?;
            }
            self.wait(at);
        }
        Ok(())
    }

    /// A source that goes on with the target.
    fn pop(&mut self, target: &[u8]) -> Option<usize> {
        let Reverse((next, _)) = self.next.peek()?;
        let is_next = **next == *target;
        is_next.then(|| self.next.pop()).flatten().map(|Reverse((_, at))| at)
    }

    fn wait(&mut self, at: usize) {
        if let Some(line) = self.sources[at].1.line() {
            self.next.push(Reverse((line.target().into(), at)));
        }
    }
}
