//! All peers, and the proof that makes one.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use super::dice::Dice;
use super::event::Micros;
use super::peer::Peer;
use crate::digest::hash;
use crate::frame::{Boot, Packet};
use crate::limits::{LIVE_PEERS, LIVE_US, OVERLAP_US, PEERS_MAX};
use crate::name::NodeId;

/// Boots that were dropped and are remembered.
const DROPPED_MAX: usize = 512;

/// All peers, by boot.
#[derive(Debug, Clone)]
pub(crate) struct Peers {
    secret: [u8; 16],
    all: BTreeMap<Boot, Peer>,
    /// The boot behind which the turns of rounds go on.
    turn: Option<Boot>,
    /// Boots that were dropped, with their last counter: what comes up to it is a replay.
    dropped: VecDeque<(Boot, u64)>,
}

impl Peers {
    pub(crate) fn new(secret: [u8; 16]) -> Self {
        Self { secret, all: BTreeMap::new(), turn: None, dropped: VecDeque::new() }
    }

    /// What a boot at an address must echo; never 0.
    pub(crate) fn cookie(&self, boot: Boot, address: SocketAddr) -> u64 {
        let mut text = Vec::with_capacity(64);
        text.extend_from_slice(&self.secret);
        text.extend_from_slice(&boot.0.to_be_bytes());
        match address.ip() {
            IpAddr::V4(ip) => text.extend_from_slice(&ip.octets()),
            IpAddr::V6(ip) => text.extend_from_slice(&ip.octets()),
        }
        text.extend_from_slice(&address.port().to_be_bytes());
        u64::try_from(hash(&text) & u128::from(u64::MAX)).unwrap_or(1).max(1)
    }

    /// The sender has echoed its cookie from there. False when there is no room for it.
    pub(crate) fn prove(&mut self, packet: &Packet, from: SocketAddr, now: Micros) -> bool {
        if let Some(peer) = self.all.get_mut(&packet.boot) {
            peer.proved(from, now);
            return true;
        }
        let replayed = |(boot, last): &(Boot, u64)| *boot == packet.boot && packet.counter <= *last;
        if self.dropped.iter().any(replayed) {
            return false;
        }
        // A new boot of the node takes the old one's place.
        let displaced =
            |peer: &&Peer| peer.node == packet.node && (peer.is_at(from) || !peer.is_live(now));
        let displaced: Vec<Boot> = self.all.values().filter(displaced).map(|p| p.boot).collect();
        for boot in displaced {
            self.drop(boot);
        }
        if self.all.len() >= PEERS_MAX {
            let silent = self.all.values().filter(|p| !p.is_live(now)).min_by_key(|p| p.heard);
            let Some(boot) = silent.map(|peer| peer.boot) else { return false };
            self.drop(boot);
        }
        self.dropped.retain(|(boot, _)| *boot != packet.boot);
        let peer = Peer::new(packet.node.clone(), packet.boot, from, packet.counter, now);
        self.all.insert(packet.boot, peer);
        true
    }

    fn drop(&mut self, boot: Boot) {
        let Some(peer) = self.all.remove(&boot) else { return };
        self.dropped.push_back((boot, peer.window.newest()));
        if self.dropped.len() > DROPPED_MAX {
            self.dropped.pop_front();
        }
    }

    /// How long a peer may be silent and still count as live: the more there are, the more seldom
    /// each is spoken to.
    pub(crate) fn patience(&self) -> Micros {
        let peers = self.all.len().max(LIVE_PEERS) as u64;
        LIVE_US * peers / LIVE_PEERS as u64
    }

    pub(crate) fn get(&self, boot: Boot) -> Option<&Peer> {
        self.all.get(&boot)
    }

    pub(crate) fn get_mut(&mut self, boot: Boot) -> Option<&mut Peer> {
        self.all.get_mut(&boot)
    }

    pub(crate) fn each(&mut self, act: impl FnMut(&mut Peer)) {
        self.all.values_mut().for_each(act);
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Peer> {
        self.all.values()
    }

    pub(crate) fn live(&self, now: Micros) -> impl Iterator<Item = &Peer> {
        self.all.values().filter(move |peer| peer.is_live(now))
    }

    /// Names that two machines bear at this time, `own` being that of this one. Of two starts of one
    /// machine the first is not heard any more when the second has come.
    pub(crate) fn twins(&self, own: &NodeId, now: Micros) -> BTreeSet<NodeId> {
        let lasts = |peer: &Peer, beside: &Peer| peer.heard > beside.met + OVERLAP_US;
        let twin = |peer: &&Peer| {
            let other = |other: &Peer| {
                other.boot != peer.boot
                    && other.node == peer.node
                    && lasts(peer, other)
                    && lasts(other, peer)
            };
            peer.node == *own || self.live(now).any(other)
        };
        self.live(now).filter(twin).map(|peer| peer.node.clone()).collect()
    }

    /// The boots of live peers, all or `few` of them when they are more than `all_up_to`.
    pub(crate) fn some(
        &self,
        now: Micros,
        dice: &mut Dice,
        all_up_to: usize,
        few: usize,
    ) -> Vec<Boot> {
        let mut boots: Vec<Boot> = self.live(now).map(|peer| peer.boot).collect();
        if boots.len() > all_up_to {
            dice.keep(&mut boots, few);
        }
        boots
    }

    /// The next of those peers, by turns, that are not known to hold the same, or were never measured.
    pub(crate) fn turn(&mut self, unequal: &[Boot], count: usize) -> Vec<Boot> {
        let boots = unequal;
        let from = self.turn.map_or(0, |turn| boots.partition_point(|boot| *boot <= turn));
        let taken: Vec<Boot> =
            boots[from..].iter().chain(&boots[..from]).take(count).copied().collect();
        self.turn = taken.last().copied();
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_that_started_again_elsewhere_is_no_twin_and_one_that_is_heard_beside_it_is() {
        let name = |text: &str| NodeId::read(text).unwrap();
        let at = |port: u16| SocketAddr::from(([10, 0, 0, 1], port));
        let mut peers = Peers::new([7; 16]);
        let mut hear = |boot: u64, now: Micros| {
            let (node, boot) = (name("pi1"), Boot(boot));
            let packet = Packet { node, boot, counter: now, messages: Vec::new(), unknown: 0 };
            let port = u16::try_from(packet.boot.0).unwrap();
            peers.prove(&packet, at(port), now);
            peers.get_mut(packet.boot).unwrap().hear(at(port), LIVE_US, now);
            (peers.twins(&name("laptop"), now), peers.twins(&name("pi1"), now))
        };
        let pi1 = BTreeSet::from([name("pi1")]);
        hear(1, 0);
        assert_eq!(hear(1, 5_000_000), (BTreeSet::new(), pi1.clone()));
        hear(2, 6_000_000);
        assert_eq!(hear(2, 12_000_000).0, BTreeSet::new(), "the first start is over");
        assert_eq!(hear(1, 13_000_000).0, pi1, "it is not");
        assert_eq!(hear(2, 50_000_000).0, BTreeSet::new(), "now it is");
    }

    #[test]
    fn what_a_dropped_boot_said_does_not_bring_it_back_and_what_it_says_next_does() {
        let node = NodeId::read("pi1").unwrap();
        let at = |port: u16| SocketAddr::from(([10, 0, 0, 1], port));
        let mut peers = Peers::new([7; 16]);
        let mut prove = |boot: u64, counter: u64, port: u16, now: Micros| {
            let (node, boot) = (node.clone(), Boot(boot));
            let packet = Packet { node, boot, counter, messages: Vec::new(), unknown: 0 };
            let taken = peers.prove(&packet, at(port), now);
            (taken, peers.all().map(|peer| peer.boot.0).collect::<Vec<_>>())
        };
        assert_eq!(prove(1, 5, 1, 0), (true, [1].into()));
        // It is silent for long; the machine starts again elsewhere, and comes back to the place.
        assert_eq!(prove(2, 1, 2, 2 * LIVE_US), (true, [2].into()));
        assert_eq!(prove(2, 2, 1, 2 * LIVE_US), (true, [2].into()));
        assert_eq!(prove(1, 5, 1, 2 * LIVE_US), (false, [2].into()));
        assert_eq!(prove(1, 6, 1, 2 * LIVE_US), (true, [1].into()));
        assert_eq!(prove(2, 3, 1, 2 * LIVE_US), (true, [2].into()));
    }
}
