//! The engine: `step(now, input, outputs)`.
//!
//! An input only changes what is known; what follows from it is done at the end of the step, in
//! the same order each time: forks and gaps, the disk, announcements, packets.

mod checkpoint;
mod condition;
mod expiry;
mod fetch;
mod hole;
mod line;
mod membership;
mod push;
mod receive;
mod repair;

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::net::SocketAddr;

pub use self::checkpoint::Holdings;
use self::checkpoint::Taking;
use self::hole::Holes;
use self::push::Announcement;
use super::candidate::Candidates;
use super::condition::Telling;
use super::dice::Dice;
use super::event::{Input, Micros, Output, Start};
use super::gap::{Gap, Lines};
use super::inbox::Inbox;
use super::members::Members;
use super::outbox::{Queue, Sender};
use super::peer::Peer;
use super::peers::Peers;
use super::spread::Spread;
use super::status::{Counts, PeerStatus, Status, Unequal};
use super::wall::Wall;
use crate::digest::{ChainHash, ClusterId, hash};
use crate::frame::{Boot, Message};
use crate::limits::{LOST_BRANCHES_MAX, ROUND_US};
use crate::name::{LogId, NodeId};
use crate::time::{Instant, Month};
use crate::vector::{Head, Vector};

/// The propagation of one node.
#[derive(Debug)]
pub struct Engine {
    now: Micros,
    dice: Dice,
    cluster: ClusterId,
    own: LogId,
    vector: Vector,
    /// The hash of the vector without what is over, by the oldest month that is not, worked out when it is
    /// asked for.
    sums: BTreeMap<Option<Month>, u128>,
    /// The oldest month whose expiring logs are told and taken, once the time is known.
    oldest: Option<Month>,
    /// When the vector changed last.
    changed: Micros,
    sender: Sender,
    wall: Wall,
    peers: Peers,
    candidates: Candidates,
    members: Members,
    /// Those who are away are not called together before.
    stir_after: Micros,
    inbox: Inbox,
    gaps: BTreeMap<LogId, Gap>,
    lines: Lines,
    holes: Holes,
    /// Logs that are held here only from a position on.
    bases: BTreeMap<LogId, u64>,
    taking: Taking,
    /// Hashes behind the first record of branches that lost.
    lost: BTreeSet<ChainHash>,
    /// The same, the oldest first.
    lost_in_order: VecDeque<ChainHash>,
    spread: Spread,
    announcements: BTreeMap<LogId, Announcement>,
    queues: BTreeMap<Boot, Queue>,
    telling: Telling,
    round_at: Micros,
    doubt_after: Micros,
    counts: Counts,
}

impl Engine {
    /// An engine that knows nobody yet.
    #[must_use]
    pub fn new(start: Start, now: Micros) -> Self {
        let seed = hash(&start.seed).to_be_bytes();
        let mut first = [0; 8];
        first.copy_from_slice(&seed[..8]);
        let mut dice = Dice::new(u64::from_be_bytes(first));
        let mut spread = Spread::default();
        for (log, head) in start.vector.0.iter().filter(|(log, _)| log.is_kin(&start.own)) {
            spread.grown(log, *head);
        }
        let swim = Dice::new(dice.next());
        Self {
            now,
            round_at: now + dice.below(ROUND_US),
            dice,
            cluster: start.cluster,
            own: start.own,
            vector: start.vector,
            sums: BTreeMap::new(),
            oldest: None,
            changed: 0,
            members: Members::new(start.node.clone(), start.boot, swim),
            stir_after: 0,
            sender: Sender { node: start.node, boot: start.boot, counter: 0 },
            wall: Wall::default(),
            peers: Peers::new(start.seed),
            candidates: Candidates::default(),
            inbox: Inbox::default(),
            gaps: BTreeMap::new(),
            lines: Lines::default(),
            holes: Holes::default(),
            bases: start.bases,
            taking: Taking::default(),
            lost: BTreeSet::new(),
            lost_in_order: VecDeque::new(),
            spread,
            announcements: BTreeMap::new(),
            queues: BTreeMap::new(),
            telling: Telling::default(),
            doubt_after: 0,
            counts: Counts::default(),
        }
    }

    /// Says what time it is on the wall. It is told to peers and compared with theirs, and decides
    /// nothing but which expiring logs are over.
    pub fn set_wall(&mut self, now: Micros, wall: Instant) {
        self.wall.set(now, wall.micros());
    }

    /// Takes in what happened and says what is to be done. `now` never goes back; if it does, it is
    /// taken as standing still.
    pub fn step(&mut self, now: Micros, input: Input, out: &mut Vec<Output>) {
        self.now = self.now.max(now);
        self.end_months();
        self.take(input, out);
        self.say_hello(out);
        self.watch();
        self.round();
        self.tell_condition();
        self.close_gaps(out);
        self.take_checkpoint(out);
        self.mend(out);
        self.next_in_line(out);
        self.write(out);
        self.announce();
        for (id, nodes) in self.spread.fulfilled(&self.sender.node, &self.peers) {
            out.push(Output::Waited { id, nodes });
        }
        self.flush(out);
    }

    /// When `Tick` is wanted at the latest.
    #[must_use]
    pub fn deadline(&self) -> Micros {
        let announcement = self.announcements.values().map(|a| a.at).min();
        [
            self.candidates.deadline(),
            self.members.deadline(),
            self.gap_deadline(),
            self.holes.deadline(),
            self.inbox.append_due(),
            self.inbox.sync_due(),
            self.telling.due(),
            announcement,
        ]
        .into_iter()
        .flatten()
        .fold(self.round_at, Micros::min)
    }

    /// What is durable here.
    #[must_use]
    pub fn vector(&self) -> &Vector {
        &self.vector
    }

    /// The log that own writes go to; those that expire go to logs of the same epoch.
    #[must_use]
    pub fn own(&self) -> &LogId {
        &self.own
    }

    /// How far a log has come here, durable or not yet.
    #[must_use]
    pub fn came(&self, log: &LogId) -> Head {
        self.received(log)
    }

    /// Whether a stream may go on asking: there is room for what comes.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.inbox.has_room(self.now)
    }

    /// The other nodes that hold an own log up to `position`.
    #[must_use]
    pub fn holders(&self, log: &LogId, position: u64) -> BTreeSet<NodeId> {
        self.spread.holders(log, position, &self.sender.node, &self.peers)
    }

    /// The other nodes that hold what a waiter waits for, as yet too few.
    #[must_use]
    pub fn holders_for(&self, id: u64) -> BTreeSet<NodeId> {
        self.spread.holders_for(id, &self.sender.node, &self.peers)
    }

    /// The logs that stay of which one of these peers lacks something, as far as it has said what it holds, and from
    /// which position on.
    #[must_use]
    pub fn unspread(&self, peers: &BTreeSet<Boot>) -> BTreeMap<LogId, u64> {
        let mut lacking: BTreeMap<LogId, u64> = BTreeMap::new();
        let said = |peer: &&Peer| peer.vector().next().is_some();
        for peer in peers.iter().filter_map(|boot| self.peers.get(*boot)).filter(said) {
            for (log, mine) in self.vector.0.iter().filter(|(log, _)| log.month.is_none()) {
                let held = peer.known(log).map_or(0, |head| head.position);
                if held < mine.position {
                    let first = lacking.entry(log.clone()).or_insert(held);
                    *first = held.min(*first);
                }
            }
        }
        lacking
    }

    /// Logs of which somebody has more, or another branch.
    #[must_use]
    pub fn gaps(&self) -> usize {
        self.gaps.len()
    }

    /// What a person may want to know.
    #[must_use]
    pub fn status(&self) -> Status {
        let peers = self.peers.all().map(|peer| {
            // Of another branch as long as mine nothing is held of mine.
            let held = |log: &LogId, mine: Head| {
                let theirs = peer
                    .known(log)
                    .filter(|theirs| theirs.position != mine.position || theirs.hash == mine.hash);
                theirs.map_or(0, |theirs| theirs.position)
            };
            let lacks = || {
                let told = self.told_to(peer);
                told.map(|(log, head)| (log, head.position.saturating_sub(held(log, *head))))
            };
            let ahead = || {
                let mine = |log| self.vector.position(log);
                peer.vector().map(move |(log, head)| (log, head.position.saturating_sub(mine(log))))
            };
            PeerStatus {
                node: peer.node.clone(),
                boot: peer.boot,
                address: peer.address(),
                addresses: peer.addresses().collect(),
                live: peer.is_live(self.now),
                standing: self.standing(peer),
                silent_us: self.now.saturating_sub(peer.heard),
                rtt_us: peer.rtt,
                clock_ahead_us: peer.clock_ahead,
                gone: peer.is_gone(),
                lacks_bytes: lacks().map(|(_, bytes)| bytes).sum(),
                ahead_bytes: ahead().map(|(_, bytes)| bytes).sum(),
                staying: Unequal {
                    lacks: lacks().any(|(log, bytes)| log.month.is_none() && bytes > 0),
                    ahead: ahead().any(|(log, bytes)| log.month.is_none() && bytes > 0),
                },
                condition: peer
                    .condition()
                    .map(|(condition, at)| (condition.clone(), self.now.saturating_sub(at))),
            }
        });
        Status {
            peers: peers.collect(),
            twins: self.peers.twins(&self.sender.node, self.now),
            unmet: self.candidates.unmet().collect(),
            gaps: self.gaps(),
            stalled: self.inbox.is_stalled(self.now),
            counts: self.counts,
        }
    }

    fn take(&mut self, input: Input, out: &mut Vec<Output>) {
        match input {
            Input::Packet { from, bytes } => self.on_packet(from, &bytes, out),
            Input::Candidates(addresses) => self.candidates.name(&addresses, self.now),
            Input::Hints(addresses) => self.candidates.hint(&addresses, self.now),
            Input::Durable { log, head, ranges } => self.on_durable(&log, head, &ranges, out),
            Input::Served { peer, log, from, what } => self.on_served(peer, &log, from, what),
            Input::Fetched(range) => self.on_fetched(range, out),
            Input::FetchEnded { log, peer, end } => self.on_fetch_ended(&log, peer, end),
            Input::Appended { heads, refused } => self.on_appended(heads, &refused),
            Input::AppendFailed(logs) => {
                self.inbox.appended(false);
                self.disk_failed(&logs);
            }
            Input::Synced { heads, lost } => self.on_synced(heads, &lost, out),
            Input::SyncFailed => {
                let logs: Vec<LogId> = self.inbox.synced().into_iter().collect();
                self.disk_failed(&logs);
            }
            Input::BranchEnded { log, peer, end } => self.on_branch_ended(&log, peer, end),
            Input::NewEpoch { log, trusted, copied } => {
                self.on_new_epoch(log, trusted, copied, out)
            }
            Input::Hole { log, from, until } => {
                if !self.is_over(&log) {
                    self.holes.found(log, from, until);
                }
            }
            Input::Healed { log, position } => self.holes.healed(&log, position),
            Input::Based { log, base } => self.on_based(&log, base),
            Input::StateLost => self.taking.state_lost = true,
            Input::Joined => self.on_joined(),
            Input::AskBases(logs) => self.ask_bases(&logs),
            Input::CheckpointEnded { peer, whole } => self.on_checkpoint_ended(peer, whole),
            Input::Wait { id, log, position, nodes } => self.on_wait(id, log, position, nodes),
            Input::Unwait(id) => self.spread.unwait(id),
            Input::Condition { condition, soon } => self.on_own_condition(condition, soon),
            Input::Leave => self.say_bye(),
            Input::Tick => {}
        }
    }

    fn say_hello(&mut self, out: &mut Vec<Output>) {
        if self.candidates.deadline().is_none_or(|at| at > self.now) {
            return;
        }
        let sated = self.is_sated();
        let peers = &self.peers;
        let live_until = |boot| peers.get(boot)?.live_until(self.now);
        for to in self.candidates.due(self.now, &mut self.dice, sated, live_until) {
            self.hello(to, 0, 0, out);
        }
    }

    /// A hello to an address: the only thing that goes to one who is not proven.
    fn hello(&mut self, to: SocketAddr, cookie: u64, echo: u64, out: &mut Vec<Output>) {
        let mut packet = self.sender.packet();
        packet.put(&Message::Hello { cookie, echo });
        self.send(to, packet.finish(), out);
    }

    fn send(&mut self, to: SocketAddr, bytes: Vec<u8>, out: &mut Vec<Output>) {
        self.counts.sent += 1;
        self.counts.sent_bytes += bytes.len() as u64;
        out.push(Output::Send { to, bytes });
    }

    fn flush(&mut self, out: &mut Vec<Output>) {
        for (boot, queue) in core::mem::take(&mut self.queues) {
            let Some(peer) = self.peers.get_mut(boot) else { continue };
            let to = peer.address();
            peer.sent = self.now;
            for bytes in queue.pack(&mut self.sender) {
                self.send(to, bytes, out);
            }
        }
    }

    fn queue(&mut self, boot: Boot) -> &mut Queue {
        self.queues.entry(boot).or_default()
    }

    /// The end of what is durable of a log; its start when nothing is.
    fn durable(&self, log: &LogId) -> Head {
        self.vector.get(log).unwrap_or_else(|| Head::start(&self.cluster, log))
    }

    /// The end of what has come of a log, durable or not.
    fn received(&self, log: &LogId) -> Head {
        self.inbox.end(log, self.durable(log))
    }

    fn set_head(&mut self, log: &LogId, head: Head) {
        self.sums.clear();
        self.changed = self.now;
        if head.position == 0 || self.is_over(log) {
            self.vector.0.remove(log);
        } else {
            self.vector.0.insert(log.clone(), head);
        }
    }

    /// Whether this home alone extends a log.
    fn owns(&self, log: &LogId) -> bool {
        log.is_kin(&self.own)
    }

    fn remember_lost(&mut self, lost: ChainHash) {
        if self.lost.insert(lost) {
            self.lost_in_order.push_back(lost);
        }
        if self.lost.len() > LOST_BRANCHES_MAX
            && let Some(oldest) = self.lost_in_order.pop_front()
        {
            self.lost.remove(&oldest);
        }
    }
}
