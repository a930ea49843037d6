//! The engine and the journals as one single-threaded machine: `step(now, input) -> outputs`.
//!
//! It reads the journals itself; all that must wait for the disk (append, sync, close and copy,
//! forks) goes out as a [`Job`] that a writer thread runs under the home's lock, so that the
//! daemon's loop never waits for a sync. The rim (sockets, timers, streams, that thread) only
//! carries values in and out.

mod call;
pub mod event;
mod job;
mod keeper;
mod queue;
mod taking;
pub(crate) mod view;
mod writer;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use cocli_core::digest::hash;
use cocli_core::frame::{Boot, Range};
use cocli_core::gossip::stream::{Answer, Logs, Question, Unreadable, answer, foreseen};
use cocli_core::gossip::{self, BranchEnd, Engine, Holdings, Micros, Served, Start, Status};
use cocli_core::limits::PUSH_BYTES_MAX;
use cocli_core::{Epoch, Head, Instant, LogId, NodeId, Vector, usv};
use cocli_store::{Journals, Result};

use self::call::Calls;
use self::view::View;

pub use event::{Came, Input, Job, JobDone, Output, Part};
pub use keeper::Keeper;
pub use queue::Queue;
pub use writer::{Begun, Synced, Syncing, Writer};

/// Logs that are looked at for the oldest datagram that is not everywhere.
const LOOKED_AT_MAX: usize = 64;

/// What changed below `wal/` since the view was brought up to date.
#[derive(Debug, Default)]
struct Stale {
    all: bool,
    logs: BTreeSet<LogId>,
}

/// What a replica is born with; both numbers are random.
#[derive(Debug, Clone, Copy)]
pub struct Born {
    /// This start of the daemon.
    pub boot: Boot,
    /// All the randomness that it has.
    pub seed: [u8; 16],
}

/// The propagation of one home.
#[derive(Debug)]
pub struct Replica {
    engine: Engine,
    /// A view for reading; the writer has its own.
    journals: Journals,
    /// Something was written since the view was last refreshed.
    stale: Stale,
    seed: [u8; 16],
    epochs: u64,
    calls: Calls,
    /// Who has the other branch of a log that is being set aside, and our hash that lost.
    asides: BTreeMap<LogId, (Boot, BranchEnd)>,
    /// Where each ends that the engine knows.
    holes: BTreeMap<(LogId, u64), u64>,
    /// From where on logs are held, as the engine was told.
    bases: BTreeMap<LogId, u64>,
    /// A rescan is with the writer; another is wanted behind it.
    rescan: Option<bool>,
    begun: bool,
}

impl Replica {
    /// A replica over a view of the journals. Its first step asks for a rescan: what no mark proves
    /// to be durable is synced before it is shown.
    ///
    /// # Errors
    /// When the journals cannot be read.
    pub fn new(mut journals: Journals, born: Born, now: Micros) -> Result<Self> {
        let start = Start {
            node: journals.own().node.clone(),
            boot: born.boot,
            seed: born.seed,
            cluster: journals.cluster(),
            own: journals.own().clone(),
            vector: journals.vector()?,
            bases: bases_of(&journals),
        };
        Ok(Self {
            bases: start.bases.clone(),
            engine: Engine::new(start, now),
            journals,
            stale: Stale::default(),
            seed: born.seed,
            epochs: 0,
            calls: Calls::default(),
            asides: BTreeMap::new(),
            holes: BTreeMap::new(),
            rescan: None,
            begun: false,
        })
    }

    /// Says what time it is on the wall, so that peers can tell whose clock is wrong.
    pub fn set_wall(&mut self, now: Micros, wall: Instant) {
        self.engine.set_wall(now, wall);
    }

    /// Takes in what happened and says what is to be done.
    pub fn step(&mut self, now: Micros, input: Input) -> Vec<Output> {
        let mut out = Vec::new();
        if !self.begun {
            self.begun = true;
            self.want_rescan(&mut out);
        }
        let mut inputs = VecDeque::from(self.take(now, input, &mut out));
        while let Some(input) = inputs.pop_front() {
            let mut outputs = Vec::new();
            self.engine.step(now, input, &mut outputs);
            for output in outputs {
                inputs.extend(self.act(now, output, &mut out));
            }
            inputs.extend(self.calls.resume(now, &self.engine, &mut out));
        }
        out
    }

    /// When `Tick` is wanted at the latest.
    #[must_use]
    pub fn deadline(&self) -> Micros {
        self.calls.deadline().map_or(self.engine.deadline(), |at| at.min(self.engine.deadline()))
    }

    /// What is durable here.
    #[must_use]
    pub fn vector(&self) -> &Vector {
        self.engine.vector()
    }

    /// The log that own writes go to.
    #[must_use]
    pub fn own(&self) -> &LogId {
        self.engine.own()
    }

    /// The other nodes that hold what a waiter waits for, as yet too few.
    #[must_use]
    pub fn holders_for(&self, id: u64) -> BTreeSet<NodeId> {
        self.engine.holders_for(id)
    }

    /// Logs of which somebody has more, or another branch.
    #[must_use]
    pub fn gaps(&self) -> usize {
        self.engine.gaps()
    }

    /// Whose checkpoint is being taken, the bytes of it that came, and all of them.
    #[must_use]
    pub fn taking(&self) -> Option<(Boot, u64, u64)> {
        self.calls.taking()
    }

    /// What others hold of each log, as far as it counts for who lets history go.
    #[must_use]
    pub fn holdings(&self) -> Holdings {
        self.engine.holdings()
    }

    /// When the oldest datagram was written, of those looked at, that one of these peers has not said to hold.
    #[must_use]
    pub fn oldest_untold(&mut self, peers: &BTreeSet<Boot>) -> Option<Instant> {
        let lacking = self.engine.unspread(peers);
        let mut view = self.view();
        let first = |(log, position): (&LogId, &u64)| {
            let range = view.read(log, *position, u64::MAX, 1)?;
            let record = usv::records(&range.bytes).next()?;
            usv::read(record.bytes).ok().map(|datagram| datagram.entry.stamp.instant)
        };
        lacking.iter().take(LOOKED_AT_MAX).filter_map(first).min()
    }

    /// Peers, gaps and counts.
    #[must_use]
    pub fn status(&self) -> Status {
        self.engine.status()
    }

    /// What the input means for the engine.
    fn take(&mut self, now: Micros, input: Input, out: &mut Vec<Output>) -> Vec<gossip::Input> {
        match input {
            Input::Packet { from, bytes } => vec![gossip::Input::Packet { from, bytes }],
            Input::Candidates(addresses) => vec![gossip::Input::Candidates(addresses)],
            Input::Hints(addresses) => vec![gossip::Input::Hints(addresses)],
            Input::Woken { log, position } => self.on_woken(&log, position, out),
            Input::Rescan => {
                self.want_rescan(out);
                vec![gossip::Input::Tick]
            }
            Input::Kept { call, came } => self.calls.came(now, call, came, out),
            Input::Done(done) => self.on_done(done, out),
            Input::Question { stream, bytes } => {
                out.push(self.answer(stream, &bytes));
                Vec::new()
            }
            Input::Answer { call, bytes } => self.on_answer(now, call, &bytes, out),
            Input::Coming { call } => {
                self.calls.coming(now, call);
                Vec::new()
            }
            Input::CallFailed { call } => self.calls.failed(call, out),
            Input::Wait { id, log, position, nodes } => {
                vec![gossip::Input::Wait { id, log, position, nodes }]
            }
            Input::StateLost => vec![gossip::Input::StateLost],
            Input::Joined => {
                self.want_rescan(out);
                vec![gossip::Input::Joined]
            }
            Input::AskBases(logs) => vec![gossip::Input::AskBases(logs)],
            Input::Unwait(id) => vec![gossip::Input::Unwait(id)],
            Input::Condition { condition, soon } => {
                vec![gossip::Input::Condition { condition, soon }]
            }
            Input::Leave => vec![gossip::Input::Leave],
            Input::Tick => {
                let mut inputs = self.calls.expire(now, out);
                inputs.push(gossip::Input::Tick);
                inputs
            }
        }
    }

    /// Does what the engine asks for; what can be answered at once is.
    fn act(
        &mut self,
        now: Micros,
        output: gossip::Output,
        out: &mut Vec<Output>,
    ) -> Vec<gossip::Input> {
        match output {
            gossip::Output::Send { to, bytes } => out.push(Output::Send { to, bytes }),
            gossip::Output::Append(ranges) => out.push(Output::Job(Job::Append(ranges))),
            gossip::Output::Sync => out.push(Output::Job(Job::Sync)),
            gossip::Output::Waited { id, nodes } => out.push(Output::Waited { id, nodes }),
            gossip::Output::Advanced { log, head } => out.push(Output::Advanced { log, head }),
            gossip::Output::Serve { peer, log, from, max } => {
                let what = self.serve(&log, from, max);
                return vec![gossip::Input::Served { peer, log, from, what }];
            }
            gossip::Output::Fetch { log, from, until, patience, peer, to } => {
                self.calls.fetch((now, patience), (peer, to), log, (from, until), out);
            }
            gossip::Output::Branch { log, peer, to } => {
                self.look();
                let mut view = View { journals: &mut self.journals, vector: self.engine.vector() };
                self.calls.compare(now, (peer, to), log, &mut view, out);
            }
            gossip::Output::Checkpoint { logs, peer, to } => {
                let who = self.engine.status().peers.into_iter().find(|p| p.boot == peer);
                let who = who.map_or_else(|| to.to_string(), |peer| peer.node.to_string());
                out.push(Output::Notice(match logs.is_empty() {
                    true => format!("taking the state from {who}: it is damaged here"),
                    false => format!("taking the state from {who}: nobody who is there keeps the history that is missing here"),
                }));
                self.calls.take_checkpoint(now, (peer, to), logs, out);
            }
            gossip::Output::Doubt { log, claimed } => {
                let epoch = self.fresh_epoch();
                out.push(Output::Job(Job::Doubt { log, claimed, epoch }));
            }
            gossip::Output::Heal(ranges) => self.calls.keep(ranges),
        }
        Vec::new()
    }

    fn fresh_epoch(&mut self) -> Epoch {
        self.epochs += 1;
        let text = [&self.seed[..], b"epoch", &self.epochs.to_be_bytes()].concat();
        let random = hash(&text).to_be_bytes();
        let mut eight = [0; 8];
        eight.copy_from_slice(&random[..8]);
        Epoch::from_random(eight)
    }

    /// Brings the view up to date. A home that cannot be read now is left as it was last seen.
    fn look(&mut self) {
        let looked = match (self.stale.all, self.stale.logs.is_empty()) {
            (true, _) => self.journals.refresh(),
            (false, false) => self.journals.refresh_logs(&self.stale.logs),
            (false, true) => return,
        };
        if looked.is_ok() {
            self.stale = Stale::default();
        }
    }

    fn view(&mut self) -> View<'_> {
        self.look();
        View { journals: &mut self.journals, vector: self.engine.vector() }
    }

    fn serve(&mut self, log: &LogId, from: Head, max: usize) -> Served {
        let mut view = self.view();
        match view.hash_at(log, from.position) {
            Ok(hash) if hash == Some(from.hash) => {}
            Ok(_) => return Served::Fork,
            Err(Unreadable) => return Served::Ranges(Vec::new()),
        }
        let (mut ranges, mut position, mut room) = (Vec::new(), from.position, max);
        while let Some(range) = view.read(log, position, u64::MAX, room) {
            if range.bytes.len() > room {
                break;
            }
            position = range.end_position();
            room -= range.bytes.len();
            ranges.push(range);
        }
        let more = view.head(log).is_some_and(|head| head.position > position);
        if ranges.is_empty() && more { Served::Long } else { Served::Ranges(ranges) }
    }

    fn answer(&mut self, stream: u64, bytes: &[u8]) -> Output {
        let Some(question) = Question::read(bytes) else {
            return Output::Answer { stream, bytes: Answer::Lacks.write(), next: None };
        };
        let mut view = self.view();
        let answer = answer(&mut view, &question);
        let next = foreseen(&mut view, &question, &answer).map(|next| next.write());
        Output::Answer { stream, bytes: answer.write(), next }
    }

    /// A writer of this home synced its own log up to a position.
    fn on_woken(
        &mut self,
        log: &LogId,
        position: u64,
        out: &mut Vec<Output>,
    ) -> Vec<gossip::Input> {
        self.stale.logs.insert(log.clone());
        self.look();
        let own = log.is_kin(self.engine.own()) && self.journals.owns(log);
        let hash = self.journals.hash_at(log, position).ok().flatten();
        match hash.filter(|_| own) {
            Some(hash) => vec![self.durable(log.clone(), Head { position, hash })],
            None => {
                self.want_rescan(out);
                vec![gossip::Input::Tick]
            }
        }
    }

    /// Tells the engine how far a log is durable, with the new bytes when they may be pushed.
    fn durable(&mut self, log: LogId, head: Head) -> gossip::Input {
        let mut position = self.engine.vector().position(&log);
        let mut ranges: Vec<Range> = Vec::new();
        if head.position.saturating_sub(position) <= PUSH_BYTES_MAX {
            let max = usize::try_from(PUSH_BYTES_MAX).unwrap_or(usize::MAX);
            while let Ok(Some(range)) = self.journals.read(&log, position, head.position, max) {
                position = range.end_position();
                ranges.push(range);
            }
        }
        gossip::Input::Durable { log, head, ranges }
    }

    fn want_rescan(&mut self, out: &mut Vec<Output>) {
        if let Some(again) = &mut self.rescan {
            *again = true;
            return;
        }
        self.rescan = Some(false);
        let epoch = self.fresh_epoch();
        out.push(Output::Job(Job::Rescan { epoch }));
    }

    fn on_done(&mut self, done: JobDone, out: &mut Vec<Output>) -> Vec<gossip::Input> {
        match &done {
            JobDone::Appended { heads, .. } | JobDone::Synced { heads, failed: None, .. } => {
                self.stale.logs.extend(heads.iter().map(|(log, _)| log.clone()));
            }
            _ => self.stale.all = true,
        }
        match done {
            JobDone::Appended { heads, refused } => {
                vec![gossip::Input::Appended { heads, refused }]
            }
            JobDone::AppendFailed { logs, why } => {
                out.push(Output::Notice(why));
                vec![gossip::Input::AppendFailed(logs)]
            }
            JobDone::Synced { heads, lost, failed } => {
                out.extend(failed.map(Output::Notice));
                self.on_synced(heads, lost)
            }
            JobDone::SyncFailed { why } => {
                out.push(Output::Notice(why));
                vec![gossip::Input::SyncFailed]
            }
            JobDone::Rescanned { own, heads, lost, failed } => {
                out.extend(failed.map(Output::Notice));
                self.on_rescanned(own, heads, lost, out)
            }
            JobDone::RescanFailed { why } => {
                out.push(Output::Notice(why));
                self.rescan = None;
                Vec::new()
            }
            JobDone::NewEpoch { log, trusted, copied } => {
                out.push(Output::NewEpoch { log: log.of(None) });
                vec![gossip::Input::NewEpoch { log, trusted, copied }]
            }
            JobDone::Aside { log, head, own } => {
                self.look();
                let mut inputs = self.branch_ended(log, Some(head));
                inputs.push(self.durable(own.0, own.1));
                inputs
            }
            JobDone::Healed(_) => {
                self.look();
                self.find_holes()
            }
            JobDone::Failed { job, why } => self.on_failed(job, why, out),
        }
    }

    /// What was synced beside, of the own log, is new to the peers: it is pushed like any own write.
    fn on_synced(&mut self, mut heads: Vec<(LogId, Head)>, lost: Vec<LogId>) -> Vec<gossip::Input> {
        let own = self.engine.own();
        let own: Vec<_> = heads.extract_if(.., |(log, _)| log.is_kin(own)).collect();
        let mut inputs = vec![gossip::Input::Synced { heads, lost }];
        if !own.is_empty() {
            self.look();
        }
        inputs.extend(own.into_iter().map(|(log, head)| self.durable(log, head)));
        inputs
    }

    fn on_failed(&mut self, job: Job, why: String, out: &mut Vec<Output>) -> Vec<gossip::Input> {
        out.push(Output::Notice(why));
        match job {
            Job::Aside { log, .. } => self.branch_ended(log, None),
            Job::Doubt { log, .. } => {
                let held = self.engine.vector().get(&log);
                let head = held.unwrap_or_else(|| self.start_of(&log));
                vec![gossip::Input::Durable { log, head, ranges: Vec::new() }]
            }
            Job::Rescan { .. } => {
                self.rescan = None;
                Vec::new()
            }
            Job::Heal(_) => {
                self.look();
                self.find_holes()
            }
            Job::Append(_) | Job::Sync => Vec::new(),
        }
    }

    fn start_of(&self, log: &LogId) -> Head {
        Head::start(&self.journals.cluster(), log)
    }

    fn branch_ended(&mut self, log: LogId, head: Option<Head>) -> Vec<gossip::Input> {
        let Some((peer, end)) = self.asides.remove(&log) else { return Vec::new() };
        let end = match (end, head) {
            (BranchEnd::Yielded { lost, .. }, Some(common)) => BranchEnd::Yielded { common, lost },
            _ => BranchEnd::Open,
        };
        vec![gossip::Input::BranchEnded { log, peer, end }]
    }

    fn on_rescanned(
        &mut self,
        own: LogId,
        heads: Vec<(LogId, Head)>,
        lost: Vec<LogId>,
        out: &mut Vec<Output>,
    ) -> Vec<gossip::Input> {
        self.look();
        let again = self.rescan.take() == Some(true);
        if again {
            self.want_rescan(out);
        }
        let mut inputs = self.find_bases();
        let held: BTreeMap<LogId, Head> = heads.into_iter().collect();
        let head_of = |log: &LogId| held.get(log).copied().unwrap_or_else(|| self.start_of(log));
        let gone = self.engine.vector().0.keys().filter(|log| head_of(log).position == 0);
        let gone: Vec<_> = gone.map(|log| (log.clone(), head_of(log))).collect();
        if own != *self.engine.own() {
            // Another process of this home closed the log.
            let (trusted, copied) = (head_of(self.engine.own()), head_of(&own));
            out.push(Output::NewEpoch { log: own.clone() });
            inputs.push(gossip::Input::NewEpoch { log: own, trusted, copied });
        }
        // Of most logs there is nothing new.
        let heads = held.into_iter().filter(|(log, head)| {
            log == self.engine.own() || self.engine.vector().get(log) != Some(*head)
        });
        // What peers sent and was synced along is no news to push on.
        let came = |(log, head): &(LogId, Head)| {
            head.position > self.engine.vector().position(log)
                && self.engine.came(log).position >= head.position
                && !log.is_kin(self.engine.own())
        };
        let (came, heads): (Vec<_>, Vec<_>) = heads.partition(came);
        if !came.is_empty() || !lost.is_empty() {
            inputs.push(gossip::Input::Synced { heads: came, lost });
        }
        for (log, head) in heads.into_iter().chain(gone) {
            inputs.push(self.durable(log, head));
        }
        inputs.extend(self.find_holes());
        inputs
    }

    /// Logs that begin elsewhere than the engine knows.
    fn find_bases(&mut self) -> Vec<gossip::Input> {
        let bases = bases_of(&self.journals);
        let new = bases.iter().filter(|(log, base)| self.bases.get(*log) != Some(base));
        let inputs = new.map(|(log, base)| gossip::Input::Based { log: log.clone(), base: *base });
        let inputs = inputs.collect();
        self.bases = bases;
        inputs
    }

    /// Holes that the engine does not know yet, or by another end, and those that are whole again, by whatever way.
    fn find_holes(&mut self) -> Vec<gossip::Input> {
        let mut inputs = Vec::new();
        let there = self.journals.holes();
        let is_there = |(log, position): &(LogId, u64)| {
            there.iter().any(|hole| hole.log == *log && hole.from.position == *position)
        };
        for ((log, position), _) in self.holes.extract_if(.., |hole, _| !is_there(hole)) {
            inputs.push(gossip::Input::Healed { log, position });
        }
        for hole in there {
            let (log, from, until) = (hole.log, hole.from, hole.until);
            let known = self.holes.insert((log.clone(), from.position), until.position);
            if known != Some(until.position) {
                inputs.push(gossip::Input::Hole { log, from, until });
            }
        }
        inputs
    }

    fn on_answer(
        &mut self,
        now: Micros,
        call: u64,
        bytes: &[u8],
        out: &mut Vec<Output>,
    ) -> Vec<gossip::Input> {
        if self.calls.compares(call) {
            self.look();
        }
        let mut view = View { journals: &mut self.journals, vector: self.engine.vector() };
        let mut inputs = self.calls.answered(now, call, bytes, &mut view, out);
        inputs.extend(self.find_holes());
        inputs.retain(|input| match input {
            gossip::Input::BranchEnded { log, peer, end: BranchEnd::Yielded { common, lost } } => {
                let end = BranchEnd::Yielded { common: *common, lost: *lost };
                self.asides.insert(log.clone(), (*peer, end));
                out.push(Output::Job(Job::Aside { log: log.clone(), common: *common }));
                false
            }
            _ => true,
        });
        inputs
    }
}

fn bases_of(journals: &Journals) -> BTreeMap<LogId, u64> {
    journals.bases().map(|(log, base)| (log.clone(), base.head.position)).collect()
}
