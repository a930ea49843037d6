//! What must hold, each a named method.

use std::collections::{BTreeMap, BTreeSet};

use cocli_core::expiry::{is_over, is_unfinished, oldest_told};
use cocli_core::{Entry, NodeId, State, usv};
use cocli_node::replica::Job;

use crate::disk::{Content, content};
use crate::machine::Machine;
use crate::world::World;

impl World {
    /// Whether a machine's disk holds a record with this value.
    #[must_use]
    pub fn holds(&self, at: usize, value: &str) -> bool {
        let value = format!("\u{1f}{value}\u{1f}");
        let within = |record: &Vec<u8>| String::from_utf8_lossy(record).contains(&value);
        content(&self.machines[at], self.cluster).is_ok_and(|held| held.records.iter().any(within))
    }

    /// The logs that a machine's daemon shows, with the bytes of each.
    #[must_use]
    pub fn shows(&self, at: usize) -> Vec<(String, u64)> {
        let daemon = self.machines[at].daemon.as_ref();
        let vector = daemon.map(|daemon| daemon.replica.vector().clone()).unwrap_or_default();
        vector.0.into_iter().map(|(log, head)| (log.to_string(), head.position)).collect()
    }

    /// All checks of a world at rest, one disk after the other: many are too much to hold at once.
    pub(crate) fn check(&mut self) {
        self.everybody_is_level();
        let mut first = None;
        for at in 0..self.machines.len() {
            let held = match content(&self.machines[at], self.cluster) {
                Ok(held) => held,
                Err(error) => {
                    self.fail("disks_can_be_read", format!("machine {at}: {error}"));
                    return;
                }
            };
            self.report.journal_bytes = self.report.journal_bytes.max(held.bytes);
            if let Some(first) = &first {
                self.states_are_equal(at, &held, first);
                self.vectors_are_equal(at, &held, first);
            }
            self.vector_is_shown(at, &held);
            self.state_agrees_with_an_oracle(at, &held);
            self.nothing_durable_lost(at, &held);
            self.tasks_stay_and_nothing_resurrects(at, &held);
            self.nothing_is_odd(at, &held);
            first.get_or_insert(held);
        }
        self.commits_are_bounded();
        self.who_waited_was_told();
    }

    fn who_waited_was_told(&mut self) {
        if let Some((id, at)) = self.waits_in_vain() {
            self.fail("who_waited_was_told", format!("machine {at} was not told of wait {id}"));
        }
    }

    /// Who still waits though all hold everything, and did not die since. Where disks failed or homes
    /// were doubled, what it waits for may stand elsewhere by now.
    pub(crate) fn waits_in_vain(&self) -> Option<(u64, usize)> {
        let doubled = |machine: &Machine| machine.failed || machine.restored;
        let names: BTreeSet<_> = self.machines.iter().map(|machine| &machine.node).collect();
        if self.machines.iter().any(doubled) || names.len() < self.machines.len() {
            return None;
        }
        let in_vain = |(at, life, _, wanted): &(usize, u64, Vec<u8>, usize)| {
            *wanted < names.len() && *life == self.machines[*at].life
        };
        let waits = self.waiting.iter().find(|(_, wait)| in_vain(wait));
        waits.map(|(id, (at, ..))| (*id, *at))
    }

    fn everybody_is_level(&mut self) {
        if !self.is_level() {
            let mut what = String::new();
            for (at, machine) in self.machines.iter().enumerate() {
                let Some(daemon) = &machine.daemon else {
                    what += &format!("\n    {at} is down");
                    continue;
                };
                if what.len() > 100_000 {
                    break;
                }
                what += &format!(
                    "\n    {at} own {} {:?}",
                    daemon.replica.own(),
                    daemon.replica.vector().0
                );
                what += &format!(
                    "\n      {:?} jobs {:?} busy {}",
                    daemon.replica.status(),
                    daemon.jobs,
                    daemon.busy
                );
            }
            self.fail("everybody_is_level", what);
        }
    }

    fn states_are_equal(&mut self, at: usize, held: &Content, first: &Content) {
        if held.state.digest() != first.state.digest() {
            self.fail("all_states_equal", format!("machine {at} has another state than 0"));
        }
    }

    /// What stands on the disks, not only what daemons believe.
    fn vectors_are_equal(&mut self, at: usize, held: &Content, first: &Content) {
        let (held, first) = (self.in_common(&held.vector), self.in_common(&first.vector));
        if held != first {
            let what = format!("{:?} on 0, {:?} on {at}", first.0, held.0);
            self.fail("all_vectors_equal", what);
        }
    }

    fn vector_is_shown(&mut self, at: usize, held: &Content) {
        let daemon = self.machines[at].daemon.as_ref();
        let shown = daemon.map(|daemon| self.in_common(daemon.replica.vector()));
        if shown.is_some_and(|shown| shown != self.in_common(&held.vector)) {
            let what = format!("daemon {at} shows another vector than its disk");
            self.fail("all_vectors_equal", what);
        }
    }

    /// The winner of each field by a maximum of tuples, without the code of the merge.
    fn state_agrees_with_an_oracle(&mut self, at: usize, held: &Content) {
        let order = |entry: &Entry| {
            (
                entry.stamp.instant.micros(),
                entry.stamp.node.as_str().to_owned(),
                entry.value.as_str().to_owned(),
                entry.causality.as_str().to_owned(),
            )
        };
        let mut winners = BTreeMap::new();
        for record in &held.records {
            let Ok(datagram) = usv::read(record) else { continue };
            let order = order(&datagram.entry);
            let key = (datagram.target.as_str().to_owned(), datagram.field.as_str().to_owned());
            let winner = winners.entry(key).or_insert_with(|| order.clone());
            *winner = order.max(winner.clone());
        }
        let entries = held.state.entries();
        let state: BTreeMap<_, _> = entries
            .map(|(target, field, entry)| {
                ((target.as_str().to_owned(), field.as_str().to_owned()), order(entry))
            })
            .collect();
        // Of what is history elsewhere only the winners are here.
        let agrees = match held.trimmed {
            true => winners.iter().all(|(key, order)| state.get(key).is_some_and(|s| s >= order)),
            false => winners == state,
        };
        if !agrees {
            self.fail("states_agree_with_an_oracle", format!("machine {at}"));
        }
    }

    fn nothing_durable_lost(&mut self, at: usize, held: &Content) {
        let oldest = self.oldest();
        let is_over =
            |record: &Vec<u8>| self.expiring.get(record).is_some_and(|month| Some(*month) < oldest);
        let is_lost = |record: &&Vec<u8>| !held.holds(record) && !is_over(record);
        let mut lost = self.acknowledged.iter().filter(is_lost);
        if let Some(first) = lost.next() {
            let first = String::from_utf8_lossy(first).into_owned();
            let count = 1 + lost.count();
            let what = format!("machine {at} lacks {count} acknowledged records: {first:?}");
            self.fail("nothing_durable_lost", what);
        }
    }

    /// What expires may be gone, but for tasks that are unfinished; and no older value is there instead.
    fn tasks_stay_and_nothing_resurrects(&mut self, at: usize, held: &Content) {
        let mut winners = State::default();
        let acknowledged =
            self.expiring.keys().filter(|record| self.acknowledged.contains(*record));
        winners.extend(acknowledged.filter_map(|record| usv::read(record).ok()));
        let mut wrong = Vec::new();
        for (target, field, entry) in winners.entries() {
            match held.state.winner(target, field) {
                Some(held) if held >= entry => {}
                Some(_) => wrong.push(("nothing_resurrects", format!("{target} {field}"))),
                None if !is_unfinished(target, entry) => {}
                None => wrong.push(("no_unfinished_task_is_lost", format!("{target} {field}"))),
            }
        }
        for (check, what) in wrong {
            self.fail(check, format!("machine {at}: {what}"));
        }
    }

    /// A power cut leaves zeros in the unsynced end of a replica, a disk that failed anywhere: a
    /// branch like any other, whose damaged records are kept and count for nothing.
    fn nothing_is_odd(&mut self, at: usize, held: &Content) {
        if self.machines.iter().any(|machine| machine.failed || machine.crashed) {
            return;
        }
        if let Some(odd) = held.odd.first() {
            self.fail("nothing_is_odd", format!("machine {at}: {odd}"));
        }
    }

    /// At most five a second, but for those that somebody waited for.
    fn commits_are_bounded(&mut self) {
        let hurries: u64 =
            self.machines.iter().filter_map(|m| m.daemon.as_ref()).map(|d| d.hurries).sum();
        for at in 0..self.machines.len() {
            let Some(daemon) = &self.machines[at].daemon else { continue };
            let seconds = (self.time_of(at) - daemon.since) / 1_000_000;
            let (commits, most) =
                (daemon.commits, 5 * (seconds + 1) + 2 + 10 * hurries.max(self.waits));
            if commits > most {
                self.fail("commits_are_bounded", format!("machine {at}: {commits} in {seconds} s"));
            }
        }
    }

    /// After each step: no log that is shown becomes shorter, unless a branch was set aside.
    pub(crate) fn check_step(&mut self, at: usize) {
        let oldest = Some(oldest_told(self.wall_of(at)));
        let machine = &mut self.machines[at];
        let Some(daemon) = &mut machine.daemon else { return };
        let shown = daemon.replica.vector();
        if *shown == daemon.shown {
            return;
        }
        let shrunk = daemon.shown.0.iter().find(|(log, head)| {
            let may = machine.cut.contains(log) || machine.failed || is_over(log, oldest);
            shown.position(log) < head.position && !may
        });
        let what = shrunk.map(|(log, head)| {
            format!(
                "machine {at} showed {log} to {} and then to {}",
                head.position,
                shown.position(log)
            )
        });
        daemon.shown = shown.clone();
        machine.promised.0.retain(|log, _| !is_over(log, oldest));
        for (log, head) in &daemon.shown.0 {
            machine.promised.0.insert(log.clone(), *head);
        }
        if let Some(what) = what {
            self.fail("vectors_never_shrink", what);
        }
    }

    /// At a start: the disk holds all that was shown before the power went.
    pub(crate) fn check_promise(&mut self, at: usize) {
        let cluster = self.cluster;
        let Ok(held) = content(&self.machines[at], cluster) else { return };
        let oldest = Some(oldest_told(self.wall_of(at)));
        let machine = &self.machines[at];
        let broken = machine.promised.0.iter().find(|(log, head)| {
            held.vector.position(log) < head.position
                && !is_over(log, oldest)
                && !machine.cut.contains(log)
                && !machine.failed
        });
        if let Some((log, head)) = broken {
            let what = format!(
                "machine {at} had shown {log} to {} and holds {} after its start",
                head.position,
                held.vector.position(log)
            );
            self.fail("only_durable_bytes_are_shown", what);
        }
    }

    /// Before each job: nobody else extends the own log.
    pub(crate) fn check_job(&mut self, at: usize, job: &Job) {
        let Some(daemon) = &mut self.machines[at].daemon else { return };
        if *job == Job::Sync {
            daemon.commits += 1;
            self.report.commits += 1;
        }
        let Job::Append(ranges) = job else { return };
        if ranges.iter().any(|linked| linked.range.log.is_kin(daemon.replica.own())) {
            self.fail("no_own_bytes_from_elsewhere", format!("machine {at}"));
        }
    }

    /// When a waiter is told: so many other disks hold it, now, and would after a power cut.
    pub(crate) fn check_waited(&mut self, id: u64, nodes: &[NodeId]) {
        let Some((at, _, batch, wanted)) = self.waiting.remove(&id) else { return };
        let node = self.machines[at].node.clone();
        let holds = |machine: &&Machine| {
            let disk = machine.disk.copy();
            disk.crash(id);
            let left = Machine::with_disk(machine.node.clone(), machine.address, disk);
            let held = content(&left, self.cluster)
                .is_ok_and(|held| usv::records(&batch).all(|record| held.holds(record.bytes)));
            machine.node != node && (held || machine.restored || machine.failed)
        };
        let held: BTreeSet<_> = self.machines.iter().filter(holds).map(|m| &m.node).collect();
        if nodes.len() < wanted || !nodes.iter().all(|node| held.contains(node)) {
            let what = format!("machine {at} was told that {nodes:?} hold it; {held:?} do");
            self.fail("spread_tells_the_truth", what);
        }
    }
}
