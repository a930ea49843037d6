//! Damaged blocks: fetched by stream from anybody who holds the log beyond them.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::Engine;
use crate::frame::{Boot, Range};
use crate::gossip::event::{Micros, Output};
use crate::gossip::gap::Place;
use crate::limits::{PASS_OVER_US, STREAM_SILENT_US};
use crate::name::LogId;
use crate::vector::Head;

#[derive(Debug, Clone)]
struct Hole {
    from: Head,
    until: Head,
    peer: Option<Boot>,
    not_before: Micros,
    /// It is due, and waits for a stream's place.
    waits: bool,
}

/// The holes of all logs, by log and position.
#[derive(Debug, Clone, Default)]
pub(super) struct Holes(BTreeMap<(LogId, u64), Hole>);

impl Holes {
    /// One that was found, or that reaches to another end than it did: who is asked for it goes on.
    pub(super) fn found(&mut self, log: LogId, from: Head, until: Head) {
        let hole = Hole { from, until, peer: None, not_before: 0, waits: false };
        self.0.entry((log, from.position)).or_insert(hole).until = until;
    }

    pub(super) fn healed(&mut self, log: &LogId, position: u64) {
        self.0.remove(&(log.clone(), position));
    }

    /// Forgets those of logs that are over.
    pub(super) fn end(&mut self, over: impl Fn(&LogId) -> bool) {
        self.0.retain(|(log, _), _| !over(log));
    }

    pub(super) fn streams(&self) -> usize {
        self.0.values().filter(|hole| hole.peer.is_some()).count()
    }

    /// Whether one is due and waits for a place.
    pub(super) fn wait(&self) -> bool {
        self.0.values().any(|hole| hole.waits)
    }

    pub(super) fn deadline(&self) -> Option<Micros> {
        let timed = self.0.values().filter(|hole| hole.peer.is_none() && !hole.waits);
        timed.map(|hole| hole.not_before).min()
    }

    fn fetched_for(&self, range: &Range) -> bool {
        self.0.iter().any(|((log, _), hole)| {
            *log == range.log
                && hole.peer.is_some()
                && (hole.from.position..hole.until.position).contains(&range.position)
        })
    }
}

impl Engine {
    /// Takes a chunk that belongs to a hole; gives back one that does not.
    pub(super) fn mending(&mut self, range: Range, out: &mut Vec<Output>) -> Option<Range> {
        if !self.holes.fetched_for(&range) {
            return Some(range);
        }
        out.push(Output::Heal(alloc::vec![range]));
        None
    }

    /// Whether the stream that ended was for a hole. If the hole is still there, it is asked for
    /// again later.
    pub(super) fn mend_ended(&mut self, log: &LogId, boot: Boot, now: Micros) -> bool {
        let mut found = false;
        for ((of, _), hole) in &mut self.holes.0 {
            if of == log && hole.peer == Some(boot) {
                hole.peer = None;
                hole.not_before = now + PASS_OVER_US;
                found = true;
            }
        }
        found
    }

    /// Asks for holes, one a log, when no other stream runs for it.
    pub(super) fn mend(&mut self, out: &mut Vec<Output>) {
        let now = self.now;
        let due: Vec<(LogId, u64)> = (self.holes.0.iter())
            .filter(|(_, hole)| hole.peer.is_none() && (hole.waits || hole.not_before <= now))
            .map(|(key, _)| key.clone())
            .collect();
        for key in due {
            let streams = self.gaps.get(&key.0).is_some_and(|gap| gap.streams());
            let waits = streams || !self.has_place(Place::Stream);
            let mut others = self.holes.0.iter().filter(|((log, _), _)| *log == key.0);
            let other = others.any(|(_, hole)| hole.peer.is_some());
            let Some(hole) = self.holes.0.get_mut(&key) else { continue };
            hole.waits = waits && !other;
            hole.not_before = now + PASS_OVER_US;
            if waits || other {
                continue;
            }
            let beyond = hole.until.position;
            let mut holders: Vec<_> = (self.peers.live(now))
                .filter(|p| p.known(&key.0).is_some_and(|head| head.position >= beyond))
                .map(|peer| (peer.boot, peer.address()))
                .collect();
            self.dice.keep(&mut holders, 1);
            let Some((peer, to)) = holders.pop() else { continue };
            hole.peer = Some(peer);
            let (from, until) = (hole.from, beyond);
            let patience = STREAM_SILENT_US;
            out.push(Output::Fetch { log: key.0, from, until, patience, peer, to });
        }
    }
}
