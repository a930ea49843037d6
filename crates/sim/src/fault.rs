//! What goes wrong, and when it is mended.

use cocli_core::{Instant, Vector};
use cocli_node::replica::Input;
use cocli_store::FakeDisk;
use cocli_store::disk::fake::{Fault as DiskFault, Times};

use crate::disk::{content, damage, trim};
use crate::machine::Machine;
use crate::network::address;
use crate::world::{Event, World};

const SECOND: u64 = 1_000_000;
/// After so long every journal is old, microseconds.
const OLD_US: i64 = 10 * 86_400 * 1_000_000;

/// Something that goes wrong, or is mended. Machines are told by their number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The power goes: what was not synced may be gone. It starts again after so many milliseconds.
    Crash {
        /// Whose.
        machine: usize,
        /// Until it is up again, milliseconds.
        down_ms: u64,
    },
    /// The power goes in the middle of what the disk does next.
    CrashAt {
        /// Whose.
        machine: usize,
        /// With which operation of the disk.
        operation: u64,
    },
    /// The daemon is killed; what was written stays.
    Kill {
        /// Whose.
        machine: usize,
        /// Until it is up again, milliseconds.
        down_ms: u64,
    },
    /// Everything that runs there is killed in the middle of what the disk does next; what was
    /// written stays, synced or not.
    KillAt {
        /// Whose.
        machine: usize,
        /// With which operation of the disk.
        operation: u64,
    },
    /// The lid is closed: nothing runs there and nothing comes, and the clock that measures spans stands
    /// still with it, as Linux has it.
    Sleep {
        /// Whose.
        machine: usize,
        /// Until it wakes, milliseconds.
        ms: u64,
    },
    /// The lid is opened.
    Wake {
        /// Whose.
        machine: usize,
    },
    /// The daemon starts.
    Start {
        /// Whose.
        machine: usize,
    },
    /// Nothing passes from one machine to another.
    Block {
        /// From.
        from: usize,
        /// To.
        to: usize,
    },
    /// It passes again.
    Free {
        /// From.
        from: usize,
        /// To.
        to: usize,
    },
    /// The disk fails.
    Disk {
        /// Whose.
        machine: usize,
        /// With which operation.
        operation: u64,
        /// Only that one, or all from there on.
        for_good: bool,
        /// Because it is full.
        full: bool,
    },
    /// The disk is well again.
    DiskWell {
        /// Whose.
        machine: usize,
    },
    /// An image of the home is made.
    Image {
        /// Whose.
        machine: usize,
    },
    /// The home is set back to its image, and its daemon starts again.
    Restore {
        /// Whose.
        machine: usize,
    },
    /// The home is copied to a new machine, which starts.
    Clone {
        /// Whose.
        machine: usize,
    },
    /// The machine has another address.
    Move {
        /// Which.
        machine: usize,
        /// Its new port.
        port: u16,
    },
    /// The machine has these keys from now on: it seals with the first and opens with all. 0 is none.
    Keys {
        /// Whose.
        machine: usize,
        /// At first, that of every machine is 1 alone.
        ring: [u8; 3],
    },
    /// The wall clock is set, so that it is ahead of the right time.
    Clock {
        /// Whose.
        machine: usize,
        /// By how much; less than nothing is behind.
        ahead_ms: i64,
    },
    /// A bit of the first journal of machine `origin`'s first log is flipped.
    Rot {
        /// On whose disk.
        machine: usize,
        /// Whose log.
        origin: usize,
        /// Where in the file.
        offset: usize,
    },
    /// What is over by the machine's clock is taken away.
    Expire {
        /// Where.
        machine: usize,
    },
    /// All history that the checkpoint covers goes, as if others held it.
    Trim {
        /// Whose.
        machine: usize,
    },
    /// The daemon looks whether files have grown.
    Rescan {
        /// Whose.
        machine: usize,
    },
}

impl World {
    /// Plans what the options ask for, at random times.
    pub(crate) fn plan_faults(&mut self) {
        let faults = self.options.faults;
        for _ in 0..faults.crashes {
            let (machine, down_ms) = (self.any_machine(), self.chance.between(0, 6_000));
            let fault = if self.chance.permille(500) {
                Fault::Crash { machine, down_ms }
            } else {
                Fault::CrashAt { machine, operation: self.chance.between(1, 150) }
            };
            self.plan(fault);
        }
        for _ in 0..faults.kills {
            let (machine, down_ms) = (self.any_machine(), self.chance.between(0, 6_000));
            let fault = if self.chance.permille(500) {
                Fault::Kill { machine, down_ms }
            } else {
                Fault::KillAt { machine, operation: self.chance.between(1, 150) }
            };
            self.plan(fault);
        }
        for _ in 0..faults.partitions {
            self.plan_partition();
        }
        for _ in 0..faults.disks {
            let machine = self.any_machine();
            let operation = self.chance.between(1, 40);
            let (for_good, full) = (self.chance.permille(500), self.chance.permille(500));
            self.plan(Fault::Disk { machine, operation, for_good, full });
        }
        for _ in 0..faults.clones {
            let machine = self.any_machine();
            self.plan(Fault::Clone { machine });
        }
        for _ in 0..faults.restores {
            let machine = self.any_machine();
            let image = self.chance.between(0, self.options.seconds * SECOND / 2);
            let back = self.chance.between(image, self.options.seconds * SECOND);
            self.after(image, Event::Fault(Fault::Image { machine }));
            self.after(back, Event::Fault(Fault::Restore { machine }));
        }
        for _ in 0..faults.moves {
            let machine = self.any_machine();
            let port = 20_000 + u16::try_from(self.chance.between(0, 9_999)).unwrap_or(0);
            self.plan(Fault::Move { machine, port });
        }
        for _ in 0..faults.trims {
            let machine = self.any_machine();
            self.plan(Fault::Trim { machine });
        }
        for _ in 0..faults.sleeps {
            let (machine, ms) = (self.any_machine(), self.chance.between(1_000, 40_000));
            self.plan(Fault::Sleep { machine, ms });
        }
    }

    fn any_machine(&mut self) -> usize {
        self.chance.index(self.machines.len())
    }

    fn plan(&mut self, fault: Fault) {
        let at = self.chance.between(0, self.options.seconds * SECOND);
        self.after(at, Event::Fault(fault));
    }

    /// One machine cut off from some, in one direction or both, for a while.
    fn plan_partition(&mut self) {
        let at = self.chance.between(0, self.options.seconds * SECOND);
        let until = at + self.chance.between(SECOND, 40 * SECOND);
        let one = self.any_machine();
        let both = self.chance.permille(600);
        for other in 0..self.machines.len() {
            if other == one || self.chance.permille(300) {
                continue;
            }
            let mut links = vec![(one, other)];
            if both {
                links.push((other, one));
            }
            for (from, to) in links {
                self.after(at, Event::Fault(Fault::Block { from, to }));
                self.after(until, Event::Fault(Fault::Free { from, to }));
            }
        }
    }

    /// It happens now.
    pub fn happen(&mut self, fault: Fault) {
        self.report.faults += 1;
        self.note(|| format!("{fault:?}"));
        match fault {
            Fault::Crash { machine, down_ms } => self.power_cut(machine, down_ms),
            Fault::CrashAt { machine, operation } => {
                self.machines[machine].disk.fail_at(operation, DiskFault::Crash, Times::ForGood);
                let down_ms = self.chance.between(0, 3_000);
                let later = self.chance.between(0, 3 * SECOND);
                self.after(later, Event::Fault(Fault::Crash { machine, down_ms }));
            }
            Fault::KillAt { machine, operation } => {
                self.machines[machine].disk.fail_at(operation, DiskFault::Crash, Times::ForGood);
                let down_ms = self.chance.between(0, 3_000);
                let later = self.chance.between(0, 3 * SECOND);
                self.after(later, Event::Fault(Fault::Kill { machine, down_ms }));
            }
            Fault::Kill { machine, down_ms } => {
                self.machines[machine].stop();
                self.machines[machine].disk.kill();
                self.after(down_ms * 1000, Event::Fault(Fault::Start { machine }));
            }
            Fault::Sleep { machine, ms } => {
                self.machines[machine].asleep.get_or_insert(self.now);
                self.after(ms * 1000, Event::Fault(Fault::Wake { machine }));
            }
            Fault::Wake { machine } => self.wake(machine),
            Fault::Start { machine } => self.start(machine),
            Fault::Block { from, to } => self.network.block(from, to),
            Fault::Free { from, to } => self.network.free(from, to),
            Fault::Disk { machine, operation, for_good, full } => {
                let fault = if full { DiskFault::NoSpace } else { DiskFault::Error };
                let times = if for_good { Times::ForGood } else { Times::Once };
                self.machines[machine].disk.fail_at(operation, fault, times);
                self.machines[machine].failed = true;
                let later = self.chance.between(SECOND, 10 * SECOND);
                self.after(later, Event::Fault(Fault::DiskWell { machine }));
            }
            Fault::DiskWell { machine } => self.machines[machine].disk.heal(),
            Fault::Image { machine } => {
                let image = self.machines[machine].disk.copy();
                self.machines[machine].image = Some(image);
            }
            Fault::Restore { machine } => self.restore(machine),
            Fault::Clone { machine } => self.clone_home(machine),
            Fault::Move { machine, port } => {
                self.machines[machine].address = address(machine, port);
            }
            Fault::Keys { machine, ring } => self.machines[machine].ring = ring,
            Fault::Clock { machine, ahead_ms } => self.machines[machine].skew_us = ahead_ms * 1000,
            Fault::Rot { machine, origin, offset } => {
                let log = self.machines[origin].node.to_string();
                if !damage(&self.machines[machine], &log, offset) {
                    self.fail("there_is_something_to_damage", format!("{fault:?}"));
                }
            }
            Fault::Expire { machine } => self.expire(machine),
            Fault::Trim { machine } => self.trim(machine),
            Fault::Rescan { machine } => self.rescan(machine),
        }
    }

    /// By a clock that is far ahead every journal is old.
    fn trim(&mut self, machine: usize) {
        let at = Instant::from_micros(self.wall_of(machine).micros() + OLD_US);
        let gone = at.map(|at| trim(&self.machines, machine, self.cluster, at));
        self.note(|| format!("{machine} lets history go: {gone:?}"));
        if self.machines[machine].daemon.is_some() {
            self.step(machine, Input::Rescan);
        }
    }

    fn power_cut(&mut self, machine: usize, down_ms: u64) {
        let seed = self.chance.next();
        self.machines[machine].stop();
        self.machines[machine].disk.crash(seed);
        self.machines[machine].crashed = true;
        let now = self.now;
        self.watched(|watch| watch.down(now, machine));
        self.after(down_ms * 1000, Event::Fault(Fault::Start { machine }));
    }

    /// The image was made while things went on: what was not synced then may be missing.
    fn restore(&mut self, machine: usize) {
        let seed = self.chance.next();
        let Some(image) = self.machines[machine].image.take() else { return };
        image.crash(seed);
        self.forget_what_was_nowhere_else(machine, &image);
        let home = &mut self.machines[machine];
        home.stop();
        home.disk = image;
        home.promised = Vector::default();
        (home.restored, home.crashed) = (true, true);
        self.start(machine);
    }

    /// What was durable on the lost disk alone is lost, whoever acknowledged it.
    fn forget_what_was_nowhere_else(&mut self, machine: usize, image: &FakeDisk) {
        let contents = self.machines.iter().enumerate().map(|(at, other)| {
            let disk = if at == machine { image.copy() } else { other.disk.medium() };
            let left = Machine::with_disk(other.node.clone(), other.address, disk);
            content(&left, self.cluster)
        });
        let kept: Option<Vec<_>> = contents.map(Result::ok).collect();
        // A disk that cannot be read now may hold anything: nothing is asked of it then.
        let keeps = |record: &Vec<u8>| {
            kept.as_ref().is_some_and(|kept| kept.iter().any(|held| held.records.contains(record)))
        };
        self.acknowledged.retain(keeps);
    }

    fn clone_home(&mut self, machine: usize) {
        let seed = self.chance.next();
        let disk = self.machines[machine].disk.copy();
        disk.crash(seed);
        let number = self.machines.len();
        let node = self.machines[machine].node.clone();
        self.machines.push(Machine::with_disk(node, address(number, 9999), disk));
        self.machines[number].ring = self.machines[machine].ring;
        self.machines[number].crashed = true;
        self.start(number);
        self.rescan_later(number);
    }
}
