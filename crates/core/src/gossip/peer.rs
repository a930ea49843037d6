//! A boot that proved to hear what is sent to it, and what is known of it.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::SocketAddr;

use super::event::Micros;
use super::window::Window;
use crate::frame::{Boot, Condition};
use crate::limits::{
    ADDRESS_SILENT_US, ADDRESSES_MAX, LIVE_US, LOGS_MAX, LOSSES_MAX, LOSSES_MIN, LOSSES_US,
    STREAM_ROUND_TRIPS, STREAM_SILENT_US, STREAM_SLOW_US, WANT_MAX_US, WANT_MIN_US,
};
use crate::name::{LogId, NodeId};
use crate::vector::{Head, Vector};

/// How far a peer said that it holds a log, and in which of its packets.
#[derive(Debug, Clone, Copy)]
struct Known {
    head: Head,
    counter: u64,
}

/// How a peer said that it is, in which of its packets, and when that came.
#[derive(Debug, Clone)]
struct Heard {
    condition: Condition,
    counter: u64,
    at: Micros,
}

/// One peer.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    pub(crate) node: NodeId,
    pub(crate) boot: Boot,
    /// The address that packets go to comes first.
    addresses: Vec<(SocketAddr, Micros)>,
    pub(crate) window: Window,
    /// When it proved itself first.
    pub(crate) met: Micros,
    pub(crate) heard: Micros,
    /// How long it may be silent and still count as live.
    patience: Micros,
    pub(crate) sent: Micros,
    /// When it was sent a sum.
    greeted: Option<Micros>,
    pub(crate) rtt: Option<Micros>,
    /// By how much its wall clock is ahead of mine, microseconds.
    pub(crate) clock_ahead: Option<i64>,
    known: BTreeMap<LogId, Known>,
    /// The hash of my vector for which the peer said that its own is equal.
    level: Option<u128>,
    told: BTreeMap<LogId, (Head, Micros)>,
    /// The log behind which the turns of entries go on.
    pub(crate) cursor: Option<LogId>,
    /// From which position on it holds a log, as it said.
    bases: BTreeMap<LogId, u64>,
    told_bases: BTreeMap<LogId, u64>,
    passed_over: BTreeMap<LogId, Micros>,
    /// When a fork of a log was last compared with it.
    compared: BTreeMap<LogId, Micros>,
    gone: bool,
    condition: Option<Box<Heard>>,
}

impl Peer {
    pub(crate) fn new(
        node: NodeId,
        boot: Boot,
        address: SocketAddr,
        counter: u64,
        now: Micros,
    ) -> Self {
        Self {
            node,
            boot,
            addresses: alloc::vec![(address, now)],
            window: Window::new(counter),
            met: now,
            heard: now,
            patience: LIVE_US,
            sent: now,
            greeted: None,
            rtt: None,
            clock_ahead: None,
            known: BTreeMap::new(),
            level: None,
            told: BTreeMap::new(),
            cursor: None,
            bases: BTreeMap::new(),
            told_bases: BTreeMap::new(),
            passed_over: BTreeMap::new(),
            compared: BTreeMap::new(),
            gone: false,
            condition: None,
        }
    }

    /// Whether a valid packet came lately.
    pub(crate) fn is_live(&self, now: Micros) -> bool {
        !self.gone && now < self.heard + self.patience
    }

    /// Until when it is live if nothing comes; nothing when it is not.
    pub(crate) fn live_until(&self, now: Micros) -> Option<Micros> {
        self.is_live(now).then_some(self.heard + self.patience)
    }

    /// Whether it was sent nothing for half of the time after which it would give this node up.
    pub(crate) fn is_kept_waiting(&self, now: Micros) -> bool {
        self.sent + self.patience / 2 <= now
    }

    /// Whether it was sent no sum for as long as that.
    pub(crate) fn is_ungreeted(&self, now: Micros) -> bool {
        self.greeted.is_none_or(|greeted| greeted + self.patience / 2 <= now)
    }

    /// It is sent a sum.
    pub(crate) fn greet(&mut self, now: Micros) {
        self.greeted = Some(now);
    }

    /// Where packets go.
    pub(crate) fn address(&self) -> SocketAddr {
        self.addresses[0].0
    }

    /// Where it proved to hear, first where packets go.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.addresses.iter().map(|(address, _)| *address)
    }

    /// Whether it proved to be at this address.
    pub(crate) fn is_at(&self, address: SocketAddr) -> bool {
        self.addresses.iter().any(|(known, _)| *known == address)
    }

    /// It proved to be at an address.
    pub(crate) fn proved(&mut self, address: SocketAddr, now: Micros) {
        if !self.is_at(address) {
            if self.addresses.len() == ADDRESSES_MAX {
                self.addresses.pop();
            }
            self.addresses.push((address, now));
        }
    }

    /// A valid packet came from a proven address.
    pub(crate) fn hear(&mut self, address: SocketAddr, patience: Micros, now: Micros) {
        self.heard = now;
        self.patience = patience;
        self.gone = false;
        for (known, heard) in &mut self.addresses {
            if *known == address {
                *heard = now;
            }
        }
        if self.addresses[0].1 + ADDRESS_SILENT_US < now {
            self.addresses.sort_by_key(|(_, heard)| core::cmp::Reverse(*heard));
        }
    }

    /// It said goodbye.
    pub(crate) fn leave(&mut self) {
        self.gone = true;
    }

    /// Whether it said goodbye, and nothing since.
    pub(crate) fn is_gone(&self) -> bool {
        self.gone
    }

    /// It said how it is; what a packet said that was overtaken counts no more.
    pub(crate) fn fares(&mut self, condition: Condition, counter: u64, now: Micros) {
        if self.condition.as_ref().is_none_or(|heard| heard.counter < counter) {
            self.condition = Some(Box::new(Heard { condition, counter, at: now }));
        }
    }

    /// How it is, and when it said so.
    pub(crate) fn condition(&self) -> Option<(&Condition, Micros)> {
        self.condition.as_ref().map(|heard| (&heard.condition, heard.at))
    }

    /// How long a stream of this peer may bring nothing before packets are tried: under loss those get
    /// through where a stream hardly does.
    pub(crate) fn stream_patience(&self) -> Micros {
        let trips = self.rtt.map_or(0, |rtt| STREAM_ROUND_TRIPS * rtt);
        (STREAM_SLOW_US + trips).min(STREAM_SILENT_US)
    }

    /// A round trip was measured.
    pub(crate) fn measured(&mut self, rtt: Micros) {
        self.rtt = Some(self.rtt.map_or(rtt, |old| (7 * old + rtt) / 8));
    }

    /// Notes how far it holds a log; false when a later packet has said so already.
    pub(crate) fn holds(&mut self, log: &LogId, head: Head, counter: u64) -> bool {
        let full = self.known.len() >= LOGS_MAX;
        match self.known.get_mut(log) {
            Some(known) if known.counter > counter => return false,
            Some(known) => {
                // What it said of the whole is no longer true of this part.
                if known.head != head {
                    self.level = None;
                }
                *known = Known { head, counter };
            }
            None if full => return false,
            None => {
                self.known.insert(log.clone(), Known { head, counter });
            }
        }
        true
    }

    /// A range shows that it holds at least this much; an entry may have said more.
    pub(crate) fn holds_at_least(&mut self, log: &LogId, head: Head, counter: u64) {
        if self.known(log).is_none_or(|known| known.position < head.position) {
            self.holds(log, head, counter);
        }
    }

    /// Its vector equals mine, as far as a log `counts`.
    pub(crate) fn is_level(
        &mut self,
        vector: &Vector,
        counts: impl Fn(&LogId) -> bool,
        sum: u128,
        counter: u64,
    ) {
        if self.level == Some(sum) {
            return;
        }
        for (log, head) in vector.0.iter().filter(|(log, _)| counts(log)) {
            self.holds(log, *head, counter);
        }
        self.level = Some(sum);
    }

    /// Forgets what it said and was told of logs that are over.
    pub(crate) fn end(&mut self, over: impl Fn(&LogId) -> bool) {
        self.known.retain(|log, _| !over(log));
        self.told.retain(|log, _| !over(log));
        self.passed_over.retain(|log, _| !over(log));
        self.compared.retain(|log, _| !over(log));
    }

    /// Whether it said that its vector equals mine, whose hash this is.
    pub(crate) fn equals(&self, sum: u128) -> bool {
        self.level == Some(sum)
    }

    /// Its vector is another than mine.
    pub(crate) fn is_not_level(&mut self) {
        self.level = None;
    }

    /// How far it holds a log, as far as it said.
    pub(crate) fn known(&self, log: &LogId) -> Option<Head> {
        self.known.get(log).map(|known| known.head)
    }

    /// All that it said.
    pub(crate) fn vector(&self) -> impl Iterator<Item = (&LogId, Head)> {
        self.known.iter().map(|(log, known)| (log, known.head))
    }

    /// Notes that it was told how far a log is held here.
    pub(crate) fn tell(&mut self, log: &LogId, head: Head, now: Micros) {
        self.told.insert(log.clone(), (head, now));
    }

    /// What it was told of a log last, and when.
    pub(crate) fn told(&self, log: &LogId) -> Option<(Head, Micros)> {
        self.told.get(log).copied()
    }

    /// It holds a log only from this position on; as long as it runs, nothing before comes back.
    pub(crate) fn based(&mut self, log: &LogId, base: u64) {
        if self.bases.len() < LOGS_MAX || self.bases.contains_key(log) {
            let known = self.bases.entry(log.clone()).or_default();
            *known = base.max(*known);
        }
    }

    /// From which position on it holds a log; nothing when it did not say.
    pub(crate) fn base(&self, log: &LogId) -> Option<u64> {
        self.bases.get(log).copied()
    }

    /// Notes that it is told from where on a log is held here; false when it knows.
    pub(crate) fn tell_base(&mut self, log: &LogId, base: u64) -> bool {
        self.told_bases.insert(log.clone(), base) != Some(base)
    }

    /// It failed to give a log: others are asked until then.
    pub(crate) fn pass_over(&mut self, log: &LogId, until: Micros) {
        self.passed_over.insert(log.clone(), until);
    }

    /// Whether others are to be asked for a log.
    pub(crate) fn is_passed_over(&self, log: &LogId, now: Micros) -> bool {
        self.passed_over.get(log).is_some_and(|until| *until > now)
    }

    /// When a fork of the log was last compared with it.
    pub(crate) fn compared(&self, log: &LogId) -> Option<Micros> {
        self.compared.get(log).copied()
    }

    /// A fork of the log is compared with it now.
    pub(crate) fn compare(&mut self, log: &LogId, now: Micros) {
        self.compared.insert(log.clone(), now);
    }

    /// How long to wait for the answer to a want after so many failures. Some in a row are no more than
    /// lost packets, after which waiting longer helps nobody.
    pub(crate) fn patience(&self, failures: u8) -> Micros {
        let more = failures.saturating_sub(self.losses());
        (self.answers_in() << more.min(6)).min(WANT_MAX_US)
    }

    /// How many failures in a row may be no more than lost packets.
    pub(crate) fn losses(&self) -> u8 {
        let fit = u8::try_from(LOSSES_US / self.answers_in().max(1)).unwrap_or(u8::MAX);
        fit.clamp(LOSSES_MIN, LOSSES_MAX)
    }

    fn answers_in(&self) -> Micros {
        self.rtt.map_or(WANT_MIN_US, |rtt| (4 * rtt).max(WANT_MIN_US))
    }
}
