//! One queue of events, ordered by time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::net::SocketAddr;

use cocli_core::digest::hash;
use cocli_core::expiry::{is_over, oldest_told};
use cocli_core::{ClusterId, LogId, Month, NodeId, Vector};
use cocli_node::replica::{Input, Job, JobDone, Output, Part, Syncing};
use cocli_store::Disk;

use crate::chance::Chance;
use crate::fault::Fault;
use crate::machine::Machine;
use crate::network::{Network, address, machine};
use crate::options::Options;
use crate::report::{Failure, Report};
use crate::stream::Asker;
use crate::watch::Watch;

const MS: u64 = 1000;
const SECOND: u64 = 1_000_000;
/// Time in which all who wait are told, once all are level: two who lost each other say hello once a minute,
/// when each has given up the other.
const TELL_MS: u64 = 130_000;

/// Something that happens at a time.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    Deliver {
        from: SocketAddr,
        to: SocketAddr,
        bytes: Vec<u8>,
        key: u8,
    },
    Tick {
        at: usize,
        life: u64,
    },
    /// The disk has taken what the writer thread began to sync.
    SyncRuns {
        at: usize,
        life: u64,
        syncing: Box<Syncing>,
    },
    /// The writer thread has done its job, which it began earlier.
    JobDone {
        at: usize,
        life: u64,
        done: Box<JobDone>,
    },
    /// The writer thread does its next job.
    JobRuns {
        at: usize,
        life: u64,
        job: Box<Job>,
    },
    /// The keeper takes what came of another machine's checkpoint.
    Keeps {
        at: usize,
        life: u64,
        call: u64,
        part: Box<Part>,
    },
    Question {
        to: usize,
        life: u64,
        asker: Asker,
        bytes: Vec<u8>,
    },
    Answer {
        asker: Asker,
        bytes: Vec<u8>,
    },
    Cut {
        asker: Asker,
    },
    Write {
        at: usize,
    },
    Woken {
        at: usize,
        life: u64,
        log: LogId,
        position: u64,
    },
    Wait {
        at: usize,
        life: u64,
        id: u64,
        log: LogId,
        position: u64,
        nodes: usize,
    },
    /// Another machine's checkpoint is joined, if one is whole.
    Join {
        at: usize,
        life: u64,
    },
    Fault(Fault),
}

impl Event {
    /// The machine on which it happens, if it runs.
    fn runs_on(&self) -> Option<usize> {
        match self {
            Self::Tick { at, .. }
            | Self::SyncRuns { at, .. }
            | Self::JobDone { at, .. }
            | Self::JobRuns { at, .. }
            | Self::Keeps { at, .. }
            | Self::Question { to: at, .. }
            | Self::Write { at }
            | Self::Join { at, .. }
            | Self::Woken { at, .. }
            | Self::Wait { at, .. } => Some(*at),
            Self::Answer { asker, .. } | Self::Cut { asker } => Some(asker.machine),
            Self::Fault(Fault::Rescan { machine }) => Some(*machine),
            Self::Deliver { .. } | Self::Fault(_) => None,
        }
    }

    /// What tells it from others, in few bytes for those that are many.
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Deliver { from, to, bytes, .. } => {
                for address in [from, to] {
                    let number = machine(*address).unwrap_or(usize::MAX) as u64;
                    out.extend_from_slice(&number.to_be_bytes());
                    out.extend_from_slice(&address.port().to_be_bytes());
                }
                out.extend_from_slice(bytes);
            }
            Self::Tick { at, life } => {
                out.extend_from_slice(&(*at as u64).to_be_bytes());
                out.extend_from_slice(&life.to_be_bytes());
            }
            other => out.extend_from_slice(format!("{other:?}").as_bytes()),
        }
    }
}

/// A world; see [`crate::run`] for its usual course.
#[derive(Debug)]
pub struct World {
    pub(crate) options: Options,
    pub(crate) now: u64,
    pub(crate) chance: Chance,
    pub(crate) cluster: ClusterId,
    pub(crate) machines: Vec<Machine>,
    pub(crate) network: Network,
    queue: BinaryHeap<Reverse<(u64, u64)>>,
    events: BTreeMap<u64, Event>,
    order: u64,
    pub(crate) streams: u64,
    pub(crate) asked: BTreeMap<u64, Asker>,
    pub(crate) acknowledged: BTreeSet<Vec<u8>>,
    /// Records that went into expiring logs, and the months of these.
    pub(crate) expiring: BTreeMap<Vec<u8>, Month>,
    pub(crate) waits: u64,
    /// Who waits, in which life, for which records, on how many others.
    pub(crate) waiting: BTreeMap<u64, (usize, u64, Vec<u8>, usize)>,
    pub(crate) report: Report,
    pub(crate) watch: Option<Watch>,
}

impl World {
    /// Machines, all up, that know each other's addresses.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let mut chance = Chance::new(options.seed);
        let cluster = ClusterId(chance.bytes());
        let machines = (0..options.nodes).map(|n| {
            let node = NodeId::read(&format!("n{n}"));
            Machine::new(node.unwrap_or_else(|_| unreachable!("a name")), address(n, 9999))
        });
        let mut world = Self {
            machines: machines.collect(),
            report: Report { seed: options.seed, ..Report::default() },
            now: SECOND,
            chance,
            cluster,
            network: Network::default(),
            queue: BinaryHeap::new(),
            events: BTreeMap::new(),
            order: 0,
            streams: 0,
            asked: BTreeMap::new(),
            acknowledged: BTreeSet::new(),
            expiring: BTreeMap::new(),
            waits: 0,
            waiting: BTreeMap::new(),
            watch: options.measured.map(|_| Watch::new(options.nodes, SECOND)),
            options,
        };
        world.set_clocks();
        for machine in 0..world.machines.len() {
            world.start(machine);
            world.rescan_later(machine);
        }
        world
    }

    /// Writes and faults, as the options say, until their time is over.
    pub fn suffer(&mut self) {
        self.plan_faults();
        for _ in 0..self.options.writes {
            let when = self.chance.between(0, self.options.seconds * SECOND);
            let at = self.chance.index(self.machines.len());
            self.after(when, Event::Write { at });
        }
        self.pass(self.options.seconds * 1000);
    }

    /// So many milliseconds pass.
    pub fn pass(&mut self, ms: u64) {
        let end = self.now + ms * MS;
        while let Some(Reverse((at, order))) = self.queue.peek().copied() {
            if at > end {
                break;
            }
            self.queue.pop();
            let Some(event) = self.events.remove(&order) else { continue };
            self.now = at;
            self.report.events += 1;
            self.trace(&event);
            self.happens(event);
        }
        self.now = end;
    }

    /// Everything is mended; time passes until all are level, and then a little more.
    pub fn settle(&mut self) {
        self.network.free_all();
        self.network.calm = true;
        self.events.retain(|_, event| {
            !matches!(event, Event::Fault(fault) if !matches!(fault, Fault::Rescan { .. } | Fault::Start { .. }))
        });
        for machine in 0..self.machines.len() {
            let seed = self.chance.next();
            let home = &mut self.machines[machine];
            home.disk.heal();
            if home.disk.stat(cocli_store::paths::WAL).is_err() {
                // The power went in the middle of an operation and has not come back yet.
                home.stop();
                home.disk.crash(seed);
                home.crashed = true;
            }
            self.wake(machine);
            self.start(machine);
        }
        let begun = self.now;
        // What nobody told the daemons of is found by their next look.
        self.pass(2 * self.options.look_ms + 1_000);
        while !self.is_level() && self.now < begun + self.options.quiet_seconds * SECOND {
            self.pass(500);
        }
        self.report.level_after_ms = (self.now - begun) / MS;
        let told = self.now + TELL_MS * MS;
        let was_level = self.is_level();
        while was_level && self.now < told && (self.waits_in_vain().is_some() || !self.is_level()) {
            self.pass(500);
        }
        self.check();
    }

    /// Whether all show the same vector and nobody has anything to do.
    #[must_use]
    pub fn is_level(&self) -> bool {
        let mut vectors = self.machines.iter().map(|machine| {
            let daemon = machine.daemon.as_ref().filter(|_| machine.asleep.is_none())?;
            let idle = daemon.jobs.is_idle() && !daemon.busy && daemon.replica.gaps() == 0;
            idle.then(|| self.in_common(daemon.replica.vector()))
        });
        let first = vectors.next().flatten();
        first.is_some() && vectors.all(|vector| vector == first)
    }

    /// The oldest month whose expiring logs are over for nobody.
    pub(crate) fn oldest(&self) -> Option<Month> {
        (0..self.machines.len()).map(|at| oldest_told(self.wall_of(at))).max()
    }

    /// A vector without what is over for somebody.
    pub(crate) fn in_common(&self, vector: &Vector) -> Vector {
        let oldest = self.oldest();
        let logs = vector.0.iter().filter(|(log, _)| !is_over(log, oldest));
        Vector(logs.map(|(log, head)| (log.clone(), *head)).collect())
    }

    /// Packets that all daemons have sent since their starts.
    #[must_use]
    pub fn sent(&self) -> u64 {
        let daemons = self.machines.iter().filter_map(|machine| machine.daemon.as_ref());
        daemons.map(|daemon| daemon.replica.status().counts.sent).sum()
    }

    /// By how much one machine believes the clock of another to be ahead of its own, milliseconds.
    #[must_use]
    pub fn believes_ahead_ms(&self, at: usize, other: usize) -> Option<i64> {
        let status = self.machines[at].daemon.as_ref()?.replica.status();
        let node = &self.machines[other].node;
        status.peers.iter().find(|peer| peer.node == *node)?.clock_ahead_us.map(|us| us / 1000)
    }

    /// What the run showed.
    #[must_use]
    pub fn report(mut self) -> Report {
        self.report.simulated_ms = self.now / MS;
        self.report.lost = self.network.lost;
        self.report.doubled = self.network.doubled;
        self.report
    }

    pub(crate) fn after(&mut self, delay: u64, event: Event) {
        self.order += 1;
        self.queue.push(Reverse((self.now + delay, self.order)));
        self.events.insert(self.order, event);
    }

    pub(crate) fn fail(&mut self, check: &'static str, what: String) {
        self.note(|| format!("FAILED {check}: {what}"));
        if self.report.failures.len() < 8 {
            self.report.failures.push(Failure { check, what, at_ms: self.now / MS });
        }
    }

    /// A line of the trace.
    pub(crate) fn note(&mut self, line: impl FnOnce() -> String) {
        if self.options.trace {
            self.report.trace.push(format!("{:>10.3} {}", self.now as f64 / 1e6, line()));
        }
    }

    /// The hash of all events so far and this one. A measured run has too many for their texts.
    fn trace(&mut self, event: &Event) {
        if self.watch.is_some() {
            let mut bytes = self.report.trace_hash.to_be_bytes().to_vec();
            bytes.extend_from_slice(&self.now.to_be_bytes());
            event.put(&mut bytes);
            self.report.trace_hash = (hash(&bytes) & u128::from(u64::MAX)) as u64;
            return;
        }
        let text = format!("{} {} {event:?}", self.report.trace_hash, self.now);
        self.report.trace_hash = (hash(text.as_bytes()) & u128::from(u64::MAX)) as u64;
    }

    fn happens(&mut self, event: Event) {
        if let Some(at) = event.runs_on().filter(|at| self.machines[*at].asleep.is_some()) {
            return self.put_off(at, event);
        }
        match event {
            Event::Deliver { from, to, bytes, key } => {
                let up = |at: &usize| {
                    let machine = &self.machines[*at];
                    machine.daemon.is_some() && machine.asleep.is_none() && machine.opens(key)
                };
                if let Some(at) = self.machine_at(to).filter(up) {
                    self.watched(|watch| watch.came(at, &bytes));
                    self.step(at, Input::Packet { from, bytes });
                }
            }
            Event::Tick { at, life } => {
                let same = self.machines[at].life == life;
                let daemon = self.machines[at].daemon.as_mut().filter(|_| same);
                if let Some(daemon) = daemon.filter(|d| d.tick_at == Some(self.now)) {
                    daemon.tick_at = None;
                    self.step(at, Input::Tick);
                }
            }
            Event::JobRuns { at, life, job } => self.run_job(at, life, *job),
            Event::JobDone { at, life, done } => self.job_done(at, life, *done),
            Event::Keeps { at, life, call, part } => self.keeps(at, life, call, *part),
            Event::SyncRuns { at, life, syncing } => self.sync_runs(at, life, *syncing),
            Event::Question { to, life, asker, bytes } => self.question(to, life, asker, bytes),
            Event::Answer { asker, bytes } => self.answered(asker, Some(bytes)),
            Event::Cut { asker } => self.answered(asker, None),
            Event::Write { at } if self.watch.is_some() => self.write_measured(at),
            Event::Write { at } => self.write(at),
            Event::Woken { at, life, log, position } => self.woken(at, life, log, position),
            Event::Wait { at, life, id, log, position, nodes } => {
                if self.machines[at].life == life {
                    if let Some(daemon) = &mut self.machines[at].daemon {
                        daemon.hurries += 1;
                    }
                    self.step(at, Input::Wait { id, log, position, nodes });
                }
            }
            Event::Join { at, life } => self.join(at, life),
            Event::Fault(fault) => self.happen(fault),
        }
    }

    /// Starts a daemon that is not up; again later when its disk cannot be read.
    pub(crate) fn start(&mut self, at: usize) {
        if self.machines[at].daemon.is_some() {
            return;
        }
        self.wake(at);
        let (cluster, now, time) = (self.cluster, self.now, self.time_of(at));
        if let Err(error) = self.machines[at].start(cluster, &mut self.chance, time) {
            self.note(|| format!("{at} cannot start: {error}"));
            self.after(SECOND, Event::Fault(Fault::Start { machine: at }));
            return;
        }
        self.check_promise(at);
        // Its first compaction joins what came before.
        self.join_later(at);
        if let (Some(watch), Some(daemon)) = (&mut self.watch, &self.machines[at].daemon) {
            watch.up(now, at, daemon.replica.vector());
        }
        let others = self.told_of(at).into_iter().map(|other| self.machines[other].address);
        let others = others.collect();
        self.step(at, Input::Candidates(others));
    }

    pub(crate) fn rescan_later(&mut self, machine: usize) {
        let least = self.options.look_ms * MS;
        let delay = self.chance.between(least, 2 * least);
        self.after(delay, Event::Fault(Fault::Rescan { machine }));
    }

    pub(crate) fn rescan(&mut self, machine: usize) {
        self.report.faults -= 1;
        self.rescan_later(machine);
        if self.machines[machine].daemon.is_some() {
            self.step(machine, Input::Rescan);
        }
    }

    /// What comes to one that sleeps happens when it wakes; but nobody writes there.
    fn put_off(&mut self, at: usize, event: Event) {
        if !matches!(event, Event::Write { .. }) {
            self.machines[at].put_off.push(event);
        }
    }

    /// Whoever starts a machine wakes it.
    pub(crate) fn wake(&mut self, at: usize) {
        let machine = &mut self.machines[at];
        let Some(since) = machine.asleep.take() else { return };
        machine.slept += self.now - since;
        if let Some(daemon) = &mut machine.daemon {
            daemon.tick_at = daemon.tick_at.map(|tick| tick.max(self.now));
        }
        for event in std::mem::take(&mut machine.put_off) {
            self.after(0, event);
        }
    }

    /// The machine's clock that measures spans: it stands still as long as it sleeps.
    pub(crate) fn time_of(&self, at: usize) -> u64 {
        let machine = &self.machines[at];
        machine.asleep.unwrap_or(self.now) - machine.slept
    }

    /// One step of a daemon, and what follows from it.
    pub(crate) fn step(&mut self, at: usize, input: Input) {
        let (now, wall) = (self.time_of(at), self.wall_of(at));
        let Some(daemon) = &mut self.machines[at].daemon else { return };
        // Comparing the whole vector after each packet would take most of a large run.
        let looks = self.watch.is_none() || !matches!(input, Input::Packet { .. } | Input::Tick);
        daemon.replica.set_wall(now, wall);
        let outputs = daemon.replica.step(now, input);
        if looks {
            self.check_step(at);
        }
        for output in outputs {
            self.act(at, output);
        }
        self.tick_later(at);
    }

    fn tick_later(&mut self, at: usize) {
        let (life, slept) = (self.machines[at].life, self.machines[at].slept);
        let Some(daemon) = &mut self.machines[at].daemon else { return };
        let deadline = (daemon.replica.deadline() + slept).max(self.now + 1);
        if daemon.tick_at.is_none_or(|tick| deadline < tick) {
            daemon.tick_at = Some(deadline);
            let delay = deadline - self.now;
            self.after(delay, Event::Tick { at, life });
        }
    }

    fn act(&mut self, at: usize, output: Output) {
        match output {
            Output::Send { to, bytes } => self.send(at, to, bytes),
            Output::Job(job) => {
                self.check_job(at, &job);
                if let Some(daemon) = &mut self.machines[at].daemon {
                    daemon.jobs.add(job);
                }
                self.next_job(at);
            }
            Output::Keep { call, part } => {
                let life = self.machines[at].life;
                let delay = self.chance.between(0, self.options.disk_ms * 1000);
                self.after(delay, Event::Keeps { at, life, call, part: Box::new(part) });
            }
            Output::Ask { call, to, bytes } => self.ask(at, call, to, bytes),
            Output::Answer { stream, bytes, .. } => self.answer(stream, bytes),
            Output::Waited { id, nodes } => self.check_waited(id, &nodes),
            Output::Notice(text) => self.note(|| format!("{at}: {text}")),
            Output::NewEpoch { log } => {
                self.report.epochs += 1;
                self.note(|| format!("{at}: own log is {log}"));
            }
            Output::Advanced { log, head } => {
                let now = self.now;
                self.watched(|watch| watch.durable(now, at, &log, head.position));
            }
            Output::Join => self.join_later(at),
            Output::Hang { .. } => {}
        }
    }

    /// The machine whose address this is now.
    pub(crate) fn machine_at(&self, address: SocketAddr) -> Option<usize> {
        machine(address).filter(|at| self.machines.get(*at).is_some_and(|m| m.address == address))
    }

    /// Wall clocks that are wrong by up to half of what was asked for, either way.
    fn set_clocks(&mut self) {
        let skew = self.options.measured.map_or(0, |measured| measured.skew_seconds * SECOND);
        if skew > 0 {
            for machine in &mut self.machines {
                let from_first = i64::try_from(self.chance.between(0, skew)).unwrap_or(0);
                machine.skew_us = from_first - i64::try_from(skew / 2).unwrap_or(0);
            }
        }
    }

    fn send(&mut self, from: usize, to: SocketAddr, bytes: Vec<u8>) {
        self.report.packets += 1;
        self.report.packet_bytes += bytes.len() as u64;
        self.watched(|watch| watch.sent(&bytes));
        let Some(other) = self.machine_at(to) else { return };
        let key = self.machines[from].ring[0];
        for delay in self.network.fate(from, other, &self.options, &mut self.chance) {
            let (from, bytes) = (self.machines[from].address, bytes.clone());
            self.after(delay, Event::Deliver { from, to, bytes, key });
        }
    }
}
