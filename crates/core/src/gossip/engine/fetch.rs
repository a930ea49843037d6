//! What is missing: whom to ask, how, and what to do when nothing comes. And forks, which are asked
//! about in the same place, since a log that forks can take no bytes.

use alloc::vec::Vec;

use super::Engine;
use crate::frame::{Boot, Message, Range};
use crate::gossip::event::{BranchEnd, FetchEnd, Micros, Output};
use crate::gossip::gap::{Ask, Gap, Place};
use crate::gossip::inbox::Taken;
use crate::gossip::peer::Peer;
use crate::limits::{
    COMMIT_US, COMPARE_US, DOUBT_US, GAP_BYTES_MAX, LOGS_MAX, NEAR_US, OVERTAKE_US, PASS_OVER_US,
    STREAM_REST_US, STREAM_SILENT_US, WANT_BYTES_MAX, WANTED_HOLES,
};
use crate::name::LogId;
use crate::vector::Head;

impl Engine {
    /// Somebody holds more of a log than has come here.
    pub(super) fn lacking(&mut self, log: &LogId, head: Head) {
        let held = self.vector.0.contains_key(log) || self.gaps.contains_key(log);
        if self.is_over(log) {
            return;
        }
        if !held && self.vector.0.len().max(self.gaps.len()) >= LOGS_MAX {
            return;
        }
        let own = self.owns(log);
        let gap = self.gaps.entry(log.clone()).or_default();
        if gap.stranded.is_some() {
            gap.not_before = self.now;
        }
        if own && gap.claimed.is_none_or(|claimed| claimed.position < head.position) {
            gap.claimed = Some(head);
        }
    }

    /// Somebody has another branch of a log that is held here.
    pub(super) fn forked(&mut self, log: &LogId, boot: Boot) {
        if !self.vector.0.contains_key(log) {
            return;
        }
        self.gaps.entry(log.clone()).or_default().forks.insert(boot);
    }

    /// Bytes came for a log: a want is over when it brought what it could.
    pub(super) fn progressed(&mut self, log: &LogId) {
        let received = self.received(log).position;
        let room = Range::room(&self.sender.node, log) as u64;
        let Some(gap) = self.gaps.get_mut(log) else { return };
        gap.failures = 0;
        if let Some(Ask::Want { peer, full, deadline, .. }) = &mut gap.ask {
            if received + room >= *full {
                gap.ask = None;
            } else if let Some(peer) = self.peers.get(*peer) {
                *deadline = self.now + peer.patience(0);
            }
        }
    }

    pub(super) fn on_fetched(&mut self, range: Range, out: &mut Vec<Output>) {
        if let Some(range) = self.mending(range, out) {
            let log = range.log.clone();
            match self.take_range(range) {
                Taken::New => self.progressed(&log),
                Taken::Full => self.counts.ranges_full += 1,
                _ => self.counts.ranges_old += 1,
            }
        }
    }

    pub(super) fn on_fetch_ended(&mut self, log: &LogId, boot: Boot, end: FetchEnd) {
        if self.mend_ended(log, boot, self.now) {
            return;
        }
        let until = self.now + PASS_OVER_US;
        let received = self.received(log).position;
        let Some(gap) = self.gaps.get_mut(log) else { return };
        let Some(Ask::Stream { peer, from }) = gap.ask else { return };
        if peer != boot {
            return;
        }
        match end {
            FetchEnd::Whole if received > from => {
                gap.ask = None;
                self.inbox.hurry(log, received);
            }
            FetchEnd::Turn => gap.ask = None,
            FetchEnd::Slow if gap.long != Some(received) => {
                gap.ask = None;
                gap.streams_from = self.now + STREAM_REST_US;
            }
            // Nothing came although it is said to be there: the next is asked, later.
            FetchEnd::Whole | FetchEnd::Cut | FetchEnd::Slow => {
                gap.failed(self.now);
                self.inbox.forget_early(log);
                self.pass_over(boot, log, until);
            }
            FetchEnd::Below(base) => {
                gap.ask = None;
                if let Some(peer) = self.peers.get_mut(boot) {
                    peer.based(log, base);
                }
            }
            FetchEnd::Fork => {
                gap.ask = None;
                self.forked(log, boot);
                let position = self.durable(log).position;
                self.queue(boot).small(Message::Differs { log: log.clone(), position });
            }
        }
    }

    pub(super) fn on_branch_ended(&mut self, log: &LogId, boot: Boot, end: BranchEnd) {
        let Some(gap) = self.gaps.get_mut(log) else { return };
        if !matches!(gap.ask, Some(Ask::Branch { peer }) if peer == boot) {
            return;
        }
        gap.ask = None;
        gap.forks.remove(&boot);
        match end {
            BranchEnd::Yielded { common, lost } => {
                gap.forks.clear();
                gap.winner = Some(boot);
                self.inbox.forget(log);
                self.remember_lost(lost);
                self.set_head(log, common);
                self.lost_some(log);
            }
            BranchEnd::Kept => {
                let position = self.durable(log).position;
                self.queue(boot).small(Message::Differs { log: log.clone(), position });
                self.pass_over(boot, log, self.now + PASS_OVER_US);
            }
            BranchEnd::Open => self.pass_over(boot, log, self.now + PASS_OVER_US),
        }
    }

    fn pass_over(&mut self, boot: Boot, log: &LogId, until: Micros) {
        if let Some(peer) = self.peers.get_mut(boot) {
            peer.pass_over(log, until);
        }
    }

    /// Looks at every log of which something is missing.
    pub(super) fn close_gaps(&mut self, out: &mut Vec<Output>) {
        let now = self.now;
        let ready = self.gaps.iter().filter(|(_, g)| g.deadline().is_some_and(|at| at <= now));
        for log in ready.map(|(log, _)| log.clone()).collect::<Vec<_>>() {
            self.expire(&log);
            self.look_at(log, None, out);
        }
    }

    /// Does what can be done about a gap. `turn` is the place that is its own to take now.
    pub(super) fn look_at(&mut self, log: LogId, turn: Option<Place>, out: &mut Vec<Output>) {
        let Some(mut gap) = self.gaps.remove(&log) else { return };
        if gap.ask.is_some() || self.close_gap(&log, &mut gap, turn, out) {
            self.gaps.insert(log, gap);
        } else {
            // What came early of it leads nowhere now, and would take the room of others.
            self.inbox.forget_early(&log);
        }
    }

    /// A want whose time is over: with a pause for the holder when it brought nothing.
    fn expire(&mut self, log: &LogId) {
        let ask = self.gaps.get(log).and_then(|gap| gap.ask.as_ref());
        let Some(&Ask::Want { peer, from, asked, deadline, .. }) = ask else { return };
        if deadline > self.now {
            return;
        }
        let received = self.received(log).position;
        let Some(gap) = self.gaps.get_mut(log) else { return };
        if received > from.position {
            gap.ask = None;
        } else {
            // The wait for the answer was the pause.
            gap.failed(0);
            // Of one who is heard only the packets were lost, unless it goes on.
            let lost = |peer: &Peer| gap.failures <= peer.losses() && peer.heard > asked;
            if !self.peers.get(peer).is_some_and(lost) {
                self.pass_over(peer, log, self.now + PASS_OVER_US);
            }
        }
    }

    /// Asks for what is missing; false when nothing is. A gap that stays without asking says when it
    /// wants to be looked at again.
    fn close_gap(
        &mut self,
        log: &LogId,
        gap: &mut Gap,
        turn: Option<Place>,
        out: &mut Vec<Output>,
    ) -> bool {
        if self.owns(log) {
            return self.doubt(log, gap, out);
        }
        gap.forks.retain(|boot| self.peers.get(*boot).is_some_and(|p| p.is_live(self.now)));
        gap.settling = false;
        if !gap.forks.is_empty() && self.compare(log, gap, turn, out) {
            return true;
        }
        if !self.inbox.has_room(self.now) {
            let later = self.now + COMMIT_US;
            gap.not_before = self.inbox.stalled_until().map_or(later, |until| until.max(later));
            return true;
        }
        let Some((holder, far)) = self.holder(log, gap) else {
            return self.strand(log, gap) || !gap.forks.is_empty();
        };
        gap.stranded = None;
        self.ask((log, gap), (holder, far), turn, out);
        true
    }

    fn doubt(&mut self, log: &LogId, gap: &mut Gap, out: &mut Vec<Output>) -> bool {
        let longer = gap.claimed.filter(|c| c.position > self.durable(log).position);
        if longer.is_none() && gap.forks.is_empty() {
            return false;
        }
        if self.now < self.doubt_after {
            gap.not_before = self.doubt_after;
            return true;
        }
        self.doubt_after = self.now + DOUBT_US;
        gap.ask = Some(Ask::Doubt);
        let claimed = if gap.forks.is_empty() { longer } else { None };
        out.push(Output::Doubt { log: log.clone(), claimed });
        true
    }

    /// Compares branches with somebody who has another; false when that must wait, and others may be
    /// asked meanwhile.
    fn compare(
        &mut self,
        log: &LogId,
        gap: &mut Gap,
        turn: Option<Place>,
        out: &mut Vec<Output>,
    ) -> bool {
        let next = |boot: &Boot| {
            let last = self.peers.get(*boot).and_then(|peer| peer.compared(log));
            last.map_or(0, |last| last + COMPARE_US)
        };
        let Some((at, boot)) = gap.forks.iter().map(|boot| (next(boot), *boot)).min() else {
            return false;
        };
        if at > self.now {
            gap.not_before = at;
            return false;
        }
        gap.settling = true;
        if self.inbox.holds(log) {
            gap.not_before = self.now + OVERTAKE_US;
            return true;
        }
        if !self.may_take(Place::Stream, log, gap, turn) {
            return true;
        }
        gap.settling = false;
        let Some(peer) = self.peers.get_mut(boot) else { return false };
        peer.compare(log, self.now);
        gap.ask = Some(Ask::Branch { peer: boot });
        out.push(Output::Branch { log: log.clone(), peer: boot, to: peer.address() });
        true
    }

    /// Whom to ask, and how far it holds the log: one of the near, not one that failed lately.
    fn holder(&mut self, log: &LogId, gap: &Gap) -> Option<(Boot, u64)> {
        let received = self.received(log).position;
        let holders = self.peers.live(self.now).filter(|p| !gap.forks.contains(&p.boot));
        let mut holders: Vec<_> = holders
            .filter_map(|peer| {
                let held = peer.known(log)?.position;
                let base = peer.base(log).unwrap_or(0);
                (base <= received && received < held).then_some((peer, held))
            })
            .collect();
        let best = |(peer, _): &&(&super::super::peer::Peer, u64)| {
            Some(peer.boot) == gap.winner && !peer.is_passed_over(log, self.now)
        };
        if let Some(winner) = holders.iter().find(best) {
            return Some((winner.0.boot, winner.1));
        }
        if holders.iter().any(|(peer, _)| !peer.is_passed_over(log, self.now)) {
            holders.retain(|(peer, _)| !peer.is_passed_over(log, self.now));
        }
        // Who itself waits for a part of what is missing can give no more than that.
        let all = self.inbox.early_until(log).unwrap_or(0);
        if holders.iter().any(|(_, held)| *held >= all) {
            holders.retain(|(_, held)| *held >= all);
        }
        let rtt = |peer: &super::super::peer::Peer| peer.rtt.unwrap_or(NEAR_US);
        let near = holders.iter().map(|(peer, _)| rtt(peer)).min()? * 2 + NEAR_US;
        let mut near: Vec<(Boot, u64)> = holders
            .into_iter()
            .filter(|(peer, _)| rtt(peer) <= near)
            .map(|(peer, held)| (peer.boot, held))
            .collect();
        self.dice.keep(&mut near, 1);
        near.pop()
    }

    fn ask(
        &mut self,
        (log, gap): (&LogId, &mut Gap),
        (holder, far): (Boot, u64),
        turn: Option<Place>,
        out: &mut Vec<Output>,
    ) {
        let durable = self.durable(log);
        if self.inbox.connect(log, durable, &self.lost) {
            self.counts.forks += 1;
        }
        let from = self.received(log);
        if far <= from.position {
            return;
        }
        let long = gap.long == Some(from.position);
        let Some(peer) = self.peers.get(holder) else { return };
        let (losses, patience) = (peer.losses(), peer.patience(gap.failures));
        let (to, stream_patience) = (peer.address(), peer.stream_patience());
        // Where one way goes on failing, the other may be open.
        let better = match far - from.position > GAP_BYTES_MAX {
            true => gap.failures % 3 != 2,
            false => gap.failures > losses && gap.failures % 2 == 1,
        };
        let stream = long || (better && self.now >= gap.streams_from);
        let place = if stream { Place::Stream } else { Place::Want };
        if !self.may_take(place, log, gap, turn) {
            return;
        }
        let until = self.inbox.early_from(log).unwrap_or(u64::MAX);
        if stream {
            gap.ask = Some(Ask::Stream { peer: holder, from: from.position });
            let patience = if long { STREAM_SILENT_US } else { stream_patience };
            let log = log.clone();
            out.push(Output::Fetch { log, from, until, patience, peer: holder, to });
        } else {
            let full = far.min(until).min(from.position + WANT_BYTES_MAX);
            let deadline = self.now + patience;
            gap.ask = Some(Ask::Want { peer: holder, from, full, asked: self.now, deadline });
            // Under loss there are many holes: each on its own turn would take a round trip for each.
            let holes = self.inbox.holes(log, WANTED_HOLES);
            let queue = self.queue(holder);
            for (from, until) in core::iter::once((from, until)).chain(holes) {
                queue.small(Message::Want { log: log.clone(), from, until });
            }
        }
    }

    pub(super) fn gap_deadline(&self) -> Option<Micros> {
        self.gaps.values().filter_map(Gap::deadline).min()
    }
}
