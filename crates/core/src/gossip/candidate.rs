//! Addresses where a peer may be, and when to say hello there.

use alloc::collections::BTreeMap;
use core::net::SocketAddr;

use super::dice::Dice;
use super::event::Micros;
use crate::frame::Boot;
use crate::limits::{CANDIDATES_MAX, HELLO_MAX_US, HELLO_MIN_US};

#[derive(Debug, Clone)]
struct Candidate {
    /// Named by a person: it goes last when there are too many.
    named: bool,
    delay: Micros,
    next: Micros,
    /// Somebody proved to be there once.
    met: bool,
    /// Who proved to be there.
    boot: Option<Boot>,
}

/// All candidates.
#[derive(Debug, Clone, Default)]
pub(crate) struct Candidates {
    all: BTreeMap<SocketAddr, Candidate>,
    /// When the next hello is due: asked for in each step, and found by a look at all of them.
    soonest: Option<Micros>,
}

impl Candidates {
    /// Takes addresses in; those known change nothing but that they are named now.
    pub(crate) fn name(&mut self, addresses: &[SocketAddr], now: Micros) {
        for address in addresses {
            if let Some(known) = self.all.get_mut(address) {
                known.named = true;
            } else {
                self.add(*address, true, now);
            }
        }
    }

    /// Takes in addresses that nobody named; those known change nothing.
    pub(crate) fn hint(&mut self, addresses: &[SocketAddr], now: Micros) {
        for address in addresses {
            if !self.all.contains_key(address) {
                self.add(*address, false, now);
            }
        }
    }

    /// A new address, if there is room: a hello goes there now.
    fn add(&mut self, address: SocketAddr, named: bool, now: Micros) {
        if self.make_room() {
            let fresh = Candidate { named, delay: HELLO_MIN_US, next: now, met: false, boot: None };
            self.all.insert(address, fresh);
            self.soonest = Some(self.soonest.map_or(now, |soonest| soonest.min(now)));
        }
    }

    /// A boot proved to be at an address: when it falls silent, hellos go there again.
    pub(crate) fn met(&mut self, address: SocketAddr, boot: Boot, hello_at: Micros) {
        if let Some(known) = self.all.get_mut(&address) {
            (known.met, known.boot) = (true, Some(boot));
            known.delay = HELLO_MIN_US;
            known.next = hello_at;
        } else if self.make_room() {
            let (delay, boot) = (HELLO_MIN_US, Some(boot));
            let met = Candidate { named: false, delay, next: hello_at, met: true, boot };
            self.all.insert(address, met);
        }
        self.changed();
    }

    /// Forgets who lives at an address, so that hellos go there now.
    pub(crate) fn silent(&mut self, boot: Boot, now: Micros) {
        for candidate in self.all.values_mut().filter(|c| c.boot == Some(boot)) {
            candidate.boot = None;
            candidate.delay = HELLO_MIN_US;
            candidate.next = now;
        }
        self.changed();
    }

    /// Someone who was away is back: those who still are get a hello soon, as if they were new.
    pub(crate) fn stir(&mut self, now: Micros, dice: &mut Dice) {
        for candidate in self.all.values_mut().filter(|c| c.next > now && c.delay > HELLO_MIN_US) {
            candidate.delay = HELLO_MIN_US;
            candidate.next = now + dice.below(HELLO_MIN_US);
        }
        self.changed();
    }

    /// The addresses whose hello is due. `live_until` says until when a boot needs none. When there
    /// are peers enough, only those that somebody named or who were met before are due.
    pub(crate) fn due(
        &mut self,
        now: Micros,
        dice: &mut Dice,
        sated: bool,
        live_until: impl Fn(Boot) -> Option<Micros>,
    ) -> alloc::vec::Vec<SocketAddr> {
        let mut addresses = alloc::vec::Vec::new();
        for (address, candidate) in self.all.iter_mut().filter(|(_, c)| c.next <= now) {
            if let Some(until) = candidate.boot.and_then(&live_until).filter(|u| *u > now) {
                candidate.next = until;
                candidate.delay = HELLO_MIN_US;
                continue;
            }
            if sated && !candidate.named && candidate.boot.is_none() {
                candidate.next = now + dice.stretched(HELLO_MAX_US / 2);
                continue;
            }
            addresses.push(*address);
            candidate.next = now + dice.stretched(candidate.delay / 2);
            candidate.delay = (candidate.delay * 2).min(HELLO_MAX_US);
        }
        self.changed();
        addresses
    }

    /// When the next hello is due.
    pub(crate) fn deadline(&self) -> Option<Micros> {
        self.soonest
    }

    fn changed(&mut self) {
        self.soonest = self.all.values().map(|candidate| candidate.next).min();
    }

    /// Addresses at which nobody has proved to be yet.
    pub(crate) fn unmet(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.all.iter().filter(|(_, c)| c.boot.is_none()).map(|(address, _)| *address)
    }

    fn make_room(&mut self) -> bool {
        if self.all.len() < CANDIDATES_MAX {
            return true;
        }
        // Where nobody was ever met goes first; the longest delay is the longest silence.
        let unnamed = self.all.iter().filter(|(_, c)| !c.named);
        let worst = unnamed.max_by_key(|(_, c)| (!c.met, c.delay));
        let Some(address) = worst.map(|(address, _)| *address) else { return false };
        self.all.remove(&address);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_a_network_tells_do_not_push_out_where_somebody_was_met() {
        let at = |port: u16| SocketAddr::from(([10, 0, 0, 1], port));
        let (mut candidates, mut dice) = (Candidates::default(), Dice::new(1));
        candidates.met(at(1), Boot(1), 0);
        let mut now = 0;
        for _ in 0..20 {
            now += HELLO_MAX_US;
            candidates.due(now, &mut dice, false, |_| None);
        }
        for port in 2..3_000 {
            candidates.hint(&[at(port)], now);
        }
        assert_eq!(candidates.all.len(), CANDIDATES_MAX);
        assert!(candidates.all.contains_key(&at(1)));
    }
}
