//! A packet from a peer or a stranger, and each message in it.

use alloc::vec::Vec;
use core::net::SocketAddr;

use super::Engine;
use crate::expiry::is_over;
use crate::frame::{Boot, HELLO_BYTES, Message, Packet, Range};
use crate::gossip::event::{Output, Served};
use crate::gossip::gap::Ask;
use crate::gossip::inbox::Taken;
use crate::limits::{LIVE_US, LOGS_MAX, OVERTAKE_US, RETELL_US, WANT_BYTES_MAX};
use crate::name::LogId;
use crate::vector::Head;

impl Engine {
    pub(super) fn on_packet(&mut self, from: SocketAddr, bytes: &[u8], out: &mut Vec<Output>) {
        let Ok(packet) = Packet::read(bytes) else {
            self.counts.malformed += 1;
            return;
        };
        if packet.boot == self.sender.boot {
            self.counts.own += 1;
            return;
        }
        let mut known = false;
        if let Some(peer) = self.peers.get_mut(packet.boot) {
            if !peer.window.take(packet.counter) {
                self.counts.replayed += 1;
                return;
            }
            known = peer.is_at(from);
        }
        if !known && !self.prove(&packet, from, bytes.len(), out) {
            self.counts.unproven += 1;
            return;
        }
        let patience = self.peers.patience();
        let mut returns = false;
        if let Some(peer) = self.peers.get_mut(packet.boot) {
            returns = !peer.is_live(self.now);
            peer.hear(from, patience, self.now);
        }
        if returns {
            self.returned(packet.boot);
        }
        self.counts.taken += 1;
        self.counts.unknown += packet.unknown as u64;
        for message in packet.messages {
            self.on_message(packet.boot, packet.counter, from, message, out);
        }
    }

    /// Whether the stranger has echoed its cookie; if not, it gets one, in no more bytes than it sent.
    fn prove(
        &mut self,
        packet: &Packet,
        from: SocketAddr,
        length: usize,
        out: &mut Vec<Output>,
    ) -> bool {
        let hello = packet.messages.iter().find_map(|message| match message {
            Message::Hello { cookie, echo } => Some((*cookie, *echo)),
            _ => None,
        });
        let (theirs, echo) = hello.unwrap_or((0, 0));
        let cookie = self.peers.cookie(packet.boot, from);
        if echo == cookie {
            let fresh = self.peers.get(packet.boot).is_none();
            if !self.peers.prove(packet, from, self.now) {
                return false;
            }
            self.candidates.met(from, packet.boot, self.now + LIVE_US);
            if fresh {
                self.greet(packet.boot);
                self.tell_condition_to(packet.boot);
                self.ask_members(packet.boot);
            }
            return true;
        }
        if length >= HELLO_BYTES {
            self.hello(from, cookie, theirs, out);
        }
        false
    }

    fn on_message(
        &mut self,
        boot: Boot,
        counter: u64,
        from: SocketAddr,
        message: Message,
        out: &mut Vec<Output>,
    ) {
        match message {
            // It has not met this node, or what was to prove it was lost on the way.
            Message::Hello { cookie: 0, echo: 0 } => {
                let cookie = self.peers.cookie(boot, from);
                self.hello(from, cookie, 0, out);
            }
            Message::Hello { cookie: 0, .. } => {}
            Message::Hello { cookie, .. } => self.hello(from, 0, cookie, out),
            Message::Sum { hash, sent } => self.on_sum(boot, counter, hash, sent),
            Message::Heard { sent, level, wall } => {
                self.on_heard((boot, counter), sent, level, wall);
            }
            Message::Entries(entries) => {
                for (log, head) in entries {
                    self.on_entry(boot, counter, &log, head);
                }
            }
            Message::Want { log, from, until } => self.on_want(boot, log, from, until, out),
            Message::Range(range) => self.on_range(boot, counter, range),
            Message::Long { log, position } => self.on_long(&log, position),
            Message::Differs { log, .. } => self.forked(&log, boot),
            Message::Hurry { log, position } => self.on_hurry(boot, &log, position),
            Message::Bases(bases) => self.on_bases(boot, bases),
            Message::AskBases(logs) => self.on_ask_bases(boot, &logs),
            Message::Members(body) => self.on_members(boot, from, &body),
            Message::Condition(condition) => {
                if let Some(peer) = self.peers.get_mut(boot) {
                    peer.fares(*condition, counter, self.now);
                }
            }
            Message::Bye => {
                if let Some(peer) = self.peers.get_mut(boot) {
                    peer.leave();
                }
                self.candidates.silent(boot, self.now + LIVE_US);
            }
        }
    }

    fn on_heard(&mut self, (boot, counter): (Boot, u64), sent: u64, level: bool, wall: i64) {
        let Some(rtt) = self.now.checked_sub(sent).filter(|rtt| *rtt < LIVE_US) else { return };
        let sum = self.sum_for(boot);
        let oldest = self.peers.get(boot).and_then(|peer| self.oldest_with(peer));
        let Some(peer) = self.peers.get_mut(boot) else { return };
        // What changed here since the sum was sent is not what the other compared.
        if level && self.changed < sent {
            peer.is_level(&self.vector, |log| !is_over(log, oldest), sum, counter);
        }
        peer.measured(rtt);
        peer.clock_ahead = self.wall.ahead(self.now, rtt, wall);
    }

    fn on_entry(&mut self, boot: Boot, counter: u64, log: &LogId, head: Head) {
        let over = self.is_over(log);
        let Some(peer) = self.peers.get_mut(boot) else { return };
        if over || !peer.holds(log, head, counter) {
            return;
        }
        let retell = peer.told(log).is_none_or(|(_, at)| at + RETELL_US <= self.now);
        let durable = self.durable(log);
        let received = self.received(log);
        if head.position > received.position {
            self.lacking(log, head);
        } else if [durable, received]
            .iter()
            .any(|mine| mine.position == head.position && mine.hash != head.hash)
        {
            self.counts.forks += 1;
            self.forked(log, boot);
            self.queue(boot).small(Message::Differs { log: log.clone(), position: head.position });
        } else if head.position < durable.position && retell {
            self.tell(boot, log);
        }
    }

    fn on_want(&mut self, boot: Boot, log: LogId, from: Head, until: u64, out: &mut Vec<Output>) {
        if self.is_over(&log) {
            return;
        }
        let mine = self.durable(&log);
        let base = self.bases.get(&log).copied().unwrap_or(0);
        if from.position < base {
            self.queue(boot).base(log, base);
        } else if from.position > mine.position || from == mine {
            self.tell(boot, &log);
        } else if from.position == mine.position {
            self.differs(boot, &log, from);
        } else {
            let wanted = until.saturating_sub(from.position).min(WANT_BYTES_MAX);
            let max = usize::try_from(wanted).unwrap_or(usize::MAX);
            out.push(Output::Serve { peer: boot, log, from, max });
        }
    }

    pub(super) fn on_served(&mut self, boot: Boot, log: &LogId, from: Head, what: Served) {
        match what {
            Served::Ranges(ranges) => {
                for range in &ranges {
                    if !self.send_range(&[boot], range) {
                        break;
                    }
                }
            }
            Served::Long => {
                self.queue(boot).small(Message::Long { log: log.clone(), position: from.position })
            }
            Served::Fork => self.differs(boot, log, from),
        }
    }

    /// The peer named a head that is not on the chain here.
    fn differs(&mut self, boot: Boot, log: &LogId, head: Head) {
        self.counts.forks += 1;
        self.forked(log, boot);
        self.queue(boot).small(Message::Differs { log: log.clone(), position: head.position });
    }

    fn on_range(&mut self, boot: Boot, counter: u64, range: Range) {
        let (log, end) = (range.log.clone(), range.end());
        if self.is_over(&log) {
            return;
        }
        if let Some(peer) = self.peers.get_mut(boot) {
            peer.holds_at_least(&log, end, counter);
        }
        if self.owns(&log) {
            if end.position > self.durable(&log).position {
                self.lacking(&log, end);
            }
            return;
        }
        let start = range.start();
        match self.take_range(range) {
            Taken::New => {
                self.inbox.owe(&log, boot, end.position);
                self.progressed(&log);
            }
            Taken::Old => {
                self.counts.ranges_old += 1;
                let durable = self.durable(&log);
                let peer = self.peers.get(boot);
                let told = peer.and_then(|peer| peer.told(&log)).map(|(head, _)| head);
                if told != Some(durable) && durable.position >= end.position {
                    self.tell(boot, &log);
                }
            }
            Taken::Early => {
                // What came may only have overtaken what it stands on; what comes behind it says
                // nothing new of that.
                let first = !self.gaps.contains_key(&log);
                self.lacking(&log, end);
                if let Some(gap) = self.gaps.get_mut(&log).filter(|_| first) {
                    gap.not_before = self.now + OVERTAKE_US;
                }
            }
            Taken::Fork => self.differs(boot, &log, start),
            Taken::Lost => {
                self.counts.ranges_lost += 1;
                self.differs(boot, &log, end);
            }
            Taken::Full => {
                self.counts.ranges_full += 1;
                self.lacking(&log, end);
            }
        }
    }

    /// Takes a range of another log, whoever brought it, and what it connects.
    pub(super) fn take_range(&mut self, range: Range) -> Taken {
        let log = range.log.clone();
        let unknown = !self.vector.0.contains_key(&log);
        if self.is_over(&log)
            || (unknown && self.vector.0.len() >= LOGS_MAX)
            || self.gaps.get(&log).is_some_and(super::Gap::is_frozen)
        {
            return Taken::Full;
        }
        let durable = self.durable(&log);
        let taken = self.inbox.take(durable, range, &self.lost, self.now);
        if taken == Taken::New && self.inbox.connect(&log, durable, &self.lost) {
            // Whoever sent it will be asked for it again, and then be told that it differs.
            self.counts.forks += 1;
        }
        taken
    }

    fn on_long(&mut self, log: &LogId, position: u64) {
        let received = self.received(log).position;
        if let Some(gap) = self.gaps.get_mut(log) {
            gap.long = Some(position);
            if position == received && matches!(gap.ask, Some(Ask::Want { .. })) {
                gap.ask = None;
            }
        }
    }

    fn on_hurry(&mut self, boot: Boot, log: &LogId, position: u64) {
        if self.is_over(log) {
            return;
        }
        if self.durable(log).position >= position {
            self.tell(boot, log);
        } else {
            self.inbox.hurry(log, position);
            self.inbox.owe(log, boot, position);
        }
    }
}
