//! A measured run: writes at a steady rate, nothing goes wrong but what was asked for, then quiet
//! until all are equal.

use cocli_core::{Entry, usv};

use crate::chance::Chance;
use crate::fault::Fault;
use crate::figures::Figures;
use crate::options::{Measured, Options};
use crate::watch::{Away, Watch};
use crate::world::{Event, World};

const MS: u64 = 1000;
const SECOND: u64 = 1_000_000;
/// Time in which all meet before anything is counted.
const MEET_MS: u64 = 12_000;
/// Time behind the run in which all hear that they are equal.
const SETTLE_MS: u64 = 30_000;
/// Time that is counted as rest, behind that.
pub(crate) const REST_MS: u64 = 30_000;
/// How often it is looked whether all are equal.
const LOOK_MS: u64 = 20;

/// A measured run from its options to its figures.
#[must_use]
pub fn measure(options: Options) -> (Figures, Watch) {
    let mut world = World::new(options);
    world.pass(MEET_MS);
    let began = world.now;
    world.watched(|watch| watch.begin(began));
    world.plan_measured();
    world.pass(world.options.seconds * 1000);
    let equal = world.wait_until_equal();
    let now = world.now;
    let busy = world.watch.clone();
    world.pass(SETTLE_MS);
    let settled = world.now;
    world.watched(|watch| watch.begin(settled));
    world.pass(REST_MS);
    let rest = world.watch.take();
    let mut waits = 0;
    while !world.is_level() && waits < 60 {
        world.pass(500);
        waits += 1;
    }
    world.check();
    let (Some(mut busy), Some(rest)) = (busy, rest) else { unreachable!("it is measured") };
    busy.until = now;
    let figures = Figures::of(&world.options.clone(), &busy, &rest, equal, world.report());
    (figures, busy)
}

impl World {
    /// What is measured, if it is.
    pub(crate) fn watched(&mut self, look: impl FnOnce(&mut Watch)) {
        if let Some(watch) = &mut self.watch {
            look(watch);
        }
    }

    fn plan_measured(&mut self) {
        let Some(measured) = self.options.measured else { return };
        let time = self.options.seconds * SECOND;
        let writes = time / measured.every_us.max(1);
        for number in 0..writes {
            // Somewhere in its share of the time, so that writes do not beat with other rhythms.
            let when = number * measured.every_us + self.chance.between(0, measured.every_us - 1);
            let at = self.chance.index(measured.writers.unwrap_or(self.machines.len()));
            self.after(when, Event::Write { at });
        }
        for _ in 0..measured.crashes {
            let machine = self.chance.index(self.machines.len());
            let (when, down_ms) = (self.chance.between(0, time), self.chance.between(500, 6_000));
            self.after(when, Event::Fault(Fault::Crash { machine, down_ms }));
        }
        if measured.parted_seconds > 0 && self.machines.len() > 2 {
            self.plan_parted(time / 4, measured.parted_seconds * SECOND);
        }
    }

    /// Two machines on their own for a while.
    fn plan_parted(&mut self, begins: u64, lasts: u64) {
        let one = self.chance.index(self.machines.len());
        let two = (one + 1) % self.machines.len();
        for other in (0..self.machines.len()).filter(|other| ![one, two].contains(other)) {
            for (from, to) in [(one, other), (two, other), (other, one), (other, two)] {
                self.after(begins, Event::Fault(Fault::Block { from, to }));
                self.after(begins + lasts, Event::Fault(Fault::Free { from, to }));
            }
        }
        let from = self.now + begins;
        let away = Away { nodes: vec![one, two], from, until: Some(from + lasts) };
        self.watched(|watch| watch.parted.push(away));
    }

    /// One record on a machine that is up, as a command writes it and tells the daemon.
    pub(crate) fn write_measured(&mut self, at: usize) {
        let up = |at: &usize| self.machines[*at].daemon.is_some();
        let count = self.machines.len();
        let Some(at) = (0..count).map(|n| (at + n) % count).find(up) else { return };
        let mut batch = Vec::new();
        let datagram = self.datagram(at);
        let stamp = cocli_core::Stamp { instant: self.wall_of(at), ..datagram.entry.stamp };
        let entry = Entry { stamp, ..datagram.entry };
        usv::write(&cocli_core::Datagram { entry, ..datagram }, &mut batch);
        let Some((log, position)) = self.append(at, &batch) else { return };
        let now = self.now;
        self.watched(|watch| watch.wrote(now, at, &log, position, batch.len()));
        self.report.acknowledged += 1;
        self.acknowledged.insert(batch);
        let life = self.machines[at].life;
        let delay = self.chance.between(MS / 10, MS);
        self.after(delay, Event::Woken { at, life, log, position });
    }

    /// Quiet, but for the network that stays as it is; false when it took too long.
    fn wait_until_equal(&mut self) -> bool {
        let healed = self.watch.iter().flat_map(|watch| &watch.parted).filter_map(|p| p.until);
        let healed = healed.max().unwrap_or(0).saturating_sub(self.now);
        self.pass(healed.div_ceil(MS));
        let end = self.now + self.options.quiet_seconds * SECOND;
        while !self.is_equal() {
            if self.now >= end {
                return false;
            }
            self.pass(LOOK_MS);
        }
        true
    }

    /// Whether all are up and hold the same.
    fn is_equal(&self) -> bool {
        let mut vectors =
            self.machines.iter().map(|m| m.daemon.as_ref().map(|d| d.replica.vector()));
        let first = vectors.next().flatten();
        first.is_some() && vectors.all(|vector| vector == first)
    }

    /// The machines that one is told of at its start: all, or the next and some others.
    pub(crate) fn told_of(&self, at: usize) -> Vec<usize> {
        let count = self.machines.len();
        let mut others: Vec<usize> = (0..count).filter(|other| *other != at).collect();
        let Some(Measured { peers, .. }) = self.options.measured else { return others };
        let peers = peers.unwrap_or(count).min(others.len());
        // Not from the world's chance: a machine is told the same each time it starts.
        let mut chance = Chance::new(self.options.seed ^ (at as u64 + 1).rotate_left(32));
        for place in 0..peers {
            let other = place + chance.index(others.len() - place);
            others.swap(place, other);
        }
        others.truncate(peers);
        // Whatever chance says, there is a way from each to each.
        let next = (at + 1) % count;
        if next != at && !others.contains(&next) {
            others.pop();
            others.push(next);
        }
        others
    }
}
