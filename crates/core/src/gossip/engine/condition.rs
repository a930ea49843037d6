//! How this node is, told to each live peer: packets that nothing waits for, and that may be lost.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::Engine;
use crate::frame::{Boot, Condition};

impl Engine {
    pub(super) fn on_own_condition(&mut self, condition: Box<Condition>, soon: bool) {
        let live = self.peers.live(self.now).count();
        self.telling.set(condition, soon, live, self.now);
    }

    /// Tells all who are live, when it is due.
    pub(super) fn tell_condition(&mut self) {
        if self.telling.due().is_none_or(|due| due > self.now) {
            return;
        }
        let boots: Vec<Boot> = self.peers.live(self.now).map(|peer| peer.boot).collect();
        self.telling.tell(boots.len(), self.now);
        boots.into_iter().for_each(|boot| self.tell_condition_to(boot));
    }

    /// Tells one, who has just come or come back.
    pub(super) fn tell_condition_to(&mut self, boot: Boot) {
        let Some(message) = self.telling.message() else { return };
        let greet = self.peers.get(boot).is_some_and(|peer| peer.is_ungreeted(self.now));
        self.queue(boot).small(message);
        // A peer that is told something now and then is not greeted for its silence.
        if greet {
            self.greet(boot);
        }
    }
}
