//! When the peers are told how this node is.

use alloc::boxed::Box;

use super::event::Micros;
use crate::frame::{Condition, Message};
use crate::limits::{CONDITION_MIN_US, CONDITION_PEERS, CONDITION_US, LIVE_PEERS};

/// The own condition, once somebody said it, and when it is told.
#[derive(Debug, Default)]
pub(crate) struct Telling {
    mine: Option<Box<Condition>>,
    /// When it was told last.
    told: Option<Micros>,
    /// When it is told again.
    next: Micros,
}

impl Telling {
    /// How this node is now; with so many live peers.
    pub(crate) fn set(&mut self, condition: Box<Condition>, soon: bool, live: usize, now: Micros) {
        if self.mine.is_none() {
            self.next = now;
        }
        self.mine = Some(condition);
        if soon {
            let rest = CONDITION_MIN_US * live.div_ceil(CONDITION_PEERS).max(1) as u64;
            let earliest = self.told.map_or(now, |told| told + rest);
            self.next = self.next.min(earliest.max(now));
        }
    }

    /// When it is told, if there is anything to tell.
    pub(crate) fn due(&self) -> Option<Micros> {
        self.mine.is_some().then_some(self.next)
    }

    /// All live peers, so many, are told now.
    pub(crate) fn tell(&mut self, live: usize, now: Micros) {
        self.told = Some(now);
        self.next = now + CONDITION_US * live.div_ceil(LIVE_PEERS).max(1) as u64;
    }

    /// What to say.
    pub(crate) fn message(&self) -> Option<Message> {
        self.mine.clone().map(Message::Condition)
    }
}
