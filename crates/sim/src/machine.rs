//! A machine: a disk, an address, and, while it is up, a daemon and its writer thread.

use std::net::SocketAddr;
use std::sync::Arc;

use cocli_core::gossip::Boot;
use cocli_core::{ClusterId, Instant, LogId, NodeId, Vector};
use cocli_node::replica::{Born, Keeper, Queue, Replica, Writer};
use cocli_store::checkpoint::Means;
use cocli_store::{Command, FakeDisk, HomeLock, Journals, Result, checkpoint, paths};

use crate::chance::Chance;
use crate::world::Event;

/// A daemon's process.
#[derive(Debug)]
pub(crate) struct Daemon {
    pub(crate) replica: Replica,
    pub(crate) writer: Writer,
    pub(crate) keeper: Keeper,
    pub(crate) jobs: Queue,
    /// The writer is at work.
    pub(crate) busy: bool,
    /// When a tick is on its way.
    pub(crate) tick_at: Option<u64>,
    pub(crate) commits: u64,
    pub(crate) hurries: u64,
    pub(crate) since: u64,
    /// The vector after the last step.
    pub(crate) shown: Vector,
}

/// One machine.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) node: NodeId,
    pub(crate) address: SocketAddr,
    /// The keys that it opens with; it seals with the first. 0 is none.
    pub(crate) ring: [u8; 3],
    /// By how much its wall clock is wrong, microseconds.
    pub(crate) skew_us: i64,
    /// Since when it sleeps.
    pub(crate) asleep: Option<u64>,
    /// How long it slept before: so much the clock that measures spans stands behind, microseconds.
    pub(crate) slept: u64,
    /// What happens when it wakes.
    pub(crate) put_off: Vec<Event>,
    pub(crate) disk: FakeDisk,
    pub(crate) daemon: Option<Daemon>,
    /// Rises with each start and end of the daemon: what was meant for an earlier one is dropped.
    pub(crate) life: u64,
    /// An image from which the home may be restored.
    pub(crate) image: Option<FakeDisk>,
    /// The newest vector shown to anybody since the home's last image or fork.
    pub(crate) promised: Vector,
    /// Its disk failed once: what a failed sync covered is cut, whether it had been durable or not.
    pub(crate) failed: bool,
    /// Its power was cut once.
    pub(crate) crashed: bool,
    /// Its home was set back: what it said before may still be believed.
    pub(crate) restored: bool,
    /// Logs cut on purpose: a branch was set aside or the log was closed.
    pub(crate) cut: std::collections::BTreeSet<LogId>,
}

impl Machine {
    pub(crate) fn new(node: NodeId, address: SocketAddr) -> Self {
        let disk = FakeDisk::new();
        disk.plant_folder(paths::OWN);
        disk.plant_folder(paths::WAL);
        disk.plant_folder(paths::MARKS);
        Self::with_disk(node, address, disk)
    }

    pub(crate) fn with_disk(node: NodeId, address: SocketAddr, disk: FakeDisk) -> Self {
        Self {
            node,
            address,
            ring: [1, 0, 0],
            skew_us: 0,
            asleep: None,
            slept: 0,
            put_off: Vec::new(),
            disk,
            daemon: None,
            life: 0,
            image: None,
            promised: Vector::default(),
            failed: false,
            crashed: false,
            restored: false,
            cut: std::collections::BTreeSet::new(),
        }
    }

    /// Whether what is sealed with a key opens here.
    pub(crate) fn opens(&self, key: u8) -> bool {
        key != 0 && self.ring.contains(&key)
    }

    /// A fresh view of the journals, as a process that starts has it.
    pub(crate) fn open(&self, cluster: ClusterId) -> Result<Journals> {
        Journals::open(Arc::new(self.disk.clone()), cluster, self.node.clone())
    }

    /// Joins another machine's checkpoint, if one is whole here.
    pub(crate) fn join(&self, cluster: ClusterId, at: Instant) -> Result<bool> {
        let mut journals = self.open(cluster)?;
        let lock = HomeLock::try_take(&self.disk, "join")?;
        let command = Command { at, verb: "join".to_owned() };
        checkpoint::join(&lock, &mut journals, &Means::within(1 << 20), &command)
    }

    /// Starts the daemon; an error is a disk that cannot be read now.
    pub(crate) fn start(
        &mut self,
        cluster: ClusterId,
        chance: &mut Chance,
        now: u64,
    ) -> Result<()> {
        let born = Born { boot: Boot(chance.next()), seed: chance.bytes() };
        let replica = Replica::new(self.open(cluster)?, born, now)?;
        let shown = replica.vector().clone();
        self.life += 1;
        self.daemon = Some(Daemon {
            replica,
            writer: Writer::new(Arc::new(self.disk.clone()), cluster, self.node.clone()),
            keeper: Keeper::new(Arc::new(self.disk.clone())),
            jobs: Queue::default(),
            busy: false,
            tick_at: None,
            commits: 0,
            hurries: 0,
            since: now,
            shown,
        });
        Ok(())
    }

    /// The daemon's process is gone.
    pub(crate) fn stop(&mut self) {
        self.daemon = None;
        self.life += 1;
    }
}
