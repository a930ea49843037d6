//! How many others hold the own log, and who waits for it.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::peers::Peers;
use crate::digest::ChainHash;
use crate::limits::OWN_HEADS_MAX;
use crate::name::{LogId, NodeId};
use crate::vector::Head;

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

    /// Own writes go to another log; what waits for bytes behind `trusted` of the old one waits for
    /// their copy.
    pub(crate) fn moved(&mut self, old: &LogId, trusted: u64, log: &LogId, copied: Head) {
        self.grown(log, copied);
        for wait in self.waits.values_mut() {
            if wait.log == *old && wait.position > trusted {
                wait.log = log.clone();
                wait.position = (wait.position - trusted).min(copied.position);
            }
        }
    }

    pub(crate) fn wait(&mut self, id: u64, log: LogId, position: u64, nodes: usize) {
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
