//! People and programs that write, on any machine that has power, by the real store.

use cocli_core::{Causality, Datagram, Entry, Epoch, Field, Instant, NodeId, Stamp, Target, Value};
use cocli_core::{LogId, usv};
use cocli_node::replica::Input;
use cocli_store::expiry::expire;
use cocli_store::{Command, HomeLock};

use crate::world::{Event, World};

const MS: u64 = 1000;

impl World {
    /// One batch on one machine. What was acknowledged is noted, to be looked for at the end.
    pub(crate) fn write(&mut self, at: usize) {
        let count = if self.chance.permille(200) { self.chance.between(2, 6) } else { 1 };
        let expiring = self.chance.permille(200);
        let mut batch = Vec::new();
        for _ in 0..count {
            let mut datagram = self.datagram(at);
            if expiring {
                datagram.target = known(Target::read("campaigns/c/queues/q"));
            }
            usv::write(&datagram, &mut batch);
        }
        self.write_batch(at, &batch);
    }

    /// Writes one record with this value on a machine, and tells its daemon at once; true when it was
    /// acknowledged.
    pub fn say(&mut self, at: usize, value: &str) -> bool {
        let mut batch = Vec::new();
        let mut datagram = self.datagram(at);
        datagram.entry.value = Value::read(value);
        usv::write(&datagram, &mut batch);
        let before = self.machines[at].life;
        let Some((log, position)) = self.append(at, &batch) else { return false };
        self.acknowledged.insert(batch);
        self.woken(at, before, log, position);
        true
    }

    /// Writes a task of a queue, with a state, by the machine's clock; true when it was acknowledged.
    pub fn task(&mut self, at: usize, id: &str, state: &str) -> bool {
        let (target, value) = ("campaigns/c/queues/q", format!("{{\"state\":{state:?}}}"));
        self.record(at, target, id, &value)
    }

    /// Writes a heartbeat, by the machine's clock; true when it was acknowledged.
    pub fn beat(&mut self, at: usize) -> bool {
        let target = format!("nodes/{}", self.machines[at].node);
        let value = self.wall_of(at).to_string();
        self.record(at, &target, "beat", &value)
    }

    fn record(&mut self, at: usize, target: &str, field: &str, value: &str) -> bool {
        let node = self.machines[at].node.clone();
        let datagram = Datagram {
            target: known(Target::read(target)),
            field: known(Field::read(field)),
            entry: Entry {
                stamp: Stamp { instant: self.wall_of(at), node },
                value: Value::read(value),
                causality: Causality::nothing(),
            },
        };
        let mut batch = Vec::new();
        usv::write(&datagram, &mut batch);
        self.write_batch(at, &batch)
    }

    /// Writes these records on a machine; true when they were acknowledged.
    pub fn write_batch(&mut self, at: usize, batch: &[u8]) -> bool {
        let Some((log, position)) = self.append(at, batch) else {
            self.note(|| format!("write on {at} failed"));
            return false;
        };
        self.note(|| format!("wrote {} bytes to {log} on {at}", batch.len()));
        self.report.acknowledged += 1;
        for record in usv::records(batch) {
            self.acknowledged.insert(record.bytes.to_vec());
        }
        // Now and then nobody tells the daemon: the next rescan finds it.
        if !self.chance.permille(100) {
            let life = self.machines[at].life;
            let delay = self.chance.between(MS / 10, MS);
            self.after(delay, Event::Woken { at, life, log: log.clone(), position });
            if self.chance.permille(150) {
                let nodes = usize::try_from(self.chance.between(1, 2)).unwrap_or(1);
                self.waits += 1;
                let id = self.waits;
                self.waiting.insert(id, (at, life, batch.to_vec(), nodes));
                self.after(delay + MS, Event::Wait { at, life, id, log, position, nodes });
            }
        }
        true
    }

    /// As a command does it: lock, append, sync; a log in doubt is closed first. What may expire goes into the
    /// log of the month.
    pub(crate) fn append(&mut self, at: usize, batch: &[u8]) -> Option<(LogId, u64)> {
        let wall = self.wall_of(at);
        let machine = &self.machines[at];
        let mut journals = machine.open(self.cluster).ok()?;
        let lock = HomeLock::try_take(&machine.disk, "write").ok()?;
        let command = Command { at: wall, verb: "set".to_owned() };
        let epoch = Epoch::from_random(self.chance.bytes());
        let own = journals.own().clone();
        let first = usv::records(batch).next().and_then(|record| usv::read(record.bytes).ok());
        let expiring = first.is_some_and(|datagram| datagram.target.may_expire());
        let appended = match expiring {
            true => journals.append_expiring(&lock, wall.day(), batch, &command, &epoch),
            false => journals.append_or_close(&lock, wall.day(), batch, &command, &epoch),
        };
        let (written, closed) = appended.ok()?;
        if let Some(closed) = closed {
            self.report.epochs += 1;
            self.machines[at].cut.extend([own, closed.old]);
        }
        for record in usv::records(batch).filter(|_| expiring) {
            self.expiring.insert(record.bytes.to_vec(), wall.day().month());
        }
        Some((written.log, written.to))
    }

    /// As a compaction does it: what is over goes, once what must not be forgotten was carried over.
    pub(crate) fn expire(&mut self, at: usize) {
        let wall = self.wall_of(at);
        let machine = &self.machines[at];
        let Ok(mut journals) = machine.open(self.cluster) else { return };
        let Ok(lock) = HomeLock::try_take(&machine.disk, "expire") else { return };
        let command = Command { at: wall, verb: "carry over".to_owned() };
        let epoch = Epoch::from_random(self.chance.bytes());
        let own = journals.own().clone();
        let expired = expire(&lock, &mut journals, &command, &epoch);
        if *journals.own() != own {
            self.report.epochs += 1;
            let kin = self.machines[at].promised.0.keys().filter(|log| log.is_kin(&own)).cloned();
            let kin: Vec<LogId> = kin.collect();
            self.machines[at].cut.extend(kin);
        }
        self.note(|| format!("{at}: {expired:?}"));
    }

    /// A machine's wall clock: it starts shortly before midnight.
    pub(crate) fn wall_of(&self, at: usize) -> Instant {
        // 2026-11-23T23:59:40Z.
        let start = 1_795_478_380_000_000_i64;
        let passed = i64::try_from(self.now).unwrap_or(0);
        Instant::from_micros(start + passed + self.machines[at].skew_us).unwrap_or(Instant::MIN)
    }

    /// A change of few fields by few stamps, so that many collide.
    pub(crate) fn datagram(&mut self, at: usize) -> Datagram {
        let chance = &mut self.chance;
        let target = format!("companies/c{}", chance.between(0, 4));
        let field = format!("f{}", chance.between(0, 2));
        let length = usize::try_from(chance.next()).unwrap_or(0) % self.options.value_bytes + 1;
        let letter = char::from(b'a' + (chance.next() % 26) as u8);
        let value: String = std::iter::repeat_n(letter, length).collect();
        let node = if chance.permille(100) {
            "n0".to_owned()
        } else {
            self.machines[at].node.as_str().to_owned()
        };
        let wall = self.wall_of(at).micros();
        let coarse = wall - wall % 5_000_000;
        let stamp = Stamp {
            instant: Instant::from_micros(coarse).unwrap_or(Instant::MIN),
            node: NodeId::read(&node).unwrap_or_else(|_| self.machines[at].node.clone()),
        };
        Datagram {
            target: known(Target::read(&target)),
            field: known(Field::read(&field)),
            entry: Entry { stamp, value: Value::read(&value), causality: Causality::nothing() },
        }
    }

    /// A daemon is told by the door that its own log has grown.
    pub(crate) fn woken(&mut self, at: usize, life: u64, log: LogId, position: u64) {
        if self.machines[at].life == life {
            self.step(at, Input::Woken { log, position });
        }
    }
}

/// Names made here are names.
fn known<T, E: std::fmt::Debug>(name: Result<T, E>) -> T {
    match name {
        Ok(name) => name,
        Err(error) => unreachable!("{error:?}"),
    }
}
