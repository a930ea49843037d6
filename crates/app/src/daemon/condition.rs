//! The thread that looks at the machine and the state: what peers are told of this node, what is kept of it, and
//! what nodes kept of themselves. It acts when the loop says so, and reads nothing as long as nothing changes.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant, SystemTime};

use cocli_core::gossip::Condition;
use cocli_core::gossip::stream::sums::{Answer, Part, Question};
use cocli_core::{NodeId, Vector};
use cocli_node::condition::Grades;
use cocli_node::{Beat, End, Heartbeats, Home};
use cocli_store::paths;
use serde_json::Value as Json;

use super::Event;
use super::alive::Alive;
use super::calls::Answered;
use super::machine::Machine;
use super::touched::Touched;
use crate::clock;

/// Bytes behind the checkpoint beyond which it is waited for a compaction, which makes them few.
const FEW_BYTES: u64 = 1024 * 1024;
/// But no longer than this.
const MERGED: Duration = Duration::from_secs(60);
/// What reads the disk is done again after this, and after so many times as long as it took.
const REST: Duration = Duration::from_secs(1);
const REST_TIMES: u32 = 20;
/// From one look at what needs a person to the next when something changed, and when nothing did.
const PROBLEMS: Duration = Duration::from_secs(60);
const PROBLEMS_MAX: Duration = Duration::from_secs(600);
/// Nodes are looked up again after a change of logs that stay.
const NODES: Duration = Duration::from_secs(60);
/// A heartbeat that could not be written is tried again after this.
const AGAIN: Duration = Duration::from_secs(60);
/// Who ends waits so long for its last heartbeat.
const END: Duration = Duration::from_secs(1);

/// How things stand for the loop.
#[derive(Debug)]
pub(super) struct Look {
    /// How far each log that stays is durable here.
    pub(super) vector: Vector,
    /// Whose logs there are.
    pub(super) nodes: BTreeSet<NodeId>,
    /// Whether heartbeats or tasks have come since the last time.
    pub(super) expiring: bool,
    /// By how much the clock is ahead of those of its peers.
    pub(super) clock_ahead_us: Option<i64>,
    /// What the loop knows of that needs a person.
    pub(super) problems: u64,
}

/// What this thread is told.
#[derive(Debug)]
pub(super) enum Word {
    Look(Look),
    /// Another node asks where the states differ.
    Asked {
        question: Vec<u8>,
        answer: Sender<Answered>,
    },
    /// The daemon ends.
    Stop(Sender<End>),
}

/// When something that costs may be done again.
#[derive(Debug, Default)]
struct Pace(Option<Instant>);

impl Pace {
    fn may(&self, now: Instant) -> bool {
        self.0.is_none_or(|at| now >= at)
    }

    /// It was done, begun at this time.
    fn done(&mut self, began: Instant, least: Duration) {
        let now = clock::monotonic();
        self.0 = Some(now + least.max((now - began) * REST_TIMES));
    }
}

/// The digest that was taken last, and of what.
#[derive(Debug)]
struct Digested {
    vector: Vector,
    /// Over which checkpoint: the time and size of its manifest.
    over: Option<(SystemTime, u64)>,
    manifest: PathBuf,
    /// When it was first tried for the vector that is wanted, and how often that came to nothing.
    wanted: Option<(u128, Instant, u32)>,
    pace: Pace,
}

impl Digested {
    /// The checkpoint that stands there now. One that was mended, or merged wrongly, shows at once.
    fn standing(&self) -> Option<(SystemTime, u64)> {
        let there = std::fs::metadata(&self.manifest).ok()?;
        Some((there.modified().ok()?, there.len()))
    }

    /// Whether it is of this vector, and of what stands on the disk.
    fn holds(&self, vector: &Vector) -> bool {
        self.vector == *vector && self.over == self.standing()
    }
}

struct Thread {
    home: Home,
    touched: Touched,
    events: Sender<Event>,
    began: Instant,
    machine: Machine,
    condition: Condition,
    grades: Grades,
    look: Option<Look>,
    digested: Digested,
    beats: Heartbeats,
    beat_from: Option<Instant>,
    /// What the home alone knows of that needs a person.
    problems: u64,
    problems_at: Option<Instant>,
    nodes: Pace,
    queues: Pace,
    bucket: Pace,
    /// Something of it changed since it was looked at.
    stale: Stale,
    /// The sums of all shards, of this vector.
    shards: Option<(u128, Vec<u8>)>,
}

#[derive(Debug)]
struct Stale {
    nodes: bool,
    queues: bool,
    problems: bool,
    bucket: bool,
}

/// What the loop knows of that needs a person at this node, and that others cannot see: whoever looks there finds as much
/// of it. A bucket that is away is tried again, and needs nobody; who bears the name of another is heard by all.
pub(super) fn problems(bucket_trouble: Option<&Json>, stalled: bool) -> u64 {
    let kind = bucket_trouble.and_then(|trouble| trouble["kind"].as_str());
    u64::from(kind.is_some_and(|kind| kind != "away")) + u64::from(stalled)
}

/// Starts the thread.
pub(super) fn start(home: Home, touched: Touched, events: Sender<Event>) -> Sender<Word> {
    let (sender, words) = channel();
    let alive = Alive::new("the thread that looks at the machine", &events);
    std::thread::spawn(move || {
        let _alive = alive;
        let mut thread = Thread {
            machine: Machine::new(home.path()),
            digested: Digested {
                vector: Vector::default(),
                over: None,
                manifest: home.path().join(paths::manifest(None)),
                wanted: None,
                pace: Pace::default(),
            },
            home,
            touched,
            events,
            began: clock::monotonic(),
            condition: Condition {
                version: Some(env!("CARGO_PKG_VERSION").to_owned()),
                ..Condition::default()
            },
            grades: Grades::default(),
            look: None,
            beats: Heartbeats::default(),
            beat_from: None,
            problems: 0,
            problems_at: None,
            nodes: Pace::default(),
            queues: Pace::default(),
            bucket: Pace::default(),
            stale: Stale { nodes: true, queues: true, problems: true, bucket: true },
            shards: None,
        };
        thread.run(&words);
    });
    sender
}

/// Has the last heartbeat written; where it ends.
pub(super) fn end(words: &Sender<Word>) -> Option<End> {
    let (done, ended) = channel();
    words.send(Word::Stop(done)).ok()?;
    ended.recv_timeout(END).ok()
}

impl Thread {
    fn run(&mut self, words: &Receiver<Word>) {
        loop {
            let word = match self.next() {
                None => words.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(at) => words.recv_timeout(at.saturating_duration_since(clock::monotonic())),
            };
            match word {
                Ok(Word::Look(look)) => self.take(look),
                Ok(Word::Asked { question, answer }) => {
                    let bytes = self.answer(&question).write();
                    let _ = answer.send(Answered { bytes, next: None });
                    continue;
                }
                Ok(Word::Stop(done)) => {
                    if let Some(end) = self.beat(&Beat::new(), true) {
                        let _ = done.send(end);
                    }
                    return;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.work();
        }
    }

    /// When a digest is wanted that was put off.
    fn next(&self) -> Option<Instant> {
        let look = self.look.as_ref()?;
        (look.vector != self.digested.vector).then_some(self.digested.pace.0?)
    }

    fn take(&mut self, look: Look) {
        let before = self.look.as_ref().map(|look| &look.vector);
        let changed = before != Some(&look.vector);
        let stale = &mut self.stale;
        stale.nodes |= changed | look.expiring;
        stale.queues |= look.expiring;
        stale.problems |= changed;
        stale.bucket |= changed | look.expiring;
        self.look = Some(look);
    }

    fn work(&mut self) {
        let now = clock::monotonic();
        let before = self.condition.clone();
        self.condition.up_s = Some((now - self.began).as_secs());
        self.machine.look(now, &mut self.condition);
        self.digest(now);
        self.count(now);
        self.tell_nodes(now);
        if let Some(look) = &self.look {
            self.condition.clock_ahead_us = look.clock_ahead_us;
            self.condition.problems = Some(self.problems + look.problems);
        }
        let grades = self.grades.after(&self.condition);
        let soon = grades.is_worse_than(&self.grades) || before.digest != self.condition.digest;
        self.grades = grades;
        let condition = Box::new(self.condition.clone());
        let vector = self.digested.vector.clone();
        let _ = self.events.send(Event::Condition { condition, vector, soon });
        self.keep(now);
    }

    /// Takes the digest of what is durable, if that is another than before.
    fn digest(&mut self, now: Instant) {
        let Some(look) = self.look.as_ref().filter(|look| !self.digested.holds(&look.vector))
        else {
            return;
        };
        if !self.digested.pace.may(now) {
            return;
        }
        let hash = look.vector.hash();
        let (_, since, tries) =
            self.digested.wanted.filter(|wanted| wanted.0 == hash).unwrap_or((hash, now, 0));
        let most = if now < since + MERGED { FEW_BYTES } else { u64::MAX };
        let over = self.digested.standing();
        match self.home.digest_at(&look.vector, most) {
            Ok(Some((digest, rules))) => {
                self.condition.vector = Some(hash);
                self.condition.digest = Some(digest.0);
                self.condition.rules = Some(u64::from(rules));
                (self.digested.vector, self.digested.over) = (look.vector.clone(), over);
                self.shards = None;
                self.digested.wanted = None;
                self.digested.pace.done(now, REST);
            }
            // A compaction is on its way, or a part is damaged.
            Ok(None) | Err(_) => {
                self.digested.wanted = Some((hash, since, tries + 1));
                self.digested.pace.done(now, REST * (1 << tries.min(6)));
            }
        }
    }

    /// Counts what waits, and what needs a person.
    fn count(&mut self, now: Instant) {
        if self.stale.queues && self.queues.may(now) {
            self.stale.queues = false;
            self.condition.queued = self.home.count_waiting().ok();
            self.queues.done(now, REST);
        }
        let due = self
            .problems_at
            .is_none_or(|at| now >= at + if self.stale.problems { PROBLEMS } else { PROBLEMS_MAX });
        if due {
            self.stale.problems = false;
            let touched = self.touched.targets();
            self.problems = self.home.count_problems(touched.as_deref()).unwrap_or(self.problems);
            self.problems_at = Some(clock::monotonic());
        }
        if self.stale.bucket && self.bucket.may(now) {
            let seen = self.home.seen().ok().flatten();
            let lag = seen.and_then(|seen| Some(self.home.lacking(&seen, 0).ok()?.mine()));
            // As long as some of it lacks, the bucket is on its way.
            self.stale.bucket = lag.is_some_and(|lag| lag > 0);
            self.condition.bucket_lag = lag;
            self.bucket.done(now, 10 * REST);
        }
    }

    /// Reads what nodes kept of themselves, when there is something new.
    fn tell_nodes(&mut self, now: Instant) {
        let Some(look) = self.look.as_ref().filter(|_| self.stale.nodes) else { return };
        if !look.expiring && !self.nodes.may(now) {
            return;
        }
        if let Ok(nodes) = self.home.kept_nodes(&look.nodes) {
            self.stale.nodes = false;
            let _ = self.events.send(Event::Nodes(nodes));
        }
        self.nodes.done(now, NODES);
    }

    /// Writes a heartbeat, when one is due.
    fn keep(&mut self, now: Instant) {
        let waits = self.beat_from.is_some_and(|from| now < from);
        let Some(beat) = self.beats.due(now - self.began, &self.condition).filter(|_| !waits)
        else {
            return;
        };
        match self.beat(&beat, false) {
            Some(end) => {
                self.beats.kept(now - self.began, &beat, &self.condition);
                let _ = self.events.send(Event::Edited(end));
            }
            None => self.beat_from = Some(now + AGAIN),
        }
    }

    /// What cannot be written is told by whoever writes more than this.
    fn beat(&self, beat: &Beat, ends: bool) -> Option<End> {
        let mut session = self.home.session(clock::now()).ok()?;
        session.beat(beat, ends).ok().map(|recorded| recorded.end)
    }

    fn answer(&mut self, question: &[u8]) -> Answer {
        let Some(question) = Question::read(question) else { return Answer::Lacks };
        let vector = &self.digested.vector;
        if question.part != Part::Shards {
            return self.home.answer_sums(vector, &question);
        }
        let known = self.shards.as_ref().filter(|(of, _)| *of == question.vector);
        if let Some(known) = known.and_then(|(_, bytes)| Answer::read(bytes)) {
            return known;
        }
        let answer = self.home.answer_sums(vector, &question);
        if answer != Answer::Lacks {
            self.shards = Some((question.vector, answer.write()));
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_needs_a_person_at_a_node_is_what_its_status_says_needs_one() {
        let trouble = |kind: &str| json!({"kind": kind, "said": "no"});
        assert_eq!(problems(None, false), 0);
        assert_eq!(problems(Some(&Json::Null), false), 0);
        assert_eq!(problems(Some(&trouble("away")), false), 0, "it is tried again");
        assert_eq!(problems(Some(&trouble("denied")), true), 2);
    }
}
