//! Streams that this node opened: a fetch or a comparison each.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use cocli_core::frame::{Boot, Range};
use cocli_core::gossip::stream::{Answer, Asked, Comparer, Fetcher, Logs, Question, Verdict};
use cocli_core::gossip::{BranchEnd, Engine, FetchEnd, Input, Micros};
use cocli_core::limits::{INBOX_BYTES_MAX, STREAM_SILENT_US};
use cocli_core::{Head, LogId};

use super::View;
use super::event::{Came, Job, Output};
use super::taking::{End, Next, Taking, ended};

#[derive(Debug)]
enum Purpose {
    Fetch(Fetcher),
    Compare(Comparer),
}

#[derive(Debug)]
struct Call {
    to: SocketAddr,
    peer: Boot,
    log: LogId,
    purpose: Purpose,
    /// Time for an answer, or for the next part of it.
    patience: Micros,
    /// When the answer is given up; none while nothing is asked.
    deadline: Option<Micros>,
    /// What came last has to be taken by the engine up to there before more is asked.
    came: Option<u64>,
    /// What came for a hole.
    kept: Vec<Range>,
}

/// All open calls.
#[derive(Debug, Default)]
pub(super) struct Calls {
    all: BTreeMap<u64, Call>,
    next: u64,
    taking: Option<Taking>,
}

impl Calls {
    pub(super) fn fetch(
        &mut self,
        time: (Micros, Micros),
        (peer, to): (Boot, SocketAddr),
        log: LogId,
        (from, until): (Head, u64),
        out: &mut Vec<Output>,
    ) {
        let fetcher = Fetcher::new(log.clone(), from, until);
        let question = fetcher.question();
        self.open(time, (peer, to), log, Purpose::Fetch(fetcher), &question, out);
    }

    pub(super) fn compare(
        &mut self,
        now: Micros,
        (peer, to): (Boot, SocketAddr),
        log: LogId,
        view: &mut View<'_>,
        out: &mut Vec<Output>,
    ) {
        let start = Head::start(&view.journals.cluster(), &log);
        let (comparer, question) = Comparer::new(log.clone(), start, view as &mut dyn Logs);
        let time = (now, STREAM_SILENT_US);
        self.open(time, (peer, to), log, Purpose::Compare(comparer), &question, out);
    }

    /// Takes the checkpoint of a peer, for these logs.
    pub(super) fn take_checkpoint(
        &mut self,
        now: Micros,
        (peer, to): (Boot, SocketAddr),
        logs: Vec<LogId>,
        out: &mut Vec<Output>,
    ) {
        self.next += 1;
        self.taking = Some(Taking::begin(now, (self.next, peer, to), logs, out));
    }

    /// What came of a part of it that the keeper was given. Of a call that ended nothing is taken.
    pub(super) fn came(
        &mut self,
        now: Micros,
        id: u64,
        came: Came,
        out: &mut Vec<Output>,
    ) -> Vec<Input> {
        let taking = self.taking.as_mut().filter(|taking| taking.call == id);
        let next = taking.map(|taking| taking.came(now, came, out));
        next.map_or(Vec::new(), |next| self.went(next, out))
    }

    /// Who gives its checkpoint, the bytes that came and all of them.
    pub(super) fn taking(&self) -> Option<(Boot, u64, u64)> {
        self.taking.as_ref().map(|taking| (taking.peer, taking.progress.0, taking.progress.1))
    }

    fn went(&mut self, next: Next, out: &mut Vec<Output>) -> Vec<Input> {
        let Err(end) = next else { return Vec::new() };
        let Some(taking) = self.taking.take() else { return Vec::new() };
        out.push(Output::Hang { call: taking.call });
        match &end {
            End::Whole => out.push(Output::Join),
            End::Cut(why) => {
                out.push(Output::Notice(format!("the state of another node did not come: {why}")));
            }
        }
        vec![ended(&taking, &end)]
    }

    fn open(
        &mut self,
        (now, patience): (Micros, Micros),
        (peer, to): (Boot, SocketAddr),
        log: LogId,
        purpose: Purpose,
        question: &Question,
        out: &mut Vec<Output>,
    ) {
        self.next += 1;
        let deadline = Some(now + patience);
        let call =
            Call { to, peer, log, purpose, patience, deadline, came: None, kept: Vec::new() };
        self.all.insert(self.next, call);
        out.push(Output::Ask { call: self.next, to, bytes: question.write() });
    }

    /// Whether a call compares branches, for which the view has to be up to date.
    pub(super) fn compares(&self, id: u64) -> bool {
        self.all.get(&id).is_some_and(|call| matches!(call.purpose, Purpose::Compare(_)))
    }

    /// An answer came. A branch that has to yield is told as such; it is set aside by the caller.
    pub(super) fn answered(
        &mut self,
        now: Micros,
        id: u64,
        bytes: &[u8],
        view: &mut View<'_>,
        out: &mut Vec<Output>,
    ) -> Vec<Input> {
        if let Some(taking) = self.taking.as_mut().filter(|taking| taking.call == id) {
            let next = taking.answered(now, bytes, out);
            return self.went(next, out);
        }
        let Some(call) = self.all.get_mut(&id) else { return Vec::new() };
        let Some(answer) = Answer::read(bytes) else { return self.hang(id, FetchEnd::Cut, out) };
        match &mut call.purpose {
            Purpose::Fetch(fetcher) => match fetcher.take(answer) {
                Ok(range) => {
                    call.deadline = None;
                    call.came = Some(range.end_position());
                    vec![Input::Fetched(range)]
                }
                Err(end) => self.hang(id, end, out),
            },
            Purpose::Compare(comparer) => match comparer.take(answer, view) {
                Asked::Next(question) => {
                    call.deadline = Some(now + call.patience);
                    out.push(Output::Ask { call: id, to: call.to, bytes: question.write() });
                    Vec::new()
                }
                Asked::Over(verdict) => {
                    out.push(Output::Hang { call: id });
                    let Some(call) = self.all.remove(&id) else { return Vec::new() };
                    let end = match verdict {
                        Verdict::Keep => BranchEnd::Kept,
                        Verdict::Open => BranchEnd::Open,
                        Verdict::Yield { common, lost } => BranchEnd::Yielded { common, lost },
                    };
                    vec![Input::BranchEnded { log: call.log, peer: call.peer, end }]
                }
            },
        }
    }

    /// The engine gave back what came for a hole: it is put in place when the stream is over.
    pub(super) fn keep(&mut self, ranges: Vec<Range>) {
        for range in ranges {
            let end = range.end_position();
            let of = |call: &&mut Call| call.log == range.log && call.came == Some(end);
            if let Some(call) = self.all.values_mut().find(of) {
                call.kept.push(range);
            }
        }
    }

    /// Asks on where the engine has taken what came and has room for more. A stream whose bytes it
    /// did not take is of no use.
    pub(super) fn resume(
        &mut self,
        now: Micros,
        engine: &Engine,
        out: &mut Vec<Output>,
    ) -> Vec<Input> {
        let mut over = Vec::new();
        for (id, call) in &mut self.all {
            let (Some(came), Purpose::Fetch(fetcher)) = (call.came, &mut call.purpose) else {
                continue;
            };
            let kept: usize = call.kept.iter().map(|range| range.bytes.len()).sum();
            let last = call.kept.last().filter(|range| range.end_position() == came);
            let at = last.map_or_else(|| engine.came(&call.log), Range::end);
            if kept > INBOX_BYTES_MAX || at.position < came {
                over.push((*id, FetchEnd::Cut));
            } else if let Err(end) = fetcher.go_on(at) {
                over.push((*id, end));
            } else if last.is_none() && engine.is_turn_over(&call.log) {
                over.push((*id, FetchEnd::Turn));
            } else if engine.has_room() {
                call.came = None;
                call.deadline = Some(now + call.patience);
                let bytes = fetcher.question().write();
                out.push(Output::Ask { call: *id, to: call.to, bytes });
            }
        }
        over.into_iter().flat_map(|(id, end)| self.hang(id, end, out)).collect()
    }

    /// More of an answer has come: a long record over a slow link takes its time.
    pub(super) fn coming(&mut self, now: Micros, id: u64) {
        if let Some(taking) = self.taking.as_mut().filter(|taking| taking.call == id) {
            taking.deadline.iter_mut().for_each(|deadline| *deadline = now + STREAM_SILENT_US);
        }
        let Some(call) = self.all.get_mut(&id) else { return };
        let patience = call.patience;
        call.deadline.iter_mut().for_each(|deadline| *deadline = now + patience);
    }

    /// The stream broke.
    pub(super) fn failed(&mut self, id: u64, out: &mut Vec<Output>) -> Vec<Input> {
        let mut inputs = match self.taking.as_ref().is_some_and(|taking| taking.call == id) {
            true => self.went(Err(End::Cut("the stream was cut".to_owned())), out),
            false => self.over(id, FetchEnd::Cut, out),
        };
        inputs.push(Input::Tick);
        inputs
    }

    /// Gives up what was not answered in time.
    pub(super) fn expire(&mut self, now: Micros, out: &mut Vec<Output>) -> Vec<Input> {
        let late = |call: &Call| call.deadline.is_some_and(|at| at <= now);
        let ids: Vec<u64> = self.all.iter().filter(|(_, c)| late(c)).map(|(id, _)| *id).collect();
        let mut inputs: Vec<Input> =
            ids.into_iter().flat_map(|id| self.hang(id, FetchEnd::Slow, out)).collect();
        let late = |taking: &Taking| taking.deadline.is_some_and(|at| at <= now);
        if self.taking.as_ref().is_some_and(late) {
            inputs.extend(self.went(Err(End::Cut("nothing came any more".to_owned())), out));
        }
        inputs
    }

    pub(super) fn deadline(&self) -> Option<Micros> {
        let taking = self.taking.iter().filter_map(|taking| taking.deadline);
        self.all.values().filter_map(|call| call.deadline).chain(taking).min()
    }

    fn hang(&mut self, id: u64, end: FetchEnd, out: &mut Vec<Output>) -> Vec<Input> {
        out.push(Output::Hang { call: id });
        self.over(id, end, out)
    }

    fn over(&mut self, id: u64, end: FetchEnd, out: &mut Vec<Output>) -> Vec<Input> {
        let Some(call) = self.all.remove(&id) else { return Vec::new() };
        if !call.kept.is_empty() {
            out.push(Output::Job(Job::Heal(call.kept)));
        }
        let (log, peer) = (call.log, call.peer);
        match call.purpose {
            Purpose::Fetch(_) => vec![Input::FetchEnded { log, peer, end }],
            Purpose::Compare(_) => {
                vec![Input::BranchEnded { log, peer, end: BranchEnd::Open }]
            }
        }
    }
}

#[cfg(test)]
mod tests;
