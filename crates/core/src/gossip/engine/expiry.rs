//! Expiring logs come to an end by the wall clock: what is over is neither told, asked for nor taken. Two
//! nodes compare what is over for neither, so that clocks that differ cost nothing.

use super::super::peer::Peer;
use super::Engine;
use crate::expiry::{is_over, oldest_told};
use crate::frame::Boot;
use crate::name::LogId;
use crate::time::{Instant, Month};
use crate::vector::Head;

impl Engine {
    /// Forgets the logs that are over by now.
    pub(super) fn end_months(&mut self) {
        let oldest = oldest_at(self.wall.at(self.now));
        if oldest == self.oldest {
            return;
        }
        self.oldest = oldest;
        let over = |log: &LogId| is_over(log, oldest);
        for log in self.vector.0.keys().chain(self.gaps.keys()).filter(|log| over(log)) {
            self.inbox.forget(log);
        }
        self.vector.0.retain(|log, _| !over(log));
        self.gaps.retain(|log, _| !over(log));
        self.announcements.retain(|log, _| !over(log));
        self.holes.end(over);
        self.spread.end(over);
        self.peers.each(|peer| peer.end(over));
        self.sums.clear();
        self.changed = self.now;
    }

    /// Whether a log is neither told, asked for nor taken any more.
    pub(super) fn is_over(&self, log: &LogId) -> bool {
        is_over(log, self.oldest)
    }

    /// The oldest month whose logs are over neither here nor, by its clock, for a peer.
    pub(super) fn oldest_with(&self, peer: &Peer) -> Option<Month> {
        let wall = self.wall.at(self.now);
        let theirs = peer.clock_ahead.filter(|_| wall > 0).map(|ahead| wall.saturating_add(ahead));
        self.oldest.max(theirs.and_then(oldest_at))
    }

    /// What of the vector concerns a peer.
    pub(super) fn told_to(&self, peer: &Peer) -> impl Iterator<Item = (&LogId, &Head)> {
        let oldest = self.oldest_with(peer);
        self.vector.0.iter().filter(move |(log, _)| !is_over(log, oldest))
    }

    /// The hash of what of the vector concerns a peer.
    pub(super) fn sum_for(&mut self, boot: Boot) -> u128 {
        let oldest = self.peers.get(boot).map_or(self.oldest, |peer| self.oldest_with(peer));
        let vector = &self.vector;
        let sum = || vector.hash_of(|log| !is_over(log, oldest));
        *self.sums.entry(oldest).or_insert_with(sum)
    }
}

/// Nothing while the time is not known.
fn oldest_at(wall: i64) -> Option<Month> {
    Instant::from_micros(wall).filter(|_| wall > 0).map(oldest_told)
}
