//! What stands on a machine's disk, read as a stranger would: record by record.

use std::collections::BTreeSet;
use std::sync::Arc;

use cocli_core::{ClusterId, Datagram, Instant, State, Vector, usv};
use cocli_store::archive::{self, Moving, Trim};
use cocli_store::checkpoint::Turn;
use cocli_store::{HomeLock, Journals, Reader, Result, checkpoint};

use crate::machine::Machine;

/// All that one disk holds.
#[derive(Debug)]
pub(crate) struct Content {
    pub(crate) vector: Vector,
    pub(crate) records: BTreeSet<Vec<u8>>,
    pub(crate) state: State,
    pub(crate) bytes: u64,
    pub(crate) odd: Vec<String>,
    /// Some of its history is gone, or never was there: the checkpoint holds what it came to.
    pub(crate) trimmed: bool,
}

impl Content {
    /// Whether it holds a record, or what came of it where its history is gone.
    pub(crate) fn holds(&self, record: &[u8]) -> bool {
        let merged = || {
            let datagram = usv::read(record).ok()?;
            let winner = self.state.winner(&datagram.target, &datagram.field)?;
            Some(*winner >= datagram.entry)
        };
        self.records.contains(record) || (self.trimmed && merged() == Some(true))
    }
}

/// Reads a copy of a disk, so that looking changes nothing. There, what no mark proves to be durable
/// is settled and synced first, as a start does.
pub(crate) fn content(machine: &Machine, cluster: ClusterId) -> Result<Content> {
    let disk = machine.disk.copy();
    disk.kill();
    let mut journals = Journals::open(Arc::new(disk.clone()), cluster, machine.node.clone())?;
    {
        let lock = HomeLock::try_take(&disk, "check")?;
        let _ = journals.recover(&lock);
        journals.sync(&lock)?;
    }
    let vector = journals.vector()?;
    let mut content = Content {
        vector: vector.clone(),
        records: BTreeSet::new(),
        state: State::default(),
        bytes: 0,
        odd: Vec::new(),
        trimmed: journals.bases().next().is_some(),
    };
    for (log, head) in &vector.0 {
        let mut position = journals.begin(log);
        while let Some(range) = journals.read(log, position, head.position, 1 << 20)? {
            for record in usv::records(&range.bytes) {
                match usv::read_in(&range.bytes, record) {
                    Ok(datagram) => {
                        content.state.merge(datagram);
                    }
                    Err(odd) => content
                        .odd
                        .push(format!("{log}: {odd}: {:?}", String::from_utf8_lossy(record.bytes))),
                }
                content.records.insert(record.bytes.to_vec());
            }
            content.bytes += range.bytes.len() as u64;
            position = range.end_position();
        }
    }
    if content.trimmed {
        let merged = Reader::open(&mut journals)?.state()?;
        for (target, field, entry) in merged.entries() {
            let (target, field, entry) = (target.clone(), field.clone(), entry.clone());
            content.state.merge(Datagram { target, field, entry });
        }
    }
    Ok(content)
}

/// Lets go of all history that the checkpoint covers and that others hold, or held, on the same chain.
pub(crate) fn trim(
    machines: &[Machine],
    at_machine: usize,
    cluster: ClusterId,
    at: Instant,
) -> Result<usize> {
    let machine = &machines[at_machine];
    let mut journals = machine.open(cluster)?;
    let lock = || HomeLock::try_take(&machine.disk, "trim").map(Some);
    checkpoint::compact(&HomeLock::try_take(&machine.disk, "trim")?, &mut journals, 1 << 20)?;
    let Some(turn) = Turn::try_take(&machine.disk)? else { return Ok(0) };
    archive::archive(&turn, &mut journals, (Moving { after: 2, threads: 1 }, at), &lock)?;
    let mut same = Vector::default();
    for (_, other) in machines.iter().enumerate().filter(|(other, _)| *other != at_machine) {
        let Ok(mut theirs) = other.open(cluster) else { continue };
        for (log, head) in theirs.vector()?.0 {
            let ours = journals.head(&log)?;
            let longer = head.position > ours.position;
            let common = if longer { ours } else { head };
            let view = if longer { &mut theirs } else { &mut journals };
            if view.hash_at(&log, common.position)? == Some(common.hash)
                && common.position > same.position(&log)
            {
                same.0.insert(log, common);
            }
        }
    }
    let held =
        |trim: &Trim<'_>| trim.until.is_some_and(|until| until.position <= same.position(trim.log));
    let going = archive::plan(&mut journals, 0, &held)?;
    archive::trim(&HomeLock::try_take(&machine.disk, "trim")?, &mut journals, &going)?;
    Ok(going.len())
}

/// Flips a bit of a log's first journal, at an offset, as a bad sector does.
pub(crate) fn damage(machine: &Machine, log: &str, offset: usize) -> bool {
    let file = |path: &String| path.starts_with("wal/") && path.ends_with(&format!("_{log}.usv"));
    let Some(path) = machine.disk.files().into_iter().find(file) else { return false };
    let Some(mut bytes) = machine.disk.peek(&path) else { return false };
    let Some(byte) = bytes.get_mut(offset) else { return false };
    *byte ^= 1;
    machine.disk.plant(&path, &bytes);
    true
}
