//! How many others hold the own log, and who waits for it.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

use super::peers::Peers;
use crate::digest::ChainHash;
use crate::limits::OWN_HEADS_MAX;
use crate::name::{LogId, NodeId};
use crate::vector::Head;

/// Closings that are remembered for those who ask late.
const CLOSED_MAX: usize = 16;

#[derive(Debug, Clone)]
struct Wait {
    log: LogId,
    position: u64,
    nodes: usize,
}

/// Open waits, and the hashes of the newest heads of own logs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Spread {
    heads: BTreeMap<LogId, BTreeMap<u64, ChainHash>>,
    waits: BTreeMap<u64, Wait>,
    /// Own logs that were closed, the newest last.
    closed: VecDeque<Closed>,
}

/// An own log that was closed at `trusted`; what stood behind it begins another, up to `copied`.
#[derive(Debug, Clone)]
struct Closed {
    old: LogId,
    trusted: u64,
    log: LogId,
    copied: u64,
}

impl Closed {
    /// Where the bytes up to a position of a log are now.
    fn moves(&self, log: &LogId, position: u64) -> Option<(LogId, u64)> {
        // What was not copied is nowhere: whoever waits for it waits in vain.
        let behind = position.checked_sub(self.trusted).filter(|behind| *behind > 0)?;
        (self.old == *log && behind <= self.copied).then(|| (self.log.clone(), behind))
    }
}

impl Spread {
    /// An own log has grown to `head`.
    pub(crate) fn grown(&mut self, log: &LogId, head: Head) {
        let heads = self.heads.entry(log.clone()).or_default();
        heads.insert(head.position, head.hash);
        if heads.len() > OWN_HEADS_MAX {
            heads.pop_first();
        }
    }

    /// Forgets the heads of logs that are over.
    pub(crate) fn end(&mut self, over: impl Fn(&LogId) -> bool) {
        self.heads.retain(|log, _| !over(log));
    }

    /// Own writes go to another log; what waits for bytes behind `trusted` of the old one waits for
    /// their copy.
    pub(crate) fn moved(&mut self, old: &LogId, trusted: u64, log: &LogId, copied: Head) {
        self.grown(log, copied);
        let closed =
            Closed { old: old.clone(), trusted, log: log.clone(), copied: copied.position };
        for wait in self.waits.values_mut() {
            if let Some(moved) = closed.moves(&wait.log, wait.position) {
                (wait.log, wait.position) = moved;
            }
        }
        if self.closed.len() >= CLOSED_MAX {
            self.closed.pop_front();
        }
        self.closed.push_back(closed);
    }

    /// Somebody waits. The log may have been closed since the bytes were written.
    pub(crate) fn wait(&mut self, id: u64, log: LogId, position: u64, nodes: usize) {
        let (mut log, mut position) = (log, position);
        for closed in &self.closed {
            if let Some(moved) = closed.moves(&log, position) {
                (log, position) = moved;
            }
        }
        self.waits.insert(id, Wait { log, position, nodes });
    }

    pub(crate) fn unwait(&mut self, id: u64) {
        self.waits.remove(&id);
    }

    /// The farthest position of a log that somebody waits for.
    pub(crate) fn awaited(&self, log: &LogId) -> Option<u64> {
        self.waits.values().filter(|wait| wait.log == *log).map(|wait| wait.position).max()
    }

    /// Other nodes that hold the log up to `position` durably, with a hash that is mine.
    pub(crate) fn holders(
        &self,
        log: &LogId,
        position: u64,
        own: &NodeId,
        peers: &Peers,
    ) -> BTreeSet<NodeId> {
        let Some(heads) = self.heads.get(log) else { return BTreeSet::new() };
        let holds =
            |head: Head| head.position >= position && heads.get(&head.position) == Some(&head.hash);
        peers
            .all()
            .filter(|peer| peer.node != *own && peer.known(log).is_some_and(holds))
            .map(|peer| peer.node.clone())
            .collect()
    }

    /// Other nodes that hold what a waiter waits for; nobody when it waits no more.
    pub(crate) fn holders_for(&self, id: u64, own: &NodeId, peers: &Peers) -> BTreeSet<NodeId> {
        let wait = self.waits.get(&id);
        wait.map(|w| self.holders(&w.log, w.position, own, peers)).unwrap_or_default()
    }

    /// Takes out the waits that are fulfilled.
    pub(crate) fn fulfilled(&mut self, own: &NodeId, peers: &Peers) -> Vec<(u64, Vec<NodeId>)> {
        let mut done = Vec::new();
        for (id, wait) in &self.waits {
            let holders = self.holders(&wait.log, wait.position, own, peers);
            if holders.len() >= wait.nodes {
                done.push((*id, holders.into_iter().collect()));
            }
        }
        for (id, _) in &done {
            self.waits.remove(id);
        }
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_for_bytes_that_were_not_copied_is_not_answered_by_others() {
        let log = |name: &str| LogId::read(name).unwrap();
        let (old, log) = (log("pi1"), log("pi1~abcdefgh"));
        let closed = Closed { old: old.clone(), trusted: 600, log: log.clone(), copied: 50 };
        assert_eq!(closed.moves(&old, 600), None);
        assert_eq!(closed.moves(&old, 650), Some((log, 50)));
        assert_eq!(closed.moves(&old, 1000), None);
    }
}
