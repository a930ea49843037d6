//! What is missing of a log, and what was asked for.

use alloc::collections::{BTreeSet, VecDeque};

use super::event::Micros;
use crate::frame::Boot;
use crate::limits::{PASS_OVER_US, WANT_MIN_US};
use crate::name::LogId;
use crate::vector::Head;

/// What is in flight for a log; one at a time.
#[derive(Debug, Clone)]
pub(crate) enum Ask {
    /// Ranges in packets, up to about `full`.
    Want { peer: Boot, from: Head, full: u64, asked: Micros, deadline: Micros },
    /// Ranges over a stream, from a position on.
    Stream { peer: Boot, from: u64 },
    /// The comparison of two branches.
    Branch { peer: Boot },
    /// The home looks whether it must close its own log.
    Doubt,
}

/// What there are only so many of at a time, over all logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Want,
    Stream,
}

/// Logs that wait for a place, the longest waiting first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lines {
    wants: VecDeque<LogId>,
    streams: VecDeque<LogId>,
}

impl Lines {
    pub(crate) fn of(&self, place: Place) -> &VecDeque<LogId> {
        match place {
            Place::Want => &self.wants,
            Place::Stream => &self.streams,
        }
    }

    pub(crate) fn of_mut(&mut self, place: Place) -> &mut VecDeque<LogId> {
        match place {
            Place::Want => &mut self.wants,
            Place::Stream => &mut self.streams,
        }
    }
}

/// A log of which somebody has more, or another branch.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gap {
    pub(crate) ask: Option<Ask>,
    /// Nothing is asked before.
    pub(crate) not_before: Micros,
    /// It stands in one of the [`Lines`], and is looked at when its turn comes.
    pub(crate) in_line: bool,
    /// No stream is asked before, but for what does not fit a packet.
    pub(crate) streams_from: Micros,
    /// Where a record begins that does not fit a packet.
    pub(crate) long: Option<u64>,
    /// Requests in a row that brought nothing.
    pub(crate) failures: u8,
    /// Who has another branch.
    pub(crate) forks: BTreeSet<Boot>,
    /// Branches are to be compared as soon as all that came is durable: no more is taken until then.
    pub(crate) settling: bool,
    /// Who won against the branch held here before.
    pub(crate) winner: Option<Boot>,
    /// For the own log: how far somebody claims to hold it.
    pub(crate) claimed: Option<Head>,
    /// Since when nobody who is live holds what is missing: all hold the log only from a later position on.
    pub(crate) stranded: Option<Micros>,
}

impl Gap {
    /// Whether the log must stay as it is until an answer comes.
    pub(crate) fn is_frozen(&self) -> bool {
        self.settling || matches!(self.ask, Some(Ask::Branch { .. } | Ask::Doubt))
    }

    /// Whether it takes one of the places for streams.
    pub(crate) fn streams(&self) -> bool {
        matches!(self.ask, Some(Ask::Stream { .. } | Ask::Branch { .. }))
    }

    /// Whether it takes one of the places for wants.
    pub(crate) fn wants(&self) -> bool {
        matches!(self.ask, Some(Ask::Want { .. }))
    }

    /// The peer does not hold what it was asked for: somebody else is asked at once.
    pub(crate) fn gives_up(&mut self, boot: Boot, now: Micros) {
        if matches!(self.ask, Some(Ask::Want { peer, .. }) if peer == boot) {
            self.ask = None;
            self.not_before = now;
        }
    }

    /// A request brought nothing. The next one waits, longer each time.
    pub(crate) fn failed(&mut self, now: Micros) {
        self.ask = None;
        self.not_before = now + (WANT_MIN_US << self.failures.min(6)).min(PASS_OVER_US);
        self.failures = self.failures.saturating_add(1);
    }

    /// When it wants to be looked at.
    pub(crate) fn deadline(&self) -> Option<Micros> {
        match &self.ask {
            Some(Ask::Want { deadline, .. }) => Some(*deadline),
            Some(_) => None,
            None => (!self.in_line).then_some(self.not_before),
        }
    }
}
