//! New durable bytes: to the peers at once, announced again in case that was lost, and those that
//! came from others to the disk.

use alloc::vec::Vec;

use super::Engine;
use crate::frame::{Boot, Message, Range};
use crate::gossip::event::{Micros, Output};
use crate::limits::{ANNOUNCE_US, PASS_OVER_US, PUSH_BYTES_MAX, PUSH_FEW, PUSH_PEERS_MAX};
use crate::name::LogId;
use crate::vector::Head;

/// Times that a change is announced.
const ANNOUNCEMENTS: u32 = 3;

/// A change that is announced again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Announcement {
    pub(super) at: Micros,
    done: u32,
}

impl Engine {
    pub(super) fn on_durable(
        &mut self,
        log: &LogId,
        head: Head,
        ranges: &[Range],
        out: &mut Vec<Output>,
    ) {
        if self.is_over(log) {
            return;
        }
        let own = self.owns(log);
        if let Some(gap) = self.gaps.get_mut(log) {
            gap.claimed = None;
            if gap.is_frozen() && own {
                gap.ask = None;
            }
        }
        let before = self.durable(log).position;
        if head.position <= before {
            self.cut_back(log, head);
            return;
        }
        let grown = head.position - before;
        self.advance(log, head, out);
        let targets = self.peers.some(self.now, &mut self.dice, PUSH_PEERS_MAX, PUSH_FEW);
        self.push(log, grown, ranges, &targets);
    }

    /// The disk holds less of a log than it did: somebody cut it, or a failed sync did.
    fn cut_back(&mut self, log: &LogId, head: Head) {
        if head.position < self.durable(log).position && !self.owns(log) {
            self.set_head(log, head);
            self.inbox.forget(log);
            self.lost_some(log);
        }
    }

    /// Less is held of a log than was told: the others are told so, and asked for what they have.
    pub(super) fn lost_some(&mut self, log: &LogId) {
        self.announce_soon(log);
        let boots: Vec<Boot> = self.peers.live(self.now).map(|peer| peer.boot).collect();
        for boot in boots {
            self.tell(boot, log);
            let known = self.peers.get(boot).and_then(|peer| peer.known(log));
            if let Some(head) = known.filter(|h| h.position > self.durable(log).position) {
                self.lacking(log, head);
            }
        }
    }

    /// Sends the new bytes of a log, or only how far it goes when they are too many.
    fn push(&mut self, log: &LogId, grown: u64, ranges: &[Range], targets: &[Boot]) {
        if let Some(position) = self.spread.awaited(log) {
            for boot in targets {
                self.queue(*boot).small(Message::Hurry { log: log.clone(), position });
            }
        }
        let bytes: u64 = ranges.iter().map(|range| range.bytes.len() as u64).sum();
        let whole = bytes >= grown && bytes <= PUSH_BYTES_MAX;
        if whole && ranges.iter().all(|range| self.send_range(targets, range)) {
            let head = self.durable(log);
            for boot in targets {
                if let Some(peer) = self.peers.get_mut(*boot) {
                    peer.tell(log, head, self.now);
                }
            }
        } else {
            for boot in targets {
                self.tell(*boot, log);
            }
        }
    }

    /// Queues a range in pieces that fit packets; false when a record does not, which is said instead.
    pub(super) fn send_range(&mut self, targets: &[Boot], range: &Range) -> bool {
        let room = Range::room(&self.sender.node, &range.log);
        let (pieces, long) = range.split(room);
        for boot in targets {
            let queue = self.queues.entry(*boot).or_default();
            for piece in &pieces {
                queue.range(piece.clone());
            }
            if let Some(position) = long {
                queue.small(Message::Long { log: range.log.clone(), position });
            }
        }
        long.is_none()
    }

    /// Tells a peer how far a log is durable here.
    pub(super) fn tell(&mut self, boot: Boot, log: &LogId) {
        let head = self.durable(log);
        let Some(peer) = self.peers.get_mut(boot) else { return };
        // That nothing is held of a log is news only to one who believes something else.
        if head.position > 0 || peer.told(log).is_some() {
            peer.tell(log, head, self.now);
            self.queue(boot).entry(log.clone(), head);
            self.tell_base(boot, log);
        }
    }

    /// A log is durable up to `head`.
    fn advance(&mut self, log: &LogId, head: Head, out: &mut Vec<Output>) {
        self.set_head(log, head);
        self.inbox.durable(log, head);
        if self.owns(log) {
            self.spread.grown(log, head);
        }
        self.announce_soon(log);
        out.push(Output::Advanced { log: log.clone(), head });
    }

    pub(super) fn announce_soon(&mut self, log: &LogId) {
        let at = self.now + self.dice.stretched(ANNOUNCE_US);
        let fresh = self.announcements.entry(log.clone()).or_insert(Announcement { at, done: 0 });
        fresh.done = 0;
    }

    pub(super) fn announce(&mut self) {
        let due = self.announcements.iter().filter(|(_, a)| a.at <= self.now);
        for log in due.map(|(log, _)| log.clone()).collect::<Vec<_>>() {
            self.announce_log(&log);
            let pause = self.dice.stretched(ANNOUNCE_US);
            let Some(announcement) = self.announcements.get_mut(&log) else { continue };
            announcement.done += 1;
            announcement.at = self.now + (pause << announcement.done);
            if announcement.done >= ANNOUNCEMENTS {
                self.announcements.remove(&log);
            }
        }
    }

    /// The own log to all that have not said that they hold it, another to one of them.
    fn announce_log(&mut self, log: &LogId) {
        let head = self.durable(log);
        let lacks = self
            .peers
            .live(self.now)
            .filter(|peer| peer.known(log).is_none_or(|known| known.position < head.position));
        let mut boots: Vec<Boot> = lacks.map(|peer| peer.boot).collect();
        let own = self.owns(log);
        self.dice.keep(&mut boots, if own { PUSH_PEERS_MAX } else { 1 });
        let awaited = self.spread.awaited(log);
        for boot in boots {
            self.tell(boot, log);
            if let Some(position) = awaited {
                self.queue(boot).small(Message::Hurry { log: log.clone(), position });
            }
        }
    }

    /// Gives to the disk what is due: bytes are written as they come, and made durable in groups.
    pub(super) fn write(&mut self, out: &mut Vec<Output>) {
        if self.inbox.append_due().is_some_and(|due| due <= self.now) {
            let onward = self.peers.live(self.now).count() > PUSH_PEERS_MAX;
            out.push(Output::Append(self.inbox.append(onward)));
        }
        if self.inbox.sync_due().is_some_and(|due| due <= self.now) {
            self.inbox.sync(self.now);
            out.push(Output::Sync);
        }
    }

    pub(super) fn on_appended(&mut self, heads: Vec<(LogId, Head)>, refused: &[LogId]) {
        self.inbox.appended(true);
        let short = heads.into_iter().filter(|(log, head)| self.inbox.is_cut_off(log, *head));
        let short: Vec<LogId> = short.map(|(log, _)| log).collect();
        self.not_taken(refused.iter().chain(&short));
    }

    /// The disk holds less of these logs than came: it is asked for again, after a while.
    fn not_taken<'a>(&mut self, logs: impl Iterator<Item = &'a LogId>) {
        for log in logs {
            self.inbox.forget(log);
            self.lost_some(log);
            if let Some(gap) = self.gaps.get_mut(log) {
                gap.not_before = self.now + PASS_OVER_US;
            }
        }
    }

    pub(super) fn on_synced(
        &mut self,
        heads: Vec<(LogId, Head)>,
        lost: &[LogId],
        out: &mut Vec<Output>,
    ) {
        self.inbox.synced();
        if lost.is_empty() {
            self.inbox.well();
        } else {
            self.inbox.stall(self.now);
            self.not_taken(lost.iter());
        }
        for (log, head) in heads {
            if self.is_over(&log) {
                continue;
            }
            let before = self.durable(&log).position;
            if head.position <= before {
                self.cut_back(&log, head);
                continue;
            }
            self.advance(&log, head, out);
            let senders = self.inbox.owed(&log, head.position);
            for boot in &senders {
                self.tell(*boot, &log);
            }
            self.push_on(&log, head.position, before, &senders);
        }
    }

    /// In a large cluster bytes of others go on to a few, once.
    fn push_on(
        &mut self,
        log: &LogId,
        position: u64,
        before: u64,
        senders: &alloc::collections::BTreeSet<Boot>,
    ) {
        let ranges = self.inbox.onward(log, position);
        if ranges.is_empty() {
            return;
        }
        let mut targets = self.peers.some(self.now, &mut self.dice, 0, PUSH_FEW);
        targets.retain(|boot| !senders.contains(boot));
        self.push(log, position - before, &ranges, &targets);
    }

    /// Nothing of these counts that was not durable before; the disk is left alone for a while.
    pub(super) fn disk_failed(&mut self, logs: &[LogId]) {
        self.inbox.stall(self.now);
        for log in logs {
            self.inbox.forget(log);
        }
    }

    pub(super) fn on_wait(&mut self, id: u64, log: LogId, position: u64, nodes: usize) {
        let lacks = self
            .peers
            .live(self.now)
            .filter(|peer| peer.known(&log).is_none_or(|known| known.position < position));
        for boot in lacks.map(|peer| peer.boot).collect::<Vec<_>>() {
            self.queue(boot).small(Message::Hurry { log: log.clone(), position });
        }
        self.spread.wait(id, log, position, nodes);
    }

    /// Own writes go to another log from now on.
    pub(super) fn on_new_epoch(
        &mut self,
        log: LogId,
        trusted: Head,
        copied: Head,
        out: &mut Vec<Output>,
    ) {
        let closed = core::mem::replace(&mut self.own, log.of(None));
        let old = closed.of(log.month);
        self.inbox.forget(&old);
        if trusted.position < self.durable(&old).position {
            self.set_head(&old, trusted);
            self.lost_some(&old);
        }
        // Nobody extends the others of the epoch any more, either.
        for (_, gap) in self.gaps.iter_mut().filter(|(log, _)| log.is_kin(&closed)) {
            gap.ask = None;
            gap.claimed = None;
            gap.not_before = self.now;
        }
        // Others hold it up to there at last, whether a batch ended there or not.
        self.spread.grown(&old, trusted);
        self.spread.moved(&old, trusted.position, &log, copied);
        self.set_head(&log, copied);
        self.announce_soon(&old);
        self.announce_soon(&log);
        out.push(Output::Advanced { log, head: copied });
    }
}
