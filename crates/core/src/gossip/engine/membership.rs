//! Who is there: what the members say of each other, and where those are who were not met yet.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::net::SocketAddr;

use super::Engine;
use crate::frame::{Boot, Message};
use crate::gossip::members::{Member, Standing, Told};
use crate::gossip::peer::Peer;
use crate::limits::{ASKED_PEERS, PEERS_SOUGHT};

impl Engine {
    pub(super) fn on_members(&mut self, boot: Boot, from: SocketAddr, body: &[u8]) {
        let Some(peer) = self.peers.get(boot) else { return };
        let sender = Member::new(peer.node.clone(), boot, from);
        let is_peer = |boot| self.peers.get(boot).is_some();
        match self.members.hear(&sender, body, self.now, is_peer) {
            Ok((told, unmet)) => {
                self.candidates.hint(&unmet, self.now);
                self.tell_members(told);
            }
            Err(_) => self.counts.malformed += 1,
        }
    }

    /// Does what is due among the members.
    pub(super) fn watch(&mut self) {
        let told = self.members.tick(self.now);
        self.tell_members(told);
    }

    /// Asks a peer who else is there.
    pub(super) fn ask_members(&mut self, boot: Boot) {
        let Some(peer) = self.peers.get(boot) else { return };
        let member = Member::new(peer.node.clone(), boot, peer.address());
        let told = self.members.ask(member, self.now);
        self.tell_members(told);
    }

    /// Peers that are heard but take no part, since each buried the other: they are told again that
    /// this node is here, a few at a time.
    pub(super) fn ask_absent(&mut self) {
        let active: BTreeSet<Boot> = self.members.active().collect();
        let live = self.peers.live(self.now).map(|peer| peer.boot);
        let mut absent: Vec<Boot> = live.filter(|boot| !active.contains(boot)).collect();
        self.dice.keep(&mut absent, ASKED_PEERS);
        for boot in absent {
            self.ask_members(boot);
        }
    }

    /// A peer that was silent for long is heard again. Others may have been cut off with it: all who
    /// are away get a hello now, and it says who of those it knows are here.
    pub(super) fn returned(&mut self, boot: Boot) {
        if self.stir_after <= self.now {
            self.stir_after = self.now + crate::limits::STIR_US;
            self.candidates.stir(self.now, &mut self.dice);
        }
        self.greet(boot);
        self.tell_condition_to(boot);
        self.ask_members(boot);
    }

    /// Whether enough others are heard, so that those of whom one is only told need not be met.
    pub(super) fn is_sated(&self) -> bool {
        self.peers.live(self.now).count() >= PEERS_SOUGHT
    }

    pub(super) fn say_bye(&mut self) {
        let boots: Vec<Boot> = self.peers.live(self.now).map(|peer| peer.boot).collect();
        for boot in boots {
            self.queue(boot).small(Message::Bye);
        }
        let told = self.members.leave(self.now);
        self.tell_members(told);
    }

    /// How a peer is: as the members say, or, when they do not know it, as it is heard here.
    pub(super) fn standing(&self, peer: &Peer) -> Standing {
        let heard = if peer.is_live(self.now) { Standing::Alive } else { Standing::Down };
        self.members.standing(peer.boot).unwrap_or(heard)
    }

    fn tell_members(&mut self, told: Told) {
        for (boot, body) in told {
            // What is meant for one who is no peer any more has nowhere to go.
            let Some(peer) = self.peers.get(boot) else { continue };
            let greet = peer.is_ungreeted(self.now);
            self.queue(boot).small(Message::Members(body));
            if greet {
                self.greet(boot);
            }
        }
    }
}
