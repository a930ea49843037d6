//! Bases: from which position on a log is held. What lies below those of all who are there comes by no
//! range any more: then the state is taken from the checkpoint of one of them.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::Engine;
use crate::digest::text_hash;
use crate::frame::{Boot, Message};
use crate::gossip::event::{Micros, Output};
use crate::gossip::gap::Gap;
use crate::gossip::peer::Peer;
use crate::limits::{CHECKPOINT_MAX_US, CHECKPOINT_MIN_US, JOIN_US, NEAR_US, STRANDED_US};
use crate::name::{LogId, NodeId};
use crate::vector::Head;

/// Logs in one question for bases.
const ASKED_LOGS: usize = 12;

/// The checkpoint that is being taken.
#[derive(Debug, Clone, Default)]
pub(super) struct Taking {
    peer: Option<Boot>,
    not_before: Micros,
    failures: u8,
    /// Who failed last, or gave one that may not do: others are asked first.
    failed: Option<Boot>,
    /// The state here is damaged: anybody's is wanted.
    pub(super) state_lost: bool,
}

/// Who else holds a log, and which part of it: from a position on, up to a head.
pub type Holdings = BTreeMap<LogId, Vec<(u64, Head)>>;

impl Engine {
    /// What others, who are live and said so, hold of each log, as far as it counts for who takes history
    /// away: only nodes that come before this one in an order of the nodes that is another for each log. So
    /// two never count on each other, whatever was lost on the way, and the first two keep all.
    #[must_use]
    pub fn holdings(&self) -> Holdings {
        let order =
            |log: &LogId, node: &NodeId| text_hash(alloc::format!("{log} {node}").as_bytes());
        let mut holdings = Holdings::new();
        for log in self.vector.0.keys() {
            let mine = order(log, &self.sender.node);
            let mut counted: BTreeMap<u64, (u64, Head)> = BTreeMap::new();
            for peer in self.peers.live(self.now) {
                let theirs = order(log, &peer.node);
                if let (Some(base), Some(head)) = (peer.base(log), peer.known(log))
                    && theirs < mine
                {
                    counted.insert(theirs, (base, head));
                }
            }
            holdings.insert(log.clone(), counted.into_values().collect());
        }
        holdings
    }

    /// A log is held here only from a position on: all who are live are told.
    pub(super) fn on_based(&mut self, log: &LogId, base: u64) {
        self.bases.insert(log.clone(), base);
        let boots: Vec<Boot> = self.peers.live(self.now).map(|peer| peer.boot).collect();
        for boot in boots {
            self.tell_base(boot, log);
        }
    }

    /// Tells a peer from where on a log is held here, if that is not from its start on and it was not told.
    pub(super) fn tell_base(&mut self, boot: Boot, log: &LogId) {
        let Some(base) = self.bases.get(log).copied().filter(|base| *base > 0) else { return };
        if self.peers.get_mut(boot).is_some_and(|peer| peer.tell_base(log, base)) {
            self.queue(boot).base(log.clone(), base);
        }
    }

    pub(super) fn ask_bases(&mut self, logs: &[LogId]) {
        let boots: Vec<Boot> = self.peers.live(self.now).map(|peer| peer.boot).collect();
        for boot in boots {
            for logs in logs.chunks(ASKED_LOGS) {
                self.queue(boot).small(Message::AskBases(logs.to_vec()));
            }
        }
    }

    pub(super) fn on_ask_bases(&mut self, boot: Boot, logs: &[LogId]) {
        for log in
            logs.iter().filter(|log| self.vector.get(log).is_some()).cloned().collect::<Vec<_>>()
        {
            let base = self.bases.get(&log).copied().unwrap_or(0);
            self.queue(boot).base(log, base);
        }
    }

    pub(super) fn on_bases(&mut self, boot: Boot, bases: Vec<(LogId, u64)>) {
        for (log, base) in bases {
            if let Some(peer) = self.peers.get_mut(boot) {
                peer.based(&log, base);
            }
            // What was asked of it there comes not.
            let received = self.received(&log).position;
            if let Some(gap) = self.gaps.get_mut(&log).filter(|_| base > received) {
                gap.gives_up(boot, self.now);
            }
        }
    }

    /// Whether somebody holds more of a log, and nobody what is missing here.
    pub(super) fn strand(&mut self, log: &LogId, gap: &mut Gap) -> bool {
        let others = self.peers.live(self.now).filter(|peer| !gap.forks.contains(&peer.boot));
        let stranded = log.month.is_none() && others.into_iter().any(|p| self.is_beyond(p, log));
        if stranded {
            gap.stranded.get_or_insert(self.now);
            gap.not_before = self.now + STRANDED_US;
        }
        stranded
    }

    /// Whether a peer holds more of a log than came here.
    fn is_beyond(&self, peer: &Peer, log: &LogId) -> bool {
        peer.known(log).is_some_and(|head| head.position > self.received(log).position)
    }

    /// Takes the checkpoint of somebody near who holds more of what nobody holds from far enough back.
    pub(super) fn take_checkpoint(&mut self, out: &mut Vec<Output>) {
        if self.taking.peer.is_some() || self.taking.not_before > self.now {
            return;
        }
        // While two branches are compared nobody knows which one stays.
        let since = |gap: &Gap| {
            gap.ask.is_none() && gap.stranded.is_some_and(|at| at + STRANDED_US <= self.now)
        };
        let stranded: Vec<(&LogId, &Gap)> =
            self.gaps.iter().filter(|(_, gap)| since(gap)).collect();
        let gives = |peer: &Peer, (log, gap): &(&LogId, &Gap)| {
            !gap.forks.contains(&peer.boot) && self.is_beyond(peer, log)
        };
        let lost = self.taking.state_lost;
        let beyond = |peer: &&Peer| lost || stranded.iter().any(|one| gives(peer, one));
        let mut peers: Vec<&Peer> = self.peers.live(self.now).filter(beyond).collect();
        let failed = |peer: &&Peer| Some(peer.boot) == self.taking.failed;
        if !peers.iter().all(failed) {
            peers.retain(|peer| !failed(peer));
        }
        let rtt = |peer: &&Peer| peer.rtt.unwrap_or(NEAR_US);
        let Some(near) = peers.iter().map(rtt).min().map(|rtt| rtt * 2 + NEAR_US) else { return };
        peers.retain(|peer| rtt(peer) <= near);
        let logs_of = |peer: &Peer| -> Vec<LogId> {
            let given = stranded.iter().filter(|one| gives(peer, one));
            given.map(|(log, _)| (*log).clone()).collect()
        };
        let mut all: Vec<_> =
            peers.iter().map(|peer| (peer.boot, peer.address(), logs_of(peer))).collect();
        self.dice.keep(&mut all, 1);
        let Some((peer, to, logs)) = all.pop() else { return };
        self.taking.peer = Some(peer);
        out.push(Output::Checkpoint { logs, peer, to });
    }

    /// What came is joined: another may be taken, should it not have been enough for logs that it knew too
    /// little of.
    pub(super) fn on_joined(&mut self) {
        self.taking.not_before = self.now + STRANDED_US;
    }

    pub(super) fn on_checkpoint_ended(&mut self, boot: Boot, whole: bool) {
        if self.taking.peer != Some(boot) {
            return;
        }
        let Taking { failures, .. } = self.taking;
        let pause = (CHECKPOINT_MIN_US << failures.min(8)).min(CHECKPOINT_MAX_US);
        self.taking = match whole {
            true => {
                Taking { not_before: self.now + JOIN_US, failed: Some(boot), ..Taking::default() }
            }
            false => Taking {
                peer: None,
                not_before: self.now + pause,
                failures: failures.saturating_add(1),
                failed: Some(boot),
                state_lost: self.taking.state_lost,
            },
        };
    }
}
